"""The systems that the command line knows by name, and how each is read from a file or taken from the package."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from catallax.core.errors import BadInput


class System(NamedTuple):
    """A name's meaning: a sentence, the columns of its files, how to read one, the example shipped, and drawn
    problems (seed -> problem).
    """

    summary: str
    columns: str
    read: Callable[[Path], Any]
    example: Callable[[], Any]
    drawn: Callable[[int], Any]


def _exchange() -> Any:
    from catallax.economy import Exchange

    return Exchange


SYSTEMS = {
    "exchange": System(
        "traders exchange what they own at prices: how much of the price need they be told?",
        "agent,endowment:<good>...,taste:<good>...[,elasticity]",
        lambda path: _exchange().read(path),
        lambda: _exchange().example(),
        lambda seed: _exchange().drawn(seed),
    )
}


def find(name: str) -> System:
    """The system of that name. Raises `BadInput` where there is none."""
    if name not in SYSTEMS:
        raise BadInput(f"there is no system {name!r}: there is {', '.join(SYSTEMS)} (see `catallax list`)")
    return SYSTEMS[name]


def load(name: str, path: Path | None) -> Any:
    """The problem of that name, from a file or as shipped. Raises `BadInput` for a name or a file that is none."""
    system = find(name)
    return system.example() if path is None else system.read(path)
