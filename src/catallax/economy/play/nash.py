"""Equilibria of games in normal form: nobody gains by doing otherwise. NumPy, float64; each with its certificate.

    Nash         u_i(x_i, x_-i) >= u_i(k, x_-i)                     for every action k, x_i independent of one another
    correlated   sum_s-i P(j, s-i) [u_i(k, s-i) - u_i(j, s-i)] <= 0   for every j told and k thought of instead

Payoffs u are [players, a_1, ..., a_n]. Two players: for supports I, J of equal size k, y on J makes all rows of I equally
good and x on I all columns of J,

    A_IJ y = v 1, sum y = 1;   B_IJ' x = w 1, sum x = 1.

In a nondegenerate game every equilibrium is found so, and their number is odd (Wilson 1971). Which supports to try is told
by the vertices of polytopes (`vertices.py`); of a degenerate game, where they do not tell, all are tried. It is degenerate where
some strategy of k actions has more than k best answers: then equilibria may come in continua, of which only points are
listed. Gains and regrets are shares of the range of that player's payoffs, so they have no unit.

J. Nash, Non-cooperative games, Annals of Mathematics 54, 1951.
R. Aumann, Subjectivity and correlation in randomized strategies, J. Mathematical Economics 1, 1974.
B. von Stengel, Computing equilibria for two-person games, Handbook of Game Theory 3, 2002 (support enumeration).
"""

import functools as ft
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from catallax.core.errors import BadInput, Refused
from catallax.economy.play import vertices

TIE = 1e-6  # of the range of payoffs: what counts as equally good, payoffs being float32
LEAST = 1e-7  # the smallest probability that counts as played
SUPPORTS = 200_000  # pairs of supports that are gone through: all of 10 x 10 actions (184,755)
BATCH = 8192  # of them solved at once


class Equilibrium(NamedTuple):
    """One strategy a player [actions], and its certificate: the largest share of a payoff range still to be gained."""

    strategies: tuple[np.ndarray, ...]
    gain: float


class Equilibria(NamedTuple):
    """Those found; whether they are all there are; a sentence where they may not be."""

    found: tuple[Equilibrium, ...]
    complete: bool
    note: str = ""


def ranges(payoffs: np.ndarray) -> Float[np.ndarray, " players"]:
    """Most less least of each player's payoffs; 1 where they are all the same."""
    flat = payoffs.reshape(len(payoffs), -1)
    span = flat.max(1) - flat.min(1)
    return np.where(span > 0, span, 1.0)


def joint(strategies: Sequence[np.ndarray]) -> np.ndarray:
    """How likely every joint action is where players draw independently: [a_1, ..., a_n]."""
    return ft.reduce(np.multiply.outer, strategies)


def answers(payoffs: np.ndarray, strategies: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What each of a player's own actions earns on average against the others' strategies: [actions] a player."""
    found = []
    for player, own in enumerate(payoffs):
        for other in reversed(range(len(strategies))):  # from the last axis down, so that the earlier keep their place
            if other != player:
                own = np.tensordot(own, strategies[other], axes=(other, 0))
        found.append(own)
    return found


def gains(payoffs: np.ndarray, strategies: Sequence[np.ndarray]) -> float:
    """The largest gain that one player could make by another action, the others' strategies standing."""
    each = answers(payoffs, strategies)
    left = [own.max() - own @ played for own, played in zip(each, strategies, strict=True)]
    return max(0.0, float(np.max(np.asarray(left) / ranges(payoffs))))


def regrets(payoffs: np.ndarray, play: np.ndarray) -> float:
    """The largest average conditional regret: what k in place of j would have brought, on the occasions of j.

    `play` [a_1, ..., a_n]: how often every joint action occurs. 0 exactly in the correlated equilibria; never below.
    """
    worst = 0.0
    for player, span in enumerate(ranges(payoffs)):
        often = np.moveaxis(play, player, 0).reshape(play.shape[player], -1)
        paid = np.moveaxis(payoffs[player], player, 0).reshape(play.shape[player], -1)
        earned = often @ paid.T  # [j, k]: what k would have earned on the occasions of j
        worst = max(worst, float((earned - np.diag(earned)[:, None]).max() / span))
    return worst


def pure_equilibria(payoffs: np.ndarray) -> list[tuple[int, ...]]:
    """Every joint action from which nobody gains by leaving alone, by looking at all of them."""
    stable = np.ones(payoffs.shape[1:], bool)
    for player, span in enumerate(ranges(payoffs)):
        stable &= payoffs[player] >= payoffs[player].max(axis=player, keepdims=True) - TIE * span
    return [tuple(int(a) for a in profile) for profile in np.argwhere(stable)]


def certified(payoffs: np.ndarray, profile: tuple[int, ...]) -> Equilibrium:
    """A joint action as strategies, with its certificate."""
    strategies = tuple(np.eye(count)[a] for a, count in zip(profile, payoffs.shape[1:], strict=True))
    return Equilibrium(strategies, gains(payoffs, strategies))


def equilibria(payoffs: np.ndarray) -> Equilibria:
    """All equilibria of a small game of two, of others those in pure actions. `payoffs` [players, a_1, ..., a_n].

    Of a degenerate game of two some, and a note that says so. Small: 14 actions each, degenerate ones 10.
    """
    payoffs = np.asarray(payoffs, np.float64)
    if len(payoffs) == 2:
        listed = of_two(payoffs)
        if listed.complete:
            return listed
        if pairs_of_supports(payoffs.shape[1:]) <= SUPPORTS:
            return support_enumeration(payoffs[0], payoffs[1])
    found = tuple(certified(payoffs, profile) for profile in pure_equilibria(payoffs))
    why = f"{len(payoffs)} players" if len(payoffs) != 2 else f"{' x '.join(map(str, payoffs.shape[1:]))} actions"
    return Equilibria(found, False, f"Of a game of {why} only the equilibria in pure actions are looked for.")


def of_two(payoffs: np.ndarray) -> Equilibria:
    """All equilibria of a nondegenerate game of two; not complete where there is any doubt of that."""
    scaled = payoffs / ranges(payoffs)[:, None, None]
    supports, found = vertices.complementary(scaled), []
    if supports is None or any_tie(scaled):
        return Equilibria((), False)
    for rows, columns in supports:
        for strategies, doubtful in candidates(scaled, rows[None], columns[None]):
            if not doubtful:
                found.append(Equilibrium(strategies, gains(payoffs, strategies)))
    certain = len(found) == len(supports) and len(found) % 2 == 1 and all(e.gain <= TIE for e in found)
    return Equilibria(tuple(found), certain)


def pairs_of_supports(shape: Sequence[int]) -> int:
    """How many pairs of supports of equal size there are: C(m + n, m) - 1."""
    from math import comb

    return comb(shape[0] + shape[1], shape[0]) - 1


def support_enumeration(row: np.ndarray, column: np.ndarray) -> Equilibria:
    """All Nash equilibria of a nondegenerate game of two; of a degenerate one some, and a note that says so.

    `row`, `column` [a_1, a_2]: what the two earn. Raises `BadInput` where they are no such matrices and `Refused`
    above ten actions each.
    """
    payoffs = checked(row, column)
    shape = payoffs.shape[1:]
    if pairs_of_supports(shape) > SUPPORTS:
        raise Refused(
            f"{shape[0]} x {shape[1]} actions have {pairs_of_supports(shape):,} pairs of supports, above {SUPPORTS:,}: "
            "ask for pure_equilibria, or drop dominated actions"
        )
    scaled = payoffs / ranges(payoffs)[:, None, None]
    found: list[Equilibrium] = []
    doubtful = any_tie(scaled)
    for size in range(1, min(shape) + 1):
        for rows, columns in supports(shape, size):
            for strategies, ties in candidates(scaled, rows, columns):
                gain = gains(payoffs, strategies)
                if gain > TIE:
                    continue
                doubtful |= ties
                if not any(near(strategies, known.strategies) for known in found):
                    found.append(Equilibrium(strategies, gain))
    doubtful |= len(found) % 2 == 0
    note = "The game is degenerate: it may have more equilibria than these, whole continua of them." if doubtful else ""
    return Equilibria(tuple(found), not doubtful, note)


def checked(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Both matrices as one array."""
    row, column = np.asarray(row, np.float64), np.asarray(column, np.float64)
    if row.ndim != 2 or row.shape != column.shape or not row.size:
        raise BadInput(f"the two payoffs have shapes {row.shape} and {column.shape}: give two matrices [a_1, a_2]")
    for name, matrix in (("row", row), ("column", column)):
        if not np.isfinite(matrix).all():
            place = np.argwhere(~np.isfinite(matrix))[0].tolist()
            raise BadInput(f"payoff {name}{place} is not a finite number: give finite numbers only")
    return np.stack([row, column])


def any_tie(payoffs: np.ndarray) -> bool:
    """Whether an action of one has two best answers of the other: that alone makes a game degenerate."""
    return any(
        bool(((own.max(player, keepdims=True) - own <= TIE).sum(player) > 1).any())
        for player, own in enumerate(payoffs)
    )


def supports(shape: tuple[int, ...], size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of supports of one size, in batches: [pairs, size] twice."""
    rows, columns = (np.array(list(combinations(range(n), size))) for n in shape)
    for start in range(0, len(rows) * len(columns), BATCH):
        pair = np.arange(start, min(start + BATCH, len(rows) * len(columns)))
        yield rows[pair // len(columns)], columns[pair % len(columns)]


def candidates(payoffs: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[tuple, bool]]:
    """Strategies on these supports that make each other's supports equally good, and whether a tie was seen there."""
    m, n = payoffs.shape[1:]
    y, singular_y = indifferent(payoffs[0][rows[:, :, None], columns[:, None, :]])
    x, singular_x = indifferent(payoffs[1][rows[:, :, None], columns[:, None, :]].swapaxes(1, 2))
    for pair in np.flatnonzero((x > LEAST).all(1) & (y > LEAST).all(1)):
        one, other = np.zeros(m), np.zeros(n)
        one[rows[pair]], other[columns[pair]] = x[pair] / x[pair].sum(), y[pair] / y[pair].sum()
        best = [(own.max() - own <= TIE).sum() for own in answers(payoffs, (one, other))]
        yield (one, other), bool(singular_x[pair] | singular_y[pair] | (max(best) > rows.shape[1]))


def indifferent(payoffs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights [pairs, k] of columns, adding up to 1, that make all rows of `payoffs` [pairs, k, k] equally good.

    Where the equations are singular: the least such weights by norm, if any, and True in the second array.
    """
    pairs, size, _ = payoffs.shape
    system = np.ones((pairs, size + 1, size + 1))
    system[:, :size, :size], system[:, :size, size], system[:, size, size] = payoffs, -1.0, 0.0
    right = np.zeros((pairs, size + 1))
    right[:, size] = 1.0
    singular = np.abs(np.linalg.det(system)) < TIE**2
    weights = np.zeros((pairs, size + 1))
    weights[~singular] = np.linalg.solve(system[~singular], right[~singular, :, None])[..., 0]
    weights[singular] = np.einsum("pij,pj->pi", np.linalg.pinv(system[singular], rcond=TIE), right[singular])
    missed = np.abs(np.einsum("pij,pj->pi", system, weights) - right).max(1) > TIE
    weights[missed] = -1.0
    return weights[:, :size], singular


def near(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    """The same strategies, to rounding."""
    return all(np.abs(a - b).max() <= TIE for a, b in zip(one, other, strict=True))


def best_correlated(payoffs: np.ndarray) -> tuple[np.ndarray, float]:
    """The correlated equilibrium of greatest total payoff, by a linear programme, and its largest regret.

    Returns `play` [a_1, ..., a_n], the chance with which a mediator tells everyone (each alone) to play so.
    """
    from scipy.optimize import linprog

    payoffs = np.asarray(payoffs, np.float64)
    shape = payoffs.shape[1:]
    rows = []
    for player, span in enumerate(ranges(payoffs)):
        own = np.moveaxis(payoffs[player] / span, player, 0)
        for told in range(shape[player]):
            for instead in range(shape[player]):
                if told != instead:
                    row = np.zeros_like(own)
                    row[told] = own[instead] - own[told]
                    rows.append(np.moveaxis(row, 0, player).ravel())
    total = payoffs.sum(0).ravel()
    refusal = dict(A_ub=np.array(rows), b_ub=np.zeros(len(rows))) if rows else {}
    found = linprog(-total, A_eq=np.ones((1, total.size)), b_eq=[1.0], method="highs", **refusal)
    play = np.maximum(found.x, 0).reshape(shape)
    return play / play.sum(), regrets(payoffs, play / play.sum())
