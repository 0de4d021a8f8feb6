"""Trails on roads: marks lie where they are laid, evaporate, and are smelt through few bits as their span says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.core.channel import Channel, send
from catallax.core.random import key
from catallax.core.signal import join
from catallax.signals.trail import Marks, Trail

HEADS, CHOICES = np.array([1, 0, 1, 0]), np.array([[[0, 2], [1, 3]]] * 2)  # two roads between two places
STEPS = np.array([2, 2, 3, 3])


def trail(evaporation: float = 0.0, amount: float = 1.0, horizon: float = 10.0, colonies: int = 2) -> Trail:
    facts = dict(attraction=20.0, amount=amount, evaporation=evaporation, horizon=horizon)
    numbers = {name: jnp.asarray(x, jnp.float32) for name, x in facts.items()}
    return Trail.bare(colonies, CHOICES, HEADS, STEPS, target=jnp.int32(1), **numbers)


def marks(seed: int, ants: int = 30) -> Marks:
    random = np.random.default_rng(seed)
    where = (jnp.asarray(random.integers(0, n, ants), jnp.int32) for n in (2, 4, 4))
    colony, came, goes = where
    lays = (jnp.asarray(random.random(ants) < 0.5) for _ in range(3))
    first, second, third = lays
    return Marks(colony, came, first, goes, second, third)


LISTEN = jax.jit(lambda said: trail().listen(said))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_hears_parts_as_it_hears_the_whole_and_as_a_loop_does(seed):
    signal, said = trail(), marks(seed)
    whole = LISTEN(said)
    one, two = (LISTEN(jax.tree.map(lambda x, s=s: x[s], said)) for s in (slice(12), slice(12, None)))
    counted, entered = np.zeros((2, 4)), np.zeros((2, 4), int)
    for colony, came, lays_came, goes, lays_goes, went in zip(*map(np.asarray, said), strict=True):
        counted[colony, came] += lays_came
        counted[colony, goes] += lays_goes
        entered[colony, goes] += went
    for summary in (whole, join(signal, one, two)):
        assert np.array_equal(summary["marks"], counted)
        assert np.array_equal(summary["entered"], entered)


def test_evaporates_geometrically_and_holds_what_comes_against_what_goes():
    signal = trail(evaporation=0.1, amount=2.0)
    steady = dict(marks=jnp.ones((2, 4)), entered=jnp.ones((2, 4), jnp.int32))
    nothing = jax.tree.map(jnp.zeros_like, steady)
    step = jax.jit(Trail.propagate)
    for _ in range(300):
        signal = step(signal, steady)
    assert np.allclose(signal.laid, 2 / 0.1, rtol=1e-5)  # amount / evaporation
    for _ in range(5):
        signal = signal.propagate(nothing)
    assert np.allclose(signal.laid, 20 * 0.9**5, rtol=1e-5)
    assert (np.asarray(signal.passed) == 300).all()
    assert np.allclose(signal.public(), 20 + np.asarray(signal.laid))


def test_shares_are_of_the_place_that_a_road_leaves():
    laid = jnp.asarray([[10.0, 0, 40, 20], [0, 0, 0, 0]])
    assert np.allclose(trail().shares(laid), [[30 / 90, 20 / 60, 60 / 90, 40 / 60], [0.5] * 4])


def test_unrest_is_high_at_first_and_falls_with_the_horizon():
    signal = trail(horizon=10.0)
    nothing = dict(marks=jnp.zeros((2, 4)), entered=jnp.zeros((2, 4), jnp.int32))
    for rounds in range(1, 60):
        assert float(signal.unrest(nothing)) == pytest.approx(0.5 * 0.9 ** (rounds - 1), rel=1e-3)
        signal = signal.propagate(nothing)
    assert float(signal.unrest(dict(nothing, marks=jnp.eye(2, 4) * 20))) == pytest.approx(40 / 60 - 0.5, abs=2e-3)


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_few_bits_are_levels_of_smell_on_a_log_scale(bits):
    channel, signal = Channel(bits=bits), trail()
    laid = jnp.asarray(np.geomspace(1, 5000, 8).reshape(2, 4), jnp.float32)
    signal = Trail(**{**vars(signal), "laid": laid})
    heard, _ = send(signal, None, channel.wiring, channel.knobs(), key(0), 0)
    smell = np.clip(20 + np.asarray(laid, float), 20, 2000)
    cell = np.minimum(np.floor(np.log(smell / 20) / np.log(100) * 2**bits), 2**bits - 1)
    assert np.allclose(heard, 20 * 100 ** ((cell + 0.5) / 2**bits), rtol=1e-3)
