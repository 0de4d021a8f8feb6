"""What traders believe about a number: their prediction, and a spread learnt from how far off they were out of fold.

    trader m believes   y ~ t_v(mean_m(x), f_m spread_m(x))

`spread` is one, or what the member itself says of its doubt (`predict(X, return_std=True)`); the factor f_m is the most
likely one. v, the same for all, is the likeliest of `SHAPES` for all members together: one outlier cannot ruin a trader
where outliers are to be expected. No scale is below `floor`: who is sure of a number is ruined by the next.
"""

from typing import NamedTuple

import numpy as np

from catallax.ensembles.rules.density import Array, log_t

SHAPES = (3.0, 4.0, 6.0, 10.0, 30.0, np.inf)  # degrees of freedom; all have a variance


class Belief(NamedTuple):
    """`mean`, `scale` [rows, members]; `dof` of all."""

    mean: Array
    scale: Array
    dof: float

    def log(self, y: Array) -> Array:
        """Log density that each gave to y [rows], [rows, members]."""
        return log_t((y[:, None] - self.mean) / self.scale, self.dof) - np.log(self.scale)


class Said(NamedTuple):
    """What members said and what came: `mean`, `spread` [rows, members]; `y`, `weight` [rows], weights positive."""

    mean: Array
    spread: Array
    y: Array
    weight: Array

    def take(self, rows: Array) -> "Said":
        """These rows (bool or indices) alone."""
        return Said(*(part[rows] for part in self))


class Calibration(NamedTuple):
    """`factor` [members] of each one's spread; `dof`; `floor`: the least scale."""

    factor: Array
    dof: float
    floor: float

    def belief(self, mean: Array, spread: Array) -> Belief:
        """[rows, members] each."""
        return Belief(mean, np.maximum(self.factor * spread, self.floor), self.dof)


def calibrate(said: Said, floor: float) -> Calibration:
    """The likeliest factors, and the likeliest shape."""
    z = np.abs(said.y[:, None] - said.mean) / said.spread
    every = [Calibration(factors(z, said.weight, dof), dof, floor) for dof in SHAPES]
    worth = [float((said.weight @ each.belief(said.mean, said.spread).log(said.y)).sum()) for each in every]
    return every[int(np.argmax(worth))]


def factors(z: Array, weight: Array, dof: float) -> Array:
    """The likeliest scale of each column of |z| [rows, members] under t: where sum w (v + 1) z^2 / (v f^2 + z^2) = sum w.

    The left side falls in f, and f <= max z: bisection, on a logarithmic scale, to rounding.
    """
    square, total = z * z, weight.sum()
    if np.isinf(dof):
        return np.sqrt(weight @ square / total)
    high = np.log(np.maximum(z.max(0), 1e-300))
    low = high - 40
    for _ in range(60):
        middle = (low + high) / 2
        pull = weight @ ((dof + 1) * square / (dof * np.exp(2 * middle) + square + 1e-300))
        low, high = np.where(pull > total, middle, low), np.where(pull > total, high, middle)
    return np.exp((low + high) / 2)
