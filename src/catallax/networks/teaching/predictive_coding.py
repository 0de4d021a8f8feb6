"""Predictive coding: each layer's activity is free, and settles between what it is told and what it predicts.

    F = sum_{l<L} 1/2 |x_l - f_l(x_{l-1})|^2 + loss(f_L(x_{L-1}), target)          (a row; x_0 its input)
    e_l = f_l(x_{l-1}) - x_l          e_L = d loss / d f_L
    dF/dx_l = -e_l + (d f_{l+1} / d x_l)^T e_{l+1}          dF/dw_l = (d f_l / d w_l)^T e_l

Activities begin at the sweep forward, where e_l = 0 for all l < L, and move down F (the squared loss is an output held at
the target). Layer l hears the second term of dF/dx_l at each step; its update needs its own two ends, x_{l-1} and x_l, alone.
One step is a sweep from the last layer to the first, each hearing what the one above it came to in this very step: errors
reach the first layer in one step, not in L. With step size d = -dF/dx_l along which layer l moves, the size that
is best for F if what follows it were linear is, row by row, |d|^2 / (|d|^2 + Jd . H Jd), J the layer above, H the identity
(the loss's second derivative at the output).

`fixed`: predictions and derivatives stay those of the sweep forward, and one step of size 1 gives the errors, and so the
updates, of backpropagation (B. Millidge et al., 2022, section 3; the zero-divergence learning of Y. Song et al., NeurIPS
2020, is this with one step).

R. Rao and D. Ballard, Nature Neuroscience 2, 1999; J. Whittington and R. Bogacz, Neural Computation 29, 2017.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from catallax.core.errors import BadInput
from catallax.networks.teaching.relaxation import relaxed
from catallax.networks.teaching.sweep import activities, keys
from catallax.signals.teaching import Batch, Part, Taught, Teaching, Wire, pulled


class PredictiveCoding(Teaching):
    """Weights follow the errors of predictions, once activities have settled.

    **Arguments:** `steps`: of the relaxation, at most; `step`: its size (None: the best of each row and layer, see the head
    of this file); `tolerance`: stop when no |dF/dx| of the batch is above it; `fixed`: predictions of the sweep forward.

    Bits are counted for all `steps`, also where it stops before.
    """

    steps: int = eqx.field(static=True, default=16)
    step: float | None = eqx.field(static=True, default=None)
    tolerance: float = eqx.field(static=True, default=0.0)
    fixed: bool = eqx.field(static=True, default=False)

    alone = False
    locked = True
    charges = False

    def __check_init__(self) -> None:
        if isinstance(self.steps, bool) or self.steps < 1:
            raise BadInput(f"PredictiveCoding.steps is {self.steps!r}: give a whole number of at least 1")
        if self.step is not None and not 0 < self.step < 2:
            raise BadInput(f"PredictiveCoding.step is {self.step!r}: give a size above 0 and below 2, or None")
        if not self.tolerance >= 0:
            raise BadInput(f"PredictiveCoding.tolerance is {self.tolerance!r}: give a number of at least 0")

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        start, free, _ = self.relaxed(parts, batch, wire)
        outputs = predictions(parts, batch, start if self.fixed else free)
        errors = errors_of(outputs, free, batch)
        inputs = (batch.x, *(start if self.fixed else free))
        rows = zip(parts, inputs, errors, keys(batch, len(parts)), strict=True)
        gradients = [pulled(lambda layer, x=x, key=key: layer(x, key), p.layer, e / len(e)) for p, x, e, key in rows]
        loss = batch.loss.value(activities(parts, batch)[-1], batch.target)
        return Taught(tuple(Part(gradient) for gradient in gradients), loss)

    def relaxed(self, parts: tuple[Part, ...], batch: Batch, wire: Wire | None = None) -> tuple[tuple, tuple, Any]:
        """Activities of the hidden layers at the sweep forward, where they came to rest, and the steps that it took."""
        wire = Wire() if wire is None else wire
        start = tuple(activities(parts, batch)[1:-1])
        wire.label(len(parts) - 1, batch.target, batch.loss)
        if not start:
            return start, start, jnp.asarray(0)

        step = lambda free: self.moved(parts, batch, wire, start, free)  # noqa: E731
        free, count = relaxed(step, start, self.steps, self.tolerance)
        return start, free, count

    def moved(
        self, parts: tuple[Part, ...], batch: Batch, wire: Wire, start: tuple, free: tuple
    ) -> tuple[tuple, Array]:
        """One step of the relaxation, from the last hidden layer to the first; and the largest |dF/dx| that it met."""
        at = start if self.fixed else free
        outputs, key = predictions(parts, batch, at), keys(batch, len(parts))
        new, rest = list(free), jnp.zeros((), free[0].dtype)
        for number in reversed(range(len(free))):
            above = lambda x, n=number + 1: parts[n].layer(x, key[n])  # noqa: E731
            error = errors_of(outputs, tuple(new), batch)[number + 1]
            (heard,) = jax.vjp(above, at[number])[1](error)
            slope = free[number] - outputs[number] + wire.tell(number, heard, self.steps)
            rest = jnp.maximum(rest, jnp.max(jnp.abs(slope)))
            new[number] = free[number] - self.size(above, at[number], slope, self.bent(parts, batch, number)) * slope
        return tuple(new), rest

    def bent(self, parts: tuple[Part, ...], batch: Batch, number: int) -> Callable | None:
        """What the loss makes of the output, where layer `number` is the last hidden one."""
        last = number == len(parts) - 2
        return (lambda y: batch.loss.error(y, batch.target)[1] * len(y)) if last else None

    def size(self, above: Callable, x: Array, slope: Array, bent: Callable | None) -> Any:
        """The step size, a number or [batch, 1, ...]."""
        if self.step is not None:
            return self.step
        if self.fixed:
            return 1.0
        y, move = jax.jvp(above, (x,), (slope,))
        pull = move if bent is None else jax.jvp(bent, (y,), (move,))[1]
        axes = lambda value: tuple(range(1, value.ndim))  # noqa: E731
        own = jnp.sum(slope**2, axes(slope))
        bend = own + jnp.sum(move * pull, axes(move))
        return jnp.where(bend > 0, own / jnp.where(bend > 0, bend, 1), 1).reshape(-1, *(1 for _ in axes(slope)))


def predictions(parts: tuple[Part, ...], batch: Batch, free: tuple) -> tuple:
    """What each layer makes of its input, the activity of the one before it."""
    rows = zip(parts, (batch.x, *free), keys(batch, len(parts)), strict=True)
    return tuple(part.layer(x, key) for part, x, key in rows)


def errors_of(outputs: tuple, free: tuple, batch: Batch) -> tuple:
    """e_l of each layer: predictions less activities, and the slope of a row's loss at the output."""
    last = outputs[-1]
    inner = tuple(output - x for output, x in zip(outputs, free, strict=False))
    return (*inner, batch.loss.error(last, batch.target)[1] * len(last))
