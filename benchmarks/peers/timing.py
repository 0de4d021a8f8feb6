"""What the scripts of this folder share: read the request, time the rounds, print the answer.

Standard library only.

Request: agents, rounds, repeats, warm (rounds before the clock starts), seed. Answer: setup (s), seconds (one
per repeat, each of `rounds` rounds), cpu (processor seconds in all repeats), total and variance of wealth
after warm + repeats x rounds rounds, versions.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any


def answer(
    build: Callable[[int, int], Any],
    advance: Callable[[Any, int], Any],
    wealth: Callable[[Any], Iterable[float]],
    *distributions: str,
) -> None:
    """`build(agents, seed)` makes the model, `advance(model, rounds)` runs it, `wealth(model)` reads it."""
    request = json.loads(sys.argv[1])
    start = time.perf_counter()
    model = build(request["agents"], request["seed"])
    setup = time.perf_counter() - start
    advance(model, request["warm"])
    seconds, cpu = [], time.process_time()
    for _ in range(request["repeats"]):
        start = time.perf_counter()
        advance(model, request["rounds"])
        seconds.append(time.perf_counter() - start)
    cpu = time.process_time() - cpu
    held = [int(x) for x in wealth(model)]
    mean = sum(held) / len(held)
    found = {
        "setup": setup,
        "seconds": seconds,
        "cpu": cpu,
        "total": sum(held),
        "variance": sum((x - mean) ** 2 for x in held) / len(held),
        "versions": {name: importlib.metadata.version(name) for name in distributions},
    }
    print(json.dumps(found))
