"""Predictive coding: where activities come to rest, what is learnt there, and when it is backpropagation."""

import itertools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from catallax import networks
from catallax.core.errors import BadInput
from catallax.networks.layers import Block
from catallax.networks.losses import CrossEntropy, Loss
from catallax.networks.teaching.predictive_coding import PredictiveCoding
from catallax.signals.teaching import Batch, Wire

ROWS = 6


def chain_of(teaching=None, sizes=(5, 7, 6, 3), loss: Any = "cross-entropy", seed=1):
    """Hidden layers of tanh."""
    joints = list(itertools.pairwise(sizes))
    layers = [networks.Dense(*joint, "tanh") for joint in joints[:-1]] + [networks.Dense(*joints[-1])]
    return networks.Chain(layers, teaching=teaching, loss=loss, seed=seed)


def batch_of(chain, target=None, seed=0):
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.normal(size=(ROWS, *chain.inputs)))
    label = jnp.asarray(random.integers(0, chain.outputs, ROWS)) if target is None else target
    return Batch(x, label, chain.loss, jax.random.key(3))


@eqx.filter_jit
def taught(teaching, parts, batch):
    return teaching.teach(parts, batch, Wire())


def energy(layers, free, batch):
    """F, summed over the rows, written anew."""
    total, x = 0.0, batch.x
    for layer, own in zip(layers[:-1], free, strict=True):
        total, x = total + 0.5 * jnp.sum((own - layer(x)) ** 2), own
    return total + len(x) * batch.loss.value(layers[-1](x), batch.target)


def assert_same(ours, theirs, **how):
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, **how)


@pytest.mark.parametrize("sizes", [(5, 7, 6, 3), (5, 3)])
def test_fixed_predictions_give_backpropagation_in_one_step(sizes):
    with jax.enable_x64(True):
        chain = chain_of(sizes=sizes)
        batch = batch_of(chain)
        ours = taught(PredictiveCoding(steps=1, fixed=True), chain.parts, batch)
        theirs = taught(networks.Backpropagation(), chain.parts, batch)
        assert_same(ours, theirs, rtol=1e-12, atol=1e-15)


def test_at_rest_the_update_is_the_gradient_of_the_energy():
    with jax.enable_x64(True):
        chain = chain_of()
        batch = batch_of(chain)
        teaching = PredictiveCoding(steps=3000, tolerance=1e-11)
        _, free, steps = eqx.filter_jit(teaching.relaxed)(chain.parts, batch)
        assert 0 < int(steps) < 3000
        assert_same(jax.grad(energy, 1)(chain.layers, free, batch), [0.0] * 2, rtol=0, atol=1e-10)
        slope = eqx.filter_grad(lambda layers: energy(layers, free, batch) / ROWS)(chain.layers)
        ours = taught(teaching, chain.parts, batch)
        assert_same([part.layer for part in ours.gradients], list(slope), rtol=1e-9, atol=1e-12)


def test_with_linear_layers_rest_is_the_solution_of_linear_equations():
    with jax.enable_x64(True):
        random = np.random.default_rng(4)
        target = jnp.asarray(random.normal(size=(ROWS, 3)))
        layers = [networks.Dense(5, 8, "linear"), networks.Dense(8, 3)]
        chain = networks.Chain(layers, loss="squared", seed=2)
        batch = batch_of(chain, target)
        first, second = (np.asarray(layer.weight) for layer in chain.layers)
        told = np.asarray(batch.x) @ first.T
        rest = np.linalg.solve(np.eye(8) + second.T @ second, (told + target @ second).T).T
        _, free, _ = PredictiveCoding(steps=400, tolerance=1e-13).relaxed(chain.parts, batch)
        np.testing.assert_allclose(free[0], rest, rtol=1e-11, atol=1e-12)


class Faint(Loss):
    """Cross-entropy, so much of it."""

    share: float
    whole: CrossEntropy

    def value(self, output, target):
        return self.share * self.whole.value(output, target)

    def code(self, target):
        return self.whole.code(target)

    def bits(self, target):
        return self.whole.bits(target)

    def mistakes(self, output, target):
        return self.whole.mistakes(output, target)

    def checked(self, target, rows, outputs):
        return self.whole.checked(target, rows, outputs)


def test_the_fainter_the_loss_the_closer_to_backpropagation():
    with jax.enable_x64(True):
        chain = chain_of()
        batch = batch_of(chain)
        exact = taught(networks.Backpropagation(), chain.parts, batch).gradients
        scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(exact))

        def apart(share):
            faint = batch._replace(loss=Faint(share, CrossEntropy(3)))
            ours = taught(PredictiveCoding(steps=300, step=0.2), chain.parts, faint).gradients
            pairs = zip(jax.tree.leaves(ours), jax.tree.leaves(exact), strict=True)
            return max(float(jnp.abs(one / share - other).max()) for one, other in pairs) / scale

        far, near = apart(1e-2), apart(1e-3)
        assert near < 5e-3
        assert far / near == pytest.approx(10, rel=0.1)  # to first order


@pytest.mark.parametrize("step", [0.05, None])
def test_the_energy_never_rises(step):
    teaching = PredictiveCoding(step=step)
    move = eqx.filter_jit(lambda parts, batch, free: teaching.moved(parts, batch, Wire(), free, free))
    with jax.enable_x64(True):
        for seed in range(3):
            chain = chain_of(seed=seed)
            batch = batch_of(chain, seed=seed)
            first = chain.layers[0](batch.x)
            free = (first, chain.layers[1](first))
            met = [energy(chain.layers, free, batch)]
            for _ in range(10):
                free, _ = move(chain.parts, batch, free)
                met.append(energy(chain.layers, free, batch))
            assert (np.diff(met) < 0).all()


def test_a_layer_learns_from_its_own_two_ends():
    """Its update, written anew from its input and its activity; later layers enter through that activity alone."""
    with jax.enable_x64(True):
        chain = chain_of()
        batch = batch_of(chain)
        teaching = PredictiveCoding(steps=5)
        _, free, _ = teaching.relaxed(chain.parts, batch)
        ours = taught(teaching, chain.parts, batch).gradients
        for layer, below, own, gradient in zip(chain.layers, (batch.x, free[0]), free, ours, strict=False):
            predicted = np.tanh(np.asarray(below) @ np.asarray(layer.weight).T + np.asarray(layer.bias))
            error = (predicted - np.asarray(own)) * (1 - predicted**2) / ROWS
            np.testing.assert_allclose(gradient.layer.weight, error.T @ below, rtol=1e-9, atol=1e-14)
            np.testing.assert_allclose(gradient.layer.bias, error.sum(0), rtol=1e-9, atol=1e-14)


def test_layers_of_other_kinds():
    """Equinox modules in place of `Dense`: the same numbers."""
    with jax.enable_x64(True):
        dense = chain_of(sizes=(5, 7, 3))
        linear = [eqx.nn.Linear(5, 7, key=jax.random.key(0)), eqx.nn.Linear(7, 3, key=jax.random.key(0))]
        same = [
            eqx.tree_at(lambda m: (m.weight, m.bias), m, (layer.weight, layer.bias))
            for m, layer in zip(linear, dense.layers, strict=True)
        ]
        chain = networks.Chain([Block((same[0], jnp.tanh)), Block((same[1],))], inputs=(5,))
        batch = batch_of(dense)
        one, other = (taught(PredictiveCoding(steps=4), c.parts, batch) for c in (dense, chain))
        assert_same(one, other, rtol=1e-10, atol=1e-14)


def test_bits_are_counted_for_every_step():
    chain = chain_of()
    for bits, number in ((None, 7 * 32), (3, 7 * 3 + 32)):
        wire = Wire(bits)
        eqx.filter_eval_shape(
            lambda batch, w=wire: PredictiveCoding(steps=9).teach(chain.parts, batch, w), batch_of(chain)
        )
        assert wire.told[0] == 9 * number
        assert wire.told[2] == math.log2(3)  # the target, which is held for all steps


@pytest.mark.parametrize(("bits", "bar"), [(None, 0.05), (4, 0.06)])
def test_it_learns_digits(bits, bar):
    x, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    x, y = x[rows] / 16, y[rows]
    chain = networks.Chain([networks.Dense(64, 96, "tanh"), networks.Dense(96, 10)], PredictiveCoding(steps=6))
    held = (x[1400:], y[1400:])
    outcome = networks.train(
        chain, x[:1400], y[:1400], 12, batch=50, optimiser=optax.adam(1e-2), bits=bits, validation=held
    )
    assert min(outcome.record["mistakes"]) < bar


def test_bad_settings_are_refused():
    with pytest.raises(BadInput, match=r"steps is 0: give a whole number of at least 1"):
        PredictiveCoding(steps=0)
    with pytest.raises(BadInput, match=r"step is 2\.5: give a size above 0 and below 2"):
        PredictiveCoding(step=2.5)
    with pytest.raises(BadInput, match=r"tolerance is -1\.0: give a number of at least 0"):
        PredictiveCoding(tolerance=-1.0)
