"""A table as learners take it: numbers as they are, words as indicators, what is missing as the mean.

A cell is missing where it is empty, or ?, NA, NaN. A column whose other cells are all numbers holds numbers; any other has
one feature for each of its words (at most `MOST_WORDS`, or it is refused: names tell nothing of rows not seen).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catallax.core.errors import BadInput
from catallax.ensembles.learners.learner import Array, Rows
from catallax.io.tables import AnyPath, read_header, read_table

MISSING = frozenset({"", "?", "NA", "na", "NaN", "nan"})
MOST_WORDS, MOST_ROWS = 50, 2000


@dataclass(frozen=True)
class Sheet:
    """`X` [rows, features], NaN where missing; `y` int [rows], classes by `classes`; `chain` int [rows]."""

    X: Array
    y: Array
    chain: Array
    features: tuple[str, ...]
    classes: tuple[str, ...]
    target: str
    chained: bool = False

    def take(self, rows: Array) -> "Sheet":
        """These rows alone."""
        return Sheet(
            self.X[rows], self.y[rows], self.chain[rows], self.features, self.classes, self.target, self.chained
        )

    def split(self, learnt: Array, held: Array) -> tuple[Rows, Rows]:
        """Rows to learn from and rows held out, in standard deviations of those to learn from; what is missing is 0."""
        X = self.X[learnt]
        known = np.isfinite(X)
        count = np.maximum(known.sum(0), 1)
        mean = np.where(known, X, 0.0).sum(0) / count
        scale = np.sqrt((np.where(known, X - mean, 0.0) ** 2).sum(0) / count)
        scale = np.where(scale > 1e-12 * np.maximum(np.abs(mean), 1.0), scale, np.inf)  # a constant says nothing
        whole = np.nan_to_num((self.X - mean) / scale)
        return Rows(whole[learnt], self.chain[learnt]), Rows(whole[held], self.chain[held])


def read_sheet(path: AnyPath, target: str | None = None, sequence: str | None = None) -> Sheet:
    """The table of a CSV file. `target`: the column of classes (default: `y` or `target`, else the last); `sequence`: the
    column that rows have in common which follow one another, in the order of the file.

    Raises `BadInput`, one sentence, where a column is missing, holds nothing, or is no column of classes.
    """
    name, header = os.fspath(path), read_header(path)
    target = target or next((c for c in header if c.lower() in ("y", "target")), header[-1])
    for option, column in (("--target", target), ("--sequence", sequence)):
        if column is not None and column not in header:
            raise BadInput(f"{name} has no column {column!r}: give {option} one of {', '.join(header[:12])}")
    if target == sequence:
        raise BadInput(f"{name}: {target!r} is both --target and --sequence: give two columns")
    table = read_table(path, text=header, blank=header)
    labels = table.text[target]
    for line, label in zip(table.lines.tolist(), labels, strict=True):
        if label in MISSING:
            raise BadInput(f"{name}, line {line}, column '{target}': the class is missing; fill it or remove the row")
    columns = [c for c in header if c not in (target, sequence)]
    if not columns:
        raise BadInput(f"{name} has no column but the classes: add what they are to be told from")
    features, values = [], []
    for column in columns:
        some, names = coded(name, column, table.text[column])
        values.append(some)
        features += names
    classes, y = np.unique(np.array(labels, object), return_inverse=True)
    if len(classes) > max(20, len(labels) // 10) and not np.isnan(numbers(labels)).any():
        raise BadInput(
            f"{name}, column '{target}' holds {len(classes)} different numbers: learners forecast classes; "
            "give --target a column of classes"
        )
    chain = np.arange(len(y)) if sequence is None else np.unique(table.text[sequence], return_inverse=True)[1]
    return Sheet(
        np.hstack(values), y, chain, tuple(features), tuple(map(str, classes)), target, chained=sequence is not None
    )


def coded(path: str, column: str, cells: Sequence[str]) -> tuple[Array, list[str]]:
    """A column as features [rows, features], and their names."""
    given = numbers(cells)
    missing = np.array([cell in MISSING for cell in cells])
    if missing.all():
        raise BadInput(f"{path}: column '{column}' is empty; fill or remove it")
    if not np.isnan(given[~missing]).any():
        return given[:, None], [column]
    words = sorted({cell for cell, gone in zip(cells, missing, strict=True) if not gone})
    if len(words) > MOST_WORDS:
        raise BadInput(
            f"{path}: column '{column}' holds {len(words)} different words, which tell nothing of rows not seen; remove it"
        )
    words = words[1:] if len(words) == 2 else words
    held = np.array([[float(cell == word) for word in words] for cell in cells])
    held[missing] = np.nan
    return held, [f"{column}={word}" for word in words]


def numbers(cells: Sequence[str]) -> Array:
    """Cells as numbers, NaN where they are none, [rows]."""
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            value = float(cell) if "_" not in cell else np.nan
        except ValueError:
            continue
        found[row] = value if np.isfinite(value) else np.nan
    return found


def example() -> Sheet:
    """Wines of three growers, told by thirteen measurements: shipped with scikit-learn."""
    from sklearn.datasets import load_wine

    wine = load_wine()
    names = tuple(str(name) for name in wine.target_names)  # pyright: ignore[reportAttributeAccessIssue]
    X, y = wine.data, wine.target  # pyright: ignore[reportAttributeAccessIssue]
    return Sheet(X, y, np.arange(len(y)), tuple(wine.feature_names), names, "grower")  # pyright: ignore[reportAttributeAccessIssue]


def fewer(sheet: Sheet, seed: int, most: int = MOST_ROWS) -> Sheet:
    """At most so many rows, drawn at random; chains are left whole, and so all of them."""
    if sheet.chained or len(sheet.y) <= most:
        return sheet
    return sheet.take(np.sort(np.random.default_rng(seed).choice(len(sheet.y), most, replace=False)))


def check(sheet: Sheet, folds: int) -> None:
    """That each class can be in every fold. Raises `BadInput`."""
    if len(sheet.classes) < 2:
        raise BadInput(
            f"column '{sheet.target}' holds one class only, {sheet.classes[0]!r}: there is nothing to forecast; give rows of two "
            "classes or more"
        )
    parts, of = (sheet.chain, "chains") if sheet.chained else (np.arange(len(sheet.y)), "rows")
    for k, label in enumerate(sheet.classes):
        count = len(np.unique(parts[sheet.y == k]))
        if count < folds:
            raise BadInput(
                f"class {label!r} is in {count} {of} and there are {folds} folds: remove it, or give fewer --folds"
            )
