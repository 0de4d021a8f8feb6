"""All Nash equilibria of games of two by nashpy: support enumeration, or vertex enumeration where the request says so.

Request: games (a list of pairs of matrices), method ("support" or "vertex"), repeats. Answer: seconds (one a repeat, for
all games together), equilibria (one list a game, each of two lists of probabilities), versions.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import importlib.metadata
import json
import sys
import time
import warnings

import nashpy


def solve(games, method):
    """Every equilibrium of every game, as plain lists."""
    found = []
    for row, column in games:
        game = nashpy.Game(row, column)
        ways = {"support": game.support_enumeration, "vertex": game.vertex_enumeration}
        found.append([[one.tolist(), other.tolist()] for one, other in ways[method]()])
    return found


if __name__ == "__main__":
    request = json.loads(sys.argv[1]) if len(sys.argv) > 1 else json.load(sys.stdin)
    seconds, equilibria = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of an even number: degenerate games, or equilibria that it missed
        for _ in range(request.get("repeats", 1)):
            start = time.perf_counter()
            equilibria = solve(request["games"], request.get("method", "support"))
            seconds.append(time.perf_counter() - start)
    versions = {name: importlib.metadata.version(name) for name in ("nashpy", "numpy")}
    print(json.dumps({"seconds": seconds, "equilibria": equilibria, "versions": versions}))
