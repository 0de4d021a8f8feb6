"""A member behind a pipe: any programme that reads a line of JSON and writes one.

    asked    {"id": 7, "x": [[0.1, 2.0], ...]}                      rows of numbers, or texts
    answers  {"id": 7, "answer": ["cat", null, ...]}                one a row, null: no answer
             {"id": 7, "chance": [[0.9, 0.1], ...], "classes": ["cat", "dog"]}
             and, if it likes, "bid": [0.8, ...] or "sure": [0.8, ...], in [0, 1]
             {"id": 7, "error": "why"}                              it goes on no longer

It is started when first asked. One that ends, is killed, says what is no such line, or nothing for `timeout` seconds is gone.
"""

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.members.local import answers
from catallax.merging.members.member import Gone, Member, Said, chances, within

Array = np.ndarray


class Process(Member):
    """`command`: the programme and its arguments; `timeout`: seconds for one answer, the first and its start together."""

    remote = True

    def __init__(self, command: Sequence[str], timeout: float = 60.0) -> None:
        if isinstance(command, str) or not command or not all(isinstance(word, str) for word in command):
            raise BadInput(f"command is {command!r}: give the programme and its arguments, a list of texts")
        if not timeout > 0:
            raise BadInput(f"timeout is {timeout!r}: give seconds above 0")
        self.command, self.timeout = list(command), timeout
        self._forget()

    @property
    def pid(self) -> int | None:
        """The process's number; None: not started yet, or ended."""
        return None if self.worker is None else self.worker.pid

    def ask(self, X: Any, classes: Array) -> Said:
        """As `Member.ask`."""
        self.asked += 1
        line = json.dumps({"id": self.asked, "x": np.asarray(X).tolist()})
        try:
            return read(self._line(line), self.asked, len(X), classes)
        except Gone:
            self.close()
            raise

    def close(self) -> None:
        """End the process; one that is dead already is not missed."""
        worker = self.worker
        self._forget()
        if worker is None:
            return
        with contextlib.suppress(OSError):
            worker.stdin.close()
        try:
            worker.wait(0.5)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        worker.stdout.close()

    def __del__(self) -> None:
        if getattr(self, "worker", None) is not None:
            self.close()

    def _forget(self) -> None:
        self.worker: Any = None
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.asked = 0

    def _line(self, line: str) -> str:
        """What is said to a line."""
        try:
            pipe = (self.worker or self._start()).stdin
            pipe.write(line + "\n")
            pipe.flush()
            said = self.lines.get(timeout=self.timeout)
        except queue.Empty as error:
            raise Gone(f"its process did not answer within {self.timeout:g} s") from error
        except (OSError, ValueError) as error:
            raise Gone(f"its process ended ({error})") from error
        if not said:
            raise Gone("its process ended")
        return said

    def _start(self) -> Any:
        self.worker = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
        )
        threading.Thread(target=listen, args=(self.worker.stdout, self.lines), daemon=True).start()
        return self.worker

    def __getstate__(self) -> dict[str, Any]:
        return {"command": self.command, "timeout": self.timeout}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.command, self.timeout = state["command"], state["timeout"]
        self._forget()


def listen(pipe: Any, lines: "queue.SimpleQueue[str]") -> None:
    """Lines as they come; an empty one when the pipe ends."""
    with contextlib.suppress(OSError, ValueError):
        for line in pipe:
            lines.put(line)
    lines.put("")


def read(line: str, number: int, rows: int, classes: Array) -> Said:
    """One answer, checked. Raises `Gone`."""
    try:
        given = json.loads(line)
    except ValueError as error:
        raise Gone(f"it said what is no JSON: {line[:60]!r}") from error
    if not isinstance(given, dict) or given.get("id") != number:
        raise Gone(f"it did not answer question {number}: {line[:60]!r}")
    if "error" in given:
        raise Gone(f"it failed: {given['error']}")
    more = {name: within(given[name], rows, name) for name in ("bid", "sure") if name in given}
    if "chance" in given:
        answer, chance = chances(given["chance"], rows, given.get("classes", classes), classes)
        return Said(answer, chance)._replace(**more)
    answer = given.get("answer")
    if not isinstance(answer, list) or len(answer) != rows or any(isinstance(one, (list, dict)) for one in answer):
        raise Gone(f"it gave no list of {rows} answers")
    kept = np.array(answer, object) if None in answer else np.array(answer)
    return answers(kept, rows, classes)._replace(**more)
