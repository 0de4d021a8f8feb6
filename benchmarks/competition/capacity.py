"""The terms of sale on which prices were said to pay: hard capacity, unequal costs, opt-out (CRITERIA.md, a, b and e)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.competition import inputs
from benchmarks.competition.routed import BATCH, Judged, Rows, Shape, Terms, multiplications
from benchmarks.competition.trials import (
    RATES,
    ROUTERS,
    Arm,
    Claim,
    Found,
    Question,
    Runs,
    answered,
    arm,
    found_at,
)  # fmt: skip

SEATS = BATCH // 8
SIZES = np.array((2, 2, 4, 4, 8, 8, 16, 16)) / 16  # of the largest expert
COSTS = tuple((0.2 * SIZES).tolist())  # nats a token
CALL = (0.3,) * 8
NOBODY = -1
FREELY = "free at the end"  # what is found where whoever had to buy may refuse
NET = "price, net gate (post hoc)"
LOT, REFUSES = "by lot, at the market's share", "own, may refuse once it has learnt (post hoc)"


def rows(seed: int, test: bool, shares: tuple[float, ...] = inputs.EVEN, experts: int = 8) -> tuple[Rows, Rows]:
    """To learn from, and to judge by."""
    learnt, _, held = inputs.images(seed, experts, shares, test)
    return learnt, held


def wanted(judged: Judged, terms: Terms) -> np.ndarray:
    """The expert that each token wants, -1: none; lots where nobody bids."""
    if terms.lots == 1:
        return np.random.default_rng(0).integers(judged.bids.shape[1], size=len(judged.bids))
    buys = ((terms.opt_out == 0) | (judged.bids.max(1) > 0)) & (judged.entropy > terms.doubt)
    return np.where(buys, judged.bids.argmax(1), NOBODY)


def seated(choice: np.ndarray, experts: int, seats: int) -> np.ndarray:
    """Those who find a seat, first come first served in batches; whoever does not has nothing (-1)."""
    found = choice.copy()
    for start in range(0, len(choice), BATCH):
        for j in range(experts):
            found[start + np.flatnonzero(choice[start : start + BATCH] == j)[seats:]] = NOBODY
    return found


def outcome(judged: Judged, choice: np.ndarray) -> Found:
    """Loss and accuracy of a routing."""
    at, nobody = np.maximum(choice, 0)[:, None], choice == NOBODY
    loss = np.where(nobody, judged.public, np.take_along_axis(judged.loss, at, 1)[:, 0])
    right = np.where(nobody, judged.public_right, np.take_along_axis(judged.right, at, 1)[:, 0])
    return {"log-loss": float(loss.mean()), "accuracy %": float(100 * right.mean())}


# --- (a) -----------------------------------------------------------------------------------------------------------------


def within_capacity(judged: Judged, rows: Rows, terms: Terms, shape: Shape) -> Found:
    """First come first served, and each batch cleared exactly where there are bids."""
    from catallax.measures import specialisation

    choice = wanted(judged, terms)
    found = seated(choice, 8, SEATS)
    cleared = outcome(judged, cleared_batches(judged.bids))["log-loss"] if terms.reads else float("nan")
    return {
        **outcome(judged, found),
        "log-loss if cleared": cleared,
        "dropped %": float(100 * (found == NOBODY).mean()),
        "MaxVio": specialisation.max_violation(np.bincount(choice, minlength=8)),
        "multiplications": multiplications(terms, shape.hidden, rows.x.shape[1], shape),
    }


def cleared_batches(bids: np.ndarray) -> np.ndarray:
    """The best routing within the capacities, batch by batch."""
    from catallax.experts import clear

    parts = np.split(bids, range(BATCH, len(bids), BATCH))
    return np.concatenate([clear(part, SEATS).assignment[:, 0] for part in parts])


BIDDERS = ("price", "own", "auxiliary", "sign", "greedy")
LATER = ("own, prices 0 (post hoc)", "auxiliary, weights .1 and 1 (post hoc)")


def hard(seeds: tuple[int, ...], steps: int, widths: tuple[int, ...]) -> harness.Table:
    """(a)"""
    uneven = functools.partial(rows, shares=inputs.UNEVEN)

    def made(units: int) -> tuple[Question, list[Arm]]:
        shape = Shape(hidden=units)
        score = functools.partial(within_capacity, shape=shape)
        arms = [arm(name, seats=SEATS) for name in (*BIDDERS, "hash", "random")]
        heavier = tuple(one._replace(auxiliary=10 * one.auxiliary) for one in arms[2].trials)
        arms += [arm("own", LATER[0], seats=SEATS, dual=0.0), Arm(LATER[1], heavier), arm("net", NET, seats=SEATS)]
        return Question("capacity", shape, uneven, score, "log-loss", seeds, steps), arms

    rivals = ["auxiliary", "sign", "hash", "greedy"]
    claims = [Claim("", market, rivals, "log-loss") for market in ("price", "own")]
    claims.append(Claim("Added after the others had been seen.", "own", list(LATER), "log-loss"))
    claims.append(Claim("Added after the others had been seen.", NET, rivals, "log-loss"))
    claims += [Claim("Batches cleared at the end.", n, [first(n)], "loss", either_way) for n in BIDDERS]
    title = "(a) Hard capacity: who finds no seat is dropped"
    return answered(title, {w: found_at(made, w) for w in widths}, "log-loss", "price", claims)


def first(name: str) -> str:
    """An arm whose tokens are served first come first served."""
    return f"{name}, first come"


def either_way(found: Runs) -> Runs:
    """Each bidder's loss where batches are cleared, and where who comes first is served first."""
    cleared = {name: [{"loss": one["log-loss if cleared"]} for one in found[name]] for name in BIDDERS}
    return cleared | {first(name): [{"loss": one["log-loss"]} for one in found[name]] for name in BIDDERS}


# --- (b) and (e) ---------------------------------------------------------------------------------------------------------


def less_cost(judged: Judged, rows: Rows, terms: Terms, costs: tuple[float, ...]) -> Found:
    """What was bought, what it cost, and the two together: welfare is minus that."""
    choice = wanted(judged, terms)
    freely = wanted(judged, terms._replace(opt_out=terms.own))
    return less(judged, choice, costs) | {FREELY: less(judged, freely, costs)}


def less(judged: Judged, choice: np.ndarray, costs: tuple[float, ...]) -> Found:
    """Of one routing."""
    found = outcome(judged, choice)
    cost = float(np.where(choice == NOBODY, 0, np.array(costs)[np.maximum(choice, 0)]).mean())
    return {
        **found,
        "cost": cost,
        "loss + cost": found["log-loss"] + cost,
        "accuracy % - 100 cost": found["accuracy %"] - 100 * cost,
        "bought %": float(100 * (choice != NOBODY).mean()),
    }


def costly(seeds: tuple[int, ...], steps: int, widths: tuple[int, ...]) -> harness.Table:
    """(b)"""
    score = functools.partial(less_cost, costs=COSTS)
    blind = ["auxiliary", "greedy", "sign", "hash"]
    known, later = "greedy, costs in the loss", "own, prices for fair loads too (post hoc)"
    priced = ROUTERS["greedy"][0]._replace(cost=COSTS)
    charged = tuple(priced._replace(charge=w, rate=r) for w in (1.0, 3.0) for r in RATES)

    def made(units: int) -> tuple[Question, list[Arm]]:
        sizes = tuple((units * SIZES).astype(int).tolist())
        arms = [arm("own", hidden=sizes, cost=COSTS, dual=0.0)]
        arms += [arm(name, hidden=sizes) for name in (*blind, "random")]
        arms += [Arm(known, charged, sizes), arm("own", later, sizes, cost=COSTS)]
        return Question("costs", Shape(hidden=units), rows, score, "loss + cost", seeds, steps), arms

    aim = "loss + cost"
    claims = [
        Claim("", "own", blind, aim),
        Claim("Beside a router that is no market and knows the costs.", "own", [known], aim),
        Claim("Added after the others had been seen.", later, [*blind, known], aim),
    ]
    by_width = {w: without_freely(found_at(made, w)) for w in widths}
    return answered("(b) Experts of unequal cost", by_width, aim, "own", claims)


def without_freely(found: Runs) -> Runs:
    """What is printed of each run."""
    return {name: [{k: v for k, v in one.items() if k != FREELY} for one in runs] for name, runs in found.items()}


def opting(seeds: tuple[int, ...], steps: int, widths: tuple[int, ...]) -> harness.Table:
    """(e)"""
    score = functools.partial(less_cost, costs=CALL)
    own: Any = dict(cost=CALL, dual=0.0)
    doubting = tuple(ROUTERS["greedy"][0]._replace(doubt=d, rate=r) for d in (0.5, 1.0) for r in RATES)

    def made(units: int) -> tuple[Question, list[Arm]]:
        arms = [
            arm("own", opt_out=1.0, **own),
            arm("own", "own, must buy", **own),
            Arm("confidence threshold", doubting),
            arm("auxiliary", "auxiliary, must buy"),
            Arm("nothing bought", (Terms(doubt=1e9),)),
        ]
        return Question("opt-out", Shape(hidden=units), rows, score, "loss + cost", seeds, steps), arms

    rivals, later = ["own, must buy", "nothing bought", LOT, "confidence threshold"], REFUSES
    claims = [
        Claim("", "own", rivals, "loss + cost"),
        Claim("Added after the others had been seen.", later, ["own", *rivals], "loss + cost"),
    ]
    by_width = {w: without_freely(with_lots(found_at(made, w))) for w in widths}
    return answered("(e) Tokens may buy nothing", by_width, "loss + cost", "own", claims)


def with_lots(found: Runs) -> Runs:
    """Beside them whoever must buy while it learns and may refuse afterwards, and who buys by lot, as often as the market does."""
    lots = [
        mixed(whole, none, market["bought %"] / 100)
        for market, whole, none in zip(found["own"], found["own, must buy"], found["nothing bought"], strict=True)
    ]
    return found | {REFUSES: [one[FREELY] for one in found["own, must buy"]], LOT: lots}


def mixed(whole: Found, none: Found, share: float) -> Found:
    """What is expected where a share of the tokens, drawn by lot, buys."""
    return {key: share * whole[key] + (1 - share) * none[key] for key in whole if key != FREELY}
