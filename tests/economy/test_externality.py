"""Smoke: prices alone against the planner, closed forms, and the tax that repairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import catallax as cx
from catallax.economy.externality import Externality
from catallax.questions import compare, frontier, lesion, replicate, shock
from catallax.testing import check_gradient, check_problem


@pytest.fixture(scope="module")
def valley() -> Externality:
    return Externality.example()


@pytest.fixture
def exact():
    """float64, for derivatives by differences."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def alike(n: int, harm: float = 0.1) -> Externality:
    """n consumers of benefit 10 - x, base cost 2, rise 0.5."""
    return Externality(np.full(n, 10.0), np.ones(n), np.full(n, harm), 2.0, 0.5)


def drawn(seed: int) -> Externality:
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 7))
    benefit = random.random(n) * 10
    return Externality(
        benefit, random.random(n) + 0.2, random.random(n), benefit.max() * random.random(), random.random()
    )


@pytest.mark.parametrize("n", [1, 2, 5])
def test_alike_consumers_are_the_closed_forms(n):
    market = alike(n)
    # 10 - x = 2 + n x / 2;  plan: 10 - x = 2 + n x / 2 + n h n x;  Nash: 10 - x = 2 + (n + 1) x / 2 + h n x
    assert np.allclose(cx.settle(market).quantity, 8 / (1 + n / 2), rtol=1e-6)
    assert np.allclose(market.plan().quantity, 8 / (1 + n / 2 + 0.1 * n * n), rtol=1e-6)
    contest = market.contest()
    assert contest.status == "settled"
    assert np.allclose(contest.quantity, 8 / (1 + (n + 1) / 2 + 0.1 * n), rtol=1e-6)
    assert np.allclose(market.contest(0.5).quantity, 8 / (1 + n / 2 + 0.25 + 0.05 * n), rtol=1e-6)


def test_prices_alone_fail_and_the_tax_repairs(valley):
    rest, plan, silence = cx.settle(valley), valley.plan(), valley.silence()
    assert rest.status == "settled"
    assert plan.certificate <= 1e-12
    assert valley.welfare(silence)["efficiency"] == 0
    assert 0.5 < valley.welfare(rest)["efficiency"] < 0.7
    assert rest.quantity.sum() > 1.6 * plan.quantity.sum()
    taxed = valley.taxed(valley.pigou_tax())
    repaired = cx.settle(taxed)
    assert repaired.status == "settled"
    assert np.allclose(repaired.quantity, plan.quantity, atol=1e-5)
    assert taxed.welfare(repaired)["efficiency"] == pytest.approx(1, abs=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_no_other_purchases_do_better_than_the_plan(seed):
    market = drawn(seed)
    b, c, h, k, m, _ = market.exact()

    def lost(x):
        return -(b @ x - c @ x**2 / 2 - k * x.sum() - (m + h.sum()) * x.sum() ** 2 / 2)

    plan = market.plan()
    best = minimize(lost, np.full(len(b), 0.1), bounds=[(0, None)] * len(b), options=dict(ftol=1e-14, gtol=1e-10))
    assert plan.certificate <= 1e-9
    assert plan.utilities.sum() == pytest.approx(-lost(plan.quantity), rel=1e-9, abs=1e-9)
    assert plan.utilities.sum() >= -best.fun - 1e-9


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(-1, 3))
def test_what_the_tax_takes_comes_back(seed, tax):
    market = drawn(seed)
    quantity = np.random.default_rng(seed).random(market.benefit.size)
    sums = [m.valued(quantity)["utilities"].sum() for m in (market, market.taxed(tax))]
    assert sums[0] == pytest.approx(sums[1], abs=1e-6)


def test_nobody_gains_by_buying_otherwise_once_a_contest_rests(valley):
    contest = valley.contest()
    assert contest.status == "settled"
    b, c, h, k, m, _ = valley.exact()
    x = contest.quantity

    def own(i, q):
        total = x.sum() - x[i] + q
        return b[i] * q - c[i] * q**2 / 2 - (k + m * total) * q - h[i] * total**2 / 2

    for i in range(len(b)):
        assert max(own(i, q) for q in np.linspace(0, 12, 500)) <= own(i, x[i]) + 1e-5
    assert valley.gain(contest) <= 1e-6
    assert valley.gain(cx.settle(valley)) > 1e-3


def test_the_best_tax_by_gradient_is_pigous(exact):
    valley = Externality.example()  # the fixture's is of float32

    def welfare(tax):
        return valley.total_welfare(cx.settle(valley.taxed(tax), 1e-12).society)

    check_gradient(welfare, jnp.asarray(0.5))
    slope = jax.jit(jax.grad(welfare))
    assert float(slope(valley.pigou_tax())) == pytest.approx(0, abs=1e-8)
    tax = 0.0
    for _ in range(30):
        tax += 0.1 * float(slope(tax))
    assert tax == pytest.approx(valley.pigou_tax(), abs=1e-4)


def test_a_gradient_of_those_who_know_their_effects_is_refused(valley):
    with pytest.raises(cx.Refused, match="price-takers"):
        valley.total_welfare(valley.society(1.0))


def test_influence_vanishes_with_numbers_and_prices_stay_as_wrong(valley):
    crowd = valley.replicate(4)
    shares = [v.welfare(cx.settle(v))["efficiency"] for v in (valley, crowd)]
    assert shares[0] == pytest.approx(shares[1], abs=1e-5)
    assert crowd.effect(cx.settle(crowd)) == pytest.approx(valley.effect(cx.settle(valley)) / 4, rel=1e-4)
    knowing = [v.welfare(v.contest())["efficiency"] for v in (valley, crowd)]
    assert shares[0] < knowing[1] < knowing[0]


def test_laws_hold(valley):
    held = check_problem(valley, bad=[lambda: Externality(np.ones(2), np.ones(2), -np.ones(2))])
    assert held == ["locality", "honest bits", "conservation", "reproducibility", "certificate"]


def test_the_five_questions(valley):
    rows = {r["regime"]: r["efficiency"] for r in compare(valley).rows}
    assert rows["silence"] < rows["signal"] < rows["full_information"] < rows["planner"]
    curve = {r["point"]: r["efficiency"] for r in frontier(valley, seeds=1, bits=(2, 16), leaks=(0.5, 1.0)).rows}
    assert curve["16 bits"] == pytest.approx(curve["exact"], abs=1e-3)
    assert curve["exact"] < curve["leak 0.5"] < curve["leak 1"]
    hurt = lesion(valley, seeds=1, fractions=(0.0, 0.5))
    assert hurt.rows[-1]["recovered"] > hurt.rows[0]["recovered"]  # less smoke
    assert shock(valley, size=0.1, rounds=10).facts["settled"]
    crowd = replicate(valley, copies=(1, 2)).rows
    assert crowd[1]["effect"] == pytest.approx(crowd[0]["effect"] / 2, rel=1e-4)


def test_restrict_and_shock_change_what_they_should(valley):
    left = valley.restrict([0, 3])
    assert np.array_equal(left.benefit, [12, 9])
    with pytest.raises(cx.Refused, match="no market"):
        Externality([5.0, 1.0], np.ones(2), np.ones(2), base=2.0).restrict([1])
    changed = valley.shocked(cx.random.key(0), 0.3)
    assert (np.asarray(changed.benefit) > 2).all()
    assert not np.allclose(changed.benefit, valley.benefit)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(satiation=[1.0, 0.0]), r"satiation\[1\] is 0.0: give a number that is above 0"),
        (dict(harm=[-1.0, 0.0]), r"harm\[0\]"),
        (dict(harm=[1.0]), "shape"),
        (dict(rise=-1.0), "rise is -1.0"),
        (dict(tax=np.nan), "tax"),
        (dict(base=20.0), "no market"),
        (dict(names=("one",)), "names"),
    ],
)
def test_impossible_facts_are_refused(change, words):
    facts = dict(benefit=[10.0, 5.0], satiation=[1.0, 1.0], harm=[0.1, 0.1])
    with pytest.raises(cx.BadInput, match=words):
        Externality(**(facts | change))
    with pytest.raises(cx.BadInput, match="leak"):
        Externality(**facts).society(-0.1)
