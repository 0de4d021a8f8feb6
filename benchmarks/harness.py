"""What every benchmark shares: options, the machine, fair timing, tables, and the entry point.

Units: seconds unless a name says otherwise; memory in GiB (2**30 bytes).

Timing on a shared machine. A time is the median of at least five, shown with the smallest and the largest.
Two figures beside it say how far to trust it, both read off the kernel's accounts over the same interval:

    cores used    processor time of this process (and its finished children) / wall time
    others        processor time of everybody else / wall time: 0 on a quiet machine

`others` is NaN where the system keeps no such account (/proc/stat is Linux's).
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

REPEATS = 5
HERE = Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Options:
    """How a benchmark was asked to run.

    `quick`: smaller sizes and fewer rounds, to see that it works; its figures are not to be quoted.
    `device`: "cpu" or "gpu", for what runs on JAX. Peers run on the CPU in either case.
    """

    quick: bool = False
    json: bool = False
    device: str = "cpu"


def parse(arguments: Sequence[str] | None = None, description: str = "") -> Options:
    """The options of a command line; usage errors leave with code 2, as argparse does."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, no tables")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where JAX runs")
    return Options(**vars(parser.parse_args(arguments)))


def kept(path: Path, find: Callable[[], Any]) -> Any:
    """What was found and written to this file (JSON), or is found now and kept: a benchmark that was cut off goes on."""
    if not path.is_file():
        found = find()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found), encoding="utf-8")
        part.replace(path)
        say(path.stem)
    return json.loads(path.read_text(encoding="utf-8"))


def choose_device(device: str) -> str:
    """Bind JAX to `device` and return what it found, in words. To be called before any JAX computation.

    Raises `RuntimeError`, in a sentence, where the device is not at hand.
    """
    import jax

    jax.config.update("jax_platforms", {"cpu": "cpu", "gpu": "cuda"}[device])
    try:
        found = jax.devices()
    except RuntimeError as error:
        raise RuntimeError(f"no {device} is at hand for JAX on this machine ({error})") from error
    return f"{len(found)} x {found[0].device_kind}"


# --- the machine --------------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """The machine in words: processor, cores, memory, load at this moment, system, Python, date."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": _memory(),
        "load": " ".join(f"{x:.2f}" for x in os.getloadavg()) if hasattr(os, "getloadavg") else "not known",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "not known"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError):
        return "not known"


def versions(*names: str) -> dict[str, str]:
    """The installed versions of the named distributions; "not installed" where there is none."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


# --- timing -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Timing:
    """Wall times of repeats of one action, in seconds, and who had the processors meanwhile (in cores)."""

    seconds: tuple[float, ...]
    cores: float
    others: float

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def low(self) -> float:
        return min(self.seconds)

    @property
    def high(self) -> float:
        return max(self.seconds)


def measure(action: Callable[[], object], repeats: int = REPEATS) -> Timing:
    """Time `action` `repeats` times. The action itself waits for its results (`block_until_ready`)."""
    if repeats < REPEATS:
        raise ValueError(f"a median here is of at least {REPEATS} repeats, got {repeats}")
    seconds = []
    watch = Watch()
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    cores, others = watch.read()
    return Timing(tuple(seconds), cores, others)


def measure_once(action: Callable[[], object]) -> float:
    """Seconds of one call: of a first one, which compiles."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


class Watch:
    """Who had the processors since it was made: this process with its finished children, and everybody
    else."""

    def __init__(self) -> None:
        self._start = (time.perf_counter(), _own_seconds(), _all_seconds())

    def read(self) -> tuple[float, float]:
        """(cores used by us, cores used by others), averages since the watch was made."""
        wall, own, everybody = (
            now - then
            for now, then in zip((time.perf_counter(), _own_seconds(), _all_seconds()), self._start, strict=True)
        )
        return own / wall, max(0.0, everybody - own) / wall if math.isfinite(everybody) else math.nan


def _own_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _all_seconds() -> float:
    """Busy processor seconds of the machine since its start: all but idle and waiting, stolen time among
    them."""
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    except OSError:
        return math.nan
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(x) for x in fields)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


# --- tables -------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under one title. A row is a mapping from column to a number or a word; a column that a row has not
    is left empty. `notes` are sentences printed under it."""

    title: str
    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        columns = list(dict.fromkeys(column for row in self.rows for column in row))
        cells = [columns, *([_cell(row.get(column)) for column in columns] for row in self.rows)]
        widths = [max(len(line[k]) for line in cells) for k in range(len(columns))]
        lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
        rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
        notes = [f"- {note}" for note in self.notes]
        return "\n".join([f"### {self.title}", "", lines[0], rule, *lines[1:], *([""] if notes else []), *notes])


@dataclasses.dataclass(frozen=True)
class Report:
    """What a benchmark returns: a name, the question it answers in a sentence, its tables and the
    versions."""

    name: str
    question: str
    tables: Sequence[Table]
    versions: Mapping[str, str]
    options: Options
    machine: Mapping[str, str] = dataclasses.field(default_factory=machine)

    def markdown(self) -> str:
        about = ", ".join(f"{key} {value}" for key, value in self.machine.items())
        used = ", ".join(f"{key} {value}" for key, value in self.versions.items())
        quick = "**A quick run: these figures are not to be quoted.**\n\n" if self.options.quick else ""
        head = f"## {self.name}\n\n{self.question}\n\n{quick}Machine: {about}.  \nVersions: {used}."
        return "\n\n".join([head, *(table.markdown() for table in self.tables)]) + "\n"

    def json(self) -> str:
        return json.dumps(_plain(dataclasses.asdict(self)), indent=1)


def report_from(text: str) -> Report:
    """The report that `Report.json` wrote."""
    read = json.loads(text)
    return Report(
        name=read["name"],
        question=read["question"],
        tables=[Table(**table) for table in read["tables"]],
        versions=read["versions"],
        options=Options(**read["options"]),
        machine=read["machine"],
    )


def _cell(value: Any) -> str:
    """A number to three digits, large ones as 1.23e+08; a word as it is."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value).replace("|", "/")
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e4):
        return f"{value:,.0f}"
    return f"{value:.2e}" if abs(value) >= 1e4 or 0 < abs(value) < 1e-3 else f"{value:.3g}"


def _plain(value: Any) -> Any:
    """JSON has no NaN, which becomes null, and no numbers of NumPy's."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- running ------------------------------------------------------------------------------------------------


def say(*words: object) -> None:
    """Progress: to stderr, so that stdout stays one table or one JSON object."""
    print(*words, file=sys.stderr, flush=True)


def main(benchmark: Callable[[Options], Report], arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark from the command line; the exit code is 1 where the device asked for is not there."""
    options = parse(arguments, (sys.modules[benchmark.__module__].__doc__ or "").split("\n", 1)[0])
    try:
        report = benchmark(options)
    except RuntimeError as error:
        say(error)
        return 1
    print(report.json() if options.json else report.markdown())
    return 0
