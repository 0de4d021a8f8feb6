"""Lies: what they bring where that is known, that no lie more than doubles, and that many rivals leave nothing to gain."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catallax as cx
from catallax.economy import allocate
from catallax.economy.misreport import reports
from catallax.view import style
from examples.misreport import gains, picture, road, town


def drawn(buyers: int, goods: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.01, 1, (buyers, goods))


def test_the_known_gain_of_two_is_nearly_found_and_never_passed():
    # Ann holds all of good 0 for 1; saying that she wants it only r times as much as good 1, r above Bob's 1/4, she has
    # it for 2 r / (1 + r), and (1 - r) / 2 of good 1 for what is left. Bob can move no price in his favour.
    found = allocate([[1.0, 1], [1, 4]], goods=["tea", "jam"]).misreporting()
    assert found.buyer == 0 and 0.7 * 0.375 < found.gain <= 0.375 + found.rounding.max()
    assert found.gains[1] == 0 and found.lies[1] == "the truth"
    assert found.every.shape == (2, 65) and not found.every[:, 0].any()


def test_who_keeps_money_gains_by_bidding_less():
    # the good goes to Ann at what she says; above Bob's 4 she keeps the rest, of 100
    found = allocate([[10.0], [4]], [100.0, 100], utility="quasi-linear").misreporting()
    assert found.buyer == 0 and 0.049 < found.gain < 0.06 + found.rounding.max()
    assert found.gains[1] == 0


@given(st.integers(0, 1000))
@settings(max_examples=6)
def test_no_lie_more_than_doubles(seed):
    value = drawn(5, 3, seed) ** 4
    found = allocate(value, np.random.default_rng(seed).uniform(0.2, 5, 5)).misreporting(lies=24)
    assert (found.every <= 1 + found.rounding).all()
    assert found.gain == found.gains.max() >= 0


def test_gains_vanish_in_town_and_stay_on_the_road():
    crowd = dict(sizes=(32,), seeds=1, buyers=24, lies=24)
    there, here = (gains(draw, **crowd)[0].item() for draw in (road, town))
    assert there > 0.005 and there > 5 * here


def test_the_same_seed_tries_the_same():
    allocation = allocate(drawn(5, 3, 3))
    one, two, other = (allocation.misreporting(buyers=3, seed=s, lies=24) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.every, two.every)
    assert one.lies == two.lies and len(set(one.buyers)) == 3
    assert not np.array_equal(one.every, other.every)


@pytest.mark.parametrize("utility", ["linear", "quasi-linear"])
def test_reports_are_never_the_truth_nor_nothing(utility):
    value = drawn(5, 3, 2)
    value[0, 1] = 0
    allocation = allocate(value, utility=utility, goods=["tea", "jam", "oats"])
    tried = list(itertools.islice(reports(allocation, 0, np.random.default_rng(0)), 64))
    words = [w for w, _ in tried]
    assert len(set(words)) == 64 and {"hides all but its best 1", "the wants of buyer 3"} < set(words)
    assert any(w.startswith("hides ") and w.split()[1] in ("tea", "oats") for w in words)
    said = np.array([x for _, x in tried])
    assert (said >= 0).all() and np.isfinite(said).all() and said.any(1).all()
    truth = said / said.sum(1, keepdims=True) if utility == "linear" else said
    assert (np.abs(truth - value[0] / (value[0].sum() if utility == "linear" else 1)).max(1) > 1e-9).all()


def test_who_wants_a_single_good_has_no_lie_to_tell():
    value = drawn(5, 3, 3)
    value[0, 1:] = 0
    found = allocate(value).misreporting(lies=24)
    assert found.gains[0] == 0 and found.lies[0] == "the truth" and found.gain > 0


def test_what_cannot_be_searched_is_refused():
    plain = allocate(drawn(5, 3, 0))
    for fact in (dict(utility="cobb-douglas"), dict(cap=np.ones(5)), dict(limit=np.ones((5, 3)))):
        other = dataclasses.replace(plain, facts=plain.facts | fact)
        with pytest.raises(cx.Refused, match="linear and quasi-linear wants without caps"):
            other.misreporting()
    with pytest.raises(cx.BadInput, match="lies is 0: give a whole number of at least 1"):
        plain.misreporting(lies=0)


def test_the_picture_says_what_was_found(tmp_path):
    here, there = np.array([[0.06, 0.04], [0.01, 0.0]]), np.array([[0.05, 0.05], [0.04, 0.02]])
    figure = picture({"one town": (here, here / 100), "a long road": (there, there / 100)}, (8, 16))
    words = " ".join(text.get_text() for text in figure.texts)
    assert "Among 8 rivals the best lie gains 5 %, among 16 under 0.5 %; on a road" in words and "stay 8, 3 %" in words
    assert (tmp_path / style.save(figure, str(tmp_path / "misreport.png"))).stat().st_size > 10_000
