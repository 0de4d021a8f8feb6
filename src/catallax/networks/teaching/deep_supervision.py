"""Deep supervision: the heads and objectives of local losses, their gradients flowing through all layers.

    g_l = d (L_L + w sum_k L_k) / d w_l          s_l = w dL_l / dh_l + (d h_{l+1} / d h_l)^T s_{l+1}

The control of `LocalLosses`: what is gained by heads alone is gained here too, so that only the difference is owed to
locality. Layer l hears the label, and of each of its outputs what it is worth to all behind it.

C.-Y. Lee et al., Deeply-supervised nets, AISTATS 2015; A. Nokland and L. H. Eidnes, ICML 2019, for the objectives.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from catallax.core.errors import BadInput
from catallax.networks.objectives import Objective, make_objective
from catallax.networks.teaching.aims import Aim
from catallax.networks.teaching.local_losses import begun
from catallax.networks.teaching.sweep import handed_on, keys, whole
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire


class DeepSupervision(Teaching):
    """Backpropagation of the sum of the network's loss and of every hidden layer's own.

    **Arguments:** `objective`: as in `LocalLosses`; `weight`: w, of the hidden layers' losses.
    """

    objective: Objective
    weight: float
    aims: Any = None

    alone = False
    locked = True

    def __init__(self, objective: Any = "predsim", weight: float = 1.0) -> None:
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < float("inf"):
            raise BadInput(f"DeepSupervision.weight is {weight!r}: give a number of at least 0")
        self.objective, self.weight, self.aims = make_objective(objective), float(weight), None

    def begin(self, plan: Plan, key) -> tuple["DeepSupervision", tuple]:
        """`BadInput` where an objective does not fit its layer, or the layer has rows of its own."""
        teaching, heads = begun(self, plan, key)
        own = [number for number, aim in enumerate(teaching.aims) if aim is not None and aim.rows is not None]
        if own:
            raise BadInput(f"layer {own[0]} has data of its own, and one sweep has one batch: teach by LocalLosses")
        return teaching, heads

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        x, met, last = batch.x, [], len(parts) - 1
        for number, (part, aim, key) in enumerate(zip(parts, self.aims, keys(batch, len(parts)), strict=True)):
            below = x
            output, pull = eqx.filter_vjp(lambda layer, x, key=key: whole(layer, x, key), part.layer, below)
            x, drop = jax.vjp(lambda y, layer=part.layer, key=key: handed_on(layer, y, key), output)
            weight = 1.0 if number == last else self.weight
            own = None if aim is None else own_push(aim, part, output, below, aim.told(number, batch, wire), weight)
            met.append((pull, drop, own))
        gradients, signal = [], jnp.zeros_like(x)
        for number in reversed(range(len(parts))):
            pull, drop, own = met[number]
            told = signal if number == last else wire.tell(number, signal)
            aid, push = own or (None, 0)
            gradient, signal = pull(drop(told)[0] + push)
            gradients.append(Part(gradient, aid))
        return Taught(tuple(reversed(gradients)), batch.loss.value(x, batch.target))


def own_push(aim: Aim, part: Part, output: Array, x: Array, target: Any, weight: float) -> tuple[Any, Array]:
    """The gradient of a layer's own objective by its heads, and by its output."""
    return eqx.filter_grad(lambda own: weight * aim.value(own[0], own[1], x, target))((part.aid, output))
