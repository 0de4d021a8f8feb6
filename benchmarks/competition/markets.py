"""Where a market should win: the questions of CRITERIA.md under that heading, a table each.

python -m benchmarks.competition            with the character model; runs are kept and go on where they were cut off
"""

from __future__ import annotations

from benchmarks import harness
from benchmarks.competition import capacity, failure, pheromone, transforms
from benchmarks.competition.trials import SEEDS, STEPS

QUICK_SEEDS, QUICK_STEPS = (1000, 1001), 40


def benchmark_parts(options: harness.Options) -> list[harness.Table]:
    """All tables."""
    seeds, steps = (QUICK_SEEDS, QUICK_STEPS) if options.quick else (SEEDS, STEPS)
    tables = [
        capacity.hard(seeds, steps),
        capacity.costly(seeds, steps),
        failure.shocks(seeds, (40, 60, 80)) if options.quick else failure.shocks(seeds),
        transforms.four(seeds, steps),
        capacity.opting(seeds, steps),
        pheromone.on_edges(seeds, steps),
    ]
    if not options.quick:
        tables.insert(3, failure.real_kills(seeds[:5], 15))
    return tables
