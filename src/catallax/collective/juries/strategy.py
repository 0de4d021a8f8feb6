"""Jurors who know that a vote matters only where it decides, and reckon with that (full information).

A strategy is the chance to vote for conviction on evidence of innocence (a) and of guilt (b). The own vote decides with the
chance D_1 if the accused is guilty, D_0 if not, which the strategies of the others give. So one convicts on evidence of
log-odds x where

    x + leak log(D_1 / D_0) > T

leak 1: who knows the whole own effect (T. Feddersen and W. Pesendorfer, Convicting the innocent, American Political Science
Review 92, 1998); leak 0: who looks at the evidence alone. For equals the symmetric equilibrium is found: sincere, or one of
a and b mixes. Of unlike jurors each answers the others in turn, from sincere votes on: as all want the same, each change
makes the verdict better for all, and where nobody changes is an equilibrium (A. McLennan, Consequences of the Condorcet
jury theorem for beneficial information aggregation by rational agents, same journal and volume).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from catallax.collective.juries.bayes import Stakes, logit
from catallax.collective.juries.chances import NOBODY, Spread, added, convicted, repeated, scores

SWEEPS = 200  # in which each juror has one turn
LEAST = 1e-12  # a strategy nearer to 0 or 1 is pure


class Votes(NamedTuple):
    """How a jury votes and decides: all [voters] but `quota` (the share of the votes cast that convicts) and `tie`."""

    competence: Float[np.ndarray, " voters"]
    weights: Float[np.ndarray, " voters"]
    abstention: Float[np.ndarray, " voters"]
    quota: float
    tie: float  # chance of conviction where the score is 0: a majority's coin, or 1 for a quota that is just reached

    def convicting(self, innocent: np.ndarray, guilty: np.ndarray, right: Any = None) -> np.ndarray:
        """Chances [voters, 2] of a vote for conviction, if guilty and if not. `right`: of the evidence, default competence."""
        p = self.competence if right is None else right
        return np.stack([p * guilty + (1 - p) * innocent, (1 - p) * guilty + p * innocent], 1)

    def spread(self, convicting: np.ndarray, who: Any = slice(None)) -> Spread:
        """The distribution of the score of the jurors `who`, if guilty and if not."""
        present = (1 - self.abstention)[:, None]
        pair = (present * convicting)[who], (present * (1 - convicting))[who]
        return scores(*pair, self.weights[who], self.quota)

    def chances(self, convicting: np.ndarray) -> np.ndarray:
        """Of conviction [2], if guilty and if not. Where nobody votes a quota is not reached."""
        nobody = float(np.prod(self.abstention)) * (self.tie if self.quota != 0.5 else 0)
        return convicted(self.spread(convicting), self.tie) - nobody

    def decides(self, others: Spread, weight: float) -> np.ndarray:
        """The chances D [2] that the verdict turns on a vote of this weight, if guilty and if not."""
        yes = convicted(others, self.tie, (1 - self.quota) * weight)
        return yes - convicted(others, self.tie, -self.quota * weight)


def sincere(competence: np.ndarray, stakes: Stakes) -> tuple[np.ndarray, np.ndarray]:
    """Strategies (a, b) [voters] of those who vote as they would decide alone; a coin where that is even.

    Evidence is taken at face value: who is right less often than a coin does not know it.
    """
    return tuple(np.heaviside(sign * np.abs(logit(competence)) - stakes.threshold, 0.5) for sign in (-1, 1))


def told(decides: np.ndarray) -> float:
    """log D_1 / D_0: what it says of guilt that the own vote decides. 0 where it never does."""
    guilty, innocent = np.maximum(decides, 0)
    if guilty <= 0 and innocent <= 0:
        return 0.0
    with np.errstate(divide="ignore"):
        return float(np.clip(np.log(guilty) - np.log(innocent), -700, 700))


def among_equals(votes: Votes, stakes: Stakes, leak: float) -> tuple[np.ndarray, np.ndarray]:
    """The symmetric equilibrium (a, b) [voters] of jurors who are all alike."""
    n, x, limit = len(votes.weights), float(logit(votes.competence)[0]), stakes.threshold

    def hint(a: float, b: float) -> float:
        convicting = votes.convicting(np.full(n, a), np.full(n, b))
        return leak * told(votes.decides(repeated(votes.spread(convicting, [0]), n - 1), votes.weights[0]))

    a, b = (float(s[0]) for s in sincere(votes.competence, stakes))
    if x > 0 and (a, b) != (0.5, 0.5):
        if -x + hint(0.0, 1.0) > limit:
            a, b = crossing(lambda a: -x + hint(a, 1.0) - limit, 0.0, 1.0), 1.0
        elif x + hint(0.0, 1.0) < limit:
            a, b = 0.0, crossing(lambda b: x + hint(0.0, b) - limit, 1.0, 0.0)
        else:
            a, b = 0.0, 1.0
    return np.full(n, a), np.full(n, b)


def crossing(left: Callable[[float], float], start: float, end: float) -> float:
    """Where what is left changes its sign between `start` and `end`; the end where it does not."""
    from scipy.optimize import brentq

    last = end + (LEAST if end < start else -LEAST)
    if np.sign(left(start)) == np.sign(left(last)):
        return end
    found: Any = brentq(left, min(start, last), max(start, last), xtol=1e-15)
    return float(found)


def behind(votes: Votes, convicting: np.ndarray) -> list[Spread]:
    """For each juror the score of those who come after it."""
    after = [NOBODY]
    for i in range(len(convicting) - 1, 0, -1):
        after.append(added(after[-1], votes.spread(convicting, [i])))
    return after[::-1]


def in_turn(votes: Votes, stakes: Stakes, leak: float) -> tuple[np.ndarray, np.ndarray, bool]:
    """Strategies (a, b) [voters] where nobody would change his, from sincere ones on; False where none was found."""
    x, (a, b) = logit(votes.competence), sincere(votes.competence, stakes)
    for _ in range(SWEEPS):
        before, after, old = NOBODY, behind(votes, votes.convicting(a, b)), np.stack([a, b])
        for i in range(len(x)):
            d = votes.decides(added(before, after[i]), votes.weights[i])
            hint = leak * told(d) - stakes.threshold
            for chance, seen in ((a, -x[i]), (b, x[i])):
                if d.max() > 0 and abs(seen + hint) > 1e-9:  # who does not care stays
                    chance[i] = float(seen + hint > 0)
            before = added(before, votes.spread(votes.convicting(a, b), [i]))
        if np.array_equal(old, np.stack([a, b])):
            return a, b, True
    return a, b, False


def gains(votes: Votes, stakes: Stakes, a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, " voters"]:
    """What each could add to the worth of the verdict by another strategy, those of the others standing."""
    convicting, found = votes.convicting(a, b), []
    before, after, (false, missed) = NOBODY, behind(votes, convicting), stakes.harms
    for i, p in enumerate(votes.competence):
        guilty, innocent = votes.decides(added(before, after[i]), votes.weights[i])
        benefit = [missed * w * guilty - false * (1 - w) * innocent for w in (1 - p, p)]
        more = sum(max(g, 0) - c[i] * g for g, c in zip(benefit, (a, b), strict=True))
        found.append(2 * (1 - votes.abstention[i]) * more)
        before = added(before, votes.spread(convicting, [i]))
    return np.maximum(found, 0)
