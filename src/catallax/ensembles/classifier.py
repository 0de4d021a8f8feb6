"""A market of classifiers: each bets its probabilities, the price is the forecast.

scikit-learn's voting gives all members the same say, and stacking a planner that reads every probability of every
member. Here members trade: who was right has the wealth, or is given the risk tolerance, to move the price. What the
rules are is in `rules`; what `auto` is, in `rules.funds`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, TransformerMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import indexable
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from catallax.core.errors import BadInput
from catallax.core.scene import Scene
from catallax.ensembles import members, pictures
from catallax.ensembles.base import MarketEstimator
from catallax.ensembles.errors import Errors, errors
from catallax.ensembles.influence import Influence, shapley
from catallax.ensembles.offers import Array, Offers, clipped, log_score, offers
from catallax.ensembles.receipt import Receipts, receipts
from catallax.ensembles.rules import funds
from catallax.ensembles.rules.price import Price


class MarketClassifier(ClassifierMixin, TransformerMixin, MarketEstimator):
    """A classifier whose forecast is the price on a market of classifiers.

    `estimators`: a list of (name, classifier with `predict_proba`); None: seven unlike ones (`members.py`). `market`:
    "auto" (a market of funds, `rules.funds`), "cara" (log pool), "kelly", "fractional", "em" (linear pools), "isoelastic"
    (between). `cv`: how many folds members offer out of, a splitter, or "prefit": members come fitted, and X of `fit`
    should be rows they have not seen. `max_influence`: no member's share of the price may be larger. `floor`: the least
    probability that a member may offer (one belief of 0 would ruin it). `fraction`: of the wealth that "fractional" bets.
    `random_state`: of the default members.

    Fitted: `classes_`, `estimators_`, `named_estimators_`, `price_` (the fitted rule), `influence_` (shares by name, how
    many members that is worth, what the cap costs), `scores_` (mean out-of-fold log score of each member; and, for
    markets of funds, `fund_scores_` and `fund_wealth_`), `offers_` (the out-of-fold offers).
    """

    _kind = "classifier"
    classes_: Array

    def __init__(
        self,
        estimators: Any = None,
        *,
        market: Any = "auto",  # scikit-learn: a constructor stores, `fit` checks
        cv: Any = 5,
        max_influence: Any = None,
        floor: Any = 1e-3,
        fraction: Any = 0.1,
        n_jobs: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimators = estimators
        self.market = market
        self.cv = cv
        self.max_influence = max_influence
        self.floor = floor
        self.fraction = fraction
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> "MarketClassifier":
        """Members learn, out of fold and then from everything; the market learns from what they offered.

        `X` [rows, features] (whatever the members take), `y` [rows] labels, `sample_weight` [rows]: handed to the members
        that can weigh rows, and counted by the market. `params`: with metadata routing on, to the members that ask.
        """
        self._check_settings()
        X, y, encoded, weight = self._checked(X, y, sample_weight)
        kept = self._given()
        self._check_cap(len(kept))
        names, given = [name for name, _ in kept], [member for _, member in kept]
        for name, member in kept:
            if not hasattr(member, "predict_proba"):
                raise BadInput(
                    f"estimator {name!r} has no predict_proba, and a trader must say what it would pay: wrap it in "
                    "CalibratedClassifierCV"
                )
        if isinstance(self.cv, str):
            self.estimators_ = [members.check_prefit(name, member) for name, member in kept]
            self.classes_ = _union(self.classes_, names, given)
            encoded = np.searchsorted(self.classes_, y)
            self._encoded = False
            offered = members.together(given, X, self._offer(), self.n_jobs)
        else:
            self._encoded = True
            own = self._params(kept, sample_weight, params)
            fold = self._folds(X, y, encoded, weight, params)
            offered = members.out_of_fold(given, X, encoded, own, fold, self._offer(), self.n_jobs)
            self.estimators_ = members.fitted(given, X, encoded, own, self.n_jobs)
        self.named_estimators_ = dict(zip(names, self.estimators_))
        self._trade(offered, encoded, weight, self._nested(X, encoded, weight)[weight > 0])
        return self

    def _trade(self, offered: Array, encoded: Array, weight: Array, fold: Array) -> None:
        """The market learns from what was offered and what came."""
        self.offers_ = offers(offered, encoded, weight, floor=self.floor)
        learn: Callable[..., Price] = lambda cap: funds.learn(  # noqa: E731
            self.market, self.offers_, fold, cap=cap, fraction=self.fraction
        )
        self.price_ = learn(self.max_influence)
        cost = None
        if self.max_influence is not None:
            cost = log_score(learn(None).price(self.offers_.belief), self.offers_) - log_score(
                self.price_.price(self.offers_.belief), self.offers_
            )
        names = list(self.named_estimators_)
        self.influence_ = Influence(dict(zip(names, self.price_.shares().tolist())), cost)
        each = self.offers_.weight @ np.log(self.offers_.hits) / self.offers_.weight.sum()
        self.scores_ = dict(zip(names, each.tolist()))
        if isinstance(self.price_, funds.Funds):
            self.fund_scores_ = dict(zip(self.price_.names, self.price_.score.tolist()))
            self.fund_wealth_ = dict(zip(self.price_.names, self.price_.wealth.tolist()))

    def predict_proba(self, X: Any) -> Array:
        """The price of each class, [rows, classes]."""
        belief = self._beliefs(X)
        return self.price_.price(belief)

    def predict_log_proba(self, X: Any) -> Array:
        """Its logarithm, [rows, classes]."""
        return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Array:
        """The dearest class, [rows]."""
        dearest = self.predict_proba(X).argmax(1)
        return self.classes_[dearest]

    def transform(self, X: Any) -> Array:
        """What the members offer, [rows, members * classes]."""
        offered = self._offered(X)
        return offered.reshape(len(offered), -1)

    def explain(self, X: Any, y: Any = None) -> Receipts:
        """For each row who moved the price, by how much, and who is paid what, for each outcome (or for `y`)."""
        belief = self._beliefs(X)
        encoded = None if y is None else self._encode(y, len(belief))
        return receipts(self.price_, belief, list(self.named_estimators_), self.classes_, encoded)

    def shapley(self, X: Any, y: Any, *, samples: int = 200, seed: int = 0) -> dict[str, float]:
        """What each member adds to the mean log score on rows it has not learnt from (Shapley value, nats a row)."""
        belief = self._beliefs(X)
        there = Offers(belief, self._encode(y, len(belief)), np.ones(len(belief)))
        return dict(zip(self.named_estimators_, shapley(self.price_, there, samples=samples, seed=seed).tolist()))

    def errors(self, X: Any = None, y: Any = None) -> Errors:
        """How alike the members err, and how much is gained by their not doing so: on X, or out of fold."""
        there = self.offers_
        if X is not None:
            belief = self._beliefs(X)
            there = Offers(belief, self._encode(y, len(belief)), np.ones(len(belief)))
        return errors(there, self.price_.price(there.belief), self.price_.shares())

    def scene(self, what: str = "wealth", X: Any = None, y: Any = None, row: int = 0) -> Scene:
        """A picture (`catallax.view` draws it): "wealth" (out of fold), or the "receipt" of a row of X."""
        check_is_fitted(self)
        names = list(self.named_estimators_)
        if what == "wealth":
            price = self.price_.price(self.offers_.belief)
            return pictures.wealth(self.offers_, price, names, self.price_.shares())
        if what == "receipt" and X is not None:
            return pictures.receipt(self.explain(X, y), row)
        raise BadInput(f"there is a scene of 'wealth', and one of the 'receipt' of a row of X; not of {what!r}")

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Names of what `transform` gives: marketclassifier_<member>_<class>."""
        check_is_fitted(self)
        return np.array(
            [f"marketclassifier_{name}_{label}" for name in self.named_estimators_ for label in self.classes_], object
        )

    def _defaults(self) -> list[tuple[str, Any]]:
        return members.default_classifiers(self.random_state)

    def _beliefs(self, X: Any) -> Array:
        """What the members believe, never nothing: [rows, members, classes]."""
        return clipped(self._offered(X), self.floor)

    def _offered(self, X: Any) -> Array:
        X = self._known(X)
        return members.together(self.estimators_, X, self._offer(), self.n_jobs)

    def _offer(self) -> members.Offer:
        """Probabilities by the market's own classes; members may know fewer."""
        labels = np.arange(len(self.classes_)) if self._encoded else self.classes_
        return Probabilities(labels)

    def _encode(self, y: Any, rows: int) -> Array:
        y = np.asarray(column_or_1d(y))
        if len(y) != rows:
            raise BadInput(f"y has {len(y)} rows and X has {rows}: give one label a row")
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            raise BadInput(
                f"row {int(unknown.argmax())} of y is {y.tolist()[unknown.argmax()]!r}, which the market does not know"
            )
        return np.searchsorted(self.classes_, y)

    def _check_settings(self) -> None:
        if self.market not in funds.MARKETS:
            raise BadInput(f"market must be one of {', '.join(funds.MARKETS)}, not {self.market!r}")
        if isinstance(self.cv, str) and self.cv != "prefit":
            raise BadInput(f"cv must be a number of folds, a splitter, or 'prefit', not {self.cv!r}")
        if not 0 < self.floor < 0.5:
            raise BadInput(f"floor must lie between 0 and 1/2, not {self.floor}: a belief of 0 ruins whoever holds it")
        if not 0 < self.fraction <= 1:
            raise BadInput(f"fraction must lie in (0, 1], not {self.fraction}: it is the share of wealth that is bet")

    def _check_cap(self, count: int) -> None:
        if self.max_influence is not None and not 1 / count <= self.max_influence <= 1:
            raise BadInput(
                f"max_influence must lie in [1/{count}, 1] with {count} members, not {self.max_influence}: shares sum to one"
            )

    def _checked(self, X: Any, y: Any, weight: Any) -> tuple[Any, Array, Array, Array]:
        """X, y, y as numbers, weights; sets the classes and what is known of the features."""
        X = indexable(validate_data(self, X, skip_check_array=True))[0]
        if y is None:
            raise BadInput("requires y to be passed, but the target y is None")
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind in ("unknown", "continuous"):
            raise BadInput(f"Unknown label type: {kind}. y must hold classes; use MarketRegressor for numbers")
        if kind not in ("binary", "multiclass"):
            raise NotImplementedError(f"{type(self).__name__} forecasts one label a row: y is {kind}")
        y = np.asarray(column_or_1d(y, warn=True))
        check_consistent_length(X, y)
        weight = (
            np.ones(len(y))
            if weight is None
            else _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
        )
        encoder = LabelEncoder().fit(y)
        self.classes_ = np.asarray(encoder.classes_)
        self._check_classes(y[weight > 0])
        return X, y, encoder.transform(y), weight

    def _check_classes(self, y: Array) -> None:
        if len(y) < 2:
            raise BadInput(f"y has n_samples={len(y)} of any weight: a market needs 2 at least")
        if isinstance(self.cv, str):
            return
        if len(np.unique(y)) < 2:
            raise BadInput(
                f"y has one class only, {y.tolist()[0]!r}: there is nothing to forecast; give rows of two classes or more"
            )


class Probabilities:
    """What a member offers on rows: its probabilities, by `labels`; 0 for classes it does not know."""

    def __init__(self, labels: Array) -> None:
        self.labels = labels

    def __call__(self, member: Any, X: Any) -> Array:
        """[rows, labels]."""
        given = np.asarray(member.predict_proba(X), np.float64)
        known = np.asarray(member.classes_)
        if len(known) == len(self.labels) and (known == self.labels).all():
            return given
        offered = np.zeros((len(given), len(self.labels)))
        offered[:, np.searchsorted(self.labels, known)] = given
        return offered


def _union(classes: Array, names: list[str], given: list[Any]) -> Array:
    """All classes that y or a member knows, in order. Raises `BadInput` where a member speaks of something else."""
    for name, member in zip(names, given):
        known = np.asarray(member.classes_)
        if known.dtype.kind != classes.dtype.kind and {known.dtype.kind, classes.dtype.kind} & set("US"):
            raise BadInput(
                f"estimator {name!r} knows the classes {known[:3].tolist()} and y holds {classes[:3].tolist()}: members and y must "
                "use the same labels"
            )
        if not np.isin(known, classes).any():
            raise BadInput(
                f"estimator {name!r} knows the classes {known[:3].tolist()}, none of which is in y ({classes[:3].tolist()}): "
                "members must forecast what y holds"
            )
        classes = np.union1d(classes, known)
    return classes
