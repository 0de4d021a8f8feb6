"""The lattice pheromone against rolls of NumPy, and what it keeps."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.core.society import Society
from catallax.measures.bits import bits
from catallax.signals.field import Deposit, Field, Lattice, check_bits, check_lattice, check_share, places_on

ROWS, COLUMNS = 6, 9
few = settings(max_examples=15)
seeds = st.integers(0, 2**32 - 1)


def field(seed: int = 0, periodic: bool = True, evaporation: float = 0.1, diffusion: float = 1.0, **more) -> Field:
    empty = Field.empty(Lattice(ROWS, COLUMNS, periodic), evaporation, diffusion, **more)
    trail = np.random.default_rng(seed).exponential(size=(ROWS, COLUMNS)).astype(np.float32)
    return dataclasses.replace(empty, trail=jnp.asarray(trail))


def deposits(seed: int, count: int) -> Deposit:
    random = np.random.default_rng(seed)
    x, y, amount = random.random((3, count)).astype(np.float32)
    return Deposit(*(jnp.asarray(v) for v in (x * COLUMNS, y * ROWS, amount)))


def mean(trail: np.ndarray, periodic: bool) -> np.ndarray:
    """Of the 3 x 3 cells around each, in float64, one cell at a time."""
    out = np.zeros(trail.shape)
    for r, c in np.ndindex(trail.shape):
        near = [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        inside = [
            (i % ROWS, j % COLUMNS) if periodic else (np.clip(i, 0, ROWS - 1), np.clip(j, 0, COLUMNS - 1))
            for i, j in near
        ]
        out[r, c] = np.mean([trail[i, j] for i, j in inside])
    return out


# --- spreading and fading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("diffusion", [0.0, 0.3, 1.0])
def test_a_round_is_the_mean_of_nine_and_then_a_share_that_fades(periodic, diffusion):
    start = field(1, periodic, 0.2, diffusion)
    laid = np.random.default_rng(2).random((ROWS, COLUMNS)).astype(np.float32)
    trail = np.asarray(start.trail, np.float64) + laid
    expected = 0.8 * ((1 - diffusion) * trail + diffusion * mean(trail, periodic))
    np.testing.assert_allclose(start.propagate(jnp.asarray(laid)).trail, expected, rtol=1e-5)


@few
@given(seed=seeds, periodic=st.booleans(), diffusion=st.floats(0, 1))
def test_what_spreads_is_neither_more_nor_less(seed, periodic, diffusion):
    start = field(seed, periodic, 0.0, float(np.float32(diffusion)))
    after = start.propagate(jnp.zeros((ROWS, COLUMNS)))
    assert float(after.trail.sum()) == pytest.approx(float(start.trail.sum()), rel=1e-5)
    assert float(after.trail.min()) >= float(start.trail.min()) - 1e-6  # a mean of what was there


@few
@given(seed=seeds, evaporation=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_without_spreading_a_share_fades_exactly(seed, evaporation):
    start = field(seed, evaporation=evaporation, diffusion=0.0)
    after = start.propagate(jnp.zeros((ROWS, COLUMNS)))
    np.testing.assert_array_equal(after.trail, start.trail * np.float32(1 - evaporation))


def test_supply_is_laid_each_round():
    laid = jnp.zeros((ROWS, COLUMNS)).at[2, 3].set(7.0)
    start = field(evaporation=0.0, supply=laid)
    after = start.propagate(jnp.zeros((ROWS, COLUMNS)))
    assert float(after.trail.sum() - start.trail.sum()) == pytest.approx(7.0, rel=1e-5)


# --- laying ---------------------------------------------------------------------------------------------------


@few
@given(seed=seeds, cut=st.integers(0, 40))
def test_listening_is_additive_and_hears_one_more(seed, cut):
    signal, all_ = field(), deposits(seed, 40)
    first = jnp.arange(40) < cut
    one, other = (Deposit(all_.x, all_.y, all_.amount * part) for part in (first, ~first))
    together = signal.listen(all_)
    np.testing.assert_allclose(signal.listen(one) + signal.listen(other), together, rtol=1e-5, atol=1e-6)
    heard = jnp.zeros_like(signal.trail)
    for k in range(5):
        heard = signal.hear(heard, Deposit(*(v[k] for v in all_)))
    np.testing.assert_allclose(heard, signal.listen(Deposit(*(v[:5] for v in all_))), rtol=1e-6, atol=1e-7)


def test_each_deposit_lies_in_its_cell():
    laid = deposits(3, 200)
    expected = np.zeros((ROWS, COLUMNS))
    for x, y, amount in zip(*(np.asarray(v) for v in laid), strict=True):
        expected[int(y), int(x)] += amount
    np.testing.assert_allclose(field().listen(laid), expected, rtol=1e-5)


# --- smelling -------------------------------------------------------------------------------------------------


def test_patch_is_what_rolls_say_and_walls_smell_of_nothing():
    y, x = (jnp.asarray(v.ravel() + 0.5, jnp.float32) for v in np.indices((ROWS, COLUMNS)))
    around, between = field(4), field(4, periodic=False)
    trail = np.asarray(around.trail)
    rolled = [[np.roll(trail, (-i, -j), (0, 1)) for j in (-1, 0, 1)] for i in (-1, 0, 1)]
    np.testing.assert_array_equal(around.patch(x, y), np.moveaxis(np.array(rolled), (0, 1), (2, 3)).reshape(-1, 3, 3))
    wide = np.pad(trail, 1)
    walled = [[wide[i : i + ROWS, j : j + COLUMNS] for j in range(3)] for i in range(3)]
    np.testing.assert_array_equal(between.patch(x, y), np.moveaxis(np.array(walled), (0, 1), (2, 3)).reshape(-1, 3, 3))


@few
@given(
    x=st.floats(-COLUMNS, 2 * COLUMNS, width=32, exclude_max=True),
    y=st.floats(-ROWS, 2 * ROWS, width=32, exclude_max=True),
    periodic=st.booleans(),
)
def test_every_place_is_brought_inside(x, y, periodic):
    lattice = Lattice(ROWS, COLUMNS, periodic)
    new_x, new_y, out = lattice.inside(jnp.float32(x), jnp.float32(y))
    assert 0 <= new_x < COLUMNS and 0 <= new_y < ROWS
    assert bool(out) == (not (0 <= x < COLUMNS and 0 <= y < ROWS))
    assert 0 <= int(lattice.cell(new_x, new_y)) < ROWS * COLUMNS
    if not out:
        assert (new_x, new_y) == (x, y)


def test_nearest_way_round():
    near = Lattice(ROWS, COLUMNS).nearest(jnp.float32(COLUMNS - 1), jnp.float32(-ROWS + 2))
    assert (float(near[0]), float(near[1])) == (-1, 2)
    assert Lattice(ROWS, COLUMNS, False).nearest(5, 4) == (5, 4)


# --- few bits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [0, 1, 3, 8, 12])
def test_levels_are_few_in_order_and_even_on_a_log_scale(bits):
    signal = field(bits=bits, band=(0.1, 1000.0))
    trail = np.concatenate([[0], np.geomspace(0.01, 1e4, 5001)]).astype(np.float32)
    level = np.asarray(signal.level(jnp.asarray(trail))).astype(int)
    assert (np.diff(level) >= 0).all() and level[0] == 0 and level[-1] == 2**bits - 1
    assert np.unique(level).size <= 2**bits
    width = 8 * signal.level(jnp.asarray(trail)).dtype.itemsize
    assert bits <= width <= (8 if bits <= 8 else 16)
    edges = 0.1 * 10 ** (4 * np.arange(1, 2**bits) / 2**bits)
    away = np.abs(np.subtract.outer(np.log(trail[1:]), np.log(edges))).min(1, initial=1) > 1e-5  # but for rounding
    np.testing.assert_array_equal(level[1:][away], np.searchsorted(edges, trail[1:], side="right")[away])


# --- refusals -------------------------------------------------------------------------------------------------

BAD = {
    "lattice": lambda: check_lattice("shape", (2, 9)),
    "no lattice": lambda: check_lattice("shape", 9),
    "huge lattice": lambda: check_lattice("shape", (2**16, 2**16)),
    "share": lambda: check_share("evaporation", 1.5),
    "no number": lambda: check_share("evaporation", True),
    "bits": lambda: check_bits("bits", 17),
    "half a bit": lambda: check_bits("bits", 0.5),
    "outside": lambda: places_on("food", [(1, 2), (9, 1)], Lattice(ROWS, COLUMNS)),
    "nowhere": lambda: places_on("food", [(1, float("nan"))], Lattice(ROWS, COLUMNS)),
    "three numbers": lambda: places_on("food", [(1, 2, 3)], Lattice(ROWS, COLUMNS)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_a_sentence(name):
    with pytest.raises(cx.BadInput, match="give "):
        BAD[name]()


def test_it_says_which_place_is_wrong():
    with pytest.raises(cx.BadInput, match=r"food\[1\] is \(9.0, 1.0\)"):
        BAD["outside"]()


def test_nobody_reads_the_field():
    society = Society(Nose(jnp.zeros(3), jnp.zeros(3)), field())
    assert bits(society)["public"] == 0 and bits(society)["local"] == 3 * 32


class Nose(cx.Agent):
    """Stands, smells and lays what it smells."""

    x: jax.Array
    y: jax.Array

    def feelers(self):
        return ((self.x, self.y),)

    def respond(self, view, key):
        return self, Deposit(self.x, self.y, view.local[0])
