"""Price laws of Fisher markets: proportional response by its theory's identities, tatonnement, and few bits of either."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.scipy.special import logsumexp

import catallax as cx
from catallax.economy import Fisher, Utility
from catallax.economy.buyers import eisenberg
from catallax.questions import compare, frontier
from catallax.testing import check_problem

LAWS = ("proportional-response", "tatonnement")
RECORD = cx.Record(every=1, bid=lambda s: s.agents.bid, price=lambda s: s.signal.price)  # compiled once


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


def drawn(seed: int, buyers: int = 8, goods: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Valuations (some of them 0), budgets that sum to 1, supply."""
    random = np.random.default_rng(seed)
    value = random.lognormal(0, 1, (buyers, goods)) * (random.random((buyers, goods)) < 0.8)
    value[np.arange(buyers), random.integers(0, goods, buyers)] = 1
    value[random.integers(0, buyers, goods), np.arange(goods)] = 1
    return value, random.dirichlet(np.ones(buyers)), random.uniform(0.5, 2, goods)


def responding(value, budget, supply, kind="linear", elasticity=None, **more) -> Fisher:
    return Fisher(value, budget, supply, kind, elasticity, law="proportional-response", **more)


def followed(market: Fisher, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Bids [rounds + 1, buyers, bids] and prices [rounds + 1, goods] from the opening on."""
    kept = cx.run(market, rounds, record=RECORD).record
    return kept["bid"], kept["price"]


def divergence(one: np.ndarray, other: np.ndarray) -> float:
    """Kullback and Leibler's, of bids of the same total."""
    some = (one > 0) & (other > 0)
    return float((one[some] * np.log(one[some] / other[some])).sum())


def shmyrev(bids: np.ndarray, value: np.ndarray, supply: np.ndarray) -> float:
    """The programme whose minimum is the equilibrium."""
    money, some = bids.sum(0), (bids > 0) & (value > 0)
    return float(money @ np.log(money) - (bids[some] * np.log((value * supply)[some])).sum())


# --- proportional response, linear ---


def test_it_opens_with_equal_bids_on_what_is_wanted():
    value, budget, supply = drawn(0)
    society = responding(value, budget, supply).society()
    expected = budget[:, None] * (value > 0) / (value > 0).sum(1, keepdims=True)
    np.testing.assert_allclose(society.agents.bid, expected, rtol=1e-12)
    np.testing.assert_allclose(society.signal.price, expected.sum(0) / supply, rtol=1e-12)


def test_one_round_by_hand():
    value, budget = np.array([[3.0, 1.0], [1.0, 1.0]]), np.array([0.5, 0.5])
    outcome = cx.run(responding(value, budget, np.ones(2)), 1)  # opening prices are equal
    np.testing.assert_allclose(outcome.society.agents.bid, [[3 / 8, 1 / 8], [1 / 4, 1 / 4]], rtol=1e-12)
    np.testing.assert_allclose(outcome.price, [5 / 8, 3 / 8], rtol=1e-12)
    np.testing.assert_allclose(outcome.allocation, [[3 / 5, 1 / 3], [2 / 5, 2 / 3]], rtol=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_bids_are_a_softmax_of_all_prices_so_far(seed):
    value, budget, supply = drawn(seed)
    bids, prices = followed(responding(value, budget, supply), 12)
    with np.errstate(divide="ignore"):
        logs = 12 * np.log(value) - np.log(prices[:12]).sum(0)  # minus infinity where nothing is wanted
    share = np.exp(logs - logs.max(1, keepdims=True))
    np.testing.assert_allclose(bids[12], budget[:, None] * share / share.sum(1, keepdims=True), rtol=1e-9, atol=1e-14)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["linear", "quasi-linear"]))
def test_the_gap_falls_like_the_logarithm_of_goods_over_rounds(seed, kind):
    value, budget, supply = drawn(seed)
    market = responding(value, budget, supply, kind)
    bids, prices = followed(market, 40)
    wanted = (value > 0).sum(1).max() + market.money
    for rounds in (1, 2, 5, 15, 40):
        bid = bids[rounds]
        kept = bid[:, -1] if market.money else None
        bid = bid[:, : supply.size]
        given = bid / bid.sum(0) * supply
        mean = np.exp(np.log(prices[:rounds]).mean(0))
        gap, _ = eisenberg.gap(market, eisenberg.valued(market, given, kept, None, mean))
        assert gap <= np.log(wanted) / rounds + 1e-12


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_it_descends_shmyrevs_programme_and_nears_its_minimum(seed):
    value, budget, supply = drawn(seed)
    bids, _ = followed(responding(value, budget, supply), 40)
    best = cx.run(Fisher(value, budget, supply, goal=1e-11), 100, tolerance=1e-11)
    reached = [shmyrev(bid, value, supply) for bid in bids]
    assert (np.diff(reached) <= 1e-12).all()  # F falls
    optimum = best.allocation * best.price
    lowest, apart = shmyrev(optimum, value, supply), divergence(optimum, bids[0])
    welfare = [budget @ np.log(best.utilities / (value * b / b.sum(0) * supply).sum(1)) for b in bids]
    for t in (1, 3, 10, 40):
        assert welfare[t] - 1e-8 <= reached[t] - lowest <= apart / t + 1e-8
    assert divergence(optimum, bids[40]) <= apart  # and so does the distance from the equilibrium


@pytest.mark.parametrize("kind", ["linear", "quasi-linear"])
def test_it_comes_to_the_same_prices_as_the_interior_path(kind):
    value, budget, supply = drawn(3)
    value = 3 * value / value.max()
    known = cx.run(Fisher(value, budget, supply, kind, goal=1e-10), 100, tolerance=1e-10)
    found = cx.run(responding(value, budget, supply, kind), 20_000, tolerance=1e-9)
    market = responding(value, budget, supply, kind)
    assert found.status == "settled" and market.gap(found) <= 1e-8
    np.testing.assert_allclose(found.price, known.price, rtol=1e-3)
    np.testing.assert_allclose(found.utilities, known.utilities, rtol=1e-3)
    if kind == "quasi-linear":
        np.testing.assert_allclose(found.kept.sum() + found.price @ supply, 1, rtol=1e-12)


def test_unrest_is_the_gap_and_the_equilibrium_has_none():
    value, budget, supply = drawn(5)
    market = responding(value, budget, supply)
    before, after = cx.run(market, 6), cx.run(market, 7)
    assert after.unrest == pytest.approx(market.gap(before), rel=1e-6)  # of the bids that the last round found
    best = cx.run(Fisher(value, budget, supply, goal=1e-13), 200, tolerance=1e-13)
    society = market.society()
    agents = dataclasses.replace(society.agents, bid=jnp.asarray(best.allocation * best.price))
    rested = cx.run(
        dataclasses.replace(
            society, agents=agents, signal=dataclasses.replace(society.signal, price=jnp.asarray(best.price))
        ),
        1,
    )
    assert rested.unrest <= 1e-12
    np.testing.assert_allclose(rested.society.signal.price, best.price, rtol=1e-9)


def test_units_do_not_matter():
    value, budget, supply = drawn(7)
    plain = cx.run(responding(value, budget, supply), 30)
    scaled = cx.run(responding(50 * value, 7 * budget, supply), 30)
    np.testing.assert_allclose(scaled.price, 7 * plain.price, rtol=1e-9)
    np.testing.assert_allclose(scaled.allocation, plain.allocation, rtol=1e-9)


def test_a_bid_that_all_but_vanished_comes_back():
    value, budget, supply = drawn(9)
    market = responding(value, budget, supply)
    society = cx.run(market, 2000, channel=cx.Channel(bits=1)).society
    assert (np.asarray(society.agents.bid)[value > 0] > 0).all()
    outcome = market.outcome(cx.run(society, 3000).society)
    assert market.gap(outcome) < 1e-3


# --- proportional response, CES ---


@pytest.mark.parametrize("order", [0.3, 0.7, 0.9])
def test_substitutes_near_the_equilibrium_by_their_order_at_least(order):
    value, budget, supply = drawn(1)
    elasticity = np.full(len(value), 1 / (1 - order))
    bids, _ = followed(responding(value, budget, supply, "ces", elasticity), 25)
    best = cx.run(Fisher(value, budget, supply, "ces", elasticity, goal=1e-14), 100, tolerance=1e-14)
    optimum = best.allocation * best.price
    apart = np.array([divergence(optimum, bid) for bid in bids])
    far = apart[1:] > 1e-11  # nearer, the optimum itself is not known
    assert (apart[1:] <= order * apart[:-1] * (1 + 1e-6))[far].all() and far.sum() >= 5


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("elasticity", [0.0, 0.3, 1.0, 2.0, 8.0])
def test_every_law_comes_to_newtons_utilities(law, elasticity):
    value, budget, supply = drawn(2)
    facts = (value, budget, supply, "ces", np.full(8, elasticity))
    found = cx.run(Fisher(*facts, law=law), 3000, tolerance=1e-7)
    known = cx.run(Fisher(*facts, goal=1e-12), 100, tolerance=1e-12)
    assert found.status == "settled" and Fisher(*facts, law=law).gap(found) <= 1e-6
    np.testing.assert_allclose(found.utilities, known.utilities, rtol=5e-3)
    assert budget @ np.log(known.utilities / found.utilities) <= 1e-6


def test_cobb_douglas_is_solved_in_one_round():
    value, budget, supply = drawn(4)
    for facts in (("cobb-douglas", None), ("ces", np.ones(len(value)))):
        outcome = cx.run(responding(value, budget, supply, *facts), 1)
        np.testing.assert_allclose(outcome.price, budget @ (value / value.sum(1, keepdims=True)) / supply, rtol=1e-12)
        assert responding(value, budget, supply, *facts).gap(outcome) <= 1e-14


@pytest.mark.parametrize("elasticity", [0.0, 0.4, 1.0])
def test_complements_spend_as_price_takers_do(elasticity):
    value, budget, supply = drawn(6)
    market = responding(value, budget, supply, "ces", np.full(len(value), elasticity))
    before, after = cx.run(market, 3), cx.run(market, 4)
    spent = eisenberg.traders(market).demand(before.price, budget) * before.price
    np.testing.assert_allclose(after.society.agents.bid, spent, rtol=1e-9, atol=1e-14)


class Owned(Utility):
    """CES by its two functions alone."""

    taste: jax.Array
    order: jax.Array

    def log_utility(self, bundle):
        return logsumexp(jnp.log(self.taste) + self.order * jnp.log(bundle)) / self.order

    def log_indirect(self, log_price):
        power = 1 / (1 - self.order)
        return logsumexp(power * jnp.log(self.taste) + (1 - power) * log_price) / (power - 1)


@pytest.mark.parametrize("law", LAWS)
def test_a_utility_of_ones_own(law):
    value, budget, supply = np.random.default_rng(0).uniform(0.1, 1, (10, 4)), np.full(10, 0.1), np.ones(4)
    own = Owned(jnp.asarray(value), jnp.full(10, 0.5))
    found = cx.run(Fisher(value, budget, supply, own, law=law), 300, tolerance=1e-8)
    known = cx.run(Fisher(value, budget, supply, "ces", np.full(10, 2.0), law=law), 300, tolerance=1e-8)
    assert found.status == "settled"
    np.testing.assert_allclose(found.utilities, known.utilities, rtol=1e-4)


def test_complements_of_ones_own_need_a_step_below_1():
    random = np.random.default_rng(0)
    value, supply = random.uniform(0.1, 1, (10, 4)), np.ones(4)
    own = Owned(jnp.asarray(value), jnp.full(10, -2.0))  # elasticity 1/3
    facts = (value, np.full(10, 0.1), supply, own)
    tempered = cx.run(Fisher(*facts, law="proportional-response", step=1 / 3), 200, tolerance=1e-8)
    known = cx.run(Fisher(value, facts[1], supply, "ces", np.full(10, 1 / 3), goal=1e-12), 100, tolerance=1e-12)
    assert tempered.status == "settled"
    np.testing.assert_allclose(tempered.utilities, known.utilities, rtol=1e-4)
    assert cx.run(Fisher(*facts, law="proportional-response"), 200, tolerance=1e-8).status != "settled"


# --- tatonnement ---


@pytest.mark.parametrize("kind", ["goods nearly free", "far from the start"])
def test_tatonnement_survives_what_breaks_it_unbounded(kind):
    random = np.random.default_rng(3)
    value, elasticity, supply = random.lognormal(0, 1, (40, 8)), np.zeros(40), np.ones(8)
    if kind == "far from the start":
        value, elasticity = value * 10 ** random.uniform(-6, 6, (1, 8)), random.uniform(0.3, 5, 40)
        supply = 10 ** random.uniform(-3, 3, 8)
    market = Fisher(value, np.ones(40), supply, "ces", elasticity, law="tatonnement")
    outcome = cx.run(market, 2000, tolerance=1e-6)
    assert outcome.status == "settled" and market.gap(outcome) <= 1e-6


def test_tatonnements_step_contracts_near_the_equilibrium_as_it_says():
    value, budget, supply = drawn(8)
    facts, slowest = (value, budget, supply, "ces", np.full(8, 4.0)), 1 - 0.25  # |1 - h| with h = 1 / 4
    far = [cx.run(Fisher(*facts, law="tatonnement"), rounds).unrest for rounds in (10, 20)]
    assert far[1] <= far[0] * slowest**10 * 2
    assert cx.run(Fisher(*facts, law="tatonnement", step=1.2), 200, tolerance=1e-6).status == "done"  # 1.2 * 4 > 2


# --- through a channel, and before the questions ---


def test_few_bits_are_worth_the_more_the_more_they_are():
    missing = {}
    for bits in (2, 5, 10):
        gaps = []
        for seed in range(6):
            market = responding(*drawn(seed, 20, 5))
            outcome = cx.run(market, 200, channel=cx.Channel(bits=bits))
            np.testing.assert_allclose(outcome.allocation.sum(0), market.supply, rtol=1e-9)  # what there is, no more
            gaps.append(1 - market.welfare(outcome)["efficiency"])
        missing[bits] = np.mean(gaps)
    assert missing[2] > 3 * missing[5] > 9 * missing[10] and missing[5] < 0.02


@pytest.mark.parametrize("kind", [("ces", np.full(20, 2.0)), ("linear", None)])
@pytest.mark.parametrize(
    "switch", [dict(activation=0.5), dict(activation="random order"), dict(channel=cx.Channel(delay=1, loss=0.2))]
)
def test_it_does_without_everyone_acting_at_once(kind, switch):
    market = responding(*drawn(0, 20, 5), *kind)
    outcome = cx.run(market, 400, **switch)
    assert market.gap(outcome) < 2e-3


def test_tatonnement_through_few_bits_delivers_what_is_bid():
    market = Fisher(*drawn(0, 20, 5), "ces", np.full(20, 2.0), law="tatonnement")
    coarse, fine = (cx.run(market, 100, channel=cx.Channel(bits=b)) for b in (3, 10))
    assert market.welfare(coarse)["efficiency"] < market.welfare(fine)["efficiency"] - 1e-3
    np.testing.assert_allclose(coarse.allocation.sum(0), market.supply, rtol=1e-9)


def test_the_questions_take_linear_markets():
    market = responding(*drawn(0, 20, 5))
    answer = frontier(market, bits=(2, 8), leaks=(0.25, 1.0), seeds=2, rounds=200)
    by = {row["point"]: row for row in answer.rows}
    assert 0.9 < by["2 bits"]["efficiency"] < by["8 bits"]["efficiency"] <= by["exact"]["efficiency"] + 1e-9
    assert by["leak 0.25"]["settled"] == 1 and by["leak 0.25"]["efficiency"] > by["leak 1"]["efficiency"]
    assert by["2 bits"]["bits"] == 2 * 5 + 64 * 6  # the price of each good to buyers; money, and the shortfall, back
    rows = {row["regime"]: row for row in compare(market, tolerance=1e-5).rows}
    assert rows["signal"]["status"] == "settled" and rows["signal"]["efficiency"] > 1 - 1e-5


@pytest.mark.parametrize("law", LAWS)
def test_the_laws_hold(law):
    facts = drawn(0) if law == "proportional-response" else (*drawn(0), "ces", np.full(8, 2.0))
    assert {"locality", "honest bits", "certificate"} <= set(check_problem(Fisher(*facts, law=law)))


def test_markets_made_of_a_market_keep_its_law():
    market = responding(*drawn(0), names=tuple("abcdefgh"))
    for other in (market.replicate(2), market.restrict(np.arange(5)), market.shocked(jax.random.key(0), 0.1)):
        assert other.law == market.law
    assert market.restrict(np.arange(5)).names == tuple("abcde")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (dict(law="newton"), r"Fisher.law is 'newton': give None .* or one of tatonnement, proportional-response"),
        (dict(law="tatonnement"), r"prices end within a radius of the step .* give law='proportional-response'"),
        (dict(law="proportional-response", cap=np.ones(2)), r"knows no caps: leave out the caps, or the law"),
        (dict(step=0.5), r"Fisher.step is 0.5: give a positive number, and with a law that has a step"),
        (dict(law="tatonnement", utility="leontief", step=-1.0), r"Fisher.step is -1.0: give a positive number"),
        (dict(law="proportional-response", step=0.5), r"Fisher.step .* tempers utilities of one's own"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(change, sentence):
    facts = dict(valuations=np.ones((2, 2)), budgets=np.ones(2), supply=np.ones(2)) | change
    with pytest.raises(cx.BadInput, match=sentence):
        Fisher(**facts)
