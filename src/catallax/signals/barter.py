"""Prices by a path through the interior for traders who own what they sell: `signals.interior`, with incomes that move.

On the path of tightness t (see there) all incomes are 1 in the unit of money, the goods are worth p.S = 1 + (m + 1) t, and a
trader has the share e_i.p / p.S of all income. Prices that rise by dp change it by (e_i - B_i S).dp / p.S, which is spent
where utility is bought at the margin. So promises gain a term that is not symmetric, and cost m more numbers a round:

    x_i(dp) = target_i - (slope_i + rise_i S' / p.S) dp

`slope_i` holds what the own endowment earns, `rise_i` what the trader would take more if all incomes rose with its own. The
market of these promises is cleared by elimination, and the path goes on from the same prices.

There is no convex programme in prices alone to stand by; the path's unrest is the gap of Eisenberg and Gale's at the incomes
that the prices make, and 0 at the equilibrium of the exchange economy only.

Y. Ye, A path to the Arrow-Debreu competitive market equilibrium, Math. Programming 111, 2008. D. Gale, The linear exchange
model, J. Math. Economics 3, 1976.
"""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from catallax.core.channel import Span
from catallax.core.signal import Signal
from catallax.signals.interior import Interior, Move, Stance


class Offer(NamedTuple):
    """What traders are told: the path's `move`, what all goods are `worth`, money, and by how much that `grew` with it."""

    move: Move
    worth: Any
    grew: Any


class Trade(NamedTuple):
    """What they answer, each or in sum: the path's `stance`, and by how much more they would take, `rise` [goods], units, for
    every unit by which all incomes together rose in proportion."""

    stance: Stance
    rise: Any


class Barter(Signal):
    """Prices of an interior path of an exchange economy. Agents act by `Trade`; all incomes together are the unit of money."""

    standing: ClassVar[bool] = True
    path: Interior

    def public(self) -> Offer:
        """Prices, their last move, the tightness before and after, and the worth of all goods."""
        supply = self.path.supply
        return Offer(self.path.public(), self.path.price @ supply, self.path.rose @ supply)

    def propagate(self, summary: Trade) -> "Barter":
        path, stance = self.path, summary.stance
        apart = path.next / path.supply.size / path.price
        slope = stance.slope + jnp.outer(summary.rise, path.supply) / (path.price @ path.supply)
        slope = slope + jnp.diag(path.unsold / path.price)
        rose = cleared(slope, stance.target + apart - path.supply, path.price)
        return Barter(path.moved(stance, rose))

    def unrest(self, summary: Trade):
        return self.path.unrest(summary.stance)

    def span(self) -> Offer:
        return Offer(self.path.span(), Span(0.5, 2.0, "log"), Span(-1.0, 1.0))


def cleared(slope, excess, price):
    """The rise of prices that clears the market of promises; scaled by prices, so that units do not matter."""
    scaled = slope * price[:, None] * price
    size = jnp.sqrt(jnp.maximum(jnp.diag(scaled), jnp.finfo(price.dtype).tiny))
    ridge = 4 * jnp.finfo(price.dtype).eps * jnp.eye(price.size, dtype=price.dtype)
    return jnp.linalg.solve(scaled / size[:, None] / size + ridge, excess * price / size) / size * price
