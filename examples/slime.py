"""A million particles that find the veins of a slime mould, told of one another by nothing but the trail that they leave.

Each smells at three places ahead, turns to where the trail is strongest, takes a step and leaves some more (J. Jones, 2010).
Gini's index of the trail says how far it has gathered into veins; in silence, where nothing is smelt, it does not.

    python examples/slime.py             about a minute on one core; writes slime.png
"""

import dataclasses
import sys
import time

import catallax as cx
from catallax.colony.slime import Slime, trail_of
from catallax.measures.welfare import gini
from catallax.view import draw, save

ROUNDS = 300


def main(agents: int = 1_000_000, side: int = 2048, rounds: int = ROUNDS) -> None:
    """Print how the trail gathers, and draw it."""
    problem = Slime(agents, (side, side))
    silent = cx.run(dataclasses.replace(problem, bits=0), rounds // 10).society
    print(f"in silence, after {rounds // 10} rounds: Gini's index of the trail {gini(trail_of(silent).ravel()):.3f}")
    start, society = time.perf_counter(), problem.society()
    outcome = cx.run(society, rounds)
    spent = time.perf_counter() - start
    index = gini(trail_of(outcome.society).ravel())
    print(f"told the trail, after {rounds} rounds: {index:.3f}")
    print(f"{agents * rounds / spent:.2e} agent-steps a second, compilation included ({spent:.0f} s)")
    print(save(draw(problem.scene(outcome.society)), "slime.png"))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
