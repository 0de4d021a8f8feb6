"""Bits, cosines and waiting of a lesson, against what is known of each kind."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from catallax.core.errors import BadInput
from catallax.core.rows import Rows
from catallax.networks.chain import Chain
from catallax.networks.comparison import Point, compare
from catallax.networks.kinds import KINDS, kind_of
from catallax.networks.layers import Dense
from catallax.networks.measures import cosine, cosines, depths, some, told, waits
from catallax.networks.problem import Lessons

WIDTHS = (6, 8, 7, 5, 3)
LABEL = np.log2(3)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    return Rows.of(random.normal(size=(20, 6)).astype(np.float32), (np.arange(20) % 3).astype(np.int32))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


def taught_by(name):
    kind = kind_of(name)
    dense = [Dense(a, b, kind.activation) for a, b in itertools.pairwise(WIDTHS[:-1])]
    chain = Chain([*dense, Dense(*WIDTHS[-2:])], kind.make())
    return chain.teaching, chain.parts, chain.loss


@pytest.mark.parametrize(
    ("name", "bits", "expected"),
    [
        ("backpropagation", None, [8 * 32, 7 * 32, 5 * 32, 3 * 32]),
        ("backpropagation", 3, [8 * 3 + 32, 7 * 3 + 32, 5 * 3 + 32, 3 * 3 + 32]),
        ("feedback-alignment", None, [8 * 32, 7 * 32, 5 * 32, 3 * 32]),
        ("direct-feedback-alignment", None, [3 * 32] * 4),
        ("random-targets", None, [LABEL] * 4),
        ("predsim", None, [LABEL] * 4),
        ("silence", None, [0, 0, 0, LABEL]),
    ],
)
def test_bits_are_those_of_the_formula(rows, name, bits, expected):
    np.testing.assert_allclose(told(*taught_by(name), rows, bits), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("backpropagation", [6, 4, 2, 0]),  # forward to the end, and back
        ("feedback-alignment", [6, 4, 2, 0]),
        ("direct-feedback-alignment", [4, 3, 2, 0]),  # forward to the end, and one projection
        ("random-targets", [0, 0, 0, 0]),
        ("predict", [2, 2, 2, 0]),  # through its own head, and back
        ("silence", [0, 0, 0, 0]),
    ],
)
def test_waiting_is_counted_in_products(rows, name, expected):
    assert waits(*taught_by(name), rows).tolist() == expected


def test_who_is_alone_waits_for_nobody(rows):
    """What does not depend on later weights cannot wait longer, the more layers there are behind it."""
    for name in KINDS:
        teaching, parts, loss = taught_by(name)
        if teaching.alone and name != "softhebb":
            first, *_, before_last, _ = waits(teaching, parts, loss, rows)
            assert first <= before_last, name


def test_loops_are_gone_through_as_often_as_they_say():
    weight = jnp.eye(3)

    def scanned(x):
        return jax.lax.fori_loop(0, 10, lambda k, y: y @ weight, x)

    def whiled(x):
        return jax.lax.while_loop(
            lambda c: (c[0] < 10) & (c[1].sum() > 0), lambda c: (c[0] + 1, c[1] @ weight), (0, x)
        )[1]

    def branched(x):
        return jax.lax.cond(x.sum() > 0, lambda x: x @ weight, lambda x: x @ weight @ weight, x)

    for function, expected in ((scanned, 10), (whiled, 10), (branched, 2), (jax.jit(scanned), 10)):
        assert depths(jax.make_jaxpr(function)(jnp.ones((2, 3))).jaxpr, [0]) == [expected]
    assert depths(jax.make_jaxpr(lambda x: (weight @ weight, x))(jnp.ones(3)).jaxpr, [0]) == [-1, 0]


def test_cosine_of_backpropagation_is_one_and_that_of_its_opposite_minus_one(rows):
    teaching, parts, loss = taught_by("backpropagation")
    np.testing.assert_allclose(cosines(teaching, parts, some(loss, rows, 20)), 1, atol=1e-5)
    a, b = {"w": jnp.array([1.0, 2.0])}, {"w": jnp.array([2.0, -1.0])}
    assert float(cosine(a, b)) == pytest.approx(0, abs=1e-6)
    assert float(cosine(a, jax.tree.map(lambda x: -x, a))) == pytest.approx(-1)
    assert np.isnan(cosine(None, a)) and np.isnan(cosine({"w": jnp.zeros(2)}, b))


def test_the_last_layer_of_random_targets_follows_the_gradient(rows):
    teaching, parts, loss = taught_by("random-targets")
    found = np.asarray(cosines(teaching, parts, some(loss, rows, 20)))
    assert found[-1] == pytest.approx(1, abs=1e-5) and np.abs(found[:-1]).max() < 0.9


def test_compare_measures_each_and_says_what_cannot_be(digits):
    problem = Lessons(*digits, widths=(16,), epochs=2)
    looks = []
    back, few, silent = compare(
        problem,
        [Point("backpropagation"), Point("backpropagation", 8), Point("silence")],
        2,
        0,
        lambda *f: looks.append(f),
    )
    assert back.error.shape == (2,) and back.loss.shape == (2, 3) and (back.seconds > 0).all()
    np.testing.assert_allclose(back.hidden_cosine, 1, atol=1e-4)
    assert (few.hidden_cosine < back.hidden_cosine).all() and few.bits.sum() < back.bits.sum()
    assert np.isnan(silent.hidden_cosine).all() and silent.bits.tolist() == [0, pytest.approx(np.log2(10))]
    assert looks == [
        (k, 6, p) for k, p in enumerate(["backpropagation"] * 2 + ["backpropagation, 8 bits"] * 2 + ["silence"] * 2)
    ]
    (refused,) = compare(problem.by(activation="relu"), [Point("equilibrium-propagation")], 1)
    assert "hard sigmoid" in refused.refused and not refused.error.size


def test_bits_out_of_range(digits):
    with pytest.raises(BadInput, match="bits is 30"):
        Lessons(*digits).by(bits=30)
