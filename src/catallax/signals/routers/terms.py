"""What all rules share: the terms of sale, who buys at given prices, and how prices are kept in their range.

    v_ij = s_ij - p_j        worth of expert j to token i at these prices; s: bids less costs, p: prices, in the unit of bids

Token i takes the k experts of greatest v_ij; where it may buy nothing, those of them with v_ij > 0. Prices are at least 0. At
exact balance (room for all units and not one more) only differences of prices matter, so the least is set to 0.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

WIDE = 8  # up to so many of the largest are found by repeated maxima: XLA sorts whole rows for more


class Terms(NamedTuple):
    """`k` experts a token; `free`: at exact balance, where prices have no zero; `opt_out`: a token may buy nothing."""

    k: int
    free: bool = False
    opt_out: bool = False


def largest(values: Float[Array, "tokens experts"], k: int) -> Float[Array, " tokens"]:
    """The k-th largest of each row, equals counted one by one."""
    if k > WIDE:
        return jax.lax.top_k(values, k)[0][:, -1]
    level = jnp.max(values, 1)
    for r in range(2, k + 1):
        below = values < level[:, None]
        level = jnp.where(jnp.sum(~below, 1) >= r, level, jnp.max(jnp.where(below, values, -jnp.inf), 1))
    return level


def load_at(
    net: Float[Array, "tokens experts"], prices: Float[Array, " experts"], terms: Terms
) -> Float[Array, " experts"]:
    """How many tokens want each expert; who is torn between equals is counted at each of them."""
    worth = net - prices
    least = largest(worth, terms.k)[:, None]
    wanted = (worth >= least) & (worth > 0) if terms.opt_out else worth >= least
    return jnp.sum(wanted, 0, dtype=net.dtype)


def beside(net: Float[Array, "tokens experts"], prices: Float[Array, " experts"], terms: Terms) -> Any:
    """What each token would gain beside its k best, [tokens]: any expert must beat that to be bought."""
    experts = net.shape[1]
    rival = largest(net - prices, min(terms.k + 1, experts))
    if not terms.opt_out:
        return rival
    return jnp.maximum(rival, 0) if terms.k < experts else jnp.zeros_like(rival)


def in_range(prices: Float[Array, " experts"], terms: Terms) -> Float[Array, " experts"]:
    """Prices of at least 0; at exact balance the least is 0."""
    return prices - jnp.min(prices) if terms.free else jnp.maximum(prices, 0)
