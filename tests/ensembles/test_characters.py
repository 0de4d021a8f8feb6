"""Traders that know text: Kneser and Ney's sums with dictionaries, hashing, and what is offered before it is learnt."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catallax.core.errors import BadInput
from catallax.ensembles import OnlineMarket
from catallax.ensembles.characters import Ngram, windows

SYMBOLS = 4
TEXTS = st.lists(st.integers(0, SYMBOLS - 1), min_size=1, max_size=60)


class Plain:
    """The same by dictionaries, counts of contexts recomputed from the text so far."""

    def __init__(self, order, text):
        padded = [-1] * order + list(text)
        events = [(tuple(padded[i : i + order]), padded[i + order]) for i in range(len(text))]
        self.levels = [Counter() for _ in range(order + 1)]
        self.levels[order] = Counter(events)
        for j in range(order - 1, -1, -1):  # one count for each longer context that a symbol was new in
            self.levels[j] = Counter((context[1:], symbol) for context, symbol in self.levels[j + 1])

    def discounts(self, level):
        m = Counter(level.values())
        found = [0.5, 1.0, 1.5]
        if m[1] and m[2]:
            y = m[1] / (m[1] + 2 * m[2])
            for i in (1, 2, 3):
                if m[i] and m[i + 1]:
                    found[i - 1] = min(max(i - (i + 1) * y * m[i + 1] / m[i], 0.05), i - 0.05)
        return found

    def offer(self, context):
        p = np.full(SYMBOLS, 1 / SYMBOLS)
        for j, level in enumerate(self.levels):
            last = tuple(context[len(context) - j :])
            counts = np.array([level[last, c] for c in range(SYMBOLS)])
            if counts.sum():
                d = np.array([0, *self.discounts(level)])[np.minimum(counts, 3)]
                p = (counts - d + d.sum() * p) / counts.sum()
        return p


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, order=st.integers(0, 4))
def test_offers_are_kneser_and_neys(text, order):
    trader = Ngram(order, SYMBOLS)
    X = windows(text, max(order, 1))
    offered = np.exp(trader.offer_and_learn(X, np.array(text)))
    np.testing.assert_allclose(offered.sum(axis=1), 1, rtol=1e-12)
    for row in {0, len(text) // 2, len(text) - 1}:
        context = ([-1] * order + list(text[:row]))[row:] if order else []
        np.testing.assert_allclose(offered[row], Plain(order, text[:row]).offer(context), rtol=1e-10)


def test_at_once_is_one_at_a_time_and_predicting_learns_nothing():
    text = np.random.default_rng(0).integers(0, SYMBOLS, 300) * np.arange(300) % SYMBOLS
    X, whole, steps = windows(text, 3), Ngram(3, SYMBOLS), Ngram(3, SYMBOLS)
    offered = whole.offer_and_learn(X, text)
    for row in range(300):
        np.testing.assert_array_equal(steps.log_offers(X[row : row + 1])[0], offered[row])
        steps.partial_fit(X[row : row + 1], text[row : row + 1])
    np.testing.assert_array_equal(whole.predict_proba(X), steps.predict_proba(X))
    np.testing.assert_array_equal(whole.predict(X), Ngram(3, SYMBOLS).fit(X, text).predict(X))


def test_many_contexts_keep_apart():
    """More contexts than the first tables have room for; each comes back with its own count."""
    rng = np.random.default_rng(1)
    text = rng.integers(0, 60, 40_000)
    trader = Ngram(2, 60).fit(windows(text, 2), text)
    counted = defaultdict(Counter)
    for a, b, c in zip(text, text[1:], text[2:], strict=False):
        counted[a, b][c] += 1
    key, place, count, few = trader._levels[2]
    found = {int(k): int(p) for k, p in zip(key, place, strict=True) if k >= 0}
    padded = [-1, -1, *text.tolist()]
    assert len(found) == few[0] == len(set(pairwise(padded[:-1])))
    for (a, b), after in counted.items():
        row = count[found[int(b + 1 + 61 * (a + 1))]]
        assert {c: int(n) for c, n in enumerate(row) if n} == after


def test_windows():
    np.testing.assert_array_equal(windows([3, 1, 2], 2), [[-1, -1], [-1, 3], [3, 1]])


def test_a_market_of_them_beats_the_best_of_them():
    rng = np.random.default_rng(2)
    words = ["the ", "cat ", "sat ", "on ", "a ", "mat. "]
    text = "".join(words[k] for k in rng.integers(0, 6, 1500))
    symbols = sorted(set(text))
    y = np.array([symbols.index(c) for c in text])
    traders = [(f"order {n}", Ngram(n, len(symbols))) for n in (1, 2, 4)]
    market = OnlineMarket(traders, floor=1e-6).partial_fit(windows(y, 4), y, classes=np.arange(len(symbols)))
    alone = [-trader.offer_and_learn(windows(y, 4), y)[np.arange(len(y)), y].mean() for _, trader in traders]
    assert market.log_loss_ < min(alone)
    assert market.influence_["order 4"] == max(market.influence_.values())


def test_bad_characters():
    with pytest.raises(BadInput, match="order is 40: 65 symbols allow 0 to 10"):
        Ngram(40, 65).fit(np.zeros((1, 40)), [0])
    with pytest.raises(BadInput, match="give rows of at least 3 characters"):
        Ngram(3, 5).fit(np.zeros((1, 2)), [0])
    with pytest.raises(BadInput, match="give whole numbers from 0 to 4"):
        Ngram(1, 5).fit(np.zeros((1, 2)), [5])
