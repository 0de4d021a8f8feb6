"""Prediction markets: what their prices are, exactly; that money adds up; and the four ways to coordinate them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import catallax as cx
from catallax import questions
from catallax.collective import PredictionMarket, pools
from catallax.collective.market import judgement, wealth
from catallax.collective.market.mechanisms import Clock, Maker
from catallax.core.channel import Channel
from catallax.core.errors import BadInput, Refused
from catallax.measures.influence import influence
from catallax.testing import check_problem


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def market(**settings) -> PredictionMarket:
    """Five traders, six questions of three outcomes, wealth and tolerance unlike."""
    random = np.random.default_rng(3)
    usual = dict(wealth=random.random(5) + 0.5, risk_tolerance=random.random(5) + 0.2, prior=[0.5, 0.3, 0.2])
    beliefs = random.dirichlet(np.full(3, 2.0), (6, 5))
    return PredictionMarket(beliefs, random.integers(3, size=6), **(usual | settings))


def over(problem: PredictionMarket, leak: float = 0.0, **switches):
    """The stream run to its end, and every round of it."""
    rounds = len(problem.happened) * (problem.trading or problem.rounds_each) + 1
    ran = cx.run(problem.society(leak), rounds, record=problem.record(), **switches)
    return dataclasses.replace(ran, values=problem.outcome(ran.society).values)


def close(a, b, by=1e-10):
    np.testing.assert_allclose(a, b, rtol=by, atol=by)


# --- prices, exactly ------------------------------------------------------------------------------------------


def test_a_market_of_log_utility_is_bayes_rule_and_hedge():
    problem = market()
    ran = over(problem)
    chance = problem.beliefs[np.arange(6), :, problem.happened]
    course = wealth.kelly(chance, problem.wealth)
    close(ran.wealth / problem.wealth.sum(), course.wealth[-1])
    close(ran.price[np.arange(6), problem.happened], course.price)
    close(ran.price, np.stack([pools.linear(p, w) for p, w in zip(problem.beliefs, course.wealth[:-1], strict=True)]))
    loss = -np.log(ran.price[np.arange(6), problem.happened]).sum()
    best = -np.log(chance).sum(0)
    assert (loss - best <= np.log(problem.wealth.sum() / problem.wealth) + 1e-10).all()  # regret


def test_fractional_betting_forgets():
    problem = market(utility="fractional", share=np.full(5, 0.3))
    course = wealth.fractional(problem.beliefs[np.arange(6), :, problem.happened], 0.3, problem.wealth)
    ran = over(problem)
    close(ran.wealth / problem.wealth.sum(), course.wealth[-1])
    close(ran.price[np.arange(6), problem.happened], course.price)


@pytest.mark.parametrize("aversion", [0.5, 3.0])
def test_isoelastic_traders_come_to_the_price_that_clears(aversion):
    problem = market(utility="isoelastic", aversion=np.full(5, aversion), trading=150)
    problem = dataclasses.replace(problem, beliefs=problem.beliefs[:1], happened=problem.happened[:1])
    close(over(problem).price[0], pools.clearing(problem.beliefs[0], problem.wealth, aversion))


@pytest.mark.parametrize(("leak", "liquidity"), [(0.0, 0.3), (0.0, 5.0), (1.0, 0.3)])
def test_cara_traders_and_a_maker_come_to_the_logarithmic_pool_once_nobody_wishes_to_trade(liquidity, leak):
    problem = market(utility="cara", mechanism="lmsr", liquidity=liquidity, trading=400)
    ran = over(problem, leak)
    total = liquidity + problem.risk_tolerance.sum()
    pooled = pools.logarithmic(problem.beliefs, problem.risk_tolerance / total, problem.prior)
    close(ran.price, pooled)
    orders = ran.record["trade"][1:-1].reshape(6, 400, 5, 3)
    assert np.abs(orders[:, -1]).max() < 1e-6 < np.abs(orders[:, 0]).max()  # in the end nobody wishes to trade
    early = over(dataclasses.replace(problem, trading=1, speed=0.05))
    assert np.abs(early.price - pooled).max() > 1e-3  # before that it is another price


@pytest.mark.parametrize("utility", ["log", "fractional", "isoelastic"])
def test_before_a_maker_at_rest_marginal_utilities_are_prices(utility):
    problem = market(utility=utility, mechanism="lmsr", trading=1500, aversion=np.full(5, 2.0))
    problem = dataclasses.replace(problem, beliefs=problem.beliefs[:1], happened=problem.happened[:1])
    society = cx.run(problem.society(), 1500).society  # closed, not yet paid out
    crowd, price = society.agents, np.asarray(problem.outcome(society).price[0])
    claims = np.asarray((crowd.cash + society.signal.local(crowd).due)[:, None] + crowd.held + crowd.order)
    belief = problem.beliefs[0]
    if utility == "fractional":
        belief = 0.5 * belief + 0.5 * price
    marginal = belief * claims ** -(2.0 if utility == "isoelastic" else 1.0)
    close(marginal / marginal.sum(1, keepdims=True), np.tile(price, (5, 1)), 1e-6)


def test_neutral_traders_put_everyones_evidence_into_the_price_once():
    problem = PredictionMarket.drawn(4, traders=6, questions=8, outcomes=3, utility="neutral", mechanism="lmsr")
    ran = over(problem)
    close(ran.price, problem.plan().price)
    assert problem.welfare(ran)["efficiency"] == pytest.approx(1, abs=1e-10)


# --- money ----------------------------------------------------------------------------------------------------

WAYS = [
    dict(),
    dict(utility="fractional"),
    dict(utility="isoelastic", trading=4),
    dict(utility="cara", mechanism="lmsr", trading=4),
    dict(utility="log", mechanism="lmsr", trading=4),
    dict(utility="neutral", mechanism="lmsr"),
]


@pytest.mark.parametrize("settings", WAYS, ids=lambda s: "-".join(map(str, s.values())) or "log")
def test_payments_sum_to_zero_in_every_round(settings):
    problem = market(**settings)
    account = []
    society = problem.society()
    for rounds in (1, 2, 3, 4, 5, 8, 9, 24, 25):
        account.append(problem.conserved(cx.run(society, rounds).society))
    start = problem.conserved(society)
    for now in account:
        close(now["money"], start["money"], 1e-12)
        close(now["claims"], start["claims"], 1e-12)
    rest = cx.run(society, 25).society
    assert judgement.maker_account(rest) == pytest.approx(
        problem.wealth.sum() - problem.outcome(rest).wealth.sum(), abs=1e-10
    )


@jax.jit
def after(maker, orders):
    return maker.propagate(orders)


@given(st.integers(0, 10_000), st.floats(0.05, 20.0))
def test_the_makers_loss_is_bounded(seed, liquidity):
    """Any orders, in any number of rounds: at most b log(1 / q_y) on a question."""
    random = np.random.default_rng(seed)
    prior, happened = random.dirichlet(np.ones(4)) * 0.9 + 0.025, int(random.integers(4))
    clock = Clock(jnp.asarray([happened], jnp.int32), jnp.asarray(0, jnp.int32), 6)
    none = jnp.zeros(4)
    b = jnp.asarray(liquidity)
    maker = Maker(clock, jnp.asarray(prior), jnp.asarray(prior)[None], none, jnp.asarray(prior), jnp.asarray(0.0), b)
    for _ in range(6):
        maker = after(maker, jnp.asarray(random.normal(size=4) * liquidity * random.exponential()))
    bound = liquidity * np.log(1 / prior[happened])
    assert -float(maker.account) <= bound + 1e-9 <= liquidity * np.log(1 / prior.min()) + 1e-8


def test_nobody_stakes_on_what_happens_and_gets_it_back():
    problem = PredictionMarket([[[1.0, 0.0], [1.0, 0.0]]], [1], wealth=[1.0, 2.0])
    close(over(problem).wealth, [1.0, 2.0])


def test_prices_trades_and_wealth_are_recorded():
    problem = market(utility="cara", mechanism="lmsr", trading=4)
    ran = over(problem)
    record = ran.record
    assert (
        record["price"].shape == (26, 3) and record["trade"].shape == (26, 5, 3) and record["wealth"].shape == (26, 5)
    )
    close(record["price"].sum(1), 1)
    close(record["price"][0], problem.prior)
    close(record["price"][4::4][:6], ran.price)  # of each question the price at which it closed
    close(record["wealth"][0], problem.wealth)


# --- the order book -------------------------------------------------------------------------------------------


def crowd(**settings) -> PredictionMarket:
    random = np.random.default_rng(1)
    yes = random.uniform(0.1, 0.9, (3, 8))
    fields = dict(
        wealth=random.uniform(20, 60, 8), risk_tolerance=random.uniform(20, 60, 8), mechanism="double-auction"
    )
    return PredictionMarket(np.stack([1 - yes, yes], -1), [1, 0, 1], **(fields | dict(trading=80) | settings))


@pytest.mark.parametrize("utility", ["log", "cara"])
def test_an_order_book_comes_to_the_pool_that_its_traders_make(utility):
    problem = crowd(utility=utility)
    ran = over(problem)
    weight = problem.wealth if utility == "log" else problem.risk_tolerance / problem.risk_tolerance.sum()
    pool = pools.linear if utility == "log" else pools.logarithmic
    first = pool(problem.beliefs[0], weight)[1]
    plain = problem.beliefs[0].mean(0)[1]
    assert abs(ran.price[0, 1] - first) < 0.03 < abs(problem.beliefs[0, :, 1] - first).max()
    assert 0 < plain < 1
    record = ran.record["wealth"]
    close(record.sum(1), record[0].sum(), 1e-12)
    assert problem.conserved(ran.society) == problem.conserved(problem.society())
    assert (np.abs(ran.record["trade"]).sum(1) > 0).any() and (ran.record["trade"].sum(1) == 0).all()


def test_nobody_with_log_utility_is_ruined_at_the_book():
    poor = crowd(wealth=np.full(8, 3.0), trading=60)
    ran = over(poor)
    assert (ran.wealth > 0).all() and ran.wealth.std() > 0


# --- regimes --------------------------------------------------------------------------------------------------


def test_the_planner_is_bayes_rule_on_all_signals():
    """By brute force, from the chances of the signals."""
    random = np.random.default_rng(0)
    prior, chance = random.dirichlet(np.ones(3)), random.dirichlet(np.ones(4), (5, 3))
    signals = random.integers(4, size=(6, 5))
    problem = PredictionMarket.from_signals(chance, signals, random.integers(3, size=6), prior)
    for question in range(6):
        seen = np.array([prior[y] * np.prod([chance[m, y, signals[question, m]] for m in range(5)]) for y in range(3)])
        close(problem.plan().price[question], seen / seen.sum())
    welfare = problem.welfare(problem.plan())
    assert welfare["efficiency"] == 1 and welfare["log_score"] == welfare["pooled_log_score"]
    at_prior = dataclasses.replace(problem.plan(), values=problem.plan().values | {"price": np.tile(prior, (6, 1))})
    assert problem.welfare(at_prior)["efficiency"] == pytest.approx(0, abs=1e-12)
    silent = [problem.welfare(dataclasses.replace(problem.plan(), values=problem.plan().values | {"price": b}))
              for b in np.swapaxes(problem.beliefs, 0, 1)]  # fmt: skip
    for name in ("efficiency", "log_score", "brier"):
        assert problem.welfare(problem.silence())[name] == pytest.approx(np.mean([w[name] for w in silent]))


def test_brier_and_log_scores_by_hand():
    problem = PredictionMarket([[[0.2, 0.8]], [[0.6, 0.4]]], [1, 1])
    welfare = problem.welfare(problem.silence())
    assert welfare["brier"] == pytest.approx((2 * 0.2**2 + 2 * 0.6**2) / 2)
    assert welfare["log_score"] == pytest.approx((np.log(0.8) + np.log(0.4)) / 2)


def test_influencers_in_a_pari_mutuel_are_in_equilibrium_and_bet_less_on_what_they_believe():
    problem = dataclasses.replace(market(trading=200), beliefs=market().beliefs[:1], happened=np.array([0]))
    ran = cx.run(problem.society(1.0), 200)
    stake = np.asarray(ran.society.agents.stake)
    assert judgement.gains_from_stakes(problem.beliefs, stake[None]).max() < 1e-12
    for own, belief, money in zip(stake, problem.beliefs[0], problem.wealth, strict=True):  # SciPy finds nothing better
        rivals = stake.sum(0) - own

        def loss(logs, belief=belief, money=money, rivals=rivals):
            x = money * np.exp(logs - np.logaddexp.reduce(logs))
            return -belief @ np.log(x / (x + rivals))

        best = minimize(loss, np.log(belief), method="BFGS")
        assert loss(np.log(own)) <= best.fun + 1e-9
        np.testing.assert_allclose(money * np.exp(best.x - np.logaddexp.reduce(best.x)), own, atol=1e-3)
    taken = judgement.gains_from_stakes(problem.beliefs, problem.wealth[None, :, None] * problem.beliefs)
    assert taken.min() > 1e-4  # those who take odds as given could gain, all of them
    contest = problem.contest()
    assert contest.status == "settled" and contest.certificate <= 1e-6
    close(contest.price[0], stake.sum(0) / stake.sum(), 1e-6)


def test_before_a_maker_the_own_effect_changes_nothing_at_rest():
    problem = market(utility="cara", mechanism="lmsr", trading=400)
    contest = problem.contest()
    assert contest.status == "settled"
    close(contest.price, over(problem).price, 1e-8)
    halfway = problem.contest(0.5)
    close(halfway.price, contest.price, 1e-8)


def test_who_knows_everything_misleads():
    problem = PredictionMarket.bluff()
    signal, contest = over(problem), problem.contest()
    silent, told, known = (problem.welfare(x)["efficiency"] for x in (problem.silence(), signal, contest))
    assert silent < known < told < 1 and contest.status == "settled" and contest.certificate <= 1e-6
    assert 0 < contest.truth < 1
    close(contest.closing, problem.plan().price)  # after the last move, too late, all is in the price
    honest = problem.contest(0.0)
    assert problem.welfare(honest)["efficiency"] == pytest.approx(1, abs=1e-9)
    assert contest.paid[0] > honest.paid[0] and contest.paid[1] < honest.paid[1]


def test_where_signals_are_independent_given_the_outcome_full_information_is_harmless():
    problem = PredictionMarket.drawn(2, traders=2, questions=5, utility="neutral", mechanism="lmsr")
    assert problem.welfare(problem.contest())["efficiency"] == pytest.approx(1, abs=1e-6)


def test_few_bits_of_price_are_worth_less_to_those_who_read_it():
    problem = market(utility="cara", mechanism="lmsr", trading=4)
    exact, coarse, fine = (over(problem, channel=Channel(bits=bits)) for bits in (None, 1, 20))
    assert np.abs(coarse.price - exact.price).max() > 1e-3
    close(fine.price, exact.price, 1e-4)
    close(over(market(), channel=Channel(bits=1)).price, over(market()).price, 1e-14)  # Kelly bettors need no price


# --- the laws and the questions ---------------------------------------------------------------------------------

row = [[[0.4, 0.6], [0.5, 0.5]]]
BAD = [
    lambda: PredictionMarket([[[0.4, 1.6], [0.5, 0.5]]], [0]),
    lambda: PredictionMarket([[[0.4, 0.5], [0.5, 0.5]]], [0]),
    lambda: PredictionMarket([[[1.0], [1.0]]], [0]),
    lambda: PredictionMarket([[0.4, 0.6]], [0]),
    lambda: PredictionMarket([[[0.4, 0.6], [0.5]]], [0]),
    lambda: PredictionMarket(row, [2]),
    lambda: PredictionMarket(row, [0.5]),
    lambda: PredictionMarket(row, [0, 1]),
    lambda: PredictionMarket(row, [0], wealth=[1.0, -1.0]),
    lambda: PredictionMarket(row, [0], wealth=[0.0, 0.0]),
    lambda: PredictionMarket(row, [0], wealth=[1.0]),
    lambda: PredictionMarket(row, [0], mechanism="auction"),
    lambda: PredictionMarket(row, [0], utility="greed"),
    lambda: PredictionMarket(row, [0], utility="cara"),
    lambda: PredictionMarket(row, [0], utility="neutral", mechanism="double-auction"),
    lambda: PredictionMarket(row, [0], prior=[0.0, 1.0]),
    lambda: PredictionMarket(row, [0], prior=[0.5, 0.6]),
    lambda: PredictionMarket(row, [0], posterior=[[0.5, 0.6]]),
    lambda: PredictionMarket(row, [0], utility="fractional", share=[0.5, 1.5]),
    lambda: PredictionMarket(row, [0], aversion=[0.0, 1.0]),
    lambda: PredictionMarket(row, [0], liquidity=0.0),
    lambda: PredictionMarket(row, [0], trading=0),
    lambda: PredictionMarket(row, [0], speed=1.5),
    lambda: PredictionMarket([[[0.0, 1.0]]], [0], utility="cara", mechanism="lmsr"),
    lambda: PredictionMarket([[[0.2, 0.3, 0.5]]], [0], mechanism="double-auction"),
    lambda: PredictionMarket.from_signals([[[0.5, 0.6], [0.5, 0.5]]], [[0]], [0]),
    lambda: PredictionMarket.from_signals([[[0.5, 0.5], [0.5, 0.5]]], [[2]], [0]),
    lambda: PredictionMarket.from_joint(np.full((2, 2, 2), 0.125), [[0, 2]], [0]),
    lambda: PredictionMarket.from_joint(np.full((2, 2, 2), 0.25), [[0, 1]], [0]),
]


def test_the_laws_hold_of_a_pari_mutuel():
    held = check_problem(market(), bad=BAD)
    assert {"locality", "honest bits", "conservation", "reproducibility"} <= set(held)


def test_the_laws_hold_of_a_maker():
    with jax.enable_x64(False):  # the default: money then adds up to the rounding of float32
        held = check_problem(market(utility="cara", mechanism="lmsr", trading=2))
    assert {"locality", "honest bits", "conservation", "reproducibility"} <= set(held)


def test_the_laws_hold_of_an_order_book():
    assert {"conservation", "reproducibility", "certificate"} <= set(check_problem(crowd(trading=3)))


def test_the_five_questions_are_answered():
    problem = PredictionMarket.drawn(0, traders=4, questions=3, utility="cara", mechanism="lmsr", trading=4)
    answer = questions.compare(problem)
    assert {r["regime"]: r["status"] for r in answer.rows}["signal"] == "settled"
    assert all(r["efficiency"] is not None for r in answer.rows) and "price" in answer.headline
    few = questions.frontier(problem, bits=(1, 8), leaks=(1.0,), seeds=2)
    assert all(np.isfinite(r["efficiency"]) for r in few.rows)
    lesion = questions.lesion(problem, fractions=(0.0, 0.5), seeds=2)
    assert len(lesion.rows) == 4 and all(np.isfinite(r["recovered"]) for r in lesion.rows)
    shock = questions.shock(problem, rounds=14)
    assert shock.rows[0]["distance"] is not None and len(shock.rows) == 15
    effect = [r["effect"] for r in questions.replicate(problem, copies=(1, 2)).rows]
    assert effect[0] == pytest.approx(2 * effect[1])


def test_what_has_no_meaning_is_refused():
    with pytest.raises(Refused, match="odds"):
        market(utility="fractional").society(0.5)
    with pytest.raises(Refused, match="order book"):
        crowd().society(0.5)
    with pytest.raises(Refused, match="too many"):
        crowd().contest()
    with pytest.raises(Refused, match="from_joint"):
        market(utility="neutral", mechanism="lmsr").contest()
    with pytest.raises(Refused, match="nobody"):
        market().restrict(np.zeros(5, bool))
    with pytest.raises(Refused, match="twice"):
        market(utility="neutral", mechanism="lmsr").replicate(2)
    with pytest.raises(Refused, match="synchronously"):
        cx.run(market(), 3, activation="random order")
    with pytest.raises(Refused, match="synchronously"):
        cx.run(market(), 3, channel=Channel(delay=1))
    with pytest.raises(BadInput, match="leak"):
        market().society(2.0)


def test_other_markets_made_of_this_one():
    problem = market(names=("a", "b", "c", "d", "e"))
    rest = problem.restrict([0, 3])
    assert rest.names == ("a", "d") and rest.beliefs.shape == (6, 2, 3)
    close(over(problem.replicate(2)).price, over(problem).price)
    moved = problem.shocked(cx.core.random.key(1), 0.3)
    assert np.abs(moved.beliefs - problem.beliefs).max() > 0.01 and (moved.wealth == problem.wealth).all()
    other = PredictionMarket.bluff().shocked(cx.core.random.key(1), 0.3)
    assert other.joint is not None and np.abs(other.joint - PredictionMarket.bluff().joint).max() > 1e-3
    carried = moved.carried(over(problem).society)
    close(carried.agents.wealth, over(problem).wealth)
    shares = influence(over(problem).society)  # when all is over too: of what they would stake
    own = over(problem).wealth[:, None] * problem.beliefs[-1]
    close(shares, (own / own.sum(0)).max(1))
    scene = problem.scene(over(problem).society)
    assert len(scene.items) == 3 and scene.items[2].labels == ("a", "b", "c", "d", "e")
