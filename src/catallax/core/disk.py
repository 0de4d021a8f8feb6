"""Files that are whole or not there at all: written under another name, flushed to disk, renamed.

A seal (a sha256 of all that precedes, as the comment of a zip file) shows what was cut or changed afterwards.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catallax.core.errors import BadInput

SEAL = 64  # characters of a sha256


def make_folder(folder: Path) -> None:
    """Makes a folder; BadInput where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{folder} cannot be made a folder ({error.strerror}): give another path") from None


def flush(path: Path) -> None:
    """A file's bytes, or a folder's names, down to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Any]:
    """A file that appears under its name when all of it is on disk, or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(part, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    flush(path.parent)


def seal(file: Any) -> None:
    """Makes the sha256 of a zip file its comment, whose length is the last field before it."""
    file.seek(-2, os.SEEK_END)
    file.write(SEAL.to_bytes(2, "little"))
    file.seek(0)
    code = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0, os.SEEK_END)
    file.write(code.encode())


def sealed(data: bytes) -> bool:
    """Whether `data` ends in its own seal."""
    return hashlib.sha256(memoryview(data)[:-SEAL]).hexdigest().encode() == data[-SEAL:]
