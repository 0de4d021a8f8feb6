"""SoftHebb: hidden layers compete softly within themselves and learn without a word from anyone. The last reads them out.

    u = n(x) W^T            n(x) = (x - mean_j x_j) / |x - mean_j x_j|          a row without its mean and length
    p = softmax((u + b) / T)                        soft winner-take-all over a layer's neurons
    y_k = p_k;  anti: y_k = p_k of the strongest neuron, -p_k of the others
    dw_k = | |w_k| - 1 |^q mean_b y_k (n(x) - u_k w_k)              db_k = mean_b p_k - exp(b_k / T)
    h_k = relu(u_k + b_k - mean_k (u + b)_k)^r      or h = p: what is handed on
    output = (h - mean_k h) gain of the last hidden layer through the last layer, those of the others through its aid

At rest w_k = E[y_k n(x)] / |E[y_k n(x)]|: the mean of a neuron's own rows, at length 1, whatever lengths were before; and
b_k / T = log E[p_k], a neuron's prior. Where the data are a mixture, so is the layer a model of it (Moraitis et al.).
The bias rule is theirs but for a factor exp(-b_k), which changes its pace, not its rest.

Neurons begin at a length well above 1. One that has not learnt is then stronger than those that have, wins rows, and
shrinks as it learns: nobody is left out. Begun at 1, the few that win first win ever after.

Steps are the optimiser's. Hidden layers learn in few epochs, and the readout profits when they then hold still: give each
layer its own optimiser, those of hidden layers with a schedule that ends at 0:
optax.sgd(optax.linear_schedule(0.1, 0, batches)).

T. Moraitis, D. Toichkin, A. Journe, Y. Chua and Q. Guo, SoftHebb, Neuromorphic Computing and Engineering 2, 2022;
anti, the rate by length (q = 1/2), the triangle (r) and long first weights: A. Journe et al., Hebbian deep learning
without feedback, ICLR 2023.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.errors import BadInput
from catallax.networks.layers import Dense, weights, with_fields
from catallax.networks.teaching.competition import EACH, centred, check_settings, normed, of, softmax, triangle
from catallax.networks.teaching.sweep import keys
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire, pulled

LEAST = 0.1  # rows, added to a neuron's part of the batch: one that hardly wins hardly moves


class SoftHebb(Teaching):
    """Competition within each hidden layer, which is told nothing; a readout of what comes of it. Layers must be `Dense`.

    **Arguments:** `temperature`: T, of cosines (one for all hidden layers, or a tuple of one each); `rule`: "soft", or
    "anti": all but the strongest neuron turn away from a row; `share`: a neuron's change is divided by its part of the
    batch, sum_b |y_k|, rather than by the batch, so that neurons that seldom win learn as fast as others; `rate_power`: q
    (0: the rate does not depend on lengths); `activation`: "triangle" or "softmax", instead of the layers' own; `power`: r;
    `gain`: of what the readout hears (one, or a tuple of one each); `length`: of hidden weights when they are drawn;
    `reads`: "all" hidden layers, whose outputs are then the readout's own input, or the "last".
    """

    temperature: float | tuple[float, ...] = eqx.field(static=True, default=0.02)
    rule: str = eqx.field(static=True, default="soft")
    share: bool = eqx.field(static=True, default=True)
    rate_power: float = eqx.field(static=True, default=0.0)
    activation: str = eqx.field(static=True, default="triangle")
    power: float = eqx.field(static=True, default=2.0)
    gain: float | tuple[float, ...] = eqx.field(static=True, default=100.0)
    length: float = eqx.field(static=True, default=15.0)
    reads: str = eqx.field(static=True, default="all")

    alone = True
    locked = False
    sweeps = False
    charges = False

    def __check_init__(self) -> None:
        check_settings(self)

    def drawn(self, layer: Any, key: Any, last: bool) -> Any:
        """Hidden weights are drawn at `length`; those that a layer brings along stay as they are."""
        new = layer.drawn(key, last)
        if last or not isinstance(layer, Dense) or layer.weight is not None:
            return new
        return with_fields(new, weight=new.weight * (self.length / 2**0.5))  # drawn at length sqrt(2), nearly

    def begin(self, plan: Plan, key) -> tuple["SoftHebb", tuple]:
        """The readout's aid: its weights for hidden layers below the last. `BadInput` where a layer is not `Dense`."""
        for place, layer in enumerate(plan.layers):
            if not isinstance(layer, Dense):
                raise BadInput(f"layer {place} is a {type(layer).__name__}: SoftHebb teaches networks.Dense alone")
        hidden = len(plan.layers) - 1
        for name in EACH:
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != hidden:
                said = f"SoftHebb.{name} holds {len(value)} numbers"
                raise BadInput(f"{said}: the chain has {hidden} hidden layers, give one number for each")
        below = sum(width for (width,) in plan.outputs[:-2])
        aid = weights(key, below, plan.outputs[-1][0], False)[0] if below and self.reads == "all" else None
        return self, (*[None] * hidden, aid)

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        heard, changes = self.sweep(parts, batch.x, keys(batch, len(parts)))
        last = len(parts) - 1
        loss, error = batch.loss.error(self.output(parts[last], heard), wire.label(last, batch.target, batch.loss))
        readout = pulled(lambda part: self.output(part, heard), parts[last], error)
        return Taught((*changes, readout), loss)

    def predict(self, parts: tuple[Part, ...], x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """The readout's output."""
        return self.output(parts[-1], self.sweep(parts, x, None)[0])

    def sweep(self, parts: tuple[Part, ...], x: Array, bits: Any) -> tuple[list[Array], list[Part]]:
        """What the readout hears of each hidden layer, and, with random bits, what hidden layers descend along."""
        heard, changes = [], []
        for place, part in enumerate(parts[:-1]):
            x, own = normed(x), None if bits is None else bits[place]
            temperature, gain = of(self.temperature, place), of(self.gain, place)
            if bits is not None:
                changes.append(Part(self.descent(part.layer, x, temperature)))
            phi = triangle(self.power) if self.activation == "triangle" else softmax(temperature)
            x = with_fields(part.layer, activation=phi)(x, own)
            heard.append(gain * centred(x))
        return heard or [x], changes

    def output(self, readout: Part, heard: list[Array]) -> Array:
        """The last hidden layer through the readout, and those below through its aid."""
        score = readout.layer(heard[-1])
        return score if readout.aid is None else score + jnp.concatenate(heard[:-1], axis=1) @ readout.aid.T

    def descent(self, layer: Dense, x: Float[Array, "batch inputs"], temperature: float) -> Any:
        """Minus the change (dw, db), in the shape of what the layer learns."""
        assert layer.weight is not None, "a layer of a chain has weights"
        drive = layer.drive(x)
        u = drive if layer.bias is None else drive - layer.bias
        p = jax.nn.softmax(drive / temperature, axis=-1)
        y = p
        if self.rule == "anti":
            y = jnp.where(drive == jnp.max(drive, axis=-1, keepdims=True), p, -p)
        change = y.T @ x - jnp.sum(y * u, axis=0)[:, None] * layer.weight
        part = jnp.sum(p, axis=0)[:, None] + LEAST if self.share else x.shape[0]
        pace = jnp.abs(jnp.linalg.norm(layer.weight, axis=1, keepdims=True) - 1) ** self.rate_power / part
        still = jax.tree.map(jnp.zeros_like, eqx.filter(layer, eqx.is_inexact_array))
        if layer.bias is None:
            return with_fields(still, weight=-pace * change)
        bias = jnp.mean(p, axis=0) - jnp.exp(layer.bias / temperature)
        return with_fields(still, weight=-pace * change, bias=-bias)
