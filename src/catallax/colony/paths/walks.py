"""What ants do on a trail as it lies: how long they are under way on average, which roads they use, the likeliest way.

An ant's way out is a Markov chain on arrivals (by which arc it comes to a place), whose chances P are Deneubourg's on
the trail held still. With Q the chances among arrivals elsewhere than at the food, and s those of the first step,

    expected arrivals  v = (I - Q')^-1 s        expected rounds  sum over arrivals of v x what each road took

exact, by a sparse LU decomposition, all colonies in one. An ant that turns in the middle of a road (see `ants`) arrives
where it was after 2 floor(length / 2) rounds. Nothing is simulated here.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

TINY = 1e-12  # csgraph takes a length of 0 for no road


class Steps(NamedTuple):
    """All that an ant on its way out may do next: having arrived by `before` (`arcs`: it starts), it takes the arc `after`."""

    before: Int[np.ndarray, " pairs"]
    after: Int[np.ndarray, " pairs"]
    arcs: int


class Way(NamedTuple):
    """Ways out, on average in every colony: `rounds` [colonies], and how often it enters each arc, `traffic` [colonies, arcs]."""

    rounds: Float[np.ndarray, " colonies"]
    traffic: Float[np.ndarray, "colonies arcs"]


def possible(
    choices: Int[np.ndarray, "places degree"], heads: Int[np.ndarray, " arcs"], source: int, target: int
) -> Steps:
    """The steps that the signposts of the way out allow: no turning back but at a dead end, none beyond the food."""
    count, degree = len(heads), choices.shape[1]
    at = np.append(heads, source)
    before, after = np.repeat(np.arange(count + 1), degree), choices[at].reshape(-1)
    onward = (after >= 0) & (after != (before ^ 1)) | (after >= 0) & (before == count)
    stuck = ~np.isin(before, before[onward])
    keep = (onward | (stuck & (after >= 0))) & (at[before] != target)
    return Steps(before[keep], after[keep], count)


def chances(
    steps: Steps, smell: Float[np.ndarray, "colonies arcs"], exponent: float
) -> Float[np.ndarray, "colonies pairs"]:
    """Deneubourg's rule at every step."""
    offered = smell[:, steps.after]
    strongest = np.zeros((len(smell), steps.arcs + 1))
    np.maximum.at(strongest.T, steps.before, offered.T)
    width = (offered / strongest[:, steps.before]) ** exponent
    total = np.zeros_like(strongest)
    np.add.at(total.T, steps.before, width.T)
    return width / total[:, steps.before]


def expected(
    steps: Steps,
    chance: Float[np.ndarray, "colonies pairs"],
    length: Int[np.ndarray, " arcs"],
    heads: Int[np.ndarray, " arcs"],
    target: int,
    turning: float = 0.0,
) -> Way:
    """How long ways out are and where they lead, on average. `length` in rounds."""
    colonies, count = len(chance), steps.arcs
    turned = np.where(length > 1, 1 - (1 - turning) ** length, 0.0)
    turns = turned[steps.after]
    begin = steps.before == count
    # arrivals after each step: at the far end of the arc, or back where it was, as if by the other way of the arc
    came = np.concatenate([steps.before, steps.before])
    to = np.concatenate([steps.after, steps.after ^ 1])
    how = np.concatenate([chance * (1 - turns), chance * turns], axis=1)
    inside = ~np.concatenate([begin, begin])
    shift = count * np.arange(colonies)[:, None]
    rows, columns = ((x[inside] + shift).reshape(-1) for x in (to, came))
    size = colonies * count
    flow = csc_array((how[:, inside].reshape(-1), (rows, columns)), shape=(size, size))
    first = np.zeros((colonies, count))
    np.add.at(first.T, to[~inside], how[:, ~inside].T)
    arrivals = splu(csc_array(eye_array(size) - flow)).solve(first.reshape(-1)).reshape(colonies, count)
    leaving = np.concatenate([arrivals, np.ones((colonies, 1))], axis=1)
    taken = leaving[:, steps.before] * chance
    traffic = np.zeros((colonies, count))
    np.add.at(traffic.T, steps.after, taken.T)
    cost = (1 - turned) * length + turned * 2 * (length // 2)
    return Way(traffic @ cost, traffic)


def likeliest(
    steps: Steps, chance: Float[np.ndarray, " pairs"], heads: Int[np.ndarray, " arcs"], target: int
) -> Int[np.ndarray, " road"]:
    """The arcs of the single way from the source to the target that an ant takes with the largest chance."""
    count = steps.arcs
    known = chance > 0
    far = -np.log(chance[known]) + TINY
    graph = csr_array((far, (steps.before[known], steps.after[known])), shape=(count + 1, count + 1))
    distance, before = dijkstra(graph, indices=count, return_predecessors=True)
    ends = np.flatnonzero(heads == target)
    return traced(before, int(ends[distance[ends].argmin()]), count)


def traced(before: Any, end: int, start: int) -> Int[np.ndarray, " road"]:
    """From `end` back to `start` by predecessors, in order of walking, without `start`."""
    found = [end]
    while before[found[-1]] != start:
        found.append(int(before[found[-1]]))
    return np.array(found[::-1])


def shortest(
    arcs: Int[np.ndarray, " some"], tails: Any, heads: Any, length: Int[np.ndarray, " arcs"], source: int, target: int
) -> Int[np.ndarray, " road"] | None:
    """Dijkstra's way over `arcs`, as arcs; None where there is none."""
    count = int(tails.max()) + 1
    pair = tails[arcs] * count + heads[arcs]
    order = np.lexsort((length[arcs], pair))  # of parallel roads, the shortest comes first
    pairs, at = np.unique(pair[order], return_index=True)
    of = np.asarray(arcs)[order[at]]
    graph = csr_array((length[of].astype(float), (tails[of], heads[of])), shape=(count, count))
    distance, before = dijkstra(graph, indices=source, return_predecessors=True)
    if not np.isfinite(distance[target]):
        return None
    places = np.append(source, traced(before, target, source))
    return of[np.searchsorted(pairs, places[:-1] * count + places[1:])]
