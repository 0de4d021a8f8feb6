"""Layers in two processes with a slow link between them: who waits, who learns, and what is left when one is killed?

    python -m benchmarks.decoupled [--quick] [--json]

MNIST, 784-512 | 512-512-10, batch 128, Adam 1e-3, no distortion; the first layer in one process, the others in another. The
link carries activations and labels, so many seconds on the way.

    apart        local losses (predsim): nothing comes back, nobody waits (`networks.train_apart`)
    lock-step    backpropagation across the same link: activations there, their gradients back, each `delay` seconds on the
                 way; a lesson is over when the gradient is back, so at most 1 / (2 delay) a second
    together     both kinds in one process, without a link: what waiting and staleness cost

All learn for equally many wall seconds, counted from when all lessons are compiled; seeds differ in weights and in the order of
rows. Backpropagation with many batches under way at once would hide the delay at the price of stale gradients; it is not measured.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import harness
from benchmarks.mnist import error_of, test_set, training

DELAYS, BATCH, RATE, PAUSE = (0.0, 0.05, 0.2), 128, 1e-3, 1e-4
GO, STOP = 1, 2


class Sizes(NamedTuple):
    """How much: width of the hidden layers, rows, wall seconds, seeds."""

    width: int
    rows: int
    seconds: float
    seeds: int


FULL, QUICK = Sizes(512, 60_000, 15.0, 3), Sizes(64, 2_000, 3.0, 1)


def chain_of(teaching: Any, sizes: Sizes, seed: int) -> Any:
    """784, two hidden layers, 10."""
    from catallax.networks import Chain, Dense

    width = sizes.width
    return Chain([Dense(784, width), Dense(width, width), Dense(width, 10)], teaching=teaching, seed=seed)


def local() -> Any:
    """predsim, its similarity taken after a map to 128."""
    from catallax.networks import LocalLosses, Objective

    return LocalLosses(Objective("predsim", features=128))


# --- apart ---


def apart(sizes: Sizes, delay: float, seed: int, look: Callable | None = None, seconds: float | None = None) -> Any:
    """Local losses in two processes."""
    import optax

    from catallax.networks.decoupled import train_apart

    X, y = training(sizes.rows)
    given: dict[str, Any] = dict(optimiser=optax.adam(RATE), delay=delay, batch=BATCH, seed=seed, look=look)
    return train_apart(chain_of(local(), sizes, seed), X, y, 1, seconds=seconds or sizes.seconds, **given)


def apart_row(sizes: Sizes, delay: float) -> dict[str, Any]:
    """Medians over seeds of runs apart."""
    found = []
    for seed in range(sizes.seeds):
        outcome = apart(sizes, delay, seed)
        last = {name: column[-1] for name, column in outcome.record.items()}
        found.append(
            {
                "lessons a second, first": last["pace"][0],
                "second": last["pace"][1],
                "waited s, first": last["idle"][0],
                "waited s, second": last["idle"][1],
                "sent": last["sent"][0],
                "dropped": last["dropped"][0],
                "read": last["read"][1],
                "age s": float(np.nanmean(outcome.record["age"][:, 1])),
                "test error %": error_of(outcome.chain, test_set()),
            }
        )
        harness.say("apart", delay, found[-1])
    return {"how": "apart, local losses", "delay s": delay, **medians(found)}


def medians(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each column, and the smallest and largest error."""
    errors = [row["test error %"] for row in found]
    middle = {name: statistics.median(float(row[name]) for row in found) for name in found[0]}
    return {**middle, "smallest": min(errors), "largest": max(errors)}


# --- lock-step: backpropagation across the same link ---


def first_half(pipe: Any, word: Any, there: dict, back: dict, layer: Any, rows: tuple, seed: int) -> None:
    """The first layer: its activations go, it waits for their gradient, it learns."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import jax
    import optax

    from catallax.networks.links.ring import Ring

    x, y, adam, out, home = *rows, optax.adam(RATE), Ring(**there), Ring(**back)
    forward = jax.jit(lambda layer, x: jax.vjp(lambda layer: layer(x), layer))

    @jax.jit
    def learn(layer: Any, memory: Any, pull: Any, gradient: Any) -> Any:
        update, memory = adam.update(pull(gradient)[0], memory)
        return optax.apply_updates(layer, update), memory

    memory, chance = adam.init(layer), np.random.default_rng(seed)
    output, pull = forward(layer, x[:BATCH])
    jax.block_until_ready(learn(layer, memory, pull, output))
    ready(pipe, word)
    lessons, waited, began = 0, 0.0, time.monotonic()
    while word[0] == GO and os.getppid() != 1:
        chosen = chance.integers(0, len(x), BATCH)
        output, pull = forward(layer, x[chosen])
        out.send([output, y[chosen]], time.monotonic())
        since = time.monotonic()
        gradient = waiting(home, word)
        waited += time.monotonic() - since
        if gradient is None:
            break
        layer, memory = jax.block_until_ready(learn(layer, memory, pull, gradient[0]))
        lessons += 1
        pipe.send((lessons, waited, time.monotonic() - began))
    pipe.send(jax.tree.map(np.asarray, layer))


def second_half(pipe: Any, word: Any, there: dict, back: dict, layers: Any, loss: Any) -> None:
    """The others: they wait for activations, learn, and send back the gradient."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import jax
    import optax

    from catallax.networks.links.ring import Ring

    adam, inbox, out = optax.adam(RATE), Ring(**there), Ring(**back)

    def value(layers: Any, x: Any, y: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return loss.value(x, y)

    @jax.jit
    def learn(layers: Any, memory: Any, x: Any, y: Any) -> Any:
        own, gradient = jax.grad(value, (0, 1))(layers, x, y)
        update, memory = adam.update(own, memory)
        return optax.apply_updates(layers, update), memory, gradient

    memory = adam.init(layers)
    like = [np.zeros(shape, kind) for shape, kind in inbox.like]
    jax.block_until_ready(learn(layers, memory, *like))
    ready(pipe, word)
    lessons, waited, began = 0, 0.0, time.monotonic()
    while word[0] == GO and os.getppid() != 1:
        since = time.monotonic()
        arrived = waiting(inbox, word)
        waited += time.monotonic() - since
        if arrived is None:
            break
        layers, memory, gradient = learn(layers, memory, *arrived)
        out.send([gradient], time.monotonic())
        lessons += 1
        pipe.send((lessons, waited, time.monotonic() - began))
    pipe.send(jax.tree.map(np.asarray, layers))


def ready(pipe: Any, word: Any) -> None:
    """Says so, and waits for the word."""
    pipe.send("here")
    while word[0] == 0 and os.getppid() != 1:
        time.sleep(PAUSE)


def waiting(ring: Any, word: Any) -> list | None:
    """The next message; None where it is time to stop."""
    while word[0] == GO and os.getppid() != 1:
        if (message := ring.newest(time.monotonic())) is not None:
            return message.arrays
        time.sleep(PAUSE)
    return None


def lock_step(sizes: Sizes, delay: float, seed: int, kill: int | None = None) -> dict[str, Any]:
    """Backpropagation across the link. `kill`: the process that is killed half way."""
    from catallax.networks import Backpropagation
    from catallax.networks.links.process import link, shared

    chain, (X, y), width = chain_of(Backpropagation(), sizes, seed), training(sizes.rows), sizes.width
    there = link([((BATCH, width), "float32"), ((BATCH,), "int32")], 16, delay=delay)
    back = link([((BATCH, width), "float32")], 16, delay=delay)
    context, word = multiprocessing.get_context("spawn"), shared(1)
    pipes = [context.Pipe() for _ in range(2)]
    given = [(chain.layers[0], (X, y), seed), (chain.layers[1:], chain.loss)]
    halves = [
        context.Process(target=half, args=(pipe[1], word, there, back, *own), daemon=True)
        for half, pipe, own in zip((first_half, second_half), pipes, given, strict=True)
    ]
    said: list[Any] = [(0, 0.0, 1.0), (0, 0.0, 1.0)]
    learnt: list[Any] = [chain.layers[0], chain.layers[1:]]
    for half in halves:
        half.start()
    for pipe in pipes:
        pipe[1].close()
        assert pipe[0].recv() == "here"
    word[0], began, half_way = GO, time.monotonic(), None
    while time.monotonic() - began < sizes.seconds:
        time.sleep(0.01)
        listen(pipes, said, learnt)
        if kill is not None and half_way is None and time.monotonic() - began > sizes.seconds / 2:
            halves[kill].kill()
            half_way = [lessons for lessons, *_ in said]
    word[0] = STOP
    for half in halves:
        while half.is_alive():
            listen(pipes, said, learnt)
            time.sleep(0.01)
    listen(pipes, said, learnt)
    layers = (learnt[0], *learnt[1])
    trained = chain.having_learnt([part._replace(layer=layer) for part, layer in zip(chain.parts, layers, strict=True)])
    rows = {
        "lessons a second, first": said[0][0] / said[0][2],
        "second": said[1][0] / said[1][2],
        "waited s, first": said[0][1],
        "waited s, second": said[1][1],
        "test error %": error_of(trained, test_set()),
    }
    return rows | ({} if half_way is None else {"after": [said[k][0] - half_way[k] for k in range(2)]})


def listen(pipes: list, said: list, learnt: list) -> None:
    """Counts, and layers at the end."""
    for number, (pipe, _) in enumerate(pipes):
        try:
            while pipe.poll():
                message = pipe.recv()
                if isinstance(message, tuple) and len(message) == 3 and isinstance(message[0], int):
                    said[number] = message
                else:
                    learnt[number] = message
        except (EOFError, OSError):
            continue


def lock_step_row(sizes: Sizes, delay: float) -> dict[str, Any]:
    """Medians over seeds of lock-step runs."""
    found = [lock_step(sizes, delay, seed) for seed in range(sizes.seeds)]
    harness.say("lock-step", delay, found)
    return {"how": "lock-step, backpropagation", "delay s": delay, **medians(found)}


# --- together ---


def together_row(name: str, teaching: Callable[[], Any], sizes: Sizes) -> dict[str, Any]:
    """One process, no link, the same wall seconds."""
    import optax

    from catallax.networks import train

    X, y = training(sizes.rows)
    found = []
    for seed in range(sizes.seeds):
        given: dict[str, Any] = dict(batch=BATCH, optimiser=optax.adam(RATE), seed=seed, seconds=sizes.seconds)
        outcome = train(chain_of(teaching(), sizes, seed), X, y, 100_000, **given)
        pace = outcome.rounds / sizes.seconds
        error = error_of(outcome.chain, test_set())
        found.append({"lessons a second, first": pace, "second": pace, "test error %": error})
    harness.say(name, found)
    return {"how": f"together, {name}", **medians(found)}


# --- one is killed ---


def killed(sizes: Sizes, delay: float) -> list[dict[str, Any]]:
    """One row a victim: what the other went on to learn, beside runs that end half way and runs that nothing befalls."""
    rows = []
    for name, victim, seconds in (
        ("nobody, ends half way", None, sizes.seconds / 2),
        ("nobody", None, sizes.seconds),
        ("the first", 0, sizes.seconds),
        ("the second", 1, sizes.seconds),
    ):
        found = []
        for seed in range(sizes.seeds):
            at: dict[str, np.ndarray] = {}

            def look(glance: Any, at: dict = at, victim: int | None = victim) -> None:
                if victim is not None and not at and glance.seconds > sizes.seconds / 2:
                    os.kill(glance.processes[victim], signal.SIGKILL)
                    at.update(glance.counts)

            outcome = apart(sizes, delay, seed, look, seconds)
            record, start = outcome.record, at or {"lessons": np.zeros(2), "loss": np.full(2, np.nan)}
            after = record["lessons"][-1] - start["lessons"]
            found.append(
                {
                    "lessons after, first": after[0] if at else np.nan,
                    "second": after[1] if at else np.nan,
                    "first's objective, then": start["loss"][0],
                    "at the end": record["loss"][-1, 0],
                    "second's objective, then": start["loss"][1],
                    "in the end": record["loss"][-1, 1],
                    "test error %": error_of(outcome.chain, test_set()),
                }
            )
        harness.say("killed", name, found)
        rows.append({"killed": name, **medians(found)})
    return rows


def killed_in_step(sizes: Sizes, delay: float) -> str:
    """A sentence: what lock-step does after the same."""
    after = [lock_step(sizes, delay, 0, kill)["after"] for kill in (0, 1)]
    first, second = after[1][0], after[0][1]
    return (
        f"Lock-step after a kill: the first took {first} more lessons when the second was killed, the second {second} when "
        "the first was (those under way)."
    )


def benchmark(options: harness.Options) -> harness.Report:
    """All delays, lock-step beside apart; then kills at 50 ms."""
    from catallax.networks import Backpropagation

    sizes, watch = QUICK if options.quick else FULL, harness.Watch()
    rows = []
    for delay in DELAYS[:2] if options.quick else DELAYS:
        rows += [apart_row(sizes, delay), lock_step_row(sizes, delay)]
    rows += [together_row("local losses", local, sizes), together_row("backpropagation", Backpropagation, sizes)]
    kills, note = killed(sizes, 0.05), killed_in_step(sizes, 0.05)
    cores, others = watch.read()
    about = f"{sizes.seconds:g} wall seconds a run, medians of {sizes.seeds} seeds; width {sizes.width}, {sizes.rows:,} rows."
    load = f"Over all runs we used {cores:.2f} cores and others {others:.2f}."
    return harness.Report(
        name="decoupled",
        question="Two processes with a slow link between their layers: who waits, and what is left when one is killed?",
        tables=[
            harness.Table("A link with delay", rows, [about, load, WAITED]),
            harness.Table("One is killed half way, delay .05 s", kills, [note, DRIFT]),
        ],
        versions=harness.versions("catallax", "jax", "equinox", "optax", "numpy"),
        options=options,
    )


WAITED = (
    "Waited, apart: seconds before the first message, after which nobody waits. Age: of the messages read, since they were "
    "sent. Dropped: 16 messages can be on their way at once."
)
DRIFT = (
    "Objectives: predsim of the first layer, cross-entropy at the output of the second process (on what it keeps, once the "
    "first is gone). Where the second is killed, its weights stand while what they read goes on changing."
)


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
