"""`SparseCoder`: scikit-learn's manners, one LASSO point by every method, and gaps that are true."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from sklearn.utils.estimator_checks import parametrize_with_checks

from catallax.core.errors import BadInput, Refused
from catallax.networks.sparse import encode as encoding
from catallax.networks.sparse.atoms import Atoms
from catallax.networks.sparse.certificate import bounds
from catallax.networks.sparse.coder import SparseCoder

METHODS = ("active", "lca", "admm", "fista")


def unit(table):
    return table / np.linalg.norm(table, axis=-1, keepdims=True)


@pytest.fixture(scope="module")
def facts():
    random = np.random.default_rng(0)
    atoms = unit(random.normal(size=(40, 16)))
    chosen = np.argsort(random.random((30, 40)), axis=1)[:, :4]
    rows = np.einsum("sk,skf->sf", random.normal(size=(30, 4)), atoms[chosen]) + 0.1 * random.normal(size=(30, 16))
    return unit(rows), atoms


def descended(X, atoms, penalty, positive=False):
    """The same problem by scikit-learn's coordinate descent, which divides squares by the number of features."""
    lasso = Lasso(alpha=penalty / X.shape[1], fit_intercept=False, tol=1e-14, max_iter=100_000, positive=positive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may not come so far, and is then close all the same
        return np.array([lasso.fit(atoms.T, x).coef_ for x in X])


@parametrize_with_checks([SparseCoder()])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.mark.long
@parametrize_with_checks([SparseCoder(penalty=0.5, positive=True)])
def test_nor_with_positive_codes(estimator, check):
    check(estimator)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_reaches_the_point_of_coordinate_descent(facts, method, positive):
    X, atoms = facts
    found = SparseCoder(atoms, method=method, positive=positive, tolerance=1e-12, max_rounds=50_000).code(X)
    assert found.gap.max() <= 1e-12
    assert np.abs(found.codes - descended(X, atoms, 0.1, positive)).max() < 1e-6
    assert found.codes.min() >= 0 or not positive


@pytest.mark.parametrize("method", METHODS)
def test_gaps_are_those_of_the_codes_returned(facts, method):
    X, atoms = facts
    for dtype in (np.float64, np.float32):
        given = X.astype(dtype)
        found = SparseCoder(atoms, method=method, penalty=0.2).code(given)
        again = bounds(given, found.codes, Atoms(atoms), 0.2)
        assert found.codes.dtype == dtype
        assert (found.gap <= 1e-3).all()
        np.testing.assert_allclose(found.cost, again.cost, rtol=1e-12)
        assert (found.gap <= again.gap + 1e-12).all()  # a better bound may have been met on the way, not a worse one
        best = bounds(
            given, SparseCoder(atoms, penalty=0.2, tolerance=1e-13).code(given.astype(float)).codes, Atoms(atoms), 0.2
        )
        assert (found.cost * (1 - found.gap) <= best.cost + 1e-12).all()


@given(st.integers(0, 10_000), st.floats(0.01, 2.0), st.booleans())
def test_no_code_is_worse_than_its_gap_says(seed, penalty, positive):
    random = np.random.default_rng(seed)
    atoms, X = unit(random.normal(size=(9, 5))), random.normal(size=(4, 5))
    codes = np.abs(random.normal(size=(4, 9))) * (random.random((4, 9)) < 0.3)
    anyhow = bounds(X, codes, Atoms(atoms), penalty, positive)
    best = SparseCoder(atoms, penalty=penalty, positive=positive, tolerance=1e-12).code(X)
    assert best.gap.max() <= 1e-12
    assert (anyhow.least <= best.cost * (1 + 1e-9)).all()
    assert (anyhow.cost >= best.cost * (1 - 1e-9)).all()


@given(st.integers(0, 10_000), st.booleans())
def test_atoms_that_depend_on_each_other_are_no_trouble(seed, positive):
    """Twins, opposites and sums: many codes are optimal, and one of them is found and certified."""
    random = np.random.default_rng(seed)
    few = random.integers(-2, 3, size=(6, 4)).astype(float)
    few = few[np.abs(few).sum(1) > 0]
    few = np.vstack([few, np.ones((1, 4))])
    atoms = unit(np.vstack([few, few[::-1], -few[:2], few[:1] + 1e-9]))
    X = random.integers(-3, 4, size=(5, 4)).astype(float)
    found = SparseCoder(atoms, positive=positive, tolerance=1e-6).code(X)
    assert found.gap.max() <= 1e-6
    match = (X - found.codes @ atoms) @ atoms.T
    assert (match if positive else np.abs(match)).max() <= 0.1 * (1 + 1e-2)


def test_a_single_atom_and_orthogonal_ones_follow_the_formula():
    atoms = np.eye(4)
    X = np.array([[3.0, -0.05, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0]])
    expected = np.sign(X) * np.maximum(np.abs(X) - 0.1, 0)
    for method in METHODS:
        found = SparseCoder(atoms, method=method, tolerance=1e-12).code(X)
        np.testing.assert_allclose(found.codes, expected, atol=1e-6)
        assert found.gap[1] == 0
    hard = SparseCoder(atoms, threshold="hard", tolerance=1e-9).code(X)
    np.testing.assert_allclose(hard.codes, np.where(np.abs(X) > 0.1, X, 0), atol=1e-9)


def test_lca_settles_where_rozells_equation_stands_still(facts):
    """du/dt = b - u - (G - I) a at the codes found, u being a moved out by the penalty where a is not 0."""
    X, atoms = facts
    codes = SparseCoder(atoms, method="lca", tolerance=1e-12, max_rounds=50_000).code(X).codes
    drive, inhibition = X @ atoms.T, atoms @ atoms.T - np.eye(len(atoms))
    membrane = drive - codes @ inhibition
    np.testing.assert_allclose(codes, np.sign(membrane) * np.maximum(np.abs(membrane) - 0.1, 0), atol=1e-6)


def test_the_largest_step_is_stable_and_small_ones_end_at_the_same_point(facts):
    X, atoms = facts
    fast = SparseCoder(atoms, method="lca", tolerance=1e-6, max_rounds=50_000).code(X)
    slow = SparseCoder(atoms, method="lca", tolerance=1e-6, max_rounds=50_000, rate=0.05).code(X)
    np.testing.assert_allclose(fast.codes, slow.codes, atol=1e-3)
    assert fast.rounds.sum() < slow.rounds.sum() / 3


def test_the_hard_threshold_has_no_gap_and_says_so(facts):
    X, atoms = facts
    found = SparseCoder(atoms, threshold="hard", tolerance=1e-8).code(X)
    assert np.isnan(found.gap).all() and "gaps are NaN" in found.notes[0]
    assert found.unrest.max() <= 1e-8
    match = (X - found.codes @ atoms) @ atoms.T
    assert np.abs(match[found.codes != 0]).max() < 1e-8  # least squares on those that speak
    assert (np.abs(found.codes[found.codes != 0]) > 0.1).all() and np.abs(match[found.codes == 0]).max() <= 0.1 + 1e-8
    cost = ((X - found.codes @ atoms) ** 2).sum(1) / 2 + 0.1**2 / 2 * (found.codes != 0).sum(1)
    np.testing.assert_allclose(found.cost, cost)
    with pytest.raises(Refused, match="not convex"):
        SparseCoder(atoms, threshold="hard").price(X, found.codes)
    with pytest.raises(Refused, match="take method='lca'"):
        SparseCoder(atoms, threshold="hard", method="admm").code(X)


def test_prices_are_feasible_and_tight(facts):
    """At the dual point no atom pays, and the bound that it gives is the cost."""
    X, atoms = facts
    coder = SparseCoder(atoms, tolerance=1e-10)
    found = coder.code(X)
    price = coder.price(X, found.codes)
    assert np.abs(price @ atoms.T).max() <= 0.1 * (1 + 1e-12)
    bound = (X * price).sum(1) - (price**2).sum(1) / 2
    np.testing.assert_allclose(bound, found.cost, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_batches_of_any_size_and_threads_make_no_difference(facts, method):
    X, atoms = facts
    whole = SparseCoder(atoms, method=method, tolerance=1e-8, max_rounds=50_000).code(X)
    parts = SparseCoder(atoms, method=method, tolerance=1e-8, max_rounds=50_000, batch_size=7, n_jobs=2).code(X)
    np.testing.assert_allclose(parts.codes, whole.codes, atol=1e-3 if method != "active" else 1e-12)
    assert parts.gap.max() <= 1e-8
    one = SparseCoder(atoms, method=method).transform(X[:1])
    assert one.shape == (1, 40)


@pytest.mark.parametrize("method", METHODS)
def test_a_warm_start_saves_rounds(facts, method):
    X, atoms = facts
    coder = SparseCoder(atoms, method=method, tolerance=1e-6)
    cold = coder.code(X)
    again = coder.code(X, start=cold.codes)
    near = coder.code(X, start=cold.codes * 1.01)
    assert again.rounds.sum() < cold.rounds.sum()
    assert near.gap.max() <= 1e-6 and near.rounds.sum() <= cold.rounds.sum()
    wild = coder.code(X, start=np.random.default_rng(0).normal(size=cold.codes.shape))
    assert wild.gap.max() <= 1e-6


def test_samples_stop_one_by_one(facts):
    X, atoms = facts
    rounds = SparseCoder(atoms, method="fista", tolerance=1e-8).code(X).rounds
    assert rounds.min() < rounds.max()


def test_csr_holds_the_same_codes(facts):
    X, atoms = facts
    dense = SparseCoder(atoms).transform(X)
    thin = SparseCoder(atoms, sparse_output=True, batch_size=4).transform(X.astype(np.float32))
    assert sparse.issparse(thin) and thin.dtype == np.float32
    np.testing.assert_allclose(thin.toarray(), dense, atol=1e-5)
    np.testing.assert_allclose(SparseCoder(atoms).inverse_transform(thin), dense @ atoms, atol=1e-5)


def test_too_few_rounds_are_said(facts):
    X, atoms = facts
    with pytest.warns(ConvergenceWarning, match=r"of 30 samples are not within tolerance=1e-09 after 12 rounds"):
        SparseCoder(atoms, method="lca", tolerance=1e-9, max_rounds=12).transform(X)
    found = SparseCoder(atoms, method="lca", tolerance=1e-9, max_rounds=12).code(X)
    assert found.rounds.max() == 12 and found.gap.max() > 1e-9
    short = SparseCoder(atoms, tolerance=1e-9, max_rounds=2).code(X)
    assert short.rounds.max() == 2 and short.gap.max() > 1e-9
    np.testing.assert_allclose(short.gap, bounds(X, short.codes, Atoms(atoms), 0.1).gap, atol=1e-12)


def test_coordinate_descent_takes_over_where_the_active_set_may_not_go_on(facts):
    """The kernel's last resort, reached by calling it as the kernel does."""
    from catallax.networks.sparse import active

    X, atoms = facts
    gram, code = atoms @ atoms.T, np.zeros(40)
    heard = X[0] @ atoms.T
    sweeps, cost, gap = active.descend(
        X[0] @ atoms.T, float(X[0] @ X[0]), gram, 0.1, False, 1e-12, 10_000, np.zeros(40, np.int64), code, heard
    )
    assert gap <= 1e-12 and sweeps > 1
    np.testing.assert_allclose(code, descended(X[:1], atoms, 0.1)[0], atol=1e-6)
    assert cost == pytest.approx(bounds(X[:1], code[None], Atoms(atoms), 0.1).cost[0])


def test_large_dictionaries_are_coded_without_their_gram_matrix(facts, monkeypatch):
    X, atoms = facts
    monkeypatch.setattr(encoding, "ROOM", 10)
    coder = SparseCoder(atoms).fit(X)
    assert encoding.chosen("auto", coder.atoms_, False) == "admm"
    assert coder.code(X).gap.max() <= 1e-3
    assert "gram" not in coder.atoms_.__dict__


def test_admm_has_an_inverse_for_few_atoms_and_for_many():
    random = np.random.default_rng(1)
    X = random.normal(size=(6, 12))
    for count in (5, 12, 30):
        atoms = unit(random.normal(size=(count, 12)))
        found = SparseCoder(atoms, method="admm", tolerance=1e-10).code(X)
        np.testing.assert_allclose(found.codes, descended(X, atoms, 0.1), atol=1e-4)


def test_it_is_cloned_and_pickled_without_its_gram_matrix(facts):
    X, atoms = facts
    coder = SparseCoder(atoms).fit(X)
    coder.transform(X)
    again = pickle.loads(pickle.dumps(coder))
    assert "gram" not in again.atoms_.__dict__
    np.testing.assert_array_equal(again.transform(X), coder.transform(X))
    assert clone(coder).dictionary is not None
    assert coder.get_feature_names_out()[0] == "sparsecoder0"


BAD = {
    "penalty is 0: give a number above 0": dict(penalty=0),
    "penalty is -1: give": dict(penalty=-1),
    "penalty is 'a'": dict(penalty="a"),
    "tolerance is 0.0": dict(tolerance=0.0),
    "method is 'omp': give one of auto": dict(method="omp"),
    "threshold is 'medium'": dict(threshold="medium"),
    "max_rounds is 0": dict(max_rounds=0),
    "batch_size is 1.5": dict(batch_size=1.5),
    "rate is -0.1": dict(rate=-0.1),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_parameters_get_a_sentence(facts, words):
    X, atoms = facts
    with pytest.raises(BadInput, match=words):
        SparseCoder(atoms, **BAD[words]).fit(X)


def test_bad_facts_get_a_sentence(facts):
    X, atoms = facts
    zero, long, hole, torn = atoms.copy(), atoms.copy(), atoms.copy(), X.copy()
    zero[3], long[4], hole[5, 1], torn[7, 2] = 0, 2 * long[4], np.nan, np.nan
    for words, table, rows in (
        ("dictionary row 3 is zero", zero, X),
        ("dictionary row 4 has norm 2, but atoms must be of unit norm: divide each row by its norm", long, X),
        ("dictionary row 5 holds NaN", hole, X),
        ("X row 7 holds NaN or infinity", atoms, torn),
        (r"X has 15 features and the dictionary's atoms have 16", atoms, X[:, :15]),
        (r"dictionary has shape \(16,\)", atoms[0], X),
        ("dictionary must be numbers", [["a"]], X),
    ):
        with pytest.raises(BadInput, match=words):
            SparseCoder(table).fit(rows)
        with pytest.raises(BadInput, match=words):
            SparseCoder(table).code(rows)
    with pytest.raises(BadInput, match="only zero rows"):
        SparseCoder().fit(np.zeros((3, 4)))
    with pytest.raises(BadInput, match=r"codes have shape \(2, 2\): give \[samples, atoms\], here \(30, 40\)"):
        SparseCoder(atoms).code(X, start=np.zeros((2, 2)))
    with pytest.raises(BadInput, match="codes row 0 holds NaN"):
        SparseCoder(atoms).code(X, start=np.full((30, 40), np.nan))
