"""Isoelastic pools: traders with utility W^(1 - 1/alpha) / (1 - 1/alpha), between the two other pools.

    price c ~ exp(b) (sum_m w_m p_m^alpha)^(t/alpha),    w_m > 0

alpha = 1 is the linear pool, alpha -> 0 the log pool (Storkey, Millin and Geras 2012). `t` extremises, softmax(b) is the
opening price. Log wealth is fitted by maximum likelihood, pulled to everyone alike. The loss is not convex.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from catallax.ensembles.offers import Array, Offers, Receipt, softmax
from catallax.ensembles.rules.cap import within
from catallax.ensembles.rules.newton import Prior, Rule, Scores, fit
from catallax.ensembles.rules.price import Price
from catallax.ensembles.rules.way import receipt


@dataclass(frozen=True)
class Isoelastic(Price):
    """`wealth` [members], summing to one; `alpha`; `extreme` (t); `bias` [outcomes]; `excess` in nats a row."""

    wealth: Array
    alpha: float
    extreme: float
    bias: Array
    excess: float = 0.0
    theta: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    def price(self, belief: Array) -> Array:
        """[rows, members, outcomes] -> [rows, outcomes]."""
        pool = np.einsum("m,nmk->nk", self.wealth, belief**self.alpha)
        return softmax(self.bias + self.extreme / self.alpha * np.log(pool))

    def shares(self) -> Array:
        """Each member's part of the wealth, [members], summing to one."""
        return self.wealth

    def without(self, member: int) -> "Isoelastic":
        """The same market, one member silent; the others have the wealth that they had."""
        rest = np.where(np.arange(len(self.wealth)) == member, 0.0, self.wealth)
        if rest.sum() <= 0:
            rest = np.where(np.arange(len(self.wealth)) == member, 0.0, 1.0)
        return Isoelastic(rest / rest.sum(), self.alpha, self.extreme, self.bias)

    def receipt(self, belief: Array) -> Receipt:
        """All come from knowing nothing to their beliefs at once: p^alpha goes from (1/outcomes)^alpha, in a line."""
        blank = belief.shape[2] ** -self.alpha
        steps = self.wealth[:, None] * (belief**self.alpha - blank)
        total, strength = steps.sum(1), self.extreme / self.alpha
        return receipt(
            lambda time: self.bias + strength * np.log(blank + time * total),
            lambda time: strength * steps / (blank + time * total)[:, None],
        )


def isoelastic(
    offers: Offers, alpha: float, *, cap: float | None = None, start: Array | None = None, ridge: float = 1.0
) -> Isoelastic:
    """The most likely log wealth [members], log extremising exponent and log opening price [outcomes], in this order."""
    _, members, outcomes = offers.shape
    prior = Prior(
        np.zeros(members + 1 + outcomes),
        np.r_[np.full(members, ridge), 1e-3, np.ones(outcomes)],
        np.r_[np.full(members, -8.0), -3.0, np.full(outcomes, -np.inf)],
        np.r_[np.full(members, 8.0), 3.0, np.full(outcomes, np.inf)],
    )
    rule = _rule(offers, alpha)
    found = fit(rule, offers, prior, prior.centre if start is None else start)
    if cap is not None:
        found = within(rule, offers, prior, found, _over(members, cap))
    wealth = softmax(found.theta[:members])
    bias = found.theta[members + 1 :]
    return Isoelastic(wealth, alpha, float(np.exp(found.theta[members])), bias, found.excess, found.theta)


def _rule(offers: Offers, alpha: float) -> Rule:
    """Scores by log wealth x, log exponent and bias: s = e / alpha log sum exp(x) p^alpha + b, e the exponent."""
    rows, members, outcomes = offers.shape
    powers = np.exp(alpha * offers.log)

    def at(theta: Array) -> Scores:
        strength = np.exp(theta[members]) / alpha
        parts = powers * np.exp(theta[:members])
        pool = parts.sum(2)
        parts /= pool[..., None]
        score = strength * np.log(pool)
        jacobian = np.zeros((outcomes, rows, members + 1 + outcomes))
        jacobian[:, :, :members] = strength * parts
        jacobian[:, :, members] = score
        for outcome in range(outcomes):
            jacobian[outcome, :, members + 1 + outcome] = 1

        def bend(error: Array) -> Array:
            matrix = np.zeros((len(theta), len(theta)))
            flat, each = parts.reshape(-1, members), error.reshape(-1, 1)
            first = strength * (flat * each).sum(0)
            matrix[:members, :members] = np.diag(first) - strength * (flat * each).T @ flat
            matrix[members, :members] = matrix[:members, members] = first
            matrix[members, members] = (error * score).sum()
            return matrix

        return Scores(score + theta[members + 1 :, None], jacobian.reshape(outcomes * rows, -1), bend)

    return at


def _over(members: int, cap: float) -> Callable[[Array], tuple[Array, Array]]:
    """Wealth above the cap, and its Jacobian by theta."""

    def over(theta: Array) -> tuple[Array, Array]:
        wealth = softmax(theta[:members])
        jacobian = np.zeros((members, len(theta)))
        jacobian[:, :members] = np.diag(wealth) - np.outer(wealth, wealth)
        return wealth - cap, jacobian

    return over
