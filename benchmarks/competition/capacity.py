"""The terms of sale on which prices were said to pay: hard capacity, unequal costs, opt-out (CRITERIA.md, a, b and e)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.competition import inputs
from benchmarks.competition.routed import BATCH, Judged, Rows, Shape, Terms, multiplications
from benchmarks.competition.trials import RATES, ROUTERS, Found, Question, arm, compared, judgement

EIGHT, SEATS = Shape(), BATCH // 8
UNEQUAL = (2, 2, 4, 4, 8, 8, 16, 16)
COSTS = tuple(0.2 * h / 16 for h in UNEQUAL)  # nats a token
CALL = (0.3,) * 8
NOBODY = -1


def rows(seed: int, test: bool, shares: tuple[float, ...] = inputs.EVEN, experts: int = 8) -> tuple[Rows, Rows]:
    """To learn from, and to judge by."""
    learnt, _, held = inputs.images(seed, experts, shares, test)
    return learnt, held


def wanted(judged: Judged, terms: Terms) -> np.ndarray:
    """The expert that each token wants, -1: none; lots where nobody bids."""
    if terms.lots == 1:
        return np.random.default_rng(0).integers(judged.bids.shape[1], size=len(judged.bids))
    buys = ((terms.opt_out == 0) | (judged.bids.max(1) > 0)) & (judged.entropy > terms.doubt)
    return np.where(buys, judged.bids.argmax(1), NOBODY)


def seated(choice: np.ndarray, experts: int, seats: int) -> np.ndarray:
    """Those who find a seat, first come first served in batches; whoever does not has nothing (-1)."""
    found = choice.copy()
    for start in range(0, len(choice), BATCH):
        for j in range(experts):
            found[start + np.flatnonzero(choice[start : start + BATCH] == j)[seats:]] = NOBODY
    return found


def outcome(judged: Judged, choice: np.ndarray) -> Found:
    """Loss and accuracy of a routing."""
    at, nobody = np.maximum(choice, 0)[:, None], choice == NOBODY
    loss = np.where(nobody, judged.public, np.take_along_axis(judged.loss, at, 1)[:, 0])
    right = np.where(nobody, judged.public_right, np.take_along_axis(judged.right, at, 1)[:, 0])
    return {"log-loss": float(loss.mean()), "accuracy %": float(100 * right.mean())}


# --- (a) -----------------------------------------------------------------------------------------------------------------


def within_capacity(judged: Judged, rows: Rows, terms: Terms) -> Found:
    """First come first served, and each batch cleared exactly where there are bids."""
    from catallax.measures import specialisation

    choice = wanted(judged, terms)
    found = seated(choice, 8, SEATS)
    cleared = outcome(judged, cleared_batches(judged.bids))["log-loss"] if terms.reads else float("nan")
    return {
        **outcome(judged, found),
        "log-loss if cleared": cleared,
        "dropped %": float(100 * (found == NOBODY).mean()),
        "MaxVio": specialisation.max_violation(np.bincount(choice, minlength=8)),
        "multiplications": multiplications(terms, 16, rows.x.shape[1], EIGHT),
    }


def cleared_batches(bids: np.ndarray) -> np.ndarray:
    """The best routing within the capacities, batch by batch."""
    from catallax.experts import clear

    parts = np.split(bids, range(BATCH, len(bids), BATCH))
    return np.concatenate([clear(part, SEATS).assignment[:, 0] for part in parts])


def hard(seeds: tuple[int, ...], steps: int) -> harness.Table:
    """(a)"""
    uneven = functools.partial(rows, shares=inputs.UNEVEN)
    question = Question("capacity", EIGHT, uneven, within_capacity, "log-loss", seeds, steps)
    names = ("price", "own", "auxiliary", "sign", "greedy", "hash", "random")
    arms = [arm(name, seats=SEATS) for name in names]
    later = [arm("own", "own, prices 0 (post hoc)", seats=SEATS, dual=0.0)]
    heavier = [one._replace(auxiliary=10 * one.auxiliary) for one in arms[2].trials]
    later.append(arms[2]._replace(name="auxiliary, weights .1 and 1 (post hoc)", trials=tuple(heavier)))
    found = question.found([*arms, *later])
    rivals = ["auxiliary", "sign", "hash", "greedy"]
    notes = [judgement(found, "log-loss", market, rivals) for market in ("price", "own")]
    notes += [
        "Added after the others had been seen. " + judgement(found, "log-loss", "own", [one.name for one in later])
    ]
    bidders = names[:5]
    either = {name: [{"loss": one["log-loss if cleared"]} for one in found[name]] for name in bidders}
    either |= {f"{name}, first come": [{"loss": one["log-loss"]} for one in found[name]] for name in bidders}
    notes += ["Batches cleared at the end. " + judgement(either, "loss", n, [f"{n}, first come"]) for n in bidders]
    return harness.Table("(a) Hard capacity: who finds no seat is dropped", compared(found, "log-loss", "price"), notes)


# --- (b) and (e) ---------------------------------------------------------------------------------------------------------


def less_cost(judged: Judged, rows: Rows, terms: Terms, costs: tuple[float, ...]) -> Found:
    """What was bought, what it cost, and the two together: welfare is minus that."""
    choice = wanted(judged, terms)
    freely = wanted(judged, terms._replace(opt_out=terms.own))
    return less(judged, choice, costs) | {"free at the end": less(judged, freely, costs)}


def less(judged: Judged, choice: np.ndarray, costs: tuple[float, ...]) -> Found:
    """Of one routing."""
    found = outcome(judged, choice)
    cost = float(np.where(choice == NOBODY, 0, np.array(costs)[np.maximum(choice, 0)]).mean())
    return {
        **found,
        "cost": cost,
        "loss + cost": found["log-loss"] + cost,
        "accuracy % - 100 cost": found["accuracy %"] - 100 * cost,
        "bought %": float(100 * (choice != NOBODY).mean()),
    }


def costly(seeds: tuple[int, ...], steps: int) -> harness.Table:
    """(b)"""
    score = functools.partial(less_cost, costs=COSTS)
    question = Question("costs", EIGHT, rows, score, "loss + cost", seeds, steps)
    blind = ["auxiliary", "greedy", "sign", "hash"]
    arms = [arm("own", hidden=UNEQUAL, cost=COSTS, dual=0.0)]
    arms += [arm(name, hidden=UNEQUAL) for name in (*blind, "random")]
    known = ROUTERS["greedy"][0]._replace(cost=COSTS)
    trials = tuple(known._replace(charge=w, rate=r) for w in (1.0, 3.0) for r in RATES)
    arms.append(arm("greedy", "greedy, costs in the loss", UNEQUAL)._replace(trials=trials))
    later = arm("own", "own, prices for fair loads too (post hoc)", hidden=UNEQUAL, cost=COSTS)
    found = question.found([*arms, later])
    for runs in found.values():
        for one in runs:
            one.pop("free at the end", None)
    apart = judgement(found, question.aim, "own", ["greedy, costs in the loss"])
    notes = [
        judgement(found, question.aim, "own", blind),
        f"Beside a router that is no market and knows the costs. {apart}",
        "Added after the others had been seen. " + judgement(found, question.aim, later.name, [*blind, arms[-1].name]),
    ]
    return harness.Table("(b) Experts of unequal cost", compared(found, question.aim, "own"), notes)


def opting(seeds: tuple[int, ...], steps: int) -> harness.Table:
    """(e)"""
    score = functools.partial(less_cost, costs=CALL)
    question = Question("opt-out", EIGHT, rows, score, "loss + cost", seeds, steps)
    own: Any = dict(cost=CALL, dual=0.0)
    doubting = tuple(ROUTERS["greedy"][0]._replace(doubt=d, rate=r) for d in (0.5, 1.0) for r in RATES)
    arms = [
        arm("own", opt_out=1.0, **own),
        arm("own", "own, must buy", **own),
        arm("greedy", "confidence threshold")._replace(trials=doubting),
        arm("auxiliary", "auxiliary, must buy"),
        arm("hash", "nothing bought", doubt=1e9)._replace(trials=(Terms(doubt=1e9),)),
    ]
    found = question.found(arms)
    later = "own, may refuse once it has learnt (post hoc)"
    found[later] = [one["free at the end"] for one in found["own, must buy"]]
    for runs in found.values():
        for one in runs:
            one.pop("free at the end", None)
    found["by lot, at the market's share"] = [
        mixed(whole, none, market["bought %"] / 100)
        for market, whole, none in zip(found["own"], found["own, must buy"], found["nothing bought"], strict=True)
    ]
    rivals = ["own, must buy", "nothing bought", "by lot, at the market's share", "confidence threshold"]
    notes = [
        judgement(found, question.aim, "own", rivals),
        "Added after the others had been seen. " + judgement(found, question.aim, later, ["own", *rivals]),
    ]
    return harness.Table("(e) Tokens may buy nothing", compared(found, question.aim, "own"), notes)


def mixed(whole: Found, none: Found, share: float) -> Found:
    """What is expected where a share of the tokens, drawn by lot, buys."""
    return {key: share * whole[key] + (1 - share) * none[key] for key in whole}
