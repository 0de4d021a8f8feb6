"""A price on activity in a deep chain: less redundancy, more specialisation, and is it good for anything?

    python -m benchmarks.activity [--quick] [--json]

Network 784-128-128-128-10 of MNIST, relu, backpropagation, Adam at 1e-3, batches of 128 (100 where there are 100 labels). Each
hidden layer pays `price` mean_b sum_k |y_bk|, added to what it descends. The first 10,000, 1,000 or 100 rows of an order drawn
by the seed are learnt from, with their labels and nothing else. Beside price 0: dropout of .3 (a regulariser without competition),
and SoftHebb: units that inhibit each other within a layer, which is told nothing (its readout hears the label).

Measured on unseen images, on each hidden layer, and averaged over the three; a unit that never speaks is dead and left out:

    redundancy       mean |correlation| of two living units of a layer
    dimensions       (sum l)^2 / sum l^2 of the covariance's eigenvalues l, as a share of the layer's width
    information      mutual information [nats] of class and whether a unit speaks, mean over living units
    selectivity      (m_1 - m) / (m_1 + m): a unit's mean output on its best class, and on the others; mean over living units
    active, dead     share of (unit, image) pairs with an output above 0 (SoftHebb: a drive above its layer's mean); of units

Error on 5,000 test images, clean and with Gaussian noise of standard deviation .25 and .5 of full white, which no network has
seen.

Criteria, written before any run. The essay: "a sparsity penalty makes units compete: redundancy falls and representations improve."

1. *Redundancy falls, specialists arise*: at the price chosen for noise (see 2), redundancy is lower and information higher than at
   price 0, both with a 95 % interval of the difference, paired over 5 seeds, that leaves 0 out.
2. *Representations improve*: for a use (clean error at 10,000 labels; error at noise .5; error at 1,000 labels; at 100 labels) the
   price above 0 of least mean error on 5,000 other test images (validation) is judged on the 5,000 that chose nothing: better
   where the interval of its error less that at price 0 lies below 0, worse where above, else no difference seen.
3. *It is competition, and no other brake*: a use that is better is owed to a brake of any kind unless it is also better than
   dropout.

The claim is supported for this network where 1 holds and 2 holds for at least one use without being worse at clean error; where 2
fails for all uses it is not, whatever 1 says. Scale: outputs can shrink while later weights grow, so that a price need not make
anything sparse; "active" does not depend on scale, and says what it did.

Every run is kept in benchmarks/.runs/activity, so that a benchmark that was interrupted goes on.
"""

from __future__ import annotations

import functools
import itertools
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import harness
from benchmarks.mnist import test_set, training

WIDTHS = (784, 128, 128, 128, 10)
PRICES = (0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
LABELS = {10_000: 6, 1_000: 30, 100: 100}  # rows learnt from, and how often
NOISES = (0.25, 0.5)
SEEDS, POOL, BATCH, RATE = 5, 10_000, 128, 1e-3
HALVES = {"validation": slice(0, None, 2), "test": slice(1, None, 2)}  # of the images that nobody learns from
RUNS = harness.HERE / ".runs" / "activity"
USES = ("clean", "noise 0.5", "1,000 labels", "100 labels")
SHAPES = ("redundancy", "dimensions", "information", "selectivity", "active", "dead")


class Arm(NamedTuple):
    """A network's brake: the price of activity, dropout, or inhibition within layers."""

    price: float = 0.0
    dropout: float = 0.0
    kind: str = "backpropagation"

    @property
    def label(self) -> str:
        """price 0.01."""
        if self.kind != "backpropagation":
            return self.kind
        return f"dropout {self.dropout:g}" if self.dropout else f"price {self.price:g}"


ARMS = (*(Arm(price) for price in PRICES), Arm(dropout=0.3), Arm(kind="softhebb"))
FREE, DROPOUT = ARMS[0], ARMS[len(PRICES)]


# --- one network ---


@functools.cache
def adam(rate: float) -> Any:
    """The same object for the same rate: then what is compiled is shared."""
    import optax

    return optax.adam(rate)


def taught(arm: Arm, rows: tuple[np.ndarray, np.ndarray], epochs: int, seed: int) -> Any:
    """The chain after its lessons."""
    from catallax.networks import Chain, Dense, train
    from catallax.networks.kinds import kind_of

    kind = kind_of(arm.kind)
    pairs = itertools.pairwise(WIDTHS[:-1])
    hidden = [Dense(a, b, kind.activation, dropout=arm.dropout, activity=arm.price) for a, b in pairs]
    chain = Chain([*hidden, Dense(*WIDTHS[-2:])], kind.make(), seed=seed)
    rate = RATE if arm.kind == "backpropagation" else kind.rate
    outcome = train(chain, *rows, epochs, batch=min(BATCH, len(rows[0])), optimiser=adam(rate), seed=seed)
    return outcome.chain


def hidden_outputs(chain: Any, x: np.ndarray) -> list[np.ndarray]:
    """What each hidden layer says of each image, [images, units] each."""
    import jax.numpy as jnp

    from catallax.networks.layers import with_fields
    from catallax.networks.teaching.competition import normed, triangle
    from catallax.networks.teaching.softhebb import SoftHebb

    found, compete, said = [], isinstance(chain.teaching, SoftHebb), jnp.asarray(x)
    for layer in chain.layers[:-1]:
        if compete:
            said = with_fields(layer, activation=triangle(chain.teaching.power))(normed(said))
        else:
            said = layer(said)
        found.append(np.asarray(said, np.float64))
    return found


def error_of(chain: Any, x: np.ndarray, y: np.ndarray) -> float:
    """Images misnamed, in %."""
    return 100 * float(np.mean(np.asarray(chain(x)).argmax(1) != y))


def shape_of(said: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """The measures of one layer."""
    from catallax.measures.specialisation import mutual_information

    speaks = said > 0
    alive = speaks.any(0) & (said.std(0) > 0)
    row = {"active": float(speaks.mean()), "dead": float(1 - alive.mean())}
    if alive.sum() < 2:
        return row | dict.fromkeys(SHAPES[:4], float("nan"))
    living = said[:, alive]
    related = np.abs(np.corrcoef(living.T))[np.triu_indices(alive.sum(), 1)]
    spectrum = np.linalg.eigvalsh(np.cov(living.T))
    means = np.stack([living[y == label].mean(0) for label in range(10)])
    counts = np.bincount(y, minlength=10).astype(float)
    best = means.argmax(0)
    rest = (counts @ means - counts[best] * means.max(0)) / (counts.sum() - counts[best])
    spoke = np.stack([speaks[y == label][:, alive].sum(0) for label in range(10)])
    known = [mutual_information(np.stack([spoke[:, k], counts - spoke[:, k]], 1)) for k in range(spoke.shape[1])]
    return row | {
        "redundancy": float(related.mean()),
        "dimensions": float(spectrum.sum() ** 2 / (spectrum**2).sum() / said.shape[1]),
        "information": float(np.mean(known)),
        "selectivity": float(np.mean((means.max(0) - rest) / (means.max(0) + rest))),
    }


# --- runs ---


def kept(name: str, find: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a run found."""
    return harness.kept(RUNS / f"{name}.json", find)


def one(arm: Arm, labels: int, epochs: int, seed: int) -> dict[str, Any]:
    """Errors by half ("validation", "test") and noise; at all labels the layers' measures, on the test half."""
    X, y = training(POOL)
    rows = np.random.default_rng([7, seed]).permutation(POOL)[:labels]
    chain = taught(arm, (X[rows], y[rows]), epochs, seed)
    fresh, truth = test_set()
    found: dict[str, Any] = {}
    for half, part in HALVES.items():
        x = fresh[part]
        found[f"{half} clean"] = error_of(chain, x, truth[part])
        for noise in NOISES if labels == POOL else ():
            more = np.random.default_rng([11, part.start]).normal(size=x.shape).astype(np.float32)
            found[f"{half} noise {noise:g}"] = error_of(chain, x + np.float32(noise) * more, truth[part])
    if labels == POOL:
        layers = [shape_of(said, truth[HALVES["test"]]) for said in hidden_outputs(chain, fresh[HALVES["test"]])]
        found["layers"] = layers
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mean of layers none of which is alive
            found |= {name: float(np.nanmean([layer[name] for layer in layers])) for name in SHAPES}
    return found


def runs(arms: tuple[Arm, ...], seeds: int, labels: dict[int, int], tag: str) -> dict[tuple[str, int], list[dict]]:
    """By arm and labels, the seeds one after the other (whole seeds first: what there is when interrupted is paired)."""
    found: dict[tuple[str, int], list[dict]] = {}
    for seed in range(seeds):
        for arm in arms:
            for count, epochs in labels.items():
                name = f"{tag}{arm.label.replace(' ', '-')}-{count}-{epochs}-{seed}"
                run = kept(name, lambda a=arm, c=count, e=epochs, s=seed: one(a, c, e, s))
                found.setdefault((arm.label, count), []).append(run)
    return found


# --- what is said of them ---


def values(found: dict, arm: Arm, use: str, half: str) -> np.ndarray:
    """Errors of a use, [seeds]."""
    count = int(use.split(" ")[0].replace(",", "")) if "labels" in use else POOL
    noise = use if use.startswith("noise") else "clean"
    return np.array([run[f"{half} {noise}"] for run in found[arm.label, count]])


def interval(samples: Any) -> tuple[float, float, float]:
    """Mean and 95 % interval; NaN where a sample is none (a layer of which no unit is alive)."""
    from catallax.measures.welfare import interval as student

    samples = np.asarray(samples, float)
    return student(samples) if np.isfinite(samples).all() else (float("nan"), float("nan"), float("nan"))


def verdict(difference: Any) -> str:
    """better, worse, or no difference seen; and the numbers."""
    mean, low, high = interval(difference)
    word = "better" if high < 0 else "worse" if low > 0 else "no difference seen"
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f}), {word}"


def shapes_table(found: dict, arms: tuple[Arm, ...]) -> harness.Table:
    """What the layers are like."""
    rows = []
    for arm in arms:
        runs_ = found[arm.label, POOL]
        row: dict[str, Any] = {"network": arm.label}
        for name in SHAPES:
            row[name] = float(np.mean([run[name] for run in runs_]))
        for name in ("redundancy", "information"):
            apart = [run[name] - free[name] for run, free in zip(runs_, found[FREE.label, POOL], strict=True)]
            row[f"{name} over price 0"] = "" if arm == FREE else "{:+.3f} ({:+.3f} to {:+.3f})".format(*interval(apart))
        rows.append(row)
    return harness.Table("Hidden layers at 10,000 labels, means over layers and seeds", rows)


def errors_table(found: dict, arms: tuple[Arm, ...]) -> harness.Table:
    """Errors of each use on the test half, with the difference to price 0."""
    rows = []
    for arm in arms:
        row: dict[str, Any] = {"network": arm.label}
        for use in (*USES[:1], "noise 0.25", *USES[1:]):
            test = values(found, arm, use, "test")
            row[use] = float(test.mean())
            row[f"{use}, over price 0"] = (
                ""
                if arm == FREE
                else "{:+.2f} ({:+.2f} to {:+.2f})".format(*interval(test - values(found, FREE, use, "test")))
            )
        rows.append(row)
    return harness.Table(
        "Error in % on 5,000 test images, means over seeds, 95 % intervals of paired differences", rows
    )


def judged(found: dict, prices: tuple[Arm, ...]) -> harness.Table:
    """The criteria, one use a row; what they come to as notes."""
    rows, better = [], {}
    for use in USES:
        chosen = min(prices, key=lambda arm, use=use: values(found, arm, use, "validation").mean())
        gain = values(found, chosen, use, "test") - values(found, FREE, use, "test")
        beside = values(found, chosen, use, "test") - values(found, DROPOUT, use, "test")
        better[use] = (chosen, interval(gain), interval(beside))
        rows.append(
            {"use": use, "chosen": chosen.label, "less price 0": verdict(gain), "less dropout": verdict(beside)}
        )
    chosen = better["noise 0.5"][0]
    apart = {
        name: interval(
            [a[name] - b[name] for a, b in zip(found[chosen.label, POOL], found[FREE.label, POOL], strict=True)]
        )
        for name in ("redundancy", "information")
    }
    first = apart["redundancy"][2] < 0 and apart["information"][1] > 0
    good = [use for use in USES if better[use][1][2] < 0]
    own = [use for use in good if better[use][2][2] < 0]
    worse = interval(values(found, chosen, "clean", "test") - values(found, FREE, "clean", "test"))[1] > 0
    supported = "supported" if first and good and not worse else "NOT supported"
    said = [
        f"Criterion 1 at {chosen.label}: {'holds' if first else 'does NOT hold'} ("
        + "; ".join(f"{name} {a:+.3f}, {b:+.3f} to {c:+.3f}" for name, (a, b, c) in apart.items())
        + ").",
        f"Criterion 2: better in {', '.join(good) or 'no use'}; clean error at {chosen.label} is {'' if worse else 'not '}worse.",
        f"Criterion 3: better than dropout, too, in {', '.join(own) or 'no use'}.",
        f"The essay's claim is {supported} for this network by these criteria.",
    ]
    return harness.Table("The claim, by criteria written before the runs", rows, said)


def benchmark(options: harness.Options) -> harness.Report:
    """All arms, seeds and labels."""
    harness.choose_device(options.device)
    arms, seeds, labels, tag = ARMS, SEEDS, LABELS, ""
    if options.quick:
        arms, seeds, tag = (FREE, Arm(1e-2), Arm(1e-1), DROPOUT), 2, "quick-"
        labels = {POOL: 1, 1_000: 3, 100: 10}
    found = runs(arms, seeds, labels, tag)
    prices = tuple(arm for arm in arms if arm.price)
    return harness.Report(
        name="activity",
        question=f"Does a price on activity make a deep chain less redundant, more specialised, and better? {seeds} seeds.",
        tables=[judged(found, prices), errors_table(found, arms), shapes_table(found, arms)],
        versions=harness.versions("catallax", "jax", "optax", "numpy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
