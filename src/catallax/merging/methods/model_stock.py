"""Model stock: how far from the base the mean of fine-tuned models should lie, told by the angle between them.

    theta = t mean_i theta_i + (1 - t) base,     t = n cos / (1 + (n - 1) cos)

cos: the mean cosine of the angles between pairs of deltas, at least 0 here (t in [0, 1]). It is the point nearest to the
centre of the fine-tunes where these lie at one distance from it, at right angles to the base and to each other.

Jang, Yun and Han, Model Stock: All we need is just a few fine-tuned models, ECCV 2024, arXiv:2403.19522, equation 2 and
appendix.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.combination import Combination, check_equal


@dataclasses.dataclass(frozen=True)
class ModelStock(Combination):
    """`scope`: one t for each "tensor" (the paper's) or one for the "model". Weights have to be equal."""

    origin: ClassVar[str] = "base"
    name: ClassVar[str] = "model-stock"
    paper: ClassVar[str] = "Jang et al. 2024, Model Stock, arXiv:2403.19522"
    needs_base: ClassVar[bool] = True

    def coefficients(self, gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """t / n each. A delta of zeros is at right angles to all others."""
        count = len(weights)
        check_equal(weights, self.name)
        if count < 2:
            raise BadInput("model-stock goes by the angle between models, and one is given: give two or more")
        lengths = np.sqrt(np.diag(gram))
        pairs = np.divide(
            gram, np.outer(lengths, lengths), out=np.zeros_like(gram), where=np.outer(lengths, lengths) > 0
        )
        cosine = float(np.clip((pairs.sum() - np.trace(pairs)) / (count * (count - 1)), 0.0, 1.0))
        return np.full(count, cosine / (1 + (count - 1) * cosine))
