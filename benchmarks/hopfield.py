"""Associative memory: what share of patterns comes back at which load, and how many spins are updated a second.

    load           patterns / neurons; random patterns of +-1; a pattern is recalled where the state at rest overlaps it by
                   .95 or more, started from itself or with a tenth of its entries flipped (asynchronous)
    peers          the textbook update, s_i <- sign(J_i . s), in NumPy and in numba: every spin reads its row of J
    ours           fields are kept: a spin reads one number, and only a flip reads a row of J (2 bytes a synapse)

The limit of memory: a flip must read 2 N bytes, so flips a second are at most bandwidth / 2 N once J is beyond the caches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks import harness, memory

LOADS = (0.05, 0.1, 0.12, 0.13, 0.138, 0.15, 0.16, 0.18, 0.2)
SEEDS, CUES, NEURONS = 3, 200, 2000


def patterns(many: int, neurons: int, seed: int) -> np.ndarray:
    """Random patterns of +-1."""
    return np.random.default_rng([seed, many, neurons]).choice(np.array([-1, 1], np.int8), (many, neurons))


# --- how much is held ---


def against_load(neurons: int, seeds: int) -> list[dict[str, Any]]:
    """One row a load: shares recalled, and the same with synapses of one bit or half of them cut (from 10 % flips)."""
    from catallax.networks.hopfield import Hopfield

    rows = []
    for load in LOADS:
        harness.say(f"  load {load}")
        found: dict[str, list[float]] = {}
        for seed in range(seeds):
            held = patterns(round(load * neurons), neurons, seed)
            whole = Hopfield(held)
            shares = {
                "from itself": whole.recalled(0.0, cues=CUES, seed=seed),
                "10 % flipped": whole.recalled(0.1, cues=CUES, seed=seed),
                "30 % flipped": whole.recalled(0.3, cues=CUES, seed=seed),
                "1 bit a synapse": Hopfield(held, bits=1).recalled(0.1, cues=CUES, seed=seed),
                "2 bits": Hopfield(held, bits=2).recalled(0.1, cues=CUES, seed=seed),
                "half cut": Hopfield(held, cut=0.5).recalled(0.1, cues=CUES, seed=seed),
            }
            for name, share in shares.items():
                found.setdefault(name, []).append(share)
        rows.append(
            {"load": load, "patterns": round(load * neurons)} | {k: float(np.mean(v)) for k, v in found.items()}
        )
    return rows


def larger(options: harness.Options) -> harness.Table:
    """The two loads of the figure on more neurons."""
    from catallax.networks.hopfield import Hopfield

    rows = []
    for neurons in (500, 1000) if options.quick else (2000, 4000, 8000):
        for load in (0.13, 0.2):
            held = Hopfield(patterns(round(load * neurons), neurons, 0))
            shares = {f"{noise:.0%} flipped": held.recalled(noise, cues=CUES) for noise in (0.0, 0.1)}
            rows.append({"neurons": neurons, "load": load} | shares)
    return harness.Table("More neurons, one draw", rows)


def many_more(options: harness.Options) -> harness.Table:
    """Dense and modern memories: more patterns than neurons, from a tenth of the entries flipped."""
    from catallax.networks.hopfield import Hopfield

    rows = []
    sizes: list[tuple[str, int, int, dict]] = [("classical", 100, 13, {}), ("classical", 100, 200, {})]
    sizes += [("dense", 100, many, dict(degree=d)) for d, many in ((3, 50), (3, 200), (4, 200), (4, 1000), (5, 5000))]
    sizes += [("modern", 64, many, {}) for many in (1_000, 10_000, *(() if options.quick else (100_000,)))]
    for kind, neurons, many, more in sizes:
        held = Hopfield(patterns(many, neurons, 0), kind, **more)
        cues = held.patterns[:CUES]
        signs = np.where(np.random.default_rng(1).random(cues.shape).argsort(1) < neurons // 10, -cues, cues)
        found = held.recall(signs)
        own = (np.sign(found.state) * cues).mean(1)
        step = (np.sign(held.step(signs)) * cues).mean(1) if kind == "modern" else None
        name = f"{kind}, degree {held.degree}" if kind == "dense" else kind
        rows.append(
            {
                "memory": name,
                "neurons": neurons,
                "patterns": many,
                "patterns / neuron": many / neurons,
                "recalled": float(np.mean(found.settled & (own >= 0.95))),
                "after one step": None if step is None else float(np.mean(step >= 0.95)),
            }
        )
    return harness.Table("More patterns than neurons (10 % flipped)", rows)


def load_table(options: harness.Options) -> harness.Table:
    """The curve, as a table; a full run draws it."""
    neurons, seeds = (500, 1) if options.quick else (NEURONS, SEEDS)
    rows = against_load(neurons, seeds)
    if not options.quick:
        draw(rows)
    notes = [
        f"{neurons:,} neurons, mean of {seeds} draws of patterns, the first {CUES} of each as cues.",
        "Theory: .138 (Amit, Gutfreund and Sompolinsky 1985); one bit a synapse .102.",
    ]
    return harness.Table("Share of patterns recalled (overlap >= .95), against load", rows, notes)


def draw(rows: list[dict[str, Any]]) -> None:
    """The curve as a picture, benchmarks/results/hopfield.png."""
    from catallax.core.scene import Scene, Series
    from catallax.view import draw as drawn
    from catallax.view import save

    loads = [row["load"] for row in rows]
    names = ("from itself", "10 % flipped", "half cut", "1 bit a synapse")
    lines = [Series(loads, [row[name] for row in rows], name) for name in names]
    save(drawn(Scene("Share of patterns recalled, against patterns / neurons", lines)), results("hopfield.png"))


def results(name: str) -> Any:
    """Where full runs keep what they found."""
    folder = harness.HERE / "results"
    folder.mkdir(exist_ok=True)
    return folder / name


# --- how fast ---


@numba.njit(cache=True)
def textbook(synapses: np.ndarray, state: np.ndarray, turns: np.ndarray) -> int:
    """A round in which every spin sums its row; the flips."""
    flips = 0
    for i in turns:
        total = np.int32(0)
        row = synapses[i]
        for j in range(row.size):
            total += np.int32(row[j]) * np.int32(state[j])
        if total * state[i] < 0:
            state[i] = -state[i]
            flips += 1
    return flips


def in_numpy(synapses: np.ndarray, state: np.ndarray, turns: np.ndarray) -> int:
    """The same, a NumPy product a spin; `synapses` and `state` in float32."""
    flips = 0
    for i in turns:
        if synapses[i] @ state * state[i] < 0:
            state[i] = -state[i]
            flips += 1
    return flips


def speed(options: harness.Options) -> harness.Table:
    """Spin updates a second, of states that start at random (many flips) and at a pattern with a tenth flipped (few)."""
    rows = []
    read = memory.bandwidth(64 if options.quick else 512)["read_one"]
    for neurons in (1000,) if options.quick else (NEURONS, 4 * NEURONS):
        held = patterns(round(0.13 * neurons), neurons, 0)
        starts = {"random": patterns(len(held), neurons, 1), "10 % flipped": flipped(held)}
        for start, cues in starts.items():
            rows += race(held, cues[: 8 if neurons > NEURONS else 32], start, read, options)
    notes = [
        f"One core reads {read / 1e9:.1f} GB/s from memory. 'of the limit': bytes of J read by flips, a second, over that; "
        "above 1 J is read from caches.",
        "Whole recalls to rest: every spin's turn counts as an update; random orders are drawn anew for each round.",
    ]
    return harness.Table("Spin updates a second (one core, load .13)", rows, notes)


def flipped(held: np.ndarray) -> np.ndarray:
    """Cues with a tenth flipped."""
    from catallax.networks.memory import facts

    return facts.flipped(held, 0.1)


def race(held: np.ndarray, cues: np.ndarray, start: str, read: float, options: harness.Options) -> list[dict[str, Any]]:
    """Ours, and the textbook update in numba and NumPy, to rest from the same cues."""
    from catallax.networks.hopfield import Hopfield
    from catallax.networks.memory import asynchronous

    neurons, network = held.shape[1], Hopfield(held)
    synapses = network.synapses
    counted: dict[str, tuple[int, int]] = {}

    def ours() -> None:
        fields = network.heard(cues)
        found = asynchronous.classical(synapses, fields, cues, 0.0, 1000, 0)
        counted["kept fields (catallax)"] = (int(found.rounds.sum()) * neurons, int(found.flips.sum()))

    def peer(name: str, sweep: Callable[..., int], dtype: Any) -> Callable[[], None]:
        held_so, few = synapses.astype(dtype), cues[: 2 if dtype == np.float32 else len(cues)]

        def go() -> None:
            random, updates, flips = np.random.default_rng(0), 0, 0
            for cue in few:
                state, moved = cue.astype(np.int8 if dtype == np.int16 else dtype), 1
                while moved:
                    moved = sweep(held_so, state, random.permutation(neurons))
                    updates, flips = updates + neurons, flips + moved
            counted[name] = (updates, flips)

        return go

    sides = {
        "kept fields (catallax)": ours,
        "textbook, numba": peer("textbook, numba", textbook, np.int16),
        "textbook, NumPy": peer("textbook, NumPy", in_numpy, np.float32),
    }
    rows = []
    for name, go in sides.items():
        harness.say(f"  {neurons} neurons, {start}: {name}")
        go()  # compiles
        spent = harness.measure(go)
        updates, flips = counted[name]
        moved = flips if name.startswith("kept") else updates
        size = 4 if name.endswith("NumPy") else 2
        rows.append(
            {
                "neurons": neurons,
                "start": start,
                "update": name,
                "updates / s": updates / spent.median,
                "flips / update": flips / updates,
                "J read, GB/s": moved * size * neurons / spent.median / 1e9,
                "of the limit": moved * size * neurons / spent.median / read,
                "least s": spent.low,
                "most s": spent.high,
                "others": spent.others,
            }
        )
    return rows


def benchmark(options: harness.Options) -> harness.Report:
    """All four tables."""
    harness.choose_device(options.device)
    question = "How many patterns does a memory hold, and how fast does it recall them?"
    tables = [load_table(options), larger(options), many_more(options), speed(options)]
    return harness.Report("hopfield", question, tables, harness.versions("catallax", "jax", "numpy", "numba"), options)


if __name__ == "__main__":
    raise SystemExit(harness.main(benchmark))
