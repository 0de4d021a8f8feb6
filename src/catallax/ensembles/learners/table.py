"""The essay's table, filled with measured numbers: each learner asked the same questions of the same rows.

For each seed the rows are dealt into folds; a learner learns on all but one and is asked on that one: accuracy, log-loss
(probabilities of at least 0.001, whoever says them), what is left when units are silent, and how much of its log-odds a
line explains. Then it learns from all rows: the change of its Hessian, its depth, its paths.

Lesions come in three orders: units at random, the most influential units first, and, as the control, features of the rows
(set to their mean, the most influential first). Trees and neurons are not what weights are, features are the same for all.

Standard errors: of accuracy and log-loss over rows, each row's mean over seeds; of all else over seeds. Seconds are
processor seconds of one fit.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from catallax.core.errors import BadInput
from catallax.ensembles.learners.learner import FLOOR, Array, Dependence, Fitted, Flow, Learner, Rows
from catallax.ensembles.learners.sheet import Sheet, check
from catallax.ensembles.offers import clipped
from catallax.measures.complexity import (
    half_gone,
    hessian_change,
    influence,
    lesion_area,
    lesioned,
    skill,
    surrogate_r2,
)

SHARES = tuple(k / 10 for k in range(11))
ORDERS = ("random", "influential", "features")
DRAWS = 5  # random orders a fold
RANKED = 500  # rows, at most, by which units are ranked


class Estimate(NamedTuple):
    """A mean and its standard error; NaN where there is no telling."""

    mean: float
    error: float


@dataclass
class Measured:
    """One learner, measured. `right` and `loss` [seeds, rows]; `curves`: accuracy by order, [seeds, shares]; `r2`, `change`
    [seeds]; `seconds` of each fit; `whole`: fitted on all rows with the last seed; `depth`, `width`, `flow` of it."""

    learner: Learner
    right: Array
    loss: Array
    curves: dict[str, Array]
    r2: Array
    change: list[float | str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    units: int = 0
    depth: float = float("nan")
    width: int = 0
    flow: Flow | None = None
    floor: float = 0.0

    def skills(self, order: str) -> Array:
        """Skill by share removed, [seeds, shares]."""
        return np.stack([skill(curve, self.floor) for curve in self.curves[order]])

    def area(self, order: str) -> Estimate:
        """The area under the lesion curve."""
        return estimate([lesion_area(SHARES, curve) for curve in self.skills(order)])

    def half(self, order: str) -> Estimate:
        """The share of units after which half of the skill is gone."""
        return estimate([half_gone(SHARES, curve) for curve in self.skills(order)])


def estimate(values: Sequence[float] | Array) -> Estimate:
    """Over its entries."""
    found = np.asarray(values, float)
    error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
    return Estimate(float(found.mean()), float(error))


def default_learners(chained: bool = False) -> list[Learner]:
    """The rows: planners, ensembles, a network, a market of all of them; a random field where the extra is installed."""
    from catallax.ensembles.learners import chain, lines, market, network, trees

    planners = [lines.LeastSquares(), lines.Discriminant(), lines.SupportVectors(), lines.Logistic()]
    crowd = [trees.Forest(), trees.Boosting(), network.Perceptron()]
    linked = [chain.RandomField()] if chain.is_there() else []
    return [*planners, *linked, *crowd, market.Market([*planners, *crowd])]


def compare(
    sheet: Sheet,
    learners: Sequence[Learner],
    folds: int = 5,
    seeds: int = 3,
    seed: int = 0,
    look: Callable[[int, int], Any] | None = None,
) -> list[Measured]:
    """All learners on the same rows, folds and seeds. Raises `BadInput` where a class is too rare for the folds."""
    check(sheet, folds)
    done, of = 0, len(learners) * seeds
    splits = [list(dealt(sheet, folds, seed + k)) for k in range(seeds)]
    found = []
    for learner in learners:
        measured = blank(learner, sheet, seeds)
        for k in range(seeds):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # steps that ran out are the learner's own: it is judged as it is
                out_of_fold(measured, sheet, splits[k], k, seed + k)
                structure(measured, sheet, seed + k)
            done += 1
            if look is not None:
                look(done, of)
        found.append(measured)
    return found


def blank(learner: Learner, sheet: Sheet, seeds: int) -> Measured:
    """Nothing measured yet."""
    rows = len(sheet.y)
    curves = {order: np.zeros((seeds, len(SHARES))) for order in ORDERS}
    floor = float(np.bincount(sheet.y).max() / rows)
    return Measured(learner, np.zeros((seeds, rows)), np.zeros((seeds, rows)), curves, np.zeros(seeds), floor=floor)


def dealt(sheet: Sheet, folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Rows to learn from and rows held out; chains stay together."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if not sheet.chained:
        dealer = StratifiedKFold(folds, shuffle=True, random_state=seed)
        yield from dealer.split(sheet.X, sheet.y)
        return
    for learnt, held in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(
        sheet.X, sheet.y, sheet.chain
    ):
        lacking = set(range(len(sheet.classes))) - set(sheet.y[learnt].tolist())
        if lacking:
            raise BadInput(
                f"without the chains of one fold class {sheet.classes[min(lacking)]!r} is never seen: remove it, or give fewer "
                "--folds"
            )
        yield learnt, held


def out_of_fold(measured: Measured, sheet: Sheet, split: list[tuple[Array, Array]], k: int, seed: int) -> None:
    """What can be asked on rows that were not learnt from."""
    rows, r2 = len(sheet.y), []
    for number, (learnt, held) in enumerate(split):
        if not len(held):
            continue
        known, fresh = sheet.split(learnt, held)
        begun = time.process_time()
        fitted = measured.learner.fit(known, sheet.y[learnt], seed)
        measured.seconds.append(time.process_time() - begun)
        read, asked = fitted.read(known), fitted.read(fresh)
        y, everyone = sheet.y[held], fitted.everyone()
        price = fitted.forecast(asked, everyone)
        measured.right[k, held] = price.argmax(1) == y
        measured.loss[k, held] = -np.log(clipped(price, FLOOR)[np.arange(len(y)), y])
        r2.append(surrogate_r2(known.X, fitted.scores(read, everyone), fresh.X, fitted.scores(asked, everyone)))
        for order, curve in lesions(fitted, known, fresh, y, [seed, number]).items():
            measured.curves[order][k] += curve / rows
    measured.r2[k] = np.mean(r2)


def lesions(fitted: Fitted, known: Rows, fresh: Rows, y: Array, seed: list[int]) -> dict[str, Array]:
    """How many of the rows asked are right by share of units removed, [shares], in each order."""
    random = np.random.default_rng(seed)
    some = known.take(np.sort(random.permutation(len(known.X))[:RANKED]))
    found = {"random": np.zeros(len(SHARES))}
    for order, silenced in (("influential", silent_units), ("features", silent_features)):
        count = fitted.units if order == "influential" else known.X.shape[1]
        answer = silenced(fitted, fresh)
        right: Callable[[Array], Array] = lambda kept, say=answer: np.asarray((say(kept).argmax(1) == y).sum(), float)  # noqa: E731
        ranked = np.argsort(-influence(silenced(fitted, some), count), kind="stable")
        found[order] = lesioned(right, ranked, SHARES)
        if order == "influential":
            drawn = [lesioned(right, random.permutation(count), SHARES) for _ in range(DRAWS)]
            found["random"] = np.mean(drawn, axis=0)
    return found


def silent_units(fitted: Fitted, rows: Rows) -> Callable[[Array], Array]:
    """What the units kept, bool [units], forecast."""
    sheet = fitted.read(rows)
    return lambda kept: fitted.forecast(sheet, kept)


def silent_features(fitted: Fitted, rows: Rows) -> Callable[[Array], Array]:
    """What the whole learner forecasts where all features but those kept, bool [features], are at their mean."""
    everyone = fitted.everyone()
    return lambda kept: fitted.forecast(fitted.read(Rows(rows.X * kept, rows.chain)), everyone)


def structure(measured: Measured, sheet: Sheet, seed: int) -> None:
    """What can be asked of a learner that has seen all rows."""
    everything = np.arange(len(sheet.y))
    rows: Rows = sheet.split(everything, everything)[0]
    fitted = measured.learner.fit(rows, sheet.y, seed)
    given = fitted.dependence()
    change = hessian_change(*given[:3], given.data, seed) if isinstance(given, Dependence) else given
    measured.change.append(change)
    measured.units, measured.depth, measured.width = fitted.units, fitted.depth(rows), fitted.width()
    measured.flow = fitted.flow()
