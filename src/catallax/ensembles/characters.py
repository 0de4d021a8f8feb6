"""Traders that know text: each counts what came after the last few characters, and offers on the next.

A trader of order n looks at the last n characters. It counts online: it offers on a character, then learns it. Offers are
interpolated Kneser and Ney's, with three discounts (Chen and Goodman 1999):

    P_j(c) = (max(n_j(c) - D(n_j(c)), 0) + g_j P_{j-1}(c)) / sum n_j,      P_{-1} = 1 / symbols

for the last j = n, n-1, .. 0 characters; g_j makes it sum to 1. At j = n counts are of text; at j < n a character counts once
for each longer context that it was new in ("update exclusion" in PPM's words: Cleary and Witten 1984). The discounts of a
level come from how many of its counts are 1, 2, 3 and 4:

    Y = m_1 / (m_1 + 2 m_2),     D(i) = i - (i + 1) Y m_{i+1} / m_i,   D(3 and above) = D(3).

Contexts are hashed (open addressing) by their exact number, so that no two share a row.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from catallax.core.errors import BadInput

ROWS = 16_384  # that a kernel reads before tables may grow


class Level(NamedTuple):
    """What is known of contexts of one length."""

    key: NDArray[np.int64]  # [slots], a context's number, or -1: free
    place: NDArray[np.int64]  # [slots], its row of counts
    count: NDArray[np.int32]  # [places, symbols]
    few: NDArray[np.int64]  # [5]: how many counts are 1, 2, 3, 4 (from 1 on); few[0]: how many rows are taken


def level(symbols: int) -> Level:
    """An empty one."""
    return Level(np.full(16, -1), np.zeros(16, np.int64), np.zeros((8, symbols), np.int32), np.zeros(5, np.int64))


def grown(old: Level, rows: int) -> Level:
    """Room for so many new contexts; the same one where there is."""
    needed = int(old.few[0]) + rows
    key, place, count = old.key, old.place, old.count
    if needed > len(count):
        count = np.zeros((max(needed, 2 * len(count)), count.shape[1]), np.int32)
        count[: len(old.count)] = old.count
    if 2 * needed > len(key):
        slots = 1 << int(2 * needed).bit_length()
        key, place = np.full(slots, -1), np.zeros(slots, np.int64)
        rehash(old.key, old.place, key, place)
    return Level(key, place, count, old.few)


@numba.njit(cache=True)
def find(key, number):
    """The slot of a context, or the free one where it would be."""
    mask = len(key) - 1
    mixed = number * 0x9E3779B97F4A7C1
    slot = (mixed ^ (mixed >> 29)) & mask
    while key[slot] != -1 and key[slot] != number:
        slot = (slot + 1) & mask
    return slot


@numba.njit(cache=True)
def rehash(key, place, new_key, new_place):
    """All contexts into a larger table."""
    for old in range(len(key)):
        if key[old] >= 0:
            slot = find(new_key, key[old])
            new_key[slot], new_place[slot] = key[old], place[old]


@numba.njit(cache=True)
def discounts(few):
    """D(1), D(2), D(3 and above); a half of each count where counts are too few to say."""
    found = np.array([0.5, 1.0, 1.5])
    if few[1] > 0 and few[2] > 0:
        rare = few[1] / (few[1] + 2.0 * few[2])
        for i in range(3):
            if few[i + 1] > 0 and few[i + 2] > 0:
                found[i] = min(max(i + 1 - (i + 2) * rare * few[i + 2] / few[i + 1], 0.05), i + 0.95)
    return found


@numba.njit(cache=True)
def offer_level(key, place, count, few, number, out):
    """One level's share in the offer: `out` [symbols] holds the shorter context's and is brought up to date."""
    slot = find(key, number)
    if key[slot] < 0:
        return
    row = count[place[slot]]
    total = 0
    for c in range(len(out)):
        total += row[c]
    if total == 0:
        return
    discount = discounts(few)
    freed = 0.0
    for c in range(len(out)):
        if row[c] > 0:
            freed += discount[min(row[c], 3) - 1]
    for c in range(len(out)):
        kept = row[c] - discount[min(row[c], 3) - 1] if row[c] > 0 else 0.0
        out[c] = (kept + freed * out[c]) / total


@numba.njit(cache=True)
def learn_level(key, place, count, few, number, symbol):
    """Counts one symbol; whether it was new in its context."""
    slot = find(key, number)
    if key[slot] < 0:
        key[slot], place[slot] = number, few[0]
        few[0] += 1
    row = count[place[slot]]
    before = row[symbol]
    row[symbol] += 1
    if 1 <= before <= 4:
        few[before] -= 1
    if before < 4:
        few[before + 1] += 1
    return before == 0


@numba.njit(cache=True)
def read(numbers, symbol, offers, learns, levels):
    """Offers on each row, then learns it: `numbers` [levels, rows], the contexts; `offers` [rows, symbols], or no rows: none."""
    for row in range(numbers.shape[1]):
        if len(offers):
            offers[row] = 1.0 / offers.shape[1]
            for j in range(len(levels)):
                key, place, count, few = levels[j]
                offer_level(key, place, count, few, numbers[j, row], offers[row])
        if learns:
            for j in range(len(levels) - 1, -1, -1):
                key, place, count, few = levels[j]
                if not learn_level(key, place, count, few, numbers[j, row], symbol[row]):
                    break


class Ngram(ClassifierMixin, BaseEstimator):
    """A trader that looks at the last `order` of the characters in a row of X [rows, at least order], nearest last.

    Characters are whole numbers from 0 to `symbols` - 1; -1 is before the beginning. Classes are all characters.
    """

    def __init__(self, order: int = 3, symbols: int = 256) -> None:
        self.order = order
        self.symbols = symbols

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> "Ngram":
        """Counts what came after each row. Raises `BadInput` for what is no character."""
        self._read(X, y, offering=False)
        return self

    def fit(self, X: Any, y: Any) -> "Ngram":
        """Forgets all, then counts."""
        self.__dict__.pop("_levels", None)
        return self.partial_fit(X, y)

    def offer_and_learn(self, X: Any, y: Any) -> NDArray[np.float64]:
        """Log-probabilities [rows, symbols], each row's before it is learnt."""
        return np.log(self._read(X, y, offering=True))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities [rows, symbols]; nothing is learnt."""
        return self._read(X, None, offering=True)

    def log_offers(self, X: Any) -> NDArray[np.float64]:
        """Their logarithms."""
        return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> NDArray[np.int64]:
        """The likeliest characters."""
        return self.predict_proba(X).argmax(axis=1)

    def _read(self, X: Any, y: Any, offering: bool) -> NDArray[np.float64]:
        if not hasattr(self, "_levels"):
            self._open()
        numbers = self._numbers(np.asarray(X))
        learns = y is not None
        symbol = np.asarray(y if learns else np.zeros(numbers.shape[1]), np.int64)
        if len(symbol) and not (symbol.min() >= 0 and symbol.max() < self.symbols):
            raise BadInput(f"y holds what is no character: give whole numbers from 0 to {self.symbols - 1}")
        offers = np.empty((numbers.shape[1] if offering else 0, self.symbols))
        for start in range(0, numbers.shape[1], ROWS):
            part = slice(start, start + ROWS)
            if learns:
                self._levels = tuple(grown(one, ROWS) for one in self._levels)
            read(np.ascontiguousarray(numbers[:, part]), symbol[part], offers[part], learns, self._levels)
        return offers

    def _open(self) -> None:
        if not self.order >= 0 or (self.symbols + 1) ** self.order >= 2**62:
            raise BadInput(
                f"order is {self.order}: {self.symbols} symbols allow 0 to {int(62 / np.log2(self.symbols + 1))}"
            )
        self._levels = tuple(level(self.symbols) for _ in range(self.order + 1))
        self.classes_ = np.arange(self.symbols)

    def _numbers(self, X: NDArray) -> NDArray[np.int64]:
        """The number of the context of each length, [levels, rows]."""
        if X.ndim != 2 or X.shape[1] < self.order:
            raise BadInput(f"X has shape {list(X.shape)}: give rows of at least {self.order} characters")
        found = np.zeros((self.order + 1, len(X)), np.int64)
        for j in range(self.order):
            found[j + 1] = found[j] + (X[:, X.shape[1] - 1 - j].astype(np.int64) + 1) * (self.symbols + 1) ** j
        return found


def windows(codes: Any, order: int) -> NDArray[np.int64]:
    """The last `order` characters before each, [characters, order]; -1 before the beginning."""
    padded = np.concatenate([np.full(order, -1), np.asarray(codes, np.int64)])
    return np.lib.stride_tricks.sliding_window_view(padded, order)[:-1]
