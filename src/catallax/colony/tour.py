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

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Int, UInt32

from catallax.colony.request import HEAT, REACH, check_settings, chosen, crew, plan_of, shut
from catallax.colony.tours.chart import Chart, Plan, chart_of, cities_of, driven_length
from catallax.colony.tours.ground import Ground, ground_of, route_length
from catallax.core.errors import Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.scene import Scene
from catallax.core.society import Society


class Facts:
    """What a tour is made of, and what has been found out about it once and for all: under other settings too."""

    def __init__(
        self, ground: Ground, plan: Plan, chart: Chart, ids: UInt32[np.ndarray, " ants"], settings: dict[str, Any]
    ):
        self.ground, self.plan, self.chart, self.ids, self.settings = ground, plan, chart, ids, settings
        self.found: dict[str, Any] = {}
        self.sought: dict[str, Lock] = defaultdict(Lock)
        self.shocked: Any = None  # (the tour of before, which cities have moved)

    def with_(self, ids: UInt32[np.ndarray, " ants"], settings: dict[str, Any]) -> "Facts":
        """The same under other settings."""
        facts = Facts(self.ground, self.plan, self.chart, ids, settings)
        facts.found, facts.sought, facts.shocked = self.found, self.sought, self.shocked
        return facts

    def once(self, name: str, find: Callable[[], Any]) -> Any:
        """What `find` finds, looked for once; who asks meanwhile, in another thread, waits."""
        with self.sought[name]:
            if name not in self.found:
                self.found[name] = find()
        return self.found[name]

    @property
    def first(self) -> Any:
        """A greedy way, mended by 3-opt; the shortest one where cities are few."""
        from catallax.colony.tours.first import first_way  # late: it loads numba

        return self.once("first", lambda: first_way(self.chart))

    @property
    def bound(self) -> float:
        """A lower bound on every tour."""
        from catallax.colony.tours.certificate import lower_bound

        return self.once("bound", lambda: lower_bound(self.ground, self.chart, self.first.order))


class Tour(Problem):
    """Cities, what kind of tour through them is wanted, and how the colony works.

    **Arguments:** `cities`: coordinates [cities, 2], a square matrix of distances (from row to column), the path of a
    TSPLIB or CSV file, or a NetworkX graph; `kind`: how coordinates are measured (PLANE, SPHERE for latitude and
    longitude in degrees, or one of TSPLIB's); `names` [cities]; `round_trip`: whether the tour comes home; `start`, `end`:
    where an open tour begins and ends (index or name); `driven`: cities that have been visited already, in order; `closed`:
    pairs of cities without a way between them; `law`: faint, max-min or focused (see `ants`); `ants`: how many, or their
    ids; `trails`: on, off, frozen or random; `evaporation`: the share of pheromone that is lost in a round, and `candidates`
    of each city (defaults: the law's); `heat`: of the first round, in mean edges, and `reach`: how many cities apart an
    ant's cuts are at most (both of faint ants); `threads`: crews of faint ants that work at once, each on a piece of the
    way, where it is long enough (500 cities each; another number gives another tour).

    Raises `BadInput`, a sentence, for what is no such thing.
    """

    facts: "Facts" = eqx.field(static=True)

    headline: ClassVar[str] = "efficiency"
    tolerance: ClassVar[float] = 0.05
    patience: ClassVar[int] = 200
    planning: ClassVar[float] = 10.0  # seconds of the planner's solver

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
        law: str = "faint",
        ants: Any = None,
        trails: str = "on",
        evaporation: float | None = None,
        heat: float = HEAT,
        reach: int = REACH,
        candidates: int | None = None,
        threads: int = 1,
    ):
        if isinstance(cities, Facts):
            self.facts = cities
            return
        ground = shut(ground_of(cities, kind, names), closed)
        plan = plan_of(ground, round_trip, start, end, driven)
        settings = dict(law=law, trails=trails, evaporation=evaporation, heat=heat, reach=reach)
        settings |= dict(candidates=candidates, threads=threads)
        check_settings(settings)
        chart = chart_of(ground, plan, chosen(settings)[1])
        self.facts = Facts(ground, plan, chart, crew(ants, len(chart.city), law), settings)

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
        from catallax.colony.ants import Manner, colony_of  # late: it loads numba

        set_, chart = self.facts.settings, self.chart
        mean = (int(way.ticks) + chart.walls * chart.metric.wall) / len(chart.city)
        manner = Manner(
            set_["law"], set_["trails"], chosen(set_)[0], float(warmth * set_["heat"] * mean), int(set_["reach"])
        )._replace(threads=int(set_["threads"]))
        return colony_of(chart, way, self.facts.ids, manner)

    def silence(self) -> Outcome:
        """Each of at most 64 ants (of more, some share a way) mends and changes a way of its own, and nobody hears of the
        others: as many changes in all as the colony makes in its patience. The shortest way counts; `lengths` [ways] of all.
        """
        from catallax.colony.regimes import apart

        return self.judged(*apart(self))

    def contest(self, leak: float = 1.0) -> Outcome:
        """Every ant sees every way and so begins from the shortest; of all changes of a round, the best alone survives.

        As many changes as the colony makes. `stagnation`: the round of the last one that was of use. Raises `Refused` for
        a `leak` below 1.
        """
        if leak != 1:
            raise Refused("a way is seen or it is not: full information among ants has no part of it")
        from catallax.colony.regimes import together

        return self.judged(*together(self))

    def plan(self) -> Outcome:
        """The shortest tour, of up to 18 cities; of more, what an installed solver finds in `planning` seconds.

        Raises `Refused` where neither elkai nor OR-Tools is installed, or there are too many cities for them.
        """
        from catallax.colony.regimes import planned

        return self.judged(*planned(self))

    def judged(self, values: dict[str, Any], notes: tuple[str, ...]) -> Outcome:
        """An outcome with its certificate, the gap: settled where that is within the tolerance."""
        gap = float(values["gap"])
        status = Status.SETTLED if gap <= self.tolerance else Status.UNSETTLED
        return Outcome(code=CODES.index(status), values=values, certificate=gap, notes=notes + self.proof(values))

    def proof(self, values: dict[str, Any]) -> tuple[str, ...]:
        """A note where the tour is proved to be a shortest one."""
        from catallax.colony.tours.certificate import slack

        beyond = (values["length"] - values["bound"]) * self.chart.metric.scale
        return ("proved shortest: no tour is shorter than its bound",) if beyond <= 2 * slack(self.chart) else ()

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`order` [cities], its `length`, the `bound`, the `gap` (length / bound - 1; NaN without a bound), `changes` tried."""
        colony: Any = society
        values = self.valued(cities_of(self.chart, colony.best.order)) | dict(changes=colony.changes)
        return Outcome(society, values=values, notes=self.proof(values))

    def valued(self, order: Int[np.ndarray, " cities"]) -> dict[str, Any]:
        """What an order comes to."""
        length = self.length(order)
        try:
            bound = self.bound()
        except KeyboardInterrupt:  # the tour that was found is kept, without a certificate
            bound = float("nan")
        if bound > 0:
            gap = length / bound - 1
        else:
            gap = 0.0 if length == bound else float("nan")
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

    def effect(self, outcome: Outcome) -> float:
        """The most influential ant's share of what has been saved (of other laws: of the ways trodden)."""
        return float(outcome.society.agents.influence().max())

    def gain(self, outcome: Outcome) -> float:
        """Refused: an ant has no tour of its own to gain by."""
        raise Refused("ants have no ends of their own: no ant gains by acting otherwise")

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Tour":
        """The same cities, and those ants alone (bool or indices)."""
        ids = self.facts.ids[np.asarray(keep)] if len(keep) else self.facts.ids[:0]
        if not ids.size:
            raise Refused("no ant would be left: there is nobody to change the way")
        return self.with_(ants=ids)

    def replicate(self, copies: int) -> "Tour":
        """So many times as many ants."""
        return self.with_(ants=len(self.facts.ids) * copies)

    def shocked(self, key: Any, size: float) -> "Tour":
        """A share `size` of the cities (not of those driven) moves to other places in the box around all of them.

        With a matrix: every row is multiplied by exp(size x normal); where it is symmetric, by the root of the factors of
        both cities. Whole numbers stay whole.
        """
        random = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())
        ground = self.ground
        moved = np.zeros(ground.cities, bool)
        if ground.places is None:
            after = ground._replace(matrix=disturbed(ground, random.normal(0, size, ground.cities)))
        else:
            free = np.setdiff1d(np.arange(ground.cities), self.facts.plan.driven)
            moved[random.permutation(free)[: round(size * len(free))]] = True
            places, low, high = ground.places.copy(), ground.places.min(axis=0), ground.places.max(axis=0)
            places[moved] = random.uniform(low, high, (int(moved.sum()), 2))
            after = ground._replace(places=places, display=None)
        tour = Tour(after, ants=self.facts.ids, **self.route, **self.facts.settings)
        tour.facts.shocked = self, moved
        return tour

    def carried(self, old: Society, keep: Any = None) -> Any:
        """A colony on this tour with the way and the trails of `old`, which is of the same cities or of those before a shock.

        `keep`: which of its ants these are; None: all.
        """
        colony: Any = old
        if keep is not None:
            ids, agents = colony.ids[keep], jax.tree.map(lambda rows: rows[keep], colony.agents)
            colony = eqx.tree_at(lambda c: (c.ids, c.agents), colony, (ids, agents))
        if same_world(colony.chart, self.chart):
            return colony
        if self.facts.shocked is None or not same_world(colony.chart, self.facts.shocked[0].chart):
            raise Refused("the colony is of another world: solve(...).update(...) says what of it has changed")
        from catallax.colony.change import Changed
        from catallax.colony.memory import carried

        before, moved = self.facts.shocked
        return carried(Changed(self, np.arange(self.ground.cities), moved, ()), before, colony)

    def with_(self, **changed: Any) -> "Tour":
        """The same with other settings."""
        settings = self.facts.settings | {name: x for name, x in changed.items() if name != "ants"}
        ants = changed.get("ants", self.facts.ids)
        check_settings(settings)
        if chosen(settings)[1] != chosen(self.facts.settings)[1]:
            tour = Tour(self.ground, ants=ants, **self.route, **settings)
            tour.facts.found |= {name: x for name, x in self.facts.found.items() if name == "bound"}
            return tour
        return Tour(self.facts.with_(crew(ants, len(self.chart.city), settings["law"]), settings))

    @property
    def route(self) -> dict[str, Any]:
        """What kind of tour, as arguments."""
        end = None if self.facts.plan.end < 0 else self.facts.plan.end
        return dict(round_trip=not self.facts.plan.opened, driven=self.facts.plan.driven, end=end)

    # --- what there is to look at ---

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


def same_world(one: Chart, other: Chart) -> bool:
    """Whether both are charts of the same cities at the same places."""
    return np.array_equal(one.city, other.city) and np.array_equal(one.near, other.near)


def disturbed(ground: Ground, noise: Any) -> np.ndarray:
    """The matrix with its rows multiplied by exp(noise), symmetric and whole where it is so."""
    noise = (noise[:, None] + noise) / 2 if ground.symmetric else noise[:, None]
    matrix = ground.matrix * np.exp(noise)
    whole = bool((ground.matrix == np.round(ground.matrix)).all())
    return np.round(matrix) if whole else matrix
