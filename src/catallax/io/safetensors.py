"""safetensors files: read by mmap, written as a stream, on NumPy alone.

    8 bytes      N, the length of the header, unsigned, little-endian
    N bytes      JSON: {"name": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}, .., "__metadata__": {..}}
    the rest     tensors, row-major, little-endian; offsets are counted from here

A header is believed when all of it holds: N <= 100,000,000; an object without duplicate keys; known types; shapes whose sizes
in bytes are those of their offsets, and below 2^63; tensors one after the other from 0 to the end of the file, no hole, no
overlap; names that are no paths out of a folder. What is wrong is said before a tensor is read.

https://github.com/huggingface/safetensors (format).
"""

import json
import math
import mmap
import os
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from catallax.core.errors import BadInput

AnyPath = str | os.PathLike
LONGEST = 100_000_000  # bytes of a header
MOST = 2**63 - 1  # bytes of a tensor
AXES = 64  # of a tensor, NumPy's most
PAGE = mmap.PAGESIZE
LFS = b"version "  # how a pointer of Git LFS begins

_TYPES: dict[str, Any] = {  # the format's name: NumPy's type
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "C64": "<c8",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
TYPES = {name: np.dtype(kind) for name, kind in _TYPES.items()}
PACKED = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}  # bits: types without one of NumPy's, handed on as bytes
BITS = {name: 8 * kind.itemsize for name, kind in TYPES.items()} | PACKED
FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
_NAMES = {kind: name for name, kind in TYPES.items()}


class Entry(NamedTuple):
    """A tensor as a header tells it; `start` and `stop` in bytes of the data."""

    dtype: str
    shape: tuple[int, ...]
    start: int = 0
    stop: int = 0

    @property
    def bytes(self) -> int:
        """Its size."""
        return math.prod(self.shape) * BITS[self.dtype] // 8


class SafetensorsFile:
    """A file whose header was checked; tensors are views of the file, read when they are used.

    **Raises** `BadInput`, one sentence with the file, the tensor and the rule, for every defect.
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = Path(path)
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                self.entries, self.metadata, self._offset = read_header(file, size, self.path)
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise BadInput(f"{path} cannot be read ({error.strerror or error}): give a safetensors file") from None

    def read(self, name: str) -> np.ndarray:
        """A tensor, read-only: a view of the file (of bytes, where NumPy has no such type)."""
        entry = self.entries[name]
        kind, shape = TYPES.get(entry.dtype), entry.shape
        if kind is None:
            kind, shape = np.dtype(np.uint8), (entry.bytes,)
        if not entry.bytes:
            return np.empty(shape, kind)
        found = np.frombuffer(self._map, kind, math.prod(shape), self._offset + entry.start).reshape(shape)
        return found if found.flags.aligned else found.copy()

    def release(self, name: str) -> None:
        """Lets go of the memory of a tensor that was read; it is read from the file again where it is used again."""
        entry = self.entries[name]
        start = -(-(self._offset + entry.start) // PAGE) * PAGE
        stop = (self._offset + entry.stop) // PAGE * PAGE
        if stop > start and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, start, stop - start)


# --- the header is read ---


def read_header(file: Any, size: int, path: Path) -> tuple[dict[str, Entry], dict[str, str], int]:
    """Entries in the order of their bytes, what `__metadata__` says, and where the data begin."""
    if size < 8:
        raise BadInput(f"{path} holds {size} bytes, too few for a header: it was cut, or is no safetensors")
    first = file.read(8)
    length = struct.unpack("<Q", first)[0]
    if first == LFS:
        raise BadInput(f"{path} is a pointer of Git LFS, not the file it points to: fetch it with `git lfs pull`")
    if length > LONGEST:
        raise BadInput(f"{path}: its header would take {length:,} bytes, where {LONGEST:,} are allowed: no safetensors")
    if 8 + length > size:
        raise BadInput(f"{path} was cut: its header takes {length:,} bytes, and {size - 8:,} are left: fetch it again")
    told = parsed(file.read(length), path)
    metadata = checked_metadata(told.pop("__metadata__", {}), path)
    entries = {name: checked_entry(name, words, path) for name, words in told.items()}
    return in_order(entries, size - 8 - length, path), metadata, 8 + length


def parsed(data: bytes, path: Path) -> dict[str, Any]:
    """The JSON object of a header, without duplicate keys."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
            raise BadInput(f"{path}: its header names {shown(twice)} twice: which is meant is not known")
        return found

    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except BadInput:
        raise
    except (ValueError, RecursionError):  # of which UnicodeDecodeError is one
        raise BadInput(f"{path}: its header is no JSON: it was changed, or is no safetensors") from None
    if not isinstance(found, dict) or data[:1] != b"{":
        raise BadInput(f"{path}: its header is no JSON object: it was changed, or is no safetensors")
    return found


def checked_metadata(told: Any, path: Path) -> dict[str, str]:
    """`__metadata__`: words by name."""
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise BadInput(f"{path}: __metadata__ holds something else than text by name: the format allows nothing else")
    return told


def checked_entry(name: str, words: Any, path: Path) -> Entry:
    """An entry whose name, type, shape and size are right."""
    check_name(name, path)
    said = f"{path}: the tensor {shown(name)}"
    if not isinstance(words, dict) or set(words) != {"dtype", "shape", "data_offsets"}:
        raise BadInput(f"{said} is not told by dtype, shape and data_offsets, and these alone")
    dtype, shape, offsets = words["dtype"], words["shape"], words["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise BadInput(f"{said} is of the type {shown(dtype)}, which is none of {', '.join(BITS)}")
    if not whole_numbers(shape) or len(shape) > AXES:
        raise BadInput(f"{said} has the shape {shown(shape)}: at most {AXES} sizes are wanted, whole numbers from 0")
    if not whole_numbers(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise BadInput(f"{said} has the offsets {shown(offsets)}: a beginning and an end are wanted, whole numbers")
    bits = math.prod(shape) * BITS[dtype]
    if bits > 8 * MOST or any(size > MOST for size in shape):
        raise BadInput(f"{said} has the shape {shown(shape)}, more bytes than 2^63: its header was changed")
    if bits % 8 or bits // 8 != offsets[1] - offsets[0]:
        wanted = f"{bits / 8:,g}" if bits % 8 else f"{bits // 8:,}"
        raise BadInput(
            f"{said}, {dtype} {list(shape)}, takes {wanted} bytes, and its offsets hold {offsets[1] - offsets[0]:,}"
        )
    return Entry(dtype, tuple(shape), *offsets)


def check_name(name: str, path: Any) -> None:
    """That a name is no path out of a folder, nor unprintable: tools that write tensors to files by name exist."""
    steps = re.split(r"[/\\]", name)
    if not name or not name.isprintable() or ".." in steps or steps[0] == "" or re.match(r"[A-Za-z]:[/\\]", name):
        raise BadInput(f"{path}: the tensor {shown(name)} has a name that leads out of a folder, or cannot be printed")


def whole_numbers(values: Any) -> bool:
    """Whether it is a list of such."""
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def in_order(entries: dict[str, Entry], size: int, path: Path) -> dict[str, Entry]:
    """Entries in the order of their bytes, which follow one another to the end of the file."""
    end, last = 0, ""
    ordered = dict(sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)))
    for name, entry in ordered.items():
        if entry.start < end:
            raise BadInput(f"{path}: the tensors {shown(last)} and {shown(name)} overlap: its header was changed")
        if entry.start > end:
            raise BadInput(f"{path}: {entry.start - end:,} bytes before the tensor {shown(name)} belong to none")
        end, last = entry.stop, name
    if end > size:
        raise BadInput(f"{path} was cut: its tensors take {end:,} bytes, and {size:,} are left: fetch it again")
    if end < size:
        raise BadInput(f"{path}: the last {size - end:,} bytes belong to no tensor: it was changed")
    return ordered


def shown(value: Any) -> str:
    """A piece of a stranger's file, short enough and printable."""
    text = ascii(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# --- and written ---


def type_name(dtype: np.dtype) -> str | None:
    """The format's name of a NumPy type; None where it has none."""
    return _NAMES.get(dtype.newbyteorder("<") if dtype.byteorder == ">" else dtype)


def storage_order(entries: Mapping[str, Entry]) -> list[str]:
    """The order in which tensors are written: wide types first, that all are aligned, and then by name."""
    return sorted(entries, key=lambda name: (-BITS[entries[name].dtype], name))


def header(entries: Mapping[str, Entry], metadata: Mapping[str, str] | None = None) -> bytes:
    """All that precedes the data: what is to be written, in `storage_order`; offsets are worked out here."""
    told: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    start = 0
    for name in storage_order(entries):
        check_name(name, "the file to be written")
        entry = entries[name]
        stop = start + entry.bytes
        told[name] = {"dtype": entry.dtype, "shape": list(entry.shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST:
        raise BadInput(f"the names of {len(told):,} tensors take {len(text):,} bytes: write them to several files")
    return struct.pack("<Q", len(text)) + text


def as_bytes(array: np.ndarray) -> np.ndarray:
    """An array as the bytes that a file holds."""
    array = np.ascontiguousarray(array)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.reshape(-1).view(np.uint8)


def write_safetensors(file: Any, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Writes arrays by name to an open binary file. Raises `BadInput` for types that the format has not."""
    entries = {name: entry_of(name, array) for name, array in arrays.items()}
    file.write(header(entries, metadata))
    for name in storage_order(entries):
        file.write(as_bytes(arrays[name]))


def entry_of(name: str, array: np.ndarray) -> Entry:
    """What a header says of an array."""
    kind = type_name(array.dtype)
    if kind is None:
        raise BadInput(f"the tensor {shown(name)} is of the type {array.dtype}, which safetensors files do not hold")
    return Entry(kind, tuple(array.shape))


def total(entries: Iterable[Entry]) -> int:
    """Bytes of data."""
    return sum(entry.bytes for entry in entries)


__all__: Sequence[str] = ["FLOATS", "TYPES", "Entry", "SafetensorsFile", "write_safetensors"]
