"""Ten members merged, of whom two lie."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import harness, mnist
from benchmarks.merging_quality import suite as merging_suite
from benchmarks.merging_quality.kept import half, kept, kept_numbers, tag
from benchmarks.merging_quality.suite import Size, Weights
from benchmarks.merging_quality.tasks import Suite

MEMBERS, LIARS = 10, 2
ROBUST: dict[str, dict[str, Any]] = {
    "linear": {},
    "median": {},
    "trimmed-mean": {"trim": 0.2},
    "geometric-median": {},
    "krum": {"faults": LIARS},
    "multi-krum": {"faults": LIARS, "kept": MEMBERS - LIARS},
}
ATTACKS: dict[str, Callable[[Weights, list[Weights], np.random.Generator], Weights]] = {
    "ten times the opposite": lambda base, honest, draws: {n: x - 10 * (mean(honest)[n] - x) for n, x in base.items()},
    "noise": lambda base, honest, draws: {n: (x + draws.normal(size=x.shape)).astype(x.dtype) for n, x in base.items()},
    "a little: mean - 1 sd": lambda base, honest, draws: {
        n: (mean(honest)[n] - np.std([one[n] for one in honest], axis=0)).astype(x.dtype) for n, x in base.items()
    },
}


def mean(models: list[Weights]) -> Weights:
    """Of arrays by name."""
    return {name: np.mean([one[name] for one in models], axis=0) for name in models[0]}


def shards(kind: str, seed: int, size: Size) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of each of ten members: drawn alike, or two classes and a half mostly ("uneven": 80 % of its rows)."""
    X, y = mnist.training(MEMBERS * 5000)
    order = np.random.default_rng([seed, 4]).permutation(len(y))
    rows = min(size.rows, len(y) // MEMBERS)
    if kind == "uneven":
        own = np.argsort((y[order] - 0.001 * np.arange(len(y)) / len(y)), kind="stable")
        mixed = np.random.default_rng([seed, 5]).random(len(y)) < 0.2
        places = order[own]
        places[mixed] = np.random.default_rng([seed, 6]).permutation(places[mixed])
        order = places
        each = [
            order[k * len(y) // MEMBERS :][: len(y) // MEMBERS][:: len(y) // MEMBERS // rows][:rows]
            for k in range(MEMBERS)
        ]
    else:
        each = [order[k * rows : (k + 1) * rows] for k in range(MEMBERS)]
    return [(X[places], y[places]) for places in each]


def byzantine_rows(kind: str, seed: int, size: Size) -> list[dict[str, Any]]:
    """Accuracy of each merge under each attack, one seed."""
    from catallax.merging import merge

    start = kept(f"{tag(size, seed)}/start", lambda: Suite(seed, size).start())
    base, heads = {name: start[name] for name in merging_suite.NAMES}, start["heads"][:1].copy()
    common = shards("alike", seed + 1000, size)[0]
    begun = kept(
        f"{tag(size, seed)}/common", lambda: learnt_both(base, heads, (common[0][:100], common[1][:100]), seed)
    )
    head = begun.pop("heads")
    models = [
        kept(
            f"{tag(size, seed)}/{kind}{k}",
            lambda k=k, rows=rows: merging_suite.tuned_on(rows, begun, head, 0, 10, 10 * seed + k, size),
        )
        for k, rows in enumerate(shards(kind, seed, size))
    ]
    draws, test, found = np.random.default_rng([seed, 7]), mnist.test_set(), []
    honest = models[LIARS:]
    fair = merging_suite.right(mean(honest), head[0], test, 10)
    for attack, lie in {"nobody lies": None, **ATTACKS}.items():
        liars = models[:LIARS] if lie is None else [lie(begun, honest, draws) for _ in range(LIARS)]
        for name, settings in ROBUST.items():
            model = merge([*liars, *honest], name.removeprefix("multi-"), hashes=False, **settings).model
            right = merging_suite.right(model, head[0], test, 10)
            found.append({"rows": kind, "attack": attack, "merge": name, "right": right, "fair": fair, "seed": seed})
    return found


def learnt_both(base: Weights, heads: np.ndarray, rows: tuple[np.ndarray, np.ndarray], seed: int) -> Weights:
    """Where all ten members begin: trunk and head after a hundred rows."""
    steps = 200
    places = np.random.default_rng([seed, 8]).integers(len(rows[1]), size=(steps, merging_suite.BATCH))
    run = merging_suite.learner(False, 1e-3, steps)
    trunk, learnt = run(base, heads, *rows, places, np.zeros(steps, int), np.full(steps, 10))
    return {**trunk, "heads": learnt}


def lies(kind: str, seed: int, size: Size) -> list[dict[str, Any]]:
    """The rows of one seed, kept."""
    return kept_numbers(f"{tag(size, seed)}/lies-{kind}", lambda: byzantine_rows(kind, seed, size))


def byzantine_tables(seeds: int, size: Size) -> list[harness.Table]:
    """Means over seeds: losses against the honest mean, for members whose rows are alike and uneven."""
    tables = []
    for kind in ("alike", "uneven"):
        found = [row for seed in range(seeds) for row in lies(kind, seed, size)]
        rows = []
        for attack, name in itertools.product(("nobody lies", *ATTACKS), ROBUST):
            these = [row for row in found if row["attack"] == attack and row["merge"] == name]
            losses = np.array([row["fair"] - row["right"] for row in these])
            rows.append(
                {
                    "attack": attack,
                    "merge": name,
                    "accuracy %": np.mean([row["right"] for row in these]),
                    "honest mean %": np.mean([row["fair"] for row in these]),
                    "points lost": losses.mean(),
                    "+-": half(losses),
                    "within 2 points": "yes" if losses.mean() <= 2 else "no",
                }
            )
        tables.append(
            harness.Table(f"{LIARS} of {MEMBERS} members lie; rows are {kind}, {seeds} seeds", rows, [LIES[kind]])
        )
    return tables


LIES = {
    "alike": "Members go on from one start, each on rows of its own. The honest mean is that of the eight who do not lie.",
    "uneven": "Of a member's rows four in five are of one class: members differ, and robust rules take honest ones for liars.",
}
