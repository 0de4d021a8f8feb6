"""What a colony keeps when the world changes: its way, mended where cities came, went or moved; its trails; its ants.

A city that has come is put where it costs least beside one of its candidates; one that has moved is taken out and put back in
the same manner; 3-opt then looks at cities whose neighbours on the way have changed. Where little of the way is left, one begun
afresh (greedy, mended) is tried too. Trails keep their level between cities that were candidates of one another before, and all
others begin at the floor, so that they tell where the way is new: there, and at its long edges, all ants cut for as many rounds
as a trail lasts, and in every other round from then on (`tours.young`). Ants keep their merits. The search begins at `WARM` of
the first heat.
"""

import dataclasses

import numba
import numpy as np
from jaxtyping import Float32, Int

from catallax.colony.ants import Colony, mended
from catallax.colony.change import Changed
from catallax.colony.tour import Tour
from catallax.colony.tours.certificate import cities_left
from catallax.colony.tours.chart import Chart, cities_of, labels_of
from catallax.colony.tours.first import FEW
from catallax.colony.tours.metric import ONE_WAY, Metric, distance
from catallax.colony.tours.neighbours import CITY, FAR, TICKS
from catallax.signals.pheromone import FLOOR, Way

WARM = 0.1  # of the first heat; none, .1 and .25 were alike over the first dozen rounds
UPHEAVAL = 0.2  # of all cities, new or moved: beyond that little of the old way is left
NEXT, BEFORE = range(2)  # rows of links


def carried(after: Changed, before: Tour, colony: Colony) -> Colony:
    """The colony of `before` on the tour that it has become."""
    assert colony.best is not None
    tour, signal = after.tour, colony.signal
    begun = tour.begun(carried_way(after, before, colony.best), WARM)
    level = trails(tour.chart, before.chart, after.was, signal.level)  # pyright: ignore[reportAttributeAccessIssue]
    signal, agents = dataclasses.replace(begun.signal, level=level), begun.agents
    merit = dict(zip(before.facts.ids.tolist(), colony.agents.merit.tolist(), strict=True))
    agents = dataclasses.replace(agents, merit=np.array([merit.get(int(ant), 0.0) for ant in tour.facts.ids]))
    young = (
        0 if tour.ground.places is None else round(1 / begun.signal.evaporation)
    )  # a matrix's labels follow no curve
    return dataclasses.replace(begun, signal=signal, agents=agents, changes=colony.changes, young=young)


def carried_way(after: Changed, before: Tour, best: Way) -> Way:
    """The best way of before, repaired and mended (or, after an upheaval, one begun afresh); of few cities a shortest one."""
    chart = after.tour.chart
    if cities_left(chart) < FEW:
        return after.tour.facts.first
    old = cities_of(before.chart, best.order)
    now = np.full(before.ground.cities, -1)
    now[after.was[after.was >= 0]] = np.flatnonzero(after.was >= 0)
    kept = now[old]
    kept = kept[kept >= 0]
    labels = planted(chart, kept[~after.moved[kept]])
    whole = chart.metric.matrix.size > 0  # any distance may have changed
    touched = None if whole else touched_by(after, labels, labels_of(before.chart, old), before.chart)
    way = mended(chart, labels, touched)
    if float(np.mean(after.moved | (after.was < 0))) <= UPHEAVAL:
        return way
    afresh = after.tour.facts.first
    return way if way.ticks <= afresh.ticks else afresh


def planted(chart: Chart, order: Int[np.ndarray, " some"]) -> Int[np.ndarray, " labels"]:
    """The closed way of labels through the cities of `order`, as far as the chart's plan allows it, and all others, each where it
    costs least beside a candidate that has its place already.
    """
    plan, half = chart.plan, len(chart.city)
    fixed = [*plan.driven, *([plan.end] if plan.end >= 0 else [])]
    apart = np.zeros(int(order.max(initial=0)) + 1, bool)
    apart[[city for city in fixed if city < len(apart)]] = True
    rest = order[~apart[order]]
    order = np.concatenate([np.array(plan.driven, np.int64), rest, np.array(fixed[len(plan.driven) :], np.int64)])
    if chart.metric.kind == ONE_WAY:
        half //= 2
    links = np.full((2, len(chart.city)), -1, np.int32)
    if len(order):
        way = labels_of(chart, order)
        links[NEXT, way], links[BEFORE, way] = np.roll(way, -1), np.roll(way, 1)
    new = np.flatnonzero(links[NEXT, :half] < 0)
    plant(chart.metric, chart.near, links, new, len(chart.city) - half)
    return walked(links)


def touched_by(
    after: Changed, labels: Int[np.ndarray, " labels"], old: Int[np.ndarray, " olds"], chart: Chart
) -> Int[np.ndarray, " touched"]:
    """Labels whose neighbours on the way are others than before, or lie elsewhere, or are closed to them."""
    now = after.tour.chart
    origin = origins(now, chart, after.was)
    both = beside(labels)
    was = beside(old)
    before = np.where(origin[:, None] >= 0, was[origin], -2)
    same = np.sort(origin[both], axis=1) == np.sort(before, axis=1)
    fresh = np.where(now.city >= 0, after.moved[now.city] | (after.was[now.city] < 0), False)
    odd = ~same.all(axis=1) | fresh | fresh[both].any(axis=1)
    odd[np.concatenate([now.metric.closed // len(odd), now.metric.closed % len(odd)])] = True
    return np.flatnonzero(odd).astype(np.int32)


def beside(way: Int[np.ndarray, " labels"]) -> Int[np.ndarray, "labels 2"]:
    """Both neighbours of each label on a closed way."""
    found = np.empty((len(way), 2), np.int64)
    found[way, 0], found[way, 1] = np.roll(way, 1), np.roll(way, -1)
    return found


@numba.njit(cache=True)
def plant(metric: Metric, near, links, new, apart):
    """Puts labels into the closed way `links` [2, labels] (next and before; -1: not there), those first that have a candidate
    in it. `apart`: how far the label where one arrives is from that where one leaves, of the same city.
    """
    left, waiting = len(new), new.copy()
    everywhere = False
    while left > 0:
        still = 0
        for at in range(left):
            tail = waiting[at]
            head = tail + apart
            a = gap(metric, near, links, head, tail, everywhere)
            if a < 0:
                waiting[still] = tail
                still += 1
                continue
            everywhere = False
            first = links[NEXT, a] < 0
            b = head if first else links[NEXT, a]
            a = tail if first else a
            links[NEXT, a], links[BEFORE, head] = head, a
            links[NEXT, tail], links[BEFORE, b] = b, tail
            if apart > 0:
                links[NEXT, head], links[BEFORE, tail] = tail, head
        everywhere = still == left
        left = still


@numba.njit(cache=True)
def gap(metric: Metric, near, links, head, tail, everywhere):
    """The label behind which a city costs least, of those beside its candidates or `everywhere`; -1: there is none."""
    best, least = -1, np.int64(2) ** 62
    if everywhere:
        best = head
        for a in range(links.shape[1]):
            if links[NEXT, a] >= 0:
                cost = detour(metric, links, a, head, tail)
                if cost < least:
                    best, least = a, cost
        return best
    for end in (head, tail):
        for at in range(near.shape[1]):
            if near[end, at, TICKS] == FAR:
                break
            other = near[end, at, CITY]
            for a in (other, links[BEFORE, other]):
                if links[NEXT, other] >= 0:
                    cost = detour(metric, links, a, head, tail)
                    if cost < least:
                        best, least = a, cost
    return best


@numba.njit(cache=True)
def detour(metric: Metric, links, a, head, tail):
    """Ticks from a to the next label through a city, less those without it."""
    b = links[NEXT, a]
    straight = distance(metric, a, b) if a != b else 0
    return distance(metric, a, head) + distance(metric, tail, b) - straight


def walked(links: Int[np.ndarray, "2 labels"]) -> Int[np.ndarray, " labels"]:
    """The labels as they follow one another."""
    way, follow, label = np.empty(links.shape[1], np.int32), links[NEXT].tolist(), 0
    for at in range(len(way)):
        way[at] = label
        label = follow[label]
    return way


def trails(
    chart: Chart, before: Chart, was: Int[np.ndarray, " cities"], level: Float32[np.ndarray, "olds k"]
) -> Float32[np.ndarray, "labels k"]:
    """Trails of before under the new labels."""
    found = np.full(chart.near.shape[:2], FLOOR, np.float32)
    transfer(chart.near, before.near, origins(chart, before, was), level, found)
    return found


def origins(chart: Chart, before: Chart, was: Int[np.ndarray, " cities"]) -> Int[np.ndarray, " labels"]:
    """The label of before of each label, -1 where there was none."""
    sides = 2 if chart.metric.kind == ONE_WAY else 1
    half, old = len(chart.city) // sides, len(before.city) // (2 if before.metric.kind == ONE_WAY else 1)
    label = np.full(int(max(before.city.max(), was.max())) + 2, -1)
    label[before.city[:old]] = np.arange(old)  # nowhere, -1, is the last place
    city = chart.city[:half]
    found = np.where((city >= 0) & (was[city] < 0), -1, label[np.where(city >= 0, was[city], -1)])
    if sides == 1:
        return found
    arrived = np.where(found >= 0, found + (old if before.metric.kind == ONE_WAY else 0), -1)
    return np.concatenate([found, arrived])


@numba.njit(cache=True)
def transfer(near, old, origin, level, found):
    """Copies the level of each candidate edge that was one before. `origin` [labels]: the old label, or -1."""
    for i in range(near.shape[0]):
        if origin[i] < 0:
            continue
        for at in range(near.shape[1]):
            other = origin[near[i, at, CITY]]
            for slot in range(old.shape[1]):
                if other >= 0 and old[origin[i], slot, CITY] == other:
                    found[i, at] = level[origin[i], slot]
