"""Voting rules: textbook elections, brute force, and the axioms that each rule keeps."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.collective import voting
from catallax.core.errors import BadInput, Refused

RANKED = (
    voting.plurality,
    voting.borda,
    voting.two_round,
    voting.instant_runoff,
    voting.copeland,
    voting.minimax,
    voting.schulze,
    voting.ranked_pairs,
    voting.kemeny,
)
CONDORCET = RANKED[4:]
MONOTONE = (voting.plurality, voting.borda, *CONDORCET)


def named(texts: dict[str, float], names: str) -> voting.Ballots:
    """Ballots written as words of letters, with weights."""
    length = max(map(len, texts))
    rankings = [[names.index(c) for c in text] + [-1] * (length - len(text)) for text in texts]
    return voting.ballots(rankings, len(names), list(texts.values()))


# The capital of Tennessee: Memphis, Nashville, Chattanooga, Knoxville
CAPITAL = named({"MNCK": 42, "NCKM": 26, "CKNM": 15, "KCNM": 17}, "MNCK")
# M. Schulze 2011, example 1
SCHULZE = named(
    {"ACBED": 5, "ADECB": 5, "BEDAC": 8, "CABED": 3, "CAEBD": 7, "CBADE": 2, "DCEBA": 7, "EBADC": 8}, "ABCDE"
)
# Condorcet's own example against Borda's rule: 81 voters
BORDA = named({"ABC": 30, "ACB": 1, "BAC": 29, "BCA": 10, "CAB": 10, "CBA": 1}, "ABC")


def test_the_capital():
    won = {rule.__name__: rule(CAPITAL).winner for rule in RANKED}
    assert won == {
        "plurality": 0,
        "instant_runoff": 3,
        **dict.fromkeys(("borda", "two_round", "copeland", "minimax", "schulze", "ranked_pairs", "kemeny"), 1),
    }
    assert voting.condorcet_winner(CAPITAL) == 1
    assert voting.condorcet_loser(CAPITAL) == 0
    assert voting.smith_set(CAPITAL) == (1,)
    assert voting.borda(CAPITAL).scores.tolist() == [126, 194, 173, 107]
    counts = voting.instant_runoff(CAPITAL).counts
    assert np.array_equal(counts[:2], [[42, 26, 15, 17], [42, 26, np.nan, 32]], equal_nan=True)
    assert voting.kemeny(CAPITAL).ranking == ((1,), (2,), (3,), (0,))


def test_schulzes_own_example():
    assert SCHULZE.pairwise[0].tolist() == [0, 20, 26, 30, 22]
    result = voting.schulze(SCHULZE)
    assert result.ranking == ((4,), (0,), (2,), (1,), (3,))  # E A C B D
    assert voting.condorcet_winner(SCHULZE) is None
    assert voting.ranked_pairs(SCHULZE).winner == 0


def test_borda_may_pass_over_who_beats_all():
    assert voting.condorcet_winner(BORDA) == 0
    assert voting.borda(BORDA).winner == 1
    assert all(rule(BORDA).winner == 0 for rule in CONDORCET)


def test_a_cycle_has_no_winner_and_is_said_to_be_level():
    cycle = voting.ballots([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
    assert voting.condorcet_winner(cycle) is voting.condorcet_loser(cycle) is None
    assert voting.smith_set(cycle) == (0, 1, 2)
    for rule in RANKED:
        result = rule(cycle)
        assert result.winners == (0, 1, 2), rule
        assert result.tied
        with pytest.raises(Refused, match="tie_break"):
            _ = result.winner
        assert all(rule(cycle, tie_break=order).winner in (0, 1, 2) for order in itertools.permutations(range(3)))
    assert voting.plurality(cycle, tie_break=[2, 0, 1]).winner == 2
    assert voting.schulze(cycle, tie_break=[1, 2, 0]).winners == (1,)


def test_more_support_may_cost_an_instant_runoff():
    # 39 ABC, 35 BCA, 26 CAB: C is out, A wins. Ten BCA raise A to ABC: B is out, and C wins.
    before = named({"ABC": 39, "BCA": 35, "CAB": 26}, "ABC")
    after = named({"ABC": 49, "BCA": 25, "CAB": 26}, "ABC")
    assert voting.instant_runoff(before).winner == 0
    assert voting.instant_runoff(after).winner == 2
    assert voting.two_round(before).winner == 0
    assert voting.two_round(after).winner == 2


def test_ties_for_elimination_go_both_ways():
    # B and C are level at the bottom: without B, A beats C; without C, B beats A
    cast = named({"ABC": 4, "BAC": 3, "CBA": 3}, "ABC")
    for rule in (voting.instant_runoff, voting.two_round):
        assert rule(cast).winners == (0, 1)
        assert rule(cast).counts.shape[0] == 1
        assert rule(cast, tie_break=[2, 0, 1]).winner == 0  # B, the least preferred, is put out
        assert rule(cast, tie_break=[1, 2, 0]).winner == 1


def test_equal_defeats_are_locked_in_every_order():
    # A beats B, B beats C, C beats A, all alike, and all beat D: each of the three may be first
    cast = named({"ABCD": 1, "BCAD": 1, "CABD": 1}, "ABCD")
    assert voting.ranked_pairs(cast).winners == (0, 1, 2)
    assert voting.ranked_pairs(cast, tie_break=[0, 1, 2, 3]).winner == 0


def test_approval_and_score():
    approved = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0]], bool)
    assert voting.approval(approved).scores.tolist() == [2, 3, 1]
    assert voting.approval(approved, [2, 1, 1, 3]).winner == 0
    graded = voting.score([[5, 4, 0], [0, 4, 5], [1, 3, 0]])
    assert graded.scores.tolist() == [6, 11, 5]
    assert graded.ranking == ((1,), (0,), (2,))
    assert voting.score([[1.0, 1.0]]).winners == (0, 1)
    assert voting.approval([[1, 0], [0, 1]], tie_break=[1, 0]).winner == 1


def test_incomplete_ballots_leave_the_rest_level():
    cast = voting.ballots([[0, -1, -1], [1, 2, -1]], 4)
    assert cast.pairwise.tolist() == [[0, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]]
    assert voting.borda(cast).scores.tolist() == [3.5, 4.0, 3.0, 1.5]  # six points a ballot
    # the ballot for 0 alone is of no account once 0 is out
    assert voting.instant_runoff(voting.ballots([[0, -1], [1, 2], [1, 2], [2, 1], [2, 1], [2, 1]])).winner == 2


def test_one_option_wins():
    for rule in RANKED:
        assert rule(voting.ballots([[0], [0]])).winner == 0
    assert voting.condorcet_winner([[0]]) == 0


# --- brute force ---


def elections(options: int = 4, voters: int = 9, complete: bool = False):
    """Random ballots, some incomplete."""

    def build(seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        rankings = random.random((int(random.integers(1, voters + 1)), options)).argsort(1)
        if not complete and seed % 3 == 0:
            keep = random.integers(1, options + 1, len(rankings))
            rankings = np.where(np.arange(options) < keep[:, None], rankings, -1)
        return rankings

    return st.integers(0, 2**32 - 1).map(build)


def prefers(ballot: list[int], i: int, j: int) -> bool:
    return i in ballot and (j not in ballot or ballot.index(i) < ballot.index(j))


@given(elections())
def test_pairs_are_counted_as_one_by_one(rankings):
    cast, lists = voting.ballots(rankings, 4), [[x for x in line if x >= 0] for line in rankings.tolist()]
    for i, j in itertools.permutations(range(4), 2):
        assert cast.pairwise[i, j] == sum(prefers(line, i, j) for line in lists)


@given(elections(5))
def test_kemeny_is_the_best_of_all_orders(rankings):
    cast = voting.ballots(rankings, 5)
    p, result = cast.pairwise, voting.kemeny(cast)
    cost = {
        order: sum(p[j, i] for k, i in enumerate(order) for j in order[k + 1 :])
        for order in itertools.permutations(range(5))
    }
    least = min(cost.values())
    assert result.winners == tuple(sorted({order[0] for order, c in cost.items() if c == least}))
    best = [order for order, c in cost.items() if c == least]
    assert (len(best) == 1) == bool(result.ranking)
    if result.ranking:
        assert tuple(x for (x,) in result.ranking) == best[0]
    preferred = voting.kemeny(cast, tie_break=[3, 1, 4, 0, 2])
    assert tuple(x for (x,) in preferred.ranking) == min(best, key=lambda o: [[3, 1, 4, 0, 2].index(x) for x in o])
    for first in range(5):
        assert -result.scores[first] == min(c for order, c in cost.items() if order[0] == first)


@given(elections())
def test_schulze_is_the_strongest_of_all_paths(rankings):
    cast = voting.ballots(rankings, 4)
    p = cast.pairwise
    power = np.where(p > p.T, p, 0)

    def strongest(i: int, j: int) -> float:
        others = [x for x in range(4) if x not in (i, j)]
        ways = [(i, *middle, j) for n in range(3) for middle in itertools.permutations(others, n)]
        return max(min(power[a, b] for a, b in itertools.pairwise(way)) for way in ways)

    won = [i for i in range(4) if all(strongest(i, j) >= strongest(j, i) for j in range(4) if j != i)]
    assert voting.schulze(cast).winners == tuple(won)


@given(elections())
def test_instant_runoff_is_every_way_to_put_options_out(rankings):
    lists = [[x for x in line if x >= 0] for line in rankings.tolist()]

    def winners(left: frozenset) -> set:
        if len(left) == 1:
            return set(left)
        firsts = dict.fromkeys(left, 0)
        for line in lists:
            first = next((x for x in line if x in left), None)
            if first is not None:
                firsts[first] += 1
        fewest = min(firsts.values())
        return set().union(*(winners(left - {x}) for x in left if firsts[x] == fewest))

    assert voting.instant_runoff(voting.ballots(rankings, 4)).winners == tuple(sorted(winners(frozenset(range(4)))))


@given(elections())
def test_ranked_pairs_are_locked_in_every_order(rankings):
    cast = voting.ballots(rankings, 4)
    margin = cast.pairwise - cast.pairwise.T
    edges = [(i, j) for i, j in itertools.permutations(range(4), 2) if margin[i, j] > 0]
    tops = set()
    for way in itertools.permutations(edges):
        if any(margin[a] < margin[b] for a, b in itertools.pairwise(way)):
            continue
        before = np.eye(4, dtype=bool)
        for i, j in way:
            if not before[j, i]:
                before |= np.outer(before[:, i], before[j])
        tops |= set(np.flatnonzero(before.sum(0) == 1).tolist())
    assert voting.ranked_pairs(cast).winners == tuple(sorted(tops))


@given(elections())
def test_minimax_copeland_and_borda_by_their_words(rankings):
    cast = voting.ballots(rankings, 4)
    p = cast.pairwise.tolist()
    others = {i: [j for j in range(4) if j != i] for i in range(4)}
    worst = [max(max(p[j][i] - p[i][j], 0) for j in others[i]) for i in range(4)]
    assert voting.minimax(cast).scores.tolist() == [-x for x in worst]
    duels = [sum((p[i][j] > p[j][i]) + (p[i][j] == p[j][i]) / 2 for j in others[i]) for i in range(4)]
    assert voting.copeland(cast).scores.tolist() == duels

    def point(line: list[int], i: int, j: int) -> float:
        return 1.0 if prefers(line, i, j) else 0.0 if prefers(line, j, i) else 0.5

    lists = [[x for x in line if x >= 0] for line in rankings.tolist()]
    points = [sum(point(line, i, j) for line in lists for j in others[i]) for i in range(4)]
    assert voting.borda(cast).scores.tolist() == points


# --- axioms ---


@pytest.mark.parametrize("rule", RANKED, ids=lambda rule: rule.__name__)
@settings(max_examples=25)
@given(elections(), st.permutations(range(4)), st.randoms(use_true_random=False))
def test_neither_names_nor_the_order_of_voters_matter(rule, rankings, names, random):
    won = rule(voting.ballots(rankings, 4)).winners
    shuffled = rankings.tolist()
    random.shuffle(shuffled)
    assert rule(voting.ballots(shuffled, 4)).winners == won  # anonymity
    renamed = np.where(rankings >= 0, np.array(names)[rankings], -1)
    assert rule(voting.ballots(renamed, 4)).winners == tuple(sorted(names[x] for x in won))  # neutrality
    weights = np.arange(len(rankings)) % 3 + 1  # are repetition
    repeated = voting.ballots(np.repeat(rankings, weights, 0), 4)
    assert rule(voting.ballots(rankings, 4, weights)).winners == rule(repeated).winners


@pytest.mark.parametrize("rule", RANKED, ids=lambda rule: rule.__name__)
@settings(max_examples=25)
@given(elections())
def test_ties_are_broken_among_the_level(rule, rankings):
    cast = voting.ballots(rankings, 4)
    level = rule(cast).winners
    broken = {rule(cast, tie_break=order).winner for order in itertools.permutations(range(4))}
    assert broken <= set(level)
    if len(level) == 1:
        assert broken == set(level)


@pytest.mark.parametrize("rule", CONDORCET, ids=lambda rule: rule.__name__)
@given(elections())
def test_who_beats_all_wins(rule, rankings):
    cast = voting.ballots(rankings, 4)
    best = voting.condorcet_winner(cast)
    if best is not None:
        assert rule(cast).winners == (best,)
        assert voting.smith_set(cast) == (best,)
    if rule is not voting.minimax:  # which may leave it
        assert set(rule(cast).winners) <= set(voting.smith_set(cast))
        assert voting.condorcet_loser(cast) not in rule(cast).winners


@pytest.mark.parametrize("rule", MONOTONE, ids=lambda rule: rule.__name__)
@settings(max_examples=30)
@given(elections(complete=True), st.integers(0, 2**32 - 1))
def test_to_be_raised_never_costs_the_victory(rule, rankings, seed):
    won = rule(voting.ballots(rankings, 4)).winners[0]
    random = np.random.default_rng(seed)
    raised = [line.copy() for line in rankings.tolist()]
    for line in raised:
        place = line.index(won)
        if place and random.random() < 0.5:
            line.insert(int(random.integers(0, place)), line.pop(place))
    assert won in rule(voting.ballots(raised, 4)).winners


@pytest.mark.parametrize("rule", [voting.schulze, voting.ranked_pairs, voting.instant_runoff], ids=lambda r: r.__name__)
@settings(max_examples=60)
@given(elections(complete=True, voters=25), st.integers(0, 2**32 - 1))
def test_a_clone_changes_nothing_for_the_others(rule, rankings, seed):
    """Looked at where no two defeats are alike, and where an instant runoff goes one way only."""
    cast = voting.ballots(rankings, 4)
    margins = np.abs((cast.pairwise - cast.pairwise.T)[np.triu_indices(4, 1)])
    if len(set(margins.tolist())) < 6 or not margins.all():
        return
    random, copied = np.random.default_rng(seed), int(seed % 4)
    cloned = []
    for line in rankings.tolist():
        place = line.index(copied)
        line.insert(place + int(random.integers(0, 2)), 4)  # right behind the copied one or right before it
        cloned.append(line)
    won, later = rule(cast).winners, rule(voting.ballots(cloned, 5)).winners
    if rule is voting.instant_runoff and (len(won) > 1 or len(later) > 1):
        return
    assert {copied if x == 4 else x for x in later} == set(won)


def test_a_clone_may_cost_plurality_and_borda():
    alone = named({"AB": 3, "BA": 2}, "AB")
    assert voting.plurality(alone).winner == voting.borda(alone).winner == 0
    split = named({"ABC": 1, "CAB": 2, "BAC": 2}, "ABC")  # C stands beside A
    assert 1 in voting.plurality(split).winners
    teamed = named({"ABC": 3, "BCA": 2}, "ABC")  # C stands beside B
    assert voting.borda(teamed).winner == 1


# --- ballots ---


def test_equal_ballots_are_one_whatever_the_way_they_are_counted():
    random = np.random.default_rng(0)
    for options, places in ((3, 3), (9, 9), (30, 14)):
        rankings = random.random((200, options)).argsort(1)[:, :places]
        rankings = np.concatenate([rankings, rankings[:50]])
        cast = voting.ballots(rankings, options)
        kinds, counts = np.unique(rankings, axis=0, return_counts=True)
        order = np.lexsort(cast.rankings.T[::-1])
        assert np.array_equal(cast.rankings[order], kinds)
        assert np.array_equal(cast.weights[order], counts)


def test_a_million_ballots_are_few_kinds():
    cast = voting.ballots(np.random.default_rng(0).random((1_000_000, 4)).argsort(1))
    assert len(cast.rankings) == 24
    assert cast.total == 1_000_000
    assert cast.pairwise[0, 1] + cast.pairwise[1, 0] == 1_000_000


@pytest.mark.parametrize(
    ("rankings", "more", "sentence"),
    [
        ([[0, 1, 0], [0, 1, 2]], {}, "ballot 0 names option 0 twice"),
        ([[0, 1], [1, 2]], {"options": 2}, "ballot 1 names option 2 in place 1"),
        ([[0, 1], [-2, 1]], {}, "ballot 1 names option -2"),
        ([], {}, "shape"),
        ([[0, 1], [-1, -1]], {}, "ballot 1 names no option"),
        ([[0, 1], [-1, 1]], {}, "ballot 1 names an option after a blank"),
        ([[0.0, np.nan]], {}, "ballot 0 is NaN in place 1"),
        ([[0.0, 1.0]], {}, "float64"),
        ([["a", "b"]], {}, "hold"),
        ([[0, 1], [0]], {}, "different lengths"),
        ([0, 1], {}, "shape"),
        ([[0, 1]], {"weights": [1.0, 2.0]}, "one number for each of 1"),
        ([[0, 1]], {"weights": [np.nan]}, r"weights\[0\] is nan"),
        ([[0, 1]], {"weights": [-1.0]}, r"weights\[0\] is -1"),
        ([[0, 1]], {"weights": [0.0]}, "all weights are 0"),
        ([[0, 1]], {"options": 0}, "options is 0"),
    ],
)
def test_bad_ballots_are_refused_in_a_sentence(rankings, more, sentence):
    with pytest.raises(BadInput, match=sentence) as raised:
        voting.ballots(rankings, **more)
    assert "\n" not in str(raised.value)


def test_bad_questions_are_refused_in_a_sentence():
    cast = voting.ballots([[0, 1], [1, 0]])
    for rule in RANKED:
        with pytest.raises(BadInput, match="tie_break"):
            rule(cast, tie_break=[0, 0])
    with pytest.raises(BadInput, match="strength"):
        voting.schulze(cast, strength="might")
    with pytest.raises(BadInput, match="already"):
        voting.ballots(cast, 3)
    with pytest.raises(Refused, match="12 at most"):
        voting.kemeny([list(range(13))])
    for bad in ([[0, 2]], [[np.nan, 1.0]], [["yes", "no"]], [], [True]):
        with pytest.raises(BadInput):
            voting.approval(bad)
    for bad in ([[np.nan, 1.0]], [[np.inf, 1.0]], [["1"]], [], [1.0]):
        with pytest.raises(BadInput):
            voting.score(bad)
