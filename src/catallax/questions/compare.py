"""Who coordinates? The same problem in silence, by a signal, by a planner, and with full information."""

import math
from typing import Any

import equinox as eqx
import jax

from catallax.core.answer import Answer
from catallax.core.errors import Refused
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.measures.bits import bits, full_information
from catallax.questions.regimes import UNTRIED, Attempt, UntilInterrupted, attempt, coordinated, headline, percent

REGIMES = ("silence", "signal", "planner", "full_information")


def compare(problem: Problem, *, seed: int = 0, tolerance: float | None = None, system: str | None = None) -> Answer:
    """One row a regime: status, welfare, rounds, bits a round, seconds, certificate.

    `tolerance`: the certificate at which the signal's regime is settled; None for the problem's own. A regime that the
    problem has not got is a row with status "refused" and its reason among the notes. The outcomes themselves are in
    `facts["outcomes"]`.
    """
    ways = (problem.silence, lambda: coordinated(problem, seed, tolerance), problem.plan, problem.contest)
    attempts = dict.fromkeys(REGIMES, UNTRIED)
    with UntilInterrupted(len(REGIMES), "regimes") as tried:
        for name, way in zip(REGIMES, ways, strict=True):
            attempts[name] = attempt(way)
            tried.done += 1
    rows = [row(problem, regime, attempts[regime]) for regime in REGIMES]
    notes = [f"{name.replace('_', ' ')}: {a.reason}" for name, a in attempts.items() if a.reason]
    for name, a in attempts.items():
        notes += [f"{name.replace('_', ' ')}: {note}" for note in (a.outcome.notes if a.outcome else ())]
    facts = dict(problem.words()) | {"seed": seed, "outcomes": {k: a.outcome for k, a in attempts.items()}}
    tried.said(notes, facts)
    facts |= prices(problem, *(attempts[k].outcome for k in ("planner", "full_information")))
    return Answer("compare", system or type(problem).__name__.lower(), rows, finding(rows, problem), notes, facts)


def prices(problem: Problem, planner: Outcome | None, contest: Outcome | None) -> dict[str, float]:
    """How many times better the planner does than those who know everything: the problem's own word, or a ratio."""
    if contest is None:
        return {}
    own = {name: float(value) for name, value in contest.values.items() if name.startswith("price_of_")}
    if own or planner is None:
        return {name: value for name, value in own.items() if math.isfinite(value)}
    best, reached = headline(problem, planner), headline(problem, contest)
    return {"price_of_the_equilibrium_found": best / reached} if best > 0 and reached > 0 else {}


def row(problem: Problem, regime: str, tried: Attempt) -> dict[str, Any]:
    """One regime in plain values."""
    outcome = tried.outcome
    if outcome is None:
        return dict(regime=regime, status=tried.status, **{problem.headline: None}, seconds=tried.seconds)
    return dict(
        regime=regime,
        status=tried.status,
        **problem.welfare(outcome),
        rounds=outcome.rounds,
        bits=told(problem, regime, outcome),
        seconds=tried.seconds,
        certificate=outcome.certificate,
        digest=outcome.digest(),
    )


def told(problem: Problem, regime: str, outcome: Any) -> int | None:
    """Bits a round; the planner is told every fact, once. None where they cannot be counted."""
    if regime == "silence":
        return 0
    try:
        return facts_bits(problem.society()) if outcome.society is None else bits(outcome.society)["total"]
    except Refused:
        return None


def facts_bits(society: Any) -> int:
    """The size of all that the agents know, in bits."""
    leaves = [x for x in jax.tree.leaves(society.agents) if eqx.is_array(x)]
    return sum(x.size * x.dtype.itemsize * 8 for x in leaves)


def finding(rows: list[dict], problem: Problem) -> str:
    """The comparison in one sentence."""
    by = {r["regime"]: r for r in rows}
    reached = by["signal"][problem.headline]
    if reached is None:
        return f"The signal's regime was {by['signal']['status']}."
    words = problem.words()
    signal = words.get("signal", "signal")
    said = f"Told a {signal}, the parts reach {percent(reached)} of what is possible"
    if by["signal"]["status"] != "settled":
        return f"The {signal} does not come to rest ({by['signal']['status']})."
    silent, full = (by[k][problem.headline] for k in ("silence", "full_information"))
    if silent is not None:
        said += f", in silence {percent(silent)}"
    if full is not None:
        turn = "but" if full < reached - 1e-6 else "and"
        said += f", {turn} with full information {percent(full)}"
    told_all = (
        " The signal grows with the number of agents: it is full information." if full_information(problem) else ""
    )
    return said + "." + told_all
