"""The cases: what is true of each, and what each juror sees of it.

All draws are hashes of (seed, what is drawn, juror, case), so who stays sees the same when others leave. On each case the
common view is right with a given chance; a juror takes it with another, and else sees evidence of its own, right with
its competence.
"""

import functools as ft
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from catallax.collective.juries.bayes import Stakes, belief, logit, optimum
from catallax.collective.juries.chances import EVEN
from catallax.collective.juries.strategy import Votes, sincere
from catallax.core.errors import Refused
from catallax.core.random import host_bits, host_fold_in, host_key

TRUTH, VIEW, EVIDENCE, TAKES, PRESENT, COIN, MIXES = range(7)  # what is drawn


class Facts(NamedTuple):
    """A jury in plain values, so that what was computed of it is found again. Tuples are [voters]."""

    competence: tuple[float, ...]
    weights: tuple[float, ...]
    abstention: tuple[float, ...]
    common: tuple[float, float]
    stakes: Stakes
    quota: float | None
    names: tuple[int, ...]
    cases: int
    seed: int

    @property
    def votes(self) -> Votes:
        """How it decides, each with the chance of being right that all evidence together gives."""
        taken, right = self.common
        reliability = (1 - taken) * np.array(self.competence) + taken * right
        tie = 0.5 if self.quota is None else 1.0
        quota = 0.5 if self.quota is None else self.quota
        return Votes(reliability, np.array(self.weights), np.array(self.abstention), quota, tie)

    def verdicts(self, counts: Any) -> Float[np.ndarray, " cases"]:
        """The chance of conviction that counts [cases, 2] give: 0 or 1, a coin for a majority's tie."""
        votes, (against, pro) = self.votes, np.asarray(counts, np.float64).T
        score, close = (1 - votes.quota) * pro - votes.quota * against, 10 * EVEN * votes.weights.sum()
        won = np.where(score > close, 1.0, np.where(score >= -close, votes.tie, 0.0))
        return won if self.quota is None else np.where(pro > 0, won, 0.0)

    def right(self, convict: np.ndarray) -> float:
        """The worth of verdicts [cases] on the docket: 1 - 2 x harm done; the share that is right, where doubt is 1/2."""
        guilty, q = docket(self).guilty, self.stakes.doubt
        return float(1 - 2 * np.mean(np.where(guilty, (1 - q) * (1 - convict), q * convict)))


class Docket(NamedTuple):
    """What there is to see: `evidence` [voters, cases] is +1 for guilt, -1 against it; `present`: who votes; `coin`: how, in
    doubt.
    """

    guilty: Bool[np.ndarray, " cases"]
    evidence: Int[np.ndarray, "voters cases"]
    present: Bool[np.ndarray, "voters cases"]
    coin: Bool[np.ndarray, "voters cases"]


def drawn(facts: Facts, what: int) -> Float[np.ndarray, "voters cases"]:
    """Numbers from 0 to 1, of each juror and case."""
    keys = host_fold_in(host_key(facts.seed, 0, what), np.array(facts.names, np.uint32))
    return unit(host_bits(keys, facts.cases))


def unit(words: Any) -> np.ndarray:
    """Words of 32 bits as numbers in (0, 1)."""
    return (words.astype(np.float64) + 0.5) * 2.0**-32


@ft.lru_cache(maxsize=8)
def docket(facts: Facts) -> Docket:
    """The cases of a jury."""
    truth, view = (unit(host_bits(host_key(facts.seed, 0, k), facts.cases)) for k in (TRUTH, VIEW))
    guilty, (taken, right) = truth < facts.stakes.prior, facts.common
    well = drawn(facts, EVIDENCE) < np.array(facts.competence)[:, None]
    if taken:
        well = np.where(drawn(facts, TAKES) < taken, view < right, well)
    present = np.ones(well.shape, bool)
    if any(facts.abstention):
        present = drawn(facts, PRESENT) >= np.array(facts.abstention)[:, None]
    evidence = np.where(well == guilty, 1, -1).astype(np.int8)
    return Docket(guilty, evidence, present, drawn(facts, COIN) < 0.5)


def beliefs(facts: Facts) -> Float[np.ndarray, "voters cases"]:
    """The log-odds of guilt that each takes itself to have seen, above the threshold of conviction."""
    return np.abs(logit(facts.votes.competence))[:, None] * docket(facts).evidence - facts.stakes.threshold


def strategic(facts: Facts, innocent: np.ndarray, guilty: np.ndarray) -> Float[np.ndarray, "voters cases"]:
    """+1 where a juror votes to convict, -1 where to acquit, by these chances [voters] on evidence of innocence and of guilt."""
    chance = np.where(docket(facts).evidence > 0, guilty[:, None], innocent[:, None])
    return np.where(drawn(facts, MIXES) < chance, 1.0, -1.0)


@ft.lru_cache(maxsize=64)
def planned(facts: Facts) -> tuple[float, float, float]:
    """The worth of Bayes' verdicts: exactly, how much that may be wrong by, and on the docket. NaN where it cannot be summed."""
    measured = facts.right(bayes(facts))
    try:
        exact, wrong = optimum(np.array(facts.competence), np.array(facts.abstention), facts.common, facts.stakes)
    except Refused:
        return float("nan"), 1 / np.sqrt(facts.cases), measured
    return exact, wrong, measured


def bayes(facts: Facts) -> Float[np.ndarray, " cases"]:
    """The planner's verdict on each case; a coin where it is of two minds."""
    cases = docket(facts)
    seen = np.where(cases.present, cases.evidence, 0)
    odds = belief(seen, np.array(facts.competence), facts.common) - facts.stakes.threshold
    return np.where(np.abs(odds) < 1e-9, 0.5, odds > 0)


@ft.lru_cache(maxsize=64)
def voted(facts: Facts) -> tuple[float, float]:
    """Exact chances of conviction, if guilty and if not, where all vote sincerely and hear of nothing. Raises `Refused`."""
    return judged(facts, *sincere(facts.votes.competence, facts.stakes))


def judged(facts: Facts, innocent: np.ndarray, guilty: np.ndarray) -> tuple[float, float]:
    """The same for any strategies [voters]."""
    votes, (taken, right) = facts.votes, facts.common
    if not taken:
        return pair(votes.chances(votes.convicting(innocent, guilty)))
    own, found = (1 - taken) * np.array(facts.competence), np.zeros(2)
    for chance, well in ((right, own + taken), (1 - right, own)):
        if chance:
            found += chance * votes.chances(votes.convicting(innocent, guilty, well))
    return pair(found)


def pair(chances: np.ndarray) -> tuple[float, float]:
    """If guilty, and if not."""
    return float(chances[0]), float(chances[1])


def alone(facts: Facts) -> Float[np.ndarray, " voters"]:
    """The exact worth of each one's own decision, if it had to decide alone."""
    votes = facts.votes
    chances = votes.convicting(*sincere(votes.competence, facts.stakes))
    return np.array([facts.stakes.worth(guilty, innocent) for guilty, innocent in chances])
