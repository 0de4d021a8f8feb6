"""Societies on the host: the same `run`, records, looks and laws, on NumPy."""

import dataclasses
import time
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.core import checkpoint, progress
from catallax.core.channel import Channel
from catallax.core.checkpoint import describe_run, load, resume
from catallax.core.errors import BadInput, Refused
from catallax.core.random import host_bits, host_fold_in, host_key
from catallax.core.random import key as make_key
from catallax.core.record import Record
from catallax.core.run import run
from catallax.core.society import HostSociety
from catallax.measures.bits import bits
from catallax.testing import check_problem
from tests.core import societies as so
from tests.core.gathering import HEAT, meeting


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


# --- seconds ---


class Clock:
    """`time.perf_counter` that stands still but for the rounds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


class Slow(HostSociety):
    """Rounds that move the clock, `cost` seconds each, `uneven` times as much in every other call."""

    cost: float = 0.0
    uneven: float = 1.0
    calls: int = 0

    def advance(self, start: int, stop: int, seed: int) -> tuple["Slow", float]:
        assert start < stop
        CLOCK.now += self.cost * (self.uneven if self.calls % 2 else 1.0) * (stop - start)
        return dataclasses.replace(self, calls=self.calls + 1), 1.0


def slow(kind: type, cost: float, uneven: float = 1.0) -> Slow:
    return kind(so.Walkers(np.zeros(1)), so.Mean(np.zeros(())), None, cost, uneven)


def timed(cost: float, seconds: float, uneven: float = 1.0, **settings) -> tuple[Any, float]:
    """A run of slow rounds, and the seconds by its clock."""
    CLOCK.now = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "perf_counter", CLOCK)
        outcome = run(slow(Slow, cost, uneven), 2**31 - 1, seconds=seconds, **settings)
    return outcome, CLOCK.now


@given(
    st.floats(1e-5, 5.0),
    st.floats(0.1, 20.0),
    st.floats(0.5, 2.0),
    st.sampled_from([None, lambda frame: None]),
)
@settings(deadline=None)
def test_seconds_end_it_within_a_round_or_three_hundredths(cost, seconds, uneven, look):
    outcome, spent = timed(cost, seconds, uneven, look=look)
    assert outcome.status == "stopped"
    slowest = cost * max(1.0, uneven)
    assert seconds <= spent <= seconds + max(slowest, max(uneven, 1 / uneven) * 0.03 * seconds) * (1 + 1e-9)


def test_time_that_is_up_is_shown_and_the_last_frame_says_so():
    frames = []
    outcome, spent = timed(0.001, 1.0, look=frames.append)
    assert frames[-1].seconds == spent and frames[-1].round == outcome.rounds
    assert all(a.seconds < b.seconds for a, b in pairwise(frames))
    assert "seconds" in outcome.status.sentence


def test_rounds_that_are_done_in_time_are_done():
    assert run(so.walkers(3), 5, seconds=600.0).status == "done"
    assert run(so.walkers(50), 200, seed=3, seconds=600.0, tolerance=0.0).status == "settled"


def test_seconds_end_a_compiled_society_too():
    outcome = run(so.flock(8), 2**31 - 1, seconds=0.3)
    assert outcome.status == "stopped" and outcome.rounds > 0


@pytest.mark.parametrize("seconds", [0.0, -1.0, np.inf, np.nan])
def test_seconds_that_are_none_are_refused(seconds, tmp_path):
    with pytest.raises(BadInput, match="seconds is .*: give a positive number of seconds"):
        run(so.walkers(3), 5, seconds=seconds, checkpoint=tmp_path / "new")
    assert not (tmp_path / "new").exists()


# --- a pace ---


def test_a_society_is_told_how_long_it_has():
    problem = meeting()
    hot, _ = problem.society().advance(0, 60, 1)
    cold = run(problem, 60, seed=1)
    assert cold.unrest < 1e-3 < 0.1 < HEAT <= hot.advance(60, 61, 1)[1]
    assert problem.welfare(cold)["efficiency"] > 0.99


@pytest.mark.parametrize("record", [None, Record(every=7, place=lambda s: s.signal.place)])
def test_a_paced_run_goes_on_as_if_it_had_not_been_cut(tmp_path, record):
    problem, whole = meeting(), run(meeting(), 60, seed=5, record=record)
    cut = run(problem, 60, seed=5, record=record, checkpoint=tmp_path, look=lambda frame: True)
    assert cut.status == "stopped" and cut.rounds < 60
    on = resume(problem, tmp_path, record=record)
    np.testing.assert_array_equal(on.society.agents.place, whole.society.agents.place)
    assert on.society.rounds == 60 and on.rounds == 60 and on.unrest == whole.unrest
    if record is not None:
        np.testing.assert_array_equal(on.record["place"], whole.record["place"])
    fewer = run(problem, 30, seed=5)
    assert not np.array_equal(fewer.society.agents.place, whole.society.agents.place)


class Told(Slow):
    """Notes the pace that it is given."""

    pace: tuple = (0.0, 0.0)

    def paced(self, rounds, seconds):
        return dataclasses.replace(self, pace=(float(rounds), -1.0 if seconds is None else seconds))


def test_what_is_left_of_the_seconds_outlives_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "perf_counter", CLOCK)
    society = slow(Told, 1.0)
    first = run(society, 100, seconds=10.0, checkpoint=tmp_path, look=lambda frame: frame.round >= 4)
    assert (first.rounds, first.society.pace) == (4, (100.0, 10.0))
    assert describe_run(tmp_path)["spent"] == 4.0 and not describe_run(tmp_path)["finished"]
    CLOCK.now += 1000  # nobody ran it meanwhile
    second = resume(society, tmp_path)
    assert (second.status, second.rounds, second.society.pace) == ("stopped", 10, (100.0, 6.0))
    assert describe_run(tmp_path)["finished"]
    assert resume(society, tmp_path).rounds == 10
    third = resume(society, tmp_path, seconds=5.0)
    assert (third.rounds, third.society.pace) == (15, (100.0, 5.0))
    assert run(society, 100, seconds=15.0, checkpoint=tmp_path).rounds == 15  # it had come to its end: again
    with pytest.raises(BadInput, match="go on with it by resume"):
        resume(society, tmp_path, seconds=100.0, look=lambda frame: True)
        run(society, 100, seconds=15.0, checkpoint=tmp_path)


def test_a_checkpoint_from_before_there_were_seconds_is_gone_on_with(tmp_path, monkeypatch):
    whole = run(so.walkers(5), 20, seed=3)
    run(so.walkers(5), 12, seed=3, checkpoint=tmp_path)
    saved = load(tmp_path)
    old = saved._replace(head={k: v for k, v in saved.head.items() if k not in ("seconds", "spent")})
    monkeypatch.setattr(checkpoint, "load", lambda folder: old)
    assert old.finished and describe_run(tmp_path)["seconds"] is None
    assert resume(so.walkers(5), tmp_path, rounds=20).digest() == whole.digest()


# --- a channel ---


def test_a_host_society_may_say_what_it_hears_through_a_channel(tmp_path):
    problem = meeting()
    told = [problem.welfare(run(problem, 60, channel=Channel(bits=b)))["efficiency"] for b in (1, 3, 12)]
    exact = problem.welfare(run(problem, 60))["efficiency"]
    assert told[0] < told[1] < told[2] == pytest.approx(exact, abs=1e-3)
    whole = run(problem, 60, channel=Channel(bits=3))
    assert whole.society.cells == 8 and whole.heard is None
    run(problem, 60, channel=Channel(bits=3), checkpoint=tmp_path, look=lambda frame: True)
    np.testing.assert_array_equal(resume(problem, tmp_path).society.agents.place, whole.society.agents.place)
    with pytest.raises(Refused, match="in no other way"):
        run(problem, 60, channel=Channel(delay=2), checkpoint=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_is_said_is_counted_without_a_round():
    assert bits(meeting().society()) == {"public": 64, "local": 0, "summary": 64, "total": 128}
    assert bits(meeting().society(), Channel(bits=3))["total"] == 3 + 64


def test_the_laws_hold_of_a_paced_society():
    assert {"reproducibility", "certificate"} <= set(check_problem(meeting(5)))
