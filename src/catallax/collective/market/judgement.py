"""What traders own, and what each could still gain by another trade of its own, the others' actions standing.

A trade d before a maker who has sold Q costs C(Q + d) - C(Q), C(Q) = b log sum_k q_k exp(Q_k / b); stakes x beside rivals'
S pay (pot) x_k / (S_k + x_k). Gains are of certainty equivalents: shares of wealth, or, for cara, of the tolerance.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from catallax.collective.market.mechanisms import Maker
from catallax.collective.market.traders import Taste, Trader, accounts, stakes_of_influencer


@jax.jit
def settled(society: Any) -> tuple[Any, Any]:
    """Cash [traders], and claims [traders, outcomes] on the open question, after what is on its way has arrived (stakes are
    cash until they are paid out)."""
    signal, crowd = society.signal, society.agents
    due, told = signal.local(crowd).due, signal.clock.told
    if isinstance(crowd, Trader):
        return accounts(crowd.cash, crowd.held, crowd.order, due, told)
    return jnp.where(told >= 0, crowd.wealth - crowd.stake.sum(-1) + due, crowd.wealth), jnp.zeros_like(crowd.stake)


@jax.jit
def wealth(society: Any) -> Any:
    """[traders], claims counted at the price."""
    cash, held = settled(society)
    return cash + held @ society.signal.price


best_stakes = jax.jit(jax.vmap(jax.vmap(stakes_of_influencer, (0, 0, 0, None)), (0, 0, 0, None)))
wishes = jax.jit(jax.vmap(jax.vmap(lambda t, p, w, c: t.wish(p, c, w), (0, 0, 0, None)), (None, 0, 0, 0)))


def maker_account(society: Any) -> float:
    """What a market maker has taken less what it has paid; 0 where there is none."""
    return float(society.signal.account) if isinstance(society.signal, Maker) else 0.0


def gains_from_stakes(belief: np.ndarray, stake: np.ndarray) -> np.ndarray:
    """[questions, traders], for log utility: what the best other stakes of the same money bring. Both [questions, traders,
    outcomes]."""
    rivals = stake.sum(1, keepdims=True) - stake
    given = [jnp.asarray(x) for x in (belief, stake.sum(-1), rivals, 1.0)]
    best = np.asarray(best_stakes(*given), np.float64)

    def utility(x: np.ndarray) -> np.ndarray:
        pays = x / np.maximum(rivals + x, 1e-300)
        return np.sum(belief * np.log(np.maximum(pays, 1e-300)), -1, where=belief > 0)

    return np.expm1(np.maximum(utility(best) - utility(stake), 0))


def gains_from_orders(
    taste: Taste, belief: np.ndarray, claims: np.ndarray, sold: np.ndarray, prior: np.ndarray, b: float
) -> np.ndarray:
    """[questions, traders]: what the order of one who knows its whole effect on the maker's price brings.

    `belief` and `claims` (cash included) [questions, traders, outcomes]; `sold` [questions, outcomes].
    """
    logs = np.log(prior) + sold / b
    price = np.exp(logs - np.logaddexp.reduce(logs, -1, keepdims=True))
    given = [jnp.asarray(x) for x in (belief, claims, price)]
    wanted, tolerance = (np.asarray(x, np.float64) for x in wishes(jax.tree.map(jnp.asarray, taste), *given))
    trade = wanted / (1 + tolerance / b)[..., None]
    moved = np.logaddexp.reduce(logs[:, None] + trade / b, -1) - np.logaddexp.reduce(logs, -1)[:, None]
    after = claims + trade - (b * moved)[..., None]
    share, aversion, t = (np.asarray(x, np.float64)[:, None] for x in (taste.share, taste.aversion, taste.tolerance))
    mixed = share * belief + (1 - share) * price[:, None]
    return np.maximum(better(taste.kind, mixed, claims, after, aversion, t), 0)


def better(
    kind: str, belief: np.ndarray, before: np.ndarray, after: np.ndarray, aversion: np.ndarray, t: np.ndarray
) -> np.ndarray:
    """By what share the certainty equivalent grows from claims `before` to `after`."""
    if kind == "cara":
        worth = [-np.log(np.sum(belief * np.exp(-(w - before[..., :1]) / t), -1)) for w in (before, after)]
        return worth[1] - worth[0]
    floor = np.finfo(np.float64).tiny
    before, after = np.maximum(before, floor), np.maximum(after, floor)
    log_worth = [
        np.where(
            aversion[:, 0] == 1,
            np.sum(belief * np.log(w), -1),
            np.log(np.sum(belief * w ** (1 - aversion), -1)) / np.where(aversion[:, 0] == 1, 1, 1 - aversion[:, 0]),
        )
        for w in (before, after)
    ]
    return np.expm1(log_worth[1] - log_worth[0])
