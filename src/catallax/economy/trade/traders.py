"""Traders on posts: the price-taker, and the influencer who reckons with the own effect on the price.

All endowments are for sale. A trader who holds the share s_j = e_j / S_j of good j bids money b_j, and believes
that the share `leak` = l of its own bid moves the price: with M_j all money last seen at post j, b0 its own
last bid and A_j = M_j - l b0_j,

    price p_j(b) = (A_j + l b_j) / S_j,   bundle x_j = b_j / p_j(b),   budget sum_j (1 - l s_j) b_j <= sum_j s_j A_j.

l = 0 is the price-taker (Walras), l = 1 the influencer (Nash on the posts of Dubey and Shubik). With z_j = l x_j / S_j
the first-order condition of CES utility in x, at prices q_j = A_j / S_j and c_j = 1 - l s_j, is

    x_j (1 - z_j)^(-2 s) = t k_j,   k_j = (a_j / (c_j q_j))^s   (k_j = a_j at s = 0),   b_j = q_j x_j / (1 - z_j).

Spending rises in t, one unknown for the one budget constraint: Newton safeguarded by bisection, between bounds that
follow from d log b_j / d log t = 1 / (1 - z_j + 2 s z_j). Inside, y = logit z solves log z - 2 s log(1 - z) = log(l t k_j / S_j) by
Newton, which converges from anywhere: the left side has slopes between 1 and 2 s.

P. Dubey and M. Shubik, A theory of money and financial institutions: the noncooperative equilibria of a closed
economy with market supply and bidding strategies, J. Economic Theory 17, 1978.
"""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.economy.utility import in_rows
from catallax.signals.second_order import Answers

HALVINGS = 100  # at most: Newton within the bracket takes about six steps, bisection where it would leave it
NEWTONS = 10


class PriceTaker(Agent):
    """Sells everything, takes prices as given, spends the income as it likes best.

    `says`: "bids" [money], the "quantities" that these buy, or "slopes": bids, and how they move with prices.
    """

    endowment: Float[Array, "*traders goods"]
    utility: Any
    says: Literal["bids", "quantities", "slopes"] = eqx.field(static=True, default="bids")

    def respond(self, view: View, key):
        """The bid at each post, or what `says` asks for."""
        price = view.public
        income = price @ self.endowment
        if self.says == "slopes":
            answer = self.utility.answer(price, income)
            return self, answer._replace(
                slope=answer.slope - jnp.outer(answer.spending / income, price * self.endowment)
            )
        bid = self.utility.spending(price, income)
        return self, bid / price if self.says == "quantities" else bid

    def tally(self, view: View, keys):
        """The sum over all, by matrix products: the same as listening to each (float rounding apart)."""
        price = view.public
        if self.says == "slopes":
            return self, slopes(self.utility, self.endowment, price)
        bids = self.utility.total(price, self.endowment @ price)
        return self, bids / price if self.says == "quantities" else bids


def slopes(utility, endowment, price) -> Answers:
    """The sum of what stacked traders spend and of its slope: less their shares of spending times what they own, in money."""

    def few(utility, owned):
        income = owned @ price
        answer = utility.answers(price, income)
        share = jax.vmap(lambda u, w: u.spending(price, w))(utility, jnp.ones_like(income))
        return answer._replace(slope=answer.slope - share.T @ (owned * price))

    return in_rows(few, utility, endowment)


class Influencer(Agent):
    """Knows how the posts work, and that the share `leak` of its own bid moves the price: a best response to the others.

    Hears the prices, and alone its own last bid in the unit of account; bids the share `step` of the way from there to
    the best response.
    """

    endowment: Float[Array, "*traders goods"]
    utility: Any
    bid: Float[Array, "*traders goods"]
    supply: Float[Array, " *traders goods"]
    leak: Float[Array, ""]
    step: Float[Array, ""]

    def respond(self, view: View, key):
        """The bid at each post (money)."""
        others = view.public * self.supply - self.leak * view.local
        best = best_bid(self.utility, self.endowment / self.supply, self.supply, others, self.leak)
        bid = view.local + self.step * (best - view.local)
        return eqx.tree_at(lambda a: a.bid, self, bid), bid


@jax.jit  # traced once for all that call it: rounds, their shapes, certificates
def best_bid(utility, share, supply, others, leak) -> Float[Array, " goods"]:
    """The bid that maximises utility given A = `others` [money]; see the head of this file. Arrays [goods]; `leak` scalar."""
    tiny = jnp.asarray(jnp.finfo(share.dtype).tiny, share.dtype)
    others = jnp.maximum(others, tiny)
    keep = 1 - leak * share
    log_cost = jnp.log(keep) + jnp.log(others) - jnp.log(supply)  # others / supply may be too small to be a number
    log_income = jnp.log(jnp.sum(share * others))
    log_leak = jnp.log(jnp.maximum(leak, tiny)) - jnp.log(supply)

    return affordable(utility, log_cost, log_income, log_leak) / keep


def affordable(utility, log_cost, log_income, log_leak) -> Float[Array, " goods"]:
    """The bids on goods of marginal `log_cost`, leak over supply `log_leak`, that use up the income: see the head of this file."""
    log_weight, elasticity = utility.log_weight(log_cost), utility.elasticity

    def spending(log_t):  # log of money kept for each good, and d log / d log t
        log_demand = log_weight + log_t
        log_rest, slope = fill(log_demand + log_leak, elasticity)
        return log_cost + log_demand + (2 * elasticity - 1) * log_rest, slope

    start = log_income - jax.nn.logsumexp(log_weight + log_cost)
    return jnp.exp(within_budget(spending, log_income, log_cost, start, jnp.maximum(1, 2 * elasticity)))


def within_budget(spending, log_income, like, start, stretch):
    """The logs of `spending`, an array `like` this, where they add up to income: Newton in a bracket that bisection shrinks.

    The root lies between `start` and `start` less the excess there times `stretch`. Spending is written down once,
    in the loop, because compiling it takes longer than anything else here; derivatives are those of the root.
    """

    def residual(root):
        log_t, logs = root
        return jax.nn.logsumexp(logs) - log_income, logs - spending(log_t)[0]

    def tangent(linear, right):  # the residual's derivative is ((0, w), (-slopes, 1)), w the shares of spending
        no_t, no_logs = jnp.zeros_like(right[0]), jnp.zeros_like(right[1])
        slopes = -linear((no_t + 1, no_logs))[1]
        log_t = (right[0] - linear((no_t, right[1]))[0]) / linear((no_t, slopes))[0]
        return log_t, right[1] + slopes * log_t

    def solve(_, first):
        start, like = first
        return bracketed(spending, log_income, start, like, stretch)

    return jax.lax.custom_root(residual, jax.lax.stop_gradient((start, jnp.zeros_like(like))), solve, tangent)[1]


def bracketed(spending, log_income, start, like, stretch):
    """The root of `within_budget` in log t, and its logs."""
    exact = 4 * jnp.finfo(start.dtype).eps

    def going(carry):
        n, low, high, _, excess, _ = carry
        return (n < HALVINGS) & (jnp.abs(excess) > exact) & (high - low > exact * jnp.maximum(1, jnp.abs(high)))

    def shrink(carry):
        n, low, high, x, _, _ = carry
        logs, slopes = spending(x)
        total = jax.nn.logsumexp(logs)
        excess, slope = total - log_income, jnp.exp(logs - total) @ slopes
        end = jnp.where(n == 0, x - excess * stretch, jnp.where(excess > 0, low, high))
        low, high = jnp.minimum(x, end), jnp.maximum(x, end)
        step = x - excess / slope
        inside = (step > low) & (step < high) & (n % 2 == 0)  # every other step halves: slopes near z = 1 mislead
        return n + 1, low, high, jnp.where(inside, step, (low + high) / 2), excess, logs

    infinite = jnp.full_like(start, jnp.inf)
    return jax.lax.while_loop(going, shrink, (0, start - 1, start + 1, start, infinite, like))[3::2]


def fill(log_ratio, elasticity):
    """log(1 - z) where log z - 2 s log(1 - z) = `log_ratio` [goods], and 1 / (1 - z + 2 s z); at s = 0, z = ratio, below 1."""
    start = jnp.where(log_ratio < 0, log_ratio, log_ratio / jnp.maximum(2 * elasticity, 1))

    def newton(_, y):
        z = jax.nn.sigmoid(y)
        excess = -jax.nn.softplus(-y) + 2 * elasticity * jax.nn.softplus(y) - log_ratio
        return y - excess / jnp.maximum(1 - z + 2 * elasticity * z, 1e-3)

    y = jax.lax.fori_loop(0, NEWTONS, newton, start)
    most = jnp.ones_like(log_ratio) - 4 * jnp.finfo(log_ratio.dtype).eps  # a bare number would be rounded to float32
    leontief = jnp.minimum(jnp.exp(jnp.minimum(log_ratio, 0)), most)
    z = jnp.where(elasticity == 0, leontief, jax.nn.sigmoid(y))
    log_rest = jnp.where(elasticity == 0, jnp.log1p(-leontief), -jax.nn.softplus(y))
    return log_rest, 1 / (1 - z + 2 * elasticity * z)
