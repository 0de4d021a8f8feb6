"""Focused ants: each copies the trodden way, changes a few edges of it by trail, and mends around those alone.

An ant sets out from a city drawn at random and walks on by `roulette` (ticks to the power 1), to candidates where it has not
been. Where the way does not lead there, it is changed so that it does, by whichever lengthens it least:

    2-opt         u s ... v t    becomes   u v ... s t                 either way round
    moved         p v q ... u s  becomes   p q ... u v s               v (with what it is tied to) put beside u, on either side

until `FRESH` edges are not of the source. 3-opt then looks around what was touched and nowhere else, so that an ant's work
hardly grows with the number of cities. The shortest way of the round is the next one's source, and is trodden.

    R. Skinderowicz, Improving Ant Colony Optimization efficiency for solving large TSP instances, Applied Soft Computing 120,
    2022 (Focused ACO). Written from the idea, with 3-opt in place of 2-opt; no code was seen.
"""

from typing import Any

import numpy as np
from jaxtyping import Float32, Int, UInt32

from catallax.colony.tours.chart import Chart
from catallax.colony.tours.metric import distance, length, quick
from catallax.colony.tours.path import ORDER, PLACE, after, before, flip, log_of, path_of, undo
from catallax.colony.tours.roulette import choose, partner, tie_of, weights
from catallax.colony.tours.three_opt import mend, touch
from catallax.core.kernel import bare, below, fold_in, uniform

POWER = 1.0
FRESH = 8


def ways(
    chart: Chart, level: Float32[np.ndarray, "labels k"], source: Int[np.ndarray, " labels"],
    ids: UInt32[np.ndarray, " ants"], key: Any, width: Any,
) -> tuple[Int[np.ndarray, "ants labels"], Int[np.ndarray, " ants"]]:  # fmt: skip
    """The way of each ant, and its ticks; `source`: the way that they copy."""
    metric, path = quick(chart.metric), path_of(source)
    orders, ticks = np.empty((len(ids), len(source)), np.int32), np.empty(len(ids), np.int64)
    been = np.full(len(source), -1)
    ticks[:] = length(metric, path[ORDER])
    refine(
        metric, chart.near, weights(chart, level, POWER), tie_of(chart), path.copy(), path, log_of(path), been, ids, key,
        width, orders, ticks,
    )  # fmt: skip
    return orders, ticks


@bare
def refine(metric, near, weight, tie, source, path, log, been, ids, key, width, orders, ticks):
    """Fills `orders`, and adds to `ticks` what each ant's way has gained. `path` is the source, before and after."""
    n = path.shape[1]
    for ant in range(len(ids)):
        a, b = fold_in(key[0], key[1], ids[ant])
        log[0, 0] = 0
        if n >= FRESH:
            ticks[ant] += stray(metric, near, weight, tie, source, path, log, been, ant, a, b)
            ticks[ant] -= mend(metric, near, path, log, width)
        for at in range(n):
            orders[ant, at] = path[ORDER, at]
        if not undo(path, log):
            for at in range(n):
                path[ORDER, at], path[PLACE, at] = source[ORDER, at], source[PLACE, at]


@bare
def stray(metric, near, weight, tie, source, path, log, been, stamp, k0, k1):
    """Walks, and changes the way where it strays from it; ticks gained."""
    n = path.shape[1]
    city = below(k0, k1, 0, n)
    been[city] = stamp
    gained, fresh = np.int64(0), 0
    for step in range(1, n):
        to = choose(near, weight, been, stamp, city, uniform(k0, k1, step))
        if to < 0:
            to = after(path, city) if been[after(path, city)] != stamp else before(path, city)
            if been[to] == stamp:
                break
        been[to] = stamp
        if to != after(path, city) and to != before(path, city):
            change = join(metric, tie, path, log, city, to)
            if change >= metric.wall // 2:
                continue
            gained += change
            apart = abs(source[PLACE, city] - source[PLACE, to])
            fresh += 1 < apart < n - 1
        if fresh >= FRESH:
            break
        city = np.int64(to)
    return gained


@bare
def join(metric, tie, path, log, u, v):
    """Makes v a neighbour of u by the change that lengthens the way least, and says by how many ticks: none is made where
    that is beyond a wall (it would break a tie, or take an edge that is closed)."""
    w = partner(tie, path.shape[1], v)
    w = v if w < 0 else w
    best, forward, moves = np.int64(metric.wall), True, False
    for onward in (True, False):
        s, t = (after(path, u), after(path, v)) if onward else (before(path, u), before(path, v))
        change = exchanged(metric, u, s, v, t)
        if change < best:
            best, forward, moves = change, onward, False
        p, q = outer(path, v, w)
        if s != w:
            change = distance(metric, u, v) + distance(metric, w, s) + distance(metric, p, q)
            change -= distance(metric, u, s) + distance(metric, v, p) + distance(metric, w, q)
            if change < best:
                best, forward, moves = change, onward, True
    if best >= metric.wall // 2:
        return best
    if moves:
        move(path, log, forward, u, v, w)
    else:
        s, t = (after(path, u), after(path, v)) if forward else (before(path, u), before(path, v))
        touch(path, log, u, s, v, t)
        flip(path, log, u, s, t, v)
    return best


@bare
def exchanged(metric, u, s, v, t):
    """Ticks gained by the edges (u, v) and (s, t) in place of (u, s) and (v, t)."""
    added = distance(metric, u, v) + (distance(metric, s, t) if s != t else 0)
    return added - distance(metric, u, s) - distance(metric, v, t)


@bare
def outer(path, v, w):
    """The neighbours of a piece of one or two cities: v's, and w's."""
    if v == w:
        return before(path, v), after(path, v)
    if after(path, v) == w:
        return before(path, v), after(path, w)
    return after(path, v), before(path, w)


@bare
def move(path, log, forward, u, v, w):
    """Takes v (and w behind it) out, and puts it between u and the city that is next to u."""
    s = after(path, u) if forward else before(path, u)
    first = v if v == w or (after(path, v) == w) == forward else w
    last = w if first == v else v
    p = before(path, first) if forward else after(path, first)
    q = after(path, last) if forward else before(path, last)
    touch(path, log, p, q, u, s)
    touch(path, log, v, w, v, w)
    flip(path, log, p, first, s, u)  # p [first last] q .. u s becomes p u .. q [last first] s
    flip(path, log, p, u, last, q)  # p q .. u [last first] s
    if first == v and v != w:
        flip(path, log, u, last, s, first)
