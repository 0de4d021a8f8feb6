"""The door: allocations in the shape of what was asked, certified, and again when parties come and go."""

import numpy as np
import pytest
from scipy import sparse

import catallax as cx
from catallax.economy import allocate
from catallax.economy.allocate import room


def drawn(buyers: int, goods: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.01, 1, (buyers, goods))


@pytest.mark.parametrize("utility", ["linear", "quasi-linear", "cobb-douglas", "leontief"])
def test_an_allocation_is_certified_and_adds_up(utility):
    value, budget, supply = drawn(20, 4) * 5, np.linspace(1, 3, 20), np.array([1.0, 2, 3, 4])
    found = allocate(value, budget, supply, utility)
    assert found.status == "settled" and found.gap <= 1e-6 and found.worst_buyer < 1e-3
    assert (found.allocation.sum(0) <= supply * (1 + 1e-9)).all() and found.budget_error < 1e-3
    if utility in ("linear", "cobb-douglas"):
        np.testing.assert_allclose(found.prices @ supply, budget.sum(), rtol=1e-6)
        assert found.clearing_error < 1e-6


def test_the_certificate_can_be_recomputed_by_hand():
    value, budget = drawn(15, 3), np.linspace(1, 2, 15)
    found = allocate(value, budget)
    price = found.prices * budget.sum() / found.prices.sum()
    best = budget * (value / price).max(1)
    gap = budget @ np.log(best / (value * found.allocation).sum(1)) / budget.sum()
    assert found.gap == pytest.approx(gap, abs=1e-12) and 0 <= gap <= 1e-6


def test_those_who_want_nothing_are_named_and_get_nothing():
    value = np.array([[1.0, 0, 2], [0, 0, 0], [3.0, 0, 1]])
    found = allocate(value, names=["ann", "bob", "eve"], goods=["x", "y", "z"])
    assert found.notes == ("bob wants nothing and gets nothing", "y is wanted by nobody: its price is 0")
    assert found.prices[1] == 0 and not found.allocation[1].any() and not found.allocation[:, 1].any()
    np.testing.assert_allclose(found.utilities, [2, 0, 3], rtol=1e-5)


def test_sparse_valuations_are_the_same():
    value = drawn(30, 5) * (np.random.default_rng(1).random((30, 5)) < 0.5)
    value[:, 0] += 0.1
    dense, thin = allocate(value), allocate(sparse.csr_array(value))
    assert np.array_equal(dense.prices, thin.prices)


def test_empty_seats_change_nothing():
    sizes = [room(n) for n in (1, 8, 9, 12, 13, 100, 512, 513, 5000)]
    assert sizes == [6, 8, 12, 12, 16, 128, 512, 1024, 5120]
    value = drawn(9, 3)  # of twelve seats
    whole = allocate(np.vstack([value, drawn(3, 3, 1)])).update(remove=[9, 10, 11])
    np.testing.assert_allclose(whole.prices, allocate(value).prices, rtol=1e-4)


def test_parties_come_and_go():
    found = allocate(drawn(10, 3), names=[f"job {k}" for k in range(10)])
    later = found.update(remove=["job 3"], add=dict(valuations=drawn(2, 3, 9), names=["late", "later"]))
    assert later.status == "settled" and later.facts["names"][-3:] == ("job 9", "late", "later")
    fresh = allocate(np.vstack([np.delete(drawn(10, 3), 3, 0), drawn(2, 3, 9)]))
    np.testing.assert_allclose(later.prices, fresh.prices, rtol=1e-4)
    still = found.update().churn
    assert later.churn is not None and 0.05 < later.churn < 0.6
    assert still is not None and still < 1e-4
    richer = found.update(budgets=np.linspace(1, 2, 10))
    assert richer.prices.sum() == pytest.approx(15, rel=1e-6)
    with pytest.raises(cx.BadInput, match="remove names 'nobody', who is not in the market"):
        found.update(remove=["nobody"])


def test_one_cap_for_all():
    found = allocate(drawn(10, 4), cap=0.6)
    assert found.status == "settled" and (found.allocation.sum(1) <= 0.6 + 1e-9).all()
    assert found.rents is not None and found.rents.max() > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(valuations=[[1.0, -1]]), r"valuations\[0, 1\] is -1: give finite numbers"),
        (dict(valuations=[1.0, 2]), r"valuations has shape \(2,\): give \[buyers, goods\]"),
        (dict(valuations=[[0.0, 0]]), "nobody wants anything"),
        (dict(valuations=[[1.0, 1]], budgets=[0.0]), r"budgets\[0\] is 0: give a finite number above 0"),
        (dict(valuations=[[1.0, 1]], supply=[1.0]), r"supply has shape \(1,\) where the valuations ask for \(2,\)"),
        (dict(valuations=[[1.0, 1]], tolerance=0.0), "tolerance is 0.0: give a positive number"),
        (dict(valuations=[[1.0], [1.0]], names=["a", "a"]), "names has 'a' twice"),
        (dict(valuations=[[1.0], [1.0]], names=["a"]), "names has 1 entries where the valuations ask for 2"),
        (dict(valuations=[[1.0]], utility="ces"), "Fisher.elasticity goes with utility 'ces'"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    with pytest.raises(cx.BadInput, match=sentence):
        allocate(**arguments)
