"""A contributor leaves a merge that is made: what it brought is subtracted, where the method is a sum.

    linear             theta' = (theta - w_g theta_g) / (1 - w_g)                            g: who leaves
    task arithmetic    theta' = theta - its term of the sum
    Fisher, RegMean    the same with matrices of certainty in place of w: give the method, prepared

The result is that of a merge of the others but for rounding: the merge was rounded to the type it is stored in, and that error
grows by 1 / (1 - w_g). Of any other method `Refused` says why not: there, merge the others again.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from catallax.core.errors import BadInput, Refused
from catallax.io.checkpoints import Model, open_model, read_object
from catallax.io.safetensors import AnyPath
from catallax.measures.power import effective_number, herfindahl, normalised
from catallax.merging.merged import END, SHARD, Merged, cap, in_memory, on_disk
from catallax.merging.method import Method, Stack
from catallax.merging.methods import METHODS, find
from catallax.merging.preflight import check_room, plan
from catallax.merging.provenance import FORMAT, hashes_of
from catallax.merging.stream import Job


@dataclasses.dataclass(frozen=True)
class Rest(Method):
    """Of a merge and of the one that leaves it, stacked: what is left. `weights` of all members, as merged; `gone`: whose."""

    inner: Method
    weights: Sequence[float]
    gone: int
    name: ClassVar[str] = "rest"
    paper: ClassVar[str] = ""

    def combine(self, stack: Stack) -> np.ndarray:
        """The inner method's own way back."""
        merged, member = stack.values
        return self.inner.without(stack.name, merged, member, stack.base, np.asarray(self.weights), self.gone)


def leave(
    merged: Any,
    gone: str | int,
    model: Any,
    base: Any = None,
    *,
    method: Method | None = None,
    out: AnyPath | None = None,
    max_shard_bytes: int = SHARD,
) -> Merged:
    """The merge without one of its members. `merged`: what `merge` returned, or the path it wrote to; `gone`: the label or the
    number of who leaves, and `model` its checkpoint, the same as was merged; `base`: as then. `method`: needed where its
    settings are no plain values.

    **Raises** `Refused` where the method has no way back; `BadInput` for a member that is none, or is another than was merged.
    """
    whole, record = opened(merged)
    members, place = record["models"], place_of(gone, record)
    way = method_of(record) if method is None else method
    if way.leave is not None:
        raise Refused(f"{members[place]['label']} cannot leave: of {way.name}, {way.leave}; merge the others again")
    leaving = dataclasses.replace(open_model(model), label=members[place]["label"])
    hashes = members[place].get("files")
    if hashes is not None and sorted(hashes_of(leaving).values()) != sorted(hashes.values()):
        raise BadInput(f"model is not what was merged as {leaving.label}: its sha256 is another")
    shares = cap(normalised([of["weight"] for of in members]), record["max_influence"])
    active = np.flatnonzero(shares > 0)
    rest = Rest(way, shares[active].tolist(), int(np.flatnonzero(active == place)[0]))
    ground = None if base is None else open_model(base, "the base")
    if way.needs_base and ground is None:
        raise BadInput(f"{way.name} merged what models had learnt since they were one: give that base")
    job = Job(
        [whole, leaving],
        ground,
        rest,
        np.array([0.5, 0.5]),
        plan([whole, leaving], ground),
        record["seed"],
        False,
        None,
    )
    told = without(record, place, shares)
    left = np.array([of["share"] for of in told["models"]])
    if out is None:
        return in_memory(job, [whole], left, told)
    check_room(job.plan, Path(out), exists=Path(out).suffix == END and Path(out).is_file())
    return on_disk(job, Path(out), left, told, max_shard_bytes, None)


def opened(merged: Any) -> tuple[Model, dict[str, Any]]:
    """A merge and its record."""
    if isinstance(merged, Merged):
        return open_model(merged.model, "the merge"), merged.record
    model = open_model(merged)
    record = read_object(model.folder / "merge.json", {}) if model.folder else from_header(model)
    if record.get("format") != FORMAT:
        raise BadInput(f"{model.label} carries no record of a merge: give what catallax merged")
    return model, record


def from_header(model: Model) -> dict[str, Any]:
    """The record in a file's header; {} where there is none."""
    try:
        found = json.loads(model.metadata.get("catallax", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def place_of(gone: str | int, record: dict[str, Any]) -> int:
    """The number of a member that is in the merge, and is not the only one."""
    members = record["models"]
    labels = [of["label"] for of in members]
    place = gone if isinstance(gone, int) else labels.index(gone) if labels.count(gone) == 1 else -1
    if not 0 <= place < len(members):
        raise BadInput(
            f"no member of the merge is {gone!r}, or several are: give one of {', '.join(labels)}, or a number"
        )
    if not members[place]["share"] > 0 or sum(of["share"] > 0 for of in members) < 2:
        raise BadInput(f"{labels[place]} has no share of the merge, or all of it: there is nothing to take away")
    return place


def method_of(record: dict[str, Any]) -> Method:
    """The method as it was."""
    if record["method"] not in METHODS:
        raise BadInput(f"the merge was made by {record['method']}, which is known by no name: give method")
    try:
        return find(record["method"], **record["settings"])
    except BadInput:
        raise BadInput(f"a setting of {record['method']} is no plain value: give method, as it was") from None


def without(record: dict[str, Any], place: int, weights: np.ndarray) -> dict[str, Any]:
    """The record of what is left: who has gone has no weight and no share. `weights`: of the merge, capped."""
    members = [dict(of) for of in record["models"]]
    gone, share = members[place], members[place]["share"]
    for of, weight in zip(members, weights.tolist()):
        of["share"] = 0.0 if of is gone else of["share"] / (1 - share)
        of["weight"] = 0.0 if of is gone else weight / (1 - weights[place])
    gone.pop("files", None)
    shares = np.array([of["share"] for of in members])
    influence = dict(
        herfindahl=herfindahl(shares), effective_models=effective_number(shares), largest=float(shares.max())
    )
    notes, most = (
        [*record["notes"], f"{gone['label']} has left: what it brought was subtracted"],
        record["max_influence"],
    )
    if most is not None and shares.max() > most:
        notes.append(f"the largest share was at most {most:g} and is {shares.max():.3g} now: merge again to cap it")
        most = None
    return record | dict(models=members, influence=influence, max_influence=most, notes=notes)


__all__ = ["leave"]
