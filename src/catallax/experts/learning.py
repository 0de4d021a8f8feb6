"""A network of experts that learns: the society whose agents are experts and whose signal is a price for each.

A round is one batch: rows are routed at the prices of older batches, all parts change along what they want, prices move.
`catallax.run` drives it as a host society. Batches are drawn without return, in an order that is a hash of (seed, epoch). After
each epoch the network is put to the test on the rows held out, at prices that then stay as they are.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.agent import HostAgent
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.random import host_key
from catallax.core.rows import Rows, shuffled
from catallax.core.signal import Signal
from catallax.core.society import HostSociety
from catallax.experts.controls import ROUTERS, Network, Router, aim, losses, route

CHUNK = 8192  # rows put to the test at once
SINGLE = 24  # bits of a float's fraction


class Crew(HostAgent):
    """The experts: `share` [experts], each one's part of the work on rows held out."""

    share: Float[np.ndarray, " experts"]

    def influence(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Each one's part of the work."""
        return self.share

    def respond_all(self, view: Any, key: Any) -> tuple["Crew", None]:
        """Experts answer within their lessons."""
        return self, None


class Price(Signal):
    """A price for each expert, in the unit of bids, that all rows hear."""

    level: Float[Array, " experts"]

    def public(self) -> Float[Array, " experts"]:
        return self.level

    def propagate(self, summary: Any) -> "Price":
        """The same: prices move within a round, by the rule of their router."""
        return self

    def unrest(self, summary: Any) -> Any:
        """The loss of the batch."""
        return summary


class Learning(HostSociety):
    """`network`, its optimiser's `memory`; `total` of losses and `load` of experts in this epoch so far,
    `seen` batches of it; after each epoch `counts` [classes, experts], `accuracy` and `loss` on rows held out (NaN before).
    """

    network: Network = None  # type: ignore[assignment]
    memory: Any = None
    optimiser: Any = eqx.field(static=True, default=None)
    router: str = eqx.field(static=True, default="dual")
    rows: Rows = eqx.field(static=True, default=None)  # type: ignore[assignment]
    held: Rows = eqx.field(static=True, default=None)  # type: ignore[assignment]
    batch: int = eqx.field(static=True, default=128)
    bits: int | None = eqx.field(static=True, default=None)
    total: Any = None
    load: Any = None
    seen: Any = None
    counts: Any = None
    accuracy: Any = None
    loss: Any = None

    @classmethod
    def of(cls, network: Network, prices: Any, memory: Any, **how: Any) -> "Learning":
        """One that has had no lesson; `how`: the static fields and `classes`."""
        classes, experts = how.pop("classes"), network.count
        share = np.full(experts, 1 / experts)
        return cls(
            Crew(share), Price(prices), network=network, memory=memory, **how, total=np.float32(0),
            load=np.zeros(experts, np.float32), seen=np.int64(0), counts=np.zeros((classes, experts)),
            accuracy=np.float64(np.nan), loss=np.float64(np.nan),
        )  # fmt: skip

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return max(1, self.rows.count // self.batch)

    def through(self, channel: Channel) -> "Learning":
        """The same, its prices heard in the channel's bits. Raises `Refused` for its other switches."""
        if channel.noise or channel.delay or channel.loss:
            raise Refused("rows read prices within their batch: of a channel's switches bits alone are for it")
        if channel.bits is not None and channel.bits > SINGLE:
            raise Refused("a price of 32 bits has a fraction of 24: it is told in 1 to 24 bits, or exactly")
        return dataclasses.replace(self, bits=channel.bits)

    def summary_like(self) -> Any:
        """What prices hear of a batch: the load of each expert."""
        return jax.ShapeDtypeStruct((self.network.count,), np.float32)

    def ready(self) -> None:
        """Compiles a lesson and a test."""
        self.taught(0, 0, 1, 0)
        self.tested()

    def advance(self, start: int, stop: int, seed: int) -> tuple["Learning", float]:
        """Batches `start` to `stop`; what it returns beside itself is the loss of the last one."""
        state, loss = self, float("nan")
        while start < stop:
            epoch = start // self.steps
            end = min(stop, (epoch + 1) * self.steps)
            state, loss = state.taught(epoch, start - epoch * self.steps, end - epoch * self.steps, seed)
            if end == (epoch + 1) * self.steps:
                state = state.tested()
            start = end
        return state, loss

    def taught(self, epoch: int, start: int, stop: int, seed: int) -> tuple["Learning", float]:
        """Batches `start` to `stop` of an epoch, and the loss of the last one."""
        order = shuffled(seed, epoch, self.rows.count)[: self.steps * self.batch].reshape(self.steps, -1)
        fresh = start == 0
        carried = State(
            self.network, self.memory, self.signal.level,  # pyright: ignore[reportAttributeAccessIssue]
            jnp.zeros_like(self.total) if fresh else jnp.asarray(self.total),
            jnp.zeros_like(self.load) if fresh else jnp.asarray(self.load),
        )  # fmt: skip
        after, last = lessons(
            carried, ROUTERS[self.router], self.optimiser, self.rows.x, self.rows.target, jnp.asarray(order),
            np.int32(start), np.int32(stop), jnp.asarray(host_key(seed, epoch)), self.bits,
        )  # fmt: skip
        found = dict(network=after.network, memory=after.memory, total=after.total, load=after.load)
        return dataclasses.replace(self, signal=Price(after.prices), **found, seen=np.int64(stop)), float(last)

    def tested(self) -> "Learning":
        """Put to the test on the rows held out."""
        classes = len(self.counts)
        right, lost, counts = 0.0, 0.0, np.zeros(self.counts.shape)
        for at in range(0, self.held.count, CHUNK):
            x, label = self.held.x[at : at + CHUNK], self.held.target[at : at + CHUNK]
            given = (self.network, ROUTERS[self.router], self.signal.level, x, label)  # pyright: ignore[reportAttributeAccessIssue]
            one = judged(*given, classes, self.bits)
            right, lost, counts = right + float(one[0]), lost + float(one[1]), counts + np.asarray(one[2], np.float64)
        share = counts.sum(0) / max(counts.sum(), 1.0)
        found = dict(accuracy=np.float64(right / self.held.count), loss=np.float64(lost / self.held.count))
        return dataclasses.replace(self, agents=Crew(share), counts=counts, **found)


class State(eqx.Module):
    """What a batch changes."""

    network: Network
    memory: Any
    prices: Float[Array, " experts"]
    total: Float[Array, ""]
    load: Float[Array, " experts"]


@eqx.filter_jit
def lessons(state: State, router: Router, optimiser, x, target, order, start, stop, words, bits):
    """Batches `start` to `stop` (exclusive) of an epoch: the state after them, and the last loss."""
    arrays, rest = eqx.partition(state, eqx.is_array)
    epoch = jax.random.wrap_key_data(words, impl="threefry2x32")

    def body(number, carry):
        arrays, _ = carry
        state: State = eqx.combine(arrays, rest)
        rows, key = order[number], jax.random.fold_in(epoch, number)
        pull, found = eqx.filter_grad(aim, has_aux=True)(
            state.network, router, x[rows], target[rows], state.prices, key, bits
        )
        learnt = eqx.filter(state.network, eqx.is_inexact_array)
        update, memory = optimiser.update(pull, state.memory, learnt)
        network = eqx.apply_updates(state.network, update)
        after = State(network, memory, found.prices, state.total + found.loss, state.load + found.load)
        return eqx.filter(after, eqx.is_array), found.loss

    arrays, last = jax.lax.fori_loop(start, stop, body, (arrays, jnp.asarray(jnp.nan, state.total.dtype)))
    return eqx.combine(arrays, rest), last


@eqx.filter_jit
def judged(network: Network, router: Router, prices, x, label, classes: int, bits):
    """(rows named rightly, the sum of their losses, how often rows of each class went to each expert)"""
    found = route(router, network, x, prices, jax.random.key(0), False, bits)
    scores = network.leave(found.h + found.y)
    member = jax.nn.one_hot(label, classes, dtype=scores.dtype)
    right = jnp.sum(jnp.argmax(scores, 1) == label)
    return right, jnp.sum(losses(scores, label)), member.T @ found.served.astype(scores.dtype)
