"""Goodness: how lively a layer is on a row, and what it says of each label.

g = mean_j y_j^2          n(y) = y / sqrt(g): the row without it
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.errors import BadInput
from catallax.networks.layers import Dense
from catallax.networks.losses import CrossEntropy
from catallax.signals.teaching import Part, Plan

TINY = 1e-6  # of a row's root mean square: a row of zeros is handed on as zeros
CHOICES = {
    "contrast": ("symmetric", "threshold"),
    "negatives": ("hard", "uniform"),
    "reading": ("goodness", "readout"),
}


def normed(y: Float[Array, "... width"]) -> Float[Array, "... width"]:
    """Rows of root mean square 1."""
    return y / jnp.maximum(jnp.sqrt(jnp.mean(y**2, axis=-1, keepdims=True)), TINY)


def goodness(y: Float[Array, "... width"]) -> Float[Array, "..."]:
    """The mean of the squares of a row."""
    return jnp.mean(y**2, axis=-1)


def lively(part: Part, x: Array, label: Any, key: Any) -> Array:
    """A layer's activity; of the first, with labels [batch] or, at None, with the neutral one."""
    drive = part.layer.drive(x)
    if part.aid is not None:
        drive = drive + (jnp.mean(part.aid, axis=0) if label is None else part.aid[label])
    return part.layer.activate(drive, key)


def scores(layers: list[Part], x: Float[Array, "batch inputs"]) -> Float[Array, "batch classes"]:
    """The sum of some layers' goodness, from the first one on, with each label."""
    first = layers[0]
    drive = first.layer.drive(normed(x))

    def tried(column: Array) -> Array:
        y = first.layer.activate(drive + column)
        total = goodness(y)
        for part in layers[1:]:
            y = part.layer(normed(y))
            total = total + goodness(y)
        return total

    return jax.lax.map(tried, first.aid).T


def check_plan(plan: Plan) -> None:
    """Hidden layers of `Dense`, at least one, and classes."""
    if not isinstance(plan.loss, CrossEntropy):
        raise BadInput("forward-forward tells classes apart: give Chain(loss='cross-entropy')")
    if len(plan.layers) < 2:
        raise BadInput(
            "forward-forward teaches hidden layers: give the chain at least two layers, the last its readout"
        )
    for number, layer in enumerate(plan.layers):
        if not isinstance(layer, Dense):
            raise BadInput(f"layer {number} is a {type(layer).__name__}: forward-forward teaches networks.Dense alone")


def check_settings(teaching: Any) -> None:
    """Names that are known, numbers above 0."""
    for name, known in CHOICES.items():
        value = getattr(teaching, name)
        if value not in known:
            raise BadInput(f"ForwardForward.{name} is {value!r}: give {' or '.join(map(repr, known))}")
    for name in ("sharpness", "threshold"):
        value = getattr(teaching, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            raise BadInput(f"ForwardForward.{name} is {value!r}: give a number above 0")
