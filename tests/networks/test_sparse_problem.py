"""`SparseCode`: a society of neurons that settles to the LASSO point, and what the regimes come to."""

import jax
import numpy as np
import pytest

import catallax as cx
from catallax.core.channel import Channel
from catallax.core.errors import BadInput, Refused
from catallax.measures.bits import bits, full_information
from catallax.networks.sparse.coder import SparseCoder
from catallax.networks.sparse.measures import active_share, activity_shares, dead_units, winners_entropy
from catallax.networks.sparse.problem import SparseCode, example, gabors
from catallax.testing import check_problem


@pytest.fixture(scope="module")
def problem():
    return example(neurons=20, samples=6, side=4)


@pytest.fixture(scope="module")
def rest(problem):
    return cx.settle(problem, 1e-4)


def unit_problem(**other):
    return SparseCode(**(dict(patches=np.eye(2), dictionary=np.eye(2), penalty=0.1) | other))


def test_it_keeps_the_laws(problem):
    bad = [
        lambda: unit_problem(penalty=0.0),
        lambda: unit_problem(penalty=-1.0),
        lambda: unit_problem(dictionary=2 * np.eye(2)),
        lambda: unit_problem(dictionary=np.array([[1.0, 0.0], [0.0, 0.0]])),
        lambda: unit_problem(patches=np.array([[np.nan, 0.0]])),
        lambda: unit_problem(patches=np.ones((2, 3))),
        lambda: unit_problem(rate=2.0),
    ]
    held = check_problem(problem, bad=bad)
    assert {"locality", "honest bits", "conservation", "reproducibility", "certificate"} <= set(held)


def test_it_settles_to_the_lasso_point_with_its_gap(problem, rest):
    assert rest.status == "settled" and rest.certificate <= 1e-4
    assert problem.gap(rest) == pytest.approx(rest.gap_of_sample.max())
    best = SparseCoder(np.asarray(problem.dictionary), tolerance=1e-12).code(np.asarray(problem.patches, float))
    np.testing.assert_allclose(rest.cost, best.cost, rtol=1e-4)
    assert (rest.cost >= best.cost * (1 - 1e-9)).all()


def test_in_float64_codes_agree_to_a_millionth_with_the_planner_and_with_coordinate_descent():
    with jax.enable_x64(True):
        fine = example(neurons=20, samples=6, side=4)
        rest, plan, contest = cx.settle(fine, 1e-12, max_rounds=50_000), fine.plan(), fine.contest(tolerance=1e-15)
    assert rest.status == "settled" and plan.status == "settled"
    assert plan.certificate <= 1e-12
    assert np.abs(rest.codes - plan.codes).max() < 1e-6
    assert np.abs(contest.codes - plan.codes).max() < 1e-6


def test_silence_says_too_much_and_the_planner_the_least(problem, rest):
    silent, best, full = (problem.welfare(x) for x in (problem.silence(), problem.plan(), problem.contest()))
    reached = problem.welfare(rest)
    assert silent["efficiency"] < 0.7 < 0.999 < reached["efficiency"] <= 1 + 1e-12
    assert best["efficiency"] == pytest.approx(1) and full["efficiency"] == pytest.approx(1, abs=1e-6)
    assert silent["active"] > 2 * best["active"] and silent["dead"] < best["dead"]
    np.testing.assert_array_equal(
        problem.silence().codes != 0, np.abs(np.asarray(problem.patches) @ np.asarray(problem.dictionary).T) > 0.1
    )


def test_nobody_gains_at_the_lasso_point_alone(problem):
    best, silent = problem.plan(), problem.silence()
    assert problem.gain(best) < 1e-12
    gain = problem.gain(silent)
    table, given, codes = np.asarray(problem.dictionary, float), np.asarray(problem.patches, float), silent.codes

    def cost(a):
        return ((given - a @ table) ** 2).sum() / 2 + 0.1 * np.abs(a).sum()

    tries = []
    for j in range(len(table)):  # each neuron alone, by a search over what it could say
        moved = codes.copy()
        for s in range(len(given)):
            options = np.append(np.linspace(-2, 2, 801), 0.0)
            rows = np.repeat(codes[s][None], len(options), 0)
            rows[:, j] = options
            costs = ((given[s] - rows @ table) ** 2).sum(1) / 2 + 0.1 * np.abs(rows).sum(1)
            moved[s, j] = options[np.argmin(costs)]
        tries.append(cost(codes) - cost(moved))
    assert gain == pytest.approx(max(tries) / cost(codes), rel=1e-3)


def test_the_signal_is_no_full_information_and_few_bits_go_far(problem):
    assert not full_information(problem)
    assert bits(problem.society())["public"] == problem.patches.size * 32
    loose, fine = (cx.run(problem, 300, channel=Channel(bits=b)) for b in (1, 8))
    poor, good = (problem.welfare(problem.outcome(x.society))["efficiency"] for x in (loose, fine))
    assert poor < good and good > 0.99


def test_twins_share_what_one_says(problem):
    crowd = problem.replicate(2)
    one, two = problem.plan(), cx.settle(crowd, 1e-4)
    np.testing.assert_allclose(two.cost, one.cost, rtol=1e-4)
    assert crowd.effect(two) == pytest.approx(problem.effect(one) / 2, rel=0.02)


def test_survivors_settle_afresh(problem, rest):
    keep = np.arange(20) >= 6
    left = problem.restrict(keep)
    at_once = left.outcome(left.carried(rest.society, keep))
    np.testing.assert_allclose(at_once.codes, rest.codes[:, keep], atol=1e-6)
    again = cx.settle(left, 1e-4)
    assert left.welfare(at_once)["efficiency"] < left.welfare(again)["efficiency"]
    with pytest.raises(Refused, match="no neurons would be left"):
        problem.restrict(np.zeros(20, bool))


def test_a_shock_is_noise_of_the_size_given(problem):
    shaken = problem.shocked(jax.random.key(0), 0.1)
    moved = np.asarray(shaken.patches - problem.patches)
    assert 0.05 < np.linalg.norm(moved) / np.linalg.norm(np.asarray(problem.patches)) < 0.2


def test_what_has_no_meaning_is_refused(problem):
    with pytest.raises(Refused, match="does not inhibit itself"):
        problem.society(0.5)
    with pytest.raises(Refused, match="overshoots"):
        problem.contest(0.5)
    with pytest.raises(BadInput, match=r"patches row 1 holds NaN"):
        unit_problem(patches=np.array([[1.0, 0.0], [np.nan, 0.0]]))


def test_codes_that_may_not_be_negative():
    half = SparseCode(example(20, 6, 4).patches, gabors(20, 4), 0.1, positive=True)
    rest = cx.settle(half, 1e-4)
    assert rest.status == "settled" and rest.codes.min() >= 0
    assert half.welfare(rest)["efficiency"] > 0.9999


def test_the_picture_shows_samples_what_is_explained_and_the_price(problem, rest):
    grid, bars = problem.scene(rest.society).items
    assert grid.values.shape == (3 * 4 + 2, 6 * 5 - 1)
    assert np.nanmax(np.abs(grid.values)) == 1
    assert (np.diff(bars.values) <= 0).all() and len(bars.labels) == 8


def test_measures_of_winners():
    codes = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
    np.testing.assert_allclose(activity_shares(codes), [0.25, 0.75, 0, 0])
    assert winners_entropy(codes) == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / np.log(4))
    assert winners_entropy(np.eye(3)) == pytest.approx(1)
    assert np.isnan(winners_entropy(np.zeros((2, 3))))
    np.testing.assert_array_equal(dead_units(codes), [False, False, True, True])
    assert active_share(codes) == 3 / 8
