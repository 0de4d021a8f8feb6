"""Caps on what one buyer may hold, in all and of each good, against SciPy's own optimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize

from catallax.core.errors import BadInput
from catallax.core.outcome import Status
from catallax.economy import Fisher, allocate


def drawn(seed: int, money: bool):
    random = np.random.default_rng(seed)
    value, budget = random.random((5, 3)), random.uniform(0.5, 1.5, 5) * (0.3 if money else 1)
    return value, budget, random.uniform(0.3, 1, 5), random.uniform(0.1, 0.9, (5, 3))


def independent(value, budget, cap, limit, money: bool) -> float:
    """The least of -sum_i B_i log u_i (+ money kept), by sequential quadratic programming."""
    n, m = value.shape

    def parts(z):
        return z[: n * m].reshape(n, m), z[n * m :]

    def loss(z):
        bundle, kept = parts(z)
        utility = (value * bundle).sum(1) + (kept if money else 0)
        return -(budget @ np.log(np.maximum(utility, 1e-12))) + kept.sum()

    rules = [dict(type="ineq", fun=lambda z: 1 - parts(z)[0].sum(0))]
    if cap is not None:
        rules.append(dict(type="ineq", fun=lambda z: cap - parts(z)[0].sum(1)))
    most = np.full(n * m, 1.0) if limit is None else np.minimum(limit, 1).ravel()
    start = np.concatenate([np.minimum(0.3 / n, most / 2), np.full(n * money, 0.3)])
    bounds = [(0, u) for u in most] + [(0, None)] * (n * money)
    return minimize(
        loss, start, bounds=bounds, constraints=rules, method="SLSQP", options=dict(maxiter=800, ftol=1e-13)
    ).fun


@pytest.mark.parametrize(
    ("money", "in_all", "each"), [(False, False, True), (False, True, True), (True, True, False), (True, False, True)]
)
def test_caps_are_kept_and_the_rest_is_as_good_as_can_be(money, in_all, each):
    for seed in range(4):
        value, budget, cap, limit = drawn(seed, money)
        cap, limit = cap if in_all else None, limit if each else None
        got = allocate(value, budget, None, "quasi-linear" if money else "linear", cap=cap, limit=limit, tolerance=1e-8)
        assert got.status is Status.SETTLED
        assert (got.allocation >= 0).all() and (got.allocation.sum(0) <= 1 + 1e-12).all()
        assert cap is None or (got.allocation.sum(1) <= cap * (1 + 1e-12)).all()
        assert limit is None or (got.allocation <= limit).all()
        loss = -(budget @ np.log(got.utilities)) + got.kept.sum()
        assert loss == pytest.approx(independent(value, budget, cap, limit, money), abs=2e-8 * budget.sum())


def test_rents_are_paid_where_caps_bind_and_nowhere_else():
    value, budget, cap, limit = drawn(3, False)
    got = allocate(value, budget, cap=cap, limit=limit, tolerance=1e-9)
    assert got.rents is not None and got.premiums is not None
    assert np.abs(got.rents * (cap - got.allocation.sum(1))).max() < 1e-6
    assert np.abs(got.premiums * (np.minimum(limit, 1) - got.allocation)).max() < 1e-6
    dear = got.prices + got.rents[:, None] + got.premiums
    best = (value / dear).max(1)  # all that is held is worth its price, rent and premium
    assert np.abs(got.allocation * (best[:, None] * dear - value)).max() < 1e-6


def test_a_good_of_which_all_have_their_limit_is_free():
    got = allocate([[1.0, 2.0], [2.0, 1.0]], limit=[[0.3, np.inf], [0.4, np.inf]])
    assert got.status is Status.SETTLED
    np.testing.assert_allclose(got.allocation[:, 0], [0.3, 0.4], atol=1e-5)
    assert got.prices[0] < 1e-5 and got.prices[1] > 0.1


def test_no_limit_is_the_market_without():
    value, budget, *_ = drawn(0, False)
    plain, free = allocate(value, budget, tolerance=1e-9), allocate(value, budget, limit=np.inf, tolerance=1e-9)
    np.testing.assert_allclose(free.prices, plain.prices, rtol=1e-4)


def test_a_limit_is_for_a_good_and_joins_with_its_buyer():
    first = allocate([[1.0, 2.0], [2.0, 1.0]], limit=[0.6, 0.7])
    then = first.update(add=dict(valuations=[[1.0, 1.0]], limit=[[0.1, 0.2]]), remove=[0])
    assert then.allocation.shape == (2, 2) and (then.allocation <= [[0.6, 0.7], [0.1, 0.2]]).all()
    with pytest.raises(BadInput, match=r"add has no 'limit'"):
        first.update(add=dict(valuations=[[1.0, 1.0]]))


def test_caps_that_are_none_are_refused_in_a_sentence():
    value = np.ones((2, 3))
    for limit, said in (([1, 2], "has shape"), (-1.0, r"limit\[0, 0\] is -1"), (np.full((2, 3), np.nan), "is nan")):
        with pytest.raises(BadInput, match=said):
            allocate(value, limit=limit)
    with pytest.raises(BadInput, match="Fisher.limit goes with linear"):
        allocate(value, utility="cobb-douglas", limit=1.0)
    with pytest.raises(BadInput, match=r"Fisher.cap has shape \(3,\)"):
        Fisher(value, np.ones(2), np.ones(3), cap=np.ones(3))
    with pytest.raises(BadInput, match=r"Fisher.limit\[1, 2\] is 0"):
        Fisher(value, np.ones(2), np.ones(3), limit=np.array([[1.0, 1, 1], [1, 1, 0]]))


def test_a_good_that_was_free_may_be_scarce_when_others_join():
    first = allocate([[2.0, 1.0]] * 4, supply=[7.0, 8.0], cap=1.0)
    assert first.prices.max() < 1e-5  # there is enough of everything
    then = first.update(add=dict(valuations=[[2.0, 1.0]] * 4, cap=1.0))
    assert then.status is Status.SETTLED and then.rounds < 20 and then.prices[0] > 0.1


@pytest.mark.parametrize("buyers", [2, 8])
def test_one_good_that_is_all_but_free(buyers):
    for seed in range(25):
        random = np.random.default_rng(seed)
        value, cap = random.uniform(0.1, 1, (buyers, 3)) * [1, 1, 0.3], random.choice([1.0, 2, 4, 8], buyers)
        found = allocate(value, supply=np.full(3, cap.sum() / 2.7), cap=cap)
        assert found.status is Status.SETTLED and found.rounds < 60, (buyers, seed)
