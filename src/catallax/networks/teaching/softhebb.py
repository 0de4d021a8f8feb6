"""SoftHebb: hidden layers compete softly within themselves and learn without a word from anyone. The last reads them out.

    u = n(x) W^T            n(x) = (x - mean_j x_j) / |x - mean_j x_j|          a row without its mean and length
    p = softmax((u + b) / T)                        soft winner-take-all over a layer's neurons
    y_k = p_k;  anti: y_k = p_k of the strongest neuron, -p_k of the others
    dw_k = | |w_k| - 1 |^q mean_b y_k (n(x) - u_k w_k)              db_k = mean_b p_k - exp(b_k / T)
    h_k = relu(u_k + b_k - mean_k (u + b)_k)^r      or h = p: what is handed on; the last layer hears gain h

At rest w_k = E[y_k n(x)] / |E[y_k n(x)]|: the mean of a neuron's own rows, at length 1, whatever lengths were before; and
b_k / T = log E[p_k], a neuron's prior. Where the data are a mixture, so is the layer a model of it (Moraitis et al.).
The bias rule is theirs but for a factor exp(-b_k), which changes its pace, not its rest.

Steps are the optimiser's. Hidden layers learn in few epochs, and the readout profits when they then hold still: give each
layer its own optimiser, those of hidden layers with a schedule that ends at 0:
optax.sgd(optax.linear_schedule(0.3, 0, batches)).

T. Moraitis, D. Toichkin, A. Journe, Y. Chua and Q. Guo, SoftHebb, Neuromorphic Computing and Engineering 2, 2022;
anti, the rate by length (q = 1/2) and the triangle (r): A. Journe et al., Hebbian deep learning without feedback, ICLR
2023.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.errors import BadInput
from catallax.networks.layers import Dense, with_fields
from catallax.networks.teaching.sweep import keys
from catallax.signals.teaching import Batch, Part, Plan, Taught, Teaching, Wire, pulled

TINY = 1e-9  # of a row's length: a row of equal numbers becomes zeros
LEAST = 0.1  # rows, added to a neuron's part of the batch: one that hardly wins hardly moves
ACTIVATIONS = ("triangle", "softmax")
RULES = ("soft", "anti")


class SoftHebb(Teaching):
    """Competition within each hidden layer, which is told nothing; a readout of what comes of it. Layers must be `Dense`.

    **Arguments:** `temperature`: T, of cosines (one for all hidden layers, or a tuple of one each); `rule`: "soft", or
    "anti": all but the strongest neuron turn away from a row; `share`: a neuron's change is divided by its part of the
    batch, sum_b |y_k|, rather than by the batch, so that neurons that seldom win learn as fast as others; `rate_power`: q
    (0: the rate does not depend on lengths); `activation`: "triangle" or "softmax", instead of the layers' own; `power`: r;
    `gain`: of what the readout hears; rows are not scaled one by one, for how lively a row is tells classes apart.
    """

    temperature: float | tuple[float, ...] = eqx.field(static=True, default=0.03)
    rule: str = eqx.field(static=True, default="soft")
    share: bool = eqx.field(static=True, default=True)
    rate_power: float = eqx.field(static=True, default=0.0)
    activation: str = eqx.field(static=True, default="triangle")
    power: float = eqx.field(static=True, default=2.0)
    gain: float = eqx.field(static=True, default=20.0)

    alone = True
    locked = False
    sweeps = False

    def __check_init__(self) -> None:
        for name, known in (("rule", RULES), ("activation", ACTIVATIONS)):
            if getattr(self, name) not in known:
                raise BadInput(f"SoftHebb.{name} is {getattr(self, name)!r}: give {' or '.join(map(repr, known))}")
        for temperature in self.temperature if isinstance(self.temperature, tuple) else (self.temperature,):
            if not number(temperature) or temperature <= 0:
                raise BadInput(
                    f"SoftHebb.temperature is {self.temperature!r}: give a number above 0, or a tuple of such"
                )
        for name in ("power", "gain"):
            value = getattr(self, name)
            if not number(value) or value <= 0:
                raise BadInput(f"SoftHebb.{name} is {value!r}: give a number above 0")
        if not number(self.rate_power) or self.rate_power < 0:
            raise BadInput(f"SoftHebb.rate_power is {self.rate_power!r}: give a number of at least 0")

    def begin(self, plan: Plan, key) -> tuple["SoftHebb", tuple]:
        """`BadInput` where a layer is not `Dense`, or a hidden layer has no temperature."""
        for place, layer in enumerate(plan.layers):
            if not isinstance(layer, Dense):
                raise BadInput(f"layer {place} is a {type(layer).__name__}: SoftHebb teaches networks.Dense alone")
        hidden = len(plan.layers) - 1
        if isinstance(self.temperature, tuple) and len(self.temperature) != hidden:
            said = f"SoftHebb.temperature holds {len(self.temperature)} numbers"
            raise BadInput(f"{said}: the chain has {hidden} hidden layers, give one number for each")
        return self, (None,) * len(plan.layers)

    def teach(self, parts: tuple[Part, ...], batch: Batch, wire: Wire) -> Taught:
        x, gradients, bits = batch.x, [], keys(batch, len(parts))
        for place, part in enumerate(parts[:-1]):
            x, temperature = normed(x), self.temperature_of(place)
            gradients.append(Part(self.descent(part.layer, x, temperature)))
            x = self.handed(part.layer, x, temperature, bits[place])
        last, x = len(parts) - 1, self.gain * x
        loss, error = batch.loss.error(parts[last].layer(x, bits[last]), wire.label(last, batch.target, batch.loss))
        gradients.append(Part(pulled(lambda layer: layer(x, bits[last]), parts[last].layer, error)))
        return Taught(tuple(gradients), loss)

    def predict(self, parts: tuple[Part, ...], x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """The readout's output."""
        for place, part in enumerate(parts[:-1]):
            x = self.handed(part.layer, normed(x), self.temperature_of(place), None)
        return parts[-1].layer(self.gain * x)

    def temperature_of(self, place: int) -> float:
        """T of a hidden layer."""
        return self.temperature[place] if isinstance(self.temperature, tuple) else self.temperature

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

    def handed(self, layer: Dense, x: Float[Array, "batch inputs"], temperature: float, key: Any) -> Array:
        """What a layer hands on, h."""
        if self.activation == "softmax":
            phi = lambda z: jax.nn.softmax(z / temperature, axis=-1)  # noqa: E731
        else:
            phi = lambda z: jax.nn.relu(z - jnp.mean(z, axis=-1, keepdims=True)) ** self.power  # noqa: E731
        return with_fields(layer, activation=phi)(x, key)


def normed(x: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
    """n(x): rows of mean 0 and length 1."""
    x = x - jnp.mean(x, axis=-1, keepdims=True)
    return x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), TINY)


def number(value: Any) -> bool:
    """A finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
