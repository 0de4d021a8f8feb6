"""The way with which a search begins: greedy and mended; of few cities, a shortest one, for ants need room to cut."""

import numpy as np

from catallax.colony.tours.certificate import cities_left
from catallax.colony.tours.chart import Chart
from catallax.colony.tours.metric import length
from catallax.colony.tours.start import greedy
from catallax.signals.pheromone import Way

FEW = 8  # cities


def first_way(chart: Chart) -> Way:
    """A way of all labels."""
    from catallax.colony.ants import mended

    if cities_left(chart) >= FEW:
        return mended(chart, greedy(chart.metric, chart.near))
    from catallax.colony.tours.exact import dynamic  # late: few need it

    order = dynamic(chart.metric)
    return Way(order, np.int64(length(chart.metric, order)))
