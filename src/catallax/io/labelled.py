"""Rows with labels, some of them held out: read as arrays, checked, scaled, and disturbed."""

from typing import Any, NamedTuple

import numpy as np

from catallax.core.errors import BadInput


class Table(NamedTuple):
    """Inputs [rows, features] and labels [rows], to learn from and held out; the names of the classes."""

    x: Any
    y: Any
    held_x: Any
    held_y: Any
    classes: tuple

    def disturbed(self, random: np.random.Generator, size: float, what: str) -> "Table":
        """A share `size` of the inputs have changed places ("inputs"), or as many of the classes their names ("labels")."""
        if what not in ("inputs", "labels"):
            raise BadInput(f"what is {what!r}: inputs change places, or labels do")
        if what == "inputs":
            order = exchanged(random, self.x.shape[1], size)
            return self._replace(x=self.x[:, order], held_x=self.held_x[:, order])
        order = exchanged(random, len(self.classes), size)
        return self._replace(y=order[self.y], held_y=order[self.held_y])


def table_of(X: Any, y: Any, held: Any, share: float, seed: int) -> Table:
    """Rows and classes, all checked; the held out ones drawn where none are given."""
    x, labels = inputs(X, "X"), np.asarray(y)
    if labels.shape != (len(x),):
        raise BadInput(f"y has the shape {list(labels.shape)}: give one label for each of the {len(x)} rows of X")
    if labels.dtype.kind == "f" and not (labels == np.round(labels)).all():
        raise BadInput("y holds numbers with fractions: give classes (whole numbers or words)")
    classes, y = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise BadInput("y has one class alone: give rows of at least 2 classes")
    if held is None:
        out = drawn_out(y, classes, share, seed)
        return Table(x[~out], y[~out], x[out], y[out], tuple(classes.tolist()))
    held_x, held_labels = inputs(held[0], "held"), np.asarray(held[1])
    if held_x.shape[1] != x.shape[1] or held_labels.shape != (len(held_x),):
        raise BadInput(f"held must be rows of {x.shape[1]} numbers with a label each, as X and y are")
    unknown = np.flatnonzero(~np.isin(held_labels, classes))
    if unknown.size:
        said = f"row {unknown[0]} of held is of the class {held_labels[unknown[0]]!r}"
        raise BadInput(f"{said}, of which there is none to learn from: add one to y")
    return Table(x, y, held_x, np.searchsorted(classes, held_labels), tuple(classes.tolist()))


def scaled_table(table: Table) -> Table:
    """Inputs less their mean, in standard deviations of the rows learnt from; one that never varies is 0."""
    mean, spread = table.x.mean(axis=0), table.x.std(axis=0)
    spread = np.where(spread > 1e-12 * np.maximum(np.abs(mean), 1.0), spread, np.inf)
    return table._replace(x=(table.x - mean) / spread, held_x=(table.held_x - mean) / spread)


def inputs(X: Any, name: str) -> np.ndarray:
    """Finite numbers, [rows, features]."""
    try:
        x = np.asarray(X, np.float64)
    except (TypeError, ValueError):
        raise BadInput(f"{name} holds what is no number: give numbers [rows, features]") from None
    if x.ndim != 2 or not x.size:
        raise BadInput(f"{name} has the shape {list(x.shape)}: give numbers [rows, features], at least one of each")
    wrong = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if wrong.size:
        raise BadInput(f"row {wrong[0]} of {name} holds NaN or an infinite number: leave it out or fill it in")
    return x


def drawn_out(y: np.ndarray, classes: np.ndarray, share: Any, seed: int) -> np.ndarray:
    """Which rows are held out: a share of each class, at least one, bool[rows]."""
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share < 1:
        raise BadInput(f"share is {share!r}: give the share of rows to hold out, between 0 and 1")
    random, out = np.random.default_rng([seed, 1]), np.zeros(len(y), bool)
    for label, name in enumerate(classes.tolist()):
        rows = np.flatnonzero(y == label)
        count = max(1, round(share * len(rows)))
        if count == len(rows):
            said = f"the rows of class {name!r} ({len(rows)})"
            raise BadInput(f"{said} are too few to learn from and hold out: give more, or leave the class out")
        out[random.permutation(rows)[:count]] = True
    return out


def exchanged(random: np.random.Generator, count: int, size: float) -> np.ndarray:
    """An order of `count` things in which a share of them (at least two) have all changed places, in a circle."""
    moved = min(count, max(2, round(min(size, 1.0) * count))) if size > 0 else 0
    some = random.permutation(count)[:moved]
    order = np.arange(count)
    order[np.roll(some, 1)] = some
    return order
