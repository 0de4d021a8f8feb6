"""State dicts merged by FusionBench.

Request: jobs, each with name, method (average, task-arithmetic, ties, dare, fisher, regmean), settings, models (files), base,
aids (files of Fisher information or Gram matrices, one a model), out (a file). Answer: done, by name the file that it wrote or
the reason why not; versions. Fisher and RegMean are the functions that its algorithms end in, given what they would compute.
"""

# pyright: reportMissingImports=false
# (the peer is not installed where ours is)

import os

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import contextlib
import importlib.metadata
import json
import sys

import torch
from fusion_bench.method.dare.task_arithmetic import DareTaskArithmetic
from fusion_bench.method.fisher_merging.fisher_merging import merging_with_fisher_weights
from fusion_bench.method.regmean.regmean import merging_with_regmean_weights
from fusion_bench.method.simple_average import SimpleAverageAlgorithm
from fusion_bench.method.task_arithmetic.task_arithmetic import TaskArithmeticAlgorithm
from fusion_bench.method.ties_merging.ties_merging import TiesMergingAlgorithm
from fusion_bench.modelpool import BaseModelPool
from safetensors.torch import load_file, save_file


def module(file):
    """A module with these weights."""
    state, model = load_file(file), torch.nn.Module()
    for name in sorted({key.split(".")[0] for key in state}):
        outputs, inputs = state[f"{name}.weight"].shape
        model.add_module(name, torch.nn.Linear(inputs, outputs))
    model.load_state_dict(state)
    return model


def algorithm(job):
    """The algorithm of a job's method."""
    given = job["settings"]
    if job["method"] == "average":
        return SimpleAverageAlgorithm()
    if job["method"] == "task-arithmetic":
        return TaskArithmeticAlgorithm(scaling_factor=given["scale"])
    if job["method"] == "ties":
        return TiesMergingAlgorithm(
            scaling_factor=given["scale"], threshold=100 * given["density"], remove_keys=[], merge_func="mean"
        )
    return DareTaskArithmetic(
        scaling_factor=given["scale"], sparsity_ratio=1 - given["density"], only_on_linear_weights=False
    )


def by_function(job):
    """Fisher and RegMean: the merged tensors."""
    states, aids = [load_file(file) for file in job["models"]], [load_file(file) for file in job["aids"]]
    by_name = {name: [state[name] for state in states] for name in states[0]}
    if job["method"] == "fisher":
        return merging_with_fisher_weights(by_name, aids, torch.ones(len(states)) / len(states))
    grams = [{name.removesuffix(".weight"): of for name, of in aid.items()} for aid in aids]
    return merging_with_regmean_weights(by_name, grams, reduce_non_diagonal_ratio=job["settings"]["alpha"])


def merged(job):
    """One merge: the file that it wrote."""
    if job["method"] in ("fisher", "regmean"):
        state = by_function(job)
    else:
        pool = {"_pretrained_": module(job["base"])} | {f"m{k}": module(file) for k, file in enumerate(job["models"])}
        state = algorithm(job).run(BaseModelPool(pool)).state_dict()
    save_file({name: tensor.detach().contiguous() for name, tensor in state.items()}, job["out"])
    return job["out"]


def main():
    """All jobs; a failure is an answer."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    request, done = json.loads(sys.argv[1]), {}
    for job in request["jobs"]:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                done[job["name"]] = merged(job)
        except Exception as error:
            done[job["name"]] = f"failed: {type(error).__name__}: {error}"
    versions = {name: importlib.metadata.version(name) for name in ("fusion-bench", "torch")}
    print(json.dumps({"done": done, "versions": versions}))


main()
