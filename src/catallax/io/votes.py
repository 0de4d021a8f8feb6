"""Votes of a crowd as tables: who said what of which task, and for some tasks what is known to be right.

    task,worker,label[,weight]          votes, one row each
    task,label                          gold

Columns may come in any order, upper or lower case. A task may also be called question or item, a worker annotator or user, a
label answer or response, and a known label truth or gold. Other columns are not read. Names and labels are text; a weight
is a number. Separators, encoding and quotes are those of `tables`.

Crowds vote millions of times under few names, so names are coded block by block, and no cell of text outlives its block. A
block with anything unusual in it (a quote, an empty cell, a row of another length) goes through `csv` row by row, which
names the first fault by line and column.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput
from catallax.io.tables import LONGEST_LINE, AnyPath, careful, lay_out, number, opened, read_header

NAMES = {
    "task": ("task", "question", "item"),
    "worker": ("worker", "annotator", "user"),
    "label": ("label", "answer", "response"),
    "truth": ("label", "truth", "gold", "answer"),
    "weight": ("weight",),
}
BLOCK = 1 << 22  # bytes read at once


@dataclass(frozen=True)
class Votes:
    """One entry a vote. `tasks`, `workers` and `labels` hold each name once, in order of first appearance; `task`, `worker`
    and `label` say which of them stands in each row. `ignored`: columns that were not read."""

    tasks: NDArray[np.object_]  # [tasks], text
    workers: NDArray[np.object_]  # [workers]
    labels: NDArray[np.object_]  # [labels]
    task: NDArray[np.int32]  # [votes]
    worker: NDArray[np.int32]  # [votes]
    label: NDArray[np.int32]  # [votes]
    weight: NDArray[np.float64] | None  # [votes]
    lines: NDArray[np.int64]  # [votes], where each began in the file
    ignored: tuple[str, ...]


def read_votes(path: AnyPath) -> Votes:
    """The votes of a CSV file.

    Raises `BadInput`, one sentence with file, line and column, where the file cannot be read, a column is missing, a cell is
    empty, or a weight is no finite number of at least 0.
    """
    header = read_header(path)
    places = [place(path, header, field, "task,worker,label") for field in ("task", "worker", "label")]
    places += [k for k, name in enumerate(header) if name.lower() in NAMES["weight"]][:1]
    names, codes, lines = coded(path, places)
    weight = weights(path, header[places[3]], names[3], codes[3], lines) if len(places) > 3 else None
    tasks, workers, labels = names[:3]
    task, worker, label = codes[:3]
    ignored = tuple(name for k, name in enumerate(header) if k not in places)
    return Votes(tasks, workers, labels, task, worker, label, weight, lines, ignored)


def read_gold(path: AnyPath) -> dict[str, str]:
    """Task and known label. Raises `BadInput` as `read_votes` does, and where a task has two different labels."""
    header = read_header(path)
    places = [place(path, header, "task", "task,label"), place(path, header, "truth", "task,label")]
    (tasks, labels), codes, lines = coded(path, places)
    gold: dict[str, str] = {}
    for task, label, line in zip(tasks[codes[0]], labels[codes[1]], lines.tolist(), strict=True):
        if gold.setdefault(task, label) != label:
            raise BadInput(
                f"{os.fspath(path)}, line {line}, column '{header[places[1]]}': task {task!r} is {label!r} here and "
                f"{gold[task]!r} before; keep one of the two"
            )
    return gold


def place(path: AnyPath, header: Sequence[str], field: str, form: str) -> int:
    """Where the column of a field stands: under its first name that the header has."""
    headings = [heading.lower() for heading in header]
    for name in NAMES[field]:
        if name in headings:
            return headings.index(name)
    raise BadInput(f"{os.fspath(path)}, line 1: column '{NAMES[field][0]}' is missing; the header must name {form}")


def weights(
    path: AnyPath, column: str, names: NDArray, codes: NDArray[np.int32], lines: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What each vote counts for."""
    values = np.empty(len(names))
    for k, name in enumerate(names):
        values[k] = number(f"{os.fspath(path)}, line {lines[np.argmax(codes == k)]}, column '{column}'", name)
        if values[k] < 0:
            line = lines[np.argmax(codes == k)]
            raise BadInput(f"{os.fspath(path)}, line {line}, column '{column}': the weight is {name}; write 0 or more")
    return values[codes]


# --- coding ---


def coded(
    path: AnyPath, places: Sequence[int]
) -> tuple[list[NDArray[np.object_]], list[NDArray[np.int32]], NDArray[np.int64]]:
    """The different names in each of the columns, which of them stands in each row, and the rows' lines."""
    seen: list[dict[str, int]] = [{} for _ in places]
    parts: list[list[NDArray[np.int32]]] = [[] for _ in places]
    lines = []
    for texts, where in rows(path, tuple(places)):
        for column, place, part in zip(texts, seen, parts, strict=True):
            for name in dict.fromkeys(column):
                place.setdefault(name, len(place))
            part.append(np.fromiter(map(place.__getitem__, column), np.int32, len(column)))
        lines.append(where)
    if not lines:
        raise BadInput(f"{os.fspath(path)} has a header and no rows; add one line a row")
    names = [np.array(list(place), dtype=object) for place in seen]
    return names, [np.concatenate(part) for part in parts], np.concatenate(lines)


def rows(path: AnyPath, places: tuple[int, ...]) -> Iterator[tuple[list[list[str]], NDArray[np.int64]]]:
    """Runs of rows: the cells of each column, and the lines."""
    with opened(path) as file:
        layout = replace(lay_out(file, os.fspath(path), ""), text=places)
        start, line = layout.start, layout.line
        file.seek(start)
        while block := file.read(BLOCK) + file.readline(LONGEST_LINE):
            texts = quick(block, layout.separator, len(layout.header), places, last=file.tell() >= layout.size)
            if texts is None:
                file.seek(start)
                yield from ((part.text, part.lines) for part in careful(file, layout, line))
                return
            yield texts, np.arange(line, line + len(texts[0]))
            line, start = line + block.count(b"\n"), file.tell()


def quick(block: bytes, separator: str, width: int, places: Sequence[int], last: bool) -> list[list[str]] | None:
    """The cells of a block of whole lines by cutting it everywhere; None where anything in it needs a closer look."""
    block = (block.rstrip(b"\r\n") if last else block.removesuffix(b"\n").removesuffix(b"\r")).replace(b"\r\n", b"\n")
    if any(mark in block for mark in (b'"', b"\0", b"\r")) or not aligned(block, separator, width):
        return None
    try:
        text = block.decode()
    except UnicodeDecodeError:
        return None
    cells = text.replace("\n", separator).split(separator)
    columns = [cells[k::width] for k in places]
    if " " in text or "\t" in text or not text.isascii():
        columns = [[cell.strip() for cell in column] for column in columns]
    return None if any("" in column for column in columns) else columns


def aligned(block: bytes, separator: str, width: int) -> bool:
    """Whether every line has so many cells."""
    raw = np.frombuffer(block, np.uint8)
    marks = raw[(raw == ord(separator)) | (raw == ord("\n"))]
    if len(marks) % width != width - 1:
        return False
    ends = np.append(marks, np.uint8(ord("\n"))).reshape(-1, width) == ord("\n")
    return bool(ends[:, -1].all() and not ends[:, :-1].any())
