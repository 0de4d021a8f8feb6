"""Foraging ants and the meadow that they walk on (see `colony.foraging` for the model and where it is from).

A unit of food is fetched in two halves, so that it is never had twice. An ant that stands on food claims a unit of that cell;
the meadow gives one unit a cell and round, to the claim of the highest name; at the start of the next round each ant learns
whether it has got one.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt32

from catallax.colony.lattice.walk import Turn, direction, straightened, three_feelers
from catallax.core.agent import Agent, View
from catallax.core.signal import Signal
from catallax.signals.field import Deposit, Field, Lattice

EIGHTH = Turn(
    np.float32(np.sqrt(0.5)), np.float32(np.sqrt(0.5))
)  # 45 degrees: feelers, and the most it turns to a smell
SENSED = 1.0  # cells ahead


class Nest(NamedTuple):
    """Where food is brought: a disc, in cells."""

    x: Float[Array, ""]
    y: Float[Array, ""]
    radius: Float[Array, ""]


class Habits(NamedTuple):
    """What ants have in common: a trail is followed where it smells of `faint` to `strong`; `amount` is laid a round on the
    way home; they `wiggle` by up to so many full turns to either side; `nest`."""

    faint: Any
    strong: Any
    amount: Any
    wiggle: Any
    nest: Nest


class Senses(NamedTuple):
    """What reaches an ant: smells `here` and at its feelers (left, ahead, right), whether there is `food` in its cell, whether
    the last claim on that was `won`, and, of those that know it, the way to food (`east`, `north`, not of unit length)."""

    here: Any
    feelers: tuple
    food: Any
    won: Any
    way: tuple | None


class Errand(NamedTuple):
    """An action: what is laid, a claim on a unit of food in that cell (name + 1; 0: none), and units brought home."""

    deposit: Deposit
    claim: Any
    home: Any


class Forager(Agent):
    """One ant: where it is, where it heads (a unit vector), whether it carries a unit of food or has claimed one, its name."""

    x: Float[Array, "*agents"]
    y: Float[Array, "*agents"]
    east: Float[Array, "*agents"]
    north: Float[Array, "*agents"]
    loaded: Bool[Array, "*agents"]
    claimed: Bool[Array, "*agents"]
    name: UInt32[Array, "*agents"]
    habits: Habits
    lattice: Lattice = eqx.field(static=True)

    def feelers(self) -> tuple:
        """Left, ahead, right."""
        return three_feelers(self.x, self.y, (self.east, self.north), EIGHTH, SENSED)

    def respond(self, view: View, key: Any) -> tuple["Forager", Errand]:
        heard, nest = view.local, self.habits.nest
        got = self.claimed & heard.won
        to_nest = self.lattice.nearest(nest.x - self.x, nest.y - self.y)
        full = self.loaded | got
        home = full & (to_nest[0] ** 2 + to_nest[1] ** 2 <= nest.radius**2)
        loaded, claims = full & ~home, ~full & heard.food
        east, north = self._wiggled(self._heading(heard, got | home, loaded, to_nest), key)
        x, y, out = self.lattice.inside(self.x + east, self.y + north)
        out = out & (not self.lattice.periodic)
        stays, back = claims | out, jnp.where(out, -1, 1)
        x, y = jnp.where(stays, self.x, x), jnp.where(stays, self.y, y)
        fields = dict(x=x, y=y, east=back * east, north=back * north, loaded=loaded, claimed=claims)
        deposit = Deposit(self.x, self.y, jnp.where(loaded, self.habits.amount, 0))
        errand = Errand(deposit, jnp.where(claims, self.name + 1, 0), home.astype(jnp.int32))
        return dataclasses.replace(self, **fields), errand

    def _heading(self, heard: Senses, turns: Any, loaded: Any, to_nest: tuple) -> tuple:
        """Back, on getting or bringing home; to the nest, loaded; else to food, by the trail or where it is known to be."""
        ahead = self.east, self.north
        homeward = aimed(ahead, to_nest)
        if heard.way is not None:
            outward = aimed(ahead, heard.way)
        else:
            traced = (heard.here >= self.habits.faint) & (heard.here <= self.habits.strong)
            outward = EIGHTH.towards(jnp.where(traced, uphill(*heard.feelers), 0)).of(*ahead)
        kept = (jnp.where(loaded, a, b) for a, b in zip(homeward, outward, strict=True))
        return tuple(jnp.where(turns, -a, b) for a, b in zip(ahead, kept, strict=True))

    def _wiggled(self, heading: tuple, key: Any) -> tuple:
        """A little to either side: the difference of two uniform angles."""
        word = jax.random.bits(key, (), jnp.uint32)
        one, other = (half.astype(jnp.float32) * np.float32(2.0**-16) for half in (word >> 16, word & 0xFFFF))
        share = self.habits.wiggle * (one - other)
        return straightened(*Turn(*direction(share % 1)).of(*heading))


def uphill(left: Any, ahead: Any, right: Any) -> Any:
    """To the side (1 left, -1 right) that smells stronger than ahead, the stronger one, right if both alike; else 0."""
    best = (ahead >= left) & (ahead >= right)
    return jnp.where(best, 0, jnp.where(left > right, 1, -1))


def aimed(heading: tuple, way: tuple) -> tuple:
    """A heading turned by at most 45 degrees to the direction of `way` (kept where that is no direction)."""
    east, north = heading
    far = jnp.sqrt(way[0] ** 2 + way[1] ** 2)
    scale = jnp.where(far > 0, far, 1)
    goal = way[0] / scale, way[1] / scale
    along, across = east * goal[0] + north * goal[1], east * goal[1] - north * goal[0]
    turned = EIGHTH.towards(jnp.where(across >= 0, 1, -1)).of(east, north)
    near, known = along >= EIGHTH.cos, far > 0
    return tuple(jnp.where(known, jnp.where(near, a, b), c) for a, b, c in zip(goal, turned, heading, strict=True))


class Tally(NamedTuple):
    """The meadow's summary: what was `laid` and who claims food (the highest name + 1), by cells; units brought `home`."""

    laid: Any
    claims: Any
    home: Any


class Meadow(Signal):
    """A field of pheromone with food on it.

    **Fields:** `field`; `goal`: units to bring home, at which it is at rest; `spots` [cells]: the cells where there is food at
    the start, for ants that know of it, else None; `food` [rows, columns]: units that are left; `claims` [rows, columns]: the
    last round's; `home`: units that are; `clock`: rounds until the goal.
    """

    field: Field
    goal: Int[Array, ""]
    spots: Int[Array, " cells"] | None
    food: Int[Array, "rows columns"]
    claims: UInt32[Array, "rows columns"]
    home: Int[Array, ""]
    clock: Int[Array, ""]

    merge: ClassVar[dict] = {"laid": "sum", "claims": "max", "home": "count"}
    transit: ClassVar[bool] = True  # a unit that was won is lost if nobody hears so

    def public(self) -> None:
        return None

    def local(self, agents: Forager) -> Senses:
        cell = self.field.lattice.cell(agents.x, agents.y)
        food, claims = (x.reshape(-1).at[cell].get(mode="promise_in_bounds") for x in (self.food, self.claims))
        here = self.field.smell(agents.x, agents.y)
        way = None if self.spots is None else self.way(agents.x, agents.y, self.spots)
        return Senses(here, self.field.local(agents), food > 0, claims == agents.name + 1, way)

    def way(self, x: Any, y: Any, spots: Int[Array, " cells"]) -> tuple:
        """From each place to the nearest of the cells `spots` with food, (0, 0) where there is none."""
        lattice = self.field.lattice
        dx, dy = (s + 0.5 - v[:, None] for s, v in ((spots % lattice.columns, x), (spots // lattice.columns, y)))
        dx, dy = lattice.nearest(dx, dy)
        far = jnp.where(self.food.reshape(-1)[spots] > 0, dx * dx + dy * dy, jnp.inf)
        best, known = far.argmin(1)[:, None], jnp.isfinite(far.min(1))
        return tuple(jnp.where(known, jnp.take_along_axis(d, best, 1)[:, 0], 0) for d in (dx, dy))

    def listen(self, actions: Errand) -> Tally:
        cell = self.field.lattice.cell(actions.deposit.x, actions.deposit.y)
        claims = jnp.zeros(self.claims.size, jnp.uint32).at[cell].max(actions.claim, mode="promise_in_bounds")
        return Tally(
            self.field.listen(actions.deposit),
            claims.reshape(self.claims.shape),
            actions.home.sum(dtype=self.home.dtype),
        )

    def propagate(self, summary: Tally) -> "Meadow":
        return dataclasses.replace(
            self,
            field=self.field.propagate(summary.laid),
            food=self.food - (summary.claims > 0),
            claims=summary.claims,
            home=self.home + summary.home,
            clock=self.clock + (self.home < self.goal),
        )

    def unrest(self, summary: Tally) -> Any:
        """The share of the goal that is not home yet."""
        return jnp.maximum(self.goal - self.home - summary.home, 0) / self.goal
