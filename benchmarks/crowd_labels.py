"""Labels from the votes of crowds: accuracy and time beside crowd-kit's, ten million votes, and what the prior does.

    python -m benchmarks.crowd_labels [--quick] [--json]

Both sides get columns of text that are in memory already and give one label a task (ties go to whichever class they choose);
no gold is shown to either. crowd-kit runs in an environment of its own, with its own settings (100 rounds, tolerance 1e-5).
The truth of the three crowds is used here alone, to count labels that are right. One thread; two above a million votes. Ours
is compiled, or loaded, before it is timed.
"""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import data, harness, peers

CROWDS = ("bluebird", "dog", "face")
KIT = peers.Peer("crowd-kit", ("crowd-kit==1.4.2", "pandas==3.1.1"), "crowd_kit_labels.py")
METHODS = {  # ours, and theirs with its settings
    "dawid-skene": ("DawidSkene", {"n_iter": 100}),
    "one-coin": ("OneCoinDawidSkene", {"n_iter": 100}),
    "majority": ("MajorityVote", {}),
}
TARGET = 50.0  # times as quick
MANY, QUICK = 10_000_000, 200_000
SMOOTHING = (0.25, 0.5, 1.0, 2.0, 4.0)
SPARSE = (  # tasks, workers, votes a task, classes
    (1000, 1000, 5, 4),
    (1000, 250, 5, 4),
    (1000, 1500, 3, 2),
    (300, 20, 5, 8),
)


def read(name: str) -> tuple[list[list[str]], dict[str, str]]:
    """Columns of tasks, workers, labels; and the truth."""
    with data.path(f"crowd/{name}_answer.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    with data.path(f"crowd/{name}_truth.csv").open(encoding="utf-8") as file:
        truth = {row[0]: row[1] for row in list(csv.reader(file))[1:]}
    return [list(column) for column in zip(*rows, strict=True)], truth


def right(labels: dict[str, str], truth: dict[str, str]) -> float:
    """The share of tasks with a truth whose label is right, in %."""
    known = [task for task in labels if task in truth]
    return 100 * statistics.fmean(labels[task] == truth[task] for task in known)


def ours(columns: Sequence[Any], **settings: Any) -> tuple[Any, dict[str, str]]:
    """Our fit, and its labels."""
    from catallax.collective import CrowdLabels

    tasks, workers, labels = columns
    crowd = CrowdLabels(**settings).fit(tasks, workers, labels)
    return crowd, dict(zip(crowd.tasks_.tolist(), crowd.labels_.tolist(), strict=True))


# --- three crowds ---


def crowd_rows(name: str, repeats: int) -> tuple[list[dict[str, Any]], list[str], dict[str, str]]:
    """A row for each method, sentences, and the versions of the peer."""
    columns, truth = read(name)
    rows, notes, used = [], [], {}
    for method, (theirs, settings) in METHODS.items():
        harness.say(f"  {name}, {method}")
        crowd, labels = ours(columns, method=method)
        timing = harness.measure(lambda method=method: ours(columns, method=method))
        row: dict[str, Any] = {
            "crowd": name,
            "method": method,
            "votes": len(columns[0]),
            "right %": right(labels, truth),
        }
        row |= {"ms": 1e3 * timing.median, "ms least": 1e3 * timing.low, "ms most": 1e3 * timing.high}
        row |= {"rounds": crowd.rounds_, "residual": crowd.residual_ if crowd.rounds_ else None}
        asked = {"votes": str(data.path(f"crowd/{name}_answer.csv")), "method": theirs, "settings": settings}
        try:
            found = peers.ask(KIT, asked | {"repeats": repeats if method == "dawid-skene" else 1})
        except peers.Missing as why:
            notes.append(f"crowd-kit on {name}: {why}.")
        else:
            seconds, used = statistics.median(found["seconds"]), found["versions"]
            row |= {"crowd-kit right %": right(found["labels"], truth), "crowd-kit ms": 1e3 * seconds}
            row |= {"times as quick": seconds / timing.median}
        rows.append(row)
    return rows, notes, used


def crowds_table(repeats: int) -> tuple[harness.Table, dict[str, str]]:
    """The three crowds, and whether the targets are met."""
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    used: dict[str, str] = {}
    for name in CROWDS:
        more, why, versions = crowd_rows(name, repeats)
        rows, notes, used = rows + more, notes + why, used | versions
    for row in rows:
        if row["method"] == "dawid-skene" and "times as quick" in row:
            met = row["right %"] >= row["crowd-kit right %"] and row["times as quick"] >= TARGET
            notes.append(
                f"Target on {row['crowd']} (not below crowd-kit, {TARGET:g} times as quick): {'' if met else 'NOT '}met."
            )
    notes.append(f"Ours: median of {harness.REPEATS}; crowd-kit: of {repeats} for Dawid-Skene, one run else.")
    return harness.Table(
        "Three crowds: labels that are right, and milliseconds to find them", rows, list(dict.fromkeys(notes))
    ), used


# --- the prior ---


def simulated(tasks: int, workers: int, each: int, classes: int, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Columns of votes and the truth: workers are right with a chance drawn from Beta(4, 2), and else guess."""
    random = np.random.default_rng(seed)
    truth = random.integers(classes, size=tasks)
    task = random.permutation(np.repeat(np.arange(tasks), each))
    worker = random.integers(workers, size=len(task))
    skill = random.beta(4, 2, size=workers)
    guess = random.integers(classes, size=len(task))
    label = np.where(random.random(len(task)) < skill[worker], truth[task], guess)
    return [task, worker, label], truth


def prior_table() -> harness.Table:
    """What is right under other pseudo-votes: no figure hangs on the one that is the default."""
    rows = []
    for smoothing in (*SMOOTHING, None):
        settings = {"method": "majority"} if smoothing is None else {"smoothing": smoothing}
        row: dict[str, Any] = {"smoothing": "majority" if smoothing is None else smoothing}
        for name in CROWDS:
            columns, truth = read(name)
            row[name] = right(ours(columns, **settings)[1], truth)
        for tasks, workers, each, classes in SPARSE:
            columns, truth = simulated(tasks, workers, each, classes)
            crowd, _ = ours(columns, **settings)
            votes = tasks * each / workers
            row[f"{classes} classes, {votes:g} votes a worker"] = 100 * float(np.mean(crowd.labels_ == truth))
        rows.append(row)
    notes = [
        "Simulated crowds: workers right with a chance from Beta(4, 2), else guessing; one draw each. The default is 2."
    ]
    return harness.Table("Labels that are right, in %, by the number of pseudo-votes", rows, notes)


# --- ten million ---


def many_table(votes: int) -> harness.Table:
    """Very many votes, in a process of their own, whose memory is counted."""
    harness.say(f"  {votes:,} votes")
    command = [sys.executable, "-m", "benchmarks.crowd_labels", "apart", str(votes)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=harness.HERE.parent, timeout=1200, check=False)
    try:
        rows = json.loads(done.stdout)
    except json.JSONDecodeError:
        return harness.Table(
            "Very many votes", [], [f"No row: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}."]
        )
    held, taken = rows[0]["peak GiB"], rows[0]["s"]
    met = held < 4 and taken < 60
    notes = [
        "Five votes a task, 200 a worker, four classes; columns of whole numbers; peak memory of the process, its votes included.",
        f"Target (ten million under 60 s and 4 GiB): {'' if met else 'NOT '}met.",
    ]
    return harness.Table(f"{votes:,} votes", rows, notes if votes == MANY else notes[:1])


def apart(votes: int) -> None:
    """What `many_table` asks of a process of its own; prints rows."""
    from benchmarks.tours_runs import peak

    columns, truth = simulated(votes // 5, max(votes // 200, 1), 5, 4)
    ours([column[:1000] for column in columns])  # what is loaded late is loaded
    before = peak()
    rows = []
    for method in ("dawid-skene", "majority"):
        found: list[Any] = []

        def fit(method: str = method, found: list[Any] = found) -> None:
            from catallax.collective import CrowdLabels

            tasks, workers, labels = columns
            found.append(CrowdLabels(method).fit(tasks, workers, labels))

        start = time.process_time()
        seconds = harness.measure_once(fit)
        (crowd,) = found
        row = {"method": method, "s": seconds, "processor s": time.process_time() - start, "rounds": crowd.rounds_}
        row |= {"residual": crowd.residual_, "right %": 100 * float(np.mean(crowd.labels_ == truth))}
        rows.append(row | {"peak GiB": peak(), "GiB before": before})
    print(json.dumps([{name: None if value != value else value for name, value in row.items()} for row in rows]))


def benchmark(options: harness.Options) -> harness.Report:
    """Three crowds beside crowd-kit, the prior, ten million votes."""
    try:
        first, used = crowds_table(1 if options.quick else harness.REPEATS)
    except data.Unavailable as why:
        raise RuntimeError(str(why)) from why
    tables: list[Callable[[], harness.Table]] = [prior_table, lambda: many_table(QUICK if options.quick else MANY)]
    return harness.Report(
        name="crowd_labels",
        question="Who is right, and how long does it take to find out? Votes of three crowds, and of one that is very large.",
        tables=[first, *(table() for table in tables)],
        versions=harness.versions("catallax", "numpy", "scipy", "scikit-learn") | used,
        options=options,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["apart"]:
        apart(int(sys.argv[2]))
    else:
        sys.exit(harness.main(benchmark))
