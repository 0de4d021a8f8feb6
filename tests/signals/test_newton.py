"""Newton's prices of an exchange economy, one step at a time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.agent import View
from catallax.economy.trade.traders import PriceTaker
from catallax.economy.utility import CES
from catallax.signals.newton import BOUT, NewtonPrices, newton
from catallax.signals.second_order import Answers


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def traders(count: int = 6, goods: int = 3) -> PriceTaker:
    """Some who substitute little, some much, one who does not want all goods; one with elasticity 1, one with 0."""
    random = np.random.default_rng(0)
    taste = random.dirichlet(np.ones(goods), count)
    taste[0, 1] = 0
    elasticity = np.array([0.0, 1.0, 0.3, 2.0, 5.0, 0.8])[:count]
    endowment = jnp.asarray(random.gamma(1.0, 1.0, (count, goods)))
    return PriceTaker(endowment, CES(jnp.asarray(taste), jnp.asarray(elasticity)), "slopes")


def spent(agents: PriceTaker, log_price):
    """What all spend, incomes following prices."""
    price = jnp.exp(log_price)
    return agents.utility.total(price, agents.endowment @ price)


def test_slopes_are_the_derivative_of_spending_with_incomes_that_move():
    agents, log_price = traders(), jnp.log(jnp.array([0.3, 1.1, 0.7]))
    _, together = agents.tally(View(jnp.exp(log_price)), None)
    np.testing.assert_allclose(together.slope, -jax.jacfwd(lambda y: spent(agents, y))(log_price), atol=1e-12)
    each = [jax.tree.map(lambda x, i=i: x[i], agents).respond(View(jnp.exp(log_price)), None)[1] for i in range(6)]
    np.testing.assert_allclose(sum(a.slope for a in each), together.slope, atol=1e-12)
    np.testing.assert_allclose(sum(a.spending for a in each), together.spending, rtol=1e-12)


def test_newton_lowers_the_residual_but_for_a_change_of_all_prices():
    agents, log_price = traders(), jnp.log(jnp.array([0.3, 1.1, 0.7]))
    supply = agents.endowment.sum(0)

    def residual(y):
        return jnp.log(spent(agents, y) / supply) - y

    _, answers = agents.tally(View(jnp.exp(log_price)), None)
    step = newton(answers, jnp.exp(log_price) * supply, residual(log_price))
    after = residual(log_price) + jax.jacfwd(residual)(log_price) @ step
    assert float(jnp.ptp(residual(log_price))) > 0.1
    np.testing.assert_allclose(after, after[0], atol=1e-12)


def test_a_trial_that_does_not_lower_the_disparity_is_halved_and_then_left_to_the_posts():
    supply, slope = jnp.ones(2), jnp.array([[0.0, -1.0], [-1.0, 0.0]])
    law = NewtonPrices.opening(jnp.zeros(2), supply, 0.5)
    better, worse = Answers(jnp.array([0.6, 0.4]), slope), Answers(jnp.array([0.9, 0.1]), slope)
    law = law.propagate(better)
    base, trial = law.base, law.log_price
    assert float(law.accord) == pytest.approx(2 / 3)
    for share in (0.5, 0.25):
        law = law.propagate(worse)
        assert float(law.share) == share and np.array_equal(law.base, base)
        assert abs(law.log_price - base).max() < 0.6 * abs(trial - base).max()
        trial = law.log_price
    before, law = law, law.propagate(worse)  # a third time: posts, half of the way to where they clear
    moved = before.log_price + 0.5 * before.residual(worse)
    np.testing.assert_allclose(law.log_price - law.log_price[0], moved - moved[0], rtol=1e-12)
    assert float(law.plain) == BOUT - 1 and float(law.bout) > BOUT and float(law.accord) == 0


def test_prices_at_rest_stand():
    agents = traders()
    law = NewtonPrices.opening(jnp.zeros(3), agents.endowment.sum(0), 0.5)
    for _ in range(12):
        answers = agents.tally(View(law.public()), None)[1]
        law = law.propagate(answers)
    assert float(law.unrest(answers)) < 1e-14
    again = law.propagate(answers)
    np.testing.assert_allclose(again.log_price, law.log_price, atol=1e-14)
    assert float(again.share) == 1 and float(again.public() @ law.supply) == pytest.approx(1)


def test_a_matrix_without_an_inverse_is_passed_over():
    nothing = Answers(jnp.array([0.7, 0.3]), jnp.zeros((2, 2)))  # spending that never moves: all prices are alike
    law = NewtonPrices.opening(jnp.zeros(2), jnp.ones(2), 0.5).propagate(nothing)
    assert np.isfinite(law.log_price).all() and float(law.log_price[0]) > float(law.log_price[1])
    lost = dataclasses.replace(law, log_price=law.log_price * jnp.nan)
    assert np.isnan(float(lost.unrest(nothing)))
