"""How the prices of a Fisher market move: the society that each law makes, and what its state means.

    law                     wants                   buyers say              their file
    None                    linear, quasi-linear    slopes of a path        `bidders`, `signals.interior`
                            all others              spending and slope      `Buyer`, `signals.second_order` (Newton)
    tatonnement             all but linear          quantities              `Shopper`, `signals.price`
    proportional-response   all, without caps       bids                    `responders`, `signals.clearing`

Paths and slopes need exact prices; quantities and bids get along with few bits, noise, delay. Linear wants are no
function of prices: at a tie a buyer takes either, so tatonnement's prices end within a radius of the step and no nearer
(T. Nan, Y. Gao and C. Kroer, On the convergence of tatonnement for linear Fisher markets, 2024), and it is refused.

Tatonnement's step, h: near the equilibrium of CES buyers prices contract by |1 - h s| at the elasticities s, and by |1 - h|:
h = 1 / max(1, s) is the default, 1/2 for utilities of one's own.
"""

from __future__ import annotations

import dataclasses
import functools as ft
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.core.errors import BadInput, Refused
from catallax.core.society import Society
from catallax.economy.buyers import eisenberg
from catallax.economy.buyers.bidders import Bidder
from catallax.economy.buyers.responders import Linear, Responder
from catallax.economy.facts import without_derivative
from catallax.signals.clearing import Clearing
from catallax.signals.interior import Interior
from catallax.signals.price import Tatonnement, normalised
from catallax.signals.second_order import SecondOrder

if TYPE_CHECKING:
    from catallax.economy.fisher import Fisher

LAWS = ("tatonnement", "proportional-response")
NOTHING = 1e-30  # the budget, a share of all, of an empty seat
AIM = {4: 5e-5, 8: 2e-7}  # the gap at which prices stand still, by the bytes of a number
CHEAPEST = 0.1  # of a usual price: the least that a good starts from
UNKNOWN = 0.5  # tatonnement's step where elasticities are not known


class Buyer(Agent):
    """Spends its whole budget at the prices that it hears, and says how that would change with them."""

    budget: Float[Array, "*buyers"]
    utility: Any

    def respond(self, view: View, key):
        """Spending and its slope."""
        return self, self.utility.answer(view.public, self.budget)

    def tally(self, view: View, keys):
        """The same for stacked buyers, summed by matrix products."""
        return self, self.utility.answers(view.public, self.budget)


class Shopper(Agent):
    """Spends its whole budget at the prices that it hears, and says how much of each good that buys."""

    budget: Float[Array, "*buyers"]
    utility: Any

    def respond(self, view: View, key):
        """The quantities demanded."""
        return self, self.utility.spending(view.public, self.budget) / view.public

    def tally(self, view: View, keys):
        """The same for stacked buyers, summed by matrix products."""
        return self, self.utility.total(view.public, self.budget) / view.public


def check(market: Fisher) -> None:
    """BadInput for a law that is none, or that the market's wants do not go with."""
    law, step = market.law, market.step
    if law is not None and law not in LAWS:
        raise BadInput(f"Fisher.law is {law!r}: give None (by the kind of utility), or one of {', '.join(LAWS)}")
    if law == "tatonnement" and market.interior:
        raise BadInput(
            "Fisher.law is 'tatonnement', but at a tie linear wants take either good, so prices end within a radius of the "
            "step and no nearer: give law='proportional-response', or None for the interior path"
        )
    if law == "proportional-response" and market.capped:
        raise BadInput("Fisher.law is 'proportional-response', which knows no caps: leave out the caps, or the law")
    if step is not None and (law is None or not 0 < step < np.inf):
        raise BadInput(f"Fisher.step is {step!r}: give a positive number, and with a law that has a step")
    if step is not None and law == "proportional-response" and (isinstance(market.utility, str) or step > 1):
        raise BadInput(
            "Fisher.step of proportional response tempers utilities of one's own: give at most 1, and there alone"
        )


def society(market: Fisher) -> Society:
    """Buyers and their prices; all budgets together are the unit of money."""
    if market.law is None and market.interior:
        facts = {name: without_derivative(getattr(market, name)) for name in ("valuations", "budgets", "supply")}
        return following(dataclasses.replace(market, **facts))
    total, dtype = market.budgets.sum(), market.valuations.dtype
    share, supply = market.budgets / total, market.supply
    if market.law == "proportional-response":
        return responding(market, share, total)
    price = opening_price(market.valuations, share, supply, None if market.start is None else market.start / total)
    if market.law == "tatonnement":
        step = jnp.asarray(market.step or cautious(market), dtype)
        log_price = normalised(jnp.log(price), supply)
        return Society(Shopper(share, market.wants), Tatonnement(log_price, supply, step, bounded=True))
    return Society(Buyer(share, market.wants), SecondOrder.opening(jnp.log(price), supply, aim(market)))


def aim(market: Fisher) -> Any:
    """The gap at which prices stand still; Newton's estimate is of second order in prices, and Leontief's gap of first."""
    goal = market.goal or AIM[market.valuations.dtype.itemsize]
    return np.asarray((goal / market.supply.size) ** 2 if recipes(market) else goal, market.valuations.dtype)


def recipes(market: Fisher) -> bool:
    """Whether some want goods in fixed proportions."""
    fixed = market.elasticity
    return (
        market.utility == "leontief"
        if fixed is None or isinstance(fixed, Tracer)
        else bool((np.asarray(fixed) == 0).any())
    )


def opening_price(value: Any, share: Any, supply: Any, start: Any) -> Any:
    """Prices to begin with: what everyone would spend in proportion to worth, or not far below it."""
    worth = value * supply
    usual = share @ (worth / worth.sum(1, keepdims=True)) / supply
    # a good that was free may be scarce now: from a price of nothing the way up is long
    price = usual if start is None else jnp.maximum(jnp.asarray(start, value.dtype), CHEAPEST * usual)
    return jnp.maximum(price, 1e-12 / supply)


def following(market: Fisher) -> Society:
    """Buyers of linear wants on the central path; empty seats, who have next to no money, make up the number."""
    facts = dict(value=market.valuations, budgets=market.budgets, cap=market.cap, limit=market.limit)
    if empty := max(0, market.seats - len(market.budgets)):
        facts = {k: None if x is None else seated(np.asarray(x), empty, k != "budgets") for k, x in facts.items()}
    start = None if market.start is None else jnp.asarray(market.start, market.valuations.dtype)
    return opened(**facts, supply=market.supply, start=start, goal=aim(market), money=market.money)


def seated(fact: np.ndarray, empty: int, filling: int) -> np.ndarray:
    """A fact of buyers with as many more rows."""
    return np.concatenate([fact, np.full((empty, *fact.shape[1:]), filling, fact.dtype)])


@ft.partial(jax.jit, static_argnames="money")  # one step: small ones would be compiled one by one, for every size
def opened(value: Any, budgets: Any, cap: Any, limit: Any, supply: Any, start: Any, goal: Any, money: bool) -> Society:
    """The society before its first round."""
    total = budgets.sum()
    share = jnp.maximum(budgets / total, NOTHING)
    price = opening_price(value, share, supply, None if start is None else start / total)
    agents = Bidder.opening(value / total if money else value, share, price, supply, money, cap, limit)
    return Society(agents, Interior.opening(price, supply, goal))


def cautious(market: Fisher) -> Any:
    """Tatonnement's step by the largest elasticity of substitution."""
    if not isinstance(market.utility, str):
        return UNKNOWN
    wants: Any = market.wants
    return 1 / jnp.maximum(1, jnp.max(wants.elasticity))


def responding(market: Fisher, share: Any, total: Any) -> Society:
    """Buyers of equal bids on all that they want (and on money, where they want it), at the prices which these make."""
    value, dtype = market.valuations, market.valuations.dtype
    wanted = value > 0 if isinstance(market.utility, str) else jnp.ones(value.shape, bool)
    if market.money:
        value, wanted = (jnp.pad(x, ((0, 0), (0, 1)), constant_values=1) for x in (value / total, wanted))
    utility = Linear(value) if market.interior else market.wants
    agents = Responder.opening(share, wanted, utility, jnp.asarray(market.step or 1, dtype), market.money)
    bid = agents.bid[:, : market.supply.size]
    price = bid.sum(0) / market.supply if market.start is None else jnp.asarray(market.start / total, dtype)
    return Society(agents, Clearing(price, market.supply))


def values(market: Fisher, society: Society, heard: Any) -> dict[str, Any]:
    """Prices (money a unit), what can be delivered, money kept, utilities; float64."""
    total = float(np.asarray(market.budgets, np.float64).sum())
    agents, signal, count = society.agents, society.signal, len(market.budgets)
    if isinstance(agents, Responder):
        bids = np.asarray(agents.bid, np.float64) * total
        kept = bids[:, -1] if market.money else None
        return posted(market, bids[:, : market.supply.size], kept)
    told: Any = signal.public()
    if not isinstance(agents, Bidder):
        return posted(market, eisenberg.spent(market, np.asarray(told if heard is None else heard, np.float64)), None)
    if heard is not None:
        raise Refused(
            "the interior path is followed by exact prices, cut to bits it leads nowhere: give law='proportional-response'"
        )

    def own(fact: Any) -> Any:
        return None if fact is None else np.asarray(fact, np.float64)[:count] * total

    kept, rent, premium = (own(x) for x in (agents.kept, agents.rent, agents.premium))
    given = eisenberg.delivered(market, np.asarray(agents.bundle)[:count])
    return eisenberg.valued(market, given, kept, rent, np.asarray(told.price, np.float64) * total, premium)


def posted(market: Fisher, bids: np.ndarray, kept: Any) -> dict[str, Any]:
    """Where posts clear: all that is bid, for all there is."""
    price = bids.sum(0) / np.asarray(market.supply, np.float64)
    given = np.divide(bids, price, out=np.zeros_like(bids), where=price > 0)
    return eisenberg.valued(market, given, kept, None, price)
