"""Benchmarks of catallax, each with its peers in the same run.

    python -m benchmarks                     all of them, into benchmarks/RESULTS.md
    python -m benchmarks.engine --quick      one of them, on the screen
    python -m benchmarks.engine --json       the same as one JSON object
    python -m benchmarks.data                what inputs they need, fetched and checked

A benchmark is a module that is named in the table below, takes --quick, --json and --device, and prints a
`harness.Report`. Two sides of a comparison are timed in one run; what each reached in accuracy stands beside
its time; time to compile and to set up is shown apart; times are medians of at least five, with the smallest
and the largest.
"""

from __future__ import annotations

BENCHMARKS: dict[str, str] = {
    "engine": "a population that trades at random, against Mesa, mesa-frames, AgentPy and numpy",
    "exchange_round": "a round of a million traders against one pass over memory; start-up of the commands",
    "markets": "market equilibria at equal certified gaps, against CVXPY with Clarabel and resalloc; robustness",
    "order_book": "orders a second through the matching engine, against two Python books; zero-intelligence traders",
    "courses": "course seats by approximate equilibrium from equal incomes, against serial dictatorship and others",
    "random_battery": "the random numbers through dieharder (hours; left out where it is not installed)",
}
