"""`catallax compare experts [table.csv | rows.npz]`: one network of experts under every router, a row each.

Without a file: scikit-learn's digits, eight experts of eight hidden units. `--out` writes experts.csv and experts.png (error,
balance, who does what), and what every command writes; `catallax run experts --signal own --out DIR` prices and loads over time.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catallax.cli import session
from catallax.cli.teaching import FEW, arrays, spread
from catallax.core.errors import BadInput

if TYPE_CHECKING:
    from catallax.core.answer import Answer
    from catallax.experts.comparison import Measured

NAME, SEEDS = "experts", 3
SOURCES = (
    "jacobs1991adaptive", "shazeer2017outrageously", "fedus2022switch", "lewis2021base", "roller2021hash", "zhou2022mixture",
    "wang2024auxiliary",
)  # fmt: skip
PRICED = ("dual", "own", "sign")  # the first of them that was measured has its prices drawn
MAPS = ("random", "switch", "dual", "own")  # of whom it is shown who does what
NOTES = (
    "Error: share of rows misnamed among those held out, after the last epoch; ± one standard error over seeds, which draw "
    "weights, lots and the order of rows, not the rows held out. Over lots: the difference to routing by lot, paired over seeds.",
    "Dense has the hidden units of the k experts that a row goes to, not those of all: as many multiplications a row.",
    "Max violation: the largest load over the mean, less 1, on the rows held out; few rows make it more than 0 even where chances "
    "are equal: compare it with that of lots. Load entropy: 1 where all experts work alike.",
    "Mutual information of expert and class, nats: too high by about (classes - 1)(experts - 1) / 2 rows; compare it with lots.",
    "Planner and expert-choice route a whole batch at once: what they tell a row depends on the rows beside it, and so does their "
    "balance. All others keep their prices while they are tested.",
    "Seconds: of the processor, a seed's epochs and tests, without compiling. One rate of Adam for all; it and the sizes were "
    "chosen on digits.",
)


# --- rows ---


def example(**how: Any) -> Any:
    """Handwritten digits."""
    from sklearn.datasets import load_digits

    from catallax.experts.problem import Mixture

    X, y = load_digits(return_X_y=True)
    return Mixture(X / 16, y, **how)


def read(path: Path, target: str | None = None, **how: Any) -> Any:
    """A mixture for a user's own rows. Raises `BadInput` for a file that has none, or lacks a number."""
    from catallax.experts.problem import Mixture

    X, y, scaled = arrays(path, target) if path.suffix == ".npz" else table(path, target)
    epochs, batch = (30, 128) if len(y) < FEW else (5, 512)
    return Mixture(X, y, scaled=scaled, epochs=epochs, batch=batch, **how)


def table(path: Path, target: str | None) -> tuple[Any, Any, bool]:
    """The columns of a table, words as indicators."""
    import numpy as np

    from catallax.ensembles.learners.sheet import sheet_of
    from catallax.io.frames import read_frame

    frame = read_frame(path)
    sheet = sheet_of(frame, target)
    for name in frame.names:
        lost = frame.missing(name)
        if lost.any():
            place = frame.place(int(lost.argmax()))
            raise BadInput(f"{place}, column {name!r}: the cell is empty or no number; fill it or remove the row")
    return sheet.X, np.array(sheet.classes)[sheet.y], True


# --- the question ---


def compared(
    file: Path | None, target: str | None, how: dict[str, Any], seeds: int, seed: int, out: Path | None, as_json: bool
) -> int:
    """One row a router; the exit code. `how`: settings of `Mixture`."""
    session.prepare(32)
    from catallax.cli import folders
    from catallax.cli.questions import command_line, content, give
    from catallax.experts.comparison import compare
    from catallax.questions.regimes import UntilInterrupted

    problem = example(**how) if file is None else read(file, target, **how)
    folders.check(out)
    wanted, found = routers(), []
    with session.Progress("lessons") as progress, UntilInterrupted(len(wanted), "routers") as tried:
        for one in compare(problem, wanted, seeds, seed, progress.look):
            found.append(one)
            tried.done += 1
    answer = answer_of(found, problem, f"{NAME} ({'digits' if file is None else file.name})", seeds)
    tried.said(answer.notes, answer.facts)
    answer.facts["seed"] = seed
    result = session.head("compare", NAME, file, seed) | content(answer)
    if out is not None:
        options = dict(target=target, **how) | ({} if seeds == SEEDS else dict(seeds=seeds))
        page = folders.save(answer, result, out, command_line("compare", NAME, file, seed, options))
        session.say(f"report: {page}")
    give(answer, result, as_json)
    if answer.facts.get("interrupted"):
        return session.INTERRUPTED
    return session.OK if any(not one.refused and not one.broken for one in found) else session.FAILED


def routers() -> list[str]:
    """All there are."""
    from catallax.experts.controls import ROUTERS

    return list(ROUTERS)


# --- what is said of it ---


def answer_of(found: "Sequence[Measured]", problem: Any, label: str, seeds: int) -> "Answer":
    """The table, the finding, the notes and the pictures."""
    from catallax.core.answer import Answer
    from catallax.experts.controls import ROUTERS

    lots = next((one for one in found if one.router == "random" and not one.refused), None)
    rows, set_ = [row(one, lots, seeds) for one in found], problem.facts.settings
    notes = [f"{one.router} is left out: {one.refused}" for one in found if one.refused]
    notes += [
        f"{one.router}: {one.broken} of {seeds} seeds broke, their loss is no number" for one in found if one.broken
    ]
    notes += NOTES
    facts = problem.words() | dict(
        rows=len(problem.facts.table.y), held_out=len(problem.facts.table.held_y), experts=set_.experts, k=set_.k,
        width=set_.width, hidden=set_.hidden, epochs=set_.epochs, batch=set_.batch, seeds=seeds,
        counts={one.router: one.counts for one in found if not one.refused},
        sentences={name: router.sentence for name, router in ROUTERS.items()},
    )  # fmt: skip
    return Answer(NAME, label, rows, headline(rows), notes, facts, pictures(found, problem))


def row(one: "Measured", lots: "Measured | None", seeds: int) -> dict[str, Any]:
    """A router in plain values; None where there is no number."""
    start: dict[str, Any] = dict(router=one.router)
    if one.refused:
        return start | dict(error=None)
    values, routed = one.values, one.router != "dense"
    cells = start | spread("error", values["error"])
    cells |= spread("over_lots", [] if lots is None or one is lots else values["error"] - lots.values["error"])
    for name in ("max_violation", "load_entropy", "dead", "mutual_information"):
        cells[name] = float(values[name].mean()) if routed else None
    return cells | dict(
        loss=spread("loss", values["loss"])["loss"], seconds=float(values["seconds"].mean()), seeds=seeds
    )


def headline(rows: list[dict[str, Any]]) -> str:
    """The finding in one sentence."""
    known = {row["router"]: row for row in rows if row["error"] is not None}
    if not known:
        return "No router could be measured."
    best = min(known.values(), key=lambda row: row["error"])
    others = [
        known[name] for name in ("dual", "switch", "random", "dense") if name in known and known[name] is not best
    ]
    return "Least error: " + "; ".join([words(best) + against(best), *map(words, others)]) + "."


def words(row: dict[str, Any]) -> str:
    """dual 2.4 ± 0.6 %."""
    return f"{row['router']} {number(row, 'error')} %"


def against(row: dict[str, Any]) -> str:
    """What the best has over routing by lot, in points, seed by seed."""
    if row["over_lots"] is None:
        return ""
    return f" ({number(row, 'over_lots', '+.1f')} points over lots, max violation {text(row['max_violation'])})"


def number(row: dict[str, Any], name: str, form: str = ".1f") -> str:
    """2.4 ± 0.6, of a share in %."""
    spread = row[f"{name}_se"]
    return f"{100 * row[name]:{form}}" + ("" if spread is None else f" ± {100 * spread:.1f}")


def text(value: float | None) -> str:
    """Two decimals, or a dash."""
    return "–" if value is None else f"{value:.2f}"


def pictures(found: "Sequence[Measured]", problem: Any) -> tuple[Any, ...]:
    """Who specialises in what under each router, and prices and loads over time under one that has prices."""
    from catallax.core.scene import Scene, Series
    from catallax.experts.problem import specialities

    known = {one.router: one for one in found if not one.refused}
    classes = problem.facts.table.classes
    maps = [
        Scene(f"Who does what under {name}", [specialities(known[name].counts, classes)])
        for name in MAPS
        if name in known
    ]
    priced = next((known[name] for name in PRICED if name in known), None)
    if priced is None:
        return tuple(maps)
    ways = []
    for name, values in (("Prices", priced.price), ("Share of the work", priced.share)):
        epochs = list(range(len(values)))
        series = [Series(epochs, values[:, j], f"expert {j}") for j in range(values.shape[1])]
        ways.append(Scene(f"{name}, epoch by epoch, under {priced.router}", series))
    return (*ways, *maps)
