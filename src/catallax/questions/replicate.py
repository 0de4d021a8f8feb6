"""Does influence vanish with numbers? Each agent many times over: own effect, gain from deviating, loss from knowing it."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from catallax.core.answer import Answer
from catallax.core.errors import Refused
from catallax.core.outcome import Status
from catallax.core.problem import Problem
from catallax.core.society import populations, size
from catallax.questions.regimes import Reasons, UntilInterrupted, coordinated, headline, unless_interrupted

COPIES = (1, 2, 4, 8)


def replicate(
    problem: Problem,
    *,
    copies: Sequence[int] = COPIES,
    seed: int = 0,
    system: str | None = None,
    look: Callable[[int, int], None] | None = None,
) -> Answer:
    """One row a number of copies: 1 - headline with full information, own effect on the signal, gain from deviating.

    Effect and gain are measured where everyone takes the signal as given. Sizes that the problem cannot be brought to
    have a note instead of a row. Raises `Refused` where that is all of them.
    """
    rows, why = [], Reasons()
    with UntilInterrupted(len(copies), "sizes") as tried:
        for count in copies:
            try:
                crowd = problem.replicate(count)
            except Refused as refusal:
                why.add(f"left out: {refusal}", count)
            else:
                rows.append(line(crowd, count, seed, why))
            tried.done += 1
            if look is not None:
                look(tried.done, len(copies))
    notes = [f"{counts} copies {reason}" if counts != "1" else f"1 copy {reason}" for reason, counts in why.listed()]
    if not rows:
        raise Refused(f"it can be brought to none of these sizes: {'; '.join(notes)}")
    facts = dict(problem.words()) | {"seed": seed}
    tried.said(notes, facts)
    return Answer("replicate", system or type(problem).__name__.lower(), rows, finding(rows), notes, facts)


def line(crowd: Problem, count: int, seed: int, why: Reasons) -> dict[str, Any]:
    """The row of one size."""
    taken = coordinated(crowd, seed)
    if taken.status is not Status.SETTLED:
        why.add(f"told a signal: {taken.status.sentence} (certificate {taken.certificate:.1e})", count)
    row = dict(copies=count, agents=sum(size(p) for p in populations(taken.society.agents)))
    row |= dict(effect=crowd.effect(taken), gain=None, inefficiency=None, status="refused")
    try:
        row["gain"] = crowd.gain(taken)
    except Refused as refusal:
        why.add(f"without gain: {refusal}", count)
    try:
        contest = unless_interrupted(crowd.contest())
    except Refused as refusal:
        why.add(f"without full information: {refusal}", count)
        return row
    if contest.status is not Status.SETTLED:
        why.add(f"told everything: {contest.status.sentence} (certificate {contest.certificate:.1e})", count)
    return row | dict(inefficiency=1 - headline(crowd, contest), status=str(contest.status))


def finding(rows: list[dict]) -> str:
    """The replication in one sentence."""
    effect, lost = (falls(rows, name) for name in ("effect", "inefficiency"))
    if effect is None:
        return "Influence could not be followed over several sizes."
    said = f"Each doubling of the crowd {change('the own effect on the signal', effect[0])}"
    if lost is None:
        return said + "."
    return f"{said} and {change('the loss from full information', lost[0])} (from {lost[1]:.1e} to {lost[2]:.1e})."


def change(what: str, factor: float) -> str:
    """What is divided by the factor, in words."""
    if factor >= 1.05:
        return f"divides {what} by {factor:.1f}"
    return f"multiplies {what} by {1 / factor:.1f}" if factor <= 1 / 1.05 else f"leaves {what} as it is"


def falls(rows: list[dict], name: str) -> tuple[float, float, float] | None:
    """By what a column is divided with each doubling of the agents; its first and its last positive entry."""
    told = [r for r in rows if r[name] is not None and r[name] > 0]
    if not told or told[-1]["agents"] == told[0]["agents"]:
        return None
    first, last = told[0][name], told[-1][name]
    return (first / last) ** (1 / math.log2(told[-1]["agents"] / told[0]["agents"])), first, last
