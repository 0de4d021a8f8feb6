"""One round: each agent responds to its view, the signal listens to all and propagates.

    key_t = hash(seed, t);  view = channel(signal.public()), signal.local(agents)
    agents', actions = respond(agents, view, hash(key_t, population, id))
    signal' = propagate(listen(actions));  unrest = unrest(listen(actions))

How agents respond at once is in `parts.py`, one after the other in `turns.py`.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.channel import Wiring, empty_wire, send
from catallax.core.parts import AXIS, alone, answers, respond, together, whole
from catallax.core.society import Society, ids_of, is_row
from catallax.core.turns import in_turn

EXACT = Wiring()
BEFORE = 0xFFFFFFFF  # the round in which everyone opens, where orders stand
COMMON = 0xFFFFFFFF  # the key of what belongs to nobody: channel noise, who is awake, whose turn it is


@dataclass(frozen=True)
class Setting:
    """How rounds are driven: all that a compiled round depends on besides the society's structure."""

    activation: str = "synchronous"  # synchronous | fraction | random order
    wiring: Wiring = EXACT
    blocks: int | None = None
    mesh: Any = None

    @property
    def sleepy(self) -> bool:
        """True where some agents may be idle in a round."""
        return self.activation == "fraction" or self.wiring.lossy


class Knobs(NamedTuple):
    """The numbers that a setting takes, traced: the channel's, and the share of agents awake."""

    channel: tuple
    share: Any


def exact_knobs() -> Knobs:
    """The knobs of a channel that does nothing, everyone awake."""
    return Knobs((np.float32(1), np.float32(0), np.float32(0)), np.float32(1))


class State(NamedTuple):
    """What rounds carry: the society, what is under way on a delayed channel, the last actions if they stand."""

    society: Society
    wire: Any = None
    orders: Any = None


def begin(society: Society, setting: Setting, knobs: Knobs, seed) -> State:
    """The state before round 0. Where orders stand, everyone has answered the opening signal, and changed by it."""
    keeps = society.signal.standing and (setting.sleepy or setting.activation == "random order")
    if not keeps and not setting.wiring.delay:
        return State(society)
    agents, wire, orders = opening(society, setting, knobs, seed, keeps)
    return State(Society(agents, society.signal, society.ids), wire, orders)


@eqx.filter_jit
def opening(society: Society, setting: Setting, knobs: Knobs, seed, keeps: bool) -> tuple[Any, Any, Any]:
    """Agents, what is under way before round 0, and the answers to the opening signal where orders stand."""
    wire = empty_wire(society.signal, setting.wiring.delay)
    if not keeps:
        return society.agents, wire, None
    key = jax.random.fold_in(seed, BEFORE)
    public, _ = send(society.signal, wire, setting.wiring, knobs.channel, jax.random.fold_in(key, COMMON), 0)
    part = whole(society, None, None)
    changed, orders = answers(society, part, public, key)
    return together(society, part.rows, changed), wire, orders


def one_round(state: State, t, seed, setting: Setting, knobs: Knobs) -> tuple[State, Any]:
    """The state after round `t`, and its unrest (float32 or wider, 0 at rest)."""
    society, signal = state.society, state.society.signal
    key = jax.random.fold_in(seed, t)
    ours = jax.random.fold_in(key, COMMON)
    if setting.activation == "random order":
        agents, orders, summary = in_turn(society, state.orders, key, ours, setting.wiring, knobs.channel)
        wire = state.wire
    else:
        public, wire = send(signal, state.wire, setting.wiring, knobs.channel, ours, t)
        part = whole(society, wakers(society, ours, setting, knobs), state.orders)
        agents, orders, summary = respond(society, part, public, key, setting.blocks, setting.mesh)
    unrest = jnp.asarray(signal.unrest(summary))
    unrest = unrest.astype(jnp.promote_types(unrest.dtype, jnp.float32))
    return State(Society(agents, signal.propagate(summary), society.ids), wire, orders), unrest


def in_place(state: State, mesh) -> State:
    """The state as it lies on several devices: what agents have on their own, the rest whole on each."""
    if mesh is None:
        return state

    def lay(tree, spec):
        there = jax.NamedSharding(mesh, spec)
        put = lambda x: jax.lax.with_sharding_constraint(x, there) if eqx.is_array(x) else x  # noqa: E731
        return jax.tree.map(put, tree)

    society, rows, every = state.society, jax.P(AXIS), jax.P()
    agents = jax.tree.map(lambda x: lay(x, rows if is_row(x) else every), society.agents)
    spread = Society(agents, lay(society.signal, every), lay(society.ids, rows))
    return State(spread, lay(state.wire, every), lay(state.orders, rows))


def wakers(society: Society, key, setting: Setting, knobs: Knobs) -> tuple | None:
    """Who acts in this round, bool[agents] a population; None where everyone does."""
    if not setting.sleepy:
        return None
    chance = (knobs.share if setting.activation == "fraction" else 1.0) * (1 - knobs.channel[2])

    def awake(population, ids):
        own = jax.random.fold_in(key, population)
        return jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(own, i)))(ids) < chance

    return tuple(awake(p, ids) for p, ids in enumerate(ids_of(society)))


def summary_and_actions(society: Society, key) -> tuple[Any, tuple]:
    """The summary and the actions (a tuple over populations) of one round's answers to an exact signal."""
    _, actions = answers(society, whole(society, None, None), society.signal.public(), key)
    return society.signal.listen(alone(society, actions)), actions
