"""How the prices of an exchange economy move: the society of each law, what its state means, and what is refused.

Linear wants need every good linked to every other by trade in both directions: someone who owns the one wants the other, or
is linked to it through others (Gale's irreducibility). Else a group of goods pays for itself alone, and relative prices are
free, or 0 for what is wanted without end.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, get_args

import jax.numpy as jnp
import numpy as np

from catallax.core.errors import BadInput, Refused
from catallax.core.society import Society
from catallax.economy.trade import judgement
from catallax.economy.trade.barterers import Barterer
from catallax.economy.trade.traders import Influencer, PriceTaker
from catallax.economy.utility import Utility
from catallax.signals.barter import Barter
from catallax.signals.interior import Interior
from catallax.signals.newton import NewtonPrices
from catallax.signals.price import Posts, Tatonnement

if TYPE_CHECKING:
    from catallax.economy.exchange import Exchange

Law = Literal["posts", "multiplicative", "additive", "second-order", "interior"]
SAYS: dict[str, Any] = {
    "posts": "bids",
    "multiplicative": "quantities",
    "additive": "quantities",
    "second-order": "slopes",
}
LAWS = get_args(Law)
AIM = {4: 5e-5, 8: 1e-9}  # the gap at which prices of linear wants stand still, by the bytes of a number


def society(problem: Exchange) -> Society:
    """Price-takers and their prices."""
    if problem.rule != "interior":
        return Society(PriceTaker(problem.endowment, problem.wants, SAYS[problem.rule]), signal(problem))
    check_linked(problem)
    endowment, supply = problem.endowment, jnp.asarray(problem.supply)
    price = jnp.exp(opening(problem))
    goal = jnp.asarray(AIM[endowment.dtype.itemsize], endowment.dtype)
    agents = Barterer.opening(endowment, problem.taste, price, supply)
    return Society(agents, Barter(Interior.opening(price, supply, goal)))


def influencers(problem: Exchange, leak: Any) -> Society:
    """Those who reckon with the share `leak` of the own effect on posts, whose prices are as they are; bids move by `step`."""
    supply, endowment = problem.supply, problem.seen(problem.endowment)
    leak, step, one = (jnp.asarray(x, problem.endowment.dtype) for x in (leak, problem.step, 1.0))
    posts = dataclasses.replace(signal(problem), step=one, turnover=one)
    bid = jnp.asarray(endowment) * posts.public()  # a first bid: the own goods bought back
    agents = Influencer(problem.endowment, problem.wants, bid, jnp.asarray(supply + 0 * endowment), leak, step)
    return Society(agents, posts)


def signal(problem: Exchange) -> Posts | Tatonnement | NewtonPrices:
    """Prices at the start."""
    log_price, supply = opening(problem), jnp.asarray(problem.supply)
    step = jnp.asarray(problem.step, supply.dtype)
    if problem.rule == "posts":
        return Posts(log_price, supply, step)
    if problem.rule == "second-order":
        return NewtonPrices.opening(log_price, supply, step)
    return Tatonnement(log_price, supply, step, "additive" if problem.rule == "additive" else "multiplicative")


def opening(problem: Exchange) -> Any:
    """Log prices at the start, p.supply = 1."""
    supply, xp = problem.supply, jnp if problem.traced else np
    first = 1 / supply if problem.opening is None else problem.opening
    return jnp.asarray(xp.log(first / (first @ supply)))


def values(problem: Exchange, society: Society, heard: Any) -> dict[str, Any]:
    """Prices and allocation when the society's traders bid at the price they hear (`heard`; None: the exact one)."""
    told: Any = society.signal.public()
    if problem.rule == "interior":
        if heard is not None:
            raise Refused(
                "the interior path is followed by exact prices: cut to bits it leads nowhere (lower elasticities)"
            )
        held = np.asarray(society.agents.at.bundle, np.float64)
        return judgement.valued(problem, held * (problem.stock / held.sum(0)), np.asarray(told.move.price, np.float64))
    price = np.asarray(told, np.float64)
    if isinstance(society.agents, Influencer):
        bids = np.asarray(society.agents.bid, np.float64)
    else:
        told = price if heard is None else np.asarray(heard, np.float64)
        bids = np.full(problem.endowment.shape, np.nan)  # of prices that are no longer numbers nothing can be said
        if np.isfinite(told).all():
            bids = problem.traders.demand(told, np.asarray(problem.endowment, np.float64) @ told) * told
    if problem.rule != "posts":
        return judgement.valued(problem, bids / price, price)
    cleared = bids.sum(0) / problem.stock
    bundles = np.divide(bids, cleared, out=np.zeros_like(bids), where=cleared != 0)  # no money, nothing handed out
    return judgement.valued(problem, bundles, price) | {"bids": bids}


# --- what is refused ---


def check(problem: Exchange) -> None:
    """BadInput for an unknown law, one that does not go with the wants, and for wants that are given twice or not at all."""
    law = problem.law
    if law not in (None, *LAWS):
        raise BadInput(f"Exchange.law is {law!r}: give one of {', '.join(LAWS)}, or leave it out")
    given = [f for f in ("taste", "elasticity") if getattr(problem, f) is not None]
    if (problem.utility is None) != (len(given) == 2) or (problem.utility is not None and given):
        found = " and ".join([*given, *(["utility"] if problem.utility is not None else [])]) or "nothing"
        raise BadInput(f"Exchange needs either taste and elasticity or a utility, and has {found}: give one of the two")
    if problem.utility is not None and not isinstance(problem.utility, Utility):
        raise BadInput(f"Exchange.utility is {problem.utility!r:.60}: give a stacked Utility")
    if not problem.traced and problem.linear != (law == "interior") and law is not None:
        right = "leave it out, or give 'interior'" if problem.linear else "that is for linear wants (elasticity inf)"
        raise BadInput(f"Exchange.law is {law!r}, and wants are {'' if problem.linear else 'not '}linear: {right}")


def tastes(problem: Exchange) -> tuple[Any, Any]:
    """Tastes and elasticities; ones where nothing is known of them."""
    if problem.utility is None:
        return np.asarray(problem.taste), np.asarray(problem.elasticity)
    return np.ones_like(problem.endowment), np.ones(len(problem.endowment))


def check_opening(price: np.ndarray, goods: int) -> None:
    """Prices at the start: one for each good, all positive."""
    if price.shape != (goods,) or not (np.isfinite(price) & (price > 0)).all():
        raise BadInput(f"Exchange.opening is {price.tolist()}: give a positive price for each of {goods} goods")


def check_linked(problem: Exchange) -> None:
    """Refused where linear wants leave some group of goods to itself."""
    if problem.traced:
        return
    from scipy.sparse.csgraph import connected_components  # late: half a second, and only here

    owned, wanted = (np.asarray(x) > 0 for x in (problem.endowment, problem.taste))
    links = wanted.T.astype(float) @ owned.astype(float)
    groups, group = connected_components(links > 0, connection="strong")
    if groups > 1:
        one, other = problem.labels[0], problem.labels[int(np.flatnonzero(group != group[0])[0])]
        raise Refused(
            f"{one} and {other} are not linked by trade in both directions, so nothing settles their relative price: let "
            "the owners of each, or others between them, want some of the other"
        )
