"""`run` and `resume`: rounds of a system, with a checkpoint to go on from."""

import contextlib
import math
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from catallax.cli import session
from catallax.cli.questions import File, Json, Out, Seed, SystemName, command_line, give
from catallax.cli.systems import find, load
from catallax.core.errors import BadInput, CatallaxError, Damaged

ROUNDS, MOST = 1000, 2**31 - 1  # that are run where the user says neither rounds nor seconds; and where seconds alone
SPARSE = 100  # rounds between recorded ones where nobody knows how many there will be, and they are compiled: many
ROWS = 10_000  # recorded, at most, where the user does not say how often
CURVES, POINTS = 12, 600  # of a record that are drawn
Every = Annotated[
    int | None, typer.Option(min=1, help=f"record the signal every so many rounds (default: {ROWS:,} times at most)")
]
Seconds = Annotated[float | None, typer.Option(help="stop after so many seconds")]


def run(
    system: SystemName,
    file: File = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=MOST, help=f"at most so many rounds (default: {ROUNDS:,}, by seconds: any)")
    ] = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    bits: Annotated[int | None, typer.Option(min=1, max=32, help="bits of each public number (default: exact)")] = None,
    noise: Annotated[float, typer.Option(min=0, help="noise, a share of the signal's span")] = 0.0,
    delay: Annotated[int, typer.Option(min=0, max=10_000, help="rounds that the signal is under way")] = 0,
    loss: Annotated[float, typer.Option(min=0, max=0.999, help="chance that an agent hears nothing in a round")] = 0.0,
    leak: Annotated[float, typer.Option(min=0, max=1, help="believed share of the own effect on the signal")] = 0.0,
    activation: Annotated[str, typer.Option(help="synchronous, 'random order', or a share in (0, 1)")] = "synchronous",
    tolerance: Annotated[float, typer.Option(min=0, help="stop where the unrest falls to this (0: never)")] = 1e-9,
    every: Every = None,
    checkpoint: Annotated[Path | None, typer.Option(help="a folder to go on from: `catallax resume DIR`")] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Run a system's rounds."""
    with session.ending():
        find(system)
        session.prepare()
        from catallax.cli import folders
        from catallax.core.channel import Channel
        from catallax.core.run import check_seconds
        from catallax.core.run import run as go

        check_numbers(noise=noise, loss=loss, leak=leak, tolerance=tolerance)
        check_seconds(seconds)
        problem = load(system, file)
        society = problem.society(leak)
        folders.check(out)
        every = every or spacing(society, rounds, seconds)
        about = dict(system=system, file=None if file is None else str(file.resolve()), leak=leak, every=every)
        with annotated(checkpoint, about), session.Progress("seconds" if seconds else "rounds") as progress:
            outcome = go(
                society,
                rounds or (MOST if seconds else ROUNDS),
                seed,
                seconds=seconds,
                tolerance=tolerance or None,
                record=record(problem, society, every),
                channel=Channel(bits, noise, delay, loss),
                activation=share_or_name(activation),
                look=shown(progress, problem, seconds),
                checkpoint=checkpoint,
            )
        options = dict(rounds=rounds or (None if seconds else ROUNDS), seconds=seconds, bits=bits, noise=noise or None)
        options |= dict(delay=delay or None, loss=loss or None, leak=leak or None, tolerance=tolerance, every=every)
        options |= dict(activation=None if activation == "synchronous" else activation)
        again = command_line("run", system, file, seed, options)
        code = finish(session.head("run", system, file, seed), problem, outcome, out, as_json, again)
        if code == session.INTERRUPTED:
            on = f"; go on with `catallax resume {checkpoint}`" if checkpoint is not None else ""
            session.say(f"catallax: interrupted after round {outcome.rounds:,}{on}")
    raise typer.Exit(code)


def resume(
    folder: Annotated[Path, typer.Argument(help="the checkpoint's folder")],
    rounds: Annotated[int | None, typer.Option(min=1, help="stop there (default: where the run was to stop)")] = None,
    seconds: Seconds = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Go on from a checkpoint, bit for bit."""
    with session.ending():
        session.prepare()
        from catallax.cli import folders
        from catallax.core.checkpoint import describe_run
        from catallax.core.checkpoint import resume as go
        from catallax.core.run import check_seconds

        check_seconds(seconds)
        begun = describe_run(folder)
        system, file, leak, every = about_run(folder, begun["about"])
        problem = load(system, file)
        society = problem.society(leak)
        folders.check(out)
        limit = begun["seconds"] if seconds is None else begun["spent"] + seconds
        with session.Progress("seconds" if limit else "rounds") as progress:
            outcome = go(
                society,
                folder,
                rounds=rounds,
                seconds=seconds,
                record=record(problem, society, every),
                look=shown(progress, problem, limit),
            )
        again = shlex.join(["catallax", "resume", str(folder)])
        code = finish(session.head("resume", system, file, begun["seed"]), problem, outcome, out, as_json, again)
        if code == session.INTERRUPTED:
            session.say(f"catallax: interrupted after round {outcome.rounds:,}; go on with `catallax resume {folder}`")
    raise typer.Exit(code)


def spacing(society: Any, rounds: int | None, seconds: float | None) -> int:
    """Every how many rounds to record, where the user does not say."""
    from catallax.core.society import HostSociety

    if rounds is None and seconds is not None:
        return 1 if isinstance(society, HostSociety) else SPARSE
    return math.ceil((rounds or ROUNDS) / ROWS)


def shown(progress: session.Progress, problem: Any, seconds: float | None) -> Callable[[Any], None]:
    """A look that shows how far a run is, in rounds, or in seconds where they end it; and what the problem watches."""
    from catallax.core.answer import text

    watched = list(problem.watch())

    def look(frame: Any) -> None:
        known = [name for name in watched if name in frame.values]  # none before the first row after a checkpoint
        words = ", ".join(f"{name.replace('_', ' ')} {text(frame.values[name])}" for name in known)
        far = (frame.round, frame.rounds) if seconds is None else (int(frame.seconds), math.ceil(seconds))
        progress.look(*far, words)

    return look


def check_numbers(**values: float) -> None:
    """Options that bounds let through: what is no number is below and above nothing."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise BadInput(f"--{name} is {value}: give a finite number")


@contextlib.contextmanager
def annotated(checkpoint: Path | None, about: dict[str, Any]) -> Iterator[None]:
    """Says in the checkpoint's folder what it is of, before the first round; a run that is refused leaves no folder."""
    if checkpoint is None:
        yield
        return
    from catallax.cli.folders import missing
    from catallax.core.checkpoint import annotate

    if (checkpoint / "state.npz").exists() and not (checkpoint / "about.json").exists():
        raise BadInput(f"{checkpoint} holds a run that was not begun by `catallax run`: give another folder")
    new = missing(checkpoint)
    try:
        annotate(checkpoint, about)
        yield
    except CatallaxError:
        if new:
            shutil.rmtree(new[-1], ignore_errors=True)
        raise


def about_run(folder: Path, about: Any) -> tuple[str, Path | None, float, int]:
    """What `run` left: system, file, leak, every. Raises `Damaged` where it was not `run`."""
    try:
        file = about["file"]
        return str(about["system"]), None if file is None else Path(file), float(about["leak"]), int(about["every"])
    except (KeyError, TypeError, ValueError):
        raise Damaged(
            f"{folder} does not say what system it is of, so it was not begun by `catallax run`: go on with "
            "catallax.resume in Python"
        ) from None


def record(problem: Any, society: Any, every: int) -> Any:
    """What the problem watches; or else the public signal as it moves, a column of rows for each of its arrays."""
    import jax

    from catallax.core.record import Record

    if watched := problem.watch():
        return Record(every=every, folder=None, **watched)
    word = problem.words().get("signal", "signal").replace(" ", "_")
    count = len(jax.tree.leaves(society.signal.public()))
    names = [word] if count == 1 else [f"{word}{k}" for k in range(count)]
    leaves: dict[str, Any] = {n: lambda s, k=k: jax.tree.leaves(s.signal.public())[k] for k, n in enumerate(names)}
    return Record(every=every, folder=None, **leaves)


def share_or_name(text: str) -> str | float:
    """An activation: a number where it is one."""
    try:
        return float(text)
    except ValueError:
        return text


def finish(head: dict[str, Any], problem: Any, outcome: Any, out: Path | None, as_json: bool, reproduce: str) -> int:
    """Prints and writes what a run came to; its exit code."""
    import dataclasses

    from catallax.cli import folders
    from catallax.core.scene import Bars

    whole = dataclasses.replace(outcome, values=problem.outcome(outcome.society, outcome.heard).values)
    scene = problem.scene(outcome.society)
    bars = next((item for item in scene.items if isinstance(item, Bars)), None)
    public = {} if bars is None else {bars.name: dict(zip(bars.labels, bars.values.tolist(), strict=True))}
    row = dict(status=str(outcome.status), rounds=outcome.rounds, unrest=outcome.unrest, **problem.welfare(whole))
    columns = record_columns(outcome.record, bars.labels if bars else ())
    answer = answer_of(head, problem, outcome, row, scene, columns)
    result = head | row | dict(sentence=outcome.status.sentence, notes=answer.notes, **public, digest=outcome.digest())
    if out is not None:
        with folders.made(out):
            write_run(columns, scene, out)
            write = find(head["system"]).write
            if write is not None:
                write(problem, whole, out)
            page = folders.save(answer, result, out, reproduce)
        session.say(f"report: {page}")
    give(answer, result, as_json)
    return session.CODE.get(str(outcome.status), session.FAILED)


def answer_of(head: dict, problem: Any, outcome: Any, row: dict, scene: Any, columns: dict[str, list]) -> Any:
    """A run as an answer: one row, what is left of the signal, and its way there as pictures."""
    from catallax.core.answer import Answer, text
    from catallax.core.scene import Bars, Scene, Series

    name, reached = problem.headline, text(row[problem.headline])
    headline = f"After {outcome.rounds:,} rounds: {outcome.status.sentence}; {name.replace('_', ' ')} {reached}."
    levels = [item for item in scene.items if isinstance(item, Bars)][:1]
    notes = [
        f"{b.name}: {', '.join(f'{n} {text(float(v))}' for n, v in zip(b.labels, b.values, strict=True))}"
        for b in levels
    ]
    rounds = columns.get("round", [])
    some = slice(None, None, max(1, len(rounds) // POINTS))
    curves = [Series(rounds[some], columns[n][some], n) for n in columns if n not in ("round", "unrest")][:CURVES]
    if problem.watch():  # numbers of unlike size
        way = tuple(Scene(f"{curve.name.replace('_', ' ')}, round by round", (curve,)) for curve in curves)
    else:
        way = (Scene("The signal, round by round", curves),) if curves else ()
    facts = problem.words() | {"seed": head["seed"], "digest": outcome.digest()}
    label = head["system"] if head["file"] is None else f"{head['system']} ({Path(head['file']).name})"
    return Answer("run", label, [row], headline, [*notes, *outcome.notes], facts, (*way, scene))


def record_columns(rows: dict[str, Any] | None, labels: tuple[str, ...]) -> dict[str, list]:
    """A record as columns of plain numbers, named by labels where they fit: price.grain."""
    import numpy as np

    from catallax.core.answer import plain

    columns: dict[str, list] = {}
    for name, values in (rows or {}).items():
        flat = np.asarray(values).reshape(len(values), -1)
        wide = flat.shape[1]
        names = [name] if wide == 1 else [f"{name}.{k}" for k in (labels if wide == len(labels) else range(wide))]
        columns |= {n: plain(flat[:, k]) for k, n in enumerate(names)}
    return columns


def write_run(columns: dict[str, list], scene: Any, out: Path) -> None:
    """The record as a table, and the scene as a picture."""
    from catallax.cli import folders
    from catallax.view.scene import draw
    from catallax.view.style import save

    if columns:
        folders.write_table(columns, out / "record")
    save(draw(scene), out / "scene.png")
