"""Small societies that the tests of the core share: each shows one thing that a loop can get wrong.

wealth    an inbox for each agent, counted; as deltas (any activation) or used up by being read (synchronous)
life      whole rows gathered; the local view is kept for every place
vote      standing votes, counted; agents draw random numbers
census    a mapping of merges: sum, count, max, min, rows; awkward floats; standing
flock     a mean field: float sums of sines and cosines, with random turns
trail     deposits on cells that evaporate; the local view follows from the agent's own place
market    two populations of different sizes, heard together
queue     agents that write down how many spoke before them
drift     a signal that halves its way to rest in every round
"""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from catallax.core.agent import Agent, HostAgent, View
from catallax.core.channel import Span
from catallax.core.random import host_bits, host_fold_in
from catallax.core.signal import Signal
from catallax.core.society import HostSociety, Society

# --- wealth --------------------------------------------------------------------------------------------------


class Gift(NamedTuple):
    """`units` (0 or 1) sent to agent `to`, and what agent `owner` took out of its post."""

    to: Any
    units: Any
    owner: Any
    taken: Any


class Person(Agent):
    wealth: Int[Array, "*agents"]
    name: Int[Array, "*agents"]
    people: int = eqx.field(static=True)

    def respond(self, view: View, key):
        wealth = self.wealth + view.local
        units = (wealth > 0).astype(jnp.int32)
        to = jax.random.randint(key, (), 0, self.people)
        return Person(wealth - units, self.name, self.people), Gift(to, units, self.name, view.local)


class Post(Signal):
    """Replaced in every round: reading uses it up."""

    merge: ClassVar[str] = "count"
    transit: ClassVar[bool] = True
    inbox: Int[Array, " agents"]

    def public(self):
        return None

    def local(self, agents):
        return self.inbox

    def listen(self, actions):
        return jnp.zeros_like(self.inbox).at[actions.to].add(actions.units)

    def propagate(self, summary):
        return type(self)(summary)


class Mailbox(Post):
    """Kept by its changes: what is sent less what is taken out."""

    transit: ClassVar[bool] = False

    def listen(self, actions):
        return self.hear(jnp.zeros_like(self.inbox), actions)

    def hear(self, summary, action):
        return summary.at[action.to].add(action.units).at[action.owner].add(-action.taken)

    def propagate(self, summary):
        return type(self)(self.inbox + summary)


def wealth(agents: int, post: type[Post] = Mailbox) -> Society:
    names = jnp.arange(agents, dtype=jnp.int32)
    return Society(Person(jnp.full(agents, 2, jnp.int32), names, agents), post(jnp.zeros(agents, jnp.int32)))


def money(society) -> int:
    return int(np.asarray(society.agents.wealth).sum() + np.asarray(society.signal.inbox).sum())


# --- life ----------------------------------------------------------------------------------------------------


class Cell(Agent):
    alive: Bool[Array, "*cells"]

    def respond(self, view: View, key):
        alive = (view.local == 3) | (self.alive & (view.local == 2))
        return Cell(alive), alive


class Field(Signal):
    """Which cells live; each is told how many of its eight neighbours do."""

    merge: ClassVar[str] = "rows"
    standing: ClassVar[bool] = True
    alive: Bool[Array, " cells"]
    width: int = eqx.field(static=True)

    def public(self):
        return None

    def local(self, agents):
        field = self.alive.reshape(-1, self.width).astype(jnp.uint8)
        rows = field + jnp.roll(field, 1, 0) + jnp.roll(field, -1, 0)
        return (rows + jnp.roll(rows, 1, 1) + jnp.roll(rows, -1, 1) - field).ravel()

    def propagate(self, summary):
        return type(self)(summary, self.width)


def life(width: int, seed: int = 0) -> Society:
    alive = jnp.asarray(np.random.default_rng(seed).random(width * width) < 0.4)
    return Society(Cell(alive), Field(alive, width))


def life_in_numpy(alive: np.ndarray, rounds: int) -> np.ndarray:
    for _ in range(rounds):
        count = sum(np.roll(alive, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) - alive
        alive = ((count == 3) | ((alive == 1) & (count == 2))).astype(alive.dtype)
    return alive


# --- vote ----------------------------------------------------------------------------------------------------


class Voter(Agent):
    """Votes yes where more than `need` do, or, one time in four, the other way; remembers what it heard."""

    need: Int[Array, "*voters"]
    heard: Int[Array, "*voters"]

    def respond(self, view: View, key):
        yes = (view.public > self.need) ^ (jax.random.bits(key, (), jnp.uint32) % 4 == 0)
        return Voter(self.need, view.public), yes.astype(jnp.int32)


class Poll(Signal):
    """How many say yes."""

    merge: ClassVar[str] = "count"
    standing: ClassVar[bool] = True
    yes: Int[Array, ""]

    def public(self):
        return self.yes

    def propagate(self, summary):
        return type(self)(summary)


def vote(voters: int) -> Society:
    need = jnp.asarray(np.random.default_rng(1).integers(0, voters, voters), jnp.int32)
    return Society(Voter(need, jnp.full(voters, -1, jnp.int32)), Poll(jnp.int32(voters // 2)))


# --- census --------------------------------------------------------------------------------------------------


class Report(NamedTuple):
    total: Any
    heads: Any
    highest: Any
    lowest: Any
    board: Any = None


class Citizen(Agent):
    """Numbers that no two orders of summing agree on."""

    number: Float[Array, "*citizens"]
    gossips: bool = eqx.field(static=True, default=False)

    def respond(self, view: View, key):
        pull = jnp.exp(0.1 * jnp.sin(view.public["mean"])) * view.public["spread"]
        number = 0.9 * self.number + jnp.cos(self.number * pull) + 0.01 * jax.random.uniform(key)
        board = jnp.tanh(number) if self.gossips else None
        report = Report(number / 3 * jnp.array([1.0, 0.1, 7.0]), (number > 0).astype(jnp.int32), number, number, board)
        return Citizen(number, self.gossips), report


class Census(Signal):
    merge: ClassVar[dict] = {"total": "sum", "heads": "count", "highest": "max", "lowest": "min", "board": "rows"}
    standing: ClassVar[bool] = True
    total: Float[Array, "3"]
    heads: Int[Array, ""]
    highest: Float[Array, ""]
    lowest: Float[Array, ""]
    people: Float[Array, ""]
    board: Float[Array, " citizens"] | None = None

    def public(self):
        return {"mean": self.total[0] / self.people, "spread": 1 + 0.1 * jnp.tanh(self.highest - self.lowest)}

    def span(self):
        return {"mean": Span(-3.0, 3.0), "spread": Span(0.5, 2.0, "log")}

    def propagate(self, summary):
        return type(self)(*summary[:4], self.people, summary.board)

    def unrest(self, summary):
        return jnp.abs(summary.total - self.total).max() / self.people


def census(citizens: int, gossips: bool = False) -> Society:
    number = jnp.asarray(np.random.default_rng(2).normal(size=citizens), jnp.float32)
    one, board = jnp.float32(1), jnp.zeros(citizens) if gossips else None
    signal = Census(jnp.ones(3), jnp.int32(0), one, -one, jnp.float32(citizens), board)
    return Society(Citizen(number, gossips), signal)


# --- flock ---------------------------------------------------------------------------------------------------


class Bird(Agent):
    angle: Float[Array, "*birds"]
    restless: Float[Array, ""]  # shared by all

    def respond(self, view: View, key):
        x, y = view.public
        turn = 0.3 * jnp.sin(jnp.arctan2(y, x) - self.angle) + self.restless * jax.random.normal(key)
        angle = self.angle + turn
        return type(self)(angle, self.restless), (jnp.cos(angle), jnp.sin(angle))


class Heading(Signal):
    x: Float[Array, ""]
    y: Float[Array, ""]

    def public(self):
        return (self.x, self.y)

    def propagate(self, summary):
        length = jnp.sqrt(summary[0] ** 2 + summary[1] ** 2 + 1e-6)
        return type(self)(summary[0] / length, summary[1] / length)

    def span(self):
        return (Span(-1.0, 1.0), Span(-1.0, 1.0))


def flock(birds: int) -> Society:
    angle = jnp.asarray(np.random.default_rng(3).uniform(-np.pi, np.pi, birds), jnp.float32)
    return Society(Bird(angle, jnp.float32(0.1)), Heading(jnp.float32(1), jnp.float32(0)))


# --- trail ---------------------------------------------------------------------------------------------------


class Drop(NamedTuple):
    place: Any
    amount: Any


class Ant(Agent):
    """Steps to the next cell where it smells less there than here, and leaves a quarter where it stands."""

    place: Int[Array, "*ants"]
    cells: int = eqx.field(static=True)

    def respond(self, view: View, key):
        here, ahead = view.local
        place = jnp.where(ahead <= here, (self.place + 1) % self.cells, self.place)
        return Ant(place, self.cells), Drop(place, jnp.float32(0.25))


class Trail(Signal):
    """Half of it evaporates once a round. All numbers are multiples of powers of two: sums are exact."""

    level: Float[Array, " cells"]

    def public(self):
        return None

    def local(self, agents):
        return (self.level[agents.place], self.level[(agents.place + 1) % self.level.size])

    def listen(self, actions):
        return jnp.zeros_like(self.level).at[actions.place].add(actions.amount)

    def propagate(self, summary):
        return type(self)(0.5 * self.level + summary)


def trail(ants: int, cells: int) -> Society:
    place = jnp.asarray(np.random.default_rng(4).integers(0, cells, ants), jnp.int32)
    return Society(Ant(place, cells), Trail(jnp.zeros(cells)))


# --- market --------------------------------------------------------------------------------------------------


class Trader(Agent):
    """Wants (or has, where `side` is -1) as many units as its limit is above (below) the price; remembers the price."""

    limit: Int[Array, "*traders"]
    heard: Int[Array, "*traders"]
    side: int = eqx.field(static=True)

    def respond(self, view: View, key):
        units = jnp.maximum(self.side * (self.limit - view.public), 0) + jax.random.randint(key, (), 0, 2)
        return Trader(self.limit, view.public, self.side), units


class Bell(Signal):
    """The price rises by what is wanted beyond what there is."""

    merge: ClassVar[str] = "count"
    price: Int[Array, ""]

    def public(self):
        return self.price

    def propagate(self, summary):
        return type(self)(self.price + summary[0] - summary[1])


def market(buyers: int, sellers: int) -> Society:
    random = np.random.default_rng(5)
    crowds = [
        Trader(jnp.asarray(random.integers(0, 9, n), jnp.int32), jnp.full(n, -1, jnp.int32), side)
        for n, side in ((buyers, 1), (sellers, -1))
    ]
    return Society(tuple(crowds), Bell(jnp.int32(4)))


# --- queue ---------------------------------------------------------------------------------------------------


class Speaker(Agent):
    turn: Int[Array, "*speakers"]

    def respond(self, view: View, key):
        return Speaker(view.public), jnp.int32(1)


class Tally(Signal):
    """How many have spoken in this round; `round` is how many rounds there have been."""

    merge: ClassVar[str] = "count"
    spoken: Int[Array, ""]

    def public(self):
        return self.spoken

    def propagate(self, summary):
        return type(self)(summary)


def queue(*speakers: int) -> Society:
    crowds = tuple(Speaker(jnp.full(n, -1, jnp.int32)) for n in speakers)
    if len(crowds) == 1:
        return Society(crowds[0], Tally(jnp.int32(0)))
    return Society(crowds, Tally2(jnp.int32(0)))


class Tally2(Tally):
    """The same for several populations."""

    def propagate(self, summary):
        return Tally2(sum(summary))


# --- drift ---------------------------------------------------------------------------------------------------


class Follower(Agent):
    heard: Float[Array, "*followers"]
    clock: Int[Array, "*followers"]

    def respond(self, view: View, key):
        level, clock = view.public
        return Follower(level + 0 * self.heard, clock), level


class Drift(Signal):
    """The level halves in every round; unrest is the level. The clock counts rounds."""

    merge: ClassVar[str] = "max"
    standing: ClassVar[bool] = True
    level: Float[Array, ""]
    clock: Int[Array, ""]

    def public(self):
        return (self.level, self.clock)

    def propagate(self, summary):
        return type(self)(self.level / 2, self.clock + 1)

    def unrest(self, summary):
        return self.level

    def span(self):
        return (Span(0.0, 1.0),)


def drift(followers: int, level: float = 1.0) -> Society:
    zeros = jnp.zeros(followers)
    return Society(Follower(zeros, zeros.astype(jnp.int32)), Drift(jnp.float32(level), jnp.int32(0)))


# --- neurons -----------------------------------------------------------------------------------------------


class Neuron(Agent):
    """Answers to all inputs at once; as a stack it is one matrix product."""

    weights: Float[Array, "*neurons inputs"]
    trace: Float[Array, "*neurons"]

    def respond(self, view: View, key):
        trace = 0.5 * self.trace + self.weights @ view.public
        return type(self)(self.weights, trace), {"drive": self.weights * trace, "active": (trace > 0).astype(jnp.int32)}


class Fused(Neuron):
    def tally(self, view: View, keys):
        assert keys.shape == self.trace.shape
        trace = 0.5 * self.trace + self.weights @ view.public
        summary = {"drive": trace @ self.weights, "active": (trace > 0).sum()}
        return type(self)(self.weights, trace), summary


class Drive(Signal):
    merge: ClassVar[dict] = {"drive": "sum", "active": "count"}
    level: Float[Array, " inputs"]
    active: Array

    def public(self):
        return self.level

    def propagate(self, summary):
        return Drive(0.5 * self.level + summary["drive"] / 300, summary["active"])


def neurons(kind: type[Neuron]) -> Society:
    weights = jnp.asarray(np.random.default_rng(0).normal(size=(64, 5)), jnp.float32)
    return Society(kind(weights, jnp.zeros(64)), Drive(jnp.ones(5), jnp.int32(0)))


# --- on the host ---------------------------------------------------------------------------------------------


class Walkers(HostAgent):
    """Steps of -1 or 1, drawn by a hash of (seed, round, id)."""

    place: np.ndarray

    def respond_all(self, view: View, key: np.ndarray):
        coins = host_bits(host_fold_in(key, np.arange(self.place.size)))
        step = np.where(coins >> 31, 1, -1)
        return Walkers(self.place + step), step


class Mean(Signal):
    place: np.ndarray

    def listen(self, actions):
        return actions.sum(0)

    def propagate(self, summary):
        return Mean(self.place + summary)

    def unrest(self, summary):
        return abs(float(summary))


def walkers(count: int) -> HostSociety:
    return HostSociety(Walkers(np.zeros(count, np.int64)), Mean(np.zeros((), np.int64)))
