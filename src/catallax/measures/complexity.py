"""How a learner decides, measured: is there a master, do its parameters hang together, can it be read?

    influence of a unit       mean |forecast - forecast without it|
    lesion curve              skill against the share of units removed; skill = (accuracy - floor) / (whole - floor),
                              floor: that of always saying the commonest class
    area under it             1: nobody is needed; 0: without the first nothing is left (a master)
    dependence                |H(theta) - H(theta')| / |H(theta)|, Frobenius, H the Hessian of the training loss:
                              0 where the loss is quadratic (each parameter's pull is linear in the others, for ever)
    readability               R^2, on rows that the surrogate has not seen, of a linear surrogate of the log-odds

With many parameters the norms are estimated from random signs v: E |A v|^2 = |A|_F^2 (Hutchinson 1990).
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray
EXACT, PROBES, TOGETHER = 1024, 256, 32  # parameters whose Hessian is formed whole; else directions; of them at once


def hessian_change(loss: Callable, before: Array, after: Array, data: Sequence[Array] = (), seed: int = 0) -> float:
    """|H(before) - H(after)| / |H(before)| for `loss(theta, *data)`, a scalar that JAX can differentiate twice; in float64.

    `before`, `after` [parameters]. `loss` should be hashable by value: it is compiled once for each shape of `data`. NaN
    where there is no curvature to compare with. Above `EXACT` parameters it is an estimate from `PROBES` directions.
    """
    import jax

    count = len(before)
    few = count <= EXACT
    signs = np.random.default_rng(seed).integers(2, size=(PROBES, count)) * 2.0 - 1.0
    probes = np.eye(count) if few else signs
    with jax.enable_x64(True):
        here, there = (
            np.asarray(_curvature(loss, np.asarray(point, float), probes, *data)) for point in (before, after)
        )
    scale = float(np.linalg.norm(here))
    return float(np.linalg.norm(here - there)) / scale if scale > 0 else float("nan")


def _curvature(loss: Callable, theta: Array, probes: Array, *data: Array) -> Any:
    """H(theta) v for each row v of `probes`."""
    return _compiled(loss)(theta, probes, *data)


@functools.lru_cache(maxsize=64)
def _compiled(loss: Callable) -> Callable:
    import jax

    def products(theta: Any, probes: Any, *data: Any) -> Any:
        pull = jax.grad(lambda t: loss(t, *data))
        return jax.lax.map(lambda v: jax.jvp(pull, (theta,), (v,))[1], probes, batch_size=TOGETHER)

    return jax.jit(products)


def surrogate_r2(learnt: Array, odds: Array, rows: Array, held: Array) -> float:
    """The share of variation of log-odds `held` [rows, classes] on `rows` [rows, features] that the least-squares line through
    `odds` on `learnt` explains. Log-odds count up to a constant of each row. NaN where `held` does not vary.
    """
    design, fresh = (np.column_stack([np.ones(len(x)), x]) for x in (learnt, rows))
    odds, held = (x - x.mean(axis=1, keepdims=True) for x in (odds, held))
    line = np.linalg.lstsq(design, odds, rcond=None)[0]
    spread = float(np.square(held - held.mean(axis=0)).sum())
    return 1 - float(np.square(held - fresh @ line).sum()) / spread if spread > 0 else float("nan")


# --- lesions ---


def influence(forecast: Callable[[Array], Array], units: int) -> Array:
    """How much each unit moves the forecast, [units]: the mean absolute change when it alone is silent.

    `forecast(kept)`: probabilities [rows, classes] of those that `kept`, bool [units], leaves.
    """
    kept = np.ones(units, bool)
    whole, moved = forecast(kept.copy()), np.empty(units)
    for unit in range(units):
        kept[unit] = False
        moved[unit] = np.abs(forecast(kept.copy()) - whole).mean()
        kept[unit] = True
    return moved


def lesioned(answer: Callable[[Array], Array], order: Array, shares: Sequence[float]) -> Array:
    """`answer(kept)` after the first round(share * units) of `order` [units] are gone, for each of `shares`: [shares, ...]."""
    found: dict[int, Array] = {}
    counts = [round(share * len(order)) for share in shares]
    for count in sorted(set(counts)):
        kept = np.ones(len(order), bool)
        kept[order[:count]] = False
        found[count] = np.asarray(answer(kept))
    return np.stack([found[count] for count in counts])


def skill(accuracy: Array, floor: float) -> Array:
    """Accuracies [shares] as shares of what the whole learner, the first of them, has above `floor`; NaN where it has nothing."""
    above = accuracy[0] - floor
    return (accuracy - floor) / above if above > 0 else np.full(len(accuracy), np.nan)


def lesion_area(shares: Sequence[float], skills: Array) -> float:
    """The area under a lesion curve over shares from 0 to 1 (trapezoids). Skill below none counts against it."""
    return float(np.trapezoid(skills, shares))


def half_gone(shares: Sequence[float], skills: Array) -> float:
    """The share of units after which half of the skill is gone for the first time (linear between points); 1 if it never is."""
    if np.isnan(skills).any():
        return float("nan")
    below = np.flatnonzero(skills <= 0.5)
    if not below.size:
        return 1.0
    k = int(below[0])
    if k == 0:
        return float(shares[0])
    (x, y), (u, v) = (shares[k - 1], skills[k - 1]), (shares[k], skills[k])
    return float(x + (u - x) * (y - 0.5) / (y - v))
