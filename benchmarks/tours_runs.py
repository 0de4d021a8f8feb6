"""One search each: ours, in this process or in one of its own, and the peers', all judged by `tours_instances`.

Seconds of search are wall seconds on one thread. Ours begin with the coordinates in memory and include all that is set up
(candidates, the first tour, its 3-opt); kernels are compiled or loaded before. The peers' begin with the distance matrix made,
as long as they take nothing else, and are their own clocks' seconds where they are programs.

    python -m benchmarks.tours_runs '{"name": "d15112", "seconds": 60}'      one of ours as JSON, with the peak of its memory
"""

from __future__ import annotations

import functools as ft
import inspect
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import harness, peers, tours_instances
from benchmarks.peers import programs

NUMPY = "numpy==2.4.6"
SCIKIT_OPT = peers.Peer("scikit-opt", ("scikit-opt==0.6.6", "numpy==1.23.5", "scipy==1.10.1"), "scikit_opt_tours.py")
ACOPY = peers.Peer("acopy", ("acopy==0.7.0", "networkx==2.8.8", NUMPY), "acopy_tours.py")
FAST_TSP = peers.Peer("fast-tsp", ("fast-tsp==0.2.2", NUMPY), "fast_tsp_tours.py")
ELKAI = peers.Peer("elkai", ("elkai==2.0.1", NUMPY), "elkai_tours.py")
ORTOOLS = peers.Peer("ortools", ("ortools==9.15.6755", NUMPY), "ortools_tours.py")
ENDLESS = 2**31 - 1  # rounds
PATIENCE = 900.0  # seconds that a peer gets with all it does


class Found(NamedTuple):
    """A search: how far above the length to compare with in %, all its seconds, those before the first round, and when it
    came down to that length (NaN: never); tours changed or built.
    """

    gap: float
    seconds: float
    setup: float = math.nan
    reached: float = math.nan
    tours: int = 0


# --- ours -----------------------------------------------------------------------------------------------------


def ours(
    instance: tours_instances.Instance, seconds: float, seed: int = 0, goal: float | None = None, **settings: Any
) -> Found:
    """Searches for so many seconds in all, or until the tour is no longer than `goal` (by default the optimum)."""
    from catallax import Record, run
    from catallax.colony.tour import Tour
    from catallax.colony.tours.chart import cities_of

    goal = instance.optimum if goal is None else goal
    start = time.perf_counter()
    tour = Tour(instance.places, kind=instance.kind, **settings)
    colony = tour.society()
    setup = time.perf_counter() - start
    lengths, reached = tour.watch(), []

    def there(society: Any = None, frame: Any = None) -> bool:
        """Notes the time when the goal is reached."""
        length = float(lengths["length"](society) if frame is None else frame.values["length"])
        if length <= goal:
            reached.append(time.perf_counter() - start)
        return bool(reached)

    if not there(colony):
        record = Record(every=1, folder=None, **lengths)
        left = max(1e-3, seconds - setup)
        colony = run(colony, ENDLESS, seed, seconds=left, record=record, look=lambda frame: there(frame=frame)).society
    total = time.perf_counter() - start
    gap = tours_instances.gap(instance, cities_of(tour.chart, colony.best.order))
    return Found(gap, total, setup, reached[0] if reached else math.nan, int(colony.changes))


def certificate(instance: tours_instances.Instance) -> tuple[float, float]:
    """The lower bound, in % below the length to compare with, and its seconds."""
    from catallax.colony.tour import Tour

    tour = Tour(instance.places, kind=instance.kind)
    tour.society()
    start = time.perf_counter()
    bound = tour.bound()
    return 100 * (1 - bound / instance.optimum), time.perf_counter() - start


def construction(instance: tours_instances.Instance, ants: int, repeats: int = harness.REPEATS) -> harness.Timing:
    """Whole tours built by ants of MAX-MIN Ant System on even trails, never mended."""
    from catallax.colony.ants import WIDTH
    from catallax.colony.tour import Tour
    from catallax.colony.tours.max_min import ways

    tour = Tour(instance.places, kind=instance.kind, law="max-min")
    level, ids = np.ones(tour.chart.near.shape[:2], np.float32), np.arange(ants, dtype=np.uint32)
    build = ft.partial(ways, tour.chart, level, None, width=(0,) * len(WIDTH))
    build(ids[:1], np.array([0, 0], np.uint32))
    return harness.measure(lambda: build(ids, np.array([0, 1], np.uint32)), repeats)


def takes(name: str) -> bool:
    """Whether a tour has a setting of that name."""
    from catallax.colony.tour import Tour

    return name in inspect.signature(Tour.__init__).parameters


def warmed(**settings: Any) -> None:
    """Compiles or loads what a search with these settings needs, so that nothing of it is counted."""
    instance = tours_instances.uniform(200)
    for kind in ("PLANE", "EUC_2D", "ATT"):
        ours(instance._replace(kind=kind), 0.05, goal=0.0, **settings)


def apart(request: dict[str, Any], timeout: float) -> dict[str, Any]:
    """One of our searches in a process of its own. Raises `CalledProcessError` where it fails."""
    command = [sys.executable, "-m", "benchmarks.tours_runs", json.dumps(request)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=timeout, cwd=harness.HERE.parent)
    return json.loads(done.stdout)


def main(request: dict[str, Any]) -> None:
    """Search as asked and print what was found, as JSON.

    Request: `name` of an instance or a number of random `cities`, `seconds`, `seed`, `settings`, `bound` (whether to find it).
    """
    cities = request.get("cities")
    instance = tours_instances.uniform(cities) if cities else tours_instances.tsplib(request["name"])
    settings = request.get("settings", {})
    warmed(**settings)
    before = peak()
    found = ours(instance, request["seconds"], request.get("seed", 0), **settings)
    held = peak()
    below, taken = certificate(instance) if request.get("bound") else (math.nan, math.nan)
    print(json.dumps(found._asdict() | dict(before=before, peak=held, below=below, bound=taken)))


def peak() -> float:
    """The most memory that this process has held, GiB; NaN where the system keeps no such account.

    Not `ru_maxrss`, which on Linux begins with what the parent held.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return math.nan
    return next((int(line.split()[1]) / 2**20 for line in lines if line.startswith("VmHWM")), math.nan)


# --- the peers ------------------------------------------------------------------------------------------------


def asked(peer: peers.Peer, instance: tours_instances.Instance, **request: Any) -> Found:
    """What a peer in Python found."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/matrix.npy"
        np.save(file, tours_instances.matrix(instance))
        found = peers.ask(peer, dict(request, matrix=file), PATIENCE)
    gap = tours_instances.gap(instance, np.array(found["order"]))
    return Found(gap, found["seconds"], tours=found.get("tours", 0))


def timed(peer: peers.Peer) -> Callable[..., Found]:
    """A peer that takes seconds and no seed, as a search."""
    return lambda instance, seconds, seed: asked(peer, instance, seconds=seconds)


def told(program: Callable[..., tuple[float, float]]) -> Callable[..., Found]:
    """A program that says itself how long its tour is, as a search."""

    def search(instance: tours_instances.Instance, seconds: float, seed: int) -> Found:
        with tempfile.TemporaryDirectory() as folder:
            file = tours_instances.written(instance, Path(folder) / "cities.tsp")
            length, at = program(file, seconds, seed, instance.optimum)
        return Found(100 * (length / instance.optimum - 1), at, reached=at if length <= instance.optimum else math.nan)

    return search


SEARCHES: dict[str, Callable[..., Found]] = {
    "ACOTSP 1.03 (C), max-min, 3-opt": told(programs.acotsp),
    "Focused ACO (C++)": told(programs.faco),
    "fast-tsp": timed(FAST_TSP),
    "OR-Tools, guided": timed(ORTOOLS),
}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
