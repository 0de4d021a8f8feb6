"""The model of the engine benchmark: money is kept, its law is right, and turns are what they are said to be."""

import jax
import numpy as np
import pytest

import catallax as cx
from benchmarks import kinetic, wealth
from benchmarks.engine import wealth_of
from catallax.core import random

SETTINGS = {
    "post": (wealth.people, "synchronous", "synchronous"),
    "mailbox": (lambda agents: wealth.people(agents, wealth.Mailbox), "synchronous", "synchronous"),
    "turns": (lambda agents: wealth.people(agents, wealth.Mailbox), "random order", "sequential"),
    "bazaar": (wealth.bazaar, "synchronous", "sequential"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_money_is_kept_and_spreads_as_it_must(name):
    start, activation, order = SETTINGS[name]
    agents, rounds = (2_000, 20) if name == "turns" else (20_000, 50)
    held = wealth_of(cx.run(start(agents), rounds, seed=3, activation=activation).society)
    expected, error = kinetic.variance(rounds, order, agents)
    assert held.sum() == agents
    assert held.min() >= 0
    assert abs(held.var() - expected) < 5 * error


def test_post_and_mailbox_are_one_model():
    ends = [cx.run(wealth.people(500, signal), 40, seed=1).society for signal in (wealth.Post, wealth.Mailbox)]
    np.testing.assert_array_equal(wealth_of(ends[0]), wealth_of(ends[1]))


def test_bazaar_is_the_same_in_any_chunks():
    start = wealth.bazaar(300)
    whole, _ = start.advance(0, 30, 7)
    half, _ = start.advance(0, 13, 7)
    joined, _ = half.advance(13, 30, 7)
    np.testing.assert_array_equal(whole.agents.wealth, joined.agents.wealth)
    assert start.agents.wealth.sum() == 300  # advance leaves its own society as it was


def test_bazaar_hands_over_as_a_plain_loop_does():
    people, seed = 50, 11
    found = wealth.bazaar(people).advance(0, 4, seed)[0].agents.wealth
    held = np.ones(people, int)
    for key in wealth.round_keys(seed, 0, 4):
        order, turns = list(range(people)), random.host_fold_in(key, people)
        for i in range(people):
            word = int(random.host_bits(turns, i + 1)[i])
            k = i + word * (people - i) // 2**32
            order[i], order[k] = order[k], order[i]
            who = order[i]
            if held[who]:
                other = int(random.host_bits(random.host_fold_in(key, who))) * (people - 1) // 2**32
                held[who] -= 1
                held[other + (other >= who)] += 1
    np.testing.assert_array_equal(found, held)


def test_post_refuses_what_would_lose_money():
    with pytest.raises(cx.Refused):
        cx.run(wealth.people(100), 3, activation=0.5)


@pytest.mark.parametrize("bound", [1, 2, 9_999, 65_536, 999_999, 2**31 - 1])
def test_below_is_exact(bound):
    words = np.array([0, 1, 2**16 - 1, 2**16, 2**31, 2**32 - 1, 0x9E3779B9], np.uint32)
    expected = [int(word) * bound // 2**32 for word in words]
    np.testing.assert_array_equal(wealth.below(words, bound), expected)
    np.testing.assert_array_equal(jax.jit(wealth.below, static_argnums=1)(words, bound), expected)


def test_someone_else_is_everyone_but_oneself():
    keys = jax.random.split(random.key(0), 4_000)
    others = np.asarray(jax.vmap(lambda key: wealth.someone_else(key, np.int32(2), 5))(keys))
    counts = np.bincount(others, minlength=5)
    assert counts[2] == 0
    assert (abs(np.delete(counts, 2) - 1_000) < 5 * np.sqrt(750)).all()
