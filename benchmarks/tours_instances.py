"""Tours whose shortest length is known, and a judge of tours that shares no code with the library.

TSPLIB      G. Reinelt, TSPLIB: a traveling salesman problem library, ORSA Journal on Computing 3(4), 1991; here plane
            instances alone, lengths rounded as the library asks: EUC_2D floor(d + 1/2), ATT ceil(sqrt(d^2 / 10))
random      n cities uniform in a square of area A: the shortest tour tends to .7124 sqrt(n A) (D. S. Johnson, L. A.
            McGeoch and E. E. Rothberg, Asymptotic experimental analysis for the Held-Karp traveling salesman bound, SODA
            1996): a yardstick, and no bound
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import data

# Proven optimal, from the list that TSPLIB publishes: G. Reinelt, Optimal solutions for symmetric TSPs,
# http://comopt.ifi.uni-heidelberg.de/software/TSPLIB95/STSP.html, as kept at github.com/mastqe/tsplib (file `solutions`).
OPTIMA: dict[str, int] = {
    "berlin52": 7542,
    "kroA200": 29368,
    "lin318": 42029,
    "pcb442": 50778,
    "att532": 27686,
    "rat783": 8806,
    "pr1002": 259045,
    "fl1577": 22249,
    "pr2392": 378032,
    "pcb3038": 137694,
    "rl5934": 556045,
    "d15112": 1573084,
}
RANDOM = 0.7124
SIDE = 1e6  # of the square of random cities


class Instance(NamedTuple):
    """Cities [cities, 2], how their distances are rounded, and the length to compare with."""

    name: str
    kind: str
    places: np.ndarray
    optimum: float


def tsplib(name: str) -> Instance:
    """One instance of the list, its cities shuffled: pr2392's file has them in the order of a shortest tour.

    Raises `data.Unavailable` where the file cannot be had.
    """
    file = data.path(f"tsplib/{name}.tsp")
    kind, places, reading = "", [], False
    for line in file.read_text(encoding="ascii").splitlines():
        words = line.replace(":", " : ").split()
        if reading and len(words) == 3 and words[0] != "EOF":
            places.append((float(words[1]), float(words[2])))
        elif words and words[0] == "EDGE_WEIGHT_TYPE":
            kind = words[-1]
        reading = reading or line.startswith("NODE_COORD_SECTION")
    return Instance(name, kind, np.random.default_rng(0).permutation(places), OPTIMA[name])


def uniform(cities: int, seed: int = 0) -> Instance:
    """Random cities; distances are not rounded."""
    places = np.random.default_rng(seed).random((cities, 2)) * SIDE
    return Instance(f"{cities:,} random", "PLANE", places, RANDOM * SIDE * np.sqrt(cities))


def between(kind: str, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distances between places of two arrays [..., 2]."""
    away = np.hypot(*np.moveaxis(start - end, -1, 0))
    if kind == "ATT":
        return np.ceil(np.sqrt(((start - end) ** 2).sum(-1) / 10.0))
    return {"EUC_2D": np.floor(away + 0.5), "PLANE": away}[kind]


def matrix(instance: Instance) -> np.ndarray:
    """All distances [cities, cities], int64: for peers that take nothing else."""
    places = instance.places
    rows = [between(instance.kind, place, places) for place in places]
    return np.array(rows).astype(np.int64)


def length(instance: Instance, order: np.ndarray) -> float:
    """The length of the round trip. Raises `ValueError` where the order leaves out a city or comes twice through one."""
    if not np.array_equal(np.sort(order), np.arange(len(instance.places))):
        raise ValueError(f"{instance.name}: that is no tour through all cities")
    places = instance.places[np.asarray(order)]
    return float(between(instance.kind, places, np.roll(places, -1, axis=0)).sum())


def gap(instance: Instance, order: np.ndarray) -> float:
    """How far above the length to compare with, in %."""
    return 100 * (length(instance, order) / instance.optimum - 1)


def written(instance: Instance, file: Path) -> Path:
    """The instance as a TSPLIB file with rounded distances, for programs that read nothing else."""
    rows = [f"{city} {x:.10g} {y:.10g}" for city, (x, y) in enumerate(instance.places, 1)]
    kind = "EUC_2D" if instance.kind == "PLANE" else instance.kind
    head = ["NAME : cities", "TYPE : TSP", f"DIMENSION : {len(rows)}", f"EDGE_WEIGHT_TYPE : {kind}"]
    file.write_text("\n".join([*head, "NODE_COORD_SECTION", *rows, "EOF", ""]), encoding="ascii")
    return file
