"""Every token to the experts that it bought, and back, with none dropped.

Units u = token * k + r are ranked at their expert by counting (no sort), and those of rank below `block` are served in one batch
of equal blocks [experts, block, width]: two matrix products for all experts. Where loads keep to `block` that is all: prices
pay here, for a block that is a little larger than a fair load is cheap. Where one is larger, further passes serve the rest.
On a CPU `jax.lax.ragged_dot` multiplies all tokens by all experts: `experts` times the work.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

CHUNK = 128  # units counted together: a running count over all units in one go takes several passes over memory


def ranks(expert: Int[Array, " units"], experts: int) -> tuple[Int[Array, " units"], Int[Array, " experts"]]:
    """(how many units before it went to the same expert, how many units each expert has); -1 goes nowhere."""
    units = expert.shape[0]
    chunks = -(-units // CHUNK)
    padded = jnp.pad(expert, (0, chunks * CHUNK - units), constant_values=-1)
    here = (padded.reshape(chunks, CHUNK, 1) == jnp.arange(experts)).astype(jnp.int32)
    within = jnp.cumsum(here, 1)
    last = within[:, -1]
    before = jnp.cumsum(last, 0) - last
    count = (within - 1 + before[:, None]).reshape(-1, experts)[:units]
    return jnp.take_along_axis(count, jnp.maximum(expert, 0)[:, None], 1)[:, 0], jnp.sum(last, 0)


def dispatch(
    serve: Callable, x: Float[Array, "tokens width"], choice: Int[Array, "tokens k"], experts: int, block: int
) -> tuple[Float[Array, "tokens k out"], Int[Array, " experts"]]:
    """What each token gets from each expert that it chose, 0 where that is -1; and the load of each expert.

    `serve` takes and returns [experts, block, width]. A token may choose an expert once.
    """
    tokens, k = choice.shape
    expert = choice.reshape(-1)
    rank, load = ranks(expert, experts)

    def one_pass(first: Any) -> Any:
        at = rank - first
        inside = (at >= 0) & (at < block) & (expert >= 0)
        place = jnp.where(inside, expert * block + at, experts * block)
        unit = jnp.full(experts * block, tokens * k, jnp.int32).at[place].set(jnp.arange(tokens * k), mode="drop")
        blocks = jnp.take(x, unit // k, axis=0, mode="fill", fill_value=0).reshape(experts, block, -1)
        served = serve(blocks)
        flat = served.reshape(experts * block, -1)
        return jnp.take(flat, place, axis=0, mode="fill", fill_value=0)

    def all_passes() -> Any:
        shape = jax.eval_shape(one_pass, 0)

        def further(total, first):
            more = jax.lax.cond(jnp.max(load) > first, one_pass, lambda _: jnp.zeros(shape.shape, shape.dtype), first)
            return total + more, None

        return jax.lax.scan(jax.checkpoint(further), jnp.zeros(shape.shape, shape.dtype), jnp.arange(0, tokens, block))[
            0
        ]

    if block >= tokens:
        found = one_pass(0)
    else:
        found = jax.lax.cond(jnp.max(load) <= block, lambda: one_pass(0), jax.checkpoint(all_passes))
    return found.reshape(tokens, k, -1), load
