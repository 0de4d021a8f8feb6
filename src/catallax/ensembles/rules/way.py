"""The way from the opening price to the price, and who moved it by how much.

All trade at once, little by little (Aumann and Shapley 1974). With a logarithmic market maker of depth 1 the price after
claims q is softmax(b + q), and whoever buys dq pays c . dq. At time t in [0, 1] member m buys at `rate` r_m(t), so that

    moved_m = integral of (diag c - c c') r_m dt,    holds int r_m dt,    paid_m = integral of c . r_m dt.

Moves add up to price - opening; what the maker gets is what all pay, what it gives is what all hold: sums are zero.
The integrals are by Gauss and Legendre, to rounding for prices that are not all but certain.
"""

from collections.abc import Callable

import numpy as np

from catallax.ensembles.offers import Array, Receipt, softmax

_NODES, _PARTS = np.polynomial.legendre.leggauss(64)
TIMES, PARTS = (_NODES + 1) / 2, _PARTS / 2


def receipt(score: Callable[[float], Array], rate: Callable[[float], Array]) -> Receipt:
    """`score(t)` [rows, outcomes]: log price up to a constant; `rate(t)` [rows, members, outcomes], its derivative's parts."""
    moved, held, paid = 0.0, 0.0, 0.0
    for time, part in zip(TIMES, PARTS):
        price = softmax(score(time))[:, None]
        bought = rate(time)
        cost = (price * bought).sum(2)
        moved = moved + part * price * (bought - cost[..., None])
        held = held + part * bought
        paid = paid + part * cost
    profit = np.asarray(held) - np.asarray(paid)[..., None]
    return Receipt(softmax(score(0.0)), softmax(score(1.0)), np.asarray(moved), profit, -profit.sum(1))
