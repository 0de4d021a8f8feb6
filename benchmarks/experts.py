"""What priced experts cost: forward and backward, beside a dense layer that does the same multiplications a token.

    python -m benchmarks.experts [--quick] [--json] [--device cpu|gpu]

The dense layer has the hidden units of the experts that a token buys (k times an expert's). All take gradients in parameters
and input of the sum of squares of y; ours includes bids, gates, dispatch, and the prices of the next batch. Calls take turns, so
that whoever else is on the machine disturbs all alike; `CPU` is processor time of the process. `greedy`: the same experts at
no price, where bids favour some: loads overflow the blocks, and further passes serve the rest. `ragged_dot`: jax.lax's own.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np

from benchmarks import harness

SIZES, QUICK_SIZES = (
    ((4096, 8, 256, 1024, 1), (4096, 8, 256, 1024, 2), (4096, 32, 256, 1024, 1)),
    ((256, 4, 32, 64, 1),),
)
TURNS, WITHIN, STRETCH, WANTED = 7, 1.5, 1.3, 0.1
BATCHES = 60  # of fresh tokens, for what is met on the way


def dense_of(layer: Any, k: int) -> tuple[Any, Any]:
    """(loss, parameters) of a layer of k experts' hidden units."""
    import jax
    import jax.numpy as jnp

    e = layer.experts
    parameters = (
        jnp.concatenate(e.enter[:k], 1),
        jnp.concatenate(e.bias[:k]),
        jnp.concatenate(e.leave[:k]),
        e.shift[0],
    )

    def loss(p: Any, x: Any) -> Any:
        return jnp.sum((jax.nn.relu(x @ p[0] + p[1]) @ p[2] + p[3]) ** 2)

    return loss, parameters


def ragged(layer: Any, x: Any) -> Any:
    """The same experts by `jax.lax.ragged_dot`, one expert a token, no prices."""
    import jax
    import jax.numpy as jnp

    e = layer.experts
    choice = jnp.argmax(jax.lax.stop_gradient(x @ layer.bidder + layer.level), 1)
    order, load = jnp.argsort(choice), jnp.bincount(choice, length=len(layer.costs))
    inner = jax.lax.ragged_dot(x[order], e.enter, load) + e.bias[choice[order]]
    return jnp.sum((jax.lax.ragged_dot(jax.nn.relu(inner), e.leave, load) + e.shift[choice[order]]) ** 2)


def actions(layer: Any, skewed: Any, x: Any, k: int) -> dict[str, Any]:
    """What is timed, by name."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    loss, parameters = dense_of(layer, k)

    def priced(both: Any, prices: Any) -> Any:
        y, following, info = both[0](both[1], prices)
        return jnp.sum(y**2), (following, info.max_violation)

    ours = eqx.filter_jit(eqx.filter_value_and_grad(priced, has_aux=True))
    plain = jax.jit(jax.value_and_grad(loss, (0, 1)))
    found = {
        "dense": lambda: plain(parameters, x),
        "priced": lambda p=layer.opening(x): ours((layer, x), p),
        "greedy, bids of one taste": lambda p=layer.opening(): ours((skewed, x), p),
        "priced, bids of one taste": lambda p=skewed.opening(x): ours((skewed, x), p),
    }
    if k == 1:
        theirs = eqx.filter_jit(eqx.filter_value_and_grad(lambda both: ragged(*both)))
        found["ragged_dot"] = lambda: theirs((layer, x))
    return found


def in_turns(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Medians over turns of wall and processor time of each action, in milliseconds, and its first call in seconds."""
    import jax

    firsts = {name: harness.measure_once(lambda a=action: jax.block_until_ready(a())) for name, action in found.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for _ in range(TURNS):
        for name, action in found.items():
            start = time.perf_counter(), time.process_time()
            jax.block_until_ready(action())
            times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    medians = {name: [1e3 * statistics.median(t[c] for t in times[name]) for c in (0, 1)] for name in found}
    return {name: {"ms": wall, "CPU ms": cpu, "first call s": firsts[name]} for name, (wall, cpu) in medians.items()}


def violation_met(layer: Any, tokens: int, width: int) -> float:
    """Mean MaxVio over the last half of fresh batches, prices following them from zero."""
    import equinox as eqx
    import jax

    @eqx.filter_jit
    def step(layer: Any, x: Any, prices: Any) -> Any:
        net = x @ layer.bidder + layer.level
        choice, _ = layer.bought(net, prices, None)
        return choice, layer.moved(net, prices)

    prices, met = layer.opening(), []
    for key in jax.random.split(jax.random.key(3), BATCHES):
        choice, prices = step(layer, jax.random.normal(key, (tokens, width)), prices)
        load = np.bincount(np.asarray(choice).ravel(), minlength=len(layer.costs))
        met.append(load.max() / load.mean() - 1)
    return float(np.mean(met[BATCHES // 2 :]))


def table_of(size: tuple[int, int, int, int, int], options: harness.Options) -> harness.Table:
    """One shape."""
    import equinox as eqx
    import jax

    from catallax.experts import PricedExperts

    tokens, experts, width, hidden, k = size
    harness.say(f"  {size}")
    x = jax.random.normal(jax.random.key(0), (tokens, width))
    layer = PricedExperts(width, hidden, experts, k, key=jax.random.key(1))
    skewed = eqx.tree_at(lambda m: m.level, layer, 1.0 * jax.random.normal(jax.random.key(2), (experts,)))
    found = actions(layer, skewed, x, k)
    times = in_turns(found)
    rows = [
        {
            "layer": name,
            **row,
            "of dense, CPU": row["CPU ms"] / times["dense"]["CPU ms"],
            "of dense, ms": row["ms"] / times["dense"]["ms"],
        }
        for name, row in times.items()
    ]
    for row in rows:
        if row["layer"].startswith(("priced", "greedy")):
            row["MaxVio"] = float(found[row["layer"]]()[0][1][1])
    met = violation_met(skewed, tokens, width)
    notes = [
        f"MaxVio met on fresh batches of {tokens:,} tokens, bids of one taste, prices from zero: {met:.3f} (the last "
        f"{BATCHES - BATCHES // 2} of {BATCHES} batches)."
    ]
    if size == SIZES[0] and not options.quick:
        row = rows[1]
        for name, limit in (("Target", WITHIN), ("Stretch", STRETCH)):
            well = "reached" if row["of dense, CPU"] <= limit and row["MaxVio"] <= WANTED else "NOT reached"
            notes.append(
                f"{name} {limit}x dense at MaxVio <= {WANTED}: {well}, {row['of dense, CPU']:.2f}x at {row['MaxVio']:.3f}."
            )
    return harness.Table(f"{tokens:,} tokens, {experts} experts, width {width}, hidden {hidden}, k = {k}", rows, notes)


def benchmark(options: harness.Options) -> harness.Report:
    """All shapes."""
    device = harness.choose_device(options.device)
    return harness.Report(
        name=f"experts ({options.device})",
        question=f"What does a layer of priced experts cost, forward and backward? Medians of {TURNS} turns, on {device}.",
        tables=[table_of(size, options) for size in (QUICK_SIZES if options.quick else SIZES)],
        versions=harness.versions("catallax", "jax", "jaxlib", "equinox"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
