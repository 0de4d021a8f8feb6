"""Pictures of tours: where cities lie, what is drawn of the trails, and that the tour is the tour."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.example import capitals
from catallax.colony.tour import Tour
from catallax.colony.tours import picture
from catallax.colony.tours.ground import ground_of
from catallax.core.scene import Edges, Points
from catallax.view.scene import draw, finer

GRID = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0)), axis=-1).reshape(-1, 2)


def parts(scene):
    """Points, trails, and the tour itself."""
    points, trails, way = scene.items
    assert isinstance(points, Points) and isinstance(trails, Edges) and isinstance(way, Edges)
    assert way.main and not trails.main
    return points, trails, way


def lengths(points, edges):
    return np.hypot(points.x[edges.start] - points.x[edges.stop], points.y[edges.start] - points.y[edges.stop])


def test_the_tour_that_is_drawn_is_as_long_as_it_is_said_to_be():
    tour = Tour(GRID)
    colony = tour.society()
    points, trails, way = parts(tour.scene(colony))
    assert lengths(points, way).sum() == pytest.approx(tour.outcome(colony).length)
    assert sorted(way.start.tolist()) == list(range(12)) == sorted(way.stop.tolist())
    assert trails.weight.max() <= 1 and trails.weight.min() > picture.SMELT * picture.FLOOR
    pairs = np.sort(np.stack([trails.start, trails.stop], axis=1), axis=1)
    assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_an_open_tour_has_one_edge_less_and_trails_end_nowhere_but_at_cities():
    tour = Tour(GRID, round_trip=False, start=0, end=11)
    points, trails, way = parts(tour.scene(tour.society()))
    assert (way.start[0], way.stop[-1], len(way.start)) == (0, 11, 11)
    assert lengths(points, way).sum() == pytest.approx(tour.outcome(tour.society()).length)
    assert trails.start.min() >= 0 and (trails.start != trails.stop).all()


def test_one_way_distances_can_be_drawn():
    matrix = np.random.default_rng(0).integers(1, 50, (12, 12))
    scene = Tour(matrix).scene(Tour(matrix).society())
    assert "scaling" in scene.title and len(parts(scene)[2].start) == 12
    draw(scene)


def test_east_is_right_north_is_up_and_a_degree_east_is_as_long_as_it_is():
    ground = ground_of(capitals())
    where, scaled = picture.layout(ground)
    at = {name: where[k] for k, name in enumerate(ground.names)}
    assert not scaled
    assert at["Lisbon"][0] < at["Paris"][0] < at["Moscow"][0] and at["Athens"][1] < at["Rome"][1] < at["Oslo"][1]
    square = ground_of([[59.5, 0.0], [60.5, 0.0], [59.5, 2.0]], kind="SPHERE")
    south, north, east = np.asarray(picture.layout(square)[0])
    assert np.hypot(*(east - south)) == pytest.approx(np.hypot(*(north - south)))  # cos 60 degrees is a half


def test_a_tour_across_the_date_line_is_drawn():
    tour = Tour([[0.0, 179.0], [0.0, -179.0], [10.0, 180.0], [5.0, 170.0]], kind="SPHERE")
    draw(tour.scene(tour.society()))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cities=st.integers(3, 30))
def test_scaling_finds_places_in_the_plane_again(seed, cities):
    places = np.random.default_rng(seed).normal(size=(cities, 2))
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    found = picture.scaling(apart)
    assert np.linalg.norm(found[:, None] - found, axis=2) == pytest.approx(apart, abs=1e-6)


def test_scaling_takes_what_is_closed_and_what_is_all_in_one_place():
    matrix = np.array([[0.0, 1.0, np.inf], [1.0, 0.0, 2.0], [np.inf, 2.0, 0.0]])
    assert np.isfinite(picture.scaling(matrix)).all()
    assert not picture.scaling(np.zeros((4, 4))).any()


def test_names_are_written_where_there_is_room_and_large_matrices_say_that_they_have_no_places(monkeypatch):
    few, many = Tour(capitals()), Tour(np.random.default_rng(0).random((61, 2)), names=map(str, range(61)))
    assert parts(few.scene(few.society()))[0].label == few.ground.names
    assert parts(many.scene(many.society()))[0].label is None
    monkeypatch.setattr(picture, "SCALED", 5)
    tour = Tour(np.random.default_rng(0).integers(1, 9, (6, 6)))
    scene = tour.scene(tour.society())
    assert "no places" in scene.title and not scene.items
    draw(scene)


def test_marks_become_finer_with_their_number_but_stay_visible():
    shares = [finer(count) for count in (0, 1, 2_000, 8_000, 10**6)]
    assert shares == [1, 1, 1, 0.5, 0.2]
