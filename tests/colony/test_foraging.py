"""Foraging ants: no unit is had twice, the planner's bound holds, and the trail pays."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.colony.foraging import Foraging
from catallax.colony.lattice.forager import aimed, uphill
from catallax.core import random
from catallax.core.society import Society
from catallax.testing import check_problem

SMALL = Foraging(
    30, (31, 31), nest=(15.5, 15.5), nest_radius=3.0, food=((26.5, 15.5),), food_radius=2.0, units=3, rounds=400
)


@pytest.fixture(scope="module")
def told():
    """The default colony, three seeds, told the trail and not."""
    colonies = [Foraging(seed=seed) for seed in range(3)]
    return [(p, cx.run(p, p.rounds, p.seed, tolerance=1e-6), p.silence()) for p in colonies]


# --- rules ----------------------------------------------------------------------------------------------------


@given(readings=st.tuples(*[st.integers(0, 3)] * 3))
def test_uphill_is_resnick(readings):
    left, ahead, right = readings
    expected = 0
    if right > ahead or left > ahead:
        expected = -1 if right >= left else 1
    assert int(uphill(*(jnp.int32(v) for v in readings))) == expected


@settings(max_examples=30)
@given(heading=st.floats(0, 2 * np.pi), way=st.floats(0, 2 * np.pi), far=st.floats(0.1, 50))
def test_aiming_turns_to_the_way_by_at_most_an_eighth(heading, way, far):
    start = jnp.float32(np.cos(heading)), jnp.float32(np.sin(heading))
    east, north = aimed(start, (jnp.float32(far * np.cos(way)), jnp.float32(far * np.sin(way))))
    assert float(jnp.hypot(east, north)) == pytest.approx(1, abs=1e-5)
    between = (way - heading + np.pi) % (2 * np.pi) - np.pi
    turned = (float(jnp.arctan2(north, east)) - heading + np.pi) % (2 * np.pi) - np.pi
    if abs(abs(between) - np.pi) > 1e-2:  # straight back: to either side
        assert turned == pytest.approx(np.clip(between, -np.pi / 4, np.pi / 4), abs=1e-3)


def test_aiming_nowhere_keeps_the_heading():
    east, north = aimed((jnp.float32(0.6), jnp.float32(0.8)), (jnp.float32(0), jnp.float32(0)))
    assert (float(east), float(north)) == pytest.approx((0.6, 0.8))


def test_of_three_on_one_unit_one_gets_it():
    start = dataclasses.replace(SMALL, agents=3, units=1).society()
    spot = jnp.full(3, 26.2), jnp.full(3, 15.2)
    society = Society(dataclasses.replace(start.agents, x=spot[0], y=spot[1]), start.signal)
    society = cx.run(society, 1).society  # all three claim
    np.testing.assert_array_equal(society.agents.claimed, [True] * 3)
    assert int(society.signal.food.sum()) == dataclasses.replace(SMALL, units=1).supply.sum() - 1
    society = cx.run(society, 1).society
    np.testing.assert_array_equal(society.agents.loaded, [False, False, True])
    assert int(society.signal.food[15, 26]) == 0


# --- food and time --------------------------------------------------------------------------------------------


def test_laws():
    held = check_problem(SMALL, bad=[lambda: dataclasses.replace(SMALL, goal=0.0)])
    assert {"locality", "conservation", "reproducibility"} <= set(held)


def test_food_is_conserved_to_the_unit(told):
    for problem, *outcomes in told:
        for outcome in outcomes:
            assert outcome.home + outcome.carried + outcome.left == problem.supply.sum()
            assert outcome.status == "settled" and outcome.home >= problem.wanted


def test_the_trail_pays_and_nobody_beats_the_planner(told):
    signal, silence = (np.mean([p.welfare(o[k])["efficiency"] for p, *o in told]) for k in (0, 1))
    problem = told[0][0]
    full, plan = (problem.welfare(o)["efficiency"] for o in (problem.contest(), problem.plan()))
    assert silence * 1.5 < signal < full < plan == 1.0


def test_one_ant_that_knows_the_way_takes_what_the_planner_says():
    """Food in one cell, straight east: each unit costs 2 ceil(D) + 1 rounds, the planner's bound is reached but for the start."""
    lone = dataclasses.replace(SMALL, agents=1, units=4, food=((25.5, 15.5),), food_radius=0.4, goal=1.0)
    assert lone.supply.sum() == 4
    out = int(np.ceil(9.5 - 3))  # from the edge of the nest to that of the cell
    np.testing.assert_array_equal(lone.cycles(), 2 * out + 1)
    assert lone.least_rounds(4) == 4 * (2 * out + 1) + 1
    took = lone.contest().clock
    assert (
        lone.least_rounds(4) <= took <= lone.least_rounds(4) + 4 * 2 + 2 * 3 + 8
    )  # whole steps, the nest's inside, a turn


@pytest.mark.parametrize("home", [1, 10, 39])
def test_the_bound_grows_with_food_and_falls_with_ants(home):
    more = dataclasses.replace(SMALL, agents=60)
    assert 0 == SMALL.least_rounds(0) < SMALL.least_rounds(home) < SMALL.least_rounds(home + 1) + 1e-9
    assert more.least_rounds(home) <= SMALL.least_rounds(home)


def test_few_bits_pay_nearly_as_much(told):
    """Four bits beat silence as clearly as the exact smell does."""
    runs = [(q := p.quantised(4), cx.run(q, q.rounds, q.seed, tolerance=1e-6)) for p, *_ in told]
    few = np.mean([q.welfare(o)["efficiency"] for q, o in runs])
    assert few > 1.5 * np.mean([p.welfare(silence)["efficiency"] for p, _, silence in told])


# --- a changed world ------------------------------------------------------------------------------------------


def test_when_food_is_moved_a_season_begins_with_ants_and_trail_as_they_were(told):
    problem, outcome, _ = told[0]
    moved = problem.shocked(random.key(2), 0.5)
    assert not np.allclose(moved.food, problem.food)
    society = moved.carried(outcome.society)
    start = moved.outcome(society)
    assert (start.home, start.clock, start.left) == (0, 0, moved.supply.sum())
    np.testing.assert_array_equal(society.signal.field.trail, outcome.society.signal.field.trail)
    before = moved.conserved(society)["food"]
    after = cx.run(society, 50, 3).society
    assert moved.conserved(after)["food"] == before
    assert moved.outcome(after).clock == 50


def test_fewer_and_more_ants():
    few = SMALL.restrict(np.array([1, 5, 29]))
    np.testing.assert_array_equal(few.society().agents.name, [1, 5, 29])
    assert SMALL.replicate(2).agents == 60
    old = cx.run(SMALL, 20).society
    left = few.carried(old, np.array([1, 5, 29]))
    np.testing.assert_array_equal(left.agents.x, old.agents.x[np.array([1, 5, 29])])
    assert few.least_rounds(5) > SMALL.least_rounds(5)


BAD = {
    "agents": dict(agents=0),
    "units": dict(units=0),
    "goal": dict(goal=0.0),
    "share": dict(evaporation=-0.1),
    "nest": dict(nest=(40.0, 1.0)),
    "food": dict(food=((3.0, 99.0),)),
    "no cell": dict(food_radius=0.0, food=((26.0, 15.0),)),
    "wiggle": dict(wiggle=float("inf")),
    "shape": dict(shape=(31, 0)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_a_sentence(name):
    with pytest.raises(cx.BadInput, match="give "):
        dataclasses.replace(SMALL, **BAD[name])


def test_regimes_without_meaning_are_refused():
    for ask in (lambda: SMALL.society(0.5), lambda: SMALL.contest(0.5), lambda: SMALL.restrict([])):
        with pytest.raises(cx.Refused):
            ask()


def test_scene_shows_trail_food_ants_and_nest(told):
    grid, food, ants, nest = told[0][0].scene(told[0][1].society).items
    assert grid.values.shape == (71, 71) and len(ants.x) == 125 and len(food.x) > 0 and nest.label == ("nest",)
