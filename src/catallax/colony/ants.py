"""A colony on a tour: ants, the pheromone on their way, and their rounds.

The way is common: ants change it one after the other (see `tours.faint`), and each smells what all have left. Where time is
limited the heat falls with it, from `heat` ticks to none when rounds or seconds are over, whichever come first.

    trails     on        ants smell the trails, and the way is trodden once a round
               off       ants smell nothing: the same search, coordinated by nothing but the way itself
               frozen    ants smell the trails of the first way for ever
               random    ants smell trails drawn at random each round
"""

import dataclasses
import time
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from catallax.colony.tours.chart import Chart
from catallax.colony.tours.faint import work
from catallax.colony.tours.metric import length, quick
from catallax.colony.tours.path import ORDER, log_of, path_of
from catallax.colony.tours.three_opt import mend
from catallax.core.agent import HostAgent, View
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.random import host_key
from catallax.core.society import HostSociety
from catallax.signals.pheromone import FLOOR, Pheromone, Way, edges, told
from catallax.signals.treading import tread

TRAILS = ("on", "off", "frozen", "random")
LOOKS = 2  # places that an ant smells before it cuts
WIDTH = (8, 6)  # candidates of the first and of the second edge of a 3-opt move
SEEN = 1024  # rounds whose keys are drawn at once
ROUNDS, BEGUN, SECONDS = range(3)  # of Colony.pace


class Ants(HostAgent):
    """Ants that change one way in turn. `reach` [ants]: how many cities apart their cuts lie at most; `merit` [ants]: by
    how many ticks each has shortened the way, all in all.
    """

    reach: Int[np.ndarray, " ants"]
    merit: Float[np.ndarray, " ants"]

    def respond_all(self, view: View, key: Any) -> tuple["Ants", Any]:
        """Refused: the second ant walks on what the first has left, within the round."""
        raise Refused("ants change one way in turn: a Colony drives them, and nobody else can ask all of them at once")

    def influence(self) -> Float[np.ndarray, " ants"]:
        """Each one's share of what has been saved."""
        saved = np.maximum(self.merit, 0)
        return saved / max(float(saved.sum()), 1e-300)


class Colony(HostSociety):
    """Ants, their pheromone, and the chart that they walk on.

    `best`: the shortest way so far; `heat`: of the first round, in ticks; `pace` [3]: rounds, when it began and the
    seconds that it has; `changes`: how many have been tried.
    """

    chart: Chart | None = None
    best: Way | None = None
    heat: float = 0.0
    pace: Float[np.ndarray, "3"] = eqx.field(default_factory=lambda: np.array([np.inf, 0.0, np.inf]))
    changes: int = 0
    trails: str = eqx.field(static=True, default="on")
    looks: int = eqx.field(static=True, default=LOOKS)
    width: tuple[int, int] = eqx.field(static=True, default=WIDTH)

    def paced(self, rounds: int, seconds: float | None) -> "Colony":
        """Cools down within so many rounds and seconds."""
        limits = [rounds, 0.0, np.inf] if seconds is None else [rounds, time.monotonic(), seconds]
        return dataclasses.replace(self, pace=np.array(limits, float))

    def warmth(self, t: int) -> float:
        """The share of the heat that is left before round `t`."""
        done = t / self.pace[ROUNDS]
        if np.isfinite(self.pace[SECONDS]):
            done = max(done, (time.monotonic() - self.pace[BEGUN]) / self.pace[SECONDS])
        return float(max(0.0, 1.0 - done))

    def through(self, channel: Channel) -> "Colony":
        """Trails are told in `bits`. Refused for noise, delay and loss."""
        if channel.noise or channel.delay or channel.loss:
            raise Refused("trails lie where they are: a colony's signal can be cut to bits, but has no noise, delay or loss")
        return dataclasses.replace(self, signal=dataclasses.replace(self.signal, bits=channel.bits))

    def summary_like(self) -> Way:
        """A way: what is trodden in a round."""
        return self.signal.way  # pyright: ignore[reportAttributeAccessIssue]

    def advance(self, start: int, stop: int, seed: int) -> tuple["Colony", float]:
        """Rounds of ants in turn."""
        assert self.chart is not None and self.best is not None
        signal: Any = self.signal
        metric, near = quick(self.chart.metric), self.chart.near
        path = path_of(signal.way.order)
        log, level, merit = log_of(path), signal.level.copy(), self.agents.merit.copy()
        ids = np.arange(len(merit), dtype=np.uint32) if self.ids is None else np.asarray(self.ids, np.uint32)
        crew = (ids, self.agents.reach, merit)
        ticks, best, heard, warmth = int(signal.way.ticks), self.best, level, 1.0
        looks = 1 if self.trails == "off" else self.looks
        for t in range(start, stop):
            warmth, key = self.warmth(t), host_key(seed, t)
            if self.trails == "random":
                heard = np.random.default_rng([int(x) for x in key]).random(level.shape, np.float32)
            elif self.trails == "on":
                heard = told(level, signal.bits, signal.floor)
            if t + 1 == stop:
                before = path[ORDER].copy()
            ticks += int(work(metric, near, path, log, heard, crew, key, self.heat * warmth, self.width, looks))
            if self.trails == "on":
                tread(near, level, path[ORDER], signal.evaporation, signal.floor)
            if ticks < int(best.ticks):
                best = Way(path[ORDER].copy(), np.int64(ticks))
        way = Way(path[ORDER].copy(), np.int64(ticks))
        unrest = 1.0 if warmth > 0 else 1.0 - float(np.isin(edges(way.order), edges(before)).mean())
        agents, signal = Ants(self.agents.reach, merit), dataclasses.replace(signal, level=level, way=way)
        changes = self.changes + len(merit) * (stop - start)
        return dataclasses.replace(self, agents=agents, signal=signal, best=best, changes=changes), unrest


def mended(chart: Chart, order: Int[np.ndarray, " labels"], waiting: Any = None, width: tuple[int, int] = WIDTH) -> Way:
    """A way after 3-opt around the cities `waiting` (labels; None: all)."""
    metric = quick(chart.metric)
    path = path_of(order, waiting is None)
    log = log_of(path)
    if waiting is not None:
        from catallax.colony.tours.path import wait

        for label in waiting:
            wait(path, log, np.int32(label))
    mend(metric, chart.near, path, log, width)
    return Way(path[ORDER].copy(), np.int64(length(metric, path[ORDER])))


def colony_of(chart: Chart, way: Way, reach: Any, heat: float, evaporation: float, trails: str, ids: Any = None) -> Colony:
    """A colony that begins with a way, trodden for long. `heat`: in ticks."""
    ants = Ants(np.asarray(reach, np.int64), np.zeros(len(reach)))
    signal = Pheromone.fresh(chart.near, way, evaporation, FLOOR)
    return Colony(ants, signal, ids, chart=chart, best=way, heat=heat, trails=trails)
