"""Many models into one: checked, merged tensor by tensor, written whole or not at all.

    merged = merge(["A", "B"], "ties", base="BASE", density=0.3, max_influence=0.6, out="AB")

Weights are scaled to sum 1, so that a model's weight is its share of the influence; `max_influence` c puts the shares on
{s <= c, sum s = 1} (the nearest point, see `measures.power.capped`). A model of weight 0 is left out: nothing of it is read.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catallax.core.errors import BadInput, Refused
from catallax.io.checkpoints import Model, filled, open_model
from catallax.io.safetensors import AnyPath
from catallax.measures.power import capped, normalised
from catallax.merging import output
from catallax.merging.card import card
from catallax.merging.finite import Broken
from catallax.merging.method import Method
from catallax.merging.methods import find
from catallax.merging.preflight import check_room, plan, type_of
from catallax.merging.provenance import provenance
from catallax.merging.stream import Arrays, Job, Look, stream

SHARD = 5_000_000_000  # bytes
END = ".safetensors"
Align = Callable[[Model, Model], Model]


@dataclasses.dataclass(frozen=True)
class Merged:
    """What `merge` returns. `model`: a `Model` that reads what was written; without `out`, arrays by name, or a module like
    the first one. `shares` [models] of the influence; `record`: see `provenance`; `broken`: NaN and Inf that were allowed,
    by tensor and model."""

    model: Any
    path: Path | None
    shares: np.ndarray
    record: dict[str, Any]
    broken: dict[str, dict[str, Broken]]

    @property
    def notes(self) -> list[str]:
        """What there is to know besides, in sentences."""
        return self.record["notes"]


def merge(
    models: Any,
    method: Any = "linear",
    base: Any = None,
    weights: Any = None,
    *,
    max_influence: float | None = None,
    align: Align | None = None,
    out: AnyPath | None = None,
    dtype: str | None = None,
    seed: int = 0,
    allow_nan: bool = False,
    max_shard_bytes: int = SHARD,
    hashes: bool = True,
    look: Look | None = None,
    **settings: Any,
) -> Merged:
    """Merges checkpoints: paths, folders, mappings of arrays, Equinox modules (see `io.checkpoints.open_model`), or a mapping
    from labels to such.

    `method`: a name (`merging.methods.METHODS`) with its `settings`, a `Method`, or a function of (deltas [members, ...],
    weights [members]) -> delta. `align`: of (model, to) -> a model that fits `to`, the base or the first model. `out`: a
    folder, or a path that ends in .safetensors. `dtype`: of the result's floats, as in "F32", by default the models'.
    `weights`: a number from 0 for each, by default equal. `look`: of (tensors done, of, name). `hashes`: sha256 of all inputs
    into the record, some 0.6 CPU seconds a gigabyte.

    **Raises** `BadInput`, one sentence, for whatever does not fit together, is no number (unless `allow_nan`) or has no room;
    `Refused` where a method gives a member more than `max_influence`. Nothing is left behind then.
    """
    way = find(method, **settings)
    everyone = opened(models)
    given = shares_of(weights, len(everyone))
    ground = None if base is None else open_model(base, "the base")
    capped_shares = cap(given, max_influence)
    active = [k for k in range(len(everyone)) if given[k] > 0]
    chosen = [everyone[k] for k in active]
    check_members(way, chosen, ground)
    layout = plan(chosen, ground, dtype)
    target = None if out is None else Path(out)
    if target is not None:
        check_room(layout, target, exists=target.suffix == END and target.is_file())
    if align is not None:
        to = ground or chosen[0]
        chosen = [model if model is to else align(model, to) for model in chosen]
    way = way.prepare(chosen, ground, capped_shares[active])
    shares = np.zeros(len(everyone))
    shares[active] = way.shares(capped_shares[active])
    check_shares(way, shares, max_influence)
    job = Job(chosen, ground, way, capped_shares[active], layout, seed, allow_nan, look)
    record = provenance(job, everyone, given, shares, max_influence, hashes)
    if target is None:
        return in_memory(job, models, shares, record)
    return on_disk(job, target, shares, record, max_shard_bytes, dtype)


def opened(models: Any) -> list[Model]:
    """All models that were offered."""
    if isinstance(models, Mapping):
        if any(hasattr(value, "__array__") for value in models.values()):
            raise BadInput("models is one model's arrays: give a list of models, or models by label")
        return [dataclasses.replace(open_model(source), label=str(label)) for label, source in models.items()]
    if isinstance(models, (str, bytes)) or not isinstance(models, Sequence):
        raise BadInput(f"models is {type(models).__name__}: give a list of models, or models by label")
    return [open_model(source, f"model {k + 1}") for k, source in enumerate(models)]


def shares_of(weights: Any, count: int) -> np.ndarray:
    """Weights that sum to 1; equal ones where none are given."""
    if weights is None:
        return np.full(count, 1 / count) if count else np.zeros(0)
    if np.ndim(weights) != 1 or len(weights) != count:
        raise BadInput(f"weights has {np.size(weights)} entries for {count} models: give one for each")
    return normalised(weights)


def cap(weights: np.ndarray, most: float | None) -> np.ndarray:
    """Shares of which none is above `most`; who is left out stays out."""
    shares = weights.copy()
    if most is not None:
        shares[weights > 0] = capped(weights[weights > 0], most)
    return shares


def check_members(method: Method, models: Sequence[Model], base: Model | None) -> None:
    """That there is something to merge."""
    if method.needs_base and base is None:
        raise BadInput(f"{method.name} merges what models have learnt since they were one: give that base")
    if len(models) < (1 if base is not None else 2):
        raise BadInput(f"{len(models)} model{'s' * (len(models) != 1)} to merge: give at least two, or one and a base")


def check_shares(method: Method, shares: np.ndarray, most: float | None) -> None:
    """That a method which picks for itself keeps to the cap."""
    if most is not None and shares.max() > most * (1 + 1e-9):
        raise Refused(
            f"{method.name} gives one model a share of {shares.max():.3g}, whatever the weights, and max_influence is "
            f"{most:g}: leave the cap out, or take another method"
        )


def in_memory(job: Job, models: Any, shares: np.ndarray, record: dict[str, Any]) -> Merged:
    """Arrays by name, or a module like the first."""
    target = Arrays(job.plan)
    found = stream(job, job.plan.entries, target)
    sources = list(models.values()) if isinstance(models, Mapping) else list(models)
    files = isinstance(sources[0], (str, Path, Model))
    model = target.found if files else filled(sources[0], target.found)
    return Merged(model, None, shares, told(record, found), found)


def on_disk(job: Job, out: Path, shares: np.ndarray, record: dict[str, Any], most: int, dtype: str | None) -> Merged:
    """A file, or a folder with all that belongs to a model."""
    found: dict[str, dict[str, Broken]] = {}
    metadata = {"format": "pt", **job.models[0].metadata}

    def fill(order: Sequence[str], target: Any) -> None:
        found.update(stream(job, order, target))

    if out.suffix == END:
        output.write_file(out, job.plan.entries, metadata | {"catallax": json.dumps(record)}, fill)
        return Merged(open_model(out), out, shares, told(record, found), found)
    with output.whole_folder(out) as folder:
        output.write_folder(folder, job.plan.entries, metadata, fill, most)
        record = told(record, found)
        owner = job.base if job.base is not None and job.base.folder is not None else job.models[0]
        output.carry(owner, folder, None if dtype is None else type_of(dtype))
        (folder / "README.md").write_text(card(record, out.name), encoding="utf-8")
        output.write_json(folder / "merge.json", record)
    return Merged(open_model(out), out, shares, record, found)


def told(record: dict[str, Any], found: dict[str, dict[str, Broken]]) -> dict[str, Any]:
    """The record, and what was no number."""
    if not found:
        return record
    return record | {"not_numbers": {name: {label: str(b) for label, b in of.items()} for name, of in found.items()}}
