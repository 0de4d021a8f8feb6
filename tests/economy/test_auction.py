"""The double auction: what is possible in it by hand, what zero intelligence makes of it, and its promises."""

import dataclasses
import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import catallax as cx
from catallax import questions
from catallax.core import progress
from catallax.economy.auction import DoubleAuction
from catallax.measures.welfare import interval
from catallax.signals.book import NONE
from catallax.testing import check_problem

SEEDS = 30


def small(**settings) -> DoubleAuction:
    """Values 9, 7 | 8, 3 and costs 2, 5 | 4, 8: three units gain, 24 - 11 = 13; clears at 5 to 7."""
    return DoubleAuction([[9, 7], [8, 3]], [[2, 5], [4, 8]], highest=10, **settings)


def efficiencies(problems, **settings) -> list[float]:
    problems = [dataclasses.replace(p, **settings) for p in problems]
    return [p.welfare(cx.settle(p, seed=k))["efficiency"] for k, p in enumerate(problems)]


# --- by hand --------------------------------------------------------------------------------------------------


def test_plan_and_silence_by_hand():
    auction = small()
    assert auction.equilibrium() == (5, 7, 3)
    plan, silence = auction.plan(), auction.silence()
    assert plan.traded.tolist() == [2, 1, 2, 1] and plan.surplus == 13 and plan.certificate == 0
    assert plan.profit.tolist() == [4, 2, 5, 2]  # at 6
    welfare = auction.welfare(plan)
    assert welfare == dict(efficiency=1, mean_price=6, price_deviation=0, units=3, efficient_units=3)
    silent = auction.welfare(silence)
    assert silent["efficiency"] == silent["units"] == 0 and np.isnan(silent["mean_price"])


def test_prices_outside_the_clearing_ones_count_by_their_distance():
    auction = small()
    outcome = dataclasses.replace(auction.plan(), values=auction.plan().values | {"price": np.array([3.0, 6.0, 8.0])})
    assert auction.welfare(outcome)["price_deviation"] == pytest.approx(np.sqrt((4 + 0 + 1) / 3))


def test_clearing_prices_are_bounded_where_units_run_out():
    assert DoubleAuction([[9]], [[2]], highest=10).equilibrium() == (2, 9, 1)
    assert DoubleAuction([[9], [8]], [[2]], highest=10).equilibrium() == (8, 9, 1)


tables = st.lists(st.lists(st.integers(1, 12), min_size=2, max_size=2), min_size=1, max_size=3)


@given(tables, tables)
def test_no_way_to_trade_beats_the_plan(values, costs):
    values, costs = -np.sort(-np.array(values), 1), np.sort(np.array(costs), 1)
    if values.max() <= costs.min():
        return
    auction = DoubleAuction(values, costs, highest=12)
    plan, n = auction.plan(), len(values)
    ways = itertools.product(range(3), repeat=n + len(costs))
    reached = [auction.valued(np.array(t))["surplus"] for t in ways if sum(t[:n]) == sum(t[n:])]
    assert plan.surplus == max(reached) == auction.most
    assert plan.profit.sum() == plan.surplus
    low, high, quantity = auction.equilibrium()
    assert low <= high and plan.traded[:n].sum() == quantity
    for price in (low, high):  # as many are for sale as are wanted, the indifferent apart
        assert (values > price).sum() <= (costs <= price).sum() and (costs < price).sum() <= (values >= price).sum()


# --- zero intelligence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wiped", [True, False])
@pytest.mark.parametrize("kind", ["example", "drawn"])
def test_a_budget_makes_the_market_efficient_and_nothing_else_does(kind, wiped):
    problems = [DoubleAuction.example() if kind == "example" else DoubleAuction.drawn(s) for s in range(SEEDS)]
    constrained = interval(efficiencies(problems, wiped=wiped))
    free = interval(efficiencies(problems, wiped=wiped, constrained=False))
    assert constrained[1] > 0.95 and constrained[2] <= 1.0  # close to 100 %, say Gode and Sunder
    assert free[2] < 0.6  # everyone trades all they have


def test_fewer_bad_units_leave_less_to_lose():
    """Where a third of the units are not worth trading, ZI-U loses less: a budget matters as far as there is a loss to make."""
    market = DoubleAuction([[120, 100, 60]] * 6, [[30, 50, 75]] * 6)
    free = np.mean(efficiencies([market] * SEEDS, constrained=False))
    assert 0.5 < free < 0.95 < np.mean(efficiencies([market] * SEEDS))


def test_nobody_with_a_budget_trades_at_a_loss_and_money_adds_up():
    for seed in range(10):
        auction = DoubleAuction.drawn(seed)
        rest = cx.settle(auction, seed=seed)
        assert rest.status == "settled" and rest.certificate == 0
        assert (rest.profit >= 0).all()
        assert rest.profit.sum() == rest.surplus
        assert len(rest.price) == rest.traded[:6].sum() == rest.traded[6:].sum()
        assert auction.conserved(rest.society) == {"units": 24, "money": 0}
        free = dataclasses.replace(auction, constrained=False)
        loose = cx.settle(free, seed=seed)
        assert loose.profit.min() < 0 and loose.profit.sum() == loose.surplus


def test_at_rest_no_pair_is_left_that_could_trade():
    for seed in range(10):
        auction = DoubleAuction.drawn(seed)
        rest = cx.settle(auction, seed=seed)
        buyers, sellers = rest.traded[:6], rest.traded[6:]
        bids = [row[k] for row, k in zip(auction.values, buyers, strict=True) if k < 4]
        asks = [row[k] for row, k in zip(auction.costs, sellers, strict=True) if k < 4]
        assert max(bids, default=0) < min(asks, default=201)


def test_named_prices_are_uniform_within_the_budget():
    from catallax.core.random import host_key

    market = DoubleAuction([[40]] * 2000, [[30]] * 2000, lowest=11, highest=50)
    society = market.society()
    view = cx.View(society.signal.public(), society.signal.local(society.agents))
    _, sent = society.agents.respond_all(view, host_key(0, 0))
    bids, asks = sent.price[:2000] + 11, sent.price[2000:] + 11
    assert bids.min() == 11 and bids.max() == 40 and asks.min() == 30 and asks.max() == 50
    for drawn, low, high in ((bids, 11, 40), (asks, 30, 50)):
        counts, expected = np.bincount(drawn - low, minlength=high - low + 1), 2000 / (high - low + 1)
        assert ((counts - expected) ** 2 / expected).sum() < 100  # at most 29 degrees of freedom; the draws are fixed


# --- promises -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"constrained": False}, {"wiped": False}])
def test_laws_hold(settings):
    bad = [lambda: DoubleAuction([[1.5]], [[1]])]
    held = check_problem(dataclasses.replace(DoubleAuction.drawn(3), **settings), bad=bad)
    assert held == ["conservation", "reproducibility", "certificate"]


@pytest.mark.parametrize("first", [1, 3, 100])
def test_chunks_do_not_matter(monkeypatch, first):
    monkeypatch.setattr(progress, "FIRST", first)
    auction = DoubleAuction.drawn(1)
    one_by_one = cx.run(auction, 30, seed=5, record=cx.Record(every=1))
    assert cx.run(auction, 30, seed=5).digest() == one_by_one.digest()
    assert cx.run(auction, 30, seed=5).digest() != cx.run(auction, 30, seed=6).digest()


def test_a_record_sees_the_quote():
    record = cx.Record(every=1, ask=lambda s: s.signal.public().ask)
    table = cx.run(small(), 5, record=record).record
    assert table["ask"][0] == 10 and table["ask"].shape == (6,)


def test_the_five_questions_answer_or_say_why():
    auction = DoubleAuction.example()
    rows = {row["regime"]: row for row in questions.compare(auction).rows}
    assert rows["planner"]["efficiency"] == 1 and rows["signal"]["efficiency"] > 0.95
    assert rows["full_information"]["status"] == "refused"
    points = {row["kind"]: row for row in questions.frontier(auction, bits=(2,), leaks=(1.0,), seeds=3).rows}
    assert points["exact"]["efficiency"] > 0.9 and points["bits"]["seeds"] == points["leak"]["seeds"] == 0
    for question, words in (
        (questions.lesion, "on the host"),
        (questions.shock, "host society"),
        (questions.replicate, "without the quote"),
    ):
        with pytest.raises(cx.Refused, match=words):
            question(auction)


def test_contest_gain_and_leak_are_refused():
    with pytest.raises(cx.Refused, match="clearing price"):
        small().contest()
    with pytest.raises(cx.Refused, match="stand still"):
        small().gain(small().plan())
    with pytest.raises(cx.Refused, match="at random"):
        small().society(0.5)


def test_other_markets_made_of_it():
    auction = small()
    assert auction.restrict([0, 2]).equilibrium() == (5, 7, 2)
    assert auction.restrict([True, False, False, True]).values.tolist() == [[9, 7]]
    for keep in ([0, 1], [2, 3]):
        with pytest.raises(cx.Refused, match="no market"):
            auction.restrict(keep)
    double = auction.replicate(2)
    assert double.equilibrium()[2] == 6 and double.most == 26
    ragged = DoubleAuction([[90, 50, NONE]], [[20, NONE]])
    changed = ragged.shocked(cx.random.key(1), 0.2)
    assert (changed.values != ragged.values).any()
    assert np.array_equal(changed.values == NONE, ragged.values == NONE)
    assert np.array_equal(changed.costs == NONE, ragged.costs == NONE)
    assert cx.settle(ragged).traded.tolist() == [1, 1]


def test_the_scene_shows_both_curves_and_every_trade():
    auction = DoubleAuction.example()
    rest = cx.settle(auction)
    demand, supply, trades = auction.scene(rest.society).items
    assert demand.y[0] == 150 and supply.y[0] == 12 - 2 and len(trades.y) == rest.traded[:6].sum()
    assert auction.words()["signal"] == "quote"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(values=[[9.5]]), r"values\[0, 0\] is 9.5: prices are whole"),
        (dict(values=[[9, np.nan]]), r"values\[0, 1\]"),
        (dict(values=[9, 8]), r"values is int64\[2\]: give prices \[traders, units\]"),
        (dict(values=[[9, 12]]), r"values\[0, 1\] is 12: give a price from 1 to 10"),
        (dict(values=[[3, 9]]), r"values\[0, 1\] is 9 after 3: give each row from its dearest"),
        (dict(costs=[[2, 1]]), r"costs\[0, 1\] is 1 after 2: give each row from its cheapest"),
        (dict(costs=[[-1, 3]]), r"costs\[0, 1\] is 3 after -1"),
        (dict(values=[[2]]), "none above any of the costs"),
        (dict(lowest=-1), "lowest is -1"),
        (dict(highest=1), "highest is 1: give a price above"),
    ],
)
def test_impossible_facts_are_refused(change, words):
    with pytest.raises(cx.BadInput, match=words):
        DoubleAuction(**(dict(values=[[9, 7]], costs=[[2, 5]], highest=10) | change))


def test_the_problem_alone_does_not_load_numba():
    code = "import sys; from catallax.economy.auction import DoubleAuction; DoubleAuction.example().plan(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numba" not in loaded
