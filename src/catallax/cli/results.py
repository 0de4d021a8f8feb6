"""What a run came to: one row, its way there as curves, the signal's or the search's picture; printed, and written."""

from pathlib import Path
from typing import Any, NamedTuple

from catallax.cli import session
from catallax.cli.questions import give
from catallax.cli.systems import find

ROWS = 10_000  # recorded, at most, where the user does not say how often
CURVES, POINTS = 12, 600  # of a record that are drawn


class Found(NamedTuple):
    """What `finish` is told of a search: the `optimum` where it is known, the `seconds` it took, and whether its record may
    be `thinned`.
    """

    optimum: float | None = None
    seconds: float = 0.0
    thinned: bool = False


def finish(
    head: dict[str, Any],
    problem: Any,
    outcome: Any,
    out: Path | None,
    as_json: bool,
    reproduce: str,
    found: Found = Found(),
) -> int:
    """Prints and writes what a run came to; its exit code."""
    import dataclasses

    from catallax.cli import folders
    from catallax.core.scene import Bars

    whole = dataclasses.replace(outcome, values=problem.outcome(outcome.society, outcome.heard).values)
    scene = problem.scene(outcome.society)
    bars = next((item for item in scene.items if isinstance(item, Bars)), None)
    public = {} if bars is None else {bars.name: dict(zip(bars.labels, bars.values.tolist(), strict=True))}
    system = find(head["system"])
    row = dict(status=str(outcome.status), rounds=outcome.rounds, unrest=outcome.unrest, **problem.welfare(whole))
    columns = record_columns(outcome.record, bars.labels if bars else ())
    if found.thinned:
        columns = thinned(columns)
    answer = answer_of(head, problem, outcome, row, scene, columns)
    if system.search is not None:
        headline, entries, notes = system.search.judged(whole, found.optimum)
        row = {name: value for name, value in row.items() if name != "gap"}  # among the entries, by its full name
        row |= entries | dict(seconds=found.seconds)
        answer = dataclasses.replace(answer, rows=[row], headline=headline, notes=[*notes, *answer.notes])
    result = (
        head
        | row
        | dict(
            headline=answer.headline,
            sentence=outcome.status.sentence,
            notes=answer.notes,
            **public,
            digest=outcome.digest(),
        )
    )
    if out is not None:
        with folders.made(out):
            write_run(columns, scene, out)
            if system.search is not None or system.school is not None:
                draw_curves(ways(columns), out)
            if system.write is not None:
                system.write(problem, whole, head["system"] if head["file"] is None else Path(head["file"]).stem, out)
            page = folders.save(answer, result, out, reproduce)
        session.say(f"report: {page}")
    give(answer, result, as_json)
    return session.CODE.get(str(outcome.status), session.FAILED)


def answer_of(head: dict, problem: Any, outcome: Any, row: dict, scene: Any, columns: dict[str, list]) -> Any:
    """A run as an answer: one row, what is left of the signal, and its way there as pictures."""
    from catallax.core.answer import Answer, text
    from catallax.core.scene import Bars, Scene

    name, reached = problem.headline, text(row[problem.headline])
    headline = f"After {outcome.rounds:,} rounds: {outcome.status.sentence}; {name.replace('_', ' ')} {reached}."
    levels = [item for item in scene.items if isinstance(item, Bars)][:1]
    notes = [
        f"{b.name}: {', '.join(f'{n} {text(float(v))}' for n, v in zip(b.labels, b.values, strict=True))}"
        for b in levels
    ]
    if problem.watch():
        way = tuple(ways(columns).values())
    else:
        curves = curves_of(columns)[:CURVES]
        way = (Scene("The signal, round by round", curves),) if curves else ()
    facts = problem.words() | {"seed": head["seed"], "digest": outcome.digest()}
    label = head["system"] if head["file"] is None else f"{head['system']} ({Path(head['file']).name})"
    return Answer("run", label, [row], headline, [*notes, *outcome.notes], facts, (*way, scene))


def curves_of(columns: dict[str, list]) -> list:
    """A record's columns as curves over its rounds, or over the seconds of a search."""
    from catallax.core.scene import Series

    time = columns.get("seconds" if "seconds" in columns else "round", [])
    some = spread(len(time), POINTS)
    return [
        Series([time[k] for k in some], [columns[n][k] for k in some], n)
        for n in columns
        if n not in ("round", "unrest", "seconds")
    ]


def ways(columns: dict[str, list]) -> dict[str, Any]:
    """What was watched, a picture each, by name: numbers of unlike size; those of one value (price.0, price.1) share one."""
    from catallax.core.scene import Scene, Series

    by, together = "over the seconds of search" if "seconds" in columns else "round by round", {}
    for curve in curves_of(columns):
        name, _, part = curve.name.partition(".")
        together.setdefault(name, []).append(Series(curve.x, curve.y, part or name))
    return {
        name: Scene(f"{name.replace('_', ' ').capitalize()}, {by}", curves[:CURVES])
        for name, curves in together.items()
    }


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


def spread(count: int, most: int) -> list[int]:
    """At most so many of `count` places, at about equal distances, the first and the last among them."""
    return list(range(count)) if count <= most else [round(k * (count - 1) / (most - 1)) for k in range(most)]


def thinned(columns: dict[str, list]) -> dict[str, list]:
    """At most `ROWS` rows of a record."""
    kept = spread(max(map(len, columns.values()), default=0), ROWS)
    return {name: [values[k] for k in kept] for name, values in columns.items()}


def write_run(columns: dict[str, list], scene: Any, out: Path) -> None:
    """The record as a table, and the scene as a picture."""
    from catallax.cli import folders
    from catallax.view.scene import draw
    from catallax.view.style import save

    if columns:
        folders.write_table(columns, out / "record")
    save(draw(scene), out / "scene.png")


def draw_curves(scenes: dict[str, Any], out: Path) -> None:
    """What a record tells over rounds or seconds, a picture each, by name."""
    from catallax.view.scene import draw
    from catallax.view.style import save

    for name, scene in scenes.items():
        save(draw(scene), out / f"{name}.png")
