"""A group of consecutive layers and its lessons, apart from the rest of its network.

    stream_a -> [layers a .. b - 1] -> stream_b        stream: what a layer hands to the next one, [batch, ...] each

A group knows the network's teaching and the shapes of the other layers, not their weights: in their places are layers of
zeros, and in place of the one before it what came in. That a layer's update does not depend on later layers' weights
(`alone`) is what makes its lesson that of the whole network, for the same stream and random bits; XLA leaves out what
belongs to the others. Where layers hand on more than their outputs (forward-forward: two passes and the readout's; SoftHebb:
what the readout hears), the stream is what they hand on.
"""

import dataclasses
from itertools import pairwise
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from catallax.core.errors import BadInput, Refused
from catallax.networks.chain import output_shapes
from catallax.networks.layers import Layer
from catallax.networks.teaching import competition, goodness
from catallax.networks.teaching.forward_forward import ForwardForward
from catallax.networks.teaching.local_losses import LocalLosses
from catallax.networks.teaching.random_targets import RandomTargets
from catallax.networks.teaching.softhebb import SoftHebb
from catallax.networks.teaching.sweep import keys
from catallax.signals.teaching import Batch, Part, Teaching, Wire, pulled

NONE = float("nan")  # the objective of a group whose layers have none


class Given(Layer):
    """In the place of a layer that is elsewhere: its output is what came in."""

    output: Array
    objective: Any = None

    def __call__(self, x: Array, key: Any = None) -> Array:
        return self.output


class Group(eqx.Module):
    """Layers `first` to `stop` (exclusive) of a chain. `forms`: all parts, arrays that are learnt as shapes alone."""

    teaching: Teaching
    loss: Any
    forms: tuple[Part, ...]
    inputs: tuple[int, ...] = eqx.field(static=True)
    outputs: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    first: int = eqx.field(static=True)
    stop: int = eqx.field(static=True)

    @property
    def last(self) -> bool:
        """Whether its output is the network's."""
        return self.stop == len(self.outputs)

    @property
    def name(self) -> str:
        """In words."""
        one = self.stop - self.first == 1
        return f"layer {self.first}" if one else f"layers {self.first} to {self.stop - 1}"

    def lesson(self, parts: tuple[Part, ...], stream: tuple, target: Any, key: Any) -> tuple[tuple, tuple, Array]:
        """Gradients of its own parts, the stream that it hands on, and the objective of the last layer that has one."""
        batch = Batch(stream, target, self.loss, key)
        if isinstance(self.teaching, ForwardForward):
            return forward_forward_lesson(self, parts, batch)
        if isinstance(self.teaching, SoftHebb):
            return softhebb_lesson(self, parts, batch)
        return plain_lesson(self, parts, batch)


def taken_apart(chain: Any, cuts: tuple[int, ...]) -> list[Group]:
    """Groups of a chain's layers, cut before the layers `cuts`. Raises `Refused` where its layers wait for each other."""
    teaching, count = chain.teaching, len(chain.layers)
    check_teaching(teaching)
    bounds = [0, *cuts, count]
    if bounds != sorted(set(bounds)):
        raise BadInput(f"cut is {list(cuts)}: give layers from 1 to {count - 1}, in order, before which to cut")
    for number in range(bounds[1], count):
        aim = teaching.aims[number] if isinstance(teaching, LocalLosses) else None
        if aim is not None and aim.rows is not None:
            raise Refused(f"layer {number} learns from rows of its own, which pass through layers of another process")
    forms = tuple(jax.tree.map(shape_of, part) for part in chain.parts)
    outputs = output_shapes(chain.layers, chain.inputs)
    return [Group(teaching, chain.loss, forms, chain.inputs, outputs, *pair) for pair in pairwise(bounds)]


def check_teaching(teaching: Teaching) -> None:
    """Layers that learn alone, wait for none, and hand on what is known here."""
    name = type(teaching).__name__
    if teaching.locked or not teaching.alone:
        why = "wait for those behind them" if teaching.locked else "hear of the weights of those behind them"
        raise Refused(f"layers taught by {name} {why}: take LocalLosses, RandomTargets, ForwardForward or SoftHebb")
    if not (teaching.sweeps or isinstance(teaching, ForwardForward | SoftHebb)):
        raise Refused(f"what layers taught by {name} hand on is not their output: they cannot be taken apart here")


def shape_of(leaf: Any) -> Any:
    """An array that is learnt as its shape; anything else as it is."""
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) if eqx.is_inexact_array(leaf) else leaf


def blank(form: Part) -> Part:
    """A part whose learnt arrays are zeros."""
    zeros = lambda leaf: jnp.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.ShapeDtypeStruct) else leaf  # noqa: E731
    return jax.tree.map(zeros, form)


def plain_lesson(group: Group, parts: tuple[Part, ...], batch: Batch) -> tuple[tuple, tuple, Array]:
    """Where a layer hands on its output: the teaching's own lesson, with layers of zeros in the place of the others."""
    (x,), first, stop = batch.x, group.first, group.stop
    below = [
        Part(Given(output=jnp.zeros((len(x), *shape), x.dtype)), blank(form).aid)
        for form, shape in zip(group.forms[:first], group.outputs, strict=False)
    ]
    if below:
        below[-1] = Part(Given(output=x), below[-1].aid)
    rows = x if first == 0 else jnp.zeros((len(x), *group.inputs), x.dtype)
    everyone = (*below, *parts, *map(blank, group.forms[stop:]))
    taught = group.teaching.teach(everyone, batch._replace(x=rows), Wire())
    bits, stream = keys(batch, len(everyone))[first:stop], [x]
    for part, key in zip(parts, bits, strict=True):
        stream.append(part.layer(stream[-1], key))
    value = taught.loss if group.last else plain_objective(group, parts, stream, batch)
    return taught.gradients[first:stop], (stream[-1],), value


def plain_objective(group: Group, parts: tuple[Part, ...], stream: list, batch: Batch) -> Array:
    """What a hidden group's last layer wants to be small: its own loss, or -mean_b <t_b B, y_b>."""
    number, teaching = group.stop - 1, group.teaching
    if isinstance(teaching, LocalLosses) and teaching.aims[number] is not None:
        aim = teaching.aims[number]
        if aim.rows is None:
            return aim.value(parts[-1].aid, stream[-1], stream[-2], aim.told(number, batch, Wire()))
    if isinstance(teaching, RandomTargets):
        pull = jnp.tensordot(batch.loss.code(batch.target), teaching.matrices[number], 1)
        return -jnp.sum(pull * stream[-1]) / len(stream[-1])
    return jnp.asarray(NONE, stream[-1].dtype)


def softhebb_lesson(group: Group, parts: tuple[Part, ...], batch: Batch) -> tuple[tuple, tuple, Array]:
    """SoftHebb of a part of its layers. Stream: what the readout hears of each hidden layer so far.

    The next layer takes a row's mean and length away, so that the last of these is as good to it as the layer's output.
    Objective: 1 - the mean cosine of a row with its winner.
    """
    teaching, hidden, x = group.teaching, parts[: len(parts) - group.last], batch.x[-1]
    assert isinstance(teaching, SoftHebb)
    if isinstance(teaching.temperature, tuple):
        teaching = dataclasses.replace(teaching, temperature=teaching.temperature[group.first :])
    heard, changes = teaching.sweep((*hidden, Part(None)), x, keys(batch, len(group.forms))[group.first :])
    stream = [*batch.x[: group.first], *heard[: len(hidden)]]
    stream = stream if teaching.reads == "all" else stream[-1:]
    if group.last:
        value, error = batch.loss.error(teaching.output(parts[-1], stream), batch.target)
        readout = pulled(lambda part: teaching.output(part, stream), parts[-1], error)
        return (*changes, readout), tuple(stream), value
    weight = hidden[-1].layer.weight
    rows = competition.normed(heard[-2] if len(hidden) > 1 else x)
    cosines = rows @ (weight / jnp.linalg.norm(weight, axis=1, keepdims=True)).T
    return tuple(changes), tuple(stream), 1 - jnp.mean(jnp.max(cosines, axis=1))


def forward_forward_lesson(group: Group, parts: tuple[Part, ...], batch: Batch) -> tuple[tuple, tuple, Array]:
    """Forward-forward of a part of its layers. Stream: the pass with a row's own label, with a wrong one, with neither."""
    teaching, bits = group.teaching, list(keys(batch, len(group.forms)))
    assert isinstance(teaching, ForwardForward)
    wrong, stream, gradients, value = None, batch.x, [], jnp.zeros(())
    if group.first == 0:
        draw, bits[0] = jax.random.split(bits[0])
        wrong = teaching.wrong_labels(parts[0], stream[0], batch.target, draw)
        stream = (goodness.normed(stream[0]),) * 3
    good, bad, rest = stream
    for number, part in enumerate(parts[: len(parts) - group.last], group.first):
        told = (batch.target, wrong) if number == 0 else (None, None)
        before = good, bad
        gradient, good, bad = teaching.lesson(part, before, told, bits[number])
        gradients.append(gradient)
        lively = [goodness.lively(part, x, label, bits[number]) for x, label in zip(before, told, strict=True)]
        value = teaching.objective(*map(goodness.goodness, lively))
        rest = goodness.normed(goodness.lively(part, rest, None, None))
    if group.last:
        readout = parts[-1].layer
        value, error = batch.loss.error(readout(rest), batch.target)
        gradients.append(Part(pulled(lambda layer: layer(rest), readout, error)))
    return tuple(gradients), (good, bad, rest), value


__all__ = ["Group", "taken_apart"]
