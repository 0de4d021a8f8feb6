"""Dictionaries learnt as samples come: atoms that explain them with few neurons.

    codes a of a batch                               (`networks.sparse`)
    U <- fade U + a'a / batch     V <- fade V + a'X / batch         fade = (1 - 1 / t)^2 in batch t
    d_j <- unit(d_j + (V_j - U_j D) / U_jj)          for each atom in turn: Mairal's block coordinate descent

An atom that spoke for none of the last `idle` samples is dead: it is replaced by the sample that is explained worst, and counted
(`replaced_`).

J. Mairal, F. Bach, J. Ponce and G. Sapiro, Online learning for matrix factorization and sparse coding, JMLR 11, 2010.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from catallax.core.errors import BadInput
from catallax.core.progress import Frame
from catallax.core.scene import Grid, Scene
from catallax.networks.sparse.atoms import Atoms
from catallax.networks.sparse.coder import SparseCoder, coded, known, whole_number

Array = np.ndarray
FADE = 2.0  # the power by which the past fades: codes of early, poor atoms must not count for ever
WORST = 32  # of the worst explained samples, as many times as there are dead atoms, one is drawn for each


class DictionaryLearner(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learns unit atoms from mini-batches, and codes with them.

    Parameters
    ----------
    n_atoms : how many; None: twice the features.
    penalty, positive, method, tolerance, max_rounds, sparse_output, n_jobs : as in `SparseCoder` (soft threshold).
    epochs : passes over X in `fit`. `partial_fit` makes one.
    batch_size : samples between two updates of the atoms.
    idle : samples without a word after which an atom is dead; None: ten times the atoms, at least four batches.
    random_state : what shuffles samples and draws first and new atoms.
    look : called with a `Frame` (batch, batches, change of the atoms, cost a sample and replaced atoms) after each batch of
        `fit`; whatever it returns that is true ends it.

    After `fit` or `partial_fit`
    ----------------------------
    components_ : [atoms, features], rows of unit norm. cost_ : cost a sample in each batch, [batches], of atoms as they were.
    replaced_ : atoms replaced so far. dead_ : bool [atoms], silent for the last `idle` samples and not replaced yet.
    n_samples_seen_, n_features_in_.
    """

    def __init__(
        self,
        n_atoms: Any = None,
        *,
        penalty: Any = 0.1,
        positive: Any = False,
        method: Any = "auto",
        tolerance: Any = 1e-3,
        max_rounds: Any = 10_000,
        epochs: Any = 10,
        batch_size: Any = 256,
        idle: Any = None,
        sparse_output: Any = False,
        n_jobs: Any = None,
        random_state: Any = None,
        look: Any = None,
    ) -> None:
        self.n_atoms = n_atoms
        self.penalty = penalty
        self.positive = positive
        self.method = method
        self.tolerance = tolerance
        self.max_rounds = max_rounds
        self.epochs = epochs
        self.batch_size = batch_size
        self.idle = idle
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.look = look

    def fit(self, X: Any, y: Any = None) -> "DictionaryLearner":
        """Forgets all, and learns from X [samples, features]. Raises `BadInput` as `SparseCoder` does."""
        X = self._opened(X, reset=True)
        self._begin(X)
        began, done = time.perf_counter(), 0
        batches = self.epochs * -(-len(X) // self.batch_size)
        for _ in range(self.epochs):
            for batch in self._batches(X):
                before = self.components_
                self._learn(batch)
                done += 1
                if self.look is not None:
                    change = float(np.abs(self.components_ - before).max())
                    values = {"cost": np.asarray(self.cost_[-1]), "replaced": np.asarray(self.replaced_)}
                    if self.look(Frame(done, batches, change, values, time.perf_counter() - began)):
                        return self
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "DictionaryLearner":
        """One pass over more samples X [samples, features]."""
        fresh = not hasattr(self, "components_")
        X = self._opened(X, reset=fresh)
        if fresh:
            self._begin(X)
        for batch in self._batches(X):
            self._learn(batch)
        return self

    def transform(self, X: Any) -> Any:
        """Codes [samples, atoms] of X [samples, features], in the type of X; CSR where `sparse_output`."""
        check_is_fitted(self, "components_")
        return self.coder.transform(known(self, X, reset=False))

    def inverse_transform(self, X: Any) -> Array:
        """What codes X [samples, atoms] explain, [samples, features]."""
        check_is_fitted(self, "components_")
        return self.coder.inverse_transform(X)

    @property
    def coder(self) -> SparseCoder:
        """A `SparseCoder` over the atoms as they are."""
        return SparseCoder(
            getattr(self, "components_", None),
            penalty=self.penalty,
            positive=self.positive,
            method=self.method,
            tolerance=self.tolerance,
            max_rounds=self.max_rounds,
            sparse_output=self.sparse_output,
            n_jobs=self.n_jobs,
        )

    def _opened(self, X: Any, reset: bool) -> Array:
        """X and the parameters, checked."""
        self.coder._aim()
        for name in ("n_atoms", "epochs", "batch_size", "idle"):
            whole_number(name, getattr(self, name), optional=name in ("n_atoms", "idle"))
        return known(self, X, reset)

    def _begin(self, X: Array) -> None:
        self._random = check_random_state(self.random_state)
        count = self.n_atoms or 2 * X.shape[1]
        self._keep(first_atoms(X, count, self._random))
        self._alike, self._along = np.zeros((count, count)), np.zeros((count, X.shape[1]))  # U and V above
        self._silent = np.zeros(count, np.int64)  # samples since it last spoke
        self.cost_, self._costs = np.zeros(0), []
        self.replaced_, self.n_samples_seen_ = 0, 0

    def _batches(self, X: Array) -> Iterator[Array]:
        order = self._random.permutation(len(X))
        for k in range(0, len(X), self.batch_size):
            yield X[order[k : k + self.batch_size]]

    def _learn(self, batch: Array) -> None:
        """Codes of one batch, and atoms moved towards what they explain."""
        batch = batch.astype(np.float64, copy=False)
        found = coded(batch, self.atoms_, self.coder._aim(), self.method, threads=self.n_jobs)
        fade = (1 - 1 / (len(self._costs) + 1)) ** FADE
        self._alike = fade * self._alike + found.codes.T @ found.codes / len(batch)
        self._along = fade * self._along + found.codes.T @ batch / len(batch)
        table = moved(self.atoms_.table.copy(), self._alike, self._along)
        self._silent = np.where((found.codes != 0).any(0), 0, self._silent + len(batch))
        self._revive(table, batch, found.cost)
        self._keep(table)
        self._costs.append(found.cost.mean())
        self.cost_ = np.array(self._costs)
        self.n_samples_seen_ += len(batch)

    def _revive(self, table: Array, batch: Array, cost: Array) -> None:
        """Dead atoms become samples that are explained badly, as far as there are any."""
        limit = self.idle or max(10 * len(table), 4 * self.batch_size)
        dead = np.flatnonzero(self._silent >= limit)
        poor = np.argsort(-cost, kind="stable")[: WORST * max(len(dead), 1)]
        poor = self._random.permutation(poor[np.linalg.norm(batch[poor], axis=1) > 0])[: len(dead)]
        dead = dead[: len(poor)]
        table[dead] = batch[poor] / np.linalg.norm(batch[poor], axis=1, keepdims=True)
        self._alike[dead], self._alike[:, dead], self._along[dead], self._silent[dead] = 0, 0, 0, 0
        self.replaced_ += len(dead)
        self.dead_ = self._silent >= limit

    def _keep(self, table: Array) -> None:
        self.atoms_ = Atoms(table)
        self.components_ = self.atoms_.table

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def first_atoms(X: Array, count: int, random: Any) -> Array:
    """Unit atoms: rows of X without repetition, as far as they go, then random directions."""
    rows = random.permutation(np.flatnonzero(np.linalg.norm(X, axis=1) > 0))[:count]
    table = np.vstack([X[rows].astype(np.float64), random.normal(size=(count - len(rows), X.shape[1]))])
    return table / np.linalg.norm(table, axis=1, keepdims=True)


def moved(table: Array, alike: Array, along: Array) -> Array:
    """One pass over atoms, in place: each goes to what it would best be, the others standing."""
    least = 1e-9 * max(float(alike.diagonal().max()), np.finfo(float).tiny)
    for j in np.flatnonzero(alike.diagonal() > least):
        atom = table[j] + (along[j] - alike[j] @ table) / alike[j, j]
        norm = np.linalg.norm(atom)
        if norm > 0:
            table[j] = atom / norm
    return table


# --- what they look like ---


def atoms_scene(
    dictionary: Any, shape: tuple[int, int] | None = None, order: Any = None, title: str = "Atoms of a dictionary"
) -> Scene:
    """Atoms [atoms, features] as tiles of one picture, each scaled to its own largest entry.

    `shape`: height and width of a patch, whose product is `features`; None: square. `order` [atoms]: the most used first, say.
    Raises `BadInput` where features are no such patch.
    """
    table = np.asarray(dictionary, np.float64)
    if order is not None:
        table = table[np.asarray(order)]
    return Scene(title, (Grid(tiles(table, patch_shape(table, shape)), "weight, of the largest of its atom"),))


def patch_shape(table: Array, shape: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of the patches that rows of `table` are."""
    side = round(table.shape[1] ** 0.5)
    height, width = (side, side) if shape is None else shape
    if height * width != table.shape[1]:
        raise BadInput(
            f"atoms of {table.shape[1]} features are no patches of {height} x {width}: give shape=(height, width)"
        )
    return height, width


def tiles(table: Array, shape: tuple[int, int], across: int | None = None) -> Array:
    """Rows of `table` as patches, `across` in a row, NaN between; the first at the top left (row 0 of a grid is at the bottom)."""
    height, width = shape
    across = across or int(np.ceil(np.sqrt(len(table))))
    down = -(-len(table) // across)
    picture = np.full((down * (height + 1) - 1, across * (width + 1) - 1), np.nan)
    scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), np.finfo(float).tiny)
    for k, patch in enumerate((table / scale).reshape(-1, height, width)):
        y, x = k // across * (height + 1), k % across * (width + 1)
        picture[y : y + height, x : x + width] = patch
    return picture[::-1]
