"""Boxes around runs of places, halves of halves: who is near, without looking at everybody.

Labels go along Hilbert's curve, so that a run of them lies together, and boxes need not be looked for: the lowest hold runs of
as many labels each, and every other one the runs of two. Nothing rests on the order but the time.

I. Kamel and C. Faloutsos, On packing R-trees, CIKM 1993.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.core.kernel import bare

IN_A_BOX = 8
DEPTH = 64  # boxes that wait, at most


class Boxes(NamedTuple):
    """A perfect binary tree: those in box b are in 2b and 2b + 1, the root is 1. The lowest, from `len(first) - 1` on, hold the
    labels from one number in `first` to the next.
    """

    points: Float[np.ndarray, "cities axes"]
    first: Int[np.ndarray, " lowest_and_one"]
    low: Float[np.ndarray, "boxes axes"]
    high: Float[np.ndarray, "boxes axes"]


def boxes_of(points: Float[np.ndarray, "cities axes"]) -> Boxes:
    """Boxes around points, in this order."""
    levels = max(1, len(points) // IN_A_BOX).bit_length() - 1
    first = (np.arange(2**levels + 1) * len(points)) >> levels
    return Boxes(points, first, upward(np.minimum, points, first), upward(np.maximum, points, first))


def upward(
    choose: np.ufunc, values: Float[np.ndarray, " cities *axes"], first: Any
) -> Float[np.ndarray, " boxes *axes"]:
    """What of the values in each box is chosen."""
    rows = [choose.reduceat(values, first[:-1])]
    while len(rows[0]) > 1:
        rows.insert(0, choose(rows[0][::2], rows[0][1::2]))
    return np.concatenate([rows[0], *rows])  # box 0 is none


def nearest(points: Float[np.ndarray, "cities axes"], count: int, norm: int = 2) -> Int[np.ndarray, "cities count"]:
    """The nearest others of each, the nearest first, int32; of fewer than `count` others, all. `norm`: 1, 2, or 0 for the
    greatest difference.
    """
    found = np.empty((len(points), min(count, len(points) - 1)), np.int32)
    far, away = np.empty(found.shape[1]), np.empty(DEPTH)
    look(*boxes_of(points), norm, found, far, np.empty(DEPTH, np.int64), away)
    return found


@bare
def look(points, first, low, high, norm, found, far, wait, away):
    """Fills `found`: each place's own box first, then the others in ever larger ones around it. `far`: how far those found
    are; `wait`, `away`: boxes to look into, and how far they are."""
    leaf, lowest = 0, len(first) - 1
    for city in range(len(points)):
        while first[leaf + 1] <= city:
            leaf += 1
        for at in range(len(far)):
            far[at] = np.inf
        meet(points, first, norm, found, far, city, leaf)
        box = leaf + lowest
        while box > 1:
            wait[0], away[0] = box ^ 1, apart(points, low, high, norm, city, box ^ 1)
            inside(points, first, low, high, norm, found, far, wait, away, city)
            box >>= 1


@bare
def inside(points, first, low, high, norm, found, far, wait, away, city):
    """Meets those of the box that waits who may be near enough, nearer halves first."""
    lowest, last, size = len(first) - 1, len(far) - 1, 1
    while size > 0:
        size -= 1
        box = wait[size]
        if away[size] >= far[last]:
            continue
        if box >= lowest:
            meet(points, first, norm, found, far, city, box - lowest)
            continue
        near, one = 2 * box, apart(points, low, high, norm, city, 2 * box)
        other = apart(points, low, high, norm, city, 2 * box + 1)
        if one > other:
            near, one, other = near + 1, other, one
        wait[size], away[size] = near ^ 1, other
        wait[size + 1], away[size + 1] = near, one
        size += 2


@bare
def apart(points, low, high, norm, city, box):
    """How far a place is from a box at least, in the norm (squared in norm 2)."""
    total = 0.0
    for axis in range(points.shape[1]):
        at = points[city, axis]
        total = longer(norm, total, max(low[box, axis] - at, at - high[box, axis], 0.0))
    return total


@bare
def longer(norm, total, gap):
    """A distance so far, and an axis more."""
    if norm == 2:
        return total + gap * gap
    return total + gap if norm == 1 else max(total, gap)


@bare
def meet(points, first, norm, found, far, city, leaf):
    """Keeps the places of a lowest box, sorted, if they are among the nearest yet."""
    last = len(far) - 1
    for other in range(first[leaf], first[leaf + 1]):
        if other == city:
            continue
        distance = 0.0
        for axis in range(points.shape[1]):
            distance = longer(norm, distance, abs(points[city, axis] - points[other, axis]))
        if distance >= far[last]:
            continue
        at = last
        while at > 0 and far[at - 1] > distance:
            far[at], found[city, at] = far[at - 1], found[city, at - 1]
            at -= 1
        far[at], found[city, at] = distance, other
