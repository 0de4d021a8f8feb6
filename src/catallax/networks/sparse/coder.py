"""Sparse codes: few neurons of many explain a sample, and compete for it through what is still unexplained.

    minimise over a   |x - aD|^2 / 2 + penalty |a|_1        (threshold="soft": the LASSO)
                      |x - aD|^2 / 2 + penalty^2 / 2 |a|_0  (threshold="hard": a local minimum)

In place of `sklearn.decomposition.SparseCoder`: every code comes with its duality gap, and stops when that is small enough.

B. Olshausen and D. Field, Nature 381, 1996; C. Rozell et al., Neural Computation 20, 2008. Methods: `networks.sparse`.
"""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from catallax.core.errors import BadInput, Refused
from catallax.networks.sparse import certificate
from catallax.networks.sparse.atoms import Atoms, Operator
from catallax.networks.sparse.batch import Aim, Found
from catallax.networks.sparse.encode import METHODS, chosen, encode, pieces

Array = np.ndarray
NO_GAP = (
    "the hard threshold's cost is not convex, so there is no dual price that bounds it: gaps are NaN, and what was checked is "
    "that the membranes are at rest (within tolerance, in penalties)"
)


class Codes(NamedTuple):
    """What `SparseCoder.code` returns, each a row a sample.

    `codes` [samples, atoms] (a CSR matrix where `sparse_output`); `cost` [samples]; `gap` [samples], (P - D) / P, recomputed
    or certified in float64, NaN for the hard threshold; `rounds` [samples]; `unrest` [samples]: what was held against the
    tolerance (soft: the gap; hard: how far the membranes are from rest); `notes`: sentences.
    """

    codes: Any
    cost: Array
    gap: Array
    rounds: Array
    unrest: Array
    notes: tuple[str, ...] = ()


class SparseCoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Sparse codes of rows over a dictionary of unit atoms.

    Parameters
    ----------
    dictionary : [atoms, features], each row of unit norm; None: the rows of X given to `fit`, scaled to unit norm (zero rows
        are left out): each sample is then explained by few others (J. Wright et al., IEEE PAMI 31, 2009).
    penalty : what a unit of activity costs, in the units of X; above 0.
    method : "auto", the fastest that certifies ("active", an exact active set; above 4,096 atoms "admm"; for the hard threshold
        "lca"), "lca" (Rozell et al. 2008), "admm", "fista" or "active". All reach the same point.
    threshold : "soft" (the LASSO) or "hard" (LCA's other one; `method` "lca" or "auto").
    positive : whether codes must not be negative.
    tolerance : the duality gap (P - D) / P at which a sample is done; hard: the unrest of the membranes, in penalties.
    max_rounds : rounds allowed to a sample.
    rate : step of LCA's Euler rule, dt / tau; None: close to the largest stable one.
    batch_size : samples in work at once, what bounds the memory; None: as many as a processor's cache holds.
    sparse_output : whether `transform` returns a SciPy CSR matrix.
    n_jobs : threads; None: 1.

    After `fit`
    -----------
    components_ : [atoms, features]. n_features_in_.

    With a given `dictionary`, `code` and `transform` need no `fit`.
    """

    def __init__(
        self,
        dictionary: Any = None,
        *,
        penalty: Any = 0.1,
        method: Any = "auto",
        threshold: Any = "soft",
        positive: Any = False,
        tolerance: Any = 1e-3,
        max_rounds: Any = 10_000,
        rate: Any = None,
        batch_size: Any = None,
        sparse_output: Any = False,
        n_jobs: Any = None,
    ) -> None:
        self.dictionary = dictionary
        self.penalty = penalty
        self.method = method
        self.threshold = threshold
        self.positive = positive
        self.tolerance = tolerance
        self.max_rounds = max_rounds
        self.rate = rate
        self.batch_size = batch_size
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> "SparseCoder":
        """Checks the parameters; keeps the dictionary, or takes it from X [samples, features].

        Raises `BadInput` for parameters out of range, atoms that are zero or not of unit norm, X that holds NaN.
        """
        self._aim()
        X = known(self, X, reset=True)
        self.atoms_ = Atoms(exemplars(X) if self.dictionary is None else self.dictionary)
        self.components_ = self.atoms_.table
        chosen(self.method, self.atoms_, self.threshold == "hard")
        check_width(X, self.atoms_)
        return self

    def transform(self, X: Any) -> Any:
        """Codes [samples, atoms] of X [samples, features], in the type of X; CSR where `sparse_output`.

        Warns (`ConvergenceWarning`) where samples are not certified within `max_rounds`; `code` says which.
        """
        found = self.code(X)
        late = ~(found.unrest <= self.tolerance)
        if late.any():
            warnings.warn(
                f"{late.sum()} of {len(late)} samples are not within tolerance={self.tolerance:g} after "
                f"{self.max_rounds} rounds (the worst at {np.max(found.unrest):.1e}): allow more, or ask for less",
                ConvergenceWarning,
                stacklevel=2,
            )
        return found.codes

    def code(self, X: Any, start: Any = None) -> Codes:
        """Codes of X [samples, features] with their certificates. `start` [samples, atoms]: codes to go on from."""
        atoms = self._known_atoms()
        aim = self._aim()
        X = known(self, X, reset=False)
        check_width(X, atoms)
        start = None if start is None else warm(start, len(X), atoms, aim.positive)
        found = coded(X, atoms, aim, self.method, start, self.rate, self.batch_size, self.sparse_output, self.n_jobs)
        return Codes(*found, notes=(NO_GAP,) if aim.hard else ())

    def price(self, X: Any, codes: Any) -> Array:
        """The dual point of `codes` [samples, atoms]: a price for each feature of each sample, [samples, features], of what is
        still unexplained, at which no atom pays more than the penalty. Refused for the hard threshold, which has none."""
        if self.threshold == "hard":
            raise Refused(NO_GAP)
        atoms, X = self._known_atoms(), known(self, X, reset=False)
        check_width(X, atoms)
        codes = warm(codes, len(X), atoms, False)
        return certificate.price(X, codes, atoms, float(self.penalty), bool(self.positive))

    def inverse_transform(self, X: Any) -> Array:
        """What codes X [samples, atoms] explain, [samples, features]."""
        return np.asarray(X @ self._known_atoms().table)

    @property
    def _n_features_out(self) -> int:
        return self._known_atoms().count

    def _known_atoms(self) -> Atoms:
        if not hasattr(self, "atoms_") and self.dictionary is not None:
            return Atoms(self.dictionary)
        check_is_fitted(self, "atoms_")
        return self.atoms_

    def _aim(self) -> Aim:
        """The parameters, checked."""
        if self.threshold not in ("soft", "hard"):
            raise BadInput(f"threshold is {self.threshold!r}: give 'soft' or 'hard'")
        if self.method not in METHODS:
            raise BadInput(f"method is {self.method!r}: give one of {', '.join(METHODS)}")
        for name in ("penalty", "tolerance"):
            positive_number(name, getattr(self, name))
        for name in ("max_rounds", "batch_size", "n_jobs"):
            whole_number(name, getattr(self, name), optional=name != "max_rounds")
        if self.rate is not None:
            positive_number("rate", self.rate)
        return Aim(
            float(self.penalty),
            bool(self.positive),
            self.threshold == "hard",
            float(self.tolerance),
            int(self.max_rounds),
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "atoms_")


# --- many samples ---


def coded(
    X: Array,
    atoms: Atoms,
    aim: Aim,
    method: str,
    start: Array | None = None,
    rate: float | None = None,
    size: int | None = None,
    csr: bool = False,
    threads: int | None = None,
) -> Found:
    """`encode` of X, piece by piece, by some threads; codes dense or as CSR."""
    method, count = chosen(method, atoms, aim.hard), len(X)
    dense = None if csr else np.empty((count, atoms.count), X.dtype)
    numbers = [np.empty(count) for _ in range(4)]

    def work(piece: slice) -> Any:
        found = encode(X[piece], atoms, aim, method, None if start is None else start[piece], rate)
        for whole, part in zip(numbers, found[1:], strict=True):
            whole[piece] = part
        if dense is None:
            return sparse.csr_matrix(found.codes.astype(X.dtype, copy=False))
        dense[piece] = found.codes
        return None

    parts = together(work, list(pieces(count, atoms, size)), threads)
    cost, gap, rounds, unrest = numbers
    codes: Any = sparse.vstack(parts, "csr") if csr else dense
    return Found(codes, cost, gap, rounds.astype(np.int64), unrest)


def together(work: Callable[[slice], Any], todo: list[slice], threads: int | None) -> list[Any]:
    """`work` on each piece, in order."""
    if threads is None or threads == 1 or len(todo) == 1:
        return [work(piece) for piece in todo]
    first = work(todo[0])  # what is compiled or computed once is not compiled by all
    with ThreadPoolExecutor(threads) as pool:
        return [first, *pool.map(work, todo[1:])]


# --- what is given ---


def known(estimator: Any, X: Any, reset: bool) -> Array:
    """X [samples, features], float32 or float64. Raises `BadInput` that names the row where it holds NaN."""
    X = validate_data(
        estimator, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False, skip_check_array=False
    )
    for k in range(0, len(X), 65536):
        fine = np.isfinite(X[k : k + 65536]).all(axis=1)
        if not fine.all():
            raise BadInput(
                f"X row {k + int(np.argmin(fine))} holds NaN or infinity: leave such rows out, or fill them in (imputation)"
            )
    return X


def check_width(X: Array, atoms: Atoms) -> None:
    """Samples and atoms live in one space."""
    if X.shape[1] != atoms.table.shape[1]:
        raise BadInput(
            f"X has {X.shape[1]} features and the dictionary's atoms have {atoms.table.shape[1]}: they must be the same, in the "
            "same order"
        )


def exemplars(X: Array) -> Array:
    """Rows of X as unit atoms; zero rows are left out."""
    norms = np.linalg.norm(X.astype(np.float64), axis=1)
    if not norms.any():
        raise BadInput("X has only zero rows, of which no atom can be made: give a dictionary")
    return X[norms > 0] / norms[norms > 0][:, None]


def warm(start: Any, count: int, atoms: Operator, positive: bool) -> Array:
    """Codes to go on from. Raises `BadInput` for the wrong shape or NaN."""
    start = np.asarray(start.toarray() if sparse.issparse(start) else start)
    if start.shape != (count, atoms.count):
        raise BadInput(f"codes have shape {start.shape}: give [samples, atoms], here {(count, atoms.count)}")
    if not np.isfinite(start).all():
        row = int(np.argmin(np.isfinite(start).all(axis=1)))
        raise BadInput(f"codes row {row} holds NaN or infinity: give finite codes")
    return np.maximum(start, 0) if positive else start


def positive_number(name: str, value: Any) -> None:
    """Raises `BadInput` for anything else."""
    try:
        fine = 0 < float(value) < np.inf
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise BadInput(f"{name} is {value!r}: give a number above 0")


def whole_number(name: str, value: Any, optional: bool) -> None:
    """Raises `BadInput` for anything but a whole number of at least 1, or None where that is an option."""
    if optional and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise BadInput(f"{name} is {value!r}: give a whole number, at least 1" + (", or None" if optional else ""))
