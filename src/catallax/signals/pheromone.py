"""Pheromone on the edges between cities: what ants leave behind, and smell.

Each city has k candidates, so there are n x k trails and never n x n. In a round, with rho the evaporation,

    level <- max(floor, (1 - rho) level)          everywhere
    level <- min(1, level + rho)                  on both trails of each edge of the way that was trodden

so that a trail is the share of the last 1 / rho or so rounds in which the way led over it. What everyone hears is the
trails, through `bits` of each where told so (on a logarithmic scale from the floor to 1, at the middle of its cells), and
the way itself: ants see the ground on which they walk. Neither tells who did what.

    M. Dorigo and T. Stuetzle, Ant Colony Optimization, 2004, chapter 3 (the rule and its limits: MAX-MIN, with the most at 1).
"""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float32, Int

from catallax.core.channel import Span
from catallax.core.signal import Signal

FLOOR = 1e-3


class Way(NamedTuple):
    """A closed way over all cities, and how many ticks long it is: an action, and of many the shortest."""

    order: Int[np.ndarray, "*ants cities"]  # int32
    ticks: Any  # Int[np.ndarray, "*ants"], or one NumPy number


class Heard(NamedTuple):
    """What ants smell and see."""

    level: Float32[np.ndarray, "cities k"]
    order: Int[np.ndarray, " cities"]


class Pheromone(Signal):
    """Trails `level` [cities, k] to the candidates `near` [cities, k, 2], and the trodden way.

    `evaporation`: the share that is lost in a round; `floor`: the least; `bits`: of each trail that is told (None: all).
    """

    merge: ClassVar[str] = "rows"
    standing: ClassVar[bool] = True
    level: Float32[np.ndarray, "cities k"]
    way: Way
    near: Int[np.ndarray, "cities k 2"]
    evaporation: float = eqx.field(static=True, default=0.1)
    floor: float = eqx.field(static=True, default=FLOOR)
    bits: int | None = eqx.field(static=True, default=None)

    @classmethod
    def fresh(cls, near: Any, way: Way, evaporation: float = 0.1, floor: float = FLOOR) -> "Pheromone":
        """Trails that only the way has been trodden on, for long."""
        from catallax.signals.treading import tread  # late: it loads numba

        level = np.full(near.shape[:2], floor, np.float32)
        tread(near, level, way.order, 1.0, floor)
        return cls(level, way, near, evaporation, floor)

    @classmethod
    def even(cls, near: Any, way: Way, evaporation: float = 0.1, floor: float = FLOOR) -> "Pheromone":
        """Trails at their most everywhere: whoever smells them learns nothing yet."""
        return cls(np.ones(near.shape[:2], np.float32), way, near, evaporation, floor)

    def public(self) -> Heard:
        """The trails as they are told, and the way."""
        return Heard(told(self.level, self.bits, self.floor), self.way.order)

    def listen(self, actions: Way) -> Way:
        """The shortest of the ways."""
        best = int(np.argmin(actions.ticks))
        return Way(actions.order[best], actions.ticks[best])

    def propagate(self, summary: Way) -> "Pheromone":
        """Evaporation, and a deposit along the way."""
        from catallax.signals.treading import tread

        level = self.level.copy()
        tread(self.near, level, summary.order, self.evaporation, self.floor)
        return Pheromone(level, summary, self.near, self.evaporation, self.floor, self.bits)

    def unrest(self, summary: Way) -> float:
        """The share of the way's edges that are new in it."""
        before, now = edges(self.way.order), edges(summary.order)
        return 1.0 - float(np.isin(now, before, assume_unique=True).mean())

    def span(self) -> Any:
        """Trails lie between the floor and 1, on a logarithmic scale; the way is whole numbers."""
        return Heard(Span(self.floor, 1.0, "log"), None)  # pyright: ignore[reportArgumentType]


def edges(order: Int[np.ndarray, " cities"]) -> Int[np.ndarray, " cities"]:
    """A code for each edge of a closed way, whichever way round."""
    one, other = order.astype(np.int64), np.roll(order, -1).astype(np.int64)
    return np.minimum(one, other) * len(order) + np.maximum(one, other)


def told(level: Float32[np.ndarray, "cities k"], bits: int | None, floor: float) -> Float32[np.ndarray, "cities k"]:
    """Trails through so many bits: the middle of the cell of log level, [log floor, 0] cut into 2^bits cells."""
    if bits is None:
        return level
    cells, low = 2**bits, np.log(floor)
    cell = np.clip(np.floor((1 - np.log(level) / low) * cells), 0, cells - 1)
    return np.exp(low * (1 - (cell + 0.5) / cells)).astype(np.float32)
