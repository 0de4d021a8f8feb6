"""Full information: traders who reckon with their own effect on the odds, the price, or what others will believe."""

import dataclasses
from typing import Any

import numpy as np

from catallax.collective.market import judgement, societies, timing
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.record import Record
from catallax.core.run import run

LEAST = 1e-12  # a price of less is scored as this
PATIENT = {"pari-mutuel": 100, "lmsr": 1000}  # rounds a question that are allowed


def in_time(market: Any, leak: float, tolerance: float) -> Outcome:
    """The game of timing on each question: `price` is the one that stands before trader 0's last move."""
    told = timing.solve(market.joint, leak, tolerance)
    own, others = market.signals[:, 0], market.signals[:, 1:]
    logs = np.log(np.maximum(told.reply, LEAST))[(slice(None), *others.T)]  # [messages, questions, outcomes]
    price = np.exp(np.einsum("qz,zqk->qk", told.message[own], logs))
    values = dict(price=price, closing=market.pooled, wealth=market.wealth, account=0.0, question=len(market.happened))
    values |= dict(message=told.message, first=told.first, truth=told.truth, paid=told.paid)
    status = Status.SETTLED if told.gain <= tolerance else Status.UNSETTLED
    notes = ("risk-neutral traders, trader 0 first and last: the price is that before its last move",)
    return Outcome(code=CODES.index(status), values=values, certificate=told.gain, notes=notes)


def influenced(market: Any, leak: float, tolerance: float) -> Outcome:
    """Everyone reckons with its own effect on the price, for as many rounds a question as it takes."""
    each = max(market.rounds_each, PATIENT[market.mechanism])
    society = dataclasses.replace(market, trading=each).society(leak)
    rounds = len(market.happened) * each + 1
    if market.mechanism == "pari-mutuel":
        ran = run(society, rounds, record=Record(every=each, folder=None, stake=stake_of))
        gains = judgement.gains_from_stakes(market.beliefs, closings(ran, "stake"))
    else:
        ran = run(society, rounds, record=Record(every=each, folder=None, claims=claims_of, sold=sold_of))
        facts = (societies.taste(market), market.beliefs, closings(ran, "claims"), closings(ran, "sold"), market.prior)
        gains = judgement.gains_from_orders(*facts, float(market.liquidity))
    left = float(gains.max())
    status = Status.SETTLED if left <= tolerance else Status.UNSETTLED
    values = market.outcome(ran.society).values
    return Outcome(ran.society, CODES.index(status), ran.rounds, ran.unrest, left, values=values)


def closings(ran: Outcome, name: str) -> np.ndarray:
    """What was recorded as each question closed."""
    assert ran.record is not None
    return np.asarray(ran.record[name], np.float64)[1:]


def stake_of(society: Any) -> Any:
    """Stakes [traders, outcomes] as they stand."""
    return society.agents.stake


def order_of(society: Any) -> Any:
    """Orders [traders, outcomes] of the last round."""
    return society.agents.order


def claims_of(society: Any) -> Any:
    """What each owns if an outcome happens [traders, outcomes], the last orders filled, before the question is paid out."""
    crowd = society.agents
    return (crowd.cash + society.signal.local(crowd).due)[:, None] + crowd.held + crowd.order


def sold_of(society: Any) -> Any:
    """Claims [outcomes] that the maker has sold, the same moment."""
    return (society.agents.held + society.agents.order).sum(0)
