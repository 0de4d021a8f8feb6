"""Market equilibria against other solvers, at equal certified gaps.

    python -m benchmarks.markets [--quick] [--json] [--device cpu|gpu]

Both sides get the same arrays. What each reached is judged by the same few lines of float64 here: prices p and the
allocation made feasible prove a gap in sum_i B_i log u_i (see `catallax.economy.fisher`). Ours are whole calls of
`economy.allocate`, certificate included; the first call, which compiles, is shown apart. The peer's tolerance is not its
gap: it is asked for the first of a few tolerances that reaches the gap wanted, and that call alone is counted.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import harness, markets_instances, peers

WANTED = 1e-6
CLARABEL = peers.Peer(
    "cvxpy",
    ("cvxpy==1.9.3", "clarabel==0.11.1", "scs==3.3.1", "numpy==2.4.6", "scipy==1.17.1"),
    "cvxpy_fisher.py",
)
RESALLOC = peers.Peer("resalloc", ("torch==2.13.0", "numpy==2.4.6"), "resalloc_log.py")
SIZES = ((500, 50), (2_000, 100), (10_000, 100))
CLARABEL_SIZES = SIZES[:2]
SEEDS = 5


def gap_of(market: Any, prices: np.ndarray, allocation: np.ndarray, caps: np.ndarray | None) -> float:
    """The gap that prices and an allocation, made feasible, prove."""
    value, budget, supply = market.valuations, market.budgets, market.supply
    given = np.maximum(allocation, 0) * np.minimum(1, supply / np.maximum(allocation, 0).sum(0))
    if caps is None:
        prices = prices * budget.sum() / (prices @ supply)
        best = budget * (value / prices).max(1)
        return float((budget @ np.log(best / (value * given).sum(1)) + prices @ supply) / budget.sum() - 1)
    given = given * np.minimum(1, caps / given.sum(1))[:, None]
    rent = rents(value, budget, prices, caps)
    best = budget * (value / (prices + rent[:, None])).max(1)
    total = budget @ np.log(best / (value * given).sum(1)) + prices @ supply + rent @ caps
    return float(total / budget.sum() - 1)


def rents(value: np.ndarray, budget: np.ndarray, prices: np.ndarray, caps: np.ndarray) -> np.ndarray:
    """The rent that makes the bound least, by halving: r c + B log max_j v_j / (p_j + r) is convex in r."""
    low, high = np.zeros_like(budget), budget / caps
    for _ in range(60):
        middle = (low + high) / 2
        best = (value / (prices + middle[:, None])).argmax(1)
        rising = caps > budget / (prices[best] + middle)
        low, high = np.where(rising, low, middle), np.where(rising, middle, high)
    return (low + high) / 2


def ours(market: Any, cap: Any = None, tolerance: float = WANTED) -> tuple[float, harness.Timing, Any]:
    """Seconds of the first call, the timing of later ones, and the allocation."""
    from catallax.economy import allocate

    held: list[Any] = []

    def go() -> None:
        held[:] = [allocate(market.valuations, market.budgets, market.supply, tolerance=tolerance, cap=cap)]

    first = harness.measure_once(go)
    return first, harness.measure(go), held[0]


def clarabel(market: Any, folder: Path) -> tuple[float, float] | None:
    """Seconds and gap of the loosest tolerance that reaches the gap wanted."""
    files = {"instance": str(folder / "market.npz"), "out": str(folder / "answer.npz")}
    np.savez(files["instance"], valuations=market.valuations, budgets=market.budgets, supply=market.supply)
    for tolerance in (1e-6, 1e-7, 1e-8, 1e-9):
        found = peers.ask(CLARABEL, files | {"kind": "linear", "solver": "CLARABEL", "tolerance": tolerance}, 900)
        with np.load(files["out"]) as arrays:
            gap = gap_of(market, np.maximum(arrays["prices"], 1e-300), arrays["allocation"], None)
        if gap <= WANTED:
            return found["seconds"], gap
    return None


def linear_table(options: harness.Options) -> harness.Table:
    """Uniform linear markets of several sizes, several seeds each; times are medians over seeds, of the median call each."""
    rows, notes = [], []
    for buyers, goods in SIZES[:1] if options.quick else SIZES:
        size = f"{buyers:,} x {goods}"
        harness.say(f"  linear, {size}")
        markets = [markets_instances.draw("uniform", buyers, goods, seed) for seed in seeds(options)]
        found = [ours(market) for market in markets]
        gaps = [gap_of(m, a.prices, a.allocation, None) for m, (_, _, a) in zip(markets, found)]
        row = {"solver": "catallax", "market": size} | spread([timing.median for _, timing, _ in found])
        row |= {"worst gap": max(gaps), "rounds": statistics.median(a.rounds for *_, a in found)}
        rows.append(row | {"first call s": found[0][0], "others": statistics.median(t.others for _, t, _ in found)})
        if (buyers, goods) in CLARABEL_SIZES:
            theirs, why = clarabel_row(size, markets)
            rows += theirs
            notes += [why] if why else []
            if theirs and (buyers, goods) == (2_000, 100):
                notes.append(target("100 times CVXPY and Clarabel", theirs[0]["s"] / row["s"], 100, "x"))
            if theirs:
                theirs[0]["ours faster by"] = f"{theirs[0]['s'] / row['s']:.3g}x"
    if not options.quick:
        last = rows[-1]["s"]
        notes.append(f"Target 0.15 s for 10,000 x 100: {'reached' if last <= 0.15 else 'NOT reached'}, {last:.3g} s.")
    return harness.Table(f"Linear Fisher markets, uniform valuations, to a certified gap of {WANTED:g}", rows, notes)


def seeds(options: harness.Options) -> range:
    """Of the drawn markets."""
    return range(2 if options.quick else SEEDS)


def spread(seconds: list[float]) -> dict[str, float]:
    """The median over seeds, the least and the most."""
    return {"s": statistics.median(seconds), "least": min(seconds), "most": max(seconds)}


def target(what: str, ratio: float, wanted: float, unit: str = "") -> str:
    """A sentence about a target of at least so much."""
    return f"Target {what}: {'reached' if ratio >= wanted else 'NOT reached'}, {ratio:.3g}{unit}."


def clarabel_row(size: str, markets: list[Any]) -> tuple[list[dict[str, Any]], str | None]:
    """The peer's row over the same markets, or why there is none."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            answers = [clarabel(market, Path(folder)) for market in markets]
    except peers.Missing as why:
        return [], f"No row for CVXPY and Clarabel: {why}."
    reached = [answer for answer in answers if answer is not None]
    if not reached:
        return [], f"CVXPY and Clarabel did not reach {WANTED:g} on {size} at any tolerance tried."
    row = {"solver": "CVXPY + Clarabel", "market": size} | spread([seconds for seconds, _ in reached])
    row |= {"worst gap": max(gap for _, gap in reached)}
    missed = len(answers) - len(reached)
    return [row], f"CVXPY and Clarabel did not reach {WANTED:g} on {missed} of {size}." if missed else None


def kinds_table(options: harness.Options) -> harness.Table:
    """Other wants beside linear ones, on the same valuations; gaps are the certificate's own."""
    from catallax.economy import allocate

    buyers, goods = (200, 20) if options.quick else (2_000, 100)
    rows, medians = [], []
    for kind in ("linear", "quasi-linear", "ces", "cobb-douglas", "leontief"):
        harness.say(f"  {kind}, {buyers:,} x {goods}")
        times, found = [], []
        for seed in seeds(options):
            market = markets_instances.draw("uniform", buyers, goods, seed)
            facts: dict[str, Any] = dict(utility=kind, elasticity=2.0 if kind == "ces" else None)
            worth = market.valuations * (2 * goods / buyers if kind == "quasi-linear" else 1)  # about half keep money

            def go(worth=worth, market=market, facts=facts) -> Any:
                return allocate(worth, market.budgets * len(market.budgets), market.supply, **facts)

            found.append(go())
            times.append(harness.measure(go).median)
        row: dict[str, Any] = {"wants": kind} | spread(times)
        medians.append(row["s"])
        row |= {"worst gap": max(a.gap for a in found), "rounds": statistics.median(a.rounds for a in found)}
        rows.append(row | {"of linear": f"{medians[-1] / medians[0]:.2f}x"})
    worst = max(medians[1:3]) / medians[0]
    said = "reached" if worst <= 3 else "NOT reached"
    note = f"Target CES (elasticity 2) and quasi-linear within 3 times linear: {said}, {worst:.2f}."
    return harness.Table(f"Other wants, {buyers:,} x {goods}, to a certified gap of {WANTED:g}", rows, [note])


MILLION = """
import json, resource, sys, time
import numpy as np
buyers = int(sys.argv[1])
random, value = np.random.default_rng(0), np.empty((buyers, 100), np.float32)
for at in range(0, buyers, 10_000):
    value[at : at + 10_000] = random.random((len(value[at : at + 10_000]), 100), dtype=np.float32)
from catallax.economy import allocate
began = time.perf_counter()
found = allocate(value, tolerance=1e-4)
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps(dict(seconds=seconds, gap=found.gap, rounds=found.rounds, peak=peak, status=str(found.status))))
"""


def million_table(options: harness.Options) -> harness.Table:
    """A million buyers in float32, in a process of its own, whose memory is counted from its start to its end."""
    buyers = 20_000 if options.quick else 1_000_000
    harness.say(f"  {buyers:,} x 100, float32")
    run = subprocess.run(
        [sys.executable, "-c", MILLION, str(buyers)], capture_output=True, text=True, check=True, timeout=900
    )
    found = json.loads(run.stdout)
    row = {"market": f"{buyers:,} x 100", "s, compile included": found["seconds"], "gap": found["gap"]}
    row |= {"rounds": found["rounds"], "peak GiB": found["peak"]}
    well = found["seconds"] <= 60 and found["peak"] <= 4 and found["gap"] <= 1e-4
    note = f"Target under a minute and under 4 GiB, the buyers' own 0.37 GiB included: {'reached' if well else 'NOT reached'}."
    return harness.Table("A million buyers, float32 rounds, certificate in float64, to 1e-4", [row], [note])


def resalloc_table(options: harness.Options) -> harness.Table:
    """A million jobs, four resources, at most one unit a job: log utility."""
    jobs = 20_000 if options.quick else 1_000_000
    market = markets_instances.resalloc(0, jobs)
    caps = np.asarray(market.row_caps)
    harness.say(f"  {jobs:,} jobs x 4 resources")
    rows, notes = [], []
    for tolerance in (1e-4, 1e-6):
        first, timing, found = ours(market, caps, tolerance)
        gap = gap_of(market, np.maximum(found.prices, 1e-300), found.allocation, caps)
        row = {"solver": "catallax", "s": timing.median, "least": timing.low, "most": timing.high, "gap": gap}
        rows.append(row | {"rounds": found.rounds, "first call s": first, "others": timing.others})
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = {"instance": f"{folder}/market.npz", "out": f"{folder}/answer.npz"}
            np.savez(
                files["instance"],
                valuations=market.valuations,
                budgets=market.budgets,
                supply=market.supply,
                row_caps=caps,
            )
            found = peers.ask(RESALLOC, files | {"repeats": 5, "tolerance": 1e-3}, 900)
            with np.load(files["out"]) as arrays:
                gap = gap_of(
                    market, np.maximum(arrays["prices"].astype(float), 1e-300), arrays["allocation"].astype(float), caps
                )
        seconds = found["seconds"]
        ratio = statistics.median(seconds) / rows[0]["s"]
        row = {
            "solver": "resalloc (torch)",
            "s": statistics.median(seconds),
            "least": min(seconds),
            "most": max(seconds),
        }
        rows.append(row | {"gap": gap, "ours faster by": f"{ratio:.3g}x"})
        notes.append(f"Target ahead of resalloc: {'reached' if ratio > 1 else 'NOT reached'}, {ratio:.3g}x.")
    except (peers.Missing, KeyError, OSError) as why:
        notes.append(f"No row for resalloc: {why}.")
    return harness.Table(f"{jobs:,} jobs x 4 resources, log utility, one unit a job at most", rows, notes)


def benchmark(options: harness.Options) -> harness.Report:
    """Speed beside CVXPY with Clarabel and beside resalloc, other wants, and a million buyers."""
    device = harness.choose_device(options.device)
    tables = [linear_table(options), kinds_table(options), million_table(options), resalloc_table(options)]
    return harness.Report(
        name=f"markets ({options.device})",
        question=f"Who gets what, and how soon? Medians of five calls, in float64 where nothing else is said, on {device}.",
        tables=tables,
        versions=harness.versions("catallax", "jax", "jaxlib", "numpy", "scipy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
