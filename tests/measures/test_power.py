"""Power and shares against brute force over all coalitions and orders, closed forms, and published tables."""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from catallax.core.errors import BadInput
from catallax.measures.power import (
    banzhaf,
    capped,
    effective_number,
    herfindahl,
    shapley,
    shapley_shubik,
    swings,
)

NICE = [29] * 4 + [27] * 2 + [14, 13] + [12] * 5 + [10] * 3 + [7] * 5 + [4] * 5 + [3]  # EU council of 27, quota 255
shares = st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda s: sum(s) > 1e-3)
games = st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any)


# --- shares ---


@given(shares, st.floats(0, 1))
def test_capped_is_the_nearest_point(weights: list[float], loose: float) -> None:
    """The conditions of Karush, Kuhn and Tucker: one level for all who are between 0 and the cap, and none is over it."""
    members = len(weights)
    most = 1 / members + loose * (1 - 1 / members)
    start = np.array(weights) / sum(weights)
    found = capped(weights, most)
    assert found.sum() == pytest.approx(1) and found.max() <= most + 1e-12 and found.min() >= 0
    raised = (found - start)[found < most - 1e-9]
    if raised.size:
        assert np.ptp(raised) <= 1e-9
        assert (start + raised[0])[found >= most - 1e-9].min(initial=math.inf) >= most - 1e-9


def test_capped_agrees_with_a_solver_of_quadratic_programmes() -> None:
    start = np.array([0.55, 0.25, 0.12, 0.08, 0.0])
    solved = minimize(
        lambda t: ((t - start) ** 2).sum(), np.full(5, 0.2), bounds=[(0, 0.3)] * 5,
        constraints={"type": "eq", "fun": lambda t: t.sum() - 1}, method="SLSQP", options={"ftol": 1e-14},
    )  # fmt: skip
    np.testing.assert_allclose(capped(start, 0.3), solved.x, atol=1e-7)
    np.testing.assert_array_equal(capped([3, 1], 0.75), [0.75, 0.25])  # not touched
    np.testing.assert_allclose(capped([1, 0, 0], 1 / 3), 1 / 3, rtol=1e-15)


@pytest.mark.parametrize(
    ("weights", "most", "why"),
    [
        ([1, 1, 1], 0.3, "max_influence is 0.3 and there are 3 members"),
        ([1, 1], float("nan"), "max_influence is nan"),
        ([1, 1], "half", "max_influence is 'half'"),
        ([1, -1, 1], 1, r"shares\[1\] is -1.0"),
        ([1, float("inf")], 1, r"shares\[1\] is inf"),
        ([0, 0], 1, "all 0"),
        ([[1]], 1, "shape"),
    ],
)
def test_what_is_no_cap_or_share_is_refused(weights: Any, most: Any, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        capped(weights, most)


@given(st.integers(1, 30), st.integers(0, 5))
def test_equals_are_as_many_as_they_are(equals: int, idle: int) -> None:
    assert effective_number([2.5] * equals + [0] * idle) == pytest.approx(equals)
    assert herfindahl([1e308] * equals) == pytest.approx(1 / equals)


# --- power ---


@given(games, st.data())
def test_power_is_that_of_all_coalitions_and_orders(weights: list[int], data: st.DataObject) -> None:
    quota, members = data.draw(st.integers(1, sum(weights))), len(weights)
    others = [[j for j in range(members) if j != i] for i in range(members)]
    counts = [
        sum(
            quota - weights[i] <= sum(weights[j] for j in coalition) < quota
            for size in range(members)
            for coalition in itertools.combinations(others[i], size)
        )
        for i in range(members)
    ]
    assert swings(weights, quota) == counts
    np.testing.assert_array_equal(banzhaf(weights, quota, absolute=True), np.array(counts) / 2 ** (members - 1))
    pivots = [0] * members
    for order in itertools.permutations(range(members)):
        sums = np.cumsum([weights[i] for i in order])
        pivots[order[int(np.argmax(sums >= quota))]] += 1
    np.testing.assert_array_equal(
        shapley_shubik(weights, quota), [float(Fraction(p, math.factorial(members))) for p in pivots]
    )


def test_the_security_council_in_closed_form() -> None:
    """Five with a veto and ten of whom four must agree: 7 votes each against 1, quota 39."""
    elected = math.comb(9, 3)  # a temporary member swings where all five and three others are in
    permanent = sum(math.comb(10, k) for k in range(4, 11))
    assert swings([7] * 5 + [1] * 10, 39) == [permanent] * 5 + [elected] * 10
    small = Fraction(elected * math.factorial(8) * math.factorial(6), math.factorial(15))
    large = (1 - 10 * small) / 5
    np.testing.assert_array_equal(shapley_shubik([7] * 5 + [1] * 10, 39), [float(large)] * 5 + [float(small)] * 10)


def test_the_council_of_the_treaty_of_rome_as_published() -> None:
    """Luxembourg's vote of 1958 decides nothing."""
    rome = [4, 4, 4, 2, 2, 1]
    np.testing.assert_array_equal(banzhaf(rome, 12), [5 / 21] * 3 + [3 / 21] * 2 + [0])
    np.testing.assert_array_equal(shapley_shubik(rome, 12), [14 / 60] * 3 + [9 / 60] * 2 + [0])


def test_the_council_of_the_treaty_of_nice_as_published() -> None:
    """By votes alone: Germany, Spain, Romania, Netherlands, Belgium, Sweden, Denmark, Latvia, Malta.

    J. M. Bilbao and others, Voting power in the European Union enlargement, European J. Operational Research 143, 2002.
    """
    at = [0, 4, 6, 7, 8, 13, 16, 21, 26]
    published = [0.0778, 0.0742, 0.0426, 0.0397, 0.0368, 0.0309, 0.0218, 0.0125, 0.0094]
    np.testing.assert_allclose(banzhaf(NICE, 255)[at], published, atol=5e-5)
    assert len(NICE) == 27 and shapley_shubik(NICE, 255).sum() == pytest.approx(1)


def test_counts_beyond_float_stay_exact() -> None:
    """Eighty equals and a majority: C(79, 40) is no float64."""
    assert swings([1] * 80, 41) == [math.comb(79, 40)] * 80
    np.testing.assert_allclose(shapley_shubik([3] * 80, 123), 1 / 80, rtol=1e-15)


@pytest.mark.parametrize(
    ("weights", "quota", "why"),
    [
        ([1, 2.5], 2, r"weights\[1\] is 2.5"),
        ([1, -2], 1, r"weights\[1\] is -2"),
        ([1, float("nan")], 1, r"weights\[1\] is nan"),
        ([], 1, "shape"),
        ([1, 2], 4, "quota is 4 and the weights add up to 3"),
        ([1, 2], 0, "quota is 0"),
        ([1, 2], 1.5, "quota is 1.5"),
    ],
)
def test_what_is_no_vote_is_refused(weights: Any, quota: Any, why: str) -> None:
    for index in (banzhaf, shapley_shubik):
        with pytest.raises(BadInput, match=why):
            index(weights, quota)


# --- Shapley ---


def airport(coalition: tuple[int, ...]) -> float:
    """Littlechild and Owen 1973: a runway as long as the largest needs; i needs (i + 1)^2."""
    return float(max(((i + 1) ** 2 for i in coalition), default=0))


def airport_values(members: int) -> np.ndarray:
    """Each stretch of runway is shared by all who need it."""
    lengths = np.diff([(i + 1) ** 2 for i in range(-1, members)])
    return np.cumsum(lengths / np.arange(members, 0, -1))


def test_an_airport_in_closed_form() -> None:
    found = shapley(airport, 7)
    np.testing.assert_allclose(found.values, airport_values(7), rtol=1e-12)
    assert found.tried == 2**7 and not found.errors.any()


@pytest.mark.parametrize("antithetic", [True, False])
def test_sampled_values_are_within_their_errors(antithetic: bool) -> None:
    truth, seeds = airport_values(5), 40
    found = [shapley(airport, 5, 32, seed=seed, antithetic=antithetic) for seed in range(seeds)]
    z = np.array([(one.values - truth) / one.errors for one in found])
    assert np.abs(z.mean(0)).max() < 4 / math.sqrt(seeds) * 1.2  # not biased
    assert 0.7 < np.sqrt((z**2).mean()) < 1.3  # errors of the right size
    assert all(one.values.sum() == pytest.approx(25) for one in found)


def test_antithetic_orders_are_exact_for_pairs() -> None:
    rng = np.random.default_rng(0)
    pair = np.triu(rng.normal(size=(20, 20)))
    found = shapley(lambda s: pair[np.ix_(s, s)].sum() if s else 0, 20, 4)
    np.testing.assert_allclose(found.values, (pair.sum(0) + pair.sum(1)) / 2, atol=1e-12)
    assert shapley(lambda s: pair[np.ix_(s, s)].sum() if s else 0, 20, 4, antithetic=False).errors.min() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"members": 13}, "13 members"),
        ({"members": 3, "samples": 2}, "at least 4"),
        ({"members": 3, "samples": 1, "antithetic": False}, "at least 2"),
        ({"members": 0}, "members is 0"),
        ({"members": 2, "value": lambda s: math.nan}, r"value\(\) is nan"),
    ],
)
def test_what_has_no_value_is_refused(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        shapley(**({"value": airport} | arguments))
