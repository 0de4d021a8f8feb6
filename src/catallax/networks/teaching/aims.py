"""Objectives made ready for the layers of one network: their losses, heads and rows.

`LocalLosses` and its control `DeepSupervision` begin with the same aims and heads, drawn by the same key.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.errors import BadInput
from catallax.networks.layers import Block, Dense, weights, with_fields
from catallax.networks.losses import CrossEntropy, Loss, SquaredError
from catallax.networks.objectives import KINDS, Objective, features_of, is_count, similarity
from catallax.signals.teaching import Batch, Plan, Wire

OWN = 1 << 20  # the stream of a lesson's random bits that draws a layer's own rows


class Heads(eqx.Module):
    """What a layer learns for its objective alone: a head, and the map A that similarity is taken after."""

    score: Any = None
    map: Any = None


class Aim(eqx.Module):
    """An objective made ready for one layer. `loss`: a `Loss` or a function; `rows`: the layer's own (X, y), or None."""

    objective: Objective
    loss: Any = eqx.field(static=True)
    rows: Any = None

    def told(self, number: int, batch: Batch, wire: Wire) -> Any:
        """The target that layer `number` is told through the wire; None where it needs none."""
        if self.rows is not None or self.objective.loss == "reconstruct":
            return None
        make = self.objective.target
        if make is None:
            return wire.label(number, batch.target, batch.loss)
        target = make(batch.target)
        wire.count(number, min(bits_of(self.loss, target), batch.loss.bits(batch.target)))
        return target

    def drawn(self, batch: Batch, number: int) -> tuple[Array, Array]:
        """A batch (X, y) of the layer's own rows."""
        x, target = self.rows
        key = jax.random.fold_in(batch.key, OWN + number)
        chosen = jax.random.randint(key, (len(batch.x),), 0, len(x))
        return x[chosen], target[chosen]

    def value(self, heads: Heads, output: Array, x: Array, target: Any) -> Float[Array, ""]:
        """The loss of a layer's output on input x."""
        share = self.objective.share
        if self.objective.loss == "reconstruct":
            target = jax.lax.stop_gradient(x).reshape(len(x), -1)
        if isinstance(self.loss, SquaredError):
            target = target.reshape(len(target), -1).astype(output.dtype)
        total = jnp.zeros((), output.dtype)
        if share < 1:
            score = output if heads.score is None else heads.score(output.reshape(len(output), -1))
            measure = self.loss.value if isinstance(self.loss, Loss) else self.loss
            total = total + (1 - share) * measure(score, target)
        if share > 0:
            seen = features_of(output)
            seen = seen if heads.map is None else seen @ heads.map.T
            total = total + share * jnp.mean((similarity(seen) - similarity(self.loss.code(target))) ** 2)
        return total


def aims_of(plan: Plan, objective: Objective, key: Any) -> tuple[tuple, tuple]:
    """The aim and the heads of each layer: its own objective, else `objective` (hidden layers) or the network's loss.

    A layer without parameters has none.
    """
    aims, heads = [], []
    for number, layer in enumerate(plan.layers):
        own, last = layer.objective, number == len(plan.layers) - 1
        if not (own is None or isinstance(own, Objective)):
            raise BadInput(f"the objective of layer {number} is {own!r}: give networks.Objective(...)")
        if not any(map(eqx.is_inexact_array, jax.tree.leaves(layer))):
            if own is not None or last:
                why = "is the network's last" if own is None else "has an objective"
                raise BadInput(f"layer {number} {why} and has no parameters: join it to the layer before")
            aims.append(None)
            heads.append(None)
            continue
        wanted = own or (Objective(plan.loss, head="none") if last else objective)
        aim, head = ready(wanted, plan, number, jax.random.fold_in(key, number))
        aims.append(aim)
        heads.append(head)
    return tuple(aims), tuple(heads)


def ready(objective: Objective, plan: Plan, number: int, key: Any) -> tuple[Aim, Heads]:
    """One layer's aim and heads. `BadInput` where the objective does not fit the layer."""
    rows = None if objective.data is None else own_rows_of(objective, plan, number)
    loss, width = loss_of(objective, plan, number, rows)
    shape, last = plan.outputs[number], number == len(plan.layers) - 1
    score, matrix = None, None
    if objective.share < 1:
        score = head_of(objective, width, math.prod(shape), last, number, jax.random.fold_in(key, 0))
    if objective.share > 0 and width is not None and width < 2:
        raise BadInput(f"layer {number} wants similarity to one number a row: similarity needs at least two")
    if objective.share > 0 and objective.features is not None:
        size = shape[0] if objective.features == "same" else objective.features
        matrix = weights(jax.random.fold_in(key, 1), shape[0], size, False)[0]
    return Aim(objective, loss, rows), Heads(score, matrix)


def own_rows_of(objective: Objective, plan: Plan, number: int) -> tuple[Array, Array]:
    """A layer's own rows, with what it makes of their targets."""
    x, y = objective.data.x, objective.data.target
    if x.shape[1:] != plan.inputs:
        said = f"the data of layer {number} has rows of the shape {list(x.shape[1:])}"
        raise BadInput(f"{said}: they pass through the layers below, so give the network's {list(plan.inputs)}")
    return x, y if objective.target is None else objective.target(y)


def loss_of(objective: Objective, plan: Plan, number: int, rows: Any) -> tuple[Any, int | None]:
    """The loss of a layer's score, and how many numbers that is (None: the loss does not say)."""
    name = objective.loss
    if name == "reconstruct":
        return SquaredError(), math.prod(plan.inputs if number == 0 else plan.outputs[number - 1])
    if not isinstance(name, str):
        return name, name.classes if isinstance(name, CrossEntropy) else None
    if name in KINDS and rows is None and objective.target is None:
        return plan.loss, plan.outputs[-1][0]
    sample = rows[1] if rows is not None else sample_of(objective, plan)
    whole = jnp.issubdtype(sample.dtype, jnp.integer)
    if name == "squared" or (name in KINDS and not whole):
        return SquaredError(), math.prod(sample.shape[1:])
    if not whole or sample.ndim != 1:
        raise BadInput(f"layer {number} has targets of {sample.dtype}: cross-entropy needs one whole number a row")
    classes = classes_of(objective, sample, number)
    return CrossEntropy(classes), classes


def sample_of(objective: Objective, plan: Plan) -> Any:
    """Targets as the layer makes them: of every class, or their shape and type where they are numbers."""
    make = objective.target or (lambda target: target)
    if isinstance(plan.loss, CrossEntropy):
        return make(jnp.arange(plan.loss.classes, dtype=jnp.int32))
    return jax.eval_shape(make, jax.ShapeDtypeStruct((2, *plan.outputs[-1]), jnp.zeros(()).dtype))


def classes_of(objective: Objective, sample: Any, number: int) -> int:
    """How many classes the labels of a layer have."""
    if not isinstance(sample, jax.Array):
        if not is_count(objective.head):
            raise BadInput(f"layer {number} makes labels of numbers: say how many classes by head=number")
        return objective.head
    low, high = int(sample.min()), int(sample.max())
    classes = objective.head if is_count(objective.head) else high + 1
    if low < 0 or high >= classes:
        raise BadInput(f"layer {number} has labels from {low} to {high}: {classes} classes are 0 to {classes - 1}")
    return classes


def head_of(objective: Objective, width: int | None, size: int, last: bool, number: int, key: Any) -> Any:
    """What makes a score [batch, width] of a layer's flat output [batch, size]; None: it is the score itself."""
    given = objective.head
    bare = width is None or (last and size == width)
    if given == "none" or (given is None and bare):
        head, count = None, size
    elif isinstance(given, Dense):
        if given.inputs != size:
            raise BadInput(f"the head of layer {number} takes {given.inputs} numbers: the layer gives {size}")
        head, count = given.drawn(key, True), given.outputs
    elif given is None or is_count(given):
        count = width if given is None else given
        assert count is not None  # or the score would be the output itself
        head = linear(size, count, key, zero=objective.loss != "reconstruct")
    else:
        head = Block(modules=(given(key),))
        count = math.prod(jax.eval_shape(head, jax.ShapeDtypeStruct((1, size), jnp.zeros(()).dtype)).shape[1:])
    if width is not None and count != width:
        raise BadInput(
            f"layer {number} scores {count} numbers a row: its objective takes {width}, give it another head"
        )
    return head


def linear(size: int, count: int, key: Any, zero: bool) -> Dense:
    """A linear head. Classifiers begin at 0, as in the paper: no class is favoured, and a layer not yet pushed."""
    head = Dense(size, count, "linear").drawn(key, True)
    return with_fields(head, weight=jnp.zeros((count, size), jnp.zeros(()).dtype)) if zero else head


def bits_of(loss: Any, target: Array) -> float:
    """Bits that it takes to tell a layer a target that was made for it."""
    if isinstance(loss, CrossEntropy):
        return loss.bits(target)
    return float(math.prod(target.shape[1:]) * target.dtype.itemsize * 8)
