"""What traders demand, in float64 and to all digits: the judge of bundles, apart from what agents carry (`economy.utility`).

Traders i = 1..n, goods j = 1..m, prices p [money per unit], tastes a_ij >= 0, elasticities of substitution s_i >= 0:

    u_i(x) = (sum_j a_ij x_ij^r)^(1/r), r = (s_i - 1) / s_i
    s_i = 1: prod_j x_ij^a_ij, tastes made to sum to 1
    s_i = 0: min over a_ij > 0 of x_ij / a_ij, by definition
    s_i = infinite: sum_j a_ij x_ij, by definition; what is bought is then a set, not a bundle

u is homogeneous: level u costs u c_i(p), c_i(p) = (sum_j a_ij^s p_j^(1-s))^(1/(1-s)), spent in shares f_ij(p)
whatever u (c_i(p) = min_j p_j / a_ij where s is infinite). Both u and c are power means of weights a; they are taken in
logarithms, shifted so that nothing overflows, and through log1p and expm1 where the order is near 0 and digits would be
lost. (Where tastes do not sum to 1, u itself leaves float64 as s_i -> 1: scale them.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput, Refused

Floats = NDArray[np.float64]

LOWEST = -575.0  # log of the least price, relative to the highest: below it quantities would overflow
ROUNDING = 1e-15  # relative error of a float64, with a margin
BLOCK = 65_536  # taste entries worked on at a time: they stay in the cache


class Traders:
    """Tastes and elasticities of n traders over m goods; what they want at given prices.

    `taste`: [n, m], >= 0, some positive in each row. `elasticity`: [n], >= 0, infinite for linear wants. Raises
    `BadInput` otherwise. A price below 1e-250 times the highest, or zero, is read as that: demand stays a number.
    """

    def __init__(self, taste: ArrayLike, elasticity: ArrayLike) -> None:
        shape = np.shape(taste)
        if len(shape) != 2 or 0 in shape:
            raise BadInput(f"taste has shape {shape}: give [traders, goods], at least one of each.")
        self.taste = check("taste", taste, shape)
        given = np.asarray(elasticity, np.float64)
        self.linear = np.isposinf(given)
        check("elasticity", np.where(self.linear, 0.0, given), shape[:1])
        self.elasticity = given
        idle = np.flatnonzero(~(self.taste > 0).any(axis=1))
        if idle.size:
            raise BadInput(f"taste[{idle[0]}] is all zero: let every trader want some good.")

    def utility(self, bundle: ArrayLike) -> Floats:
        """Utility [n] of `bundle` [n, m] >= 0, units of the goods."""
        return exp(self.log_utility(bundle))

    def log_utility(self, bundle: ArrayLike) -> Floats:
        """Its logarithm [n]: -inf for none."""
        goods = check("bundle", bundle, self.taste.shape)
        out = np.empty(len(goods))
        for rows in self.blocks():
            out[rows] = self._log_utility(rows, goods[rows])
        return out

    def demand(self, price: ArrayLike, income: ArrayLike) -> Floats:
        """The best bundle [n, m] that `income` [n] buys at `price` [m] (Marshall).

        Raises `Refused` for linear wants, to which many bundles may be the best.
        """
        if self.linear.any():
            raise Refused(
                "linear wants have no demand to speak of: at a tie of prices any of several bundles is the best"
            )
        money = check("income", income, self.elasticity.shape)
        log_price, out = self._log_price(price), np.empty_like(self.taste)
        for rows in self.blocks():
            share = self.costs(rows, log_price)[1]
            out[rows] = money[rows, None] * share / np.exp(log_price)
        return out

    def expenditure(self, price: ArrayLike, level: ArrayLike) -> Floats:
        """The least money [n] that buys utility `level` [n] at `price` [m]."""
        log_level = log(check("level", level, self.elasticity.shape))
        log_price, out = self._log_price(price), np.empty_like(log_level)
        for rows in self.blocks():
            out[rows] = log_level[rows] + self.costs(rows, log_price)[0]
        return exp(out)

    def hicksian(self, price: ArrayLike, level: ArrayLike) -> Floats:
        """The cheapest bundle [n, m] of utility `level` [n] at `price` [m] (Hicks): d `expenditure` / dp."""
        return self.demand(price, self.expenditure(price, level))

    @cached_property
    def weight(self) -> Floats:
        """Tastes that sum to one, [n, m]."""
        return self.taste / self.taste.sum(axis=1, keepdims=True)

    @cached_property
    def _log_weight(self) -> Floats:
        """log [n, m] of what prices are divided by before their power mean is a cost."""
        wanted, leontief = self.weight > 0, self.elasticity == 0
        order = np.where(self.linear, 0.0, self.elasticity - 1)
        logs = np.log(self.weight, out=left_out(order, wanted.shape), where=wanted)
        logs[leontief[:, None] & wanted] = 0.0  # c = sum a p, a mean of the prices themselves
        return logs

    @cached_property
    def log_unit(self) -> Floats:
        """log of (utility with the tastes given / with tastes that sum to one), [n]."""
        total, elasticity = np.log(self.taste.sum(axis=1)), self.elasticity
        apart = (elasticity != 1) & ~self.linear & (np.abs(total) > ROUNDING * self.taste.shape[1])
        power = np.divide(elasticity, elasticity - 1, out=np.zeros_like(elasticity), where=apart)
        return np.where(elasticity == 0, -total, np.where(self.linear, total, power * total))

    def blocks(self) -> Iterator[slice]:
        n, m = self.taste.shape
        length = max(1, BLOCK // m)
        return (slice(start, start + length) for start in range(0, n, length))

    def _log_price(self, price: ArrayLike) -> Floats:
        given = check("price", price, self.taste.shape[1:])
        if not given.any():
            raise BadInput("price is all zero: give at least one good a positive price.")
        logs = log(given)
        return np.maximum(logs, logs.max() + LOWEST)

    def costs(self, rows: slice, log_price: Floats) -> tuple[Floats, Floats]:
        """(log c_i [rows], spending shares [rows, m]; NaN for linear wants) at the log prices [m]."""
        relative, linear = log_price - self._log_weight[rows], self.linear[rows]
        log_mean, share = power_mean(self.weight[rows], relative, np.where(linear, 0.0, 1 - self.elasticity[rows]))
        log_cost = log_mean - self.log_unit[rows]
        log_cost[linear] = np.min(log_price - log(self.taste[rows][linear]), axis=1, initial=np.inf)
        share[linear] = np.nan
        return log_cost, share

    def _log_utility(self, rows: slice, goods: Floats) -> Floats:
        """log u_i [rows] of the bundles [rows, m]; -inf for none."""
        weight, elasticity = self.weight[rows], self.elasticity[rows]
        wanted, some = weight > 0, goods > 0
        leontief = elasticity == 0
        order = 1 - np.divide(1, elasticity, out=np.ones_like(elasticity), where=~leontief)
        log_goods = np.log(goods, out=left_out(order, goods.shape), where=wanted & some)
        log_mean = power_mean(weight, log_goods, order)[0]
        if leontief.any():
            ratio = np.divide(goods, weight, out=np.full_like(goods, np.inf), where=wanted)[leontief]
            log_mean[leontief] = log(ratio.min(axis=1))
        lacking = (wanted & ~some).any(axis=1) & (order <= 0)  # goods that cannot be done without
        return np.where(lacking, -np.inf, log_mean + self.log_unit[rows])


def power_mean(weight: Floats, log_value: Floats, order: Floats) -> tuple[Floats, Floats]:
    """log (sum_j w_j v_j^order)^(1/order) [n], and each term's share of the sum [n, m]; 0 is geometric.

    Entries are left out by order x log v = -inf, or for order 0 by weight 0 (`left_out`).
    """
    power = order[:, None] * log_value
    highest = power.max(axis=1, keepdims=True)
    highest[np.isneginf(highest)] = 0.0  # all left out
    power -= highest
    term = np.exp(power) * weight
    total = term.sum(axis=1)
    log_total = log(total)
    near = np.flatnonzero((np.abs(order) < 0.1) & (total > 0.5))  # total is near 1, and its log loses its digits
    log_total[near] = np.log1p((weight[near] * np.expm1(power[near])).sum(axis=1))
    geometric = order == 0
    log_mean = np.divide(log_total + highest[:, 0], order, out=np.zeros_like(order), where=~geometric)
    log_mean[geometric] = (weight[geometric] * log_value[geometric]).sum(axis=1)
    term /= np.maximum(total, np.finfo(float).tiny)[:, None]
    return log_mean, term


def left_out(order: Floats, shape: tuple[int, int]) -> Floats:
    """Logs [n, m] of values that add nothing to a power mean of `order` [n]."""
    logs = np.where(order == 0, 0.0, np.where(order > 0, -np.inf, np.inf))
    return np.broadcast_to(logs[:, None], shape).copy()


def check(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """The array in float64. BadInput for another shape, or a number that is negative or not finite."""
    array = np.asarray(values, np.float64)
    if array.shape != shape:
        raise BadInput(f"{name} has shape {array.shape}: give {list(shape)}.")
    if not (array.min() >= 0 and array.max() < np.inf):
        place = np.argwhere(~((array >= 0) & (array < np.inf)))[0].tolist()
        raise BadInput(f"{name}{place} is {array[tuple(place)]}: give finite numbers of at least zero.")
    return array


def log(values: Floats) -> Floats:
    """Logarithms, -inf of 0."""
    return np.log(values, out=np.full_like(values, -np.inf), where=values > 0)


def exp(logs: Floats) -> Floats:
    """Exponentials."""
    with np.errstate(over="ignore"):  # what float64 cannot hold is infinite, and says so
        return np.exp(logs)
