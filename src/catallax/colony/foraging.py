"""Ants that bring food to a nest, told of it by nothing but the trail of those who found some.

M. Resnick's ants (Turtles, termites, and traffic jams, 1994), with the numbers of U. Wilensky's Ants (NetLogo models library,
1997; recalled and written afresh, no code taken). Once a round an ant without food follows the trail where it is neither
too faint nor strong: it turns by 45 degrees to the side on which a cell ahead smells stronger than straight on. With food it
heads for the nest, whose direction it knows (Resnick's nest scent; path integration), and lays `deposit` in each cell. All
wiggle by up to `wiggle` degrees to either side and go one cell; on getting or bringing home food they turn round, at a wall too.

    silence           the trail is not smelt
    signal            the trail
    planner           straight ways to the nearest food, nobody in another's way: a bound that no ants can beat
    full information  each knows where there is food and heads for the nearest: all for the same, and one unit a cell a round

Otherwise than there, ants leave the nest at once, not one a round; piles hold 10 units a cell, not 1 or 2; food is had one unit
a cell a round (`colony.lattice.forager`).

The season ends when the share `goal` of the food is home. `efficiency` is the planner's rounds for what is home / the rounds
it took. The planner's bound: a cell at distance D from the nest costs a unit 2 ceil(D) + 1 rounds of one ant (out, wait, back),
so h units take at least T(h) = 1 + max(the h cheapest together / ants, the h-th cheapest) rounds.
"""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from catallax.colony.lattice.forager import Forager, Habits, Meadow, Nest
from catallax.colony.lattice.walk import drawn, headings
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.core.run import run
from catallax.core.scene import Grid, Points, Scene
from catallax.core.society import Society, size
from catallax.signals.field import Field, Lattice, check_bits, check_lattice, check_share, check_told, places_on

FAINT, STRONG, COVERED = 0.05, 2.0, 1e4  # a trail worth following; bits cover a trail from FAINT to COVERED times that


def places(value: Any) -> np.ndarray:
    """Places as a NumPy array of floats."""
    return np.asarray(value, float)


class Foraging(Problem):
    """A colony of `agents` ants, its nest, and piles of food.

    **Fields:** `agents`: how many ants; `shape`: (rows, columns) of cells; `nest`: (x, y), and `nest_radius`, in cells;
    `food` [piles, 2]: (x, y) of discs of `food_radius` cells with `units` of food in each cell; `goal`: the share of the food
    whose being home ends the season; `deposit`; `evaporation`, `diffusion`: shares a round; `wiggle`, degrees; `periodic`:
    a torus, or walls; `bits` that a smell is heard through (None: exactly); `seed` of where ants head at the start; `rounds`:
    after how many silence and full information are given up; `names` [agents]: of which ants (default: 0 ... agents - 1).

    **Raises** `BadInput` where one is impossible.
    """

    agents: int = eqx.field(static=True, default=125)
    shape: tuple[int, int] = eqx.field(static=True, default=(71, 71))
    nest: Float[np.ndarray, "2"] = eqx.field(converter=places, default=(35.5, 35.5))
    nest_radius: float = 5.0
    food: Float[np.ndarray, "piles 2"] = eqx.field(converter=places, default=((56.5, 35.5), (14.5, 14.5), (7.5, 63.5)))
    food_radius: float = 5.0
    units: int = eqx.field(static=True, default=10)
    goal: float = 0.9
    deposit: float = 60.0
    evaporation: float = 0.1
    diffusion: float = 0.5625  # half of it to the eight cells around
    wiggle: float = 40.0
    periodic: bool = eqx.field(static=True, default=False)
    bits: int | None = eqx.field(static=True, default=None)
    seed: int = 0
    rounds: int = eqx.field(static=True, default=5000)
    names: Int[np.ndarray, " agents"] | None = None

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        for field, most in (("agents", 2**31), ("units", 2**15)):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < most:
                raise BadInput(f"Foraging.{field} is {value!r}: give a whole number from 1 to {most - 1}")
        check_lattice("Foraging.shape", self.shape)
        check_bits("Foraging.bits", self.bits)
        for field in ("evaporation", "diffusion", "goal"):
            check_share(f"Foraging.{field}", getattr(self, field))
        if not self.goal:
            raise BadInput("Foraging.goal is 0: give a share above 0, or the season ends before it begins")
        for field in ("nest_radius", "food_radius", "deposit", "wiggle"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < np.inf:
                raise BadInput(f"Foraging.{field} is {value!r}: give a finite number that is at least 0")
        places_on("Foraging.nest", self.nest[None] if self.nest.ndim == 1 else self.nest, self.lattice)
        places_on("Foraging.food", self.food, self.lattice)
        if not self.supply.any():
            raise BadInput(
                f"Foraging.food has no cell with its centre within food_radius {self.food_radius}: give more"
            )
        if self.supply.sum() >= 2**31:
            raise BadInput("Foraging.food has 2^31 units or more: give fewer units a cell")

    @property
    def lattice(self) -> Lattice:
        """The cells."""
        return Lattice(*self.shape, self.periodic)

    # --- facts ---

    @property
    def supply(self) -> Int[np.ndarray, "rows columns"]:
        """Units of food in each cell at the start."""
        rows, columns = np.indices(self.shape) + 0.5
        near = np.zeros(self.shape, bool)
        for x, y in self.food:
            near |= np.hypot(*self.apart(columns - x, rows - y)) <= self.food_radius
        return near * np.int32(self.units)

    def apart(self, dx: Any, dy: Any) -> tuple[Any, Any]:
        """Differences of places as the shortest way goes, in NumPy."""
        if not self.periodic:
            return dx, dy
        rows, columns = self.shape
        return dx - columns * np.round(dx / columns), dy - rows * np.round(dy / rows)

    @property
    def wanted(self) -> int:
        """Units that are to be brought home."""
        return max(1, int(np.ceil(self.goal * self.supply.sum())))

    @property
    def known(self) -> Int[np.ndarray, " agents"]:
        """The names of the ants."""
        return np.arange(self.agents) if self.names is None else np.asarray(self.names)

    def cycles(self) -> Int[np.ndarray, " units"]:
        """Rounds that one ant needs at least for each unit of food there is, the cheapest first."""
        rows, columns = np.indices(self.shape) + 0.5
        dx, dy = self.apart(columns - self.nest[0], rows - self.nest[1])
        edge = np.hypot(np.maximum(np.abs(dx) - 0.5, 0), np.maximum(np.abs(dy) - 0.5, 0))
        out = np.ceil(np.maximum(edge - self.nest_radius, 0) - 1e-6).astype(int)
        return np.sort(np.repeat(2 * out.ravel() + 1, self.supply.ravel()))

    def least_rounds(self, home: int) -> float:
        """T(h) of the head of this file: no ants bring so many units home sooner."""
        if not home:
            return 0.0
        cheapest = self.cycles()[:home]
        return 1 + max(float(cheapest.sum()) / self.agents, float(cheapest[-1]))

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Society:
        """Ants in the middle of the nest, heading anywhere. `leak` must be 0: none knows its own trail from others'."""
        if leak:
            raise Refused("an ant cannot tell its own trail from that of others: there is no own effect to know")
        return self._society(informed=False)

    def _society(self, informed: bool) -> Society:
        name, supply = jnp.asarray(self.known, jnp.uint32), self.supply
        more = dict(bits=self.bits, band=(FAINT, COVERED * FAINT))
        field = Field.empty(self.lattice, self.evaporation, self.diffusion, **more)
        no, spots = jnp.zeros(name.shape, bool), jnp.asarray(np.flatnonzero(supply), jnp.int32) if informed else None
        nothing = jnp.zeros(self.shape, jnp.uint32), jnp.int32(0), jnp.int32(0)
        meadow = Meadow(field, jnp.int32(self.wanted), spots, jnp.asarray(supply), *nothing)
        faint, strong = (field.level(jnp.float32(v)).astype(jnp.float32) for v in (FAINT, STRONG))
        nest = Nest(*(jnp.float32(v) for v in (*self.nest, self.nest_radius)))
        wiggle = jnp.float32(0 if informed else self.wiggle / 360)
        habits = Habits(faint, strong, jnp.float32(self.deposit), wiggle, nest)
        x, y = (jnp.full(name.shape, v, jnp.float32) for v in self.nest)
        ways = headings(drawn(self.seed, self.known, 1)[0])
        ids = None if self.names is None else name
        return Society(Forager(x, y, *ways, no, no, name, habits, self.lattice), meadow, ids)

    def silence(self) -> Outcome:
        """The trail is not smelt (0 bits): all search at random, and know the way home."""
        return run(self.quantised(0), self.rounds, self.seed, tolerance=self.tolerance)

    def plan(self) -> Outcome:
        """Straight ways to the nearest food, nobody in another's way: a bound on what any ants can do."""
        home = self.wanted
        values = dict(home=home, clock=self.least_rounds(home), carried=0, left=int(self.supply.sum()) - home)
        return Outcome(values=values, certificate=0.0)

    def contest(self, leak: float = 1.0) -> Outcome:
        """Each knows at all times where there is food, heads straight for the nearest, and straight home."""
        if leak != 1:
            raise Refused("an ant knows where the food is or it does not: there is no knowing it in part")
        outcome = run(self._society(informed=True), self.rounds, self.seed, tolerance=self.tolerance)
        return dataclasses.replace(outcome, values=self.outcome(outcome.society).values)

    def quantised(self, bits: int | None) -> "Foraging":
        """The same, a smell heard through so many bits (0: nothing is smelt)."""
        check_told(bits)
        return dataclasses.replace(self, bits=bits)

    def carried(self, old: Society, keep: Any = None) -> Society:
        """A new season: piles are full and nothing is home; ants (`keep` of them) and trail are as they were.

        Claims of the last round are void, so a unit that was just won is left behind with the old season.
        """
        fresh, who = self.society(), slice(None) if keep is None else np.asarray(keep)
        meadow = _meadow(fresh)
        field = dataclasses.replace(meadow.field, trail=_meadow(old).field.trail)
        state = {name: getattr(old.agents, name)[who] for name in ("x", "y", "east", "north", "loaded")}
        agents = dataclasses.replace(fresh.agents, **state)
        return Society(agents, dataclasses.replace(meadow, field=field), fresh.ids)

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """Units `home`, `carried` and `left`, and the `clock`: rounds of the season so far, or that it took."""
        ants, meadow = society.agents, _meadow(society)
        cells = self.lattice.cell(ants.x, ants.y)
        won = ants.claimed & (meadow.claims.reshape(-1)[cells] == ants.name + 1)
        values = dict(home=int(meadow.home), carried=int((ants.loaded | won).sum()), left=int(meadow.food.sum()))
        return Outcome(society, values=values | dict(clock=int(meadow.clock)))

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`, `brought`: the share of all food that is home; `rounds_taken`."""
        home, clock = outcome.home, outcome.clock
        efficiency = self.least_rounds(min(home, self.wanted)) / clock if clock else 0.0
        return dict(efficiency=efficiency, brought=home / float(self.supply.sum()), rounds_taken=float(clock))

    def conserved(self, society: Society) -> dict[str, Any]:
        """Food, in the world, under way and at home."""
        found = self.outcome(society)
        return {"food": found.home + found.carried + found.left}

    def effect(self, outcome: Outcome) -> float:
        """The own effect on the trail: the share of what is laid that one of the ants under way lays."""
        return 1 / max(1, int(np.asarray(outcome.society.agents.loaded).sum()))

    def scene(self, society: Society) -> Scene:
        """The trail (its logarithm), ants (those with food in another colour), and food that is left."""
        trail, ants = np.asarray(_meadow(society).field.trail, float), society.agents
        y, x = np.nonzero(np.asarray(_meadow(society).food))
        food = Points(x, y, size=np.full(x.shape, 0.2), colour=np.full(x.shape, 0.5))
        place = (np.asarray(v, float) - 0.5 for v in (ants.x, ants.y))
        crowd = Points(*place, size=np.full(size(ants), 0.1), colour=np.asarray(ants.loaded, float))
        home = Points([self.nest[0] - 0.5], [self.nest[1] - 0.5], label=["nest"])
        return Scene("foraging", (Grid(np.log10(1 + trail / FAINT), "log10(1 + trail / 0.05)"), food, crowd, home))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        crowd = f"{self.agents:,} ants, {int(self.supply.sum()):,} units of food"
        return dict(signal="trail", measure="efficiency (the planner's rounds / rounds taken)", population=crowd)

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Foraging":
        """The ants `keep` alone."""
        names = self.known[np.asarray(keep, None if len(keep) else int)]
        if not names.size:
            raise Refused("no ant would be left")
        return dataclasses.replace(self, agents=len(names), names=names)

    def replicate(self, copies: int) -> "Foraging":
        """`copies` times as many ants, for the same food."""
        if self.names is not None:
            raise Refused("ants that are some of a larger colony cannot be copied: replicate the whole")
        return dataclasses.replace(self, agents=self.agents * copies)

    def shocked(self, key: Any, size: float) -> "Foraging":
        """Piles moved: turned about the nest, each by `size` times a normal half turn, and kept on the lattice."""
        angle = size * np.pi * np.asarray(jax.random.normal(key, (len(self.food),)), float)
        dx, dy = (self.food - self.nest).T
        moved = self.nest + np.stack(
            (dx * np.cos(angle) - dy * np.sin(angle), dx * np.sin(angle) + dy * np.cos(angle)), 1
        )
        margin, (rows, columns) = min(self.food_radius, min(self.shape) / 2 - 1), self.shape
        return dataclasses.replace(self, food=np.clip(moved, margin, np.array((columns, rows)) - margin - 1e-3))


def _meadow(society: Society) -> Meadow:
    """The signal of a colony."""
    meadow: Any = society.signal
    return meadow
