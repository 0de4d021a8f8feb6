"""Blocks and devices: the same bits on 1, 2 and 4 of them, and nothing but summaries between them."""

import re

import jax
import numpy as np
import pytest

from catallax.core import progress
from catallax.core import run as runner
from catallax.core.channel import Channel
from catallax.core.record import Record
from catallax.core.run import run
from catallax.core.society import Society, as_arrays
from tests.core import societies as so

pytestmark = pytest.mark.as_users_compile

AGENTS, ROUNDS = 128, 12
SPOILT = {"activation": 0.6, "channel": Channel(bits=6, noise=0.02, delay=2, loss=0.1)}


def ends(society, devices=(None, 2, 4), rounds=ROUNDS, **switches) -> set[str]:
    """The different ends of one run on different numbers of devices."""
    return {run(society, rounds, seed=5, devices=count, **switches).digest() for count in devices}


# --- the same bits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("blocks", "devices"), [(4, (None, 2, 4)), (64, (None, 1, 4))])
def test_bits_do_not_depend_on_devices(blocks, devices):
    """Awkward float sums, counts, extremes and rows; each citizen hears what all of them add up to."""
    assert len(ends(so.census(AGENTS, gossips=True), devices, blocks=blocks)) == 1


def test_bits_do_not_depend_on_devices_through_a_bad_channel_half_asleep():
    assert len(ends(so.census(AGENTS, gossips=True), blocks=8, **SPOILT)) == 1


def test_the_number_of_blocks_does_change_the_bits():
    """Else the tests above would show nothing."""
    society = so.census(AGENTS, gossips=True)
    assert ends(society, (None,), blocks=4) != ends(society, (None,), blocks=64)


def test_two_populations_on_devices():
    assert len(ends(so.market(16, 32), (None, 4), blocks=8)) == 1


def test_the_fused_path_on_devices():
    """The sum of the first round, to the bit; other blocks give others."""

    def drive(blocks, devices):
        society = run(so.neurons(so.Fused), 1, blocks=blocks, devices=devices).society
        return np.asarray(society.signal.level).tobytes()

    assert drive(4, None) == drive(4, 4) == drive(4, 2)
    assert drive(4, None) != drive(16, None)


@pytest.mark.parametrize("blocks", [None, 8])
def test_counted_money_is_the_same_to_the_bit_with_and_without_blocks(blocks):
    society = so.wealth(AGENTS)
    assert ends(society, (2,), blocks=blocks) == {run(society, ROUNDS, seed=5).digest()}


def test_life_on_devices():
    assert ends(so.life(16), (2,), blocks=None) == {run(so.life(16), ROUNDS).digest()}


@pytest.mark.parametrize("switches", [{"devices": 4}, {"blocks": 4}, {"blocks": 64, "devices": 4}])
def test_without_the_same_blocks_rounds_agree_to_rounding(switches):
    """One round: n eps. (Many rounds of a chaotic society may drift apart.)"""
    one, other = (run(so.census(AGENTS, gossips=True), 1, seed=5, **s).society for s in ({}, switches))
    bound = AGENTS * np.finfo(np.float32).eps
    np.testing.assert_allclose(other.agents.number, one.agents.number, rtol=bound, atol=bound)
    np.testing.assert_allclose(other.signal.total, one.signal.total, rtol=bound, atol=bound * AGENTS)


def test_chunks_records_and_devices_together(monkeypatch):
    society, record = so.census(AGENTS, gossips=True), Record(every=3, total=lambda s: s.signal.total)
    plain = ends(society, (None,), blocks=4)
    monkeypatch.setattr(progress, "FIRST", 5)
    outcome = run(society, ROUNDS, seed=5, blocks=4, devices=4, record=record)
    assert {outcome.digest()} == plain
    assert outcome.record["round"].tolist() == [0, 3, 6, 9, 12]
    np.testing.assert_array_equal(outcome.record["total"][-1], outcome.society.signal.total)


# --- what lies where, and what travels -----------------------------------------------------------------------


def test_agents_stay_on_their_devices_and_one_executable_serves_all_chunks(monkeypatch):
    monkeypatch.setattr(progress, "UNSEEN", 1e12)  # single rounds
    before = runner.advance._cache_size()
    ids = np.arange(AGENTS)[::-1].copy()
    census = so.census(AGENTS)
    society = run(Society(census.agents, census.signal, ids), 6, devices=4, **SPOILT).society
    assert runner.advance._cache_size() == before + 1
    shards = society.agents.number.addressable_shards
    assert {shard.data.shape for shard in shards} == {(AGENTS // 4,)} and len(shards) == 4
    assert society.signal.total.sharding.is_fully_replicated


def test_a_post_for_everyone_is_whole_on_every_device_in_every_chunk(monkeypatch):
    monkeypatch.setattr(progress, "UNSEEN", 1e12)
    before = runner.advance._cache_size()
    society = run(so.wealth(AGENTS), 4, devices=4).society
    assert runner.advance._cache_size() == before + 1
    assert society.signal.inbox.sharding.is_fully_replicated
    assert not society.agents.wealth.sharding.is_fully_replicated


def travels(society, **switches) -> dict[str, int]:
    """The most elements that any collective of one compiled round moves, by its name."""
    channel = switches.pop("channel", Channel())
    activation = switches.pop("activation", "synchronous")
    setting, share = runner.make_setting(society, activation, channel, switches.pop("blocks", None), 4)
    ready = runner.prepare(as_arrays(society), runner.Job(2, 0, None, None, None, None, setting, share, channel))
    loop = runner.Loop(ready.form, setting, None)
    span = (np.uint32(0), np.uint32(2))
    lowered = runner.advance.lower(ready.moving, ready.facts, None, *span, ready.seed, ready.bound, ready.knobs, loop)
    moved: dict[str, int] = {}
    for line in lowered.compile().as_text().splitlines():
        found = re.search(r" = (.*?) ((?:all|collective|reduce-scatter|ragged|send|recv)[\w-]*)\(", line)
        if found:
            shapes = re.findall(r"\w+\[([\d,]*)\]", found[1])
            size = sum(int(np.prod([int(d) for d in dims.split(",") if d])) for dims in shapes)
            moved[found[2]] = max(moved.get(found[2], 0), size)
    return moved


BIG = 4096  # so that anything of the agents' number stands out
SUMMARY = 6  # a total of three, a count, the highest, the lowest


@pytest.mark.parametrize(("blocks", "switches"), [(None, {}), (8, {}), (None, SPOILT)])
def test_only_summaries_travel(blocks, switches):
    moved = travels(so.census(BIG), blocks=blocks, **switches)
    assert moved, "no collective was found"
    assert max(moved.values()) <= SUMMARY * (blocks or 1), moved


def test_rows_do_travel():
    """The same search finds them, where a signal gathers rows: it is not blind."""
    assert max(travels(so.census(BIG, gossips=True)).values()) >= BIG


def test_a_local_view_of_ones_own_place_does_not_travel():
    moved = travels(so.trail(BIG, 16))
    assert moved and max(moved.values()) <= 16, moved


def test_four_devices_are_simulated():
    assert len(jax.devices()) == 4
