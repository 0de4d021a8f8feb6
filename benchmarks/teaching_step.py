"""The cost of a lesson beside the same step in plain JAX and Optax."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.mnist import training
from benchmarks.teaching import chain_of
from benchmarks.teaching_settings import METHODS, WIDE, Trial


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
