"""An expert fails, and one joins, in the middle of a run (CRITERIA.md, c)."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from benchmarks import harness
from benchmarks.competition import capacity
from benchmarks.competition.inputs import images
from benchmarks.competition.routed import Judged, Rows, Shape, State, Terms, begin, judge, learn
from benchmarks.competition.trials import MIDDLE, Claim, Found, Question, Runs, answered, arm, kept

ARMS = {name: name for name in ("price", "own", "auxiliary", "sign", "greedy", "hash", "random")}
ARMS |= {"net": capacity.NET}
FAIL, JOIN, END, LOOK = 500, 800, 1100, 10


def looks(
    shape: Shape, state: State, rows: tuple[Rows, Rows], terms: Terms, seed: int, until: int
) -> tuple[State, list[float]]:
    """(the state after batch `until`, held-out loss after every `LOOK` batches)"""
    losses = []
    while int(state.step) < until:
        state = learn(shape, state, rows[0], terms, seed, int(state.step) + LOOK, END)
        losses.append(capacity.outcome(*heard(state, rows[1], terms))["log-loss"])
    return state, losses


def heard(state: State, rows: Rows, terms: Terms) -> tuple[Judged, np.ndarray]:
    """(what experts make of the rows, who is chosen among those who are there)"""
    judged = Judged(*map(np.asarray, judge(state, rows, terms)))
    there = np.asarray(state.there)
    choice = there[capacity.wanted(judged._replace(bids=judged.bids[:, there]), terms)]
    return judged, choice


def gone(state: State, expert: int) -> State:
    """Without one expert."""
    return state._replace(there=np.delete(np.asarray(state.there), expert))


def joined(shape: Shape, state: State, expert: int, seed: int) -> State:
    """A new one in its place, that has learnt nothing; bids and moments of its own are fresh, and its price is the least."""
    fresh = begin(shape, 49, seed + 7000)
    own = {"enter": 0, "bias": 0, "leave": 0, "shift": 0, "bid": 1, "bid level": 0}

    def placed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        found = {name: np.array(value) for name, value in old.items()}
        for name, axis in own.items():
            at = (slice(None),) * axis + (expert,)
            found[name][at] = np.asarray(new[name])[at]
        return found

    nothing = jax.tree.map(np.zeros_like, fresh.parameters)
    moments = state.moments._replace(mu=placed(state.moments.mu, nothing), nu=placed(state.moments.nu, nothing))
    prices = np.array(state.prices)
    prices[expert] = prices.min()
    return state._replace(
        parameters=placed(state.parameters, fresh.parameters), moments=moments, prices=prices, there=np.arange(8)
    )


def run(shape: Shape, terms: Terms, seed: int, times: tuple[int, int, int]) -> Found:
    """One arm and seed; `times`: of failure, of joining, of the end."""
    rows = images(seed)[:2]
    fail, join, end = times
    state, before = looks(shape, begin(shape, 49, seed), rows, terms, seed, fail)
    level = float(np.mean(before[-5:]))
    largest = int(np.bincount(heard(state, rows[1], terms)[1], minlength=8).argmax())
    state, after = looks(shape, gone(state, largest), rows, terms, seed, join)
    with_new, new = looks(shape, joined(shape, state, largest, seed), rows, terms, seed, end)
    _, without = looks(shape, state, rows, terms, seed, end)
    served = np.bincount(heard(with_new, rows[1], terms)[1], minlength=8)
    pairs = [float(np.mean(after[i : i + 2])) for i in range(len(after) - 1)]
    back = [LOOK * (i + 2) for i, loss in enumerate(pairs) if loss <= level]
    return {
        "loss before": level,
        "jump": after[0] - level,
        "area": LOOK * float(np.maximum(np.array(after) - level, 0).sum()),
        "batches to regain": back[0] if back else join - fail,
        "regained": float(bool(back)),
        "newcomer's load, of fair": float(8 * served[largest] / served.sum()),
        "newcomer: loss less without": float(np.mean(new[-3:]) - np.mean(without[-3:])),
        "loss at the end": float(np.mean(new[-3:])),
    }


def settings(steps: int) -> dict[str, Terms]:
    """Of each arm, chosen without a failure, without capacities, at a steady rate, on the tuning seed."""
    question = Question("plain", Shape(hidden=MIDDLE), capacity.rows, plain, "log-loss", (), steps)
    return {name: question.chosen(arm(router, name, steady=1.0)) for router, name in ARMS.items()}


def plain(judged: Judged, rows: Rows, terms: Terms) -> Found:
    """The loss."""
    return capacity.outcome(judged, capacity.wanted(judged, terms))


def shocks(
    seeds: tuple[int, ...], widths: tuple[int, ...], times: tuple[int, int, int] = (FAIL, JOIN, END)
) -> harness.Table:
    """(c)"""
    chosen = settings(times[0])
    by_width = {units: shocked(chosen, seeds, units, times) for units in widths}
    rivals = ["auxiliary", "hash", "sign", "greedy"]
    claims = [Claim("", market, rivals, "area") for market in ("price", "own")]
    claims.append(Claim("Added after the others had been seen.", capacity.NET, rivals, "area"))
    claims.append(Claim("The newcomer.", "price", rivals, "newcomer: loss less without"))
    return answered("(c) The busiest expert fails, and a new one joins", by_width, "area", "price", claims)


def shocked(chosen: dict[str, Terms], seeds: tuple[int, ...], units: int, times: tuple[int, int, int]) -> Runs:
    """All arms at one width."""
    found: Runs = {}
    shape = Shape(hidden=units)
    for name, terms in chosen.items():
        given = (terms, times) if units == MIDDLE else (terms, times, units)
        found[name] = [
            kept(f"failure-{name}-{seed}", given, lambda t=terms, s=seed: run(shape, t, s, times)) for seed in seeds
        ]
        harness.say(f"  failure, {units} units, {name}: {np.mean([one['area'] for one in found[name]]):.2f}")
    return found


def real_kills(seeds: tuple[int, ...], epochs: int) -> harness.Table:
    """(c): `MarketNet`, the process of its richest module killed by signal 9."""
    from benchmarks import market_net

    rows = [kept(f"killed-{seed}", epochs, lambda s=seed: market_net.killed(s, epochs)) for seed in seeds]
    return harness.Table("(c) MarketNet: the richest module's process is killed", rows)
