"""Dated forecasts as tables: who said what of which question, when; and how it ended, if it has.

    question,user,time,probability,outcome,resolved
    rain,ann,2024-03-01,0.7,1,2024-03-09
    rain,bob,2024-03-02T10:30,0.55,1,2024-03-09
    snow,ann,2024-03-04,0.1,,

`probability` is that of "yes"; `outcome` is 1 or 0, empty while it is not known; `resolved` is when it became known. Both
columns may be left out. A time is an ISO 8601 date, with a clock time where it matters (UTC unless it says otherwise), or
a number of days. Where a question has more than two answers, or they have names, a column `option` names them: one row an
option, the probabilities of one forecast sum to 1 (to a hundredth; they are rescaled), and outcome is 1 for the option
that came true.
"""

import datetime
import math
import os
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput
from catallax.io.tables import AnyPath, number, read_header, read_table

NEEDED = ("question", "user", "time", "probability")
MAY = ("outcome", "resolved", "option")
SHAPE = "question,user,time,probability[,outcome][,resolved][,option]"
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
SLACK = 0.01  # by which the probabilities of one forecast may miss 1


def numbered(row: int) -> str:
    """The place of a row that comes from no file."""
    return f"row {row + 1}"


@dataclass(frozen=True)
class ForecastRows:
    """Rows of forecasts, one value a row in every field; `place` says where a row stands."""

    question: list[Any]
    user: list[Any]
    time: NDArray[np.float64]  # [rows], days since 1970-01-01 UTC, or as given
    probability: NDArray[np.float64]  # [rows]
    outcome: NDArray[np.float64]  # [rows], 1, 0 or NaN: not known
    resolved: NDArray[np.float64]  # [rows], as `time`, or NaN: no date
    option: list[Any] | None = None
    place: Callable[[int], str] = field(default=numbered, repr=False)

    def __len__(self) -> int:
        return len(self.question)


def read_forecasts(path: AnyPath) -> ForecastRows:
    """The forecasts of a CSV file, in its order.

    Raises `BadInput`, one sentence with file, line and column, for the first fault.
    """
    header, name = read_header(path), os.fspath(path)
    for column in NEEDED:
        if column not in header:
            raise BadInput(f"{name}, line 1: column '{column}' is missing; the header must be {SHAPE}")
    for column in header:
        if column not in NEEDED + MAY:
            raise BadInput(f"{name}, line 1: column {reprlib.repr(column)} is not understood; keep {SHAPE}")
    table = read_table(path, text=header, blank=MAY[:2])
    lines = table.lines

    def place(row: int) -> str:
        return f"{name}, line {lines[row]}"

    given = {column: table.text.get(column) for column in (*NEEDED, *MAY)}
    return forecast_rows(**given, place=place)


def forecast_rows(
    question: Any,
    user: Any,
    time: Any,
    probability: Any,
    outcome: Any = None,
    resolved: Any = None,
    option: Any = None,
    place: Callable[[int], str] = numbered,
) -> ForecastRows:
    """Columns, checked row by row. Names may be anything hashable; numbers may be texts.

    Raises `BadInput` where a column has another length, a date is none, a probability lies outside [0, 1], or an outcome
    is not 0, 1 or unknown (empty, None or NaN).
    """
    names = {"question": question, "user": user, "option": option}
    lists = {column: _listed(column, values) for column, values in names.items() if values is not None}
    rows = len(lists["question"])
    others = {"time": time, "probability": probability, "outcome": outcome, "resolved": resolved}
    columns = lists | {column: _listed(column, values) for column, values in others.items() if values is not None}
    for column, values in columns.items():
        if len(values) != rows:
            raise BadInput(f"{column} has {len(values):,} entries and question {rows:,}; give one a row")
    unknown = [None] * rows
    found = ForecastRows(
        lists["question"],
        lists["user"],
        days(columns["time"], "time", place),
        _numbers(columns["probability"], "probability", place),
        _numbers(columns.get("outcome", unknown), "outcome", place, empty=True),
        days(columns.get("resolved", unknown), "resolved", place, empty=True),
        lists.get("option"),
        place,
    )
    _check(found)
    return found


def _check(rows: ForecastRows) -> None:
    wrong = ~((rows.probability >= 0) & (rows.probability <= 1))
    for row in np.flatnonzero(wrong)[:1].tolist():
        value = rows.probability[row]
        hint = "; write 0.7 for 70 %" if 1 < value <= 100 else "; give 0 to 1"
        raise BadInput(f"{rows.place(row)}, column 'probability': {value:g} lies outside [0, 1]{hint}")
    wrong = ~(np.isnan(rows.outcome) | (rows.outcome == 0) | (rows.outcome == 1))
    for row in np.flatnonzero(wrong)[:1].tolist():
        raise BadInput(
            f"{rows.place(row)}, column 'outcome': {rows.outcome[row]:g} is not 0 or 1; leave it empty where the "
            "question is open or void"
        )


def _listed(column: str, values: ArrayLike) -> list[Any]:
    array = values if isinstance(values, list) else np.asarray(values)
    if isinstance(array, np.ndarray):
        if array.ndim != 1:
            raise BadInput(f"{column} has {array.ndim} axes; give one value a row")
        array = array.astype("datetime64[us]").tolist() if array.dtype.kind == "M" else array.tolist()
    return array


def _unknown(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _numbers(
    values: Sequence[Any], column: str, place: Callable[[int], str], empty: bool = False
) -> NDArray[np.float64]:
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if not (empty and _unknown(value)):
            found[row] = number(f"{place(row)}, column '{column}'", "" if value is None else str(value))
    return found


# --- dates ---


def days(
    values: Sequence[Any], column: str, place: Callable[[int], str] = numbered, empty: bool = False
) -> NDArray[np.float64]:
    """Instants as days since 1970-01-01 UTC; numbers stay as they are. `empty`: what is not given is NaN.

    Raises `BadInput` for what is neither a date nor a finite number.
    """
    found = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if not (empty and _unknown(value)):
            found[row] = _day(value, column, place, row)
    return found


def _day(value: Any, column: str, place: Callable[[int], str], row: int) -> float:
    moment = value
    if isinstance(value, str):
        try:
            day = float(value)
        except ValueError:
            day = _parsed(value)
        moment = day
    if isinstance(moment, datetime.datetime):
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)
        return (aware - EPOCH) / datetime.timedelta(days=1)
    if isinstance(moment, datetime.date):
        return float(moment.toordinal() - EPOCH.toordinal())
    if isinstance(moment, (int, float)) and math.isfinite(moment):
        return float(moment)
    raise BadInput(
        f"{place(row)}, column '{column}': {reprlib.repr(value)} is not a date; write it as 2024-03-01, "
        "2024-03-01T10:30 or a number of days"
    )


def _parsed(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
