"""Direct feedback alignment: every layer is told the error at the output, and reads it through a random matrix of its own.

    e = dL / dy_L          s_L = e          s_l = e B_l,   B_l [outputs of the network, outputs of layer l] ~ N(0, 1 / outputs)

A layer hears as many numbers a row as the network has outputs, however wide it is itself, and no other layer's weights
stand between it and the error. It waits for the output, not for the layers behind it.

A. Nokland, Direct feedback alignment provides learning in deep neural networks, NeurIPS 2016, equation 7.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from catallax.networks.teaching.feedback_alignment import check_scale
from catallax.networks.teaching.sweep import sweep
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire


class DirectFeedbackAlignment(Teaching):
    """The error at the output, through a fixed random matrix of each layer's own. Layers of any kind.

    **Arguments:** `scale`: of the matrices; at 1 a layer's signal is about as long as the error, number for number.
    """

    scale: float = 1.0
    matrices: Any = None  # B_l [outputs of the network, *outputs of layer l] of every layer but the last

    alone = False
    locked = True

    def begin(self, plan: Plan, key) -> tuple["DirectFeedbackAlignment", tuple]:
        check_scale(self.scale, "DirectFeedbackAlignment")
        return dataclasses.replace(self, matrices=projections(plan, self.scale, key)), (None,) * len(plan.layers)

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        output, pulls = sweep(parts, batch)
        loss, error = batch.loss.error(output, batch.target)
        gradients = []
        for number, (pull, matrix) in enumerate(zip(pulls, self.matrices, strict=True)):
            told = wire.tell(number, error)
            gradients.append(Part(pull(told if matrix is None else projected(told, matrix))[0]))
        return Taught(tuple(gradients), loss)


def projections(plan: Plan, scale: float, key: Any) -> tuple:
    """A random matrix [outputs of the network, *outputs of the layer] for every layer but the last (None)."""
    outputs, dtype = plan.outputs[-1][0], jnp.zeros(()).dtype
    size = jnp.asarray(scale / math.sqrt(outputs), dtype)
    drawn = [
        size * jax.random.normal(jax.random.fold_in(key, number), (outputs, *shape), dtype)
        for number, shape in enumerate(plan.outputs[:-1])
    ]
    return (*drawn, None)


def projected(told: Array, matrix: Array) -> Array:
    """What a layer reads, [batch, *outputs of the layer], of what it is told, [batch, outputs of the network]."""
    return jnp.tensordot(told, matrix, axes=1)
