"""Local losses: each layer learns from its own objective alone, and is told no more than the label.

    g_l = d L_l / d (w_l, c_l)          L_l of the output h_l = f_l(x_l; w_l) and the layer's own head c_l, x_l held fixed

No gradient crosses from one layer to another: a layer learns as soon as its input is there. The last layer's objective is
the network's loss; a hidden one's is predsim unless it has its own (`networks.objectives`). Objectives are of whole outputs;
what is dropped is dropped on the way to the layer above.

A. Nokland and L. H. Eidnes, Training neural networks with local error signals, ICML 2019.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from catallax.networks.objectives import Objective, make_objective
from catallax.networks.teaching.aims import Aim, aims_of
from catallax.networks.teaching.sweep import handed_on, keys, whole
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire


class LocalLosses(Teaching):
    """Each layer's own objective, its gradient stopped at the layer's input. Layers of any kind.

    **Arguments:** `objective`: "predict", "similarity", "predsim", "reconstruct" or an `Objective`, for all hidden layers
    that have none of their own.
    """

    objective: Objective
    aims: Any = None

    alone = True
    locked = False

    def __init__(self, objective: Any = "predsim") -> None:
        self.objective, self.aims = make_objective(objective), None

    def begin(self, plan: Plan, key) -> tuple["LocalLosses", tuple]:
        """`BadInput` where an objective does not fit its layer."""
        return begun(self, plan, key)

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        x, gradients, bits = batch.x, [], keys(batch, len(parts))
        for number, (part, aim) in enumerate(zip(parts, self.aims, strict=True)):
            below = x
            if aim is None or aim.rows is not None:
                x = part.layer(x, bits[number])
            if aim is None:
                gradients.append(Part(None))
                continue
            if aim.rows is not None:
                below, target = aim.drawn(batch, number)
                below = climbed(parts[:number], below, bits)
            else:
                target = aim.told(number, batch, wire)
            output, gradient = gradient_of(aim, part, below, target, bits[number])
            gradients.append(gradient)
            x = handed_on(part.layer, output, bits[number]) if aim.rows is None else x
        return Taught(tuple(gradients), batch.loss.value(x, batch.target))


def begun(teaching: Any, plan: Plan, key: Any) -> tuple[Any, tuple]:
    """The teaching with its aims ready, and each layer's heads."""
    aims, heads = aims_of(plan, teaching.objective, key)
    return eqx.tree_at(lambda new: new.aims, teaching, aims, is_leaf=lambda node: node is None), heads


def climbed(parts: tuple[Part, ...], x: Array, bits: list) -> Array:
    """A layer's own rows, as the layers below hand them up."""
    for part, key in zip(parts, bits, strict=False):
        x = part.layer(x, key)
    return x


def gradient_of(aim: Aim, part: Part, x: Array, target: Any, key: Any) -> tuple[Array, Part]:
    """A layer's whole output, and the gradient of its objective by what it and its heads have learnt."""

    def objective(part: Part) -> tuple[Array, Array]:
        output = whole(part.layer, x, key)
        return aim.value(part.aid, output, x, target), output

    gradient, output = eqx.filter_grad(objective, has_aux=True)(part)
    return output, gradient


def layer_losses(chain: Any, X: Any, y: Any) -> list[float | None]:
    """What each layer's objective comes to on given rows, or on the layer's own, as it is used (nothing dropped).

    Similarity compares each row with each: give a few thousand at most. None: a layer without an objective.
    """
    x, values = jnp.asarray(X), []
    batch = Batch(x, jnp.asarray(y), chain.loss, None)
    for number, (part, aim) in enumerate(zip(chain.parts, chain.teaching.aims, strict=True)):
        value = None
        if aim is not None and aim.rows is not None:
            below = climbed(chain.parts[:number], aim.rows[0], [None] * number)
            value = float(aim.value(part.aid, part.layer(below), below, aim.rows[1]))
        elif aim is not None:
            value = float(aim.value(part.aid, part.layer(x), x, aim.told(number, batch, Wire())))
        values.append(value)
        x = part.layer(x)
    return values
