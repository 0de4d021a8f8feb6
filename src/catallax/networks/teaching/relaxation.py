"""Relaxation to a fixed point: steps until nothing moves any more, or as many as there are."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def relaxed(step: Callable, begin: tuple, steps: int, tolerance: float) -> tuple[tuple, Any]:
    """Where it ends, and the steps that it took; `step`: of a state to the next one and how far that moved.

    Ends when a step moves by no more than `tolerance`; where that is 0 all steps are made, and there is a gradient.
    """
    if not tolerance:
        return jax.lax.fori_loop(0, steps, lambda _, state: step(state)[0], begin), jnp.asarray(steps)

    def body(carry: tuple) -> tuple:
        count, state, _ = carry
        return count + 1, *step(state)

    def unsettled(carry: tuple) -> Any:
        return (carry[0] < steps) & (carry[2] > tolerance)

    start = (jnp.asarray(0), begin, jnp.asarray(jnp.inf, begin[0].dtype))
    count, state, _ = jax.lax.while_loop(unsettled, body, start)
    return state, count
