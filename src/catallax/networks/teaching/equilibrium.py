"""Equilibrium propagation: the network settles freely, then nudged towards the target; what changed is the lesson.

    E(u) = sum_l 1/2 |u_l|^2 - sum_l u_l . (W_l u_{l-1} + b_l)          0 <= u_l <= 1 (a linear output: no bounds)
    phase b:  u^b = a minimum of E + b loss(u_L), begun at the free one (b = 0)
    dW_l = (u_l^b u_{l-1}^b^T - u_l^0 u_{l-1}^0^T) / b            symmetric: (u^b and u^{-b}) / 2 b

A step is a sweep from the last layer to the first in which each layer goes to its minimum, the others held: u_l = clip(W_l
u_{l-1} + b_l + W_{l+1}^T u_{l+1}). (Within the bounds the hard sigmoid rho(u) = clip(u, 0, 1) of the paper is u; beyond them
its energy only grows.) Free energies never rise. As b -> 0 the change is minus the gradient of the loss of the free
minimum, to O(b), or O(b^2) where symmetric (A. Laborieux et al., 2021, equation 8). Weights are used both ways, W and W^T.

Layer l hears W_{l+1}^T u_{l+1} at each step of each phase; its update needs the activities of its two ends alone.

B. Scellier and Y. Bengio, Frontiers in Computational Neuroscience 11, 2017; A. Laborieux et al., Frontiers in Neuroscience
15, 2021.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from catallax.core.errors import BadInput
from catallax.networks.layers import Dense
from catallax.networks.teaching.relaxation import relaxed
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire, pulled


class EquilibriumPropagation(Teaching):
    """Hebbian change in a nudged phase, its opposite in the free one (or in the phase nudged away).

    **Arguments:** `nudge`: b; `symmetric`: compare b with -b rather than with the free phase; `steps`, `nudged`: steps of
    the free and of each nudged phase, at most; `tolerance`: a phase ends when no activity moved by more.

    For chains of `Dense` without dropout, "hard sigmoid", the last one that or "linear". A linear output is nudged down the
    chain's loss; a bounded one, as in the paper, towards the target (its code of 0 and 1 for a label), whatever the loss.
    Bits are counted for all steps.
    """

    nudge: float = eqx.field(static=True, default=0.5)
    symmetric: bool = eqx.field(static=True, default=True)
    steps: int = eqx.field(static=True, default=20)
    nudged: int = eqx.field(static=True, default=8)
    tolerance: float = eqx.field(static=True, default=0.0)

    alone = False
    locked = True
    sweeps = False
    charges = False

    def __check_init__(self) -> None:
        for name in ("steps", "nudged"):
            value = getattr(self, name)
            if isinstance(value, bool) or value < 1:
                raise BadInput(f"EquilibriumPropagation.{name} is {value!r}: give a whole number of at least 1")
        if not 0 < self.nudge < 1:
            raise BadInput(f"EquilibriumPropagation.nudge is {self.nudge!r}: give a number above 0 and below 1")
        if not self.tolerance >= 0:
            raise BadInput(f"EquilibriumPropagation.tolerance is {self.tolerance!r}: give a number of at least 0")

    def begin(self, plan: Plan, key: Any) -> tuple[Teaching, tuple]:
        for number, layer in enumerate(plan.layers):
            check_layer(number, layer, last=number == len(plan.layers) - 1)
        return self, (None,) * len(plan.layers)

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        wire.label(len(parts) - 1, batch.target, batch.loss)
        free = self.settled(parts, batch.x, started(parts, batch.x), wire)
        loss = batch.loss.value(free[-1], batch.target)
        high = self.settled(parts, batch.x, free, wire, batch, self.nudge)
        low = self.settled(parts, batch.x, free, wire, batch, -self.nudge) if self.symmetric else free
        width = len(batch.x) * self.nudge * (2 if self.symmetric else 1)
        ends = zip(parts, (batch.x, *high), high, (batch.x, *low), low, strict=False)
        return Taught(tuple(Part(contrast(part.layer, a, b, c, d, width)) for part, a, b, c, d in ends), loss)

    def predict(self, parts: tuple[Part, ...], x: Array) -> Array:
        """The output of the free phase."""
        return self.settled(parts, x, started(parts, x), Wire())[-1]

    def settled(
        self,
        parts: tuple[Part, ...],
        x: Array,
        begin: tuple,
        wire: Wire,
        batch: Batch | None = None,
        nudge: float = 0.0,
    ) -> tuple:
        """Activities of all layers, [batch, outputs] each, at the end of a phase: free without a batch to be nudged by."""
        steps = self.steps if batch is None else self.nudged
        below = parts[0].layer.drive(x)

        def swept(old: tuple) -> tuple[tuple, Array]:
            new = list(old)
            for number in reversed(range(len(parts))):
                pull = below if number == 0 else parts[number].layer.drive(old[number - 1])
                if number < len(parts) - 1:
                    pull = pull + wire.tell(number, new[number + 1] @ parts[number + 1].layer.weight, steps)
                elif batch is not None:
                    pull = pull - nudge * slope(parts[-1].layer, old[-1], batch)
                new[number] = parts[number].layer.phi(pull)
            moved = [jnp.max(jnp.abs(a - b)) for a, b in zip(new, old, strict=True)]
            return tuple(new), jnp.max(jnp.stack(moved))

        return relaxed(swept, begin, steps, self.tolerance)[0]


def started(parts: tuple[Part, ...], x: Array) -> tuple:
    """The sweep forward, from which the free phase begins."""
    outputs = []
    for part in parts:
        x = part.layer(x)
        outputs.append(x)
    return tuple(outputs)


def slope(layer: Dense, output: Array, batch: Batch) -> Array:
    """Where a row's cost rises: the loss, or, of a bounded output, half the squared distance from the target's code."""
    if layer.activation != "linear":
        return output - batch.loss.code(batch.target)
    return batch.loss.error(output, batch.target)[1] * len(output)


def contrast(layer: Any, x_high: Array, high: Array, x_low: Array, low: Array, width: float) -> Any:
    """The gradient of one layer, from the activities at its two ends in the two phases."""
    pull = lambda x, y: pulled(lambda layer: layer.drive(x), layer, y / width)  # noqa: E731
    return jax.tree.map(jnp.subtract, pull(x_low, low), pull(x_high, high))


def check_layer(number: int, layer: Any, last: bool) -> None:
    """BadInput where a layer has no place in the energy."""
    if not isinstance(layer, Dense):
        said = f"layer {number} is a {type(layer).__name__}"
        raise BadInput(f"{said}: equilibrium propagation needs weights that work both ways, give networks.Dense")
    if layer.activation != "hard sigmoid" and not (last and layer.activation == "linear"):
        said = f"layer {number} is {layer.activation!r}"
        raise BadInput(f"{said}: equilibrium propagation settles with bounded activities, give 'hard sigmoid'")
    if layer.dropout:
        raise BadInput(f"layer {number} has dropout {layer.dropout}: equilibrium propagation needs it to be 0")
