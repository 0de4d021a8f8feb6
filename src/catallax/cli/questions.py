"""The five questions as verbs: `catallax compare exchange [economy.csv] --seed 0 --out DIR --json`."""

import hashlib
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from catallax.cli import experts, learners, session, teaching
from catallax.cli.systems import draw, find, floats, load
from catallax.core.errors import BadInput

SystemName = Annotated[str, typer.Argument(help="which system; see `catallax list`")]
File = Annotated[Path | None, typer.Argument(help="its facts, a CSV file (default: the example shipped)")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**64 - 1, help="random bits are a hash of this, the round and the agent")
]
Seeds = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=10_000,
        help="how many problems like the given one, for the interval (default: 20; teaching, experts: 3)",
    ),
]
SEEDS, ROUNDS = 20, 60  # where nobody says how many, and the system is no school
Out = Annotated[Path | None, typer.Option(help="a folder for outcome.json, tables, pictures and report.html")]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on stdout")]


def compare(
    system: SystemName,
    file: File = None,
    seed: Seed = 0,
    draws: Annotated[
        int, typer.Option(min=0, max=100_000, help="instead: so many drawn problems, the worst named")
    ] = 0,
    target: Annotated[
        str | None, typer.Option(help="of learners, teaching, experts: the column that is forecast")
    ] = None,
    sequence: Annotated[
        str | None, typer.Option(help="of learners: the column that rows share which follow one another")
    ] = None,
    folds: Annotated[int | None, typer.Option(min=2, max=100, help="of learners (default: 5)")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=1000, help="of learners, teaching, experts (default: 3)")
    ] = None,
    count: Annotated[int | None, typer.Option("--experts", help="of experts: how many there are (default: 8)")] = None,
    k: Annotated[
        int | None, typer.Option("--k", help="of experts: to how many of them a row goes (default: 1)")
    ] = None,
    capacity: Annotated[
        float | None, typer.Option(help="of experts: what each can serve, in shares of a fair load (default: 1)")
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Who coordinates: silence, a signal, a planner, full information? Or `learners`: from the planner to the crowd; or
    `teaching`: one network under many signals; or `experts`: one network of experts under many routers.
    """
    of_learners = dict(target=target, sequence=sequence, folds=folds, seeds=seeds)
    of_experts = {n: v for n, v in dict(experts=count, k=k, capacity=capacity).items() if v is not None}
    if of_experts and system != experts.NAME:
        with session.ending():
            raise BadInput(f"--{next(iter(of_experts))} is of `catallax compare experts`: leave it out")
    if system == learners.NAME:
        with session.ending():
            if draws:
                raise BadInput("--draws draws problems of a system, and learners learn from a table: leave it out")
            folds, seeds = folds or learners.FOLDS, seeds or learners.SEEDS
            learners.answered(file, target, sequence, folds, seeds, seed, out, as_json)
        return
    if system == teaching.NAME:
        with session.ending():
            if draws or sequence is not None or folds is not None:
                raise BadInput("--draws, --sequence and --folds are not of `catallax compare teaching`: leave them out")
            code = teaching.compared(file, target, seeds or teaching.SEEDS, seed, out, as_json)
        raise typer.Exit(code)
    if system == experts.NAME:
        with session.ending():
            if draws or sequence is not None or folds is not None:
                raise BadInput("--draws, --sequence and --folds are not of `catallax compare experts`: leave them out")
            code = experts.compared(file, target, of_experts, seeds or experts.SEEDS, seed, out, as_json)
        raise typer.Exit(code)
    with session.ending():
        given = [name for name, value in of_learners.items() if value is not None]
        if given:
            raise BadInput(f"--{given[0]} is of `catallax compare learners`: leave it out")

    def ask(problem: Any, label: str, look: Callable) -> Any:
        from catallax import questions

        return questions.compare(problem, seed=seed, system=label)

    def ask_drawn(problem: Any, label: str, look: Callable) -> Any:
        from catallax import questions

        problems = [(f"draw {k}", draw(system, seed + k)) for k in range(draws)]
        return questions.sweep(problems, seed=seed, system=f"{draws:,} drawn problems of {system}", look=look)

    with session.ending():
        if draws and file is not None:
            raise BadInput(f"--draws draws problems of its own, so {file} would not be read: leave one of them out")
    options = {"draws": draws} if draws else {}
    answered("compare", system, file, seed, out, as_json, ask_drawn if draws else ask, **options)


def frontier(
    system: SystemName,
    file: File = None,
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """How much must be told: from silence, through a few bits, to the exact signal and full information."""
    if system == teaching.NAME:
        with session.ending():
            code = teaching.frontier(file, seeds or teaching.SEEDS, seed, out, as_json)
        raise typer.Exit(code)
    seeds = seeds or usual_seeds(system)

    def ask(problem: Any, label: str, look: Callable) -> Any:
        from catallax import questions

        narrow = find(system).narrow
        problem = problem if narrow is None else narrow(problem)
        return questions.frontier(problem, seed=seed, seeds=seeds, system=label, look=look)

    answered("frontier", system, file, seed, out, as_json, ask, seeds=seeds)


def lesion(
    system: SystemName,
    file: File = None,
    seed: Seed = 0,
    seeds: Seeds = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Is there a master: what remains when some are removed, at random or the most influential?"""
    seeds = seeds or usual_seeds(system)

    def ask(problem: Any, label: str, look: Callable) -> Any:
        from catallax import questions

        return questions.lesion(parts_of(system, problem), seed=seed, seeds=seeds, system=label, look=look)

    answered("lesion", system, file, seed, out, as_json, ask, seeds=seeds)


def shock(
    system: SystemName,
    file: File = None,
    seed: Seed = 0,
    size: Annotated[float, typer.Option(min=0, max=10, help="how much the facts change, a share")] = 0.5,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1, max=1_000_000, help=f"rounds to follow it (default: {ROUNDS}; teaching, experts: 5 epochs)"
        ),
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Does it reorganise when the world changes?"""

    def ask(problem: Any, label: str, look: Callable) -> Any:
        from catallax import questions

        long = rounds or (ROUNDS if find(system).school is None else 5 * problem.steps)
        return questions.shock(problem, seed=seed, size=size, rounds=long, system=label)

    answered("shock", system, file, seed, out, as_json, ask, size=size, rounds=rounds)


def replicate(
    system: SystemName,
    file: File = None,
    seed: Seed = 0,
    copies: Annotated[
        list[int] | None, typer.Option(min=1, max=10_000, help="copies of each agent, as often as wanted")
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Does influence vanish with numbers?"""
    counts = tuple(sorted(set(copies or (1, 2, 4, 8))))

    def ask(problem: Any, label: str, look: Callable) -> Any:
        from catallax import questions

        return questions.replicate(parts_of(system, problem), copies=counts, seed=seed, system=label, look=look)

    answered("replicate", system, file, seed, out, as_json, ask, copies=counts if copies else None)


# --- what all of them share ---


def usual_seeds(system: str) -> int:
    """How many there are where nobody says: few of what has to learn."""
    return SEEDS if find(system).school is None else teaching.SEEDS


def parts_of(system: str, problem: Any) -> Any:
    """A school as what can be taken away from it or added to it; any other problem as it is."""
    school = find(system).school
    return problem if school is None else school.parts(problem)


def answered(
    command: str,
    system: str,
    file: Path | None,
    seed: int,
    out: Path | None,
    as_json: bool,
    ask: Callable,
    **options: Any,
) -> None:
    """Loads the problem, asks, gives the answer, and ends with the code that follows from it."""
    with session.ending():
        session.prepare(floats(system))
        from catallax.cli import folders

        problem = load(system, file)
        folders.check(out)
        label = system if file is None else f"{system} ({file.name})"
        with session.Progress(command) as progress:
            answer = ask(problem, label, progress.look)
        result = session.head(command, system, file, seed) | content(answer)
        if out is not None:
            page = folders.save(answer, result, out, command_line(command, system, file, seed, options))
            session.say(f"report: {page}")
        give(answer, result, as_json)
        code = exit_code(answer)
        if code == session.UNSETTLED:
            session.say("catallax: not all of it came to rest: see the status column")
    raise typer.Exit(code)


def give(answer: Any, result: dict[str, Any], as_json: bool) -> None:
    """The answer on stdout: a table, or one JSON object."""
    if as_json:
        session.put_json(result)
        return
    from catallax.cli.shown import show

    show(answer)


def content(answer: Any) -> dict[str, Any]:
    """The part of the JSON object that is the question's own."""
    facts = answer.json()["facts"]
    body: dict[str, Any] = dict(headline=answer.headline, notes=answer.notes, facts=facts, digest=digest(answer))
    if answer.question == "compare":
        body["regimes"] = {row["regime"]: {k: v for k, v in row.items() if k != "regime"} for row in answer.records}
    else:
        body["rows"] = answer.records
    return body


def digest(answer: Any) -> str:
    """A hash of the rows, digests of final states among them, and not of the seconds that they took."""
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in answer.records]
    return hashlib.sha256(json.dumps(rows, allow_nan=False).encode()).hexdigest()[:16]


def exit_code(answer: Any) -> int:
    """`compare` is judged by signal and planner, a shock by the rest that it leads to, replication by every contest there is."""
    if answer.facts.get("interrupted"):
        return session.INTERRUPTED
    if answer.question == "shock":
        return session.OK if answer.facts.get("settled", True) else session.UNSETTLED
    if answer.question not in ("compare", "replicate"):
        return session.OK
    rows = [row for row in answer.rows if row.get("regime", "signal") in ("signal", "planner")]
    codes = [session.CODE.get(row["status"], session.FAILED) for row in rows if row["status"] != "refused"]
    return session.worst(codes) if codes or answer.question == "replicate" else session.FAILED


def command_line(command: str, system: str, file: Path | None, seed: int, options: dict[str, Any]) -> str:
    """The command that gives this answer again."""
    words = ["catallax", command, system, *([str(file)] if file else []), "--seed", str(seed)]
    for name, value in options.items():
        for one in value if isinstance(value, tuple) else [value]:
            words += [] if one is None else [f"--{name.replace('_', '-')}", str(one)]
    return shlex.join(words)
