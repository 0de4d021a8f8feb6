"""What an outcome of exchange is worth, and how far from equilibrium it is: float64, other code than the traders'.

gap          excess demand, the largest |z_j| / S_j, at the price that is announced
linear       sum_i B_i log(V_i / u_i) + sum_i |p.x_i - B_i| / 2,  B_i = p.e_i / p.S: Eisenberg and Gale's gap at the
             incomes that the prices make (what incomes can buy of utility, against what was handed out), and the share
             of all income that was spent by another than who earned it
efficiency   Debreu's coefficient of resource utilisation
plan         the most of sum_i w_i log u_i, w_i = p*.e_i: prices p* of a settled equilibrium, allocation afresh
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from catallax.core.anderson import Anderson
from catallax.core.errors import Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.settle import settle
from catallax.economy.facts import remember
from catallax.economy.fisher import Fisher
from catallax.economy.trade import walras
from catallax.measures.welfare import gini, rationed, share_of_optimum

if TYPE_CHECKING:
    from catallax.economy.exchange import Exchange

ENOUGH = 1e-6  # gap of a plan that counts as settled
MEASURES = ("efficiency", "efficiency_gap", "share_of_optimum", "gini")


def gap(problem: Exchange, outcome: Outcome) -> float:
    """See the head of this file; NaN where prices are no longer numbers."""
    price = outcome.price
    if not np.isfinite(price).all():
        return float("nan")
    endowment, stock = np.asarray(problem.endowment, np.float64), problem.stock
    if not problem.linear:
        wanted = problem.traders.demand(price, endowment @ price).sum(0)
        return float(np.max(np.abs(wanted - stock) / stock))
    income = endowment @ price / (stock @ price)
    best = (np.asarray(problem.taste, np.float64) / (price / (stock @ price))).max(1) * income
    with np.errstate(divide="ignore"):
        short = income @ np.log(best / outcome.utilities)
    moved = np.abs(outcome.allocation @ price / (stock @ price) - income).sum() / 2
    return max(0.0, float(short)) + float(moved)


def valued(problem: Exchange, allocation: np.ndarray, price: np.ndarray | None) -> dict[str, Any]:
    """Price, allocation, and the utilities of what can be delivered of it."""
    if np.isfinite(allocation).all():
        utilities = problem.traders.utility(rationed(allocation, problem.stock))
    else:  # prices were no longer numbers: nothing can be said of what is handed out
        utilities = np.full(len(allocation), np.nan)
    values = {"allocation": allocation, "utilities": utilities}
    return values if price is None else values | {"price": price}


def equilibrium(problem: Exchange) -> np.ndarray:
    """Prices p* at which all markets clear, p*.supply = 1. Raises `Refused` where none was settled."""
    return remember("price", problem.facts_digest(), lambda: settled(problem))


def settled(problem: Exchange) -> np.ndarray:
    """The same, computed."""
    if problem.linear:
        with jax.enable_x64(True):  # in float32 prices of linear wants stand still at a gap of 5e-5
            found = settle(problem.widened())
    else:
        found = settle(problem, max_rounds=5000)  # as many as the questions allow: then it is compiled once for both
        if found.status is not Status.SETTLED:
            found = settle(problem, method=Anderson())
    if found.status is not Status.SETTLED:
        raise Refused(
            f"no equilibrium of this economy was settled ({found.status.sentence}; certificate {found.certificate:.1e}), "
            "so the planner has no weights"
        )
    return found.price / (found.price @ problem.stock)


def plan(problem: Exchange) -> Outcome:
    """See `Exchange.plan`."""
    known(problem)
    return remember("plan", problem.facts_digest(), lambda: planned(problem))


def planned(problem: Exchange) -> Outcome:
    """The same, computed."""
    income = np.asarray(problem.endowment, np.float64) @ equilibrium(problem)
    if problem.linear:
        with jax.enable_x64(True):
            taste = np.asarray(problem.taste, np.float64)
            best = Fisher(taste, income / income.sum(), problem.stock).plan()
        found, missing, rounds = dict(best.values), float(best.certificate), int(best.rounds)
        values = valued(problem, found["allocation"], found["price"])
    else:
        best = walras.plan(known(problem), income, problem.stock)
        missing, rounds, values = best.gap, best.iterations, valued(problem, best.allocation, best.price)
    values |= {"weights": income / income.sum(), "gap": missing}
    status = Status.SETTLED if missing <= ENOUGH else Status.UNSETTLED
    return Outcome(code=CODES.index(status), rounds=rounds, unrest=missing, certificate=missing, values=values)


def welfare(problem: Exchange, outcome: Outcome) -> dict[str, float]:
    """See `Exchange.welfare`."""
    if not np.isfinite(outcome.utilities).all():
        return dict.fromkeys(MEASURES, float("nan"))
    value, slack = efficiency(problem, outcome)
    try:
        best = plan(problem)
        share = share_of_optimum(outcome.utilities, best.utilities, best.weights)
    except Refused:
        share = float("nan")
    return dict(zip(MEASURES, (value, slack, share, gini(outcome.utilities)), strict=True))


def efficiency(problem: Exchange, outcome: Outcome) -> tuple[float, float]:
    """Debreu's coefficient and how far above it the truth may lie."""
    if problem.utility is not None:
        raise Refused(
            "Debreu's coefficient takes CES and linear wants, whose costs are known, not utilities of one's own"
        )
    found = walras.utilisation(known(problem), outcome.utilities, problem.stock)
    return found.value, found.gap


def known(problem: Exchange) -> walras.Traders:
    """The judge of traders whose tastes are known."""
    if isinstance(problem.traders, walras.Traders):
        return problem.traders
    raise Refused(
        "the planner and Debreu's coefficient take CES and linear wants, whose costs they know, not one's own"
    )
