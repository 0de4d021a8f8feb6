"""Lightest spanning trees of all cities, every edge allowed: what makes a bound certain. Two ways that agree to the bit.

*Plain*: Prim's algorithm, n^2 / 2 distances; for any metric.

*Pruned*, where cities have places: Boruvka's algorithm. In each round every component takes its lightest edge to elsewhere,
which is safe, ties included: an edge is left out only where the edges already taken in this round join its ends, and then
all on that cycle weigh the same. The search for it begins with the edges of a lightest tree of the candidate graph: of all
candidate edges that leave a component, a lightest one is among them (the cut property), so that only lighter ones outside
the graph are still to be found. A binary hierarchy of boxes (`boxes`) finds them: all places in a box are at least so far
away, weigh at least so much, and a box all of whose cities are of the component itself is passed over. Nothing rests on how
good the candidates are but the time. Distances need not be straight lines: each kind is at least `factor` times the
straight line between the points of `straight`, less one tick for rounding.

Multipliers are multiples of a power of two so large that all sums are exact in float64 (`bound.snapped`).

R. C. Prim, Shortest connection networks, 1957. O. Boruvka, O jistem problemu minimalnim, 1926. The boxes are those of
W. March, P. Ram and A. Gray, Fast Euclidean minimum spanning tree, KDD 2010, searched by one city at a time.
"""

from typing import NamedTuple

import numba
import numpy as np
from jaxtyping import Float, Int

from catallax.colony.tours.boxes import DEPTH, Boxes, apart, boxes_of, upward
from catallax.colony.tours.metric import (
    ATT,
    EARTH,
    GEO,
    MATRIX,
    MAXIMUM,
    NONE,
    ONE_WAY,
    SPHERE,
    Metric,
    distance,
    quick,
)
from catallax.colony.tours.one_tree import INFINITE, Tree, second
from catallax.core.kernel import bare

PLAIN = 2000  # cities up to which the plain way is the quicker


class Lower(NamedTuple):
    """What no edge from a city into a box weighs less than: `factor` x the straight line to the box, less a tick, and the
    multiplier of the city, and the `least` multiplier in the box.
    """

    boxes: Boxes
    factor: float
    least: Float[np.ndarray, " boxes"]


def lightest(
    metric: Metric, multipliers: Float[np.ndarray, " cities"], tree: Tree
) -> tuple[Int[np.ndarray, "edges 2"], float, int]:
    """The edges of a lightest tree of all cities, its weight without the walls of ties, and how many ties it has.

    `tree`, a lightest one of the candidate graph, becomes this one, but for its keys, heap and places.
    """
    bounds = lower(metric, multipliers) if metric.cities > PLAIN else None
    if bounds is None:
        weight, ties = span_all(quick(metric), multipliers, tree)
        return np.stack([np.arange(1, metric.cities), tree.parent[1:]], 1), weight, ties
    used = np.empty((metric.cities - 1, 2), np.int64)
    weight, ties = improve(quick(metric), bounds, multipliers, tree, used)
    from scipy.sparse import coo_array  # late: few cities do without
    from scipy.sparse.csgraph import breadth_first_order

    both = coo_array((np.ones(len(used)), used.T), (metric.cities, metric.cities)).tocsr()
    tree.parent[:] = breadth_first_order(both, 0, directed=False)[1]
    tree.parent[0] = NONE
    tree.degree[:] = np.bincount(used.ravel(), minlength=metric.cities)
    return used, weight, ties


@bare
def span_all(metric, multipliers, tree):
    """The plain way: fills `parent` and `degree`; what the tree weighs without the walls of ties, and how many ties."""
    weight, near, left = tree.key, tree.heap, tree.place  # of the cities left, in any order
    size, city, total, ties = len(multipliers) - 1, 0, 0.0, 0
    for at in range(size):
        left[at], weight[at] = at + 1, INFINITE
    for at in range(size + 1):
        tree.degree[at] = 0
    tree.parent[0] = NONE
    while size > 0:
        best = 0
        for at in range(size):
            found = distance(metric, city, left[at]) + multipliers[city] + multipliers[left[at]]
            if found < weight[at]:
                weight[at], near[at] = found, city
            if weight[at] < weight[best]:
                best = at
        city = left[best]
        tree.parent[city] = near[best]
        tree.degree[city] += 1
        tree.degree[near[best]] += 1
        ties += weight[best] < -0.5 * metric.wall
        total += weight[best] if weight[best] > -0.5 * metric.wall else weight[best] + metric.wall
        size -= 1
        left[best], weight[best], near[best] = left[size], weight[size], near[size]
    return total, ties


@bare
def close_all(metric, graph, multipliers, tree, scans):
    """The heaviest second edge of a leaf among all edges: its weight, the leaf and where it leads.

    The candidate graph says where to look, and no second edge is heavier than the one it has; so the search ends as soon as
    no leaf promises more, and after `scans` leaves in any case: any leaf will do.
    """
    promise = tree.key
    for city in range(len(multipliers)):
        promise[city] = second(graph, multipliers, tree, city)[0] if tree.degree[city] == 1 else -INFINITE
    weight, special, to = -INFINITE, NONE, NONE
    for _ in range(scans):
        city = 0
        for other in range(len(promise)):
            if promise[other] > promise[city]:
                city = other
        if promise[city] <= weight:
            break
        promise[city] = -INFINITE
        found, other = second_of_all(metric, multipliers, tree, city)
        if found > weight:
            weight, special, to = found, city, other
    return weight, special, to


@bare
def second_of_all(metric, multipliers, tree, city):
    """The weight of a leaf's lightest edge outside the tree, and where it leads."""
    weight, to = INFINITE, NONE
    for other in range(len(multipliers)):
        if other != city and tree.parent[city] != other and tree.parent[other] != city:
            found = distance(metric, city, other) + multipliers[city] + multipliers[other]
            if found < weight:
                weight, to = found, other
    return weight, to


def straight(metric: Metric) -> tuple[Float[np.ndarray, "cities axes"], float] | None:
    """Points and a factor: any two cities are at least factor x their straight line - 1 ticks apart; None: unknown."""
    if metric.kind in (MATRIX, ONE_WAY):
        return None
    if metric.kind == GEO:
        latitude, longitude = metric.places.T
        across = np.cos(latitude)
        points = np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], 1)
        return points, 6378.388
    factor = {ATT: 0.1**0.5, SPHERE: metric.scale * EARTH, MAXIMUM: metric.scale * 0.5**0.5}
    return metric.places, float(factor.get(metric.kind, metric.scale)) * (1 - 1e-12)


def lower(metric: Metric, multipliers: Float[np.ndarray, " cities"]) -> Lower | None:
    """Bounds by boxes; None where cities have no places."""
    found = straight(metric)
    if found is None:
        return None
    boxes, factor = boxes_of(found[0]), found[1]
    return Lower(boxes, factor, upward(np.minimum, multipliers[: len(boxes.points)], boxes.first))


@numba.njit(cache=True)
def improve(metric, bounds, multipliers, tree, taken):
    """The pruned way, from a lightest tree of a candidate graph that has every edge of `nowhere`.

    Fills taken[cities - 1, 2], and says what the tree weighs without the walls of ties, and how many ties.
    """
    n, count, total, ties = len(multipliers), 0, 0.0, 0
    component, owner = np.arange(n), np.empty(len(bounds.least), np.int64)
    weight, edge, stack = np.empty(n), np.empty((n, 2), np.int64), np.empty(DEPTH, np.int64)
    while count < n - 1:
        weight[:] = INFINITE
        own(bounds.boxes.first, component, owner)
        for city in range(n):
            if tree.parent[city] >= 0 and component[city] != component[tree.parent[city]]:
                offer(weight, edge, component[city], tree.key[city], city, tree.parent[city])
                offer(weight, edge, component[tree.parent[city]], tree.key[city], city, tree.parent[city])
        for city in range(len(bounds.boxes.points)):
            search(metric, bounds, multipliers, component, owner, city, weight, edge, stack)
        for part in range(n):
            if weight[part] < INFINITE and join(component, edge[part, 0], edge[part, 1]):
                taken[count] = edge[part]
                count += 1
                ties += weight[part] < -0.5 * metric.wall
                total += weight[part] if weight[part] > -0.5 * metric.wall else weight[part] + metric.wall
        for city in range(n):
            component[city] = root(component, city)
    return total, ties


@bare
def offer(weight, edge, part, found, city, other):
    """Keeps an edge that leaves a component if it is the lightest yet."""
    if found < weight[part]:
        weight[part] = found
        edge[part, 0], edge[part, 1] = city, other


@bare
def root(component, city):
    """The city that stands for the component."""
    while component[city] != city:
        component[city] = component[component[city]]
        city = component[city]
    return city


@bare
def join(component, city, other):
    """Whether these two were in different components; they are in one now."""
    a, b = root(component, city), root(component, other)
    component[max(a, b)] = min(a, b)
    return a != b


@bare
def own(first, component, owner):
    """The component of all cities of each box, or -1."""
    lowest = len(first) - 1
    for box in range(2 * lowest - 1, 0, -1):
        if box >= lowest:
            leaf = box - lowest
            owner[box] = component[first[leaf]]
            for city in range(first[leaf], first[leaf + 1]):
                if component[city] != owner[box]:
                    owner[box] = NONE
        else:
            owner[box] = owner[2 * box] if owner[2 * box] == owner[2 * box + 1] else NONE


@bare
def search(metric, bounds, multipliers, component, owner, city, weight, edge, stack):
    """Offers the component of a city all edges from the city to elsewhere that are lighter than its lightest yet."""
    points, first, low, high = bounds.boxes
    part, mine, lowest = component[city], multipliers[city], len(first) - 1
    stack[0], size = 1, 1
    while size > 0:
        size -= 1
        box = stack[size]
        if owner[box] == part:
            continue
        way = bounds.factor * np.sqrt(apart(points, low, high, 2, city, box)) - 1
        if way + bounds.least[box] + mine >= weight[part]:
            continue
        if box < lowest:
            stack[size], stack[size + 1] = 2 * box, 2 * box + 1
            size += 2
            continue
        for other in range(first[box - lowest], first[box - lowest + 1]):
            if component[other] != part:
                offer(weight, edge, part, distance(metric, city, other) + mine + multipliers[other], city, other)
