"""What a group of layers does in a process of its own: learns from what is there, hands on what comes of it, waits for nobody.

    first group     batches of its rows, drawn as `train` draws them
    the others      the freshest message that has landed; where none is new, rows drawn from the last messages it has kept

Every so many seconds it leaves a snapshot of its weights and counts in shared memory, so that what it had learnt outlives
it. It ends when it is told to, when its parent is gone, or when a number of its own is none any more.
"""

import contextlib
import os
import pickle
import time
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from catallax.networks.links.ring import Ring

WAIT, GO, STOP = 0, 1, 2  # what the parent says through shared memory
# Of a process: seconds since it began, lessons, the mean objective since the last snapshot, messages sent, of them lost on the
# way, dropped for want of room, read, lessons on what it had kept, the mean age of what it read since the last snapshot (NaN:
# nothing was), seconds without a thing to do.
COUNTS = ("seconds", "lessons", "loss", "sent", "lost", "dropped", "read", "repeated", "age", "idle")
PAUSE = 1e-3  # seconds between two looks for a first message
Like = list[tuple[tuple[int, ...], str]]


class Wiring(NamedTuple):
    """A process's ends: `inbox` and `outbox`, arguments of `Ring` (None: it has none), `snapshots`, and the parent's word."""

    inbox: dict | None
    outbox: dict | None
    snapshots: dict
    word: Any


class Task(NamedTuple):
    """What a process is to learn. `rows`: (X, y) of the first group, None for others; `every`: seconds between snapshots;
    `keep`: batches that it keeps of what came in."""

    group: Any
    learners: tuple
    rows: Any
    batch: int
    seed: int
    every: float
    keep: int


class Inputs:
    """Batches of rows, in the order of `train`."""

    def __init__(self, rows: tuple[np.ndarray, np.ndarray], batch: int, seed: int) -> None:
        self.rows, self.batch, self.seed, self.number = rows, batch, seed, 0
        self.steps = max(1, len(rows[0]) // batch)
        self.counts = dict(read=0, repeated=0, age=float("nan"))

    def next(self) -> tuple[tuple, Any, Any, int]:
        """Stream, targets, an epoch's random words, the batch's number in it."""
        from catallax.core.random import host_key
        from catallax.core.rows import shuffled

        x, y = self.rows
        epoch, place = divmod(self.number, self.steps)
        if place == 0:
            order = shuffled(self.seed, epoch, len(x))[: self.steps * self.batch]
            self.order, self.words = order.reshape(self.steps, -1), host_key(self.seed, epoch)
        self.number += 1
        return (x[self.order[place]],), y[self.order[place]], self.words, place


class Arrivals:
    """What comes in by a link, and the last `keep` messages of it."""

    def __init__(self, ring: Ring, keep: int, seed: int) -> None:
        from catallax.core.random import host_key

        self.ring, self.keep, self.number, self.words = ring, keep, 0, host_key(seed, 0)
        self.kept: list[np.ndarray] = []
        self.chance, self.ages, self.repeated = np.random.default_rng(seed), [], 0

    def next(self) -> tuple[tuple, Any, Any, int] | None:
        """As of `Inputs`; None while nothing has ever come."""
        message = self.ring.newest(time.monotonic())
        if message is not None:
            self.ages.append(message.age)
            self.remember(message.arrays)
        elif not self.ring.read:
            return None
        *stream, target = self.again() if message is None else message.arrays
        self.number += 1
        return tuple(stream), target, self.words, self.number

    def remember(self, arrays: list[np.ndarray]) -> None:
        """In the place of the oldest."""
        if not self.kept:
            self.kept = [np.empty((self.keep, *x.shape), x.dtype) for x in arrays]
        for store, x in zip(self.kept, arrays, strict=True):
            store[(self.ring.read - 1) % self.keep] = x

    def again(self) -> list[np.ndarray]:
        """Rows of any of the messages kept."""
        self.repeated += 1
        batch = self.kept[0].shape[1]
        which = self.chance.integers(0, min(self.ring.read, self.keep), batch), self.chance.integers(0, batch, batch)
        return [store[which] for store in self.kept]

    @property
    def counts(self) -> dict[str, Any]:
        """Messages read, lessons on those kept, and the mean age of those read since this was last asked."""
        age, self.ages = float(np.mean(self.ages)) if self.ages else float("nan"), []
        return dict(read=self.ring.read, repeated=self.repeated, age=age)


class Worker:
    """A group at work. `learnt`: the arrays it learns, as leaves."""

    def __init__(self, task: Task, wiring: Wiring) -> None:
        import equinox as eqx

        self.task, self.word = task, wiring.word
        ring = None if wiring.inbox is None else Ring(**wiring.inbox)
        self.source: Any = (
            Inputs(task.rows, task.batch, task.seed) if ring is None else Arrivals(ring, task.keep, task.seed)
        )
        self.outbox = None if wiring.outbox is None else Ring(**wiring.outbox)
        self.snapshots = Ring(**wiring.snapshots)
        self.moving, self.rest = eqx.partition(task.learners, eqx.is_array)
        self.facts, self.form = eqx.partition(task.group, eqx.is_array)
        self.lessons, self.losses, self.loss, self.idle = 0, [], float("nan"), 0.0
        self.compile(ring)
        self.began = time.monotonic()

    def compile(self, ring: Ring | None) -> None:
        """One lesson that nobody remembers."""
        import jax

        from catallax.core.random import host_key

        def lesson(moving, facts, stream, target, words, number):
            return lesson_of(self.form, self.rest, moving, facts, stream, target, words, number)

        self.compiled = jax.jit(lesson)
        if ring is None:
            x, y = self.task.rows
            like = [x[: self.task.batch], y[: self.task.batch]]
        else:
            like = [np.zeros(shape, kind) for shape, kind in ring.like]
        words = host_key(0, 0)
        jax.block_until_ready(self.compiled(self.moving, self.facts, tuple(like[:-1]), like[-1], words, 0))

    def go(self) -> list[int]:
        """Lessons until the word is to stop. Returns the layers whose numbers are none any more."""
        parent = os.getppid()
        while self.word[0] == WAIT and os.getppid() == parent:
            time.sleep(PAUSE)
        self.began = shot = time.monotonic()
        while self.word[0] == GO and os.getppid() == parent:
            self.step()
            if time.monotonic() - shot > self.task.every:
                if sick := self.sick():
                    return sick
                self.snapshot()
                shot = time.monotonic()
        sick = self.sick()
        if not sick:
            self.snapshot()
        return sick

    def step(self) -> None:
        """One lesson, if there has ever been a thing to learn from; what comes of it goes on its way."""
        given = self.source.next()
        if given is None:
            began = time.monotonic()
            time.sleep(PAUSE)
            self.idle += time.monotonic() - began
            return
        stream, target, words, number = given
        self.moving, handed, value = self.compiled(self.moving, self.facts, stream, target, words, number)
        self.lessons += 1
        self.losses.append(float(value))
        if self.outbox is not None:
            self.outbox.send([*handed, target], time.monotonic())

    def sick(self) -> list[int]:
        """Layers that hold a number that is none."""
        import equinox as eqx
        import jax

        learners = eqx.combine(self.moving, self.rest)
        own = [jax.tree.leaves(eqx.filter(learner.part, eqx.is_inexact_array)) for learner in learners]
        return [
            self.task.group.first + k for k, leaves in enumerate(own) if not all(np.isfinite(x).all() for x in leaves)
        ]

    def snapshot(self) -> None:
        """Weights and counts, for whoever looks."""
        import equinox as eqx

        out = self.outbox
        sent = (
            dict(sent=0, lost=0, dropped=0) if out is None else dict(sent=out.sent, lost=out.lost, dropped=out.dropped)
        )
        self.loss, self.losses = float(np.mean(self.losses)) if self.losses else self.loss, []
        spent = time.monotonic() - self.began
        counts = dict(seconds=spent, lessons=self.lessons, loss=self.loss, idle=self.idle, **sent, **self.source.counts)
        leaves = learnt_leaves(eqx.combine(self.moving, self.rest))
        self.snapshots.send([*leaves, np.array([counts[name] for name in COUNTS])], time.monotonic())


def lesson_of(form, rest, moving, facts, stream, target, words, number):
    """One lesson, traced: what the learners have become, the stream they hand on, their objective."""
    import equinox as eqx
    import jax

    from catallax.core.agent import View

    group, learners = eqx.combine(facts, form), eqx.combine(moving, rest)
    key = jax.random.fold_in(jax.random.wrap_key_data(words, impl="threefry2x32"), number)
    parts = tuple(learner.part for learner in learners)
    gradients, handed, value = group.lesson(parts, stream, target, key)
    after = tuple(one.respond(View(None, own), key)[0] for one, own in zip(learners, gradients, strict=True))
    return eqx.filter(after, eqx.is_array), handed, value


def learnt_leaves(learners: tuple) -> list[Any]:
    """The arrays that the parts of learners learn."""
    import equinox as eqx
    import jax

    return jax.tree.leaves(eqx.filter(tuple(one.part for one in learners), eqx.is_inexact_array))


def serve(pipe: Connection, wiring: Wiring) -> None:
    """The life of a process: the task comes by the pipe; what it says there is "here", "done", "sick" or "failed".

    Ctrl-C is the parent's to obey.
    """
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several processes share one accelerator
    try:
        settings, packed = pickle.loads(pipe.recv_bytes())
        configure(settings)
        worker = Worker(pickle.loads(packed), wiring)
        pipe.send(("here", None))
        sick = worker.go()
        said = ("sick", sick) if sick else ("done", None)
    except Exception as error:  # layers and optimisers may be the user's own: whatever they raise, the parent must hear
        said = ("failed", f"{type(error).__name__}: {error}")
    with contextlib.suppress(OSError):  # the parent is gone: nobody listens
        pipe.send(said)


def configure(settings: dict[str, Any]) -> None:
    """JAX as the parent has it."""
    import jax

    for name, value in settings.items():
        jax.config.update(name, value)


__all__ = ["COUNTS", "Task", "Wiring", "serve"]
