"""Reads the rows of an Answer for a picture: columns as numbers, which runs settled, and the caption.

What is missing is NaN, and so a gap in every picture. A row is taken as settled unless it says otherwise:
by `settled`, the share of its runs that settled, or by the sentence in `status`.
"""

import math

import numpy as np
from jaxtyping import Bool, Float

from ..core.answer import Answer

RESTLESS = ("unsettled", "cycling", "broken", "stopped", "interrupted", "refused")


def column(rows: list[dict], key: str) -> Float[np.ndarray, " rows"]:
    """One column as float64; what is missing is NaN."""
    return np.array([math.nan if row.get(key) is None else float(row[key]) for row in rows], float)


def settled(rows: list[dict]) -> Bool[np.ndarray, " rows"]:
    """True where nothing says that a run came to no rest."""
    share = np.nan_to_num(column(rows, "settled"), nan=1.0) >= 1
    status = [str(row.get("status") or "").lower() for row in rows]
    return share & np.array([not any(word in sentence for word in RESTLESS) for sentence in status], bool)


def banded(low: Float[np.ndarray, " rows"], high: Float[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    """True where there is an interval to shade: one seed gives none."""
    return np.isfinite(low) & np.isfinite(high) & (high > low)


def caption(answer: Answer) -> str:
    """System, population, seeds, and what bands and hollow dots mean where there are any."""
    seeds = {row["seeds"] for row in answer.rows if row.get("seeds")}
    draws = {row["draw"] for row in answer.rows if row.get("draw") is not None}
    parts = [answer.system, str(answer.facts.get("population", ""))]
    if seeds:
        parts.append(f"{'up to ' * (len(seeds) > 1)}{max(seeds)} seed{'s' * (max(seeds) > 1)} a point")
    if draws:
        parts.append(f"{len(draws)} draws, a dot each, bar: median")
    if banded(column(answer.rows, "low"), column(answer.rows, "high")).any():
        parts.append("band: 95 % interval of the mean")
    if np.isfinite(column(answer.rows, "recovered")).any():
        parts.append("dashed: after settling afresh")
    if not settled(answer.rows).all():
        parts.append("hollow: not settled" if draws or not seeds else "hollow: not every run settled")
    return " · ".join(part for part in parts if part)
