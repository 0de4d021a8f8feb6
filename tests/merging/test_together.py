"""Training together against closed forms: gradient descent, least squares, gossip's rate, messages counted one by one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from catallax.core.channel import Channel
from catallax.core.random import host_bits, host_fold_in, host_key
from catallax.core.run import run
from catallax.merging.together.graphs import mixing, second_eigenvalue
from catallax.merging.together.losses import squared
from catallax.merging.together.problem import Together
from catallax.merging.together.readings import disagreement, model_of
from catallax.merging.together.training import train_together

RATE, ROWS = 0.05, (5, 9, 7, 11)


@pytest.fixture(scope="module", autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    truth = np.array([1.0, -2.0, 0.5])
    pairs = []
    for k, rows in enumerate(ROWS):  # each member's rows lie elsewhere, and it has heard another truth
        x = random.normal(size=(rows, 3)) + 0.3 * k
        pairs.append((x, x @ (truth + 0.2 * k) + 0.1 * random.normal(size=rows)))
    return pairs


@pytest.fixture(scope="module")
def linear():
    return eqx.nn.Linear(3, 1, use_bias=False, key=jax.random.key(0))


@pytest.fixture(scope="module")
def descent(data, linear):
    """Federated averaging of one full step each."""
    return Together(linear, data, loss="squared", local_steps=1, batch=None, rate=RATE, rounds=30)


def start(linear) -> np.ndarray:
    return np.asarray(linear.weight, float)[0]


def slope(theta, pair) -> np.ndarray:
    x, y = pair
    return 2 * x.T @ (x @ theta - y) / len(y)


def pooled(data):
    return np.concatenate([x for x, _ in data]), np.concatenate([y for _, y in data])


def test_one_full_step_each_is_gradient_descent_on_all_rows(data, linear, descent):
    theta, every = start(linear), pooled(data)
    for _ in range(30):
        theta = theta - RATE * slope(theta, every)
    merged = run(descent.society(), 30).society
    assert np.allclose(model_of(merged), theta, rtol=1e-12, atol=1e-13)


def test_it_converges_to_least_squares_on_all_rows(data, descent):
    x, y = pooled(data)
    merged = run(descent.society(), 2000).society
    assert np.allclose(model_of(merged), np.linalg.lstsq(x, y)[0], atol=1e-10)


def test_synchronous_training_is_the_same_and_diloco_of_one_plain_step_is_too(data, linear):
    """On batches, too: both draw them by (seed, round, member)."""
    given = dict(loss="squared", local_steps=1, batch=4, rate=RATE, optimiser="sgd", rounds=12)
    ends = [
        model_of(Together(linear, data, method=method, **given, **more).trained(seed=3).society)
        for method, more in (("diloco", dict(outer=optax.sgd(1.0))), ("synchronous", {}))
    ]
    assert np.allclose(*ends, rtol=1e-12) and not np.allclose(ends[0], start(linear), atol=0.1)


def test_gossip_with_everybody_alike_is_federated_averaging(data, linear):
    given = dict(loss="squared", local_steps=3, batch=4, rate=RATE, rounds=10, weights="equal")
    all_alike = np.full((4, 4), 0.25)
    fedavg = Together(linear, data, **given).trained(seed=1).society
    gossip = Together(linear, data, method="gossip", graph=all_alike, **given).trained(seed=1).society
    assert np.allclose(model_of(gossip), model_of(fedavg), rtol=1e-12)


@pytest.mark.parametrize("graph", ["ring", "star"])
def test_disagreement_falls_by_the_second_eigenvalue(data, graph):
    """From the slowest eigenvector, each round by exactly that."""
    weights = mixing(graph, 8)
    values, vectors = np.linalg.eigh(weights)
    slowest = vectors[:, np.argsort(-np.abs(values))[1]]
    models = [{"w": jnp.asarray([5.0 + s, 5.0 - 2 * s])} for s in slowest]
    rows = [(np.ones((1, 2)), np.ones(1))] * 8
    gossip = Together(models, rows, loss=unread, method="gossip", graph=graph, local_steps=0, rounds=40)
    first, last = (float(disagreement(run(gossip.society(), t).society)) for t in (1, 31))
    rate = second_eigenvalue(weights)
    assert np.isclose(last / first, rate**30, rtol=1e-9)
    assert np.allclose(model_of(run(gossip.society(), 31).society), 5.0, rtol=1e-12)


def unread(model, x, y):
    return jnp.sum(x) * 0 + jnp.sum(model["w"]) * 0 * y


def test_shares_say_what_neighbours_agree_on():
    models = [{"w": jnp.asarray([float(k)])} for k in range(5)]
    rows = [(np.ones((1, 1)), np.ones(1))] * 5
    weights = np.array([1.0, 2, 3, 4, 10])
    given = dict(loss=unread, method="gossip", local_steps=0, graph="ring", weights=weights)
    whole = Together(models, rows, **given)
    agreed = run(whole.society(), 200).society.agents.own[:, 0]
    assert np.allclose(agreed, weights @ np.arange(5) / 20, rtol=1e-9)
    capped = Together(models, rows, max_influence=0.3, **given)
    agreed = run(capped.society(), 200).society.agents.own[:, 0]
    assert capped.shares().max() == pytest.approx(0.3)
    assert np.allclose(agreed, capped.shares() @ np.arange(5), rtol=1e-9)


def test_objectives_of_ones_own_and_a_pull_back_to_what_was_heard(data, linear):
    """Two steps each, by hand."""
    mu = 0.7
    objectives = [squared, twice, squared, twice]
    given = dict(objectives=objectives, local_steps=2, batch=None, rate=RATE, rounds=5, weights="equal")
    merged = model_of(Together(linear, data, proximal=mu, **given).trained().society)
    theta = start(linear)
    for _ in range(5):
        ends = []
        for k, pair in enumerate(data):
            scale = 1 + k % 2
            one = theta - RATE * scale * slope(theta, pair)
            ends.append(one - RATE * (scale * slope(one, pair) + mu * (one - theta)))
        theta = np.mean(ends, axis=0)
    assert np.allclose(merged, theta, rtol=1e-12)


def twice(model, x, y):
    return 2 * squared(model, x, y)


def test_delay_is_descent_along_old_slopes(data, linear):
    given = dict(loss="squared", local_steps=1, batch=None, rate=RATE, rounds=20)
    outcome = train_together(linear, data, channel=Channel(delay=2), every=1, **given)
    path = [start(linear)] * 3
    for _ in range(20):
        path.append(path[-1] - RATE * slope(path[-3], pooled(data)))
    assert np.allclose(model_of(outcome.society), path[-1], rtol=1e-12)
    assert np.allclose(outcome.model.weight[0], path[-3], rtol=1e-12)  # what they heard last


def test_messages_are_counted_one_by_one_and_the_absent_send_none(data, linear):
    given = dict(loss="squared", local_steps=1, batch=None, rate=RATE, rounds=25)
    some = train_together(linear, data, participation=0.6, channel=Channel(loss=0.2), seed=5, every=1, **given)
    keys = np.stack([host_fold_in(host_fold_in(host_key(5, t), np.arange(4)), 0) for t in range(25)])
    here = host_uniform(keys) < 0.6 * 0.8
    assert 20 < here.sum() < 80 and not here.any(axis=1).all()
    assert some.messages == 2 * here.sum() and some.bits == 64 * 3 * some.messages
    assert np.array_equal(some.record["bits"][1:], 64 * 3 * 2 * here.sum(1).cumsum())
    theta = start(linear)
    for awake in here:  # the mean of those who are there, by their rows
        if awake.any():
            weights = awake * np.array(ROWS) / (awake @ ROWS)
            theta = theta - RATE * sum(w * slope(theta, pair) for w, pair in zip(weights, data, strict=True))
    assert np.allclose(model_of(some.society), theta, rtol=1e-12)


def host_uniform(keys) -> np.ndarray:
    """float64 in [0, 1) of a key's first two words, as jax.random draws it."""
    with jax.enable_x64(True):
        from catallax.core.random import counter

        draw = jax.vmap(lambda w: jax.random.uniform(jax.random.wrap_key_data(w, impl=counter)))
        assert host_bits(keys).shape == keys.shape[:-1]
        return np.asarray(draw(jnp.asarray(keys).reshape(-1, 2))).reshape(keys.shape[:-1])


def test_who_says_nan_is_as_if_not_there(data, linear):
    given = dict(loss="squared", local_steps=1, batch=None, rate=RATE, rounds=10)
    lied = train_together(linear, data, byzantine={1: "nan"}, **given)
    without = train_together(linear, [data[k] for k in (0, 2, 3)], **given)
    assert np.allclose(model_of(lied.society), model_of(without.society), rtol=1e-12)
    assert lied.refused == 10 and "10 messages" in lied.notes[0] and lied.influence[1] == 0


def test_in_few_bits_it_comes_near_least_squares_and_the_nearer_the_smaller_the_steps(data, linear):
    """What is not told is owed, up and down; members' updates differ where their sum is 0, so that it does not come to rest."""
    x, y = pooled(data)
    best = np.linalg.lstsq(x, y)[0]
    far = []
    for rate, rounds in ((0.02, 1000), (0.005, 4000)):
        given = dict(loss="squared", local_steps=1, batch=None, rate=rate, rounds=rounds)
        outcome = train_together(linear, data, channel=Channel(bits=1), **given)
        far.append(np.abs(model_of(outcome.society) - best).max())
        assert outcome.bits == 2 * 4 * rounds * (3 * 1 + 32)
    assert far[0] < 0.01 and far[1] < far[0] / 2
