"""`run`: chunks, records, looks, interruption, rest and ruin; not a bit differs for being watched."""

import os
import signal as os_signal
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core import progress
from catallax.core import run as runner
from catallax.core.channel import Channel
from catallax.core.errors import BadInput
from catallax.core.problem import Problem
from catallax.core.record import Record
from catallax.core.run import run
from catallax.core.society import Society
from tests.core import societies as so

pytestmark = pytest.mark.as_users_compile

BIRDS, ROUNDS = 33, 50
ENDLESS = 2**30


@pytest.fixture(scope="module")
def plain() -> str:
    """The end of a flock that nobody watched."""
    return run(so.flock(BIRDS), ROUNDS, seed=1).digest()


# --- chunks and records --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "looks"), [(1, 1e12), (7, 1e12), (1, 30), (1000, 30)])
def test_chunk_sizes_change_no_bit_and_compile_nothing(monkeypatch, plain, first, looks):
    """From single rounds (so many looks a second that each chunk is one round) to all at once."""
    monkeypatch.setattr(progress, "FIRST", first)
    monkeypatch.setattr(progress, "UNSEEN", looks)
    before = runner.advance._cache_size()
    assert run(so.flock(BIRDS), ROUNDS, seed=1).digest() == plain
    assert runner.advance._cache_size() == before


def test_going_on_from_where_one_stopped_is_not_starting_again(plain):
    """Rounds have their own keys: a run of 25 is the first half of a run of 50, and no second one."""
    half = run(so.flock(BIRDS), ROUNDS // 2, seed=1)
    assert half.digest() != plain != run(half.society, ROUNDS // 2, seed=1).digest()


@pytest.mark.parametrize("every", [1, 7, 100])
def test_records_change_no_bit(plain, every):
    record = Record(every=every, angle=lambda s: s.agents.angle, x=lambda s: s.signal.x)
    outcome = run(so.flock(BIRDS), ROUNDS, seed=1, record=record)
    assert outcome.digest() == plain
    assert outcome.record["round"].tolist() == list(range(0, ROUNDS + 1, every))


@pytest.mark.parametrize(("name", "room"), [("BUFFER", 3), ("BYTES", 400)])
def test_a_small_buffer_loses_no_row(monkeypatch, name, room):
    angle = lambda s: s.agents.angle  # noqa: E731
    whole = run(so.flock(BIRDS), ROUNDS, seed=1, record=Record(every=2, angle=angle)).record
    monkeypatch.setattr(runner, name, room)
    parts = run(so.flock(BIRDS), ROUNDS, seed=1, record=Record(every=2, angle=angle)).record
    assert list(whole) == list(parts) == ["round", "unrest", "angle"]
    assert all((whole[key] == parts[key]).all() for key in ("round", "unrest", "angle"))


def test_recorded_is_what_was():
    record = Record(every=4, angle=lambda s: s.agents.angle, twice=lambda s: 2 * s.signal.x)
    table = run(so.flock(BIRDS), 10, seed=1, record=record).record
    assert table["round"].tolist() == [0, 4, 8] and table["round"].dtype == np.int64
    for row, rounds in enumerate([0, 4, 8]):
        society = run(so.flock(BIRDS), rounds, seed=1).society
        np.testing.assert_array_equal(table["angle"][row], society.agents.angle)
        assert table["twice"][row] == 2 * society.signal.x
    unrest = run(so.drift(2), 5, record=Record()).record["unrest"]
    np.testing.assert_array_equal(unrest, [np.inf, 1, 0.5, 0.25, 0.125, 0.0625])


def test_the_society_that_was_given_is_left_alone():
    society = so.flock(BIRDS)
    before = np.array(society.agents.angle)
    run(society, 3)
    np.testing.assert_array_equal(society.agents.angle, before)
    np.testing.assert_array_equal(run(society, 0).society.agents.angle, before)


# --- looks ---------------------------------------------------------------------------------------------------


def test_looks_come_about_thirty_times_a_second_and_true_stops():
    times, began = [], time.perf_counter()

    def look(frame):
        times.append(time.perf_counter())
        return len(times) > 1 and times[-1] - times[1] > 0.7

    outcome = run(so.flock(BIRDS), ENDLESS, seed=1, look=look, record=Record(x=lambda s: s.signal.x))
    gaps = np.diff(times)
    assert outcome.status == "stopped" and 0 < outcome.rounds < ENDLESS
    assert gaps.min() > 0.8 / 30
    assert np.median(gaps) < 0.3  # a busy machine
    assert time.perf_counter() - began < 60
    assert len(outcome.record["x"]) == outcome.rounds + 1


def test_frames_hold_copies_of_what_was_last_recorded():
    frames = []
    record = Record(every=4, angle=lambda s: s.agents.angle)
    outcome = run(so.flock(BIRDS), 10, seed=1, record=record, look=lambda frame: frames.append(frame))
    last = frames[-1]
    assert (last.round, last.rounds) == (10, 10) and last.unrest == np.inf
    np.testing.assert_array_equal(last.values["angle"], outcome.record["angle"][2])
    for frame in frames:
        assert frame.values["round"] == frame.round - frame.round % 4
        frame.values["angle"][:] = 7  # writable, and nobody's but ours
    assert not (outcome.record["angle"] == 7).any() and not (outcome.society.agents.angle == 7).any()
    assert outcome.status == "done"


def test_looking_changes_no_bit(plain):
    assert run(so.flock(BIRDS), ROUNDS, seed=1, look=lambda frame: None).digest() == plain


def test_a_look_at_the_end_stops_nothing():
    assert run(so.flock(BIRDS), 1, look=lambda frame: True).status == "done"


# --- interruption --------------------------------------------------------------------------------------------


def test_ctrl_c_returns_what_was_done():
    before = os_signal.getsignal(os_signal.SIGINT)
    run(so.flock(BIRDS), 1, seed=1)  # compiled
    timer = threading.Timer(0.3, os.kill, (os.getpid(), os_signal.SIGINT))
    timer.start()
    outcome = run(so.flock(BIRDS), ENDLESS, seed=1)
    timer.join()
    assert outcome.status == "interrupted" and 0 < outcome.rounds < ENDLESS
    assert outcome.status.sentence == "interrupted; this is what was done"
    assert run(so.flock(BIRDS), outcome.rounds, seed=1).digest() == outcome.digest()
    assert os_signal.getsignal(os_signal.SIGINT) is before


def test_a_second_ctrl_c_is_pythons_own():
    def look(frame):
        os.kill(os.getpid(), os_signal.SIGINT)
        os.kill(os.getpid(), os_signal.SIGINT)
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        run(so.flock(BIRDS), ENDLESS, look=look)
    assert os_signal.getsignal(os_signal.SIGINT) is os_signal.default_int_handler


def test_elsewhere_than_in_the_main_thread_it_runs_too(plain):
    ends = []
    thread = threading.Thread(target=lambda: ends.append(run(so.flock(BIRDS), ROUNDS, seed=1).digest()))
    thread.start()
    thread.join()
    assert ends == [plain]


# --- rest and ruin -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [1, 3, 100])
@pytest.mark.parametrize("tolerance", [0.1, 0.125])
def test_rest_ends_it_in_the_same_round_whatever_the_chunks(monkeypatch, first, tolerance):
    monkeypatch.setattr(progress, "FIRST", first)
    outcome = run(so.drift(2), 30, tolerance=tolerance)
    assert outcome.status == "settled" and outcome.status.sentence == "at rest within the tolerance"
    assert outcome.unrest <= tolerance and outcome.unrest == 0.5 ** (outcome.rounds - 1)
    assert outcome.rounds == (4 if tolerance == 0.125 else 5)


def test_a_tolerance_that_float32_rounds_is_met_by_its_equal():
    """float32(0.1) is above 0.1: the loop and its driver must agree on what is at rest."""
    outcome = run(so.drift(2, level=0.1), 30, tolerance=0.1)
    assert (outcome.status, outcome.rounds) == ("settled", 1)


def test_without_rest_all_rounds_are_run():
    outcome = run(so.drift(2), 3, tolerance=1e-3)
    assert (outcome.status, outcome.rounds, outcome.unrest) == ("done", 3, 0.25)


class Sick(so.Drift):
    """No number from the fourth round on."""

    def unrest(self, summary):
        return jnp.where(self.clock < 3, 1.0, jnp.nan)


def test_unrest_that_is_no_number_ends_it():
    outcome = run(Society(so.drift(2).agents, Sick(jnp.float32(1), jnp.int32(0))), ENDLESS)
    assert (outcome.status, outcome.rounds) == ("broken", 4)
    assert outcome.status.sentence == "a value is no longer a number"


def test_a_state_that_is_no_number_is_seen_at_the_end():
    flock = so.flock(4)
    society = Society(so.Bird(flock.agents.angle.at[2].set(jnp.nan), flock.agents.restless), flock.signal)
    assert run(society, 3).status == "broken"


# --- arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rounds": -1}, "rounds is -1: give a whole number of at least 0"),
        ({"rounds": 2**31}, "rounds is 2147483648"),
        ({"rounds": True}, "rounds is True"),
        ({"rounds": 1, "tolerance": -1.0}, r"tolerance is -1\.0: give a number of at least 0"),
        ({"rounds": 1, "tolerance": float("nan")}, "tolerance is nan"),
        ({"rounds": 1, "seed": -1}, "seed is -1: give a whole number from 0"),
        ({"rounds": 1, "seed": 2**64}, "seed is 18446744073709551616"),
    ],
)
def test_impossible_arguments_are_bad_input(arguments, said):
    with pytest.raises(BadInput, match=said):
        run(so.vote(4), **arguments)


def test_no_rounds_leave_all_as_it_is():
    outcome = run(so.vote(4), 0, record=Record(yes=lambda s: s.signal.yes))
    assert (outcome.status, outcome.rounds, outcome.unrest) == ("done", 0, np.inf)
    assert outcome.record["yes"].tolist() == [2]


def test_seeds_of_64_bits_are_told_apart():
    ends = {run(so.flock(BIRDS), 2, seed=seed).digest() for seed in (0, 1, 2**32, 2**32 + 1, 2**64 - 1)}
    assert len(ends) == 5


class Ballot(Problem):
    """A vote as a problem."""

    voters: int

    def society(self, leak=0.0):
        return so.vote(self.voters)

    def outcome(self, society, heard=None):
        yes = society.signal.public() if heard is None else heard
        return runner.Outcome(society, values={"yes": int(yes), "heard": heard is not None})

    def welfare(self, outcome):
        return {"efficiency": outcome.yes / self.voters}


def test_a_problem_is_told_what_was_heard():
    late = run(Ballot(9), 5, channel=Channel(delay=1))
    rows = run(so.vote(9), 5, channel=Channel(delay=1), record=Record(yes=lambda s: s.signal.yes)).record["yes"]
    assert late.values["heard"] and late.yes == rows[4]  # in round 5, the poll of round 4 is heard
    exact = run(Ballot(9), 5)
    assert not exact.values["heard"] and exact.yes == run(so.vote(9), 5).society.signal.yes


def test_agents_are_copied_where_they_lie():
    leaves = jax.device_put([jnp.arange(4), jnp.ones(3)], jax.devices()[1])
    for leaf, copy in zip(leaves, runner.copied(leaves), strict=True):
        assert copy.unsafe_buffer_pointer() != leaf.unsafe_buffer_pointer()
        assert copy.devices() == leaf.devices()
