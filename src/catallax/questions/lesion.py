"""Is there a master? Remove a share of the agents, at random or the most influential first, and see what is left.

Right after the lesion the survivors still hear the old signal and are as they were; then they settle afresh. A system
without a master loses little, and no more by losing its most influential parts than by losing any.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from catallax.core.answer import Answer
from catallax.core.errors import Refused
from catallax.core.outcome import Outcome, Status
from catallax.core.problem import Problem
from catallax.core.society import populations, size
from catallax.measures.influence import influence
from catallax.questions.regimes import UntilInterrupted, check_carried, coordinated, headline, percent, spread

FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def lesion(
    problem: Problem,
    *,
    fractions: Sequence[float] = FRACTIONS,
    seeds: int = 20,
    seed: int = 0,
    system: str | None = None,
    look: Callable[[int, int], None] | None = None,
) -> Answer:
    """Rows of (order, removed): headline right after, headline after settling afresh (`recovered`), rounds that took."""
    check_carried(problem)
    whole = coordinated(problem, seed)
    if len(populations(whole.society.agents)) > 1:
        raise Refused("a lesion of several populations is not defined: say which one by a problem of your own")
    count = size(whole.society.agents)
    ranked = np.argsort(-influence(whole.society), kind="stable")
    before, asked = headline(problem, whole), fractions
    fractions = [f for f in asked if not f or round(f * count)]
    tries: dict[tuple[str, float], list] = {(order, f): [] for order in ("random", "influential") for f in fractions}
    with UntilInterrupted(seeds) as tried:
        for k in range(seeds):
            orders = {"random": np.random.default_rng([seed, k]).permutation(count)} | (
                {} if k else {"influential": ranked}
            )
            fresh = {
                (order, f): after(problem, whole, np.sort(gone[round(f * count) :]), seed)
                for order, gone in orders.items()
                for f in fractions
                if f or k == 0
            }
            for place, sample in fresh.items():
                tries[place].append(sample)
            tried.done += 1
            if look is not None:
                look(tried.done, seeds)
    samples = {place: [s for s in found if s is not None] for place, found in tries.items()}
    restless = sum(not np.isfinite(s["rounds"]) for found in samples.values() for s in found)
    skipped = sum(len(tries[place]) - len(samples[place]) for place in tries)
    rows = [row(order, fraction, found, before) for (order, fraction), found in samples.items()]
    notes = [
        "efficiency: right after the lesion, as the survivors were and at the old signal; recovered: after settling afresh. "
        "Both are of what the survivors could reach without the others."
    ]
    if len(fractions) < len(asked):
        notes.append(f"Shares that are less than half of one of {count} agents are left out.")
    if skipped:
        notes.append(f"{skipped} lesions left nothing to coordinate and were passed over.")
    if whole.status is not Status.SETTLED:
        notes.append(f"Before the lesion it is {whole.status}: {whole.status.sentence}.")
    if restless:
        lesions = sum(map(len, samples.values()))
        notes.append(f"{restless} of {lesions} lesions did not come to rest: recovered is as far as they came.")
    facts = dict(problem.words()) | {"seed": seed, "agents": count, "settled": whole.status is Status.SETTLED}
    tried.said(notes, facts)
    return Answer("lesion", system or type(problem).__name__.lower(), rows, finding(rows), notes, facts)


def after(problem: Problem, whole: Outcome, keep: Any, seed: int) -> dict[str, float] | None:
    """What the survivors reach at once and at rest; None where nothing is left to coordinate."""
    try:
        left = problem.restrict(keep)
    except Refused:
        return None
    at_once = headline(left, left.outcome(left.carried(whole.society, keep)))
    rest = coordinated(left, seed)
    settled = rest.status is Status.SETTLED
    return dict(at_once=at_once, recovered=headline(left, rest), rounds=float(rest.rounds) if settled else float("nan"))


def row(order: str, fraction: float, samples: list[dict[str, float]], before: float) -> dict[str, Any]:
    """One point: means over the lesions tried."""
    reached = spread([s["at_once"] for s in samples])
    recovered = spread([s["recovered"] for s in samples])["efficiency"]
    rounds = [s["rounds"] for s in samples if np.isfinite(s["rounds"])]
    return dict(
        order=order,
        removed=fraction,
        **reached,
        recovered=recovered,
        rounds=float(np.mean(rounds)) if rounds else None,
        seeds=len(samples),
        change=reached["efficiency"] - before,
    )


def finding(rows: list[dict]) -> str:
    """The lesion in one sentence: the largest that left something to coordinate, in either order."""
    found = {(r["order"], r["removed"]): r for r in rows if np.isfinite(r["efficiency"])}
    sizes = [f for order, f in found if order == "influential" and f > 0 and ("random", f) in found]
    if not sizes:
        return "Too little is left after any of these lesions to say."
    worst, random = (found[order, max(sizes)] for order in ("influential", "random"))
    share = f"{worst['removed']:.0%}"
    return (
        f"Without its {share} most influential parts the rest is at {percent(worst['efficiency'])} at once (without any "
        f"{share}: {percent(random['efficiency'])}) and at {percent(worst['recovered'])} after settling afresh."
    )
