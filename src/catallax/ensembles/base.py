"""What market estimators share: members by name, their parameters, folds, metadata routing.

The manners are those of scikit-learn's voting and stacking: `estimators` is a list of (name, estimator), one may be
"drop", and `set_params(name__parameter=...)` reaches into them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import MetaEstimatorMixin, is_classifier, is_regressor
from sklearn.model_selection import check_cv
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, _routing_enabled, process_routing
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from catallax.core.errors import BadInput
from catallax.ensembles import members
from catallax.ensembles.folds import content_folds, row_hashes

Array = np.ndarray


class MarketEstimator(MetaEstimatorMixin, _BaseComposition):
    """A market whose traders are estimators. What it forecasts is the subclass's."""

    _kind: ClassVar[str]  # of its members: classifier or regressor
    estimators: Any
    cv: Any
    n_jobs: Any
    random_state: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, with those of the members by name."""
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params: Any) -> "MarketEstimator":
        """Parameters, those of members as `name__parameter`, a member itself as `name` ("drop" leaves it out)."""
        self._set_params("estimators", **params)
        return self

    @property
    def named_estimators(self) -> dict[str, Any]:
        """Members as given, by name."""
        return dict(self.estimators or ())

    def get_metadata_routing(self) -> MetadataRouter:
        """Everything given to `fit` goes to the members that ask for it, and to a splitter."""
        router = MetadataRouter(owner=self)
        for name, member in self._given():
            router.add(method_mapping=MethodMapping().add(caller="fit", callee="fit"), **{name: member})
        if hasattr(self.cv, "split"):
            router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
        return router

    def _defaults(self) -> list[tuple[str, Any]]:
        raise NotImplementedError

    def _given(self) -> list[tuple[str, Any]]:
        """Members and their names, none dropped.

        Raises `BadInput` where there is none, or one is not of the right kind.
        """
        given = self._defaults() if self.estimators is None else self.estimators
        if not isinstance(given, Sequence) or not given or not all(len(item) == 2 for item in given):
            raise BadInput("estimators must be a list of (name, estimator), at least one of them")
        self._validate_names([name for name, _ in given])
        kept = [(name, member) for name, member in given if member != "drop"]
        if not kept:
            raise BadInput("all estimators are dropped: leave at least one in")
        right = {"classifier": is_classifier, "regressor": is_regressor}[self._kind]
        for name, member in kept:
            if not right(member):
                raise BadInput(f"estimator {name!r} must be a {self._kind}: {type(member).__name__} is none")
        return kept

    def _params(self, kept: list[tuple[str, Any]], weight: Any, params: dict[str, Any]) -> list[dict[str, Any]]:
        """What each member's `fit` is given."""
        if _routing_enabled():
            return members.routed(self, [name for name, _ in kept], weight, params)
        if params:
            raise BadInput(
                f"fit takes {', '.join(params)} only for members that ask for it: sklearn.set_config("
                "enable_metadata_routing=True), and set_fit_request on them"
            )
        return [members.weighted(member, weight) for _, member in kept]

    def _folds(self, X: Any, y: Array, group: Array, weight: Array, params: dict[str, Any]) -> Array:
        """Which fold each row is in: by content for a number, else as a splitter says."""
        if isinstance(self.cv, (int, np.integer)):
            rows = _num_samples(X)
            if not self.cv >= 2:
                raise BadInput(
                    f"cv must be at least 2, not {self.cv}: members must learn from some rows and offer on others"
                )
            return content_folds(row_hashes(X), group, weight, min(int(self.cv), rows))
        splitter: Any = check_cv(self.cv, y, classifier=self._kind == "classifier")
        given = process_routing(self, "fit", **params).splitter.split if _routing_enabled() and params else {}
        fold = np.full(_num_samples(X), -1)
        for number, (_, kept) in enumerate(splitter.split(X, y, **given)):
            if (fold[kept] >= 0).any():
                raise BadInput("cv must put each row in one fold, not several: a repeated or shuffled split does not")
            fold[kept] = number
        if (fold < 0).any():
            raise BadInput(f"cv must put each row in a fold: row {int(np.argmin(fold))} is in none")
        return fold

    def _nested(self, X: Any, group: Array, weight: Array) -> Array:
        """Folds of the out-of-fold rows, for the market's own learning: by content, dealt anew."""
        return content_folds(row_hashes(X, salt=1), group, weight, min(5, _num_samples(X)))

    def _known(self, X: Any) -> Any:
        """X to forecast on, with the features of `fit`."""
        check_is_fitted(self)
        if hasattr(self, "n_features_in_") and getattr(X, "ndim", 2) == 1:
            raise BadInput(
                "X has one axis where rows and features are expected. Reshape your data: X.reshape(1, -1) is one row"
            )
        return indexable(validate_data(self, X, reset=False, skip_check_array=True))[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        asked = [
            member.__sklearn_tags__() for _, member in self._given_or_none() if hasattr(member, "__sklearn_tags__")
        ]
        tags.input_tags.allow_nan = bool(asked) and all(tag.input_tags.allow_nan for tag in asked)
        tags.input_tags.sparse = bool(asked) and all(tag.input_tags.sparse for tag in asked)
        return tags

    def _given_or_none(self) -> list[tuple[str, Any]]:
        try:
            return self._given()
        except (BadInput, ValueError, TypeError):
            return []
