"""Facts of economies as arrays, and what was computed from them, kept for the next who asks."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.errors import Refused

MOST = 64  # results kept
_KNOWN: dict[str, Any] = {}  # equilibria and plans of the last economies, by digest: welfare asks for them each time


def floats(values: Any) -> Any:
    """An array of JAX's float type (a JAX array, or one of float32, keeps its own; None stays None)."""
    if values is None or isinstance(values, jax.Array):
        return values
    values = np.asarray(values)
    return jnp.asarray(values if values.dtype == np.float32 else values.astype(np.float64, copy=False))


def remember(what: str, key: str, make: Any) -> Any:
    """`make()`, kept for the last few economies."""
    name = f"{what} {key}"
    if name not in _KNOWN:
        while len(_KNOWN) > MOST:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[name] = make()
    return _KNOWN[name]


@jax.custom_jvp
def without_derivative(fact: Any) -> Any:
    """The fact; whoever differentiates by it is told why not: where prices stand still it would be 0 or NaN."""
    return fact


@without_derivative.defjvp
def _refused(primals, tangents):
    raise Refused(
        "prices of linear wants have no derivative through settle, since bundles jump where goods tie: "
        "use economy.sensitivity.marginal_welfare, of Fisher markets"
    )
