"""`MarketNet` keeps scikit-learn's manners; money is conserved; modules learn what they buy and are paid for foresight."""

import os
import pickle
import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from catallax.core.errors import BadInput
from catallax.experts.bank.bids import Bidder
from catallax.experts.bank.market import Market, mixture
from catallax.experts.bank.rules import NOBODY, REGIMES, Rules, hand_out, next_best
from catallax.experts.market_net import MarketNet
from catallax.signals.ledger import ACCOUNTS, Ledger


def pair():
    return [("tree", DecisionTreeClassifier(min_samples_leaf=2)), ("bayes", GaussianNB())]


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # scikit-learn's own, where y is infinite
@pytest.mark.long
@parametrize_with_checks([MarketNet(pair(), epochs=2)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    """Pairs of digits upside down or not: two kinds of input that nobody names."""
    X, y = load_digits(n_class=4, return_X_y=True)
    rng = np.random.default_rng(0)
    rows, turned = rng.permutation(len(y)), rng.random(len(y)) < 0.5
    X = np.where(turned[:, None], 16 - X, X)[rows] / 16
    return X[:300], y[rows][:300], X[300:], y[rows][300:], turned[rows]


def unlike():
    return [
        ("tree", DecisionTreeClassifier(min_samples_leaf=5)),
        ("lines", LogisticRegression(max_iter=300)),
        ("neighbours", KNeighborsClassifier(3)),
    ]


SMALL = dict(epochs=5, batch=60, random_state=0)


@pytest.fixture(scope="module")
def market(digits):
    return MarketNet(unlike(), capacity=0.4, **SMALL).fit(*digits[:2])


def test_a_market_learns(digits, market):
    chance = market.predict_proba(digits[2])
    np.testing.assert_allclose(chance.sum(1), 1, atol=1e-9)
    assert market.score(*digits[2:4]) > 0.8
    assert market.losses_[-1] < 0.6 * market.losses_[0]
    assert market.n_rounds_ == 25 and market.status_ == "done"
    assert set(market.route(digits[2]).ravel()) <= {0, 1, 2}


def test_money_is_conserved_every_round(market):
    book = market.ledger_.table()
    np.testing.assert_allclose(book["closing"].sum(1) + book["treasury"], 0, atol=1e-9)
    np.testing.assert_allclose(book["opening"] + sum(book[name] for name in ACCOUNTS), book["closing"], atol=1e-9)
    np.testing.assert_array_equal(market.wealth_, book["closing"][-1])
    assert (book["price"] <= 0).all() and (book["rent"] <= 0).all() and (market.prices_ >= 0).all()
    assert (book["revenue"].sum(0) != 0).all()


def test_the_same_seed_gives_the_same_market(digits, market):
    again = clone(market).fit(*digits[:2])
    np.testing.assert_array_equal(again.predict_proba(digits[2]), market.predict_proba(digits[2]))
    thawed = pickle.loads(pickle.dumps(market))
    np.testing.assert_array_equal(thawed.predict_proba(digits[2]), market.predict_proba(digits[2]))


def test_paying_winners_what_others_earned_does_harm(digits, market):
    empty = clone(market).set_params(shuffle_payments=True).fit(*digits[:2])
    paid, shuffled = (log_loss(digits[3], net.predict_proba(digits[2])) for net in (market, empty))
    assert shuffled > 1.2 * paid


@pytest.mark.parametrize(
    "regime", ["signal", *(pytest.param(r, marks=pytest.mark.long) for r in REGIMES if r != "signal")]
)
def test_every_regime_keeps_capacities_and_books(digits, regime):
    net = MarketNet(unlike(), regime=regime, capacity=0.4, winners=2 if regime == "signal" else 1, **SMALL)
    if regime == "signal":
        net.set_params(capacity=[0.5, 1.0, 0.7])
    net.fit(*digits[:2])
    book = net.ledger_.table()
    np.testing.assert_allclose(book["closing"].sum(1) + book["treasury"], 0, atol=1e-9)
    assert net.score(*digits[2:4]) > 0.5
    assert (net.specialisation_["owned"].sum(0) <= 300 * np.array([0.5, 1.0, 0.7])).all()
    if regime == "silence":
        assert not book["revenue"].any() and not book["price"].any()


def test_no_routing_beats_the_planner_who_has_read_the_labels(digits, market):
    X, y = digits[2][:60], digits[3][:60]
    chance = np.stack([one.offer(X, np.full(60, -1)) for one in market.modules_])
    loss = -np.log(chance[:, np.arange(60), y]).T
    seats = np.repeat(np.arange(3), int(np.ceil(0.4 * 60)))
    rows, columns = linear_sum_assignment(loss[:, seats])
    assert market.upper_bound(X, y) == pytest.approx(loss[rows, seats[columns]].mean(), rel=1e-9)
    assert market.upper_bound(X, y) < log_loss(y, market.predict_proba(X), labels=[0, 1, 2, 3])


def test_interrupting_keeps_what_is_learnt(digits):
    def look(frame):
        if frame.round == 12:
            os.kill(os.getpid(), signal.SIGINT)

    net = MarketNet(unlike(), look=look, **SMALL).fit(*digits[:2])
    assert net.status_ == "interrupted" and net.n_rounds_ == 12
    assert net.score(*digits[2:4]) > 0.5
    stopped = MarketNet(unlike(), look=lambda frame: frame.round == 2, **SMALL).fit(*digits[:2])
    assert stopped.status_ == "stopped" and stopped.n_rounds_ == 2


class Diary(ClassifierMixin, BaseEstimator):
    """Remembers what it was taught, and answers at random."""

    def partial_fit(self, X, y, classes=None):
        self.classes_ = np.asarray(classes)
        self.taught_ = getattr(self, "taught_", set()) | {int(x[0]) for x in X}
        return self

    def fit(self, X, y):
        return self.partial_fit(X, y, np.unique(y))

    def predict_proba(self, X):
        chance = 1 + np.abs(np.sin(X[:, :1] * np.arange(1, len(self.classes_) + 1)))
        return chance / chance.sum(1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


def rules(count, **other):
    usual = dict(
        regime="signal", price="dual", winners=1, capacity=None, cost=np.zeros(count), samples=0.2, folds=2, passes=1,
        floor=1e-3, allowance=10.0, rent=0.0, boldness=0.3, memory=0.9, reach=5.0, entry=False, shuffle=False,
        processes=False, timeout=10.0,
    )  # fmt: skip
    return Rules(**{**usual, **other})


def test_modules_learn_what_they_buy_and_nothing_else():
    """Nor do the copies that answer for an input learn from it."""
    rng = np.random.default_rng(0)
    X, y = np.column_stack([np.arange(80), rng.normal(size=80)]), rng.integers(3, size=80)
    held = Market(["a", "b"], [Diary(), Diary()], X, y, np.full(3, 1 / 3), rules(2, capacity=np.array([0.6, 0.6])), rng)
    bought = [set(), set()]
    for batch in np.array_split(rng.permutation(80), 4):
        held.round(batch)
        for j in range(2):
            bought[j] |= set(batch[held.owner[batch, 0] == j].tolist())
    assert all(bought) and not bought[0] & bought[1]
    for j, module in enumerate(held.modules):
        assert module.copies[2].taught_ == bought[j]
        for fold in range(2):
            assert module.copies[fold].taught_ == {i for i in bought[j] if held.fold[i] != fold}


@given(st.integers(0, 10**6), st.integers(1, 12))
def test_a_ledger_makes_no_money(seed, rounds):
    rng = np.random.default_rng(seed)
    ledger = Ledger(["a", "b", "c"])
    for j in range(3):
        ledger.lend(j, 10.0)
    for _ in range(rounds):
        ledger.post(rng.normal(size=3), rng.random(3), rng.random(3), 0.1)
        if rng.random() < 0.3:
            ledger.estate(1, "bankrupt")
            assert ledger.wealth[1] == 0
        ledger.close()
        assert abs(ledger.imbalance) < 1e-9
    book = ledger.table()
    np.testing.assert_allclose(book["opening"] + sum(book[name] for name in ACCOUNTS), book["closing"], atol=1e-12)
    np.testing.assert_allclose(book["opening"][1:], book["closing"][:-1], atol=1e-12)


@given(st.integers(0, 10**6), st.sampled_from(["signal", "planner", "silence"]), st.integers(1, 2))
def test_nobody_gets_more_than_its_capacity_and_prices_are_not_negative(seed, regime, winners):
    rng = np.random.default_rng(seed)
    worth, alive = rng.normal(size=(20, 4)), np.array([True, True, seed % 3 > 0, True])
    capacity = np.array([0.5, 0.6, 0.5, 0.6]) * winners
    won, prices = hand_out(
        worth, rules(4, regime=regime, winners=winners, capacity=np.minimum(capacity, 1)), alive, rng
    )
    load = np.bincount(won[won != NOBODY], minlength=4)
    assert (load <= np.ceil(np.minimum(capacity, 1) * 20)).all() and (alive | (load == 0)).all()
    assert (prices >= 0).all()
    for row in won:
        real = row[row != NOBODY]
        assert len(set(real)) == len(real)
    assert (won != NOBODY).all()


def test_what_a_winner_pays_does_not_hang_on_its_bid():
    worth, prices = np.array([[3.0, 1.0, 2.5], [-1.0, 0.5, -2.0]]), np.array([0.0, 0.0, 1.0])
    won, alive = np.array([[0], [1]]), np.ones(3, bool)
    np.testing.assert_allclose(next_best(worth, prices, won, alive), [1.5, 0.0])
    bolder = worth + [[5.0, 0, 0], [0, 5.0, 0]]
    np.testing.assert_allclose(next_best(bolder, prices, won, alive), [1.5, 0.0])


def test_winners_are_mixed_by_their_bids():
    chance = np.array([[[0.9, 0.1]], [[0.2, 0.8]], [[0.5, 0.5]]])
    net, won = np.array([[np.log(3.0), 0.0, 9.0]]), np.array([[0, 1]])
    np.testing.assert_allclose(mixture(chance, net, won, np.array([0.5, 0.5])), [[0.725, 0.275]])
    np.testing.assert_allclose(mixture(chance, net, np.array([[-1, -1]]), np.array([0.3, 0.7])), [[0.3, 0.7]])


def test_bids_are_a_regression_and_the_winners_curse_comes_off():
    rng = np.random.default_rng(0)
    phi, truth = rng.normal(size=(4000, 3)), np.array([1.0, -2.0, 0.5])
    gain = phi @ truth + rng.normal(size=4000)
    bidder = Bidder(3, ridge=1e-6, memory=1.0)
    bidder.penalty[:] = 1e-6
    bidder.hear(phi[:2000], gain[:2000])
    bidder.hear(phi[2000:], gain[2000:])
    np.testing.assert_allclose(bidder.raw(np.eye(3)), np.linalg.lstsq(phi, gain, rcond=None)[0], atol=1e-6)
    worth = rng.normal(size=20000)
    guess = worth + rng.normal(size=20000)  # half of a high bid is error
    bidder.repent(guess[guess > 1], worth[guess > 1])
    assert bidder.correction()[1] == pytest.approx(0.5, abs=0.05)
    assert bidder.bids(guess[guess > 1]).mean() == pytest.approx(worth[guess > 1].mean(), abs=0.01)


@pytest.mark.parametrize("entry", [True, False])
def test_the_bankrupt_are_replaced_where_there_is_entry(entry):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), rng.integers(3, size=60)
    held = Market(["a", "b"], [Diary(), Diary()], X, y, np.full(3, 1 / 3), rules(2, entry=entry), rng)
    held.round(np.arange(30))
    old = held.modules[0]
    held.ledger.post(np.zeros(2), np.array([1e3, 0.0]), np.zeros(2), 0.0)  # a debt that no batch can pay
    held.round(np.arange(30, 60))
    said = [event for _, name, event in held.ledger.events if name == "a"]
    assert said == ["enters", "bankrupt"] + ["enters"] * entry
    assert (held.modules[0] is not old) == entry and held.alive[0] == entry
    assert not (held.owner == 0).any() and held.ledger.wealth[0] == (10.0 if entry else 0.0)
    book = held.ledger.table()
    np.testing.assert_allclose(book["closing"].sum(1) + book["treasury"], 0, atol=1e-9)


@pytest.mark.parametrize(
    "given, said",
    [
        (dict(modules=[]), "at least one"),
        (dict(modules=[LinearSVC()]), "predict_proba"),
        (dict(modules=[("a", GaussianNB()), ("a", GaussianNB())]), "must differ"),
        (dict(regime="anarchy"), "regime must be one of"),
        (dict(price="haggle"), "price must be one of"),
        (dict(winners=4), "no input can have more"),
        (dict(capacity=0.2), "add up to 0.6"),
        (dict(capacity=[0.5, 0.5]), "capacity must be a share"),
        (dict(folds=1), "folds must lie in"),
        (dict(rent=2.0), "rent must lie in"),
    ],
)
def test_settings_that_make_no_sense_are_refused(digits, given, said):
    with pytest.raises(BadInput, match=said):
        MarketNet(given.pop("modules", unlike()), **given).fit(*digits[:2])


@pytest.mark.long
def test_networks_come_to_share_out_the_kinds_of_input():
    """Nobody tells them that there are two kinds."""
    X, y = load_digits(n_class=4, return_X_y=True)
    turned = np.random.default_rng(0).random(len(y)) < 0.5
    X = np.where(turned[:, None], 16 - X, X) / 16
    nets = [(name, MLPClassifier(16, learning_rate_init=0.01, batch_size=32)) for name in "ab"]
    net = MarketNet(nets, capacity=0.6, epochs=10, batch=200, random_state=0).fit(X, y)
    first = net.route(X)[:, 0] == 0
    agreement = (first == turned).mean()
    assert max(agreement, 1 - agreement) > 0.9
