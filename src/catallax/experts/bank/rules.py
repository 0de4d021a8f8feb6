"""Who gets an input: four regimes that differ in what is known, and one rule for what a winner pays.

    signal            each module bids what it expects; prices clear the capacities
    full_information  the same, and each is told what it would have gained on every input, not on those it won alone
    planner           exact assignment on the loss reductions themselves: it reads the labels, so it is an upper bound
    silence           nobody bids: inputs are dealt out at random

Modules' bids b and capacity prices p decide. Whoever wins input i pays what the next best would have given,

    price_i = max(0, the largest b_ij - p_j among those who did not win it)

(second price: no bid of its own lowers it; Vickrey 1961), and keeps the rent p_j of its own scarce capacity.
"""

import dataclasses
from typing import Any

import numpy as np

from catallax.signals.routing import clear

Array = np.ndarray
REGIMES = ("signal", "full_information", "planner", "silence")
NOBODY = -1


@dataclasses.dataclass(frozen=True)
class Rules:
    """How a market is held: the settings of `MarketNet` that a round needs."""

    regime: str
    price: str
    winners: int
    capacity: Any  # [modules], share of a batch; None: no limit
    cost: Array  # [modules], nats an input
    samples: float
    folds: int
    passes: int
    floor: float
    allowance: float
    rent: float
    boldness: float
    memory: float
    reach: float
    entry: bool
    shuffle: bool
    processes: bool
    timeout: float


def hand_out(worth: Array, rules: Rules, alive: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Winners [rows, k] (`NOBODY` where none) and prices of capacity [modules], for `worth` [rows, modules]."""
    rows, modules = worth.shape
    k, capacity = min(rules.winners, int(alive.sum())), seats(rules, rows, alive)
    won, prices = np.full((rows, max(rules.winners, 1)), NOBODY), np.zeros(modules)
    if not k or not rows:
        return won, prices
    here = np.flatnonzero(alive)
    if rules.regime == "silence":
        worth = rng.random(worth.shape)
    rule = "exact" if rules.regime == "planner" else rules.price
    found, prices[here] = cleared(worth[:, here], capacity[here], k, rule)
    won[:, :k] = np.where(found == NOBODY, NOBODY, here[found])
    return won, prices if rules.regime != "silence" else np.zeros(modules)


def seats(rules: Rules, rows: int, alive: Array) -> Array:
    """How many of `rows` inputs each module may have, [modules]; those who are gone, none."""
    if rules.capacity is None:
        return np.where(alive, rows, 0)
    return np.where(alive, np.minimum(np.ceil(rules.capacity * rows - 1e-9), rows), 0).astype(np.int64)


def cleared(worth: Array, capacity: Array, k: int, rule: str) -> tuple[Array, Array]:
    """Winners of each row within the capacities, dearest first, [rows, k], and prices of capacity [modules]."""
    if (capacity >= len(worth)).all():  # nothing is scarce
        return np.argsort(-worth, 1, kind="stable")[:, :k], np.zeros(len(capacity))
    short = bool(np.minimum(capacity, len(worth)).sum() < k * len(worth))  # modules have gone: some inputs find nobody
    found = clear(worth, capacity, k, rule, opt_out=short)
    won = found.assignment
    net = np.where(won == NOBODY, -np.inf, np.take_along_axis(worth - found.prices, won, 1))
    return np.take_along_axis(won, np.argsort(-net, 1, kind="stable"), 1), found.prices


def next_best(worth: Array, prices: Array, won: Array, alive: Array) -> Array:
    """What an input would have fetched without its winners, [rows]: the second price, never below nothing."""
    net = np.where(alive, worth - prices, -np.inf)
    for slot in range(won.shape[1]):
        rows = np.flatnonzero(won[:, slot] != NOBODY)
        net[rows, won[rows, slot]] = -np.inf
    return np.maximum(net.max(1, initial=0.0), 0.0)
