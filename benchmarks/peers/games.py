"""What the scripts of the two game libraries share: read the request, solve every game, time it, print the answer.

Standard library only.

Request: games (a list of pairs of matrices), method ("support" or "vertex"), repeats, limit (seconds after which no further
repeat begins). Answer: first (s, of one game of matching pennies, which imports and compiles), seconds (one a repeat, for all games
together), equilibria (one list a game, each of two lists of probabilities), versions.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

PENNIES = [[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]]


def answer(solve: Callable[[Any, Any, str], Iterable[Any]], *distributions: str) -> None:
    """`solve(row, column, method)` gives the equilibria of one game, each a pair of arrays."""
    request = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")  # of an even number: degenerate games, or equilibria that were missed

    def all_of(games):
        return [
            [[list(map(float, x)) for x in pair] for pair in solve(game[0], game[1], request["method"])]
            for game in games
        ]

    start = time.perf_counter()
    all_of([PENNIES])
    first, seconds, equilibria = time.perf_counter() - start, [], []
    began = time.perf_counter()
    while len(seconds) < request["repeats"] and (not seconds or time.perf_counter() - began < request["limit"]):
        start = time.perf_counter()
        equilibria = all_of(request["games"])
        seconds.append(time.perf_counter() - start)
    versions = {name: importlib.metadata.version(name) for name in distributions}
    print(json.dumps({"first": first, "seconds": seconds, "equilibria": equilibria, "versions": versions}))
