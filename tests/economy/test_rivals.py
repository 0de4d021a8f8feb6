"""Buyers who know their own effect on prices: closed forms, SciPy's best responses, and the bound that certifies them."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import catallax as cx
from catallax.economy import Fisher, Utility
from catallax.economy.buyers import rivals
from catallax.questions import replicate

KINDS = [
    ("linear", None),
    ("quasi-linear", None),
    ("cobb-douglas", None),
    ("leontief", None),
    ("ces", 0.4),
    ("ces", 3.0),
]


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def market_of(kind: str, elasticity: float | None, seed: int = 0, buyers: int = 6, goods: int = 3) -> Fisher:
    random = np.random.default_rng(seed)
    value = random.uniform(0.1, 1, (buyers, goods)) * (5 if kind == "quasi-linear" else 1)
    facts = (value, random.uniform(0.5, 1.5, buyers), random.uniform(0.5, 2, goods), kind)
    return Fisher(*facts, None if elasticity is None else np.full(buyers, elasticity))


def bids_of(market: Fisher, seed: int = 1) -> np.ndarray:
    """Random bids that everyone can pay."""
    random = np.random.default_rng(seed)
    spent = np.asarray(market.budgets) * (random.uniform(0.3, 1, len(market.budgets)) if market.money else 1)
    return random.dirichlet(np.full(market.supply.size, 3.0), len(spent)) * spent[:, None]


def utility_of(market: Fisher, bid: np.ndarray, others: np.ndarray, who: int) -> float:
    """What buyer `who` has of a bid, by the definition."""
    bundle, taste = np.asarray(market.supply) * bid / (others + bid), np.asarray(market.valuations)[who]
    if market.interior:
        return float(taste @ bundle + (market.budgets[who] - bid.sum() if market.money else 0))
    if market.utility == "leontief":
        return float((bundle / taste).min())
    if market.utility == "cobb-douglas":
        return float(np.exp((taste / taste.sum()) @ np.log(bundle)))
    order = 1 - 1 / float(market.elasticity[who])
    return float((taste @ bundle**order) ** (1 / order))


def best_by_scipy(market: Fisher, bids: np.ndarray, who: int) -> float:
    """The most utility that buyer `who` can have, by SLSQP from two starts."""
    others, budget = bids.sum(0) - bids[who], float(market.budgets[who])
    taste, supply, goods = np.asarray(market.valuations)[who], np.asarray(market.supply), len(others)
    paid = dict(type="ineq", fun=lambda z: budget - z[:goods].sum())
    reached = []
    for start in (np.full(goods, budget / goods), bids[who]):
        if market.utility == "leontief":  # the least good's level is a variable: then all is smooth
            begin = np.append(start, utility_of(market, start, others, who))
            level = dict(type="ineq", fun=lambda z: supply * z[:-1] / (others + z[:-1]) / taste - z[-1])
            goal, rules = (lambda z: -z[-1]), [paid, level]
        else:
            begin, goal, rules = start, (lambda z: -utility_of(market, z, others, who)), [paid]
        found = minimize(goal, begin, bounds=[(1e-9, None)] * len(begin), constraints=rules, tol=1e-12).x[:goods]
        reached.append(utility_of(market, found * min(1, budget / found.sum()), others, who))
    return max(reached)


@pytest.mark.parametrize(("kind", "elasticity"), KINDS)
def test_gains_are_those_of_another_optimiser_and_below_the_bound(kind, elasticity):
    market = market_of(kind, elasticity)
    bids = bids_of(market)
    others = bids.sum(0) - bids
    gains = [best_by_scipy(market, bids, i) / utility_of(market, bids[i], others[i], i) - 1 for i in range(len(bids))]
    assert rivals.gain(market, bids) == pytest.approx(max(gains), rel=1e-5)
    assert rivals.at_most(market, bids) >= max(gains)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(KINDS))
def test_no_bid_gains_more_than_the_bound(seed, kind):
    market = market_of(*kind, seed)
    bids, random = bids_of(market, seed), np.random.default_rng(seed)
    most = rivals.at_most(market, bids)
    for i in range(len(bids)):
        others = bids.sum(0) - bids[i]
        reached = utility_of(market, bids[i], others, i)
        for _ in range(20):
            bid = random.dirichlet(np.full(len(others), random.choice([0.3, 3.0]))) * float(market.budgets[i]) + 1e-12
            assert utility_of(market, bid, others, i) <= (1 + most) * reached * (1 + 1e-9)


@pytest.mark.parametrize(("kind", "elasticity"), KINDS)
def test_taking_turns_ends_where_nobody_gains(kind, elasticity):
    market = market_of(kind, elasticity)
    outcome = market.contest()
    assert outcome.status == "settled" and outcome.certificate <= 1e-6
    assert market.gain(outcome) <= outcome.certificate + 1e-12
    assert rivals.gain(market, outcome.bids * 0.999 + 0.001 * bids_of(market)) > market.gain(outcome)  # it can tell
    np.testing.assert_allclose(outcome.allocation.sum(0), market.supply, rtol=1e-12)
    assert market.welfare(outcome)["efficiency"] < 1


@pytest.mark.parametrize("leak", [0.1, 0.25, 0.5])
def test_who_knows_less_of_it_settles_too_and_nearer_to_the_optimum(leak):
    market = market_of("linear", None, 0, 12, 4)
    outcome, whole = market.contest(leak), market.contest()
    assert outcome.status == "settled"
    assert market.welfare(outcome)["efficiency"] > market.welfare(whole)["efficiency"]


# --- closed forms ---


@pytest.mark.parametrize("kind", ["cobb-douglas", "linear"])
def test_buyers_of_equal_tastes_bid_in_proportion_to_them(kind):
    taste, supply = np.array([0.5, 0.3, 0.2]), np.array([1.0, 2.0, 0.5])
    outcome = Fisher(np.tile(taste, (4, 1)), np.full(4, 2.0), supply, kind).contest()
    share = taste if kind == "cobb-douglas" else taste * supply / (taste @ supply)  # the own effect cancels out
    np.testing.assert_allclose(outcome.bids, np.tile(2 * share, (4, 1)), rtol=1e-5)


@pytest.mark.parametrize("taste", [0.6, 0.9])
def test_two_of_opposite_tastes_hold_back_by_the_square_root(taste):
    value = np.array([[taste, 1 - taste], [1 - taste, taste]])
    outcome = Fisher(value, np.ones(2), np.ones(2), "cobb-douglas").contest()
    held = np.sqrt(taste) / (np.sqrt(taste) + np.sqrt(1 - taste))  # taste (1 - b)^2 = (1 - taste) b^2
    np.testing.assert_allclose(outcome.bids[0], [held, 1 - held], rtol=1e-5)
    leaking = Fisher(value, np.ones(2), np.ones(2), "cobb-douglas").contest(0.0001)
    np.testing.assert_allclose(leaking.bids[0], [taste, 1 - taste], rtol=1e-3)  # a price-taker's


@pytest.mark.parametrize("count", [2, 5])
def test_who_may_keep_money_shades_its_bid(count):
    outcome = Fisher(np.full((count, 1), 0.8), np.ones(count), np.ones(1), "quasi-linear").contest()
    np.testing.assert_allclose(outcome.bids[:, 0], 0.8 * (count - 1) / count**2, rtol=1e-4)
    np.testing.assert_allclose(outcome.kept, 1 - outcome.bids[:, 0], rtol=1e-12)


@pytest.mark.parametrize("elasticity", [0.5, 3.0])
def test_influence_vanishes_with_numbers(elasticity):
    market = dataclasses.replace(market_of("ces", elasticity), goal=1e-14)
    apart, lost = [], []
    for copies in (4, 8):
        crowd = market.replicate(copies)
        contest, taken = crowd.contest(tolerance=1e-9), cx.run(crowd, 60, tolerance=1e-13)
        apart.append(np.abs(contest.price / taken.price - 1).max())
        lost.append(1 - crowd.welfare(contest)["efficiency"])
    assert apart[0] / apart[1] == pytest.approx(2, rel=0.1)  # prices like 1 / copies,
    assert lost[0] / lost[1] == pytest.approx(4, rel=0.1)  # welfare, flat at its optimum, like the square


def test_a_linear_contest_loses_and_the_loss_vanishes_with_numbers():
    market = market_of("linear", None, 3, 12, 4)
    lost = []
    for crowd in (market, market.replicate(2), market.replicate(4)):
        contest = crowd.contest()
        assert contest.status == "settled" and contest.certificate <= 1e-6
        lost.append(1 - crowd.welfare(contest)["efficiency"])
    assert 0.001 < lost[0] < 0.1 and lost[0] > 1.8 * lost[1] > 4 * lost[2]


def test_the_question_of_numbers_takes_ces_markets():
    rows = replicate(market_of("ces", 3.0), copies=(1, 2)).rows
    assert [row["status"] for row in rows] == ["settled"] * 2
    for field, power in (("effect", 1), ("gain", 2), ("inefficiency", 2)):
        assert rows[0][field] / rows[1][field] == pytest.approx(2**power, rel=0.15)


def test_best_bids_of_linear_wants_are_best():
    random = np.random.default_rng(0)
    value, others, supply = random.uniform(0.1, 1, (3, 5))
    best = rivals.best_bid(value, supply, others, 1.0, 1.0)
    assert best.sum() == pytest.approx(1) and (best >= 0).all()
    reached = value @ (supply * best / (others + best))
    for _ in range(300):
        bid = random.dirichlet(np.ones(5) * 0.5)
        assert value @ (supply * bid / (others + bid)) <= reached + 1e-12


class Own(Utility):
    def log_utility(self, bundle):
        return bundle[0]

    def log_indirect(self, log_price):
        return log_price[0]


def test_what_it_cannot_mean_is_refused():
    facts = np.ones((3, 2)), np.ones(3), np.ones(2)
    with pytest.raises(cx.Refused, match="a contest is defined for linear, quasi-linear and CES wants without caps"):
        Fisher(*facts, Own()).contest()
    with pytest.raises(cx.Refused, match="a contest is defined"):
        rivals.gain(Fisher(*facts, cap=np.ones(3)), np.full((3, 2), 0.5))
    with pytest.raises(cx.Refused, match="single bidder"):
        Fisher(np.array([[1.0, 0.0], [1.0, 1.0]]), np.ones(2), np.ones(2), "cobb-douglas").contest()
