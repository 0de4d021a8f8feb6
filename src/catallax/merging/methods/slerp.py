"""SLERP: two models along the great circle between their directions, w = (1 - t, t).

    theta = sin((1 - t) omega) / sin(omega) theta_1 + sin(t omega) / sin(omega) theta_2,    omega = angle(theta_1, theta_2)

Norms are not made equal first: they change along the way as well. Where the angle is 0, or so near to pi that no circle is
the nearest one (always so for tensors of one element that differ in sign), and for tensors of zeros: (1 - t) theta_1 + t theta_2.

Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985.
"""

import dataclasses
import math
from typing import ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.combination import Combination

OPPOSITE = 1e-6  # of sin omega: below, both coefficients would be large and of opposite sign


@dataclasses.dataclass(frozen=True)
class Slerp(Combination):
    """`scope`: an angle for each tensor ("tensor"), or one for the whole "model". The weights are (1 - t, t)."""

    name: ClassVar[str] = "slerp"
    paper: ClassVar[str] = "Shoemake 1985, Animating rotation with quaternion curves"
    leave: ClassVar[str | None] = "of two models the other is what is left"

    def coefficients(self, gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Both sines over that of the whole angle."""
        if len(weights) != 2:
            raise BadInput(
                f"slerp lies between two models, and {len(weights)} are given: give two, or merge by another way"
            )
        lengths = math.sqrt(gram[0, 0] * gram[1, 1])
        if not lengths:
            return weights
        omega = math.acos(float(np.clip(gram[0, 1] / lengths, -1.0, 1.0)))
        if not omega or (omega > 1 and math.sin(omega) < OPPOSITE):
            return weights
        return np.sin(weights * omega) / math.sin(omega)
