"""What the market scripts of this folder share: read the request and its instance, write the answer.

Numpy and the standard library only. The instance is a .npz file (`benchmarks.markets_instances`): valuations
[n, m], budgets [n], supply [m] and, where a share is limited, row_caps [n] and good_caps [n, m]. The answer's
arrays, allocation [n, m] and prices [m] among them, go to the .npz file that the request calls `out`; the
JSON object on the last line holds the rest, numbers to four digits (`peers.ask` reads a line of 300 letters).
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

import numpy as np


def read() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The request on the command line, and the arrays of its instance."""
    request = json.loads(sys.argv[1])
    with np.load(request["instance"]) as arrays:
        return request, dict(arrays)


def answer(
    request: dict[str, Any], arrays: dict[str, np.ndarray], distributions: tuple[str, ...], **found: Any
) -> None:
    """Write `arrays` where the request has them, and print what was `found` with the versions used.

    No array is written where the solver left none; `status` says why.
    """
    if arrays:
        np.savez(request["out"], **arrays)  # pyright: ignore[reportArgumentType]
    versions = {name: importlib.metadata.version(name) for name in distributions}
    print(json.dumps(_short({"versions": versions, **found})))


def _short(value: Any) -> Any:
    """The same with every number to four digits."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
