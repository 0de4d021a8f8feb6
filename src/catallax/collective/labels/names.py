"""Names as numbers: tasks, workers and labels as people give them (text, whole numbers, anything that can be sorted).

Names are sorted, so that the order of votes does not matter. Rows are counted from 0, as NumPy and pandas do.
"""

import reprlib
from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from typing import Any

import numpy as np

from catallax.core.errors import BadInput

DENSE = 4  # whole numbers whose range is within so many times their count are looked up, not sorted
TEXTS = "OSUV"  # kinds of arrays whose entries are hashed as Python's objects
Column = list | np.ndarray
ABSENT = ("NAType", "NaTType")  # what pandas writes for missing: equal to nothing, not even false


def column(field: str, values: Any) -> Column:
    """One column: an array, or a list of Python's objects, for NumPy would write NaN among texts as 'nan'.

    Raises `BadInput` where it is no column.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise BadInput(f"{field} is {reprlib.repr(values)}: give a column, one entry a vote")
    if not hasattr(values, "dtype"):
        return values if type(values) is list else list(values)
    array = np.asarray(values)
    if array.ndim != 1:
        raise BadInput(f"{field} has {array.ndim} axes: give a column, one entry a vote")
    return array.tolist() if array.dtype.kind in TEXTS else array


def as_array(entries: Column) -> np.ndarray:
    """The column as an array, of objects if it was a list."""
    if isinstance(entries, np.ndarray):
        return entries
    array = np.empty(len(entries), object)
    array[:] = entries
    return array


def missing(entries: Column) -> np.ndarray:
    """Where a value is missing: NaN, None, or what pandas writes for it; [rows], bool."""
    if isinstance(entries, list):
        return np.fromiter(map(is_missing, entries), bool, len(entries))
    if entries.dtype.kind in "fmMc":
        return entries != entries
    return np.zeros(len(entries), bool)


def is_missing(value: Any) -> bool:
    """Whether one value is missing."""
    return value is None or type(value).__name__ in ABSENT or bool(value != value)


def coded(field: str, entries: Column) -> tuple[np.ndarray, np.ndarray]:
    """The different names of a column, sorted, and which of them stands in each row, int32.

    Raises `BadInput` for the first row whose value is missing, and where names cannot be sorted.
    """
    if isinstance(entries, list):
        return coded_objects(field, entries)
    if entries.dtype.kind in "iub" and len(entries):
        return coded_whole(entries)
    refuse_missing(field, entries)
    names, codes = np.unique(entries, return_inverse=True)
    return names, codes.astype(np.int32)


def coded_whole(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers: where they lie close together, a table of which occur takes the place of sorting."""
    low = array.min()
    span = int(array.max()) - int(low) + 1
    if array.dtype.kind == "b" or span > DENSE * len(array) + 1000:
        names, codes = np.unique(array, return_inverse=True)
        return names, codes.astype(np.int32)
    places = array - low
    occurs = np.zeros(span, bool)
    occurs[places] = True
    rank = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(occurs).astype(array.dtype) + low, rank[places]


def coded_objects(field: str, entries: list) -> tuple[np.ndarray, np.ndarray]:
    """Texts and other objects: hashed, so that only the different ones are sorted."""
    places: dict[Any, int] = defaultdict(count().__next__)  # the first name that is asked for is 0
    try:
        codes = np.fromiter(map(places.__getitem__, entries), np.int32, len(entries))
    except TypeError:
        raise BadInput(f"{field} holds values that cannot be names (lists, say): give text or whole numbers") from None
    different = list(places)
    kinds = set(map(type, different))
    if kinds != {str} and any(map(is_missing, different)):
        refuse_missing(field, entries)
    try:
        different.sort()
    except TypeError:
        mixed = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise BadInput(f"{field} mixes {mixed}, which have no common order: give one kind") from None
    rank = np.empty(len(different), np.int32)
    rank[[*map(places.__getitem__, different)]] = np.arange(len(different))
    return as_names(different), rank[codes]


def as_names(different: list) -> np.ndarray:
    """Names as an array: of text or numbers where all are, else of objects."""
    if set(map(type, different)) in ({str}, {int}, {float}, {bool}):
        return np.array(different)
    return as_array(different)


def refuse_missing(field: str, entries: Column, apart: np.ndarray | None = None) -> None:
    """Raises `BadInput` for the first missing value, but for the rows that are `apart` [rows], bool."""
    wrong = missing(entries)
    if apart is not None:
        wrong &= ~apart
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadInput(f"{field}, row {row}: the value is missing ({entries[row]}); fill it or remove the vote")


def placed(names: np.ndarray, wanted: Column) -> np.ndarray:
    """The place of each wanted name among `names`, -1 where it is none of them; [wanted], int32."""
    place = {name: k for k, name in enumerate(names.tolist())}
    entries = wanted if isinstance(wanted, list) else wanted.tolist()
    return np.fromiter((place.get(name, -1) for name in entries), np.int32, len(entries))


def joined(first: np.ndarray, second: np.ndarray, field: str) -> np.ndarray:
    """All names of two arrays of names, sorted. Raises `BadInput` where they cannot be."""
    return coded_objects(field, first.tolist() + second.tolist())[0]
