"""Tours as arrays: flips against the edges they swap, undoing bit for bit, and the queue."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.tours import path as p

SEEDS = st.integers(0, 2**32)


def edges(order):
    """The edges of a closed tour."""
    return {frozenset(x) for x in zip(order.tolist(), np.roll(order, -1).tolist(), strict=True)}


def flip_somewhere(path, log, random):
    """A flip at two places, either way round: (a, b, c, d), or None where they are too near."""
    a, d = (np.int32(x) for x in random.choice(path.shape[1], 2, replace=False))
    step = p.after if random.random() < 0.5 else p.before
    b, c = step(path, a), step(path, d)
    if len({int(x) for x in (a, b, c, d)}) < 4:
        return None
    p.flip(path, log, a, b, c, d)
    return int(a), int(b), int(c), int(d)


@given(SEEDS, st.integers(4, 30))
@settings(max_examples=25)
def test_a_flip_swaps_two_edges_and_undoing_leaves_no_trace(seed, n):
    random = np.random.default_rng(seed)
    path = p.path_of(random.permutation(n))
    log, start = p.log_of(path), path.copy()
    for _ in range(12):
        before = edges(path[p.ORDER])
        done = flip_somewhere(path, log, random)
        if done is None:
            continue
        a, b, c, d = done
        assert edges(path[p.ORDER]) == (before - {frozenset((a, b)), frozenset((c, d))}) | {
            frozenset((b, c)),
            frozenset((d, a)),
        }
        assert np.array_equal(path[p.ORDER][path[p.PLACE]], np.arange(n))
    assert p.undo(path, log)
    assert np.array_equal(path, start) and log[0, 0] == 0


def test_more_flips_than_the_log_holds_cannot_be_undone():
    path = p.path_of(np.arange(8))
    log = p.log_of(path)[: p.FIRST + 3].copy()
    for _ in range(4):
        p.flip(path, log, np.int32(0), p.after(path, 0), p.after(path, 4), np.int32(4))
    now = path.copy()
    assert not p.undo(path, log)
    assert np.array_equal(path, now)


def test_neighbours_go_round():
    path = p.path_of(np.array([2, 0, 3, 1]))
    assert [int(p.after(path, city)) for city in (2, 0, 3, 1)] == [0, 3, 1, 2]
    assert [int(p.before(path, city)) for city in (2, 0, 3, 1)] == [1, 2, 0, 3]


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=40))
def test_who_waits_is_served_in_order_and_stands_in_the_queue_once(steps):
    path = p.path_of(np.arange(6))
    log, queue = p.log_of(path), []
    for city in steps:
        if city is None:
            if queue:
                assert p.take(path, log) == queue.pop(0)
            continue
        p.wait(path, log, np.int32(city))
        if city not in queue:
            queue.append(city)
        assert log[1, 1] == len(queue)


def test_all_cities_may_wait_from_the_start():
    path = p.path_of(np.array([2, 0, 1]), waiting=True)
    log = p.log_of(path)
    assert [int(p.take(path, log)) for _ in range(3)] == [2, 0, 1] and log[1, 1] == 0
