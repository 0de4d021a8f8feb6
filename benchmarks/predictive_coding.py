"""Predictive coding: training steps a second, beside PCX's and JPC's.

    python -m benchmarks.predictive_coding [--quick] [--json]

A training step is the sweep forward, so many steps of the relaxation with gradient steps of one size, and Adam on the weights;
tanh layers with bias, squared error of one-hot targets, batches of 128 rows of noise (what they hold does not matter to the
time). Each of the three runs one compiled training step after the other on the CPU, compiled before it is timed, peers in
environments of their own. Ours once more with the step size it chooses itself, and the largest |dF/dx| left at the end.
JPC is on no registry: put its source into .peers/source/jpc (github.com/thebuckleylab/jpc at 7d6cc05) to have it in the table.
"""

from __future__ import annotations

import itertools
import statistics
import sys
from typing import Any

import numpy as np

from benchmarks import harness, peers

JAX = ("jax==0.4.38", "jaxlib==0.4.38", "numpy==2.2.6", "optax==0.2.5", "equinox==0.11.12")
SOURCE = peers.ROOT / "source" / "jpc"
PEERS = {
    "PCX": peers.Peer("pcx", ("pcx==0.6.3", *JAX), "pcx_steps.py"),
    "JPC": peers.Peer("jpc", (str(SOURCE), "diffrax==0.7.0", *JAX), "jpc_steps.py"),
}
NETS = ((784, 512, 10), (784, 512, 512, 10))
BATCH, SIZE = 128, 0.1  # of a gradient step of the relaxation
RELAXATION = (8, 32)  # steps


def ours(
    sizes: tuple[int, ...], steps: int, size: float | None, lessons: int, repeats: int
) -> tuple[list[float], float]:
    """Seconds of so many training steps, one a repeat; and the largest |dF/dx| after one relaxation."""
    import jax
    import jax.numpy as jnp
    import optax

    from catallax import networks
    from catallax.networks.teaching.predictive_coding import PredictiveCoding
    from catallax.signals.teaching import Batch, Wire

    random = np.random.default_rng(0)
    x = random.uniform(size=(BATCH * lessons, sizes[0])).astype(np.float32)
    y = np.eye(sizes[-1], dtype=np.float32)[random.integers(0, sizes[-1], len(x))]
    joints = list(itertools.pairwise(sizes))
    layers = [networks.Dense(*joint, "tanh") for joint in joints[:-1]] + [networks.Dense(*joints[-1])]
    teaching = PredictiveCoding(steps=steps, step=size)
    chain, adam = networks.Chain(layers, teaching, loss="squared"), optax.adam(1e-3)
    learn = lambda: networks.train(chain, x, y, 1, batch=BATCH, optimiser=adam)  # noqa: E731
    learn()
    seconds = [harness.measure_once(learn) for _ in range(repeats)]
    batch = Batch(jnp.asarray(x[:BATCH]), jnp.asarray(y[:BATCH]), chain.loss, jax.random.key(0))
    _, free, _ = teaching.relaxed(chain.parts, batch)
    return seconds, float(teaching.moved(chain.parts, batch, Wire(), free, free)[1])


def rows_of(
    sizes: tuple[int, ...], steps: int, lessons: int, repeats: int
) -> tuple[list[dict[str, Any]], list[str], dict]:
    """A row for each library, sentences about who is missing, and versions."""
    rows, notes, used = [], [], {}
    about = {"network": "-".join(map(str, sizes)), "relaxation": steps}
    for name, size in (("catallax", SIZE), ("catallax, own size", None)):
        harness.say(f"  {about['network']}, {steps} steps, {name}")
        seconds, rest = ours(sizes, steps, size, lessons, repeats)
        rows.append(about | {"library": name} | rate(seconds, lessons) | {"left dF/dx": rest})
    for name, peer in PEERS.items():
        harness.say(f"  {about['network']}, {steps} steps, {name}")
        asked = {"sizes": sizes, "steps": steps, "size": SIZE, "batch": BATCH, "lessons": lessons, "repeats": repeats}
        try:
            if name == "JPC" and not SOURCE.is_dir():
                raise peers.Missing("its source is not there (see benchmarks/predictive_coding.py)")
            found = peers.ask(peer, asked)
        except peers.Missing as why:
            notes.append(f"{name}: {why}.")
            continue
        used |= found["versions"]
        row = about | {"library": name} | rate(found["seconds"], lessons)
        rows.append(row | {"ours times as quick": rows[0]["steps/s"] / row["steps/s"]})
    return rows, notes, {f"peers' {name}": version for name, version in used.items()}


def rate(seconds: list[float], lessons: int) -> dict[str, float]:
    """Training steps a second: of the median repeat, the slowest, the quickest."""
    spread = (statistics.median(seconds), max(seconds), min(seconds))
    return dict(zip(("steps/s", "least", "most"), (lessons / value for value in spread), strict=True))


def benchmark(options: harness.Options) -> harness.Report:
    """Two networks, two lengths of the relaxation, three libraries."""
    harness.choose_device("cpu")
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    used: dict[str, str] = {}
    lessons, repeats = (10, 2) if options.quick else (100, harness.REPEATS)
    for sizes in NETS[:1] if options.quick else NETS:
        for steps in RELAXATION[:1] if options.quick else RELAXATION:
            more, why, versions = rows_of(sizes, steps, lessons, repeats)
            rows, notes, used = rows + more, notes + why, used | versions
    notes.append(
        f"Batches of {BATCH}; a gradient step of the relaxation is {SIZE:g} of the slope; median of {repeats} repeats."
    )
    notes.append("Ours moves layers from the last to the first within a step, theirs move all at once.")
    return harness.Report(
        name="predictive_coding",
        question="How many training steps of predictive coding does a second hold?",
        tables=[harness.Table("Training steps a second", rows, list(dict.fromkeys(notes)))],
        versions=harness.versions("catallax", "jax", "equinox", "optax") | used,
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
