"""A lower bound on every tour, in the ground's own unit."""

import numpy as np

from catallax.colony.tours.chart import Chart, driven_length
from catallax.colony.tours.ground import Ground
from catallax.colony.tours.metric import ONE_WAY
from jaxtyping import Int


def lower_bound(ground: Ground, chart: Chart, order: Int[np.ndarray, " labels"]) -> float:
    """No tour through the ground that keeps to the chart's plan is shorter; NaN where no bound could be had.

    A bound in ticks is one of lengths less half a tick an edge, where ticks are rounded; where lengths are whole it is
    rounded up.
    """
    from catallax.colony.tours.bound import assignment_bound, held_karp

    metric = chart.metric
    if metric.kind == ONE_WAY:
        ticks = assignment_bound(metric.matrix)
    else:
        found = held_karp(metric, chart.near, order)
        if found is None:
            return float("nan")
        ticks = float(found.ticks) + chart.walls * metric.wall
    if metric.scale == 1.0:
        ticks = float(np.ceil(ticks - 1e-6))
        return max(0.0, ticks) + driven_length(ground, chart.plan)
    return max(0.0, (ticks - 0.5 * len(chart.city)) / metric.scale) + driven_length(ground, chart.plan)
