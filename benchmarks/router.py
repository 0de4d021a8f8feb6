"""Models that bid for inputs, beside the best of them, their average, a cascade, the planner and chance.

    python -m benchmarks.router [--quick] [--json]

Members: a network that has met digits 0-4 alone, lines that have met 5-9 alone, a tree, a forest that dies in the middle of the
calibration, a dear and good one, and a liar who guesses and bids 1. A third of the rows is learnt from by members, a third
calibrates (the router pays, and learns from what it paid for; the cascade and the best member read every answer), a third
is asked. Cheap members answer before they bid and bear the cost; the dear and the mortal bid on the input alone.

value = share right - cost, a row; an answer costs what the tables say, in right answers. Differences are paired over seeds,
with 95 % intervals (t). Shapley: of the share right, over all coalitions of members with the bids that they have.
"""

from __future__ import annotations

import gzip
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import data, harness

SEEDS = 5
Array = np.ndarray
COSTS = {"low": 0.01, "high": 0.01, "tree": 0.002, "mortal": 0.05, "dear": 0.15, "liar": 0.01}
LOOKS = ["low", "high", "tree"]
CAPS = (1.0, 0.5, 0.35, 0.25)
ARMS: dict[str, dict[str, Any]] = {
    "signal": {},
    "payments shuffled (control)": {"shuffle_payments": True},
    "full information (every answer judged)": {"told": "all"},
    "never tries (boldness 0)": {"boldness": 0.0},
    "all bid on the input alone": {"looks": False},
    "all answer before they bid": {"looks": True},
}


class Liar:
    """Guesses, and bids that it is sure."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def __call__(self, X: Array) -> Array:
        return self.rng.integers(10, size=len(X))

    def bid(self, X: Array) -> Array:
        return np.ones(len(X))


class Mortal:
    """A classifier that answers so many questions, and then fails (dies, or guesses from then on)."""

    def __init__(self, model: Any, times: int, guesses: bool = False) -> None:
        self.model, self.left, self.guesses, self.classes_ = model, times, guesses, model.classes_

    def predict_proba(self, X: Array) -> Array:
        self.left -= 1
        if self.left < 0 and not self.guesses:
            raise RuntimeError("out of memory")
        chance = self.model.predict_proba(X)
        return np.roll(chance, 1, axis=1) if self.left < 0 else chance


def rows(name: str, seed: int, most: int) -> tuple[tuple[Array, Array], ...]:
    """(X, y) to learn from, to calibrate on, to be asked about."""
    if name == "digits":
        from sklearn.datasets import load_digits

        X, y = map(np.asarray, load_digits(return_X_y=True))
        X = X / 16 + np.random.default_rng(seed).normal(0, 0.25, X.shape)
    else:
        X, y = mnist()
    order = np.random.default_rng(seed).permutation(len(y))[: 3 * most]
    first, second, third = np.array_split(order, 3)
    return (X[first], y[first]), (X[second], y[second]), (X[third], y[third])


def mnist() -> tuple[Array, Array]:
    """The ten thousand test images, at half the resolution [rows, 196]."""
    with gzip.open(data.path("mnist/t10k-images-idx3-ubyte.gz")) as file:
        X = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196)
    with gzip.open(data.path("mnist/t10k-labels-idx1-ubyte.gz")) as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return X / 255, y


def members(X: Array, y: Array, seed: int) -> dict[str, Callable[[], Any]]:
    """Makers of members, all fitted: some count what they are asked, so each router has its own."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    few = y < 5
    network = MLPClassifier(32, max_iter=100, random_state=seed).fit(X[few], y[few])
    lines = LogisticRegression(max_iter=200).fit(X[~few], y[~few])
    tree = DecisionTreeClassifier(min_samples_leaf=3, random_state=seed).fit(X, y)
    forest = ExtraTreesClassifier(30, random_state=seed).fit(X, y)
    chances: Any = True  # scikit-learn's annotations know a text alone
    dear = SVC(C=10, probability=chances, random_state=seed).fit(X, y)
    return {
        "low": lambda: network,
        "high": lambda: lines,
        "tree": lambda: tree,
        "mortal": lambda: Mortal(forest, 8),
        "dear": lambda: dear,
        "liar": lambda: Liar(seed),
    }


def router(makers: dict[str, Callable[[], Any]], seed: int, **settings: Any) -> Any:
    """A router of members of its own, at the costs of the table."""
    from catallax.merging.router import Router

    return Router(
        {name: make() for name, make in makers.items()}, COSTS, **({"looks": LOOKS, "random_state": seed} | settings)
    )


def asked(one: Any, X: Array, y: Array) -> dict[str, float]:
    """What a router does on rows that are new."""
    from catallax.merging.comparison import signal

    found = signal(one.exchange_, one._rows(X), np.asarray(y))
    return {"right": found.accuracy, "cost": found.cost, "value": found.value, "members": found.effective_number}


def interval(values: Any) -> str:
    """Mean and half-width of the 95 % interval, over seeds."""
    from scipy.stats import t

    values = np.asarray(values, float)
    if len(values) < 2:
        return f"{values.mean():+.4f}"
    return f"{values.mean():+.4f} ± {t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)):.4f}"


# --- one seed ---


def tried(name: str, seed: int, most: int) -> dict[str, Any]:
    """All that is measured of one seed."""
    learnt, calibration, test = rows(name, seed, most)
    makers = members(*learnt, seed)
    found: dict[str, Any] = {"arms": {}, "caps": {}}
    for arm, settings in ARMS.items():
        one = router(makers, seed, **settings).fit(*calibration)
        found["arms"][arm] = asked(one, *test)
        if arm == "signal":
            found |= told(one, calibration, test)
    for cap in CAPS:
        one = router(makers, seed, max_influence=cap).fit(*calibration)
        found["caps"][cap] = asked(one, *test) | {"largest": one.report(*test).rows["signal"].largest}
    found["lesions"] = lesions(makers, seed, calibration, test)
    return found


def told(one: Any, calibration: Any, test: Any) -> dict[str, Any]:
    """The table beside the others, and who has what."""
    report = one.report(*test, calibration, seed=0).rows
    others = ("best member", "dear", "average", "cascade", "calibrated cascade", "silence", "planner")
    shapley = one.shapley(*test).values
    return {
        "others": {
            way: {"right": row.accuracy, "cost": row.cost, "value": row.value, "members": row.effective_number}
            for way, row in report.items()
            if way in others
        },
        "alone": {name: report[name].accuracy for name in one.names_ if name in report},
        "who": {
            name: {"share": one.shares_[j], "asked": float(np.mean(one.route(test[0]) == j)), "shapley": shapley[j],
                   "earned": one.earned_[j], "stake": one.wealth_[j], "in": float(one.alive_[j])}
            for j, name in enumerate(one.names_)
        },
        "influence": one.influence(),
        "imbalance": abs(one.ledger_.imbalance),
    }  # fmt: skip


def lesions(makers: dict[str, Callable[[], Any]], seed: int, calibration: Any, test: Any) -> dict[str, Any]:
    """Value before and after a member leaves (the least and the most influential), and after the good one turns bad."""
    X, y = calibration
    half, found = len(y) // 2, {}
    for which in ("least", "most"):
        one = router(makers, seed).fit(X, y)
        before = asked(one, *test)
        here = np.flatnonzero(one.alive_)
        share = np.bincount(one.route(test[0]), minlength=len(one.names_))[here]
        one.leave(one.names_[here[share.argmin() if which == "least" else share.argmax()]])
        found[f"the {which} influential leaves"] = (before, asked(one, *test))
    turned = makers["dear"]()
    turncoat = Mortal(turned, 10**9, guesses=True)
    one = router(makers | {"dear": lambda: turncoat}, seed).partial_fit(X[:half], y[:half], classes=np.arange(10))
    before = asked(one, *test)
    turncoat.left = 0
    found["the dear one turns bad"] = (before, asked(one, *test))
    one.partial_fit(X[half:], y[half:])
    found["the dear one turns bad, half a calibration later"] = (before, asked(one, *test))
    return found


# --- tables ---


def beside(name: str, tries: list[dict[str, Any]]) -> harness.Table:
    """Ways to answer; the difference of each from the router, paired."""
    ways = [(way, [one["arms"][way] for one in tries]) for way in ARMS]
    ways += [(way, [one["others"][way] for one in tries]) for way in tries[0]["others"]]
    signal, table = [one["value"] for one in ways[0][1]], []
    for way, got in ways:
        row: dict[str, Any] = {"way": way, "right %": 100 * np.mean([one["right"] for one in got])}
        row |= {"cost": np.mean([one["cost"] for one in got]), "value": np.mean([one["value"] for one in got])}
        row["members"] = np.mean([one["members"] for one in got])
        if way != "signal":
            row["signal less it, value"] = interval([a - one["value"] for a, one in zip(signal, got)])
        table.append(row)
    alone = ", ".join(f"{who} {100 * np.mean([t['alone'][who] for t in tries]):.1f}" for who in tries[0]["alone"])
    notes = [
        f"Alone, right %: {alone}. members: effective number, by inputs answered.",
        "best member, cascades: chosen on the calibration rows, every answer read. planner: reads the labels asked about.",
        f"Largest imbalance of the books: {max(one['imbalance'] for one in tries):.1e}.",
    ]
    return harness.Table(f"{name}: share right, cost, value (mean of {len(tries)} seeds)", table, notes)


def who(name: str, tries: list[dict[str, Any]]) -> harness.Table:
    """Members: what they did, have, and add."""
    table = []
    for member, cost in COSTS.items():
        got = [one["who"][member] for one in tries]
        mean = {key: float(np.mean([one[key] for one in got])) for key in got[0]}
        table.append(
            {"member": member, "cost": cost, "share, calibration": mean["share"], "share, asked": mean["asked"],
             "Shapley": interval([one["shapley"] for one in got]), "earned": mean["earned"], "stake": mean["stake"],
             "still in": f"{sum(one['in'] for one in got):.0f} of {len(got)}"}
        )  # fmt: skip
    index = [one["influence"] for one in tries]
    notes = [
        f"Herfindahl {np.mean([i['herfindahl'] for i in index]):.3f}, effective number "
        f"{np.mean([i['effective_number'] for i in index]):.2f}, of inputs of the calibration."
    ]
    return harness.Table(f"{name}: who has how much say, and what each has earned", table, notes)


def caps(name: str, tries: list[dict[str, Any]]) -> harness.Table:
    """The cap on influence, and what it costs."""
    table = []
    for cap in CAPS:
        got = [one["caps"][cap] for one in tries]
        row: dict[str, Any] = {"max_influence": cap} | {key: np.mean([one[key] for one in got]) for key in got[0]}
        for key in ("right", "value"):
            row[f"{key}, less uncapped"] = interval([g[key] - one["caps"][1.0][key] for g, one in zip(got, tries)])
        table.append(row)
    return harness.Table(f"{name}: a cap on influence", table)


def wounds(name: str, tries: list[dict[str, Any]]) -> harness.Table:
    """Lesions and a shock."""
    table = []
    for what in tries[0]["lesions"]:
        before, after = zip(*(one["lesions"][what] for one in tries))
        row: dict[str, Any] = {"what": what}
        for key in ("right", "value"):
            row[f"{key} before"] = np.mean([one[key] for one in before])
            row[f"{key} change"] = interval([b[key] - a[key] for a, b in zip(before, after)])
        table.append(row)
    return harness.Table(f"{name}: lesion and shock", table)


def benchmark(options: harness.Options) -> harness.Report:
    """Digits, and MNIST where it is at hand."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", message="Stochastic Optimizer")
    seeds, tables = 2 if options.quick else SEEDS, []
    for name, most in (("digits", 300 if options.quick else 599), ("mnist", 0 if options.quick else 2000)):
        if not most:
            continue
        tries = []
        try:
            for seed in range(seeds):
                harness.say(f"  {name}, seed {seed}")
                tries.append(tried(name, seed, most))
        except data.Unavailable as why:
            tables.append(harness.Table(name, [], [f"No row: {why}."]))
            continue
        tables += [table(name, tries) for table in (beside, who, caps, wounds)]
    return harness.Report(
        name="router",
        question="Which model answers which input, if nobody is in command? Members bid, and are paid for being right.",
        tables=tables,
        versions=harness.versions("catallax", "numpy", "scikit-learn"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
