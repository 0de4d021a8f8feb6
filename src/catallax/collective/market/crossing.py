"""A double auction for claims on a yes-or-no question: traders before the library's one order book, nobody who makes a market.

A claim pays 1 (`ticks` of money) if the answer is yes. In each round everyone, in an order that is drawn afresh, offers to
buy one claim for what it would just be worth to it, and to sell one for the least it would take; what finds nobody is
taken back before the next round. With W_1, W_0 what a trader owns on yes and on no, one more claim is worth

    p u'(W_1) / (p u'(W_1) + (1 - p) u'(W_0))          u' of the wealth with the claim; u'(W) = W^-a, or exp(-W / t)

so at rest all these agree to within a tick and a claim, and their common value is the price: the wealth-weighted mean of
beliefs for log utility, the logarithmic pool for cara. Money and claims are whole, and add up exactly.
"""

import dataclasses
from typing import Any, cast

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int, UInt32

from catallax.collective.market.traders import Kind
from catallax.core import random
from catallax.core.agent import HostAgent, View
from catallax.core.society import HostSociety
from catallax.signals import matching
from catallax.signals.book import ASK, BID, BUY, HELD, MONEY, NONE, SELL, TRADED, WRITTEN, Board, Book, Orders


class Brokers(HostAgent):
    """Traders of claims. `belief` [traders, questions], of yes; `purse` [traders], money at the start, in ticks; `share`,
    `aversion`, `tolerance` [traders] as in `traders.Taste`; `question`: which one is open."""

    belief: Float[np.ndarray, "traders questions"]
    purse: Int[np.ndarray, " traders"]
    share: Float[np.ndarray, " traders"]
    aversion: Float[np.ndarray, " traders"]
    tolerance: Float[np.ndarray, " traders"]
    question: Int[np.ndarray, ""]
    ticks: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def respond_all(self, view: View, key: UInt32[np.ndarray, "2"]) -> tuple["Brokers", Orders]:
        """One order to buy and one to sell of each, in random order."""
        money = (self.purse + view.local[:, MONEY]).astype(np.float64)
        no, yes = money, money + view.local[:, HELD] * float(self.ticks)
        value = self.worth(yes, no, view.public)
        dearer = self.worth(yes + self.ticks * (1 - value), no - self.ticks * value, view.public)
        cheaper = self.worth(yes - self.ticks * (1 - value), no + self.ticks * value, view.public)
        bid = np.clip(np.floor(dearer * self.ticks), 0, self.ticks - 1).astype(np.int64)
        ask = np.clip(np.ceil(cheaper * self.ticks), bid + 1, self.ticks).astype(np.int64)
        bounded = self.kind == "isoelastic"  # a fortune that may be lost whole, but not more
        buys = (bid > 0) & ((no - bid > 0) | (not bounded))
        sells = (ask < self.ticks) & ((yes - (self.ticks - ask) > 0) | (not bounded))
        turn = np.argsort(random.host_bits(random.host_fold_in(key, np.arange(len(bid)))), kind="stable")
        side = np.stack([SELL * sells, BUY * buys], 1)[turn].ravel()
        price = np.stack([np.minimum(ask, self.ticks - 1), bid], 1)[turn].ravel()
        sent = (side != 0).astype(np.int64)
        return self, Orders(side, price * sent, sent, np.repeat(turn, 2) * sent, np.zeros_like(sent))

    def worth(self, yes: np.ndarray, no: np.ndarray, quote: Any) -> Float[np.ndarray, " traders"]:
        """What a claim is worth, a share of a tick's whole, to traders who own so much on yes and on no."""
        belief = self.belief[:, int(self.question)]
        if self.kind == "cara":
            odds = np.clip((no - yes) / (self.tolerance * self.ticks), -700, 700)
        else:
            heard = belief if quote.last == NONE else (float(quote.last) + 0.5) / self.ticks
            belief = self.share * belief + (1 - self.share) * heard
            odds = self.aversion * np.log(np.maximum(no, 0.5) / np.maximum(yes, 0.5))
        return belief / (belief + (1 - belief) * np.exp(-np.clip(odds, -700, 700)))

    def influence(self) -> np.ndarray:
        """Shares of the money at the start (of the tolerance, for cara)."""
        size = self.tolerance if self.kind == "cara" else self.purse * self.share / self.aversion
        return size / size.sum()


class Crossing(HostSociety):
    """The floor. `happened` [questions]; `round`; `closing` [questions], the price of yes at which each question closed;
    `prior`, that of yes at its opening; `trading`: rounds a question."""

    happened: Any = None
    round: Any = None
    closing: Any = None
    prior: float = eqx.field(static=True, default=0.5)
    trading: int = eqx.field(static=True, default=1)

    @property
    def question(self) -> int:
        return min(int(self.round) // self.trading, len(self.happened) - 1)

    @property
    def left(self) -> int:
        """Questions not settled yet."""
        return max(len(self.happened) - int(self.round) // self.trading, 0)

    @property
    def price(self) -> float:
        """Between the best bid and the best ask; the last trade's where a side is empty; the prior's before any."""
        brokers, marks = cast(Brokers, self.agents), cast(Book, self.signal).host.marks
        bid, ask, last = (int(marks[k]) for k in (BID, ASK, TRADED))
        if bid != NONE and ask != brokers.ticks:
            return (bid + ask) / 2 / brokers.ticks
        return self.prior if last == NONE else last / brokers.ticks

    def advance(self, start: int, stop: int, seed: int) -> tuple["Crossing", float]:
        """Rounds of offers; after the last of a question its claims are paid out."""
        floor = self
        for t in range(start, stop):
            floor = floor.one_round(random.host_key(seed, t)) if floor.left else floor
        return floor, float(floor.left)

    def one_round(self, key: UInt32[np.ndarray, "2"]) -> "Crossing":
        """Everyone's offers, matched; a question that closes is settled."""
        book, crowd = cast(Book, self.signal), cast(Brokers, self.agents)
        board = Board(*(x.copy() for x in book.host))
        matching.wipe(board)
        board.marks[WRITTEN] = 0
        view = View(dataclasses.replace(book, board=board).public(), board.accounts)
        rows = np.stack(crowd.respond_all(view, key)[1], axis=1)
        matching.stream(board, rows, np.empty(len(rows), np.int64))
        floor = dataclasses.replace(self, signal=dataclasses.replace(book, board=board), round=self.round + 1)
        return floor.settled() if int(floor.round) % self.trading == 0 else floor

    def settled(self) -> "Crossing":
        """The question closed, its claims paid out, the next one open."""
        book, crowd = cast(Book, self.signal), cast(Brokers, self.agents)
        board, closed = Board(*(x.copy() for x in book.host)), int(self.round) // self.trading - 1
        closing = self.closing.copy()
        closing[closed] = self.price
        board.accounts[:, MONEY] += board.accounts[:, HELD] * crowd.ticks * int(self.happened[closed] == 1)
        board.accounts[:, HELD] = 0
        matching.wipe(board)
        board.marks[TRADED] = NONE
        agents = dataclasses.replace(crowd, question=np.asarray(self.question))
        signal = dataclasses.replace(book, board=board)
        return dataclasses.replace(self, agents=agents, signal=signal, closing=closing)


def floor(
    brokers: Brokers, happened: np.ndarray, prior: float, trading: int, closing: np.ndarray | None = None
) -> Crossing:
    """Everyone before an empty book, at the first question."""
    traders = len(brokers.purse)
    book = Book.empty(brokers.ticks, traders, slots=2 * traders, trades=2 * traders)
    start = np.full(len(happened), prior) if closing is None else closing
    return Crossing(brokers, book, None, happened, np.asarray(0), start, prior, trading)
