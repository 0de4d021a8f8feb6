"""The games that every textbook has, as `NormalForm`: `catallax.economy.textbook.cournot(players=3)`.

    prisoners_dilemma   temptation > reward > punishment > sucker's payoff: to defect is best whatever the other does
    stag_hunt           the stag takes both; the hare can be had alone
    matching_pennies    one wants the same side, the other another
    congestion          n players each choose one of several roads; road r costs a_r + b_r x, x those on it
    cournot             q_i (max(0, a - b Q) - c_i): quantities; Nash plays q_i = (a - n c_i + sum_j c_j, j not i) / (b (n + 1))
    bertrand            the lowest price p serves the demand max(0, a - b p), shared at a tie; a unit costs c_i

Firms alone are players, so what is "possible" in the last two is what a cartel would earn: welfare leaves buyers out.

A. Cournot, Recherches sur les principes mathématiques de la théorie des richesses, 1838. J. Bertrand, Journal des
Savants, 1883. R. Rosenthal, A class of games possessing pure-strategy Nash equilibria, Int. J. Game Theory 2, 1973.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from catallax.core.errors import BadInput
from catallax.economy.games import MOST, NormalForm

Number = float | int


def prisoners_dilemma(
    temptation: Number = 5.0, reward: Number = 3.0, punishment: Number = 1.0, sucker: Number = 0.0
) -> NormalForm:
    """Raises `BadInput` unless temptation > reward > punishment > sucker and 2 reward > temptation + sucker."""
    if not (temptation > reward > punishment > sucker and 2 * reward > temptation + sucker):
        said = f"temptation, reward, punishment, sucker are {temptation}, {reward}, {punishment}, {sucker}"
        raise BadInput(f"{said}: each must exceed the next, and twice the reward the first and last together")
    row = np.array([[reward, sucker], [temptation, punishment]])
    return NormalForm((row, row.T), actions=(("cooperate", "defect"),) * 2)


def stag_hunt(stag: Number = 4.0, hare: Number = 3.0) -> NormalForm:
    """Raises `BadInput` unless stag > hare > 0."""
    if not stag > hare > 0:
        raise BadInput(f"stag and hare are {stag} and {hare}: the stag must be worth more, and the hare something")
    row = np.array([[stag, 0.0], [hare, hare]])
    return NormalForm((row, row.T), actions=(("stag", "hare"),) * 2)


def matching_pennies() -> NormalForm:
    """The first wins a penny where both show the same side."""
    row = np.array([[1.0, -1.0], [-1.0, 1.0]])
    return NormalForm((row, -row), actions=(("heads", "tails"),) * 2)


def congestion(players: int, slope: ArrayLike, fixed: ArrayLike | None = None) -> NormalForm:
    """Payoff -(fixed_r + slope_r x_r) on the road r chosen, x_r the players there; `slope`, `fixed` [roads] >= 0."""
    rise = numbers("slope", slope)
    base = numbers("fixed", np.zeros(len(rise)) if fixed is None else fixed)
    if len(base) != len(rise):
        raise BadInput(f"fixed has {len(base)} entries and slope {len(rise)}: give one of each for every road")
    profile = every(players, len(rise))
    load = np.stack([(profile == road).sum(0) for road in range(len(rise))])
    on = np.take_along_axis(load[None], profile[:, None], 1)[:, 0]
    roads = tuple(f"road {r + 1}" for r in range(len(rise)))
    return NormalForm(-(base[profile] + rise[profile] * on), actions=(roads,) * players)


def cournot(
    players: int = 2,
    intercept: Number = 12.0,
    slope: Number = 1.0,
    cost: Number | Sequence[Number] | np.ndarray = 3.0,
    quantities: ArrayLike | None = None,
) -> NormalForm:
    """`quantities` that each firm may bring to market (default: 0, 1, ..., intercept); `cost` of a unit, of all or of each firm."""
    quantity = numbers("quantities", np.arange(int(intercept) + 1) if quantities is None else quantities)
    chosen = quantity[every(players, len(quantity))]
    margin = np.maximum(0, intercept - slope * chosen.sum(0)) - costs(cost, players)
    return NormalForm(chosen * margin, actions=(tuple(f"{q:g}" for q in quantity),) * players)


def bertrand(
    players: int = 2,
    intercept: Number = 12.0,
    slope: Number = 1.0,
    cost: Number | Sequence[Number] | np.ndarray = 2.0,
    prices: ArrayLike | None = None,
) -> NormalForm:
    """`prices` that each firm may ask (default: 0, 1, ..., intercept); `cost` of a unit, of all or of each firm."""
    asked = numbers("prices", np.arange(int(intercept) + 1) if prices is None else prices)
    chosen = asked[every(players, len(asked))]
    lowest = chosen == chosen.min(0)
    sold = lowest / lowest.sum(0) * np.maximum(0, intercept - slope * chosen)
    return NormalForm(sold * (chosen - costs(cost, players)), actions=(tuple(f"{p:g}" for p in asked),) * players)


def numbers(name: str, values: ArrayLike) -> np.ndarray:
    """A list of numbers >= 0."""
    vector = np.asarray(values, np.float64)
    if vector.ndim != 1 or not vector.size or not (np.isfinite(vector) & (vector >= 0)).all():
        raise BadInput(f"{name} is {vector.tolist()}: give a list of numbers of at least 0")
    return vector


def costs(cost: Number | Sequence[Number] | np.ndarray, players: int) -> np.ndarray:
    """What a unit costs each firm, shaped to go with [players, a_1, ..., a_n]."""
    each = np.atleast_1d(np.asarray(cost, np.float64))
    if each.shape not in ((1,), (players,)):
        raise BadInput(f"cost has shape {each.shape}: give one number, or one for each of {players} players")
    return numbers("cost", each).reshape(-1, *[1] * players)


def every(players: int, actions: int) -> np.ndarray:
    """Every joint action: which of `actions` each player takes, [players, a_1, ..., a_n]."""
    if isinstance(players, bool) or not isinstance(players, int) or players < 1:
        raise BadInput(f"players is {players!r}: give a whole number of at least 1")
    if players * float(actions) ** players > MOST:
        raise BadInput(f"{players} players with {actions} actions each make a table above {MOST:,} numbers: take fewer")
    return np.indices((actions,) * players)
