"""What a question gives back: rows of plain values, and the finding in one sentence.

An Answer is a table (one dictionary a row, the same keys throughout), a headline, notes that say what the
reader must know to trust it, and facts (seeds, versions, certificates). It draws nothing and prints
nothing: the terminal takes `table()`, pandas takes `records`, a file takes `json()`, pictures are made by
`catallax.view`.

Facts that the pictures read, all optional: `signal` (what the parts are told, in one word: "price"),
`measure` (the full name of the efficiency plotted), `population` ("8 traders, 4 goods").
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import catallax.core.scene


class Table(NamedTuple):
    """A table of text: `columns` are headings; each of `rows` has one text a column; `numeric` says which
    to align right.
    """

    columns: list[str]
    rows: list[list[str]]
    numeric: list[bool]


@dataclasses.dataclass(frozen=True)
class Answer:
    """The answer to one of the questions, about one system.

    `headline` is the finding, one sentence in plain words; `scenes` are pictures of the system beside it.
    """

    question: str
    system: str
    rows: list[dict]
    headline: str
    notes: list[str] = dataclasses.field(default_factory=list)
    facts: dict = dataclasses.field(default_factory=dict)
    scenes: tuple["catallax.core.scene.Scene", ...] = ()

    @property
    def columns(self) -> list[str]:
        """The keys of all rows, in the order in which they first appear."""
        return list(dict.fromkeys(key for row in self.rows for key in row))

    @property
    def records(self) -> list[dict]:
        """The rows as plain values with every column filled (None where a row has none):
        `pandas.DataFrame(answer.records)`.
        """
        columns = self.columns  # once: every look at them goes over all rows
        return [{column: plain(row.get(column)) for column in columns} for row in self.rows]

    def table(self) -> Table:
        """The rows as text, for a terminal or a page: numbers rounded, never up to a perfect 1."""
        columns = self.columns
        numeric = [
            all(_is_number(row.get(column)) for row in self.rows if row.get(column) is not None) for column in columns
        ]
        rows = [[text(row.get(column)) for column in columns] for row in self.rows]
        return Table([column.replace("_", " ") for column in columns], rows, numeric)

    def json(self) -> dict:
        """The answer as plain values that every JSON reader takes: NaN and infinity are null. Scenes,
        and facts that are objects (outcomes), are left out.
        """
        return {
            "question": self.question,
            "system": self.system,
            "headline": self.headline,
            "rows": self.records,
            "notes": plain(self.notes),
            "facts": {name: plain(value) for name, value in self.facts.items() if is_data(value)},
        }


def plain(value: Any) -> Any:
    """`value` as None, bool, int, float, str, list or dict: arrays become lists, what is not finite becomes
    None.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if hasattr(value, "tolist"):  # NumPy and JAX arrays and scalars of any type
        return plain(value.tolist())
    return str(value)


def is_data(value: Any) -> bool:
    """Whether a value is made of numbers, texts, arrays, lists and mappings alone."""
    if isinstance(value, Mapping):
        return all(is_data(entry) for entry in value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return all(is_data(entry) for entry in value)
    return value is None or isinstance(value, str | bool | int | float) or hasattr(value, "tolist")


def text(value: Any) -> str:
    """`value` for a reader. What is just below 1 is written 1 - 4e-07: rounding must not turn good into
    perfect.
    """
    value = plain(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, list):
        return ", ".join(text(entry) for entry in value)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {text(entry)}" for key, entry in value.items())
    return value


def _decimal(value: float) -> str:
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    if 0.99995 <= value < 1:
        return f"1 - {1 - value:.0e}"
    if 1e-3 <= abs(value) < 1e3:
        return f"{value:.4f}"
    if 1e3 <= abs(value) < 1e7:
        return f"{value:,.1f}"
    return f"{value:.2e}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
