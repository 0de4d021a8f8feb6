"""Full sequential 3-opt with neighbour lists: a tour from which no exchange of two or three edges that begins with a gain is left.

From t1 and a neighbour t2 on the tour, edges are taken away and put in by turns,

    - (t1,t2)  + (t2,t3)  - (t3,t4)  + (t4,t5)  - (t5,t6)  + (t6,t1),

while what was taken away stays longer than what was put in; t3 and t5 are candidates of t2 and t4. With "next" the
direction from t1 to t2:

    straight   t4 before t3: closing at once is a 2-opt move; t6 is then chosen so that a second flip closes
    crossed    t4 after t3: the piece t2 .. t3 is a ring, opened at t5 in it, in either direction

A gain is taken as soon as it is found, and the cities that it touched are looked at again.

    S. Lin, Computer solutions of the traveling salesman problem, Bell System Technical Journal 44, 1965.
    S. Lin and B. W. Kernighan, Operations Research 21, 1973 (the gain criterion). J. L. Bentley, ORSA J. Computing 4, 1992
    (neighbour lists, don't-look bits).
"""

import numpy as np

from catallax.colony.tours.metric import distance
from catallax.colony.tours.neighbours import CITY, TICKS
from catallax.colony.tours.path import PLACE, after, before, flip, take, wait
from catallax.core.kernel import bare, inlined


@bare
def mend(metric, near, path, log, width):
    """Ticks saved by 3-opt moves until no city waits. `width`: how many candidates t3 has,
    how many t5, and the longest piece that may be turned round (of very many cities only moves with short flips pay)."""
    saved = np.int64(0)
    k = near.shape[1]
    width = min(width[0], k), min(width[1], k), width[2]
    while log[1, 1] > 0:
        city = take(path, log)
        gain = np.int64(1)
        while gain > 0:
            gain = improve(metric, near, path, log, width, city)
            saved += gain
    return saved


@inlined
def improve(metric, near, path, log, width, t1):
    """Makes the first move found from t1, and says what it saves; 0 where there is none."""
    for forward in (True, False):
        t2 = after(path, t1) if forward else before(path, t1)
        first = distance(metric, t1, t2)
        for at in range(width[0]):
            gain = first - near[t2, at, TICKS]
            if gain <= 0:
                break
            t3 = near[t2, at, CITY]
            if t3 == t2:  # no more candidates, and a wall is longer than far
                break
            if t3 == t1 or t3 == (after(path, t2) if forward else before(path, t2)):
                continue
            saved = straight(metric, near, path, log, width, forward, t1, t2, t3, gain)
            if saved == 0:
                saved = crossed(metric, near, path, log, width, forward, t1, t2, t3, gain)
            if saved > 0:
                return saved
    return np.int64(0)


@bare
def steps(path, forward, start, city):
    """How far it is from `start` to `city` along the tour."""
    far = path[PLACE, city] - path[PLACE, start] if forward else path[PLACE, start] - path[PLACE, city]
    return far if far >= 0 else far + path.shape[1]


@bare
def shorter(path, size):
    """Cities of a piece of so many or of the rest, whichever is shorter: what a flip moves."""
    return min(size, path.shape[1] - size)


@inlined
def straight(metric, near, path, log, width, forward, t1, t2, t3, gain):
    """Moves whose first two exchanges are one flip."""
    inside = steps(path, forward, t2, t3)
    if shorter(path, inside) > width[2]:
        return np.int64(0)
    t4 = before(path, t3) if forward else after(path, t3)
    gain = gain + distance(metric, t3, t4)
    saved = gain - distance(metric, t4, t1)
    if saved > 0:
        flip(path, log, t1, t2, t3, t4)
        touch(path, log, t1, t2, t3, t4)
        return saved
    for at in range(width[1]):
        rest = gain - near[t4, at, TICKS]
        if rest <= 0:
            break
        t5 = near[t4, at, CITY]
        if t5 == t4:
            break
        if t5 == t3 or t5 == t1:  # noqa: SIM109 (numba: no tuple in the innermost loop)
            continue
        ahead = steps(path, forward, t2, t5)
        turned = ahead < inside  # t5 lies in the piece that the first flip turns round
        t6 = after(path, t5) if turned == forward else before(path, t5)
        if t6 == t4 or shorter(path, ahead) > width[2]:
            continue
        saved = rest + distance(metric, t5, t6) - distance(metric, t6, t1)
        if saved > 0:
            flip(path, log, t1, t2, t3, t4)
            flip(path, log, t1, t4, t5, t6)
            touch(path, log, t1, t2, t3, t4)
            touch(path, log, t5, t6, t5, t6)
            return saved
    return np.int64(0)


@inlined
def crossed(metric, near, path, log, width, forward, t1, t2, t3, gain):
    """Moves that leave a ring for a moment."""
    t4 = after(path, t3) if forward else before(path, t3)
    gain = gain + distance(metric, t3, t4)
    ring = steps(path, forward, t2, t3)
    if shorter(path, ring) > width[2]:
        return np.int64(0)
    for at in range(width[1]):
        rest = gain - near[t4, at, TICKS]
        if rest <= 0:
            break
        t5 = near[t4, at, CITY]
        if t5 == t4:
            break
        inside = steps(path, forward, t2, t5)
        if t5 == t3 or inside > ring:
            continue
        t6 = after(path, t5) if forward else before(path, t5)
        saved = rest + distance(metric, t5, t6) - distance(metric, t6, t1)
        if saved > 0:  # t1 [t6 .. t3] [t2 .. t5] t4
            flip(path, log, t1, t2, t4, t3)
            flip(path, log, t1, t3, t5, t6)
            flip(path, log, t3, t5, t4, t2)
            touch(path, log, t1, t2, t3, t4)
            touch(path, log, t5, t6, t5, t6)
            return saved
        if inside == 0:
            continue
        t6 = before(path, t5) if forward else after(path, t5)
        saved = rest + distance(metric, t5, t6) - distance(metric, t6, t1)
        if saved > 0:  # t1 [t6 .. t2] [t3 .. t5] t4
            flip(path, log, t1, t2, t5, t6)
            flip(path, log, t2, t5, t4, t3)
            touch(path, log, t1, t2, t3, t4)
            touch(path, log, t5, t6, t5, t6)
            return saved
    return np.int64(0)


@bare
def touch(path, log, a, b, c, d):
    """All four are looked at again."""
    wait(path, log, a)
    wait(path, log, b)
    wait(path, log, c)
    wait(path, log, d)
