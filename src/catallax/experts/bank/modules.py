"""A module: one estimator, which owns the inputs that it bought and learns on nothing else.

Payment must be for foresight, not for memory (a nearest neighbour has no loss on what it owns), so a module keeps folds + 1
copies of its estimator: copy c has not learnt from inputs of fold c and answers for those; the last learns from all it owns
and answers for inputs that are new. Copies learn a purchase by `partial_fit` where there is one, else are fitted anew on
all that is owned when next asked. A copy that has seen one class, or none, answers with the frequencies of what it has seen,
smoothed towards those that are public.
"""

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone

Array = np.ndarray
NEW = -1  # the fold of inputs that nobody can own


class Goods:
    """Inputs that are owned: a row each, by number. Buying what is owned already changes nothing."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[Array, int, int]] = {}

    def add(self, number: Array, X: Array, y: Array, fold: Array) -> bool:
        """Whether anything is new."""
        before = len(self.rows)
        for i, x, label, part in zip(number.tolist(), X, y.tolist(), fold.tolist()):
            self.rows[i] = (x, label, part)
        return len(self.rows) > before

    def drop(self, number: Array) -> None:
        for i in number.tolist():
            self.rows.pop(i, None)

    def without(self, fold: int) -> tuple[Array, Array]:
        """Inputs and labels of all other folds, in order of their numbers."""
        kept = [self.rows[i] for i in sorted(self.rows) if self.rows[i][2] != fold]
        return np.array([x for x, _, _ in kept]), np.array([label for _, label, _ in kept], np.int64)


class Module:
    """An estimator that trades. It is told `prior` [classes], which is public, and what it buys."""

    process = 0  # of its own: none

    def __init__(self, estimator: Any, prior: Array, folds: int, passes: int, floor: float, seed: int) -> None:
        self.estimator, self.prior, self.passes, self.floor = estimator, prior, passes, floor
        self.by_parts, self.least = hasattr(estimator, "partial_fit"), _neighbours(estimator)
        rng = np.random.default_rng(seed)
        self.copies = [_seeded(clone(estimator), int(rng.integers(2**31 - 1))) for _ in range(folds + 1)]
        self.folds = folds
        self.goods = Goods()
        self.seen = np.zeros((folds + 1, len(prior)))  # by copy and class
        self.fitted = np.zeros(folds + 1, bool)
        self.stale = np.zeros(folds + 1, bool)

    def buy(self, number: Array, X: Array, y: Array, fold: Array, lost: Array) -> None:
        """Own rows `number` from now on, and rows `lost` no more."""
        self.goods.drop(lost)
        fresh = self.goods.add(number, X, y, fold)
        for copy in range(self.folds + 1):
            mine = fold != copy
            if self.by_parts and mine.any():
                self._learn_part(copy, X[mine], y[mine])
            elif not self.by_parts:
                self.stale[copy] |= fresh or len(lost) > 0

    def offer(self, X: Array, fold: Array) -> Array:
        """Chances of each class by the copy that has not learnt from a row's fold, [rows, classes], none below the floor."""
        chance = np.empty((len(X), len(self.prior)))
        for part in np.unique(fold).tolist():
            rows = fold == part
            chance[rows] = self._chances(self.folds if part == NEW else part, X[rows])
        chance = np.maximum(chance, self.floor)
        return chance / chance.sum(1, keepdims=True)

    def close(self) -> None:
        """Nothing to shut down."""

    def settled(self) -> "Module":
        """All copies are up to date: what a fitted market keeps, without the rows that it owned."""
        for copy in np.flatnonzero(self.stale).tolist():
            self._learn_all(copy)
        self.goods = Goods()
        return self

    def _learn_part(self, copy: int, X: Array, y: Array) -> None:
        classes = np.arange(len(self.prior))
        with warnings.catch_warnings():  # a purchase may be smaller than what a network takes at a time
            warnings.filterwarnings("ignore", message="Got `batch_size` less than 1 or larger than sample size")
            again = np.tile(np.arange(len(y)), self.passes)  # one call: what it checks costs more than what it learns
            self.copies[copy].partial_fit(X[again], y[again], classes=classes)
        self.seen[copy] += np.bincount(y, minlength=len(self.prior))
        self.fitted[copy] = True

    def _learn_all(self, copy: int) -> None:
        X, y = self.goods.without(copy)
        self.seen[copy] = np.bincount(y, minlength=len(self.prior))
        self.fitted[copy] = np.count_nonzero(self.seen[copy]) > 1 and len(y) >= self.least
        if self.fitted[copy]:
            self.copies[copy].fit(X, y)
        self.stale[copy] = False

    def _chances(self, copy: int, X: Array) -> Array:
        if self.stale[copy]:
            self._learn_all(copy)
        if not self.fitted[copy]:
            seen = self.seen[copy] + self.prior
            return np.broadcast_to(seen / seen.sum(), (len(X), len(self.prior)))
        with np.errstate(
            divide="ignore", invalid="ignore", over="ignore"
        ):  # classes it has not met: it says 0, or nothing
            given = np.asarray(self.copies[copy].predict_proba(X), np.float64)
        chance = np.zeros((len(X), len(self.prior)))
        chance[:, np.asarray(self.copies[copy].classes_, np.int64)] = given
        return np.where(np.isfinite(chance), chance, 0.0)


def _seeded(estimator: Any, seed: int) -> Any:
    """Every random state in the estimator set from `seed`: rivals of one make are unlike, runs are alike."""
    rng = np.random.default_rng(seed)
    parameters = sorted(name for name in estimator.get_params() if name.rsplit("__", 1)[-1] == "random_state")
    return estimator.set_params(**{name: int(rng.integers(2**31 - 1)) for name in parameters})


def _neighbours(estimator: Any) -> int:
    """How many inputs it must own before it can answer: its k nearest must be there."""
    counts = [value for name, value in estimator.get_params().items() if name.rsplit("__", 1)[-1] == "n_neighbors"]
    return max((count for count in counts if isinstance(count, int)), default=0)
