"""Equilibria of games: counted, certified, and against optimisers that know nothing of supports."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import catallax as cx
from catallax.economy.play import nash

CHICKEN = np.array([[[6.0, 2], [7, 0]], [[6, 7], [2, 0]]])  # Aumann's


def value(row: np.ndarray) -> float:
    """The value of a zero-sum game, by a linear programme."""
    m, n = row.shape
    most = np.concatenate([np.zeros(m), [-1.0]])
    sure = np.concatenate([-row.T, np.ones((n, 1))], axis=1)
    found = linprog(most, sure, np.zeros(n), np.r_[np.ones(m), 0][None], [1.0], [(0, None)] * m + [(None, None)])
    return float(found.x[-1])


def deviation(payoffs: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """What the better of the two could gain, written out for two players."""
    row, column = payoffs
    return max((row @ other).max() - one @ row @ other, (one @ column).max() - one @ column @ other)


def test_matching_pennies_has_one_equilibrium_and_it_is_even():
    row = np.array([[1.0, -1], [-1, 1]])
    found = nash.support_enumeration(row, -row)
    assert found.complete
    assert found.note == ""
    ((one, other), gain) = found.found[0]
    assert len(found.found) == 1
    assert np.allclose([one, other], 0.5, atol=1e-15)
    assert gain == 0


def test_chicken_has_three_equilibria():
    found = nash.support_enumeration(*CHICKEN)
    strategies = sorted(tuple(np.round([one[0], other[0]], 12)) for (one, other), _ in found.found)
    assert np.allclose(strategies, [(0, 1), (2 / 3, 2 / 3), (1, 0)])
    assert found.complete


def test_the_best_correlated_equilibrium_of_chicken_is_aumanns():
    play, regret = nash.best_correlated(CHICKEN)
    assert np.allclose(play, [[0.5, 0.25], [0.25, 0]], atol=1e-9)
    assert regret <= 1e-12
    assert (CHICKEN.sum(0) * play).sum() == pytest.approx(10.5)


@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_random_games_have_an_odd_number_of_certified_equilibria(m, n, seed):
    payoffs = np.random.default_rng(seed).normal(size=(2, m, n))
    found = nash.support_enumeration(*payoffs)
    assert found.complete
    assert len(found.found) % 2 == 1
    for (one, other), gain in found.found:
        assert deviation(payoffs, one, other) <= 1e-9
        assert gain <= 1e-9
        assert np.isclose([one.sum(), other.sum()], 1, atol=1e-12).all()
        assert min(one.min(), other.min()) >= 0
    pure = {tuple(int(x.argmax()) for x in s) for s, _ in found.found if max(map(np.count_nonzero, s)) == 1}
    assert pure == set(nash.pure_equilibria(payoffs))


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_vertices_find_what_trying_all_supports_finds(m, n, seed):
    payoffs = np.random.default_rng(seed).normal(size=(2, m, n))
    quick, sure = nash.equilibria(payoffs), nash.support_enumeration(*payoffs)
    assert quick.complete and sure.complete
    assert len(quick.found) == len(sure.found)
    for one in quick.found:
        assert sum(nash.near(one.strategies, other.strategies) for other in sure.found) == 1
        assert one.gain <= 1e-12


@pytest.mark.parametrize("size", [11, 13])
def test_all_equilibria_of_games_with_too_many_pairs_of_supports(size):
    payoffs = np.random.default_rng(size).normal(size=(2, size, size))
    found = nash.equilibria(payoffs)
    assert nash.pairs_of_supports((size, size)) > nash.SUPPORTS
    assert found.complete and len(found.found) % 2 == 1
    assert max(deviation(payoffs, *e.strategies) for e in found.found) <= 1e-9
    pure = {
        tuple(int(x.argmax()) for x in e.strategies)
        for e in found.found
        if max(map(np.count_nonzero, e.strategies)) == 1
    }
    assert pure == set(nash.pure_equilibria(payoffs))


def test_of_a_game_of_meeting_every_set_of_places_has_its_mixture():
    # mixed so that all of the set is equally good, and nothing outside it anything
    found = nash.equilibria(np.stack([np.eye(5), np.eye(5)]) * np.arange(1, 6))
    assert found.complete
    assert len(found.found) == 2**5 - 1


@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_a_zero_sum_game_is_worth_what_its_linear_programme_says(m, n, seed):
    row = np.random.default_rng(seed).normal(size=(m, n))
    found = nash.support_enumeration(row, -row)
    assert len(found.found) == 1
    one, other = found.found[0].strategies
    assert one @ row @ other == pytest.approx(value(row), abs=1e-9)


@given(st.integers(2, 4), st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_no_equilibrium_is_better_than_the_best_correlated_one(m, n, seed):
    payoffs = np.random.default_rng(seed).random((2, m, n))
    play, regret = nash.best_correlated(payoffs)
    assert regret <= 1e-8
    best = (payoffs.sum(0) * play).sum()
    for strategies, _ in nash.support_enumeration(*payoffs).found:
        alone = nash.joint(strategies)
        assert nash.regrets(payoffs, alone) <= 1e-9  # every Nash equilibrium is a correlated one
        assert (payoffs.sum(0) * alone).sum() <= best + 1e-8


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_units_of_payoffs_do_not_matter(seed, scale, shift):
    payoffs = np.random.default_rng(seed).normal(size=(2, 3, 4))
    plain = nash.support_enumeration(*payoffs)
    other = nash.support_enumeration(payoffs[0] * scale + shift, payoffs[1])
    assert len(plain.found) == len(other.found)
    for a, b in zip(plain.found, other.found, strict=True):
        assert nash.near(a.strategies, b.strategies)


@pytest.mark.parametrize(
    "payoffs",
    [
        np.zeros((2, 3, 3)),  # anything goes
        np.array([[[1.0, 1], [0, 1]], [[1, 1], [0, 1]]]),  # a row with two best answers
        np.array([[[1.0, 0], [0, 1], [0.5, 0.5]], [[1, 0], [0, 1], [0.5, 0.5]]]),  # three best answers to a half
    ],
)
@pytest.mark.parametrize("way", [nash.equilibria, lambda payoffs: nash.support_enumeration(*payoffs)])
def test_degenerate_games_are_said_to_be_so(payoffs, way):
    found = way(payoffs)
    assert not found.complete
    assert "degenerate" in found.note
    assert found.found
    assert all(gain <= nash.TIE for _, gain in found.found)


def test_regret_of_a_joint_play_is_that_of_the_worst_advice():
    # told to dare half of the time and to yield half of the time, both alike: who yields while the other yields regrets
    play = np.array([[0.5, 0], [0, 0.5]])
    # told the first, the second would have earned 7 instead of 6; told the second, the first 2 instead of 0
    assert nash.regrets(CHICKEN, play) == pytest.approx(max(0.5 * (7 - 6), 0.5 * (2 - 0)) / 7)


def test_pure_equilibria_of_three_players():
    payoffs = np.zeros((3, 2, 2, 2))
    payoffs[:, 1, 1, 1] = 1  # all or nobody
    assert (1, 1, 1) in nash.pure_equilibria(payoffs)
    assert (1, 1, 0) not in nash.pure_equilibria(payoffs)
    listed = nash.equilibria(payoffs)
    assert not listed.complete
    assert "3 players" in listed.note
    assert all(gain == 0 for _, gain in listed.found)


def test_gains_of_three_players_against_a_sum_over_all_joint_actions():
    random = np.random.default_rng(0)
    payoffs, strategies = random.normal(size=(3, 2, 3, 4)), [random.dirichlet(np.ones(n)) for n in (2, 3, 4)]
    each = nash.answers(payoffs, strategies)
    known = np.einsum("abc,a,c->b", payoffs[1], strategies[0], strategies[2])
    assert np.allclose(each[1], known)
    gain = max((v.max() - v @ s) / np.ptp(u) for v, s, u in zip(each, strategies, payoffs, strict=True))
    assert nash.gains(payoffs, strategies) == pytest.approx(gain)


def test_bad_matrices_are_refused_in_a_sentence():
    with pytest.raises(cx.BadInput, match="shapes"):
        nash.support_enumeration(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(cx.BadInput, match=r"row\[0, 1\]"):
        nash.support_enumeration(np.array([[0.0, np.nan]]), np.ones((1, 2)))
    with pytest.raises(cx.Refused, match="pairs of supports"):
        nash.support_enumeration(np.ones((12, 12)), np.ones((12, 12)))
