"""Three hundred markets, easy and vicious: are all certified, and does none take much longer than its like?

    python -m benchmarks.robustness [--quick] [--json] [--device cpu|gpu]

Families and sizes of `markets_instances`. The gap is judged by the lines of `benchmarks.markets`, not by the library's. A
market is slow where it takes over ten times the median time of its size; each size is compiled before it is timed.
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

from benchmarks import harness, markets_instances
from benchmarks.markets import WANTED, gap_of

SIZES = {(2, 2): 12, (20, 8): 12, (200, 40): 12, (2_000, 200): 2}  # and how many seeds
SLOW = 10  # times the median of its size


def solved(family: str, budgets: str, size: tuple[int, int], seed: int) -> dict[str, Any]:
    """One market's gap, rounds, seconds, and whether what was said of it is true."""
    from catallax.economy import allocate

    market = markets_instances.draw(family, *size, seed, budgets)
    found = allocate(market.valuations, market.budgets, market.supply, tolerance=WANTED)
    gap = gap_of(market, found.prices, found.allocation, None)
    settled = str(found.status) == "settled"
    return dict(
        gap=gap, rounds=found.rounds, seconds=found.seconds, settled=settled, wrong=settled and gap > 1.01 * WANTED
    )


def benchmark(options: harness.Options) -> harness.Report:
    """Every family at every size."""
    device = harness.choose_device(options.device)
    sizes = {(2, 2): 2, (20, 8): 2} if options.quick else SIZES
    families = [(f, "similar") for f in markets_instances.FAMILIES] + [("uniform", "decades")]
    found: dict[tuple[str, tuple[int, int]], list[dict[str, Any]]] = {}
    for size, seeds in sizes.items():
        solved("uniform", "similar", size, 0)  # compiles
        for family, budgets in families:
            label = f"{family}, budgets over six decades" if budgets == "decades" else family
            harness.say(f"  {label}, {size[0]:,} x {size[1]}")
            found[label, size] = [solved(family, budgets, size, seed) for seed in range(seeds)]
    usual = {
        size: statistics.median(x["seconds"] for (_, s), all_ in found.items() for x in all_ if s == size)
        for size in sizes
    }
    rows = []
    for label in dict.fromkeys(name for name, _ in found):
        mine = [(x, x["seconds"] / usual[size]) for (name, size), all_ in found.items() if name == label for x in all_]
        rows.append(
            {
                "family": label,
                "markets": len(mine),
                "certified": sum(x["settled"] for x, _ in mine),
                "worst gap": max(x["gap"] for x, _ in mine),
                "rounds": statistics.median(x["rounds"] for x, _ in mine),
                "most": max(x["rounds"] for x, _ in mine),
                "slowest, of its size's median": max(times for _, times in mine),
            }
        )
    every = [(x, x["seconds"] / usual[size]) for (_, size), all_ in found.items() for x in all_]
    lost, wrong, slow = (sum(t) for t in zip(*((not x["settled"], x["wrong"], t > SLOW) for x, t in every)))
    well = lost <= 0.01 * len(every) and not wrong and not slow
    note = f"Target at most 1 % unsettled, none wrong, none over {SLOW} times the median of its size: "
    note += f"{'reached' if well else 'NOT reached'}, {lost}, {wrong} and {slow} of {len(every)}."
    return harness.Report(
        name=f"robustness ({options.device})",
        question=f"Is every market certified to {WANTED:g}, or said to be unsettled? In float64, on {device}.",
        tables=[harness.Table("Families of valuations, 2 x 2 to 2,000 x 200", rows, [note])],
        versions=harness.versions("catallax", "jax", "jaxlib", "numpy", "scipy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
