"""A group's process, seen from its parent: started, given its task, listened to, and ended. Nobody waits for it to answer."""

import contextlib
import multiprocessing
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from catallax.networks.links.ring import Ring, room
from catallax.networks.links.worker import COUNTS, Like, Wiring, serve

SNAPSHOTS = 3  # kept in shared memory: one half-written by a process that is killed leaves the ones before
NAN = float("nan")
END = 60.0  # seconds in which a process that is told to stop must have ended


class Process:
    """`state`: "begins", "here" (ready or at work), "done", "sick" (`layers` hold NaN), "failed" or "gone" (`why`)."""

    def __init__(self, group: Any, wiring: Wiring) -> None:
        self.group, self.state, self.why, self.layers = group, "begins", "", []
        self.snapshots = Ring(**wiring.snapshots)
        self.leaves: list[np.ndarray] | None = None
        self.counts: dict[str, float] = {**dict.fromkeys(COUNTS, 0.0), "loss": NAN, "age": NAN}
        context = multiprocessing.get_context("spawn")
        self.pipe, far = context.Pipe()
        self.worker = context.Process(target=serve, args=(far, wiring), daemon=True)
        with deaf():
            self.worker.start()
        far.close()
        self.pid = int(self.worker.pid or 0)

    @property
    def alive(self) -> bool:
        """Whether it has not ended, as far as was heard."""
        return self.state in ("begins", "here")

    def give(self, packed: bytes) -> None:
        """Its task. One that is gone is found out when it is listened to."""
        with contextlib.suppress(OSError):
            self.pipe.send_bytes(packed)

    def listen(self) -> None:
        """What it has said, what it has learnt, and whether it lives."""
        living = self.worker.is_alive()  # asked first: what it says before it ends is then not missed
        try:
            while self.alive and self.pipe.poll():
                kind, value = self.pipe.recv()
                self.state = kind
                self.layers, self.why = (value, "") if kind == "sick" else ([], str(value or ""))
        except (EOFError, OSError, pickle.UnpicklingError):
            living = self.worker.is_alive()
        if self.alive and not living:
            self.state, self.why = "gone", ended(self.worker.exitcode)
        message = self.snapshots.newest(time.monotonic())
        if message is not None:
            *self.leaves, counts = message.arrays
            self.counts = dict(zip(COUNTS, counts.tolist(), strict=True))

    @property
    def account(self) -> str:
        """How it ended, in words."""
        if self.state in ("done", "here"):
            return self.state
        if self.state == "begins":
            return "had not begun"
        stands = f"after {self.counts['lessons']:.0f} lessons: what it had learnt stands as of its last snapshot"
        if self.state == "sick":
            layers = " and ".join(map(str, self.layers))
            return f"stopped as layer {layers} came to hold NaN {stands}; lower the learning rate"
        return f"{self.reason} {stands}"

    @property
    def reason(self) -> str:
        """Why it is no more."""
        return f"failed ({self.why})" if self.state == "failed" else self.why

    def close(self) -> None:
        """Ended, by its own will or, where it has not begun or does not end, not."""
        begun = self.state != "begins"
        self.worker.join(END if begun else 0.0)
        if self.worker.is_alive():
            self.worker.kill()
            self.worker.join()
        if begun:
            self.listen()
        self.pipe.close()
        self.worker.close()


def ended(code: int | None) -> str:
    """An exit code in words."""
    if code is not None and code < 0:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"


def shared(size: int) -> Any:
    """So many bytes that processes share; they go when the last of them has."""
    return multiprocessing.get_context("spawn").RawArray("B", size)


def link(like: Like, slots: int, **settings: Any) -> dict[str, Any]:
    """The arguments of both ends of a `Ring`."""
    return dict(like=like, memory=shared(room(like, slots)), slots=slots, **settings)


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Ctrl-C is not heard by processes that are started here, not even before they can say so themselves."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


__all__ = ["Process", "link"]
