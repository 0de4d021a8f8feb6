"""How neurons share the work: who wins, who is never heard. Pure functions of codes [samples, neurons].

share of neuron i     p_i = sum over samples |a_i| / sum over samples and neurons |a|
winners' entropy      -sum p_i log p_i / log n: 1 where all are heard alike, 0 where one is heard alone
"""

from typing import Any

import numpy as np

Array = np.ndarray


def activity_shares(codes: Any) -> Array:
    """Each neuron's share of all activity, [neurons]; zeros where there is none. Codes may be a SciPy sparse matrix."""
    total = np.asarray(abs(codes).sum(axis=0), np.float64).ravel()
    return total / (total.sum() or 1.0)


def winners_entropy(codes: Any) -> float:
    """The entropy of the shares over that of equal ones, 0 to 1; NaN where nobody says anything."""
    shares = activity_shares(codes)
    if not shares.any():
        return float("nan")
    heard = shares[shares > 0]
    return float(-(heard * np.log(heard)).sum() / np.log(max(len(shares), 2)))


def dead_units(codes: Any) -> Array:
    """Which neurons are silent on every sample, bool [neurons]."""
    return np.asarray((codes != 0).sum(axis=0)).ravel() == 0


def active_share(codes: Any) -> float:
    """The mean share of neurons that speak for a sample."""
    return float((codes != 0).sum() / np.prod(codes.shape))
