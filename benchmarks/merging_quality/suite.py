"""Eight tasks on one input, one trunk with a head a task, a base and its fine-tunes: what FusionBench has in CLIP, in small.

All inputs have 784 numbers from 0 to 1. Four tasks are of MNIST, of disjoint rows (digits 0 to 4; 5 to 9; turned by 90 degrees;
inverted), the others are scikit-learn's digits (8 x 8, enlarged) and three tables, each column a patch of 7 x 7 or 3 x 3:
penbased, letterrecognition, spambase. Trunk 784-512-512, relu; heads 512-26, of which a task has as many classes as it has.

The base learns trunk and heads on one row a class of all tasks together (about as good as CLIP is unshown in FusionBench: half
of rows right); heads then stay as they are, as those of CLIP's texts do. A fine-tune goes on from the base with the trunk
alone, on one task. What is merged is the trunk: 0.weight [512, 784], 0.bias, 1.weight [512, 512], 1.bias. Settings of a merge
are chosen on rows for validation, accuracy is that on test rows.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np

from benchmarks import data, mnist, tables

WIDTHS, CLASSES, BATCH = (784, 512, 512), 26, 64
NAMES = ("0.weight", "0.bias", "1.weight", "1.bias")
Weights = dict[str, np.ndarray]


class Size(NamedTuple):
    """Rows for training of a task at most; rows a class that the base sees; steps of the base and of each fine-tune."""

    rows: int = 6000
    shown: int = 1
    base: int = 400
    tuned: int = 400
    rate: float = 1e-3


class Task(NamedTuple):
    """Rows [rows, 784] and classes of training, validation and test."""

    name: str
    classes: int
    training: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


# --- rows ---


@functools.lru_cache
def tasks(rows: int) -> tuple[Task, ...]:
    """All eight; where ../shared is missing, those that scikit-learn has. Splits are the same for all seeds."""
    found = []
    for name, (X, y) in [*pictures(), *numbers()]:
        order = np.random.default_rng(0).permutation(len(y))
        X, y = X[order].astype(np.float32), y[order].astype(np.int32)
        held = min(len(y) // 5, 2000)
        parts = (slice(2 * held, 2 * held + rows), slice(held, 2 * held), slice(0, held))
        found.append(Task(name, int(y.max()) + 1, *((X[part], y[part]) for part in parts)))
    return tuple(found)


def pictures() -> list[tuple[str, Any]]:
    """Tasks of images."""
    import sklearn.datasets

    X, y = map(np.asarray, sklearn.datasets.load_digits(return_X_y=True))
    large = np.pad(np.kron(X.reshape(-1, 8, 8) / 16, np.ones((1, 3, 3))), ((0, 0), (2, 2), (2, 2)))
    found = [("digits", (large.reshape(-1, 784), y))]
    try:
        X, y = mnist.training()
    except data.Unavailable:
        return found
    split = [slice(k * 15000, (k + 1) * 15000) for k in range(4)]
    turned = np.rot90(X[split[2]].reshape(-1, 28, 28), axes=(1, 2)).reshape(-1, 784)
    low, high = y[split[0]] < 5, y[split[1]] >= 5
    return [
        ("mnist 0-4", (X[split[0]][low], y[split[0]][low])),
        ("mnist 5-9", (X[split[1]][high], y[split[1]][high] - 5)),
        ("mnist turned", (turned, y[split[2]])),
        ("mnist inverted", (1 - X[split[3]], y[split[3]])),
        *found,
    ]


def numbers() -> list[tuple[str, Any]]:
    """Tasks of tables: columns by their ranks in [0, 1], each a patch of the image."""
    found = []
    for name, side, patch in (("keel_penbased", 4, 7), ("letterrecognition", 4, 7), ("keel_spambase", 8, 3)):
        if name not in tables.names():
            continue
        X, y = tables.read(name, rows=None)
        ranks = np.argsort(np.argsort(X, axis=0, kind="stable"), axis=0) / len(X)
        grid = np.zeros((len(X), side * side))
        grid[:, : X.shape[1]] = ranks[:, : side * side]
        image = np.kron(grid.reshape(-1, side, side), np.ones((1, patch, patch)))
        image = np.pad(image, ((0, 0), (0, 28 - side * patch), (0, 28 - side * patch)))
        found.append((name.removeprefix("keel_"), (image.reshape(-1, 784), y)))
    return found


# --- learning ---


def drawn(seed: int, heads: int) -> tuple[Weights, np.ndarray]:
    """A trunk and heads [tasks, 26, 512] that have learnt nothing."""
    draws = np.random.default_rng(seed)
    trunk: Weights = {}
    for k, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS)):
        trunk[f"{k}.weight"] = (draws.normal(size=(outputs, inputs)) * (2 / inputs) ** 0.5).astype(np.float32)
        trunk[f"{k}.bias"] = np.zeros(outputs, np.float32)
    return trunk, (draws.normal(size=(heads, CLASSES, WIDTHS[-1])) / WIDTHS[-1] ** 0.5).astype(np.float32)


def scores(trunk: Any, head: Any, x: Any) -> Any:
    """Scores [rows, 26] of rows [rows, 784], by NumPy or JAX."""
    for k in range(len(WIDTHS) - 1):
        x = x @ trunk[f"{k}.weight"].T + trunk[f"{k}.bias"]
        x = x * (x > 0)
    return x @ head.T


@functools.lru_cache
def learner(tuned: bool, rate: float, steps: int) -> Any:
    """Adam, its rate falling to 0 along a cosine, for `steps` batches; `tuned`: the trunk alone."""
    import jax
    import jax.numpy as jnp
    import optax

    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def loss(own: Any, heads: Any, x: Any, y: Any, task: Any, classes: Any) -> Any:
        trunk, learnt = own
        z = scores(trunk, (heads if learnt is None else learnt)[task], x)
        z = jnp.where(jnp.arange(CLASSES) < classes, z, -1e9)
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

    @jax.jit
    def learn(own: Any, heads: Any, X: Any, Y: Any, places: Any, task: Any, classes: Any) -> Any:
        def step(carry: Any, at: Any) -> tuple[Any, None]:
            own, memory = carry
            rows, which, many = at
            slopes = jax.grad(loss)(own, heads, X[rows], Y[rows], which, many)
            update, memory = optimiser.update(slopes, memory, own)
            return (optax.apply_updates(own, update), memory), None

        (own, _), _ = jax.lax.scan(step, (own, optimiser.init(own)), (places, task, classes))
        return own

    def run(trunk: Weights, heads: Any, X: Any, Y: Any, places: np.ndarray, task: np.ndarray, classes: Any) -> Any:
        own = (trunk, None) if tuned else (trunk, heads)
        return jax.tree.map(np.asarray, learn(own, heads, X, Y, places, task, classes))

    return run


def base_of(seed: int, size: Size) -> tuple[Weights, np.ndarray]:
    """The base and the heads: batches of one task after the other, of the few rows that it sees."""
    everyone = tasks(size.rows)
    trunk, heads = drawn(seed, len(everyone))
    draws = np.random.default_rng([seed, 1])
    X, Y, ranges = [], [], []
    for task in everyone:
        x, y = task.training
        few = np.concatenate([np.flatnonzero(y == k)[: size.shown] for k in range(task.classes)])
        ranges.append((sum(map(len, Y)), len(few)))
        X.append(x[few])
        Y.append(y[few])
    which = np.arange(size.base * 2) % len(everyone)
    places = np.stack([ranges[k][0] + draws.integers(ranges[k][1], size=BATCH) for k in which])
    classes = np.array([task.classes for task in everyone])[which]
    run = learner(False, 1e-3, len(which))
    return run(trunk, heads, np.concatenate(X), np.concatenate(Y), places, which, classes)


def tuned_on(
    rows: tuple[np.ndarray, np.ndarray],
    base: Weights,
    heads: np.ndarray,
    number: int,
    classes: int,
    seed: int,
    size: Size,
) -> Weights:
    """The trunk after lessons on one task."""
    X, Y = rows
    draws = np.random.default_rng([seed, 2, number])
    places = draws.integers(len(Y), size=(size.tuned, BATCH))
    full = np.zeros((size.rows, 784), np.float32), np.zeros(size.rows, np.int32)  # one shape: compiled once
    full[0][: len(Y)], full[1][: len(Y)] = X, Y
    each = np.full(size.tuned, number), np.full(size.tuned, classes)
    return learner(True, size.rate, size.tuned)(base, heads, *full, places, *each)[0]


# --- what it is worth ---


def right(trunk: Weights, head: np.ndarray, rows: tuple[np.ndarray, np.ndarray], classes: int) -> float:
    """Rows named rightly, in %."""
    X, y = rows
    return 100 * float(np.mean(scores(trunk, head[:classes], X).argmax(1) == y))


def accuracies(trunk: Weights, heads: np.ndarray, size: Size, part: str = "test") -> np.ndarray:
    """Of one trunk on each task, in %."""
    return np.array(
        [
            right(trunk, head, getattr(task, part), task.classes)
            for task, head in zip(tasks(size.rows), heads, strict=True)
        ]
    )


def fisher_of(trunk: Weights, head: np.ndarray, X: np.ndarray) -> Weights:
    """The diagonal of the Fisher information of the trunk, exactly: of a layer sum_y p_y (dl_y / dz)^2^T x^2, a row."""
    first = np.maximum(X @ trunk["0.weight"].T + trunk["0.bias"], 0)
    second = np.maximum(first @ trunk["1.weight"].T + trunk["1.bias"], 0)
    z = second @ head.T
    chances = np.exp(z - z.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    above, below = np.zeros_like(second), np.zeros_like(first)  # mean squares of slopes at z of each layer
    for k in range(len(head)):
        slope = (np.eye(len(head), dtype=np.float32)[k] - chances) @ head * (second > 0)
        above += chances[:, k, None] * slope**2
        below += chances[:, k, None] * (slope @ trunk["1.weight"] * (first > 0)) ** 2
    found = {"0.weight": below.T @ X**2, "0.bias": below.sum(0), "1.weight": above.T @ first**2, "1.bias": above.sum(0)}
    return {name: (of / len(X)).astype(np.float32) for name, of in found.items()}


def inputs_of(trunk: Weights, X: np.ndarray) -> dict[str, np.ndarray]:
    """What each layer is shown, by the name of its weight."""
    hidden = np.maximum(X @ trunk["0.weight"].T + trunk["0.bias"], 0)
    return {"0.weight": X, "1.weight": hidden}
