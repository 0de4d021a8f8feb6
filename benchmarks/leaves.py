"""A forest whose leaves trade, beside the same forest whose trees vote.

    python -m benchmarks.leaves [--quick] [--json]

A table, cut to 1,000 rows, is split into two thirds and one, five times. Everything is of one and the same forest of 100 trees, and
everything that is learnt about it is learnt from rows out of bag. Log-loss of probabilities clipped at .001.

    forest           the mean of its trees
    extremised       the forest itself as the only trader before the funds of `auto`: how much of the gain needs no leaf
    leaves, linear   leaves by their wealth, not extremised
    leaf market      `LeafMarketClassifier`
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks import ensembles, harness, tables

REPEATS = 5
KINDS = ("forest", "extremised", "leaves, linear", "leaf market")
WORSE, NATS = 1.02, 0.002  # by which it may be worse on a table


def score(name: str, repeat: int) -> dict[str, tuple[float, float, float]]:
    """Log-loss, error %, calibration error % by kind."""
    from sklearn.model_selection import train_test_split

    from catallax.ensembles import LeafMarketClassifier
    from catallax.ensembles.offers import clipped
    from catallax.ensembles.rules import funds

    X, y = tables.read(name, 1000, seed=repeat)
    common = np.isin(y, np.flatnonzero(np.bincount(y) >= 6))
    X, y = X[common], np.unique(y[common], return_inverse=True)[1]
    learnt, kept = train_test_split(np.arange(len(y)), test_size=1 / 3, stratify=y, random_state=repeat)
    market = LeafMarketClassifier(random_state=repeat).fit(X[learnt], y[learnt])
    forest = market.forest_.predict_proba(X[kept])
    belief, fold = clipped(market.offered(X[kept]), market.floor), np.arange(len(market.offers_.outcome)) % 5
    alone = funds.learn("auto", market.offers_.only(np.array([0])), fold)
    linear = funds.learn("em", market.offers_, fold)
    price = (forest, alone.price(belief[:, :1]), linear.price(belief), market.predict_proba(X[kept]))
    return {kind: ensembles.scores(one, y[kept]) for kind, one in zip(KINDS, price, strict=True)}


def benchmark(options: harness.Options) -> harness.Report:
    """All tables, or two of them."""
    names = ["sklearn iris", "sklearn wine"] if options.quick else tables.names()
    rows: list[dict[str, Any]] = []
    for name in names:
        found = [score(name, repeat) for repeat in range(1 if options.quick else REPEATS)]
        loss = {kind: np.array([one[kind][0] for one in found]) for kind in KINDS}
        apart = loss["leaf market"] - loss["forest"]
        row: dict[str, Any] = {"table": name, **{kind: float(loss[kind].mean()) for kind in KINDS}}
        row["leaf market - forest"] = (
            f"{apart.mean():+.4f} +- {apart.std(ddof=1) / len(apart) ** 0.5:.4f}" if len(apart) > 1 else ""
        )
        row |= {
            f"{kind}: error %": float(np.mean([one[kind][1] for one in found])) for kind in ("forest", "leaf market")
        }
        row |= {f"{kind}: ECE %": float(np.mean([one[kind][2] for one in found])) for kind in ("forest", "leaf market")}
        rows.append(row)
        harness.say(f"  {name}: {row['forest']:.4f} -> {row['leaf market']:.4f}")
    better = sum(row["leaf market"] < row["forest"] for row in rows)
    worse = [
        row["table"]
        for row in rows
        if row["leaf market"] > WORSE * row["forest"] and row["leaf market"] > row["forest"] + NATS
    ]
    notes = [
        f"Lower log-loss than its own forest on {better} of {len(rows)} tables (target: 75 %).",
        f"Worse by more than 2 % and {NATS} nats on: {', '.join(worse) or 'none'}.",
    ]
    for kind in KINDS[1:]:
        ratio = np.log([row[kind] / row["forest"] for row in rows])
        notes.append(f"{kind}: {100 * (np.exp(ratio.mean()) - 1):+.1f} % log-loss against the forest, geometric mean.")
    return harness.Report(
        name="leaves",
        question="Do leaves that trade by their wealth forecast better than trees that vote?",
        tables=[harness.Table("One forest, its trees voting and its leaves trading", rows, notes)],
        versions=harness.versions("catallax", "numpy", "scipy", "scikit-learn"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
