"""Rounds of one method over many samples at once: each leaves when it is certified, and the others go on.

Matrix products want many rows, so samples advance together for some rounds between checks; a check costs about two rounds,
and comes after a quarter more of them each time.
"""

import abc
from typing import Any, NamedTuple

import numpy as np

from catallax.networks.sparse.atoms import Operator
from catallax.networks.sparse.certificate import Bounds, bounds, relative

Array = np.ndarray
FIRST, MORE = 6, 0.25  # rounds before the first check; of the rounds so far, how many before the next


class Aim(NamedTuple):
    """What is asked of a code. `tolerance`: the gap at which it is good (hard threshold: see `lca`)."""

    penalty: float = 0.1
    positive: bool = False
    hard: bool = False
    tolerance: float = 1e-3
    max_rounds: int = 10_000


class Found(NamedTuple):
    """Codes [samples, atoms] (CSR where asked for); cost, gap (NaN for the hard threshold), rounds, unrest: [samples]."""

    codes: Any
    cost: Array
    gap: Array
    rounds: Array
    unrest: Array


class Rounds(abc.ABC):
    """A method. Its state is a dict of arrays, the first axis "samples"; the samples themselves are its `X`."""

    @abc.abstractmethod
    def begin(self, X: Array, start: Array | None) -> dict[str, Array]:
        """The state before the first round."""

    @abc.abstractmethod
    def advance(self, state: dict[str, Array], rounds: int) -> None:
        """So many rounds on, in `state`."""

    @abc.abstractmethod
    def codes(self, state: dict[str, Array]) -> Array:
        """The codes, [samples, atoms]."""

    def unrest(self, state: dict[str, Array]) -> Array:
        """How far each sample is from rest, where there is no gap to tell, [samples]."""
        raise NotImplementedError(f"{type(self).__name__} has no hard threshold")


def drive(method: Rounds, X: Array, start: Array | None, atoms: Operator, aim: Aim) -> Found:
    """Advances X [samples, features] until every sample is certified, or the rounds are over."""
    count = len(X)
    codes = np.zeros((count, atoms.count), X.dtype)
    cost, gap, unrest, least = (np.full(count, x) for x in (0.0, np.nan, np.nan, 0.0))
    rounds, alive = np.zeros(count, np.int64), np.arange(count)
    state, done = method.begin(X, start) | {"X": X}, 0
    while alive.size:
        ahead = min(max(FIRST, int(MORE * done)), aim.max_rounds - done)
        method.advance(state, ahead)
        done += ahead
        now = method.codes(state)
        found = bounds(state["X"], now, atoms, aim.penalty, aim.positive)
        cost[alive], rounds[alive], codes[alive] = found.cost, done, now
        if aim.hard:
            cost[alive] = zero_norm_cost(found, now, aim.penalty)
            unrest[alive] = method.unrest(state)
        else:
            least[alive] = np.maximum(least[alive], found.least)
            gap[alive] = unrest[alive] = relative(found.cost, least[alive])
        on = ~(unrest[alive] <= aim.tolerance)
        if done >= aim.max_rounds:
            break
        if not on.all():
            alive = alive[on]
            state = {name: x[on] for name, x in state.items()}
    return Found(codes, cost, gap, rounds, unrest)


def zero_norm_cost(found: Bounds, codes: Array, penalty: float) -> Array:
    """|x - aD|^2 / 2 + penalty^2 / 2 for each active atom: what the hard threshold goes down."""
    squares = found.cost - penalty * np.abs(codes.astype(np.float64)).sum(1)
    return squares + penalty**2 / 2 * (codes != 0).sum(1)
