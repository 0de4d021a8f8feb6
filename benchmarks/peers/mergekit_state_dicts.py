"""State dicts merged by mergekit-pytorch.

Request: jobs, each with name, config (as `mergekit-pytorch` reads it), out (a folder). Answer: done, by name the file that it
wrote or the reason why not; versions.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import importlib.metadata
import json
import pathlib
import sys

import torch
from mergekit.graph import Executor
from mergekit.options import MergeOptions
from mergekit.scripts.merge_raw_pytorch import RawPyTorchMergeConfig, plan_flat_merge


def merged(job):
    """One merge: the file that it wrote."""
    options = MergeOptions(quiet=True, safe_serialization=True)
    config = RawPyTorchMergeConfig.model_validate(job["config"])
    tasks = plan_flat_merge(config, job["out"], False, False, options)
    Executor(tasks, math_device="cpu", storage_device="cpu").execute()
    return str(next(pathlib.Path(job["out"]).glob("*.safetensors")))


def main():
    """All jobs; a failure is an answer."""
    torch.set_num_threads(1)
    request, done = json.loads(sys.argv[1]), {}
    for job in request["jobs"]:
        try:
            done[job["name"]] = merged(job)
        except Exception as error:
            done[job["name"]] = f"failed: {type(error).__name__}: {error}"
    versions = {name: importlib.metadata.version(name) for name in ("mergekit", "torch")}
    print(json.dumps({"done": done, "versions": versions}))


main()
