"""A twentieth of the cities changes: how soon is a tour good again, and is it the trails or the tour that is worth keeping?

    python -m benchmarks.changing [--quick] [--json]

A colony has worked for a while. Then a third of the cities that change goes, a third comes, a third moves (by a fiftieth of
the map, normally distributed), and one edge of the tour in two hundred is closed. From that moment on the clock runs, in CPU
seconds of this process on warm kernels: laying out the changed world, repairing or building a tour, searching.

    update             the colony as it is: tour and trails
    fresh trails       its tour, and trails as if that had been trodden for long: ants do not know where the way is young
    no trails          its tour, and ants that smell nothing: local search warm-started from the repaired tour
    trails, no tour    its trails, and a greedy tour mended by 3-opt
    cold, sites        neither, and ants cut at long edges as they do after a change (`tours.young`)
    cold               neither: as if nothing had been there before

All use the same ants, local search and kernels. Gaps are to the shortest tour of the changed world that is known: the best
of two long searches (one cold, one carried on) and of all searches in the table. Annealing needs to know when it has to end,
so each side is run twice: at no heat, watched all the time, and cooling within each budget. The time to a gap is the
sooner of the two.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import data, harness

SHARE = 0.05  # of the cities
CLOSED = 1 / 200  # of the edges of the tour
MOVED = 1 / 50  # of the map: standard deviation of a move
TSPLIB = ("pr1002", "fl1577", "pr2392", "pcb3038", "rl5934", "d15112")
RANDOM = ("uniform 1,000", "uniform 2,000", "uniform 5,000", "clustered 1,000", "clustered 2,000", "clustered 5,000")
QUICK = ("uniform 1,000", "clustered 1,000")
BUDGETS, QUICK_BUDGETS = (0.05, 0.2, 1.0), (0.05, 0.2)  # CPU seconds
YOUNG = 10  # rounds: what an update has
TARGETS = (0.01, 0.005, 0.002)
SEEDS, LONG, PATIENCE = 2, 6.0, 2.0  # changes; seconds of a long search (a 1,000 cities: more, more); of a watched one
QUICK_SEEDS, QUICK_LONG, QUICK_PATIENCE = 1, 2.0, 1.0
UPDATE, COLD = "update", "cold"
WITHOUT = ("no trails", "fresh trails", "trails, no tour", "cold, sites")
ARMS = (UPDATE, *WITHOUT, COLD)
QUESTION = (
    "A twentieth of the cities changes: how soon is the tour within 1 % of the shortest known again? {seeds} changes of "
    "each instance, medians; CPU seconds from the moment of the change, on warm kernels."
)


def world(name: str) -> Any:
    """Coordinates [cities, 2], or the path of a file. Raises `data.Unavailable` where that cannot be had."""
    if name in TSPLIB:
        return data.path(f"tsplib/{name}.tsp")
    kind, size = name.split()
    cities = int(size.replace(",", ""))
    rng = np.random.default_rng(cities)
    if kind == "uniform":
        return 1000 * rng.random((cities, 2))
    centre = 1000 * rng.random((cities // 100, 2))
    return centre[rng.integers(len(centre), size=cities)] + rng.normal(0, 15, (cities, 2))


def shaken(ground: Any, order: np.ndarray, seed: int) -> Any:
    """A change of `SHARE` of the cities."""
    from catallax.colony.change import Change

    rng, cities = np.random.default_rng([seed, ground.cities]), ground.cities
    each = max(1, round(SHARE * cities / 3))
    low, size = ground.places.min(axis=0), np.ptp(ground.places, axis=0)
    who = rng.permutation(cities)[: 2 * each]
    add = low + size * rng.random((each, 2))
    to = ground.places[who[each:]] + MOVED * size * rng.normal(size=(each, 2))
    if ground.kind != "PLANE":
        add, to = np.round(add), np.round(to)
    at = rng.choice(cities, max(1, round(CLOSED * cities)), replace=False)
    close = np.stack([order[at], np.roll(order, -1)[at]], axis=1).tolist()
    return Change(add, who[:each].tolist(), dict(zip(who[each:].tolist(), to, strict=True)), close)


def sides(before: Any, change: Any) -> dict[str, Callable[[], tuple[Any, Any]]]:
    """How each side begins: the tour of the changed world, and the colony on it."""
    from catallax.colony.change import changed
    from catallax.colony.memory import WARM, carried

    def update() -> tuple[Any, Any]:
        after = changed(before.tour, change)
        return after.tour, carried(after, before.tour, before.colony)

    def no_trails() -> tuple[Any, Any]:
        tour, colony = update()
        tour = tour.with_(trails="off")
        return tour, tour.begun(colony.best, WARM)

    def fresh_trails() -> tuple[Any, Any]:
        tour, colony = update()
        return tour, dataclasses.replace(tour.begun(colony.best, WARM), young=colony.young)

    def no_tour() -> tuple[Any, Any]:
        tour, colony = update()
        fresh = tour.society()
        signal = dataclasses.replace(fresh.signal, level=colony.signal.level)
        return tour, dataclasses.replace(fresh, signal=signal, young=colony.young)

    def cold_sites() -> tuple[Any, Any]:
        tour, colony = cold()
        return tour, dataclasses.replace(colony, young=YOUNG)

    def cold() -> tuple[Any, Any]:
        tour = changed(before.tour, change).tour
        return tour, tour.society()

    return dict(zip(ARMS, (update, no_trails, fresh_trails, no_tour, cold_sites, cold), strict=True))


@dataclasses.dataclass(frozen=True)
class Trace:
    """`seconds`, `length` [looks] of the best tour so far, the first when all was set up; `rounds` of search."""

    seconds: np.ndarray
    length: np.ndarray
    rounds: int

    @property
    def rate(self) -> float:
        """Rounds a second."""
        return self.rounds / max(self.seconds[-1] - self.seconds[0], 1e-9)

    def reached(self, length: float) -> float:
        """Seconds to a length; infinite where it was not come to."""
        return float(self.seconds[np.argmax(self.length <= length)]) if self.length[-1] <= length else float("inf")


def traced(
    begin: Callable, seed: int, seconds: float, rate: float | None = None, goal: float = 0.0, warmth: float = 1.0
) -> Trace:
    """A search of at most so many CPU seconds; `rate`: it cools within as many rounds as these buy, else it has no heat."""
    from catallax.core.record import Record
    from catallax.core.run import run

    clock = time.process_time()
    tour, colony = begin()
    rows = [(time.process_time() - clock, float(tour.watch()["length"](colony)))]
    if rate is None:
        colony, rounds = dataclasses.replace(colony, heat=0.0), 10**6
    else:
        colony = dataclasses.replace(colony, heat=warmth * colony.heat)
        rounds = max(1, round((seconds - rows[0][0]) * rate))

    def look(frame: Any) -> bool:
        rows.append((time.process_time() - clock, float(frame.values["length"])))
        return rows[-1][1] <= goal or (rate is None and rows[-1][0] > seconds)

    record = Record(every=1, length=tour.watch()["length"])
    outcome = run(colony, rounds, seed, record=record, look=look)
    spent, length = np.array(rows).T
    return Trace(spent, np.minimum.accumulate(length), outcome.rounds)


def one_change(before: Any, seed: int, long: float, patience: float, budgets: tuple[float, ...]) -> dict[str, Any]:
    """All sides after one change. By side: `start` (s), `gap` at the start, by `budget` its gap, by `target` its seconds."""
    begin = sides(before, shaken(before.tour.ground, before.order, seed))
    traced(begin[UPDATE], seed, 0.0)  # kernels
    rate = traced(begin[COLD], seed, 0.5).rate
    known = [traced(begin[side], 100 + seed, long, rate).length[-1] for side in (COLD, UPDATE)]
    goal = min(known) * (1 + TARGETS[-1])
    plain = {side: traced(begin[side], seed, patience, goal=goal) for side in ARMS}
    cooled = {side: [traced(begin[side], seed, budget, rate) for budget in budgets] for side in ARMS}
    best = min(
        [*known, *(t.length[-1] for t in plain.values()), *(t.length[-1] for side in ARMS for t in cooled[side])]
    )

    def of(side: str) -> dict[str, Any]:
        found: dict[Any, Any] = {"start": plain[side].seconds[0], "first": plain[side].length[0] / best - 1}
        found["gaps"] = [t.length[-1] / best - 1 for t in cooled[side]]
        for target in TARGETS:
            length = (1 + target) * best
            done = [t.seconds[-1] for t in cooled[side] if t.length[-1] <= length]
            found[target] = min([plain[side].reached(length), *done])
        return found

    return {side: of(side) for side in ARMS} | {"rate": rate}


def middle(values: Any) -> float:
    """The median."""
    return float(np.median(np.asarray(values, float)))


def times(found: dict[str, list[dict[str, Any]]], target: float, patience: float) -> harness.Table:
    """Seconds to a target, by instance and side."""
    rows, faster = [], 0
    for name, changes in found.items():
        spent = {side: [min(one[side][target], patience) for one in changes] for side in ARMS}
        ratio = middle(np.divide(spent[COLD], spent[UPDATE]))
        faster += ratio >= 5
        row: dict[str, Any] = {"instance": name} | {side: middle(spent[side]) for side in ARMS}
        late = {side: sum(one[side][target] > patience for one in changes) for side in (UPDATE, COLD)}
        rows.append(row | {"cold / update": ratio, "update not there": late[UPDATE], "cold not there": late[COLD]})
    notes = [
        f"Update is at least 5 times as soon as cold on {faster} of {len(found)} instances (median of the changes). Who is "
        f"not there after {patience:g} s counts as there at {patience:g} s, which flatters the later one."
    ]
    for side in WITHOUT:
        pairs = [
            (min(one[side][target], patience), min(one[UPDATE][target], patience)) for c in found.values() for one in c
        ]
        ratio = np.array([theirs / ours for theirs, ours in pairs])
        notes.append(
            f"{side}: takes {np.exp(np.log(ratio).mean()):.3g} times as long as update (geometric mean of {len(ratio)} "
            f"changes), longer in {np.mean(ratio > 1):.0%}."
        )
    return harness.Table(f"CPU seconds until the tour is within {target:.1%} of the shortest known", rows, notes)


def gaps(found: dict[str, list[dict[str, Any]]], budgets: tuple[float, ...]) -> harness.Table:
    """Gaps after a budget, by instance and side."""
    rows = []
    for name, changes in found.items():
        for at, budget in enumerate(budgets):
            row: dict[str, Any] = {"instance": name if at == 0 else "", "seconds": budget}
            rows.append(row | {side: middle([100 * one[side]["gaps"][at] for one in changes]) for side in ARMS})
    notes = ["Each search cools within its budget: what a dispatcher gets who asks for an answer by then."]
    for at, budget in enumerate(budgets):
        words = []
        for side in (*WITHOUT, COLD):
            apart = [100 * (one[side]["gaps"][at] - one[UPDATE]["gaps"][at]) for c in found.values() for one in c]
            words.append(f"{side} {np.mean(apart):+.3f} ({np.mean(np.array(apart) > 0):.0%} worse)")
        notes.append(f"After {budget:g} s, percentage points above update, mean: " + ", ".join(words) + ".")
    return harness.Table("Gap to the shortest tour known, %, after a budget of CPU seconds", rows, notes)


def starts(found: dict[str, list[dict[str, Any]]]) -> harness.Table:
    """What each begins with."""
    rows = []
    for name, changes in found.items():
        row: dict[str, Any] = {"instance": name}
        for side in (UPDATE, COLD):
            row[f"{side}, ms"] = middle([1e3 * one[side]["start"] for one in changes])
            row[f"{side}, gap %"] = middle([100 * one[side]["first"] for one in changes])
        rows.append(row | {"rounds a second": middle([one["rate"] for one in changes])})
    return harness.Table("Before the first ant walks: set-up, and the gap of the tour that it leads to", rows)


def benchmark(options: harness.Options) -> harness.Report:
    """All instances that are at hand."""
    harness.choose_device("cpu")
    from catallax.colony.solution import solve

    names = QUICK if options.quick else (*TSPLIB, *RANDOM)
    seeds, long, patience, budgets = SEEDS, LONG, PATIENCE, BUDGETS
    if options.quick:
        seeds, long, patience, budgets = QUICK_SEEDS, QUICK_LONG, QUICK_PATIENCE, QUICK_BUDGETS
    found, missing = {}, []
    for name in names:
        try:
            where = world(name)
        except data.Unavailable as error:
            missing.append(f"{name} is not at hand ({error}): left out.")
            continue
        harness.say(f"  {name}")
        before = solve(where, seconds=long)
        found[name] = [one_change(before, seed, long, patience, budgets) for seed in range(seeds)]
    tables = [times(found, target, patience) for target in TARGETS] + [gaps(found, budgets), starts(found)]
    tables[0] = dataclasses.replace(tables[0], notes=[*tables[0].notes, *missing])
    return harness.Report(
        name="changing",
        question=QUESTION.format(seeds=seeds),
        tables=tables,
        versions=harness.versions("catallax", "numba", "numpy", "jax"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
