"""How far from optimal at most: the duality gap of each sample, whoever made its code.

    P(a) = |x - aD|^2 / 2 + penalty |a|_1            D(s) = s x.r - s^2 |r|^2 / 2,   r = x - aD

s r is a feasible dual point where |d.s r| <= penalty for every atom d (d.s r <= penalty, where codes may not be
negative): a price for each feature of what is still unexplained at which no further atom pays. Then D <= P* <= P, and the
gap is (P - D) / P. Of all multiples of the residual the best is s = min(x.r / |r|^2, penalty / max |d.r|); of all residuals
met on the way, the best bound. All is recomputed in float64.

J. Mairal, Sparse coding for machine learning, image processing and computer vision, 2010, appendix D.
"""

from typing import NamedTuple

import numpy as np

from catallax.networks.sparse.atoms import Operator

Array = np.ndarray


class Bounds(NamedTuple):
    """What a code costs and the least that any code can cost, each [samples]."""

    cost: Array
    least: Array

    @property
    def gap(self) -> Array:
        """(P - D) / P, [samples]: at least 0, and 0 where the cost is."""
        return relative(self.cost, self.least)


def relative(cost: Array, least: Array) -> Array:
    """(cost - least) / cost, 0 where the cost is 0 (a blank sample)."""
    return np.maximum(cost - least, 0) / np.where(cost > 0, cost, 1)


def bounds(X: Array, codes: Array, atoms: Operator, penalty: float, positive: bool = False) -> Bounds:
    """The cost of codes [samples, atoms] of X [samples, features], and a bound on the least."""
    X, codes = X.astype(np.float64, copy=False), codes.astype(np.float64, copy=False)
    residual = X - atoms.explain(codes)
    size, along = (residual**2).sum(1), (X * residual).sum(1)
    scale = feasible(along, size, loudest(residual, atoms, positive), penalty)
    cost = size / 2 + penalty * np.abs(codes).sum(1)
    return Bounds(cost, scale * along - scale**2 * size / 2)


def price(X: Array, codes: Array, atoms: Operator, penalty: float, positive: bool = False) -> Array:
    """The dual point of codes, [samples, features]: the residual, scaled so that no atom pays more than the penalty."""
    residual = X.astype(np.float64, copy=False) - atoms.explain(codes.astype(np.float64, copy=False))
    size, along = (residual**2).sum(1), (X * residual).sum(1)
    return feasible(along, size, loudest(residual, atoms, positive), penalty)[:, None] * residual


def loudest(residual: Array, atoms: Operator, positive: bool) -> Array:
    """The largest match of any atom with each residual, [samples]."""
    match = atoms.match(residual)
    return match.max(1) if positive else np.maximum(match.max(1), -match.min(1))


def feasible(along: Array, size: Array, loudest: Array, penalty: float) -> Array:
    """The best s >= 0, [samples]: `along` = x.r, `size` = |r|^2, `loudest` = max d.r."""
    tiny = np.finfo(np.float64).tiny
    return np.maximum(np.minimum(along / np.maximum(size, tiny), penalty / np.maximum(loudest, tiny)), 0)
