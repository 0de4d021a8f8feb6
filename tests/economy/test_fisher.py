"""Fisher markets against closed forms, other optimisers, and the theory's identities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.economy import Fisher, Utility
from catallax.testing import check_problem


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def drawn(kind: str, buyers: int, goods: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Valuations, budgets and supply of one of the families that break solvers."""
    random = np.random.default_rng([seed, buyers, goods])
    value, supply = random.uniform(1e-3, 1, (buyers, goods)), random.uniform(0.5, 2, goods)
    if kind == "lognormal":
        value = random.lognormal(0, 1, (buyers, goods))
    if kind == "low rank":
        value = random.uniform(0, 1, (buyers, 8)) @ random.uniform(0, 1, (8, goods))
    if kind == "ties":
        value = 1.0 * random.integers(0, 6, (buyers, goods))
    if kind == "sparse":
        value = value * (random.random((buyers, goods)) < 0.1)
    if kind in ("ties", "sparse"):
        value[np.arange(buyers), random.integers(0, goods, buyers)] = 3
        value[random.integers(0, buyers, goods), np.arange(goods)] = 4
    if kind == "scales":
        value = value * 10 ** random.uniform(-6, 6, (buyers, 1)) * 10 ** random.uniform(-6, 6, goods)
        supply = 10 ** random.uniform(-3, 3, goods)
    budget = 10 ** random.uniform(-3, 3, buyers) if kind == "budgets" else random.uniform(0.5, 1.5, buyers)
    return value, budget, supply


@pytest.mark.parametrize("kind", ["uniform", "lognormal", "low rank", "ties", "sparse", "scales", "budgets"])
def test_linear_markets_of_every_kind_settle_in_few_rounds(kind):
    for buyers, goods in ((2, 2), (10, 5), (60, 12)):
        for seed in range(4):
            market = Fisher(*drawn(kind, buyers, goods, seed))
            outcome = cx.run(market, 100, tolerance=2e-7)
            assert market.gap(outcome) <= 1e-6, (kind, buyers, seed)
            assert outcome.rounds <= (60 if kind == "scales" else 20), (kind, buyers, seed)


def test_a_billionth_is_within_reach():
    market = Fisher(*drawn("low rank", 200, 20, 0), goal=2e-10)
    outcome = cx.run(market, 60, tolerance=2e-10)
    assert market.gap(outcome) <= 1e-9 and outcome.rounds <= 30


@pytest.mark.parametrize("utility", ["linear", "quasi-linear"])
def test_prices_are_those_of_proportional_response(utility):
    value, budget, supply = drawn("lognormal", 12, 4, 3)
    market = Fisher(value, budget, supply, utility)
    settled, planned = cx.settle(market), market.plan()
    assert settled.status == "settled" and planned.status == "settled"
    np.testing.assert_allclose(settled.price, planned.price, rtol=1e-4)
    np.testing.assert_allclose(settled.utilities, planned.utilities, rtol=1e-4)


def test_one_good_and_money_worth_having():
    dear = cx.settle(Fisher(np.array([[2.0]]), np.ones(1), np.ones(1), "quasi-linear"))
    cheap = cx.settle(Fisher(np.array([[0.5]]), np.ones(1), np.ones(1), "quasi-linear"))
    np.testing.assert_allclose([dear.price[0], dear.kept[0]], [1.0, 0.0], atol=1e-5)  # the budget decides
    np.testing.assert_allclose([cheap.price[0], cheap.kept[0]], [0.5, 0.5], atol=1e-5)  # the value decides


def test_cobb_douglas_prices_are_the_money_spent_on_each_good():
    value, budget, supply = drawn("uniform", 30, 6, 1)
    outcome = cx.settle(Fisher(value, budget, supply, "cobb-douglas"))
    expected = budget @ (value / value.sum(1, keepdims=True)) / supply
    np.testing.assert_allclose(outcome.price, expected, rtol=1e-5)


@pytest.mark.parametrize("elasticity", [0.0, 0.3, 1.0, 2.0, 8.0])
def test_ces_markets_reach_the_utilities_of_the_planner(elasticity):
    value, budget, supply = drawn("uniform", 40, 5, 2)
    market = Fisher(value, budget, supply, "ces", np.full(40, elasticity))
    outcome = cx.settle(market)
    assert outcome.status == "settled" and outcome.rounds <= 40
    np.testing.assert_allclose(outcome.utilities, market.plan().utilities, rtol=3e-3)
    assert market.welfare(outcome)["efficiency"] > 1 - 1e-5


def test_the_gap_bounds_what_is_missing_to_the_plan():
    value, budget, supply = drawn("lognormal", 12, 4, 5)
    market = Fisher(value, budget, supply)
    best = market.plan().utilities
    for rounds in (3, 5, 6):
        outcome = cx.run(market, rounds)
        missing = budget @ np.log(best / outcome.utilities) / budget.sum()
        assert -1e-9 <= missing <= market.gap(outcome) + 1e-9
        assert market.gap(outcome) > 1e-5  # it is not settled so soon


@pytest.mark.parametrize("share", [3.0, 1.2, 0.9, 0.3])
def test_caps_hold_and_their_rents_prove_it(share):
    value, budget, supply = drawn("low rank", 30, 6, 0)
    cap = np.full(30, share * supply.sum() / 30)
    market = Fisher(value, budget, supply, cap=cap)
    outcome = cx.settle(market)
    assert outcome.status == "settled" and market.gap(outcome) <= 1e-6
    assert (outcome.allocation.sum(1) <= cap * (1 + 1e-9)).all() and (
        outcome.allocation.sum(0) <= supply * (1 + 1e-9)
    ).all()
    free = outcome.allocation.sum(1) < 0.99 * cap
    assert np.abs(outcome.rent * cap)[free].max(initial=0) < 1e-3  # who is not bound pays no rent
    if share == 0.3:
        np.testing.assert_allclose(outcome.allocation.sum(1), cap, rtol=1e-3)


class Familiar(Utility):
    """Cobb-Douglas again, by its two functions alone."""

    taste: jax.Array

    def log_utility(self, bundle):
        return jnp.sum(self.taste * jnp.log(bundle))

    def log_indirect(self, log_price):
        return jnp.sum(self.taste * (jnp.log(self.taste) - log_price))


def test_a_utility_of_ones_own():
    value, budget, supply = drawn("uniform", 20, 4, 7)
    taste = value / value.sum(1, keepdims=True)
    known, own = (cx.settle(Fisher(value, budget, supply, u)) for u in ("cobb-douglas", Familiar(jnp.asarray(taste))))
    assert own.status == "settled"
    np.testing.assert_allclose(own.price, known.price, rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(0.01, 100))
def test_units_do_not_matter(seed, money, worth):
    value, budget, supply = drawn("uniform", 8, 3, seed)
    plain = cx.run(Fisher(value, budget, supply), 30)
    scaled = cx.run(Fisher(value * worth, budget * money, supply), 30)
    np.testing.assert_allclose(scaled.price, money * plain.price, rtol=1e-6)
    np.testing.assert_allclose(scaled.allocation, plain.allocation, atol=1e-6)


def test_the_laws():
    value, budget, supply = drawn("uniform", 10, 4, 0)
    assert "certificate" in check_problem(Fisher(value, budget, supply), bad=[lambda: Fisher(-value, budget, supply)])
    assert "honest bits" in check_problem(Fisher(value, budget, supply, "ces", np.full(10, 2.0)))


def test_the_gradient_of_prices_with_respect_to_budgets():
    value, budget, supply = drawn("uniform", 6, 3, 0)

    def price(budget):
        return cx.settle(
            Fisher(value, budget, supply, "ces", np.full(6, 2.0), goal=1e-13), 1e-9
        ).society.signal.public()[0]

    slope, step = jax.grad(price)(jnp.asarray(budget)), 1e-5
    for k in range(3):
        more, less = (price(jnp.asarray(budget + sign * step * np.eye(6)[k])) for sign in (1, -1))
        assert slope[k] == pytest.approx(float(more - less) / (2 * step), rel=1e-4, abs=1e-8)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(budgets=np.array([1.0, 0.0])), r"Fisher.budgets\[1\] is 0: give a positive"),
        (dict(supply=np.array([1.0, -1.0])), r"Fisher.supply\[1\] is -1: give a positive"),
        (dict(valuations=np.array([[1.0, np.nan], [1, 1]])), r"Fisher.valuations\[0, 1\] is nan: give finite"),
        (dict(valuations=np.array([[0.0, 0], [1, 1]])), r"buyer 0 wants nothing; leave it out"),
        (dict(valuations=np.array([[0.0, 1], [0, 1]])), r"nobody wants good 0; leave it out"),
        (dict(utility="cubic"), r"Fisher.utility is 'cubic': give one of linear"),
        (dict(elasticity=np.ones(2)), r"Fisher.elasticity goes with utility 'ces'"),
        (
            dict(utility="ces", elasticity=-np.ones(2)),
            r"Fisher.elasticity\[0\] is -1: give a finite number of at least 0",
        ),
        (dict(cap=np.zeros(2)), r"Fisher.cap\[0\] is 0: give a finite number above 0"),
        (dict(budgets=np.ones(3)), r"Fisher.budgets has shape \(3,\) where the valuations ask for \(2,\)"),
    ],
)
def test_bad_facts_are_refused_in_a_sentence(change, sentence):
    facts = dict(valuations=np.ones((2, 2)), budgets=np.ones(2), supply=np.ones(2)) | change
    with pytest.raises(cx.BadInput, match=sentence):
        Fisher(**facts)


def test_what_it_cannot_mean_is_refused():
    market = Fisher(*drawn("uniform", 4, 3, 0))
    with pytest.raises(cx.Refused, match="cut to bits it leads nowhere: give law='proportional-response'"):
        cx.run(market, 3, channel=cx.Channel(bits=4))
    with pytest.raises(cx.Refused, match="contest"):
        market.society(0.5)
    with pytest.raises(cx.Refused, match="single bidder"):
        Fisher(np.array([[1.0, 0.0], [1.0, 1.0]]), np.ones(2), np.ones(2)).contest()


def test_in_float32_it_comes_to_what_float32_can_tell():
    with jax.enable_x64(False):
        market = Fisher(*drawn("uniform", 500, 50, 0))
        outcome = cx.settle(market, 1e-4)
        assert outcome.status == "settled" and outcome.society.signal.price.dtype == jnp.float32
        beyond = cx.settle(Fisher(*drawn("uniform", 500, 50, 0), goal=1e-9), 1e-8, max_rounds=60)
        assert beyond.status == "unsettled" and np.isfinite(beyond.certificate)  # said, and not broken


def test_after_a_shock_buyers_of_linear_wants_find_their_way():
    random = np.random.default_rng(1)
    market = Fisher(random.lognormal(size=(8, 4)), random.random(8) + 0.5, np.ones(4))
    answer = cx.questions.shock(market, rounds=20, tolerance=1e-4)
    assert answer.rows[0]["efficiency"] < 0.95 and answer.rows[-1]["efficiency"] > 0.9999
    assert answer.facts["recovered"] is not None
