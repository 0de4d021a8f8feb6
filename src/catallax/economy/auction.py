"""A double auction: buyers who value units, sellers to whom they cost something, and one order book.

    silence           nobody trades
    signal            the book's quote: orders meet at the best price (a continuous double auction)
    planner           the units worth most to buyers from those whom they cost least, as long as that is a gain
    full information  refused: everyone who knows all values and costs may hold out for any price

Surplus is the value of all units bought less the cost of all units sold, whatever was paid; the headline, efficiency, is
its share of the planner's. The traders have no intelligence: they name prices at random, and all that is asked of them
is not to trade at a loss (`constrained`, ZI-C). That the surplus is had all the same, and is not where even this is not
asked (ZI-U), is what the market does and no trader. A unit that ZI-U traders buy for less than it cost counts as the
loss that it is, so that their efficiency may be below 0.

Sorted from the best, with v_k the k-th value and c_k the k-th cost, Q is the number of units for which v_k > c_k, the
maximal surplus is sum_{k <= Q} (v_k - c_k), and every price in [max(c_Q, v_{Q+1}), min(v_Q, c_{Q+1})] clears the market.

D. Gode and S. Sunder, Allocative efficiency of markets with zero-intelligence traders, J. Political Economy 101, 1993.
V. Smith, An experimental study of competitive market behavior, J. Political Economy 70, 1962.
"""

from functools import partial
from typing import Any, ClassVar, NoReturn

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, Int

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.scene import Scene, Series
from catallax.core.society import HostSociety, Society
from catallax.signals.book import BUY, HELD, MONEY, NONE, SELL


def whole(name: str, values: Any) -> Int[np.ndarray, "traders units"]:
    """A table of whole prices. `BadInput` where it is none."""
    table = np.asarray(values)
    if table.ndim != 2 or not table.size or table.dtype.kind not in "iuf":
        raise BadInput(f"DoubleAuction.{name} is {table.dtype}{list(table.shape)}: give prices [traders, units]")
    wrong = np.argwhere(~(np.isfinite(table) & (table == np.round(table))))
    if wrong.size:
        row, unit = wrong[0]
        raise BadInput(f"DoubleAuction.{name}[{row}, {unit}] is {table[row, unit]}: prices are whole numbers")
    return table.astype(np.int64)


class DoubleAuction(Problem):
    """Buyers and sellers of single units before an order book.

    **Fields:** `values` [buyers, units], what each unit is worth to its buyer, the dearest first; `costs` [sellers,
    units], what each costs its seller, the cheapest first (a trader trades its units in this order; -1 at the end of a
    row: no such unit); prices are whole and from `lowest` to `highest`; `constrained`: whether traders keep from trading
    at a loss (ZI-C, or else ZI-U); `wiped`: whether a trade takes all other orders off the board (Gode and Sunder's rule).

    Traders are counted buyers first. **Raises** `BadInput` for a price outside the range, a row in the wrong order, or
    where no buyer values anything above its cost.
    """

    values: Int[np.ndarray, "buyers units"] = eqx.field(converter=partial(whole, "values"))
    costs: Int[np.ndarray, "sellers units_for_sale"] = eqx.field(converter=partial(whole, "costs"))
    lowest: int = eqx.field(static=True, default=1)
    highest: int = eqx.field(static=True, default=200)
    constrained: bool = eqx.field(static=True, default=True)
    wiped: bool = eqx.field(static=True, default=True)

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        for name in ("lowest", "highest"):
            if type(getattr(self, name)) is not int or not 0 <= getattr(self, name) < 2**31:
                raise BadInput(f"DoubleAuction.{name} is {getattr(self, name)!r}: give a whole price of at least 0")
        if self.highest <= self.lowest:
            raise BadInput(f"DoubleAuction.highest is {self.highest}: give a price above the lowest, {self.lowest}")
        for name in ("constrained", "wiped"):
            if not isinstance(getattr(self, name), bool):
                raise BadInput(f"DoubleAuction.{name} is {getattr(self, name)!r}: give True or False")
        check_row_order("values", self.values, self.lowest, self.highest, falls=True)
        check_row_order("costs", self.costs, self.lowest, self.highest, falls=False)
        if not self.equilibrium()[2]:
            raise BadInput("DoubleAuction.values has none above any of the costs: give one that is worth trading")

    @classmethod
    def example(cls) -> "DoubleAuction":
        """A market of Gode and Sunder's kind: 6 buyers and 6 sellers of 4 units each, prices from 1 to 200.

        Values fall from 150 and costs rise from 10 in even steps; the market clears at 78 to 82 with 12 units.
        """
        rank = 6 * np.arange(4) + np.array([0, 5, 1, 4, 2, 3])[:, None]
        return cls(150 - 6 * rank, 10 + 6 * rank)

    @classmethod
    def drawn(cls, seed: int, buyers: int = 6, sellers: int = 6, units: int = 4, highest: int = 200) -> "DoubleAuction":
        """A random market: values and costs drawn from 1 to `highest`, each as likely."""
        random = np.random.default_rng(seed)
        values, costs = (random.integers(1, highest + 1, (n, units)) for n in (buyers, sellers))
        return cls(-np.sort(-values, 1), np.sort(costs, 1), highest=highest)

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> HostSociety:
        """Zero-intelligence traders and their book. Raises `Refused` with a leak."""
        if leak != 0:
            raise Refused(
                "zero-intelligence traders name prices at random: they reckon with no effect, their own or not"
            )
        from catallax.economy.pit import pit  # late: it loads numba

        tables = (self.values, self.costs)
        units = max(x.shape[1] for x in tables)
        ticks = [np.where(x == NONE, NONE, x - self.lowest) for x in tables]
        limit = np.concatenate([np.pad(x, ((0, 0), (0, units - x.shape[1])), constant_values=NONE) for x in ticks])
        return pit(self.sides, limit, self.highest - self.lowest + 1, self.constrained, self.wiped)

    @property
    def sides(self) -> Int[np.ndarray, " traders"]:
        """1 of buyers, -1 of sellers."""
        return np.repeat([BUY, SELL], [len(self.values), len(self.costs)])

    def silence(self) -> Outcome:
        """Nobody trades."""
        return Outcome(values=self.valued(np.zeros(len(self.sides), np.int64)), certificate=0.0)

    def plan(self) -> Outcome:
        """The maximal surplus, exact: the best units of both sides, as long as they gain. At the middle clearing price."""
        low, high, quantity = self.equilibrium()
        traded = np.concatenate([best(-self.values, self.values != NONE, quantity),
                                 best(self.costs, self.costs != NONE, quantity)])  # fmt: skip
        values = self.valued(traded, np.full(quantity, (low + high) / 2), self.sides * traded * -(low + high) / 2)
        return Outcome(code=CODES.index(Status.SETTLED), values=values, certificate=0.0)

    def contest(self, leak: float = 1.0) -> Outcome:
        """Refused: it has too many equilibria."""
        raise Refused(
            "a double auction among traders who know all values and costs has equilibria at every clearing price and "
            "some where nobody trades: none of them is the answer"
        )

    def equilibrium(self) -> tuple[int, int, int]:
        """The lowest and the highest price that clear the market, and how many units gain by being traded."""
        value, cost = -np.sort(-self.values[self.values != NONE]), np.sort(self.costs[self.costs != NONE])
        shorter = min(len(value), len(cost))
        quantity = int((value[:shorter] > cost[:shorter]).sum())
        value = np.append(value, self.lowest)  # where there are no more units, the range of prices bounds them
        cost = np.append(cost, self.highest)
        if quantity == 0:
            return int(value[0]), int(cost[0]), 0
        low = max(cost[quantity - 1], value[quantity])
        return int(low), int(min(value[quantity - 1], cost[quantity])), quantity

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """What was traded, at which prices, and what everyone made of it."""
        book: Any = society.signal
        held, money = book.local(society.agents).T
        price = book.trades.price + self.lowest
        paid = money - held * self.lowest  # accounts are in ticks above the lowest price
        return Outcome(society, values=self.valued(np.abs(held), price, paid))

    def valued(self, traded: np.ndarray, price: Any = (), money: Any = 0) -> dict[str, Any]:
        """`traded` [traders] units each, the `price` of every trade, the `profit` of each, and the `surplus`."""
        n, worth = len(self.values), np.zeros(len(traded))
        worth[:n], worth[n:] = first_units(self.values, traded[:n]), -first_units(self.costs, traded[n:])
        values = dict(traded=traded, price=np.asarray(price, np.float64), profit=worth + money)
        return values | {"surplus": float(worth.sum())}

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: surplus / maximal surplus; `mean_price` of all trades and `price_deviation`, the root mean square
        of their distances to the clearing prices (NaN without trades); `units` traded and `efficient_units`."""
        low, high, quantity = self.equilibrium()
        price = np.asarray(outcome.price)
        away = np.maximum(np.maximum(low - price, price - high), 0)
        mean, deviation = (float("nan"),) * 2 if not price.size else (price.mean(), np.sqrt(np.mean(away**2)))
        return dict(
            efficiency=float(outcome.surplus / self.most),
            mean_price=float(mean),
            price_deviation=float(deviation),
            units=float(outcome.traded[: len(self.values)].sum()),
            efficient_units=float(quantity),
        )

    @property
    def most(self) -> float:
        """The maximal surplus."""
        quantity = self.equilibrium()[2]
        value, cost = -np.sort(-self.values[self.values != NONE]), np.sort(self.costs[self.costs != NONE])
        return float((value[:quantity] - cost[:quantity]).sum())

    def effect(self, outcome: Outcome) -> NoReturn:
        """Refused: see `gain`."""
        raise Refused(
            "zero-intelligence traders act without the quote, so an own effect on it changes what nobody does"
        )

    def gain(self, outcome: Outcome) -> NoReturn:
        """Refused: the others' orders would not stand."""
        raise Refused(
            "had one trader acted otherwise, others would have traded with others: in a double auction run by chance no "
            "actions of the others stand still for a gain to be measured"
        )

    def conserved(self, society: Society) -> dict[str, Any]:
        """All units, with whoever they are, and all money, none of which is anybody's to begin with."""
        accounts = society.signal.local(society.agents)
        return {
            "units": int((self.costs != NONE).sum() + accounts[:, HELD].sum()),
            "money": int(accounts[:, MONEY].sum()),
        }

    def scene(self, society: Society) -> Scene:
        """Demand and supply, and the price of each trade in its turn."""
        value, cost = -np.sort(-self.values[self.values != NONE]), np.sort(self.costs[self.costs != NONE])
        curves = [steps(x, name) for x, name in ((value, "demand"), (cost, "supply"))]
        price = self.outcome(society).price
        return Scene("double auction", (*curves, Series(np.arange(len(price)) + 0.5, price, "trades")))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        crowd = f"{len(self.values):,} buyers, {len(self.costs):,} sellers"
        return dict(signal="quote", measure="efficiency (share of the surplus)", population=crowd)

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "DoubleAuction":
        """The market of the traders `keep` (buyers are counted first). `Refused` where they have nothing to trade."""
        chosen = np.arange(len(self.sides))[np.asarray(keep)]
        n = len(self.values)
        values, costs = self.values[chosen[chosen < n]], self.costs[chosen[chosen >= n] - n]
        if not (len(values) and len(costs) and values.max() > np.where(costs == NONE, self.highest, costs).min()):
            raise Refused("nobody who would be left has anything to gain by trade: there is no market")
        return self.of(values, costs)

    def replicate(self, copies: int) -> "DoubleAuction":
        """Each trader `copies` times."""
        return self.of(np.tile(self.values, (copies, 1)), np.tile(self.costs, (copies, 1)))

    def shocked(self, key: Any, size: float) -> "DoubleAuction":
        """Every value and cost multiplied by exp(size x normal), independently, in whole prices within the range."""

        def disturbed(table: np.ndarray, key: Any) -> np.ndarray:
            factor = np.exp(size * np.asarray(jax.random.normal(key, table.shape), np.float64))
            moved = np.clip(np.round(table * factor), self.lowest, self.highest).astype(np.int64)
            return np.where(table == NONE, NONE, moved)

        values, costs = (disturbed(x, jax.random.fold_in(key, k)) for k, x in enumerate((self.values, self.costs)))
        last = np.where(costs == NONE, self.highest + 1, costs)  # units that there are not stay behind the others
        last.sort(1)
        return self.of(-np.sort(-values, 1), np.where(last > self.highest, NONE, last))

    def of(self, values: np.ndarray, costs: np.ndarray) -> "DoubleAuction":
        """Other facts, the same rules."""
        return DoubleAuction(values, costs, self.lowest, self.highest, self.constrained, self.wiped)


def check_row_order(name: str, table: np.ndarray, lowest: int, highest: int, falls: bool) -> None:
    """Prices within the range, in the order in which they are traded, and none behind a unit that is not there."""
    there = table != NONE
    for row, unit in np.argwhere(there & ((table < lowest) | (table > highest))):
        said = f"DoubleAuction.{name}[{row}, {unit}] is {table[row, unit]}"
        raise BadInput(f"{said}: give a price from {lowest} to {highest}, or -1 for no unit")
    wrong = (table[:, 1:] > table[:, :-1]) if falls else (table[:, 1:] < table[:, :-1])
    for row, unit in np.argwhere(there[:, 1:] & (wrong | ~there[:, :-1])):
        said = f"DoubleAuction.{name}[{row}, {unit + 1}] is {table[row, unit + 1]} after {table[row, unit]}"
        raise BadInput(f"{said}: give each row from its {'dearest' if falls else 'cheapest'} unit on, -1 at its end")


def best(rank: np.ndarray, there: np.ndarray, quantity: int) -> Int[np.ndarray, " traders"]:
    """How many of the `quantity` units of the lowest `rank` are each trader's."""
    last = np.where(there, rank.astype(np.float64), np.inf)
    chosen = np.argsort(last, axis=None, kind="stable")[:quantity]
    return np.bincount(chosen // rank.shape[1], minlength=len(rank)).astype(np.int64)


def first_units(table: np.ndarray, count: np.ndarray) -> Float[np.ndarray, " traders"]:
    """The sum of each row's first `count` entries."""
    return (table * (np.arange(table.shape[1]) < count[:, None])).sum(1).astype(np.float64)


def steps(price: np.ndarray, name: str) -> Series:
    """A step for each unit."""
    return Series(np.repeat(np.arange(len(price) + 1), 2)[1:-1], np.repeat(price, 2), name)
