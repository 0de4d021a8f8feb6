"""The stream of orders through order-matching: one object an order, each placed and matched as it comes."""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

from datetime import datetime, timedelta

from loguru import logger
from order_matching.enums import Side
from order_matching.matching_engine import MatchingEngine
from order_matching.order import LimitOrder
from order_matching.orders import Orders
from stream import answer


def replay(rows):
    """One order at a time, its own way to take them in turn; its log is turned off, in its favour."""
    logger.remove()
    engine, trades, now = MatchingEngine(seed=1), [], datetime(2026, 1, 1)
    for i, (side, price, units, row) in enumerate(rows):
        now += timedelta(microseconds=1)
        if side == 0:
            engine.cancel_order(str(row))
            continue
        own = Side.BUY if side > 0 else Side.SELL
        order = LimitOrder(side=own, price=price, size=units, timestamp=now, order_id=str(i), trader_id="x")
        engine.place(Orders([order]))
        trades += [(t.price, t.size) for t in engine.match(timestamp=now).trades]
    return trades


if __name__ == "__main__":
    answer(replay, "order-matching")
