"""Training without a common clock: groups of layers in processes of their own, joined by links with delay.

    outcome = networks.train_apart(chain, X, y, cut=1, delay=0.05, seconds=10)

    process 1   layers 0 .. cut - 1    rows -> lesson -> lesson -> ...
                        |  activations and labels, `delay` seconds on the way, some dropped; nothing comes back
    process 2   layers cut ..          freshest that has landed, or what it has kept -> lesson -> lesson -> ...

Possible where layers learn alone and wait for none (`Teaching.alone`, not `locked`). No process waits for another: each takes
lessons at its own pace, the later ones on activations that are stale by the delay. Backpropagation across the same link
takes one lesson a round trip at most, 1 / (2 delay) a second. One that is killed is not missed: the others go on, on rows of
their own or on the last messages, and what it had learnt stands in its last snapshot.

M. Jaderberg et al., Decoupled neural interfaces using synthetic gradients, ICML 2017 (update locking); E. Belilovsky, M.
Eickenberg and E. Oyallon, Decoupled greedy learning of CNNs, ICML 2020, algorithm 2 (a buffer between modules).
"""

import pickle
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.errors import BadInput
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.progress import Interrupt
from catallax.core.random import host_key
from catallax.core.run import check_seconds
from catallax.networks.chain import Chain
from catallax.networks.links.groups import taken_apart
from catallax.networks.links.process import SNAPSHOTS, Process, link, shared
from catallax.networks.links.worker import COUNTS, GO, STOP, Like, Task, Wiring, learnt_leaves, lesson_of
from catallax.networks.school import Learner
from catallax.networks.training import check_counts, checked_rows, one_a_layer
from catallax.signals.teaching import Part

START = 600.0  # seconds in which all processes must have begun: each imports JAX and compiles its lesson
TICK = 0.02  # seconds between two looks
SETTINGS = (
    "jax_enable_x64",
    "jax_platforms",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
)
HINTS = {"gone": ": in a script, keep the call under if __name__ == '__main__':", "failed": ": mend what it names"}


class Glance(NamedTuple):
    """What `look` gets: seconds since they began, and of each process its pid (0: it has ended) and its last counts."""

    seconds: float
    processes: tuple[int, ...]
    counts: dict[str, np.ndarray]


def train_apart(
    chain: Chain,
    X: Any,
    y: Any,
    cut: int | Sequence[int] = 1,
    *,
    epochs: int | None = None,
    seconds: float | None = None,
    delay: float = 0.05,
    loss: float = 0.0,
    slots: int = 16,
    batch: int = 128,
    optimiser: Any = None,
    keep: int = 64,
    every: float = 0.25,
    seed: int = 0,
    look: Callable[[Glance], Any] | None = None,
) -> Outcome:
    """Teaches a chain whose groups of layers live in processes of their own.

    Processes are started afresh (spawn), so a script must keep the call under `if __name__ == "__main__":`.

    **Arguments:**

    - `X`, `y`, `batch`, `optimiser`, `seed`: as in `train`. The first process alone has the rows; labels travel along.
    - `cut`: the layer before which to cut, or several.
    - `epochs`: all go on until the slowest that lives has taken as many lessons as so many epochs hold. `seconds`: wall
      seconds after which to stop, from when all have begun. One of both is needed.
    - `delay`: seconds that a message is on its way. `loss`: the chance that it never lands. `slots`: messages that can be on
      their way at once; one for which there is no room is dropped.
    - `keep`: batches that a process keeps of what came in, to go on with where nothing new has come.
    - `every`: seconds between two snapshots, and two rows of the record.
    - `look`: called with a `Glance` about 50 times a second; True stops.

    **Returns** an `Outcome` with `chain` (each group as of its last snapshot), `ended` (for each process how), and in
    `record`, one row a snapshot and one column a process: `seconds`, `lessons`, `loss` (the objective of the group's last
    layer), `pace` (lessons a second), messages `sent`, `dropped`, `lost` and `read`, `repeated` (lessons on what was kept),
    `age` (seconds, of the messages read), `idle` (seconds before the first message; nobody waits later on), `alive`.
    Ctrl-C keeps what was learnt. Status `broken`: numbers that are none, the layer is noted.

    **Raises** `Refused` where layers would have to wait for each other; `BadInput`, also where a process cannot begin.
    """
    settings = checked(epochs, seconds, delay, loss, slots, batch, keep, every)
    groups = taken_apart(chain, tuple(cut) if isinstance(cut, Sequence) else (cut,))
    rows = checked_rows(chain, X, y, "X")
    x, target = np.asarray(rows.x), np.asarray(rows.target)
    settings["batch"] = batch = min(int(batch), len(x))
    lessons = None if epochs is None else int(epochs) * (len(x) // batch)
    optimisers = one_a_layer(optimiser, len(chain.layers))
    learners = [Learner.new(part, own) for part, own in zip(chain.parts, optimisers, strict=True)]
    tasks = [
        Task(group, tuple(learners[group.first : group.stop]), None, batch, int(seed), float(every), int(keep))
        for group in groups
    ]
    tasks[0] = tasks[0]._replace(rows=(x, target))
    links = links_of(tasks, settings)
    with Interrupt() as interrupt:
        crew = Crew(tasks, links, interrupt)
        try:
            crew.begin()
            status = crew.watch(lessons, seconds, look)
        finally:
            crew.close()
    return crew.outcome(chain, status)


def checked(epochs, seconds, delay, loss, slots, batch, keep, every) -> dict[str, Any]:
    """The settings of links. `BadInput` for what makes no sense."""
    if epochs is None and seconds is None:
        raise BadInput("nothing says when to stop: give epochs, seconds, or both")
    if epochs is not None:
        check_counts(epochs, None)
    check_seconds(seconds)
    for name, value in (("slots", slots), ("batch", batch), ("keep", keep)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise BadInput(f"{name} is {value!r}: give a whole number of at least 1")
    for name, value, low, high in (("delay", delay, 0, 3600), ("loss", loss, 0, 1), ("every", every, 1e-3, 3600)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise BadInput(f"{name} is {value!r}: give a number from {low} to {high}")
    return dict(delay=float(delay), loss=float(loss), slots=int(slots))


def links_of(tasks: list[Task], settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The link from each group to the next. What a group hands on is found without computing it."""
    x, target = tasks[0].rows
    batch = settings.pop("batch")
    stream = (jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype),)
    label = jax.ShapeDtypeStruct((batch, *target.shape[1:]), target.dtype)
    links = []
    for number, task in enumerate(tasks[:-1]):
        moving, rest = eqx.partition(task.learners, eqx.is_array)
        facts, form = eqx.partition(task.group, eqx.is_array)
        words = jnp.asarray(host_key(0, 0))
        lesson = lambda *given, form=form, rest=rest: lesson_of(form, rest, *given)[1]  # noqa: E731
        stream = jax.eval_shape(lesson, moving, facts, stream, label, words, 0)
        like: Like = [(tuple(part.shape), part.dtype.name) for part in (*stream, label)]
        links.append(link(like, seed=task.seed + number, **settings))
    return links


class Crew:
    """All processes, and what was seen of them."""

    def __init__(self, tasks: list[Task], links: list[dict[str, Any]], interrupt: Interrupt) -> None:
        self.interrupt, self.tasks, self.links, self.word = interrupt, tasks, links, shared(1)
        self.members: list[Process] = []
        self.rows: list[dict[str, np.ndarray]] = []

    def begin(self) -> None:
        """All started, their lessons compiled, and the word to go. `BadInput` where one cannot begin."""
        tasks = [packed(task) for task in self.tasks]
        for task, inbox, outbox in zip(self.tasks, [None, *self.links], [*self.links, None], strict=True):
            wiring = Wiring(inbox, outbox, link(snapshot_like(task), SNAPSHOTS), self.word)
            self.members.append(Process(task.group, wiring))
        for member, task in zip(self.members, tasks, strict=True):
            member.give(task)
        limit = time.monotonic() + START
        while any(member.state == "begins" for member in self.members) and not self.interrupt.seen:
            time.sleep(TICK)
            for member in self.members:
                member.listen()
                if member.state not in ("begins", "here"):
                    said = f"the process of {member.group.name} {member.reason} before its first lesson"
                    raise BadInput(said + HINTS[member.state])
            if time.monotonic() > limit:
                raise BadInput(
                    f"no lesson has begun within {START:g} s: the machine is too busy, or the network too large"
                )
        self.began = time.monotonic()
        self.word[0] = GO

    def watch(self, lessons: int | None, seconds: float | None, look: Callable | None) -> Status:
        """Until all that live have had their lessons, or it is time."""
        last = -np.inf
        while not self.interrupt.seen:
            time.sleep(TICK)
            for member in self.members:
                member.listen()
            now = time.monotonic()
            if now - last >= self.tasks[0].every:
                last = now
                self.note()
            if any(member.state == "sick" for member in self.members):
                return Status.BROKEN
            living = [member for member in self.members if member.alive]
            if not living:
                return Status.STOPPED
            if lessons is not None and all(member.counts["lessons"] >= lessons for member in living):
                return Status.DONE if len(living) == len(self.members) else Status.STOPPED
            if (seconds is not None and now - self.began >= seconds) or (look is not None and look(self.glance(now))):
                return Status.STOPPED
        return Status.INTERRUPTED

    def glance(self, now: float) -> Glance:
        """What `look` sees."""
        pids = tuple(member.pid if member.alive else 0 for member in self.members)
        return Glance(now - self.began, pids, {name: self.column(name) for name in COUNTS})

    def column(self, name: str) -> np.ndarray:
        """One count of each process."""
        return np.array([member.counts[name] for member in self.members])

    def note(self) -> None:
        """A row of the record."""
        row = {name: self.column(name) for name in COUNTS}
        row["pace"] = row["lessons"] / np.maximum(row["seconds"], 1e-9)
        row["alive"] = np.array([member.alive or member.state == "done" for member in self.members])
        self.rows.append(row)

    def close(self) -> None:
        """All ended; their last snapshots read."""
        self.word[0] = STOP
        for member in self.members:
            member.close()

    def outcome(self, chain: Chain, status: Status) -> Outcome:
        """What was learnt, and how each ended."""
        self.note()
        if any(member.state == "sick" for member in self.members):  # found at the end, perhaps
            status = Status.BROKEN
        parts = []
        for member in self.members:
            own = chain.parts[member.group.first : member.group.stop]
            parts += own if member.leaves is None else with_leaves(own, member.leaves)
        record = {name: np.array([row[name] for row in self.rows]) for name in self.rows[0]}
        ended = tuple(member.account for member in self.members)
        values = dict(chain=chain.having_learnt(parts), ended=ended, loss=float(record["loss"][-1, -1]))
        notes = tuple(f"the process of {m.group.name} {m.account}" for m in self.members if m.state != "done")
        least = int(record["lessons"][-1].min())
        return Outcome(None, CODES.index(status), least, values["loss"], record=record, values=values, notes=notes)


def snapshot_like(task: Task) -> Like:
    """The arrays of a snapshot: what a group has learnt, and its counts."""
    leaves = learnt_leaves(task.learners)
    return [*((leaf.shape, leaf.dtype.name) for leaf in leaves), ((len(COUNTS),), "float64")]


def with_leaves(parts: Sequence[Part], leaves: list[np.ndarray]) -> list[Part]:
    """Parts with other learnt arrays."""
    learnt, rest = eqx.partition(tuple(parts), eqx.is_inexact_array)
    return list(eqx.combine(jax.tree.unflatten(jax.tree.structure(learnt), map(jnp.asarray, leaves)), rest))


def packed(task: Task) -> bytes:
    """A task, and JAX's settings, as bytes. Optimisers are closures, which `pickle` alone does not take."""
    try:
        import cloudpickle
    except ImportError:  # joblib before 1.6 brings its own
        from joblib.externals import cloudpickle  # pyright: ignore[reportAttributeAccessIssue]
    settings = {name: getattr(jax.config, name) for name in SETTINGS}
    try:
        return pickle.dumps((settings, cloudpickle.dumps(task)))
    except Exception as error:  # whatever the parts of a layer raise when they are packed
        name = task.group.name
        raise BadInput(f"{name} cannot be sent to a process of its own ({error}): make it of what pickles") from None
