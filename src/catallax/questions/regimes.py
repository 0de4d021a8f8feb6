"""The four regimes of a problem, each attempted and timed, and small things that all questions need."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from catallax.core.errors import Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.random import key as make_key
from catallax.core.run import run
from catallax.core.settle import settle
from catallax.core.society import HostSociety
from catallax.measures.welfare import interval

NEARBY = 0.1  # how far a seed disturbs the facts: each endowment by about a tenth


class UntilInterrupted:
    """Ctrl-C ends the block, and what was complete by then is the answer; `done` counts it.

    Where nothing was complete the interrupt goes on. `said(notes, facts)` tells the reader.
    """

    def __init__(self, of: int, what: str = "seeds"):
        self.done, self.of, self.what, self.seen = 0, of, what, False

    def __enter__(self) -> "UntilInterrupted":
        return self

    def __exit__(self, kind: type | None, *_: Any) -> bool:
        self.seen = kind is not None and issubclass(kind, KeyboardInterrupt) and self.done > 0
        return self.seen

    def said(self, notes: list[str], facts: dict) -> None:
        """A note and a fact where it was interrupted."""
        if self.seen:
            notes.insert(0, f"interrupted after {self.done} of {self.of} {self.what}")
            facts["interrupted"] = True


def unless_interrupted(outcome: Outcome) -> Outcome:
    """The outcome. `run` obeys Ctrl-C by returning what is done: here it ends the question too."""
    if outcome.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return outcome


class Reasons:
    """Why something is missing, and of what: each reason is told once."""

    def __init__(self):
        self.known: dict[str, list[str]] = {}

    def add(self, reason: Any, of: Any) -> None:
        """Another `of` for this reason, unless it is among them."""
        names = self.known.setdefault(str(reason), [])
        names += [str(of)] * (str(of) not in names)

    def listed(self) -> list[tuple[str, str]]:
        """Each reason, and what it is the reason of, one after the other."""
        return [(reason, ", ".join(names)) for reason, names in self.known.items()]


class Attempt(NamedTuple):
    """What a regime came to: its outcome (None where it was refused), why it was refused, and the seconds it took."""

    outcome: Outcome | None
    reason: str
    seconds: float

    @property
    def status(self) -> str:
        if self.outcome is None:
            return "interrupted" if self is UNTRIED else "refused"
        return str(self.outcome.status)


UNTRIED = Attempt(None, "", 0.0)  # what Ctrl-C left of a regime


def attempt(regime: Callable[[], Outcome]) -> Attempt:
    """Runs a regime; one that has no meaning for the problem says why."""
    began = time.perf_counter()
    try:
        return Attempt(unless_interrupted(regime()), "", time.perf_counter() - began)
    except Refused as refusal:
        return Attempt(None, str(refusal), time.perf_counter() - began)


def coordinated(problem: Problem, seed: int = 0, tolerance: float | None = None) -> Outcome:
    """The signal's regime at rest, with its certificate, or as far as it comes in `problem.patience` rounds.

    It is run to rest where whole numbers move. `tolerance`: the certificate at which it is settled; None for the
    problem's own.
    """
    tolerance = problem.tolerance if tolerance is None else tolerance
    try:
        return unless_interrupted(settle(problem, tolerance, seed=seed, max_rounds=problem.patience))
    except Refused:
        outcome = unless_interrupted(run(problem, problem.patience, seed, tolerance=tolerance))
    if outcome.status not in (Status.DONE, Status.SETTLED):
        return outcome
    certificate = float(max(outcome.unrest, problem.gap(outcome)))
    settled = Status.SETTLED if certificate <= tolerance else Status.UNSETTLED
    return dataclasses.replace(outcome, code=CODES.index(settled), certificate=certificate)


def check_carried(problem: Problem) -> None:
    """Refused, before anything is run, where a host society's problem cannot take what another has learnt."""
    society = problem.society()
    if isinstance(society, HostSociety) and type(problem).carried is Problem.carried:
        problem.carried(society)


def nearby(problem: Problem, seeds: int, seed: int = 0, size: float = NEARBY) -> Iterator[tuple[int, Problem]]:
    """The problem as it is, then `seeds - 1` like it, its facts disturbed by `size`."""
    for k in range(seeds):
        yield k, problem if k == 0 else problem.shocked(make_key(seed + k), size)


def headline(problem: Problem, outcome: Outcome) -> float:
    """The welfare entry that the questions plot."""
    return float(problem.welfare(outcome)[problem.headline])


def spread(samples: list[float]) -> dict[str, float]:
    """Mean and 95 % interval as columns; NaN where a sample is missing."""
    values = np.asarray(samples, float)
    values = values[np.isfinite(values)]
    if not values.size:
        return dict(efficiency=float("nan"), low=float("nan"), high=float("nan"))
    mean, low, high = interval(values)
    return dict(efficiency=mean, low=low, high=high)


def percent(value: float) -> str:
    """A share in words, never rounded up to a perfect 100 %."""
    if not np.isfinite(value):
        return "an unknown share"
    if 0.9995 <= value < 1 - 1e-9:
        return f"{100 * value:.2f} %" if value < 0.99995 else "over 99.99 %"
    return "100 %" if abs(value - 1) < 1e-9 else f"{100 * value:.1f} %"
