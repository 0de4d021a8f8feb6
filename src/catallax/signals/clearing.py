"""Trading posts at which all money bid buys all there is, and which say how far everyone is from the best purchase.

    p_j = m_j / s_j,   m_j = sum_i b_ij                 bids b [money], supply s [units]

Buyers hold bids and adjust them to prices (`economy.buyers.responders`: proportional response), so prices that rest prove
nothing: bids may still creep. Each buyer says beside its bids by how much it fell short at the prices it heard, B log(V/u)
plus the money that it keeps, and the sum of that is the gap of Eisenberg and Gale's programme:

    unrest = |sum_i B_i log(V_i / u_i) + sum_i k_i + p.s - 1|         all budgets together are the unit of money

m + 1 numbers a round, however many buyers there are. Prices keep their level: some money may not be spent.

L. Shapley and M. Shubik, Trade using one commodity as a means of payment, J. Political Economy 85, 1977.
"""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.channel import Span
from catallax.core.signal import Signal
from catallax.signals.price import price_span


class Bids(NamedTuple):
    """What buyers do, each or in sum: `money` [goods] bid at the posts; `shortfall`, money: B log(V / u), and what is kept."""

    money: Any
    shortfall: Any


class Clearing(Signal):
    """Prices at which posts cleared. Agents act by `Bids`; all budgets together are the unit of money."""

    standing: ClassVar[bool] = True
    price: Float[Array, " goods"]
    supply: Float[Array, " goods"]

    def public(self) -> Float[Array, " goods"]:
        """The price of each good."""
        return self.price

    def propagate(self, summary: Bids) -> "Clearing":
        tiny = jnp.finfo(summary.money.dtype).tiny
        return Clearing(jnp.maximum(summary.money / self.supply, tiny), self.supply)

    def unrest(self, summary: Bids):
        return jnp.abs(summary.shortfall + self.price @ self.supply - 1)

    def span(self) -> Span:
        return price_span(self.supply)
