"""Leaves that trade: the forest they come from, wealth that raises likelihood, scikit-learn's manners."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, load_wine
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import parametrize_with_checks

from catallax.core.errors import BadInput
from catallax.ensembles import LeafMarketClassifier
from catallax.ensembles.rules import specialists


def small():
    return RandomForestClassifier(15, random_state=0)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:600]
    return X[rows[:400]], y[rows[:400]], X[rows[400:]], y[rows[400:]]


@pytest.fixture(scope="module")
def market(digits):
    return LeafMarketClassifier(RandomForestClassifier(30, random_state=0)).fit(*digits[:2])


# A forest is another one where rows are repeated in place of weighed: scikit-learn says so of its own.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@parametrize_with_checks(
    [LeafMarketClassifier(RandomForestClassifier(8, random_state=0), market="em")],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "bootstrap draws rows, not weights",
        "check_sample_weight_equivalence_on_sparse_data": "bootstrap draws rows, not weights",
    },
)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


def test_leaves_of_equal_wealth_are_the_forest(digits, market):
    Z = digits[2]
    np.testing.assert_allclose(market.offered(Z)[:, 0], market.forest_.predict_proba(Z), atol=1e-6)


def test_it_forecasts_better_than_its_forest(digits, market):
    _, _, Z, z = digits
    forest = np.clip(market.forest_.predict_proba(Z), 1e-3, 1)
    forest /= forest.sum(1, keepdims=True)
    assert log_loss(z, market.predict_proba(Z)) < 0.7 * log_loss(z, forest)


def test_wealth_is_earned_out_of_bag(digits, market):
    """What was offered on a row comes from trees that have not seen it, and from wealth earned on other rows."""
    X = digits[0]
    leaves = market._leaves(X)
    for tree, rows in enumerate(market.forest_.estimators_samples_):
        assert not leaves.out_of_bag[rows, tree].any()
    assert market.offers_.shape == (leaves.out_of_bag.any(1).sum(), 4, 10)


def test_wealth_raises_the_likelihood_step_by_step(monkeypatch):
    random = np.random.default_rng(0)
    awake = sparse.csr_array((random.random((80, 12)) < 0.4) | (np.arange(12) == np.arange(80)[:, None] % 12)).astype(
        float
    )
    belief, outcome = random.dirichlet(np.ones(3), 12), random.integers(3, size=80)
    likelihood = []
    for steps in range(8):
        monkeypatch.setattr(specialists, "STEPS", steps)
        wealth = specialists.learn(awake, belief, outcome, np.ones(80), 1e-9)
        price = specialists.price(awake, belief, wealth)
        likelihood.append(np.log(price[np.arange(80), outcome]).sum())
    assert (np.diff(likelihood) > -1e-9).all() and likelihood[-1] > likelihood[0] + 1


def test_a_strong_prior_keeps_all_leaves_alike():
    random = np.random.default_rng(1)
    awake = sparse.csr_array(np.ones((50, 6)))
    wealth = specialists.learn(awake, random.dirichlet(np.ones(2), 6), random.integers(2, size=50), np.ones(50), 1e9)
    np.testing.assert_allclose(wealth, 1, atol=1e-6)


def test_specialists_who_know_grow_rich():
    """Two on the same rows, one right and one wrong: the wealth goes to the one."""
    awake = sparse.csr_array(np.ones((40, 2)))
    belief = np.array([[0.9, 0.1], [0.1, 0.9]])
    wealth = specialists.learn(awake, belief, np.zeros(40, int), np.ones(40), 1.0)
    assert wealth[0] > 10 * wealth[1]


def test_other_forests_and_names_of_classes():
    X, y = load_wine(return_X_y=True)
    names = np.array(["a", "b", "c"])[y]
    market = LeafMarketClassifier(ExtraTreesClassifier(20, bootstrap=True, random_state=0)).fit(X[::2], names[::2])
    assert market.score(X[1::2], names[1::2]) > 0.9
    assert set(market.predict(X)) == {"a", "b", "c"}


def test_what_cannot_trade_is_refused():
    X, y = load_wine(return_X_y=True)
    with pytest.raises(BadInput, match="bootstrap=True"):
        LeafMarketClassifier(ExtraTreesClassifier(5)).fit(X, y)
    with pytest.raises(BadInput, match="not GradientBoostingClassifier"):
        LeafMarketClassifier(GradientBoostingClassifier()).fit(X, y)
    with pytest.raises(BadInput, match="one class only"):
        LeafMarketClassifier(small()).fit(X, np.zeros(len(y)))
