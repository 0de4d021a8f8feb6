"""A chain at school: the society whose agents are layers and whose signal is a kind of teaching.

A round is one batch: the teaching sweeps through the layers, each layer changes its own parameters by its own optimiser.
`catallax.run` drives it as a host society: records, looks, checkpoints, seconds and Ctrl-C are those of every run.
Batches are drawn without return, in an order that is a hash of (seed, epoch); rows left over wait for the next epoch.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from catallax.core.agent import Agent, View
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.random import host_key
from catallax.core.rows import Rows, shuffled
from catallax.core.society import HostSociety
from catallax.networks.losses import Loss
from catallax.signals.teaching import Batch, Part, Taught, Teaching, Wire

DISTORTION = 2**31  # the stream of random bits that distorts inputs: beyond those of layers


class Learner(Agent):
    """A layer that changes its own parameters along what its lesson came to, by an optimiser of its own."""

    part: Part
    memory: Any  # the optimiser's state
    optimiser: Any = eqx.field(static=True)

    @classmethod
    def new(cls, part: Part, optimiser: optax.GradientTransformation) -> "Learner":
        """One that has learnt nothing yet."""
        return cls(part, optimiser.init(eqx.filter(part, eqx.is_inexact_array)), optimiser)

    def respond(self, view: View, key: Any) -> tuple["Learner", None]:
        """The layer after one lesson. `view.local`: a `Part` of gradients."""
        own, gradient = eqx.filter(self.part, eqx.is_inexact_array), view.local
        if gradient.layer is None:  # it stays as it is
            gradient = Part(jax.tree.map(jnp.zeros_like, own.layer), gradient.aid)
        update, memory = self.optimiser.update(gradient, self.memory, own)
        part = eqx.apply_updates(self.part, update)
        if view.local.layer is None:
            part = Part(self.part.layer, part.aid)
        return Learner(part, memory, self.optimiser), None


class School(HostSociety):
    """Layers (`agents`: a tuple of `Learner`), their teaching (`signal`), and the rows that they learn from.

    `total`: the sum of the losses of the batches of this epoch so far, `seen` of them; `sick`: which layers held NaN when
    the loss first did. Where `held` rows are given, the
    network is put to the test on them after each epoch: `mistakes` there, the least so far, epochs since, the best layers.
    """

    signal: Teaching
    loss: Loss = None  # type: ignore[assignment]
    rows: Rows = eqx.field(static=True, default=None)  # type: ignore[assignment]
    held: Rows | None = eqx.field(static=True, default=None)
    batch: int = eqx.field(static=True, default=128)
    bits: int | None = eqx.field(static=True, default=None)
    distort: Any = eqx.field(static=True, default=None)
    total: Float[Array, ""] = None  # type: ignore[assignment]
    seen: Int[Array, ""] = None  # type: ignore[assignment]
    sick: Bool[Array, " layers"] = None  # type: ignore[assignment]
    mistakes: Any = None
    least: Any = None
    since: Any = None
    best: Any = None

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return max(1, self.rows.count // self.batch)

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(learner.part for learner in self.agents)

    @property
    def mean_loss(self) -> Array:
        """Of this epoch so far."""
        return self.total / jnp.maximum(self.seen, 1)

    def through(self, channel: Channel) -> "School":
        """The same school, each number told to a layer in the channel's bits. Raises `Refused` for its other switches."""
        if channel.noise or channel.delay or channel.loss:
            raise Refused("a lesson is one sweep that waits for nobody: of a channel's switches bits alone are for it")
        if channel.bits is not None and channel.bits > 24:
            raise Refused("a number of 32 bits has a fraction of 24: it is told in 1 to 24 bits, or exactly")
        return dataclasses.replace(self, bits=channel.bits)

    def ready(self) -> None:
        """Compiles a lesson and a test."""
        school, _ = self.taught(0, 0, 1, 0)
        if school.held is not None:
            school.tested()

    def summary_like(self) -> Any:
        """As many bools as bits reach the layers in a round, by the count of the wire."""
        wire, places = Wire(self.bits), np.arange(self.batch) % self.rows.count
        batch = Batch(self.rows.x[places], self.rows.target[places], self.loss, jax.random.key(0))
        eqx.filter_eval_shape(lambda parts, batch: self.signal.teach(parts, batch, wire).loss, self.parts, batch)
        return jax.ShapeDtypeStruct((round(self.batch * sum(wire.told.values())),), np.bool_)

    def advance(self, start: int, stop: int, seed: int) -> tuple["School", float]:
        """Batches `start` to `stop`; what it returns beside itself is the loss of the last one."""
        school, loss = self, float("nan")
        while start < stop:
            epoch = start // self.steps
            end = min(stop, (epoch + 1) * self.steps)
            school, loss = school.taught(epoch, start - epoch * self.steps, end - epoch * self.steps, seed)
            if end == (epoch + 1) * self.steps and self.held is not None:
                school = school.tested()
            start = end
        return school, loss

    def taught(self, epoch: int, start: int, stop: int, seed: int) -> tuple["School", float]:
        """Batches `start` to `stop` of an epoch, one after the other, and the loss of the last one."""
        order = shuffled(seed, epoch, self.rows.count)[: self.steps * self.batch].reshape(self.steps, -1)
        words = jnp.asarray(host_key(seed, epoch))
        given = (self.signal, self.loss, self.rows.x, self.rows.target, jnp.asarray(order))
        span = np.int32(start), np.int32(stop)
        total = jnp.zeros_like(self.total) if start == 0 else self.total
        learners, total, last, sick = lessons(
            self.agents, self.sick, total, *given, *span, words, self.bits, self.distort
        )
        seen = jnp.asarray(stop, self.seen.dtype)
        return dataclasses.replace(self, agents=learners, total=total, seen=seen, sick=sick), float(last)

    def tested(self) -> "School":
        """Put to the test on the rows held out: the best so far is kept."""
        assert self.held is not None
        mistakes = mean_mistakes(self.signal, self.parts, self.loss, self.held)
        better = bool(mistakes < self.least)
        kept = self.parts if better else self.best
        since = np.int64(0) if better else self.since + 1
        return dataclasses.replace(
            self, mistakes=np.float64(mistakes), least=np.float64(min(mistakes, self.least)), since=since, best=kept
        )


def lesson(learners: tuple, teaching: Teaching, batch: Batch, bits: int | None) -> tuple[tuple, Taught]:
    """One batch: the teaching sweeps, each layer responds to what reached it alone."""
    taught = teaching.teach(tuple(learner.part for learner in learners), batch, Wire(bits))
    pairs = zip(learners, taught.gradients, strict=True)
    return tuple(learner.respond(View(None, gradient), batch.key)[0] for learner, gradient in pairs), taught


@eqx.filter_jit
def lessons(learners, sick, total, teaching, loss, x, target, order, start, stop, words, bits, distort):
    """Batches `start` to `stop` (exclusive) of an epoch, traced: the learners, the sum of losses from `total` on (one after
    the other: its bits do not depend on who looks when), the last loss, and who is sick."""
    arrays, rest = eqx.partition(learners, eqx.is_array)
    epoch = jax.random.wrap_key_data(words, impl="threefry2x32")

    def body(number, carry):
        arrays, total, _, sick = carry
        rows, before = order[number], eqx.combine(arrays, rest)
        key = jax.random.fold_in(epoch, number)
        seen = x[rows] if distort is None else distort(x[rows], jax.random.fold_in(key, DISTORTION))
        batch = Batch(seen, target[rows], loss, key)
        after, taught = lesson(before, teaching, batch, bits)
        well = jnp.isfinite(taught.loss) | jnp.any(sick)
        sick = jax.lax.cond(well, lambda _: sick, broken, arrays)  # looked at once, when it has happened
        return eqx.filter(after, eqx.is_array), total + taught.loss, taught.loss, sick

    begun = arrays, total, jnp.asarray(jnp.nan, total.dtype), sick
    arrays, total, last, sick = jax.lax.fori_loop(start, stop, body, begun)
    return eqx.combine(arrays, rest), total, last, sick


def broken(learners: tuple) -> Bool[Array, " layers"]:
    """Which layers hold a number that is none."""
    floats = [jax.tree.leaves(eqx.filter(learner.part, eqx.is_inexact_array)) for learner in learners]
    return jnp.stack([sum((~jnp.isfinite(x).all() for x in own), jnp.asarray(False)) for own in floats])


CHUNK = 4096  # rows put to the test at once


@eqx.filter_jit
def mistakes_of(teaching, parts, loss, x, target):
    """The sum of the mistakes on some rows."""
    return jnp.sum(loss.mistakes(teaching.predict(parts, x), target))


def mean_mistakes(teaching: Teaching, parts: tuple[Part, ...], loss: Loss, rows: Rows) -> float:
    """The mean mistake: the share of rows misnamed, or the mean squared error."""
    pieces = range(0, rows.count, CHUNK)
    sums = [
        float(mistakes_of(teaching, parts, loss, rows.x[i : i + CHUNK], rows.target[i : i + CHUNK])) for i in pieces
    ]
    return sum(sums) / rows.count
