"""Random order against slow plain-Python references, and the shape of the compiled turn."""

import re
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core import run as runner
from catallax.core.channel import Channel
from catallax.core.random import key as make_key
from catallax.core.random import order
from catallax.core.record import Record
from catallax.core.round import BEFORE, COMMON
from catallax.core.run import run
from catallax.core.society import Society
from tests.core import societies as so

SEED = 7


def sequences(agents: int, rounds: int) -> list[list[int]]:
    """Whose turn it is when, in each round."""
    table = []
    for t in range(rounds):
        ours = jax.random.fold_in(jax.random.fold_in(make_key(SEED), t), COMMON)
        table.append(np.asarray(order(jax.random.fold_in(ours, 1), agents)).tolist())
    return table


def test_deposits_are_smelt_at_once_and_evaporate_once_a_round():
    ants, cells, rounds = 9, 5, 6
    society = so.trail(ants, cells)
    place, start = np.asarray(society.agents.place).tolist(), np.zeros(cells)
    for turns in sequences(ants, rounds):
        so_far = np.zeros(cells)
        for i in turns:
            level = 0.5 * start + so_far
            if level[(place[i] + 1) % cells] <= level[place[i]]:
                place[i] = (place[i] + 1) % cells
            so_far[place[i]] += 0.25
        start = 0.5 * start + so_far
    after = run(society, rounds, SEED, activation="random order").society
    assert after.agents.place.tolist() == place
    np.testing.assert_array_equal(after.signal.level, start)


def voted(losses: np.ndarray | None) -> tuple[list, list]:
    """What nine voters heard last, and the votes after each of six rounds, one voter at a time."""
    voters, rounds = 9, 6
    society = so.vote(voters)
    need, yes = np.asarray(society.agents.need), int(society.signal.yes)

    def flip(t, i):
        own = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(make_key(SEED), t), 0), i)
        return bool(jax.random.bits(own, (), jnp.uint32) % 4 == 0)

    flips = [[flip(t, i) for i in range(voters)] for t in range(rounds)]
    orders, heard, counts = [bool(yes > need[i]) ^ flip(BEFORE, i) for i in range(voters)], [yes] * voters, []
    for t, turns in enumerate(sequences(voters, rounds)):
        for i in turns:
            if losses is not None and losses[t][i]:
                continue
            heard[i] = sum(orders)
            orders[i] = bool(heard[i] > need[i]) ^ flips[t][i]
        counts.append(sum(orders))
    return heard, counts


def test_standing_votes_are_replaced_one_by_one():
    heard, counts = voted(None)
    outcome = run(so.vote(9), 6, SEED, activation="random order", record=Record(yes=lambda s: s.signal.yes))
    assert outcome.society.agents.heard.tolist() == heard
    assert outcome.record["yes"][1:].tolist() == counts


def test_who_hears_nothing_keeps_the_last_vote():
    def lost(t, i):
        ours = jax.random.fold_in(jax.random.fold_in(make_key(SEED), t), COMMON)
        return bool(jax.random.uniform(jax.random.fold_in(jax.random.fold_in(ours, 2), i)) < 0.4)

    losses = np.array([[lost(t, i) for i in range(9)] for t in range(6)])
    heard, counts = voted(losses)
    channel = Channel(loss=0.4)
    outcome = run(
        so.vote(9), 6, SEED, activation="random order", channel=channel, record=Record(yes=lambda s: s.signal.yes)
    )
    assert outcome.society.agents.heard.tolist() == heard
    assert outcome.record["yes"][1:].tolist() == counts
    assert 5 < losses.sum() < 40


def test_several_populations_take_turns_together():
    buyers, sellers, rounds = 4, 6, 5
    society = so.market(buyers, sellers)
    limits, start = [np.asarray(crowd.limit) for crowd in society.agents], 4
    heard = [[-1] * buyers, [-1] * sellers]
    for t, turns in enumerate(sequences(buyers + sellers, rounds)):
        so_far = [0, 0]
        for who in turns:
            p, i = (0, who) if who < buyers else (1, who - buyers)
            own = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(make_key(SEED), t), p), i)
            heard[p][i] = start + so_far[0] - so_far[1]
            so_far[p] += max((1, -1)[p] * (int(limits[p][i]) - heard[p][i]), 0) + int(jax.random.randint(own, (), 0, 2))
        start += so_far[0] - so_far[1]
    after = run(society, rounds, SEED, activation="random order").society
    assert [crowd.heard.tolist() for crowd in after.agents] == heard
    assert int(after.signal.price) == start


@pytest.mark.parametrize("sizes", [(6,), (2, 4)])
def test_every_order_is_as_likely(sizes):
    """Each speaker at each place of the queue about equally often: chi-squared, 25 degrees of freedom, p = 1e-4."""

    def turns(society):
        crowds = society.agents if isinstance(society.agents, tuple) else (society.agents,)
        return jnp.concatenate([crowd.turn for crowd in crowds])

    rounds = 600
    place = run(so.queue(*sizes), rounds, SEED, activation="random order", record=Record(turn=turns)).record["turn"][1:]
    assert (np.sort(place, 1) == np.arange(6)).all()
    counts = np.array([np.bincount(place[:, i], minlength=6) for i in range(6)])
    assert ((counts - rounds / 6) ** 2 / (rounds / 6)).sum() < 60


def test_hear_is_used_where_a_signal_has_one():
    calls = []

    class Quick(so.Tally):
        merge: ClassVar[str] = "count"

        def hear(self, summary, action):
            calls.append(action)
            return summary + action

    society = Society(so.queue(5).agents, Quick(jnp.int32(0)))
    assert sorted(run(society, 1, SEED, activation="random order").society.agents.turn.tolist()) == list(range(5))
    assert calls


def test_each_hears_through_the_channel():
    """Two bits, and noise of its own for each turn."""
    society = so.flock(16)
    noisy = run(society, 1, SEED, activation="random order", channel=Channel(bits=2, noise=0.2))
    exact = run(society, 1, SEED, activation="random order")
    assert noisy.status == "done" and noisy.digest() != exact.digest()
    assert set(np.asarray(noisy.heard[0]).ravel().tolist()) <= {-0.75, -0.25, 0.25, 0.75}


@pytest.mark.parametrize("made", [so.wealth, so.vote])
def test_no_turn_copies_all_agents(made):
    """The time of a turn must not grow with the number of agents: nothing of their size is copied in its loop."""
    society, agents = made(4096), 4096
    setting, share = runner.make_setting(society, "random order", Channel(), None, None)
    job = runner.Job(2, 0, None, None, None, None, setting, share, Channel())
    ready = runner.prepare(society, job)
    span = (np.uint32(0), np.uint32(2))
    loop = runner.Loop(ready.form, setting, None)
    lowered = runner.advance.lower(ready.moving, ready.facts, None, *span, ready.seed, ready.bound, ready.knobs, loop)
    text = lowered.compile().as_text()
    turn = re.search(r'body=(%[\w.-]+), metadata=.*known_trip_count":\{"n":"4096"', text)
    assert turn, "no loop of 4096 turns was found"
    body = text.split(f"\n{turn[1]} (")[1].split("\n}")[0]
    copies = [line for line in body.splitlines() if re.search(rf"\[{agents}\]\S* (copy|add|concatenate)\(", line)]
    assert not copies, copies
