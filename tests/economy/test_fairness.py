"""Fairness of allocations: none envies at an equilibrium, and what envy there is is seen."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import catallax as cx
from catallax.economy import allocate
from catallax.economy.utility import CobbDouglas


def drawn(buyers: int, goods: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 1, (buyers, goods))


@pytest.mark.parametrize("utility", ["linear", "quasi-linear", "cobb-douglas", "leontief"])
def test_nobody_envies_at_an_equilibrium(utility):
    budgets = np.linspace(1, 3, 6)
    found = allocate(3 * drawn(6, 4), budgets, utility=utility)
    fair = found.fairness()
    assert fair.envy.largest < 1e-3 and fair.proportionality.least > 1 - 1e-3
    assert fair.envy_up_to_one is None
    turned = dataclasses.replace(found, allocation=found.allocation[::-1], kept=found.kept[::-1])
    assert turned.fairness().envy.largest > 0.1


def test_money_kept_is_envied_too():
    found = allocate([[1.0], [1.0]], utility="quasi-linear")
    one = dataclasses.replace(found, allocation=np.array([[0.5], [0.5]]), kept=np.array([0.1, 0.7]))
    envy = one.fairness().envy  # 0.6 against 1.2
    assert (envy.party, envy.other) == (0, 1) and envy.largest == pytest.approx(0.5)


def test_whole_units_may_be_envied_but_for_one():
    found = allocate([[1.0, 1, 1], [1, 1, 1]])
    two = dataclasses.replace(found, allocation=np.array([[1, 0, 0], [0, 1, 0.9999]]))
    fair = two.fairness()
    assert fair.envy.largest == pytest.approx(0.5, abs=1e-3) and fair.envy_up_to_one.largest == 0


def test_elasticities_of_their_own_and_those_who_want_nothing():
    value = drawn(4, 3)
    value[1] = 0
    fair = allocate(value, utility="ces", elasticity=[0.5, 1, 1, 2]).fairness()
    assert fair.envy.largest < 1e-3 and fair.envy.each[1] == 0 and fair.proportionality.each[1] == 1


def test_a_utility_of_ones_own_needs_a_worth():
    taste = drawn(3, 2) / drawn(3, 2).sum(1, keepdims=True)
    found = allocate(drawn(3, 2), utility=CobbDouglas(jnp.asarray(taste)))
    with pytest.raises(cx.Refused, match=r"pass worth\(party, bundles\)"):
        found.fairness()
    fair = found.fairness(lambda party, bundles: np.prod(bundles ** taste[party], 1))
    assert fair.envy.largest < 1e-3 and fair.proportionality.least > 1 - 1e-3
