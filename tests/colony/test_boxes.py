"""The nearest by boxes, against sorting all; and boxes around what they hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.colony.tours.boxes import IN_A_BOX, boxes_of, nearest

NORMS = {1: lambda apart: apart.sum(-1), 2: lambda apart: (apart**2).sum(-1), 0: lambda apart: apart.max(-1)}
SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.sampled_from([2, 3]), st.integers(2, 90), st.integers(1, 40), st.sampled_from([3, 1000]))
@settings(max_examples=40)
def test_the_nearest_are_those_that_sorting_all_gives(seed, axes, n, count, side):
    points = np.random.default_rng(seed).integers(0, side, (n, axes)).astype(float)  # 3: many at one place
    for norm, measure in NORMS.items():
        found = nearest(points, count, norm)
        assert found.shape == (n, min(count, n - 1))
        away = measure(np.abs(points[:, None] - points))
        assert (found != np.arange(n)[:, None]).all()
        assert all(len(set(row)) == len(row) for row in found.tolist())
        np.fill_diagonal(away, np.inf)
        assert (np.take_along_axis(away, found, 1) == np.sort(away, axis=1)[:, : found.shape[1]]).all()


@pytest.mark.parametrize("n", [1, 7, 16, 100])
def test_a_box_holds_its_halves_and_the_lowest_hold_all(n):
    points = np.random.default_rng(n).random((n, 2))
    boxes = boxes_of(points)
    lowest = len(boxes.first) - 1
    assert boxes.first[0] == 0 and boxes.first[-1] == n and len(boxes.low) == 2 * lowest
    sizes = np.diff(boxes.first)
    assert sizes.max() < 2 * IN_A_BOX and (sizes.min() >= IN_A_BOX or lowest == 1)
    for leaf, (start, stop) in enumerate(zip(boxes.first[:-1], boxes.first[1:], strict=True)):
        assert (boxes.low[lowest + leaf] == points[start:stop].min(0)).all()
        assert (boxes.high[lowest + leaf] == points[start:stop].max(0)).all()
    for box in range(1, lowest):
        assert (boxes.low[box] == boxes.low[2 * box : 2 * box + 2].min(0)).all()
        assert (boxes.high[box] == boxes.high[2 * box : 2 * box + 2].max(0)).all()


def test_a_heap_at_one_place_takes_no_longer_than_another():
    points = np.zeros((20_000, 2))
    points[10_000:] = 1.0
    found = nearest(points, 40)
    assert ((found < 10_000) == (np.arange(20_000) < 10_000)[:, None]).all()
