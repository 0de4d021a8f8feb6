"""Tatonnement: prices follow excess demand.

    p_j <- p_j + h min(1, (load_j - c_j) / c_j)        h [unit of the bids]: the most that a price moves in a round

An expert reacts to an excess of one capacity at most (R. Cole and L. Fleischer, STOC 2008): with k experts a token, greed fills
some many times over. Steps that are too long do not settle.

L. Walras, Elements of pure economics, 1874; P. Samuelson, Econometrica 9, 1941.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.signals.routers.terms import Terms, in_range, load_at

SHARE = 0.1  # of the standard deviation of bids: the step where none is given


def step(
    net: Float[Array, "tokens experts"],
    prices: Float[Array, " experts"],
    capacity: Float[Array, " experts"],
    terms: Terms,
    size: Any = None,
) -> Float[Array, " experts"]:
    """One step of `size`."""
    size = SHARE * jnp.std(net) if size is None else size
    excess = (load_at(net, prices, terms) - capacity) / jnp.maximum(capacity, 1)
    return in_range(prices + size * jnp.minimum(excess, 1), terms)
