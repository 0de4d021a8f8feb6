"""MAX-MIN Ant System: every ant builds a way of its own, city by city, and mends it by 3-opt; the shortest is trodden.

The next city is drawn among the candidates (`roulette`, with ticks to the power 2); where an ant has been to all of them it
goes to the nearest city left, found by looking at all that are. Tied cities follow each other. An open way begins nowhere,
and from there anywhere, by trail alone.

Trails begin even, at their most, and stay between `floor` and 1: in the paper's units, tau_max = 1 / (rho L_best) = 1, so that
a deposit of 1 / L_best is rho, the share that evaporates. The floor is `pheromone.FLOOR` for all laws, so that bits mean the
same; the paper's own, tau_max / 2 n with local search, is about that for 500 cities. Trodden is the way of the round, and
now and then the best so far, more and more often (`turn_of_the_best`). Trails are never laid anew.

    T. Stuetzle and H. H. Hoos, MAX-MIN Ant System, Future Generation Computer Systems 16, 2000.
"""

from typing import Any

import numpy as np
from jaxtyping import Float32, Int, UInt32

from catallax.colony.tours.chart import Chart
from catallax.colony.tours.metric import distance, length, quick
from catallax.colony.tours.path import ORDER, PLACE, QUEUE, QUEUED, log_of
from catallax.colony.tours.roulette import choose, partner, tie_of, weights
from catallax.colony.tours.three_opt import mend
from catallax.core.kernel import bare, below, fold_in, uniform

POWER = 2.0
SCHEDULE = ((25, 25), (75, 5), (125, 3), (250, 2))  # up to a round, every so many rounds; then always


def turn_of_the_best(t: int) -> bool:
    """Whether the best way so far is trodden after round `t`, rather than that round's."""
    return (t + 1) % next((every for until, every in SCHEDULE if t < until), 1) == 0


def ways(
    chart: Chart,
    level: Float32[np.ndarray, "labels k"],
    source: Any,
    ids: UInt32[np.ndarray, " ants"],
    key: Any,
    width: Any,
) -> tuple[Int[np.ndarray, "ants labels"], Int[np.ndarray, " ants"]]:
    """The way of each ant, and its ticks. `source` is looked at by nobody; `width` of zeros: ways are not mended."""
    n, ants = len(chart.city), len(ids)
    path, been, left = np.zeros((4, n), np.int32), np.full(n, -1), np.empty((2, n), np.int32)
    orders, ticks = np.empty((ants, n), np.int32), np.empty(ants, np.int64)
    facts = weights(chart, level, POWER), level, chart.metric.nowhere, tie_of(chart)
    build(quick(chart.metric), chart.near, facts, path, log_of(path), been, left, ids, key, width, orders, ticks)
    return orders, ticks


@bare
def build(metric, near, facts, path, log, been, left, ids, key, width, orders, ticks):
    """Fills `orders` and `ticks`, one row an ant. `been` [cities], `left` [2, cities]: room."""
    weight, level, nowhere, tie = facts
    n = path.shape[1]
    for ant in range(len(ids)):
        a, b = fold_in(key[0], key[1], ids[ant])
        walk(metric, near, weight, level, nowhere, tie, path, been, left, ant, a, b)
        ticks[ant] = length(metric, path[ORDER])
        if width[0] > 0:
            log[0, 0], log[1, 0], log[1, 1] = 0, 0, n
            for at in range(n):
                path[QUEUE, at], path[QUEUED, at] = path[ORDER, at], 1
            ticks[ant] -= mend(metric, near, path, log, width)
        for at in range(n):
            orders[ant, at] = path[ORDER, at]


@bare
def walk(metric, near, weight, level, nowhere, tie, path, been, left, stamp, k0, k1):
    """Lays a way from city to city into `path`."""
    n = path.shape[1]
    for city in range(n):
        left[0, city] = left[1, city] = city
    city = np.int64(nowhere) if nowhere >= 0 else below(k0, k1, 0, n)
    for at in range(n):
        path[ORDER, at], path[PLACE, city] = city, at
        been[city] = stamp
        size = n - 1 - at
        moved = left[0, size]
        left[0, left[1, city]], left[1, moved] = moved, left[1, city]
        if size > 0:
            city = onward(
                metric, near, weight, level, nowhere, tie, been, left, size, stamp, city, uniform(k0, k1, at + 1)
            )


@bare
def onward(metric, near, weight, level, nowhere, tie, been, left, size, stamp, city, draw):
    """The next city of a walk."""
    tied = partner(tie, len(been), city)
    if tied >= 0 and been[tied] != stamp:
        return np.int64(tied)
    if city == nowhere:
        return anywhere(near, level, nowhere, left, size, draw)
    chosen = choose(near, weight, been, stamp, city, draw)
    if chosen >= 0:
        return np.int64(chosen)
    nearest, shortest = np.int64(-1), np.int64(2**62)
    for at in range(size):
        ticks = distance(metric, city, left[0, at])
        if ticks < shortest:
            nearest, shortest = np.int64(left[0, at]), ticks
    return nearest


@bare
def anywhere(near, level, nowhere, left, size, draw):
    """One of all cities, by the trail between it and nowhere."""
    total = 0.0
    for at in range(size):
        total += to_nowhere(near, level, nowhere, left[0, at])
    rest = draw * total
    for at in range(size):
        rest -= to_nowhere(near, level, nowhere, left[0, at])
        if rest < 0:
            return np.int64(left[0, at])
    return np.int64(left[0, 0])


@bare
def to_nowhere(near, level, nowhere, city):
    """The trail from a city to nowhere, which is a candidate of all."""
    for at in range(near.shape[1]):
        if near[city, at, 0] == nowhere:
            return level[city, at]
    return np.float32(0)
