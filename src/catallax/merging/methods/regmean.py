"""RegMean: the linear layer whose outputs are nearest to each model's own, on its own data.

    W = argmin_W sum_i w_i |X_i W - X_i W_i|^2 = (sum_i w_i G_i)^-1 sum_i w_i G_i W_i,      G_i = X_i^T X_i / rows

Each model publishes W_i and G_i, one Gram matrix of the inputs of each linear layer: a compressed signal, sent once, d (d + 1) / 2
numbers a layer of d inputs (`bits`). Elements of G_i off the diagonal are scaled by `alpha` (the paper's, .9: below 1 it leans
towards a mean by each input's strength). `ridge`, in units of the mean diagonal, adds ridge w_i |W - W_i|^2: it decides
for inputs that nobody has seen, where it gives the mean. What has no G is averaged, as biases are.

Jin et al., Dataless Knowledge Fusion by Merging Weights of Language Models, ICLR 2023, arXiv:2212.09849, equation 2.
"""

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.io.checkpoints import Model, open_model
from catallax.merging.method import Method, Stack

AXES = ("last", "first")


@dataclasses.dataclass(frozen=True)
class RegMean(Method):
    """`grams`: of each model, G [inputs, inputs] by name of weight (paths, or arrays by name, see `gram`); `inputs`: which axis
    of a weight they are: "last" (PyTorch, Equinox) or "first" (Flax); `alpha` in [0, 1]; `ridge` above 0."""

    grams: Sequence[Any] = ()
    alpha: float = 0.9
    ridge: float = 1e-6
    inputs: str = "last"
    name: ClassVar[str] = "regmean"
    paper: ClassVar[str] = "Jin et al. 2023, Dataless Knowledge Fusion, arXiv:2212.09849"
    leave: ClassVar[str | None] = None
    opened: ClassVar[tuple[Model, ...]] = ()  # after `prepare`
    sizes: ClassVar[Mapping[str, int]] = {}

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise BadInput(
                f"alpha is {self.alpha:g}: the share of a Gram matrix's other elements that is kept lies in [0, 1]"
            )
        if not self.ridge > 0:
            raise BadInput(
                f"ridge is {self.ridge:g}: give a number above 0, which decides for inputs that nobody has seen"
            )
        if self.inputs not in AXES:
            raise BadInput(f"inputs is {self.inputs!r}: give {' or '.join(AXES)}")

    def prepare(self, models: Sequence[Model], base: Model | None, weights: np.ndarray) -> Method:
        """The method with all G opened and checked."""
        if len(self.grams) != len(models):
            raise BadInput(f"grams has {len(self.grams)} entries for {len(models)} models: give one for each")
        opened = tuple(open_model(source, f"grams[{k}]") for k, source in enumerate(self.grams))
        for grams in opened:
            self.check(grams, opened[0], models[0])
        method = copy.copy(self)
        object.__setattr__(method, "opened", opened)
        object.__setattr__(
            method, "sizes", {name: math.prod(models[0].entries[name].shape) for name in models[0].floats}
        )
        return method

    def check(self, grams: Model, first: Model, model: Model) -> None:
        """That there is one G, of the right size, for the same weights in all."""
        if set(grams.names) != set(first.names):
            raise BadInput(
                f"{grams.label} and {first.label} are of unlike layers: give G of the same weights for each model"
            )
        for name, entry in grams.entries.items():
            shape = model.entries[name].shape if name in model.entries else ()
            if len(shape) != 2:
                raise BadInput(
                    f"{name} of {grams.label} is no weight with two axes: name G after the weight it belongs to"
                )
            side = shape[AXES.index(self.inputs) - 1]
            if entry.shape != (side, side):
                raise BadInput(
                    f"{name} of {grams.label} is {list(entry.shape)}, and the layer has {side} inputs: G is [inputs, inputs]"
                )

    def shrunk(self, name: str, weights: np.ndarray) -> list[np.ndarray]:
        """w_i G_i of a layer, shrunk, with its ridge, for each model."""
        read = [np.asarray(grams.read(name), np.float64) for grams in self.opened]
        for of, grams in zip(read, self.opened, strict=True):
            if not np.isfinite(of).all():
                raise BadInput(f"{name} of {grams.label} holds what is no number: compute G again")
        ridge = self.ridge * max(sum(w * np.trace(of) / len(of) for w, of in zip(weights, read, strict=True)), 1e-300)
        found = []
        for weight, of in zip(weights, read, strict=True):
            shrunk = self.alpha * of + (1 - self.alpha) * np.diag(np.diag(of))
            found.append(weight * (shrunk + ridge * np.eye(len(of))))
        return found

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """trace((sum_j G_j)^-1 G_i) / inputs in a layer, the weight elsewhere; the mean over all elements."""
        total, elements = np.zeros(len(weights)), 0
        for name, size in self.sizes.items():
            part = weights
            if name in self.opened[0].entries:
                known = self.shrunk(name, weights)
                inverse = np.linalg.inv(sum(known))
                part = np.array([np.vdot(inverse, of) / len(of) for of in known])
            total, elements = total + size * part, elements + size
        return total / elements if elements else weights

    def combine(self, stack: Stack) -> np.ndarray:
        """The layer, as the mean and what the data make of the differences from it: equal members give themselves."""
        mean = np.tensordot(stack.weights, stack.values, 1)
        if not self.opened or stack.name not in self.opened[0].entries:
            return mean
        known = self.shrunk(stack.name, stack.weights)
        apart = (stack.values - mean).astype(np.float64)
        if self.inputs == "last":
            return mean + np.linalg.solve(sum(known), sum(of @ one.T for of, one in zip(known, apart, strict=True))).T
        return mean + np.linalg.solve(sum(known), sum(of @ one for of, one in zip(known, apart, strict=True)))

    def without(
        self, name: str, merged: np.ndarray, member: np.ndarray, base: np.ndarray | None, weights: np.ndarray, gone: int
    ) -> np.ndarray:
        """The merge of the others, from the merge of all and the one that leaves: sums of w G and w G W less its own."""
        if name not in self.opened[0].entries:
            return (merged - weights[gone] * member) / (1 - weights[gone])
        known = self.shrunk(name, weights)
        all_, own = sum(known), known[gone]
        if self.inputs == "last":
            return np.linalg.solve(all_ - own, all_ @ merged.T - own @ member.T).T
        return np.linalg.solve(all_ - own, all_ @ merged - own @ member)


def gram(inputs: Any) -> np.ndarray:
    """G = X^T X / rows of the inputs of a layer, X [..., inputs]: in float64, as float32."""
    rows = np.asarray(inputs)
    rows = rows.reshape(-1, rows.shape[-1]).astype(np.float64)
    if not len(rows):
        raise BadInput("inputs has no rows: give what the layer was shown")
    return (rows.T @ rows / len(rows)).astype(np.float32)


def grams(model: Any, X: Any, activation: Any = None) -> dict[str, np.ndarray]:
    """G of each layer of a model that has `layers`, one after the other, by name of its weight: layers.0.weight.

    `X` [rows, inputs]. A layer is a function of a batch (`networks.Chain`); where an `activation` is given, of one row, without
    its activation, which follows all layers but the last (`equinox.nn.MLP`, whose own it has to be).
    """
    import jax.numpy as jnp

    found, values = {}, jnp.asarray(X)
    for number, layer in enumerate(model.layers):
        weight = getattr(layer, "weight", None)
        if weight is not None and weight.ndim == 2:
            found[f"layers.{number}.weight"] = gram(values)
        if number == len(model.layers) - 1:
            break
        values = layer(values) if activation is None else activation(values @ layer.weight.T + layer.bias)
    return found


def bits(published: Sequence[Mapping[str, Any]], models: Sequence[Any], width: int = 32) -> int:
    """What all models send: their weights, and one half of each G with its diagonal, in numbers of `width` bits."""
    weights = sum(math.prod(entry.shape) for model in models for entry in open_model(model).entries.values())
    halves = sum(len(of) * (len(of) + 1) // 2 for grams in published for of in grams.values())
    return width * (weights + halves)
