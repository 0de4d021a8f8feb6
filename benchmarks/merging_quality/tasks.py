"""Eight tasks in one model: every method beside mergekit and FusionBench, at the same settings."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from benchmarks import harness, peers
from benchmarks.merging_quality import suite as merging_suite
from benchmarks.merging_quality.kept import RUNS, half, kept, kept_numbers, tag
from benchmarks.merging_quality.suite import Size, Weights

DATA = 1000  # rows of training by which Fisher and Gram are measured
MERGEKIT = peers.Peer(
    "mergekit",
    ("torch==2.13.0", "mergekit==0.1.5", "transformers==5.24.0", "huggingface_hub==2.4.0", "datasets==5.2.0"),
    "mergekit_state_dicts.py",
)
FUSION = peers.Peer(
    "fusion-bench", ("torch==2.13.0", "fusion-bench==0.2.33", "numpy==2.4.6"), "fusion_bench_state_dicts.py"
)
SCALES = tuple({"scale": scale} for scale in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7))
TRIALS: dict[str, tuple[dict[str, Any], ...]] = {
    "linear": ({},),
    "task-arithmetic": SCALES,
    "ties": tuple({"density": d, "scale": s} for d in (0.2, 0.5) for s in (0.5, 1.0, 1.5)),
    "dare": tuple({"density": 0.5, **one} for one in SCALES),
    "breadcrumbs": tuple({"density": 0.9, "outliers": 0.01, **one} for one in SCALES),
    "model-stock": ({},),
    "fisher": tuple({"floor": floor} for floor in (1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)),
    "regmean": tuple({"alpha": alpha} for alpha in (0.5, 0.7, 0.8, 0.9, 0.95, 1.0)),
    "regmean, alpha .95": ({"alpha": 0.95},),  # FusionBench inverts Gram matrices, which at alpha 1 are singular
    "median": ({},),
    "trimmed-mean": tuple({"trim": trim} for trim in (0.125, 0.25, 0.375)),
    "geometric-median": ({},),
    "krum": ({},),
}


class Suite:
    """The base, heads, fine-tunes, Fisher information and Gram matrices of one seed."""

    def __init__(self, seed: int, size: Size) -> None:
        self.seed, self.size, self.tasks = seed, size, merging_suite.tasks(size.rows)
        self.folder = RUNS / tag(size, seed)
        base = kept(f"{tag(size, seed)}/start", self.start)
        self.heads = base.pop("heads")
        self.base = kept(f"{tag(size, seed)}/base", lambda: base)
        numbers = range(len(self.tasks))
        self.models = [kept(f"{tag(size, seed)}/model{k}", lambda k=k: self.tuned(k)) for k in numbers]
        self.fishers = [kept(f"{tag(size, seed)}/fisher{k}", lambda k=k: self.fisher(k)) for k in numbers]
        self.grams = [kept(f"{tag(size, seed)}/gram{k}", lambda k=k: self.gram(k)) for k in numbers]

    def start(self) -> Weights:
        trunk, heads = merging_suite.base_of(self.seed, self.size)
        return {**trunk, "heads": heads}

    def tuned(self, k: int) -> Weights:
        task = self.tasks[k]
        return merging_suite.tuned_on(task.training, self.base, self.heads, k, task.classes, self.seed, self.size)

    def fisher(self, k: int) -> Weights:
        task = self.tasks[k]
        return merging_suite.fisher_of(self.models[k], self.heads[k][: task.classes], task.training[0][:DATA])

    def gram(self, k: int) -> Weights:
        from catallax.merging.methods.regmean import gram

        shown = merging_suite.inputs_of(self.models[k], self.tasks[k].training[0][:DATA])
        return {name: gram(inputs) for name, inputs in shown.items()}

    def merged(self, method: str, settings: Mapping[str, Any]) -> Weights:
        from catallax.merging import merge

        name = method.split(",")[0]
        aids: dict[str, Any] = {"fisher": {"fishers": self.fishers}, "regmean": {"grams": self.grams}}.get(name, {})
        return merge(self.models, name, base=self.base, hashes=False, seed=self.seed, **settings, **aids).model

    def accuracies(self, trunk: Weights, part: str = "test") -> list[float]:
        return merging_suite.accuracies(trunk, self.heads, self.size, part).tolist()

    def own(self) -> list[float]:
        """Of each fine-tune on its own task."""
        return [
            merging_suite.right(model, head, task.test, task.classes)
            for model, head, task in zip(self.models, self.heads, self.tasks, strict=True)
        ]


# --- merged, by us and by peers ---


def chosen(method: str, suites: list[Suite]) -> dict[str, Any]:
    """The setting with the best mean accuracy on validation rows."""

    def worth(settings: dict[str, Any]) -> float:
        return float(np.mean([suite.accuracies(suite.merged(method, settings), "validation") for suite in suites]))

    trials = TRIALS[method]
    return trials[0] if len(trials) == 1 else max(trials, key=worth)


def by_us(suites: list[Suite], size: Size) -> dict[str, dict[str, Any]]:
    """By method: its setting, and accuracies [seeds, tasks]."""
    found = {}
    for method in TRIALS:

        def find(method: str = method) -> dict[str, Any]:
            settings = chosen(method, suites)
            return {"settings": settings, "right": [one.accuracies(one.merged(method, settings)) for one in suites]}

        found[method] = kept_numbers(f"{'-'.join(map(str, size))}/{len(suites)}-{method}", find)
        harness.say(f"  {method}: {np.mean(found[method]['right']):.2f} {found[method]['settings']}")
    return found


def mergekit_job(method: str, settings: Mapping[str, Any], suite: Suite) -> dict[str, Any] | None:
    """The same merge as mergekit is told it; None where it has no such method."""
    names = {"linear": "linear", "task-arithmetic": "task_arithmetic", "ties": "ties", "dare": "dare_linear"}
    names |= {"breadcrumbs": "breadcrumbs", "model-stock": "model_stock"}
    if method not in names:
        return None
    each: dict[str, Any] = {} if method == "model-stock" else {"weight": 1.0}
    each |= {"density": settings["density"]} if "density" in settings else {}
    each |= {"gamma": settings["outliers"]} if "outliers" in settings else {}
    config: dict[str, Any] = {
        "merge_method": names[method],
        "dtype": "float32",
        "models": [{"model": str(path), "parameters": each} for path in files(suite, "model")],
    }
    if method != "linear":
        config["base_model"] = str(suite.folder / "base.safetensors")
    if "scale" in settings:
        config["parameters"] = {"lambda": settings["scale"], "normalize": method == "ties"}
    return {"config": config, "out": str(suite.folder / "mergekit" / method)}


def fusion_job(method: str, settings: Mapping[str, Any], suite: Suite) -> dict[str, Any] | None:
    """The same merge as FusionBench is told it; None where it has no such method, or one that is for CLIP alone."""
    names, name = ("linear", "task-arithmetic", "ties", "dare", "fisher", "regmean"), method.split(",")[0]
    if name not in names:
        return None
    (suite.folder / "fusion").mkdir(exist_ok=True)
    return {
        "method": "average" if name == "linear" else name,
        "settings": dict(settings),
        "models": [str(path) for path in files(suite, "model")],
        "aids": [str(path) for path in files(suite, {"fisher": "fisher", "regmean": "gram"}.get(name, "model"))],
        "base": str(suite.folder / "base.safetensors"),
        "out": str(suite.folder / "fusion" / f"{method}.safetensors"),
    }


def files(suite: Suite, kind: str) -> list[Path]:
    """One a model."""
    return [suite.folder / f"{kind}{k}.safetensors" for k in range(len(suite.models))]


def by_peer(
    peer: peers.Peer, job_of: Callable[..., Any], ours: Mapping[str, Any], suites: list[Suite], asked: bool
) -> tuple[dict[str, Any], list[str], dict[str, str]]:
    """By method accuracies [seeds, tasks] and the largest difference from our tensors; sentences; versions."""
    if not asked:
        return {}, [f"{peer.name} takes long to load, and is not asked in a quick run."], {}
    jobs = []
    for suite, (method, row) in itertools.product(suites, ours.items()):
        job = job_of(method, row["settings"], suite)
        if job is not None:
            jobs.append({"name": f"{suite.seed} {method}", **job})
    key = f"{tag(suites[0].size, 0)}-{len(suites)}-{peer.name}"
    try:
        answer = kept_numbers(key, lambda: peers.ask(peer, {"jobs": jobs}, timeout=1200))
    except peers.Missing as why:
        return {}, [f"{peer.name}: {why}."], {}
    found: dict[str, Any] = {}
    notes = {}
    for suite, (method, row) in itertools.product(suites, ours.items()):
        told = answer["done"].get(f"{suite.seed} {method}")
        if told is None or told.startswith("failed"):
            notes |= {method: f"{peer.name}, {method} {told}."} if told else {}
            continue
        theirs, own = load_file(told), suite.merged(method, row["settings"])
        apart = max(float(np.abs(theirs[name] - own[name]).max()) for name in own)
        of = found.setdefault(method, {"right": [], "apart": []})
        of["right"].append(suite.accuracies(theirs))
        of["apart"].append(apart)
    return found, list(notes.values()), answer["versions"]


def suite_tables(suites: list[Suite], size: Size, asked: bool) -> tuple[list[harness.Table], dict[str, str]]:
    """Mean accuracy of every method beside its peers', and accuracies by task."""
    ours = by_us(suites, size)
    kit, kit_notes, kit_versions = by_peer(MERGEKIT, mergekit_job, ours, suites, asked)
    fusion, fusion_notes, fusion_versions = by_peer(FUSION, fusion_job, ours, suites, asked)
    bounds = {
        "base": [one.accuracies(one.base) for one in suites],
        "each fine-tune on its own task": [s.own() for s in suites],
    }
    right = bounds | {method: row["right"] for method, row in ours.items()}
    mean = {name: np.mean(values, axis=1) for name, values in right.items()}
    rows = []
    for name, values in mean.items():
        gain = values - mean["linear"]
        row: dict[str, Any] = {
            "merge": name,
            "accuracy %": float(values.mean()),
            "over linear": gain.mean(),
            "+-": half(gain),
        }
        row |= {"setting": told(ours[name]["settings"])} if name in ours else {}
        for label, peer in (("mergekit", kit), ("FusionBench", fusion)):
            if name in peer:
                row |= {
                    f"{label} %": float(np.mean(peer[name]["right"])),
                    f"{label}: tensors apart": max(peer[name]["apart"]),
                }
        rows.append(row)
    by_task = [
        {"merge": name, **{task.name: np.mean(values, axis=0)[k] for k, task in enumerate(suites[0].tasks)}}
        for name, values in right.items()
    ]
    notes = [*NOTES, sent(suites[0]), *kit_notes, *fusion_notes]
    tables = [
        harness.Table(f"Eight tasks in one model, {len(suites)} seeds", rows, notes),
        harness.Table("The same by task, %", by_task),
    ]
    return tables, kit_versions | fusion_versions


def sent(suite: Suite) -> str:
    """What RegMean costs in bits, in a sentence."""
    from catallax.merging.methods.regmean import bits

    total, weights = bits(suite.grams, suite.models), bits([], suite.models)
    return f"RegMean: {total / 1e6:,.1f} Mbit are sent once by all, of which {weights / 1e6:,.1f} are the weights."


def told(settings: Mapping[str, Any]) -> str:
    """A setting in words."""
    return " ".join(f"{key} {value}" for key, value in settings.items())


NOTES = (
    "Heads are not merged, as in FusionBench. Of CLIP ViT-B/32 it reports 48.2 for the base, 66.5 for averaging, 68.0 for task "
    "arithmetic, 72.2 for TIES, 70.6 for Fisher, 82.4 for RegMean, 90.3 for the fine-tunes: another suite, for orientation.",
    "Tensors apart: the largest difference of any element between the peer's merge and ours, over all seeds; draws (DARE) differ.",
    "Median, trimmed mean, geometric median and Krum defend against liars; here nobody lies, and what they cost is seen.",
)
