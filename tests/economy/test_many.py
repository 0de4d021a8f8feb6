"""Many markets at once are the same markets one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.core.outcome import Status
from catallax.economy import allocate, allocate_many, many
from catallax.economy.buyers import eisenberg
from catallax.economy.fisher import Fisher

MARKETS, BUYERS, GOODS = 7, 6, 4


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Markets of many kinds: ties, zeros, a good that nobody wants, a buyer who wants nothing, scales."""
    random = np.random.default_rng(seed)
    value = random.uniform(0.01, 1, (MARKETS, BUYERS, GOODS))
    value[1] = random.integers(1, 4, (BUYERS, GOODS))
    value[2] *= random.random((BUYERS, GOODS)) < 0.6
    value[2, :, 0] += 0.1
    value[3, :, 1] = 0
    value[4, 2] = 0
    value[5, 0], value[5, :, 2:] = 0, 0
    value[6] *= 10 ** random.uniform(-3, 3, GOODS)
    return value, random.uniform(0.5, 2, (MARKETS, BUYERS)), random.uniform(0.5, 2, (MARKETS, GOODS))


@pytest.fixture(scope="module", params=["linear", "quasi-linear"])
def cleared(request):
    facts = drawn()
    return facts, request.param, allocate_many(*facts, request.param, tolerance=1e-8)


def test_each_is_as_it_would_be_alone(cleared):
    facts, utility, found = cleared
    assert (found.status == "settled").all() and len(found) == MARKETS
    for k in range(MARKETS):
        alone = allocate(*(x[k] for x in facts), utility, tolerance=1e-8)
        np.testing.assert_allclose(found.prices[k], alone.prices, rtol=2e-4, atol=1e-7)
        np.testing.assert_allclose(found.utilities[k], alone.utilities, rtol=2e-4)
        np.testing.assert_allclose(found.kept[k], alone.kept, atol=2e-4)
        assert found[k].notes == alone.notes


def test_the_certificate_is_the_judges(cleared):
    (value, budget, supply), utility, found = cleared
    for k in range(MARKETS):
        wants, wanted = (value[k] > 0).any(1), (value[k] > 0).any(0)
        market = Fisher(value[k][wants][:, wanted], budget[k][wants], supply[k][wanted], utility)
        values = dict(price=found.prices[k][wanted], utilities=found.utilities[k][wants])
        values |= dict(kept=found.kept[k][wants]) if utility == "quasi-linear" else {}
        gap, worst = eisenberg.gap(market, values)
        # the market keeps its facts in float32, the stack in float64
        assert found.gap[k] <= 1e-8 and found.gap[k] == pytest.approx(gap, abs=1e-6)
        assert found.worst_buyer[k] == pytest.approx(worst, abs=1e-5)


def test_goods_add_up_and_those_left_out_get_nothing(cleared):
    (value, budget, supply), utility, found = cleared
    given = found.allocation
    assert (given >= 0).all() and (given.sum(1) <= supply * (1 + 1e-12)).all()
    assert not found.prices[3, 1] and not given[3, :, 1].any() and (found.prices[5, 2:] == 0).all()
    assert not given[4, 2].any() and not found.utilities[4, 2] and not found.kept[4, 2]
    np.testing.assert_allclose(np.einsum("knm,knm->kn", value, given) + found.kept, found.utilities)
    assert found.clearing_error.max() < 1e-3 and found.budget_error.max() < 1e-3
    if utility == "linear":
        spent = np.where((value > 0).any(2), budget, 0).sum(1)
        np.testing.assert_allclose((found.prices * supply).sum(1), spent, rtol=1e-6)


@given(st.permutations(range(MARKETS)))
@settings(max_examples=5)
def test_the_order_of_markets_does_not_matter(order):
    facts = drawn()
    one, other = allocate_many(*facts), allocate_many(*(x[list(order)] for x in facts))
    np.testing.assert_allclose(other.prices, one.prices[list(order)], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(other.rounds, one.rounds[list(order)])


def test_blocks_do_not_matter(monkeypatch):
    facts = drawn()
    whole = allocate_many(*facts)
    monkeypatch.setattr(many, "BLOCK", 4 * BUYERS * GOODS)  # two blocks, the second filled up
    np.testing.assert_allclose(allocate_many(*facts).prices, whole.prices, rtol=1e-9, atol=1e-12)


def test_the_quick_do_not_wait_for_the_slow(cleared):
    _, _, found = cleared
    assert found.rounds.min() < found.rounds.max() <= 40


def test_who_wants_one_good_alone_pays_its_budget_for_it():
    budget = np.arange(1.0, 7).reshape(2, 3)
    found = allocate_many(np.repeat(np.eye(3)[None], 2, 0), budget)
    np.testing.assert_allclose(found.prices, budget, rtol=1e-4)
    np.testing.assert_allclose(found.allocation, np.repeat(np.eye(3)[None], 2, 0), atol=1e-3)


def test_one_market_of_many_goes_on_by_itself(cleared):
    facts, utility, found = cleared
    one = found[-1]
    assert one.gap == found.gap[6] and one.rounds == found.rounds[6] and one.status is Status.SETTLED
    later = one.update(remove=[0])
    alone = allocate(*(x[6][s] for x, s in zip(facts, ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], slice(None)))), utility)
    np.testing.assert_allclose(later.prices, alone.prices, rtol=1e-3)
    with pytest.raises(IndexError):
        found[MARKETS]


def test_prices_to_begin_with_end_at_the_same(cleared):
    facts, utility, found = cleared
    again = allocate_many(*facts, utility, tolerance=1e-8, start=found.prices)
    np.testing.assert_allclose(again.prices, found.prices, rtol=2e-4, atol=1e-7)


def test_asked_for_more_digits_than_there_are_the_best_is_answered():
    found = allocate_many(*drawn(), tolerance=1e-18)
    assert found.gap.max() < 1e-8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(valuations=[[1.0]]), r"valuations has shape \(1, 1\): give \[markets, buyers, goods\]"),
        (dict(valuations=[[[1.0]], [[np.nan]]]), r"valuations\[1, 0, 0\] is nan.*market 1, row 0"),
        (dict(valuations=[[[1.0]], [[0.0]]]), r"valuations\[1\] are all zero: nobody wants anything in that market"),
        (dict(valuations=[[[1.0]]], budgets=[[0.0]]), r"budgets\[0, 0\] is 0: give a finite number above 0"),
        (dict(valuations=[[[1.0]]], supply=[[1.0, 2]]), r"supply has shape \(1, 2\) where .* \(1, 1\)"),
        (dict(valuations=[[[1.0]]], start=[-1.0]), r"start\[0, 0\] is -1: give a finite number of at least 0"),
        (dict(valuations=[[[1.0]]], tolerance=-1.0), "tolerance is -1.0: give a positive number"),
        (dict(valuations=[[[1.0]]], utility="leontief"), "many markets at once are linear or quasi-linear"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    with pytest.raises(cx.BadInput, match=sentence):
        allocate_many(**arguments)
