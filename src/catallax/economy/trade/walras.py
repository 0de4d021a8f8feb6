"""Walras' prices, and the float64 judge of exchange: a door to `economy.trade.demand` (what traders want) and `economy.trade.duals`
(Debreu's coefficient, the planner), and what remains of the market itself: its excess demand, its prices in closed form.

W. Grassmann, M. Taksar and D. Heyman, Regenerative analysis and steady state distributions for Markov chains, Oper. Res.
33, 1985.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from catallax.core.errors import BadInput, Refused
from catallax.economy.trade.demand import Floats, Traders, check
from catallax.economy.trade.duals import Plan, plan, spread_over, utilisation
from catallax.economy.trade.linear_programme import Certified

__all__ = ["Certified", "Plan", "Traders", "equilibrium_cobb_douglas", "excess", "plan", "utilisation"]


def excess(traders: Traders, price: ArrayLike, endowment: ArrayLike) -> Floats:
    """Demand less supply [m], units of the goods, where each sells its `endowment` [n, m] at `price` [m]."""
    owned = check("endowment", endowment, traders.taste.shape)
    return traders.demand(price, owned @ check("price", price, owned.shape[1:])).sum(axis=0) - owned.sum(axis=0)


def equilibrium_cobb_douglas(endowment: ArrayLike, taste: ArrayLike) -> Floats:
    """Prices [m] at which Cobb-Douglas traders with `endowment` and `taste` [n, m] clear all markets.

    price.supply = 1. Values v_j = p_j S_j move from the goods owned to the goods wanted: v = T v,
    T_jl = sum_i a_ij e_il / S_l, a Markov chain whose stationary law is found without subtractions
    (Grassmann, Taksar, Heyman), each v_j to all digits. A good that nobody wants has price 0.
    Raises `BadInput` for a good that nobody owns, and `Refused` where some group of goods pays for itself
    alone (T reducible): relative prices are then free, or zero for wanted goods.
    """
    owned = check("endowment", endowment, np.shape(taste))
    weight = Traders(taste, np.ones(len(owned))).weight
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
    value = stationary(flow)
    return spread_over(value / value.sum() / supply[goods], np.isin(np.arange(supply.size), goods))


def stationary(flow: Floats) -> Floats:
    """v > 0 with flow v = v, for an irreducible matrix [m, m] whose columns sum to one, up to a factor."""
    rest = flow.copy()
    for last in range(len(rest) - 1, 0, -1):  # leave out one good after another: what it passes on is linked through
        rest[last, :last] /= rest[:last, last].sum()
        rest[:last, :last] += np.outer(rest[:last, last], rest[last, :last])
    value = np.ones(len(rest))
    for good in range(1, len(rest)):
        value[good] = rest[good, :good] @ value[:good]
    return value
