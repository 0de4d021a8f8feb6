"""Ants after a change: they cut where the way is young or long, and in places that lie close together on the map.

A change leaves the way as it was nearly everywhere, so that an ant that cuts anywhere mostly cuts where there is nothing to
gain. And its four cuts follow one another along the way: among clusters, where a city that comes or goes may turn the whole
round of the clusters over, places that belong together are hundreds of cities apart on the way. So these ants know *sites*:

    young     cities at an edge of the way whose trail is below HALF: it was not there before, or not for long
    long      cities at an edge longer than LONG mean edges: between clusters

Sites in the order of their labels follow Hilbert's curve. An ant takes the longer of two edges at any two sites, three more so
among the WINDOW sites around it, and lays the pieces between the four otherwise, as all faint ants do.

    D. Applegate, W. Cook and A. Rohe, Chained Lin-Kernighan for large traveling salesman problems, INFORMS J. Computing 15, 2003
    (cuts that are close on the map, not on the tour).
"""

import numpy as np

from catallax.colony.tours.faint import relay, untied
from catallax.colony.tours.metric import distance
from catallax.colony.tours.path import ORDER, PLACE, undo
from catallax.colony.tours.three_opt import mend
from catallax.core.kernel import bare, below, fold_in, uniform
from catallax.signals.treading import trail

HALF = 0.5
LONG = 2  # mean edges
WINDOW = 10  # sites; with 20 an ant finds less in the same time
LOOKS = 2  # edges of which the longer is cut


@bare
def mark(metric, near, order, level, sites):
    """Writes the sites of a way into `sites` [labels], in ascending order; how many there are."""
    n = len(order)
    whole, count = np.int64(0), 0
    for at in range(n):
        sites[at] = 0
        ticks = distance(metric, order[at], order[(at + 1) % n])
        whole += ticks if 0 <= ticks < metric.wall else 0
    for at in range(n):
        a, b = order[at], order[(at + 1) % n]
        ticks = distance(metric, a, b)
        if ticks >= 0 and (ticks * n > LONG * whole or trail(near, level, a, b) < HALF):
            sites[a] = sites[b] = 1
    for label in range(n):
        if sites[label] == 1:
            sites[count] = label
            count += 1
    return count


@bare
def visit(metric, near, path, log, sites, crew, key, heat, width):
    """One round, as `faint.work`, of ants that cut at `sites` (labels, ascending)."""
    changed = np.int64(0)
    ids, merit = crew
    for ant in range(len(ids)):
        a, b = fold_in(key[0], key[1], ids[ant])
        log[0, 0] = 0
        p0, p1, p2, p3 = cuts(metric, path, sites, a, b)
        if p0 == p1 or p1 == p2 or p2 == p3:
            continue
        change = relay(metric, path, log, p0, p1, p2, p3)
        change -= mend(metric, near, path, log, width)
        accepted = change <= 0 or (heat > 0 and change <= -heat * np.log(1.0 - uniform(a, b, 0)))
        if accepted or not undo(path, log):
            changed += change
            merit[ant] -= change
    return changed


@bare
def cuts(metric, path, sites, k0, k1):
    """Four positions behind which an ant cuts, in ascending order; two are the same where it finds no four."""
    count = len(sites)
    window = min(WINDOW, count)
    p0 = longer(metric, path, sites, 0, count, k0, k1, 1)
    first = np.searchsorted(sites, path[ORDER, p0]) + count - window // 2
    p1 = longer(metric, path, sites, first, window, k0, k1, 1 + 2 * LOOKS)
    p2 = longer(metric, path, sites, first, window, k0, k1, 1 + 4 * LOOKS)
    p3 = longer(metric, path, sites, first, window, k0, k1, 1 + 6 * LOOKS)
    p0, p1 = min(p0, p1), max(p0, p1)
    p2, p3 = min(p2, p3), max(p2, p3)
    p0, p2 = min(p0, p2), max(p0, p2)
    p1, p3 = min(p1, p3), max(p1, p3)
    return p0, min(p1, p2), max(p1, p2), p3


@bare
def longer(metric, path, sites, first, span, k0, k1, draw):
    """The position of the longest of LOOKS edges, each before or behind one of the `span` sites from place `first` on."""
    n, count = path.shape[1], len(sites)
    best, far = np.int64(0), np.int64(-1)
    for look in range(LOOKS):
        site = sites[(first + below(k0, k1, draw + 2 * look, span)) % count]
        at = untied(metric, path, path[PLACE, site] + n - below(k0, k1, draw + 2 * look + 1, 2)) % n
        ticks = distance(metric, path[ORDER, at], path[ORDER, (at + 1) % n])
        if ticks > far:
            best, far = at, ticks
    return best
