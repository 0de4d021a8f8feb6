"""Dawid and Skene's model: each worker has a confusion matrix, and nobody needs to know the truth to estimate it.

Task t has the class k with chance p[k]; worker w then says l with chance C[w, k, l], each vote for itself. Pseudo-votes
A[k, l] (a Dirichlet prior), `smoothing` of them in each row, stand for a newcomer: three quarters are right, the rest is
spread evenly. The parameters maximise

    bound(p, C) = sum_t log sum_k p[k] prod_votes C[w, k, l]^weight + sum_wkl A[k, l] log C[w, k, l] + a sum_k log p[k]

with a = smoothing / classes. Where each worker votes a few times only the prior matters: evenly spread, it would let the
search end with classes merged (below the majority by far, on simulated crowds of two votes a worker).

    judge   posterior[t, k]  is proportional to  p[k] prod_votes C[w, k, l]^weight       (a task with gold: the gold)
    learn   C[w, k, l]       is proportional to  A[k, l] + sum of weight posterior[t, k] over the worker's votes l

and judging after learning never lowers the bound (EM). The posterior is a logarithmic pool: the votes' evidence log C adds
up. `one coin`: C[w, k, k] = r[w] for every class, the rest shared evenly.

Plain rounds creep near the end, so every second one is followed by a long step in log p and log C (SQUAREM), which is
taken back where the bound says that it was too long: the bound never falls, and the fixed points are the same.

    A. P. Dawid and A. M. Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied
    Statistics 28(1), 1979, 20-28.
    R. Varadhan and C. Roland, Simple and globally convergent methods for accelerating the convergence of any EM algorithm,
    Scandinavian Journal of Statistics 35(2), 2008, 335-353 (scheme S3).
"""

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from catallax.collective.labels.sheet import Sheet

NEWCOMER = 0.75  # of the pseudo-votes are right, the rest is spread evenly
LONGEST = 4.0  # of a long step at first, in plain ones; grows by itself
LEAST = 600.0  # of minus the log of a product of chances: doubles go down to exp(-708)
BLOCK = 64  # tasks that are worked at once
LINE = 8  # doubles in a line of the processor's cache
MANY, PARTS = 1_000_000, 2  # more votes than so many are shared among so many threads
Look = Callable[[int, float], None]


class Rule(NamedTuple):
    """What is estimated, and when it is enough."""

    smoothing: float  # pseudo-votes a row of a confusion matrix
    one_coin: bool
    tolerance: float  # of the largest change of a posterior in one round
    max_rounds: int


class Gold(NamedTuple):
    """Tasks whose class is known."""

    task: Int[np.ndarray, " known"]
    label: Int[np.ndarray, " known"]


class Knowledge(NamedTuple):
    """The parameters, as logarithms: `prior` [classes], `evidence` [workers * labels, classes]."""

    prior: Float[np.ndarray, " classes"]
    evidence: Float[np.ndarray, "pairs classes"]


class Found(NamedTuple):
    """A posterior, what it teaches, and how it was come by: the bound after every round that counted."""

    posterior: Float[np.ndarray, "tasks classes"]
    knowledge: Knowledge
    bounds: list[float]
    rounds: int
    status: str  # settled, unsettled, interrupted


def shares(sheet: Sheet, gold: Gold) -> Float[np.ndarray, "tasks classes"]:
    """The majority's posterior: each label's share of the votes on a task, evenly where nobody voted, gold where known."""
    counts = sheet.counts()
    total = counts.sum(axis=1, keepdims=True)
    posterior = np.where(total > 0, counts / np.where(total > 0, total, 1), 1 / sheet.labels)
    return fixed(posterior, gold)


def fixed(posterior: Float[np.ndarray, "tasks classes"], gold: Gold) -> Float[np.ndarray, "tasks classes"]:
    """The same, with the gold where it is known (in place)."""
    posterior[gold.task] = 0
    posterior[gold.task, gold.label] = 1
    return posterior


class Search:
    """Parameters on their way, and the compiled rounds that lead there. `posterior` is worked in place.

    Use it in a `with`: many votes are shared among threads, always in as many parts, so that the answer is the same anywhere.
    """

    def __init__(self, sheet: Sheet, gold: Gold, rule: Rule, posterior: Float[np.ndarray, "tasks classes"]):
        from catallax.collective.labels import rounds  # loads numba

        self.rounds, self.sheet, self.posterior, self.labels = rounds, sheet, posterior, sheet.labels
        parts, strips = 1 if len(sheet.said) <= MANY else PARTS, -(-sheet.labels // rounds.STRIP)
        cuts = np.searchsorted(sheet.first, np.linspace(0, len(sheet.said), parts + 1))
        cuts[0], cuts[-1] = 0, sheet.tasks
        self.cuts = [(int(low), int(high)) for low, high in itertools.pairwise(cuts)]
        pairs = sheet.workers * sheet.labels
        self.tables = in_line((parts, pairs, strips, 2, rounds.STRIP))
        self.tables[:, :, :, 0] = 1
        self.classes = np.zeros((parts, strips, rounds.STRIP))
        self.prior = np.zeros((strips, rounds.STRIP))
        self.rows = np.zeros((parts, strips, BLOCK, rounds.STRIP))
        self.shape = (pairs + 1, strips * rounds.STRIP)
        self.gold = np.full(sheet.tasks, -1, np.int32)
        self.gold[gold.task] = gold.label
        self.pseudo = (NEWCOMER * rule.smoothing, (1 - NEWCOMER) * rule.smoothing / sheet.labels, rule.one_coin)
        self.says, self.few = 0.0, 0
        self.pool = ThreadPoolExecutor(parts) if parts > 1 else None

    def __enter__(self) -> "Search":
        return self

    def __exit__(self, *why: object) -> None:
        if self.pool is not None:
            self.pool.shutdown()

    def logs(self) -> Float[np.ndarray, "rows width"]:
        """Room for logarithms of parameters."""
        return np.zeros(self.shape)

    def judge(self, logs: Float[np.ndarray, "rows width"], given: bool = False) -> tuple[float, float]:
        """The posterior under the parameters that were learnt or led to last, and its counts; counts alone if it is given.

        Returns the bound of the parameters, and the posterior's largest change.
        """
        sheet = self.sheet
        votes = (sheet.first, sheet.said, sheet.weight, self.gold, self.few)

        def part(k: int) -> tuple[float, float]:
            room = (self.rows[k], self.posterior, self.classes[k])
            return self.rounds.judge(*self.cuts[k], given, *votes, self.tables[k], logs, self.prior, *room)

        found = [part(0)] if self.pool is None else at_once(self.pool, part, len(self.cuts))
        return sum(each for each, _ in found) + self.says, max(change for _, change in found)

    def learn(self, logs: Float[np.ndarray, "rows width"], led: bool = False) -> None:
        """The parameters that explain the counts best; if they are `led`, their shares."""
        said = (self.tables, self.classes, self.labels, *self.pseudo, led, logs, self.prior)
        self.says, floor = self.rounds.learn(*said)
        self.few = int(LEAST / -math.log(floor)) - 1 if 0 < floor < 1 else 0

    def lead(self, before: Any, middle: Any, after: Any, length: float, logs: Float[np.ndarray, "rows width"]) -> None:
        """Parameters a long step on, in `logs`; `middle` is lost."""
        self.rounds.lead(before, middle, after, length, self.labels, self.tables, self.classes)
        self.learn(logs, led=True)

    def knowledge(self, logs: Float[np.ndarray, "rows width"]) -> Knowledge:
        """The parameters by name."""
        return Knowledge(logs[-1, : self.labels].copy(), logs[:-1, : self.labels].copy())


def at_once(pool: ThreadPoolExecutor, part: Callable[[int], tuple[float, float]], parts: int) -> list:
    """What the parts give; Ctrl-C waits for them, for what they write is used afterwards."""
    jobs = [pool.submit(part, k) for k in range(parts)]
    try:
        return [job.result() for job in jobs]
    finally:
        wait(jobs)


def in_line(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros that begin with a line of the processor's cache."""
    size = math.prod(shape)
    room = np.zeros(size + LINE)
    skip = -(room.ctypes.data // room.itemsize) % LINE
    return room[skip : skip + size].reshape(shape)


def learnt(sheet: Sheet, gold: Gold, posterior: Float[np.ndarray, "tasks classes"], rule: Rule) -> Knowledge:
    """What a posterior teaches of the workers."""
    with Search(sheet, gold, rule, posterior.copy()) as search:
        logs = search.logs()
        search.judge(logs, given=True)
        search.learn(logs)
        return search.knowledge(logs)


def settle(
    sheet: Sheet, gold: Gold, start: Float[np.ndarray, "tasks classes"], rule: Rule, look: Look | None = None
) -> Found:
    """Judge and learn from a first posterior until none changes by more than the tolerance.

    `look(rounds, change)` is called every other round. Ctrl-C keeps what was found, once there is something.
    """
    with Search(sheet, gold, rule, start.copy()) as search:
        known, middle, after = search.logs(), search.logs(), search.logs()
        search.judge(after, given=True)
        search.learn(after)
        bounds: list[float] = []
        status, rounds, longest = "unsettled", 0, LONGEST
        known[:] = after
        try:
            while rounds < rule.max_rounds and status == "unsettled":
                bound, _ = search.judge(known)
                if bounds and not bound >= bounds[-1]:  # too long a step
                    search.lead(after, middle, after, 0.0, known)
                    longest, rounds = max(1.0, longest / LONGEST), rounds + 1
                    bound, _ = search.judge(known)
                search.learn(middle)
                least, change = search.judge(middle)
                search.learn(after)
                rounds += 2
                bounds += [bound, least]
                if change <= rule.tolerance:
                    status = "settled"
                if look is not None:
                    look(rounds, change)
                if status == "unsettled":
                    longest = leap(search, known, middle, after, longest)
        except KeyboardInterrupt:
            if not bounds:
                raise
            search.lead(after, middle, after, 0.0, known)
            search.judge(known)
            search.learn(after)
            status = "interrupted"
        return Found(search.posterior, search.knowledge(after), bounds, rounds, status)


def leap(search: Search, known: np.ndarray, middle: np.ndarray, after: np.ndarray, longest: float) -> float:
    """Where two plain steps lead to in the long run, in `known`; and the longest step to take from there."""
    size, curve = search.rounds.lengths(known, middle, after)
    length = min(max(math.sqrt(size / curve), 1.0), longest) if curve > 0 else 1.0
    if length <= 1:
        known[:] = after
        return longest
    search.lead(known, middle, after, length, known)
    return longest * LONGEST if length == longest else longest


def softened(scores: Float[np.ndarray, "tasks classes"]) -> None:
    """Turns scores into probabilities, in place."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
