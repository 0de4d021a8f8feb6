"""float64 for certificates, whatever the session's default: only what is declared double becomes double.

JAX's `jax_explicit_x64_dtypes = allow` respects float64 where it is asked for and leaves every default as it
is, so a round that draws random numbers draws the same ones, of the run's own dtype.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


@contextlib.contextmanager
def double() -> Iterator[None]:
    """Allow explicit float64 inside, and restore the setting after."""
    if (
        jnp.result_type(float) == np.float64
    ):  # allowed already; to change the setting would have everything traced again
        yield
        return
    before = getattr(jax.config, "jax_explicit_x64_dtypes")  # noqa: B009  (an attribute that jax does not declare)
    jax.config.update("jax_explicit_x64_dtypes", "allow")
    try:
        yield
    finally:
        jax.config.update("jax_explicit_x64_dtypes", before)


def doubled(tree) -> Any:
    """The float leaves of `tree` in float64 (to be called inside `double()`), all else as it is."""

    def widen(leaf):
        if not eqx.is_array(leaf) or not jnp.issubdtype(leaf.dtype, jnp.floating):
            return leaf
        return jnp.asarray(np.asarray(leaf), dtype=np.float64)

    return jax.tree.map(widen, tree)
