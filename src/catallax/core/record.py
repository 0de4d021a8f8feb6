"""What to keep of a run, and where: in memory, or on disk as it comes.

On disk each value is one growing `.npy` file that `numpy.load(path, mmap_mode="r")` reads at any time. Rows are
appended behind those that the header speaks of, and the header, of fixed size and within one disk sector, is
rewritten after them: whenever the process is killed, the file holds whole rows. Columns may then differ in
length; a checkpoint says how many rows are to be kept, and `resume` overwrites what lies behind.
"""

import ast
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.disk import flush, make_folder
from catallax.core.errors import BadInput, Damaged

HEADER = 256  # bytes kept for the header of a growing file
ALWAYS = {"round": np.dtype(np.int64), "unrest": np.dtype(np.float64)}  # recorded beside the values


class Record:
    """`Record(every=10, price=lambda society: society.signal.price)`: values before round 0 and after every tenth.

    Each value is a function of the society that returns one array or number, of the same shape and type each
    time (a whole number, a bool or a float of any width; bfloat16 and narrower are kept as float32). `round`
    and `unrest` are always recorded beside them. `folder`: where to write rows as they come, one `.npy` file
    a value; what an earlier run wrote there under the same names is replaced.

    **Raises** `BadInput` for a value that is no function, or a name that cannot be a file's.
    """

    def __init__(self, every: int = 1, folder: str | os.PathLike | None = None, **values: Callable[[Any], Any]):
        if isinstance(every, bool) or not isinstance(every, (int, np.integer)) or every < 1:
            raise BadInput(f"Record.every is {every!r}: give a whole number of rounds, at least 1")
        if folder is not None and not isinstance(folder, (str, os.PathLike)):
            raise BadInput(f"Record.folder is {folder!r}: give the path of a folder, or None to keep rows in memory")
        for name, value in values.items():
            if name in ALWAYS:
                raise BadInput(f"Record already keeps {name!r}: choose another name")
            if not name.isidentifier():
                raise BadInput(f"Record cannot keep {name!r}: choose a name of letters, digits and underscores")
            if not callable(value):
                raise BadInput(f"Record.{name} is {value!r}: give a function of the society")
        self.every, self.folder, self.values = int(every), folder, values

    @property
    def names(self) -> list[str]:
        """All columns, in their order."""
        return [*ALWAYS, *self.values]

    def take(self, society) -> dict[str, Any]:
        """The recorded values of one moment: arrays or numbers."""
        taken = {name: value(society) for name, value in self.values.items()}
        for name, value in taken.items():
            if not is_value(value):
                raise BadInput(
                    f"Record.{name} returns a {type(value).__name__}: return one array or number, and record others "
                    "under names of their own"
                )
        return taken


def is_value(value: Any) -> bool:
    """Whether it can be a row: an array or number, not a PRNG key, an object or a text."""
    if isinstance(value, (bool, int, float, complex)):
        return True
    dtype = getattr(value, "dtype", None)
    if dtype is None or not hasattr(value, "shape"):
        return False
    return not jnp.issubdtype(dtype, jax.dtypes.extended) and np.dtype(dtype).kind in "biufcV"


def plain(rows: Any) -> np.ndarray:
    """As NumPy rows of a type that every reader of .npy files knows."""
    rows = np.asarray(rows)
    if rows.dtype.kind != "V" or rows.dtype.names:
        return rows
    return rows.astype(np.float32 if jnp.issubdtype(rows.dtype, np.floating) else np.int8)


class Rows:
    """Recorded rows of the columns `names`, appended in pieces: in memory, or in `folder`.

    `kept`: go on after so many rows that are there already; `Damaged` where they are not.
    """

    def __init__(self, names: list[str], folder: str | os.PathLike | None = None, kept: int | None = None):
        self.names, self.folder = names, None if folder is None else Path(folder)
        self.pieces: list[dict[str, np.ndarray]] = []
        self.kinds: dict[str, tuple] = {}  # dtype and shape of a row
        self.count = kept or 0
        if self.folder is not None and kept is None:
            make_folder(self.folder)
            for name in names:
                for path in (self.path(name), *self.folder.glob(f"{name}.*.part")):  # parts of processes killed
                    path.unlink(missing_ok=True)
        if self.folder is not None and kept:
            self.kinds = {name: found(self.path(name), kept) for name in names}

    def path(self, name: str) -> Path:
        """The file of a column."""
        assert self.folder is not None
        return self.folder / f"{name}.npy"

    def append(self, piece: dict[str, Any]) -> None:
        """Adds rows of every column, stacked along axis 0. BadInput where a value changes its shape or type."""
        rows = self.check(piece)
        length = len(rows["round"])
        if not length:
            return
        if self.folder is None:
            self.pieces.append(rows)
        else:
            for name, value in rows.items():
                append(self.path(name), value, self.count)
        self.count += length

    def check(self, piece: dict[str, Any]) -> dict[str, np.ndarray]:
        """Rows of every column in the column's type, copied. BadInput as for `append`."""
        return {name: self.fitting(name, plain(piece[name])) for name in self.names}

    def fitting(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Rows of one column."""
        kind = (ALWAYS.get(name, rows.dtype), rows.shape[1:])
        dtype, shape = self.kinds.setdefault(name, kind)
        if rows.shape[1:] != shape or not (name in ALWAYS or np.can_cast(rows.dtype, dtype)):
            raise BadInput(
                f"Record.{name} is {rows.dtype}{list(rows.shape[1:])} where its earlier rows are {dtype}{list(shape)}: "
                "a recorded value keeps its shape and type"
            )
        return rows.astype(dtype)

    def flush(self) -> None:
        """Down to the disk, so that a checkpoint may speak of these rows."""
        if self.folder is not None and self.count:
            for path in [self.path(name) for name in self.names] + [self.folder]:
                flush(path)

    def table(self) -> dict[str, np.ndarray]:
        """All rows so far by column; from disk as memory maps."""
        if self.folder is None:
            return {name: np.concatenate([p[name] for p in self.pieces]) for name in self.names if self.pieces}
        for name, (dtype, shape) in self.kinds.items():
            append(self.path(name), np.empty((0, *shape), dtype), self.count)
        return {name: np.load(self.path(name), mmap_mode="r") for name in self.kinds}


def append(path: Path, rows: np.ndarray, before: int) -> None:
    """Rows behind the first `before` rows of a growing .npy file; the first ones appear under its name at once."""
    data, head = np.ascontiguousarray(rows).tobytes(), header(rows, before + len(rows))
    if not before:
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(head + data)
        os.replace(part, path)
        return
    with open(path, "r+b") as file:
        file.seek(HEADER + before * row_bytes(rows.dtype, rows.shape[1:]))
        file.write(data)
        file.flush()
        file.seek(0)
        file.write(head)


def header(rows: np.ndarray, count: int) -> bytes:
    """A version-1.0 .npy header of fixed size."""
    text = repr(
        {"descr": np.lib.format.dtype_to_descr(rows.dtype), "fortran_order": False, "shape": (count, *rows.shape[1:])}
    )
    space = HEADER - 10 - len(text) - 1
    if space < 18:  # room for a larger count
        raise BadInput(f"a recorded value of {rows.dtype}{list(rows.shape[1:])} has more axes than a file can say")
    return b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + (text + " " * space + "\n").encode()


def found(path: Path, kept: int) -> tuple:
    """Dtype and row shape of a growing .npy file. Damaged where it is not one, or has fewer rows than `kept`."""
    try:
        with open(path, "rb") as file:
            head, size = file.read(HEADER), path.stat().st_size
    except OSError:
        raise Damaged(f"{path} is missing or cannot be read: the checkpoint speaks of {kept} rows in it") from None
    try:
        said = ast.literal_eval(head[10:].decode())
        dtype, (count, *rest) = np.dtype(said["descr"]), said["shape"]
        whole = not dtype.hasobject and header(np.empty((0, *rest), dtype), count) == head
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, BadInput):
        whole, dtype, count, rest = False, np.dtype(bool), 0, []
    if not whole:
        raise Damaged(f"{path} is not a file of recorded rows as a run writes it: it was cut or exchanged")
    width = row_bytes(dtype, tuple(rest))
    rows = min(count, (size - HEADER) // width) if width else count
    if rows < kept:
        raise Damaged(f"{path} holds {rows} rows where the checkpoint says {kept}: it was cut or exchanged")
    return dtype, tuple(rest)


def row_bytes(dtype: np.dtype, shape: tuple) -> int:
    """The bytes of one row."""
    return dtype.itemsize * int(np.prod(shape, dtype=np.int64))
