"""Market ensembles on tables with classes, beside soft votes, stacking, greedy selection and single models.

    python -m benchmarks.ensembles [--quick] [--json]

Seven members (`catallax.ensembles.members`). A table, cut to 1,000 rows, is split into two thirds and one, three times; the
members offer out of five folds of the two thirds, and every combiner learns from those same offers and is scored on the
third. Scores are of probabilities clipped at .001. Nothing is tuned here; but the funds of `auto` and their stake were
chosen on the 21 tables of the folder (not on scikit-learn's) with other members, splits and seeds: a prototype's.

    stacking        logistic regression on the members' probabilities, scikit-learn's default; C by five folds in the row below
    greedy          Caruana's selection with replacement, 50 steps
    best single     the member of the best out-of-fold log-loss

Differences are paired by table; +- is one standard error over tables. Nemenyi: ranks differ at 5 % if by more than CD.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import harness, tables

CACHE = harness.HERE / ".data" / "offers"
REPEATS, ROWS, FOLDS, FLOOR = 3, 1000, 5, 1e-3
MARKETS = ("auto", "cara", "em", "kelly", "isoelastic", "fractional")
QUESTION = "Do markets of models forecast better than votes, stacking and selection of the same models?"
STUDENTISED = {
    2: 1.96,
    3: 2.343,
    4: 2.569,
    5: 2.728,
    6: 2.85,
    7: 2.949,
    8: 3.031,
    9: 3.102,
    10: 3.164,
    11: 3.219,
    12: 3.268,
}


def offers(name: str, repeat: int) -> dict[str, np.ndarray]:
    """Out-of-fold offers on two thirds, offers on the third, classes, folds and seconds of each member; kept on disk."""
    path = CACHE / f"{hashlib.sha256(f'{name} {ROWS} {FOLDS}'.encode()).hexdigest()[:16]}-{repeat}.npz"
    if path.exists():
        return dict(np.load(path))
    from sklearn.model_selection import StratifiedKFold, train_test_split

    from catallax.ensembles import members
    from catallax.ensembles.classifier import Probabilities

    X, y = tables.read(name, ROWS, seed=repeat)
    common = np.isin(y, np.flatnonzero(np.bincount(y) >= 6))  # what has fewer rows is not in every fold
    X, y = X[common], np.unique(y[common], return_inverse=True)[1]
    learnt, kept = train_test_split(np.arange(len(y)), test_size=1 / 3, stratify=y, random_state=repeat)
    fold = np.empty(len(learnt), int)
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat)
    for number, (_, part) in enumerate(splitter.split(X[learnt], y[learnt])):
        fold[part] = number
    offer, seconds, inside, outside = Probabilities(np.arange(y.max() + 1)), [], [], []
    for _, member in members.default_classifiers(repeat):
        start = time.perf_counter()
        inside.append(members.out_of_fold([member], X[learnt], y[learnt], [{}], fold, offer, None)[:, 0])
        (whole,) = members.fitted([member], X[learnt], y[learnt], [{}], None)
        outside.append(offer(whole, X[kept]))
        seconds.append(time.perf_counter() - start)
    found = {
        "inside": np.stack(inside, 1),
        "outside": np.stack(outside, 1),
        "learnt": y[learnt],
        "kept": y[kept],
        "fold": fold,
        "seconds": np.array(seconds),
    }
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **found)
    return found


# --- combiners: (offers inside [rows, members, classes], classes, folds) -> a price of offers ---

Scores = dict[str, np.ndarray]  # by combiner, [tables]
Combine = Callable[[np.ndarray, np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


def market(name: str, **settings: Any) -> Combine:
    """One of ours."""

    def learn(inside: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        from catallax.ensembles.offers import clipped, offers
        from catallax.ensembles.rules import funds

        price = funds.learn(name, offers(inside, y, floor=FLOOR), fold, **settings)
        return lambda outside: price.price(clipped(outside, FLOOR))

    return learn


def soft_vote(inside: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The mean of all."""
    return lambda outside: outside.mean(1)


def best_single(inside: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The member of the best out-of-fold log-loss."""
    best = int(np.argmin([log_losses(inside[:, m], y).mean() for m in range(inside.shape[1])]))
    return lambda outside: outside[:, best]


def greedy(inside: np.ndarray, y: np.ndarray, fold: np.ndarray, steps: int = 50) -> Callable[[np.ndarray], np.ndarray]:
    """Caruana's selection: whoever helps most joins, again and again."""
    hits = np.maximum(inside, FLOOR)[np.arange(len(y)), :, y]
    total, count = np.zeros(len(y)), np.zeros(inside.shape[1])
    for step in range(steps):
        best = int(np.log((total[:, None] + hits) / (step + 1)).sum(0).argmax())
        total += hits[:, best]
        count[best] += 1
    return lambda outside: np.einsum("m,nmk->nk", count / steps, outside)


def stacking(strengths: tuple[float, ...] = (1.0,)) -> Combine:
    """Logistic regression on what the members offer; of several strengths of its ridge the best by the folds."""

    def learn(inside: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        from sklearn.linear_model import LogisticRegression

        columns = lambda given: given[..., 1] if given.shape[2] == 2 else given.reshape(len(given), -1)  # noqa: E731
        fit = lambda c, rows: LogisticRegression(C=c, max_iter=2000).fit(columns(inside[rows]), y[rows])  # noqa: E731
        best = strengths[0]
        if len(strengths) > 1:
            best = min(strengths, key=lambda c: _held_out(lambda rows: fit(c, rows), columns(inside), y, fold))
        model = fit(best, np.full(len(y), True))
        return lambda outside: model.predict_proba(columns(outside))

    return learn


def _held_out(fit: Callable[[np.ndarray], Any], columns: np.ndarray, y: np.ndarray, fold: np.ndarray) -> float:
    total = 0.0
    for part in np.unique(fold):
        held = fold == part
        total += log_losses(fit(~held).predict_proba(columns[held]), y[held]).sum()
    return total


COMBINERS: dict[str, Combine] = {
    **{f"market, {name}": market(name) for name in MARKETS},
    "auto, none above 40 %": market("auto", cap=0.4),
    "stacking": stacking(),
    "stacking, C by folds": stacking((0.01, 0.1, 1.0, 10.0, 100.0)),
    "greedy": greedy,
    "best single": best_single,
    "soft vote": soft_vote,
}
SINGLES = ("forest", "extra_trees", "boosting", "logistic", "discriminant", "neighbours", "bayes")


# --- scores ---


def log_losses(price: np.ndarray, y: np.ndarray) -> np.ndarray:
    """- log of what that which came was given, clipped, [rows]."""
    price = np.maximum(price, FLOOR)
    return -np.log(price[np.arange(len(y)), y] / price.sum(1))


def calibration(price: np.ndarray, y: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of the dearest class, in %."""
    sure, right = price.max(1), price.argmax(1) == y
    place = np.minimum((sure * bins).astype(int), bins - 1)
    off = [abs(right[place == b].mean() - sure[place == b].mean()) * (place == b).mean() for b in np.unique(place)]
    return 100 * float(np.sum(off))


def score(name: str, repeat: int) -> dict[str, tuple[float, float, float, float]]:
    """Log-loss, error %, calibration error % and seconds to learn, of each combiner and each single member."""
    at = offers(name, repeat)
    found = {}
    for label, combine in COMBINERS.items():
        start = time.process_time()
        price = combine(at["inside"], at["learnt"], at["fold"])
        seconds = time.process_time() - start
        found[label] = (*scores(price(at["outside"]), at["kept"]), seconds)
    for number, label in enumerate(SINGLES):
        found[label] = (*scores(at["outside"][:, number], at["kept"]), float(at["seconds"][number]))
    return found


def scores(price: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Log-loss, error %, calibration error %."""
    return float(log_losses(price, y).mean()), 100 * float((price.argmax(1) != y).mean()), calibration(price, y)


# --- tables ---


def ranks(loss: np.ndarray) -> np.ndarray:
    """Mean rank of each column over rows, ties shared."""
    from scipy.stats import rankdata

    return rankdata(loss, axis=1).mean(0)


def summary(loss: Scores, error: Scores, ece: Scores, seconds: Scores) -> harness.Table:
    """One row a combiner."""
    labels, auto = list(COMBINERS), loss["market, auto"]
    rank = dict(zip(labels, ranks(np.stack([loss[label] for label in labels], 1))))
    count, critical = len(auto), STUDENTISED[len(labels)]
    critical *= (len(labels) * (len(labels) + 1) / (6 * count)) ** 0.5
    rows = []
    for label in sorted(labels, key=rank.__getitem__) + list(SINGLES):
        apart = 100 * (auto / loss[label] - 1)
        rows.append(
            {
                "combiner": label,
                "mean rank": rank.get(label),
                f"rank +- CD / 2, from 1 to {len(labels)}": drawn(rank[label], critical / 2, len(labels))
                if label in rank
                else "",
                "log-loss": loss[label].mean(),
                "error %": error[label].mean(),
                "ECE %": ece[label].mean(),
                "auto's log-loss against it %": f"{apart.mean():+.1f} +- {apart.std(ddof=1) / len(apart) ** 0.5:.1f}",
                "auto better on": f"{int((auto < loss[label]).sum())} of {len(auto)}",
                "CPU s to learn": float(np.median(seconds[label])),
            }
        )
    alike = [
        label for label in labels if label != "market, auto" and abs(rank[label] - rank["market, auto"]) < critical
    ]
    notes = [
        f"Ranks are among the {len(labels)} combiners; Nemenyi's CD at 5 % is {critical:.2f} over {count} tables; "
        f"Friedman's p = {friedman(loss, labels):.1e}.",
        f"By ranks auto cannot be told apart from: {', '.join(alike) or 'none'}.",
        f"Error: auto - stacking {_paired(error['market, auto'] - error['stacking'])} points.",
        "CPU seconds of single members are those of six fits (five folds and the whole).",
    ]
    return harness.Table("All tables", rows, notes)


def drawn(rank: float, half: float, most: int, width: int = 36) -> str:
    """A line from 1 to the last rank: o where the mean rank is, = as far as ranks cannot be told from it."""
    at = lambda x: round((min(max(x, 1), most) - 1) / (most - 1) * (width - 1))  # noqa: E731
    line = ["."] * width
    line[at(rank - half) : at(rank + half) + 1] = "=" * (at(rank + half) + 1 - at(rank - half))
    line[at(rank)] = "o"
    return "`" + "".join(line) + "`"


def friedman(loss: Scores, labels: list[str]) -> float:
    """The chance of ranks as unlike as these if all combiners were alike."""
    from scipy.stats import friedmanchisquare

    return float(friedmanchisquare(*(loss[label] for label in labels)).pvalue)


def _paired(apart: np.ndarray) -> str:
    return f"{apart.mean():+.2f} +- {apart.std(ddof=1) / len(apart) ** 0.5:.2f}"


def by_table(names: list[str], loss: Scores) -> harness.Table:
    """Log-loss of the main combiners on each table."""
    shown = [*(f"market, {name}" for name in ("auto", "cara", "em")), "stacking", "stacking, C by folds"]
    shown += ["greedy", "best single", "soft vote", "forest", "boosting"]
    rows = []
    for number, name in enumerate(names):
        values = {label: float(loss[label][number]) for label in shown}
        rows.append({"table": name, **values, "best": min(values, key=values.__getitem__)})
    lost = [str(row["table"]) for row in rows if row["best"] != "market, auto"]
    return harness.Table("Log-loss by table", rows, [f"auto is not the best of these on: {', '.join(lost) or 'none'}."])


def benchmark(options: harness.Options) -> harness.Report:
    """All tables, or four of them."""
    names = [f"sklearn {name}" for name in tables.OWN] if options.quick else tables.names()
    found = []
    for name in names:
        for repeat in range(1 if options.quick else REPEATS):
            found.append(score(name, repeat))
            harness.say(
                f"  {name}, {repeat}: auto {found[-1]['market, auto'][0]:.4f}, stacking {found[-1]['stacking'][0]:.4f}"
            )
    repeats = len(found) // len(names)
    loss, error, ece, seconds = (
        {label: np.array([row[label][k] for row in found]).reshape(len(names), repeats).mean(1) for label in found[0]}
        for k in range(4)
    )
    return harness.Report(
        name="ensembles",
        question=QUESTION,
        tables=[summary(loss, error, ece, seconds), by_table(names, loss)],
        versions=harness.versions("catallax", "numpy", "scipy", "scikit-learn"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
