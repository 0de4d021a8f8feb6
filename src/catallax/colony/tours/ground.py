"""Where the cities are, and how far it is between them: what a user hands over, checked, and lengths in float64.

    kind                    from i to j
    PLANE                   sqrt(dx^2 + dy^2)
    SPHERE                  2 R asin(chord / 2) km on a sphere of R = 6371.0088 km, from latitude and longitude in degrees
    EUC_2D CEIL_2D GEO ATT MAN_2D MAX_2D    as TSPLIB rounds them
    EXPLICIT                matrix[i, j], from i to j

Lengths here are computed apart from the kernels that search, by other code: they certify what was found.
"""

import operator
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.tours.metric import EARTH
from catallax.core.errors import BadInput

FEWEST = 3
KINDS = ("PLANE", "SPHERE", "EUC_2D", "CEIL_2D", "GEO", "ATT", "MAN_2D", "MAX_2D")


class Ground(NamedTuple):
    """Cities. `places` [cities, 2] or `matrix` [cities, cities]; `names` [cities] or None; `closed` [edges, 2]: pairs of
    cities between which there is no way, in either direction; `tied`: None or the pair that must be neighbours.
    """

    kind: str
    places: Float[np.ndarray, "cities 2"] | None
    matrix: Any
    symmetric: bool
    names: tuple[str, ...] | None = None
    closed: Int[np.ndarray, "edges 2"] = np.zeros((0, 2), np.int64)
    tied: tuple[int, int] | None = None
    display: Float[np.ndarray, "cities 2"] | None = None

    @property
    def cities(self) -> int:
        """How many."""
        return len(self.matrix if self.places is None else self.places)

    def of(self, who: Any, field: str) -> int:
        """The index of a city given by index or by name. Raises `BadInput` where there is none."""
        if self.names is not None and isinstance(who, str):
            if who in self.names:
                return self.names.index(who)
            raise BadInput(f"{field} has {who!r}, and there is no city of that name")
        try:
            city = operator.index(who)
        except TypeError:
            raise BadInput(f"{field} has {who!r}: give the index or the name of a city") from None
        if not 0 <= city < self.cities:
            raise BadInput(f"{field} has {city}: there are cities 0 to {self.cities - 1}")
        return city


def ground_of(cities: Any, kind: str | None = None, names: Iterable[str] | None = None) -> Ground:
    """The ground of coordinates [cities, 2], a square matrix, a file, or what a reader made of one.

    A square array is a matrix, unless `kind` names a kind of places. Raises `BadInput`, a sentence, where it is none of these.
    """
    if isinstance(cities, Ground):
        return cities
    if isinstance(cities, (str, os.PathLike)):
        from catallax.io.places import read_tours

        cities = read_tours(cities)
    if hasattr(cities, "tied"):  # a TourFile
        return checked(from_file(cities))
    if hasattr(cities, "nodes") and hasattr(cities, "edges"):
        from catallax.colony.tours.graphs import from_networkx

        return checked(from_networkx(cities))
    if hasattr(cities, "columns") and names is None and hasattr(cities, "index"):  # a table with named rows
        names = [str(name) for name in cities.index]
    table = numbers(cities)
    given = None if names is None else tuple(str(name) for name in names)
    if kind is None:
        kind = "PLANE" if table.shape[1] == 2 and len(table) != 2 else "EXPLICIT"
    if kind == "EXPLICIT":
        return checked(Ground(kind, None, table, bool((table == table.T).all()) if square(table) else True, given))
    if kind not in KINDS:
        raise BadInput(f"kind is {kind!r}: give one of {', '.join(KINDS)}, or EXPLICIT for a matrix")
    return checked(Ground(kind, np.array(table, float), None, True, given))


def from_file(file: Any) -> Ground:
    """What a reader made of a file."""
    if len(file.tied) > 1:
        raise BadInput(f"{file.name} ties {len(file.tied)} pairs of cities together: one pair at most can be kept here")
    tied = file.tied[0] if file.tied else None
    return Ground(file.kind, file.places, file.matrix, file.symmetric, file.names, tied=tied, display=file.display)


def numbers(cities: Any) -> np.ndarray:
    """A table of numbers."""
    try:
        table = np.asarray(cities)
        table = table if table.dtype.kind in "iu" else table.astype(float)
    except (TypeError, ValueError):
        raise BadInput(
            "cities are no table of numbers: give coordinates [cities, 2], a distance matrix, or a file"
        ) from None
    if table.ndim != 2 or (table.shape[1] != 2 and not square(table)):
        raise BadInput(
            f"cities have the shape {list(table.shape)}: give coordinates [cities, 2] or a square distance matrix"
        )
    return table


def square(table: np.ndarray) -> bool:
    """As many rows as columns."""
    return table.shape[0] == table.shape[1]


def checked(ground: Ground) -> Ground:
    """The ground, if tours on it have a meaning."""
    n = ground.cities
    if n < FEWEST:
        raise BadInput(
            f"there {'is' if n == 1 else 'are'} {n} {'city' if n == 1 else 'cities'}: a tour takes at least 3"
        )
    if ground.names is not None and len(ground.names) != n:
        raise BadInput(f"names has {len(ground.names)} entries for {n} cities: give one for each")
    table = ground.matrix if ground.places is None else ground.places
    wrong = np.argwhere(~np.isfinite(table))
    if len(wrong):
        row, column = wrong[0]
        what = "cities" if ground.places is not None else "the matrix"
        raise BadInput(f"{what} [{row}, {column}] is {table[row, column]}: give finite numbers")
    if ground.places is None:
        check_matrix(ground)
    elif ground.kind == "SPHERE":
        wrong = np.argwhere(np.abs(ground.places) > [90, 180])
        if len(wrong):
            row, column = wrong[0]
            raise BadInput(
                f"{('latitude', 'longitude')[column]} of city {row} is {ground.places[row, column]}: give degrees within "
                f"{(90, 180)[column]} of 0"
            )
    elif np.abs(ground.places).max() > 1e150 or (
        ground.kind not in ("PLANE", "GEO") and np.ptp(ground.places, axis=0).max() > 2**29
    ):
        raise BadInput("the cities are too far apart for whole lengths of 30 bits: give them in a larger unit")
    return ground


def check_matrix(ground: Ground) -> None:
    """No negative distances, and none that kernels could not hold."""
    matrix = ground.matrix
    off = ~np.eye(len(matrix), dtype=bool)
    wrong = np.argwhere((matrix < 0) & off)
    if len(wrong):
        row, column = wrong[0]
        raise BadInput(f"the distance from city {row} to {column} is {matrix[row, column]}: give numbers of at least 0")


def lengths(
    ground: Ground, start: Int[np.ndarray, " edges"], stop: Int[np.ndarray, " edges"]
) -> Float[np.ndarray, " edges"]:
    """Float64 length of each edge; infinite where it is closed."""
    found = lengths_by_kind(ground, start, stop)
    if len(ground.closed):
        n = ground.cities
        shut = {min(a, b) * n + max(a, b) for a, b in ground.closed.tolist()}
        codes = np.minimum(start, stop) * n + np.maximum(start, stop)
        found[np.isin(codes, sorted(shut))] = np.inf
    return found


def lengths_by_kind(ground: Ground, start: np.ndarray, stop: np.ndarray) -> Float[np.ndarray, " edges"]:
    """What the kind says."""
    if ground.matrix is not None:
        return ground.matrix[start, stop].astype(float)
    assert ground.places is not None
    if ground.kind == "SPHERE":
        phi, lam = np.radians(ground.places).T
        half = np.sin((phi[start] - phi[stop]) / 2) ** 2
        half += np.cos(phi[start]) * np.cos(phi[stop]) * np.sin((lam[start] - lam[stop]) / 2) ** 2
        return 2 * EARTH * np.arcsin(np.sqrt(np.minimum(half, 1)))
    if ground.kind == "GEO":
        return geographical(radians(ground.places), start, stop)
    apart = np.abs(ground.places[start] - ground.places[stop])
    straight = np.sqrt((apart**2).sum(axis=1))
    if ground.kind == "ATT":
        exact = np.sqrt((apart**2).sum(axis=1) / 10.0)
        near = np.floor(exact + 0.5)
        return near + (near < exact)
    return {
        "PLANE": lambda: straight,
        "EUC_2D": lambda: np.floor(straight + 0.5),
        "CEIL_2D": lambda: np.ceil(straight),
        "MAN_2D": lambda: np.floor(apart.sum(axis=1) + 0.5),
        "MAX_2D": lambda: np.floor(apart + 0.5).max(axis=1),
    }[ground.kind]()


def radians(places: Float[np.ndarray, "cities 2"]) -> Float[np.ndarray, "cities 2"]:
    """TSPLIB's latitudes and longitudes, DDD.MM, in radians with TSPLIB's pi."""
    degrees = np.trunc(places)
    return 3.141592 * (degrees + 5.0 * (places - degrees) / 3.0) / 180.0


def geographical(
    places: Float[np.ndarray, "cities 2"], start: np.ndarray, stop: np.ndarray
) -> Float[np.ndarray, " edges"]:
    """TSPLIB's kilometres."""
    (phi, lam), (psi, mu) = places[start].T, places[stop].T
    q1, q2, q3 = np.cos(lam - mu), np.cos(phi - psi), np.cos(phi + psi)
    return np.trunc(6378.388 * np.arccos(np.clip(0.5 * ((1.0 + q1) * q2 - (1.0 - q1) * q3), -1, 1)) + 1.0)


def route_length(ground: Ground, order: Int[np.ndarray, " cities"], opened: bool, driven: int = 0) -> float:
    """Length of the way through `order`, and home again unless it is open; the first `driven` cities were visited before
    anything was closed."""
    order = np.asarray(order)
    there, back = (order[:-1], order[1:]) if opened else (order, np.roll(order, -1))
    past = max(0, driven - 1)
    return float(
        lengths_by_kind(ground, there[:past], back[:past]).sum() + lengths(ground, there[past:], back[past:]).sum()
    )
