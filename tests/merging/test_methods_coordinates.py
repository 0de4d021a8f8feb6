"""Coordinate median and trimmed mean: closed forms, brute force, and what a minority can do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from catallax.core.errors import BadInput
from catallax.merging import merge

SEEDS = st.integers(0, 2**31)
METHODS = [("median", {}), ("trimmed-mean", {"trim": 0.4}), ("geometric-median", {}), ("krum", {})]


def rows(seed, count, size=6):
    return np.random.default_rng(seed).normal(size=(count, size))


def merged(values, method, weights=None, **given_):
    return merge([{"x": row} for row in values], method, weights=weights, **given_).model["x"]


@settings(max_examples=15)
@given(SEEDS, st.integers(2, 9))
def test_median_of_equal_weights_is_numpys(seed, count):
    values = rows(seed, count)
    np.testing.assert_allclose(merged(values, "median"), np.median(values, axis=0), atol=1e-15)


@settings(max_examples=15)
@given(SEEDS, st.lists(st.integers(1, 5), min_size=2, max_size=6))
def test_weighted_median_is_the_median_of_as_many_copies(seed, times):
    values = np.round(rows(seed, len(times)), 1)  # with ties
    copies = np.repeat(values, times, axis=0)
    np.testing.assert_allclose(merged(values, "median", weights=times), np.median(copies, axis=0), atol=1e-12)


@settings(max_examples=15)
@given(SEEDS, st.integers(2, 6))
def test_weighted_median_minimises_its_sum(seed, count):
    values, weights = rows(seed, count), np.random.default_rng(seed + 1).uniform(0.1, 1, count)
    found = merged(values, "median", weights=weights)
    costs = [weights @ np.abs(values - point) for point in values]
    np.testing.assert_allclose(weights @ np.abs(values - found), np.min(costs, axis=0), rtol=1e-12)


@settings(max_examples=15)
@given(SEEDS, st.integers(5, 12), st.integers(0, 2))
def test_trimmed_mean_of_equal_weights_is_scipys(seed, count, ends):
    values = rows(seed, count)
    found = merged(values, "trimmed-mean", trim=ends / count)
    np.testing.assert_allclose(found, stats.trim_mean(values, (ends + 1e-9) / count, axis=0), atol=1e-12)


@settings(max_examples=15)
@given(SEEDS, st.lists(st.integers(1, 4), min_size=2, max_size=5), st.floats(0, 0.45))
def test_weighted_trimmed_mean_is_the_mean_of_quantiles(seed, times, trim):
    values = rows(seed, len(times))
    found = merged(values, "trimmed-mean", weights=times, trim=trim)
    points = trim + (1 - 2 * trim) * (np.arange(4000) + 0.5) / 4000
    for column, got in zip(values.T, found, strict=True):
        order = np.argsort(column)
        edges = np.cumsum(np.array(times)[order]) / sum(times)
        places = np.minimum(np.searchsorted(edges, points), len(column) - 1)
        assert abs(column[order][places].mean() - got) < 2e-3 * np.ptp(column)


def test_trimming_nothing_is_the_linear_merge():
    values, weights = rows(1, 5), [1, 2, 3, 4, 5]
    plain = merged(values, "linear", weights=weights)
    np.testing.assert_allclose(merged(values, "trimmed-mean", weights=weights, trim=0.0), plain, atol=1e-12)


# --- what a minority can do ---


@pytest.mark.parametrize(("method", "given_"), METHODS)
@settings(max_examples=15)
@given(seed=SEEDS, size=st.sampled_from([1e2, 1e6, 1e15, 1e30]), sign=st.sampled_from([-1.0, 1.0]))
def test_a_minority_moves_the_merge_boundedly(method, given_, seed, size, sign):
    """Two of seven say anything: the merge stays within a few spreads of the honest; the mean goes wherever they like."""
    honest = rows(seed, 5)
    lies = sign * size * np.abs(rows(seed + 1, 2))
    found = merged([*honest, *lies], method, **given_)
    assert np.abs(found - honest.mean(0)).max() <= 3 * np.ptp(honest)
    assert np.abs(merged([*honest, *lies], "linear") - honest.mean(0)).max() > size / 100


@pytest.mark.parametrize(("method", "given_"), METHODS[:2])
@settings(max_examples=15)
@given(seed=SEEDS, weights=st.lists(st.floats(0.05, 1), min_size=5, max_size=5))
def test_with_less_weight_than_is_borne_it_stays_in_the_range_of_the_honest(method, given_, seed, weights):
    honest = rows(seed, 5)
    liar = 0.6 * sum(weights)  # 37.5 % of all
    found = merged([*honest, np.full(6, 1e9)], method, weights=[*weights, liar], **given_)
    assert (found <= honest.max(0) + 1e-9).all() and (found >= honest.min(0) - 1e-9).all()


def test_with_more_than_half_of_the_weight_liars_have_their_way():
    honest, lies = rows(2, 3), np.full((4, 6), 1e6)
    for method, given_ in METHODS:
        assert merged([*honest, *lies], method, **given_).min() > 1e4


@pytest.mark.parametrize(("method", "given_"), METHODS[:2])
def test_laws(method, given_):
    values, weights = rows(3, 5), [1, 2, 3, 4, 5]
    found = merged(values, method, weights=weights, **given_)
    np.testing.assert_allclose(merged(values[::-1], method, weights=weights[::-1], **given_), found, atol=1e-12)
    np.testing.assert_allclose(merged(2 * values + 7, method, weights=weights, **given_), 2 * found + 7, atol=1e-12)
    np.testing.assert_allclose(merged(-values, method, weights=weights, **given_), -found, atol=1e-12)
    np.testing.assert_allclose(merged([values[0]] * 5, method, weights=weights, **given_), values[0], atol=1e-12)


def test_what_is_refused():
    for trim in (-0.1, 0.5, float("nan")):
        with pytest.raises(BadInput, match="share left out at either end"):
            merged(rows(4, 3), "trimmed-mean", trim=trim)
