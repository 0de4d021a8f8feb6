"""Quantile pools: traders are averaged along the axis of outcomes, not of probabilities (Vincent 1912).

    Q(q) = lean + sum_m w_m mean_m + z(q) sum_m u_m scale_m,    w_m, u_m >= 0

is the q-quantile of the price, z that of the standard t. With u = w it is the average of the members' quantiles; u by itself
lets the price be surer than they are, whose errors cancel. Weights are fitted to the pinball loss at all quantiles at once,

    2 int_0^1 rho_q(y - Q(q)) dq = CRPS(y)   (Gneiting and Raftery 2007),

which is closed for t densities (Jordan, Krueger and Lerch 2019) and convex in (w, u, lean). Unlike a log pool's, weights need
not sum to one: members that shrink too much are made bolder.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import beta

from catallax.ensembles.rules.believe import Belief
from catallax.ensembles.rules.bounded import Objective, Told, lowest
from catallax.ensembles.rules.density import Array, Density, cdf_t, log_t
from catallax.ensembles.rules.pool import Pool, parts


@dataclass(frozen=True)
class Quantile(Pool):
    """`weight` (w), `width` (u) [members]; `lean`; `excess` in units of outcomes a row."""

    weight: Array
    width: Array
    lean: float
    excess: float = 0.0
    theta: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    def price(self, belief: Belief) -> Density:
        """One part."""
        place = self.lean + belief.mean @ self.weight
        return Density(np.ones(1), place[:, None], (belief.scale @ self.width)[:, None], np.array([belief.dof]))

    def pulls(self, belief: Belief) -> tuple[Array, Array]:
        """The weights, on all rows."""
        rows = len(belief.mean)
        return np.broadcast_to(self.weight, (rows, len(self.weight))), np.full(rows, self.lean)

    def shares(self) -> Array:
        """By weight of means."""
        return parts(self.weight)

    def without(self, member: int) -> "Quantile":
        """The others are averaged as they stand, with the sum of weights that there was."""
        return Quantile(_without(self.weight, member), _without(self.width, member), self.lean)


def _without(weight: Array, member: int) -> Array:
    others = np.arange(len(weight)) != member
    left = np.where(others, weight, 0.0)
    if left.sum() <= 0:
        left = others.astype(float)
    return left * (weight.sum() / left.sum()) if left.sum() > 0 else weight


def quantile(told: Told, dof: float, ridge: float, *, cap: float | None = None, start: Array | None = None) -> Quantile:
    """The weights of least CRPS, each pulled to 1/members by ridge * members, and lean (to 0, by one)."""
    members = told.mean.shape[1]
    centre = np.r_[np.full(2 * members, 1 / members), 0.0]
    pull = np.r_[np.full(2 * members, ridge * members), 1.0]
    over = None if cap is None else np.c_[np.eye(members) - cap, np.zeros((members, members + 1))]
    found = lowest(
        objective(told, dof, centre, pull),
        centre if start is None else start,
        np.r_[np.zeros(2 * members), -np.inf],
        over=over,
        inside=centre,
    )
    weight, width, lean = np.split(found.theta, [members, 2 * members])
    return Quantile(weight, width, float(lean[0]), found.excess, found.theta)


def crps(z: Array, dof: float) -> Array:
    """Of the standard t (inf: Gaussian) at z."""
    if np.isinf(dof):
        return z * (2 * cdf_t(z, dof) - 1) + 2 * np.exp(log_t(z, dof)) - np.pi**-0.5
    least = 2 * np.sqrt(dof) / (dof - 1) * beta(0.5, dof - 0.5) / beta(dof / 2, 0.5) ** 2
    return z * (2 * cdf_t(z, dof) - 1) + 2 * np.exp(log_t(z, dof)) * (dof + z * z) / (dof - 1) - least


def objective(told: Told, dof: float, centre: Array, pull: Array) -> Objective:
    """Mean CRPS plus the ridge, by theta = (w, u, lean)."""
    rows, members = told.mean.shape
    total = told.weight.sum()
    place = np.c_[told.mean, np.zeros((rows, members)), np.ones(rows)]
    wide = np.c_[np.zeros((rows, members)), told.scale, np.zeros(rows)]
    weight, pull = told.weight / total, pull / total

    def at(theta: Array) -> tuple[float, Array, Array]:
        scale, apart = wide @ theta, theta - centre
        if not (scale > 0).all():
            return np.inf, theta, np.eye(len(theta))
        z = (told.y - place @ theta) / scale
        slope, loss = 2 * cdf_t(z, dof) - 1, crps(z, dof)
        value = float(weight @ (scale * loss)) + float(pull @ apart**2) / 2
        gradient = (weight * (loss - z * slope)) @ wide - (weight * slope) @ place + pull * apart
        lever = place + z[:, None] * wide
        bend = weight * 2 * np.exp(log_t(z, dof)) / scale
        return value, gradient, (lever * bend[:, None]).T @ lever + np.diag(pull)

    return at
