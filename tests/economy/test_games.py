"""Games: textbook answers, regret matching against what it promises, and the five questions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.economy import textbook
from catallax.economy.games import NormalForm
from catallax.economy.play import nash
from catallax.economy.play.regret import at_rest
from catallax.measures.bits import bits
from catallax.questions import compare, frontier, lesion, replicate, shock
from catallax.questions.regimes import coordinated
from catallax.testing import check_problem


def drawn(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(shape), *shape))


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


@pytest.mark.parametrize("cost", [(3.0, 3.0), (1.0, 2.0)])
def test_cournot_with_unlike_costs_is_the_closed_form(cost):
    # q_i = (12 - 2 c_i + c_j) / 3
    game = textbook.cournot(cost=cost)
    first, second = (round((12 - 2 * c + other) / 3) for c, other in (cost, cost[::-1]))
    assert (first, second) == tuple((12 - 2 * c + other) / 3 for c, other in (cost, cost[::-1]))
    assert (first, second) in nash.pure_equilibria(game.worth)
    assert game.worth[:, first, second].tolist() == [first**2, second**2]


def test_the_dearer_firm_sells_nothing_at_bertrands_equilibria():
    game = textbook.bertrand(cost=(2.0, 6.0))
    assert all(game.worth[1][profile] <= 0 for profile in nash.pure_equilibria(game.worth))


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


def test_the_regret_reported_bounds_the_regret_counted():
    for game in (textbook.stag_hunt(), textbook.matching_pennies(), NormalForm(drawn(3, (2, 3, 2)))):
        for rounds in (2, 3, 40, 400):
            outcome = cx.run(game, rounds, seed=1)
            regret = outcome.regret
            assert regret - 2e-6 <= outcome.unrest <= regret + 2 / rounds  # what one round may add, and what it did not


@settings(max_examples=20)
@given(st.integers(2, 4), st.integers(0, 2**32 - 1))
def test_the_action_is_drawn_from_where_the_chain_of_regrets_rests(actions, seed):
    random = np.random.default_rng(seed)
    regret = random.normal(size=(actions, actions)) * (1 - np.eye(actions))
    chance = np.asarray(jax.jit(at_rest)(jnp.asarray(regret), jnp.int32(random.integers(actions))), float)
    forward = np.maximum(regret, 0)
    assert chance.sum() == pytest.approx(1, abs=1e-3)
    assert np.allclose(chance @ forward, chance * forward.sum(1), atol=2e-3 * forward.sum(1).max())


def test_who_regrets_nothing_plays_as_before_and_never_beyond_its_actions():
    assert np.asarray(at_rest(jnp.zeros((3, 3)), jnp.int32(1))).tolist() == pytest.approx([0, 1, 0])
    regret = jnp.zeros((3, 3)).at[0, 1].set(0.2)  # the third is no action of this player
    assert np.asarray(at_rest(regret, jnp.int32(0))).tolist() == pytest.approx([0, 1, 0], abs=1e-3)


@pytest.mark.parametrize("shape", [(3, 3), (6, 6), (2, 3, 2)])
def test_random_games_come_to_rest_within_the_rounds_of_a_question(shape):
    for seed in range(5):
        ran = coordinated(NormalForm(drawn(seed, shape)))
        assert ran.status == "settled"
        assert ran.certificate <= NormalForm.tolerance


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
    answer = compare(game)
    rows = {r["regime"]: r for r in answer.rows}
    assert rows["planner"]["efficiency"] == 1
    assert rows["full_information"]["efficiency"] == 0
    assert rows["signal"]["status"] == "settled"
    assert rows["signal"]["efficiency"] < 0.1  # they learn to defect
    assert rows["signal"]["certificate"] <= 0.01
    assert answer.facts["price_of_anarchy"] == 3
    told = frontier(game, seeds=2, bits=(1, 2), rounds=50)
    assert any(note.startswith("1 bit, 2 bits: ") and "no bits to cut" in note for note in told.notes)
    assert any("leak 0.5" in note for note in told.notes)
    assert {r["point"] for r in told.rows if r["seeds"]} == {"silence", "exact", "leak 1"}
    changed = shock(game, rounds=5)
    assert [r["distance"] for r in changed.rows] == [None] * 6  # nothing is public
    crowd = replicate(game, copies=(1, 2))
    assert [r["effect"] for r in crowd.rows] == pytest.approx([0.8, 0.4])
    assert "leaves the loss from full information as it is" in crowd.headline


def test_when_a_player_leaves_the_others_have_just_played_as_they_did():
    game = textbook.congestion(3, [1, 1.5])
    whole = coordinated(game)
    last = np.asarray(whole.society.agents.played)
    hurt = lesion(game, seeds=1, fractions=(0.0, 0.34))
    rows = {(r["order"], r["removed"]): r for r in hurt.rows}
    assert rows["random", 0.0]["efficiency"] == game.welfare(whole)["efficiency"]
    gone = np.random.default_rng([0, 0]).permutation(3)[:1]
    left, stay = game.restrict(np.setdiff1d(range(3), gone)), np.delete(last, gone)
    every = left.worth.sum(0)
    assert rows["random", 0.34]["efficiency"] == pytest.approx(
        (every[tuple(stay)] - every.min()) / (every.max() - every.min()), abs=1e-6
    )


def test_copies_too_many_for_a_table_are_left_out_and_said_so():
    game = textbook.congestion(3, [1, 1.5])
    answer = replicate(game, copies=(1, 8))
    assert [r["copies"] for r in answer.rows] == [1]
    assert any(note.startswith("8 copies left out: the table of 24 players") for note in answer.notes)
    with pytest.raises(cx.Refused, match="none of these sizes"):
        replicate(game, copies=(8, 16))


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
        (lambda: textbook.cournot(cost=(1.0, 2.0, 3.0)), "for each of 2 players"),
        (lambda: textbook.bertrand(cost=-1.0), "cost"),
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
