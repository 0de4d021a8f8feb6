"""Candidates against sorting all cities, quadrant by quadrant; and Hilbert's curve."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.tours.chart import Plan, chart_of
from catallax.colony.tours.ground import ground_of
from catallax.colony.tours.metric import distance
from catallax.colony.tours.neighbours import CITY, FAR, TICKS, hilbert, neighbours

SEEDS = st.integers(0, 2**32)


def chart(cities, k, plan=Plan(), kind=None):
    """The chart of a ground."""
    return chart_of(ground_of(cities, kind), plan, k)


def table(metric):
    """Ticks between all labels, very many to oneself."""
    n = metric.cities
    return np.array([[distance(metric, i, j) if i != j else 2**60 for j in range(n)] for i in range(n)])


@given(SEEDS, st.sampled_from(["PLANE", "GEO", "SPHERE", "MAN_2D", "MAX_2D", "ATT"]), st.integers(2, 12))
@settings(max_examples=20)
def test_rows_are_sorted_distinct_and_as_far_as_they_say(seed, kind, k):
    random = np.random.default_rng(seed)
    places = random.uniform(-60, 60, (15, 2)).round(1)
    places[:3] = places[3]
    found = chart(places, k, kind=kind)
    for i, row in enumerate(found.near):
        assert len(set(row[:, CITY].tolist()) - {i}) == min(k, 14)
        assert row[:, TICKS].tolist() == [distance(found.metric, i, int(j)) for j in row[:, CITY]]
        assert (np.diff(row[:, TICKS].astype(np.int64)) >= 0).all()


@given(SEEDS)
@settings(max_examples=15)
def test_the_two_nearest_of_each_quadrant_are_there(seed):
    random = np.random.default_rng(seed)
    found = chart(random.random((20, 2)), 8)
    places, ticks = found.metric.places, table(found.metric)
    for i in range(20):
        near = set(found.near[i, :, CITY].tolist())
        for side in range(4):
            inside = ((places >= places[i]) == [side & 1, side >> 1]).all(axis=1) & (np.arange(20) != i)
            order = np.flatnonzero(inside)[np.argsort(ticks[i, inside], kind="stable")]
            assert set(order[:2].tolist()) <= near


@given(SEEDS, st.integers(2, 9), st.booleans())
@settings(max_examples=20)
def test_of_a_matrix_the_nearest(seed, k, symmetric):
    matrix = np.random.default_rng(seed).permutation(144).reshape(12, 12)
    matrix = np.triu(matrix, 1) + np.triu(matrix, 1).T if symmetric else matrix
    found = chart(matrix, k)
    ticks = table(found.metric)
    ticks[np.abs(ticks) >= found.metric.wall] = 2**60
    for i in range(len(ticks)):
        least = np.sort(ticks[i])[: min(k, 11)]
        assert found.near[i, : len(least), TICKS].tolist() == least.tolist()


def test_nowhere_is_a_candidate_of_all_and_ties_of_nobody():
    random = np.random.default_rng(0)
    found = chart(random.random((12, 2)), 4, Plan(opened=True, end=7))
    nowhere = found.metric.nowhere
    assert all(nowhere in found.near[i, :, CITY] for i in range(1, nowhere))
    assert nowhere not in found.near[0, :, CITY] and 0 not in found.near[nowhere, :, CITY]
    one_way = chart(random.integers(1, 9, (6, 6)), 4)
    both = np.sort(np.stack([np.repeat(np.arange(12), 4), one_way.near[..., CITY].ravel()]), axis=0)
    assert ((both[0] < 6) & (both[1] >= 6))[both[0] != both[1]].all() and (both[1] - both[0] != 6).all()


def test_closed_edges_leave_places_that_are_not_filled():
    ground = ground_of(np.random.default_rng(0).random((5, 2)))
    shut = ground._replace(closed=np.array([[0, c] for c in range(1, 4)]))
    found = chart_of(shut, Plan(), 4)
    lonely = int(np.flatnonzero(found.city == 0)[0])
    assert (found.near[lonely, :, TICKS] < FAR).sum() == 1
    assert (found.near[lonely, 1:, CITY] == lonely).all()


def test_more_candidates_than_cities_are_all_of_them():
    found = chart(np.random.default_rng(0).random((4, 2)), 50)
    assert neighbours(found.metric, 50).shape == (4, 3, 2)


@given(SEEDS, st.integers(2, 300))
@settings(max_examples=20)
def test_hilberts_curve_visits_each_once(seed, n):
    points = np.random.default_rng(seed).random((n, 2))
    assert sorted(hilbert(points).tolist()) == list(range(n))


def test_hilberts_curve_goes_from_cell_to_next_cell():
    side = 16
    grid = np.stack([x.ravel() for x in np.meshgrid(np.arange(side), np.arange(side))], 1).astype(float)
    steps = np.abs(np.diff(grid[hilbert(grid)], axis=0)).sum(axis=1)
    assert (steps == 1).all()
