"""The trading pit of `economy.auction`: zero-intelligence traders before one order book, one by one in random order.

In each round everyone who has a unit left to trade has one turn. It draws a price for its next unit,

    constrained (ZI-C)     buyer 0 ... its value       seller its cost ... ticks-1        each as likely
    unconstrained (ZI-U)   0 ... ticks-1, whoever draws

and sends it as an order for one unit, unless it has one standing that is as good or better: then that stays, and a worse
one than the new is taken back. A trade is at the price of the order that was there first. With `wiped`, it takes all
orders off the board, as in Gode and Sunder's market: everyone begins anew. The price is the only thing that is drawn and
the budget the only thing that is known: nobody even reads the quote.

Unrest: with c the highest price that a buyer and f the lowest that a seller who has a unit left may still name,
max(0, c - f + 1) / ticks, 0 where no trade is possible any more.

D. Gode and S. Sunder, Allocative efficiency of markets with zero-intelligence traders, J. Political Economy 101, 1993.
"""

import dataclasses
from typing import cast

import equinox as eqx
import jax
import numba
import numpy as np
from jaxtyping import Int, UInt32

from catallax.core import kernel, random
from catallax.core.agent import HostAgent, View
from catallax.core.society import HostSociety
from catallax.signals import matching
from catallax.signals.book import BUY, HELD, NONE, PRICE, WRITTEN, Board, Book, Orders


class ZeroIntelligence(HostAgent):
    """Traders who name prices at random.

    **Fields:** `side` [traders], 1 for buyers and -1 for sellers; `limit` [traders, units], the value or cost of each
    unit in ticks, in the order in which they are traded (-1: no such unit); `order` [traders], the handle of what each
    has on the board (0: nothing); `constrained`: whether limits are kept.
    """

    side: Int[np.ndarray, " traders"]
    limit: Int[np.ndarray, "traders units"]
    order: Int[np.ndarray, " traders"]
    ticks: int = eqx.field(static=True)
    constrained: bool = eqx.field(static=True, default=True)

    def respond_all(self, view: View, key: UInt32[np.ndarray, "2"]) -> tuple["ZeroIntelligence", Orders]:
        """What each sends if it is the first to act in its round and has nothing on the board."""
        price = np.empty(len(self.side), np.int64)
        draw_all(price, self.side, self.limit, np.abs(view.local[:, HELD]), key, self.ticks, self.constrained)
        who, can = np.arange(len(self.side)), price != NONE
        return self, Orders(self.side * can, price, can.astype(np.int64), who, np.zeros_like(who))


class Pit(HostSociety):
    """Zero-intelligence traders and their book; `wiped`: whether a trade takes all orders off the board."""

    wiped: bool = eqx.field(static=True, default=True)

    def advance(self, start: int, stop: int, seed: int) -> tuple["Pit", float]:
        """Rounds of turns, in an order that is drawn afresh each round."""
        crowd, book = self.agents, cast(Book, self.signal)
        board, order = Board(*(x.copy() for x in book.host)), crowd.order.copy()
        keys = round_keys(seed, start, stop)
        trade(board, crowd.side, crowd.limit, order, keys, crowd.constrained, self.wiped)
        unrest = spread_left(board, crowd.side, crowd.limit, crowd.constrained)
        agents, signal = dataclasses.replace(crowd, order=order), dataclasses.replace(book, board=board)
        return dataclasses.replace(self, agents=agents, signal=signal), float(unrest)


def pit(side: np.ndarray, limit: np.ndarray, ticks: int, constrained: bool, wiped: bool) -> Pit:
    """Everyone with nothing traded, before an empty book whose tape has room for every trade there can be."""
    owned = (limit != NONE).sum(1)
    trades = min(int(owned[side == BUY].sum()), int(owned[side != BUY].sum()))
    order = np.zeros(len(side), np.int64)
    book = Book.empty(ticks, len(side), slots=len(side), trades=trades)
    return Pit(ZeroIntelligence(side, limit, order, ticks, constrained), book, None, wiped)


def round_keys(seed: int, start: int, stop: int) -> UInt32[np.ndarray, "rounds 2"]:
    """The keys of rounds `start` to `stop`: `host_key`, all at once."""
    if stop == start + 1:
        return random.host_key(seed, start)[None]
    root = np.asarray(jax.random.key_data(random.key(seed)))
    return random.host_fold_in(random.host_fold_in(root, np.arange(start, stop)), 0)


@numba.njit(cache=True)
def draw(side, limit, own, ticks, constrained):
    """The price that a trader names; `own`: its two words in this round."""
    low = limit if constrained and side != BUY else 0
    high = limit if constrained and side == BUY else ticks - 1
    return low + kernel.below(own[0], own[1], 0, high - low + 1)


@numba.njit(cache=True)
def next_limit(limit, who, traded):
    """The limit of a trader's next unit; -1 where it has traded all it has."""
    return limit[who, traded] if traded < limit.shape[1] else NONE


@numba.njit(cache=True)
def draw_all(price, side, limit, traded, key, ticks, constrained):
    """Everyone's price into `price`; -1 of those who have nothing left to trade."""
    for who in range(side.size):
        bound = next_limit(limit, who, traded[who])
        own = kernel.fold_in(key[0], key[1], who)
        price[who] = draw(side[who], bound, own, ticks, constrained) if bound != NONE else NONE


@numba.njit(cache=True)
def trade(board, side, limit, order, keys, constrained, wiped):
    """One round a key; `board` and `order` are changed in place.

    The order of turns is shuffled as it is used (Fisher & Yates): turn i takes one of those still waiting.
    """
    traders = side.size
    everyone = np.arange(traders)
    waiting = everyone.copy()
    for t in range(keys.shape[0]):
        waiting[:] = everyone
        turns = kernel.fold_in(keys[t, 0], keys[t, 1], traders)  # no trader's key: ids are 0 ... traders - 1
        for i in range(traders):
            k = i + kernel.below(turns[0], turns[1], i, traders - i)
            who = waiting[k]
            waiting[k] = waiting[i]
            bound = next_limit(limit, who, abs(board.accounts[who, HELD]))
            if bound != NONE:
                own = kernel.fold_in(keys[t, 0], keys[t, 1], who)
                price = draw(side[who], bound, own, board.queues.shape[0], constrained)
                turn(board, side[who], price, who, order, wiped)


@numba.njit(cache=True)
def turn(board, side, price, who, order, wiped):
    """One trader sends an order for one unit at `price`, if that is better than what it has standing."""
    if matching.alive(board, order[who]):
        standing = board.orders[order[who] & 0xFFFFFFFF, PRICE]
        if side * (price - standing) <= 0:
            return
        matching.cancel(board, order[who])
    trades = board.marks[WRITTEN]
    order[who] = max(0, matching.submit(board, side, price, 1, who))
    if wiped and board.marks[WRITTEN] > trades:
        matching.wipe(board)


@numba.njit(cache=True)
def spread_left(board, side, limit, constrained):
    """The unrest of the header."""
    ticks = board.queues.shape[0]
    ceiling, floor = -1, ticks
    for who in range(side.size):
        bound = next_limit(limit, who, abs(board.accounts[who, HELD]))
        if bound != NONE:
            if side[who] == BUY:
                ceiling = max(ceiling, bound if constrained else ticks - 1)
            else:
                floor = min(floor, bound if constrained else 0)
    return max(0, ceiling - floor + 1) / ticks
