"""Bids as tables: who values which good how much, with which budget, and how much there is of each good.

Wide, one row a buyer, where goods are few; the budgets' column may have another name, or be left out (1 each), and a
column may say the most units in all that a buyer may hold:

    buyer,budget,cpu,memory
    ann,10,3,0.5
    bob,5,1,2

Long, one row a pair, where most pairs are worth nothing: what is not named is worth 0, and every budget is 1.

    buyer,good,value
    ann,cpu,3
    bob,memory,2

The supply is a table of its own, and 1 of each good where there is none:

    good,supply
    cpu,64
    memory,256

Values are utility a unit of the good, budgets money. A buyer without money, or a good of which there is nothing, has no
place in a market; a buyer who values nothing has, and gets nothing.
"""

import reprlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput
from catallax.io import memory
from catallax.io.tables import AnyPath, Table, read_header, read_table

LONG = ("buyer", "good", "value")
SHAPE = "buyer[,budget],<good>... or buyer,good,value"


@dataclass(frozen=True)
class Bids:
    """Who values which good how much, and what there is: the arguments of `allocate`."""

    names: tuple[str, ...]  # [buyers]
    goods: tuple[str, ...]  # [goods]
    valuations: NDArray[np.float64]  # [buyers, goods], utility a unit
    budgets: NDArray[np.float64]  # [buyers], money
    supply: NDArray[np.float64]  # [goods], units
    caps: NDArray[np.float64] | None = None  # [buyers], units in all


def read_bids(path: AnyPath, budgets: str = "budget", supply: AnyPath | None = None, caps: str | None = None) -> Bids:
    """The bids of a CSV file, wide or long; `budgets` and `caps` name columns, `supply` the file of supplies.

    Buyers and goods stand in the order of the file. Without a column of budgets every budget is 1, without a file of
    supplies there is 1 of each good.

    Raises `BadInput`, one sentence with file, line and column, for the first fault.
    """
    header = read_header(path)
    if "buyer" not in header:
        raise BadInput(f"{path}, line 1: column 'buyer' is missing; the header must be {SHAPE}")
    if set(header) == set(LONG):
        if caps is not None:
            raise BadInput(f"{path}, line 1: the long form buyer,good,value has no column of caps; give the wide form")
        names, goods, valuations = _long(read_table(path, text=LONG[:2]))
        money, most = np.ones(len(names)), None
    else:
        names, goods, valuations, money, most = _wide(path, header, budgets, caps)
    if not valuations.any():
        raise BadInput(f"{path}: nobody values anything; write a positive value for one buyer and one good")
    there = np.ones(len(goods)) if supply is None else _supply(supply, goods, path)
    return Bids(names, goods, valuations, money, there, most)


# --- the two forms ---


def _wide(
    path: AnyPath, header: tuple[str, ...], budgets: str, caps: str | None
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """One row a buyer."""
    for what, name in (("budgets", budgets), ("caps", caps)):
        if name == "buyer":
            raise BadInput(f"{path}, line 1: column 'buyer' holds names, not {what}; name another column or none")
    if caps is not None and (caps not in header or caps == budgets):
        why = "is missing" if caps not in header else "holds the budgets"
        raise BadInput(f"{path}, line 1: column '{caps}' {why}; name the column of caps, or leave caps out")
    _check_meant(path, header, budgets)
    goods = tuple(name for name in header if name not in ("buyer", budgets, caps))
    if not goods:
        raise BadInput(f"{path}, line 1: the header names no good; it must be {SHAPE}")
    table = read_table(path, text=("buyer",), unique=("buyer",))
    valuations = table.matrix(goods)
    wrong = valuations < 0
    if wrong.any():
        row, good = (int(k) for k in np.unravel_index(np.argmax(wrong), wrong.shape))
        raise BadInput(_negative(table, row, goods[good], valuations[row, good]))
    money = table.numbers.get(budgets, np.ones(len(table.lines)))
    _check_positive(table, budgets, money, "buyer", "a buyer without money has no place in a market")
    most = None if caps is None else table.numbers[caps]
    if caps is not None and most is not None:
        _check_positive(table, caps, most, "buyer", "who may hold nothing has no place in a market")
    return tuple(table.text["buyer"]), goods, valuations, money, most


def _check_meant(path: AnyPath, header: tuple[str, ...], budgets: str) -> None:
    """A column of budgets under another name must not be taken for a good, nor the long form for a wide one."""
    place = f"{path}, line 1"
    if "good" in header and "value" in header:
        other = next(name for name in header if name not in LONG)
        raise BadInput(f"{place}: column '{other}' is not known; the long form is buyer,good,value and nothing else")
    if budgets in header:
        return
    for name in header:
        if name.casefold() in (budgets.casefold(), "budget", "budgets"):
            raise BadInput(
                f"{place}: column '{budgets}' is missing, and '{name}' would be taken for a good; "
                f"rename it or read budgets from '{name}'"
            )


def _long(table: Table) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.float64]]:
    """One row a pair."""
    (names, row), (goods, column), values = _counted(table, "buyer"), _counted(table, "good"), table.numbers["value"]
    if "buyer" in goods:
        line = table.lines[table.text["good"].index("buyer")]
        raise BadInput(f"{table.path}, line {line}, column 'good': no good can be named 'buyer'; rename it")
    if (values < 0).any():
        first = int(np.argmax(values < 0))
        raise BadInput(_negative(table, first, "value", values[first]))
    needed, free = 2.0 * 8 * len(names) * len(goods), memory.free_memory()
    if needed > free:
        raise BadInput(
            f"{table.path} has {len(names):,} buyers and {len(goods):,} goods, which would need "
            f"{memory.in_bytes(needed)} of memory, and {memory.in_bytes(free)} may be used; split the market"
        )
    pair = row * len(goods) + column
    order = np.argsort(pair, kind="stable")
    again = order[1:][pair[order[1:]] == pair[order[:-1]]]
    if again.size:
        second = int(again.min())
        first = int(np.argmax(pair == pair[second]))
        raise BadInput(
            f"{table.path}, line {table.lines[second]}, columns 'buyer' and 'good': {_short(names[row[second]])} values "
            f"{_short(goods[column[second]])} in line {table.lines[first]} already; keep one of the two"
        )
    valuations = np.zeros((len(names), len(goods)))
    valuations[row, column] = values
    return names, goods, valuations


def _counted(table: Table, column: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The different names of a column, as they first appear, and which of them stands in each row."""
    place: dict[str, int] = {}
    rows = np.array([place.setdefault(name, len(place)) for name in table.text[column]], np.int64)
    return tuple(place), rows


# --- the supply ---


def _supply(path: AnyPath, goods: tuple[str, ...], bids: AnyPath) -> NDArray[np.float64]:
    """How much there is of each good, in the order of the bids."""
    header = read_header(path)
    for name in ("good", "supply"):
        if name not in header:
            raise BadInput(f"{path}, line 1: column '{name}' is missing; the header must be good,supply")
    for name in header:
        if name not in ("good", "supply"):
            raise BadInput(f"{path}, line 1: column '{name}' is not known; the header must be good,supply")
    table = read_table(path, text=("good",), unique=("good",))
    named, known = table.text["good"], set(goods)
    for good, line in zip(named, table.lines, strict=True):
        if good not in known:
            raise BadInput(f"{path}, line {line}, column 'good': {_short(good)} is no good of {bids}; remove the row")
    _check_positive(table, "supply", table.numbers["supply"], "good", "there is none to share, so leave the good out")
    amounts = dict(zip(named, table.numbers["supply"].tolist(), strict=True))
    for good in goods:
        if good not in amounts:
            raise BadInput(f"{path} has no row for {_short(good)}, which {bids} has; add its supply")
    return np.array([amounts[good] for good in goods])


# --- sentences ---


def _check_positive(table: Table, column: str, values: NDArray[np.float64], label: str, why: str) -> None:
    """Above 0, everywhere."""
    if (values > 0).all():
        return
    row = int(np.argmax(values <= 0))
    raise BadInput(
        f"{table.path}, line {table.lines[row]}, column '{column}': the {column} of {_short(table.text[label][row])} is "
        f"{values[row]:g}; write a positive number, {why}"
    )


def _negative(table: Table, row: int, column: str, value: float) -> str:
    who = _short(table.text["buyer"][row])
    return (
        f"{table.path}, line {table.lines[row]}, column '{column}': the value to {who} is {value:g}, negative; "
        "write 0 or more"
    )


def _short(name: str) -> str:
    return reprlib.repr(name)
