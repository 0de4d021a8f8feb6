"""A pool: a rule that has been fitted and makes one price, on a continuum of outcomes, of what traders believe.

In all of them the mean of the price is linear in the members' means,

    mean(x) = maker(x) + sum_m pull_m(x) mean_m(x),

so that, told from an opening price of mean o, what each moved is pull_m (mean_m - o): all say what the opening says, and
go to what they believe at one rate. Outcomes are in standard units, in which the opening price has the mean 0.
"""

import abc

import numpy as np

from catallax.ensembles.rules.believe import Belief
from catallax.ensembles.rules.density import Array, Density


class Pool(abc.ABC):
    """What beliefs [rows, members] come to on the market."""

    @abc.abstractmethod
    def price(self, belief: Belief) -> Density:
        """The density that claims on outcomes cost."""

    @abc.abstractmethod
    def pulls(self, belief: Belief) -> tuple[Array, Array]:
        """How the mean of the price follows each member's, [rows, members], and what the maker adds, [rows]."""

    @abc.abstractmethod
    def shares(self) -> Array:
        """Each member's part in what moves the price, [members], summing to one."""

    @abc.abstractmethod
    def without(self, member: int) -> "Pool":
        """The same market, one member silent; the others do what they did."""

    def profit(self, belief: Belief, y: Array) -> Array:
        """What each wins from the others if y [rows] comes, [rows, members], summing to zero.

        Each stakes its share and is paid by how much better its log score is than everyone's (Lambert et al. 2008).
        """
        score, share = belief.log(y), self.shares()
        return share * (score - (score @ share)[:, None])


def parts(amount: Array) -> Array:
    """Amounts [members] >= 0 as shares; all alike where nobody has any."""
    total = amount.sum()
    return amount / total if total > 0 else np.full(len(amount), 1 / len(amount))
