"""Facts that are numbers: of the right shape, finite, and not too small; else a sentence that says which, where and why."""

from typing import Any

import numpy as np
from jax.core import Tracer

from catallax.core.errors import BadInput


def check_numbers(name: str, values: Any, shape: tuple[int | str, ...], least: float = -np.inf) -> None:
    """Numbers of `shape` (a word: any size above 0), each at least `least`; inside `jit` or `grad` the shape alone is looked at.

    Raises `BadInput` with `name`, as in "Routing.latency", and the place of the first that is wrong.
    """
    fits = [n == m if isinstance(m, int) else n > 0 for n, m in zip(values.shape, shape, strict=False)]
    if len(values.shape) != len(shape) or not all(fits):
        wanted = ", ".join(map(str, shape))
        raise BadInput(f"{name} has shape {values.shape}: give {f'[{wanted}]' if shape else 'one number'}")
    if isinstance(values, Tracer):
        return
    known = np.asarray(values, np.float64)
    wrong = np.argwhere(~(np.isfinite(known) & (known >= least)))
    if len(wrong):
        rule = "finite" if least == -np.inf else "above 0" if least > 0 else "at least 0"
        place = tuple(wrong[0].tolist())
        raise BadInput(f"{name}{[*place] or ''} is {known[place]}: give a number that is {rule}")
