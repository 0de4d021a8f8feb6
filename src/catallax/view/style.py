"""How pictures look: one palette, one sheet of paper, plain axes.

Colours are safe for the colour-blind (blue and vermilion carry the contrast, green and grey stand beside
them) and few enough that a page in dark mode can name each of them anew (`catallax.view.report`). A sheet
is 8 inches wide at 200 dots an inch, so that a PNG is sharp at 800 pixels; it is measured in inches from
the lower left. Text is never read as mathematics: a trader may be called "$". Matplotlib is imported when
the first sheet is made, and pyplot never is.
"""

import contextlib
import dataclasses
import math
import os
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

INK, MUTED, FAINT, PAPER = "#1b1f24", "#68707c", "#e4e7eb", "#ffffff"
BLUE, VERMILION, GREEN, GREY = "#0b6fb8", "#c8501e", "#1a8a6b", "#8c939d"
REGIME = {"silence": GREY, "signal": BLUE, "planner": GREEN, "full_information": VERMILION}
PALETTE = (BLUE, VERMILION, GREEN, GREY, "#8d5fa8", "#b07d12")
WIDTH, DOTS = 8.0, 200
LEFT, RIGHT = 0.72, 0.25
Number = float | int


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A figure whose body, below the title and above the caption, is `height` inches high and starts `foot`
    inches up.
    """

    figure: "matplotlib.figure.Figure"
    height: float
    foot: float

    def axes(
        self, left: Number, bottom: Number, width: Number, height: Number, **options: Any
    ) -> "matplotlib.axes.Axes":
        """Plain axes, placed in inches from the lower left corner of the body."""
        across, up = self.figure.get_size_inches()
        box = (left / across, (bottom + self.foot) / up, width / across, height / up)
        return plain_axes(self.figure.add_axes(box, **options))


def sheet(height: float, title: str = "", caption: str = "") -> Sheet:
    """Paper with room of `height` inches between the title (bold, wrapped) and the caption (small, grey)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    titles, captions = textwrap.wrap(title, 72), textwrap.wrap(caption, 118)
    head = 0.26 * len(titles) + (0.22 if titles else 0.1)
    foot = 0.17 * len(captions) + (0.12 if captions else 0.0)
    up = head + height + foot
    figure = Figure(figsize=(WIDTH, up), dpi=DOTS, facecolor=PAPER)
    FigureCanvasAgg(figure)
    for line, words in enumerate(titles):
        y = 1 - (0.12 + 0.26 * line) / up
        figure.text(0.02, y, words, size=13, weight="bold", color=INK, va="top", parse_math=False)
    for line, words in enumerate(reversed(captions)):
        figure.text(0.02, (0.09 + 0.17 * line) / up, words, size=7.5, color=MUTED, va="bottom", parse_math=False)
    return Sheet(figure, height, foot)


def plain_axes(axes: "matplotlib.axes.Axes") -> "matplotlib.axes.Axes":
    """No box, thin horizontal guides, quiet numbers."""
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.spines["bottom"].set_linewidth(0.7)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", which="both", length=0, labelsize=9, labelcolor=MUTED, pad=5)
    return axes


def write(axes: "matplotlib.axes.Axes", x: Number, y: Number, words: str, colour: str = INK, **options: Any) -> None:
    """Text at a place in the data, moved by `by` points, exactly as it is spelt."""
    by = options.pop("by", (0, 0))
    axes.annotate(
        words, (x, y), by, textcoords="offset points", color=colour, parse_math=False, annotation_clip=False,
        **{"size": 9, "ha": "center", "va": "center"} | options,
    )  # fmt: skip


def name_axes(axes: "matplotlib.axes.Axes", across: str = "", up: str = "", left: Number = -0.55) -> None:
    """The name of the horizontal axis below its middle, that of the vertical one level above it (`left` in
    inches).
    """
    axes.set_xlabel(across, size=9, color=MUTED, labelpad=6, parse_math=False)
    axes.annotate(
        up, (0, 1), (left * 72, 12), xycoords="axes fraction", textcoords="offset points", size=9,
        color=MUTED, ha="left", va="bottom", parse_math=False, annotation_clip=False,
    )  # fmt: skip


def ticks(axis: Any, places: Iterable[Any], labels: Iterable[str]) -> None:
    """Ticks at `places`, with `labels` exactly as they are spelt, and none between."""
    axis.set_ticks(list(places), labels=list(labels), parse_math=False)
    axis.set_ticks([], minor=True)


def decades(axis: Any, values: Any, most: int = 6) -> None:
    """Ticks at powers of ten for a logarithmic axis that shows `values` (positive), some `most` at most."""
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    stride = max(1, math.ceil((highest - lowest) / most))
    powers = range(lowest, highest + 1, stride)
    plain = lowest >= -3 and highest <= 4
    labels = [f"{10.0**power:,.10g}" if plain else power_of_ten(power) for power in powers]
    ticks(axis, [10.0**power for power in powers], labels)


def power_of_ten(power: int) -> str:
    """-6 -> 10⁻⁶."""
    return "10" + str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def percent(share: Number) -> str:
    """A share of 1 with as many decimals as tell it from 1: .3 -> 30 %, .987 -> 98.7 %, .9997 -> 99.97 %."""
    loss = abs(1 - share)
    decimals = 0 if loss >= 0.095 or loss < 5e-5 else 1 if loss >= 0.005 else 2
    shown = f"{100 * share:.{decimals}f}"
    return ("100" if float(shown) == 100 else shown) + " %"


def save(figure: "matplotlib.figure.Figure", path: str | os.PathLike) -> Path:
    """Writes the picture (PNG, SVG or PDF by the ending of `path`), whole or not at all."""
    path = Path(path)
    with whole(path) as unfinished:
        render(figure, unfinished, path.suffix[1:] or "png", facecolor=PAPER)
    return path


def render(figure: "matplotlib.figure.Figure", target: Any, kind: str, **options: Any) -> None:
    """Draws into a file or buffer. A name in a script that the font lacks is boxed in a PNG, which is no
    cause to warn.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(target, format=kind, **options)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, which takes its place when the block ends well and vanishes when it
    does not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
