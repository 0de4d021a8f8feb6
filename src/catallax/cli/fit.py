"""`catallax fit table.csv --target y`: a market of models that forecasts a column, and what it is worth beside its members.

`--out` writes model.skops (or model.joblib), predictions.csv (`row,target,forecast,probability:<class>...`, or
`row,target,forecast,deviation,low,high`), members.csv (`member,influence,log_loss...`), and what every command writes:
outcome.json and report.html. Forecasts are of rows that nobody had learnt from; where a row has no target, the model's.
"""

import hashlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catallax.cli import session
from catallax.cli.questions import Json, give

if TYPE_CHECKING:
    from catallax.cli.fitted import Data, Settings
    from catallax.cli.scored import Scored
    from catallax.core.answer import Answer
    from catallax.io.frames import Frame

RECEIPTS = 3  # rows whose receipt is told
WARNINGS = 3  # of members that are told
Notes = list[str]


def fit(
    file: Annotated[
        Path | None, typer.Argument(help="a table: .csv, .csv.gz, .parquet (default: scikit-learn's wine)")
    ] = None,
    target: Annotated[str | None, typer.Option(help="the column to forecast")] = None,
    members: Annotated[
        str | None,
        typer.Option(
            help="with commas between: forest, extra_trees, boosting, neighbours; of classes also logistic, discriminant, "
            "bayes; of numbers ridge, machine"
        ),
    ] = None,
    market: Annotated[
        str,
        typer.Option(
            help="auto; of classes: cara, kelly, fractional, em, isoelastic; of numbers: gaussian, quantile, em, kelly"
        ),
    ] = "auto",
    max_influence: Annotated[float | None, typer.Option(help="no member's share of the price may be larger")] = None,
    folds: Annotated[int, typer.Option(help="out of which members offer")] = 5,
    task: Annotated[
        str, typer.Option(help="classes or numbers; auto: classes, unless the target holds numbers that are not whole")
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="of the members")] = 0,
    out: Annotated[Path | None, typer.Option(help="a folder for model, predictions, members, report.html")] = None,
    as_json: Json = False,
) -> None:
    """Fit a market of models to a table: does it forecast better than its best member, a vote, stacking?"""
    with session.ending():
        from catallax.cli import fitted, folders
        from catallax.io.frames import read_frame

        frame = fitted.example() if file is None else read_frame(file)
        data = fitted.split(frame, "grower" if file is None and target is None else target, task)
        settings = fitted.Settings(members, market, max_influence, folds, seed)
        columns, notes = fitted.numbered(data, frame)
        traders = fitted.market(data.task, settings)
        folders.check(out)
        with session.Progress("fitting") as progress:
            model, X, said = fitted.fit(columns, traders, data, progress.look)
        scored = score(model[-1], X, data)
        answer = answer_of(scored, data, frame, settings, [*frame.doubts, *notes, *said[:WARNINGS]])
        result = content(scored, answer, file, settings)
        if out is not None:
            with folders.made(out):
                result["model"] = write(model, scored, data, answer, out)
                page = folders.save(answer, result, out, command_line(file, target, settings, task))
            session.say(f"report: {page}")
        give(answer, result, as_json)


def score(market: Any, X: Any, data: "Data") -> "Scored":
    """All forecasters, progress on stderr."""
    from catallax.cli import scored

    kind = scored.Classes if data.task == "classes" else scored.Numbers
    with session.Progress("scoring") as progress:
        return kind(market, X, progress.look)


# --- what is said of it ---


def answer_of(scored: "Scored", data: "Data", frame: "Frame", settings: "Settings", notes: Notes) -> "Answer":
    """A row for each forecaster, the finding, the notes and the pictures."""
    from catallax.core.answer import Answer

    influence = scored.market.influence_
    receipts = [f"row {data.known[k] + 1}: {text}" for k, text in enumerate(scored.receipts(RECEIPTS))]
    facts: dict[str, Any] = dict(target=data.target, task=data.task, rows=len(data.y), features=data.features)
    if data.task == "classes":
        facts["classes"] = scored.market.classes_.tolist()
    facts |= dict(market=settings.market, folds=settings.folds, seed=settings.seed)
    facts |= dict(effective_members=influence.effective_members, influence=influence.shares)
    if settings.max_influence is not None:
        cost, error = cap_cost(scored)
        facts |= dict(max_influence=settings.max_influence, cap_cost=cost, cap_cost_error=error)
    notes = [*how(scored, data), *whose(scored, settings), *receipts, *unknown_note(data), *notes]
    scenes = (scored.bars(), scored.calibration(), scored.market.scene("wealth"), scored.drawn(0))
    return Answer("fit", frame.path, scored.rows(), headline(scored), notes, facts, scenes)


def headline(scored: "Scored") -> str:
    """The finding, one sentence; and who is better, if anyone is."""
    from catallax.cli.scored import MARKET, STACKING, VOTE

    loss = {name: float(found.loss.mean()) for name, found in scored.forecasters.items()}
    best = min(scored.names, key=lambda name: loss[name])
    said = (
        f"The market's out-of-fold log-loss is {loss[MARKET]:.4f}, best member {best} {loss[best]:.4f}, soft vote "
        f"{loss[VOTE]:.4f}, stacking {loss[STACKING]:.4f}"
    )
    first = min((best, VOTE, STACKING), key=lambda name: loss[name])
    if loss[first] >= loss[MARKET]:
        return f"{said}."
    above, error = scored.difference(first)
    return f"{said}: the market is not the best, {first} is better by {-above:.4f} +- {error:.4f}."


def how(scored: "Scored", data: "Data") -> Notes:
    """How the figures came about."""
    count = len(scored.parts)
    wide = (
        f"probabilities that members offer are at least {scored.market.floor:g}"
        if data.task == "classes"
        else "losses are minus log densities; vote and stacking, which name none, get one as wide as their errors"
    )
    return [
        f"everyone is scored on the members' same out-of-fold offers; combiners learn on {count - 1} of {count} parts "
        "of them and are scored on the last; the best member is named in hindsight",
        f"{wide}; +- is one standard error over {len(data.y):,} rows",
    ]


def whose(scored: "Scored", settings: "Settings") -> Notes:
    """Whose market it is, and what a cap costs."""
    influence = scored.market.influence_
    shares = ", ".join(
        f"{name} {share:.0%}" for name, share in sorted(influence.shares.items(), key=lambda pair: -pair[1])
    )
    notes = [f"influence: {shares}; worth {influence.effective_members:.1f} members of equal influence"]
    if settings.max_influence is not None:
        cost, error = cap_cost(scored)
        notes.append(
            f"that nobody may have more than {settings.max_influence:.0%} costs {cost:+.4f} +- {error:.4f} nats a row"
        )
    return notes


def cap_cost(scored: "Scored") -> tuple[float, float]:
    """What the cap adds to the log-loss, on rows not learnt from, and the standard error of that."""
    from catallax.cli.scored import UNCAPPED

    above, error = scored.difference(UNCAPPED)
    return -above, error


def unknown_note(data: "Data") -> Notes:
    """A sentence where the target is not known."""
    if not len(data.unknown):
        return []
    return [
        f"{len(data.unknown):,} rows without a target were not learnt from; --out writes the forecasts that the model makes of them"
    ]


# --- what is written ---


def content(scored: "Scored", answer: "Answer", file: Path | None, settings: "Settings") -> dict[str, Any]:
    """The JSON object."""
    from importlib.metadata import version

    return dict(
        schema=session.SCHEMA,
        command="fit",
        file=None if file is None else str(file),
        versions=session.versions() | {"scikit-learn": version("scikit-learn")},
        headline=answer.headline,
        **answer.facts,
        scores={row["forecaster"]: {k: v for k, v in row.items() if k != "forecaster"} for row in answer.rows},
        receipts=scored.receipts(RECEIPTS),
        notes=answer.notes,
        digest=digest(scored),
    )


def digest(scored: "Scored") -> str:
    """A hash of the market's forecasts and of everyone's losses."""
    import numpy as np

    found = hashlib.sha256(np.ascontiguousarray(scored.price, "<f8").tobytes())
    for name, forecaster in scored.forecasters.items():
        found.update(name.encode() + np.ascontiguousarray(forecaster.loss, "<f8").tobytes())
    return found.hexdigest()[:16]


def write(model: Any, scored: "Scored", data: "Data", answer: "Answer", out: Path) -> dict[str, Any]:
    """Model, predictions, members; what is to be known of the model's file."""
    from catallax.cli import fitted
    from catallax.io.writing import write_table

    path = fitted.save(model, out, session.say)
    write_table(out / "predictions.csv", predictions(model, scored, data))
    rows = [row for row in answer.rows if row["forecaster"] in scored.names]
    names = ("influence", "log_loss", *scored.forecasters[scored.names[0]].row)
    columns = {name: [row[name] for row in rows] for name in names}
    write_table(out / "members.csv", {"member": [row["forecaster"] for row in rows], **columns})
    about: dict[str, Any] = dict(file=path.name, columns=data.features)
    if path.suffix == ".skops":
        import skops.io

        about["types"] = skops.io.get_untrusted_types(file=path)
    return about


def predictions(model: Any, scored: "Scored", data: "Data") -> dict[str, Any]:
    """Columns: forecasts of rows that nobody had learnt from, and of rows without a target."""
    import numpy as np

    from catallax.cli.scored import summary

    order = np.argsort(np.concatenate([data.known, data.unknown]))
    columns: dict[str, Any] = dict(row=np.sort(np.concatenate([data.known, data.unknown])) + 1)
    columns["target"] = np.array([*map(str, data.y.tolist()), *[""] * len(data.unknown)])[order]
    price: Any = scored.price
    if data.task == "classes":
        price = np.concatenate([price, *([model.predict_proba(data.open)] if len(data.open) else [])])[order]
        classes = scored.market.classes_
        columns["forecast"] = classes[price.argmax(1)]
        return columns | {f"probability:{name}": p for name, p in zip(classes.tolist(), price.T, strict=True)}
    if len(data.open):
        price = np.concatenate([price, summary(model[-1].predict_density(model[:-1].transform(data.open)))])
    return columns | dict(zip(("forecast", "deviation", "low", "high"), price[order].T, strict=True))


def command_line(file: Path | None, target: str | None, settings: "Settings", task: str) -> str:
    """The command that gives this answer again."""
    words = ["catallax", "fit", *([] if file is None else [str(file)])]
    given = dict(target=target) | settings._asdict() | dict(task=task)
    usual = dict(type(settings)._field_defaults, target=None, task="auto")
    for name, value in given.items():
        words += [] if value == usual[name] else [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
