"""The planner: all evidence is known, with how good each source is, and weighed by Bayes' rule.

With independent evidence the verdict of the greatest worth is a weighted majority (S. Nitzan and J. Paroush, Optimal decision
rules in uncertain dichotomous choice situations, Int. Economic Review 23, 1982): juror i counts log p_i / (1 - p_i), and
conviction needs more than the threshold

    T = log q / (1 - q) - log r / (1 - r)        r: chance of guilt before any evidence,  q: doubt that must be overcome

Its worth, 1 - 2 sum_x min(q (1 - r) f_0(x), (1 - q) r f_1(x)), is a sum over the values x of the weighted count, f_1 and f_0
their chances if guilty and if not. Where there are too many values, each juror is replaced by one a little worse, and by
one a little better, whose weights lie on a grid: by Blackwell's order the two sums enclose it.

With a common view (right with the chance c) evidence is a mixture of two independent kinds, and no weighted count is
enough: the sum then runs over pairs of counts, one for each kind.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.collective.juries.chances import Spread, merged, total
from catallax.core.errors import Refused

STEPS = 2**17  # of the grid on which weights are rounded
APART = np.pi / 10  # no multiple of one count is ever one of the other


class Stakes(NamedTuple):
    """What verdicts are worth: the chance of guilt `prior`; `doubt`: the harm of convicting the innocent, of both kinds of harm."""

    prior: float
    doubt: float

    @property
    def threshold(self) -> float:
        """The log-odds of the evidence above which conviction is right."""
        return float(np.log(self.doubt / (1 - self.doubt)) - np.log(self.prior / (1 - self.prior)))

    @property
    def harms(self) -> tuple[float, float]:
        """Of convicting the innocent and of acquitting the guilty, each times its chance before any evidence."""
        return self.doubt * (1 - self.prior), (1 - self.doubt) * self.prior

    def worth(self, guilty: float, innocent: float) -> float:
        """1 - 2 x the expected harm, where the guilty and the innocent are convicted with these chances."""
        false, missed = self.harms
        return float(1 - 2 * (false * innocent + missed * (1 - guilty)))

    def best(self, guilty: np.ndarray, innocent: np.ndarray) -> float:
        """The worth of the best verdict for each value of what is known, of these chances [atoms]."""
        false, missed = self.harms
        return float(1 - 2 * np.minimum(false * innocent, missed * guilty).sum())


def logit(p: Any) -> Any:
    """log p / (1 - p)."""
    return np.log(p) - np.log1p(-p)


def optimum(competence: np.ndarray, abstention: np.ndarray, common: tuple[float, float], stakes: Stakes) -> tuple:
    """The worth of the best verdict, and how much it may be wrong by (0: exact to rounding).

    `competence`, `abstention` [voters]; `common`: the chance that one takes the common view, and that this is right.
    Raises `Refused` where unlike jurors with a common view are too many to be summed over.
    """
    if common[0] > 0:
        return mixed(competence, abstention, common, stakes), 0.0
    try:
        steps = [step(x, np.array([p, 1 - p]), m) for x, p, m in zip(logit(competence), competence, abstention)]
        spread = total(steps)
    except Refused:
        low, high = (on_grid(competence, abstention, stakes, up) for up in (0, 1))
        return (low + high) / 2, (high - low) / 2
    return stakes.best(*spread.chances.T), 0.0


def step(weight: float, right: np.ndarray, abstains: float) -> Spread:
    """One juror's weight, added with the chances `right` [worlds] and taken away with the others, if it does not abstain."""
    values = np.array([weight, -weight, 0.0])
    chances = np.stack([(1 - abstains) * right, (1 - abstains) * (1 - right), np.full(right.shape, abstains)])
    some = chances.any(1)
    return merged(values[some], chances[some])


def mixed(competence: np.ndarray, abstention: np.ndarray, common: tuple[float, float], stakes: Stakes) -> float:
    """The same with a common view: worlds are guilty or not, times the view right or not."""
    taken, right = common
    high, low = (1 - taken) * competence + taken, (1 - taken) * competence
    keys = logit(high) + APART * logit(low)
    worlds = np.stack([high, low, 1 - high, 1 - low], 1)
    spread = total([step(*each) for each in zip(keys, worlds, abstention, strict=True)])
    views = np.array([right, 1 - right])
    return stakes.best(spread.chances[:, :2] @ views, spread.chances[:, 2:] @ views)


def on_grid(competence: np.ndarray, abstention: np.ndarray, stakes: Stakes, up: int) -> float:
    """The worth with weights rounded down, or up, to a grid, and competences such that these are right."""
    weights = np.abs(logit(competence))
    width = weights.sum() / STEPS
    places = np.floor(weights / width).astype(int) + up
    right = 1 / (1 + np.exp(-places * width))
    guilty = walked(places, right, abstention)
    return stakes.best(guilty, guilty[::-1])


def walked(places: Int[np.ndarray, " voters"], right: np.ndarray, abstains: np.ndarray) -> Float[np.ndarray, " atoms"]:
    """The chances of the sum of steps of so many places, up with the chance `right`, down with the others."""
    reach = int(places.sum())
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for k, p, m in zip(places, right, abstains, strict=True):
        later = m * chances
        later[k:] += (1 - m) * p * chances[: len(chances) - k]
        later[: len(chances) - k] += (1 - m) * (1 - p) * chances[k:]
        chances = later
    return chances


def belief(evidence: np.ndarray, competence: np.ndarray, common: tuple[float, float]) -> Float[np.ndarray, " cases"]:
    """The log-odds of guilt that all evidence together gives. `evidence` [voters, cases]: +1 guilty, -1 not, 0 none."""
    taken, right = common
    if not taken:
        return logit(competence) @ evidence
    found = []
    for p in ((1 - taken) * competence + taken, (1 - taken) * competence):
        known = evidence != 0
        found.append((known * np.log(np.where(evidence > 0, p[:, None], 1 - p[:, None]))).sum(0))  # if guilty
        found.append((known * np.log(np.where(evidence > 0, 1 - p[:, None], p[:, None]))).sum(0))
    a, b = np.log(right) if right else -np.inf, np.log1p(-right) if right < 1 else -np.inf
    return np.logaddexp(a + found[0], b + found[2]) - np.logaddexp(a + found[1], b + found[3])
