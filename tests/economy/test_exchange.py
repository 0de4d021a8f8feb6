"""The exchange economy against closed forms, an independent optimiser, and its own promises."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import catallax as cx
from catallax.economy import Exchange
from catallax.economy.trade import walras
from catallax.economy.trade.contest import best_bids
from catallax.testing import check_problem


@pytest.fixture(scope="module")
def valley() -> Exchange:
    return Exchange.example()


def owners(n: int) -> Exchange:
    """Two goods, n owners of each, equal log utility."""
    endowment = np.repeat(np.eye(2), n, axis=0)
    return Exchange(endowment, np.ones((2 * n, 2)), np.ones(2 * n))


def two_goods_efficiency(n: int, leak: float) -> float:
    """2 sqrt(x (1 - x)), x the smaller root of s^2 x^2 - (2 - s + s^2) x + 1 = 0, s = leak / n."""
    s = leak / n
    x = min(np.roots([s**2, -(2 - s + s**2), 1]))
    return float(2 * np.sqrt(x * (1 - x)))


@pytest.mark.parametrize(("n", "known"), [(2, 0.96683), (3, 0.98585), (4, 0.99212), (8, 0.99804)])
def test_contest_on_two_goods_is_the_closed_form(n, known):
    economy = owners(n)
    contest = economy.contest()
    efficiency, gap = economy.efficiency(contest)
    assert contest.status == "settled", contest.certificate
    assert contest.certificate <= 1e-6
    assert gap <= 1e-8
    assert efficiency == pytest.approx(two_goods_efficiency(n, 1.0), abs=1e-6)
    assert efficiency == pytest.approx(known, abs=1e-5)


@pytest.mark.parametrize("leak", [0.1, 0.5])
def test_partial_knowledge_of_the_own_effect_is_the_closed_form(leak):
    economy = owners(2)
    efficiency, _ = economy.efficiency(economy.contest(leak))
    assert efficiency == pytest.approx(two_goods_efficiency(2, leak), abs=1e-5)


def test_regimes_of_the_shipped_example(valley):
    rest = cx.settle(valley)
    assert rest.status == "settled"
    assert valley.efficiency(rest)[0] > 1 - 1e-9
    assert 0.25 < valley.efficiency(valley.silence())[0] < 0.35
    contest = valley.contest()
    assert contest.status == "settled"
    assert 0.93 < valley.efficiency(contest)[0] < 0.98
    assert np.array_equal(valley.silence().allocation, np.asarray(valley.endowment, np.float64))


def test_planner_wants_what_walras_gives(valley):
    rest, plan = cx.settle(valley), valley.plan()
    assert plan.status == "settled"
    assert plan.certificate <= 1e-9
    assert np.allclose(rest.utilities, plan.utilities, rtol=1e-5)
    welfare = valley.welfare(rest)
    assert welfare["share_of_optimum"] == pytest.approx(1, abs=1e-9)
    assert valley.welfare(valley.silence())["share_of_optimum"] < 0.5


def test_planner_is_refused_where_no_equilibrium_was_settled():
    # the owner of cloth alone wants cloth and wants grain too: cloth is worth less and less
    economy = Exchange(np.eye(2), np.array([[1.0, 0.0], [0.5, 0.5]]), np.ones(2))
    with pytest.raises(cx.Refused, match="no equilibrium"):
        economy.plan()
    assert np.isnan(economy.welfare(economy.silence())["share_of_optimum"])


@pytest.mark.parametrize("elasticity", [0.0, 0.3, 1.0, 1.7, 4.0])
def test_best_bid_beats_an_independent_optimiser(elasticity):
    random = np.random.default_rng(int(10 * elasticity))
    economy = Exchange(random.random((3, 3)) + 0.1, random.random((3, 3)) + 0.1, np.full(3, elasticity))
    others = random.random((3, 3)) + 0.2
    endowment = np.asarray(economy.endowment, float)
    supply = endowment.sum(0)
    best = best_bids(economy, others)
    share = endowment / supply
    spent = ((1 - share) * best).sum(1)
    assert np.allclose(spent, (share * others).sum(1), rtol=1e-9)
    for i in range(3):
        judge = walras.Traders(np.asarray(economy.taste, float)[i : i + 1], np.array([elasticity]))

        def loss(bid, i=i, judge=judge):
            return -float(judge.utility((supply * bid / (others[i] + bid))[None])[0])

        budget = dict(type="eq", fun=lambda b, i=i: (1 - share[i]) @ b - share[i] @ others[i])
        start = np.full(3, (share[i] @ others[i]) / (1 - share[i]).sum())
        found = minimize(
            loss, start, method="SLSQP", bounds=[(1e-9, None)] * 3, constraints=[budget], options=dict(ftol=1e-14)
        )
        assert -loss(best[i]) >= -found.fun * (1 - 1e-7)


def test_a_leak_of_nearly_nothing_is_a_price_taker(valley):
    taker, influencer = valley.society(0.0), dataclasses.replace(valley, step=1.0).society(1e-12)
    price, key = taker.signal.public(), jax.random.key(0)
    _, bids = jax.vmap(lambda a: a.respond(cx.View(price), key))(taker.agents)
    heard = influencer.signal.local(influencer.agents)
    axes = jax.tree.map(lambda x: 0 if x.ndim else None, influencer.agents)
    respond = jax.vmap(lambda a, own: a.respond(cx.View(price, own), key)[1], in_axes=(axes, 0))
    assert np.allclose(bids, respond(influencer.agents, heard), rtol=2e-5)


@pytest.mark.parametrize("traders", [3, 8])
def test_contests_of_drawn_economies_come_to_rest(traders):
    for seed in range(4):
        contest = Exchange.drawn(seed, traders, 2).contest()
        assert contest.status == "settled", (seed, contest.certificate)


def test_nobody_gains_by_bidding_otherwise_once_a_contest_rests():
    economy = Exchange.drawn(1, 3, 2)
    contest = economy.contest()
    bids, supply = contest.bids, economy.stock
    reached = economy.traders.utility(supply * bids / bids.sum(0))
    share, random = np.asarray(economy.endowment, float) / supply, np.random.default_rng(0)
    for i in range(3):
        others = bids.sum(0) - bids[i]
        for _ in range(200):  # any other split of the same budget
            bid = random.dirichlet(np.ones(2)) / (1 - share[i])
            bid *= share[i] @ others / ((1 - share[i]) @ bid)
            bundle = np.zeros((3, 2))
            bundle[i] = supply * bid / (others + bid)
            assert economy.traders.utility(bundle)[i] <= reached[i] * (1 + 1e-6)


def test_influence_vanishes_with_numbers():
    economy = owners(2)
    loss = [1 - two_goods_efficiency(2 * c, 1.0) for c in (1, 2, 4)]
    found = [1 - economy.replicate(c).efficiency(economy.replicate(c).contest())[0] for c in (1, 2)]
    assert np.allclose(found, loss[:2], rtol=1e-3)
    taken = [economy.replicate(c).effect(cx.settle(economy.replicate(c))) for c in (1, 2)]
    assert taken[0] / taken[1] == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize(("law", "step"), [("multiplicative", 0.3), ("additive", 1.0)])
def test_tatonnement_finds_the_prices_of_the_posts(law, step, valley):
    facts = (valley.endowment, valley.taste, valley.elasticity)
    rest = cx.settle(Exchange(*facts, law=law, step=step))
    assert rest.status == "settled"
    assert np.allclose(rest.price, cx.settle(valley).price, rtol=1e-5)


def test_prices_are_in_the_unit_of_account(valley):
    for rounds in (0, 1, 7):
        society = cx.run(valley, rounds).society
        assert float(society.signal.public() @ valley.supply) == pytest.approx(1, abs=1e-6)


def test_goods_are_conserved_under_bad_prices(valley):
    told = cx.run(valley, 30, channel=cx.Channel(bits=1, noise=0.1), seed=3)
    assert np.allclose(told.allocation.sum(0), valley.stock, rtol=1e-12)


def test_few_bits_beat_full_information(valley):
    bits = [valley.efficiency(cx.run(valley, 300, channel=cx.Channel(bits=b)))[0] for b in (1, 2, 4)]
    silence, full = valley.efficiency(valley.silence())[0], valley.efficiency(valley.contest())[0]
    assert silence < bits[0] < bits[1] < bits[2]
    assert bits[2] > 0.99 > full


def test_units_do_not_matter(valley):
    factor = np.array([1e-3, 1.0, 50.0, 7.0, 1e4])
    facts = (np.asarray(valley.endowment) * factor, valley.taste, np.ones(10))
    scaled, plain = Exchange(*facts), Exchange(valley.endowment, valley.taste, np.ones(10))
    assert np.allclose(cx.settle(scaled).price * factor, cx.settle(plain).price, rtol=1e-5)


def test_laws_hold():
    held = check_problem(Exchange.drawn(3), bad=[lambda: Exchange(-np.ones((2, 2)), np.ones((2, 2)), np.ones(2))])
    assert held == ["locality", "honest bits", "conservation", "reproducibility", "certificate"]


def test_a_sole_owner_or_bidder_is_refused_to_influencers_alone():
    sole = Exchange(np.eye(3), np.ones((3, 3)), np.ones(3))
    assert cx.settle(sole).status == "settled"
    with pytest.raises(cx.Refused, match="single owner"):
        sole.society(leak=0.5)
    taste = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    lone = Exchange(np.ones((3, 2)), taste, np.ones(3), goods=("grain", "cloth"))
    with pytest.raises(cx.Refused, match="cloth has a single bidder"):
        lone.contest()


def test_restrict_drops_goods_with_their_last_owner():
    economy = Exchange(
        np.array([[1.0, 1, 0], [1, 1, 0], [0, 1, 1]]), np.ones((3, 3)), np.ones(3), goods=("a", "b", "c")
    )
    left = economy.restrict([True, True, False])
    assert left.goods == ("a", "b")
    assert left.endowment.shape == (2, 2)
    with pytest.raises(cx.Refused, match="fewer than two"):
        economy.restrict([0])


def test_shocked_keeps_who_owns_what(valley):
    changed = valley.shocked(cx.random.key(1), 0.5)
    assert np.array_equal(np.asarray(changed.endowment) > 0, np.asarray(valley.endowment) > 0)
    assert not np.allclose(changed.endowment, valley.endowment)
    assert np.array_equal(changed.taste, valley.taste)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(endowment=np.array([[1.0, np.nan], [1, 1]])), "endowment"),
        (dict(endowment=np.array([[1.0, 0.0], [1, 0]])), "nobody owns"),
        (dict(taste=np.zeros((2, 2))), "wants nothing"),
        (dict(taste=np.ones((3, 2))), "shape"),
        (dict(elasticity=np.array([1.0, -1.0])), "elasticity"),
    ],
)
def test_impossible_facts_are_refused(change, words):
    facts = dict(endowment=np.ones((2, 2)), taste=np.ones((2, 2)), elasticity=np.ones(2))
    with pytest.raises(cx.BadInput, match=words):
        Exchange(**(facts | change))


def test_leaks_outside_the_unit_interval_are_refused(valley):
    with pytest.raises(cx.BadInput, match="leak"):
        valley.society(1.5)
    with pytest.raises(cx.Refused, match="posts alone"):
        Exchange(jnp.ones((2, 2)), jnp.ones((2, 2)), jnp.ones(2), law="additive").society(0.5)
