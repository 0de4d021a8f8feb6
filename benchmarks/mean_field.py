"""A two-layer network as a crowd: does what it learns depend on its size, and what does running it as agents cost?

swing          root mean square over rows of the standard deviation, over draws of the weights, of what is said of a row
law            swing ~ width^-1/2; and losses approach that of the limit like 1 / width
peers          gradient descent of the same loss written for the whole network in plain JAX (jax.grad, one loop)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from benchmarks import harness
from benchmarks.hopfield import results

WIDTHS, SEEDS, ROUNDS, EVERY = (16, 64, 256, 1024, 4096), 32, 300, 10


def teacher() -> tuple[np.ndarray, np.ndarray]:
    """128 rows of 4 features, and a smooth target of them."""
    X = np.random.default_rng(0).normal(size=(128, 4))
    return X, np.tanh(X[:, 0] + X[:, 1]) - np.tanh(2 * X[:, 2]) * X[:, 3]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits, features standardised: is it even?"""
    from sklearn.datasets import load_digits

    X, y = map(np.asarray, load_digits(return_X_y=True))
    return (X - X.mean(0)) / np.maximum(X.std(0), 1e-9), (y % 2 == 0).astype(float)


def curves(X: Any, y: Any, width: int, seeds: int, rounds: int, **more: Any) -> tuple[np.ndarray, np.ndarray]:
    """Losses [seeds, records] and what is said at the end [seeds, rows], one run a draw of the weights."""
    import catallax as cx
    from catallax.networks.mean_field import TwoLayer

    losses, said = [], []
    for seed in range(seeds):
        problem = TwoLayer(X, y, width, seed=seed, **more)
        ran = cx.run(problem, rounds, record=cx.Record(EVERY, loss=problem.watch()["loss"]))
        losses.append((ran.record or {})["loss"])
        said.append(ran.output)
    return np.array(losses), np.array(said)


def by_width(name: str, data: tuple, options: harness.Options, seeds: int, widths: tuple, rounds: int, **more: Any):
    """One row a width, and the slopes of the two laws."""
    rows, lines = [], {}
    for width in widths:
        harness.say(f"  {name}: {width} neurons")
        losses, said = curves(data[0], data[1], width, seeds, rounds, **more)
        swing = float(np.sqrt(said.var(0, ddof=1).mean()))
        lines[width] = losses.mean(0)
        at = {f"loss after {k}": float(losses[:, k // EVERY].mean()) for k in (10, rounds // 30 * 10, rounds)}
        spread = float(losses[:, -1].std(ddof=1))
        rows.append(
            {"neurons": width, **at, "its spread": spread, "swing": swing, "swing x sqrt n": swing * width**0.5}
        )
    slope = np.polyfit(np.log(widths), np.log([row["swing"] for row in rows]), 1)[0]
    notes = [
        f"{seeds} draws of the weights a width, rate {more.get('rate', 0.5)}. Swing falls like width^{slope:.2f} (-1/2 is due)."
    ]
    if not options.quick:
        draw(name, lines)
    return harness.Table(f"{name}: the same curve for all widths", rows, notes)


def draw(name: str, lines: dict[int, np.ndarray]) -> None:
    """Loss curves by width, benchmarks/results/mean_field_NAME.png."""
    from catallax.core.scene import Scene, Series
    from catallax.view import draw as drawn
    from catallax.view import save

    series = [Series(EVERY * np.arange(len(y)), y, f"{width:,} neurons") for width, y in lines.items()]
    save(drawn(Scene(f"{name}: mean loss, round by round", series)), results(f"mean_field_{name}.png"))


# --- the gradient, and what agents cost ---


def whole(problem: Any) -> Callable[[Any], Any]:
    """The loss of the whole network by its parameters, written anew."""
    import jax.numpy as jnp

    def loss(own: Any) -> Any:
        out, weights, bias = own
        f = jnp.tanh(problem.X @ weights.T + bias) @ out / out.size
        return jnp.mean((f - problem.y) ** 2) / 2

    return loss


def gradient() -> harness.Table:
    """n times jax.grad of the whole loss against what neurons work out alone, in float64."""
    import jax
    import jax.numpy as jnp

    from catallax.networks.mean_field import TwoLayer

    rows = []
    with jax.enable_x64(True):
        for width in (16, 1024):
            X, y = teacher()
            problem = TwoLayer(X, y, width)
            society = problem.society()
            alone = society.agents.climb(society.signal.public(), problem.X)
            wanted = [width * g for g in jax.grad(whole(problem))(problem.start)]
            off = max(float(jnp.max(jnp.abs(a - b))) for a, b in zip(alone, wanted, strict=True))
            rows.append(
                {"neurons": width, "largest slope": max(float(jnp.max(jnp.abs(g))) for g in wanted), "off by": off}
            )
    return harness.Table("What neurons do alone, against jax.grad of the whole loss (float64)", rows)


def cost(options: harness.Options) -> harness.Table:
    """Seconds a round: `run` by matrix products, `run` neuron by neuron, and plain JAX."""
    import jax

    import catallax as cx
    from catallax.networks.mean_field import TwoLayer
    from catallax.networks.wide.neurons import Neuron

    class Single(Neuron):
        """The same neurons without the fused path."""

        tally: ClassVar[Any] = None

    rounds, rows = 100 if options.quick else 400, []
    for width in (64, 1024):
        problem = TwoLayer(*teacher(), width)
        society = problem.society()
        agents = society.agents
        apart = cx.Society(Single(agents.own, agents.rate, agents.act), society.signal)
        slope = jax.grad(whole(problem))

        @jax.jit
        def descend(own: Any, slope: Any = slope, width: int = width) -> Any:
            step = lambda _, p: jax.tree.map(lambda x, g: x - 0.5 * width * g, p, slope(p))  # noqa: E731
            return jax.lax.fori_loop(0, rounds, step, own)

        sides: dict[str, Callable[[], Any]] = {
            "run (matrix products)": lambda s=society: cx.run(s, rounds).society.agents.own.out.block_until_ready(),
            "run, neuron by neuron": lambda s=apart: cx.run(s, rounds).society.agents.own.out.block_until_ready(),
            "plain JAX": lambda p=problem, f=descend: f(p.start).out.block_until_ready(),
        }
        for name, go in sides.items():
            harness.say(f"  {width} neurons: {name}")
            first, spent = harness.measure_once(go), harness.measure(go)
            each = {"us a round": 1e6 * spent.median / rounds, "least": 1e6 * spent.low / rounds}
            rows.append({"neurons": width, "side": name, **each, "first call, s": first, "others": spent.others})
    return harness.Table(f"What a round costs (128 rows, {rounds} rounds a call, set-up of the call among them)", rows)


def benchmark(options: harness.Options) -> harness.Report:
    """All four tables."""
    harness.choose_device(options.device)
    seeds, widths, rounds = (4, (16, 64, 256), 60) if options.quick else (SEEDS, WIDTHS, ROUNDS)
    question = "Does what a two-layer network learns depend on its width, and what does it cost to run it as agents?"
    tables = [
        gradient(),
        by_width("smooth", teacher(), options, seeds, widths, rounds),
        by_width("digits", digits(), options, min(seeds, 8), widths[:-1], rounds, loss="logistic", rate=0.2),
        cost(options),
    ]
    return harness.Report("mean_field", question, tables, harness.versions("catallax", "jax", "numpy"), options)


if __name__ == "__main__":
    raise SystemExit(harness.main(benchmark))
