"""The first tour: the shortest edges that fit, one after the other, until one piece is left.

Edges are taken from the candidates first, then from those between the ends of the pieces, again and again.

J. L. Bentley, Fast algorithms for geometric traveling salesman problems, ORSA Journal on Computing 4, 1992 (greedy).
"""

import numba
import numpy as np
from jaxtyping import Int

from catallax.colony.tours.metric import MATRIX, ONE_WAY, Metric, distance, quick
from catallax.colony.tours.neighbours import CITY, FAR, TICKS, nearest, smallest
from catallax.colony.tours.one_tree import measured

FEW = 40  # ends of pieces that are joined by looking at all of them
AHEAD = 8  # ends of pieces that each end looks at


def greedy(metric: Metric, near: Int[np.ndarray, "cities k 2"]) -> Int[np.ndarray, " cities"]:
    """An order of all cities, int32, that keeps ties."""
    n, k = near.shape[:2]
    start, stop = np.repeat(np.arange(n), k), near[..., CITY].ravel()
    ticks = near[..., TICKS].ravel()
    fit = (ticks < FAR) & (start != stop)
    start, stop, ticks = start[fit], stop[fit], ticks[fit]
    shortest = np.argsort(ticks, kind="stable")
    ties = tied(metric)
    start, stop = np.concatenate([ties[0], start[shortest]]), np.concatenate([ties[1], stop[shortest]])
    joined, root = np.full((n, 2), -1, np.int32), np.arange(n)
    match(joined, root, start.astype(np.int32), stop.astype(np.int32))
    while metric.kind != ONE_WAY:
        ends = np.flatnonzero(joined[:, 1] < 0)
        ends = ends[ends != metric.nowhere]
        if len(ends) <= FEW or not match(joined, root, *between(metric, ends)):
            break
    return chain(quick(metric), joined)


def between(
    metric: Metric, ends: Int[np.ndarray, " ends"]
) -> tuple[Int[np.ndarray, " edges"], Int[np.ndarray, " edges"]]:
    """Edges from each of some cities to the nearest of them, the shortest first, int32."""
    if metric.kind == MATRIX:
        among = metric.matrix[np.ix_(ends, ends)].astype(np.int64)
        np.fill_diagonal(among, FAR)
        near = smallest(among, min(AHEAD, len(ends) - 1))
    else:
        near = nearest(metric._replace(places=metric.places[ends]), AHEAD)
    start, stop = np.repeat(ends, near.shape[1]).astype(np.int32), ends[near].ravel().astype(np.int32)
    shortest = np.argsort(measured(metric, start, stop), kind="stable")
    return start[shortest], stop[shortest]


def tied(metric: Metric) -> tuple[Int[np.ndarray, " ties"], Int[np.ndarray, " ties"]]:
    """The edges that must be in every tour."""
    if metric.kind == ONE_WAY:
        half = np.arange(len(metric.matrix))
        return half, half + len(metric.matrix)
    none = np.zeros(0, np.int64)
    return (none, none) if metric.tie < 0 else (np.array([0]), np.array([metric.tie]))


@numba.njit(cache=True)
def match(joined, root, start, stop):
    """Takes edges in the order given wherever both ends have room and no ring would close, and says how many.

    `joined` [cities, 2]: whom each is joined to, -1 for none; `root` [cities]: the forest of the pieces.
    """
    taken = 0
    for at in range(len(start)):
        a, b = start[at], stop[at]
        if joined[a, 1] >= 0 or joined[b, 1] >= 0:
            continue
        ra, rb = find(root, a), find(root, b)
        if ra != rb:
            root[ra] = rb
            join(joined, a, b)
            taken += 1
    return taken


@numba.njit(cache=True)
def join(joined, a, b):
    """An edge more."""
    joined[a, 0 if joined[a, 0] < 0 else 1] = b
    joined[b, 0 if joined[b, 0] < 0 else 1] = a


@numba.njit(cache=True)
def find(root, a):
    """The representative of a's piece."""
    while root[a] != a:
        root[a] = root[root[a]]
        a = root[a]
    return a


@numba.njit(cache=True)
def chain(metric, joined):
    """The pieces end to end, from the end of one to the nearest end of another that is left."""
    n = len(joined)
    ends = np.flatnonzero(joined[:, 1] < 0)  # of pieces; a lone city is both ends of its own
    order, visited = np.empty(n, np.int32), np.zeros(n, np.bool_)
    count, end = 0, ends[0] if len(ends) else 0
    while True:
        city, last = end, -1
        while city >= 0 and not visited[city]:  # along the piece
            visited[city] = True
            order[count] = city
            count += 1
            onward = joined[city, 0] if joined[city, 0] != last else joined[city, 1]
            last, city = city, onward
        if count == n:
            return order
        shortest = np.int64(2**62)
        for other in ends:
            if not visited[other]:
                d = distance(metric, last, other)
                if d < shortest:
                    shortest, end = d, other
