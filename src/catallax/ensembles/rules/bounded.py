"""A smooth function's minimum above bounds: Newton's method, with what presses against a bound frozen.

As `newton` for prices on classes (Bertsekas 1982); the objective brings its own Hessian. Where a step cut off at the bounds
goes uphill, one along the scaled gradient is taken, which cannot. A cap on shares is SciPy's SLSQP.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

from catallax.ensembles.rules.cap import MARGIN
from catallax.ensembles.rules.density import Array
from catallax.ensembles.rules.newton import descent

Objective = Callable[
    [Array], tuple[float, Array, Array]
]  # theta -> value (inf where it is not defined), gradient, Hessian


class Lowest(NamedTuple):
    """`theta`; `excess`: half the squared Newton decrement, how far above the minimum to second order (NaN: not known)."""

    theta: Array
    excess: float


class Told(NamedTuple):
    """What a pool learns from, by row: beliefs' `mean` and `scale` [rows, members], `y`, `weight` [rows]."""

    mean: Array
    scale: Array
    y: Array
    weight: Array


def lowest(
    objective: Objective,
    start: Array,
    lower: Array,
    *,
    over: Array | None = None,
    inside: Array | None = None,
    tolerance: float = 1e-13,
) -> Lowest:
    """The minimum over theta >= lower and, where the rows of `over` are given, over @ theta <= 0; `inside` keeps to both."""
    found = _newton(objective, np.maximum(start, lower), lower, tolerance)
    if over is None or inside is None or (over @ found.theta <= 0).all():
        return found
    return _within(objective, inside, lower, over)


def _newton(objective: Objective, theta: Array, lower: Array, tolerance: float) -> Lowest:
    value, gradient, curvature = objective(theta)
    excess = np.inf
    for _ in range(100):
        free = ~((theta <= lower) & (gradient > 0))
        step = np.zeros_like(theta)
        step[free] = descent(curvature[np.ix_(free, free)], gradient[free])
        excess = float(-gradient @ step / 2)
        if excess <= tolerance:
            theta = np.maximum(theta + step, lower)  # the last step squares what is left
            break
        safe = np.where(free, -gradient / np.maximum(np.abs(np.diag(curvature)), 1e-12), 0.0)
        there = _search(objective, theta, value, gradient, step, lower)
        there = there or _search(objective, theta, value, gradient, safe, lower)
        if there is None:
            break
        theta, (value, gradient, curvature) = there
    return Lowest(theta, excess)


def _search(
    objective: Objective, theta: Array, value: float, gradient: Array, step: Array, lower: Array
) -> tuple[Array, tuple[float, Array, Array]] | None:
    """The first of ever shorter steps that goes down enough."""
    length = 1.0
    while length > 1e-12:
        trial = np.maximum(theta + length * step, lower)
        there = objective(trial)
        if there[0] <= value + 1e-4 * min(float(gradient @ (trial - theta)), 0.0) and there[0] < value:
            return trial, there
        length *= 0.5
    return None


def _within(objective: Objective, inside: Array, lower: Array, over: Array) -> Lowest:
    def plain(theta: Array) -> tuple[float, Array]:
        value, gradient, _ = objective(theta)
        return (value, gradient) if np.isfinite(value) else (1e30, np.zeros_like(theta))

    options: dict[str, Any] = {"maxiter": 500, "ftol": 1e-13}
    found = minimize(
        plain,
        inside,
        jac=True,
        method="SLSQP",
        bounds=[(None if np.isinf(a) else a, None) for a in lower],
        constraints={
            "type": "ineq",
            "fun": lambda t: -over @ t - MARGIN * np.abs(over) @ np.abs(t),
            "jac": lambda t: -over,
        },
        options=options,
    )
    return Lowest(np.maximum(found.x, lower), float("nan"))
