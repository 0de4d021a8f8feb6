"""`run`: rounds, one after another, in one compiled loop that the host looks at about thirty times a second.

Start and stop of a chunk of rounds are traced, so there is one executable for all chunk sizes; the state is
donated from chunk to chunk; nothing is called back from inside. Rounds between two recorded ones are a loop of
their own, the same with and without a record. Between chunks the host takes what was recorded, looks, writes a
checkpoint, and notices Ctrl-C.
"""

import dataclasses
import functools as ft
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.channel import Channel, Wiring, send
from catallax.core.checkpoint import Checkpoint, run_settings
from catallax.core.errors import BadInput
from catallax.core.facts import Anatomy, anatomy
from catallax.core.fingerprint import mark_of, mark_of_host
from catallax.core.outcome import Outcome
from catallax.core.problem import Problem
from catallax.core.progress import Frame, Interrupt, Job, Log, Watch
from catallax.core.random import key as make_key
from catallax.core.record import Record
from catallax.core.round import COMMON, Knobs, Setting, State, begin, in_place, one_round
from catallax.core.society import HostSociety, Society, as_arrays
from catallax.core.switches import check_switches, make_setting, on_devices, wired

BUFFER = 1024  # recorded rows that the compiled loop holds at most before the host takes them
BYTES = 2**24  # of a buffer of recorded rows, unless one row is wider


def run(
    problem: Problem | Society,
    rounds: int,
    seed: int = 0,
    *,
    seconds: float | None = None,
    tolerance: float | None = None,
    record: Record | None = None,
    channel: Channel | None = None,
    activation: str | float = "synchronous",
    blocks: int | None = None,
    devices: int | list | None = None,
    look: Callable[[Frame], Any] | None = None,
    checkpoint: str | os.PathLike | None = None,
) -> Outcome:
    """Runs `rounds` rounds, or fewer where the unrest falls to `tolerance` or `seconds` have gone by.

    **Arguments:**

    - `problem`: a `Problem` (its price-taking society is run and its `outcome` added) or a `Society`.
    - `seed`: random bits are a hash of (seed, round, agent id) alone; up to 64 bits.
    - `seconds`: wall seconds after which it stops, at the end of a round; None: no limit. Compiling counts, but for a
      host society's, which is done before (`HostSociety.ready`).
    - `record`: what to keep, see `Record`. `look`: called with a `Frame` about 30 times a second; True stops.
    - `channel`: what happens to the public signal on its way, see `Channel` (a host society: as its `through` says).
    - `activation`: "synchronous", "random order" (one after the other, in a fresh order each round), or a
      number in (0, 1): the chance with which each agent acts in a round.
    - `blocks`: sum in so many fixed blocks of agents, so that the bits do not depend on the devices (a multiple of
      their number; two or more a device are quickest).
    - `devices`: how many (or which) devices to spread the agents over.
    - `checkpoint`: a folder; `resume` goes on from there bit for bit. A folder that already holds a run is
      refused, unless it is this very run and had come to its end: then it is run again.

    **Returns** an `Outcome`; its status is done, settled, stopped (by `look`, or as `seconds` were over), interrupted
    (Ctrl-C: what was done so far) or broken (NaN). **Raises** `Refused` where a switch has no meaning for this
    society, `BadInput` otherwise.
    """
    check_count("rounds", rounds)
    if tolerance is not None and not tolerance >= 0:
        raise BadInput(f"tolerance is {tolerance!r}: give a number of at least 0, or None to run all rounds")
    check_seconds(seconds)
    society = problem.society() if isinstance(problem, Problem) else problem
    channel = channel or Channel()
    setting, share = make_setting(society, activation, channel, blocks, devices)
    saver = None
    if checkpoint is not None:
        settings = run_settings(rounds, seed, seconds, tolerance, activation, blocks, devices, channel, record)
        saver = Checkpoint(checkpoint, settings)
    job = Job(rounds, seed, tolerance, record, look, saver, setting, share, channel, seconds)
    if isinstance(society, HostSociety):
        return explained(problem, drive_host(society, job))
    passed = [society]
    del society  # a problem's own is let go once the loop has its copy: millions of agents are then held once
    return explained(problem, drive(passed.pop(), job))


def explained(problem: Problem | Society, outcome: Outcome) -> Outcome:
    """The outcome with what the problem adds."""
    if not isinstance(problem, Problem):
        return outcome
    return dataclasses.replace(outcome, values=problem.outcome(outcome.society, outcome.heard).values)


def check_count(name: str, value: Any) -> None:
    """A whole number of rounds."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < 2**31:
        raise BadInput(f"{name} is {value!r}: give a whole number of at least 0 and below 2^31")


def check_seconds(seconds: Any) -> None:
    """A time to stop at, or None."""
    number = isinstance(seconds, (int, float, np.integer, np.floating)) and not isinstance(seconds, bool)
    if seconds is not None and not (number and 0 < seconds < np.inf):
        raise BadInput(f"seconds is {seconds!r}: give a positive number of seconds, or None for no limit")


class Ready(NamedTuple):
    """A society made ready for the compiled loop."""

    form: Anatomy
    moving: list
    facts: list
    knobs: Knobs
    seed: Any
    bound: Any

    @property
    def society(self) -> Society:
        return self.form.join(self.moving, self.facts).society


def prepare(society: Society, job: Job) -> Ready:
    """Checked, spread over the devices, and taken apart into what moves and what does not."""
    setting, knobs = job.setting, Knobs(job.channel.knobs(), np.float32(job.share))
    society = on_devices(as_arrays(society), setting)
    check_switches(society, setting)
    seed = make_key(job.seed)
    state = begin(society, setting, knobs, seed)
    form = anatomy(state, setting)
    bound = np.float32(-1.0 if job.tolerance is None else job.tolerance)
    return Ready(form, *form.split(state), knobs, seed, bound)


def drive(society: Society, job: Job, resumed: Any = None) -> Outcome:
    """The compiled loop, chunk by chunk. `resumed`: what a checkpoint held."""
    ready = prepare(society, job)
    del society
    mark = mark_of(ready.form, ready.moving, ready.facts) if job.saver else ""
    if resumed is not None:
        ready = ready._replace(moving=resumed.restore(mark, ready.moving))
    take = None if job.record is None else Take(job.record.every, tuple(job.record.values.items()))
    first = None if job.record is None or take is None else take.first(job.record, ready.society)
    log = Log(job, resumed, mark)
    if first is not None:
        log.open({name: np.asarray(x)[None] for name, x in first.items()})
    buffer = None if take is None else take.buffer(ready.society, job.setting.mesh)
    moving = copied(ready.moving)  # the loop donates them
    ready = ready._replace(moving=[])
    loop, watch = Loop(ready.form, job.setting, take), Watch(job, resumed)
    log.save(moving, watch, False)
    with Interrupt() as interrupt:
        while watch.goes_on:
            began = time.perf_counter()
            span = (np.uint32(watch.t), np.uint32(watch.stop))
            moving, buffer, filled, t, unrest = advance(
                moving, ready.facts, buffer, *span, ready.seed, ready.bound, ready.knobs, loop
            )
            watch.arrived(int(t), float(unrest), began)
            if take is not None:
                log.append(take.taken(buffer, int(filled)))
            watch.judge(log.last, interrupt)
            log.save(moving, watch, not watch.goes_on)
    end = ready.form.join(moving, ready.facts)
    exact = job.channel.wiring == Wiring()
    heard = None if exact else hear(end, job.setting, ready.knobs, ready.seed, np.uint32(watch.t))
    return watch.outcome(end.society, moving, log.table(), heard)


@jax.jit
def copied(leaves: list) -> list:
    """Copies, each where the leaf lies."""
    return [x.copy() for x in leaves]


@eqx.filter_jit
def hear(state: State, setting: Setting, knobs: Knobs, seed, t):
    """What everyone would hear in round `t`."""
    key = jax.random.fold_in(jax.random.fold_in(seed, t), COMMON)
    return send(state.society.signal, state.wire, setting.wiring, knobs.channel, key, t)[0]


class Take(NamedTuple):
    """The recorded functions as a hashable part of the compiled loop."""

    every: int
    values: tuple

    def row(self, society: Society, t, unrest) -> dict[str, Any]:
        named = {name: jnp.asarray(value(society)) for name, value in self.values}
        return {"round": jnp.asarray(t, jnp.int32), "unrest": jnp.asarray(unrest, jnp.float32), **named}

    def first(self, record: Record, society: Society) -> dict[str, Any]:
        """The row before round 0. BadInput where a value is none that can be kept."""
        taken = {name: jnp.asarray(x) for name, x in record.take(society).items()}
        return {"round": np.int32(0), "unrest": np.float32(np.inf), **taken}

    def buffer(self, society: Society, mesh) -> dict[str, Any]:
        """Room for as many rows as the compiled loop may hold, [rows, ...] each."""
        row = eqx.filter_eval_shape(self.row, society, jnp.uint32(0), jnp.float32(0))
        room = BYTES // sum(x.size * x.dtype.itemsize for x in row.values())
        empty = {name: jnp.zeros((max(1, min(BUFFER, room)), *x.shape), x.dtype) for name, x in row.items()}
        return empty if mesh is None else jax.device_put(empty, jax.NamedSharding(mesh, jax.P()))

    @staticmethod
    def taken(buffer: dict, filled: int) -> dict[str, np.ndarray]:
        """Copies of the first `filled` rows."""
        return {name: np.asarray(x)[:filled].copy() for name, x in buffer.items()}


class Loop(NamedTuple):
    """What the executable depends on."""

    form: Anatomy
    setting: Setting
    take: Take | None


@ft.partial(jax.jit, static_argnames="loop", donate_argnames=("moving", "buffer"))
def advance(moving, facts, buffer, start, stop, seed, bound, knobs, loop: Loop):
    """Rounds from `start` until `stop`, rest, NaN or a full buffer: what moved, what was recorded, how far it came."""
    form, setting, take = loop

    def going(t, unrest, stop):
        return (t < stop) & ~(unrest <= bound) & ~jnp.isnan(unrest)

    def body(carry):
        t, moving, _ = carry
        state, unrest = one_round(form.join(moving, facts), t, seed, setting, knobs)
        return t + 1, form.split(in_place(state, setting.mesh))[0], unrest.astype(jnp.float32)

    def kept(moving):  # where it came from, so that the next chunk is no other executable
        return form.split(in_place(form.join(moving, facts), setting.mesh))[0]

    def until(stop, carry):
        return jax.lax.while_loop(lambda c: going(c[0], c[2], stop), body, carry)

    carry = (start, moving, jnp.float32(jnp.inf))
    if take is None:
        t, moving, unrest = until(stop, carry)
        return kept(moving), buffer, jnp.int32(0), t, unrest
    room = buffer["round"].shape[0]

    def stretch(carry):
        (t, *_), buffer, filled = carry
        t, moving, unrest = until(jnp.minimum((t // take.every + 1) * take.every, stop), carry[0])
        due = t % take.every == 0
        row = take.row(form.join(moving, facts).society, t, unrest)
        buffer = {name: x.at[filled].set(row[name]) for name, x in buffer.items()}  # kept only where it is due
        return (t, moving, unrest), buffer, filled + due

    def more(carry):
        (t, _, unrest), _, filled = carry
        return going(t, unrest, stop) & (filled < room)

    (t, moving, unrest), buffer, filled = jax.lax.while_loop(more, stretch, (carry, buffer, jnp.int32(0)))
    return kept(moving), buffer, filled, t, unrest


def drive_host(society: HostSociety, job: Job, resumed: Any = None) -> Outcome:
    """The same for a society on the host: chunks of `advance`, single rounds where their unrest must be known."""
    check_switches(society, job.setting)
    society = wired(society, job.channel)
    mark, record = mark_of_host(society) if job.saver else "", job.record
    if resumed is not None:
        society = resumed.restore_host(mark, society)
    if job.seconds is not None:
        society.ready()
    watch = Watch(job, resumed)
    society = society.paced(job.rounds, watch.left)
    first = None if record is None else host_row(record, society, watch)
    log = Log(job, resumed, mark)
    if first is not None:
        log.open(first)
    log.save(society, watch, False)
    with Interrupt() as interrupt:
        while watch.goes_on:
            began, t, stop = time.perf_counter(), watch.t, watch.stop
            if record is not None:
                stop = min(stop, t - t % record.every + record.every)
            stop = stop if job.tolerance is None else t + 1
            society, unrest = society.advance(t, stop, job.seed)
            watch.arrived(stop, unrest, began)
            if record is not None and stop % record.every == 0:
                log.append(host_row(record, society, watch))
            watch.judge(log.last, interrupt)
            log.save(society, watch, not watch.goes_on)
    return watch.outcome(society, jax.tree.leaves(society), log.table())


def host_row(record: Record, society: Society, watch: Watch) -> dict[str, np.ndarray]:
    """One row of every column, copied: a kernel may write in place."""
    row = {"round": watch.t, "unrest": watch.unrest, **record.take(society)}
    return {name: np.array(x)[None] for name, x in row.items()}
