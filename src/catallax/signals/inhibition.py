"""Lateral inhibition: everyone hears what is still unexplained, and explains less of what others explain already.

    residual   r = x - sum_i a_i d_i          public, [samples, pixels]: the price of what is still unexplained
    action     what a neuron explains, a_i d_i; what that costs it; how loud its match with the residual is, in penalties
    unrest     the duality gap (P - D) / P of the worst sample:  P = |r|^2 / 2 + cost,  D = s x.r - s^2 |r|^2 / 2,
               s = min(x.r / |r|^2, 1 / loudest)

s r is a price for each pixel at which no neuron wants to say more: the dual point of the LASSO. The signal itself so knows how
far from optimal its neurons are at most (of the codes that made the residual, heard exactly). What inhibits is not who says
something but what is explained: `(G - I) a` of Rozell et al. 2008 in d numbers a sample, however many neurons there are.
"""

from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.channel import Span
from catallax.core.signal import Signal


class Said(NamedTuple):
    """A neuron's action, and the sum of all: `loudest` is a maximum."""

    explained: Float[Array, "*neurons samples pixels"]
    cost: Float[Array, "*neurons samples"]
    loudest: Float[Array, "*neurons samples"]


class Inhibition(Signal):
    """What is unexplained of `given` [samples, pixels]. Neurons act by `Said`."""

    merge: ClassVar = {"explained": "sum", "cost": "sum", "loudest": "max"}
    standing: ClassVar[bool] = True
    residual: Float[Array, "samples pixels"]
    given: Float[Array, "samples pixels"]

    def public(self) -> Float[Array, "samples pixels"]:
        """The residual."""
        return self.residual

    def propagate(self, summary: Said) -> "Inhibition":
        return Inhibition(self.given - summary.explained, self.given)

    def unrest(self, summary: Said) -> Float[Array, ""]:
        """The gap of the worst sample, 0 at rest."""
        tiny = jnp.finfo(self.residual.dtype).tiny
        size = jnp.sum(self.residual**2, 1)
        along = jnp.sum(self.given * self.residual, 1)
        scale = jnp.minimum(along / jnp.maximum(size, tiny), 1 / jnp.maximum(summary.loudest, tiny))
        scale = jnp.maximum(scale, 0)
        most, least = size / 2 + summary.cost, scale * along - scale**2 * size / 2
        return jnp.max(jnp.maximum(most - least, 0) / jnp.where(most > 0, most, 1))

    def span(self) -> Span:
        """No pixel is unexplained by more than the strongest was to begin with, either way."""
        most = jnp.max(jnp.abs(self.given))
        return Span(-most, most)
