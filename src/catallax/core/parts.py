"""Agents respond: all at once, in fixed blocks of them, or on the devices that hold them.

    changed, actions = respond(agents, view, hash(key_t, population, id))
    summary          = merge of listen(actions) over parts, in their order

A part is a slice of every population, with all that its agents need. Parts make up the whole by the law of
`Signal`, listen(A + B) = merge(listen(A), listen(B)). With blocks there is one compiled body for a block and one
order of the sum, whatever the devices; between devices only summaries travel.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from catallax.core.agent import View
from catallax.core.errors import Refused
from catallax.core.signal import Signal, kinds, merge_parts
from catallax.core.society import Society, ids_of, is_row, populations

AXIS = "agents"


class Crowd(NamedTuple):
    """A population taken apart: the leaves stacked along "agents", and what makes agents of them again."""

    rows: list
    form: Any
    shared: Any

    def agent(self, rows: list) -> Any:
        """One agent, or a stack of them."""
        return eqx.combine(self.form.unflatten(rows), self.shared)


class Part(NamedTuple):
    """Agents of some slice of every population, with all that they need to respond. Tuples over populations."""

    rows: tuple
    local: tuple
    ids: tuple
    awake: tuple | None
    orders: tuple | None


def apart(crowd) -> Crowd:
    """A population as its rows and the rest."""
    rows, form = jax.tree.flatten(eqx.filter(crowd, is_row))
    return Crowd(rows, form, eqx.filter(crowd, is_row, inverse=True))


def together(society: Society, rows: tuple, changed: tuple) -> Any:
    """The agents of `society` with their `changed` leaves (None: as they were)."""
    crowds = [
        apart(crowd).agent([old if x is None else x for old, x in zip(before, new, strict=True)])
        for crowd, before, new in zip(populations(society.agents), rows, changed, strict=True)
    ]
    return tuple(crowds) if isinstance(society.agents, tuple) else crowds[0]


def whole(society: Society, awake: tuple | None, orders: tuple | None) -> Part:
    """Everyone, as one part."""
    crowds = populations(society.agents)
    rows = tuple(apart(crowd).rows for crowd in crowds)
    return Part(rows, locals_of(society.signal, society.agents), ids_of(society), awake, orders)


def locals_of(signal: Signal, agents) -> tuple:
    """What reaches each agent alone, a population each. Refused where it has not a row for everyone."""
    local, crowds = signal.local(agents), populations(agents)
    if not isinstance(agents, tuple):
        local = (local,)
    elif local is None:
        local = (None,) * len(crowds)
    if not isinstance(local, tuple) or len(local) != len(crowds):
        name = type(signal).__name__
        raise Refused(f"{name}.local must return a tuple, one part for each of {len(crowds)} populations")
    return local


def alone(society: Society, actions: tuple) -> Any:
    """Actions as `listen` takes them: a tuple only for several populations."""
    return actions if isinstance(society.agents, tuple) else actions[0]


def answers(society: Society, part: Part, public, key) -> tuple[tuple, tuple]:
    """What a part does: for each population its changed leaves (None where handed through) and its actions."""
    out = [
        map_respond(crowd, rows, local, ids, public, jax.random.fold_in(key, p))
        for p, (crowd, rows, local, ids) in enumerate(
            zip(populations(society.agents), part.rows, part.local, part.ids, strict=True)
        )
    ]
    return tuple(changed for changed, _ in out), tuple(actions for _, actions in out)


def map_respond(crowd, rows: list, local, ids, public, key) -> tuple[list, Any]:
    """`respond`, written for one agent, mapped over a slice of a population."""
    one = apart(crowd)
    for x in jax.tree.leaves(local):
        if x.shape[:1] != ids.shape:
            raise Refused(f"local has the shape {list(x.shape)} for {ids.size} agents: its leading axis is 'agents'")

    def respond(row, mine, i):
        agent = one.agent(row)
        new, action = agent.respond(View(public, mine), jax.random.fold_in(key, i))
        return changes(agent, new, crowd), action

    return jax.vmap(respond, in_axes=(0, None if local is None else 0, 0))(rows, local, ids)


def changes(given, new, crowd) -> list:
    """The row leaves of `new` that differ from those of the agent `given` (by identity), None for the others.

    Refused where the agent's structure, a shared field, or the shape or dtype of a field is changed.
    """
    name = f"{type(crowd).__name__}.respond"
    if jax.tree.structure(new) != jax.tree.structure(given):
        raise Refused(f"{name} returns an agent of another structure than it was given")
    paths = [name for name, _ in jax.tree_util.tree_leaves_with_path(given)]
    leaves = zip(paths, *map(jax.tree.leaves, (given, new, jax.tree.map(is_row, crowd))), strict=True)
    changed = []
    for path, old, now, row in leaves:
        field = f"{name} changes {jax.tree_util.keystr(path).removeprefix('.')}"
        if not row and now is not old:
            raise Refused(f"{field}, a rank-0 field, which all agents share: give it the leading axis 'agents'")
        if row:
            changed.append(None if now is old else fitting(field, old, now))
    return changed


def fitting(field: str, old, now):
    """The new value of a field. Refused where it is of another shape or dtype."""
    now = jnp.asarray(now, old.dtype) if isinstance(now, (bool, int, float)) else now
    if (now.shape, now.dtype) != (old.shape, old.dtype):
        raise Refused(
            f"{field} from {old.dtype}{list(old.shape)} to {now.dtype}{list(now.shape)}: "
            "a state keeps its shape and type"
        )
    return now


def idle(changed: tuple, actions: tuple, part: Part) -> tuple[tuple, tuple]:
    """Agents that sleep keep their state; their action is nothing, or the last one where orders stand."""
    if part.awake is None:
        return changed, actions

    def keep(awake, new, old):
        return jnp.where(awake.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    kept = tuple(
        [None if x is None else keep(awake, x, old) for x, old in zip(new, rows, strict=True)]
        for awake, new, rows in zip(part.awake, changed, part.rows, strict=True)
    )
    last = part.orders if part.orders is not None else jax.tree.map(jnp.zeros_like, actions)
    done = tuple(
        jax.tree.map(lambda x, o, a=awake: keep(a, x, o), new, old)
        for awake, new, old in zip(part.awake, actions, last, strict=True)
    )
    return kept, done


def act(society: Society, part: Part, public, key) -> tuple[tuple, tuple | None, Any]:
    """Changed leaves, actions (None from the fused path) and the summary of one part."""
    crowd = society.agents
    if isinstance(crowd, tuple) or crowd.tally is None or part.awake is not None:
        changed, actions = idle(*answers(society, part, public, key), part)
        return changed, actions, society.signal.listen(alone(society, actions))
    own = jax.random.fold_in(key, 0)
    keys = jax.vmap(lambda i: jax.random.fold_in(own, i))(part.ids[0])
    agents = apart(crowd).agent(part.rows[0])
    new, summary = agents.tally(View(public, part.local[0]), keys)
    return (changes(agents, new, crowd),), None, summary


def respond(society: Society, part: Part, public, key, blocks: int | None, mesh) -> tuple[Any, Any, Any]:
    """Everyone responds, in one part, in blocks, or on a mesh of devices: agents, standing orders, summary."""
    if mesh is None:
        changed, actions, summary = in_blocks(society, part, public, key, blocks, None)
    else:
        changed, actions, summary = on_mesh(society, part, public, key, blocks, mesh)
    return together(society, part.rows, changed), actions if part.orders is not None else None, summary


def in_blocks(society: Society, part: Part, public, key, blocks: int | None, axis: str | None) -> tuple:
    """One part as it is, or in `blocks` equal blocks with one compiled body, summed in their order."""
    signal = society.signal
    if blocks is None:
        changed, actions, summary = act(society, part, public, key)
        summary = jax.lax.optimization_barrier(summary)  # or what is made of it may read all actions once more
        return changed, actions, across(signal, summary, axis)
    _, done, shape = jax.eval_shape(lambda p: act(society, p, public, key), part)
    how = kinds(signal, shape)
    # Whole numbers add up the same in any order: counted once, they need no memory of a summary a block.
    counted = [kind == "count" and done is not None for kind in how]

    def block(piece):
        changed, actions, summary = act(society, piece, public, key)
        parts = [None if once else x for once, x in zip(counted, jax.tree.leaves(summary), strict=True)]
        kept = actions if any(counted) or part.orders is not None else None
        return changed, kept, parts

    changed, actions, parts = (side_by_side if done is None else one_by_one)(block, part, blocks)
    if axis is not None:
        parts = jax.lax.all_gather(parts, axis, tiled=True)
    parts = jax.lax.optimization_barrier(parts)  # or XLA fuses the two sums, on one device only
    once = parts
    if any(counted):
        once = jax.tree.leaves(across(signal, signal.listen(alone(society, actions)), axis))
    leaves = [o if x is None else merge_parts(k, x) for k, x, o in zip(how, parts, once, strict=True)]
    return changed, actions, jax.tree.structure(shape).unflatten(leaves)


def side_by_side(block, part: Part, blocks: int) -> tuple:
    """`block` of each slice as one batch: for the fused path, whose matrix products then read the agents once."""
    cut = jax.tree.map(lambda x: x.reshape(blocks, -1, *x.shape[1:]), part)
    changed, actions, parts = jax.vmap(block)(cut)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), changed), actions, parts


def one_by_one(block, part: Part, blocks: int) -> tuple:
    """`block` of each of `blocks` slices of a part: changed rows and actions as of one part, summaries stacked.

    How many turns there are is hidden from the compiler, and there is room for two at least: a block that it knew
    to be the only one of its device would be compiled in another way, with other bits, than one of several.
    """
    cut = jax.tree.map(lambda x: x.reshape(blocks, -1, *x.shape[1:]), part)
    if blocks == 1:
        cut = jax.tree.map(lambda x: jnp.concatenate([x, x]), cut)

    def piece(i):
        return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, i, keepdims=False), cut)

    def apart_from_all_else(i):
        return jax.lax.optimization_barrier(block(jax.lax.optimization_barrier(piece(i))))

    rows, *rest = jax.eval_shape(lambda: block(piece(0)))
    empty = jax.tree.map(lambda s: jnp.zeros((max(blocks, 2), *s.shape), s.dtype), rest)
    given = tuple(
        [None if x is None else old for x, old in zip(new, before, strict=True)]
        for new, before in zip(rows, cut.rows, strict=True)
    )

    def turn(i, done):
        return jax.tree.map(
            lambda x, new: jax.lax.dynamic_update_index_in_dim(x, new, i, 0), done, apart_from_all_else(i)
        )

    turns = jax.lax.optimization_barrier(jnp.int32(blocks))
    changed, actions, parts = jax.lax.fori_loop(0, turns, turn, (given, *empty))
    changed, actions, parts = jax.tree.map(lambda x: x[:blocks], (changed, actions, parts))
    return *jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (changed, actions)), parts


def across(signal: Signal, summary, axis: str | None) -> Any:
    """Summaries of the devices made one, where there are several: only these travel between them."""
    if axis is None:
        return summary
    collective = {"sum": jax.lax.psum, "count": jax.lax.psum, "max": jax.lax.pmax, "min": jax.lax.pmin}

    def merge(kind, x):
        return jax.lax.all_gather(x, axis, tiled=True) if kind == "rows" else collective[kind](x, axis)

    leaves, tree = jax.tree.flatten(summary)
    return tree.unflatten([merge(k, x) for k, x in zip(kinds(signal, summary), leaves, strict=True)])


def on_mesh(society: Society, part: Part, public, key, blocks: int | None, mesh) -> tuple:
    """`in_blocks` on each device's own agents; the signal and all that is shared are on every device."""
    blocks = None if blocks is None else blocks // mesh.size
    stacked = eqx.filter(society.agents, is_row)  # its structure alone is used: the rows come with `part`
    common = (eqx.filter(society.agents, is_row, inverse=True), society.signal, public, key)
    arrays, others = eqx.partition(common, eqx.is_array)

    def device(arrays, part):
        shared, signal, public, key = eqx.combine(arrays, others)
        own = Society(eqx.combine(stacked, shared), signal)
        changed, actions, summary = in_blocks(own, part, public, key, blocks, AXIS)
        return changed, actions if part.orders is not None else None, summary

    rows, every = jax.P(AXIS), jax.P()
    spread = jax.shard_map(device, mesh=mesh, in_specs=(every, rows), out_specs=(rows, rows, every), check_vma=False)
    return spread(arrays, part)
