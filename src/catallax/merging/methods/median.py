"""Coordinate median:   theta = argmin_x sum_i w_i |theta_i - x|,   element by element.

Where a whole interval is optimal (half of the weight lies to either side), its midpoint: with equal weights that is the
usual median. It stays within the range of the honest members wherever these hold more than half of the weight.

Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018, arXiv:1803.01498.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from catallax.merging.method import Method, Stack

EXACT = 1e-9  # of weights: sums of shares that are meant to be a half are so up to rounding


@dataclasses.dataclass(frozen=True)
class Median(Method):
    """The weighted median of each element."""

    name: ClassVar[str] = "median"
    paper: ClassVar[str] = "Yin et al. 2018, Byzantine-Robust Distributed Learning, arXiv:1803.01498"
    elementwise: ClassVar[bool] = True

    def combine(self, stack: Stack) -> np.ndarray:
        """The middle of the members' values."""
        values, weights = stack.values, stack.weights
        if np.ptp(weights) <= EXACT:
            values.sort(axis=0)
            low, high = values[(len(values) - 1) // 2], values[len(values) // 2]
        else:
            low, high = middle(values, weights)
        return low + (high - low) / 2 if low is not high else low


def middle(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both ends [...] of the interval of weighted medians of values [members, ...]."""
    order = np.argsort(values, axis=0, kind="stable")
    below = np.cumsum(weights[order], axis=0)
    ranked = np.take_along_axis(values, order, axis=0)
    ends = [(below > 0.5 + shift).argmax(axis=0)[None] for shift in (-EXACT, EXACT)]
    low, high = (np.take_along_axis(ranked, end, axis=0)[0] for end in ends)
    return low, high
