"""Traffic that routes itself: travellers hear how long every road takes, and go where it is quicker.

    silence           travellers know the map and nothing else: spread evenly over their paths
    signal            everyone hears times (and tolls) of the roads and takes them as given (Wardrop)
    planner           the least total time
    full information  every trip is one dispatcher's, who also knows what its own flow does to the times (Nash)

Road e takes the time t_e(X_e) = a_0 + a_1 X + a_2 X^2 + ... at flow X_e, and costs its toll too (in units of time). In
Wardrop's equilibrium no used path costs more than another. Hearing more of times alone may be worse than hearing less:
Braess' shortcut, known to all, makes all of them later. One number a road repairs it: Pigou's toll X* t'(X*), what one
more traveller costs the others at the optimum, makes the equilibrium optimal. Efficiency is the least total time
over the total time; tolls are paid, not lost.

Certificates are relative gaps in float64: sum_i (cost paid - demand x cheapest path) / cost paid.

J. Wardrop, Some theoretical aspects of road traffic research, Proc. ICE 1, 1952. A. Pigou, The economics of welfare, 1920.
D. Braess, Über ein Paradoxon aus der Verkehrsplanung, Unternehmensforschung 12, 1968.
T. Roughgarden and É. Tardos, How bad is selfish routing?, J. ACM 49, 2002 (at worst 4/3 for affine times).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status, digest
from catallax.core.problem import Problem
from catallax.core.scene import Scene
from catallax.core.settle import settle
from catallax.core.society import Society
from catallax.economy.checks import check_numbers
from catallax.economy.facts import floats, remember
from catallax.economy.network.assignment import Paths, assign, gap_of, most_to_save, paths_of
from catallax.economy.network.road_map import Road, drawn
from catallax.economy.network.roads import Times, Traveller, derivative, independent, stride, times

AIMS = (1e-6, 1e-7, 1e-8)  # of a contest: tolerances, one after the other, until its gap is within the first


class Routing(Problem):
    """A road network and those who want to cross it.

    **Fields:** `edges`: (from, to) of every road, nodes named as you like; `latency` [edges, powers]: coefficients >= 0 of
    1, X, X^2, ... in the time of a road at flow X; `trips`: (from, to) of everyone's trip, an agent each (several may be
    alike: so many dispatchers); `demand` [trips] > 0: how many travel; `toll` [edges], in units of time (default: none).

    **Raises** `BadInput` where a fact is missing or impossible, or a trip has over 2000 paths.
    """

    edges: tuple[Road, ...] = eqx.field(static=True, converter=lambda x: tuple(tuple(e) for e in x))
    latency: Float[Array, "edges powers"] = eqx.field(converter=floats)
    trips: tuple[Road, ...] = eqx.field(static=True, converter=lambda x: tuple(tuple(t) for t in x))
    demand: Float[Array, " trips"] = eqx.field(converter=floats)
    toll: Float[Array, " edges"] | None = eqx.field(converter=floats, default=None)

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        for field in ("edges", "trips"):
            if not getattr(self, field) or any(len(pair) != 2 for pair in getattr(self, field)):
                raise BadInput(f"Routing.{field} must be pairs (from, to), at least one")
        check_numbers("Routing.latency", self.latency, (len(self.edges), "powers"), 0.0)
        check_numbers("Routing.demand", self.demand, (len(self.trips),), np.nextafter(0, 1))
        if self.toll is not None:
            check_numbers("Routing.toll", self.toll, (len(self.edges),))
        for row, (start, stop) in enumerate(self.trips):
            if start == stop:
                raise BadInput(f"Routing.trips[{row}] goes from {start!r} to itself: give two places")
        _ = self.paths

    # --- the textbook ---

    @classmethod
    def pigou(cls, travellers: int = 1, power: int = 1) -> "Routing":
        """Two roads for one unit of traffic: one takes 1, the other X^power. With power 1, equilibrium costs 4/3 of the best."""
        latency = np.zeros((2, power + 1))
        latency[0, power] = latency[1, 0] = 1
        trips = [("home", "work")] * travellers
        return cls([("home", "work")] * 2, latency, trips, np.full(travellers, 1 / travellers))

    @classmethod
    def braess(cls, travellers: int = 1, shortcut: bool = True) -> "Routing":
        """Two ways of a narrow (X) and a wide (1) road for one unit of traffic, and a shortcut (0) between the narrow ones."""
        edges = [("home", "north"), ("north", "work"), ("home", "south"), ("south", "work"), ("north", "south")]
        latency = np.array([[0.0, 1], [1, 0], [1, 0], [0, 1], [0, 0]])
        count = 5 if shortcut else 4
        trips = [("home", "work")] * travellers
        return cls(edges[:count], latency[:count], trips, np.full(travellers, 1 / travellers))

    # --- facts ---

    @property
    def paths(self) -> Paths:
        """All paths of all trips."""
        return paths_of(self.edges, self.trips)

    @property
    def traced(self) -> bool:
        """True inside `jit` or `grad`."""
        return any(isinstance(x, Tracer) for x in (self.latency, self.demand, self.toll))

    @property
    def tolls(self) -> Any:
        """The tolls, 0 where none were given."""
        return jnp.zeros(len(self.edges), self.latency.dtype) if self.toll is None else self.toll

    def exact(self) -> tuple[Any, Any, Any]:
        """Latency, demand and toll in float64: what judges outcomes."""
        latency, demand, toll = (np.asarray(x, np.float64) for x in (self.latency, self.demand, self.tolls))
        return latency, demand, toll

    def total_time(self, flow: Any) -> Any:
        """The time of all travellers together at edge flows [edges]; tolls are not in it. Differentiable."""
        return (flow * times(self.latency, flow)).sum()

    @property
    def unique(self) -> bool:
        """Whether edge times determine the path flows: then these have derivatives."""
        known = np.ones((1, 2)) if isinstance(self.latency, Tracer) else np.asarray(self.latency)
        return independent(*self.paths, np.broadcast_to((known[:, 1:] > 0).any(1), len(self.edges)))

    # --- the regimes ---

    def society(self, leak: float | Float[Array, ""] = 0.0) -> Society:
        """Travellers, at first spread evenly, and times of roads. Raises `Refused` inside `grad` where flows are not unique."""
        if isinstance(leak, (int, float)) and not 0 <= leak <= 1:
            raise BadInput(f"leak is {leak!r}: the believed share of the own effect must be in [0, 1]")
        if self.traced and not self.unique:
            why = "path flows are not unique here (several trips alike, or more paths than independent ones)"
            raise Refused(f"{why}, so they have no derivative: give each trip once, or fewer paths")
        dtype, informed = self.latency.dtype, not (isinstance(leak, (int, float)) and leak == 0)
        on, is_open = (jnp.asarray(x) for x in self.paths)
        on, share = on.astype(dtype), (is_open / is_open.sum(1, keepdims=True)).astype(dtype)
        step = stride(self.latency, self.demand, self.paths.on, leak) / self.demand
        known = jnp.asarray(leak, dtype) if informed else None
        agents = Traveller(on, is_open, self.demand, share, step.astype(dtype), known)
        flow = jnp.einsum("t,tp,tpe->e", self.demand, share, on)
        return Society(agents, Times(flow, self.latency, self.tolls, self.demand.sum(), informed))

    def silence(self) -> Outcome:
        """Nobody hears of times, so every path is as good as another: spread evenly."""
        is_open = self.paths.open
        return Outcome(values=self.valued(is_open / is_open.sum(1, keepdims=True)), certificate=0.0)

    def plan(self) -> Outcome:
        """The least total time, by an optimiser that shares no code with the travellers; certificate: its duality gap."""
        names = np.frombuffer(repr((self.edges, self.trips)).encode(), np.uint8)
        return remember("routes", digest((*self.exact(), names)), self._plan)

    def _plan(self) -> Outcome:
        latency, demand, _ = self.exact()
        slope, alike = derivative(latency), {trip: i for i, trip in enumerate(dict.fromkeys(self.trips))}
        group = np.array([alike[trip] for trip in self.trips])
        pooled = np.bincount(group, demand)  # those who make the same trip are one to the planner
        paths = paths_of(self.edges, tuple(alike))
        best = assign(paths, pooled, lambda x: times(latency, x) + x * times(slope, x))
        share = (best.flow / pooled[:, None])[group]
        status = Status.SETTLED if best.gap <= 1e-6 else Status.UNSETTLED
        return Outcome(code=CODES.index(status), certificate=best.gap, values=self.valued(share) | {"gap": best.gap})

    def contest(self, leak: float = 1.0, max_rounds: int = 50_000) -> Outcome:
        """Every trip a dispatcher who reckons with the own effect on the times, at rest.

        The certificate includes the relative gap at the costs that they reckon with, which at leak 1 bounds what all
        together could gain by sending their travellers otherwise, each against the others as they are.
        """
        rest, certificate, society = Outcome(), np.inf, self.society(leak)
        for aim in AIMS:  # a society without its problem knows of no gap
            rest = settle(society, aim, max_rounds=max_rounds)
            rest = dataclasses.replace(rest, values=self.outcome(rest.society).values)
            certificate, society = max(float(rest.certificate), self.gap(rest)), rest.society
            if not certificate > AIMS[0]:
                break
        status = Status.SETTLED if certificate <= AIMS[0] else Status.UNSETTLED
        return dataclasses.replace(rest, certificate=certificate, code=CODES.index(status))

    # --- tolls ---

    def tolled(self, toll: Any) -> "Routing":
        """The same network with tolls [edges], in units of time."""
        return dataclasses.replace(self, toll=toll)

    def marginal_toll(self) -> Float[np.ndarray, " edges"]:
        """Pigou's: what one more traveller on a road costs those who are on it, X* t'(X*), at the planner's flows."""
        flow = self.plan().flow
        return flow * times(derivative(self.exact()[0]), flow)

    def seek_toll(self, where: Sequence[int], start: float = 0.1) -> Float[np.ndarray, " edges"]:
        """Tolls >= 0 on the roads `where` that make equilibrium quickest (one such), by the gradient through `settle`."""
        from scipy.optimize import minimize

        spots = jnp.asarray(np.asarray(where, int))

        @jax.jit
        @jax.value_and_grad
        def lost(some):
            toll = jnp.zeros(len(self.edges), self.latency.dtype).at[spots].set(some)
            return self.total_time(settle(self.tolled(toll)).society.signal.flow)

        def both(some):
            value, slope = lost(jnp.asarray(some, self.latency.dtype))
            return float(value), np.asarray(slope, np.float64)

        found = minimize(both, np.full(len(spots), start), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(spots))
        toll = np.zeros(len(self.edges))
        toll[np.asarray(spots)] = found.x
        return toll

    def closed(self, road: int) -> "Routing":
        """The network without one of its roads, by its number."""
        stays = [i for i in range(len(self.edges)) if i != road]
        if not 0 <= road < len(self.edges):
            raise BadInput(f"road {road} is none of {len(self.edges)} edges, counted from 0")
        toll = None if self.toll is None else np.asarray(self.toll)[stays]
        return Routing([self.edges[i] for i in stays], np.asarray(self.latency)[stays], self.trips, self.demand, toll)

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """Flows and times at the shares that the society's travellers have chosen."""
        leak = 0.0 if society.agents.leak is None else float(society.agents.leak)
        return Outcome(society, values=self.valued(np.asarray(society.agents.share, np.float64)) | {"leak": leak})

    def valued(self, share: np.ndarray) -> dict[str, Any]:
        """`share` [trips, paths], `flow` and `times` [edges], `trip_times` [trips] on average, `total_time`."""
        latency, demand, _ = self.exact()
        flow = np.einsum("t,tp,tpe->e", demand, share, self.paths.on)
        each = times(latency, flow)
        trip = np.einsum("tp,tpe,e->t", share, self.paths.on, each)
        return dict(share=share, flow=flow, times=each, trip_times=trip, total_time=float(flow @ each))

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: least total time / total time; `total_time`; `revenue` of the tolls."""
        best, reached = self.plan().total_time, outcome.total_time
        return dict(
            efficiency=best / reached if reached > 0 else 1.0,
            total_time=reached,
            revenue=float(outcome.flow @ self.exact()[2]),
        )

    def gap(self, outcome: Outcome) -> float:
        """The relative Wardrop gap, tolls paid (of dispatchers: at the costs that they reckon with)."""
        latency, demand, toll = self.exact()
        flow = demand[:, None] * outcome.share
        own = np.einsum("tp,tpe->te", flow, self.paths.on)
        reckoned = outcome.leak * own * times(derivative(latency), outcome.flow)
        return gap_of(self.paths, flow, times(latency, outcome.flow) + toll + reckoned)

    def gain(self, outcome: Outcome) -> float:
        """The largest share of its cost that one trip's dispatcher could save, the others' flows standing."""
        latency, demand, toll = self.exact()
        cost, slope = lambda x: times(latency, x) + toll, lambda x: times(derivative(latency), x)
        return most_to_save(self.paths, demand, outcome.share, cost, slope)

    def effect(self, outcome: Outcome) -> float:
        """The own effect on the times: the largest share of a road's traffic that is one trip's, on average over trips."""
        own = np.einsum("t,tp,tpe->te", self.exact()[1], outcome.share, self.paths.on)
        return float(np.divide(own, own.sum(0), out=np.zeros_like(own), where=own.sum(0) > 0).max(1).mean())

    def conserved(self, society: Society) -> dict[str, Any]:
        """Travellers of every trip."""
        return {"travellers": np.asarray(society.agents.share, np.float64).sum(1) * self.exact()[1]}

    def scene(self, society: Society) -> Scene:
        """The network, roads as wide as their flow; and how long each takes."""
        outcome = self.outcome(society)
        return drawn(self.edges, self.trips[0][0], outcome.flow, outcome.times)

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        crowd = f"{len(self.trips)} trip{'s' * (len(self.trips) != 1)}, {len(self.edges)} roads"
        return dict(signal="travel time", measure="efficiency (least total time / total time)", population=crowd)

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Routing":
        """The same roads for the trips `keep` alone."""
        chosen = np.arange(len(self.trips))[np.asarray(keep)]
        if not chosen.size:
            raise Refused("no trip would be left: there is nobody to route")
        demand = np.asarray(self.demand)[chosen]
        return Routing(self.edges, self.latency, [self.trips[i] for i in chosen], demand, self.toll)

    def replicate(self, copies: int) -> "Routing":
        """The same traffic on the same roads under `copies` times as many dispatchers."""
        demand = np.tile(np.asarray(self.demand) / copies, copies)
        return Routing(self.edges, self.latency, self.trips * copies, demand, self.toll)

    def shocked(self, key: Any, size: float) -> "Routing":
        """Every demand multiplied by exp(size x normal), independently."""
        factor = jnp.exp(size * jax.random.normal(key, self.demand.shape, self.demand.dtype))
        return dataclasses.replace(self, demand=self.demand * factor)
