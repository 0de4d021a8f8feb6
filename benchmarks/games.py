"""Games: all Nash equilibria of two players beside nashpy and QuantEcon; and learning to a correlated equilibrium.

    python -m benchmarks.games [--quick] [--json] [--device cpu]

Games are drawn from the normal distribution, so that they are nondegenerate (almost surely) and have an odd number of
equilibria. Equal accuracy first: a peer's row says whether its equilibria are ours, one by one, and the most that anyone
could still gain at any of them, by our float64 judge. Peers run in environments of their own. Times are of all games of a
size, the median of up to five runs with the least and the most; a peer that is at it for longer than its limit is stopped.

Learning has no peer: rounds that regret matching takes until nobody's average regret is above a per cent, and the total
payoff that its joint play reaches, beside the best correlated and the worst and best Nash equilibrium.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from typing import Any

from benchmarks import harness, peers

NASHPY = peers.Peer("nashpy", ("nashpy==0.0.43",), "nashpy_support.py")
QUANTECON = peers.Peer("quantecon", ("quantecon==0.11.4",), "quantecon_games.py")
SIZES, QUICK_SIZES = (2, 4, 6, 8, 10, 12, 14), (2, 4)
GAMES = 5  # of each size: seeds 0 to 4
LIMIT, PATIENCE = 20.0, 90.0  # s: after which no further run begins; after which a peer is stopped
SAME = 1e-6  # two strategies are the same
SHAPES, QUICK_SHAPES = ((2, 2), (3, 3), (5, 5), (10, 10), (3, 3, 3), (5, 5, 5)), ((2, 2), (3, 3, 3))
SEEDS, QUICK_SEEDS = 20, 5
QUESTION = (
    "How fast are all equilibria of a game of two found, and are they all? {games} games of each size, payoffs normal, seeds "
    "0 to {last}. How soon does regret matching come to rest, and where?"
)


def drawn(seed: int, shape: tuple[int, ...]) -> Any:
    """A random game: payoffs [players, a_1, ..., a_n]."""
    import numpy as np

    return np.random.default_rng([seed, *shape]).normal(size=(len(shape), *shape))


# --- all equilibria ---------------------------------------------------------------------------------------------


def ours(games: list[Any]) -> tuple[list[list[Any]], harness.Timing]:
    """Our equilibria of each game, and the time of all."""
    from catallax.economy.play import nash

    found = [[e.strategies for e in nash.equilibria(game).found] for game in games]
    return found, harness.measure(lambda: [nash.equilibria(game) for game in games])


def alike(some: list[Any], others: list[Any]) -> bool:
    """Whether two lists hold the same equilibria, in any order, each once."""
    import numpy as np

    def same(one, other):
        return all(np.abs(np.asarray(a) - np.asarray(b)).max() <= SAME for a, b in zip(one, other, strict=True))

    return len(some) == len(others) and all(sum(same(one, other) for other in others) == 1 for one in some)


def row(who: str, method: str, games: list[Any], found: list[list[Any]], seconds: Any, reference: Any) -> dict:
    """One row of a size."""
    import numpy as np

    from catallax.economy.play import nash

    gains = [
        nash.gains(g, [np.asarray(x) for x in pair]) for g, pairs in zip(games, found, strict=True) for pair in pairs
    ]
    agreed = sum(alike(a, b) for a, b in zip(found, reference, strict=True))
    median = statistics.median(seconds)
    return {
        "library": who,
        "method": method,
        "equilibria": sum(map(len, found)),
        "games that agree with ours": f"{agreed} of {len(games)}",
        "largest gain left": max(gains, default=float("nan")),
        "s": median,
        "least s": min(seconds),
        "most s": max(seconds),
        "runs": len(seconds),
    }


def size_table(size: int, count: int, stopped: dict[tuple[str, str], int]) -> harness.Table:
    """All libraries on the games of one size. `stopped`: peer and method, and the size at which it was not heard of again."""
    harness.say(f"  {size} x {size}")
    games = [drawn(seed, (size, size)) for seed in range(count)]
    reference, timing = ours(games)
    rows, notes = [row("catallax", "vertex", games, reference, timing.seconds, reference)], []
    rows[0]["others"] = timing.others
    for peer in (NASHPY, QUANTECON):
        for method in ("support", "vertex"):
            if (peer.name, method) in stopped:
                at = stopped[peer.name, method]
                notes.append(f"{peer.name}, {method} enumeration: not asked, since it failed at {at} x {at}.")
                continue
            request = dict(games=[g.tolist() for g in games], method=method, repeats=harness.REPEATS, limit=LIMIT)
            try:
                got = peers.ask(peer, request, timeout=PATIENCE)
            except peers.Missing as why:
                notes.append(f"No row for {method} enumeration: {why}.")
                stopped[peer.name, method] = size
                continue
            label = f"{peer.name} {got['versions'][peer.name]}"
            line = row(label, method, games, got["equilibria"], got["seconds"], reference)
            rows.append(line | {"first call s": got["first"], "ours is faster by": f"{line['s'] / rows[0]['s']:.3g}x"})
    return harness.Table(f"{size} x {size} actions, {count} games", rows, notes)


# --- learning ---------------------------------------------------------------------------------------------------


def learning(shapes: tuple[tuple[int, ...], ...], seeds: int) -> harness.Table:
    """Regret matching on random games."""
    from catallax.economy import NormalForm

    rows = []
    for shape in shapes:
        harness.say(f"  learning {' x '.join(map(str, shape))}")
        NormalForm(drawn(0, shape)).learn(5000)  # compiles
        ran, seconds, shares = [], [], []
        for seed in range(seeds):
            game = NormalForm(drawn(seed, shape))
            start = time.perf_counter()
            ran.append(game.learn(5000, seed))
            seconds.append(time.perf_counter() - start)
            shares.append(reached(game, ran[-1]))
        rounds = [r.rounds for r in ran]
        rows.append(
            {
                "actions": " x ".join(map(str, shape)),
                "settled": f"{sum(r.status == 'settled' for r in ran)} of {seeds}",
                "rounds": statistics.median(rounds),
                "most rounds": max(rounds),
                "largest regret": max(r.certificate for r in ran),
                "ms": 1e3 * statistics.median(seconds),
                "most ms": 1e3 * max(seconds),
            }
            | {name: mean([s[name] for s in shares]) for name in shares[0]}
        )
    notes = [
        "Settled: nobody's average regret is above 1 % of the range of its payoffs, counted in float64, within 5000 rounds.",
        "Payoffs: means over games, 0 the worst joint action, 1 the best. Nash: the worst and the best of those found, all of "
        "them where two play, in pure actions else (games without one are left out of these means).",
    ]
    return harness.Table("Regret matching until everyone's average regret is at most 1 %", rows, notes)


def mean(values: list[float]) -> float | None:
    """The mean of those there are."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.mean(known) if known else None


def reached(game: Any, outcome: Any) -> dict[str, float]:
    """Total payoffs as shares of the way from the worst joint action to the best."""
    from catallax.economy.play import nash

    every = game.worth.sum(0)

    def share(play):
        return float(((every * play).sum() - every.min()) / (every.max() - every.min()))

    totals = [share(nash.joint(e.strategies)) for e in game.equilibria().found] or [math.nan]
    best, _ = nash.best_correlated(game.worth)
    return {
        "learnt": share(outcome.play),
        "worst Nash": min(totals),
        "best Nash": max(totals),
        "best correlated": share(best),
    }


def benchmark(options: harness.Options) -> harness.Report:
    """All equilibria by size, then learning."""
    harness.choose_device(options.device)
    stopped: dict[tuple[str, str], int] = {}
    tables = [size_table(size, GAMES, stopped) for size in (QUICK_SIZES if options.quick else SIZES)]
    tables.append(learning(*((QUICK_SHAPES, QUICK_SEEDS) if options.quick else (SHAPES, SEEDS))))
    return harness.Report(
        name="games",
        question=QUESTION.format(games=GAMES, last=GAMES - 1),
        tables=tables,
        versions=harness.versions("catallax", "jax", "numpy", "scipy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
