"""Does the generator behave like chance? Its streams through dieharder, R. G. Brown's battery of tests (2003-).

    python -m benchmarks.random_battery            all tests but the longest: about half an hour a stream
    python -m benchmarks.random_battery --full     `dieharder -a`, with its 33 lagged sums: hours a stream
    python -m benchmarks.random_battery --quick    four short tests, to see that it works

The words are made by `catallax.core.kernel` (bit for bit those of JAX) and piped into `dieharder -g 200`, so they
are tested in the order in which a simulation uses them, not only as one long stream:

    one key         word after word of one key (of its siblings after 2^32 words, which is all that a key has)
    agents          the first word of agent 0, 1, .. 99,999 of a round, then of the next round
    seeds           the first word of seed 0, 1, 2, ...
    64 bits         both halves of the 64-bit draws of one key

A p-value is uniform where the words are random: dieharder calls it WEAK outside [0.005, 0.995], so one in a hundred
is, and FAILED outside [0.000001, 0.999999]. The exit code is 1 if one failed, 3 where dieharder is not installed.
`diehard_sums` is in `-a`, but its author marks it "do not use": it is left out otherwise.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numba
import numpy as np

from benchmarks import harness
from catallax.core import kernel
from catallax.core.random import ROOT, host_fold_in, host_key

SEED = 2024
CHUNK = 100_000  # words to a write; agents to a round
KEPT = harness.HERE / "results" / "random_battery.md"
LINE = re.compile(r"^\s*(\w+)\|\s*(\d+)\|\s*(\d+)\|\s*(\d+)\|\s*([\d.]+)\|\s*(\w+)\s*$")
QUICK = [(0, None), (15, None), (204, None), (209, None)]
USUAL = [
    *((test, None) for test in (*range(14), 15, 16, 17, 100, 101, 102, 204, 205, 206, 207, 208, 209)),
    *((200, bits) for bits in range(1, 13)),  # distribution of n bits
    *((201, dimension) for dimension in range(2, 6)),  # minimum distance
    *((202, items) for items in range(2, 6)),  # permutations
    *((203, lag) for lag in (0, 1, 3)),  # lagged sums
]


# --- streams -------------------------------------------------------------------------------------------------


@numba.njit(nogil=True)
def _words(k0, k1, start, out):
    for j in range(out.size):
        out[j] = kernel.word(k0, k1, start + j)


@numba.njit(nogil=True)
def _pairs(k0, k1, start, out):
    for j in range(out.size // 2):
        out[2 * j], out[2 * j + 1] = kernel.scramble(k1, k0, start + j)


@numba.njit(nogil=True)
def _first_words(k0, k1, start, then, out):
    """The first word of child `start` + j, or of child `then` of that child where `then` is not negative."""
    for j in range(out.size):
        a, b = kernel.fold_in(k0, k1, start + j)
        if then >= 0:
            a, b = kernel.fold_in(a, b, then)
        out[j] = kernel.word(a, b, 0)


def one_key(out: np.ndarray) -> Iterator[None]:
    """Fill `out`, again and again, with the next words of a key, then of its siblings."""
    for sibling in range(2**32):
        k0, k1 = host_fold_in(host_key(SEED, 0), sibling)
        for start in range(0, 2**32 - out.size, out.size):
            yield _words(k0, k1, start, out)


def both_halves(out: np.ndarray) -> Iterator[None]:
    """The same with 64-bit draws, the high half of each before the low one."""
    for sibling in range(2**32):
        k0, k1 = host_fold_in(host_key(SEED, 0), sibling)
        for start in range(0, 2**32 - out.size, out.size // 2):
            yield _pairs(k0, k1, start, out)


def agents(out: np.ndarray) -> Iterator[None]:
    """The first words of as many agents as `out` has places, round after round."""
    for turn in range(2**32):
        k0, k1 = host_key(SEED, turn)
        yield _first_words(k0, k1, 0, -1, out)


def seeds(out: np.ndarray) -> Iterator[None]:
    """The first words of consecutive seeds, whose keys are the root, the low half and the high half folded in."""
    for high in range(2**32):
        for start in range(0, 2**32 - out.size, out.size):
            yield _first_words(ROOT[0], ROOT[1], start, high, out)


STREAMS: dict[str, Callable[[np.ndarray], Iterator[None]]] = {
    "one key": one_key,
    "agents": agents,
    "seeds": seeds,
    "64 bits": both_halves,
}


def pour(stream: Callable[[np.ndarray], Iterator[None]], pipe: BinaryIO) -> None:
    """Write the stream until the reader has enough."""
    out = np.empty(CHUNK, np.uint32)
    try:
        for _ in stream(out):
            pipe.write(out.data)
        raise RuntimeError("the stream has ended, which none of them should")
    except BrokenPipeError:
        pass


# --- the battery ---------------------------------------------------------------------------------------------


def dieharder(stream: str, arguments: list[str]) -> Iterator[dict[str, object]]:
    """The rows that one run of dieharder prints about a stream, as it prints them."""
    columns = ["test_name", "ntuple", "tsamples", "psamples", "pvalues", "assessment"]
    flags = [word for column in columns for word in ("-D", column)]
    command = ["dieharder", "-g", "200", *flags, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None and process.stdout is not None  # both are pipes
        writer = threading.Thread(target=pour, args=(STREAMS[stream], process.stdin), daemon=True)
        writer.start()
        found = 0
        for line in process.stdout:
            harness.say(f"{stream:8} {line.decode().rstrip()}")
            if match := LINE.match(line.decode()):
                found += 1
                yield result(stream, *match.groups())
        writer.join()
    if process.returncode or not found:
        raise RuntimeError(f"`{' '.join(command)}` ended with code {process.returncode} and {found} results")


def result(stream: str, test: str, size: str, samples: str, values: str, p: str, verdict: str) -> dict[str, object]:
    """A row of the table from the words of a line of dieharder."""
    counts = {"size": int(size), "samples": int(samples), "p-values": int(values)}
    return {"stream": stream, "test": test, **counts, "p": float(p), "assessment": verdict}


def battery(stream: str, options: argparse.Namespace) -> list[dict[str, object]]:
    """The rows of all tests that were asked for; each test, but in `-a`, starts the stream anew."""
    if options.full:
        return list(dieharder(stream, ["-a"]))
    return [
        row
        for test, size in (QUICK if options.quick else USUAL)
        for row in dieharder(stream, ["-d", str(test), *(["-n", str(size)] if size is not None else [])])
    ]


def summary(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """How many p-values of each stream passed, were weak, failed."""
    counts = {name: Counter(r["assessment"] for r in rows if r["stream"] == name) for name in STREAMS}
    return [
        {"stream": name, "p-values": sum(c.values()), **{v: c[v] for v in ("PASSED", "WEAK", "FAILED")}}
        for name, c in counts.items()
        if c
    ]


def report(rows: list[dict[str, object]], options: argparse.Namespace) -> harness.Report:
    """What is known so far."""
    tables = [
        harness.Table("Counts", summary(rows), ["One p-value in a hundred is WEAK where words are random."]),
        harness.Table("Tests", rows),
    ]
    names = ("dieharder -a" if options.full else "a selection of dieharder") + ", " + ", ".join(STREAMS)
    return harness.Report(
        name="random_battery",
        question=f"Do the words of the counter-based generator behave like chance? ({names})",
        tables=tables,
        versions={"dieharder": version(), **harness.versions("catallax", "numba", "numpy")},
        options=harness.Options(options.quick, options.json, options.device),
    )


def version() -> str:
    """The version of dieharder on the path."""
    text = subprocess.run(["dieharder", "-l"], stdout=subprocess.PIPE, text=True).stdout
    return match.group(1) if (match := re.search(r"version (\S+)", text)) else "not known"


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="four short tests, to see that it works")
    parser.add_argument("--full", action="store_true", help="`dieharder -a`: hours")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, no tables")
    parser.add_argument("--device", default="cpu", help="accepted for `python -m benchmarks`; words come from the host")
    return parser.parse_args()


def main() -> int:
    """Run the battery stream after stream; the exit code."""
    options = parse()
    if shutil.which("dieharder") is None:
        harness.say("dieharder is not on the path: install it, on Debian with `apt-get install dieharder`.")
        return 3
    rows: list[dict[str, object]] = []
    for stream in STREAMS:
        rows += battery(stream, options)
        if not options.quick:  # what is known so far is kept
            KEPT.parent.mkdir(exist_ok=True)
            KEPT.write_text(report(rows, options).markdown(), encoding="utf-8")
    found = report(rows, options)
    print(found.json() if options.json else found.markdown())
    return int(any(r["assessment"] == "FAILED" for r in rows))


if __name__ == "__main__":
    sys.exit(main())
