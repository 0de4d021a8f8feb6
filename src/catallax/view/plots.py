"""One picture for each question: an Answer in, a Matplotlib Figure out.

    frontier    welfare against information (a file of its own, `catallax.view.frontier`)
    compare     who coordinates: efficiency, share of the optimum and inequality of each regime
    lesion      efficiency against the share removed, at random or the most influential first
    shock       efficiency and unrest, round by round, after the world has changed
    replicate   what influence costs against the number of agents, on logarithmic scales
    sweep       every drawn problem as a dot, the worst of each regime named
    teaching    error against bits told to a network's layers (a file of its own, `catallax.view.teaching`)

A number that is missing is a gap, never a zero; a run that did not settle is hollow; there is no band where
one seed gives none. What a picture says in words it has read from the rows.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from ..core.answer import Answer
from ..core.errors import BadInput
from . import experts, frontier, style, teaching
from .rows import banded, caption, column, settled
from .style import BLUE, GREEN, GREY, INK, MUTED, PAPER, REGIME, VERMILION, percent, write

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

WIDE = style.WIDTH - style.LEFT - style.RIGHT


def figure(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """The picture of an answer; `titled` writes its headline above. Raises BadInput for a question that has
    none.
    """
    if answer.question not in FIGURES:
        raise BadInput(f"There is no picture for the question {answer.question!r}: ask one of {', '.join(FIGURES)}.")
    draw, keys = FIGURES[answer.question]
    if not any(np.isfinite(column(answer.rows, key)).any() for key in keys):
        sheet = style.sheet(0.8, headline(answer, titled), caption(answer))
        sheet.figure.text(0.02, 0.5, "No value was measured.", size=10, color=MUTED)
        return sheet.figure
    return draw(answer, titled)


def compare(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """Bars for each regime, with their values: one panel a measure."""
    rows = answer.rows
    measures = [
        (key, name)
        for key, name in (
            ("efficiency", answer.facts.get("measure", "efficiency")),
            ("share_of_optimum", "share of the optimum"),
            ("gini", "inequality (Gini)"),
        )
        if np.isfinite(column(rows, key)).any()
    ]
    sheet = style.sheet(0.5 + 0.42 * len(rows), headline(answer, titled), caption(answer))
    left, gap = 1.35, 0.35
    width = (style.WIDTH - left - 0.1) / max(len(measures), 1) - gap
    for panel, (key, name) in enumerate(measures):
        axes = sheet.axes(left + panel * (width + gap), 0.12, width, 0.42 * len(rows))
        bars(axes, column(rows, key), [REGIME.get(row["regime"], BLUE) for row in rows], settled(rows))
        axes.set_title(name if panel else name.split(" (")[0], size=9, color=MUTED, loc="left", parse_math=False)
        names = [row["regime"].replace("_", " ") if panel == 0 else "" for row in rows]
        style.ticks(axes.yaxis, range(len(rows)), names)
        axes.tick_params(axis="y", labelcolor=INK, labelsize=10)
    return sheet.figure


def bars(axes: "matplotlib.axes.Axes", values: Float[np.ndarray, " rows"], colours: list[str],
         whole: Bool[np.ndarray, " rows"]) -> None:  # fmt: skip
    """Horizontal bars from 0, first row on top, each with its value; hollow where the run did not settle."""
    for row, (value, colour) in enumerate(zip(values, colours, strict=True)):
        if math.isfinite(value):
            axes.barh([row], [value], 0.52, color=colour if whole[row] else PAPER, edgecolor=colour, linewidth=1.2)
        write(axes, value if math.isfinite(value) else 0, row, number(value), by=(5, 0), ha="left", size=9.5)
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_xlim(0, 1.3 * max(np.nanmax(values, initial=0.0), 1e-9))
    axes.set_ylim(len(values) - 0.5, -0.5)
    style.ticks(axes.xaxis, [], [])


def lesion(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """Efficiency of what is left against the share removed, a line for each order of removal, named at its
    end.
    """
    sheet = style.sheet(3.3, headline(answer, titled), caption(answer))
    axes = sheet.axes(style.LEFT, 0.55, WIDE - 0.95, 2.4)
    ends = []
    for order, colour, name in (
        ("random", BLUE, "at random"),
        ("influential", VERMILION, "most influential\nfirst"),
    ):
        rows = sorted((row for row in answer.rows if row["order"] == order), key=lambda row: row["removed"])
        if not rows:
            continue
        x, y = column(rows, "removed"), column(rows, "efficiency")
        line_with_band(axes, x, y, column(rows, "low"), column(rows, "high"), colour, settled(rows))
        afresh = column(rows, "recovered")
        if np.isfinite(afresh).any():
            axes.plot(x, afresh, color=colour, linewidth=1.2, linestyle=(0, (4, 2.5)), zorder=2)
        if np.isfinite(y).any():
            last = np.flatnonzero(np.isfinite(y))[-1]
            ends.append((x[last], y[last], name, colour))
    fit_share(axes, np.concatenate([column(answer.rows, key) for key in ("efficiency", "low", "recovered")]))
    label_ends(axes, ends)
    places = sorted({row["removed"] for row in answer.rows})
    style.ticks(axes.xaxis, spread(places, 0.06), [percent(place) for place in spread(places, 0.06)])
    style.name_axes(axes, "removed", f"{answer.facts.get('measure', 'efficiency')} of what is left")
    return sheet.figure


def shock(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """Two series above each other: efficiency, and unrest on a logarithmic scale, with the round of
    recovery.
    """
    rows = answer.rows
    sheet = style.sheet(4.3, headline(answer, titled), caption(answer))
    rounds = column(rows, "round")
    upper = sheet.axes(style.LEFT, 2.45, WIDE - 0.95, 1.5)
    upper.plot(rounds, column(rows, "efficiency"), color=BLUE, linewidth=2)
    fit_share(upper, column(rows, "efficiency"))
    upper.tick_params(axis="x", labelbottom=False)
    style.name_axes(upper, up=answer.facts.get("measure", "efficiency"))
    lower = sheet.axes(style.LEFT, 0.55, WIDE - 0.95, 1.4, sharex=upper)
    if len(rows) > 1:
        upper.set_xlim(np.nanmin(rounds), np.nanmax(rounds))
    positive, ends = [], []
    for key, name, colour in (
        ("unrest", "unrest", VERMILION),
        ("distance", "distance to\nthe new rest", GREY),
    ):
        y = column(rows, key)
        y[~(y > 0)] = np.nan  # a logarithm has no place for perfect rest
        lower.plot(rounds, y, color=colour, linewidth=2)
        shown = np.flatnonzero(np.isfinite(y))
        positive.extend(y[shown])
        if shown.size:
            ends.append((rounds[shown[-1]], y[shown[-1]], name, colour))
    if positive:
        lower.set_yscale("log")
        lower.set_ylim(min(positive) / 1.5, max(positive) * 1.5)
        style.decades(lower.yaxis, positive, 5)
    label_ends(lower, ends)
    style.name_axes(lower, "rounds after the change", "unrest (logarithmic)")
    mark_recovery(upper, lower, answer.facts.get("recovered"))
    return sheet.figure


def mark_recovery(upper: "matplotlib.axes.Axes", lower: "matplotlib.axes.Axes", recovered: style.Number | None) -> None:
    """A thin line through both panels where the old order is back, or the sentence that it is not."""
    low = upper.get_ylim()[0]
    if recovered is None or not math.isfinite(recovered):
        words = "not recovered within these rounds"
        write(upper, upper.get_xlim()[1], low, words, VERMILION, by=(-4, 10), ha="right", weight="bold")
        return
    for axes in (upper, lower):
        axes.axvline(recovered, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    right = recovered < np.mean(upper.get_xlim())
    words = f"recovered after {recovered:g} round{'' if recovered == 1 else 's'}" if recovered else "never out of order"
    write(
        upper,
        recovered,
        low,
        words,
        by=(6 if right else -6, 10),
        ha="left" if right else "right",
        weight="bold",
    )


def replicate(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """Inefficiency, own effect and gain from deviating against the number of agents; a slope of -2 as
    guide.
    """
    rows = sorted(answer.rows, key=lambda row: row["agents"])
    sheet = style.sheet(3.6, headline(answer, titled), caption(answer))
    axes = sheet.axes(style.LEFT, 0.55, WIDE - 1.55, 2.7)
    agents, positive, ends = column(rows, "agents"), [], []
    for key, name, colour in (
        ("inefficiency", "welfare lost under\nfull information", VERMILION),
        ("effect", "own effect on\nthe signal", BLUE),
        ("gain", "gain from\ndeviating", GREEN),
    ):
        y = column(rows, key)
        y[~(y > 0)] = np.nan
        rested = settled(rows) if key == "inefficiency" else np.ones(len(rows), bool)  # status is the contest's
        line_with_band(axes, agents, y, y * np.nan, y * np.nan, colour, rested)
        shown = np.flatnonzero(np.isfinite(y))
        positive.extend(y[shown])
        if shown.size:
            ends.append((agents[shown[-1]], y[shown[-1]], name, colour))
    axes.set_xscale("log")
    style.ticks(axes.xaxis, agents, [f"{number:,.0f}" for number in agents])
    if positive:
        axes.set_yscale("log")
        axes.set_ylim(min(positive) / 2, max(positive) * 2)
        style.decades(axes.yaxis, positive)
    else:
        style.ticks(axes.yaxis, [], [])
        axes.text(0.02, 0.5, "Nothing is above zero.", size=10, color=MUTED, transform=axes.transAxes)
    guide(axes, agents, column(rows, "inefficiency"))
    label_ends(axes, ends)
    style.name_axes(axes, "agents", "both scales are logarithmic")
    return sheet.figure


def guide(axes: "matplotlib.axes.Axes", agents: Float[np.ndarray, " rows"], lost: Float[np.ndarray, " rows"]) -> None:
    """The slope at which each doubling of the agents leaves a quarter, through the first point of what is
    lost.
    """
    known = np.flatnonzero(lost > 0)
    if known.size < 2:
        return
    x = agents[known]
    y = lost[known[0]] * (x / x[0]) ** -2.0
    axes.plot(x, y, color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=5)
    words = "dotted: a quarter with each doubling"
    axes.text(0.02, 0.05, words, size=8, color=MUTED, transform=axes.transAxes, parse_math=False)


def sweep(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """Every draw as a dot, a row for each regime: the median as a bar, the worst named."""
    regimes = list(dict.fromkeys(row["regime"] for row in answer.rows))
    sheet = style.sheet(0.85 + 0.78 * len(regimes), headline(answer, titled), caption(answer))
    axes = sheet.axes(1.35, 0.55, style.WIDTH - 1.35 - 0.45, 0.78 * len(regimes))
    shown = column(answer.rows, "efficiency")
    lowest = min(np.nanmin(shown, initial=1.0), 0.999)
    axes.set_xlim(lowest - 0.03 * (1 - lowest), max(np.nanmax(shown, initial=1.0), 1.0) + 0.02 * (1 - lowest))
    for level, regime in enumerate(regimes):
        rows = [row for row in answer.rows if row["regime"] == regime]
        strip(axes, level, rows, REGIME.get(regime, BLUE))
    axes.set_ylim(len(regimes) - 0.4, -0.6)
    axes.grid(False)
    axes.grid(axis="x", color=style.FAINT, linewidth=0.8)
    places = axes.get_xticks()[(axes.get_xticks() >= axes.get_xlim()[0]) & (axes.get_xticks() <= 1)]
    style.ticks(axes.xaxis, places, [f"{100 * place:.4g} %" for place in places])
    style.ticks(axes.yaxis, range(len(regimes)), [regime.replace("_", " ") for regime in regimes])
    axes.tick_params(axis="y", labelcolor=INK, labelsize=10)
    axes.set_xlabel(answer.facts.get("measure", "efficiency"), size=9, color=MUTED, labelpad=6, parse_math=False)
    return sheet.figure


def strip(axes: "matplotlib.axes.Axes", level: int, rows: list[dict], colour: str) -> None:
    """The draws of one regime, shaken apart by the golden ratio (the same at every drawing)."""
    y, whole = column(rows, "efficiency"), settled(rows)
    height = level + 0.34 * ((np.arange(len(rows)) * 0.6180339887 % 1) - 0.5)
    axes.scatter(
        y, height, s=22, linewidths=0.8, alpha=0.75, zorder=3,
        facecolors=[colour if one else PAPER for one in whole],
        edgecolors=[PAPER if one else colour for one in whole],
    )  # fmt: skip
    if not np.isfinite(y).any():
        write(axes, 1.0, level, "no draw has a value", MUTED, ha="right")
        return
    median, worst = float(np.nanmedian(y)), int(np.nanargmin(y))
    axes.plot([median] * 2, [level - 0.3, level + 0.3], color=INK, linewidth=1.8, zorder=4)
    right = y[worst] > np.mean(axes.get_xlim())
    draw = rows[worst]["draw"]
    name = draw if isinstance(draw, str) else f"draw {draw}"
    words = f"worst: {name}, {percent(y[worst])} · median {percent(median)}"
    write(axes, y[worst], level + 0.3, words, MUTED, by=(0, -4), ha="right" if right else "left", size=8)


# each question: who draws it, and the columns of which at least one value is needed
FIGURES = {
    "frontier": (frontier.figure, ("efficiency",)),
    "compare": (compare, ("efficiency", "share_of_optimum", "gini")),
    "lesion": (lesion, ("efficiency",)),
    "shock": (shock, ("efficiency", "unrest")),
    "replicate": (replicate, ("inefficiency", "effect", "gain")),
    "sweep": (sweep, ("efficiency",)),
    "experts": (experts.figure, ("error",)),
    "teaching": (teaching.figure, ("error",)),
    "teaching_frontier": (teaching.figure, ("error",)),
}


def line_with_band(axes: "matplotlib.axes.Axes", x: Float[np.ndarray, " rows"], y: Float[np.ndarray, " rows"],
                   low: Float[np.ndarray, " rows"], high: Float[np.ndarray, " rows"], colour: str,
                   whole: Bool[np.ndarray, " rows"]) -> None:  # fmt: skip
    """A line with dots and, where there is an interval, its band; dots are hollow where a run did not
    settle.
    """
    band = banded(low, high)
    if band.any():
        axes.fill_between(x, low, high, where=band, color=colour, alpha=0.18, linewidth=0, zorder=2)
    axes.plot(x, y, color=colour, linewidth=2, zorder=3)
    for some, face, edge in ((whole, colour, PAPER), (~whole, PAPER, colour)):
        if some.any():
            axes.plot(x[some], y[some], "o", markersize=6, markerfacecolor=face, markeredgecolor=edge, zorder=4)


def fit_share(axes: "matplotlib.axes.Axes", values: Float[np.ndarray, " values"]) -> None:
    """A vertical scale for shares of 1: from 0 where much is lost, else only the part that is in use."""
    lowest, highest = np.nanmin(values, initial=1.0), max(np.nanmax(values, initial=1.0), 1.0)
    bottom = min(0.0, lowest) if lowest < 0.5 else lowest - 0.15 * max(highest - lowest, 1e-3)
    axes.set_ylim(bottom, highest + 0.06 * (highest - bottom))
    places = [tick for tick in axes.get_yticks() if bottom <= tick <= highest + 1e-12]
    style.ticks(axes.yaxis, places, [f"{100 * tick:.6g} %" for tick in places])


def label_ends(
    axes: "matplotlib.axes.Axes",
    ends: list[tuple[style.Number, style.Number, str, str]],
    room: style.Number = 26.0,
) -> None:
    """The names of lines beside their last points, pushed apart to `room` points where they would touch."""
    axes.get_ylim()  # settles the scale, so that the heights below are those that will be drawn
    scale = 72 / axes.figure.dpi
    heights = [axes.transData.transform((x, y))[1] * scale for x, y, _, _ in ends]
    last = -math.inf
    for index in np.argsort(heights, kind="stable"):
        x, y, name, colour = ends[index]
        place = max(heights[index], last + room)
        last = place
        write(axes, x, y, name, colour, by=(9, place - heights[index]), ha="left", weight="bold")


def spread(places: list[style.Number], apart: float) -> list[style.Number]:
    """Those of the sorted places that lie at least `apart` of the whole range from each other."""
    kept: list[style.Number] = []
    for place in places:
        if not kept or place - kept[-1] >= apart * (places[-1] - places[0]):
            kept.append(place)
    return kept


def headline(answer: Answer, titled: bool) -> str:
    """What stands above the picture."""
    return answer.headline if titled else ""


def number(value: float) -> str:
    """Four decimals, or six where four would turn a loss of more than a millionth into a perfect 1."""
    if not math.isfinite(value):
        return "not known"
    return f"{value:.6f}" if 0.99995 <= value < 1 - 1e-6 else f"{value:.4f}"
