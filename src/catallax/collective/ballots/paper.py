"""Ballots, checked once, and the result of an election.

A ranked ballot names options from the best on; what it does not name is behind all that it names, and level with the rest
that it does not. Equal ballots are counted as one with a weight, so rules cost by distinct ballots, of which there are few.
"""

import dataclasses
import functools as ft
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from catallax.core.errors import BadInput, Refused

NONE = -1  # a place on a ballot that is left blank
ALIKE = 1e-9  # of all votes: what two counts may differ by and still be a tie
TABLE = 2**22  # distinct ballots that could be, up to which they are counted without being sorted


@dataclasses.dataclass(frozen=True)
class Ballots:
    """Ranked ballots: `rankings` [ballots, places] of distinct ballots, options from the best on, -1 from where nothing follows;
    `weights` [ballots]; `options`: how many there are.
    """

    rankings: Int[np.ndarray, "ballots places"]
    weights: Float[np.ndarray, " ballots"]
    options: int

    @ft.cached_property
    def total(self) -> float:
        """The weight of all ballots."""
        return float(self.weights.sum())

    @ft.cached_property
    def positions(self) -> Int[np.ndarray, "ballots options"]:
        """The place of each option on each ballot, 0 the best; `options` where it is not named."""
        found = np.full((len(self.rankings), self.options + 1), self.options, np.int16)
        rows = np.arange(len(self.rankings))
        for place in range(self.rankings.shape[1] - 1, -1, -1):
            found[rows, self.rankings[:, place]] = place  # blanks go to the last column
        return found[:, : self.options]

    @ft.cached_property
    def pairwise(self) -> Float[np.ndarray, "options options"]:
        """The weight of the ballots that prefer i to j, at [i, j]."""
        places = self.positions
        return np.stack([self.weights @ (places[:, [i]] < places) for i in range(self.options)])

    def firsts(self, left: Bool[np.ndarray, " options"]) -> Float[np.ndarray, " options"]:
        """The weight of the ballots that name each option first among those `left`; ballots that name none are not counted."""
        places = np.where(left, self.positions, self.options)
        best = places.argmin(1)
        named = places[np.arange(len(best)), best] < self.options
        return np.bincount(best[named], self.weights[named], self.options)


def ballots(rankings: Any, options: int | None = None, weights: Any = None) -> Ballots:
    """Checked ballots of whole numbers [voters, places]: options 0, 1, ..., from the best on, -1 where nothing follows.

    `options`: how many there are (default: up to the largest named); `weights` [voters] >= 0. `Ballots` are handed through.
    **Raises** `BadInput` for an option that is unknown, or named twice on a ballot, a ballot that names none, and the like.
    """
    if isinstance(rankings, Ballots):
        if options is not None or weights is not None:
            raise BadInput("these ballots know their options and weights already: give them with the rankings")
        return rankings
    table = as_table(rankings)
    count = int(table.max()) + 1 if options is None else options
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or not 1 <= count < 2**15:
        raise BadInput(f"options is {options!r}: give how many there are, a whole number from 1 to {2**15 - 1}")
    wrong = (table < NONE) | (table >= count)
    if wrong.any():
        row, place = np.argwhere(wrong)[0]
        raise BadInput(
            f"ballot {row} names option {table[row, place]} in place {place}: there are options 0 to {count - 1}, and -1 is blank"
        )
    given = as_weights(weights, len(table))
    kinds, where = distinct(table, int(count))
    found = Ballots(kinds, np.bincount(where, given, len(kinds)), int(count))
    check_kinds(found, lambda kind: int(np.flatnonzero(where == kind)[0]))
    return found


def as_table(rankings: Any) -> Int[np.ndarray, "voters places"]:
    """Whole numbers in two axes."""
    try:
        table = np.asarray(rankings)
    except ValueError:
        raise BadInput("ballots are of different lengths: fill the shorter ones up with -1") from None
    if table.ndim != 2 or not table.size:
        raise BadInput(f"ballots have shape {table.shape}: give whole numbers [voters, places], at least one of each")
    if not np.issubdtype(table.dtype, np.integer):
        if np.issubdtype(table.dtype, np.floating) and np.isnan(table).any():
            row, place = np.argwhere(np.isnan(table))[0]
            raise BadInput(f"ballot {row} is NaN in place {place}: give whole numbers, -1 for blank")
        raise BadInput(f"ballots hold {table.dtype}: give whole numbers, -1 for blank")
    return table


def as_weights(weights: Any, voters: int) -> Float[np.ndarray, " voters"]:
    """Weights of the voters; None: one each."""
    given = np.ones(voters) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (voters,):
        raise BadInput(f"weights have shape {given.shape}: give one number for each of {voters} voters")
    wrong = np.flatnonzero(~((given >= 0) & (given < np.inf)))
    if wrong.size:
        raise BadInput(f"weights[{wrong[0]}] is {given[wrong[0]]}: give a finite number that is at least 0")
    if not given.any():
        raise BadInput("all weights are 0: give at least one ballot some weight")
    return given


def distinct(table: np.ndarray, options: int) -> tuple[np.ndarray, np.ndarray]:
    """The ballots that there are, and which of them each voter cast."""
    base, places = options + 1, table.shape[1]
    if base**places >= 2**63:
        kinds, where = np.unique(table, axis=0, return_inverse=True)
        return kinds, where.reshape(-1)
    code = np.zeros(len(table), np.int64)
    for place in range(places):
        code = code * base + (table[:, place] + 1)
    if base**places <= TABLE:
        found = np.flatnonzero(np.bincount(code, minlength=base**places))
        index = np.zeros(base**places, np.int64)
        index[found] = np.arange(len(found))
        where = index[code]
    else:
        found, where = np.unique(code, return_inverse=True)
    digits = base ** np.arange(places - 1, -1, -1, dtype=np.int64)
    return found[:, None] // digits % base - 1, where


def check_kinds(found: Ballots, voter: Any) -> None:
    """No option twice on a ballot, nothing after a blank, and not nothing at all."""
    blank = found.rankings == NONE
    late = np.flatnonzero((blank[:, :-1] & ~blank[:, 1:]).any(1))
    if late.size:
        raise BadInput(f"ballot {voter(late[0])} names an option after a blank: put -1 at the end only")
    empty = np.flatnonzero(blank.all(1))
    if empty.size:
        raise BadInput(f"ballot {voter(empty[0])} names no option: leave it out")
    line = np.sort(found.rankings, 1)
    twice = np.argwhere((line[:, 1:] == line[:, :-1]) & (line[:, 1:] != NONE))
    if twice.size:
        kind, place = twice[0]
        raise BadInput(f"ballot {voter(kind)} names option {line[kind, place]} twice: name each once at most")


@dataclasses.dataclass(frozen=True)
class Result:
    """Who won by which `rule`.

    `winners`: all who are level at the top, in rising order; where a rule may go on in several ways (a tie for elimination), all
    who win in any of them. `scores` [options] where the rule gives any, `counts`: of a runoff, [rounds, options] up to the first
    tie. `tie_break`: the order that was given, or None. `winner`: the only one, or `Refused`.
    """

    rule: str
    winners: tuple[int, ...]
    scores: Float[np.ndarray, " options"] | None = None
    counts: Float[np.ndarray, "rounds options"] | None = None
    ranking: tuple[tuple[int, ...], ...] = ()
    tie_break: tuple[int, ...] | None = None

    @property
    def winner(self) -> int:
        """The winner. Raises `Refused` where there is a tie that no order was given for."""
        first, *others = self.winners
        if others:
            level = ", ".join(map(str, self.winners))
            raise Refused(f"by {self.rule} options {level} are level: give tie_break, an order of the options")
        return first

    @property
    def tied(self) -> bool:
        """Whether there are several."""
        return len(self.winners) > 1


def order_of(tie_break: Sequence[int] | None, options: int) -> tuple[int, ...] | None:
    """The order that breaks ties, checked: all options, the one that is preferred first."""
    if tie_break is None:
        return None
    given = tuple(int(x) for x in tie_break)
    if sorted(given) != list(range(options)):
        raise BadInput(f"tie_break is {list(given)}: give each of the options 0 to {options - 1} once")
    return given


def chosen(level: Any, order: tuple[int, ...] | None) -> tuple[int, ...]:
    """The options that are `level` (indices), or the first of them in the order."""
    found = tuple(sorted(int(x) for x in level))
    return found if order is None or not found else (min(found, key=order.index),)


def by_scores(rule: str, scores: np.ndarray, tie_break: Sequence[int] | None, unit: float) -> Result:
    """The largest score wins; scores within ALIKE x `unit` are level."""
    order, near = order_of(tie_break, len(scores)), ALIKE * max(unit, 1e-300)
    return Result(
        rule, chosen(np.flatnonzero(scores >= scores.max() - near), order), scores, None, tiers(scores, near), order
    )


def tiers(scores: np.ndarray, near: float) -> tuple[tuple[int, ...], ...]:
    """Options from the largest score down, those that are level together."""
    found: list[list[int]] = []
    for option in np.argsort(-scores, kind="stable").tolist():
        if found and scores[found[-1][0]] - scores[option] <= near:
            found[-1].append(option)
        else:
            found.append([option])
    return tuple(tuple(sorted(tier)) for tier in found)
