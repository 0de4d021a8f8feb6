"""What a network's output is for: the loss, its error signal at the output, and what a target takes to be told.

cross-entropy   L = -mean_b log softmax(y_b)[c_b]         dL/dy = (softmax(y) - onehot(c)) / batch
squared error   L = mean_b 1/2 |y_b - t_b|^2              dL/dy = (y - t) / batch
"""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.errors import BadInput


class Loss(eqx.Module):
    """A loss of outputs [batch, outputs] given targets."""

    @abc.abstractmethod
    def value(self, output: Float[Array, "batch outputs"], target: Any) -> Float[Array, ""]:
        """The mean loss of the batch."""

    @abc.abstractmethod
    def code(self, target: Any) -> Float[Array, "batch outputs"]:
        """Targets as outputs that would be right: one-hot labels, or the values themselves."""

    @abc.abstractmethod
    def bits(self, target: Any) -> float:
        """Bits that it takes to tell a layer the target of one row."""

    @abc.abstractmethod
    def mistakes(self, output: Float[Array, "batch outputs"], target: Any) -> Float[Array, " batch"]:
        """How wrong each row is: 0 or 1 for labels, the squared error for values."""

    @abc.abstractmethod
    def checked(self, target: Any, rows: int, outputs: int) -> np.ndarray:
        """Targets as an array of the right type and shape. `BadInput` in a sentence that names the row."""

    def error(self, output: Float[Array, "batch outputs"], target: Any) -> tuple[Array, Array]:
        """The loss and its gradient with respect to the output."""
        return jax.value_and_grad(lambda y: self.value(y, target))(output)


class CrossEntropy(Loss):
    """Labels 0, 1, ... of so many classes as there are outputs."""

    classes: int = eqx.field(static=True)

    def value(self, output, target):
        score = output - jax.nn.logsumexp(output, axis=-1, keepdims=True)
        return -jnp.mean(jnp.take_along_axis(score, target[:, None], axis=-1))

    def code(self, target):
        return jax.nn.one_hot(target, self.classes, dtype=jnp.zeros(()).dtype)

    def bits(self, target):
        return math.log2(self.classes)

    def mistakes(self, output, target):
        return (jnp.argmax(output, axis=-1) != target).astype(output.dtype)

    def checked(self, target, rows, outputs):
        label = np.asarray(target)
        if label.shape != (rows,):
            raise BadInput(f"y has the shape {list(label.shape)}: give one label for each of {rows} rows")
        if not np.issubdtype(label.dtype, np.integer):
            raise BadInput(f"y is of {label.dtype}: give whole-number labels from 0 to {outputs - 1}")
        wrong = np.flatnonzero((label < 0) | (label >= outputs))
        if wrong.size:
            said = f"the label of row {wrong[0]} is {label[wrong[0]]}"
            raise BadInput(f"{said}: a network of {outputs} outputs knows the classes 0 to {outputs - 1}")
        return label.astype(np.int32)


class SquaredError(Loss):
    """Numbers, as many as there are outputs."""

    def value(self, output, target):
        return 0.5 * jnp.mean(jnp.sum((output - target) ** 2, axis=-1))

    def code(self, target):
        return target

    def bits(self, target):
        return float(np.prod(target.shape[1:]) * target.dtype.itemsize * 8)

    def mistakes(self, output, target):
        return jnp.mean((output - target) ** 2, axis=-1)

    def checked(self, target, rows, outputs):
        value = np.asarray(target)
        value = value[:, None] if value.ndim == 1 else value
        if value.shape != (rows, outputs):
            said = f"y has the shape {list(value.shape)}"
            raise BadInput(
                f"{said}: give {outputs} numbers, as many as the network has outputs, for each of {rows} rows"
            )
        if value.dtype.kind not in "biuf":
            raise BadInput(f"y is of {value.dtype}: give numbers")
        wrong = np.flatnonzero(~np.isfinite(value).all(axis=1))
        if wrong.size:
            raise BadInput(f"the target of row {wrong[0]} is not a finite number: leave the row out or mend it")
        return value.astype(jnp.zeros(()).dtype)


def make_loss(loss: Any, outputs: int) -> Loss:
    """A loss by name ("cross-entropy", "squared") or as given."""
    if isinstance(loss, Loss):
        if isinstance(loss, CrossEntropy) and loss.classes != outputs:
            raise BadInput(f"the loss is of {loss.classes} classes: the network has {outputs} outputs")
        return loss
    if loss == "cross-entropy":
        return CrossEntropy(outputs)
    if loss == "squared":
        return SquaredError()
    raise BadInput(f"loss is {loss!r}: give 'cross-entropy', 'squared', or a Loss")
