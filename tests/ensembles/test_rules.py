"""Price rules: closed forms, fixpoints, and the same optima by other solvers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from catallax.collective.market import wealth as betting
from catallax.ensembles.offers import log_score, offers
from catallax.ensembles.rules import funds, linear
from catallax.ensembles.rules.exponential import amended, exponential
from catallax.ensembles.rules.isoelastic import isoelastic

ROWS, MEMBERS, OUTCOMES = 90, 4, 3


def drawn(seed=0, rows=ROWS, members=MEMBERS, outcomes=OUTCOMES, weight=None):
    """Members who know something, and something in common."""
    random = np.random.default_rng(seed)
    outcome = random.integers(outcomes, size=rows)
    score = random.normal(size=(rows, members, outcomes)) + random.normal(size=(rows, 1, outcomes))
    score += 2 * random.random((1, members, 1)) * np.eye(outcomes)[outcome][:, None]
    belief = np.exp(score)
    return offers(belief / belief.sum(-1, keepdims=True), outcome, weight)


def fold(there):
    return np.arange(len(there.outcome)) % 5


def loss(there, score, weight=None):
    """- sum of log softmax, written anew."""
    score = score - score.max(1, keepdims=True)
    log = score - np.log(np.exp(score).sum(1, keepdims=True))
    return -there.weight @ log[np.arange(len(score)), there.outcome]


def test_kelly_wealth_is_the_posterior_of_a_bayes_mixture():
    there = drawn()
    wealth = np.full(MEMBERS, 1 / MEMBERS)
    for hit in there.hits:  # trade after trade at pari-mutuel odds
        wealth = wealth * hit / (wealth @ hit)
    np.testing.assert_allclose(linear.kelly(there).wealth, wealth, rtol=1e-10)


def test_at_em_wealth_nobody_profits():
    there = drawn(1)
    price = linear.em(there)
    profit = np.mean(there.hits / (there.hits @ price.wealth)[:, None], axis=0)
    assert price.excess <= 1e-8
    assert profit.max() <= 1 + 1e-8
    np.testing.assert_allclose(profit[price.wealth > 1e-4], 1, atol=1e-6)


def test_em_is_the_likeliest_mixture_scipy_finds():
    there = drawn(2)
    found = minimize(
        lambda w: -np.log(there.hits @ w).mean(),
        np.full(MEMBERS, 1 / MEMBERS),
        bounds=[(0, 1)] * MEMBERS,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 500},
    )
    ours = -np.log(there.hits @ linear.em(there).wealth).mean()
    assert ours <= found.fun + 1e-8


@pytest.mark.parametrize("bias", [False, True])
def test_log_pool_is_the_optimum_scipy_finds(bias):
    there, ridge = drawn(3), 10.0
    price = exponential(there, ridge, bias=bias)

    def objective(theta):
        tolerance, opening = theta[:MEMBERS], theta[MEMBERS:] if bias else np.zeros(OUTCOMES)
        score = opening + np.einsum("m,nmk->nk", tolerance, np.log(there.belief))
        pull = ridge * MEMBERS * np.square(tolerance - 1 / MEMBERS).sum() + np.square(opening).sum()
        return loss(there, score) + pull / 2

    free = OUTCOMES if bias else 0
    found = minimize(
        objective,
        np.r_[np.full(MEMBERS, 1 / MEMBERS), np.zeros(free)],
        bounds=[(0, None)] * MEMBERS + [(None, None)] * free,
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000},
    )
    ours = objective(price.theta)
    assert ours <= found.fun + 1e-7
    assert price.excess <= 1e-9
    np.testing.assert_allclose(price.theta, found.x, atol=2e-4)


def test_amended_pool_with_a_heavy_ridge_is_the_index():
    there = drawn(4)
    price = amended(there, 1e8)
    index = price.index.price(there.belief) ** price.depth * np.exp(price.bias)
    np.testing.assert_allclose(price.price(there.belief), index / index.sum(1, keepdims=True), atol=1e-6)


def test_isoelastic_meets_the_linear_and_the_log_pool():
    there = drawn(5)
    one = isoelastic(there, 1.0)
    plain = np.einsum("m,nmk->nk", one.wealth, there.belief) ** one.extreme * np.exp(one.bias)
    np.testing.assert_allclose(one.price(there.belief), plain / plain.sum(1, keepdims=True), rtol=1e-10)
    near = isoelastic(there, 1e-6)
    score = near.bias + near.extreme * np.einsum("m,nmk->nk", near.wealth, np.log(there.belief))
    price = np.exp(score) / np.exp(score).sum(1, keepdims=True)
    np.testing.assert_allclose(near.price(there.belief), price, atol=1e-5)


def test_isoelastic_is_at_rest():
    """No small step of any parameter is an improvement."""
    there = drawn(6)
    price = isoelastic(there, 0.5)

    def objective(theta):
        wealth, strength, bias = np.exp(theta[:MEMBERS]), np.exp(theta[MEMBERS]), theta[MEMBERS + 1 :]
        score = bias + strength / 0.5 * np.log(np.einsum("m,nmk->nk", wealth, there.belief**0.5))
        pull = np.square(theta[:MEMBERS]).sum() + 1e-3 * theta[MEMBERS] ** 2 + np.square(bias).sum()
        return loss(there, score) + pull / 2

    step = 1e-5
    slope = [
        (objective(price.theta + step * e) - objective(price.theta - step * e)) / (2 * step)
        for e in np.eye(len(price.theta))
    ]
    np.testing.assert_allclose(slope, 0, atol=1e-3)


@pytest.mark.parametrize("market", funds.MARKETS)
def test_receipts_add_up_and_payments_cancel(market):
    there = drawn(7)
    price = funds.learn(market, there, fold(there))
    own = price.receipt(there.belief)
    np.testing.assert_allclose(own.price, price.price(there.belief), atol=1e-12)
    np.testing.assert_allclose(own.moved.sum(1), own.price - own.opening, atol=1e-10)
    np.testing.assert_allclose(own.profit.sum(1) + own.maker, 0, atol=1e-12)
    np.testing.assert_allclose(own.price.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(price.shares().sum(), 1, atol=1e-12)


@pytest.mark.parametrize("market", funds.MARKETS)
def test_a_silent_member_is_not_heard(market):
    there = drawn(8)
    price = funds.learn(market, there, fold(there))
    for member in range(MEMBERS):
        silent = price.without(member)
        other = there.belief.copy()
        other[:, member] = np.random.default_rng(1).dirichlet(np.ones(OUTCOMES), ROWS)
        np.testing.assert_allclose(silent.price(other), silent.price(there.belief), atol=1e-12)
        np.testing.assert_allclose(silent.receipt(there.belief).moved[:, member], 0, atol=1e-12)


@pytest.mark.parametrize("market", funds.MARKETS)
def test_the_cap_holds_and_a_capped_market_learns_no_better(market):
    there, cap = drawn(9), 0.3
    capped = funds.learn(market, there, fold(there), cap=cap)
    assert capped.shares().max() <= cap + 1e-9
    np.testing.assert_allclose(capped.shares().sum(), 1, atol=1e-9)
    if market == "em":
        free = funds.learn(market, there, fold(there))
        assert log_score(free.price(there.belief), there) >= log_score(capped.price(there.belief), there) - 1e-9


def test_capped_em_is_the_likeliest_within_the_cap():
    there, cap = drawn(10), 0.3
    found = minimize(
        lambda w: -np.log(there.hits @ w).mean(),
        np.full(MEMBERS, 1 / MEMBERS),
        bounds=[(0, cap)] * MEMBERS,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-13, "maxiter": 500},
    )
    assert -np.log(there.hits @ linear.em(there, cap).wealth).mean() <= found.fun + 1e-8


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=8).filter(lambda w: sum(w) > 0.1), st.floats(0.0, 1.0))
@settings(deadline=None)
def test_capping_keeps_the_order_and_the_sum(wealth, part):
    wealth = np.array(wealth)
    cap = 1 / len(wealth) + part * (1 - 1 / len(wealth))
    capped = betting.capped(wealth, cap)
    assert capped.max() <= cap + 1e-12
    np.testing.assert_allclose(capped.sum(), 1, atol=1e-12)
    order = np.argsort(wealth, kind="stable")
    assert (np.diff(capped[order]) >= -1e-12).all()


@pytest.mark.parametrize("market", [m for m in funds.MARKETS if m != "fractional"])  # bets row after row: order counts
def test_order_of_rows_and_weights_as_copies(market):
    there = drawn(11, rows=60)
    price = funds.learn(market, there, fold(there))
    order = np.random.default_rng(0).permutation(60)
    again = funds.learn(market, there.take(order), fold(there)[order])
    np.testing.assert_allclose(again.price(there.belief), price.price(there.belief), atol=1e-7)
    twice = np.repeat(np.arange(60), 1 + np.arange(60) % 3)
    copies = funds.learn(market, there.take(twice), fold(there)[twice])
    counted = drawn(11, rows=60, weight=1.0 + np.arange(60) % 3)
    weighed = funds.learn(market, counted, fold(there))
    np.testing.assert_allclose(weighed.price(there.belief), copies.price(there.belief), atol=1e-7)


def test_order_of_members_does_not_matter():
    there, order = drawn(12), np.array([2, 0, 3, 1])
    price = funds.learn("auto", there, fold(there))
    again = funds.learn("auto", there.only(order), fold(there))
    np.testing.assert_allclose(again.shares(), price.shares()[order], atol=1e-6)
    np.testing.assert_allclose(again.price(there.belief[:, order]), price.price(there.belief), atol=1e-7)


def test_a_copy_of_a_member_hardly_moves_a_log_pool():
    """Two names of one opinion do not have two votes."""
    there = drawn(13, rows=400)
    price = funds.learn("cara", there, fold(there))
    copied = there.only(np.array([0, 1, 2, 3, 0]))
    again = funds.learn("cara", copied, fold(there))
    assert np.abs(again.price(copied.belief) - price.price(there.belief)).mean() < 0.01


def test_funds_own_by_what_they_scored_on_rows_they_had_not_seen():
    there = drawn(14)
    price = funds.learn("auto", there, fold(there))
    assert isinstance(price, funds.Funds) and len(price.names) == 16
    odds = np.exp(funds.STAKE * ROWS * (price.score - price.score[0]))
    np.testing.assert_allclose(price.wealth, odds / odds.sum(), rtol=1e-10)
    held = np.zeros(ROWS)
    for part in range(5):
        learnt = there.take(fold(there) != part)
        kept = there.take(fold(there) == part)
        held[fold(there) == part] = np.log(
            linear.em(learnt).price(kept.belief)[np.arange(len(kept.outcome)), kept.outcome]
        )
    np.testing.assert_allclose(price.score[0], held.mean(), atol=1e-10)


def test_beliefs_outside_their_range_are_refused():
    belief = np.full((3, 2, 2), 0.5)
    belief[1, 1, 0] = 1.5
    with pytest.raises(ValueError, match="member 1 gave outcome 0 the probability 1.5 in row 1"):
        offers(belief, np.zeros(3, int))
    belief[1, 1, 0] = np.nan
    with pytest.raises(ValueError, match="row 1"):
        offers(belief, np.zeros(3, int))
