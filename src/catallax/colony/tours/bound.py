"""At least so long is every tour: certificates for lengths that nobody has proved best.

Held and Karp: multipliers are sought on a graph of candidate edges and the tour's own (`one_tree`, which has the
mathematics), where a tree costs n log n; then one lightest 1-tree of all edges makes sure (`complete`). Without it there is no
bound: a tree that may not use every edge can weigh more than any tour. What the sure tree uses and the candidates lack is
added to them, a few times on the way up, so poor candidates cost height but never truth.

Lengths are whole ticks and multipliers are rounded to multiples of a power of two, so that the sums are exact in float64, and
a bound may be rounded up. Ties are not in the sums: each is -wall ticks, taken off in the end.

One-way distances: a tour leaves each city once and comes to each once, never to the city it leaves, so that it is no
shorter than a shortest assignment without stays (E. Balas and P. Toth, 1985). Held and Karp's bound of the doubled metric
has no lower limit, for its degrees are an assignment and it is connected as well, but an ascent may stop short of it.
"""

import math
import time
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.colony.tours import complete, one_tree
from catallax.colony.tours.metric import NONE, Metric, length, quick

EXACT = 2.0**52  # whole multiples up to here, and their sums up to twice as many, are exact in float64
FAR = 100.0  # where `nowhere` begins, in typical edges: a leaf of the tree, where at 0 ticks it would be the hub of a star
MENDING = 4  # more rounds at most, where the last lost more than
LOSS = 1e-3  # of what the candidates promised
SCANS = 64  # leaves tried as the special city on the complete graph


class Bound(NamedTuple):
    """`ticks`: whole; no closed tour of the metric is shorter, a tie counting -wall as it does in `metric.length`.

    `multipliers` make it so; `iterations`: 1-trees grown on candidates; `seconds` of the wall clock, compiling included.
    """

    ticks: float
    multipliers: Float[np.ndarray, " cities"]
    iterations: int
    seconds: float


def held_karp(
    metric: Metric,
    neighbours: Int[np.ndarray, "cities each"],
    order: Int[np.ndarray, " cities"],
    *,
    trees: int | None = None,
    rounds: int = 4,
) -> Bound:
    """A lower bound on every closed tour of three labels or more.

    `trees` to grow: 100 come within some 0.1 % of what can be had where cities are spread evenly, clusters take 1,000
    and more; None: a million cities' worth, 100 to 1,000. There is a certificate before them and after each of `rounds`; up
    to half as many trees again follow, `MENDING` times at most, while the last certificate says that candidates lack much.
    `order`, a tour, makes the candidates connected; the search ends if it is proved best.
    """
    begin = time.perf_counter()
    trees = trees or min(1000, max(100, 1_000_000 // metric.cities))
    pairs = candidates(metric, neighbours, order)
    graph, tree = one_tree.graph(metric, pairs), one_tree.empty(metric.cities)
    multipliers, best, before = np.zeros((3, metric.cities))
    if metric.nowhere != NONE:
        multipliers[metric.nowhere] = FAR * typical(graph)
    steps = typical(graph) * 0.1 * math.sqrt(trees) * (1 - np.arange(trees) / trees) ** 3
    goal, kept, grown = float(length(quick(metric), order)), Bound(-math.inf, best, 0, 0.0), 0
    parts = [steps[:0], *np.array_split(steps, rounds), *[steps[trees // 2 :]] * MENDING]
    for at, part in enumerate(parts):
        best[:] = multipliers
        promised = one_tree.ascend(graph, multipliers, best, before, tree, part)
        ticks, ties, used = certify(metric, graph, best, tree)
        grown += len(part)
        if ticks > kept.ticks:
            kept = Bound(ticks, best.copy(), grown, 0.0)
        lost = promised - (ticks + ties * metric.wall)
        if kept.ticks >= goal or (at >= rounds and lost <= LOSS * abs(promised)):
            break
        pairs = np.concatenate([pairs, used])
        graph = one_tree.graph(metric, pairs)
    return kept._replace(iterations=grown, seconds=time.perf_counter() - begin)


def candidates(
    metric: Metric, neighbours: Int[np.ndarray, "cities each"], order: Int[np.ndarray, " cities"]
) -> Int[np.ndarray, "pairs 2"]:
    """The edges to neighbours and of the tour, the tie, and all edges of `nowhere`."""
    labels = np.arange(metric.cities)
    pairs = [
        np.stack([np.repeat(labels, neighbours.shape[1]), neighbours.ravel()], 1),
        np.stack([order, np.roll(order, -1)], 1),
    ]
    if metric.tie != NONE:
        pairs.append(np.array([[0, metric.tie]]))
    if metric.nowhere != NONE:
        pairs.append(np.stack([labels, np.full(metric.cities, metric.nowhere)], 1))
    return np.concatenate(pairs).astype(np.int64)


def typical(graph: one_tree.Graph) -> float:
    """Ticks of a city's second shortest edge, on average: the unit of steps. Ties and closed edges are not counted."""
    source = np.repeat(np.arange(len(graph.first) - 1), np.diff(graph.first))
    by_ticks = graph.ticks[np.lexsort([graph.ticks, source])]
    ticks = by_ticks[graph.first[:-1] + 1]
    open_to_all = ticks[np.abs(ticks) < graph.wall]
    return float(np.abs(open_to_all).mean()) if len(open_to_all) else 0.0


def certify(
    metric: Metric, graph: one_tree.Graph, multipliers: Float[np.ndarray, " cities"], tree: one_tree.Tree
) -> tuple[float, int, Int[np.ndarray, "pairs 2"]]:
    """What no tour is shorter than, by these multipliers (rounded in place), the ties in that, and the edges of it."""
    multipliers[:] = snapped(metric, multipliers, one_tree.span(graph, multipliers, tree))
    one_tree.span(graph, multipliers, tree)
    used, weight, ties = complete.lightest(metric, multipliers, tree)
    second, special, to = complete.close_all(quick(metric), graph, multipliers, tree, SCANS)
    ticks = math.ceil(weight + second - 2 * multipliers.sum()) - ties * metric.wall
    return float(ticks), ties, np.concatenate([used, [[special, to]]])


def snapped(metric: Metric, multipliers: Float[np.ndarray, " cities"], weight: float) -> Float[np.ndarray, " cities"]:
    """The multipliers as multiples of a power of two that no sum outgrows; `weight`: a candidate tree's.

    A lightest tree weighs no more than that, its edges below 0 weigh no more than 2 max|pi| each, and so no sum of
    some of its edges, the wall of one tie, or 2 sum(pi) is beyond `size`. Were the multiples larger than a tick,
    distances would be none: then the multipliers are 0, which is as valid.
    """
    size = metric.wall + abs(weight) + 4 * len(multipliers) * float(np.abs(multipliers).max())
    grid = 2.0 ** (math.floor(math.log2(size)) + 1) / EXACT
    return np.round(multipliers / grid) * grid if grid <= 1 else np.zeros_like(multipliers)


def assignment_bound(matrix: Int[np.ndarray, "cities cities"]) -> float:
    """A lower bound on every tour with these one-way distances: the length of a shortest assignment without stays.

    SciPy's method (D. Crouse, 2016) adds, subtracts and compares distances only, and those are whole: below 2^53 in sum
    its answer is exact, hence a bound, without a certificate.
    """
    from scipy.optimize import linear_sum_assignment  # late: it takes a fifth of a second to load

    costs = matrix.astype(np.float64)
    np.fill_diagonal(costs, np.inf)
    row, column = linear_sum_assignment(costs)
    return float(costs[row, column].sum())
