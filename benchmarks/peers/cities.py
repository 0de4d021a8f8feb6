"""What the scripts that find tours share: read the request and its distances, write the answer.

Numpy and the standard library only. The request names a .npy file, whole distances int64 [cities, cities], as `matrix`; the
answer is one JSON object with the order of the cities, the wall seconds of the search and the versions used.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np


def read() -> tuple[dict[str, Any], np.ndarray]:
    """The request on the command line, and the distances."""
    request = json.loads(sys.argv[1])
    return request, np.load(request["matrix"])


def answer(order: Iterable[Any], seconds: float, distributions: tuple[str, ...], **found: Any) -> None:
    """Print what was found."""
    versions = {name: importlib.metadata.version(name) for name in distributions}
    print(json.dumps({"order": [int(city) for city in order], "seconds": seconds, "versions": versions, **found}))
