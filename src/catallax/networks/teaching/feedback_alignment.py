"""Feedback alignment: errors travel back layer by layer, through fixed random matrices in place of the weights.

    s_L = dL / dy_L          d_l = phi'(z_l) s_l          s_{l-1} = d_l B_l,   B_l of the shape of W_l, B_l ~ N(0, 2 / inputs)

Backpropagation without weight transport: what a layer tells the one before it needs no knowledge of W_l. Forward weights
come to align with B_l, so that the angle between d_l and the true gradient falls below a right angle.

T. Lillicrap, D. Cownden, D. Tweed and C. Akerman, Random synaptic feedback weights support error backpropagation for deep
learning, Nature Communications 7, 2016, equation 2.
"""

import dataclasses
from typing import Any

import jax

from catallax.core.errors import BadInput
from catallax.networks.layers import Dense, weights
from catallax.networks.teaching.sweep import keys
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire, pulled


class FeedbackAlignment(Teaching):
    """The error, passed from layer to layer through fixed random matrices.

    **Arguments:** `scale`: of the matrices, relative to weights as they are drawn.
    """

    scale: float = 1.0
    matrices: Any = None  # B_l [outputs, inputs] of every layer but the first, which tells nobody

    alone = False
    locked = True

    def begin(self, plan: Plan, key) -> tuple["FeedbackAlignment", tuple]:
        """`BadInput` where a layer is not `Dense`: B_l must have the shape of its weights."""
        check_scale(self.scale, "FeedbackAlignment")
        for number, layer in enumerate(plan.layers):
            if not isinstance(layer, Dense):
                kind = f"layer {number} is a {type(layer).__name__}"
                raise BadInput(
                    f"{kind}: feedback alignment teaches networks.Dense, use DirectFeedbackAlignment for others"
                )
        drawn = [
            self.scale * weights(jax.random.fold_in(key, number), layer.inputs, layer.outputs, False)[0]
            for number, layer in enumerate(plan.layers)
        ]
        return dataclasses.replace(self, matrices=(None, *drawn[1:])), (None,) * len(plan.layers)

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        x, met = batch.x, []
        for part, key in zip(parts, keys(batch, len(parts)), strict=True):
            z = part.layer.drive(x)
            y, pull = jax.vjp(lambda z, layer=part.layer, key=key: layer.activate(z, key), z)
            met.append((x, pull))
            x = y
        loss, signal = batch.loss.error(x, batch.target)
        gradients: list[Part] = []
        for number in reversed(range(len(parts))):
            x, pull = met[number]
            (slope,) = pull(wire.tell(number, signal))
            gradients.append(Part(pulled(lambda layer, x=x: layer.drive(x), parts[number].layer, slope)))
            if number:
                signal = slope @ self.matrices[number]
        return Taught(tuple(reversed(gradients)), loss)


def check_scale(scale: Any, kind: str) -> None:
    """A positive number."""
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < float("inf"):
        raise BadInput(f"{kind}.scale is {scale!r}: give a number above 0")
