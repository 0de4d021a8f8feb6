"""What a colony keeps when the world changes: its way, mended where cities came, went or moved, and its trails.

A city that has come is put where it costs least, between two cities of which one is among its candidates; one that has
moved is taken out and put back in the same manner. Trails keep their level between cities that were candidates
before; all others begin at the floor, so ants, who cut where it smells faint, look there first.
"""

import dataclasses
from typing import Any

import numba
import numpy as np
from jaxtyping import Int

from catallax.colony.ants import Colony, mended
from catallax.colony.tour import Tour
from catallax.colony.tours.chart import Chart, cities_of, labels_of
from catallax.colony.tours.ground import lengths
from catallax.colony.tours.metric import ONE_WAY
from catallax.signals.pheromone import FLOOR, Way

WARM = 0.25  # of the first heat, for a tour that is nearly good


def carried(tour: Tour, before: Tour, colony: Colony, was: Int[np.ndarray, " cities"], fresh: Any) -> Colony:
    """The colony of `before` on `tour`. `was` [cities]: which city of before each is (-1: none); `fresh`: cities that moved."""
    assert colony.best is not None
    old = cities_of(before.chart, colony.best.order)
    now = np.full(before.ground.cities, -1)
    now[was[was >= 0]] = np.flatnonzero(was >= 0)
    moved = np.zeros(tour.ground.cities, bool)
    moved[list(fresh)] = True
    kept = now[old]
    kept = kept[kept >= 0]
    order = planted(tour, kept[~moved[kept]], np.flatnonzero((was < 0) | moved))
    labels = labels_of(tour.chart, order)
    way = mended(tour.chart, labels)
    begun = tour.begun(way, WARM)
    signal: Any = begun.signal
    level = trails(tour.chart, before.chart, was, colony.signal.level)  # pyright: ignore[reportAttributeAccessIssue]
    return dataclasses.replace(begun, signal=dataclasses.replace(signal, level=level))


def planted(tour: Tour, order: Int[np.ndarray, " some"], new: Int[np.ndarray, " others"]) -> Int[np.ndarray, " cities"]:
    """All cities: those of `order`, and each new one where it costs least, after what has been driven."""
    plan, ground = tour.facts.plan, tour.ground
    driven = list(plan.driven)
    rest = [c for c in order.tolist() if c not in set(driven) and c != plan.end]
    way = driven + rest + ([plan.end] if plan.end >= 0 else [])
    first = max(len(driven), 1 if not plan.opened else 0)
    last = len(way) - (plan.end >= 0)
    for city in new.tolist():
        if city in way[:len(driven)] or city == plan.end:
            continue
        here = np.array(way)
        before, after = np.roll(here, 1), here
        cost = detour(ground, before, np.full(len(here), city), after)
        if plan.opened:
            cost[0] = lengths(ground, np.array([city]), here[:1])[0]
        at = first + int(np.argmin(cost[first:last])) if last > first else first
        end = np.inf if plan.opened and plan.end >= 0 else (
            lengths(ground, here[-1:], np.array([city]))[0] if plan.opened else
            detour(ground, here[-1:], np.array([city]), here[:1])[0])
        way.insert(len(way) if end < cost[at] else at, city)
        last += 1
    return np.array(way, np.int64)


def detour(ground: Any, a: Any, city: Any, b: Any) -> Any:
    """How much longer it is from a to b through a city."""
    with np.errstate(invalid="ignore"):
        cost = lengths(ground, a, city) + lengths(ground, city, b) - lengths(ground, a, b)
    return np.nan_to_num(cost, nan=np.inf, posinf=np.inf, neginf=-np.inf)


def trails(chart: Chart, before: Chart, was: Int[np.ndarray, " cities"], level: Any) -> Any:
    """Trails of the old chart under the new labels."""
    if chart.metric.kind == ONE_WAY:
        half = len(chart.city) // 2
        side = np.arange(len(chart.city)) // half
    else:
        side = np.zeros(len(chart.city), np.int64)
    label = np.full((int(side.max()) + 1, int(before.city.max()) + 2), -1)
    old_side = np.arange(len(before.city)) // (len(before.city) // len(label))
    label[np.minimum(old_side, len(label) - 1), before.city] = np.arange(len(before.city))
    city = np.where(chart.city >= 0, was[chart.city], -1)
    gone = (chart.city >= 0) & (city < 0)
    origin = np.where(gone, -1, label[side, city])
    found = np.full(chart.near.shape[:2], FLOOR, np.float32)
    transfer(chart.near, before.near, origin, level, found)
    return found


@numba.njit(cache=True)
def transfer(near, old, origin, level, found):
    """Copies the level of each candidate edge that was one before. `origin` [labels]: the old label, or -1."""
    for i in range(near.shape[0]):
        if origin[i] < 0:
            continue
        for at in range(near.shape[1]):
            other = origin[near[i, at, 0]]
            for slot in range(old.shape[1]):
                if other >= 0 and old[origin[i], slot, 0] == other:
                    found[i, at] = level[origin[i], slot]


__all__ = ["Way", "carried", "planted"]
