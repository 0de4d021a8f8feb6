"""Traders: beliefs, wealth, and a utility that says which claims they want at a price.

W_k is what a trader owns if outcome k happens, V = c.W what that is worth, p its belief. Of all W' with c.W' = V it wants

    isoelastic     W'_k = V [1 - s + s (p_k / c_k)^(1/a) / Z],  Z = sum_j c_j (p_j / c_j)^(1/a)
                   log utility, Kelly: a = 1, s = 1; fractional Kelly: a = 1, s < 1 (the belief s p + (1 - s) c)
    cara           W'_k = t log(p_k / c_k) + constant           u(W) = -exp(-W / t), t the risk tolerance
    neutral        b log(p_k / q_k) claims on k, no more: it takes what else the price says for what others know (Hanson)

A price-taker trades a share `speed` of the way to W' in each round. One who knows the share `leak` of its own effect on a
maker's price goes 1 / (1 + leak t / b) of that way (t: the tolerance, or s V / a): more slowly to the same rest, where nobody
wishes to trade. In a pari-mutuel the own stake worsens the own odds for good: see `stakes_of_influencer`.
"""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.collective.market.mechanisms import Quote, Receipt
from catallax.core.agent import Agent, View

Kind = Literal["isoelastic", "cara", "neutral"]
HALVINGS = 60  # of the range of the marginal utility of an influencer


class Taste(eqx.Module):
    """A utility. `share` s bet, `aversion` a, `tolerance` t, [*traders] each."""

    share: Float[Array | np.ndarray, "*traders"]
    aversion: Float[Array | np.ndarray, "*traders"]
    tolerance: Float[Array | np.ndarray, "*traders"]
    kind: Kind = eqx.field(static=True)

    def spending(
        self, belief: Float[Array, " outcomes"], price: Float[Array, " outcomes"]
    ) -> Float[Array, " outcomes"]:
        """The shares of what is bet, by outcome, of an isoelastic trader: c_k (p_k / c_k)^(1/a) / Z."""
        logs = jnp.where(belief > 0, jnp.log(jnp.where(belief > 0, belief, 1)), -jnp.inf) / self.aversion
        return jax.nn.softmax(logs + (1 - 1 / self.aversion) * jnp.log(jnp.where(price > 0, price, 1)))

    def wish(
        self, belief: Float[Array, " outcomes"], price: Float[Array, " outcomes"], claims: Float[Array, " outcomes"]
    ) -> tuple[Any, Any]:
        """Claims to buy at this price, worth nothing together, and the tolerance that the wish is proportional to."""
        if self.kind == "isoelastic":
            value = jnp.maximum(price @ claims, 0)
            wanted = value * (1 - self.share + self.share * self.spending(belief, price) / price)
            return jnp.where(value > 0, wanted - claims, 0), self.share * value / self.aversion
        wanted = self.tolerance * (jnp.log(belief) - jnp.log(price)) - claims
        return wanted - price @ wanted, self.tolerance


class Bettor(Agent):
    """A trader in a pari-mutuel. `belief` [*traders, questions, outcomes]; `wealth`; `stake` [*traders, outcomes] as it stands;
    `speed`: how much of its stake it changes in a round; `leak`: the share of the own effect that it knows."""

    belief: Float[Array, "*traders questions outcomes"]
    wealth: Float[Array, "*traders"]
    stake: Float[Array, "*traders outcomes"]
    taste: Taste
    speed: Float[Array, "*traders"]
    leak: Float[Array, ""]
    influencer: bool = eqx.field(static=True, default=False)

    def respond(self, view: View, key: Any) -> tuple["Bettor", Float[Array, " outcomes"]]:
        """Paid for what happened; its stakes on what is open."""
        quote, receipt = view.public, view.local
        wealth = paid(self.wealth, self.stake, quote, receipt)
        belief, money = self.belief[quote.question], wealth * self.taste.share
        if self.influencer:
            wanted = stakes_of_influencer(belief, money, receipt.rivals, self.leak)
        else:
            wanted = money * self.taste.spending(belief, quote.price / quote.price.sum())
        begun = (self.stake.sum() > 0) & (quote.happened < 0)
        stake = jnp.where(begun, self.stake + self.speed * (wanted - self.stake), wanted)
        stands = jnp.where(quote.live, stake, 0)  # what is sent when all is over nobody takes
        return eqx.tree_at(lambda a: (a.wealth, a.stake), self, (wealth, stands)), stake


def paid(wealth: Any, stake: Float[Array, " outcomes"], quote: Quote, receipt: Receipt) -> Any:
    """Wealth, after the pot is shared out."""
    return jnp.where(quote.happened >= 0, wealth - stake.sum() + receipt.due, wealth)


def stakes_of_influencer(
    belief: Float[Array, " outcomes"], money: Any, rivals: Float[Array, " outcomes"], leak: Any
) -> Float[Array, " outcomes"]:
    """Of log utility: max sum_k p_k log W_k, knowing the share `leak` l of how the own stakes x move the odds.

    p_k (1 - l x_k / (S_k + x_k)) / x_k = m, S the rivals' stakes: a quadratic in x_k, the money m's worth found by halving.
    """

    def stakes(worth: Any) -> Float[Array, " outcomes"]:
        linear = worth * rivals - (1 - leak) * belief
        root = jnp.sqrt(linear**2 + 4 * worth * belief * rivals)
        # the larger root without cancellation, whichever sign `linear` has
        return jnp.where(
            linear > 0, 2 * belief * rivals / jnp.where(linear > 0, linear + root, 1), (root - linear) / (2 * worth)
        )

    def halve(_: Any, between: tuple) -> tuple:
        low, high = between
        middle = jnp.sqrt(low * high)
        much = stakes(middle).sum() > money
        return jnp.where(much, middle, low), jnp.where(much, high, middle)

    rich = jnp.maximum(money, jnp.finfo(belief.dtype).tiny * 1e6)
    # at worth 1 / money price-takers spend all; at leak 1 worth may fall far below
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (1e-9 / rich, 1.01 / rich))
    found = stakes(jnp.sqrt(low * high))
    total = found.sum()
    return jnp.where(total > 0, money * found / jnp.where(total > 0, total, 1), money * belief)


class Trader(Agent):
    """A trader before a maker. `belief` [*traders, questions, outcomes]; `cash`; `held` [*traders, outcomes], claims on the open
    question; `order` [*traders, outcomes], of the last round, not paid for yet; `liquidity` b and `prior` q are known to all."""

    belief: Float[Array, "*traders questions outcomes"]
    cash: Float[Array, "*traders"]
    held: Float[Array, "*traders outcomes"]
    order: Float[Array, "*traders outcomes"]
    taste: Taste
    speed: Float[Array, "*traders"]
    leak: Float[Array, ""]
    liquidity: Float[Array, ""]
    prior: Float[Array, "*traders outcomes"]

    def respond(self, view: View, key: Any) -> tuple["Trader", Float[Array, " outcomes"]]:
        """The bill paid, the last question's claims paid out, and an order."""
        quote = view.public
        cash, held = accounts(self.cash, self.held, self.order, view.local.due, quote.happened)
        belief, price = self.belief[quote.question], jnp.maximum(quote.price, jnp.finfo(quote.price.dtype).tiny)
        price = price / price.sum()
        if self.taste.kind == "neutral":
            wish = self.liquidity * (jnp.log(belief) - jnp.log(self.prior)) - held
            step = self.speed
        else:
            wish, tolerance = self.taste.wish(belief, price, cash + held)
            step = self.speed / (1 + self.leak * tolerance / self.liquidity)
        order = step * wish
        stands = jnp.where(quote.live, order, 0)  # what is sent when all is over nobody takes
        return eqx.tree_at(lambda a: (a.cash, a.held, a.order), self, (cash, held, stands)), order


def accounts(cash: Any, held: Any, order: Any, due: Any, happened: Any) -> tuple[Any, Any]:
    """Cash and claims [..., outcomes] after the last order and, where something happened, what claims on it pay."""
    cash, held = cash + due, held + order
    won = jnp.take(held, jnp.maximum(happened, 0), axis=-1)
    return jnp.where(happened >= 0, cash + won, cash), jnp.where(happened >= 0, 0.0, held)
