"""A link with delay and loss between two processes: a ring of slots in shared memory, which never blocks its sender.

    a message sent at s lands at s + delay, with chance 1 - loss; it can be read from then on
    where every slot is taken by messages still on their way, the new one is dropped: at most slots / delay a second
    the reader takes the freshest that has landed; what is older is passed over

There is no lock, so that either side may be killed at any time. The sender writes a slot's number last; the reader copies a
slot, then holds it against the slot's checksum: what was overwritten meanwhile, or left half-written by a process that was
killed, counts as lost. Times are those of `time.monotonic`, one clock for all processes of a machine.
"""

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

NUMBER, STAMP, SUM, FIELDS = 0, 1, 2, 3  # of a slot: the message's number (0: none), when it was sent, its checksum


class Message(NamedTuple):
    """What was read: arrays, and the seconds since it was sent."""

    arrays: list[np.ndarray]
    age: float


class Ring:
    """One end of a link. Both ends are made alike, over the same memory.

    **Arguments:** `like`: (shape, dtype name) of each array of a message; `memory`: as `room` says (None: in this process alone);
    `delay`: seconds on the way; `loss`: the chance that a message never lands; `slots`: messages it can hold.

    Counts, of this end: `sent` (`lost` of them on the way), `dropped` (there was no room), `read`.
    """

    def __init__(
        self,
        like: Sequence[tuple[tuple[int, ...], str]],
        memory: Any = None,
        delay: float = 0.0,
        loss: float = 0.0,
        slots: int = 16,
        seed: int = 0,
    ) -> None:
        self.like = [(tuple(shape), np.dtype(name)) for shape, name in like]
        self.delay, self.loss, self.slots = delay, loss, slots
        self.memory = bytearray(room(like, slots)) if memory is None else memory
        raw = np.frombuffer(self.memory, np.uint8)
        head = slots * FIELDS * 8
        self.marks = raw[:head].view(np.int64).reshape(slots, FIELDS)
        self.stamps = raw[:head].view(np.float64).reshape(slots, FIELDS)[:, STAMP]
        self.places = raw[head:].reshape(slots, -1)
        self.chance = np.random.default_rng(seed)
        self.written = self.lost = self.dropped = self.read = self.seen = 0

    @property
    def sent(self) -> int:
        """Messages that there was room for."""
        return self.written + self.lost

    def send(self, arrays: Sequence[Any], now: float) -> bool:
        """Sends a message, or drops it where there is no room; whether it was sent. Never waits."""
        slot = self.written % self.slots
        if self.marks[slot, NUMBER] and self.stamps[slot] + self.delay > now:
            self.dropped += 1
            return False
        if self.loss and self.chance.random() < self.loss:
            self.lost += 1
            return True
        self.written += 1
        self.marks[slot, NUMBER] = 0
        place, start = self.places[slot], 0
        for (shape, kind), array in zip(self.like, arrays, strict=True):
            given = np.ascontiguousarray(array, kind)
            assert given.shape == shape, f"a message holds {given.shape} where the link carries {shape}"
            place[start : start + given.nbytes] = given.reshape(-1).view(np.uint8)
            start += given.nbytes
        self.stamps[slot] = now
        self.marks[slot, SUM] = checksum(place, self.written)
        self.marks[slot, NUMBER] = self.written
        return True

    def newest(self, now: float) -> Message | None:
        """The freshest message that has landed, if it is fresher than any read before."""
        numbers = self.marks[:, NUMBER].copy()
        for slot in np.argsort(-numbers):
            number, stamp = int(numbers[slot]), float(self.stamps[slot])
            if number <= self.seen:
                return None
            if stamp + self.delay > now:
                continue
            copy = self.places[slot].copy()
            if self.marks[slot, NUMBER] != number or self.marks[slot, SUM] != checksum(copy, number):
                continue
            self.seen, self.read = number, self.read + 1
            return Message(self.unpacked(copy), now - stamp)
        return None

    def unpacked(self, raw: np.ndarray) -> list[np.ndarray]:
        """Bytes as the arrays that they hold."""
        arrays, start = [], 0
        for shape, kind in self.like:
            size = int(np.prod(shape)) * kind.itemsize
            arrays.append(raw[start : start + size].view(kind).reshape(shape))
            start += size
        return arrays


def room(like: Sequence[tuple[tuple[int, ...], str]], slots: int) -> int:
    """Bytes of memory that a ring takes."""
    size = sum(int(np.prod(shape)) * np.dtype(name).itemsize for shape, name in like)
    return slots * (FIELDS * 8 + size + -size % 8)


def checksum(place: np.ndarray, number: int) -> int:
    """Of a slot's bytes and its number."""
    return zlib.crc32(place.data, number & 0xFFFFFFFF)


__all__ = ["Message", "Ring", "room"]
