"""Whom a city may be joined to: a few candidates each, so that everything below costs n x k and never n x n.

In the plane and on the sphere the two nearest of each quadrant come first (clusters would otherwise know only
themselves), then the nearest of all, sorted by distance; with a matrix, the k nearest.

    D. S. Johnson and L. A. McGeoch, The traveling salesman problem: a case study in local optimization, in Local Search in
    Combinatorial Optimization, 1997, section 3.2 (quadrant neighbours).
"""

from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Float, Int

from catallax.colony.tours import boxes
from catallax.colony.tours.metric import (
    ATT,
    CEILING,
    GEO,
    MANHATTAN,
    MATRIX,
    MAXIMUM,
    ONE_WAY,
    PLANE,
    Metric,
    distance,
    quick,
)
from catallax.core.kernel import bare

QUADRANT = 2  # candidates of each quadrant
LOOKED = 5  # times as many are looked at as are kept
SHARE = 2.0  # cities a cell, on average
HEAP = 60  # cities in one cell that are too many
FAR = 2**31 - 1
CITY, TICKS = range(2)  # of a candidate


def neighbours(metric: Metric, k: int) -> Int[np.ndarray, "cities k 2"]:
    """At most k candidates of each city and how far they are, the nearest first, int32.

    `near[i, :, CITY]`, `near[i, :, TICKS]`; a place that is not filled has the city itself, FAR off. Nowhere, where there
    is one, is everybody's candidate.
    """
    if metric.kind in (MATRIX, ONE_WAY):
        found = by_matrix(metric, k)
    else:
        grid = Grid.of(metric)
        if grid is None:
            looked = nearest(metric, LOOKED * k)
            found = np.empty((len(looked), min(k, looked.shape[1])), np.int32)
            by_quadrant(flat(metric), looked, np.empty(4, np.int64), found)
        else:
            found = on_grid(metric.places, *grid, min(k, len(metric.places) - 1), LOOKED * k).astype(np.int32)
    near = np.empty((metric.cities, found.shape[1] + (1 if metric.nowhere >= 0 else 0), 2), np.int32)
    with_distances(quick(metric), found, metric.nowhere, near)
    return near


def flat(metric: Metric) -> Float[np.ndarray, "cities 2"]:
    """Places in two coordinates whose signs tell quadrants."""
    if metric.places.shape[1] == 2:
        return metric.places
    x, y, z = metric.places.T
    return np.stack([np.arctan2(y, x), np.arcsin(np.clip(z, -1, 1))], axis=1)


def nearest(metric: Metric, count: int) -> Int[np.ndarray, "cities count"]:
    """The nearest others of each city, int32; of fewer than `count` others, all."""
    if metric.kind == GEO:
        latitude, longitude = metric.places.T
        c = np.cos(latitude)
        places = np.stack([c * np.cos(longitude), c * np.sin(longitude), np.sin(latitude)], axis=1)
        return boxes.nearest(places, count)
    return boxes.nearest(metric.places, count, {MANHATTAN: 1, MAXIMUM: 0}.get(metric.kind, 2))


class Grid(NamedTuple):
    """Places in the plane, sorted into square cells: `first` [cells + 1] of each cell in `members` [cities]; cells in rows
    of `columns`; `side` of a cell, `corner` of the first."""

    first: Int[np.ndarray, " edges"]
    members: Int[np.ndarray, " cities"]
    columns: int
    side: float
    corner: Float[np.ndarray, "2"]

    @classmethod
    def of(cls, metric: Metric) -> "Grid | None":
        """A grid of some SHARE cities a cell, quicker to look around in than boxes, and wider: clusters see more of one
        another. None where distances are not those of the plane, or cities are heaped up."""
        if metric.kind not in (PLANE, CEILING, ATT):
            return None
        places = metric.places
        corner, span = places.min(axis=0), np.ptp(places, axis=0)
        side = float(max(np.sqrt(span[0] * span[1] * SHARE / len(places)), span.max() * SHARE / len(places)))
        if side == 0:
            return None
        cell = ((places - corner) / side).astype(np.int64)
        columns = int(span[0] / side) + 1
        code = cell[:, 1] * columns + cell[:, 0]
        count = np.bincount(code, minlength=columns * (int(span[1] / side) + 1))
        if count.max() > HEAP:
            return None
        return cls(np.append(0, np.cumsum(count)), np.argsort(code, kind="stable"), columns, side, corner)


@numba.njit(cache=True)
def on_grid(places, first, members, columns, side, corner, k, looked):
    """The two nearest of each quadrant first, then the nearest of all; -1 where there are no more.

    Rings of cells around a city are gone through until `looked` cities are seen and k are surely nearer than all beyond.
    """
    n = len(places)
    found = np.full((n, k), -1, np.int64)
    who, far = np.empty((5, k), np.int64), np.empty((5, k))  # the nearest of each quadrant and, in row 4, of all
    for i in range(n):
        x, y = places[i, 0] - corner[0], places[i, 1] - corner[1]
        column, row = int(x / side), int(y / side)
        inner = min(x - column * side, (column + 1) * side - x, y - row * side, (row + 1) * side - y)
        who[:], far[:] = -1, np.inf
        seen, ring = 0, 0
        while seen < n - 1 and (seen < looked or far[4, -1] > max(0.0, inner + (ring - 1) * side) ** 2):
            seen += look_around(places, first, members, columns, i, row, column, ring, who, far)
            ring += 1
        choose(who, found[i])
    return found


@numba.njit(cache=True)
def look_around(places, first, members, columns, i, row, column, ring, who, far):
    """Notes the cities in one ring of cells; how many there are."""
    rows, seen = (len(first) - 1) // columns, 0
    for r in range(max(0, row - ring), min(rows, row + ring + 1)):
        step = 1 if abs(r - row) == ring else 2 * ring
        for c in range(column - ring, column + ring + 1, step):
            if c < 0 or c >= columns:
                continue
            for at in range(first[r * columns + c], first[r * columns + c + 1]):
                j = members[at]
                if j == i:
                    continue
                dx, dy = places[j, 0] - places[i, 0], places[j, 1] - places[i, 1]
                quadrant = (1 if dx >= 0 else 0) + (2 if dy >= 0 else 0)
                keep(who[4], far[4], far.shape[1], j, dx * dx + dy * dy)
                keep(who[quadrant], far[quadrant], QUADRANT, j, dx * dx + dy * dy)
                seen += 1
    return seen


@numba.njit(cache=True)
def choose(who, found):
    """QUADRANT of each quadrant, and of all as many more as there is room for."""
    count, room = 0, len(found)
    for row in range(5):
        for at in range(min(QUADRANT, room) if row < 4 else room):
            new = who[row, at] >= 0 and count < room
            for before in range(count):
                new = new and found[before] != who[row, at]
            if new:
                found[count] = who[row, at]
                count += 1


@numba.njit(cache=True)
def keep(best, far, room, j, d):
    """Puts j among the `room` nearest, sorted, if it is one of them."""
    at = min(room, len(far)) - 1
    if d >= far[at]:
        return
    while at > 0 and far[at - 1] > d:
        best[at], far[at] = best[at - 1], far[at - 1]
        at -= 1
    best[at], far[at] = j, d


def by_matrix(metric: Metric, k: int) -> Int[np.ndarray, "cities k"]:
    """The k smallest of each row; one way, of each row and of each column."""
    matrix = metric.matrix
    n = len(matrix)
    k = min(k, n - 1)
    far = matrix.astype(np.int64)
    np.fill_diagonal(far, 2**40)
    rows = smallest(far, k)
    return (rows if metric.kind == MATRIX else np.concatenate([rows + n, smallest(far.T, k)])).astype(np.int32)


def smallest(matrix: Int[np.ndarray, "n n"], k: int) -> Int[np.ndarray, "n k"]:
    """Where the k smallest numbers of each row are."""
    return np.argpartition(matrix, k - 1, axis=1)[:, :k]


@bare
def by_quadrant(places, near, seen, found):
    """The nearest of each quadrant, then the nearest of all, of those in `near` [cities, looked] (which is used up), as near
    as they are. `seen` [4]: room."""
    k = found.shape[1]
    for i in range(len(near)):
        count = 0
        for side in range(4):
            seen[side] = 0
        for at in range(near.shape[1]):
            j = near[i, at]
            side = (1 if places[j, 0] >= places[i, 0] else 0) + (2 if places[j, 1] >= places[i, 1] else 0)
            if seen[side] < QUADRANT and count < k:
                seen[side] += 1
                near[i, at] = ~j  # taken
                count += 1
        for at in range(near.shape[1]):
            if near[i, at] >= 0 and count < k:
                near[i, at] = ~near[i, at]
                count += 1
        count = 0
        for at in range(near.shape[1]):
            if near[i, at] < 0:
                found[i, count] = ~near[i, at]
                count += 1


@bare
def with_distances(metric, found, nowhere, near):
    """Fills `near`: candidates sorted by distance, without those that are no edges (tied, closed)."""
    rows, k = found.shape
    for i in range(len(near)):
        count = 0
        if nowhere >= 0 and i != nowhere:
            count = insert(metric, near, i, nowhere, count)
        for at in range(k):
            j = found[i, at] if i < rows else np.int32(at * rows // k)  # nowhere is near to all alike
            count = insert(metric, near, i, j, count)
        for at in range(count, near.shape[1]):
            near[i, at, CITY], near[i, at, TICKS] = i, FAR


@bare
def insert(metric, near, i, j, count):
    """How many candidates city i has, once j is among them where it may be."""
    d = distance(metric, i, j)
    if abs(d) >= metric.wall:
        return count
    at = count
    while at > 0 and near[i, at - 1, TICKS] > d:
        near[i, at, CITY], near[i, at, TICKS] = near[i, at - 1, CITY], near[i, at - 1, TICKS]
        at -= 1
    near[i, at, CITY], near[i, at, TICKS] = j, d
    return count + 1


def hilbert(points: Float[np.ndarray, "cities 2"]) -> Int[np.ndarray, " cities"]:
    """The cities along Hilbert's curve: labels in this order lie near one another in memory where they do in the plane."""
    span = points - points.min(axis=0)
    cell = np.ascontiguousarray(span / max(float(span.max()), 1e-300) * 65535, np.int64)
    along = np.empty(len(points), np.int64)
    curve(cell, along)
    return np.argsort(along, kind="stable")


@bare
def curve(cell, along):
    """How many of 2^32 cells Hilbert's curve comes through before it comes to each of these."""
    for city in range(len(cell)):
        x, y, passed, side = cell[city, 0], cell[city, 1], 0, 32768
        while side > 0:
            right, up = (x & side) > 0, (y & side) > 0
            passed += side * side * ((3 if right else 0) ^ (1 if up else 0))
            if right and not up:
                x, y = 65535 - x, 65535 - y
            if not up:
                x, y = y, x
            side >>= 1
        along[city] = passed
