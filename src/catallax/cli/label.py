"""`catallax label votes.csv`: what each task's label is, with which probability, and which workers can be trusted.

`--out` writes labels.csv (`task,label,probability,votes,majority`, and a probability for each class where they are few),
workers.csv (`worker,votes,abstentions,reliability,information`), confusion.csv (`worker,truth,vote,chance`), and what every
command writes: outcome.json and report.html. Of numbers: labels.csv (`task,label,deviation,votes`) and workers.csv
(`worker,votes,abstentions,bias,deviation`).
"""

import hashlib
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catallax.cli import session
from catallax.cli.questions import Json, give
from catallax.core.errors import BadInput

if TYPE_CHECKING:
    from catallax.collective.crowd_labels import CrowdLabels
    from catallax.core.answer import Answer
    from catallax.core.scene import Scene
    from catallax.io.votes import Votes

WORKERS = 20  # shown: those with the most votes
CLASSES = 12  # up to which every class has a column
CELLS = 1_000_000  # of confusion matrices that are written
SURE = 0.9


def label(
    file: Annotated[Path, typer.Argument(help="votes, a CSV file: task,worker,label[,weight]")],
    gold: Annotated[Path | None, typer.Option(help="a CSV file of known labels, which are kept: task,label")] = None,
    check: Annotated[
        Path | None, typer.Option(help="a CSV file of known labels, which are not used: how many are met")
    ] = None,
    method: Annotated[
        str, typer.Option(help="dawid-skene, one-coin, majority; of numbers: gaussian, student-t")
    ] = "dawid-skene",
    abstain: Annotated[str | None, typer.Option(help="the label that says nothing")] = None,
    smoothing: Annotated[float, typer.Option(help="pseudo-votes, so that one vote makes nobody infallible")] = 2.0,
    tolerance: Annotated[float, typer.Option(help="the change in one more round that counts as settled")] = 1e-4,
    max_rounds: Annotated[int, typer.Option(min=1, help="of the search")] = 1000,
    out: Annotated[Path | None, typer.Option(help="a folder for labels, workers, outcome.json, report.html")] = None,
    as_json: Json = False,
) -> None:
    """Find labels and reliabilities in the votes of a crowd: who is right, and who can be trusted?"""
    with session.ending():
        from catallax.cli import folders
        from catallax.collective import CrowdLabels
        from catallax.io.votes import read_gold, read_votes

        votes = read_votes(file)
        known = None if gold is None else read_gold(gold)
        truth = {} if check is None else read_gold(check)
        folders.check(out)
        options: dict[str, Any] = dict(
            method=method, abstain=abstain, smoothing=smoothing, tolerance=tolerance, max_rounds=max_rounds
        )
        crowd = fitted(CrowdLabels(**options), votes, known)
        answer = answer_of(crowd, votes, truth, known or {}, file)
        result = content(crowd, answer, file)
        if out is not None:
            with folders.made(out):
                write(crowd, votes, out)
                again = command_line(file, dict(gold=gold, check=check) | options)
                page = folders.save(answer, result, out, again)
            session.say(f"report: {page}")
        give(answer, result, as_json)
        code = session.CODE[crowd.status_]
        if code != session.OK:
            session.say(f"catallax: {crowd.status_} after {crowd.rounds_:,} rounds; this is what was found")
    raise typer.Exit(code)


def fitted(crowd: "CrowdLabels", votes: "Votes", gold: dict[str, str] | None) -> "CrowdLabels":
    """The crowd's labels, progress on stderr."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    columns = votes.tasks[votes.task], votes.workers[votes.worker], votes.labels[votes.label]
    with warnings.catch_warnings(), session.Progress("labelling") as progress:
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the result and by the exit code

        def look(rounds: int, change: float) -> None:
            progress.look(rounds, crowd.max_rounds, f"largest change {change:.1e}")

        return crowd.fit(*columns, gold=gold, sample_weight=votes.weight, look=look)


# --- what is said of it ---


def answer_of(
    crowd: "CrowdLabels", votes: "Votes", truth: dict[str, str], gold: dict[str, str], file: Path
) -> "Answer":
    """A row for each of the busiest workers, the finding, the notes and the picture."""
    import numpy as np

    from catallax.core.answer import Answer

    busiest = np.argsort(-crowd.votes_, kind="stable")[:WORKERS]
    columns = {name: values[busiest].tolist() for name, values in workers(crowd).items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    notes = []
    if len(crowd.workers_) > WORKERS:
        notes.append(f"the {WORKERS} of {len(crowd.workers_):,} workers with the most votes are shown")
    if votes.ignored:
        notes.append(f"columns that were not read: {', '.join(votes.ignored)}")
    if gold:
        notes.append(f"{len(gold):,} labels are known and were kept")
    facts = dict(tasks=len(crowd.tasks_), workers=len(crowd.workers_), votes=len(votes.task), method=crowd.method)
    facts |= dict(status=crowd.status_, rounds=crowd.rounds_, residual=crowd.residual_)
    facts |= met(crowd, votes, truth, gold)
    if "accuracy" in facts:
        notes.append(
            f"of {facts['checked']:,} labels to check, {facts['accuracy']:.2%} are met; "
            f"the majority meets {facts['majority_accuracy']:.2%}"
        )
    return Answer("label", f"crowd ({file.name})", rows, headline(crowd, votes), notes, facts, (scene(crowd, busiest),))


def workers(crowd: "CrowdLabels") -> dict[str, Any]:
    """What is known of each worker, a column each."""
    columns = dict(worker=crowd.workers_, votes=crowd.votes_, abstentions=crowd.abstentions_)
    if is_numeric(crowd):
        return columns | dict(bias=crowd.bias_, deviation=crowd.reliability_**-0.5)
    return columns | dict(reliability=crowd.reliability_, information=crowd.information_)


def is_numeric(crowd: "CrowdLabels") -> bool:
    """Whether labels are numbers."""
    return not hasattr(crowd, "classes_")


def majority(crowd: "CrowdLabels", votes: "Votes") -> Any:
    """The label with the most votes on each task, [tasks]."""
    from catallax.collective import CrowdLabels

    columns = votes.tasks[votes.task], votes.workers[votes.worker], votes.labels[votes.label]
    return CrowdLabels("majority", abstain=crowd.abstain).fit(*columns, sample_weight=votes.weight).labels_


def met(crowd: "CrowdLabels", votes: "Votes", truth: dict[str, str], gold: dict[str, str]) -> dict[str, Any]:
    """How many of the labels to check are met, and how many by the majority; those given as gold prove nothing."""
    import numpy as np

    found = dict(zip(crowd.tasks_.tolist(), range(len(crowd.tasks_)), strict=True))
    pairs = [(found[task], said) for task, said in truth.items() if task in found and task not in gold]
    if not pairs:
        return {}
    places, said = (list(column) for column in zip(*pairs, strict=True))
    if is_numeric(crowd):
        try:
            right = np.array([float(value) for value in said])
        except ValueError:
            raise BadInput("--check holds labels that are no numbers: correct them, or choose another method") from None
        return dict(checked=len(pairs), error=float(np.sqrt(np.mean((crowd.labels_[places] - right) ** 2))))
    right = np.array(said, dtype=object)
    plain = majority(crowd, votes)[places]
    return dict(
        checked=len(pairs),
        accuracy=float(np.mean(crowd.labels_[places].astype(object) == right)),
        majority_accuracy=float(np.mean(plain.astype(object) == right)),
    )


def headline(crowd: "CrowdLabels", votes: "Votes") -> str:
    """The finding, one sentence."""
    begin = (
        f"{len(crowd.tasks_):,} tasks labelled from {len(votes.task):,} votes of {len(crowd.workers_):,} workers "
        f"({crowd.method})"
    )
    ended = crowd.status_ if crowd.rounds_ == 0 else f"{crowd.status_} after {crowd.rounds_:,} rounds"
    if math.isfinite(crowd.residual_):
        ended += f", residual {crowd.residual_:.1e}"
    if is_numeric(crowd):
        return f"{begin}; {ended}."
    doubtful = int((crowd.posterior_.max(axis=1) < SURE).sum())
    return f"{begin}: {doubtful:,} less than {SURE:.0%} certain; {ended}."


def scene(crowd: "CrowdLabels", busiest: Any) -> "Scene":
    """The busiest workers, the most reliable first."""
    import numpy as np

    from catallax.core.scene import Bars, Scene

    order = busiest[np.argsort(-crowd.reliability_[busiest], kind="stable")]
    names = [str(name) for name in crowd.workers_[order]]
    title = "Who can be trusted"
    if len(crowd.workers_) > WORKERS:
        title += f": the {WORKERS} of {len(crowd.workers_):,} workers with the most votes"
    if is_numeric(crowd):
        deviation = crowd.reliability_[order] ** -0.5
        return Scene(title, [Bars(names, deviation, "deviation of an answer"), Bars(names, crowd.bias_[order], "bias")])
    right = Bars(names, 100 * crowd.reliability_[order], "votes that are right, %")
    return Scene(title, [right, Bars(names, crowd.information_[order], "information, bits a vote")])


# --- what is written ---


def content(crowd: "CrowdLabels", answer: "Answer", file: Path) -> dict[str, Any]:
    """The JSON object."""
    tasks = [str(name) for name in crowd.tasks_]
    names = [str(name) for name in crowd.workers_]
    if is_numeric(crowd):
        own: dict[str, Any] = dict(deviation=dict(zip(tasks, crowd.posterior_[:, 1].tolist(), strict=True)))
        own |= dict(bias=dict(zip(names, crowd.bias_.tolist(), strict=True)))
    else:
        own = dict(probability=dict(zip(tasks, crowd.posterior_.max(axis=1).tolist(), strict=True)))
        own |= dict(prior=dict(zip(crowd.classes_.tolist(), crowd.prior_.tolist(), strict=True)))
        own |= dict(information=dict(zip(names, crowd.information_.tolist(), strict=True)))
    return dict(
        schema=session.SCHEMA,
        command="label",
        file=str(file),
        versions=session.versions(),
        headline=answer.headline,
        **answer.facts,
        labels=dict(zip(tasks, crowd.labels_.tolist(), strict=True)),
        reliability=dict(zip(names, crowd.reliability_.tolist(), strict=True)),
        **own,
        notes=answer.notes,
        digest=digest(crowd),
    )


def digest(crowd: "CrowdLabels") -> str:
    """A hash of status, posteriors and reliabilities."""
    import numpy as np

    found = hashlib.sha256(crowd.status_.encode())
    for array in (crowd.posterior_, crowd.reliability_):
        found.update(np.ascontiguousarray(array, "<f8").tobytes())
    return found.hexdigest()[:16]


def write(crowd: "CrowdLabels", votes: "Votes", out: Path) -> None:
    """The tables and the picture."""
    import numpy as np

    from catallax.io.writing import write_table

    count = np.bincount(votes.task, minlength=len(votes.tasks))
    place = {name: k for k, name in enumerate(votes.tasks.tolist())}
    columns: dict[str, Any] = dict(task=crowd.tasks_, label=crowd.labels_)
    cast = count[[place[name] for name in crowd.tasks_.tolist()]]
    if is_numeric(crowd):
        columns |= dict(deviation=crowd.posterior_[:, 1], votes=cast)
    else:
        columns |= dict(probability=crowd.posterior_.max(axis=1), votes=cast, majority=majority(crowd, votes))
        if len(crowd.classes_) <= CLASSES:
            columns |= {f"probability:{name}": p for name, p in zip(crowd.classes_, crowd.posterior_.T, strict=True)}
        if crowd.confusion_.size <= CELLS:
            write_table(out / "confusion.csv", cells(crowd))
    write_table(out / "labels.csv", columns)
    write_table(out / "workers.csv", workers(crowd))


def cells(crowd: "CrowdLabels") -> dict[str, Any]:
    """Confusion matrices, a row a cell."""
    import numpy as np

    n, k = len(crowd.workers_), len(crowd.classes_)
    return dict(
        worker=np.repeat(crowd.workers_, k * k),
        truth=np.tile(np.repeat(crowd.classes_, k), n),
        vote=np.tile(crowd.classes_, n * k),
        chance=crowd.confusion_.ravel(),
    )


DEFAULTS = dict(
    gold=None, check=None, method="dawid-skene", abstain=None, smoothing=2.0, tolerance=1e-4, max_rounds=1000
)


def command_line(file: Path, given: dict[str, Any]) -> str:
    """The command that gives this answer again."""
    words = ["catallax", "label", str(file)]
    for name, value in given.items():
        words += [] if value == DEFAULTS[name] else [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
