"""How a run is followed from the host: how far it has come, how it stands, what it leaves behind.

Chunks of rounds are sized for about thirty looks a second, whatever a round costs; where nobody looks, for the five that
Ctrl-C needs, for every chunk lays out its memory anew. Ctrl-C is noted and obeyed between chunks; recorded rows and
checkpoints are handed on as they come. The same for compiled and host societies.
"""

import signal as os_signal
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from catallax.core.channel import Channel
from catallax.core.checkpoint import Checkpoint
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.record import Record, Rows
from catallax.core.round import Setting
from catallax.core.society import Society

LOOKS = 30  # a second
UNSEEN = 5  # a second, where nobody looks
SHARE = 0.03  # of the seconds allowed that a chunk may take: one twice as slow as the last is late by no more
FIRST = 1  # rounds of the first chunk


class Frame(NamedTuple):
    """What `look` gets: how far, in rounds and seconds, and the last recorded values (copies, never live buffers)."""

    round: int
    rounds: int
    unrest: float
    values: dict[str, np.ndarray]
    seconds: float = 0.0


class Job(NamedTuple):
    """All that a drive needs to know besides the society."""

    rounds: int
    seed: int
    tolerance: float | None
    record: Record | None
    look: Callable | None
    saver: Checkpoint | None
    setting: Setting
    share: float
    channel: Channel
    seconds: float | None = None  # since the beginning, those before a checkpoint included


class Watch:
    """How far a run has come and how it stands; sizes chunks of rounds for about `LOOKS` (or `UNSEEN`) looks a second."""

    def __init__(self, job: Job, resumed: Any) -> None:
        self.job, self.chunk, self.warm, self.looked = job, FIRST, False, -np.inf
        self.t, self.unrest, self.status = 0, np.inf, Status.DONE
        self.began = time.perf_counter()
        if resumed is not None:
            self.t, self.unrest, self.began = resumed.round, resumed.unrest, self.began - resumed.spent
            self.status = self.ended() or (Status.STOPPED if self.late else Status.DONE)

    @property
    def goes_on(self) -> bool:
        return self.t < self.job.rounds and self.status is Status.DONE

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.began

    @property
    def left(self) -> float | None:
        """Seconds that are left; None without a limit."""
        return None if self.job.seconds is None else max(0.0, self.job.seconds - self.spent)

    @property
    def late(self) -> bool:
        """Whether the seconds are over, and rounds are not."""
        return self.left == 0 and self.t < self.job.rounds

    @property
    def stop(self) -> int:
        """Where the next chunk stops."""
        return min(self.t + self.chunk, self.job.rounds)

    def arrived(self, t: int, unrest: float, began: float) -> None:
        """A chunk has come to round `t`; the next is sized by how long it took."""
        done, seconds = t - self.t, time.perf_counter() - began
        self.t, self.unrest = t, unrest
        looks = UNSEEN if self.job.look is None else LOOKS
        cold, self.warm = not self.warm and seconds > 1 / looks, True  # the first call may have compiled
        if not cold:
            wanted = min(done * self.span(1 / looks) / max(seconds, 1e-9), 8.0 * self.chunk)
            self.chunk = int(max(1, min(wanted, 2**30)))

    def span(self, longest: float) -> float:
        """The seconds that the next chunk should take, at most `longest`."""
        if self.job.seconds is None or self.left is None:
            return longest
        return min(longest, SHARE * self.job.seconds, self.left)

    def ended(self) -> Status | None:
        """Whether the last unrest ends the run."""
        if self.unrest != self.unrest:
            return Status.BROKEN
        rest = self.job.tolerance is not None and np.float32(self.unrest) <= np.float32(self.job.tolerance)
        return Status.SETTLED if rest else None

    def judge(self, values: dict, interrupt: "Interrupt") -> None:
        """The status after a chunk; a frame is shown where one is due (the last always is)."""
        end, now, late = self.ended(), time.perf_counter(), self.late
        stop, last = late, late or end is not None or self.t >= self.job.rounds
        if self.job.look is not None and (last or now - self.looked > 0.9 / LOOKS):
            self.looked = now
            copies = {name: np.array(x) for name, x in values.items()}
            asked = self.job.look(Frame(self.t, self.job.rounds, self.unrest, copies, self.spent))
            stop = late or (asked and not last)
        self.status = end or (Status.INTERRUPTED if interrupt.seen else Status.STOPPED if stop else Status.DONE)

    def outcome(self, society: Society, moving: list, table: dict | None, heard: Any = None) -> Outcome:
        """What a run returns; one check of all that moved, after the loop and none inside it."""
        floats = [x for x in moving if eqx.is_array_like(x) and jnp.issubdtype(jnp.result_type(x), jnp.floating)]
        broken = any(np.isnan(np.asarray(x)).any() for x in floats)
        code = CODES.index(Status.BROKEN if broken else self.status)
        return Outcome(society, code, self.t, self.unrest, record=table, heard=heard)


class Log:
    """What a run leaves behind as it goes: recorded rows, and checkpoints (or neither)."""

    def __init__(self, job: Job, resumed: Any, mark: str) -> None:
        """`mark`: the fingerprint of the problem. Nothing on disk is touched before the checkpoint is accepted."""
        self.saver, self.fresh, self.last = job.saver, resumed is None, {}
        self.rows: Rows | None = None
        if job.saver is not None:
            job.saver.begin(mark)
        if job.record is not None:
            folder = job.record.folder
            if folder is None and job.saver is not None:
                folder = job.saver.folder / "record"
            self.rows = Rows(job.record.names, folder, None if resumed is None else resumed.rows)

    def open(self, first: dict[str, np.ndarray]) -> None:
        """The row before round 0; where the run goes on from a checkpoint, it is held against the rows there."""
        if self.fresh:
            self.append(first)
        elif self.rows is not None:
            self.rows.check(first)

    def append(self, piece: dict[str, np.ndarray]) -> None:
        """Rows of every column."""
        if self.rows is not None and len(piece["round"]):
            self.rows.append(piece)
            self.last = {name: x[-1] for name, x in piece.items()}

    def save(self, state: Any, watch: Watch, force: bool) -> None:
        """A checkpoint, where one is due: of the leaves that move, or of a host society."""
        if self.saver is None:
            return
        spent = 0.0 if watch.job.seconds is None else watch.spent  # where it means nothing, the same in every run
        if isinstance(state, Society):
            self.saver.write_host(state, watch.t, watch.unrest, self.rows, force, spent)
        else:
            self.saver.write(state, watch.t, watch.unrest, self.rows, force, spent)

    def table(self) -> dict[str, np.ndarray] | None:
        """All recorded rows."""
        return None if self.rows is None else self.rows.table()


class Interrupt:
    """Ctrl-C is noted and obeyed between chunks; the second one is Python's own."""

    def __init__(self) -> None:
        self.seen = False

    def __enter__(self) -> "Interrupt":
        self.before = None
        if threading.current_thread() is threading.main_thread():
            self.before = os_signal.getsignal(os_signal.SIGINT)
            if callable(self.before):
                os_signal.signal(os_signal.SIGINT, self.note)
            else:
                self.before = None
        return self

    def note(self, number, stack) -> None:
        if self.seen and callable(self.before):
            self.before(number, stack)
        self.seen = True

    def __exit__(self, *_) -> None:
        if self.before is not None:
            os_signal.signal(os_signal.SIGINT, self.before)
