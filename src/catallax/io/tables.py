"""Tables: CSV files read into columns (`writing` writes them).

The dialect is RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180) in UTF-8, with or without a byte-order
mark, LF or CRLF. Commas separate cells; semicolons or tabs do where the header line has more of them. Spaces
around a cell are dropped, blank lines at the end ignored. A cell is text, in the columns named so, or a
finite number (float64).

There are two paths to the same values. The *careful* one goes row by row through `csv` and names the first
fault by file, line and column. The *quick* one hands a block of lines to NumPy and gives up on anything
unusual (a quote, a wrong count of cells, a conversion that fails); the careful path then reads on from the
start of that block. So the careful path alone decides what is right, and a clean file is read at about three
times its speed.

Every fault is a `BadInput` of one sentence. Lines count from 1, the header included, as editors count them.
"""

import csv
import math
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput
from catallax.io.memory import free_memory, in_bytes

BLOCK = 1 << 23  # bytes handed to NumPy at once
BATCH = 4096  # rows that the careful path gathers before they become arrays
LONGEST_LINE = 1 << 24  # bytes: a file without line ends must not be read whole to find that out
BYTES_OF_A_TEXT_CELL = 60  # a Python string and its place in a list, letters apart
REMEDY = "save the table as CSV in UTF-8"
FOREIGN = {
    b"PK\x03\x04": "a spreadsheet or a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Table:
    """A table in memory: columns by name, and the line of the file where each row began."""

    path: str
    numbers: dict[str, NDArray[np.float64]]  # each [rows]
    text: dict[str, list[str]]  # each [rows]
    lines: NDArray[np.int64]  # [rows]

    def matrix(self, columns: Sequence[str]) -> NDArray[np.float64]:
        """The named columns of numbers side by side, [rows, columns]."""
        return np.stack([self.numbers[column] for column in columns], axis=1)


class _Rows(NamedTuple):
    """A run of rows on its way into a `Table`."""

    numbers: NDArray[np.float64]  # [rows, columns of numbers]
    text: list[list[str]]  # [columns of text][rows]
    lines: NDArray[np.int64]  # [rows]


@dataclass(frozen=True)
class Layout:
    """What the header settles: names, separator, and where the rows begin."""

    path: str
    size: int  # of the file, bytes
    separator: str
    header: tuple[str, ...]
    start: int  # byte at which the rows begin
    line: int  # line at which they begin
    text: tuple[int, ...] = ()  # positions of the columns of text
    blank: tuple[int, ...] = ()  # and of those among them whose cells may be empty
    numbers: tuple[int, ...] = ()  # and of the columns of numbers


def read_header(path: AnyPath, corner: str = "") -> tuple[str, ...]:
    """The names of the columns, read without the rows, so that a caller can refuse them first.

    `corner`: what to call a first column without a name, as many programs write the names of rows.

    Raises `BadInput` where there is no such file, it is not text, or a name is empty or given twice.
    """
    with opened(path) as file:
        return lay_out(file, os.fspath(path), corner).header


def read_table(
    path: AnyPath,
    text: Sequence[str] = (),
    unique: Sequence[str] = (),
    limit: int | float | None = None,
    corner: str = "",
    blank: Sequence[str] = (),
) -> Table:
    """The whole table: columns named in `text` as strings, all others as float64.

    `unique` names columns of text that must not repeat a value, `blank` those whose cells may be empty. `limit` is the
    memory that may be used, in bytes; by default what the machine has free. A table that would not fit is refused before
    its rows are read. `corner`: what to call a first column without a name.

    Raises `BadInput`, one sentence with file, line and column, for every fault.
    """
    with opened(path) as file:
        layout = lay_out(file, os.fspath(path), corner)
        for name in (*text, *unique):
            if name not in layout.header:
                raise BadInput(f"{layout.path}, line 1: column '{name}' is missing; add it")
        chosen = tuple(j for j, name in enumerate(layout.header) if name in text)
        others = tuple(j for j in range(len(layout.header)) if j not in chosen)
        empty = tuple(j for j in chosen if layout.header[j] in blank)
        layout = replace(layout, text=chosen, numbers=others, blank=empty)
        check_memory(file, layout, limit)
        table = _gather(layout, list(_read_rows(file, layout)))
    for name in unique:
        _check_unique(table, name)
    return table


# --- the file and its header ---


def opened(path: AnyPath) -> BinaryIO:
    """The file; `BadInput` where it cannot be read or is no regular file."""
    name = os.fspath(path)
    try:
        if Path(path).is_dir():
            raise BadInput(f"{name} is a folder, not a file; name the CSV file in it")
        if not Path(path).exists():
            raise BadInput(f"{name} does not exist; check the path")
        if not Path(path).is_file():  # a pipe has no size to judge, and can be read only once
            raise BadInput(f"{name} is not a regular file; save the table to a file first")
        return open(path, "rb")
    except OSError as error:
        raise BadInput(f"{name} cannot be read ({error.strerror}); check its permissions") from None


def lay_out(file: BinaryIO, path: str, corner: str) -> Layout:
    """What the header settles; `corner` names a first column whose header is blank."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(4)
    for magic, what in FOREIGN.items():
        if head.startswith(magic):
            raise BadInput(f"{path} is {what}, not a CSV file; {REMEDY}")
    start = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    if size == start:
        raise BadInput(f"{path} is empty; it needs a header line and one line a row")
    file.seek(start)
    separator = _sniff(next(_decoded(file, path, 1)))
    file.seek(start)
    records = _records(file, path, separator, 1)
    names = tuple(cell.strip() for cell in next(records)[1])
    names = (names[0] or corner, *names[1:]) if any(names) else names
    line = _line_after(file, start)
    _check_header(path, names)
    return Layout(path, size, separator, names, file.tell(), line)


def _line_after(file: BinaryIO, start: int) -> int:
    """The number of the line at which the file stands: a quoted name may hold a line end."""
    end = file.tell()
    file.seek(start)
    return file.read(end - start).count(b"\n") + 1


def _sniff(header: str) -> str:
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t", key=bare.count)  # the comma where none occurs


def _check_header(path: str, names: Sequence[str]) -> None:
    place = f"{path}, line 1"
    if not any(names):
        raise BadInput(f"{place} is blank; put the header, the names of the columns, in the first line")
    for position, name in enumerate(names):
        if not name:
            raise BadInput(f"{place}: column {position + 1} has no name; name it in the header or remove it")
        if name in names[:position]:
            first = names.index(name) + 1
            raise BadInput(f"{place}: columns {first} and {position + 1} are both named {_shown(name)}; rename one")


def check_memory(file: BinaryIO, layout: Layout, limit: int | float | None) -> None:
    """Refuse what would not fit, judged by the size of the file and the length of its first rows."""
    sample = file.read(1 << 20)
    file.seek(layout.start)
    length = len(sample) / max(sample.count(b"\n"), 1)  # bytes a row
    rows = (layout.size - layout.start) / max(length, 1)
    width = len(layout.header)
    numbers = 2 * 8 * len(layout.numbers)  # twice: while the blocks are joined, both they and the whole exist
    text = len(layout.text) * (BYTES_OF_A_TEXT_CELL + length / width)
    needed = rows * (numbers + text + 8)
    free = free_memory() if limit is None else limit
    if needed > free:
        raise BadInput(
            f"{layout.path} would need {in_bytes(needed)} of memory (about {rows:,.0f} rows of {width} "
            f"columns) and {in_bytes(free)} may be used; split the file or keep fewer rows"
        )


# --- rows, quickly ---


def _read_rows(file: BinaryIO, layout: Layout) -> Iterator[_Rows]:
    file.seek(layout.start)
    line, place = layout.line, layout.start
    while block := file.read(BLOCK) + file.readline(LONGEST_LINE):
        rows = _quick(block, layout, line, last=file.tell() >= layout.size)
        if rows is None:
            file.seek(place)
            yield from careful(file, layout, line)
            return
        yield rows
        line, place = line + block.count(b"\n"), file.tell()


def _quick(block: bytes, layout: Layout, line: int, last: bool) -> _Rows | None:
    """A block of whole lines by NumPy; None where anything in it needs the careful path."""
    if b'"' in block or b"\0" in block:
        return None
    try:
        decoded = block.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    lines = (decoded.rstrip("\n") if last else decoded.removesuffix("\n")).split("\n")
    separators = len(layout.header) - 1
    if "\r" in decoded or "" in lines or any(row.count(layout.separator) != separators for row in lines):
        return None
    numbers = _converted(lines, layout)
    text = [[row.split(layout.separator, j + 1)[j].strip() for row in lines] for j in layout.text]
    filled = [column for j, column in zip(layout.text, text, strict=True) if j not in layout.blank]
    if numbers is None or any("" in column for column in filled):
        return None
    return _Rows(numbers, text, np.arange(line, line + len(lines)))


def _converted(lines: list[str], layout: Layout) -> NDArray[np.float64] | None:
    if not layout.numbers:
        return np.empty((len(lines), 0))
    try:
        numbers = np.loadtxt(lines, delimiter=layout.separator, usecols=layout.numbers, comments=None, ndmin=2)
    except ValueError:
        return None
    return numbers if len(numbers) == len(lines) and np.isfinite(numbers).all() else None


# --- rows, carefully ---


def careful(file: BinaryIO, layout: Layout, line: int) -> Iterator[_Rows]:
    """Row after row from where the file stands, to its end or to the first fault."""
    records = _filled(_records(file, layout.path, layout.separator, line), layout.path)
    while batch := [(number, *_split(layout, number, row)) for number, row in islice(records, BATCH)]:
        lines, numbers, text = zip(*batch, strict=True)
        shape = (len(batch), len(layout.numbers))
        columns = [list(column) for column in zip(*text, strict=True)]
        yield _Rows(np.array(numbers, np.float64).reshape(shape), columns, np.array(lines, np.int64))


def _split(layout: Layout, line: int, row: list[str]) -> tuple[list[float], list[str]]:
    """One row as its numbers and its text."""
    if len(row) != len(layout.header):
        raise BadInput(
            f"{layout.path}, line {line}: the row has {len(row)} cell{'s' * (len(row) != 1)} and the header "
            f"{len(layout.header)} columns; give every row one cell a column"
        )
    text = [row[j].strip() for j in layout.text]
    empty = [j for j, cell in zip(layout.text, text, strict=True) if not cell and j not in layout.blank]
    if empty:
        name = layout.header[empty[0]]
        raise BadInput(f"{layout.path}, line {line}, column '{name}': the cell is empty; fill it or remove the row")
    cells = [row[j] for j in layout.numbers]
    return _numbers(layout, line, cells), text


def _numbers(layout: Layout, line: int, cells: list[str]) -> list[float]:
    together = "".join(cells)
    # float() takes 1_000 and the digits of every script: we do not.
    if together.isascii() and "_" not in together:
        try:
            values = [float(cell) for cell in cells]
            if all(map(math.isfinite, values)):
                return values
        except ValueError:
            pass
    names = (layout.header[j] for j in layout.numbers)
    return [
        number(f"{layout.path}, line {line}, column '{name}'", cell) for name, cell in zip(names, cells, strict=True)
    ]


def number(place: str, cell: str) -> float:
    """The finite number in a cell. BadInput names its place."""
    cell = cell.strip()
    if not cell:
        raise BadInput(f"{place}: the cell is empty; write a number, 0 for nothing")
    try:
        value = float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        value = None
    if value is None:
        hint = " and a point for the decimals" if re.fullmatch(r"[-+\d.]*,\d+", cell) else ""
        raise BadInput(f"{place}: {_shown(cell)} is not a number; write digits{hint}, as in 1.5")
    if not math.isfinite(value):
        raise BadInput(f"{place}: {_shown(cell)} is not a finite number; give its value or remove the row")
    return value


def _filled(records: Iterator[tuple[int, list[str]]], path: str) -> Iterator[tuple[int, list[str]]]:
    """The records that hold something; a blank one may stand only at the end."""
    blank = 0
    for line, row in records:
        if not any(cell.strip() for cell in row):
            blank = blank or line
        elif blank:
            raise BadInput(f"{path}, line {blank} is blank, with rows after it; remove it")
        else:
            yield line, row


def _records(file: BinaryIO, path: str, separator: str, line: int) -> Iterator[tuple[int, list[str]]]:
    """Records with the line where each begins; a quoted cell may go on over several lines."""
    reader = csv.reader(_decoded(file, path, line), delimiter=separator, strict=True)
    while True:
        begins = line + reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise BadInput(_syntax(f"{path}, line {begins}", str(error))) from None
        yield begins, row


def _syntax(place: str, error: str) -> str:
    if "new-line" in error:
        return f"{place}: a carriage return stands inside the line; end lines with LF or CRLF"
    if "field larger" in error or "unexpected end" in error:
        return f"{place}: a quote is opened and never closed; close it"
    return f"{place}: a quoted cell goes on after its closing quote; double a quote that belongs to the text"


def _decoded(file: BinaryIO, path: str, line: int) -> Iterator[str]:
    """Lines as text, from where the file stands."""
    while raw := file.readline(LONGEST_LINE):
        place = file.tell() - len(raw)
        if (nul := raw.find(b"\0")) >= 0:
            raise BadInput(f"{path}, line {line}: byte {place + nul} is NUL, so this is not text; {REMEDY}")
        if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
            size = in_bytes(LONGEST_LINE)
            raise BadInput(f"{path}, line {line} has more than {size}; put each row on a line of its own")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            byte = f"byte {place + error.start} (0x{raw[error.start]:02x})"
            raise BadInput(f"{path}, line {line}: {byte} is not UTF-8; {REMEDY}") from None
        yield text
        line += 1


# --- the table ---


def _gather(layout: Layout, parts: list[_Rows]) -> Table:
    if not parts:
        raise BadInput(f"{layout.path} has a header and no rows; add one line a row")
    joined = np.concatenate([part.numbers for part in parts])
    numbers = {layout.header[j]: joined[:, k] for k, j in enumerate(layout.numbers)}
    words = [[cell for part in parts for cell in part.text[k]] for k in range(len(layout.text))]
    text = {layout.header[j]: column for j, column in zip(layout.text, words, strict=True)}
    return Table(layout.path, numbers, text, np.concatenate([part.lines for part in parts]))


def _check_unique(table: Table, column: str) -> None:
    cells = table.text[column]
    if len(set(cells)) == len(cells):
        return
    seen: dict[str, int] = {}
    for cell, line in zip(cells, table.lines.tolist(), strict=True):
        if cell in seen:
            raise BadInput(
                f"{table.path}, line {line}, column '{column}': {_shown(cell)} already stands in line "
                f"{seen[cell]}; give every row a name of its own"
            )
        seen[cell] = line


def _shown(text: str) -> str:
    """A cell as a message shows it: quoted, and shortened where it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
