"""Routers side by side: error on rows held out, how far the fullest expert is over the mean, what an expert says of the class.

One row a router. Bars begin at 0, but for errors: there a dot and one standard error, on a scale of its own. Blue where prices
decide, grey where nothing is learnt of loads.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.answer import Answer
from . import style
from .rows import caption, column
from .style import BLUE, GREY, INK, MUTED, VERMILION, write

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

PRICED, UNTOLD = ("sign", "dual", "own", "planner"), ("dense", "random", "hash", "greedy")
PANELS = (("max_violation", "max violation"), ("mutual_information", "mutual information, nats"))
LINE = 0.34  # inches a router


def figure(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """The picture of an Answer with rows router, error, error_se, max_violation, mutual_information."""
    rows = [row for row in answer.rows if row.get("error") is not None]
    below = caption(answer) + " · dot and line: mean and one standard error"
    high = LINE * len(rows)
    sheet = style.sheet(0.6 + high, answer.headline if titled else "", below)
    left, gap = 1.2, 0.3
    width = (style.WIDTH - left - 0.1) / 3 - gap
    colours = [BLUE if row["router"] in PRICED else GREY if row["router"] in UNTOLD else VERMILION for row in rows]
    first = sheet.axes(left, 0.15, width, high)
    dots(first, 100 * column(rows, "error"), 100 * column(rows, "error_se"), colours)
    style.ticks(first.yaxis, range(len(rows)), [row["router"] for row in rows])
    first.tick_params(axis="y", labelcolor=INK, labelsize=10)
    first.set_title("error, % of rows held out", size=9, color=MUTED, loc="left", parse_math=False)
    for place, (key, name) in enumerate(PANELS, 1):
        axes = sheet.axes(left + place * (width + gap), 0.15, width, high)
        bars(axes, column(rows, key), colours)
        style.ticks(axes.yaxis, [], [])
        axes.set_title(name, size=9, color=MUTED, loc="left", parse_math=False)
    return sheet.figure


def dots(axes: "matplotlib.axes.Axes", values: Any, spread: Any, colours: list[str]) -> None:
    """A dot and its standard error, with the number behind it."""
    far = np.nan_to_num(spread)
    low, high = float(np.min(values - far)), float(np.max(values + far))
    room = max(high - low, 1e-3)
    for row, (value, wide, colour) in enumerate(zip(values, far, colours, strict=True)):
        axes.plot([value - wide, value + wide], [row, row], color=colour, linewidth=1.4)
        axes.plot([value], [row], "o", color=colour, markersize=6)
        write(axes, value + wide, row, f"{value:.1f}", by=(6, 0), ha="left")
    axes.set_xlim(low - 0.08 * room, high + 0.3 * room)
    finish(axes, len(values))


def bars(axes: "matplotlib.axes.Axes", values: Any, colours: list[str]) -> None:
    """Bars from 0 with their numbers; a dash where there is none."""
    for row, (value, colour) in enumerate(zip(values, colours, strict=True)):
        known = math.isfinite(value)
        axes.barh([row], [value if known else 0], 0.52, color=colour)
        write(axes, value if known else 0, row, f"{value:.2f}" if known else "–", by=(5, 0), ha="left")
    axes.set_xlim(0, 1.25 * max(np.nanmax(values, initial=0.0), 1e-9))
    axes.axvline(0, color=GREY, linewidth=0.8)
    finish(axes, len(values))


def finish(axes: "matplotlib.axes.Axes", rows: int) -> None:
    """The first row on top, and nothing else on the axes."""
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
    axes.set_ylim(rows - 0.5, -0.5)
    style.ticks(axes.xaxis, [], [])
