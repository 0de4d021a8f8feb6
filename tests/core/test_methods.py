"""Ways to a fixed point, on maps whose fixed points and fates are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import catallax as cx
from catallax.core.methods import Newton, Picard

START = np.array([0.0, 0.0])
SHIFT = np.array([1.0, 0.3])


def turn(angle: float, stretch: float = 1.0) -> np.ndarray:
    """Turns the plane by `angle` and stretches it."""
    return stretch * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def linear(matrix, shift):
    """One round of x -> A x + b, and its largest change."""

    def step(x):
        new = matrix @ x + shift
        return new, jnp.max(jnp.abs(new - x))

    return step


@jax.jit
def rounds_of(matrix, max_rounds):
    return Picard().solve(linear(matrix, jnp.asarray(SHIFT, jnp.float32)), jnp.zeros(2), 1e-6, max_rounds)


def fate(matrix, max_rounds: int = 10_000) -> str:
    found = rounds_of(jnp.asarray(matrix, jnp.float32), max_rounds)
    if found.measure <= 1e-6:
        return "settled"
    if not np.isfinite(found.measure):
        return "broken"
    return "cycling" if found.cycling else "unsettled"


@pytest.mark.parametrize(
    "matrix",
    [turn(0.1), turn(1.0), -np.eye(2), np.diag([10.0, 1]) @ turn(0.1) @ np.diag([0.1, 1]), turn(0.1, 1.00001)],
    ids=["slow turn", "fast turn", "to and fro", "ellipse", "all but outward"],
)
@pytest.mark.parametrize("max_rounds", [300, 1000, 10_000])
def test_what_comes_back_undiminished_is_cycling(matrix, max_rounds):
    assert fate(matrix, max_rounds) == "cycling"


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (np.diag([0.9999, 0.5]), "unsettled"),
        (np.diag([-0.9999, 0.5]), "unsettled"),
        (turn(0.1, 0.9999), "unsettled"),
        (turn(1.0, 0.9999), "unsettled"),
        (turn(0.1, 0.99), "settled"),
        (np.diag([1.001, 0.5]), "unsettled"),
        (np.diag([-1.003, 0.5]), "unsettled"),
        (turn(1.0, 1.005), "unsettled"),
        (turn(1.0, 1.5), "broken"),
        (np.diag([1.0, 0.5]), "unsettled"),
    ],
    ids=[
        "slow",
        "slow to and fro",
        "slow spiral",
        "slow fast spiral",
        "spiral",
        "growth",
        "growing to and fro",
        "outward spiral",
        "wild spiral",
        "drift",
    ],
)
def test_what_dies_down_or_blows_up_is_not_cycling(matrix, expected):
    assert fate(matrix) == expected


def test_a_limit_cycle_that_is_reached_late_is_seen():
    def logistic(x):
        new = 3.2 * x * (1 - x)  # settles to a period of two
        return new, jnp.max(jnp.abs(new - x))

    found = jax.jit(lambda x: Picard().solve(logistic, x, 1e-6, 500))(jnp.array([0.3]))
    assert found.cycling and not found.measure <= 1e-6


def test_damping_settles_a_swing():
    swing = jnp.asarray(-1.5 * np.eye(2), jnp.float32)
    step = linear(swing, jnp.asarray(SHIFT, jnp.float32))
    whole = jax.jit(lambda x: Picard().solve(step, x, 1e-6, 200))(jnp.zeros(2))
    half = jax.jit(lambda x: Picard(0.5).solve(step, x, 1e-6, 200))(jnp.zeros(2))
    assert not whole.measure <= 1e-6
    assert half.measure <= 1e-6
    assert np.allclose(half.point, SHIFT / 2.5, rtol=1e-5)


def test_the_point_kept_is_the_point_measured():
    matrix = jnp.asarray(turn(0.3, 0.5), jnp.float32)
    found = rounds_of(matrix, 1000)
    _after, measure = linear(matrix, jnp.asarray(SHIFT, jnp.float32))(found.point)
    assert measure == found.measure <= 1e-6
    assert found.rounds < 1000


def test_rounds_end_where_nothing_moves_to_the_last_bit():
    def stuck(x):
        return jnp.round(x), jnp.float32(1)  # it never says that it is at rest

    found = jax.jit(lambda x: Picard().solve(stuck, x, 1e-6, 10_000))(jnp.array([0.3]))
    assert found.rounds == 2 and found.measure == 1


def test_newton_needs_two_steps_for_any_linear_map():
    random = np.random.default_rng(0)
    matrix = 3 * random.normal(size=(20, 20))
    step = linear(jnp.asarray(matrix, jnp.float32), jnp.ones(20))
    found = jax.jit(lambda x: Newton().solve(step, x, 1e-3, 50))(jnp.zeros(20))
    assert found.measure <= 1e-3 and found.rounds <= 4
    assert np.allclose(found.point, np.linalg.solve(np.eye(20) - matrix, np.ones(20)), atol=1e-3)


@pytest.mark.parametrize("method", [Newton(), cx.Anderson()], ids=["newton", "anderson"])
def test_a_least_residual_that_is_no_root_is_left(method):
    def cubic(x):  # f = -(x^3 - 2 x + 2): |f| has a least value at sqrt(2/3), and its one root at -1.769
        residual = -(x**3 - 2 * x + 2)
        return x + residual, jnp.max(jnp.abs(residual))

    found = jax.jit(lambda x: method.solve(cubic, x, 1e-5, 500))(jnp.array([1.0]))
    assert found.measure <= 1e-5
    assert np.allclose(found.point, -1.7692924)


@pytest.mark.parametrize("method", [Picard(), Newton(), cx.Anderson()], ids=["picard", "newton", "anderson"])
def test_no_more_rounds_than_allowed_and_none_after_a_nan(method):
    def wander(x):  # no fixed point
        return x + 1 + jnp.cos(x) ** 2, jnp.float32(1)

    solve = jax.jit(lambda x, most: method.solve(wander, x, 1e-6, most))
    for most in (0, 1, 7, 40):
        assert solve(jnp.zeros(2), most).rounds <= most
    broken = jax.jit(lambda x: method.solve(lambda y: (y * jnp.nan, jnp.max(y * jnp.nan)), x, 1e-6, 10_000))
    found = broken(jnp.ones(2))
    assert found.rounds < 100 and not np.isfinite(found.measure)


@pytest.mark.parametrize("damping", [0.0, -1.0, 1.5, float("nan")])
def test_impossible_dampings_are_refused(damping):
    with pytest.raises(cx.BadInput, match=r"Picard.damping is .*: give the share of a step to take"):
        Picard(damping)
