"""Who drives where, found by an optimiser that knows everything: NumPy, float64, with a certificate.

On the paths of every trip, flows x >= 0 that add up to its demand d are such that no used path costs more than another:

    minimise over x   sum_i x_i . c_i(x)  to first order,   gap = sum_i (x_i . c_i - d_i min c_i) / sum_i |x_i . c_i|

With c = t(X) that is Wardrop's equilibrium, with marginal costs c = t + X t' the least total time: there the gap bounds how
much of the total time could still be saved, since total time is convex. Flow goes, pair by pair, from a dearer path to the
cheapest until the two cost the same (gradient projection); nothing of what travellers do is used here.

R. Jayakrishnan, W. Tsai, J. Prashker and S. Rajadhyaksha, A faster path-based algorithm for traffic assignment,
Transportation Research Record 1443, 1994.
"""

import functools as ft
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from catallax.core.errors import BadInput

MOST = 2000  # paths of one trip
SWEEPS = 5000


class Paths(NamedTuple):
    """`on`: whether a path uses an edge; `open`: whether there is such a path (trips have unlike numbers of them)."""

    on: Float[np.ndarray, "trips paths edges"]
    open: Bool[np.ndarray, "trips paths"]


class Assigned(NamedTuple):
    """`flow` on each path, and the relative gap."""

    flow: Float[np.ndarray, "trips paths"]
    gap: float


@ft.lru_cache(maxsize=64)
def paths_of(edges: tuple[tuple[Hashable, Hashable], ...], trips: tuple[tuple[Hashable, Hashable], ...]) -> Paths:
    """All simple paths of every trip. Raises `BadInput` where a trip has none, or more than `MOST`."""
    found = {trip: simple_paths(edges, *trip) for trip in dict.fromkeys(trips)}
    for row, trip in enumerate(trips):
        if not found[trip]:
            raise BadInput(f"Routing.trips[{row}] goes from {trip[0]!r} to {trip[1]!r}, but no edges lead there")
    most = max(map(len, found.values()))
    on, is_open = np.zeros((len(trips), most, len(edges))), np.zeros((len(trips), most), bool)
    for row, trip in enumerate(trips):
        for column, path in enumerate(found[trip]):
            on[row, column, list(path)] = 1
            is_open[row, column] = True
    return Paths(on, is_open)


def simple_paths(edges: tuple, origin: Hashable, destination: Hashable) -> list[tuple[int, ...]]:
    """Paths that pass no node twice, as tuples of edges, in the order in which edges were given."""
    found: list[tuple[int, ...]] = []
    unfinished: list[tuple[Hashable, tuple[int, ...], frozenset]] = [(origin, (), frozenset([origin]))]
    while unfinished:
        node, path, seen = unfinished.pop()
        if node == destination:
            found.append(path)
            if len(found) > MOST:
                raise BadInput(
                    f"from {origin!r} to {destination!r} there are over {MOST} paths: give a smaller network"
                )
            continue
        for index, (start, stop) in reversed(list(enumerate(edges))):
            if start == node and stop not in seen:
                unfinished.append((stop, (*path, index), seen | {stop}))
    return found


def gap_of(paths: Paths, flow: np.ndarray, cost: np.ndarray) -> float:
    """The relative gap of path flows [trips, paths] at edge costs [edges] or [trips, edges]."""
    each = np.einsum("tpe,te->tp", paths.on, np.broadcast_to(cost, (len(flow), paths.on.shape[2])))
    least = np.where(paths.open, each, np.inf).min(1)
    paid = (flow * each).sum(1)
    wasted = (flow * (each - least[:, None])).sum()
    return max(0.0, float(wasted / (np.abs(paid).sum() or 1.0)))


def assign(paths: Paths, demand: np.ndarray, cost: Callable, tolerance: float = 1e-12) -> Assigned:
    """Path flows at which no used path costs more than another; `cost(flow)`, nondecreasing, of edges [edges]."""
    flow = np.where(paths.open, demand[:, None] / paths.open.sum(1, keepdims=True), 0.0)
    total = np.einsum("tp,tpe->e", flow, paths.on)
    gap, best = gap_of(paths, flow, cost(total)), flow.copy()
    least = gap
    for _ in range(SWEEPS):
        if least <= tolerance:
            break
        for trip in range(len(flow)):
            even_out(paths.on[trip][paths.open[trip]], flow[trip], total, cost)
        total = np.einsum("tp,tpe->e", flow, paths.on)
        gap = gap_of(paths, flow, cost(total))
        if gap < least:
            least, best = gap, flow.copy()
    return Assigned(best, least)


def even_out(on: np.ndarray, flow: np.ndarray, total: np.ndarray, cost: Callable) -> None:
    """One trip: from each dearer path to the cheapest until both cost the same. Changes `flow` and `total` in place."""
    for path in np.flatnonzero(flow[: len(on)]):
        each = on @ cost(total)
        best = int(np.argmin(each))
        if each[path] > each[best]:
            turn = on[best] - on[path]
            moved = balance(lambda d, turn=turn: -turn @ cost(total + d * turn), float(flow[path]))  # noqa: B023
            flow[path] -= moved
            flow[best] += moved
            total += moved * turn


def most_to_save(paths: Paths, demand: np.ndarray, share: np.ndarray, cost: Callable, slope: Callable) -> float:
    """The largest share of its cost that one trip, all in one hand, could save, the others' flows standing.

    `share` [trips, paths]: of its demand on each path, now; `cost(flow)` and `slope(flow)`, its derivative: of edges [edges].
    """
    own = np.einsum("t,tp,tpe->te", demand, share, paths.on)
    most = 0.0
    for trip, others in enumerate(own.sum(0) - own):
        alone = Paths(paths.on[trip : trip + 1], paths.open[trip : trip + 1])
        spent = float(own[trip] @ cost(others + own[trip]))

        def marginal(x, others=others):
            return cost(others + x) + x * slope(others + x)

        best = assign(alone, demand[trip : trip + 1], marginal).flow[0] @ alone.on[0]
        saved = spent - float(best @ cost(others + best))
        most = max(most, saved / abs(spent) if spent else 0.0)
    return most


def balance(excess: Callable[[float], float], most: float) -> float:
    """How much of `most` to move until the excess cost, falling, is 0."""
    from scipy.optimize import brentq

    if excess(most) >= 0:
        return most
    if excess(0.0) <= 0:  # it was rounding
        return 0.0
    root: Any = brentq(excess, 0.0, most, xtol=1e-300, rtol=np.float64(8.9e-16))
    return float(root)
