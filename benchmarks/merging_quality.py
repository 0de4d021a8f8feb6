"""What merges are worth: eight tasks in one model beside mergekit and FusionBench, alignment, and members that lie.

    python -m benchmarks.merging_quality [--quick] [--json]

The suite is in `merging_suite`. A setting is chosen on validation rows among at most six a method, by the mean accuracy over
tasks and seeds; accuracy is that on test rows. Peers merge the same files at the same settings, in environments of their own.
Intervals are 95 % of paired differences over seeds (t). Networks, and what peers made of them, are kept in benchmarks/.runs:
a benchmark that was interrupted goes on.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks import harness, merging_suite, mnist, peers
from benchmarks.merging_suite import Size, Weights

QUESTION = "Many models, none in command: how good is what is merged?"
RUNS = harness.HERE / ".runs" / "merging_quality"
SEEDS, PAIRS, DATA = 3, 3, 1000  # seeds; pairs that are aligned; rows of training by which Fisher and Gram are measured
QUICK = Size(rows=600, tuned=40, base=100)
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
    "median": ({},),
    "trimmed-mean": tuple({"trim": trim} for trim in (0.125, 0.25, 0.375)),
    "geometric-median": ({},),
    "krum": ({},),
}


# --- what is kept ---


def kept(name: str, find: Callable[[], Weights]) -> Weights:
    """Arrays that were found under this name, or are found now and kept."""
    path = RUNS / f"{name}.safetensors"
    if not path.is_file():
        found = find()
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: np.ascontiguousarray(array) for key, array in found.items()}, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
        harness.say(f"  {name}")
    return load_file(path)


def kept_numbers(name: str, find: Callable[[], Any]) -> Any:
    """Numbers and words likewise."""
    return harness.kept(RUNS / f"{name}.json", find)


def tag(size: Size, seed: int) -> str:
    """The folder of a seed."""
    return f"{'-'.join(map(str, size))}/seed{seed}"


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

        aids: dict[str, Any] = {"fisher": {"fishers": self.fishers}, "regmean": {"grams": self.grams}}.get(method, {})
        return merge(self.models, method, base=self.base, hashes=False, seed=self.seed, **settings, **aids).model

    def accuracies(self, trunk: Weights, part: str = "test") -> list[float]:
        return merging_suite.accuracies(trunk, self.heads, self.size, part).tolist()

    def own(self) -> list[float]:
        """Of each fine-tune on its own task."""
        return [
            merging_suite.right(model, head, task.test, task.classes)
            for model, head, task in zip(self.models, self.heads, self.tasks, strict=True)
        ]


# --- eight tasks in one model ---


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
    names = ("linear", "task-arithmetic", "ties", "dare", "fisher", "regmean")
    if method not in names:
        return None
    (suite.folder / "fusion").mkdir(exist_ok=True)
    return {
        "method": "average" if method == "linear" else method,
        "settings": dict(settings),
        "models": [str(path) for path in files(suite, "model")],
        "aids": [str(path) for path in files(suite, {"fisher": "fisher", "regmean": "gram"}.get(method, "model"))],
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


def half(differences: Any) -> float:
    """Half a 95 % interval of the mean of paired differences."""
    from scipy import stats

    count = len(differences)
    if count < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, count - 1) * np.std(differences, ddof=1) / count**0.5)


def told(settings: Mapping[str, Any]) -> str:
    """A setting in words."""
    return " ".join(f"{key} {value}" for key, value in settings.items())


# --- alignment ---


def alone(number: int, rows: slice, steps: int) -> Weights:
    """A network that was trained alone, kept."""
    return kept(f"alone-{steps}/{number}", lambda: trained_alone(100 + number, rows, steps))


def trained_alone(seed: int, rows: slice, steps: int) -> Weights:
    """A network 784-512-512-10 on some rows of MNIST, from weights of its own."""
    X, y = mnist.training()
    trunk, head = merging_suite.drawn(seed, 1)
    places = np.random.default_rng([seed, 3]).integers(rows.start, rows.stop, size=(steps, merging_suite.BATCH))
    run = merging_suite.learner(False, 1e-3, steps)
    trunk, head = run(trunk, head, X, y, places, np.zeros(steps, int), np.full(steps, 10))
    return {**trunk, "2.weight": head[0][:10]}


def line(a: Weights, b: Weights, points: int) -> list[tuple[float, float]]:
    """Test loss and accuracy along the line from one to the other."""
    X, y = mnist.test_set()
    found = []
    for share in np.linspace(0, 1, points, dtype=np.float32):
        net = {name: (1 - share) * a[name] + share * b[name] for name in a}
        z = merging_suite.scores(net, net["2.weight"], X).astype(np.float64)
        z -= z.max(1, keepdims=True)
        loss = float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]))
        found.append((loss, 100 * float(np.mean(z.argmax(1) == y))))
    return found


def barrier(losses: Any) -> float:
    """The most that the loss rises above the line between its ends."""
    ends = np.linspace(losses[0], losses[-1], len(losses))
    return float(np.max(np.asarray(losses) - ends))


def alignment_table(options: harness.Options) -> harness.Table:
    """Pairs of networks that were trained apart, on halves of the rows: before and after, and a control in random order."""
    from catallax.merging.alignment import WeightMatching, chain

    steps, points = (150, 5) if options.quick else (3000, 25)
    rows, pictures = [], []
    units = {name: axes for name, axes in chain(("0", "1", "2")).items() if name != "2.bias"}
    for pair in range(1 if options.quick else PAIRS):
        a, b = (alone(2 * pair + k, HALVES[k], steps) for k in (0, 1))
        matching = WeightMatching(units, starts=1 if options.quick else 3, seed=pair)
        found = matching.match(b, a)
        aligned = matching.applied(b, found.permutations)
        lines = {"as they are": line(a, b, points), "aligned": line(a, aligned, points)}
        for name, values in lines.items():
            losses, right = zip(*values, strict=True)
            middle = points // 2
            rows.append(
                {
                    "pair": pair,
                    "order": name,
                    "loss at the ends": (losses[0] + losses[-1]) / 2,
                    "barrier": barrier(losses),
                    "accuracy % at the ends": (right[0] + right[-1]) / 2,
                    "of the mean": right[middle],
                    "cosine": found.before if name == "as they are" else found.after,
                    "sweeps": found.sweeps if name == "aligned" else None,
                }
            )
        pictures.append({name: [loss for loss, _ in values] for name, values in lines.items()})
    notes = [ALIGNMENT] if options.quick else [ALIGNMENT, drawn(pictures[0])]
    return harness.Table("Two networks trained apart, merged", rows, notes)


HALVES = (slice(0, 30_000), slice(30_000, 60_000))


def drawn(losses: Mapping[str, list[float]]) -> str:
    """The loss along the line as a picture, benchmarks/results/merging_alignment.png."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    for name, values in losses.items():
        axes.plot(np.linspace(0, 1, len(values)), values, label=name)
    axes.set(xlabel="share of the second network", ylabel="test loss", title="Between two networks trained apart")
    axes.legend(frameon=False)
    path = harness.HERE / "results" / "merging_alignment.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return f"Pair 0 as a picture: {path.relative_to(harness.HERE.parent)}."


# --- members that lie ---

MEMBERS, LIARS = 10, 2
ROBUST: dict[str, dict[str, Any]] = {
    "linear": {},
    "median": {},
    "trimmed-mean": {"trim": 0.2},
    "geometric-median": {},
    "krum": {"faults": LIARS},
    "multi-krum": {"faults": LIARS, "kept": MEMBERS - LIARS},
}
ATTACKS: dict[str, Callable[[Weights, list[Weights], np.random.Generator], Weights]] = {
    "ten times the opposite": lambda base, honest, draws: {n: x - 10 * (mean(honest)[n] - x) for n, x in base.items()},
    "noise": lambda base, honest, draws: {n: (x + draws.normal(size=x.shape)).astype(x.dtype) for n, x in base.items()},
    "a little: mean - 1 sd": lambda base, honest, draws: {
        n: (mean(honest)[n] - np.std([one[n] for one in honest], axis=0)).astype(x.dtype) for n, x in base.items()
    },
}


def mean(models: list[Weights]) -> Weights:
    """Of arrays by name."""
    return {name: np.mean([one[name] for one in models], axis=0) for name in models[0]}


def shards(kind: str, seed: int, size: Size) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of each of ten members: drawn alike, or two classes and a half mostly ("uneven": 80 % of its rows)."""
    X, y = mnist.training(MEMBERS * 5000)
    order = np.random.default_rng([seed, 4]).permutation(len(y))
    rows = min(size.rows, len(y) // MEMBERS)
    if kind == "uneven":
        own = np.argsort((y[order] - 0.001 * np.arange(len(y)) / len(y)), kind="stable")
        mixed = np.random.default_rng([seed, 5]).random(len(y)) < 0.2
        places = order[own]
        places[mixed] = np.random.default_rng([seed, 6]).permutation(places[mixed])
        order = places
        each = [
            order[k * len(y) // MEMBERS :][: len(y) // MEMBERS][:: len(y) // MEMBERS // rows][:rows]
            for k in range(MEMBERS)
        ]
    else:
        each = [order[k * rows : (k + 1) * rows] for k in range(MEMBERS)]
    return [(X[places], y[places]) for places in each]


def byzantine_rows(kind: str, seed: int, size: Size) -> list[dict[str, Any]]:
    """Accuracy of each merge under each attack, one seed."""
    from catallax.merging import merge

    start = kept(f"{tag(size, seed)}/start", lambda: Suite(seed, size).start())
    base, heads = {name: start[name] for name in merging_suite.NAMES}, start["heads"][:1].copy()
    common = shards("alike", seed + 1000, size)[0]
    begun = kept(
        f"{tag(size, seed)}/common", lambda: learnt_both(base, heads, (common[0][:100], common[1][:100]), seed)
    )
    head = begun.pop("heads")
    models = [
        kept(
            f"{tag(size, seed)}/{kind}{k}",
            lambda k=k, rows=rows: merging_suite.tuned_on(rows, begun, head, 0, 10, 10 * seed + k, size),
        )
        for k, rows in enumerate(shards(kind, seed, size))
    ]
    draws, test, found = np.random.default_rng([seed, 7]), mnist.test_set(), []
    honest = models[LIARS:]
    fair = merging_suite.right(mean(honest), head[0], test, 10)
    for attack, lie in {"nobody lies": None, **ATTACKS}.items():
        liars = models[:LIARS] if lie is None else [lie(begun, honest, draws) for _ in range(LIARS)]
        for name, settings in ROBUST.items():
            model = merge([*liars, *honest], name.removeprefix("multi-"), hashes=False, **settings).model
            right = merging_suite.right(model, head[0], test, 10)
            found.append({"rows": kind, "attack": attack, "merge": name, "right": right, "fair": fair, "seed": seed})
    return found


def learnt_both(base: Weights, heads: np.ndarray, rows: tuple[np.ndarray, np.ndarray], seed: int) -> Weights:
    """Where all ten members begin: trunk and head after a hundred rows."""
    steps = 200
    places = np.random.default_rng([seed, 8]).integers(len(rows[1]), size=(steps, merging_suite.BATCH))
    run = merging_suite.learner(False, 1e-3, steps)
    trunk, learnt = run(base, heads, *rows, places, np.zeros(steps, int), np.full(steps, 10))
    return {**trunk, "heads": learnt}


def lies(kind: str, seed: int, size: Size) -> list[dict[str, Any]]:
    """The rows of one seed, kept."""
    return kept_numbers(f"{tag(size, seed)}/lies-{kind}", lambda: byzantine_rows(kind, seed, size))


def byzantine_tables(seeds: int, size: Size) -> list[harness.Table]:
    """Means over seeds: losses against the honest mean, for members whose rows are alike and uneven."""
    tables = []
    for kind in ("alike", "uneven"):
        found = [row for seed in range(seeds) for row in lies(kind, seed, size)]
        rows = []
        for attack, name in itertools.product(("nobody lies", *ATTACKS), ROBUST):
            these = [row for row in found if row["attack"] == attack and row["merge"] == name]
            losses = np.array([row["fair"] - row["right"] for row in these])
            rows.append(
                {
                    "attack": attack,
                    "merge": name,
                    "accuracy %": np.mean([row["right"] for row in these]),
                    "honest mean %": np.mean([row["fair"] for row in these]),
                    "points lost": losses.mean(),
                    "+-": half(losses),
                    "within 2 points": "yes" if losses.mean() <= 2 else "no",
                }
            )
        tables.append(
            harness.Table(f"{LIARS} of {MEMBERS} members lie; rows are {kind}, {seeds} seeds", rows, [LIES[kind]])
        )
    return tables


def benchmark(options: harness.Options) -> harness.Report:
    """All tables; a quick run: one seed, few rows and steps."""
    size, seeds = (QUICK, 1) if options.quick else (Size(), SEEDS)
    suites = [Suite(seed, size) for seed in range(seeds)]
    others = [alignment_table(options), *byzantine_tables(seeds, size)]
    tables, versions = suite_tables(suites, size, not options.quick)
    return harness.Report(
        name="merging_quality",
        question=QUESTION,
        tables=[*tables, *others],
        versions=harness.versions("catallax", "jax", "numpy", "scipy") | versions,
        options=options,
    )


NOTES = (
    "Heads are not merged, as in FusionBench. Of CLIP ViT-B/32 it reports 48.2 for the base, 66.5 for averaging, 68.0 for task "
    "arithmetic, 72.2 for TIES, 70.6 for Fisher, 82.4 for RegMean, 90.3 for the fine-tunes: another suite, for orientation.",
    "Tensors apart: the largest difference of any element between the peer's merge and ours, over all seeds; draws (DARE) differ.",
    "Median, trimmed mean, geometric median and Krum defend against liars; here nobody lies, and what they cost is seen.",
)
ALIGNMENT = "Trained on one half of the rows each, from weights of their own. Cosine: of all weights of both networks."
LIES = {
    "alike": "Members go on from one start, each on rows of its own. The honest mean is that of the eight who do not lie.",
    "uneven": "Of a member's rows four in five are of one class: members differ, and robust rules take honest ones for liars.",
}

if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
