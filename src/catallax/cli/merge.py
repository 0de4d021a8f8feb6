"""`catallax merge A B --method ties --base BASE --out AB`: many checkpoints into one; or a recipe, `catallax merge recipe.toml`:

    method = "ties"                     # merging.methods.METHODS
    base = "BASE"                       # paths are seen from the recipe's folder
    out = "AB"
    max_influence = 0.6                 # also: dtype, seed, allow_nan, max_shard_size, align
    [settings]                          # of the method; fishers = ["A.F", ..] and grams are paths, too
    density = 0.3
    [[models]]
    path = "A"
    weight = 2.0
    [[models]]
    path = "B"

What is said on the command line comes before what the recipe says. `--out` is a folder, or a path that ends in .safetensors.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from catallax.cli import session
from catallax.cli.questions import Json, give
from catallax.core.errors import BadInput

PLAIN = ("method", "max_influence", "dtype", "seed", "allow_nan", "max_shard_size")
KEYS = (*PLAIN, "base", "out", "settings", "models", "align")
BESIDE = ("fishers", "grams")  # settings that are paths, one a model
CHAIN = "chain"
BYTES = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
Numbers = Annotated[str | None, typer.Option(help="with commas between, one for each model; 0 leaves a model out")]


def merge(
    models: Annotated[list[Path], typer.Argument(help="folders or .safetensors files; or one recipe, a .toml file")],
    method: Annotated[
        str | None, typer.Option(help="linear, slerp, task-arithmetic, ties, dare, median, krum, ..; default: linear")
    ] = None,
    base: Annotated[Path | None, typer.Option(help="the model that all were trained from")] = None,
    weights: Numbers = None,
    density: Annotated[float | None, typer.Option(help="of ties, dare, breadcrumbs: the share that is kept")] = None,
    scale: Annotated[float | None, typer.Option(help="of the merged delta")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="another setting of the method, name=value, as often as wanted")
    ] = None,
    max_influence: Annotated[float | None, typer.Option(help="no model's share may be larger")] = None,
    align: Annotated[
        str | None,
        typer.Option(
            help='put units in one order first: "chain" for layers one after the other, else a JSON file, '
            '{"tensor": ["group", null], ..}'
        ),
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="of the result: F32, BF16, F16, .. (default: the models')")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="of methods that draw (default: 0)")] = None,
    max_shard_size: Annotated[str | None, typer.Option(help="of a file, as in 5GB, which is the default")] = None,
    allow_nan: Annotated[bool | None, typer.Option("--allow-nan", help="merge what is no number too")] = None,
    out: Annotated[Path | None, typer.Option(help="a new folder, or a file that ends in .safetensors")] = None,
    as_json: Json = False,
) -> None:
    """Merge many models into one: checked first, streamed, written whole or not at all."""
    with session.ending():
        from catallax.merging.merged import merge as merged

        recipe: dict[str, Any] = {"models": models}
        recipe = read_recipe(models[0]) if len(models) == 1 and models[0].suffix == ".toml" else recipe
        said = dict(method=method, max_influence=max_influence, dtype=dtype, seed=seed, allow_nan=allow_nan)
        said |= dict(base=base, out=out, max_shard_size=max_shard_size, weights=numbers(weights), align=align)
        recipe |= {name: value for name, value in said.items() if value is not None}
        own = dict(recipe.pop("settings", {})) | set_by(settings)
        own |= {name: value for name, value in dict(density=density, scale=scale).items() if value is not None}
        if recipe.get("out") is None:
            raise BadInput("no --out: say where the merged model shall go, a new folder or a .safetensors file")
        if "align" in recipe:
            recipe["align"] = alignment(recipe["align"], recipe["models"])
        recipe["max_shard_bytes"] = in_bytes(recipe.pop("max_shard_size", "5GB"))
        with session.Progress("merging") as progress:
            found = merged(**recipe, **own, look=progress.look)
        give(answer_of(found), result_of(found), as_json)


def answer_of(found: Any) -> Any:
    """A row for each model, and what became of them."""
    from catallax.core.answer import Answer

    record = found.record
    rows = [dict(model=of["label"], weight=of["weight"], share=of["share"]) for of in record["models"]]
    return Answer("merge", str(found.path), rows, headline(found), [f"{note}." for note in found.notes])


def headline(found: Any) -> str:
    """The finding, one sentence."""
    record, entries = found.record, found.model.entries
    count, size = sum(of["share"] > 0 for of in record["models"]), sum(entry.bytes for entry in entries.values())
    return (
        f"{count} models merged by {record['method']} into {found.path}: {len(entries):,} tensors, {size:,} bytes; "
        f"effective number of models {record['influence']['effective_models']:.3g}."
    )


def result_of(found: Any) -> dict[str, Any]:
    """The JSON object: the record that the result carries, and where it is."""
    head = session.head("merge", "merging", None, found.record["seed"])
    record = {name: value for name, value in found.record.items() if name not in ("versions", "seed")}
    return head | record | dict(out=str(found.path), headline=headline(found))


# --- what is asked for ---


def read_recipe(path: Path) -> dict[str, Any]:
    """A recipe as arguments of `merge`."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): give a recipe") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no TOML: {error}") from None
    odd = [name for name in told if name not in KEYS]
    if odd:
        raise BadInput(f"{path} speaks of {odd[0]}: a recipe has {', '.join(KEYS)}")
    entries = told.pop("models", None)
    if not isinstance(entries, list) or not all(
        isinstance(of, dict) and set(of) <= {"path", "weight"} for of in entries
    ):
        raise BadInput(f"{path}: models are told one by one, [[models]] with path and weight")
    if not all(isinstance(of.get("path"), str) for of in entries):
        raise BadInput(f"{path}: a model has no path")
    told["models"] = [path.parent / of["path"] for of in entries]
    told["weights"] = [of.get("weight", 1.0) for of in entries]
    settings = told.get("settings", {})
    if not isinstance(settings, dict):
        raise BadInput(f"{path}: settings is {settings!r}: write [settings], and below it a line for each")
    for name in [name for name in BESIDE if name in settings]:
        if not isinstance(settings[name], list) or not all(isinstance(of, str) for of in settings[name]):
            raise BadInput(f"{path}: {name} is {settings[name]!r}: give a list of paths, one for each model")
        settings = settings | {name: [str(path.parent / of) for of in settings[name]]}
    for name in ("base", "out", "align"):
        if not isinstance(told.get(name, ""), str):
            raise BadInput(f"{path}: {name} is {told[name]!r}: give a path")
    places = [name for name in ("base", "out", "align") if name in told and told[name] != CHAIN]
    return told | {name: path.parent / told[name] for name in places} | {"settings": settings}


def numbers(text: str | None) -> list[float] | None:
    """Weights."""
    if text is None:
        return None
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise BadInput(f"weights are {text!r}: give numbers with commas between") from None


def set_by(words: list[str] | None) -> dict[str, Any]:
    """Settings as name=value, the value in JSON or a word."""
    found = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise BadInput(f"--set {word}: give name=value")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def in_bytes(size: Any) -> int:
    """A size in words, 5GB, in bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", str(size).upper())
    unit = found[2].removesuffix("B") if found else ""
    count = int(float(found[1]) * BYTES[f"{unit}B" if unit else ""]) if found else 0
    if count < 1:
        raise BadInput(f"max_shard_size is {size!r}: give a number of bytes, as in 500MB or 5GB")
    return count


def alignment(said: str | Path, models: list[Path]) -> Any:
    """The alignment of layers one after the other ("chain"), or by the groups of units that a JSON file tells."""
    from catallax.io.checkpoints import read_object
    from catallax.merging.alignment import WeightMatching, chain_in

    if said == CHAIN:
        if not models:
            raise BadInput("no models: give at least two")
        return WeightMatching(chain_in(models[0]))
    path = Path(said)
    told = read_object(path)
    if not all(
        isinstance(axes, list) and all(isinstance(g, (str, type(None))) for g in axes) for axes in told.values()
    ):
        raise BadInput(f"{path}: a tensor's axes are a list of the groups of units they belong to, or null")
    return WeightMatching({name: tuple(axes) for name, axes in told.items()})
