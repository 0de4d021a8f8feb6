"""The Flax wrapper is the same layer, with prices as a variable."""

import jax
import numpy as np
import pytest

nnx = pytest.importorskip("flax.nnx")

from catallax.experts.flax import Price, PricedExperts  # noqa: E402


def test_it_is_the_same_layer_and_its_prices_move_only_in_training():
    x = jax.random.normal(jax.random.key(0), (64, 8))
    layer = PricedExperts(8, 16, 4, rngs=nnx.Rngs(0))
    y, prices, info = jax.jit(lambda m, x, p: m(x, p))(layer.layer(), x, layer.prices[...])
    found, market = nnx.jit(lambda m, x: m(x))(layer, x)
    assert np.allclose(found, y, atol=1e-6) and np.array_equal(market.choice, info.choice)
    assert np.allclose(layer.prices[...], prices, atol=1e-6) and np.any(prices)
    moved = np.asarray(layer.prices[...])
    layer.eval()
    nnx.jit(lambda m, x: m(x))(layer, x)
    assert np.array_equal(layer.prices[...], moved)


def test_parameters_learn_and_prices_do_not():
    x = jax.random.normal(jax.random.key(0), (64, 8))
    layer = PricedExperts(8, 16, 4, rngs=nnx.Rngs(0))
    pull = nnx.jit(nnx.grad(lambda m: (m(x)[0] ** 2).sum()))(layer)
    assert len(jax.tree.leaves(nnx.state(layer, Price))) == 1
    assert all(np.any(leaf) for leaf in jax.tree.leaves(pull)) and len(jax.tree.leaves(pull)) == 6
