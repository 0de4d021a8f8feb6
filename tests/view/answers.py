"""Answers of the five questions with the numbers that a real exchange economy gives, for pictures to draw."""

import math

import numpy as np

from catallax.core.answer import Answer

BITS = {1: 0.68, 2: 0.92, 4: 0.997, 6: 0.9997, 8: 0.99998, 16: 1.0, 32: 1.0}
FACTS = {"signal": "price", "measure": "efficiency (Debreu)", "population": "8 traders, 4 goods"}


def frontier(full: float = 0.987, bits: dict | None = None, seeds: int = 20, **changes: dict) -> Answer:
    """Welfare against information; `full` is that of full information; `changes` by point, spaces as _."""
    points = [("silence", "silence", 0.0, 0.30)]
    points += [(f"{b}_bits", "bits", float(b), e) for b, e in (bits or BITS).items()]
    points += [("exact", "exact", math.nan, 1 - 1e-9)]
    points += [(f"leak_{t:g}", "leak", t, 1 - (1 - full) * t) for t in (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)]
    rows = []
    for point, kind, told, efficiency in points:
        width = 0.1 * (1 - efficiency) if seeds > 1 else math.nan
        row = {"point": point, "kind": kind, "told": told, "seeds": seeds, "settled": 1.0, "bits": 4 * told}
        row |= {"efficiency": efficiency, "low": efficiency - width, "high": efficiency + width}
        rows.append(row | changes.get(point, {}))
    return Answer("frontier", "exchange", rows, "Four bits a price are enough.", ["A note."], FACTS)


def compare(*names: str) -> Answer:
    """Four regimes; `names` replaces those of the regimes."""
    values = [(0.3012, 0.21, 0.41), (1 - 3e-9, 1 - 1e-9, 0.18), (1.0, 1.0, 0.18), (0.9871, 0.981, 0.16)]
    regimes = names or ("silence", "signal", "planner", "full_information")
    rows = [
        {"regime": name, "status": "settled", "efficiency": e, "share_of_optimum": s, "gini": g, "rounds": 3}
        for name, (e, s, g) in zip(regimes, values, strict=True)
    ]
    return Answer("compare", "exchange", rows, "Prices do as well as a planner.", [], FACTS)


def lesion() -> Answer:
    rows = [
        {"order": order, "removed": f, "efficiency": 1 - cost * f, "low": 1 - 1.1 * cost * f,
         "high": 1 - 0.9 * cost * f, "seeds": 20, "change": -cost * f}
        for order, cost in (("random", 0.01), ("influential", 0.05)) for f in (0.0, 0.1, 0.2, 0.3, 0.5)
    ]  # fmt: skip
    return Answer("lesion", "exchange", rows, "There is no master.", [], FACTS)


def shock(recovered: float | None = 32) -> Answer:
    rounds = np.arange(60)
    rows = [
        {"round": int(t), "unrest": 0.6 * math.exp(-t / 6), "efficiency": 1 - 0.25 * math.exp(-t / 5),
         "distance": 0.9 * math.exp(-t / 7)}
        for t in rounds
    ]  # fmt: skip
    return Answer("shock", "exchange", rows, "It comes back.", [], FACTS | {"recovered": recovered})


def replicate() -> Answer:
    rows = [
        {"copies": c, "agents": 8 * c, "inefficiency": 0.013 / c**2, "effect": 0.09 / c, "gain": 0.004 / c**2}
        for c in (1, 2, 4, 8, 16)
    ]
    return Answer("replicate", "exchange", rows, "Influence vanishes with numbers.", [], FACTS)


def sweep() -> Answer:
    generator = np.random.default_rng(0)
    rows = [
        {"draw": draw, "regime": regime, "efficiency": float(generator.beta(a, b)), "status": "settled"}
        for draw in range(30)
        for regime, a, b in (("silence", 6, 5), ("signal", 4000, 0.2), ("full_information", 60, 1))
    ]
    return Answer("sweep", "exchange", rows, "Prices never fail.", [], FACTS)


def everything() -> list[Answer]:
    return [frontier(), compare(), lesion(), shock(), replicate(), sweep()]
