"""Students who ask for seats at a list of prices, and the search for a list at which nearly all is cleared.

A round: one price list is announced, every student asks for its best affordable bundle, and the seats asked for are
counted. With demand d and capacity q the excess and the clearing error, in seats, are

    z_j = d_j - q_j where p_j > 0,  max(0, d_j - q_j) where p_j = 0        alpha = sqrt(sum_j z_j^2)

The search goes in waves. In the first three quarters of one, prices follow the excess in ever shorter steps,

    p_j <- min(top, max(0, p_j + h z_j / q_j))          h from STEPS[0] to STEPS[1], geometrically

in the rest, single prices of the best list are moved by lot (a course asked for too much: dearer; too little: cheaper,
or free); a list that is no worse and whose excess was not met lately (tabu) takes its place. The next wave begins near
the best list. After all waves, or at once where the error is 0, that list stays for good.

A. Othman, T. Sandholm, E. Budish, Finding approximate competitive equilibria: efficient and fair course allocation,
AAMAS 2010; E. Budish, R. Gao, A. Othman, A. Rubinstein, Q. Zhang, Practical algorithms and experimentally validated
incentives for equilibrium-based fair division (A-CEEI), EC 2023 (short steps).
"""

import dataclasses
import functools
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt64

from catallax.core.agent import HostAgent, View
from catallax.core.errors import Refused
from catallax.core.random import host_bits, host_key
from catallax.core.signal import Signal
from catallax.economy.courses.bundles import best_bundles

STEPS = (0.05, 0.0005)  # of a budget of 1, where demand exceeds capacity by all of it: the first and the last step
FAR = 0.5  # a wave begins where each price is within a factor exp(FAR) of the best list's
ALONE = (0.002, 0.3)  # of a budget of 1: the least and the greatest change of a single price
FREE = 0.2  # the chance that a price that falls falls to 0
MEMORY = 32  # excesses that are not gone back to
SEARCH = 2  # the stream of random bits that is the search's own


class Students(HostAgent):
    """Who asks for what. `values` [students, courses] should be strict: no two bundles worth the same."""

    values: Float[np.ndarray, "students courses"]
    limits: Int[np.ndarray, " students"]
    budgets: Float[np.ndarray, " students"]
    pairs: tuple[tuple[int, int], ...] = eqx.field(static=True, default=())  # courses that exclude each other

    @property
    def conflicts(self) -> Bool[np.ndarray, "courses courses"]:
        """Which courses exclude each other: a fact that all know, and no row a student."""
        return exclusions(self.pairs, self.values.shape[1])

    def respond_all(self, view: View, key: np.ndarray) -> tuple["Students", Bool[np.ndarray, "students courses"]]:
        """The best bundle of each at the prices heard; nobody draws lots."""
        return self, best_bundles(self.values, view.public, self.conflicts, self.limits, self.budgets)

    def respond(self, view: View, key: Any) -> Any:
        """Refused: there is no compiled student."""
        raise Refused(
            "students choose their bundles on the host, all at once: one of them cannot be traced by itself, so its "
            "influence is not known and the society cannot be lesioned from outside"
        )


@functools.lru_cache(maxsize=64)
def exclusions(pairs: tuple[tuple[int, int], ...], courses: int) -> Bool[np.ndarray, "courses courses"]:
    """The pairs as a symmetric matrix; not to be written to."""
    matrix = np.zeros((courses, courses), bool)
    for a, b in pairs:
        matrix[a, b] = matrix[b, a] = True
    return matrix


class Search(NamedTuple):
    """Where the search stands: the list announced in this round, the best so far, and the one whose neighbours are tried."""

    price: Float[np.ndarray, " courses"]
    best: Float[np.ndarray, " courses"]
    centre: Float[np.ndarray, " courses"]
    centre_excess: Int[np.ndarray, " courses"]
    met: UInt64[np.ndarray, "memory"]  # marks of the excesses of the last centres
    error: float = np.inf  # clearing error of the list last answered, seats
    best_error: float = np.inf
    centre_error: float = np.inf
    round: int = 0


class SeatPrices(Signal):
    """The price of a seat in each course, in units of a budget, searched round by round.

    `capacity` [courses], seats; `top`: no price is set above it; `waves` of `wave` rounds each; `seed` of the lots;
    `search`: what moves, `search.best` is what an outcome is taken at.
    """

    merge: ClassVar[str] = "count"
    standing: ClassVar[bool] = True
    capacity: Int[np.ndarray, " courses"]
    top: float
    seed: int
    wave: int
    waves: int
    search: Search

    def public(self) -> Float[np.ndarray | Array, " courses"]:
        """The price of each course's seats."""
        return self.search.price

    def listen(self, actions: Bool[np.ndarray, "students courses"]) -> Int[np.ndarray, " courses"]:
        """Seats asked for."""
        return actions.sum(0, dtype=np.int32)

    def unrest(self, summary: Int[np.ndarray, " courses"]) -> float:
        """The least clearing error so far, in seats; 0 once the search rests: what is left is then the problem's gap."""
        if self.search.round >= self.wave * self.waves:
            return 0.0
        return min(self.search.best_error, clearing(self.search.price, summary, self.capacity)[1])

    def propagate(self, summary: Int[np.ndarray, " courses"]) -> "SeatPrices":
        """The next list to announce."""
        excess, error = clearing(self.search.price, summary, self.capacity)
        heard = answered(self.search, excess, error, self.searching_alone(self.search.round))
        return dataclasses.replace(self, search=heard._replace(price=self.next_price(heard, excess)))

    def searching_alone(self, round: int) -> bool:
        """Whether single prices are moved in this round."""
        return round % self.wave >= 3 * self.wave // 4

    def next_price(self, search: Search, excess: np.ndarray) -> np.ndarray:
        """The list of the round `search.round`, after one with `excess`."""
        t = search.round
        if search.best_error == 0 or t >= self.wave * self.waves:
            return search.best
        chance = draws(self.seed, t, max(4, search.best.size))
        if t % self.wave == 0:
            price = search.best * np.exp(FAR * (2 * chance[: search.best.size] - 1))
        elif self.searching_alone(t):
            price = one_price_moved(search.centre, search.centre_excess, chance)
        else:
            step = STEPS[0] * (STEPS[1] / STEPS[0]) ** (t % self.wave / self.wave / 0.75)
            price = search.price + step * excess / np.maximum(self.capacity, 1)
        return np.clip(price, 0.0, self.top)


def opening(capacity: np.ndarray, price: np.ndarray) -> Search:
    """Before the first round."""
    return Search(price, price, price, np.zeros(capacity.size, np.int64), np.zeros(MEMORY, np.uint64))


def answered(search: Search, excess: np.ndarray, error: float, alone: bool) -> Search:
    """What is known after an answer; `price` still stands."""
    tag, t = mark(excess), search.round
    found = search._replace(error=error, round=t + 1)
    if error < search.best_error:
        found = found._replace(best=search.price, best_error=error)
    sideways = alone and error == search.centre_error and tag not in search.met
    if not (error < search.centre_error or sideways):
        return found
    met = search.met.copy()
    met[t % MEMORY] = tag
    return found._replace(centre=search.price, centre_excess=excess, centre_error=error, met=met)


def one_price_moved(price: np.ndarray, excess: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """The list with the price of one course that is not cleared moved; which, and how far, by lot."""
    wrong = np.flatnonzero(excess)
    if not wrong.size:
        return price
    j = wrong[int(chance[0] * wrong.size)]
    size = ALONE[0] * (ALONE[1] / ALONE[0]) ** chance[1]
    moved = price.copy()
    moved[j] = price[j] + size if excess[j] > 0 else 0.0 if chance[2] < FREE else price[j] - size
    return moved


def clearing(price: np.ndarray, demand: np.ndarray, capacity: np.ndarray) -> tuple[np.ndarray, float]:
    """The excess z [courses] and the clearing error, seats."""
    excess = np.asarray(demand, np.int64) - capacity
    excess = np.where(price > 0, excess, np.maximum(excess, 0))
    return excess, float(np.sqrt(float(excess @ excess)))


def mark(excess: np.ndarray) -> np.uint64:
    """A hash of an excess (Fowler, Noll, Vo), never 0."""
    total = 0xCBF29CE484222325
    for byte in excess.astype("<i8").tobytes():
        total = ((total ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return np.uint64(total | 1)


def draws(seed: int, number: int, count: int, stream: int = SEARCH) -> Float[np.ndarray, " count"]:
    """Numbers in [0, 1) that depend on (seed, number, stream) and their position alone."""
    return host_bits(host_key(seed, number, stream), count) * 2.0**-32
