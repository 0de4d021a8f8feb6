"""Pheromone on a lattice: agents lay it where they stand, it spreads, fades, and is smelt at a few places near by.

    trail' = (1 - evaporation) ((1 - diffusion) T + diffusion M T),   T = trail + what was laid + supply

M is the mean over the 3 x 3 cells around each. At a wall the cell beyond counts as the one before it, so that M, on a torus
or between walls, moves what there is about and neither adds to it nor takes from it. A place is (x, y) in widths of a cell;
the cell in column c and row r holds the places with c <= x < c + 1 and r <= y < r + 1. Beyond a wall nothing is smelt.

What reaches an agent is what is laid where its feelers are, one number each. Through `bits` b it hears a level in place of
the number, a whole one of 2^b (0 bits: nothing at all), cells of equal width on the log scale of `band`:

    level = clip(floor(2^b log(trail / low) / log(high / low)), 0, 2^b - 1)

J. Jones, Characteristics of pattern formation and evolution in approximations of Physarum transport networks, Artificial
Life 16, 2010 (the 3 x 3 mean, then a constant share that fades).
"""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from catallax.core.errors import BadInput, Refused
from catallax.core.signal import Signal

MOST = 16  # bits that are worth cutting a smell to: above, hear it exactly


class Lattice(NamedTuple):
    """`rows` x `columns` cells, on a torus (`periodic`) or between walls."""

    rows: int
    columns: int
    periodic: bool = True

    def inside(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        """Places no farther out than the lattice is wide, brought back into it: x, y, and whether they had to be.

        On a torus they come in on the other side; at a wall they stop.
        """
        (x, out_x), (y, out_y) = (self._along(*axis) for axis in ((x, self.columns), (y, self.rows)))
        return x, y, out_x | out_y

    def _along(self, x: Any, size: int) -> tuple[Any, Any]:
        out = (x < 0) | (x >= size)
        if self.periodic:
            x = jnp.where(x < 0, x + size, x)
            return jnp.where(x >= size, x - size, x), out  # a sum may round up to the very size
        return jnp.clip(x, 0, np.nextafter(np.float32(size), np.float32(0))), out

    def cell(self, x: Any, y: Any) -> Any:
        """The number of the cell of a place inside, row by row, int32."""
        return y.astype(jnp.int32) * self.columns + x.astype(jnp.int32)

    def nearest(self, dx: Any, dy: Any) -> tuple[Any, Any]:
        """A difference of two places as the shortest way goes."""
        if not self.periodic:
            return dx, dy
        return dx - self.columns * jnp.round(dx / self.columns), dy - self.rows * jnp.round(dy / self.rows)


class Deposit(NamedTuple):
    """An action: `amount` laid at the place (`x`, `y`), inside the lattice."""

    x: Any
    y: Any
    amount: Any


class Field(Signal):
    """A trail on a lattice, for agents that say by `feelers()` where they smell.

    **Fields:** `trail` [rows, columns], laid and not yet gone; `evaporation`, `diffusion`: shares a round in [0, 1];
    `supply` [rows, columns]: what places lay by themselves each round (None: nothing); `periodic`: a torus, or walls;
    `bits` (None: the trail is smelt exactly; 0 to 16) and `band`, the trail (low, high) that their levels cover.

    An agent has `feelers()`, a tuple of pairs (x, y) of places at most a lattice's width outside; it hears a tuple as long,
    float32, or levels (bool for 0 and 1 bits, uint8 up to 8, uint16 above). Agents act by `Deposit`s.

    It never says that it is at rest: what agents do to it differs each round, even where it looks the same.
    """

    trail: Float[Array, "rows columns"]
    evaporation: Float[Array, ""]
    diffusion: Float[Array, ""]
    supply: Float[Array, "rows columns"] | None = None
    periodic: bool = eqx.field(static=True, default=True)
    bits: int | None = eqx.field(static=True, default=None)
    band: tuple[float, float] = eqx.field(static=True, default=(0.01, 100.0))

    merge: ClassVar[str] = "sum"

    @classmethod
    def empty(cls, lattice: Lattice, evaporation: float, diffusion: float = 1.0, **more: Any) -> "Field":
        """A lattice on which nothing was laid yet."""
        trail = jnp.zeros((lattice.rows, lattice.columns), jnp.float32)
        return cls(trail, jnp.float32(evaporation), jnp.float32(diffusion), periodic=lattice.periodic, **more)

    @property
    def lattice(self) -> Lattice:
        """The cells."""
        rows, columns = self.trail.shape
        return Lattice(rows, columns, self.periodic)

    def public(self) -> None:
        """Nothing: each agent smells where it is, and nobody sees the field."""
        return None

    def local(self, agents: Any) -> tuple:
        """What each agent's feelers meet."""
        return tuple(self.smell(x, y) for x, y in agents.feelers())

    def smell(self, x: Any, y: Any) -> Any:
        """What is smelt at places of any shape."""
        return self.level(self.at(x, y))

    def at(self, x: Any, y: Any) -> Float[Array, "..."]:
        """The trail at places of any shape; 0 beyond walls."""
        x, y, out = self.lattice.inside(x, y)
        found = self.trail.reshape(-1).at[self.lattice.cell(x, y)].get(mode="promise_in_bounds")
        return found if self.periodic else jnp.where(out, 0, found)

    def level(self, trail: Any) -> Any:
        """A trail as it is heard."""
        if self.bits is None:
            return trail
        if not self.bits:
            return jnp.zeros(jnp.shape(trail), bool)
        low, high = np.log(self.band)
        share = (jnp.log(jnp.maximum(trail, self.band[0])) - low) / (high - low)
        whole = jnp.clip(jnp.floor(share * 2**self.bits), 0, 2**self.bits - 1)
        return whole.astype(bool if self.bits == 1 else jnp.uint8 if self.bits <= 8 else jnp.uint16)

    def patch(self, x: Any, y: Any) -> Float[Array, "... 3 3"]:
        """The trail in the 3 x 3 cells around each place, [..., row, column], from the lowest row and column."""
        near = [[self.at(x + dx, y + dy) for dx in (-1, 0, 1)] for dy in (-1, 0, 1)]
        return jnp.stack([jnp.stack(row, -1) for row in near], -2)

    def listen(self, actions: Deposit) -> Float[Array, "rows columns"]:
        """All that was laid, by cells."""
        return self.hear(jnp.zeros_like(self.trail), actions)

    def hear(self, summary: Float[Array, "rows columns"], action: Deposit) -> Float[Array, "rows columns"]:
        cell = self.lattice.cell(action.x, action.y)
        laid = summary.reshape(-1).at[cell].add(action.amount, mode="promise_in_bounds")
        return laid.reshape(summary.shape)

    def propagate(self, summary: Float[Array, "rows columns"]) -> "Field":
        return eqx.tree_at(lambda f: f.trail, self, self.after(summary))

    def after(self, laid: Float[Array, "rows columns"]) -> Float[Array, "rows columns"]:
        """The next trail."""
        trail = self.trail + laid
        if self.supply is not None:
            trail = trail + self.supply
        # Without the barrier, the sum that is padded is computed nine times over.
        wide = jax.lax.optimization_barrier(jnp.pad(trail, 1, mode="wrap" if self.periodic else "edge"))
        here = wide[1:-1, 1:-1]
        return (1 - self.evaporation) * (here + self.diffusion * (mean_of_nine(wide) - here))


def mean_of_nine(wide: Float[Array, "rows_and_rim columns_and_rim"]) -> Float[Array, "rows columns"]:
    """The mean over the 3 x 3 cells around each, of a trail with a rim: of three rows, then of three columns."""
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9


def check_lattice(name: str, shape: Any, least: int = 3) -> None:
    """BadInput where `shape` is not (rows, columns) of at least `least` cells each."""
    whole = isinstance(shape, tuple) and len(shape) == 2 and all(isinstance(n, int) and n >= least for n in shape)
    if not whole or shape[0] * shape[1] >= 2**31:
        raise BadInput(f"{name} is {shape!r}: give (rows, columns), each at least {least}, fewer than 2^31 cells")


def check_share(name: str, value: Any) -> None:
    """BadInput where `value` is no share."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BadInput(f"{name} is {value!r}: give a share from 0 to 1")


def check_bits(name: str, bits: Any) -> None:
    """BadInput where a smell cannot be cut to so many bits."""
    whole = isinstance(bits, int) and not isinstance(bits, bool)
    if bits is not None and not (whole and 0 <= bits <= MOST):
        raise BadInput(
            f"{name} is {bits!r}: give a whole number of bits from 0 (smell nothing) to {MOST}, or None (exactly)"
        )


def check_told(bits: int | None) -> None:
    """Refused where so many bits are more than a smell is worth cutting to."""
    if bits is not None and bits > MOST:
        raise Refused(f"above {MOST} bits a smell is heard exactly")


def places_on(name: str, places: Any, lattice: Lattice) -> Int[np.ndarray, "places 2"] | Float[np.ndarray, "places 2"]:
    """Places (x, y) as an array. BadInput where one is no place on the lattice."""
    array = np.asarray(places, np.float64).reshape(-1, 2) if np.size(places) % 2 == 0 else None
    if array is None or np.asarray(places).ndim != 2:
        raise BadInput(f"{name} has shape {np.shape(places)}: give one (x, y) a place")
    good = np.isfinite(array).all(1) & (array >= 0).all(1) & (array < (lattice.columns, lattice.rows)).all(1)
    if not good.all():
        row = int(np.argmin(good))
        room = f"0 <= x < {lattice.columns} and 0 <= y < {lattice.rows}"
        raise BadInput(f"{name}[{row}] is {tuple(array[row].tolist())}: give a place on the lattice, {room}")
    return array
