"""What a layer's own activity costs it: added to its gradient, under every teaching that goes by gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.errors import BadInput
from catallax.networks import Chain, Dense, LocalLosses, PredictiveCoding, SoftHebb
from catallax.networks.saved import load, save
from catallax.signals.teaching import Batch, Wire

X = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
Y = np.arange(12, dtype=np.int32) % 3
PRICES = (0.3, 0.05)


def chain_of(prices, teaching=None, **how):
    return Chain([Dense(5, 7, activity=prices[0], **how), Dense(7, 6, activity=prices[1]), Dense(6, 3)], teaching)


def taught(chain):
    batch = Batch(jnp.asarray(X), jnp.asarray(Y), chain.loss, jax.random.key(1))
    return chain.teaching.teach(chain.parts, batch, Wire())


def written_out(weights, prices):
    """The same network's loss and what activity costs, without the library."""
    x, costs = X, 0.0
    for (weight, bias), price in zip(weights[:-1], prices):
        x = jnp.maximum(x @ weight.T + bias, 0)
        costs = costs + price * jnp.mean(jnp.sum(jnp.abs(x), axis=1))
    scores = x @ weights[-1][0].T + weights[-1][1]
    return costs - jnp.mean(jax.nn.log_softmax(scores)[np.arange(12), Y])


def test_backpropagation_is_the_gradient_of_loss_and_costs():
    chain = chain_of(PRICES)
    weights = [(layer.weight, layer.bias) for layer in chain.layers]
    found = taught(chain)
    for ours, (weight, bias) in zip(found.gradients, jax.grad(written_out)(weights, PRICES), strict=True):
        np.testing.assert_allclose(ours.layer.weight, weight, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(ours.layer.bias, bias, rtol=1e-4, atol=1e-6)
    assert float(found.loss) == pytest.approx(float(written_out(weights, (0.0, 0.0))), rel=1e-5)  # costs are not in it


def test_a_layer_with_a_loss_of_its_own_pays_for_itself_alone():
    free, charged = (taught(chain_of((price, 0.0), LocalLosses("predict"))) for price in (0.0, 0.3))
    layer = chain_of((0.0, 0.0)).layers[0]
    costs = jax.grad(lambda w: 0.3 * jnp.mean(jnp.sum(jnp.maximum(X @ w.T + layer.bias, 0), axis=1)))(layer.weight)
    more = charged.gradients[0].layer.weight - free.gradients[0].layer.weight
    np.testing.assert_allclose(more, costs, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(charged.gradients[1].layer.weight, free.gradients[1].layer.weight)


def test_what_is_said_is_as_without_a_price():
    np.testing.assert_array_equal(chain_of(PRICES)(X), chain_of((0.0, 0.0))(X))


def test_the_price_is_kept_in_a_file(tmp_path):
    save(chain_of(PRICES), tmp_path / "chain.safetensors")
    again = load(tmp_path / "chain.safetensors")
    assert tuple(layer.activity for layer in again.layers) == (*PRICES, 0.0)


@pytest.mark.parametrize("price", [-0.1, float("nan"), float("inf")])
def test_prices_that_are_none(price):
    with pytest.raises(BadInput, match="Dense.activity"):
        Dense(4, 3, activity=price)


@pytest.mark.parametrize("teaching", [SoftHebb, PredictiveCoding])
def test_a_teaching_that_would_not_heed_it_says_so(teaching):
    with pytest.raises(BadInput, match=f"layer 0 has a price of activity, which {teaching.__name__} does not heed"):
        chain_of(PRICES, teaching())
