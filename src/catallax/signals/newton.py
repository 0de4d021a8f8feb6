"""Newton's prices of an exchange economy: the auctioneer is told how demand moves with prices, incomes included.

At log prices y all traders together spend b_j on good j, all there is of it is worth v_j = S_j e^(y_j), and Walras' law says
that sum_j b_j = sum_j v_j. With the residual f = log(b / v), 0 where all markets clear, Newton's step d solves

    H d = b f,    H = diag(b) - db/dy,    H 1 = 0 (homogeneity: no slope is lost where all prices rise together)

modulo a change of all prices: (H + b v') d = b f. By H 1 = 0 the diagonal is what the other entries leave: it is never the
difference of two large numbers. Prices are normalised to p.S = 1 in every round.

Why `SecondOrder` is not enough: there budgets are fixed, prices minimise a convex dual, H is symmetric and definite, and
a derivative along the step is all that a line search needs. Here incomes move with prices, H is neither, and nothing is
minimised. So each round is a trial, judged by Hilbert's metric max_j f_j - min_j f_j, which is 0 where markets clear and
which falls along Newton's step at first: a trial that lowers it is accepted; one that does not is halved, twice; and
then Newton leads nowhere (H is singular near by), so some rounds of posts follow, y + h f, each time half as many again. For
gross substitutes these contract Hilbert's metric, and H is an M-matrix; where there are complements nothing is
promised, and the status says what came of it. Near rest all trials are accepted: comparing rounding errors says nothing.
Where f is but a few roundings, prices stand; the derivative of the map there is still Newton's, so gradients through
`settle` are right.

S. Smale, A convergent process of price adjustment and global Newton methods, J. Math. Economics 3, 1976. G. Birkhoff,
Extensions of Jentzsch's theorem, Trans. AMS 85, 1957 (Hilbert's metric). K. Arrow, H. Block and L. Hurwicz, On the
stability of the competitive equilibrium II, Econometrica 27, 1959 (gross substitutes).
"""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.channel import Span
from catallax.core.signal import Signal
from catallax.signals.price import normalised, price_span
from catallax.signals.second_order import FURTHEST, Answers

FALL = 1e-2  # share of a step by which it must lower Hilbert's metric
LEAST = 0.25  # share of a step that is still tried
BOUT = 2.0  # rounds of posts where Newton leads nowhere, the first time,
NOISE = 1024  # roundings of a number
NEARER = 128  # times as near all markets clear, for all that can be told: prices stand
LONGER = 1.5  # and so many times as many the next


class NewtonPrices(Signal):
    """Newton's prices. Agents act by `Answers`, whose slope knows that incomes move.

    `log_price` is on trial; `base` [goods], log prices accepted last; `share` of Newton's step that leads from there to the
    trial; `accord` exp(min f - max f) there (1: all markets clear; 0: not known); `plain` rounds of posts still to do;
    `bout` of them the next time; `step` h in (0, 1] of these; `noise`: what Hilbert's metric may be of rounding alone.
    """

    standing: ClassVar[bool] = True
    log_price: Float[Array, " goods"]
    base: Float[Array, " goods"]
    share: Float[Array, ""]
    accord: Float[Array, ""]
    plain: Float[Array, ""]
    bout: Float[Array, ""]
    supply: Float[Array, " goods"]
    step: Float[Array, ""]
    noise: Float[Array, ""]

    @classmethod
    def opening(cls, log_price: Any, supply: Any, step: Any) -> "NewtonPrices":
        """At the start: the first answers are accepted, whatever they are."""
        log_price = normalised(jnp.asarray(log_price), supply)
        one = jnp.ones((), log_price.dtype)
        noise = jnp.asarray(NOISE * jnp.finfo(log_price.dtype).eps, log_price.dtype)
        return cls(log_price, log_price, one, 0 * one, 0 * one, BOUT * one, jnp.asarray(supply), step * one, noise)

    def public(self) -> Float[Array, " goods"]:
        """The price of each good."""
        return jnp.exp(self.log_price)

    def propagate(self, summary: Answers) -> "NewtonPrices":
        residual = self.residual(summary)
        spread, stop = jnp.max(residual) - jnp.min(residual), jax.lax.stop_gradient
        lower = spread <= self.noise - (1 - FALL * self.share) * jnp.log(self.accord)
        rest = spread <= self.noise / NEARER
        walking = ~rest & ((self.plain > 0) | (~lower & (self.share <= LEAST)))  # posts for a while
        accepted = lower & ~walking
        toward = newton(summary, jnp.exp(self.log_price) * self.supply, residual)
        toward = jnp.where(jnp.isfinite(toward).all(), toward, self.step * residual)
        toward = jnp.where(walking, self.step * residual, toward)
        toward = toward * jnp.minimum(1, FURTHEST / jnp.maximum(jnp.max(jnp.abs(toward)), FURTHEST))
        toward = jnp.where(rest, toward - stop(toward), toward)
        begins = walking & (self.plain == 0)
        back = (self.log_price + self.base) / 2
        forth = accepted | walking
        return NewtonPrices(
            normalised(jnp.where(forth, self.log_price + toward, back), self.supply),
            jnp.where(forth, self.log_price, self.base),
            stop(jnp.where(forth, 1, self.share / 2)),
            stop(jnp.where(walking, 0, jnp.where(accepted, jnp.exp(-spread), self.accord))),
            stop(jnp.where(begins, jnp.floor(self.bout) - 1, jnp.maximum(self.plain - 1, 0))),
            stop(jnp.where(begins, LONGER * self.bout, self.bout)),
            self.supply,
            self.step,
            self.noise,
        )

    def residual(self, summary: Answers):
        """log(b / v), [goods]."""
        tiny = jnp.finfo(summary.spending.dtype).tiny
        return jnp.log(jnp.maximum(summary.spending, tiny)) - jnp.log(self.supply) - self.log_price

    def unrest(self, summary: Answers):
        return jnp.max(jnp.abs(summary.spending / (jnp.exp(self.log_price) * self.supply) - 1))

    def span(self) -> Span:
        return price_span(self.supply)


def newton(summary: Answers, value, residual):
    """(H + b v')^-1 b f, scaled by spending, so that float32 will do."""
    spending = jax.lax.stop_gradient(jnp.maximum(summary.spending, jnp.finfo(value.dtype).tiny))
    apart = 1 - jnp.eye(value.size, dtype=value.dtype)
    between = jax.lax.stop_gradient(summary.slope) * apart
    scale = jnp.sqrt(spending)
    matrix = between - jnp.diag(between.sum(1)) + jnp.outer(spending, jax.lax.stop_gradient(value))
    return jnp.linalg.solve(matrix / jnp.outer(scale, scale), scale * residual) / scale
