"""Merging checkpoints as large as a small language model, against mergekit's merge stage: CPU seconds, memory, rounding.

Two models of 106 million parameters in bfloat16 (211 MB each), of the shapes of a Llama, and the base of both are made anew in a
temporary folder: normal numbers, and normal steps from them. Both sides read and write folders with config.json and write a
model card; both use one thread; both files are in the page cache. Each process merges several times; its imports, and the
kernels that it compiles or loads, are apart. Ours looks at every number for NaN and Inf while it merges; mergekit does not, so
one look by torch at all inputs, timed beside it, is added to make the checks the same, and its figures without are shown too.
Memory is anonymous memory (what is not a file's), its peak over the whole process, in runs of their own.

A twenty-gigabyte merge goes through sparse files of zeros, in a process that may not have more than 2 GiB of data.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from benchmarks import harness, merging_runs, peers
from catallax.io.checkpoints import open_model
from catallax.io.safetensors import Entry, header, write_safetensors

MERGEKIT = peers.Peer(
    "mergekit",
    ("torch==2.13.0", "mergekit==0.1.5", "transformers==5.24.0", "huggingface_hub==2.4.0", "datasets==5.2.0"),
    "mergekit_merge.py",
)
QUESTION = "What does it cost to merge two checkpoints, and how well are the results rounded?"
LAYERS, WIDTH, INNER, WORDS = 8, 768, 2048, 32_000
SPREAD, STEP = 0.02, 0.002  # standard deviations, of the base and of what each model has learnt
DENSITY, REPEATS = 0.5, 5
BF16 = np.dtype(ml_dtypes.bfloat16)
LARGE, ROOM = 20 * 10**9, 12 * 10**9  # bytes of all inputs; of free disk
LIMIT = 2 * 2**30  # bytes of data
JUDGED = "model.layers.0.mlp.up_proj.weight"  # the tensor whose rounding is looked at
MB = 10**6


def shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """Tensors of a Llama."""
    found: dict[str, tuple[int, ...]] = dict.fromkeys(("model.embed_tokens.weight", "lm_head.weight"), (WORDS, WIDTH))
    for k in range(layers):
        head = f"model.layers.{k}"
        found |= {f"{head}.self_attn.{one}_proj.weight": (WIDTH, WIDTH) for one in "qkvo"}
        found |= {f"{head}.mlp.{one}_proj.weight": (INNER, WIDTH) for one in ("gate", "up")}
        found |= {f"{head}.mlp.down_proj.weight": (WIDTH, INNER)}
        found |= {f"{head}.{one}_layernorm.weight": (WIDTH,) for one in ("input", "post_attention")}
    return found | {"model.norm.weight": (WIDTH,)}


def config(layers: int) -> dict[str, Any]:
    """What goes with it."""
    return dict(
        architectures=["LlamaForCausalLM"],
        model_type="llama",
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=layers,
        num_attention_heads=12,
        num_key_value_heads=12,
        vocab_size=WORDS,
        torch_dtype="bfloat16",
        tie_word_embeddings=False,
    )


def make(folder: Path, layers: int) -> None:
    """The base and two models."""
    base: dict[str, np.ndarray] = {}
    for seed, name in enumerate(("base", "a", "b")):
        draws, model = np.random.default_rng(seed), {}
        for tensor, shape in shapes(layers).items():
            values = draws.standard_normal(shape, np.float32)
            values = values * np.float32(SPREAD) if not seed else base[tensor] + values * np.float32(STEP)
            model[tensor] = values.astype(BF16)
        base = base or {tensor: values.astype(np.float32) for tensor, values in model.items()}
        (folder / name).mkdir()
        with open(folder / name / "model.safetensors", "wb") as file:
            write_safetensors(file, model, {"format": "pt"})
        (folder / name / "config.json").write_text(json.dumps(config(layers)))


def request(folder: Path, method: str, who: str, **more: Any) -> dict[str, Any]:
    """What both sides are asked."""
    base = str(folder / "base") if method == "ties" else None
    models = [str(folder / name) for name in "ab"]
    asked = dict(method=method, models=models, base=base, weights=[0.5, 0.5], density=DENSITY)
    return asked | dict(out=str(folder / f"{who}_{method}"), memory=False, hashes=False) | more


# --- seconds and memory -----------------------------------------------------------------------------------------------


def timed(folder: Path, repeats: int) -> tuple[list[dict[str, Any]], list[str], dict[str, str]]:
    """A row for each method and side, why a side has none, and versions."""
    rows, notes, versions = [], [], {}
    for method in ("linear", "ties"):
        harness.say(f"  {method}")
        bare = merging_runs.ours(request(folder, method, "ours", repeats=repeats))
        hashed = merging_runs.ours(request(folder, method, "hashed", repeats=repeats, hashes=True))
        held = merging_runs.ours(request(folder, method, "ours", repeats=1, memory=True))
        versions |= bare["versions"]
        try:
            theirs = peers.ask(MERGEKIT, request(folder, method, "mergekit", repeats=repeats), 3600)
            their_peak = peers.ask(MERGEKIT, request(folder, method, "mergekit", repeats=1, memory=True), 3600)["peak"]
            versions |= theirs["versions"]
        except peers.Missing as reason:
            theirs, their_peak = None, None
            notes.append(f"mergekit: {reason}.")
        rows += method_rows(method, bare, hashed, held["peak"], theirs, their_peak)
    return rows, notes, versions


def method_rows(method: str, bare: Any, hashed: Any, peak: int, theirs: Any, their_peak: int | None) -> list[dict]:
    """Ours, ours with hashes, theirs with the same checks, and theirs without."""
    found = [
        row(f"{method}: catallax", bare["seconds"], bare, peak),
        row(f"{method}: catallax, with sha256 of all inputs", hashed["seconds"], hashed, None),
    ]
    if theirs is None:
        return found
    checked = [seconds + theirs["scan"] for seconds in theirs["seconds"]]
    found += [
        row(f"{method}: mergekit, with a look for NaN", checked, theirs, their_peak),
        row(f"{method}: mergekit as it is", theirs["seconds"], theirs, None),
    ]
    ours = statistics.median(bare["seconds"])
    for one in found:
        one["times catallax"] = one["CPU s"] / ours
    return found


def row(title: str, seconds: Sequence[float], run: Mapping[str, Any], peak: int | None) -> dict[str, Any]:
    """One side of one method."""
    told = {"merge": title, "CPU s": statistics.median(seconds), "least": min(seconds), "most": max(seconds)}
    told |= {"imports": run["imports"], "kernels": run.get("first")}
    return told | {"peak anonymous MB": None if peak is None else peak / MB}


def floor(folder: Path, repeats: int) -> dict[str, Any]:
    """Reading two models and writing one, with nothing in between."""
    seconds, walls = [], []
    for _ in range(repeats):
        start, wall, room = time.process_time(), time.perf_counter(), bytearray(1 << 17)
        with open(folder / "floor", "wb", buffering=0) as out:
            for name in "ba":
                with open(folder / name / "model.safetensors", "rb", buffering=0) as file:
                    while count := file.readinto(room):
                        if name == "a":
                            out.write(memoryview(room)[:count])
            os.fsync(out.fileno())
        seconds.append(time.process_time() - start)
        walls.append(time.perf_counter() - wall)
    (folder / "floor").unlink()
    told = {"merge": "the floor: two reads, one write, fsync", "CPU s": statistics.median(seconds)}
    return told | {"least": min(seconds), "most": max(seconds), "wall s": statistics.median(walls)}


# --- rounding ---------------------------------------------------------------------------------------------------------


def rounding(folder: Path) -> list[dict[str, Any]]:
    """How many entries of one matrix are not the float64 result, rounded once."""
    read = {name: open_model(folder / name).read(JUDGED) for name in ("base", "a", "b")}
    base, a, b = (read[name].astype(np.float64).ravel() for name in ("base", "a", "b"))
    exact = {"linear": (a + b) / 2, "ties": base + elected([a - base, b - base])}
    rows = []
    for method, wanted in exact.items():
        wanted = wanted.astype(np.float32).astype(BF16)
        for who in ("ours", "mergekit"):
            if (folder / f"{who}_{method}").is_dir():
                found = open_model(folder / f"{who}_{method}").read(JUDGED).ravel()
                share = float(np.mean(found.view(np.uint16) != wanted.view(np.uint16)))
                side = "catallax" if who == "ours" else who
                rows.append({"merge": f"{method}: {side}", "entries that differ, %": 100 * share})
    return rows


def elected(deltas: Sequence[np.ndarray]) -> np.ndarray:
    """TIES by sorting, in float64; of equal magnitudes the first are kept."""
    trimmed = []
    for delta in deltas:
        kept = np.argsort(-np.abs(delta), kind="stable")[: int(DENSITY * delta.size)]
        trimmed.append(np.where(np.isin(np.arange(delta.size), kept), delta, 0.0))
    sign = np.where(sum(trimmed) >= 0, 1.0, -1.0)
    agree = [np.where(x * sign > 0, x, 0.0) for x in trimmed]
    return sum(agree) / np.maximum(1, sum((x != 0).astype(np.float64) for x in agree))


# --- larger than memory -----------------------------------------------------------------------------------------------


def large(folder: Path, size: int) -> dict[str, Any]:
    """A merge of two models of shards, `size` bytes in all, in a process that may have no more than `LIMIT` of data."""
    free = shutil.disk_usage(folder).free
    size = min(size, int(2 * max(0, free - ROOM // 6)))
    columns, shard = 16_384, 10**9
    for name in "ab":
        (folder / f"large_{name}").mkdir()
        sparse(folder / f"large_{name}", size // 2, shard, columns)
    models = [str(folder / f"large_{name}") for name in "ab"]
    asked = request(folder, "linear", "large", repeats=1, memory=True, limit=LIMIT) | dict(models=models)
    harness.say(f"  {size / 1e9:.3g} GB of shards")
    found = merging_runs.ours(asked, timeout=3600)
    for name in ("large_a", "large_b", "large_linear"):
        shutil.rmtree(folder / name)
    peaks = {"peak anonymous MB": found["peak"] / MB, "allowed data MB": LIMIT / MB}
    return {"inputs GB": size / 1e9, "shards": 2 * -(-size // 2 // shard), "CPU s": found["cpu"], **peaks}


def sparse(folder: Path, size: int, shard: int, columns: int) -> None:
    """Shards of zeros that take no disk."""
    count, where = -(-size // shard), {}
    for k in range(count):
        rows = (min(size, (k + 1) * shard) - k * shard) // (2 * columns * 4)
        entries = {f"layer.{k}.{j}.weight": Entry("BF16", (rows, columns)) for j in range(4)}
        name = f"model-{k + 1:05}-of-{count:05}.safetensors"
        head = header(entries)
        with open(folder / name, "wb") as file:
            file.write(head)
            file.truncate(len(head) + sum(entry.bytes for entry in entries.values()))
        where |= dict.fromkeys(entries, name)
    told = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(told))


# --- the benchmark ----------------------------------------------------------------------------------------------------


def benchmark(options: harness.Options) -> harness.Report:
    """All tables. Quick: one layer, two repeats, a fiftieth of the large merge."""
    layers, repeats, size = (1, 2, LARGE // 50) if options.quick else (LAYERS, REPEATS, LARGE)
    with tempfile.TemporaryDirectory(prefix="catallax-merging-") as name:
        folder = Path(name)
        make(folder, layers)
        rows, notes, versions = timed(folder, repeats)
        rows.append(floor(folder, repeats))
        judged = rounding(folder)
        zeros = large(folder, size)
    notes += [
        "imports: CPU s of loading the library; kernels: of the process's first, small merge, which loads them from a cache.",
        f"Medians of {repeats} merges in one process, the least and the most; TIES: density {DENSITY:g} over the base.",
    ]
    tables = [
        harness.Table(f"Two models of {sum(map(np.prod, shapes(layers).values())) * 2 / MB:.0f} MB", rows, notes),
        harness.Table(
            f"Rounding of {JUDGED}",
            judged,
            ["Against float64, rounded once; TIES' reference keeps the first of equal magnitudes, as ours does."],
        ),
        harness.Table("Larger than memory", [zeros], ["Sparse files of zeros; the result, half as large, is written."]),
    ]
    return harness.Report("merging", QUESTION, tables, versions, options)


if __name__ == "__main__":
    raise SystemExit(harness.main(benchmark))
