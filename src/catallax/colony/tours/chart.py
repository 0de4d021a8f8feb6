"""Cities as the search labels them, and back: what of a tour is still to be found.

Labels go along Hilbert's curve, so that neighbours lie near in memory. What has been driven is out of the search but for
its two ends; an open tour is a closed one through `nowhere`:

    symmetric     the first and the last city driven are tied; an open way's last city driven and nowhere are; open and
                  nothing driven, the given end and nowhere are
    one way       all that is driven, and nowhere, are one city: one leaves it as one leaves the last city driven and comes
                  to it as one comes to the first (or to nowhere)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from catallax.colony.tours import metric as m
from catallax.colony.tours.ground import Ground, lengths_by_kind, radians
from catallax.colony.tours.metric import CLOSED, EARTH, NONE, Metric
from catallax.colony.tours.neighbours import hilbert, neighbours

FINE = 2.0**28  # ticks of the farthest two cities, where lengths are no whole numbers
WALL = 2**34
AXES = {"PLANE": m.PLANE, "EUC_2D": m.PLANE, "CEIL_2D": m.CEILING, "ATT": m.ATT, "GEO": m.GEO, "SPHERE": m.SPHERE,
        "MAN_2D": m.MANHATTAN, "MAX_2D": m.MAXIMUM}  # fmt: skip


class Plan(NamedTuple):
    """What kind of tour: `opened` (it does not come home), `driven` (cities that it has come through, in order, the
    start among them), `end` (where an open tour ends, or -1).
    """

    opened: bool = False
    driven: tuple[int, ...] = ()
    end: int = NONE


class Chart(NamedTuple):
    """A ground as kernels see it. `city` [labels]: which city each label is (-1: nowhere, or all that was driven);
    `near` [labels, k, 2]: candidates (see `neighbours`); `walls`: how many tied edges every tour has.
    """

    metric: Metric
    near: Int[np.ndarray, "labels k 2"]
    city: Int[np.ndarray, " labels"]
    plan: Plan
    walls: int

    @property
    def whole(self) -> bool:
        """Whether ticks are the lengths themselves."""
        return bool(self.metric.scale == 1.0)


def chart_of(ground: Ground, plan: Plan, k: int) -> Chart:
    """The chart of what is left to be found."""
    inner = np.zeros(ground.cities, bool)
    inner[list(plan.driven[1:-1])] = True
    inner[list(plan.driven[:-1] if plan.opened else ())] = True
    left = np.flatnonzero(~inner)
    if not ground.symmetric:
        return one_way(ground, plan, left, k)
    first, last = ends(ground, plan)
    nowhere = plan.opened and (plan.end < 0 or not plan.driven)
    city = ordered(ground, left, first, NONE if nowhere else last)
    if nowhere:
        city = np.append(city, NONE)
    tied = first >= 0
    metric = metric_of(ground, city, len(city) - 1 if tied else NONE, len(city) - 1 if nowhere else NONE)
    return Chart(metric, neighbours(metric, k), city, plan, int(tied))


def ends(ground: Ground, plan: Plan) -> tuple[int, int]:
    """The cities that are tied, the first to the last (or to nowhere); -1, -1 for none."""
    if plan.opened:
        return (plan.driven[-1], plan.end) if plan.driven else (plan.end, NONE)
    if len(plan.driven) > 1:
        return plan.driven[-1], plan.driven[0]
    return ground.tied or (NONE, NONE)


def ordered(ground: Ground, cities: Int[np.ndarray, " some"], first: int, last: int) -> Int[np.ndarray, " some"]:
    """Cities along Hilbert's curve, but for a first and a last."""
    if ground.places is not None:
        cities = cities[hilbert(ground.places[cities])]
    apart = (cities != first) & (cities != last)
    return np.concatenate([[first] * (first >= 0), cities[apart], [last] * (last >= 0)]).astype(np.int64)


def metric_of(ground: Ground, city: Int[np.ndarray, " labels"], tie: int, nowhere: int) -> Metric:
    """The metric of a symmetric ground under these labels."""
    real = city[city >= 0]
    closed = closed_labels(ground, city)
    if ground.places is None:
        matrix, scale = in_ticks(ground.matrix[np.ix_(real, real)])
        places, kind = np.zeros((0, 2)), m.MATRIX
    else:
        matrix, kind = np.zeros((0, 0), np.int32), AXES[ground.kind]
        places, scale = on_axes(ground, real)
    plain = nowhere < 0 and not len(closed)
    return Metric(plain, kind, places, matrix, scale, len(city), tie, nowhere, closed, WALL)


def on_axes(ground: Ground, cities: Int[np.ndarray, " some"]) -> tuple[np.ndarray, float]:
    """Places as the metric takes them, and the scale."""
    assert ground.places is not None
    places = ground.places[cities]
    if ground.kind == "GEO":
        return radians(places), 1.0
    if ground.kind == "SPHERE":
        places = m.on_sphere(*np.radians(places).T)
        chord = float(np.linalg.norm(np.ptp(places, axis=0)))
        return places, fine(2 * EARTH * np.arcsin(min(1.0, chord / 2)))
    if ground.kind == "PLANE":
        far = float(np.linalg.norm(np.ptp(places, axis=0)))
        return places - places.min(axis=0), fine(far)
    return np.ascontiguousarray(places), 1.0


def fine(far: float) -> float:
    """The scale at which the farthest two cities are FINE ticks apart; never 1, which says that ticks are the lengths."""
    scale = FINE / far if far > 0 else FINE
    return scale if scale != 1.0 else 0.5


def in_ticks(matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """A matrix in whole ticks, int32, and the scale; what is not finite is closed."""
    open_ = np.isfinite(matrix)
    far = float(np.max(matrix, where=open_, initial=0.0))
    if far < 2**30 and bool((matrix[open_] == np.round(matrix[open_])).all()):
        scale = 1.0
    else:
        scale = fine(far)
    ticks = np.full(matrix.shape, CLOSED, np.int32)
    ticks[open_] = np.floor(matrix[open_] * scale + 0.5)
    return ticks, scale


def closed_labels(ground: Ground, city: Int[np.ndarray, " labels"]) -> Int[np.ndarray, " edges"]:
    """Codes of the closed edges under these labels, in ascending order."""
    if not len(ground.closed):
        return np.zeros(0, np.int64)
    label = np.full(ground.cities, NONE)
    label[city[city >= 0]] = np.flatnonzero(city >= 0)
    pairs = np.sort(label[ground.closed], axis=1)
    pairs = pairs[pairs[:, 0] >= 0]
    return np.unique(pairs[:, 0] * len(city) + pairs[:, 1])


# --- one way ---


def one_way(ground: Ground, plan: Plan, left: Int[np.ndarray, " some"], k: int) -> Chart:
    """The chart of an asymmetric matrix, doubled (see `metric.ONE_WAY`)."""
    free = left[~np.isin(left, plan.driven)] if plan.driven else left
    matrix = ground.matrix.astype(float)
    if len(ground.closed):
        a, b = ground.closed.T
        matrix[a, b] = matrix[b, a] = np.inf
    table = matrix[np.ix_(free, free)]
    if plan.opened or plan.driven:  # one city more: from the last driven to the first, or to nowhere
        out = matrix[plan.driven[-1], free] if plan.driven else np.zeros(len(free))
        home = np.zeros(len(free)) if plan.opened else matrix[free, plan.driven[0]]
        if plan.opened and plan.end >= 0:
            home = np.where(free == plan.end, 0.0, np.inf)
        table = np.block([[np.zeros((1, 1)), out[None]], [home[:, None], table]])
        free = np.append(NONE, free)
    np.fill_diagonal(table, 0.0)
    ticks, scale = in_ticks(table)
    none = np.zeros(0, np.int64)
    metric = Metric(False, m.ONE_WAY, np.zeros((0, 2)), ticks, scale, 2 * len(free), NONE, NONE, none, WALL)
    return Chart(metric, neighbours(metric, k), np.concatenate([free, free]), plan, len(free))


# --- there and back ---


def labels_of(chart: Chart, order: Sequence[int] | Int[np.ndarray, " cities"]) -> Int[np.ndarray, " labels"]:
    """The closed tour of labels that goes through the cities in this order, int32."""
    order = np.asarray(order)
    half = len(chart.city) // 2 if chart.metric.kind == m.ONE_WAY else len(chart.city)
    label = np.full(int(max(order.max(), chart.city.max())) + 2, NONE)
    label[chart.city[:half]] = np.arange(half)  # -1 is the last place
    some = label[order]
    some = some[some >= 0]
    if label[-1] >= 0:
        some = np.append(some, label[-1])
    if half < len(chart.city):
        some = np.stack([some + half, some], axis=1).ravel()
    return some.astype(np.int32)


def cities_of(chart: Chart, labels: Int[np.ndarray, " labels"]) -> Int[np.ndarray, " cities"]:
    """The cities in the order of a closed tour of labels: what was driven first, a closed tour otherwise from city 0 on."""
    plan = chart.plan
    if chart.metric.kind == m.ONE_WAY:
        half = len(labels) // 2
        forward = labels[0] >= half if labels[1] % half == labels[0] % half else labels[0] < half
        labels = labels if forward else labels[::-1]
        order = chart.city[labels[labels < half]]
        if plan.opened or plan.driven:
            at = int(np.flatnonzero(order < 0)[0])
            return np.append(np.array(plan.driven, np.int64), np.roll(order, -at)[1:])
        return np.roll(order, -int(np.flatnonzero(order == 0)[0]))
    order = chart.city[labels]
    if not plan.opened and len(plan.driven) < 2:
        return from_city(order, plan.driven[0] if plan.driven else 0)
    first, last = (plan.driven[-1], plan.driven[0]) if plan.driven else (NONE, plan.end)
    if plan.opened and plan.driven:
        last = plan.end if plan.end >= 0 else NONE
    order = np.roll(order, -int(np.flatnonzero(order == first)[0]))
    if (order[1] == last and len(order) > 2) or (not plan.driven and plan.end >= 0 and order[-1] != plan.end):
        order = np.roll(order[::-1], 1)
    rest = order[1:][order[1:] >= 0]
    if not plan.driven:
        return rest
    return np.append(np.array(plan.driven, np.int64), rest if plan.opened else rest[rest != plan.driven[0]])


def from_city(order: Int[np.ndarray, " cities"], first: int) -> Int[np.ndarray, " cities"]:
    """A closed tour from a city on, in the direction in which the second city has the smaller number."""
    order = np.roll(order, -int(np.flatnonzero(order == first)[0]))
    return order if order[1] < order[-1] else np.roll(order[::-1], 1)


def driven_length(ground: Ground, plan: Plan) -> float:
    """The length of what has been driven, which no search can change."""
    if len(plan.driven) < 2:
        return 0.0
    driven = np.array(plan.driven, np.int64)
    return float(lengths_by_kind(ground, driven[:-1], driven[1:]).sum())
