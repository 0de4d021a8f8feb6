"""What the benchmark of merging runs in processes of their own: our merge, once for time and once for memory.

`python -m benchmarks.merging_runs REQUEST`; request and answer as in `peers/mergekit_merge.py`. Besides, in the request: `hashes`,
and `limit`, bytes of data that the process may have; in the answer: `first`, CPU s of the process's first merge, of a small
model, which loads or compiles kernels, and `cpu`, of the whole process.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def ours(request: Mapping[str, Any], timeout: float = 600.0) -> dict[str, Any]:
    """Our answer, from a fresh process with one thread."""
    command = [sys.executable, "-m", "benchmarks.merging_runs", json.dumps(request)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    finished = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, cwd=ROOT)
    if finished.returncode:
        raise RuntimeError(f"our merge failed: {finished.stderr.strip().splitlines()[-1]}")
    return json.loads(finished.stdout.splitlines()[-1])


def watched(action: Callable[[], Any]) -> int:
    """The peak of anonymous memory while something runs, in bytes."""
    peak, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            peak[0] = max(peak[0], anonymous())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        action()
    finally:
        ended.set()
        watcher.join()
    return max(peak[0], anonymous())


def anonymous() -> int:
    """Bytes of this process that are no file's; 0 where the system does not say."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next((1024 * int(line.split()[1]) for line in file if line.startswith("RssAnon")), 0)
    except OSError:
        return 0


def merged(request: Mapping[str, Any]) -> float:
    """CPU seconds of one merge: checks, a look for NaN, the merge, configuration, card, record, flush to disk."""
    from catallax.merging import merge

    settings = {} if request["method"] == "linear" else {"density": request["density"]}
    shutil.rmtree(request["out"], ignore_errors=True)
    start = time.process_time()
    merge(
        request["models"],
        request["method"],
        request["base"],
        request["weights"],
        out=request["out"],
        hashes=request["hashes"],
        **settings,
    )
    return time.process_time() - start


def main() -> None:
    """One request, one answer."""
    import importlib.metadata

    start = time.process_time()
    import numpy as np

    from catallax.merging import merge

    imports, start = time.process_time() - start, time.process_time()
    request = json.loads(sys.argv[1])
    if request.get("limit"):
        resource.setrlimit(resource.RLIMIT_DATA, (request["limit"],) * 2)
    small = {"w": np.ones(8, np.float32)}
    merge([small, small], request["method"], None if request["base"] is None else small)
    first = time.process_time() - start
    peak = watched(lambda: merged(request)) if request["memory"] else None
    seconds = [] if request["memory"] else [merged(request) for _ in range(request["repeats"])]
    versions = {name: importlib.metadata.version(name) for name in ("catallax", "numpy", "numba")}
    found = dict(imports=imports, first=first, seconds=seconds, cpu=time.process_time(), peak=peak, versions=versions)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
