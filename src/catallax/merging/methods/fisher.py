"""Fisher merge: each element's mean, by how sure each model is of it.

    theta = sum_i w_i F_i theta_i / sum_i w_i F_i

F_i: the diagonal of model i's Fisher information, E_x E_{y ~ p_i(y|x)} (d log p_i(y|x) / d theta)^2, which each model publishes
as tensors of the same names: as many numbers again as its weights. They are scaled to a mean square of 1 over the model
first, unless `normalise` is False (then all by one factor), and `floor` is added, so that the mean by w is what is left where
nobody is sure. Tensors without F have F = 1.

Matena and Raffel, Merging Models with Fisher-Weighted Averaging, NeurIPS 2022, arXiv:2111.09832, equation 5.
"""

import copy
import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.io.checkpoints import Model, arrays_of, open_model
from catallax.merging.method import Method, Stack

PIECE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Fisher(Method):
    """`fishers`: F of each model in the order of the models (paths, or arrays by name, see `diagonal`); `normalise`; `floor`:
    above 0."""

    fishers: Sequence[Any] = ()
    normalise: bool = True
    floor: float = 1e-6
    name: ClassVar[str] = "fisher"
    paper: ClassVar[str] = "Matena and Raffel 2022, Fisher-Weighted Averaging, arXiv:2111.09832"
    elementwise: ClassVar[bool] = True
    leave: ClassVar[str | None] = None
    opened: ClassVar[tuple[Model, ...]] = ()  # after `prepare`, with the factor of each, and its share of influence
    factors: ClassVar[tuple[float, ...]] = ()
    found: ClassVar[np.ndarray | None] = None

    def __post_init__(self) -> None:
        if not self.floor > 0:
            raise BadInput(f"floor is {self.floor:g}: give a number above 0, which is added to the Fisher information")

    def prepare(self, models: Sequence[Model], base: Model | None, weights: np.ndarray) -> Method:
        """The method with all F opened, checked and measured."""
        if len(self.fishers) != len(models):
            raise BadInput(f"fishers has {len(self.fishers)} entries for {len(models)} models: give one for each")
        opened = tuple(open_model(source, f"fishers[{k}]") for k, source in enumerate(self.fishers))
        for model, fisher in zip(models, opened, strict=True):
            check(fisher, model)
        squares = np.array([mean_square(fisher) for fisher in opened])
        if not (squares > 0).all():
            raise BadInput(f"{opened[int(np.argmin(squares))].label} is 0 everywhere: give what was computed on data")
        scale = squares if self.normalise else np.full(len(models), squares.mean())
        method = copy.copy(self)
        object.__setattr__(method, "opened", opened)
        object.__setattr__(method, "factors", tuple((scale**-0.5).tolist()))
        object.__setattr__(method, "found", method.measured(models[0], weights))
        return method

    def measured(self, model: Model, weights: np.ndarray) -> np.ndarray:
        """The mean share of each member over all elements."""
        total = np.zeros(len(weights))
        for name in model.floats:
            size = math.prod(model.entries[name].shape)
            for start in range(0, size, PIECE):
                sure = self.sure(name, slice(start, min(start + PIECE, size)), weights)
                total += (sure / sure.sum(axis=0)).sum(axis=1)
        return total / total.sum()

    def sure(self, name: str, place: slice, weights: np.ndarray) -> np.ndarray:
        """w_i (F_i + floor) of elements of a tensor, [members, elements]."""
        rows = [
            self.scaled(fisher, factor, name, place) for fisher, factor in zip(self.opened, self.factors, strict=True)
        ]
        return weights[:, None] * (np.stack(rows) + self.floor)

    def scaled(self, fisher: Model, factor: float, name: str, place: slice) -> np.ndarray:
        """F_i of elements of a tensor."""
        if name not in fisher.entries:
            return np.ones(place.stop - place.start)
        return factor * fisher.read(name).reshape(-1)[place].astype(np.float64)

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """Of the certainty, over all elements."""
        return weights if self.found is None else self.found

    def combine(self, stack: Stack) -> np.ndarray:
        """The mean of a flat piece; of a whole tensor."""
        values = stack.values.reshape(len(stack.weights), -1)
        sure = self.sure(stack.name, slice(stack.start, stack.start + values.shape[1]), stack.weights)
        mean = np.einsum("me,me->e", sure, values) / sure.sum(axis=0)
        return mean.reshape(stack.values.shape[1:])

    def without(
        self, name: str, merged: np.ndarray, member: np.ndarray, base: np.ndarray | None, weights: np.ndarray, gone: int
    ) -> np.ndarray:
        """The merge of the others, from the merge of all and the one that leaves: sums of w F theta and of w F less its own."""
        sure = self.sure(name, slice(0, merged.size), weights)
        sums = (sure.sum(axis=0), sure[gone])
        left = sums[0] * merged.reshape(-1) - sums[1] * member.reshape(-1)
        return (left / (sums[0] - sums[1])).reshape(merged.shape)


def check(fisher: Model, model: Model) -> None:
    """That F has the shapes of the model's tensors, and knows at least one."""
    known = [name for name in model.floats if name in fisher.entries]
    if not known:
        raise BadInput(f"{fisher.label} has no tensor of {model.label}: give F under the names of the weights")
    for name in known:
        if fisher.entries[name].shape != model.entries[name].shape:
            shapes = f"{list(fisher.entries[name].shape)}, and the weights {list(model.entries[name].shape)}"
            raise BadInput(f"{name} of {fisher.label} has the shape {shapes}: they must agree")


def mean_square(fisher: Model) -> float:
    """Of all its elements. Raises `BadInput` where one is negative or no number."""
    total, count = 0.0, 0
    for name in fisher.floats:
        flat = fisher.read(name).reshape(-1)
        for start in range(0, flat.size, PIECE):
            piece = flat[start : start + PIECE].astype(np.float64)
            if not (piece >= 0).all() or not np.isfinite(piece).all():
                raise BadInput(f"{name} of {fisher.label} holds what is negative or no number: F is a mean of squares")
            total, count = total + float(piece @ piece), count + piece.size
    return total / count if count else 0.0


def diagonal(logits: Callable[[Any, Any], Any], model: Any, X: Any) -> Mapping[str, np.ndarray]:
    """The diagonal of the Fisher information of a classifier on rows X [rows, ...], by name of tensor.

    `logits(model, row)`: scores of classes [classes] for one row, by JAX; `model`: an Equinox module or any tree of arrays.
    The expectation over y is exact: a backward pass a class and row. Rows go one after the other: memory is that of one.
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    own, rest = eqx.partition(model, eqx.is_inexact_array)

    def one(total: Any, row: Any) -> tuple[Any, None]:
        def log_chances(own: Any) -> Any:
            return jax.nn.log_softmax(logits(eqx.combine(own, rest), row))

        chances, slopes = jnp.exp(log_chances(own)), jax.jacrev(log_chances)(own)
        return jax.tree.map(lambda sum, slope: sum + jnp.tensordot(chances, slope**2, 1), total, slopes), None

    @jax.jit
    def mean(own: Any, X: Any) -> Any:
        total, _ = jax.lax.scan(one, jax.tree.map(jnp.zeros_like, own), X)
        return jax.tree.map(lambda sum: sum / len(X), total)

    return arrays_of(mean(own, jnp.asarray(X)))
