"""Linear merge, a "soup":   theta = sum_i w_i theta_i.

Wortsman et al., Model soups, ICML 2022, arXiv:2203.05482.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from catallax.merging.method import Method, Stack


@dataclasses.dataclass(frozen=True)
class Linear(Method):
    """The weighted mean of the members; a base has no part in it."""

    name: ClassVar[str] = "linear"
    paper: ClassVar[str] = "Wortsman et al. 2022, Model soups, arXiv:2203.05482"
    elementwise: ClassVar[bool] = True
    carries: ClassVar[bool] = True
    leave: ClassVar[str | None] = None

    def combine(self, stack: Stack) -> np.ndarray:
        """The sum, in the members' own memory."""
        values, weights = stack.values, stack.weights.astype(stack.values.dtype)
        total = np.multiply(values[0], weights[0], out=values[0])
        for member, weight in zip(values[1:], weights[1:]):
            total += np.multiply(member, weight, out=member)
        return total

    def without(
        self, name: str, merged: np.ndarray, member: np.ndarray, base: np.ndarray | None, weights: np.ndarray, gone: int
    ) -> np.ndarray:
        """The mean less one's part, of the weight that is left."""
        return (merged - weights[gone] * member) / (1 - weights[gone])
