"""What neurons that compete within a layer are made of: rows without mean and length, activations, checked settings."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.errors import BadInput

TINY = 1e-9  # of a row's length: a row of equal numbers becomes zeros
CHOICES = {"rule": ("soft", "anti"), "activation": ("triangle", "softmax"), "reads": ("all", "last")}
ABOVE = ("power", "length")
EACH = ("temperature", "gain")  # one for all hidden layers, or a tuple of one each


def centred(x: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
    """Rows of mean 0."""
    return x - jnp.mean(x, axis=-1, keepdims=True)


def normed(x: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
    """n(x): rows of mean 0 and length 1."""
    x = centred(x)
    return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), TINY)


def triangle(power: float) -> Callable:
    """z -> relu(z - mean_k z)^r."""
    return lambda z: jax.nn.relu(centred(z)) ** power


def softmax(temperature: float) -> Callable:
    """z -> softmax(z / T)."""
    return lambda z: jax.nn.softmax(z / temperature, axis=-1)


def of(value: Any, place: int) -> float:
    """A hidden layer's own, where each has one."""
    return value[place] if isinstance(value, tuple) else value


def check_settings(teaching: Any) -> None:
    """Names that are known, numbers above 0."""
    for name, known in CHOICES.items():
        if getattr(teaching, name) not in known:
            raise BadInput(f"SoftHebb.{name} is {getattr(teaching, name)!r}: give {' or '.join(map(repr, known))}")
    for name in EACH:
        given = getattr(teaching, name)
        for value in given if isinstance(given, tuple) else (given,):
            if not number(value) or value <= 0:
                raise BadInput(f"SoftHebb.{name} is {given!r}: give a number above 0, or a tuple of such")
    for name in ABOVE:
        value = getattr(teaching, name)
        if not number(value) or value <= 0:
            raise BadInput(f"SoftHebb.{name} is {value!r}: give a number above 0")
    if not number(teaching.rate_power) or teaching.rate_power < 0:
        raise BadInput(f"SoftHebb.rate_power is {teaching.rate_power!r}: give a number of at least 0")


def number(value: Any) -> bool:
    """A finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
