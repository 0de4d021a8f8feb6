"""Debreu's coefficient of traders with linear wants: a linear programme, and its dual in prices as the proof.

    min r,  sum_j a_ij x_ij >= u_i,  sum_i x_ij <= r S_j      =      max sum_i u_i min_j p_j / a_ij,  p.S = 1

Both are solved in shares x_ij / S_j of all there is, for tastes a_ij S_j / u_i: units of goods and of utility drop out. The
bounds are computed afresh from what the solver found: prices that sum to 1, bundles stretched until they reach u_i.

G. Debreu, The coefficient of resource utilization, Econometrica 19, 1951. J. Huangfu and J. Hall, Parallelizing the dual
revised simplex method, Math. Programming Computation 10, 2018 (HiGHS).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from catallax.core.errors import BadInput, Refused
from catallax.economy.trade.demand import Floats, Traders

MOST = 200_000  # tastes above 0 that the programme takes


class Certified(NamedTuple):
    """A number that lies in [value, value + gap]; `price` [m], price.supply = 1, proves the lower bound."""

    value: float
    gap: float
    price: Floats
    iterations: int


def utilisation_linear(traders: Traders, level: Floats, supply: Floats) -> Certified:
    """See `duals.utilisation`. Raises `Refused` where some wants are linear and some are not, and for large economies."""
    active = level > 0
    if not traders.linear[active].all():
        raise Refused("Debreu's coefficient is computed for linear wants or for others, not for both in one economy")
    if not active.any():
        return Certified(0.0, 0.0, np.zeros(supply.size), 0)
    wanted = (traders.taste[active] > 0).any(axis=0)
    if (wanted & (supply == 0)).any():
        missing = np.flatnonzero(wanted & (supply == 0))[0]
        raise BadInput(f"supply[{missing}] is zero although traders want the good: give some, or leave the good out.")
    if np.count_nonzero(traders.taste[active]) > MOST:
        raise Refused(
            f"the linear programme of Debreu's coefficient takes up to {MOST:,} tastes above 0: look at fewer"
        )
    worth = traders.taste[active] * supply / level[active, None]
    share, price, iterations = solved(worth)
    floor = np.where(worth > 0, price / np.where(worth > 0, worth, 1), np.inf).min(axis=1).sum()
    enough = share / np.einsum("ij,ij->i", worth, share)[:, None]
    value, most = float(floor), float(enough.sum(axis=0).max())
    return Certified(
        value, max(0.0, most - value), np.where(wanted, price / np.where(wanted, supply, 1), 0.0), iterations
    )


def solved(worth: Floats) -> tuple[Floats, Floats, int]:
    """Shares [n, m], values of goods [m] that sum to 1, and the solver's iterations, for tastes `worth` [n, m]."""
    from scipy.optimize import linprog  # late: a third of a second, and only here
    from scipy.sparse import coo_array

    n, m = worth.shape
    row, good = np.nonzero(worth)
    place, last = np.arange(row.size), np.full(m, row.size)
    scale = worth.max(axis=1)
    entries = np.concatenate([-worth[row, good] / scale[row], np.ones(row.size), -np.ones(m)])
    rows = np.concatenate([row, n + good, n + np.arange(m)])
    matrix = coo_array((entries, (rows, np.concatenate([place, place, last]))), (n + m, row.size + 1)).tocsr()
    bound = np.concatenate([-1 / scale, np.zeros(m)])
    found = linprog(np.append(np.zeros(row.size), 1.0), matrix, bound, method="highs")
    if found.status != 0:
        raise Refused(f"the linear programme of Debreu's coefficient was not solved: {found.message}")
    share = np.zeros((n, m))
    share[row, good] = np.maximum(found.x[:-1], 0)
    price = np.maximum(-found.ineqlin.marginals[n:], 0)
    return share, price / price.sum(), int(found.nit)
