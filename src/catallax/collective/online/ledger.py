"""Everything that a market of forecasts has been told and has learnt, as arrays that grow, and the order of events."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catallax.collective.online import price as market

FLOATS, INTEGERS = np.float64, np.int64


@dataclass
class Ledger:
    """Rows are forecasts in the order in which they were taken in; questions and people in that of their first rows."""

    common: NDArray[np.float64]  # [4], as in price.py
    common_precision: NDArray[np.float64]  # [4]
    spread_precision: float  # of a new person's offset
    tremble: float
    people: dict[Any, int] = field(default_factory=dict)
    questions: dict[Any, int] = field(default_factory=dict)
    options: dict[Any, tuple[Any, ...]] = field(default_factory=dict)
    question: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, INTEGERS))
    user: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, INTEGERS))
    time: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    said: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))  # [rows, widest], probabilities
    belief: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))  # [rows, widest], their logarithms
    price: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))  # [rows, widest], after each
    previous: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, INTEGERS))
    head: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, INTEGERS))
    first: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    width: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, INTEGERS))
    won: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, INTEGERS))  # -1: open
    ended: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))  # when; NaN: open, or no date
    closing: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    offset: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    offset_precision: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    clock: float = -np.inf  # the last instant taken in
    learnt: float = -np.inf  # the last instant at which an outcome was learnt from

    def add_questions(self, names: list[Any], first: NDArray[np.float64], options: dict[Any, tuple[Any, ...]]) -> None:
        """New questions, each with the time of its first forecast and its options."""
        new = len(names)
        self.questions |= {name: len(self.questions) + k for k, name in enumerate(names)}
        self.options |= {name: options[name] for name in names}
        self.widen(max((len(options[name]) for name in names), default=0))
        self.head = np.append(self.head, np.full(new, -1))
        self.first = np.append(self.first, first)
        self.width = np.append(self.width, np.array([len(options[name]) for name in names], INTEGERS))
        self.won = np.append(self.won, np.full(new, -1))
        self.ended = np.append(self.ended, np.full(new, np.nan))
        self.closing = np.append(self.closing, np.full((new, self.closing.shape[1]), np.nan), axis=0)

    def widen(self, width: int) -> None:
        """Room for questions with more options than any before."""
        more = width - self.said.shape[1]
        if more > 0:
            for name in ("said", "belief", "price", "closing"):
                array = getattr(self, name)
                setattr(self, name, np.append(array, np.full((len(array), more), np.nan), axis=1))

    def add_rows(self, question: list[int], user: list[Any], time: NDArray, said: list[NDArray]) -> NDArray[np.int64]:
        """New forecasts; their rows are returned."""
        rows, widest = np.arange(len(self.time), len(self.time) + len(time)), self.said.shape[1]
        for name in user:
            self.people.setdefault(name, len(self.people))
        more = len(self.people) - len(self.offset)
        self.offset = np.append(self.offset, np.zeros(more))
        self.offset_precision = np.append(self.offset_precision, np.full(more, self.spread_precision))
        block = np.full((len(time), widest), np.nan)
        for row, one in enumerate(said):
            block[row, : len(one)] = one
        width = np.isfinite(block).sum(axis=1, keepdims=True)
        self.question = np.append(self.question, np.array(question, INTEGERS))
        self.user = np.append(self.user, np.array([self.people[name] for name in user], INTEGERS))
        self.time = np.append(self.time, time)
        self.said = np.append(self.said, block, axis=0)
        self.belief = np.append(self.belief, np.log((1 - self.tremble) * block + self.tremble / width), axis=0)
        self.price = np.append(self.price, np.full_like(block, np.nan), axis=0)
        self.previous = np.append(self.previous, np.full(len(time), -1))
        return rows

    def play(self, rows: NDArray[np.int64], ending: list[int], when: NDArray[np.float64]) -> None:
        """Takes in forecasts and outcomes in the order of time; within one instant forecasts, then closing prices, then
        what the outcomes teach, so that nothing knows what became known at its own instant."""
        ends = np.array(ending, INTEGERS)
        kinds = np.repeat([market.FORECAST, market.CLOSE, market.LEARN], [len(rows), len(ends), len(ends)])
        times = np.concatenate([self.time[rows], when, when])
        index = np.concatenate([rows, ends, ends])
        order = np.lexsort((index, kinds, times))
        market.play(
            kinds[order].astype(INTEGERS), index[order], self.question, self.user, self.time, self.belief,
            self.previous, self.head, self.first, self.width, self.won, self.offset, self.offset_precision,
            self.common, self.common_precision, self.price, self.closing,
        )  # fmt: skip

    def prices(self, questions: list[int]) -> NDArray[np.float64]:
        """[questions, widest]: of open ones as things stand, of others at their end."""
        found = np.full((len(questions), self.said.shape[1]), np.nan)
        for k, asked in enumerate(questions):
            if self.won[asked] >= 0:
                found[k] = self.closing[asked]
                continue
            rows = market.standing(self.head[asked], self.previous)
            width = int(self.width[asked])
            told = (rows, self.first[asked], width, self.user, self.time, self.belief, self.offset, self.common)
            market.normalised(market.score(*told)[2], width, found[k])
        return found
