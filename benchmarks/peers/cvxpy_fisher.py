"""Fisher markets as convex programmes in CVXPY, solved by Clarabel (or by SCS where the request says so).

    linear           max sum_i B_i log(sum_j v_ij x_ij)                       Eisenberg and Gale (1959)
    quasi-linear     max sum_i B_i log(sum_j v_ij x_ij + d_i) - d_i           d_i >= 0: money kept
    ces              max sum_i B_i log u_i,  u_i = (sum_j v_ij x_ij^r)^(1/r)  r = (s - 1)/s, s the elasticity

subject to sum_i x_ij <= supply_j, and to the caps that the instance has; prices are the multipliers. CES is
within CVXPY's rules at every elasticity s > 0: powers above 1, log-sum-exp below, a sum of logs at 1 (tastes
rescaled to sum to 1).

In the peer's favour: goods that a buyer does not value are no variables; where utility has no unit (all but
quasi-linear) each row of valuations is divided by its largest; money is counted in `unit`, the mean budget
at first and, where the solver fails, the sum of all budgets (each way solves markets that the other does not);
the absolute gap is then asked for per unit of all money. Seconds are those of the try that counts.

Request: instance, out, kind, elasticity (of ces), solver ("CLARABEL"), tolerance (absent: the solver's own).
Answer: seconds (wall time of `problem.solve`, compilation included), compile (s, `problem.get_problem_data`
on a copy of the problem), solver_seconds, iterations, unit, status. Arrays: allocation, prices, money [n]
(kept), in the instance's units.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import time

import cvxpy as cp
import market
import numpy as np
import scipy.sparse as sparse

LIMITS = {"CLARABEL": {"max_iter": 500}, "SCS": {"max_iters": 200_000}}  # tolerance, not patience, decides
TINY = {"valuations": np.array([[1.0, 0.5], [0.5, 1.0]]), "budgets": np.ones(2), "supply": np.ones(2)}
UNITS = {"mean budget": np.mean, "all budgets": np.sum}


class Programme:
    """One market's problem: its variables, its constraints and the way back to [n, m] arrays."""

    def __init__(self, arrays, kind, elasticity, unit):
        self.unit = UNITS[unit](arrays["budgets"])
        self.valuations = arrays["valuations"]
        self.places = np.nonzero(self.valuations)
        divisor = self.unit if kind == "quasi-linear" else self.valuations.max(axis=1, keepdims=True)
        self.weights = (self.valuations / divisor)[self.places]
        self.shares = cp.Variable(self.weights.size, nonneg=True)
        self.money = cp.Variable(len(self.valuations), nonneg=True) if kind == "quasi-linear" else None
        self.buyers, goods = (incidence(place, count) for place, count in zip(self.places, self.valuations.shape))
        self.clearing = goods @ self.shares <= arrays["supply"]
        log_utility, ties = self._ces(elasticity) if kind == "ces" else (self._linear(), [])
        welfare = (arrays["budgets"] / self.unit) @ log_utility
        if self.money is not None:
            welfare -= cp.sum(self.money)
        self.problem = cp.Problem(cp.Maximize(welfare), [self.clearing, *ties, *self._caps(arrays)])

    def _linear(self):
        """Log of each buyer's utility, [n]."""
        gained = self.buyers @ cp.multiply(self.weights, self.shares)
        return cp.log(gained if self.money is None else gained + self.money)

    def _ces(self, elasticity):
        """The same at one elasticity of substitution, and what ties it to the shares."""
        power = (elasticity - 1) / elasticity
        if power > 0:
            each = cp.multiply(self.weights, cp.power(self.shares, power, approx=False))
            return cp.log(self.buyers @ each) / power, []
        if power == 0:
            taste = self.weights / (self.buyers @ self.weights)[self.places[0]]
            return self.buyers @ cp.multiply(taste, cp.log(self.shares)), []
        level = cp.Variable(len(self.valuations))  # r log u, from above: the log-sum-exp of the terms
        each = np.log(self.weights) + power * cp.log(self.shares) - level[self.places[0]]
        return level / power, [self.buyers @ cp.exp(each) <= 1]

    def _caps(self, arrays):
        """Limits on a buyer's total and on single shares; an infinite one is none."""
        limits = []
        if "row_caps" in arrays and (held := np.isfinite(arrays["row_caps"])).any():
            limits.append((self.buyers @ self.shares)[held] <= arrays["row_caps"][held])
        if "good_caps" in arrays:
            caps = arrays["good_caps"][self.places]
            if (held := np.isfinite(caps)).any():
                limits.append(self.shares[held] <= caps[held])
        return limits

    def arrays(self):
        """What the solver found; empty where it found nothing."""
        if self.shares.value is None:
            return {}
        allocation = np.zeros(self.valuations.shape)
        allocation[self.places] = self.shares.value
        kept = np.zeros(len(self.valuations)) if self.money is None else self.money.value * self.unit
        return {"allocation": allocation, "prices": self.clearing.dual_value * self.unit, "money": kept}


def incidence(place, count):
    """[count, shares]: 1 where a share belongs to that buyer, or good."""
    return sparse.csr_array((np.ones(place.size), (place, np.arange(place.size))), shape=(count, place.size))


def settings(solver, tolerance, money):
    """The solver's options; `money` is the sum of the budgets in the unit of the programme."""
    options = {"solver": solver, **LIMITS[solver]}
    if tolerance is None:
        return options
    if solver == "SCS":
        return {**options, "eps_abs": tolerance, "eps_rel": tolerance}
    return {**options, "tol_gap_abs": tolerance * money, "tol_gap_rel": tolerance, "tol_feas": tolerance}


def timed(action):
    """Seconds, and what the action returned."""
    start = time.perf_counter()
    found = action()
    return time.perf_counter() - start, found


def solve(arrays, kind, elasticity, unit, solver, tolerance):
    """One try: the programme, its status in a word, and the seconds of `problem.solve`."""
    programme = Programme(arrays, kind, elasticity, unit)
    options = settings(solver, tolerance, arrays["budgets"].sum() / programme.unit)
    start = time.perf_counter()
    try:
        programme.problem.solve(**options)
        status = programme.problem.status
    except cp.SolverError:
        status = "failed"
    return programme, status, time.perf_counter() - start


def compile_seconds(arrays, kind, elasticity, solver):
    """Seconds of CVXPY's way from the problem to the solver's data."""
    problem = Programme(arrays, kind, elasticity, "mean budget").problem
    start = time.perf_counter()
    problem.get_problem_data(solver)
    return time.perf_counter() - start


def main():
    """Solve the instance of the request and answer."""
    request, arrays = market.read()
    kind, elasticity = request["kind"], request.get("elasticity")
    if kind not in ("linear", "quasi-linear", "ces"):
        raise ValueError(f"no programme here for a market of kind {kind}")
    solver, tolerance = request.get("solver", "CLARABEL"), request.get("tolerance")
    solve(TINY, kind, elasticity, "mean budget", solver, tolerance)  # imports and first calls are not timed
    compiled = compile_seconds(arrays, kind, elasticity, solver)
    for unit in UNITS:
        programme, status, seconds = solve(arrays, kind, elasticity, unit, solver, tolerance)
        if programme.shares.value is not None:
            break
    stats = programme.problem.solver_stats
    market.answer(
        request,
        programme.arrays(),
        ("cvxpy", solver.lower(), "numpy", "scipy"),
        seconds=seconds,
        compile=compiled,
        solver_seconds=stats.solve_time if stats else None,
        iterations=stats.num_iters if stats else None,
        unit=unit,
        status=status,
    )


if __name__ == "__main__":
    main()
