"""Equinox models at school: `teach` makes a chain of a model, `learnt` gives the model what the chain has learnt.

Each module with parameters begins a layer; functions and modules without parameters that follow belong to it. A
`Linear` followed by functions alone (and at most one `Dropout`, at the end) becomes a `Dense` layer, which every kind
of teaching can reach; anything else a `Block`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax

from catallax.core.errors import BadInput
from catallax.networks.chain import Chain
from catallax.networks.layers import Block, Dense, Layer, with_fields
from catallax.signals.teaching import Teaching


def teach(
    model: Any, teaching: Teaching | None = None, *, inputs: Any = None, loss: Any = "cross-entropy", seed: int = 0
):
    """A chain with the weights of an `eqx.nn.Sequential` or `eqx.nn.MLP`, which computes the same on batches.

    `inputs`: the shape of one row, where the first module is not a `Linear`; `teaching`, `loss`, `seed`: see `Chain`.
    **Raises** `BadInput` for other models, for modules with a state (batch norm), and for what `Chain` refuses.
    """
    layers = [as_layer(group) for group in groups(modules(model))]
    return Chain(layers, teaching, loss=loss, inputs=inputs, seed=seed)


def learnt(model: Any, chain: Chain) -> Any:
    """The model with the weights of a chain that was made of it."""
    found = groups(modules(model))
    if [sizes(as_layer(group)) for group in found] != [sizes(layer) for layer in chain.layers]:
        raise BadInput("the chain has other layers than the model: give the model that it was made of")
    new = [module for group, layer in zip(found, chain.layers, strict=True) for module in returned(group, layer)]
    if isinstance(model, eqx.nn.MLP):
        return eqx.tree_at(lambda m: m.layers, model, tuple(m for m in new if isinstance(m, eqx.nn.Linear)))
    return eqx.tree_at(lambda m: m.layers, model, tuple(new))


def modules(model: Any) -> list[Any]:
    """The modules of a model, in the order in which a row passes through them."""
    if isinstance(model, eqx.nn.Sequential):
        found = list(model.layers)
        for number, module in enumerate(found):
            if isinstance(module, eqx.nn.StatefulLayer) and module.is_stateful():
                said = f"module {number} ({type(module).__name__}) keeps a state"
                raise BadInput(f"{said}: use one without, such as LayerNorm or GroupNorm")
        return found
    if not isinstance(model, eqx.nn.MLP):
        raise BadInput(f"the model is a {type(model).__name__}: give an eqx.nn.Sequential or an eqx.nn.MLP")
    if model.scan:
        raise BadInput("the model holds its hidden layers as one (scan=True): make it without scan to teach its layers")
    if "scalar" in (model.in_size, model.out_size):
        raise BadInput("the model takes or gives a scalar: give sizes of at least 1 instead")
    if learns(model.activation) or learns(model.final_activation):
        raise BadInput("the model's activation has parameters: make it a module of an eqx.nn.Sequential")
    between = [module for linear in model.layers[:-1] for module in (linear, Plain(model.activation))]
    return [*between, model.layers[-1], Plain(model.final_activation)]


class Plain(eqx.Module):
    """A function of one row of a multilayer perceptron's hidden layer: applied number by number, as `eqx.nn.MLP` does."""

    function: Callable

    def __call__(self, row, *, key=None):
        return self.function(row) if row.ndim == 0 else jax.vmap(self)(row)


def learns(module: Any) -> bool:
    """Whether it has parameters."""
    return bool(jax.tree.leaves(eqx.filter(module, eqx.is_inexact_array)))


def sizes(layer: Any) -> list:
    """The shapes of a layer's parameters."""
    return [x.shape for x in jax.tree.leaves(eqx.filter(layer, eqx.is_inexact_array))]


def groups(found: list[Any]) -> list[tuple]:
    """Modules by layer."""
    layers: list[list] = [[]]
    for module in found:
        if learns(module) and any(learns(before) for before in layers[-1]):
            layers.append([])
        layers[-1].append(module)
    if not learns(tuple(found)):
        raise BadInput("the model has no parameters: there is nothing to teach")
    return [tuple(layer) for layer in layers]


class Shape(NamedTuple):
    """A group that is a linear map, then functions, then perhaps a dropout."""

    linear: eqx.nn.Linear
    functions: tuple
    dropout: float


def dense_shape(group: tuple) -> Shape | None:
    """The group as a `Dense` layer would have it, if it is one."""
    first, *rest = group
    sizes = isinstance(first, eqx.nn.Linear) and isinstance(first.in_features, int)
    if not sizes or not isinstance(first.out_features, int):
        return None
    chance = 0.0
    if rest and isinstance(rest[-1], eqx.nn.Dropout):
        last = rest.pop()
        chance = 0.0 if last.inference else float(last.p)
    plain = all(isinstance(m, (Plain, eqx.nn.Lambda)) or not isinstance(m, eqx.Module) for m in rest)
    return Shape(first, tuple(rest), chance) if plain and chance < 1 else None


class Rowwise:
    """Functions one after the other, each applied to one row, on a batch. Equal where the functions are."""

    def __init__(self, functions: tuple) -> None:
        self.functions = functions

    def __call__(self, z):
        for function in self.functions:
            z = jax.vmap(function)(z)
        return z

    def __hash__(self) -> int:
        return hash(self.functions)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Rowwise) and self.functions == other.functions


def as_layer(group: tuple) -> Layer:
    """A layer that computes what the group's modules do."""
    shape = dense_shape(group)
    if shape is None:
        return Block(modules=group)
    linear, (inputs, outputs) = shape.linear, (shape.linear.in_features, shape.linear.out_features)
    assert isinstance(inputs, int) and isinstance(outputs, int)
    activation = Rowwise(shape.functions) if shape.functions else "linear"
    layer = Dense(inputs, outputs, activation, bias=linear.use_bias, dropout=shape.dropout)
    return with_fields(layer, weight=linear.weight, bias=linear.bias)


def returned(group: tuple, layer: Any) -> tuple:
    """The group's modules with the layer's weights."""
    if isinstance(layer, Block):
        return layer.modules
    linear = eqx.tree_at(lambda m: m.weight, group[0], layer.weight)
    if layer.bias is not None:
        linear = eqx.tree_at(lambda m: m.bias, linear, layer.bias)
    return (linear, *group[1:])
