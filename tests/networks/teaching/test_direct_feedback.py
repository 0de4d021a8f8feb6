"""Direct feedback alignment against the paper's equation; layers of any kind and shape."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from catallax import networks
from catallax.core.errors import BadInput
from catallax.networks.teaching.direct_feedback_alignment import DirectFeedbackAlignment
from catallax.signals.teaching import Batch, Wire


def batch_of(chain, rows=7, seed=0):
    """Some rows at random, with labels."""
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.normal(size=(rows, *chain.inputs)))
    return Batch(x, jnp.asarray(random.integers(0, chain.outputs, rows)), chain.loss, jax.random.key(3))


def test_every_layer_reads_the_error_at_the_output_through_its_matrix():
    with jax.enable_x64(True):
        layers = [networks.Dense(6, 5, "tanh"), networks.Dense(5, 4, "tanh"), networks.Dense(4, 3)]
        chain = networks.Chain(layers, teaching=DirectFeedbackAlignment(), loss="squared", seed=1)
        x = [np.random.default_rng(0).normal(size=(7, 6))]
        target = np.random.default_rng(1).normal(size=(7, 3))
        batch = Batch(jnp.asarray(x[0]), jnp.asarray(target), chain.loss, jax.random.key(0))
        taught = chain.teaching.teach(chain.parts, batch, Wire())
        for layer in chain.layers[:-1]:
            x.append(np.tanh(x[-1] @ np.asarray(layer.weight).T))
        error = (x[-1] @ np.asarray(chain.layers[-1].weight).T - target) / 7
        for number in (0, 1, 2):
            slope = error
            if number < 2:
                slope = error @ np.asarray(chain.teaching.matrices[number]) * (1 - x[number + 1] ** 2)
            gradient = taught.gradients[number].layer
            np.testing.assert_allclose(gradient.weight, slope.T @ x[number], rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(gradient.bias, slope.sum(axis=0), rtol=1e-12, atol=1e-15)


def test_weights_behind_a_layer_matter_only_through_the_output():
    """Where later weights change and the output does not, an earlier layer's update stays bit for bit."""
    layers = [networks.Dense(6, 5), networks.Dense(5, 4), networks.Dense(4, 3)]
    chain = networks.Chain(layers, teaching=DirectFeedbackAlignment(), seed=1)
    batch = batch_of(chain)
    parts = eqx.tree_at(lambda parts: parts[2].layer.weight, chain.parts, jnp.zeros((3, 4)))
    other = eqx.tree_at(lambda parts: parts[1].layer.weight, parts, -parts[1].layer.weight)
    one, two = (chain.teaching.teach(p, batch, Wire()).gradients for p in (parts, other))
    np.testing.assert_array_equal(one[0].layer.weight, two[0].layer.weight)
    assert np.abs(one[0].layer.weight).max() > 0
    assert (np.asarray(one[1].layer.weight) != np.asarray(two[1].layer.weight)).any()


def image_chain(teaching, side=8, seed=0):
    """Two convolutions and a linear layer."""
    one, two, three = jax.random.split(jax.random.key(seed), 3)
    return networks.Chain(
        [
            networks.Block((eqx.nn.Conv2d(1, 4, 3, stride=2, padding=1, key=one), jax.nn.relu)),
            networks.Block((eqx.nn.Conv2d(4, 8, 3, stride=2, padding=1, key=two), jax.nn.relu, jnp.ravel)),
            networks.Block((eqx.nn.Linear(8 * (side // 4) ** 2, 10, key=three),)),
        ],
        teaching=teaching,
        inputs=(1, side, side),
    )


def test_a_layer_of_any_shape_hears_as_many_numbers_as_the_network_has_outputs():
    chain = image_chain(DirectFeedbackAlignment(scale=2.0))
    assert [None if b is None else b.shape for b in chain.teaching.matrices] == [(10, 4, 4, 4), (10, 32), None]
    assert np.std(chain.teaching.matrices[0]) == pytest.approx(2 / np.sqrt(10), rel=0.1)
    for bits, told in ((None, 10 * 32), (3, 10 * 3 + 32)):
        wire = Wire(bits)
        chain.teaching.teach(chain.parts, batch_of(chain, 2), wire)
        assert wire.told == {0: told, 1: told, 2: told}


def test_convolutions_learn_digits():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    keep = {"batch": 50, "optimiser": optax.adam(3e-3), "validation": (X[1500:], y[1500:])}
    outcome = networks.train(image_chain(DirectFeedbackAlignment()), X[:1500], y[:1500], 10, **keep)
    assert min(outcome.record["mistakes"][1:]) < 0.3


@pytest.mark.parametrize(("bits", "bar"), [(None, 0.12), (2, 0.2)])
def test_digits_are_learnt_even_from_two_bits_a_number(bits, bar):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    layers = [networks.Dense(64, 64, "tanh"), networks.Dense(64, 10)]
    chain = networks.Chain(layers, teaching=DirectFeedbackAlignment(), seed=3)
    keep = {"batch": 50, "optimiser": optax.adam(3e-3), "validation": (X[1500:], y[1500:])}
    outcome = networks.train(chain, X[:1500], y[:1500], 15, bits=bits, **keep)
    assert min(outcome.record["mistakes"][1:]) < bar


@pytest.mark.parametrize("scale", [0, -1.0, float("inf"), True, "big"])
def test_scales_that_are_no_sizes_are_refused(scale):
    teaching = eqx.tree_at(lambda t: t.scale, DirectFeedbackAlignment(), scale)
    with pytest.raises(BadInput, match="DirectFeedbackAlignment.scale"):
        networks.Chain([networks.Dense(4, 3)], teaching=teaching)
