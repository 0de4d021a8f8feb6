"""The order book by hand, against a plain one in Python, and what it keeps."""

from collections import Counter

import equinox as eqx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import catallax as cx
from catallax.core.agent import HostAgent
from catallax.core.society import HostSociety, Society
from catallax.signals.book import ASKS, BIDS, BUY, CANCEL, DEPTH, HELD, MONEY, OWNER, SELL, SIDE, UNITS, Book, Orders

TICKS, OWNERS = 8, 4


def orders(*rows) -> Orders:
    """Rows of (side, price, units, owner[, order])."""
    table = np.array([(*row, 0)[:5] for row in rows], np.int64).reshape(-1, 5)
    return Orders(*table.T)


def after(*rows, levels: int = 0, ticks: int = TICKS) -> Book:
    return Book.empty(ticks, OWNERS, levels, slots=1).propagate(orders(*rows))


def made(book: Book) -> list[tuple[int, ...]]:
    """Trades as (buyer, seller, price, units, side)."""
    return [tuple(int(x) for x in row) for row in zip(*book.trades, strict=True)]


def quoted(book: Book) -> tuple[int, int, int]:
    bid, ask, last, *_ = book.public()
    return int(bid), int(ask), int(last)


# --- by hand --------------------------------------------------------------------------------------------------


def test_the_better_price_is_filled_first_then_the_earlier_order():
    book = after((SELL, 5, 1, 0), (SELL, 4, 2, 1), (SELL, 4, 2, 2), (BUY, 5, 4, 3))
    assert made(book) == [(3, 1, 4, 2, BUY), (3, 2, 4, 2, BUY)]
    assert quoted(book) == (-1, 5, 4)


def test_trades_are_at_the_price_of_who_was_there_first():
    assert made(after((BUY, 6, 1, 0), (SELL, 2, 1, 1))) == [(0, 1, 6, 1, SELL)]
    assert made(after((SELL, 2, 1, 1), (BUY, 6, 1, 0))) == [(0, 1, 2, 1, BUY)]


def test_what_is_not_filled_waits_and_keeps_its_turn():
    book = after((BUY, 3, 5, 0), (BUY, 3, 1, 1), (SELL, 3, 2, 2), (SELL, 3, 4, 3))
    assert made(book) == [(0, 2, 3, 2, SELL), (0, 3, 3, 3, SELL), (1, 3, 3, 1, SELL)]
    assert quoted(book) == (-1, TICKS, 3)
    assert quoted(after((BUY, 3, 1, 0), (SELL, 3, 2, 2))) == (-1, 3, 3)


def test_a_market_order_takes_what_there_is_and_lapses():
    book = after((SELL, 7, 1, 0), (SELL, 2, 1, 1), (BUY, TICKS, 5, 2), (SELL, -1, 3, 3))
    assert made(book) == [(2, 1, 2, 1, BUY), (2, 0, 7, 1, BUY)]
    assert quoted(book) == (-1, TICKS, 7)
    assert book.handles.tolist()[2:] == [-1, -1]


def test_cancelling_takes_one_order_and_only_once():
    book = after((BUY, 3, 1, 0), (BUY, 4, 1, 1), (BUY, 4, 1, 2), (CANCEL, 0, 0, 0, -2), (CANCEL, 0, 0, 0, -3))
    assert book.handles[3] == book.handles[1] and book.handles[4] == -1
    assert quoted(book) == (4, TICKS, -1)
    book = book.propagate(orders((CANCEL, 0, 0, 0, int(book.handles[2])), (SELL, 0, 1, 3)))
    assert made(book) == [(0, 3, 3, 1, SELL)]


def test_a_handle_of_a_slot_that_has_a_new_tenant_names_nothing():
    book = after((BUY, 3, 1, 0))
    stale = int(book.handles[0])
    book = book.propagate(orders((CANCEL, 0, 0, 0, stale), (BUY, 2, 1, 1), (CANCEL, 0, 0, 0, stale)))
    assert book.handles.tolist()[2] == -1 and quoted(book) == (2, TICKS, -1)


def test_rows_of_zeros_are_nothing_even_where_orders_rest():
    book = after((BUY, 3, 1, 0))
    nothing = orders((0, 0, 0, 0), (BUY, 3, 0, 1))
    assert quoted(book.propagate(nothing)) == quoted(book)
    assert book.unrest(nothing) == 0
    assert book.unrest(orders((BUY, 3, 1, 0), (CANCEL, 0, 0, 0, 5))) == 2


def test_depth_shows_the_best_few_levels_and_no_more():
    book = after((BUY, 1, 9, 0), (BUY, 3, 1, 0), (BUY, 2, 2, 1), (BUY, 3, 4, 2), (SELL, 6, 7, 3), levels=2)
    quote = book.public()
    assert quote.bids.tolist() == [[3, 5], [2, 2]]
    assert quote.asks.tolist() == [[6, 7], [TICKS, 0]]
    assert after((BUY, 1, 9, 0)).public().bids is None


def test_the_tape_is_that_of_the_last_round_and_accounts_are_of_all():
    book = after((SELL, 3, 2, 0), (BUY, 3, 1, 1))
    book = book.propagate(orders((BUY, 5, 1, 2)))
    assert made(book) == [(2, 0, 3, 1, BUY)]
    assert book.local(None).tolist() == [[-2, 6], [1, -3], [1, -3], [0, 0]]


def test_a_round_leaves_the_book_before_it_as_it_was():
    book = after((SELL, 3, 2, 0))
    before = [x.copy() for x in book.board]
    book.propagate(orders((BUY, 3, 1, 1), (BUY, 2, 1, 1)))
    assert all(np.array_equal(a, b) for a, b in zip(before, book.board, strict=True))


# --- against a plain book --------------------------------------------------------------------------------------


class Plain:
    """The same book as lists that are searched from end to end."""

    def __init__(self):
        self.waiting, self.trades, self.last = [], [], -1  # waiting: [side, price, units, owner, row], by arrival

    def hear(self, row: int, side: int, price: int, units: int, owner: int, order: int) -> None:
        if side == CANCEL:
            self.waiting = [x for x in self.waiting if x[4] != order]
            return
        while units:
            others = [x for x in self.waiting if x[0] == -side and side * (price - x[1]) >= 0]
            if not others:
                break
            other = min(others, key=lambda x: side * x[1])  # min keeps the earliest of equals
            filled = min(units, other[2])
            buyer, seller = (owner, other[3]) if side == BUY else (other[3], owner)
            self.trades.append((buyer, seller, other[1], filled, side))
            self.last, units, other[2] = other[1], units - filled, other[2] - filled
            self.waiting = [x for x in self.waiting if x[2]]
        if units and 0 <= price < TICKS:
            self.waiting.append([side, price, units, owner, row])

    def quote(self) -> tuple[int, int, int]:
        bids, asks = ([x[1] for x in self.waiting if x[0] == side] for side in (BUY, SELL))
        return max(bids, default=-1), min(asks, default=TICKS), self.last


@st.composite
def streams(draw):
    """Rows of orders, and where a round ends. A cancellation names an earlier row."""
    rows = []
    for i in range(draw(st.integers(1, 60))):
        side = draw(st.sampled_from([BUY, SELL, BUY, SELL, CANCEL] if i else [BUY, SELL]))
        low, high = (0, TICKS) if side == BUY else (-1, TICKS - 1)
        target = draw(st.integers(0, i - 1)) if side == CANCEL else 0
        price = draw(st.integers(low, high))
        rows.append((side, price, draw(st.integers(0, 5)), draw(st.integers(0, OWNERS - 1)), target))
    return rows, draw(st.integers(0, len(rows)))


@given(streams())
def test_the_same_trades_as_a_plain_book(stream):
    rows, cut = stream
    plain, book, trades, handles = Plain(), Book.empty(TICKS, OWNERS, slots=1), [], []
    for start, stop in ((0, cut), (cut, len(rows))):
        part = []
        for i in range(start, stop):
            side, price, units, owner, target = rows[i]
            order = 0 if side != CANCEL else target - i if target >= start else max(0, handles[target])
            part.append((side, price, units, owner, order))
            plain.hear(i, *rows[i])
        book = book.propagate(orders(*part))
        handles += book.handles.tolist()
        trades += made(book)
        assert quoted(book) == plain.quote()
        check_board(book, plain)
    assert trades == plain.trades


def check_board(book: Book, plain: Plain) -> None:
    """What rests, how much at each price, and accounts: all add up."""
    found, board = book.board.orders, book.board
    resting = Counter(tuple(int(x) for x in row[[SIDE, 0, UNITS, OWNER]]) for row in found if row[UNITS])
    assert resting == Counter(tuple(x[:4]) for x in plain.waiting)
    assert board.marks[BIDS] + board.marks[ASKS] == len(plain.waiting)
    depth = np.zeros(TICKS, int)
    for _, price, units, *_ in plain.waiting:
        depth[price] += units
    assert board.queues[:, DEPTH].tolist() == depth.tolist()
    account = np.zeros((OWNERS, 2), int)
    for buyer, seller, price, units, _ in plain.trades:
        account[buyer] += (units, -price * units)
        account[seller] -= (units, -price * units)
    assert board.accounts.tolist() == account.tolist()
    assert board.accounts[:, HELD].sum() == board.accounts[:, MONEY].sum() == 0


def test_many_orders_keep_every_unit_and_every_tick():
    random, n = np.random.default_rng(0), 50_000
    side = random.choice([BUY, SELL, CANCEL], n, p=[0.4, 0.4, 0.2])
    order = np.where(side == CANCEL, -np.minimum(random.integers(1, 100, n), np.arange(n)), 0)
    sent = Orders(side, random.integers(0, 100, n), random.integers(1, 10, n), random.integers(0, 50, n), order)
    book = Book.empty(100, 50).propagate(sent)
    trades, board = book.trades, book.board
    assert len(trades.price) > 10_000 and board.marks[BIDS] + board.marks[ASKS] > 0
    assert board.accounts.sum(0).tolist() == [0, 0]
    bought = np.bincount(trades.buyer, trades.units, 50) - np.bincount(trades.seller, trades.units, 50)
    assert board.accounts[:, HELD].tolist() == bought.tolist()
    halves = [Orders(*(x[part] for x in sent)) for part in (slice(25_000), slice(25_000, None))]
    handle = np.where(halves[1].order < -np.arange(25_000), 0, halves[1].order)  # those that reach into the first half
    again = Book.empty(100, 50).propagate(halves[0]).propagate(halves[1]._replace(order=handle))
    assert again.board.accounts.sum(0).tolist() == [0, 0]


# --- as a signal -----------------------------------------------------------------------------------------------


class Callers(HostAgent):
    """Each sends a random order a round; they are heard in an order that the same draws decide."""

    name: np.ndarray

    def respond_all(self, view, key):
        random = np.random.default_rng(key)
        who = random.permutation(self.name)
        side = random.choice([BUY, SELL], who.size)
        return self, Orders(side, random.integers(0, TICKS, who.size), np.ones_like(who), who, np.zeros_like(who))


def test_a_host_society_of_the_protocol_alone_runs_on_it():
    society = HostSociety(Callers(np.arange(OWNERS)), Book.empty(TICKS, OWNERS))
    outcome = cx.run(society, 20, seed=3)
    assert outcome.digest() == cx.run(society, 20, seed=3, tolerance=0.0).digest()  # round by round
    assert outcome.society.signal.board.accounts.any()
    assert outcome.society.signal.board.accounts.sum(0).tolist() == [0, 0]
    assert outcome.unrest == OWNERS


def test_what_everyone_reads_does_not_grow_with_the_crowd():
    from catallax.measures.bits import bits

    few, many = (bits(HostSociety(Callers(np.arange(n)), Book.empty(TICKS, n))) for n in (4, 40))
    assert few["public"] == many["public"] == 3 * 64


class Compiled(cx.Agent):
    place: np.ndarray

    def respond(self, view, key):
        return self, view.public.bid


@pytest.mark.parametrize(
    "switch", [{}, {"activation": "random order"}, {"activation": 0.5}, {"channel": cx.Channel(bits=3)}]
)
def test_a_compiled_society_is_refused_whatever_the_switch(switch):
    society = Society(Compiled(np.zeros(3)), Book.empty(TICKS, 3))
    with pytest.raises(cx.Refused, match="HostSociety"):
        cx.run(society, 2, **switch)


@pytest.mark.parametrize("switch", [{"activation": "random order"}, {"channel": cx.Channel(bits=3)}])
def test_switches_of_a_host_society_are_refused(switch):
    with pytest.raises(cx.Refused, match="host society"):
        cx.run(HostSociety(Callers(np.arange(3)), Book.empty(TICKS, 3)), 2, **switch)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((2, 3, 1, 0), r"side\[1\] is 2: give 1 to buy"),
        ((BUY, 3, -1, 0), r"units\[1\] is -1"),
        ((BUY, 3, 1, OWNERS), r"owner\[1\] is 4: give an owner of this book, 0 to 3"),
        ((BUY, -1, 1, 0), r"price\[1\] is -1: nobody can meet it"),
        ((SELL, TICKS, 1, 0), r"price\[1\] is 8"),
        ((CANCEL, 0, 0, 0, -2), r"order\[1\] is -2: no row is so far up"),
    ],
)
def test_rows_that_are_no_orders_are_refused_and_nothing_is_done(row, words):
    with pytest.raises(cx.BadInput, match=words):
        after((BUY, 3, 1, 0), row)


def test_columns_that_do_not_fit_are_refused():
    sent = orders((BUY, 3, 1, 0), (BUY, 3, 1, 0))
    with pytest.raises(cx.BadInput, match=r"Orders.price is float64\[2\]"):
        Book.empty(TICKS, 1).propagate(eqx.tree_at(lambda o: o.price, sent, np.array([1.5, 2.0])))
    with pytest.raises(cx.BadInput, match=r"Orders.units is int64\[1\]"):
        Book.empty(TICKS, 1).propagate(eqx.tree_at(lambda o: o.units, sent, np.array([1])))


@pytest.mark.parametrize(("sizes", "words"), [((0, 3), "ticks"), ((5, 0), "owners"), ((5, 3, -1), "levels")])
def test_impossible_books_are_refused(sizes, words):
    with pytest.raises(cx.BadInput, match=f"Book.{words}"):
        Book.empty(*sizes)
