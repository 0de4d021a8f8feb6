"""Market equilibria against other solvers, at equal certified gaps.

    python -m benchmarks.markets [--quick] [--json] [--device cpu|gpu]

Both sides get the same arrays. What each reached is judged by the same few lines of float64 here: prices p and the
allocation made feasible prove a gap in sum_i B_i log u_i (see `catallax.economy.fisher`). Ours are whole calls of
`economy.allocate`, certificate included; the first call, which compiles, is shown apart. The peer's tolerance is not its
gap: it is asked for the first of a few tolerances that reaches the gap wanted, and that call alone is counted.
"""

from __future__ import annotations

import statistics
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
    """Uniform linear markets of several sizes."""
    rows, notes = [], []
    for buyers, goods in SIZES[:1] if options.quick else SIZES:
        harness.say(f"  linear, {buyers:,} x {goods}")
        market = markets_instances.draw("uniform", buyers, goods, 0)
        first, timing, found = ours(market)
        gap = gap_of(market, found.prices, found.allocation, None)
        size = f"{buyers:,} x {goods}"
        row = {"solver": "catallax", "market": size, "s": timing.median, "least": timing.low, "most": timing.high}
        rows.append(row | {"gap": gap, "rounds": found.rounds, "first call s": first, "others": timing.others})
        if (buyers, goods) not in CLARABEL_SIZES:
            continue
        try:
            with tempfile.TemporaryDirectory() as folder:
                answer = clarabel(market, Path(folder))
        except peers.Missing as why:
            notes.append(f"No row for CVXPY and Clarabel: {why}.")
            continue
        if answer is None:
            notes.append(f"CVXPY and Clarabel did not reach {WANTED:g} on {size} at any tolerance tried.")
            continue
        ratio = answer[0] / timing.median
        rows.append(
            {
                "solver": "CVXPY + Clarabel",
                "market": size,
                "s": answer[0],
                "gap": answer[1],
                "ours faster by": f"{ratio:.3g}x",
            }
        )
        if (buyers, goods) == (2_000, 100):
            notes.append(
                f"Target 100 times CVXPY and Clarabel: {'reached' if ratio >= 100 else 'NOT reached'}, {ratio:.3g}."
            )
    last = rows[-1]
    if not options.quick:
        done = "reached" if last["s"] <= 0.15 else "NOT reached"
        notes.append(f"Target 0.15 s for 10,000 x 100: {done}, {last['s']:.3g} s.")
    return harness.Table(f"Linear Fisher markets, uniform valuations, to a certified gap of {WANTED:g}", rows, notes)


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


def robust_table(options: harness.Options) -> harness.Table:
    """Every family, sizes from 2 x 2 up: certified or not, and in how many rounds."""
    from catallax.economy import allocate

    sizes = ((2, 2), (20, 8), (200, 40)) if options.quick else ((2, 2), (20, 8), (200, 40), (2_000, 200))
    seeds = 2 if options.quick else SEEDS
    rows, counts = [], [0, 0]
    families = [(f, "similar") for f in markets_instances.FAMILIES] + [("uniform", "decades")]
    for family, budgets in families:
        harness.say(f"  {family}, {budgets} budgets")
        found = [
            allocate(m.valuations, m.budgets, m.supply)
            for n, k in sizes
            for s in range(seeds if n < 2_000 else min(seeds, 3))
            for m in (markets_instances.draw(family, n, k, s, budgets),)
        ]
        settled = sum(a.gap <= WANTED for a in found)
        counts = [counts[0] + settled, counts[1] + len(found)]
        worst, most = max(a.gap for a in found), max(a.rounds for a in found)
        median = statistics.median(a.rounds for a in found)
        label = f"{family}, budgets over six decades" if budgets == "decades" else family
        rows.append(
            {
                "family": label,
                "markets": len(found),
                "certified": settled,
                "worst gap": worst,
                "rounds": median,
                "most": most,
            }
        )
    share = 1 - counts[0] / counts[1]
    said = "reached" if share <= 0.01 else "NOT reached"
    return harness.Table(
        "Robustness", rows, [f"Target at most 1 % unsettled: {said}, {counts[1] - counts[0]} of {counts[1]}."]
    )


def benchmark(options: harness.Options) -> harness.Report:
    """Speed beside CVXPY with Clarabel and beside resalloc, and robustness."""
    device = harness.choose_device(options.device)
    tables = [linear_table(options), resalloc_table(options), robust_table(options)]
    return harness.Report(
        name=f"markets ({options.device})",
        question=f"Who gets what, how soon, and how surely? Medians of five calls, in float64, on {device}.",
        tables=tables,
        versions=harness.versions("catallax", "jax", "jaxlib", "numpy", "scipy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
