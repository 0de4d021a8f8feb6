"""Log pools: traders with exponential utility (CARA) and a market maker with a logarithmic scoring rule (LMSR).

    price c ~ exp(b + sum_m tau_m log p_m),    tau_m >= 0

is the price after all have placed the orders tau_m log p_m, in units of the maker's depth, softmax(b) being the maker's
opening price (Hanson 2003). Where tolerances sum to less than one it is also where nobody wishes to trade any more: traders
of risk tolerance tau_m / (1 - sum tau) depths, prior softmax(b / (1 - sum tau)) (Storkey 2011; tests/ensembles/test_is_a_market.py
trades it out). Above one the orders extremise: nobody would place them who took the price for news. Tolerances are fitted by
maximum likelihood, pulled to 1/members (everyone alike) by a ridge: a copy of a member that joins must not double its vote.
The loss is convex.

`Amended` (an index and amendments) opens at the price of a linear pool: the linear pool's price is one more trader, of
tolerance near one, and the ridge pulls to it alone.
"""

from dataclasses import dataclass, field

import numpy as np

from catallax.ensembles.offers import Array, Offers, Receipt, softmax
from catallax.ensembles.rules.cap import within
from catallax.ensembles.rules.linear import Linear, em
from catallax.ensembles.rules.newton import Fit, Prior, Rule, Scores, fit
from catallax.ensembles.rules.price import Price
from catallax.ensembles.rules.way import receipt


@dataclass(frozen=True)
class Exponential(Price):
    """A price of tolerance-weighted log beliefs.

    `tolerance` [members]; `bias` [outcomes], the log opening price; `index`: a linear pool that trades too, with
    tolerance `depth`; `excess` in nats a row.
    """

    tolerance: Array
    bias: Array
    index: Linear | None = None
    depth: float = 0.0
    excess: float = 0.0
    theta: Array = field(default_factory=lambda: np.zeros(0), repr=False)  # where a fit of nearly the same may start

    def scores(self, belief: Array) -> Array:
        """[rows, members, outcomes] -> log price up to a constant, [rows, outcomes]."""
        score = self.bias + np.einsum("m,nmk->nk", self.tolerance, np.log(belief))
        return score if self.index is None else score + self.depth * np.log(self.index.price(belief))

    def price(self, belief: Array) -> Array:
        """[rows, members, outcomes] -> [rows, outcomes]."""
        return softmax(self.scores(belief))

    def shares(self) -> Array:
        """Each member's part in all tolerance, [members], summing to one (all alike where nobody trades)."""
        total = self.tolerance.sum() + self.depth
        if total <= 0:
            return np.full(len(self.tolerance), 1 / len(self.tolerance))
        own = self.tolerance / total
        return own if self.index is None else own + self.depth / total * self.index.wealth

    def without(self, member: int) -> "Exponential":
        """The same market, one member silent; the others want what they wanted."""
        left = np.where(np.arange(len(self.tolerance)) == member, 0.0, self.tolerance)
        index = None if self.index is None else self.index.without(member)
        return Exponential(left, self.bias, index, self.depth)

    def orders(self, belief: Array) -> Array:
        """Claims that each holds at rest, [rows, members, outcomes], up to a constant over outcomes.

        The index buys for its members, by their wealth in it: each has its part of what the index moves.
        """
        held = self.tolerance[:, None] * np.log(belief)
        if self.index is None:
            return held
        wanted = self.depth * np.log(self.index.price(belief))
        return held + self.index.wealth[:, None] * wanted[:, None]

    def receipt(self, belief: Array) -> Receipt:
        """All trade little by little from the opening: claims are bought at a constant rate."""
        held = self.orders(belief)
        total = held.sum(1)
        return receipt(lambda time: self.bias + time * total, lambda time: held)


def exponential(
    offers: Offers, ridge: float, *, bias: bool, cap: float | None = None, start: Array | None = None
) -> Exponential:
    """The most likely tolerances (>= 0), pulled to 1/members with `ridge` * members, and opening price."""
    _, members, outcomes = offers.shape
    free = outcomes if bias else 0
    prior = Prior(
        np.r_[np.full(members, 1 / members), np.zeros(free)],
        np.r_[np.full(members, ridge * members), np.ones(free)],
        np.r_[np.zeros(members), np.full(free, -np.inf)],
        np.full(members + free, np.inf),
    )
    found = _fit(offers.log, offers, prior, bias, start, cap, np.eye(members))
    return Exponential(
        found.theta[:members],
        found.theta[members:] if bias else np.zeros(outcomes),
        excess=found.excess,
        theta=found.theta,
    )


def amended(
    offers: Offers, ridge: float, *, index: Linear | None = None, cap: float | None = None, start: Array | None = None
) -> Exponential:
    """A linear pool opens, members amend: pulled to the linear pool alone."""
    _, members, outcomes = offers.shape
    index = em(offers, cap) if index is None else index
    prior = Prior(
        np.r_[np.zeros(members), 1.0, np.zeros(outcomes)],
        np.r_[np.full(members, ridge * members), min(ridge, 10.0), np.ones(outcomes)],
        np.r_[np.zeros(members + 1), np.full(outcomes, -np.inf)],
        np.full(members + 1 + outcomes, np.inf),
    )
    log = np.concatenate([offers.log, np.log(index.price(offers.belief)).T[..., None]], 2)
    found = _fit(log, offers, prior, True, start, cap, np.c_[np.eye(members), index.wealth])
    tolerance, depth, bias = np.split(found.theta, [members, members + 1])
    return Exponential(tolerance, bias, index, float(depth[0]), found.excess, found.theta)


def _fit(
    log: Array, offers: Offers, prior: Prior, bias: bool, start: Array | None, cap: float | None, parts: Array
) -> Fit:
    """Fits scores that are linear in theta = (tolerances, bias). `parts` [members, tolerances]: whose a tolerance is."""
    rule = _linear(log, bias)
    found = fit(rule, offers, prior, prior.centre if start is None else start)
    if cap is None:
        return found
    over = np.zeros((len(parts), len(prior.centre)))
    over[:, : parts.shape[1]] = parts - cap
    return within(rule, offers, prior, found, lambda theta: (over @ theta, over))


def _linear(log: Array, bias: bool) -> Rule:
    """Scores and their (constant) Jacobian: log beliefs, and ones for the opening price."""
    outcomes, rows, traders = log.shape
    jacobian = log.reshape(outcomes * rows, traders)
    if bias:
        jacobian = np.hstack([jacobian, np.repeat(np.eye(outcomes), rows, axis=0)])
    return lambda theta: Scores((jacobian @ theta).reshape(outcomes, rows), jacobian)
