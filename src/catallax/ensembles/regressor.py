"""A market of regressors: each bets on a density around its prediction, the price is the forecast.

A member's belief is its prediction with a spread that its out-of-fold errors (or its own `return_std`, scaled by them) teach
(`rules.believe`). What comes of the beliefs is a density: a mean, and how sure the market is of it.
"""

import inspect
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from sklearn import config_context
from sklearn.base import RegressorMixin, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from catallax.core.errors import BadInput
from catallax.core.scene import Bars, Scene
from catallax.ensembles import members, pictures
from catallax.ensembles.base import MarketEstimator
from catallax.ensembles.errors import Errors
from catallax.ensembles.influence import Influence
from catallax.ensembles.moves import Moves, moves, squared
from catallax.ensembles.offers import Offers
from catallax.ensembles.rules import continuum
from catallax.ensembles.rules.believe import Belief, Said
from catallax.ensembles.rules.density import Array, Density


class MarketRegressor(RegressorMixin, TransformerMixin, MarketEstimator):
    """A regressor whose forecast is the price on a market of regressors: a density, and its mean.

    `estimators`: a list of (name, regressor); None: six unlike ones (`default_regressors`). `market`: "auto" (a market of
    funds, `rules.continuum`), "gaussian" (log pool), "quantile" (averages of quantiles), "em", "kelly" (linear pools). `cv`:
    how many folds members offer out of, a splitter, or "prefit": members come fitted, and X of `fit` should be rows they have
    not seen. `max_influence`: no member's share of the price may be larger. `floor`: the least spread that a member may offer,
    in standard units of y (its quartiles' distance / 1.35). `random_state`: of the default members.

    Fitted: `estimators_`, `named_estimators_`, `price_` (the fitted rule), `calibration_` (spreads, in standard units),
    `centre_` and `unit_` of y, `influence_` (shares by name, how many members that is worth, what the cap costs), `scores_`
    (mean out-of-fold log density of each member), `spreads_` (each one's scale in units of y, or the factor of its own),
    for markets of funds `fund_scores_` and `fund_wealth_`, and `said_` (what members said out of fold).
    """

    _kind = "regressor"

    def __init__(
        self,
        estimators: Any = None,
        *,
        market: Any = "auto",  # scikit-learn: a constructor stores, `fit` checks
        cv: Any = 5,
        max_influence: Any = None,
        floor: Any = 1e-3,
        n_jobs: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimators = estimators
        self.market = market
        self.cv = cv
        self.max_influence = max_influence
        self.floor = floor
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> "MarketRegressor":
        """Members learn, out of fold and then from everything; the market learns from what they offered.

        `X` [rows, features] (whatever the members take), `y` [rows] numbers, `sample_weight` [rows]: handed to the members
        that can weigh rows, and counted by the market. `params`: with metadata routing on, to the members that ask.
        """
        self._check_settings()
        X, y, weight = self._checked(X, y, sample_weight)
        kept = self._given()
        if self.max_influence is not None and not 1 / len(kept) <= self.max_influence <= 1:
            raise BadInput(
                f"max_influence must lie in [1/{len(kept)}, 1] with {len(kept)} members, not {self.max_influence}: shares "
                "sum to one"
            )
        names, given = [name for name, _ in kept], [member for _, member in kept]
        if isinstance(self.cv, str):
            self.estimators_ = [members.check_prefit(name, member) for name, member in kept]
            offered = members.together(given, X, numbers, self.n_jobs)
        else:
            own = self._params(kept, sample_weight, params)
            fold = self._dealt(X, y, weight, params)
            offered = members.out_of_fold(given, X, y, own, fold, numbers, self.n_jobs)
            self.estimators_ = members.fitted(given, X, y, own, self.n_jobs)
        self.named_estimators_ = dict(zip(names, self.estimators_))
        self._trade(offered, y, weight, self._nested(X, np.zeros(len(y), int), weight))
        return self

    def _trade(self, offered: Array, y: Array, weight: Array, fold: Array) -> None:
        """The market learns from what was offered and what came."""
        there = weight > 0
        self.centre_, self.unit_ = standard_units(y[there], weight[there])
        mean, spread = self._standard(offered[there])
        self.said_ = Said(mean, spread, (y[there] - self.centre_) / self.unit_, weight[there])
        learn: Callable[..., Any] = lambda cap: continuum.learn(  # noqa: E731
            self.market, self.said_, fold[there], float(self.floor), cap=None if cap is None else float(cap)
        )
        self.calibration_, self.price_ = learn(self.max_influence)
        names, belief = list(self.named_estimators_), self.calibration_.belief(mean, spread)
        part = self.said_.weight / self.said_.weight.sum()
        log: Callable[..., float] = lambda pool: float(part @ pool.price(belief).log(self.said_.y))  # noqa: E731
        cost = None if self.max_influence is None else log(learn(None)[1]) - log(self.price_)
        self.influence_ = Influence(dict(zip(names, self.price_.shares().tolist())), cost)
        self.scores_ = dict(zip(names, (part @ belief.log(self.said_.y) - np.log(self.unit_)).tolist()))
        own = np.isfinite(offered[..., 1]).all(0)
        self.spreads_ = dict(zip(names, (self.calibration_.factor * np.where(own, 1.0, self.unit_)).tolist()))
        if isinstance(self.price_, continuum.Funds):
            self.fund_scores_ = dict(zip(self.price_.names, (self.price_.score - np.log(self.unit_)).tolist()))
            self.fund_wealth_ = dict(zip(self.price_.names, self.price_.wealth.tolist()))

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Mean of the price, [rows]; with `return_std` (mean, standard deviation of the price)."""
        price = self.predict_density(X)
        return (price.mean(), price.std()) if return_std else price.mean()

    def predict_density(self, X: Any) -> Density:
        """The price: a density for each row, in units of y."""
        belief = self._beliefs(X)
        return self.price_.price(belief).moved(self.centre_, self.unit_)

    def predict_quantiles(self, X: Any, quantiles: Any = (0.05, 0.5, 0.95)) -> Array:
        """Quantiles of the price, each in (0, 1): [rows, quantiles]."""
        levels = np.atleast_1d(np.asarray(quantiles, np.float64))
        if levels.ndim != 1 or not ((levels > 0) & (levels < 1)).all():
            raise BadInput(f"quantiles must be numbers between 0 and 1, not {quantiles}")
        return self.predict_density(X).quantiles(levels)

    def predict_log_density(self, X: Any, y: Any) -> Array:
        """Log density of the price at y [rows], nats per unit of y, [rows]."""
        price = self.predict_density(X)
        return price.log(self._told(y, len(price.place)))

    def transform(self, X: Any) -> Array:
        """What the members predict, [rows, members]."""
        return self._offered(X)[..., 0]

    def explain(self, X: Any, y: Any = None) -> Moves:
        """For each row who moved the mean of the price, by how much, what it would be without them and, for `y`, who is paid."""
        belief = self._beliefs(X)
        came = None if y is None else self._told(y, len(belief.mean))
        return moves(self.price_, belief, list(self.named_estimators_), self.centre_, self.unit_, came)

    def errors(self, X: Any = None, y: Any = None) -> Errors:
        """How alike the members err, and how much is gained by their not doing so (squared errors, in units of y squared): on
        X, or out of fold."""
        check_is_fitted(self)
        belief, came, weight = self.calibration_.belief(*self.said_[:2]), self.said_.y, self.said_.weight
        if X is not None:
            belief = self._beliefs(X)
            came, weight = (self._told(y, len(belief.mean)) - self.centre_) / self.unit_, np.ones(len(belief.mean))
        price = self.price_.price(belief).mean()
        return squared(
            self.unit_ * (came[:, None] - belief.mean), self.unit_ * (came - price), weight, self.price_.shares()
        )

    def scene(self, what: str = "wealth", X: Any = None, y: Any = None, row: int = 0) -> Scene:
        """A picture (`catallax.view` draws it): "wealth" (out of fold), or the "receipt" of a row of X."""
        check_is_fitted(self)
        names = list(self.named_estimators_)
        if what == "wealth":
            belief = self.calibration_.belief(self.said_.mean, self.said_.spread)
            hits = np.maximum(np.exp(belief.log(self.said_.y)), 1e-300)[..., None]
            price = np.exp(self.price_.price(belief).log(self.said_.y))[:, None]
            floor = Offers(hits, np.zeros(len(hits), int), self.said_.weight)
            return pictures.wealth(floor, price, names, self.price_.shares())
        if what == "receipt" and X is not None:
            found = self.explain(X, y)
            bars = [Bars(names, found.moved[row], "moved the mean")]
            if found.paid is not None:
                bars.append(Bars(names, found.paid[row], "won"))
            return Scene(found.sentence(row), bars)
        raise BadInput(f"there is a scene of 'wealth', and one of the 'receipt' of a row of X; not of {what!r}")

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Names of what `transform` gives: marketregressor_<member>."""
        check_is_fitted(self)
        return np.array([f"marketregressor_{name}" for name in self.named_estimators_], object)

    def _defaults(self) -> list[tuple[str, Any]]:
        return default_regressors(self.random_state)

    def _beliefs(self, X: Any) -> Belief:
        """What the members believe, in standard units."""
        offered = self._offered(X)
        return self.calibration_.belief(*self._standard(offered))

    def _offered(self, X: Any) -> Array:
        """Predictions and spreads (NaN: none given), [rows, members, 2]."""
        X = self._known(X)
        return members.together(self.estimators_, X, numbers, self.n_jobs)

    def _standard(self, offered: Array) -> tuple[Array, Array]:
        """Means and spreads in standard units, [rows, members] each."""
        mean, spread = offered[..., 0], offered[..., 1] / self.unit_
        if not np.isfinite(mean).all():
            row, member = np.argwhere(~np.isfinite(mean))[0]
            raise BadInput(
                f"estimator {list(self.named_estimators_)[member]!r} predicts {mean[row, member]} in row {row}: a trader must "
                "name a number; leave it out or mend its predict"
            )
        return (mean - self.centre_) / self.unit_, np.where(np.isfinite(spread), np.maximum(spread, self.floor), 1.0)

    def _told(self, y: Any, rows: int) -> Array:
        y = _numbers(y)
        if len(y) != rows:
            raise BadInput(f"y has {len(y)} rows and X has {rows}: give one number a row")
        return y

    def _dealt(self, X: Any, y: Array, weight: Array, params: dict[str, Any]) -> Array:
        """Folds; where all rows are alike, content cannot tell them apart and their number does."""
        fold = self._folds(X, y, np.zeros(len(y), int), weight, params)
        if isinstance(self.cv, (int, np.integer)) and len(np.unique(fold[weight > 0])) < 2:
            return np.arange(len(y)) % min(int(self.cv), len(y))
        return fold

    def _check_settings(self) -> None:
        if self.market not in continuum.MARKETS:
            raise BadInput(f"market must be one of {', '.join(continuum.MARKETS)}, not {self.market!r}")
        if isinstance(self.cv, str) and self.cv != "prefit":
            raise BadInput(f"cv must be a number of folds, a splitter, or 'prefit', not {self.cv!r}")
        if not 0 < self.floor < 1:
            raise BadInput(
                f"floor must lie between 0 and 1, not {self.floor}: a spread of 0 ruins whoever believes in it"
            )

    def _checked(self, X: Any, y: Any, weight: Any) -> tuple[Any, Array, Array]:
        """X, y, weights; sets what is known of the features."""
        X = indexable(validate_data(self, X, skip_check_array=True))[0]
        if y is None:
            raise BadInput("requires y to be passed, but the target y is None")
        y = _numbers(y)
        check_consistent_length(X, y)
        weight = (
            np.ones(len(y))
            if weight is None
            else _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
        )
        if (weight > 0).sum() < 2:
            raise BadInput(f"y has n_samples={(weight > 0).sum()} of any weight: a market needs 2 at least")
        return X, y, weight


def numbers(member: Any, X: Any) -> Array:
    """What a member offers on rows: its prediction, and its own standard deviation where it tells (else NaN), [rows, 2]."""
    if tells_doubt(member):
        with config_context(enable_metadata_routing=False):  # a pipeline hands `return_std` to its last step
            mean, spread = member.predict(X, return_std=True)
        return np.stack([np.asarray(mean, np.float64).ravel(), np.asarray(spread, np.float64).ravel()], 1)
    mean = np.asarray(member.predict(X), np.float64)
    if mean.size != len(mean):
        raise BadInput(f"{type(member).__name__} predicts {mean.shape[1]} numbers a row: a market trades on one")
    return np.stack([mean.ravel(), np.full(len(mean), np.nan)], 1)


def tells_doubt(member: Any) -> bool:
    """Whether `predict` takes `return_std`."""
    last = member.steps[-1][1] if isinstance(member, Pipeline) else member
    return "return_std" in inspect.signature(last.predict).parameters


def standard_units(y: Array, weight: Array) -> tuple[float, float]:
    """The median, and the distance of the quartiles / 1.349 (the mean distance from the median where they coincide; 1 where
    y is constant): outliers do not change what is wide."""
    order = np.argsort(y, kind="stable")
    part = np.cumsum(weight[order]) / weight.sum()

    def at(level: float) -> float:
        places = np.searchsorted(part, [level - 1e-12, level + 1e-12])
        return float(y[order][np.minimum(places, len(y) - 1)].mean())

    low, centre, high = at(0.25), at(0.5), at(0.75)
    apart = np.abs(y - centre)
    typical = float(weight @ apart / weight.sum())
    unit = (high - low) / 1.349
    if unit <= 1e-12 * max(abs(low), abs(high)):
        unit = typical
    return centre, unit if unit > 0 else 1.0


def _numbers(y: Any) -> Array:
    """y as finite numbers, [rows]."""
    y = column_or_1d(y, warn=True)
    try:
        y = np.asarray(y, np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput("y must hold numbers; use MarketClassifier for classes") from error
    bad = ~np.isfinite(y)
    if bad.any():
        row = int(bad.argmax())
        raise BadInput(f"Input y contains NaN or infinity: row {row} is {y[row]}; leave it out or give its number")
    return y


def default_regressors(seed: int | None) -> list[tuple[str, Any]]:
    """Six unlike learners: trees of three kinds, lines, neighbours, a kernel machine."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    machine = TransformedTargetRegressor(SVR(), transformer=StandardScaler())  # its width and cost are in units of y
    return [
        ("forest", RandomForestRegressor(100, random_state=seed)),
        ("extra_trees", ExtraTreesRegressor(100, random_state=seed)),
        ("boosting", HistGradientBoostingRegressor(max_iter=100, early_stopping=cast(Any, False), random_state=seed)),
        ("ridge", members.scaled(RidgeCV(np.logspace(-3, 3, 13)))),
        ("neighbours", members.scaled(KNeighborsRegressor(8, weights="distance"))),
        ("machine", members.scaled(machine)),
    ]
