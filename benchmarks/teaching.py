"""One network under many teaching signals: MNIST, error against the bits that each layer is told, time, and controls.

    python -m benchmarks.teaching [--quick] [--json]

Hyper-parameters of each kind are chosen among as many trials a kind, each of as few epochs, on the last 10,000 rows of the
training set; the chosen setting is then taught on all 60,000 rows from three seeds, for the epochs that the table names, and
the test set is read once, at the end. Rates fall to nothing along a cosine. Where the table does not say "shifted", images
are never distorted; where it does, they move by up to so many pixels each way, anew in each lesson, as in the paper of predsim.
Bits are those that the wire counts, a row and update; the cosine is that of each hidden layer's update with the gradient
of the loss after one epoch. `wait`: matrix products that a layer waits for between its output and its update (the first
layer's). Every run is kept in benchmarks/.runs, so that a benchmark that was interrupted goes on.
"""

from __future__ import annotations

import functools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import harness
from benchmarks.mnist import error_of, test_set, training
from benchmarks.teaching_settings import METHODS, Method, Trial

QUESTION = "How much must a layer be told? One network, many teaching signals, on MNIST."
SEEDS, HELD, SHORT = 3, 10_000, 3
RUNS = harness.HERE / ".runs" / "teaching"


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
def distorted(share: float, shift: int) -> Callable | None:
    """Moves images by up to `shift` pixels each way, black coming in; drops a share of the inputs, and scales up the others."""
    import jax
    import jax.numpy as jnp

    def moved(x: Any, key: Any) -> Any:
        image = jnp.pad(x.reshape(-1, 28, 28), ((0, 0), (shift, shift), (shift, shift)))
        place = jax.random.randint(key, (len(x), 2), 0, 2 * shift + 1)
        return jax.vmap(lambda one, at: jax.lax.dynamic_slice(one, (at[0], at[1]), (28, 28)))(image, place).reshape(
            x.shape
        )

    def dropped(x: Any, key: Any) -> Any:
        return jnp.where(jax.random.bernoulli(key, 1 - share, x.shape), x / (1 - share), 0)

    def both(x: Any, key: Any) -> Any:
        first, second = jax.random.split(key)
        return dropped(moved(x, first), second)

    return (both if share else moved) if shift else (dropped if share else None)


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
    school = enrolled(chain, X, target, trial.batch, best, None, bits, distorted(trial.noise, trial.shift))
    start = time.perf_counter()
    school.ready()
    compiled = time.perf_counter()
    outcome = catallax.run(school, epochs * school.steps, seed)
    learnt = chain.having_learnt(outcome.society.parts)
    return Taught(learnt, time.perf_counter() - compiled, compiled - start)


def kept(name: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a run found."""
    return harness.kept(RUNS / f"{name}.json", find)


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

    from catallax.core.rows import Rows
    from catallax.networks import measures
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


# --- the tables ---


def runs_of(method: Method, options: harness.Options) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The final runs of a kind at its chosen setting, and what was measured of its lesson."""
    short, epochs, seeds = (1, 1, 1) if options.quick else (SHORT, method.epochs, SEEDS)
    trial = method.trials[chosen(method, short)[0]]
    runs = [
        kept(f"final-{tag(method, trial, epochs, seed)}", lambda seed=seed: final(method, trial, epochs, seed))
        for seed in range(seeds)
    ]
    return runs, kept(f"lesson-{tag(method, trial)}", lambda: lesson(method, trial))


def pace(method: Method, options: harness.Options) -> dict[str, Any]:
    """Wall seconds of one epoch of the chosen setting and to compile it: measured apart, when nothing else runs."""
    trial = method.trials[chosen(method, 1 if options.quick else SHORT)[0]]

    def find() -> dict[str, Any]:
        result = taught(method, trial, training(), 1, seed=0)
        return {"seconds": result.seconds, "compiling": result.compiling}

    return kept(f"pace-{tag(method, trial)}", find)


def row_of(name: str, method: Method, options: harness.Options) -> dict[str, Any]:
    """One row: error, bits, time of a kind, at its chosen setting."""
    runs, said = runs_of(method, options)
    speed = pace(method, options)
    errors = [run["error"] for run in runs]
    hidden = said["cosines"][:-1]
    spread = statistics.stdev(errors) / len(errors) ** 0.5 if len(errors) > 1 else float("nan")
    return {
        "signal": name,
        "layers": "-".join(map(str, method.sizes)),
        "test error %": round(statistics.fmean(errors), 3),
        "+-": round(spread, 3),
        "target": method.target,
        "bits a row and update": sum(said["told"]),
        "of it hidden layers": sum(said["told"][:-1]),
        "cosine, hidden": " ".join("-" if x is None or x != x else f"{x:.2f}" for x in hidden),
        "wait": said["waits"][0],
        "epochs": 1 if options.quick else method.epochs,
        "s an epoch": speed["seconds"],
        "s to compile": speed["compiling"],
    }


def trials_of(name: str, method: Method, options: harness.Options) -> list[dict[str, Any]]:
    """One row a trial: its setting and its error on the rows held out."""
    number, errors = chosen(method, 1 if options.quick else SHORT)
    return [
        {
            "signal": name,
            "rate": str(trial.rate),
            "activation": trial.activation,
            "dropout": trial.dropout,
            "noise": trial.noise,
            "shift": trial.shift,
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
    from benchmarks.teaching_step import step_cost

    methods = dict(list(METHODS.items())[:3] if options.quick else METHODS)
    table = [row_of(name, method, options) for name, method in methods.items()]
    trials = [row for name, method in methods.items() for row in trials_of(name, method, options)]
    counts = {len(method.trials) for method in methods.values()}
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
