"""What a tour looks like: the cities, the pheromone around it, light, and the tour itself, dark.

Where cities have latitudes and longitudes, east is to the right and a degree of longitude is cos(middle latitude) as wide as
one of latitude is high (equirectangular). Cities of a matrix lie where its file draws them, or else where classical scaling
puts them (W. Torgerson, Multidimensional scaling: I. Theory and method, Psychometrika 17, 1952): with B = -J D^2 J / 2, the
two leading eigenvectors of B, each times the root of its eigenvalue; distances are then those of the matrix only roughly.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.tours.chart import cities_of
from catallax.colony.tours.ground import Ground, radians
from catallax.core.scene import Edges, Points, Scene
from catallax.signals.pheromone import FLOOR

LABELLED = 60  # cities whose names are written
SMELT = 10  # times the floor: a trail that is drawn
TRAILS = 20_000  # that are drawn at most, the strongest
SCALED = 2_000  # cities of a matrix that are laid out at most: it takes n^3


def drawn(tour: Any, society: Any) -> Scene:
    """The best tour of a colony over its pheromone; without a picture where a matrix of many cities has no places."""
    ground = tour.ground
    where, scaled = layout(ground)
    if where is None:
        return Scene(f"No picture: a matrix of {ground.cities:,} cities has no places (up to {SCALED:,} are laid out)")
    order = cities_of(tour.chart, society.best.order)
    names = ground.names if ground.cities <= LABELLED else None
    ends, level = trails(tour.chart, society.signal.level)
    way = np.stack([order, np.roll(order, -1)], axis=1)[: len(order) - tour.facts.plan.opened]
    items = [
        Points(where[:, 0], where[:, 1], label=names),
        Edges(ends[:, 0], ends[:, 1], level),
        Edges(way[:, 0], way[:, 1], main=True),
    ]
    title = "The shortest tour found, over the pheromone around it"
    return Scene(title + (" (a matrix: places by scaling, distances only roughly so)" if scaled else ""), items)


def layout(ground: Ground) -> tuple[Float[np.ndarray, "cities 2"] | None, bool]:
    """Where cities are drawn [cities, (right, up)], or None; and whether that is by scaling."""
    if ground.places is None:
        if ground.display is not None:
            return ground.display, False
        return (scaling(ground.matrix), True) if ground.cities <= SCALED else (None, False)
    if ground.kind not in ("SPHERE", "GEO"):
        return ground.places, False
    degrees = ground.places if ground.kind == "SPHERE" else np.degrees(radians(ground.places))
    up, right = degrees.T
    middle = np.radians((up.min() + up.max()) / 2)
    return np.stack([right * max(np.cos(middle), 1e-3), up], axis=1), False


def scaling(matrix: Any) -> Float[np.ndarray, "cities 2"]:
    """Places in the plane whose distances are like those of a matrix; what is closed counts as the farthest."""
    far = np.array(matrix, float)
    far[~np.isfinite(far)] = np.max(far, where=np.isfinite(far), initial=0.0)
    far = (far + far.T) / 2
    np.fill_diagonal(far, 0.0)
    squares = far**2
    rows = squares.mean(axis=0)
    inner = -0.5 * (squares - rows - rows[:, None] + rows.mean())
    values, vectors = np.linalg.eigh(inner)
    return vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0.0))


def trails(chart: Any, level: Any) -> tuple[Int[np.ndarray, "edges 2"], Float[np.ndarray, " edges"]]:
    """The trails that are drawn: pairs of cities, and how strong each is."""
    here, slot = np.nonzero(level > SMELT * FLOOR)
    ends = np.stack([chart.city[here], chart.city[chart.near[here, slot, 0]]], axis=1)
    real = (ends >= 0).all(axis=1) & (ends[:, 0] != ends[:, 1])
    ends, strong = np.sort(ends[real], axis=1), level[here, slot][real].astype(float)
    strongest = np.argsort(-strong, kind="stable")
    _, first = np.unique(ends[strongest], axis=0, return_index=True)
    kept = strongest[np.sort(first)[:TRAILS]]
    return ends[kept], strong[kept]
