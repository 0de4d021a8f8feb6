"""A map of ants as a picture: roads as wide as their traffic, and how strongly each is marked."""

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.paths import walks
from catallax.colony.paths.roads import Roads
from catallax.core.scene import Bars, Edges, Points, Scene


def drawn(
    roads: Roads,
    nest: int,
    steps: Int[np.ndarray, " arcs"],
    traffic: Float[np.ndarray, " roads"],
    marks: Float[np.ndarray, " roads"],
) -> Scene:
    """The map at this traffic, and the marks on every road."""
    x, y = spots(roads, nest, steps).T
    points = Points(x, y, label=roads.places)
    edges = Edges(roads.ends[:, 0], roads.ends[:, 1], traffic)
    return Scene("shortest path", (points, edges, Bars(names(roads), marks, "marks")))


def names(roads: Roads) -> list[str]:
    """Roads by their ends; parallel ones with their numbers."""
    ends = [(roads.places[u], roads.places[v]) for u, v in roads.ends]
    return [f"{u}-{v}" if ends.count((u, v)) == 1 else f"{u}-{v} ({i})" for i, (u, v) in enumerate(ends)]


def spots(roads: Roads, nest: int, steps: Int[np.ndarray, " arcs"]) -> Float[np.ndarray, "places 2"]:
    """Where the places are: as the graph says, else as far to the right as they are from the nest, one above the other."""
    if roads.spots is not None:
        return roads.spots
    arcs, far = np.arange(len(steps)), np.zeros(len(roads.places))
    for place in range(len(far)):
        way = walks.shortest(arcs, roads.tails, roads.heads, steps, nest, place) if place != nest else None
        far[place] = 0 if way is None else steps[way].sum()
    beside = [float(np.sum(far[:i] == far[i])) for i in range(len(far))]
    return np.stack([far, np.array(beside)], axis=1)
