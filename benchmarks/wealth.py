"""The kinetic wealth model in catallax, three ways: everyone with money gives one unit to a random other.

    people, a `Post`      the per-agent protocol, all at once: what the last round's post brought is taken in,
                          and one unit goes out; the post is emptied by being read
    people, a `Mailbox`   the same agents, one by one in random order (or all at once): the post is kept by
                          its changes, plus what is sent, minus what its owner took out
    a `Bazaar`            a host society: a numba kernel moves money from hand to hand, one by one in random
                          order

Money is in whole units. An agent's wealth is what it holds and what lies in its post. Nothing is public: an
agent knows its own purse and its own post, and how many people there are.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numba
import numpy as np
from jaxtyping import Array, Int

import catallax as cx
from catallax.core import kernel, random
from catallax.core.society import HostSociety


class Gift(NamedTuple):
    """An action: `units` (0 or 1) sent to agent `to`, and what agent `owner` took out of its post."""

    to: Int[Array, "*agents"]
    units: Int[Array, "*agents"]
    owner: Int[Array, "*agents"]
    taken: Int[Array, "*agents"]


class Person(cx.Agent):
    """One trader: the money it holds and its own number, out of `people` of them."""

    wealth: Int[Array, "*agents"]
    name: Int[Array, "*agents"]
    people: int = eqx.field(static=True)

    def respond(self, view: cx.View, key) -> tuple[Person, Gift]:
        wealth = self.wealth + view.local
        units = (wealth > 0).astype(jnp.int32)
        gift = Gift(someone_else(key, self.name, self.people), units, self.name, view.local)
        return Person(wealth - units, self.name, self.people), gift


class Post(cx.Signal):
    """What everyone was sent in the last round; reading it empties it, so everyone must act in every
    round."""

    inbox: Int[Array, " agents"]
    merge: ClassVar[str] = "count"
    transit: ClassVar[bool] = True

    def public(self) -> None:
        return None

    def local(self, agents) -> Int[Array, " agents"]:
        return self.inbox

    def listen(self, actions: Gift) -> Int[Array, " agents"]:
        return jnp.zeros_like(self.inbox).at[actions.to].add(actions.units, mode="promise_in_bounds")

    def propagate(self, summary: Int[Array, " agents"]) -> Post:
        return Post(summary)


class Mailbox(cx.Signal):
    """What lies in everyone's post, kept by its changes: right for any order of acting, and for those who
    sleep."""

    inbox: Int[Array, " agents"]
    merge: ClassVar[str] = "count"

    def public(self) -> None:
        return None

    def local(self, agents) -> Int[Array, " agents"]:
        return self.inbox

    def listen(self, actions: Gift) -> Int[Array, " agents"]:
        return self.hear(jnp.zeros_like(self.inbox), actions)

    def hear(self, summary: Int[Array, " agents"], action: Gift) -> Int[Array, " agents"]:
        sent = summary.at[action.to].add(action.units, mode="promise_in_bounds")
        return sent.at[action.owner].add(-action.taken, mode="promise_in_bounds")

    def propagate(self, summary: Int[Array, " agents"]) -> Mailbox:
        return Mailbox(self.inbox + summary)


def people(agents: int, signal: type[Post] | type[Mailbox] = Post) -> cx.Society:
    """`agents` people with one unit each, and nothing in the post."""
    names = jnp.arange(agents, dtype=jnp.int32)
    return cx.Society(Person(jnp.ones_like(names), names, agents), signal(jnp.zeros_like(names)))


def someone_else(key, name: Int[Array, ""], people: int) -> Int[Array, ""]:
    """Another agent than `name`, all equally likely (but for 2^-32)."""
    other = below(jax.random.bits(key, (), jnp.uint32), people - 1)
    return other + (other >= name)


def below(word, bound: int) -> Int[Array, ""]:
    """floor(word * bound / 2^32) for a uint32 `word`, in 16-bit halves: JAX has no 64-bit product by default.

    `jax.random.randint` takes two words and divides, at twice the price; scaling a float32 has 2^24 values,
    which among a million agents makes some 6 % more likely than others - enough to make them rich.
    """
    high, low = word >> 16, word & 0xFFFF
    bound_high, bound_low = np.uint32(bound >> 16), np.uint32(bound & 0xFFFF)
    middle = high * bound_low + (low * bound_low >> 16)  # cannot overflow: (2^16 - 1) 2^16 at most
    rest = low * bound_high + (middle & 0xFFFF)
    return (high * bound_high + (middle >> 16) + (rest >> 16)).astype(jnp.int32)


class Purse(NamedTuple):
    """The agents of a bazaar: the money of each, int32[agents] in NumPy."""

    wealth: np.ndarray


class FromHandToHand(cx.Signal):
    """No post at all: what is given is had at once."""

    merge: ClassVar[str] = "count"

    def public(self) -> None:
        return None

    def propagate(self, summary: Any) -> FromHandToHand:
        return self


class Bazaar(HostSociety):
    """People who give from hand to hand, one by one in an order drawn afresh each round, in a numba
    kernel."""

    def advance(self, start: int, stop: int, seed: int) -> tuple[Bazaar, float]:
        wealth = self.agents.wealth.copy()
        trade(wealth, round_keys(seed, start, stop))
        return Bazaar(Purse(wealth), self.signal, self.ids), np.inf


def bazaar(agents: int) -> Bazaar:
    """`agents` people with one unit each."""
    return Bazaar(Purse(np.ones(agents, np.int32)), FromHandToHand())


def round_keys(seed: int, start: int, stop: int) -> np.ndarray:
    """The keys of the only population in rounds `start` to `stop`, uint32[rounds 2]: `host_key`, all at
    once."""
    root = np.asarray(jax.random.key_data(random.key(seed)))
    return random.host_fold_in(random.host_fold_in(root, np.arange(start, stop)), 0)


@numba.njit(cache=True)
def trade(wealth: np.ndarray, keys: np.ndarray) -> None:
    """One round a key (uint32[rounds 2]); `wealth` is changed in place.

    The order of turns is shuffled as it is used (Fisher & Yates): turn i takes one of those still waiting.
    """
    people = wealth.size
    everyone = np.arange(people).astype(np.int32)
    waiting = everyone.copy()
    for t in range(keys.shape[0]):
        waiting[:] = everyone
        turns = kernel.fold_in(keys[t, 0], keys[t, 1], people)  # no agent's key: ids are 0 ... people - 1
        for i in range(people):
            k = i + kernel.below(turns[0], turns[1], i, people - i)
            who = waiting[k]
            waiting[k] = waiting[i]
            if wealth[who] > 0:
                own = kernel.fold_in(keys[t, 0], keys[t, 1], who)
                other = kernel.below(own[0], own[1], 0, people - 1)
                other += other >= who
                wealth[who] -= 1
                wealth[other] += 1
