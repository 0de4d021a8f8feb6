"""What a user hands over: read, or refused in a sentence; lengths of ways."""

import networkx as nx
import numpy as np
import pytest

from catallax.colony.tours.ground import ground_of, lengths, route_length
from catallax.core.errors import BadInput

SQUARE = np.array([[0.0, 0.0], [0.0, 3.0], [4.0, 3.0], [4.0, 0.0]])


def test_ways_are_as_long_as_by_hand():
    ground = ground_of(SQUARE)
    order = np.arange(4)
    assert route_length(ground, order, opened=False) == 14
    assert route_length(ground, order, opened=True) == 10
    assert route_length(ground, np.array([0, 2, 1, 3]), opened=False) == 5 + 4 + 5 + 4
    there = ground_of(np.array([[0, 1, 9], [9, 0, 1], [1, 9, 0]]))
    assert not there.symmetric
    assert route_length(there, np.arange(3), False) == 3
    assert route_length(there, np.array([0, 2, 1]), False) == 27


def test_what_is_closed_is_infinitely_long_unless_it_was_driven_before():
    ground = ground_of(SQUARE)._replace(closed=np.array([[1, 0]]))
    assert lengths(ground, np.array([0, 1, 1]), np.array([1, 0, 2])).tolist() == [np.inf, np.inf, 4]
    assert route_length(ground, np.arange(4), False) == np.inf
    assert route_length(ground, np.arange(4), False, driven=2) == 14
    assert route_length(ground, np.arange(4), False, driven=1) == np.inf


def test_kinds_are_told_apart():
    assert ground_of(SQUARE).kind == "PLANE"
    assert ground_of(np.eye(4)).kind == "EXPLICIT"
    assert ground_of(SQUARE / 10, "SPHERE").kind == "SPHERE"
    assert ground_of([(0, 0), (1, 1), (2, 0)]).places.dtype == float
    named = ground_of(SQUARE, names="abcd")
    assert named.of("c", "start") == 2 and named.of(3, "end") == 3


def test_a_graph_is_a_matrix():
    graph = nx.Graph()
    graph.add_weighted_edges_from([("a", "b", 2.0), ("b", "c", 3.0), ("c", "a", 4.0)])
    ground = ground_of(graph)
    a, b = ground.of("a", "start"), ground.of("b", "end")
    assert lengths(ground, np.array([a]), np.array([b])) == [2] and ground.symmetric


@pytest.mark.parametrize(
    ("cities", "more", "said"),
    [
        (SQUARE[:2], {}, "there are 2 cities: a tour takes at least 3"),
        (SQUARE[:1], {}, "there is 1 city: a tour takes at least 3"),
        (np.where(SQUARE == 3, np.nan, SQUARE), {}, r"cities \[1, 1\] is nan: give finite numbers"),
        (np.where(np.eye(3), 0, -1), {}, "the distance from city 0 to 1 is -1: give numbers of at least 0"),
        (np.array([[0, 1, 2], [1, 0, np.inf], [1, 2, 0]]), {}, r"the matrix \[1, 2\] is inf: give finite numbers"),
        (np.zeros((3, 4)), {}, r"cities have the shape \[3, 4\]"),
        ([["a", "b"], ["c", "d"], ["e", "f"]], {}, "cities are no table of numbers"),
        (SQUARE, dict(kind="GALAXY"), "kind is 'GALAXY': give one of PLANE"),
        (SQUARE, dict(names=["a"]), "names has 1 entries for 4 cities"),
        (SQUARE * [100, 1], dict(kind="SPHERE"), "latitude of city 2 is 400.0: give degrees within 90 of 0"),
        (SQUARE * [1, 100], dict(kind="SPHERE"), "longitude of city 1 is 300.0: give degrees within 180 of 0"),
        (SQUARE * 2.0**28, dict(kind="EUC_2D"), "too far apart"),
    ],
)
def test_bad_input_is_a_sentence(cities, more, said):
    with pytest.raises(BadInput, match=said) as caught:
        ground_of(cities, more.get("kind"), more.get("names"))
    assert "\n" not in str(caught.value)


def test_a_city_that_is_not_there_is_named():
    ground = ground_of(SQUARE, names="abcd")
    with pytest.raises(BadInput, match="start has 'z', and there is no city of that name"):
        ground.of("z", "start")
    with pytest.raises(BadInput, match="start has 4: there are cities 0 to 3"):
        ground.of(4, "start")
    with pytest.raises(BadInput, match="start has 1.5: give the index or the name"):
        ground.of(1.5, "start")
