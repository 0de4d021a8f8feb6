"""Welfare against information: the picture that the library exists to draw.

From left to right the parts are told more: nothing, 1 to 32 bits of a signal, the exact signal, then a
growing share of their own effect on it (the leak) up to full information. The horizontal place of b bits is
1 + log2 b; the exact signal is leak 0, so both lines meet there.

Silence may waste most of welfare and full information one per cent, so the vertical scale is linear in two
pieces: where full information costs something, but less than a fifth, the top of the scale (`knee` to 1) is
magnified and tinted. The words follow from the data: what is marked as enough is the least number of bits
from which every point is within 1 % of the exact signal, and it is called better than full information only
where the intervals of all these points lie above that of full information.
"""

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ..core.answer import Answer
from . import style
from .rows import banded, caption, column
from .style import BLUE, FAINT, GREY, INK, MUTED, PAPER, VERMILION, percent, write

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

LEAKS_WIDTH = 3.6  # of the axis, in doublings of bits
ENOUGH = 0.99  # of what the exact signal reaches
HARM = 1e-4  # full information is called worse only from this loss against the best on


@dataclasses.dataclass(frozen=True)
class Curve:
    """The rows as arrays, in the order of what is told. Missing numbers are NaN."""

    x: Float[np.ndarray, " points"]
    efficiency: Float[np.ndarray, " points"]
    low: Float[np.ndarray, " points"]
    high: Float[np.ndarray, " points"]
    settled: Float[np.ndarray, " points"]
    told: Float[np.ndarray, " points"]
    kind: tuple[str, ...]

    def where(self, *kinds: str) -> list[int]:
        return [point for point, kind in enumerate(self.kind) if kind in kinds]


def figure(answer: Answer, titled: bool = True) -> "matplotlib.figure.Figure":
    """The frontier of an Answer with rows point, kind, told, efficiency, low, high, seeds, settled."""
    curve = read(answer.rows)
    sheet = style.sheet(3.75, answer.headline if titled else "", caption(answer))
    axes = sheet.axes(style.LEFT, 0.72, style.WIDTH - style.LEFT - style.RIGHT, 2.72)
    set_scale(axes, curve)
    mark_enough(axes, curve, signal_of(answer))
    draw_line(axes, curve, curve.where("silence", "bits", "exact"), BLUE)
    draw_line(axes, curve, curve.where("exact", "leak"), VERMILION)
    label_values(axes, curve)
    label_places(axes, curve, signal_of(answer))
    style.name_axes(axes, up=answer.facts.get("measure", "efficiency"))
    return sheet.figure


def read(rows: list[dict]) -> Curve:
    """The rows as a Curve; the exact signal belongs to both lines."""

    kind = tuple(row["kind"] for row in rows)
    told = column(rows, "told")
    bits = [t for t, k in zip(told, kind, strict=True) if k == "bits"]
    exact = 2 + math.log2(max(bits, default=1))
    x = np.array([place(k, t, exact) for k, t in zip(kind, told, strict=True)], float)
    order = np.argsort(x, kind="stable")
    efficiency, low, high = (column(rows, name)[order] for name in ("efficiency", "low", "high"))
    settled = np.nan_to_num(column(rows, "settled"), nan=1.0)[order]
    kinds = tuple(kind[point] for point in order)
    return Curve(x[order], efficiency, low, high, settled, told[order], kinds)


def place(kind: str, told: float, exact: float) -> float:
    """Where on the horizontal axis: silence at 0, b bits at 1 + log2 b, the exact signal, then the leaks."""
    places = {"silence": 0.0, "bits": 1 + math.log2(told) if told > 0 else math.nan, "exact": exact}
    return places[kind] if kind in places else exact + LEAKS_WIDTH * told


def full_information(curve: Curve) -> int | None:
    """The point at which most of the own effect is known, or None where no leak was measured."""
    leaks = [point for point in curve.where("leak") if math.isfinite(curve.efficiency[point])]
    return max(leaks, key=lambda point: curve.told[point], default=None)


def harm(curve: Curve) -> float:
    """How far full information is below the best that the signal alone achieves; 0 where that is not sure."""
    full, best = full_information(curve), most_efficient(curve)
    if full is None or best is None:
        return 0.0
    loss = float(curve.efficiency[best] - curve.efficiency[full])
    return loss if loss > HARM and surely(curve, best) > at_most(curve, full) else 0.0


def most_efficient(curve: Curve) -> int | None:
    """The best point up to the exact signal."""
    told = [point for point in curve.where("bits", "exact") if math.isfinite(curve.efficiency[point])]
    return max(told, key=lambda point: curve.efficiency[point], default=None)


def surely(curve: Curve, point: int) -> float:
    """The lower end of a point's interval; the mean where one seed gives no interval."""
    return float(curve.low[point] if math.isfinite(curve.low[point]) else curve.efficiency[point])


def at_most(curve: Curve, point: int) -> float:
    """The upper end of a point's interval; the mean where one seed gives no interval."""
    return float(curve.high[point] if math.isfinite(curve.high[point]) else curve.efficiency[point])


def enough(curve: Curve) -> list[int]:
    """The points, up to the exact signal, from which on each is within 1 % of it (else of the best)."""
    exact = [point for point in curve.where("exact") if math.isfinite(curve.efficiency[point])]
    reference = exact[0] if exact else most_efficient(curve)
    region = []
    for point in reversed(curve.where("bits", "exact") if reference is not None else []):
        if not math.isfinite(curve.efficiency[point]):
            continue
        best = curve.efficiency[reference]
        if curve.efficiency[point] < best - (1 - ENOUGH) * abs(best):
            break
        region.insert(0, point)
    return region


def beats_full_information(curve: Curve, region: list[int]) -> bool:
    """Whether every point of the region is surely above full information."""
    full = full_information(curve)
    if full is None or not harm(curve):
        return False
    return all(surely(curve, point) > at_most(curve, full) for point in region)


def set_scale(axes: "matplotlib.axes.Axes", curve: Curve) -> None:
    """The vertical scale, in one or two pieces, with its ticks."""
    # a band may reach beyond what is possible: the scale does not follow it there
    lowest = min(np.nanmin(curve.efficiency, initial=1.0), max(0.0, np.nanmin(curve.low, initial=1.0)))
    highest = float(np.nanmax(curve.efficiency, initial=1.0))
    axes.set_xlim(-0.55, np.nanmax(curve.x, initial=1.0) + 0.55)
    full = full_information(curve)
    step = magnified_step(harm(curve))
    # half as much again as full information loses leaves room for its label
    knee = 1 - step * math.ceil(1.5 * (1 - curve.efficiency[full]) / step) if step and full is not None else 0.0
    bottom = min(0.0, lowest) if lowest < 0.6 else lowest - 0.15 * (max(knee, lowest) - lowest + 1e-3)
    if knee < 0.5 or lowest >= knee:
        axes.set_ylim(bottom, highest + 0.14 * (highest - bottom))
        places = [tick for tick in axes.get_yticks() if bottom <= tick <= highest + 1e-9]
    else:
        places = magnify(axes, knee, bottom, highest, step or 1.0)
    style.ticks(axes.yaxis, places, [f"{100 * tick:.6g} %" for tick in places])


def magnify(axes: "matplotlib.axes.Axes", knee: float, bottom: float, highest: float, step: float) -> list[float]:
    """The scale in two pieces, tinted and explained; returns its ticks, every `step` above the knee and few
    below.
    """
    from matplotlib.ticker import MaxNLocator

    ratio = 1.15 * (knee - bottom) / (1 - knee)  # the magnified piece takes a little over half of the height
    axes.set_yscale("function", functions=two_pieces(knee, ratio))
    axes.set_ylim(bottom, highest + 0.24 * (1 - knee))
    axes.axhspan(knee, axes.get_ylim()[1], color=FAINT, alpha=0.45, linewidth=0, zorder=0)
    axes.text(
        0.994, knee, f"above this line the scale is magnified {ratio:,.0f} times", size=7.5, color=MUTED,
        ha="right", va="top", transform=axes.get_yaxis_transform() + points_up(axes, -3), parse_math=False,
    )  # fmt: skip
    coarse = MaxNLocator(4).tick_values(bottom, knee)
    few = [tick for tick in coarse if bottom <= tick < knee - 0.12 * (knee - bottom)]
    return few + [1 - step * mark for mark in range(round((1 - knee) / step), -1, -1)]


def magnified_step(loss: float) -> float | None:
    """Ticks of the magnified piece: two to five of them between full information and 1. None where nothing
    is lost.
    """
    if not 0 < loss < 0.2:
        return None
    decade = 10.0 ** math.floor(math.log10(loss))
    return next(step * decade for step in (5, 2, 1, 0.5, 0.2) if step * decade <= loss / 2)


def two_pieces(knee: float, ratio: float):
    """A linear scale that runs `ratio` times faster above `knee`, and its inverse."""

    def forward(y):
        return np.where(np.asarray(y) > knee, knee + (np.asarray(y) - knee) * ratio, y)

    def backward(z):
        return np.where(np.asarray(z) > knee, knee + (np.asarray(z) - knee) / ratio, z)

    return forward, backward


def draw_line(axes: "matplotlib.axes.Axes", curve: Curve, points: list[int], colour: str) -> None:
    """A line with its 95 % band; hollow where not every run settled, a gap where nothing was measured."""
    x, y = curve.x[points], curve.efficiency[points]
    band = banded(curve.low[points], curve.high[points])
    if band.any():
        axes.fill_between(
            x,
            curve.low[points],
            curve.high[points],
            where=band,
            color=colour,
            alpha=0.18,
            linewidth=0,
            zorder=2,
        )
    axes.plot(x, y, color=colour, linewidth=2.2, solid_capstyle="round", zorder=3)
    for point in points:
        if curve.kind[point] == "exact" and colour != BLUE:
            continue  # the exact signal is drawn once, with the line that leads to it
        paint = GREY if curve.kind[point] == "silence" else colour
        whole = curve.settled[point] >= 1
        axes.plot(
            [curve.x[point]], [curve.efficiency[point]], "o", color=paint, markersize=6.5, zorder=4,
            markerfacecolor=paint if whole else PAPER, markeredgecolor=PAPER if whole else paint,
            markeredgewidth=1.3,
        )  # fmt: skip


def mark_enough(axes: "matplotlib.axes.Axes", curve: Curve, signal: str) -> None:
    """Tints the region where enough is told, and says so in the empty room below its line."""
    region = enough(curve)
    if not region:
        return
    first, last = curve.x[region[0]], curve.x[region[-1]]
    axes.axvspan(first - 0.3, last, color=BLUE, alpha=0.09, linewidth=0, zorder=1)
    alone = curve.kind[region[0]] == "exact"
    least = f"the exact {signal}" if alone else bits_of(curve.told[region[0]], signal)
    words = f"{least} {'is' if alone or curve.told[region[0]] == 1 else 'are'} enough"
    if beats_full_information(curve, region):
        reason = "better than full information"
    else:
        reason = "no number of bits comes within 1 %" if alone else f"within 1 % of the exact {signal}"
    middle, side = ((first - 0.3 + last) / 2, "center") if last - first > 2 else (last - 0.1, "right")
    bottom = axes.get_ylim()[0]
    write(axes, middle, bottom, words, BLUE, by=(0, 44), size=12, weight="bold", ha=side)
    write(axes, middle, bottom, reason, BLUE, by=(0, 27), size=9.5, ha=side)


def bits_of(bits: float, signal: str) -> str:
    """1 bit a price, 4 bits a price."""
    return f"{bits:g} bit{'' if bits == 1 else 's'} a {signal}"


def label_values(axes: "matplotlib.axes.Axes", curve: Curve) -> None:
    """The three values to remember: silence, the exact signal, full information."""
    full = full_information(curve)
    silent, exact = curve.where("silence")[:1], curve.where("exact")[:1]
    end = [full] if full is not None and curve.told[full] == 1 else []
    for points, colour, by, side in ((silent, INK, (10, -7), "left"), (exact, BLUE, (0, 13), "center"),
                                     (end, VERMILION, (6, -15), "right")):  # fmt: skip
        for point in points:
            x, y = curve.x[point], curve.efficiency[point]
            if math.isfinite(y):
                write(axes, x, y, percent(y), colour, by=by, size=13, weight="bold", ha=side)
    for point in end:
        write(
            axes,
            curve.x[point],
            curve.efficiency[point],
            "full information",
            VERMILION,
            by=(6, -28),
            ha="right",
        )


def label_places(axes: "matplotlib.axes.Axes", curve: Curve, signal: str) -> None:
    """Names of the places below the axis, in two storeys: what is told, and of what."""
    places, labels, more = [], [], []
    for point in curve.where("silence", "bits", "exact"):
        bits = curve.told[point]
        if curve.kind[point] == "bits" and math.log2(bits) % 1 and bits != max(curve.told[curve.where("bits")]):
            continue  # between the powers of two there is no room for a name
        places.append(curve.x[point])
        labels.append(f"{bits:g}" if curve.kind[point] == "bits" else curve.kind[point])
    last = math.inf  # from full information down, those names that have room
    for point in reversed(curve.where("leak")):
        if min(last - curve.x[point], curve.x[point] - max(places, default=-1.0)) < 0.7 and last < math.inf:
            continue
        last = curve.x[point]
        more.append((last, "all" if curve.told[point] == 1 else percent(curve.told[point])))
    places, labels = places + [x for x, _ in more], labels + [name for _, name in more]
    style.ticks(axes.xaxis, places, labels)
    for points, words, colour in (
        (curve.where("bits", "exact"), f"bits a {signal}", BLUE),
        (curve.where("leak"), f"own effect on the {signal} known too", VERMILION),
    ):
        if points:
            group(axes, curve.x[points[0]], curve.x[points[-1]], words, colour)


def group(axes: "matplotlib.axes.Axes", start: float, stop: float, words: str, colour: str) -> None:
    """A bracket under the axis from `start` to `stop`, with its name."""
    span = axes.get_xaxis_transform()
    axes.plot([start - 0.12, stop + 0.12], [-0.125] * 2, color=colour, linewidth=1.4, transform=span, clip_on=False)
    axes.text(
        (start + stop) / 2,
        -0.155,
        words,
        size=9,
        color=colour,
        ha="center",
        va="top",
        transform=span,
        parse_math=False,
    )


def points_up(axes: "matplotlib.axes.Axes", points: style.Number):
    """A shift upwards by so many points, to add to a transform."""
    from matplotlib.transforms import ScaledTranslation

    return ScaledTranslation(0, points / 72, axes.figure.dpi_scale_trans)


def signal_of(answer: Answer) -> str:
    """What the parts are told, in one word."""
    return str(answer.facts.get("signal", "signal"))
