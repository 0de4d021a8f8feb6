"""Members: estimators that are fitted, and what each of them offers on rows that it has not learnt from.

A member knows what its own predictions say and nothing else. It learns on all folds but one and offers on that one, so
that wealth rewards foresight and not memory; then it learns on everything. Members that come fitted offer at once.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import _check_method_params, check_is_fitted, has_fit_parameter

from catallax.core.errors import BadInput

Array = np.ndarray
Offer = Callable[[Any, Any], Array]  # (fitted member, X) -> what it offers, [rows, ...]
Params = Sequence[dict[str, Any]]  # of each member's fit


def default_classifiers(seed: int | None) -> list[tuple[str, BaseEstimator]]:
    """Seven unlike learners: trees of three kinds, lines, densities, neighbours."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier

    return [
        ("forest", RandomForestClassifier(100, random_state=seed)),
        ("extra_trees", ExtraTreesClassifier(100, random_state=seed)),
        ("boosting", HistGradientBoostingClassifier(max_iter=60, early_stopping=cast(Any, False), random_state=seed)),
        ("logistic", scaled(LogisticRegression(max_iter=1000))),
        ("discriminant", scaled(LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))),
        ("neighbours", scaled(KNeighborsClassifier(15))),
        ("bayes", scaled(GaussianNB())),
    ]


def scaled(last: Any) -> Pipeline:
    """An estimator that is told of features in their own standard deviations, with what is missing filled by means."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), last)


def weighted(member: Any, weight: Any) -> dict[str, Any]:
    """What `fit` of this member must be given for its rows to count by weight; nothing where it cannot weigh them."""
    if weight is None:
        return {}
    if isinstance(member, Pipeline):
        name, last = member.steps[-1]
        return {f"{name}__{key}": value for key, value in weighted(last, weight).items()}
    return {"sample_weight": weight} if has_fit_parameter(member, "sample_weight") else {}


def routed(owner: Any, names: Sequence[str], weight: Any, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Of everything given to `fit`, what each member asked for (scikit-learn's metadata routing)."""
    given = params if weight is None else {"sample_weight": weight, **params}
    routing = process_routing(owner, "fit", **given)
    return [dict(routing[name]["fit"]) for name in names]


def check_prefit(name: str, member: Any) -> Any:
    """A member that comes fitted. Raises `BadInput` for one that is not."""
    try:
        check_is_fitted(member)
    except Exception as error:
        raise BadInput(
            f"estimator {name!r} is not fitted, and cv='prefit' says that it is: fit it, or give cv=5"
        ) from error
    return member


def fitted(members: Sequence[Any], X: Any, y: Any, params: Params, jobs: int | None) -> list[Any]:
    """Clones of the members that have learnt from everything."""
    return Parallel(n_jobs=jobs)(delayed(_fit)(clone(m), X, y, p) for m, p in zip(members, params))  # pyright: ignore[reportReturnType]


def out_of_fold(
    members: Sequence[Any], X: Any, y: Any, params: Params, fold: Array, offer: Offer, jobs: int | None
) -> Array:
    """What each member offers on each row, having learnt from the other folds: [rows, members, ...]."""
    held = [(np.flatnonzero(fold != part), np.flatnonzero(fold == part)) for part in np.unique(fold)]
    offered = Parallel(n_jobs=jobs)(
        delayed(_offered)(clone(m), X, y, p, learnt, kept, offer)
        for m, p in zip(members, params)
        for learnt, kept in held
    )
    first = np.asarray(offered[0])  # pyright: ignore[reportIndexIssue, reportOptionalSubscript]
    whole = np.empty((len(fold), len(members), *first.shape[1:]))
    for number, part in enumerate(offered):  # pyright: ignore[reportArgumentType]
        whole[held[number % len(held)][1], number // len(held)] = part
    return whole


def together(members: Sequence[Any], X: Any, offer: Offer, jobs: int | None) -> Array:
    """What fitted members offer, [rows, members, ...]."""
    return np.stack(Parallel(n_jobs=jobs, prefer="threads")(delayed(offer)(m, X) for m in members), 1)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _fit(member: Any, X: Any, y: Any, params: dict[str, Any]) -> Any:
    return member.fit(X, y, **params)


def _offered(member: Any, X: Any, y: Any, params: dict[str, Any], learnt: Array, kept: Array, offer: Offer) -> Array:
    own = _check_method_params(X, params=params, indices=learnt)
    return offer(_fit(member, _safe_indexing(X, learnt), y[learnt], own), _safe_indexing(X, kept))
