"""Ants between a nest and food: by marks on the ground alone they find a short way, most of the time.

    silence           ants that smell nothing: every road on is as good as another
    signal            a trail that all lay and all smell (`signals.trail`), Deneubourg's rule of choice (`colony.paths.ants`)
    planner           Dijkstra's way
    full information  everyone knows every road reported so far, and takes the shortest way known (`colony.paths.reports`)

Time is in rounds. A road takes its length / `unit` rounds, rounded up. Efficiency is the rounds of the shortest way over those
that ants need on average from nest to food, computed from the trail as it lies (`colony.paths.walks`), not from what happened
on the way there; what happened is counted too (`passed`).

Published parameters, never fitted: attraction k = 20, exponent n = 2, one mark at either end of every road, no evaporation
(Goss et al. 1989, Deneubourg et al. 1990; of the double bridge, half an ant a second and 20 s for the short branch). Both papers
were reconstructed from memory and from what others say of them: the equations and figures were not read again here.
"""

import dataclasses
import math
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from catallax.colony.paths.ants import NONE, Ant
from catallax.colony.paths.drawing import drawn
from catallax.colony.paths.errand import Errand
from catallax.colony.paths.facts import check_facts, natural_unit
from catallax.colony.paths.reports import Explorers
from catallax.colony.paths.roads import Roads, read, to_networkx
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.scene import Scene
from catallax.core.society import Society
from catallax.signals.trail import Trail

TRIPS = 4  # shortest trips there and back that the signal's unrest looks back on


class ShortestPath(Problem):
    """Colonies of ants that carry food from `target` to their nest, `source`.

    **Fields:** `graph`: a NetworkX graph of any kind (edge attribute "length", else "weight", else 1 each), or rows (from, to,
    length), parallel roads allowed; `source`, `target`: two of its places. `ants` a colony, `colonies`: each on its own
    copy of the graph, `rate`: ants that leave the nest of a colony in a round, on average, as long as trips are shorter than
    ants / rate rounds. `exponent` n >= 0 and `attraction` k > 0 of the choice, `amount` of one mark, `evaporation` a round in
    [0, 1). `turning`: the chance a round to turn back, in the middle of a road; `lays`: marks are laid "both" ways or only
    on the way "home"; `memory`: ants walk home the way they came, loops left out. `unit`: of length, walked in a round
    (default: 1 where all lengths are whole, else a tenth of the average). `open_` bool[roads]: roads that may be entered
    (default all); `directed`: of rows; `present`: numbers of the ants that take part (default all).

    **Raises** `BadInput` where a fact is missing or impossible, or no way leads from nest to food (and back, if directed, against
    the arrows).
    """

    graph: Roads = eqx.field(static=True)
    source: Hashable = eqx.field(static=True)
    target: Hashable = eqx.field(static=True)
    ants: int = eqx.field(static=True)
    colonies: int = eqx.field(static=True)
    rate: float = eqx.field(static=True)
    exponent: float = eqx.field(static=True)
    attraction: float = eqx.field(static=True)
    amount: float = eqx.field(static=True)
    evaporation: float = eqx.field(static=True)
    turning: float = eqx.field(static=True)
    lays: str = eqx.field(static=True)
    memory: bool = eqx.field(static=True)
    unit: float = eqx.field(static=True)
    open_: tuple[bool, ...] = eqx.field(static=True)
    directed: bool = eqx.field(static=True)
    present: Any = None
    errand: Errand = eqx.field(static=True, init=False, repr=False)

    headline: ClassVar[str] = "efficiency"
    tolerance: ClassVar[float] = 0.01  # of unrest: in trips, not in rounds

    def __init__(
        self,
        graph: Any,
        source: Hashable,
        target: Hashable,
        *,
        ants: int = 100,
        colonies: int = 1,
        rate: float = 0.5,
        exponent: float = 2.0,
        attraction: float = 20.0,
        amount: float = 1.0,
        evaporation: float = 0.0,
        turning: float = 0.0,
        lays: str = "both",
        memory: bool = False,
        unit: float | None = None,
        open_: Sequence[bool] | None = None,
        directed: bool = False,
        present: Any = None,
    ):
        self.graph = read(graph, directed)
        self.source, self.target, self.directed = source, target, self.graph.directed
        self.ants, self.colonies = ants, colonies
        self.rate, self.exponent, self.attraction, self.amount = rate, exponent, attraction, amount
        self.evaporation, self.turning, self.lays, self.memory = evaporation, turning, lays, memory
        self.unit = natural_unit(self.graph.length) if unit is None else unit
        self.open_ = (True,) * len(self.graph.length) if open_ is None else tuple(map(bool, open_))
        self.present = None if present is None else np.asarray(present)
        check_facts(self)
        self.errand = Errand(self.graph, source, target, self.unit, self.open_)

    # --- the textbook ---

    @classmethod
    def double_bridge(cls, ratio: float = 2.0, length: int = 20, **facts: Any) -> "ShortestPath":
        """Two branches between nest and food, road 0 of `length` rounds and road 1 `ratio` times as long (Goss et al. 1989)."""
        return cls([("nest", "food", length), ("nest", "food", ratio * length)], "nest", "food", unit=1.0, **facts)

    # --- facts ---

    @property
    def period(self) -> int:
        """Rounds from one departure of an ant to its next."""
        return max(1, math.ceil(self.ants / self.rate - 1e-9))

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Society:
        """Ants in their nests, about to leave one after the other, and no marks yet."""
        if leak:
            raise Refused(
                "an ant gains nothing by knowing its own mark, for its way is no longer where others follow it: "
                "trails have no leak"
            )
        number = np.arange(self.ants * self.colonies) if self.present is None else self.present
        signal = Trail.bare(
            self.colonies,
            self.errand.choices,
            self.graph.heads,
            self.errand.steps,
            attraction=jnp.asarray(self.attraction, float),
            amount=jnp.asarray(self.amount, float),
            evaporation=jnp.asarray(self.evaporation, float),
            horizon=jnp.asarray(2.0 * TRIPS * self.errand.shortest),
            target=jnp.int32(self.errand.food),
        )
        return Society(self._ants(number), signal, jnp.asarray(number, jnp.uint32))

    def _ants(self, number: np.ndarray) -> Ant:
        """Ants by their numbers: colony x ants + place in the queue."""
        zero = jnp.zeros(len(number), jnp.int32)
        leaves = 1 + (number % self.ants) * self.period // self.ants
        return Ant(
            colony=jnp.asarray(number // self.ants, jnp.int32),
            arc=zero + NONE,
            place=zero + self.errand.nest,
            behind=zero + self.errand.nest,
            left=jnp.asarray(leaves, jnp.int32),
            length=zero,
            back=zero > 0,
            turned=zero > 0,
            walked=zero,
            trips=zero,
            steps=zero,
            first=jnp.full((len(number), len(self.graph.places)), NONE, jnp.int32) if self.memory else None,
            source=jnp.int32(self.errand.nest),
            target=jnp.int32(self.errand.food),
            period=jnp.int32(self.period),
            exponent=jnp.asarray(self.exponent, float),
            turning=jnp.asarray(self.turning, float) if self.turning > 0 else None,
            marks_out=self.lays == "both",
        )

    def silence(self) -> Outcome:
        """Ants that smell nothing, for ever: exact."""
        return Outcome(values=self.errand.silent(self.colonies, self.turning), certificate=0.0)

    def plan(self) -> Outcome:
        """Dijkstra's way, for everyone."""
        return self._all_take([self.errand.way] * self.colonies)

    def contest(self, leak: float = 1.0) -> Outcome:
        """Everyone takes the shortest way over roads reported by any ant; nobody gains by another known one, so certificate 0.

        The first wanderers of every colony are drawn by seed 0. Raises `Refused` for a `leak` below 1.
        """
        if leak != 1:
            raise Refused("a road is reported or it is not: full information among ants has no part of it")
        errand, explorers = self.errand, Explorers(self.graph, self.errand.choices, self.errand.steps)
        leaves = 1 + np.arange(self.ants) * self.period // self.ants
        found = []
        for colony in range(self.colonies):
            random = np.random.default_rng([0, colony])
            roads = explorers.known(errand.nest, errand.food, leaves, random)
            found.append(explorers.way(errand.nest, errand.food, roads))
        return self._all_take(found)

    def _all_take(self, ways: list) -> Outcome:
        """Each colony on one way."""
        return Outcome(code=CODES.index(Status.SETTLED), values=self.errand.taking(ways), certificate=0.0)

    # --- other roads ---

    def with_roads(self, roads: Sequence[int], open_: bool) -> "ShortestPath":
        """The same with some roads, by their numbers, open or closed."""
        count = len(self.open_)
        for road in roads:
            if not 0 <= road < count:
                raise BadInput(f"road {road} is none of {count}, counted from 0")
        now = [open_ if road in roads else was for road, was in enumerate(self.open_)]
        return dataclasses.replace(self, open_=now)

    def opened(self, *roads: int) -> "ShortestPath":
        """The same with these roads open; go on from an old society by `carried(old)`."""
        return self.with_roads(roads, True)

    def closed(self, *roads: int) -> "ShortestPath":
        """The same without these roads. Ants that are on one walk to its end."""
        return self.with_roads(roads, False)

    def lengthened(self, road: int, factor: float) -> "ShortestPath":
        """The same with one road `factor` times as long."""
        length = self.graph.length.copy()
        length[road] *= factor
        return dataclasses.replace(self, graph=dataclasses.replace(self.graph, length=length))

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """What ants do on the trail as it lies (through a channel: as they smell it).

        `rounds_out` [colonies] from nest to food on average; `traffic` [colonies, roads]: how often a way out uses each road;
        `share` [colonies, roads] of it; `likeliest_rounds` [colonies] of the way most often taken; `found`: share of
        colonies where that is a shortest way; `path`: its places, of colony 0; `shortest` in rounds; `passed` [colonies,
        roads]: ants counted so far, both ways.
        """
        signal: Any = society.signal
        smell = np.asarray(signal.public() if heard is None else heard, np.float64)
        passed = np.asarray(signal.passed).reshape(self.colonies, -1, 2).sum(2)
        values = self.errand.smelling(smell, self.exponent, self.turning)
        return Outcome(society, values=values | {"passed": passed})

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: rounds of the shortest way / average rounds of a way out; `found`: see `outcome`."""
        return dict(efficiency=float(outcome.shortest / outcome.rounds_out.mean()), found=outcome.found)

    def effect(self, outcome: Outcome) -> float:
        """The share of a colony's marks that one ant lays."""
        return 1 / self.ants

    def gain(self, outcome: Outcome) -> float:
        """The share of its way that an ant would save which took the shortest one, the others following the trail."""
        return 1 - self.welfare(outcome)["efficiency"]

    def conserved(self, society: Society) -> dict[str, Any]:
        """Ants of every colony."""
        return {"ants": np.bincount(np.asarray(society.agents.colony), minlength=self.colonies)}

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        crowd = f"{self.ants * self.colonies:,} ants, {len(self.open_)} roads"
        return dict(signal="trail", measure="efficiency (shortest way / average way)", population=crowd)

    def scene(self, society: Society) -> Scene:
        """The roads of colony 0, as wide as their traffic, and how strongly they are marked."""
        return drawn(
            self.graph,
            self.errand.nest,
            self.errand.steps,
            self.outcome(society).traffic[0],
            self.pheromone(society)[0],
        )

    def pheromone(self, society: Society) -> Float[np.ndarray, "colonies roads"]:
        """Marks on every road, the average of its two ends."""
        signal: Any = society.signal
        return np.asarray(signal.laid, np.float64).reshape(self.colonies, -1, 2).mean(2)

    def to_networkx(self, outcome: Outcome, colony: int = 0) -> Any:
        """The graph with `length`, `rounds`, `traffic` and, where there is a trail, `pheromone` on its edges.

        A multigraph where roads are parallel. Raises `BadInput` where NetworkX is not installed.
        """
        facts = dict(rounds=self.errand.steps[::2], traffic=outcome.traffic[colony])
        if outcome.society is not None:
            facts["pheromone"] = self.pheromone(outcome.society)[colony]
        return to_networkx(self.graph, **facts)

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "ShortestPath":
        """The same without some ants (bool or numbers of those that stay)."""
        everyone = np.arange(self.ants * self.colonies) if self.present is None else self.present
        stay = everyone[np.asarray(keep)] if len(keep) else everyone[:0]
        if not stay.size:
            raise Refused("no ant would be left: there is nobody to lay a trail")
        return dataclasses.replace(self, present=stay)

    def replicate(self, copies: int) -> "ShortestPath":
        """`copies` times as many ants, which leave as often each and lay marks so many times smaller."""
        if self.present is not None:
            raise Refused("some ants were removed, so there is no whole colony to replicate")
        facts = dict(ants=self.ants * copies, rate=self.rate * copies, amount=self.amount / copies)
        return dataclasses.replace(self, **facts)

    def shocked(self, key: Any, size: float) -> "ShortestPath":
        """Every road's length multiplied by exp(size x normal), independently."""
        factor = np.exp(size * np.asarray(jax.random.normal(key, (len(self.open_),)), np.float64))
        return dataclasses.replace(self, graph=dataclasses.replace(self.graph, length=self.graph.length * factor))
