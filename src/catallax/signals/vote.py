"""A vote: how much weight there is behind each option, and nothing of who put it there.

    counts[..., k] = sum_i weight_i [i votes for k]

Additive, so one more vote costs one addition, and what is public does not grow with the number of voters. Several votes
may be taken at once (on many cases): the last axis is "options". Weights are in votes; an abstention is an action of zeros.
Through few bits each count is heard between 0 and the weight of all voters, on a linear scale: one bit says for each
option whether it has more or less than half of all there is. Unrest is the largest change of a count, as a share of all.

A `Vote` stands until it is changed: who sleeps through a round is counted as last time. In a `RollCall` nothing stands:
run in random order, each hears the votes that were cast before in this round, and those alone.
"""

import dataclasses
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from catallax.core.channel import Span
from catallax.core.signal import Signal


class Vote(Signal):
    """Counts of a vote. Agents act by an array [*cases, options]: their weight at the option chosen, 0 elsewhere.

    **Fields:** `counts`: of the last ballot; `total`: the weight of all who may vote.
    """

    merge: ClassVar = "sum"
    standing: ClassVar[bool] = True
    counts: Float[Array, "*cases options"]
    total: Float[Array, ""]

    def public(self) -> Any:
        """The counts."""
        return self.counts

    def propagate(self, summary: Any) -> "Vote":
        return dataclasses.replace(self, counts=summary)

    def unrest(self, summary: Any) -> Any:
        """The largest change of a count, as a share of all votes."""
        return jnp.max(jnp.abs(summary - self.counts)) / self.total

    def span(self) -> Span:
        """From no vote to all."""
        return Span(jnp.zeros_like(self.total), self.total)

    def hear(self, summary: Any, action: Any) -> Any:
        return summary + action


class RollCall(Vote):
    """A vote in which nobody's vote of an earlier round stands."""

    standing: ClassVar[bool] = False


def share(counts: Any) -> Any:
    """Each option's share of the votes cast, [*cases, options]; equal shares where nobody voted."""
    cast = counts.sum(-1, keepdims=True)
    return jnp.where(cast > 0, counts / jnp.where(cast > 0, cast, 1), 1 / counts.shape[-1])
