"""Anderson's mixing: it settles what plain rounds do not, from wherever it starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import catallax as cx
from catallax.core.anderson import Secants, mixed
from catallax.economy import Exchange

LAWS = ["posts", "multiplicative", "additive"]
TASTE = np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]])


def scarf(law: str, opening) -> Exchange:
    """Scarf's economy: each owns one good and wants it and the next in equal numbers; no price rule of its kind is stable."""
    return Exchange(np.eye(3), TASTE, np.zeros(3), law=law, opening=opening)


@pytest.fixture
def wide():
    """float64 as JAX's default, for one test."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


STARTS = 30


def settled_from_everywhere(law: str, method, tolerance: float) -> float:
    """The median number of rounds; fails where one start is not settled at equal prices."""
    random, rounds = np.random.default_rng(0), []
    for opening in random.dirichlet(np.ones(3), size=STARTS):
        outcome = cx.settle(scarf(law, opening), tolerance, method=method)
        assert outcome.status == "settled", (opening, outcome.certificate)
        assert np.allclose(outcome.price, 1 / 3, atol=100 * tolerance), opening
        rounds.append(outcome.rounds)
    return float(np.median(rounds))


@pytest.mark.parametrize("law", LAWS)
def test_scarf_from_everywhere(law):
    assert settled_from_everywhere(law, cx.Anderson(), 1e-6) <= 25
    assert settled_from_everywhere(law, cx.Anderson(depth=2), 1e-6) <= 45


@pytest.mark.parametrize("law", LAWS)
def test_scarf_from_everywhere_in_float64(law, wide):
    assert settled_from_everywhere(law, cx.Anderson(), 1e-9) <= 30


def test_drawn_economies_from_no_substitution_to_much():
    rounds = []
    for seed in range(100):
        drawn = Exchange.drawn(seed, elasticities=(0.0, 0.25, 0.5, 1.0, 2.0, 4.0))
        outcome = cx.settle(drawn, method=cx.Anderson())
        assert outcome.status == "settled", (seed, outcome.certificate)
        rounds.append(outcome.rounds)
    # one of them (seed 58) has no digits left in float32 to aim by: it takes all rounds, then settles all the same
    assert np.median(rounds) <= 15 and sum(count <= 50 for count in rounds) >= 99


def matrices(size: int, count: int, least: float, most: float, wild: int = 0) -> np.ndarray:
    """Matrices [count, size, size] of complex eigenvalues, moduli between `least` and `most`, `wild` pairs 1.05 to 1.5."""
    out = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        blocks = np.zeros((size, size))
        for k in range(size // 2):
            modulus = random.uniform(1.05, 1.5) if k < wild else random.uniform(least, most)
            angle = random.uniform(0.3, 3.1)
            turn = modulus * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            blocks[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = turn
        basis = np.linalg.qr(random.normal(size=(size, size)))[0]
        basis = basis + 0.3 * random.normal(size=(size, size)) / np.sqrt(size)  # far from normal
        out.append(basis @ blocks @ np.linalg.inv(basis))
    return np.stack(out)


def rounds_to_rest(method, matrix: np.ndarray, max_rounds: int) -> np.ndarray:
    """Rounds used for x = A x + b with each matrix; fails where one is not settled."""
    shift = np.random.default_rng(1).normal(size=matrix.shape[:2])

    def solve(matrix, shift):
        def step(x):
            new = matrix @ x + shift
            return new, jnp.max(jnp.abs(new - x)) / jnp.maximum(1, jnp.max(jnp.abs(x)))

        return method.solve(step, jnp.zeros_like(shift), 1e-6, max_rounds)

    found = jax.jit(jax.vmap(solve))(jnp.asarray(matrix, jnp.float32), jnp.asarray(shift, jnp.float32))
    assert (found.measure <= 1e-6).all(), np.flatnonzero(~(np.asarray(found.measure) <= 1e-6))
    exact = np.linalg.solve(np.eye(matrix.shape[1]) - matrix, shift[..., None])[..., 0]
    size = np.abs(exact).max(1, keepdims=True)
    assert np.allclose(found.point / size, exact / size, atol=1e-3)
    return np.asarray(found.rounds)


def test_spirals_outward_of_four_dimensions():
    assert rounds_to_rest(cx.Anderson(), matrices(4, 30, 1.01, 1.6), 100).max() <= 12


def test_fifty_dimensions_with_more_unstable_ones_than_depth_two_can_hold():
    contracting = matrices(50, 10, 0.3, 0.98)
    unstable = matrices(50, 10, 0.1, 0.9, wild=3)
    random = np.random.default_rng(5).normal(size=(10, 50, 50)) / np.sqrt(50)
    skewed = 0.95 * random / np.abs(np.linalg.eigvals(random)).max(1)[:, None, None]
    rounds = rounds_to_rest(cx.Anderson(), np.concatenate([contracting, unstable, skewed]), 1000)
    assert np.median(rounds[:10]) <= 80  # plain rounds need 700


def test_depth_settles_what_expands_in_half_of_fifty_dimensions():
    assert rounds_to_rest(cx.Anderson(depth=20), matrices(50, 10, 0.8, 1.3), 1000).max() <= 500


def test_mixing_solves_a_linear_system_whose_secants_span_it():
    random = np.random.default_rng(2)
    jacobian, moves = random.normal(size=(4, 4)), random.normal(size=(6, 4))
    residual = random.normal(size=4)
    moves[1] = 2 * moves[0]  # says nothing new
    secants = Secants(*(jnp.asarray(x, jnp.float32) for x in (moves, moves @ jacobian.T)), jnp.arange(6) < 5)
    step, kept = mixed(jnp.asarray(residual, jnp.float32), secants)
    assert np.allclose(step, np.linalg.solve(jacobian, -residual), rtol=1e-3, atol=1e-4)
    assert list(kept.held) == [True] * 4 + [False] * 2
    assert np.allclose(kept.moves[:4], moves[[0, 2, 3, 4]])


def test_without_secants_mixing_is_a_plain_round():
    nothing = Secants(jnp.zeros((2, 3)), jnp.zeros((2, 3)), jnp.zeros(2, bool))
    assert np.array_equal(mixed(jnp.arange(3.0), nothing)[0], np.arange(3.0))


@pytest.mark.parametrize("depth", [1, 0, True])
def test_impossible_depths_are_refused(depth):
    with pytest.raises(cx.BadInput, match=r"Anderson.depth is .*: give a whole number of at least 2"):
        cx.Anderson(depth=depth)
