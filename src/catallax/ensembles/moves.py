"""Receipts of forecasts of numbers: who moved the mean, by how much, what it would be without, and who is paid."""

from dataclasses import dataclass

import numpy as np

from catallax.ensembles.errors import Errors, correlation
from catallax.ensembles.rules.believe import Belief
from catallax.ensembles.rules.density import Array
from catallax.ensembles.rules.pool import Pool


@dataclass(frozen=True)
class Moves:
    """What happened on the floor, row by row, in the units of y.

    `opening`: the mean of the opening price; `price`, `spread` [rows]: mean and standard deviation of the price; `moved` [rows,
    members] and `maker` [rows]: add up to price - opening; `without` [rows, members]: the mean if that member had been
    silent; `paid` [rows, members]: what each won from the others (sums to zero), if `y` was told.
    """

    members: list[str]
    opening: float
    price: Array
    spread: Array
    moved: Array
    maker: Array
    without: Array
    y: Array | None = None
    paid: Array | None = None

    def __len__(self) -> int:
        return len(self.price)

    def sentence(self, row: int) -> str:
        """One row in words."""
        moved = self.moved[row]
        order = np.argsort(-np.abs(moved))[:3]
        parts = ", ".join(f"{self.members[m]} {moved[m]:+.4g}" for m in order)
        text = (
            f"{self.opening:.4g} -> {self.price[row]:.4g} +- {self.spread[row]:.3g} ({parts}); without "
            f"{self.members[order[0]]} it would be {self.without[row, order[0]]:.4g}"
        )
        if self.paid is None or self.y is None:
            return text
        won = self.paid[row]
        winner, loser = int(won.argmax()), int(won.argmin())
        return (
            f"{text}; {self.y[row]:.4g} came: {self.members[winner]} won {won[winner]:.3f}, {self.members[loser]} "
            f"{won[loser]:+.3f}"
        )


def moves(pool: Pool, belief: Belief, members: list[str], centre: float, unit: float, y: Array | None = None) -> Moves:
    """The receipt of each row. `belief` in standard units, of which one is `unit` of y, 0 is `centre`; `y` as it came."""
    pull, maker = pool.pulls(belief)
    price = pool.price(belief).moved(centre, unit)
    without = np.stack([pool.without(m).price(belief).mean() for m in range(len(members))], 1)
    return Moves(
        members,
        centre,
        price.mean(),
        price.std(),
        unit * pull * belief.mean,
        unit * maker,
        centre + unit * without,
        y,
        None if y is None else pool.profit(belief, (y - centre) / unit),
    )


def squared(error: Array, of_price: Array, weight: Array, shares: Array) -> Errors:
    """The decomposition of `errors` where outcomes are numbers: `error` [rows, members], `of_price` [rows] (came - forecast).

    The pool is the mean of the members by `shares`; pool = shares . members - ambiguity (Krogh and Vedelsby 1995).
    """
    part = weight / weight.sum()
    pool = error @ shares
    each = part @ error**2
    apart = float(shares @ (part @ (error - pool[:, None]) ** 2))
    together = correlation(error[..., None], part)
    return Errors(together, each, shares, apart, float(part @ pool**2), float(part @ of_price**2))
