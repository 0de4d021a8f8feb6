"""Societies on the host: the same `run`, records, looks and laws, on NumPy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core import progress
from catallax.core.random import host_bits, host_fold_in, host_key
from catallax.core.random import key as make_key
from catallax.core.record import Record
from catallax.core.run import run
from catallax.core.society import HostSociety
from tests.core import societies as so


def walked(count: int, rounds: int, seed: int) -> np.ndarray:
    """Where each stands after each round, int[rounds, agents]."""
    steps = [
        np.where(host_bits(host_fold_in(host_key(seed, t, 0), np.arange(count))) >> 31, 1, -1) for t in range(rounds)
    ]
    return np.cumsum(steps, 0)


def test_rounds_go_by_seed_round_and_id():
    outcome = run(so.walkers(50), 20, seed=3)
    np.testing.assert_array_equal(outcome.society.agents.place, walked(50, 20, 3)[-1])
    assert outcome.status == "done" and outcome.rounds == 20
    assert outcome.society.signal.place == walked(50, 20, 3)[-1].sum()
    assert outcome.digest() != run(so.walkers(50), 20, seed=4).digest()


def test_draws_are_those_of_compiled_agents():
    steps = np.diff(walked(50, 4, 3), axis=0)[2]
    own = jax.random.fold_in(jax.random.fold_in(make_key(3), 3), 0)
    coins = jax.vmap(lambda i: jax.random.bits(jax.random.fold_in(own, i), (), jnp.uint32))(jnp.arange(50))
    np.testing.assert_array_equal(steps, np.where(np.asarray(coins) >> 31, 1, -1))


@pytest.mark.parametrize("first", [1, 3, 100])
def test_chunks_do_not_matter(monkeypatch, first):
    monkeypatch.setattr(progress, "FIRST", first)
    assert run(so.walkers(51), 20, seed=3).digest() == run(so.walkers(51), 20, seed=3, tolerance=0.0).digest()


def test_records_are_of_the_rounds_asked_for():
    record = Record(every=6, place=lambda s: s.agents.place.copy())
    table = run(so.walkers(5), 20, seed=3, record=record).record
    assert table["round"].tolist() == [0, 6, 12, 18]
    np.testing.assert_array_equal(table["place"][1:], walked(5, 20, 3)[5::6])
    assert np.isinf(table["unrest"][0]) and table["unrest"][2] == abs(np.diff(walked(5, 20, 3), axis=0)[10].sum())


def test_rest_ends_it():
    odd = walked(50, 200, 3)
    steps = np.abs(np.diff(odd, axis=0, prepend=0).sum(1))
    outcome = run(so.walkers(50), 200, seed=3, tolerance=0.0)
    assert outcome.status == "settled" and outcome.rounds == int(np.flatnonzero(steps == 0)[0]) + 1


def test_a_look_may_stop_it():
    seen = []
    outcome = run(so.walkers(5), 10_000_000, look=lambda frame: seen.append(frame.round) or len(seen) > 2)
    assert outcome.status == "stopped" and len(seen) == 3 and outcome.rounds == seen[-1] < 10_000_000


def test_what_is_no_number_is_said():
    class Sick(so.Walkers):
        def respond_all(self, view, key):
            return dataclasses.replace(self, place=self.place * np.nan), np.zeros(self.place.size)

    society = HostSociety(Sick(np.ones(3)), so.Mean(np.zeros(())))
    assert run(society, 5).status == "broken"


def test_a_society_may_bring_its_own_rounds():
    class Own(HostSociety):
        pace: int = 2

        def advance(self, start, stop, seed):
            agents = so.Walkers(self.agents.place + self.pace * (stop - start))
            return dataclasses.replace(self, agents=agents), 1 / stop

    outcome = run(Own(so.Walkers(np.zeros(3, int)), so.Mean(np.zeros(())), None, 5), 7)
    assert outcome.society.agents.place.tolist() == [35] * 3 and outcome.society.pace == 5
    assert outcome.unrest == 1 / 7
