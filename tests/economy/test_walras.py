"""The numerics that judge exchange: against formulas, duality, closed forms and solvers without prices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize, root

from catallax.core.errors import BadInput, Refused
from catallax.economy.trade.walras import Traders, equilibrium_cobb_douglas, excess, plan, utilisation

ELASTICITIES = st.one_of(
    st.sampled_from([0.0, 1.0, 1 - 1e-9, 1 + 1e-9, 1 - 1e-4, 1 + 1e-4, 0.05]), st.floats(0.05, 20.0)
)
SEEDS = st.integers(0, 2**32 - 1)


def by_formula(taste, elasticity, bundle):
    """The definition, for one trader with tastes that sum to one: no care for digits or overflow."""
    wanted = taste > 0
    a, x = taste[wanted], bundle[wanted]
    if elasticity == 0:
        return (x / a).min()
    if elasticity == 1:
        return np.prod(x**a)
    rho = (elasticity - 1) / elasticity
    return (a * x**rho).sum() ** (1 / rho)


def draw(seed, traders, goods, elasticities, unwanted=0.0):
    rng = np.random.default_rng(seed)
    taste = rng.dirichlet(np.ones(goods), traders) * (rng.random((traders, goods)) >= unwanted)
    taste[taste.sum(axis=1) == 0] = 1.0
    taste /= taste.sum(axis=1, keepdims=True)
    endowment = rng.gamma(1.0, 1.0, (traders, goods)) + 0.02
    return Traders(taste, rng.choice(elasticities, traders)), endowment, rng


def one(seed, goods, elasticity, decades=12.0):
    """One trader, prices (or goods) `decades` either side of 1, and a generator."""
    rng = np.random.default_rng(seed)
    taste = rng.dirichlet(np.ones(goods)) * (rng.random(goods) < 0.8)
    if not taste.any():
        taste[0] = 1.0
    price = 10 ** rng.uniform(-decades, decades, goods)
    return Traders([taste / taste.sum()], [elasticity]), price, rng


ONE_TRADER = (SEEDS, st.integers(1, 5), ELASTICITIES)


# ---------------------------------------------------------------------------------------------- one trader


@pytest.mark.parametrize("elasticity", [0, 0.3, 0.5, 0.999, 1, 1.001, 2, 7, 20])
def test_utility_is_the_formula(elasticity):
    traders, bundle, _ = draw(3, 20, 4, [elasticity], unwanted=0.3)
    expected = [by_formula(a, elasticity, x) for a, x in zip(traders.taste, bundle)]
    np.testing.assert_allclose(traders.utility(bundle), expected, rtol=1e-11)


def test_tastes_that_do_not_sum_to_one_keep_their_unit_but_for_cobb_douglas():
    taste, bundle = np.array([[1.0, 3.0]] * 3), np.array([[2.0, 5.0]] * 3)
    half, cobb_douglas, leontief = Traders(taste, [0.5, 1.0, 0.0]).utility(bundle)
    assert half == pytest.approx(1 / (1 / 2 + 3 / 5), rel=1e-13)
    assert cobb_douglas == pytest.approx(2**0.25 * 5**0.75, rel=1e-13)
    assert leontief == pytest.approx(5 / 3, rel=1e-13)
    price = np.array([1.5, 0.7])
    np.testing.assert_allclose(Traders(taste, [0.5, 1, 0]).expenditure(price, [1, 1, 1])[2], price @ taste[2])


@pytest.mark.parametrize(("elasticity", "expected"), [(0, 0), (0.5, 0), (1, 0), (2, 1.0), (1 + 1e-9, 0)])
def test_utility_without_one_good(elasticity, expected):
    utility = Traders([[0.5, 0.5, 0.0]], [elasticity]).utility([[4.0, 0.0, 0.0]])
    assert utility[0] == pytest.approx(expected, abs=1e-300)


@given(*ONE_TRADER)
def test_near_elasticity_one_all_digits_are_kept(seed, goods, elasticity):
    traders, bundle, _ = one(seed, goods, elasticity, decades=3.0)
    exact = Traders(traders.taste, [1.0])
    for offset in (1e-15, -1e-12, 1e-9, -1e-9):
        near, level = Traders(traders.taste, [1.0 + offset]), [1.0]
        # the true difference is offset x (variance of the logs) / 2, at most offset x 100
        allowed = 200 * abs(offset) + 1e-13
        np.testing.assert_allclose(near.log_utility([bundle]), exact.log_utility([bundle]), rtol=0, atol=allowed)
        np.testing.assert_allclose(near.demand(bundle, level), exact.demand(bundle, level), rtol=allowed)
        np.testing.assert_allclose(near.expenditure(bundle, level), exact.expenditure(bundle, level), rtol=allowed)


@given(*ONE_TRADER)
def test_demand_spends_all_and_costs_what_its_utility_costs(seed, goods, elasticity):
    traders, price, _ = one(seed, goods, elasticity)
    bundle = traders.demand(price, [2.5])
    assert (bundle >= 0).all() and (bundle[traders.taste == 0] == 0).all()
    assert (bundle @ price)[0] == pytest.approx(2.5, rel=1e-12)
    level = traders.utility(bundle)
    assert traders.expenditure(price, level)[0] == pytest.approx(2.5, rel=1e-9)
    np.testing.assert_allclose(traders.hicksian(price, level), bundle, rtol=1e-9)


@given(*ONE_TRADER)
def test_nothing_affordable_is_better_than_demand(seed, goods, elasticity):
    traders, price, rng = one(seed, goods, elasticity, decades=1.0)
    best = traders.utility(traders.demand(price, [1.0]))[0]
    many = Traders(np.repeat(traders.taste, 300, axis=0), np.repeat(traders.elasticity, 300))
    anywhere = many.utility(rng.dirichlet(np.ones(price.size), 300) / price)
    share = (traders.demand(price, [1.0]) * price)[0]
    nearby = share * np.exp(rng.normal(0, 0.02, (300, price.size)))
    nearby = many.utility(nearby / nearby.sum(axis=1, keepdims=True) / price)
    assert max(anywhere.max(), nearby.max()) <= best * (1 + 1e-12)


@given(*ONE_TRADER)
def test_shephard_and_roy(seed, goods, elasticity):
    traders, price, _ = one(seed, goods, elasticity, decades=2.0)
    step = 1e-5
    level = np.array([0.7])
    cost = traders.expenditure(price, level)
    share = traders.hicksian(price, level)[0] * price / cost
    for good in range(price.size):
        up, down = price.copy(), price.copy()
        up[good] *= np.exp(step)
        down[good] *= np.exp(-step)
        slope = (traders.expenditure(up, level) - traders.expenditure(down, level)) / (2 * step)
        assert slope[0] / cost[0] == pytest.approx(share[good], abs=1e-6)
        bought = [traders.log_utility(traders.demand(p, cost))[0] for p in (up, down)]
        assert (bought[0] - bought[1]) / (2 * step) == pytest.approx(-share[good], abs=1e-6)


@given(*ONE_TRADER)
def test_homogeneity(seed, goods, elasticity):
    traders, price, _ = one(seed, goods, elasticity)
    level = np.array([3.0])
    cost, bundle, utility = (
        traders.expenditure(price, level),
        traders.hicksian(price, level),
        traders.utility([price]),
    )
    np.testing.assert_allclose(traders.expenditure(7 * price, level), 7 * cost, rtol=1e-10)
    np.testing.assert_allclose(traders.hicksian(7 * price, level), bundle, rtol=1e-10)
    np.testing.assert_allclose(traders.hicksian(price, 7 * level), 7 * bundle, rtol=1e-10)
    np.testing.assert_allclose(traders.utility([7 * price]), 7 * utility, rtol=1e-9)


@pytest.mark.parametrize("elasticity", [0, 0.05, 0.5, 1, 1 + 1e-9, 2, 50])
def test_extremes_stay_numbers(elasticity):
    traders = Traders([[0.2, 0.3, 0.5, 0.0]], [elasticity])
    assert np.isfinite(traders.demand([0, 1, 2, 0], [1.0])).all()
    for price in ([1e-12, 1, 1e12, 1], [1e-100, 1, 1e100, 1e-300]):
        bundle = traders.demand(price, [1.0])
        assert np.isfinite(bundle).all() and bundle[0, 3] == 0
        assert (bundle @ price)[0] == pytest.approx(1.0, rel=1e-10)
        assert np.isfinite(traders.expenditure(price, [1.0])).all()
    assert traders.utility([[1e-200, 1e200, 1.0, 0.0]])[0] >= 0
    assert traders.expenditure([1, 1, 1, 1], [0.0])[0] == 0


def test_blocks_do_not_show():
    traders, bundle, _ = draw(0, 20_000, 5, [0, 0.5, 1, 3], unwanted=0.2)
    few = Traders(traders.taste[-3:], traders.elasticity[-3:])
    price = np.arange(1.0, 6.0)
    np.testing.assert_array_equal(traders.utility(bundle)[-3:], few.utility(bundle[-3:]))
    np.testing.assert_array_equal(traders.demand(price, bundle[:, 0])[-3:], few.demand(price, bundle[-3:, 0]))


# --------------------------------------------------------------------------------- Debreu's coefficient


def least_share(traders, levels, supply):
    """Debreu's coefficient without prices: minimise r over all bundles (logarithms) that give the levels."""
    n, m = traders.taste.shape

    def slack(z):
        bundle = np.exp(z[:-1].reshape(n, m))
        reached = [by_formula(*row) for row in zip(traders.taste, traders.elasticity, bundle)]
        return np.concatenate([np.log(reached) - np.log(levels), z[-1] - (bundle.sum(axis=0) / supply)])

    fair = np.log(np.repeat(supply[None] / n, n, axis=0)).ravel()
    found = minimize(
        lambda z: z[-1],
        np.append(fair, 3.0),
        method="SLSQP",
        constraints=[{"type": "ineq", "fun": slack}],
        options={"maxiter": 1000, "ftol": 1e-13},
    )
    assert found.success or slack(found.x).min() > -1e-8
    return found.x[-1]


@pytest.mark.parametrize("seed", range(6))
def test_utilisation_agrees_with_a_solver_without_prices(seed):
    traders, endowment, _ = draw(seed, 3, 3, [0.4, 0.7, 1.0, 2.0, 4.0])
    levels, supply = traders.utility(endowment), endowment.sum(axis=0)
    judged = utilisation(traders, levels, supply)
    assert judged.gap <= 1e-9
    assert judged.value == pytest.approx(least_share(traders, levels, supply), abs=2e-6)
    assert judged.price @ supply == pytest.approx(1, rel=1e-12)
    assert traders.expenditure(judged.price, levels).sum() == pytest.approx(judged.value, rel=1e-12)


def test_utilisation_of_leontief_is_a_linear_programme():
    traders, endowment, rng = draw(5, 4, 3, [0.0], unwanted=0.3)
    levels, supply = traders.utility(endowment) * rng.uniform(0.5, 2, 4), endowment.sum(axis=0)
    n, m = traders.taste.shape
    # variables x_ij >= u_i a_ij, and r: sum_i x_ij - r S_j <= 0
    sums = np.hstack([np.tile(np.eye(m), n), -supply[:, None]])
    bounds = [(low, None) for low in (levels[:, None] * traders.taste).ravel()] + [(0, None)]
    exact = linprog(np.append(np.zeros(n * m), 1.0), A_ub=sums, b_ub=np.zeros(m), bounds=bounds)
    judged = utilisation(traders, levels, supply)
    assert judged.value == pytest.approx(exact.fun, rel=1e-9)
    assert judged.gap == 0 and judged.price @ supply == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
def test_a_walras_allocation_wastes_nothing(seed):
    traders, endowment, _ = draw(seed, 8, 4, [0.5, 1.0, 2.0])
    supply = endowment.sum(axis=0)

    def imbalance(log_price):
        return (excess(traders, np.exp(log_price), endowment) / supply)[1:]

    found = root(lambda y: imbalance(np.append(0.0, y)), np.zeros(3), tol=1e-14)
    price = np.exp(np.append(0.0, found.x))
    assert np.abs(excess(traders, price, endowment)).max() < 1e-10
    utilities = traders.utility(traders.demand(price, endowment @ price))
    judged = utilisation(traders, utilities, supply)
    assert abs(judged.value - 1) <= 1e-8 and judged.gap <= 1e-8
    np.testing.assert_allclose(judged.price / judged.price[0], price / price[0], rtol=1e-6)
    assert (utilities >= traders.utility(endowment) * (1 - 1e-12)).all()


def test_utilisation_scales_with_levels_and_supply():
    traders, endowment, _ = draw(1, 6, 3, [0.0, 0.05, 1.0, 9.0], unwanted=0.3)
    levels, supply = traders.utility(endowment), endowment.sum(axis=0)
    value = utilisation(traders, levels, supply).value
    assert utilisation(traders, 1e9 * levels, 1e7 * supply).value == pytest.approx(100 * value, rel=1e-9)
    unit = np.array([1e-6, 1.0, 1e8])  # goods in other units, tastes so that utility is the same
    power = [1.0 if s == 0 else (1 - s) / s for s in traders.elasticity]
    same = Traders(traders.taste * unit ** np.array(power)[:, None], traders.elasticity)
    levels_in_them = same.utility(endowment * unit)
    assert utilisation(same, levels_in_them, supply * unit).value == pytest.approx(value, rel=1e-7)


@pytest.mark.parametrize("kept", [0.5, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("owners", [1, 4])
def test_two_goods_closed_form(kept, owners):
    supply = np.array([1.0, 1.0])
    allocation = np.repeat([[kept, 1 - kept], [1 - kept, kept]], owners, axis=0) / owners
    traders = Traders(np.full((2 * owners, 2), 0.5), np.ones(2 * owners))
    judged = utilisation(traders, traders.utility(allocation), supply)
    assert judged.value == pytest.approx(2 * np.sqrt(kept * (1 - kept)), rel=1e-10)
    assert judged.gap <= 1e-9


def test_free_goods():
    # good 1 abounds, and only a Leontief trader wants it
    traders = Traders([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]], [0.0, 0.5])
    supply = np.array([2.0, 50.0, 1.0])
    judged = utilisation(traders, [1.0, 0.2], supply)
    assert judged.gap <= 1e-9 and judged.price[1] * supply[1] < 1e-9
    # substitutes of which there is plenty: they too end up free, and must still be enough
    traders = Traders([[1, 1, 1], [1, 1, 1], [0, 0, 1], [0, 0, 1]], [2.0, 2.0, 0.0, 2.0])
    supply = np.array([3.0, 8.5, 61.0])
    judged = utilisation(traders, [2.5, 0.2, 58.0, 1.8], supply)
    assert judged.value == pytest.approx((58.0 + 1.8) / 61.0, rel=1e-9) and judged.gap <= 1e-9


@pytest.mark.parametrize("seed", [20, 28, 36, 51, 70])
def test_goods_all_but_free_are_not_wanted_twice_over(seed):
    # prices of some goods vanish in the dual's last digit, and still must keep demand for these within r times supply
    traders, _, rng = draw(seed, 4, 4, (2.0, 3.0), unwanted=0.6)
    supply = np.exp(3 * rng.normal(size=4))
    judged = utilisation(traders, traders.utility(rng.dirichlet(np.full(4, 0.1), 4).T * supply), supply)
    assert judged.gap <= 1e-9 * judged.value
    assert (judged.price * supply).min() < 1e-6


def test_groups_that_share_no_good_are_judged_by_the_worse():
    one, two = draw(1, 3, 2, [0.5, 2.0]), draw(2, 3, 2, [1.0, 3.0])
    taste = np.block([[one[0].taste, np.zeros((3, 2))], [np.zeros((3, 2)), two[0].taste]])
    both = Traders(taste, np.concatenate([one[0].elasticity, two[0].elasticity]))
    supplies = [endowment.sum(axis=0) for _, endowment, _ in (one, two)]
    levels = [traders.utility(endowment) for traders, endowment, _ in (one, two)]
    alone = [utilisation(t[0], u, s).value for t, u, s in zip((one, two), levels, supplies)]
    judged = utilisation(both, np.concatenate(levels), np.concatenate(supplies))
    assert judged.value == pytest.approx(max(alone), rel=1e-9) and judged.gap <= 1e-9


def test_who_has_nothing_and_what_nobody_wants_do_not_count():
    traders, endowment, _ = draw(4, 4, 3, [0.5, 2.0])
    supply = endowment.sum(axis=0)
    levels = traders.utility(endowment) * [1, 0, 1, 0]
    some = Traders(traders.taste[[0, 2]], traders.elasticity[[0, 2]])
    wider = Traders(np.hstack([traders.taste, np.zeros((4, 1))]), traders.elasticity)
    expected = utilisation(some, levels[[0, 2]], supply).value
    judged = utilisation(wider, levels, np.append(supply, 0.0))
    assert judged.value == pytest.approx(expected, rel=1e-12) and judged.price[3] == 0
    nothing = utilisation(traders, np.zeros(4), supply)
    assert (nothing.value, nothing.gap) == (0.0, 0.0)


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_an_unfinished_judgement_is_honest(rounds):
    traders, endowment, _ = draw(7, 5, 4, [0.1, 1.0, 30.0], unwanted=0.3)
    levels, supply = traders.utility(endowment), endowment.sum(axis=0)
    true, early = utilisation(traders, levels, supply), utilisation(traders, levels, supply, rounds=rounds)
    assert early.iterations <= rounds and early.gap > true.gap
    assert early.value <= true.value + true.gap and true.value <= early.value + early.gap


@pytest.mark.parametrize(
    "kind", [(0.5, 1, 2), (0, 0.05, 0.5, 1, 1 + 1e-9, 2, 50), (0, 0.5, 2), (5, 20, 50), (0, 0.02, 0.05)]
)
def test_awkward_economies_are_certified(kind):
    for seed in range(25):
        rng = np.random.default_rng(seed)
        n, m = rng.integers(1, 9), rng.integers(1, 7)
        traders, _, rng = draw(seed, n, m, kind, unwanted=rng.choice([0, 0.3, 0.6, 0.8]))
        supply = np.exp(rng.normal(size=m) * rng.choice([0, 1, 5, 15]))
        levels = traders.utility(rng.dirichlet(np.ones(n) * rng.choice([0.1, 1.0]), m).T * supply)
        judged = utilisation(traders, levels, supply)
        assert judged.gap <= 1e-8 * judged.value
        assert judged.value <= 1 + 1e-9  # the levels come from an allocation of the supply
        planned = plan(traders, rng.dirichlet(np.ones(n)), supply)
        assert planned.gap <= 1e-8
        assert (planned.allocation.sum(axis=0) <= supply * (1 + 1e-12)).all()


# ------------------------------------------------------------------------------------------------ the plan


def test_plan_is_the_walras_allocation_at_its_own_incomes():
    traders, endowment, _ = draw(2, 8, 4, [1.0], unwanted=0.2)
    price = equilibrium_cobb_douglas(endowment, traders.taste)
    income = endowment @ price
    planned = plan(traders, income, endowment.sum(axis=0))
    assert planned.gap <= 1e-12
    np.testing.assert_allclose(planned.allocation, traders.demand(price, income), rtol=1e-8)
    np.testing.assert_allclose(planned.price, price, rtol=1e-8)
    np.testing.assert_allclose(planned.utilities, traders.utility(planned.allocation), rtol=1e-13)


@pytest.mark.parametrize("seed", range(4))
def test_plan_agrees_with_a_solver_without_prices(seed):
    traders, endowment, rng = draw(seed, 3, 3, [0.4, 1.0, 3.0])
    supply, weight = endowment.sum(axis=0), rng.dirichlet(np.ones(3))

    def loss(z):
        share = np.exp(z.reshape(3, 3))
        bundle = share / share.sum(axis=0) * supply
        return -weight @ np.log([by_formula(*row) for row in zip(traders.taste, traders.elasticity, bundle)])

    exact = minimize(loss, np.zeros(9), method="BFGS", options={"gtol": 1e-9})
    planned = plan(traders, 17 * weight, supply)
    assert planned.gap <= 1e-9
    assert weight @ np.log(planned.utilities) == pytest.approx(-exact.fun, abs=1e-7)
    assert weight @ np.log(planned.utilities) >= -exact.fun - 1e-9


@pytest.mark.parametrize("kind", [(0.5, 1, 2), (0, 0.3, 4), (0,), (20,)])
def test_plan_is_efficient_and_spends_the_weights(kind):
    traders, endowment, _ = draw(9, 12, 5, kind, unwanted=0.3)
    supply = endowment.sum(axis=0)
    weight = endowment.sum(axis=1) / endowment.sum()
    planned = plan(traders, weight, supply)
    assert planned.gap <= 1e-9
    np.testing.assert_allclose(planned.allocation @ planned.price, weight, rtol=1e-7)
    judged = utilisation(traders, planned.utilities, supply)
    assert judged.value == pytest.approx(1, abs=1e-8) and judged.gap <= 1e-8


def test_plan_passes_over_who_has_no_weight():
    traders, endowment, _ = draw(6, 3, 3, [0.5, 2.0])
    traders = Traders(np.hstack([traders.taste, [[0], [1], [0]]]), traders.elasticity)
    planned = plan(traders, [1.0, 0.0, 2.0], np.append(endowment.sum(axis=0), 1.0))
    assert (planned.allocation[1] == 0).all() and planned.utilities[1] == 0
    assert planned.price[3] == 0 and planned.gap <= 1e-9


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_an_unfinished_plan_is_honest(rounds):
    traders, endowment, _ = draw(3, 6, 4, [0.1, 1.0, 30.0])
    weight, supply = np.full(6, 1 / 6), endowment.sum(axis=0)
    best, early = plan(traders, weight, supply), plan(traders, weight, supply, rounds=rounds)
    missing = weight @ np.log(best.utilities / early.utilities)
    assert early.gap >= missing - 1e-12 and early.gap > 1e-6
    assert (early.allocation.sum(axis=0) <= supply * (1 + 1e-12)).all()


# ------------------------------------------------------------------------------------- closed form, excess


@pytest.mark.parametrize(("traders_", "goods"), [(2, 2), (7, 4), (300, 30)])
def test_cobb_douglas_prices_clear_all_markets(traders_, goods):
    traders, endowment, _ = draw(1, traders_, goods, [1.0])
    price = equilibrium_cobb_douglas(endowment, 3 * traders.taste)
    supply = endowment.sum(axis=0)
    assert price @ supply == pytest.approx(1, rel=1e-13)
    np.testing.assert_allclose(excess(traders, price, endowment) / supply, 0, atol=1e-13)


def test_cobb_douglas_prices_of_very_unequal_links():
    # each owns one good: what 0 spends on good 1, p_0 1e-20, is what 1 spends on good 0, p_1 1e-12
    price = equilibrium_cobb_douglas(np.eye(2), [[1.0, 1e-20], [1e-12, 1.0]])
    assert price[1] / price[0] == pytest.approx(1e-8, rel=1e-11)


def test_cobb_douglas_prices_of_a_good_that_nobody_wants():
    price = equilibrium_cobb_douglas([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0]], [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    np.testing.assert_allclose(price, [0.5, 0.25, 0.0])


def test_cobb_douglas_refuses_what_has_no_prices():
    with pytest.raises(Refused, match="goods 0 and 1 are not linked by trade in both directions"):
        equilibrium_cobb_douglas(np.eye(2), np.eye(2))
    with pytest.raises(Refused, match="goods 0 and 1 are not linked"):
        equilibrium_cobb_douglas([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.5]])
    with pytest.raises(BadInput, match=r"endowment\[:, 1\] is all zero"):
        equilibrium_cobb_douglas([[1.0, 0.0], [1.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]])


def test_excess_obeys_walras_law():
    traders, endowment, rng = draw(8, 10, 4, [0, 0.5, 1, 6], unwanted=0.2)
    price = rng.gamma(1.0, 1.0, 4)
    assert price @ excess(traders, price, endowment) == pytest.approx(0, abs=1e-12)


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: Traders([1.0, 2.0], [1.0]), r"taste has shape \(2,\): give \[traders, goods\]"),
        (
            lambda: Traders([[1.0], [-1.0]], [1, 1]),
            r"taste\[1, 0\] is -1.0: give finite numbers of at least zero\.",
        ),
        (lambda: Traders([[1.0, 1.0], [0.0, 0.0]], [1, 1]), r"taste\[1\] is all zero"),
        (lambda: Traders([[1.0, 1.0]], [np.nan]), r"elasticity\[0\] is nan"),
        (lambda: Traders([[1.0, 1.0]], [1.0, 2.0]), r"elasticity has shape \(2,\): give \[1\]"),
        (lambda: Traders([[1.0, 1.0]], [1.0]).demand([0.0, 0.0], [1.0]), "price is all zero"),
        (lambda: Traders([[1.0, 1.0]], [1.0]).demand([1.0, np.nan], [1.0]), r"price\[1\] is nan"),
        (
            lambda: utilisation(Traders([[1.0, 1.0]], [1.0]), [1.0], [1.0, 0.0]),
            r"supply\[1\] is zero although",
        ),
        (lambda: plan(Traders([[1.0, 1.0]], [1.0]), [0.0], [1.0, 1.0]), "weights are all zero"),
        (lambda: excess(Traders([[1.0, 1.0]], [1.0]), [1.0, 1.0], [[1.0]]), r"endowment has shape \(1, 1\)"),
    ],
)
def test_bad_input_is_one_sentence(ask, sentence):
    with pytest.raises(BadInput, match=sentence):
        ask()
