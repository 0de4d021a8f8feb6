"""The facts of training together: members' rows, stacked and filled up, the rows held out, and settings; all checked."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from catallax.core.errors import BadInput
from catallax.merging.together.attacks import liars
from catallax.merging.together.form import Form, form_of
from catallax.merging.together.losses import LOSSES, loss_of, mean_shape, score_of
from catallax.merging.together.messages import EXACT


class Table(NamedTuple):
    """Members' rows: a list of `x` [rows, ...] and `y` [rows, ...]; those held out; models to start from [members, numbers]
    or one [numbers]."""

    x: tuple
    y: tuple
    held_x: Any
    held_y: Any
    start: Any

    @property
    def rows(self) -> list[int]:
        return [len(y) for y in self.y]


class Settings(NamedTuple):
    """How members train and are merged; see `Together`."""

    form: Form
    losses: tuple[Callable, ...]  # one a member, or one
    score: Callable
    score_name: str
    method: str
    rounds: int
    steps: int
    batch: int | None
    optimiser: Any
    outer: Any
    participation: float
    lost: float
    aggregate: Any
    faulty: float
    byzantine: dict[int, Callable]
    graph: Any
    weights: Any
    most: float | None
    bits: int | None
    proximal: float
    consensus: float | None
    seed: int


class Facts:
    """Rows and settings, and what has been found out about them once and for all."""

    def __init__(self, table: Table, settings: Settings):
        self.table, self.settings = table, settings
        self.found: dict[str, Any] = {}
        self.sought: dict[str, Lock] = defaultdict(Lock)

    @property
    def members(self) -> int:
        return len(self.table.x)

    def once(self, name: str, find: Callable[[], Any]) -> Any:
        """What `find` finds, looked for once."""
        with self.sought[name]:
            if name not in self.found:
                self.found[name] = find()
        return self.found[name]

    def stacked(self) -> tuple[Any, Any]:
        """Rows [members, most, ...], filled up with zeros, on the device that computes."""
        return self.once("stacked", lambda: tuple(map(filled, (self.table.x, self.table.y))))


def filled(rows: Sequence[np.ndarray]) -> Any:
    """Arrays of [rows, ...] as one [members, most, ...]."""
    most = max(map(len, rows))
    out = np.zeros((len(rows), most, *rows[0].shape[1:]), rows[0].dtype)
    for k, own in enumerate(rows):
        out[k, : len(own)] = own
    return jnp.asarray(out)


# --- rows and models ---


def table_of(model: Any, datasets: Any, held: Any, losses: tuple[Callable, ...]) -> tuple[Form, Table]:
    """Rows of members, checked against one another and against the model."""
    if not isinstance(datasets, Sequence) or not datasets:
        raise BadInput("datasets must be a list with a pair (X, y) for each member, at least one")
    form, start = starts(model, len(datasets))
    dtype = start.dtype
    pairs = [rows_of(given, f"datasets[{i}]", dtype) for i, given in enumerate(datasets)]
    first = pairs[0]
    for i, pair in enumerate(pairs):
        for name, own, one in zip(("inputs", "targets"), pair, first, strict=True):
            if own.shape[1:] != one.shape[1:] or own.dtype != one.dtype:
                said = f"{name} of datasets[{i}] are {own.dtype}{list(own.shape[1:])} a row"
                raise BadInput(
                    f"{said}, those of datasets[0] {one.dtype}{list(one.shape[1:])}: members' rows are alike"
                )
    if held is None:
        judged = np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])
    else:
        judged = rows_of(held, "held", dtype)
        if judged[0].shape[1:] != first[0].shape[1:] or judged[1].shape[1:] != first[1].shape[1:]:
            raise BadInput("rows of held are of another shape than the members': give rows like theirs")
    table = Table(tuple(x for x, _ in pairs), tuple(y for _, y in pairs), judged[0], judged[1], start)
    if any(loss is LOSSES["cross-entropy"] for loss in losses):
        check_labels(form, table)
    return form, table


def starts(model: Any, members: int) -> tuple[Form, Any]:
    """The form, and numbers to start from: of one model, or of one a member."""
    if not isinstance(model, (list, tuple)):
        return form_of(model)
    if len(model) != members:
        raise BadInput(f"model is a list of {len(model)}: give one model, or one for each of {members} members")
    found = [form_of(one) for one in model]
    for i, (form, _) in enumerate(found):
        if form.leaves != found[0][0].leaves or form.tree != found[0][0].tree:
            raise BadInput(f"model[{i}] is built otherwise than model[0]: members' models are of one architecture")
    return found[0][0], jnp.stack([start for _, start in found])


def rows_of(given: Any, name: str, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets as arrays: floats of the model's type, whole numbers as they are."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise BadInput(f"{name} must be a pair (X, y): inputs [rows, ...] and targets [rows, ...]")
    x, y = (as_rows(part, f"{what} of {name}", dtype) for what, part in zip(("inputs", "targets"), given, strict=True))
    if not len(x) or len(x) != len(y):
        raise BadInput(f"{name} has {len(x)} inputs and {len(y)} targets: give as many of both, at least one")
    return x, y


def as_rows(given: Any, name: str, dtype: Any) -> np.ndarray:
    """One array. BadInput where it holds what is no number."""
    try:
        array = np.asarray(given)
        array = array.astype(dtype) if array.dtype.kind not in "iub" else array
    except (TypeError, ValueError):
        raise BadInput(f"{name} hold what is no number: give arrays of numbers") from None
    if array.ndim == 0:
        raise BadInput(f"{name} are a single number: give an array with a row for each")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise BadInput(f"row {row} of the {name} holds NaN or an infinite number: leave it out or fill it in")
    return array


def check_labels(form: Form, table: Table) -> None:
    """Whole numbers that the model has a score for."""
    labels = [*table.y, table.held_y]
    if any(y.dtype.kind not in "iu" or y.ndim != 1 for y in labels):
        raise BadInput("cross-entropy asks for labels: give targets [rows] of whole numbers from 0 on")
    one = jax.ShapeDtypeStruct(table.x[0].shape[1:], table.x[0].dtype)
    numbers = jax.ShapeDtypeStruct((form.numbers,), jnp.float32)
    try:
        out = eqx.filter_eval_shape(lambda v, x: form.model(form.params(v))(x), numbers, one)
    except (TypeError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"the model cannot take a row of the shape {list(one.shape)}: {reason}") from None
    shape = getattr(out, "shape", None)
    if shape is None or len(shape) != 1:
        raise BadInput("cross-entropy asks for a model that gives a score a class, of one row [classes]")
    for i, y in enumerate(labels):
        where = f"datasets[{i}]" if i < len(table.y) else "held"
        wrong = np.flatnonzero((y < 0) | (y >= shape[0]))
        if wrong.size:
            said = f"row {wrong[0]} of {where} has the label {y[wrong[0]]}"
            raise BadInput(f"{said}: the model has scores of classes 0 to {shape[0] - 1}")


# --- settings ---


def losses_of(loss: Any, objectives: Any, members: int) -> tuple[Callable, ...]:
    """One loss for all, or one a member."""
    if objectives is None:
        return (loss_of(loss),)
    if isinstance(objectives, str) or not isinstance(objectives, Sequence) or len(objectives) != members:
        raise BadInput(f"objectives must be a list with a loss for each of {members} members")
    return tuple(map(loss_of, objectives))


def judge_of(score: Any, table: Table) -> tuple[Callable, str]:
    """What members are judged by, and its name."""
    if score is None:
        score = "accuracy" if table.held_y.dtype.kind in "iub" else "r2"
    return score_of(score), score if isinstance(score, str) else "score"


def optimiser_of(given: Any, rate: Any, default: tuple[str, float]) -> Any:
    """An Optax optimiser: as given, by name, or the default."""
    if given is not None and not isinstance(given, str):
        if not hasattr(given, "update"):
            raise BadInput(f"optimiser is {given!r}: give 'sgd', 'adam', 'adamw' or an Optax optimiser")
        if rate is not None:
            raise BadInput("rate is for an optimiser given by name: an Optax optimiser has its own")
        return given
    name = default[0] if given is None else given
    if name not in ("sgd", "adam", "adamw"):
        raise BadInput(f"optimiser is {name!r}: give 'sgd', 'adam', 'adamw' or an Optax optimiser")
    usual = {"sgd": 0.1, "adam": 1e-3, "adamw": 1e-3}[name] if name != default[0] else default[1]
    return named(name, number("rate", usual if rate is None else rate, 0, np.inf, open_low=True))


NAMED: dict[tuple, Any] = {}


def named(name: str, *given: Any, **more: Any) -> Any:
    """The same optimiser object each time: one executable serves all who name it."""
    key = (name, given, tuple(sorted(more.items())))
    return NAMED.setdefault(key, getattr(optax, name)(*given, **more))


def number(name: str, value: Any, low: Any, high: Any, open_low: bool = False, open_high: bool = True) -> float:
    """A number between bounds. Raises `BadInput`."""
    fine = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    fine = fine and (value > low if open_low else value >= low) and (value < high if open_high else value <= high)
    if not fine:
        above = f"above {low:g}" if open_low else f"of at least {low:g}"
        below = "" if high == np.inf else f" and below {high:g}" if open_high else f" and at most {high:g}"
        raise BadInput(f"{name} is {value!r}: give a number {above}{below}")
    return float(value)


def whole(name: str, value: Any, least: int) -> int:
    """A whole number. Raises `BadInput`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value < 2**31:
        raise BadInput(f"{name} is {value!r}: give a whole number of at least {least}")
    return int(value)


def narrow(bits: Any) -> int | None:
    """Bits of a number, None where it is told exactly."""
    if bits is None:
        return None
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)) or not 1 <= bits <= 32:
        raise BadInput(f"bits is {bits!r}: give a whole number from 1 to 32, or None for exact")
    return None if bits >= EXACT else int(bits)


def check_full(settings: Settings, table: Table) -> None:
    """Where steps take all of unequal rows, a loss must say what each row lost."""
    if settings.batch is not None or len(set(table.rows)) == 1:
        return
    x, y = (jax.ShapeDtypeStruct((2, *a[0].shape[1:]), a[0].dtype) for a in (table.x, table.y))
    for loss in settings.losses:
        if mean_shape(loss, settings.form, x, y) == ():
            raise BadInput(
                f"members have {min(table.rows)} to {max(table.rows)} rows, and the loss returns one mean: return a loss a "
                "row, or set batch"
            )


__all__ = ["Facts", "Settings", "Table", "liars"]
