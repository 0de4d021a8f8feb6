"""Short tours: how near the shortest within ten seconds, beside other ant colonies, planners, and the same search without ants.

    python -m benchmarks.tours [--quick] [--json] [--device cpu|gpu]

Everything runs on one thread where a row says no more, on the CPU whatever `--device` is. All tours but those of the two
programs are judged by `tours_instances`; what counts as time is said in `tours_runs`. The controls are the same search for the
same seconds with the same seeds: "trails off" smells nothing, "frozen" the trails of its first tour for ever, "random" trails
drawn afresh each round. A search ends early when it has reached the optimum. A full run takes some 22 minutes.
"""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks import data, harness, peers, tours_instances, tours_runs, tours_start
from benchmarks.tours_runs import Found

SECONDS, LONG = 10.0, 60.0
TARGETS: dict[str, float] = {  # % above the optimum after SECONDS
    "berlin52": 0.0,
    "kroA200": 0.0,
    "lin318": 0.0,
    "pcb442": 0.0,
    "att532": 0.0,
    "rat783": 0.05,
    "pr1002": 0.05,
    "fl1577": 0.8,
    "pr2392": 0.2,
    "pcb3038": 0.2,
    "rl5934": 1.0,
}
ALL = tuple(TARGETS)
HARD = ("pr1002", "fl1577", "pr2392", "pcb3038")
HARD_AND_LARGER = (*HARD, "rl5934")
FOR_PEERS = ("rat783", "pr1002", "fl1577", "pr2392")
FOR_LKH = ("kroA200", "rat783", "pr1002")  # it knows no limit of time
SEEDS = 5
OURS: dict[str, tuple[dict[str, Any], int, Sequence[str]]] = {  # settings, seeds, instances
    "catallax": ({}, SEEDS, ALL),
    "control: trails off": (dict(trails="off"), 3, HARD_AND_LARGER),
    "control: trails frozen": (dict(trails="frozen"), 1, HARD),
    "control: trails random": (dict(trails="random"), 1, HARD),
    "catallax, max-min ants": (dict(law="max-min"), 1, HARD),
    "catallax, focused ants": (dict(law="focused"), 1, HARD),
    "catallax, two threads": (dict(threads=2), 1, HARD_AND_LARGER),
}
QUOTED: dict[str, dict[str, str]] = {  # shown where the program is not built
    "ACOTSP 1.03 (C), max-min, 3-opt": {
        "rat783": "0.057",
        "pr1002": "0.25 to 0.35",
        "fl1577": "0.76",
        "pr2392": "2.82",
    },
    "Focused ACO (C++)": {"rat783": "0.39", "pr1002": "0.30", "fl1577": "1.43", "pr2392": "0.84"},
}
LARGE: tuple[tuple[str, dict[str, Any], float], ...] = (  # instance, request, target in %
    ("d15112", {"name": "d15112"}, 0.4),
    ("100,000 random", {"cities": 100_000}, 1.0),
)


# --- ten seconds ----------------------------------------------------------------------------------------------


def searched(search: Callable[..., Found], names: Sequence[str], seconds: float, seeds: int) -> dict[str, list[Found]]:
    """What a search finds on each instance with each seed."""
    return {name: [search(tours_instances.tsplib(name), seconds, seed) for seed in range(seeds)] for name in names}


def cells(found: Mapping[str, Sequence[Found]]) -> dict[str, str]:
    """The median gap, and the least and the most of several, by instance."""
    return {name: spread([one.gap for one in ones]) for name, ones in found.items()}


def spread(gaps: Sequence[float]) -> str:
    """A median with its range, in words."""
    middle = f"{statistics.median(gaps):.3f}"
    return middle if len(gaps) == 1 else f"{middle} ({min(gaps):.3f} to {max(gaps):.3f})"


def our_rows(names: Sequence[str], seconds: float, most: int) -> dict[str, dict[str, list[Found]]]:
    """All our rows: what was found, by row and instance. Settings that the library has not yet are left out."""
    rows = {}
    for title, (settings, seeds, instances) in OURS.items():
        if not all(tours_runs.takes(setting) for setting in settings):
            continue
        harness.say(f"  {title}")
        tours_runs.warmed(**settings)

        def search(instance: Any, seconds: float, seed: int, settings: Any = settings) -> Found:
            return tours_runs.ours(instance, seconds, seed, **settings)

        rows[title] = searched(search, [n for n in instances if n in names], seconds, min(seeds, most))
    return rows


def peer_rows(names: Sequence[str], seconds: float) -> tuple[list[dict[str, Any]], list[str]]:
    """The peers' rows, one seed each, and sentences about those that are not at hand."""
    rows, notes = [], []
    for title, search in tours_runs.SEARCHES.items():
        harness.say(f"  {title}")
        found, why = tried(lambda instance, search=search: search(instance, seconds, 0), FOR_PEERS, names)
        notes += [f"{title}: {sentence}." for sentence in why]
        if found:
            rows.append({"solver": title, "seeds": 1} | cells({name: [one] for name, one in found.items()}))
        elif title in QUOTED:
            rows.append({"solver": f"{title}, quoted", "seeds": "1 or 2"} | QUOTED[title])
    harness.say("  LKH (elkai)")
    found, why = tried(lambda instance: tours_runs.asked(tours_runs.ELKAI, instance), FOR_LKH, names)
    notes += [f"LKH (elkai): {sentence}." for sentence in why]
    if found:
        taken = {name: f"{one.gap:.3f} in {one.seconds:.2g} s" for name, one in found.items()}
        rows.append({"solver": "LKH (elkai), one run", "seeds": 1} | taken)
    return rows, notes


def tried(
    search: Callable[..., Found], wanted: Sequence[str], names: Sequence[str]
) -> tuple[dict[str, Found], list[str]]:
    """What a peer finds on each instance wanted, and why it found nothing, each reason once."""
    found, why = {}, []
    for name in wanted:
        if name in names:
            try:
                found[name] = search(tours_instances.tsplib(name))
            except peers.Missing as reason:
                why.append(str(reason))
    return found, list(dict.fromkeys(why))


def gap_tables(options: harness.Options) -> list[harness.Table]:
    """Everybody's gaps after the same seconds, and our own runs more closely."""
    names = ("berlin52", "kroA200", "pr1002") if options.quick else ALL
    seconds, most = (0.5, 1) if options.quick else (SECONDS, SEEDS)
    found = our_rows(names, seconds, most)
    rows = [{"solver": title, "seeds": len(next(iter(of.values()), ()))} | cells(of) for title, of in found.items()]
    theirs, notes = peer_rows(names, seconds)
    if any("quoted" in row["solver"] for row in theirs):
        notes.append(
            "Quoted: measured on such a machine at an earlier time, some 10 processor seconds; not in this run."
        )
    notes.append("The programs' lengths are their own word; Focused ACO's of the last second is not known.")
    title = f"Above the optimum after {seconds:g} s, in %: median (least to most)"
    first = harness.Table(title, rows + theirs, notes + worth(found, names))
    return [first, close_table(found["catallax"], seconds)]


def worth(found: Mapping[str, Mapping[str, Sequence[Found]]], names: Sequence[str]) -> list[str]:
    """What the trails add: the same seeds with and without them, a sentence a control."""
    said = []
    for title in (title for title in found if title.startswith("control")):
        pairs = {
            name: [b.gap - a.gap for a, b in zip(found["catallax"][name], found[title][name])]
            for name in names
            if found[title].get(name)
        }
        means = {name: statistics.fmean(more) for name, more in pairs.items()}
        parts = ", ".join(f"{name} {mean:+.3f}" for name, mean in means.items())
        said.append(
            f"With {title.removeprefix('control: ')} the gap is greater by (points of %, mean over seeds): {parts}."
        )
    return said


def close_table(found: Mapping[str, Sequence[Found]], seconds: float) -> harness.Table:
    """Our own runs: target, time to the optimum, certificate."""
    rows, notes = [], []
    for name, ones in found.items():
        harness.say(f"  certificate of {name}")
        gap = statistics.median(one.gap for one in ones)
        below, taken = tours_runs.certificate(tours_instances.tsplib(name))
        there = [one.reached for one in ones if math.isfinite(one.reached)]
        row: dict[str, Any] = {"instance": name, "gap %": gap, "target %": TARGETS[name]}
        row |= {"reached": "yes" if gap <= TARGETS[name] else "NO", "optimum found": f"{len(there)} of {len(ones)}"}
        row |= {"s to optimum": statistics.median(there) if there else None}
        row |= {"changes a s": statistics.median(one.tours / (one.seconds - one.setup) for one in ones)}
        row |= {"set up s": statistics.median(one.setup for one in ones)}
        rows.append(row | {"above bound %": above_bound(gap, below), "bound s": taken})
    missed = [row["instance"] for row in rows if row["reached"] == "NO"]
    notes.append(f"Targets: {'all reached' if not missed else 'NOT reached on ' + ', '.join(missed)}.")
    notes.append(
        "Time to the optimum is looked at some thirty times a second; set up counts in the seconds, the bound does not."
    )
    return harness.Table(f"catallax, within {seconds:g} s, all set up: medians over seeds", rows, notes)


def above_bound(gap: float, below: float) -> float:
    """How far above the bound, in %, from the gap and from how far the bound is below the length to compare with."""
    return 100 * ((1 + gap / 100) / (1 - below / 100) - 1)


# --- a minute -------------------------------------------------------------------------------------------------


def large_table(options: harness.Options) -> harness.Table:
    """Large instances, each run in a process of its own, whose memory is counted."""
    seconds = 3.0 if options.quick else LONG
    instances = (("20,000 random", {"cities": 20_000}, math.inf),) if options.quick else LARGE
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for name, request, target in instances:
        for title, settings in (("catallax", {}), ("control: trails off", dict(trails="off"))):
            harness.say(f"  {name}, {title}")
            try:
                asked = request | dict(seconds=seconds, settings=settings, bound=not settings)
                rows.append(
                    {"solver": title, "instance": name} | large_row(tours_runs.apart(asked, 10 * seconds + 600))
                )
            except subprocess.SubprocessError as why:
                notes.append(f"No row for {title} on {name}: {why}.")
        gap = next((row["gap %"] for row in rows if (row["solver"], row["instance"]) == ("catallax", name)), math.inf)
        if math.isfinite(target):
            notes.append(f"Target {target:g} % on {name}: {'reached' if gap <= target else 'NOT reached'}.")
    if not options.quick:
        rows += faco_row()
        held = max(row["peak GiB"] for row in rows if "peak GiB" in row)
        notes.append(f"Target under 1 GiB: {'reached' if held < 1 else 'NOT reached'}, {held:.2f} GiB.")
    notes.append(
        f"Random cities: above {tours_instances.RANDOM} sqrt(n A), a yardstick; one seed each; GiB before: libraries."
    )
    return harness.Table(f"Large instances after {seconds:g} s", rows, notes)


def large_row(found: Mapping[str, Any]) -> dict[str, Any]:
    """What a process of its own reports."""
    row = {"gap %": found["gap"], "s": found["seconds"], "set up s": found["setup"], "changes": found["tours"]}
    row |= {"peak GiB": found["peak"], "GiB before": found["before"]}
    if math.isfinite(found["below"]):
        row |= {"above bound %": above_bound(found["gap"], found["below"]), "bound s": found["bound"]}
    return row


def faco_row() -> list[dict[str, Any]]:
    """Focused ACO on the largest instance of its own paper's page."""
    title = "Focused ACO (C++)"
    harness.say(f"  d15112, {title}")
    try:
        found = tours_runs.SEARCHES[title](tours_instances.tsplib("d15112"), LONG, 0)
    except peers.Missing:
        return []
    return [{"solver": title, "instance": "d15112", "gap %": found.gap, "s": found.seconds}]


def benchmark(options: harness.Options) -> harness.Report:
    """Gaps, large instances, other ant colonies in Python, and starts of a process."""
    try:
        tables = [*gap_tables(options), large_table(options), *tours_start.tables(options)]
    except data.Unavailable as why:
        raise RuntimeError(str(why)) from why
    return harness.Report(
        name="tours",
        question="How near the shortest tour, how soon, and what do the trails add? One thread, wall seconds, compile apart.",
        tables=tables,
        versions=harness.versions("catallax", "numpy", "numba") | tours_start.versions(),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
