"""A lower bound on every tour, in the ground's own unit.

Few cities: the shortest tour itself. Otherwise Held and Karp's bound; for one-way distances the better of that and a shortest
assignment. All are of ticks: each edge's length times the scale, rounded to a whole number, so that a tour of n edges is
longer than its ticks say by n / 2 at most. `slack` allows twice as much, for what float64 rounds off; on a sphere eight times,
for there an arc sine near its end loses half of all digits (3e-8 between antipodes, or 2.5 ticks). Where lengths are
whole, ticks are the lengths, and the bound may be rounded up.
"""

import numpy as np
from jaxtyping import Int

from catallax.colony.tours.chart import Chart, driven_length
from catallax.colony.tours.ground import Ground
from catallax.colony.tours.metric import ONE_WAY, SPHERE, length

FEW = 12  # cities whose shortest tour is its own bound


def lower_bound(ground: Ground, chart: Chart, order: Int[np.ndarray, " labels"]) -> float:
    """No tour through the ground that keeps to the chart's plan is shorter; NaN where no bound could be had.

    `order`: a tour, the better the better.
    """
    ticks = least_ticks(chart, order)
    if not np.isfinite(ticks):
        return float("nan")
    ticks = np.ceil(ticks - 1e-6) if chart.whole else ticks - slack(chart)
    return max(0.0, float(ticks) / chart.metric.scale) + driven_length(ground, chart.plan)


def slack(chart: Chart) -> float:
    """Ticks by which a tour may be shorter than its ticks say, 0 where lengths are whole."""
    if chart.whole:
        return 0.0
    return (4.0 if chart.metric.kind == SPHERE else 1.0) * len(chart.city)


def least_ticks(chart: Chart, order: Int[np.ndarray, " labels"]) -> float:
    """No tour has fewer ticks, ties not counted."""
    from catallax.colony.tours.bound import assignment_bound, held_karp
    from catallax.colony.tours.exact import dynamic

    metric, walls = chart.metric, chart.walls * chart.metric.wall
    if cities_left(chart) <= FEW:
        return float(length(metric, dynamic(metric)) + walls)
    bound = held_karp(metric, np.ascontiguousarray(chart.near[..., 0]), order).ticks + walls
    return max(bound, assignment_bound(metric.matrix)) if metric.kind == ONE_WAY else bound


def cities_left(chart: Chart) -> int:
    """How many cities the search sees, nowhere among them."""
    return len(chart.city) // 2 if chart.metric.kind == ONE_WAY else len(chart.city)
