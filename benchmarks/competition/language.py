"""The character model: do prices route better than an auxiliary loss, or than a hash? Criteria: CRITERIA.md."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.competition import evidence
from benchmarks.competition.study import MIDDLE, Cells, Found, Study, Trials, mixed, studied
from benchmarks.competition.trials import interval, said

PRICED = ("dual price", "sign", "own objective")  # the first is the primary one
CONTROLS = ("switch", "hash")
QUICK = ("dense, equal active", "hash", "switch", "dual price")


def benchmark_parts(options: harness.Options) -> list[harness.Table]:
    """The tables of this half; a quick run: four arms, one corpus, one width, two seeds, few steps."""
    from benchmarks.competition.arms import ARMS

    study = Study(tuple(ARMS))
    if options.quick:
        study = Study(QUICK, study.corpora[:1], (16,), (10, 11), 40, study.rates[:1], 1024, 2048)
    trials, cells = studied(study)
    return [*(arms_of(study, name, cells) for name in study.corpora), verdicts(study, cells), trials_of(trials)]


# --- the figures of the arms ------------------------------------------------------------------------------------------


def arms_of(study: Study, name: str, cells: Cells) -> harness.Table:
    """A row an arm and width."""
    rows = [
        row_of(name, width, arm, cells)
        for width in sorted(study.widths)
        for arm in study.arms
        if (name, width, arm) in cells
    ]
    notes = [
        f"{len(study.seeds)} seeds, {study.steps:,} steps; +- after a loss: standard deviation over seeds; differences are paired "
        "by seed, with 95 % t-intervals (negative: better than the control). MI in nats.",
        "Expert choice needs the whole batch, in the test too: it is not causal, and a character may have no expert or several.",
        *balance(study, name, cells),
        *routing(study, name, cells),
    ]
    return harness.Table(f"Characters: {name}", rows, notes)


def row_of(name: str, width: int, arm: str, cells: Cells) -> dict[str, Any]:
    """Means over seeds."""
    runs = cells[name, width, arm]
    loss = losses(runs)
    row: dict[str, Any] = {
        "width": width,
        "arm": arm,
        "test nats": f"{loss.mean():.4f} +- {loss.std(ddof=1):.4f}",
        **{f"less {c}": less(loss, cells, (name, width, c)) for c in CONTROLS if c != arm},
    }
    if mixed(name):
        row["by source"] = " / ".join(f"{v:.3f}" for v in np.mean([run["by source"] for run in runs], 0))
    for title, key in (
        ("MaxVio", "MaxVio"), ("dead", "dead"), ("load entropy", "entropy"), ("MI, last", "I(last)"),
        ("MI, source", "I(source)"), ("MaxVio met in learning", "met"), ("without expert", "unserved"),
    ):  # fmt: skip
        if key in runs[0] and "MaxVio" in runs[0]:
            row[title] = mean(runs, key)
    row["CPU ms a step"] = float(np.median([run["CPU ms"] for run in runs]))
    return row


def losses(runs: list[Found]) -> np.ndarray:
    """Test loss by seed."""
    return np.array([run["loss"] for run in runs], float)


def mean(runs: list[Found], key: str) -> float:
    """Over seeds."""
    return float(np.mean([run[key] for run in runs]))


def less(loss: np.ndarray, cells: Cells, control: tuple[str, int, str]) -> str:
    """A paired difference in words."""
    return said(loss - losses(cells[control])) if control in cells else ""


def balance(study: Study, name: str, cells: Cells) -> list[str]:
    """MaxVio of dual prices less Switch's, by width."""
    found = []
    for width in sorted(study.widths):
        ours, theirs = (np.array([r["MaxVio"] for r in cells[name, width, arm]]) for arm in ("dual price", "switch"))
        found.append(f"width {width}: {said(ours - theirs)}")
    return ["Balance, MaxVio of dual price less switch's: " + "; ".join(found) + "."]


def routing(study: Study, name: str, cells: Cells) -> list[str]:
    """Each arm against no routing at all, and what it costs that no gradient crosses."""
    notes = []
    for control in ("dense, equal active", "random"):
        for width in sorted(study.widths):
            if (name, width, control) not in cells:
                continue
            base = losses(cells[name, width, control])
            each = [
                f"{arm} {said(losses(cells[name, width, arm]) - base)}"
                for arm in study.arms
                if arm != control and (name, width, arm) in cells
            ]
            notes.append(f"Less {control}, width {width}: " + ", ".join(each) + ".")
    if (name, study.widths[0], "own objective") in cells:
        each = [
            f"width {w}: {less(losses(cells[name, w, 'own objective']), cells, (name, w, 'dual price'))}"
            for w in sorted(study.widths)
        ]
        notes.append("Independence, own objective less dual price: " + "; ".join(each) + ".")
    return notes


# --- verdicts ---------------------------------------------------------------------------------------------------------


def verdicts(study: Study, cells: Cells) -> harness.Table:
    """A row a price arm and corpus, by the rules of CRITERIA.md; and why."""
    rows = []
    for name in study.corpora:
        for arm in (a for a in PRICED if a in study.arms):
            found = {w: verdict_of(name, w, arm, cells) for w in sorted(study.widths)}
            rows.append(
                {
                    "corpus": name,
                    "price arm": arm + (" (primary)" if arm == PRICED[0] else ""),
                    **{f"width {w}": v for w, v in found.items()},
                    "verdict": evidence.overall(list(found.values())),
                }
            )
    return harness.Table("Characters: do prices help?", rows, [*counted(study, cells), *explained(study, cells)])


def verdict_of(name: str, width: int, arm: str, cells: Cells) -> str:
    """One cell."""
    return evidence.cell(losses(cells[name, width, arm]), [losses(cells[name, width, c]) for c in CONTROLS])


def counted(study: Study, cells: Cells) -> list[str]:
    """How many intervals lie on which side of 0."""
    sides = []
    for name in study.corpora:
        for width in study.widths:
            for arm in (a for a in PRICED if a in study.arms):
                for control in CONTROLS:
                    apart = losses(cells[name, width, arm]) - losses(cells[name, width, control])
                    middle, half = interval(apart)
                    sides.append(0 if abs(middle) <= half else int(np.sign(middle)))
    return [
        f"Of {len(sides)} intervals (price arm less control, by cell) {sides.count(-1)} lie below 0, where the price arm is "
        f"better, {sides.count(1)} above, and {sides.count(0)} hold 0; about {0.05 * len(sides):.0f} would miss 0 by chance."
    ]


def explained(study: Study, cells: Cells) -> list[str]:
    """The explanation that the criteria ask to be tested, and how much each router knows of the last character."""
    arms, width = ("dual price", "hash", "dual price + table", "switch + table"), study.widths[0]
    if any(arm not in study.arms for arm in arms):
        return []
    notes = []
    for name in study.corpora:
        words = evidence.explanation(*(losses(cells[name, width, arm]) for arm in arms))
        known = ", ".join(
            f"{arm} {mean(runs, 'I(last)'):.2f}"
            for arm in study.arms
            if "I(last)" in (runs := cells[name, width, arm])[0]
        )
        notes.append(f"{name}, width {width}. {words} MI of expert and last character, nats: {known}.")
    return notes


def trials_of(trials: dict[tuple[str, str], Trials]) -> harness.Table:
    """A row an arm and corpus: what was tried, and what it gave."""
    from benchmarks.competition.arms import ARMS

    rows = []
    for (arm, name), found in trials.items():
        what = ARMS[arm].what
        each = [
            f"{s.rate:.3g}{f', {s.value:g}' if what else ''}: {v:.4f}"
            for s, v in zip(found.settings, found.losses, strict=True)
        ]
        chosen = f"{found.chosen.rate:.3g}" + (f", {what} {found.chosen.value:g}" if what else "")
        rows.append({"corpus": name, "arm": arm, "chosen": chosen, "trials: validation nats": "; ".join(each)})
    edge = [f"{arm} ({name})" for (arm, name), f in trials.items() if f.chosen.rate == max(s.rate for s in f.settings)]
    notes = [
        f"Arms whose chosen rate is the largest that they tried, and which might gain by more: {', '.join(edge) or 'none'}."
    ]
    return harness.Table(f"Characters: settings, chosen at width {MIDDLE}", rows, notes)
