"""Results on disk, whole or not there: a file, or a folder as Hugging Face lays it out.

    OUT.safetensors                     one file; the provenance is in its header, under "catallax"
    OUT/model.safetensors               a folder, or shards of at most `max_shard_bytes` with their index:
    OUT/model-00001-of-00002.safetensors .. model.safetensors.index.json
    OUT/config.json, tokenizer.json ..  carried over from the base, or from the first model
    OUT/README.md merge.json            a model card, and the provenance

All is written under another name in the same folder, flushed to disk and renamed. Where the machine stops in between, that other
name (OUT.<process>.part) is what is left; the next merge to OUT removes it.
"""

import contextlib
import glob
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from catallax.core.disk import flush, whole
from catallax.core.errors import BadInput
from catallax.io.checkpoints import INDEX, SINGLE, Model
from catallax.io.safetensors import Entry, header, storage_order, total
from catallax.merging.stream import Target


class File(Target):
    """An open safetensors file into which tensors are streamed, in storage order."""

    def __init__(self, file: Any, entries: Mapping[str, Entry], metadata: Mapping[str, str]) -> None:
        self.file, self.order = file, storage_order(entries)
        file.write(header(entries, metadata))

    def begin(self, name: str) -> None:
        """Tensors follow one another: nothing is between."""

    def write(self, data: np.ndarray) -> None:
        """Bytes of a tensor."""
        self.file.write(data)


def write_file(path: Path, entries: Mapping[str, Entry], metadata: Mapping[str, str], fill: Callable) -> None:
    """One file. `fill(order, target)` writes the tensors."""
    sweep(path)
    with whole(path) as file:
        target = File(file, entries, metadata)
        fill(target.order, target)


def write_folder(
    folder: Path, entries: Mapping[str, Entry], metadata: Mapping[str, str], fill: Callable, most: int
) -> list[str]:
    """Weights in a folder: one file, or shards of at most `most` bytes. Returns the names of the files."""
    parts = shards(entries, most)
    count = len(parts)
    names = [SINGLE] if count == 1 else [f"model-{k + 1:05}-of-{count:05}.safetensors" for k in range(count)]
    for name, part in zip(names, parts):
        with open(folder / name, "wb") as file:
            target = File(file, part, metadata)
            fill(target.order, target)
    if count > 1:
        where = {tensor: name for name, part in zip(names, parts) for tensor in part}
        write_json(folder / INDEX, {"metadata": {"total_size": total(entries.values())}, "weight_map": where})
    return names


def shards(entries: Mapping[str, Entry], most: int) -> list[dict[str, Entry]]:
    """Tensors in their order, as many to a file as its size allows, at least one."""
    parts: list[dict[str, Entry]] = [{}]
    size = 0
    for name, entry in entries.items():
        if parts[-1] and size + entry.bytes > most:
            parts.append({})
            size = 0
        parts[-1][name] = entry
        size += entry.bytes
    return parts


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder that appears under its name when all of it is on disk, or not at all; what is yielded is filled."""
    sweep(folder)
    made = [path for path in folder.absolute().parents if not path.exists()]
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    done = False
    try:
        part.mkdir(parents=True)
        yield part
        for path in [*part.iterdir(), part]:
            flush(path)
        os.replace(part, folder)
        done = True
    finally:
        shutil.rmtree(part, ignore_errors=True)
        for path in made if not done else ():
            with contextlib.suppress(OSError):
                path.rmdir()
    flush(folder.absolute().parent)


def sweep(path: Path) -> None:
    """Removes what processes that are no more have left half-written under this name."""
    for left in path.absolute().parent.glob(f"{glob.escape(path.name)}.*.part"):
        process = left.name.split(".")[-2]
        if process.isdigit() and not alive(int(process)):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def alive(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def carry(model: Model, folder: Path, dtype: str | None) -> list[str]:
    """Copies configuration, tokenizer and licence of a model; the configuration's type is the result's."""
    names = []
    for path in model.carried():
        try:
            shutil.copyfile(path, folder / path.name)
        except OSError as error:
            raise BadInput(f"{path} cannot be read ({error.strerror}): it goes with the model") from None
        names.append(path.name)
    config = model.config()
    if dtype is not None and config:
        told = dict(F64="float64", F32="float32", F16="float16", BF16="bfloat16").get(dtype)
        for key in ("dtype", "torch_dtype"):
            if key in config and told is not None:
                config[key] = told
        write_json(folder / "config.json", config)
    return names


def write_json(path: Path, value: Any) -> None:
    """A JSON file, for people too."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
