"""Two crews at once: the way is cut into as many pieces as there are threads, and each is searched by a crew of its own.

The ends of a piece are tied to each other, so that it is a closed tour of its own, over labels that go along the way;
candidates outside of it are left out for the round. The cuts move from round to round, so that no border stays one. What
comes out depends on the number of threads and never on which is done first.

    R. M. Karp, Probabilistic analysis of partitioning algorithms for the traveling-salesman problem in the plane, Mathematics
    of Operations Research 2, 1977 (parts of a tour, each for itself).
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from jaxtyping import Int

from catallax.colony.tours.faint import work
from catallax.colony.tours.metric import ONE_WAY, Metric, quick
from catallax.colony.tours.neighbours import CITY, FAR, TICKS
from catallax.colony.tours.path import ORDER, PLACE, log_of, path_of

LEAST = 500  # cities of a piece
TURN = 0.381966  # of the way, by which the cuts move from one round to the next: the golden section leaves no place out


def divides(metric: Metric, threads: int) -> bool:
    """Whether the way is long enough to be shared, and has nothing that a piece could not keep."""
    free = metric.tie < 0 and metric.nowhere < 0 and not metric.closed.size and metric.kind != ONE_WAY
    return threads > 1 and free and bool(metric.places.size) and metric.cities >= threads * LEAST


def search(
    metric: Metric,
    near: Any,
    path: Int[np.ndarray, "4 cities"],
    level: Any,
    crew: Any,
    key: Any,
    t: int,
    threads: int,
    how: Any,
) -> int:
    """A round of ants, each crew on a piece of the way. Ticks that it has gained; `path` and the merits change in place.

    `how`: heat, width and looks, as `faint.work` takes them.
    """
    order = path[ORDER]
    n = len(order)
    first = int(t * TURN * n) % n
    rows = np.array_split((first + np.arange(n)) % n, threads)
    crews = list(zip(*(np.array_split(part, threads) for part in crew), strict=True))

    def one(lane: int) -> tuple[int, Any]:
        return on_piece(metric, near, order[rows[lane]], level, crews[lane], key, how)

    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(one, range(threads)))
    for at, (_, labels) in zip(rows, found, strict=True):
        order[at] = labels
    path[PLACE, order] = np.arange(n)
    return sum(gained for gained, _ in found)


def on_piece(metric: Metric, near: Any, labels: Any, level: Any, crew: Any, key: Any, how: Any) -> tuple[int, Any]:
    """What a crew makes of a piece: ticks gained, and its labels in the new order, both ends where they were."""
    size = len(labels)
    inside, smell = candidates(near, level, labels)
    local = metric._replace(places=np.ascontiguousarray(metric.places[labels]), cities=size, tie=size - 1)
    path = path_of(np.arange(size, dtype=np.int32))
    gained = work(quick(local), inside, path, log_of(path), smell, crew, key, *how)
    order = np.roll(path[ORDER], -int(path[PLACE, 0]))
    order = order if order[1] != size - 1 else np.roll(order[::-1], 1)
    if order[-1] != size - 1:  # the ends were torn apart by a change too large for the log to take back
        return 0, labels
    return int(gained), labels[order]


@numba.njit(cache=True, nogil=True)
def candidates(near, level, labels):
    """Candidates within a piece and their trails, under the labels of the piece."""
    size, k = len(labels), near.shape[1]
    local = np.full(near.shape[0], -1, np.int32)
    for at in range(size):
        local[labels[at]] = at
    inside, smell = np.empty((size, k, 2), np.int32), np.zeros((size, k), np.float32)
    for at in range(size):
        count = 0
        for slot in range(k):
            other = local[near[labels[at], slot, CITY]]
            if other < 0 or other == at or abs(other - at) == size - 1:
                continue
            inside[at, count, CITY], inside[at, count, TICKS] = other, near[labels[at], slot, TICKS]
            smell[at, count] = level[labels[at], slot]
            count += 1
        for slot in range(count, k):
            inside[at, slot, CITY], inside[at, slot, TICKS] = at, FAR
    return inside, smell
