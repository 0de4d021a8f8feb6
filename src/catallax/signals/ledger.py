"""Who has how much, and why: double entry between modules and a treasury, in nats.

The treasury starts with nothing and lends each module its allowance; it pays what a loss reduction is worth to the
public, and takes prices, costs, rents and what a bankrupt leaves. Every entry has its counter-entry, so

    sum_j wealth_j + treasury = 0                       after every round, to rounding

A. Kwee, M. Hutter, J. Schmidhuber, Market-based reinforcement learning in partially observable worlds, ICANN 2001: money
must be conserved, or modules come to be paid for nothing.
"""

from typing import Any

import numpy as np

Array = np.ndarray
ACCOUNTS = ("revenue", "price", "cost", "rent", "transfer")  # transfer: allowance lent, and estate left


class Ledger:
    """`wealth` [modules] and `treasury`, nats; `rounds`: one page a round, each [modules]."""

    def __init__(self, names: list[str]) -> None:
        self.names = list(names)
        self.wealth = np.zeros(len(names))
        self.treasury = 0.0
        self.pages: list[dict[str, Array]] = []
        self.events: list[tuple[int, str, str]] = []
        self.open()

    def open(self) -> None:
        """A blank page."""
        self._page = {name: np.zeros(len(self.names)) for name in ACCOUNTS}
        self._opening = self.wealth.copy()

    def lend(self, module: int, allowance: float) -> None:
        """A module enters, with `allowance` of the treasury's."""
        self._move("transfer", module, allowance)

    def post(self, revenue: Array, price: Array, cost: Array, rent: float) -> None:
        """What the modules earned and owe on this round's inputs, [modules] each; `rent`: the share of wealth that is taken."""
        for name, amount in (("revenue", revenue), ("price", -price), ("cost", -cost)):
            self._move(name, slice(None), amount)
        self._move("rent", slice(None), -rent * np.maximum(self.wealth, 0.0))

    def estate(self, module: int, event: str) -> None:
        """A module leaves: what it has, or owes, is the treasury's."""
        self._move("transfer", module, -float(self.wealth[module]))
        self.wealth[module] = 0.0
        self.note(module, event)

    def note(self, module: int, event: str) -> None:
        """Something happened to a module in the round that is being written."""
        self.events.append((len(self.pages), self.names[module], event))

    def close(self) -> None:
        """The page is full: the round is over."""
        page = {
            "opening": self._opening,
            **self._page,
            "closing": self.wealth.copy(),
            "treasury": np.array(self.treasury),
        }
        self.pages.append(page)
        self.open()

    @property
    def imbalance(self) -> float:
        """What all own together, which is nothing: money that came from nowhere, or went there (0 to rounding)."""
        return float(self.wealth.sum() + self.treasury)

    def table(self) -> dict[str, Array]:
        """Every account of every module in every round, [rounds, modules], and what the treasury had at its end, [rounds]."""
        return {
            name: np.array([page[name] for page in self.pages])
            for name in ("opening", *ACCOUNTS, "closing", "treasury")
        }

    def _move(self, account: str, who: Any, amount: Any) -> None:
        amount = np.asarray(amount, np.float64)
        self.wealth[who] += amount
        self._page[account][who] += amount
        self.treasury -= float(amount.sum())
