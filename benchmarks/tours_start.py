"""Tours beside the ant colonies that pip installs, tours built a second, and how soon a process answers.

Part of `benchmarks.tours`. The peers run once with each budget of ants and rounds; ours are timed from coordinates in memory
to a tour that is at least as short as the peer's: set up, and searched where that is not enough.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import harness, peers, tours_instances, tours_runs

WANTED = 500  # times quicker
BUDGETS: tuple[tuple[str, peers.Peer, str, int | None, int], ...] = (  # ants (None: one a city) and rounds
    ("scikit-opt, its defaults", tours_runs.SCIKIT_OPT, "berlin52", 10, 20),
    ("acopy, 10 ants", tours_runs.ACOPY, "berlin52", 10, 100),
    ("scikit-opt, as its page has it", tours_runs.SCIKIT_OPT, "berlin52", 50, 200),
    ("acopy, an ant a city, its default", tours_runs.ACOPY, "berlin52", None, 100),
    ("scikit-opt, its defaults", tours_runs.SCIKIT_OPT, "kroA200", 10, 20),
    ("scikit-opt, 20 ants, 50 rounds", tours_runs.SCIKIT_OPT, "kroA200", 20, 50),
    ("acopy, 10 ants", tours_runs.ACOPY, "kroA200", 10, 20),
)
CITIES = 1_000  # of the file that a cold process reads
SOON = 3.0  # seconds


def tables(options: harness.Options) -> list[harness.Table]:
    """All three."""
    budgets = BUDGETS[:2] if options.quick else BUDGETS
    rows, notes = [], []
    for budget in budgets:
        harness.say(f"  {budget[0]}, {budget[2]}")
        try:
            rows.append(beside(*budget))
        except peers.Missing as why:
            notes.append(f"No row for {budget[0]} on {budget[2]}: {why}.")
    return [python_table(rows, notes), construction_table(rows), cold_table(options)]


def beside(title: str, peer: peers.Peer, name: str, ants: int | None, rounds: int) -> dict[str, Any]:
    """A peer's quality and seconds, and ours to the same quality."""
    instance = tours_instances.tsplib(name)
    theirs = tours_runs.asked(peer, instance, ants=ants, rounds=rounds, seed=0)
    goal = instance.optimum * (1 + theirs.gap / 100)
    tours_runs.warmed()
    found = [tours_runs.ours(instance, 60.0, seed, goal) for seed in range(harness.REPEATS)]
    seconds = statistics.median(one.seconds for one in found)
    row: dict[str, Any] = {
        "peer": title,
        "instance": name,
        "ants x rounds": f"{ants or len(instance.places)} x {rounds}",
    }
    row |= {"gap %": theirs.gap, "s": theirs.seconds, "tours a s": theirs.tours / theirs.seconds}
    row |= {"our gap %": statistics.median(one.gap for one in found), "our s": seconds}
    return row | {"ours faster by": theirs.seconds / seconds}


def python_table(rows: list[dict[str, Any]], notes: list[str]) -> harness.Table:
    """Same quality or better: how much sooner?"""
    least = min((row["ours faster by"] for row in rows), default=0.0)
    shown = [{k: v for k, v in row.items() if k != "tours a s"} for row in rows]
    said = f"Target {WANTED} times quicker to the same quality: {'reached' if least >= WANTED else 'NOT reached'}, {least:.3g}."
    more = [
        "scikit-opt's ACA_TSP fails on NumPy 1.24 and later (np.int): it runs on 1.23.5 here, unpatched.",
        "acopy begins without pheromone and credits an edge only in the direction in which its graph lists it.",
    ]
    return harness.Table("Ant colonies that pip installs: the same quality or better", shown, [said, *notes, *more])


def construction_table(rows: list[dict[str, Any]]) -> harness.Table:
    """Tours built a second, by ants that build whole tours: nothing is mended."""
    fastest: dict[tuple[str, str], float] = {}
    for row in rows:
        key = row["peer"].split(",")[0], row["instance"]
        fastest[key] = max(fastest.get(key, 0.0), row["tours a s"])
    found = [{"solver": peer, "instance": name, "tours a s": rate} for (peer, name), rate in fastest.items()]
    if not tours_runs.takes("law"):
        return harness.Table(
            "Tours built a second, without local search", found, ["catallax has no law that builds tours."]
        )
    for name in dict.fromkeys(row["instance"] for row in rows):
        timing = tours_runs.construction(tours_instances.tsplib(name), 2_000)
        ours = {"solver": "catallax, max-min ants", "instance": name, "tours a s": 2_000 / timing.median}
        slowest = min((rate for (_, of), rate in fastest.items() if of == name), default=0.0)
        quickest = max((rate for (_, of), rate in fastest.items() if of == name), default=0.0)
        ratios = f"{ours['tours a s'] / quickest:.3g} to {ours['tours a s'] / slowest:.3g}" if slowest else None
        found.append(ours | {"others": timing.others, "times the peers'": ratios})
    return harness.Table(
        "Tours built a second, without local search", found, ["The peers' rate is their fastest above."]
    )


def cold_table(options: harness.Options) -> harness.Table:
    """From the start of a process to its printed answer, with the kernels kept and with none."""
    rows, notes = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = tours_instances.written(tours_instances.uniform(CITIES), Path(folder) / "cities.tsp")
        try:
            answered(file)  # whatever is not yet kept is compiled here
            warm = [answered(file) for _ in range(1 if options.quick else harness.REPEATS)]
            rows.append({"kernels": "kept"} | seconds_of(warm))
            well = "reached" if rows[0]["s"] < SOON else "NOT reached"
            notes.append(f"Target under {SOON:g} s with kept kernels: {well}.")
            if not options.quick:
                rows.append({"kernels": "none yet"} | seconds_of([answered(file, NUMBA_CACHE_DIR=f"{folder}/kernels")]))
        except (OSError, subprocess.SubprocessError) as why:
            notes.append(f"No row: `catallax run colony` failed ({why}).")
    title = f"From a cold process to its answer: {CITIES:,} cities, `catallax run colony FILE --seconds 0.1 --json`"
    return harness.Table(title, rows or [{"kernels": "not measured"}], notes)


def seconds_of(runs: list[tuple[float, float]]) -> dict[str, float]:
    """The median wall time, the least and the most, and the median processor time."""
    wall, cpu = zip(*runs, strict=True)
    return dict(s=statistics.median(wall), least=min(wall), most=max(wall)) | {"processor s": statistics.median(cpu)}


def answered(file: Path, **environment: str) -> tuple[float, float]:
    """Wall and processor seconds of one process. Raises `CalledProcessError` where it fails."""
    program = str(Path(sys.executable).with_name("catallax"))
    command = [program, "run", "colony", str(file), "--seconds", "0.1", "--json"]
    start, before = time.perf_counter(), os.times()
    subprocess.run(command, capture_output=True, check=True, timeout=600, env=os.environ | environment)
    wall, after = time.perf_counter() - start, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def versions() -> dict[str, str]:
    """The peers' pins, and the copies of the programs."""
    peers_ = (tours_runs.SCIKIT_OPT, tours_runs.ACOPY, tours_runs.FAST_TSP, tours_runs.ELKAI, tours_runs.ORTOOLS)
    pins = dict(package.split("==") for peer in peers_ for package in peer.packages[:1])
    return pins | {"ACOTSP": "1.03 (mastqe/acotsp ec3792c)", "Focused ACO": "05b7c1b"}
