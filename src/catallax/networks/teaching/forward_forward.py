"""Forward-forward: no sweep back. Each hidden layer is to be lively on rows with their own label, quiet on others.

    n(y) = y / sqrt(mean_j y_j^2)                    what is handed on: the length, which is the goodness, taken out
    z_1 = n(x) W_1^T + b_1 + V[c]                    V [classes, outputs] = label columns of a first layer that reads (x, c)
    z_l = n(y_{l-1}) W_l^T + b_l                     y_l = phi(z_l)
    g_l(x, c) = mean_j y_lj^2                        goodness
    symmetric   L_l = mean_b softplus(a (g_l(x, c') - g_l(x, c)))                                c the label, c' a wrong one
    threshold   L_l = mean_b softplus(a (t - g_l(x, c))) + softplus(a (g_l(x, c') - t))
    readout     softmax of the last layer on n(y) of a pass with the neutral label, V = mean_c V[c]

Inputs of a layer are held fixed: no gradient crosses. Wrong labels are drawn by the first layer alone, in proportion to
exp(a g_1(x, c')): labels that it takes for right come often, and no word from later layers is needed (Hinton draws them
from the readout's softmax, by which every layer would wait for the last). Goodness as a sum is sharpness a = outputs.
The first layer and the readout hear the label, the others one bit a pass: good or bad.

G. Hinton, The forward-forward algorithm: some preliminary investigations, 2022; the symmetric loss:
H.-C. Lee and J. Song, SymBa, 2023.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.networks.teaching.goodness import check_plan, check_settings, goodness, lively, normed, scores
from catallax.networks.teaching.sweep import keys
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire, pulled

PASSES = 2  # a row is seen with its own label and with a wrong one


class ForwardForward(Teaching):
    """Goodness of rows with their own label against rows with a wrong one. Layers must be `Dense`; the loss names classes.

    **Arguments:** `contrast`: "symmetric" or "threshold"; `sharpness`: a; `threshold`: t, where the contrast is with it;
    `negatives`: "hard" or "uniform", how wrong labels are drawn; `reading`: "goodness" (every label is tried, scores are
    sums of the hidden layers' goodness) or "readout" (one pass, with the neutral label): what `predict` answers by.
    """

    contrast: str = eqx.field(static=True, default="symmetric")
    sharpness: float = eqx.field(static=True, default=4.0)
    threshold: float = eqx.field(static=True, default=1.0)
    negatives: str = eqx.field(static=True, default="hard")
    reading: str = eqx.field(static=True, default="goodness")

    alone = True
    locked = False
    sweeps = False

    def __check_init__(self) -> None:
        check_settings(self)

    def begin(self, plan: Plan, key) -> tuple["ForwardForward", tuple]:
        """Label columns are drawn as weights are. `BadInput` where a layer is not `Dense`, or no class is named."""
        check_plan(plan)
        classes, (inputs,), (outputs,) = plan.loss.classes, plan.inputs, plan.outputs[0]
        dtype = jnp.zeros(()).dtype
        columns = jax.random.normal(key, (classes, outputs), dtype) * jnp.sqrt(jnp.asarray(2 / inputs, dtype))
        return self, (columns, *(None for _ in plan.layers[1:]))

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        *hidden, last = parts
        bits = keys(batch, len(parts))
        label = wire.label(0, batch.target, batch.loss)
        draw, first = jax.random.split(bits[0])
        wrong = self.wrong_labels(hidden[0], batch.x, label, draw)
        good = bad = rest = normed(batch.x)
        gradients = []
        for number, (part, key) in enumerate(zip(hidden, [first, *bits[1:]], strict=False)):
            if number:
                wire.count(number, PASSES)
            told = (label, wrong) if number == 0 else (None, None)
            gradient, good, bad = self.lesson(part, (good, bad), told, key)
            gradients.append(gradient)
            rest = normed(lively(part, rest, None, None))
        loss, error = batch.loss.error(last.layer(rest), wire.label(len(hidden), batch.target, batch.loss))
        gradients.append(Part(pulled(lambda layer: layer(rest), last.layer, error)))
        return Taught(tuple(gradients), loss)

    def lesson(self, part: Part, x: tuple, labels: tuple, key: Any) -> tuple[Part, Array, Array]:
        """The gradient of a layer's own objective, and what it hands on of both passes."""

        def objective(part: Part) -> tuple[Array, tuple]:
            good, bad = (lively(part, row, label, key) for row, label in zip(x, labels, strict=True))
            return self.objective(goodness(good), goodness(bad)), (normed(good), normed(bad))

        gradient, (good, bad) = eqx.filter_grad(objective, has_aux=True)(part)
        return gradient, good, bad

    def objective(self, good: Float[Array, " batch"], bad: Float[Array, " batch"]) -> Float[Array, ""]:
        """L_l of the goodness of the two passes of each row."""
        a, t = self.sharpness, self.threshold
        if self.contrast == "symmetric":
            return jnp.mean(jax.nn.softplus(a * (bad - good)))
        return jnp.mean(jax.nn.softplus(a * (t - good)) + jax.nn.softplus(a * (bad - t)))

    def wrong_labels(self, first: Part, x: Array, label: Array, key: Any) -> Array:
        """A label for each row that is not its own."""
        classes = first.aid.shape[0]
        score = jnp.zeros((x.shape[0], classes), x.dtype)
        if self.negatives == "hard":
            score = self.sharpness * scores([first], x)
        own = jnp.arange(classes) == label[:, None]
        return jax.random.categorical(key, jnp.where(own, -jnp.inf, score))

    def predict(self, parts: tuple[Part, ...], x: Float[Array, "batch inputs"]) -> Float[Array, "batch classes"]:
        """Scores of classes: the sum of goodness with each label, or the readout's."""
        *hidden, last = parts
        if self.reading == "goodness":
            return scores(hidden, x)
        x = normed(x)
        for part in hidden:
            x = normed(lively(part, x, None, None))
        return last.layer(x)
