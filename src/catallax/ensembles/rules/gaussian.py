"""Log pools of Gaussians: CARA traders and a market maker with a logarithmic scoring rule, on a continuum of outcomes.

Trader m, of risk tolerance tau_m, believes y ~ N(mean_m, scale_m^2); the maker opens at exp(lean y - depth y^2 / 2). Nobody
wishes to trade any more at

    c(y) ~ exp(lean y - depth y^2/2) prod_m N(y; mean_m, scale_m)^tau_m:   Gaussian, with
    precision  P = depth + sum_m tau_m / scale_m^2,     mean  h/P,   h = lean + sum_m tau_m mean_m / scale_m^2.

Tolerances >= 0, depth >= 0 and lean are fitted by maximum likelihood, tau pulled to 1/members by a ridge. P and h are linear
in them and - log c is convex in (P, h): the loss is convex. Heavy tails: all precisions are multiplied by one number that
nobody knows, a Gamma variable of mean one (a wild day, a calm day). Given it the pool is as above, and its mean does not
depend on it: the price is t_v(y; h/P, P^-1/2), and an outlier pulls on tolerances by less the further off it is.
"""

from dataclasses import dataclass, field

import numpy as np

from catallax.ensembles.rules.believe import Belief
from catallax.ensembles.rules.bounded import Objective, Told, lowest
from catallax.ensembles.rules.density import Array, Density
from catallax.ensembles.rules.pool import Pool, parts


@dataclass(frozen=True)
class Gaussian(Pool):
    """`tolerance` [members]; `depth`, `lean` of the maker; `dof` of the price (inf: Gaussian); `typical` [members]: mean
    precision of each; `excess` in nats a row."""

    tolerance: Array
    depth: float
    lean: float
    dof: float
    typical: Array
    excess: float = 0.0
    theta: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    def _precisions(self, belief: Belief) -> tuple[Array, Array]:
        each = self.tolerance / belief.scale**2
        total = self.depth + each.sum(1)
        return each, np.where(total > 0, total, 1.0)  # nobody trades: as wide as outcomes are

    def price(self, belief: Belief) -> Density:
        """One part."""
        each, total = self._precisions(belief)
        place = (self.lean + (each * belief.mean).sum(1)) / total
        return Density(np.ones(1), place[:, None], total[:, None] ** -0.5, np.array([self.dof]))

    def pulls(self, belief: Belief) -> tuple[Array, Array]:
        """By precision."""
        each, total = self._precisions(belief)
        return each / total[:, None], self.lean / total

    def shares(self) -> Array:
        """By precision, on the rows that were learnt from."""
        return parts(self.tolerance * self.typical)

    def without(self, member: int) -> "Gaussian":
        """The others want what they wanted; the price is less sure."""
        left = np.where(np.arange(len(self.tolerance)) == member, 0.0, self.tolerance)
        return Gaussian(left, self.depth, self.lean, self.dof, self.typical)


def gaussian(
    told: Told, ridge: float, *, dof: float = np.inf, cap: float | None = None, start: Array | None = None
) -> Gaussian:
    """The likeliest tolerances (pulled to 1/members by ridge * members), depth and lean (to 0, by one). Weights in rows."""
    members = told.mean.shape[1]
    precision = told.scale**-2.0
    typical = told.weight @ precision / told.weight.sum()
    centre = np.r_[np.full(members, 1 / members), 0.0, 0.0]
    pull = np.r_[np.full(members, ridge * members), 1.0, 1.0]
    part = typical / typical.mean()
    over = None if cap is None else np.c_[np.diag(part) - cap * part, np.zeros((members, 2))]
    found = lowest(
        objective(told, dof, centre, pull),
        centre if start is None else start,
        np.r_[np.zeros(members + 1), -np.inf],
        over=over,
        inside=np.r_[1 / (members * part), 0.0, 0.0],
    )
    return Gaussian(
        found.theta[:members],
        float(found.theta[members]),
        float(found.theta[members + 1]),
        dof,
        typical,
        found.excess,
        found.theta,
    )


def objective(told: Told, dof: float, centre: Array, pull: Array) -> Objective:
    """Mean - log price plus the ridge, by theta = (tolerances, depth, lean); constants are left out."""
    rows, total = len(told.y), told.weight.sum()
    precision = told.scale**-2.0
    sure = np.c_[precision, np.ones(rows), np.zeros(rows)]
    sums = np.c_[precision * told.mean, np.zeros(rows), np.ones(rows)]
    weight, pull = told.weight / total, pull / total

    def at(theta: Array) -> tuple[float, Array, Array]:
        p, apart = sure @ theta, theta - centre
        if not (p > 0).all():
            return np.inf, theta, np.eye(len(theta))
        mean = (sums @ theta) / p
        square = p * (told.y - mean) ** 2
        if np.isinf(dof):
            loss, slope, bend = square / 2, np.full(rows, 0.5), np.zeros(rows)
        else:
            loss = (dof + 1) / 2 * np.log1p(square / dof)
            slope, bend = (dof + 1) / (2 * (dof + square)), -(dof + 1) / (2 * (dof + square) ** 2)
        by_p, by_h = told.y**2 - mean**2, 2 * (mean - told.y)  # derivatives of the square
        value = float(weight @ (loss - 0.5 * np.log(p))) + float(pull @ apart**2) / 2
        gradient = (weight * (slope * by_p - 0.5 / p)) @ sure + (weight * slope * by_h) @ sums + pull * apart
        pp = slope * 2 * mean**2 / p + bend * by_p**2 + 0.5 / p**2
        ph = -slope * 2 * mean / p + bend * by_p * by_h
        hh = slope * 2 / p + bend * by_h**2
        cross = (sure * (weight * ph)[:, None]).T @ sums
        curvature = (sure * (weight * pp)[:, None]).T @ sure + (sums * (weight * hh)[:, None]).T @ sums
        return value, gradient, curvature + cross + cross.T + np.diag(pull)

    return at
