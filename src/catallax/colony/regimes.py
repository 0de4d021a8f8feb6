"""Who coordinates a tour, if not pheromone: nobody, everybody's sight of everything, or a planner. What each comes to.

Silence and full information make as many changes as the colony does in its patience: patience x ants. In silence nobody
but the judge at the end compares anything; ways begin alike (greedy, mended), are changed by ants that smell nothing, and
the heat falls as the colony's does.
"""

from typing import Any

import numpy as np

from catallax.colony.ants import WIDTH, mended
from catallax.colony.tour import Tour
from catallax.colony.tours.certificate import cities_left
from catallax.colony.tours.chart import cities_of
from catallax.colony.tours.contend import contend
from catallax.colony.tours.exact import dynamic
from catallax.colony.tours.exact import planned as solved
from catallax.colony.tours.metric import quick
from catallax.colony.tours.path import ORDER, log_of, path_of
from catallax.core.errors import Refused
from catallax.core.random import host_key
from catallax.core.run import run

WAYS = 64  # at most, in silence
EXACT = 18  # cities up to which the plan is by dynamic programming

Found = tuple[dict[str, Any], tuple[str, ...]]


def apart(tour: Tour, seed: int = 0) -> Found:
    """Silence."""
    ids, orders, lengths = tour.facts.ids, [], []
    for own in np.array_split(ids, min(WAYS, len(ids))):
        alone = tour.with_(ants=own, law="faint", trails="off")
        order = cities_of(tour.chart, run(alone.society(), tour.patience, seed).society.best.order)
        orders.append(order)
        lengths.append(tour.length(order))
    best = int(np.argmin(lengths))
    spread = (
        f"{len(lengths)} ways, from {min(lengths):.6g} to {max(lengths):.6g}, {np.median(lengths):.6g} in the middle"
    )
    changes = dict(lengths=np.array(lengths), changes=tour.patience * len(ids))
    return tour.valued(orders[best]) | changes, (f"{spread}: the shortest is told", *same_ants(tour))


def together(tour: Tour, seed: int = 0) -> Found:
    """Full information."""
    metric, colony = quick(tour.chart.metric), tour.with_(law="faint").society()
    path = path_of(colony.best.order)
    log, last = log_of(path), 0
    crew = tour.facts.ids, colony.agents.reach, colony.agents.merit.copy()
    for t in range(tour.patience):
        gained = contend(metric, tour.chart.near, path, log, colony.signal.level, crew, host_key(seed, t), WIDTH)
        last = t + 1 if gained < 0 else last
    values = tour.valued(cities_of(tour.chart, path[ORDER]))
    note = f"nothing was gained after round {last} of {tour.patience}"
    changes = dict(stagnation=last, changes=tour.patience * len(tour.facts.ids))
    return values | changes, (note, *same_ants(tour))


def same_ants(tour: Tour) -> tuple[str, ...]:
    """A note where the colony's ants are of another kind."""
    law = tour.facts.settings["law"]
    return () if law == "faint" else (f"by ants of law faint, with as many changes as there are ways of law {law}",)


def planned(tour: Tour) -> Found:
    """The planner."""
    chart = tour.chart
    if cities_left(chart) <= EXACT:
        values = tour.valued(cities_of(chart, dynamic(chart.metric)))
        return values | dict(bound=values["length"], gap=0.0), ("by dynamic programming over all orders",)
    order = solved(chart.metric, tour.planning)
    if order is None:
        raise Refused("no planner for so many cities is here: install elkai or ortools (which take up to 3,000)")
    way = mended(chart, order)
    return tour.valued(cities_of(chart, way.order)), ()
