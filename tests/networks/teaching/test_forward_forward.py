"""Forward-forward: equal to a computation by hand, local bit by bit, told a bit a pass; negatives; both ways to answer."""

import dataclasses
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
from catallax.networks.teaching.forward_forward import ForwardForward
from catallax.networks.teaching.goodness import goodness, normed
from catallax.signals.teaching import Batch, Wire


def small(teaching, classes=3, seed=1):
    """A chain of two hidden layers."""
    layers = [networks.Dense(5, 6), networks.Dense(6, 4), networks.Dense(4, classes)]
    return networks.Chain(layers, teaching=teaching, seed=seed)


def batch_of(chain, rows=7, seed=0):
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.normal(size=(rows, *chain.inputs)))
    return Batch(x, jnp.asarray(random.integers(0, chain.outputs, rows)), chain.loss, jax.random.key(3))


def by_hand(chain, x, label):
    """Gradients of two hidden layers and a readout in NumPy, for two classes: the wrong label is the other one."""
    teaching, rows = chain.teaching, len(x)
    a, t = teaching.sharpness, teaching.threshold
    unit = lambda y: y / np.sqrt(np.mean(y**2, axis=1, keepdims=True))  # noqa: E731
    columns = np.asarray(chain.aids[0])
    good, bad, rest, found = unit(x), unit(x), unit(x), []
    for number, layer in enumerate(chain.layers[:-1]):
        weight, bias = np.asarray(layer.weight), np.asarray(layer.bias)
        added = (columns[label], columns[1 - label], columns.mean(axis=0)) if number == 0 else (0, 0, 0)
        y = [np.maximum(h @ weight.T + bias + c, 0) for h, c in zip((good, bad, rest), added, strict=True)]
        g = [np.mean(value**2, axis=1) for value in y[:2]]
        if teaching.contrast == "symmetric":
            slope = a / (1 + np.exp(-a * (g[1] - g[0]))) / rows
            slopes = (-slope, slope)
        else:
            slopes = (-a / (1 + np.exp(-a * (t - g[0]))) / rows, a / (1 + np.exp(-a * (g[1] - t))) / rows)
        drives = [s[:, None] * 2 * value / value.shape[1] for s, value in zip(slopes, y, strict=False)]
        column = np.zeros_like(columns)
        if number == 0:
            np.add.at(column, label, drives[0])
            np.add.at(column, 1 - label, drives[1])
        found.append((drives[0].T @ good + drives[1].T @ bad, drives[0].sum(0) + drives[1].sum(0), column))
        good, bad, rest = (unit(value) for value in y)
    last = chain.layers[-1]
    output = rest @ np.asarray(last.weight).T + np.asarray(last.bias)
    share = np.exp(output) / np.exp(output).sum(axis=1, keepdims=True)
    error = (share - np.eye(2)[label]) / rows
    return found, (error.T @ rest, error.sum(0)), -np.mean(np.log(share[np.arange(rows), label]))


@pytest.mark.parametrize("contrast", ["symmetric", "threshold"])
def test_gradients_are_those_computed_by_hand(contrast):
    with jax.enable_x64(True):
        chain = small(ForwardForward(contrast, sharpness=3.0, threshold=0.8), classes=2)
        batch = batch_of(chain)
        taught = chain.teaching.teach(chain.parts, batch, Wire())
        hidden, (weight, bias), loss = by_hand(chain, np.asarray(batch.x), np.asarray(batch.target))
        assert float(taught.loss) == pytest.approx(loss, rel=1e-12)
        for part, expected in zip(taught.gradients, hidden, strict=False):
            np.testing.assert_allclose(part.layer.weight, expected[0], rtol=1e-10, atol=1e-14)
            np.testing.assert_allclose(part.layer.bias, expected[1], rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(taught.gradients[0].aid, hidden[0][2], rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(taught.gradients[-1].layer.weight, weight, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(taught.gradients[-1].layer.bias, bias, rtol=1e-10, atol=1e-14)


@pytest.fixture(scope="module")
def taught():
    """A chain, some rows, and what hard negatives teach it."""
    chain = small(ForwardForward())
    batch, wire = batch_of(chain), Wire()
    return chain, batch, chain.teaching.teach(chain.parts, batch, wire), wire


def same(one, other):
    return all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True))


@pytest.mark.parametrize("later", [1, 2])
def test_a_layer_learns_alike_whatever_later_layers_are(taught, later):
    chain, batch, before, _ = taught
    other = eqx.tree_at(lambda c: c.layers[later].weight, chain, replace_fn=lambda w: w[::-1] + 0.3)
    after = chain.teaching.teach(other.parts, batch, Wire()).gradients
    assert same(before.gradients[:later], after[:later])
    assert not same(before.gradients[later], after[later])


def test_the_goodness_of_the_layer_before_is_not_handed_on(taught):
    chain, batch, _, _ = taught
    parts = list(chain.parts)
    louder = jax.tree.map(lambda w: 2 * w, parts[0])  # goodness four times as large, exact in binary
    uniform = ForwardForward(negatives="uniform")
    one, two = (uniform.teach(p, batch, Wire()).gradients for p in ((louder, *parts[1:]), tuple(parts)))
    assert same(one[1:], two[1:])
    assert not same(one[0], two[0])


def test_bits_told_are_a_label_to_the_first_and_one_a_pass_to_the_others(taught):
    chain, batch, before, wire = taught
    assert wire.told == {0: math.log2(3), 1: 2.0, 2: math.log2(3)}
    narrow = chain.teaching.teach(chain.parts, batch, Wire(1))  # no number is told: nothing can be lost on the way
    assert same(before.gradients, narrow.gradients)


def test_hard_negatives_are_wrong_labels_in_proportion_to_the_first_layers_scores():
    chain = small(ForwardForward(sharpness=2.0), classes=4)
    row, rows = batch_of(chain, rows=1).x, 20_000
    first, label = chain.parts[0], jnp.full(rows, 2)
    drawn = chain.teaching.wrong_labels(first, jnp.repeat(row, rows, axis=0), label, jax.random.key(0))
    drive = np.asarray(normed(row) @ first.layer.weight.T) + np.asarray(first.aid)
    score = np.exp(2 * np.mean(np.maximum(drive, 0) ** 2, axis=1)) * (np.arange(4) != 2)
    expected = score / score.sum()
    assert max(expected) > 0.4  # hard: a label stands out
    error = np.sqrt(expected * (1 - expected) / rows)
    assert (np.abs(np.bincount(drawn, minlength=4) / rows - expected) <= 4 * error).all()


def test_uniform_negatives_are_any_wrong_label():
    chain = small(ForwardForward(negatives="uniform"), classes=4)
    label = jnp.asarray(np.arange(20_000) % 4)
    x = jnp.repeat(batch_of(chain, rows=1).x, len(label), axis=0)
    drawn = chain.teaching.wrong_labels(chain.parts[0], x, label, jax.random.key(0))
    shift = np.bincount((np.asarray(drawn) - np.asarray(label)) % 4, minlength=4) / len(label)
    assert shift[0] == 0
    np.testing.assert_allclose(shift[1:], 1 / 3, atol=0.015)


def test_scores_are_sums_of_goodness_with_each_label_or_the_readouts():
    chain = small(ForwardForward())
    x = batch_of(chain).x
    unit = lambda y: y / np.maximum(np.sqrt(np.mean(np.square(y), axis=1, keepdims=True)), 1e-6)  # noqa: E731
    (one, two, last), columns = [np.asarray(layer.weight).T for layer in chain.layers], np.asarray(chain.aids[0])
    scores = np.zeros((len(x), 3))
    for label in range(3):
        y = np.maximum(unit(x) @ one + columns[label], 0)
        z = np.maximum(unit(y) @ two, 0)
        scores[:, label] = np.mean(y**2, axis=1) + np.mean(z**2, axis=1)
    np.testing.assert_allclose(chain(x), scores, rtol=1e-5)
    y = unit(np.maximum(unit(np.maximum(unit(x) @ one + columns.mean(axis=0), 0)) @ two, 0))
    reading = dataclasses.replace(chain.teaching, reading="readout")
    np.testing.assert_allclose(reading.predict(chain.parts, x), y @ last, rtol=1e-4, atol=1e-5)


def test_a_row_of_zeros_stays_a_number():
    zeros = jnp.zeros((2, 5))
    assert (np.asarray(normed(zeros)) == 0).all()
    assert float(goodness(zeros)[0]) == 0
    chain = small(ForwardForward())
    gradients = chain.teaching.teach(chain.parts, batch_of(chain)._replace(x=jnp.zeros((7, 5))), Wire()).gradients
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_digits_are_learnt_by_goodness_and_by_the_readout():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    layers = [networks.Dense(64, 64), networks.Dense(64, 64), networks.Dense(64, 10)]
    chain = networks.Chain(layers, teaching=ForwardForward())
    optimisers = [optax.adam(1e-2), optax.adam(1e-2), optax.adam(3e-3)]
    taught = networks.train(chain, x[:1400] / 16, y[:1400], epochs=12, batch=50, optimiser=optimisers).chain
    for reading, most in (("goodness", 0.08), ("readout", 0.1)):
        score = dataclasses.replace(taught.teaching, reading=reading).predict(taught.parts, jnp.asarray(x[1400:] / 16))
        assert np.mean(np.argmax(score, axis=1) != y[1400:]) <= most


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"contrast": "sharp"}, "ForwardForward.contrast is 'sharp'"),
        ({"negatives": "soft"}, "ForwardForward.negatives"),
        ({"reading": "both"}, "ForwardForward.reading"),
        ({"sharpness": 0.0}, "ForwardForward.sharpness is 0.0"),
        ({"threshold": math.inf}, "ForwardForward.threshold is inf"),
    ],
)
def test_settings_it_does_not_know_are_refused(settings, said):
    with pytest.raises(BadInput, match=said):
        ForwardForward(**settings)


def test_chains_it_cannot_teach_are_refused():
    with pytest.raises(BadInput, match="loss='cross-entropy'"):
        networks.Chain([networks.Dense(5, 6), networks.Dense(6, 1)], teaching=ForwardForward(), loss="squared")
    with pytest.raises(BadInput, match="at least two layers"):
        networks.Chain([networks.Dense(5, 3)], teaching=ForwardForward())
    with pytest.raises(BadInput, match="layer 0 is a Block"):
        block = networks.Block((jnp.tanh,))
        networks.Chain([block, networks.Dense(5, 3)], teaching=ForwardForward(), inputs=(5,))
