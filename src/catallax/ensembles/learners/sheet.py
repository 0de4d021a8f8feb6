"""A table as learners take it: numbers as they are, words as indicators, what is missing as the mean.

A column of words has one feature for each of them, of two for the second (at most `MOST_WORDS`, or it is refused: names tell
nothing of rows not seen).
"""

from dataclasses import dataclass

import numpy as np

from catallax.core.errors import BadInput
from catallax.ensembles.learners.learner import Array, Rows
from catallax.io.frames import Frame

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


def sheet_of(frame: Frame, target: str | None = None, sequence: str | None = None) -> Sheet:
    """A table's columns as features and classes. `target`: the column of classes (default: `y` or `target`, else the last);
    `sequence`: the column that rows have in common which follow one another, in the order of the file.

    Raises `BadInput`, one sentence, where a column is missing, holds nothing, or is no column of classes.
    """
    target = target or next((c for c in frame.names if c.lower() in ("y", "target")), frame.names[-1])
    for option, column in (("--target", target), ("--sequence", sequence)):
        if column is not None and column not in frame.names:
            raise BadInput(f"{frame.path} has no column {column!r}: give {option} one of {', '.join(frame.names[:12])}")
    if target == sequence:
        raise BadInput(f"{frame.path}: {target!r} is both --target and --sequence: give two columns")
    names = [c for c in frame.names if c not in (target, sequence)]
    if not names:
        raise BadInput(f"{frame.path} has no column but the classes: add what they are to be told from")
    classes, y = classes_of(frame, target)
    features = [coded(frame, name) for name in names]
    chain = np.arange(len(y)) if sequence is None else np.unique(filled(frame, sequence), return_inverse=True)[1]
    return Sheet(
        np.hstack([values for values, _ in features]),
        y,
        chain,
        tuple(name for _, some in features for name in some),
        classes,
        target,
        chained=sequence is not None,
    )


def filled(frame: Frame, column: str) -> Array:
    """A column as words, numbers without needless zeros. Raises `BadInput` where a cell is missing."""
    lost = frame.missing(column)
    if lost.any():
        place = frame.place(int(lost.argmax()))
        raise BadInput(f"{place}, column {column!r}: the cell is empty; fill it or remove the row")
    return np.array([f"{cell:.15g}" if frame.is_numeric(column) else cell for cell in frame.columns[column]])


def classes_of(frame: Frame, target: str) -> tuple[tuple[str, ...], Array]:
    """Names of the classes, and which of them each row is, int [rows]."""
    labels = filled(frame, target)
    classes, y = np.unique(labels, return_inverse=True)
    if frame.is_numeric(target) and len(classes) > max(20, len(y) // 10):
        raise BadInput(
            f"{frame.path}, column {target!r} holds {len(classes)} different numbers: learners forecast classes; "
            "give --target a column of classes"
        )
    return tuple(classes.tolist()), y


def coded(frame: Frame, column: str) -> tuple[Array, list[str]]:
    """A column as features [rows, features], NaN where missing, and their names."""
    lost, cells = frame.missing(column), frame.columns[column]
    if lost.all():
        raise BadInput(f"{frame.path}: column {column!r} is empty; fill or remove it")
    if frame.is_numeric(column):
        return cells[:, None], [column]
    words = sorted(set(cells[~lost].tolist()))
    if len(words) > MOST_WORDS:
        raise BadInput(
            f"{frame.path}: column {column!r} holds {len(words)} different words, which tell little of rows not seen; remove it"
        )
    words = words[len(words) == 2 :]
    held = (cells[:, None] == np.array(words, object)).astype(float)
    held[lost] = np.nan
    return held, [f"{column}={word}" for word in words]


def fewer(sheet: Sheet, seed: int, most: int = MOST_ROWS) -> Sheet:
    """At most so many rows, drawn at random; chains are left whole, and so all of them."""
    if sheet.chained or len(sheet.y) <= most:
        return sheet
    return sheet.take(np.sort(np.random.default_rng(seed).choice(len(sheet.y), most, replace=False)))


def check(sheet: Sheet, folds: int) -> None:
    """That each class can be in every fold. Raises `BadInput`."""
    if len(sheet.classes) < 2:
        raise BadInput(
            f"column '{sheet.target}' holds one class only, {''.join(sheet.classes)!r}: there is nothing to forecast; "
            "give rows of two classes or more"
        )
    parts, of = (sheet.chain, "chain") if sheet.chained else (np.arange(len(sheet.y)), "row")
    for k, label in enumerate(sheet.classes):
        count = len(np.unique(parts[sheet.y == k]))
        if count < folds:
            raise BadInput(
                f"class {label!r} is in {count} {of}{'s' * (count != 1)} and there are {folds} folds: "
                "remove it, or give fewer --folds"
            )
