"""Bits a round, against numbers counted by hand."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.core.society import HostSociety, Society
from catallax.economy import Exchange
from catallax.measures.bits import bits, full_information
from tests.core import societies as so


def counted(public: int, local: int, summary: int) -> dict[str, int]:
    return {"public": public, "local": local, "summary": summary, "total": public + local + summary}


def test_prices_are_counted_once_and_supply_is_known():
    problem = Exchange.drawn(0, traders=8, goods=4)
    assert bits(problem.society()) == counted(4 * 32, 0, 4 * 32)
    assert bits(problem.society(), Channel(bits=3)) == counted(4 * 3, 0, 4 * 32)
    assert bits(problem.replicate(5).society()) == bits(problem.society())


def test_more_bits_than_a_float_has_are_not_sent():
    narrow = so.drift(3)
    narrow = Society(narrow.agents, so.Drift(jnp.bfloat16(1), jnp.int32(0)))
    assert bits(narrow, Channel(bits=32))["public"] == 16 + 32
    assert bits(narrow, Channel(bits=5))["public"] == 5 + 32  # whole numbers travel exactly


@pytest.mark.parametrize(
    ("society", "due"),
    [
        (so.wealth(50), counted(0, 50 * 32, 50 * 32)),  # an inbox each
        (so.life(8), counted(0, 64 * 8, 64)),  # uint8 neighbours, one bit a cell
        (so.vote(50), counted(32, 0, 32)),
        (so.flock(50), counted(2 * 32, 0, 2 * 32)),
        (so.trail(50, 7), counted(0, 50 * 2 * 32, 7 * 32)),  # two cells each
        (so.market(20, 30), counted(32, 0, 2 * 32)),
        (so.census(50), counted(2 * 32, 0, (3 + 1 + 1 + 1) * 32)),
        (so.census(50, gossips=True), counted(2 * 32, 0, (6 + 50) * 32)),  # the board is heard, but not public
        (so.walkers(50), counted(64, 0, 64)),
    ],
)
def test_what_could_be_read_is_counted(society, due):
    assert bits(society) == due


def test_what_follows_from_facts_alone_is_not_sent():
    class Known(so.Heading):
        def public(self):
            return {"sent": (self.x, self.y), "known": jnp.ones(1000) / 3}

        def local(self, agents):
            return jnp.arange(50.0)

    class Deaf(so.Bird):
        def respond(self, view, key):
            return super().respond(view._replace(public=view.public["sent"]), key)

    flock = so.flock(50)
    society = Society(Deaf(flock.agents.angle, flock.agents.restless), Known(jnp.float32(1), jnp.float32(0)))
    assert bits(society) == counted(2 * 32, 0, 2 * 32)


def test_a_host_society_of_its_own_rounds_cannot_be_counted():
    with pytest.raises(Refused, match="runs rounds of its own, without respond_all"):
        bits(HostSociety(np.zeros(3), so.Mean(np.zeros(()))))


class Told(Problem):
    """A flock; or a whole board, on which everyone reads everyone."""

    birds: int
    board: bool

    def society(self, leak: float = 0.0) -> Society:
        if not self.board:
            return so.flock(self.birds)
        return Society(Reader(jnp.ones(self.birds)), Board(jnp.ones(self.birds)))

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        return Outcome(society)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        return {"efficiency": 1.0}

    def replicate(self, copies: int) -> "Told":
        return Told(copies * self.birds, self.board)


class Reader(so.Agent):
    mood: Any

    def respond(self, view, key):
        mood = view.public.mean()
        return Reader(mood), mood


class Board(so.Signal):
    merge = "rows"
    moods: Any

    def public(self):
        return self.moods

    def propagate(self, summary):
        return Board(summary)


def test_a_signal_that_grows_with_the_agents_is_full_information():
    assert full_information(Told(10, True))
    assert not full_information(Told(10, False))
    assert not full_information(Exchange.drawn(0, traders=8, goods=4))
