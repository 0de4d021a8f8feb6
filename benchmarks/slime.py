"""A million particles of slime mould on a lattice: agent-steps a second, beside plain NumPy and a numba loop.

    python -m benchmarks.slime [--quick] [--json] [--device cpu|gpu]

All sides run the same model: J. Jones' particles (2010), cells shared, a torus, float32, headings as unit vectors; each
particle smells at three places, turns, moves, lays, and the trail spreads over 3 x 3 cells and fades, all at once. They differ
in where random bits come from (catallax: a hash of seed, round and name; NumPy and numba: a stream). The peers are written
here, as well as we can: the numba loop runs on one thread and passes over the agents once.

Equal in accuracy: trail laid and faded is known in closed form, sum_k N d (1 - e)^k, and Gini's index of the trail after the
same rounds is shown. Time is processor time (all threads) of a long run less a short one, so that set-up and compilation do
not count; wall time stands beside it. A second table asks what one particle a cell (`exclusive`) and a larger lattice cost, and
a third what few bits do to foraging ants, with silence beside.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks import harness

AGENTS, SIDE = 1_000_000, 1024
LONG, SHORT = 60, 10  # rounds: their difference is timed
DEPOSIT, FADES, OFFSET = 5.0, 0.1, 9.0
OFFSET_32 = np.float32(OFFSET)
COS, SIN = np.float32(np.cos(np.radians(22.5))), np.float32(np.sin(np.radians(22.5)))  # of the feelers
TURN = np.float32(np.sqrt(0.5))  # 45 degrees


# --- the peers ------------------------------------------------------------------------------------------------


def spread(trail: np.ndarray) -> np.ndarray:
    """The 3 x 3 mean on a torus, then what is left of it."""
    wide = np.pad(trail, 1, mode="wrap")
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) * np.float32((1 - FADES) / 9)


def with_numpy(state: tuple, side: int, rounds: int) -> np.ndarray:
    """`rounds` rounds in plain NumPy; the trail."""
    x, y, east, north = (v.copy() for v in state)
    trail, random = np.zeros((side, side), np.float32), np.random.default_rng(0)

    def smell(e: np.ndarray, n: np.ndarray) -> np.ndarray:
        column, row = ((v % side).astype(np.int32) % side for v in (x + OFFSET_32 * e, y + OFFSET_32 * n))
        return trail[row, column]

    for _ in range(rounds):
        left = smell(east * COS - north * SIN, north * COS + east * SIN)
        ahead, right = smell(east, north), smell(east * COS + north * SIN, north * COS - east * SIN)
        way = np.sign(left - right)
        way = np.where((ahead < left) & (ahead < right), random.integers(0, 2, x.size) * 2 - 1, way)
        way = np.where((ahead > left) & (ahead > right), 0, way).astype(np.float32)
        cos, sin = np.where(way == 0, np.float32(1), TURN), way * TURN
        east, north = east * cos - north * sin, north * cos + east * sin
        x, y = (x + east) % side, (y + north) % side
        cell = (y.astype(np.int64) % side) * side + x.astype(np.int64) % side
        laid = np.bincount(cell, minlength=side * side).reshape(side, side) * DEPOSIT
        trail = spread(trail + laid.astype(np.float32))
    return trail


@numba.njit(cache=True, fastmath=True)
def walk(x, y, east, north, trail, laid, word):
    """One round of all particles in one pass; `laid` is changed in place, and the state of a xorshift generator returned."""
    side = trail.shape[0]
    size, offset = np.float32(side), np.float32(9.0)
    cos, sin, turn = np.float32(0.9238795), np.float32(0.38268343), np.float32(0.70710678)
    for i in range(x.size):
        px, py, e, n = x[i], y[i], east[i], north[i]
        left = at(trail, px + offset * (e * cos - n * sin), py + offset * (n * cos + e * sin), size)
        ahead = at(trail, px + offset * e, py + offset * n, size)
        right = at(trail, px + offset * (e * cos + n * sin), py + offset * (n * cos - e * sin), size)
        if not (ahead > left and ahead > right):
            way = np.float32(left > right) - np.float32(left < right)
            if ahead < left and ahead < right:
                word ^= word << np.uint64(13)
                word ^= word >> np.uint64(7)
                word ^= word << np.uint64(17)
                way = np.float32(1) if word & np.uint64(1) else np.float32(-1)
            if way != 0:
                e, n = turn * (e - way * n), turn * (n + way * e)
        px, py = wrapped(px + e, size), wrapped(py + n, size)
        x[i], y[i], east[i], north[i] = px, py, e, n
        laid[int(py), int(px)] += np.float32(5.0)
    return word


@numba.njit(cache=True, inline="always")
def wrapped(v, size):
    """A coordinate brought back onto the torus."""
    v = v + size if v < 0 else v
    return v - size if v >= size else v


@numba.njit(cache=True, inline="always")
def at(trail, x, y, size):
    """The trail at a place."""
    return trail[int(wrapped(y, size)), int(wrapped(x, size))]


def with_numba(state: tuple, side: int, rounds: int) -> np.ndarray:
    """`rounds` rounds, particles in a numba loop, the lattice in NumPy; the trail."""
    x, y, east, north = (v.copy() for v in state)
    word = np.uint64(88172645463325252)
    trail = np.zeros((side, side), np.float32)
    for _ in range(rounds):
        laid = trail.copy()
        word = np.uint64(walk(x, y, east, north, trail, laid, word))
        trail = spread(laid)
    return trail


# --- ours -----------------------------------------------------------------------------------------------------


def mould(agents: int, side: int, **more: Any) -> Any:
    """The problem; particles start at the same places for all sides."""
    from catallax.colony.slime import Slime

    facts: dict[str, Any] = dict(sensor_offset=OFFSET, deposit=DEPOSIT, evaporation=FADES, exclusive=False) | more
    return Slime(agents, (side, side), **facts)


def with_catallax(society: Any, rounds: int) -> np.ndarray:
    """The same through `run`; the trail."""
    import catallax as cx
    from catallax.colony.slime import trail_of

    return trail_of(cx.run(society, rounds).society)


# --- timing ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Cost:
    """Nanoseconds an agent-step, of processor and of wall time, medians; and the trail after the long run."""

    cpu: list[float]
    wall: list[float]
    trail: np.ndarray


def cost(go: Callable[[int], np.ndarray], agents: int, repeats: int) -> Cost:
    """Times long runs less short ones, after one of each to compile."""
    go(SHORT)
    trail, steps = go(LONG), agents * (LONG - SHORT) / 1e9
    cpu, wall = [], []
    for _ in range(repeats):
        spent = []
        for rounds in (SHORT, LONG):
            before, start = time.process_time(), time.perf_counter()
            go(rounds)
            spent.append((time.process_time() - before, time.perf_counter() - start))
        (short_cpu, short_wall), (long_cpu, long_wall) = spent
        cpu.append((long_cpu - short_cpu) / steps)
        wall.append((long_wall - short_wall) / steps)
    return Cost(cpu, wall, trail)


def row(side: str, found: Cost, agents: int) -> dict[str, Any]:
    """A row of the table."""
    from catallax.measures.welfare import gini

    total = agents * DEPOSIT * sum((1 - FADES) ** k for k in range(1, LONG + 1))
    cpu = statistics.median(found.cpu)
    return {
        "side": side,
        "ns CPU": cpu,
        "least": min(found.cpu),
        "most": max(found.cpu),
        "agent-steps / CPU s": 1e9 / cpu,
        "ns wall": statistics.median(found.wall),
        "trail / expected": float(found.trail.sum(dtype=np.float64) / total),
        "Gini": gini(np.asarray(found.trail, np.float64).ravel()),
    }


def race(options: harness.Options) -> harness.Table:
    """The three sides."""
    agents, side = (16_384, 128) if options.quick else (AGENTS, SIDE)
    society = mould(agents, side).society()
    state = tuple(np.asarray(getattr(society.agents, name)) for name in ("x", "y", "east", "north"))
    sides = {
        "catallax": (lambda n: with_catallax(society, n), harness.REPEATS),
        "numba loop, one thread": (lambda n: with_numba(state, side, n), harness.REPEATS),
        "plain NumPy": (lambda n: with_numpy(state, side, n), harness.REPEATS if options.quick else 1),
    }
    rows = []
    for name, (go, repeats) in sides.items():
        harness.say(f"  {name}")
        rows.append(row(name, cost(go, agents, repeats), agents))
    notes = [
        f"{agents:,} particles on {side} x {side} cells, rounds {SHORT} to {LONG}. Plain NumPy is timed once.",
    ]
    return harness.Table("Agent-steps of slime mould", rows, notes)


def variants(options: harness.Options) -> harness.Table:
    """What one particle a cell and a larger lattice cost."""
    agents, side = (16_384, 128) if options.quick else (AGENTS, SIDE)
    settings = {
        "cells shared": (side, {}),
        "cells shared, 4 cells a particle": (2 * side, {}),
        "one a cell, 4 cells a particle": (2 * side, {"exclusive": True}),
    }
    rows = []
    for name, (width, more) in settings.items():
        harness.say(f"  {name}")
        society = mould(agents, width, **more).society()
        found = cost(lambda n, s=society: with_catallax(s, n), agents, harness.REPEATS)
        rows.append({k: v for k, v in row(name, found, agents).items() if k != "trail / expected"})
    return harness.Table("What it costs", rows)


def ants(options: harness.Options) -> harness.Table:
    """Foraging told through few bits: mean efficiency (the planner's rounds / rounds taken) and its standard error."""
    import catallax as cx
    from catallax.colony.foraging import Foraging

    seeds, rows = 3 if options.quick else 16, []

    def reached(problem: Foraging) -> list[float]:
        many = [dataclasses.replace(problem, seed=s) for s in range(seeds)]
        return [p.welfare(cx.run(p, p.rounds, p.seed, tolerance=1e-6))["efficiency"] for p in many]

    for units in (2, 10):
        problem = Foraging(units=units)
        for told in (0, 1, 2, 3, 4, 6, 8, None):
            found = reached(problem.quantised(told))
            name = {0: "silence", None: "exact"}.get(told, f"{told} bits")
            error = statistics.stdev(found) / len(found) ** 0.5
            rows.append({"units a cell": units, "told": name, "efficiency": statistics.mean(found), "error": error})
        full = problem.welfare(problem.contest())["efficiency"]
        rows.append({"units a cell": units, "told": "where all food is", "efficiency": full})
    return harness.Table("Foraging ants told a trail", rows, [f"{seeds} seeds each; the planner is 1 by definition."])


def benchmark(options: harness.Options) -> harness.Report:
    """All three tables."""
    harness.choose_device(options.device)
    question = "How many agent-steps a second does a lattice of pheromone allow, and how much must ants be told?"
    tables = [race(options), variants(options), ants(options)]
    return harness.Report("slime", question, tables, harness.versions("catallax", "jax", "numpy", "numba"), options)


if __name__ == "__main__":
    raise SystemExit(harness.main(benchmark))
