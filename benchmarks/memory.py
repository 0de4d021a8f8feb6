"""The memory bandwidth of this machine, measured: the yardstick for what must at least read its data once.

Two kernels over an array far larger than any cache, on one core and on all of them (after McCalpin, "Memory
bandwidth and machine balance in current high performance computers", IEEE TCCA newsletter, 1995):

    read    sum of x            n bytes are moved
    copy    y = x               2 n bytes are moved (a write-allocate is not counted, as in STREAM)

The best of the repeats is taken, not the median: a bandwidth is what the memory can do, and anything else
that runs can only hide it. Units: bytes per second.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numba
import numpy as np

EVERYONE = numba.get_num_threads()


@numba.njit(parallel=True, fastmath=True, cache=True)
def _read(array: np.ndarray) -> float:
    total = np.float32(0.0)
    for k in numba.prange(array.size):
        total += array[k]
    return float(total)


@numba.njit(parallel=True, cache=True)
def _copy(target: np.ndarray, source: np.ndarray) -> None:
    for k in numba.prange(source.size):
        target[k] = source[k]


def bandwidth(mebibytes: int = 512, repeats: int = 7) -> dict[str, float]:
    """Bytes per second of this machine: keys read_one, copy_one (one core), read_all, copy_all (all
    cores)."""
    source = np.ones(mebibytes * 2**18, np.float32)
    target = np.zeros_like(source)
    found: dict[str, float] = {}
    for label, threads in (("one", 1), ("all", EVERYONE)):
        found[f"read_{label}"] = source.nbytes / min(seconds_to_read(source, threads) for _ in range(repeats))
        found[f"copy_{label}"] = (
            2 * source.nbytes / min(_seconds(threads, _copy, target, source) for _ in range(repeats))
        )
    return found


def seconds_to_read(array: np.ndarray, threads: int | None = None) -> float:
    """Seconds of one pass over a flat float32 `array` that leaves nothing behind; on all cores by default."""
    return _seconds(threads or EVERYONE, _read, array)


def _seconds(threads: int, kernel: Callable[..., object], *arrays: np.ndarray) -> float:
    before = numba.get_num_threads()
    kernel(*(array[:1] for array in arrays))  # compiles
    numba.set_num_threads(threads)
    start = time.perf_counter()
    kernel(*arrays)
    elapsed = time.perf_counter() - start
    numba.set_num_threads(before)
    return elapsed
