"""Sinkhorn's balancing: prices of a market with noise, in which every token buys a little of everything.

    alpha_i = T log sum_j exp((s_ij - p_j) / T) - T log k        p_j = T log sum_i exp((s_ij - alpha_i) / T) - T log c_j

Coordinate ascent on the transport problem with entropy of temperature T [unit of the bids]. At T -> 0 its prices clear the
market; at any other they clear the noisy one, and tokens that then take only their best overload somebody.

M. Cuturi, Sinkhorn distances, NIPS 2013; A. Clark and others, Unified scaling laws for routed language models (S-BASE), ICML 2022.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.signals.routers.terms import Terms, in_range

SHARE = 0.2  # of the standard deviation of bids: the temperature where none is given


def step(
    net: Float[Array, "tokens experts"],
    prices: Float[Array, " experts"],
    capacity: Float[Array, " experts"],
    terms: Terms,
    size: Any = None,
) -> Float[Array, " experts"]:
    """One sweep at temperature `size`."""
    heat = SHARE * jnp.std(net) + jnp.finfo(net.dtype).tiny if size is None else size
    alpha = heat * (jax.nn.logsumexp((net - prices) / heat, 1) - jnp.log(terms.k))
    alpha = jnp.maximum(alpha, 0) if terms.opt_out else alpha
    wanted = jax.nn.logsumexp((net - alpha[:, None]) / heat, 0)
    return in_range(heat * (wanted - jnp.log(jnp.maximum(capacity, jnp.finfo(net.dtype).tiny))), terms)
