"""Market ensembles on numbers, beside voting, stacking and the best single model.

    python -m benchmarks.regression [--quick] [--json]

Six members (`catallax.ensembles.regressor.default_regressors`) learn on 300 rows and offer out of five folds of them; every
combiner learns from those same offers and is scored on other rows, three times a table. Nothing is tuned here, and no
constant of the markets was chosen on these tables.

    voting        the mean of all (`VotingRegressor`)
    stacking      `RidgeCV` on the members' out-of-fold predictions (`StackingRegressor`'s default)
    best single   the member of the least out-of-fold squared error

Those three name a number and no density. As a control they are given the density that a market's trader would have: t
around the prediction, scale and tails learnt from out-of-fold residuals (stacking's from five folds of its own).

RMSE is in % of that of stacking; log density in nats a row, beyond stacking's; +- is one standard error over tables.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import harness

REPEATS, LEARNT, KEPT, FOLDS, FLOOR = 3, 300, 1000, 5, 1e-3
QUESTION = "Do markets of regressors forecast numbers, and how sure they are, better than voting, stacking and the best member?"
MARKETS = ("auto", "gaussian", "quantile", "em", "kelly")

Data = tuple[np.ndarray, np.ndarray]


# --- tables ---


def _friedman(number: int, noise: float) -> Callable[[int], Data]:
    def make(seed: int) -> Data:
        from sklearn import datasets

        return getattr(datasets, f"make_friedman{number}")(LEARNT + KEPT, noise=noise, random_state=seed)

    return make


def diabetes(seed: int) -> Data:
    """scikit-learn's, shuffled: 442 rows, so that 142 are scored on."""
    from sklearn.datasets import load_diabetes

    X, y = (np.asarray(part) for part in load_diabetes(return_X_y=True))
    order = np.random.default_rng(seed).permutation(len(y))
    return X[order], y[order]


def lines(seed: int) -> Data:
    """Ten features of twenty count, in a line; noise as large as what they say."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(LEARNT + KEPT, 20))
    return X, X[:, :10].sum(1) + 10**0.5 * random.normal(size=len(X))


def wild(seed: int) -> Data:
    """Friedman's first, with noise of Student's t of 2.5 degrees of freedom."""
    X, y = _friedman(1, 0.0)(seed)
    return X, y + 1.5 * np.random.default_rng(seed).standard_t(2.5, len(y))


def uneven(seed: int) -> Data:
    """Noise grows tenfold along the first feature."""
    random = np.random.default_rng(seed)
    X = random.uniform(size=(LEARNT + KEPT, 5))
    return X, np.sin(6 * X[:, 0]) + X[:, 1] + 0.1 * 10 ** X[:, 0] * random.normal(size=len(X))


def steps(seed: int) -> Data:
    """Jumps along three features of eight: trees' own."""
    random = np.random.default_rng(seed)
    X = random.uniform(size=(LEARNT + KEPT, 8))
    return X, np.floor(3 * X[:, 0]) * np.floor(3 * X[:, 1]) + 2 * (X[:, 2] > 0.5) + 0.3 * random.normal(size=len(X))


TABLES: dict[str, Callable[[int], Data]] = {
    "diabetes": diabetes,
    "friedman1": _friedman(1, 1.0),
    "friedman2": _friedman(2, 125.0),
    "friedman3": _friedman(3, 0.1),
    "lines": lines,
    "wild": wild,
    "uneven": uneven,
    "steps": steps,
}


# --- combiners: (offers [rows, members, 2], y, folds) -> offers -> a density ---

Forecast = Callable[[np.ndarray], Any]


def market(name: str) -> Callable[[np.ndarray, np.ndarray, np.ndarray], Forecast]:
    """One of ours."""

    def learn(inside: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Forecast:
        from catallax.ensembles.rules import continuum
        from catallax.ensembles.rules.believe import Said

        one = np.ones_like(inside)
        own, pool = continuum.learn(name, Said(inside, one, y, np.ones(len(y))), fold, FLOOR)
        return lambda outside: pool.price(own.belief(outside, np.ones_like(outside)))

    return learn


def with_spread(held: np.ndarray, y: np.ndarray, point: Callable[[np.ndarray], np.ndarray]) -> Forecast:
    """The density of a trader that predicts so; `held` [rows]: what it predicts out of fold."""
    from catallax.ensembles.rules.believe import Said, calibrate
    from catallax.ensembles.rules.density import Density

    own = calibrate(Said(held[:, None], np.ones((len(y), 1)), y, np.ones(len(y))), FLOOR)
    return lambda outside: Density(
        np.ones(1), *own.belief(point(outside)[:, None], np.ones((len(outside), 1)))[:2], np.array([own.dof])
    )


def voting(inside: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Forecast:
    """The mean."""
    return with_spread(inside.mean(1), y, lambda outside: outside.mean(1))


def best_single(inside: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Forecast:
    """The member of the least error."""
    best = int(np.square(inside - y[:, None]).mean(0).argmin())
    return with_spread(inside[:, best], y, lambda outside: outside[:, best])


def stacking(inside: np.ndarray, y: np.ndarray, fold: np.ndarray) -> Forecast:
    """A line through the members, ridge chosen by leave-one-out."""
    from sklearn.linear_model import RidgeCV

    held = np.empty(len(y))
    for part in np.unique(fold):
        held[fold == part] = RidgeCV().fit(inside[fold != part], y[fold != part]).predict(inside[fold == part])
    return with_spread(held, y, RidgeCV().fit(inside, y).predict)


COMBINERS = {
    **{f"market, {name}": market(name) for name in MARKETS},
    "stacking": stacking,
    "voting": voting,
    "best single": best_single,
}


# --- scores ---


def offers(name: str, repeat: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predictions out of fold, y, folds; predictions on other rows, y."""
    from sklearn.model_selection import KFold

    from catallax.ensembles import members
    from catallax.ensembles.regressor import default_regressors, numbers

    X, y = TABLES[name](repeat)
    fold = np.empty(LEARNT, int)
    for number, (_, part) in enumerate(KFold(FOLDS, shuffle=True, random_state=repeat).split(X[:LEARNT])):
        fold[part] = number
    given = [member for _, member in default_regressors(repeat)]
    none: list[dict[str, Any]] = [{} for _ in given]
    inside = members.out_of_fold(given, X[:LEARNT], y[:LEARNT], none, fold, numbers, None)[..., 0]
    whole = members.fitted(given, X[:LEARNT], y[:LEARNT], none, None)
    outside = members.together(whole, X[LEARNT:], numbers, None)[..., 0]
    return inside, y[:LEARNT], fold, outside, y[LEARNT:]


def score(name: str, repeat: int) -> dict[str, tuple[float, float, float, float]]:
    """RMSE, mean log density, coverage of the central 90 % in %, CPU seconds to learn, of each combiner."""
    from catallax.ensembles.regressor import standard_units

    inside, y, fold, outside, kept = offers(name, repeat)
    centre, unit = standard_units(y, np.ones(len(y)))
    found = {}
    for label, combine in COMBINERS.items():
        start = time.process_time()
        forecast = combine((inside - centre) / unit, (y - centre) / unit, fold)
        seconds = time.process_time() - start
        price = forecast((outside - centre) / unit).moved(centre, unit)
        edge = price.quantiles(np.array([0.05, 0.95]))
        covered = 100 * float(((edge[:, 0] < kept) & (kept < edge[:, 1])).mean())
        error = float(np.sqrt(np.square(price.mean() - kept).mean()))
        found[label] = (error, float(price.log(kept).mean()), covered, seconds)
    return found


def paired(apart: np.ndarray, places: int = 2) -> str:
    """Mean and its standard error."""
    return f"{apart.mean():+.{places}f} +- {apart.std(ddof=1) / len(apart) ** 0.5:.{places}f}"


Scores = dict[str, np.ndarray]  # by combiner, [tables, 4]


def summary(found: Scores) -> harness.Table:
    """One row a combiner."""
    rows = []
    for label, mean in found.items():
        base = found["stacking"]
        rows.append(
            {
                "combiner": label,
                "RMSE against stacking's %": paired(100 * (mean[:, 0] / base[:, 0] - 1)),
                "log density beyond stacking's": paired(mean[:, 1] - base[:, 1], 3),
                "90 % interval covers %": mean[:, 2].mean(),
                "worst table covers %": mean[np.abs(mean[:, 2] - 90).argmax(), 2],
                "CPU s to learn": float(np.median(mean[:, 3])),
            }
        )
    return harness.Table("All tables", rows)


def by_table(found: Scores, names: list[str], column: int, title: str, sign: int) -> harness.Table:
    """One row a table; who is best, and where no market is."""
    rows = []
    for number, name in enumerate(names):
        values = {label: float(mean[number, column]) for label, mean in found.items()}
        rows.append({"table": name, **values, "best": min(values, key=lambda k: sign * values[k])})
    rivals = ("stacking", "voting", "best single")
    lost = [
        name
        for number, name in enumerate(names)
        if any(sign * (found["market, auto"] - found[rival])[number, column] > 0 for rival in rivals)
    ]
    return harness.Table(
        title, rows, [f"auto loses to stacking, voting or the best single on: {', '.join(lost) or 'none'}."]
    )


def benchmark(options: harness.Options) -> harness.Report:
    """All tables, or two of them once."""
    names = list(TABLES)[:2] if options.quick else list(TABLES)
    repeats = 1 if options.quick else REPEATS
    each = [[score(name, repeat) for repeat in range(repeats)] for name in names]
    found = {label: np.array([[row[label] for row in rows] for rows in each]).mean(1) for label in COMBINERS}
    return harness.Report(
        name="regression",
        question=QUESTION,
        tables=[
            summary(found),
            by_table(found, names, 0, "RMSE by table", 1),
            by_table(found, names, 1, "Log density by table (nats a row)", -1),
        ],
        versions=harness.versions("catallax", "numpy", "scipy", "scikit-learn"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
