"""Ad budgets through a day of first-price auctions: paced by prices, true values, one shade for all.

    python -m benchmarks.pacing [--quick] [--json] [--device cpu]

Campaigns, auctions and measures are those of examples/pacing.py: no public file of campaigns is at hand, so they are
drawn. A paced advertiser bids its value times one multiplier, from the first-price pacing equilibrium, and tied impressions
go round in the equilibrium's shares; the controls know neither. `one shade for all`: everyone bids the same share of the
value, of five shares the best in hindsight: least regret, most revenue, most value. Whoever has no money left is out.

    revenue     of all budgets
    value       of what is won, a share of the most there is without budgets
    out early   advertisers whose money is gone before the last twentieth of the day
    regret      value less price that the budgets could have bought at the prices paid, less what they did (of all budgets)
    gain        the same, by another multiplier while all others bid on: what pacing leaves to who shades (of all budgets)
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks import harness

SEEDS, QUICK_SEEDS = 5, 2
SIZES = ((30, 8, 20_000), (100, 20, 20_000))  # advertisers, keywords, impressions
SHADES = np.linspace(0.2, 1, 5)
TOLERANCE = 1e-8
ANOTHER = "paced, another day's counts"
SHADED = {
    "one shade for all, least regret": lambda row: -row["regret"],
    "one shade for all, most revenue": lambda row: row["revenue"],
    "one shade for all, most value": lambda row: row["value"],
}
QUESTION = (
    "Do budgets last the day, and what does that cost the seller? {seeds} seeds: campaigns and the order of impressions; "
    "mean [95 % interval]. Ours in float64 on {device}."
)


def spread(values: Any) -> str:
    """Mean [95 % interval]."""
    from catallax.measures.welfare import interval

    mean, low, high = interval(values)
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def came(campaigns: Any, day: Any) -> dict[str, float]:
    """The figures of a day, one number each."""
    from examples import pacing

    found, budgets = pacing.figures(campaigns, day), campaigns.budgets
    shares = {name: float(found[name] @ budgets / budgets.sum()) for name in ("regret", "gain")}
    early = float((found["out"] < pacing.EVENING).mean())
    return shares | dict(revenue=float(found["revenue"]), value=float(found["value"]), early=early)


def days(seed: int, size: tuple[int, int, int]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """What each policy came to, and how well the equilibrium keeps its definition."""
    from catallax.economy import allocate
    from examples import pacing

    campaigns = pacing.drawn(seed, *size)
    value, budgets, supply = campaigns.valuations, campaigns.budgets, campaigns.supply
    found = allocate(value, budgets, supply, "quasi-linear", tolerance=TOLERANCE)
    missed = pacing.broken(campaigns, found.prices, found.allocation)
    keywords = pacing.stream(supply, seed)
    policies = pacing.policies(campaigns, found)
    rows = {
        name: came(campaigns, pacing.replay(keywords, bids, budgets, part)) for name, (bids, part) in policies.items()
    }
    counts = np.random.default_rng(seed).poisson(supply)  # what was counted on does not come
    bids, part = policies[pacing.PACED]
    rows[ANOTHER] = came(campaigns, pacing.replay(pacing.stream(counts, seed), bids, budgets, part))
    shaded = [came(campaigns, pacing.replay(keywords, shade * value, budgets)) for shade in SHADES]
    rows |= {name: max(shaded, key=best) for name, best in SHADED.items()}
    paced = float((pacing.multipliers(campaigns, found.prices) < 1 - 1e-6).mean())
    return rows, missed | dict(
        gap=found.gap, rounds=found.rounds, seconds=found.seconds, paced=paced, settled=found.status == "settled",
    )  # fmt: skip


def tables(size: tuple[int, int, int], seeds: int) -> list[harness.Table]:
    """The policies, and the equilibria."""
    name = f"{size[0]} advertisers, {size[1]} keywords, {size[2]:,} impressions"
    harness.say(f"  {name}")
    found = [days(seed, size) for seed in range(seeds)]
    rows = [
        {"bids": policy}
        | {
            column: spread([one[policy][entry] for one, _ in found])
            for column, entry in (
                ("revenue", "revenue"),
                ("value", "value"),
                ("out early", "early"),
                ("regret", "regret"),
                ("gain", "gain"),
            )
        }
        for policy in found[0][0]
    ]
    kept = [equilibrium for _, equilibrium in found]
    numbers = ("gap", "rounds", "seconds", "paced", "settled")
    worst = [{"condition": c, "missed by, at most": max(k[c] for k in kept)} for c in kept[0] if c not in numbers]
    settled, slowest = sum(k["settled"] for k in kept), max(k["gap"] for k in kept)
    middle, first = 1e3 * float(np.median([k["seconds"] for k in kept])), max(k["seconds"] for k in kept)
    notes = [
        f"{settled} of {len(kept)} settled to {TOLERANCE:g}, the worst gap {slowest:.1e}, in {max(k['rounds'] for k in kept)} "
        f"rounds at most; median {middle:.3g} ms, the first call (which compiles) {first:.3g} s.",
        f"{np.mean([k['paced'] for k in kept]):.0%} of the advertisers are paced (their multiplier is below 1).",
    ]
    from examples import pacing

    mean = {
        policy: {k: np.mean([one[policy][k] for one, _ in found]) for k in found[0][0][policy]}
        for policy in found[0][0]
    }
    free, paced, cheap = (mean[k] for k in (pacing.TRUE, pacing.PACED, "one shade for all, most value"))
    losses = [
        f"Revenue of true values over that of paced budgets: x {free['revenue'] / paced['revenue']:.3f}.",
        f"Value under one small shade over that of paced budgets: x {cheap['value'] / paced['value']:.3f}, at "
        f"{cheap['revenue'] / paced['revenue']:.3f} of the revenue.",
        f"Under pacing {paced['gain']:.3f} of all budgets could still be gained by bidding otherwise: first-price auctions "
        "invite shading, and an equilibrium of multipliers is none of bids.",
    ]
    return [harness.Table(name, rows, losses), harness.Table(f"The definition, kept: {name}", worst, notes)]


def benchmark(options: harness.Options) -> harness.Report:
    """Two sizes (a quick run: the small one, few seeds)."""
    device = harness.choose_device(options.device)
    seeds = QUICK_SEEDS if options.quick else SEEDS
    sizes = SIZES[:1] if options.quick else SIZES
    return harness.Report(
        name=f"pacing ({options.device})",
        question=QUESTION.format(seeds=seeds, device=device),
        tables=[table for size in sizes for table in tables(size, seeds)],
        versions=harness.versions("catallax", "jax", "jaxlib", "numpy", "scipy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
