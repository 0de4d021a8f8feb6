"""The merge itself, tensor by tensor: read, looked through for NaN, merged in pieces, written, let go.

What is held in memory is at most what a method wants of one tensor: pieces that fit the processor's cache where it is
elementwise, the members' floats of that tensor where not. Files are views; results go out as they come.
"""

import abc
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from catallax.core.errors import BadInput
from catallax.io.checkpoints import Model
from catallax.io.safetensors import TYPES, as_bytes
from catallax.merging.finite import Broken, broken
from catallax.merging.method import Method, Stored, key_of
from catallax.merging.preflight import Plan

Look = Callable[[int, int, str], Any]


class Job(NamedTuple):
    """Who is merged, and how. `models` are those with a weight."""

    models: Sequence[Model]
    base: Model | None
    method: Method
    weights: np.ndarray
    plan: Plan
    seed: int
    allow_nan: bool
    look: Look | None

    @property
    def everyone(self) -> list[Model]:
        """The base too."""
        return [*self.models, *([] if self.base is None else [self.base])]


class Target(abc.ABC):
    """Where tensors go: each is begun, and its bytes come in flat order."""

    @abc.abstractmethod
    def begin(self, name: str) -> None:
        """A tensor; the one before is whole."""

    @abc.abstractmethod
    def write(self, data: np.ndarray) -> None:
        """Bytes of it."""


class Arrays(Target):
    """A target in memory."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.found, self.at = plan, {}, 0

    def begin(self, name: str) -> None:
        """A tensor."""
        entry = self.plan.entries[name]
        self.room, self.at = np.empty(entry.bytes, np.uint8), 0
        kind = TYPES.get(entry.dtype)
        self.found[name] = self.room if kind is None else self.room.view(kind).reshape(entry.shape)

    def write(self, data: np.ndarray) -> None:
        """Bytes of it."""
        self.room[self.at : self.at + data.size] = data
        self.at += data.size


def stream(job: Job, order: Iterable[str], target: Target) -> dict[str, dict[str, Broken]]:
    """Merges the tensors of these names into the target. Returns what was no number, by tensor and model.

    **Raises** `BadInput` for NaN and infinities, all tensors that have some being named, unless they are allowed.
    """
    names, found = list(order), {}
    trusting = job.method.carries and not job.allow_nan  # inputs are looked at where the result is no number
    for done, name in enumerate(names):
        if job.look is not None:
            job.look(done, len(names), name)
        source = job.plan.tied.get(name, name)
        if not trusting or found:
            found |= not_numbers(job, name, source)
        if not found or job.allow_nan:
            target.begin(name)
            try:
                merge_one(job, name, source, target)
            except NotNumbers as error:
                found |= not_numbers(job, name, source)
                if not found:
                    raise BadInput(
                        f"{name} would hold {error}, and no model's does: merge with smaller steps (scale), give a wider "
                        "dtype, or allow_nan"
                    ) from None
        for model in job.everyone:
            model.release(source)
    if found and not job.allow_nan:
        rest = (name for name in job.plan.entries if name not in set(names))  # of other files: all are named at once
        for name in rest:
            found |= not_numbers(job, name, name)
        raise BadInput(refusal(found))
    return found


class NotNumbers(Exception):
    """A result is none; says what it would hold."""


def not_numbers(job: Job, name: str, source: str) -> dict[str, dict[str, Broken]]:
    """By tensor and model, what is no number in a tensor; nothing where it is copied or all are."""
    if name in job.plan.copied:
        return {}
    looked = ((model.label, broken(model.read(source))) for model in job.everyone)
    wrong = {label: found for label, found in looked if found is not None}
    return {name: wrong} if wrong else {}


def refusal(found: dict[str, dict[str, Broken]], most: int = 5) -> str:
    """The sentence about all tensors that hold what is no number."""
    every = [f"{name} of {label} holds {wrong}" for name, of in found.items() for label, wrong in of.items()]
    more = f", and {len(every) - most:,} more" if len(every) > most else ""
    return f"{'; '.join(every[:most])}{more}: mend the model, leave it out, or allow_nan"


def merge_one(job: Job, name: str, source: str, target: Target) -> None:
    """One tensor. `source`: the one it is tied to, or itself."""
    entry = job.plan.entries[name]
    if not entry.bytes:
        return
    if name in job.plan.copied:
        target.write(as_bytes(job.models[0].read(name)))
        return
    kind, size = TYPES[entry.dtype], entry.bytes
    written = 0

    def write(values: np.ndarray) -> None:
        nonlocal written
        with np.errstate(over="ignore", invalid="ignore"):  # said below, with the tensor's name
            piece = np.asarray(values).astype(kind, copy=False)
        wrong = None if job.allow_nan else broken(piece)
        if wrong is not None:
            raise NotNumbers(f"{wrong} in {entry.dtype}")
        data = as_bytes(piece)
        written += data.size
        if written > size:
            raise BadInput(f"{job.method.name} gives more than the {size:,} bytes of {name}: one tensor is wanted")
        target.write(data)

    everyone = [model.read(source) for model in job.models]
    base = None if job.base is None else job.base.read(source)
    stored = Stored(source, everyone, base, job.weights, key_of(source, job.seed))
    job.method.merge(stored, write)
    if written != size:
        raise BadInput(f"{job.method.name} gives {written:,} of the {size:,} bytes of {name}: one tensor is wanted")
