"""Folds by content: what a row is decides where it goes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from catallax.ensembles.folds import content_folds, row_hashes

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 4))
CLASSES = RANDOM.integers(3, size=300)


@given(st.permutations(range(300)))
@settings(max_examples=20, deadline=None)
def test_order_does_not_matter(order):
    fold = content_folds(row_hashes(X), CLASSES, np.ones(300), 5)
    again = content_folds(row_hashes(X[order]), CLASSES[order], np.ones(300), 5)
    np.testing.assert_array_equal(again, fold[order])


@given(st.lists(st.integers(0, 3), min_size=300, max_size=300).filter(lambda w: sum(w) > 10))
@settings(max_examples=20, deadline=None)
def test_a_weight_is_so_many_copies(counts):
    counts = np.array(counts)
    copies = np.repeat(np.arange(300), counts)
    fold = content_folds(row_hashes(X), CLASSES, counts.astype(float), 5)
    again = content_folds(row_hashes(X[copies]), CLASSES[copies], np.ones(len(copies)), 5)
    np.testing.assert_array_equal(again, fold[copies])


def test_classes_are_dealt_out_evenly():
    fold = content_folds(row_hashes(X), CLASSES, np.ones(300), 5)
    for label in range(3):
        sizes = np.bincount(fold[label == CLASSES], minlength=5)
        assert sizes.max() - sizes.min() <= 2


def test_rare_classes_are_not_all_in_one_fold():
    rare = np.repeat(np.arange(40), 2)
    fold = content_folds(row_hashes(RANDOM.normal(size=(80, 2))), rare, np.ones(80), 5)
    assert np.bincount(fold, minlength=5).min() > 8


def test_rows_of_every_kind_have_a_hash():
    arrays = [X, X.astype(object), [[str(v) for v in row] for row in X], [f"text {row[0]}" for row in X]]
    for rows in [*arrays, sparse.csr_array(X)]:
        assert len(np.unique(row_hashes(rows))) == 300
        np.testing.assert_array_equal(row_hashes(rows), row_hashes(rows))
    assert (row_hashes(X) != row_hashes(X, salt=1)).all()
    np.testing.assert_array_equal(row_hashes(np.array([[0.0]])), row_hashes(np.array([[-0.0]])))


def test_a_frame_of_numbers_is_its_array():
    pandas = pytest.importorskip("pandas")
    np.testing.assert_array_equal(row_hashes(pandas.DataFrame(X)), row_hashes(X))
    mixed = pandas.DataFrame({"a": ["x", "y", "x"], "b": [1, 2, 1]})
    first, second, third = row_hashes(mixed)
    assert first == third != second
