"""SLERP, model stock, geometric median, Krum: coefficients that come of inner products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from catallax.core.errors import BadInput, Refused
from catallax.io.checkpoints import open_model
from catallax.merging import merge
from catallax.merging.methods import find
from catallax.merging.methods.geometric_median import places, weiszfeld
from catallax.merging.methods.krum import scores

SEEDS = st.integers(0, 2**31)


def models(seed, count, shapes=((6, 3), (4,))):
    draws = np.random.default_rng(seed)
    return [{str(k): draws.normal(size=shape) for k, shape in enumerate(shapes)} for _ in range(count)]


def flat(model):
    return np.concatenate([np.ravel(model[name]) for name in sorted(model)])


# --- slerp ---


@settings(max_examples=15)
@given(SEEDS)
def test_slerp_at_its_ends_and_at_half_the_angle(seed):
    a, b = models(seed, 2)
    for weights, end in (([1, 1e-12], a), ([1e-12, 1], b)):
        found = merge([a, b], "slerp", weights=weights).model
        np.testing.assert_allclose(flat(found), flat(end), atol=1e-9)
    x, y = a["0"], b["0"] * np.linalg.norm(a["0"]) / np.linalg.norm(b["0"])
    half = merge([{"0": x}, {"0": y}], "slerp").model["0"]
    np.testing.assert_allclose(np.linalg.norm(half), np.linalg.norm(x))
    np.testing.assert_allclose(np.vdot(half, x), np.vdot(half, y))
    middle = (x + y) / np.linalg.norm(x + y) * np.linalg.norm(x)
    np.testing.assert_allclose(half, middle, atol=1e-12)


@settings(max_examples=15)
@given(SEEDS, st.floats(0.05, 0.95))
def test_slerp_turns_by_its_share_of_the_angle(seed, share):
    a, b = models(seed, 2, ((7,),))
    unit = [{"0": one["0"] / np.linalg.norm(one["0"])} for one in (a, b)]
    found = merge(unit, "slerp", weights=[1 - share, share]).model["0"]
    whole = np.arccos(np.vdot(unit[0]["0"], unit[1]["0"]))
    np.testing.assert_allclose(np.arccos(np.vdot(found, unit[0]["0"])), share * whole, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(found), 1)


def test_slerp_without_an_angle_is_the_mean():
    for x, y in (([1.0], [-3.0]), ([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [1.0, 2.0]), ([1.0, -1.0], [-2.0, 2.0])):
        found = merge([{"x": np.array(x)}, {"x": np.array(y)}], "slerp", weights=[3, 1]).model["x"]
        np.testing.assert_allclose(found, 0.75 * np.array(x) + 0.25 * np.array(y))


# --- model stock ---


@settings(max_examples=15)
@given(st.integers(2, 6), st.floats(0.05, 0.95))
def test_model_stock_at_a_known_angle(count, cosine):
    """Deltas of one length, each pair at one angle, about a base: t = n cos / (1 + (n - 1) cos)."""
    gram = np.full((count, count), cosine) + (1 - cosine) * np.eye(count)
    deltas, base = np.linalg.cholesky(gram), np.arange(count, dtype=float)
    found = merge([{"x": base + delta} for delta in deltas], "model-stock", base={"x": base}).model["x"]
    t = count * cosine / (1 + (count - 1) * cosine)
    np.testing.assert_allclose(found, base + t * deltas.mean(0), atol=1e-12)


def test_model_stock_is_nearest_to_the_centre_of_fine_tunes():
    """Around a centre in many dimensions, at right angles: no other point on the line to the base is nearer."""
    draws = np.random.default_rng(0)
    centre, base = draws.normal(size=20_000) * 0.7, np.zeros(20_000)
    members = [{"x": centre + draws.normal(size=20_000)} for _ in range(4)]
    mean = np.mean([one["x"] for one in members], axis=0)
    best = np.vdot(mean, centre) / np.vdot(mean, mean)
    found = merge(members, "model-stock", base={"x": base}).model["x"]
    np.testing.assert_allclose(np.vdot(found, mean) / np.vdot(mean, mean), best, atol=0.02)


def test_model_stock_of_opposite_deltas_is_the_base():
    base = {"x": np.array([1.0, 2.0])}
    members = [{"x": base["x"] + delta} for delta in (np.array([1.0, 0.5]), np.array([-1.0, 0.2]))]
    np.testing.assert_array_equal(merge(members, "model-stock", base=base).model["x"], base["x"])


# --- geometric median ---


def cost(point, points, weights):
    return weights @ np.linalg.norm(points - point, axis=1)


@settings(max_examples=15)
@given(SEEDS, st.integers(2, 7), st.integers(1, 4))
def test_geometric_median_against_a_minimiser(seed, count, axes):
    draws = np.random.default_rng(seed)
    points, weights = draws.normal(size=(count, axes)), draws.uniform(0.2, 1, count)
    weights /= weights.sum()
    coefficients, certificate = weiszfeld(points, weights)
    found = cost(coefficients @ points, points, weights)
    starts = [points.mean(0), *points]
    other = min(optimize.minimize(cost, x, (points, weights), "Nelder-Mead", tol=1e-12).fun for x in starts)
    assert found <= other + 1e-9
    assert found - other <= certificate.gap * found + 1e-9  # the certificate is a bound
    assert (coefficients >= 0).all()
    np.testing.assert_allclose(coefficients.sum(), 1)


def test_geometric_medians_in_closed_form():
    triangle = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    equal = np.full(3, 1 / 3)
    np.testing.assert_allclose(weiszfeld(triangle, equal)[0] @ triangle, triangle.mean(0), atol=1e-9)
    wide = np.array([[0.0, 0.0], [1.0, 0.1], [-1.0, 0.1]])  # an angle above 120 degrees: its corner, exactly
    np.testing.assert_array_equal(weiszfeld(wide, equal)[0], [1, 0, 0])
    square = np.array([[0.0, 0.0], [2.0, 0.0], [3.0, 3.0], [0.0, 1.0]])  # convex: where the diagonals cross
    np.testing.assert_allclose(weiszfeld(square, np.full(4, 0.25))[0] @ square, [2 / 3, 2 / 3], atol=1e-8)
    twice = np.array([[1.0, 1.0], [1.0, 1.0], [5.0, 0.0], [9.0, 9.0]])  # half of the weight at one point
    np.testing.assert_allclose(weiszfeld(twice, np.full(4, 0.25))[0] @ twice, [1, 1])


def test_geometric_median_is_of_whole_models_or_of_each_tensor():
    members = models(1, 5)
    rows = np.stack([flat(one) for one in members])
    whole = merge(members, "geometric-median").model
    np.testing.assert_allclose(flat(whole), weiszfeld(rows, np.full(5, 0.2))[0] @ rows, atol=1e-7)
    each = merge(members, "geometric-median", scope="tensor").model
    for name in ("0", "1"):
        of = np.stack([one[name].ravel() for one in members])
        np.testing.assert_allclose(each[name].ravel(), weiszfeld(of, np.full(5, 0.2))[0] @ of, atol=1e-7)


def test_a_member_far_off_spoils_no_digits():
    members = models(2, 7)
    far = [*members[:5], {name: array + 1e8 for name, array in members[5].items()}, members[6]]
    further = [*members[:5], {name: array + 1e12 for name, array in members[5].items()}, members[6]]
    one, other = (flat(merge(these, "geometric-median").model) for these in (far, further))
    np.testing.assert_allclose(one, other, atol=1e-3)  # the direction alone counts: by then it is the same
    honest = np.stack([flat(these) for k, these in enumerate(members) if k != 5])
    assert np.abs(one - honest.mean(0)).max() < 1.5 * np.ptp(honest)


def test_places_have_the_inner_products_they_were_given():
    points = np.random.default_rng(3).normal(size=(5, 3)) * np.array([1, 1, 1, 1e6, 1e-3])[:, None]
    gram = points @ points.T
    found = places(gram)
    norms = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(found @ found.T / np.outer(norms, norms), gram / np.outer(norms, norms), atol=1e-12)


# --- krum ---


@settings(max_examples=15)
@given(SEEDS, st.integers(5, 9), st.integers(0, 1), st.integers(1, 3))
def test_krum_against_its_definition(seed, count, faults, kept):
    members = models(seed, count)
    rows = np.stack([flat(one) for one in members])
    found = []
    for i in range(count):
        near = sorted(np.sum((rows[i] - rows[j]) ** 2) for j in range(count) if j != i)
        found.append(sum(near[: count - faults - 2]))
    best = np.argsort(found)[:kept]
    merged = merge(members, "krum", faults=faults, kept=kept)
    np.testing.assert_allclose(flat(merged.model), rows[best].mean(0))
    np.testing.assert_allclose(scores(rows @ rows.T, faults), found, rtol=1e-8)
    np.testing.assert_allclose(merged.shares, np.isin(np.arange(count), best) / kept)


def test_krum_is_one_of_the_honest_whatever_the_others_say():
    honest = models(4, 5)
    for lie in (1e3, -1e6, 1e12):
        liars = [{name: np.full_like(array, lie) for name, array in honest[0].items()} for _ in range(2)]
        found = flat(merge([*liars, *honest, honest[0]], "krum", faults=2).model)
        assert min(np.abs(found - flat(one)).max() for one in honest) == 0


def test_a_cap_on_influence_is_kept_by_many_and_refused_of_one():
    members = models(5, 6)
    with pytest.raises(Refused, match="krum gives one model a share of 1"):
        merge(members, "krum", max_influence=0.5)
    found = merge(members, "krum", kept=4, faults=1, max_influence=0.25)
    assert found.shares.max() == 0.25


# --- laws ---


@pytest.mark.parametrize("method", ["geometric-median", "krum", "model-stock"])
def test_moving_all_models_moves_the_merge(method):
    members, base, shift = models(6, 5), models(7, 1)[0], models(8, 1)[0]
    found = merge(members, method, base=base).model
    moved = [{name: 3 * (one[name] + shift[name]) for name in one} for one in (*members, base)]
    other = merge(moved[:-1], method, base=moved[-1]).model
    np.testing.assert_allclose(flat(other), 3 * (flat(found) + flat(shift)), atol=1e-6)


@pytest.mark.parametrize("method", ["slerp", "geometric-median", "krum", "model-stock"])
def test_order_does_not_matter_and_equal_members_give_themselves(method):
    members, base = models(9, 2 if method == "slerp" else 5), models(10, 1)[0]
    found, other = (merge(these, method, base=base).model for these in (members, members[::-1]))
    np.testing.assert_allclose(flat(found), flat(other), atol=1e-7)
    same = merge([members[0]] * len(members), method, base=base).model
    np.testing.assert_allclose(flat(same), flat(members[0]), atol=1e-7)


def test_scopes_agree_where_there_is_one_tensor():
    members, base = models(11, 5, ((3, 5),)), models(12, 1, ((3, 5),))[0]
    for method in ("geometric-median", "krum", "model-stock"):
        found = [merge(members, method, base=base, scope=scope).model["0"] for scope in ("tensor", "model")]
        np.testing.assert_allclose(*found, atol=1e-12)


def test_pieces_are_the_whole():
    draws = np.random.default_rng(13)
    members = [{"x": draws.normal(size=120_001).astype(np.float32)} for _ in range(3)]
    opened = [open_model(one) for one in members]
    method = find("geometric-median")
    stack = np.stack([one["x"] for one in members]).astype(np.float64)
    expected = weiszfeld(stack, np.full(3, 1 / 3))[0] @ stack
    np.testing.assert_allclose(merge(opened, method).model["x"], expected, atol=1e-6)


def test_what_is_no_number_has_no_distance():
    members = models(16, 5)
    members[3]["1"][0] = np.nan
    with pytest.raises(BadInput, match="1 of model 4 holds what is no number"):
        merge(members, "geometric-median", allow_nan=True)


@pytest.mark.parametrize(
    ("method", "count", "settings", "sentence"),
    [
        ("slerp", 3, {}, "slerp lies between two models, and 3 are given"),
        ("slerp", 2, {"scope": "layer"}, "scope is 'layer'"),
        ("model-stock", 2, {"weights": [1, 2]}, "model-stock counts each model once"),
        ("krum", 5, {"weights": [1, 2, 1, 1, 1]}, "krum counts each model once"),
        ("krum", 4, {"faults": 1}, "5 models or more, and 4 are given"),
        ("krum", 5, {"faults": 1, "kept": 5}, "keep at most 4"),
        ("krum", 5, {"faults": -1}, "faults is -1"),
        ("krum", 5, {"kept": 0}, "kept is 0"),
        ("geometric-median", 3, {"tolerance": 0.0}, "tolerance is 0"),
    ],
)
def test_what_is_refused(method, count, settings, sentence):
    with pytest.raises(BadInput, match=sentence):
        merge(models(14, count), method, base=models(15, 1)[0], **settings)
