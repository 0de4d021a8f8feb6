"""A trail as a network that joins places: how directly, at what length, and how safely.

Veins are the cells whose trail is above the mean; a vein cell is linked to the eight around it, 1 or sqrt(2) apart. Between
two places i and j the shortest way along veins is L_ij, the straight one d_ij. Thinned to lines one cell wide (T. Zhang and
C. Suen, A fast parallel algorithm for thinning digital patterns, Comm. ACM 27, 1984), veins have a length.

    efficiency   mean over pairs of d_ij / L_ij, 0 where there is no way (Latora and Marchiori's, each link its own length)
    joined       the share of pairs that are joined at all
    cost         length of the veins / length of the shortest tree between the places
    tolerance    the share of cuts (right through a vein, anywhere along the lines but at a place) that part no joined pair

so that the shortest tree of straight links has cost 1 and tolerance 0. Cost, directness and tolerance of faults are how
A. Tero et al., Rules for biologically inspired adaptive network design, Science 327, 2010, judge Physarum beside Tokyo's
railways (recalled, not reread: theirs is the mean distance beside the tree's, and cuts of single links). A way through cells
is up to 8 % longer than the straight one (at 22.5 degrees), which efficiency and cost show as a loss.

V. Latora and M. Marchiori, Efficient behavior of small-world networks, Phys. Rev. Lett. 87, 2001.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra, minimum_spanning_tree

from catallax.signals.field import Lattice

CUTS = 50
BEYOND = 1.5  # cells by which a cut is wider than half the vein
RIM = 32  # cells that a torus is continued by, to find the width of veins: none is wider
RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))  # around a cell, in turn
LINKS = ((0, 1), (1, 0), (1, 1), (1, -1))  # each pair of neighbours once


class Network(NamedTuple):
    """See the head of this file. `cost` is NaN where no pair is joined; `tolerance` too."""

    efficiency: float
    joined: float
    cost: float
    tolerance: float

    @classmethod
    def unknown(cls) -> "Network":
        """Where there are no places to join."""
        return cls(np.nan, np.nan, np.nan, np.nan)


def straight(places: Float[np.ndarray, "places 2"], lattice: Lattice) -> Float[np.ndarray, "places places"]:
    """Distances as the crow flies, the shortest way round on a torus."""
    apart = np.abs(places[:, None] - places[None])
    if lattice.periodic:
        width = np.array((lattice.columns, lattice.rows))
        apart = np.minimum(apart, width - apart)
    return np.hypot(apart[..., 0], apart[..., 1])


def shortest_tree(places: Float[np.ndarray, "places 2"], lattice: Lattice) -> Network:
    """The shortest tree whose links are straight and end at the places."""
    apart = straight(places, lattice)
    ways = dijkstra(minimum_spanning_tree(apart), directed=False)
    pairs = np.triu_indices(len(places), 1)
    ratio = np.divide(apart[pairs], ways[pairs], out=np.ones(len(pairs[0])), where=ways[pairs] > 0)
    return Network(float(ratio.mean()), 1.0, 1.0, 0.0)


def network_of(
    trail: Float[np.ndarray, "rows columns"], places: Float[np.ndarray, "places 2"], lattice: Lattice
) -> Network:
    """The network that the veins of a trail are for `places` (x, y). `unknown` where the trail is no number."""
    if not np.isfinite(trail).all():
        return Network.unknown()
    veins, ends = veins_of(trail, places), cells_of(places, lattice)
    graph, pairs = linked(veins, lattice), np.triu_indices(len(places), 1)
    ways = dijkstra(graph, directed=False, indices=ends)
    length, apart = ways[:, ends][pairs], straight(places, lattice)
    reached = np.isfinite(length)
    direct = np.where(reached, np.minimum(apart[pairs] / np.where(reached & (length > 0), length, 1), 1), 0)
    direct[length == 0] = 1.0
    lines, tree = thinned(veins, lattice), float(minimum_spanning_tree(apart).sum())
    cost = length_of(lines, lattice) / tree if tree > 0 else np.nan
    tolerance = safety(veins, lines, (ends, pairs, reached), lattice) if reached.any() else np.nan
    return Network(float(direct.mean()), float(reached.mean()), cost, tolerance)


def veins_of(
    trail: Float[np.ndarray, "rows columns"], places: Float[np.ndarray, "places 2"]
) -> Bool[np.ndarray, "rows columns"]:
    """Cells above the mean, and those of the places."""
    veins = trail > trail.mean()
    veins[places[:, 1].astype(int), places[:, 0].astype(int)] = True
    return veins


def cells_of(places: Float[np.ndarray, "places 2"], lattice: Lattice) -> Int[np.ndarray, " places"]:
    """The numbers of the cells of places."""
    return places[:, 1].astype(int) * lattice.columns + places[:, 0].astype(int)


def linked(veins: Bool[np.ndarray, "rows columns"], lattice: Lattice) -> csr_matrix:
    """Vein cells as a graph over all cells, each link once, by its length."""
    number = np.arange(veins.size).reshape(veins.shape)
    starts, stops, lengths = [], [], []
    for down, right in LINKS:
        other, both = np.roll(number, (-down, -right), (0, 1)), veins & moved(veins, down, right, lattice)
        starts.append(number[both])
        stops.append(other[both])
        lengths.append(np.full(int(both.sum()), np.hypot(down, right)))
    ends = (np.concatenate(starts), np.concatenate(stops))
    return csr_matrix((np.concatenate(lengths), ends), shape=(veins.size, veins.size))


def thinned(veins: Bool[np.ndarray, "rows columns"], lattice: Lattice) -> Bool[np.ndarray, "rows columns"]:
    """Veins as lines one cell wide (Zhang and Suen's thinning)."""
    lines = veins.copy()
    while True:
        before = lines.sum()
        for first in (True, False):
            lines = lines & ~spare(lines, first, lattice.periodic)
        if lines.sum() == before:
            return lines


def spare(lines: Bool[np.ndarray, "rows columns"], first: bool, periodic: bool) -> Bool[np.ndarray, "rows columns"]:
    """Cells of an edge that may go without parting anything; `first`: those below or to the right, else above or left."""
    wide = np.pad(lines, 1, mode="wrap") if periodic else np.pad(lines, 1)
    rows, columns = lines.shape
    ring = [wide[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns] for dy, dx in RING]
    around = np.sum(ring, axis=0)
    turns = np.sum([~a & b for a, b in zip(ring, ring[1:] + ring[:1], strict=True)], axis=0)
    north, east, south, west = ring[::2]
    open_ = (
        ~(north & east & south) & ~(east & south & west) if first else ~(north & east & west) & ~(north & south & west)
    )
    return lines & (around >= 2) & (around <= 6) & (turns == 1) & open_


def length_of(lines: Bool[np.ndarray, "rows columns"], lattice: Lattice) -> float:
    """The length of thin lines: a diagonal step where no straight ones lead there."""
    total = 0.0
    for down, right in LINKS:
        if not (down and right):
            total += float((lines & moved(lines, down, right, lattice)).sum())
        else:
            corner = moved(lines, down, 0, lattice) | moved(lines, 0, right, lattice)
            total += float(np.sqrt(2) * (lines & moved(lines, down, right, lattice) & ~corner).sum())
    return total


def moved(cells: np.ndarray, down: int, right: int, lattice: Lattice) -> np.ndarray:
    """At each cell, what is `down` rows and `right` columns on; nothing beyond a wall."""
    there = np.roll(cells, (-down, -right), (0, 1))
    if not lattice.periodic:
        there[-1:] &= not down
        there[:, -1:] &= right < 1
        there[:, :1] &= right > -1
    return there


def safety(veins: np.ndarray, lines: np.ndarray, joined: tuple, lattice: Lattice) -> float:
    """The share of `CUTS` cuts, evenly along the lines, after which all pairs that were joined still are. NaN without any."""
    ends, pairs, reached = joined
    rim = RIM if lattice.periodic else 1
    wide = distance_transform_edt(np.pad(veins, rim, mode="wrap") if lattice.periodic else np.pad(veins, rim))
    radius = np.asarray(wide)[rim:-rim, rim:-rim].ravel() + BEYOND
    y, x = np.divmod(np.arange(veins.size), lattice.columns)
    spots = np.stack((x, y), 1).astype(float)
    along = np.flatnonzero(lines)
    along = np.array([c for c in along if distances(spots[c], spots[ends], lattice).min() > radius[c]], int)
    if not along.size:
        return np.nan
    held = []
    for cut in along[np.unique(np.linspace(0, along.size - 1, CUTS).astype(int))]:
        left = veins & (distances(spots[cut], spots, lattice) > radius[cut]).reshape(veins.shape)
        part = connected_components(linked(left, lattice), directed=False)[1][ends]
        held.append((part[pairs[0]] == part[pairs[1]])[reached].all())
    return float(np.mean(held))


def distances(one: np.ndarray, others: np.ndarray, lattice: Lattice) -> np.ndarray:
    """From one place to others."""
    apart = np.abs(others - one)
    if lattice.periodic:
        apart = np.minimum(apart, np.array((lattice.columns, lattice.rows)) - apart)
    return np.hypot(apart[:, 0], apart[:, 1])
