"""Juries against exact sums, closed forms of the literature, and brute force over all votes."""

import itertools
import math

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import catallax as cx
from catallax.collective.juries.bayes import Stakes, belief, on_grid, optimum
from catallax.collective.juries.chances import cascade, condorcet, roll_call
from catallax.collective.juries.docket import docket
from catallax.collective.juries.strategy import Votes, gains, in_turn, sincere
from catallax.collective.jury import Jury
from catallax.core.channel import Channel
from catallax.core.errors import BadInput, Refused
from catallax.core.random import key
from catallax.measures.influence import influence
from catallax.questions import compare, frontier, lesion, replicate, shock
from catallax.testing import check_problem

EVEN = Stakes(0.5, 0.5)


def error(p: float, cases: int) -> float:
    """Four standard errors of a share of cases."""
    return 4 * math.sqrt(p * (1 - p) / cases)


def facts(seed: int, voters: int) -> Votes:
    """Random jurors, whole weights, and a majority or a quota."""
    random = np.random.default_rng(seed)
    quota, tie = [(0.5, 0.5), (0.5, 1.0), (1.0, 1.0), (2 / 3, 1.0)][seed % 4]
    weights = random.integers(1, 4, voters).astype(float)
    return Votes(random.uniform(0.2, 0.95, voters), weights, random.random(voters) * 0.5, quota, tie)


def all_votes(votes: Votes, convicting: np.ndarray, verdict) -> np.ndarray:
    """The chance [2] of conviction, over all 3^n ways to vote; `verdict(for, against)` by weights."""
    found = np.zeros(2)
    for way in itertools.product((1, 0, -1), repeat=len(votes.weights)):
        way = np.array(way)
        each = np.where(way == 0, votes.abstention, 1 - votes.abstention)[:, None]
        each = each * np.where(way[:, None] == 0, 1, np.where(way[:, None] > 0, convicting, 1 - convicting))
        found += each.prod(0) * verdict(votes.weights @ (way > 0), votes.weights @ (way < 0))
    return found


def decided(votes: Votes):
    """The verdict in other words: by the share of the votes cast."""

    def verdict(pro: float, against: float) -> float:
        if pro + against == 0:
            return 0.5 if (votes.quota, votes.tie) == (0.5, 0.5) else 0.0
        share = pro / (pro + against)
        return votes.tie if abs(share - votes.quota) < 1e-9 else float(share > votes.quota)

    return verdict


# --- exact sums ---


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1001])
def test_the_poisson_binomial_of_equals_is_the_binomial(n):
    votes = Votes(np.full(n, 0.6), np.ones(n), np.zeros(n), 0.5, 0.5)
    chance = votes.chances(votes.convicting(*sincere(votes.competence, EVEN)))
    assert np.allclose(chance, [condorcet(n, 0.6), 1 - condorcet(n, 0.6)], rtol=0, atol=1e-12)
    below = math.fsum(math.comb(n, k) * 0.6**k * 0.4 ** (n - k) for k in range(n + 1) if 2 * k > n)
    assert condorcet(n, 0.6) == pytest.approx(below + (0 if n % 2 else binom.pmf(n // 2, n, 0.6) / 2), abs=1e-11)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_chances_of_a_verdict_are_the_sum_over_all_votes(seed, voters):
    votes = facts(seed, voters)
    if (votes.quota, votes.tie) == (0.5, 1.0):
        votes = votes._replace(quota=0.4)
    random = np.random.default_rng(seed)
    convicting = votes.convicting(random.random(voters), random.random(voters))
    assert np.allclose(votes.chances(convicting), all_votes(votes, convicting, decided(votes)), rtol=0, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.booleans())
def test_the_planner_is_the_sum_over_all_evidence(seed, voters, shared):
    random = np.random.default_rng(seed)
    p, missing = random.uniform(0.1, 0.95, voters), random.random(voters) * (seed % 2)
    stakes = Stakes(*random.uniform(0.2, 0.8, 2).tolist())
    common = (0.4, float(random.random())) if shared else (0.0, 0.5)
    worth = 1.0
    for seen in itertools.product((1, 0, -1), repeat=voters):
        e, chance = np.array(seen), np.zeros(2)
        for view, of_view in ((1, common[1]), (0, 1 - common[1])):
            right = (1 - common[0]) * p + common[0] * view
            for world, truth in enumerate((1, -1)):
                each = np.where(e == 0, missing, (1 - missing) * np.where(e == truth, right, 1 - right))
                chance[world] += of_view * each.prod()
        worth -= 2 * min(stakes.harms[0] * chance[1], stakes.harms[1] * chance[0])
    exact, wrong = optimum(p, missing, common, stakes)
    assert wrong == 0
    assert exact == pytest.approx(worth, abs=1e-10)
    if not missing.any():  # the log-odds of one way to see it
        e = np.where(random.random((voters, 1)) < 0.5, 1, -1)
        odds = [0.0, 0.0]
        for view, of_view in ((1, common[1]), (0, 1 - common[1])):
            right = ((1 - common[0]) * p + common[0] * view)[:, None]
            for world, truth in enumerate((1, -1)):
                odds[world] += of_view * np.where(e == truth, right, 1 - right).prod()
        assert belief(e, p, common)[0] == pytest.approx(math.log(odds[0] / odds[1]), abs=1e-9)


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1))
def test_a_grid_of_weights_encloses_the_planner(seed):
    p = np.random.default_rng(seed).uniform(0.3, 0.95, 9)
    exact, _ = optimum(p, np.zeros(9), (0.0, 0.5), EVEN)
    low, high = (on_grid(p, np.zeros(9), EVEN, up) for up in (0, 1))
    assert low - 1e-12 <= exact <= high + 1e-12
    assert high - low < 1e-3


def test_many_unlike_jurors_have_a_certificate():
    jury = Jury(np.random.default_rng(0).uniform(0.5, 0.6, 100), cases=64)
    plan = jury.plan()
    assert 0 < plan.certificate < 1e-3
    assert plan.status == "settled"
    assert condorcet(100, float(jury.competence.min())) < plan.expected


@given(st.integers(0, 2**32 - 1), st.integers(2, 7))
def test_log_odds_weights_are_the_best_of_all_weights(seed, voters):
    random = np.random.default_rng(seed)
    p = random.uniform(0.51, 0.95, voters)
    best, _ = optimum(p, np.zeros(voters), (0.0, 0.5), EVEN)
    weighted = Jury(p, weights=np.abs(np.log(p / (1 - p))), cases=8)
    assert weighted.facts.stakes.worth(*np_chances(weighted)) == pytest.approx(best, abs=1e-9)
    other = Jury(p, weights=random.random(voters) + 0.01, cases=8)
    assert other.facts.stakes.worth(*np_chances(other)) <= best + 1e-9


def np_chances(jury: Jury) -> tuple[float, float]:
    votes = jury.facts.votes
    return tuple(votes.chances(votes.convicting(*sincere(votes.competence, jury.facts.stakes))).tolist())


# --- simulation beside the sums ---


@pytest.mark.parametrize("p", [0.3, 0.55, 0.7, 0.9])
@pytest.mark.parametrize("n", [4, 11])
def test_condorcets_curve_is_simulated_within_four_standard_errors(n, p):
    jury = Jury(np.full(n, p), cases=20_000, seed=n)
    outcome = cx.run(jury, 2, record=cx.Record(every=1, **jury.watch()))
    exact = condorcet(n, p)
    assert abs(outcome.right - exact) < error(exact, jury.cases)
    assert outcome.expected == pytest.approx(exact, abs=1e-12)
    assert outcome.record["right"][-1] == pytest.approx(outcome.right, abs=1e-6)


KINDS = {
    "unlike": dict(competence=np.linspace(0.4, 0.9, 11)),
    "abstaining": dict(competence=np.linspace(0.5, 0.8, 11), abstention=np.linspace(0.0, 0.8, 11)),
    "weighted": dict(competence=np.linspace(0.5, 0.8, 11), weights=np.arange(11.0)),
    "with a common view": dict(competence=np.full(11, 0.65), common=0.4, common_right=0.7),
    "unlike, with a common view": dict(competence=np.linspace(0.5, 0.8, 11), common=0.3, common_right=0.2),
    "two thirds": dict(competence=np.full(11, 0.7), quota=2 / 3),
    "prior and doubt": dict(competence=np.linspace(0.5, 0.9, 11), prior=0.35, doubt=0.6),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_jury_is_simulated_within_four_standard_errors(kind):
    jury = Jury(**KINDS[kind], cases=20_000, seed=3)
    for outcome in (cx.run(jury, 1), jury.plan(), jury.silence()):
        error_in_harm = 4 * 0.5 / math.sqrt(jury.cases)  # of 1 - 2 x harm, between 0 and 1
        assert abs(outcome.right - outcome.expected) < error_in_harm
    assert jury.plan().expected >= cx.run(jury, 1).expected - 1e-12


def test_the_common_view_correlates_jurors_as_the_formula_says():
    jury = Jury(np.full(11, 0.65), common=0.4, common_right=0.7, cases=20_000)
    cases = docket(jury.facts)
    right = (cases.evidence > 0) == cases.guilty
    mean = 0.6 * 0.65 + 0.4 * 0.7
    expected = 0.4**2 * 0.7 * 0.3 / (mean * (1 - mean))
    found = np.corrcoef(right.astype(float))[np.triu_indices(11, 1)]
    assert abs(found.mean() - expected) < 4 / math.sqrt(jury.cases)
    assert abs(right.mean() - mean) < error(mean, jury.cases)
    # the crowd's mistake does not vanish with numbers
    many = Jury(np.full(1001, 0.65), common=0.4, common_right=0.7, cases=8)
    assert 0.69 < cx.run(many, 1).expected < 0.71


def test_who_stays_sees_the_same():
    jury = Jury.example()
    kept = docket(jury.restrict([1, 4, 7]).facts)
    assert np.array_equal(kept.evidence, docket(jury.facts).evidence[[1, 4, 7]])
    assert not np.array_equal(docket(jury.shocked(key(1), 0.0).facts).guilty, docket(jury.facts).guilty)


# --- hearing the count ---


def test_equals_who_hear_the_standing_count_all_come_to_the_majority():
    jury = Jury(np.full(11, 0.7), sway=1.0)
    rest = cx.settle(jury)
    assert rest.status == "settled"
    first = cx.run(Jury(np.full(11, 0.7)), 1)
    assert np.array_equal(rest.convict, first.convict)
    assert rest.minds == pytest.approx(first.right, abs=1e-6)
    assert rest.minds > first.minds + 0.2


def coins(n: int, p: float) -> tuple[float, float]:
    """Chances of (a right majority, half of even ones) and of a wrong cascade, by the history of n who toss when in doubt."""
    states = {(0, 0): 1.0}  # votes for the right and the wrong option
    for _ in range(n):
        later: dict = {}
        for (good, bad), chance in states.items():
            lead = good - bad
            up = 1.0 if lead >= 2 else 0.0 if lead <= -2 else {0: p, 1: p + (1 - p) / 2, -1: p / 2}[lead]
            for step, share in (((1, 0), up), ((0, 1), 1 - up)):
                to = (good + step[0], bad + step[1])
                later[to] = later.get(to, 0.0) + chance * share
        states = later
    right = sum(c * (1.0 if g > b else 0.5 if g == b else 0.0) for (g, b), c in states.items())
    return right, sum(c for (g, b), c in states.items() if b - g >= 2)


@pytest.mark.parametrize("p", [0.5, 0.6, 0.75, 0.95])
@pytest.mark.parametrize("n", [2, 4, 5, 12, 13])
def test_cascades_by_formula_are_those_by_history(n, p):
    right, wrong, none = cascade(n, p)
    assert right + wrong + none == pytest.approx(1, abs=1e-12)
    majority, fooled = coins(n, p)
    assert roll_call(n, p) == pytest.approx(majority, abs=1e-12)
    if n % 2 == 0:
        assert wrong == pytest.approx(fooled, abs=1e-12)


def test_who_are_called_one_after_the_other_fall_into_cascades():
    jury = Jury(np.full(12, 0.7), sway=1.0, sequential=True, cases=20_000)
    outcome = cx.run(jury, 1, activation="random order")
    exact = roll_call(12, 0.7)
    assert abs(outcome.right - exact) < error(exact, jury.cases)
    counts = np.asarray(outcome.society.signal.counts)
    wrong = counts[np.arange(jury.cases), 1 - docket(jury.facts).guilty.astype(int)]
    fooled = cascade(12, 0.7)[1]
    assert abs(np.mean(wrong > 6) - fooled) < error(fooled, jury.cases)
    assert outcome.right < condorcet(12, 0.7) - 0.1  # hearing it has made them worse


def test_one_bit_of_a_majority_is_enough_and_of_unanimity_is_not():
    fair = Jury.example()
    assert np.array_equal(cx.run(fair, 2, channel=Channel(bits=1)).convict, cx.run(fair, 2).convict)
    strict = Jury.unanimous()
    assert not cx.run(strict, 2, channel=Channel(bits=1)).convict.any()
    assert np.array_equal(cx.run(strict, 2, channel=Channel(bits=5)).convict, cx.run(strict, 2).convict)


# --- strategic voting ---


@pytest.mark.parametrize(
    ("n", "p", "q"), [(3, 0.7, 0.5), (12, 0.8, 0.5), (12, 0.8, 0.7), (24, 0.6, 0.5), (12, 0.7, 0.9)]
)
def test_unanimity_is_the_mixed_equilibrium_of_feddersen_and_pesendorfer(n, p, q):
    jury = Jury(np.full(n, p), quota=1.0, doubt=q, cases=8)
    innocent, guilty, rests = jury.strategies(1.0)
    root = ((1 - q) * (1 - p) / (q * p)) ** (1 / (n - 1))
    mixed = max(0.0, (root * p - (1 - p)) / (p - root * (1 - p)))
    assert rests
    assert np.allclose(innocent, mixed, rtol=0, atol=1e-9)
    assert np.allclose(guilty, 1)
    assert gains(jury.facts.votes, jury.facts.stakes, innocent, guilty).max() < 1e-9


def test_unanimity_convicts_more_of_the_innocent_the_more_jurors_there_are():
    limit = 0.25 ** (0.8 / 0.6)  # ((1 - q)(1 - p) / q p) ^ (p / (2 p - 1))
    found = []
    for n in (3, 12, 400):
        jury = Jury(np.full(n, 0.8), quota=1.0, cases=8)
        innocent, guilty, _ = jury.strategies(1.0)
        votes = jury.facts.votes
        found.append(float(votes.chances(votes.convicting(innocent, guilty))[1]))
    assert found == sorted(found)
    assert found[-1] == pytest.approx(limit, rel=2e-2)
    equal = Jury(np.full(400, 0.8), cases=8).facts.votes
    assert equal.chances(equal.convicting(np.zeros(400), np.ones(400)))[1] < 1e-12  # a majority of them hardly ever


def test_the_contest_is_simulated_within_four_standard_errors():
    jury = Jury(np.full(11, 0.8), quota=1.0, cases=20_000)
    contest = jury.contest()
    assert contest.status == "settled"
    assert contest.certificate < 1e-9
    assert abs(contest.right - contest.expected) < error(contest.expected, jury.cases)
    assert jury.gain(contest) > 1e-3  # of the sincere
    assert 0 < jury.strategies(0.5)[0][0] < contest.innocent[0]


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_where_nobody_would_change_no_one_can_gain(seed, voters):
    votes = facts(seed, voters)._replace(competence=np.random.default_rng(seed).uniform(0.5, 0.95, voters))
    stakes = Stakes(0.4, 0.6)
    a, b, rests = in_turn(votes, stakes, 1.0)
    assert rests
    assert gains(votes, stakes, a, b).max() < 1e-12

    def worth(a, b):
        return stakes.worth(*all_votes(votes, votes.convicting(a, b), decided(votes)))

    if (votes.quota, votes.tie) == (0.5, 1.0):
        return
    sincerely = sincere(votes.competence, stakes)
    assert worth(a, b) >= worth(*sincerely) - 1e-12
    for i in range(voters):  # all four ways to vote of each
        most = max(
            worth(*(np.where(np.arange(voters) == i, x, s) for x, s in zip(way, sincerely, strict=True)))
            for way in itertools.product((0.0, 1.0), repeat=2)
        )
        assert gains(votes, stakes, *sincerely)[i] == pytest.approx(max(0, most - worth(*sincerely)), abs=1e-10)


def test_a_common_view_has_no_contest():
    with pytest.raises(Refused, match="common view"):
        Jury(np.full(3, 0.7), common=0.1, cases=8).contest()


# --- the laws and the five questions ---


BAD = {
    "competence": [[], [0.5, 1.0], [np.nan], [[0.5]], ["good"]],
    "weights": [[1.0], [1.0, -1.0], [0.0, 0.0], [np.inf, 1.0]],
    "abstention": [1.0, [0.1], [0.1, np.nan], -0.1],
    "common": [1.0, -0.1, np.nan],
    "common_right": [1.1],
    "prior": [0.0, 1.0],
    "doubt": [1.0],
    "quota": [0.0, 1.1, np.nan],
    "sway": [-1.0, np.inf],
    "cases": [0],
    "seed": [-1],
    "names": [np.array([1, 1]), np.array([1])],
}


def test_the_laws_hold():
    pair = dict(competence=[0.6, 0.7])
    bad = [lambda f=f, v=v: Jury(**(pair | {f: v})) for f, values in BAD.items() for v in values]
    held = check_problem(Jury(np.linspace(0.8, 0.55, 11), sway=0.7, cases=64), bad=bad)
    assert set(held) == {"locality", "honest bits", "conservation", "reproducibility", "certificate"}


@pytest.fixture(scope="module")
def jury() -> Jury:
    return Jury(np.linspace(0.8, 0.55, 11), cases=1024)


def test_compare(jury):
    answer = compare(jury)
    by = {row["regime"]: row for row in answer.rows}
    assert [row["status"] for row in answer.rows] == ["done", "settled", "settled", "settled"]
    assert by["silence"]["right"] < by["signal"]["right"] < by["planner"]["right"]
    assert by["planner"]["efficiency"] == 1
    assert by["silence"]["expected"] == pytest.approx(0.675)
    assert by["silence"]["best_alone"] == pytest.approx(0.8)
    strict = compare(Jury(np.full(11, 0.8), quota=1.0, cases=1024))
    worth = {row["regime"]: row["efficiency"] for row in strict.rows}
    assert worth["signal"] < worth["full_information"] < worth["silence"] < 1  # unanimity is worse than anyone alone


def test_frontier(jury):
    answer = frontier(jury, bits=(1, 8), leaks=(1.0,), seeds=2)
    rows = {row["point"]: row for row in answer.rows}
    assert rows["1 bit"]["efficiency"] == rows["exact"]["efficiency"] > rows["silence"]["efficiency"] + 0.1
    assert rows["leak 1"]["efficiency"] == rows["exact"]["efficiency"]  # a fair majority leaves nothing to strategy


def test_lesion_and_shock_and_replicate(jury):
    left = lesion(jury, fractions=(0.0, 0.5), seeds=1)
    cut = next(r for r in left.rows if r["order"] == "influential" and r["removed"] == 0.5)
    assert cut["efficiency"] == cut["recovered"] > 0.8  # the votes of those who stay stand
    shaken = shock(jury, rounds=4)
    assert shaken.rows[0]["efficiency"] < 0.7
    assert shaken.facts["recovered"] == 1
    assert 0 < shaken.rows[0]["distance"] <= 11  # counts that rest at 0 are measured by the largest
    assert shaken.rows[1]["distance"] == 0
    grown = replicate(jury, copies=(1, 4))
    assert grown.rows[1]["effect"] == pytest.approx(grown.rows[0]["effect"] / 4)
    assert grown.rows[1]["inefficiency"] < grown.rows[0]["inefficiency"]


def test_influence_is_the_share_of_the_votes():
    jury = Jury(np.full(3, 0.7), weights=[1, 2, 5], cases=8)
    assert np.allclose(influence(jury.society()), [1 / 8, 2 / 8, 5 / 8])
    assert jury.effect(jury.plan()) == 5 / 8


def test_a_file_of_jurors(tmp_path):
    path = tmp_path / "jury.csv"
    path.write_text("juror,competence,weight,abstention\nAda,0.9,2,0\nBo,0.6,1,0.5\n")
    jury = Jury.read(path)
    assert jury.competence.tolist() == [0.9, 0.6]
    assert jury.weights.tolist() == [2, 1]
    assert jury.abstention.tolist() == [0, 0.5]
    for text, sentence in {
        "competence\n0.5\n1.5\n": "line 3: competence is 1.5",
        "skill\n0.5\n": "column 'skill' is not known",
        "weight\n1\n": "column 'competence' is missing",
        "competence,weight\n0.5,-1\n": "line 2: weight is -1",
    }.items():
        path.write_text(text)
        with pytest.raises(BadInput, match=sentence):
            Jury.read(path)


def test_what_there_is_to_see(jury):
    scene = jury.scene(cx.run(jury, 1).society)
    alone, verdict, planner = scene.items[1].values
    assert alone < verdict < planner
    assert len(scene.items[0].labels) == 11
    with pytest.raises(Refused):
        jury.restrict([])
    with pytest.raises(Refused):
        jury.restrict([0, 1]).replicate(2)
    with pytest.raises(BadInput):
        jury.society(1.5)
    assert jax.tree.leaves(jury.society(0.5).agents)
