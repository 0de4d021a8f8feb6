"""Measures of how learners decide, against closed forms: quadratics, the logistic Hessian, lines, dictators, democracies."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.measures import complexity
from catallax.measures.complexity import (
    half_gone,
    hessian_change,
    influence,
    lesion_area,
    lesioned,
    skill,
    surrogate_r2,
)

SHARES = tuple(k / 10 for k in range(11))


@dataclass(frozen=True)
class Cross:
    """Mean logistic loss."""

    def __call__(self, theta: Any, X: Any, y: Any) -> Any:
        return jnp.logaddexp(0.0, -(2 * y - 1) * (X @ theta)).mean()


@dataclass(frozen=True)
class Quadratic:
    def __call__(self, theta: Any, A: Any) -> Any:
        return theta @ A @ theta / 2


@dataclass(frozen=True)
class Cubic:
    """H = diag(6 theta)."""

    def __call__(self, theta: Any) -> Any:
        return (theta**3).sum()


def logistic_gradient(theta, X, y):
    return X.T @ (1 / (1 + np.exp(-X @ theta)) - y) / len(y)


def by_differences(theta, X, y, step=1e-5):
    """The Hessian from central differences of the gradient."""
    moves = step * np.eye(len(theta))
    return np.stack(
        [(logistic_gradient(theta + m, X, y) - logistic_gradient(theta - m, X, y)) / (2 * step) for m in moves]
    )


def test_a_quadratic_has_the_same_hessian_everywhere():
    random = np.random.default_rng(0)
    A = random.normal(size=(6, 6))
    assert hessian_change(Quadratic(), random.normal(size=6), random.normal(size=6), (A,)) == 0.0


def test_the_logistic_hessian_by_finite_differences():
    random = np.random.default_rng(1)
    X, theta = random.normal(size=(40, 5)), random.normal(size=5)
    y = (random.random(40) < 0.5).astype(float)
    there, here = by_differences(theta, X, y), by_differences(np.zeros(5), X, y)
    np.testing.assert_allclose(here, X.T @ X / 160, atol=1e-9)  # a quarter of the Gram matrix at 0
    expected = np.linalg.norm(here - there) / np.linalg.norm(here)
    assert hessian_change(Cross(), np.zeros(5), theta, (X, y)) == pytest.approx(expected, rel=1e-7)


def test_many_parameters_are_probed(monkeypatch):
    random = np.random.default_rng(2)
    before, after = random.normal(size=300), random.normal(size=300)
    expected = np.linalg.norm(before - after) / np.linalg.norm(before)
    assert hessian_change(Cubic(), before, after) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(complexity, "EXACT", 100)
    # signs square to one, so of a diagonal matrix every probe tells the norm exactly
    assert hessian_change(Cubic(), before, after) == pytest.approx(expected, rel=1e-12)


def test_no_curvature_is_not_a_number():
    assert np.isnan(hessian_change(Cubic(), np.zeros(3), np.ones(3)))


def test_a_line_is_explained_by_a_line_and_noise_by_nothing():
    random = np.random.default_rng(3)
    X, fresh = random.normal(size=(50, 4)), random.normal(size=(30, 4))
    W = random.normal(size=(4, 3))
    assert surrogate_r2(X, X @ W + 1, fresh, fresh @ W + 1) == pytest.approx(1, abs=1e-12)
    shift = random.normal(size=(30, 1))  # log-odds count up to a constant of each row
    assert surrogate_r2(X, X @ W, fresh, fresh @ W + shift) == pytest.approx(1, abs=1e-12)
    noise = surrogate_r2(X, random.normal(size=(50, 3)), fresh, random.normal(size=(30, 3)))
    assert noise < 0.2
    assert np.isnan(surrogate_r2(X, X @ W, fresh, np.zeros((30, 3))))


def test_r2_of_a_line_plus_noise_is_the_share_of_the_line():
    random = np.random.default_rng(4)
    X, fresh = random.normal(size=(4000, 1)), random.normal(size=(4000, 1))
    odds, held = (np.hstack([x + random.normal(size=x.shape), -x]) for x in (X, fresh))
    # centred: half of the difference of the two columns, 2x + noise, of variances 4 and 1
    assert surrogate_r2(X, odds, fresh, held) == pytest.approx(0.8, abs=0.02)


# --- lesions: ten units, binary forecasts, accuracy 1 of the whole and 1/2 of nobody ---


def dictator(kept):
    """Unit 3 decides, the others are not asked."""
    return np.array([1.0, 1.0]) if kept[3] else np.array([1.0, 0.0])


def test_a_dictator_is_found_and_is_a_master():
    moved = influence(lambda kept: np.array([[0.9, 0.1]]) if kept[3] else np.array([[0.5, 0.5]]), 10)
    np.testing.assert_allclose(moved, np.where(np.arange(10) == 3, 0.4, 0.0), atol=1e-15)
    right = lesioned(dictator, np.argsort(-moved, kind="stable"), SHARES)
    skills = skill(right.mean(axis=1), floor=0.5)
    np.testing.assert_array_equal(skills, [1.0] + [0.0] * 10)
    assert lesion_area(SHARES, skills) == pytest.approx(0.05)  # half of the first step
    assert half_gone(SHARES, skills) == pytest.approx(0.05)


def test_random_lesions_meet_a_dictator_halfway():
    orders = [np.roll(np.arange(10), k) for k in range(10)]  # the dictator at every place once
    skills = np.mean([skill(lesioned(dictator, o, SHARES).mean(axis=1), 0.5) for o in orders], axis=0)
    np.testing.assert_allclose(skills, 1 - np.array(SHARES), atol=1e-12)
    assert lesion_area(SHARES, skills) == pytest.approx(0.5)
    assert half_gone(SHARES, skills) == pytest.approx(0.5)


def test_among_equals_nobody_is_needed():
    answer = lambda kept: np.array([1.0, 1.0]) if kept.any() else np.array([1.0, 0.0])  # noqa: E731
    skills = skill(lesioned(answer, np.arange(10), SHARES).mean(axis=1), 0.5)
    assert lesion_area(SHARES, skills) == pytest.approx(0.95)
    assert half_gone(SHARES, skills) == pytest.approx(0.95)


def test_who_has_no_skill_cannot_lose_it():
    assert np.isnan(skill(np.full(11, 0.5), 0.5)).all()
    assert np.isnan(half_gone(SHARES, np.full(11, np.nan)))
    assert half_gone(SHARES, np.ones(11)) == 1.0


@given(st.integers(1, 40), st.randoms(use_true_random=False))
def test_lesions_take_the_first_of_the_order_and_no_others(units, random):
    order = np.array(random.sample(range(units), units))
    kept = lesioned(lambda kept: kept, order, SHARES)
    for share, left in zip(SHARES, kept, strict=True):
        gone = round(share * units)
        assert set(np.flatnonzero(~left)) == set(order[:gone].tolist())
