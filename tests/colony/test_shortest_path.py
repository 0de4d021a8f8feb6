"""Ants between nest and food: their rule of choice, their numbers, what their trails come to, and who does better."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.colony.paths.ants import attractiveness, roulette
from catallax.colony.paths.roads import read
from catallax.colony.shortest_path import ShortestPath
from catallax.questions import compare, frontier, lesion, replicate, shock
from catallax.testing import check_problem

HOUSE = [("a", "b", 3), ("a", "c", 5), ("b", "c", 1), ("b", "d", 7), ("c", "d", 2), ("d", "e", 4)]  # e: a dead end


def house(**facts) -> ShortestPath:
    return ShortestPath(HOUSE, "a", "d", **dict(ants=20, rate=1.0) | facts)


def bridge_shares(ratio: float, seed: int = 0, **facts) -> np.ndarray:
    """The share of the short branch in the second half of 1500 rounds' traffic, [colonies]."""
    problem = ShortestPath.double_bridge(ratio, length=10, ants=50, **dict(colonies=200) | facts)
    ran = cx.run(problem, 1500, seed, record=cx.Record(every=750, passed=lambda s: s.signal.passed))
    passed = ran.record["passed"]
    late = (passed[2] - passed[1]).reshape(problem.colonies, 2, 2).sum(2)
    return late[:, 0] / late.sum(1)


# --- the rule of choice ---


@given(st.lists(st.integers(0, 3000), min_size=2, max_size=5), st.floats(0, 4), st.data())
@settings(max_examples=30)
def test_choice_is_deneubourgs_closed_form(laid, exponent, data):
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(laid), max_size=len(laid))))
    allowed[data.draw(st.integers(0, len(laid) - 1))] = True
    smell = 20.0 + np.array(laid)
    width = attractiveness(jnp.asarray(smell, jnp.float32), jnp.float32(exponent)) * jnp.asarray(allowed)
    draws = (np.arange(4000) + 0.5) / 4000
    chosen = np.asarray(roulette(jnp.broadcast_to(width, (4000, len(laid))), jnp.asarray(draws, jnp.float32)))
    share = np.bincount(chosen, minlength=len(laid)) / 4000
    expected = np.where(allowed, smell**exponent, 0)
    assert np.allclose(share, expected / expected.sum(), atol=1e-3)
    assert not share[~allowed].any()


@pytest.mark.long
def test_huge_attraction_and_exponent_1_is_no_choice_at_all():
    shares = bridge_shares(2.0, exponent=1.0, attraction=1e7)
    assert shares.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(200 * 700))


# --- the double bridge ---


@pytest.mark.long
def test_equal_branches_break_symmetry_without_taking_sides():
    shares = bridge_shares(1.0)
    first, second = (shares > 0.8).sum(), (shares < 0.2).sum()
    assert first + second > 0.7 * 200
    assert abs(first - second) < 4 * np.sqrt(first + second)  # a fair coin for each colony


def test_most_colonies_choose_the_short_branch_and_a_linear_choice_does_not():
    shares = bridge_shares(2.0)
    assert (shares > 0.8).mean() > 0.55  # about 2 in 3: less than "all"
    assert (shares > 0.8).sum() > 2 * (shares < 0.2).sum()
    assert (bridge_shares(2.0, exponent=0.5) > 0.8).mean() < 0.02


@pytest.mark.long
def test_a_short_branch_opened_later_is_used_by_those_who_turn_and_by_no_others():
    def late(turning: float) -> np.ndarray:
        bridge = ShortestPath.double_bridge(2.0, length=10, ants=50, colonies=60, turning=turning)
        before = cx.run(bridge.closed(0), 900, 1)
        assert before.share[:, 0].max() == 0
        society = bridge.carried(before.society)
        assert np.array_equal(society.signal.laid, before.society.signal.laid)
        assert np.array_equal(society.agents.left, before.society.agents.left)
        return bridge.outcome(cx.run(society, 1500, 2).society).share[:, 0]

    assert late(0.0).max() < 0.05
    assert late(0.2).mean() > 0.45  # about even: free, but not decided for it


# --- laws ---


@pytest.mark.parametrize("facts", [{}, dict(turning=0.1, evaporation=0.01), dict(memory=True, lays="home")])
def test_ants_are_neither_lost_nor_made_and_stay_on_the_roads(facts):
    problem = house(colonies=3, **facts)
    society, tails, heads = problem.society(), problem.graph.tails, problem.graph.heads
    walked = 0
    for seed in range(30):
        society = cx.run(society, 7, seed).society
        ants = jax.tree.map(np.asarray, society.agents)
        assert problem.conserved(society)["ants"].tolist() == [20] * 3
        out = ants.arc >= 0
        assert np.array_equal(heads[ants.arc[out]], ants.place[out])
        assert np.array_equal(tails[ants.arc[out]], ants.behind[out])
        assert (ants.left >= 1).all()
        assert (ants.left[out] <= problem.errand.steps[ants.arc[out]]).all()
        walked += out.sum()
    assert walked > 1000
    assert ants.trips.sum() > 20
    assert (ants.steps >= 2 * problem.errand.shortest * ants.trips).all()


def test_every_entry_is_marked_at_both_ends():
    society = cx.run(house(), 400, 0).society
    marks, on_the_way = float(society.signal.laid.sum()), int((society.agents.arc >= 0).sum())
    assert marks == 2 * int(society.signal.passed.sum()) - on_the_way


def test_ants_with_a_memory_walk_home_without_loops():
    problem = house(memory=True, exponent=0.0, ants=60)
    ran = cx.run(problem, 500, 0, record=cx.Record(arc=lambda s: s.agents.arc, back=lambda s: s.agents.back))
    homes = 0
    for arcs, back in zip(ran.record["arc"].T, ran.record["back"].T, strict=True):
        for going, spell in itertools.groupby(zip(arcs, back, strict=True), lambda x: x[1]):
            visited = [problem.graph.tails[a] for a, _ in itertools.groupby(x[0] for x in spell) if a >= 0]
            if going:
                homes += 1
                assert len(set(visited)) == len(visited)
    assert homes > 100


def test_laws():
    bad = [lambda: house(exponent=-1.0), lambda: ShortestPath(HOUSE, "a", "z"), lambda: house(open_=[True])]
    held = check_problem(house(colonies=2), bad=bad)
    assert held == ["locality", "honest bits", "conservation", "reproducibility"]


# --- what a trail comes to, without simulation ---


@pytest.mark.parametrize("facts", [{}, dict(turning=0.1)])
def test_expected_ways_are_what_ants_do(facts):
    problem = house(exponent=0.0, ants=100, rate=10.0, **facts)
    silent = problem.silence()
    ran = cx.run(problem, 2000, 3, record=cx.Record(arc=lambda s: s.agents.arc, back=lambda s: s.agents.back))
    ends, arcs, back = [], ran.record["arc"], ran.record["back"]
    for ant in range(100):
        out = (arcs[:, ant] >= 0) & ~back[:, ant]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], out.astype(int), [0]])))
        ends += [stop - start for start, stop in edges.reshape(-1, 2) if stop < len(out)]
    error = np.std(ends) / np.sqrt(len(ends))
    assert len(ends) > 3000
    assert np.mean(ends) == pytest.approx(silent.rounds_out[0], abs=4 * error)
    assert silent.rounds_out[0] == pytest.approx((silent.traffic @ problem.errand.steps[::2]).item()) or facts


def test_on_a_strong_trail_all_take_one_way():
    problem = house()
    society = problem.society()
    arcs = [0, 4, 8]  # a-b, b-c, c-d
    laid = society.signal.laid.at[0, jnp.asarray(arcs)].set(1e8)
    outcome = problem.outcome(cx.Society(society.agents, dataclasses.replace(society.signal, laid=laid), society.ids))
    assert outcome.path == ("a", "b", "c", "d")
    assert outcome.rounds_out[0] == pytest.approx(6, rel=1e-6)
    assert problem.welfare(outcome) == {"efficiency": pytest.approx(1), "found": 1.0}
    assert np.allclose(outcome.traffic[0], [1, 0, 1, 0, 1, 0], atol=1e-6)


# --- Dijkstra ---


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=25)
def test_plan_is_the_shortest_of_all_ways(seed, directed):
    random = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(7, 0.5, seed=seed, directed=directed)
    for u, v in graph.edges:
        graph.edges[u, v]["length"] = int(random.integers(1, 9))
    ways = list(nx.all_simple_edge_paths(graph, 0, 6)) if {0, 6} <= set(graph) else []
    if not ways:
        with pytest.raises(cx.BadInput, match="no way leads|none of the"):
            ShortestPath(graph, 0, 6) if graph.edges else ShortestPath([(0, 1, 1)], 0, 6)
        return
    problem = ShortestPath(graph, 0, 6)
    best = min(sum(graph.edges[e]["length"] for e in way) for way in ways)
    plan = problem.plan()
    assert plan.shortest == best == problem.errand.shortest
    assert problem.welfare(plan)["efficiency"] == 1
    assert nx.path_weight(graph, plan.path, "length") == best
    assert problem.welfare(problem.silence())["efficiency"] <= 1
    assert problem.contest().rounds_out[0] >= best


def test_parallel_roads_and_fractions_of_a_unit():
    problem = ShortestPath([("a", "b", 2.5), ("a", "b", 1.2), ("b", "c", 0.3)], "a", "c", unit=0.5)
    assert problem.errand.steps[::2].tolist() == [5, 3, 1]
    assert problem.plan().traffic.tolist() == [[0, 1, 1]]
    assert problem.plan().path == ("a", "b", "c")


def test_networkx_there_and_back():
    graph = nx.Graph()
    graph.add_weighted_edges_from(HOUSE)
    problem = ShortestPath(graph, "a", "d", ants=20)
    ran = cx.run(problem, 300)
    back = problem.to_networkx(ran)
    assert set(back.edges) == set(nx.Graph(graph).edges)
    assert all(back.edges[e]["length"] == graph.edges[e]["weight"] for e in graph.edges)
    assert sum(x for *_, x in back.edges(data="pheromone")) == pytest.approx(float(ran.society.signal.laid.sum()) / 2)
    assert nx.dijkstra_path_length(back, "a", "d", "rounds") == ran.shortest
    twice = ShortestPath.double_bridge().to_networkx(ShortestPath.double_bridge().plan())
    assert isinstance(twice, nx.MultiGraph)
    assert ShortestPath(twice, "nest", "food").errand.shortest == 20


def test_a_directed_graph_is_left_by_no_one_who_could_not_go_on():
    roads = [("a", "b", 1), ("b", "c", 1), ("b", "trap", 1), ("elsewhere", "b", 1), ("c", "a", 9)]
    problem = ShortestPath(roads, "a", "c", directed=True, ants=10)
    assert problem.errand.choices[0, 1].tolist() == [2, -1, -1, -1]  # from b: not into the trap
    assert problem.errand.choices[1, 1].tolist()[0] == 1  # and home: not to elsewhere, from where nobody comes
    assert (problem.errand.choices[1, 1, 1:] == -1).all()
    ran = cx.run(problem, 200)
    assert int(ran.society.agents.trips.sum()) > 50
    assert ran.passed[0, 2] == 0


# --- regimes and questions ---


def test_silence_of_two_branches_is_their_average():
    bridge = ShortestPath.double_bridge(2.0)
    assert bridge.silence().rounds_out.tolist() == [30]
    assert bridge.welfare(bridge.silence())["efficiency"] == pytest.approx(2 / 3)
    turning = ShortestPath.double_bridge(2.0, turning=0.01).silence()
    # m_i = L_i + u_i m_j: an ant that turns, after L_i / 2, is back after L_i and takes the other branch
    u, w = 1 - 0.99**20, 1 - 0.99**40
    short, long = np.linalg.solve([[1, -u], [-w, 1]], [20, 40])
    assert turning.rounds_out[0] == pytest.approx((short + long) / 2)


def test_what_no_wanderer_found_is_never_found():
    # 60 short branches beside one that is twice as short: few wanderers leave before the first report
    roads = [("nest", "food", 20)] * 60 + [("nest", "food", 10)]
    problem = ShortestPath(roads, "nest", "food", colonies=40, rate=0.2)
    told = problem.contest()
    assert told.status == "settled"
    assert set(told.rounds_out) == {10, 20}
    assert (told.rounds_out == 20).mean() > 0.6


def test_the_five_questions():
    bridge = ShortestPath.double_bridge(2.0, length=5, ants=12, colonies=10)
    rows = {r["regime"]: r for r in compare(bridge).rows}
    assert rows["signal"]["status"] == "settled"
    assert rows["silence"]["efficiency"] < rows["signal"]["efficiency"] < rows["planner"]["efficiency"] == 1
    points = {r["point"]: r for r in frontier(bridge, bits=(2, 24), leaks=(0.5, 1.0), seeds=2, rounds=600).rows}
    assert points["24 bits"]["efficiency"] == pytest.approx(points["exact"]["efficiency"], abs=0.02)
    assert points["2 bits"]["bits"] == points["exact"]["bits"] - 30 * 40  # 40 ends, 30 bits less each
    assert np.isnan(points["leak 0.5"]["efficiency"])
    assert all(0 < r["recovered"] <= 1 for r in lesion(bridge, fractions=(0.0, 0.5), seeds=1).rows)
    assert shock(bridge, rounds=5).rows[0]["efficiency"] <= 1
    effects = [r["effect"] for r in replicate(bridge, copies=(1, 2)).rows]
    assert effects == [1 / 12, 1 / 24]
    assert {type(item).__name__ for item in bridge.scene(bridge.society()).items} == {"Points", "Edges", "Bars"}


# --- bad input ---


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ShortestPath(HOUSE, "a", "z"), "target is 'z', which is none of the 5 places"),
        (lambda: ShortestPath(HOUSE, "a", "a"), "source and target are both 'a'"),
        (lambda: ShortestPath([("a", "b", 1), ("c", "d", 1)], "a", "d"), "no way leads from 'a' to 'd'"),
        (lambda: ShortestPath([("a", "b", 1)], "b", "a", directed=True), "no way leads from 'b' to 'a'"),
        (lambda: ShortestPath([("a", "b", -1)], "a", "b"), "edge 0, 'a'-'b', has the length -1"),
        (lambda: ShortestPath([("a", "b", 1), ("b", "c", "far")], "a", "b"), "edge 1, 'b'-'c', has the length 'far'"),
        (lambda: ShortestPath([("a", "b", float("nan"))], "a", "b"), "finite and above 0"),
        (lambda: ShortestPath([("a", "a", 1)], "a", "b"), "edge 0, 'a'-'a', leads from a place to itself"),
        (lambda: ShortestPath([], "a", "b"), "at least one"),
        (lambda: ShortestPath([("a", "b")], "a", "b"), "rows \\(from, to, length\\)"),
        (lambda: house(evaporation=1.0), "evaporation is 1.0: give a number of at least 0 and below 1"),
        (lambda: house(ants=0), "ants is 0: give a whole number of at least 1"),
        (lambda: house(lays="never"), "lays is 'never': give 'both' or 'home'"),
        (lambda: house().closed(4, 3), "no way leads"),
        (lambda: house().closed(9), "road 9 is none of 6"),
        (lambda: read(nx.Graph([(0, 1, {"length": 1}), (1, 2)])), "edge 1-2 has no 'length'"),
    ],
)
def test_bad_input_is_a_sentence(make, said):
    with pytest.raises(cx.BadInput, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(cx.Refused, match="no leak"):
        house().society(0.5)
    with pytest.raises(cx.Refused, match="no part of it"):
        house().contest(0.5)
    with pytest.raises(cx.Refused, match="no ant would be left"):
        house().restrict([])
