"""Digits under four unknown transforms: does competition find them, and does that pay (CRITERIA.md, d)?

The larger net is expert 0 with the hidden units of all four and of the router; the single small one is expert 0 alone.
"""

from __future__ import annotations

import numpy as np

from benchmarks import harness
from benchmarks.competition import capacity, inputs
from benchmarks.competition.routed import ROUTER, Judged, Rows, Shape, Terms
from benchmarks.competition.trials import Found, Question, arm, compared, judgement, values

HIDDEN, WIDTH, CLASSES = 16, 49, 10
LARGE = 4 * HIDDEN + (ROUTER * (WIDTH + 5) + 4) // (
    WIDTH + CLASSES + 1
)  # as many parameters as experts and router have
SHAPE = Shape(experts=4, hidden=LARGE)


def to_one(rows: Rows) -> Rows:
    """All tokens to expert 0."""
    return rows._replace(given=np.eye(4, dtype=np.float32)[np.zeros(len(rows.y), int)])


def of_kinds(judged: Judged, rows: Rows, terms: Terms) -> Found:
    """Loss, accuracy, and what the expert says of the kind."""
    from catallax.measures import specialisation as measured

    choice = capacity.wanted(judged, terms)
    counts = measured.together(rows.kind, choice, 4, 4)
    return {
        **capacity.outcome(judged, choice),
        "alignment": measured.alignment(counts),
        "MI(kind; expert)": measured.mutual_information(counts),
        "MI(digit; expert)": measured.mutual_information(measured.together(rows.y, choice, 10, 4)),
        "MaxVio": measured.max_violation(counts.sum(0)),
    }


def four(seeds: tuple[int, ...], steps: int) -> harness.Table:
    """(d)"""

    def rows(seed: int, test: bool) -> tuple[Rows, Rows]:
        return capacity.rows(seed, test, experts=4)

    question = Question("transforms", SHAPE, rows, of_kinds, "log-loss", seeds, steps)
    small, routers = (HIDDEN,) * 4, ("own", "price", "auxiliary", "winner", "hash", "random")
    arms = [arm(name, hidden=small, cost=(0.0,) * 4) for name in routers]
    arms += [
        arm("hash", "kinds told", small, inputs.told, cost=(0.0,) * 4),
        arm("hash", "one net, an expert's size", small, to_one, cost=(0.0,) * 4),
        arm("hash", f"one net of all parameters ({LARGE})", (LARGE,) * 4, to_one, cost=(0.0,) * 4),
    ]
    found = question.found(arms)
    rivals = ["hash", "random", "price", "auxiliary"]
    strayed = {name: [{"1 - alignment": 1 - a} for a in values(runs, "alignment")] for name, runs in found.items()}
    notes = [
        "Specialises. " + judgement(strayed, "1 - alignment", "own", rivals),
        "Pays. " + judgement(found, "log-loss", "own", [*rivals, arms[-1].name]),
        "Beside the winner's learning. " + judgement(found, "log-loss", "own", ["winner"]),
    ]
    return harness.Table("(d) Four unknown transforms", compared(found, "log-loss", "own"), notes)
