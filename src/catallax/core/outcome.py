"""What a run or a settling ends with: the society, how it ended in a sentence, and what the problem adds."""

import enum
import hashlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


class Status(enum.StrEnum):
    """How it ended. Equal to its short name; `sentence` says it in full."""

    DONE = "done"
    SETTLED = "settled"
    UNSETTLED = "unsettled"
    CYCLING = "cycling"
    BROKEN = "broken"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Status.DONE: "all rounds were run",
    Status.SETTLED: "at rest within the tolerance",
    Status.UNSETTLED: "did not come to rest within the rounds allowed",
    Status.CYCLING: "the signal keeps coming back to where it was without coming to rest",
    Status.BROKEN: "a value is no longer a number",
    Status.STOPPED: "stopped before all rounds were run: by look, or as its seconds were over",
    Status.INTERRUPTED: "interrupted; this is what was done",
}
CODES = tuple(Status)  # settle inside jit carries the index


class Outcome(eqx.Module):
    """A society and how it came to be so.

    `society` (None where nobody acted: a planner), `rounds`, `unrest` (the signal's own, at the last round),
    `certificate` (settle, plan and contest: the largest of the scaled change of one float64 round, the unrest
    and the problem's gap; None after a plain run), `record` (a dict of NumPy arrays, one row a recorded
    round), `heard` (the public signal as a channel let it be heard at the end; None where it was exact), `values`: what
    the problem adds, also read as attributes (`outcome.price`), `notes`: sentences.
    """

    society: Any = None
    code: Any = CODES.index(Status.DONE)
    rounds: Any = 0
    unrest: Any = 0.0
    certificate: Any = None
    record: dict | None = None
    heard: Any = None
    values: dict = eqx.field(default_factory=dict)
    notes: tuple[str, ...] = eqx.field(static=True, default=())

    @property
    def status(self) -> Status:
        """How it ended (not readable inside `jit`: use `code`, an index of `catallax.core.outcome.CODES`)."""
        return CODES[int(self.code)]

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self.values:
            return self.values[name]
        raise AttributeError(f"this outcome has no {name!r}; it has {', '.join(sorted(self.values)) or 'no values'}")

    def digest(self) -> str:
        """A hash of the final state: the same seed and machine type give the same digest."""
        state = self.values if self.society is None else self.society
        return digest(state)


def digest(tree) -> str:
    """The first 16 hexadecimal digits of the sha256 of all array leaves of `tree`."""
    total = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        if eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            leaf = jax.random.key_data(leaf)
        if eqx.is_array_like(leaf):
            array = np.asarray(leaf)
            total.update(f"{array.dtype}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:16]
