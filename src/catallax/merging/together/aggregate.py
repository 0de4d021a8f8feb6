"""Many updates made one, so that some may lie: functions of rows [members, numbers] and weights [members], in JAX.

    mean             sum_i w_i x_i / W                                   W = sum_i w_i; one liar moves it anywhere
    median           each coordinate's weighted median; the middle of lower and upper where they differ
    trimmed-mean     each coordinate's mean without the share beta of W at either end
    geometric-median argmin_z sum_i w_i |x_i - z|, by Weiszfeld's iteration from the coordinate median
    krum             the row with the least sum of squared distances to its m - f - 2 nearest, f = floor(beta m) of m present
    multi-krum       the mean of the m - f best of them

A member of weight 0 is absent. Each returns the point [numbers] and how much each row counted [members], sum 1 (of median and
trimmed mean: the mean over coordinates). Sums over pairs of members take members^2 numbers operations and no sorting.

D. Yin, Y. Chen, K. Ramchandran and P. Bartlett, Byzantine-robust distributed learning, ICML 2018 (median, trimmed mean).
P. Blanchard, E. El Mhamdi, R. Guerraoui and J. Stainer, Machine learning with adversaries, NeurIPS 2017 (Krum).
K. Pillutla, S. Kakade and Z. Harchaoui, Robust aggregation for federated learning, IEEE Trans. Signal Processing 70, 2022.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

STEPS, NEAR = 100, 1e-6  # of Weiszfeld: at most, and until it moves by so much of the members' median distance
SLACK = 1e-6  # of the whole weight: what rounding may move a half


def mean(rows: Any, weights: Any, beta: float = 0.0) -> tuple[Any, Any]:
    """The weighted mean."""
    share = weights / positive(weights.sum())
    return jnp.matmul(share, rows, precision="highest"), share


def median(rows: Any, weights: Any, beta: float = 0.0) -> tuple[Any, Any]:
    """Each coordinate's weighted median."""

    def add(j: Any, sums: tuple) -> tuple:
        less, upto = sums
        return less + weights[j] * (rows[j] < rows), upto + weights[j] * (rows[j] <= rows)

    empty = jnp.zeros_like(rows)
    less, upto = jax.lax.fori_loop(0, len(rows), add, (empty, empty))
    whole, here = weights.sum(), weights[:, None] > 0
    low = jnp.min(jnp.where(here & (upto >= whole * (0.5 - SLACK)), rows, jnp.inf), axis=0)
    high = jnp.max(jnp.where(here & (less <= whole * (0.5 + SLACK)), rows, -jnp.inf), axis=0)
    counted = jnp.where(here & (rows >= low) & (rows <= high), weights[:, None], 0)
    point = low + (high - low) / 2
    return jnp.where(whole > 0, point, 0), spread(counted)


def trimmed_mean(rows: Any, weights: Any, beta: float = 0.0) -> tuple[Any, Any]:
    """Each coordinate's mean without the share `beta` of the weight at either end."""
    order = jnp.arange(len(rows))[:, None]

    def add(j: Any, before: Any) -> Any:
        return before + weights[j] * ((rows[j] < rows) | ((rows[j] == rows) & (j < order)))

    before = jax.lax.fori_loop(0, len(rows), add, jnp.zeros_like(rows))
    whole, own = weights.sum(), weights[:, None]
    kept = jnp.clip(jnp.minimum(before + own, (1 - beta) * whole) - jnp.maximum(before, beta * whole), 0, None)
    kept = jnp.where(own > 0, kept, 0)
    return (kept * rows).sum(0) / positive(kept.sum(0)), spread(kept)


def geometric_median(rows: Any, weights: Any, beta: float = 0.0) -> tuple[Any, Any]:
    """The point with the least weighted sum of distances."""
    start, _ = median(rows, weights)
    apart = distances(rows, start)
    scale = positive(median(apart[:, None], weights)[0][0])

    def shares(point: Any) -> Any:
        pull = weights / jnp.maximum(distances(rows, point), NEAR * scale)
        return pull / positive(pull.sum())

    def step(carry: tuple) -> tuple:
        point, _, count = carry
        after = jnp.matmul(shares(point), rows, precision="highest")
        return after, jnp.sqrt(jnp.sum((after - point) ** 2)), count + 1

    def going(carry: tuple) -> Any:
        return (carry[1] > NEAR * scale) & (carry[2] < STEPS)

    point, _, _ = jax.lax.while_loop(going, step, (start, jnp.full_like(scale, jnp.inf), 0))
    return point, shares(point)


def krum(rows: Any, weights: Any, beta: float = 0.0) -> tuple[Any, Any]:
    """The row that lies best among its nearest."""
    best = jnp.argmin(scores(rows, weights, beta))
    return rows[best], (jnp.arange(len(rows)) == best).astype(rows.dtype)


def multi_krum(rows: Any, weights: Any, beta: float = 0.0) -> tuple[Any, Any]:
    """The weighted mean of the rows that lie best."""
    here = weights > 0
    count = here.sum()
    place = jnp.argsort(jnp.argsort(scores(rows, weights, beta)))
    return mean(rows, jnp.where(here & (place < count - faulty(count, beta)), weights, 0))


def scores(rows: Any, weights: Any, beta: float) -> Any:
    """Krum's: squared distances to the nearest of those present, summed; infinite for those who are not."""
    here = weights > 0
    square = jax.lax.map(lambda row: jnp.sum((rows - row) ** 2, axis=1), rows)
    square = jnp.where(here[None, :] & ~jnp.eye(len(rows), dtype=bool), square, jnp.inf)
    count = here.sum()
    near = jnp.maximum(count - faulty(count, beta) - 2, 1)
    summed = jnp.where(jnp.arange(len(rows)) < near, jnp.sort(square, axis=1), 0).sum(1)
    return jnp.where(here, summed, jnp.inf)


def faulty(count: Any, beta: float) -> Any:
    """How many of those present may lie."""
    return jnp.floor(beta * count + SLACK).astype(jnp.int32)


def distances(rows: Any, point: Any) -> Any:
    """Euclidean, [members], where squares would overflow, too."""
    apart = jnp.abs(rows - point)
    most = positive(jnp.max(apart, axis=1))
    return most * jnp.sqrt(jnp.sum((apart / most[:, None]) ** 2, axis=1))


def spread(counted: Any) -> Any:
    """Each row's mean share of what counted at a coordinate."""
    return jnp.mean(counted / positive(counted.sum(0)), axis=1)


def positive(x: Any) -> Any:
    """x, or 1 where it is 0: a divisor."""
    return jnp.where(x > 0, x, 1)


AGGREGATES: dict[str, Callable] = {
    "mean": mean,
    "median": median,
    "trimmed-mean": trimmed_mean,
    "geometric-median": geometric_median,
    "krum": krum,
    "multi-krum": multi_krum,
}
