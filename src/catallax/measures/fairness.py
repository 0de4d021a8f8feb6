"""Who envies whom: fairness of an allocation of goods among parties, from what each party thinks of every bundle.

Let x_i be the bundle of party i, B_i > 0 its entitlement (budget; default equal), and v_i.x what x is worth to i.

- envy of i towards k:  1 - (v_i.x_i / B_i) / (v_i.x_k / B_k), where positive: the share of what k's bundle is worth
  to i, head for head of entitlement, that i's own lacks. 0: no envy, 1: i has nothing that it values and k has.
  Free of the unit of each party's values.
- proportional share of i:  v_i.x_i / (B_i / sum B) v_i.supply, at least 1 where i has its due.
- envy up to one good (whole units):  the same envy after the single unit that leaves least envy is taken from k's
  bundle: E. Budish's weakening, for where whole units forbid freedom from envy.

All in float64, in blocks of rows: no more than [BLOCK numbers] are held at once, never [n, n]. A bundle's worth is a
sum of m products of numbers >= 0, off by at most (m + 1) eps of itself, so a measure by at most the `rounding`
beside it: what is not above that is none.

D. Foley, Resource allocation and the public sector, Yale Economic Essays 7, 1967 (envy); H. Steinhaus, The problem of
fair division, Econometrica 16, 1948 (proportionality); E. Budish, J. Political Economy 119, 2011 (up to one good).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from catallax.core.errors import BadInput

BLOCK = 2**22  # float64 numbers held at once: 32 MiB
Worth = Callable[[int, np.ndarray], np.ndarray]  # (party, bundles [b, m]) -> what each bundle is worth to it [b]


class Envy(NamedTuple):
    """Envy and who feels it.

    `largest` in [0, 1], to within `rounding`; `party` envies `other` most (-1, -1 where nobody envies anybody);
    `each` [n]: the largest envy that each party feels, `towards` [n] whom (-1: nobody); `count` of parties that envy.
    """

    largest: float
    rounding: float
    party: int
    other: int
    count: int
    each: Float[np.ndarray, " parties"]
    towards: Int[np.ndarray, " parties"]


class Proportion(NamedTuple):
    """Who has its due. `least` share of the due, to within `rounding` of itself; `party` has it; `each` [n];
    `count` of parties that have less than their due."""

    least: float
    rounding: float
    party: int
    count: int
    each: Float[np.ndarray, " parties"]


def envy(values: ArrayLike | Worth, allocation: ArrayLike, entitlement: ArrayLike | None = None) -> Envy:
    """The largest envy of each party towards another.

    `values` [n, m]: worth of a unit of each good to each party, or, where worth is no sum over goods, a function of
    (party, bundles [b, m]) -> [b]; `allocation` [n, m]: units; `entitlement` [n], default equal.
    Raises `BadInput` on other shapes, negative numbers, ones that are not finite, or no entitlement.
    """
    bundles, worth, due = _checked(values, allocation, entitlement)
    n, m = bundles.shape
    each, towards = np.zeros(n), np.full(n, -1)
    for rows in _blocks(n, n):
        others = worth.of(rows, bundles) / due
        towards[rows] = others.argmax(1)  # envy grows with what the other's bundle is worth: the dearest is envied most
        each[rows] = _lacking(worth.own(rows, bundles) / due[rows], others.max(1), m)
    return _summary(each, towards, m)


def envy_up_to_one(values: ArrayLike | Worth, allocation: ArrayLike, entitlement: ArrayLike | None = None) -> Envy:
    """The largest envy that is left to each party once one unit, the best to take, is gone from the other's bundle.

    As `envy`; the allocation must be of whole units. No party counted: the allocation is EF1.
    """
    bundles, worth, due = _checked(values, allocation, entitlement)
    if (bundles != np.floor(bundles)).any():
        i, j = np.argwhere(bundles != np.floor(bundles))[0]
        raise BadInput(f"allocation[{i}, {j}] is {bundles[i, j]!r}: envy up to one good asks for whole units")
    n, m = bundles.shape
    each, towards = np.zeros(n), np.full(n, -1)
    for rows in _blocks(n, n):
        own, others = worth.own(rows, bundles) / due[rows], worth.of(rows, bundles) / due
        for i, mine, theirs in zip(rows.tolist(), own, others, strict=True):
            envied = np.flatnonzero(theirs > mine)
            for k in np.array_split(envied, 1 + envied.size * m // BLOCK) if envied.size else ():
                left = worth.without_one(i, bundles[k]) / due[k]
                felt = _lacking(mine, left.max(), m)
                if felt > each[i]:
                    each[i], towards[i] = felt, k[left.argmax()]
    return _summary(each, towards, m)


def proportionality(
    values: ArrayLike | Worth,
    allocation: ArrayLike,
    entitlement: ArrayLike | None = None,
    supply: ArrayLike | None = None,
) -> Proportion:
    """What each party has of the share of all there is that is its due; 1 for one to whom nothing is worth anything.

    As `envy`; `supply` [m]: all there is of each good (default: all that is handed out).
    """
    bundles, worth, due = _checked(values, allocation, entitlement)
    n, m = bundles.shape
    everything = bundles.sum(0) if supply is None else _numbers(supply, "supply", (m,))
    share = due / due.sum()
    each = np.empty(n)
    for rows in _blocks(n, m):
        own, all_of_it = worth.own(rows, bundles), worth.of(rows, everything[None])[:, 0]
        fair = share[rows] * all_of_it
        each[rows] = np.divide(own, fair, out=np.ones(rows.size), where=fair > 0)
    party, rounding = int(each.argmin()), _rounding(m)
    return Proportion(float(each[party]), rounding, party, int((each < 1 - rounding).sum()), each)


class _Additive(NamedTuple):
    """Worth as a sum over goods."""

    values: np.ndarray

    def own(self, rows: np.ndarray, bundles: np.ndarray) -> np.ndarray:
        return np.einsum("im,im->i", self.values[rows], bundles[rows])

    def of(self, rows: np.ndarray, bundles: np.ndarray) -> np.ndarray:
        """[rows, bundles]"""
        return self.values[rows] @ bundles.T

    def without_one(self, i: int, bundles: np.ndarray) -> np.ndarray:
        """What each bundle is worth to i without the unit that it values most, [bundles]."""
        return bundles @ self.values[i] - np.max(self.values[i] * (bundles >= 1), axis=1)


class _Asked(NamedTuple):
    """Worth as a function says."""

    worth: Worth
    parties: int

    def one(self, i: int, bundles: np.ndarray) -> np.ndarray:
        found = np.asarray(self.worth(i, bundles), np.float64)
        if found.shape != (len(bundles),) or not (np.isfinite(found) & (found >= 0)).all():
            raise BadInput(
                f"values({i}, bundles) gives shape {found.shape} or a number that is negative or not finite: give one "
                f"worth of at least zero for each of {len(bundles)} bundles"
            )
        return found

    def own(self, rows: np.ndarray, bundles: np.ndarray) -> np.ndarray:
        return np.array([self.one(i, bundles[i : i + 1])[0] for i in rows.tolist()])

    def of(self, rows: np.ndarray, bundles: np.ndarray) -> np.ndarray:
        return np.stack([self.one(i, bundles) for i in rows.tolist()])

    def without_one(self, i: int, bundles: np.ndarray) -> np.ndarray:
        row, good = np.nonzero(bundles >= 1)
        least = self.one(i, bundles) if len(bundles) else np.zeros(0)
        for part in np.array_split(np.arange(row.size), 1 + row.size * bundles.shape[1] // BLOCK):
            less = bundles[row[part]]
            less[np.arange(part.size), good[part]] -= 1
            if part.size:
                np.minimum.at(least, row[part], self.one(i, less))
        return least


def _lacking(own: ArrayLike, other: ArrayLike, goods: int) -> np.ndarray:
    """1 - own / other where that is positive and not rounding."""
    mine, theirs = np.asarray(own, np.float64), np.asarray(other, np.float64)
    felt = 1 - np.divide(mine, theirs, out=np.ones(theirs.shape), where=theirs > 0)
    return np.where(felt > _rounding(goods), felt, 0.0)


def _rounding(goods: int) -> float:
    """How far a ratio of two sums of `goods` products may be off, relative to itself."""
    return 2 * (goods + 3) * float(np.finfo(np.float64).eps)


def _summary(each: np.ndarray, towards: np.ndarray, goods: int) -> Envy:
    towards = np.where(each > 0, towards, -1)
    party = int(each.argmax())
    worst = (party, int(towards[party])) if each[party] > 0 else (-1, -1)
    return Envy(float(each[party]), _rounding(goods), *worst, int((each > 0).sum()), each, towards)


def _blocks(n: int, width: int) -> Iterator[np.ndarray]:
    """The rows 0 .. n-1 in blocks of which `width` numbers a row fit into BLOCK."""
    rows = max(1, BLOCK // max(width, 1))
    for start in range(0, n, rows):
        yield np.arange(start, min(n, start + rows))


def _checked(
    values: ArrayLike | Worth, allocation: ArrayLike, entitlement: ArrayLike | None
) -> tuple[np.ndarray, _Additive | _Asked, np.ndarray]:
    bundles = _numbers(allocation, "allocation", None)
    n = len(bundles)
    due = np.ones(n) if entitlement is None else _numbers(entitlement, "entitlement", (n,))
    if (due == 0).any():
        raise BadInput(f"entitlement[{int(np.flatnonzero(due == 0)[0])}] is zero: give every party a positive one")
    if callable(values):
        return bundles, _Asked(values, n), due
    return bundles, _Additive(_numbers(values, "values", bundles.shape)), due


def _numbers(values: ArrayLike, name: str, shape: tuple[int, ...] | None) -> np.ndarray:
    """Float64 of the shape asked for (None: [parties, goods]), finite and not negative."""
    array = np.asarray(values, np.float64)
    if (array.ndim != 2 or array.size == 0) if shape is None else array.shape != shape:
        wanted = "[parties, goods], at least one of each" if shape is None else list(shape)
        raise BadInput(f"{name} has shape {list(array.shape)}: give {wanted}")
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        place = np.argwhere(wrong)[0].tolist()
        raise BadInput(f"{name}{place} is {array[tuple(place)]!r}: give finite numbers of at least zero")
    return array
