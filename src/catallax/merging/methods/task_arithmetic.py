"""Task arithmetic: what each model learnt beyond the base, added up.

    theta = base + lambda sum_i n w_i delta_i

With equal weights w_i = 1 / n: base + lambda sum_i delta_i, the paper's sum; lambda = 1 / n gives the mean of the models.
A negative lambda forgets.

Ilharco et al., Editing Models with Task Arithmetic, ICLR 2023, arXiv:2212.04089.
"""

import dataclasses
import math
from typing import ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.method import Method, Stack


@dataclasses.dataclass(frozen=True)
class TaskArithmetic(Method):
    """`scale`: the paper's lambda."""

    scale: float = 0.3
    name: ClassVar[str] = "task-arithmetic"
    paper: ClassVar[str] = "Ilharco et al. 2023, Editing Models with Task Arithmetic, arXiv:2212.04089"
    needs_base: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True
    leave: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        check_scale(self.scale)

    def combine(self, stack: Stack) -> np.ndarray:
        """The base and the sum."""
        total = added(stack.deltas, stack.weights, self.scale)
        return total if stack.base is None else total + stack.base

    def without(
        self, name: str, merged: np.ndarray, member: np.ndarray, base: np.ndarray | None, weights: np.ndarray, gone: int
    ) -> np.ndarray:
        """The merge of the others at the same lambda, from the merge of all and the one that leaves."""
        delta = member if base is None else member - base
        return merged - self.scale * len(weights) * weights[gone] * delta


def added(deltas: np.ndarray, weights: np.ndarray, scale: float) -> np.ndarray:
    """scale sum_i n w_i delta_i, in the deltas' own memory."""
    factors = (scale * len(weights) * weights).astype(deltas.dtype)
    total = np.multiply(deltas[0], factors[0], out=deltas[0])
    for delta, factor in zip(deltas[1:], factors[1:], strict=True):
        total += np.multiply(delta, factor, out=delta)
    return total


def check_scale(scale: float) -> None:
    """That it is a number. Raises `BadInput`."""
    if not math.isfinite(scale):
        raise BadInput(f"scale is {scale:g}: give a number, the factor of what is added to the base")
