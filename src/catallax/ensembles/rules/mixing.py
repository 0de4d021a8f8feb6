"""Linear pools on a continuum of outcomes: traders bet all they have on densities, at pari-mutuel odds.

    price  c(y) = sum_m w_m p_m(y);    wealth after y:  w_m p_m(y) / c(y)

The wealth is that of `linear`, densities in place of probabilities: at rest where nobody makes a profit ("em": a mixture's
likeliest weights), or after all rows ("kelly"). The price is wider than its members where they disagree.
"""

from dataclasses import dataclass

import numpy as np

from catallax.ensembles.offers import Offers, softmax
from catallax.ensembles.rules import linear
from catallax.ensembles.rules.believe import Belief
from catallax.ensembles.rules.bounded import Told
from catallax.ensembles.rules.density import Array, Density
from catallax.ensembles.rules.pool import Pool


@dataclass(frozen=True)
class Mixing(Pool):
    """`wealth` [members], summing to one; `excess` in nats a row."""

    wealth: Array
    excess: float = 0.0

    def price(self, belief: Belief) -> Density:
        """A part for each member."""
        return Density(self.wealth, belief.mean, belief.scale, np.full(len(self.wealth), belief.dof))

    def pulls(self, belief: Belief) -> tuple[Array, Array]:
        """Wealth, on all rows."""
        return np.broadcast_to(self.wealth, belief.mean.shape), np.zeros(len(belief.mean))

    def shares(self) -> Array:
        """Of wealth."""
        return self.wealth

    def without(self, member: int) -> "Mixing":
        """The others have the wealth that they had."""
        return Mixing(linear.Linear(self.wealth).without(member).wealth)

    def profit(self, belief: Belief, y: Array) -> Array:
        """The pot goes to those who staked on what came."""
        return self.wealth * np.expm1(belief.log(y) - self.price(belief).log(y)[:, None])


def em(told: Told, dof: float, *, cap: float | None = None) -> Mixing:
    """Nobody makes a profit."""
    log = Belief(told.mean, told.scale, dof).log(told.y)
    hits = np.maximum(np.exp(log - log.max(1, keepdims=True)), 1e-300)  # a row's scale is nobody's profit
    found = linear.em(Offers(hits[..., None], np.zeros(len(hits), int), told.weight), cap, tolerance=1e-10)
    return Mixing(found.wealth, found.excess)


def kelly(told: Told, dof: float, *, cap: float | None = None) -> Mixing:
    """What is left after all rows: the posterior of a Bayes mixture."""
    return Mixing(linear.capped(softmax(told.weight @ Belief(told.mean, told.scale, dof).log(told.y)), cap))
