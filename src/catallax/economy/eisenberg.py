"""The float64 judge of Fisher markets: what may be handed out, what it is worth, and how far from the optimum it is at most.

Also two optimisers that share no code with the price laws: the planner's proportional response,

    b_ij <- B_i v_ij x_ij / u_i,   x_ij = s_j b_ij / sum_k b_kj

(money kept is one more good that a buyer has for itself), and the contest's best response to the others' money A_j,

    max sum_j v_j s_j b_j / (A_j + l b_j),  sum_j b_j = B:    b_j = max(0, sqrt(v_j s_j A_j / y) - A_j) / l

whose y is found by sorting. See `economy.fisher` for the mathematics and the references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jax.core import Tracer

from catallax.core.errors import BadInput, Refused
from catallax.economy import walras

if TYPE_CHECKING:
    from catallax.economy.fisher import Fisher

PLANS: dict[str, Any] = {}  # of the last markets: welfare asks for them each time
ENOUGH = 1e-9  # gap at which the planner stops
ROUNDS = 20_000  # of the planner, at most
MOST = 2_000_000  # entries up to which the planner and the contest take a market


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
    check_kind(market, len(budget))


def check_kind(market: Fisher, buyers: int) -> None:
    """BadInput for an unknown utility, and for an elasticity or a cap that does not go with it."""
    from catallax.economy.fisher import KINDS
    from catallax.economy.utility import Utility

    kind = market.utility
    if not (kind in KINDS if isinstance(kind, str) else isinstance(kind, Utility)):
        raise BadInput(f"Fisher.utility is {kind!r}: give one of {', '.join(KINDS)}, or a stacked Utility")
    if isinstance(kind, str) and (kind == "ces") != (market.elasticity is not None):
        raise BadInput(f"Fisher.elasticity goes with utility 'ces' and no other, here {kind!r}: give it there alone")
    if market.cap is not None and kind != "linear":
        raise BadInput(f"Fisher.cap goes with utility 'linear', here {kind!r}: leave it out")
    for field, x, least in (("elasticity", market.elasticity, 0.0), ("cap", market.cap, np.finfo(float).tiny)):
        if x is None:
            continue
        x = np.asarray(x)
        good = (x >= least) & (x < np.inf)
        if x.shape != (buyers,) or not good.all():
            raise BadInput(
                f"Fisher.{field} is {np.round(x, 6).tolist()!r:.60}: give one finite number a buyer, {field} >= 0"
            )


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
    return own(market, lambda u, b, p: u.spending(p, b), price)


def own(market: Fisher, function: Any, *shared: Any) -> np.ndarray:
    """`function(utility, budget, *shared)` of each buyer, in float64, for utilities of the user's own."""
    import jax

    from catallax.core.precision import doubled

    with jax.enable_x64(True):
        utility, budget = doubled((market.utility, market.budgets))
        each = jax.jit(jax.vmap(function, in_axes=(0, 0, *[None] * len(shared))))
        return np.asarray(each(utility, budget, *(jax.numpy.asarray(x, float) for x in shared)), np.float64)


def delivered(market: Fisher, bundle: np.ndarray) -> np.ndarray:
    """Bundles cut, or (where there are no caps) stretched, to the supply."""
    supply, held = np.asarray(market.supply, np.float64), bundle.sum(0)
    factor = np.divide(supply, held, out=np.ones_like(held), where=held > 0)
    if market.cap is None and not market.money:
        return bundle * factor
    bundle = bundle * np.minimum(1, factor)
    if market.cap is not None:
        bundle *= np.minimum(1, np.asarray(market.cap, np.float64) / bundle.sum(1))[:, None]
    return bundle


def valued(market: Fisher, given: np.ndarray, kept: Any, rent: Any, price: Any) -> dict[str, Any]:
    """What an outcome says: allocation, utilities, and (where there are any) price, money kept, rents."""
    values: dict[str, Any] = {"allocation": given, "utilities": utilities(market, given, kept)}
    values |= {name: x for name, x in (("kept", kept), ("rent", rent), ("price", price)) if x is not None}
    return values


def utilities(market: Fisher, given: np.ndarray, kept: Any) -> np.ndarray:
    """Utility of each buyer; NaN throughout where the allocation is."""
    if not np.isfinite(given).all():
        return np.full(len(given), np.nan)
    if market.interior:
        value = np.asarray(market.valuations, np.float64)
        return np.einsum("ij,ij->i", value, given) + (0 if kept is None else kept)
    if isinstance(market.utility, str):
        return traders(market).utility(given)
    import jax

    from catallax.core.precision import doubled

    with jax.enable_x64(True):
        log_utility = jax.jit(jax.vmap(lambda u, x: u.log_utility(x)))
        return np.exp(np.asarray(log_utility(doubled(market.utility), jax.numpy.asarray(given)), np.float64))


def log_best(market: Fisher, price: np.ndarray, rent: Any) -> np.ndarray:
    """log V_i: of the utility that the budget buys."""
    value, budget, _ = facts(market)
    if market.interior:
        with np.errstate(divide="ignore"):
            best = np.max(value / (price if rent is None else price + rent[:, None]), 1)
        return np.log(budget * (np.maximum(best, 1) if market.money else best))
    if isinstance(market.utility, str):
        return np.log(budget) - np.log(traders(market).expenditure(price, np.ones(len(budget))))
    return np.log(budget) + own(market, lambda u, b, y: u.log_indirect(y), np.log(price))


def gap(market: Fisher, values: dict[str, Any]) -> tuple[float, float]:
    """The gap of the head of `economy.fisher`, and the worst buyer's: the largest log(V_i / u_i)."""
    _, budget, supply = facts(market)
    price, kept, rent = values["price"], values.get("kept"), values.get("rent")
    if not (np.isfinite(price).all() and np.isfinite(values["utilities"]).all()):
        return float("nan"), float("nan")
    if rent is None and not market.money:
        price = price * (budget.sum() / (price @ supply))
    with np.errstate(divide="ignore"):
        short = log_best(market, price, rent) - np.log(values["utilities"])
    parts = budget @ short + price @ supply - budget.sum()
    parts += (0 if kept is None else kept.sum()) + (0 if rent is None else rent @ np.asarray(market.cap, np.float64))
    if rent is not None:
        spent = values["allocation"] @ price
        short = short + (spent + rent * np.asarray(market.cap, np.float64)) / budget - 1
    return max(0.0, float(parts / budget.sum())), float(short.max())


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
    if market.cap is not None or not isinstance(market.utility, str):
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


# --- full information ---


def contest(market: Fisher, leak: float, rounds: int, tolerance: float) -> dict[str, Any]:
    """Best responses in turn until no bid changes; refused where a good has a single bidder, who would get it for nothing."""
    value, budget, supply = facts(market)
    if market.utility != "linear" or market.cap is not None:
        raise Refused("a contest is defined for linear wants without caps: for CES wants see Exchange")
    if value.size > MOST:
        raise Refused(f"a contest takes up to {MOST:,} valuations, here {value.size:,}")
    alone = np.flatnonzero((value > 0).sum(0) < 2)
    if alone.size:
        raise Refused(f"{market.labels[alone[0]]} has a single bidder, who gets all for nothing: no equilibrium exists")
    bids = value * supply
    bids = budget[:, None] * bids / bids.sum(1, keepdims=True)
    total, changed, t = bids.sum(0), np.inf, 0
    while t < rounds and changed > tolerance:
        t, changed = t + 1, 0.0
        for i in range(len(budget)):
            new = best_bid(value[i], supply, np.maximum(total - leak * bids[i], 1e-300), budget[i], leak)
            changed = max(changed, float(np.abs(new - bids[i]).max() / budget[i]))
            total += new - bids[i]
            bids[i] = new
        total = bids.sum(0)
    price = total / supply
    found = valued(market, bids / price, None, None, price)
    left = changed if leak < 1 else gain(market, bids)
    return found | dict(bids=bids, gap=left, rounds=t)


def gain(market: Fisher, bids: np.ndarray) -> float:
    """The largest relative gain in utility that one buyer could make by bidding otherwise, the others' bids standing."""
    value, budget, supply = facts(market)
    total, most = bids.sum(0), 0.0
    for i in range(len(budget)):
        others = np.maximum(total - bids[i], 1e-300)
        best = best_bid(value[i], supply, others, budget[i], 1.0)
        reached = value[i] @ (supply * bids[i] / total)
        most = max(most, float(value[i] @ (supply * best / (others + best)) / reached - 1))
    return most


def best_bid(value, supply, others, budget: float, leak: float) -> np.ndarray:
    """The bid of the head of this file: goods come in by their value for money as long as they are worth it."""
    root = np.sqrt(value * supply * others)
    order = np.argsort(-root / others)
    money, roots = np.cumsum(others[order]), np.cumsum(root[order])
    level = (leak * budget + money) / roots  # 1 / sqrt(y) with the first so many goods
    inside = root[order] / others[order] * level > 1
    count = max(1, int(inside.sum()))
    bid = np.maximum(root * level[count - 1] - others, 0) / leak
    return bid * (budget / bid.sum())
