"""All Nash equilibria of games of two by nashpy: support enumeration or vertex enumeration."""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import nashpy
from games import answer


def solve(row, column, method):
    """Its equilibria of one game."""
    game = nashpy.Game(row, column)
    return (game.support_enumeration if method == "support" else game.vertex_enumeration)()


if __name__ == "__main__":
    answer(solve, "nashpy", "numpy")
