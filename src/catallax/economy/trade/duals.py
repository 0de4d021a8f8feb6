"""Two convex programmes that judge any outcome of exchange, through their duals in prices. Float64.

With supplies S and prices p.S = 1, costs c_i and spending shares f_ij as in `economy.trade.demand`:

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
of subjective probabilities, Ann. Math. Stat. 30, 1959.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput, Refused
from catallax.economy.trade.demand import LOWEST, Floats, Traders, check, exp
from catallax.economy.trade.linear_programme import Certified, utilisation_linear

NOISE = 1e-13  # changes of the dual value below it are rounding, and say nothing of a step
PATIENCE = 12  # steps in a row without progress, after which there is none left to make


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
    level = check("levels", levels, traders.elasticity.shape)
    if traders.linear.any():
        return utilisation_linear(traders, level, check("supply", supply, traders.taste.shape[1:]))
    programme, goods, stock = programme_of(traders, level, supply)
    if programme is None:
        return Certified(0.0, 0.0, np.zeros(goods.size), 0)
    active = programme.traders
    fixed = (active.elasticity == 0) | ((active.taste > 0).sum(axis=1) == 1)
    if fixed.all():  # no one substitutes: the same is needed at all prices, and the scarcest good decides
        ratio = active.hicksian(1 / stock, level[level > 0]).sum(axis=0) / stock
        scarcest = np.arange(ratio.size) == ratio.argmax()
        return Certified(float(ratio.max()), 0.0, spread_over(scarcest / stock, goods), 0)
    best, iterations = climb(programme, tolerance, rounds)
    value = exp(np.array([best.value])).item()
    return Certified(value, value * best.gap, spread_over(best.share / stock, goods), iterations)


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
    weight = check("weights", weights, traders.elasticity.shape)
    if traders.linear.any():
        raise Refused("the planner's dual is smooth, and that of linear wants is not: a Fisher market plans for these")
    if not weight.any():
        raise BadInput("weights are all zero: give at least one trader a positive weight.")
    weight = weight / weight.max() / (weight / weight.max()).sum()
    programme, goods, stock = programme_of(traders, weight, supply, moving=False)
    assert programme is not None  # some weight is positive
    best, iterations = climb(programme, tolerance, rounds)
    price, counts = best.share / stock, weight > 0
    given = programme.traders.demand(price, weight[counts])
    total = given.sum(axis=0)
    given *= np.divide(stock, total, out=np.zeros_like(total), where=total > 0)
    allocation = np.zeros(traders.taste.shape)
    allocation[np.ix_(counts, goods)] = given
    reached = programme.traders.log_utility(given)
    gap = max(0.0, float(weight[counts] @ (np.log(weight[counts]) - reached)) - best.value)
    utilities = spread_over(exp(reached + traders.log_unit[counts]), counts)
    return Plan(allocation, spread_over(price, goods), utilities, gap, iterations)


class Point(NamedTuple):
    """A programme at one vector of prices, in values of goods v_j = p_j S_j that sum to one."""

    log_share: Floats
    share: Floats
    value: float  # of the dual, in logarithms: what is to be made greatest
    gradient: Floats  # in log v: spending less supply
    curvature: Floats  # minus the second derivative in relative prices [m, m]
    gap: float  # most by which the dual can fall short, relative


class Programme(NamedTuple):
    """Either dual: outlays that move, exp(amount) c_i(p) (utilisation), or are the fixed amounts (plan)."""

    traders: Traders
    amount: Floats
    log_stock: Floats
    moving: bool

    def at(self, log_share: Floats) -> Point:
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
        return Point(log_share, share, value, spending - share, curvature, gap)


def programme_of(
    traders: Traders, amount: Floats, supply: ArrayLike, moving: bool = True
) -> tuple[Programme | None, NDArray[np.bool_], Floats]:
    """The programme of those with positive amount, the goods [m] that they want, and the supply of them."""
    given = check("supply", supply, traders.taste.shape[1:])
    active = amount > 0
    goods = np.asarray((traders.taste[active] > 0).any(axis=0))
    stock = given[goods]
    if (stock == 0).any():
        missing = np.flatnonzero(goods & (given == 0))[0]
        raise BadInput(f"supply[{missing}] is zero although traders want the good: give some, or leave the good out.")
    if not active.any():
        return None, goods, stock
    # the unit of utility matters to levels alone: without it there is less to round
    taste = (traders.taste if moving else traders.weight)[np.ix_(active, goods)]
    chosen = np.log(amount[active]) if moving else amount[active]
    return Programme(Traders(taste, traders.elasticity[active]), chosen, np.log(stock), moving), goods, stock


def climb(programme: Programme, tolerance: float, rounds: int) -> tuple[Point, int]:
    """Damped Newton steps from equal values of all goods: the point of least gap, and how many it took."""
    here = best = programme.at(np.zeros(programme.log_stock.size))
    damping, barrier, tried, idle = 0.1, 0.1, 0, 0
    while best.gap > tolerance and tried < rounds and idle < PATIENCE:
        step, slope = newton_step(here, barrier, damping)
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


def newton_step(point: Point, barrier: float, damping: float) -> tuple[Floats, Floats]:
    """(curvature + damping scale^2) step = slope: a change of log v, and the slope, barrier included."""
    m = point.share.size
    slope = point.gradient + barrier * (1 / m - point.share)
    scale = np.sqrt(np.maximum(np.maximum(point.share, point.gradient + point.share), barrier / m))
    matrix = (point.curvature + barrier / m * np.eye(m)) / np.outer(scale, scale) + damping * np.eye(m)
    common = point.share / scale  # all prices together: no change, so let there be none
    step = np.linalg.solve(matrix + np.outer(common, common), slope / scale) / scale
    # long steps shortened; exact for a price that falls to where the barrier holds it
    return np.sign(step) * np.log1p(np.abs(step)), slope


def spread_over(values: Floats, where: NDArray[np.bool_]) -> Floats:
    """`values` where they apply, 0 elsewhere."""
    out = np.zeros(where.size)
    out[where] = values
    return out
