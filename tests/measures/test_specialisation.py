"""Who does what: measures against closed forms, scikit-learn and brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from catallax.core.errors import BadInput
from catallax.measures.specialisation import (
    alignment,
    collapse,
    dead,
    load_entropy,
    max_violation,
    mutual_information,
    together,
    worst_collapse,
)

EVEN, ONE = [5, 5, 5, 5], [20, 0, 0, 0]


@pytest.mark.parametrize(
    ("measure", "even", "one"),
    [(max_violation, 0, 3), (load_entropy, 1, 0), (dead, 0, 3), (collapse, 0, 1), (worst_collapse, 0, 1)],
)
def test_loads_from_all_alike_to_one_has_all(measure, even, one):
    assert measure(EVEN) == pytest.approx(even) and measure(ONE) == pytest.approx(one)


def test_loads_between():
    assert max_violation([3, 1, 2, 2]) == 0.5
    assert collapse([3, 1, 2, 2]) == pytest.approx((1 / 4 - 1 / 8) * 4 / 3)
    assert worst_collapse([3, 1, 2, 2]) == pytest.approx(0.5)
    assert load_entropy([1, 1, 0, 0]) == pytest.approx(0.5)
    assert dead([1, 0, 99], least=0.01) == 2 and max_violation([0, 0]) == 0 and load_entropy([3]) == 1


@given(st.integers(0, 2**31), st.integers(2, 5), st.integers(2, 5))
def test_information_is_scikit_learns_and_alignment_the_best_of_all_matchings(seed, classes, parts):
    rng = np.random.default_rng(seed)
    labels, choice = rng.integers(0, classes, 50), rng.integers(0, parts, 50)
    counts = together(labels, choice, classes, parts)
    assert counts.sum() == 50 and counts[labels[0], choice[0]] == ((labels == labels[0]) & (choice == choice[0])).sum()
    assert mutual_information(counts) == pytest.approx(mutual_info_score(labels, choice), abs=1e-12)
    few = counts.T if classes > parts else counts
    best = max(
        sum(few[r, m] for r, m in enumerate(match)) for match in itertools.permutations(range(few.shape[1]), len(few))
    )
    assert alignment(counts) == pytest.approx(best / 50)
    assert 0 <= mutual_information(counts) <= np.log(min(classes, parts)) + 1e-12


def test_a_part_a_class_is_perfect_and_chance_is_not():
    labels = np.arange(40) % 4
    counts = together(labels, (labels + 1) % 4)
    assert mutual_information(counts) == pytest.approx(np.log(4)) and alignment(counts) == 1
    assert mutual_information(np.ones((4, 4))) == 0 and alignment(np.ones((4, 4))) == 0.25


def test_several_parts_an_input_and_none():
    counts = together([0, 1], [[0, 2], [-1, 1]], parts=3)
    assert counts.tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: together([0, 1], [0]), "give one label an input"),
        (lambda: together([0, 1], [0, 3], parts=2), r"choice\[1, 0\] is 3: give whole numbers from -1 to 1"),
        (lambda: together([-1], [0]), r"labels\[0\] is -1"),
        (lambda: load_entropy([1, np.nan]), r"counts have shape \[2\]: give finite numbers"),
        (lambda: alignment([1, 2]), r"\[classes, parts\]"),
        (lambda: mutual_information(np.zeros((2, 2))), "counts are all 0"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(BadInput, match=sentence):
        call()
