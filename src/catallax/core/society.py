"""Agents and the signal that coordinates them: the whole state of a decentralised system.

`agents` are stacked along their leading axis (several populations: a tuple of stacks); an agent's id is its
(population, index), or (population, ids[index]) where `ids` are given, so that agents keep their random
streams when others come and go or their order changes.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from catallax.core.agent import View
from catallax.core.channel import Channel
from catallax.core.errors import BadInput, Refused
from catallax.core.random import host_key
from catallax.core.signal import Signal

UNSWITCHED = "a host society acts as its own code says: activation, channel, blocks and devices are not for it"


class Society(eqx.Module):
    """Agents and their signal. `ids`: stable whole-number ids, one array a population (default 0, 1, ...)."""

    agents: Any
    signal: Signal
    ids: Any = None


class HostSociety(Society):
    """A society driven from Python on NumPy: its agents are a `HostAgent`, or it overrides nothing but `advance`."""

    def advance(self, start: int, stop: int, seed: int) -> tuple["HostSociety", float]:
        """Rounds `start` to `stop` (exclusive) and the unrest of the last; random bits of (seed, round, id).

        Default: rounds of `respond_all`, `listen`, `propagate`.
        """
        agents, signal, unrest = self.agents, self.signal, np.inf
        for t in range(start, stop):
            view = View(signal.public(), signal.local(agents))
            agents, actions = agents.respond_all(view, host_key(seed, t))
            summary = signal.listen(actions)
            unrest, signal = float(signal.unrest(summary)), signal.propagate(summary)
        return dataclasses.replace(self, agents=agents, signal=signal), unrest

    def paced(self, rounds: int, seconds: float | None) -> "HostSociety":
        """The same society, knowing how long it has: up to round `rounds`, and `seconds` from now (None: no limit).

        `run` and `resume` call it right before their first round. What it notes goes into arrays and numbers that are
        there already, of the same shape and type (infinite where there is no limit), or no checkpoint can hold it; and
        where rounds alone are limited, none of it is the clock's, or no two digests are alike. Default: itself.
        """
        return self

    def ready(self) -> None:
        """Compiles or loads what rounds need: `run` calls it before any second counts. Default: nothing."""

    def through(self, channel: Channel) -> "HostSociety":
        """The same society, hearing its signal through the channel. Default: Refused."""
        raise Refused(UNSWITCHED)

    def summary_like(self) -> Any:
        """Arrays of the shapes and types of what the signal hears in a round; None: see a round of `respond_all`."""
        return None


def populations(agents) -> tuple:
    """The populations as a tuple, whether there are several or one."""
    return agents if isinstance(agents, tuple) else (agents,)


def is_row(leaf) -> bool:
    """True for a leaf that is stacked along "agents" (rank-0 leaves are shared)."""
    return isinstance(leaf, (jax.Array, np.ndarray)) and leaf.ndim > 0


def size(agents) -> int:
    """The number of agents of one population."""
    rows = [x for x in jax.tree.leaves(agents) if is_row(x)]
    if not rows:
        raise BadInput("a population needs at least one field with the leading axis 'agents' to know its size")
    lengths = {x.shape[0] for x in rows}
    if len(lengths) > 1:
        raise BadInput(f"the fields of a population disagree on the number of agents: {sorted(lengths)}")
    return lengths.pop()


def ids_of(society: Society) -> tuple:
    """The stable ids of each population, uint32[agents]."""
    if society.ids is None:
        return tuple(jnp.arange(size(crowd), dtype=jnp.uint32) for crowd in populations(society.agents))
    return society.ids if isinstance(society.agents, tuple) else (society.ids,)


def as_arrays(tree) -> Any:
    """Numbers and NumPy arrays as JAX arrays of a fixed dtype (a weak one would change in the loop), ids checked."""

    def fix(leaf):
        if not eqx.is_array_like(leaf) or (isinstance(leaf, jax.Array) and not getattr(leaf, "weak_type", False)):
            return leaf
        array = jnp.asarray(leaf)
        return array.astype(array.dtype) if array.weak_type else array

    if not isinstance(tree, Society):
        return jax.tree.map(fix, tree)
    agents, signal = jax.tree.map(fix, (tree.agents, tree.signal))
    return dataclasses.replace(tree, agents=agents, signal=signal, ids=checked_ids(tree))


def checked_ids(society: Society) -> Any:
    """The ids as uint32 arrays, one a population. BadInput where they are not distinct whole numbers below 2^32."""
    many = isinstance(society.agents, tuple)
    if society.ids is None:
        return None
    crowds, given = populations(society.agents), society.ids if many else (society.ids,)
    if not isinstance(given, tuple) or len(given) != len(crowds):
        raise BadInput(f"Society.ids must be a tuple of {len(crowds)} arrays, one a population")
    if any(isinstance(ids, Tracer) for ids in given):
        return society.ids
    for p, (ids, crowd) in enumerate(zip(given, crowds, strict=True)):
        ids = np.asarray(ids)
        where = f"Society.ids[{p}]" if many else "Society.ids"
        if ids.shape != (size(crowd),) or not np.issubdtype(ids.dtype, np.integer):
            said = f"{where} is {ids.dtype}{list(ids.shape)}"
            raise BadInput(f"{said}: give a whole number for each of {size(crowd)} agents")
        if ids.min() < 0 or ids.max() >= 2**32 or np.unique(ids).size < ids.size:
            raise BadInput(f"{where} must be distinct whole numbers from 0 to 2^32 - 1")
    uint = tuple(jnp.asarray(np.asarray(ids), jnp.uint32) for ids in given)
    return uint if many else uint[0]
