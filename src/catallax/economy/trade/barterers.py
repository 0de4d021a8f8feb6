"""Traders with linear wants, u_i = a_i.x: on the central path of `economy.buyers.bidders`, with what their goods fetch as budget.

With income B = e.p / p.S, told dp (and then p.S), Newton's step of `bidders` gains what the income gains, dB / l, l = B / u:

    x(dp) = a + (h v) c / A - [diag(h) - (h v) (h v)' / A - (h v) (dB/dp)' / (l A)] dp,   dB/dp = (e - B S) / p.S

so the margin, (h v) / (l A), is what is taken more for every unit of income. `signals.barter` clears the market of such
promises.
"""

import dataclasses
from typing import Any

import jax
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.economy.buyers.bidders import Bidder
from catallax.signals.barter import Trade

opened = jax.jit(Bidder.opening)


class Barterer(Agent):
    """A trader of linear wants: `endowment`, units, and where it is on the path; the path's budget is its share of income."""

    endowment: Float[Array, "*traders goods"]
    at: Bidder

    @classmethod
    def opening(cls, endowment: Any, taste: Any, price: Any, supply: Any) -> "Barterer":
        """Stacked traders at the start, prices with price.supply = 1."""
        return cls(endowment, opened(taste, endowment @ price, price, supply))

    def respond(self, view: View, key):
        """Moves on, and says what it would take next."""
        moved, promise = jax.tree.map(lambda x: x[None], self).tally(view, None)
        return jax.tree.map(lambda x: x[0], moved), promise

    def tally(self, view: View, keys):
        """The same for stacked traders, summed by matrix products."""
        told, at = view.public, self.at
        # by how much it changed has digits that are lost in what it is
        earned = (self.endowment @ told.move.rose - at.budget * told.grew) / told.worth
        income, promise = at.budget + earned, at.promise._replace(first=at.promise.first + earned / at.worth)
        at = dataclasses.replace(at, promise=promise).moved(told.move)
        at, stance = dataclasses.replace(at, budget=income).stance(told.move)
        margin = at.margin(told.move.price, told.move.next)[0] * at.value / (at.promise.big * at.worth)[:, None]
        slope = stance.slope - margin.T @ self.endowment / told.worth
        return Barterer(self.endowment, at), Trade(stance._replace(slope=slope), income @ margin)
