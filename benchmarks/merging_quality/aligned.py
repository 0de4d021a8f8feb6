"""Networks that were trained apart, put in one order and merged; a control as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks import harness, mnist
from benchmarks.merging_quality import suite as merging_suite
from benchmarks.merging_quality.kept import kept
from benchmarks.merging_quality.suite import Weights

PAIRS = 3
ALIGNMENT = "Trained on one half of the rows each, from weights of their own. Cosine: of all weights of both networks."


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
