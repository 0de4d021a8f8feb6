"""One who takes part: rows of its own, a model of its own, an optimiser and an objective of its own.

    theta = what it hears (the merged model, or its neighbours' mean);  k local steps on batches of its own rows
    says     Delta = theta_k - theta, weighted by w, or its model as it now is (gossip);  in b bits: Q(Delta + owed)

A proximal weight mu adds mu |theta - heard|^2 / 2 to its loss (FedProx). Whether it takes part in a round it draws itself; one
who does not hears nothing and says nothing.

B. McMahan and others, Communication-efficient learning of deep networks from decentralized data, AISTATS 2017.
A. Koloskova, S. Stich and M. Jaggi, Decentralized stochastic optimization and gossip algorithms with compressed
communication, ICML 2019 (in few bits, neighbours hear copies that grow by what is told of the difference: CHOCO).
T. Li and others, Federated optimization in heterogeneous networks, MLSys 2020.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from catallax.core.agent import Agent, View
from catallax.merging.together.form import Form
from catallax.merging.together.messages import told


class Way(NamedTuple):
    """How all members work, as a part of the compiled round. `says`: "update", "row" (an update, not weighted) or "model".

    `batch`: rows of a step (None: all); `consensus`: how far towards what its neighbours say a member goes, in few bits.
    """

    form: Form
    losses: tuple[Callable, ...]
    attacks: tuple[Callable, ...]
    optimiser: Any
    steps: int
    batch: int | None
    bits: int | None
    says: str
    proximal: float
    consensus: float


class Said(NamedTuple):
    """What the signal hears of a member: a vector [numbers] and its weight, the loss it had (weighted), and counts:
    messages `sent`, messages `heard`, and whether it was there."""

    vector: Any
    weight: Any
    loss: Any
    sent: Any
    heard: Any
    here: Any


class Heard(NamedTuple):
    """What reaches a member alone: in gossip the `model` it is to start from; how much it `counted` in the last round."""

    model: Any = None
    counted: Any = None


class Member(Agent):
    """A member.

    **Fields:** `own`: its model; `memory` of its optimiser; `x`, `y`: its rows, filled up to the `most` that anyone has, of
    which the first `rows` are its own; `weight` w; `links`: members that each of its messages goes to; `owed`: what it has not
    told yet (few bits), or in gossip the copy that its neighbours have of it; `behind`: rounds that it has not heard;
    `counted`: how much it has counted in what was merged; `objective`: which of the losses is its own, `lie`: which attack
    (0: none), both None where all are alike; `reach` (shared): the chance that it takes part in a round.
    """

    own: Float[Array, "*members numbers"]
    memory: Any
    x: Any
    y: Any
    rows: Int[Array, "*members"]
    weight: Float[Array, "*members"]
    links: Int[Array, "*members"]
    behind: Int[Array, "*members"]
    counted: Float[Array, "*members"]
    owed: Any
    objective: Any
    lie: Any
    reach: Any
    way: Way = eqx.field(static=True)

    def influence(self) -> Any:
        """Each member's share of all that was merged so far, [members]; equal shares where nothing was."""
        total = self.counted.sum()
        return jnp.where(total > 0, self.counted / jnp.where(total > 0, total, 1), 1 / len(self.counted))

    def respond(self, view: View, key: Any) -> tuple["Member", Said]:
        """The member after a round, and what it says."""
        way, heard = self.way, self.start(view)
        here = None if self.reach is None else jax.random.uniform(jax.random.fold_in(key, 0)) < self.reach
        own, memory, loss = self.learnt(heard, jax.random.fold_in(key, 1))
        update = self.honest_or_not(own - heard, jax.random.fold_in(key, 2))
        said, owed = self.message(heard, update, own)
        unit = self.weight if way.says == "update" else jnp.ones_like(self.weight)
        counted = self.counted + self.count(self.weight * update, view)
        most = 1 if way.bits is None else -(-32 // way.bits)  # who is far behind asks for the whole model
        read = jnp.minimum(self.behind, most) * (
            way.says != "model"
        )  # what neighbours hear is counted where it is sent
        now = dataclasses.replace(
            self, own=own, memory=memory, owed=owed, counted=counted, behind=jnp.ones_like(self.behind)
        )
        one = jnp.ones_like(self.links)
        action = Said(unit * said, self.weight, self.weight * loss, self.links, read * self.links, one)
        if here is None:
            return now, action
        asleep = dataclasses.replace(self, behind=self.behind + 1)
        chosen = jax.tree.map(lambda a, b: a if a is b else jnp.where(here, a, b), now, asleep)
        return chosen, jax.tree.map(lambda x: jnp.where(here, x, jnp.zeros_like(x)), action)

    def start(self, view: View) -> Any:
        """The model that it starts from."""
        if self.way.says != "model":
            return view.public
        if self.way.bits is None:
            return view.local.model
        return self.own + self.way.consensus * (view.local.model - self.owed)

    def message(self, heard: Any, update: Any, own: Any) -> tuple[Any, Any]:
        """What it says, and what it then owes (gossip: the copy that others have)."""
        way = self.way
        if way.bits is None:
            return (heard + update if way.says == "model" else update), self.owed
        if way.says == "model":
            said = told(heard + update - self.owed, way.form.sizes, way.bits)
            return said, self.owed + said
        said = told(update + self.owed, way.form.sizes, way.bits)
        return said, update + self.owed - said

    def count(self, update: Any, view: View) -> Any:
        """How much it counted: what the signal says of it, or else the length of what it adds to the sum."""
        if view.local is not None and view.local.counted is not None:
            return view.local.counted
        length = jnp.linalg.norm(update)
        return jnp.where(jnp.isfinite(length), length, 0)  # or it is refused, and counts for nothing

    def honest_or_not(self, update: Any, key: Any) -> Any:
        """The update as it is, or what a liar makes of it."""
        if self.lie is None:
            return update
        ways = [lambda u, k: u, *self.way.attacks]
        return jax.lax.switch(self.lie, ways, update, key)

    def learnt(self, heard: Any, key: Any) -> tuple[Any, Any, Any]:
        """The model after its local steps, the optimiser's state, and the mean loss."""
        way = self.way
        anchor = way.form.params(heard)

        def step(number: Any, carry: tuple) -> tuple:
            params, memory, total = carry
            x, y, share = self.batch(jax.random.fold_in(key, number))
            loss, slope = jax.value_and_grad(self.loss)(params, x, y, share, anchor)
            change, memory = way.optimiser.update(slope, memory, params)
            return eqx.apply_updates(params, change), memory, total + loss

        begun = anchor, self.memory, jnp.zeros((), heard.dtype)
        params, memory, total = jax.lax.fori_loop(0, way.steps, step, begun)
        if not way.steps:
            return heard, self.memory, total
        return way.form.vector(params, heard.dtype), memory, total / way.steps

    def batch(self, key: Any) -> tuple[Any, Any, Any]:
        """Rows of a step and their shares of its loss (None: equal)."""
        if self.way.batch is None:
            share = 1 / self.rows.astype(self.own.dtype)
            return self.x, self.y, jnp.where(jnp.arange(self.x.shape[0]) < self.rows, share, 0)
        rows = jax.random.randint(key, (self.way.batch,), 0, self.rows)
        return self.x[rows], self.y[rows], None

    def loss(self, params: Any, x: Any, y: Any, share: Any, anchor: Any) -> Any:
        """Its own objective."""
        way, model = self.way, self.way.form.model(params)
        ways = [lambda m, x, y, f=f: mean_loss(f(m, x, y), share) for f in way.losses]
        found = (
            ways[0](model, x, y)
            if self.objective is None
            else jax.lax.switch(self.objective, [lambda x, y, w=w: w(model, x, y) for w in ways], x, y)
        )
        if not way.proximal:
            return found
        apart = [jnp.sum((a - b) ** 2) for a, b in zip(*map(jax.tree.leaves, (params, anchor)), strict=True)]
        return found + way.proximal / 2 * sum(apart)


def mean_loss(losses: Any, share: Any) -> Any:
    """Of a loss a row, by `share` [rows] (None: equal); a mean as it is."""
    if losses.ndim == 0:
        return losses
    return jnp.mean(losses) if share is None else jnp.sum(jnp.where(share > 0, losses, 0) * share)
