"""The shortest way through all cities, by a colony: no ant knows the tour, and none plans it.

    silence             ants told nothing: each mends and changes a way of its own, and somebody takes the shortest
    signal              one trodden way and the pheromone on it: ants change it in turn, where the trail is faint
    planner             exact for few cities (dynamic programming), else LKH (elkai) or OR-Tools where installed
    full information    every ant sees every way at once and starts from the shortest: only one change a round survives

Headline: efficiency, a lower bound on every tour over the length found (1: proven shortest; the bound itself is some .7 %
below the optimum as a rule). The bound is Held and Karp's: a minimum 1-tree of the *complete* graph, at multipliers found on
candidate edges; for one-way distances the assignment bound. Lengths are recomputed in float64 by other code than the search.

    M. Held and R. M. Karp, The traveling-salesman problem and minimum spanning trees, Operations Research 18, 1970.
    T. Stuetzle and H. H. Hoos, MAX-MIN Ant System, Future Generation Computer Systems 16, 2000.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Int, UInt32

from catallax.colony.tours.chart import Chart, Plan, chart_of, cities_of, driven_length
from catallax.colony.tours.ground import Ground, ground_of, route_length
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.core.scene import Scene
from catallax.core.society import Society

LAWS = ("faint",)
TRAILS = ("on", "off", "frozen", "random")
ANTS = 100  # at least
CROWD = 8  # cities an ant, where there are many
HEAT = 0.4  # of the mean edge
REACH = 50
CANDIDATES = 8
EVAPORATION = 0.1


class Facts:
    """What a tour is made of, and what has been found out about it once and for all."""

    def __init__(self, ground: Ground, plan: Plan, chart: Chart, ids: UInt32[np.ndarray, " ants"], settings: dict[str, Any]):
        self.ground, self.plan, self.chart, self.ids, self.settings = ground, plan, chart, ids, settings

    @cached_property
    def first(self) -> Any:
        """A greedy way, mended by 3-opt."""
        from catallax.colony.ants import mended
        from catallax.colony.tours.start import greedy

        return mended(self.chart, greedy(self.chart.metric, self.chart.near))

    @cached_property
    def bound(self) -> float:
        """A lower bound on every tour."""
        from catallax.colony.tours.certificate import lower_bound

        return lower_bound(self.ground, self.chart, self.first.order)


class Tour(Problem):
    """Cities, what kind of tour through them is wanted, and how the colony works.

    **Arguments:** `cities`: coordinates [cities, 2], a square matrix of distances (from row to column), the path of a
    TSPLIB or CSV file, or a NetworkX graph; `kind`: how coordinates are measured (PLANE, SPHERE for latitude and
    longitude in degrees, or one of TSPLIB's); `names` [cities]; `round_trip`: whether the tour comes home; `start`, `end`:
    where an open tour begins and ends (index or name); `driven`: cities that have been visited already, in order; `closed`:
    pairs of cities without a way between them; `ants`: how many, or their ids; `trails`: on, off, frozen or random;
    `evaporation`: the share of pheromone that is lost in a round; `heat`: of the first round, in mean edges; `reach`: how
    many cities apart an ant's cuts are at most; `candidates` of each city.

    Raises `BadInput`, a sentence, for what is no such thing.
    """

    facts: "Facts" = eqx.field(static=True)

    headline: ClassVar[str] = "efficiency"
    tolerance: ClassVar[float] = 0.05
    patience: ClassVar[int] = 200

    def __init__(
        self,
        cities: Any,
        *,
        kind: str | None = None,
        names: Iterable[str] | None = None,
        round_trip: bool = True,
        start: Any = None,
        end: Any = None,
        driven: Sequence[Any] = (),
        closed: Iterable[Sequence[Any]] = (),
        ants: Any = None,
        trails: str = "on",
        evaporation: float = EVAPORATION,
        heat: float = HEAT,
        reach: int = REACH,
        candidates: int = CANDIDATES,
    ):
        ground = shut(ground_of(cities, kind, names), closed)
        plan = plan_of(ground, round_trip, start, end, driven)
        settings = dict(trails=trails, evaporation=evaporation, heat=heat, reach=reach, candidates=candidates)
        check_settings(settings)
        chart = chart_of(ground, plan, candidates)
        self.facts = Facts(ground, plan, chart, crew(ants, len(chart.city)), settings)

    @property
    def ground(self) -> Ground:
        """The cities."""
        return self.facts.ground

    @property
    def chart(self) -> Chart:
        """The cities as the search labels them."""
        return self.facts.chart

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Any:
        """A colony that begins with a greedy tour, mended. Raises `Refused` with a leak."""
        if leak != 0:
            raise Refused("ants follow their noses: they reckon with no effect on the trail, their own or not")
        return self.begun(self.facts.first)

    def begun(self, way: Any, warmth: float = 1.0) -> Any:
        """A colony that begins with a way, at a share of the first heat."""
        from catallax.colony.ants import colony_of  # late: it loads numba

        set_ = self.facts.settings
        mean = (int(way.ticks) + self.chart.walls * self.chart.metric.wall) / len(self.chart.city)
        reach = np.full(len(self.facts.ids), set_["reach"])
        heat = float(warmth * set_["heat"] * mean)
        return colony_of(self.chart, way, reach, heat, set_["evaporation"], set_["trails"], self.facts.ids)

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`order` [cities], its `length`, the `bound`, the `gap` (length / bound - 1; NaN without a bound), `changes` tried."""
        colony: Any = society
        order = cities_of(self.chart, colony.best.order)
        return Outcome(society, values=self.valued(order) | dict(changes=colony.changes))

    def valued(self, order: Int[np.ndarray, " cities"]) -> dict[str, Any]:
        """What an order comes to."""
        length, bound = self.length(order), self.bound()
        gap = length / bound - 1 if bound > 0 else (0.0 if length == bound else float("nan"))
        return dict(order=order, length=length, bound=bound, gap=gap)

    def length(self, order: Int[np.ndarray, " cities"]) -> float:
        """Float64 length of a tour through `order`."""
        return route_length(self.ground, order, self.facts.plan.opened, len(self.facts.plan.driven))

    def bound(self) -> float:
        """No tour is shorter: computed once. NaN where there is none."""
        return self.facts.bound

    def gap(self, outcome: Outcome) -> float:
        """How far above the shortest it is at most, a share."""
        return float(outcome.gap)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency` (bound / length), `length`, `gap`."""
        length, bound = float(outcome.length), float(outcome.bound)
        efficiency = bound / length if length > 0 else 1.0
        return dict(efficiency=efficiency, length=length, gap=float(outcome.gap))

    def restrict(self, keep: Any) -> "Tour":
        """The same cities, and those ants alone."""
        return self.with_(ants=self.facts.ids[keep])

    def replicate(self, copies: int) -> "Tour":
        """So many times as many ants."""
        return self.with_(ants=len(self.facts.ids) * copies)

    def with_(self, **changed: Any) -> "Tour":
        """The same with other settings."""
        return Tour(self.ground, **(dict(ants=self.facts.ids) | self.route | self.facts.settings | changed))

    @property
    def route(self) -> dict[str, Any]:
        """What kind of tour, as arguments."""
        end = None if self.facts.plan.end < 0 else self.facts.plan.end
        return dict(round_trip=not self.facts.plan.opened, driven=self.facts.plan.driven, end=end)

    def watch(self) -> dict[str, Any]:
        """The length of the shortest way so far."""
        fixed = driven_length(self.ground, self.facts.plan)
        walls, scale = self.chart.walls * self.chart.metric.wall, self.chart.metric.scale
        return dict(length=lambda colony: np.float64((int(colony.best.ticks) + walls) / scale + fixed))

    def words(self) -> dict[str, str]:
        return dict(signal="pheromone", measure="lower bound over length", population="ants")

    def scene(self, society: Society) -> Scene:
        """The tour over its pheromone."""
        from catallax.colony.tours.picture import drawn

        return drawn(self, society)


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
    if given["trails"] not in TRAILS:
        raise BadInput(f"trails is {given['trails']!r}: give one of {', '.join(TRAILS)}")
    if not 0 < given["evaporation"] <= 1:
        raise BadInput(f"evaporation is {given['evaporation']!r}: give a share in (0, 1]")
    if not 0 <= given["heat"] < np.inf:
        raise BadInput(f"heat is {given['heat']!r}: give a number of mean edges, at least 0")
    for name, least in (("reach", 1), ("candidates", 2)):
        if not isinstance(given[name], (int, np.integer)) or isinstance(given[name], bool) or given[name] < least:
            raise BadInput(f"{name} is {given[name]!r}: give a whole number of at least {least}")


def crew(ants: Any, labels: int) -> UInt32[np.ndarray, " ants"]:
    """Ids of ants."""
    if ants is None:
        ants = max(ANTS, labels // CROWD)
    if isinstance(ants, (int, np.integer)) and not isinstance(ants, bool):
        if not 1 <= ants < 2**31:
            raise BadInput(f"ants is {ants}: give at least one")
        return np.arange(ants, dtype=np.uint32)
    ids = np.asarray(ants)
    if ids.ndim != 1 or not ids.size or ids.dtype.kind not in "iu":
        raise BadInput(f"ants is {ants!r}: give how many, or their ids")
    return ids.astype(np.uint32)

