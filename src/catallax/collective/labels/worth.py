"""What a worker is worth: reliability, information, influence.

A worker is a channel from the truth to a vote, with confusion matrix C[w] and inputs drawn from the prior p.

    reliability  sum_k p[k] C[w, k, k]                                      the chance that a vote is right
    information  sum_kl p[k] C[w, k, l] log2(C[w, k, l] / sum_j p[j] C[w, j, l])    bits a vote

The information is the wealth that the worker earns: a bettor with log utility who bets on the truth at the odds of the
prior, and is told the worker's vote each time, doubles its wealth so many times a bet (Kelly's theorem).

Influence is what would change without the worker: a vote's is the distance between the task's posterior and that without the
vote at the same parameters, half the sum of absolute differences; who says the same twice has one vote; shares over workers
sum to one.

    J. L. Kelly, A new interpretation of information rate, Bell System Technical Journal 35(4), 1956, 917-926.
"""

import numpy as np
from jaxtyping import Float

from catallax.collective.labels import confusion
from catallax.collective.labels.confusion import Gold, Knowledge
from catallax.collective.labels.sheet import Sheet

BLOCK = 1 << 16  # votes


def reliability(prior: Float[np.ndarray, " classes"], matrices: Float[np.ndarray, "workers classes classes"]):
    """The chance that a vote of each worker is right, [workers]."""
    return np.einsum("k,wkk->w", prior, matrices)


def information(prior: Float[np.ndarray, " classes"], matrices: Float[np.ndarray, "workers classes classes"]):
    """Bits that a vote of each worker tells of the truth, [workers]."""
    said = np.einsum("k,wkl->wl", prior, matrices)
    told = np.einsum("k,wkl,wkl->w", prior, matrices, np.log2(matrices / said[:, None]))
    return np.maximum(told, 0)


def influence(
    sheet: Sheet, gold: Gold, posterior: Float[np.ndarray, "tasks classes"], knowledge: Knowledge
) -> Float[np.ndarray, " workers"]:
    """Each worker's share of what single votes change; 0 for all where none changes anything."""
    task, worker, _, weight = sheet.rows()
    alone = np.flatnonzero(np.diff(task, prepend=-1) | np.diff(sheet.said.astype(np.int64), prepend=-1))
    weight, task, worker, said = np.add.reduceat(weight, alone), task[alone], worker[alone], sheet.said[alone]
    moved = np.empty(len(alone))
    for low in range(0, len(alone), BLOCK):
        some = slice(low, low + BLOCK)
        logs = -weight[some, None] * knowledge.evidence[said[some]]
        with np.errstate(divide="ignore"):  # a class that is ruled out stays so
            logs += np.log(posterior[task[some]])
        confusion.softened(logs)
        moved[some] = np.abs(posterior[task[some]] - logs).sum(axis=1) / 2
    known = np.zeros(sheet.tasks, bool)
    known[gold.task] = True
    moved[known[task]] = 0
    total = np.bincount(worker, moved, sheet.workers)
    return total / total.sum() if total.sum() > 0 else total
