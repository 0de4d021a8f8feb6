"""Linear pools: log-utility (Kelly) traders who bet all they have, row by row, at pari-mutuel odds.

    price c = sum_m w_m p_m,   sum_m w_m = 1;    wealth after outcome y:  w_m p_m(y) / c(y)   (total conserved)

* Kelly: wealth after all rows, w_m ~ prod_i p_m(y_i): the posterior of a Bayes mixture (Beygelzimer, Langford and
  Pennock 2012). It comes down to the best single member.
* Fractional Kelly: only a share of the wealth is bet, w_m <- w_m (1 - f + f p_m(y)/c(y)), row after row.
* EM: the wealth at which constant betting is at rest, w_m = w_m mean_i p_m(y_i)/c(y_i) (Barbu and Lay 2012): the maximum
  likelihood of mixture weights (Dempster, Laird and Rubin 1977) and the log-optimal portfolio (Cover 1984). It is at
  rest where nobody makes a profit: mean p_m/c <= 1, = 1 where w_m > 0.

The arithmetic of betting is `collective.market.wealth`'s: people and models trade by one rule.
"""

from dataclasses import dataclass

import numpy as np

from catallax.collective.market.wealth import capped, log_optimal
from catallax.ensembles.offers import Array, Offers, Receipt
from catallax.ensembles.rules.price import Price


@dataclass(frozen=True)
class Linear(Price):
    """A price of wealth-weighted beliefs. `wealth` [members], summing to one; `excess` in nats a row."""

    wealth: Array
    excess: float = 0.0

    def price(self, belief: Array) -> Array:
        """[rows, members, outcomes] -> [rows, outcomes]."""
        return np.einsum("m,nmk->nk", self.wealth, belief)

    def shares(self) -> Array:
        """Each member's part in the price, [members], summing to one."""
        return self.wealth

    def without(self, member: int) -> "Linear":
        """The same market, one member silent; the others have the wealth that they had."""
        rest = np.where(np.arange(len(self.wealth)) == member, 0.0, self.wealth)
        left = rest.sum()
        return Linear(rest / left if left > 0 else _even(len(rest), member))

    def receipt(self, belief: Array) -> Receipt:
        """Everyone stakes w_m p_mk on k; the pot goes to those who staked on what comes."""
        price = self.price(belief)
        opening = np.full_like(price, 1 / price.shape[1])
        moved = self.wealth[:, None] * (belief - opening[:, None])
        profit = self.wealth[:, None] * (belief / price[:, None] - 1)
        return Receipt(opening, price, moved, profit, -profit.sum(1))


def _even(members: int, silent: int) -> Array:
    """Nobody else had any wealth: all others alike."""
    return np.where(np.arange(members) == silent, 0.0, 1 / max(members - 1, 1))


def alike(offers: Offers) -> Linear:
    """Everyone with the same wealth: the soft vote."""
    return Linear(np.full(offers.shape[1], 1 / offers.shape[1]))


def kelly(offers: Offers, cap: float | None = None) -> Linear:
    """Wealth after all rows, everyone betting everything."""
    gained = offers.weight @ np.log(offers.hits)
    wealth = np.exp(gained - gained.max())
    return Linear(capped(wealth / wealth.sum(), cap))


def fractional(offers: Offers, cap: float | None = None, fraction: float = 0.1) -> Linear:
    """Wealth after all rows in the order given, everyone betting `fraction` of what they have; its mean over the way.

    The mean forgets less than the last state does, and depends less on which rows came last.
    """
    hits, wealth = offers.hits, np.full(offers.shape[1], 1 / offers.shape[1])
    mean = np.zeros_like(wealth)
    for hit, weight in zip(hits, offers.weight):
        wealth = wealth * (1 - fraction + fraction * hit / (wealth @ hit)) ** weight
        wealth /= wealth.sum()
        mean += weight * wealth
    return Linear(capped(mean / mean.sum(), cap))


def em(offers: Offers, cap: float | None = None, *, tolerance: float = 1e-8, rounds: int = 10_000) -> Linear:
    """Wealth at rest: nobody makes a profit."""
    found = log_optimal(offers.hits, offers.weight, cap=cap, tolerance=tolerance, rounds=rounds)
    return Linear(found.weight, found.gap)
