"""Merges that are sums of the models, whose coefficients come of inner products alone.

    theta = o + sum_i c_i (theta_i - o),      c = coefficients(G, w),      G_ij = <theta_i - o, theta_j - o>

SLERP, model stock, geometric median and Krum are of this kind: models are read once for the n x n matrix G and once for
the sum, whatever their size. What the `origin` o is:

    zero      the models as they are
    base      deltas
    median    each coordinate's median over members: G is the same wherever the models lie, and a member that is far off
              spoils no digit of the others' distances, as it would with the mean; c adds up to 1

`scope`: one G and one c a tensor, or one for the whole model. G is summed in float64.
"""

import abc
import copy
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.io.checkpoints import Model
from catallax.merging.method import Method, Stack, Stored

SCOPES = ("tensor", "model")


@dataclasses.dataclass(frozen=True)
class Combination(Method):
    """A way of merging by coefficients. `found`, after `prepare`: those of each tensor, [members] by name; `sizes`: its
    elements."""

    origin: ClassVar[str] = "zero"
    found: ClassVar[Mapping[str, np.ndarray]] = {}
    sizes: ClassVar[Mapping[str, int]] = {}
    scope: str = "tensor"

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise BadInput(f"scope is {self.scope!r}: give {' or '.join(SCOPES)}")

    @abc.abstractmethod
    def coefficients(self, gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """c [members] of G [members, members] and w [members]; they need not add up to 1: the rest falls to the origin."""

    def prepare(self, models: Sequence[Model], base: Model | None, weights: np.ndarray) -> Method:
        """The method that knows its coefficients."""
        self.coefficients(np.eye(len(models)), weights)  # what is refused is refused before anything is read
        grams = {name: self.read(name, models, base, weights) for name in models[0].floats}
        if self.scope == "model":
            whole = self.coefficients(sum(grams.values(), np.zeros((len(models), len(models)))), weights)
            found = dict.fromkeys(grams, whole)
        else:
            found = {name: self.coefficients(of, weights) for name, of in grams.items()}
        sizes = {name: math.prod(models[0].entries[name].shape) for name in grams}
        return self.having_found(found, sizes)

    def read(self, name: str, models: Sequence[Model], base: Model | None, weights: np.ndarray) -> np.ndarray:
        """G of one tensor. Raises `BadInput` for NaN and infinities, which have no distance."""
        below = base.read(name) if base is not None else None
        stored = Stored(name, [model.read(name) for model in models], below, weights, 0)
        found = gram(stored.pieces(), self.origin, len(models))
        if not np.isfinite(found).all():
            broken = (model.label for model in models if not np.isfinite(model.read(name).astype(np.float64)).all())
            raise BadInput(
                f"{name} of {next(broken, 'a model')} holds what is no number, or is too large to be squared, and {self.name} "
                "goes by distances: leave that model out"
            )
        for model in models:
            model.release(name)
        return found

    def having_found(self, found: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> "Combination":
        """The same method with these coefficients."""
        method = copy.copy(self)
        object.__setattr__(method, "found", found)
        object.__setattr__(method, "sizes", sizes)
        return method

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """Of the coefficients' magnitudes, over all elements."""
        total = sum((size * np.abs(self.found[name]) for name, size in self.sizes.items()), np.zeros(len(weights)))
        return total / total.sum() if total.sum() else weights

    def combine(self, stack: Stack) -> np.ndarray:
        """The sum, of all of a tensor."""
        found = self.found.get(stack.name)
        if found is None:
            found = self.coefficients(gram([stack], self.origin, len(stack.weights)), stack.weights)
        return self.summed(stack, found)

    def merge(self, stored: Stored, write: Callable[[np.ndarray], object]) -> None:
        """The sum, in pieces."""
        found = self.found.get(stored.name)
        if found is None:
            found = self.coefficients(gram(stored.pieces(), self.origin, len(stored.members)), stored.weights)
        for stack in stored.pieces():
            write(self.summed(stack, found))

    def summed(self, stack: Stack, found: np.ndarray) -> np.ndarray:
        """o + sum c_i (theta_i - o); members whose coefficient is 0 are not looked at, whatever they hold."""
        base = stack.base if self.origin == "base" else None
        merged = np.zeros(stack.values.shape[1:], stack.values.dtype) if base is None else base.copy()
        for member in np.flatnonzero(found):
            values = stack.values[member] if base is None else stack.values[member] - base
            merged += values * values.dtype.type(found[member])
        return merged


def gram(pieces: Iterable[Stack], origin: str, members: int) -> np.ndarray:
    """G [members, members] of a tensor that comes in pieces [members, ...]."""
    total = np.zeros((members, members))
    for stack in pieces:
        values = stack.values.reshape(len(stack.values), -1).astype(np.float64)
        if origin == "base" and stack.base is not None:
            values -= stack.base.reshape(-1)
        elif origin == "median":
            values -= np.median(values, axis=0)
        with np.errstate(invalid="ignore", over="ignore"):  # said by `read`, with the tensor's name
            total += values @ values.T
    return total


def distances(gram: np.ndarray) -> np.ndarray:
    """Distances [members, members] of the points with these inner products."""
    norms = np.diag(gram)
    return np.sqrt(np.maximum(norms[:, None] + norms - 2 * gram, 0.0))


def check_equal(weights: np.ndarray, name: str) -> None:
    """That all weights are equal, where a method counts heads. Raises `BadInput`."""
    if np.ptp(weights) > 1e-9:
        raise BadInput(f"weights are not equal, and {name} counts each model once: leave weights out")
