"""Receipts: for each forecast, who moved the price, by how much, and who is paid."""

from dataclasses import dataclass

import numpy as np

from catallax.ensembles.offers import Array
from catallax.ensembles.rules.price import Price


@dataclass(frozen=True)
class Receipts:
    """What happened on the floor, row by row.

    `opening`, `price` [rows, outcomes]; `moved` [rows, members, outcomes]: adds up over members to price - opening;
    `without` [rows, members, outcomes]: the price if that member had been silent; `profit` [rows, members, outcomes] and
    `maker` [rows, outcomes]: what each gains if that outcome comes (sums to zero with the maker's); `paid` [rows, members]:
    what each gained by that which came, if `y` was told.
    """

    members: list[str]
    classes: Array
    opening: Array
    price: Array
    moved: Array
    without: Array
    profit: Array
    maker: Array
    outcome: Array | None = None

    @property
    def paid(self) -> Array | None:
        """[rows, members]; None where the outcome is not known."""
        if self.outcome is None:
            return None
        return self.profit[np.arange(len(self.outcome)), :, self.outcome]

    def __len__(self) -> int:
        return len(self.price)

    def sentence(self, row: int) -> str:
        """One row in words."""
        best = int(self.price[row].argmax())
        moved = self.moved[row, :, best]
        order = np.argsort(-np.abs(moved))[:3]
        parts = ", ".join(f"{self.members[m]} {moved[m]:+.3f}" for m in order)
        text = (
            f"{self.classes[best]}: {self.opening[row, best]:.3f} -> {self.price[row, best]:.3f} ({parts}); without "
            f"{self.members[order[0]]} it would be {self.without[row, order[0], best]:.3f}"
        )
        paid = self.paid
        if paid is None or self.outcome is None:
            return text
        winner, loser = int(paid[row].argmax()), int(paid[row].argmin())
        fortunes = ", ".join(f"{self.members[m]} {_fortune(paid[row, m])}" for m in (winner, loser))
        return f"{text}; {self.classes[self.outcome[row]]} came: {fortunes}"


def _fortune(paid: float) -> str:
    return f"{'gained' if paid >= 0 else 'lost'} {abs(paid):.3f}"


def receipts(price: Price, belief: Array, members: list[str], classes: Array, outcome: Array | None) -> Receipts:
    """The receipt of each row, and the price without each member."""
    own = price.receipt(belief)
    without = np.stack([price.without(m).price(belief) for m in range(len(members))], 1)
    return Receipts(members, classes, own.opening, own.price, own.moved, without, own.profit, own.maker, outcome)
