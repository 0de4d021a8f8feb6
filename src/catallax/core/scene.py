"""What there is to look at: a picture described by five primitives, before anyone draws it.

A problem says `scene(society) -> Scene`; whoever draws (`catallax.view`, the live page) needs no knowledge
of traders, ants or neurons. Arrays are NumPy, copied to float64 (indices to int64) and checked once, here.

    Points   places in the plane, each with an optional size, colour and label
    Edges    lines between the scene's points, with an optional weight
    Grid     a field of values over rows and columns
    Bars     one value for each label
    Series   a curve, or the path of a state through its plane

Points, edges and grid share one plane (a grid cell is 1 x 1, its first cell centred on (0, 0)); each Bars
has a panel of its own, all Series share one. NaN is a gap.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from .errors import BadInput

# The fields are arrays; whatever is like one is taken.
array_item = dataclasses.dataclass(frozen=True, eq=False, init=False)


@array_item
class Points:
    """Places in the plane.

    `x`, `y` [points] are coordinates; `size` [points] is drawn as area; `colour` [points] is a number that
    a colour map shows; `label` has one text a point. The last three may be left out.
    """

    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]
    size: Float[np.ndarray, " points"] | None
    colour: Float[np.ndarray, " points"] | None
    label: tuple[str, ...] | None

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        size: ArrayLike | None = None,
        colour: ArrayLike | None = None,
        label: Iterable[object] | None = None,
    ):
        _fill(self, x=x, y=y, size=size, colour=colour, label=label)


@array_item
class Edges:
    """Lines between points.

    `start`, `stop` [edges] count the scene's points from 0; `weight` [edges] is drawn as width; `main`: whether they
    stand out from the others.
    """

    start: Int[np.ndarray, " edges"]
    stop: Int[np.ndarray, " edges"]
    weight: Float[np.ndarray, " edges"] | None
    main: bool

    def __init__(self, start: ArrayLike, stop: ArrayLike, weight: ArrayLike | None = None, main: bool = False):
        _fill(self, start=start, stop=stop, weight=weight)
        object.__setattr__(self, "main", bool(main))


@array_item
class Grid:
    """A field: `values` [rows columns], row 0 at the bottom; `name` says what they are, with the unit. `rows`, `columns`: the
    name of each, of a table of numbers; they may be left out.
    """

    values: Float[np.ndarray, "rows columns"]
    name: str
    rows: tuple[str, ...] | None
    columns: tuple[str, ...] | None

    def __init__(
        self,
        values: ArrayLike,
        name: str = "",
        rows: Iterable[object] | None = None,
        columns: Iterable[object] | None = None,
    ):
        _fill(self, axes=2, values=values)
        object.__setattr__(self, "name", name)
        for axis, (side, labels) in enumerate((("rows", rows), ("columns", columns))):
            named = None if labels is None else tuple(str(label) for label in labels)
            if named is not None and len(named) != self.values.shape[axis]:
                raise BadInput(f"Grid.{side} has {len(named)} names for {self.values.shape[axis]}: give one for each.")
            object.__setattr__(self, side, named)


@array_item
class Bars:
    """One value for each label: `values` [labels]; `name` says what they are, with the unit."""

    labels: tuple[str, ...]
    values: Float[np.ndarray, " labels"]
    name: str

    def __init__(self, labels: Iterable[object], values: ArrayLike, name: str = ""):
        _fill(self, labels=labels, values=values)
        object.__setattr__(self, "name", name)


@array_item
class Series:
    """A curve through (`x`, `y`) [steps] in order of time; `name` is written at its end."""

    x: Float[np.ndarray, " steps"]
    y: Float[np.ndarray, " steps"]
    name: str

    def __init__(self, x: ArrayLike, y: ArrayLike, name: str = ""):
        _fill(self, x=x, y=y)
        object.__setattr__(self, "name", name)


Item = Points | Edges | Grid | Bars | Series


@array_item
class Scene:
    """A title and what is in the picture. Edges count the points of all `Points` items in the order given."""

    title: str
    items: tuple[Item, ...]

    def __init__(self, title: str, items: Iterable[Any] = ()):
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "items", tuple(items))
        for item in self.items:
            if not isinstance(item, Item):
                raise BadInput(f"A scene holds Points, Edges, Grid, Bars and Series, not {type(item).__name__}.")
        points = sum(len(item.x) for item in self.items if isinstance(item, Points))
        for item in self.items:
            if isinstance(item, Edges) and item.start.size:
                _inside(np.concatenate([item.start, item.stop]), points)


def _fill(item: Any, axes: int = 1, **given: Any) -> None:
    """Sets the fields of a frozen item: labels as texts, else arrays of one length. None stays None."""
    first, length = "", None
    for name, value in given.items():
        if value is not None:
            field = f"{type(item).__name__}.{name}"
            labels = name in ("label", "labels")
            value = tuple(str(label) for label in value) if labels else _array(field, value, axes)
            if length is None:
                first, length = name, len(value)
            if len(value) != length:
                raise BadInput(f"{field} has {len(value)} entries and {first} has {length}: give one for each.")
        object.__setattr__(item, name, value)


def _array(field: str, value: Any, axes: int) -> np.ndarray:
    """A copy as float64, or as int64 where the field counts points."""
    array = np.asarray(value)
    if array.ndim != axes:
        raise BadInput(f"{field} has {array.ndim} axes: give {axes}.")
    counts = field in ("Edges.start", "Edges.stop")
    if counts and array.size and not np.issubdtype(array.dtype, np.integer):
        raise BadInput(f"{field} holds {array.dtype}: give whole numbers that count the scene's points.")
    try:
        return np.array(array, np.int64 if counts else np.float64)
    except (TypeError, ValueError):
        raise BadInput(f"{field} holds {array.dtype}: give numbers.") from None


def _inside(ends: Int[np.ndarray, " ends"], points: int) -> None:
    wrong = ends[(ends < 0) | (ends >= points)]
    if wrong.size:
        raise BadInput(f"An edge ends at point {wrong[0]}, but the scene has {points} points, counted from 0.")
