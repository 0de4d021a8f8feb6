"""Facts of ants that are numbers, refused in a sentence where they are none or out of range."""

from typing import Any

import numpy as np
from jaxtyping import Float

from catallax.core.errors import BadInput

PARTS = 10  # rounds that a road of average length takes, where lengths are no whole numbers and no unit is given
LEAST, MOST = float(np.nextafter(0, 1)), float(np.finfo(float).max)
RANGES = (
    ("rate", LEAST, MOST, "above 0"),
    ("exponent", 0.0, MOST, "of at least 0"),
    ("attraction", LEAST, MOST, "above 0"),
    ("amount", LEAST, MOST, "above 0"),
    ("evaporation", 0.0, 1 - 1e-9, "of at least 0 and below 1"),
    ("turning", 0.0, 1 - 1e-9, "of at least 0 and below 1"),
    ("unit", LEAST, MOST, "above 0"),
)


def check_facts(problem: Any) -> None:
    """Raises `BadInput` for the first field of a `ShortestPath` that is out of range."""
    for field in ("ants", "colonies"):
        value = getattr(problem, field)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise BadInput(f"ShortestPath.{field} is {value!r}: give a whole number of at least 1")
    for field, low, high, rule in RANGES:
        value = getattr(problem, field)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise BadInput(f"ShortestPath.{field} is {value!r}: give a number {rule}")
    if problem.lays not in ("both", "home"):
        raise BadInput(f"ShortestPath.lays is {problem.lays!r}: give 'both' or 'home'")


def natural_unit(length: Float[np.ndarray, " roads"]) -> float:
    """1 where all lengths are whole, else a tenth of their average."""
    return 1.0 if (length == np.floor(length)).all() else float(length.mean()) / PARTS
