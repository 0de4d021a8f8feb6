"""How far it is from city to city, in whole ticks, as kernels ask for it.

    kind          ticks from i to j                                                         places
    PLANE         floor(scale * sqrt(dx^2 + dy^2) + 1/2)    (TSPLIB EUC_2D at scale 1)      x, y
    CEILING       ceil(scale * sqrt(dx^2 + dy^2))           (CEIL_2D)                       x, y
    ATT           r = sqrt((dx^2 + dy^2) / 10), rounded to the nearest, one more if that is below r
    GEO           floor(6378.388 * angle + 1), the angle from TSPLIB's formula              latitude, longitude in radians
    SPHERE        floor(scale * 2 * 6371.0088 km * asin(chord / 2) + 1/2)                   x, y, z on the unit sphere
    MANHATTAN     floor(scale * (|dx| + |dy|) + 1/2)        (MAN_2D)                        x, y
    MAXIMUM       floor(scale * max(|dx|, |dy|) + 1/2)      (MAX_2D, each rounded first)    x, y
    MATRIX        matrix[i, j]
    ONE_WAY       cities 0 .. n-1 are where one leaves from, n .. 2n-1 where one arrives: from i to j costs
                  matrix[i, j] between i and n + j, and i is tied to n + i (Jonker and Volgenant 1983)

Whole ticks make sums exact: a change and its undoing leave no trace. Lengths that are no whole numbers are scaled up so that
the farthest two cities are about 2^28 ticks apart; certificates are computed from the places themselves, in float64.

Upon the kind come: one *tie* (an edge that must be in the tour: -wall ticks), between the cities 0 and `tie`; a city
`nowhere` that is 0 ticks from all (an open tour is a closed one through it); and *closed* edges, `wall` ticks long.
`wall` is beyond what any single step of a search can save.

TSPLIB 95, G. Reinelt, 1995. R. Jonker and T. Volgenant, Transforming asymmetric into symmetric traveling salesman
problems, Operations Research Letters 2, 1983.
"""

from typing import NamedTuple

import numba
import numba.extending
import numpy as np
from jaxtyping import Float, Int

PLANE, CEILING, ATT, GEO, SPHERE, MANHATTAN, MAXIMUM, MATRIX, ONE_WAY = range(9)
EARTH = 6371.0088  # km, the mean radius (IUGG)
RADIUS = 6378.388  # km, TSPLIB's
DOUBT = 1e-3  # km
NONE = -1
CLOSED = 2**31 - 1  # in a matrix: no way
OVER = {PLANE: 0.0, CEILING: 1.0, ATT: 10.0}  # of `Plane`


class Metric(NamedTuple):
    """The facts of a distance. `plain`: nothing nowhere and nothing closed; kernels get `quick(metric)`.

    `cities`: how many labels there are (2n for ONE_WAY; `nowhere` counts). `closed`: i * cities + j of each closed
    edge, i < j, in ascending order. `tie`, `nowhere`: a label, or -1.
    """

    plain: bool
    kind: int
    places: Float[np.ndarray, "cities axes"]
    matrix: Int[np.ndarray, "rows columns"]  # int32; 0 x 0 where there are places
    scale: float
    cities: int
    tie: int
    nowhere: int
    closed: Int[np.ndarray, " edges"]
    wall: int


class Plane(NamedTuple):
    """A plain metric in the plane: kernels are compiled for it apart (as for the two below), twice as quick as those that ask
    what kind it is. `over`: 0 where lengths are rounded to the nearest tick; else squares are divided by it, roots rounded up.
    (ATT's rule, to the nearest and one more if that is below, is to round up.)"""

    places: Float[np.ndarray, "cities 2"]
    scale: float
    over: float
    tie: int
    wall: int


class Sphere(NamedTuple):
    """A plain metric on the sphere: `places` on the unit sphere; `angles` in radians where TSPLIB's rule is asked, else none."""

    places: Float[np.ndarray, "cities 3"]
    angles: Float[np.ndarray, "some 2"]
    scale: float
    tie: int
    wall: int


class Table(NamedTuple):
    """A plain metric by matrix."""

    matrix: Int[np.ndarray, "cities cities"]
    tie: int
    wall: int


def quick(metric: Metric) -> Metric | Plane | Sphere | Table:
    """The metric as the search wants it."""
    upon = metric.tie, metric.wall
    if not metric.plain:
        return metric
    if metric.kind in OVER:
        return Plane(metric.places, metric.scale, OVER[metric.kind], *upon)
    if metric.kind == GEO:
        return Sphere(on_sphere(*metric.places.T), metric.places, 1.0, *upon)
    if metric.kind == SPHERE:
        return Sphere(metric.places, np.zeros((0, 2)), metric.scale, *upon)
    return Table(metric.matrix, *upon) if metric.kind == MATRIX else metric


def on_sphere(
    latitude: Float[np.ndarray, " cities"], longitude: Float[np.ndarray, " cities"]
) -> Float[np.ndarray, "cities 3"]:
    """x, y, z on the unit sphere, from radians."""
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)


def distance(metric, i, j) -> int:
    """Ticks from i to j, i != j; the same as from j to i. In kernels: compiled in, by the type of the metric."""
    return measured(metric, i, j)


@numba.extending.overload(distance)
def choose(metric, i, j):
    """The code of `distance` for the type of metric that a kernel was handed."""
    quicker = {Plane: in_plane, Sphere: on_earth, Table: in_table}
    if metric.instance_class in quicker:
        return quicker[metric.instance_class].py_func
    return lambda metric, i, j: any_distance(metric, i, j)


@numba.njit(cache=True)
def in_plane(metric, i, j):
    """Distance for a `Plane`."""
    if abs(i - j) == metric.tie:
        return -metric.wall
    dx = metric.places[i, 0] - metric.places[j, 0]
    dy = metric.places[i, 1] - metric.places[j, 1]
    if metric.over == 0:
        return np.int64(np.sqrt(dx * dx + dy * dy) * metric.scale + 0.5)
    return np.int64(np.ceil(np.sqrt((dx * dx + dy * dy) / metric.over)))


@numba.njit(cache=True)
def on_earth(metric, i, j):
    """Distance for a `Sphere`. TSPLIB's rule is asked where the arc is so near a whole number of km that its own rounding
    errors, up to 5e-4 km for cities at one point or opposite, could count."""
    if abs(i - j) == metric.tie:
        return -metric.wall
    angle = arc(metric.places, i, j)
    if metric.angles.shape[0] == 0:
        return np.int64(metric.scale * EARTH * angle + 0.5)
    km = RADIUS * angle
    if abs(km - np.floor(km + 0.5)) < DOUBT:
        return geographical(metric.angles, i, j)
    return np.int64(km + 1.0)


@numba.njit(cache=True)
def in_table(metric, i, j):
    """Distance for a `Table`."""
    if abs(i - j) == metric.tie:
        return -metric.wall
    ticks = metric.matrix[i, j]
    return np.int64(ticks) if ticks != CLOSED else metric.wall


@numba.njit(cache=True)
def measured(metric, i, j):
    """`distance`, called from Python."""
    return distance(metric, i, j)


@numba.njit(cache=True)
def any_distance(metric, i, j):
    """The same for every kind, ties, closed edges and nowhere included."""
    a, b = min(i, j), max(i, j)
    if b - a == metric.tie:
        return -metric.wall
    if b == metric.nowhere or a == metric.nowhere:
        return np.int64(0)
    if metric.closed.size:
        code = np.int64(a) * metric.cities + b
        at = np.searchsorted(metric.closed, code)
        if at < metric.closed.size and metric.closed[at] == code:
            return np.int64(metric.wall)
    return by_kind(metric, a, b)


@numba.njit(cache=True)
def by_kind(metric, i, j):
    """What the kind alone says, i < j."""
    if metric.kind == MATRIX:
        ticks = metric.matrix[i, j]
        return np.int64(ticks) if ticks != CLOSED else np.int64(metric.wall)
    if metric.kind == ONE_WAY:
        half = metric.matrix.shape[0]
        if j < half or i >= half:
            return np.int64(metric.wall)
        if j - half == i:
            return -np.int64(metric.wall)
        ticks = metric.matrix[i, j - half]
        return np.int64(ticks) if ticks != CLOSED else np.int64(metric.wall)
    if metric.kind == GEO:
        return geographical(metric.places, i, j)
    if metric.kind == SPHERE:
        return np.int64(metric.scale * EARTH * arc(metric.places, i, j) + 0.5)
    dx = abs(metric.places[i, 0] - metric.places[j, 0])
    dy = abs(metric.places[i, 1] - metric.places[j, 1])
    if metric.kind == CEILING:
        return np.int64(np.ceil(np.sqrt(dx * dx + dy * dy) * metric.scale))
    if metric.kind == ATT:
        exact = np.sqrt((dx * dx + dy * dy) / 10.0)
        near = np.int64(exact + 0.5)
        return near + 1 if near < exact else near
    if metric.kind == MANHATTAN:
        return np.int64(metric.scale * (dx + dy) + 0.5)
    if metric.kind == MAXIMUM:
        return max(np.int64(metric.scale * dx + 0.5), np.int64(metric.scale * dy + 0.5))
    return np.int64(np.sqrt(dx * dx + dy * dy) * metric.scale + 0.5)


@numba.njit(cache=True)
def arc(places, i, j):
    """The angle between two places on the unit sphere: 2 asin(chord / 2), up to some 1,300 km by its series (exact to 2e-14 of
    itself), which is quicker than the arcsine."""
    x, y, z = places[i, 0] - places[j, 0], places[i, 1] - places[j, 1], places[i, 2] - places[j, 2]
    square = 0.25 * (x * x + y * y + z * z)
    half = np.sqrt(square)
    if square > 0.01:
        return 2 * np.arcsin(min(1.0, half))
    series = 63 / 2816 + square * (231 / 13312)
    series = 1 / 6 + square * (3 / 40 + square * (5 / 112 + square * (35 / 1152 + square * series)))
    return 2 * half * (1 + square * series)


@numba.njit(cache=True)
def geographical(places, i, j):
    """TSPLIB's distance on an idealised earth, in km: places are latitude and longitude in radians, as TSPLIB reads
    them (degrees and minutes, pi = 3.141592)."""
    q1 = np.cos(places[i, 1] - places[j, 1])
    q2 = np.cos(places[i, 0] - places[j, 0])
    q3 = np.cos(places[i, 0] + places[j, 0])
    return np.int64(RADIUS * np.arccos(min(1.0, max(-1.0, 0.5 * ((1.0 + q1) * q2 - (1.0 - q1) * q3)))) + 1.0)


@numba.njit(cache=True)
def length(metric, order):
    """Ticks of the closed tour that visits `order`; a tie counts its -wall."""
    total = distance(metric, order[-1], order[0])
    for at in range(len(order) - 1):
        total += distance(metric, order[at], order[at + 1])
    return total
