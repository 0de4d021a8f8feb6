"""Where a market should win: the questions of CRITERIA.md under that heading, a table each.

python -m benchmarks.competition            with the character model; runs are kept and go on where they were cut off
"""

from __future__ import annotations

from benchmarks import harness
from benchmarks.competition import capacity, failure, pheromone, transforms
from benchmarks.competition.trials import MIDDLE, SEEDS, STEPS, WIDTHS

QUICK = (1000, 1001), 40, (MIDDLE,)


def benchmark_parts(options: harness.Options) -> list[harness.Table]:
    """All tables; a quick run: two seeds, few steps, one width."""
    seeds, steps, widths = QUICK if options.quick else (SEEDS, STEPS, WIDTHS)
    tables = [
        capacity.hard(seeds, steps, widths),
        capacity.costly(seeds, steps, widths),
        failure.shocks(seeds, widths, (40, 60, 80)) if options.quick else failure.shocks(seeds, widths),
        transforms.four(seeds, steps, widths),
        capacity.opting(seeds, steps, widths),
        pheromone.on_edges(seeds, steps, widths),
    ]
    if not options.quick:
        tables.insert(3, failure.real_kills(seeds[:5], 15))
    return tables
