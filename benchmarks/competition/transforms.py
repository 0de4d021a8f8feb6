"""Digits under four unknown transforms: does competition find them, and does that pay (CRITERIA.md, d)?

The larger net is expert 0 with the hidden units of all four and of the router; the single small one is expert 0 alone.
"""

from __future__ import annotations

import numpy as np

from benchmarks import harness
from benchmarks.competition import capacity, inputs
from benchmarks.competition.routed import ROUTER, Judged, Rows, Shape, Terms
from benchmarks.competition.trials import Arm, Claim, Found, Question, Runs, answered, arm, found_at, values

WIDTH, CLASSES = 49, 10
LARGER = "one net of all parameters"


def large(units: int) -> int:
    """Hidden units of a net that has as many parameters as four experts and their router."""
    return 4 * units + (ROUTER * (WIDTH + 5) + 4) // (WIDTH + CLASSES + 1)


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


def four(seeds: tuple[int, ...], steps: int, widths: tuple[int, ...]) -> harness.Table:
    """(d)"""

    def rows(seed: int, test: bool) -> tuple[Rows, Rows]:
        return capacity.rows(seed, test, experts=4)

    def made(units: int) -> tuple[Question, list[Arm]]:
        small, whole, free = (units,) * 4, large(units), (0.0,) * 4
        routers = ("own", "price", "auxiliary", "winner", "hash", "random")
        arms = [arm(name, hidden=small, cost=free) for name in routers]
        arms += [
            arm("hash", "kinds told", small, inputs.told, cost=free),
            arm("hash", "one net, an expert's size", small, to_one, cost=free),
            arm("hash", LARGER, (whole,) * 4, to_one, cost=free),
            arm("net", capacity.NET, small, cost=free),
        ]
        shape = Shape(experts=4, hidden=whole)
        return Question("transforms", shape, rows, of_kinds, "log-loss", seeds, steps), arms

    rivals = ["hash", "random", "price", "auxiliary"]
    claims = [
        Claim("Specialises.", "own", rivals, "1 - alignment", strayed),
        Claim("Pays.", "own", [*rivals, LARGER], "log-loss"),
        Claim(
            "Added after the others had been seen.", capacity.NET, ["hash", "random", "auxiliary", LARGER], "log-loss"
        ),
        Claim("Beside the winner's learning.", "own", ["winner"], "log-loss"),
    ]
    by_width = {w: found_at(made, w) for w in widths}
    return answered("(d) Four unknown transforms", by_width, "log-loss", "own", claims)


def strayed(found: Runs) -> Runs:
    """1 - alignment, of which less is better."""
    return {name: [{"1 - alignment": 1 - a} for a in values(runs, "alignment")] for name, runs in found.items()}
