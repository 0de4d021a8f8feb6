"""Spanning trees of a candidate graph under multipliers, and the ascent that looks for good ones.

With a multiplier pi_i for each city, an edge weighs w_ij = d_ij + pi_i + pi_j. A tour has two edges at each city, so it weighs
2 sum(pi) more than it is long, whatever the tour: those that are shortest in d are lightest in w. A *1-tree* is a spanning tree
and one more edge at one of its leaves, the *special* city. A tour without one edge of its special city spans everything,
and the edge left out is no lighter than the second lightest there, so

    tour length >= W(pi) = w(lightest spanning tree) + w(second lightest edge at the special city) - 2 sum(pi)

for any pi. Any leaf of the tree will do as the special city s: removing it leaves a lightest spanning tree of the others (were
there a lighter one, s with its edge would make a lighter tree of all), its edge in the tree is the lightest it has (it alone
crosses the cut around s), and a tour is a path through the others, hence a spanning tree of them, and two edges at s. The
leaf whose second edge is heaviest gives the best bound (Helsgaun).

W is concave, and the degree in the 1-tree less 2 is a supergradient: cities with more than two edges are made dearer, leaves
cheaper. The step goes as (1 - m/M)^3 to 0 while M trees are grown: large steps find the region, small ones the top.

M. Held and R. Karp, The traveling-salesman problem and minimum spanning trees I, II, 1970 and 1971. T. Volgenant and R. Jonker,
A branch and bound algorithm for the symmetric traveling salesman problem based on the 1-tree relaxation, EJOR 9, 1982.
K. Helsgaun, An effective implementation of the Lin-Kernighan traveling salesman heuristic, EJOR 126, 2000.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.tours.metric import Metric, distance, quick
from catallax.core.kernel import bare

INFINITE = np.inf
SMOOTH = 0.7  # of the step along this tree's degrees, the rest along the last one's (Helsgaun)


class Graph(NamedTuple):
    """Edges of both directions, by city: those of i are `city` and `ticks` from first[i] to first[i + 1].

    `wall`: an edge at minus this is a tie, which every spanning tree must have and whose wall is not added up: a sum
    with it would lose the ticks behind the point.
    """

    first: Int[np.ndarray, " cities_and_one"]
    city: Int[np.ndarray, " edges"]  # int32
    ticks: Float[np.ndarray, " edges"]
    wall: float


class Tree(NamedTuple):
    """A spanning tree, and what is needed to grow it. `parent` is -1 at the root, which is city 0."""

    parent: Int[np.ndarray, " cities"]  # int32
    degree: Int[np.ndarray, " cities"]  # int32; of the 1-tree once `close` was there
    key: Float[np.ndarray, " cities"]  # what the edge to the parent weighs
    heap: Int[np.ndarray, " cities"]  # int32
    place: Int[np.ndarray, " cities"]  # int32: where in the heap; -1 not yet, -2 in the tree


def graph(metric: Metric, pairs: Int[np.ndarray, "pairs 2"]) -> Graph:
    """The graph of these edges, whichever way round they are and however often; loops are left out."""
    low, high = pairs.min(1).astype(np.int64), pairs.max(1).astype(np.int64)
    code = np.unique((low * metric.cities + high)[low != high])
    low, high = np.divmod(code, metric.cities)
    ticks = measured(metric, low, high)
    source, target = np.concatenate([low, high]), np.concatenate([high, low])
    by_source = np.argsort(source, kind="stable")
    first = np.searchsorted(source[by_source], np.arange(metric.cities + 1))
    return Graph(
        first.astype(np.int64),
        target[by_source].astype(np.int32),
        np.concatenate([ticks, ticks])[by_source],
        float(metric.wall),
    )


def empty(cities: int) -> Tree:
    """Room for a tree."""
    whole = [np.empty(cities, np.int32) for _ in range(4)]
    return Tree(whole[0], whole[1], np.empty(cities), whole[2], whole[3])


def measured(
    metric: Metric, start: Int[np.ndarray, " edges"], stop: Int[np.ndarray, " edges"]
) -> Float[np.ndarray, " edges"]:
    """Ticks of each edge."""
    ticks = np.empty(len(start))
    measure(quick(metric), start.astype(np.int64), stop.astype(np.int64), ticks)
    return ticks


@bare
def measure(metric, start, stop, ticks):
    """Fills in ticks of each edge."""
    for at in range(len(start)):
        ticks[at] = distance(metric, start[at], stop[at])


@bare
def span(graph, multipliers, tree):
    """A lightest spanning tree (Prim) with degrees; its weight without the walls of ties. The graph is connected."""
    parent, degree, key, heap, place = tree
    for city in range(len(key)):
        degree[city], key[city], place[city] = 0, INFINITE, -1
    key[0], heap[0], place[0], parent[0] = 0.0, 0, 0, -1
    size, total = 1, 0.0
    while size > 0:
        city = heap[0]
        size -= 1
        sink(heap, place, key, heap[size], size)
        place[city] = -2
        if parent[city] >= 0:
            degree[city] += 1
            degree[parent[city]] += 1
            total += key[city] if key[city] > -0.5 * graph.wall else key[city] + graph.wall
        for edge in range(graph.first[city], graph.first[city + 1]):
            other = graph.city[edge]
            if place[other] == -2:
                continue
            weight = graph.ticks[edge] + multipliers[city] + multipliers[other]
            if weight < key[other]:
                key[other], parent[other] = weight, city
                if place[other] == -1:
                    place[other] = size
                    size += 1
                rise(heap, place, key, other)
    return total


@bare
def rise(heap, place, key, city):
    """Moves a city, whose key has fallen, up the heap."""
    at = place[city]
    while at > 0:
        above = (at - 1) >> 1
        if key[heap[above]] <= key[city]:
            break
        heap[at] = heap[above]
        place[heap[at]] = at
        at = above
    heap[at], place[city] = city, at


@bare
def sink(heap, place, key, city, size):
    """Puts a city where the top of the heap was taken, and down to its level."""
    at = 0
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and key[heap[below + 1]] < key[heap[below]]:
            below += 1
        if key[city] <= key[heap[below]]:
            break
        heap[at] = heap[below]
        place[heap[at]] = at
        at = below
    heap[at], place[city] = city, at


@bare
def second(graph, multipliers, tree, city):
    """The weight of a leaf's lightest edge outside the tree, and where it leads; (infinite, -1) where there is none."""
    weight, to = INFINITE, -1
    for edge in range(graph.first[city], graph.first[city + 1]):
        other = graph.city[edge]
        if (
            graph.ticks[edge] + multipliers[other] < weight
            and tree.parent[city] != other
            and tree.parent[other] != city
        ):
            weight, to = graph.ticks[edge] + multipliers[other], other
    return weight + multipliers[city], to


@bare
def close(graph, multipliers, tree):
    """Makes the tree a 1-tree by the heaviest second edge of a leaf; the weight of that edge."""
    weight, special, to = -INFINITE, -1, -1
    for city in range(len(multipliers)):
        if tree.degree[city] == 1:
            found = second(graph, multipliers, tree, city)
            if found[1] >= 0 and found[0] > weight:
                weight, special, to = found[0], city, found[1]
    if special >= 0:
        tree.degree[special] += 1
        tree.degree[to] += 1
    return weight


@bare
def ascend(graph, multipliers, best, before, tree, steps):
    """Grows one 1-tree for each step, and moves the multipliers along what degrees say, smoothed.

    `best` gets those where W was highest. W on a graph is no bound: edges outside may be lighter.
    """
    n, top = len(multipliers), -INFINITE
    for city in range(n):
        before[city] = 0.0
    for at in range(len(steps)):
        height = span(graph, multipliers, tree) + close(graph, multipliers, tree)
        for city in range(n):
            height -= 2 * multipliers[city]
        if height > top:
            top = height
            for city in range(n):
                best[city] = multipliers[city]
        for city in range(n):
            excess = tree.degree[city] - 2.0
            multipliers[city] += steps[at] * (SMOOTH * excess + (1 - SMOOTH) * before[city])
            before[city] = excess
    return top
