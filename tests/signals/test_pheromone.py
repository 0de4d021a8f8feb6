"""Pheromone on edges: its rule against a dictionary, its limits, what is told in few bits."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.core.channel import Span, Wiring, spoil
from catallax.signals.pheromone import FLOOR, Pheromone, Way, edges, told
from catallax.signals.treading import trail

SEEDS = st.integers(0, 2**32)


def world(seed, n=9, k=3):
    """Candidates drawn at random, [n, k, 2], and a way."""
    random = np.random.default_rng(seed)
    near = np.zeros((n, k, 2), np.int32)
    for city in range(n):
        near[city, :, 0] = random.choice(np.delete(np.arange(n), city), k, replace=False)
    return near, Way(random.permutation(n).astype(np.int32), np.int64(10))


@given(SEEDS, st.sampled_from([0.1, 0.5, 1.0]))
@settings(max_examples=25)
def test_a_round_is_the_rule_edge_by_edge(seed, evaporation):
    near, way = world(seed)
    signal = Pheromone.fresh(near, way, evaporation)
    trodden = Way(np.random.default_rng(seed + 1).permutation(9).astype(np.int32), np.int64(9))
    after = signal.propagate(trodden)
    ring = {frozenset(x) for x in zip(trodden.order.tolist(), np.roll(trodden.order, -1).tolist(), strict=True)}
    for city in range(9):
        for at in range(3):
            kept = max(FLOOR, (1 - evaporation) * float(signal.level[city, at]))
            on = frozenset((city, int(near[city, at, 0]))) in ring
            assert after.level[city, at] == pytest.approx(min(1, kept + evaporation * on), rel=1e-6)
    assert after.way is trodden


def test_trails_come_to_their_limits():
    near, way = world(0)
    signal = Pheromone.even(near, way, 0.2)
    assert (signal.level == 1).all()
    for _ in range(60):
        signal = signal.propagate(way)
    fresh = Pheromone.fresh(near, way, 0.2)
    assert set(np.unique(fresh.level)) <= {np.float32(FLOOR), np.float32(1)}
    assert np.allclose(signal.level, fresh.level, atol=2e-5)


def test_a_trail_is_the_same_from_both_ends_and_none_where_there_is_no_candidate():
    near, way = world(1)
    signal = Pheromone.fresh(near, way)
    known = {frozenset((c, int(o))) for c in range(9) for o in near[c, :, 0]}
    for a in range(9):
        for b in range(9):
            if a != b:
                smell = trail(near, signal.level, a, b)
                assert smell == trail(near, signal.level, b, a)
                assert (smell > 0) == (frozenset((a, b)) in known)


@given(SEEDS, st.integers(1, 8))
@settings(max_examples=25)
def test_few_bits_are_cells_of_the_channel(seed, bits):
    level = np.exp(np.random.default_rng(seed).uniform(np.log(FLOOR), 0, (40, 5))).astype(np.float32)
    level[0, :2] = 1.0, FLOOR
    heard = told(level, bits, FLOOR)
    assert len(np.unique(heard)) <= 2**bits and (heard > FLOOR).all() and (heard < 1).all()
    order = np.argsort(level.ravel())
    assert (np.diff(heard.ravel()[order]) >= 0).all()
    knobs = tuple(np.float32(x) for x in (2.0**bits, 0, 0))
    by_channel = np.asarray(spoil(jnp.asarray(level), Span(FLOOR, 1.0, "log"), Wiring(True), knobs, None))
    near_border = np.abs((np.log(level) / np.log(FLOOR) * 2**bits) % 1 - 0.5) > 0.499
    assert np.allclose(heard[~near_border], by_channel[~near_border], rtol=1e-4)


def test_what_is_told_exactly_is_what_lies_there():
    near, way = world(2)
    signal = Pheromone.fresh(near, way)
    assert signal.public().level is signal.level and signal.public().order is way.order
    assert dataclasses.replace(signal, bits=1).public().level.max() < 1


@given(SEEDS, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=20)
def test_the_shortest_is_heard_and_parts_add_up(seed, some, others):
    random, (near, way) = np.random.default_rng(seed), world(seed)
    signal = Pheromone.fresh(near, way)

    def ways(count):
        return Way(
            np.stack([random.permutation(9) for _ in range(count)]).astype(np.int32), random.integers(0, 99, count)
        )

    a, b = ways(some), ways(others)
    both = Way(*(np.concatenate(x) for x in zip(a, b, strict=True)))
    parts = Way(*(np.stack(x) for x in zip(signal.listen(a), signal.listen(b), strict=True)))
    assert signal.listen(both).ticks == signal.listen(parts).ticks == both.ticks.min()
    assert np.array_equal(signal.listen(both).order, signal.listen(parts).order)


def test_unrest_is_the_share_of_new_edges():
    near, _ = world(0)
    signal = Pheromone.fresh(near, Way(np.arange(9, dtype=np.int32), np.int64(0)))
    same = Way(np.roll(np.arange(9, dtype=np.int32)[::-1], 2), np.int64(0))
    swapped = Way(np.array([0, 1, 2, 5, 4, 3, 6, 7, 8], np.int32), np.int64(0))
    assert signal.unrest(same) == 0
    assert signal.unrest(swapped) == pytest.approx(2 / 9)
    assert len(set(edges(swapped.order).tolist())) == 9
