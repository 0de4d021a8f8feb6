"""Slime mould: the turning rule, one body a cell, networks of known shape, and the laws."""

import dataclasses
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.colony.lattice.particles import side
from catallax.colony.lattice.veins import length_of, network_of, straight, thinned
from catallax.colony.lattice.walk import Turn, direction, straightened, three_feelers
from catallax.colony.slime import Slime, trail_of
from catallax.core import random
from catallax.core.parts import answers, whole
from catallax.core.society import Society
from catallax.measures.bits import bits
from catallax.signals.field import Lattice
from catallax.testing import check_locality, check_problem

FOOD = ((8.0, 8.0), (32.0, 8.0), (20.0, 30.0))
FREE = Slime(300, (40, 48), exclusive=False, sensor_offset=5.0)
WALLED = Slime(250, (40, 40), periodic=False, food=FOOD, sensor_offset=5.0)


@pytest.fixture(scope="module")
def ends():
    """Free and walled mould after some rounds."""
    return {name: cx.run(problem, 60, 1) for name, problem in (("free", FREE), ("walled", WALLED))}


# --- walking --------------------------------------------------------------------------------------------------


def test_directions_are_cosines_and_sines():
    share = np.linspace(0, 1, 1001, endpoint=False)
    east, north = direction(jnp.asarray(share, jnp.float32))
    np.testing.assert_allclose(east, np.cos(2 * np.pi * share), atol=3e-6)
    np.testing.assert_allclose(north, np.sin(2 * np.pi * share), atol=3e-6)


def test_turns_add_up_and_keep_their_length():
    one = jnp.float32(1), jnp.float32(0)
    np.testing.assert_allclose(Turn.degrees(30.0).of(*Turn.degrees(15.0).of(*one)), [np.sqrt(0.5)] * 2, rtol=1e-6)

    def turned(_, heading):
        return straightened(*Turn.degrees(22.5).of(*heading))

    east, north = jax.lax.fori_loop(0, 100_000, turned, one)
    assert float(east**2 + north**2) == pytest.approx(1, abs=1e-5)


@given(
    readings=st.tuples(*[st.integers(0, 3)] * 3),
    quarter=st.integers(0, 3),
    word=st.sampled_from([0, 2**31]),
)
def test_turning_is_jones_and_the_same_seen_in_a_mirror(readings, quarter, word):
    left, ahead, right = (jnp.float32(v) for v in readings)
    found = int(side((left, ahead, right), jnp.uint32(word)))
    table = {True: 0, False: (readings[0] > readings[2]) - (readings[0] < readings[2])}
    lowest = readings[1] < min(readings[0], readings[2])
    expected = (1 if word else -1) if lowest else table[readings[1] > max(readings[0], readings[2])]
    assert found == expected
    assert int(side((right, ahead, left), jnp.uint32(word ^ 2**31))) == -found


@settings(max_examples=20)
@given(turns=st.floats(0, 360), offset=st.floats(0, 20))
def test_feelers_turn_with_the_heading(turns, offset):
    heading, place = (jnp.float32(1), jnp.float32(0)), (jnp.float32(0), jnp.float32(0))
    turn = Turn.degrees(turns)
    before = three_feelers(*place, heading, Turn.degrees(45.0), offset)
    after = three_feelers(*place, turn.of(*heading), Turn.degrees(45.0), offset)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_allclose(turn.of(*old), new, atol=1e-4)
        assert np.hypot(*new) == pytest.approx(offset, abs=1e-4)


# --- the world turned by a quarter ----------------------------------------------------------------------------


def test_mould_on_a_turned_lattice_is_turned_mould():
    """All places, headings and the trail turned by 90 degrees: so is the next round (the rule knows no compass)."""
    start = Slime(40, (32, 32), exclusive=False, sensor_offset=4.0, rotation=90.0, sensor_angle=90.0).society()
    agents = start.agents
    x, y = (jnp.floor(v) + 0.5 for v in (agents.x, agents.y))
    compass = np.random.default_rng(0).integers(0, 4, 40)
    east, north = (jnp.asarray(np.array(v, np.float32)[compass]) for v in ((1, 0, -1, 0), (0, 1, 0, -1)))
    trail = jnp.asarray(np.random.default_rng(1).random((32, 32)), jnp.float32)
    plain = dataclasses.replace(agents, x=x, y=y, east=east, north=north)
    turned = dataclasses.replace(agents, x=32 - y, y=x, east=-north, north=east)  # a quarter to the left
    fields = [dataclasses.replace(start.signal, trail=t) for t in (trail, jnp.rot90(trail, -1))]
    one, two = (cx.run(Society(a, f), 1, 3).society for a, f in zip((plain, turned), fields, strict=True))
    np.testing.assert_allclose(two.agents.x, 32 - one.agents.y, atol=1e-4)
    np.testing.assert_allclose(two.agents.y, one.agents.x, atol=1e-4)
    np.testing.assert_allclose(two.signal.trail, jnp.rot90(one.signal.trail, -1), rtol=1e-5)


# --- one body a cell ------------------------------------------------------------------------------------------


def test_nobody_enters_a_cell_that_is_taken(ends):
    society = ends["walled"].society
    cells = Counter(
        zip(np.asarray(society.agents.x).astype(int), np.asarray(society.agents.y).astype(int), strict=True)
    )
    assert len(cells) == 250 and max(cells.values()) == 1


def test_of_two_who_want_one_cell_one_gets_it_and_who_is_there_stays():
    start = Slime(3, (12, 12), sensor_offset=3.0, deposit=5.0).society()
    at = dict(
        x=jnp.asarray([2.5, 4.5, 8.5]), y=jnp.full(3, 6.5), east=jnp.asarray([1.0, -1.0, 1.0]), north=jnp.zeros(3)
    )
    agents = dataclasses.replace(start.agents, **at, rank=jnp.arange(1, 4, dtype=jnp.uint32))
    signal = start.signal
    claims = (
        signal.claims.at[6, 3].set(2).at[6, 9].set(7 | 2**31)
    )  # the second has the higher rank; the third's is taken
    society = Society(agents, dataclasses.replace(signal, claims=claims))
    after = cx.run(society, 1).society
    np.testing.assert_array_equal(after.agents.x, [2.5, 3.5, 8.5])
    assert float(after.signal.field.trail.sum()) == pytest.approx(5 * 0.9, rel=1e-5)  # who stays lays nothing


def test_a_full_lattice_stands_still_and_an_empty_one_lets_everyone_go():
    full = cx.run(Slime(64, (8, 8), sensor_offset=1.0), 5).society
    np.testing.assert_array_equal(np.asarray(full.agents.x) % 1, 0.5)
    one = Slime(1, (16, 16), bits=0)
    start = cx.run(one, 1).society.agents
    after = cx.run(one, 11).society.agents
    missed = Lattice(16, 16).nearest(after.x - start.x - 10 * start.east, after.y - start.y - 10 * start.north)
    np.testing.assert_allclose(missed, 0, atol=1e-4)


def test_what_is_laid_and_fades_is_accounted_for():
    problem = dataclasses.replace(FREE, deposit=2.0, evaporation=0.25)
    total = trail_of(cx.run(problem, 7).society).sum()
    assert total == pytest.approx(sum(300 * 2.0 * 0.75**k for k in range(1, 8)), rel=1e-4)


# --- what comes of it -----------------------------------------------------------------------------------------


def test_told_of_the_trail_they_gather_and_in_silence_they_do_not(ends):
    for name, problem in (("free", FREE), ("walled", WALLED)):
        told = problem.welfare(ends[name])["concentration"]
        deaf = problem.welfare(dataclasses.replace(problem, rounds=60).silence())["concentration"]
        assert told > deaf + 0.1


def test_permuting_particles_permutes_what_they_do(ends):
    society = ends["free"].society
    order = np.random.default_rng(5).permutation(300)
    rows = jax.tree.map(lambda x: x[order] if x.ndim else x, society.agents)
    shuffled = Society(rows, society.signal, jnp.asarray(order, jnp.uint32))
    key = random.key(4)
    (_, (one,)), (_, (two,)) = (answers(s, whole(s, None, None), None, key) for s in (society, shuffled))
    np.testing.assert_array_equal(np.asarray(one.x)[order], two.x)


def test_laws():
    small = dataclasses.replace(WALLED, agents=60, food=None)
    held = check_problem(small, bad=[lambda: dataclasses.replace(small, evaporation=-1.0)])
    assert {"locality", "conservation", "reproducibility"} <= set(held)
    check_locality(dataclasses.replace(FREE, agents=60).society())  # all of them: 10,000 rounds without coming to rest


def test_bits_are_counted_as_they_are_heard():
    counted = {b: bits(dataclasses.replace(FREE, bits=b).society())["local"] for b in (1, 6, 12, None)}
    assert counted == {1: 300 * 3, 6: 300 * 3 * 8, 12: 300 * 3 * 16, None: 300 * 3 * 32}


# --- networks -------------------------------------------------------------------------------------------------

BOX = Lattice(41, 41, periodic=False)
CORNERS = np.array([(5.0, 5.0), (35.0, 5.0), (35.0, 35.0), (5.0, 35.0)])


def drawn(*lines, width: int = 1) -> np.ndarray:
    """Straight veins between (column, row) cells, along rows or columns."""
    trail = np.zeros((41, 41))
    for (a, b), (c, d) in lines:
        trail[
            min(b, d) - width // 2 : max(b, d) + width // 2 + 1, min(a, c) - width // 2 : max(a, c) + width // 2 + 1
        ] = 1
    return trail


SIDES = [((5, 5), (35, 5)), ((35, 5), (35, 35)), ((35, 35), (5, 35)), ((5, 35), (5, 5))]


@pytest.mark.parametrize("width", [1, 5])
def test_a_path_and_a_ring_around_four_corners(width):
    path = network_of(drawn(*SIDES[:3], width=width), CORNERS, BOX)
    ring = network_of(drawn(*SIDES, width=width), CORNERS, BOX)
    near = 1e-9 if width == 1 else 0.06  # wide veins let ways cut more of the corners
    saved, apart = 2 - np.sqrt(2), 30 * np.sqrt(2)  # by a diagonal step at each corner
    across = apart / (60 - saved)
    assert path.efficiency == pytest.approx(np.mean([1, 1, 1, across, across, 30 / (90 - 2 * saved)]), rel=near)
    assert ring.efficiency == pytest.approx(np.mean([1, 1, 1, 1, across, across]), rel=near)
    assert (path.joined, ring.joined) == (1, 1)
    assert path.cost == pytest.approx(1, abs=0.05 * width) and ring.cost == pytest.approx(4 / 3, abs=0.05 * width)
    assert (path.tolerance, ring.tolerance) == (0, 1)


def test_nothing_joined_and_half_joined():
    apart = network_of(drawn(SIDES[0], SIDES[2]), CORNERS, BOX)
    assert apart.joined == pytest.approx(2 / 6) and apart.efficiency == pytest.approx(2 / 6)
    none = network_of(np.zeros((41, 41)), CORNERS, BOX)
    assert (none.joined, none.efficiency, none.cost) == (0, 0, 0) and np.isnan(none.tolerance)


def test_the_torus_is_crossed_the_short_way():
    lattice = Lattice(41, 41)
    ends = np.array([(2.5, 20.5), (38.5, 20.5)])
    assert straight(ends, lattice)[0, 1] == 5
    assert network_of(drawn(((0, 20), (2, 20)), ((38, 20), (40, 20))), ends, lattice).efficiency == pytest.approx(1)


def test_thinning_keeps_what_hangs_together_and_the_length_of_lines():
    line = drawn(((5, 20), (34, 20))) > 0
    np.testing.assert_array_equal(thinned(line, BOX), line)
    assert length_of(line, BOX) == 29
    slanted = np.eye(41, dtype=bool)
    assert length_of(slanted, BOX) == pytest.approx(40 * np.sqrt(2))
    blob = drawn(((5, 15), (34, 25)), width=1) > 0
    assert 15 < thinned(blob, BOX).sum() < 32  # a bar 30 long and 11 wide, as a line


def test_planner_is_the_shortest_tree():
    problem = Slime(10, (40, 60), food=((0.0, 0.0), (30.0, 0.0), (0.0, 20.0)), periodic=False, sensor_offset=3.0)
    planned = problem.welfare(problem.plan())
    third = np.hypot(30, 20) / 50
    assert planned["efficiency"] == pytest.approx((2 + third) / 3) and (planned["cost"], planned["tolerance"]) == (1, 0)


# --- problems made of problems, refusals ----------------------------------------------------------------------


def test_survivors_start_where_they_did_and_copies_are_more():
    keep = np.array([3, 250, 299])
    whole_, few = FREE.society().agents, FREE.restrict(keep).society()
    np.testing.assert_allclose(few.agents.x, whole_.x[keep], rtol=1e-6)
    np.testing.assert_array_equal(few.ids, keep)
    assert FREE.replicate(3).agents == 900
    moved = WALLED.shocked(random.key(1), 0.5)
    assert moved.food.shape == WALLED.food.shape and not np.allclose(moved.food, WALLED.food)


BAD = {
    "agents": dict(agents=0),
    "shape": dict(shape=(40, 1)),
    "crowded": dict(agents=5000, exclusive=True),
    "evaporation": dict(evaporation=2.0),
    "offset": dict(sensor_offset=100.0),
    "angle": dict(sensor_angle=float("nan")),
    "food": dict(food=((50.0, 3.0),)),
    "no food": dict(food=np.zeros((0, 2))),
    "bits": dict(bits=99),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_a_sentence(name):
    with pytest.raises(cx.BadInput, match="give "):
        dataclasses.replace(FREE, **BAD[name])


def test_regimes_without_meaning_are_refused():
    for ask in (FREE.contest, FREE.plan, lambda: FREE.society(0.5), lambda: FREE.restrict([])):
        with pytest.raises(cx.Refused):
            ask()


def test_scene_shows_trail_and_food(ends):
    grid, food = WALLED.scene(ends["walled"].society).items
    assert grid.values.shape == (40, 40) and len(food.x) == 3
