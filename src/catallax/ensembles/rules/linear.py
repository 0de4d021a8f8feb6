"""Linear pools: log-utility (Kelly) traders who bet all they have, row by row, at pari-mutuel odds.

    price c = sum_m w_m p_m,   sum_m w_m = 1;    wealth after outcome y:  w_m p_m(y) / c(y)   (total conserved)

* Kelly: wealth after all rows, w_m ~ prod_i p_m(y_i): the posterior of a Bayes mixture (Beygelzimer, Langford and
  Pennock 2012). It comes down to the best single member.
* Fractional Kelly: only a share of the wealth is bet, w_m <- w_m (1 - f + f p_m(y)/c(y)), row after row.
* EM: the wealth at which constant betting is at rest, w_m = w_m mean_i p_m(y_i)/c(y_i) (Barbu and Lay 2012): the maximum
  likelihood of mixture weights (Dempster, Laird and Rubin 1977) and the log-optimal portfolio (Cover 1984). It is at
  rest where nobody makes a profit: mean p_m/c <= 1, = 1 where w_m > 0.

A cap on wealth keeps each step exact: the M-step over {w <= cap, sum w = 1} is w = min(cap, s g) with one s.
"""

from dataclasses import dataclass

import numpy as np

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


def em(offers: Offers, cap: float | None = None, *, tolerance: float = 1e-8, rounds: int = 5000) -> Linear:
    """Wealth at rest: nobody makes a profit. Two steps of betting, then one along their difference (SQUAREM; Varadhan
    and Roland 2008) where that is no loss."""
    hits, weight = offers.hits, offers.weight / offers.weight.sum()
    wealth = capped(np.full(hits.shape[1], 1 / hits.shape[1]), cap)
    excess = np.inf
    for _ in range(rounds):
        profit = _profit(hits, weight, wealth)
        excess = _possible(profit, cap) - float(profit @ wealth)
        if excess <= tolerance:
            break
        one = capped(wealth * profit, cap)
        two = capped(one * _profit(hits, weight, one), cap)
        wealth = _further(hits, weight, wealth, one, two, cap)
    return Linear(wealth, excess)


def _profit(hits: Array, weight: Array, wealth: Array) -> Array:
    """What a unit of wealth earns: mean p_m(y)/c(y), [members]; the gradient of the mean log price."""
    return (weight / (hits @ wealth)) @ hits


def _possible(profit: Array, cap: float | None) -> float:
    """The most that one unit of wealth could earn, spread as the cap allows: bounds the loss (concavity)."""
    if cap is None:
        return float(profit.max())
    best = np.sort(profit)[::-1]
    part = np.clip(1 - cap * np.arange(len(best)), 0, cap)
    return float(best @ part)


def _further(hits: Array, weight: Array, start: Array, one: Array, two: Array, cap: float | None) -> Array:
    """The SQUAREM step from three states in a row, or the third where it would lose."""
    first, second = one - start, two - 2 * one + start
    bend = float(np.linalg.norm(second))
    if bend < 1e-15:
        return two
    ahead = min(-float(np.linalg.norm(first)) / bend, -1.0)
    trial = np.maximum(start - 2 * ahead * first + ahead**2 * second, 0.01 * two)  # who has nothing never trades again
    trial = capped(trial, cap)
    trial = capped(trial * _profit(hits, weight, trial), cap)
    return trial if _mean_log(hits, weight, trial) >= _mean_log(hits, weight, two) else two


def _mean_log(hits: Array, weight: Array, wealth: Array) -> float:
    return float(weight @ np.log(hits @ wealth))


def capped(wealth: Array, cap: float | None) -> Array:
    """min(cap, s wealth), summing to one: what is above the cap goes to the others as they stand. [members]."""
    wealth = wealth / wealth.sum()
    if cap is None or wealth.max() <= cap:
        return wealth
    if cap * len(wealth) <= 1 + 1e-12:
        return np.full(len(wealth), 1 / len(wealth))
    full = np.zeros(len(wealth), bool)
    while True:
        rest = wealth[~full].sum()
        left = 1 - cap * full.sum()
        scaled = wealth * (left / rest) if rest > 0 else np.full(len(wealth), left / (~full).sum())
        over = ~full & (scaled > cap)
        if not over.any():
            return np.where(full, cap, scaled)
        full |= over
