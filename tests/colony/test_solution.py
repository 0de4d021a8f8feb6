"""The door: cities in, a tour and its certificate out, budgets, notes, graphs, and sentences for what is no change."""

import networkx as nx
import numpy as np
import pytest

from catallax.colony.solution import Change, Solution, solve
from catallax.colony.tours.ground import route_length
from catallax.core.errors import BadInput
from catallax.core.outcome import Status

PLACES = np.random.default_rng(0).random((60, 2))
NAMES = [f"city {k}" for k in range(60)]


@pytest.fixture(scope="module")
def answer() -> Solution:
    return solve(PLACES, rounds=10, names=NAMES)


def test_a_solution_is_a_tour_with_a_certificate(answer):
    assert sorted(answer.order.tolist()) == list(range(60))
    assert answer.length == pytest.approx(route_length(answer.tour.ground, answer.order, False), rel=1e-12)
    assert 0 < answer.bound <= answer.length
    assert answer.gap == pytest.approx(answer.length / answer.bound - 1)
    assert answer.gap < 0.05
    assert answer.rounds == 10 and answer.changes == 10 * 100
    assert answer.names[0] == NAMES[answer.order[0]]
    assert (np.diff(answer.history[:, 1]) <= 0).all()
    assert answer.notes == ()


def test_rounds_give_the_same_tour_bit_for_bit_and_updates_too(answer):
    again = solve(PLACES, rounds=10, names=NAMES)
    assert (again.order == answer.order).all()
    change = dict(remove=["city 3"], add=[[0.5, 0.5]], rounds=5, seed=7)
    assert (again.update(**change).order == answer.update(**change).order).all()


def test_a_square_is_gone_round_and_a_new_city_lies_on_the_way():
    square = solve([[0.0, 0.0], [0.0, 2.0], [2.0, 2.0], [2.0, 0.0], [1.0, 2.5]], rounds=1, ants=2)
    assert square.length == pytest.approx(6 + 2 * np.sqrt(1.25))
    assert square.update(remove=[4], rounds=1).length == 8
    longer = square.update(remove=[4], add=[[1.0, 0.0]], rounds=1)
    assert longer.length == 8 and longer.tour.ground.cities == 5


def test_names_follow_their_cities(answer):
    later = answer.update(remove=["city 0", 5], add=[[0.1, 0.1], [0.2, 0.9]], names=["a", "b"], rounds=2)
    assert set(later.names) == set(NAMES) - {"city 0", "city 5"} | {"a", "b"}
    unnamed = answer.update(add=[[0.1, 0.1]], rounds=1).update(add=[[0.2, 0.2]], rounds=1)
    assert {"new 1", "new 2"} < set(unnamed.names)
    place = {name: later.tour.ground.places[k] for k, name in enumerate(later.tour.ground.names)}
    assert (place["city 17"] == PLACES[17]).all() and (place["b"] == [0.2, 0.9]).all()


def test_what_is_driven_stays_driven(answer):
    first = answer.names[:10]
    later = answer.update(driven=first, remove=[answer.names[20]], rounds=3)
    assert later.names[:10] == first
    further = later.update(driven=later.names[:15], close=[later.names[12:14]], rounds=3)
    assert further.names[:15] == later.names[:15]
    assert np.isfinite(further.length)  # the past does not become impossible
    assert further.update(add=[[0.3, 0.3]], rounds=1).names[:15] == later.names[:15]


def test_a_vehicle_that_ends_elsewhere_ends_anywhere_once_that_is_gone():
    way = solve(PLACES, rounds=3, round_trip=False, start=0, end=9)
    assert way.order[0] == 0 and way.order[-1] == 9
    later = way.update(remove=[9], rounds=3)
    assert later.notes == ("the given end was removed: the tour now ends anywhere",)
    assert later.length <= way.length


def test_distances_one_way_change_with_their_matrix():
    rng = np.random.default_rng(5)
    matrix = rng.integers(1, 1000, (40, 40))
    before = solve(matrix, rounds=5)
    fewer = before.update(remove=[0, 1], rounds=5)
    assert fewer.length == matrix[2:, 2:][fewer.order, np.roll(fewer.order, -1)].sum()
    larger = rng.integers(1, 1000, (41, 41))
    more = fewer.update(add=3, matrix=larger, rounds=5)
    assert more.length == larger[more.order, np.roll(more.order, -1)].sum()


def test_where_everything_is_closed_the_length_is_infinite_and_said_to_be():
    pairs = [(0, other) for other in range(1, 60)]
    stuck = solve(PLACES, rounds=2).update(close=pairs, rounds=2)
    assert np.isinf(stuck.length)
    assert stuck.notes == ("no tour without a closed edge was found: the length is infinite",)


def test_the_world_changes_while_the_colony_works():
    changes = [Change(remove=[0, 1]), Change(add=[[0.5, 0.5]])]
    frames = []

    def look(frame):
        frames.append(frame)
        return changes.pop(0) if len(frames) in (2, 4) else False

    found = solve(PLACES, 0.3, look=look)
    assert found.tour.ground.cities == 59 and not changes
    assert sorted(found.order.tolist()) == list(range(59))
    assert found.changes == 100 * found.rounds
    assert found.status is Status.STOPPED
    assert (np.diff(found.history[:, 0]) >= 0).all()


def test_seconds_hold_for_a_search_and_for_an_update(answer):
    answer.update(rounds=1)  # compiled
    assert 0.05 <= answer.update(remove=[4], seconds=0.05).seconds < 0.5
    assert answer.update(look=lambda frame: frame.round >= 3, seconds=60.0).seconds < 30


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(remove=["Atlantis"]), "remove has 'Atlantis', and there is no city of that name"),
        (dict(remove=[60]), "remove has 60: there are cities 0 to 59"),
        (dict(remove="city 1"), "remove is 'city 1': give a list of cities"),
        (dict(remove=range(58)), "there are 2 cities: a tour takes at least 3"),
        (dict(add=[[1.0, 2.0, 3.0]]), r"add has the shape \[1, 3\]: give coordinates"),
        (dict(add=[1.0, 2.0]), r"add has the shape \[2\]: give coordinates"),
        (dict(add=[[1.0, float("nan")]]), r"add \[0, 1\] is nan: give finite coordinates"),
        (dict(add="north"), "add has 'north', which is no table of numbers"),
        (dict(move={3: [1.0]}), r"move has the shape \[1\]: give two coordinates"),
        (dict(move={3: [1.0, float("inf")]}), r"move \[1\] is inf: give finite coordinates"),
        (dict(move={"Atlantis": [1.0, 1.0]}), "move has 'Atlantis'"),
        (dict(move={3: [1.0, 1.0]}, remove=[3]), "move has 'city 3', which is removed as well"),
        (dict(move=[3, 1.0]), "move is .*: give a mapping"),
        (dict(close=[(1, 99)]), "close has 99: there are cities 0 to 59"),
        (dict(close=[(1, 1)]), "close has the pair .*: give two different cities"),
        (dict(close=[(1, 2, 3)]), "close has .*: give pairs of cities"),
        (dict(close=[7]), "close has 7: give pairs of cities"),
        (dict(driven=[1, 2, 1]), "driven comes through a city twice"),
        (dict(driven=["Atlantis"]), "driven has 'Atlantis'"),
        (dict(driven=range(60)), "driven comes through all cities"),
        (dict(driven=[4, 5], remove=[5]), "remove has 'city 5', where the tour has been"),
        (dict(driven=[4, 5], move={5: [0.0, 0.0]}), "move has 'city 5', where the tour has been"),
        (dict(add=[[1.0, 1.0]], names=["city 4"]), "names has 'city 4', and there is a city of that name"),
        (dict(add=[[1.0, 1.0]], names=["a", "b"]), "names has 2 entries for 1 new cities"),
        (dict(matrix=np.ones((60, 60))), "matrix is given, and the cities have places"),
        (dict(seconds=-1.0), "seconds is -1.0"),
        (dict(rounds=-1), "rounds is -1"),
    ],
)
def test_what_is_no_change_is_said_in_a_sentence(answer, change, words):
    with pytest.raises(BadInput, match=words):
        answer.update(**change)


def test_a_matrix_says_what_it_needs():
    before = solve(np.random.default_rng(1).integers(1, 9, (10, 10)), rounds=1)
    for change, words in (
        (dict(move={0: [1, 2]}), "move has cities of a matrix"),
        (dict(add=2), "add is 2, and there is no matrix"),
        (dict(add=[[1, 2]]), "the cities have no places: give how many are new"),
        (dict(add=1, matrix=np.ones((10, 10))), r"matrix has the shape \[10, 10\]: 11 cities are left"),
        (dict(add=1, matrix="far"), "matrix is no table of numbers"),
        (dict(names=["x"]), "names are given for new cities, and the others have none"),
    ):
        with pytest.raises(BadInput, match=words):
            before.update(**change)


def test_the_past_cannot_be_rewritten(answer):
    later = answer.update(driven=["city 4", "city 5"], rounds=1)
    with pytest.raises(BadInput, match=r"driven does not begin with \[4, 5\], where the tour has been"):
        later.update(driven=["city 5"])


# --- graphs ---


def test_a_graph_goes_in_and_a_tour_comes_out():
    grid = nx.grid_2d_graph(4, 5)  # 20 places: a round trip of 20 roads
    found = solve(grid, rounds=30)
    assert found.length == 20
    tour = found.to_networkx()
    assert tour.number_of_nodes() == 20 and all(degree == 2 for _, degree in tour.degree)
    assert sum(weight for *_, weight in tour.edges(data="weight")) == found.length
    assert nx.is_connected(tour)


def test_weights_of_a_complete_graph_are_taken_as_they_are():
    graph = nx.Graph()
    graph.add_weighted_edges_from([(0, 1, 1), (1, 2, 1), (0, 2, 9)])  # 9 although there is a detour of 2
    assert solve(graph, rounds=1, ants=1).length == 11


def test_one_way_roads_are_driven_one_way():
    ring = nx.DiGraph([(k, (k + 1) % 9) for k in range(9)])
    found = solve(ring, rounds=1)
    assert found.length == 9
    assert (np.diff(np.roll(found.order, -int(np.argmin(found.order)))) == 1).all()
    assert isinstance(found.to_networkx(), nx.DiGraph)


def test_the_shortest_of_parallel_roads_counts_and_places_come_back():
    graph = nx.MultiGraph()
    graph.add_weighted_edges_from([("a", "b", 5), ("a", "b", 2), ("b", "c", 1), ("c", "a", 1)])
    assert solve(graph, rounds=1, ants=1).length == 4
    tour = solve(PLACES[:9], rounds=1).to_networkx()
    assert tour.nodes[4]["position"] == tuple(PLACES[4])


@pytest.mark.parametrize(
    "edges, words",
    [
        ([(0, 1, 1), (2, 3, 1)], "there is no way in the graph from 0 to 2"),
        ([(0, 1, -1), (1, 2, 1)], "the weight of the edge from 0 to 1 is -1"),
        ([(0, 1, float("nan")), (1, 2, 1)], "the weight of the edge from 0 to 1 is nan"),
        ([(0, 1, "far"), (1, 2, 1)], "the weight of the edge from 0 to 1 is 'far': give a number"),
    ],
)
def test_graphs_without_a_tour_are_refused_in_a_sentence(edges, words):
    graph = nx.Graph()
    graph.add_weighted_edges_from(edges)
    with pytest.raises(BadInput, match=words):
        solve(graph, rounds=1)
