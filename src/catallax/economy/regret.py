"""Players who match regrets, and the signal that tells each alone what its other actions would have earned.

Let D_t(j, k) be the average, over the t rounds so far, of u_i(k, s_-i) - u_i(s) where i played j, and 0 elsewhere. Having
played j, i goes to k with chance max(D_t(j, k), 0) / mu and stays otherwise, mu exceeding the most that these can add up
to. Whoever plays so knows neither the table of payoffs nor who else there is.

S. Hart and A. Mas-Colell, A simple adaptive procedure leading to correlated equilibrium, Econometrica 68, 2000.
"""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from catallax.core.agent import Agent, View
from catallax.core.errors import Refused
from catallax.core.signal import Signal


class RegretMatcher(Agent):
    """Goes over to what would have earned more whenever it played as it does now, the likelier the more.

    `seat`: which player it is; `choices`: how many actions it has; `inertia`: mu; `range`: most less least of its
    payoffs; `regret`: D; `played`: its last action; `heard`: rounds it was told of.
    """

    seat: Int[Array, "*players"]
    choices: Int[Array, "*players"]
    inertia: Float[Array, "*players"]
    range: Float[Array, "*players"]
    regret: Float[Array, "*players actions actions"]
    played: Int[Array, "*players"]
    heard: Int[Array, "*players"]

    def respond(self, view: View, key):
        """Its action, and its own largest average regret."""
        regret = self.updated(view.local)
        action = jnp.arange(regret.shape[-1], dtype=jnp.int32)
        go = jnp.where(action == self.played, 0, jnp.maximum(regret[self.played], 0) / self.inertia)
        go = jnp.where(self.heard < 0, (action < self.choices) / self.choices, go)  # the first round: anything
        upto, draw = jnp.cumsum(go), jax.random.uniform(key, dtype=go.dtype)
        chosen = jnp.where(draw < upto[-1], jnp.argmax(draw < upto), self.played).astype(jnp.int32)
        left = jnp.where(self.heard > 0, jnp.maximum(jnp.max(regret), 0) / self.range, jnp.inf)
        after = dataclasses.replace(self, regret=regret, played=chosen, heard=self.heard + 1)
        return after, {"seat": self.seat, "played": chosen, "regret": left}

    def updated(self, told):
        """D with the last round, of which it was told what each own action would have earned."""
        missed = jnp.where(jnp.arange(told.size) < self.choices, told - told[self.played], 0)
        regret = self.regret * self.heard / (self.heard + 1)
        fresh = regret.at[self.played].add(missed / (self.heard + 1))
        return jnp.where(self.heard < 0, self.regret, fresh)


class Hindsight(Signal):
    """Tells every player alone what each of its own actions would have earned against what the others just did.

    Nobody reads anything else. `profile`: the last joint action; `plays`: how often each was played (what outcomes are
    judged by; no player reads it); `payoffs`: the table, joint actions in a row; `stride`: how far apart in that row
    two neighbouring actions of a player are; `choices`: how many actions each has.
    """

    merge: ClassVar = {"played": "count", "regret": "max"}
    standing = True
    profile: Int[Array, " players"]
    plays: Int[Array, " profiles"]
    payoffs: Float[Array, "players profiles"]
    stride: Int[Array, " players"]
    choices: Int[Array, " players"]
    most: int = eqx.field(static=True)

    def public(self) -> None:
        return None

    def local(self, agents) -> Float[Array, "agents actions"]:
        """What each own action would have earned; beyond a player's last action, what the last would have."""
        seat = agents.seat
        others = self.profile @ self.stride - (self.profile * self.stride)[seat]
        action = jnp.minimum(jnp.arange(self.most), self.choices[seat][:, None] - 1)
        return self.payoffs[seat[:, None], others[:, None] + self.stride[seat][:, None] * action]

    def listen(self, actions) -> dict[str, Any]:
        board = jnp.zeros((self.profile.size, self.most), jnp.int32)
        board = board.at[actions["seat"], actions["played"]].add(1)
        return {"played": board, "regret": jnp.max(actions["regret"], initial=-jnp.inf)}

    def propagate(self, summary) -> "Hindsight":
        profile = jnp.argmax(summary["played"], axis=1).astype(jnp.int32)
        return dataclasses.replace(self, profile=profile, plays=self.plays.at[profile @ self.stride].add(1))

    def unrest(self, summary):
        """The largest average regret that anyone reports, as a share of its range of payoffs."""
        return summary["regret"]

    def span(self):
        raise Refused("what a player of a game is told reaches it alone, and travels exactly: it has no bits to cut")
