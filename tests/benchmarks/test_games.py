"""What the benchmark of games says of a peer's equilibria."""

import numpy as np

from benchmarks import games
from catallax.economy.play import nash


def test_the_same_equilibria_in_any_order_and_no_others():
    pure = [[[1.0, 0], [0.0, 1]], [[0.0, 1], [1.0, 0]]]
    assert games.alike(pure, pure[::-1])
    assert games.alike(pure, [[[1 - 1e-9, 1e-9], [0.0, 1]], pure[1]])
    assert not games.alike(pure, pure[:1])
    assert not games.alike(pure, [pure[0], pure[0]])
    assert not games.alike(pure, [pure[0], [[0.5, 0.5], [0.5, 0.5]]])


def test_a_row_counts_games_that_agree_and_what_could_still_be_gained():
    drawn = [games.drawn(seed, (3, 3)) for seed in range(3)]
    found = [[e.strategies for e in nash.equilibria(game).found] for game in drawn]
    same = games.row("ours", "vertex", drawn, found, [0.2, 0.1, 0.3], found)
    assert same["games that agree with ours"] == "3 of 3"
    assert (same["s"], same["least s"], same["most s"], same["runs"]) == (0.2, 0.1, 0.3, 3)
    assert same["largest gain left"] < 1e-12
    wrong = [[(np.ones(3) / 3, np.ones(3) / 3)], *found[1:]]
    other = games.row("theirs", "vertex", drawn, wrong, [0.1], found)
    assert other["games that agree with ours"] == "2 of 3"
    assert other["largest gain left"] > 0.01


def test_payoffs_are_shares_between_the_worst_and_the_best_joint_action():
    from catallax.economy import textbook

    game = textbook.stag_hunt()
    shares = games.reached(game, game.plan())
    assert shares["learnt"] == shares["best Nash"] == 1
    assert shares["worst Nash"] == (6 - 3) / (8 - 3)
    assert shares["best correlated"] == 1
