"""What can be said of courses and students: checked when they are built, and read from a file.

The file is JSON as fairpyx writes it, seats and limits whole numbers:

    valuations         {student: {course: worth, ...}, ...}      a course that is not named is worth nothing
    item_capacities    {course: seats, ...}                       names all courses
    agent_capacities   {student: how many courses, ...}
    item_conflicts     {course: [courses that it excludes], ...}  may be left out
    agent_conflicts    {student: [courses it cannot take], ...}   may be left out
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from catallax.core.errors import BadInput

NEEDED = ("valuations", "item_capacities", "agent_capacities")
OPTIONAL = ("item_conflicts", "agent_conflicts")


def check_facts(problem: Any) -> None:
    """BadInput for facts that no economy of courses has: which field, which row, what to do."""
    values = problem.values
    if values.ndim != 2 or values.size == 0:
        raise BadInput(f"Courses.values has shape {list(values.shape)}: give [students, courses], at least one of each")
    n, m = values.shape
    check_numbers("values", values, (n, m), problem)
    check_numbers("capacities", problem.capacities, (m,), problem)
    check_numbers("limits", problem.limits, () if problem.limits.ndim == 0 else (n,), problem)
    if problem.budgets is not None:
        check_numbers("budgets", problem.budgets, (n,), problem)
        if (problem.budgets == 0).any():
            row = int(np.flatnonzero(problem.budgets == 0)[0])
            raise BadInput(f"Courses.budgets[{row}] is zero: give every student a positive budget")
    check_names(problem, n, m)
    for a, b in problem.conflicts:
        if a == b or not (0 <= a < m and 0 <= b < m):
            raise BadInput(f"Courses.conflicts has ({a}, {b}): give pairs of two different courses of 0 to {m - 1}")
    if not 0 <= problem.spread < np.inf:
        raise BadInput(f"Courses.spread is {problem.spread!r}: give how unequal budgets may be, at least 0")
    for name in ("wave", "waves"):
        if not isinstance(getattr(problem, name), int) or getattr(problem, name) < 1:
            raise BadInput(f"Courses.{name} is {getattr(problem, name)!r}: give a whole number of at least 1")


def check_names(problem: Any, n: int, m: int) -> None:
    """One different name for each."""
    for field, names, count in (("names", problem.names, n), ("courses", problem.courses, m)):
        if names is not None and (len(names) != count or len(set(names)) != count):
            raise BadInput(f"Courses.{field} has {len(set(names))} different names: give one for each of {count}")


def check_numbers(name: str, numbers: np.ndarray, shape: tuple[int, ...], problem: Any) -> None:
    """Numbers of a shape, finite and not negative."""
    if numbers.shape != shape:
        raise BadInput(f"Courses.{name} has shape {list(numbers.shape)}: give {list(shape)}, as values are")
    wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        whose = f" (student {problem.names[place[0]]})" if problem.names and name != "capacities" and place else ""
        raise BadInput(f"Courses.{name}{list(place)}{whose} is {numbers[place]}: give finite numbers of at least zero")


def read_courses(path: str | Path) -> dict[str, Any]:
    """The facts in a file, as arguments of `Courses`. Raises `BadInput` where it is none, or misses or misnames something."""
    tables = load(path)
    courses = tuple(tables["item_capacities"])
    students = tuple(tables["valuations"])
    place = {name: j for j, name in enumerate(courses)}
    values = np.zeros((len(students), len(courses)))
    for i, student in enumerate(students):
        for course, worth in entries(path, "valuations", tables["valuations"], student, place):
            values[i, place[course]] = number(path, f"valuations, {student}, {course}", worth)
        for course, _ in entries(path, "agent_conflicts", tables["agent_conflicts"], student, place):
            values[i, place[course]] = 0.0
        if student not in tables["agent_capacities"]:
            raise BadInput(
                f"{path}: agent_capacities does not name student {student}: say how many courses it may take"
            )
    pairs = {
        tuple(sorted((place[a], place[b])))
        for a in tables["item_conflicts"]
        if a in place
        for b, _ in entries(path, "item_conflicts", tables["item_conflicts"], a, place)
    }
    seats = [number(path, f"item_capacities, {c}", tables["item_capacities"][c]) for c in courses]
    limits = [number(path, f"agent_capacities, {s}", tables["agent_capacities"][s]) for s in students]
    facts = dict(values=values, capacities=seats, limits=limits, conflicts=tuple(sorted(pairs)))
    return facts | dict(names=students, courses=courses)


def load(path: str | Path) -> dict[str, Mapping[str, Any]]:
    """The tables of a file."""
    try:
        read = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): give a JSON file of courses") from None
    except ValueError as error:
        raise BadInput(f"{path} is not JSON ({error}): give a JSON file of courses") from None
    for name in NEEDED:
        if not isinstance(read, dict) or not isinstance(read.get(name), dict) or not read[name]:
            raise BadInput(f"{path} has no {name}: give an object from names to what belongs to them")
    return {name: read.get(name) or {} for name in (*NEEDED, *OPTIONAL)}


def entries(
    path: Any, table: str, rows: Mapping[str, Any], name: str, known: Mapping[str, int]
) -> list[tuple[str, Any]]:
    """What a table says of `name`, course by course. BadInput for a course without seats."""
    row = rows.get(name) or {}
    if not isinstance(row, (dict, list)):
        raise BadInput(f"{path}: {table}, {name} is {row!r}: give courses there")
    pairs = list(row.items()) if isinstance(row, dict) else [(course, None) for course in row]
    for course, _ in pairs:
        if course not in known:
            raise BadInput(f"{path}: {table}, {name} names {course}, which has no seats in item_capacities: add them")
    return pairs


def number(path: Any, place: str, value: Any) -> float:
    """A number, not a word."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadInput(f"{path}: {place} is {value!r}: give a number")
    return float(value)
