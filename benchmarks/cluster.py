"""A GPU cluster where jobs come and go: prices against equal shares and max-min fairness, on Gavel's measured throughputs.

    python -m benchmarks.cluster [--quick] [--json] [--device cpu]

The cluster, its jobs and the three policies are those of examples/cluster.py: 36 GPUs each of V100, P100 and K80; a job
holds at most as many as it has workers; shares are of time. All policies see the same jobs. Jobs come for 1,000 steps of
half an hour; then all who are there finish, so that no job is left out of the mean. Throughput is in average GPUs.

Policies are compared twice. Each on its own path: who is slow has more jobs to share among. And on the same jobs, those
that run at prices, at one step in ten: what each would make of them. Max-min fairness is solved twice over: Gavel's linear
programme, and a second one that raises the total without lowering the least, which is kinder to it. Both by HiGHS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import data, harness

GAVEL = "economy/gavel_simulation_throughputs.json"
SEEDS, STEPS = 5, 1_000
QUICK_SEEDS, QUICK_STEPS = 2, 60
ANEW = "prices, cleared anew"
FIRST = "max-min, first programme"
QUESTION = (
    "How soon do jobs finish, and what does it cost to share the cluster at every step? {seeds} seeds, {steps} steps with "
    "arrivals; mean [95 % interval] over seeds unless it says otherwise. Ours in float64 on {device}."
)


class Anew:
    """Prices without a memory: every step is cleared from nothing. `rounds`, of each."""

    def __init__(self) -> None:
        self.rounds: list[int] = []

    def __call__(self, present: np.ndarray, value: np.ndarray, cap: np.ndarray) -> np.ndarray:
        from catallax.economy import allocate
        from examples.cluster import SUPPLY

        found = allocate(value, supply=SUPPLY, cap=cap)
        self.rounds.append(found.rounds)
        return found.allocation


def spread(values: Any) -> str:
    """Mean [95 % interval]."""
    from catallax.measures.welfare import interval

    mean, low, high = interval(values)
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def followed(kinds: Any, seeds: range, steps: int) -> list[dict[str, Any]]:
    """By seed: a trace of each policy, what each clearing came to, and the rounds of clearings from nothing."""
    from examples import cluster

    found = []
    rooms: set[int] = set()  # of all seeds: what is compiled stays
    for seed in seeds:
        harness.say(f"  seed {seed}")
        jobs, prices, anew = cluster.arrivals(kinds, seed, steps), cluster.Prices(), Anew()
        prices.rooms = rooms
        others = {"max-min": cluster.MaxMin(), "equal shares": cluster.EqualShares()}
        beside = others | {FIRST: cluster.MaxMin(second=False), ANEW: anew}
        one: dict[str, Any] = {"prices": cluster.simulate(jobs, prices, beside)}
        one |= {name: cluster.simulate(jobs, policy) for name, policy in others.items()}
        found.append(one | {"cleared": prices.cleared, "anew": anew.rounds})
    return found


def paths(found: list[dict[str, Any]], steps: int) -> harness.Table:
    """Each policy on its own path."""
    rows = []
    for name in ("prices", "max-min", "equal shares"):
        traces = [one[name] for one in found]

        def each(figure: Callable[[Any], float], traces: list[Any] = traces) -> str:
            return spread([figure(trace) for trace in traces])

        rows.append(
            {
                "policy": name,
                "hours a job": each(lambda t: t.hours.mean()),
                "median": each(lambda t: np.median(t.hours)),
                "95 %": each(lambda t: np.percentile(t.hours, 95)),
                "longest": each(lambda t: t.hours.max()),
                "all done, steps": each(lambda t: t.steps),
                "jobs running": each(lambda t: t.running[:steps].mean()),
                "GPUs that change hands a step, %": each(lambda t: 100 * t.churn[:steps].mean()),
            }
        )
    jobs = sum(one["prices"].hours.size for one in found)
    sooner = {
        name: [1 - one["prices"].hours.mean() / one[name].hours.mean() for one in found]
        for name in ("max-min", "equal shares")
    }
    notes = [f"{jobs:,} jobs in all; every one finishes."]
    for name, shares in sooner.items():
        notes.append(
            f"Mean hours at prices, less than under {name}: {spread([100 * s for s in shares])} %; "
            f"the smallest of the seeds {100 * min(shares):.3g} %."
        )
    return harness.Table("Each policy on its own path", rows, notes)


def same_jobs(found: list[dict[str, Any]]) -> harness.Table:
    """What each policy makes of the jobs that run at prices."""
    rows, notes = [], []
    for name, label in (
        ("own", "prices"),
        ("max-min", "max-min"),
        (FIRST, FIRST),
        ("equal shares", "equal shares"),
    ):
        looked = [one["prices"].beside[name] for one in found]
        seconds = 1e3 * np.concatenate([rows[:, 3] for rows in looked])
        row = {"policy": label, "Nash welfare": spread([np.exp(rows[:, 0].mean()) for rows in looked])}
        row |= {"mean": spread([rows[:, 1].mean() for rows in looked])}
        row |= {"worst-off job": spread([rows[:, 2].mean() for rows in looked])}
        rows.append(row | {"ms, median": float(np.median(seconds)), "ms, 99 %": float(np.percentile(seconds, 99))})
        if name != "own":
            own = [one["prices"].beside["own"] for one in found]
            ahead = np.concatenate([np.exp(a[:, 0] - b[:, 0]) for a, b in zip(own, looked)])
            total, least = (np.concatenate([a[:, k] / b[:, k] for a, b in zip(own, looked)]) for k in (1, 2))
            notes.append(
                f"Prices over {label}: Nash welfare x {ahead.mean():.3f} (least {ahead.min():.3f}), total throughput x "
                f"{total.mean():.3f}, worst-off job x {least.mean():.3f}."
            )
    notes.append(
        "Nash welfare, mean and worst-off job: throughput in average GPUs, means over steps. Times of prices here are of "
        "`update` with the certificate, steps that compile among them; the next table has them apart."
    )
    return harness.Table("On the same jobs, one step in ten", rows, notes)


def clearings(found: list[dict[str, Any]]) -> harness.Table:
    """What the clearings by prices came to."""
    rows = []
    for seed, one in enumerate(found):
        cleared = one["cleared"]
        seconds = 1e3 * np.array([c["seconds"] for c in cleared if not c["compiled"]])
        compiled = [c["seconds"] for c in cleared if c["compiled"]]
        rows.append(
            {
                "seed": seed,
                "clearings": len(cleared),
                "certified to 1e-6": sum(c["gap"] <= 1e-6 for c in cleared),
                "worst gap": max(c["gap"] for c in cleared),
                "ms, median": float(np.median(seconds)),
                "ms, 99 %": float(np.percentile(seconds, 99)),
                "compile, calls": len(compiled),
                "compile, s": float(sum(compiled)),
                "rounds, median": float(np.median([c["rounds"] for c in cleared])),
                "most": max(c["rounds"] for c in cleared),
                "anew": float(np.median(one["anew"])),
                "value that changes hands, %": 100
                * float(np.mean([c["churn"] for c in cleared if c["churn"] is not None])),
            }
        )
    whole, settled = sum(row["clearings"] for row in rows), sum(row["certified to 1e-6"] for row in rows)
    notes = [
        f"{settled:,} of {whole:,} clearings are certified ({settled / whole:.2%}).",
        "`compile`: calls in a market of a new size, in this process (later seeds find them compiled).",
        "`anew`: rounds, median, when the same jobs are cleared without the prices that were, at one step in ten.",
    ]
    return harness.Table("Clearings by prices", rows, notes)


def benchmark(options: harness.Options) -> harness.Report:
    """Gavel's file, or the sentence that says why it is not at hand."""
    device = harness.choose_device(options.device)
    from examples import cluster

    seeds, steps = (QUICK_SEEDS, QUICK_STEPS) if options.quick else (SEEDS, STEPS)
    try:
        found = followed(cluster.read_throughputs(data.path(GAVEL)), range(seeds), steps)
        tables = [paths(found, steps), same_jobs(found), clearings(found)]
    except data.Unavailable as error:
        tables = [harness.Table("Gavel", [], [f"{GAVEL} is not at hand ({error}): skipped; `make data` fetches it."])]
    return harness.Report(
        name=f"cluster ({options.device})",
        question=QUESTION.format(seeds=seeds, steps=f"{steps:,}", device=device),
        tables=tables,
        versions=harness.versions("catallax", "jax", "jaxlib", "numpy", "scipy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
