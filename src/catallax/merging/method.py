"""What a way of merging is: models' tensors of one name in, one tensor out.

A merge of models theta_1..theta_n with weights w (w >= 0, sum 1, capped before any method sees them) goes through the
tensors one by one. For each, a method gets the members' values stacked, and the base's where there is one:

    theta = combine(theta_1..theta_n; base, w)

Most methods speak of deltas ("task vectors"), delta_i = theta_i - base:   theta = base + f(delta_1..delta_n; w).

A method is a frozen dataclass whose fields are its settings; `prepare` may read all models once, by streaming, and return
the method with what it found (distances, Gram matrices). Only tensors of floats come to a method.

Ilharco et al., Editing Models with Task Arithmetic, ICLR 2023, arXiv:2212.04089.
"""

import abc
import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from catallax.core.errors import BadInput
from catallax.io.checkpoints import Model

CACHE = 1 << 18  # elements of all work arrays of a piece: 1 MiB of float32


class Stack(NamedTuple):
    """The tensors of one name.

    `values`: the members', a work array in float32 (float64 where they are float64), which a method may overwrite; `base`: the
    base's, the same type, or None; `weights`: of members, float64, sum 1; `key`: of draws, see `key_of`. Where a method is
    `elementwise`, `values` are flat pieces of the tensors, which begin at element `start`.
    """

    name: str
    values: Float[np.ndarray, "members ..."]
    base: Float[np.ndarray, "..."] | None
    weights: Float[np.ndarray, " members"]
    key: int
    start: int = 0

    @property
    def deltas(self) -> np.ndarray:
        """The members' values less the base's, in place: `values` are no more. Without a base, the values."""
        return self.values if self.base is None else np.subtract(self.values, self.base, out=self.values)


class Stored(NamedTuple):
    """The tensors of one name as they are stored, of whatever types of float, not to be written to."""

    name: str
    members: Sequence[np.ndarray]
    base: np.ndarray | None
    weights: np.ndarray
    key: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of each of them; (1,) where it is a single number."""
        return self.members[0].shape or (1,)

    @property
    def work(self) -> np.dtype:
        """The type to compute in."""
        arrays = [*self.members, *([] if self.base is None else [self.base])]
        return np.dtype(np.float64 if any(x.dtype == np.float64 for x in arrays) else np.float32)

    @property
    def piece(self) -> int:
        """Elements of a piece whose work arrays stay in the processor's cache."""
        return max(1 << 12, CACHE // (len(self.members) + 2))

    def whole(self) -> Stack:
        """All of them, as work arrays of the tensor's shape."""
        values = np.empty((len(self.members), *self.shape), self.work)
        for k, member in enumerate(self.members):
            values[k] = member
        base = None if self.base is None else self.base.astype(self.work).reshape(self.shape)
        return Stack(self.name, values, base, self.weights, self.key)

    def pieces(self) -> Iterator[Stack]:
        """Piece after piece in flat order; the work arrays are the same ones each time."""
        flat, size = [x.reshape(-1) for x in self.members], math.prod(self.shape)
        below = None if self.base is None else self.base.reshape(-1)
        step, count = min(self.piece, size), len(flat)
        room, below_room = np.empty(count * step, self.work), np.empty(step, self.work)
        for start in range(0, size, step):
            stop = min(start + step, size)
            values, base = room[: count * (stop - start)].reshape(count, -1), None  # contiguous, the last one too
            for k, x in enumerate(flat):
                values[k] = x[start:stop]
            if below is not None:
                base = below_room[: stop - start]
                base[:] = below[start:stop]
            yield Stack(self.name, values, base, self.weights, self.key, start)


@dataclasses.dataclass(frozen=True)
class Method(abc.ABC):
    """A way of merging; settings are fields, checked when it is made (`BadInput`)."""

    name: ClassVar[str]
    paper: ClassVar[str]
    needs_base: ClassVar[bool] = False
    leave: ClassVar[str | None] = (
        "it is no sum of which one's part could be taken away"  # why nobody can; None: see `without`
    )
    carries: ClassVar[bool] = False  # NaN or Inf in what it reads always makes the result no number
    elementwise: ClassVar[bool] = False  # an element comes of the same one of members and base, and of its place

    def prepare(self, models: Sequence[Model], base: Model | None, weights: np.ndarray) -> "Method":
        """The method after a look at whole models, tensor by tensor; by default itself."""
        return self

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """Who has how much of the influence, [members], sum 1, once prepared: the weights, but of a method that picks."""
        return weights

    @abc.abstractmethod
    def combine(self, stack: Stack) -> np.ndarray:
        """The merged values, of the shape of one member's and of any float type; flat pieces where `elementwise`."""

    def without(
        self, name: str, merged: np.ndarray, member: np.ndarray, base: np.ndarray | None, weights: np.ndarray, gone: int
    ) -> np.ndarray:
        """The merge of the others, from a merge of all and the member number `gone`: where `leave` is None."""
        raise NotImplementedError

    def merge(self, stored: Stored, write: Callable[[np.ndarray], Any]) -> None:
        """Hands the merged tensor to `write`, in flat order and in as many pieces as it likes."""
        if self.elementwise:
            for stack in stored.pieces():
                write(self.combine(stack))
        else:
            write(self.combine(stored.whole()))


@dataclasses.dataclass(frozen=True)
class Own(Method):
    """A user's function of (deltas [members, ...], weights [members]) -> delta; without a base, of the values themselves."""

    function: Callable[[np.ndarray, np.ndarray], Any]
    name: ClassVar[str] = "own"
    paper: ClassVar[str] = ""

    def combine(self, stack: Stack) -> np.ndarray:
        """The base and what the function makes of the deltas."""
        shape = stack.values.shape[1:]
        found = np.asarray(self.function(stack.deltas, stack.weights))
        if found.shape != shape:
            raise BadInput(
                f"your function of deltas returns the shape {list(found.shape)} for {stack.name}, where the tensor has "
                f"{list(shape)}: return one delta"
            )
        return found if stack.base is None else found + stack.base


def key_of(name: str, seed: int) -> int:
    """A 63-bit seed for draws in the tensor `name`, whatever the order of tensors: the head of a sha256."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "little") >> 1
