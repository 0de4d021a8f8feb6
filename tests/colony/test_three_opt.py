"""3-opt against an enumeration of all exchanges of two and three edges, and its own bookkeeping."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.tours.metric import MATRIX, Metric, length
from catallax.colony.tours.neighbours import neighbours
from catallax.colony.tours.path import ORDER, log_of, path_of, undo, wait
from catallax.colony.tours.three_opt import mend

ANY = 2**30  # no piece is too long to be turned
SEEDS = st.integers(0, 2**32)


def metric_of(matrix):
    """A symmetric matrix as a metric."""
    none = np.zeros(0, np.int64)
    return Metric(False, MATRIX, np.zeros((0, 2)), matrix.astype(np.int32), 1.0, len(matrix), -1, -1, none, 2**34)


def drawn(seed, n):
    """Distances without any geometry, some of them equal."""
    matrix = np.triu(np.random.default_rng(seed).integers(0, 30, (n, n)), 1)
    return matrix + matrix.T


def mended(matrix, order, k, width, touched=None):
    """The path after mending, its log, and the ticks saved."""
    metric = metric_of(matrix)
    path = path_of(order, touched is None)
    log = log_of(path)
    for city in () if touched is None else touched:
        wait(path, log, np.int32(city))
    return path, log, int(mend(metric, neighbours(metric, k), path, log, width))


def one_ring(edges, n):
    """Whether n edges make one ring."""
    beside = {city: [] for city in range(n)}
    for a, b in map(tuple, edges):
        beside[a].append(b)
        beside[b].append(a)
    if any(len(x) != 2 for x in beside.values()):
        return False
    last, city, seen = -1, 0, 0
    while city != 0 or seen == 0:
        last, city = city, beside[city][0] if beside[city][0] != last else beside[city][1]
        seen += 1
    return seen == n


def gains(matrix, order):
    """What each exchange of two or three edges saves that begins with a gain and stays one, edge by edge."""
    n = len(order)
    ring = [frozenset(x) for x in zip(order.tolist(), np.roll(order, -1).tolist(), strict=True)]
    beside = {c: [next(iter(e - {c})) for e in ring if c in e] for c in range(n)}
    for t1, t3 in itertools.permutations(range(n), 2):
        for t2, t4 in itertools.product(beside[t1], beside[t3]):
            out, into = {frozenset((t1, t2)), frozenset((t3, t4))}, frozenset((t2, t3))
            first = matrix[t1, t2] - matrix[t2, t3]
            if t2 == t3 or into in ring or len(out) < 2 or first <= 0:
                continue
            held = first + matrix[t3, t4]
            if t4 != t1 and one_ring((set(ring) - out) | {into, frozenset((t4, t1))}, n):
                yield held - matrix[t4, t1]
            for t5 in set(range(n)) - {t4}:
                if frozenset((t4, t5)) in ring or held - matrix[t4, t5] <= 0 or frozenset((t4, t5)) == into:
                    continue
                for t6 in beside[t5]:
                    three = out | {frozenset((t5, t6))}
                    put = {into, frozenset((t4, t5)), frozenset((t6, t1))}
                    if len(three) == 3 and t6 != t1 and len(put) == 3 and one_ring((set(ring) - three) | put, n):
                        yield held - matrix[t4, t5] + matrix[t5, t6] - matrix[t6, t1]


@given(SEEDS, st.integers(6, 8))
@settings(max_examples=30)
def test_no_sequential_exchange_that_gains_is_left(seed, n):
    matrix = drawn(seed, n)
    start = np.random.default_rng([seed % 1000, 1]).permutation(n)
    path, _, saved = mended(matrix, start, n - 1, (n - 1, n - 1, ANY))
    order = path[ORDER].astype(np.int64)
    assert length(metric_of(matrix), start) - saved == length(metric_of(matrix), order)
    assert max(gains(matrix, order), default=0) <= 0


def test_the_enumeration_sees_what_is_left_in_a_bad_tour():
    matrix = drawn(3, 7)
    assert max(gains(matrix, np.random.default_rng(0).permutation(7))) > 0


@given(SEEDS, st.integers(8, 60), st.sampled_from([(2, 1, ANY), (5, 3, ANY), (8, 6, 10)]))
@settings(max_examples=25)
def test_what_is_saved_is_what_the_tour_is_shorter_and_undoing_takes_it_back(seed, n, width):
    matrix, start = drawn(seed, n), np.random.default_rng([seed % 1000, 2]).permutation(n)
    path, log, saved = mended(matrix, start, 8, width)
    order = path[ORDER].astype(np.int64)
    assert saved >= 0 and sorted(order.tolist()) == list(range(n))
    assert length(metric_of(matrix), start) - saved == length(metric_of(matrix), order)
    assert undo(path, log) and np.array_equal(path[ORDER], start)


def test_nobody_waits_nothing_is_done_and_one_who_waits_is_enough_to_begin():
    matrix, start = drawn(0, 30), np.random.default_rng(0).permutation(30)
    path, _, saved = mended(matrix, start, 8, (8, 6, ANY), touched=())
    assert saved == 0 and np.array_equal(path[ORDER], start)
    assert max(mended(matrix, start, 8, (8, 6, ANY), touched=(city,))[2] for city in range(30)) > 0


@pytest.mark.parametrize("seed", range(3))
def test_cities_on_a_circle_are_put_in_order(seed):
    random = np.random.default_rng(seed)
    angle = 2 * np.pi * random.permutation(40) / 40
    places = 1e6 * np.stack([np.cos(angle), np.sin(angle)], 1)
    matrix = np.rint(np.linalg.norm(places[:, None] - places, axis=2)).astype(np.int64)
    path, _, _ = mended(matrix, random.permutation(40), 10, (8, 6, ANY))
    assert length(metric_of(matrix), path[ORDER]) == 40 * round(2e6 * np.sin(np.pi / 40))
