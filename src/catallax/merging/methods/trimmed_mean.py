"""Trimmed mean: element by element, without the lowest and the highest `trim` of the weight.

    theta = 1 / (1 - 2 trim) * integral from trim to 1 - trim of Q(u) du,     Q: the quantiles of theta_i with weights w_i

With equal weights and trim n whole, trim n members go at either end, as in the paper; otherwise a member at the edge counts
in part. trim = 0 is the linear merge. Members with at most `trim` of the weight in all cannot move it beyond the others'
range.

Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018, arXiv:1803.01498.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.method import Method, Stack


@dataclasses.dataclass(frozen=True)
class TrimmedMean(Method):
    """`trim`: the share of the weight that is left out at either end, in [0, 1/2)."""

    trim: float = 0.2
    name: ClassVar[str] = "trimmed-mean"
    paper: ClassVar[str] = "Yin et al. 2018, Byzantine-Robust Distributed Learning, arXiv:1803.01498"
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.trim < 0.5:
            raise BadInput(f"trim is {self.trim:g}: the share left out at either end lies in [0, 1/2)")

    def combine(self, stack: Stack) -> np.ndarray:
        """The mean of what is left, by shares of each rank: members without a share are not multiplied, only passed over."""
        values, weights = stack.values, stack.weights
        if np.ptp(weights) <= 1e-9:
            values.sort(axis=0)
            return ranked_mean(values, shares(np.arange(1, len(values) + 1) / len(values), self.trim))
        order = np.argsort(values, axis=0, kind="stable")
        below = np.cumsum(weights[order], axis=0)
        below[-1] = 1.0
        return ranked_mean(np.take_along_axis(values, order, axis=0), shares(below, self.trim))


def shares(below: np.ndarray, trim: float) -> np.ndarray:
    """Of each rank in the mean: `below` [members, ...] is the weight up to and with it."""
    inside = np.clip(below, trim, 1 - trim)
    inside[1:] -= inside[:-1].copy()
    inside[0] -= trim
    inside[inside < 1e-12] = 0.0
    return inside / (1 - 2 * trim)


def ranked_mean(ranked: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Their sum over ranks, `share` one a rank or one an element."""
    total = np.zeros(ranked.shape[1:], ranked.dtype)
    for values, part in zip(ranked, share, strict=True):
        part = np.asarray(part, ranked.dtype)
        if part.any():
            total += np.where(part > 0, values, 0) * part
    return total
