"""The matching engine of `signals.book`: price-time priority on a `Board`, as numba kernels.

The orders at one price are a queue linked both ways, so that adding, cancelling and filling one are O(1). A board is
never crossed, so a price holds bids or asks, never both, and one queue a price is enough. Beside that, the best price is
walked to the next one with orders whenever its queue is emptied. Trades are at the price of the order that was there
first, and are written to the tape and to the accounts of both sides at once: what one has more the other has less, in
whole units and whole ticks.

Only host code imports this file, for it loads numba. Cached kernels elsewhere that call these are not compiled anew when
this file changes: delete their `__pycache__` (see `core.kernel`).
"""

import numba

from catallax.signals.book import (
    AFTER,
    AGE,
    ASK,
    ASKS,
    BEFORE,
    BID,
    BIDS,
    BUY,
    CANCEL,
    DEPTH,
    FIRST,
    FREE,
    HELD,
    LAST,
    MONEY,
    NONE,
    OWNER,
    PRICE,
    SIDE,
    TRADED,
    UNITS,
    WRITTEN,
)


@numba.njit(cache=True)
def alive(board, handle):
    """Whether the order of this handle still rests."""
    slot = handle & 0xFFFFFFFF
    return (
        handle >= 0
        and slot < board.orders.shape[0]
        and board.orders[slot, AGE] == handle >> 32
        and (board.orders[slot, UNITS] > 0)
    )


@numba.njit(cache=True)
def submit(board, side, price, units, owner):
    """One order: filled as far as it can be, the rest of it left to rest. Its handle, or -1 where nothing rests.

    A price beyond the board (buy at `ticks` or more, sell below 0) takes whatever there is, and its rest lapses. There
    must be a free slot, and room on the tape for each order that it meets.
    """
    left = take(board, side, price, units, owner)
    if left > 0 and 0 <= price < board.queues.shape[0]:
        return rest(board, side, price, left, owner)
    return NONE


@numba.njit(cache=True)
def take(board, side, price, units, owner):
    """Trades with what rests on the other side at `price` or better, the best first, the earliest of them first."""
    orders, queues, marks = board.orders, board.queues, board.marks
    best = ASK if side == BUY else BID
    while units > 0 and side * (price - marks[best]) >= 0 and marks[ASKS if side == BUY else BIDS] > 0:
        at = marks[best]
        slot = queues[at, FIRST]
        filled = min(units, orders[slot, UNITS])
        write(board, side, owner, orders[slot, OWNER], at, filled)
        units -= filled
        orders[slot, UNITS] -= filled
        queues[at, DEPTH] -= filled
        if orders[slot, UNITS] == 0:
            release(board, slot)
    return units


@numba.njit(cache=True)
def write(board, side, owner, other, price, units):
    """One trade, to the tape and both accounts."""
    marks, accounts, tape = board.marks, board.accounts, board.tape
    buyer, seller = (owner, other) if side == BUY else (other, owner)
    accounts[buyer, HELD] += units
    accounts[buyer, MONEY] -= units * price
    accounts[seller, HELD] -= units
    accounts[seller, MONEY] += units * price
    marks[TRADED] = price
    row = marks[WRITTEN]
    if row < tape.shape[0]:  # no write outside, whatever the caller made room for
        tape[row, 0], tape[row, 1], tape[row, 2], tape[row, 3], tape[row, 4] = buyer, seller, price, units, side
    marks[WRITTEN] = row + 1


@numba.njit(cache=True)
def rest(board, side, price, units, owner):
    """Leaves an order at the end of its price's queue; its handle."""
    orders, queues, marks = board.orders, board.queues, board.marks
    slot = marks[FREE]
    marks[FREE] = orders[slot, AFTER]
    last = queues[price, LAST]
    orders[slot, PRICE], orders[slot, UNITS], orders[slot, OWNER], orders[slot, SIDE] = price, units, owner, side
    orders[slot, AFTER], orders[slot, BEFORE] = NONE, last
    if last == NONE:
        queues[price, FIRST] = slot
    else:
        orders[last, AFTER] = slot
    queues[price, LAST] = slot
    queues[price, DEPTH] += units
    if side == BUY:
        marks[BIDS] += 1
        marks[BID] = max(marks[BID], price)
    else:
        marks[ASKS] += 1
        marks[ASK] = min(marks[ASK], price)
    return orders[slot, AGE] << 32 | slot


@numba.njit(cache=True)
def cancel(board, handle):
    """Takes an order from the board; False where it is no longer there."""
    if not alive(board, handle):
        return False
    slot = handle & 0xFFFFFFFF
    board.queues[board.orders[slot, PRICE], DEPTH] -= board.orders[slot, UNITS]
    release(board, slot)
    return True


@numba.njit(cache=True)
def release(board, slot):
    """Unlinks an order, gives its slot back, and moves the best price on where it was the last at it."""
    orders, queues, marks = board.orders, board.queues, board.marks
    price, before, after = orders[slot, PRICE], orders[slot, BEFORE], orders[slot, AFTER]
    if before == NONE:
        queues[price, FIRST] = after
    else:
        orders[before, AFTER] = after
    if after == NONE:
        queues[price, LAST] = before
    else:
        orders[after, BEFORE] = before
    orders[slot, UNITS] = 0
    orders[slot, AGE] += 1
    orders[slot, AFTER] = marks[FREE]
    marks[FREE] = slot
    if orders[slot, SIDE] == BUY:
        marks[BIDS] -= 1
        marks[BID] = walk(queues, marks[BID], -1, marks[BIDS])
    else:
        marks[ASKS] -= 1
        marks[ASK] = walk(queues, marks[ASK], 1, marks[ASKS])


@numba.njit(cache=True)
def walk(queues, price, step, left):
    """The next price with orders from `price` on; beyond the board where none is `left` on this side."""
    if left == 0:
        return NONE if step < 0 else queues.shape[0]
    while queues[price, FIRST] == NONE:
        price += step
    return price


@numba.njit(cache=True)
def wipe(board):
    """Cancels all that rests."""
    for best, count in ((BID, BIDS), (ASK, ASKS)):
        while board.marks[count] > 0:
            price = board.marks[best]
            board.queues[price, DEPTH] = 0
            release(board, board.queues[price, FIRST])


@numba.njit(cache=True)
def stream(board, rows, handles):
    """Orders and cancellations in their order: `rows` [rows 5] of side, price, units, owner, order.

    `handles` [rows] takes the handle of what rests of each (of a cancellation: that of what it took away, or -1).
    """
    for i in range(rows.shape[0]):
        side = rows[i, 0]
        if side == CANCEL:
            order = rows[i, 4]
            handle = order if order >= 0 else handles[i + order]  # -k: the one k rows up
            handles[i] = handle if cancel(board, handle) else NONE
        else:
            handles[i] = submit(board, side, rows[i, 1], rows[i, 2], rows[i, 3])
