"""One network under many teaching signals: MNIST, error against the bits that each layer is told, time, and controls.

    python -m benchmarks.teaching [--quick] [--json]

Hyper-parameters of each kind are chosen among as many trials a kind, each of as few epochs, on the last 10,000 rows of the
training set; the chosen setting is then taught on all 60,000 rows from three seeds, for the epochs that the table names, and
the test set is read once, at the end. Rates fall to nothing along a cosine. No images are distorted or drawn anew.
Bits are those that the wire counts, a row and update; the cosine is that of each hidden layer's update with the gradient
of the loss after one epoch. `wait`: matrix products that a layer waits for between its output and its update (the first
layer's). Every run is kept in benchmarks/.runs, so that a benchmark that was interrupted goes on.
"""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import data, harness

QUESTION = "How much must a layer be told? One network, many teaching signals, on MNIST."
SEEDS, HELD, SHORT = 3, 10_000, 3
RUNS = harness.HERE / ".runs" / "teaching"
WIDE, FLAT = (784, 1024, 1024, 10), (784, 512, 10)


class Trial(NamedTuple):
    """One setting of a kind: `given` are arguments of the teaching; `rate`: one, or one a layer."""

    rate: Any
    activation: str = "relu"
    dropout: float = 0.0
    given: dict[str, Any] = {}  # noqa: RUF012
    optimiser: str = "adam"
    batch: int = 128
    loss: str = "cross-entropy"
    noise: float = 0.0  # the share of inputs that are dropped while learning
    hebbian_epochs: int | None = None  # hidden layers learn by plain steps, to nothing over so many epochs


class Method(NamedTuple):
    """A kind of teaching: its class, trials, epochs of the final runs, and the error that was to be reached (%)."""

    kind: str
    trials: tuple[Trial, ...]
    epochs: int
    target: float | None = None
    sizes: tuple[int, ...] = WIDE


def common(activation: str = "relu", **given: Any) -> tuple[Trial, ...]:
    """The same four settings for kinds that differ in what is told alone."""
    return (
        Trial(1e-3, activation, 0.3, given, noise=0.2),
        Trial(1e-3, activation, 0.1, given, noise=0.2),
        Trial(5e-4, activation, 0.1, given, noise=0.2),
        Trial(2e-3, activation, 0.3, given, noise=0.2),
    )


def settling() -> tuple[Trial, ...]:
    """Settings of equilibrium propagation: a layer may not drop outputs, and the output learns more slowly."""
    few, more = {"steps": 10, "nudged": 6}, {"steps": 20, "nudged": 10}
    return (
        Trial([1e-3, 2e-4], "hard sigmoid", 0.0, few, noise=0.2),
        Trial([5e-4, 1e-4], "hard sigmoid", 0.0, few, noise=0.1),
        Trial([5e-4, 5e-5], "hard sigmoid", 0.0, more, noise=0.1),
        Trial([1e-3, 2e-4], "hard sigmoid", 0.0, few),
    )


def own_losses() -> tuple[Trial, ...]:
    """Settings of predsim and its control."""
    return (
        Trial(1e-3, dropout=0.3, given={"features": 128}, noise=0.2),
        Trial(2e-3, dropout=0.3, given={"features": 128}, noise=0.2),
        Trial(2e-3, dropout=0.1, given={"features": 128}, noise=0.2),
        Trial(1e-3, dropout=0.1, given={"features": 128}, noise=0.2),
    )


def hebbian() -> tuple[Trial, ...]:
    """Settings of SoftHebb: hidden layers learn in the first epoch."""
    given = [
        {"temperature": t, "gain": g, "length": 15.0, "reads": "all"}
        for t, g in ((0.02, (100.0, 37.0)), (0.03, (110.0, 34.0)), (0.015, (100.0, 37.0)))
    ]
    return (
        *(Trial([0.1, 0.1, 5e-3], given=one, hebbian_epochs=1) for one in given),
        Trial([0.1, 0.1, 1e-2], given=given[0], hebbian_epochs=1),
    )


def untaught() -> tuple[Trial, ...]:
    """The same readout on hidden layers that stay as they were drawn."""
    given = {"length": 1.0, "power": 1.0, "gain": (39.0, 55.0), "reads": "all"}
    return (
        *(Trial([0.0, 0.0, rate], given=given, hebbian_epochs=1) for rate in (5e-3, 1e-2, 1e-3)),
        Trial([0.0, 0.0, 5e-3], given={**given, "power": 2.0, "gain": (156.0, 220.0)}, hebbian_epochs=1),
    )


def goodness() -> tuple[Trial, ...]:
    """Settings of forward-forward: hidden layers learn more quickly than the readout."""
    return (
        Trial([1e-2, 1e-2, 1e-3]),
        Trial([3e-3, 3e-3, 1e-3]),
        Trial([1e-2, 1e-2, 1e-3], noise=0.1),
        Trial([1e-2, 1e-2, 1e-3], dropout=0.1),
    )


METHODS: dict[str, Method] = {
    "silence": Method("silence", common(), 6),
    "backpropagation": Method("backpropagation", common(), 20, 1.3),
    "deep supervision": Method("deep-supervision", own_losses(), 10),
    "predsim": Method("predsim", own_losses(), 15, 1.2),
    "predict": Method("predict", common(), 6),
    "feedback alignment": Method("feedback-alignment", common(), 6),
    "direct feedback alignment": Method("direct-feedback-alignment", common(), 12, 1.9),
    "random targets": Method("random-targets", common("tanh"), 6, 5.0),
    "softhebb": Method("softhebb", hebbian(), 10, 3.5),
    "softhebb, hidden layers untaught": Method("softhebb", untaught(), 10),
    "forward-forward": Method("forward-forward", goodness(), 10, 2.5),
    "backpropagation, one hidden layer": Method("backpropagation", common(), 15, None, FLAT),
    "predictive coding": Method("predictive-coding", common(steps=8), 15, 2.0, FLAT),
    "equilibrium propagation": Method("equilibrium-propagation", settling(), 20, 2.5, FLAT),
}


def images(name: str) -> np.ndarray:
    """An idx file of images as float32[rows, 784] in [0, 1], or of labels as int32[rows]."""
    with gzip.open(data.path(f"mnist/{name}.gz")) as file:
        read = file.read()
    if "labels" in name:
        return np.frombuffer(read, np.uint8, offset=8).astype(np.int32)
    return np.frombuffer(read, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / np.float32(255)


def training(rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The training set, or its first rows."""
    return images("train-images-idx3-ubyte")[:rows], images("train-labels-idx1-ubyte")[:rows]


def test_set() -> tuple[np.ndarray, np.ndarray]:
    """The rows that are read once."""
    return images("t10k-images-idx3-ubyte"), images("t10k-labels-idx1-ubyte")


def optimiser(trial: Trial, epochs: int, epoch: int) -> Any:
    """The trial's optimiser, or one a layer, its rate falling to 0 along a cosine; `epoch`: steps of one."""
    import optax

    steps = epochs * epoch

    def one(rate: float) -> Any:
        schedule = optax.cosine_decay_schedule(rate, steps)
        return (
            optax.sgd(schedule, momentum=0.9)
            if trial.optimiser == "momentum"
            else getattr(optax, trial.optimiser)(schedule)
        )

    if trial.hebbian_epochs is not None:
        falls = [optax.linear_schedule(rate, 0.0, trial.hebbian_epochs * epoch) for rate in trial.rate[:-1]]
        return [*(optax.sgd(fall) for fall in falls), one(trial.rate[-1])]
    return [one(rate) for rate in trial.rate] if isinstance(trial.rate, (list, tuple)) else one(trial.rate)


def chain_of(method: Method, trial: Trial, seed: int) -> Any:
    """The network before its first lesson."""
    from catallax import networks
    from catallax.networks.kinds import kind_of

    kind = kind_of(method.kind)
    given = dict(trial.given)
    if "features" in given:
        given["objective"] = networks.Objective(
            method.kind if method.kind != "deep-supervision" else "predsim", **given
        )
        del given["features"]
    teaching = kind._replace(given={**kind.given, **given}).make()
    pairs = list(zip(method.sizes[:-2], method.sizes[1:-1], strict=True))
    hidden = [networks.Dense(a, b, trial.activation, dropout=trial.dropout) for a, b in pairs]
    return networks.Chain([*hidden, networks.Dense(*method.sizes[-2:])], teaching, loss=trial.loss, seed=seed)


@functools.lru_cache
def noise(share: float) -> Callable | None:
    """Drops a share of the inputs, and scales up the others."""
    import jax
    import jax.numpy as jnp

    def dropped(x: Any, key: Any) -> Any:
        return jnp.where(jax.random.bernoulli(key, 1 - share, x.shape), x / (1 - share), 0)

    return dropped if share else None


class Taught(NamedTuple):
    """A chain after its lessons, the wall seconds that they took, and those to compile them."""

    chain: Any
    seconds: float
    compiling: float


def taught(method: Method, trial: Trial, rows: tuple, epochs: int, seed: int, bits: int | None = None) -> Taught:
    """Lessons for so many epochs."""
    import catallax
    from catallax.networks.training import enrolled

    X, y = rows
    target = np.eye(10, dtype=np.float32)[y] if trial.loss == "squared" else y
    chain = chain_of(method, trial, seed)
    best = optimiser(trial, epochs, len(X) // trial.batch)
    school = enrolled(chain, X, target, trial.batch, best, None, bits, noise(trial.noise))
    start = time.perf_counter()
    school.ready()
    compiled = time.perf_counter()
    outcome = catallax.run(school, epochs * school.steps, seed)
    learnt = chain.having_learnt(outcome.society.parts)
    return Taught(learnt, time.perf_counter() - compiled, compiled - start)


def error_of(chain: Any, rows: tuple) -> float:
    """Rows misnamed, in %."""
    X, y = rows
    named = [np.asarray(scores_of(chain, X[i : i + 1000])).argmax(1) for i in range(0, len(X), 1000)]
    return 100 * float(np.mean(np.concatenate(named) != y))


def scores_of(chain: Any, x: np.ndarray) -> Any:
    """Compiled once a kind."""
    import equinox as eqx

    global _scores
    _scores = _scores or eqx.filter_jit(lambda chain, x: chain(x))
    return _scores(chain, x)


_scores: Any = None


def kept(name: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was found under this name, or is found now and kept."""
    path = RUNS / f"{name}.json"
    if not path.is_file():
        found = find()
        RUNS.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".part").write_text(json.dumps(found))
        path.with_suffix(".part").replace(path)
        harness.say(name, found)
    return json.loads(path.read_text())


def tag(method: Method, *more: Any) -> str:
    """What a run is of, as a file name."""
    import hashlib

    settings = hashlib.sha256(repr(more).encode()).hexdigest()[:10]
    return f"{method.kind}-{'-'.join(map(str, method.sizes))}-{settings}"


def chosen(method: Method, epochs: int) -> tuple[int, list[float]]:
    """The trial with the least error on the rows held out of the training set, and the error of each."""

    def found(trial: Trial) -> dict[str, Any]:
        X, y = training()
        result = taught(method, trial, (X[:-HELD], y[:-HELD]), epochs, seed=100)
        error = error_of(result.chain, (X[-HELD:], y[-HELD:]))
        return {"error": error, "seconds": result.seconds, "compiling": result.compiling}

    errors = []
    for trial in method.trials:
        errors.append(kept(f"trial-{tag(method, trial, epochs)}", lambda trial=trial: found(trial))["error"])
    return int(np.argmin(errors)), errors


def final(method: Method, trial: Trial, epochs: int, seed: int) -> dict[str, Any]:
    """One run on the whole training set: test error, wall seconds."""
    result = taught(method, trial, training(), epochs, seed)
    error = error_of(result.chain, test_set())
    return {"error": error, "seconds": result.seconds, "compiling": result.compiling}


def lesson(method: Method, trial: Trial) -> dict[str, Any]:
    """Bits a row and update, cosine of hidden layers after one epoch, waits."""
    import jax
    import jax.numpy as jnp

    from catallax.networks import measures
    from catallax.networks.school import Rows
    from catallax.signals.teaching import Batch

    X, y = training()
    chain = taught(method, trial, (X[:-HELD], y[:-HELD]), 1, seed=0).chain
    target = np.eye(10, dtype=np.float32)[y] if trial.loss == "squared" else y
    rows = Rows.of(X[-HELD : -HELD + 1024], target[-HELD : -HELD + 1024])
    batch = Batch(jnp.asarray(rows.x), jnp.asarray(rows.target), chain.loss, jax.random.key(0))
    cosines = np.asarray(measures.cosines(chain.teaching, chain.parts, batch))
    told = measures.told(chain.teaching, chain.parts, chain.loss, rows)
    waits = measures.waits(chain.teaching, chain.parts, chain.loss, rows)
    return {"told": told.tolist(), "cosines": cosines.tolist(), "waits": waits.tolist()}


# --- the cost of a lesson beside the same step in plain JAX and Optax ---


def step_cost(options: harness.Options) -> harness.Table:
    """A step of backpropagation on 784-1024-1024-10, batch 128, Adam: ours, and the same written out in JAX and Optax."""
    import jax

    rows = training(1280 if options.quick else None)
    ours, plain = our_steps(rows), plain_steps(rows)
    count, repeats = (5, 2) if options.quick else (60, 9)
    ours(count)  # compiles
    plain(count)
    pairs = [
        (harness.measure_once(lambda: ours(count)), harness.measure_once(lambda: plain(count))) for _ in range(repeats)
    ]
    names = ("ours", "plain JAX + Optax")
    steps = len(rows[0]) // 128
    found = [
        {
            "step": name,
            "ms, median": 1e3 * statistics.median(side) / count,
            "ms, smallest": 1e3 * min(side) / count,
            "an epoch of MNIST, s": steps * statistics.median(side) / count,
            "gigaflops a second": 6 * 128 * parameters() / (statistics.median(side) / count) / 1e9,
        }
        for name, side in zip(names, zip(*pairs, strict=True), strict=True)
    ]
    ratio = statistics.median(a / b for a, b in pairs)
    cores = len(jax.devices())
    note = f"Ours takes {ratio:.3f} times as long (median of {repeats} pairs, taken in turn; target 1.1); {cores} JAX device."
    return harness.Table("A training step of backpropagation", found, [note])


def parameters() -> int:
    """Weights of the wide network."""
    return sum(a * b for a, b in itertools.pairwise(WIDE))


def our_steps(rows: tuple) -> Callable[[int], None]:
    """Runs so many of our steps, wherever the epoch stands."""
    import jax
    import optax

    from catallax.networks.training import enrolled

    method = METHODS["backpropagation"]
    chain = chain_of(method, Trial(1e-3), 0)
    state: list[Any] = [enrolled(chain, rows[0], rows[1], 128, optax.adam(1e-3), None, None), 0]

    def go(count: int) -> None:
        school, start = state
        school, _ = school.advance(start, start + count, 0)
        jax.block_until_ready(school.agents[0].part.layer.weight)
        state[:] = [school, start + count]

    return go


def plain_steps(rows: tuple) -> Callable[[int], None]:
    """The same written out: one step compiled, called from Python, its buffers donated."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax

    layers = chain_of(METHODS["backpropagation"], Trial(1e-3), 0).layers
    weights = [(jnp.array(layer.weight), jnp.array(layer.bias)) for layer in layers]
    adam, X, y = optax.adam(1e-3), jnp.asarray(rows[0]), jnp.asarray(rows[1])
    state = [weights, adam.init(eqx.filter(weights, eqx.is_array)), 0]

    def loss(weights: Any, x: Any, y: Any) -> Any:
        for weight, bias in weights[:-1]:
            x = jax.nn.relu(x @ weight.T + bias)
        score = x @ weights[-1][0].T + weights[-1][1]
        return optax.softmax_cross_entropy_with_integer_labels(score, y).mean()

    def step(weights: Any, memory: Any, rows: Any) -> Any:
        update, memory = adam.update(jax.grad(loss)(weights, X[rows], y[rows]), memory)
        return optax.apply_updates(weights, update), memory

    compiled = jax.jit(step, donate_argnums=(0, 1))
    order = np.random.default_rng(0).permutation(len(X))[: len(X) // 128 * 128].reshape(-1, 128)

    def go(count: int) -> None:
        weights, memory, at = state
        for number in range(at, at + count):
            weights, memory = compiled(weights, memory, order[number % len(order)])
        jax.block_until_ready(weights)
        state[:] = [weights, memory, at + count]

    return go


# --- the tables ---


def table_of(method: Method, options: harness.Options) -> dict[str, Any]:
    """One row: error, bits, time of a kind, at its chosen setting."""
    short, epochs, seeds = (1, 1, 1) if options.quick else (SHORT, method.epochs, SEEDS)
    number, _ = chosen(method, short)
    trial = method.trials[number]
    runs = [
        kept(f"final-{tag(method, trial, epochs, seed)}", lambda seed=seed: final(method, trial, epochs, seed))
        for seed in range(seeds)
    ]
    said = kept(f"lesson-{tag(method, trial)}", lambda: lesson(method, trial))
    errors = [run["error"] for run in runs]
    hidden = said["cosines"][:-1]
    spread = statistics.stdev(errors) / len(errors) ** 0.5 if len(errors) > 1 else float("nan")
    return {
        "signal": method.kind,
        "layers": "-".join(map(str, method.sizes)),
        "test error %": round(statistics.fmean(errors), 3),
        "+-": round(spread, 3),
        "target": method.target,
        "bits a row and update": sum(said["told"]),
        "of it hidden layers": sum(said["told"][:-1]),
        "cosine, hidden": " ".join("-" if x is None or x != x else f"{x:.2f}" for x in hidden),
        "wait": said["waits"][0],
        "epochs": epochs,
        "s an epoch": statistics.median(run["seconds"] for run in runs) / epochs,
        "s to compile": statistics.median(run["compiling"] for run in runs),
    }


def trials_of(method: Method, options: harness.Options) -> list[dict[str, Any]]:
    """One row a trial: its setting and its error on the rows held out."""
    number, errors = chosen(method, 1 if options.quick else SHORT)
    return [
        {
            "signal": method.kind,
            "rate": str(trial.rate),
            "activation": trial.activation,
            "dropout": trial.dropout,
            "noise": trial.noise,
            "batch": trial.batch,
            "given": " ".join(f"{k}={v}" for k, v in trial.given.items()),
            "held-out error %": round(errors[k], 2),
            "chosen": "yes" if k == number else "",
        }
        for k, trial in enumerate(method.trials)
    ]


def narrow(options: harness.Options) -> harness.Table:
    """Backpropagation whose every number is told in few bits."""
    method = METHODS["backpropagation"]
    trial, epochs = method.trials[chosen(method, 1 if options.quick else SHORT)[0]], 1 if options.quick else 5
    rows = []
    for bits in (1, 2, 3, 4, 8, None):

        def find(bits: int | None = bits) -> dict[str, Any]:
            result = taught(method, trial, training(), epochs, 0, bits)
            return {"error": error_of(result.chain, test_set()), "seconds": result.seconds}

        found = kept(f"bits-{tag(method, trial, epochs, bits)}", find)
        rows.append({"bits a number": "32, exact" if bits is None else bits, "test error %": round(found["error"], 2)})
    return harness.Table(f"Backpropagation in few bits, {epochs} epochs, one seed", rows)


def benchmark(options: harness.Options) -> harness.Report:
    """All kinds; a quick run: trials of one epoch, one seed, three kinds."""
    methods = list(METHODS.values())[:3] if options.quick else list(METHODS.values())
    table = [table_of(method, options) for method in methods]
    trials = [row for method in methods for row in trials_of(method, options)]
    counts = {len(method.trials) for method in methods}
    note = f"{' or '.join(map(str, sorted(counts)))} trials a kind, of {SHORT} epochs each, on {60_000 - HELD:,} rows."
    return harness.Report(
        name="teaching",
        question=QUESTION,
        tables=[
            harness.Table("MNIST, one network, many signals", table, NOTES),
            harness.Table("Trials, on rows held out of the training set", trials, [note]),
            narrow(options),
            step_cost(options),
        ],
        versions=harness.versions("catallax", "jax", "equinox", "optax", "numpy"),
        options=options,
    )


NOTES = (
    "Published, for orientation (larger networks, longer training): predsim .62 %, backpropagation .75 % (Nokland and "
    "Eidnes 2019), forward-forward 1.36 % (Hinton 2022).",
    "+-: the standard error over seeds. Cosine `-`: the layer does not learn.",
)


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
