"""Whose market is it? Shares of the price, how many members they are worth, and what each adds to the forecast.

    effective number = 1 / sum_m share_m^2          (Herfindahl 1950; Laakso and Taagepera 1979)

Shapley value: the mean, over all orders in which members may enter, of what the log score gains when one does. Members
who are not in are silent, the others trade as they have learnt to; nobody in: all outcomes cost the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np

from catallax.ensembles.offers import Array, Offers, log_score
from catallax.ensembles.rules.price import Price

EXACT = 8  # members: 256 markets


@dataclass(frozen=True)
class Influence:
    """`shares` of the price by member; `cap_cost`: the mean log score (nats a row) that `max_influence` costs, if there is one."""

    shares: dict[str, float]
    cap_cost: float | None = None

    @property
    def effective_members(self) -> float:
        """How many members of equal influence would be as concentrated."""
        return float(1 / np.square(list(self.shares.values())).sum())

    @property
    def largest(self) -> tuple[str, float]:
        """The member of most influence, and its share."""
        name = max(self.shares, key=self.shares.__getitem__)
        return name, self.shares[name]


def shapley(price: Price, offers: Offers, *, samples: int = 200, seed: int = 0) -> Array:
    """Each member's part in the mean log score over that of no knowledge, [members]: exact to 8 members, else sampled."""
    members = offers.shape[1]
    known: dict[frozenset[int], float] = {}

    def worth(present: frozenset[int]) -> float:
        if present not in known:
            known[present] = _worth(price, offers, present)
        return known[present]

    if members <= EXACT:
        return np.array([_exact(worth, member, members) for member in range(members)])
    random, total = np.random.default_rng(seed), np.zeros(members)
    for _ in range(samples):
        present: frozenset[int] = frozenset()
        for member in random.permutation(members).tolist():
            total[member] += worth(present | {member}) - worth(present)
            present = present | {member}
    return total / samples


def _exact(worth: Callable[[frozenset[int]], float], member: int, members: int) -> float:
    others = [other for other in range(members) if other != member]
    value = 0.0
    for size in range(members):
        part = factorial(size) * factorial(members - size - 1) / factorial(members)
        value += part * sum(worth(frozenset(s) | {member}) - worth(frozenset(s)) for s in combinations(others, size))
    return value


def _worth(price: Price, offers: Offers, present: frozenset[int]) -> float:
    """The mean log score of the market of these members alone."""
    if not present:
        return -float(np.log(offers.shape[2]))
    for member in range(offers.shape[1]):
        if member not in present:
            price = price.without(member)
    return log_score(price.price(offers.belief), offers)
