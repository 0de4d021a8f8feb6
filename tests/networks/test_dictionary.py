"""`DictionaryLearner`: scikit-learn's manners, unit atoms that fit better and better, dead ones replaced."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from catallax.core.errors import BadInput
from catallax.networks.sparse.coder import SparseCoder
from catallax.networks.sparse.dictionary import DictionaryLearner, atoms_scene, moved
from catallax.networks.sparse.problem import gabors


@parametrize_with_checks([DictionaryLearner(6, epochs=2, random_state=0)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def mixtures():
    """Samples that are mixtures of two of nine atoms, and those atoms."""
    random, truth = np.random.default_rng(0), np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))[0]
    truth = np.vstack([truth[:8], (truth[0] + truth[1] + truth[9])[None] / 3**0.5])
    chosen = np.argsort(random.random((1500, 9)), axis=1)[:, :2]
    return np.einsum("sk,skf->sf", random.laplace(size=(1500, 2)), truth[chosen]) + 0.01 * random.normal(
        size=(1500, 12)
    ), truth


@pytest.fixture(scope="module")
def learnt(mixtures):
    return DictionaryLearner(12, penalty=0.1, epochs=12, batch_size=100, random_state=0).fit(mixtures[0])


def test_it_finds_the_atoms_that_made_the_samples(mixtures, learnt):
    found = np.abs(learnt.components_ @ mixtures[1].T).max(0)
    assert (found > 0.95).sum() >= 8  # of nine; random unit vectors of 12 features come to about 0.6
    np.testing.assert_allclose(np.linalg.norm(learnt.components_, axis=1), 1)
    assert learnt.cost_[-1] < 0.8 * learnt.cost_[0] and len(learnt.cost_) == 180
    assert learnt.n_samples_seen_ == 12 * 1500


def test_its_codes_are_the_coders(mixtures, learnt):
    X = mixtures[0][:20]
    np.testing.assert_array_equal(learnt.transform(X), SparseCoder(learnt.components_).transform(X))
    explained = learnt.inverse_transform(learnt.transform(X))
    assert np.square(X - explained).sum() < 0.1 * np.square(X).sum()
    assert learnt.coder.code(X).gap.max() <= 1e-3


def test_the_same_seed_gives_the_same_atoms(mixtures):
    X = mixtures[0][:300]
    one, two, other = (DictionaryLearner(12, epochs=1, random_state=seed).fit(X).components_ for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_one_pass_by_parts_is_partial_fit(mixtures):
    X = mixtures[0][:400]
    whole = DictionaryLearner(12, epochs=2, batch_size=100, random_state=0).fit(X)
    parts = DictionaryLearner(12, epochs=7, batch_size=100, random_state=0).partial_fit(X).partial_fit(X)
    np.testing.assert_array_equal(parts.components_, whole.components_)
    assert parts.n_samples_seen_ == 800


def test_a_dead_atom_is_replaced_and_reported(mixtures):
    """One atom looks at a pixel that is always blank."""
    X = np.column_stack([mixtures[0], np.zeros(1500)])
    learner = DictionaryLearner(12, batch_size=100, idle=200, random_state=0).partial_fit(X[:100])
    table = learner.components_.copy()
    table[5] = np.eye(13)[12]
    learner._keep(table)
    learner._alike[5] = learner._alike[:, 5] = 0
    learner._along[5] = 0
    learner.partial_fit(X[100:200])
    assert learner.replaced_ == 0 and learner.components_[5, 12] == 1
    learner.partial_fit(X[200:500])
    assert learner.replaced_ == 1 and learner.components_[5, 12] == 0
    assert not learner.dead_.any()


def test_one_pass_over_the_atoms_lowers_the_cost():
    """Against the cost written out: |X - A D|^2 with the codes standing."""
    random = np.random.default_rng(0)
    truth, codes = random.normal(size=(6, 9)), random.normal(size=(200, 6)) * (random.random((200, 6)) < 0.4)
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    X, table = codes @ truth, random.normal(size=(6, 9))
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    costs = [np.square(X - codes @ table).sum()]
    for _ in range(30):
        table = moved(table, codes.T @ codes, codes.T @ X)
        costs.append(np.square(X - codes @ table).sum())
    assert (np.diff(costs) <= 1e-9).all()
    np.testing.assert_allclose(table, truth, atol=1e-6)


def test_look_sees_every_batch_and_may_stop(mixtures):
    seen = []

    def look(frame):
        seen.append((frame.round, frame.rounds, float(frame.values["cost"])))
        return frame.round == 3

    learner = DictionaryLearner(12, epochs=2, batch_size=100, random_state=0, look=look).fit(mixtures[0][:400])
    assert [s[:2] for s in seen] == [(1, 8), (2, 8), (3, 8)]
    np.testing.assert_allclose([s[2] for s in seen], learner.cost_)


def test_fewer_samples_than_atoms():
    learner = DictionaryLearner(10, epochs=2, random_state=0).fit(np.random.default_rng(0).normal(size=(4, 3)))
    np.testing.assert_allclose(np.linalg.norm(learner.components_, axis=1), 1)


def test_the_picture_has_each_atom_in_its_tile():
    table = gabors(5, 4)
    (grid,) = atoms_scene(table, order=[4, 3, 2, 1, 0]).items
    assert grid.values.shape == (2 * 5 - 1, 3 * 5 - 1)
    first = grid.values[::-1][:4, :4]  # row 0 of a grid is at the bottom
    np.testing.assert_allclose(first, (table[4] / np.abs(table[4]).max()).reshape(4, 4))
    with pytest.raises(BadInput, match="atoms of 16 features are no patches of 3 x 5"):
        atoms_scene(table, (3, 5))


def test_bad_input_gets_a_sentence(mixtures):
    X = mixtures[0][:50]
    for words, given in (
        ("n_atoms is 0", dict(n_atoms=0)),
        ("epochs is 0", dict(epochs=0)),
        ("batch_size is 1.5", dict(batch_size=1.5)),
        ("penalty is 0", dict(penalty=0)),
    ):
        with pytest.raises(BadInput, match=words):
            DictionaryLearner(**given).fit(X)
    torn = X.copy()
    torn[3, 1] = np.inf
    with pytest.raises(BadInput, match="X row 3 holds NaN or infinity"):
        DictionaryLearner(4).fit(torn)
