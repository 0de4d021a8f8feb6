"""Krum: the model with the nearest neighbours, or the mean of the best few (multi-Krum).

    score_i = sum of |theta_i - theta_j|^2 over the n - f - 2 models j nearest to i;   theta = mean of the `kept` least scores

f: how many models may be at fault, n >= 2 f + 3. Of equal scores the first model wins. Distances are of whole models.

Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017, arXiv:1703.02757.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.combination import Combination, check_equal, distances


@dataclasses.dataclass(frozen=True)
class Krum(Combination):
    """`faults`: f, None for the most that n models bear, (n - 3) / 2; `kept`: how many models the result is the mean of;
    `scope`: "model" or "tensor". Weights have to be equal."""

    origin: ClassVar[str] = "median"
    scope: str = "model"
    faults: int | None = None
    kept: int = 1
    name: ClassVar[str] = "krum"
    paper: ClassVar[str] = "Blanchard et al. 2017, Machine Learning with Adversaries, arXiv:1703.02757"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.faults is not None and self.faults < 0:
            raise BadInput(f"faults is {self.faults}: give how many models may be at fault, 0 or more")
        if self.kept < 1:
            raise BadInput(f"kept is {self.kept}: the result is the mean of at least 1 model")

    def coefficients(self, gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """1 / kept for those with the least scores."""
        count = len(weights)
        check_equal(weights, self.name)
        faults = max(0, (count - 3) // 2) if self.faults is None else self.faults
        if count < 2 * faults + 3:
            raise BadInput(f"krum bears {faults} faults among {2 * faults + 3} models or more, and {count} are given")
        if self.kept > count - faults:
            raise BadInput(
                f"kept is {self.kept}: of {count} models with {faults} at fault keep at most {count - faults}"
            )
        best = np.argsort(scores(gram, faults), kind="stable")[: self.kept]
        return np.isin(np.arange(count), best) / self.kept


def scores(gram: np.ndarray, faults: int) -> np.ndarray:
    """Of each model, [members]: less is better."""
    squares = distances(gram) ** 2
    np.fill_diagonal(squares, np.inf)
    return np.sort(squares, axis=1)[:, : len(gram) - faults - 2].sum(axis=1)
