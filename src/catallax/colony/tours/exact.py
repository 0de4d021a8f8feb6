"""Shortest tours by a planner who knows everything: dynamic programming for few cities, other people's solvers for more.

With home the last city, S a set of the others and j in S, let C(S, j) be the shortest way from home through all of S to j:

    C({j}, j) = d(home, j)        C(S, j) = min over i in S - j of C(S - j, i) + d(i, j)

which is n^2 2^(n-2) / 2 steps and n 2^(n+2) bytes: 20 cities take a quarter of a second and 80 MB, one more doubles both.

Solvers are asked for a tour, never for a proof, and are imported when asked. Theirs are whole numbers of 32 bits, so long
distances are rounded for them; a tie is made sure of by making all other edges longer by far.

M. Held and R. Karp, A dynamic programming approach to sequencing problems, 1962 (and R. Bellman, 1962). elkai is LKH
(K. Helsgaun); OR-Tools: guided local search.
"""

from importlib.util import find_spec

import numba
import numpy as np
from jaxtyping import Int

from catallax.colony.tours.metric import NONE, ONE_WAY, Metric
from catallax.colony.tours.one_tree import measured
from catallax.core.errors import Refused

MOST = 20  # cities of `dynamic`
LARGEST = 3000  # cities of a solver: the matrix goes through Python lists
LONGEST = 500_000  # ticks told to a solver: LKH multiplies by 100 and adds, in 32 bits
APART = 10  # an edge that must not be is so many times the longest
SECONDS_A_PAIR = 4e-6  # of elkai: 4 s for 1,000 cities


def dynamic(metric: Metric) -> Int[np.ndarray, " labels"]:
    """A shortest closed tour, as int32 labels. One-way tours say where one arrives, then where one leaves from.

    Raises `Refused` beyond 20 cities.
    """
    costs = ticks_between(metric)
    if len(costs) > MOST:
        raise Refused(
            f"The dynamic programme doubles with every city: {MOST} cities are the most, and here are {len(costs)}."
        )
    return labelled(metric, shortest(costs))


def ticks_between(metric: Metric) -> Int[np.ndarray, "cities cities"]:
    """Ticks from each city to each other, 0 on the diagonal; of ONE_WAY, cities and not their doubles."""
    one_way = metric.kind == ONE_WAY
    cities = len(metric.matrix) if one_way else metric.cities
    leave, arrive = np.divmod(np.arange(cities * cities), cities)
    apart = leave != arrive
    costs = np.zeros(cities * cities, np.int64)
    costs[apart] = measured(metric, leave[apart], arrive[apart] + cities * one_way)
    return costs.reshape(cities, cities)


def labelled(metric: Metric, order: Int[np.ndarray, " cities"]) -> Int[np.ndarray, " labels"]:
    """The order as labels of the metric: of ONE_WAY, each city's arrival and then its departure."""
    if metric.kind == ONE_WAY:
        order = np.stack([order + len(metric.matrix), order], 1).ravel()
    return order.astype(np.int32)


@numba.njit(cache=True)
def shortest(costs):
    """A shortest closed tour of all cities of a square matrix of int64, the last city last."""
    home = len(costs) - 1
    best = np.full((1 << home, home), np.iinfo(np.int64).max)
    for city in range(home):
        best[1 << city, city] = costs[home, city]
    for been in range(1, 1 << home):
        for city in range(home):
            if been >> city & 1:
                so_far = best[been, city]
                for to in range(home):
                    if not been >> to & 1:
                        there = been | 1 << to
                        best[there, to] = min(best[there, to], so_far + costs[city, to])
    return trace(costs, best)


@numba.njit(cache=True)
def trace(costs, best):
    """The tour, from its end: each city is one from which the way on is as long as was found."""
    home = len(costs) - 1
    order = np.full(home + 1, home)
    been, city = (1 << home) - 1, np.argmin(best[-1] + costs[:home, home])
    for at in range(home - 1, 0, -1):
        order[at] = city
        rest = been ^ 1 << city
        for before in range(home):
            if rest >> before & 1 and best[rest, before] + costs[before, city] == best[been, city]:
                been, city = rest, before
                break
    order[0] = city
    return order


def installed_planner() -> str | None:
    """`elkai` or else `ortools`, whichever is installed; None where neither is."""
    return next((name for name in ("elkai", "ortools") if find_spec(name)), None)


def planned(metric: Metric, seconds: float) -> Int[np.ndarray, " labels"] | None:
    """A tour by an installed solver, as int32 labels, or None: none installed, too many cities, or the tie is missed.

    OR-Tools stops after `seconds`. elkai cannot be stopped: it is asked where it is likely to be done by then.
    """
    cities = len(metric.matrix) if metric.kind == ONE_WAY else metric.cities
    if not 3 <= cities <= LARGEST:
        return None
    costs = told(metric, ticks_between(metric))
    if find_spec("elkai") and SECONDS_A_PAIR * cities**2 <= seconds:
        order = by_elkai(costs)
    elif find_spec("ortools"):
        order = by_ortools(costs, seconds)
    else:
        return None
    if order is None or not has_tie(metric, order):
        return None
    return labelled(metric, np.array(order))


def told(metric: Metric, costs: Int[np.ndarray, "cities cities"]) -> Int[np.ndarray, "cities cities"]:
    """Costs that a solver can add up: scaled down where they are long, closed edges and all but the tie made long."""
    tied, closed = costs <= -metric.wall, costs >= metric.wall
    open_to_all = np.where(tied | closed, 0, costs)
    longest = int(open_to_all.max())
    if longest > LONGEST:
        open_to_all = (open_to_all * (LONGEST / longest)).round().astype(np.int64)
    far = APART * (min(longest, LONGEST) + 1)
    costs = np.where(closed, far, open_to_all + (far if tied.any() else 0))
    return np.where(tied | np.eye(len(costs), dtype=bool), 0, costs)


def has_tie(metric: Metric, order: list[int]) -> bool:
    """Whether the tied cities are next to each other."""
    if metric.tie == NONE:
        return True
    at = order.index(0)
    return metric.tie in (order[at - 1], order[(at + 1) % len(order)])


def by_elkai(costs: Int[np.ndarray, "cities cities"]) -> list[int]:
    """LKH, 10 runs for up to 200 cities."""
    import elkai  # pyright: ignore[reportMissingImports]

    return elkai.DistanceMatrix(costs.tolist()).solve_tsp(runs=10 if len(costs) <= 200 else 1)[:-1]


def by_ortools(costs: Int[np.ndarray, "cities cities"], seconds: float) -> list[int] | None:
    """One vehicle from city 0, guided local search until the time is up."""
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2  # pyright: ignore[reportMissingImports]

    manager = pywrapcp.RoutingIndexManager(len(costs), 1, 0)
    routing = pywrapcp.RoutingModel(manager)
    routing.SetArcCostEvaluatorOfAllVehicles(routing.RegisterTransitMatrix(costs.tolist()))
    how = pywrapcp.DefaultRoutingSearchParameters()
    how.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PATH_CHEAPEST_ARC
    how.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    how.time_limit.FromMilliseconds(max(1, int(1000 * seconds)))
    found = routing.SolveWithParameters(how)
    if not found:
        return None
    order, at = [], routing.Start(0)
    while not routing.IsEnd(at):
        order.append(manager.IndexToNode(at))
        at = found.Value(routing.NextVar(at))
    return order
