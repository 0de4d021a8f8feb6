"""Rules that add up points: plurality, Borda, approval, score.

    plurality   1 for the first on a ballot
    Borda       how many options one is placed before, those it is level with as halves (so blanks share what is left)
    approval    1 for each option approved
    score       the grade given

J.-C. de Borda, Mémoire sur les élections au scrutin, 1781. S. Brams and P. Fishburn, Approval voting, American Political Science
Review 72, 1978.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from catallax.collective.ballots.paper import Result, as_weights, ballots, by_scores
from catallax.core.errors import BadInput


def plurality(rankings: Any, *, tie_break: Sequence[int] | None = None) -> Result:
    """Most first places win. `rankings`: `Ballots` or what `ballots` takes; see `Result` for ties."""
    cast = ballots(rankings)
    return by_scores("plurality", cast.firsts(np.ones(cast.options, bool)), tie_break, cast.total)


def borda(rankings: Any, *, tie_break: Sequence[int] | None = None) -> Result:
    """Most points win: one for each option that a ballot places behind, a half for one that it leaves level."""
    cast = ballots(rankings)
    before = cast.pairwise
    level = cast.total - before - before.T
    np.fill_diagonal(level, 0)
    return by_scores("Borda", before.sum(1) + level.sum(1) / 2, tie_break, cast.total)


def approval(approved: Any, weights: Any = None, *, tie_break: Sequence[int] | None = None) -> Result:
    """Most approvals win. `approved` bool[voters, options] (or 0 and 1). Raises `BadInput` for anything else."""
    table = np.asarray(approved)
    if table.dtype != bool:
        wrong = (
            np.argwhere((table != 0) & (table != 1)) if table.dtype.kind in "iuf" else np.zeros((1, table.ndim), int)
        )
        if wrong.size:
            row = wrong[0].tolist()
            raise BadInput(f"approved{row} is {table[tuple(row)]!r}: give True or False for each voter and option")
    return graded("approval", table, weights, tie_break)


def score(grades: Any, weights: Any = None, *, tie_break: Sequence[int] | None = None) -> Result:
    """The largest sum of grades wins. `grades` [voters, options], finite numbers. Raises `BadInput` for anything else."""
    table = np.asarray(grades)
    if table.dtype.kind not in "iuf":
        raise BadInput(f"grades hold {table.dtype}: give numbers [voters, options]")
    wrong = np.argwhere(~np.isfinite(table))
    if wrong.size:
        row = wrong[0].tolist()
        raise BadInput(f"grades{row} is {table[tuple(row)]}: give a finite number for each voter and option")
    return graded("score", table, weights, tie_break)


def graded(rule: str, table: np.ndarray, weights: Any, tie_break: Sequence[int] | None) -> Result:
    """The sum of a table over voters."""
    if table.ndim != 2 or not table.size:
        raise BadInput(f"{rule} ballots have shape {table.shape}: give [voters, options], at least one of each")
    given = as_weights(weights, len(table))
    sums = given @ table if weights is not None else table.sum(0, dtype=np.float64)
    return by_scores(rule, sums, tie_break, float(given.sum() * max(1e-300, np.abs(table).max())))
