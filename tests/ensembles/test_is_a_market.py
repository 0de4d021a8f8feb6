"""The estimators' prices are those of `collective.PredictionMarket`, traded round by round in the core loop."""

import numpy as np
import pytest

import catallax as cx
from catallax.collective import PredictionMarket
from catallax.ensembles.offers import offers
from catallax.ensembles.rules import linear
from catallax.ensembles.rules.exponential import Exponential

QUESTIONS, MEMBERS, OUTCOMES = 12, 3, 3


@pytest.fixture(scope="module")
def there():
    random = np.random.default_rng(0)
    belief = random.dirichlet(2 * np.ones(OUTCOMES), (QUESTIONS, MEMBERS))
    return offers(belief, random.integers(OUTCOMES, size=QUESTIONS))


def test_kelly_wealth_is_what_traders_own_after_all_rows(there):
    market = PredictionMarket(there.belief, there.outcome, wealth=np.full(MEMBERS, 1 / MEMBERS))
    after = cx.run(market, QUESTIONS + 1)
    np.testing.assert_allclose(after.wealth / after.wealth.sum(), linear.kelly(there).wealth, rtol=1e-5)


def test_the_linear_price_is_the_pari_mutuel_price(there):
    wealth = np.array([0.5, 0.3, 0.2])
    market = PredictionMarket(there.belief[:1], there.outcome[:1], wealth=wealth)
    ran = cx.run(market, 2, record=market.record())
    price = linear.Linear(wealth).price(there.belief[:1])
    np.testing.assert_allclose(ran.price, price, rtol=1e-5)
    np.testing.assert_allclose(ran.record["price"][1], price[0], rtol=1e-5)


def test_the_log_pool_is_where_cara_traders_before_a_maker_come_to_rest(there):
    """Tolerances v that sum to less than one are risk tolerances b v / (1 - sum v), and b / (1 - sum v) log prior the bias."""
    tolerance, prior, depth = np.array([0.3, 0.2, 0.1]), np.array([0.5, 0.3, 0.2]), 2.0
    left = 1 - tolerance.sum()
    pool = Exponential(tolerance, left * np.log(prior))
    market = PredictionMarket(
        there.belief,
        there.outcome,
        prior=prior,
        utility="cara",
        mechanism="lmsr",
        liquidity=depth,
        risk_tolerance=depth * tolerance / left,
        trading=40,
    )
    ran = cx.run(market, QUESTIONS * 40 + 1, record=market.record())
    asked = [39 + 40 * question for question in range(QUESTIONS)]
    prices = np.asarray(ran.record["price"])
    close = [
        np.abs(prices[max(0, at - 3) : at + 4] - pool.price(there.belief)[q]).max(-1).min()
        for q, at in enumerate(asked)
    ]
    np.testing.assert_allclose(close, 0, atol=1e-5)
