"""Envy and its kin: hand-made cases, identities, and agreement with loops that say the definitions out loud."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.measures import fairness
from catallax.measures.fairness import envy, envy_up_to_one, proportionality


def spelt_out(values, x, due, taken_away: int):
    """The largest envy of each party, good by good."""
    n, m = x.shape
    each = np.zeros(n)
    for i in range(n):
        own = sum(values[i, j] * x[i, j] for j in range(m)) / due[i]
        for k in range(n):
            other = sum(values[i, j] * x[k, j] for j in range(m))
            if taken_away:
                other -= max(values[i, j] for j in range(m) if x[k, j] >= 1) if x[k].any() else 0.0
            other /= due[k]
            if other > 0:
                each[i] = max(each[i], 1 - own / other)
    return np.where(each > 1e-13, each, 0.0)


def test_two_children_and_one_toy():
    found = envy([[1.0], [1.0]], [[1], [0]])
    assert (found.largest, found.party, found.other, found.count) == (1.0, 1, 0, 1)
    assert found.towards.tolist() == [-1, 0]
    after = envy_up_to_one([[1.0], [1.0]], [[1], [0]])
    assert (after.largest, after.count, after.party, after.other) == (0.0, 0, -1, -1)


def test_who_envies_whom_by_hand():
    # 0 has goods worth 3 to 2 and 1 to itself; 1 has one worth 1 to 2; 2 has one worth 2 to itself
    values = [[1.0, 1, 1, 1], [1, 1, 5, 1], [1, 2, 1, 2]]
    held = [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    found = envy(values, held)
    assert found.each == pytest.approx([0, 0, 1 / 3])
    assert (found.party, found.other, found.count) == (2, 0, 1)
    assert envy_up_to_one(values, held).count == 0
    more = proportionality(values, held)
    assert more.each == pytest.approx([2 / (4 / 3), 5 / (8 / 3), 2 / (6 / 3)])
    assert (more.party, more.count) == (2, 0)


def test_one_good_is_not_enough_where_two_are_envied():
    found = envy_up_to_one(np.ones((2, 3)), [[1, 1, 1], [0, 0, 0]])
    assert (found.largest, found.party, found.other, found.count) == (1.0, 1, 0, 1)
    assert envy_up_to_one(np.ones((2, 3)), [[1, 1, 0], [0, 0, 1]]).count == 0


def test_entitlement_weighs():
    values, held = np.ones((2, 1)), [[3.0], [1.0]]
    assert envy(values, held, [3, 1]).count == 0
    assert envy(values, held).largest == pytest.approx(2 / 3)
    assert envy(values, held, [1, 1]).each == pytest.approx(envy(values, held).each)
    assert proportionality(values, held, [3, 1]).each == pytest.approx([1, 1])
    assert proportionality(values, held, supply=[8.0]).each == pytest.approx([0.75, 0.25])


def test_equal_shares_make_no_envy_and_just_the_due_for_anyone():
    random = np.random.default_rng(0)
    values = random.random((30, 7))
    held = np.tile(random.random(7), (30, 1))
    assert envy(values, held).count == 0
    fair = proportionality(values, held)
    assert fair.count == 0 and fair.each == pytest.approx(np.ones(30), abs=2 * fair.rounding)


def test_units_of_values_and_of_entitlement_do_not_matter():
    random = np.random.default_rng(1)
    values, held, due = random.random((9, 4)), random.random((9, 4)), random.random(9) + 0.1
    scaled = values * random.random((9, 1)) * 1e6
    assert envy(scaled, held, 7 * due).each == pytest.approx(envy(values, held, due).each)
    assert proportionality(scaled, held, 7 * due).each == pytest.approx(proportionality(values, held, due).each)


def test_an_equilibrium_from_equal_incomes_is_free_of_envy():
    # two goods, prices 1 and 1; each spends one unit on what it likes better, all like something
    values = np.array([[2.0, 1], [3, 1], [1, 2], [1, 9]])
    held = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    assert envy(values, held).count == 0
    assert proportionality(values, held).count == 0


def test_nobody_wants_anything():
    assert envy(np.zeros((3, 2)), np.ones((3, 2))).count == 0
    assert proportionality(np.zeros((3, 2)), np.ones((3, 2))).least == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_the_definitions_good_by_good(n, m, seed):
    random = np.random.default_rng(seed)
    values = random.random((n, m)) * (random.random((n, m)) < 0.8)
    held, due = random.integers(0, 3, (n, m)), random.random(n) + 0.1
    assert envy(values, held, due).each == pytest.approx(spelt_out(values, held, due, 0), abs=1e-12)
    up_to_one = envy_up_to_one(values, held, due)
    assert up_to_one.each == pytest.approx(spelt_out(values, held, due, 1), abs=1e-12)
    assert (up_to_one.each <= envy(values, held, due).each).all()


@pytest.mark.parametrize("measure", [envy, envy_up_to_one, proportionality])
def test_a_worth_that_is_asked_for_is_the_same(measure):
    random = np.random.default_rng(2)
    values, held = random.random((12, 6)), random.integers(0, 2, (12, 6))
    asked = measure(lambda i, bundles: bundles @ values[i], held)
    assert asked.each == pytest.approx(measure(values, held).each, abs=1e-12)


def test_worth_that_is_no_sum():
    # gloves: a pair is worth one, a single glove nothing
    pairs = lambda i, bundles: bundles.min(1)  # noqa: E731
    held = [[1, 1], [1, 0]]
    assert envy(pairs, held).each.tolist() == [0, 1]
    assert envy_up_to_one(pairs, held).count == 0
    assert envy_up_to_one(pairs, [[2, 2], [1, 0]]).each.tolist() == [0, 1]
    assert proportionality(pairs, held).each.tolist() == [2, 0]


def test_blocks_do_not_matter(monkeypatch):
    random = np.random.default_rng(3)
    values, held = random.random((40, 5)), random.integers(0, 2, (40, 5))
    measures = (envy, envy_up_to_one, proportionality)
    whole = [measure(values, held).each for measure in measures]
    monkeypatch.setattr(fairness, "BLOCK", 7)
    for measure, each in zip(measures, whole, strict=True):
        assert measure(values, held).each == pytest.approx(each, abs=1e-13)


def test_rounding_is_not_taken_for_envy():
    values = np.random.default_rng(4).random((50, 60))
    held = np.full((50, 60), 1 / 3)
    held[1::2] = held[::2][:, ::1] * (1 + 1e-16)
    assert envy(values, held[:, ::-1]).count == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([[1.0]], [1.0]), "allocation has shape"),
        (([[1.0, 2.0]], [[1.0]]), "values has shape"),
        (([[-1.0]], [[1.0]]), r"values\[0, 0\] is"),
        (([[1.0]], [[np.nan]]), r"allocation\[0, 0\] is"),
        (([[1.0]], [[1.0]], [0.0]), r"entitlement\[0\] is zero"),
        (([[1.0]], [[1.0]], [1.0, 2.0]), "entitlement has shape"),
        ((lambda i, bundles: np.zeros(3), [[1.0]]), "values\\(0, bundles\\) gives shape"),
    ],
)
def test_bad_input_is_refused(arguments, sentence):
    for measure in (envy, envy_up_to_one, proportionality):
        with pytest.raises(cx.BadInput, match=sentence):
            measure(*arguments)


def test_envy_up_to_one_asks_for_whole_units():
    with pytest.raises(cx.BadInput, match=r"allocation\[0, 0\] is .*whole units"):
        envy_up_to_one([[1.0]], [[0.5]])
