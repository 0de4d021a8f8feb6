"""Where does competition inside a network help? Characters routed by price, by auxiliary loss, by hash; markets.

    python -m benchmarks.competition [--quick] [--json]

The questions, their arms, budgets and what would count as an answer were written before any run: benchmarks/competition/
CRITERIA.md; verdicts below are those rules applied to the figures. Every run is kept in benchmarks/.runs/competition, so that
a benchmark that was interrupted goes on.
"""

from __future__ import annotations

import os
import sys

from benchmarks import harness

QUESTION = "Where does competition inside a network help? By the criteria of CRITERIA.md, written before the runs."


def benchmark(options: harness.Options) -> harness.Report:
    """All parts."""
    harness.choose_device(options.device)
    from benchmarks.competition import language, markets

    tables = [*language.benchmark_parts(options), *markets.benchmark_parts(options)]
    return harness.Report(
        name="competition",
        question=QUESTION,
        tables=tables,
        versions=harness.versions("catallax", "jax", "equinox", "optax", "numpy", "scipy", "scikit-learn"),
        options=options,
    )


if __name__ == "__main__":
    # One core: processor seconds are then those of the work, not of threads that wait.
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(harness.main(benchmark))
