"""A crowd on the host that knows how long it has, hears in few bits, and can be shocked, cut and replicated.

Everyone stands at x_i, lives at h_i, and wants to be near both the others' meeting point m and its home:

    cost_i = (x_i - m)^2 + PULL (x_i - h_i)^2        m = sum c_i x_i, c_i = loud_i / sum loud_j

Told m, it goes half of the way to (m + PULL h_i) / (1 + PULL), and is jostled by a noise that is annealed to nothing over
the first half of the rounds or seconds that there are; who does not know how many there are is jostled for ever.
"""

import dataclasses
import time
from typing import Any, ClassVar

import jax
import numpy as np

from catallax.core.agent import HostAgent
from catallax.core.channel import Channel
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.random import host_bits, host_fold_in, host_key
from catallax.core.scene import Bars, Scene
from catallax.core.signal import Signal
from catallax.core.society import HostSociety, Society

PULL, HEAT, WIDE = 0.5, 0.5, 4.0  # WIDE: where a meeting point is looked for, from -WIDE to WIDE
LONG = 1_000  # rounds that are as good as any more


class Crowd(HostAgent):
    home: np.ndarray
    loud: np.ndarray
    place: np.ndarray

    def respond_all(self, view, key):
        raise AssertionError("it runs rounds of its own, and is counted without one")

    def influence(self):
        return self.loud / self.loud.sum()


class Point(Signal):
    place: np.ndarray

    def public(self):
        return self.place

    def propagate(self, summary):
        return Point(summary)


class Gathering(HostSociety):
    rounds: float = np.inf
    ends: float = np.inf
    began: float = 0.0
    cells: int = 0

    def paced(self, rounds: int, seconds: float | None) -> "Gathering":
        now = 0.0 if seconds is None else time.perf_counter()  # rounds alone: nothing that differs from run to run
        ends = np.inf if seconds is None else now + seconds
        return dataclasses.replace(self, rounds=float(min(rounds, LONG)), began=now, ends=ends)

    def through(self, channel: Channel) -> "Gathering":
        if channel.noise or channel.delay or channel.loss or channel.bits is None:
            raise Refused("a gathering is told in few bits, and in no other way")
        return dataclasses.replace(self, cells=2**channel.bits)

    def summary_like(self) -> Any:
        return np.zeros(())

    def heard(self) -> np.ndarray:
        """The meeting point, or the centre of its cell."""
        if not self.cells:
            return self.signal.place
        share = np.clip((self.signal.place + WIDE) / (2 * WIDE), 0, 1)
        return -WIDE + 2 * WIDE * (np.minimum(np.floor(share * self.cells), self.cells - 1) + 0.5) / self.cells

    def heat(self, t: int) -> float:
        """What noise is left in round `t`."""
        spent = 0.0 if np.isinf(self.ends) else (time.perf_counter() - self.began) / (self.ends - self.began)
        return HEAT * max(0.0, 1 - 2 * max((t + 1) / self.rounds, spent))

    def advance(self, start: int, stop: int, seed: int) -> tuple["Gathering", float]:
        now, unrest = self, np.inf
        for t in range(start, stop):
            crowd, heat = now.agents, self.heat(t)
            words = host_bits(host_fold_in(host_key(seed, t, 0), np.arange(crowd.home.size)))
            wanted = (now.heard() + PULL * crowd.home) / (1 + PULL)
            place = (crowd.place + wanted) / 2 + heat * (words / 2.0**32 - 0.5)
            unrest = heat + float(np.abs(place - crowd.place).max())
            point = np.asarray(crowd.influence() @ place)
            now = dataclasses.replace(now, agents=Crowd(crowd.home, crowd.loud, place), signal=Point(point))
        return now, unrest


class Meeting(Problem):
    home: np.ndarray
    loud: np.ndarray

    tolerance: ClassVar[float] = 1e-4
    patience: ClassVar[int] = 60

    def society(self, leak: float = 0.0) -> Gathering:
        if leak:
            raise Refused("nobody here reckons with an own effect")
        return Gathering(Crowd(self.home, self.loud, self.home), Point(np.asarray(self.share @ self.home)))

    @property
    def share(self) -> np.ndarray:
        return self.loud / self.loud.sum()

    def cost(self, place: np.ndarray) -> float:
        return float(np.sum((place - self.share @ place) ** 2 + PULL * (place - self.home) ** 2))

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        return Outcome(society, values={"place": society.agents.place})

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        return {"efficiency": self.cost(self.plan().place) / self.cost(np.asarray(outcome.place))}

    def silence(self) -> Outcome:
        return Outcome(values={"place": self.home})

    def plan(self) -> Outcome:
        count = self.home.size
        away = np.eye(count) - self.share
        place = np.linalg.solve(away.T @ away + PULL * np.eye(count), PULL * self.home)
        return Outcome(code=CODES.index(Status.SETTLED), values={"place": place}, certificate=0.0)

    def contest(self, leak: float = 1.0) -> Outcome:
        own = (1 - leak * self.share)[:, None]
        count = self.home.size
        place = np.linalg.solve(own * (np.eye(count) - self.share) + PULL * np.eye(count), PULL * self.home)
        return Outcome(code=CODES.index(Status.SETTLED), values={"place": place}, certificate=0.0)

    def effect(self, outcome: Outcome) -> float:
        return float(self.share.max())

    def restrict(self, keep: Any) -> "Meeting":
        return type(self)(self.home[keep], self.loud[keep])

    def replicate(self, copies: int) -> "Meeting":
        return type(self)(np.tile(self.home, copies), np.tile(self.loud, copies))

    def shocked(self, key: Any, size: float) -> "Meeting":
        return type(self)(self.home + size * np.asarray(jax.random.normal(key, self.home.shape), float), self.loud)

    def carried(self, old: Society, keep: Any = None) -> Gathering:
        place = old.agents.place if keep is None else old.agents.place[keep]
        if place.shape != self.home.shape:
            raise BadInput("the crowd that is carried is another one")
        return dataclasses.replace(self.society(), agents=Crowd(self.home, self.loud, place), signal=old.signal)

    def watch(self) -> dict[str, Any]:
        return {"mean_cost": lambda s: self.cost(s.agents.place) / self.home.size}

    def words(self) -> dict[str, str]:
        return {"signal": "meeting point"}

    def scene(self, society: Society) -> Scene:
        return Scene("meeting", (Bars(tuple(map(str, range(self.home.size))), society.agents.place, "place"),))


def meeting(count: int = 12) -> Meeting:
    """Homes in a line, the outermost loudest."""
    return Meeting(np.linspace(-1.2, 2.4, count), 1.0 + np.abs(np.linspace(-2.0, 2.0, count)))
