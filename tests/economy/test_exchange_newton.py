"""Newton's prices for exchange: what settles, how soon beside posts, several equilibria, gradients, utilities of one's own."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import catallax as cx
from catallax.economy import Exchange
from catallax.economy.trade import walras
from catallax.economy.utility import CobbDouglas, Utility
from catallax.testing import check_gradient

SCARF = np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]])


@pytest.fixture
def wide():
    """float64 as JAX's default, for one test."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def newton(economy: Exchange) -> Exchange:
    return dataclasses.replace(economy, law="second-order")


def test_scarf_is_settled_from_anywhere():
    rounds = []
    for opening in np.random.default_rng(0).dirichlet(np.ones(3), size=50):
        outcome = cx.settle(Exchange(np.eye(3), SCARF, np.zeros(3), law="second-order", opening=opening))
        assert outcome.status == "settled", (opening, outcome.certificate)
        assert np.allclose(outcome.price, 1 / 3, atol=1e-5)
        rounds.append(outcome.rounds)
    assert np.median(rounds) <= 8 and max(rounds) <= 30


@pytest.mark.parametrize("elasticities", [(0.5, 1.0, 2.0), (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)])
def test_drawn_economies_are_settled_in_half_the_rounds_of_posts(elasticities):
    rounds, posts = [], []
    for seed in range(100):
        drawn = Exchange.drawn(seed, elasticities=elasticities)
        outcome = cx.settle(newton(drawn))
        assert outcome.status == "settled", (seed, outcome.certificate)
        excess = walras.excess(drawn.traders, outcome.price, np.asarray(drawn.endowment, float))
        assert np.abs(excess / drawn.stock).max() <= 1e-6
        rounds.append(outcome.rounds)
        if seed < 20:
            posts.append(cx.settle(drawn, method=cx.Anderson()).rounds)
    assert np.median(rounds) <= 7 and max(rounds) <= 15
    assert np.median(rounds[:20]) < np.median(posts)


def test_each_of_three_equilibria_is_certified_by_its_excess_demand(wide):
    # Mas-Colell, Whinston and Green, Microeconomic Theory (1995), example 15.B.6: elasticities of 1/3
    taste = np.array([[1.0, (12 / 37) ** 3], [(12 / 37) ** 3, 1.0]])
    found = []
    for ratio in (0.1, 0.9, 10.0):
        economy = Exchange(np.eye(2), taste, np.full(2, 1 / 3), law="second-order", opening=np.array([ratio, 1.0]))
        outcome = cx.settle(economy, 1e-10)
        assert outcome.status == "settled"
        found.append(outcome.price[0] / outcome.price[1])
    assert np.allclose(found, [27 / 64, 1, 64 / 27], rtol=1e-9)


def test_prices_are_those_of_the_posts_where_goods_are_substitutes():
    drawn = Exchange.drawn(4, elasticities=(1.0, 3.0))
    assert np.allclose(cx.settle(newton(drawn)).price, cx.settle(drawn).price, rtol=1e-5)


def test_gradients_agree_with_differences(wide):
    drawn = Exchange.drawn(1, 3, 2)
    facts = [getattr(drawn, f) for f in ("endowment", "taste", "elasticity")]
    flat, unravel = ravel_pytree(facts)  # an elasticity of 1 among them

    def value(flat):
        economy = Exchange(*unravel(flat), law="second-order")
        return cx.settle(economy, 1e-12).society.signal.public() @ jnp.array([1.0, 2.0])

    assert 1.0 in np.asarray(drawn.elasticity)
    check_gradient(value, flat, tolerance=1e-6)


# --- utilities of one's own ---


class Doubled(Utility):
    """Cobb-Douglas under another name: u squared is not homogeneous of degree one, so its root is."""

    taste: jax.Array

    def log_utility(self, bundle):
        return self.taste @ jnp.log(bundle)

    def log_indirect(self, log_price):
        return jnp.sum(self.taste * (jnp.log(self.taste) - log_price))


@pytest.mark.parametrize("law", ["posts", "second-order", "multiplicative"])
def test_a_utility_of_ones_own_settles_where_its_tastes_would(law):
    drawn = Exchange.drawn(2, elasticities=(1.0,))
    own = Exchange(drawn.endowment, utility=Doubled(drawn.taste), law=law)
    outcome, known = cx.settle(own), cx.settle(drawn)
    assert outcome.status == "settled"
    assert np.allclose(outcome.price, known.price, rtol=1e-5)
    assert np.allclose(outcome.utilities, known.utilities, rtol=1e-5)
    assert outcome.values["gap"] <= 1e-6


def test_who_needs_tastes_refuses_utilities_of_ones_own():
    drawn = Exchange.drawn(2, elasticities=(1.0,))
    own = Exchange(drawn.endowment, utility=CobbDouglas(drawn.taste))
    for ask in (own.plan, own.contest, lambda: own.welfare(own.silence()), lambda: own.restrict([0, 1])):
        with pytest.raises(cx.Refused, match="own"):
            ask()
    for given in (
        dict(utility=CobbDouglas(drawn.taste), taste=drawn.taste, elasticity=drawn.elasticity),
        dict(utility=CobbDouglas(drawn.taste), elasticity=drawn.elasticity),
        dict(taste=drawn.taste),
        dict(),
    ):
        with pytest.raises(cx.BadInput, match="give one of the two"):
            Exchange(drawn.endowment, **given)
    with pytest.raises(cx.BadInput, match="stacked Utility"):
        Exchange(drawn.endowment, utility=3)


def test_laws_that_do_not_go_with_the_wants_are_refused():
    drawn = Exchange.drawn(0)
    with pytest.raises(cx.BadInput, match=r"Exchange\.law is 'interior', and wants are not linear"):
        dataclasses.replace(drawn, law="interior")
    with pytest.raises(cx.Refused, match="posts alone"):
        newton(drawn).society(leak=1.0)
