"""Who has how much say: shares, how many equals they are worth, a cap on them, and power where a quota decides.

    HHI = sum_i s_i^2        effective number = 1 / HHI                             s: shares, sum 1
    capped(s) = argmin |t - s|^2  over  0 <= t_i <= most, sum t = 1                 t_i = min(max(s_i + level, 0), most)

A coalition wins if its weights reach the quota q; i swings a losing coalition that wins once i joins. Of n members

    Banzhaf         beta_i = swings_i / 2^(n-1), or as shares: swings_i / sum_j swings_j
    Shapley-Shubik  phi_i = sum_k k! (n-1-k)! / n!  swings_i(k)                     swings of coalitions of k others
    Shapley         phi_i = mean over all orders of v(those before i, and i) - v(those before i)

Swings are counted exactly in whole numbers: coalitions by weight (n q steps; by weight and size n^2 q), each member then taken out
of the count again. Sampled Shapley values come with standard errors; antithetic: each order is walked backwards, too.

O. C. Herfindahl 1950; M. Laakso, R. Taagepera, Comparative Political Studies 12, 1979; J. F. Banzhaf, Rutgers Law Review 19, 1965;
L. S. Shapley, M. Shubik, American Political Science Review 48, 1954; I. Mann, L. S. Shapley, RAND RM-3158, 1962 (the counts);
J. Castro, D. Gómez, J. Tejada, Computers & Operations Research 36, 2009 (sampling).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from catallax.core.errors import BadInput

EXACT = 12  # members whose 2^12 coalitions are all tried


# --- shares ------------------------------------------------------------------------------------------------------------


def herfindahl(shares: Any) -> float:
    """Sum of squared shares, from 1 / members (equals) to 1 (a monopoly). `shares` [members]: any weights >= 0."""
    return float(np.square(normalised(shares)).sum())


def effective_number(shares: Any) -> float:
    """How many equals are as concentrated as `shares` [members]: 1 / HHI."""
    return 1 / herfindahl(shares)


def capped(weights: Any, most: Any) -> Float[np.ndarray, " members"]:
    """The shares nearest to `weights` (scaled to sum 1) of which none is above `most`, [members].

    What is cut off goes to all who are below, in equal parts, those with nothing among them: leave a member that must
    have nothing out before. Raises `BadInput` for weights that are no shares, and for a cap below 1 / members.
    """
    shares = normalised(weights)
    members = len(shares)
    if not (isinstance(most, (int, float, np.number)) and most <= 1 and most * members >= 1 - 1e-12):
        raise BadInput(
            f"max_influence is {most!r} and there are {members} members: shares add up to 1, so give a number in "
            f"[{1 / members:.4g}, 1]"
        )
    if shares.max() <= most:
        return shares
    found = np.minimum(shares + _level(shares, float(most)), most)
    return found / found.sum() if found.sum() < 1 else found  # rounding; a cap of exactly 1 / members


def _level(shares: Any, most: float) -> float:
    """The level of the header: what all are raised by. It is not below 0, for shares add up to 1 before they are cut."""
    ordered = np.sort(shares)[::-1]
    for cut in range(1, len(shares) + 1):  # the `cut` largest are at the cap
        rest = ordered[cut:]
        level = (1 - cut * most - rest.sum()) / len(rest) if len(rest) else most
        if not len(rest) or rest[0] + level <= most:
            return level
    raise AssertionError("the last turn returns")


def normalised(weights: Any) -> Float[np.ndarray, " members"]:
    """Weights >= 0 as shares, [members]. Raises `BadInput` for anything else."""
    given = np.asarray(weights, np.float64)
    if given.ndim != 1 or not given.size:
        raise BadInput(f"shares have shape {list(given.shape)}: give one number for each member")
    wrong = ~((given >= 0) & np.isfinite(given))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise BadInput(f"shares[{i}] is {float(given[i])!r}: give finite numbers, at least 0")
    if not given.any():
        raise BadInput("shares are all 0: give at least one member a share")
    given = given / given.max()  # the sum of large weights may be no number
    return given / given.sum()


# --- power where a quota decides ---------------------------------------------------------------------------------------


def swings(weights: Any, quota: Any) -> list[int]:
    """For each member, how many coalitions of others lose without it and win with it: exact.

    `weights` [members]: whole numbers >= 0; a coalition wins if its sum is at least `quota`. Of shares, give parts: of
    10 000, say. Raises `BadInput` for other numbers, and for a quota that no coalition, or the empty one, reaches.
    """
    whole, quota = _votes(weights, quota)
    table = _table(1, quota)
    for weight in whole:
        table[:, weight:] += table[:, : quota - weight].copy()
    return [_swung(_without(table, weight, 0), weight)[0] for weight in whole]


def banzhaf(weights: Any, quota: Any, *, absolute: bool = False) -> Float[np.ndarray, " members"]:
    """The Banzhaf index, [members]: each one's part of all swings; `absolute`: the chance of a swing where others toss coins.

    Exact counts, rounded once. Arguments and errors as for `swings`.
    """
    counts = swings(weights, quota)
    total = 2 ** (len(counts) - 1) if absolute else sum(counts)
    return np.array([count / total for count in counts])


def shapley_shubik(weights: Any, quota: Any) -> Float[np.ndarray, " members"]:
    """The Shapley-Shubik index, [members]: in what part of all orders of entry a member's weight reaches the quota.

    Exact counts, rounded once. Arguments and errors as for `swings`.
    """
    whole, quota = _votes(weights, quota)
    members = len(whole)
    table = _table(members + 1, quota)
    for weight in whole:
        table[1:, weight:] += table[:-1, : quota - weight].copy()
    orders = [math.factorial(k) * math.factorial(members - 1 - k) for k in range(members)]
    found: dict[int, float] = {}
    for weight in set(whole):
        counts = _swung(_without(table, weight, 1), weight)
        found[weight] = sum(a * b for a, b in zip(orders, counts)) / math.factorial(members)
    return np.array([found[weight] for weight in whole])


def _table(sizes: int, quota: int) -> Shaped[np.ndarray, "sizes quota"]:
    """How many losing coalitions there are of each size and weight, in Python's whole numbers: the empty one."""
    table = np.zeros((sizes, quota), object)
    table[0, 0] = 1
    return table


def _without(table: Any, weight: int, step: int) -> Any:
    """The count of those coalitions of which one member of this weight is none: c'(k, s) = c(k, s) - c'(k - step, s - weight)."""
    found, quota = table.copy(), table.shape[1]
    if step:
        for size in range(1, len(table)):
            found[size, weight:] -= found[size - 1, : quota - weight]
    elif weight:
        for start in range(weight, quota, weight):
            part = found[0, start : start + weight]
            part -= found[0, start - weight : start - weight + len(part)]
    else:
        found //= 2
    return found


def _swung(table: Any, weight: int) -> list[int]:
    """Coalitions of each size that lose by no more than `weight`."""
    return [sum(row) for row in table[:, table.shape[1] - weight :].tolist()]


def _votes(weights: Any, quota: Any) -> tuple[list[int], int]:
    given = np.asarray(weights)
    values = given.tolist()
    if given.ndim != 1 or not values:
        raise BadInput(f"weights have shape {list(given.shape)}: give one whole number for each member")
    for i, value in enumerate(values):
        if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0 and value == int(value)):
            raise BadInput(
                f"weights[{i}] is {value!r}: give whole numbers, at least 0 (of shares: parts of 10 000, say)"
            )
    whole = [int(value) for value in values]
    if not (isinstance(quota, (int, np.integer)) and 1 <= quota <= sum(whole)):
        raise BadInput(f"quota is {quota!r} and the weights add up to {sum(whole)}: give a whole number from 1 to that")
    return [min(weight, int(quota)) for weight in whole], int(quota)  # more than the quota is no more power


# --- Shapley values of a score -------------------------------------------------------------------------------------------


class Shapley(NamedTuple):
    """`values` [members] add up to v(all) - v(none); their standard `errors` [members], 0 where exact; coalitions `tried`."""

    values: Float[np.ndarray, " members"]
    errors: Float[np.ndarray, " members"]
    tried: int


def shapley(
    value: Callable[[tuple[int, ...]], Any],
    members: int,
    samples: int | None = None,
    *,
    seed: int = 0,
    antithetic: bool = True,
) -> Shapley:
    """What each of `members` adds to `value`, a score of the members in a tuple (in order, perhaps none).

    `samples`: orders of entry drawn; None: all coalitions, to 12 members. A coalition is valued once, however often it comes.
    `antithetic`: every order is followed by its reverse (`samples` is rounded up to even): exact where members matter
    alone or in pairs, v = sum_i a_i + sum_ij b_ij. Raises `BadInput` for too many members, too few samples, and a value
    that is no finite number.
    """
    known: dict[int, float] = {}

    def worth(coalition: int) -> float:
        if coalition not in known:
            present = tuple(i for i in range(members) if coalition >> i & 1)
            known[coalition] = float(value(present))
            if not math.isfinite(known[coalition]):
                raise BadInput(
                    f"value{present} is {known[coalition]!r}: give a finite score for every coalition, () too"
                )
        return known[coalition]

    if members < 1:
        raise BadInput(f"members is {members}: give at least 1")
    if samples is None:
        if members > EXACT:
            raise BadInput(f"there are {members} members, and all coalitions are tried to {EXACT} only: give samples")
        return Shapley(_exact(worth, members), np.zeros(members), len(known))
    pair = 2 if antithetic else 1
    draws = -(-samples // pair)
    if draws < 2:
        raise BadInput(f"samples is {samples}: give at least {2 * pair}, or no error can be told")
    gains = _sampled(worth, members, draws, antithetic, np.random.default_rng(seed))
    return Shapley(gains.mean(0), gains.std(0, ddof=1) / math.sqrt(draws), len(known))


def _exact(worth: Callable[[int], float], members: int) -> Float[np.ndarray, " members"]:
    scores = np.array([worth(coalition) for coalition in range(2**members)])
    coalitions = np.arange(2**members)
    sizes = np.array([int(c).bit_count() for c in coalitions])
    found = np.empty(members)
    for i in range(members):
        out = coalitions[(coalitions >> i & 1) == 0]
        chance = 1 / (members * np.array([math.comb(members - 1, k) for k in sizes[out].tolist()]))
        found[i] = chance @ (scores[out | 1 << i] - scores[out])
    return found


def _sampled(worth: Callable[[int], float], members: int, draws: int, antithetic: bool, rng: Any) -> Any:
    """Gains as members enter in random orders, [draws, members]; antithetic: means of an order and its reverse."""
    gains = np.zeros((draws, members))
    for row in gains:
        order = rng.permutation(members).tolist()
        ways = (order, order[::-1]) if antithetic else (order,)
        for way in ways:
            coalition, before = 0, worth(0)
            for i in way:
                coalition |= 1 << i
                row[i] += worth(coalition) - before
                before = worth(coalition)
        row /= len(ways)
    return gains
