"""The float64 judge of traders whose utilities are the user's own: the two questions of `demand.Traders` that a market asks."""

from typing import Any, NamedTuple

import jax
import numpy as np

from catallax.core.precision import doubled


class Own(NamedTuple):
    """Stacked utilities (`economy.utility.Utility`), asked in float64."""

    stacked: Any

    def demand(self, price: Any, income: Any) -> np.ndarray:
        """The best bundle [n, m] that `income` [n] buys at `price` [m]."""
        return self.each(lambda u, w, p: u.spending(p, w) / p, income, price)

    def utility(self, bundle: Any) -> np.ndarray:
        """Utility [n] of `bundle` [n, m]."""
        return np.exp(self.each(lambda u, x: u.log_utility(x), bundle))

    def each(self, function: Any, given: Any, *shared: Any) -> np.ndarray:
        """`function(utility, given, *shared)` of each trader; `given` has a row for each."""
        with jax.enable_x64(True):
            arrays = [jax.numpy.asarray(np.asarray(x, np.float64)) for x in (given, *shared)]
            asked = jax.jit(jax.vmap(function, in_axes=(0, 0, *[None] * len(shared))))
            return np.asarray(asked(doubled(self.stacked), *arrays), np.float64)
