"""A colony on a tour: ants, the pheromone on their way, and their rounds.

    law        in a round                                                                        the way that is trodden
    faint      ants change one common way in turn, where the trail is faint (`tours.faint`)      that way
    max-min    each builds a way of its own (`tours.max_min`)                                    the shortest, or the best so far
    focused    each copies the trodden way and changes a few edges (`tours.focused`)             the shortest

    trails     on        ants smell the trails, and a way is trodden once a round
               off       ants smell nothing: the same search, coordinated by nothing but the way itself (max-min: by nothing)
               frozen    ants smell the trails of the first way for ever
               random    ants smell trails drawn at random each round

Faint ants accept changes for the worse while it is warm: the heat falls, from `heat` ticks to none, as rounds or seconds run
out, whichever come first.
"""

import dataclasses
import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Float32, Int, UInt32

from catallax.colony.tours import focused, lanes, max_min
from catallax.colony.tours.chart import Chart
from catallax.colony.tours.faint import LEAST, work
from catallax.colony.tours.metric import length, quick
from catallax.colony.tours.path import ORDER, log_of, path_of, wait
from catallax.colony.tours.three_opt import mend
from catallax.colony.tours.young import mark, visit
from catallax.core.agent import HostAgent, View
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.random import host_key
from catallax.core.society import HostSociety
from catallax.signals.pheromone import Heard, Pheromone, Way, edges, told
from catallax.signals.treading import tread

LOOKS = 2  # places that an ant smells before it cuts
LONGEST = 5000  # cities in a piece that is turned round: of very many, moves that turn more cost more than they save
WIDTH = (10, 8, LONGEST)  # candidates of the first and of the second edge of a 3-opt move, and the longest piece turned
WHOLE = (8, 6, 2**31 - 1)  # of a way that is mended for the first time
ROUNDS, BEGUN, SECONDS = range(3)  # of Colony.pace
WAYS = {"max-min": max_min.ways, "focused": focused.ways}  # of the laws by which each ant has its own


class Ants(HostAgent):
    """Ants of law faint. `reach` [ants]: how many cities apart their cuts lie at most; `merit` [ants]: by how many ticks
    each has shortened the way, all in all.
    """

    reach: Int[np.ndarray, " ants"]
    merit: Float[np.ndarray, " ants"]

    def respond_all(self, view: View, key: Any) -> tuple["Ants", Any]:
        """Refused: the second ant walks on what the first has left, within the round."""
        raise Refused("ants change one way in turn: a Colony drives them, and nobody else can ask all of them at once")

    def influence(self) -> Float[np.ndarray, " ants"]:
        """Each one's share of what has been saved."""
        return shares(self.merit)


class Maker:
    """How ants of a law make ways on a chart: facts, the same for all of them. `width`: see `mend`."""

    def __init__(self, chart: Chart, law: str, width: tuple[int, int, int] = WIDTH):
        self.chart, self.law, self.width = chart, law, width

    def ways(self, heard: Heard, ids: UInt32[np.ndarray, " ants"], key: Any) -> Way:
        """The way of each ant."""
        return Way(*WAYS[self.law](self.chart, heard.level, heard.order, ids, key, self.width))


class Builders(HostAgent):
    """Ants of the other laws, each with a way of its own. `who` [ants]: their ids; `merit` [ants]: how often each one's
    way was the shortest of a round.
    """

    who: UInt32[np.ndarray, " ants"]
    merit: Float[np.ndarray, " ants"]
    maker: Maker = eqx.field(static=True)

    def respond_all(self, view: View, key: Any) -> tuple["Builders", Way]:
        """What they smell and see leads each to a way: `order` [ants, labels], `ticks` [ants]."""
        return self, self.maker.ways(view.public, self.who, key)

    def influence(self) -> Float[np.ndarray, " ants"]:
        """Each one's share of the ways that were the shortest of a round."""
        return shares(self.merit)


def shares(merit: Float[np.ndarray, " ants"]) -> Float[np.ndarray, " ants"]:
    """Merits as shares of their sum, those below 0 as none."""
    merit = np.maximum(merit, 0)
    return merit / max(float(merit.sum()), 1e-300)


class Colony(HostSociety):
    """Ants, their pheromone, and the chart that they walk on.

    `best`: the shortest way so far; `heat`: of the first round, in ticks; `pace` [3]: rounds, when it began and the
    seconds that it has; `changes`: how many have been tried (by faint ants), or ways made (by the others); `young`: rounds in
    which all ants cut where a change has left its marks (see `tours.young`); afterwards they do every other round.
    """

    chart: Chart | None = None
    best: Way | None = None
    heat: float = 0.0
    pace: Float[np.ndarray, "3"] = eqx.field(default_factory=lambda: np.array([np.inf, 0.0, np.inf]))
    changes: int = 0
    young: int = eqx.field(static=True, default=0)
    law: str = eqx.field(static=True, default="faint")
    trails: str = eqx.field(static=True, default="on")
    looks: int = eqx.field(static=True, default=LOOKS)
    width: tuple[int, int, int] = eqx.field(static=True, default=WIDTH)
    threads: int = eqx.field(static=True, default=1)

    def paced(self, rounds: int, seconds: float | None) -> "Colony":
        """Cools down within so many rounds and seconds."""
        limits = [rounds, 0.0, np.inf] if seconds is None else [rounds, time.monotonic(), seconds]
        return dataclasses.replace(self, pace=np.array(limits, float))

    def ready(self) -> None:
        """Rounds that are thrown away, of one ant: kernels are loaded then."""
        one = dataclasses.replace(self, agents=jax.tree.map(lambda rows: rows[:1], self.agents))
        one = one if self.ids is None else dataclasses.replace(one, ids=self.ids[:1])
        for young in {0, self.young}:
            dataclasses.replace(one, young=young).paced(1, None).advance(0, 1, 0)

    def warmth(self, t: int) -> float:
        """The share of the heat that is left before round `t`."""
        done = t / self.pace[ROUNDS]
        if np.isfinite(self.pace[SECONDS]):
            done = max(done, (time.monotonic() - self.pace[BEGUN]) / self.pace[SECONDS])
        return float(max(0.0, 1.0 - done))

    def visits(self, t: int) -> bool:
        """Whether ants of round `t` go to the sites of a change: all while it is young, and later every other round."""
        return t < self.young or (self.young > 0 and t % 2 == 0)

    def through(self, channel: Channel) -> "Colony":
        """Trails are told in `bits`. Refused for noise, delay and loss."""
        if channel.noise or channel.delay or channel.loss:
            raise Refused(
                "trails lie where they are: a colony's signal can be cut to bits, but has no noise, delay or loss"
            )
        return dataclasses.replace(self, signal=dataclasses.replace(self.signal, bits=channel.bits))

    def summary_like(self) -> Way:
        """A way: what is trodden in a round."""
        return self.signal.way  # pyright: ignore[reportAttributeAccessIssue]

    def advance(self, start: int, stop: int, seed: int) -> tuple["Colony", float]:
        """Rounds of ants, in turn or each for itself.

        Unrest: the share of the best way's edges that the last round has brought; 1 while there is time left, for that
        nothing better is found in one round is no rest.
        """
        rounds = self.in_turn if self.law == "faint" else self.at_once
        after, before = rounds(start, stop, seed)
        assert after.best is not None
        new = 1.0 - float(np.isin(edges(after.best.order), edges(before.order), assume_unique=True).mean())
        changes = self.changes + len(after.agents.merit) * (stop - start)
        return dataclasses.replace(after, changes=changes), 1.0 if self.warmth(stop) > 0 else new

    def in_turn(self, start: int, stop: int, seed: int) -> tuple["Colony", Way]:
        """Faint ants, one after the other. Also: the best way before the last round."""
        assert self.chart is not None and self.best is not None
        signal: Any = self.signal
        metric, near = quick(self.chart.metric), self.chart.near
        path = path_of(signal.way.order)
        log, level, merit = log_of(path), signal.level.copy(), self.agents.merit.copy()
        ids = np.arange(len(merit), dtype=np.uint32) if self.ids is None else np.asarray(self.ids, np.uint32)
        crew, looks = (ids, self.agents.reach, merit), 1 if self.trails == "off" else self.looks
        ticks, best, before = int(signal.way.ticks), self.best, self.best
        shared, sites = lanes.divides(self.chart.metric, self.threads), np.empty(len(level), np.int32)
        for t in range(start, stop):
            before, key, heat = best, host_key(seed, t), self.heat * self.warmth(t)
            smell = self.smelt(level, key)
            some = sites[: mark(metric, near, path[ORDER], smell, sites)] if self.visits(t) else sites[:0]
            if len(some) >= LEAST:
                ticks += int(visit(metric, near, path, log, some, (ids, merit), key, heat, self.width))
            elif shared:
                ticks += lanes.search(
                    self.chart.metric, near, path, smell, crew, key, t, self.threads, (heat, self.width, looks)
                )
            else:
                ticks += int(work(metric, near, path, log, smell, crew, key, heat, self.width, looks))
            if self.trails == "on":
                tread(near, level, path[ORDER], signal.evaporation, signal.floor)
            if ticks < int(best.ticks):
                best = Way(path[ORDER].copy(), np.int64(ticks))
        way = Way(path[ORDER].copy(), np.int64(ticks))
        agents, signal = Ants(self.agents.reach, merit), dataclasses.replace(signal, level=level, way=way)
        return dataclasses.replace(self, agents=agents, signal=signal, best=best), before

    def at_once(self, start: int, stop: int, seed: int) -> tuple["Colony", Way]:
        """Rounds in which each ant has its own way. Also: the best way before the last round."""
        agents, signal, best, before = self.agents, self.signal, self.best, self.best
        assert isinstance(signal, Pheromone) and best is not None and before is not None
        level, way, merit = signal.level.copy(), signal.way, agents.merit.copy()
        for t in range(start, stop):
            before, key = best, host_key(seed, t)
            _, ways = agents.respond_all(View(Heard(self.smelt(level, key), way.order)), key)
            way = signal.listen(ways)
            merit[int(np.argmin(ways.ticks))] += 1
            best = way if way.ticks < best.ticks else best
            if self.law == "max-min" and max_min.turn_of_the_best(t):
                way = best
            if self.trails == "on":
                tread(signal.near, level, way.order, signal.evaporation, signal.floor)
        agents = dataclasses.replace(agents, merit=merit)
        return dataclasses.replace(
            self, agents=agents, signal=dataclasses.replace(signal, level=level, way=way), best=best
        ), before

    def smelt(self, level: Float32[np.ndarray, "labels k"], key: Any) -> Float32[np.ndarray, "labels k"]:
        """What ants smell of the trails, in a round of this key."""
        signal: Any = self.signal
        if self.trails == "off":
            return level if self.law == "faint" else np.ones_like(level)
        if self.trails == "random":
            level = np.random.default_rng([int(x) for x in key]).random(level.shape, np.float32)
        return told(level, signal.bits, signal.floor)


def mended(
    chart: Chart, order: Int[np.ndarray, " labels"], waiting: Any = None, width: tuple[int, int, int] = WHOLE
) -> Way:
    """A way after 3-opt around the cities `waiting` (labels; None: all)."""
    metric = quick(chart.metric)
    path = path_of(order, waiting is None)
    log = log_of(path)
    for label in () if waiting is None else waiting:
        wait(path, log, np.int32(label))
    mend(metric, chart.near, path, log, width)
    return Way(path[ORDER].copy(), np.int64(length(metric, path[ORDER])))


class Manner(NamedTuple):
    """How a colony works. See `Tour`; `heat` in ticks."""

    law: str = "faint"
    trails: str = "on"
    evaporation: float = 0.1
    heat: float = 0.0
    reach: int = 50
    threads: int = 1


def colony_of(chart: Chart, way: Way, ids: UInt32[np.ndarray, " ants"], manner: Manner) -> Colony:
    """A colony that begins with a way, trodden for long; where ants build ways of their own, with even trails."""
    law, trails, evaporation, heat, reach, threads = manner
    none = np.zeros(len(ids))
    agents = Ants(np.full(len(ids), reach), none) if law == "faint" else Builders(ids, none, Maker(chart, law))
    even = law == "max-min" and trails != "frozen"
    signal = (Pheromone.even if even else Pheromone.fresh)(chart.near, way, evaporation)
    return Colony(agents, signal, ids, chart=chart, best=way, heat=heat, law=law, trails=trails, threads=threads)


def tours_a_second(chart: Chart, ways: int, seed: int = 0) -> float:
    """Ways per CPU second that max-min ants build on even trails, without mending (kernels are made ready before)."""
    level, ids = np.ones(chart.near.shape[:2], np.float32), np.arange(ways, dtype=np.uint32)
    max_min.ways(chart, level, None, ids[:1], host_key(seed, 0), (0, 0, 0))
    began = time.process_time()
    max_min.ways(chart, level, None, ids, host_key(seed, 1), (0, 0, 0))
    return ways / max(time.process_time() - began, 1e-9)
