"""Particles of a slime mould, and the ground that they walk on (Jones 2010, see `colony.slime`).

    Particle   a cell holds any number of them
    Body       a cell holds one: who would enter one that is taken, or that another gets first, stays, lays nothing and takes
               a new direction, drawn at random

Bodies move in two halves. At the end of a round each claims the cell that it is in and the one ahead; the ground keeps the
strongest claim on each cell, that of who is there or else the highest rank, drawn afresh each round; at the start of the next
round those who won move, smell, and turn. So nobody moves into a cell on being left, as those whose turn comes later do
where all go one by one.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from catallax.colony.lattice.walk import Turn, direction, straightened, three_feelers
from catallax.core.agent import Agent, View
from catallax.core.signal import Signal
from catallax.signals.field import Deposit, Field, Lattice

THERE = np.uint32(1 << 31)  # above any rank: who is in a cell has the strongest claim on it


class Gait(NamedTuple):
    """What particles have in common: feelers at `angle`, `offset` cells away; turns of `rotation`; steps of `step` cells;
    `amount` laid in each."""

    angle: Turn
    offset: Float[Array, ""]
    rotation: Turn
    step: Float[Array, ""]
    amount: Float[Array, ""]


class Particle(Agent):
    """One of those that share cells: a place (`x`, `y`), in cells, and a heading (`east`, `north`) of unit length."""

    x: Float[Array, "*agents"]
    y: Float[Array, "*agents"]
    east: Float[Array, "*agents"]
    north: Float[Array, "*agents"]
    gait: Gait
    lattice: Lattice = eqx.field(static=True)

    def feelers(self) -> tuple:
        """Left, ahead, right."""
        return three_feelers(self.x, self.y, (self.east, self.north), self.gait.angle, self.gait.offset)

    def respond(self, view: View, key: Any) -> tuple["Particle", Deposit]:
        turn = self.gait.rotation.towards(side(view.local, jax.random.bits(key, (), jnp.uint32)))
        east, north = straightened(*turn.of(self.east, self.north))
        x, y, out = ahead(self.x, self.y, east, north, self.gait.step, self.lattice)
        if not self.lattice.periodic:
            east, north = jnp.where(out, -east, east), jnp.where(out, -north, north)  # at a wall it turns back
        moved = dataclasses.replace(self, x=x, y=y, east=east, north=north)
        return moved, Deposit(x, y, self.gait.amount)


class Claim(NamedTuple):
    """An action: what is laid, and by whom (`rank`) the cell of that place is held and that of (`x`, `y`) is wanted."""

    deposit: Deposit
    x: Any
    y: Any
    rank: Any


class Body(Agent):
    """One of those that take up a cell each. `rank` [agents]: of the claim under way; `name` [agents]: its last digits."""

    x: Float[Array, "*agents"]
    y: Float[Array, "*agents"]
    east: Float[Array, "*agents"]
    north: Float[Array, "*agents"]
    rank: UInt32[Array, "*agents"]
    name: UInt32[Array, "*agents"]
    gait: Gait
    lattice: Lattice = eqx.field(static=True)
    digits: int = eqx.field(static=True)  # binary ones of a name

    def wanted(self) -> tuple[Any, Any, Any]:
        """The place one step ahead, and whether there is a wall before it."""
        return ahead(self.x, self.y, self.east, self.north, self.gait.step, self.lattice)

    def feelers(self, moved: Any) -> tuple:
        """Left, ahead, right of where it then is."""
        x, y, _ = self.wanted()
        x, y = jnp.where(moved, x, self.x), jnp.where(moved, y, self.y)
        return three_feelers(x, y, (self.east, self.north), self.gait.angle, self.gait.offset)

    def respond(self, view: View, key: Any) -> tuple["Body", Claim]:
        moved, smells = view.local
        x, y, out = self.wanted()
        if not self.lattice.periodic:
            moved = moved & ~out
        x, y = jnp.where(moved, x, self.x), jnp.where(moved, y, self.y)
        word = jax.random.bits(key, (), jnp.uint32)
        turned = straightened(*self.gait.rotation.towards(side(smells, word)).of(self.east, self.north))
        fresh = direction((word >> 8).astype(jnp.float32) * np.float32(2.0**-24))
        east, north = (jnp.where(moved, a, b) for a, b in zip(turned, fresh, strict=True))
        rank = ((word << self.digits) & ~THERE) | self.name
        body = dataclasses.replace(self, x=x, y=y, east=east, north=north, rank=rank)
        to_x, to_y, _ = body.wanted()
        return body, Claim(Deposit(x, y, jnp.where(moved, self.gait.amount, 0)), to_x, to_y, rank)


class Heard(NamedTuple):
    """The ground's summary: all that was `laid`, and the strongest claim on each cell, both [rows, columns]."""

    laid: Any
    claims: Any


class Ground(Signal):
    """A field of pheromone whose cells hold one body each. `claims` [rows, columns]: the strongest on each cell."""

    field: Field
    claims: UInt32[Array, "rows columns"]

    merge: ClassVar[dict] = {"laid": "sum", "claims": "max"}
    transit: ClassVar[bool] = True  # who does not claim its own cell would lose it

    def public(self) -> None:
        return None

    def local(self, agents: Body) -> tuple:
        """Whether each got the cell that it wanted, and what its feelers meet from there."""
        x, y, _ = agents.wanted()
        claim = self.claims.reshape(-1).at[self.field.lattice.cell(x, y)].get(mode="promise_in_bounds")
        moved = (claim & ~THERE) == agents.rank
        return moved, tuple(self.field.smell(x, y) for x, y in agents.feelers(moved))

    def listen(self, actions: Claim) -> Heard:
        cell, deposit = self.field.lattice.cell, actions.deposit
        claims = jnp.zeros(self.claims.size, jnp.uint32)
        claims = claims.at[cell(actions.x, actions.y)].max(actions.rank, mode="promise_in_bounds")
        claims = claims.at[cell(deposit.x, deposit.y)].max(actions.rank | THERE, mode="promise_in_bounds")
        return Heard(self.field.listen(deposit), claims.reshape(self.claims.shape))

    def propagate(self, summary: Heard) -> "Ground":
        return Ground(self.field.propagate(summary.laid), summary.claims)


def ahead(x: Any, y: Any, east: Any, north: Any, step: Any, lattice: Lattice) -> tuple[Any, Any, Any]:
    """The place one step ahead, inside the lattice, and whether it had to be brought back there."""
    return lattice.inside(x + step * east, y + step * north)


def side(smells: tuple, word: Any) -> Any:
    """To which side Jones' particle turns: 1 left, -1 right, 0 not; by the first bit of `word` where both smell stronger.

    `smells`: left, ahead, right.
    """
    left, ahead, right = smells
    best, worst = (ahead > left) & (ahead > right), (ahead < left) & (ahead < right)
    stronger = (left > right).astype(jnp.int32) - (left < right)
    return jnp.where(best, 0, jnp.where(worst, jnp.where(word >> 31, 1, -1), stronger))
