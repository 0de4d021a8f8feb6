"""`catallax compare learners [table.csv]`: the essay's table, from statistical learning to the crowd, with measured numbers.

`--out` writes learners.csv (a row a learner, with standard errors), lesions.csv (`learner,order,removed,accuracy,skill`),
lesions_planners.png and lesions_crowds.png, and what every command writes: outcome.json and report.html. What does not
apply is a word in the table, and null in numbers, with the word beside it.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catallax.cli import session
from catallax.core.errors import BadInput

if TYPE_CHECKING:
    from catallax.core.answer import Answer
    from catallax.core.scene import Scene
    from catallax.ensembles.learners.sheet import Sheet
    from catallax.ensembles.learners.table import Estimate, Measured

NAME = "learners"
FOLDS, SEEDS = 5, 3
SOURCES = ("breiman2001random", "friedman2001greedy", "lafferty2001conditional", "storkey2011machine")
NOTES: tuple[str, ...] = (
    "Skill left: the area under the lesion curve (share of skill against share of units silenced), at random and the most "
    "influential first; 1: nobody is needed (more: better without), 0: one unit was the master (less: the rest does harm). "
    "Skill is accuracy above that of always saying the commonest class. Trees and neurons are not what weights are; skill left "
    "without features is the control: for all alike, features are set to their means, the most influential first.",
    "Path: steps of composition from the loss to a parameter, a mean over parameters. Local: a tree's splits follow the impurity "
    "of their own node, a market's members losses of their own.",
    "Hessian change: |H(start) - H(end)| / |H(start)| of the training loss, between the start of training and its end.",
    "Steps: one after another in a forecast (a sum is one); at once: units that can work side by side.",
    "Linear R²: the share of variation of the log-odds that a line explains on rows it has not seen.",
    "Accuracy and log-loss are out of fold, ± one standard error over rows; probabilities count as 0.001 at least. Seconds: of the "
    "processor, for one fit. A market's include its members'.",
)


def answered(
    file: Path | None,
    target: str | None,
    sequence: str | None,
    folds: int,
    seeds: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Reads, measures, gives the table."""
    if seed + seeds > 2**32:
        raise BadInput(f"--seed {seed} is too large for scikit-learn: give one below {2**32 - seeds:,}")
    session.prepare()
    from catallax.cli import fitted, folders
    from catallax.cli.questions import command_line, give
    from catallax.ensembles.learners import sheet as sheets
    from catallax.ensembles.learners import table
    from catallax.io.frames import read_frame

    frame = fitted.example() if file is None else read_frame(file)
    whole = sheets.sheet_of(frame, "grower" if file is None and target is None else target, sequence)
    sheet = sheets.fewer(whole, seed)
    sheets.check(sheet, folds)
    folders.check(out)
    with session.Progress("learners") as progress:
        learners = table.default_learners(sheet.chained)
        found = table.compare(sheet, learners, folds, seeds, seed, progress.look)
    label = f"learners ({'wine' if file is None else file.name})"
    answer = answer_of(found, sheet, len(whole.y), label, dict(folds=folds, seeds=seeds))
    answer.notes.extend(frame.doubts)
    result = session.head("compare", NAME, file, seed) | content(found, answer)
    if out is not None:
        options = dict(target=target, sequence=sequence)
        options |= {} if folds == FOLDS else dict(folds=folds)
        options |= {} if seeds == SEEDS else dict(seeds=seeds)
        with folders.made(out):
            write(found, answer, out)
            page = folders.save(answer, result, out, command_line("compare", NAME, file, seed, options))
        session.say(f"report: {page}")
    give(answer, result, as_json)


# --- what is said of it ---


def answer_of(found: "list[Measured]", sheet: "Sheet", given: int, label: str, asked: dict[str, int]) -> "Answer":
    """The table, the finding, the notes and the lesion curves."""
    import sklearn

    from catallax.core.answer import Answer
    from catallax.ensembles.learners.chain import is_there

    rows, features = sheet.X.shape
    notes = list(NOTES)
    if rows < given:
        notes.append(f"{rows:,} of {given:,} rows were drawn at random.")
    if not is_there():
        notes.append("The random field needs the extra crf: pip install 'catallax[crf]'.")
    elif not sheet.chained:
        notes.append(
            "Random field: no rows are said to follow one another (--sequence), so each is a chain of one, a logistic regression."
        )
    if sheet.chained:
        notes.append("Chains stay together in folds; only the random field is told of them.")
    facts = dict(rows=rows, features=features, classes=list(sheet.classes), target=sheet.target, **asked)
    facts |= dict(sequences=int(sheet.chain.max()) + 1 if sheet.chained else None, scikit_learn=sklearn.__version__)
    return Answer(NAME, label, [shown(m) for m in found], headline(found), notes, facts, scenes(found))


def shown(measured: "Measured") -> dict[str, Any]:
    """A row to read: a word where a number has no meaning."""
    own = record(measured)
    cells = {name: own[name] for name in COLUMNS} | {
        "accuracy": with_error(own["accuracy"], own["accuracy_se"]),
        "log_loss": with_error(own["log_loss"], own["log_loss_se"]),
    }
    return {name: own["words"].get(name, value) for name, value in cells.items()}


COLUMNS = (
    "learner", "units", "skill_left_random", "skill_left_influential", "skill_left_features", "path", "hessian_change",
    "steps", "at_once", "linear_r2", "accuracy", "log_loss", "seconds",
)  # fmt: skip


def record(measured: "Measured") -> dict[str, Any]:
    """Numbers (None where there is none, and why under `words`) of one learner."""
    import numpy as np

    from catallax.ensembles.learners.table import ORDERS, estimate

    words: dict[str, str] = {"units": f"{measured.units} {measured.learner.unit}"}
    own: dict[str, Any] = dict(learner=measured.learner.name, unit=measured.learner.unit, units=measured.units)
    own |= dict(decides_by=measured.learner.rule, side=measured.learner.side)
    for order in ORDERS:
        own |= pair(f"skill_left_{order}", measured.area(order)) | pair(f"half_gone_{order}", measured.half(order))
        if own[f"skill_left_{order}"] is None:
            words[f"skill_left_{order}"] = words[f"half_gone_{order}"] = "no skill"
    assert measured.flow is not None
    steps = measured.flow.steps
    own |= dict(information=measured.flow.word)
    own |= dict(path=None, longest_path=None) if steps is None else dict(path=steps.mean(), longest_path=steps.max())
    if steps is None:
        words["path"] = words["longest_path"] = measured.flow.word
    told = [change for change in measured.change if isinstance(change, str)]
    own |= pair("hessian_change", estimate([np.nan] if told else measured.change))  # pyright: ignore[reportArgumentType]
    if own["hessian_change"] is None:
        words["hessian_change"] = told[0] if told else "no curvature"
    own |= dict(steps=measured.depth, at_once=measured.width) | pair("linear_r2", estimate(measured.r2))
    if own["linear_r2"] is None:
        words["linear_r2"] = "constant"
    own |= pair("accuracy", over_rows(measured.right)) | pair("log_loss", over_rows(measured.loss))
    return own | pair("seconds", estimate(measured.seconds)) | dict(words=words)


def over_rows(values: Any) -> "Estimate":
    """Of [seeds, rows]: the mean, and its standard error over rows."""
    from catallax.ensembles.learners.table import estimate

    return estimate(values.mean(axis=0))


def pair(name: str, value: "Estimate") -> dict[str, float | None]:
    """A number and its standard error; None where there is none."""
    return {key: float(x) if math.isfinite(x) else None for key, x in zip((name, f"{name}_se"), value, strict=True)}


def with_error(mean: float, error: float) -> str:
    """0.983 ± 0.006."""
    return f"{mean:.3f} ± {error:.3f}"


def headline(found: "list[Measured]") -> str:
    """The finding, one sentence."""
    rows = sorted((record(measured) for measured in found), key=lambda row: row["log_loss"])
    best, *others = (f"{r['learner']} ({with_error(r['log_loss'], r['log_loss_se'])})" for r in rows)
    end = f"least log-loss: {best}" + (f", then {others[0]}." if others else ".")
    able = [row for row in rows if row["skill_left_influential"] is not None]
    if not able:
        return f"No learner beats the commonest class; {end}"
    low, high = (way(able, key=lambda row: row["skill_left_influential"]) for way in (min, max))
    alike = max(able, key=lambda row: row["skill_left_features"])
    return (
        f"When the most influential units go first, {high['learner']} keeps most ({high['skill_left_influential']:.2f} of its "
        f"skill over all lesions) and {low['learner']} least ({low['skill_left_influential']:.2f}); where features go instead, "
        f"{alike['learner']} keeps most ({alike['skill_left_features']:.2f}); {end}"
    )


def scenes(found: "list[Measured]") -> "tuple[Scene, ...]":
    """Lesion curves of all learners, planners and crowds apart, in each order."""
    from catallax.core.scene import Scene, Series
    from catallax.ensembles.learners.table import SHARES

    sides = {"planner": "Planners", "crowd": "Crowds"}
    orders = {"influential": "most influential first", "random": "at random", "features": "features alone"}
    drawn = []
    for order, how in orders.items():
        for side, title in sides.items():
            some = [m for m in found if m.learner.side == side]
            lines = [Series(list(SHARES), m.skills(order).mean(axis=0), m.learner.name) for m in some]
            drawn += [Scene(f"{title}: skill left by share silenced, {how}", lines)] * bool(some)
    return tuple(drawn)


# --- what is written ---


def content(found: "list[Measured]", answer: "Answer") -> dict[str, Any]:
    """The part of the JSON object that is the table's own."""
    import hashlib
    import json

    from catallax.core.answer import plain

    learners = {row["learner"]: {k: v for k, v in row.items() if k != "learner"} for row in plain(records_of(found))}
    timed = ("seconds", "seconds_se")
    lasting = {name: {k: v for k, v in row.items() if k not in timed} for name, row in learners.items()}
    digest = hashlib.sha256(json.dumps(lasting, allow_nan=False).encode()).hexdigest()[:16]
    return dict(
        headline=answer.headline, notes=answer.notes, facts=answer.json()["facts"], digest=digest, learners=learners
    )


def records_of(found: "list[Measured]") -> list[dict[str, Any]]:
    """The records of all."""
    return [record(measured) for measured in found]


def write(found: "list[Measured]", answer: "Answer", out: Path) -> None:
    """The tables and the picture."""
    from catallax.cli import folders
    from catallax.core.answer import plain
    from catallax.view.scene import draw
    from catallax.view.style import save

    records = plain(records_of(found))
    columns = {name: [row[name] for row in records] for name in records[0] if name != "words"}
    for name in ("path", "hessian_change"):
        columns[f"{name}_word"] = [row["words"].get(name) for row in records]
    folders.write_table(columns, out / NAME)
    folders.write_table(curves(found), out / "lesions")
    for name, scene in zip(("planners", "crowds"), answer.scenes):
        save(draw(scene), out / f"lesions_{name}.png")


def curves(found: "list[Measured]") -> dict[str, list]:
    """Every point of every lesion curve, a row each."""
    from catallax.core.answer import plain
    from catallax.ensembles.learners.table import ORDERS, SHARES

    columns: dict[str, list] = {name: [] for name in ("learner", "order", "removed", "accuracy", "skill")}
    for measured in found:
        for order in ORDERS:
            points = zip(SHARES, measured.curves[order].mean(axis=0), measured.skills(order).mean(axis=0), strict=True)
            for share, accuracy, left in points:
                for name, value in zip(columns, (measured.learner.name, order, share, accuracy, left), strict=True):
                    columns[name].append(plain(value))
    return columns
