"""Rows of forecasts brought together: one stake a person, question and instant, over all options; one end a question."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput
from catallax.io.forecasts import SLACK, ForecastRows

YES_NO = ("yes", "no")


@dataclass(frozen=True)
class Stakes:
    """Forecasts over all options, and how questions ended."""

    question: list[Any]  # [stakes]
    user: list[Any]  # [stakes]
    time: NDArray[np.float64]  # [stakes], days
    belief: list[NDArray[np.float64]]  # [stakes] of [options]
    row: list[int]  # [stakes], the first row of each
    options: dict[Any, tuple[Any, ...]]  # by question
    ends: dict[Any, tuple[int, float, int]]  # by question: the option that came true, when (NaN: no date), a row


def gathered(rows: ForecastRows, known: dict[Any, tuple[Any, ...]]) -> Stakes:
    """Stakes in the order of their first rows. `known`: the options of questions that were seen before.

    Raises `BadInput` where a forecast leaves out an option, names one that its question has not got, or does not sum to 1,
    and where a question ends in two ways or at two times.
    """
    if rows.option is None:
        return _yes_no(rows)
    stakes = _together(rows)
    options: dict[Any, tuple[Any, ...]] = {}
    belief, kept = [], []
    for (question, _, _), members in stakes.items():
        names = known.get(question) or options.get(question) or tuple(rows.option[row] for row in members)
        if question not in known:
            options[question] = names
        belief.append(_belief(rows, members, names))
        kept.append(min(members))
    keys = list(stakes)
    ends = _named_ends(rows, options | known)
    return Stakes(
        [k[0] for k in keys], [k[1] for k in keys], np.array([k[2] for k in keys], float), belief, kept, options, ends
    )


def _yes_no(rows: ForecastRows) -> Stakes:
    ends: dict[Any, tuple[int, float, int]] = {}
    for row in np.flatnonzero(~np.isnan(rows.outcome)).tolist():
        _add_end(rows, ends, row, 0 if rows.outcome[row] == 1 else 1)
    options = dict.fromkeys(rows.question, YES_NO)
    belief = list(np.stack([rows.probability, 1 - rows.probability], axis=1))
    return Stakes(rows.question, rows.user, rows.time, belief, list(range(len(rows))), options, ends)


def _together(rows: ForecastRows) -> dict[tuple[Any, Any, float], list[int]]:
    """The rows of each forecast; an option said twice at one instant: the later row counts."""
    assert rows.option is not None
    stakes: dict[tuple[Any, Any, float], dict[Any, int]] = {}
    for row, key in enumerate(zip(rows.question, rows.user, rows.time.tolist(), strict=True)):
        stakes.setdefault(key, {})[rows.option[row]] = row
    return {key: list(members.values()) for key, members in stakes.items()}


def _belief(rows: ForecastRows, members: list[int], names: tuple[Any, ...]) -> NDArray[np.float64]:
    assert rows.option is not None
    said = {rows.option[row]: rows.probability[row] for row in members}
    place = rows.place(members[0])
    for name in said:
        if name not in names:
            raise BadInput(
                f"{place}: option {name!r} is new to a question whose options are {_listed(names)}; add none"
            )
    for name in names:
        if name not in said:
            raise BadInput(f"{place}: the forecast leaves out option {name!r}; give a probability for every option")
        if len(names) < 2:
            raise BadInput(f"{place}: the question has one option, {name!r}; give two or more, or no column 'option'")
    belief = np.array([said[name] for name in names])
    if abs(belief.sum() - 1) > SLACK:
        raise BadInput(f"{place}: the probabilities of the forecast sum to {belief.sum():g}; make them sum to 1")
    return belief / belief.sum()


def _listed(names: tuple[Any, ...]) -> str:
    return ", ".join(map(repr, names[:5])) + ", ..." * (len(names) > 5)


def _named_ends(rows: ForecastRows, options: dict[Any, tuple[Any, ...]]) -> dict[Any, tuple[int, float, int]]:
    assert rows.option is not None
    ends: dict[Any, tuple[int, float, int]] = {}
    for row in np.flatnonzero(rows.outcome == 1).tolist():
        _add_end(rows, ends, row, options[rows.question[row]].index(rows.option[row]))
    for row in np.flatnonzero(rows.outcome == 0).tolist():
        question = rows.question[row]
        if question not in ends:
            raise BadInput(f"{rows.place(row)}: question {question!r} ends with no option true; give one outcome 1")
        if options[question][ends[question][0]] == rows.option[row]:
            _contradicted(rows, question, row, ends[question][2])
    return ends


def _add_end(rows: ForecastRows, ends: dict[Any, tuple[int, float, int]], row: int, won: int) -> None:
    question, when = rows.question[row], float(rows.resolved[row])
    if question not in ends:
        ends[question] = (won, when, row)
        return
    before, date, first = ends[question]
    if before != won:
        _contradicted(rows, question, row, first)
    if not np.isnan(when) and not np.isnan(date) and when != date:
        raise BadInput(
            f"{rows.place(row)}: question {question!r} is resolved at another time than in {rows.place(first)}; "
            "give one time"
        )
    if np.isnan(date):
        ends[question] = (won, when, first)


def _contradicted(rows: ForecastRows, question: Any, row: int, first: int) -> None:
    raise BadInput(
        f"{rows.place(row)}: question {question!r} ends another way than in {rows.place(first)}; give one outcome"
    )
