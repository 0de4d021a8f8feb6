"""Rules that put options out and count again.

    two_round        one with more than half of the first places wins; else the two with the most meet in a second round
    instant_runoff   the one with the fewest first places among those left is put out, until one is left

Where two are level for elimination, or for the second round, a rule goes on both ways and all who win in one of them are
winners ("parallel universes", V. Conitzer, M. Rognlie and L. Xia, IJCAI 2009), unless `tie_break` says who is preferred.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from catallax.collective.ballots.paper import ALIKE, Ballots, Result, ballots, chosen, order_of
from catallax.core.errors import Refused

MOST = 100_000  # sets of options left that are looked at


def two_round(rankings: Any, *, tie_break: Sequence[int] | None = None) -> Result:
    """Two rounds, the second between two. `rankings`: `Ballots` or what `ballots` takes."""
    cast = ballots(rankings)
    order, near = order_of(tie_break, cast.options), ALIKE * cast.total
    firsts = cast.firsts(np.ones(cast.options, bool))
    best = firsts.max()
    if cast.options == 1 or best > firsts.sum() / 2 + near:
        return Result("two rounds", (int(firsts.argmax()),), None, firsts[None], (), order)
    pairs = meeting(firsts, near, order)
    won = {x for pair in pairs for x in duel(cast, *pair, near)}
    counts = [firsts]
    if len(pairs) == 1:
        two = np.isin(np.arange(cast.options), pairs[0])
        counts.append(np.where(two, cast.firsts(two), np.nan))
    return Result("two rounds", chosen(won, order), None, np.stack(counts), (), order)


def meeting(firsts: np.ndarray, near: float, order: tuple[int, ...] | None) -> list[tuple[int, int]]:
    """All pairs that may meet in the second round."""
    places = range(len(firsts)) if order is None else order
    ranked = sorted(places, key=lambda x: -firsts[x])
    second = firsts[ranked[1]]
    sure = [x for x in ranked if firsts[x] > second + near]
    level = [x for x in ranked if abs(firsts[x] - second) <= near]
    if order is not None:
        level = sorted(level, key=order.index)[: 2 - len(sure)]
    if sure:
        return [(sure[0], x) for x in level]
    return [(x, y) for k, x in enumerate(level) for y in level[k + 1 :]]


def duel(cast: Ballots, one: int, other: int, near: float) -> list[int]:
    """Who wins between two: both where they are level."""
    lead = cast.pairwise[one, other] - cast.pairwise[other, one]
    return [one] * int(lead >= -near) + [other] * int(lead <= near)


def instant_runoff(rankings: Any, *, tie_break: Sequence[int] | None = None) -> Result:
    """The weakest is put out, again and again. `counts`: first places round by round, NaN for who is out, to the first tie."""
    cast = ballots(rankings)
    order, near = order_of(tie_break, cast.options), ALIKE * cast.total
    everyone = (1 << cast.options) - 1
    seen, open_, won, path = {everyone}, [everyone], set(), []
    while open_:
        left = open_.pop()
        among = np.array([left >> x & 1 for x in range(cast.options)], bool)
        firsts = np.where(among, cast.firsts(among), np.nan)
        path += [firsts] if len(seen) == len(path) + 1 else []
        if among.sum() == 1:
            won.add(int(among.argmax()))
            continue
        for out in weakest(firsts, near, order):
            later = left & ~(1 << out)
            if later not in seen:
                seen.add(later)
                open_.append(later)
        if len(seen) > MOST:
            raise Refused(f"instant runoff has more than {MOST:,} ways to go on from its ties: give tie_break")
    return Result("instant runoff", chosen(won, order), None, np.stack(path), (), order)


def weakest(firsts: np.ndarray, near: float, order: tuple[int, ...] | None) -> list[int]:
    """Who may be put out: all with the fewest, or the one of them that comes last in the order."""
    level = np.flatnonzero(firsts <= np.nanmin(firsts) + near).tolist()
    return level if order is None else [max(level, key=order.index)]
