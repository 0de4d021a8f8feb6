"""The order book: orders a second through the matching engine, and what zero intelligence makes of a market.

The stream is made up: limit orders around a price that stays, from 1 to 9 units, and cancellations of what still rests.
Equal accuracy first: a peer's row says whether its trades are ours, price by price and unit by unit, in order. All sides
match one order after the other. Gode and Sunder (1993) found that a budget alone brings such traders close to 100 % of the
surplus; their markets ended by the clock, ours when nobody can trade any more.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import harness, peers
from benchmarks.peers.stream import digest

TARGET = 5e6  # orders/s of the engine, one core
LONG, SHORT = 1_000_000, 10_000  # rows: ours alone; beside peers
TICKS, OWNERS = 2_000, 1_000
PEERS = (
    peers.Peer("lightmatchingengine", ("lightmatchingengine==2019.1.4",), "lightmatchingengine_book.py"),
    peers.Peer("order-matching", ("order-matching[polars]==0.12.0",), "order_matching_book.py"),
)
LEFT_OUT = "OrderBook 0.1.2 is left out: it installs, but is of Python 2 (cStringIO) and cannot be imported."


# --- the stream -----------------------------------------------------------------------------------------------


def stream(rows: int, seed: int = 0) -> Any:
    """`signals.book.Orders`, about a quarter of them cancellations, each of something that rests at that moment."""
    import numpy as np

    from catallax.signals.book import CANCEL, Book, Orders

    random = np.random.default_rng(seed)
    count = 2 * rows  # enough: of the cancellations that are drawn, those that would find nothing are dropped
    side = np.where(random.random(count) < 0.5, 1, -1)
    price = TICKS // 2 - np.round(side * random.normal(3, 10, count)).astype(int)
    back = np.minimum(random.integers(1, 1000, count), np.arange(count))
    side = np.where((random.random(count) < 0.45) & (back > 0), CANCEL, side)
    drawn = Orders(
        side,
        price,
        random.integers(1, 10, count),
        random.integers(0, OWNERS, count),
        np.where(side == CANCEL, -back, 0),
    )
    found = Book.empty(TICKS, OWNERS).propagate(drawn).handles
    keep = (side != CANCEL) | (found != -1)
    place = np.cumsum(keep) - 1  # of each row among those kept
    own = np.arange(count)
    order = np.where(side == CANCEL, place[own - back] - place, 0)
    return Orders(*(x[keep][:rows].astype(np.int64) for x in drawn._replace(order=order)))


def written(sent: Any, path: Path) -> None:
    """The stream as the peers read it."""
    rows = [[int(s), int(p), int(u), i + int(o)] for i, (s, p, u, _, o) in enumerate(zip(*sent, strict=True))]
    path.write_text(json.dumps(rows), encoding="utf-8")


# --- orders a second ------------------------------------------------------------------------------------------


def kernel_seconds(sent: Any) -> tuple[Callable[[], Any], Any]:
    """An action that puts the stream through the engine alone, into boards made before the clock starts."""
    import numpy as np

    from catallax.signals import matching
    from catallax.signals.book import Book, checked

    book = Book.empty(TICKS, OWNERS)
    after = book.propagate(sent)
    slots, trades = len(sent.side), len(after.board.tape) + 1
    rows, handles = checked(sent, book.board), np.empty(len(sent.side), np.int64)
    boards = []
    for _ in range(harness.REPEATS):
        board = Book.empty(TICKS, OWNERS, slots=slots, trades=trades).board
        board.tape[:] = 0  # touched, so that the clock sees no page faults
        boards.append(board)

    def action() -> None:
        matching.stream(boards.pop(), rows, handles)

    return action, after


def row(label: str, rows: int, seconds: tuple[float, ...], compiled: float | None, trades: int, same: str) -> dict:
    """One row of the race."""
    return {
        "engine": label,
        "orders": rows,
        "orders/s": rows / statistics.median(seconds),
        "least": rows / max(seconds),
        "most": rows / min(seconds),
        "first call s": "none" if compiled is None else compiled,
        "trades": trades,
        "trades are ours": same,
    }


def race_ours(rows: int, engine: bool) -> tuple[list[dict], Any, Any]:
    """Our rows on one stream: the engine alone (if asked for), and the signal with its checks and its copy."""
    from catallax.signals.book import Book

    book = Book.empty(TICKS, OWNERS)
    sent = stream(rows)
    rows_ours = []
    if engine:
        action, after = kernel_seconds(sent)
        timing = harness.measure(action)
        said = row("catallax, engine alone", rows, timing.seconds, COMPILED[0], len(after.trades.price), "")
        rows_ours.append(said | {"others": timing.others})
    after = book.propagate(sent)
    timing = harness.measure(lambda: book.propagate(sent))
    said = row("catallax, Book.propagate", rows, timing.seconds, None, len(after.trades.price), "")
    return [*rows_ours, said | {"others": timing.others}], sent, after


COMPILED = [float("nan")]  # seconds of the very first call in this process: compiling, or reading what was compiled


def first_call() -> None:
    """The first round of this process."""
    import numpy as np

    from catallax.signals.book import Book, Orders

    start = time.perf_counter()
    Book.empty(2, 1).propagate(Orders(*[np.zeros(1, np.int64)] * 5))  # a row of zeros, which is no order
    COMPILED[0] = time.perf_counter() - start


def race_peers(sent: Any, after: Any) -> tuple[list[dict], list[str]]:
    """The peers' rows on a stream, and why there is none."""
    ours = digest(list(zip(after.trades.price.tolist(), after.trades.units.tolist(), strict=True)))
    found, notes = [], [LEFT_OUT]
    with tempfile.TemporaryDirectory() as folder:
        written(sent, Path(folder) / "stream.json")
        for peer in PEERS:
            harness.say(f"  {peer.name}")
            try:
                got = peers.ask(peer, {"file": str(Path(folder) / "stream.json"), "repeats": harness.REPEATS})
            except peers.Missing as why:
                notes.append(f"No row for {peer.name}: {why}.")
                continue
            label = f"{peer.name} {next(iter(got['versions'].values()))}"
            same = "yes" if got["digest"] == ours else "NO"
            found.append(row(label, len(sent.side), tuple(got["seconds"]), None, got["trades"], same))
    return found, notes


def speed(options: harness.Options) -> list[harness.Table]:
    """Ours on a long stream, and everyone on a short one."""
    first_call()
    long, *_ = race_ours(LONG // 10 if options.quick else LONG, True)
    reached = long[0]["orders/s"]
    verdict = (
        f"Target {TARGET:.3g} orders/s on one core: {'reached' if reached >= TARGET else 'NOT reached'}, {reached:.3g}."
    )
    ours, sent, after = race_ours(SHORT // 10 if options.quick else SHORT, False)
    theirs, notes = race_peers(sent, after)
    for line in theirs:
        line["ours is faster by"] = f"{ours[0]['orders/s'] / line['orders/s']:.3g}x"
    return [
        harness.Table("Orders a second, ours", long, [verdict]),
        harness.Table("Orders a second, a short stream beside peers", [*ours, *theirs], notes),
    ]


# --- zero intelligence ----------------------------------------------------------------------------------------


def markets() -> dict[str, Callable[[int], Any]]:
    """Kinds of market: one for each seed."""
    from catallax.economy.auction import DoubleAuction

    few = DoubleAuction([[120, 100, 60]] * 6, [[30, 50, 75]] * 6)
    return {
        "6 x 4 units in even steps, half of them worth trading": lambda seed: DoubleAuction.example(),
        "6 x 3 units in three steps, two thirds worth trading": lambda seed: few,
        "6 x 4 units, drawn from 1 to 200 for each seed": DoubleAuction.drawn,
        "100 x 4 units, drawn from 1 to 200 for each seed": lambda seed: DoubleAuction.drawn(seed, 100, 100),
    }


def efficiency(name: str, market: Callable[[int], Any], seeds: int, constrained: bool, wiped: bool) -> dict[str, Any]:
    """One row: means over seeds, each run until nobody can trade any more."""
    import numpy as np

    import catallax as cx
    from catallax.measures.welfare import interval

    found, rounds, settled = [], [], 0
    for seed in range(seeds):
        problem = dataclasses.replace(market(seed), constrained=constrained, wiped=wiped)
        outcome = cx.settle(problem, seed=seed)
        found.append(problem.welfare(outcome))
        rounds.append(outcome.rounds)
        settled += outcome.status == "settled"
    mean, low, high = interval([w["efficiency"] for w in found])
    return {
        "market": name,
        "traders": "ZI-C" if constrained else "ZI-U",
        "a trade": "wipes the board" if wiped else "leaves the rest",
        "efficiency %": 100 * mean,
        "95 % low": 100 * low,
        "95 % high": 100 * high,
        "mean price": float(np.mean([w["mean_price"] for w in found])),
        "price deviation": float(np.mean([w["price_deviation"] for w in found])),
        "units / efficient": float(np.mean([w["units"] / w["efficient_units"] for w in found])),
        "rounds": statistics.median(rounds),
        "settled": f"{settled} of {seeds}",
    }


def zero_intelligence(options: harness.Options) -> harness.Table:
    """All kinds of market, with a budget and without."""
    seeds, rows = 20 if options.quick else 100, []
    for name, market in markets().items():
        harness.say(f"  {name}")
        for constrained, wiped in ((True, True), (True, False), (False, True)):
            rows.append(efficiency(name, market, seeds, constrained, wiped))
    notes = [
        f"{seeds} seeds; the interval is that of the mean. Where all who trade without a budget end up with all units "
        "traded, their efficiency is the market's own and has no spread.",
        "Units / efficient: units traded against those that gain by it. Price deviation: root mean square distance of "
        "trades from the clearing prices, of prices from 1 to 200.",
    ]
    return harness.Table("Efficiency of zero intelligence", rows, notes)


QUESTION = (
    "How many orders a second does the book match, and how much of the surplus do traders without intelligence get? Speed "
    "is that of the median of {repeats} replays into a new book, with the least and the most; `others`: how many cores "
    "other programs kept busy meanwhile. All on one core of the CPU, whatever the device."
)


def benchmark(options: harness.Options) -> harness.Report:
    """Speed beside peers, then efficiency over seeds."""
    harness.choose_device(options.device)
    tables = [*speed(options), zero_intelligence(options)]
    return harness.Report(
        name="order book",
        question=QUESTION.format(repeats=harness.REPEATS),
        tables=tables,
        versions=harness.versions("catallax", "numba", "numpy", "jax"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
