"""Votes as they come in, checked and coded: names sorted, one row a vote.

An abstention is heard and counted, and says nothing: its task and its worker stay on the lists, the vote is dropped.
"""

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from catallax.collective.labels import names
from catallax.core.errors import BadInput, Refused


@dataclass(frozen=True)
class Ballots:
    """Who said what of which task: names, places among them, weights. `labels`: the classes, None where `said` are numbers."""

    tasks: np.ndarray  # [tasks]
    workers: np.ndarray  # [workers]
    labels: np.ndarray | None  # [classes]
    task: Int[np.ndarray, " votes"]
    worker: Int[np.ndarray, " votes"]
    said: np.ndarray  # [votes], int32 or float64
    weight: Float[np.ndarray, " votes"]
    abstained: Int[np.ndarray, " workers"]

    @property
    def classes(self) -> np.ndarray:
        """The classes; there are none of numbers."""
        if self.labels is None:
            raise Refused("numbers have no classes")
        return self.labels

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Tasks, workers, classes."""
        return len(self.tasks), len(self.workers), 0 if self.labels is None else len(self.labels)


def collect(
    tasks: Any, workers: Any, labels: Any, weight: Any, abstain: Any, classes: Any, numeric: bool, two: bool = True
) -> Ballots:
    """Columns as people give them, checked; `two`: whether two classes must be there.

    Raises `BadInput`, one sentence, for the first fault.
    """
    columns = {"tasks": names.column("tasks", tasks), "workers": names.column("workers", workers)}
    columns["labels"] = names.column("labels", labels)
    if weight is not None:
        columns["sample_weight"] = names.column("sample_weight", weight)
    check_lengths(columns)
    mass = weights(columns.get("sample_weight"), len(columns["labels"]))
    all_tasks, task = names.coded("tasks", columns["tasks"])
    all_workers, worker = names.coded("workers", columns["workers"])
    said = columns.pop("labels")
    silent = abstentions(said, abstain)
    silences = np.bincount(worker[silent], minlength=len(all_workers))
    if silent.any():
        names.refuse_missing("labels", said, apart=silent)  # here, where rows still count from the first
        rows = np.flatnonzero(~silent)
        if not len(rows):
            raise BadInput(
                f"labels: all {len(said):,} votes are abstentions ({abstain!r}); somebody must say something"
            )
        said, task, worker, mass = names.as_array(said)[rows], task[rows], worker[rows], mass[rows]
        said = names.column("labels", said)
    if numeric:
        return Ballots(all_tasks, all_workers, None, task, worker, numbers(said, silent), mass, silences)
    found, codes = classed(said, classes, silent, two)
    return Ballots(all_tasks, all_workers, found, task, worker, codes, mass, silences)


def check_lengths(columns: Mapping[str, names.Column]) -> None:
    """One entry a vote in every column, and at least one vote."""
    rows = len(columns["tasks"])
    for field, array in columns.items():
        if len(array) != rows:
            raise BadInput(f"{field} has {len(array):,} rows and tasks {rows:,}: give one entry a vote in each")
    if rows == 0:
        raise BadInput("tasks is empty: give at least one vote")


def weights(given: names.Column | None, rows: int) -> Float[np.ndarray, " votes"]:
    """What each vote counts for."""
    if given is None:
        return np.ones(rows)
    try:
        mass = names.as_array(given).astype(np.float64)
    except (TypeError, ValueError):
        raise BadInput("sample_weight holds values that are no numbers: give numbers of at least 0") from None
    wrong = ~(np.isfinite(mass) & (mass >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadInput(f"sample_weight, row {row}: the weight is {mass[row]:g}; give a finite number of at least 0")
    if not mass.any():
        raise BadInput("sample_weight is 0 for every vote: give a positive one to at least one")
    return mass


def abstentions(labels: names.Column, abstain: Any) -> np.ndarray:
    """Which votes are abstentions, [votes], bool."""
    if abstain is None:
        return np.zeros(len(labels), bool)
    if names.is_missing(abstain):
        return names.missing(labels)
    if isinstance(labels, list):
        return np.fromiter((label == abstain for label in labels), bool, len(labels))
    return np.broadcast_to(np.asarray(labels == abstain), labels.shape).copy()


def numbers(said: names.Column, silent: np.ndarray) -> Float[np.ndarray, " votes"]:
    """Labels as finite numbers."""
    try:
        values = names.as_array(said).astype(np.float64)
    except (TypeError, ValueError):
        values = np.array([number(value) for value in said])
    wrong = ~np.isfinite(values)
    if wrong.any():
        place = int(np.argmax(wrong))
        row = int(np.flatnonzero(~silent)[place])
        raise BadInput(
            f"labels, row {row}: {reprlib.repr(said[place])} is no finite number; give one, or remove the vote"
        )
    return values


def number(value: Any) -> float:
    """One value as a number, NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def classed(said: names.Column, classes: Any, silent: np.ndarray, two: bool) -> tuple[np.ndarray, np.ndarray]:
    """The classes, and which of them each vote is for; classes that are given keep their order."""
    if classes is None:
        found, codes = names.coded("labels", said)
    else:
        found, codes = given_classes(classes), np.empty(0, np.int32)
        codes = names.placed(found, said)
        if (codes < 0).any():
            names.refuse_missing("labels", said)
            place = int(np.argmax(codes < 0))
            row = int(np.flatnonzero(~silent)[place])
            raise BadInput(f"labels, row {row}: {said[place]!r} is none of the classes {shown(found)}; add it to them")
    if two and len(found) < 2:
        raise BadInput(
            f"labels: every vote says {found.tolist()[0]!r}, and with one class there is nothing to tell apart; "
            "name the others with classes=[...]"
        )
    return found, codes


def given_classes(classes: Any) -> np.ndarray:
    """The classes as the caller named them."""
    column = names.column("classes", classes)
    names.refuse_missing("classes", column)
    entries = names.as_array(column).tolist()
    if len(set(entries)) < len(entries) or not entries:
        raise BadInput(f"classes is {reprlib.repr(entries)}: name each class once, and at least two")
    return names.as_names(entries)


def shown(found: np.ndarray) -> str:
    """A list of names, shortened where it is long."""
    return reprlib.repr(found.tolist())


# --- more votes ---


def together(old: Ballots, new: Ballots, classes: Any) -> Ballots:
    """All votes, over all names. Raises `BadInput` where the names of the two have no common order."""
    tasks, workers = names.joined(old.tasks, new.tasks, "tasks"), names.joined(old.workers, new.workers, "workers")
    labels = None
    if old.labels is not None and new.labels is not None:
        labels = old.labels if classes is not None else names.joined(old.labels, new.labels, "labels")
    first, second = (recoded(part, tasks, workers, labels) for part in (old, new))
    fields = ("task", "worker", "said", "weight")
    both = {field: np.concatenate([getattr(first, field), getattr(second, field)]) for field in fields}
    return replace(first, **both, abstained=first.abstained + second.abstained)


def recoded(part: Ballots, tasks: np.ndarray, workers: np.ndarray, labels: np.ndarray | None) -> Ballots:
    """The same votes over longer lists of names."""
    task, worker = names.placed(tasks, part.tasks), names.placed(workers, part.workers)
    said = part.said
    if labels is not None and part.labels is not None:
        said = names.placed(labels, part.labels)[said]
    silences = np.zeros(len(workers), part.abstained.dtype)
    silences[worker] = part.abstained
    return Ballots(tasks, workers, labels, task[part.task], worker[part.worker], said, part.weight, silences)


# --- gold ---


def known(gold: Any, ballots: Ballots) -> tuple[Int[np.ndarray, " known"], np.ndarray]:
    """The tasks whose label is known, and their labels: places among the classes, or numbers.

    Raises `BadInput` for a task without votes, a label that is no class, a missing one, a task that is named twice.
    """
    pairs = gold_pairs(gold)
    if not pairs:
        return np.empty(0, np.int32), np.empty(0, np.float64 if ballots.labels is None else np.int32)
    keys, values = [key for key, _ in pairs], [value for _, value in pairs]
    place = {name: k for k, name in enumerate(ballots.tasks.tolist())}
    classes = {} if ballots.labels is None else {name: k for k, name in enumerate(ballots.labels.tolist())}
    seen: set[Any] = set()
    for key, value in pairs:
        if key not in place:
            raise BadInput(f"gold: nobody has voted on task {key!r}; remove it, or check how tasks are written")
        if key in seen:
            raise BadInput(f"gold: task {key!r} is named twice; keep one of the two")
        seen.add(key)
        check_truth(key, value, classes, ballots.labels)
    task = np.array([place[key] for key in keys], np.int32)
    order = np.argsort(task)
    if ballots.labels is None:
        return task[order], np.array([float(value) for value in values], np.float64)[order]
    return task[order], np.array([classes[value] for value in values], np.int32)[order]


def gold_pairs(gold: Any) -> list[tuple[Any, Any]]:
    """Task and label, from a mapping or a pandas Series."""
    if gold is None:
        return []
    if not hasattr(gold, "items"):
        raise BadInput(f"gold is {reprlib.repr(gold)}: give a mapping or a Series from task to label")
    return list(gold.items())


def check_truth(key: Any, value: Any, classes: Mapping[Any, int], labels: np.ndarray | None) -> None:
    """A known label is a class, or a finite number."""
    if names.is_missing(value):
        raise BadInput(f"gold of task {key!r}: the label is missing; fill it or remove the task")
    if labels is None:
        if not np.isfinite(number(value)):
            raise BadInput(f"gold of task {key!r}: {reprlib.repr(value)} is no finite number; correct it")
    elif value not in classes:
        raise BadInput(
            f"gold of task {key!r}: {value!r} is none of the classes {shown(labels)}; correct it, or name the class with "
            "classes=[...]"
        )
