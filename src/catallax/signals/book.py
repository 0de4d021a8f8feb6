"""A limit order book: buyers and sellers meet at whole prices, the best first, the earliest of them first.

    buy at p     takes asks at p or below, each at its own price; the rest of it waits at p, behind those who wait there
    sell at p    the same with bids at p or above
    market       a limit beyond the board: buy at `ticks` or more, sell below 0; what finds no one lapses
    cancel       by the handle of what rests

Prices are ticks 0 ... ticks-1, units whole. An owner's account is what it holds and its money, in units and ticks, both
from 0 (so it may owe either): in every trade what one side has more the other has less, exactly. Nobody is kept from
trading with himself, which changes nothing but the last price.

What everyone reads is the best bid, the best ask and the last price (and, where `levels` is given, how much waits at the
best few prices of each side), never the board. What one owner alone reads is its account.

The order in which orders come decides who trades, so the book hears them in rows, as they came, and is driven on the
host: by a `HostSociety` whose agents act one by one and call `signals.matching` in a kernel of their own (as
`economy.pit`), or by one whose `respond_all` gives all rows of a round in the order that they are to be heard.

D. Friedman, The double auction market institution: a survey, in The Double Auction Market, 1993.
"""

import operator
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Int

from catallax.core.errors import BadInput, Refused
from catallax.core.signal import Signal

BUY, SELL, CANCEL = 1, -1, 0
NONE = -1  # no order, no bid, no price
# Columns of Board.orders: AFTER and BEFORE link a queue (AFTER also the free slots), AGE counts the slot's tenants.
PRICE, UNITS, OWNER, SIDE, AFTER, BEFORE, AGE = range(7)
FIRST, LAST, DEPTH = range(3)  # columns of Board.queues: the slots at both ends, the units between them
# Entries of Board.marks: best prices, last price, the first free slot, how many bids and asks rest, rows on the tape.
BID, ASK, TRADED, FREE, BIDS, ASKS, WRITTEN = range(7)
HELD, MONEY = range(2)  # columns of Board.accounts
COLUMNS = ("buyer", "seller", "price", "units", "side")  # of Board.tape; side: of who came to the other


class Board(NamedTuple):
    """All that a book is made of, int64, as kernels want it.

    A handle is `AGE << 32 | slot` of a resting order: when the slot is given back it grows older, and the handle names
    nothing any more. Ages start at 1, so that 0 is no handle. `marks[BID]` is -1 where nobody bids, `marks[ASK]` is
    `ticks` where nobody asks.
    """

    orders: Int[np.ndarray, "slots 8"]  # a row is a cache line
    queues: Int[np.ndarray, "ticks 3"]
    marks: Int[np.ndarray, "8"]
    accounts: Int[np.ndarray, "owners 2"]
    tape: Int[np.ndarray, "trades 5"]


class Orders(NamedTuple):
    """An action, and the rows of many: what is sent to the book, in the order in which it is to be heard.

    `side`: 1 buy, -1 sell, 0 cancel; `price` in ticks; `units` (0: no order); `owner`: whose account; `order`: what to
    cancel, a handle, or -k for the order k rows up. A row of zeros is nothing.
    """

    side: Int[np.ndarray, "*rows"]
    price: Int[np.ndarray, "*rows"]
    units: Int[np.ndarray, "*rows"]
    owner: Int[np.ndarray, "*rows"]
    order: Int[np.ndarray, "*rows"]


class Quote(NamedTuple):
    """What everyone reads, in ticks. `bid` -1: nobody bids; `ask` ticks: nobody asks; `last` -1: no trade yet.

    `bids`, `asks`: the best few prices and the units that wait there (0 units: none), or None.
    """

    bid: Int[np.ndarray, ""]
    ask: Int[np.ndarray, ""]
    last: Int[np.ndarray, ""]
    bids: Int[np.ndarray, "levels 2"] | None = None
    asks: Int[np.ndarray, "levels 2"] | None = None


class Trades(NamedTuple):
    """Who sold to whom, at which price, how much, and the side (1, -1) of the one who came to the other."""

    buyer: Int[np.ndarray, " trades"]
    seller: Int[np.ndarray, " trades"]
    price: Int[np.ndarray, " trades"]
    units: Int[np.ndarray, " trades"]
    side: Int[np.ndarray, " trades"]


class Book(Signal):
    """A limit order book. `Book.empty(ticks, owners)` makes one; `levels`: how many prices a side everyone may read.

    `board`: its state, on the host; its tape holds the trades of the last round. `handles` [rows]: what rests of each
    row of the last round, or -1 (of a cancellation: what it took away).
    """

    merge: ClassVar[str] = "rows"
    board: Board
    levels: int = eqx.field(static=True, default=0)
    handles: Int[np.ndarray, " rows"] | None = None

    @classmethod
    def empty(cls, ticks: int, owners: int, levels: int = 0, *, slots: int = 64, trades: int = 0) -> "Book":
        """A book without orders. `slots` for resting orders and rows for `trades` are made more as they are needed.

        Raises `BadInput` where one of them is no whole number in its range.
        """
        for name, value, least in (("ticks", ticks, 1), ("owners", owners, 1), ("levels", levels, 0)):
            if not is_whole(value) or not least <= value < 2**31:
                raise BadInput(f"Book.{name} is {value!r}: give a whole number of at least {least} and below 2^31")
        return cls(empty_board(ticks, owners, slots, trades), levels)

    @property
    def ticks(self) -> int:
        """How many prices there are."""
        return len(self.host.queues)

    @property
    def host(self) -> Board:
        """The board. Raises `Refused` where it was handed to JAX: the queues are kept in place, on the host."""
        if any(isinstance(x, jax.Array) for x in self.board):
            raise Refused(
                "Book matches orders one after the other, in queues on the host: no compiled round, no channel and no "
                "measure of all actions at once can enter them, so drive it by a HostSociety"
            )
        return self.board

    @property
    def trades(self) -> Trades:
        """The trades on the tape, in the order in which they were made."""
        written = int(self.host.marks[WRITTEN])
        return Trades(*(self.host.tape[:written, k].copy() for k in range(len(COLUMNS))))

    def public(self) -> Quote:
        """Best bid, best ask and last price; depth where there are `levels`."""
        quote = Quote(*(np.asarray(self.host.marks[k]) for k in (BID, ASK, TRADED)))
        return quote._replace(bids=self.depth(BUY), asks=self.depth(SELL)) if self.levels else quote

    def depth(self, side: int) -> Int[np.ndarray, "levels 2"]:
        """The best `levels` prices of a side with the units that wait there, the best first."""
        board, found = self.host, np.zeros((self.levels, 2), np.int64)
        found[:, 0] = NONE if side == BUY else self.ticks
        at = np.flatnonzero(board.queues[:, DEPTH])
        at = at[at <= board.marks[BID]][::-1] if side == BUY else at[at >= board.marks[ASK]]
        at = at[: self.levels]
        found[: len(at)] = np.stack([at, board.queues[at, DEPTH]], axis=1)
        return found

    def local(self, agents: Any) -> Int[np.ndarray, "owners 2"]:
        """Everyone's own account, units and money: agent i is owner i."""
        return self.host.accounts

    def propagate(self, summary: Orders) -> "Book":
        """The book after the orders of `summary`, row by row. Raises `BadInput` for a row that is no order."""
        from catallax.signals import matching  # late: it loads numba

        rows = checked(summary, self.host)
        resting = int(self.host.marks[BIDS] + self.host.marks[ASKS])
        board = with_room(self.host, len(rows))
        # a trade ends the order that came or one that rested, and those that rest once came
        board = board._replace(tape=np.empty((resting + 2 * len(rows), len(COLUMNS)), np.int64))
        board.marks[WRITTEN] = 0
        handles = np.empty(len(rows), np.int64)
        matching.stream(board, rows, handles)
        board = board._replace(tape=board.tape[: board.marks[WRITTEN]].copy())
        return Book(board, self.levels, handles)

    def unrest(self, summary: Orders) -> float:
        """How many orders and cancellations came: at rest nobody wants anything else."""
        orders = np.asarray(summary.side) != CANCEL
        came = np.where(orders, np.asarray(summary.units) > 0, np.asarray(summary.order) != 0)
        return float(came.sum())

    def span(self) -> None:
        """Whole ticks: a channel has no floats to cut to bits."""
        return None


def empty_board(ticks: int, owners: int, slots: int, trades: int) -> Board:
    """A board without orders."""
    queues = np.zeros((ticks, 3), np.int64)
    queues[:, :DEPTH] = NONE
    marks = np.array([NONE, ticks, NONE, 0, 0, 0, 0, 0], np.int64)
    accounts, tape = np.zeros((owners, 2), np.int64), np.zeros((trades, len(COLUMNS)), np.int64)
    return Board(free_slots(0, slots, NONE), queues, marks, accounts, tape)


def free_slots(start: int, stop: int, then: int) -> Int[np.ndarray, "slots 8"]:
    """Slots `start` to `stop`, each linked to the next, the last to slot `then`."""
    orders = np.zeros((stop - start, 8), np.int64)
    orders[:, AFTER] = np.append(np.arange(start + 1, stop), then)
    orders[:, AGE] = 1
    return orders


def with_room(board: Board, more: int) -> Board:
    """A copy with slots for at least `more` orders beyond those that rest (and twice as many as before, if any)."""
    slots, fresh = len(board.orders), Board(*(x.copy() for x in board))
    needed = int(board.marks[BIDS] + board.marks[ASKS]) + more
    if needed <= slots:
        return fresh
    stop = max(needed, 2 * slots)
    added = free_slots(slots, stop, int(fresh.marks[FREE]))
    fresh.marks[FREE] = slots
    return fresh._replace(orders=np.concatenate([fresh.orders, added]))


def checked(orders: Orders, board: Board) -> Int[np.ndarray, "rows 5"]:
    """The orders as the kernel takes them. `BadInput` names the first row that is none."""
    columns = [np.atleast_1d(np.asarray(x)) for x in orders]
    for name, column in zip(Orders._fields, columns, strict=True):
        if column.ndim != 1 or column.shape != columns[0].shape or not np.issubdtype(column.dtype, np.integer):
            said = f"Orders.{name} is {column.dtype}{list(column.shape)}"
            raise BadInput(f"{said}: give a whole number for each of {len(columns[0])} rows")
    side, price, units, owner, order = columns
    owners, ticks, row = len(board.accounts), len(board.queues), np.arange(len(side))
    beside = ((side == BUY) & (price < 0)) | ((side == SELL) & (price >= ticks))
    rules = (
        ("side", np.abs(side) > 1, "give 1 to buy, -1 to sell, 0 to cancel"),
        ("units", (units < 0) | (units >= 2**31), "give a whole number of at least 0 and below 2^31"),
        ("owner", (owner < 0) | (owner >= owners), f"give an owner of this book, 0 to {owners - 1}"),
        ("price", beside, f"nobody can meet it on a board of ticks 0 to {ticks - 1}"),
        (
            "order",
            (side == CANCEL) & (order < -row),
            "no row is so far up: give a handle, or -k for the order k rows up",
        ),
    )
    for name, wrong, rule in rules:
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise BadInput(f"Orders.{name}[{first}] is {columns[Orders._fields.index(name)][first]}: {rule}")
    return np.stack(columns, axis=1).astype(np.int64)


def is_whole(value: Any) -> bool:
    """True for a whole number that is not a bool."""
    try:
        return not isinstance(value, (bool, np.bool_)) and operator.index(value) == value
    except TypeError:
        return False
