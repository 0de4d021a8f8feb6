"""Inputs of the benchmarks, fetched from their public origins: `python -m benchmarks.data` (`make data`).

Each input is a row of the table below: its name, where it comes from, the sha256 that it must have, its
licence. A file lands in benchmarks/.data/ (not in version control) only when its hash is right. Who has a
folder ../shared/data beside the repository uses the file of that name there, hash checked just the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".data"
SHARED = HERE.parent.parent / "shared" / "data"


@dataclasses.dataclass(frozen=True)
class Origin:
    """One input. `name` is its path under benchmarks/.data/, or under ../shared/data."""

    name: str
    url: str
    sha256: str
    licence: str


ORIGINS: tuple[Origin, ...] = (
    Origin(
        "economy/fairpyx_ariel_5783_input.json",
        "https://raw.githubusercontent.com/ariel-research/fairpyx/0715b72c75b3341bb77251f810057c0601cae2af/"
        "experiments/data/ariel_5783_input.json",
        "e15052c7aa5bc7027b25e1bd63908b96c4716877f2a87df2f7db07169a5d70d8",
        "MIT",
    ),
    Origin(
        "economy/gavel_simulation_throughputs.json",
        "https://raw.githubusercontent.com/stanford-futuredata/gavel/c4fa40097339e9608ab71fd64c8bdea96a5e4a4c/"
        "scheduler/simulation_throughputs.json",
        "17111f7295f03265fd9e5118d7eba31e3dd9d6e50a2e215c13ad3d3f91f74381",
        "MIT",
    ),
)


class Unavailable(Exception):
    """An input is not at hand, or is not what it should be; the sentence says which and what to do."""


def path(name: str) -> Path:
    """Where the input `name` lies, hash checked; fetched where it does not lie anywhere yet.

    Raises `KeyError` for a name that is not in the table, `Unavailable` where it cannot be had.
    """
    origin = {origin.name: origin for origin in ORIGINS}[name]
    for folder in (FOLDER, SHARED):
        if (folder / name).is_file() and digest(folder / name) == origin.sha256:
            return folder / name
    return fetch(origin)


def fetch(origin: Origin, folder: Path = FOLDER) -> Path:
    """Download one input into `folder`; the file appears there whole and right, or not at all."""
    target = folder / origin.name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        with urllib.request.urlopen(origin.url, timeout=60) as source, part.open("wb") as sink:
            while block := source.read(1 << 20):
                sink.write(block)
        found = digest(part)
        if found != origin.sha256:
            raise Unavailable(
                f"{origin.name}: {origin.url} has sha256 {found}, not {origin.sha256} as the table says: "
                "it changed at its origin; check it and mend the table"
            )
        part.replace(target)
    except (urllib.error.URLError, TimeoutError) as error:
        raise Unavailable(f"{origin.name}: {origin.url} cannot be reached ({error}); try again later") from error
    finally:
        part.unlink(missing_ok=True)
    return target


def digest(file: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> int:
    """Say where each input lies, fetching what is missing; the exit code is 1 where one is not to be had."""
    failed = 0
    for origin in ORIGINS:
        try:
            print(f"{origin.name}: {path(origin.name)} ({origin.licence})")
        except Unavailable as error:
            failed = 1
            print(error, file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main())
