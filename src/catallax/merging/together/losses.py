"""What members learn by and are judged by: (model, x [rows, ...], y [rows, ...]) -> a loss a row, or one mean of them.

    cross-entropy   -log softmax(model(x))_y, y whole numbers      judged by accuracy: the share of rows named rightly
    squared         |model(x) - y|^2, summed over outputs           judged by R^2 = 1 - sum |model(x) - y|^2 / sum |y - mean|^2

`model` is called on one row, as Equinox modules are.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from catallax.core.errors import BadInput


def cross_entropy(model: Any, x: Any, y: Any) -> Any:
    """Of labels [rows], nats a row."""
    logs = jax.nn.log_softmax(jax.vmap(model)(x))
    return -jnp.take_along_axis(logs, y[:, None], axis=1)[:, 0]


def squared(model: Any, x: Any, y: Any) -> Any:
    """Of numbers [rows] or [rows, outputs]."""
    miss = jax.vmap(model)(x).reshape(len(y), -1) - y.reshape(len(y), -1)
    return jnp.sum(miss * miss, axis=1)


def accuracy(model: Any, x: Any, y: Any) -> Any:
    """The share of rows whose label has the highest score."""
    return jnp.mean(jnp.argmax(jax.vmap(model)(x), axis=-1) == y)


def r2(model: Any, x: Any, y: Any) -> Any:
    """The share of variation explained; below 0 where the mean would do better."""
    y = y.reshape(len(y), -1)
    return 1 - jnp.sum(squared(model, x, y)) / jnp.sum((y - y.mean(0)) ** 2)


LOSSES: dict[str, Callable] = {"cross-entropy": cross_entropy, "squared": squared}
SCORES: dict[str, Callable] = {"accuracy": accuracy, "r2": r2}


def loss_of(loss: Any) -> Callable:
    """A loss by name, or a function as it is. Raises `BadInput`."""
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise BadInput(f"loss is {loss!r}: give one of {', '.join(LOSSES)}, or a function of (model, x, y)")
    return LOSSES[loss]


def score_of(score: Any) -> Callable:
    """A score by name, or a function as it is. Raises `BadInput`."""
    if callable(score):
        return score
    if score not in SCORES:
        raise BadInput(f"score is {score!r}: give one of {', '.join(SCORES)}, or a function of (model, x, y)")
    return SCORES[score]


def mean_shape(loss: Callable, form: Any, x: Any, y: Any) -> tuple[int, ...]:
    """The shape that a loss returns for rows of these shapes."""
    numbers = jax.ShapeDtypeStruct((form.numbers,), jnp.float32)
    return jax.eval_shape(lambda v, x, y: loss(form.model(form.params(v)), x, y), numbers, x, y).shape
