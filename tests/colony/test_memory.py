"""Worlds that change: what is carried over is a tour of the new world, keeps to what was driven and closed, and is no worse."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.ants import WIDTH
from catallax.colony.change import Change, changed
from catallax.colony.memory import carried, planted
from catallax.colony.solution import solve
from catallax.colony.tour import Tour
from catallax.colony.tours.chart import cities_of, labels_of
from catallax.colony.tours.ground import lengths, route_length
from catallax.colony.tours.metric import length, quick
from catallax.colony.tours.path import ORDER, PLACE, log_of, path_of
from catallax.colony.tours.young import mark, visit
from catallax.core.random import host_key
from catallax.signals.pheromone import FLOOR

CITIES = 12  # of the tours that change


def draw_tour(data, cities: int = CITIES) -> Tour:
    """A round trip or an open tour, perhaps with an end, in the plane or one way."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    way = dict(round_trip=data.draw(st.booleans()))
    if not way["round_trip"] and data.draw(st.booleans()):
        way["end"] = cities - 1
    if data.draw(st.booleans()):
        way["driven"] = rng.permutation(cities - 1)[: data.draw(st.integers(1, 3))].tolist()
    if data.draw(st.sampled_from(["plane", "plane", "one way"])) == "plane":
        return Tour(rng.integers(0, 30, (cities, 2)), ants=5, **way)
    return Tour(rng.integers(1, 99, (cities, cities)), ants=5, **way)


def draw_change(data, tour: Tour) -> Change:
    """Cities go, come, move; ways are closed; the tour is driven further."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    ground, plan = tour.ground, tour.facts.plan
    order = rng.permutation([c for c in range(ground.cities) if c not in (*plan.driven, plan.end)]).tolist()
    driven = [*plan.driven, *order[: data.draw(st.integers(0, 2))]]
    free = [c for c in order if c not in driven]
    gone = free[: data.draw(st.integers(0, 3))]
    close = [rng.permutation(ground.cities)[:2].tolist() for _ in range(data.draw(st.integers(0, 3)))]
    new = data.draw(st.integers(0, 3))
    if ground.places is None:
        left = ground.cities - len(gone) + new
        matrix = rng.integers(1, 99, (left, left)) if new else None
        return Change(new, gone, None, close, driven, None, matrix)
    move = {c: rng.integers(0, 30, 2) for c in free[3 : 3 + data.draw(st.integers(0, 2))]}
    return Change(rng.integers(0, 30, (new, 2)), gone, move, close, driven)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_carried_is_a_tour_of_the_changed_world(data):
    tour = draw_tour(data)
    colony = tour.society().advance(0, 3, 0)[0]
    change = draw_change(data, tour)
    after = changed(tour, change)
    later = carried(after, tour, colony)
    for way in (later.best, later.signal.way):
        order = cities_of(after.tour.chart, way.order)
        assert sorted(order.tolist()) == list(range(after.tour.ground.cities))
        plan = after.tour.facts.plan
        assert tuple(order[: len(plan.driven)].tolist()) == plan.driven
        assert plan.end < 0 or order[-1] == plan.end
        assert length(after.tour.chart.metric, way.order) == way.ticks
    moved_on = later.advance(0, 2, 1)[0]
    assert moved_on.best.ticks <= later.best.ticks


def shortest(tour: Tour) -> float:
    """By trying all orders."""
    plan, cities = tour.facts.plan, tour.ground.cities
    first = plan.driven or (() if plan.opened else (0,))
    last = () if plan.end < 0 else (plan.end,)
    free = [c for c in range(cities) if c not in first + last]
    ways = (np.array(first + way + last) for way in itertools.permutations(free))
    return min(route_length(tour.ground, way, plan.opened, len(plan.driven)) for way in ways)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_small_worlds_are_solved_again_whatever_is_closed(data):
    tour = draw_tour(data, 7)
    solution = solve(tour.ground, rounds=1, ants=3, **tour.route)
    change = draw_change(data, tour)
    if tour.ground.cities - len(list(change.remove)) < 4:
        return
    given = {name: getattr(change, name) for name in ("add", "remove", "move", "close", "driven", "matrix")}
    later = solution.update(**given, rounds=1)
    if later.tour.ground.cities <= 7:
        best = shortest(later.tour)
        assert later.length == pytest.approx(best, rel=1e-6)
        assert np.isfinite(best) or later.notes


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
@settings(max_examples=10, deadline=None)
def test_nothing_changed_makes_nothing_worse(seed, plane, opened):
    rng = np.random.default_rng(seed)
    cities = rng.random((40, 2)) if plane else rng.integers(1, 1000, (40, 40))
    before = solve(cities, rounds=5, ants=10, round_trip=not opened)
    after = before.update(rounds=3)
    assert after.length <= before.length * (1 + 1e-7)  # ticks are whole
    assert after.length == pytest.approx(route_length(after.tour.ground, after.order, opened), rel=1e-12)


def test_trails_stay_on_edges_that_stay_and_new_ones_smell_of_nothing():
    rng = np.random.default_rng(1)
    tour = Tour(rng.random((60, 2)), ants=20)
    colony = tour.society().advance(0, 20, 0)[0]
    after = changed(tour, Change(add=[[0.5, 0.5]], remove=[7, 20], move={3: [0.1, 0.9]}))
    later = carried(after, tour, colony)
    level, near, was = later.signal.level, after.tour.chart.near[..., 0], after.was
    old = {}
    for label, row in enumerate(tour.chart.near[..., 0]):
        for slot, other in enumerate(row):
            if other != label:
                old[tour.chart.city[label], tour.chart.city[other]] = colony.signal.level[label, slot]
    kept = 0
    for label, row in enumerate(near):
        for slot, other in enumerate(row):
            edge = was[after.tour.chart.city[label]], was[after.tour.chart.city[other]]
            assert level[label, slot] == old.get(edge, np.float32(FLOOR))
            kept += edge in old
    assert kept > 0.7 * near.size
    new = int(np.flatnonzero(after.tour.chart.city == 58)[0])
    assert (level[new] == np.float32(FLOOR)).all()
    assert (later.agents.merit == colony.agents.merit).all()
    assert later.changes == colony.changes


def test_cities_are_planted_where_they_cost_least():
    side = np.arange(10.0)
    square = np.concatenate([np.stack([side, 0 * side], 1), np.stack([9 - side, 0 * side + 9], 1)])
    tour = Tour(np.concatenate([square, [[4.5, 0.1], [4.5, 8.9]]]))
    way = planted(tour.chart, np.arange(20))
    order = cities_of(tour.chart, way).tolist()
    assert {order[order.index(20) - 1], order[order.index(20) + 1]} == {4, 5}
    assert {order[order.index(21) - 1], order[order.index(21) + 1]} == {14, 15}


def test_a_cluster_out_of_sight_of_all_others_is_planted_too():
    rng = np.random.default_rng(3)
    near, far = rng.random((30, 2)), rng.random((40, 2)) + 1000
    tour = Tour(np.concatenate([near, far]), candidates=5)
    way = planted(tour.chart, np.arange(30))
    assert sorted(way.tolist()) == list(range(70))
    everything = planted(tour.chart, np.zeros(0, np.int64))
    assert sorted(everything.tolist()) == list(range(70))


def test_labels_go_there_and_back():
    tour = Tour(np.random.default_rng(0).random((20, 2)), round_trip=False, start=3, end=5)
    order = np.concatenate([[3], [c for c in range(20) if c not in (3, 5)], [5]])
    assert (cities_of(tour.chart, labels_of(tour.chart, order)) == order).all()


def test_a_closed_edge_is_left_and_stays_closed():
    before = solve(np.random.default_rng(4).random((50, 2)), rounds=5, ants=20)
    a, b = before.order[3:5].tolist()
    after = before.update(close=[(a, b)], rounds=5).update(remove=[c for c in (0,) if c not in (a, b)], rounds=5)
    ground, order = after.tour.ground, after.order
    assert len(ground.closed) == 1
    assert np.isfinite(lengths(ground, order, np.roll(order, -1))).all()


def test_a_tour_that_a_change_has_spoilt_is_begun_afresh():
    rng = np.random.default_rng(6)
    places = rng.random((80, 2))
    tour = Tour(places, ants=5)
    colony = tour.society()
    move = dict(zip(range(80), rng.random((80, 2)), strict=True))
    after = changed(tour, Change(move=move))
    assert carried(after, tour, colony).best.ticks <= after.tour.facts.first.ticks


# --- ants after a change ---


def marked(chart, order, level) -> list[int]:
    """The sites of a way."""
    sites = np.empty(len(order), np.int32)
    return sites[: mark(quick(chart.metric), chart.near, order, level, sites)].tolist()


@pytest.mark.parametrize("closed", [(), [(0, 1)]])
def test_sites_are_where_the_way_is_young_or_long(closed):
    rng = np.random.default_rng(8)
    tour = Tour(np.concatenate([rng.random((30, 2)), rng.random((30, 2)) + [50, 0]]), closed=closed)
    chart, order = tour.chart, tour.facts.first.order
    level = np.ones(chart.near.shape[:2], np.float32)
    a, b = int(order[5]), int(order[6])
    for one, other in ((a, b), (b, a)):
        level[one][chart.near[one, :, 0] == other] = 0.4
    ends = cities_of(chart, order)
    step = lengths(tour.ground, ends, np.roll(ends, -1))
    far = step > 2 * step[np.isfinite(step)].mean()
    label = np.argsort(chart.city)
    expected = {a, b, *label[ends[far]].tolist(), *label[np.roll(ends, -1)[far]].tolist()}
    assert marked(chart, order, level) == sorted(expected)


@given(st.integers(0, 10**6), st.sampled_from([dict(), dict(round_trip=False), dict(driven=[3, 4, 5])]))
@settings(max_examples=20, deadline=None)
def test_visits_keep_a_way_a_way_and_count_every_tick(seed, kind):
    rng = np.random.default_rng(seed)
    chart = Tour(rng.integers(0, 20, (30, 2)), **kind).chart
    n = len(chart.city)
    metric, path = (
        quick(chart.metric),
        path_of(np.concatenate([[0], 1 + rng.permutation(n - 2), [n - 1]])),
    )  # keeps ties
    log, sites = log_of(path), np.unique(rng.integers(0, n, 20)).astype(np.int32)
    begin, merit = length(chart.metric, path[ORDER]), np.zeros(10)
    crew = np.arange(10, dtype=np.uint32), merit
    gained = visit(metric, chart.near, path, log, sites, crew, host_key(seed, 0), 0.0, WIDTH)
    assert sorted(path[ORDER].tolist()) == list(range(n))
    assert chart.metric.tie < 0 or (path[PLACE, 0] - path[PLACE, n - 1]) % n in (1, n - 1)
    assert length(chart.metric, path[ORDER]) == begin + gained
    assert gained <= 0 and merit.sum() == -gained
