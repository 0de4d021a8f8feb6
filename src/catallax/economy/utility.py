"""Constant elasticity of substitution, for one trader: how income is split over goods at given prices.

    u = (sum_j a_j x_j^r)^(1/r), r = (s - 1) / s      spending share of good j: a_j^s p_j^(1-s) / sum_k a_k^s p_k^(1-s)

s = 1 is Cobb-Douglas (shares are the tastes, whatever the prices); s = 0 is by definition Leontief,
u = min over a_j > 0 of x_j / a_j, with shares proportional to a_j p_j. The float64 judge of outcomes is
`economy.walras`; this file is what agents carry.

K. Arrow, H. Chenery, B. Minhas and R. Solow, Capital-labor substitution and economic efficiency, 1961.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

ABSENT = -1e30  # the log weight of a good that is not wanted: its share is exactly 0, and so is its gradient


class CES(eqx.Module):
    """Tastes a >= 0, not all 0, and an elasticity s >= 0; stacked along "traders" in a society."""

    taste: Float[Array, "*traders goods"]
    elasticity: Float[Array, "*traders"]

    def log_weight(self, log_price: Float[Array, " goods"]) -> Float[Array, " goods"]:
        """log of a_j^s p_j^-s (of a_j at s = 0): the bundle bought at these prices is proportional to its exponential."""
        wanted = self.taste > 0
        log_taste = jnp.log(jnp.where(wanted, self.taste, 1))
        power = jnp.where(self.elasticity == 0, 1, self.elasticity)
        return jnp.where(wanted, power * log_taste - self.elasticity * log_price, ABSENT)

    def spending(self, price: Float[Array, " goods"], income: Float[Array, ""]) -> Float[Array, " goods"]:
        """Money spent on each good by a price-taker."""
        log_price = jnp.log(price)
        return income * jax.nn.softmax(self.log_weight(log_price) + log_price)

    def total(self, price: Float[Array, " goods"], incomes: Float[Array, " traders"]) -> Float[Array, " goods"]:
        """What stacked price-takers spend together."""
        return jax.vmap(lambda utility, income: utility.spending(price, income))(self, incomes).sum(0)


class CobbDouglas(eqx.Module):
    """Elasticity 1 for all: tastes that sum to 1 are the spending shares, so nothing need be computed from prices."""

    taste: Float[Array, "*traders goods"]

    @property
    def elasticity(self) -> Float[Array, ""]:
        return jnp.ones((), self.taste.dtype)

    def log_weight(self, log_price: Float[Array, " goods"]) -> Float[Array, " goods"]:
        """See `CES.log_weight`."""
        wanted = self.taste > 0
        return jnp.where(wanted, jnp.log(jnp.where(wanted, self.taste, 1)) - log_price, ABSENT)

    def spending(self, price: Float[Array, " goods"], income: Float[Array, ""]) -> Float[Array, " goods"]:
        """Money spent on each good by a price-taker."""
        return income * self.taste

    def total(self, price: Float[Array, " goods"], incomes: Float[Array, " traders"]) -> Float[Array, " goods"]:
        """What stacked price-takers spend together: a matrix product, in parts so that float32 keeps its digits."""
        parts = divisor(incomes.size)
        tastes = self.taste.reshape(parts, -1, price.size)
        return jnp.einsum("kb,kbm->km", incomes.reshape(parts, -1), tastes).sum(0)


def divisor(count: int, most: int = 128, least: int = 512) -> int:
    """The largest divisor of `count` that is at most `most` and leaves parts of at least `least`; 1 if there is none."""
    return max((k for k in range(1, min(most, count // least) + 1) if count % k == 0), default=1)
