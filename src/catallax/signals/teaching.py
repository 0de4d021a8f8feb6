"""What teaches the layers of a network: the one thing that reaches a layer besides its own input.

A layer l with input x_l and output y_l = f_l(x_l) changes its own parameters w_l by its own optimiser, along

    g_l = (d y_l / d w_l)^T s_l          where s_l, of the shape of y_l, is what it makes of what it was told

Kinds of teaching differ in what is told, to whom, and in what a layer makes of it: the gradient that the next layer
sends back (backpropagation), the error at the output (direct feedback alignment), a label (local losses), nothing
(Hebbian layers). Whatever reaches a layer goes through a `Wire`, which narrows it to so many bits and counts it: what is
not told through the wire is not told.
"""

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.errors import BadInput
from catallax.core.signal import Signal

SCALE = 32  # bits of the one number a row that narrowed values are read by


class Part(NamedTuple):
    """A layer, and what it owns besides for its lessons: a head, a decoder (None: nothing). Both are learnt."""

    layer: Any
    aid: Any = None


class Batch(NamedTuple):
    """Some rows to learn from: inputs [batch, ...], targets [batch, ...] as the loss takes them, the loss, and a key."""

    x: Any
    target: Any
    loss: Any
    key: Any


class Taught(NamedTuple):
    """For each part the gradients of what it learns (layer None: it stays as it is), and the loss at the output."""

    gradients: tuple[Part, ...]
    loss: Any


class Plan(NamedTuple):
    """A network before its first lesson: layers, the shapes of one row of input and of each layer's output, the loss."""

    layers: tuple
    inputs: tuple[int, ...]
    outputs: tuple[tuple[int, ...], ...]
    loss: Any


class Teaching(Signal):
    """A kind of lesson. Fixed random matrices and settings are its fields; it does not learn.

    `alone`: a layer's update does not depend on the weights of later layers (tested: bit for bit).
    `locked`: a layer must wait for the layers behind it before it can learn from a batch (update locking).
    `sweeps`: the output is one sweep forward through the layers (else `predict` says what it is).
    `charges`: layers learn by gradients of their outputs, and so heed the price of their own activity.
    """

    alone: ClassVar[bool]
    locked: ClassVar[bool]
    sweeps: ClassVar[bool] = True
    charges: ClassVar[bool] = True

    def drawn(self, layer: Any, key: Any, last: bool) -> Any:
        """The layer with its parameters drawn, if it has none yet, as this kind has it begin. Default: as layers do."""
        return layer.drawn(key, last)

    def begin(self, plan: Plan, key) -> tuple["Teaching", tuple]:
        """The teaching with its fixed matrices drawn, and each layer's aid. `BadInput` for layers it cannot teach.

        Default: nothing is needed.
        """
        return self, (None,) * len(plan.layers)

    @abc.abstractmethod
    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: "Wire") -> Taught:
        """One lesson for all layers. What reaches part l from elsewhere goes through `wire.tell(l, ...)`."""

    def predict(self, parts: tuple[Part, ...], x) -> Array:
        """The network's output, [batch, ...]. Default: one sweep forward."""
        for part in parts:
            x = part.layer(x)
        return x

    def public(self) -> None:
        """Nothing is read by everyone: fixed matrices are known, and what is told goes through the wire."""

    def propagate(self, summary: Any) -> "Teaching":
        """The same: what it says is made anew within each round, in the sweep through the layers."""
        return self

    def unrest(self, summary: Any) -> Any:
        """The loss that the layers came to."""
        return summary


class Wire:
    """The way to a layer: narrows what is told to `bits` a number, and counts the bits a row that each layer was told.

    Numbers are told as one of at most 2^bits values between -s and s (see `narrowed`), s the largest of the row, which is
    told beside them. Counted from shapes while a lesson is traced: nothing is counted in the loop.
    """

    def __init__(self, bits: Any = None) -> None:
        if bits is not None and (isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 24):
            raise BadInput(f"bits is {bits!r}: give a whole number from 1 to 24, or None for exact numbers")
        self.bits, self.told = bits, {}

    def tell(self, layer: int, value: Float[Array, "batch ..."], times: int = 1) -> Float[Array, "batch ..."]:
        """What layer number `layer` hears of a number for each row, told `times` times over (a relaxation's steps)."""
        size = int(np.prod(value.shape[1:]))
        exact = value.dtype.itemsize * 8
        self.count(layer, times * (size * exact if self.bits is None else size * self.bits + SCALE))
        return value if self.bits is None else narrowed(value, self.bits)

    def label(self, layer: int, target: Array, loss: Any) -> Array:
        """What layer number `layer` hears of the targets: a label's bits are what it takes to name a class."""
        self.count(layer, loss.bits(target))
        return target

    def count(self, layer: int, bits: Any) -> None:
        """So many bits a row more have reached a layer."""
        self.told[layer] = self.told.get(layer, 0.0) + float(bits)


def narrowed(value: Float[Array, "batch ..."], bits: int) -> Float[Array, "batch ..."]:
    """Each number as the nearest of 2^bits - 1 values from -s to s, 0 among them; one bit is a sign, worth s / 2.

    s is the largest of the row. Most of what a layer is told is 0, so that a grid without 0 needs two bits more.
    """
    axes = tuple(range(1, value.ndim))
    scale = jnp.max(jnp.abs(value), axis=axes, keepdims=True)
    if bits == 1:
        return jnp.where(value < 0, -scale / 2, scale / 2)
    top = 2 ** (bits - 1) - 1
    return jnp.round(value / jnp.where(scale > 0, scale, 1) * top) / top * scale


def pulled(function: Any, own: Any, signal: Array) -> Any:
    """The gradient g of what is learnt in `own`: (d function(own) / d own)^T signal."""
    learnt, rest = eqx.partition(own, eqx.is_inexact_array)
    return jax.vjp(lambda learnt: function(eqx.combine(learnt, rest)), learnt)[1](signal)[0]
