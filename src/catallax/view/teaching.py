"""Accuracy against the bits that reach a network's layers: one point a kind of teaching, and backpropagation in few bits.

Both scales are logarithmic: bits a row and update from left to right, the error downwards from the top, so that higher is
better. A line joins backpropagation told in 1, 2, ... bits a number; bars are one standard error. What reaches nobody has no
place on the scale of bits, and is written at its left end.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.answer import Answer
from . import style
from .rows import caption, column
from .style import BLUE, GREY, INK, VERMILION, write

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

LEAST = 1.0  # bits: where less is drawn
LINE, WIDE = 11.0, 5.2  # points that a label takes, downwards and for each of its letters


def figure(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """The picture of an Answer with rows signal, bits, error, error_se, bits_per_update."""
    rows = [row for row in answer.rows if row.get("error") is not None]
    seeds = int(answer.facts.get("seeds", 1))
    below = caption(answer) + (f" · {seeds} seeds, bars: one standard error" if seeds > 1 else "")
    narrow = any(row["bits"] is not None for row in rows)
    below += " · blue line: backpropagation told in so many bits a number" if narrow else ""
    sheet = style.sheet(4.3, answer.headline if titled else "", below)
    axes = sheet.axes(style.LEFT, 0.62, style.WIDTH - style.LEFT - style.RIGHT, 3.35)
    bits, error = np.maximum(column(rows, "bits_per_update"), LEAST), floor(column(rows, "error"))
    spread = np.nan_to_num(column(rows, "error_se"))
    scale(axes, bits, error)
    line(axes, rows, bits, error)
    for row, x, y, far in zip(rows, bits, error, spread, strict=True):
        colour = paint(row)
        axes.plot([x, x], [max(y - far, y / 10), y + far], color=colour, linewidth=1.2, zorder=3)
        axes.plot([x], [y], "o", color=colour, markersize=6 if row["bits"] is None else 4, zorder=4)
    label(axes, rows, bits, error)
    style.name_axes(
        axes,
        "bits that reach all layers, a row and update (logarithmic)",
        "error on rows held out (logarithmic, less is higher)",
    )
    return sheet.figure


def floor(error: Any) -> Any:
    """A logarithm has no place for an error of 0: a third of the least other one."""
    least = min((x for x in error if x > 0), default=1e-3)
    return np.where(error > 0, error, least / 3)


def paint(row: dict) -> str:
    """Blue for backpropagation, grey for silence, vermilion for the others."""
    return {"backpropagation": BLUE, "silence": GREY}.get(row["signal"], VERMILION)


def scale(axes: "matplotlib.axes.Axes", bits: Any, error: Any) -> None:
    """Logarithmic both ways, the error upside down."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(min(bits) / 2, max(bits) * 4)
    axes.set_ylim(min(1.0, max(error) * 1.4), min(error) / 1.5)
    style.decades(axes.xaxis, bits, 8)
    low, high = min(error), max(error)
    shares = [
        s for d in range(-5, 1) for s in (10.0**d, 2 * 10.0**d, 5 * 10.0**d) if low / 1.5 <= s <= min(1.0, high * 1.4)
    ]
    style.ticks(axes.yaxis, shares, [f"{100 * share:g} %" for share in shares])


def line(axes: "matplotlib.axes.Axes", rows: list[dict], bits: Any, error: Any) -> None:
    """Backpropagation from few bits to exact numbers."""
    own = [k for k, row in enumerate(rows) if row["signal"] == "backpropagation"]
    own.sort(key=lambda k: bits[k])
    if len(own) > 1:
        axes.plot(bits[own], error[own], color=BLUE, linewidth=1.8, zorder=2)


def label(axes: "matplotlib.axes.Axes", rows: list[dict], bits: Any, error: Any) -> None:
    """Names beside their points where there is room: right, left, above, below, else further away with a thread."""
    axes.figure.canvas.draw()
    dots = axes.transData.transform(np.column_stack([bits, error])) * 72 / axes.figure.dpi
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in dots]
    frame = axes.get_window_extent().get_points().ravel() * 72 / axes.figure.dpi
    for k, row in enumerate(rows):
        if row["bits"] is not None:
            write(axes, bits[k], error[k], str(row["bits"]), BLUE, by=(0, 9), size=8)
            taken.append((dots[k][0] - 6, dots[k][1] + 4, dots[k][0] + 6, dots[k][1] + 15))
    for k in sorted((k for k, row in enumerate(rows) if row["bits"] is None), key=lambda k: error[k]):
        box, by, side = place(dots[k], WIDE * len(rows[k]["signal"]), taken, frame)
        taken.append(box)
        write(axes, bits[k], error[k], rows[k]["signal"], INK, by=by, ha=side, size=8.5)
        if abs(by[1]) > 12:
            far = np.asarray(dots[k]) + (0.8 * by[0], 0.75 * by[1])
            end = axes.transData.inverted().transform(far * axes.figure.dpi / 72)
            axes.plot([bits[k], end[0]], [error[k], end[1]], color=GREY, linewidth=0.6, zorder=2)


def place(dot: Any, wide: float, taken: list, frame: Any) -> tuple[tuple, tuple[float, float], str]:
    """The first place for a label of so many points that meets no other, as (its box, its shift, its side)."""
    best = None
    for far in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8, -8):
        for side, across in (("left", 8.0), ("right", -8.0)):
            x, y = dot[0] + across, dot[1] + far * LINE
            left = x if side == "left" else x - wide
            box = (left, y - LINE / 2, left + wide, y + LINE / 2)
            inside = frame[0] <= box[0] and box[2] <= frame[2] + 20 and frame[1] <= box[1] and box[3] <= frame[3] + 12
            found = box, (across, far * LINE), side
            best = best or found
            if inside and not any(meets(box, other) for other in taken):
                return found
    assert best is not None
    return best


def meets(one: tuple, other: tuple) -> bool:
    """Whether two boxes (left, bottom, right, top) overlap."""
    return bool(one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3])
