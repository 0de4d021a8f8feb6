"""Rules one by one: the compiled steps against NumPy, against each other, and against what they should rest at."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.signals.routers import dual, sign, sinkhorn, tatonnement
from catallax.signals.routers.terms import Terms, beside, largest, load_at
from catallax.signals.routing import clear, counted, iterated

TOKENS, EXPERTS, ROOM = 96, 6, np.full(6, 16)
rng = np.random.default_rng(1)
NET = (rng.normal(size=(TOKENS, EXPERTS)) + rng.normal(size=EXPERTS)).astype(np.float32)
KINDS = [Terms(1, True), Terms(1), Terms(2, True), Terms(2, False, True), Terms(1, False, True)]


def room_of(terms):
    return ROOM * terms.k if terms.free else ROOM * terms.k + (-4 if terms.opt_out else 4)


@pytest.mark.parametrize("k", [1, 2, 3, 9])
def test_the_largest_of_a_row_are_those_of_sorting(k):
    values = np.random.default_rng(k).integers(0, 6, (40, 9)).astype(np.float32)  # many equals
    assert np.array_equal(largest(jnp.asarray(values), k), np.sort(values, 1)[:, -k])


@pytest.mark.parametrize("terms", KINDS, ids=str)
def test_host_and_compiled_quantile_balancing_are_one_law(terms):
    room = room_of(terms)
    here, _ = counted(NET, np.zeros(EXPERTS), room, terms, 1, 0.0)
    there = iterated("dual", NET, np.zeros(EXPERTS), room, terms, 1, None)
    assert np.allclose(here - here.min() * terms.free, there, atol=2e-3)


@pytest.mark.parametrize("terms", KINDS, ids=str)
def test_a_dual_step_is_the_quantile_it_says(terms):
    """The (c+1)-th largest margin, by sorting."""
    prices, room = np.abs(NET[0]), room_of(terms)
    worth = np.sort(NET - prices, 1)
    alpha = worth[:, -terms.k - 1]
    alpha = np.maximum(alpha, 0) if terms.opt_out else alpha
    assert np.allclose(beside(jnp.asarray(NET), jnp.asarray(prices), terms), alpha, atol=1e-6)
    margin = np.sort(NET - alpha[:, None], 0)
    low, high = margin[-room[0] - 1], margin[-room[0]]
    found = np.asarray(dual.step(jnp.asarray(NET), jnp.asarray(prices), jnp.asarray(room, jnp.float32), terms))
    fine = 1e-3  # of 14 halvings
    if terms.free:  # one and the same shift brings all between their two tokens
        assert (low - found).max() <= (high - found).min() + fine
    else:
        assert (found >= np.maximum(low, 0) - fine).all() and (found <= np.maximum(high, 0) + fine).all()


def test_a_dual_step_lowers_its_own_bound():
    """Prices move together, so single steps may overshoot; from far away they do not."""
    found = [clear(NET, 16, rule="dual", rounds=r).bound for r in (0, 1, 8)]
    assert found[0] > found[1] > found[2]


def test_sinkhorn_rests_at_loads_that_are_full_in_the_noisy_market():
    heat, terms = 0.5, Terms(1, True)
    net, room = jnp.asarray(NET), jnp.asarray(ROOM, jnp.float32)
    prices = jnp.zeros(EXPERTS)
    for _ in range(200):
        prices = sinkhorn.step(net, prices, room, terms, heat)
    bought = jax.nn.softmax((net - prices) / heat, 1)
    assert np.allclose(bought.sum(0), ROOM, rtol=1e-3)


@pytest.mark.parametrize(("rule", "size"), [(sign, 0.01), (tatonnement, 0.01)])
def test_one_step_goes_where_loads_are_too_high(rule, size):
    prices = jnp.full(EXPERTS, 3.0)
    load = np.bincount(NET.argmax(1), minlength=EXPERTS)
    assert np.array_equal(load_at(jnp.asarray(NET), prices, Terms(1)), load)
    moved = np.asarray(rule.step(jnp.asarray(NET), prices, jnp.asarray(ROOM, jnp.float32), Terms(1), size)) - 3
    wanted = np.sign(load - 16) if rule is sign else np.minimum((load - 16) / 16, 1)
    assert np.allclose(moved, size * wanted, atol=1e-6)


@pytest.mark.parametrize("rule", ["dual", "sinkhorn", "sign", "tatonnement"])
def test_every_rule_comes_nearer_to_balance(rule):
    before = clear(NET, 16, rule=rule, rounds=0).max_violation
    after = clear(NET, 16, rule=rule, rounds=400).max_violation
    assert before > 1 and after < 0.3 * before


def test_prices_are_at_least_zero_and_at_exact_balance_the_least_is():
    for rule in ("dual", "sinkhorn", "sign", "tatonnement"):
        assert clear(NET, 16, rule=rule).prices.min() == 0
        assert clear(NET, 20, rule=rule).prices.min() >= 0
