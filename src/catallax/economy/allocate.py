"""Share scarce goods among many parties by prices, with a certificate: a door to `Fisher`.

    allocation = allocate(valuations, budgets, supply)           prices, bundles, and how far from optimal at most
    allocation = allocation.update(remove=["job 3"], add=...)    again from the prices that were, and what changed hands

Certificates are in float64, and so is the search, but for tolerances of 1e-4 and more where there are no caps: there it is
tried in float32 first, in half the memory. Buyers who want nothing and goods that nobody wants are left out, get nothing
and price 0, and are named in the notes. Rooms for buyers come in a few sizes, so that a market whose parties come and go
is compiled once.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput
from catallax.core.outcome import Status
from catallax.core.run import run
from catallax.economy.buyers import eisenberg
from catallax.economy.buyers.bidders import ROWS
from catallax.economy.buyers.laws import aim
from catallax.economy.fisher import KINDS, Fisher

if TYPE_CHECKING:
    from catallax.economy.fairness import Fairness
    from catallax.economy.misreport import Misreporting

Floats = NDArray[np.float64]
NARROW = 1e-4  # the least tolerance that float32 can be trusted to reach
MANY, EVEN = 2**17, 1000  # buyers who are not to be copied for the sake of a few compilations
MOST = 200  # rounds: what is not settled by then will not be


@dataclasses.dataclass(frozen=True)
class Allocation:
    """Who gets what, at which prices, and how good it is at least.

    `prices` [goods], money a unit; `allocation` [buyers, goods], units; `utilities` [buyers]; `kept` [buyers], money not
    spent (quasi-linear buyers); `rents` [buyers], money a unit of the cap, and `premiums` [buyers, goods], money a unit of
    the limit (None without caps; where caps bind buyers need not spend all). `gap`: what is missing to the most Nash
    welfare, log units, at most; `worst_buyer`: the largest log(V_i / u_i), V_i what the budget would buy;
    `clearing_error`: the largest share of a good with a price that is left over or was asked for in vain; `budget_error`:
    the largest share of a budget over- or underspent. `rounds`, `seconds`; `churn`: share of all goods' value that changed
    hands in the last `update`. `facts`: what it was made from.
    """

    prices: Floats
    allocation: Floats
    utilities: Floats
    kept: Floats
    rents: Floats | None
    premiums: Floats | None
    gap: float
    worst_buyer: float
    clearing_error: float
    budget_error: float
    status: Status
    rounds: int
    seconds: float
    notes: tuple[str, ...]
    facts: dict[str, Any]
    churn: float | None = None

    def update(self, *, add: Any = None, remove: Sequence[Any] = (), budgets: Any = None) -> Allocation:
        """The market again, from the prices that were.

        `remove`: names (or indices) of buyers who leave; `add`: a mapping with `valuations` [new, goods], and `budgets`,
        `names`, `cap`, `limit`, `elasticity` where the others have them; `budgets` [those who stay]: new ones.
        """
        old, names = self.facts, self.facts["names"]
        gone = {buyer_index(who, names, len(self.utilities)) for who in remove}
        stay = np.array([i not in gone for i in range(len(self.utilities))])
        new = {"valuations": np.zeros((0, self.prices.size)), **(add or {})}
        joined: dict[str, Any] = {}
        for field in ("valuations", "budgets", "cap", "limit", "elasticity"):
            kept = None if old[field] is None else old[field][stay]
            if field == "budgets" and budgets is not None:
                kept = np.asarray(budgets, float)
                if kept.shape != (stay.sum(),):
                    raise BadInput(
                        f"budgets has shape {kept.shape}: give one number for each of the {stay.sum()} who stay"
                    )
            more = new.get(field)
            if more is None and kept is not None and len(new["valuations"]):
                more = np.ones(len(new["valuations"])) if field == "budgets" else more
                if more is None:
                    raise BadInput(
                        f"add has no {field!r}, which the others have: give one number for each buyer who joins"
                    )
            joined[field] = kept if kept is None or more is None else joining(field, kept, more, len(new["valuations"]))
        if names is not None:
            fresh = new.get("names") or [f"new {k + 1}" for k in range(len(new["valuations"]))]
            names = (*(n for n, s in zip(names, stay) if s), *fresh)
        again = allocate(
            **joined, **{k: old[k] for k in ("supply", "utility", "tolerance", "goods")}, names=names, start=self.prices
        )
        before = np.vstack([self.allocation[stay], np.zeros((len(new["valuations"]), self.prices.size))])
        moved = np.abs(again.allocation - before).sum(0) + self.allocation[~stay].sum(0)
        worth = again.prices @ np.asarray(old["supply"])
        return dataclasses.replace(again, churn=float(moved @ again.prices / worth / 2) if worth else 0.0)

    def fairness(self, worth: Any = None) -> Fairness:
        """Who envies whom, who has less than its due, and envy up to one good: see `economy.fairness`."""
        from catallax.economy.fairness import fairness

        return fairness(self, worth)

    def misreporting(self, buyers: int = 8, seed: int = 0, lies: int = 64) -> Misreporting:
        """What `buyers` sampled buyers would gain by the best of `lies` lies, at least: see `economy.misreport`."""
        from catallax.economy.misreport import misreporting

        return misreporting(self, buyers, seed, lies)


def joining(field: str, kept: Floats, more: Any, count: int) -> Floats:
    """A fact of those who stay and of the `count` who join; one number serves all of these."""
    more = np.asarray(more, float)
    try:
        return np.concatenate([kept, np.broadcast_to(more, (count, *kept.shape[1:]))])
    except ValueError:
        due = (count, *kept.shape[1:])
        raise BadInput(f"add has {field!r} of shape {more.shape}: give {due}, a row for each buyer who joins") from None


def buyer_index(who: Any, names: Sequence[str] | None, count: int) -> int:
    """The row of a buyer, by name or number. BadInput where there is none."""
    if isinstance(who, str) and names is not None and who in names:
        return names.index(who)
    if not isinstance(who, str) and 0 <= int(who) < count:
        return int(who)
    raise BadInput(f"remove names {who!r}, who is not in the market: give names or numbers of those who are")


def allocate(
    valuations: Any,
    budgets: Any = None,
    supply: Any = None,
    utility: Any = "linear",
    elasticity: Any = None,
    tolerance: float = 1e-6,
    *,
    cap: Any = None,
    limit: Any = None,
    names: Sequence[str] | None = None,
    goods: Sequence[str] | None = None,
    start: Any = None,
) -> Allocation:
    """Prices at which everyone's best purchase is there to be had, and what everyone gets.

    `valuations` [buyers, goods] (dense or SciPy sparse); `budgets` [buyers] (default 1 each); `supply` [goods] (default 1
    each); `utility`, `elasticity`: see `Fisher`; `cap` [buyers]: the most units that each may hold in all; `limit` [buyers,
    goods]: of each good (or [goods], the same for all; one number serves everywhere; inf: none); `tolerance`: the gap that
    counts as settled; `names`, `goods`: for messages; `start`: prices to begin with.

    Raises `BadInput`, a sentence, where a fact is missing or impossible.
    """
    began = time.perf_counter()
    if not 0 < tolerance < np.inf:
        raise BadInput(f"tolerance is {tolerance!r}: give a positive number")
    value = table(valuations)
    n, m = value.shape
    facts: dict[str, Any] = dict(
        valuations=value,
        budgets=vector("budgets", budgets, n, names),
        supply=vector("supply", supply, m, goods),
        elasticity=None if elasticity is None else vector("elasticity", elasticity, n, names, least=0.0),
        cap=None if cap is None else vector("cap", cap, n, names),
        limit=None if limit is None else limits(limit, (n, m)),
    )
    facts |= dict(utility=utility, tolerance=tolerance, names=None if names is None else tuple(names))
    facts["goods"] = None if goods is None else tuple(goods)
    check_names(facts, n, m)
    own = not isinstance(utility, str)  # then nothing is known of who wants what
    wants, wanted = (np.asarray((value > 0).any(axis) | own) for axis in (1, 0))
    if not wants.any():
        raise BadInput("valuations are all zero: nobody wants anything")
    narrow = tolerance >= NARROW and not own and facts["cap"] is None and facts["limit"] is None
    for wide in (False, True) if narrow else (True,):
        with jax.enable_x64(wide):
            market = cut(facts, wants, wanted, start, np.float64 if wide else np.float32)
            ran = run(market, MOST, tolerance=float(aim(market)))
            gap, worst = eisenberg.gap(market, ran.values)
        if gap <= tolerance or ran.status is Status.INTERRUPTED:
            break
    return made(facts, market, ran, gap, worst, wants, wanted, time.perf_counter() - began)


def cut(facts: dict[str, Any], wants: Any, wanted: Any, start: Any, dtype: Any) -> Fisher:
    """The market of those who want something, over what is wanted."""

    def some(fact: Any) -> Any:
        if fact is None:
            return None
        fact = fact if wants.all() else fact[wants]  # nothing is copied that need not be
        fact = fact if fact.ndim == 1 or wanted.all() else fact[:, wanted]
        return fact.astype(dtype, copy=False)

    utility = facts["utility"]
    linear = isinstance(utility, str) and utility in KINDS[:2]
    # bundles are still to be cut to the supply, and Newton's estimate is of second order: margins, so that few are asked twice
    goal = facts["tolerance"] / (2 if linear else 5)
    return Fisher(
        some(facts["valuations"]),
        some(facts["budgets"]),
        facts["supply"][wanted].astype(dtype),
        utility,
        some(facts["elasticity"]),
        some(facts["cap"]),
        goal,
        None if start is None else np.asarray(start, float)[wanted],
        room(int(wants.sum())) if linear else 0,
        limit=None if facts["limit"] is None else some(np.minimum(facts["limit"], facts["supply"])),
    )


def room(buyers: int) -> int:
    """Seats for so many: powers of two and half-way between, then a 16th more at most; above `MANY`, a number with divisors."""
    if buyers <= ROWS:
        power = 1 << max(3, (buyers - 1).bit_length())
        return 3 * power // 4 if buyers <= 3 * power // 4 else power
    step = ROWS if buyers > MANY else max(ROWS, (1 << (buyers - 1).bit_length()) // 16)
    return buyers if buyers > MANY and buyers % EVEN == 0 else -(-buyers // step) * step


def made(facts, market: Fisher, ran: Any, gap: float, worst: float, wants, wanted, seconds: float) -> Allocation:
    """The allocation in the shape of the facts."""
    n, m = facts["valuations"].shape
    price, utilities, kept = np.zeros(m), np.zeros(n), np.zeros(n)
    bundle = ran.allocation
    if bundle.shape != (n, m):
        bundle = np.zeros((n, m))
        bundle[np.ix_(wants, wanted)] = ran.allocation
    price[wanted], utilities[wants] = ran.price, ran.utilities
    kept[wants] = ran.values.get("kept", 0.0)
    rents, premiums = (None if fact is None else np.zeros(fact.shape) for fact in (facts["cap"], facts["limit"]))
    if rents is not None:
        rents[wants] = ran.rent
    if premiums is not None:
        premiums[np.ix_(wants, wanted)] = ran.premium
    status = Status.SETTLED if gap <= facts["tolerance"] else ran.status
    status = Status.UNSETTLED if status in (Status.DONE, Status.SETTLED) and not gap <= facts["tolerance"] else status
    spent = (bundle @ price + kept)[wants]
    over = np.abs(bundle.sum(0) / facts["supply"] - 1)[wanted]
    dear = ran.price * facts["supply"][wanted] > 1e-6 * (ran.price @ facts["supply"][wanted])
    return Allocation(
        price,
        bundle,
        utilities,
        kept,
        rents,
        premiums,
        gap,
        worst,
        float(over[dear].max(initial=0.0)),
        float(np.abs(spent / facts["budgets"][wants] - 1).max()) if not market.capped else 0.0,
        status,
        ran.rounds,
        seconds,
        (
            *left_out("buyer", ~wants, facts["names"], "wants nothing and gets nothing"),
            *left_out("good", ~wanted, facts["goods"], "is wanted by nobody: its price is 0"),
        ),
        facts,
    )


def left_out(what: str, out: Any, names: Any, why: str) -> list[str]:
    """A sentence about those left out."""
    rows = np.flatnonzero(out)
    if not rows.size:
        return []
    first = names[rows[0]] if names is not None else f"{what} {rows[0]}"
    return [f"{first} {why}" + (f" (and {rows.size - 1:,} more)" if rows.size > 1 else "")]


def table(valuations: Any) -> Floats:
    """Valuations [buyers, goods], float64 or as given. BadInput for another shape, or a number that is negative or not finite."""
    value = np.asarray(valuations.toarray() if hasattr(valuations, "toarray") else valuations)
    value = value if value.dtype == np.float32 else value.astype(np.float64, copy=False)
    if value.ndim != 2 or 0 in value.shape:
        raise BadInput(f"valuations has shape {value.shape}: give [buyers, goods], at least one of each")
    wrong = ~((value >= 0) & (value < np.inf))
    if wrong.any():
        row, good = (int(k) for k in np.argwhere(wrong)[0])
        raise BadInput(f"valuations[{row}, {good}] is {value[row, good]:g}: give finite numbers of at least 0")
    return value


def vector(name: str, values: Any, count: int, labels: Any, least: float | None = None) -> Floats:
    """One number for each, ones where there is none. BadInput names the first that is wrong."""
    array = np.ones(count) if values is None else np.asarray(values, np.float64)
    array = np.full(count, array) if array.ndim == 0 else array
    if array.shape != (count,):
        raise BadInput(
            f"{name} has shape {array.shape} where the valuations ask for ({count},): give one number for each"
        )
    good = (array < np.inf) & (array > 0 if least is None else array >= least)
    if not good.all():
        row = int(np.argmin(good))
        who = f" (of {labels[row]})" if labels is not None and row < len(labels) else ""
        raise BadInput(
            f"{name}[{row}]{who} is {array[row]:g}: give a finite number {'above 0' if least is None else 'of at least 0'}"
        )
    return array


def limits(values: Any, shape: tuple[int, int]) -> Floats:
    """The most of each good that each buyer may hold; inf where there is none. BadInput for what is no such number."""
    array = np.asarray(values, np.float64)
    if array.shape not in ((), shape[1:], shape):
        raise BadInput(f"limit has shape {array.shape}: give one number, one for each of {shape[1]} goods, or {shape}")
    array = np.broadcast_to(array, shape)
    if not (array > 0).all():
        row, good = (int(k) for k in np.argwhere(~(array > 0))[0])
        raise BadInput(f"limit[{row}, {good}] is {array[row, good]:g}: give numbers above 0 (inf: no limit)")
    return array


def check_names(facts: dict[str, Any], buyers: int, goods: int) -> None:
    """BadInput for names that are too few, too many or not distinct."""
    for field, count in (("names", buyers), ("goods", goods)):
        given = facts[field]
        if given is None:
            continue
        if len(given) != count:
            raise BadInput(f"{field} has {len(given)} entries where the valuations ask for {count}: give one for each")
        if len(set(given)) != count:
            twice = next(x for k, x in enumerate(given) if x in given[:k])
            raise BadInput(f"{field} has {twice!r} twice: give every one a name of its own")
