"""How far an answer is from one that confirms itself, computed from the votes alone and by code of its own.

One plain round of learning and judging in float64, class by class, in logarithms: no kernel, no product of chances, no long
step, nothing that the search has used. The residual is the largest change of any posterior probability.
"""

import numpy as np
from jaxtyping import Float

from catallax.collective.labels.confusion import NEWCOMER, Gold, Rule
from catallax.collective.labels.numeric import FREEDOM, Answers, Belief
from catallax.collective.labels.sheet import Sheet


def residual(sheet: Sheet, gold: Gold, posterior: Float[np.ndarray, "tasks classes"], rule: Rule) -> float:
    """The largest change of a posterior probability in one more round."""
    again = judged_again(sheet, posterior, rule)
    again[gold.task] = np.eye(sheet.labels)[gold.label]
    again -= posterior
    return float(max(again.max(), -again.min()))


def judged_again(
    sheet: Sheet, posterior: Float[np.ndarray, "tasks classes"], rule: Rule
) -> Float[np.ndarray, "tasks classes"]:
    """The posterior after one round, gold not heeded."""
    labels, task, said = sheet.labels, sheet.task.astype(np.intp), sheet.said.astype(np.intp)
    weight = sheet.weight if len(sheet.weight) else 1.0
    believed = [np.bincount(said, weight * column[task], sheet.workers * labels) for column in posterior.T.copy()]
    counts = np.stack(believed, axis=-1).reshape(-1, labels, labels)  # worker, label, class
    even, sure = (1 - NEWCOMER) * rule.smoothing / labels, NEWCOMER * rule.smoothing
    if rule.one_coin:
        hits, votes = counts.trace(axis1=1, axis2=2), counts.sum(axis=(1, 2))
        right = ((hits + sure + even) / (votes + rule.smoothing))[:, None, None]
        chance = np.where(np.eye(labels, dtype=bool), right, (1 - right) / (labels - 1))
    else:
        chance = (counts + even + sure * np.eye(labels)) / (counts.sum(axis=1, keepdims=True) + rule.smoothing)
    evidence = np.log(chance).reshape(-1, labels).T.copy()
    prior = posterior.sum(axis=0) + rule.smoothing / labels
    scores = np.stack([np.bincount(task, weight * column[said], sheet.tasks) for column in evidence], axis=-1)
    scores += np.log(prior / prior.sum())
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    return chances / chances.sum(axis=1, keepdims=True)


def numeric_residual(answers: Answers, belief: Belief, robust: bool, unit: float) -> float:
    """The largest error of a truth's own equation, in `unit`: that it is the mean of its votes, each less the worker's
    bias, weighted by precision and trust, and of the population's centre."""
    precise, heavy = np.full(answers.tasks, 1 / belief.spread), np.full(answers.tasks, belief.centre / belief.spread)
    worker, task = answers.worker, answers.task
    honest = answers.value - belief.bias[worker]
    force = answers.weight * belief.precision[worker]
    if robust:
        distance = belief.precision[worker] * (np.square(honest - belief.mean[task]) + belief.variance[task])
        force = force * (1 + FREEDOM) / (distance + FREEDOM)
    np.add.at(precise, task, force)
    np.add.at(heavy, task, force * honest)
    off = np.abs(heavy / precise - belief.mean)
    off[answers.known] = 0
    return float(off.max() / unit)
