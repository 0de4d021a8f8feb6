"""Random order: agents act one after the other, each on what has been done so far in this round.

Each agent sees `start.propagate(summary so far)`; the round is committed once, so that evaporation and the like
happen once a round. Where orders stand, the summary begins with everyone's last orders and each turn replaces
one; else it begins with nobody's. Needs an additive `listen`. Whose turn it is when depends on ids, not on places.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from catallax.core.agent import View
from catallax.core.channel import Wiring, send
from catallax.core.parts import Part, alone, answers, apart, changes, locals_of, together, whole
from catallax.core.random import order
from catallax.core.signal import join, neutral
from catallax.core.society import Society, ids_of, populations


class Table(NamedTuple):
    """What every turn of a round looks up: nothing in it changes during the round."""

    society: Society
    part: Part
    moving: list  # for each population, which of its rows change
    actions: tuple  # for each population, the shapes of its actions
    key: Any
    ours: Any
    wiring: Wiring
    knobs: tuple


class Done(NamedTuple):
    """What has been done so far in this round."""

    rows: tuple  # for each population, those of its rows that change
    summary: Any
    orders: tuple | None


def in_turn(society: Society, orders, key, ours, wiring: Wiring, knobs: tuple) -> tuple[Any, Any, Any]:
    """Agents, standing orders and the summary after everyone has had a turn."""
    signal, part = society.signal, whole(society, None, orders)
    changed, actions = jax.eval_shape(lambda: answers(society, part, signal.public(), key))
    moving = [[x is not None for x in leaves] for leaves in changed]
    table = Table(society, part, moving, actions, key, ours, wiring, knobs)
    if orders is None:
        summary = neutral(signal, jax.eval_shape(lambda a: signal.listen(alone(society, a)), actions))
    else:
        summary = signal.listen(alone(society, orders))
    rows = tuple([x for x, m in zip(r, moves, strict=True) if m] for r, moves in zip(part.rows, moving, strict=True))
    who, where = speakers(society, ours)
    turns = [lambda index, done, p=p: turn(table, p, index, done) for p in range(len(part.rows))]

    def body(n, done):
        return turns[0](where[n], done) if len(turns) == 1 else jax.lax.switch(who[n], turns, where[n], done)

    done = jax.lax.fori_loop(0, who.size, body, Done(rows, summary, orders))
    new = tuple(spread(x, m) for x, m in zip(done.rows, moving, strict=True))
    if orders is not None:  # summed afresh: replacing one by one has rounded
        return together(society, part.rows, new), done.orders, signal.listen(alone(society, done.orders))
    return together(society, part.rows, new), None, done.summary


def spread(few: list, moves: list[bool]) -> list:
    """The changed rows in their places among all, None for the others."""
    fresh = iter(few)
    return [next(fresh) if m else None for m in moves]


def speakers(society: Society, ours) -> tuple[Any, Any]:
    """Population and place of the agent whose turn it is, int32[everyone] each, in a random order of the sorted ids."""
    ids = ids_of(society)
    population = jnp.concatenate([jnp.full(x.shape, p, jnp.int32) for p, x in enumerate(ids)])
    ranked = [jnp.arange(x.size) if society.ids is None else jnp.argsort(x) for x in ids]
    sequence = order(jax.random.fold_in(ours, 1), population.size)
    return population[sequence], jnp.concatenate(ranked).astype(jnp.int32)[sequence]


def turn(table: Table, population: int, index, done: Done) -> Done:
    """Agent `index` of a population hears what has been done so far, responds, and is heard."""
    crowd = populations(table.society.agents)[population]
    own_id = table.part.ids[population][index]
    private = jax.random.fold_in(jax.random.fold_in(table.ours, 2 + population), own_id)
    own = jax.random.fold_in(jax.random.fold_in(table.key, population), own_id)
    moving = table.moving[population]

    def respond(row, view, last, key):
        agent = apart(crowd).agent(row)
        new, action = agent.respond(view, key)
        return [x for x in changes(agent, new, crowd) if x is not None], action

    def sleep(row, view, last, key):
        nothing = jax.tree.map(lambda s: jnp.zeros(s.shape[1:], s.dtype), table.actions[population])
        return [x for x, m in zip(row, moving, strict=True) if m], nothing if last is None else last

    row, view, last = seen(table, population, index, done, private)
    awake = jax.random.uniform(private) >= table.knobs[2] if table.wiring.lossy else index >= 0
    # A branch, though most are always awake: XLA cannot look through it, else it would read again what has since
    # been written, and so copy all agents in every turn.
    changed, action = jax.lax.cond(awake, respond, sleep, row, view, last, own)
    return written(table, population, index, done, changed, action, last)


def seen(table: Table, population: int, index, done: Done, noise) -> tuple[list, View, Any]:
    """The agent's own rows, its view, and its last order (None where orders do not stand)."""
    society, before, moving = table.society, table.part.rows[population], table.moving[population]
    current = spread(done.rows[population], moving)
    row = [(old if x is None else x)[index] for old, x in zip(before, current, strict=True)]
    signal = society.signal.propagate(done.summary)
    public, _ = send(signal, None, table.wiring, table.knobs, noise, 0)
    crowds = populations(society.agents)
    one = apart(crowds[population]).agent([x[None] for x in row])
    others = tuple(one if p == population else crowd for p, crowd in enumerate(crowds))
    local = locals_of(signal, others if isinstance(society.agents, tuple) else one)[population]
    # A row made of the agent's own fields, or kept for everyone: see `Signal.local`.
    local = jax.tree.map(lambda x: x[0] if x.shape[0] == 1 else x[index], local)
    last = None if done.orders is None else jax.tree.map(lambda x: x[index], done.orders[population])
    return row, View(public, local), last


def written(table: Table, population: int, index, done: Done, changed: list, action, last) -> Done:
    """What has been done when this agent has acted."""
    rows, orders, society = list(done.rows), done.orders, table.society
    rows[population] = [x.at[index].set(new) for x, new in zip(rows[population], changed, strict=True)]
    summary = heard(table, population, done.summary, action)
    if orders is not None:
        old = society.signal.listen(only(table, population, last))
        summary = jax.tree.map(jnp.subtract, summary, old)
        placed = jax.tree.map(lambda x, v: x.at[index].set(v), orders[population], action)
        orders = tuple(placed if p == population else x for p, x in enumerate(orders))
    return Done(tuple(rows), summary, orders)


def heard(table: Table, population: int, summary, action) -> Any:
    """The summary with one more action."""
    signal = table.society.signal
    if not isinstance(table.society.agents, tuple):
        return signal.hear(summary, action)
    return join(signal, summary, signal.listen(only(table, population, action)))


def only(table: Table, population: int, action) -> Any:
    """One action as `listen` takes them: stacked, and of the other populations none."""
    stacked = [
        jax.tree.map(lambda x: x[None], action)
        if p == population
        else jax.tree.map(lambda s: jnp.zeros((0, *s.shape[1:]), s.dtype), shape)
        for p, shape in enumerate(table.actions)
    ]
    return alone(table.society, tuple(stacked))
