"""A chain of layers, each of which learns from its own input, its own output and what it is told: a network.

    chain = Chain([Dense(784, 1024), Dense(1024, 10)], teaching=Backpropagation())

`teaching` is the one thing that says what reaches each layer (`catallax.signals.teaching`). A chain is an Equinox
module: `chain(x)` is its output on a batch; `train` returns another, that has learnt.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from catallax.core.errors import BadInput
from catallax.networks.layers import Dense, Layer
from catallax.networks.losses import Loss, make_loss
from catallax.networks.teaching.backpropagation import Backpropagation
from catallax.signals.teaching import Part, Plan, Teaching


class Chain(eqx.Module):
    """Layers and the kind of teaching that coordinates them.

    **Arguments:** `layers`: of `Layer`, the output of each the input of the next; `teaching`: what reaches each layer
    (default: backpropagation); `loss`: "cross-entropy" (labels), "squared" (numbers) or a `Loss`; `inputs`: the shape of
    one row, where the first layer does not say; `seed`: draws weights and whatever fixed matrices the teaching has.

    **Raises** `BadInput` where layers do not join, or are of a kind that the teaching cannot reach.
    """

    layers: tuple[Layer, ...]
    aids: tuple
    teaching: Teaching
    loss: Loss
    inputs: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        layers: Any,
        teaching: Any = None,
        *,
        loss: Any = "cross-entropy",
        inputs: tuple[int, ...] | None = None,
        seed: int = 0,
    ) -> None:
        teaching = Backpropagation() if teaching is None else teaching
        check_layers(layers, teaching)
        key = jax.random.key(seed)
        drawn = tuple(
            teaching.drawn(layer, jax.random.fold_in(key, number), number == len(layers) - 1)
            for number, layer in enumerate(layers)
        )
        self.inputs = row_shape(drawn, inputs)
        shapes = output_shapes(drawn, self.inputs)
        if len(shapes[-1]) != 1:
            raise BadInput(f"the last layer gives {list(shapes[-1])} a row: its output must have one axis")
        self.loss = make_loss(loss, shapes[-1][0])
        plan = Plan(drawn, self.inputs, shapes, self.loss)
        self.layers = drawn
        self.teaching, self.aids = teaching.begin(plan, jax.random.fold_in(key, len(layers)))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Each layer with its aid."""
        return tuple(Part(*pair) for pair in zip(self.layers, self.aids, strict=True))

    @property
    def outputs(self) -> int:
        """How many numbers a row comes to."""
        return output_shapes(self.layers, self.inputs)[-1][0]

    def __call__(self, x: Any) -> Array:
        """Outputs [batch, outputs] of inputs [batch, ...]: scores of classes, or values."""
        return self.teaching.predict(self.parts, jnp.asarray(x, jnp.zeros(()).dtype))

    def having_learnt(self, parts: Sequence[Part]) -> "Chain":
        """The same chain with other parameters."""
        where = lambda chain: (chain.layers, chain.aids)  # noqa: E731
        new = tuple(part.layer for part in parts), tuple(part.aid for part in parts)
        return eqx.tree_at(where, self, new, is_leaf=lambda node: node is None)


def check_layers(layers: Any, teaching: Any) -> None:
    """A list of layers and a kind of teaching."""
    if not isinstance(teaching, Teaching):
        raise BadInput(f"teaching is {teaching!r}: give a Teaching such as networks.Backpropagation()")
    if not isinstance(layers, Sequence) or not layers:
        raise BadInput("Chain.layers must be a list of layers, at least one")
    for number, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            said = f"layer {number} of the chain is a {type(layer).__name__}"
            raise BadInput(f"{said}: give networks.Dense, or make a chain of Equinox modules by networks.teach")
        if isinstance(layer, Dense) and layer.activity and not teaching.charges:
            kind = type(teaching).__name__
            raise BadInput(f"layer {number} has a price of activity, which {kind} does not heed: leave `activity` out")


def row_shape(layers: tuple[Layer, ...], inputs: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape of one row of input."""
    first = layers[0]
    if inputs is not None:
        return tuple(int(size) for size in inputs)
    if not isinstance(first, Dense):
        raise BadInput(
            f"the first layer, a {type(first).__name__}, does not say what it takes: give Chain(inputs=shape)"
        )
    return (first.inputs,)


def output_shapes(layers: tuple[Layer, ...], inputs: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The shape of one row of each layer's output. BadInput where two do not join."""
    shapes, row = [], inputs
    for number, layer in enumerate(layers):
        if isinstance(layer, Dense) and row != (layer.inputs,):
            before = "the input has" if number == 0 else f"layer {number - 1} gives"
            raise BadInput(f"layer {number} takes rows of {layer.inputs} numbers: {before} the shape {list(row)}")
        x = jax.ShapeDtypeStruct((1, *row), jnp.zeros(()).dtype)
        try:
            row = eqx.filter_eval_shape(layer, x).shape[1:]
        except (TypeError, ValueError, AssertionError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BadInput(f"layer {number} cannot take rows of the shape {list(row)}: {reason}") from None
        shapes.append(tuple(row))
    return tuple(shapes)
