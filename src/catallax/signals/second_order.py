"""Tatonnement of second order: the auctioneer is told how demand moves with prices, and takes Newton's steps.

The equilibrium of buyers with budgets B_i (sum 1) and indirect utilities V_i is, in y = log p, the minimum of

    f(y) = sum_j s_j e^(y_j) + sum_i B_i log V_i(y)        (the dual of Eisenberg and Gale)
    g = s e^y - b(y),   H = diag(max(s e^y, b)) + sum_i slope_i(y)      b: spending, slope = -db/dy

Both sums are over buyers and add up: m + m^2 numbers a round, however many there are. Every round is a trial. Along
a direction d the derivative g.d is heard, and that is all a line search needs: where it is still falling, or has not
risen by more than half of what it fell, the trial is accepted and a new direction made of the same answers; else the
step is cut to where the line through the two derivatives is zero. No values are compared: near the end they
have no digits left, in float32 least of all, while derivatives still have.

Unrest is the gap in sum_i B_i log(V_i / u_i), u_i what the money spent buys where posts clear (prices q_j = b_j / s_j), to
second order: sum_j b_j (p_j/q_j - 1 - log(p_j/q_j)). Where it is within `goal`, prices stand still; the derivative of the
map is then still Newton's, so gradients through `settle` are right.

E. Eisenberg and D. Gale, Consensus of subjective probabilities, Ann. Math. Stat. 30, 1959. S. Smale, A convergent
process of price adjustment and global Newton methods, J. Math. Economics 3, 1976.
"""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.channel import Span
from catallax.core.signal import Signal
from catallax.signals.price import price_span

HALF = 0.5  # of the fall that a derivative may have risen at a trial
SHORTEST = 1e-3  # share of a step below which it is taken as it is
NEAR = 1e-3  # relative difference of prices below which its logarithm is a series
FURTHEST = 2.0  # longest step in a log price


class Answers(NamedTuple):
    """What they answer, each or in sum: `spending` [goods], money; `slope` [goods, goods], -d spending / d log price."""

    spending: Any
    slope: Any


class SecondOrder(Signal):
    """Newton prices. Agents act by `Answers`; all budgets together are the unit of money.

    `log_price` is on trial; `direction` [goods] leads to it from the point last accepted, by the share `step`; `fall` is
    how fast f fell there along it. `goal`: unrest at which prices stand.
    """

    standing: ClassVar[bool] = True
    log_price: Float[Array, " goods"]
    direction: Float[Array, " goods"]
    step: Float[Array, ""]
    fall: Float[Array, ""]
    supply: Float[Array, " goods"]
    goal: Float[Array, ""]

    @classmethod
    def opening(cls, log_price: Any, supply: Any, goal: Any) -> "SecondOrder":
        """At the start: the first answers are accepted, whatever they are."""
        log_price = jnp.asarray(log_price)
        one, supply = jnp.ones((), log_price.dtype), jnp.asarray(supply, log_price.dtype)
        furthest = jnp.asarray(jnp.finfo(log_price.dtype).max, log_price.dtype)
        return cls(log_price, jnp.zeros_like(log_price), one, furthest, supply, goal * one)

    def public(self) -> Float[Array, " goods"]:
        """The price of each good."""
        return jnp.exp(self.log_price)

    def propagate(self, summary: Answers) -> "SecondOrder":
        value = jnp.exp(self.log_price) * self.supply
        excess = summary.spending - value
        rise = -(excess @ self.direction)
        accepted = (rise <= HALF * self.fall) | (self.step < SHORTEST)
        toward, decrement = newton(summary, value, excess)
        cut = jnp.minimum(1, FURTHEST / jnp.maximum(jnp.max(jnp.abs(toward)), jnp.finfo(toward.dtype).tiny))
        share = jnp.clip(self.fall / (self.fall + rise), 0.1, 0.5)  # the zero of the line through both derivatives
        back = self.log_price - (1 - share) * self.step * self.direction
        rest, stop = self.unrest(summary) <= self.goal, jax.lax.stop_gradient

        def chosen(new, old, kept):
            return jnp.where(rest, kept, jnp.where(accepted, new, old))

        return SecondOrder(
            chosen(self.log_price + cut * toward, back, self.log_price + (toward - stop(toward))),
            chosen(cut * toward, self.direction, stop(self.direction)),
            chosen(jnp.ones_like(share), share * self.step, stop(self.step)),
            chosen(cut * decrement, self.fall, stop(self.fall)),
            self.supply,
            self.goal,
        )

    def unrest(self, summary: Answers):
        tiny = jnp.finfo(summary.spending.dtype).tiny
        value = jnp.exp(self.log_price) * self.supply
        off = (value - summary.spending) / jnp.maximum(summary.spending, tiny)  # p / q - 1
        near = off * off * (1 / 2 - off / 3 + off * off / 4)  # where the difference has no digits left
        far = off - jnp.log1p(jnp.maximum(off, tiny - 1))
        short = jnp.where(summary.spending > tiny, jnp.where(jnp.abs(off) < NEAR, near, far), 0)
        unsold = jnp.where(summary.spending > tiny, 0, value)
        return summary.spending @ short + jnp.sum(unsold)

    def span(self) -> Span:
        return price_span(self.supply)


def newton(summary: Answers, value, excess) -> tuple[Any, Any]:
    """H^-1 (b - s e^y), and its product with the excess: Newton's decrement. Scaled, so that float32 will do."""
    hessian = jax.lax.stop_gradient(jnp.diag(jnp.maximum(value, summary.spending)) + summary.slope)
    scale = jnp.sqrt(jnp.maximum(jnp.diag(hessian), jnp.finfo(value.dtype).tiny))
    ridge = 8 * jnp.finfo(value.dtype).eps * jnp.eye(value.size, dtype=value.dtype)
    factor = jax.scipy.linalg.cho_factor(hessian / jnp.outer(scale, scale) + ridge, lower=True)
    toward = jax.scipy.linalg.cho_solve(factor, excess / scale) / scale
    return toward, excess @ toward
