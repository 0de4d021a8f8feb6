"""Exchange economies as tables: one row a trader, and the rules that make it an economy.

    agent,endowment:grain,endowment:fish,taste:grain,taste:fish,elasticity
    farmer,40,1.5,0.5,0.5,2
    fisher,2,25,0.7,0.3,1

`endowment:<good>` is what the trader owns at the start, in units of the good; `taste:<good>` the weight a_j
of the good in the utility u = (sum_j a_j x_j^rho)^(1/rho), with rho = (sigma - 1)/sigma; `elasticity` is
sigma, the elasticity of substitution, 1 (Cobb-Douglas) where the column is left out (Arrow, Chenery, Minhas
and Solow 1961); `inf` for all traders, or for none, makes utilities linear, sum_j a_j x_j. Goods stand in the order of
their endowment columns.

The rules keep prices and utilities defined. Without an owner a good has no supply, and without anyone who
wants it no price but 0. A trader who owns nothing has no income and utility 0, whose logarithm breaks the
welfare measures; one who wants nothing has no demand. With one trader or one good there is nothing to
exchange.
"""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catallax.core.errors import BadInput
from catallax.io.tables import AnyPath, Table, number, read_header, read_table

ENDOWMENT, TASTE = "endowment:", "taste:"
SHAPE = "agent,endowment:<good>...,taste:<good>...[,elasticity]"


class Facts(TypedDict):
    """An exchange economy as arrays: what `Exchange` is built from."""

    names: tuple[str, ...]  # [traders]
    goods: tuple[str, ...]  # [goods]
    endowment: NDArray[np.float64]  # [traders, goods], units of each good
    taste: NDArray[np.float64]  # [traders, goods], weights
    elasticity: NDArray[np.float64]  # [traders]


@dataclass(frozen=True)
class Where:
    """The file that facts were read from, so that a fault can be named by line and column."""

    path: str
    lines: NDArray[np.int64]  # [traders], the line of each


def valley() -> Path:
    """The example shipped with the package: ten traders of a valley, five goods, on market day."""
    return Path(__file__).with_name("valley.csv")


def read_exchange(path: AnyPath, limit: int | float | None = None) -> Facts:
    """The exchange economy of a CSV file; `limit` is the memory that may be used, in bytes (all free).

    Raises `BadInput`, one sentence with file, line and column, where the file is not such a table or its
    economy breaks a rule of this module.
    """
    header = read_header(path)
    goods = _goods(str(path), header)
    words = tuple(name for name in ("agent", "elasticity") if name in header)  # inf is no number of a table
    table = read_table(path, text=words, unique=("agent",), limit=limit)
    endowment = table.matrix([header[column] for column, _ in goods.values()])
    taste = table.matrix([header[column] for _, column in goods.values()])
    elasticity = _elasticity(table)
    names = tuple(table.text["agent"])
    check_facts(names, tuple(goods), endowment, taste, elasticity, Where(table.path, table.lines))
    return Facts(names=names, goods=tuple(goods), endowment=endowment, taste=taste, elasticity=elasticity)


# --- the header ---


def _goods(path: str, header: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Each good with the positions of its endowment and taste columns."""
    place = f"{path}, line 1"
    if "agent" not in header:
        raise BadInput(f"{place}: column 'agent' is missing; the header must be {SHAPE}")
    owned, wanted = _group(place, header, ENDOWMENT), _group(place, header, TASTE)
    for name in header:
        if name not in ("agent", "elasticity") and not name.startswith((ENDOWMENT, TASTE)):
            raise BadInput(f"{place}: column '{name}' is not known; remove it, the header must be {SHAPE}")
    for one, other, prefix in ((owned, wanted, TASTE), (wanted, owned, ENDOWMENT)):
        for good, column in one.items():
            if good not in other:
                raise BadInput(
                    f"{place}: column '{header[column]}' has no counterpart '{prefix}{good}'; "
                    "give every good one endowment and one taste column"
                )
    if len(owned) < 2:
        raise BadInput(f"{place}: an exchange needs two goods, the header names {len(owned)}; it must be {SHAPE}")
    return {good: (column, wanted[good]) for good, column in owned.items()}


def _group(place: str, header: Sequence[str], prefix: str) -> dict[str, int]:
    """Goods of the columns with one prefix, and their positions."""
    goods: dict[str, int] = {}
    for position, name in enumerate(header):
        if name.startswith(prefix):
            good = name.removeprefix(prefix).strip()
            if not good:
                raise BadInput(
                    f"{place}: column '{name}' names no good; write it after the colon, as in '{prefix}grain'"
                )
            if good in goods:
                raise BadInput(f"{place}: columns '{header[goods[good]]}' and '{name}' name the same good; keep one")
            goods[good] = position
    return goods


def _elasticity(table: Table) -> NDArray[np.float64]:
    """The column of that name, ones where there is none; `inf` is a number here."""
    cells = table.text.get("elasticity")
    if cells is None:
        return np.ones(len(table.lines))
    places = (f"{table.path}, line {line}, column 'elasticity'" for line in table.lines)
    return np.array([np.inf if c.lower() == "inf" else number(p, c) for p, c in zip(places, cells, strict=True)])


# --- the economy ---


def check_facts(
    names: Sequence[str] | None,
    goods: Sequence[str] | None,
    endowment: ArrayLike,
    taste: ArrayLike,
    elasticity: ArrayLike,
    where: Where | None = None,
) -> None:
    """Refuse facts that make no exchange economy.

    `names` [traders] and `goods` [goods] may be None: messages then count from 0, as the arrays do.
    `endowment` and `taste` are [traders, goods], `elasticity` is [traders] (infinite: linear wants). With `where`,
    messages name the file, the line and the column.

    Raises `BadInput`, one sentence, for the first rule broken.
    """
    check = _Check(names, goods, where)
    owns, wants, bends = np.asarray(endowment), np.asarray(taste), np.asarray(elasticity)
    check.shapes(owns, wants, bends)
    check.labels()
    check.cells("endowment", owns)
    check.cells("taste", wants)
    linear = bends == np.inf
    check.cells("elasticity", np.where(linear, 0.0, bends))
    check.all_or_none(linear, bends)
    check.every_good("endowment", owns, "nobody owns {}, so there is none to trade")
    check.every_trader("endowment", owns, "owns nothing and so has no income")
    check.every_trader("taste", wants, "wants nothing and so demands nothing")
    check.every_good("taste", wants, "nobody wants {}, so it has no price")


@dataclass(frozen=True)
class _Check:
    """The rules, and how a trader, a good and their place are called in a message."""

    names: Sequence[str] | None
    goods: Sequence[str] | None
    where: Where | None

    def shapes(self, endowment: NDArray, taste: NDArray, elasticity: NDArray) -> None:
        if endowment.ndim != 2 or min(endowment.shape) < 2:
            if endowment.ndim == 2 and self.where:
                raise BadInput(f"{self.where.path} has one trader; an exchange needs two or more, so add rows")
            raise BadInput(f"endowment has shape {endowment.shape}; give [traders, goods], at least two of each")
        traders, goods = endowment.shape
        for field, shape, due in (
            ("taste", taste.shape, (traders, goods)),
            ("elasticity", elasticity.shape, (traders,)),
            ("names", (traders,) if self.names is None else (len(self.names),), (traders,)),
            ("goods", (goods,) if self.goods is None else (len(self.goods),), (goods,)),
        ):
            if shape != due:
                raise BadInput(f"{field} has shape {shape} where the endowment asks for {due}; give one value for each")

    def labels(self) -> None:
        for field, labels in (("names", self.names), ("goods", self.goods)):
            if labels is None or (len(set(labels)) == len(labels) and all(map(str.strip, labels))):
                continue
            seen: dict[str, int] = {}
            for row, label in enumerate(labels):
                if not label.strip():
                    raise BadInput(f"{field}[{row}] is empty; give it a name")
                if label in seen:
                    raise BadInput(f"{field}[{row}] is {label!r}, as is {field}[{seen[label]}]; use each name once")
                seen[label] = row

    def cells(self, field: str, values: NDArray) -> None:
        """Finite and not negative, everywhere."""
        wrong = ~(np.isfinite(values) & (values >= 0))
        if not wrong.any():
            return
        index = tuple(int(k) for k in np.unravel_index(np.argmax(wrong), wrong.shape))
        value = float(values[index])
        rule = (
            "negative; write 0 or more" if value < 0 and np.isfinite(value) else "not a finite number; give its value"
        )
        raise BadInput(f"{self.cell(field, index)}: the {field} of {self.trader(index[0])} is {value:g}, {rule}")

    def all_or_none(self, linear: NDArray, elasticity: NDArray) -> None:
        """Linear wants have no demand that could be added to that of the others."""
        if linear.any() and not linear.all():
            row, other = int(np.argmax(linear)), int(np.argmin(linear))
            raise BadInput(
                f"{self.cell('elasticity', (row,))}: the elasticity of {self.trader(row)} is inf and that of "
                f"{self.trader(other)} {elasticity[other]:g}; write inf for all traders or for none (20 is nearly linear)"
            )

    def every_good(self, field: str, values: NDArray, fault: str) -> None:
        """Something positive in every column."""
        empty = ~(values > 0).any(axis=0)
        if empty.any():
            good = int(np.argmax(empty))
            place = f"{self.where.path}, column '{field}:{self.good(good)}'" if self.where else f"{field}[:, {good}]"
            raise BadInput(
                f"{place}: {fault.format(self.good_in_words(good))}; "
                f"write a positive {field} for one trader or remove the good"
            )

    def every_trader(self, field: str, values: NDArray, fault: str) -> None:
        """Something positive in every row."""
        empty = ~(values > 0).any(axis=1)
        if empty.any():
            row = int(np.argmax(empty))
            place = (
                f"{self.where.path}, line {self.where.lines[row]}, columns '{field}:...'"
                if self.where
                else f"{field}[{row}]"
            )
            raise BadInput(
                f"{place}: {self.trader(row)} {fault}; write a positive {field} for one good or remove the trader"
            )

    def cell(self, field: str, index: tuple[int, ...]) -> str:
        if self.where is None:
            return f"{field}[{', '.join(map(str, index))}]"
        column = field if len(index) == 1 else f"{field}:{self.good(index[1])}"
        return f"{self.where.path}, line {self.where.lines[index[0]]}, column '{column}'"

    def trader(self, row: int) -> str:
        return f"trader {row}" if self.names is None else f"trader {reprlib.repr(self.names[row])}"

    def good(self, column: int) -> str:
        return str(column) if self.goods is None else self.goods[column]

    def good_in_words(self, column: int) -> str:
        return f"good {column}" if self.goods is None else repr(self.goods[column])
