"""Derivatives of welfare: against differences of other solvers, closed forms, and where there are none."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import fsolve

import catallax as cx
from catallax.economy import Exchange, Fisher
from catallax.economy.sensitivity import log_utilities, marginal_welfare, taxed

ELASTICITIES = (0.5, 2.0, 1.5, 0.3)


@pytest.fixture(autouse=True)
def wide():
    """float64 as JAX's default."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def market(utility: str, seed: int = 0) -> Fisher:
    random = np.random.default_rng(seed)
    elasticity = np.array(ELASTICITIES) if utility == "ces" else None
    return Fisher(
        random.random((4, 3)) + np.eye(4, 3), random.random(4) + 0.5, random.random(3) + 0.5, utility, elasticity
    )


def welfare(problem: Fisher) -> float:
    """W of the planner, who shares no code with the prices."""
    plan = problem.plan()
    kept = plan.values.get("kept")
    return float(np.asarray(problem.budgets) @ np.log(plan.utilities)) - (0 if kept is None else kept.sum())


def difference(problem: Fisher, field: str, place: tuple, step: float = 1e-3) -> float:
    """dW by one entry of a fact, from the planner's W on either side."""

    def moved(by):
        fact = np.array(getattr(problem, field))
        fact[place] += by
        return welfare(dataclasses.replace(problem, **{field: fact}))

    return (moved(step) - moved(-step)) / (2 * step)


@pytest.mark.parametrize("utility", ["linear", "quasi-linear", "ces", "cobb-douglas", "leontief"])
def test_the_envelope_is_what_the_planner_gains(utility):
    problem = market(utility)
    rest = cx.settle(problem if utility != "leontief" else dataclasses.replace(problem, goal=1e-13))
    assert rest.status == "settled"
    marginal = marginal_welfare(problem, rest)
    for field, place in (("supply", (1,)), ("budgets", (0,)), ("valuations", (1, 2)), ("valuations", (3, 1))):
        found = getattr(marginal, field)[place]
        assert found == pytest.approx(difference(problem, field, place), abs=3e-3), (field, place)
    assert marginal.cap is None
    assert np.allclose(marginal.supply, rest.price)  # a unit of a good is worth its price


def test_a_cap_is_worth_its_rent():
    problem = dataclasses.replace(market("linear"), cap=np.array([0.2, 0.4, 3.0, 3.0]))
    marginal = marginal_welfare(problem, cx.settle(problem))
    assert marginal.cap[0] > 0.1
    assert marginal.cap[2] == pytest.approx(0, abs=1e-4)
    # each buyer in log utility: while the cap binds, the bundle stays the best good alone or a mix of two
    raised = dataclasses.replace(problem, cap=np.array([0.2 + 1e-3, 0.4, 3.0, 3.0]))
    lowered = dataclasses.replace(problem, cap=np.array([0.2 - 1e-3, 0.4, 3.0, 3.0]))
    reached = [np.asarray(p.budgets) @ np.log(cx.settle(p).utilities) for p in (raised, lowered)]
    assert marginal.cap[0] == pytest.approx((reached[0] - reached[1]) / 2e-3, rel=1e-2)


def test_where_goods_tie_a_valuation_has_two_derivatives():
    # two alike buyers, two alike goods: W rises as fast as all of the good it has, or falls as slowly as none
    problem = Fisher(np.ones((2, 2)), np.ones(2), np.ones(2))
    base, step = welfare(problem), 1e-3
    sides = []
    for by in (step, -step):
        value = np.ones((2, 2))
        value[0, 0] += by
        sides.append((welfare(dataclasses.replace(problem, valuations=value)) - base) / by)
    found = marginal_welfare(problem, cx.settle(problem)).valuations[0, 0]
    assert sides[0] == pytest.approx(1, abs=5e-3)
    assert sides[1] == pytest.approx(0, abs=5e-3)
    assert sides[1] - 1e-3 <= found <= sides[0] + 1e-3


def test_the_same_by_differentiating_through_prices():
    problem = market("ces")

    def nash(budgets, supply):
        changed = dataclasses.replace(problem, budgets=budgets, supply=supply)
        return budgets @ log_utilities(changed)

    by_budgets, by_supply = jax.jit(jax.grad(nash, (0, 1)))(problem.budgets, problem.supply)
    marginal = marginal_welfare(problem, cx.settle(problem))
    assert np.allclose(by_budgets, marginal.budgets, atol=1e-3)
    assert np.allclose(by_supply, marginal.supply, atol=1e-3)


def test_utilities_are_those_of_the_outcome():
    for problem in (market("ces"), Exchange.drawn(3, traders=4, goods=3)):
        rest = cx.settle(problem)
        assert np.allclose(log_utilities(problem), np.log(rest.utilities), atol=1e-5)


# --- exchange, and the tax ---


def demand(price, income, taste, elasticity):
    """CES and Cobb-Douglas, written out."""
    weight = taste ** elasticity[:, None] * price ** (1 - elasticity[:, None])
    return income[:, None] * weight / weight.sum(1, keepdims=True) / price


def log_utility(bundle, taste, elasticity):
    rho = 1 - 1 / elasticity
    return np.log((taste * bundle ** rho[:, None]).sum(1)) / rho


def taxed_equilibrium(endowment, taste, elasticity, tax):
    """Prices before tax and bundles, by SciPy: buyers pay (1 + t) p, and get an equal share of what it brings."""
    supply, count = endowment.sum(0), len(endowment)

    def excess(log_price):
        price = np.exp(np.concatenate([[0.0], log_price]))
        income = endowment @ price + tax * price @ supply / count
        return (demand((1 + tax) * price, income, taste, elasticity).sum(0) - supply)[1:]

    price = np.exp(np.concatenate([[0.0], fsolve(excess, np.zeros(len(supply) - 1), xtol=1e-13)]))
    income = endowment @ price + tax * price @ supply / count
    return price, demand((1 + tax) * price, income, taste, elasticity)


@pytest.fixture(scope="module")
def facts():
    random = np.random.default_rng(1)
    return random.random((4, 3)) + 0.05, random.random((4, 3)) + 0.1, np.array(ELASTICITIES)


def test_welfare_of_endowments_against_another_solver(facts):
    endowment, taste, elasticity = facts
    economy = Exchange(endowment, taste, elasticity)
    slope = jax.jit(jax.grad(lambda e: log_utilities(dataclasses.replace(economy, endowment=e)).sum()))(
        economy.endowment
    )
    for place in [(0, 0), (1, 2), (3, 1)]:
        reached = []
        for by in (1e-5, -1e-5):
            moved = endowment.copy()
            moved[place] += by
            _, bundle = taxed_equilibrium(moved, taste, elasticity, np.zeros(3))
            reached.append(log_utility(bundle, taste, elasticity).sum())
        assert float(slope[place]) == pytest.approx((reached[0] - reached[1]) / 2e-5, abs=1e-5)


def test_who_gives_goods_to_a_trader_of_cobb_douglas_wants_is_the_closed_form():
    # two traders, two goods, each owns one: shares a of the first good, so p_1 = a_2 / (1 - a_1) with p_2 = 1
    share = np.array([0.3, 0.6])
    economy = Exchange(np.eye(2), np.stack([share, 1 - share], 1), np.ones(2))

    def first(unit):  # the first trader's, who owns `unit` of good 1: log(share a_1 of it), and of good 2 the rest
        return log_utilities(dataclasses.replace(economy, endowment=jnp.eye(2).at[0, 0].set(unit)))

    # income 1 is p_1 unit = a_2 / (1 - a_1), whatever the unit: only the price of good 1 falls, as 1 / unit
    slope = jax.jit(jax.jacfwd(first))(1.0)
    assert np.allclose(slope, share, atol=1e-8)  # d log u_i / d log unit = the share of good 1


@pytest.mark.parametrize("tax", [np.zeros(3), np.array([0.5, 0.0, 0.2]), np.full(3, 3.0)])
def test_a_taxed_economy_is_the_untaxed_one_of_pooled_endowments(facts, tax):
    endowment, taste, elasticity = facts
    rest = cx.settle(taxed(Exchange(endowment, taste, elasticity), tax), 1e-10)
    price, bundle = taxed_equilibrium(endowment, taste, elasticity, tax)
    paid = (1 + tax) * price
    assert np.allclose(rest.allocation, bundle, atol=1e-7)
    assert np.allclose(rest.price / rest.price[0], paid / paid[0], rtol=1e-7)
    assert np.allclose(taxed(Exchange(endowment, taste, elasticity), tax).stock, endowment.sum(0))


def test_welfare_of_a_tax_against_another_solver(facts):
    endowment, taste, elasticity = facts
    economy = Exchange(endowment, taste, elasticity)
    at = jnp.array([0.3, 0.1, 0.0])
    slope = jax.jit(jax.grad(lambda t: log_utilities(taxed(economy, t)).sum()))(at)
    for good in range(3):
        reached = []
        for by in (1e-5, -1e-5):
            tax = np.array(at)
            tax[good] += by
            reached.append(
                log_utility(taxed_equilibrium(endowment, taste, elasticity, tax)[1], taste, elasticity).sum()
            )
        assert float(slope[good]) == pytest.approx((reached[0] - reached[1]) / 2e-5, abs=1e-5)


def test_what_has_no_derivative_is_refused():
    linear = market("linear")
    with pytest.raises(cx.Refused, match="marginal_welfare"):
        log_utilities(linear)
    with pytest.raises(cx.Refused, match="at rest"):
        marginal_welfare(linear, cx.settle(linear, max_rounds=1))
    economy = Exchange.drawn(0, traders=3, goods=2)
    with pytest.raises(cx.BadInput, match=r"tax\[1\] is -0.1"):
        taxed(economy, [0.0, -0.1])
    with pytest.raises(cx.BadInput, match="tax has shape"):
        taxed(economy, [0.1, 0.1, 0.1])
