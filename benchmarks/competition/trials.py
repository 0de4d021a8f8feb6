"""Runs that are kept, settings chosen at equal cost, differences paired over seeds, verdicts by rules that were written first.

A question is asked at several widths (hidden units of an expert); settings are chosen at the middle one and hold for all.

Every run is kept under benchmarks/.runs/competition by a digest of all that it hangs on, so a run that was cut off goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import harness
from benchmarks.competition.routed import Judged, Rows, Shape, Terms, begin, judge, learn

RUNS = harness.HERE / ".runs" / "competition"
SEEDS, TUNING, STEPS = tuple(range(10, 16)), 100, 1000
MIDDLE, WIDTHS = 16, (8, 16, 32)  # hidden units of an expert
RATES, FOUR = (3e-3, 1e-2), (1e-3, 3e-3, 1e-2, 3e-2)
Found = dict[str, Any]
Runs = dict[str, list[Found]]  # by arm, one a seed

READS = Terms(reads=1.0)
ROUTERS: dict[
    str, tuple[Terms, str, tuple[float, ...]]
] = {  # terms, the arm's own constant, and the values that are tried
    "own": (READS._replace(own=1.0, dual=0.25), "lots", (0.02, 0.1)),
    "price": (READS, "dual", (0.25, 1.0)),
    "net": (READS._replace(softmax=2.0), "dual", (0.25, 1.0)),
    "auxiliary": (READS._replace(softmax=1.0), "auxiliary", (0.01, 0.1)),
    "sign": (READS, "sign", (1e-3, 1e-2)),
    "greedy": (READS._replace(softmax=1.0), "", ()),
    "hash": (Terms(given=1.0), "", ()),
    "random": (Terms(lots=1.0), "", ()),
    "winner": (READS, "winner", (0.05, 0.5)),
    "pheromone": (Terms(), "trails", (0.05, 0.2)),
}


class Arm(NamedTuple):
    """`trials`: settings to choose from; `hidden`: units of each expert, None: all alike; `of`: what changes its rows, or None."""

    name: str
    trials: tuple[Terms, ...]
    hidden: tuple[int, ...] | None = None
    of: Callable[[Rows], Rows] | None = None


def arm(router: str, name: str = "", hidden: Any = None, of: Any = None, **more: Any) -> Arm:
    """A router with the four trials that every arm gets; `more`: terms that its question sets."""
    given, constant, values = ROUTERS[router]
    if constant:
        trials = [given._replace(**{constant: c}, rate=r) for r in RATES for c in values]
    else:
        trials = [given._replace(rate=r) for r in FOUR]
    return Arm(name or router, tuple(one._replace(**more) for one in trials), hidden, of)


def kept(name: str, given: Any, find: Callable[[], Found]) -> Found:
    """What was found for `given`."""
    return harness.kept(RUNS / f"{name}-{hashlib.sha256(repr(given).encode()).hexdigest()[:12]}.json", find)


class Question(NamedTuple):
    """How a question runs its arms. `rows(seed, test)`: to learn from, and to judge by; `score(judged, rows, terms)`: what is
    found, of which `aim` is to be small; `seeds` that it is judged on, and `steps` of learning."""

    name: str
    shape: Shape
    rows: Callable[[int, bool], tuple[Rows, Rows]]
    score: Callable[[Judged, Rows, Terms], Found]
    aim: str
    seeds: tuple[int, ...]
    steps: int

    def run(self, arm: Arm, terms: Terms, seed: int, test: bool) -> Found:
        """One arm, one setting, one seed."""
        given = (self.shape, terms, arm.hidden, arm.of is None, test, self.steps)
        return kept(
            f"{self.name}-{arm.name.replace(' ', '_')}-{seed}", given, lambda: self._run(arm, terms, seed, test)
        )

    def _run(self, arm: Arm, terms: Terms, seed: int, test: bool) -> Found:
        learnt, held = self.rows(seed, test) if arm.of is None else map(arm.of, self.rows(seed, test))
        width = learnt.x.shape[1] * (self.shape.embed or 1)
        state = begin(self.shape, width, seed, arm.hidden)
        state = learn(self.shape, state, learnt, terms, seed, self.steps, self.steps)
        return self.score(Judged(*map(np.asarray, judge(state, held, terms))), held, terms)

    def chosen(self, arm: Arm) -> Terms:
        """The trial that does best on the tuning seed."""
        if len(arm.trials) == 1:
            return arm.trials[0]
        return min(arm.trials, key=lambda one: self.run(arm, one, TUNING, False)[self.aim])

    def found(self, arms: list[Arm], settings: list[Terms]) -> Runs:
        """What was found by arm and seed, each arm at its setting."""
        found = {}
        for one, terms in zip(arms, settings, strict=True):
            found[one.name] = [self.run(one, terms, seed, True) for seed in self.seeds]
            mean = np.mean(values(found[one.name], self.aim))
            harness.say(f"  {self.name}, {self.shape.hidden} units, {one.name}: {mean:.4f} at {terms.rate:g}")
        return found


Made = Callable[[int], tuple[Question, list[Arm]]]  # by hidden units of an expert


def found_at(made: Made, units: int) -> Runs:
    """What was found at one width, each arm at the setting that did best at the middle one."""
    middle, tried = made(MIDDLE)
    question, arms = made(units)
    return question.found(arms, [middle.chosen(one) for one in tried])


# --- what is made of it ---------------------------------------------------------------------------------------------------


def interval(apart: Any) -> tuple[float, float]:
    """(mean, half the width of Student's 95 % interval) of paired differences."""
    from scipy.stats import t

    apart = np.asarray(apart, float)
    if len(apart) < 2:
        return float(apart.mean()), float("inf")
    return float(apart.mean()), float(t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart)))


def side(apart: Any) -> int:
    """-1 or 1 where the interval lies on one side of 0, else 0."""
    mean, half = interval(apart)
    return int(np.sign(mean)) if abs(mean) > half else 0


def verdict(market: Any, rivals: dict[str, Any]) -> str:
    """win, loss or undecided, where less is better: better than each rival, worse than any, or neither."""
    sides = [side(np.asarray(market) - np.asarray(one)) for one in rivals.values()]
    return "loss" if 1 in sides else "win" if all(s == -1 for s in sides) else "undecided"


def said(apart: Any) -> str:
    """A difference with its interval."""
    mean, half = interval(apart)
    return f"{mean:+.4f} +- {half:.4f}"


def values(runs: list[Found], aim: str) -> np.ndarray:
    """One figure by seed."""
    return np.array([one[aim] for one in runs], float)


def compared(found: Runs, aim: str, market: str, units: int) -> list[dict[str, Any]]:
    """A row an arm: means over seeds, and the aim less the market's on the same seed (positive: worse than the market)."""
    rows = []
    for name, runs in found.items():
        row: dict[str, Any] = {"units": units, "arm": name} | {key: float(values(runs, key).mean()) for key in runs[0]}
        if name != market:
            row[f"{aim}, less {market}'s"] = said(values(runs, aim) - values(found[market], aim))
        rows.append(row)
    return rows


class Claim(NamedTuple):
    """A market that should do better than each of its rivals, by one figure of what was found."""

    label: str
    market: str
    rivals: list[str]
    aim: str
    seen: Callable[[Runs], Runs] = lambda found: found  # what is judged, of what was found

    def at(self, found: Runs) -> tuple[str, str]:
        """(verdict, in words by how much)"""
        seen = self.seen(found)
        against = {name: values(seen[name], self.aim) for name in self.rivals}
        mine = values(seen[self.market], self.aim)
        return verdict(mine, against), ", ".join(f"{name} {said(mine - one)}" for name, one in against.items())

    def sentence(self, verdict: str, words: str) -> str:
        """What is printed."""
        head = f"{self.label} {self.market}: **{verdict}**".strip()
        return f"{head}. {self.aim}, {self.market} less rival (negative: {self.market} is better): {words}."


def overall(verdicts: list[str]) -> str:
    """Of all widths: a win in two of three, and no loss in any; a loss in two of three; else undecided."""
    most = 2 * len(verdicts) / 3
    if verdicts.count("loss") >= most:
        return "loss"
    return "win" if verdicts.count("win") >= most and "loss" not in verdicts else "undecided"


def answered(title: str, by_width: dict[int, Runs], aim: str, market: str, claims: list[Claim]) -> harness.Table:
    """The table of a question, and its verdicts."""
    rows = [row for units, found in by_width.items() for row in compared(found, aim, market, units)]
    notes = []
    for claim in claims:
        found = {units: claim.at(runs) for units, runs in by_width.items()}
        each = "; ".join(f"{units} units, {verdict}: {words}" for units, (verdict, words) in found.items())
        notes.append(claim.sentence(overall([verdict for verdict, _ in found.values()]), each))
    return harness.Table(title, rows, notes)
