"""Many small markets at once: the buyers and the prices of `economy.fisher`, stacked, in one compiled loop.

    found = allocate_many(valuations, budgets, supply)       valuations [markets, buyers, goods]
    found.prices, found.gap, found[3]                        of all; and what `allocate` would say of the fourth

Each market goes its own way: it hears its own prices and stands still when it is at rest; the loop ends with the last of
them. Markets are taken in blocks that fit the processor's cache, one after the other: XLA's threads wait for each other
for ever where two of these loops run at once on two cores.

All of a stack have the same shape. So a buyer who wants nothing keeps its seat with next to no budget, and goods that
nobody wants go to a buyer of their own, the heir, who wants no others: neither moves any other price. Both are left
out of what is answered and certified.
"""

from __future__ import annotations

import dataclasses
import functools as ft
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from catallax.core.agent import View
from catallax.core.errors import BadInput
from catallax.core.outcome import Status
from catallax.economy.allocate import MOST, Allocation, left_out
from catallax.economy.buyers.bidders import Bidder
from catallax.economy.buyers.laws import NOTHING
from catallax.signals.interior import Interior

Floats = NDArray[np.float64]
KINDS = ("linear", "quasi-linear")
FIGURES = ("gap", "worst_buyer", "clearing_error", "budget_error")
BLOCK = 2**17  # valuations of a block of markets: 1 MiB


@dataclasses.dataclass(frozen=True)
class Allocations:
    """Many markets' answers; fields as those of `Allocation`, stacked along "markets".

    `prices` [markets, goods], money a unit; `allocation` [markets, buyers, goods], units; `utilities`, `kept` [markets,
    buyers]; `gap`, `worst_buyer`, `clearing_error`, `budget_error` [markets]; `status` [markets], short names of
    `Status`; `rounds` [markets]; `seconds` of all. `found[k]` is the `Allocation` of market k.
    """

    prices: Floats
    allocation: Floats
    utilities: Floats
    kept: Floats
    gap: Floats
    worst_buyer: Floats
    clearing_error: Floats
    budget_error: Floats
    status: np.ndarray
    rounds: NDArray[np.int_]
    seconds: float
    facts: dict[str, Any]

    def __len__(self) -> int:
        return len(self.gap)

    def __getitem__(self, market: int) -> Allocation:
        """One market's answer; its `seconds` are an equal share of all."""
        k = range(len(self))[market]
        one = {name: getattr(self, name)[k] for name in ("prices", "allocation", "utilities", "kept")}
        one |= {name: float(getattr(self, name)[k]) for name in FIGURES}
        facts: dict[str, Any] = dict.fromkeys(("elasticity", "cap", "limit", "names", "goods")) | self.facts
        facts |= {name: facts[name][k] for name in ("valuations", "budgets", "supply")}
        notes = (
            *left_out("buyer", ~(facts["valuations"] > 0).any(1), None, "wants nothing and gets nothing"),
            *left_out("good", ~(facts["valuations"] > 0).any(0), None, "is wanted by nobody: its price is 0"),
        )
        return Allocation(
            **one,
            rents=None,
            premiums=None,
            status=Status(self.status[k]),
            rounds=int(self.rounds[k]),
            seconds=self.seconds / len(self),
            notes=notes,
            facts=facts,
        )


def allocate_many(
    valuations: Any,
    budgets: Any = None,
    supply: Any = None,
    utility: str = "linear",
    tolerance: float = 1e-4,
    *,
    start: Any = None,
) -> Allocations:
    """Each market's prices and allocation, as `allocate` finds them, of all markets together.

    `valuations` [markets, buyers, goods]; `budgets` [markets, buyers] and `supply` [markets, goods] (default 1 each; one
    row serves all markets); `utility`: linear or quasi-linear; `tolerance`: the gap that counts as settled; `start`
    [markets, goods] or [goods]: prices to begin with. Float64 throughout.

    Raises `BadInput`, a sentence, where a fact is missing or impossible.
    """
    began = time.perf_counter()
    if not 0 < tolerance < np.inf:
        raise BadInput(f"tolerance is {tolerance!r}: give a positive number")
    if utility not in KINDS:
        raise BadInput(
            f"utility is {utility!r}: many markets at once are {' or '.join(KINDS)}; use allocate for others"
        )
    value = tables(valuations)
    k, n, m = value.shape
    budget, amount = rows("budgets", budgets, (k, n)), rows("supply", supply, (k, m))
    seats = Seats.of(value, budget, amount, utility == KINDS[1])
    first = None if start is None else rows("start", start, (k, m), least=0.0)
    price, bundle, kept, rounds = settled(seats, first, tolerance / 2)  # cut to the supply later: a margin
    found: dict[str, Any] = dict(prices=price, allocation=bundle, kept=kept, rounds=rounds)
    found |= certified(seats, price, bundle, kept)
    near = found["gap"] <= tolerance
    status = np.where(near, Status.SETTLED, np.where(np.isnan(found["gap"]), Status.BROKEN, Status.UNSETTLED))
    facts = dict(valuations=value, budgets=budget, supply=amount, utility=utility, tolerance=tolerance)
    return Allocations(**found, status=status, seconds=time.perf_counter() - began, facts=facts)


class Seats(NamedTuple):
    """Markets of one shape: who has a seat, which goods count, and what the last seat of all, the heir's, is for."""

    value: Any  # [markets, buyers, goods]
    budget: Any  # [markets, buyers], money
    supply: Any  # [markets, goods]
    wants: Any  # [markets, buyers]
    wanted: Any  # [markets, goods]
    money: bool

    @classmethod
    def of(cls, value: Floats, budget: Floats, supply: Floats, money: bool) -> Seats:
        """BadInput for a market in which nobody wants anything."""
        wants, wanted = (value > 0).any(2), (value > 0).any(1)
        empty = ~np.any(wants, 1)
        if empty.any():
            raise BadInput(f"valuations[{int(np.argmax(empty))}] are all zero: nobody wants anything in that market")
        return cls(value, budget, supply, wants, wanted, money)

    def part(self, markets: Any) -> Seats:
        """Those of some markets."""
        value, budget, supply, wants, wanted, money = self
        return Seats(value[markets], budget[markets], supply[markets], wants[markets], wanted[markets], money)

    @property
    def total(self) -> Floats:
        """The unit of money [markets]: all budgets that count, and the heir's."""
        return (self.budget * self.wants).sum(1) / (1 - self.heirs)

    @property
    def heirs(self) -> Floats:
        """The heir's share of all budgets [markets]: 0 where every good is wanted, less than half."""
        return (~self.wanted).mean(1) / 2

    def opening(self, start: Floats | None) -> tuple[Floats, Floats, Floats]:
        """Values [markets, seats, goods], shares of all money [markets, seats], and first prices, in that unit."""
        total = self.total
        share = np.where(self.wants, self.budget / total[:, None], NOTHING)
        value = np.where(self.wants[:, :, None], self.value / (total[:, None, None] if self.money else 1), 1.0)
        if not self.wanted.all():
            heir = ~self.wanted | self.wanted.all(1, keepdims=True)
            value = np.concatenate([value, heir[:, None] * 1.0], 1)
            share = np.concatenate([share, np.maximum(self.heirs, NOTHING)[:, None]], 1)
        worth = value * self.supply[:, None]
        price = np.einsum("kn,knm->km", share / worth.sum(2), worth) / self.supply
        if start is not None:
            price = np.where(self.wanted, start / total[:, None], price)
        return value, share, np.maximum(price, 1e-12 / self.supply)


class Best(NamedTuple):
    """Where a market was nearest to rest: past that, prices may wander that have no digits left."""

    price: Any
    bundle: Any
    kept: Any
    unrest: Any


def opened(value, share, price, supply, goal, money: bool):
    """A market at its start."""
    agents, signal = Bidder.opening(value, share, price, supply, money, None), Interior.opening(price, supply, goal)
    return agents, signal, Best(price, agents.bundle, agents.kept, jnp.full_like(goal, jnp.inf))


def one_round(agents, signal, best):
    """A market after one more round: what `core.round` does where nobody sleeps and nothing is lost."""
    agents, stance = agents.tally(View(signal.public(), None), None)
    now = Best(signal.price, agents.bundle, agents.kept, signal.unrest(stance))
    best = jax.tree.map(lambda new, old: jnp.where(now.unrest < best.unrest, new, old), now, best)
    return agents, signal.propagate(stance), best


@ft.partial(jax.jit, static_argnums=5)
def settle(value, share, price, supply, goal, money: bool):
    """A block of markets, all at rest or `MOST` rounds old: prices, bundles, money kept, rounds of each."""
    markets = jax.vmap(ft.partial(opened, money=money), (0, 0, 0, 0, None))(value, share, price, supply, goal)

    def on(carry):
        markets, rounds, t, _ = carry
        markets = jax.vmap(one_round)(*markets)
        moving = markets[1].tightness > 0  # which those at rest, and those with no digits left, say is 0
        return markets, rounds + moving, t + 1, moving.any()

    begin = markets, jnp.ones(len(share), int), 0, True
    (_, _, best), rounds, _, _ = jax.lax.while_loop(lambda carry: (carry[2] < MOST) & carry[3], on, begin)
    return best.price, best.bundle, best.kept, rounds


def settled(seats: Seats, start: Floats | None, goal: float) -> tuple[Floats, Floats, Floats, NDArray[np.int_]]:
    """Prices [markets, goods], bundles and money kept [markets, buyers (, goods)] as delivered, and rounds [markets]."""
    k, n, m = seats.value.shape
    size = min(max(1, BLOCK // (n * m)), 1 << (k - 1).bit_length())
    found = []
    every = np.minimum(np.arange(-(-k // size) * size), k - 1)  # the last block is filled up by the last market
    with jax.enable_x64(True):
        for markets in every.reshape(-1, size):
            part = seats.part(markets)
            opening = part.opening(None if start is None else start[markets])
            found.append(delivered(part, *settle(*opening, part.supply, goal, part.money)))
    price, bundle, kept, rounds = (np.concatenate(x)[:k] for x in zip(*found))
    return price, bundle, kept, rounds


def delivered(part: Seats, price: Any, bundle: Any, kept: Any, rounds: Any) -> tuple[Any, ...]:
    """What can be handed out, in money: nothing of unwanted goods, nothing to empty seats, and no more than there is."""
    total, n = part.total, part.budget.shape[1]
    given = np.asarray(bundle)[:, :n] * (part.wants[:, :, None] & part.wanted[:, None])
    held = given.sum(1)
    factor = np.divide(part.supply, held, out=np.ones_like(held), where=held > 0)
    given *= np.minimum(1, factor)[:, None] if part.money else factor[:, None]
    left = np.zeros_like(part.budget) if kept is None else np.asarray(kept)[:, :n] * part.wants * total[:, None]
    return np.asarray(price) * part.wanted * total[:, None], given, left, np.asarray(rounds)


def certified(seats: Seats, price: Floats, bundle: Floats, kept: Floats) -> dict[str, Any]:
    """Utilities, and by the rules of `economy.buyers.eisenberg` how far each market is from its optimum at most."""
    value, budget, supply, wants, wanted, money = seats
    budget = np.where(wants, budget, 0)
    total = budget.sum(1)
    told = price if money else price * (total / (price * supply).sum(1))[:, None]
    utility = np.einsum("knm,knm->kn", value, bundle) + kept
    with np.errstate(divide="ignore", invalid="ignore"):
        best = np.max(value / np.where(wanted, told, np.inf)[:, None], 2)
        short = np.where(wants, np.log(budget * (np.maximum(best, 1) if money else best) / utility), 0)
    parts = (budget * short).sum(1) + (told * supply).sum(1) - total + kept.sum(1)
    worth, spent = price * supply, np.einsum("knm,km->kn", bundle, price) + kept
    dear = wanted & (worth > 1e-6 * worth.sum(1, keepdims=True))
    return dict(
        utilities=utility,
        gap=np.maximum(0, parts / total),
        worst_buyer=np.where(wants, short, -np.inf).max(1),
        clearing_error=np.where(dear, np.abs(bundle.sum(1) / supply - 1), 0).max(1),
        budget_error=np.where(wants, np.abs(spent / np.where(wants, budget, 1) - 1), 0).max(1),
    )


def tables(valuations: Any) -> Floats:
    """Valuations as float64 [markets, buyers, goods]. BadInput names the market and the row of the first that is wrong."""
    value = np.asarray(valuations, np.float64)
    if value.ndim != 3 or 0 in value.shape:
        raise BadInput(f"valuations has shape {value.shape}: give [markets, buyers, goods], at least one of each")
    wrong = ~((value >= 0) & (value < np.inf))
    if wrong.any():
        market, row, good = (int(x) for x in np.argwhere(wrong)[0])
        said = f"valuations[{market}, {row}, {good}] is {value[market, row, good]:g}"
        raise BadInput(f"{said}: give finite numbers of at least 0 (market {market}, row {row})")
    return value


def rows(name: str, values: Any, shape: tuple[int, int], least: float | None = None) -> Floats:
    """One number for each of each market, ones where there is none. BadInput names the first that is wrong."""
    array = np.ones(shape) if values is None else np.asarray(values, np.float64)
    if array.shape not in (shape, shape[1:]):
        raise BadInput(
            f"{name} has shape {array.shape} where the valuations ask for {shape}: give one number for each, or one row "
            f"of {shape[1]} for all markets"
        )
    array = np.broadcast_to(array, shape)
    good = (array < np.inf) & (array > 0 if least is None else array >= least)
    if not good.all():
        market, row = (int(x) for x in np.argwhere(~good)[0])
        rule = "above 0" if least is None else "of at least 0"
        raise BadInput(f"{name}[{market}, {row}] is {array[market, row]:g}: give a finite number {rule}")
    return array
