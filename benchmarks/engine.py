"""The engine against its peers: the kinetic wealth model, in agent-steps per second.

    python -m benchmarks.engine [--quick] [--json] [--device cpu|gpu]

Everyone with money gives one unit to a random other, once a round (`benchmarks.wealth`,
`benchmarks.kinetic`). An agent-step is one agent's turn in one round. Ours is written with the public
per-agent protocol and runs as users run it, through `run`; the peers' models are as their documentation has
them (`benchmarks/peers`).

Accuracy comes first: every row must keep the money, and its wealth must have the variance that theory gives
for its order of activation after the same number of rounds, within a few standard errors. Synchronous rounds
and turns in random order are different dynamics, and the row says which it is.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import harness, kinetic, peers

SMALL, LARGE = 10_000, 1_000_000
SYNCHRONOUS, SEQUENTIAL = kinetic.ORDERS
TARGETS = {SMALL: 1.5e8, LARGE: 1e8}  # agent-steps/s of our synchronous row, on a quiet machine
TARGET_IN_TURN = 1e7  # of our random order with 10k agents
TARGET_RATIOS = {"Mesa": 300.0, "mesa-frames": 20.0}  # against the faster of a peer's rows of the same size


@dataclasses.dataclass(frozen=True)
class Entry:
    """A peer's row: its label, its environment, its order of activation, rounds a repeat for each number of
    agents."""

    label: str
    peer: peers.Peer
    order: str
    rounds: Mapping[int, int]


def _peer(script: str, *packages: str) -> peers.Peer:
    return peers.Peer(packages[0].partition("==")[0], packages, f"{script}.py")


# Numbers of rounds keep a repeat between a fifth of a second and a few seconds.
_FRAMES = _peer("mesa_frames_wealth", "mesa-frames==0.1.0a0", "polars==2.1.0", "pandas==3.0.6", "pyarrow==26.0.1")
PEERS = (
    Entry("Mesa", _peer("mesa_wealth", "mesa==3.3.1"), SEQUENTIAL, {SMALL: 20, LARGE: 1}),
    Entry("AgentPy", _peer("agentpy_wealth", "agentpy==0.1.5"), SEQUENTIAL, {SMALL: 20, LARGE: 1}),
    Entry("mesa-frames, tutorial", _FRAMES, SYNCHRONOUS, {SMALL: 100}),
    Entry(
        "mesa-frames, joins",
        dataclasses.replace(_FRAMES, script="mesa_frames_joins.py"),
        SYNCHRONOUS,
        {SMALL: 100, LARGE: 2},
    ),
    Entry("numpy", _peer("numpy_wealth", "numpy==2.4.6"), SYNCHRONOUS, {SMALL: 1000, LARGE: 10}),
)


@dataclasses.dataclass(frozen=True)
class Race:
    """One measured row: `seconds` of the repeats, each of `rounds` rounds; set-up and compile time apart.

    `lived` is the number of rounds after which `total` and `variance` of wealth were taken.
    """

    label: str
    order: str
    agents: int
    rounds: int
    seconds: tuple[float, ...]
    setup: float
    compile: float | None
    cores: float
    others: float
    total: int
    variance: float
    lived: int

    @property
    def speed(self) -> float:
        """Agent-steps per second, by the median repeat."""
        return self.agents * self.rounds / statistics.median(self.seconds)

    @property
    def thrift(self) -> float:
        """Agent-steps per second of processor time, over all repeats: hardly moved by what else the machine
        does."""
        return self.agents * self.rounds * len(self.seconds) / (self.cores * sum(self.seconds))

    def row(self) -> dict[str, Any]:
        steps = self.agents * self.rounds
        expected, error = kinetic.variance(self.lived, self.order, self.agents)
        return {
            "engine": self.label,
            "updates": self.order if self.order == SYNCHRONOUS else "sequential, random order",
            "rounds": self.rounds,
            "agent-steps/s": self.speed,
            "least": steps / max(self.seconds),
            "most": steps / min(self.seconds),
            "per core-second": self.thrift,
            "set-up s": self.setup,
            "compile s": "none" if self.compile is None else self.compile,
            "cores used": self.cores,
            "others": self.others,
            "money kept": "yes" if self.total == self.agents else f"no: {self.total:,} of {self.agents:,}",
            "variance": f"{self.variance:.4f}",
            "expected": f"{expected:.4f} ± {error:.4f}",
            "off by": f"{(self.variance - expected) / error if error else 0.0:+.1f} s.e.",
        }


# --- the two sides ------------------------------------------------------------------------------------------


def race_peer(entry: Entry, agents: int, quick: bool) -> Race:
    """A peer's row; raises `peers.Missing`."""
    peers.environment(entry.peer)  # installing is not what the watch is for
    rounds, repeats, warm = entry.rounds[agents], harness.REPEATS, 1
    rounds = max(1, rounds // 5) if quick else rounds
    request = {"agents": agents, "rounds": rounds, "repeats": repeats, "warm": warm, "seed": 1}
    watch = harness.Watch()
    found = peers.ask(entry.peer, request)
    _, others = watch.read()
    return Race(
        label=f"{entry.label} {next(iter(found['versions'].values()))}",
        order=entry.order,
        agents=agents,
        rounds=rounds,
        seconds=tuple(found["seconds"]),
        setup=found["setup"],
        compile=None,
        cores=found["cpu"] / sum(found["seconds"]),
        others=others,
        total=found["total"],
        variance=found["variance"],
        lived=warm + repeats * rounds,
    )


def race_ours(label: str, order: str, rounds: int, start: Callable[[], Any], activation: str = "synchronous") -> Race:
    """One of our rows: whole calls of `run`, each from one unit a head, with a seed of its own.

    Set-up is the median of calls of a single round, once compiled; compile time is what the first call took
    more.
    """
    import catallax as cx

    def go(rounds: int, seed: int) -> Any:
        return wealth_of(cx.run(society, rounds, seed, activation=activation).society)

    began = time.perf_counter()
    society = start()
    built = time.perf_counter() - began
    began = time.perf_counter()
    agents = go(1, 0).size
    first = time.perf_counter() - began
    go(2 * harness.REPEATS, 0)
    call = harness.measure(lambda: go(1, 0)).median
    held: list[Any] = []
    timing = harness.measure(lambda: held.append(go(rounds, 1 + len(held))))
    return Race(
        label=label,
        order=order,
        agents=agents,
        rounds=rounds,
        seconds=timing.seconds,
        setup=built + call,
        compile=first - call,
        cores=timing.cores,
        others=timing.others,
        total=int(held[-1].sum()),
        variance=float(held[-1].var()),
        lived=rounds,
    )


def wealth_of(society: Any) -> Any:
    """What each agent holds, and what lies in its post: int[agents]. Waits until it is there."""
    import numpy as np

    held = np.asarray(society.agents.wealth)
    inbox = getattr(society.signal, "inbox", None)
    return held if inbox is None else held + np.asarray(inbox)


def ours(agents: int, quick: bool) -> list[Race]:
    """Our rows at one size: the protocol, all at once; turns by a host kernel; turns through `hear` (10k
    only)."""
    from benchmarks import wealth

    many = agents // SMALL
    short = 10 if quick else 1
    races = [race_ours("catallax", SYNCHRONOUS, max(2, 20_000 // many // short), lambda: wealth.people(agents))]
    label = "catallax, host kernel"
    races.append(race_ours(label, SEQUENTIAL, max(2, 2_000 // many // short), lambda: wealth.bazaar(agents)))
    if agents == SMALL:
        start = lambda: wealth.people(agents, wealth.Mailbox)  # noqa: E731
        races.append(race_ours("catallax, generic turns", SEQUENTIAL, max(2, 10 // short), start, "random order"))
    return races


# --- the table ----------------------------------------------------------------------------------------------


def table(agents: int, options: harness.Options) -> harness.Table:
    """Everyone's rows at one size, ours first; a peer that is not at hand says why."""
    races = ours(agents, options.quick)
    notes = []
    for entry in PEERS:
        if agents not in entry.rounds:
            notes.append(f"{entry.label} is left out at this size: it would take minutes.")
            continue
        harness.say(f"  {entry.label}, {agents:,} agents")
        try:
            races.append(race_peer(entry, agents, options.quick))
        except peers.Missing as why:
            notes.append(f"No row for {entry.label}: {why}.")
    first, rows = races[0], [race.row() for race in races]
    for race, row in zip(races[1:], rows[1:], strict=True):
        row["the first is faster by"] = f"{first.speed / race.speed:.3g}x"
        row["per core-second by"] = f"{first.thrift / race.thrift:.3g}x"
    return harness.Table(f"{agents:,} agents", rows, [*notes, *verdicts(agents, races)])


def verdicts(agents: int, races: list[Race]) -> list[str]:
    """The targets, one sentence each: reached or not, by how much."""
    said = [_verdict("agent-steps/s, synchronous", races[0].speed, TARGETS[agents])]
    if agents == SMALL:
        turns = max(race.speed for race in races if race.label.startswith("catallax,"))
        said.append(_verdict("agent-steps/s in random order", turns, TARGET_IN_TURN))
    for name, target in TARGET_RATIOS.items():
        speeds = [race.speed for race in races if race.label.startswith(name) and race.label[len(name)] in " ,"]
        if speeds:
            said.append(_verdict(f"times {name}", races[0].speed / max(speeds), target))
    return said


def _verdict(what: str, reached: float, target: float) -> str:
    return f"Target {target:.3g} {what}: {'reached' if reached >= target else 'NOT reached'}, {reached:.3g}."


QUESTION = (
    "Kinetic wealth: everyone with money gives one unit to a random other, once a round. Speed is that of "
    "the median of {repeats} repeats, with the least and the most; set-up and compile time are apart. "
    "`others` is how many cores other programs kept busy meanwhile; speed per core-second leaves those out. "
    "Ours on {device}, by the public per-agent protocol."
)


def benchmark(options: harness.Options) -> harness.Report:
    """Ours and the peers' at both sizes (a quick run: the small one)."""
    device = harness.choose_device(options.device)
    harness.say(f"engine on {device}")
    tables = [table(agents, options) for agents in ((SMALL,) if options.quick else (SMALL, LARGE))]
    return harness.Report(
        name=f"engine ({options.device})",
        question=QUESTION.format(repeats=harness.REPEATS, device=device),
        tables=tables,
        versions=harness.versions("catallax", "jax", "jaxlib", "equinox", "numba", "numpy"),
        options=options,
    )


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
