"""The facts of a jury, checked when it is made: which field, which voter, what rule."""

from collections.abc import Callable
from typing import Any

import numpy as np

from catallax.core.errors import BadInput


def check_jury(jury: Any) -> None:
    """All facts of a jury. Raises `BadInput`."""
    if jury.competence.ndim != 1 or not jury.competence.size:
        raise BadInput(f"Jury.competence has shape {jury.competence.shape}: give one number for each voter")
    check_each("Jury.competence", jury.competence, "above 0 and below 1", (jury.competence > 0) & (jury.competence < 1))
    if jury.weights is not None:
        check_length("Jury.weights", jury.weights, jury.size)
        check_each("Jury.weights", jury.weights, "at least 0", (jury.weights >= 0) & (jury.weights < np.inf))
        if not jury.weights.any():
            raise BadInput("Jury.weights are all 0: give at least one voter some weight")
    if jury.abstention.ndim:
        check_length("Jury.abstention", jury.abstention, jury.size)
    missing = np.atleast_1d(jury.abstention)
    check_each("Jury.abstention", missing, "at least 0 and below 1", (missing >= 0) & (missing < 1))
    check_numbers(jury)
    if jury.names is not None:
        check_length("Jury.names", jury.names, jury.size)
        if np.unique(jury.names).size < jury.size or jury.names.min() < 0 or jury.names.max() >= 2**32:
            raise BadInput("Jury.names must be distinct whole numbers from 0 to 2^32 - 1")


def check_numbers(jury: Any) -> None:
    """The facts that are one number each."""
    rules: dict[str, tuple[str, Callable[[float], bool]]] = {
        "common": ("at least 0 and below 1", lambda x: 0 <= x < 1),
        "common_right": ("from 0 to 1", lambda x: 0 <= x <= 1),
        "prior": ("above 0 and below 1", lambda x: 0 < x < 1),
        "doubt": ("above 0 and below 1", lambda x: 0 < x < 1),
        "quota": ("above 0 and at most 1, or None for a majority", lambda x: 0 < x <= 1),
        "sway": ("at least 0 and finite", lambda x: 0 <= x < np.inf),
    }
    for field, (rule, holds) in rules.items():
        value = getattr(jury, field)
        if value is None and field == "quota":
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not holds(float(value)):
            raise BadInput(f"Jury.{field} is {value!r}: give a number {rule}")
    for field, least, most in (("cases", 1, 2**31), ("seed", 0, 2**64)):
        value = getattr(jury, field)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value < most:
            raise BadInput(f"Jury.{field} is {value!r}: give a whole number from {least} to {most - 1}")


def check_length(name: str, values: np.ndarray, size: int) -> None:
    """One entry for each voter."""
    if values.shape != (size,):
        raise BadInput(f"{name} has shape {values.shape}: give one number for each of {size} voters")


def check_each(name: str, values: np.ndarray, rule: str, holds: np.ndarray) -> None:
    """A rule that holds for all; NaN holds for none."""
    wrong = np.flatnonzero(~holds)
    if wrong.size:
        raise BadInput(f"{name}[{wrong[0]}] is {values[wrong[0]]}: give a number that is {rule}")
