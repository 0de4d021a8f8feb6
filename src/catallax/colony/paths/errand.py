"""From nest to food over the roads that are open: all that follows from the map alone, worked out once."""

import dataclasses
from collections.abc import Hashable
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.paths import walks
from catallax.colony.paths.roads import Roads
from catallax.core.errors import BadInput


@dataclasses.dataclass(frozen=True, eq=False)
class Errand:
    """`source` and `target` are places of `roads`; `unit` of length is walked in a round; `open_` [roads].

    Raises `BadInput` where there is no way.
    """

    roads: Roads
    source: Hashable
    target: Hashable
    unit: float
    open_: tuple[bool, ...]

    def __post_init__(self) -> None:
        if len(self.open_) != len(self.roads.length):
            roads = len(self.roads.length)
            raise BadInput(f"ShortestPath.open_ has {len(self.open_)} entries: give one for each of {roads} roads")
        if self.nest == self.food:
            raise BadInput(f"ShortestPath.source and target are both {self.source!r}: give two places")
        if self.way is None:
            raise BadInput(f"no way leads from {self.source!r} to {self.target!r}: join them by roads that are open")

    @cached_property
    def nest(self) -> int:
        """The number of the source."""
        return self.roads.number("ShortestPath.source", self.source)

    @cached_property
    def food(self) -> int:
        """The number of the target."""
        return self.roads.number("ShortestPath.target", self.target)

    @cached_property
    def steps(self) -> Int[np.ndarray, " arcs"]:
        """Rounds that every arc takes: its length in units, rounded up."""
        return np.repeat(np.ceil(self.roads.length / self.unit - 1e-9).astype(np.int64).clip(1), 2)

    @cached_property
    def choices(self) -> Int[np.ndarray, "ways places degree"]:
        """The signposts, see `Roads.choices`."""
        return self.roads.choices(self.nest, self.food, np.array(self.open_))

    @cached_property
    def way(self) -> Any:
        """Dijkstra's way as arcs; None where there is none."""
        arcs = np.flatnonzero(self.roads.walked(np.array(self.open_))[0])
        return walks.shortest(arcs, self.roads.tails, self.roads.heads, self.steps, self.nest, self.food)

    @cached_property
    def shortest(self) -> int:
        """The rounds of the shortest way."""
        return int(self.steps[self.way].sum())

    @cached_property
    def possible(self) -> walks.Steps:
        """All steps of ways out."""
        return walks.possible(self.choices[0], self.roads.heads, self.nest, self.food)

    # --- what ants do, in values of an outcome ---

    def silent(self, colonies: int, turning: float) -> dict[str, Any]:
        """Of ants that smell nothing."""
        return self.smelling(np.ones((colonies, len(self.steps))), 0.0, turning)

    def smelling(self, smell: Float[np.ndarray, "colonies arcs"], exponent: float, turning: float) -> dict[str, Any]:
        """Of ants that follow a trail as it lies."""
        heads, chance = self.roads.heads, walks.chances(self.possible, smell, exponent)
        average = walks.expected(self.possible, chance, self.steps, heads, self.food, turning)
        likeliest = [walks.likeliest(self.possible, row, heads, self.food) for row in chance]
        return self.told(average, likeliest)

    def taking(self, ways: list) -> dict[str, Any]:
        """Of colonies that take one way (arcs) each."""
        traffic = np.zeros((len(ways), len(self.steps)))
        for colony, way in enumerate(ways):
            traffic[colony, way] = 1
        return self.told(walks.Way(traffic @ self.steps, traffic), ways)

    def told(self, average: walks.Way, likeliest: list) -> dict[str, Any]:
        """The values, see `ShortestPath.outcome`."""
        traffic = average.traffic.reshape(len(likeliest), -1, 2).sum(2)
        rounds = np.array([self.steps[way].sum() for way in likeliest])
        return dict(
            traffic=traffic,
            share=traffic / traffic.sum(1, keepdims=True),
            rounds_out=average.rounds,
            likeliest_rounds=rounds,
            shortest=self.shortest,
            found=float((rounds == self.shortest).mean()),
            path=tuple(self.roads.places[i] for i in (self.nest, *self.roads.heads[likeliest[0]])),
        )
