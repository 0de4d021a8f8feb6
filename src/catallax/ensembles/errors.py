"""Errors cancel: how alike the members err, and how much is gained by their not doing so.

With shares w of a linear pool c = sum_m w_m p_m, squared errors decompose exactly (Krogh and Vedelsby 1995),

    |c - y|^2 = sum_m w_m |p_m - y|^2  -  sum_m w_m |p_m - c|^2
    error of the pool = mean error of its members - ambiguity,

and so does the log loss, with ambiguity sum_m w_m log(c(y) / p_m(y)). A market's price is not that pool where it
extremises or opens elsewhere: what that adds is the last line.
"""

from typing import NamedTuple

import numpy as np

from catallax.ensembles.offers import Array, Offers


class Errors(NamedTuple):
    """Mean over rows, by weight. `correlation` [members, members] of errors (came - offered, over rows and outcomes);
    `members` [members], `ambiguity`, `pool` = shares . members - ambiguity, `price`: squared errors (Brier scores)."""

    correlation: Array
    members: Array
    shares: Array
    ambiguity: float
    pool: float
    price: float


def errors(offers: Offers, price: Array, shares: Array) -> Errors:
    """What the members' errors have in common, and what the market makes of them. `price` [rows, outcomes]."""
    weight = offers.weight / offers.weight.sum()
    came = np.eye(offers.shape[2])[offers.outcome]
    error = came[:, None] - offers.belief
    pool = np.einsum("m,nmk->nk", shares, offers.belief)
    each = weight @ np.square(error).sum(2)
    apart = weight @ np.square(offers.belief - pool[:, None]).sum(2)
    return Errors(
        correlation(error, weight),
        each,
        shares,
        float(shares @ apart),
        float(weight @ np.square(came - pool).sum(1)),
        float(weight @ np.square(came - price).sum(1)),
    )


def correlation(error: Array, weight: Array) -> Array:
    """Correlation over rows and outcomes; 0 where a member never errs."""
    flat = (error * np.sqrt(weight)[:, None, None]).transpose(1, 0, 2).reshape(error.shape[1], -1)
    common = flat @ flat.T
    spread = np.sqrt(np.diag(common))
    scale = np.outer(spread, spread)
    return np.divide(common, scale, out=np.zeros_like(common), where=scale > 0)
