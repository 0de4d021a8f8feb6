"""All Nash equilibria of games of two by QuantEcon: support enumeration (compiled by numba) or vertex enumeration."""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import numpy as np
from games import answer
from quantecon import game_theory


def solve(row, column, method):
    """Its equilibria of one game; a player's own actions come first in its matrix."""
    players = [game_theory.Player(np.asarray(row, float)), game_theory.Player(np.asarray(column, float).T.copy())]
    game = game_theory.NormalFormGame(players)
    return (game_theory.support_enumeration if method == "support" else game_theory.vertex_enumeration)(game)


if __name__ == "__main__":
    answer(solve, "quantecon", "numpy", "numba")
