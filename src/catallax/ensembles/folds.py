"""Folds by content: which part of the data a row belongs to follows from the row alone.

Rows are hashed, sorted by hash within each class, and dealt out by their weight. So (1) classes are in every fold by their
share, (2) the order of the rows does not matter, (3) a row of weight 2 and the same row given twice make the same folds,
(4) copies of one row are never both learnt from and scored on. scikit-learn's `StratifiedKFold` has (1) alone.
"""

import hashlib
import pickle
from typing import Any

import numpy as np

Array = np.ndarray
_GOLDEN = 0.6180339887498949  # classes start at different folds, or rare ones would all lie in the first


def row_hashes(X: Any, salt: int = 0) -> Array:
    """A 64-bit hash of each row of an array, a sparse matrix, a table or a list, uint64 [rows]."""
    table: Any = X
    kinds: Any = getattr(X, "dtypes", ())  # of a frame's columns
    if len(kinds) and not all(kind.kind in "biuf" for kind in kinds):
        from pandas.util import hash_pandas_object

        hashes = hash_pandas_object(table, index=False)  # pyright: ignore[reportCallIssue]
        return _mixed(np.asarray(hashes, np.uint64), salt)
    if hasattr(table, "tocsr"):
        table = table.tocsr().sorted_indices()
        cuts = zip(table.indptr[:-1], table.indptr[1:])
        return _mixed(
            _digests(table.indices[a:b].tobytes() + table.data[a:b].astype(float).tobytes() for a, b in cuts), salt
        )
    array = np.asarray(X)
    if array.dtype.kind not in "biuf":
        return _mixed(_digests(pickle.dumps(row) for row in array.tolist()), salt)
    words = np.ascontiguousarray(array.reshape(len(array), -1), np.float64) + 0.0  # -0 is 0
    words = words.view(np.uint64)
    hashes = np.full(len(array), 0x9E3779B97F4A7C15, np.uint64)
    for column in words.T:
        hashes = _mixed(hashes ^ column, 1)
    return _mixed(hashes, salt)


def _digests(rows: Any) -> Array:
    return np.array([int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little") for row in rows], np.uint64)


def _mixed(words: Array, salt: int) -> Array:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    words = words + np.uint64((salt * 0x9E3779B97F4A7C15) % 2**64)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def content_folds(hashes: Array, group: Array, weight: Array, folds: int) -> Array:
    """Which of `folds` each row is in, int [rows]. `group` int [rows]: dealt out evenly (classes)."""
    fold = np.zeros(len(hashes), np.int64)
    for number, value in enumerate(np.unique(group)):
        rows = np.flatnonzero(group == value)
        _, first, which = np.unique(hashes[rows], return_index=True, return_inverse=True)
        mass = np.bincount(which, weight[rows], len(first))
        total = mass.sum()
        middle = (np.cumsum(mass) - mass / 2) / total if total > 0 else np.zeros_like(mass)
        place = (middle + (number * _GOLDEN) % 1.0) % 1.0
        fold[rows] = np.minimum((place * folds).astype(np.int64), folds - 1)[which]
    return fold
