"""Who grows rich: Kelly's market is Bayes' mixture and Hedge; betting over and over is EM, and nobody profits at its end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from catallax.collective.market import wealth
from catallax.core.errors import BadInput

seeds = st.integers(0, 10_000)


def chances(seed: int, questions: int = 40, members: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).beta(2, 1, (questions, members))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@given(seeds)
def test_kelly_is_bayes_and_hedge_and_regrets_at_most_log_members(seed):
    p, start = chances(seed), np.random.default_rng(seed).dirichlet(np.ones(6))
    course = wealth.kelly(p, start)
    posterior, now = start, start
    for i, row in enumerate(p):
        close(course.price[i], posterior @ row)  # Bayes' predictive probability
        posterior = posterior * row / (posterior @ row)
        close(course.wealth[i + 1], posterior)
        now = now * row / (now @ row)  # the wealth update itself
        close(now, posterior)
    hedge = start * np.exp(-1.0 * np.sum(-np.log(p), 0))
    close(course.wealth[-1], hedge / hedge.sum())
    close(course.wealth.sum(1), 1)
    regret = np.log(p).sum(0) - np.log(course.price).sum()
    assert (regret <= -np.log(start) + 1e-10).all()
    equal = wealth.kelly(p)
    assert np.log(p).sum(0).max() - np.log(equal.price).sum() <= np.log(6) + 1e-10


@given(seeds, st.floats(0.01, 1.0))
def test_fractional_betting_is_kelly_with_a_belief_nearer_the_price(seed, share):
    p = chances(seed)
    course = wealth.fractional(p, share)
    now = np.full(6, 1 / 6)
    for i, row in enumerate(p):
        price = now @ row
        close(course.price[i], price)
        belief = share * row + (1 - share) * price
        now = now * belief / (now @ belief)
        close(course.wealth[i + 1], now)
    if share == 1:
        close(course.wealth, wealth.kelly(p).wealth)


@pytest.mark.parametrize("seed", range(4))
def test_betting_over_and_over_ends_where_em_does(seed):
    p = chances(seed, 25, 4)
    found = wealth.log_optimal(p, tolerance=1e-11)
    assert found.gap <= 1e-11
    profit = (p / (p @ found.weight)[:, None]).mean(0)
    assert (profit <= 1 + 1e-10).all()
    held = found.weight > 1e-6
    np.testing.assert_allclose(profit[held], 1, atol=1e-5)
    em = np.full(4, 0.25)  # responsibilities, then their mean: the textbook's EM
    for _ in range(4000):
        responsible = p * em / (p @ em)[:, None]
        em = responsible.mean(0)
    reached = [np.log(p @ w).mean() for w in (found.weight, em)]
    assert -1e-11 <= reached[0] - reached[1] <= 1e-3
    assert reached[0] >= reached[1] - 1e-11


def test_one_round_of_betting_is_one_step_of_em():
    p = chances(1)
    w = np.random.default_rng(2).dirichlet(np.ones(6))
    close((p * w / (p @ w)[:, None]).mean(0), w * (p / (p @ w)[:, None]).mean(0))
    once = wealth.fractional(p[:1], 1.0, w)
    close(once.wealth[1], (p[:1] * w / (p[:1] @ w)[:, None]).mean(0))


def test_the_most_likely_mixture_is_scipys():
    p = chances(3, 60, 3)

    def loss(x):
        w = np.exp(x - np.logaddexp.reduce(x))
        return -np.log(p @ w).mean()

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options=dict(xatol=1e-9, fatol=1e-14, maxiter=4000))
    assert -np.log(p @ wealth.log_optimal(p, tolerance=1e-12).weight).mean() == pytest.approx(best.fun, abs=1e-9)


def test_the_gap_bounds_what_is_missing_and_weights_count():
    p = chances(4)
    best = np.log(p @ wealth.log_optimal(p, tolerance=1e-12).weight).mean()
    rough = wealth.log_optimal(p, tolerance=1e-2)
    assert 0 <= best - np.log(p @ rough.weight).mean() <= rough.gap <= 1e-2
    twice = np.concatenate([p, p[:10]])
    count = np.where(np.arange(40) < 10, 2.0, 1.0)
    one, two = (wealth.log_optimal(x, weight=w, tolerance=1e-12).weight for x, w in ((twice, None), (p, count)))
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_fortunes_however_small_are_not_lost():
    p = np.where(np.arange(3000)[:, None] < 1500, [0.9, 0.1], [0.1, 0.9])
    course = wealth.kelly(p)
    assert course.wealth[1500, 1] == 0 or course.wealth[1500, 1] < 1e-300
    np.testing.assert_allclose(course.wealth[-1], 0.5, atol=1e-8)  # each was right as often


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: wealth.kelly([[0.5, 1.5]]), "from 0 to 1"),
        (lambda: wealth.kelly([0.5, 0.5]), "questions, members"),
        (lambda: wealth.kelly([[0.0, 0.0]]), "clip"),
        (lambda: wealth.kelly([[0.0, 0.5]], [1.0, 0.0]), "rule out"),
        (lambda: wealth.kelly([[0.5, 0.5]], [1.0, -1.0]), "at least 0"),
        (lambda: wealth.fractional([[0.5, 0.5]], 0), "share"),
        (lambda: wealth.fractional([[0.0, 0.5]], 1.0, [1, 0]), "rule out"),
    ],
)
def test_what_is_no_chance_or_wealth_is_refused(make, said):
    with pytest.raises(BadInput, match=said):
        make()
