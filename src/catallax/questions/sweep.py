"""And on many problems: each regime's headline on every one, its distribution, and the worst by name."""

from collections.abc import Callable, Iterable

import numpy as np

from catallax.core.answer import Answer
from catallax.core.problem import Problem
from catallax.questions.compare import REGIMES
from catallax.questions.regimes import UntilInterrupted, attempt, coordinated, headline, percent


def sweep(
    problems: Iterable[tuple[str, Problem]],
    *,
    regimes: Iterable[str] = REGIMES,
    seed: int = 0,
    system: str | None = None,
    look: Callable[[int, int], None] | None = None,
) -> Answer:
    """One row a problem and regime: draw (its name), regime, status, headline."""
    drawn = list(problems)
    rows, words, notes = [], {}, []
    with UntilInterrupted(len(drawn), "draws") as tried:
        for name, problem in drawn:
            words = problem.words()
            rows += on_one(name, problem, regimes, seed)
            tried.done += 1
            if look is not None:
                look(tried.done, len(drawn))
    facts = dict(words) | {"seed": seed, "draws": tried.done, "distribution": distribution(rows)}
    tried.said(notes, facts)
    facts.pop("population", None)
    return Answer("sweep", system or "problems", rows, finding(rows), notes, facts)


def on_one(name: str, problem: Problem, regimes: Iterable[str], seed: int) -> list[dict]:
    """The rows of one problem."""
    ways = {
        "silence": problem.silence,
        "signal": lambda: coordinated(problem, seed),
        "planner": problem.plan,
        "full_information": problem.contest,
    }
    rows = []
    for regime in regimes:
        tried = attempt(ways[regime])
        value = None if tried.outcome is None else headline(problem, tried.outcome)
        rows.append(dict(draw=name, regime=regime, status=tried.status, efficiency=value))
    return rows


def distribution(rows: list[dict]) -> dict[str, dict]:
    """Quantiles a regime, and where the least was."""
    out = {}
    for regime in dict.fromkeys(r["regime"] for r in rows):
        own = [
            r for r in rows if r["regime"] == regime and r["efficiency"] is not None and np.isfinite(r["efficiency"])
        ]
        if not own:
            continue
        values = np.array([r["efficiency"] for r in own])
        worst = own[int(values.argmin())]
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        out[regime] = dict(
            count=len(own),
            settled=sum(r["status"] in ("settled", "done") for r in own),
            lowest=float(values.min()),
            q05=float(low),
            median=float(middle),
            q95=float(high),
            worst=worst["draw"],
            worst_status=worst["status"],
        )
    return out


def finding(rows: list[dict]) -> str:
    """The worst of each regime, named."""
    parts = [
        f"{name.replace('_', ' ')} {percent(d['median'])} (worst {percent(d['lowest'])} on {d['worst']}, {d['worst_status']})"
        for name, d in distribution(rows).items()
    ]
    return "Median efficiency: " + "; ".join(parts) + "."
