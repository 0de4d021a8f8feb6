"""A dictionary checked once, and what follows from it; soft and hard thresholds.

    soft   T(u) = sign(u) max(|u| - penalty, 0)       hard   T(u) = u where |u| > penalty, else 0

For codes that may not be negative, both are 0 wherever u is.
"""

import abc
from functools import cached_property
from typing import Any

import numpy as np

from catallax.core.errors import BadInput

Array = np.ndarray
UNIT = 1e-4  # how far from 1 the norm of an atom may be: what float32 and files leave of it


class Operator(abc.ABC):
    """Unit atoms as methods use them: a table, or kernels at every place of an image (`networks.sparse.convolutional`)."""

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many atoms there are."""

    @property
    @abc.abstractmethod
    def strength(self) -> float:
        """The largest eigenvalue of the Gram matrix: 1 where atoms are orthogonal."""

    @abc.abstractmethod
    def match(self, residual: Array) -> Array:
        """How each atom matches residuals [samples, features]: [samples, atoms]."""

    @abc.abstractmethod
    def explain(self, codes: Array) -> Array:
        """What codes [samples, atoms] explain, [samples, features]."""


class Atoms(Operator):
    """Unit atoms, and what every method asks of them (computed when first asked for, not pickled).

    **Fields:** `table` [atoms, features], float64. **Raises** `BadInput` for what is not a table of unit atoms.
    """

    def __init__(self, dictionary: Any) -> None:
        self.table = checked(dictionary)

    def __getstate__(self) -> dict[str, Any]:
        return {"table": self.table}

    @property
    def count(self) -> int:
        return len(self.table)

    @cached_property
    def gram(self) -> Array:
        """Matches of atoms with each other, [atoms, atoms]; less the identity it is the lateral inhibition."""
        return self.table @ self.table.T

    @cached_property
    def strength(self) -> float:
        return strongest(self.table)

    @cached_property
    def single(self) -> Array:
        """The table in float32."""
        return self.table.astype(np.float32)

    def typed(self, dtype: Any) -> Array:
        """The table in float32 or float64."""
        return self.single if dtype == np.float32 else self.table

    def match(self, residual: Array) -> Array:
        return residual @ self.typed(residual.dtype).T

    def explain(self, codes: Array) -> Array:
        return codes @ self.typed(codes.dtype)


def checked(dictionary: Any) -> Array:
    """Atoms as a contiguous float64 table, [atoms, features]."""
    try:
        table = np.ascontiguousarray(dictionary, np.float64)
    except (TypeError, ValueError):
        raise BadInput("dictionary must be numbers, [atoms, features]") from None
    if table.ndim != 2 or 0 in table.shape:
        raise BadInput(f"dictionary has shape {table.shape}: give [atoms, features], at least one of each")
    if not np.isfinite(table).all():
        row = int(np.argmin(np.isfinite(table).all(axis=1)))
        raise BadInput(f"dictionary row {row} holds NaN or infinity: leave that atom out or fill it in")
    norms = np.linalg.norm(table, axis=1)
    if not norms.all():
        raise BadInput(
            f"dictionary row {int(np.argmin(norms))} is zero: an atom must have a direction, so leave it out"
        )
    far = np.abs(norms - 1) > UNIT
    if far.any():
        row = int(np.argmax(far))
        raise BadInput(
            f"dictionary row {row} has norm {norms[row]:.4g}, but atoms must be of unit norm: "
            "divide each row by its norm, dictionary / numpy.linalg.norm(dictionary, axis=1, keepdims=True)"
        )
    return table


def strongest(table: Array) -> float:
    """The largest squared singular value of `table`."""
    small = table.T @ table if table.shape[0] > table.shape[1] else table @ table.T
    return float(np.linalg.eigvalsh(small)[-1])


def shrink(u: Array, penalty: float, positive: bool, hard: bool = False) -> Array:
    """The threshold of `u`, of any shape: a new array."""
    if hard:
        return np.where(u > penalty if positive else np.abs(u) > penalty, u, np.zeros((), u.dtype))
    if positive:
        return np.maximum(u - u.dtype.type(penalty), 0)
    # u less its own clipping is the soft threshold in two passes
    return u - np.clip(u, -penalty, penalty)
