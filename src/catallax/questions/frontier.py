"""How much must be told? Welfare from silence, through a few bits and the exact signal, to knowledge of the own effect.

Every point is a run: bits through a `Channel`, leaks as a society that believes in so much of its own effect. Each
seed but the first disturbs the facts a little, so that the interval is over problems like the one given.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from catallax.core.answer import Answer
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.run import run
from catallax.measures.bits import bits as bits_of
from catallax.questions.regimes import (
    NEARBY,
    Reasons,
    UntilInterrupted,
    headline,
    nearby,
    percent,
    spread,
    unless_interrupted,
)

BITS = (1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32)
ROUNDS = 300
LEAKS = (0.1, 0.25, 0.5, 0.75, 1.0)
ENOUGH = 0.99  # of what the exact signal reaches: what "a few bits are enough" means in the headline


def frontier(
    problem: Problem,
    *,
    bits: Sequence[int] = BITS,
    leaks: Sequence[float] = LEAKS,
    seeds: int = 20,
    seed: int = 0,
    rounds: int | None = None,
    tolerance: float | None = None,
    nearness: float = NEARBY,
    system: str | None = None,
    look: Callable[[int, int], None] | None = None,
) -> Answer:
    """One row a point: its mean headline over `seeds` problems, a 95 % interval, the share settled, bits a round.

    `rounds`: allowed to each run; None for 300, or the problem's patience where that is less.
    `tolerance`: unrest at which a run stops; None for the problem's own. `look(done, of)` is called after each seed.
    """
    tolerance = problem.tolerance if tolerance is None else tolerance
    rounds = min(ROUNDS, problem.patience) if rounds is None else rounds
    points = [("silence", "silence", 0.0)]
    points += [(f"{b} bit" + "s" * (b > 1), "bits", float(b)) for b in bits]
    points += [("exact", "exact", float(max(32, *bits)) if bits else 32.0)]
    points += [(f"leak {leak:g}", "leak", float(leak)) for leak in leaks]
    found: dict[str, list[tuple[float, bool]]] = {name: [] for name, _, _ in points}
    why = Reasons()
    with UntilInterrupted(seeds) as tried:
        for k, economy in nearby(problem, seeds, seed, nearness):
            fresh: dict[str, tuple[float, bool]] = {}
            for name, kind, told in points:
                try:
                    outcome = unless_interrupted(reached(economy, kind, told, seed + k, rounds, tolerance))
                    fresh[name] = (headline(economy, outcome), outcome.status is Status.SETTLED)
                except Refused as refusal:
                    why.add(refusal, name)
            for name, sample in fresh.items():
                found[name].append(sample)
            tried.done += 1
            if look is not None:
                look(tried.done, seeds)
    rows = [
        dict(
            point=name,
            kind=kind,
            told=told,
            **spread([value for value, _ in found[name]]),
            seeds=len(found[name]),
            settled=float(np.mean([s for _, s in found[name]])) if found[name] else None,
            bits=told_bits(problem, kind, told),
        )
        for name, kind, told in points
    ]
    notes = [f"{names}: {reason}" for reason, names in why.listed()]
    notes.append(
        f"The first of {seeds} seeds is the problem as given; each other one disturbs its facts by about {nearness:.0%}. "
        "The band is the 95 % interval of the mean."
    )
    notes.append(
        "A point through few bits need not come to rest: its signal is then taken as it is after the last round."
    )
    facts = dict(problem.words()) | {"seed": seed, "rounds": rounds, "tolerance": tolerance}
    tried.said(notes, facts)
    return Answer("frontier", system or type(problem).__name__.lower(), rows, finding(rows, problem), notes, facts)


def reached(problem: Problem, kind: str, told: float, seed: int, rounds: int, tolerance: float) -> Outcome:
    """One point of the frontier."""
    if kind == "silence":
        return dataclasses.replace(problem.silence(), code=CODES.index(Status.SETTLED))  # nothing moves
    if kind == "leak":
        return problem.contest(told)
    told_so, channel = through(problem, int(told)) if kind == "bits" else (problem, None)
    return run(told_so, rounds, seed, tolerance=tolerance, channel=channel)


def through(problem: Problem, bits: int) -> tuple[Problem, Channel | None]:
    """The problem, and the channel that cuts its signal: what reaches each agent alone passes through none."""
    return (problem, Channel(bits=bits)) if problem.quantised is None else (problem.quantised(bits), None)


def told_bits(problem: Problem, kind: str, told: float) -> int | None:
    """Bits a round at one point; None where it is refused."""
    if kind == "silence":
        return 0
    try:
        if kind == "leak":
            return bits_of(problem.society(told), Channel())["total"]
        told_so, channel = through(problem, int(told)) if kind == "bits" else (problem, None)
        return bits_of(told_so.society(), channel or Channel())["total"]
    except Refused:
        return None


def finding(rows: list[dict], problem: Problem) -> str:
    """The frontier in one sentence, as the numbers have it."""
    exact = next(r["efficiency"] for r in rows if r["kind"] == "exact")
    points = [r for r in rows if r["kind"] == "bits"]
    least = exact - (1 - ENOUGH) * abs(exact)
    few = [r for r in points if all(s["efficiency"] >= least for s in points if s["told"] >= r["told"])]
    full = [r for r in rows if r["kind"] == "leak" and r["told"] == 1.0]
    signal = problem.words().get("signal", "signal")
    if not any(np.isfinite(r["efficiency"]) for r in points):
        return f"The exact {signal} reaches {percent(exact)} of what is possible; it could not be cut to bits (see the notes)."
    if not few:
        return f"No number of bits tried brings the {signal} within {1 - ENOUGH:.0%} of its exact value's {percent(exact)}."
    verb = "reach" if few[0]["told"] > 1 else "reaches"
    said = f"{few[0]['point'].capitalize()} of {signal} {verb} {percent(few[0]['efficiency'])} of what is possible"
    if not full or not np.isfinite(full[0]["efficiency"]):
        return said + "."
    less = few[0]["efficiency"] - full[0]["efficiency"]
    beaten = full[0]["high"] < few[0]["low"]
    if beaten:
        word = "more than"
    elif less < -1e-3:
        word = "less than"
    else:
        word = "about as much as"
    return f"{said}, {word} full information ({percent(full[0]['efficiency'])})."
