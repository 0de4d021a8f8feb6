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

from catallax.colony.tours.metric import ATT, CEILING, GEO, MANHATTAN, MATRIX, MAXIMUM, ONE_WAY, PLANE, Metric, distance

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
            found = by_quadrant(flat(metric), nearest(metric, LOOKED * k), k)
        else:
            found = on_grid(metric.places, *grid, min(k, len(metric.places) - 1), LOOKED * k)
    return with_distances(metric, found.astype(np.int32))


def flat(metric: Metric) -> Float[np.ndarray, "cities 2"]:
    """Places in two coordinates whose signs tell quadrants."""
    if metric.places.shape[1] == 2:
        return metric.places
    x, y, z = metric.places.T
    return np.stack([np.arctan2(y, x), np.arcsin(np.clip(z, -1, 1))], axis=1)


def space(metric: Metric) -> tuple[Float[np.ndarray, "cities axes"], float]:
    """Places and the order of the norm in which nearest means nearest."""
    if metric.kind == GEO:
        latitude, longitude = metric.places.T
        c = np.cos(latitude)
        return np.stack([c * np.cos(longitude), c * np.sin(longitude), np.sin(latitude)], axis=1), 2.0
    return metric.places, {MANHATTAN: 1.0, MAXIMUM: np.inf}.get(metric.kind, 2.0)


def nearest(metric: Metric, count: int) -> Int[np.ndarray, "cities count"]:
    """The nearest others of each city, -1 where there are no more."""
    from scipy.spatial import KDTree  # late: not everybody needs it, and it takes a fifth of a second

    points, norm = space(metric)
    n = len(points)
    count = min(count, n - 1)
    _, found = KDTree(points).query(points, k=count + 1, p=norm)
    found = np.asarray(found).reshape(n, count + 1)
    itself = found == np.arange(n)[:, None]
    itself[~itself.any(axis=1), -1] = True  # lost among its duplicates: the last goes
    return found[~itself].reshape(n, count)


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
        """A grid of some SHARE cities a cell, three times as quick to look around in as a tree. None where distances are
        not those of the plane, or cities are heaped up."""
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
    return rows if metric.kind == MATRIX else np.concatenate([rows + n, smallest(far.T, k)])


def smallest(matrix: Int[np.ndarray, "n n"], k: int) -> Int[np.ndarray, "n k"]:
    """Where the k smallest numbers of each row are."""
    return np.argpartition(matrix, k - 1, axis=1)[:, :k]


@numba.njit(cache=True)
def by_quadrant(places, near, k):
    """The nearest of each quadrant first, then the nearest of all; -1 where there are no more."""
    n, looked = near.shape
    k = min(k, looked)
    found = np.empty((n, k), np.int64)
    for i in range(n):
        kept = np.zeros(looked, np.bool_)
        count, seen = 0, np.zeros(4, np.int64)
        for at in range(looked):
            j = near[i, at]
            quadrant = (1 if places[j, 0] >= places[i, 0] else 0) + (2 if places[j, 1] >= places[i, 1] else 0)
            if seen[quadrant] < QUADRANT and count < k:
                seen[quadrant] += 1
                kept[at] = True
                count += 1
        for at in range(looked):
            if count < k and not kept[at]:
                kept[at] = True
                count += 1
        count = 0
        for at in range(looked):
            if kept[at]:
                found[i, count] = near[i, at]
                count += 1
    return found


@numba.njit(cache=True)
def with_distances(metric, found):
    """Candidates sorted by distance, without those that are no edges (tied, closed)."""
    rows, k = found.shape
    n = metric.cities
    near = np.empty((n, k + (1 if metric.nowhere >= 0 else 0), 2), np.int32)
    for i in range(n):
        count = 0
        if metric.nowhere >= 0 and i != metric.nowhere:
            count = insert(metric, near, i, metric.nowhere, count)
        for at in range(k):
            j = found[i, at] if i < rows else np.int32(at * rows // k)  # nowhere is near to all alike
            count = insert(metric, near, i, j, count)
        for at in range(count, near.shape[1]):
            near[i, at, CITY], near[i, at, TICKS] = i, FAR
    return near


@numba.njit(cache=True)
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
    cell = (span / max(float(span.max()), 1e-300) * 65535).astype(np.int64)
    x, y = cell[:, 0].copy(), cell[:, 1].copy()
    along = np.zeros(len(points), np.int64)
    side = 32768
    while side:
        right, up = (x & side) > 0, (y & side) > 0
        along += side * side * ((3 * right) ^ up)
        mirrored = ~up & right
        x[mirrored], y[mirrored] = 65535 - x[mirrored], 65535 - y[mirrored]
        x, y = np.where(up, x, y), np.where(up, y, x)
        side >>= 1
    return np.argsort(along, kind="stable")
