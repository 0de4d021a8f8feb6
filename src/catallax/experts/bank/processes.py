"""A module in a process of its own: what passes between it and the market is inputs, answers and purchases.

    market -> module    ("offer", X, fold)   ("buy", rows...)   ("settled",)
    module -> market    "here"  once, then  ("said", answer)  or  ("failed", the error)

It may be killed, hang or fail: who asks then gets `Gone`, and the market goes on without it. Processes are started by a fork
server (no threads of JAX are forked), so a script must keep its market under `if __name__ == "__main__":`.
"""

import contextlib
import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from catallax.experts.bank.modules import Module

Array = np.ndarray
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
START = 120.0  # seconds in which a process must have begun: it imports what its module needs


class Gone(Exception):
    """A module's process does not answer any more; the sentence says why."""


class ProcessModule:
    """A `Module` behind a pipe. `timeout`: seconds that it may take for one answer."""

    def __init__(self, arguments: tuple, timeout: float) -> None:
        self.timeout = timeout
        context: Any = multiprocessing.get_context(METHOD)
        if METHOD == "forkserver":
            context.set_forkserver_preload(["catallax.experts.bank.processes"])
        self.pipe, far = context.Pipe()
        self.worker = context.Process(target=serve, args=(far, arguments), daemon=True)
        self.worker.start()
        far.close()
        self.process, self.closed, self.started = int(self.worker.pid or 0), False, False

    def ask(self, *message: Any) -> None:
        """Send a question; the answer is read by `answer`, so that all modules work at once."""
        try:
            self.pipe.send(message)
        except (OSError, ValueError) as error:
            raise Gone(f"its process ended ({error})") from error

    def answer(self) -> Any:
        """What it says. Raises `Gone` where it says nothing in time, has ended, or failed."""
        try:
            if not self.started and not self.pipe.poll(START):
                raise Gone(f"its process did not start within {START:g} s")
            if not self.started:
                self.started = self.pipe.recv() == "here"
            if not self.pipe.poll(self.timeout):
                raise Gone(f"its process did not answer within {self.timeout:g} s")
            kind, value = self.pipe.recv()
        except (EOFError, OSError) as error:
            raise Gone("its process ended") from error
        if kind == "failed":
            raise Gone(f"it failed: {value}")
        return value

    def offer(self, X: Array, fold: Array) -> Array:
        """As `Module.offer`."""
        self.ask("offer", X, fold)
        return self.answer()

    def buy(self, number: Array, X: Array, y: Array, fold: Array, lost: Array) -> None:
        """As `Module.buy`."""
        self.ask("buy", number, X, y, fold, lost)
        self.answer()

    def settled(self) -> Module:
        """The module itself, brought home."""
        self.ask("settled")
        return self.answer()

    def close(self) -> None:
        """End the process; one that is dead already is not missed, and one that is closed already is left alone."""
        if self.closed:
            return
        self.closed = True
        with contextlib.suppress(OSError):
            self.pipe.close()
        self.worker.join(1.0)
        if self.worker.is_alive():
            self.worker.kill()
            self.worker.join()
        self.worker.close()


def serve(pipe: Connection, arguments: tuple) -> None:
    """What a module's process does until the market hangs up. Ctrl-C is the market's to obey."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module = Module(*arguments)
    pipe.send("here")
    while True:
        try:
            verb, *given = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            said = ("said", getattr(module, verb)(*given))
        except Exception as error:  # it is the module's own code: whatever it raises, the market must hear of it
            said = ("failed", f"{type(error).__name__}: {error}")
        with contextlib.suppress(OSError):
            pipe.send(said)
