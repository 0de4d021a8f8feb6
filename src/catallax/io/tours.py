"""Tours in TSPLIB's format: the cities in the order of the visit, by the numbers or names of their problem's file.

    NAME : berlin52
    COMMENT : length 7542
    TYPE : TOUR
    DIMENSION : 52
    TOUR_SECTION
    1
    22
    ..
    -1
    EOF

TSPLIB 95, G. Reinelt, 1995.
"""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput
from catallax.io.sections import Parts, Section, on_one_line, read_list, reads_as_mark, shown, take_apart
from catallax.io.tables import AnyPath
from catallax.io.writing import write_whole


def read_tour(path: AnyPath, names: Sequence[str] | None = None) -> NDArray[np.int64]:
    """The order in which a TSPLIB tour visits its cities, [cities], counted from 0.

    `names`: what the file calls each city; by default 1, 2 and so on. Raises `BadInput` where it is no such file, or
    not every city is visited exactly once.
    """
    parts = take_apart(path)
    if (problem := parts.code("TYPE", "TOUR")) != "TOUR":
        raise BadInput(f"{parts.place('TYPE')}: TYPE is {shown(problem)}; name a file of TYPE TOUR")
    section = parts.section("TOUR_SECTION", "a tour needs one")
    there = sum(word != "-1" for word in section.body.split())
    _check_count(parts, section, there, None if names is None else len(names))
    order = read_list(section, [str(k + 1) for k in range(there)] if names is None else names)
    if len(set(order)) != there:
        _name_repeated(section, order)
    return np.array(order, np.int64)


def _check_count(parts: Parts, section: Section, there: int, expected: int | None) -> None:
    place = f"{parts.path}, line {section.line}"
    if not there:
        raise BadInput(f"{place}: the tour is empty; list the cities, one a line")
    if "DIMENSION" in parts.entries and parts.dimension() != there:
        raise BadInput(
            f"{place}: the tour has {there:,} cities and DIMENSION says {parts.dimension():,}; visit each once"
        )
    if expected not in (None, there):
        raise BadInput(f"{place}: the tour has {there:,} cities and the problem {expected:,}; visit each once")


def _name_repeated(section: Section, order: list[int]) -> None:
    seen: set[int] = set()
    for k, city in enumerate(order):
        if city in seen:
            raise BadInput(f"{section.place(k)}: the tour comes to city {city + 1} a second time; visit each once")
        seen.add(city)


def write_tour(
    path: AnyPath,
    order: ArrayLike,
    name: str,
    length: int | float | None = None,
    names: Sequence[str] | None = None,
) -> None:
    """Writes a tour: `order` [cities], each city of 0, 1, .. once, under their `names` or as 1, 2, ..

    The file appears whole or not at all. Raises `BadInput` where `order` is not such, a name has spaces or comes
    twice, or the folder cannot be written to.
    """
    where = os.fspath(path)
    cities = _checked(where, order)
    _check_names(where, names, len(cities))
    rows = [str(k + 1) for k in cities] if names is None else [names[k] for k in cities]
    comment = [] if length is None else [f"COMMENT : length {length}\n"]
    head = [f"NAME : {on_one_line(name)}\n", *comment, "TYPE : TOUR\n", f"DIMENSION : {len(rows)}\n", "TOUR_SECTION\n"]
    write_whole(path, [*head, *(f"{row}\n" for row in rows), "-1\nEOF\n"])


def _checked(where: str, order: ArrayLike) -> list[int]:
    visits = np.asarray(order)
    if visits.ndim != 1 or not len(visits) or visits.dtype.kind not in "iu":
        raise BadInput(
            f"{where}: order has shape {visits.shape} and type {visits.dtype}; give whole numbers, one a city"
        )
    times = np.bincount(visits[(visits >= 0) & (visits < len(visits))].astype(np.int64), minlength=len(visits))
    if (times != 1).any():
        k = int(np.argmax(times != 1))
        raise BadInput(f"{where}: order visits city {k} {times[k]} times; visit each of 0 to {len(visits) - 1} once")
    return visits.tolist()


def _check_names(where: str, names: Sequence[str] | None, cities: int) -> None:
    if names is None:
        return
    if len(names) != cities:
        raise BadInput(f"{where}: there are {len(names):,} names and {cities:,} cities; give every city one")
    if len(set(names)) != cities:
        raise BadInput(f"{where}: a name comes twice; give every city a name of its own")
    for name in names:
        if name == "-1" or len(name.split()) != 1 or "\0" in name or reads_as_mark(name):
            raise BadInput(f"{where}: {shown(name)} cannot stand in a tour; leave out `names` to write numbers")
