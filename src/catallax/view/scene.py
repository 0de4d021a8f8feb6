"""Draws a Scene: one panel for the plane, one for each set of bars, one for all series.

Points, edges and grid share the plane, with equal scales in both directions. More than `MANY` marks are
drawn as dots of a picture rather than as shapes, so that a page with a hundred thousand ants stays small.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from ..core.scene import Bars, Edges, Grid, Points, Scene, Series
from . import style
from .plots import label_ends
from .style import BLUE, GREY, INK, MUTED, PALETTE, PAPER, write

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

MANY = 2_000
LABELLED = 60  # points; beyond this their labels would cover each other
MAP, FIELD = (
    "cividis",
    "Greys",
)  # colour maps of points and of grids: even in lightness, safe for the colour-blind


def draw(scene: Scene, titled: bool = True) -> "matplotlib.figure.Figure":
    """The picture of a scene; `titled` writes its title above. An empty scene says that there is nothing to
    see.
    """
    plane = [item for item in scene.items if isinstance(item, Points | Edges | Grid)]
    bars = [item for item in scene.items if isinstance(item, Bars)]
    series = [item for item in scene.items if isinstance(item, Series)]
    heights = [4.4] * bool(plane) + [0.55 + 0.24 * len(item.labels) for item in bars] + [2.6] * bool(series)
    gap = 0.62
    sheet = style.sheet(sum(heights) + gap * max(len(heights), 1), scene.title if titled else "")
    floor = sheet.height
    panels = []
    for height in heights:
        floor -= height + gap
        panels.append((floor + gap - 0.25, height))
    if plane:
        bottom, height = panels.pop(0)
        draw_plane(sheet.axes(0.4, bottom, style.WIDTH - 0.8, height), plane)
    for item in bars:
        bottom, height = panels.pop(0)
        draw_bars(sheet.axes(1.7, bottom, style.WIDTH - 2.6, height - 0.3), item)
    if series:
        bottom, height = panels.pop(0)
        draw_series(sheet.axes(style.LEFT, bottom, style.WIDTH - style.LEFT - 1.5, height - 0.2), series)
    if not heights:
        sheet.figure.text(0.5, 0.3, "There is nothing to see here.", size=10, color=MUTED, ha="center")
    return sheet.figure


def draw_plane(axes: "matplotlib.axes.Axes", items: list) -> None:
    """Grid below, edges above it, points on top."""
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    points = [item for item in items if isinstance(item, Points)]
    for grid in (item for item in items if isinstance(item, Grid)):
        image = axes.imshow(grid.values, origin="lower", cmap=FIELD, interpolation="nearest", zorder=1)
        image.set_clim(*finite_range(grid.values))
        if grid.name:
            write(axes, grid.values.shape[1] - 0.5, -0.5, grid.name, MUTED, by=(0, -9), ha="right")
        for at, label in enumerate(grid.rows or ()):
            write(axes, -0.5, at, short(label), by=(-5, 0), ha="right", size=8)
        for at, label in enumerate(grid.columns or ()):
            write(axes, at, grid.values.shape[0] - 0.5, short(label, 10), by=(0, 7), size=8)
    for edges in (item for item in items if isinstance(item, Edges)):
        draw_edges(axes, edges, points)
    for cloud in points:
        draw_points(axes, cloud)
    axes.autoscale_view()


def draw_edges(axes: "matplotlib.axes.Axes", edges: Edges, points: list) -> None:
    """Lines whose width grows with their weight, the heaviest 3 points wide (finer where there are many); the main ones
    are dark and lie over the others.
    """
    from matplotlib.collections import LineCollection

    places = np.column_stack([np.concatenate([cloud.x for cloud in points] or [np.empty(0)]),
                              np.concatenate([cloud.y for cloud in points] or [np.empty(0)])])  # fmt: skip
    lines = np.stack([places[edges.start], places[edges.stop]], axis=1)
    fine = finer(len(lines))
    width = np.full(len(lines), (1.2 if edges.main else 0.9) * fine)
    if edges.weight is not None and np.isfinite(edges.weight).any():
        width = 3 * fine * np.nan_to_num(np.abs(edges.weight)) / max(np.nanmax(np.abs(edges.weight)), 1e-300)
    colour, opacity, order = (INK, 1.0, 2.5) if edges.main else (GREY, 0.7, 2.0)
    drawn = LineCollection(list(lines), linewidths=width, colors=colour, alpha=opacity, zorder=order)
    drawn.set_rasterized(len(lines) > MANY)
    axes.add_collection(drawn)


def finer(count: int) -> float:
    """The share of its width that each of so many marks is drawn with, so that all of them leave paper between them."""
    return min(1.0, max(0.2, math.sqrt(MANY / max(count, 1))))


def draw_points(axes: "matplotlib.axes.Axes", cloud: Points) -> None:
    """Dots whose area is their size (the largest 160 square points), or one that suits their number; labels where there
    are few enough.
    """
    if not len(cloud.x):
        return
    area = np.full(len(cloud.x), min(36.0, max(0.25, 7200.0 / len(cloud.x))))
    if cloud.size is not None and np.isfinite(cloud.size).any():
        area = 160 * np.maximum(np.nan_to_num(cloud.size), 0) / max(np.nanmax(cloud.size), 1e-300)
    many = len(cloud.x) > MANY
    dots = axes.scatter(cloud.x, cloud.y, s=area, zorder=3, color=BLUE, rasterized=many)
    dots.set(linewidths=0 if many else 0.6, edgecolors=PAPER)
    if cloud.colour is not None:
        dots.set(array=np.ma.masked_invalid(cloud.colour), cmap=MAP, edgecolors=GREY)
        dots.set_clim(*finite_range(cloud.colour))
    if cloud.label is not None and len(cloud.label) <= LABELLED:
        for x, y, square, label in zip(cloud.x, cloud.y, area, cloud.label, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                write(axes, x, y, label, INK, by=(0, 5 + math.sqrt(square) / 2), size=8)


def draw_bars(axes: "matplotlib.axes.Axes", bars: Bars) -> None:
    """Horizontal bars from 0, the first on top, each with its value."""
    for row, value in enumerate(bars.values):
        if math.isfinite(value):
            axes.barh([row], [value], 0.62, color=BLUE)
        words = f"{value:.4g}" if math.isfinite(value) else "not known"
        write(axes, value if math.isfinite(value) else 0, row, words, by=(5, 0), ha="left")
    axes.set_ylim(len(bars.labels) - 0.4, -0.6)
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_title(bars.name, size=9, color=MUTED, loc="left", parse_math=False)
    style.ticks(axes.xaxis, [], [])
    style.ticks(axes.yaxis, range(len(bars.labels)), [short(label) for label in bars.labels])
    axes.tick_params(axis="y", labelcolor=INK)


def draw_series(axes: "matplotlib.axes.Axes", series: list) -> None:
    """Curves named at their ends, dashed where colours come round again; a hollow dot at each start, a full one at the end."""
    ends = []
    for number, curve in enumerate(series):
        colour = PALETTE[number % len(PALETTE)]
        style_of = "-" if number < len(PALETTE) else (0, (4, 2))
        axes.plot(
            curve.x, curve.y, color=colour, linestyle=style_of, linewidth=1.8, rasterized=len(curve.x) > 10 * MANY
        )
        known = np.flatnonzero(np.isfinite(curve.x) & np.isfinite(curve.y))
        if known.size:
            first, last = known[0], known[-1]
            axes.plot([curve.x[first]], [curve.y[first]], "o", color=colour, markerfacecolor=PAPER, markersize=5)
            axes.plot([curve.x[last]], [curve.y[last]], "o", color=colour, markersize=5)
            ends.append((curve.x[last], curve.y[last], short(curve.name), colour))
    label_ends(axes, ends, room=12.0)


def short(label: str, most: int = 24) -> str:
    """A label that fits beside its bar."""
    return label if len(label) <= most else label[: most - 1] + "…"


def finite_range(values: np.ndarray) -> tuple[float, float]:
    """The smallest and largest finite value, apart even where all are equal."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
