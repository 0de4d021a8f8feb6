"""Does influence vanish with numbers? Each agent many times over: own effect, gain from deviating, loss from knowing it."""

from collections.abc import Callable, Sequence

from catallax.core.answer import Answer
from catallax.core.errors import Refused
from catallax.core.outcome import Status
from catallax.core.problem import Problem
from catallax.core.society import populations, size
from catallax.questions.regimes import UntilInterrupted, coordinated, headline, unless_interrupted

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

    Effect and gain are measured where everyone takes the signal as given.
    """
    rows, notes = [], []
    with UntilInterrupted(len(copies), "sizes") as tried:
        for count in copies:
            crowd = problem.replicate(count)
            taken = coordinated(crowd, seed)
            line = dict(copies=count, agents=sum(size(p) for p in populations(taken.society.agents)))
            line |= dict(effect=crowd.effect(taken), gain=crowd.gain(taken), inefficiency=None, status="refused")
            try:
                contest = unless_interrupted(crowd.contest())
                line |= dict(inefficiency=1 - headline(crowd, contest), status=str(contest.status))
                if contest.status is not Status.SETTLED:
                    notes.append(
                        f"{count} copies: {contest.status.sentence} (largest gain left {contest.certificate:.1e})."
                    )
            except Refused as refusal:
                notes.append(f"{count} copies: {refusal}")
            rows.append(line)
            tried.done += 1
            if look is not None:
                look(tried.done, len(copies))
    facts = dict(problem.words()) | {"seed": seed}
    tried.said(notes, facts)
    return Answer("replicate", system or type(problem).__name__.lower(), rows, finding(rows), notes, facts)


def finding(rows: list[dict]) -> str:
    """The replication in one sentence."""
    told = [r for r in rows if r["inefficiency"]]
    if len(told) < 2:
        return "Influence could not be followed over several sizes."
    first, last = told[0], told[-1]
    doublings = (last["agents"] / first["agents"]) ** -1
    ratio = last["inefficiency"] / first["inefficiency"]
    import math

    power = math.log(ratio) / math.log(doublings)
    return (
        f"Each doubling of the crowd divides the loss from full information by {2**power:.1f} "
        f"(from {first['inefficiency']:.1e} to {last['inefficiency']:.1e}) and the own effect on the signal by "
        f"{(first['effect'] / last['effect']) ** (1 / math.log2(last['agents'] / first['agents'])):.1f}."
    )
