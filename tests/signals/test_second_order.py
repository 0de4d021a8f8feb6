"""The second-order price laws, one step at a time."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.agent import View
from catallax.economy.buyers.bidders import Bidder, slope_of
from catallax.signals.interior import Interior, cleared
from catallax.signals.second_order import Answers, SecondOrder, newton


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def test_newton_prices_of_fixed_spending_are_found_in_a_few_rounds():
    spent, supply = jnp.array([0.2, 0.3, 0.5]), jnp.array([1.0, 2.0, 4.0])
    law, answers = SecondOrder.opening(jnp.zeros(3), supply, 1e-14), Answers(spent, jnp.zeros((3, 3)))
    for _ in range(12):
        law = law.propagate(answers)
    np.testing.assert_allclose(law.public(), spent / supply, rtol=1e-7)
    assert law.unrest(answers) <= 1e-14
    assert np.array_equal(law.propagate(answers).log_price, law.log_price)  # and stand


def test_a_step_that_overshoots_is_cut():
    law = SecondOrder.opening(jnp.zeros(2), jnp.ones(2), 1e-12)
    start = law.propagate(Answers(jnp.array([0.9, 0.1]), jnp.zeros((2, 2))))
    beyond = start.propagate(Answers(jnp.array([0.01, 3.0]), jnp.zeros((2, 2))))  # demand has turned round
    assert 0 < beyond.step < start.step
    np.testing.assert_allclose(beyond.log_price, beyond.step * start.direction, rtol=1e-12)


def test_newton_solves_its_system():
    slope = jnp.array([[2.0, -1.0], [-1.0, 1.5]])
    value, spent = jnp.array([0.4, 0.6]), jnp.array([0.5, 0.5])
    toward, decrement = newton(Answers(spent, slope), value, spent - value)
    hessian = np.diag([0.5, 0.6]) + np.asarray(slope)
    np.testing.assert_allclose(toward, np.linalg.solve(hessian, [0.1, -0.1]), rtol=1e-12)
    assert decrement == pytest.approx(float(toward @ (spent - value)))


def test_the_market_of_promises_clears_in_any_units():
    slope, excess = jnp.array([[3.0, -1.0], [-1.0, 2.0]]), jnp.array([0.2, -0.1])
    plain = cleared(slope, excess, jnp.ones(2))
    np.testing.assert_allclose(slope @ plain, excess, rtol=1e-12)
    unit = jnp.array([1e6, 1e-6])
    np.testing.assert_allclose(cleared(slope * unit[:, None] * unit, excess * unit, 1 / unit), plain / unit, rtol=1e-9)


def test_one_by_one_is_the_same_as_all_at_once():
    random = np.random.default_rng(0)
    value, budget = jnp.asarray(random.uniform(0.1, 1, (7, 3))), jnp.full(7, 1 / 7)
    price, supply = jnp.full(3, 1 / 3), jnp.ones(3)
    for cap in (None, jnp.full(7, 0.5)):
        bidders = Bidder.opening(value, budget, price, supply, cap is None, cap)
        law = Interior.opening(price, supply, jnp.asarray(1e-6))
        for _ in range(4):
            view = View(law.public())
            moved, together = bidders.tally(view, None)
            each = [jax.tree.map(lambda x, i=i: x[i], bidders).respond(view, None) for i in range(7)]
            alone = jax.tree.map(lambda *x: sum(x), *[stance for _, stance in each])
            for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(moved.bundle, jnp.stack([m.bundle for m, _ in each]), rtol=1e-9)
            bidders, law = moved, law.propagate(together)
        # whatever the step, nothing has turned negative, and slack is what it is called
        assert (bidders.bundle > 0).all() and (bidders.slack > 0).all() and (bidders.worth > 0).all()
        rent = 0 if bidders.rent is None else bidders.rent[:, None]
        before = law.price - law.rose
        np.testing.assert_allclose(bidders.slack, before + rent - bidders.worth[:, None] * value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("money", [False, True])
def test_the_slope_has_all_its_digits_where_one_good_is_nearly_all_of_it(money):
    value, budget, one = jnp.array([[0.3, 0.7, 0.2, 0.9]], jnp.float32), jnp.ones(1, jnp.float32), jnp.float32(1)
    bidders = Bidder.opening(value, budget, jnp.full(4, one / 4), jnp.full(4, one), money)
    ratio = jnp.array([[1e-9, 1e12, 1.0, 1e-3]], jnp.float32)  # of what is held to its slack
    bidders = dataclasses.replace(bidders, slack=bidders.bundle / ratio)
    margin, tightness = bidders.margin(jnp.full(4, one / 4), one / 100), one / 100
    promise = bidders.promised(*margin, tightness)
    h, v, fixed = (np.asarray(x[0], np.longdouble) for x in (margin[0], value, promise.fixed))
    expected = np.diag(h) - np.outer(h * v, h * v) / (fixed + (h * v * v).sum())
    np.testing.assert_allclose(
        np.diag(slope_of(promise, margin[0], margin[0] * value / jnp.sqrt(promise.big)[:, None], value)),
        np.diag(expected).astype(float),
        rtol=1e-5,
    )
