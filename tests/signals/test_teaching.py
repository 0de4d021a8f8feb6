"""The wire to a layer: what it narrows, and what it counts."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from catallax.core.errors import BadInput
from catallax.networks.losses import CrossEntropy, SquaredError
from catallax.signals.teaching import SCALE, Wire, narrowed, pulled

NUMBERS = st.floats(-1e3, 1e3, width=32)
TABLES = arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=NUMBERS)


@given(TABLES, st.integers(1, 6))
def test_narrowed_values_are_few_and_near(value, bits):
    heard = np.asarray(narrowed(jnp.asarray(value), bits), np.float64)
    scale = np.abs(value).max(axis=1, keepdims=True).astype(np.float64)
    assert all(len(np.unique(row)) <= 2**bits for row in heard)
    step = 1.5 if bits == 1 else 1 / (2 ** (bits - 1) - 1)
    assert (np.abs(heard - value) <= scale * step / 2 * (1 + 1e-5) + 1e-30).all()
    assert bits == 1 or (heard[value == 0] == 0).all()


@given(TABLES)
def test_one_bit_is_the_sign_and_half_the_largest(value):
    value = np.where(np.abs(value) < 1e-20, 0, value).astype(np.float32)
    heard = np.asarray(narrowed(jnp.asarray(value), 1))
    scale = np.abs(value).max(axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(heard), np.broadcast_to(scale / 2, value.shape), rtol=1e-6)
    clear = np.abs(value) > 1e-6 * scale
    assert (np.sign(heard)[clear] == np.sign(value)[clear]).all()


def test_what_is_told_is_counted():
    value = jnp.ones((5, 3))
    exact, narrow = Wire(), Wire(4)
    assert exact.tell(0, value, times=2) is value
    narrow.tell(0, value, times=2)
    narrow.label(1, jnp.zeros(5, int), CrossEntropy(8))
    narrow.label(2, value, SquaredError())
    assert exact.told == {0: 2 * 3 * 32}
    assert narrow.told == {0: 2 * (3 * 4 + SCALE), 1: 3.0, 2: 3 * 32}


@pytest.mark.parametrize("bits", [0, 25, 1.5, True])
def test_bits_are_whole_and_few(bits):
    with pytest.raises(BadInput, match="whole number from 1 to 24"):
        Wire(bits)


def test_pulled_is_the_transposed_derivative():
    weight, x, signal = jnp.arange(6.0).reshape(2, 3), jnp.ones((4, 3)), jnp.ones((4, 2))
    np.testing.assert_allclose(pulled(lambda w: x @ w.T, weight, signal), signal.T @ x)
