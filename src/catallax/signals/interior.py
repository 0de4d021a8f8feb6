"""Prices by a path through the interior: what an auctioneer does whose buyers hold goods and trade at the margin.

Buyers of linear wants (`economy.buyers.bidders`) hold bundles x_i and know by how much each good is too dear for them, z_ij >= 0.
At the equilibrium x_ij z_ij = 0; on the central path x_ij z_ij = t B_i, and t, the *tightness*, falls to 0. Told how
prices move, dp, a buyer follows the path by itself, and says in advance how much it would take at the margin:

    x_i(dp) = target_i - slope_i dp

Both sums are over buyers and add up: m + m^2 + a few numbers a round, however many there are. The auctioneer clears the
market of these promises,

    (sum_i slope_i) dp = sum_i target_i - supply        (what may stay unsold is on the path too: unsold_j p_j = t / m),

and announces the new prices and the next tightness, a tenth of what it hears. Each buyer goes as far as its own bounds
let it; where that is not all the way, the rest is asked for again in the next round. It is Mehrotra's kind of method
with steps of their own for everyone, which needs no round to agree on a common one.

Unrest is the gap of Eisenberg and Gale's programme, as a share of all budgets: sum_i B_i log(V_i / u_i) + p.supply -
sum_i B_i, and what the bundles exceed the supply by, at what that is worth. Within `goal`, everything stands still.

N. Megiddo, Pathways to the optimal set in linear programming, 1989. S. Wright, Primal-dual interior-point methods, 1997.
E. Eisenberg and D. Gale, Consensus of subjective probabilities, Ann. Math. Stat. 30, 1959.
"""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.channel import Span
from catallax.core.signal import Signal
from catallax.signals.price import price_span

TIGHTER = 0.1  # the next tightness, a share of the one heard
TIGHTEST = 0.1  # the last tightness for all goods, a share of the gap that is the goal
NEAREST = 0.1  # a price falls to a tenth in a round, at most,
HIGHEST = 2.0  # and rises by so many times itself


class Move(NamedTuple):
    """What buyers are told: the `price` of each good, by how much it `rose` in this round, the `tightness` that was
    aimed at by that (0: all stand still), and the one to aim at `next`."""

    price: Any
    rose: Any
    tightness: Any
    next: Any


class Stance(NamedTuple):
    """What they answer, each or in sum: `held` and `target` [goods], units; `valued` [goods], what is held is worth at
    the margin, money; `slope` [goods, goods], units per price; `apart`, sum_j x_j z_j, money; `shortfall`, B log(V / u), money
    (and less what is kept)."""

    held: Any
    valued: Any
    target: Any
    slope: Any
    apart: Any
    shortfall: Any


class Interior(Signal):
    """Prices of an interior path. Agents act by `Stance`; all budgets together are the unit of money."""

    standing: ClassVar[bool] = True
    price: Float[Array, " goods"]
    rose: Float[Array, " goods"]
    tightness: Float[Array, ""]
    next: Float[Array, ""]
    unsold: Float[Array, " goods"]
    supply: Float[Array, " goods"]
    goal: Float[Array, ""]

    @classmethod
    def opening(cls, price: Any, supply: Any, goal: Any) -> "Interior":
        """At the start, at the price of each good: nobody moves in the first round."""
        first = jnp.full_like(goal, 0.1 / (supply.size + 2))
        return cls(price, jnp.zeros_like(price), jnp.zeros_like(goal), first, 0.1 / (supply.size * price), supply, goal)

    def public(self) -> Move:
        """Prices, their last move, and the tightness before and after."""
        return Move(self.price, self.rose, self.tightness, self.next)

    def propagate(self, summary: Stance) -> "Interior":
        apart = self.next / self.supply.size  # the auctioneer is on the path too: unsold x price = apart
        slope = summary.slope + jnp.diag(self.unsold / self.price)
        return self.moved(summary, cleared(slope, summary.target + apart / self.price - self.supply, self.price))

    def moved(self, summary: Stance, rose) -> "Interior":
        """The path after a rise of prices that clears the market of promises."""
        apart = self.next / self.supply.size
        rose = jnp.clip(rose, (NEAREST - 1) * self.price, HIGHEST * self.price)
        unsold = jnp.maximum((apart - self.unsold * rose) / self.price, NEAREST * self.unsold)
        # never looser than before: goods worth next to nothing would swing; no tighter than the goal asks: digits would be lost
        goods = self.supply.size + 2
        following = TIGHTER * (summary.apart + self.unsold @ self.price) / goods
        following = jnp.minimum(jnp.maximum(following, TIGHTEST * self.goal / goods), self.next)
        # at rest; or so near that the slope has no digits left, which is as far as it goes
        rest = (self.unrest(summary) <= self.goal) | ~jnp.isfinite(rose).all()

        def chosen(new, kept):
            return jnp.where(rest, kept, new)

        return Interior(
            self.price + chosen(rose, 0),
            chosen(rose, 0),
            chosen(self.next, 0),
            chosen(following, self.next),
            chosen(unsold, self.unsold),
            self.supply,
            self.goal,
        )

    def unrest(self, summary: Stance):
        over = jnp.maximum(1 - self.supply / jnp.maximum(summary.held, self.supply), 0)  # the share to be cut
        lost = summary.valued * over
        return jnp.abs(summary.shortfall + self.price @ self.supply - 1 + jnp.sum(lost)) + lost @ over

    def span(self) -> Move:
        span = price_span(self.supply)
        heat = Span(1e-12, 1.0, "log")
        return Move(span, Span(-span.high, span.high), heat, heat)


def cleared(slope, excess, price):
    """The rise of prices that clears the market of promises; scaled by prices, so that units do not matter."""
    scaled = slope * price[:, None] * price
    size = jnp.sqrt(jnp.maximum(jnp.diag(scaled), jnp.finfo(price.dtype).tiny))
    ridge = 4 * jnp.finfo(price.dtype).eps * jnp.eye(price.size, dtype=price.dtype)
    factor = jax.scipy.linalg.cho_factor(scaled / size[:, None] / size + ridge, lower=True)
    return jax.scipy.linalg.cho_solve(factor, excess * price / size) / size * price
