"""Robust aggregates, messages in few bits, graphs: against NumPy, SciPy and brute force, and by their laws."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from catallax.core.errors import BadInput
from catallax.merging.together.aggregate import AGGREGATES
from catallax.merging.together.attacks import ATTACKS, liars
from catallax.merging.together.form import form_of
from catallax.merging.together.graphs import GRAPHS, adjacency, metropolis, mixing, second_eigenvalue, stationary
from catallax.merging.together.messages import message_bits, told

MEMBERS, NUMBERS = 10, 6
ROBUST = [name for name in AGGREGATES if name != "mean"]


@functools.cache
def aggregate(name: str):
    return jax.jit(lambda rows, weights: AGGREGATES[name](rows, weights, 0.2))


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(MEMBERS, NUMBERS)).astype(np.float32)


def merged(name: str, rows, weights=None) -> np.ndarray:
    weights = np.ones(len(rows)) if weights is None else weights
    point, share = aggregate(name)(jnp.asarray(rows, jnp.float32), jnp.asarray(weights, jnp.float32))
    assert np.isclose(share.sum(), 1, atol=1e-5) and (np.asarray(share)[np.asarray(weights) == 0] == 0).all()
    return np.asarray(point)


def test_medians_and_trimmed_means_of_equals_are_numpys_and_scipys():
    rows = drawn(0)
    assert np.allclose(merged("median", rows), np.median(rows, axis=0), atol=1e-6)
    assert np.allclose(merged("trimmed-mean", rows), stats.trim_mean(rows, 0.2, axis=0), atol=1e-6)
    odd = np.where(np.arange(MEMBERS) == 3, 0.0, 1.0)  # an absent member
    assert np.allclose(merged("median", rows, odd), np.median(np.delete(rows, 3, 0), axis=0), atol=1e-6)


def test_a_weight_of_three_is_three_members():
    rows, weights = drawn(1), np.array([3, 1, 1, 2, 1, 0, 1, 1, 0, 0])
    many = np.repeat(rows, weights, axis=0)
    assert len(many) == MEMBERS
    for name in ("mean", "median", "trimmed-mean", "geometric-median"):
        assert np.allclose(merged(name, rows, weights), merged(name, many), atol=1e-4), name


def test_the_geometric_median_has_the_least_sum_of_distances():
    rows = drawn(2)
    best = optimize.minimize(
        lambda z: np.linalg.norm(rows.astype(float) - z, axis=1).sum(), rows.mean(0, float), tol=1e-10
    ).x
    assert np.allclose(merged("geometric-median", rows), best, atol=1e-3)


def test_krum_is_krum():
    rows = drawn(3)
    apart = np.sort(np.linalg.norm(rows[:, None] - rows[None], axis=2) ** 2, axis=1)[:, 1:]
    scores = apart[:, : MEMBERS - 2 - 2].sum(1)
    assert np.allclose(merged("krum", rows), rows[scores.argmin()])
    assert np.allclose(merged("multi-krum", rows), rows[np.argsort(scores)[: MEMBERS - 2]].mean(0), atol=1e-6)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from([1e2, 1e12, 1e30]), st.booleans())
def test_two_liars_of_ten_move_a_median_within_the_honest_range(seed, far, one_way):
    rows = drawn(seed)
    liars = drawn(seed + 1)[:2] * far
    mixed = np.concatenate([np.abs(liars) if one_way else liars, rows[2:]])
    honest = rows[2:]
    for name in ("median", "trimmed-mean"):
        point = merged(name, mixed)
        assert (point >= honest.min(0) - 1e-5).all() and (point <= honest.max(0) + 1e-5).all(), name
    for name in ("geometric-median", "krum", "multi-krum"):
        assert np.linalg.norm(merged(name, mixed) - honest.mean(0)) < 10, name
    assert np.abs(merged("mean", mixed)).max() > 3  # the control


def test_nobody_is_nothing():
    for name in AGGREGATES:
        point, _ = aggregate(name)(jnp.zeros((MEMBERS, NUMBERS)), jnp.zeros(MEMBERS))
        assert (np.asarray(point) == 0).all(), name


# --- messages ---


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12])
def test_what_is_told_takes_few_values_and_comes_nearer_whatever_it_is(bits):
    random = np.random.default_rng(bits)
    sizes = (100, 1, 60)
    for shape in ("normal", "spike", "heavy"):
        x = random.normal(size=161) * (random.random(161) < 0.02 if shape == "spike" else 1.0)
        x = (random.standard_cauchy(161) if shape == "heavy" else x).astype(np.float32)
        heard = np.asarray(told(jnp.asarray(x), sizes, bits))
        for a, b in zip(np.split(x, [100, 101]), np.split(heard, [100, 101]), strict=True):
            assert np.unique(b).size <= 2**bits
            assert np.sum((a - b) ** 2) <= np.sum(a**2) * (1 + 1e-6)
    if bits == 1:
        a = x[:100]
        assert np.allclose(heard[:100], np.where(a < 0, -1, 1) * np.abs(a).mean(), rtol=1e-5)


def test_more_bits_tell_more():
    x = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    missed = [np.mean((x - np.asarray(told(jnp.asarray(x), (4000,), bits))) ** 2) for bits in (1, 2, 4, 8)]
    assert np.allclose(missed[:3], [0.363, 0.119, 0.0115], rtol=0.1)  # Max 1960: the distortion of normal numbers
    assert missed[3] < 2e-4
    assert message_bits((100, 1, 60), 4) == 161 * 4 + 3 * 32 and message_bits((100, 61), None) == 161 * 32
    assert not np.asarray(told(jnp.zeros(5), (5,), 3)).any()


# --- graphs ---


@pytest.mark.parametrize("graph", GRAPHS)
def test_metropolis_weights_keep_the_shares(graph):
    shares = np.arange(1.0, 13)
    weights = mixing(graph, 12, shares)
    assert np.allclose(weights.sum(1), 1) and (weights >= -1e-12).all() and np.allclose(shares @ weights, shares)
    assert np.allclose(stationary(weights), shares / shares.sum())
    alike = mixing(graph, 12)
    assert np.allclose(alike, alike.T) and second_eigenvalue(alike) < 1


def test_eigenvalues_of_rings_and_tori_are_cosines():
    n = 12
    angle = np.cos(2 * np.pi / n)
    assert second_eigenvalue(mixing("ring", n)) == pytest.approx((1 + 2 * angle) / 3)
    torus = metropolis(adjacency("torus", 36))
    assert second_eigenvalue(torus) == pytest.approx((3 + 2 * np.cos(2 * np.pi / 6)) / 5)
    assert second_eigenvalue(mixing("complete", n)) == pytest.approx(0, abs=1e-12)
    assert second_eigenvalue(mixing("expander", 64)) < second_eigenvalue(mixing("torus", 64))


def test_graphs_of_ones_own():
    ring = networkx.cycle_graph(6)
    assert np.array_equal(adjacency(ring, 6), adjacency("ring", 6))
    assert np.array_equal(adjacency(networkx.to_numpy_array(ring, dtype=int), 6), adjacency("ring", 6))
    given = np.full((3, 3), 1 / 3)
    assert np.array_equal(mixing(given, 3), given)
    for wrong in (
        "web",
        np.ones((2, 3), bool),
        np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]]),
        np.eye(3, dtype=int),
        np.eye(3) * 0.5,
        np.full((3, 3), np.nan),
        np.ones((4, 4)) / 4,
    ):
        with pytest.raises(BadInput):
            mixing(wrong, 3)
    with pytest.raises(BadInput, match="torus"):
        mixing("torus", 7)


# --- models and liars ---


def test_a_model_is_a_vector_and_back():
    model = eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0))
    model = (model, jnp.arange(3), "a word")
    form, vector = form_of(model)
    assert form.numbers == vector.size == 3 * 4 + 4 + 4 * 2 + 2 and form == form_of(model)[0]
    back = form.model(form.params(vector))
    assert back[2] == "a word" and np.array_equal(back[1], [0, 1, 2])
    for a, b in zip(*(jax.tree.leaves(eqx.filter(m, eqx.is_array)) for m in (model, back)), strict=True):
        assert np.array_equal(a, b)
    for nothing in (jnp.arange(3), {}, jnp.zeros(0), jnp.zeros(2, complex)):
        with pytest.raises(BadInput):
            form_of(nothing)


def test_liars():
    assert liars(0.2, 10) == {8: ATTACKS["flip"], 9: ATTACKS["flip"]} and liars(None, 3) == {}
    update = jnp.asarray([3.0, 4.0])
    assert np.isclose(np.linalg.norm(ATTACKS["noise"](update, jax.random.key(0))), 50)
    for wrong in (1.0, -0.1, {3: "flip"}, {0: "smile"}, "flip", {True: "flip"}):
        with pytest.raises(BadInput):
            liars(wrong, 3)
