"""Distances of every kind against NumPy in float64, TSPLIB's rules by hand, and what comes upon them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.tours.chart import Plan, chart_of
from catallax.colony.tours.ground import Ground, ground_of, lengths
from catallax.colony.tours.metric import CLOSED, Metric, Plane, Sphere, Table, distance, length, quick

KINDS = ["PLANE", "SPHERE", "EUC_2D", "CEIL_2D", "GEO", "ATT", "MAN_2D", "MAX_2D"]


def drawn(kind, seed, n=12):
    """Cities at random, in a range that the kind takes; two at the same place."""
    random = np.random.default_rng(seed)
    places = random.uniform(-80, 80, (n, 2)) if kind in ("SPHERE", "GEO") else random.uniform(-500, 500, (n, 2))
    places[-1] = places[0]
    return ground_of(places.round(2), kind)


@given(st.sampled_from(KINDS), st.integers(0, 2**32))
@settings(max_examples=24)
def test_ticks_are_the_lengths_that_certify(kind, seed):
    ground = drawn(kind, seed)
    chart = chart_of(ground, Plan(), 5)
    metric, n = chart.metric, ground.cities
    a, b = (x.ravel() for x in np.meshgrid(np.arange(n), np.arange(n)))
    a, b = a[a != b], b[a != b]
    ticks = np.array([distance(metric, i, j) for i, j in zip(a, b, strict=True)])
    known = lengths(ground, chart.city[a], chart.city[b]) * metric.scale
    assert np.abs(ticks - known).max() <= (0 if metric.scale == 1 else 0.501)
    assert np.array_equal(ticks, [distance(metric, j, i) for i, j in zip(a, b, strict=True)])
    assert all(distance(quick(metric), i, j) == t for i, j, t in zip(a, b, ticks, strict=True))


@pytest.mark.parametrize(
    ("kind", "place", "ticks"),
    [
        ("EUC_2D", (3, 4), 5),
        ("EUC_2D", (1, 1), 1),  # 1.41
        ("EUC_2D", (0.5, 0), 1),  # a half is rounded up
        ("CEIL_2D", (1, 1), 2),
        ("CEIL_2D", (3, 4), 5),
        ("ATT", (10, 0), 4),  # sqrt(10) = 3.16, whose nearest is below it
        ("ATT", (9, 3), 3),  # sqrt(9) exactly
        ("MAN_2D", (3, -4), 7),
        ("MAX_2D", (3, -4.5), 5),
    ],
)
def test_tsplibs_rules_by_hand(kind, place, ticks):
    ground = ground_of(np.array([[0, 0], place, [7, 7]], float), kind)
    chart = chart_of(ground, Plan(), 2)
    a, b = (int(np.flatnonzero(chart.city == city)[0]) for city in (0, 1))
    assert distance(chart.metric, a, b) == lengths(ground, np.array([0]), np.array([1]))[0] == ticks


def written(places):
    """TSPLIB's rule for GEO as its paper has it, on all pairs."""
    angles = []
    for place in places.tolist():
        minutes = [x - int(x) for x in place]
        angles.append([3.141592 * (int(x) + 5.0 * m / 3.0) / 180.0 for x, m in zip(place, minutes, strict=True)])
    found = np.zeros((len(places), len(places)), np.int64)
    for (i, (phi, lam)), (j, (psi, mu)) in itertools.permutations(enumerate(angles), 2):
        q1, q2, q3 = math.cos(lam - mu), math.cos(phi - psi), math.cos(phi + psi)
        inner = 0.5 * ((1.0 + q1) * q2 - (1.0 - q1) * q3)
        found[i, j] = int(6378.388 * math.acos(min(1.0, max(-1.0, inner))) + 1.0)
    return found


def earths():
    """Cities all over the earth with their antipodes, and cities so near one another that many lie a few km apart."""
    random = np.random.default_rng(5)
    one = np.stack([random.uniform(-89, 89, 60), random.uniform(0, 179, 60)], 1).round(2)
    return {
        "antipodes": np.concatenate([one, [0, -180] + [-1, 1] * one]),
        "near": random.uniform(48, 48.3, (120, 2)).round(2),
    }


@pytest.mark.parametrize("which", ["antipodes", "near"])
def test_geo_is_what_tsplib_says_on_every_pair(which):
    places = earths()[which]
    chart = chart_of(ground_of(places, "GEO"), Plan(), 5)
    metric, n = quick(chart.metric), len(places)
    assert isinstance(metric, Sphere)
    found = np.array([[distance(metric, i, j) if i != j else 0 for j in range(n)] for i in range(n)])
    assert np.array_equal(found, written(places[chart.city]))


@pytest.mark.parametrize("arc", [1e-12, 1e-3, 0.1999, 0.2, 0.2004, 1.0, np.pi])
def test_the_series_of_the_arc_is_the_arc(arc):
    places = np.array([[1.0, 0.0, 0.0], [np.cos(arc), np.sin(arc), 0.0], [0.0, 0.0, 1.0]])
    metric = Sphere(places, np.zeros((0, 2)), 2**40 / arc, -1, 2**62)
    assert distance(metric, 0, 1) == pytest.approx(2**40 * 6371.0088, rel=1e-14 if 1e-3 < arc < 3 else 1e-7)


def test_geo_reads_degrees_and_minutes():
    # 16.47 N 96.10 E and 16.47 N 94.44 E are 16 deg 47' and so on: 1 deg 26' apart on a parallel
    ground = ground_of(np.array([[16.47, 96.10], [16.47, 94.44], [20.0, 95.0]]), "GEO")
    apart = np.radians(1 + 26 / 60) * np.cos(np.radians(16 + 47 / 60)) * 6378.388
    assert lengths(ground, np.array([0]), np.array([1]))[0] == int(apart + 1)


def test_a_quarter_of_the_equator():
    ground = ground_of(np.array([[0.0, 0.0], [0.0, 90.0], [90.0, 0.0]]), "SPHERE")
    found = lengths(ground, np.array([0, 0, 1]), np.array([1, 2, 2]))
    assert np.allclose(found, np.pi / 2 * 6371.0088, rtol=1e-12)


def test_one_way_distances_lie_between_leaving_and_arriving():
    matrix = np.array([[0, 1, 2], [3, 0, 4], [5, 6, 0]])
    metric = chart_of(ground_of(matrix), Plan(), 2).metric
    wall = metric.wall
    for i in range(3):
        assert distance(metric, i, 3 + i) == -wall
        for j in range(3):
            if i != j:
                assert distance(metric, i, 3 + j) == distance(metric, 3 + j, i) == matrix[i, j]
                assert distance(metric, i, j) == distance(metric, 3 + i, 3 + j) == wall
    assert length(metric, np.array([3, 0, 4, 1, 5, 2])) == 1 + 4 + 5 - 3 * wall


def test_closed_edges_are_walls_and_nowhere_is_near_to_all():
    ground = ground_of(np.random.default_rng(0).random((9, 2)))._replace(closed=np.array([[4, 2]]))
    chart = chart_of(ground, Plan(opened=True, end=5), 4)
    metric, nowhere = chart.metric, chart.metric.nowhere
    a, b = (int(np.flatnonzero(chart.city == city)[0]) for city in (2, 4))
    assert distance(metric, a, b) == distance(metric, b, a) == metric.wall
    assert chart.city[0] == 5 and distance(metric, 0, nowhere) == -metric.wall
    assert {distance(metric, label, nowhere) for label in range(1, nowhere)} == {0}
    assert not isinstance(quick(metric), Plane)


def test_a_matrix_with_closed_edges_is_quick_all_the_same():
    matrix = np.array([[0, 3, 9, 5], [3, 0, 2, 7], [9, 2, 0, 1], [5, 7, 1, 0]])
    metric = chart_of(ground_of(matrix), Plan(), 2).metric
    table = quick(metric._replace(tie=3, matrix=np.where(matrix == 9, CLOSED, matrix).astype(np.int32)))
    assert isinstance(table, Table)
    assert [distance(table, i, j) for i, j in ((0, 1), (2, 1), (0, 2), (3, 0))] == [3, 2, metric.wall, -metric.wall]
    assert isinstance(quick(metric._replace(plain=False)), Metric)


def test_whole_lengths_are_ticks_and_others_never_look_like_them():
    whole = chart_of(ground_of(np.array([[0, 2, 3], [2, 0, 4], [3, 4, 0]])), Plan(), 2)
    assert whole.whole
    far = 2.0**28
    square = np.array([[0.0, 0.0], [far, 0.0], [0.3, 0.0]])
    assert not chart_of(ground_of(square), Plan(), 2).whole
    matrix = np.array([[0, 0.5, far], [0.5, 0, 1.5], [far, 1.5, 0]])
    assert not chart_of(ground_of(matrix), Plan(), 2).whole


def test_places_at_one_point_are_no_way_apart():
    metric = chart_of(Ground("PLANE", np.ones((5, 2)), None, True), Plan(), 2).metric
    assert length(metric, np.arange(5)) == 0
