"""A market that goes on: members offer, outcomes come, wealth moves to whoever foresaw them (`stream/rounds.py`).

A member is an estimator that is fitted already, one that learns as it goes (`partial_fit`), or any callable that returns
log-probabilities. Each row is offered on before it is learnt from, so nothing is paid for memory. Who leads, and when the
lead passes on (`changes_`), shows that the world has changed: it takes no other detector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from catallax.core.errors import BadInput
from catallax.core.scene import Bars, Scene
from catallax.ensembles.stream import rounds
from catallax.ensembles.stream.traders import Traders

Array = np.ndarray
MARKETS = ("log", "kelly", "fractional")


@dataclass(frozen=True)
class Quote:
    """What was offered on rows whose outcomes are not known yet: settle it with `OnlineMarket.settle`."""

    X: Any  # [rows, ...]
    names: tuple[str, ...]
    offers: Array  # [rows, members, outcomes], log-probabilities
    price: Array  # [rows, outcomes], when it was quoted


class OnlineMarket(ClassifierMixin, MetaEstimatorMixin, _BaseComposition):
    """A classifier that learns row by row whom of its members to listen to.

    Parameters
    ----------
    estimators : list of (name, member). A member that has `partial_fit` starts anew, or from where it is if it is fitted (on
        a copy); wrap it in `sklearn.frozen.FrozenEstimator` to keep it as it is, through `clone` too. One without must be
        fitted. A callable
        takes rows and returns log-probabilities [rows, outcomes] in the order of `classes_`. On a row of which it makes
        NaN a member is asleep: it does not bet, and nothing becomes of its wealth.
    market : "log": a logarithmic pool, which can beat every member; "kelly": wealth is the posterior weight of a mixture,
        and ends with the best member; "fractional": bets of `fraction` of the wealth, slower, and kinder to who errs at times.
    fraction : of its wealth that a member bets in "fractional" (0 to 1).
    forgetting : a tax that lets newcomers and losers come back: of wealth, shared alike; in "log" of what has been learnt.
    max_influence : the largest share that one member may have in the price (of stakes, of tolerance); None: 1.
    floor : every offer is taken to be uniform with this probability, so that no surprise ruins anybody.
    block : rows that members offer on before they learn from them. At 1 a batch is the same as its rows one by one.

    After `fit` or `partial_fit`
    ----------------------------
    classes_, members_ (by name), wealth_ and influence_ (shares) by name, maker_ : the maker's purse ("log"; else 0).
    log_loss_ : mean of -log price of what came, in nats, over all rows so far. rows_ : how many.
    changes_ : list of (row, name): when another member came to have the most influence, which is a sign of drift.
    audit_ : the largest of: a change of all money in one round, what is missing now of all that was brought and not taken
        away. A share of what there was at the start: 0 to rounding.
    """

    def __init__(
        self,
        estimators: Any,
        *,
        market: Any = "log",
        fraction: Any = 0.1,
        forgetting: Any = 0.0,
        max_influence: Any = None,
        floor: Any = 1e-3,
        block: Any = 1,
    ) -> None:
        self.estimators = estimators
        self.market = market
        self.fraction = fraction
        self.forgetting = forgetting
        self.max_influence = max_influence
        self.floor = floor
        self.block = block

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, with those of the members by name."""
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> "OnlineMarket":
        """Parameters, those of members as `name__parameter`."""
        self._set_params("estimators", **params)
        return self

    # --- learning ---

    def fit(self, X: Any, y: Any) -> "OnlineMarket":
        """Forgets all, then takes the rows in, in their order.

        Raises `BadInput` for parameters out of range, members that cannot offer, and fewer than two classes.
        """
        if hasattr(self, "members_"):
            del self.members_
        return self._take_in(X, y, None)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> "OnlineMarket":
        """Takes further rows in. `classes`: all there may be; needed on the first call where not all are in `y`."""
        return self._take_in(X, y, classes)

    def quote(self, X: Any) -> Quote:
        """Offers and price on rows whose outcomes come later. Nothing is learnt."""
        X = self._known(X)
        offers = self._offers(X)
        return Quote(X, tuple(self.members_), offers, self._price(offers))

    def settle(self, quote: Quote, y: Any) -> "OnlineMarket":
        """Pays what was offered when it was quoted, and lets members learn. Who has left since is not paid; who has joined
        since did not bet. Raises `BadInput` where rows and outcomes differ in number or a class is unknown."""
        check_is_fitted(self)
        came = self._codes(y)
        if len(came) != len(quote.offers):
            raise BadInput(f"y has {len(came)} rows and the quote {len(quote.offers)}; give one outcome a row")
        there = [k for k, name in enumerate(quote.names) if name in self.members_]
        who = np.array([list(self.members_).index(quote.names[k]) for k in there], int)
        if len(who):
            self._play(quote.offers[:, there], came, who)
        self._traders.learn(quote.X, came)
        return self

    # --- forecasting ---

    def predict_proba(self, X: Any) -> Array:
        """The price, [rows, classes]."""
        return self._price(self._offers(self._known(X)))

    def predict_log_proba(self, X: Any) -> Array:
        """Its logarithm: so a market can be a member of another."""
        return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Array:
        """The likeliest class, [rows]."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    # --- who is there ---

    def join(self, name: str, member: Any, wealth: float | None = None) -> "OnlineMarket":
        """A member comes in with its own money: `wealth`, or what the others have on average; its tolerance is the others'
        mean. Raises `BadInput` for a name that is taken and for a member that cannot offer."""
        check_is_fitted(self)
        if name in self.members_:
            raise BadInput(f"a member is named {name!r} already: give another name")
        if wealth is not None and not 0 < wealth < np.inf:
            raise BadInput(f"wealth is {wealth}: give a positive number")
        self._traders.add(name, member)
        brought = float(np.mean(self._wealth) if wealth is None else wealth)
        brought = max(brought, np.finfo(float).tiny)
        self._wealth = np.append(self._wealth, brought)
        self._money += brought
        self._tolerance = np.append(self._tolerance, self._tolerance.mean())
        size = len(self._wealth)
        precision = np.zeros((size, size))
        precision[:-1, :-1] = self._precision
        precision[-1, -1] = self._first[0]
        self._precision, self._target = precision, precision @ self._tolerance  # learning goes on from where it is
        return self

    def leave(self, name: str) -> "OnlineMarket":
        """A member goes, and takes its money along. Raises `BadInput` where there is none of that name, or no other."""
        check_is_fitted(self)
        if name not in self.members_:
            raise BadInput(f"there is no member {name!r}: name one of {', '.join(self.members_)}")
        if len(self.members_) == 1:
            raise BadInput(f"{name!r} is the last member: let another join first")
        place = list(self.members_).index(name)
        self._money -= float(self._wealth[place])
        self._traders.remove(name)
        self._wealth, self._tolerance = np.delete(self._wealth, place), np.delete(self._tolerance, place)
        self._precision = np.delete(np.delete(self._precision, place, 0), place, 1)
        self._target = self._precision @ self._tolerance
        self._leader[0] = -1
        return self

    @property
    def wealth_(self) -> dict[str, float]:
        check_is_fitted(self)
        return dict(zip(self.members_, self._wealth.tolist(), strict=True))

    @property
    def maker_(self) -> float:
        check_is_fitted(self)
        return float(self._maker[0])

    @property
    def influence_(self) -> dict[str, float]:
        check_is_fitted(self)
        weight = self._weights()
        return dict(zip(self.members_, (weight / weight.sum()).tolist(), strict=True))

    @property
    def tolerance_(self) -> dict[str, float]:
        check_is_fitted(self)
        return dict(zip(self.members_, self._tolerance.tolist(), strict=True))

    @property
    def log_loss_(self) -> float:
        check_is_fitted(self)
        return self._loss / max(self.rows_, 1)

    @property
    def audit_(self) -> float:
        check_is_fitted(self)
        missing = abs(float(self._wealth.sum()) + self.maker_ - self._money)
        return max(self._worst, missing) / self._opened

    def scene(self) -> Scene:
        """Who has how much say."""
        influence = self.influence_
        return Scene(
            "Who has how much say", [Bars(list(influence), np.array(list(influence.values())), "influence, share")]
        )

    # --- how rows are taken in ---

    def _take_in(self, X: Any, y: Any, classes: Any) -> "OnlineMarket":
        first = not hasattr(self, "members_")
        X, y = self._checked(X, y, first)
        if first:
            self._open(classes if classes is not None else np.unique(y))
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise BadInput("classes differ from those of the first call: give the same, or none")
        came = self._codes(y)
        step = int(self.block) if self._traders.stepwise else max(len(came), 1)
        for start in range(0, len(came), step):
            part = slice(start, start + step)
            offers = self._mixed(self._traders.offers_then_learning(X[part], came[part]))
            self._play(offers, came[part], np.arange(len(self.members_)))
        return self

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Any, Array]:
        X, y = validate_data(
            self, X, y, reset=first, accept_sparse=False, ensure_all_finite=True, dtype=None, ensure_min_samples=1
        )
        check_classification_targets(y)
        return X, y

    def _open(self, classes: Any) -> None:
        self._check_settings()
        self.classes_ = np.unique(classes)
        if len(self.classes_) < 2:
            raise BadInput(f"y holds one class only, {self.classes_[0]!r}: give at least two, or name them in classes")
        given = self.estimators
        listed = isinstance(given, Sequence) and not isinstance(given, str) and len(given)
        if not listed or not all(isinstance(item, tuple | list) and len(item) == 2 for item in given):
            raise BadInput("estimators must be a list of (name, member), at least one of them")
        self._validate_names([name for name, _ in given])
        traders = Traders(self.classes_)
        for name, member in given:
            if not (isinstance(member, str) and member == "drop"):
                traders.add(name, member)
        members = traders.members
        if not members:
            raise BadInput("all members are dropped: leave at least one in")
        if self.max_influence is not None and not 1 / len(members) <= self.max_influence <= 1:
            raise BadInput(
                f"max_influence is {self.max_influence}: with {len(members)} members give 1/{len(members)} to 1"
            )
        self._traders, self.members_ = traders, members
        size = len(members)
        self._wealth, self._maker = np.full(size, 1.0), np.zeros(1)
        self._tolerance, self._precision = np.full(size, 1 / size), size * np.eye(size)
        self._target, self._first = self._precision @ self._tolerance, np.array([float(size), 1 / size])
        self._opened = self._money = float(size)
        self._loss, self._worst, self.rows_ = 0.0, 0.0, 0
        self._leader = np.array([-1])
        self.changes_: list[tuple[int, str]] = []

    def _check_settings(self) -> None:
        if self.market not in MARKETS:
            raise BadInput(f"market is {self.market!r}: give one of {', '.join(MARKETS)}")
        for name, low, high in (("fraction", 0, 1), ("forgetting", -1, 1), ("floor", 0, 1)):
            value = getattr(self, name)
            if not low < value <= high or (name == "forgetting" and value < 0) or (name == "floor" and value == 1):
                raise BadInput(f"{name} is {value}: give a number between 0 and 1")
        if not self.block >= 1:
            raise BadInput(f"block is {self.block}: give a number of rows, 1 or more")

    def _known(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, reset=False, accept_sparse=False, dtype=None)

    def _codes(self, y: Any) -> Array:
        y = np.asarray(y).ravel()
        codes = np.minimum(np.searchsorted(self.classes_, y), len(self.classes_) - 1)
        wrong = self.classes_[codes] != y
        if wrong.any():
            raise BadInput(
                f"y holds {y.tolist()[int(np.argmax(wrong))]!r}, which is not among the classes: name all classes at first"
            )
        return codes.astype(np.int64)

    def _offers(self, X: Any) -> Array:
        return self._mixed(self._traders.offers(X))

    def _mixed(self, log: Array) -> Array:
        """Log-offers [rows, members, outcomes] with the floor mixed in."""
        return np.log((1 - self.floor) * np.exp(log) + self.floor / log.shape[2])

    def _play(self, offers: Array, came: Array, who: Array) -> None:
        """The market's own rounds, on the members `who`."""
        kind = rounds.TOLERANCES if self.market == "log" else rounds.PURSES
        whole = len(who) == len(self._wealth)
        wealth, tolerance = self._wealth[who], self._tolerance[who]
        precision = np.ascontiguousarray(self._precision[np.ix_(who, who)])
        target = self._target if whole else precision @ tolerance
        leads, cap = np.empty(len(came), np.int64), self._cap(len(who))
        log_price, worst = rounds.play(
            np.ascontiguousarray(offers), came, kind, wealth, self._maker, tolerance, precision, target, self._first,
            float(self.fraction if self.market == "fractional" else 1.0), float(self.forgetting), cap, leads,
            self._leader,
        )  # fmt: skip
        self._wealth[who], self._tolerance[who] = wealth, tolerance
        self._precision[np.ix_(who, who)] = precision
        self._target = target if whole else self._precision @ self._tolerance
        names = list(self.members_)
        self.changes_ += [(self.rows_ + row, names[who[leads[row]]]) for row in np.flatnonzero(leads >= 0).tolist()]
        self._loss -= float(log_price.sum())
        self._worst = max(self._worst, float(worst))
        self.rows_ += len(came)

    def _weights(self) -> Array:
        """Stakes, or tolerances: what the price is pooled with where all are awake."""
        if self.market == "log":
            return self._tolerance
        weight = np.empty(len(self._wealth))
        rounds.capped(self._wealth, self._cap(len(weight)), weight)
        return weight

    def _cap(self, members: int) -> float:
        return float(max(1.0 if self.max_influence is None else self.max_influence, 1 / members))

    def _price(self, offers: Array) -> Array:
        """The pool of those who are awake; uniform where nobody is."""
        awake = np.logical_not(np.isnan(offers).any(axis=2))
        weight = np.where(awake, self._weights(), 0)
        if self.market == "log":
            logs = np.einsum("rm,rmk->rk", weight, np.where(awake[:, :, None], offers, 0))
            raw = np.exp(logs - logs.max(axis=1, keepdims=True))
        else:
            raw = np.einsum("rm,rmk->rk", weight, np.where(awake[:, :, None], np.exp(offers), 0))
            raw[~awake.any(axis=1)] = 1
        return raw / raw.sum(axis=1, keepdims=True)
