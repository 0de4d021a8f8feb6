"""What there is to look at on a market of models: who gains by betting against it, and who moved a price."""

import numpy as np

from catallax.core.scene import Bars, Scene, Series
from catallax.ensembles.offers import Array, Offers
from catallax.ensembles.receipt import Receipts


def wealth(offers: Offers, price: Array, names: list[str], shares: Array) -> Scene:
    """Log wealth of each member that had bet all against the price, row after row, and shares of influence.

    Whoever rises knows more than the price does; where the market is at rest, nobody does for long.
    """
    gained = np.log(offers.hits) - np.log(price[np.arange(len(price)), offers.outcome])[:, None]
    path = np.cumsum(gained * offers.weight[:, None], 0)
    rows = np.arange(1, len(price) + 1)
    kept = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), 500)).astype(int))
    curves = [Series(rows[kept], path[kept, m], name) for m, name in enumerate(names)]
    return Scene(
        "gains of betting against the market (nats, by row)", [*curves, Bars(names, shares, "share of influence")]
    )


def receipt(receipts: Receipts, row: int) -> Scene:
    """Who moved the price of the dearest outcome of a row, and what each is paid if it comes."""
    best = int(receipts.price[row].argmax())
    label = receipts.classes[best]
    return Scene(
        receipts.sentence(row),
        [
            Bars(receipts.members, receipts.moved[row, :, best], f"moved the price of {label}"),
            Bars(receipts.members, receipts.profit[row, :, best], f"profit if {label} comes"),
        ],
    )
