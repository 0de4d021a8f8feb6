"""What `--out` writes: outcome.json, tables, pictures, and one report of all that questions have left in the folder.

    outcome.json            the last command's JSON object
    answers/<question>.json what the report is made of: two questions into one folder give one report with both
    <question>.csv .png     the rows (Parquet too where pyarrow is) and the picture
    record.csv scene.png    of a run; of a search or what learns, also what it watched, as <name>.png
    prices.csv allocation.csv prices.png   of an allocation
    labels.csv workers.csv confusion.csv   of a crowd's labels
    prices.csv history.csv people.csv forecast.png   of forecasts
    model.skops predictions.csv members.csv   of a fitted market
    teaching.csv .png or teaching_frontier.csv .png; chain.safetensors   of networks
    experts.csv .png                       of experts
    learners.csv lesions.csv lesions_planners.png lesions_crowds.png   of learners
    report.html             one file, no network

Every file is whole or not there; a folder that was not there before is not left behind by a command that fails.
"""

import contextlib
import csv
import dataclasses
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catallax.core import scene
from catallax.core.answer import Answer, plain
from catallax.core.disk import whole
from catallax.core.errors import BadInput

ORDER = (
    "frontier", "compare", "teaching_frontier", "teaching", "experts", "shock", "lesion", "replicate", "sweep", "run", "allocate",
    "label", "forecast", "fit",
)  # fmt: skip


def check(folder: Path | None) -> None:
    """That the folder can be written, before anything is computed for it; nothing is left behind. Raises `BadInput`."""
    if folder is None:
        return
    made = missing(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError):
        raise BadInput(f"{folder} is a file, or lies in one: give a folder for the results") from None
    except OSError as error:
        raise BadInput(f"{folder} cannot be written ({error.strerror}): give another folder") from None
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def missing(folder: Path) -> list[Path]:
    """Those of the folder and its parents that are not there, innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, and taken away again where the block fails to fill it."""
    new = missing(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if new:
            shutil.rmtree(new[-1], ignore_errors=True)
        raise


def save(answer: Answer, result: dict[str, Any], folder: Path, reproduce: str) -> Path:
    """All of an answer, and the report of all answers in the folder, whose path is returned."""
    from catallax.view import style
    from catallax.view.plots import FIGURES, figure

    kept = {"answer": answer.json(), "scenes": [to_plain(s) for s in answer.scenes]}
    with made(folder):
        (folder / "answers").mkdir(exist_ok=True)
        write_json(folder / "answers" / f"{answer.question}.json", kept | {"result": result, "reproduce": reproduce})
        write_json(folder / "outcome.json", result)
        if answer.question in FIGURES:
            records = answer.records
            write_table({name: [row[name] for row in records] for name in answer.columns}, folder / answer.question)
            style.save(figure(answer), folder / f"{answer.question}.png")
        return report(folder)


def report(folder: Path) -> Path:
    """`report.html` of every answer in the folder. Raises `BadInput` where there is none."""
    from catallax.view.report import report as write_report

    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder: give one that a question wrote with --out")
    kept = [read(path) for path in sorted((folder / "answers").glob("*.json"))]
    if not kept:
        raise BadInput(f"{folder} holds no answers: ask a question with --out {folder} first")
    kept.sort(key=lambda k: ORDER.index(k.answer.question) if k.answer.question in ORDER else len(ORDER))
    title = ", ".join(dict.fromkeys(k.answer.system for k in kept))
    facts = {name: told(kept, name) for name in ("seed", "digest", "versions")}
    facts = {name: value for name, value in facts.items() if value is not None}  # an allocation draws nothing
    return write_report(
        [k.answer for k in kept], folder / "report.html", title, facts, "\n".join(k.reproduce for k in kept)
    )


@dataclasses.dataclass(frozen=True)
class Kept:
    """An answer as its file holds it."""

    answer: Answer
    result: dict[str, Any]
    reproduce: str


def read(path: Path) -> Kept:
    """An answer from its file. Raises `BadInput` where it is none."""
    try:
        kept = json.loads(path.read_bytes())
        scenes = tuple(from_plain(s) for s in kept["scenes"])
        answer = Answer(**kept["answer"], scenes=scenes)
        return Kept(answer, dict(kept["result"]), str(kept["reproduce"]))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): remove it or ask again") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadInput(f"{path} is not an answer as catallax writes it: remove it or ask again") from None


def told(kept: list[Kept], name: str) -> Any:
    """What all answers have in common under a name, or what each has."""
    values = {k.answer.question: k.result.get(name) for k in kept}
    first = next(iter(values.values()))
    return first if all(value == first for value in values.values()) else values


def write_json(path: Path, value: Any) -> None:
    """A JSON file, whole or not at all."""
    with whole(path) as file:
        file.write(json.dumps(plain(value), indent=2, allow_nan=False, ensure_ascii=False).encode("utf-8", "replace"))


def write_table(columns: dict[str, list], path: Path) -> None:
    """Columns of plain values as CSV (what is missing is empty), and as Parquet where pyarrow is."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in zip(*columns.values(), strict=True))
    with whole(path.with_suffix(".csv")) as file:
        file.write(text.getvalue().encode("utf-8", "replace"))
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return
    with whole(path.with_suffix(".parquet")) as file:
        pyarrow.parquet.write_table(pyarrow.table(columns), file)


def to_plain(picture: scene.Scene) -> dict[str, Any]:
    """A scene as plain values."""
    items = [
        {"kind": type(item).__name__} | {name: plain(value) for name, value in vars(item).items()}
        for item in picture.items
    ]
    return {"title": picture.title, "items": items}


def from_plain(kept: dict[str, Any]) -> scene.Scene:
    """And back."""
    kinds = {kind.__name__: kind for kind in (scene.Points, scene.Edges, scene.Grid, scene.Bars, scene.Series)}
    items = [kinds[item["kind"]](**{k: v for k, v in item.items() if k != "kind"}) for item in kept["items"]]
    return scene.Scene(kept["title"], items)
