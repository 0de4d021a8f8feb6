"""What the order book scripts share: read the stream of orders, time a replay of it, print the answer.

Standard library only.

Request: file (JSON: rows of [side, price, units, row]; side 1 buy, -1 sell, 0 cancel of what the earlier `row` left on
the board), repeats. Answer: seconds (one per replay, each into a new book), cpu, trades, digest of their prices and
units in order, versions.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def answer(replay: Callable[[Sequence], Sequence[tuple[int, int]]], *distributions: str) -> None:
    """`replay(rows)` puts all rows through a new book and returns the (price, units) of every trade."""
    request = json.loads(sys.argv[1])
    rows = json.loads(Path(request["file"]).read_text(encoding="utf-8"))
    seconds, trades, cpu = [], [], time.process_time()
    for _ in range(request["repeats"]):
        start = time.perf_counter()
        trades = replay(rows)
        seconds.append(time.perf_counter() - start)
    cpu = time.process_time() - cpu
    plain = [[int(price), int(units)] for price, units in trades]
    found = {
        "seconds": seconds,
        "cpu": cpu,
        "trades": len(plain),
        "digest": digest(plain),
        "versions": {name: importlib.metadata.version(name) for name in distributions},
    }
    print(json.dumps(found))


def digest(trades: Sequence[Sequence[int]]) -> str:
    """Of the (price, units) of all trades in order."""
    return hashlib.sha256(json.dumps([[int(x) for x in trade] for trade in trades]).encode()).hexdigest()[:16]
