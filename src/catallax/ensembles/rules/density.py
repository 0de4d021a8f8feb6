"""Prices on a continuum of outcomes: mixtures of Student's t densities, Gaussians among them.

    c(y) = sum_j w_j t_v(y; place_j, scale_j),    v = inf: Gaussian

A log pool of Gaussians is one part, a quantile pool too, a linear pool has a part for each trader, a market of funds has
the parts of all. Units: those of the places. A t density is a Gaussian whose precision is uncertain, scaled by a Gamma
variable of mean one: an outlier costs a trader the logarithm of its distance, not the square.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, ndtr, ndtri, stdtr, stdtrit

Array = np.ndarray


def _by_shape(plain: Callable[[Array], Array], heavy: Callable[[Array, Any], Array], at: Array, dof: Any) -> Array:
    """`plain`(at) where degrees of freedom (one number, or [parts] along the last axis) are inf, else `heavy`(at, dof)."""
    if np.ndim(dof) == 0:
        return plain(at) if np.isinf(dof) else heavy(at, dof)
    found, finite = plain(at), np.isfinite(dof)
    found[..., finite] = heavy(at[..., finite], dof[finite])
    return found


def _log_heavy(z: Array, v: Any) -> Array:
    return gammaln((v + 1) / 2) - gammaln(v / 2) - 0.5 * np.log(v * np.pi) - (v + 1) / 2 * np.log1p(z * z / v)


def log_t(z: Array, dof: Any) -> Array:
    """Log density of the standard t with `dof` degrees of freedom (inf: Gaussian) at z."""
    return _by_shape(lambda x: -0.5 * x * x - 0.5 * np.log(2 * np.pi), _log_heavy, z, dof)


def cdf_t(z: Array, dof: Any) -> Array:
    """Probability below z."""
    return _by_shape(ndtr, lambda x, v: stdtr(v, x), z, dof)


def quantile_t(level: Array, dof: Any) -> Array:
    """Where the standard t has `level` below it."""
    return _by_shape(ndtri, lambda x, v: stdtrit(v, x), level, dof)


@dataclass(frozen=True)
class Density:
    """`weight` [parts], summing to one; `place`, `scale` [rows, parts]; `dof` [parts], above 2 (inf: Gaussian)."""

    weight: Array
    place: Array
    scale: Array
    dof: Array

    def mean(self) -> Array:
        """[rows]."""
        return self.place @ self.weight

    def std(self) -> Array:
        """Standard deviation, [rows]."""
        heavy = np.where(np.isinf(self.dof), 1.0, self.dof / np.where(np.isinf(self.dof), 1.0, self.dof - 2))
        apart = self.place - self.mean()[:, None]
        return np.sqrt((heavy * self.scale**2 + apart**2) @ self.weight)

    def log(self, y: Array) -> Array:
        """Log density at y [rows], [rows]."""
        held = self.weight > 0
        z = (y[:, None] - self.place[:, held]) / self.scale[:, held]
        each = log_t(z, self.dof[held]) - np.log(self.scale[:, held]) + np.log(self.weight[held])
        top = each.max(1, keepdims=True)
        return top[:, 0] + np.log(np.exp(each - top).sum(1))

    def below(self, y: Array) -> Array:
        """Probability of less than y [rows, ...], [rows, ...]."""
        across = (slice(None),) + (None,) * (np.ndim(y) - 1)
        z = (y[..., None] - self.place[across]) / self.scale[across]
        return cdf_t(z, self.dof) @ self.weight

    def quantiles(self, levels: Array) -> Array:
        """Where each level [levels] in (0, 1) has that probability below it, [rows, levels], to rounding."""
        held = self.weight > 1e-15
        weight, dof, place, scale = (
            self.weight[held],
            self.dof[held],
            self.place[:, None, held],
            self.scale[:, None, held],
        )
        each = place + scale * quantile_t(np.repeat(levels[:, None], len(dof), 1), dof)
        low, high, at = each.min(2), each.max(2), each @ weight
        for _ in range(80 if len(dof) > 1 else 0):
            z = (at[..., None] - place) / scale
            off = cdf_t(z, dof) @ weight - levels
            low, high = np.where(off < 0, at, low), np.where(off < 0, high, at)
            there = at - off / np.maximum((np.exp(log_t(z, dof)) / scale) @ weight, 1e-300)
            there = np.where((there > low) & (there < high), there, (low + high) / 2)
            if (np.abs(there - at) <= 1e-12 * (1 + np.abs(at))).all():
                break
            at = there
        return at

    def moved(self, centre: float, unit: float) -> "Density":
        """The density of centre + unit y, `unit` > 0."""
        return Density(self.weight, centre + unit * self.place, unit * self.scale, self.dof)
