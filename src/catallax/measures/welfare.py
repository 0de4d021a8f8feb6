"""How well an outcome serves those who take part, and how evenly.

Let u_i be the utility of party i, and u_i* that in the plan which maximises sum_i w_i log u_i, sum_i w_i = 1.

- share of the optimum: exp(sum_i w_i log(u_i / u_i*)), the fraction of the plan's utilities, in geometric
mean, that
  was reached; at most 1 for what was feasible; free of the unit of each party's utility.
- Gini's index: sum_ij |u_i - u_j| / (2 n sum_i u_i), in [0, 1 - 1/n], 0 for equality; depends on those units.
- rationing: what was promised beyond the supply is cut in proportion, good by good; nothing is passed on.
- interval of a mean: mean -+ t s / sqrt(n), t the 97.5 % quantile of Student's law with n - 1 degrees of
freedom.

All in float64. C. Gini, Variabilità e mutabilità, 1912; Student, The probable error of a mean, Biometrika 6,
1908.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput

CONFIDENCE = 0.95


def gini(values: ArrayLike) -> float:
    """Gini's index of `values` [n] >= 0 in any unit: 0 if all are equal (or zero), 1 - 1/n if one has all.

    Raises `BadInput` on an empty list, a negative value, or one that is not finite.
    """
    vector = _vector(values, "values")
    _refuse_negative(vector, "values")
    largest = vector.max()
    if largest == 0:
        return 0.0
    ascending = np.sort(vector / largest)  # relative, so that the sums cannot overflow
    n = ascending.size
    # the step above the k smallest parts k (n - k) pairs: sums of steps, so that equality gives exactly 0
    between = np.arange(1.0, n) * np.arange(n - 1.0, 0.0, -1.0)
    return float(between @ np.diff(ascending) / (n * ascending.sum()))


def share_of_optimum(utilities: ArrayLike, planned: ArrayLike, weights: ArrayLike) -> float:
    """exp(sum_i w_i log(u_i / u_i*)): the weighted geometric mean of what each got of its planned utility.

    `utilities`, `planned`, `weights`: [n], each party's two utilities in one unit, and weights >= 0 of any
    positive sum. One who counts (w_i > 0) and has no utility makes it 0. Who does not count is passed over.
    Raises `BadInput` if the lengths differ, a number is negative or not finite, no weight is positive, or the
    plan leaves nothing to one who counts.
    """
    fields = {"utilities": utilities, "planned": planned, "weights": weights}
    reached, optimal, weight = (_vector(value, name) for name, value in fields.items())
    if not reached.size == optimal.size == weight.size:
        sizes = f"{reached.size}, {optimal.size} and {weight.size}"
        raise BadInput(f"utilities, planned and weights have {sizes} entries: give one of each for every party.")
    for name, value in zip(fields, (reached, optimal, weight), strict=True):
        _refuse_negative(value, name)
    counts = weight > 0
    if not counts.any():
        raise BadInput("weights are all zero: give at least one party a positive weight.")
    if (optimal[counts] == 0).any():
        row = int(np.flatnonzero(counts & (optimal == 0))[0])
        raise BadInput(f"planned[{row}] is zero although its weight is positive: an optimal plan leaves it something.")
    if (reached[counts] == 0).any():
        return 0.0
    relative = weight[counts] / weight.max()
    logs = np.log(reached[counts]) - np.log(optimal[counts])
    return float(np.exp(relative @ logs / relative.sum()))


def rationed(allocation: ArrayLike, supply: ArrayLike) -> NDArray[np.float64]:
    """What `supply` [m] can deliver of `allocation` [n, m]: x_ij min(1, supply_j / sum_i x_ij), [n, m].

    The short side of every good is rationed in proportion; what is left of the others is wasted. Units of the
    goods. Raises `BadInput` on another shape, or a number that is negative or not finite.
    """
    wanted, available = np.asarray(allocation, np.float64), _vector(supply, "supply")
    if wanted.ndim != 2 or wanted.shape[1] != available.size:
        raise BadInput(f"allocation has shape {wanted.shape}: give [parties, {available.size}], a column a supply.")
    _refuse_unbounded(wanted, "allocation")
    _refuse_negative(wanted, "allocation")
    _refuse_negative(available, "supply")
    total = wanted.sum(axis=0)
    short = total > available
    return wanted * np.divide(available, total, out=np.ones_like(total), where=short)


def interval(samples: ArrayLike) -> tuple[float, float, float]:
    """(mean, low, high): the mean of `samples` [n] and its 95 % interval, in their unit.

    Assumes independent samples, roughly normal. A single sample says nothing of its spread: low = high =
    mean. Raises `BadInput` on no sample at all or one that is not finite.
    """
    values = _vector(samples, "samples")
    mean, n = float(values.mean()), values.size
    if n == 1:
        return mean, mean, mean
    from scipy import special  # late: a third of a second

    quantile = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2))
    reach = quantile * float(values.std(ddof=1)) / math.sqrt(n)
    return mean, mean - reach, mean + reach


def _vector(values: ArrayLike, name: str) -> NDArray[np.float64]:
    vector = np.asarray(values, np.float64)
    if vector.ndim != 1 or vector.size == 0:
        raise BadInput(f"{name} has shape {vector.shape}: give a list of at least one number.")
    _refuse_unbounded(vector, name)
    return vector


def _refuse_unbounded(values: NDArray[np.float64], name: str) -> None:
    if not np.isfinite(values).all():
        place = np.argwhere(~np.isfinite(values))[0].tolist()
        raise BadInput(f"{name}{place} is not a finite number: give finite numbers only.")


def _refuse_negative(values: NDArray[np.float64], name: str) -> None:
    if (values < 0).any():
        place = np.argwhere(values < 0)[0].tolist()
        raise BadInput(f"{name}{place} is negative: give numbers of at least zero.")
