"""What a terminal shows of an answer: the finding, a table of at most a hundred columns, and the notes.

What a reader can do without (certificates, digests, the width of a bound) is left to `--json` and `--out`; of a long
table some rows are shown, of a sweep each regime's distribution. Nothing is rounded up to a perfect 1.
"""

import textwrap
from collections.abc import Iterable

from catallax.cli import session
from catallax.core.answer import Answer

HIDDEN = ("efficiency_gap", "certificate", "digest", "kind", "told")
LONGEST = 24  # rows
HEADING = 10  # characters, before it is broken into lines


def show(answer: Answer) -> None:
    """The finding, the table and the notes on stdout."""
    from rich.text import Text

    console = session.console()
    console.print(Text(answer.headline, style="bold"))
    rows, left_out = chosen(answer)
    console.print(table(rows))
    for note in [*left_out, *said(answer.rows), *answer.notes]:
        console.print(Text(note, style="dim"))


def chosen(answer: Answer) -> tuple[list[dict], list[str]]:
    """The rows to show, and a sentence where they are not all."""
    if answer.question == "sweep":
        rows = [{"regime": regime} | found for regime, found in answer.facts["distribution"].items()]
        return rows, [f"The distribution of {answer.facts['draws']:,} draws; each of them with --json or --out."]
    count = len(answer.rows)
    if count <= LONGEST:
        return answer.rows, []
    first = LONGEST // 2
    spread = {first + k * (count - 1 - first) // (LONGEST - first) for k in range(1, LONGEST - first + 1)}
    places = [*range(first), *sorted(spread)]
    return [answer.rows[k] for k in places], [f"{len(places)} of {count:,} rows; all of them with --json or --out."]


def table(rows: list[dict]):
    """A Rich table of rows."""
    from rich.table import Table
    from rich.text import Text

    text = Answer("", "", [readable(row) for row in rows], "").table()
    drawn = Table(box=None, pad_edge=False, header_style="dim")
    for name, numeric in zip(text.columns, text.numeric, strict=True):
        right = numeric or name == "seconds"
        drawn.add_column(
            Text(textwrap.fill(name, HEADING, break_long_words=False)),
            justify="right" if right else "left",
            overflow="fold",
        )
    for row in text.rows:
        drawn.add_row(*map(Text, row))
    return drawn


def readable(row: dict) -> dict:
    """A row without what is hidden, names as words, seconds to hundredths."""
    kept = {name: value for name, value in row.items() if name not in HIDDEN}
    if kept.get("seconds") is not None:
        kept["seconds"] = f"{kept['seconds']:.2f}"
    if "regime" in kept:
        kept["regime"] = kept["regime"].replace("_", " ")
    return kept


def said(rows: Iterable[dict]) -> list[str]:
    """A sentence for each regime that did not end well and has no reason among the notes."""
    silent = ("settled", "done", "refused", "interrupted")
    worth = [row for row in rows if "regime" in row and "draw" not in row and row["status"] not in silent]
    if not worth:
        return []
    from catallax.core.outcome import Status  # late: it loads JAX, which labels and forecasts do without

    return [f"{row['regime'].replace('_', ' ')}: {row['status']}, {Status(row['status']).sentence}" for row in worth]
