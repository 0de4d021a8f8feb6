"""Local losses: each layer's gradient is that of its own objective, and its control lets gradients through."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from catallax import networks
from catallax.core.errors import BadInput
from catallax.networks.objectives import Objective, similarity
from catallax.networks.teaching.deep_supervision import DeepSupervision
from catallax.networks.teaching.local_losses import LocalLosses, layer_losses
from catallax.signals.teaching import Batch, Wire

BETA = 0.7


def batch_of(chain, rows=7, seed=0):
    """Some rows at random, with labels."""
    random = np.random.default_rng(seed)
    x = jnp.asarray(random.normal(size=(rows, *chain.inputs)))
    return Batch(x, jnp.asarray(random.integers(0, chain.outputs, rows)), chain.loss, jax.random.key(3))


def small(teaching):
    """Three layers, their heads drawn at random (they begin at 0)."""
    layers = [networks.Dense(6, 5, "tanh"), networks.Dense(5, 4, "tanh"), networks.Dense(4, 3)]
    chain = networks.Chain(layers, teaching=teaching, seed=1)
    return eqx.tree_at(lambda chain: chain.aids, chain, replace_fn=lambda aids: jax.tree.map(noisy, aids))


def noisy(x):
    return x + jnp.asarray(np.random.default_rng(x.size).normal(size=x.shape)) if eqx.is_inexact_array(x) else x


def predicted(heads, h, target):
    score = jax.nn.log_softmax(h @ heads.score.weight.T + heads.score.bias)
    return -sum(score[b, c] for b, c in enumerate(target)) / len(target)


def alike(heads, h, target):
    return jnp.mean((jnp.corrcoef(h @ heads.map.T) - jnp.corrcoef(jnp.eye(3)[target])) ** 2)


LOSS = {
    "predict": predicted,
    "similarity": alike,
    "predsim": lambda *given: (1 - BETA) * predicted(*given) + BETA * alike(*given),
}


def assert_same(ours, theirs):
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("kind", sorted(LOSS))
def test_a_layer_follows_the_gradient_of_its_own_loss(kind):
    with jax.enable_x64(True):
        chain = small(LocalLosses(Objective(kind, beta=BETA)))
        batch = batch_of(chain)
        taught = chain.teaching.teach(chain.parts, batch, Wire())
        x = batch.x
        for part, gradient in zip(chain.parts[:-1], taught.gradients, strict=False):
            loss = lambda part, x=x: LOSS[kind](part.aid, part.layer(x), batch.target)  # noqa: E731
            assert_same(gradient, eqx.filter_grad(loss)(part))
            x = part.layer(x)
        last = eqx.filter_grad(lambda layer: chain.loss.value(layer(x), batch.target))(chain.layers[-1])
        assert_same(taught.gradients[-1].layer, last)
        assert float(taught.loss) == pytest.approx(float(chain.loss.value(chain(batch.x), batch.target)))


def test_deep_supervision_follows_the_gradient_of_the_sum():
    with jax.enable_x64(True):
        chain = small(DeepSupervision(Objective("predsim", beta=BETA), weight=0.3))
        batch = batch_of(chain)
        wire = Wire()
        taught = chain.teaching.teach(chain.parts, batch, wire)

        def total(parts):
            x, sum_of_all = batch.x, 0.0
            for part in parts[:-1]:
                x = part.layer(x)
                sum_of_all += 0.3 * LOSS["predsim"](part.aid, x, batch.target)
            return sum_of_all + chain.loss.value(parts[-1].layer(x), batch.target)

        assert_same(taught.gradients, eqx.filter_grad(total)(chain.parts))
        label = np.log2(3)
        assert wire.told == pytest.approx({0: label + 5 * 64, 1: label + 4 * 64, 2: label})


def test_both_begin_with_the_same_heads():
    one, two = (small(kind("predsim")) for kind in (LocalLosses, DeepSupervision))
    for a, b in zip(jax.tree.leaves(one.aids), jax.tree.leaves(two.aids), strict=True):
        np.testing.assert_array_equal(a, b)


def test_later_layers_do_not_reach_earlier_ones():
    chain, control = small(LocalLosses("predsim")), small(DeepSupervision("predsim"))
    assert chain.teaching.alone and not chain.teaching.locked
    assert control.teaching.locked and not control.teaching.alone
    batch = batch_of(chain)
    later = jax.tree.map(lambda x: 1.5 * x if eqx.is_inexact_array(x) else x, chain.parts[1:])
    taught = eqx.filter_jit(lambda teaching, parts: teaching.teach(parts, batch, Wire()).gradients)
    for teaching, same in ((chain.teaching, True), (control.teaching, False)):
        one, two = taught(teaching, chain.parts), taught(teaching, (chain.parts[0], *later))
        first = [np.asarray(g[0].layer.weight) for g in (one, two)]
        assert np.array_equal(*first) == same
        heads = [np.asarray(g[0].aid.map) for g in (one, two)]
        np.testing.assert_array_equal(*heads)
        assert (np.asarray(one[1].layer.weight) != np.asarray(two[1].layer.weight)).any()


@pytest.mark.parametrize("kind", ["predict", "similarity", "predsim"])
def test_a_layer_is_told_the_label_alone(kind):
    chain = small(LocalLosses(kind))
    for bits in (None, 2):
        wire = Wire(bits)
        jax.eval_shape(lambda wire=wire: chain.teaching.teach(chain.parts, batch_of(chain), wire).loss)
        assert wire.told == pytest.approx(dict.fromkeys(range(3), np.log2(3)))


def test_similarity_is_correlation_and_rows_without_spread_have_none():
    u = np.random.default_rng(0).normal(size=(6, 5))
    with jax.enable_x64(True):
        np.testing.assert_allclose(similarity(jnp.asarray(u)), np.corrcoef(u), rtol=1e-12)
    u[2] = 0
    slope = jax.grad(lambda u: similarity(u).sum())(jnp.asarray(u))
    assert (np.asarray(similarity(jnp.asarray(u)))[2] == 0).all() and np.isfinite(slope).all()


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


def numbers(losses):
    """Of the layers that have an objective."""
    return [loss for loss in losses if loss is not None]


@pytest.mark.parametrize(("teaching", "bar"), [(LocalLosses("predsim"), 0.15), (DeepSupervision("predsim"), 0.1)])
def test_digits_are_learnt_and_each_layers_loss_falls(teaching, bar, digits):
    X, y = digits
    chain = networks.Chain([networks.Dense(64, 64), networks.Dense(64, 10)], teaching=teaching, seed=3)
    keep = {"batch": 50, "optimiser": optax.adam(3e-3), "validation": (X[1500:], y[1500:])}
    outcome = networks.train(chain, X[:1500], y[:1500], 15, **keep)
    assert min(outcome.record["mistakes"][1:]) < bar
    before, after = (numbers(layer_losses(c, X[:300], y[:300])) for c in (chain, outcome.chain))
    assert all(a < 0.6 * b for a, b in zip(after, before, strict=True)), (before, after)


def test_convolutions_have_heads_too(digits):
    one, two = jax.random.split(jax.random.key(0))
    layers = [
        networks.Block((eqx.nn.Conv2d(1, 6, 3, stride=2, padding=1, key=one),)),
        networks.Block((jax.nn.relu,)),  # nothing to learn: no head
        networks.Block((jnp.ravel, eqx.nn.Linear(96, 10, key=two))),
    ]
    chain = networks.Chain(layers, teaching=LocalLosses("predsim"), inputs=(1, 8, 8))
    first, second, third = chain.aids
    assert first.score.weight.shape == (10, 6 * 4 * 4) and first.map.shape == (6, 6)
    assert second is None and third.score is None and third.map is None
    X, y = digits
    X = X.reshape(-1, 1, 8, 8)
    outcome = networks.train(chain, X[:300], y[:300], 5, batch=50, optimiser=optax.adam(3e-3))
    before, after = (layer_losses(c, X[:100], y[:100]) for c in (chain, outcome.chain))
    assert before[1] is None
    assert all(a < b for a, b in zip(numbers(after), numbers(before), strict=True))
    with pytest.raises(BadInput, match="layer 1 is the network's last and has no parameters"):
        networks.Chain([networks.Dense(4, 3), networks.Block((jnp.tanh,))], teaching=LocalLosses())


def test_what_does_not_fit_is_refused():
    with pytest.raises(BadInput, match="loss is 'predsym': give one of predict, similarity"):
        LocalLosses("predsym")
    with pytest.raises(BadInput, match="weight"):
        DeepSupervision(weight=-1.0)
    layers = [networks.Dense(4, 6), networks.Dense(6, 1)]
    with pytest.raises(BadInput, match="layer 0 wants similarity to one number a row"):
        networks.Chain(layers, teaching=LocalLosses("predsim"), loss="squared")
    own = networks.Dense(4, 6, objective=Objective("predict", data=(np.ones((3, 4)), np.arange(3))))
    with pytest.raises(BadInput, match="layer 0 has data of its own"):
        networks.Chain([own, networks.Dense(6, 3)], teaching=DeepSupervision("predict"))
