"""SoftHebb: equal to a computation by hand, at rest at the means of a mixture, told nothing; a readout beside its control."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from catallax import networks
from catallax.core.errors import BadInput
from catallax.networks.teaching.competition import normed
from catallax.networks.teaching.softhebb import SoftHebb
from catallax.signals.teaching import Batch, Wire


def small(teaching, bias=True, seed=1):
    """A chain of two hidden layers, biases drawn at random where there are any."""
    layers = [networks.Dense(5, 6, bias=bias), networks.Dense(6, 4, bias=bias), networks.Dense(4, 3)]
    chain = networks.Chain(layers, teaching=teaching, seed=seed)
    if not bias:
        return chain
    random = np.random.default_rng(2)
    where = lambda c: [layer.bias for layer in c.layers]  # noqa: E731
    return eqx.tree_at(where, chain, replace_fn=lambda b: jnp.asarray(0.1 * random.normal(size=b.shape), b.dtype))


def batch_of(chain, rows=7, seed=0):
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.normal(size=(rows, *chain.inputs)))
    return Batch(x, jnp.asarray(random.integers(0, chain.outputs, rows)), chain.loss, jax.random.key(3))


def unit(x):
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def by_hand(chain, x, temperatures):
    """Changes of hidden layers, neuron by neuron and row by row, and the output, in NumPy."""
    teaching, found, heard = chain.teaching, [], []
    for layer, temperature in zip(chain.layers[:-1], temperatures, strict=True):
        weight, bias = np.asarray(layer.weight), np.asarray(0 if layer.bias is None else layer.bias)
        x = unit(x)
        drive = x @ weight.T + bias
        p = softmax(drive / temperature)
        change = np.zeros_like(weight)
        for k, w in enumerate(weight):
            for row in range(len(x)):
                wins = teaching.rule == "soft" or k == np.argmax(drive[row])
                change[k] += (p[row, k] if wins else -p[row, k]) * (x[row] - (w @ x[row]) * w)
            change[k] *= abs(np.linalg.norm(w) - 1) ** teaching.rate_power
            change[k] /= p[:, k].sum() + 0.1 if teaching.share else len(x)
        found.append((change, p.mean(axis=0) - np.exp(bias / temperature)))
        x = (
            p
            if teaching.activation == "softmax"
            else np.maximum(drive - drive.mean(1, keepdims=True), 0) ** teaching.power
        )
        heard.append(teaching.gain * (x - x.mean(axis=1, keepdims=True)))
    last, aid = chain.layers[-1], chain.aids[-1]
    output = heard[1] @ np.asarray(last.weight).T + np.asarray(last.bias)
    return found, heard, output if aid is None else output + heard[0] @ np.asarray(aid).T


SETTINGS = [
    SoftHebb(temperature=0.3, gain=3.0, length=2.0),
    SoftHebb(
        (0.3, 0.7), "anti", share=False, rate_power=0.5, activation="softmax", power=1.0, reads="last", length=2.0
    ),
]


@pytest.mark.parametrize("teaching", SETTINGS, ids=["soft", "anti"])
def test_changes_are_those_computed_by_hand(teaching):
    with jax.enable_x64(True):
        chain = small(teaching)
        batch = batch_of(chain)
        taught = teaching.teach(chain.parts, batch, Wire())
        temperature = teaching.temperature
        given = temperature if isinstance(temperature, tuple) else (temperature, temperature)
        changes, heard, output = by_hand(chain, np.asarray(batch.x), given)
        np.testing.assert_allclose(chain(batch.x), output, rtol=1e-10, atol=1e-12)
        for part, (weight, bias) in zip(taught.gradients, changes, strict=False):
            np.testing.assert_allclose(-part.layer.weight, weight, rtol=1e-9, atol=1e-13)
            np.testing.assert_allclose(-part.layer.bias, bias, rtol=1e-9, atol=1e-13)
        label = np.asarray(batch.target)
        share = softmax(output)
        assert float(taught.loss) == pytest.approx(-np.mean(np.log(share[np.arange(len(label)), label])), rel=1e-10)
        error = (share - np.eye(3)[label]) / len(label)
        readout = taught.gradients[-1]
        np.testing.assert_allclose(readout.layer.bias, error.sum(axis=0), rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(readout.layer.weight, error.T @ heard[1], rtol=1e-8, atol=1e-12)
        if teaching.reads == "all":
            np.testing.assert_allclose(readout.aid, error.T @ heard[0], rtol=1e-8, atol=1e-12)
        else:
            assert readout.aid is None


def same(one, other):
    return all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(*map(jax.tree.leaves, (one, other)), strict=True))


def test_hidden_layers_are_told_nothing():
    chain, wire = small(SoftHebb()), Wire()
    batch = batch_of(chain)
    before = chain.teaching.teach(chain.parts, batch, wire).gradients
    assert wire.told == {2: math.log2(3)}
    relabelled = chain.teaching.teach(chain.parts, batch._replace(target=(batch.target + 1) % 3), Wire(1)).gradients
    assert same(before[:2], relabelled[:2])
    assert not same(before[2], relabelled[2])
    for later in (1, 2):
        other = eqx.tree_at(lambda c, n=later: c.layers[n].weight, chain, replace_fn=lambda w: w[::-1] + 0.3)
        after = chain.teaching.teach(other.parts, batch, Wire()).gradients
        assert same(before[:later], after[:later])
        assert not same(before[later], after[later])


CENTRES, SHARES = 3, (0.5, 0.3, 0.2)


@pytest.fixture(scope="module")
def mixture():
    """Rows of a mixture of three directions, which of them each is of, and the means of each one's rows, at length 1."""
    random = np.random.default_rng(0)
    kind = np.repeat(np.arange(CENTRES), (np.asarray(SHARES) * 600).astype(int))
    x = 3 * np.eye(8)[kind * 2] + 0.3 * random.normal(size=(600, 8))
    rows = np.asarray(normed(jnp.asarray(x)))
    means = np.stack([rows[kind == k].mean(axis=0) for k in range(CENTRES)])
    return x, kind, means / np.linalg.norm(means, axis=1, keepdims=True)


def test_weights_come_to_the_means_of_a_mixture_at_length_one_and_biases_to_its_shares(mixture):
    x, kind, means = mixture
    temperature, random = 0.1, np.random.default_rng(1)
    layers = [networks.Dense(8, CENTRES), networks.Dense(CENTRES, CENTRES)]
    chain = networks.Chain(layers, teaching=SoftHebb(temperature=temperature))
    start = jnp.asarray(1.7 * means + 0.3 * random.normal(size=means.shape), jnp.float32)
    chain = eqx.tree_at(lambda c: c.layers[0].weight, chain, start)
    assert np.linalg.norm(np.asarray(start) - means, axis=1).min() > 0.5
    optimisers = [optax.sgd(optax.linear_schedule(0.3, 0.0, 400)), optax.adam(1e-2)]
    outcome = networks.train(chain, x, kind, epochs=80, batch=120, optimiser=optimisers)
    layer = outcome.chain.layers[0]
    np.testing.assert_allclose(layer.weight, means, atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(layer.weight, axis=1), 1, atol=1e-3)
    np.testing.assert_allclose(np.exp(np.asarray(layer.bias) / temperature), SHARES, atol=0.02)


def test_the_means_at_length_one_are_where_it_rests(mixture):
    x, _, means = mixture
    with jax.enable_x64(True):
        layer = networks.Dense(8, CENTRES, bias=False, key=jax.random.key(0))
        layer = eqx.tree_at(lambda own: own.weight, layer, jnp.asarray(means))
        rows = normed(jnp.asarray(x))
        rest = SoftHebb().descent(layer, rows, 1e-3)  # a temperature at which the nearest takes all
        assert np.abs(rest.weight).max() < 1e-6  # the rounding of the means
        longer = eqx.tree_at(lambda own: own.weight, layer, 1.1 * jnp.asarray(means))
        shrinks = SoftHebb().descent(longer, rows, 1e-3)
        assert (np.sum(np.asarray(shrinks.weight) * means, axis=1) > 0.05).all()


def test_lengths_of_rows_do_not_matter_nor_do_their_means():
    chain = small(SoftHebb(), bias=False)
    x = batch_of(chain).x
    np.testing.assert_allclose(chain(3 * x + 5), chain(x), rtol=1e-3, atol=1e-4)
    flat = chain.teaching.teach(chain.parts, batch_of(chain)._replace(x=jnp.ones((7, 5))), Wire()).gradients
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(flat))


def of_many_kinds(seed, rows=1200, kinds=12, width=40):
    """Rows about twelve directions in noise of greater length than theirs; a class is three of them."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(kinds, width))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    kind = random.integers(0, kinds, rows)
    return centres[kind] + 0.25 * random.normal(size=(rows, width)), kind % 4


def mistakes(seed, rate, length):
    """Of a readout on 400 new rows; rate 0: hidden weights stay as they were drawn."""
    (x, y), epochs = of_many_kinds(seed), 20
    layers = [networks.Dense(40, 24), networks.Dense(24, 4)]
    chain = networks.Chain(layers, SoftHebb(temperature=0.1, length=length, gain=10.0), seed=seed)
    optimisers = [optax.sgd(optax.linear_schedule(rate, 0.0, 8 * epochs)), optax.adam(1e-2)]
    chain = networks.train(chain, x[:800], y[:800], epochs, batch=50, optimiser=optimisers, seed=seed).chain
    return float(np.mean(np.argmax(chain(x[800:]), axis=1) != y[800:])), np.asarray(chain.layers[0].weight)


@pytest.mark.parametrize("seed", [0, 1])
def test_classes_are_read_out_better_than_from_random_layers(seed):
    learnt, weight = mistakes(seed, 0.1, 6.0)
    random, _ = mistakes(seed, 0.0, 1.0)
    assert learnt < 0.15
    assert random > 0.3
    np.testing.assert_allclose(np.linalg.norm(weight, axis=1), 1, atol=0.1)  # no neuron is left out


def test_hidden_weights_are_drawn_at_the_length_asked_for_and_those_brought_along_stay():
    own = networks.Dense(400, 30, key=jax.random.key(5))
    chain = networks.Chain([own, networks.Dense(30, 300), networks.Dense(300, 3)], SoftHebb(length=5.0))
    assert same(chain.layers[0].weight, own.weight)
    assert np.mean(np.linalg.norm(chain.layers[1].weight, axis=1)) == pytest.approx(5, rel=0.05)
    assert np.mean(np.linalg.norm(chain.layers[2].weight, axis=1)) == pytest.approx(2**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rule": "hard"}, "SoftHebb.rule is 'hard'"),
        ({"activation": "relu"}, "SoftHebb.activation is 'relu'"),
        ({"temperature": 0.0}, "SoftHebb.temperature is 0.0"),
        ({"temperature": (0.1, -1.0)}, "SoftHebb.temperature"),
        ({"power": math.nan}, "SoftHebb.power is nan"),
        ({"rate_power": -0.5}, "SoftHebb.rate_power is -0.5"),
        ({"length": 0.0}, "SoftHebb.length is 0.0"),
        ({"reads": "first"}, "SoftHebb.reads is 'first'"),
    ],
)
def test_settings_it_does_not_know_are_refused(settings, said):
    with pytest.raises(BadInput, match=said):
        SoftHebb(**settings)


def test_chains_it_cannot_teach_are_refused():
    with pytest.raises(BadInput, match="the chain has 1 hidden layers"):
        networks.Chain([networks.Dense(5, 6), networks.Dense(6, 3)], teaching=SoftHebb(temperature=(0.1, 0.2)))
    with pytest.raises(BadInput, match="layer 0 is a Block"):
        block = networks.Block((jnp.tanh,))
        networks.Chain([block, networks.Dense(5, 3)], teaching=SoftHebb(), inputs=(5,))
