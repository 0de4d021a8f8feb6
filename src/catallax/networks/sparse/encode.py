"""Codes of any number of samples, by any method, a piece at a time: memory beside the answer does not grow with them.

auto     the active set (exact), where the Gram matrix of the atoms has room; else ADMM. Hard threshold: LCA
active   `sparse_methods.active`
lca, admm, fista
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from catallax.core.errors import BadInput, Refused
from catallax.networks.sparse import active
from catallax.networks.sparse.admm import ADMM
from catallax.networks.sparse.atoms import Atoms
from catallax.networks.sparse.batch import Aim, Found, drive
from catallax.networks.sparse.certificate import bounds
from catallax.networks.sparse.fista import FISTA
from catallax.networks.sparse.lca import LCA

Array = np.ndarray
METHODS = ("auto", "lca", "admm", "fista", "active")
ROOM = 4096  # atoms whose Gram matrix is kept: 128 MiB
PIECE = 2**18  # entries of a table of samples by atoms: what stays in a processor's cache


def chosen(method: str, atoms: Atoms, hard: bool) -> str:
    """The method that "auto" stands for. Raises `BadInput` for an unknown one, `Refused` for one without a hard threshold."""
    if method not in METHODS:
        raise BadInput(f"method is {method!r}: give one of {', '.join(METHODS)}")
    if method == "auto":
        return "lca" if hard else "active" if atoms.count <= ROOM else "admm"
    if hard and method != "lca":
        raise Refused(
            f"{method} solves the soft threshold's problem alone: take method='lca' (or 'auto') for threshold='hard'"
        )
    return method


def pieces(count: int, atoms: Atoms, size: int | None) -> Iterator[slice]:
    """Slices of `count` samples."""
    each = max(1, min(count, size or max(32, PIECE // atoms.count)))
    return (slice(k, k + each) for k in range(0, count, each))


def encode(
    X: Array, atoms: Atoms, aim: Aim, method: str, start: Array | None = None, rate: float | None = None
) -> Found:
    """One piece: codes of X [samples, features] in its own type, float32 or float64, certified as they are returned."""
    dtype = X.dtype.type
    if method == "active":
        found = active.encode(X, start, atoms, aim)
        return found if dtype is np.float64 else rounded(X, found, atoms, aim)
    make: dict[str, Callable[[], Any]] = {
        "lca": lambda: LCA(atoms, aim, dtype, rate),
        "admm": lambda: ADMM(atoms, aim, dtype),
        "fista": lambda: FISTA(atoms, aim, dtype),
    }
    return drive(make[method](), X, start, atoms, aim)


def rounded(X: Array, found: Found, atoms: Atoms, aim: Aim) -> Found:
    """The codes in the type of X, and the gap of what rounding left."""
    codes = found.codes.astype(X.dtype)
    after = bounds(X, codes, atoms, aim.penalty, aim.positive)
    return found._replace(codes=codes, cost=after.cost, gap=after.gap, unrest=after.gap)
