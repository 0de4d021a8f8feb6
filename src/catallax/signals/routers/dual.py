"""Quantile balancing: coordinate descent on the dual, each expert at the price at which it is just full.

    alpha_i = (k+1)-th largest over j of s_ij - p_j          p_j = (c_j+1)-th largest over i of s_ij - alpha_i

are the exact minima of D(p, alpha) = sum_j c_j p_j + k sum_i alpha_i + sum_ij (s_ij - p_j - alpha_i)+ over alpha for given p and
over p for given alpha. All p_j move at once. The quantile over tokens is found by halving an interval `HALVINGS` times and
counting: XLA's sort along a long axis on a CPU takes 27 to 100 times as long.

J. Su, Quantile balancing (kexue.fm 11619), 2026; the assignment it relaxes is that of M. Lewis and others, BASE layers, ICML 2021.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.signals.routers.terms import Terms, beside, in_range

HALVINGS = 14


def step(
    net: Float[Array, "tokens experts"],
    prices: Float[Array, " experts"],
    capacity: Float[Array, " experts"],
    terms: Terms,
    size: Any = None,
) -> Float[Array, " experts"]:
    """The prices at which each expert would be full, all else as it is; `size` has no meaning here."""
    margin = net - beside(net, prices, terms)[:, None]

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        over = jnp.sum(margin > middle, 0, dtype=net.dtype) > capacity
        return jnp.where(over, middle, low), jnp.where(over, high, middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (jnp.min(margin, 0), jnp.max(margin, 0)))
    return in_range((low + high) / 2, terms)
