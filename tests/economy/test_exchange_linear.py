"""Linear wants in exchange: closed forms, the Fisher market at the incomes, a linear programme, and what is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import catallax as cx
from catallax.core.agent import View
from catallax.economy import Exchange, Fisher
from catallax.economy.trade.barterers import Barterer
from catallax.economy.trade.walras import Traders, utilisation
from catallax.signals.interior import Move
from catallax.testing import check_problem

INFINITE = np.inf


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def linear(endowment, taste, **more) -> Exchange:
    return Exchange(endowment, taste, np.full(len(endowment), INFINITE), **more)


def drawn(seed: int, traders: int = 8, goods: int = 4) -> Exchange:
    """Tastes over decades, ties among them, some goods not wanted; endowments of half of the goods."""
    random = np.random.default_rng(seed)
    taste = np.round(np.exp(1.5 * random.normal(size=(traders, goods))), 1) * (random.random((traders, goods)) < 0.8)
    taste[taste.sum(1) == 0] = 1.0
    taste[0], endowment = (
        0.5 + taste[0],
        random.gamma(1.0, 1.0, (traders, goods)) * (random.random((traders, goods)) < 0.5),
    )
    endowment[0] += 0.1  # the first owns and wants something of all: so all are linked
    endowment[:, 0] += 0.05
    return linear(endowment, taste)


def test_a_trader_who_is_indifferent_sets_the_price():
    # the first owns good 0 and values it twice as much as good 1: it sells half for all of good 1
    outcome = cx.settle(linear(np.eye(2), np.array([[2.0, 1.0], [1.0, 0.0]])))
    assert outcome.status == "settled"
    assert outcome.price[0] / outcome.price[1] == pytest.approx(2, rel=1e-6)
    np.testing.assert_allclose(outcome.allocation, [[0.5, 1.0], [0.5, 0.0]], atol=1e-6)
    np.testing.assert_allclose(outcome.utilities, [2.0, 0.5], rtol=1e-6)


def test_a_ring_of_owners_who_each_want_the_next_good():
    owned, wanted = np.eye(4), np.roll(np.eye(4), 1, axis=1) + 0.1 * np.eye(4)
    amount = np.array([1.0, 2.0, 3.0, 4.0])
    outcome = cx.settle(linear(np.vstack([owned, owned]) * amount / 2, np.vstack([wanted, wanted])))
    assert outcome.status == "settled"
    np.testing.assert_allclose(outcome.price * amount, outcome.price[0], rtol=1e-6)
    np.testing.assert_allclose(outcome.utilities, np.tile([1, 1.5, 2, 0.5], 2), rtol=1e-6)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_nobody_affords_better_and_nothing_is_wasted(seed):
    economy = drawn(seed)
    outcome = cx.settle(economy)
    assert outcome.status == "settled", outcome.certificate
    assert outcome.rounds <= 30
    price, endowment, taste = outcome.price, np.asarray(economy.endowment), np.asarray(economy.taste)
    np.testing.assert_allclose(outcome.allocation.sum(0), economy.stock, rtol=1e-12)
    np.testing.assert_allclose(outcome.utilities, (taste / price).max(1) * (endowment @ price), rtol=1e-4)
    np.testing.assert_allclose(outcome.allocation @ price, endowment @ price, rtol=1e-4)
    assert (outcome.utilities >= economy.silence().utilities * (1 - 1e-6)).all()
    efficiency, slack = economy.efficiency(outcome)
    assert efficiency == pytest.approx(1, abs=1e-6) and slack < 1e-8


@pytest.mark.parametrize("seed", range(3))
def test_prices_are_those_of_the_fisher_market_at_the_incomes(seed):
    economy = drawn(seed)
    outcome = cx.settle(economy)
    income = np.asarray(economy.endowment) @ outcome.price
    market = cx.settle(Fisher(np.asarray(economy.taste), income, economy.stock))
    np.testing.assert_allclose(market.price, outcome.price, rtol=1e-5)


def test_the_planner_wants_what_prices_give():
    economy = drawn(1)
    plan, outcome = economy.plan(), cx.settle(economy)
    assert plan.status == "settled"
    np.testing.assert_allclose(plan.utilities, outcome.utilities, rtol=1e-4)
    assert economy.welfare(outcome)["share_of_optimum"] == pytest.approx(1, abs=1e-6)
    assert economy.welfare(economy.silence())["share_of_optimum"] < 1


def test_units_of_goods_and_of_utility_do_not_matter():
    economy, random = drawn(2), np.random.default_rng(0)
    goods, utility = 10.0 ** random.uniform(-3, 3, 4), 10.0 ** random.uniform(-3, 3, (8, 1))
    scaled = linear(np.asarray(economy.endowment) * goods, np.asarray(economy.taste) / goods * utility)
    one, other = cx.settle(economy), cx.settle(scaled)
    assert other.status == "settled"
    np.testing.assert_allclose(other.price * goods, one.price, rtol=1e-5)


def test_one_by_one_is_the_same_as_all_at_once():
    society = drawn(3).society()
    agents, signal = society.agents, society.signal
    respond, tally = (
        jax.jit(lambda a, view, act=act: act(a, view, None)) for act in (Barterer.respond, Barterer.tally)
    )
    for _ in range(4):
        view = View(signal.public())
        moved, together = tally(agents, view)
        each = [respond(jax.tree.map(lambda x, i=i: x[i], agents), view) for i in range(8)]
        alone = jax.tree.map(lambda *x: sum(x), *[trade for _, trade in each])
        for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
        agents, signal = moved, signal.propagate(together)
    np.testing.assert_allclose(agents.at.budget.sum(), 1, rtol=1e-12)
    before = signal.path.price - signal.path.rose
    np.testing.assert_allclose(agents.at.budget, agents.endowment @ before / (before @ signal.path.supply), rtol=1e-12)


def test_promises_are_the_derivative_of_what_is_taken_with_incomes_that_move():
    society = drawn(4).society()
    agents, signal = society.agents, society.signal
    for _ in range(3):
        agents, trade = agents.tally(View(signal.public()), None)
        signal = signal.propagate(trade)
    path, at = signal.path, agents.at
    price = path.price - path.rose

    def wanted(rose):  # the step of every trader, in full, at prices and incomes that have moved so
        after = price + rose
        income = agents.endowment @ after / (after @ path.supply)
        first = at.promise.first + (income - at.budget) / at.worth
        promised = dataclasses.replace(at, promise=at.promise._replace(first=first))
        told = Move(after, rose, path.tightness, path.next)
        return at.bundle.sum(0) + promised.change(told)["bundle"].sum(0)

    slope = trade.stance.slope + jnp.outer(trade.rise, path.supply) / (price @ path.supply)
    np.testing.assert_allclose(wanted(jnp.zeros(4)), trade.stance.target, rtol=1e-9)
    np.testing.assert_allclose(-jax.jacfwd(wanted)(jnp.zeros(4)), slope, rtol=1e-6, atol=1e-8)


def test_float32_ends_at_its_own_goal():
    with jax.enable_x64(False):
        wide = drawn(5)
        outcome = cx.settle(linear(np.asarray(wide.endowment), np.asarray(wide.taste)), 1e-4)
        assert outcome.society.signal.path.price.dtype == np.float32
        assert outcome.status == "settled"


def test_laws_hold():
    assert {"locality", "conservation", "reproducibility", "certificate"} <= set(check_problem(drawn(6)))


def test_what_linear_wants_cannot_do_is_refused():
    economy = drawn(0)
    with pytest.raises(cx.Refused, match="linear wants"):
        economy.contest()
    with pytest.raises(cx.Refused, match="exact prices"):
        cx.run(economy, 3, channel=cx.Channel(bits=4))
    with pytest.raises(cx.BadInput, match="leave it out, or give 'interior'"):
        dataclasses.replace(economy, law="posts")
    mixed = np.array([INFINITE, 2.0])
    with pytest.raises(cx.BadInput, match="write inf for all traders or for none"):
        Exchange(np.ones((2, 2)), np.ones((2, 2)), mixed)
    apart = linear(np.eye(4), np.kron(np.eye(2), np.ones((2, 2))), goods=("rye", "ale", "oil", "wax"))
    with pytest.raises(cx.Refused, match="rye and oil are not linked by trade in both directions"):
        cx.settle(apart)


# --- Debreu's coefficient ---


@pytest.mark.parametrize("seed", range(5))
def test_utilisation_of_linear_wants_is_the_linear_programme(seed):
    random = np.random.default_rng(seed)
    taste = random.random((3, 2))
    traders, levels, supply = Traders(taste, np.full(3, INFINITE)), random.random(3), 0.5 + random.random(2)
    found = utilisation(traders, levels, supply)
    # its dual, by another form: the highest sum_i u_i k_i with k_i a_ij <= p_j, p.S = 1
    rows = [np.concatenate([taste[i, j] * np.eye(3)[i], -np.eye(2)[j]]) for i in range(3) for j in range(2)]
    dual = linprog(-np.append(levels, [0, 0]), rows, np.zeros(6), [np.append(np.zeros(3), supply)], [1.0])
    assert found.value == pytest.approx(-dual.fun, rel=1e-9) and found.gap < 1e-9
    assert found.price @ supply == pytest.approx(1)
    assert utilisation(traders, 7 * levels, 2 * supply).value == pytest.approx(3.5 * found.value, rel=1e-9)


def test_the_judge_knows_linear_wants():
    traders = Traders([[2.0, 1.0], [0.0, 3.0]], [INFINITE, INFINITE])
    np.testing.assert_allclose(traders.utility([[1.0, 4.0], [5.0, 2.0]]), [6.0, 6.0], rtol=1e-14)
    np.testing.assert_allclose(traders.expenditure([1.0, 2.0], [6.0, 6.0]), [3.0, 4.0], rtol=1e-14)
    with pytest.raises(cx.Refused, match="no demand to speak of"):
        traders.demand([1.0, 2.0], [1.0, 1.0])
