"""All that can be known of a merge before a byte is written: that tensors fit, what becomes of each, and that there is room.

Of every tensor the shape is the same in all models, and the type, unless the type of the result is given. What is no number
with a point (whole numbers, truth values, packed bits) is never averaged: it is the same in all models, and copied.

**Tied weights** are two names with one content (embeddings and the head that reads them). Names that are tied in every
model, the base too, are merged once, as the first of them, whatever a method draws or has learnt for each name.
"""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from catallax.core.errors import BadInput
from catallax.io.checkpoints import Model
from catallax.io.safetensors import FLOATS, TYPES, Entry, shown, total

SAMPLE = 32  # elements by which tensors that may be tied are found
ROOM = 1 << 20  # bytes for headers, configuration and card


class Plan(NamedTuple):
    """What becomes of each tensor: `entries` of the result by name, in the first model's order; `copied` as they are;
    `tied`: the name that another is merged as."""

    entries: dict[str, Entry]
    copied: frozenset[str]
    tied: dict[str, str]
    notes: list[str]

    @property
    def bytes(self) -> int:
        """Of all tensors."""
        return total(self.entries.values())


def plan(models: Sequence[Model], base: Model | None, dtype: str | None = None) -> Plan:
    """Holds models against each other. `dtype`: of the result's floats, by default that of all models.

    **Raises** `BadInput` for tensors that are missing, surplus, or of another shape or type; for whole numbers that differ;
    for configurations that speak of unlike models.
    """
    everyone = [*models, *([] if base is None else [base])]
    first, kind = everyone[0], None if dtype is None else type_of(dtype)
    for other in everyone[1:]:
        same_names(first, other)
        same_shapes(first, other)
        same_types(first, other, kind)
    notes = same_configs(everyone)
    entries = {
        name: entry if kind is None or entry.dtype not in FLOATS else entry._replace(dtype=kind)
        for name, entry in models[0].entries.items()
    }
    floats = set(first.floats)
    copied = frozenset(name for name in entries if name not in floats)
    for name in copied:
        same_content(name, everyone)
    tied, loose = ties(everyone)
    return Plan(entries, copied, tied, notes + loose)


def type_of(name: str) -> str:
    """A float type by the name that safetensors files, or NumPy, has for it."""
    found = {key.lower(): key for key in FLOATS} | {str(TYPES[key]): key for key in FLOATS}
    if str(name).lower() not in found:
        raise BadInput(f"dtype is {name!r}: give one of {', '.join(FLOATS)}")
    return found[str(name).lower()]


def same_names(first: Model, other: Model) -> None:
    """That neither has tensors that the other lacks."""
    for has, lacks in ((first, other), (other, first)):
        missing = [name for name in has.names if name not in lacks.entries]
        if missing:
            more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
            raise BadInput(
                f"{lacks.label} has no tensor {shown(missing[0])}, which {has.label} has{more}: only models of one "
                "architecture can be merged"
            )


def same_shapes(first: Model, other: Model) -> None:
    """That all tensors have the same shapes."""
    for name, entry in first.entries.items():
        if entry.shape != other.entries[name].shape:
            raise BadInput(
                f"the tensor {shown(name)} has the shape {list(entry.shape)} in {first.label} and "
                f"{list(other.entries[name].shape)} in {other.label}: only models of one architecture, and one "
                "vocabulary, can be merged"
            )


def same_types(first: Model, other: Model, kind: str | None) -> None:
    """That all tensors have the same types; floats may differ where the type of the result is given."""
    for name, entry in first.entries.items():
        here, there = entry.dtype, other.entries[name].dtype
        if here == there or (kind is not None and here in FLOATS and there in FLOATS):
            continue
        floats = here in FLOATS and there in FLOATS
        raise BadInput(
            f"the tensor {shown(name)} is {here} in {first.label} and {there} in {other.label}: "
            + ("give dtype, the type of the result" if floats else "whole numbers and floats are not averaged")
        )


def same_configs(models: Sequence[Model]) -> list[str]:
    """Notes on what configurations and tokenizers differ in; BadInput where they speak of unlike models."""
    told = [(model, model.config()) for model in models if model.folder is not None]
    for key in ("model_type", "tie_word_embeddings"):
        with_key = [(model, config[key]) for model, config in told if key in config]
        for model, value in with_key[1:]:
            first, wanted = with_key[0]
            if value != wanted:
                raise BadInput(
                    f"{key} is {wanted!r} in the config.json of {first.label} and {value!r} in that of {model.label}: "
                    "only models of one architecture can be merged"
                )
    books = {model.label: (model.folder / "tokenizer.json") for model in models if model.folder is not None}
    read = {label: path.read_bytes() for label, path in books.items() if path.is_file()}
    unlike = [label for label in read if read[label] != next(iter(read.values()))]
    if unlike:
        return [f"tokenizer.json of {unlike[0]} is not that of {next(iter(read))}: tokens may mean other things in it"]
    return []


def same_content(name: str, models: Sequence[Model]) -> None:
    """That a tensor which is not averaged is the same in all."""
    first = models[0].read(name)
    for other in models[1:]:
        if not equal(first, other.read(name)):
            raise BadInput(
                f"the tensor {shown(name)} ({models[0].entries[name].dtype}) differs between {models[0].label} and "
                f"{other.label}: only numbers with a point are merged, others must be the same in all"
            )
        other.release(name)
    models[0].release(name)


def equal(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two tensors of one type are the same, bit for bit."""
    return a.shape == b.shape and bool(np.array_equal(words(a), words(b)))


def words(array: np.ndarray) -> np.ndarray:
    """The bits of a tensor, flat."""
    size = array.dtype.itemsize
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{size}") if size in (1, 2, 4, 8) else flat


# --- tied weights ---


def ties(models: Sequence[Model]) -> tuple[dict[str, str], list[str]]:
    """Names that are tied in all models, each with the first it is tied to; and a note where they are tied in some alone."""
    found = [tied_in(model) for model in models]
    pairs = [{(name, first) for first, names in of.items() for name in names} for of in found]
    common, some = set.intersection(*pairs), set.union(*pairs)
    notes = []
    for name, first in sorted(some - common):
        if name not in dict(common):
            holder = next(model.label for model, of in zip(models, pairs) if (name, first) in of)
            notes.append(f"{name} and {first} are one in {holder} but not in all models: the result has them apart")
    return dict(common), notes


def tied_in(model: Model) -> dict[str, list[str]]:
    """By the first name, the others that are tied to it: matrices alike in all bits, and not of one number throughout."""
    alike: dict[tuple, list[str]] = {}
    for name in model.floats:
        shape = model.entries[name].shape
        if len(shape) >= 2 and math.prod(shape) > 1:
            alike.setdefault((shape, model.entries[name].dtype), []).append(name)
    found: dict[str, list[str]] = {}
    for names in alike.values():
        samples: dict[bytes, list[str]] = {}
        for name in names if len(names) > 1 else ():
            sample = sampled(model.read(name))
            if len(set(sample.tolist())) > 1:
                samples.setdefault(sample.tobytes(), []).append(name)
        for group in samples.values():
            for name in group[1:]:
                if equal(model.read(group[0]), model.read(name)):
                    found.setdefault(group[0], []).append(name)
    return found


def sampled(array: np.ndarray) -> np.ndarray:
    """Some of a tensor's bits, evenly."""
    flat = words(array)
    return flat[:: max(1, flat.size // SAMPLE)]


# --- room ---


def check_room(plan: Plan, out: Path, exists: bool) -> None:
    """That the result can be put where it shall go. `exists`: it may replace what is there."""
    if out.exists() and not exists:
        raise BadInput(f"{out} exists already: give another path, or remove it")
    place = next(path for path in out.absolute().parents if path.exists())
    if not place.is_dir():
        raise BadInput(f"{place} is no folder: give another path for the result")
    free = shutil.disk_usage(place).free
    if free < plan.bytes + ROOM:
        raise BadInput(f"the result takes {plan.bytes:,} bytes, and {free:,} are left in {place}: make room")
