"""Games: textbook answers, regret matching against what it promises, and the five questions."""

import itertools

import numpy as np
import pytest

import catallax as cx
from catallax.economy import nash, textbook
from catallax.economy.games import NormalForm
from catallax.measures.bits import bits
from catallax.questions import compare, frontier, lesion, replicate, shock
from catallax.testing import check_problem


def test_prisoners_dilemma():
    game = textbook.prisoners_dilemma()
    contest, plan = game.contest(), game.plan()
    assert np.array_equal(plan.play, [[1, 0], [0, 0]])
    assert np.array_equal(contest.play, [[0, 0], [0, 1]])
    assert contest.values["price_of_anarchy"] == contest.values["price_of_stability"] == 3
    assert contest.certificate == 0
    assert game.welfare(plan)["efficiency"] == 1
    assert game.welfare(contest)["efficiency"] == 0
    assert np.array_equal(game.silence().play, contest.play)  # whatever the others do


def test_stag_hunt_shows_the_worst_of_three_and_tells_of_the_best():
    contest = textbook.stag_hunt().contest()
    assert contest.values["equilibria"] == 3
    assert contest.values["price_of_anarchy"] == pytest.approx(4 / 3)
    assert contest.values["price_of_stability"] == pytest.approx(1)
    assert "best has 8" in contest.notes[0]


def test_costs_have_a_price_of_anarchy_and_mixed_signs_none():
    costs = NormalForm(textbook.prisoners_dilemma().worth - 6)
    # best: 2 (3 - 6) = -6, equilibrium 2 (1 - 6) = -10
    assert costs.contest().values["price_of_anarchy"] == pytest.approx(10 / 6)
    assert np.isnan(textbook.matching_pennies().contest().values["price_of_anarchy"])


@pytest.mark.parametrize("players", [2, 3])
def test_cournot_is_the_closed_form(players):
    # (a - c) / (b (n + 1)) = 3 and, for all together, the monopolist's (a - c) / 2 b = 6
    cost = 12 - 3.0 * (players + 1)
    game = textbook.cournot(players, intercept=12, cost=cost, quantities=np.arange(0, 6.5, 0.5))
    profiles = nash.pure_equilibria(game.worth)
    assert (6,) * players in profiles  # the seventh quantity is 3
    assert game.total(game.plan().play) == pytest.approx(((12 - cost) / 2) ** 2)
    even = nash.certified(game.worth, (6,) * players)
    assert even.gain == 0
    assert game.total(nash.joint(even.strategies)) == pytest.approx(players * 9.0)


def test_bertrand_is_cost_or_one_step_above():
    game = textbook.bertrand(cost=2.0)
    assert set(nash.pure_equilibria(game.worth)) == {(2, 2), (3, 3)}
    assert game.contest().utilities.sum() == pytest.approx(0)  # two suffice for competition


def test_congestion_is_rosenthals():
    slope, fixed = [1.0, 2.0], [0.5, 0.0]
    game = textbook.congestion(4, slope, fixed)

    def potential(profile):
        loads = [profile.count(road) for road in (0, 1)]
        return sum(fixed[r] * k + slope[r] * k * (k + 1) / 2 for r, k in enumerate(loads))

    best = min(itertools.product((0, 1), repeat=4), key=potential)
    stable = nash.pure_equilibria(game.worth)
    assert best in stable
    loads = [best.count(0), best.count(1)]
    expected = -sum(k * (fixed[r] + slope[r] * k) for r, k in enumerate(loads))
    assert game.worth.sum(0)[best] == pytest.approx(expected)
    prices = game.contest().values
    assert 1 <= prices["price_of_the_equilibrium_found"] <= 5 / 2  # Christodoulou and Koutsoupias 2005
    assert "price_of_anarchy" not in prices


@pytest.mark.parametrize(
    "game",
    [textbook.stag_hunt(), textbook.matching_pennies(), NormalForm(([[6, 2], [7, 0]], [[6, 7], [2, 0]]))],
    ids=["stag hunt", "matching pennies", "chicken"],
)
def test_regret_matching_comes_near_the_correlated_equilibria(game):
    ran = game.learn(200_000, seed=3, tolerance=0.005)
    assert ran.status == "settled"
    assert ran.certificate <= 0.005
    # the certificate once more, from the joint play alone, by a loop over what is told and thought of instead
    for player, (other, axis) in enumerate([(1, 0), (0, 1)]):
        del other
        own, often = np.moveaxis(game.worth[player], axis, 0), np.moveaxis(ran.play, axis, 0)
        for told, instead in itertools.permutations(range(2), 2):
            regret = float(often[told] @ (own[instead] - own[told])) / np.ptp(own)
            assert regret <= ran.certificate + 1e-15
    assert ran.play.sum() == pytest.approx(1)
    _, best = nash.best_correlated(game.worth), game.plan()
    assert game.total(ran.play) <= game.total(best.play) + 1e-9


def test_pennies_are_thrown_evenly_and_dilemmas_end_in_defection():
    pennies = textbook.matching_pennies().learn(200_000, tolerance=0.002)
    assert np.allclose(pennies.play, 0.25, atol=0.03)
    dilemma = textbook.prisoners_dilemma().learn(20_000, tolerance=1e-3)
    assert dilemma.play[1, 1] > 0.98


def test_players_are_told_what_their_own_actions_would_have_earned_and_no_more():
    random = np.random.default_rng(0)
    game = NormalForm(random.normal(size=(3, 2, 3, 2)))
    society = cx.run(game, 5).society
    profile = np.asarray(society.signal.profile)
    told = np.asarray(society.signal.local(society.agents))
    assert society.signal.public() is None
    for player, count in enumerate((2, 3, 2)):
        for action in range(count):
            instead = profile.copy()
            instead[player] = action
            assert told[player, action] == pytest.approx(game.worth[(player, *instead)], rel=1e-6)
    assert bits(game.society())["public"] == 0
    assert bits(game.society())["local"] == 3 * 3 * 32


def test_plays_are_counted_and_never_beyond_a_players_actions():
    game = NormalForm(np.random.default_rng(1).normal(size=(2, 2, 4)))
    outcome = cx.run(game, 500)
    assert int(outcome.society.signal.plays.sum()) == 500
    assert outcome.play.shape == (2, 4)
    assert outcome.regret == pytest.approx(nash.regrets(game.worth, outcome.play))


def test_the_regret_reported_is_the_regret_counted():
    game = textbook.stag_hunt()
    outcome = cx.run(game, 400, seed=1)
    before = cx.run(game, 399, seed=1)
    assert outcome.unrest == pytest.approx(max(before.regret, 0), abs=2e-6)


def test_silence_answers_the_uniform():
    game = NormalForm(([[0.0, 10], [4, 4]], [[1.0, 0], [0, 1]]))
    silence = game.silence()
    assert np.array_equal(silence.strategies[0], [1, 0])  # (0 + 10) / 2 > 4
    assert np.array_equal(silence.strategies[1], [0.5, 0.5])  # a tie


def test_efficiency_is_free_of_units_and_of_what_is_paid_anyway():
    game = textbook.stag_hunt()
    other = NormalForm(game.worth * 3 - 50, None, game.actions)
    for regime in ("silence", "plan", "contest"):
        shares = [g.welfare(getattr(g, regime)())["efficiency"] for g in (game, other)]
        assert shares[0] == pytest.approx(shares[1], abs=1e-6)


def test_laws_hold():
    held = check_problem(textbook.congestion(3, [1, 1.5]), bad=[lambda: NormalForm(np.ones((2, 3)))])
    assert held == ["locality", "conservation", "reproducibility"]


def test_copies_are_matched_at_random():
    game = textbook.prisoners_dilemma()
    four = game.replicate(2)
    assert four.worth.shape == (4, 2, 2, 2, 2)
    # places: row 1, column 1, row 2, column 2; row 1 cooperates, one column defects: (3 + 0) / 2
    assert four.worth[0][0, 1, 0, 0] == four.worth[0][0, 0, 1, 1] == 1.5
    assert four.worth[1][0, 1, 0, 0] == 5  # that column meets two who cooperate
    assert four.effect(four.plan()) == pytest.approx(game.effect(game.plan()) / 2)
    with pytest.raises(cx.Refused, match="table of 48 players"):
        textbook.congestion(3, [1, 1.5]).replicate(16)


def test_restriction_leaves_the_others_playing_anything():
    game = NormalForm(np.random.default_rng(2).normal(size=(3, 2, 3, 2)))
    left = game.restrict([0, 2])
    assert np.allclose(left.worth, game.worth.mean(2)[[0, 2]], atol=1e-7)
    with pytest.raises(cx.Refused, match="fewer than two"):
        game.restrict([1])


def test_the_five_questions():
    game = textbook.prisoners_dilemma()
    answer = compare(game, tolerance=0.01)
    rows = {r["regime"]: r for r in answer.rows}
    assert rows["planner"]["efficiency"] == 1
    assert rows["full_information"]["efficiency"] == 0
    assert rows["signal"]["status"] == "settled"
    assert rows["signal"]["efficiency"] < 0.1  # they learn to defect
    told = frontier(game, seeds=2, bits=(1,), rounds=50)
    assert any("no bits to cut" in note for note in told.notes)
    assert any("leak 0.5" in note for note in told.notes)
    assert {r["point"] for r in told.rows if r["seeds"]} == {"silence", "exact", "leak 1"}
    hurt = lesion(textbook.congestion(4, [1, 1.5]), seeds=1, fractions=(0.0, 0.25))
    assert all(np.isfinite(r["recovered"]) for r in hurt.rows)
    assert len(shock(game, rounds=5).rows) == 6
    crowd = replicate(game, copies=(1, 2))
    assert [r["effect"] for r in crowd.rows] == pytest.approx([0.8, 0.4])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NormalForm(np.ones((2, 3))), "one axis of actions"),
        (lambda: NormalForm([[[1.0, np.inf]], [[1.0, 2]]]), r"payoffs\[0, 0, 1\]"),
        (lambda: NormalForm(([[1.0, 2]], [[1.0]])), "no table"),
        (lambda: NormalForm(np.ones((2, 2, 2)), names=("one",)), "names"),
        (lambda: NormalForm(np.ones((2, 2, 2)), actions=(("a",), ("b", "c"))), "actions"),
        (lambda: textbook.prisoners_dilemma(reward=6), "exceed the next"),
        (lambda: textbook.stag_hunt(hare=5), "stag"),
        (lambda: textbook.congestion(30, [1, 2]), "take fewer"),
        (lambda: textbook.congestion(2, [1, -2]), "slope"),
        (lambda: textbook.congestion(2, [1], [1, 2]), "fixed"),
        (lambda: textbook.cournot(0), "players"),
    ],
)
def test_impossible_games_are_refused(make, words):
    with pytest.raises(cx.BadInput, match=words):
        make()


def test_what_a_game_has_not_got_is_refused():
    game = textbook.matching_pennies()
    with pytest.raises(cx.Refused, match="no price"):
        game.society(0.5)
    with pytest.raises(cx.Refused, match="no price"):
        game.contest(0.5)
    with pytest.raises(cx.Refused, match="floats"):
        cx.settle(game)
    three = np.zeros((3, 2, 2, 2))
    three[0], three[1] = game.worth[0][:, :, None], game.worth[1][:, :, None]
    with pytest.raises(cx.Refused, match="no equilibrium was found"):
        NormalForm(three).contest()
