"""Feedback alignment against the paper's equation in NumPy, and the alignment that gives it its name."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from catallax import networks
from catallax.core.errors import BadInput
from catallax.networks.teaching.backpropagation import Backpropagation
from catallax.networks.teaching.feedback_alignment import FeedbackAlignment
from catallax.signals.teaching import Batch, Wire


def batch_of(chain, rows=7, seed=0):
    """Some rows at random, with labels."""
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.normal(size=(rows, *chain.inputs)))
    return Batch(x, jnp.asarray(random.integers(0, chain.outputs, rows)), chain.loss, jax.random.key(3))


def softmax_error(output, target):
    p = np.exp(output - output.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return (p - np.eye(output.shape[1])[target]) / len(target)


def test_errors_go_back_through_the_fixed_matrices():
    with jax.enable_x64(True):
        layers = [networks.Dense(6, 5, "tanh"), networks.Dense(5, 4, "tanh"), networks.Dense(4, 3)]
        chain = networks.Chain(layers, teaching=FeedbackAlignment(), seed=1)
        batch = batch_of(chain)
        taught = chain.teaching.teach(chain.parts, batch, Wire())
        matrices = [None if b is None else np.asarray(b) for b in chain.teaching.matrices]
        x = [np.asarray(batch.x)]
        for layer in chain.layers[:-1]:
            x.append(np.tanh(x[-1] @ np.asarray(layer.weight).T))
        slope = softmax_error(x[-1] @ np.asarray(chain.layers[-1].weight).T, np.asarray(batch.target))
        for number in (2, 1, 0):
            assert slope is not None
            gradient = taught.gradients[number].layer
            np.testing.assert_allclose(gradient.weight, slope.T @ x[number], rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(gradient.bias, slope.sum(axis=0), rtol=1e-12, atol=1e-15)
            slope = slope @ matrices[number] * (1 - x[number] ** 2) if number else None


def test_with_the_weights_themselves_it_is_backpropagation():
    with jax.enable_x64(True):
        layers = [networks.Dense(6, 5, dropout=0.3), networks.Dense(5, 4), networks.Dense(4, 3)]
        chain = networks.Chain(layers, teaching=FeedbackAlignment(), seed=1)
        own = eqx.tree_at(lambda t: t.matrices[1:], chain.teaching, tuple(x.weight for x in chain.layers[1:]))
        ours, theirs = (t.teach(chain.parts, batch_of(chain), Wire()) for t in (own, Backpropagation()))
        for one, other in zip(ours.gradients, theirs.gradients, strict=True):
            np.testing.assert_allclose(one.layer.weight, other.layer.weight, rtol=1e-12, atol=1e-15)


def test_matrices_are_of_the_weights_shape_and_size_and_not_the_weights():
    layers = [networks.Dense(20, 300), networks.Dense(300, 200), networks.Dense(200, 10)]
    chain = networks.Chain(layers, teaching=FeedbackAlignment(scale=0.5))
    first, second, third = chain.teaching.matrices
    assert first is None and second.shape == (200, 300) and third.shape == (10, 200)
    assert np.std(second) == pytest.approx(0.5 * np.sqrt(2 / 300), rel=0.02)
    agreement = np.corrcoef(np.ravel(second), np.ravel(chain.layers[1].weight))[0, 1]
    assert abs(agreement) < 0.02


def test_a_layer_hears_its_own_width():
    chain = networks.Chain([networks.Dense(4, 6), networks.Dense(6, 3)], teaching=FeedbackAlignment())
    for bits, told in ((None, {1: 3 * 32, 0: 6 * 32}), (4, {1: 3 * 4 + 32, 0: 6 * 4 + 32})):
        wire = Wire(bits)
        chain.teaching.teach(chain.parts, batch_of(chain), wire)
        assert wire.told == told


def test_digits_are_learnt_and_the_layers_come_to_align():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    layers = [networks.Dense(64, 32, "tanh"), networks.Dense(32, 10)]
    chain = networks.Chain(layers, teaching=FeedbackAlignment(), seed=3)
    keep = {"batch": 50, "optimiser": optax.adam(3e-3), "validation": (X[1500:], y[1500:])}
    outcome = networks.train(chain, X[:1500], y[:1500], 15, **keep)
    assert min(outcome.record["mistakes"][1:]) < 0.12
    back = chain.teaching.matrices[1]
    cosines = [
        float(jnp.vdot(c.layers[1].weight, back) / jnp.linalg.norm(c.layers[1].weight) / jnp.linalg.norm(back))
        for c in (chain, outcome.chain)
    ]
    assert abs(cosines[0]) < 0.2 < cosines[1] - cosines[0]


def test_layers_without_weights_of_the_shape_are_refused():
    block = networks.Block((eqx.nn.Linear(4, 6, key=jax.random.key(0)),))
    with pytest.raises(BadInput, match="layer 0 is a Block: feedback alignment teaches networks.Dense"):
        networks.Chain([block, networks.Dense(6, 3)], teaching=FeedbackAlignment(), inputs=(4,))
    with pytest.raises(BadInput, match="scale"):
        networks.Chain([networks.Dense(4, 3)], teaching=FeedbackAlignment(scale=-1.0))
