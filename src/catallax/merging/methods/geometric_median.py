"""Geometric median: the model with the least sum of distances to all,   min_x f(x) = sum_i w_i |theta_i - x|.

It lies in the span of the models, so all that is worked out comes of their inner products (`Combination`). Either a model
is optimal itself, theta_k, which is so exactly where

    |sum_{i: theta_i != theta_k} w_i (theta_k - theta_i) / |theta_k - theta_i||  <=  the weight that lies at theta_k,

or Weiszfeld's steps x <- sum_i (w_i / d_i) theta_i / sum_i (w_i / d_i), d_i = |theta_i - x|, lead to it from beside the best of
the models (Vardi and Zhang). `Certificate`: with the gradient r at x,  f(x) - min f <= |r| max_i d_i, as the optimum lies among
the models. It is the robust aggregation of federated learning: the honest hold it wherever they have more than half of the
weight.

Pillutla, Kakade and Harchaoui, Robust Aggregation for Federated Learning, IEEE TSP 2022, arXiv:1912.13445; Vardi and Zhang,
The multivariate L1-median and associated data depth, PNAS 97(4), 2000.
"""

import dataclasses
from typing import ClassVar, NamedTuple

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.combination import Combination


class Certificate(NamedTuple):
    """How good it is: `gap`, the most that f is above its least, as a share of f; the norm of the `gradient`; `steps`."""

    gap: float
    gradient: float
    steps: int


@dataclasses.dataclass(frozen=True)
class GeometricMedian(Combination):
    """`scope`: distances of whole models ("model") or one median a "tensor"; `tolerance`: of the gap, as a share of f;
    `steps`: at most."""

    origin: ClassVar[str] = "median"
    scope: str = "model"
    tolerance: float = 1e-9
    steps: int = 10_000
    name: ClassVar[str] = "geometric-median"
    paper: ClassVar[str] = "Pillutla et al. 2022, Robust Aggregation for Federated Learning, arXiv:1912.13445"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tolerance > 0 or self.steps < 1:
            raise BadInput(
                f"tolerance is {self.tolerance:g}, steps {self.steps}: give a number above 0, and 1 step or more"
            )

    def coefficients(self, gram: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Those of the median, sum 1."""
        return weiszfeld(places(gram), weights, self.tolerance, self.steps)[0]


def places(gram: np.ndarray) -> np.ndarray:
    """Points [members, members] with these inner products, each to about 1e-7 of its own length (G knows squares to 1e-16)."""
    norms = np.sqrt(np.maximum(np.diag(gram), 0.0))
    scale = np.where(norms > 0, norms, 1.0)
    values, vectors = np.linalg.eigh(gram / np.outer(scale, scale))
    return scale[:, None] * vectors * np.sqrt(np.where(values > 1e-14 * len(gram), values, 0.0))


def weiszfeld(
    points: np.ndarray, weights: np.ndarray, tolerance: float = 1e-9, steps: int = 10_000
) -> tuple[np.ndarray, Certificate]:
    """Coefficients [members], sum 1, of the geometric median of points [members, axes], and their certificate."""
    between = np.linalg.norm(points[:, None] - points, axis=-1)
    best = int(np.argmin(between @ weights))  # if any of the points is optimal, then the best of them
    here = between[best] <= 1e-12 * between.max(initial=0.0)
    pull = np.divide(weights, between[best], out=np.zeros_like(weights), where=~here)
    slope = float(np.linalg.norm(pull @ (points - points[best])))
    excess = slope - weights[here].sum()
    if excess <= 0:
        return np.where(here, weights, 0.0) / weights[here].sum(), Certificate(0.0, 0.0, 0)
    start = excess / slope * pull / pull.sum()  # the step of Vardi and Zhang away from a point
    start[best] += 1 - excess / slope
    return descend(points, weights, start, tolerance, steps)


def descend(
    points: np.ndarray, weights: np.ndarray, coefficients: np.ndarray, tolerance: float, steps: int
) -> tuple[np.ndarray, Certificate]:
    """Weiszfeld's steps until the gap is below the tolerance."""
    certificate = Certificate(np.inf, np.inf, 0)
    for step in range(steps + 1):
        shifts = coefficients @ points - points
        apart = np.maximum(np.linalg.norm(shifts, axis=1), 1e-300)
        gradient = float(np.linalg.norm((weights / apart) @ shifts))
        certificate = Certificate(float(gradient * apart.max() / (weights @ apart)), gradient, step)
        if certificate.gap <= tolerance or step == steps:
            break
        coefficients = weights / apart / (weights / apart).sum()
    return coefficients, certificate
