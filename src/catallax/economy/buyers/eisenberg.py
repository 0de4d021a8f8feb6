"""The float64 judge of Fisher markets: what may be handed out, what it is worth, and how far from the optimum it is at most.

Also the planner of linear wants, which shares no code with the price laws: proportional response,

    b_ij <- B_i v_ij x_ij / u_i,   x_ij = s_j b_ij / sum_k b_kj

(money kept is one more good that a buyer has for itself). See `economy.fisher` for the mathematics and the references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jax.core import Tracer

from catallax.core.errors import BadInput, Refused
from catallax.economy.trade import walras
from catallax.economy.trade.own import Own

if TYPE_CHECKING:
    from catallax.economy.fisher import Fisher

PLANS: dict[str, Any] = {}  # of the last markets: welfare asks for them each time
ENOUGH = 1e-9  # gap at which the planner stops
ROUNDS = 20_000  # of the planner, at most
BLOCK = 2**18  # entries judged at a time
MOST = 2_000_000  # valuations up to which the planner and the contest take a market


def check(market: Fisher) -> None:
    """BadInput where the facts make no market."""
    if any(isinstance(x, Tracer) for x in (market.valuations, market.budgets, market.supply)):
        return
    value, budget, supply = (np.asarray(x) for x in (market.valuations, market.budgets, market.supply))
    if value.ndim != 2 or 0 in value.shape:
        raise BadInput(f"Fisher.valuations has shape {value.shape}: give [buyers, goods], at least one of each")
    for field, x, due in (("budgets", budget, value.shape[:1]), ("supply", supply, value.shape[1:])):
        if x.shape != due:
            raise BadInput(
                f"Fisher.{field} has shape {x.shape} where the valuations ask for {due}: give one value for each"
            )
        if not ((x > 0) & (x < np.inf)).all():
            row = int(np.argmin((x > 0) & (x < np.inf)))
            raise BadInput(f"Fisher.{field}[{row}] is {x[row]:g}: give a positive, finite number")
    if not ((value >= 0) & (value < np.inf)).all():
        row, good = (int(k) for k in np.argwhere(~((value >= 0) & (value < np.inf)))[0])
        raise BadInput(f"Fisher.valuations[{row}, {good}] is {value[row, good]:g}: give finite numbers of at least 0")
    for axis, what in ((1, "buyer {} wants nothing"), (0, "nobody wants good {}")):
        empty = ~(value > 0).any(axis)
        if empty.any():
            who = what.format(int(np.argmax(empty)))
            raise BadInput(f"Fisher.valuations: {who}; leave it out (economy.allocate does that, and says so)")
    check_kind(market)


def check_kind(market: Fisher) -> None:
    """BadInput for an unknown utility, and for an elasticity or a cap that does not go with it."""
    from catallax.economy.fisher import KINDS
    from catallax.economy.utility import Utility

    kind = market.utility
    if not (kind in KINDS if isinstance(kind, str) else isinstance(kind, Utility)):
        raise BadInput(f"Fisher.utility is {kind!r}: give one of {', '.join(KINDS)}, or a stacked Utility")
    if isinstance(kind, str) and (kind == "ces") != (market.elasticity is not None):
        raise BadInput(f"Fisher.elasticity goes with utility 'ces' and no other, here {kind!r}: give it there alone")
    for field in ("cap", "limit"):
        if getattr(market, field) is not None and not market.interior:
            raise BadInput(f"Fisher.{field} goes with linear and quasi-linear utility, here {kind!r}: leave it out")
    tiny, shape = np.finfo(float).tiny, market.valuations.shape
    for field, due, least in (("elasticity", shape[:1], 0.0), ("cap", shape[:1], tiny), ("limit", shape, tiny)):
        if (x := getattr(market, field)) is None:
            continue
        x = np.asarray(x)
        if x.shape != due:
            raise BadInput(f"Fisher.{field} has shape {x.shape}: give {due}, one number for each")
        if not (good := (x >= least) & (x < np.inf)).all():
            row = tuple(np.argwhere(~good)[0].tolist())
            rule = "above 0" if least else "of at least 0"
            raise BadInput(f"Fisher.{field}{list(row)} is {x[row]:g}: give a finite number {rule}")


def facts(market: Fisher) -> tuple[Any, Any, Any]:
    """Valuations, budgets, supply in float64."""
    return tuple(np.asarray(x, np.float64) for x in (market.valuations, market.budgets, market.supply))  # pyright: ignore[reportReturnType]


def traders(market: Fisher) -> walras.Traders:
    """The judge of CES buyers."""
    elasticity = {"cobb-douglas": 1.0, "leontief": 0.0}.get(market.utility)
    fixed = (
        np.asarray(market.elasticity, np.float64) if elasticity is None else np.full(len(market.budgets), elasticity)
    )
    return walras.Traders(np.asarray(market.valuations, np.float64), fixed)


def spent(market: Fisher, price: Any) -> np.ndarray:
    """What each spends on each good, money [buyers, goods], at `price` (of budgets that sum to 1)."""
    _, budget, _ = facts(market)
    if not np.isfinite(price).all():
        return np.full(market.valuations.shape, np.nan)
    if isinstance(market.utility, str):
        return traders(market).demand(price, budget) * price
    return Own(market.utility).each(lambda u, b, p: u.spending(p, b), budget, price)


def delivered(market: Fisher, bundle: np.ndarray) -> np.ndarray:
    """Bundles cut, or (where there are no caps) stretched, to the supply; float64 [buyers, goods]."""
    supply, held = np.asarray(market.supply, np.float64), bundle.sum(0, dtype=np.float64)
    factor = np.divide(supply, held, out=np.ones_like(held), where=held > 0)
    if not market.capped and not market.money:
        return bundle * factor
    bundle = bundle * np.minimum(1, factor)
    if market.limit is not None:
        np.minimum(bundle, np.asarray(market.limit), out=bundle)
    if market.cap is not None:
        bundle *= np.minimum(1, np.asarray(market.cap, np.float64) / bundle.sum(1))[:, None]
    return bundle


def valued(market: Fisher, given: np.ndarray, kept: Any, rent: Any, price: Any, premium: Any = None) -> dict[str, Any]:
    """What an outcome says: allocation, utilities, and (where there are any) price, money kept, rents, premiums."""
    values: dict[str, Any] = {"allocation": given, "utilities": utilities(market, given, kept)}
    more = (("kept", kept), ("rent", rent), ("premium", premium), ("price", price))
    return values | {name: x for name, x in more if x is not None}


def utilities(market: Fisher, given: np.ndarray, kept: Any) -> np.ndarray:
    """Utility of each buyer; NaN throughout where the allocation is."""
    if not np.isfinite(given.sum(0)).all():
        return np.full(len(given), np.nan)
    if market.interior:
        value, got = np.asarray(market.valuations), np.empty(len(given))
        for rows in blocks(*value.shape):
            got[rows] = np.einsum("ij,ij->i", value[rows].astype(np.float64, copy=False), given[rows])
        return got + (0 if kept is None else kept)
    if isinstance(market.utility, str):
        return traders(market).utility(given)
    return Own(market.utility).utility(given)


def blocks(count: int, width: int) -> list[slice]:
    """Rows a few at a time: what lies between stays in the cache, and millions of buyers are judged in little memory."""
    step = max(1, BLOCK // width)
    return [slice(at, at + step) for at in range(0, count, step)]


def log_best(market: Fisher, price: np.ndarray, rents: Rents) -> np.ndarray:
    """log V_i: of the utility that the budget buys at `price`, and at the rents on top of it."""
    budget = np.asarray(market.budgets, np.float64)
    if market.interior:
        value, best = np.asarray(market.valuations), np.empty(len(budget))
        with np.errstate(divide="ignore"):
            for rows in blocks(*value.shape):
                best[rows] = np.max(value[rows] / rents.dear(price, rows), 1)
        return np.log(budget * (np.maximum(best, 1) if market.money else best))
    if isinstance(market.utility, str):
        return np.log(budget) - np.log(traders(market).expenditure(price, np.ones(len(budget))))
    return np.log(budget) + Own(market.utility).each(lambda u, b, y: u.log_indirect(y), budget, np.log(price))


def gap(market: Fisher, values: dict[str, Any]) -> tuple[float, float]:
    """The gap of the head of `economy.fisher`, and the worst buyer's: the largest log(V_i / u_i)."""
    budget, supply = np.asarray(market.budgets, np.float64), np.asarray(market.supply, np.float64)
    price, kept = values["price"], values.get("kept", np.zeros(len(budget)))
    if not (np.isfinite(price).all() and np.isfinite(values["utilities"]).all()):
        return float("nan"), float("nan")
    if not market.capped and not market.money:
        price = price * (budget.sum() / (price @ supply))
    rents = Rents(market.cap, values.get("rent"), market.limit, values.get("premium"))
    with np.errstate(divide="ignore"):
        short = log_best(market, price, rents) - np.log(values["utilities"])
    paid = rents.paid(len(budget))
    parts = budget @ short + price @ supply - budget.sum() + kept.sum() + paid.sum()
    if market.capped:
        short = short + (values["allocation"] @ price + kept + paid) / budget - 1
    return max(0.0, float(parts / budget.sum())), float(short.max())


class Rents(NamedTuple):
    """Caps with their rents [buyers], limits with their premiums [buyers, goods]; None where there are none."""

    cap: Any
    rent: Any
    limit: Any
    premium: Any

    def dear(self, price: np.ndarray, rows: slice) -> np.ndarray:
        """Prices with rents and premiums on top, [goods] or [rows, goods]."""
        price = price if self.rent is None else price + self.rent[rows, None]
        return price if self.premium is None else price + self.premium[rows]

    def paid(self, count: int) -> np.ndarray:
        """What each buyer's caps are worth in all, money."""
        paid = np.zeros(count) if self.rent is None else self.rent * np.asarray(self.cap, np.float64)
        return (
            paid
            if self.premium is None
            else paid + np.einsum("ij,ij->i", self.premium, np.asarray(self.limit, np.float64))
        )


# --- the planner ---


def remembered_plan(market: Fisher) -> dict[str, Any]:
    """The plan, kept for the last few markets."""
    name = market.facts_digest()
    if name not in PLANS:
        while len(PLANS) > 64:
            PLANS.pop(next(iter(PLANS)))
        PLANS[name] = plan(market)
    return PLANS[name]


def plan(market: Fisher) -> dict[str, Any]:
    """The allocation of the most Nash welfare, with its gap. Refused for caps, utilities of one's own, and large markets."""
    value, budget, supply = facts(market)
    if market.capped or not isinstance(market.utility, str):
        raise Refused(
            "the planner takes linear, quasi-linear and CES buyers without caps: compare with the signal's own gap"
        )
    if value.size > MOST:
        raise Refused(f"the planner takes up to {MOST:,} valuations, here {value.size:,}: look at the signal's own gap")
    if not market.interior:
        best = walras.plan(traders(market), budget, supply)
        price = best.price * budget.sum()
        found = dict(allocation=best.allocation, utilities=traders(market).utility(best.allocation), price=price)
        return found | dict(gap=best.gap, rounds=best.iterations)
    return proportional_response(market, value, budget, supply)


def proportional_response(market: Fisher, value, budget, supply) -> dict[str, Any]:
    """Mirror descent from equal shares, its gap looked at every 50 rounds."""
    spent = value * supply
    spent = budget[:, None] * spent / spent.sum(1, keepdims=True)
    kept = 0.5 * budget if market.money else None
    spent = spent / 2 if market.money else spent
    found: dict[str, Any] = {}
    for t in range(1, ROUNDS + 1):
        price = np.maximum(spent.sum(0), np.finfo(float).tiny) / supply
        got = value * spent / price
        utility = got.sum(1) + (0 if kept is None else kept)
        if t % 50 == 0:
            found = valued(market, spent / price, kept, None, price)
            found |= dict(gap=gap(market, found)[0], rounds=t)
            if found["gap"] <= ENOUGH:
                break
        spent = got * (budget / utility)[:, None]
        kept = None if kept is None else kept * budget / utility
    return found
