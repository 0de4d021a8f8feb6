"""Consumers of a good that harms others, and the price that they are told, a tax on top.

Consumer i draws b_i x_i - c_i x_i^2 / 2 from x_i and suffers h_i X^2 / 2 from all that is used; makers supply X at k + m X.
Who believes in the share l of the own effects buys where

    b_i - c_i x_i = k + m X + tax + l (m x_i + h_i X)
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.core.channel import Span
from catallax.core.signal import Signal


class Consumer(Agent):
    """Buys until one more is worth no more than it costs; with `leak`, than it costs with the own effects.

    `benefit` b and `satiation` c of its marginal benefit b - c x; `harm` h; `rise` m of the price.
    """

    benefit: Float[Array, "*consumers"]
    satiation: Float[Array, "*consumers"]
    harm: Float[Array, "*consumers"]
    rise: Float[Array, ""]
    leak: Float[Array, ""] | None = None

    def respond(self, view: View, key):
        """The quantity bought."""
        if self.leak is None:
            return self, bought(self.benefit, self.satiation, view.public)
        price, total = view.public
        suffered = self.leak * self.harm * total
        return self, bought(self.benefit, self.satiation + self.leak * self.rise, price + suffered)


def bought(benefit: Any, steepness: Any, price: Any) -> Any:
    """x >= 0 at which benefit - steepness x = price."""
    return jnp.maximum(benefit - price, 0) / steepness


class TaxedPrice(Signal):
    """The price at which makers supply what was bought last, with the tax on top; `all`: also how much that was.

    `total` moves by the share `step` towards what is bought now. `base` k, `rise` m, `choke`: a price at which nobody buys.
    """

    standing = True
    total: Float[Array, ""]
    base: Float[Array, ""]
    rise: Float[Array, ""]
    tax: Float[Array, ""]
    step: Float[Array, ""]
    choke: Float[Array, ""]
    reach: Float[Array, ""]
    all: bool = eqx.field(static=True, default=False)

    def public(self):
        """What a unit costs; with `all` also how many were bought."""
        price = self.base + self.rise * self.total + self.tax
        return (price, self.total) if self.all else price

    def propagate(self, summary) -> "TaxedPrice":
        return dataclasses.replace(self, total=self.total + self.step * (summary - self.total))

    def unrest(self, summary):
        """How far what is bought is from what was, as a share of the most that could be."""
        return jnp.abs(summary - self.total) / self.reach

    def span(self):
        """From the price of the first unit to one at which nobody buys."""
        low = jnp.minimum(self.base + jnp.minimum(self.tax, 0), self.choke - 1)
        price = Span(low, self.choke + jnp.maximum(self.tax, 0))
        return (price, Span(jnp.zeros_like(self.reach), self.reach)) if self.all else price
