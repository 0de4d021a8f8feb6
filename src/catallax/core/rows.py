"""Rows to learn from: facts, which a checkpoint knows by their digest, and the order in which an epoch takes them."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from catallax.core.outcome import digest
from catallax.core.random import host_fold_in, host_key

ORDER = 1  # the stream of random bits that orders rows; lessons have another


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Inputs [rows, ...] and targets [rows, ...]: facts, which a checkpoint knows by their digest and does not hold."""

    x: Any
    target: Any
    mark: str = ""

    @classmethod
    def of(cls, x: np.ndarray, target: np.ndarray) -> "Rows":
        """On the device that computes."""
        return cls(jnp.asarray(x), jnp.asarray(target), digest((x, target)))

    @property
    def count(self) -> int:
        return self.x.shape[0]


def shuffled(seed: int, epoch: int, count: int) -> np.ndarray:
    """The order of the rows in an epoch: a hash of (seed, epoch)."""
    words = host_fold_in(host_key(seed, epoch), np.uint32(ORDER))
    return np.random.default_rng([int(word) for word in np.ravel(words)]).permutation(count).astype(np.int32)
