"""Does it reorganise when the world changes? The facts change, the state stays, and rounds are counted to the new rest.

It has recovered when 99 % of the way from the headline right after the shock to that of the new rest is behind it for
good: whatever the headline's sign and unit, and whether the shock makes it rise or fall.
"""

from typing import Any

import jax
import numpy as np

from catallax.core.answer import Answer
from catallax.core.facts import anatomy
from catallax.core.outcome import Outcome, Status
from catallax.core.problem import Problem
from catallax.core.random import key as make_key
from catallax.core.record import Record
from catallax.core.round import Setting, State
from catallax.core.run import run
from catallax.core.society import HostSociety, Society, as_arrays
from catallax.questions.regimes import check_carried, coordinated, headline, percent

BACK = 0.99  # of the way to the new rest's headline: what recovered means


def shock(
    problem: Problem,
    *,
    size: float = 0.5,
    rounds: int = 60,
    seed: int = 0,
    tolerance: float | None = None,
    system: str | None = None,
) -> Answer:
    """One row a round after the shock: unrest, headline, distance of the signal to its new rest.

    `size`: how much the facts are disturbed, a share; `tolerance`: the certificate of both rests (None: the problem's own).
    Raises `Refused` for host societies whose problem does not define `carried`.
    """
    check_carried(problem)
    tolerance = problem.tolerance if tolerance is None else tolerance
    old = coordinated(problem, seed, tolerance)
    changed = problem.shocked(make_key(seed), size)
    new = coordinated(changed, seed, tolerance)
    society = changed.carried(old.society)
    measured = on_the_host if isinstance(society, HostSociety) else compiled
    ran, reached, far = measured(changed, society, new.society, rounds, seed)
    goal, table = headline(changed, new), ran.record or {}
    passed, unrest = table["round"].tolist(), [None, *table["unrest"].tolist()[1:]]
    rows = [
        dict(round=t, unrest=moved, efficiency=value, distance=away)
        for t, moved, value, away in zip(passed, unrest, reached, far, strict=True)
    ]
    recovered = back_after(reached, goal, passed, tolerance, least=new.status is Status.UNSETTLED)
    facts = dict(problem.words()) | dict(
        seed=seed,
        size=size,
        recovered=recovered,
        before=headline(problem, old),
        rest=goal,
        settled=new.status is Status.SETTLED,
    )
    notes = [
        f"recovered: {BACK:.0%} of the way from the value right after the shock to that of the new rest, for good."
    ]
    if ran.status is Status.INTERRUPTED:
        notes.append(f"interrupted after {ran.rounds} of {rounds} rounds")
        facts["interrupted"] = True
    if old.status is not Status.SETTLED:
        notes.append(f"Before the shock it is {old.status}: {old.status.sentence}.")
    if new.status is not Status.SETTLED:
        more = " What passes it has recovered." if new.status is Status.UNSETTLED else ""
        notes.append(f"The changed problem itself is {new.status}: {new.status.sentence}.{more}")
    return Answer(
        "shock", system or type(problem).__name__.lower(), rows, finding(rows, recovered, size, problem), notes, facts
    )


def on_the_host(
    problem: Problem, society: Society, rest: Society, rounds: int, seed: int
) -> tuple[Outcome, list, list]:
    """The run after the shock, with the headline and the distance of each round, taken as the rounds go by."""

    def far(then: Society) -> float:
        away = distance(then, rest)
        return np.nan if away is None else away

    record = Record(every=1, folder=None, reached=lambda then: headline(problem, problem.outcome(then)), far=far)
    ran = run(society, rounds, seed, record=record)
    table = ran.record or {}
    return ran, table["reached"].tolist(), [None if np.isnan(x) else float(x) for x in table["far"]]


def compiled(problem: Problem, society: Society, rest: Society, rounds: int, seed: int) -> tuple[Outcome, list, list]:
    """The same of a compiled society, whose headlines are taken of the states that it went through, afterwards."""
    track = Track(society)
    ran = run(society, rounds, seed, record=track.record)
    then = track.societies(ran.record or {})
    return ran, [headline(problem, problem.outcome(s)) for s in then], [distance(s, rest) for s in then]


class Track:
    """Records what moves, round by round, and rebuilds the society of each."""

    def __init__(self, society: Society):
        self.start = State(as_arrays(society))
        self.form = anatomy(self.start, Setting())
        count = len(self.form.split(self.start)[0])
        form = self.form
        leaves: dict[str, Any] = {f"leaf{i}": lambda s, i=i: form.split(State(s))[0][i] for i in range(count)}
        self.record = Record(every=1, folder=None, **leaves)
        self.names = list(leaves)

    def societies(self, record: dict[str, np.ndarray]) -> list[Society]:
        facts = self.form.split(self.start)[1]
        length = len(record["round"])
        return [self.form.join([record[name][k] for name in self.names], facts).society for k in range(length)]


def distance(then: Society, rest: Society) -> float | None:
    """The largest relative difference between the numbers with fractions that everyone reads now and at the new rest (whole
    ones are names as a rule); None where nobody reads any."""
    far = []
    for a, b in zip(jax.tree.leaves(then.signal.public()), jax.tree.leaves(rest.signal.public()), strict=True):
        if not np.issubdtype(np.asarray(b).dtype, np.floating):
            continue
        a, b = np.asarray(a, float), np.asarray(b, float)
        unit = np.where(b == 0, np.max(np.abs(b), initial=1e-300), np.abs(b))  # of what rests at 0: its largest sibling
        far.append(float(np.max(np.abs(a - b) / unit)))
    return max(far, default=None)


def back_after(
    values: list[float], goal: float, rounds: list[int], tolerance: float, least: bool = False
) -> int | None:
    """The first round from which on the values stay within 1 - BACK of the first one's distance to the goal.

    The goal is known to about `tolerance` of itself, so as near as that will do. `least`: it is no rest, but as far as
    the rounds allowed have come; what is above it will do too.
    """
    near = max((1 - BACK) * abs(values[0] - goal), tolerance * abs(goal))
    away = [k for k, value in enumerate(values) if not (abs(value - goal) <= near or (least and value > goal))]
    if not away:
        return rounds[0]
    return rounds[away[-1] + 1] if away[-1] + 1 < len(rounds) else None


def finding(rows: list[dict], recovered: Any, size: float, problem: Problem) -> str:
    """The shock in one sentence."""
    start, end = rows[0]["efficiency"], rows[-1]["efficiency"]
    fell = f"A shock of {size:.0%} brings {problem.headline} to {percent(start)}"
    if recovered is None:
        return f"{fell}, and {rows[-1]['round']} rounds later it is at {percent(end)}: it has not recovered."
    if not recovered:
        return f"{fell}, which is its new rest at once ({percent(end)} in the end)."
    plural = "s" * (recovered != 1)
    return (
        f"{fell}; {recovered} round{plural} later {BACK:.0%} of the way to its new rest is behind it ({percent(end)})."
    )
