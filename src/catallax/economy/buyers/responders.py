"""Buyers who never optimise: each bids on a good, next time, the share of its budget that the good is of its utility.

    b_ij <- B_i x_ij (d log u_i / d x_j),   x_ij = b_ij / p_j           (the shares sum to 1: u is homogeneous)

    linear          b_ij proportional to v_ij x_ij                       Zhang; Birnbaum, Devanur and Xiao
    quasi-linear    money is one more good, of price and value 1         Gao and Kroer
    CES, r > 0      b_ij proportional to a_ij x_ij^r                     Zhang
    CES, r <= 0     the price-taker's spending                           Cheung, Cole and Tao
    one's own       with `step` h in (0, 1]:  b_ij^(1-h) (B_i x_ij d log u_i / d x_j)^h, made to sum to B_i

CES complements respond too strongly; the damped response, h = s = 1 / (1 - r), has lost its dependence on the old bids and
is what a price-taker spends. Utilities of one's own: 1 where goods are substitutes, the elasticity where they are less.

It is mirror descent by Kullback and Leibler's divergence on Shmyrev's programme F(b) = sum_j P_j log P_j - sum_ij b_ij
log(v_ij s_j), P_j = sum_i b_ij, for linear wants; F falls in every round, the bids after t rounds are those of a softmax,

    b_i(t) proportional to b_i(0) exp(t log v_i - sum_{r<t} log p(r)),

and after T rounds from equal bids the bids b(T) and the geometric mean of the T prices prove a gap of at most (log m) / T,
log(m + 1) / T where money is wanted: sum the descent inequality F(b(t+1)) <= F(b(t)) + F'(b(t)).(b - b(t)) + KL(b, b(t)) -
KL(b, b(t+1)) over rounds, for the best b. (Birnbaum et al. bound F(b(T)) - min F by KL(b*, b(0)) / T; prices of the
last round do better than their mean, as a rule.) For CES with 0 < r < 1, KL(b*, b(t)) falls by r at least in every round.

L. Zhang, Proportional response dynamics in the Fisher market, Theoretical Computer Science 412, 2011. B. Birnbaum, N.
Devanur and L. Xiao, Distributed algorithms via gradient descent for Fisher markets, EC 2011. Y. Cheung, R. Cole and Y. Tao,
Dynamics of distributed updating in Fisher markets, EC 2018. Y. Gao and C. Kroer, First-order methods for large-scale market
equilibrium computation, NeurIPS 2020.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.economy.utility import CES, Utility
from catallax.signals.clearing import Bids


class Linear(Utility):
    """v.x: what is bought at most at prices is known, its bundle is not (`spending` has no meaning)."""

    value: Float[Array, "*buyers goods"]

    def log_utility(self, bundle: Float[Array, " goods"]) -> Float[Array, ""]:
        """log v.x."""
        return jnp.log(self.value @ bundle)

    def log_indirect(self, log_price: Float[Array, " goods"]) -> Float[Array, ""]:
        """log of the most value that a unit of money buys."""
        return jnp.log(jnp.max(self.value * jnp.exp(-log_price)))


class Responder(Agent):
    """A buyer and its bids. `bid` [goods], or with `money` [goods + 1]: the last is what it keeps, and `utility` (of value
    1 for it) knows of it. Only bids above 0 are ever made again."""

    budget: Float[Array, "*buyers"]
    bid: Float[Array, "*buyers bids"]
    utility: Any
    step: Float[Array, ""]
    money: bool = eqx.field(static=True, default=False)

    @classmethod
    def opening(cls, budget: Any, wanted: Any, utility: Any, step: Any, money: bool = False) -> "Responder":
        """Stacked buyers at the start: equal bids on all that is `wanted` [buyers, bids]."""
        share = wanted / wanted.sum(1, keepdims=True)
        return cls(budget, budget[:, None] * share.astype(budget.dtype), utility, step, money)

    def respond(self, view: View, key):
        """The next bids, and how far the last ones were from the best purchase at the price heard."""
        price = jnp.append(view.public, 1) if self.money else view.public
        price, bundle = price.astype(self.bid.dtype), self.bid / price.astype(self.bid.dtype)
        share = contribution(self.utility, bundle, price)
        if not isinstance(self.utility, (Linear, CES)):
            share = tempered(self.bid / self.budget, share, self.step)
        # it can come back from there, however long a coarse price was against it
        least = jnp.finfo(share.dtype).eps / share.size
        bid = self.budget * jnp.where(self.bid > 0, jnp.maximum(share, least), 0)
        best = jnp.log(self.budget) + self.utility.log_indirect(jnp.log(price))
        short = self.budget * (best - self.utility.log_utility(bundle))
        moved = eqx.tree_at(lambda a: a.bid, self, bid)
        return moved, Bids(bid[:-1], short + self.bid[-1]) if self.money else Bids(bid, short)


def contribution(utility: Any, bundle: Float[Array, " bids"], price: Float[Array, " bids"]) -> Float[Array, " bids"]:
    """The share that each good is of utility, x_j d log u / d x_j; for CES complements, of a price-taker's spending."""
    if isinstance(utility, Linear):
        worth = utility.value * bundle
        return worth / jnp.sum(worth)
    if not isinstance(utility, CES):
        return bundle * jax.grad(utility.log_utility)(bundle)
    wanted = utility.taste > 0
    order = 1 - 1 / jnp.maximum(utility.elasticity, 1)
    logs = jnp.log(jnp.where(wanted, utility.taste, 1)) + order * jnp.log(jnp.where(wanted, bundle, 1))
    substitutes = jax.nn.softmax(jnp.where(wanted, logs, -jnp.inf))
    return jnp.where(utility.elasticity > 1, substitutes, utility.spending(price, jnp.ones_like(price[0])))


def tempered(old: Float[Array, " bids"], new: Float[Array, " bids"], step: Float[Array, ""]) -> Float[Array, " bids"]:
    """Shares in proportion to old^(1-step) new^step."""
    there = (old > 0) & (new > 0)
    logs = (1 - step) * jnp.log(jnp.where(there, old, 1)) + step * jnp.log(jnp.where(there, new, 1))
    return jax.nn.softmax(jnp.where(there, logs, -jnp.inf))
