"""`run` and `resume`: rounds of a system, with a checkpoint to go on from."""

import contextlib
import math
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from catallax.cli import session
from catallax.cli.questions import File, Json, Out, Seed, SystemName, command_line
from catallax.cli.results import ROWS, Found, finish
from catallax.cli.systems import School, Search, find, floats, load
from catallax.core.errors import BadInput, CatallaxError, Damaged

ROUNDS, MOST = 1000, 2**31 - 1  # that are run where the user says neither rounds nor seconds; and where seconds alone
SPARSE = 100  # rounds between recorded ones where nobody knows how many there will be, and they are compiled: many
Every = Annotated[
    int | None, typer.Option(min=1, help=f"record the signal every so many rounds (default: {ROWS:,} times at most)")
]
Seconds = Annotated[float | None, typer.Option(help="stop after so many seconds (a search: default 5, if no rounds)")]
REST = 1e-9  # unrest at which a run stops; a search never rests


def run(
    system: SystemName,
    file: File = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=MOST, help=f"at most so many rounds (default: {ROUNDS:,}, by seconds: any)")
    ] = None,
    seconds: Seconds = None,
    seed: Seed = 0,
    signal: Annotated[
        str | None,
        typer.Option(
            help="of teaching: what reaches each layer (default: backpropagation); of experts: the router (dual)"
        ),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option(min=1, max=32, help="bits of each public number, or of those told to a layer (default: exact)"),
    ] = None,
    noise: Annotated[float, typer.Option(min=0, help="noise, a share of the signal's span")] = 0.0,
    delay: Annotated[int, typer.Option(min=0, max=10_000, help="rounds that the signal is under way")] = 0,
    loss: Annotated[float, typer.Option(min=0, max=0.999, help="chance that an agent hears nothing in a round")] = 0.0,
    leak: Annotated[float, typer.Option(min=0, max=1, help="believed share of the own effect on the signal")] = 0.0,
    activation: Annotated[str, typer.Option(help="synchronous, 'random order', or a share in (0, 1)")] = "synchronous",
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, help=f"stop where the unrest falls to this (0: never; default {REST:g}, a search: 0)"),
    ] = None,
    optimum: Annotated[float | None, typer.Option(help="the least length there is, to be compared with")] = None,
    every: Every = None,
    checkpoint: Annotated[Path | None, typer.Option(help="a folder to go on from: `catallax resume DIR`")] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Run a system's rounds."""
    with session.ending():
        search, school = find(system).search, find(system).school
        check_optimum(system, optimum)
        if signal is not None and school is None:
            raise BadInput(
                f"--signal is of `catallax run teaching` and `run experts`, and {system} has one signal: leave it out"
            )
        if search is not None:
            seconds = search.seconds if rounds is None and seconds is None else seconds
        if tolerance is None:
            tolerance = REST if search is None and school is None else 0.0
        with session.loading():
            session.prepare(floats(system))
            from catallax.cli import folders
            from catallax.core.channel import Channel
            from catallax.core.run import check_seconds
            from catallax.core.run import run as go

            check_numbers(noise=noise, loss=loss, leak=leak, tolerance=tolerance)
            check_seconds(seconds)
            problem = told(load(system, file), school, signal)
            society = problem.society(leak)
            folders.check(out)
        thinned = every is None
        if school is not None:
            rounds = rounds or (None if seconds else problem.patience)
            every = every or problem.steps
        elif find(system).ends:
            rounds = rounds or (None if seconds else problem.patience)
        every = every or spacing(society, rounds, seconds)
        about = dict(system=system, file=None if file is None else str(file.resolve()), leak=leak, every=every)
        about |= {} if optimum is None else dict(optimum=optimum)
        about |= {} if signal is None else dict(signal=signal)
        clock = Clock()
        if search is not None and seconds is None:  # with seconds the core does so
            society.ready()
        with annotated(checkpoint, about), session.Progress("seconds" if seconds else "rounds") as progress:
            outcome = go(
                society,
                rounds or (MOST if seconds else ROUNDS),
                seed,
                seconds=seconds,
                tolerance=tolerance or None,
                record=record(problem, society, every, clock if search else None),
                channel=Channel(bits, noise, delay, loss),
                activation=share_or_name(activation),
                look=shown(progress, problem, seconds, search),
                checkpoint=checkpoint,
            )
        options = dict(rounds=rounds or (None if seconds else ROUNDS), seconds=seconds, bits=bits, noise=noise or None)
        options |= dict(delay=delay or None, loss=loss or None, leak=leak or None, tolerance=tolerance, every=every)
        options |= dict(activation=None if activation == "synchronous" else activation, optimum=optimum, signal=signal)
        again = command_line("run", system, file, seed, options)
        head = session.head("run", system, file, seed)
        code = finish(head, problem, outcome, out, as_json, again, Found(optimum, clock.last, thinned))
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
        with session.loading():
            from catallax.core.checkpoint import describe_run

            begun = describe_run(folder)
            system, file, leak, every, signal = about_run(folder, begun["about"])
            session.prepare(floats(system))
            from catallax.cli import folders
            from catallax.core.checkpoint import resume as go
            from catallax.core.run import check_seconds

            check_seconds(seconds)
            search, clock = find(system).search, Clock(begun["spent"])
            problem = told(load(system, file), find(system).school, signal)
            society = problem.society(leak)
            folders.check(out)
        limit = begun["seconds"] if seconds is None else begun["spent"] + seconds
        with session.Progress("seconds" if limit else "rounds") as progress:
            outcome = go(
                society,
                folder,
                rounds=rounds,
                seconds=seconds,
                record=record(problem, society, every, clock if search else None),
                look=shown(progress, problem, limit, search),
            )
        again = shlex.join(["catallax", "resume", str(folder)])
        head, found = (
            session.head("resume", system, file, begun["seed"]),
            Found(begun["about"].get("optimum"), clock.last),
        )
        code = finish(head, problem, outcome, out, as_json, again, found)
        if code == session.INTERRUPTED:
            session.say(f"catallax: interrupted after round {outcome.rounds:,}; go on with `catallax resume {folder}`")
    raise typer.Exit(code)


def told(problem: Any, school: School | None, signal: str | None) -> Any:
    """The problem under the signal of that name."""
    return problem if school is None or signal is None else school.told(problem, signal)


def spacing(society: Any, rounds: int | None, seconds: float | None) -> int:
    """Every how many rounds to record, where the user does not say."""
    from catallax.core.society import HostSociety

    if rounds is None and seconds is not None:
        return 1 if isinstance(society, HostSociety) else SPARSE
    return math.ceil((rounds or ROUNDS) / ROWS)


class Clock:
    """Seconds since it was first looked at, and those `spent` before: a column of a search's record."""

    def __init__(self, spent: float = 0.0):
        self.spent, self.began, self.last = spent, None, spent

    def __call__(self, society: Any = None) -> float:
        now = time.perf_counter()
        self.began = now if self.began is None else self.began
        self.last = self.spent + now - self.began
        return self.last


def check_optimum(system: str, optimum: float | None) -> None:
    """A length, for a system that has one. Raises `BadInput`."""
    if optimum is None:
        return
    if find(system).search is None:
        raise BadInput(f"--optimum is for searches, and {system} is none: leave it out")
    if not 0 < optimum < math.inf:
        raise BadInput(f"--optimum is {optimum:g}: give the least length there is, a positive number")


def shown(
    progress: session.Progress, problem: Any, seconds: float | None, search: Search | None = None
) -> Callable[[Any], None]:
    """A look that shows how far a run is, in rounds, or in seconds where they end it; and what the problem watches."""
    import numpy as np

    from catallax.core.answer import text

    watched = list(problem.watch())  # numbers: a row of them would be too long to be shown
    said = None if search is None else search.words(problem)

    def look(frame: Any) -> None:
        known = [
            n for n in watched if n in frame.values and not np.ndim(frame.values[n])
        ]  # none yet after a checkpoint
        words = ", ".join(f"{name.replace('_', ' ')} {text(frame.values[name])}" for name in known)
        words = said(frame.values) if said is not None and known else words
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


def about_run(folder: Path, about: Any) -> tuple[str, Path | None, float, int, str | None]:
    """What `run` left: system, file, leak, every, signal. Raises `Damaged` where it was not `run`."""
    try:
        file = about["file"]
        path, numbers = None if file is None else Path(file), (float(about["leak"]), int(about["every"]))
        return str(about["system"]), path, *numbers, about.get("signal")
    except (KeyError, TypeError, ValueError):
        raise Damaged(
            f"{folder} does not say what system it is of, so it was not begun by `catallax run`: go on with "
            "catallax.resume in Python"
        ) from None


def record(problem: Any, society: Any, every: int, clock: Clock | None = None) -> Any:
    """What the problem watches; or else the public signal as it moves, a column of rows for each of its arrays.

    With a `clock` the record tells the seconds, too.
    """
    import jax

    from catallax.core.record import Record

    if watched := problem.watch():
        return Record(every=every, folder=None, **watched, **({} if clock is None else dict(seconds=clock)))
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
