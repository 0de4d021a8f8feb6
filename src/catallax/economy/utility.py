"""What a buyer with a given budget does at prices, and how that changes with them.

A utility u is homogeneous of degree one. With V(p) the most that one unit of money buys at prices p (the indirect
utility), y = log p and a budget B, Roy's identity gives the shares of spending and, once more, their slope:

    s_j = -d log V / dy_j      b_j = B s_j      slope_jk = -d b_j / dy_k

`Utility` needs log u and log V alone; the rest is differentiated, or written down where a family knows it:

    CES           u = (sum_j a_j x_j^r)^(1/r), r = (s - 1)/s     s_j proportional to a_j^s p_j^(1-s)
    Cobb-Douglas  s = 1: the tastes, made to sum to 1, are the shares, whatever the prices
    Leontief      s = 0: u = min over a_j > 0 of x_j / a_j, by definition; shares proportional to a_j p_j
    linear        s = infinite: demand is set-valued, see `economy.buyers.bidders`

The float64 judge of outcomes is `economy.trade.walras`; this file is what agents carry.

K. Arrow, H. Chenery, B. Minhas and R. Solow, Capital-labor substitution and economic efficiency, 1961.
R. Roy, La distribution du revenu entre les divers biens, Econometrica 15, 1947.
"""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.signals.second_order import Answers

ABSENT = -1e30  # the log weight of a good that is not wanted: its share is exactly 0, and so is its gradient
ROWS = 2048  # buyers answered at a time: what lies between stays in the cache


class Utility(eqx.Module):
    """What one buyer wants; stacked over buyers in a society. A utility of your own defines the two abstract methods."""

    @abc.abstractmethod
    def log_utility(self, bundle: Float[Array, " goods"]) -> Float[Array, ""]:
        """log u of a bundle, units of the goods."""

    @abc.abstractmethod
    def log_indirect(self, log_price: Float[Array, " goods"]) -> Float[Array, ""]:
        """log V: of the most utility that one unit of money buys."""

    def spending(self, price: Float[Array, " goods"], income: Float[Array, ""]) -> Float[Array, " goods"]:
        """Money spent on each good by a price-taker."""
        return -income * jax.grad(self.log_indirect)(jnp.log(price))

    def answer(self, price: Float[Array, " goods"], budget: Float[Array, ""]) -> Answers:
        """Spending and its slope, of one buyer."""
        slope = budget * jax.hessian(self.log_indirect)(jnp.log(price))
        return Answers(self.spending(price, budget), slope)

    def total(self, price: Float[Array, " goods"], incomes: Float[Array, " traders"]) -> Float[Array, " goods"]:
        """What stacked price-takers spend together."""
        return in_rows(lambda u, b: jax.vmap(lambda v, i: v.spending(price, i))(u, b).sum(0), self, incomes)

    def answers(self, price: Float[Array, " goods"], budgets: Float[Array, " traders"]) -> Answers:
        """The sum of what stacked buyers answer."""

        def few(utility, budget):
            each = jax.vmap(lambda u, b: u.answer(price, b))(utility, budget)
            return jax.tree.map(lambda x: x.sum(0), each)

        return in_rows(few, self, budgets)


def in_rows(few, utility, budgets) -> Any:
    """`few(utility, budgets)`, a sum over stacked buyers, taken block by block so that nothing of [buyers, ...] is made."""
    count = budgets.shape[0]
    blocks = count // ROWS
    if blocks < 2:
        return few(utility, budgets)
    stacked, shared = eqx.partition((utility, budgets), lambda x: eqx.is_array(x) and x.ndim > 0)
    body = jax.tree.map(lambda x: x[: blocks * ROWS].reshape(blocks, ROWS, *x.shape[1:]), stacked)

    def one(part):
        return few(*eqx.combine(part, shared))

    def add(total, part):
        return jax.tree.map(jnp.add, total, one(part)), None

    first = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(one, jax.tree.map(lambda x: x[0], body)))
    total, _ = jax.lax.scan(add, first, body)
    if count % ROWS:
        total = jax.tree.map(jnp.add, total, one(jax.tree.map(lambda x: x[blocks * ROWS :], stacked)))
    return total


def links(spending: Float[Array, "traders goods"], weight: Float[Array, " traders"]) -> Float[Array, "goods goods"]:
    """sum_i w_i (diag(b_i) sum_k b_ik - b_i b_i'), without the cancellation on its diagonal.

    Rows of b that are spread over goods link their prices: a Laplacian, summed by one matrix product.
    """
    between = (spending * weight[:, None]).T @ spending
    between = between * (1 - jnp.eye(between.shape[0], dtype=between.dtype))
    return jnp.diag(between.sum(1)) - between


class CES(Utility):
    """Tastes a >= 0, not all 0, and an elasticity s >= 0, finite; stacked along "traders" in a society."""

    taste: Float[Array, "*traders goods"]
    elasticity: Float[Array, "*traders"]

    def log_weight(self, log_price: Float[Array, " goods"]) -> Float[Array, " goods"]:
        """log of a_j^s p_j^-s (of a_j at s = 0): the bundle bought at these prices is proportional to its exponential."""
        wanted = self.taste > 0
        log_taste = jnp.log(jnp.where(wanted, self.taste, 1))
        power = jnp.where(self.elasticity == 0, 1, self.elasticity)
        return jnp.where(wanted, power * log_taste - self.elasticity * log_price, ABSENT)

    def log_utility(self, bundle: Float[Array, " goods"]) -> Float[Array, ""]:
        """log u; -inf without a good that cannot be done without."""
        wanted, s = self.taste > 0, self.elasticity
        log_goods = jnp.log(jnp.where(wanted, bundle, 1))
        log_taste = jnp.log(jnp.where(wanted, self.taste, 1))
        plain = (s != 0) & (s != 1)
        order = 1 - 1 / jnp.where(plain, s, 2)
        mean = jax.nn.logsumexp(jnp.where(wanted, log_taste + order * log_goods, -jnp.inf)) / order
        geometric = jnp.sum(jnp.where(wanted, self.taste * log_goods, 0)) / jnp.sum(self.taste)
        least = jnp.min(jnp.where(wanted, log_goods - log_taste, jnp.inf))
        return jnp.where(s == 0, least, jnp.where(s == 1, geometric, mean))

    def log_indirect(self, log_price: Float[Array, " goods"]) -> Float[Array, ""]:
        """-log of the unit cost (sum_j a_j^s p_j^(1-s))^(1/(1-s))."""
        wanted, s = self.taste > 0, self.elasticity
        weight = self.taste / jnp.sum(self.taste)
        log_weight = jnp.log(jnp.where(wanted, weight, 1))
        geometric = jnp.sum(jnp.where(wanted, weight * (log_weight - log_price), 0))
        order = 1 - jnp.where(s == 1, 2, s)
        power = self.log_weight(log_price) + log_price
        return jnp.where(s == 1, geometric, -jax.nn.logsumexp(jnp.where(wanted, power, -jnp.inf)) / order)

    def spending(self, price: Float[Array, " goods"], income: Float[Array, ""]) -> Float[Array, " goods"]:
        """Money spent on each good by a price-taker."""
        log_price = jnp.log(price)
        return income * jax.nn.softmax(self.log_weight(log_price) + log_price)

    def answer(self, price: Float[Array, " goods"], budget: Float[Array, ""]) -> Answers:
        """Spending and its slope, of one buyer: -d b / dy = (s - 1)(diag(b) - b b'/B)."""
        return self.spread(jax.tree.map(lambda x: x[None], self), price, budget[None])

    def answers(self, price: Float[Array, " goods"], budgets: Float[Array, " traders"]) -> Answers:
        """The sum over stacked buyers, by matrix products."""
        return in_rows(lambda utility, budget: self.spread(utility, price, budget), self, budgets)

    @staticmethod
    def spread(stacked: Any, price: Float[Array, " goods"], budgets: Float[Array, " traders"]) -> Answers:
        """The sum over a few stacked buyers."""
        spent = jax.vmap(lambda utility, budget: utility.spending(price, budget))(stacked, budgets)
        weight = (stacked.elasticity - 1) / jnp.where(budgets > 0, budgets, 1)
        return Answers(spent.sum(0), links(spent, jnp.broadcast_to(weight, budgets.shape)))


class CobbDouglas(Utility):
    """Elasticity 1 for all: tastes that sum to 1 are the spending shares, so nothing need be computed from prices."""

    taste: Float[Array, "*traders goods"]

    @property
    def elasticity(self) -> Float[Array, ""]:
        return jnp.ones((), self.taste.dtype)

    def log_weight(self, log_price: Float[Array, " goods"]) -> Float[Array, " goods"]:
        """See `CES.log_weight`."""
        wanted = self.taste > 0
        return jnp.where(wanted, jnp.log(jnp.where(wanted, self.taste, 1)) - log_price, ABSENT)

    def log_utility(self, bundle: Float[Array, " goods"]) -> Float[Array, ""]:
        """sum_j a_j log x_j."""
        return CES(self.taste, self.elasticity).log_utility(bundle)

    def log_indirect(self, log_price: Float[Array, " goods"]) -> Float[Array, ""]:
        """sum_j a_j log(a_j / p_j)."""
        return CES(self.taste, self.elasticity).log_indirect(log_price)

    def spending(self, price: Float[Array, " goods"], income: Float[Array, ""]) -> Float[Array, " goods"]:
        """Money spent on each good by a price-taker."""
        return income * self.taste

    def total(self, price: Float[Array, " goods"], incomes: Float[Array, " traders"]) -> Float[Array, " goods"]:
        """What stacked price-takers spend together: a matrix product, in parts so that float32 keeps its digits."""
        parts = divisor(incomes.size)
        tastes = self.taste.reshape(parts, -1, price.size)
        return jnp.einsum("kb,kbm->km", incomes.reshape(parts, -1), tastes).sum(0)

    def answers(self, price: Float[Array, " goods"], budgets: Float[Array, " traders"]) -> Answers:
        """The sum over stacked buyers; spending does not move with prices."""
        spent = self.total(price, budgets)
        return Answers(spent, jnp.zeros((price.size, price.size), price.dtype))


def divisor(count: int, most: int = 128, least: int = 512) -> int:
    """The largest divisor of `count` that is at most `most` and leaves parts of at least `least`; 1 if there is none."""
    return max((k for k in range(1, min(most, count // least) + 1) if count % k == 0), default=1)
