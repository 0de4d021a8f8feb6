"""Buyers at trading posts who know how their own bids move the prices, and a proof that none of them can do better.

All of good j, s_j, goes to those who bid, in proportion. Where the others' bids are A_j and the buyer believes in the share
l of its own effect, x_j = s_j b_j / (A_j + l b_j), and it solves max u(x(b)), sum_j b_j = B:

    linear         b_j = max(0, sqrt(v_j s_j A_j / y) - A_j) / l                           y by sorting
    quasi-linear   the same with y >= 1: money kept is worth 1
    CES            x_j (1 - z_j)^(-2 s) = t (a_j S_j / A_j)^s,  z_j = l x_j / S_j          t by Newton in a bracket

the last as in `economy.trade.traders`, for a fixed budget. Substitutes (s > 1) of who knows less of its effect respond more
strongly, so bids move the share l of the way to the best response: without that, linear wants of l = 1/4 go round in circles.
Taking turns may or may not lead to Nash's equilibrium; its certificate
(l = 1) shares no code with these. log u is concave in b, so no bids b' bring more than, from the bids b,

    log u(b') - log u(b) <= max_j w_j e_j B - sum_j w_j e_j b_j        w_j = x_j d log u / d x_j (they sum to 1)
                                                                       e_j = d log x_j / d b_j = A_j / (b_j (A_j + b_j))

At s = 0, u = min_j x_j / a_j has a kink: sum_j w_j log(x_j / a_j) is above log u for any such w, and w_j proportional to
1 / e_j makes the right side 0, so that it is what lies between the two at b that bounds the gain.

L. Shapley and M. Shubik, Trade using one commodity as a means of payment, J. Political Economy 85, 1977. M. Frank and P.
Wolfe, An algorithm for quadratic programming, Naval Research Logistics Quarterly 3, 1956 (the gap).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.errors import Refused
from catallax.core.precision import doubled
from catallax.economy.buyers import eisenberg
from catallax.economy.trade.traders import affordable

if TYPE_CHECKING:
    from catallax.economy.fisher import Fisher

LEAST = 1e-300  # of others' money at a post: alone, one would get all for nothing
NEXT = 1e-12  # next to no bid, a share of the budget


def contest(market: Fisher, leak: float, rounds: int, tolerance: float) -> dict[str, Any]:
    """Best responses in turn until no bid changes, or nobody can gain; refused where a good has a single bidder."""
    check(market)
    value, budget, supply = eisenberg.facts(market)
    if value.size > eisenberg.MOST:
        raise Refused(f"a contest takes up to {eisenberg.MOST:,} valuations, here {value.size:,}")
    alone = np.flatnonzero((value > 0).sum(0) < 2)
    if alone.size:
        raise Refused(f"{market.labels[alone[0]]} has a single bidder, who gets all for nothing: no equilibrium exists")
    bids = value * supply if market.interior else eisenberg.spent(market, 1 / supply)
    bids = budget[:, None] * bids / bids.sum(1, keepdims=True)
    turns, left, t = Turns(market), np.inf, 0
    step = 1 if market.utility in ("cobb-douglas", "leontief") else leak
    while t < rounds and left > tolerance:
        before, bids, t = bids, turns(bids, leak), t + 1
        # what was missing to the best response is more than the change, where it is not gone all the way
        left = at_most(market, bids) if leak == 1 else float((np.abs(bids - before).max(1) / budget).max() / step)
    price = bids.sum(0) / supply
    kept = np.maximum(budget - bids.sum(1), 0) if market.money else None
    found = eisenberg.valued(market, bids / price, kept, None, price)
    return found | dict(bids=bids, gap=left, rounds=t)


def check(market: Fisher) -> None:
    """Refused for wants whose best response is not known."""
    if market.capped or not isinstance(market.utility, str):
        raise Refused("a contest is defined for linear, quasi-linear and CES wants without caps")


class Turns:
    """One round, each buyer moving towards its best response to the bids as they are then, float64."""

    def __init__(self, market: Fisher):
        self.facts, self.interior, self.money = eisenberg.facts(market), market.interior, market.money
        self.wants = None if market.interior else market.wants

    def __call__(self, bids: np.ndarray, leak: float) -> np.ndarray:
        value, budget, supply = self.facts
        if self.interior:
            bids, total = bids.copy(), bids.sum(0)
            for i in range(len(budget)):
                others = np.maximum(total - leak * bids[i], LEAST)
                move = leak * (best_bid(value[i], supply, others, budget[i], leak, self.money) - bids[i])
                total += move
                bids[i] += move
            return bids
        with jax.enable_x64(True):
            return np.array(_turns(*doubled((self.wants, *map(jnp.asarray, (budget, bids, supply, float(leak)))))))

    def alone(self, bids: np.ndarray) -> np.ndarray:
        """Everyone's best response to the same bids at full knowledge, [buyers, goods]."""
        value, budget, supply = self.facts
        others = np.maximum(bids.sum(0) - bids, LEAST)
        if self.interior:
            rows = (best_bid(*row, 1.0, self.money) for row in zip(value, [supply] * len(value), others, budget))
            return np.array(list(rows))
        with jax.enable_x64(True):
            return np.array(_alone(*doubled((self.wants, *map(jnp.asarray, (budget, others, supply))))))


def best_bid(value, supply, others, budget: float, leak: float, money: bool = False) -> np.ndarray:
    """The linear bid of the head of this file: goods come in by their value for money as long as they are worth it."""
    root = np.sqrt(value * supply * others)
    order = np.argsort(-root / others)
    paid, roots = np.cumsum(others[order]), np.cumsum(root[order])
    level = (leak * budget + paid) / roots  # 1 / sqrt(y) with the first so many goods
    inside = root[order] / others[order] * level > 1
    level = level[max(1, int(inside.sum())) - 1]
    if money and level > 1:
        return np.maximum(root - others, 0) / leak
    bid = np.maximum(root * level - others, 0) / leak
    return bid * (budget / bid.sum())


@jax.jit
def _turns(wants, budgets, bids, supply, leak):
    def one(total, who):
        utility, budget, bid = who
        step = jnp.where(utility.elasticity > 1, leak, 1)
        move = step * (best_of_ces(utility, budget, supply, total - leak * bid, leak) - bid)
        return total + move, bid + move

    return jax.lax.scan(one, bids.sum(0), (wants, budgets, bids))[1]


@jax.jit
def _alone(wants, budgets, others, supply):
    one = jnp.ones((), supply.dtype)
    return jax.vmap(lambda u, b, a: best_of_ces(u, b, supply, a, one))(wants, budgets, others)


def best_of_ces(utility, budget, supply, others, leak):
    """The CES bid of the head of this file. Arrays [goods]; `budget`, `leak` scalars."""
    tiny = jnp.finfo(others.dtype).tiny
    log_cost = jnp.log(jnp.maximum(others, tiny)) - jnp.log(supply)
    log_leak = jnp.log(jnp.maximum(leak, tiny)) - jnp.log(supply)
    return affordable(utility, log_cost, jnp.log(budget), log_leak)


# --- what is left to gain ---


def gain(market: Fisher, bids: np.ndarray) -> float:
    """The largest relative gain in utility that one buyer can make by bidding otherwise, the others' bids standing."""
    check(market)
    _, budget, supply = eisenberg.facts(market)
    best = Turns(market).alone(bids)
    others = np.maximum(bids.sum(0) - bids, LEAST)
    reached, possible = (
        eisenberg.utilities(market, supply * b / (others + b), budget - b.sum(1) if market.money else None)
        for b in (bids, best)
    )
    return float(np.max(possible / reached) - 1)


def at_most(market: Fisher, bids: np.ndarray) -> float:
    """A bound on that gain, of its own code: see the head of this file."""
    value, budget, supply = eisenberg.facts(market)
    others = np.maximum(bids.sum(0) - bids, LEAST)
    bundle = supply * bids / (others + bids)
    if market.interior:
        kept = budget - bids.sum(1) if market.money else np.zeros_like(budget)
        each = (
            value * supply * (others / (others + bids)) / (others + bids)
        )  # what the last unit of money at a post was worth
        best = np.maximum(each.max(1), 1) if market.money else each.max(1)
        spare = budget * best - (each * bids).sum(1) - kept
        return float(max(0.0, np.max(spare / ((value * bundle).sum(1) + kept))))
    judge, wanted = eisenberg.traders(market), value > 0
    reached = judge.log_utility(bundle)
    least = np.where(judge.elasticity > 0, NEXT * budget, LEAST)[:, None]  # slopes at 0 may be infinite
    bids = np.where(wanted, np.maximum(bids, least), 0)
    ease = np.divide(others / (others + bids), bids, out=np.zeros_like(bids), where=wanted)
    share, level = support(judge, supply * bids / (others + bids), ease)
    each = share * ease
    more = budget * each.max(1) - (each * bids).sum(1) + level - reached
    return float(max(0.0, np.expm1(np.max(more))))


def support(judge: Any, bundle: np.ndarray, ease: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights w of the head of this file [buyers, goods], and what log u is at most at this bundle by them [buyers]."""
    wanted, elasticity = judge.taste > 0, judge.elasticity
    order = 1 - 1 / np.where(elasticity > 0, elasticity, 1)
    log_goods = np.log(bundle, out=np.zeros_like(bundle), where=wanted)
    log_taste = np.log(judge.taste, out=np.zeros_like(bundle), where=wanted)
    logs = np.where(wanted, log_taste + order[:, None] * log_goods, -np.inf)
    smooth = np.exp(logs - logs.max(1, keepdims=True))
    kinked = np.divide(1, ease, out=np.zeros_like(ease), where=wanted)
    share = np.where((elasticity > 0)[:, None], smooth, kinked)
    share = share / share.sum(1, keepdims=True)
    level = (share * (log_goods - log_taste)).sum(1)
    return share, np.where(elasticity > 0, judge.log_utility(bundle), level)
