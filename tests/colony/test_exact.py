"""Exact tours against all permutations and closed forms, and solvers where they are installed."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.tours import exact
from catallax.colony.tours.metric import MATRIX, ONE_WAY, PLANE, Metric, length
from catallax.core.errors import Refused


def metric(kind, places=None, matrix=None, **upon):
    """A metric of that kind, with what comes upon it."""
    places = np.zeros((0, 2)) if places is None else np.asarray(places, float)
    matrix = np.zeros((0, 0), np.int32) if matrix is None else np.asarray(matrix, np.int32)
    cities = 2 * len(matrix) if kind == ONE_WAY else max(len(places), len(matrix))
    closed = np.array(upon.pop("closed", []), np.int64)
    given = dict(plain=False, scale=1.0, cities=cities, tie=-1, nowhere=-1, closed=closed, wall=2**36) | upon
    return Metric(kind=kind, places=places, matrix=matrix, **given)


def by_hand(facts):
    """The shortest of all tours, one by one."""
    if facts.kind != ONE_WAY:
        return min(length(facts, np.array((0, *rest))) for rest in itertools.permutations(range(1, facts.cities)))
    n = len(facts.matrix)
    tours = [np.array((0, *rest)) for rest in itertools.permutations(range(1, n))]
    return min(facts.matrix[tour, np.roll(tour, -1)].sum() for tour in tours) - n * facts.wall


@given(st.integers(0, 2**32), st.integers(3, 7), st.sampled_from(["plain", "tie", "nowhere", "closed"]))
@settings(max_examples=25)
def test_dynamic_programming_is_the_best_of_all_permutations(seed, cities, upon):
    random = np.random.default_rng(seed)
    matrix = np.triu(random.integers(0, 50, (cities, cities)), 1)
    more = {"tie": dict(tie=cities - 1), "nowhere": dict(nowhere=cities - 1), "closed": dict(closed=[1])}
    facts = metric(MATRIX, matrix=matrix + matrix.T, **more.get(upon, {}))
    order = exact.dynamic(facts)
    assert sorted(order) == list(range(cities)) and length(facts, order) == by_hand(facts)


@given(st.integers(0, 2**32), st.integers(2, 7))
@settings(max_examples=15)
def test_one_way_tours_too(seed, cities):
    matrix = np.random.default_rng(seed).integers(0, 50, (cities, cities))
    facts = metric(ONE_WAY, matrix=matrix)
    order = exact.dynamic(facts)
    assert sorted(order) == list(range(2 * cities)) and length(facts, order) == by_hand(facts)


def test_the_shortest_way_round_a_circle_is_round_it():
    angle = np.random.default_rng(0).permutation(15) * 2 * np.pi / 15
    facts = metric(PLANE, places=1e6 * np.stack([np.cos(angle), np.sin(angle)], 1))
    side = round(2e6 * np.sin(np.pi / 15))
    assert length(facts, exact.dynamic(facts)) == 15 * side


def test_many_cities_are_refused():
    with pytest.raises(Refused, match="20 cities are the most, and here are 21"):
        exact.dynamic(metric(PLANE, places=np.zeros((21, 2))))


def test_a_solver_is_told_whole_numbers_that_it_can_add_up():
    matrix = np.array([[0, 7, 2**28, 5], [7, 0, 9, 4], [2**28, 9, 0, 8], [5, 4, 8, 0]])
    facts = metric(MATRIX, matrix=matrix, tie=3, closed=[1])
    costs = exact.told(facts, exact.ticks_between(facts))
    far = exact.APART * (exact.LONGEST + 1)
    assert costs[0, 3] == costs[3, 0] == 0 and costs[0, 1] == far and costs[0, 2] == far + exact.LONGEST
    assert (costs.diagonal() == 0).all() and costs.max() < 2**31 / 2 / 100


def test_without_a_solver_there_is_no_plan(monkeypatch):
    monkeypatch.setattr(exact, "find_spec", lambda name: None)
    facts = metric(PLANE, places=np.random.default_rng(0).random((5, 2)) * 100)
    assert exact.installed_planner() is None and exact.planned(facts, 1.0) is None


@pytest.mark.parametrize("solver", ["elkai", "ortools"])
def test_solvers_find_what_is_shortest_among_few(solver, monkeypatch):
    pytest.importorskip(solver)
    monkeypatch.setattr(exact, "find_spec", lambda name: name == solver or None)
    random = np.random.default_rng(1)
    places, matrix = random.random((12, 2)) * 1e8, random.integers(0, 1000, (12, 12))
    for facts in (
        metric(PLANE, places=places),
        metric(PLANE, places=places, tie=11),
        metric(PLANE, places=places, nowhere=11, closed=[1]),
        metric(ONE_WAY, matrix=matrix),
    ):
        order = exact.planned(facts, 1.0)
        assert length(facts, order) == length(facts, exact.dynamic(facts))
