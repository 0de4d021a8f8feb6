"""Jobs on scarce resources with log utility in resalloc, by prices and L-BFGS on the dual.

    max sum_i log(sum_j v_ij x_ij)   subject to   sum_j x_ij <= 1,   sum_i x_ij <= supply_j

Agrawal, Boyd, Narayanan, Kazhamiaka, Zaharia: Allocation of fungible resources via a fast, scalable price
discovery method (2021). Its tolerance is the duality gap per job, in units of log utility. It knows budgets
of 1 and row caps of 1 alone. Its allocation is made feasible by its own `make_feasible`.

resalloc is not on PyPI: its source is looked for in .peers/source/resalloc at the repository's root, where
`git clone https://github.com/cvxgrp/resalloc` at commit 6948233 puts it (Apache-2.0).

Request: instance, out, repeats, tolerance (1e-3), iterations (25, the most; both as in its notebook),
precision ("float32", its own, or "float64"), threads (absent: torch's own choice). Answer: seconds (of each
repeat, `solve` alone), setup (s of each, building the problem), iterations, residual (its gap per job),
status. Arrays: allocation, prices.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import sys
import time
from pathlib import Path

import market
import numpy as np
import torch

SOURCE = Path(__file__).resolve().parents[2] / ".peers" / "source" / "resalloc"


def peer():
    """resalloc's problem class and its log utility."""
    sys.path.insert(0, str(SOURCE))
    try:
        from resalloc.fungible import AllocationProblem, utilities
    except ModuleNotFoundError as error:
        raise SystemExit(f"resalloc's source is not in {SOURCE} ({error})") from error
    return AllocationProblem, utilities.Log


def check(arrays):
    """Raise where the instance is none that resalloc can state."""
    ones = [arrays["budgets"], arrays.get("row_caps", np.inf)]
    if not all(np.all(values == 1) for values in ones) or "good_caps" in arrays:
        raise SystemExit("resalloc takes budgets of 1 and row caps of 1, and no caps of single goods")


def tensors(arrays, precision):
    """Valuations and supply, in the precision asked for."""
    kind = {"float32": torch.float32, "float64": torch.float64}[precision]
    return tuple(torch.tensor(arrays[name]).to(kind) for name in ("valuations", "supply"))


def solve(valuations, supply, tolerance, most):
    """One run: the problem, its prices and statistics, seconds to build and to solve."""
    allocation_problem, log_utility = peer()
    start = time.perf_counter()
    problem = allocation_problem(valuations, resource_limits=supply, utility_function=log_utility())
    built = time.perf_counter()
    _, stats = problem.solve(eps=tolerance, max_iter=most)
    return problem, stats, built - start, time.perf_counter() - built


def main():
    """Solve the instance of the request and answer."""
    request, arrays = market.read()
    check(arrays)
    if "threads" in request:
        torch.set_num_threads(request["threads"])
    valuations, supply = tensors(arrays, request.get("precision", "float32"))
    tolerance, most = request.get("tolerance", 1e-3), request.get("iterations", 25)
    solve(valuations[:1000], supply * 1000 / len(valuations), tolerance, most)  # first calls are not timed
    runs = [solve(valuations, supply, tolerance, most)[1:] for _ in range(request["repeats"] - 1)]
    problem, *last = solve(valuations, supply, tolerance, most)
    runs.append(tuple(last))
    stats = last[0]
    found = {
        "allocation": problem.make_feasible(problem.X)[:, 1:].double().numpy(),
        "prices": problem.prices.detach().double().numpy(),
    }
    market.answer(
        request,
        found,
        ("torch", "numpy"),
        seconds=[run[2] for run in runs],
        setup=[run[1] for run in runs],
        iterations=stats.iterations,
        residual=float(stats.gaps[-1]),
        status="optimal" if stats.gaps[-1] <= tolerance else f"stopped after {stats.iterations} iterations",
    )


if __name__ == "__main__":
    main()
