"""Law 7: implicit gradients through `settle`, of prices, bids and a society of our own, against differences and closed forms."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import catallax as cx
from catallax.core import settle
from catallax.economy import Exchange
from catallax.testing import check_gradient


@pytest.fixture(autouse=True)
def wide():
    """float64 as JAX's default."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


# --- economies ---


@pytest.mark.parametrize("law", ["posts", "multiplicative", "additive"])
def test_levels_and_ratios_of_cobb_douglas_prices(law):
    drawn = Exchange.drawn(0, traders=5, goods=3, elasticities=(1.0,))

    def log_price(taste):
        economy = dataclasses.replace(drawn, taste=taste, elasticity=jnp.ones(5), law=law)
        return jnp.log(cx.settle(economy, 1e-13).society.signal.public())

    def closed(taste):  # v = T v, v the values of all there is of each good, sum v = 1
        share = taste / taste.sum(1, keepdims=True)
        supply = drawn.endowment.sum(0)
        flow = share.T @ (drawn.endowment / supply)
        matrix = jnp.eye(3) - flow + jnp.ones((3, 3))
        return jnp.log(jnp.linalg.solve(matrix, jnp.ones(3)) / supply)

    assert np.allclose(log_price(drawn.taste), closed(drawn.taste), atol=1e-11)
    one, other = jax.jacrev(log_price)(drawn.taste), jax.jacrev(closed)(drawn.taste)
    assert np.allclose(one, other, atol=1e-9)  # levels
    assert np.allclose(one[1:] - one[0], other[1:] - other[0], atol=1e-9)  # ratios


def test_forward_and_reverse_agree():
    drawn = Exchange.drawn(2, traders=5, goods=3)

    def price(endowment):
        return cx.settle(dataclasses.replace(drawn, endowment=endowment), 1e-13).society.signal.public()

    assert np.allclose(jax.jacfwd(price)(drawn.endowment), jax.jacrev(price)(drawn.endowment), atol=1e-12)


def test_what_is_not_wanted_has_a_gradient_of_zero():
    drawn = Exchange.drawn(1, traders=5, goods=3)
    taste = drawn.taste.at[0, 1].set(0.0).at[3, 2].set(0.0)

    def price(taste):
        return cx.settle(dataclasses.replace(drawn, taste=taste), 1e-13).society.signal.public()[0]

    gradient = jax.grad(price)(taste)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).min(1).max() > 0 and gradient[0, 0] != 0


@pytest.mark.parametrize("field", ["endowment", "taste", "elasticity"])
def test_influencers(field):
    """Their bids are the state: traders x goods unknowns beside the prices."""
    drawn = Exchange.drawn(0, traders=5, goods=3, elasticities=(0.5, 2.0))

    def welfare(fact):
        economy = dataclasses.replace(drawn, **{field: fact})
        society = cx.settle(economy.society(1.0), 1e-13, method=cx.Anderson()).society
        bundle = society.agents.bid / society.agents.bid.sum(0) * economy.endowment.sum(0)
        return jnp.log(bundle).sum() + society.signal.public()[0]

    check_gradient(welfare, getattr(drawn, field) + 0.05, tolerance=1e-6)


# --- a society of our own ---


class Unit(cx.Agent):
    """Answers what it hears with tanh of its own weights, and a bias: a fact."""

    weight: jax.Array
    bias: jax.Array
    place: jax.Array

    def respond(self, view, key):
        return self, jnp.zeros_like(self.weight).at[self.place].set(jnp.tanh(self.weight @ view.public + self.bias))


class Answers(cx.Signal):
    """Everyone's last answer."""

    level: jax.Array

    def public(self):
        return self.level

    def propagate(self, summary):
        return Answers(summary)


@pytest.mark.parametrize(("size", "way"), [(30, "dense"), (300, "iterative")])
def test_a_society_of_our_own(size, way):
    assert (size <= settle.DENSE) == (way == "dense")
    random = np.random.default_rng(0)
    weight = jnp.asarray(0.9 * random.normal(size=(size, size)) / np.sqrt(size))
    bias, aim = (jnp.asarray(random.normal(size=size)) for _ in range(2))

    def level(weight, bias):
        society = cx.Society(Unit(weight, bias, jnp.arange(size)), Answers(jnp.zeros(size)))
        return cx.settle(society, 1e-13).society.signal.level

    found = level(weight, bias)
    by_weight, by_bias = jax.grad(lambda w, b: aim @ level(w, b), (0, 1))(weight, bias)
    slope = 1 - np.asarray(found) ** 2
    adjoint = np.linalg.solve(np.eye(size) - (slope[:, None] * np.asarray(weight)).T, aim) * slope
    assert np.allclose(found, np.tanh(weight @ found + bias), atol=1e-12)
    assert np.allclose(by_bias, adjoint, atol=1e-9)
    assert np.allclose(by_weight, np.outer(adjoint, found), atol=1e-9)


def test_gradients_inside_jit_over_several_economies():
    drawn = Exchange.drawn(2, traders=5, goods=3)

    def price(endowment):
        outcome = cx.settle(dataclasses.replace(drawn, endowment=endowment), 1e-12)
        return outcome.society.signal.public()[0], outcome

    scales = jnp.array([0.5, 1.0, 2.0])[:, None, None] * drawn.endowment
    gradients, outcomes = jax.jit(jax.vmap(jax.grad(price, has_aux=True)))(scales)
    assert np.allclose(gradients * jnp.array([0.25, 1, 4.0])[:, None, None], gradients[1], atol=1e-9)
    assert outcomes.certificate is None
    assert outcomes.code.shape == outcomes.rounds.shape == (3,)
    assert (outcomes.rounds > 1).all() and jnp.issubdtype(outcomes.rounds.dtype, jnp.integer)
