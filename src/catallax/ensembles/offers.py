"""Offers: what each member would pay for a claim on each outcome, row by row: its probabilities.

`belief` [rows, members, outcomes], `outcome` int [rows] (what came), `weight` [rows] (how often a row counts). A trader
whose belief is 0 would be ruined by one surprise, and would ruin a log pool with it: beliefs are clipped at a floor.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from catallax.core.errors import BadInput

Array = np.ndarray


def clipped(belief: Array, floor: float) -> Array:
    """Beliefs of at least `floor` (before they are made to sum to one again), float64 and of the same shape."""
    belief = np.maximum(np.asarray(belief, np.float64), floor)
    return belief / belief.sum(-1, keepdims=True)


def softmax(score: Array) -> Array:
    """exp(score) along the last axis, summing to one."""
    odds = np.exp(score - score.max(-1, keepdims=True))
    return odds / odds.sum(-1, keepdims=True)


@dataclass(frozen=True)
class Offers:
    """What the members offered, and what came: all that a price rule learns from."""

    belief: Array  # [rows, members, outcomes], positive, summing to one
    outcome: Array  # int [rows]
    weight: Array  # [rows], >= 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """rows, members, outcomes."""
        return self.belief.shape  # pyright: ignore[reportReturnType]

    @cached_property
    def hits(self) -> Array:
        """What each member gave to that which came, [rows, members]."""
        return self.belief[np.arange(len(self.outcome)), :, self.outcome]

    @cached_property
    def log(self) -> Array:
        """Log beliefs, [outcomes, rows, members]: scores are one matrix product, and sums over outcomes run along rows."""
        return np.log(np.ascontiguousarray(self.belief.transpose(2, 0, 1)))

    @cached_property
    def came(self) -> Array:
        """The row's weight where an outcome came, else 0, [outcomes, rows]."""
        return np.where(np.arange(self.shape[2])[:, None] == self.outcome, self.weight, 0.0)

    def take(self, rows: Array) -> "Offers":
        """These rows (bool or indices) alone."""
        return Offers(self.belief[rows], self.outcome[rows], self.weight[rows])

    def only(self, members: Array) -> "Offers":
        """These members (bool or indices) alone."""
        return Offers(self.belief[:, members], self.outcome, self.weight)


def offers(belief: Array, outcome: Array, weight: Array | None = None, *, floor: float = 1e-3) -> Offers:
    """Offers of checked shape. Rows of no weight are dropped.

    Raises `BadInput` for beliefs that are not finite, or lie outside [0, 1].
    """
    belief = np.asarray(belief)
    bad = ~np.isfinite(belief) | (belief < 0) | (belief > 1 + 1e-6)
    if bad.any():
        row, member, of = np.argwhere(bad)[0]
        raise BadInput(
            f"member {member} gave outcome {of} the probability {belief[row, member, of]} in row {row}: it must lie in "
            "[0, 1]; leave that member out or mend its predict_proba"
        )
    weight = np.ones(len(belief)) if weight is None else np.asarray(weight, np.float64)
    kept = weight > 0
    return Offers(clipped(belief[kept], floor), np.asarray(outcome)[kept], weight[kept])


def log_score(price: Array, offers: Offers) -> float:
    """Mean log of the price [rows, outcomes] of that which came."""
    came = price[np.arange(len(price)), offers.outcome]
    return float(offers.weight @ np.log(came) / offers.weight.sum())


class Receipt(NamedTuple):
    """What happened on the floor, row by row.

    `opening` and `price` [rows, outcomes]; `moved` [rows, members, outcomes]: sums over members to price - opening;
    `profit` [rows, members, outcomes]: what each has if that outcome comes; `maker` [rows, outcomes]: the market
    maker's, minus the sum of it. In shares of the wealth on the floor (linear pools) or of the depth of the market.
    """

    opening: Array
    price: Array
    moved: Array
    profit: Array
    maker: Array
