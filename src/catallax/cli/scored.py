"""How good a market's forecasts are, beside its members', their vote's and stacking's, all of the same out-of-fold offers.

A combiner that is scored on rows which it has learnt from looks too good. So rows are dealt by content into five parts; each
combiner learns from the offers on four and forecasts the fifth. Members learn nothing more: they are scored on their offers.

    classes     log-loss (nats a row), error, ECE (of the dearest class, in 15 bins: |how often right - how sure|)
    numbers     log-loss: minus the log density of what came; RMSE; how often the central 90 % hold what came

Classes: members' probabilities are at least the market's floor before anyone combines them. Stacking is a logistic regression on
them, as scikit-learn's is. Numbers: a vote and stacking (a ridge regression) name no density, and get the one that a trader
would have: Student's t, as wide as their errors on the rows that they learnt from; stacking's errors are out of folds of its own.
"""

import abc
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from catallax.core.scene import Bars, Scene, Series
from catallax.ensembles import pictures
from catallax.ensembles.folds import content_folds, row_hashes
from catallax.ensembles.offers import Offers
from catallax.ensembles.rules import continuum, funds
from catallax.ensembles.rules.believe import Said, calibrate
from catallax.ensembles.rules.density import Density

Array = np.ndarray
Look = Callable[[int, int, str], None]
PARTS, BINS, CURVE, FEW, LEAST = 5, 15, 10, 20, 1e-15
MARKET, UNCAPPED, VOTE, STACKING = "market", "market without the cap", "soft vote", "stacking"


class Forecaster(NamedTuple):
    """`loss` [rows], nats; `row`: its figures; `curve`: Series of its calibration."""

    loss: Array
    row: dict[str, float]
    curve: Series


class Scored(abc.ABC):
    """All forecasters of one table. `fold` [rows]: the parts; `own`: the market's, for its own learning; `price` [rows, ...]:
    the market's forecasts, each of a market that has not learnt from that row; `title`: of the calibration curve."""

    price: Array
    title: str

    def __init__(self, market: Any, X: Array, group: Array, weight: Array, look: Look) -> None:
        count = min(PARTS, len(group))
        self.market, self.names = market, list(market.named_estimators_)
        self.fold = content_folds(row_hashes(X, salt=2), group, weight, count)
        self.own = content_folds(row_hashes(X, salt=1), group, weight, count)
        self.parts = [part for part in np.unique(self.fold).tolist() if (self.fold != part).any()]
        self.caps = [market.max_influence] + [None] * (market.max_influence is not None)
        self.look = look
        self.forecasters = self.all()

    @abc.abstractmethod
    def all(self) -> dict[str, Forecaster]:
        """By name: combiners, then members."""

    @abc.abstractmethod
    def receipt(self, row: int) -> Any:
        """Who moved the price of a row that stands in `price`: the rows of what `explain` gives, but one."""

    @abc.abstractmethod
    def drawn(self, row: int) -> Scene:
        """A receipt as a picture."""

    def receipts(self, count: int) -> list[str]:
        """Of the first rows, in words."""
        return [self.receipt(row).sentence(0) for row in range(min(count, len(self.price)))]

    def difference(self, name: str) -> tuple[float, float]:
        """By how much a forecaster's log-loss is above the market's, and the standard error of that (rows are pairs)."""
        apart = self.forecasters[name].loss - self.forecasters[MARKET].loss
        return float(apart.mean()), float(apart.std(ddof=1) / len(apart) ** 0.5)

    def rows(self) -> list[dict[str, Any]]:
        """A row each: combiners, then members, the best first."""
        shares = self.market.influence_.shares
        members = sorted(self.names, key=lambda name: self.forecasters[name].loss.mean())
        combiners = [name for name in self.forecasters if name not in self.names]
        found = []
        for name in combiners + members:
            above, error = self.difference(name) if name != MARKET else (None, None)
            found.append(
                dict(forecaster=name, log_loss=float(self.forecasters[name].loss.mean()), above_market=above)
                | dict(standard_error=error, **self.forecasters[name].row, influence=shares.get(name))
            )
        return found

    def bars(self) -> Scene:
        """Log-loss by forecaster."""
        rows = sorted(self.rows(), key=lambda row: row["log_loss"])
        labels, loss = [row["forecaster"] for row in rows], [row["log_loss"] for row in rows]
        return Scene(
            "Log-loss of rows not learnt from, nats: less is better", [Bars(labels, np.array(loss), "log-loss")]
        )

    def calibration(self) -> Scene:
        """Of the combiners; the diagonal is perfect."""
        names = [name for name in (MARKET, VOTE, STACKING) if name in self.forecasters]
        line = Series(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "perfect")
        return Scene(self.title, [line, *(self.forecasters[name].curve for name in names)])


# --- classes ---


class Classes(Scored):
    """Forecasts of classes: `price` [rows, classes]."""

    title = "How often it came (up) that had this probability (right)"

    def __init__(self, market: Any, X: Array, look: Look) -> None:
        self.offers: Offers = market.offers_
        self.prices: dict[int, Any] = {}
        super().__init__(market, X, self.offers.outcome, self.offers.weight, look)

    def all(self) -> dict[str, Forecaster]:
        offers, shape = self.offers, (len(self.offers.outcome), self.offers.shape[2])
        found = {name: np.empty(shape) for name in [MARKET, UNCAPPED][: len(self.caps)]}
        found |= {VOTE: offers.belief.mean(1), STACKING: np.empty(shape)}
        for number, part in enumerate(self.parts):
            kept = self.fold == part
            learnt, belief = offers.take(~kept), offers.belief[kept]
            for name, cap in zip((MARKET, UNCAPPED), self.caps):
                price = self.learn(learnt, self.own[~kept], cap)
                found[name][kept] = price.price(belief)
                if name == MARKET:
                    self.prices[part] = price
            found[STACKING][kept] = stacked(learnt, belief)
            self.look(number + 1, len(self.parts), "")
        self.price = found[MARKET]
        found |= {name: offers.belief[:, m] for m, name in enumerate(self.names)}
        return {name: of_classes(name, price, offers.outcome) for name, price in found.items()}

    def learn(self, offers: Offers, fold: Array, cap: float | None) -> Any:
        """The market's rule, fitted to some rows."""
        return funds.learn(self.market.market, offers, fold, cap=cap, fraction=self.market.fraction)

    def receipt(self, row: int) -> Any:
        """`Receipts` of one row."""
        from catallax.ensembles.receipt import receipts

        belief, outcome = self.offers.belief[[row]], self.offers.outcome[[row]]
        price = self.prices[int(self.fold[row])]
        return receipts(price, belief, self.names, self.market.classes_, outcome)

    def drawn(self, row: int) -> Scene:
        """A receipt as a picture."""
        return pictures.receipt(self.receipt(row), 0)


def stacked(learnt: Offers, belief: Array) -> Array:
    """A logistic regression on what the members offer, on rows that it has not learnt from: [rows, classes]."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    price = np.full((len(belief), belief.shape[2]), LEAST)
    there = np.unique(learnt.outcome)
    if len(there) == 1:
        price[:, there[0]] = 1.0
        return price
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=2000).fit(flat(learnt.belief), learnt.outcome)
    price[:, model.classes_] = model.predict_proba(flat(belief))
    return price / price.sum(1, keepdims=True)


def flat(belief: Array) -> Array:
    """One column a member of two classes, else one a member and class."""
    return belief[..., 1] if belief.shape[2] == 2 else belief.reshape(len(belief), -1)


def of_classes(name: str, price: Array, outcome: Array) -> Forecaster:
    """Figures of forecasts `price` [rows, classes]."""
    loss = -np.log(np.maximum(price[np.arange(len(price)), outcome], LEAST))
    sure, right = price.max(1), price.argmax(1) == outcome
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    ece = sum(abs(float((right[place == b] - sure[place == b]).sum())) for b in np.unique(place)) / len(price)
    came = np.eye(price.shape[1])[outcome]
    if price.shape[1] == 2:
        price, came = price[:, 1:], came[:, 1:]
    row = dict(error_percent=float(100 * (~right).mean()), ece_percent=float(100 * ece))
    return Forecaster(loss, row, curve(price.ravel(), came.ravel(), name))


def curve(price: Array, came: Array, name: str) -> Series:
    """How often that came which had a probability: means over bins a tenth wide, wider where they would hold too few."""
    count = np.bincount(np.minimum((price * CURVE).astype(int), CURVE - 1), minlength=CURVE)
    ends = [0]
    for end in np.cumsum(count).tolist():
        if end - ends[-1] >= FEW:
            ends.append(end)
    ends[-1:] = [len(price)] if len(ends) > 1 else [0, len(price)]
    order = np.argsort(price, kind="stable")
    bins = [order[a:b] for a, b in pairwise(ends)]
    return Series(np.array([price[b].mean() for b in bins]), np.array([came[b].mean() for b in bins]), name)


# --- numbers ---


class Numbers(Scored):
    """Forecasts of numbers: `price` [rows, 4] is mean, standard deviation, 5 % and 95 % quantiles, in units of the target."""

    title = "How often what came was below (up) what it should be below so often (right)"

    def __init__(self, market: Any, X: Array, look: Look) -> None:
        self.said: Said = market.said_
        self.pools: dict[int, Any] = {}
        super().__init__(market, X, np.zeros(len(self.said.y), int), self.said.weight, look)

    def all(self) -> dict[str, Forecaster]:
        combiners = [*[MARKET, UNCAPPED][: len(self.caps)], VOTE, STACKING]
        found: dict[str, list[tuple[Array, Density]]] = {name: [] for name in combiners + self.names}
        for number, part in enumerate(self.parts):
            kept = np.flatnonzero(self.fold == part)
            learnt, there = self.said.take(self.fold != part), self.said.take(kept)
            for name, cap in zip((MARKET, UNCAPPED), self.caps):
                calibration, pool = self.learn(learnt, self.own[self.fold != part], cap)
                found[name].append((kept, pool.price(calibration.belief(there.mean, there.spread))))
                if name == MARKET:
                    self.pools[part] = calibration, pool
            vote = with_spread(learnt.mean.mean(1), learnt, there.mean.mean(1), self.market.floor)
            found[VOTE].append((kept, vote))
            found[STACKING].append(
                (kept, stacked_numbers(learnt, there, self.own[self.fold != part], self.market.floor))
            )
            own = calibrate(learnt, self.market.floor).belief(there.mean, there.spread)
            for m, name in enumerate(self.names):
                one = Density(np.ones(1), own.mean[:, [m]], own.scale[:, [m]], np.array([own.dof]))
                found[name].append((kept, one))
            self.look(number + 1, len(self.parts), "")
        self.price = self.told(found[MARKET])
        return {name: self.of_numbers(name, each) for name, each in found.items()}

    def learn(self, said: Said, fold: Array, cap: float | None) -> Any:
        """The market's rule, fitted to some rows."""
        return continuum.learn(self.market.market, said, fold, float(self.market.floor), cap=cap)

    def of_numbers(self, name: str, each: list[tuple[Array, Density]]) -> Forecaster:
        """Figures of densities, part by part."""
        unit = self.market.unit_
        y = self.said.y
        loss, error, below = np.empty(len(y)), np.empty(len(y)), np.empty(len(y))
        for rows, price in each:
            loss[rows] = np.log(unit) - price.log(y[rows])
            error[rows] = unit * (price.mean() - y[rows])
            below[rows] = price.below(y[rows])
        level = np.linspace(0.05, 0.95, 19)
        curve = Series(level, (below[:, None] <= level).mean(0), name)
        within = float(100 * ((below >= 0.05) & (below <= 0.95)).mean())
        return Forecaster(loss, dict(rmse=float(np.sqrt(np.mean(error**2))), within_90_percent=within), curve)

    def told(self, each: list[tuple[Array, Density]]) -> Array:
        """Densities as four numbers a row."""
        found = np.empty((len(self.said.y), 4))
        for rows, price in each:
            found[rows] = summary(price.moved(self.market.centre_, self.market.unit_))
        return found

    def receipt(self, row: int) -> Any:
        """`Moves` of one row."""
        from catallax.ensembles.moves import moves

        calibration, pool = self.pools[int(self.fold[row])]
        there, centre, unit = self.said.take(np.array([row])), self.market.centre_, self.market.unit_
        belief = calibration.belief(there.mean, there.spread)
        return moves(pool, belief, self.names, centre, unit, centre + unit * there.y)

    def drawn(self, row: int) -> Scene:
        """A receipt as a picture."""
        found = self.receipt(row)
        bars = [Bars(self.names, found.moved[0], "moved the mean"), Bars(self.names, found.paid[0], "won")]
        return Scene(found.sentence(0), bars)


def summary(price: Density) -> Array:
    """Mean, standard deviation, 5 % and 95 % quantiles, [rows, 4]."""
    return np.column_stack([price.mean(), price.std(), price.quantiles(np.array([0.05, 0.95]))])


def stacked_numbers(learnt: Said, there: Said, fold: Array, floor: float) -> Density:
    """A ridge regression on what the members predict, its errors out of the given folds of what it learns from."""
    from sklearn.linear_model import RidgeCV

    held = np.empty(len(learnt.y))
    for part in np.unique(fold):
        rest, kept = fold != part, fold == part
        held[kept] = (
            ridge(learnt.mean[rest], learnt.y[rest], learnt.mean[kept], RidgeCV) if rest.any() else learnt.y.mean()
        )
    return with_spread(held, learnt, ridge(learnt.mean, learnt.y, there.mean, RidgeCV), floor)


def ridge(inside: Array, y: Array, outside: Array, kind: Any) -> Array:
    """What a ridge regression of some rows predicts of others; the mean of a single row."""
    return kind().fit(inside, y).predict(outside) if len(y) > 1 else np.full(len(outside), y.mean())


def with_spread(held: Array, learnt: Said, point: Array, floor: float) -> Density:
    """The density of a trader that predicts `point`, and predicted `held` of the rows learnt from."""
    ones = np.ones((len(held), 1))
    own = calibrate(Said(held[:, None], ones, learnt.y, learnt.weight), floor)
    belief = own.belief(point[:, None], np.ones((len(point), 1)))
    return Density(np.ones(1), belief.mean, belief.scale, np.array([belief.dof]))
