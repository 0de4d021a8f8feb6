"""What figures say, by the rules of CRITERIA.md: information, differences paired over seeds, verdicts, and the explanation.

    I(expert; class) = sum p(e, c) log p(e, c) / (p(e) p(c))    [nats, plug-in: too large by about (E - 1)(C - 1) / 2 rows]

A difference is price arm less control, of test losses on one seed: negative where prices are better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.competition.trials import interval, said

WORTH = 0.01  # nats a character: less is not worth having
HELP, NO_HELP, UNDECIDED = "prices help", "prices do not help", "undecided"


def mutual_information(counts: Any) -> float:
    """Nats between the rows and the columns of a table of counts."""
    joint = np.asarray(counts, float)
    joint = joint / joint.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    there = joint > 0
    return float((joint[there] * np.log(joint[there] / apart[there])).sum())


def counted(sent: Any, classes: Any, size: int) -> np.ndarray:
    """[experts, size]: how often an expert served a row of a class. `sent` [rows, experts], `classes` [rows]."""
    table = np.zeros((sent.shape[1], size))
    np.add.at(table.T, np.asarray(classes), np.asarray(sent, float))
    return table


def spread(load: Any) -> dict[str, float]:
    """MaxVio, entropy (1: equal) and experts without a row, of a load [experts]."""
    load = np.asarray(load, float)
    share = load[load > 0] / load.sum()
    entropy = -float((share * np.log(share)).sum()) / np.log(len(load))
    return {"MaxVio": float(load.max() / load.mean() - 1), "entropy": entropy, "dead": int((load == 0).sum())}


def against(price: Any, control: Any) -> str:
    """One interval: better, not worth having, worse, or unclear (of the price arm); `NaN` is worse."""
    apart = np.asarray(price, float) - np.asarray(control, float)
    if not np.isfinite(apart).all():
        return "worse"
    mean, half = interval(apart)
    if mean - half > 0:
        return "worse"
    if mean - half > -WORTH:
        return "not worth having"
    return "better" if mean + half < 0 else "unclear"


def cell(price: Any, controls: Sequence[Any]) -> str:
    """The verdict in one cell, against all controls."""
    found = [against(price, control) for control in controls]
    if "worse" in found or "not worth having" in found:
        return NO_HELP
    return HELP if all(one == "better" for one in found) else UNDECIDED


def overall(cells: Sequence[str]) -> str:
    """The verdict of a corpus, of its widths' verdicts."""
    if cells.count(HELP) >= 2 and NO_HELP not in cells:
        return HELP
    return NO_HELP if cells.count(NO_HELP) >= 2 else UNDECIDED


def explanation(dual: Any, hashed: Any, dual_table: Any, switch_table: Any) -> str:
    """Whether a router that knows the last character takes back what prices lose to the hash; losses by seed."""
    dual, hashed, dual_table, switch_table = (np.asarray(a, float) for a in (dual, hashed, dual_table, switch_table))
    lost, regained = float((dual - hashed).mean()), float((dual - dual_table).mean())
    if lost <= 0:
        return f"Dual prices lose nothing to the hash ({said(dual - hashed)}): there is nothing to explain."
    mean, half = interval(dual_table - dual)
    supported = regained >= lost / 2 and mean + half < 0
    words = (
        f"Dual prices lose {lost:.4f} nats to the hash; bids that also read the last character take back {regained:.4f} "
        f"of them (dual + table less dual: {said(dual_table - dual)}): the explanation that a router must know the last "
        f"character is {'supported' if supported else 'NOT supported'}."
    )
    theirs = float((switch_table - dual_table).mean())
    same = "as much, or more" if theirs <= WORTH else "less"
    return (
        words
        + f" Switch with the same table takes back {same} (its loss less dual + table's: "
        + (
            f"{said(switch_table - dual_table)})"
            + (": it is not about prices." if supported and theirs <= WORTH else ".")
        )
    )
