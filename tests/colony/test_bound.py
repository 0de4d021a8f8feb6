"""Bounds against every tour there is, closed forms, and spanning trees by SciPy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse.csgraph import minimum_spanning_tree

from catallax.colony.tours import bound, complete, one_tree
from catallax.colony.tours.bound import assignment_bound, held_karp
from catallax.colony.tours.metric import (
    ATT,
    CEILING,
    GEO,
    MANHATTAN,
    MATRIX,
    MAXIMUM,
    ONE_WAY,
    PLANE,
    SPHERE,
    Metric,
    distance,
    length,
)

WITH_PLACES = [PLANE, CEILING, ATT, GEO, SPHERE, MANHATTAN, MAXIMUM]


def metric(kind, cities, random, **upon):
    """A metric of that kind, drawn, with what comes upon it. Places are clustered, and some are the same."""
    places, matrix = np.zeros((0, 2)), np.zeros((0, 0), np.int32)
    if kind in (MATRIX, ONE_WAY):
        matrix = random.integers(0, 100, (cities, cities)).astype(np.int32)
        matrix = matrix if kind == ONE_WAY else np.triu(matrix, 1) + np.triu(matrix, 1).T
    else:
        middles = random.random((3, 2))
        places = middles[random.integers(0, 3, cities)] + random.normal(0, 0.1, (cities, 2)).round(2)
        places = places - 0.5 if kind in (GEO, SPHERE) else 1000 * places
    if kind == SPHERE:
        latitude, longitude = places.T
        flat = np.cos(latitude)
        places = np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], 1)
    closed = np.array(upon.pop("closed", []), np.int64)
    facts = dict(
        plain=kind == PLANE and not upon and not len(closed), scale=1.0, cities=cities * (1 + (kind == ONE_WAY))
    )
    facts |= dict(tie=-1, nowhere=-1, closed=closed, wall=2**40) | upon
    return Metric(kind=kind, places=places, matrix=matrix, **facts)


def table(facts):
    """Ticks between all labels, infinite on the diagonal."""
    n = facts.cities
    return np.array([[distance(facts, i, j) if i != j else np.inf for j in range(n)] for i in range(n)], float)


def near(facts, each):
    """The nearest labels of each."""
    return np.argsort(table(facts), axis=1, kind="stable")[:, :each].astype(np.int32)


def shortest(facts):
    """The shortest of all closed tours, one by one."""
    ticks = table(facts)
    tours = np.array([(0, *rest) for rest in itertools.permutations(range(1, facts.cities))])
    return ticks[tours, np.roll(tours, -1, 1)].sum(1).min()


def grown(facts, multipliers, each=2):
    """The graph of the nearest and a tour, its lightest tree under these multipliers."""
    graph = one_tree.graph(facts, bound.candidates(facts, near(facts, each), np.arange(facts.cities, dtype=np.int32)))
    tree = one_tree.empty(facts.cities)
    one_tree.span(graph, multipliers, tree)
    return graph, tree


UPON = {
    "plain": lambda n: {},
    "tie": lambda n: dict(tie=n - 1),
    "nowhere": lambda n: dict(nowhere=n - 1),
    "fixed start": lambda n: dict(nowhere=n - 1, tie=n - 1),
    "closed": lambda n: dict(closed=[1, n + 2]),
}


@given(st.integers(0, 2**32), st.sampled_from([*WITH_PLACES, MATRIX]), st.sampled_from(list(UPON)), st.integers(4, 7))
@settings(max_examples=40)
def test_no_tour_is_shorter_whatever_the_multipliers(seed, kind, upon, cities):
    random = np.random.default_rng(seed)
    facts = metric(kind, cities, random, **UPON[upon](cities))
    best = shortest(facts)
    order = random.permutation(cities).astype(np.int32)
    assert held_karp(facts, near(facts, 2), order, trees=50, rounds=2).ticks <= best
    multipliers = random.normal(0, 10.0 ** random.integers(0, 5), cities)
    graph, tree = grown(facts, multipliers)
    assert bound.certify(facts, graph, multipliers, tree)[0] <= best


@given(st.integers(0, 2**32), st.integers(3, 4))
@settings(max_examples=10)
def test_nor_any_one_way_tour(seed, cities):
    facts = metric(ONE_WAY, cities, np.random.default_rng(seed))
    tours = np.array([(0, *rest) for rest in itertools.permutations(range(1, cities))])
    best = facts.matrix[tours, np.roll(tours, -1, 1)].sum(1).min()
    order = np.stack([tours[0] + cities, tours[0]], 1).ravel().astype(np.int32)
    found = held_karp(facts, near(facts, 3), order, trees=50, rounds=2).ticks + cities * facts.wall
    assert found <= best and assignment_bound(facts.matrix) <= best


@pytest.mark.parametrize("kind", WITH_PLACES)
def test_the_pruned_way_is_the_plain_way_and_scipys(kind):
    random = np.random.default_rng(kind)
    for upon in UPON.values():
        facts = metric(kind, 60, random, **upon(60))
        for size in (0.0, 1.0, 100.0):
            multipliers = np.round(random.normal(0, size, 60) * 256) / 256
            _, tree = grown(facts, multipliers)
            used = np.empty((59, 2), np.int64)
            pruned = complete.improve(facts, complete.lower(facts, multipliers), multipliers, tree, used)
            assert pruned == complete.span_all(facts, multipliers, tree)
            weights = table(facts) + multipliers + multipliers[:, None]
            assert weights[used[:, 0], used[:, 1]].sum() == pruned[0] - pruned[1] * facts.wall
            weights += 1e4 + facts.wall  # SciPy takes 0 and less for no edge
            np.fill_diagonal(weights, 0)
            other = minimum_spanning_tree(weights).sum() - 59 * (1e4 + facts.wall)
            assert other == pytest.approx(pruned[0] - pruned[1] * facts.wall, abs=0.5)


def test_the_special_city_is_the_best_leaf_of_all():
    random = np.random.default_rng(5)
    facts = metric(PLANE, 80, random)
    multipliers = np.round(random.normal(0, 30, 80))
    graph, tree = grown(facts, multipliers)
    complete.span_all(facts, multipliers, tree)
    weights = table(facts) + multipliers + multipliers[:, None]
    leaves = np.flatnonzero(tree.degree == 1)
    weight, special, to = complete.close_all(facts, graph, multipliers, tree, 80)
    assert weight == np.sort(weights[leaves], axis=1)[:, 1].max() == weights[special, to]
    assert special in leaves and complete.close_all(facts, graph, multipliers, tree, 1)[0] <= weight


def test_a_tree_of_candidates_alone_would_be_no_bound():
    facts = metric(PLANE, 60, np.random.default_rng(2))
    for each in (1, 2, 59):
        graph, tree = grown(facts, np.zeros(60), each)
        sure = complete.span_all(facts, np.zeros(60), tree)[0]
        assert (one_tree.span(graph, np.zeros(60), tree) > sure) == (each < 59)


def test_round_a_circle_and_over_a_grid_the_bound_is_the_tour():
    angle = np.arange(200) * 2 * np.pi / 200
    circle = metric(PLANE, 200, np.random.default_rng(0))._replace(
        places=1e6 * np.stack([np.cos(angle), np.sin(angle)], 1)
    )
    order = np.arange(200, dtype=np.int32)
    assert (
        held_karp(circle, near(circle, 4), order).ticks
        == length(circle, order)
        == 200 * round(2e6 * np.sin(np.pi / 200))
    )
    side = np.arange(144)
    grid = metric(PLANE, 144, np.random.default_rng(0))._replace(places=1000.0 * np.stack([side % 12, side // 12], 1))
    assert 0.99 * 144_000 <= held_karp(grid, near(grid, 4), np.arange(144, dtype=np.int32), trees=300).ticks <= 144_000


def test_the_search_ends_where_the_tour_is_proved_best():
    angle = np.arange(50) * 2 * np.pi / 50
    facts = metric(PLANE, 50, np.random.default_rng(0))._replace(
        places=1e4 * np.stack([np.cos(angle), np.sin(angle)], 1)
    )
    found = held_karp(facts, near(facts, 4), np.arange(50, dtype=np.int32), trees=500, rounds=5)
    assert found.ticks == length(facts, np.arange(50)) and found.iterations < 500


def test_poor_candidates_cost_little():
    random = np.random.default_rng(3)
    facts = metric(PLANE, 300, random)
    good, tour = near(facts, 8), random.permutation(300).astype(np.int32)
    poor = random.integers(0, 300, (300, 2)).astype(np.int32)
    best = held_karp(facts, good, tour, trees=400).ticks
    assert 0.95 * best < held_karp(facts, poor, tour, trees=400).ticks < 1.02 * best


def test_multipliers_say_again_what_they_said():
    facts = metric(PLANE, 100, np.random.default_rng(6))
    found = held_karp(facts, near(facts, 6), np.arange(100, dtype=np.int32), trees=100)
    graph, tree = grown(facts, found.multipliers)
    assert bound.certify(facts, graph, found.multipliers.copy(), tree)[0] == found.ticks


def test_multipliers_too_large_for_exact_sums_are_not_used():
    facts = metric(PLANE, 10, np.random.default_rng(7))
    assert not bound.snapped(facts, np.full(10, 1e18), 0.0).any()
    fine = bound.snapped(facts, np.full(10, 1 / 3), 1000.0)
    assert np.abs(fine - 1 / 3).max() < 1e-3 and (fine * 2**20 == np.round(fine * 2**20)).all()


def test_the_shortest_assignment_is_that_of_the_linear_programme():
    random = np.random.default_rng(8)
    matrix = random.integers(0, 1000, (9, 9)).astype(np.int32)
    inside = np.kron(np.eye(9), np.ones(9)), np.kron(np.ones(9), np.eye(9))
    most = np.where(np.eye(9), 0, 1).ravel()
    found = linprog(matrix.ravel(), A_eq=np.concatenate(inside), b_eq=np.ones(18), bounds=np.stack([0 * most, most], 1))
    assert assignment_bound(matrix) == pytest.approx(found.fun, abs=1e-6)
