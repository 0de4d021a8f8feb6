"""A market of the leaves of a forest: each trades only where it is awake.

A forest gives all its trees the same say. Here every leaf has wealth of its own, earned on rows that its tree has not
learnt from (out of bag), and the price on a row is that of the leaves it falls into. How far wealth may differ is not
fixed beforehand: leaf markets of several priors (one of them: everyone alike, the forest itself) trade in a market of
funds (`rules.funds`), which may extremise them too. On the tables tried all of the gain comes from that, and none from the
leaves: `benchmarks.leaves` shows both apart. The forest as it is owns half of all wealth at the start: who is to be heard
must have shown it.
"""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from catallax.core.errors import BadInput
from catallax.ensembles.folds import content_folds, row_hashes
from catallax.ensembles.offers import Array, clipped, offers
from catallax.ensembles.rules import funds, specialists
from catallax.ensembles.rules.linear import Linear

PRIORS = (np.inf, 100.0, 10.0, 1.0)  # rows' worth of "all leaves alike"; the first is the forest itself


class LeafMarketClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """A random forest whose leaves trade.

    `forest`: a `RandomForestClassifier` or `ExtraTreesClassifier` with `bootstrap=True`, not fitted; None: 100 trees. `market`:
    what the leaf markets trade in (as in `MarketClassifier`). `floor`: the least probability that is traded. `random_state`: of
    the default forest.

    Fitted: `forest_`, `classes_`, `wealth_` [priors, leaves] (the first: all alike), `price_` (of the funds).
    """

    def __init__(
        self,
        forest: Any = None,
        *,
        market: Any = "auto",
        floor: Any = 1e-3,
        n_jobs: Any = None,
        random_state: Any = None,
    ) -> None:
        self.forest = forest
        self.market = market
        self.floor = floor
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "LeafMarketClassifier":
        """The forest learns, then its leaves trade on the rows that their trees have not seen.

        `X` [rows, features], `y` [rows], `sample_weight` [rows].
        """
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float32, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        forest = self._forest()
        self.classes_, encoded = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise BadInput(
                f"y has one class only, {y.tolist()[0]!r}: there is nothing to forecast; give rows of two classes or more"
            )
        weight: Array = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        self.forest_ = forest.fit(X, encoded, sample_weight=None if sample_weight is None else weight)
        self.belief_ = np.vstack([_beliefs(tree) for tree in self.forest_.estimators_])
        self._first = np.cumsum([0] + [tree.tree_.node_count for tree in self.forest_.estimators_])
        leaves = self._leaves(X)
        kept = (leaves.out_of_bag.any(1)) & (weight > 0)
        if len(np.unique(encoded[kept])) < 2:
            raise BadInput("rows of one class only are out of bag: give the forest more trees, or more rows")
        self._trade(leaves.awake(kept), encoded[kept], weight[kept], row_hashes(X)[kept])
        return self

    def _trade(self, awake: Any, outcome: Array, weight: Array, hashes: Array) -> None:
        """Leaf markets learn on four folds and offer on the fifth; funds trade on what they offered."""
        fold = content_folds(hashes, outcome, weight, 5)
        offered = np.empty((len(outcome), len(PRIORS), len(self.classes_)))
        for part in np.unique(fold):
            learnt, held = fold != part, fold == part
            for number, prior in enumerate(PRIORS):
                wealth = _wealth(awake[learnt], self.belief_, outcome[learnt], weight[learnt], prior)
                offered[held, number] = specialists.price(awake[held], self.belief_, wealth)
        self.wealth_ = np.stack([_wealth(awake, self.belief_, outcome, weight, prior) for prior in PRIORS])
        self.offers_ = offers(np.clip(offered, 0, 1), outcome, weight, floor=self.floor)
        forest = Linear(np.eye(len(PRIORS))[0])
        self.price_ = funds.learn(self.market, self.offers_, fold, incumbent=forest)

    def predict_proba(self, X: Any) -> Array:
        """The price of each class, [rows, classes]."""
        offered = self.offered(X)
        return self.price_.price(clipped(offered, self.floor))

    def offered(self, X: Any) -> Array:
        """What the leaf markets come to by themselves, [rows, priors, classes]; the first is the forest."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=np.float32, ensure_all_finite="allow-nan")
        rows = self._leaves(X, known=False)
        awake = rows.awake(np.ones(len(rows.leaf), bool))
        return np.stack([specialists.price(awake, self.belief_, wealth) for wealth in self.wealth_], 1)

    def predict_log_proba(self, X: Any) -> Array:
        """Its logarithm, [rows, classes]."""
        return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Array:
        """The dearest class, [rows]."""
        dearest = self.predict_proba(X).argmax(1)
        return self.classes_[dearest]

    def _forest(self) -> Any:
        default = RandomForestClassifier(100, random_state=self.random_state)
        forest: Any = clone(default if self.forest is None else self.forest)
        if not hasattr(forest, "estimators_samples_") and not hasattr(type(forest), "estimators_samples_"):
            raise BadInput(
                f"forest must be a RandomForestClassifier or an ExtraTreesClassifier, not {type(forest).__name__}"
            )
        if not forest.bootstrap:
            raise BadInput(
                "forest must have bootstrap=True: leaves earn their wealth on rows that their tree has not seen"
            )
        return forest.set_params(n_jobs=self.n_jobs) if self.n_jobs is not None else forest

    def _leaves(self, X: Any, known: bool = True) -> "_Leaves":
        """Which leaf of each tree each row falls into, and which trees have not seen it (all, where rows are new)."""
        leaf = self.forest_.apply(X) + self._first[:-1]
        unseen = np.ones(leaf.shape, bool)
        if known:
            for tree, rows in enumerate(self.forest_.estimators_samples_):
                unseen[rows, tree] = False
        return _Leaves(leaf, unseen, int(self._first[-1]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = self._forest_tags()
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.sparse = True
        return tags

    def _forest_tags(self) -> Any:
        forest = RandomForestClassifier() if self.forest is None else self.forest
        return forest.__sklearn_tags__()


class _Leaves:
    """`leaf` [rows, trees]: which leaf of all; `out_of_bag` [rows, trees]."""

    def __init__(self, leaf: Array, out_of_bag: Array, count: int) -> None:
        self.leaf, self.out_of_bag, self.count = leaf, out_of_bag, count

    def awake(self, kept: Array) -> Any:
        """Sparse 0/1 [kept rows, leaves]: who may trade on a row."""
        leaf, may = self.leaf[kept], self.out_of_bag[kept]
        ends = np.concatenate([[0], np.cumsum(may.sum(1))])
        return sparse.csr_array((np.ones(int(ends[-1])), leaf[may], ends), (len(leaf), self.count))


def _beliefs(tree: Any) -> Array:
    """What each node of a tree has seen come, [nodes, classes], summing to one."""
    value = tree.tree_.value[:, 0]
    return value / value.sum(1, keepdims=True)


def _wealth(awake: Any, belief: Array, outcome: Array, weight: Array, prior: float) -> Array:
    if np.isinf(prior):
        return np.ones(awake.shape[1])
    return specialists.learn(awake, belief, outcome, weight, prior)
