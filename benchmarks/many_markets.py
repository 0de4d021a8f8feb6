"""Ten thousand small markets at once, to a certified gap, beside a loop of single calls.

    python -m benchmarks.many_markets [--quick] [--json] [--device cpu|gpu]

Both sides get the same arrays and the same tolerance, and what they answer is judged by the same few lines of float64
(`benchmarks.markets.gap_of`; for quasi-linear wants by `economy.buyers.eisenberg`'s formula, restated here). The loop is of a
sample of the markets, and its time is scaled to all. The first call of either, which compiles, is shown apart.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks import harness, markets, markets_instances

MARKETS, BUYERS, GOODS, WANTED, TARGET = 10_000, 20, 10, 1e-4, 2.0
SEEDS, SAMPLE = 5, 200


def drawn(family: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Valuations [markets, buyers, goods] and budgets [markets, buyers], each market from a seed of its own."""
    each = [markets_instances.draw(family, BUYERS, GOODS, seed * MARKETS + k) for k in range(count)]
    return np.stack([m.valuations for m in each]), np.stack([m.budgets for m in each])


def worst_gap(value: np.ndarray, budget: np.ndarray, found: Any, count: int) -> float:
    """The largest gap that prices and allocations prove, of the first so many markets."""
    ones = np.ones(GOODS)
    gaps = []
    for k in range(count):
        market = markets_instances.Market(value[k], budget[k], ones)
        if not found.kept.any():
            gaps.append(markets.gap_of(market, found.prices[k], found.allocation[k], None))
            continue
        best = budget[k] * np.maximum(1, (value[k] / found.prices[k]).max(1))
        got = (value[k] * found.allocation[k]).sum(1) + found.kept[k]
        total = budget[k] @ np.log(best / got) + found.prices[k].sum() + found.kept[k].sum()
        gaps.append(float(total / budget[k].sum() - 1))
    return max(gaps)


def rows_of(family: str, utility: str, options: harness.Options) -> tuple[list[dict[str, Any]], float]:
    """Both sides on one family: the stack, for each seed, and the loop; and the median of the stack."""
    from catallax.economy import allocate, allocate_many

    count, sample = (500, 20) if options.quick else (MARKETS, SAMPLE)
    stacks = [drawn(family, count, seed) for seed in range(1 if options.quick else SEEDS)]
    held: list[Any] = []
    first = harness.measure_once(lambda: allocate_many(*stacks[0], utility=utility, tolerance=WANTED))
    turns = iter(stacks * harness.REPEATS)

    def go() -> None:
        held.append(allocate_many(*next(turns), utility=utility, tolerance=WANTED))

    timing = harness.measure(go)
    label = family if utility == "linear" else f"{family}, quasi-linear"
    gap = max(worst_gap(*stack, found, sample) for stack, found in zip(stacks, held))
    certified = sum(int((found.gap <= WANTED).sum()) for found in held[: len(stacks)])
    together: dict[str, Any] = {"markets": label, "solver": "allocate_many", "s": timing.median}
    together |= {"least": timing.low, "most": timing.high, "gap": max(gap, *(float(f.gap.max()) for f in held))}
    together |= {"unsettled": len(stacks) * count - certified, "rounds": float(np.mean(held[0].rounds))}
    together |= {"first call s": first, "cores": timing.cores, "others": timing.others}
    value, budget = stacks[0]

    def one_by_one() -> None:
        held[:] = [allocate(value[k], budget[k], utility=utility, tolerance=WANTED) for k in range(sample)]

    first = harness.measure_once(lambda: allocate(value[0], budget[0], utility=utility, tolerance=WANTED))
    loop = harness.measure(one_by_one)
    scale = count / sample
    single: dict[str, Any] = {
        "markets": label,
        "solver": f"allocate, {sample} of them, scaled",
        "s": loop.median * scale,
    }
    single |= {"least": loop.low * scale, "most": loop.high * scale, "gap": max(a.gap for a in held)}
    single |= {"unsettled": sum(a.gap > WANTED for a in held), "rounds": float(np.mean([a.rounds for a in held]))}
    single |= {"first call s": first, "cores": loop.cores, "others": loop.others}
    single |= {"together faster by": f"{loop.median * scale / timing.median:.3g}x"}
    return [together, single], timing.median


def benchmark(options: harness.Options) -> harness.Report:
    """Families of small markets, linear and quasi-linear."""
    device = harness.choose_device(options.device)
    rows: list[dict[str, Any]] = []
    notes = []
    families = (("uniform", "linear"), ("good scales", "linear"), ("uniform", "quasi-linear"))
    for family, utility in families[:1] if options.quick else families:
        harness.say(f"  {family}, {utility}")
        both, median = rows_of(family, utility, options)
        rows += both
        if (family, utility) == families[0] and not options.quick:
            said = "reached" if median <= TARGET and not both[0]["unsettled"] else "NOT reached"
            notes.append(f"Target {MARKETS:,} markets of {BUYERS} x {GOODS} in {TARGET:g} s: {said}, {median:.3g} s.")
    count = 500 if options.quick else MARKETS
    title = f"{count:,} markets of {BUYERS} x {GOODS}, to a certified gap of {WANTED:g} each"
    return harness.Report(
        name=f"many markets ({options.device})",
        question=f"How soon are many small markets cleared? Medians of five calls, each of another seed, on {device}.",
        tables=[harness.Table(title, rows, notes)],
        versions=harness.versions("catallax", "jax", "jaxlib", "numpy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
