"""Ants by three laws: what they do with what they smell, one by one, against plain computations; and the colony's rounds."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.ants import WIDTH, Builders, Maker, mended, tours_a_second
from catallax.colony.tour import Tour
from catallax.colony.tours.contend import contend
from catallax.colony.tours.faint import work
from catallax.colony.tours.focused import ways as focused
from catallax.colony.tours.max_min import turn_of_the_best
from catallax.colony.tours.max_min import ways as max_min
from catallax.colony.tours.metric import length, quick
from catallax.colony.tours.path import ORDER, log_of, path_of
from catallax.colony.tours.roulette import choose, weights
from catallax.core.agent import View
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.random import host_key
from catallax.core.run import run
from catallax.signals.pheromone import FLOOR, Heard, Way, edges

KEY, IDS = host_key(3, 5), np.arange(12, dtype=np.uint32)
BARE = (0, 0, 0)


def tour(n=30, seed=0, **settings):
    """Cities at random."""
    return Tour(np.random.default_rng(seed).random((n, 2)), **settings)


def one_way(n=9, **settings):
    """One-way distances at random."""
    return Tour(np.random.default_rng(1).integers(1, 99, (n, n)), **settings)


PLANS = {
    "closed": tour(),
    "open": tour(round_trip=False),
    "ends": tour(round_trip=False, start=3, end=8),
    "driven": tour(driven=(4, 2, 7)),
    "shut": tour(closed=[(0, 1), (2, 3)]),
    "one way": one_way(),
    "one way, open": one_way(round_trip=False, start=2),
}


def rough(n=40, seed=2, **settings):
    """A colony that begins with a bad way."""
    tour_ = tour(n, seed, **settings)
    order = np.random.default_rng(seed).permutation(n).astype(np.int32)
    return tour_.begun(Way(order, np.int64(length(tour_.chart.metric, order))))


def even(chart):
    """Trails at their most everywhere."""
    return np.ones(chart.near.shape[:2], np.float32)


def wandering(chart, seed=0):
    """Trails drawn at random."""
    return np.random.default_rng(seed).uniform(FLOOR, 1, chart.near.shape[:2]).astype(np.float32)


def check(chart, orders, ticks):
    """Every way goes through all labels, is as long as it says, and keeps ties."""
    metric, n = chart.metric, len(chart.city)
    for order, told in zip(orders, ticks, strict=True):
        assert sorted(order.tolist()) == list(range(n))
        assert length(metric, order) == told
        assert told + chart.walls * metric.wall < metric.wall  # all ties, and nothing that is closed


# --- choosing ---


@given(st.integers(0, 2**32), st.data())
@settings(max_examples=20)
def test_a_candidate_is_chosen_by_trail_and_nearness(seed, data):
    chart = PLANS["closed"].chart
    level, city = wandering(chart, seed), data.draw(st.integers(0, 29))
    been = np.full(30, -1)
    been[data.draw(st.lists(st.sampled_from(chart.near[city, :, 0].tolist()), max_size=5))] = 7
    draws = (np.arange(2000) + 0.5) / 2000
    weight = weights(chart, level, 2.0)
    chosen = [int(choose(chart.near, weight, been, 7, city, draw)) for draw in draws]
    free = been[chart.near[city, :, 0]] != 7
    chance = np.where(free, level[city] * (1.0 / chart.near[city, :, 1]) ** 2, 0.0)
    share = np.array([chosen.count(int(other)) for other in chart.near[city, :, 0]]) / 2000
    assert np.allclose(share, chance / chance.sum(), atol=1.5e-3)


def test_who_has_been_everywhere_chooses_nothing_and_the_end_of_the_draw_is_guarded():
    chart = PLANS["closed"].chart
    weight, been = weights(chart, even(chart), 2.0), np.full(30, 7)
    assert choose(chart.near, weight, been, 7, 0, 0.5) == -1
    last = int(chart.near[0, 7, 0])
    been[last] = 0
    assert choose(chart.near, weight, been, 7, 0, 1.0) == last
    assert choose(chart.near, weight * 0, been, 7, 0, 0.5) == last


def test_weights_hold_where_ticks_are_none_or_very_many():
    chart = tour().chart._replace()
    near = chart.near.copy()
    near[0, 0, 1], near[0, 1:, 1] = 0, 2**30
    near[1, 3:] = 1, 2**31 - 1
    weight = weights(chart._replace(near=near), even(chart), 2.0)
    assert weight[0, 0] == 1 and 0 < weight[0, 1] < 1e-17 and (weight[1, 3:] == 0).all()


# --- ways of one's own ---


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("width", [BARE, WIDTH])
def test_max_min_ways_are_tours(plan, width):
    chart = PLANS[plan].chart
    orders, ticks = max_min(chart, wandering(chart), None, IDS, KEY, width)
    check(chart, orders, ticks) if plan != "shut" else None
    assert len({tuple(order) for order in orders.tolist()}) > 3 or width != BARE


def test_mending_shortens_what_was_built():
    chart = PLANS["closed"].chart
    bare, mended_ = (max_min(chart, even(chart), None, IDS, KEY, width)[1] for width in (BARE, WIDTH))
    assert (mended_ <= bare).all() and (mended_ < bare).any()


def test_an_ant_on_a_sure_trail_walks_it():
    tour_ = PLANS["closed"]
    signal = tour_.society().signal
    strong = np.where(signal.level == 1, 1, 1e-12).astype(np.float32)
    orders, _ = max_min(tour_.chart, strong, None, IDS, KEY, BARE)
    shares = [np.isin(edges(order), edges(signal.way.order)).mean() for order in orders]
    assert np.median(shares) > 0.8
    blind, _ = max_min(tour_.chart, even(tour_.chart), None, IDS, KEY, BARE)
    assert np.mean(shares) > 0.2 + np.mean([np.isin(edges(x), edges(signal.way.order)).mean() for x in blind])


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("width", [BARE, WIDTH])
def test_focused_ways_are_tours_a_few_edges_from_their_source(plan, width):
    tour_ = PLANS[plan]
    source = tour_.facts.first.order
    orders, ticks = focused(tour_.chart, wandering(tour_.chart), source, IDS, KEY, width)
    check(tour_.chart, orders, ticks)
    new = [int((~np.isin(edges(order), edges(source))).sum()) for order in orders]
    assert width != BARE or 0 < max(new) <= 3 * 8  # eight changes of at most three edges


@pytest.mark.parametrize("law", ["max-min", "focused"])
def test_ants_in_another_order_do_the_same(law):
    colony = tour(law=law, ants=6).society()
    view, order = View(Heard(wandering(colony.chart), colony.best.order)), np.array([4, 2, 0, 5, 3, 1])
    agents = Builders(colony.agents.who, colony.agents.merit, Maker(colony.chart, law))
    _, one = agents.respond_all(view, KEY)
    _, other = Builders(agents.who[order], agents.merit, agents.maker).respond_all(view, KEY)
    assert np.array_equal(one.order[order], other.order) and np.array_equal(one.ticks[order], other.ticks)


# --- one way in turn ---


def test_all_changes_of_a_round_are_in_the_ticks_and_in_the_merits():
    colony = tour(60, ants=40).society()
    path = path_of(colony.best.order)
    merit = np.zeros(40)
    crew = (np.arange(40, dtype=np.uint32), colony.agents.reach, merit)
    facts = quick(colony.chart.metric), colony.chart.near, path, log_of(path), colony.signal.level
    gained = work(*facts, crew, KEY, colony.heat, WIDTH, 2)
    assert length(colony.chart.metric, path[ORDER]) - colony.best.ticks == gained == -merit.sum()


def test_of_those_who_contend_the_best_survives():
    metric, chart = quick(tour(60, 4).chart.metric), tour(60, 4).chart
    start = mended(chart, np.random.default_rng(2).permutation(60).astype(np.int32), width=(2, 1, 10)).order
    reach, level = np.full(20, 50), even(chart)

    def alone(ants):
        path, merit = path_of(start), np.zeros(len(ants))
        crew = (np.array(ants, np.uint32), reach[: len(ants)], merit)
        gained = int(contend(metric, chart.near, path, log_of(path), level, crew, KEY, WIDTH))
        assert length(metric, path[ORDER]) - length(metric, start) == gained == -merit.sum()
        return gained, path[ORDER].copy()

    found = [alone([ant]) for ant in range(20)]
    best = min(gained for gained, _ in found)
    together = alone(list(range(20)))
    assert best < 0 and together[0] == best
    assert any(np.array_equal(together[1], order) for gained, order in found if gained == best)


def test_ants_of_law_faint_cannot_be_asked_at_once():
    colony = tour(ants=3).society()
    with pytest.raises(Refused, match="change one way in turn"):
        colony.agents.respond_all(View(colony.signal.public()), KEY)


# --- rounds ---


def test_it_cools_as_rounds_or_seconds_run_out():
    colony = tour(ants=3).society()
    assert colony.warmth(10) == 1.0
    assert [colony.paced(4, None).warmth(t) for t in range(6)] == [1, 0.75, 0.5, 0.25, 0, 0]
    assert colony.paced(2**31 - 1, 1e-9).warmth(0) == 0


def test_unrest_is_said_when_time_is_up():
    colony = tour(ants=20).society().paced(50, None)
    half, unrest = colony.advance(0, 25, 0)
    assert unrest == 1.0
    assert half.advance(25, 50, 0)[1] < 0.2


@pytest.mark.parametrize("law", ["faint", "max-min", "focused"])
def test_controls_do_what_they_say(law):
    ended = {}
    for trails in ("on", "off", "frozen", "random"):
        colony = rough(law=law, trails=trails, ants=6)
        ended[trails] = run(colony, 4, 1).society
        if trails != "on":
            assert np.array_equal(ended[trails].signal.level, colony.signal.level)
        else:
            assert not np.array_equal(ended[trails].signal.level, colony.signal.level)
        if trails == "off":  # whatever lies there
            other = dataclasses.replace(colony.signal, level=wandering(colony.chart))
            same = run(dataclasses.replace(colony, signal=other), 4, 1).society
            assert np.array_equal(same.signal.way.order, ended["off"].signal.way.order)
    assert len({tuple(colony.signal.way.order.tolist()) for colony in ended.values()}) > 1


@pytest.mark.parametrize("law", ["faint", "max-min", "focused"])
def test_few_bits_are_what_ants_smell(law):
    colony = tour(40, 2, law=law, ants=6).society()
    level = wandering(colony.chart)
    through = colony.through(Channel(bits=3))
    smelt = dataclasses.replace(through, signal=dataclasses.replace(through.signal, level=level)).smelt(level, KEY)
    assert len(np.unique(smelt)) == 8
    assert colony.smelt(level, KEY) is level
    for spoilt in (Channel(noise=0.1), Channel(delay=1), Channel(loss=0.5)):
        with pytest.raises(Refused, match="cut to bits"):
            colony.through(spoilt)


def test_max_min_treads_the_best_more_and_more_often():
    turns = [t for t in range(400) if turn_of_the_best(t)]
    assert [sum(a <= t < b for t in turns) for a, b in ((0, 25), (25, 75), (75, 126), (250, 400))] == [1, 10, 17, 150]


def test_merit_is_who_found_the_shortest():
    colony = run(tour(40, 2, law="max-min", ants=6).society(), 5, 1).society
    assert colony.agents.merit.sum() == 5 and colony.agents.influence().sum() == pytest.approx(1)
    assert colony.changes == 30
    faint = run(tour(40, 2, ants=6).society(), 5, 1).society
    assert (faint.agents.influence() >= 0).all() and faint.agents.influence().sum() <= 1 + 1e-12


def test_tours_a_second_counts_tours():
    assert tours_a_second(PLANS["closed"].chart, 40) > 40
