"""Rules that compare options two at a time: P[i, j] is the weight of the ballots that prefer i to j.

    Condorcet winner   beats every other: P[i, j] > P[j, i]; all rules of this file choose it where there is one
    Copeland           most options beaten, a half for each tie
    minimax            the smallest worst defeat
    Schulze            i stands before j where the strongest path from i to j is stronger than that back; a path is as strong
                       as its weakest defeat
    ranked pairs       defeats are locked in from the strongest on, but those that would close a cycle
    Kemeny             the order that agrees with most preferences of ballots on pairs

The strength of a defeat is its margin P[i, j] - P[j, i], or its winning votes P[i, j]: alike where all ballots are complete.

A. Copeland, A reasonable social welfare function, 1951. P. Simpson, On defining areas of voter choice, Quarterly J. of Economics
83, 1969; G. Kramer, J. Economic Theory 16, 1977. M. Schulze, A new monotonic, clone-independent, reversal symmetric, and
condorcet-consistent single-winner election method, Social Choice and Welfare 36, 2011. T. Tideman, Independence of clones as
a criterion for voting rules, same journal 4, 1987. J. Kemeny, Mathematics without numbers, Daedalus 88, 1959.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from catallax.collective.ballots.paper import ALIKE, Ballots, Result, ballots, by_scores, chosen, order_of, tiers
from catallax.core.errors import BadInput, Refused

MOST = 10_000  # ways to lock defeats of equal strength that are looked at
LARGEST = 12  # options that a Kemeny order is found of


def beats(cast: Ballots) -> Bool[np.ndarray, "options options"]:
    """Who beats whom."""
    return cast.pairwise > cast.pairwise.T + ALIKE * cast.total


def condorcet_winner(rankings: Any) -> int | None:
    """The option that beats every other, or None."""
    won = beats(ballots(rankings))
    found = np.flatnonzero(won.sum(1) == len(won) - 1)
    return int(found[0]) if found.size else None


def condorcet_loser(rankings: Any) -> int | None:
    """The option that every other beats, or None."""
    won = beats(ballots(rankings))
    found = np.flatnonzero(won.sum(0) == len(won) - 1)
    return int(found[0]) if found.size and len(won) > 1 else None


def smith_set(rankings: Any) -> tuple[int, ...]:
    """The smallest set each of whose members beats all who are not in it."""
    holds = ~beats(ballots(rankings)).T  # is not beaten by
    reach = reached(holds)
    return tuple(np.flatnonzero(reach.all(1)).tolist())


def reached(edges: np.ndarray) -> Bool[np.ndarray, "options options"]:
    """Where there is a path, everyone reaching itself."""
    found = edges | np.eye(len(edges), dtype=bool)
    for k in range(len(edges)):
        found = found | (found[:, [k]] & found[[k]])
    return found


def strengths(cast: Ballots, by: str) -> Float[np.ndarray, "options options"]:
    """The strength of each defeat, 0 where there is none. BadInput where `by` is neither of the two."""
    if by not in ("margins", "winning votes"):
        raise BadInput(f"strength is {by!r}: give 'margins' or 'winning votes'")
    p = cast.pairwise
    return np.where(beats(cast), p - p.T if by == "margins" else p, 0.0)


def copeland(rankings: Any, *, tie_break: Sequence[int] | None = None) -> Result:
    """Most duels won. `rankings`: `Ballots` or what `ballots` takes."""
    cast = ballots(rankings)
    won = beats(cast)
    level = ~won & ~won.T & ~np.eye(len(won), dtype=bool)
    return by_scores("Copeland", won.sum(1) + level.sum(1) / 2, tie_break, 1.0)


def minimax(rankings: Any, *, strength: str = "margins", tie_break: Sequence[int] | None = None) -> Result:
    """The smallest worst defeat (Simpson and Kramer). `scores`: minus the strength of the worst defeat."""
    cast = ballots(rankings)
    return by_scores("minimax", 0.0 - strengths(cast, strength).max(0), tie_break, cast.total)


def schulze(rankings: Any, *, strength: str = "winning votes", tie_break: Sequence[int] | None = None) -> Result:
    """Strongest paths. `scores`: how many options one stands before; `ranking`: by that."""
    cast = ballots(rankings)
    path, near = strengths(cast, strength), ALIKE * cast.total
    for k in range(cast.options):
        path = np.maximum(path, np.minimum(path[:, [k]], path[[k]]))
    np.fill_diagonal(path, 0)
    before = path > path.T + near
    order, scores = order_of(tie_break, cast.options), before.sum(1).astype(np.float64)
    return Result("Schulze", chosen(np.flatnonzero(~before.any(0)), order), scores, None, tiers(scores, 0.0), order)


def ranked_pairs(rankings: Any, *, strength: str = "margins", tie_break: Sequence[int] | None = None) -> Result:
    """Defeats locked from the strongest on. Defeats of equal strength are taken in every order, or, with `tie_break`, those of
    the preferred winner first and of the least preferred loser (Tideman).
    """
    cast = ballots(rankings)
    power, order = strengths(cast, strength), order_of(tie_break, cast.options)
    states = {np.eye(cast.options, dtype=bool).tobytes()}
    for level in levels(power, ALIKE * cast.total):
        if order is not None:
            level.sort(key=lambda edge: (order.index(edge[0]), -order.index(edge[1])))
        states = {after for state in states for after in locked(state, level, cast.options, order is None)}
        if len(states) > MOST:
            raise Refused(f"ranked pairs has more than {MOST:,} ways to lock defeats of equal strength: give tie_break")
    final = [as_matrix(state, cast.options) for state in states]
    won = {int(x) for reach in final for x in np.flatnonzero(reach.sum(0) == 1)}
    ranking = tiers(final[0].sum(1).astype(np.float64), 0.0) if len(final) == 1 else ()
    return Result("ranked pairs", chosen(won, order), None, None, ranking, order)


def levels(power: np.ndarray, near: float) -> list[list[tuple[int, int]]]:
    """Defeats (winner, loser) from the strongest on, those of equal strength together."""
    edges = sorted(((i, j) for i, j in np.argwhere(power > 0).tolist()), key=lambda edge: -power[edge])
    found: list[list[tuple[int, int]]] = []
    for edge in edges:
        if found and power[found[-1][0]] - power[edge] <= near:
            found[-1].append(edge)
        else:
            found.append([edge])
    return found


def as_matrix(state: bytes, options: int) -> Bool[np.ndarray, "options options"]:
    """Who is locked before whom, each before itself."""
    return np.frombuffer(state, bool).reshape(options, options)


def with_edge(reach: np.ndarray, edge: tuple[int, int]) -> np.ndarray:
    """One more defeat locked."""
    return reach | (reach[:, [edge[0]]] & reach[[edge[1]]])


def locked(state: bytes, level: list[tuple[int, int]], options: int, every: bool) -> set[bytes]:
    """What may be locked after defeats of equal strength: taken in their order, or in `every` order."""
    reach = as_matrix(state, options)
    together = reach
    for edge in level:
        if not together[edge[::-1]]:
            together = with_edge(together, edge)
        elif every and not reach[edge[::-1]]:
            break  # one stands in the way of another: the order matters
    else:
        return {together.tobytes()}
    found, seen, open_ = set(), {state}, [state]
    while open_:
        reach = as_matrix(now := open_.pop(), options)
        more = {with_edge(reach, e).tobytes() for e in level if not reach[e] and not reach[e[::-1]]}
        found |= set() if more else {now}
        open_ += more - seen
        seen |= more
        if len(seen) > MOST:
            raise Refused(f"ranked pairs has more than {MOST:,} ways to lock defeats of equal strength: give tie_break")
    return found


def kemeny(rankings: Any, *, tie_break: Sequence[int] | None = None) -> Result:
    """The order nearest to all ballots, exactly (M. Held and R. Karp's recursion over sets), of up to 12 options.

    `winners`: who is first in any of the best orders; `scores`: minus the disagreement of the best order that begins with each;
    `ranking`: the best order, where there is one alone, or that which `tie_break` prefers from the top on.
    """
    cast = ballots(rankings)
    if cast.options > LARGEST:
        raise Refused(f"a Kemeny order of {cast.options} options is too long to find: it is found of {LARGEST} at most")
    against, order, n = cast.pairwise.T, order_of(tie_break, cast.options), cast.options
    least, near = np.zeros(1 << n), ALIKE * cast.total
    costs = np.zeros((n, 1 << n))  # of putting one before all of a set
    for j in range(n):
        costs[:, 1 << j : 2 << j] = costs[:, : 1 << j] + against[:, [j]]
    for group in range(1, 1 << n):
        members = [i for i in range(n) if group >> i & 1]
        least[group] = min(costs[i, group ^ (1 << i)] + least[group ^ (1 << i)] for i in members)
    everyone = (1 << n) - 1
    scores = -np.array([costs[i, everyone ^ (1 << i)] + least[everyone ^ (1 << i)] for i in range(n)])
    best = np.flatnonzero(scores >= scores.max() - near)
    return Result("Kemeny", chosen(best, order), scores, None, traced(costs, least, near, order), order)


def traced(costs: np.ndarray, least: np.ndarray, near: float, order: tuple[int, ...] | None) -> tuple[tuple[int], ...]:
    """The best order; nothing where there are several and no order of preference."""
    group, found = len(least) - 1, []
    while group:
        rest = [(i, group ^ (1 << i)) for i in range(len(costs)) if group >> i & 1]
        level = [i for i, left in rest if costs[i, left] + least[left] <= least[group] + near]
        if len(level) > 1 and order is None:
            return ()
        first = level[0] if order is None else min(level, key=order.index)
        found.append((first,))
        group ^= 1 << first
    return tuple(found)
