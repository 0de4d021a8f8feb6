"""How an ant that builds a way chooses where to go next: by trail and nearness, among the candidates it has not been to.

    chance of j at i  ~  level_ij (nearest_i / ticks_ij)^power

with nearest_i the ticks to i's nearest candidate, so that no row of weights can underflow. An edge to nowhere weighs as much
as one to the nearest; cities at the same place are a tick apart.

    M. Dorigo, V. Maniezzo and A. Colorni, Ant System, IEEE Trans. Systems, Man and Cybernetics B 26, 1996.
"""

import numpy as np
from jaxtyping import Float, Float32

from catallax.colony.tours.chart import Chart
from catallax.colony.tours.metric import ONE_WAY
from catallax.colony.tours.neighbours import CITY, TICKS
from catallax.core.kernel import bare


def weights(chart: Chart, level: Float32[np.ndarray, "labels k"], power: float) -> Float[np.ndarray, "labels k"]:
    """The weight of each candidate; 0 where a place is not filled."""
    near, nowhere = chart.near, chart.metric.nowhere
    real = near[..., CITY] != np.arange(len(near))[:, None]
    away = real & (near[..., CITY] == nowhere) if nowhere >= 0 else np.zeros_like(real)
    ticks = np.maximum(near[..., TICKS].astype(np.float64), 1.0)
    nearest = np.min(ticks, axis=1, where=real & ~away, initial=2.0**31, keepdims=True)
    weight = level * (nearest / ticks) ** power
    weight[away] = level[away]
    weight[~real] = 0.0
    return weight


def tie_of(chart: Chart) -> int:
    """How far apart the labels of tied cities are; -1 where none are tied. See `partner`."""
    return len(chart.city) // 2 if chart.metric.kind == ONE_WAY else chart.metric.tie


@bare
def partner(tie, n, city):
    """Whom a city is tied to, or -1."""
    if tie < 0:
        return -1
    if city + tie < n:
        return city + tie
    return city - tie if city >= tie else -1


@bare
def choose(near, weight, been, stamp, city, draw):
    """A candidate whose mark in `been` is not `stamp`, by its weight; -1 where all are. `draw`: uniform in [0, 1)."""
    total = 0.0
    for at in range(near.shape[1]):
        if been[near[city, at, CITY]] != stamp:
            total += weight[city, at]
    rest, last = draw * total, -1
    for at in range(near.shape[1]):
        other = near[city, at, CITY]
        if been[other] != stamp:
            last = other  # should rounding carry the draw past the end
            rest -= weight[city, at]
            if rest < 0:
                return other
    return last
