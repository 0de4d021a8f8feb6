"""`Tour`: shortest ways of few cities, certificates, the regimes, the five questions, laws, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.colony import regimes
from catallax.colony.tour import Tour
from catallax.colony.tours import exact
from catallax.core.checkpoint import resume
from catallax.core.random import key as make_key
from catallax.measures.bits import bits
from catallax.questions import compare, frontier, lesion, replicate, shock
from catallax.testing import check_problem

SEEDS = st.integers(0, 2**32)
LAWS = ("faint", "max-min", "focused")


def tour(n=40, seed=0, **settings):
    """Cities at random, few ants."""
    return Tour(np.random.default_rng(seed).random((n, 2)), **dict(ants=8) | settings)


@pytest.fixture
def hasty(monkeypatch):
    """Questions that take little patience."""
    monkeypatch.setattr(Tour, "patience", 12)


def shortest(problem):
    """The shortest of all orders that keep to the plan, one by one."""
    plan, n = problem.facts.plan, problem.ground.cities
    free = [c for c in range(n) if c not in plan.driven and c != plan.end]
    last = [plan.end] if plan.end >= 0 else []
    if not plan.driven and not plan.opened:
        first, free = free[:1], free[1:]
    else:
        first = list(plan.driven)
    ways = (np.array([*first, *middle, *last]) for middle in itertools.permutations(free))
    return min(problem.length(way) for way in ways)


# --- few cities ---


@given(SEEDS, st.integers(3, 7), st.sampled_from(["plane", "matrix", "one way"]), st.booleans(), st.integers(0, 2))
@settings(max_examples=40)
def test_tours_of_few_cities_are_the_shortest(seed, n, kind, opened, driven):
    random = np.random.default_rng(seed)
    whole = random.integers(1, 50, (n, n))
    cities = {"plane": random.random((n, 2)), "matrix": np.triu(whole, 1) + np.triu(whole, 1).T, "one way": whole}[kind]
    driven, end = tuple(range(min(driven, n - 2))), n - 1 if opened and seed % 2 else None
    problem = Tour(cities, kind=None if kind == "plane" else "EXPLICIT", round_trip=not opened, driven=driven, end=end)
    outcome, best = problem.outcome(problem.society()), shortest(problem)
    assert outcome.length == pytest.approx(best, rel=1e-12)
    assert outcome.bound <= best * (1 + 1e-12) and outcome.gap < 1e-6
    assert outcome.notes == ("proved shortest: no tour is shorter than its bound",)
    assert problem.plan().length == pytest.approx(best, rel=1e-12) and problem.plan().certificate == 0
    assert cx.run(problem, 3).length == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [8, 10, 12])
def test_ants_find_the_shortest_tour_of_a_dozen(n, law):
    problem = tour(n, n, law=law)
    outcome = cx.run(problem, 30)
    assert outcome.length == pytest.approx(problem.plan().length, rel=1e-12)
    assert outcome.status == "done" and outcome.gap < 1e-6


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    ("places", "length"),
    [
        (np.ones((10, 2)), 0.0),
        (np.stack([np.arange(11.0)[::-1], 2 * np.arange(11.0)[::-1]], 1), 20 * 5**0.5),
        (np.repeat([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], 3, axis=0), 4.0),
    ],
    ids=["one point", "a line", "duplicates"],
)
def test_odd_places(places, length, law):
    outcome = cx.run(Tour(places, law=law, ants=4), 5)
    assert sorted(outcome.order.tolist()) == list(range(len(places)))
    assert outcome.length == pytest.approx(length, rel=1e-12) and outcome.gap < 1e-6


# --- certificates ---


@given(SEEDS, st.sampled_from(["PLANE", "SPHERE", "EUC_2D", "CEIL_2D", "one way"]), st.booleans())
@settings(max_examples=15)
def test_bounds_hold_for_the_shortest_tour(seed, kind, opened):
    random = np.random.default_rng(seed)
    cities = random.integers(1, 99, (14, 14)) if kind == "one way" else random.uniform(-80, 80, (14, 2))
    problem = Tour(cities, kind="EXPLICIT" if kind == "one way" else kind, round_trip=not opened)
    best = problem.plan()
    assert problem.bound() <= best.length * (1 + 1e-12)
    assert problem.bound() > 0.8 * best.length
    assert best.gap == 0 and "by dynamic programming over all orders" in best.notes


def test_two_antipodes_do_not_fool_the_bound():
    random = np.random.default_rng(0)
    places = np.concatenate([random.normal(0, 1e-7, (6, 2)) + [30, 40], random.normal(0, 1e-7, (6, 2)) + [-30, -140]])
    problem = Tour(places, kind="SPHERE")
    assert problem.bound() <= problem.plan().length


def test_a_bound_that_is_reached_settles_it_and_one_far_away_does_not(monkeypatch):
    problem = tour(12)
    assert problem.silence().status == "settled" and problem.silence().certificate < 1e-6
    monkeypatch.setattr(Tour, "tolerance", 1e-15)
    values = problem.valued(np.random.default_rng(0).permutation(12))
    assert problem.judged(values, ()).status == "unsettled" and values["gap"] > 0


def test_no_patience_for_a_bound_is_needed_with_other_settings(monkeypatch):
    problem = tour()
    bound = problem.bound()
    monkeypatch.setattr("catallax.colony.tours.certificate.lower_bound", lambda *_: pytest.fail("again"))
    assert all(problem.with_(law=law, trails="off").bound() == bound for law in LAWS)
    assert problem.restrict([0]).bound() == problem.replicate(3).bound() == bound


# --- regimes ---


def test_silence_and_full_information_make_as_many_changes_as_the_colony(hasty):
    problem = tour(60, ants=20)
    told = cx.run(problem, problem.patience)
    silent, open_ = problem.silence(), problem.contest()
    assert told.changes == silent.changes == open_.changes == 12 * 20
    assert len(silent.lengths) == 20 and silent.length == silent.lengths.min()
    assert 0 <= open_.stagnation <= 12
    assert any(f"after round {open_.stagnation} of 12" in note for note in open_.notes)
    first = problem.length(problem.outcome(problem.society()).order)
    assert max(silent.length, open_.length) <= first
    for outcome in (silent, open_):
        assert outcome.certificate == outcome.gap and outcome.bound <= outcome.length


def test_ways_in_silence_are_64_at_most(hasty):
    assert len(tour(20, ants=70).silence().lengths) == 64


def test_a_planner_is_asked_where_there_are_many_cities(monkeypatch):
    monkeypatch.setattr(exact, "find_spec", lambda name: None)
    with pytest.raises(cx.Refused, match="install elkai or ortools"):
        tour(30).plan()
    monkeypatch.setattr(regimes, "solved", lambda metric, seconds: np.arange(30, dtype=np.int32))
    plan = tour(30).plan()
    assert sorted(plan.order.tolist()) == list(range(30)) and plan.certificate == plan.gap


# --- questions ---


@pytest.mark.parametrize("law", LAWS)
def test_the_five_questions(law, hasty):
    problem = tour(30, law=law)
    rows = {row["regime"]: row for row in compare(problem).rows}
    assert rows["signal"]["status"] == rows["silence"]["status"] == rows["full_information"]["status"] == "settled"
    assert rows["signal"]["certificate"] == pytest.approx(1 / rows["signal"]["efficiency"] - 1)
    points = {row["point"]: row for row in frontier(problem, bits=(1, 8), leaks=(0.5, 1.0), seeds=2).rows}
    assert points["8 bits"]["bits"] - points["1 bit"]["bits"] == 7 * problem.chart.near[..., 0].size
    assert np.isnan(points["leak 0.5"]["efficiency"]) and points["leak 1"]["efficiency"] > 0.9
    left = lesion(problem, fractions=(0.0, 0.5), seeds=1).rows
    assert all(row["change"] == 0 and row["recovered"] > 0.9 for row in left)  # the way is there, whoever is gone
    answer = shock(problem, size=0.3, rounds=4)
    reached = [row["efficiency"] for row in answer.rows]
    assert len(reached) == 5 and (np.diff(reached) >= -1e-12).all() and all(row["distance"] >= 0 for row in answer.rows)
    sizes = replicate(problem, copies=(1, 2))
    assert [row["agents"] for row in sizes.rows] == [8, 16] and all(0 <= row["effect"] <= 1 for row in sizes.rows)
    assert "no ends of their own" in sizes.notes[0]


def test_bits_are_trails_and_the_way_and_no_more_with_more_ants():
    problem = tour(40)
    few, exact_ = (bits(problem.society(), channel) for channel in (cx.Channel(bits=2), cx.Channel()))
    assert exact_["public"] - few["public"] == 30 * 40 * 10
    assert bits(problem.replicate(5).society())["public"] == exact_["public"]


def test_ants_that_are_left_keep_what_they_are():
    problem = tour(40)
    colony = cx.run(problem, 5).society
    left = problem.restrict([1, 4]).carried(colony, [1, 4])
    assert left.ids.tolist() == [1, 4] and np.array_equal(left.agents.merit, colony.agents.merit[[1, 4]])
    assert np.array_equal(left.signal.level, colony.signal.level) and np.array_equal(left.best.order, colony.best.order)
    assert cx.run(left, 2).society.agents.merit.shape == (2,)


@pytest.mark.parametrize("law", LAWS)
def test_a_shock_moves_some_and_the_colony_goes_on(law):
    problem = tour(40, law=law, driven=(3, 5))
    changed = problem.shocked(make_key(1), 0.25)
    moved = (changed.ground.places != problem.ground.places).any(axis=1)
    assert moved.sum() == round(0.25 * 38) and not moved[[3, 5]].any()
    low, high = problem.ground.places.min(axis=0), problem.ground.places.max(axis=0)
    assert (changed.ground.places >= low).all() and (changed.ground.places <= high).all()
    colony = cx.run(problem, 4).society
    carried = changed.carried(colony)
    outcome = changed.outcome(carried)
    assert sorted(outcome.order.tolist()) == list(range(40)) and outcome.order[:2].tolist() == [3, 5]
    assert np.array_equal(carried.agents.merit, colony.agents.merit)
    assert cx.run(carried, 3).status == "done"
    with pytest.raises(cx.Refused, match="another world"):
        tour(40, 9, law=law).carried(colony)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_shocked_matrix_stays_what_it_is(symmetric):
    matrix = np.random.default_rng(0).integers(1, 99, (9, 9))
    matrix = np.triu(matrix, 1) + np.triu(matrix, 1).T if symmetric else matrix
    problem = Tour(matrix, ants=3)
    changed = problem.shocked(make_key(0), 0.5)
    after = changed.ground.matrix
    assert bool((after == after.T).all()) == symmetric and (after == np.round(after)).all() and (after != matrix).any()
    assert np.isfinite(changed.outcome(changed.carried(cx.run(problem, 2).society)).length)


# --- laws ---


@pytest.mark.parametrize("law", LAWS)
def test_laws(law):
    bad = [lambda: tour(law="none"), lambda: Tour(np.zeros((2, 2))), lambda: tour(end=3), lambda: tour(heat=-1.0)]
    assert check_problem(tour(12, law=law), bad=bad) == ["conservation", "reproducibility", "certificate"]


@pytest.mark.parametrize("law", LAWS)
def test_the_same_rounds_and_seed_are_the_same_tour_and_so_is_a_run_resumed(law, tmp_path):
    problem = tour(50, law=law)
    once = cx.run(problem, 9, 4)
    assert once.digest() == cx.run(problem, 9, 4).digest()
    assert law == "focused" or once.digest() != cx.run(problem, 9, 5).digest()
    looked = cx.run(problem, 9, 4, record=cx.Record(every=2, folder=None, **problem.watch()))
    assert looked.digest() == once.digest()
    assert looked.record["length"][-1] >= once.length - 1e-6  # ticks are rounded
    cx.run(problem, 9, 4, checkpoint=tmp_path, look=lambda frame: frame.round >= 3)
    assert resume(problem, tmp_path, rounds=9).digest() == once.digest()


def test_what_is_watched_is_the_length():
    for problem in (
        tour(20),
        tour(20, round_trip=False, driven=(1, 2, 3)),
        Tour(np.random.default_rng(0).random((9, 9))),
    ):
        colony = problem.society()
        assert problem.watch()["length"](colony) == pytest.approx(problem.outcome(colony).length, rel=1e-7)


# --- bad input ---


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(law="none"), "law is 'none': give one of faint, max-min, focused"),
        (dict(trails="many"), "trails is 'many': give one of on, off, frozen, random"),
        (dict(evaporation=0.0), r"evaporation is 0.0: give a share in \(0, 1\]"),
        (dict(heat=float("nan")), "heat is nan: give a number of mean edges"),
        (dict(reach=0), "reach is 0: give a whole number of at least 1"),
        (dict(candidates=1), "candidates is 1: give a whole number of at least 2"),
        (dict(ants=0), "ants is 0: give at least one"),
        (dict(ants=[1, 1]), "ants has an id twice"),
        (dict(ants=[-1, 1]), "no whole number from 0"),
        (dict(ants="all"), "ants is 'all': give how many, or their ids"),
        (dict(end=3), "end is given, and a round trip ends where it starts"),
        (dict(driven=(1, 2, 1)), "driven comes through a city twice"),
        (dict(driven=range(40)), "driven comes through all cities"),
        (dict(driven=(1, 2), start=3), "start is 3, and driven begins with 1"),
        (dict(driven=(1, 2), end=2, round_trip=False), "end is 2, where the tour has been already"),
        (dict(start=40), "start has 40: there are cities 0 to 39"),
        (dict(closed=[(1, 1)]), r"closed has the pair \(1, 1\): give two different cities"),
    ],
)
def test_bad_input_is_a_sentence(settings, said):
    with pytest.raises(cx.BadInput, match=said) as caught:
        tour(**settings)
    assert "\n" not in str(caught.value)


def test_what_has_no_meaning_is_refused():
    problem = tour(12)
    for ask, said in (
        (lambda: problem.society(0.5), "follow their noses"),
        (lambda: problem.contest(0.5), "no part of it"),
        (lambda: problem.gain(problem.plan()), "no ends of their own"),
        (lambda: problem.restrict([]), "no ant would be left"),
        (lambda: problem.restrict(np.zeros(8, bool)), "no ant would be left"),
        (lambda: cx.run(problem, 1, channel=cx.Channel(noise=0.1)), "no noise"),
        (lambda: cx.run(problem, 1, activation=0.5), "host society"),
    ):
        with pytest.raises(cx.Refused, match=said):
            ask()
