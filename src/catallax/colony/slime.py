"""A slime mould of many particles: each follows the trail that all of them leave, and veins come about.

Once a round a particle (J. Jones, Characteristics of pattern formation and evolution in approximations of Physarum
transport networks, Artificial Life 16, 2010)

    smells     what is laid at three places: `sensor_offset` ahead, and `sensor_angle` to the left and right of that
    turns      not, if ahead smells strongest; at random to either side, if weakest; else by `rotation` to the stronger side
    moves      `step` ahead (at a wall it turns back)
    deposits   `deposit` in the cell where it then is

and the trail spreads over 3 x 3 cells and fades (`signals.field`). With `exclusive`, as in the paper, a cell holds one
particle, and one that finds the way blocked stays, deposits nothing and takes another direction (all at once, where Jones has
them move one by one in random order: `colony.lattice.particles`). Without, veins tighten until few are left. Food places lay
trail by themselves.

    silence    nothing is smelt: particles walk straight on
    signal     the trail
    planner    the shortest tree between the food places, straight links (there is none without food)

Full information has no meaning: particles want nothing that they could be told more about. The headline `efficiency` is how
directly food places are joined by veins (`colony.lattice.veins`); without food it is not a number, and what is left to look at
is `concentration`, Gini's index of the trail over cells (0: even; 1: all in few).
"""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from catallax.colony.lattice.particles import Body, Gait, Ground, Particle
from catallax.colony.lattice.veins import Network, network_of, shortest_tree
from catallax.colony.lattice.walk import Turn, drawn, headings
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.core.run import run
from catallax.core.scene import Grid, Points, Scene
from catallax.core.society import Society, size
from catallax.measures.welfare import gini
from catallax.signals.field import Field, Lattice, check_bits, check_lattice, check_share, check_told, places_on


class Slime(Problem):
    """A plasmodium of `agents` particles.

    **Fields:** `agents`: how many; `shape`: (rows, columns) of cells; `sensor_angle`, `rotation`, in degrees;
    `sensor_offset`, `step`, in cells; `deposit`; `evaporation`, `diffusion`: shares a round; `periodic`: a torus, or walls;
    `food` [places, 2]: (x, y), each laying `food_amount` a round over the 3 x 3 cells around it; `seed` of where particles
    start (uniformly over the lattice, all directions alike); `bits` that a smell is heard through (None: exactly);
    `exclusive`: a cell holds one particle; `rounds` that silence is run for; `names` [agents]: of which particles (default:
    0 ... agents - 1).

    **Raises** `BadInput` where one is impossible.
    """

    agents: int = eqx.field(static=True)
    shape: tuple[int, int] = eqx.field(static=True, default=(256, 256))
    sensor_angle: float = 22.5
    sensor_offset: float = 9.0
    rotation: float = 45.0
    step: float = 1.0
    deposit: float = 5.0
    evaporation: float = 0.1
    diffusion: float = 1.0
    periodic: bool = eqx.field(static=True, default=True)
    food: Float[np.ndarray, "places 2"] | None = eqx.field(
        converter=lambda x: None if x is None else np.asarray(x, float), default=None
    )
    food_amount: float = 50.0
    seed: int = 0
    bits: int | None = eqx.field(static=True, default=None)
    exclusive: bool = eqx.field(static=True, default=True)
    rounds: int = eqx.field(static=True, default=500)
    names: Int[np.ndarray, " agents"] | None = None

    headline: ClassVar[str] = "efficiency"
    patience: ClassVar[int] = 1000  # it never rests: a look after so many rounds

    def __check_init__(self) -> None:
        if isinstance(self.agents, bool) or not isinstance(self.agents, int) or not 1 <= self.agents < 2**31:
            raise BadInput(f"Slime.agents is {self.agents!r}: give a whole number from 1 to 2^31 - 1")
        check_lattice("Slime.shape", self.shape)
        check_bits("Slime.bits", self.bits)
        for field in ("evaporation", "diffusion"):
            check_share(f"Slime.{field}", getattr(self, field))
        for field in ("sensor_angle", "rotation", "step", "sensor_offset", "deposit", "food_amount"):
            self._check_number(field, float(min(self.shape)) if field in ("step", "sensor_offset") else np.inf)
        if self.food is not None and not places_on("Slime.food", self.food, self.lattice).size:
            raise BadInput("Slime.food is empty: give at least one (x, y), or None for no food")

        if self.exclusive and self.known.max() >= self.shape[0] * self.shape[1]:
            room = self.shape[0] * self.shape[1]
            raise BadInput(
                f"Slime.agents is {self.agents} on {room} cells that hold one each: give fewer, or exclusive=False"
            )

    def _check_number(self, field: str, most: float) -> None:
        value = getattr(self, field)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 <= value <= most or not np.isfinite(value):
            limit = "finite" if most == np.inf else f"at most the lattice's width, {most}"
            raise BadInput(f"Slime.{field} is {value!r}: give a number that is at least 0 and {limit}")

    @property
    def lattice(self) -> Lattice:
        """The cells."""
        return Lattice(*self.shape, self.periodic)

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Society:
        """Particles at their starting places, and no trail yet. `leak` must be 0: none knows its own trail from others'."""
        if leak:
            raise Refused("a particle cannot tell its own trail from that of others: there is no own effect to know")
        low = max(self.deposit, 1e-6) / 100  # of a smell in bits: from a hundredth of one deposit to a thousand of them
        more = dict(supply=self.supply(), bits=self.bits, band=(low, 1e5 * low))
        field = Field.empty(self.lattice, self.evaporation, self.diffusion, **more)
        offset, step, amount = (jnp.float32(v) for v in (self.sensor_offset, self.step, self.deposit))
        gait = Gait(Turn.degrees(self.sensor_angle), offset, Turn.degrees(self.rotation), step, amount)
        ids = None if self.names is None else jnp.asarray(self.names, jnp.uint32)
        x, y, east, north = self.start()
        if not self.exclusive:
            return Society(Particle(x, y, east, north, gait, self.lattice), field, ids)
        name = jnp.asarray(self.known, jnp.uint32)
        digits = max(int(self.known.max()).bit_length(), 1)
        # Nobody has claimed anything yet, so nobody moves in the first round.
        body = Body(x, y, east, north, jnp.ones_like(name), name, gait, self.lattice, digits)
        return Society(body, Ground(field, jnp.zeros(self.shape, jnp.uint32)), ids)

    @property
    def known(self) -> Int[np.ndarray, " agents"]:
        """The names of particles."""
        return np.arange(self.agents) if self.names is None else np.asarray(self.names)

    def start(self) -> tuple:
        """Places and headings at the start, all places alike; in cells of their own, where each takes up one.

        Row by row, those of the lowest names first: who are neighbours in memory are neighbours on the lattice for the
        first few hundred rounds, which takes half of the time of a large lattice away.
        """
        rows, columns = self.shape
        x, y, turn = drawn(self.seed, self.known, 3)
        crowd = int(self.known.max()) + 1
        if self.exclusive:
            cell = np.sort(np.random.default_rng(self.seed).permutation(rows * columns)[:crowd])[self.known]
            x, y = (n.astype(np.float32) + np.float32(0.5) for n in (cell % columns, cell // columns))
        else:
            x, y = x * columns, (self.known + y) * (rows / crowd)
        x, y, _ = self.lattice.inside(*(jnp.asarray(n, jnp.float32) for n in (x, y)))
        return x, y, *headings(turn)

    def supply(self) -> Float[Array, "rows columns"] | None:
        """What food lays a round."""
        if self.food is None:
            return None
        laid, near = np.zeros(self.shape, np.float32), np.array([-1, 0, 1])
        for x, y in self.food:
            rows, columns = int(y) + near, int(x) + near
            if self.periodic:
                rows, columns = rows % self.shape[0], columns % self.shape[1]
            else:
                rows, columns = (v[(v >= 0) & (v < n)] for v, n in zip((rows, columns), self.shape, strict=True))
            laid[np.ix_(rows, columns)] += self.food_amount / 9
        return jnp.asarray(laid)

    def silence(self) -> Outcome:
        """Nothing is smelt (0 bits), for `rounds` rounds."""
        return run(dataclasses.replace(self, bits=0), self.rounds, self.seed)

    def plan(self) -> Outcome:
        """The shortest tree between the food places: the cheapest network, not the most direct or the safest."""
        if self.food is None or len(self.food) < 2:
            raise Refused("there are no two places of food to join: a planner has nothing to do")
        return Outcome(values=dict(trail=None, **shortest_tree(self.food, self.lattice)._asdict()), certificate=0.0)

    def contest(self, leak: float = 1.0) -> Outcome:
        raise Refused("particles want nothing, so there is nothing that full information would let them do better")

    # --- what an outcome means ---

    def quantised(self, bits: int | None) -> "Slime":
        """The same, a smell heard through so many bits (0: nothing is smelt)."""
        check_told(bits)
        return dataclasses.replace(self, bits=bits)

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`trail` [rows, columns] and, with food, what its veins are as a network (`colony.lattice.veins.Network`)."""
        trail = trail_of(society)
        food, network = self.food, Network.unknown()
        if food is not None and len(food) > 1:
            network = network_of(trail, food, self.lattice)
        return Outcome(society, values=dict(trail=trail, **network._asdict()))

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`, `joined`, `cost`, `tolerance` of the veins (NaN without food); `concentration` of the trail."""
        trail: Any = outcome.trail
        if trail is None or not (np.isfinite(trail).all() and trail.sum() > 0):
            even = {"concentration": np.nan}
        else:
            even = {"concentration": gini(trail.ravel())}
        return {name: float(outcome.values[name]) for name in Network._fields} | even

    def conserved(self, society: Society) -> dict[str, Any]:
        """Particles, each on the lattice (and in a cell of its own)."""
        x, y = np.asarray(society.agents.x), np.asarray(society.agents.y)
        rows, columns = self.shape
        inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        cells = np.unique(y[inside].astype(int) * columns + x[inside].astype(int)).size
        return {"particles": int(inside.sum())} | ({"cells that hold one": cells} if self.exclusive else {})

    def effect(self, outcome: Outcome) -> float:
        """The own effect on the trail: the share of what is laid in a round that one particle lays."""
        return 1 / size(outcome.society.agents)

    def scene(self, society: Society) -> Scene:
        """The trail (its logarithm, for veins differ a thousandfold), and the food on it."""
        trail = trail_of(society)
        items: list[Any] = [Grid(np.log10(1 + trail / max(self.deposit, 1e-6)), "log10(1 + trail / deposit)")]
        if self.food is not None:
            items.append(Points(self.food[:, 0] - 0.5, self.food[:, 1] - 0.5, colour=np.ones(len(self.food))))
        return Scene(f"slime mould of {size(society.agents):,} particles", items)

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        rows, columns = self.shape
        measure = "efficiency (how directly veins join the food)"
        return dict(signal="trail", measure=measure, population=f"{self.agents:,} particles, {rows} x {columns} cells")

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Slime":
        """The particles `keep` alone."""
        names = self.known[np.asarray(keep, None if len(keep) else int)]
        if not names.size:
            raise Refused("no particle would be left")
        return dataclasses.replace(self, agents=len(names), names=names)

    def replicate(self, copies: int) -> "Slime":
        """`copies` times as many particles on the same lattice."""
        if self.names is not None:
            raise Refused("particles that are some of a larger crowd cannot be copied: replicate the whole")
        return dataclasses.replace(self, agents=self.agents * copies)

    def shocked(self, key: Any, size: float) -> "Slime":
        """Every food place moved by `size` times a normal tenth of the lattice, and particles that start elsewhere."""
        seed = int(jax.random.bits(key, (), jnp.uint32))
        if self.food is None:
            return dataclasses.replace(self, seed=seed)
        rows, columns = self.shape
        moved = self.food + 0.1 * size * np.asarray(jax.random.normal(key, self.food.shape)) * (columns, rows)
        moved = moved % (columns, rows) if self.periodic else np.clip(moved, 0, (columns - 1, rows - 1))
        return dataclasses.replace(self, food=moved, seed=seed)


def trail_of(society: Society) -> Float[np.ndarray, "rows columns"]:
    """The trail of a society of slime mould, float64."""
    signal: Any = society.signal
    return np.asarray(signal.trail if isinstance(signal, Field) else signal.field.trail, np.float64)
