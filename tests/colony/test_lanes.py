"""Two crews at once: the tour stays a tour, its length is kept to the tick, and it depends on the seed alone."""

import dataclasses

import numpy as np
import pytest

from catallax.colony import Tour
from catallax.colony.tours import lanes
from catallax.colony.tours.metric import length, quick


@pytest.fixture(scope="module")
def shared():
    """A tour long enough for two crews, and what two rounds make of it."""
    tour = Tour(np.random.default_rng(3).random((1200, 2)), threads=2, ants=40)
    return tour, tour.society().paced(4, None)


def test_the_way_stays_a_tour_of_the_length_that_is_kept(shared):
    tour, colony = shared
    after, _ = colony.advance(0, 2, 7)
    way = after.signal.way
    np.testing.assert_array_equal(np.sort(way.order), np.arange(1200))
    assert way.ticks == length(quick(tour.chart.metric), way.order)
    assert after.best.ticks <= colony.best.ticks and np.any(way.order != colony.signal.way.order)


def test_the_same_seed_gives_the_same_tour_whichever_crew_is_done_first(shared):
    _, colony = shared
    one, other = (colony.advance(0, 2, 7)[0].signal.way.order for _ in range(2))
    np.testing.assert_array_equal(one, other)
    alone = dataclasses.replace(colony, threads=1).advance(0, 2, 7)[0].signal.way.order
    assert np.any(alone != one)


def test_what_a_piece_could_not_keep_is_not_shared(shared):
    metric = shared[0].chart.metric
    assert lanes.divides(metric, 2) and not lanes.divides(metric, 1) and not lanes.divides(metric, 3)
    for odd in (dict(tie=1199), dict(nowhere=5), dict(closed=np.array([7]))):
        assert not lanes.divides(metric._replace(**odd), 2)
