"""DARE: drop elements of each delta at random, scale up the others, then add or elect.

    d_i = m_i * delta_i / p,    m_i ~ Bernoulli(p), of each element;    E d_i = delta_i

then task arithmetic, or the election of TIES (without its trimming), on the d_i. Draws hash (seed, tensor, member, place):
the same whatever the order of tensors and the pieces they come in.

Yu et al., Language Models are Super Mario, ICML 2024, arXiv:2311.03099.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from catallax.core.errors import BadInput
from catallax.merging.method import Method, Stack
from catallax.merging.methods.task_arithmetic import added, check_scale
from catallax.merging.methods.ties import Ties

THEN = ("task-arithmetic", "ties")
BLOCK = 4  # words that the generator makes at a time


@dataclasses.dataclass(frozen=True)
class Dare(Method):
    """`density`: the chance p of an element to be kept, in (0, 1]; `scale`: lambda of what comes then; `then`: task-arithmetic
    or ties."""

    density: float = 0.5
    scale: float = 0.3
    then: str = "task-arithmetic"
    name: ClassVar[str] = "dare"
    paper: ClassVar[str] = "Yu et al. 2024, Language Models are Super Mario, arXiv:2311.03099"
    needs_base: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.density <= 1:
            raise BadInput(f"density is {self.density:g}: the chance of an element to be kept lies in (0, 1]")
        if self.then not in THEN:
            raise BadInput(f"then is {self.then!r}: give {' or '.join(THEN)}")
        check_scale(self.scale)

    def combine(self, stack: Stack) -> np.ndarray:
        """The base and what is made of the deltas that were drawn."""
        base, deltas = stack.base, stack.deltas
        for member, delta in enumerate(deltas):
            delta *= kept(stack.key, member, stack.start, delta.size, self.density).reshape(delta.shape)
            delta /= delta.dtype.type(self.density)
        if self.then == "ties":
            zero = np.zeros(deltas.shape[1:], deltas.dtype)
            merged = Ties(1.0, self.scale).combine(stack._replace(values=deltas, base=zero))
        else:
            merged = added(deltas, stack.weights, self.scale)
        return merged if base is None else merged + base


def kept(key: int, member: int, start: int, size: int, density: float) -> np.ndarray:
    """Whether elements `start` to `start + size` of a member are kept, bool [size]: words of Philox, one a place."""
    words = np.random.Philox(key=np.array([key, member], np.uint64), counter=start // BLOCK)
    drawn = words.random_raw(size + start % BLOCK)[start % BLOCK :]
    return drawn >> np.uint64(11) < np.uint64(round(density * 2**53))
