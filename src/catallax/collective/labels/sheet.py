"""The votes, sorted: by task, on a task by worker and label.

A pair (worker, label), worker * labels + label, is one number. Sorted, the order in which votes came leaves no trace, not even
of rounding; who says the same twice has two votes side by side.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt


@dataclass(frozen=True)
class Sheet:
    """Votes of `workers` on `tasks`: those on t stand from first[t] to first[t + 1]. No `weight`: all are 1."""

    first: Int[np.ndarray, " tasks_and_one"]
    task: Int[np.ndarray, " votes"]
    said: Int[np.ndarray, " votes"] | UInt[np.ndarray, " votes"]
    weight: Float[np.ndarray, " weights"]
    tasks: int
    workers: int
    labels: int

    @classmethod
    def of(
        cls,
        task: Int[np.ndarray, " votes"],
        worker: Int[np.ndarray, " votes"],
        label: Int[np.ndarray, " votes"],
        weight: Float[np.ndarray, " votes"],
        sizes: tuple[int, int, int],
    ) -> "Sheet":
        """From one row a vote; `sizes`: how many tasks, workers and labels there are."""
        from catallax.collective.labels.rounds import group  # loads numba

        tasks, workers, labels = sizes
        width = np.uint32 if workers * labels < 2**32 else np.int64
        said = worker.astype(width) * width(labels) + label.astype(width)
        whole = bool((weight == 1).all())
        place = np.int32 if len(said) < 2**31 else np.int64
        order = np.arange(len(said), dtype=place) if whole else np.argsort(weight, kind="stable").astype(place)
        by_pair, by_task = np.empty_like(order), np.empty_like(order)
        group(said, order, np.zeros(workers * labels + 1, np.int64), by_pair)
        first = np.zeros(tasks + 1, np.int64)
        group(task.astype(width), by_pair, first, by_task)
        return cls(
            first, task[by_task], said[by_task], np.empty(0) if whole else weight[by_task], tasks, workers, labels
        )

    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """One row a vote again: task, worker, label, weight."""
        worker, label = np.divmod(self.said, self.said.dtype.type(self.labels))
        weight = self.weight if len(self.weight) else np.ones(len(self.said))
        return self.task, worker.astype(np.int32), label.astype(np.int32), weight

    def counts(self) -> Float[np.ndarray, "tasks labels"]:
        """The weight of the votes for each label."""
        place = self.task * np.int64(self.labels) + self.said % self.said.dtype.type(self.labels)
        weight = self.weight if len(self.weight) else np.ones(len(place))
        return np.bincount(place, weight, self.tasks * self.labels).reshape(self.tasks, self.labels)
