"""`solve`: cities in, a short tour and its certificate out; and again, when the world has changed.

    answer = solve(points, seconds=10)                                    order, length, at most so far above the shortest
    later = answer.update(add=[[3.0, 4.0]], remove=[7], seconds=1)        keeps what the colony knows

A door to `Tour` and `run`: kernels are made ready, which is not counted, and the colony cools down within the seconds given,
setting up included. `rounds` in their place give the same tour bit for bit, on every machine.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.change import Change, changed
from catallax.colony.memory import carried
from catallax.colony.request import shut
from catallax.colony.tour import Tour
from catallax.colony.tours.chart import cities_of
from catallax.colony.tours.ground import Ground, ground_of
from catallax.colony.tours.start import between
from catallax.core.outcome import Status
from catallax.core.record import Record
from catallax.core.run import check_count, check_seconds, run

LONG = 2**31 - 1  # rounds
SHORTEST = 1e-3  # seconds that a search has at least
FEW = 12  # cities on which kernels are tried: more than are solved exactly


@dataclasses.dataclass(frozen=True)
class Solution:
    """A tour. `order` [cities]; `length`, float64, recomputed; `changes` that ants have tried; `rounds`; `seconds`, setting
    up included and compiling not; `history` [looks, 2]: seconds and length; `notes`: sentences on what came out otherwise
    than one would think; `tour`: the problem; `colony`: what it knows.
    """

    order: Int[np.ndarray, " cities"]
    length: float
    changes: int
    rounds: int
    seconds: float
    status: Status
    history: Float[np.ndarray, "looks 2"]
    notes: tuple[str, ...]
    tour: Tour
    colony: Any

    @property
    def bound(self) -> float:
        """No tour is shorter. Found when it is first asked for; NaN: none is known."""
        return self.tour.bound()

    @property
    def gap(self) -> float:
        """The tour is at most this share longer than the shortest; NaN: unknown."""
        if self.bound > 0:
            return self.length / self.bound - 1
        return 0.0 if self.length == self.bound else float("nan")

    @property
    def names(self) -> tuple[Any, ...]:
        """The cities' names, or numbers, in the order of the tour."""
        names = self.tour.ground.names
        return tuple(self.order.tolist()) if names is None else tuple(names[city] for city in self.order)

    def to_networkx(self) -> Any:
        """The tour as a NetworkX graph of its edges, with their `weight`; directed where distances or the tour are."""
        from catallax.colony.tours.graphs import to_networkx

        return to_networkx(self.tour.ground, self.order, self.tour.facts.plan.opened)

    def update(
        self,
        *,
        add: Any = None,
        remove: Any = (),
        move: Any = None,
        close: Any = (),
        driven: Any = None,
        names: Any = None,
        matrix: Any = None,
        seconds: float | None = None,
        rounds: int | None = None,
        seed: int = 0,
        look: Callable | None = None,
    ) -> "Solution":
        """The tour again after a change, from what the colony knows: its way, its trails, its ants' merits.

        What changes as in `Change`, by this solution's numbering; `seconds`, `rounds`, `seed`, `look` as in `solve`. What
        was closed stays closed, what was driven stays driven.
        """
        change = Change(add, remove, move, close, driven, names, matrix)
        search = Search(seconds, rounds, seed, look)
        return search.through(*search.carried(self.tour, self.colony, change))


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

    `cities`: coordinates [cities, 2], a distance matrix, a TSPLIB or CSV file, a NetworkX graph; `seconds` for all but the
    compiling (default 1, or no limit where `rounds` are given); `look`: called some thirty times a second with a `Frame`;
    True ends the search, a `Change`, by the numbering of the moment, changes the world while it goes on. Other arguments as
    in `Tour`. Raises `BadInput`, a sentence, for what is no such thing.
    """
    search = Search(seconds, rounds, seed, look)
    ground = shut(ground_of(cities, kind.pop("kind", None), kind.pop("names", None)), kind.pop("closed", ()))
    rehearse(ground, kind)
    search.clock = time.monotonic()
    tour = Tour(ground, **kind)
    return search.through(tour, tour.society())


class Search:
    """One call of `solve` or `update`: its budget, its clock (which stands still while kernels are compiled), its history."""

    def __init__(self, seconds: float | None, rounds: int | None, seed: int, look: Callable | None):
        check_seconds(seconds)
        check_count("rounds", LONG if rounds is None else rounds)
        self.seconds = 1.0 if seconds is None and rounds is None else seconds
        self.rounds, self.seed, self.look = LONG if rounds is None else rounds, seed, look
        self.clock, self.wanted = time.monotonic(), None
        self.history: list[tuple[float, float]] = []
        self.notes: list[str] = []

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.clock

    def carried(self, tour: Tour, colony: Any, change: Change) -> tuple[Tour, Any]:
        """The tour after a change, and the colony on it."""
        after = changed(tour, change)
        paused = time.monotonic()
        rehearse(after.tour.ground, after.tour.route | after.tour.facts.settings, moving=True)
        self.clock += time.monotonic() - paused
        self.notes += after.notes
        return after.tour, carried(after, tour, colony)

    def through(self, tour: Tour, colony: Any) -> Solution:
        """Lets the colony work; a change that `look` wants is made between two rounds."""
        done, tried = 0, colony.changes
        record = Record(every=1, length=lambda colony: tour.watch()["length"](colony))
        while True:
            left = None if self.seconds is None else max(SHORTEST, self.seconds - self.spent)
            outcome = run(colony, self.rounds - done, self.seed, seconds=left, record=record, look=self.watch)
            colony, done, change, self.wanted = outcome.society, done + outcome.rounds, self.wanted, None
            if change is None or outcome.status is Status.INTERRUPTED:
                break
            tour, colony = self.carried(tour, colony, change)
            self.seed += 1
        return self.solution(tour, colony, done, tried, outcome.status)

    def watch(self, frame: Any) -> bool:
        """Writes the history; whether the run is to stop here."""
        self.history.append((self.spent, float(frame.values["length"])))
        asked = self.look(frame) if self.look is not None else None
        self.wanted = asked if isinstance(asked, Change) else None
        return bool(asked)

    def solution(self, tour: Tour, colony: Any, rounds: int, tried: int, status: Status) -> Solution:
        """What was found."""
        took, order = self.spent, cities_of(tour.chart, colony.best.order)
        length = tour.length(order)
        if np.isinf(length):
            self.notes.append("no tour without a closed edge was found: the length is infinite")
        history, notes = np.array(self.history).reshape(-1, 2), tuple(self.notes)
        return Solution(order, length, colony.changes - tried, rounds, took, status, history, notes, tour, colony)


def rehearse(ground: Ground, kind: Mapping[str, Any], moving: bool = False) -> None:
    """Compiles or loads all kernels that a search on this ground will need, on a few of its cities; `moving`: those that
    carry a colony to a changed world as well.
    """
    some = np.unique(np.concatenate([ground.closed[:1].ravel(), np.arange(min(FEW, ground.cities))]))
    places = None if ground.places is None else ground.places[some]
    matrix = None if ground.matrix is None else ground.matrix[np.ix_(some, some)]
    few = Ground(ground.kind, places, matrix, ground.symmetric, None, np.searchsorted(some, ground.closed[:1]))
    settings: Any = dict(kind) | dict(driven=(), start=None, end=None, ants=1)
    tour = Tour(few, **settings)
    colony = tour.society()
    if ground.symmetric:
        between(tour.chart.metric, np.arange(len(some)))  # of few cities, too few pieces are left for it
    if moving:
        colony = carried(changed(tour, Change()), tour, colony)
    colony.ready()
