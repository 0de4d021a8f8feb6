"""Pools on a continuum of outcomes: closed forms, fixpoints, and the same optima by other solvers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.optimize import minimize

from catallax.ensembles.rules import continuum, mixing
from catallax.ensembles.rules.believe import Belief, Said, calibrate, factors
from catallax.ensembles.rules.bounded import Told
from catallax.ensembles.rules.density import Density
from catallax.ensembles.rules.gaussian import Gaussian, gaussian
from catallax.ensembles.rules.quantile import Quantile, crps, quantile

ROWS, MEMBERS, FLOOR = 80, 3, 1e-3


def drawn(seed=0, rows=ROWS, tails=4.0, weight=None):
    """Members who know something, and something in common; the last tells how much."""
    random = np.random.default_rng(seed)
    y = random.normal(size=rows)
    common, noise = random.standard_t(tails, size=(rows, 1)), random.standard_t(tails, size=(rows, MEMBERS))
    spread = np.ones((rows, MEMBERS))
    spread[:, -1] = np.exp(random.normal(size=rows) / 2)
    mean = y[:, None] + 0.3 * common + np.array([0.2, 0.5, 0.4]) * noise * spread
    return Said(mean, spread, y, np.ones(rows) if weight is None else weight)


def told(said):
    own = calibrate(said, FLOOR)
    belief = own.belief(said.mean, said.spread)
    return Told(belief.mean, belief.scale, said.y, said.weight), belief


def fold(said):
    return np.arange(len(said.y)) % 5


# --- densities ---


def test_one_part_is_the_student_and_the_gaussian_of_scipy():
    y, place, scale = np.array([-2.0, 0.3, 9.0]), np.array([[0.5], [0.3], [-1.0]]), np.array([[1.0], [0.2], [3.0]])
    for dof, law in ((np.inf, stats.norm), (4.0, lambda a, b: stats.t(4, a, b))):
        price, same = Density(np.ones(1), place, scale, np.array([dof])), law(place[:, 0], scale[:, 0])
        np.testing.assert_allclose(price.log(y), same.logpdf(y), rtol=1e-12)
        np.testing.assert_allclose(price.below(y), same.cdf(y), rtol=1e-10)
        np.testing.assert_allclose(price.std(), same.std(), rtol=1e-12)
        np.testing.assert_allclose(price.quantiles(np.array([0.05, 0.8])).T, [same.ppf(0.05), same.ppf(0.8)], rtol=1e-8)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.01, 1), st.floats(-50, 50), st.floats(0.01, 10)), min_size=2, max_size=5),
    st.floats(0.001, 0.999),
)
def test_quantiles_of_mixtures_have_that_much_below_them(parts, level):
    weight, place, scale = np.array(parts).T
    price = Density(weight / weight.sum(), place[None], scale[None], np.where(np.arange(len(parts)) % 2, 3.0, np.inf))
    found = price.quantiles(np.array([level]))
    assert price.below(found)[0, 0] == pytest.approx(level, abs=1e-9)


def test_moments_of_a_mixture():
    at = np.linspace(-60, 60, 40_001)
    place, scale = np.tile([[0.0, 2.0]], (len(at), 1)), np.tile([[1.0, 0.5]], (len(at), 1))
    price = Density(np.array([0.3, 0.7]), place, scale, np.array([5.0, np.inf]))
    dense = np.exp(price.log(at))
    np.testing.assert_allclose(dense, 0.3 * stats.t(5).pdf(at) + 0.7 * stats.norm(2, 0.5).pdf(at), rtol=1e-10)
    mean = integrate.trapezoid(at * dense, at)
    assert price.mean()[0] == pytest.approx(mean, abs=1e-6)
    assert price.std()[0] ** 2 == pytest.approx(integrate.trapezoid((at - mean) ** 2 * dense, at), abs=1e-3)


# --- beliefs ---


@pytest.mark.parametrize("dof", [3.0, 10.0, np.inf])
def test_spreads_are_the_likeliest(dof):
    random = np.random.default_rng(0)
    z, weight = random.standard_t(4, size=(60, 2)), random.random(60)
    law = stats.norm if np.isinf(dof) else stats.t(dof)
    for column, factor in zip(z.T, factors(np.abs(z), weight, dof)):
        loss = lambda f: -weight @ (law.logpdf(column / f) - np.log(f))  # noqa: B023, E731
        assert loss(factor) <= min(loss(factor * 1.0001), loss(factor / 1.0001))


def test_tails_are_learnt_from_all_members():
    assert calibrate(drawn(1, rows=600, tails=3.0), FLOOR).dof <= 6
    assert calibrate(drawn(1, rows=600, tails=1e6), FLOOR).dof >= 10


def test_one_outlier_hardly_widens_a_trader():
    said = drawn(2)
    y = said.y.copy()
    y[0] += 1e6
    before, after = calibrate(said, FLOOR), calibrate(said._replace(y=y), FLOOR)
    assert (after.factor < 2 * before.factor).all() and after.dof <= before.dof


# --- log pools ---


def test_two_gaussians_in_closed_form():
    """Precisions add up by tolerance."""
    pool = Gaussian(np.array([0.5, 2.0]), 0.0, 0.0, np.inf, np.ones(2))
    price = pool.price(Belief(np.array([[1.0, 4.0]]), np.array([[0.5, 2.0]]), np.inf))
    precision = 0.5 / 0.25 + 2.0 / 4
    assert price.mean()[0] == pytest.approx((0.5 / 0.25 * 1 + 2.0 / 4 * 4) / precision, rel=1e-14)
    assert price.std()[0] == pytest.approx(precision**-0.5, rel=1e-14)


def test_the_price_is_the_product_of_densities():
    said = drawn(3, rows=4)
    pool, (_, belief) = Gaussian(np.array([0.3, 0.9, 0.2]), 0.4, -0.2, np.inf, np.ones(3)), told(said)
    at = np.linspace(-30, 30, 200_001)
    for row in range(4):
        log = -0.2 * at - 0.2 * at**2
        for tau, mean, scale in zip(pool.tolerance, belief.mean[row], belief.scale[row]):
            log = log + tau * stats.norm(mean, scale).logpdf(at)
        dense = np.exp(log - log.max())
        dense /= integrate.trapezoid(dense, at)
        price = pool.price(Belief(*(part[row : row + 1] for part in belief[:2]), np.inf))
        assert price.mean()[0] == pytest.approx(integrate.trapezoid(at * dense, at), abs=1e-8)
        assert np.exp(price.log(at[[100_500]]))[0] == pytest.approx(dense[100_500], abs=1e-8)


@pytest.mark.parametrize("dof", [np.inf, 4.0])
def test_log_pool_is_the_optimum_scipy_finds(dof):
    weight = 1.0 + np.arange(ROWS) % 3
    learnt, _ = told(drawn(4, weight=weight))
    pool, ridge = gaussian(learnt, 5.0, dof=dof), 5.0

    def objective(theta):
        precision = theta[:MEMBERS] / learnt.scale**2
        total = precision.sum(1) + theta[MEMBERS]
        mean = ((precision * learnt.mean).sum(1) + theta[MEMBERS + 1]) / total
        law = stats.norm(mean, total**-0.5) if np.isinf(dof) else stats.t(dof, mean, total**-0.5)
        pull = ridge * MEMBERS * np.square(theta[:MEMBERS] - 1 / MEMBERS).sum() + np.square(theta[MEMBERS:]).sum()
        return -learnt.weight @ law.logpdf(learnt.y) + pull / 2

    found = minimize(
        objective,
        np.r_[np.full(MEMBERS, 1 / MEMBERS), 0.1, 0.0],
        bounds=[(0, None)] * (MEMBERS + 1) + [(None, None)],
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-8, "maxiter": 2000},
    )
    assert objective(pool.theta) <= found.fun + 1e-7
    assert pool.excess < 1e-12
    np.testing.assert_allclose(pool.theta, found.x, atol=1e-3)


# --- quantile pools ---


@pytest.mark.parametrize("dof", [3.0, 8.0, np.inf])
def test_crps_is_twice_the_pinball_loss_over_all_quantiles(dof):
    law = stats.norm if np.isinf(dof) else stats.t(dof)
    for z in (-2.0, 0.1, 1.3):
        pinball = lambda q: max(q * (z - law.ppf(q)), (q - 1) * (z - law.ppf(q)))  # noqa: B023, E731
        total = integrate.quad(pinball, 0, 1, points=[float(law.cdf(z))], limit=200)[0]
        assert crps(np.array([z]), dof)[0] == pytest.approx(2 * total, abs=1e-6)


def test_quantiles_of_the_price_are_averages_of_quantiles():
    _, belief = told(drawn(5))
    weight = np.array([0.2, 0.5, 0.3])
    levels = np.array([0.1, 0.5, 0.9])
    each = [
        Density(np.ones(1), mean[:, None], scale[:, None], np.array([belief.dof])).quantiles(levels)
        for mean, scale in zip(belief.mean.T, belief.scale.T)
    ]
    price = Quantile(weight, weight, 0.0).price(belief)
    np.testing.assert_allclose(price.quantiles(levels), np.einsum("m,mnq->nq", weight, each), rtol=1e-9)


def test_quantile_pool_is_the_optimum_scipy_finds():
    learnt, belief = told(drawn(6))
    pool, ridge = quantile(learnt, belief.dof, 1.0), 1.0
    levels = (np.arange(400) + 0.5) / 400
    z = stats.norm.ppf(levels) if np.isinf(belief.dof) else stats.t(belief.dof).ppf(levels)

    def objective(theta):
        w, u, lean = theta[:MEMBERS], theta[MEMBERS:-1], theta[-1]
        off = learnt.y[:, None] - lean - (learnt.mean @ w)[:, None] - (learnt.scale @ u)[:, None] * z
        pinball = 2 * np.maximum(levels * off, (levels - 1) * off).mean(1).sum()
        pull = ridge * MEMBERS * np.square(theta[:-1] - 1 / MEMBERS).sum() + lean**2
        return pinball + pull / 2

    found = minimize(
        objective,
        np.r_[np.full(2 * MEMBERS, 1 / MEMBERS), 0.0],
        bounds=[(0, None)] * (2 * MEMBERS) + [(None, None)],
        method="L-BFGS-B",
    )
    assert objective(pool.theta) <= found.fun + 1e-3
    np.testing.assert_allclose(pool.theta, found.x, atol=0.02)
    assert pool.excess < 1e-12


# --- linear pools ---


def test_at_em_wealth_nobody_profits():
    learnt, belief = told(drawn(7))
    pool = mixing.em(learnt, belief.dof)
    hits = np.exp(belief.log(learnt.y))
    profit = np.mean(hits / (hits @ pool.wealth)[:, None], axis=0)
    assert profit.max() <= 1 + 1e-7
    np.testing.assert_allclose(profit[pool.wealth > 1e-4], 1, atol=1e-5)


def test_kelly_wealth_is_the_posterior_of_a_bayes_mixture():
    learnt, belief = told(drawn(8, rows=12))
    wealth = np.full(MEMBERS, 1 / MEMBERS)
    for hit in np.exp(belief.log(learnt.y)):
        wealth = wealth * hit / (wealth @ hit)
    np.testing.assert_allclose(mixing.kelly(learnt, belief.dof).wealth, wealth, rtol=1e-9)


# --- every market ---


@pytest.mark.parametrize("market", continuum.MARKETS)
def test_pulls_add_up_payments_cancel_and_the_silent_are_not_heard(market):
    said = drawn(9)
    own, pool = continuum.learn(market, said, fold(said), FLOOR)
    belief = own.belief(said.mean, said.spread)
    pull, maker = pool.pulls(belief)
    np.testing.assert_allclose((pull * belief.mean).sum(1) + maker, pool.price(belief).mean(), atol=1e-12)
    np.testing.assert_allclose(pool.profit(belief, said.y).sum(1), 0, atol=1e-10)
    np.testing.assert_allclose(pool.shares().sum(), 1, atol=1e-12)
    np.testing.assert_allclose(pool.price(belief).weight.sum(), 1, atol=1e-12)
    for member in range(MEMBERS):
        silent, other = pool.without(member), belief.mean.copy()
        other[:, member] = 17.0
        garbled = silent.price(belief._replace(mean=other))
        np.testing.assert_allclose(garbled.mean(), silent.price(belief).mean(), atol=1e-12)
        assert silent.shares()[member] == 0


@pytest.mark.parametrize("market", continuum.MARKETS)
def test_the_cap_holds(market):
    said = drawn(10)
    free = continuum.learn(market, said, fold(said), FLOOR)[1].shares()
    capped = continuum.learn(market, said, fold(said), FLOOR, cap=0.4)[1].shares()
    assert capped.max() <= 0.4 + 1e-9
    assert free.max() > 0.4


@pytest.mark.parametrize("market", continuum.MARKETS)
def test_order_of_rows_members_and_weights_as_copies(market):
    said = drawn(11, weight=1.0 + np.arange(ROWS) % 3)
    own, pool = continuum.learn(market, said, fold(said), FLOOR)
    price = pool.price(own.belief(said.mean, said.spread))
    copies = np.random.default_rng(0).permutation(np.repeat(np.arange(ROWS), 1 + np.arange(ROWS) % 3))
    members = [2, 0, 1]
    once = Said(said.mean[:, members], said.spread[:, members], said.y, np.ones(ROWS))
    own, pool = continuum.learn(market, once.take(copies), fold(said)[copies], FLOOR)
    again = pool.price(own.belief(once.mean, once.spread))
    np.testing.assert_allclose(again.mean(), price.mean(), atol=1e-8)
    np.testing.assert_allclose(again.std(), price.std(), rtol=1e-7)


def test_funds_own_by_what_they_scored_on_rows_they_had_not_seen():
    said = drawn(12)
    _, pool = continuum.learn("auto", said, fold(said), FLOOR)
    assert isinstance(pool, continuum.Funds) and len(pool.names) == 13
    odds = np.exp(continuum.STAKE * ROWS * (pool.score - pool.score[0]))
    np.testing.assert_allclose(pool.wealth, odds / odds.sum(), rtol=1e-10)
    held = np.zeros(ROWS)
    for part in range(5):
        learnt, kept = said.take(fold(said) != part), said.take(fold(said) == part)
        own = calibrate(learnt, FLOOR)
        belief = own.belief(learnt.mean, learnt.spread)
        linear = mixing.em(Told(belief.mean, belief.scale, learnt.y, learnt.weight), own.dof)
        held[fold(said) == part] = linear.price(own.belief(kept.mean, kept.spread)).log(kept.y)
    np.testing.assert_allclose(pool.score[0], held.mean(), atol=1e-10)


def test_an_outlier_moves_prices_little_and_ruins_nobody():
    """Gaussian traders alone would be ruined: their spread is the outlier's."""
    said = drawn(13)
    y = said.y.copy()
    y[0] += 1e6
    kept = np.arange(ROWS) > 0
    for market in continuum.MARKETS:
        own, pool = continuum.learn(market, said, fold(said), FLOOR)
        other, hurt = continuum.learn(market, said._replace(y=y), fold(said), FLOOR)
        before = pool.price(own.belief(said.mean, said.spread)).mean()[kept]
        after = hurt.price(other.belief(said.mean, said.spread)).mean()[kept]
        assert np.abs(after - before).mean() < 0.2 * said.y.std()
