"""Permutation alignment: functions stay, hidden orders are found, merges fit."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.io.checkpoints import open_model
from catallax.merging import merge
from catallax.merging.alignment import WeightMatching, chain, chain_in, permuted, product, together

WIDTHS = (5, 8, 7, 3)
UNITS = chain(("0", "1", "2"))


def net(seed, widths=WIDTHS):
    draws = np.random.default_rng(seed)
    found = {}
    for k, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        found[f"{k}.weight"] = draws.normal(size=(outputs, inputs)) / inputs**0.5
        found[f"{k}.bias"] = draws.normal(size=outputs)
    return found


def output(model, X):
    for k in range(len(model) // 2):
        X = np.tanh(X @ model[f"{k}.weight"].T + model[f"{k}.bias"])
    return X


def read(model):
    return {name: model.read(name) for name in model.names}


def shuffled(model, seed, units=UNITS):
    draws = np.random.default_rng(seed)
    sizes = WeightMatching(units).sizes(model)
    order = {group: draws.permutation(size) for group, size in sizes.items()}
    return {name: permuted(array, units[name], order) for name, array in model.items()}, order


@settings(max_examples=15)
@given(st.integers(0, 2**31))
def test_a_hidden_permutation_is_found_exactly(seed):
    model = net(seed)
    other, order = shuffled(model, seed + 1)
    found = WeightMatching(UNITS).match(other, model)
    assert found.after == pytest.approx(1)
    for group, places in found.permutations.items():
        np.testing.assert_array_equal(order[group][places], np.arange(len(places)))
    for name, array in read(WeightMatching(UNITS)(other, model)).items():
        np.testing.assert_array_equal(array, model[name])


@settings(max_examples=15)
@given(st.integers(0, 2**31))
def test_the_function_stays_whatever_the_order(seed):
    a, b = net(seed), net(seed + 1)
    X = np.random.default_rng(seed).normal(size=(20, WIDTHS[0]))
    aligned = read(WeightMatching(UNITS, seed=seed % 100)(b, a))
    assert not all(np.array_equal(aligned[name], b[name]) for name in b)
    np.testing.assert_allclose(output(aligned, X), output(b, X), atol=1e-12)


def test_with_one_group_it_is_the_best_of_all_permutations():
    for seed in range(5):
        units, widths = chain(("0", "1")), (4, 5, 2)
        a, b = net(seed, widths), net(seed + 100, widths)
        found = WeightMatching(units, starts=1).match(b, a)
        bound = (product(a, a) * product(b, b)) ** 0.5
        group = next(iter(found.permutations))
        every = (
            product(a, {name: permuted(array, units[name], {group: np.array(order)}) for name, array in b.items()})
            for order in itertools.permutations(range(5))
        )
        assert found.after == pytest.approx(max(every) / bound)


def test_no_single_group_can_gain_and_more_starts_are_no_worse():
    a, b = net(1), net(2)
    matching = WeightMatching(UNITS, starts=1)
    one, many = matching.match(b, a), WeightMatching(UNITS, starts=8).match(b, a)
    assert one.before < one.after <= many.after
    bound = (product(a, a) * product(b, b)) ** 0.5
    for group, order in one.permutations.items():
        for i, j in itertools.combinations(range(len(order)), 2):
            swapped = order.copy()
            swapped[[i, j]] = swapped[[j, i]]
            other = matching.applied(b, {**one.permutations, group: swapped})
            assert product(a, other) / bound <= one.after + 1e-12


def test_a_merge_after_alignment_is_the_network_itself():
    model = net(3)
    other, _ = shuffled(model, 4)
    X = np.random.default_rng(5).normal(size=(20, WIDTHS[0]))
    merged = merge([model, other], "linear", align=WeightMatching(UNITS)).model
    plain = merge([model, other], "linear").model
    np.testing.assert_allclose(output(merged, X), output(model, X), atol=1e-12)
    assert np.abs(output(plain, X) - output(model, X)).max() > 0.1


def test_many_models_come_into_one_order():
    model = net(6)
    noisy = []
    for seed in range(4):
        draws = np.random.default_rng(seed)
        noisy.append(shuffled({n: x + 0.05 * draws.normal(size=x.shape) for n, x in model.items()}, seed)[0])
    aligned = together(noisy, UNITS)
    X = np.random.default_rng(7).normal(size=(20, WIDTHS[0]))
    for old, new in zip(noisy, aligned, strict=True):
        np.testing.assert_allclose(output(read(new), X), output(old, X), atol=1e-12)
    for one, two in itertools.combinations(aligned, 2):
        assert max(np.abs(one.read(name) - two.read(name)).max() for name in model) < 0.6


def test_weights_with_inputs_first():
    model = net(8)
    turned = {name: array.T.copy() if array.ndim == 2 else array for name, array in model.items()}
    units = chain(("0", "1", "2"), inputs="first")
    other, _ = shuffled(turned, 9, units)
    for name, array in read(WeightMatching(units)(other, turned)).items():
        np.testing.assert_array_equal(array, turned[name])


def test_tensors_without_units_stay_as_they_are():
    model = net(10) | {"scale": np.arange(3.0)}
    other, _ = shuffled({name: model[name] for name in UNITS}, 11)
    found = WeightMatching(UNITS)(other | {"scale": model["scale"]}, model)
    np.testing.assert_array_equal(found.read("scale"), model["scale"])


@pytest.mark.parametrize(
    ("units", "sentence"),
    [
        ({"0.weight": (None, None)}, "names no group"),
        ({"9.weight": ("h", None)}, "has no tensor 9.weight"),
        ({"0.weight": ("h",)}, "units has 1 axes for 0.weight, which has 2"),
        ({"0.weight": ("h", "h")}, "one group on two axes"),
        ({"0.weight": ("h", None), "1.bias": ("h",)}, "1.bias has 7 units of h"),
    ],
)
def test_what_is_refused(units, sentence):
    with pytest.raises(BadInput, match=sentence):
        WeightMatching(units)(net(1), open_model(net(2)))


def test_chains_that_are_none():
    with pytest.raises(BadInput, match="no hidden units"):
        chain(("0",))
    with pytest.raises(BadInput, match="inputs is 'both'"):
        chain(("0", "1"), inputs="both")
    with pytest.raises(BadInput, match="starts is 0"):
        WeightMatching(UNITS, starts=0)


def test_a_chain_is_seen_in_names_and_shapes():
    shapes = {"9.weight": (5, 3), "9.bias": (5,), "10.weight": (2, 5), "scale": (1,)}
    model = {name: np.zeros(shape) for name, shape in shapes.items()}
    hidden = chain(("9", "10"), biases=())
    assert chain_in(model) == dict(hidden) | {"9.bias": ("9 units",)}
    with pytest.raises(BadInput, match=r"9.weight \[5, 3\], 10.weight \[2, 4\]"):
        chain_in(model | {"10.weight": np.zeros((2, 4))})
