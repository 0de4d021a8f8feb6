"""A world that changes: cities come, go and move, ways are closed, and the tour has been driven in part.

What is past stays: a city that the tour has come through can be neither dropped nor moved, and what was driven is as long as
it was, whatever is closed later. Cities that stay keep their order and close the gaps in the numbering; new ones come last.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.request import crew
from catallax.colony.tour import Tour
from catallax.colony.tours.ground import Ground, checked
from catallax.core.errors import BadInput


@dataclasses.dataclass(frozen=True)
class Change:
    """What changes in the world; every city is an index or a name of before.

    `add` [new, 2]: coordinates of new cities, and their `names`; `remove`: cities that are dropped; `move`: city to new
    coordinates; `close`: pairs of cities between which there is no way any more, in either direction; `driven`: all cities
    that the tour has come through, in order. With a matrix, `add` is how many cities are new, and `matrix` that of all
    cities after the change.
    """

    add: Any = None
    remove: Any = ()
    move: Any = None
    close: Any = ()
    driven: Any = None
    names: Any = None
    matrix: Any = None


class Changed(NamedTuple):
    """The tour after a change. `was` [cities]: which city of before each is, -1 for a new one; `moved` [cities]: whether it
    lies elsewhere now; `notes`: sentences on what the change has done to the question.
    """

    tour: Tour
    was: Int[np.ndarray, " cities"]
    moved: Any
    notes: tuple[str, ...]


def changed(tour: Tour, change: Change) -> Changed:
    """The tour after a change. Raises `BadInput`, a sentence, where there is no such change."""
    ground, plan = tour.ground, tour.facts.plan
    driven = driven_on(ground, plan.driven, change.driven)
    gone, moves = removed(ground, change, set(driven)), moved(ground, change, set(driven))
    stay = np.array([city for city in range(ground.cities) if city not in gone], np.int64)
    after, new = laid_out(ground, change, stay, moves)
    now = np.full(ground.cities, -1)
    now[stay] = np.arange(len(stay))
    later = later_tour(
        tour, checked(after), tuple(now[list(driven)].tolist()), int(now[plan.end]) if plan.end >= 0 else -1
    )
    elsewhere = np.zeros(len(stay) + new, bool)
    elsewhere[[now[city] for city in moves]] = True
    notes = () if plan.end < 0 or now[plan.end] >= 0 else ("the given end was removed: the tour now ends anywhere",)
    return Changed(later, np.concatenate([stay, np.full(new, -1)]), elsewhere, notes)


def later_tour(tour: Tour, ground: Ground, driven: tuple[int, ...], end: int) -> Tour:
    """The same question on another ground, asked of the same ants (of as many as are usual, where that was so)."""
    usual = len(tour.facts.ids) == len(crew(None, len(tour.chart.city), tour.facts.settings["law"]))
    asked: Any = tour.facts.settings | tour.route
    asked |= dict(driven=driven, end=None if end < 0 else end, ants=None if usual else tour.facts.ids)
    return Tour(ground, **asked)


# --- what is asked for ---


def driven_on(ground: Ground, before: tuple[int, ...], given: Any) -> tuple[int, ...]:
    """What has been driven by now: as before, or longer."""
    if given is None:
        return before
    now = tuple(ground.of(city, "driven") for city in listed("driven", given))
    if now[: len(before)] != before:
        raise BadInput(
            f"driven does not begin with {list(before)}, where the tour has been: give all cities driven, in order"
        )
    return now


def removed(ground: Ground, change: Change, driven: set[int]) -> set[int]:
    """Cities that go."""
    gone = {ground.of(city, "remove") for city in listed("remove", change.remove)}
    for city in sorted(gone & driven):
        raise BadInput(f"remove has {label(ground, city)}, where the tour has been: what is past stays, leave it out")
    return gone


def moved(ground: Ground, change: Change, driven: set[int]) -> dict[int, Float[np.ndarray, "2"]]:
    """Cities that move, and where to."""
    if not isinstance(change.move or {}, Mapping):
        raise BadInput(f"move is {change.move!r}: give a mapping from city to its new coordinates")
    given = {ground.of(city, "move"): place for city, place in (change.move or {}).items()}
    if given and ground.places is None:
        raise BadInput(
            "move has cities of a matrix, which have no places: give the matrix of all cities after the change"
        )
    gone = {ground.of(city, "remove") for city in change.remove}
    for city in given:
        if city in driven:
            raise BadInput(f"move has {label(ground, city)}, where the tour has been: what is past stays, leave it out")
        if city in gone:
            raise BadInput(f"move has {label(ground, city)}, which is removed as well: do one of the two")
    return {city: coordinates("move", place, (2,)) for city, place in given.items()}


def coordinates(field: str, given: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """Finite numbers of a shape (-1: as many as there are)."""
    try:
        table = np.asarray(given, float)
    except (TypeError, ValueError):
        raise BadInput(f"{field} has {given!r}, which is no table of numbers: give coordinates") from None
    if table.ndim != len(shape) or table.shape[-1] != shape[-1]:
        words = "two coordinates" if len(shape) == 1 else "coordinates [new, 2]"
        raise BadInput(f"{field} has the shape {list(table.shape)}: give {words}")
    if not np.isfinite(table).all():
        at = np.argwhere(~np.isfinite(table))[0].tolist()
        raise BadInput(f"{field} {at} is {table[tuple(at)]}: give finite coordinates")
    return table


def listed(field: str, given: Any) -> list[Any]:
    """Cities one by one: a name alone is no list of cities."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadInput(f"{field} is {given!r}: give a list of cities")
    return list(given)


def label(ground: Ground, city: int) -> str:
    """A city as the user calls it."""
    return str(city) if ground.names is None else repr(ground.names[city])


# --- the ground afterwards ---


def laid_out(
    ground: Ground, change: Change, stay: Int[np.ndarray, " some"], moves: dict[int, Any]
) -> tuple[Ground, int]:
    """The ground after the change, and how many cities are new."""
    places, matrix, symmetric = ground.places, ground.matrix, ground.symmetric
    if places is not None:
        if change.matrix is not None:
            raise BadInput("matrix is given, and the cities have places: give coordinates (add, move)")
        places = places.copy()
        for city, place in moves.items():
            places[city] = place
        added = np.zeros((0, 2)) if change.add is None else coordinates("add", change.add, (-1, 2))
        places, new = np.concatenate([places[stay], added]), len(added)
    else:
        new = count(change.add)
        matrix = after_matrix(ground, change, stay, new)
        symmetric = symmetric if change.matrix is None else bool((matrix == matrix.T).all())
    display = None if ground.display is None or new or change.matrix is not None else ground.display[stay]
    names = named(ground, change.names, stay, new)
    closed, tied = pairs(ground, change, stay)
    return Ground(ground.kind, places, matrix, symmetric, names, closed, tied, display), new


def count(add: Any) -> int:
    """How many cities a matrix gains."""
    if add is None:
        return 0
    if isinstance(add, bool) or not isinstance(add, (int, np.integer)) or add < 0:
        raise BadInput(f"add is {add!r}, and the cities have no places: give how many are new, and the matrix of all")
    return int(add)


def after_matrix(ground: Ground, change: Change, stay: Int[np.ndarray, " some"], new: int) -> np.ndarray:
    """The distances after the change."""
    if change.matrix is None:
        if new:
            raise BadInput(f"add is {new}, and there is no matrix: give that of all cities after the change")
        return ground.matrix[np.ix_(stay, stay)]
    try:
        matrix = np.asarray(change.matrix)
        matrix = matrix if matrix.dtype.kind in "iu" else matrix.astype(float)
    except (TypeError, ValueError):
        raise BadInput(
            "matrix is no table of numbers: give the distances between all cities after the change"
        ) from None
    if matrix.shape != (len(stay) + new,) * 2:
        raise BadInput(f"matrix has the shape {list(matrix.shape)}: {len(stay) + new} cities are left after the change")
    return matrix


def named(ground: Ground, given: Any, stay: Int[np.ndarray, " some"], new: int) -> tuple[str, ...] | None:
    """Names after the change; new cities have some even where none were given."""
    if ground.names is None:
        if given is not None:
            raise BadInput("names are given for new cities, and the others have none: leave them out")
        return None
    kept = tuple(ground.names[city] for city in stay)
    if given is None:
        free = (name for k in range(1, ground.cities + new + 1) if (name := f"new {k}") not in ground.names)
        return kept + tuple(next(free) for _ in range(new))
    fresh = tuple(str(name) for name in listed("names", given))
    if len(fresh) != new:
        raise BadInput(f"names has {len(fresh)} entries for {new} new cities: give one for each")
    twice = set(kept) & set(fresh) or {name for name in fresh if fresh.count(name) > 1}
    if twice:
        raise BadInput(f"names has {min(twice)!r}, and there is a city of that name: give another")
    return kept + fresh


def pairs(ground: Ground, change: Change, stay: Int[np.ndarray, " some"]) -> tuple[Any, tuple[int, int] | None]:
    """Closed edges, and the tied one, in the numbering after the change."""
    now = np.full(ground.cities, -1)
    now[stay] = np.arange(len(stay))
    closed = [closed_pair(ground, pair) for pair in listed("close", change.close)]
    every = now[np.concatenate([ground.closed, np.array(closed, np.int64).reshape(-1, 2)])]
    tied = None if ground.tied is None else (int(now[ground.tied[0]]), int(now[ground.tied[1]]))
    return every[(every >= 0).all(axis=1)], None if tied is None or min(tied) < 0 else tied


def closed_pair(ground: Ground, pair: Any) -> tuple[int, int]:
    """Two different cities."""
    if isinstance(pair, str) or not isinstance(pair, Iterable) or len(ends := list(pair)) != 2:
        raise BadInput(f"close has {pair!r}: give pairs of cities")
    a, b = (ground.of(city, "close") for city in ends)
    if a == b:
        raise BadInput(f"close has the pair ({label(ground, a)}, {label(ground, b)}): give two different cities")
    return a, b
