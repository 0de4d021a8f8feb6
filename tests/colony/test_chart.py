"""From cities to labels and back, for every kind of tour: the same cities, ends and lengths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.tours.chart import Plan, chart_of, cities_of, driven_length, labels_of
from catallax.colony.tours.ground import ground_of, route_length
from catallax.colony.tours.metric import length

SEEDS = st.integers(0, 2**32)


def world(seed):
    """A ground, a plan, and an order that keeps to it: all kinds of both."""
    random = np.random.default_rng(seed)
    n = int(random.integers(4, 10))
    order = random.permutation(n)
    whole = np.triu(random.integers(1, 99, (n, n)), 1)
    ground = ground_of([random.random((n, 2)), whole + whole.T, random.integers(1, 99, (n, n))][random.integers(3)])
    opened, driven = bool(random.integers(2)), tuple(order[: random.integers(0, n - 1)].tolist())
    return ground, Plan(opened, driven, int(order[-1]) if opened and random.integers(2) else -1), order


@given(SEEDS)
@settings(max_examples=150)
def test_there_and_back(seed):
    ground, plan, order = world(seed)
    chart = chart_of(ground, plan, 4)
    labels = labels_of(chart, order)
    assert sorted(labels.tolist()) == list(range(len(chart.city)))
    for same in (labels, np.roll(labels, 3), labels[::-1].copy()):
        back = cities_of(chart, same)
        assert sorted(back.tolist()) == list(range(ground.cities))
        assert tuple(back[: len(plan.driven)]) == plan.driven
        assert plan.end < 0 or back[-1] == plan.end
        whole = [route_length(ground, x, plan.opened) for x in (back, order)]
        assert whole[0] == pytest.approx(whole[1], rel=1e-12)


@given(SEEDS)
@settings(max_examples=100)
def test_ticks_of_labels_are_the_length_of_what_is_left(seed):
    ground, plan, order = world(seed)
    chart = chart_of(ground, plan, 4)
    ticks = length(chart.metric, labels_of(chart, order)) + chart.walls * chart.metric.wall
    left = route_length(ground, order, plan.opened) - driven_length(ground, plan)
    assert ticks / chart.metric.scale == pytest.approx(left, abs=len(order) / chart.metric.scale + 1e-9)


def test_a_closed_tour_begins_at_city_0_and_its_smaller_neighbour():
    chart = chart_of(ground_of(np.random.default_rng(0).random((6, 2))), Plan(), 3)
    assert cities_of(chart, labels_of(chart, [3, 1, 0, 5, 2, 4])).tolist() == [0, 1, 3, 4, 2, 5]
    one_way = chart_of(ground_of(np.random.default_rng(0).random((4, 4))), Plan(), 3)
    assert cities_of(one_way, labels_of(one_way, [3, 2, 0, 1])).tolist() == [0, 1, 3, 2]


def test_what_lies_within_the_driven_part_is_out_of_the_search():
    ground = ground_of(np.random.default_rng(0).random((9, 2)))
    assert len(chart_of(ground, Plan(driven=(4, 2, 7, 1)), 3).city) == 7
    assert len(chart_of(ground, Plan(opened=True, driven=(4, 2, 7, 1)), 3).city) == 7  # 6 and nowhere
    assert len(chart_of(ground, Plan(opened=True, driven=(4, 2, 7, 1), end=0), 3).city) == 6
    one_way = ground_of(np.random.default_rng(0).random((9, 9)))
    assert len(chart_of(one_way, Plan(driven=(4, 2, 7, 1)), 3).city) == 2 * 6
