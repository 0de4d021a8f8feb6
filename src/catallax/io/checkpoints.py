"""Checkpoints of every kind behind one door: a `Model` has names, shapes, types, and reads a tensor when it is asked for.

    a .safetensors file            its tensors
    a folder                       Hugging Face's: model.safetensors, or shards with model.safetensors.index.json
    a mapping of arrays            as it is
    an Equinox module, any pytree  its arrays, by path: layers.0.weight

Types are named as in safetensors files (`F32`, `BF16`). Shards are held against the index, and the index against the shards.
Reading costs no memory: tensors of files are views of them. JAX is loaded only for trees, which have it already.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from catallax.core.errors import BadInput
from catallax.io.safetensors import FLOATS, AnyPath, Entry, SafetensorsFile, entry_of, shown

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
CARRIED = (  # patterns of files that belong to a model and are no weights
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.jinja",
    "chat_template*",
    "*processor_config.json",
    "LICENSE*",
    "NOTICE*",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A checkpoint that can be read. `entries`: type and shape by name, in the order of the checkpoint; `files`: of weights."""

    label: str
    entries: Mapping[str, Entry]
    reader: Callable[[str], np.ndarray]
    files: tuple[Path, ...] = ()
    folder: Path | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    release: Callable[[str], Any] = lambda name: None  # what reading a tensor took may be given back

    @property
    def names(self) -> tuple[str, ...]:
        """Of tensors."""
        return tuple(self.entries)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """By name."""
        return {name: entry.shape for name, entry in self.entries.items()}

    @property
    def dtypes(self) -> dict[str, str]:
        """By name, as safetensors files call them."""
        return {name: entry.dtype for name, entry in self.entries.items()}

    @property
    def floats(self) -> tuple[str, ...]:
        """Names of the tensors that can be merged: numbers with a point."""
        return tuple(name for name, entry in self.entries.items() if entry.dtype in FLOATS)

    def read(self, name: str) -> np.ndarray:
        """A tensor, not to be written to."""
        return self.reader(name)

    def changed(self, change: Callable[[str, np.ndarray], np.ndarray]) -> "Model":
        """The model whose tensors are `change(name, tensor)`, worked out when they are read; shapes and types stay."""
        return dataclasses.replace(self, reader=lambda name: change(name, self.read(name)))

    def config(self) -> dict[str, Any]:
        """What config.json of its folder says; {} where there is none."""
        return {} if self.folder is None else read_object(self.folder / "config.json", missing={})

    def carried(self) -> list[Path]:
        """Files of its folder that go with the model: configuration, tokenizer, licence."""
        if self.folder is None:
            return []
        return sorted({path for pattern in CARRIED for path in self.folder.glob(pattern) if path.is_file()})


def open_model(source: Any, label: str | None = None) -> Model:
    """A checkpoint from a path, a mapping of arrays, or a tree with arrays; a `Model` is handed through.

    **Raises** `BadInput`, one sentence with file and tensor, for all that is wrong with it.
    """
    if isinstance(source, Model):
        return source
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return of_folder(path) if path.is_dir() else of_file(path)
    named = arrays_of(source)
    name = type(source).__name__ if label is None else label
    if not named:
        raise BadInput(f"{name} holds no arrays: give a path, arrays by name, or a module with arrays in it")
    entries = {key: entry_of(key, array) for key, array in named.items()}
    return Model(name, entries, named.__getitem__)


def of_file(path: Path) -> Model:
    """One file, by its end."""
    if path.name.endswith(".index.json"):
        return of_folder(path.parent)
    if path.suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl"):
        raise BadInput(f"{path} may run code when it is read (pickle): save it as safetensors first")
    file = SafetensorsFile(path)
    return Model(str(path), file.entries, file.read, (path,), None, file.metadata, file.release)


def of_folder(folder: Path) -> Model:
    """A folder as Hugging Face lays it out."""
    if (folder / INDEX).is_file():
        return of_shards(folder)
    if (folder / SINGLE).is_file():
        return dataclasses.replace(of_file(folder / SINGLE), label=str(folder), folder=folder)
    found = sorted(folder.glob("*.safetensors"))
    if len(found) == 1:
        return dataclasses.replace(of_file(found[0]), label=str(folder), folder=folder)
    if found:
        raise BadInput(f"{folder} holds {len(found)} safetensors files and no {INDEX} that says what is where")
    raise BadInput(f"{folder} holds no safetensors file: give a model's folder, with weights saved as safetensors")


def of_shards(folder: Path) -> Model:
    """Shards, held against their index."""
    index = folder / INDEX
    where = read_object(index).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(file, str) for file in where.values()) or not where:
        raise BadInput(f"{index} has no weight_map from tensors to files: fetch it again")
    for file in dict.fromkeys(where.values()):
        if Path(file).name != file or file in ("", ".", ".."):
            raise BadInput(f"{index} speaks of the file {shown(file)}: shards lie in the folder of their index")
        if not (folder / file).is_file():
            raise BadInput(f"{folder / file} is missing, and {INDEX} speaks of it: fetch it again")
    shards = {file: SafetensorsFile(folder / file) for file in sorted(set(where.values()))}
    check_index(where, shards, index)
    entries = {name: entry for shard in shards.values() for name, entry in shard.entries.items()}
    return Model(
        str(folder),
        entries,
        lambda name: shards[where[name]].read(name),
        tuple(folder / file for file in shards),
        folder,
        next(iter(shards.values())).metadata,
        lambda name: shards[where[name]].release(name),
    )


def check_index(where: dict[str, str], shards: dict[str, SafetensorsFile], index: Path) -> None:
    """That the tensors of each shard are those that the index says."""
    for name, file in where.items():
        if name not in shards[file].entries:
            raise BadInput(f"{index} says that {shown(name)} is in {file}, and it is not: fetch both again")
    for file, shard in shards.items():
        for name in shard.entries:
            if where.get(name) != file:
                said = "it does not speak of it" if name not in where else f"it is said to be in {where[name]}"
                raise BadInput(f"{shard.path} holds {shown(name)}, and in {index.name} {said}: fetch both again")


def read_object(path: Path, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON object; `missing` where there is no such file."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        if missing is not None:
            return missing
        raise BadInput(f"{path} is missing: fetch it again") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}): fetch it again") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path} is no JSON: fetch it again") from None
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no JSON object: fetch it again")
    return found


# --- trees ---


def arrays_of(source: Any) -> dict[str, np.ndarray]:
    """Arrays by name: of a flat mapping, its own; of any other tree, by path."""
    if isinstance(source, Mapping) and all(hasattr(value, "__array__") for value in source.values()):
        if not all(isinstance(name, str) for name in source):
            raise BadInput("a name of the arrays is no text: give a mapping from names to arrays")
        return {name: np.asarray(value) for name, value in source.items()}
    return {name: np.asarray(leaf) for name, leaf in leaves(source)}


def leaves(tree: Any) -> list[tuple[str, Any]]:
    """Paths and arrays of a tree; the leaves that are no arrays are no weights."""
    import jax

    found = jax.tree_util.tree_leaves_with_path(tree)
    return [(".".join(map(step, path)), leaf) for path, leaf in found if is_array(leaf)]


def is_array(leaf: Any) -> bool:
    """Whether a leaf is one, of NumPy's or JAX's."""
    return hasattr(leaf, "__array__") and hasattr(leaf, "shape") and hasattr(leaf, "dtype")


def step(key: Any) -> str:
    """One step of a path: an index, a field or a key."""
    return str(next(getattr(key, name) for name in ("idx", "name", "key") if hasattr(key, name)))


def filled(tree: Any, named: Mapping[str, np.ndarray]) -> Any:
    """A tree with the arrays of these names in place of its own, each of its kind (NumPy's or JAX's); flat mappings: dicts."""
    if isinstance(tree, Mapping) and all(hasattr(value, "__array__") for value in tree.values()):
        return dict(named)
    import jax

    def new(path: Iterable[Any], leaf: Any) -> Any:
        if not is_array(leaf):
            return leaf
        array = named[".".join(map(step, path))]
        return jax.numpy.asarray(array) if isinstance(leaf, jax.Array) else array

    return jax.tree_util.tree_map_with_path(new, tree)


__all__ = ["AnyPath", "Model", "filled", "open_model"]
