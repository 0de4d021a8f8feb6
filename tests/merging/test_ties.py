"""TIES against a brute-force reference in float64 with the same rule for ties; exact selection of the k-th magnitude."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.merging import merge
from catallax.merging.method import Stack, Stored
from catallax.merging.methods.ties import Ties
from catallax.merging.selection import cut, trim

BF16 = np.dtype(ml_dtypes.bfloat16)


def kept(delta, density):
    """The k largest magnitudes, of equal ones the first: by a stable sort."""
    count = max(1, int(density * delta.size))
    order = np.argsort(-np.abs(delta.astype(np.float64)), kind="stable")[:count]
    found = np.zeros_like(delta)
    found[order] = delta[order]
    return found


def reference(members, base, weights, density, scale, kind):
    """The merged tensor, element by element, in float64."""
    work = np.float64 if kind == np.float64 else np.float32
    deltas = [x.astype(work) - base.astype(work) for x in members]
    trimmed = [kept(delta, share).astype(np.float64) for delta, share in zip(deltas, density)]
    merged = np.empty(base.size)
    for i in range(base.size):
        mass = sum(w * t[i] for w, t in zip(weights, trimmed))
        sign = 1 if mass >= 0 else -1
        agree = [(w, t[i]) for w, t in zip(weights, trimmed) if t[i] * sign > 0]
        mean = sum(w * x for w, x in agree) / sum(w for w, _ in agree) if agree else 0.0
        merged[i] = base.astype(np.float64)[i] + scale * mean
    return merged.astype(work).astype(kind)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, BF16])
@pytest.mark.parametrize("density", [(0.2, 0.5, 0.9), (1.0, 1.0, 1.0), (1e-9, 0.3, 0.3)])
def test_it_is_the_reference_to_the_last_bit(kind, density):
    random = np.random.default_rng(0)
    size = 3 * 1024 + 7
    base = random.normal(size=size).astype(kind)
    coarse = np.round(random.normal(size=(3, size)) * 8) / 64  # many ties, and opposite signs that cancel
    members = [(base.astype(np.float64) + step).astype(kind) for step in coarse]
    weights = np.array([0.5, 0.3, 0.2])
    wanted = reference(members, base, weights, density, 0.7, kind)
    models = [{"w": member.reshape(-1, 1)} for member in members]
    found = merge(models, "ties", {"w": base.reshape(-1, 1)}, weights, density=density, scale=0.7).model["w"]
    assert found.dtype == kind and np.array_equal(found.ravel(), wanted)


def test_pieces_and_the_whole_are_one(monkeypatch):
    random = np.random.default_rng(1)
    base = random.normal(size=20_000).astype(np.float32)
    members = [base + np.round(random.normal(size=base.size) * 4).astype(np.float32) / 4 for _ in range(2)]
    weights, method, pieces = np.array([0.6, 0.4]), Ties(0.37), []
    monkeypatch.setattr("catallax.merging.method.CACHE", 1 << 10)  # pieces of 4,096 elements
    method.merge(Stored("w", members, base, weights, 0), pieces.append)
    whole = method.combine(Stack("w", np.stack(members), base.copy(), weights, 0))
    assert len(pieces) == 5 and np.array_equal(np.concatenate(pieces), whole)
    assert np.array_equal(whole, reference(members, base, weights, (0.37, 0.37), 1.0, np.float32))


ROWS = st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0, 1.5, -2.0, 3e-45, 1e30, -1e30, 0.1]), min_size=1, max_size=30)


@given(ROWS, st.data())
def test_the_k_largest_are_kept_whatever_the_values(row, data):
    kind = data.draw(st.sampled_from([np.float32, np.float64]))
    values = np.array([row, row[::-1]], kind)
    ranks = np.array([data.draw(st.integers(0, len(row))) for _ in range(2)])
    split = data.draw(st.integers(1, len(row)))
    pieces = [np.ascontiguousarray(values[:, :split])] + [np.ascontiguousarray(values[:, split:])] * (split < len(row))
    found = cut(lambda: pieces, ranks, np.dtype(kind))
    for m in range(2):
        left, rows = int(found.ties[m]), []
        for piece in pieces:
            part = piece[m].copy()
            left = trim(part, found.edges[m], left)
            rows.append(part)
        order = np.argsort(-np.abs(values[m]), kind="stable")[: ranks[m]]
        wanted = np.where(np.isin(np.arange(len(row)), order), values[m], 0)
        assert np.array_equal(np.concatenate(rows), wanted)


def test_a_weightless_crowd_elects_and_none_who_disagrees_counts():
    base = {"w": np.zeros(3)}
    models = [{"w": np.array(w)} for w in ([3.0, 2.0, 1.0], [-1.0, 2.0, -1.0], [-1.0, 4.0, 0.0])]
    assert merge(models, "ties", base, density=1.0).model["w"].tolist() == [3.0, 8 / 3, 1.0]  # a sum of 0 elects +
    assert merge(models, "ties", base, density=0.4).model["w"].tolist() == [3.0, 3.0, 0.0]  # one entry of each is kept
    assert merge(models, "ties", base, [0, 1, 1], density=0.4, scale=2).model["w"].tolist() == [0.0, 6.0, 0.0]


@pytest.mark.parametrize("density", [0, -0.1, 1.1, float("nan"), (0.5, 2.0)])
def test_densities_are_shares(density):
    with pytest.raises(BadInput, match="density is .*: the share of a delta that is kept"):
        Ties(density)


def test_densities_are_one_or_one_each():
    with pytest.raises(BadInput, match="density has 2 entries for 3 models"):
        merge([{"w": np.ones(2)}] * 3, "ties", {"w": np.zeros(2)}, density=(0.5, 0.5))
    with pytest.raises(BadInput, match="scale is inf"):
        Ties(scale=float("inf"))
