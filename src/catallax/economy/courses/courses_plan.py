"""The planner of courses: the largest sum of values, an integer programme.

    max sum_ij v_ij x_ij   over x in {0, 1}   with   sum_i x_ij <= q_j,   sum_j x_ij <= k_i,   x_ij + x_il <= 1 for conflicts

Only pairs worth something have a variable. Without conflicts the matrix is a transport's, and its linear programme has
whole answers; HiGHS branches where conflicts make it otherwise.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from catallax.core.errors import Refused


def best_total(
    values: Float[np.ndarray, "students courses"],
    capacities: Int[np.ndarray, " courses"],
    limits: Int[np.ndarray, " students"],
    conflicts: tuple[tuple[int, int], ...],
) -> tuple[Bool[np.ndarray, "students courses"], float]:
    """Who takes what, and how far below the optimum its value may be, a share of it. Refused where HiGHS fails."""
    from scipy import optimize, sparse

    n, m = values.shape
    student, course = np.nonzero(values)
    taken = np.zeros((n, m), bool)
    if not student.size:
        return taken, 0.0
    variable = np.arange(student.size)
    ones = np.ones(student.size)
    number = np.full((n, m), -1)
    number[student, course] = variable
    seats = sparse.coo_array((ones, (course, variable)), (m, student.size))
    slots = sparse.coo_array((ones, (student, variable)), (n, student.size))
    pairs = np.concatenate([number[:, [a, b]] for a, b in conflicts]) if conflicts else np.zeros((0, 2), int)
    pairs = pairs[(pairs >= 0).all(1)]
    rows = np.repeat(np.arange(len(pairs)), 2)
    clash = sparse.coo_array((np.ones(pairs.size), (rows, pairs.ravel())), (len(pairs), student.size))
    most: Any = np.concatenate([capacities, limits, np.ones(len(pairs))])  # SciPy's types know numbers alone
    found = optimize.milp(
        -values[student, course],
        constraints=optimize.LinearConstraint(sparse.vstack([seats, slots, clash]).tocsc(), -np.inf, most),
        integrality=ones,
        bounds=optimize.Bounds(0, 1),
        options={"mip_rel_gap": 1e-9},
    )
    if found.x is None:
        raise Refused(f"the integer programme of the plan was not solved ({found.message})")
    taken[student, course] = found.x > 0.5
    total, reach = float(values[taken].sum()), -float(found.mip_dual_bound)
    return taken, max(0.0, reach - total) / total if total > 0 else 0.0
