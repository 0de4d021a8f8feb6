"""What is asked of a colony, in terms that it can work with: which tour, and by what law it is to be found.

Everything here is checked once, before any search, and named in a sentence where it is impossible.

    T. Skinderowicz, Improving Ant Colony Optimization efficiency for solving large TSP instances, Applied Soft Computing 120,
    2022 (how many focused ants).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt32

from catallax.colony.tours.chart import Plan
from catallax.colony.tours.ground import Ground
from catallax.core.errors import BadInput

TRAILS = ("on", "off", "frozen", "random")
LAWS = {
    "faint": (0.1, 10),
    "max-min": (0.2, 16),
    "focused": (0.1, 8),
}  # evaporation and candidates, where none are given
ANTS = 100  # at least, of law faint
CROWD = 8  # cities an ant, where there are many
MOST = 1000  # ants: more would make rounds too long to be looked at, and cooled, thirty times a second
BUILDERS = 25  # of law max-min
LABELS = 2**25  # of all ways of a round
HEAT = 0.4  # of the mean edge
REACH = 50


def shut(ground: Ground, closed: Iterable[Sequence[Any]]) -> Ground:
    """The ground with more closed edges."""
    pairs = [(ground.of(a, "closed"), ground.of(b, "closed")) for a, b in closed]
    if not pairs:
        return ground
    for a, b in pairs:
        if a == b:
            raise BadInput(f"closed has the pair ({a}, {b}): give two different cities")
    return ground._replace(closed=np.concatenate([ground.closed, np.array(pairs, np.int64)]))


def plan_of(ground: Ground, round_trip: bool, start: Any, end: Any, driven: Sequence[Any]) -> Plan:
    """What is asked for. Raises `BadInput` where it contradicts itself."""
    way = tuple(ground.of(city, "driven") for city in driven)
    if len(set(way)) < len(way):
        raise BadInput("driven comes through a city twice: give each once, in order")
    if start is not None:
        first = ground.of(start, "start")
        if way and way[0] != first:
            raise BadInput(f"start is {start!r}, and driven begins with {driven[0]!r}: give one of them")
        way = way or (first,)
    if len(way) >= ground.cities:
        raise BadInput("driven comes through all cities: nothing is left to find")
    if end is None:
        return checked_plan(ground, Plan(not round_trip, way))
    if round_trip:
        raise BadInput("end is given, and a round trip ends where it starts: leave one out (round_trip=False)")
    last = ground.of(end, "end")
    if last in way:
        raise BadInput(f"end is {end!r}, where the tour has been already: give another city")
    return checked_plan(ground, Plan(True, way, last))


def checked_plan(ground: Ground, plan: Plan) -> Plan:
    """The plan, unless the ground ties cities in a way that it cannot keep."""
    if ground.tied and (plan.opened or plan.driven):
        raise BadInput("the file ties two cities: only a round trip that has not begun can keep them together")
    return plan


def check_settings(given: dict[str, Any]) -> None:
    """Numbers and words that a colony can work with."""
    if given["law"] not in LAWS:
        raise BadInput(f"law is {given['law']!r}: give one of {', '.join(LAWS)}")
    if given["trails"] not in TRAILS:
        raise BadInput(f"trails is {given['trails']!r}: give one of {', '.join(TRAILS)}")
    if given["evaporation"] is not None and not 0 < given["evaporation"] <= 1:
        raise BadInput(f"evaporation is {given['evaporation']!r}: give a share in (0, 1]")
    if not 0 <= given["heat"] < np.inf:
        raise BadInput(f"heat is {given['heat']!r}: give a number of mean edges, at least 0")
    for name, least in (("reach", 1), ("candidates", 2), ("threads", 1)):
        if name == "candidates" and given[name] is None:
            continue
        if not isinstance(given[name], (int, np.integer)) or isinstance(given[name], bool) or given[name] < least:
            raise BadInput(f"{name} is {given[name]!r}: give a whole number of at least {least}")


def chosen(settings: dict[str, Any]) -> tuple[float, int]:
    """Evaporation and candidates, as given or the law's."""
    evaporation, candidates = LAWS[settings["law"]]
    lost, many = settings["evaporation"], settings["candidates"]
    return float(evaporation if lost is None else lost), int(candidates if many is None else many)


def crew(ants: Any, labels: int, law: str = "faint") -> UInt32[np.ndarray, " ants"]:
    """Ids of ants. By default as many as the law wants: focused ants 4 sqrt(labels) (Skinderowicz)."""
    if ants is None:
        wanted = dict(faint=min(max(ANTS, labels // CROWD), MOST), focused=int(4 * labels**0.5)) | {"max-min": BUILDERS}
        ants = wanted[law] if law == "faint" else max(1, min(wanted[law], LABELS // labels))
    if isinstance(ants, (int, np.integer)) and not isinstance(ants, bool):
        if not 1 <= ants < 2**31:
            raise BadInput(f"ants is {ants}: give at least one")
        return np.arange(ants, dtype=np.uint32)
    ids = np.asarray(ants)
    if ids.ndim != 1 or not ids.size or ids.dtype.kind not in "iu":
        raise BadInput(f"ants is {ants!r}: give how many, or their ids")
    if ids.min() < 0 or ids.max() >= 2**32 or len(np.unique(ids)) < len(ids):
        raise BadInput("ants has an id twice, or one that is no whole number from 0 to 2^32 - 1: give each ant its own")
    return ids.astype(np.uint32)
