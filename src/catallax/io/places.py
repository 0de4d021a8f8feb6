"""Cities from tables, and one door for tables and TSPLIB files.

    name,x,y        PLANE      distances as the crow flies, not rounded; unit: that of x and y
    name,lat,lon    SPHERE     along great circles; degrees, north and east positive
    from,A,B,C      EXPLICIT   a square of distances, from row to column, names in the first row and the first column
    A,0,2,3
    ..

Columns may come in any order, upper or lower case; latitude, longitude, long and lng are understood; the column beside
the two holds the names, without it cities are numbered from 1. A name comes once, a place as often as it likes.
Separators, encoding and quotes are those of `tables`; the first column needs no name. What stands on the
diagonal of a matrix is read and dropped.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput
from catallax.io.sections import looks_sectioned, shown
from catallax.io.tables import AnyPath, Table, read_header, read_table
from catallax.io.tsplib import TourFile, read_tsplib, whole_where_all_are

COORDINATES = {
    "x": "x",
    "y": "y",
    "lat": "lat",
    "latitude": "lat",
    "lon": "lon",
    "long": "lon",
    "lng": "lon",
    "longitude": "lon",
}
LIMITS = {"lat": 90.0, "lon": 180.0}  # degrees
CORNER = "name"  # of a first column that has no name
FORMS = "name,x,y, or name,lat,lon, or a square of distances with names in its first row and column"


def read_tours(path: AnyPath) -> TourFile:
    """The cities of a TSPLIB file or of a table, whichever it is by its content.

    Raises `BadInput`, one sentence, for every fault of either.
    """
    return read_tsplib(path) if looks_sectioned(path) else read_places(path)


def read_places(path: AnyPath) -> TourFile:
    """The cities of a table of places or of distances.

    Raises `BadInput`, one sentence with file, line and column, where the file cannot be read, has other columns, a cell
    is no finite number, degrees are out of range, a name comes twice, a matrix is not square, its rows are not named
    as its columns, or a distance is negative.
    """
    header = read_header(path, corner=CORNER)
    found = {COORDINATES[name.lower()]: name for name in header if name.lower() in COORDINATES}
    if {"x", "y"} <= found.keys():
        return _read_places(path, "PLANE", header, (found["x"], found["y"]))
    if {"lat", "lon"} <= found.keys():
        return _read_places(path, "SPHERE", header, (found["lat"], found["lon"]))
    if len(header) < 2:
        raise BadInput(f"{os.fspath(path)}, line 1: the columns are {_listed(header)}; give {FORMS}")
    return _read_distances(path, header)


def _listed(header: Sequence[str]) -> str:
    return shown(", ".join(header))


def _read_places(path: AnyPath, kind: str, header: Sequence[str], axes: tuple[str, str]) -> TourFile:
    others = [column for column in header if column not in axes]
    named = ([column for column in others if column.lower() == "name"] or others)[:1]
    for column in others:
        if column not in named:
            keep = ", ".join([*named, *axes])
            raise BadInput(f"{os.fspath(path)}, line 1: column {shown(column)} is not understood; keep {keep}")
    table = read_table(path, text=named, unique=named, corner=CORNER)
    if kind == "SPHERE":
        for column, limit in zip(axes, LIMITS.values(), strict=True):
            _check_degrees(table, column, limit)
    places = table.matrix(axes)
    names = tuple(table.text[named[0]]) if named else tuple(str(k + 1) for k in range(len(places)))
    return TourFile(Path(path).stem, kind, places, None, True, names)


def _check_degrees(table: Table, column: str, limit: float) -> None:
    degrees = table.numbers[column]
    for row in np.flatnonzero(np.abs(degrees) > limit)[:1]:
        raise BadInput(
            f"{table.path}, line {table.lines[row]}, column '{column}': {degrees[row]:g} degrees lie beyond "
            f"{limit:g}; write -{limit:g} to {limit:g}, and latitude apart from longitude"
        )


def _read_distances(path: AnyPath, header: Sequence[str]) -> TourFile:
    corner, names = header[0], header[1:]
    table = read_table(path, text=[corner], corner=CORNER)
    _check_names(table, table.text[corner], names)
    matrix = whole_where_all_are(table.matrix(names))
    np.fill_diagonal(matrix, 0)
    _check_signs(table, matrix, names)
    return TourFile(Path(path).stem, "EXPLICIT", None, matrix, bool((matrix == matrix.T).all()), tuple(names))


def _check_names(table: Table, rows: list[str], columns: Sequence[str]) -> None:
    if len(rows) != len(columns):
        said = f"rows below the columns {_listed(columns)}: {len(rows):,}, which is no square of distances"
        raise BadInput(f"{table.path}: {said}; give {FORMS}")
    for line, row, column in zip(table.lines, rows, columns, strict=True):
        if row != column:
            raise BadInput(
                f"{table.path}, line {line}: the row is named {shown(row)} where the columns have {shown(column)}; "
                "name rows and columns alike, in one order"
            )


def _check_signs(table: Table, matrix: NDArray, names: Sequence[str]) -> None:
    if matrix.min() < 0:
        i, j = (int(k) for k in np.argwhere(matrix < 0)[0])
        raise BadInput(
            f"{table.path}, line {table.lines[i]}, column '{names[j]}': the distance is {matrix[i, j]}; give 0 or more"
        )
