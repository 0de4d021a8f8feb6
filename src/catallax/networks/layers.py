"""Layers: the units of a network. Each maps a batch of inputs to a batch of outputs, and owns its parameters.

    drive       z = x W^T + b          [batch, outputs]
    activation  y = phi(z), then, while learning, each output is dropped with chance `dropout`
    activity    what y costs the layer: price mean_b sum_k |y_bk|, added to whatever its parameters descend along

The essay's formula has no bias: `bias=False`.
"""

import abc
import dataclasses
import functools as ft
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.errors import BadInput


def layer_normalised(z: Float[Array, "batch outputs"]) -> Float[Array, "batch outputs"]:
    """Each row less its mean, over its standard deviation (Ba et al. 2016, equation 2, without a gain)."""
    z = z - z.mean(axis=1, keepdims=True)
    return z * jax.lax.rsqrt(jnp.mean(z**2, axis=1, keepdims=True) + 1e-5)


ACTIVATIONS: dict[str, Callable] = {
    "relu": jax.nn.relu,
    "layer norm, relu": lambda z: jax.nn.relu(layer_normalised(z)),
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "hard sigmoid": lambda z: jnp.clip(z, 0, 1),
    "gelu": jax.nn.gelu,
    "elu": jax.nn.elu,
    "leaky relu": jax.nn.leaky_relu,
    "linear": lambda z: z,
}


class Layer(eqx.Module):
    """A map of batches with parameters of its own; `objective`: what it wants, where that is not everyone's."""

    objective: eqx.AbstractVar[Any]

    @abc.abstractmethod
    def __call__(self, x: Array, key: Any = None) -> Array:
        """Outputs, [batch, ...], of inputs [batch, ...]. `key`: random bits while learning; None: as it is used."""

    def drawn(self, key: Any, last: bool) -> "Layer":
        """The layer with its parameters drawn, if it has none yet; `last`: it is the network's output."""
        return self


class Dense(Layer):
    """A fully connected layer.

    **Arguments:** `inputs`, `outputs`: widths; `activation`: a name of `ACTIVATIONS` or a function (None: relu, linear
    in the last layer of a chain); `bias`; `dropout`: the chance of an output to be dropped while learning;
    `activity`: the price of a unit of output, before any is dropped (teachings that learn by gradients of y heed it);
    `objective`: see `networks.objectives`; `key`: draws the weights now rather than by the chain's seed.
    """

    weight: Float[Array, "outputs inputs"] | None
    bias: Float[Array, " outputs"] | None
    activation: Any = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    use_bias: bool = eqx.field(static=True)
    dropout: float = eqx.field(static=True)
    activity: float = eqx.field(static=True)
    objective: Any

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: Any = None,
        *,
        bias: bool = True,
        dropout: float = 0.0,
        activity: float = 0.0,
        objective: Any = None,
        key: Any = None,
    ) -> None:
        for name, width in (("inputs", inputs), ("outputs", outputs)):
            if isinstance(width, bool) or not isinstance(width, int) or width < 1:
                raise BadInput(f"Dense.{name} is {width!r}: give a whole number of at least 1")
        if not 0 <= dropout < 1:
            raise BadInput(f"Dense.dropout is {dropout!r}: give a chance of at least 0 and below 1")
        if isinstance(activity, bool) or not 0 <= activity < float("inf"):
            raise BadInput(f"Dense.activity is {activity!r}: give a price of at least 0")
        if not (activation is None or callable(activation) or activation in ACTIVATIONS):
            raise BadInput(f"Dense.activation is {activation!r}: give a function, or one of {', '.join(ACTIVATIONS)}")
        self.inputs, self.outputs, self.use_bias, self.dropout = inputs, outputs, bool(bias), float(dropout)
        self.activation, self.objective, self.weight, self.bias = activation, objective, None, None
        self.activity = float(activity)
        if key is not None:
            self.weight, self.bias = weights(key, inputs, outputs, self.use_bias)

    def drawn(self, key: Any, last: bool) -> "Dense":
        layer = self
        if layer.activation is None:
            layer = with_fields(layer, activation="linear" if last else "relu")
        if layer.weight is None:
            weight, bias = weights(key, self.inputs, self.outputs, self.use_bias)
            layer = with_fields(layer, weight=weight, bias=bias)
        return layer

    @property
    def phi(self) -> Callable:
        """The activation as a function."""
        return ACTIVATIONS[self.activation] if isinstance(self.activation, str) else self.activation

    def drive(self, x: Float[Array, "batch inputs"]) -> Float[Array, "batch outputs"]:
        """z = x W^T + b."""
        assert self.weight is not None, "a layer without weights: put it into a Chain, or give it a key"
        z = x @ self.weight.T
        return z if self.bias is None else z + self.bias

    def activate(self, z: Float[Array, "batch outputs"], key: Any = None) -> Float[Array, "batch outputs"]:
        """y = phi(z), some of it dropped where a key is given."""
        y = self.phi(z)
        return self.dropped(charged(y, self.activity) if self.activity else y, key)

    def dropped(self, y: Float[Array, "batch outputs"], key: Any = None) -> Float[Array, "batch outputs"]:
        """Outputs, some of them dropped where a key is given, the others scaled up."""
        if key is None or not self.dropout:
            return y
        kept = jax.random.bernoulli(key, 1 - self.dropout, y.shape)
        return jnp.where(kept, y / (1 - self.dropout), 0)

    def __call__(self, x: Float[Array, "batch inputs"], key: Any = None) -> Float[Array, "batch outputs"]:
        return self.activate(self.drive(x), key)


class Block(Layer):
    """Equinox modules applied one after the other to each row: whatever `eqx.nn` has, as one layer.

    Modules act on one row and take `key=` (as those of `eqx.nn` do); plain functions are applied as they are.
    """

    modules: Any
    objective: Any = None

    def __call__(self, x: Array, key: Any = None) -> Array:
        if key is None:
            return jax.vmap(lambda row: self.one(row, None))(x)
        return jax.vmap(self.one)(x, jax.random.split(key, x.shape[0]))

    def one(self, row: Any, key: Any) -> Any:
        """One row through all modules."""
        for number, module in enumerate(self.modules):
            own = None if key is None else jax.random.fold_in(key, number)
            if isinstance(module, eqx.nn.Dropout):
                row = module(row, key=own, inference=key is None or module.inference)
            else:
                given = {"key": own} if isinstance(module, eqx.Module) else {}
                row = self.modules[number](row, **given)
        return row


@ft.partial(jax.custom_vjp, nondiff_argnums=(1,))
def charged(y: Float[Array, "batch outputs"], price: Any) -> Float[Array, "batch outputs"]:
    """y itself; what comes back to it is charged with the gradient of price mean_b sum_k |y_bk|."""
    return y


charged.defvjp(lambda y, price: (y, jnp.sign(y)), lambda price, sign, back: (back + price * sign / sign.shape[0],))


def weights(key: Any, inputs: int, outputs: int, bias: bool) -> tuple[Array, Array | None]:
    """W ~ N(0, 2 / inputs) (He et al. 2015, equation 10), b = 0."""
    dtype = jnp.zeros(()).dtype
    weight = jax.random.normal(key, (outputs, inputs), dtype) * jnp.sqrt(jnp.asarray(2 / inputs, dtype))
    return weight, jnp.zeros(outputs, dtype) if bias else None


def with_fields(layer: Any, **values: Any) -> Any:
    """The same layer with other fields (its constructor asks for other things than its fields)."""
    new = object.__new__(type(layer))
    for field in dataclasses.fields(layer):
        object.__setattr__(new, field.name, values.get(field.name, getattr(layer, field.name)))
    return new
