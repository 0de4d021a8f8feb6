"""Tables written as CSV files that `tables` reads back, and texts that appear whole or not at all."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput
from catallax.io.tables import BATCH, AnyPath


def write_table(path: AnyPath, columns: Mapping[str, ArrayLike]) -> None:
    """Write columns of equal length as CSV: UTF-8, commas, LF, numbers with as many digits as they need.

    The file appears whole or not at all: it is written under another name in the same folder, then renamed.
    What is written reads back as it was, but for spaces at the ends of a cell, empty cells, NaN and
    infinities, which `read_table` drops or refuses. Truth values are written as 1 and 0.

    Raises `BadInput` where there are no columns, they differ in length, or the folder cannot be written to.
    """
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    _check_columns(os.fspath(path), arrays)
    write_whole(path, _written(arrays))


def write_whole(path: AnyPath, lines: Iterable[str]) -> None:
    """Text that appears whole or not at all: written under another name in the same folder, then renamed."""
    target = Path(path)
    half = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        try:
            with open(half, "w", encoding="utf-8", newline="") as file:
                file.writelines(lines)
            os.replace(half, target)
        except BaseException:  # an interrupt too leaves nothing half-written
            with suppress(OSError):
                half.unlink()
            raise
    except OSError as error:
        raise BadInput(f"{os.fspath(path)} cannot be written ({error.strerror}); check the folder") from None


def _check_columns(path: str, arrays: Mapping[str, NDArray]) -> None:
    if not arrays:
        raise BadInput(f"{path}: there are no columns to write; give at least one")
    first, rows = next((name, array.shape) for name, array in arrays.items())
    for name, array in arrays.items():
        if array.ndim != 1 or array.shape != rows:
            raise BadInput(
                f"{path}: column '{name}' has shape {array.shape} and column '{first}' {rows}; "
                "give columns one value a row, equally many"
            )


def _written(arrays: Mapping[str, NDArray]) -> Iterator[str]:
    yield ",".join(map(_quoted, arrays)) + "\n"
    rows = len(next(iter(arrays.values())))
    for start in range(0, rows, BATCH):
        cells = [_cells(array[start : start + BATCH]) for array in arrays.values()]
        yield "".join(",".join(row) + "\n" for row in zip(*cells, strict=True))


def _cells(column: NDArray) -> Iterable[str]:
    if column.dtype.kind == "b":
        column = column.astype(np.int8)  # so that it reads back as a number
    if column.dtype.kind == "f" and column.dtype.itemsize < 8:
        return map(str, column)  # 0.1, not the float64 nearest to the float32 nearest to 0.1
    if column.dtype.kind in "fiu":
        return map(repr, column.tolist())
    return (_quoted(str(cell)) for cell in column.tolist())


def _quoted(text: str) -> str:
    # csv.writer leaves a carriage return bare on some versions, and a separator of the other dialects always.
    if not text or any(mark in text for mark in '",;\t\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
