"""Who does what: how even the loads of parts are, and how much a part says about the kind of input it works on.

From `together` [classes, parts], how often an input of class r went to part m; P = together / its sum, p_m = sum_r P_rm:

    MaxVio            (max_m load - mean) / mean          0: all alike; parts - 1: one has all
    load entropy      -sum_m p_m log p_m / log parts      1: all alike; 0: one has all
    mutual information  I = sum_rm P_rm log(P_rm / (P_r p_m)) [nats]       0: parts know no classes; at most log of the fewer
    alignment         max over one-to-one matchings of sum of P_r,match(r)      1: a part a class and no other
    collapse          R / (R - 1) sum_m max(0, 1 / R - p_m)      0: all parts are used alike; 1: one does everything
    worst collapse    1 - R min_m p_m                     1: a part does nothing;         R parts

I from few inputs is too high, by about (classes - 1)(parts - 1) / 2 inputs (Miller 1955): compare it with that of random choice.

S. Mittal, Y. Bengio and G. Lajoie, Is a modular architecture enough?, NeurIPS 2022 (collapse, alignment); L. Wang and others,
arXiv 2408.15664, 2024 (MaxVio).
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from scipy.special import xlogy

from catallax.core.errors import BadInput


def together(
    labels: Any, choice: Any, classes: int | None = None, parts: int | None = None
) -> Float[np.ndarray, "classes parts"]:
    """How often an input of each class went to each part: `labels` [inputs], `choice` [inputs] or [inputs, k], -1 to nobody.

    `classes`, `parts`: how many there are (default: one more than the largest number met). Raises `BadInput` for unlike lengths
    and for numbers out of range.
    """
    label, part = np.asarray(labels), np.asarray(choice)
    part = part[:, None] if part.ndim == 1 else part
    if label.ndim != 1 or part.ndim != 2 or len(label) != len(part) or not label.size:
        raise BadInput(
            f"labels have shape {list(label.shape)} and choice {list(np.shape(choice))}: give one label an input"
        )
    rows = int(label.max()) + 1 if classes is None else classes
    columns = max(int(part.max()) + 1, 1) if parts is None else parts
    for name, numbers, least, most in (("labels", label, 0, rows), ("choice", part, -1, columns)):
        wrong = (numbers < least) | (numbers >= most)
        if wrong.any():
            at = np.argwhere(wrong)[0].tolist()
            raise BadInput(f"{name}{at} is {numbers[tuple(at)]}: give whole numbers from {least} to {most - 1}")
    pair = (label[:, None] * columns + part)[part >= 0].astype(np.int64)
    return np.bincount(pair, minlength=rows * columns).reshape(rows, columns).astype(float)


def max_violation(load: Any) -> float:
    """(max - mean) / mean of a load [parts]; 0 where there is none."""
    loads = numbers(load, 1)
    return float(loads.max() / loads.mean() - 1) if loads.sum() else 0.0


def load_entropy(load: Any) -> float:
    """Entropy of a load [parts], as a share of the greatest; 1 for one part, 0 where there is no load."""
    loads = numbers(load, 1)
    if loads.size == 1:
        return 1.0
    share = loads / loads.sum() if loads.sum() else loads
    return max(0.0, float(-xlogy(share, share).sum() / np.log(loads.size)))


def dead(load: Any, least: float = 0.0) -> int:
    """Parts of a load [parts] whose share of it is no more than `least`."""
    loads = numbers(load, 1)
    return int((loads <= least * loads.sum()).sum())


def mutual_information(counts: Any) -> float:
    """Nats that the part says about the class, from counts or frequencies [classes, parts]."""
    joint = frequencies(counts)
    apart = joint.sum(1, keepdims=True) * joint.sum(0)
    return max(0.0, float(xlogy(joint, np.divide(joint, apart, out=np.ones_like(joint), where=joint > 0)).sum()))


def alignment(counts: Any) -> float:
    """Share of inputs whose part is the one matched to their class, by the best one-to-one matching, from [classes, parts]."""
    joint = frequencies(counts)
    return float(joint[linear_sum_assignment(joint, maximize=True)].sum())


def collapse(load: Any) -> float:
    """How far parts are left unused, on average: 0 none, 1 all but one. From a load [parts]."""
    share = frequencies(load, 1)
    parts = share.size
    return float(np.maximum(1 / parts - share, 0).sum() * parts / (parts - 1)) if parts > 1 else 0.0


def worst_collapse(load: Any) -> float:
    """How far the least used part is left unused: 0 not at all, 1 wholly. From a load [parts]."""
    share = frequencies(load, 1)
    return float(1 - share.size * share.min())


def frequencies(counts: Any, axes: int = 2) -> Float[np.ndarray, "..."]:
    """Counts as shares of their sum."""
    given = numbers(counts, axes)
    if not given.sum():
        raise BadInput("counts are all 0: no input went anywhere, so nothing can be said of who does what")
    return given / given.sum()


def numbers(values: Any, axes: int) -> Float[np.ndarray, "..."]:
    """Finite numbers of at least 0, with so many axes."""
    given = np.asarray(values, np.float64)
    if given.ndim != axes or not given.size or not (np.isfinite(given) & (given >= 0)).all():
        wanted = "[parts]" if axes == 1 else "[classes, parts]"
        raise BadInput(f"counts have shape {list(given.shape)}: give finite numbers of at least 0, {wanted}")
    return given
