"""The market of models as a row: its traders are the other rows of the table.

Units are members. Each learns by a loss of its own; the market's loss reaches what its funds own, one step away, and no
parameter of a member.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from catallax.ensembles.classifier import MarketClassifier
from catallax.ensembles.learners.learner import Array, Dependence, Fitted, Flow, Learner, Rows, prior
from catallax.ensembles.offers import clipped


class Trader(ClassifierMixin, BaseEstimator):
    """A learner as a scikit-learn classifier, for tables without chains; labels 0 .. classes - 1."""

    def __init__(self, learner: Any, seed: Any = 0) -> None:
        self.learner = learner
        self.seed = seed

    def fit(self, X: Any, y: Any) -> "Trader":
        """The learner learns; classes that it is not shown it does not know."""
        self.classes_, encoded = np.unique(y, return_inverse=True)
        self.fitted_ = self.learner.fit(alone(X), encoded, self.seed)
        return self

    def predict_proba(self, X: Any) -> Array:
        """[rows, classes]."""
        return self.fitted_.forecast(self.fitted_.read(alone(X)), self.fitted_.everyone())

    def predict(self, X: Any) -> Array:
        """[rows]."""
        return self.classes_[self.predict_proba(X).argmax(1)]


def alone(X: Array) -> Rows:
    """Rows that follow nothing."""
    return Rows(X, np.arange(len(X)))


class Traded(Fitted):
    """A fitted market."""

    def __init__(self, market: MarketClassifier, silent: Array) -> None:
        self.market, self.silent = market, silent
        self.units = len(market.estimators_)
        self.left: dict[bytes, Any] = {}

    def read(self, rows: Rows) -> Array:
        """What each member offers, [rows, members, classes]."""
        offered = self.market.transform(rows.X)
        return clipped(offered.reshape(len(offered), self.units, -1), self.market.floor)

    def scores(self, sheet: Array, kept: Array) -> Array:
        """The log price of those left."""
        if not kept.any():
            return np.tile(self.silent, (len(sheet), 1))
        return np.log(self._of(kept).price(sheet))

    def _of(self, kept: Array) -> Any:
        if kept.tobytes() not in self.left:
            price = self.market.price_
            for member in np.flatnonzero(~kept).tolist():
                price = price.without(member)
            self.left[kept.tobytes()] = price
        return self.left[kept.tobytes()]

    def depth(self, rows: Rows) -> float:
        """The slowest member, a fund's price, the price of all funds."""
        return max(member.fitted_.depth(rows) for member in self.market.estimators_) + 2

    def width(self) -> int:
        """Members."""
        return self.units

    def flow(self) -> Flow:
        """To each fund's wealth one step; to members none."""
        return Flow(None, "own losses")

    def dependence(self) -> Dependence:
        """From equal wealth to that which the funds have come to."""
        from catallax.ensembles.learners.losses import Wealth

        offers, price = self.market.offers_, self.market.price_
        rows = np.arange(len(offers.outcome))
        given = np.stack([p.price(offers.belief)[rows, offers.outcome] for p in price.prices], 1)  # pyright: ignore[reportAttributeAccessIssue]
        wealth = price.wealth  # pyright: ignore[reportAttributeAccessIssue]
        return Dependence(Wealth(), np.full(len(wealth), 1 / len(wealth)), wealth, (given,))


class Market(Learner):
    """`MarketClassifier` of other learners, which offer out of `folds` folds."""

    name, unit, rule = "market of models", "members", "a price"

    def __init__(self, members: Sequence[Learner], folds: int = 3) -> None:
        self.members, self.folds = members, folds

    def fit(self, rows: Rows, y: Array, seed: int) -> Fitted:
        """Members learn by their own losses, then trade."""
        traders = [(member.name.replace(" ", "_"), Trader(member, seed)) for member in self.members]
        return Traded(MarketClassifier(traders, cv=self.folds).fit(rows.X, y), prior(y))
