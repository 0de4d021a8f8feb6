"""The same network under several kinds of teaching: error, bits, seconds, nearness to the gradient, and waiting of each.

Every seed draws weights, fixed matrices and the order of rows anew; the rows held out stay the same, so that the standard
error is over what is drawn and not over what is asked. Seconds are of the processor, for all epochs, without compiling and
measuring. The cosine is a mean over hidden layers and epochs, on the first 128 rows.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from catallax.core.errors import BadInput
from catallax.core.outcome import Status
from catallax.core.record import Record
from catallax.core.run import run
from catallax.networks.measures import cosines, some, waits
from catallax.networks.problem import Lessons

ROWS = 128  # that the cosine is taken on
BITS = (1, 2, 3, 4, 6, 8, 12, 16, 24)


class Point(NamedTuple):
    """A kind of teaching by name, its numbers told in so many `bits` (None: exactly)."""

    signal: str
    bits: int | None = None

    @property
    def label(self) -> str:
        """backpropagation, 4 bits."""
        return self.signal if self.bits is None else f"{self.signal}, {self.bits} bit{'s' * (self.bits != 1)}"


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one point came to. `refused`: why it could not be measured (arrays are then empty)."""

    point: Point
    error: Float[np.ndarray, " seeds"]
    final_loss: Float[np.ndarray, " seeds"]
    seconds: Float[np.ndarray, " seeds"]
    cosine: Float[np.ndarray, "seeds layers"]  # mean over epochs; NaN for a layer that stays as it is
    loss: Float[np.ndarray, "seeds epochs"]  # of the rows learnt from
    accuracy: Float[np.ndarray, "seeds epochs"]  # on the rows held out
    bits: Float[np.ndarray, " layers"]  # that reach each layer, a row and update
    waits: Float[np.ndarray, " layers"]
    locked: bool = False  # whether a layer waits for those behind it
    refused: str = ""
    broken: int = 0  # seeds whose loss became no number

    @property
    def hidden_cosine(self) -> Float[np.ndarray, " seeds"]:
        """Mean over the hidden layers that learn; NaN where none does."""
        hidden = self.cosine[:, :-1]
        known = np.isfinite(hidden)
        count = known.sum(axis=1)
        return np.where(count > 0, np.where(known, hidden, 0).sum(axis=1) / np.maximum(count, 1), np.nan)


def compare(
    problem: Lessons,
    points: Iterable[Point],
    seeds: int = 3,
    seed: int = 0,
    look: Callable[[int, int, str], None] | None = None,
) -> Iterator[Measured]:
    """Each point in turn. What its kind cannot teach is said in `refused`. Raises `KeyboardInterrupt` on Ctrl-C."""
    points = list(points)
    for number, point in enumerate(points):
        tries: list[Try] = []
        try:
            for k in range(seeds):
                if look is not None:
                    look(number * seeds + k, len(points) * seeds, point.label)
                tries.append(tried(problem.by(point.signal, bits=point.bits, seed=seed + k)))
        except BadInput as reason:
            yield nothing(point, str(reason))
        else:
            yield gathered(point, tries)


class Try(NamedTuple):
    """One seed's measures."""

    error: float
    final_loss: float
    seconds: float
    cosine: Any
    loss: Any
    accuracy: Any
    bits: Any
    waits: Any
    locked: bool
    broken: bool


def tried(problem: Lessons) -> Try:
    """Lessons from the first to the last."""
    school = problem.society()
    school.ready()
    spent = Stopwatch()
    batch = some(school.loss, school.rows, ROWS)
    near = spent.outside(lambda s: np.asarray(cosines(s.signal, s.parts, batch, s.bits), np.float64))
    watched = {name: spent.outside(value) for name, value in problem.watch().items()}
    near(school)
    record = Record(every=problem.steps, folder=None, cosine=near, **watched)
    spent.start()
    outcome = run(school, problem.patience, problem.facts.settings.seed, record=record)
    seconds = spent.stop()
    if outcome.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    table, found = outcome.record or {}, problem.outcome(outcome.society)
    broken = outcome.status is Status.BROKEN
    cosine = mean_where_known(table["cosine"][1:])
    waiting = waits(school.signal, school.parts, school.loss, school.rows).astype(float)
    error = float("nan") if broken else 1 - found.accuracy
    curves, locked = (table["loss"], table["accuracy"]), bool(school.signal.locked)
    return Try(error, found.loss, seconds, cosine, *curves, found.bits, waiting, locked, broken)


def mean_where_known(values: Any) -> Any:
    """Mean over the first axis of what is a number; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


class Stopwatch:
    """Seconds of the processor, without those of functions made to run `outside`."""

    def __init__(self) -> None:
        self.began, self.other = 0.0, 0.0

    def start(self) -> None:
        """From now on."""
        self.began, self.other = time.process_time(), 0.0

    def stop(self) -> float:
        """Seconds since the start."""
        return time.process_time() - self.began - self.other

    def outside(self, function: Callable) -> Callable:
        """The same function, whose seconds do not count."""

        def timed(*given: Any) -> Any:
            began = time.process_time()
            value = function(*given)
            self.other += time.process_time() - began
            return value

        return timed


def gathered(point: Point, tries: list[Try]) -> Measured:
    """The seeds of a point together."""
    stacked = {name: np.array([getattr(one, name) for one in tries], float) for name in Try._fields[:6]}
    same = dict(bits=tries[0].bits, waits=tries[0].waits, locked=tries[0].locked)
    return Measured(point, **stacked, **same, broken=sum(one.broken for one in tries))


def nothing(point: Point, reason: str) -> Measured:
    """A point that could not be measured."""
    none, flat = np.zeros(0), np.zeros((0, 0))
    return Measured(point, none, none, none, flat, flat, flat, none, none, refused=reason)
