"""`catallax compare teaching [table.csv | rows.npz]`: one network under every kind of teaching, a row each; and
`catallax frontier teaching`: backpropagation told in few bits beside them.

Without a file: scikit-learn's digits, 64-128-128-10. `--out` writes teaching.csv and teaching.png (accuracy against bits), and
what every command writes; `catallax run teaching --signal predsim --out DIR` also the network, chain.safetensors.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catallax.cli import session
from catallax.core.errors import BadInput

if TYPE_CHECKING:
    from catallax.core.answer import Answer
    from catallax.networks.comparison import Measured, Point

NAME, SEEDS = "teaching", 3
FEW = 10_000  # rows from which on fewer epochs and larger batches do
SOURCES = (
    "rumelhart1986learning", "lillicrap2016random", "nokland2016direct", "frenkel2021learning", "nokland2019training",
    "lee2015deeply", "hinton2022forward", "moraitis2022softhebb", "journe2023hebbian", "whittington2017approximation",
    "scellier2017equilibrium", "jaderberg2017decoupled", "rahimi2007random",
)  # fmt: skip
NOTES = (
    "Error: share of rows misnamed among those held out, after the last epoch; ± one standard error over seeds, which draw "
    "weights, fixed matrices and the order of rows, not the rows held out.",
    "Bits per update: all that reaches all layers from elsewhere than their own input, for each row of a batch; a label is log2 of "
    "the classes, a number 32 bits where it is told exactly, and a relaxation's steps all count.",
    "Cosine: of a hidden layer's update with the gradient of the network's loss at the same weights; mean over hidden layers and "
    "epochs, empty where they stay as they were drawn. Few bits may serve without any likeness to the gradient, and with it.",
    "Locked: a layer waits for those behind it. Waits: matrix products between the first layer's output and its update, those "
    "of a head of its own among them. Seconds: of the processor, without compiling.",
    "Rates of Adam are each kind's own, of 1e-3, 3e-3 or 1e-2, chosen on digits (rows learnt from) and not on your rows; widths "
    "and epochs are the same for all.",
)


# --- rows ---


def example() -> Any:
    """Handwritten digits."""
    from sklearn.datasets import load_digits

    from catallax.networks.problem import Lessons

    X, y = load_digits(return_X_y=True)
    return Lessons(X / 16, y)


def read(path: Path, target: str | None = None) -> Any:
    """Lessons of a user's own rows. Raises `BadInput` for a file that has none."""
    from catallax.networks.problem import Lessons

    X, y, scaled = arrays(path, target) if path.suffix == ".npz" else table(path, target)
    epochs, batch = (20, 32) if len(y) < FEW else (5, 128)
    return Lessons(X, y, scaled=scaled, epochs=epochs, batch=batch)


def arrays(path: Path, target: str | None) -> tuple[Any, Any, bool]:
    """X, y, and whether X is still to be scaled (pictures in bytes are not)."""
    import zipfile

    import numpy as np

    if target is not None:
        raise BadInput(f"{path} holds arrays, not columns: leave --target out")
    try:
        with np.load(path, allow_pickle=False) as file:
            lost = [name for name in ("X", "y") if name not in file]
            X, y = (None, None) if lost else (file["X"], file["y"])
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}): give an npz file with X and y") from None
    except (ValueError, zipfile.BadZipFile, EOFError):
        raise BadInput(f"{path} is not an npz file of numbers: write it by numpy.savez(path, X=X, y=y)") from None
    if X is None or y is None:
        raise BadInput(f"{path} has no array {lost[0]!r}: write it by numpy.savez(path, X=X, y=y)")
    X = X.reshape(len(X), -1) if X.ndim > 1 else X
    return (X / 255, y, False) if X.dtype == np.uint8 else (X, y, True)


def table(path: Path, target: str | None) -> tuple[Any, Any, bool]:
    """The columns of a table; a cell that is missing has its column's mean, words are indicators."""
    import numpy as np

    from catallax.ensembles.learners.sheet import sheet_of
    from catallax.io.frames import read_frame

    sheet = sheet_of(read_frame(path), target)
    known = np.isfinite(sheet.X)
    mean = np.where(known, sheet.X, 0).sum(axis=0) / known.sum(axis=0)
    return np.where(known, sheet.X, mean), np.array(sheet.classes)[sheet.y], True


def write(problem: Any, outcome: Any, name: str, folder: Path) -> None:
    """The network that a run came to."""
    from catallax.networks.saved import save

    save(problem.chain(outcome.society), folder / "chain.safetensors")


# --- the two questions ---


def compared(file: Path | None, target: str | None, seeds: int, seed: int, out: Path | None, as_json: bool) -> int:
    """One row a kind of teaching; the exit code."""
    return answered("compare", file, target, seeds, seed, out, as_json, points)


def frontier(file: Path | None, seeds: int, seed: int, out: Path | None, as_json: bool) -> int:
    """Backpropagation in few bits, and the other kinds; the exit code."""
    return answered("frontier", file, None, seeds, seed, out, as_json, points_and_bits)


def points() -> "list[Point]":
    """Every kind, told exactly."""
    from catallax.networks.comparison import Point
    from catallax.networks.kinds import KINDS

    return [Point(name) for name in KINDS]


def points_and_bits() -> "list[Point]":
    """And backpropagation in few bits."""
    from catallax.networks.comparison import BITS, Point

    return [Point("backpropagation", bits) for bits in BITS] + points()


def answered(
    command: str,
    file: Path | None,
    target: str | None,
    seeds: int,
    seed: int,
    out: Path | None,
    as_json: bool,
    ask: "Callable[[], list[Point]]",
) -> int:
    """Reads, measures, gives the table, and the exit code."""
    session.prepare(32)
    from catallax.cli import folders
    from catallax.cli.questions import command_line, content, give
    from catallax.networks.comparison import compare
    from catallax.questions.regimes import UntilInterrupted

    problem = example() if file is None else read(file, target)
    folders.check(out)
    wanted, found = ask(), []
    with session.Progress("lessons") as progress, UntilInterrupted(len(wanted), "signals") as tried:
        for one in compare(problem, wanted, seeds, seed, progress.look):
            found.append(one)
            tried.done += 1
    answer = answer_of(command, found, problem, f"{NAME} ({'digits' if file is None else file.name})", seeds)
    tried.said(answer.notes, answer.facts)
    answer.facts["seed"] = seed
    result = session.head(command, NAME, file, seed) | content(answer)
    if out is not None:
        options = dict(target=target) | ({} if seeds == SEEDS else dict(seeds=seeds))
        page = folders.save(answer, result, out, command_line(command, NAME, file, seed, options))
        session.say(f"report: {page}")
    give(answer, result, as_json)
    if answer.facts.get("interrupted"):
        return session.INTERRUPTED
    return session.OK if any(not one.refused and not one.broken for one in found) else session.FAILED


# --- what is said of it ---


def answer_of(command: str, found: "Sequence[Measured]", problem: Any, label: str, seeds: int) -> "Answer":
    """The table, the finding, the notes and the loss curves."""
    from catallax.core.answer import Answer
    from catallax.networks.kinds import KINDS

    rows, set_ = [row(one) for one in found], problem.facts.settings
    notes = [f"{one.point.label} is left out: {one.refused}" for one in found if one.refused]
    notes += [
        f"{one.point.label}: {one.broken} of {seeds} seeds broke, their loss is no number"
        for one in found
        if one.broken
    ]
    notes += NOTES
    facts = problem.words() | dict(
        rows=len(problem.facts.table.y), held_out=len(problem.facts.table.held_y), epochs=set_.epochs, batch=set_.batch,
        seeds=seeds, layers={one.point.label: layers(one) for one in found if not one.refused},
        sentences={name: kind.sentence for name, kind in KINDS.items()},
    )  # fmt: skip
    question = NAME if command == "compare" else "teaching_frontier"
    return Answer(question, label, rows, headline(rows), notes, facts, curves(found))


def row(one: "Measured") -> dict[str, Any]:
    """A point in plain values; None where there is no number."""
    start = dict(signal=one.point.signal, bits=one.point.bits)
    if one.refused:
        return start | dict(error=None)
    cells = start | spread("error", one.error) | dict(bits_per_update=float(one.bits.sum()))
    cells |= (
        spread("cosine", one.hidden_cosine)
        | dict(locked=one.locked, waits=int(one.waits[0]))
        | spread("seconds", one.seconds)
    )
    return cells | dict(loss=float(one.final_loss.mean()))


def layers(one: "Measured") -> dict[str, Any]:
    """What each layer was told, how near its updates came to the gradient, and how long it had to wait."""
    from catallax.networks.comparison import mean_where_known

    return dict(bits=one.bits, cosine=mean_where_known(one.cosine), waits=one.waits.astype(int))


def spread(name: str, values: Any) -> dict[str, float | None]:
    """Mean and standard error over seeds, of those that are numbers; None where there are too few."""
    known = [float(value) for value in values if math.isfinite(value)]
    if not known:
        return {name: None, f"{name}_se": None}
    mean, count = sum(known) / len(known), len(known)
    if count < 2:
        return {name: mean, f"{name}_se": None}
    return {name: mean, f"{name}_se": math.sqrt(sum((x - mean) ** 2 for x in known) / (count - 1) / count)}


def headline(rows: list[dict[str, Any]]) -> str:
    """The finding in one sentence."""
    known = [row for row in rows if row["error"] is not None]
    if not known:
        return "No kind of teaching could be measured."
    best = min(known, key=lambda row: row["error"])
    free = min(
        (r for r in known if not r["locked"] and r["signal"] != "silence"), key=lambda r: r["error"], default=best
    )
    said = [f"{words(best)} a row and update"]
    said += [f"without locking, {words(free)}"] if free is not best else []
    said += [words(row) for row in known if row["signal"] == "silence" and row is not best]
    return "Least error: " + "; ".join(said) + "."


def words(row: dict[str, Any]) -> str:
    """predsim 2.5 ± 0.1 %, told 10 bits."""
    share = f"{100 * row['error']:.1f}" + ("" if row["error_se"] is None else f" ± {100 * row['error_se']:.1f}")
    narrow = "" if row["bits"] is None else f" in {row['bits']} bits"
    return f"{row['signal']}{narrow} {share} %, told {row['bits_per_update']:,.0f} bits"


def curves(found: "Sequence[Measured]") -> tuple[Any, ...]:
    """Loss on the rows learnt from and accuracy on those held out, epoch by epoch, of kinds told exactly."""
    from catallax.core.scene import Scene, Series

    exact = [one for one in found if not one.refused and one.point.bits is None]
    if not exact:
        return ()
    epochs = list(range(1, exact[0].loss.shape[1]))
    return tuple(
        Scene(title, [Series(epochs, getattr(one, name)[:, 1:].mean(axis=0), one.point.label) for one in exact])
        for name, title in (
            ("loss", "Loss of the rows learnt from, epoch by epoch"),
            ("accuracy", "Accuracy on rows held out, epoch by epoch"),
        )
    )
