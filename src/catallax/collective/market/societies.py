"""A market's traders and its mechanism, before the first question."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from catallax.collective.market.mechanisms import Clock, Maker, PariMutuel
from catallax.collective.market.traders import Bettor, Taste, Trader
from catallax.core.errors import Refused
from catallax.core.society import HostSociety, Society

FLOOR = 40  # rounds a question before an order book, where nobody says how many


def taste(market: Any) -> Taste:
    """The traders' utilities."""
    one, kind = np.ones(market.beliefs.shape[1]), "isoelastic"
    if market.utility in ("cara", "neutral"):
        kind = market.utility
    share = market.share if market.utility == "fractional" else one
    return Taste(share, market.aversion if market.utility == "isoelastic" else one, market.risk_tolerance, kind)


def weight(market: Any) -> np.ndarray:
    """How far each trader moves claims where the log of a price moves by 1, at the wealth of the start, money [traders]."""
    if market.utility in ("cara", "neutral"):
        return market.risk_tolerance
    wants = taste(market)
    return market.wealth * np.asarray(wants.share) / np.asarray(wants.aversion)


def bettors(market: Any, leak: float) -> Society:
    """A pari-mutuel. Influencers change half of their stakes in a round: all at once, they would overshoot."""
    if leak and market.utility != "log":
        raise Refused("the own effect on the odds of a pari-mutuel is known to log utility alone: take utility='log'")
    wants = taste(market)
    usual = np.minimum(1, 2 / (1 + 1 / np.asarray(wants.aversion))) * (0.5 if leak else 1)
    speed = usual if market.speed is None else np.full_like(usual, market.speed)
    wealth, beliefs, prior = (jnp.asarray(x) for x in (market.wealth, np.swapaxes(market.beliefs, 0, 1), market.prior))
    stake = jnp.zeros_like(beliefs[:, 0])
    wants, speed, leaks = jax.tree.map(jnp.asarray, (wants, speed, leak))
    crowd = Bettor(beliefs, wealth, stake, wants, speed, leaks, leak > 0)
    return Society(crowd, PariMutuel(clock(market), prior, opening(market), prior * wealth.sum(), leak > 0))


def customers(market: Any, leak: float) -> Society:
    """Traders before a market maker who has sold nothing. At the usual speed w, (1 + sum t / b) w = 1, cara traders bring the
    price to its rest in one round."""
    size, b = weight(market), float(market.liquidity)
    size = size / (1 + leak * size / b)
    soonest = 1.0 if market.utility == "neutral" else 1 / (1 + size.sum() / b)
    wealth, beliefs, prior = (jnp.asarray(x) for x in (market.wealth, np.swapaxes(market.beliefs, 0, 1), market.prior))
    speed = jnp.full_like(wealth, soonest if market.speed is None else market.speed)
    nothing, none = jnp.zeros_like(beliefs[:, 0]), jnp.zeros_like(prior)
    wants, leaks, liquidity = jax.tree.map(jnp.asarray, (taste(market), leak, b))
    base = jnp.broadcast_to(prior, nothing.shape)
    crowd = Trader(beliefs, wealth, nothing, nothing, wants, speed, leaks, liquidity, base)
    account = jnp.zeros_like(liquidity)
    return Society(crowd, Maker(clock(market), prior, opening(market), none, prior, account, liquidity))


def floor(market: Any, leak: float) -> HostSociety:
    """A double auction."""
    if leak:
        raise Refused(
            "traders before an order book offer what a claim is worth to them: they reckon with no effect of theirs"
        )
    from catallax.collective.market import crossing  # late: it loads numba

    purse, wants = np.round(market.wealth * market.ticks).astype(np.int64), taste(market)
    share, aversion, tolerance = (np.asarray(x) for x in (wants.share, wants.aversion, wants.tolerance))
    belief, first = market.beliefs[..., 1].T.copy(), np.asarray(0)
    brokers = crossing.Brokers(belief, purse, share, aversion, tolerance, first, market.ticks, wants.kind)
    return crossing.floor(brokers, market.happened, float(market.prior[1]), market.trading or FLOOR)


def clock(market: Any) -> Clock:
    """At the first question."""
    return Clock(jnp.asarray(market.happened, jnp.int32), jnp.asarray(0, jnp.int32), market.rounds_each)


def opening(market: Any) -> jax.Array:
    """Closing prices before any question has closed: the prior's."""
    return jnp.asarray(np.broadcast_to(market.prior, market.beliefs[:, 0].shape))
