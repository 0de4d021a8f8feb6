"""A price for each good: the scalar that stands for everyone's willingness to pay.

    posts        m_j = sum_i b_ij          p_j = m_j / S_j               bids b [money], supply S [units]
    tatonnement  z_j = m_j / p_j - S_j     v_j <- v_j exp(h z_j / S_j)   or  v_j + h z_j / (n_goods S_j)

v_j = p_j S_j is the value of all there is of good j; money is a unit of account, so prices are normalised to
p . S = 1 in every round. State is the logarithm of prices: they stay positive whatever solver moves them.
Unrest is the largest excess demand relative to supply, |m_j / (p_j S_j) - 1|: 0 where all markets clear.

L. Shapley and M. Shubik, Trade using one commodity as a means of payment, J. Political Economy 85, 1977.
P. Samuelson, The stability of equilibrium, Econometrica 9, 1941 (tatonnement).
"""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.channel import Span
from catallax.core.signal import Signal
from catallax.signals.routing import clear as clear

RANGE = (
    50.0  # prices are heard from 1/50 of the least to 50 times the greatest price at which all goods are worth the same
)

FREE = 1e-12  # the share of all value at which a good is as good as free


def normalised(log_price: Float[Array, " goods"], supply: Float[Array, " goods"]) -> Float[Array, " goods"]:
    """Log prices in the unit of account in which all there is costs 1."""
    top = jnp.max(log_price + jnp.log(supply))
    return log_price - top - jnp.log(jnp.sum(jnp.exp(log_price - top) * supply))


def price_span(supply: Float[Array, " goods"]) -> Span:
    """One price list for all goods, on a log scale: whoever reads it need not know how much there is of each."""
    equal = 1 / (supply.size * supply)
    return Span(jnp.min(equal) / RANGE, jnp.max(equal) * RANGE, "log")


class Posts(Signal):
    """Trading posts: all of `supply` is for sale, money bid at a post is divided by what is offered there.

    Agents act by bids, Float[goods] in the unit of account. `step` in (0, 1]: how far the announced log price
    moves towards the price at which the posts cleared (1: all the way). With `turnover` (all money bid, kept from
    round to round) each agent, which must then have a field `bid`, is told its own last bid in the unit of account:
    who reckons with the own effect has to know it, and only the posts know what all money came to.
    """

    standing = True
    log_price: Float[Array, " goods"]
    supply: Float[Array, " goods"]
    step: Float[Array, ""]
    turnover: Float[Array, ""] | None = None

    def public(self) -> Float[Array, " goods"]:
        """The price of each good."""
        return jnp.exp(self.log_price)

    def local(self, agents) -> Float[Array, "agents goods"] | None:
        """The own last bid in the unit of account, for those who reckon with it."""
        return None if self.turnover is None else agents.bid / self.turnover

    def propagate(self, summary) -> "Posts":
        tiny = jnp.asarray(jnp.finfo(summary.dtype).tiny, summary.dtype)
        cleared = normalised(jnp.log(jnp.maximum(summary, tiny)) - jnp.log(self.supply), self.supply)
        mixed = (1 - self.step) * self.log_price + self.step * cleared
        turnover = None if self.turnover is None else jnp.sum(summary)
        return Posts(normalised(mixed, self.supply), self.supply, self.step, turnover)

    def unrest(self, summary):
        value = jnp.exp(self.log_price) * self.supply
        return jnp.max(jnp.abs(summary / (jnp.sum(summary) * value) - 1))

    def span(self) -> Span:
        return price_span(self.supply)


class Tatonnement(Signal):
    """An auctioneer raises the price of what is wanted too much. Agents act by the quantities they demand, Float[goods].

    `step` h > 0; `rule`: multiplicative or additive. `bounded`: reacts to an excess of one supply at most (Cole and
    Fleischer), leaves every good the share `FREE` of all value, and calls it no unrest if goods that cheap are left over.

    R. Cole and L. Fleischer, Fast-converging tatonnement algorithms for one-time and ongoing market problems, STOC 2008.
    """

    standing = True
    log_price: Float[Array, " goods"]
    supply: Float[Array, " goods"]
    step: Float[Array, ""]
    rule: Literal["multiplicative", "additive"] = eqx.field(static=True, default="multiplicative")
    bounded: bool = eqx.field(static=True, default=False)

    def public(self) -> Float[Array, " goods"]:
        """The price of each good."""
        return jnp.exp(self.log_price)

    def propagate(self, summary) -> "Tatonnement":
        excess = summary / self.supply - 1
        excess = jnp.minimum(excess, 1) if self.bounded else excess
        if self.rule == "multiplicative":
            log_price = self.log_price + self.step * excess
        else:
            value = jnp.exp(self.log_price) * self.supply + self.step * excess / self.supply.size
            floor = 1e-9 / self.supply.size
            log_price = jnp.log(jnp.maximum(value, floor)) - jnp.log(self.supply)
        log_price = normalised(log_price, self.supply)
        log_price = jnp.maximum(log_price, jnp.log(FREE / self.supply)) if self.bounded else log_price
        return Tatonnement(log_price, self.supply, self.step, self.rule, self.bounded)

    def unrest(self, summary):
        excess = summary / self.supply - 1
        if self.bounded:
            free = jnp.exp(self.log_price) * self.supply <= 2 * FREE
            excess = jnp.where(free, jnp.maximum(excess, 0), excess)
        return jnp.max(jnp.abs(excess))

    def span(self) -> Span:
        return price_span(self.supply)
