"""What is read off members and their signal: by a record, round by round, and at the end. Traced, too."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from catallax.core.society import Society
from catallax.merging.together.signals import Neighbours


def loss(society: Society) -> Any:
    """The members' mean loss in the last round, by their weights; NaN before it."""
    return society.signal.tally.loss  # pyright: ignore[reportAttributeAccessIssue]


def messages(society: Society) -> Any:
    """Messages sent, and merged models read, so far [2]."""
    tally: Any = society.signal.tally  # pyright: ignore[reportAttributeAccessIssue]
    return jnp.stack([tally.sent, tally.heard])


def model_of(society: Society) -> Any:
    """The merged model [numbers]: of members with models of their own the mean by their shares."""
    signal: Any = society.signal
    if isinstance(signal, Neighbours):
        return society.agents.weight @ society.agents.own
    return signal.model


def scores(society: Society) -> Any:
    """Each member's own model's score [members]."""
    signal: Any = society.signal
    return jax.lax.map(signal.judge.of, society.agents.own)


def score(society: Society) -> Any:
    """The score of the merged model; where members keep their own, the mean of theirs."""
    signal: Any = society.signal
    return scores(society).mean() if isinstance(signal, Neighbours) else signal.judge.of(signal.model)


def disagreement(society: Society) -> Any:
    """Root mean square distance of members' own models from their mean, as a share of its length."""
    own = society.agents.own
    middle = own.mean(0)
    length = jnp.linalg.norm(middle)
    return jnp.sqrt(jnp.mean(jnp.sum((own - middle) ** 2, axis=1))) / jnp.where(length > 0, length, 1)


@eqx.filter_jit
def read_off(society: Society, heard: Any) -> tuple:
    """Model, score, disagreement, loss and influence."""
    judged = score(society) if heard is None else society.signal.judge.of(heard)  # pyright: ignore
    vector = model_of(society) if heard is None else heard
    return vector, judged, disagreement(society), loss(society), society.agents.influence()
