"""Maximum likelihood of a price rule: Newton's method within bounds.

A rule turns parameters theta into scores s(theta) [outcomes, rows], and prices are softmax(s) over outcomes. The loss

    f(theta) = - sum_i w_i log softmax(s_i)_{y_i} + 1/2 sum_j ridge_j (theta_j - centre_j)^2

has the gradient J' g, g = w (price - came), and the Hessian J' W (diag p - p p') J + sum g s'' + ridge. Where scores are
linear (log pools), s'' = 0 and f is convex. Bounds are kept by freezing what presses against one (Bertsekas 1982,
projected Newton). The certificate is half the squared Newton decrement: how far, to second order, f lies above its
minimum.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from catallax.ensembles.offers import Array, Offers

BLOCK = 1024  # rows at a time: what is worked on stays in the cache


class Scores(NamedTuple):
    """A rule at one theta: `score` [outcomes, rows], `jacobian` [outcomes * rows, parameters], and where scores bend,
    `bend`: g [outcomes, rows] -> sum of g s'' [parameters, parameters]."""

    score: Array
    jacobian: Array
    bend: Callable[[Array], Array] | None = None


Rule = Callable[[Array], Scores]


class Prior(NamedTuple):
    """Where parameters are pulled to, how strongly, and what they may be; each [parameters]."""

    centre: Array
    ridge: Array
    lower: Array
    upper: Array


class Fit(NamedTuple):
    """`theta` [parameters]; `excess`: how far above its minimum the loss is, per row (nats, to second order)."""

    theta: Array
    excess: float


def fit(
    rule: Rule, offers: Offers, prior: Prior, start: Array, *, iterations: int = 60, tolerance: float = 1e-10
) -> Fit:
    """The most likely parameters, from `start`."""
    theta = np.clip(start, prior.lower, prior.upper)
    here = rule(theta)
    best, price = loss(here.score, offers, prior, theta)
    excess = np.inf
    for _ in range(iterations):
        gradient, curvature = derivatives(price, here, offers, prior, theta)
        free = ~(((theta <= prior.lower) & (gradient > 0)) | ((theta >= prior.upper) & (gradient < 0)))
        step = np.zeros_like(theta)
        step[free] = descent(curvature[np.ix_(free, free)], gradient[free])
        excess = float(-gradient @ step / (2 * offers.weight.sum()))
        if excess <= tolerance:
            break
        length = 1.0
        while length > 1e-10:
            trial = np.clip(theta + length * step, prior.lower, prior.upper)
            there = rule(trial)
            value, price_there = loss(there.score, offers, prior, trial)
            if value <= best + 1e-4 * (gradient @ (trial - theta)):
                break
            length *= 0.5
        else:
            break
        theta, best, price, here = trial, value, price_there, there
    return Fit(theta, excess)


def loss(score: Array, offers: Offers, prior: Prior, theta: Array) -> tuple[float, Array]:
    """The loss, and the price [outcomes, rows]."""
    odds = np.exp(score - score.max(0))
    price = odds / odds.sum(0)
    came = np.log(np.maximum(price[offers.outcome, np.arange(len(offers.outcome))], 1e-300))
    apart = theta - prior.centre
    return float(0.5 * (prior.ridge * apart) @ apart - offers.weight @ came), price


def derivatives(price: Array, at: Scores, offers: Offers, prior: Prior, theta: Array) -> tuple[Array, Array]:
    """Gradient [parameters] and Hessian [parameters, parameters]."""
    outcomes, rows = price.shape
    weighted = price * offers.weight
    error = weighted - offers.came
    jacobian = at.jacobian.reshape(outcomes, rows, -1)
    curvature = np.diag(prior.ridge)
    for start in range(0, rows, BLOCK):
        here = slice(start, start + BLOCK)
        part = jacobian[:, here]
        scaled = part * weighted[:, here, None]
        mean = scaled.sum(0)
        curvature += np.tensordot(scaled, part, ((0, 1), (0, 1))) - (mean / offers.weight[here, None]).T @ mean
    if at.bend is not None:
        curvature += at.bend(error)
    return at.jacobian.T @ error.ravel() + prior.ridge * (theta - prior.centre), curvature


def descent(matrix: Array, gradient: Array) -> Array:
    """- matrix^-1 gradient; a matrix that is not positive definite is lifted until it is."""
    lift = 0.0
    while True:
        try:
            lower = np.linalg.cholesky(matrix + lift * np.eye(len(matrix)))
        except np.linalg.LinAlgError:
            lift = max(4 * lift, 1e-3 * float(np.abs(np.diag(matrix)).mean()))
            continue
        return -np.linalg.solve(lower.T, np.linalg.solve(lower, gradient))
