"""Task arithmetic, DARE, breadcrumbs, Fisher: sums over members, and how a member leaves one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.merging import merge
from catallax.merging.method import Stack
from catallax.merging.methods import find
from catallax.merging.methods.dare import kept
from catallax.merging.methods.fisher import Fisher, diagonal
from catallax.merging.methods.task_arithmetic import TaskArithmetic

NAMES = {"a": (5, 4), "b": (3,)}
SEEDS = st.integers(0, 2**31)


def model(draws, dtype=np.float64):
    return {name: draws.normal(size=shape).astype(dtype) for name, shape in NAMES.items()}


def models(seed, count, dtype=np.float64):
    draws = np.random.default_rng(seed)
    return [model(draws, dtype) for _ in range(count)], model(draws, dtype)


def weights_of(seed, count):
    weights = np.random.default_rng(seed).uniform(0.2, 1, count)
    return weights / weights.sum()


@settings(max_examples=15)
@given(SEEDS, st.integers(2, 5), st.floats(-2, 2))
def test_task_arithmetic_is_the_sum_of_the_paper(seed, count, scale):
    members, base = models(seed, count)
    found = merge(members, "task-arithmetic", base=base, scale=scale).model
    for name in NAMES:
        expected = base[name] + scale * sum(one[name] - base[name] for one in members)
        np.testing.assert_allclose(found[name], expected, atol=1e-12)


def test_task_arithmetic_with_lambda_one_over_n_is_the_mean_and_weights_count():
    members, base = models(1, 3)
    weights = weights_of(2, 3)
    soup = merge(members, "linear", weights=weights).model
    found = merge(members, "task-arithmetic", base=base, weights=weights, scale=1 / 3).model
    for name in NAMES:
        np.testing.assert_allclose(found[name], soup[name], atol=1e-12)


@settings(max_examples=15)
@given(SEEDS, st.integers(0, 3))
def test_a_member_leaves_task_arithmetic_exactly(seed, gone):
    members, base = models(seed, 4)
    rest = [one for k, one in enumerate(members) if k != gone]
    whole = merge(members, "task-arithmetic", base=base, scale=0.4).model
    expected = merge(rest, "task-arithmetic", base=base, scale=0.4).model
    method = TaskArithmetic(0.4)
    for name in NAMES:
        left = method.without(name, whole[name], members[gone][name], base[name], np.full(4, 0.25), gone)
        np.testing.assert_allclose(left, expected[name], atol=1e-12)


# --- DARE ---


def test_dare_is_unbiased_and_drops_as_many_as_it_says():
    members, base = models(3, 2)
    method, equal = find("dare", density=0.4, scale=0.5), np.full(2, 0.5)
    values = np.stack([one["a"] for one in members])
    draws = [method.combine(Stack("a", values.copy(), base["a"], equal, key)) for key in range(600)]
    whole = merge(members, "task-arithmetic", base=base, scale=0.5).model["a"]
    deltas = np.stack([one["a"] - base["a"] for one in members])
    error = np.sqrt(0.25 * (deltas**2 * (1 / 0.4 - 1)).sum(0) / 600)
    assert np.abs((np.mean(draws, axis=0) - whole) / error).max() < 4.5
    np.testing.assert_allclose(np.std(draws, axis=0), error * 600**0.5, rtol=0.15)
    assert abs(kept(7, 0, 0, 100_000, 0.3).mean() - 0.3) < 0.006


def test_dare_draws_are_of_place_and_member_not_of_pieces():
    whole = kept(11, 2, 0, 1000, 0.5)
    for start, size in ((0, 7), (5, 90), (403, 597)):
        np.testing.assert_array_equal(kept(11, 2, start, size, 0.5), whole[start : start + size])
    assert 0.4 < (whole == kept(11, 3, 0, 1000, 0.5)).mean() < 0.6
    assert 0.4 < (whole == kept(12, 2, 0, 1000, 0.5)).mean() < 0.6


def test_dare_that_keeps_all_is_what_comes_then():
    members, base = models(4, 3, np.float32)
    for then, given_ in (("task-arithmetic", {"scale": 0.7}), ("ties", {"scale": 0.7, "density": 1.0})):
        found = merge(members, "dare", base=base, density=1.0, scale=0.7, then=then).model
        plain = merge(members, then, base=base, **given_).model
        for name in NAMES:
            np.testing.assert_allclose(found[name], plain[name], atol=1e-6)


# --- breadcrumbs ---


def crumbs(delta, density, outliers):
    """By sorting: of equal magnitudes the first in flat order ranks higher."""
    flat = delta.reshape(-1)
    order = np.argsort(-np.abs(flat), kind="stable")
    first = int(outliers * flat.size)
    keep = order[first : first + max(1, int(density * flat.size))]
    return np.where(np.isin(np.arange(flat.size), keep), flat, 0).reshape(delta.shape)


@settings(max_examples=15)
@given(SEEDS, st.floats(0.05, 0.7), st.floats(0, 0.3), st.booleans())
def test_breadcrumbs_against_sorting_with_ties(seed, density, outliers, coarse):
    members, base = models(seed, 3, np.float32)
    if coarse:
        members = [{name: np.round(array) for name, array in one.items()} for one in members]
        base = {name: np.zeros_like(array) for name, array in base.items()}
    found = merge(members, "breadcrumbs", base=base, density=density, outliers=outliers, scale=0.5).model
    for name in NAMES:
        deltas = [crumbs(one[name] - base[name], density, outliers) for one in members]
        np.testing.assert_allclose(found[name], base[name] + 0.5 * sum(deltas), atol=1e-5)


def test_breadcrumbs_in_one_piece_is_the_same():
    members, base = models(5, 3, np.float32)
    method = find("breadcrumbs", density=0.5, outliers=0.1)
    stack = Stack("a", np.stack([one["a"] for one in members]), base["a"], np.full(3, 1 / 3), 0)
    np.testing.assert_array_equal(method.combine(stack), merge(members, method, base=base).model["a"])


# --- Fisher ---


@settings(max_examples=15)
@given(SEEDS, st.integers(2, 4))
def test_fisher_is_the_mean_by_certainty(seed, count):
    members, _ = models(seed, count)
    draws = np.random.default_rng(seed + 1)
    fishers = [{name: draws.gamma(0.5, size=shape) for name, shape in NAMES.items()} for _ in members]
    weights = weights_of(seed, count)
    out = merge(members, "fisher", weights=weights, fishers=fishers, floor=1e-12)
    norms = [np.sqrt(sum((array**2).sum() for array in one.values())) for one in fishers]
    for name in NAMES:
        sure = [w * one[name] / norm for w, one, norm in zip(weights, fishers, norms, strict=True)]
        expected = sum(s * one[name] for s, one in zip(sure, members, strict=True)) / sum(sure)
        np.testing.assert_allclose(out.model[name], expected, atol=1e-7)
    np.testing.assert_allclose(out.shares.sum(), 1)


def test_fisher_where_nobody_is_sure_is_the_mean_and_where_one_is_that_one():
    members, _ = models(6, 2)
    fishers = [{name: np.zeros(shape) for name, shape in NAMES.items()} for _ in members]
    fishers[0]["a"][0], fishers[1]["a"][1] = 1.0, 1.0
    found = merge(members, "fisher", fishers=fishers, floor=1e-9).model["a"]
    np.testing.assert_allclose(found[0], members[0]["a"][0], atol=1e-7)
    np.testing.assert_allclose(found[1], members[1]["a"][1], atol=1e-7)
    np.testing.assert_allclose(found[2:], (members[0]["a"] + members[1]["a"])[2:] / 2)


def test_a_member_leaves_a_fisher_merge():
    members, _ = models(7, 3)
    fishers = [{name: np.abs(array) for name, array in one.items()} for one in models(8, 3)[0]]
    method = Fisher(fishers).prepare(*prepared(members))
    whole = merge(members, "fisher", fishers=fishers).model
    rest = merge(members[:2], "fisher", fishers=fishers[:2]).model
    for name in NAMES:
        left = method.without(name, whole[name], members[2][name], None, np.full(3, 1 / 3), 2)
        np.testing.assert_allclose(left, rest[name], atol=1e-9)


def prepared(members):
    from catallax.io.checkpoints import open_model

    return [open_model(one) for one in members], None, np.full(len(members), 1 / len(members))


def test_the_diagonal_of_a_linear_classifier_in_closed_form():
    draws = np.random.default_rng(9)
    weight, X = draws.normal(size=(3, 4)).astype(np.float32), draws.normal(size=(6, 4)).astype(np.float32)
    found = diagonal(lambda tree, row: tree["weight"] @ row, {"weight": weight}, X)["weight"]
    chances = np.exp(X @ weight.T)
    chances /= chances.sum(1, keepdims=True)
    expected = np.mean([np.outer(p * (1 - p), x**2) for p, x in zip(chances, X, strict=True)], axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


# --- laws of all of them ---


@pytest.mark.parametrize("method", ["task-arithmetic", "breadcrumbs", "fisher", "ties"])
def test_the_order_of_members_does_not_matter(method):
    members, base = models(10, 4)
    aids = [{name: np.abs(array) for name, array in one.items()} for one in members]
    order = [2, 0, 3, 1]
    given_ = [{"fishers": [aids[k] for k in which]} if method == "fisher" else {} for which in (range(4), order)]
    found = merge(members, method, base=base, weights=[1, 2, 3, 4], **given_[0]).model
    other = merge([members[k] for k in order], method, base=base, weights=[3, 1, 4, 2], **given_[1]).model
    for name in NAMES:
        np.testing.assert_allclose(found[name], other[name], atol=1e-12)


@pytest.mark.parametrize(
    ("method", "settings", "sentence"),
    [
        ("task-arithmetic", {"scale": float("nan")}, "scale is nan"),
        ("dare", {"density": 0.0}, "density is 0"),
        ("dare", {"then": "nothing"}, "then is 'nothing'"),
        ("breadcrumbs", {"density": 0.9, "outliers": 0.2}, "outliers is 0.2"),
        ("fisher", {}, "fishers has 0 entries for 2 models"),
        ("fisher", {"floor": 0.0}, "floor is 0"),
        ("fisher", {"fishers": [{"c": np.ones(2)}] * 2}, "has no tensor of"),
        ("fisher", {"fishers": [{"b": np.ones(2)}] * 2}, "they must agree"),
        ("fisher", {"fishers": [{"b": -np.ones(3)}] * 2}, "negative"),
        ("fisher", {"fishers": [{"b": np.zeros(3)}] * 2}, "0 everywhere"),
    ],
)
def test_what_is_refused(method, settings, sentence):
    members, base = models(11, 2)
    with pytest.raises(BadInput, match=sentence):
        merge(members, method, base=base, **settings)
