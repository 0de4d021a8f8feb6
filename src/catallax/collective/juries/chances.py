"""Exact chances of verdicts: sums over all that may be voted, votes being independent.

Juror i votes for conviction with chance f_i and against it with chance g_i (f_i + g_i < 1: it may abstain). With weights
w_i and the share s of the votes cast that a conviction needs, the score

    S = sum_i w_i ((1 - s) [i for] - s [i against])

convicts above 0. Its distribution is that of a sum of independent steps: the convolution of them (Poisson-binomial for equal
weights), taken in halves. Values that agree to ten digits are one; where weights are in no simple ratio there may be 2^n.

    Condorcet       sum_{k > n/2} C(n, k) p^k (1 - p)^(n - k)
    cascade         of n who are called one after the other, each as good as the next: right p(p + 1) (1 - t) / 2(1 - v),
                    wrong (1 - p)(2 - p) (1 - t) / 2(1 - v), none yet t,  v = p(1 - p), t = v^floor(n/2)

M. de Condorcet, Essai sur l'application de l'analyse, 1785. P. Boland, Majority systems and the Condorcet jury theorem,
The Statistician 38, 1989. S. Bikhchandani, D. Hirshleifer, I. Welch, A theory of fads, fashion, custom, and cultural
change as informational cascades, J. Political Economy 100, 1992.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from catallax.core.errors import BadInput, Refused

DIGITS = 10  # to which two values of a sum are told apart
MOST = 2**20  # values of a sum
EVEN = 1e-7  # a score, in votes, that is none


class Spread(NamedTuple):
    """A distribution: `values` [atoms], in rising order, and their `chances` [atoms], or [atoms, worlds]."""

    values: Float[np.ndarray, " atoms"]
    chances: Float[np.ndarray, "atoms *worlds"]


NOBODY = Spread(np.zeros(1), np.ones((1, 2)))  # the score of no votes, in two worlds


def condorcet(voters: int, competence: float) -> float:
    """The chance that the majority of so many equals is right, each with the chance `competence`; a tie counts half."""
    from scipy.stats import binom

    if isinstance(voters, bool) or not isinstance(voters, (int, np.integer)) or voters < 1:
        raise BadInput(f"voters is {voters!r}: give a whole number of at least 1")
    check_chance("competence", competence)
    tie = 0.0 if voters % 2 else 0.5 * float(binom.pmf(voters // 2, voters, competence))
    return float(binom.sf(voters // 2, voters, competence)) + tie


def cascade(voters: int, competence: float) -> tuple[float, float, float]:
    """Chances that, once so many have been called, a cascade on the right option has begun, on the wrong one, or none.

    Each votes for what is likelier, given the votes before and the own evidence, and tosses a coin where both are alike.
    """
    check_chance("competence", competence)
    v = competence * (1 - competence)
    none = v ** (voters // 2)
    begun = (1 - none) / (2 * (1 - v))
    return competence * (competence + 1) * begun, (1 - competence) * (2 - competence) * begun, none


def roll_call(voters: int, competence: float) -> float:
    """The chance that the majority of so many equals is right who are called one after the other, as in `cascade`.

    Where a cascade has begun, its side has the majority; else votes are even, but for the last of an odd number.
    """
    right, _, none = cascade(voters, competence)
    return right + none * (competence if voters % 2 else 0.5)


def check_chance(name: str, value: Any) -> None:
    """A number strictly between 0 and 1."""
    if not isinstance(value, (int, float, np.integer, np.floating)) or not 0 < value < 1:
        raise BadInput(f"{name} is {value!r}: give a chance above 0 and below 1")


def merged(values: np.ndarray, chances: np.ndarray) -> Spread:
    """Atoms that agree to DIGITS made one."""
    kept, where = np.unique(np.round(values, DIGITS), return_inverse=True)
    if len(kept) > MOST:
        raise Refused(f"a sum over more than {MOST:,} outcomes: there are too many voters of unlike weights")
    if chances.ndim == 1:
        return Spread(kept, np.bincount(where, chances, len(kept)))
    return Spread(kept, np.stack([np.bincount(where, column, len(kept)) for column in chances.T], 1))


def added(one: Spread, other: Spread) -> Spread:
    """The sum of two independent ones, world by world."""
    step = lattice(one, other)
    if step:
        return on_lattice(one, other, step)
    if len(one.values) * len(other.values) > 2 * MOST:
        raise Refused(f"a sum over more than {2 * MOST:,} outcomes: there are too many voters of unlike weights")
    values = np.add.outer(one.values, other.values).ravel()
    chances = (one.chances[:, None] * other.chances[None]).reshape(len(values), *one.chances.shape[1:])
    return merged(values, chances)


def lattice(one: Spread, other: Spread) -> float:
    """The step of the lattice on which both lie, without gaps; 0 where they do not."""
    gaps = np.concatenate([np.diff(one.values), np.diff(other.values)])
    return float(gaps.mean()) if gaps.size and np.ptp(gaps) < EVEN * gaps[0] else 0.0


def on_lattice(one: Spread, other: Spread, step: float) -> Spread:
    """The same by convolution."""
    low = one.values[0] + other.values[0]
    count = len(one.values) + len(other.values) - 1
    a, b = (x.chances.reshape(len(x.values), -1) for x in (one, other))
    chances = np.stack([np.convolve(x, y) for x, y in zip(a.T, b.T, strict=True)], 1)
    return Spread(low + step * np.arange(count), chances.reshape(count, *one.chances.shape[1:]))


def total(steps: list[Spread]) -> Spread:
    """The distribution of the sum of independent steps, by halves."""
    if len(steps) == 1:
        return steps[0]
    half = len(steps) // 2
    return added(total(steps[:half]), total(steps[half:]))


def repeated(step: Spread, times: int) -> Spread:
    """The sum of so many independent ones that are all alike, by doubling."""
    found = NOBODY
    while times:
        found = added(found, step) if times % 2 else found
        step, times = added(step, step) if times > 1 else step, times // 2
    return found


def scores(votes_for: np.ndarray, votes_against: np.ndarray, weights: np.ndarray, quota: float) -> Spread:
    """The distribution of the score S. `votes_for`, `votes_against` [voters, worlds]: chances in each of several worlds."""
    up, down = (1 - quota) * weights, -quota * weights
    none = np.maximum(1 - votes_for - votes_against, 0)
    steps = []
    for i in range(len(weights)):
        values, chances = np.array([down[i], 0.0, up[i]]), np.stack([votes_against[i], none[i], votes_for[i]])
        some = chances.any(1)
        steps.append(merged(values[some], chances[some]))
    return total(steps)


def convicted(spread: Spread, tie: float, more: float = 0.0) -> np.ndarray:
    """The chance, in each world, that the score and `more` are above 0, and `tie` of that of exactly 0. [worlds]."""
    at = spread.values + more
    return (spread.chances * np.where(at > EVEN, 1.0, np.where(at >= -EVEN, tie, 0.0))[:, None]).sum(0)
