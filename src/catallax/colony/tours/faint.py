"""Ants on a trodden way: each cuts it in four places close together, lays the pieces otherwise, and mends what it touched.

An ant reads the trail and the way itself, and nothing else: it chooses where to cut, rather where the trail is faint, for
there the way is young or doubtful; swaps the two outer pieces (the double bridge, which 3-opt cannot take back in one
move); mends around the eight ends by 3-opt; and keeps what it did if the way has become no longer than

    - heat * ln u ticks,   u uniform in (0, 1]

(a chance of exp(-increase / heat)), else undoes it. The heat falls to nothing while time runs out: simulated annealing,
one small change at a time.

    O. Martin, S. W. Otto and E. W. Felten, Large-step Markov chains for the travelling salesman problem, Complex Systems 5, 1991.
"""

import numpy as np

from catallax.colony.tours.metric import distance
from catallax.colony.tours.path import ORDER, flip, undo, wait
from catallax.colony.tours.three_opt import mend
from catallax.core.kernel import bare, below, fold_in, uniform
from catallax.signals.treading import trail

LEAST = 8  # cities that four cuts need


@bare
def work(metric, near, path, log, level, crew, key, heat, width, looks):
    """One round: every ant of the crew in turn. Ticks that the way has gained (less than 0: it is shorter).

    `crew`: (id, reach, merit) [ants] each; `looks`: in how many places an ant smells before it cuts (1: it cuts anywhere).
    """
    changed = np.int64(0)
    if path.shape[1] < LEAST:
        return changed
    ids, reach, merit = crew
    for ant in range(len(ids)):
        a, b = fold_in(key[0], key[1], ids[ant])
        log[0, 0] = 0
        change = rearrange(metric, near, path, log, level, reach[ant], looks, a, b)
        change -= mend(metric, near, path, log, width)
        accepted = change <= 0 or (heat > 0 and change <= -heat * np.log(1.0 - uniform(a, b, 0)))
        if accepted or not undo(path, log):
            changed += change
            merit[ant] -= change
    return changed


@bare
def rearrange(metric, near, path, log, level, reach, looks, k0, k1):
    """a [B] [C] [D] e becomes a [D] [C] [B] e; ticks gained."""
    n = path.shape[1]
    reach = min(reach, (n - 2) // 3)
    p0 = smelt(metric, near, path, level, 0, n, looks, k0, k1, 1)
    p1 = smelt(metric, near, path, level, p0 + 1, reach, looks, k0, k1, 1 + looks)
    p2 = smelt(metric, near, path, level, p1 + 1, reach, looks, k0, k1, 1 + 2 * looks)
    p3 = smelt(metric, near, path, level, p2 + 1, reach, looks, k0, k1, 1 + 3 * looks)
    return relay(metric, path, log, p0, p1, p2, p3)


@bare
def relay(metric, path, log, p0, p1, p2, p3):
    """Cuts behind four positions, in ascending order, and swaps the outer pieces; ticks gained."""
    n, order = path.shape[1], path[ORDER]
    a, b1 = order[p0 % n], order[(p0 + 1) % n]
    b2, c1 = order[p1 % n], order[(p1 + 1) % n]
    c2, d1 = order[p2 % n], order[(p2 + 1) % n]
    d2, e = order[p3 % n], order[(p3 + 1) % n]
    gained = distance(metric, a, d1) + distance(metric, d2, c1) + distance(metric, c2, b1) + distance(metric, b2, e)
    gained -= distance(metric, a, b1) + distance(metric, b2, c1) + distance(metric, c2, d1) + distance(metric, d2, e)
    flip(path, log, a, b1, e, d2)
    if d1 != d2:
        flip(path, log, a, d2, c2, d1)
    if c1 != c2:
        flip(path, log, d2, c2, b2, c1)
    if b1 != b2:
        flip(path, log, c2, b2, e, b1)
    for city in (a, b1, b2, c1, c2, d1, d2, e):
        wait(path, log, city)
    return gained


@bare
def smelt(metric, near, path, level, start, span, looks, k0, k1, draw):
    """Of `looks` positions from `start` on, within `span`, the one whose edge to the next city smells faintest. Ties cannot be
    cut: where one lies the next edge is taken."""
    best = untied(metric, path, start + below(k0, k1, draw, span))
    if looks == 1:
        return best
    n = path.shape[1]
    faintest = trail(near, level, path[ORDER, best % n], path[ORDER, (best + 1) % n])
    for look in range(1, looks):
        at = untied(metric, path, start + below(k0, k1, draw + look, span))
        smell = trail(near, level, path[ORDER, at % n], path[ORDER, (at + 1) % n])
        if smell < faintest:
            best, faintest = at, smell
    return best


@bare
def untied(metric, path, at):
    """The position, or the next one where the edge behind it is tied."""
    n = path.shape[1]
    return at + 1 if distance(metric, path[ORDER, at % n], path[ORDER, (at + 1) % n]) < 0 else at
