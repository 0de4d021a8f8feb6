"""Mixtures under many routers: who works on what, what is learnt from it, the laws, and the comparison."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.core.channel import Channel
from catallax.core.errors import BadInput, Refused
from catallax.core.random import key as make_key
from catallax.core.run import run
from catallax.experts.comparison import MEASURES, compare
from catallax.experts.controls import ROUTERS, aim, cut, route
from catallax.experts.problem import Mixture
from catallax.measures.influence import influence
from catallax.measures.specialisation import mutual_information
from catallax.testing import check_refused, check_reproducibility

RANDOM = np.random.default_rng(0)
Y = np.arange(64) % 4
X = RANDOM.normal(size=(64, 5)) + 2 * np.eye(4, 5)[Y]
EXPERTS, WIDTH, HIDDEN = 4, 6, 3
KEY = jax.random.key(3)
routed = eqx.filter_jit(lambda name, network, x, prices: route(ROUTERS[name], network, x, prices, KEY, False))


@pytest.fixture(scope="module")
def mixture():
    return Mixture(X, Y, experts=EXPERTS, width=WIDTH, hidden=HIDDEN, batch=16, epochs=3)


@pytest.fixture(scope="module")
def learnt(mixture):
    return mixture.taught()


def parts(network):
    """Everything as NumPy arrays."""
    return jax.tree.map(lambda a: np.asarray(a, np.float64), eqx.filter(network, eqx.is_inexact_array))


def made(network, j, h):
    """What expert j makes of places."""
    e = parts(network).experts.experts
    return np.maximum(h @ e.enter[j] + e.bias[j], 0) @ e.leave[j] + e.shift[j]


def found_by(mixture, name):
    """A router on all rows, at prices of 0, and its places in NumPy."""
    network = mixture.by(name).network()
    found = routed(name, network, jnp.asarray(X, jnp.float32), jnp.zeros(network.count))
    own = parts(network)
    h = X @ own.enter.weight + own.enter.bias
    np.testing.assert_allclose(found.h, h, atol=1e-5)
    return network, found, h


def test_a_hash_is_nobodys_choice(mixture):
    network, found, h = found_by(mixture, "hash")
    where = (X @ np.asarray(network.projection)).argmax(1)
    np.testing.assert_array_equal(np.asarray(found.served).argmax(1), where)
    expected = np.stack([made(network, j, row) for j, row in zip(where, h)])
    np.testing.assert_allclose(found.y, expected, atol=1e-4)


def test_experts_that_choose_take_as_many_each(mixture):
    network, found, h = found_by(mixture, "expert-choice")
    served = np.asarray(found.served)
    assert (served.sum(0) == len(X) / EXPERTS).all()
    own = parts(network).experts
    liking = np.exp(h @ own.bidder + own.level)
    liking /= liking.sum(1, keepdims=True)
    for j in range(EXPERTS):
        assert liking[served[:, j], j].min() >= liking[~served[:, j], j].max()
    gates = np.where(served, liking, 0)
    gates /= np.maximum(gates.sum(1, keepdims=True), 1e-30)
    expected = sum(gates[:, [j]] * made(network, j, h) for j in range(EXPERTS))
    np.testing.assert_allclose(found.y, expected, atol=1e-4)


def test_a_planner_clears_the_batch_and_greed_does_not(mixture):
    fair = len(X) / EXPERTS
    _, planned, _ = found_by(mixture, "planner")
    _, greedy, _ = found_by(mixture, "greedy")
    assert np.asarray(planned.served).sum(0).max() <= 1.1 * fair < np.asarray(greedy.served).sum(0).max()


@given(st.lists(st.floats(0, 10, width=32), min_size=4, max_size=4), st.integers(1, 12))
def test_prices_in_few_bits(prices, bits):
    """At most 2^bits values, the highest exact, none further off than half a step."""
    exact = np.array(prices, np.float32)
    heard = np.asarray(cut(jnp.asarray(exact), bits))
    step = exact.max() / (2**bits - 1)
    assert np.abs(heard - exact).max() <= step / 2 + 1e-5
    assert heard.max() == pytest.approx(exact.max(), rel=1e-6) and heard.min() >= 0


def test_under_own_objectives_the_rest_learns_as_if_experts_were_facts(mixture):
    """And experts learn for their own profit, not for the network's loss."""
    router, network = ROUTERS["own"], mixture.by("own").network()
    x, label = jnp.asarray(X, jnp.float32), jnp.asarray(Y)

    @eqx.filter_jit
    def pulls(network):
        whole = eqx.filter_grad(lambda n: aim(n, router, x, label, jnp.zeros(EXPERTS), KEY, None)[0])(network)
        y = route(router, network, x, jnp.zeros(EXPERTS), KEY, True).y

        def plain(rest):
            scores = rest[1](rest[0](x) + y)
            return -jnp.mean(jax.nn.log_softmax(scores)[jnp.arange(len(Y)), label])

        return whole, eqx.filter_grad(plain)((network.enter, network.leave))

    whole, rest = pulls(network)
    np.testing.assert_allclose(whole.enter.weight, rest[0].weight, atol=1e-5)
    np.testing.assert_allclose(whole.leave.weight, rest[1].weight, atol=1e-5)
    assert np.any(whole.experts.experts.leave) and np.any(whole.experts.bidder) and not np.any(whole.projection)


def test_laws(mixture):
    bad = [
        lambda: Mixture(X[:, 0], Y),
        lambda: Mixture(np.where(X[3, 2] == X, np.nan, X), Y),
        lambda: Mixture(X, Y, router="smoke"),
        lambda: Mixture(X, Y, k=9),
        lambda: Mixture(X, Y, experts=0),
        lambda: Mixture(X, Y, capacity=0.5),
        lambda: Mixture(X, Y, costs=np.nan),
        lambda: Mixture(X, Y, bits=25),
        lambda: Mixture(X, Y, rate=0.0),
    ]
    check_reproducibility(mixture)  # to settle it would take thousands of rounds, for learning does not come to rest
    for make in bad:
        check_refused(make)
    assert Mixture(X, Y, capacity=0.5, opt_out=True).facts.settings.opt_out


def test_measures_are_of_the_rows_held_out(mixture, learnt):
    found, table = mixture.welfare(learnt), mixture.facts.table
    society = learnt.society
    heard = route(ROUTERS["dual"], society.network, mixture.facts.rows[1].x, society.signal.level, KEY, False)
    scores = np.asarray(society.network.leave(heard.h + heard.y))
    assert found["accuracy"] == pytest.approx((scores.argmax(1) == table.held_y).mean())
    counts = np.eye(4)[table.held_y].T @ np.asarray(heard.served)
    np.testing.assert_array_equal(society.counts, counts)
    assert found["mutual_information"] == pytest.approx(mutual_information(counts))
    np.testing.assert_allclose(influence(society), counts.sum(0) / counts.sum())
    assert mixture.effect(learnt) == pytest.approx(counts.sum(0).max() / counts.sum())


def test_what_is_left_goes_on_with_what_it_learnt(mixture, learnt):
    keep = np.array([0, 2, 3])
    left = mixture.restrict(keep)
    society = left.carried(learnt.society, keep)
    before, after = learnt.society.network.experts, society.network.experts
    np.testing.assert_array_equal(after.experts.enter, before.experts.enter[keep])
    np.testing.assert_array_equal(
        society.memory[0].mu.experts.bidder, learnt.society.memory[0].mu.experts.bidder[:, keep]
    )
    np.testing.assert_array_equal(society.signal.level, learnt.society.signal.level[keep])
    assert society.counts.shape == (4, 3) and society.counts.sum() == len(mixture.facts.table.held_y)
    assert mixture.replicate(2).facts.settings.experts == 8
    assert mixture.shocked(make_key(0), 0.5).society().network.count == EXPERTS


def test_what_it_has_not_got(mixture, learnt):
    for refused in (
        lambda: mixture.contest(),
        lambda: mixture.gain(learnt),
        lambda: mixture.society(0.5),
        lambda: mixture.by(k=2).restrict([1]),
        lambda: run(mixture, 1, channel=Channel(noise=0.1)),
    ):
        with pytest.raises(Refused):
            refused()


def test_the_comparison(mixture):
    few, cannot = compare(mixture.by(epochs=2), ["dual", "smoke"], seeds=2)
    assert set(few.values) == set(MEASURES) and all(value.shape == (2,) for value in few.values.values())
    assert few.price.shape == few.share.shape == (3, EXPERTS)  # before the first epoch, and after each
    np.testing.assert_allclose(few.share[1:].sum(1), 1)
    assert "no router 'smoke'" in cannot.refused and not cannot.values


def test_a_mistake_in_a_name(mixture):
    with pytest.raises(BadInput, match="there is no setting 'witdh'"):
        mixture.by(witdh=3)
