"""TIES: trim each delta, elect a sign by mass, average those that agree.

    d_i    delta_i with all but its k largest magnitudes cleared,   k = density n, rounded down, at least 1
    s      the sign of sum_i w_i d_i, element by element; + where the sum is 0
    theta  base + scale * (sum of w_i d_i) / (sum of w_i), over the i whose d_i has the sign s; base where there are none

Of equal magnitudes at the k-th place, the first in flat order are kept, so that k are kept exactly. Deltas are computed in
float32 (float64 of float64), sums in float64. With all weights equal it is the paper's disjoint mean.

Yadav et al., TIES-Merging: Resolving Interference When Merging Models, NeurIPS 2023, arXiv:2306.01708.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import numba
import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.method import Method, Stack, Stored
from catallax.merging.selection import Cut, cut, trim

CHUNK = 1024  # elements whose sums stay in the innermost cache


@dataclasses.dataclass(frozen=True)
class Ties(Method):
    """`density`: the share of each delta that is kept, in (0, 1], one for all members or one each; `scale`: of the merged
    delta, the paper's lambda."""

    density: float | tuple[float, ...] = 0.5
    scale: float = 1.0
    name: ClassVar[str] = "ties"
    paper: ClassVar[str] = "Yadav et al. 2023, TIES-Merging, arXiv:2306.01708"
    needs_base: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for density in np.atleast_1d(self.density):
            if not 0 < density <= 1:
                raise BadInput(f"density is {density:g}: the share of a delta that is kept lies in (0, 1]")
        if not math.isfinite(self.scale):
            raise BadInput(f"scale is {self.scale:g}: give a number")

    def combine(self, stack: Stack) -> np.ndarray:
        """All of a tensor at once."""
        shape = stack.values.shape[1:]
        flat = stack._replace(
            values=stack.values.reshape(len(stack.weights), -1),
            base=None if stack.base is None else stack.base.reshape(-1),
        )
        edges = self.edges(lambda: iter([flat]), len(stack.weights), math.prod(shape), stack.values.dtype)
        return self.elected(flat, edges).reshape(shape)

    def merge(self, stored: Stored, write: Callable[[np.ndarray], Any]) -> None:
        """In pieces, read once for each pass: no delta is ever whole in memory."""
        edges = self.edges(stored.pieces, len(stored.members), math.prod(stored.shape), stored.work)
        for stack in stored.pieces():
            write(self.elected(stack, edges))

    def edges(self, read: Callable[[], Iterator[Stack]], members: int, size: int, dtype: np.dtype) -> Cut:
        """Where each member's delta is trimmed."""
        densities = np.atleast_1d(np.asarray(self.density, np.float64))
        if len(densities) not in (1, members):
            raise BadInput(f"density has {len(densities)} entries for {members} models: give one, or one each")
        ranks = np.maximum(1, np.broadcast_to(densities, members) * size).astype(np.int64)

        def deltas() -> Iterable[np.ndarray]:
            return (stack.values - stack.base for stack in read() if stack.base is not None)

        return cut(deltas, ranks, dtype)

    def elected(self, stack: Stack, edges: Cut) -> np.ndarray:
        """The merged values of a piece, flat; `edges` remembers how many ties are left."""
        deltas = stack.deltas
        merged = np.empty(deltas.shape[1:], deltas.dtype)
        elect(deltas, stack.base, stack.weights, float(self.scale), edges.edges, edges.ties, merged)
        return merged


@numba.njit(cache=True)
def elect(deltas, base, weights, scale, edges, ties, merged):
    """Trims the deltas [members, elements], and puts the mean of those that have the elected sign on the base."""
    mass, total, weight = np.empty(CHUNK), np.empty(CHUNK), np.empty(CHUNK)
    for start in range(0, merged.size, CHUNK):
        size = min(CHUNK, merged.size - start)
        mass[:], total[:], weight[:] = 0, 0, 0
        for m in range(weights.size):
            row = deltas[m, start : start + size]
            ties[m] = trim(row, edges[m], ties[m])
            for i in range(size):
                mass[i] += weights[m] * row[i]
        for m in range(weights.size):
            row = deltas[m, start : start + size]
            for i in range(size):
                agrees = weights[m] if (row[i] > 0 if mass[i] >= 0 else row[i] < 0) else 0.0
                total[i] += agrees * row[i]
                weight[i] += agrees
        for i in range(size):
            mean = total[i] / (weight[i] if weight[i] > 0 else 1.0)
            merged[start + i] = base[start + i] + scale * mean
