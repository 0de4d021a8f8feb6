"""The sign rule: who is asked for too much gets dearer by one step, who too little cheaper by one.

    p_j <- p_j + h sign(load_j - c_j)        h [unit of the bids]: how far a price moves in a round

Two bits an expert and round are all that is heard of the loads. Prices come no nearer to clearing than h.

L. Wang, H. Gao, C. Zhao, X. Sun and D. Dai, Auxiliary-loss-free load balancing strategy for mixture-of-experts, 2024
(arXiv 2408.15664: h = .001 for scores between 0 and 1).
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.signals.routers.terms import Terms, in_range, load_at

SHARE = 0.02  # of the standard deviation of bids: the step where none is given


def step(
    net: Float[Array, "tokens experts"],
    prices: Float[Array, " experts"],
    capacity: Float[Array, " experts"],
    terms: Terms,
    size: Any = None,
) -> Float[Array, " experts"]:
    """One step of `size`."""
    size = SHARE * jnp.std(net) if size is None else size
    return in_range(prices + size * jnp.sign(load_at(net, prices, terms) - capacity), terms)
