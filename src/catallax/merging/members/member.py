"""What a router may ask of a model: an answer to each input, and how sure it is. Nothing else is known of it.

A model that cannot answer an input says None for it; one that cannot go on at all raises `Gone`, whose sentence says why.
"""

import abc
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray


class Gone(Exception):
    """A member does not answer any more; the sentence says why."""


class Said(NamedTuple):
    """`answer` [rows] (None: no answer), of any kind; `chance` [rows, classes] of the router's classes, where it tells them; `sure`
    [rows], in [0, 1], its confidence where it does not; `bid` [rows]: its own estimate of being right, in [0, 1]."""

    answer: Array
    chance: Array | None = None
    sure: Array | None = None
    bid: Array | None = None

    @property
    def answered(self) -> Array:
        """Which inputs it has an answer to, [rows]."""
        if self.answer.dtype != object:
            return np.ones(len(self.answer), bool)
        return np.array([one is not None for one in self.answer], bool)

    def some(self, rows: Array) -> "Said":
        """The same of a part of the rows."""
        parts: Any = (None if part is None else part[rows] for part in self)
        return Said(*parts)


def nothing(rows: int) -> Said:
    """No answer to any input."""
    return Said(np.full(rows, None, object))


class Member(abc.ABC):
    """A model that answers. `remote`: it works elsewhere, so several can be asked at once."""

    remote = False

    @abc.abstractmethod
    def ask(self, X: Any, classes: Array) -> Said:
        """Answers to the inputs `X` [rows, ...]; `classes` [classes]: the answers that the router knows of. Raises `Gone`."""

    def bid(self, X: Any) -> Array | None:
        """How likely it thinks that it is right, [rows], in [0, 1], before it works on `X`; None: the router keeps its book."""
        return None

    def close(self) -> None:  # noqa: B027  (most hold nothing)
        """Let go of what it holds."""


def within(values: Any, rows: int, what: str) -> Array:
    """Numbers in [0, 1], [rows], from a member that may say anything. Raises `Gone`."""
    try:
        given = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise Gone(f"its {what} are no numbers") from error
    if given.shape != (rows,) or not ((given >= 0) & (given <= 1)).all():
        raise Gone(f"its {what} are not one number in [0, 1] for each of {rows} inputs")
    return given


def chances(values: Any, rows: int, own: Any, classes: Array) -> tuple[Array, Array]:
    """(answers [rows], chances of the router's classes [rows, classes]) from a member's chances of its `own` classes.

    Raises `Gone`. Classes that the router does not know of keep their answers, and fall out of the chances.
    """
    try:
        given, own = np.asarray(values, np.float64), np.asarray(own)
    except (TypeError, ValueError) as error:
        raise Gone("its chances are no numbers") from error
    if given.shape != (rows, len(own)):
        raise Gone(
            f"its chances have shape {list(given.shape)}, not [{rows}, {len(own)}], one for each input and class"
        )
    if not (np.isfinite(given) & (given >= 0)).all():
        raise Gone("its chances are not all finite numbers of at least 0")
    at = {one: i for i, one in enumerate(classes.tolist())}
    known = [(k, at[one]) for k, one in enumerate(own.tolist()) if one in at]
    found = np.zeros((rows, len(classes)))
    if known:
        found[:, [i for _, i in known]] = given[:, [k for k, _ in known]]
    total = found.sum(1, keepdims=True)
    even = np.full_like(found, 1 / max(len(classes), 1))
    return own[given.argmax(1)], np.divide(found, total, out=even, where=total > 0)
