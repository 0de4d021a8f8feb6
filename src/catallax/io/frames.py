"""Tables of mixed columns, as learners take them: numbers, words, and cells where something is missing.

    table.csv, table.csv.gz        separators, encoding and quotes as in `tables`
    table.parquet                  where pyarrow is installed

A column whose cells are all numbers, or missing, is one of numbers; every other is one of words. Missing is an empty cell, and
what programs write for one (`MISSING`): NaN in both kinds of columns, as pandas has it. An infinite number is refused.

Rows are read block by block. Numbers become float64 at once and words are kept once each; a column that holds words in a later
block only is read again as text.
"""

import contextlib
import gzip
import math
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput
from catallax.io.tables import LONGEST_LINE, AnyPath, Layout, careful, check_memory, lay_out, opened
from catallax.io.votes import aligned

BLOCK = 1 << 22  # bytes read at once
MISSING = frozenset(("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "?"))


@dataclass(frozen=True)
class Frame:
    """Columns by name, in the order of the file: float64 (numbers) or object (words), NaN where a cell is missing.

    `places` [rows]: where each row begins, counted as `unit` says: the line of a text file, the row of a Parquet file.
    `doubts`: a sentence for each column of words most of whose cells are numbers.
    """

    path: str
    columns: dict[str, NDArray[Any]]  # each [rows]
    places: NDArray[np.int64]
    unit: str = "line"
    doubts: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(self.columns)

    def is_numeric(self, name: str) -> bool:
        """Whether a column is one of numbers."""
        return self.columns[name].dtype.kind == "f"

    def missing(self, name: str) -> NDArray[np.bool_]:
        """Where a column's cells are missing, [rows]."""
        column = self.columns[name]
        return np.isnan(column) if column.dtype.kind == "f" else np.array([cell != cell for cell in column], bool)

    def place(self, row: int) -> str:
        """Where a row is, in words."""
        return f"{self.path}, {self.unit} {self.places[row]}"

    def matrix(self, names: Sequence[str]) -> NDArray[Any]:
        """Columns side by side, [rows, columns]: float64 where all are numbers, else objects. Raises `BadInput` for one that
        is not there."""
        lost = [name for name in names if name not in self.columns]
        if lost:
            raise BadInput(f"{self.path}: column '{lost[0]}' is missing; add it")
        numeric = all(map(self.is_numeric, names))
        whole = np.empty((len(self.places), len(names)), np.float64 if numeric else object)
        for j, name in enumerate(names):
            whole[:, j] = self.columns[name]
        return whole


def read_frame(path: AnyPath) -> Frame:
    """All columns of a CSV file (compressed by gzip, if its name ends in .gz) or a Parquet file.

    Raises `BadInput`, one sentence with file, line and column: no such file, no text, a row with too many or too few cells, a
    number that is not finite, a Parquet column that holds neither numbers nor words.
    """
    name = os.fspath(path)
    if name.endswith((".parquet", ".pq")):
        return _read_parquet(name)
    with _uncompressed(path) as file:
        layout = lay_out(file, name, "")
        everything = tuple(range(len(layout.header)))
        check_memory(file, replace(layout, numbers=everything), None)
        columns, places, why = _columns(file, replace(layout, text=everything, blank=everything))
    frame = Frame(name, columns, places, doubts=tuple(_doubts(layout.header, columns, places, why)))
    return _finite(frame)


@contextlib.contextmanager
def _uncompressed(path: AnyPath) -> Iterator[BinaryIO]:
    """The file; where it is compressed, a nameless copy that is not."""
    with opened(path) as file:
        if not os.fspath(path).endswith(".gz"):
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            try:
                shutil.copyfileobj(gzip.GzipFile(fileobj=file), copy)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                raise BadInput(f"{os.fspath(path)} is no whole gzip archive; compress the table again") from None
            copy.seek(0)
            yield copy


# --- columns ---

Part = NDArray[Any]  # of a column: numbers, or words as they stand


def _columns(file: BinaryIO, layout: Layout) -> tuple[dict[str, Part], NDArray[np.int64], dict[str, tuple[int, str]]]:
    """Columns, places of rows, and for columns of words the first cell (row, text) that is no number."""
    words: dict[int, dict[str, str]] = {}
    while True:
        parts: list[list[Part]] = [[] for _ in layout.header]
        lines = []
        for texts, where in _rows(file, layout):
            for j, (cells, part) in enumerate(zip(texts, parts, strict=True)):
                numbers = None if j in words else _numbers(cells)
                part.append(_kept(cells, words.setdefault(j, {})) if numbers is None else numbers)
            lines.append(where)
        if not lines:
            raise BadInput(f"{layout.path} has a header and no rows; add one line a row")
        if all(len({part.dtype for part in column}) == 1 for column in parts):
            break
    whole = {name: np.concatenate(column) for name, column in zip(layout.header, parts, strict=True)}
    why = {name: _first_word(column) for name, column in whole.items() if column.dtype.kind == "O"}
    for name in why:
        whole[name] = np.array([math.nan if cell in MISSING else cell for cell in whole[name]], object)
    return whole, np.concatenate(lines), why


def _rows(file: BinaryIO, layout: Layout) -> Iterator[tuple[list[list[str]], NDArray[np.int64]]]:
    """Runs of rows: the cells of each column, and the lines."""
    start, line, width = layout.start, layout.line, len(layout.header)
    file.seek(start)
    while block := file.read(BLOCK) + file.readline(LONGEST_LINE):
        texts = _quick(block, layout.separator, width, last=file.tell() >= layout.size)
        if texts is None:
            file.seek(start)
            yield from ((part.text, part.lines) for part in careful(file, layout, line))
            return
        yield texts, np.arange(line, line + len(texts[0]))
        line, start = line + block.count(b"\n"), file.tell()


def _quick(block: bytes, separator: str, width: int, last: bool) -> list[list[str]] | None:
    """The cells of a block of whole lines by cutting it everywhere; None where anything in it needs a closer look."""
    block = (block.rstrip(b"\r\n") if last else block.removesuffix(b"\n").removesuffix(b"\r")).replace(b"\r\n", b"\n")
    if any(mark in block for mark in (b'"', b"\0", b"\r", b"\n\n")) or not aligned(block, separator, width):
        return None
    try:
        cells = block.decode().replace("\n", separator).split(separator)
    except UnicodeDecodeError:
        return None
    columns = [[cell.strip() for cell in cells[j::width]] for j in range(width)]
    blank = not all(map(any, zip(*columns, strict=True)))  # a row without a cell that says anything
    return None if blank else columns


def _numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """Cells as numbers, NaN where missing; None where one is a word."""
    there = set(cells) - MISSING
    together = "".join(there)
    # float() takes 1_000 and the digits of every script: we do not.
    if not together.isascii() or "_" in together:
        return None
    try:
        value = {cell: float(cell) for cell in there}
    except ValueError:
        return None
    return np.array([value.get(cell, math.nan) for cell in cells], np.float64)


def _kept(cells: Sequence[str], seen: dict[str, str]) -> NDArray[np.object_]:
    """Cells as objects, one for each word."""
    return np.array([seen.setdefault(cell, cell) for cell in cells], object)


def _first_word(column: Part) -> tuple[int, str]:
    return next((row, cell) for row, cell in enumerate(column) if _numbers([cell]) is None)


def _doubts(
    header: Sequence[str], columns: dict[str, Part], places: NDArray[np.int64], why: dict[str, tuple[int, str]]
) -> Iterator[str]:
    """A sentence for each column that is likely to be meant as numbers."""
    for name in (name for name in header if name in why):
        there = [cell for cell in columns[name] if cell == cell]
        point = sum(re.fullmatch(r"[-+]?\d+,\d+", cell) is not None for cell in there) > len(there) / 2
        if point or sum(_numbers([cell]) is not None for cell in there) > len(there) / 2:
            row, cell = why[name]
            hint = "; write a point for the decimals" if point else ""
            yield f"column '{name}' is read as words, since {cell!r} in line {places[row]} is no number{hint}"


def _finite(frame: Frame) -> Frame:
    """The frame, if no number of it is infinite."""
    for name in filter(frame.is_numeric, frame.names):
        bad = np.isinf(frame.columns[name])
        if bad.any():
            row = int(bad.argmax())
            raise BadInput(
                f"{frame.place(row)}, column '{name}': {frame.columns[name][row]} is not a finite number; give its value, or "
                "leave the cell empty"
            )
    return frame


# --- Parquet ---


def _read_parquet(path: str) -> Frame:
    opened(path).close()
    if not Path(path).stat().st_size:
        raise BadInput(f"{path} is empty; it needs columns and rows")
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadInput(f"{path} is a Parquet file, which takes pyarrow to read: install it, or save as CSV") from None
    try:
        table = pyarrow.parquet.ParquetFile(path).read()
    except pyarrow.ArrowException:
        raise BadInput(f"{path} is not a Parquet file as pyarrow reads it; save the table again") from None
    if not table.num_rows or not table.num_columns:
        raise BadInput(f"{path} has no rows; add one for each case")
    columns: dict[str, NDArray[Any]] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in columns:
            raise BadInput(f"{path}: two columns are named {name!r}; rename one")
        columns[name] = _of_arrow(f"{path}, column '{name}'", column)
    return _finite(Frame(path, columns, np.arange(1, table.num_rows + 1), unit="row"))


def _of_arrow(place: str, column: Any) -> NDArray[Any]:
    """A column of numbers, or of words."""
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
        raise BadInput(
            f"{place} holds {kind}, neither numbers nor words; leave the column out or spread it over several"
        )
    cells = column.to_pylist()
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return np.array([math.nan if cell is None else float(cell) for cell in cells], np.float64)
    words = [math.nan if cell is None or str(cell).strip() in MISSING else str(cell).strip() for cell in cells]
    return np.array(words, object)
