"""What merges are worth: eight tasks in one model beside mergekit and FusionBench, alignment, and members that lie.

    python -m benchmarks.merging_quality [--quick] [--json]

The suite is in `suite`. A setting is chosen on validation rows among at most six a method, by the mean accuracy over
tasks and seeds; accuracy is that on test rows. Peers merge the same files at the same settings, in environments of their own.
Intervals are 95 % of paired differences over seeds (t). Networks, and what peers made of them, are kept in benchmarks/.runs:
a benchmark that was interrupted goes on.
"""

from __future__ import annotations

import sys

from benchmarks import harness
from benchmarks.merging_quality.aligned import alignment_table
from benchmarks.merging_quality.liars import byzantine_tables
from benchmarks.merging_quality.suite import Size
from benchmarks.merging_quality.tasks import Suite, suite_tables

QUESTION = "Many models, none in command: how good is what is merged?"
SEEDS = 5
QUICK = Size(rows=600, tuned=40, base=100)


def benchmark(options: harness.Options) -> harness.Report:
    """All tables; a quick run: one seed, few rows and steps."""
    size, seeds = (QUICK, 1) if options.quick else (Size(), SEEDS)
    suites = [Suite(seed, size) for seed in range(seeds)]
    others = [alignment_table(options), *byzantine_tables(seeds, size)]
    tables, versions = suite_tables(suites, size, not options.quick)
    return harness.Report(
        name="merging_quality",
        question=QUESTION,
        tables=[*tables, *others],
        versions=harness.versions("catallax", "jax", "numpy", "scipy") | versions,
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
