"""The stream of orders through lightmatchingengine: dictionaries of lists, the best price searched at each order."""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

from lightmatchingengine.lightmatchingengine import LightMatchingEngine, Side
from stream import answer


def replay(rows):
    """Every trade is reported twice: in one piece to who came, and to each who was there. The latter are counted."""
    engine, orders, trades = LightMatchingEngine(), [], []
    for side, price, units, row in rows:
        if side == 0:
            engine.cancel_order(orders[row].order_id, "book")
            orders.append(None)
            continue
        own = Side.BUY if side > 0 else Side.SELL
        order, made = engine.add_order("book", price, units, own)
        orders.append(order)
        trades += [(t.trade_price, t.trade_qty) for t in made if t.trade_side != own]
    return trades


if __name__ == "__main__":
    answer(replay, "lightmatchingengine")
