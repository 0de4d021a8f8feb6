"""What `catallax fit` fits: the columns made numbers, a market of members upon them, and the model as a file.

Missing numbers become the column's median, and a column of 0 and 1 says where they were missing; words become columns of 0
and 1. Neither looks at the target, so that members' out-of-fold offers stay honest.
"""

import difflib
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from catallax.core.errors import BadInput
from catallax.ensembles import MarketClassifier, MarketRegressor
from catallax.ensembles.members import default_classifiers
from catallax.ensembles.regressor import default_regressors

if TYPE_CHECKING:
    from catallax.io.frames import Frame

Array = np.ndarray
Look = Callable[[int, int, str], None]
TASKS = ("auto", "classes", "numbers")
WORDS = 50  # of a column that have a column of their own; the rarer ones share one


class Settings(NamedTuple):
    """What the market is asked to be."""

    members: str | None = None
    market: str = "auto"
    max_influence: float | None = None
    folds: int = 5
    seed: int = 0


class Data(NamedTuple):
    """A table cut in two: `X` [rows, features] with the target `y` [rows] known, in rows `known`; and where it is not."""

    features: list[str]
    target: str
    X: Array
    y: Array
    known: Array  # int [rows], places in the frame
    unknown: Array  # int
    open: Array  # [unknown rows, features]
    task: str


# --- the table ---


def split(frame: "Frame", target: str | None, task: str = "auto") -> Data:
    """Features and target. Raises `BadInput` where the target cannot be forecast."""
    if task not in TASKS:
        raise BadInput(f"--task is {task!r}: give one of {', '.join(TASKS)}")
    if target is None:
        raise BadInput(f"--target is missing: name the column to forecast, one of {listed(frame.names)}")
    if target not in frame.columns:
        raise BadInput(f"{frame.path} has no column {target!r}{near(target, frame.names)}")
    features = [name for name in frame.names if name != target]
    if not features:
        raise BadInput(f"{frame.path} has no column but the target: give at least one to forecast it from")
    lost = frame.missing(target)
    known, unknown = np.flatnonzero(~lost), np.flatnonzero(lost)
    if not len(known):
        raise BadInput(f"column {target!r} of {frame.path} is empty: give the target of the rows to learn from")
    y, numeric = frame.columns[target][known], frame.is_numeric(target)
    whole = numeric and bool((y == np.round(y)).all() and (np.abs(y) < 2**53).all())
    if task == "auto":
        task = "numbers" if numeric and not whole else "classes"
    X = frame.matrix(features)
    if task == "numbers":
        if not numeric:
            row, cell = next((int(k), cell) for k, cell in zip(known, y, strict=True) if not is_number(cell))
            raise BadInput(f"{frame.place(row)}, column {target!r}: {cell!r} is no number, which --task numbers needs")
        if np.ptp(y) == 0:
            raise BadInput(f"column {target!r} is {y[0]:g} in every row: there is nothing to forecast")
    else:
        y = (
            y.astype(np.int64)
            if whole
            else np.array([repr(float(cell)).removesuffix(".0") if numeric else cell for cell in y])
        )
        check_classes(frame, target, X[known], y, known, numeric)
    return Data(features, target, X[known], y, known, unknown, X[unknown], task)


def check_classes(frame: "Frame", target: str, X: Array, y: Array, known: Array, numeric: bool) -> None:
    """That there are two classes, and two unlike rows of each: one to learn from, one to be scored on."""
    classes, first, which, count = np.unique(y, return_index=True, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise BadInput(
            f"column {target!r} holds one class only, {classes.tolist()[0]!r}: there is nothing to "
            "forecast; give rows of two or more"
        )
    hint = ", or forecast numbers with --task numbers" if numeric else ""
    for number, label in enumerate(classes.tolist()):
        if count[number] == 1:
            raise BadInput(
                f"{frame.place(int(known[first[number]]))}: {label!r} stands once in column {target!r}, and is learnt from "
                f"or scored on, not both; give a second row or remove it{hint}"
            )
        rows = X[which == number]
        if all(alike(rows[0], row) for row in rows[1:]):
            raise BadInput(
                f"{frame.place(int(known[first[number]]))}: all {count[number]} rows of {label!r} in column {target!r} are alike, "
                f"and copies are never both learnt from and scored on; give other rows of it or remove them{hint}"
            )


def alike(one: Array, other: Array) -> bool:
    """Whether two rows hold the same, missing cells included."""
    return all(a == b or (a != a and b != b) for a, b in zip(one.tolist(), other.tolist(), strict=True))


def is_number(cell: str) -> bool:
    """Whether a cell is written as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names in a sentence, the first of many."""
    return ", ".join(names[:most]) + f" and {len(names) - most} more" * (len(names) > most)


def near(word: str, names: Sequence[str]) -> str:
    """Names like a word that is none of them, or all of them."""
    lower = {name.lower(): name for name in names}
    close = [lower[found] for found in difflib.get_close_matches(word.lower(), list(lower), n=3, cutoff=0.6)]
    return f": did you mean {' or '.join(close)}?" if close else f": there are {listed(names)}"


def example() -> "Frame":
    """Scikit-learn's wine: thirteen measurements of 178 wines from three growers."""
    from sklearn.datasets import load_wine

    from catallax.io.frames import Frame

    wine: Any = load_wine()
    columns = {name.split("/")[0]: np.ascontiguousarray(x) for name, x in zip(wine.feature_names, wine.data.T)}
    grower = np.array([f"grower {k + 1}" for k in wine.target], object)
    return Frame("wine", {**columns, "grower": grower}, np.arange(1, len(grower) + 1), unit="row")


# --- the model ---


def numbered(data: Data, frame: "Frame") -> tuple[ColumnTransformer, list[str]]:
    """What makes all columns numbers, not yet fitted, and a sentence for those that are left out."""
    empty = [name for name in data.features if frame.missing(name)[data.known].all()]
    words = [name for name in data.features if name not in empty and not frame.is_numeric(name)]
    names = [name for name in words if len({*frame.columns[name][data.known]}) == len(data.known)]
    words = [name for name in words if name not in names]
    numbers = [name for name in data.features if name not in empty and frame.is_numeric(name)]
    place = data.features.index
    fill = SimpleImputer(strategy="median", add_indicator=True)
    code = OneHotEncoder(handle_unknown="ignore", sparse_output=False, max_categories=WORDS)
    steps = [("numbers", fill, [*map(place, numbers)])] if numbers else []
    steps += [("words", code, [*map(place, words)])] if words else []
    if not steps:
        raise BadInput(
            f"{frame.path} has no column to forecast {data.target!r} from: all are empty, or differ in every row"
        )
    notes = [f"left out, since no cell is filled: {listed(empty)}"] if empty else []
    notes += [f"left out, since every row has words of its own: {listed(names)}"] if names else []
    return ColumnTransformer(steps, sparse_threshold=0.0), notes


def chosen(task: str, asked: str | None, seed: int) -> list[tuple[str, BaseEstimator]]:
    """The default members, or those of them that are asked for."""
    own = dict(default_classifiers(seed) if task == "classes" else default_regressors(seed))
    if asked is None:
        return list(own.items())
    names = [name.strip().replace("-", "_") for name in asked.split(",")]
    for place, name in enumerate(names):
        if name not in own:
            raise BadInput(f"--members: there is no {name!r}{near(name, list(own))}")
        if name in names[:place]:
            raise BadInput(f"--members names {name!r} twice: once is enough")
    return [(name, own[name]) for name in names]


def market(task: str, settings: Settings) -> Any:
    """The market, not yet fitted. Raises `BadInput` for folds or a cap that make no sense."""
    if not settings.folds >= 2:
        raise BadInput(
            f"--folds is {settings.folds}: give 2 or more, so that members learn from some rows and offer on others"
        )
    kind = MarketClassifier if task == "classes" else MarketRegressor
    return kind(
        chosen(task, settings.members, settings.seed),
        market=settings.market,
        cv=settings.folds,
        max_influence=settings.max_influence,
        random_state=settings.seed,
    )


def fit(columns: ColumnTransformer, market: Any, data: Data, look: Look) -> tuple[Pipeline, Array, list[str]]:
    """The fitted model, the rows as numbers [rows, columns], and what the members warned of.

    Raises `BadInput` where a member cannot learn from the rows.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        X = np.asarray(columns.fit_transform(data.X), np.float64)
        try:
            with counted(market, look):
                market.fit(X, data.y)
        except BadInput:
            raise
        except ValueError as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise BadInput(
                f"a member cannot learn from these {len(X)} rows ({reason}): give more rows, or other --members"
            ) from error
    said = dict.fromkeys(str(warning.message).strip().splitlines()[0] for warning in caught)
    return Pipeline([("columns", columns), ("market", market)]), X, [f"members warned: {text}" for text in said]


class counted:
    """While members offer out of fold, each time that one does is told to `look`."""

    def __init__(self, market: Any, look: Look) -> None:
        self.market, self.look = market, look

    def __enter__(self) -> None:
        if not hasattr(self.market, "_offer"):
            return
        plain, total, done = self.market._offer, len(self.market.estimators) * self.market.cv, 0

        def telling() -> Any:
            offer = plain()

            def tell(member: Any, X: Any) -> Array:
                nonlocal done
                done += 1
                self.look(done, total, "")
                return offer(member, X)

            return tell

        self.market._offer = telling

    def __exit__(self, *_: Any) -> None:
        self.market.__dict__.pop("_offer", None)


# --- its file ---


def save(model: Pipeline, folder: Path, say: Callable[[str], None]) -> Path:
    """`model.skops`, which holds no code; where skops is not installed `model.joblib`, with a warning."""
    from catallax.core.disk import whole

    try:
        import skops.io
    except ImportError:
        import joblib

        say(
            "catallax: skops is not installed, so the model is written with joblib, whose files run code "
            "when they are loaded: load only your own"
        )
        with whole(folder / "model.joblib") as file:
            joblib.dump(model, file)
        return folder / "model.joblib"
    with whole(folder / "model.skops") as file:
        skops.io.dump(model, file, compression=zipfile.ZIP_DEFLATED)
    return folder / "model.skops"
