"""Numbers from a crowd: each worker has a bias and a precision, and may err wildly now and then.

Worker w says  y = x[t] + bias[w] + error,  the truth of task t is drawn as x[t] ~ N(m, v), and errors are

    gaussian     N(0, 1 / precision[w])
    student-t    a normal of precision u * precision[w], u ~ Gamma(2, 2) for each vote: four degrees of freedom

With a = smoothing pseudo-votes of error 0 and variance s0 for each worker (a normal-gamma prior) and a pseudo-tasks of variance
v0, where s0 and v0 are the crowd's own at the start, the rounds raise the evidence bound

    sum_votes weight log f(E error^2)  +  sum_t [log N(mean[t]; m, v) - deviation[t]^2 / 2v + entropy]  +  log priors

over the beliefs about x (normal), about u (gamma) and the parameters, one after the other: none lowers it. For the gaussian
it is the evidence itself; for student-t, f is the t density at the root of the expected square. Adding to all truths and
taking it from all biases changes the prior alone, so biases are centred at each round where no gold says where zero is.

    V. C. Raykar et al., Learning from crowds, Journal of Machine Learning Research 11, 2010, 1297-1322, section 5.
    C. Liu and D. B. Rubin, ML estimation of the t distribution using EM and its extensions, Statistica Sinica 5(1), 1995.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln

from catallax.collective.labels.confusion import Look, Rule

FREEDOM = 4.0  # degrees, of student-t
CONSISTENT = 0.45493642311957283  # the median of a squared standard normal


class Answers(NamedTuple):
    """One row a vote; `known`, `truth`: tasks with gold."""

    task: Int[np.ndarray, " votes"]
    worker: Int[np.ndarray, " votes"]
    value: Float[np.ndarray, " votes"]
    weight: Float[np.ndarray, " votes"]
    tasks: int
    workers: int
    known: Int[np.ndarray, " known"]
    truth: Float[np.ndarray, " known"]

    def by_task(self, values: Float[np.ndarray, " votes"]) -> Float[np.ndarray, " tasks"]:
        """Sums over the votes on each task."""
        return np.bincount(self.task, values, self.tasks)

    def by_worker(self, values: Float[np.ndarray, " votes"]) -> Float[np.ndarray, " workers"]:
        """Sums over the votes of each worker."""
        return np.bincount(self.worker, values, self.workers)


class Belief(NamedTuple):
    """What is thought of the truths and of the workers."""

    mean: Float[np.ndarray, " tasks"]
    variance: Float[np.ndarray, " tasks"]
    bias: Float[np.ndarray, " workers"]
    precision: Float[np.ndarray, " workers"]
    centre: float  # m
    spread: float  # v


class Scale(NamedTuple):
    """Of the prior: s0 of errors, v0 of truths, in squares of the labels' unit."""

    error: float
    truth: float


class Found(NamedTuple):
    """A belief and how it was come by."""

    belief: Belief
    bounds: list[float]
    rounds: int
    status: str  # settled, unsettled, interrupted


def medians(answers: Answers) -> Float[np.ndarray, " tasks"]:
    """The weighted median of the votes on each task, that of all votes where there are none; gold where it is known."""
    order = np.lexsort((answers.value, answers.task))
    task, value, weight = answers.task[order], answers.value[order], answers.weight[order]
    total = np.bincount(task, weight, answers.tasks)
    ends = np.cumsum(total)
    below = np.cumsum(weight) - (ends - total)[task]  # weight up to and with this vote, in its task
    half = total[task] / 2
    slack = 1e-9 * half
    low, high = np.full(answers.tasks, np.nan), np.full(answers.tasks, np.nan)
    for middle, enough in ((low, below >= half - slack), (high, below > half + slack)):
        place = np.flatnonzero(enough)[::-1]  # the first of each task is written last
        middle[task[place]] = value[place]
    middle = (low + np.where(np.isnan(high), low, high)) / 2
    middle[np.isnan(middle) | (total == 0)] = np.median(answers.value)
    middle[answers.known] = answers.truth
    return middle


def scale_of(answers: Answers, middle: Float[np.ndarray, " tasks"], robust: bool) -> Scale:
    """How far votes lie from their task's median, and truths from each other."""
    square = (answers.value - middle[answers.task]) ** 2
    if robust and (square > 0).any():
        error = float(np.median(square[square > 0])) / CONSISTENT
    else:
        error = float(np.average(square, weights=answers.weight))
    least = np.finfo(float).eps * max(1.0, float(np.abs(answers.value).max()) ** 2)
    return Scale(max(error, least), max(float(np.var(middle)), least))


def begin(answers: Answers, middle: Float[np.ndarray, " tasks"], scale: Scale) -> Belief:
    """Medians, and nobody known to be biased or better than others."""
    flat = np.zeros(answers.workers)
    votes = answers.by_task(answers.weight)
    variance = 1 / (1 / scale.truth + votes / scale.error)
    variance[answers.known] = 0
    return Belief(middle, variance, flat, flat + 1 / scale.error, float(middle.mean()), scale.truth)


def squares(answers: Answers, belief: Belief) -> Float[np.ndarray, " votes"]:
    """The expected square of each vote's error."""
    off = answers.value - belief.mean[answers.task] - belief.bias[answers.worker]
    return off**2 + belief.variance[answers.task]


def trust(
    answers: Answers, belief: Belief, square: Float[np.ndarray, " votes"], robust: bool
) -> Float[np.ndarray, " votes"]:
    """Each vote's weight times its expected u: what lies far out counts little."""
    if not robust:
        return answers.weight
    return answers.weight * (FREEDOM + 1) / (FREEDOM + belief.precision[answers.worker] * square)


def judge(answers: Answers, belief: Belief, robust: bool) -> Belief:
    """The truths, given the workers."""
    force = trust(answers, belief, squares(answers, belief), robust) * belief.precision[answers.worker]
    total = 1 / belief.spread + answers.by_task(force)
    pull = answers.by_task(force * (answers.value - belief.bias[answers.worker]))
    mean, variance = (belief.centre / belief.spread + pull) / total, 1 / total
    mean[answers.known], variance[answers.known] = answers.truth, 0
    return belief._replace(mean=mean, variance=variance)


def learn(answers: Answers, belief: Belief, scale: Scale, rule: Rule, robust: bool) -> Belief:
    """The workers, given the truths; pseudo-votes keep one who has voted once from being certain."""
    pseudo = rule.smoothing
    force = trust(answers, belief, squares(answers, belief), robust)
    off = answers.value - belief.mean[answers.task]
    bias = answers.by_worker(force * off) / (answers.by_worker(force) + pseudo)
    square = squares(answers, belief._replace(bias=bias))
    total = answers.by_worker(force * square) + pseudo * (bias**2 + scale.error)
    precision = (answers.by_worker(answers.weight) + pseudo) / total
    centre = float(belief.mean.mean())
    spread = float(((belief.mean - centre) ** 2 + belief.variance).sum() + pseudo * scale.truth)
    learnt = belief._replace(bias=bias, precision=precision, centre=centre, spread=spread / (answers.tasks + pseudo))
    return learnt if len(answers.known) else centred(learnt)


def centred(belief: Belief) -> Belief:
    """Biases whose mean, weighted by precision, is zero: of all zeros the one that the prior likes best."""
    shift = float(np.average(belief.bias, weights=belief.precision))
    return belief._replace(mean=belief.mean + shift, bias=belief.bias - shift, centre=belief.centre + shift)


def bound(answers: Answers, belief: Belief, scale: Scale, rule: Rule, robust: bool) -> float:
    """The evidence bound, constants of the priors left out."""
    square, precision = squares(answers, belief), belief.precision[answers.worker]
    if robust:
        constant = gammaln((FREEDOM + 1) / 2) - gammaln(FREEDOM / 2) - np.log(FREEDOM * np.pi) / 2
        each = constant + np.log(precision) / 2 - (FREEDOM + 1) / 2 * np.log1p(precision * square / FREEDOM)
    else:
        each = (np.log(precision / (2 * np.pi)) - precision * square) / 2
    free = belief.variance > 0
    off = (belief.mean - belief.centre) ** 2 + belief.variance
    truths = -(np.log(2 * np.pi * belief.spread) + off / belief.spread) / 2
    entropy = (np.log(2 * np.pi * belief.variance[free]) + 1) / 2
    workers = np.log(belief.precision) - belief.precision * (belief.bias**2 + scale.error)
    world = np.log(belief.spread) + scale.truth / belief.spread
    prior = rule.smoothing / 2 * (workers.sum() - world)
    return float((answers.weight * each).sum() + truths.sum() + entropy.sum() + prior)


def settle(answers: Answers, start: Belief, scale: Scale, rule: Rule, robust: bool, look: Look | None = None) -> Found:
    """Judge and learn until no truth moves by more than the tolerance, in units of the truths' spread."""
    found, belief, bounds = None, start, []
    unit = np.sqrt(scale.truth)
    try:
        for rounds in range(1, rule.max_rounds + 1):
            after = judge(answers, learn(answers, belief, scale, rule, robust), robust)
            change = float(np.abs(after.mean - belief.mean).max() / unit)
            belief = after
            bounds.append(bound(answers, belief, scale, rule, robust))
            ended = "settled" if change <= rule.tolerance else "unsettled"
            found = Found(belief, bounds, rounds, ended)
            if look is not None:
                look(rounds, change)
            if ended == "settled":
                break
    except KeyboardInterrupt:
        if found is None:
            raise
        return found._replace(status="interrupted")
    assert found is not None  # at least one round is run
    return found
