"""Measures of welfare, against values known by hand, other formulas, and scipy.stats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from catallax.core.errors import BadInput
from catallax.measures.welfare import gini, interval, rationed, share_of_optimum

POSITIVE = st.floats(1e-3, 1e3)
AMOUNT = st.just(0.0) | st.floats(1e-6, 1e6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 3, 3], 0),
        ([0, 0], 0),
        ([7], 0),
        ([0, 1], 0.5),
        ([0, 0, 0, 9], 0.75),
        ([1, 2, 3], 2 / 9),
        ([3, 1, 2], 2 / 9),
    ],
)
def test_gini_of_known_cases(values, expected):
    assert gini(values) == pytest.approx(expected, abs=1e-15)


def test_gini_of_equal_values_is_exactly_zero():
    assert gini(np.full(1001, 0.1)) == 0


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1e300)))
def test_gini_is_the_mean_difference(values):
    relative = values / max(values.max(), 1e-300)
    total = 2 * values.size * relative.sum()
    pairs = np.abs(relative[:, None] - relative).sum() / total if total else 0.0
    assert gini(values) == pytest.approx(pairs, abs=1e-12)
    assert 0 <= gini(values) <= 1 - 1 / values.size + 1e-12


def test_share_of_optimum_by_hand():
    assert share_of_optimum([1, 4], [2, 4], [1, 1]) == pytest.approx(np.sqrt(0.5))
    assert share_of_optimum([1, 4], [2, 4], [3, 0]) == pytest.approx(0.5)
    assert share_of_optimum([0, 4], [2, 4], [1, 1]) == 0
    assert share_of_optimum([0, 4], [0, 4], [0, 1]) == pytest.approx(1)
    assert share_of_optimum([1e-300, 1e300], [1e300, 1e-300], [1, 1]) == pytest.approx(1)


@given(arrays(np.float64, (3, 6), elements=POSITIVE), POSITIVE, POSITIVE)
def test_share_of_optimum_ignores_units(numbers, unit, total):
    utilities, planned, weights = numbers
    units = np.array([unit, 1, 1, 1, 1, 1])
    expected = stats.gmean(utilities / planned, weights=weights)
    assert share_of_optimum(utilities * units, planned * units, weights * total) == pytest.approx(expected, rel=1e-10)


def test_rationing_cuts_the_short_side_in_proportion():
    wanted = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0]])
    np.testing.assert_allclose(rationed(wanted, [2.0, 9.0, 0.0]), [[0.5, 2.0, 0.0], [1.5, 2.0, 0.0]])
    np.testing.assert_array_equal(rationed(wanted, [0.0, 0.0, 0.0]), np.zeros((2, 3)))


@given(arrays(np.float64, (5, 3), elements=AMOUNT), arrays(np.float64, 3, elements=AMOUNT))
def test_rationing_is_feasible_and_never_gives_more(wanted, supply):
    delivered = rationed(wanted, supply)
    assert (delivered <= wanted).all()
    assert (delivered.sum(axis=0) <= supply * (1 + 1e-12)).all()
    np.testing.assert_allclose(delivered.sum(axis=0), np.minimum(supply, wanted.sum(axis=0)), rtol=1e-12, atol=1e-300)


@given(arrays(np.float64, st.integers(2, 40), elements=st.floats(-100, 100)))
def test_interval_is_that_of_scipy(samples):
    mean, low, high = interval(samples)
    assert mean == pytest.approx(samples.mean(), abs=1e-12)
    error = samples.std(ddof=1) / np.sqrt(samples.size)
    if error > 0:
        expected = stats.t.interval(0.95, samples.size - 1, loc=samples.mean(), scale=error)
        assert (low, high) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    else:
        assert low == mean == high


def test_interval_of_one_sample_is_that_sample():
    assert interval([0.7]) == (0.7, 0.7, 0.7)


def test_interval_covers_the_mean_19_times_in_20():
    rng = np.random.default_rng(0)
    bounds = [interval(rng.normal(3.0, 2.0, 5))[1:] for _ in range(2000)]
    covered = np.mean([low <= 3.0 <= high for low, high in bounds])
    assert 0.935 < covered < 0.965


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: gini([]), r"values has shape \(0,\)"),
        (lambda: gini([1.0, -2.0]), r"values\[1\] is negative"),
        (lambda: gini([1.0, np.nan]), r"values\[1\] is not a finite number"),
        (lambda: share_of_optimum([1.0], [1.0, 2.0], [1.0]), "have 1, 2 and 1 entries"),
        (lambda: share_of_optimum([1.0], [1.0], [0.0]), "weights are all zero"),
        (lambda: share_of_optimum([1.0, 1.0], [1.0, 0.0], [1.0, 1.0]), r"planned\[1\] is zero although"),
        (lambda: share_of_optimum([-1.0], [1.0], [1.0]), r"utilities\[0\] is negative"),
        (lambda: rationed([[1.0, 2.0]], [1.0]), r"allocation has shape \(1, 2\)"),
        (lambda: rationed([[-1.0]], [1.0]), r"allocation\[0, 0\] is negative"),
        (lambda: interval([]), r"samples has shape \(0,\)"),
        (lambda: interval([np.inf]), r"samples\[0\] is not a finite number"),
    ],
)
def test_bad_input_is_one_sentence(ask, sentence):
    with pytest.raises(BadInput, match=sentence):
        ask()
