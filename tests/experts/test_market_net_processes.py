"""Modules in processes of their own: the same market, and one that goes on when one of them is killed."""

import os
import signal
import time

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from catallax.experts.bank.processes import Gone, ProcessModule
from catallax.experts.market_net import MarketNet

SMALL = dict(epochs=4, batch=200, capacity=0.7, random_state=0)


def two():
    return [("tree", DecisionTreeClassifier(min_samples_leaf=5)), ("bayes", GaussianNB(var_smoothing=1e-2))]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=4, return_X_y=True)
    return X / 16, y


def test_a_module_that_is_killed_is_missed_but_the_market_goes_on(digits):
    X, y = digits
    pids = {}

    def look(frame):
        pids[frame.round] = frame.values["process"]
        if frame.round == 4:
            os.kill(int(frame.values["process"][0]), signal.SIGKILL)

    net = MarketNet(two(), processes=True, look=look, **SMALL).fit(X[:600], y[:600])
    assert net.n_rounds_ == 12 and net.status_ == "done"
    assert (pids[4] > 0).all() and pids[5][0] == 0 and pids[12][1] == pids[4][1]
    assert net.modules_[0] is None and net.modules_[1] is not None
    assert [event for _, name, event in net.ledger_.events if name == "tree"][-1].startswith("its process ended")
    assert net.wealth_[0] == 0 and abs(net.ledger_.imbalance) < 1e-9
    assert (net.specialisation_["owned"][:, 0] == 0).all()  # what it had, others bought
    assert (net.route(X[600:]) == 1).all() and net.score(X[600:], y[600:]) > 0.7
    assert not alive(pids[4])


def test_processes_change_nothing(digits):
    X, y = digits
    near, far = (MarketNet(two(), processes=apart, **SMALL).fit(X[:400], y[:400]) for apart in (False, True))
    np.testing.assert_array_equal(near.predict_proba(X[400:]), far.predict_proba(X[400:]))
    np.testing.assert_array_equal(near.ledger_.table()["closing"], far.ledger_.table()["closing"])


def test_one_that_fails_or_hangs_is_gone(digits):
    X, y = digits
    prior = np.full(4, 0.25)
    broken = ProcessModule((Broken(), prior, 2, 1, 1e-3, 0), 60.0)
    try:
        broken.buy(np.arange(50), X[:50], y[:50], np.arange(50) % 2, np.arange(0))
        with pytest.raises(Gone, match="it failed: ArithmeticError: no answer"):
            broken.offer(X[:5], np.zeros(5, int))
    finally:
        broken.close()
    late = ProcessModule((Slow(), prior, 2, 1, 1e-3, 0), 60.0)
    try:
        late.buy(np.arange(50), X[:50], y[:50], np.arange(50) % 2, np.arange(0))
        late.timeout = 0.2
        with pytest.raises(Gone, match="did not answer within"):
            late.offer(X[:5], np.zeros(5, int))
    finally:
        late.close()


class Broken(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        raise ArithmeticError("no answer")


class Slow(Broken):
    def predict_proba(self, X):
        time.sleep(600)


def alive(pids):
    found = []
    for pid in pids.tolist():
        try:
            os.kill(pid, 0)
            found.append(pid)
        except ProcessLookupError:
            pass
    return found
