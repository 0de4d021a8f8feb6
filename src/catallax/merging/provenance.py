"""What a merge was made of, such that it can be made again, and found out: hashes, method, weights, shares.

    {"format": "catallax merge 1", "method": "ties", "settings": {"density": 0.5, ..}, "paper": "..",
     "models": [{"label": "A", "weight": 1.0, "share": 0.5, "files": {"model.safetensors": "<sha256>"}}, ..],
     "base": {"label": .., "files": ..}, "max_influence": .., "seed": 0, "dtype": ..,
     "influence": {"herfindahl": 0.5, "effective_models": 2.0, "largest": 0.5}, "tensors": .., "versions": ..}

`weight`: as it was given, `share`: of the influence, after the cap; a model of weight 0 was left out and nothing of it was
read. A hash of a file is that of `sha256sum`; arrays in memory have one hash of names, types, shapes and bytes, as `arrays`.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from catallax.io.checkpoints import Model
from catallax.io.safetensors import as_bytes
from catallax.measures.power import effective_number, herfindahl
from catallax.merging.method import Method

FORMAT = "catallax merge 1"


def provenance(
    job: Any, everyone: Sequence[Model], weights: np.ndarray, shares: np.ndarray, most: float | None, hashes: bool
) -> dict[str, Any]:
    """The record of a merge. `everyone`: all models that were offered, with their `weights` and `shares`, 0 if left out."""
    members = []
    for model, weight, share in zip(everyone, weights.tolist(), shares.tolist()):
        of = {"files": hashes_of(model)} if hashes and share > 0 else {}
        members.append({"label": model.label, "weight": weight, "share": share} | of)
    base, layout = job.base, job.plan
    told = None if base is None else {"label": base.label} | ({"files": hashes_of(base)} if hashes else {})
    return dict(
        format=FORMAT,
        method=job.method.name,
        settings=settings_of(job.method),
        paper=job.method.paper,
        models=members,
        base=told,
        max_influence=most,
        influence=dict(
            herfindahl=herfindahl(shares), effective_models=effective_number(shares), largest=float(shares.max())
        ),
        seed=job.seed,
        tensors=dict(merged=len(layout.entries) - len(layout.copied), copied=len(layout.copied), tied=layout.tied),
        notes=layout.notes,
        versions=versions(),
    )


def hashes_of(model: Model) -> dict[str, str]:
    """sha256 by file, or of all arrays."""
    if model.files:
        return {path.name: file_hash(path) for path in model.files}
    found = hashlib.sha256()
    for name in sorted(model.names):
        entry = model.entries[name]
        found.update(f"{name}\0{entry.dtype}\0{list(entry.shape)}\0".encode())
        found.update(as_bytes(model.read(name)).data)
    return {"arrays": found.hexdigest()}


def file_hash(path: Path) -> str:
    """As sha256sum prints it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def settings_of(method: Method) -> dict[str, Any]:
    """A method's settings that are plain values; of others, their type."""
    found = {}
    for field in dataclasses.fields(method):
        value = getattr(method, field.name)
        plain = isinstance(value, (str, int, float, bool, type(None)))
        listed = isinstance(value, (tuple, list)) and all(isinstance(one, (str, int, float)) for one in value)
        name = getattr(value, "__name__", type(value).__name__)
        found[field.name] = value if plain else list(value) if listed else name
    return found


def versions() -> dict[str, str]:
    """Of what the result depends on."""
    found = {"numpy": np.__version__}
    try:
        found["catallax"] = version("catallax")
    except PackageNotFoundError:  # run from a source tree that was never installed
        found["catallax"] = "0+source"
    return found
