"""Chains of layers: what joins, what is refused, and what backpropagation tells."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from catallax import networks
from catallax.core.errors import BadInput
from catallax.networks.school import Learner, lesson
from catallax.signals.teaching import Batch, Wire


def batch_of(chain, rows=7, seed=0):
    """Some rows at random, with labels."""
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.normal(size=(rows, *chain.inputs)))
    return Batch(x, jnp.asarray(random.integers(0, chain.outputs, rows)), chain.loss, jax.random.key(3))


@pytest.mark.parametrize("bias", [True, False])
def test_backpropagation_equals_jax_grad_layer_by_layer(bias):
    with jax.enable_x64(True):
        layers = [networks.Dense(6, 5, a, bias=bias) for a in ("tanh",)] + [networks.Dense(5, 4, bias=bias)]
        chain = networks.Chain([*layers, networks.Dense(4, 3, bias=bias)], seed=1)
        batch = batch_of(chain)
        taught = chain.teaching.teach(chain.parts, batch, Wire())

        def whole(layers):
            x = batch.x
            for layer in layers:
                x = layer(x)
            return chain.loss.value(x, batch.target)

        loss, gradient = eqx.filter_value_and_grad(whole)(chain.layers)
        assert float(taught.loss) == pytest.approx(float(loss), rel=1e-14)
        for ours, theirs in zip(taught.gradients, gradient, strict=True):
            np.testing.assert_allclose(ours.layer.weight, theirs.weight, rtol=1e-12, atol=1e-15)
            if bias:
                np.testing.assert_allclose(ours.layer.bias, theirs.bias, rtol=1e-12, atol=1e-15)


def test_dropout_is_the_same_forward_and_back():
    chain = networks.Chain([networks.Dense(4, 50, dropout=0.5), networks.Dense(50, 3)])
    batch = batch_of(chain)
    taught = chain.teaching.teach(chain.parts, batch, Wire())
    y = chain.layers[0](batch.x, jax.random.fold_in(batch.key, 0))
    dropped = np.asarray(y == 0).all(axis=0)  # of units that are dropped or at rest in all rows, nothing is learnt
    assert dropped.any()
    assert (np.asarray(taught.gradients[1].layer.weight)[:, dropped] == 0).all()


def test_backpropagation_tells_each_layer_its_own_width():
    chain = networks.Chain([networks.Dense(4, 6), networks.Dense(6, 3)])
    wire = Wire()
    chain.teaching.teach(chain.parts, batch_of(chain), wire)
    assert wire.told == {1: 3 * 32, 0: 6 * 32}


def test_layers_have_optimisers_of_their_own():
    chain = networks.Chain([networks.Dense(4, 6), networks.Dense(6, 3)])
    batch = batch_of(chain)
    learners = (Learner.new(chain.parts[0], optax.sgd(0.0)), Learner.new(chain.parts[1], optax.sgd(0.5)))
    (first, second), taught = lesson(learners, chain.teaching, batch, None)
    np.testing.assert_array_equal(first.part.layer.weight, chain.layers[0].weight)
    moved = chain.layers[1].weight - 0.5 * taught.gradients[1].layer.weight
    np.testing.assert_allclose(second.part.layer.weight, moved, rtol=1e-6)


def test_the_seed_draws_the_weights():
    layers = [networks.Dense(4, 6), networks.Dense(6, 3)]
    one, same, other = (networks.Chain(layers, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.layers[0].weight, same.layers[0].weight)
    assert (np.asarray(one.layers[0].weight) != np.asarray(other.layers[0].weight)).any()
    own = networks.Dense(4, 6, key=jax.random.key(5))
    np.testing.assert_array_equal(networks.Chain([own, layers[1]], seed=9).layers[0].weight, own.weight)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: networks.Chain([networks.Dense(4, 6), networks.Dense(5, 3)]),
            "layer 1 takes rows of 5 numbers: layer 0",
        ),
        (lambda: networks.Chain([networks.Dense(4, 6)], inputs=(3,)), "layer 0 takes rows of 4 numbers: the input has"),
        (lambda: networks.Chain([]), "at least one"),
        (lambda: networks.Chain([eqx.nn.Linear(4, 3, key=jax.random.key(0))]), "layer 0 of the chain is a Linear"),
        (lambda: networks.Chain([networks.Dense(4, 3)], "backprop"), "give a Teaching"),
        (lambda: networks.Chain([networks.Dense(4, 3)], loss="hinge"), "'cross-entropy', 'squared'"),
        (lambda: networks.Chain([networks.Block((jnp.tanh,))]), "does not say what it takes"),
        (lambda: networks.Chain([networks.Block((jnp.tanh,))], inputs=(2, 2)), "must have one axis"),
        (lambda: networks.Dense(0, 3), "Dense.inputs is 0"),
        (lambda: networks.Dense(4, 3, "relux"), "Dense.activation is 'relux'"),
        (lambda: networks.Dense(4, 3, dropout=1.0), "Dense.dropout is 1.0"),
    ],
)
def test_what_does_not_join_is_refused(make, words):
    with pytest.raises(BadInput, match=words):
        make()


def test_the_layer_norm_makes_rows_of_one_size():
    z = np.random.default_rng(0).normal(3.0, 5.0, (4, 50)).astype(np.float32)
    layer = networks.Dense(50, 50, "layer norm, relu", key=jax.random.key(0))
    expected = np.maximum((z - z.mean(1, keepdims=True)) / z.std(1, keepdims=True), 0)
    np.testing.assert_allclose(layer.phi(jnp.asarray(z)), expected, atol=1e-5)
