"""A tour as an array that is mended in place: neighbours in O(1), a piece turned round in at most n / 2 swaps.

Every change is a series of flips (a piece turned round), written to a log, so that what did not pay is undone by the same
flips in reverse, with no copy of the tour. Cities that a change has touched stand in a queue: only around them
is there anything to mend.

    path[ORDER]    the cities as they are visited            path[QUEUE]    cities to be looked at, as a ring
    path[PLACE]    where each stands in the order            path[QUEUED]   whether each is in it
    log[0]         how many flips are logged                 log[1]         where the queue begins, how many wait
    log[2:]        the flips since the log was last cleared: first and last position

Plain arrays, not tuples of them: numba counts references to every array that it takes out of a tuple, which made the
search below three times as slow.
"""

import numpy as np
from jaxtyping import Int

from catallax.core.kernel import bare

ORDER, PLACE, QUEUE, QUEUED = range(4)
FIRST = 2  # row of the log where flips begin
ROOM = 100_000  # flips that the log holds


def path_of(order: Int[np.ndarray, " cities"], waiting: bool = False) -> Int[np.ndarray, "4 cities"]:
    """The path of an order (copied), int32; `waiting`: whether all cities are to be looked at (see `log_of`)."""
    n = len(order)
    path = np.empty((4, n), np.int32)
    path[ORDER] = path[QUEUE] = order
    path[PLACE, order] = np.arange(n)
    path[QUEUED] = waiting
    return path


def log_of(path: Int[np.ndarray, "4 cities"]) -> Int[np.ndarray, "rows 2"]:
    """An empty log, int32, for a path of which all cities wait or none does."""
    log = np.empty((FIRST + ROOM, 2), np.int32)
    log[0] = 0
    log[1] = 0, path.shape[1] * path[QUEUED, 0]
    return log


@bare
def after(path, city):
    """The next city."""
    at = path[PLACE, city] + 1
    return path[ORDER, at] if at < path.shape[1] else path[ORDER, 0]


@bare
def before(path, city):
    """The one before."""
    at = path[PLACE, city] - 1
    return path[ORDER, at] if at >= 0 else path[ORDER, path.shape[1] - 1]


@bare
def turn(path, first, last):
    """Turn the piece from position `first` to `last` (on round the end, if need be), or the rest, whichever is shorter."""
    n = path.shape[1]
    size = last - first
    if size < 0:
        size += n
    size += 1
    if 2 * size > n:
        first, last, size = last + 1, first - 1, n - size
        first = first if first < n else 0
        last = last if last >= 0 else n - 1
    for _ in range(size // 2):
        a, b = path[ORDER, first], path[ORDER, last]
        path[ORDER, first], path[ORDER, last] = b, a
        path[PLACE, b], path[PLACE, a] = first, last
        first = first + 1 if first + 1 < n else 0
        last = last - 1 if last > 0 else n - 1


@bare
def flip(path, log, a, b, c, d):
    """Replace the edges (a, b) and (c, d) by (b, c) and (d, a), where b is next to a as d is to c the other way round."""
    if after(path, a) == b:
        first, last = path[PLACE, b], path[PLACE, d]
    else:
        first, last = path[PLACE, d], path[PLACE, b]
    turn(path, first, last)
    at = log[0, 0] + FIRST
    if at < log.shape[0]:
        log[at, 0], log[at, 1] = first, last
    log[0, 0] += 1


@bare
def undo(path, log):
    """Take back all flips of the log; False where there were more than it holds."""
    at = log[0, 0] + FIRST
    if at > log.shape[0]:
        return False
    while at > FIRST:
        at -= 1
        turn(path, log[at, 0], log[at, 1])
    log[0, 0] = 0
    return True


@bare
def wait(path, log, city):
    """Put a city into the queue, unless it is there."""
    if path[QUEUED, city] == 0:
        path[QUEUED, city] = 1
        at = log[1, 0] + log[1, 1]
        n = path.shape[1]
        path[QUEUE, at if at < n else at - n] = city
        log[1, 1] += 1


@bare
def take(path, log):
    """The first city of the queue, which leaves it."""
    head = log[1, 0]
    city = path[QUEUE, head]
    log[1, 0] = head + 1 if head + 1 < path.shape[1] else 0
    log[1, 1] -= 1
    path[QUEUED, city] = 0
    return city
