"""Breadcrumbs: of each delta leave out the largest elements and the smallest, add up the rest.

    d_i    delta_i without its k_out = outliers n largest magnitudes, and of the others only the k = density n largest
    theta  base + lambda sum_i n w_i d_i

Both counts are rounded down. Equal magnitudes rank in flat order, so that the counts are exact.

Davari and Belilovsky, Model Breadcrumbs, ECCV 2024, arXiv:2312.06795.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.method import Method, Stack, Stored
from catallax.merging.methods.task_arithmetic import added, check_scale
from catallax.merging.selection import Cut, cut, trim


@dataclasses.dataclass(frozen=True)
class Breadcrumbs(Method):
    """`density`: the share of each delta that is kept; `outliers`: the share of the largest that are left out; together at
    most 1; `scale`: lambda."""

    density: float = 0.9
    outliers: float = 0.01
    scale: float = 0.3
    name: ClassVar[str] = "breadcrumbs"
    paper: ClassVar[str] = "Davari and Belilovsky 2024, Model Breadcrumbs, arXiv:2312.06795"
    needs_base: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1:
            raise BadInput(f"density is {self.density:g}: the share of a delta that is kept lies in (0, 1]")
        if not 0 <= self.outliers <= 1 - self.density + 1e-12:
            raise BadInput(f"outliers is {self.outliers:g}: give a share from 0 to 1 - density = {1 - self.density:g}")
        check_scale(self.scale)

    def combine(self, stack: Stack) -> np.ndarray:
        """All of a tensor at once."""
        shape = stack.values.shape[1:]
        flat = stack._replace(
            values=stack.values.reshape(len(stack.weights), -1),
            base=None if stack.base is None else stack.base.reshape(-1),
        )
        edges = self.edges(lambda: iter([flat]), len(stack.weights), math.prod(shape), stack.values.dtype)
        return self.summed(flat, *edges).reshape(shape)

    def merge(self, stored: Stored, write: Callable[[np.ndarray], Any]) -> None:
        """In pieces, read once for each pass."""
        edges = self.edges(stored.pieces, len(stored.members), math.prod(stored.shape), stored.work)
        for stack in stored.pieces():
            write(self.summed(stack, *edges))

    def edges(self, read: Callable[[], Iterator[Stack]], members: int, size: int, dtype: np.dtype) -> tuple[Cut, Cut]:
        """Where the largest end that are left out, and where those end that are kept."""
        outer = int(self.outliers * size)
        inner = min(size, outer + max(1, int(self.density * size)))

        def deltas() -> Iterable[np.ndarray]:
            return (stack.values if stack.base is None else stack.values - stack.base for stack in read())

        outliers, last = (cut(deltas, np.full(members, rank), dtype) for rank in (outer, inner))
        return outliers, last

    def summed(self, stack: Stack, outliers: Cut, last: Cut) -> np.ndarray:
        """The merged values of a piece, flat; the cuts remember how many ties are left."""
        base, deltas = stack.base, stack.deltas
        trimmed(deltas, last)  # first: of equal magnitudes the outliers are the first in order
        largest = deltas.copy()
        trimmed(largest, outliers)
        total = added(np.subtract(deltas, largest, out=deltas), stack.weights, self.scale)
        return total if base is None else total + base


def trimmed(deltas: np.ndarray, edge: Cut) -> None:
    """Clears what lies below each member's cut, in place."""
    for member, row in enumerate(deltas):
        edge.ties[member] = trim(row, edge.edges[member], edge.ties[member])
