"""Courses by prices: demand against enumeration, Budish's bound and promises, feasibility, and the laws."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax import questions
from catallax.economy.courses import seating
from catallax.economy.courses.bundles import best_bundle, best_bundles
from catallax.economy.courses.ceei import Courses
from catallax.economy.courses.seats import clearing
from catallax.measures.fairness import envy_up_to_one
from catallax.testing import check_problem


@pytest.fixture(scope="module")
def small() -> Courses:
    return Courses.drawn(4, students=14, courses=6, wave=120, waves=2)


@pytest.fixture(scope="module")
def rest(small):
    return cx.settle(small)


def enumerated(value, price, conflict, limit, budget):
    """The best affordable bundle of all, one after the other."""
    best, chosen = 0.0, ()
    for size in range(limit + 1):
        for bundle in itertools.combinations(range(value.size), size):
            clash = any(conflict[a, b] for a, b in itertools.combinations(bundle, 2))
            if not clash and price[list(bundle)].sum() <= budget and value[list(bundle)].sum() > best + 1e-12:
                best, chosen = value[list(bundle)].sum(), bundle
    return best, set(chosen)


# --- demand ---


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 8), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_demand_is_the_best_of_all_bundles(courses, limit, seed):
    random = np.random.default_rng(seed)
    value = random.random(courses) * (random.random(courses) < 0.8)
    price = random.random(courses) * (random.random(courses) < 0.8)
    conflict = np.triu(random.random((courses, courses)) < 0.2, 1)
    conflict, budget = conflict | conflict.T, 1.5 * random.random()
    taken = np.zeros(courses, bool)
    worth = best_bundle(value, price, conflict, limit, budget, taken)
    best, chosen = enumerated(value, price, conflict, limit, budget)
    assert worth == pytest.approx(best, abs=1e-12)
    assert set(np.flatnonzero(taken)) == chosen


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_demand_with_ties_has_the_best_worth(seed):
    random = np.random.default_rng(seed)
    value, price = random.integers(0, 3, 7).astype(float), random.integers(0, 4, 7) / 4
    none, taken = np.zeros((7, 7), bool), np.zeros(7, bool)
    assert best_bundle(value, price, none, 3, 1.0, taken) == enumerated(value, price, none, 3, 1.0)[0]
    assert value[taken].sum() == best_bundle(value, price, none, 3, 1.0, taken)
    assert price[taken].sum() <= 1 and not (taken & (value == 0)).any()


def test_demand_of_many_courses_is_quick_and_exact_against_a_programme():
    from scipy.optimize import Bounds, LinearConstraint, milp

    random = np.random.default_rng(0)
    value, price = random.random((4, 120)), random.random(120) / 3
    taken = best_bundles(value, price, np.zeros((120, 120), bool), np.full(4, 6), np.ones(4))
    rows = LinearConstraint(np.stack([price, np.ones(120)]), -np.inf, [1, 6])
    for i in range(4):
        found = milp(-value[i], constraints=rows, integrality=np.ones(120), bounds=Bounds(0, 1))
        assert value[i][taken[i]].sum() == pytest.approx(-found.fun, rel=1e-9)


def test_an_endless_budget_takes_the_favourites():
    taken = best_bundles(np.array([[3.0, 1, 2]]), np.ones(3), np.zeros((3, 3), bool), np.array([2]), np.array([np.inf]))
    assert taken.tolist() == [[True, False, True]]


# --- the market ---


def test_clearing_error_by_hand():
    excess, error = clearing(np.array([0.5, 0.5, 0.0, 0.0]), np.array([5, 1, 1, 7]), np.array([2, 5, 4, 7]))
    assert excess.tolist() == [3, -4, 0, 0]
    assert error == 5


def test_plenty_is_free_and_clears_at_once():
    economy = Courses(np.random.default_rng(0).random((6, 4)) + 0.1, np.full(4, 6), 2)
    rest = cx.settle(economy)
    assert rest.status == "settled" and rest.certificate == 0
    welfare = economy.welfare(rest)
    assert welfare["efficiency"] == pytest.approx(1) and welfare["min_share"] == pytest.approx(1)
    assert welfare["envy"] == 0


def test_the_richer_of_two_gets_the_one_seat_that_both_want():
    economy = Courses([[2.0, 1], [2.0, 1]], [1, 1], 1, budgets=[1.0, 1.05])
    rest = cx.settle(economy)
    assert rest.status == "settled"
    assert rest.demand.tolist() == [[False, True], [True, False]]
    assert 1.0 < rest.price[0] <= 1.05
    assert rest.allocation.tolist() == rest.demand.tolist()


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_the_bound_of_budish_is_met_and_envy_is_of_one_course_at_most(seed):
    economy = Courses.drawn(seed, students=20, courses=8, limit=3)
    rest = cx.settle(economy)
    assert rest.bound == pytest.approx(np.sqrt(6 * 8) / 2)
    assert rest.bound_met and rest.clearing_error <= rest.bound
    assert rest.certificate >= rest.clearing_error
    assert rest.clearing_error == clearing(rest.price, rest.demand.sum(0), economy.capacities)[1]
    assert economy.spread < 1 / (3 - 1)  # then the equilibrium itself, before seats are handed out, is EF1
    assert envy_up_to_one(economy.worth, rest.demand).count == 0


def test_nobody_can_afford_better_at_the_equilibrium(small, rest):
    students = small.students
    for i in range(len(small.values)):
        best, _ = enumerated(
            students.values[i], rest.price, small.excluded, int(small.limit[i]), students.budgets[i] * (1 + 1e-12)
        )
        assert students.values[i] @ rest.demand[i] == pytest.approx(best, rel=1e-12)


def test_seats_handed_out_are_feasible_and_none_is_left_that_someone_wants():
    economy = Courses.drawn(
        2, students=30, courses=9, limit=4, plenty=0.8, conflicts=[(0, 1), (2, 5)], wave=100, waves=1
    )
    for outcome in (cx.run(economy, 3), cx.run(economy, 60), economy.silence(), economy.plan()):
        taken = outcome.allocation
        assert (taken.sum(0) <= economy.capacities).all() and (taken.sum(1) <= economy.limit).all()
        assert not (taken[:, 0] & taken[:, 1]).any() and not (taken[:, 2] & taken[:, 5]).any()
    ran = cx.run(economy, 60)
    assert economy.gain(ran) == 0
    assert economy.gain(economy.silence()) > 0


def test_prices_rise_until_no_course_is_asked_for_too_much(small):
    students, price = small.students, np.zeros(6)
    raised, taken = seating.without_excess(students, price, small.capacities)
    assert (raised >= price).all() and raised.max() > 0
    assert (taken.sum(0) <= small.capacities).all()
    assert np.array_equal(taken, seating.asked(students, raised))


def test_lots_are_drawn_for_what_is_asked_too_much():
    wanted = np.array([[True, True], [True, False], [True, False]])
    lots = np.array([[0.9, 0.9], [0.1, 0.0], [0.5, 0.0]])
    assert seating.drawn_by_lot(wanted, np.array([2, 1]), lots).tolist() == [
        [False, True],
        [True, False],
        [True, False],
    ]


# --- the planner ---


def test_plan_is_the_best_of_all_assignments():
    values = np.array([[5.0, 4, 1], [5, 1, 2], [4, 3, 0]])
    economy = Courses(values, [1, 1, 2], 2, conflicts=[(0, 1)])
    bundles = [b for b in itertools.product([0, 1], repeat=3) if sum(b) <= 2 and not (b[0] and b[1])]
    every = (np.array(x) for x in itertools.product(bundles, repeat=3))
    best = max((values * x).sum() for x in every if (x.sum(0) <= economy.capacities).all())
    plan = economy.plan()
    assert plan.status == "settled" and plan.certificate <= 1e-9
    assert plan.utilities.sum() == best
    assert economy.welfare(plan)["efficiency"] == 1


def test_regimes_are_in_their_order(small, rest):
    reached = [small.welfare(o)["efficiency"] for o in (small.silence(), rest, small.plan())]
    assert reached[0] < reached[1] <= reached[2] + 1e-12 and reached[2] == 1


def test_too_many_pairs_are_not_planned(small, monkeypatch):
    monkeypatch.setattr("catallax.economy.courses.ceei.LARGEST", 10)
    fresh = dataclasses.replace(small, capacities=small.capacities + 1)
    with pytest.raises(cx.Refused, match="too many for an exact plan"):
        fresh.plan()
    assert np.isnan(fresh.welfare(fresh.silence())["efficiency"])


# --- the instrument ---


def test_laws_hold(small):
    assert check_problem(small) == ["conservation", "reproducibility", "certificate"]


def test_the_seed_draws_budgets_lots_and_search(small):
    other = dataclasses.replace(small, seed=9)
    assert np.array_equal(small.students.budgets, dataclasses.replace(small).students.budgets)
    assert not np.array_equal(small.students.budgets, other.students.budgets)
    assert ((small.students.budgets >= 1) & (small.students.budgets <= 1.1)).all()
    twice = [cx.run(small, 100).digest() for _ in range(2)]
    assert twice[0] == twice[1] != cx.run(other, 100).digest()


def test_the_least_error_only_falls_and_is_recorded(small):
    record = cx.Record(every=1, least=lambda s: s.signal.search.best_error, now=lambda s: s.signal.search.error)
    table = cx.run(small, 80, record=record).record
    assert (np.diff(table["least"][1:]) <= 0).all()
    assert table["least"][-1] == table["now"][1:].min()


def test_questions_answer_or_say_why(small):
    compare = questions.compare(small)
    assert [row["status"] for row in compare.rows][2:] == ["settled", "refused"]
    assert any("no definition" in note for note in compare.notes)
    replicate = questions.replicate(small, copies=(1, 2))
    assert replicate.rows[0]["effect"] > replicate.rows[1]["effect"]
    frontier = questions.frontier(small, bits=(2,), leaks=(1.0,), seeds=2)
    exact = next(row for row in frontier.rows if row["kind"] == "exact")
    assert exact["efficiency"] > frontier.rows[0]["efficiency"]
    for question in (questions.lesion, questions.shock):
        with pytest.raises(cx.Refused, match="host"):
            question(small)


def test_other_problems_made_of_this_one(small):
    part = small.restrict([0, 3])
    assert np.array_equal(part.students.budgets, small.students.budgets[[0, 3]])
    assert small.replicate(3).values.shape == (42, 6)
    assert not np.array_equal(small.shocked(cx.random.key(1), 0.1).values, small.values)
    with pytest.raises(cx.Refused, match="nobody"):
        small.restrict([])
    with pytest.raises(cx.Refused, match="whole units"):
        small.society(0.5)
    assert len(small.scene(small.society()).items) == 2


# --- bad input and files ---


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(values=[1.0, 2.0]), "values has shape"),
        (dict(values=[[1.0, np.nan], [1, 1]]), r"values\[0, 1\] \(student ann\)"),
        (dict(capacities=[1]), "capacities has shape"),
        (dict(capacities=[1, -1]), r"capacities\[1\]"),
        (dict(capacities=[1, 0.5]), "whole"),
        (dict(limits=[1, 2, 3]), "limits has shape"),
        (dict(budgets=[1.0, 0.0]), r"budgets\[1\] is zero"),
        (dict(conflicts=[(0, 2)]), r"conflicts has \(0, 2\)"),
        (dict(names=("ann", "ann")), "names"),
        (dict(spread=-0.1), "spread"),
        (dict(waves=0), "waves"),
    ],
)
def test_bad_facts_are_refused(change, sentence):
    facts: dict = dict(values=np.ones((2, 2)), capacities=[1, 1], limits=1, names=("ann", "bob"))
    with pytest.raises(cx.BadInput, match=sentence):
        Courses(**(facts | change))


def as_file(folder, **changes):
    """A file like fairpyx's."""
    written = dict(
        valuations={"s1": {"logic": 60, "art": 40}, "s2": {"logic": 100, "art": 50, "law": 50}},
        item_capacities={"logic": 1, "art": 2, "law": 1},
        agent_capacities={"s1": 2, "s2": 1},
        item_conflicts={"art": ["law"], "law": ["art"]},
        agent_conflicts={"s2": ["law"]},
    )
    path = folder / "courses.json"
    path.write_text(json.dumps({k: v for k, v in (written | changes).items() if v is not None}))
    return path


def test_a_file_is_read(tmp_path):
    economy = Courses.read(as_file(tmp_path), seed=3)
    assert economy.courses == ("logic", "art", "law") and economy.names == ("s1", "s2")
    assert economy.values.tolist() == [[60, 40, 0], [100, 50, 0]]
    assert economy.limits.tolist() == [2, 1] and economy.capacities.tolist() == [1, 2, 1]
    assert economy.conflicts == ((1, 2),) and economy.seed == 3
    assert Courses.read(as_file(tmp_path, item_conflicts=None, agent_conflicts=None)).conflicts == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(valuations=None), "has no valuations"),
        (dict(agent_capacities={"s1": 2}), "does not name student s2"),
        (dict(item_capacities={"logic": 1, "art": 2}), "names law, which has no seats"),
        (dict(item_capacities={"logic": "many", "art": 2, "law": 1}), "item_capacities, logic is 'many'"),
        (dict(agent_conflicts={"s2": 7}), "agent_conflicts, s2 is 7"),
    ],
)
def test_bad_files_are_refused(tmp_path, change, sentence):
    with pytest.raises(cx.BadInput, match=sentence):
        Courses.read(as_file(tmp_path, **change))


def test_no_file_and_no_json_are_refused(tmp_path):
    with pytest.raises(cx.BadInput, match="cannot be read"):
        Courses.read(tmp_path / "none.json")
    (tmp_path / "half.json").write_text("{")
    with pytest.raises(cx.BadInput, match="is not JSON"):
        Courses.read(tmp_path / "half.json")
