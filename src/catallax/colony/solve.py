"""`solve`: cities in, a short tour and its certificate out; and again, when the world has changed.

    answer = solve(points, seconds=10)                                    order, length, at most so far above the shortest
    later = answer.update(add=[[3.0, 4.0]], remove=[7], seconds=1)        keeps what the colony knows

A door to `Tour` and `run`: the tour is set up, kernels are made ready (not counted), and the colony cools down
within the seconds given. `rounds` in their place give the same tour bit for bit, on every machine.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.tour import Tour
from catallax.colony.tours.ground import ground_of
from catallax.core.errors import BadInput
from catallax.core.outcome import Status
from catallax.core.run import run

LONG = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Change:
    """What changes in the world: `add` coordinates [new, 2] (with a matrix: see `update`), `remove` cities, `move` a city to
    coordinates, `close` pairs of cities, `driven`: the cities visited so far, in order.
    """

    add: Any = None
    remove: Sequence[Any] = ()
    move: Mapping[Any, Any] = dataclasses.field(default_factory=dict)
    close: Iterable[Sequence[Any]] = ()
    driven: Sequence[Any] | None = None
    names: Sequence[str] | None = None
    matrix: Any = None


@dataclasses.dataclass(frozen=True)
class Solution:
    """A tour. `order` [cities]; `length`, float64, recomputed; `bound`: no tour is shorter (NaN: none known); `gap`: it is at
    most this share longer than the shortest; `changes` tried; `rounds`, `seconds` of search; `history` [looks, 2]: seconds
    and length; `tour`: the problem; `colony`: what it knows.
    """

    order: Int[np.ndarray, " cities"]
    length: float
    bound: float
    gap: float
    changes: int
    rounds: int
    seconds: float
    status: Status
    history: Float[np.ndarray, "looks 2"]
    tour: Tour
    colony: Any

    @property
    def names(self) -> tuple[Any, ...]:
        """The cities' names, or numbers, in the order of the tour."""
        names = self.tour.ground.names
        return tuple(self.order.tolist()) if names is None else tuple(names[city] for city in self.order)

    def update(
        self,
        *,
        add: Any = None,
        remove: Sequence[Any] = (),
        move: Mapping[Any, Any] | None = None,
        close: Iterable[Sequence[Any]] = (),
        driven: Sequence[Any] | None = None,
        names: Sequence[str] | None = None,
        matrix: Any = None,
        seconds: float | None = None,
        rounds: int | None = None,
        seed: int = 0,
        look: Callable | None = None,
    ) -> "Solution":
        """The tour again after a change, from what the colony knows.

        `add` [new, 2]: coordinates of new cities, which come last in the numbering, and their `names`; `remove`: cities
        (index or name) that are dropped, the others keep their order and close the gaps in the numbering; `move`: city to
        new coordinates; `close`: pairs of cities between which the way is closed; `driven`: the cities visited so far, in
        order, which no search changes any more. With a matrix `add` is the number of new cities, and `matrix` that of all
        cities after the change. All indices are of this solution's cities.
        """
        change = Change(add, remove, dict(move or {}), tuple(close), driven, names, matrix)
        tour, colony = changed(self.tour, self.colony, change)
        return search(tour, colony, seconds, rounds, seed, look)


def solve(
    cities: Any,
    seconds: float | None = None,
    *,
    rounds: int | None = None,
    seed: int = 0,
    look: Callable | None = None,
    **kind: Any,
) -> Solution:
    """A short tour and its certificate.

    `cities`: coordinates [cities, 2], a distance matrix, a TSPLIB or CSV file, a NetworkX graph; `seconds` of search on a
    warm kernel (default 1, or none where `rounds` are given); `look`: called some thirty times a second with a `Frame`; True
    ends the search, a `Change` changes the world while it goes on. Other arguments as in `Tour`.
    """
    tour = Tour(ground_of(cities, kind.pop("kind", None), kind.pop("names", None)), **kind)
    return search(tour, tour.society(), seconds, rounds, seed, look)


def search(tour: Tour, colony: Any, seconds: float | None, rounds: int | None, seed: int, look: Callable | None) -> Solution:
    """Lets the colony work; a `Change` that `look` returns is made between two rounds."""
    if seconds is None and rounds is None:
        seconds = 1.0
    ready(tour)
    began, done, history, wanted = time.monotonic(), 0, [], []
    while True:
        def watch(frame: Any) -> Any:
            history.append((time.monotonic() - began, float(frame.values["length"])))
            asked = look(frame) if look is not None else None
            if isinstance(asked, Change):
                wanted.append(asked)
            return bool(asked)

        left = None if seconds is None else max(1e-3, seconds - (time.monotonic() - began))
        from catallax.core.record import Record

        record = Record(every=1, folder=None, length=tour.watch()["length"])
        outcome = run(colony, LONG if rounds is None else rounds - done, seed + len(wanted), seconds=left, record=record, look=watch)
        colony, done = outcome.society, done + outcome.rounds
        if not wanted or outcome.status is not Status.STOPPED or not isinstance(wanted[-1], Change):
            break
        tour, colony = changed(tour, colony, wanted[-1])
        wanted.append(None)
    values = tour.outcome(colony).values
    took = time.monotonic() - began
    return Solution(
        values["order"], values["length"], values["bound"], values["gap"], colony.changes, done, took,
        outcome.status, np.array(history).reshape(-1, 2), tour, colony,
    )  # fmt: skip


def ready(tour: Tour) -> None:
    """Compiles or loads the kernels that a search will need, so that its seconds are its own."""
    from catallax.colony.ants import Colony

    colony: Colony = tour.society()
    colony.paced(1, None).advance(0, 1, 0)


def changed(tour: Tour, colony: Any, change: Change) -> tuple[Tour, Any]:
    """The tour after a change, and the colony on it."""
    from catallax.colony.memory import carried

    ground = tour.ground
    gone = {ground.of(city, "remove") for city in change.remove}
    places = None if ground.places is None else ground.places.copy()
    moved = {ground.of(city, "move"): np.asarray(place, float) for city, place in change.move.items()}
    if places is None and (moved or change.add is not None) and change.matrix is None:
        raise BadInput("cities of a matrix have no places: give the matrix of all cities after the change")
    stay = np.array([city for city in range(ground.cities) if city not in gone], np.int64)
    new = 0
    if places is not None:
        for city, place in moved.items():
            if place.shape != (2,):
                raise BadInput(f"move has {place.tolist()} for city {city}: give two coordinates")
            places[city] = place
        added = np.zeros((0, 2)) if change.add is None else np.atleast_2d(np.asarray(change.add, float))
        if added.shape[1] != 2:
            raise BadInput(f"add has the shape {list(added.shape)}: give coordinates [new, 2]")
        places, new = np.concatenate([places[stay], added]), len(added)
    matrix = ground.matrix
    if matrix is not None:
        new = 0 if change.add is None else int(change.add)
        matrix = matrix[np.ix_(stay, stay)] if change.matrix is None else np.asarray(change.matrix)
        if matrix.shape != (len(stay) + new,) * 2:
            raise BadInput(f"matrix has the shape {list(matrix.shape)}: {len(stay) + new} cities are left after the change")
    was = np.concatenate([stay, np.full(new, -1)])
    now = np.full(ground.cities, -1)
    now[stay] = np.arange(len(stay))
    names = ground.names
    if names is not None:
        fresh = change.names or [f"new {k + 1}" for k in range(new)]
        names = (*(names[city] for city in stay), *fresh)
    closed = [(ground.of(a, "close"), ground.of(b, "close")) for a, b in change.close]
    pairs = now[np.concatenate([ground.closed, np.array(closed, np.int64).reshape(-1, 2)])]
    symmetric = ground.symmetric if change.matrix is None else bool((matrix == matrix.T).all())
    from catallax.colony.tours.ground import Ground, checked

    display = None if ground.display is None or new else ground.display[stay]
    after = checked(Ground(ground.kind, places, matrix, symmetric, names, pairs[(pairs >= 0).all(axis=1)], None, display))
    driven = tour.facts.plan.driven if change.driven is None else tuple(ground.of(city, "driven") for city in change.driven)
    route = tour.route | dict(driven=tuple(int(now[city]) for city in driven if now[city] >= 0))
    if route["end"] is not None:
        route["end"] = None if now[route["end"]] < 0 else int(now[route["end"]])
    later = Tour(after, **route, ants=None, **tour.facts.settings)
    return later, carried(later, tour, colony, was, [int(now[c]) for c in moved if now[c] >= 0])
