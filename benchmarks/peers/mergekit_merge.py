"""A merge by mergekit's own merge stage, its imports apart, one thread.

Request: method (linear, ties), models, base (null for linear), weights, density, out, repeats, memory (true: the peak of
anonymous memory is read while it merges, which takes time of its own). Answer: imports (CPU s), seconds (CPU, one per
repeat), scan (CPU s of one look at all inputs for NaN and Inf), peak (bytes of anonymous memory, or null), versions.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import os
import time

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
START = time.process_time()

import importlib.metadata  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import pathlib  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402

import torch  # noqa: E402
from mergekit.config import MergeConfiguration  # noqa: E402
from mergekit.merge import run_merge  # noqa: E402
from mergekit.options import MergeOptions  # noqa: E402
from safetensors import safe_open  # noqa: E402

IMPORTS = time.process_time() - START


def configuration(request):
    """The merge as mergekit's configuration, in the type of its inputs."""
    models = [
        {"model": path, "parameters": {"weight": weight, "density": request["density"]}}
        for path, weight in zip(request["models"], request["weights"])
    ]
    told = {"merge_method": request["method"], "models": models, "dtype": "bfloat16"}
    if request["method"] == "linear":
        for model in models:
            del model["parameters"]["density"]
    if request["base"] is not None:
        told |= {"base_model": request["base"], "parameters": {"normalize": True}}
    return MergeConfiguration.model_validate(told)


def merged(request):
    """CPU seconds of one merge."""
    shutil.rmtree(request["out"], ignore_errors=True)
    options = MergeOptions(copy_tokenizer=False, quiet=True, write_model_card=True, safe_serialization=True)
    start = time.process_time()
    run_merge(configuration(request), request["out"], options)
    return time.process_time() - start


def scanned(request):
    """CPU seconds of looking at all inputs for what is no number."""
    start = time.process_time()
    folders = [*request["models"], *([request["base"]] if request["base"] else [])]
    for folder in folders:
        for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    assert bool(torch.isfinite(file.get_tensor(name)).all())
    return time.process_time() - start


def watched(action):
    """The peak of anonymous memory while something runs, in bytes."""
    peak, ended = [0], threading.Event()

    def look():
        while not ended.wait(0.01):
            with open("/proc/self/status") as file:
                found = next((line for line in file if line.startswith("RssAnon")), "RssAnon: 0 kB")
            peak[0] = max(peak[0], 1024 * int(found.split()[1]))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        action()
    finally:
        ended.set()
        watcher.join()
    return peak[0]


def main():
    """One request, one answer."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    request = json.loads(sys.argv[1])
    peak = watched(lambda: merged(request)) if request["memory"] else None
    seconds = [] if request["memory"] else [merged(request) for _ in range(request["repeats"])]
    found = {
        "imports": IMPORTS,
        "seconds": seconds,
        "scan": scanned(request),
        "peak": peak,
        "versions": {name: importlib.metadata.version(name) for name in ("mergekit", "torch", "transformers")},
    }
    print(json.dumps(found))


main()
