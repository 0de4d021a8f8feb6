"""Labels from a crowd: who is right, and who can be trusted, found together from their votes alone.

    crowd = CrowdLabels().fit(tasks, workers, labels)
    crowd.labels_[k], crowd.posterior_[k]           of task crowd.tasks_[k]
    crowd.reliability_[j], crowd.confusion_[j]      of worker crowd.workers_[j]

Voters do not meet and are not asked who they are: the votes of all are the one signal, a pool in which each worker has as
much say as its votes have earned. The models, with their equations, are in `labels/confusion.py` and `labels/numeric.py`,
what a worker is worth in `labels/worth.py`.
"""

import math
import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from catallax.collective.labels import ballots, certificate, confusion, names, numeric, worth
from catallax.collective.labels.ballots import Ballots
from catallax.collective.labels.confusion import Gold, Knowledge, Rule
from catallax.collective.labels.sheet import Sheet
from catallax.core.errors import BadInput, Refused
from catallax.io.memory import free_memory, in_bytes

METHODS = ("dawid-skene", "one-coin", "majority", "gaussian", "student-t")
NUMERIC = METHODS[3:]
SMALL = 1e8  # bytes that are there
POSTERIORS, TABLES = 5, 10  # how many arrays of that size a search holds at once


class CrowdLabels(BaseEstimator):
    """One label a task from the votes of a crowd, with a probability, and how reliable each worker is.

    method      "dawid-skene": a confusion matrix for each worker; "one-coin": one chance of being right for each; "majority";
                for numbers "gaussian": a bias and a precision for each worker, and "student-t": the same, and wild errors
                count little
    classes     all labels there are, in their order; by default those voted for, sorted
    abstain     the label that counts as saying nothing (NaN: a missing one); by default a missing label is refused
    smoothing   pseudo-votes in each row of a confusion matrix, three quarters of them right (numbers: pseudo-votes of a typical
                error), so that who has voted once is taken neither for infallible nor for a fool
    tolerance   the largest change of a posterior probability in one round that counts as settled (numbers: of a label, as a
                share of the truths' spread)
    max_rounds  after which a search that has not settled is warned about

    After `fit`:
    tasks_, workers_, classes_   names, sorted
    labels_      [tasks] the likeliest label (of equals the first class); numbers: the expected one
    posterior_   [tasks, classes] probabilities; numbers: [tasks, 2], mean and standard deviation
    reliability_ [workers] the chance that a vote is right; numbers: the precision, 1 / variance of an error
    confusion_   [workers, classes, classes] chance of each vote (last axis) given the true class; prior_ [classes]
    information_ [workers] bits that a vote tells of the truth: what the worker would earn by betting on what it says
    influence_   [workers] shares of what single votes change, computed when asked for
    bias_        [workers] of numbers, in place of the four above
    votes_, abstentions_         [workers] weight of the votes, number of abstentions
    bounds_      the log-likelihood with the log prior after each round: it never falls
    residual_    the largest change of a posterior probability in one more round, recomputed apart (NaN for majority)
    rounds_, status_             "settled", "unsettled" or "interrupted" (Ctrl-C keeps what was found)

    Equal to rounding: votes in any order (bit for bit), a vote given twice and one of weight 2.
    """

    tasks_: np.ndarray
    workers_: np.ndarray
    classes_: np.ndarray
    labels_: np.ndarray
    posterior_: np.ndarray
    reliability_: np.ndarray
    confusion_: np.ndarray
    prior_: np.ndarray
    information_: np.ndarray
    bias_: np.ndarray
    votes_: np.ndarray
    abstentions_: np.ndarray
    bounds_: np.ndarray
    residual_: float
    rounds_: int
    status_: str
    _ballots: Ballots
    _gold: dict
    _sheet: Sheet
    _fixed: Gold
    _knowledge: Knowledge

    def __init__(
        self,
        method: str = "dawid-skene",
        classes: Any = None,
        abstain: Any = None,
        smoothing: int | float = 2.0,
        tolerance: int | float = 1e-4,
        max_rounds: int = 1000,
    ):
        self.method = method
        self.classes = classes
        self.abstain = abstain
        self.smoothing = smoothing
        self.tolerance = tolerance
        self.max_rounds = max_rounds

    def fit(
        self,
        tasks: Any,
        workers: Any,
        labels: Any,
        gold: Any = None,
        sample_weight: Any = None,
        look: Callable[[int, float], None] | None = None,
    ) -> "CrowdLabels":
        """From columns with one entry a vote: lists, arrays, pandas Series.

        `gold`: a mapping or Series from task to a label that is known. `sample_weight` [votes]: what each vote counts for.
        `look(rounds, change)` is called as the search goes on.

        Raises `BadInput`, one sentence, for columns that differ in length or are empty, missing values, weights below 0,
        one class alone, gold of a task without votes or with a label that is no class, parameters out of range.
        """
        self._check()
        votes = self._collect(tasks, workers, labels, sample_weight)
        return self._settle(votes, self._known(gold, {}), None, look)

    def partial_fit(
        self,
        tasks: Any,
        workers: Any,
        labels: Any,
        gold: Any = None,
        sample_weight: Any = None,
        look: Callable[[int, float], None] | None = None,
    ) -> "CrowdLabels":
        """More votes, on old tasks or new ones, by old workers or new ones; the first call is `fit`.

        All votes are kept, and the same objective is maximised over all of them; the search begins at what is believed so
        far, and at the shares of votes on new tasks. So it ends, within the tolerance, at a fixed point of `fit` on all
        votes at once: at the same one, unless the objective has several and the new votes lead to another. New gold joins
        the old, and replaces it where it names the same task. New classes join, unless `classes` are given.
        """
        if not hasattr(self, "_ballots"):
            return self.fit(tasks, workers, labels, gold, sample_weight, look)
        self._check()
        if (self._ballots.labels is None) != (self.method in NUMERIC):
            raise BadInput(f"method is {self.method!r}, and was of another kind before: call fit with all votes")
        votes = self._collect(tasks, workers, labels, sample_weight, two=False)
        votes = ballots.together(self._ballots, votes, self.classes)
        return self._settle(votes, self._known(gold, self._gold), self._ballots, look)

    def predict(self, tasks: Any = None) -> np.ndarray:
        """The labels of these tasks (by default of `tasks_`). Raises `BadInput` for a task without votes."""
        places = self._places(tasks)
        return self.labels_[places]

    def predict_proba(self, tasks: Any = None) -> np.ndarray:
        """The probabilities [tasks, classes] for these tasks. Raises `BadInput` for a task without votes, `Refused` where
        labels are numbers."""
        places = self._places(tasks)
        if self._ballots.labels is None:
            raise Refused("numbers have no classes with probabilities: posterior_ holds means and standard deviations")
        return self.posterior_[places]

    @property
    def influence_(self) -> np.ndarray:
        """Shares of workers in what single votes change, [workers]: see `labels/worth.py`."""
        self._check_fitted()
        if self._ballots.labels is None or self.method == "majority":
            raise Refused(f"influence is that of votes under a confusion matrix, and method {self.method!r} has none")
        return worth.influence(self._sheet, self._fixed, self.posterior_, self._knowledge)

    # --- steps ---

    def _check(self) -> None:
        """Parameters in range."""
        if self.method not in METHODS:
            raise BadInput(f"method is {self.method!r}: give one of {', '.join(METHODS)}")
        for name in ("smoothing", "tolerance"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 < value < math.inf:
                raise BadInput(f"{name} is {value!r}: give a positive number")
        if not isinstance(self.max_rounds, Integral) or self.max_rounds < 1:
            raise BadInput(f"max_rounds is {self.max_rounds!r}: give a whole number of at least 1")

    def _check_fitted(self) -> None:
        if not hasattr(self, "_ballots"):
            raise NotFittedError("this CrowdLabels has seen no votes: call fit first")

    def _rule(self) -> Rule:
        return Rule(float(self.smoothing), self.method == "one-coin", float(self.tolerance), self.max_rounds)

    def _collect(self, tasks: Any, workers: Any, labels: Any, weight: Any, two: bool = True) -> Ballots:
        numbers = self.method in NUMERIC
        return ballots.collect(tasks, workers, labels, weight, self.abstain, self.classes, numbers, two)

    def _known(self, gold: Any, before: dict) -> Any:
        """All gold so far."""
        return before | dict(gold.items()) if before and hasattr(gold, "items") else (before if gold is None else gold)

    def _places(self, tasks: Any) -> Any:
        self._check_fitted()
        if tasks is None:
            return slice(None)
        wanted = names.column("tasks", tasks)
        places = names.placed(self.tasks_, wanted)
        if (places < 0).any():
            row = int(np.argmax(places < 0))
            raise BadInput(
                f"tasks, row {row}: nobody has voted on {wanted[row]!r}; give its votes to partial_fit first"
            )
        return places

    def _settle(self, votes: Ballots, gold: Any, before: Ballots | None, look: Any) -> "CrowdLabels":
        """Work it out, and keep the answer once it is whole."""
        task, truth = ballots.known(gold, votes)
        if self.method in NUMERIC:
            answer = self._settle_numbers(votes, task, truth, before, look)
        else:
            answer = self._settle_classes(votes, Gold(task, truth), before, look)
        for name in [name for name in vars(self) if name.endswith("_")]:  # of another method, perhaps
            delattr(self, name)
        self.tasks_, self.workers_, self.abstentions_ = votes.tasks, votes.workers, votes.abstained
        self.votes_ = np.bincount(votes.worker, votes.weight, len(votes.workers))
        self._ballots, self._gold = votes, dict(ballots.gold_pairs(gold))
        for name, value in answer.items():
            setattr(self, name, value)
        if self.status_ == "unsettled":
            warnings.warn(
                f"not settled after {self.rounds_} rounds (residual {self.residual_:.1e}): give more max_rounds",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _settle_classes(self, votes: Ballots, gold: Gold, before: Ballots | None, look: Any) -> dict[str, Any]:
        check_memory(votes.sizes)
        rule, labels = self._rule(), votes.sizes[2]
        sheet = Sheet.of(votes.task, votes.worker, votes.said, votes.weight, votes.sizes)
        start = confusion.shares(sheet, gold)
        if self.method == "majority":
            found = confusion.Found(start, confusion.learnt(sheet, gold, start, rule), [], 0, "settled")
            residual = math.nan
        else:
            if before is not None:
                start = confusion.fixed(self._so_far(votes, before, start), gold)
            found = confusion.settle(sheet, gold, start, rule, look)
            residual = certificate.residual(sheet, gold, found.posterior, rule)
        prior = np.exp(found.knowledge.prior)
        matrices = np.exp(found.knowledge.evidence).reshape(-1, labels, labels).transpose(0, 2, 1)
        return dict(
            classes_=votes.classes,
            labels_=votes.classes[found.posterior.argmax(axis=1)],
            posterior_=found.posterior,
            prior_=prior,
            confusion_=matrices,
            reliability_=worth.reliability(prior, matrices),
            information_=worth.information(prior, matrices),
            bounds_=np.array(found.bounds),
            residual_=residual,
            rounds_=found.rounds,
            status_=found.status,
            _sheet=sheet,
            _fixed=gold,
            _knowledge=found.knowledge,
        )

    def _so_far(self, votes: Ballots, before: Ballots, start: np.ndarray) -> np.ndarray:
        """What is believed of old tasks, in their places among all; new tasks as they are in `start`."""
        rows, columns = names.placed(votes.tasks, before.tasks), names.placed(votes.classes, before.classes)
        start[rows] = 0
        start[rows[:, None], columns] = self.posterior_
        return start

    def _settle_numbers(
        self, votes: Ballots, task: np.ndarray, truth: np.ndarray, before: Ballots | None, look: Any
    ) -> dict[str, Any]:
        robust, rule = self.method == "student-t", self._rule()
        order = np.lexsort((votes.weight, votes.said, votes.worker, votes.task))
        task_of, worker, value, weight = (c[order] for c in (votes.task, votes.worker, votes.said, votes.weight))
        answers = numeric.Answers(task_of, worker, value, weight, len(votes.tasks), len(votes.workers), task, truth)
        middle = numeric.medians(answers)
        scale = numeric.scale_of(answers, middle, robust)
        start = numeric.begin(answers, middle, scale)
        if before is not None:
            start = self._numbers_so_far(votes, before, start)
        found = numeric.settle(answers, start, scale, rule, robust, look)
        belief = found.belief
        return dict(
            labels_=belief.mean,
            posterior_=np.stack([belief.mean, np.sqrt(belief.variance)], axis=1),
            reliability_=belief.precision,
            bias_=belief.bias,
            bounds_=np.array(found.bounds),
            residual_=certificate.numeric_residual(answers, belief, robust, math.sqrt(scale.truth)),
            rounds_=found.rounds,
            status_=found.status,
        )

    def _numbers_so_far(self, votes: Ballots, before: Ballots, start: numeric.Belief) -> numeric.Belief:
        """What is believed of old workers, in their places among all."""
        places = names.placed(votes.workers, before.workers)
        bias, precision = start.bias.copy(), start.precision.copy()
        bias[places], precision[places] = self.bias_, self.reliability_
        return start._replace(bias=bias, precision=precision)


def check_memory(sizes: tuple[int, int, int]) -> None:
    """That posteriors and confusion matrices fit. Raises `BadInput`."""
    tasks, workers, labels = sizes
    needed = 8.0 * (POSTERIORS * tasks * labels + TABLES * workers * labels**2)
    if needed < SMALL:
        return
    free = free_memory()
    if needed > free:
        raise BadInput(
            f"{tasks:,} tasks, {workers:,} workers and {labels:,} classes would need {in_bytes(needed)} of memory, and "
            f"{in_bytes(free)} may be used; merge rare classes or split the votes"
        )
