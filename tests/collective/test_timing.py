"""When truth pays before a market maker: the two theorems, what lies between them, and the certificate by brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.collective.market import origins, timing
from catallax.core.errors import BadInput, Refused

seeds = st.integers(0, 10_000)


def given_the_outcome(random, signals=2, others=(2,)) -> np.ndarray:
    """Signals that are independent given the outcome."""
    joint = random.dirichlet(np.ones(2) * 3)
    for kinds in (signals, *others):
        chance = random.dirichlet(np.ones(kinds), 2)
        joint = joint[..., None] * chance.reshape(2, *[1] * (joint.ndim - 1), kinds)
    return joint


def independent(random, signals=2, others=(2,)) -> np.ndarray:
    """Signals that are independent, and an outcome that hangs on all of them."""
    weight = np.ones(())
    for kinds in (signals, *others):
        weight = weight[..., None] * random.dirichlet(np.ones(kinds) * 3)
    yes = random.random(weight.shape)
    return np.stack([(1 - yes) * weight, yes * weight])


def information(joint: np.ndarray) -> float:
    """I(outcome; all signals), nats."""
    flat = joint.reshape(2, -1)
    return float(np.sum(flat * np.log(flat / (flat.sum(0) * flat.sum(1, keepdims=True)))))


@given(seeds, st.sampled_from([(2, (2,)), (3, (2,)), (2, (2, 2))]))
@settings(max_examples=8)
def test_independent_given_the_outcome_all_is_told_at_once(seed, kinds):
    joint = given_the_outcome(np.random.default_rng(seed), *kinds)
    told = timing.solve(joint)
    assert told.truth == pytest.approx(1, abs=1e-3) and told.gain <= 1e-6
    own = joint.reshape(2, kinds[0], -1).sum(2)
    beliefs = (own / own.sum(0)).T
    np.testing.assert_allclose(told.message @ told.first, beliefs, atol=1e-2)
    assert told.paid.sum() == pytest.approx(information(joint), abs=1e-10)


@given(seeds, st.sampled_from([(2, (2,)), (3, (3,)), (2, (2, 2))]))
@settings(max_examples=8)
def test_independent_signals_are_kept_back(seed, kinds):
    joint = independent(np.random.default_rng(seed), *kinds)
    told = timing.solve(joint)
    assert told.truth == pytest.approx(0, abs=1e-3) and told.gain <= 1e-6
    np.testing.assert_allclose(
        told.message @ told.first, np.tile(joint.reshape(2, -1).sum(1), (kinds[0], 1)), atol=1e-2
    )
    honest = timing.solve(joint, leak=0.0)
    assert told.paid[0] >= honest.paid[0] - 1e-12  # waiting pays
    assert told.paid.sum() == pytest.approx(information(joint), abs=1e-10)


def pay(joint, strategy, prices, belief_of, signal, action):
    """What A of a signal is paid for an action, from the definition: first move and last, the others' answer exact."""
    y, s, o = joint.shape
    given_s = joint[:, signal] / joint[:, signal].sum()
    prior = joint.sum((1, 2))
    total = 0.0
    for outcome in range(y):
        for other in range(o):
            seen = sum(belief_of[action][k] * joint[:, k, other] / joint[:, k].sum() for k in range(s))
            reply = seen / seen.sum()
            last = joint[:, signal, other] / joint[:, signal, other].sum()
            gained = np.log(prices[action][outcome] / prior[outcome]) + np.log(last[outcome] / reply[outcome])
            total += given_s[outcome, other] * gained
    return total


def test_between_them_it_bluffs_and_no_signal_gains_by_another_message():
    joint = origins.half_apart()
    told = timing.solve(joint)
    assert 0.5 < told.truth < 0.95 and told.gain <= 1e-6
    mixing = (told.message > 1e-6).sum(1) > 1
    assert mixing.any()  # with some signal it now and then says what it would say with the other
    chance = joint.sum((0, 2))
    belief = (told.message * chance[:, None] / (chance @ told.message)).T
    pays = np.array([[pay(joint, told.message, told.first, belief, s, z) for z in range(2)] for s in range(2)])
    for s in range(2):
        used = told.message[s] > 1e-6
        assert pays[s][used].max() - pays[s][used].min() < 1e-5  # indifferent between what it mixes
        assert pays[s].max() - (told.message[s] @ pays[s]) < 1e-6  # and gains by nothing else
    assert chance @ (told.message * pays).sum(1) == pytest.approx(told.paid[0], abs=1e-10)
    for other in range(2):  # the reply is the posterior of the message and the other's signal
        seen = np.einsum("zs,ys->zy", belief, joint[:, :, other] / joint.sum((0, 2)))
        np.testing.assert_allclose(told.reply[:, other], seen / seen.sum(1, keepdims=True), atol=1e-10)


def test_truth_would_leave_a_gain_where_it_does_not_pay():
    """Everyone told the truth and believed: the other signal's price brings A more than its own (so it is no equilibrium)."""
    joint = independent(np.random.default_rng(5))
    own = joint.sum(2)
    prices = (own / own.sum(0)).T
    truth = np.eye(2)
    gains = [pay(joint, truth, prices, truth, s, 1 - s) - pay(joint, truth, prices, truth, s, s) for s in range(2)]
    silent = [prices[0] * 0 + joint.sum((1, 2))]
    wait = [
        pay(joint, None, silent, [joint.sum((0, 2))], s, 0) - pay(joint, truth, prices, truth, s, s) for s in range(2)
    ]
    assert max(gains) > 0 or max(wait) > 0
    assert joint.sum((0, 2)) @ wait > 0


def test_the_less_it_reckons_with_its_effect_the_more_it_tells():
    joint = origins.half_apart()
    told = [timing.solve(joint, leak).truth for leak in (0.0, 0.5, 0.9, 1.0)]
    assert told[0] == pytest.approx(1) and all(a >= b - 1e-9 for a, b in itertools.pairwise(told))


def test_signals_that_no_price_tells_apart_are_refused():
    bits = np.array([[[0.5, 0.0], [0.0, 0.5]], [[0.0, 0.5], [0.5, 0.0]]]) / 2  # exclusive or: prices never move
    with pytest.raises(Refused, match="same place"):
        timing.solve(bits)


@pytest.mark.parametrize(
    ("joint", "said"),
    [
        (np.ones((2, 2)) / 4, "two or three traders"),
        (np.ones((2, 2, 2)), "sum to 1"),
        (np.ones((2, 9, 2)) / 36, "signals"),
        (-np.ones((2, 2, 2)) / 8, "at least 0"),
        (np.stack([np.zeros((2, 2)), np.ones((2, 2)) / 4]), "never occurs"),
    ],
)
def test_tables_that_are_none_are_refused(joint, said):
    with pytest.raises(BadInput, match=said):
        timing.solve(joint)
    with pytest.raises(BadInput, match="leak"):
        timing.solve(origins.half_apart(), 1.5)
