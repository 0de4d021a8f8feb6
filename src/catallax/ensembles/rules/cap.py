"""A cap on influence: no member's share of what moves the price may be larger.

A rule says by how much each member is over the cap, over(theta) <= 0 (and the Jacobian of it). Where the free optimum
breaks it, SciPy's SLSQP looks for the best that does not.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from catallax.ensembles.offers import Array, Offers
from catallax.ensembles.rules.newton import Fit, Prior, Rule, derivatives, loss

Over = Callable[[Array], tuple[Array, Array]]  # theta -> [members] (<= 0 where within), [members, parameters]
MARGIN = 1e-7  # inside the cap by so much: a solver keeps constraints to its tolerance, and a cap is a cap


def within(rule: Rule, offers: Offers, prior: Prior, free: Fit, over: Over) -> Fit:
    """The most likely theta that keeps the cap."""
    if (over(free.theta)[0] <= 0).all():
        return free
    rows = offers.weight.sum()

    def objective(theta: Array) -> tuple[float, Array]:
        here = rule(theta)
        value, price = loss(here.score, offers, prior, theta)
        return value / rows, derivatives(price, here, offers, prior, theta)[0] / rows

    found = minimize(
        objective,
        prior.centre,
        jac=True,
        method="SLSQP",
        bounds=[(None if np.isinf(a) else a, None if np.isinf(b) else b) for a, b in zip(prior.lower, prior.upper)],
        constraints={"type": "ineq", "fun": lambda t: -over(t)[0] - MARGIN, "jac": lambda t: -over(t)[1]},
        options={"maxiter": 500, "ftol": 1e-12},
    )
    return Fit(np.clip(found.x, prior.lower, prior.upper), float("nan"))
