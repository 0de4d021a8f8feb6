"""Full information on trading posts: everyone knows how the own bid moves the prices, and best-responds in turn (Nash).

The certificate is the largest gain that is left to anyone, from best responses computed afresh in float64
(`traders.best_bid`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.errors import Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.precision import double
from catallax.core.run import run
from catallax.economy.trade.traders import best_bid
from catallax.economy.utility import CES

if TYPE_CHECKING:
    from catallax.economy.exchange import Exchange

TURNS = 10  # rounds of a contest between two looks at the bids


def contest(problem: Exchange, leak: float, rounds: int, tolerance: float, seed: int) -> Outcome:
    """See `Exchange.contest`."""
    society, gone, changed = problem.society(leak), 0, np.inf
    while gone < rounds and changed > tolerance:  # prices may rest where bids do not: look at the bids
        before = np.asarray(society.agents.bid)
        ran = run(society, min(TURNS, rounds - gone), seed + gone, activation="random order")
        society, gone = ran.society, gone + ran.rounds
        changed = float(np.max(np.abs(np.asarray(society.agents.bid) - before)) / np.max(before))
        if ran.status is not Status.DONE:
            break
    outcome = dataclasses.replace(ran, rounds=gone, values=problem.outcome(society).values)
    certificate = gain(problem, outcome) if leak == 1 else changed
    if ran.status is Status.DONE:
        status = Status.SETTLED if certificate <= tolerance else Status.UNSETTLED
        outcome = dataclasses.replace(outcome, code=CODES.index(status))
    return dataclasses.replace(outcome, certificate=certificate)


def gain(problem: Exchange, outcome: Outcome) -> float:
    """The largest relative gain in utility that one trader could make by bidding otherwise, all others' bids standing."""
    if "bids" not in outcome.values:
        raise Refused("the gain from bidding otherwise is known for bids at posts: settle with law='posts'")
    bids, supply = np.asarray(outcome.bids, np.float64), problem.stock
    others = bids.sum(0) - bids
    best = best_bids(problem, others)
    reached = problem.traders.utility(supply * bids / bids.sum(0))
    possible = problem.traders.utility(supply * best / (others + best))
    return float(np.max(possible / reached) - 1)


def best_bids(problem: Exchange, others: np.ndarray) -> np.ndarray:
    """Every trader's best bid at full knowledge of the own effect, given the `others`' money [traders, goods], float64."""
    check_wants(problem)
    taste, elasticity = np.asarray(problem.taste, np.float64), np.asarray(problem.elasticity, np.float64)
    taste = taste / taste.sum(1, keepdims=True) ** (elasticity == 1)[:, None]
    facts = (taste, elasticity, np.asarray(problem.endowment, np.float64), others)
    with double():
        return np.asarray(_best_bids(*(jnp.asarray(x, dtype=np.float64) for x in facts)))


@jax.jit
def _best_bids(taste, elasticity, endowment, others):
    supply = endowment.sum(0)

    def best(utility, share, others):
        return best_bid(utility, share, supply, others, jnp.ones((), supply.dtype))

    return jax.vmap(best)(CES(taste, elasticity), endowment / supply, others)


def check_wants(problem: Exchange) -> None:
    """Refused where the best response to others' bids is not known."""
    if problem.linear or problem.utility is not None:
        kind = "linear wants" if problem.linear else "utilities of one's own"
        raise Refused(f"the best bid is known for CES wants of finite elasticity, not for {kind}: compare price-takers")


def check_rivals(problem: Exchange) -> None:
    """Someone who alone owns or wants a good faces no price there: then there is no equilibrium in bids."""
    if problem.traced:
        return
    sole = ((problem.endowment, "owner", "pays itself at that post"), (problem.taste, "bidder", "gets all for nothing"))
    for values, who, what in sole:
        alone = np.flatnonzero((np.asarray(values) > 0).sum(0) < 2)
        if alone.size:
            raise Refused(
                f"{problem.labels[alone[0]]} has a single {who}, who {what}: with knowledge of the own effect no "
                "equilibrium exists"
            )
