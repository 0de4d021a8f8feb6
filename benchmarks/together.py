"""One model trained by many: accuracy a bit, liars, unlike rows, and how quickly neighbours come to agree; MNIST.

    python -m benchmarks.together [--quick] [--json]

A network of 784-128-10 (101,770 numbers) and AdamW or plain steps, the same number of local steps on every side. Rates are
chosen on the last 10,000 rows of the training set, from as many on each side; the test set is read at the end of a run, once.
Bits are all that members send and read, 32 a number where they are told exactly. Every run is kept in benchmarks/.runs, so that
a benchmark that was interrupted goes on. No time is measured here but the compiled rounds' processor seconds.
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import harness, mnist

QUESTION = (
    "Many members train one model, each on rows of its own: how little need they tell, and to whom, and whom to trust?"
)
RUNS = harness.HERE / ".runs" / "together"
RATES, TUNED = (1e-3, 2e-3), 100  # AdamW's, chosen by this seed
HELD = 10_000
ROBUST = ("median", "trimmed-mean", "geometric-median", "krum", "multi-krum")
ATTACKS = ("flip", "noise", "huge", "nan")


# --- runs -----------------------------------------------------------------------------------------------------


def kept(name: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a run found, and the processor seconds that it took."""

    def timed() -> dict[str, Any]:
        began = time.process_time()
        return find() | {"processor seconds": round(time.process_time() - began, 1)}

    return harness.kept(RUNS / f"{name}.json", timed)


@functools.cache
def rows(tuning: bool) -> tuple[Any, Any]:
    """Rows to learn from, and rows to be judged on: the test set, or (tuning) the last rows of the training set."""
    X, y = mnist.training()
    return ((X[:-HELD], y[:-HELD]), (X[-HELD:], y[-HELD:])) if tuning else ((X, y), mnist.test_set())


@functools.cache
def dealt(members: int, seed: int, kinds: int | None = None, tuning: bool = False, most: int | None = None) -> list:
    """Rows dealt out evenly: at random, or so that each member has `kinds` of the ten digits; `most` rows each."""
    (X, y), _ = rows(tuning)
    random = np.random.default_rng([seed, members])
    order = random.permutation(len(y))
    if kinds is None:
        parts = np.array_split(order, members)
    else:
        sorted_ = order[np.argsort(y[order], kind="stable")]
        pieces = np.array_split(sorted_, members * kinds)
        deal = random.permutation(members * kinds).reshape(members, kinds)
        parts = [random.permutation(np.concatenate([pieces[k] for k in own])) for own in deal]
    least = min(map(len, parts))
    size = least if most is None else min(most, least)  # of one length, so that one executable serves all seeds
    return [(X[part[:size]], y[part[:size]]) for part in parts]


def network(seed: int) -> Any:
    """784-128-10, drawn by `seed`."""
    import equinox as eqx
    import jax

    return eqx.nn.MLP(784, 10, 128, 1, key=jax.random.key(seed))


def trained(datasets: list, seed: int, tuning: bool = False, **settings: Any) -> dict[str, Any]:
    """One run: accuracy on rows held out, bits, and how much the one who counted most did."""
    from catallax.merging.together.problem import Together

    problem = Together(network(seed), datasets, held=rows(tuning)[1], seed=seed, **settings)
    outcome = problem.trained(seed)
    return {
        "accuracy": 100 * float(outcome.accuracy),
        "bits": outcome.bits,
        "influence": [round(float(x), 4) for x in outcome.influence],
        "disagreement": float(outcome.disagreement),
    }


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean accuracy and its standard error."""
    values = [run["accuracy"] for run in found]
    spread = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return {"accuracy %": round(statistics.fmean(values), 2), "+-": round(spread, 2), "seeds": len(values)}


def paired(found: list[dict[str, Any]], other: list[dict[str, Any]]) -> dict[str, Any]:
    """Points above `other` over the same seeds, and the half-width of its 95 % interval."""
    from catallax.measures.welfare import interval

    mean, low, _ = interval([a["accuracy"] - b["accuracy"] for a, b in zip(found, other, strict=False)])
    return {"points above": round(mean, 2), "95 %": round(mean - low, 2)}


# --- how little ------------------------------------------------------------------------------------------------


def few_bits(options: harness.Options) -> harness.Table:
    """Synchronous training and DiLoCo, eight members, as many steps."""
    steps, seeds = (100, 1) if options.quick else (1000, 5)
    tag = "quick" if options.quick else "full"

    def run(name: str, seed: int, rate: float, tuning: bool, **settings: Any) -> dict[str, Any]:
        most = 1000 if options.quick else None

        def find() -> dict[str, Any]:
            return trained(dealt(8, seed, None, tuning, most), seed, tuning, batch=32, rate=rate, **settings)

        return kept(f"{tag}-{name}-{rate}-{seed}{'-tuning' * tuning}", find)

    def best(name: str, **settings: Any) -> float:
        tried = RATES[1:2] if options.quick else RATES
        return max(tried, key=lambda rate: run(name, TUNED, rate, True, **settings)["accuracy"])

    def many(name: str, rate: float, **settings: Any) -> list[dict[str, Any]]:
        return [run(name, seed, rate, False, **settings) for seed in range(seeds)]

    every = dict(method="synchronous", optimiser="adamw", rounds=steps, local_steps=1)
    rate = best("synchronous", **every)
    whole = many("synchronous", rate, **every)
    table = [row_of("synchronous, AdamW", rate, whole, whole)]
    pace, chosen = 10 if options.quick else 50, 0.0
    for each, bits in ((pace, None), (2 * pace, None), (pace, 4), (pace, 1)):
        some = dict(method="diloco", rounds=steps // each, local_steps=each, bits=bits)
        name = f"diloco-{each}-{bits}"
        chosen = chosen or best(name, **some)
        told = "" if bits is None else f", told in {bits} bits"
        found = many(name, chosen, **some)
        table.append(row_of(f"DiLoCo, {each} steps a round{told}", chosen, found, whole))
    notes = [
        f"Eight members with as many rows at random, {steps:,} steps of 32 rows each on every side. Of AdamW's rates "
        f"{', '.join(map(str, RATES))}, each side's is the best on held-out rows of the training set, of DiLoCo at its first "
        "row's setting; outer: Nesterov, .7 and .9, as published."
    ]
    return harness.Table("DiLoCo beside synchronous training", table, notes)


def row_of(name: str, rate: float, found: list, whole: list) -> dict[str, Any]:
    """One way of training."""
    return {
        "members hear": name,
        "rate": rate,
        **summary(found),
        **(paired(found, whole) if found is not whole else {}),
        "bits": found[0]["bits"],
        "times fewer": round(whole[0]["bits"] / found[0]["bits"], 1),
    }


def frontier(options: harness.Options) -> harness.Table:
    """Federated averaging whose every number is told in few bits, both ways."""
    rounds, seeds = (4, 1) if options.quick else (30, 3)
    given: dict[str, Any] = dict(method="fedavg", rounds=rounds, local_steps=20, batch=32, rate=0.1)
    found: dict[Any, list] = {}
    for bits in (1, 2, 4, 8, None):
        found[bits] = [
            kept(
                f"{'quick' if options.quick else 'full'}-bits-{bits}-{seed}",
                lambda bits=bits, seed=seed: trained(dealt(8, seed, None, False, 2000), seed, bits=bits, **given),
            )
            for seed in range(seeds)
        ]
    table = [
        {
            "bits a number": "32, exact" if bits is None else bits,
            **summary(runs),
            **(paired(runs, found[None]) if bits else {}),
            "bits": runs[0]["bits"],
        }
        for bits, runs in found.items()
    ]
    notes = [
        f"Eight members, 2,000 rows each at random, {rounds} rounds of 20 steps; what is not told is owed, up and down."
    ]
    return harness.Table("Accuracy a bit: federated averaging in few bits", table, notes)


# --- whom to trust ---------------------------------------------------------------------------------------------


def liars(options: harness.Options) -> harness.Table:
    """Ten members, two of whom lie."""
    rounds, seeds = (4, 1) if options.quick else (15, 3)
    names = ("median",) if options.quick else ROBUST
    given: dict[str, Any] = dict(method="fedavg", rounds=rounds, local_steps=20, batch=32, rate=0.1, faulty=0.2)
    tag = "quick" if options.quick else "full"

    def runs(aggregate: str, attack: str | None, kinds: int | None = None) -> list[dict[str, Any]]:
        lie = None if attack is None else {8: attack, 9: attack}

        def find(seed: int) -> dict[str, Any]:
            datasets = dealt(10, seed, kinds, False, 2000)
            return trained(datasets, seed, aggregate=aggregate, byzantine=lie, **given)

        return [
            kept(f"{tag}-liars-{aggregate}-{attack}-{kinds}-{seed}", lambda seed=seed: find(seed))
            for seed in range(seeds)
        ]

    def alone() -> list[dict[str, Any]]:
        """The honest eight among themselves: what there is to be reached."""
        return [
            kept(
                f"{tag}-liars-honest-{seed}",
                lambda seed=seed: trained(dealt(10, seed, None, False, 2000)[:8], seed, **given),
            )
            for seed in range(seeds)
        ]

    honest = alone()
    table = [{"aggregate": "mean of the honest eight", "nobody lies": summary(honest)["accuracy %"]}]
    for aggregate in ("mean", *names):
        row: dict[str, Any] = {"aggregate": aggregate}
        for attack in (None, *ATTACKS[: 1 if options.quick else 4]):
            found = runs(aggregate, attack)
            row["nobody lies" if attack is None else attack] = summary(found)["accuracy %"]
            if attack == "flip":
                row |= {
                    "flip, points above honest": paired(found, honest)["points above"],
                    "95 %": paired(found, honest)["95 %"],
                }
                row["a liar's influence"] = round(statistics.fmean(run["influence"][9] for run in found), 3)
        if not options.quick:
            row["unlike rows, nobody lies"] = summary(runs(aggregate, None, 2))["accuracy %"]
        table.append(row)
    notes = [
        f"Ten members, 2,000 rows each, {rounds} rounds of 20 steps, {seeds} seed(s); two of ten lie: flip, -5 times the update; "
        "noise, ten times its length; huge, a million times; nan, refused by every aggregate, the mean among them.",
        "Unlike rows: two kinds of digits a member, nobody lies. Who has seen other kinds than the rest looks like a liar: there "
        "robust aggregates lose to the mean.",
    ]
    return harness.Table("Accuracy % where two of ten lie", table, notes)


# --- unlike rows -----------------------------------------------------------------------------------------------


def unlike(options: harness.Options) -> harness.Table:
    """Ten members, two kinds of digits each."""
    seeds = 1 if options.quick else 3
    rounds = 4 if options.quick else 15
    tag = "quick" if options.quick else "full"
    plain = dict(rounds=rounds, local_steps=20, batch=32, rate=0.1)
    ways: dict[str, dict[str, Any]] = {
        "alone": dict(method="alone", **plain),
        "gossip, ring": dict(method="gossip", graph="ring", **plain),
        "gossip, expander": dict(method="gossip", graph="expander", **plain),
        "gossip, everybody": dict(method="gossip", graph="complete", **plain),
        "federated averaging": dict(method="fedavg", **plain),
        "and a pull back, mu 0.1": dict(method="fedavg", proximal=0.1, **plain),
        "half take part": dict(method="fedavg", participation=0.5, **plain),
        "DiLoCo": dict(method="diloco", rounds=rounds, local_steps=20, batch=32, rate=1e-3),
        "synchronous": dict(method="synchronous", optimiser="sgd", **plain),
    }
    if options.quick:
        ways = {name: ways[name] for name in ("alone", "federated averaging", "synchronous")}
    table = []
    for name, settings in ways.items():
        row: dict[str, Any] = {"members hear": name}
        for kinds in (None, 2):
            found = [
                kept(
                    f"{tag}-unlike-{name.replace(' ', '-')}-{kinds}-{seed}",
                    lambda seed=seed, settings=settings, kinds=kinds: trained(
                        dealt(10, seed, kinds, False, 2000), seed, **settings
                    ),
                )
                for seed in range(seeds)
            ]
            part = summary(found)
            row |= {f"{'alike' if kinds is None else 'two kinds'}, accuracy %": part["accuracy %"]}
            row |= {f"{'alike' if kinds is None else 'two kinds'} +-": part["+-"]}
        row["bits"] = found[0]["bits"]
        table.append(row)
    notes = [
        f"Ten members, 2,000 rows each, {rounds} rounds of 20 steps of 32 rows, plain steps of 0.1 (DiLoCo: AdamW 1e-3), {seeds} "
        "seed(s). Alone and in gossip: the mean over members of their own models' accuracy on all ten kinds.",
    ]
    return harness.Table("Rows alike, and two kinds of ten digits a member", table, notes)


# --- gossip's rate ---------------------------------------------------------------------------------------------


def agreement(options: harness.Options) -> harness.Table:
    """By what disagreement falls a round, from models drawn at random, against the second eigenvalue."""
    from catallax.merging.together.graphs import mixing, second_eigenvalue

    table = []
    for members in (16,) if options.quick else (16, 64):
        for graph in ("ring", "torus", "expander", "star", "complete"):
            weights = mixing(graph, members)
            expected = second_eigenvalue(weights)
            falls, until = fall(weights, members)
            table.append(
                {
                    "members": members,
                    "graph": graph,
                    "neighbours": round(float((weights > 0).sum(1).mean()) - 1, 1),
                    "lambda 2": round(expected, 6),
                    "spectral gap": round(1 - expected, 6),
                    "falls by, measured": falls,
                    "rounds to a thousandth": until,
                }
            )
    notes = [
        "No local steps. From 50 numbers a member, normal; measured over the last rounds above rounding (float64), by least "
        "squares on the logarithm: of the complete graph one round is enough.",
    ]
    return harness.Table("Gossip: what is left of disagreement, a round", table, notes)


def fall(weights: np.ndarray, members: int) -> tuple[float | None, int]:
    """The factor a round, of a society of the core loop, and rounds until a thousandth is left."""
    import jax
    import jax.numpy as jnp

    from catallax.core.record import Record
    from catallax.core.run import run
    from catallax.merging.together.problem import Together

    with jax.enable_x64(True):
        drawn = np.random.default_rng(0).normal(size=(members, 50))
        models = [{"w": jnp.asarray(row)} for row in drawn]
        single = [(np.ones((1, 1)), np.ones(1))] * members
        gossip = Together(
            models, single, loss=nothing, score=nothing, method="gossip", graph=weights, local_steps=0, rounds=0
        )
        table = run(gossip.society(), 8000, record=Record(1, apart=apart)).record or {}
    left = np.asarray(table["apart"])
    left = left / left[0]
    rounds = int(np.argmax(left < 1e-3)) if (left < 1e-3).any() else len(left)
    seen = np.flatnonzero((left < 1e-6) & (left > 1e-11))
    if len(seen) < 5:
        return None, rounds
    return round(float(np.exp(np.polyfit(seen, np.log(left[seen]), 1)[0])), 6), rounds


def nothing(model: Any, x: Any, y: Any) -> Any:
    """Nothing is learnt."""
    return 0 * model["w"].sum()


def apart(society: Any) -> Any:
    """Root mean square distance from the mean."""
    import jax.numpy as jnp

    own = society.signal.copies
    return jnp.sqrt(jnp.mean(jnp.sum((own - own.mean(0)) ** 2, axis=1)))


# --- all -------------------------------------------------------------------------------------------------------


def benchmark(options: harness.Options) -> harness.Report:
    """All tables; a quick run: few rounds, one seed."""
    harness.choose_device(options.device)
    return harness.Report(
        name="together",
        question=QUESTION,
        tables=[
            agreement(options),
            few_bits(options),
            frontier(options),
            liars(options),
            unlike(options),
        ],
        versions=harness.versions("catallax", "jax", "equinox", "optax", "numpy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
