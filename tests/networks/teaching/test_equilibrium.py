"""Equilibrium propagation: the free phase rests where it should, and what changes when nudged is the gradient there."""

import math

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
from catallax.networks.teaching.equilibrium import EquilibriumPropagation, contrast, started
from catallax.signals.teaching import Batch, Wire

ROWS, HARD = 4, "hard sigmoid"


def chain_of(teaching, last="linear", loss="cross-entropy"):
    """Three layers, whose hidden activities are mostly between their bounds."""
    layers = [networks.Dense(5, 7, HARD), networks.Dense(7, 6, HARD), networks.Dense(6, 3, last)]
    chain = networks.Chain(layers, teaching=teaching, loss=loss, seed=1)
    shrink = lambda layer: eqx.tree_at(lambda m: (m.weight, m.bias), layer, (0.2 * layer.weight, layer.bias + 0.4))  # noqa: E731
    return eqx.tree_at(lambda c: c.layers, chain, tuple(shrink(layer) for layer in chain.layers))


def batch_of(chain, target=None, seed=0):
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.uniform(size=(ROWS, *chain.inputs)))
    label = jnp.asarray(random.integers(0, chain.outputs, ROWS)) if target is None else target
    return Batch(x, label, chain.loss, jax.random.key(3))


@eqx.filter_jit
def taught(teaching, parts, batch):
    return teaching.teach(parts, batch, Wire())


def matrices(chain):
    return [(np.array(layer.weight), np.array(layer.bias)) for layer in chain.layers]


def rest(weights, x, linear, times=400):
    """The free minimum, written anew: all layers at once, from nothing."""
    x = np.asarray(x)
    u = [np.zeros((len(x), len(bias))) for _, bias in weights]
    for _ in range(times):
        old = [x, *u]
        for number, (weight, bias) in enumerate(weights):
            drive = old[number] @ weight.T + bias
            if number + 1 < len(weights):
                drive += old[number + 2] @ weights[number + 1][0]
            u[number] = drive if linear and number + 1 == len(weights) else np.clip(drive, 0, 1)
    return u


def cross_entropy(output, target):
    score = output - np.log(np.exp(output).sum(1, keepdims=True))
    return -score[np.arange(len(output)), np.asarray(target)].mean()


def squared(output, target):
    return 0.5 * ((output - np.asarray(target)) ** 2).sum(1).mean()


def slopes(weights, batch, linear, cost, size=1e-5):
    """d cost(free output) / d weights by central differences."""
    found = []
    for pair in weights:
        for value in pair:
            slope = np.zeros_like(value)
            for place in np.ndindex(value.shape):
                own, both = value[place], []
                for sign in (1, -1):
                    value[place] = own + sign * size
                    both.append(cost(rest(weights, batch.x, linear, 60)[-1], batch.target))
                value[place] = own
                slope[place] = (both[0] - both[1]) / (2 * size)
            found.append(slope)
    return found


def flat(gradients):
    return [value for part in gradients for value in (part.layer.weight, part.layer.bias)]


def furthest(ours, theirs):
    return max(float(np.abs(np.asarray(a) - b).max()) for a, b in zip(ours, theirs, strict=True))


SETTLED = {"steps": 200, "nudged": 200}


@pytest.mark.parametrize("last", ["linear", HARD])
def test_the_free_phase_rests_at_the_fixed_point(last):
    with jax.enable_x64(True):
        chain = chain_of(EquilibriumPropagation(**SETTLED), last)
        batch = batch_of(chain)
        output = chain(batch.x)
        np.testing.assert_allclose(output, rest(matrices(chain), batch.x, last == "linear")[-1], rtol=0, atol=1e-12)
        assert float(jnp.abs(output - started(chain.parts, batch.x)[-1]).max()) > 1e-3  # it is not the sweep forward


@pytest.mark.parametrize(
    ("last", "loss", "cost"), [("linear", "cross-entropy", cross_entropy), (HARD, "squared", squared)]
)
def test_a_small_nudge_gives_the_gradient_at_the_free_fixed_point(last, loss, cost):
    """To second order in the nudge where symmetric, to first order where not."""
    with jax.enable_x64(True):
        chain = chain_of(EquilibriumPropagation(**SETTLED), last, loss)
        target = jnp.asarray(np.random.default_rng(5).uniform(size=(ROWS, 3))) if loss == "squared" else None
        batch = batch_of(chain, target)
        free = rest(matrices(chain), batch.x, last == "linear")
        inner = np.concatenate([h.ravel() for h in free[:2]])
        assert np.mean((inner > 0.02) & (inner < 0.98)) > 0.8
        exact = slopes(matrices(chain), batch, last == "linear", cost)
        apart = {}
        for symmetric in (True, False):
            for nudge in (0.02, 0.01):
                teaching = EquilibriumPropagation(nudge=nudge, symmetric=symmetric, **SETTLED)
                apart[symmetric, nudge] = furthest(flat(taught(teaching, chain.parts, batch).gradients), exact)
        assert apart[True, 0.01] < 1e-4
        assert apart[True, 0.02] / apart[True, 0.01] == pytest.approx(4, rel=0.15)
        assert apart[False, 0.02] / apart[False, 0.01] == pytest.approx(2, rel=0.15)


def test_the_energy_never_rises_in_the_free_phase():
    with jax.enable_x64(True):
        chain = chain_of(EquilibriumPropagation())
        x = batch_of(chain).x
        step = EquilibriumPropagation(steps=1)
        move = eqx.filter_jit(lambda parts, x, u: step.settled(parts, x, u, Wire()))
        for seed in range(3):
            random = np.random.default_rng(seed)
            weights = [random.normal(size=w.shape) for w, _ in matrices(chain)]  # far from a gentle network
            wild = eqx.tree_at(lambda c: [layer.weight for layer in c.layers], chain, [jnp.asarray(w) for w in weights])
            u = started(wild.parts, x)
            met = [energy(wild.layers, x, u)]
            for _ in range(8):
                u = move(wild.parts, x, u)
                met.append(energy(wild.layers, x, u))
            assert (np.diff(met) <= 1e-12).all()
            assert met[-1] < met[0]


def energy(layers, x, u):
    """E, summed over the rows, written anew."""
    total = 0.0
    for layer, below, own in zip(layers, (x, *u), u, strict=False):
        total += 0.5 * (own**2).sum() - (own * (below @ layer.weight.T + layer.bias)).sum()
    return float(total)


def test_a_layer_learns_from_the_activities_of_its_two_ends():
    with jax.enable_x64(True):
        chain = chain_of(EquilibriumPropagation(nudge=0.3))
        batch = batch_of(chain)
        teaching, u = chain.teaching, started(chain.parts, batch.x)
        free = teaching.settled(chain.parts, batch.x, u, Wire())
        high, low = (teaching.settled(chain.parts, batch.x, free, Wire(), batch, nudge) for nudge in (0.3, -0.3))
        ours = taught(teaching, chain.parts, batch).gradients[1].layer
        change = [np.asarray(b[1]).T @ np.asarray(b[0]) for b in (high, low)]
        np.testing.assert_allclose(ours.weight, -(change[0] - change[1]) / (0.6 * ROWS), rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(ours.bias, -(high[1] - low[1]).sum(0) / (0.6 * ROWS), rtol=1e-9, atol=1e-14)
        alone = contrast(chain.layers[1], high[0], high[1], low[0], low[1], 0.6 * ROWS)
        np.testing.assert_allclose(alone.weight, ours.weight, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("symmetric", "phases"), [(True, 2), (False, 1)])
def test_bits_are_counted_for_every_step_of_every_phase(symmetric, phases):
    chain = chain_of(EquilibriumPropagation(symmetric=symmetric, steps=9, nudged=4))
    wire = Wire()
    eqx.filter_eval_shape(lambda batch: chain.teaching.teach(chain.parts, batch, wire), batch_of(chain))
    steps = 9 + phases * 4
    assert wire.told == {0: steps * 7 * 32, 1: steps * 6 * 32, 2: math.log2(3)}


def test_it_learns_digits():
    x, y = load_digits(return_X_y=True)
    x = x / 16
    layers = [networks.Dense(64, 96, HARD), networks.Dense(96, 10, "linear")]
    chain = networks.Chain(layers, EquilibriumPropagation(steps=8, nudged=6))
    held = (x[1400:], y[1400:])
    each = [optax.adam(5e-3), optax.adam(1e-3)]
    outcome = networks.train(chain, x[:1400], y[:1400], 12, batch=50, optimiser=each, validation=held)
    assert min(outcome.record["mistakes"]) < 0.1


def test_layers_without_a_place_in_the_energy_are_refused():
    def chain(*layers):
        networks.Chain(layers, EquilibriumPropagation(), inputs=(4,))

    with pytest.raises(BadInput, match=r"layer 0 is 'relu': .* give 'hard sigmoid'"):
        chain(networks.Dense(4, 5), networks.Dense(5, 3))
    with pytest.raises(BadInput, match=r"layer 0 is 'linear'"):
        chain(networks.Dense(4, 5, "linear"), networks.Dense(5, 3))
    with pytest.raises(BadInput, match=r"layer 1 is a Block: .* give networks\.Dense"):
        chain(networks.Dense(4, 5, HARD), Block((eqx.nn.Linear(5, 3, key=jax.random.key(0)),)))
    with pytest.raises(BadInput, match=r"layer 0 has dropout 0\.5"):
        chain(networks.Dense(4, 5, HARD, dropout=0.5), networks.Dense(5, 3))


def test_bad_settings_are_refused():
    with pytest.raises(BadInput, match=r"nudged is 0: give a whole number"):
        EquilibriumPropagation(nudged=0)
    with pytest.raises(BadInput, match=r"nudge is 1\.0: give a number above 0 and below 1"):
        EquilibriumPropagation(nudge=1.0)
    with pytest.raises(BadInput, match=r"tolerance is -1\.0"):
        EquilibriumPropagation(tolerance=-1.0)
