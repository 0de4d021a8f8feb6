"""Homogeneous exchange in float64: what traders demand, and two convex programmes that judge any outcome.

Traders i = 1..n, goods j = 1..m, prices p [money per unit], tastes a_ij >= 0, elasticities of substitution
s_i >= 0:

    u_i(x) = (sum_j a_ij x_ij^r)^(1/r), r = (s_i - 1) / s_i
    s_i = 1: prod_j x_ij^a_ij, tastes made to sum to 1
    s_i = 0: min over a_ij > 0 of x_ij / a_ij, by definition

u is homogeneous: level u costs u c_i(p), c_i(p) = (sum_j a_ij^s p_j^(1-s))^(1/(1-s)), spent in shares f_ij(p)
whatever u. Both u and c are power means of weights a; they are taken in logarithms, shifted so that nothing
overflows, and through log1p and expm1 where the order is near 0 and digits would be lost. (Where tastes do
not sum to 1, u itself leaves float64 as s_i -> 1: scale them.)

With supplies S and prices p.S = 1, two duals in m unknowns:

    utilisation   the least r such that r S gives everyone u_i   =  max_p sum_i u_i c_i(p)
    plan          max sum_i w_i log u_i within S, sum w = 1      =  min_p sum_i w_i log(w_i / c_i(p))

Any p bounds either from one side; what is wanted at p (h_j in all) from the other, since r = max_j h_j / S_j
will do.

Let b_j = sum_i g_i f_ij be spending out of the traders' outlays g (u_i c_i over their sum; w_i), and v_j =
p_j S_j. The gradient of either dual in log v is b - v, and max_j b_j / v_j - 1 bounds its relative gap.
Newton's matrix in relative prices is the graph Laplacian of links sum_i g_i s_i f_ij f_il, for the plan plus
the covariance of f over traders: m x m, semidefinite, well scaled after division by sqrt(b_j b_l) however far
apart the prices. A barrier c sum_j log v_j / m, which costs a gap of c at most, fades with the gap: without
it the dual has no digits left for goods that are all but free, and they may end up wanted twice over.

G. Debreu, The coefficient of resource utilization, Econometrica 19, 1951. E. Eisenberg and D. Gale, Consensus
of subjective probabilities, Ann. Math. Stat. 30, 1959. W. Grassmann, M. Taksar and D. Heyman, Regenerative
analysis and steady state distributions for Markov chains, Oper. Res. 33, 1985.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput, Refused

Floats = NDArray[np.float64]

LOWEST = -575.0  # log of the least price, relative to the highest: below it quantities would overflow
ROUNDING = 1e-15  # relative error of a float64, with a margin
NOISE = 1e-13  # changes of the dual value below it are rounding, and say nothing of a step
PATIENCE = 12  # steps in a row without progress, after which there is none left to make
BLOCK = 65_536  # taste entries worked on at a time: they stay in the cache


class Traders:
    """Tastes and elasticities of n traders over m goods; what they want at given prices.

    `taste`: [n, m], >= 0, some positive in each row. `elasticity`: [n], >= 0, finite. Raises `BadInput`
    otherwise. A price below 1e-250 times the highest, or zero, is read as that: demand stays a number.
    """

    def __init__(self, taste: ArrayLike, elasticity: ArrayLike) -> None:
        shape = np.shape(taste)
        if len(shape) != 2 or 0 in shape:
            raise BadInput(f"taste has shape {shape}: give [traders, goods], at least one of each.")
        self.taste = _check("taste", taste, shape)
        self.elasticity = _check("elasticity", elasticity, shape[:1])
        idle = np.flatnonzero(~(self.taste > 0).any(axis=1))
        if idle.size:
            raise BadInput(f"taste[{idle[0]}] is all zero: let every trader want some good.")

    def utility(self, bundle: ArrayLike) -> Floats:
        """Utility [n] of `bundle` [n, m] >= 0, units of the goods."""
        return _exp(self.log_utility(bundle))

    def log_utility(self, bundle: ArrayLike) -> Floats:
        """Its logarithm [n]: -inf for none."""
        goods = _check("bundle", bundle, self.taste.shape)
        out = np.empty(len(goods))
        for rows in self.blocks():
            out[rows] = self._log_utility(rows, goods[rows])
        return out

    def demand(self, price: ArrayLike, income: ArrayLike) -> Floats:
        """The best bundle [n, m] that `income` [n] buys at `price` [m] (Marshall)."""
        money = _check("income", income, self.elasticity.shape)
        log_price, out = self._log_price(price), np.empty_like(self.taste)
        for rows in self.blocks():
            share = self.costs(rows, log_price)[1]
            out[rows] = money[rows, None] * share / np.exp(log_price)
        return out

    def expenditure(self, price: ArrayLike, level: ArrayLike) -> Floats:
        """The least money [n] that buys utility `level` [n] at `price` [m]."""
        log_level = _log(_check("level", level, self.elasticity.shape))
        log_price, out = self._log_price(price), np.empty_like(log_level)
        for rows in self.blocks():
            out[rows] = log_level[rows] + self.costs(rows, log_price)[0]
        return _exp(out)

    def hicksian(self, price: ArrayLike, level: ArrayLike) -> Floats:
        """The cheapest bundle [n, m] of utility `level` [n] at `price` [m] (Hicks): d `expenditure` / dp."""
        return self.demand(price, self.expenditure(price, level))

    @cached_property
    def _weight(self) -> Floats:
        """Tastes that sum to one, [n, m]."""
        return self.taste / self.taste.sum(axis=1, keepdims=True)

    @cached_property
    def _log_weight(self) -> Floats:
        """log [n, m] of what prices are divided by before their power mean is a cost."""
        wanted, leontief = self._weight > 0, self.elasticity == 0
        logs = np.log(self._weight, out=_left_out(self.elasticity - 1, wanted.shape), where=wanted)
        logs[leontief[:, None] & wanted] = 0.0  # c = sum a p, a mean of the prices themselves
        return logs

    @cached_property
    def _log_unit(self) -> Floats:
        """log of (utility with the tastes given / with tastes that sum to one), [n]."""
        total, elasticity = np.log(self.taste.sum(axis=1)), self.elasticity
        apart = (elasticity != 1) & (np.abs(total) > ROUNDING * self.taste.shape[1])
        power = np.divide(elasticity, elasticity - 1, out=np.zeros_like(elasticity), where=apart)
        return np.where(elasticity == 0, -total, power * total)

    def blocks(self) -> Iterator[slice]:
        n, m = self.taste.shape
        length = max(1, BLOCK // m)
        return (slice(start, start + length) for start in range(0, n, length))

    def _log_price(self, price: ArrayLike) -> Floats:
        given = _check("price", price, self.taste.shape[1:])
        if not given.any():
            raise BadInput("price is all zero: give at least one good a positive price.")
        logs = _log(given)
        return np.maximum(logs, logs.max() + LOWEST)

    def costs(self, rows: slice, log_price: Floats) -> tuple[Floats, Floats]:
        """(log c_i [rows], spending shares [rows, m]) at the log prices [m]."""
        relative = log_price - self._log_weight[rows]
        log_mean, share = _power_mean(self._weight[rows], relative, 1 - self.elasticity[rows])
        return log_mean - self._log_unit[rows], share

    def _log_utility(self, rows: slice, goods: Floats) -> Floats:
        """log u_i [rows] of the bundles [rows, m]; -inf for none."""
        weight, elasticity = self._weight[rows], self.elasticity[rows]
        wanted, some = weight > 0, goods > 0
        leontief = elasticity == 0
        order = 1 - np.divide(1, elasticity, out=np.ones_like(elasticity), where=~leontief)
        log_goods = np.log(goods, out=_left_out(order, goods.shape), where=wanted & some)
        log_mean = _power_mean(weight, log_goods, order)[0]
        if leontief.any():
            ratio = np.divide(goods, weight, out=np.full_like(goods, np.inf), where=wanted)[leontief]
            log_mean[leontief] = _log(ratio.min(axis=1))
        lacking = (wanted & ~some).any(axis=1) & (order <= 0)  # goods that cannot be done without
        return np.where(lacking, -np.inf, log_mean + self._log_unit[rows])


class Certified(NamedTuple):
    """A number that lies in [value, value + gap]; `price` [m], price.supply = 1, proves the lower bound."""

    value: float
    gap: float
    price: Floats
    iterations: int


class Plan(NamedTuple):
    """A feasible `allocation` [n, m]: sum_i w_i log u_i, sum w = 1, is within `gap` of the most possible.

    `price` [m], price.supply = 1, proves it; `utilities` [n] are those of the allocation.
    """

    allocation: Floats
    price: Floats
    utilities: Floats
    gap: float
    iterations: int


def utilisation(
    traders: Traders, levels: ArrayLike, supply: ArrayLike, *, tolerance: float = 1e-10, rounds: int = 300
) -> Certified:
    """Debreu's coefficient: the least r such that r `supply` [m] can give each trader its `levels` [n].

    1 at a Pareto optimum; .9 says that nine tenths of every good, better shared, would do as well for
    everyone. Above 1, the levels are out of reach. All levels 0 give 0 (and no price). Stops at a relative
    gap <= `tolerance`, or where rounding or `rounds` end the progress: the gap tells. Goods that no one with
    a positive level wants are passed over (price 0). Raises `BadInput` on other shapes, negative or infinite
    numbers, or a wanted good that there is nothing of.
    """
    level = _check("levels", levels, traders.elasticity.shape)
    programme, goods, stock = _programme(traders, level, supply)
    if programme is None:
        return Certified(0.0, 0.0, np.zeros(goods.size), 0)
    active = programme.traders
    fixed = (active.elasticity == 0) | ((active.taste > 0).sum(axis=1) == 1)
    if fixed.all():  # no one substitutes: the same is needed at all prices, and the scarcest good decides
        ratio = active.hicksian(1 / stock, level[level > 0]).sum(axis=0) / stock
        scarcest = np.arange(ratio.size) == ratio.argmax()
        return Certified(float(ratio.max()), 0.0, _spread(scarcest / stock, goods), 0)
    best, iterations = _climb(programme, tolerance, rounds)
    value = _exp(np.array([best.value])).item()
    return Certified(value, value * best.gap, _spread(best.share / stock, goods), iterations)


def plan(
    traders: Traders, weights: ArrayLike, supply: ArrayLike, *, tolerance: float = 1e-10, rounds: int = 300
) -> Plan:
    """The allocation of `supply` [m] that maximises sum_i w_i log u_i, `weights` [n] >= 0 made to sum to 1.

    It is what trade among price-takers with incomes w_i would bring about. Prices start from equal values of
    all goods, whatever the market's. All of every wanted good is handed out; who has weight 0 gets nothing.
    The gap is sum_i w_i log(V_i(p) / u_i), V_i(p) the utility that w_i buys at p: computed from the
    allocation, whatever the solver believed. Stops, and raises `BadInput`, as `utilisation` does; also where
    all weights are zero.
    """
    weight = _check("weights", weights, traders.elasticity.shape)
    if not weight.any():
        raise BadInput("weights are all zero: give at least one trader a positive weight.")
    weight = weight / weight.max() / (weight / weight.max()).sum()
    programme, goods, stock = _programme(traders, weight, supply, moving=False)
    assert programme is not None  # some weight is positive
    best, iterations = _climb(programme, tolerance, rounds)
    price, counts = best.share / stock, weight > 0
    given = programme.traders.demand(price, weight[counts])
    total = given.sum(axis=0)
    given *= np.divide(stock, total, out=np.zeros_like(total), where=total > 0)
    allocation = np.zeros(traders.taste.shape)
    allocation[np.ix_(counts, goods)] = given
    reached = programme.traders.log_utility(given)
    gap = max(0.0, float(weight[counts] @ (np.log(weight[counts]) - reached)) - best.value)
    utilities = _spread(_exp(reached + traders._log_unit[counts]), counts)
    return Plan(allocation, _spread(price, goods), utilities, gap, iterations)


def excess(traders: Traders, price: ArrayLike, endowment: ArrayLike) -> Floats:
    """Demand less supply [m], units of the goods, where each sells its `endowment` [n, m] at `price` [m]."""
    owned = _check("endowment", endowment, traders.taste.shape)
    return traders.demand(price, owned @ _check("price", price, owned.shape[1:])).sum(axis=0) - owned.sum(axis=0)


def equilibrium_cobb_douglas(endowment: ArrayLike, taste: ArrayLike) -> Floats:
    """Prices [m] at which Cobb-Douglas traders with `endowment` and `taste` [n, m] clear all markets.

    price.supply = 1. Values v_j = p_j S_j move from the goods owned to the goods wanted: v = T v,
    T_jl = sum_i a_ij e_il / S_l, a Markov chain whose stationary law is found without subtractions
    (Grassmann, Taksar, Heyman), each v_j to all digits. A good that nobody wants has price 0.
    Raises `BadInput` for a good that nobody owns, and `Refused` where some group of goods pays for itself
    alone (T reducible): relative prices are then free, or zero for wanted goods.
    """
    owned = _check("endowment", endowment, np.shape(taste))
    weight = Traders(taste, np.ones(len(owned)))._weight
    supply = owned.sum(axis=0)
    if (supply == 0).any():
        unowned = np.flatnonzero(supply == 0)[0]
        raise BadInput(f"endowment[:, {unowned}] is all zero: let someone own some of every good.")
    goods = np.flatnonzero((weight > 0).any(axis=0))
    flow = weight[:, goods].T @ (owned[:, goods] / supply[goods])
    from scipy.sparse.csgraph import connected_components  # late: half a second, and only here

    parts, part = connected_components(flow > 0, connection="strong")
    if parts > 1:
        other = goods[np.flatnonzero(part != part[0])[0]]
        raise Refused(
            f"goods {goods[0]} and {other} are not linked by trade in both directions, so nothing settles "
            "their relative price: let the owners of each, or others between them, want some of the other."
        )
    value = _stationary(flow)
    return _spread(value / value.sum() / supply[goods], np.isin(np.arange(supply.size), goods))


class _Point(NamedTuple):
    """A programme at one vector of prices, in values of goods v_j = p_j S_j that sum to one."""

    log_share: Floats
    share: Floats
    value: float  # of the dual, in logarithms: what is to be made greatest
    gradient: Floats  # in log v: spending less supply
    curvature: Floats  # minus the second derivative in relative prices [m, m]
    gap: float  # most by which the dual can fall short, relative


class _Programme(NamedTuple):
    """Either dual: outlays that move, exp(amount) c_i(p) (utilisation), or are the fixed amounts (plan)."""

    traders: Traders
    amount: Floats
    log_stock: Floats
    moving: bool

    def at(self, log_share: Floats) -> _Point:
        log_share = np.maximum(log_share - log_share.max(), LOWEST)
        share = np.exp(log_share)
        log_share, share = log_share - np.log(share.sum()), share / share.sum()
        m = share.size
        total, spending, links, spread = 0.0, np.zeros(m), np.zeros((m, m)), np.zeros((m, m))
        for rows in self.traders.blocks():
            log_cost, parts = self.traders.costs(rows, log_share - self.log_stock)
            outlay = np.exp(self.amount[rows] + log_cost) if self.moving else self.amount[rows]
            total += outlay.sum() if self.moving else outlay @ log_cost
            spending += outlay @ parts
            links += parts.T @ ((outlay * self.traders.elasticity[rows])[:, None] * parts)
            spread += 0.0 if self.moving else parts.T @ (outlay[:, None] * parts)
        if self.moving:
            spending, links = spending / total, links / total
        np.fill_diagonal(links, 0.0)
        curvature = np.diag(links.sum(axis=1)) - links
        if not self.moving:
            curvature += spread - np.outer(spending, spending)
        value = float(np.log(total) if self.moving else total)
        gap = max(0.0, float((spending / share).max()) - 1)
        return _Point(log_share, share, value, spending - share, curvature, gap)


def _programme(
    traders: Traders, amount: Floats, supply: ArrayLike, moving: bool = True
) -> tuple[_Programme | None, NDArray[np.bool_], Floats]:
    """The programme of those with positive amount, the goods [m] that they want, and the supply of them."""
    given = _check("supply", supply, traders.taste.shape[1:])
    active = amount > 0
    goods = np.asarray((traders.taste[active] > 0).any(axis=0))
    stock = given[goods]
    if (stock == 0).any():
        missing = np.flatnonzero(goods & (given == 0))[0]
        raise BadInput(f"supply[{missing}] is zero although traders want the good: give some, or leave the good out.")
    if not active.any():
        return None, goods, stock
    # the unit of utility matters to levels alone: without it there is less to round
    taste = (traders.taste if moving else traders._weight)[np.ix_(active, goods)]
    chosen = np.log(amount[active]) if moving else amount[active]
    return _Programme(Traders(taste, traders.elasticity[active]), chosen, np.log(stock), moving), goods, stock


def _climb(programme: _Programme, tolerance: float, rounds: int) -> tuple[_Point, int]:
    """Damped Newton steps from equal values of all goods: the point of least gap, and how many it took."""
    here = best = programme.at(np.zeros(programme.log_stock.size))
    damping, barrier, tried, idle = 0.1, 0.1, 0, 0
    while best.gap > tolerance and tried < rounds and idle < PATIENCE:
        step, slope = _step(here, barrier, damping)
        trial, tried = programme.at(here.log_share + step), tried + 1
        # a concave function lies below its tangent plane: no rise can be greater than this
        promised = float(slope @ (trial.share / here.share - 1))
        rise = trial.value - here.value + barrier * (trial.log_share - here.log_share).mean()
        # near the top the rise drowns in rounding, long before the gap, its square root, does
        seen = promised > NOISE
        idle = 0 if (rise > 0.1 * promised if seen else trial.gap < 0.9 * here.gap) else idle + 1
        if idle == 0 or (not seen and trial.gap < here.gap):
            here, damping = trial, max(damping / 10, 1e-12)
        else:
            damping = max(damping, 1e-6) * 8
        best = min(best, trial, key=lambda point: point.gap)
        barrier = min(barrier, 0.3 * here.gap**1.5)  # superlinear, so that Newton's steps stay so
    return best, tried


def _step(point: _Point, barrier: float, damping: float) -> tuple[Floats, Floats]:
    """(curvature + damping scale^2) step = slope: a change of log v, and the slope, barrier included."""
    m = point.share.size
    slope = point.gradient + barrier * (1 / m - point.share)
    scale = np.sqrt(np.maximum(np.maximum(point.share, point.gradient + point.share), barrier / m))
    matrix = (point.curvature + barrier / m * np.eye(m)) / np.outer(scale, scale) + damping * np.eye(m)
    common = point.share / scale  # all prices together: no change, so let there be none
    step = np.linalg.solve(matrix + np.outer(common, common), slope / scale) / scale
    # long steps shortened; exact for a price that falls to where the barrier holds it
    return np.sign(step) * np.log1p(np.abs(step)), slope


def _stationary(flow: Floats) -> Floats:
    """v > 0 with flow v = v, for an irreducible matrix [m, m] whose columns sum to one, up to a factor."""
    rest = flow.copy()
    for last in range(len(rest) - 1, 0, -1):  # leave out one good after another: what it passes on is linked through
        rest[last, :last] /= rest[:last, last].sum()
        rest[:last, :last] += np.outer(rest[:last, last], rest[last, :last])
    value = np.ones(len(rest))
    for good in range(1, len(rest)):
        value[good] = rest[good, :good] @ value[:good]
    return value


def _power_mean(weight: Floats, log_value: Floats, order: Floats) -> tuple[Floats, Floats]:
    """log (sum_j w_j v_j^order)^(1/order) [n], and each term's share of the sum [n, m]; 0 is geometric.

    Entries are left out by order x log v = -inf, or for order 0 by weight 0 (`_left_out`).
    """
    power = order[:, None] * log_value
    highest = power.max(axis=1, keepdims=True)
    highest[np.isneginf(highest)] = 0.0  # all left out
    power -= highest
    term = np.exp(power) * weight
    total = term.sum(axis=1)
    log_total = _log(total)
    near = np.flatnonzero((np.abs(order) < 0.1) & (total > 0.5))  # total is near 1, and its log loses its digits
    log_total[near] = np.log1p((weight[near] * np.expm1(power[near])).sum(axis=1))
    geometric = order == 0
    log_mean = np.divide(log_total + highest[:, 0], order, out=np.zeros_like(order), where=~geometric)
    log_mean[geometric] = (weight[geometric] * log_value[geometric]).sum(axis=1)
    term /= np.maximum(total, np.finfo(float).tiny)[:, None]
    return log_mean, term


def _left_out(order: Floats, shape: tuple[int, int]) -> Floats:
    """Logs [n, m] of values that add nothing to a power mean of `order` [n]."""
    logs = np.where(order == 0, 0.0, np.where(order > 0, -np.inf, np.inf))
    return np.broadcast_to(logs[:, None], shape).copy()


def _check(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    array = np.asarray(values, np.float64)
    if array.shape != shape:
        raise BadInput(f"{name} has shape {array.shape}: give {list(shape)}.")
    if not (array.min() >= 0 and array.max() < np.inf):
        place = np.argwhere(~((array >= 0) & (array < np.inf)))[0].tolist()
        raise BadInput(f"{name}{place} is {array[tuple(place)]}: give finite numbers of at least zero.")
    return array


def _log(values: Floats) -> Floats:
    return np.log(values, out=np.full_like(values, -np.inf), where=values > 0)


def _exp(logs: Floats) -> Floats:
    with np.errstate(over="ignore"):  # what float64 cannot hold is infinite, and says so
        return np.exp(logs)


def _spread(values: Floats, where: NDArray[np.bool_]) -> Floats:
    """`values` where they apply, 0 elsewhere."""
    out = np.zeros(where.size)
    out[where] = values
    return out
