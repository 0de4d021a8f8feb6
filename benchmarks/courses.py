"""Seats in courses: prices (A-CEEI) against serial dictatorship, round robin, and fairpyx's Course Match.

    python -m benchmarks.courses [--quick] [--json] [--device cpu]

Every rule shares the same seats among the same students. Ours searches prices until nearly all is cleared, then hands
out seats within the capacities (`catallax.economy.courses.ceei`); serial dictatorship gives each student in turn its best
bundle of what is left; round robin lets each in turn pick one course. fairpyx runs in its own environment.

Beside the clearing error stands Budish's bound, sqrt(min(2 k, M) M) / 2; beside the sum of values (a share of the best
possible, by an integer programme) stand the largest envy, how many students envy by more than one course, and the
least share of its favourite bundle that any student has. 20 seeds, means with 95 % intervals.

The instance of Ariel University (26 students, 23 courses, bids of 2023) is read from the data of the benchmarks. Its
seats were for all students of the year, so that for these 26 nothing is scarce: the second table gives a tenth of them.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import data, harness, peers

ARIEL = "economy/fairpyx_ariel_5783_input.json"
FAIRPYX = peers.Peer("fairpyx", ("fairpyx==0.1",), "fairpyx_courses.py")
SEEDS, QUICK_SEEDS = 20, 3
SEARCH = 5  # seconds of fairpyx's price search an instance
QUESTION = (
    "How are scarce seats shared best: by prices from nearly equal budgets, by dictators in turn, or by picking in turn? "
    "Each row is {seeds} seeds: budgets, lots and orders (and the drawn instances themselves); mean [95 % interval]. "
    "Ours on {device}."
)

HONEST = (
    "All rules are given the true values. Who picks in turn gains by picking first what others want; at prices that is "
    "so of few among many."
)


@dataclasses.dataclass(frozen=True)
class Result:
    """What a rule came to on one instance. `error` and `bound` of the market, None for rules without prices."""

    welfare: dict[str, float]
    seconds: float
    error: float | None = None
    bound: float | None = None


# --- the rules ----------------------------------------------------------------------------------------------


def by_prices(problem: Any) -> Result:
    """Ours, settled."""
    import catallax as cx

    start = time.perf_counter()
    rest = cx.settle(problem, max_rounds=10_000)
    seconds = time.perf_counter() - start
    return Result(problem.welfare(rest), seconds, rest.clearing_error, problem.bound)


def handed_out(problem: Any, rule: Callable[[Any], Any]) -> Result:
    """The seats that a rule hands out, judged."""
    from catallax.core.outcome import Outcome

    start = time.perf_counter()
    taken = rule(problem)
    seconds = time.perf_counter() - start
    return Result(problem.welfare(Outcome(values=problem.valued(taken))), seconds)


def serial_dictatorship(problem: Any) -> Any:
    """Each in turn, in an order by lot, takes its best bundle of what is left."""
    import numpy as np

    from catallax.economy.courses.bundles import best_bundle

    students, left = problem.students, problem.capacities.copy()
    taken = np.zeros(problem.values.shape, bool)
    for i in problem.order:
        open_to = np.where(left > 0, students.values[i], 0.0)
        best_bundle(open_to, np.zeros(left.size), students.conflicts, students.limits[i], np.inf, taken[i])
        left -= taken[i]
    return taken


def round_robin(problem: Any) -> Any:
    """Each in turn, in the same order again and again, takes the best course that is left and fits its bundle."""
    import numpy as np

    students, left = problem.students, problem.capacities.copy()
    taken, picking = np.zeros(problem.values.shape, bool), True
    while picking:
        picking = False
        for i in problem.order:
            if taken[i].sum() >= students.limits[i]:
                continue
            barred = taken[i] | students.conflicts[taken[i]].any(0) | (left <= 0)
            open_to = np.where(barred, 0.0, students.values[i])
            j = int(open_to.argmax())
            if open_to[j] > 0:
                taken[i, j], picking = True, True
                left[j] -= 1
    return taken


def by_lot(problem: Any) -> Result:
    """Silence: all ask for their favourites."""
    start = time.perf_counter()
    silent = problem.silence()
    seconds = time.perf_counter() - start
    return Result(problem.welfare(silent), seconds)


RULES: dict[str, Callable[[Any], Result]] = {
    "catallax, prices": by_prices,
    "serial dictatorship": lambda problem: handed_out(problem, serial_dictatorship),
    "round robin": lambda problem: handed_out(problem, round_robin),
    "favourites by lot (silence)": by_lot,
}


def by_fairpyx(problems: list[Any], seconds: int) -> Iterator[tuple[str, list[Result], list[str]]]:
    """Its rules' results, and the failures of each in words. Raises `peers.Missing`."""
    import numpy as np

    asked = [
        dict(
            values=p.values.tolist(),
            capacities=p.capacities.tolist(),
            limits=p.limit.tolist(),
            conflicts=[list(pair) for pair in p.conflicts],
            budgets=p.students.budgets.tolist(),
        )
        for p in problems
    ]
    with tempfile.TemporaryDirectory() as folder:  # a command line and a printed line hold too little
        given, answered = Path(folder, "instances.json"), Path(folder, "answer.json")
        given.write_text(json.dumps(asked))
        request = {"instances": str(given), "answer": str(answered), "seconds": seconds}
        peers.ask(FAIRPYX, request, timeout=60 + 4 * seconds * len(problems))
        answers = json.loads(answered.read_text())
    rows: dict[str, tuple[list[Result], list[str]]] = {}
    for answer, problem in zip(answers, problems, strict=True):
        for rule, found in answer.items():
            results, failures = rows.setdefault(f"fairpyx, {rule}", ([], []))
            if "failed" in found:
                failures.append(found["failed"])
                continue
            taken = np.zeros(problem.values.shape, bool)
            for i, bundle in enumerate(found["bundles"]):
                taken[i, bundle] = True
            if (over := (taken.sum(0) - problem.capacities).max()) > 0:
                failures.append(f"hands out {over} seats more than there are")
                continue
            judged = handed_out(problem, lambda _, taken=taken: taken)
            error = found.get("error")
            bound = None if error is None else problem.bound
            results.append(dataclasses.replace(judged, seconds=found["seconds"], error=error, bound=bound))
    yield from ((name, *row) for name, row in rows.items())


# --- the tables ---------------------------------------------------------------------------------------------


def row(name: str, results: list[Result]) -> dict[str, Any]:
    """Means with their intervals; the market's error beside its bound."""
    errors = [r.error for r in results if r.error is not None]
    line: dict[str, Any] = {"rule": name, "seeds": len(results)}
    if errors:
        met = sum(r.error <= r.bound for r in results if r.error is not None and r.bound is not None)
        line |= {"clearing error, seats": spread(errors), "worst": max(errors)}
        line |= {"bound": results[0].bound, "bound met": f"{met} of {len(errors)}"}
    for column, entry in (
        ("value, of best", "efficiency"),
        ("largest envy", "envy"),
        ("beyond one course", "ef1_violations"),
        ("least share", "min_share"),
    ):
        line[column] = spread([r.welfare[entry] for r in results])
    seconds = [r.seconds for r in results]
    return line | {"s": statistics.median(seconds), "least s": min(seconds), "most s": max(seconds)}


def spread(values: list[float]) -> str:
    """Mean [95 % interval]."""
    from catallax.measures.welfare import interval

    mean, low, high = interval(values)
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def table(title: str, problems: list[Any], peer: list[Any], seconds: int) -> harness.Table:
    """All rules on the same problems; fairpyx on those of `peer`."""
    harness.say(f"  {title}")
    RULES["catallax, prices"](problems[0])  # kernels are compiled, or read from their cache
    rows, notes = [row(name, [rule(p) for p in problems]) for name, rule in RULES.items()], [HONEST]
    if not peer:
        left_out = "fairpyx is left out: it lists every bundle of every student first, 17 s for the 26 of Ariel."
        return harness.Table(title, rows, [*notes, left_out])
    try:
        for name, results, failures in by_fairpyx(peer, seconds):
            if results:
                rows.append(row(name, results))
            if failures:
                notes.append(f"{name} failed on {len(failures)} of {len(peer)}: {failures[0]}.")
        notes.append(
            f"fairpyx searches prices for {seconds} s or until its error is 0, one that counts empty seats at a price of 0 too; "
            "the error shown does not. Its orders are the students'."
        )
    except peers.Missing as why:
        notes.append(f"No rows for fairpyx: {why}.")
    return harness.Table(title, rows, notes)


def ariel() -> Any:
    """The instance of the file, or a sentence that says why not."""
    from catallax.economy.courses.ceei import Courses

    try:
        return Courses.read(data.path(ARIEL))
    except data.Unavailable as error:
        return f"{ARIEL} is not at hand ({error}): skipped; `make data` fetches it."


def benchmark(options: harness.Options) -> harness.Report:
    """The file as it is, a tenth of its seats, and drawn instances (a quick run: few seeds and small ones)."""
    device = harness.choose_device(options.device)
    import numpy as np

    from catallax.economy.courses.ceei import Courses

    seeds, seconds = range(QUICK_SEEDS if options.quick else SEEDS), 1 if options.quick else SEARCH
    found, tables = ariel(), []
    if isinstance(found, str):
        tables.append(harness.Table("Ariel", [], [found]))
    else:
        scarce = dataclasses.replace(found, capacities=np.maximum(1, found.capacities // 10))
        for title, problem in (("Ariel, all seats", found), ("Ariel, a tenth of the seats", scarce)):
            tables.append(table(title, [dataclasses.replace(problem, seed=s) for s in seeds], [], seconds))
    small = [Courses.drawn(s, students=20, courses=8, limit=3) for s in seeds]
    tables.append(table("drawn: 20 students, 8 courses, 3 each", small, small, seconds))
    if not options.quick:
        large = [Courses.drawn(s, students=200, courses=40, limit=5) for s in seeds]
        tables.append(table("drawn: 200 students, 40 courses, 5 each", large, [], seconds))
    return harness.Report(
        name=f"courses ({options.device})",
        question=QUESTION.format(seeds=len(seeds), device=device),
        tables=tables,
        versions=harness.versions("catallax", "jax", "numba", "numpy", "scipy") | {"fairpyx": "0.1"},
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
