"""TSPLIB: problems of travelling salesmen, symmetric (TSP) and asymmetric (ATSP).

    EUC_2D CEIL_2D GEO ATT MAN_2D MAX_2D    cities are places on a plane or on the earth; distances follow from the kind
    EXPLICIT                                cities are rows of a matrix, from row to column, written in one of

        FULL_MATRIX                          d00 d01 d02 d10 d11 d12 ..
        UPPER_ROW       UPPER_DIAG_ROW       d01 d02 .. d12 ..         d00 d01 d02 .. d11 d12 ..
        LOWER_ROW       LOWER_DIAG_ROW       d10 d20 d21 ..            d00 d10 d11 d20 ..
        UPPER_COL, LOWER_DIAG_COL, ..        the same, column by column

Line ends within the matrix mean nothing. What stands on its diagonal is read and dropped: nobody goes from a city to
itself. Nothing is allocated by the word of a file: DIMENSION is compared with what is there.

TSPLIB 95, G. Reinelt, 1995 (http://comopt.ifi.uni-heidelberg.de/software/TSPLIB95/).
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput
from catallax.io.sections import (
    Parts,
    Section,
    on_one_line,
    read_list,
    read_numbers,
    read_rows,
    shown,
    take_apart,
)
from catallax.io.tables import AnyPath
from catallax.io.writing import write_whole

KINDS = ("EUC_2D", "CEIL_2D", "GEO", "ATT", "MAN_2D", "MAX_2D")  # of places
DIAGONAL = ("FULL_MATRIX", "UPPER_DIAG_ROW", "LOWER_DIAG_ROW", "UPPER_DIAG_COL", "LOWER_DIAG_COL")
FORMATS = (*DIAGONAL, "UPPER_ROW", "LOWER_ROW", "UPPER_COL", "LOWER_COL")
WHOLE = 2.0**53  # beyond it not every whole number is a float64


class TourFile(NamedTuple):
    """Cities as a file has them: `places` or a `matrix`, and what else it says.

    `kind`: one of TSPLIB's (EUC_2D, CEIL_2D, GEO, ATT, MAN_2D, MAX_2D, EXPLICIT), or, from a table, PLANE, SPHERE or
    EXPLICIT. `places`: as written (for GEO latitude and longitude as DDD.MM, for SPHERE in degrees). `matrix`: from row
    to column, int64 where all are whole, 0 on the diagonal. `symmetric`: whether each way back is as long as the way
    there. `tied`: pairs of cities, counted from 0, that must be neighbours in the tour. `display`: where to draw the
    cities of a matrix.
    """

    name: str
    kind: str
    places: NDArray[np.float64] | None  # [cities, 2]
    matrix: NDArray[np.int64] | NDArray[np.float64] | None  # [cities, cities]
    symmetric: bool
    names: tuple[str, ...]  # [cities]
    comment: str = ""
    tied: tuple[tuple[int, int], ...] = ()
    display: NDArray[np.float64] | None = None  # [cities, 2]


# --- reading ---


def read_tsplib(path: AnyPath) -> TourFile:
    """The cities of a TSPLIB file of TYPE TSP or ATSP.

    Raises `BadInput`, one sentence with file and line, where the file cannot be read or is no such file, where
    DIMENSION is missing or differs from what is there, a number is none or not finite, a city comes twice, a distance
    is negative, or a matrix of TYPE TSP is asymmetric.
    """
    parts = take_apart(path)
    kind, cities = _kind(parts), parts.dimension()
    if kind == "EXPLICIT":
        matrix = _read_matrix(parts, cities)
        names, display = _read_display(parts, cities)
        places, symmetric = None, bool((matrix == matrix.T).all())
    else:
        names, places = _read_places(parts, parts.section("NODE_COORD_SECTION", f"{kind} needs coordinates"), cities)
        matrix, display, symmetric = None, None, True
    name = parts.value("NAME") or Path(path).stem
    tied = _read_tied(parts, names)
    return TourFile(name, kind, places, matrix, symmetric, names, parts.comment, tied, display)


def _kind(parts: Parts) -> str:
    """The kind of distance, after the type of problem has been found to be one that is read."""
    if (problem := parts.code("TYPE", "TSP")) not in ("TSP", "ATSP"):
        advice = "read_tour reads it" if problem == "TOUR" else "give a problem of TYPE TSP or ATSP"
        raise BadInput(f"{parts.place('TYPE')}: TYPE {shown(problem)} is not read here; {advice}")
    if "EDGE_WEIGHT_TYPE" not in parts.entries:
        raise BadInput(f"{parts.path}: EDGE_WEIGHT_TYPE is missing; add it: one of {', '.join(KINDS)}, EXPLICIT")
    kind = parts.code("EDGE_WEIGHT_TYPE")
    if kind not in (*KINDS, "EXPLICIT"):
        place = parts.place("EDGE_WEIGHT_TYPE")
        raise BadInput(f"{place}: EDGE_WEIGHT_TYPE {shown(kind)} is not known; use {', '.join(KINDS)} or EXPLICIT")
    return kind


def _read_places(parts: Parts, section: Section, cities: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    names, places = read_rows(section)
    if len(names) != cities:
        raise BadInput(
            f"{parts.path}, line {section.line}: {section.title} has {len(names):,} cities and DIMENSION, line "
            f"{parts.entries['DIMENSION'].line}, says {cities:,}; correct one of them"
        )
    if len(set(names)) != cities:
        _name_repeated(section, names)
    return tuple(names), places


def _name_repeated(section: Section, names: list[str]) -> None:
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        if name in seen:
            first = section.place(3 * seen[name]).rpartition(" ")[2]
            place = section.place(3 * row)
            raise BadInput(f"{place}: city {shown(name)} already stands in line {first}; number every city once")
        seen[name] = row


def _read_display(parts: Parts, cities: int) -> tuple[tuple[str, ...], NDArray[np.float64] | None]:
    """Names of the rows of a matrix, and places to draw them at, where the file has some."""
    numbers = tuple(str(k + 1) for k in range(cities))
    title = next((t for t in ("DISPLAY_DATA_SECTION", "NODE_COORD_SECTION") if t in parts.sections), None)
    if title is None:
        return numbers, None
    names, places = _read_places(parts, parts.sections[title], cities)
    if set(names) != set(numbers):
        return names, places
    return numbers, places[np.argsort(np.array(names, np.int64))]  # row i of the matrix is city i


# --- matrices ---


def _read_matrix(parts: Parts, cities: int) -> NDArray[np.int64] | NDArray[np.float64]:
    if "EDGE_WEIGHT_FORMAT" not in parts.entries:
        raise BadInput(f"{parts.path}: EDGE_WEIGHT_FORMAT is missing; add it: one of {', '.join(FORMATS)}")
    form = parts.code("EDGE_WEIGHT_FORMAT")
    if form not in FORMATS:
        place = parts.place("EDGE_WEIGHT_FORMAT")
        raise BadInput(f"{place}: EDGE_WEIGHT_FORMAT {shown(form)} is not read; use one of {', '.join(FORMATS)}")
    section = parts.section("EDGE_WEIGHT_SECTION", "EXPLICIT needs distances")
    values = read_numbers(section)
    _check_count(parts, section, form, cities, len(values))
    matrix = _filled(form, cities, whole_where_all_are(values))
    np.fill_diagonal(matrix, 0)
    _check_signs(section, form, matrix)
    if parts.code("TYPE", "TSP") == "TSP":
        _check_symmetric(section, matrix)
    return matrix


def _check_count(parts: Parts, section: Section, form: str, cities: int, there: int) -> None:
    half = cities * (cities + 1) // 2 if form in DIAGONAL else cities * (cities - 1) // 2
    needed = cities**2 if form == "FULL_MATRIX" else half
    if there != needed:
        raise BadInput(
            f"{parts.path}, line {section.line}: {section.title} has {there:,} numbers and {form} of DIMENSION "
            f"{cities:,}, line {parts.entries['DIMENSION'].line}, needs {needed:,}; correct one of them"
        )


def whole_where_all_are(values: NDArray[np.float64]) -> NDArray[np.int64] | NDArray[np.float64]:
    """Distances as int64 where every one of them is whole, else as they are."""
    whole = bool((np.abs(values) < WHOLE).all() and (values == np.rint(values)).all())
    return values.astype(np.int64) if whole else values


def _filled(form: str, cities: int, values: NDArray) -> NDArray:
    if form == "FULL_MATRIX":
        return values.reshape(cities, cities)
    rows, columns = _cells(form, cities)
    matrix = np.zeros((cities, cities), values.dtype)
    matrix[rows, columns] = values
    matrix[columns, rows] = values
    return matrix


def _cells(form: str, cities: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each number, in the order of the file."""
    if form == "FULL_MATRIX":
        rows, columns = np.divmod(np.arange(cities**2), cities)
        return rows, columns
    off = 0 if form in DIAGONAL else 1
    upper = form.startswith("UPPER")
    if form.endswith("ROW"):
        return np.triu_indices(cities, off) if upper else np.tril_indices(cities, -off)
    columns, rows = np.tril_indices(cities, -off) if upper else np.triu_indices(cities, off)
    return rows, columns


def _check_signs(section: Section, form: str, matrix: NDArray) -> None:
    if matrix.min() >= 0:
        return
    rows, columns = _cells(form, len(matrix))
    word = int(np.argmax(matrix[rows, columns] < 0))
    i, j = int(rows[word]), int(columns[word])
    raise BadInput(
        f"{section.place(word)}: the distance from city {i + 1} to city {j + 1} is {matrix[i, j]}; give 0 or more"
    )


def _check_symmetric(section: Section, matrix: NDArray) -> None:
    rows, columns = np.nonzero(np.triu(matrix != matrix.T))
    if len(rows):
        i, j = int(rows[0]), int(columns[0])
        raise BadInput(
            f"{section.place(i * len(matrix) + j)}: from city {i + 1} to city {j + 1} it is {matrix[i, j]} and back "
            f"{matrix[j, i]}, and TYPE TSP is symmetric; write TYPE : ATSP, or correct the matrix"
        )


# --- lists of cities ---


def _read_tied(parts: Parts, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    if "FIXED_EDGES_SECTION" not in parts.sections:
        return ()
    section = parts.sections["FIXED_EDGES_SECTION"]
    cities = read_list(section, names)
    if len(cities) % 2:
        raise BadInput(f"{section.place(len(cities) - 1)}: a fixed edge has one city alone; give every edge two")
    pairs = tuple(zip(cities[::2], cities[1::2], strict=True))
    for k, (one, other) in enumerate(pairs):
        if one == other:
            raise BadInput(f"{section.place(2 * k)}: a fixed edge joins city {names[one]} to itself; name two cities")
    return pairs


# --- writing ---


def write_tsplib(
    path: AnyPath, places: ArrayLike, kind: str = "EUC_2D", name: str | None = None, comment: str = ""
) -> None:
    """Writes cities at `places` [cities, 2] for any solver that reads TSPLIB, with as many digits as they have.

    `kind`: EUC_2D, CEIL_2D, GEO (DDD.MM), ATT, MAN_2D or MAX_2D; all of them round each distance to whole numbers,
    so scale small coordinates up. The file appears whole or not at all. Raises `BadInput` where the places are not
    finite or of another shape, the kind is another, or the folder cannot be written to.
    """
    points, where = np.asarray(places, np.float64), os.fspath(path)
    if kind not in KINDS:
        raise BadInput(f"{where}: kind {shown(kind)} has no coordinates in TSPLIB; use one of {', '.join(KINDS)}")
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise BadInput(f"{where}: places has shape {points.shape}; give [cities, 2]")
    for k in np.flatnonzero(~np.isfinite(points).all(axis=1))[:1]:
        raise BadInput(f"{where}: places, row {k}, is {points[k].tolist()}; give finite numbers")
    head = [f"NAME : {on_one_line(name or Path(path).stem)}\n", "TYPE : TSP\n"]
    head += [f"COMMENT : {on_one_line(line)}\n" for line in comment.splitlines()]
    head += [f"DIMENSION : {len(points)}\n", f"EDGE_WEIGHT_TYPE : {kind}\n", "NODE_COORD_SECTION\n"]
    rows = (f"{k} {_digits(x)} {_digits(y)}\n" for k, (x, y) in enumerate(points.tolist(), 1))
    write_whole(path, [*head, *rows, "EOF\n"])


def _digits(value: float) -> str:
    return str(int(value)) if value.is_integer() and math.fabs(value) < WHOLE else repr(value)
