"""Trails on candidate edges, for the kernels of ants: how one smells, and how they change in a round.

`near` [cities, k, 2]: candidates of each city (their labels in column 0); `level` [cities, k], float32: the pheromone.
"""

import numpy as np

from catallax.core.kernel import bare

CITY = 0


@bare
def trail(near, level, a, b):
    """The pheromone between two cities; 0 where neither is a candidate of the other."""
    for at in range(near.shape[1]):
        if near[a, at, CITY] == b:
            return level[a, at]
    for at in range(near.shape[1]):
        if near[b, at, CITY] == a:
            return level[b, at]
    return np.float32(0)


@bare
def tread(near, level, order, evaporation, floor):
    """Evaporation everywhere, and a deposit along the way that brings an edge which stays in it up to 1."""
    n, k = level.shape
    keep, deposit = np.float32(1 - evaporation), np.float32(evaporation)
    for i in range(n):
        for at in range(k):
            level[i, at] = max(np.float32(floor), level[i, at] * keep)
    for at in range(n):
        a, b = order[at], order[at + 1 if at + 1 < n else 0]
        for x, y in ((a, b), (b, a)):
            for slot in range(k):
                if near[x, slot, CITY] == y:
                    level[x, slot] = min(np.float32(1), level[x, slot] + deposit)
