"""Direct random target projection: the paper's rule and sign, and that nothing but the label reaches a layer."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from catallax import networks
from catallax.core.errors import BadInput
from catallax.networks.teaching.random_targets import RandomTargets
from catallax.signals.teaching import Batch, Wire


def batch_of(chain, rows=7, seed=0):
    """Some rows at random, with labels."""
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.normal(size=(rows, *chain.inputs)))
    return Batch(x, jnp.asarray(random.integers(0, chain.outputs, rows)), chain.loss, jax.random.key(3))


def test_weights_go_up_along_the_projected_label():
    with jax.enable_x64(True):
        layers = [networks.Dense(6, 5, "tanh"), networks.Dense(5, 4, "tanh"), networks.Dense(4, 3)]
        chain = networks.Chain(layers, teaching=RandomTargets(), seed=1)
        batch = batch_of(chain)
        taught = chain.teaching.teach(chain.parts, batch, Wire())
        x, label = [np.asarray(batch.x)], np.eye(3)[np.asarray(batch.target)]
        for number, layer in enumerate(chain.layers[:-1]):
            x.append(np.tanh(x[-1] @ np.asarray(layer.weight).T))
            rise = label @ np.asarray(chain.teaching.matrices[number]) * (1 - x[-1] ** 2) / 7
            np.testing.assert_allclose(taught.gradients[number].layer.weight, -rise.T @ x[-2], rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(taught.gradients[number].layer.bias, -rise.sum(axis=0), rtol=1e-12, atol=1e-15)
        last = eqx.filter_grad(lambda layer: chain.loss.value(layer(jnp.asarray(x[-1])), batch.target))(
            chain.layers[-1]
        )
        np.testing.assert_allclose(taught.gradients[-1].layer.weight, last.weight, rtol=1e-12, atol=1e-15)


def test_later_layers_do_not_reach_earlier_ones():
    layers = [networks.Dense(6, 5, "tanh"), networks.Dense(5, 4, "tanh"), networks.Dense(4, 3)]
    chain = networks.Chain(layers, teaching=RandomTargets(), seed=1)
    assert chain.teaching.alone and not chain.teaching.locked
    batch = batch_of(chain)
    for changed in (1, 2):
        where = lambda parts, changed=changed: parts[changed].layer.weight  # noqa: E731
        other = eqx.tree_at(where, chain.parts, 3 * chain.parts[changed].layer.weight)
        one, two = (chain.teaching.teach(p, batch, Wire()).gradients for p in (chain.parts, other))
        for number in range(changed):
            np.testing.assert_array_equal(one[number].layer.weight, two[number].layer.weight)
        assert (np.asarray(one[2].layer.weight) != np.asarray(two[2].layer.weight)).any()


def test_a_layer_is_told_the_label_alone():
    block = networks.Block((eqx.nn.Conv2d(1, 4, 3, key=jax.random.key(0)), jnp.tanh, jnp.ravel))
    chain = networks.Chain([block, networks.Dense(16, 8)], teaching=RandomTargets(scale=0.1), inputs=(1, 4, 4))
    for bits in (None, 2):  # a label is told whole
        wire = Wire(bits)
        chain.teaching.teach(chain.parts, batch_of(chain), wire)
        assert wire.told == {0: 3.0, 1: 3.0}
    values = networks.Chain([networks.Dense(4, 6), networks.Dense(6, 2)], teaching=RandomTargets(), loss="squared")
    wire = Wire()
    target = jnp.ones((5, 2))
    values.teaching.teach(values.parts, Batch(jnp.ones((5, 4)), target, values.loss, jax.random.key(0)), wire)
    assert wire.told == {0: 64.0, 1: 64.0}


def test_digits_are_learnt():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    layers = [networks.Dense(64, 64, "tanh"), networks.Dense(64, 10)]
    chain = networks.Chain(layers, teaching=RandomTargets(), seed=3)
    keep = {"batch": 50, "optimiser": optax.adam(3e-3), "validation": (X[1500:], y[1500:])}
    outcome = networks.train(chain, X[:1500], y[:1500], 15, **keep)
    assert min(outcome.record["mistakes"][1:]) < 0.16


def test_bad_scales_are_refused():
    with pytest.raises(BadInput, match="RandomTargets.scale"):
        networks.Chain([networks.Dense(4, 3)], teaching=RandomTargets(scale=0.0))
