"""Networks, and what peers made of them, are kept in benchmarks/.runs: a benchmark that was interrupted goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks import harness
from benchmarks.merging_quality.suite import Size, Weights

RUNS = harness.HERE / ".runs" / "merging_quality"


def kept(name: str, find: Callable[[], Weights]) -> Weights:
    """Arrays that were found under this name, or are found now and kept."""
    path = RUNS / f"{name}.safetensors"
    if not path.is_file():
        found = find()
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: np.ascontiguousarray(array) for key, array in found.items()}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
        harness.say(f"  {name}")
    return load_file(path)


def kept_numbers(name: str, find: Callable[[], Any]) -> Any:
    """Numbers and words likewise."""
    return harness.kept(RUNS / f"{name}.json", find)


def tag(size: Size, seed: int) -> str:
    """The folder of a seed."""
    return f"{'-'.join(map(str, size))}/seed{seed}"


def half(differences: Any) -> float:
    """Half a 95 % interval of the mean of paired differences."""
    from scipy import stats

    count = len(differences)
    if count < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / count**0.5)
