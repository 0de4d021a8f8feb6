"""Specialists: traders who are awake on some rows only, as the leaves of a forest are (Freund et al. 1997; Barbu and Lay 2012).

    price c_i = sum_{l awake on i} w_l p_l / S_i,    S_i = sum_{l awake on i} w_l

Wealth that raises the likelihood of what came, from all alike: c_i is a ratio, so log S_i is replaced by its tangent and the
rest is EM (a minorising step: the likelihood never falls),

    w_l <- w_l (k + T sum_i p_l(y_i) / (c_i S_i)) / (k w_l + T sum_i 1 / S_i),

sums over rows on which l is awake, T how many traders are awake on a row in the mean, k how many rows' worth of belief
stands behind "everyone alike" (a Gamma prior of mean 1).
"""

from typing import Any

import numpy as np
from scipy import sparse

from catallax.ensembles.offers import Array

STEPS = 20


def learn(awake: Any, belief: Array, outcome: Array, weight: Array, prior: float) -> Array:
    """Wealth of each specialist, [specialists].

    `awake`: sparse 0/1 [rows, specialists]; `belief` [specialists, outcomes]; `outcome`, `weight` [rows].
    """
    rows, _ = awake.shape
    awake = sparse.csr_array(awake)
    hits = sparse.csr_array(
        (belief[awake.indices, np.repeat(outcome, np.diff(awake.indptr))], awake.indices, awake.indptr), awake.shape
    )
    typical = awake.nnz / max(rows, 1)
    wealth = np.ones(awake.shape[1])
    for _ in range(STEPS):
        offered, present = hits @ wealth, awake @ wealth
        seen = offered > 0  # rows on which nobody gave a chance to what came teach nothing
        gained = hits.T @ np.divide(weight, offered, out=np.zeros(rows), where=seen)
        risked = awake.T @ np.where(seen, weight / np.maximum(present, 1e-300), 0.0)
        wealth = wealth * (prior + typical * gained) / (prior * wealth + typical * risked + 1e-300)
    return wealth


def price(awake: Any, belief: Array, wealth: Array) -> Array:
    """Prices [rows, outcomes] where these are awake."""
    return (awake @ (wealth[:, None] * belief)) / (awake @ wealth)[:, None]
