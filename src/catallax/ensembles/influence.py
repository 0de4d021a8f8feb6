"""Whose market is it? Shares of the price, how many members they are worth, and what each adds to the forecast.

    effective number = 1 / sum_m share_m^2          (Herfindahl 1950; Laakso and Taagepera 1979)

Shapley value: the mean, over all orders in which members may enter, of what the log score gains when one does. Members
who are not in are silent, the others trade as they have learnt to; nobody in: all outcomes cost the same.
"""

from dataclasses import dataclass

import numpy as np

from catallax.ensembles.offers import Array, Offers, log_score
from catallax.ensembles.rules.price import Price
from catallax.measures import power

EXACT = 8  # members: 256 markets


@dataclass(frozen=True)
class Influence:
    """`shares` of the price by member; `cap_cost`: the mean log score (nats a row) that `max_influence` costs, if there is one."""

    shares: dict[str, float]
    cap_cost: float | None = None

    @property
    def effective_members(self) -> float:
        """How many members of equal influence would be as concentrated."""
        return power.effective_number(list(self.shares.values()))

    @property
    def largest(self) -> tuple[str, float]:
        """The member of most influence, and its share."""
        name = max(self.shares, key=self.shares.__getitem__)
        return name, self.shares[name]


def shapley(price: Price, offers: Offers, *, samples: int = 200, seed: int = 0) -> Array:
    """Each member's part in the mean log score over that of no knowledge, [members]: exact to 8 members, else sampled."""
    members = offers.shape[1]
    drawn = None if members <= EXACT else samples
    return power.shapley(lambda present: _worth(price, offers, frozenset(present)), members, drawn, seed=seed).values


def _worth(price: Price, offers: Offers, present: frozenset[int]) -> float:
    """The mean log score of the market of these members alone."""
    if not present:
        return -float(np.log(offers.shape[2]))
    for member in range(offers.shape[1]):
        if member not in present:
            price = price.without(member)
    return log_score(price.price(offers.belief), offers)
