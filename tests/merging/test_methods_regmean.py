"""RegMean: the least-squares optimum, what is sent, and who leaves."""

import equinox as eqx
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.io.checkpoints import open_model
from catallax.merging import merge
from catallax.merging.methods.regmean import RegMean, bits, gram, grams

SEEDS = st.integers(0, 2**31)


def layers(seed, count, outputs=3, inputs=4, rows=12):
    draws = np.random.default_rng(seed)
    data = [draws.normal(size=(rows, inputs)) @ draws.normal(size=(inputs, inputs)) for _ in range(count)]
    models = [{"w": draws.normal(size=(outputs, inputs)), "b": draws.normal(size=outputs)} for _ in range(count)]
    return models, data


def exact(data):
    """Gram matrices in float64."""
    return [{"w": X.T @ X / len(X)} for X in data]


@settings(max_examples=15)
@given(SEEDS, st.integers(2, 4))
def test_it_is_the_least_squares_optimum(seed, count):
    models, data = layers(seed, count)
    weights = np.random.default_rng(seed).uniform(0.2, 1, count)
    found = merge(models, "regmean", weights=weights, grams=exact(data), alpha=1.0, ridge=1e-13).model
    tall = np.concatenate([np.sqrt(w) * X for w, X in zip(weights, data, strict=True)])
    told = np.concatenate([np.sqrt(w) * X @ m["w"].T for w, X, m in zip(weights, data, models, strict=True)])
    expected = np.linalg.lstsq(tall, told, rcond=None)[0].T
    np.testing.assert_allclose(found["w"], expected, atol=1e-6)
    np.testing.assert_allclose(found["b"], np.average([m["b"] for m in models], axis=0, weights=weights))


def test_the_shrink_is_the_papers_and_alpha_0_is_by_input():
    models, data = layers(1, 3)
    known = exact(data)
    found = merge(models, "regmean", grams=known, alpha=0.7, ridge=1e-13).model["w"]
    scaled = [0.7 * of["w"] + 0.3 * np.diag(np.diag(of["w"])) for of in known]
    expected = np.linalg.solve(sum(scaled), sum(G @ m["w"].T for G, m in zip(scaled, models, strict=True))).T
    np.testing.assert_allclose(found, expected, atol=1e-9)
    by_input = merge(models, "regmean", grams=known, alpha=0.0, ridge=1e-13).model["w"]
    strength = np.stack([np.diag(of["w"]) for of in known])
    np.testing.assert_allclose(by_input, (strength[:, None] * [m["w"] for m in models]).sum(0) / strength.sum(0))


def test_an_input_that_nobody_has_seen_gets_the_mean():
    models, data = layers(2, 3)
    for X in data:
        X[:, 1] = 0
    found = merge(models, "regmean", grams=exact(data), alpha=1.0).model["w"]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, 1], np.mean([m["w"][:, 1] for m in models], axis=0))


def test_equal_data_give_the_mean_and_equal_models_themselves():
    models, data = layers(3, 3)
    same = merge(models, "regmean", grams=exact(data[:1] * 3)).model["w"]
    np.testing.assert_allclose(same, np.mean([m["w"] for m in models], axis=0), atol=1e-12)
    found = merge(models[:1] * 3, "regmean", grams=exact(data)).model["w"]
    np.testing.assert_allclose(found, models[0]["w"], atol=1e-12)


def test_weights_with_inputs_first_and_the_order_of_members():
    models, data = layers(4, 3)
    found = merge(models, "regmean", weights=[1, 2, 3], grams=exact(data)).model["w"]
    turned = [{"w": m["w"].T.copy(), "b": m["b"]} for m in models][::-1]
    other = merge(turned, "regmean", weights=[3, 2, 1], grams=exact(data)[::-1], inputs="first").model["w"]
    np.testing.assert_allclose(other.T, found, atol=1e-12)


def test_a_member_leaves_to_within_the_ridge():
    models, data = layers(5, 3)
    known = exact(data)
    whole = merge(models, "regmean", grams=known).model
    rest = merge(models[:2], "regmean", grams=known[:2]).model
    method = RegMean(known).prepare([open_model(one) for one in models], None, np.full(3, 1 / 3))
    for name in ("w", "b"):
        left = method.without(name, whole[name], models[2][name], None, np.full(3, 1 / 3), 2)
        np.testing.assert_allclose(left, rest[name], atol=1e-4)


def test_shares_are_of_the_data():
    models, data = layers(6, 2)
    models = [{"w": m["w"]} for m in models]
    out = merge(models, "regmean", grams=exact([data[0], 1e-6 * data[1]]), ridge=1e-15)
    np.testing.assert_allclose(out.shares, [1, 0], atol=1e-6)
    assert merge(models, "regmean", grams=exact([data[0], data[0]])).shares.tolist() == pytest.approx([0.5, 0.5])


def test_grams_of_networks_and_bits():
    net = eqx.nn.MLP(3, 2, 5, 2, key=jax.random.key(0))
    X = np.random.default_rng(7).normal(size=(8, 3)).astype(np.float32)
    found = grams(net, X, net.activation)
    hidden = np.maximum(X @ np.asarray(net.layers[0].weight).T + np.asarray(net.layers[0].bias), 0)
    np.testing.assert_allclose(found["layers.0.weight"], X.T @ X / 8, rtol=1e-5)
    np.testing.assert_allclose(found["layers.1.weight"], hidden.T @ hidden / 8, rtol=1e-4, atol=1e-6)
    merged = merge([net, net], "regmean", grams=[found, found]).model
    np.testing.assert_allclose(merged.layers[1].weight, net.layers[1].weight, atol=1e-6)
    numbers = 3 * 5 + 5 + 5 * 5 + 5 + 5 * 2 + 2
    assert bits([found, found], [net, net]) == 2 * 32 * (numbers + 6 + 15 + 15)


def test_grams_of_a_chain_are_those_of_its_layers():
    from catallax.networks import Chain, Dense

    chain = Chain([Dense(3, 4), Dense(4, 2)], seed=1)
    X = np.random.default_rng(8).normal(size=(6, 3)).astype(np.float32)
    found = grams(chain, X)
    np.testing.assert_allclose(found["layers.1.weight"], gram(chain.layers[0](jax.numpy.asarray(X))), rtol=1e-6)
    assert set(found) <= set(open_model(chain).names)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "grams has 0 entries for 2 models"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"ridge": 0.0}, "ridge is 0"),
        ({"inputs": "middle"}, "inputs is 'middle'"),
        ({"grams": [{"w": np.eye(3)}] * 2}, "the layer has 4 inputs"),
        ({"grams": [{"b": np.eye(3)}] * 2}, "no weight with two axes"),
        ({"grams": [{"w": np.eye(4)}, {"v": np.eye(4)}]}, "of unlike layers"),
        ({"grams": [{"w": np.eye(4)}, {"w": np.full((4, 4), np.nan)}]}, "no number"),
    ],
)
def test_what_is_refused(settings, sentence):
    models, _ = layers(9, 2)
    with pytest.raises(BadInput, match=sentence):
        merge(models, "regmean", **settings)
