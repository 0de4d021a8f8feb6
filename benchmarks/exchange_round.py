"""What a round costs at the least, and how soon the first answer is there.

    python -m benchmarks.exchange_round [--quick] [--json] [--device cpu|gpu]

A round of the exchange economy's trading posts must read every trader's endowment and taste once: what it has
bid depends on the prices, and prices on all bids. With n traders and m goods in float32 that is 8 n m bytes,
and at the memory bandwidth b that this machine shows (`benchmarks.memory`) one pass takes 8 n m / b seconds:
no round can be faster, and a good one is not much slower. The round is timed as users run it, through `run`,
by the difference between a long run and a short one, so that set-up does not count; plain, and summed in
fixed blocks, which makes the bits independent of the number of devices.

Start-up is of the command line, from the shell's point of view: a new process each time, `compare` once with
no compile cache at all and then with a warm one.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import harness, memory

TRADERS, GOODS, BLOCKS = 1_000_000, 16, 64
LONG, SHORT = 33, 3  # rounds: their difference is timed
TARGETS = {None: 1.4, BLOCKS: 1.7}  # times one pass over the data
START_TARGETS = {"--help": 0.5, "cold": 15.0, "warm": 6.0}  # seconds


# --- one round ----------------------------------------------------------------------------------------------


def economy(traders: int) -> Any:
    """Cobb-Douglas traders drawn at random: endowments exponential with mean 1, tastes uniform on the
    simplex."""
    import numpy as np

    from catallax.economy import Exchange

    random = np.random.default_rng(1)
    taste = random.standard_exponential((traders, GOODS), dtype=np.float32)
    taste /= taste.sum(1, keepdims=True)
    endowment = random.standard_exponential((traders, GOODS), dtype=np.float32)
    return Exchange(endowment, taste, np.ones(traders, np.float32))


@dataclasses.dataclass(frozen=True)
class Rounds:
    """Seconds of a round and of one pass over the same number of bytes, in turns, and of the first call."""

    rounds: list[float]
    passes: list[float]
    first: float
    cores: float
    others: float


def race(society: Any, blocks: int | None, data: Any) -> Rounds:
    """Times rounds and passes over `data` (flat float32) in turns, so that both meet the same neighbours."""
    import jax

    import catallax as cx

    def go(rounds: int) -> float:
        start = time.perf_counter()
        jax.block_until_ready(cx.run(society, rounds, blocks=blocks).society.signal)
        return time.perf_counter() - start

    first = go(SHORT)
    go(LONG)
    rounds, passes = [], []
    watch = harness.Watch()
    for _ in range(harness.REPEATS):
        passes.append(statistics.median(memory.seconds_to_read(data) for _ in range(harness.REPEATS)))
        rounds.append((go(LONG) - go(SHORT)) / (LONG - SHORT))
    return Rounds(rounds, passes, first, *watch.read())


def rounds_table(options: harness.Options) -> harness.Table:
    """A round, plain and in blocks, against one pass over the data."""
    import numpy as np

    traders = 2_000 * BLOCKS if options.quick else TRADERS
    data = np.ones(2 * traders * GOODS, np.float32)
    society = economy(traders).society()
    rows, notes = [], []
    for blocks, target in TARGETS.items():
        label = "plain" if blocks is None else f"{blocks} fixed blocks"
        harness.say(f"  a round, {label}")
        found = race(society, blocks, data)
        ratio = statistics.median(found.rounds) / statistics.median(found.passes)
        counts = {"cores used": found.cores, "others": found.others}
        rows.append({"what": "one pass over the data", **_milliseconds(found.passes)})
        rows.append(
            {
                "what": f"one round, {label}",
                **_milliseconds(found.rounds),
                "passes": ratio,
                "first call s": found.first,
                **counts,
            }
        )
        reached = "reached" if ratio <= target else "NOT reached"
        notes.append(f"Target at most {target} passes, {label}: {reached}, {ratio:.3g}.")
    best = memory.bandwidth(128 if options.quick else 512)
    spoken = ", ".join(f"{key.replace('_', ' ')} {value / 1e9:.3g}" for key, value in best.items())
    notes.append(
        f"A pass reads {data.nbytes / 1e6:,.0f} MB on all cores, in turns with the rounds. "
        f"The best that this machine showed, in GB/s: {spoken}."
    )
    return harness.Table(f"One round of {traders:,} Cobb-Douglas traders, {GOODS} goods", rows, notes)


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    return {"ms": 1e3 * statistics.median(seconds), "least": 1e3 * min(seconds), "most": 1e3 * max(seconds)}


# --- start-up -----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Start:
    """A command whose start-up is timed: its name in `START_TARGETS`, its arguments, and whether caches are
    kept."""

    name: str
    arguments: tuple[str, ...]
    keep_cache: bool


STARTS = (
    Start("--help", ("--help",), keep_cache=True),
    Start("cold", ("compare", "exchange", "--seed", "0"), keep_cache=False),
    Start("warm", ("compare", "exchange", "--seed", "0"), keep_cache=True),
)


def starts_table(options: harness.Options) -> harness.Table:
    """Wall time of whole processes. A quick run times `--help` alone."""
    program = Path(sys.executable).with_name("catallax")
    if not program.exists():
        note = f"No figures: the command is not installed beside {sys.executable}; `make bench` installs it."
        return harness.Table("Start-up of the command line", [{"what": "catallax"}], [note])
    rows, notes = [], []
    with tempfile.TemporaryDirectory() as folder:
        for start in STARTS[:1] if options.quick else STARTS:
            label = f"catallax {' '.join(start.arguments)}"
            label += "" if start.name == "--help" else f", {start.name} compile cache"
            harness.say(f"  {label}")
            try:
                seconds, (cores, others) = start_seconds(program, start, Path(folder))
            except (OSError, subprocess.SubprocessError) as error:
                rows.append({"what": label})
                notes.append(f"No figure for `{label}`: {error}.")
                continue
            median, target = statistics.median(seconds), START_TARGETS[start.name]
            rows.append(
                {
                    "what": label,
                    "s": median,
                    "least": min(seconds),
                    "most": max(seconds),
                    "cores used": cores,
                    "others": others,
                }
            )
            reached = "reached" if median <= target else "NOT reached"
            notes.append(f"Target at most {target:g} s, {label}: {reached}, {median:.3g} s.")
    return harness.Table("Start-up of the command line, start to report", rows, notes)


def start_seconds(program: Path, start: Start, folder: Path) -> tuple[list[float], tuple[float, float]]:
    """Seconds of whole processes, and who had the processors. With `keep_cache` one run goes before the
    clock."""
    seconds = []
    if start.keep_cache:
        once(program, start, folder)
    watch = harness.Watch()
    for _ in range(harness.REPEATS):
        if not start.keep_cache:
            shutil.rmtree(folder / "cache", ignore_errors=True)
        seconds.append(once(program, start, folder))
    return seconds, watch.read()


def once(program: Path, start: Start, folder: Path) -> float:
    """One process, its caches and its report under `folder`; raises `SubprocessError` where it fails."""
    out = () if start.name == "--help" else ("--out", str(folder / "report"))
    began = time.perf_counter()
    subprocess.run(
        [str(program), *start.arguments, *out],
        check=True,
        capture_output=True,
        timeout=300,
        env=own_caches(folder),
    )
    return time.perf_counter() - began


def own_caches(folder: Path) -> Mapping[str, str]:
    """An environment whose compile caches, JAX's and numba's, lie under `folder` and nowhere else."""
    cache = folder / "cache"
    own = {
        "XDG_CACHE_HOME": str(cache),
        "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
        "NUMBA_CACHE_DIR": str(cache / "numba"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),  # Matplotlib's list of fonts is not a compile cache: kept
    }
    return {**os.environ, **own}


def benchmark(options: harness.Options) -> harness.Report:
    """The cost of a round, and the start-up of the command line."""
    device = harness.choose_device(options.device)
    tables = [rounds_table(options), starts_table(options)]
    return harness.Report(
        name=f"exchange round, start-up ({options.device})",
        question=f"What does a round cost beside a pass over the data ({device}), and how long is a start?",
        tables=tables,
        versions=harness.versions("catallax", "jax", "jaxlib", "numba", "numpy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
