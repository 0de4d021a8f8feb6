"""Players who match regrets, and the signal that tells each alone what its other actions would have earned.

Let D_t(j, k) be the average, over the t rounds so far, of u_i(k, s_-i) - u_i(s) where i played j, and 0 elsewhere. Of what
is above 0 in it, each makes a chain that goes from j to k the likelier, the more it regrets j for k, and draws its
action from where that chain comes to rest,

    sum_j p_j D+(j, k) = p_k sum_j D+(k, j)         for every k

Whoever plays so, knowing neither the table of payoffs nor who else there is, has average regrets that fall like
1 / sqrt(t), whatever the others do. Where several p do, it is the one to which the chain leads from the last action.
(Hart and Mas-Colell's other rule, to stay with inertia mu, is as sure, and 5 to 50 times slower.)

S. Hart and A. Mas-Colell, A simple adaptive procedure leading to correlated equilibrium, Econometrica 68, 2000.
D. Foster and R. Vohra, Calibrated learning and correlated equilibrium, Games and Economic Behavior 21, 1997.
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
    """Goes over to what would have earned more whenever it played as it did, the likelier the more.

    `seat`: which player it is; `choices`: how many actions it has; `range`: most less least of its payoffs; `regret`: D;
    `played`: its last action; `heard`: rounds it was told of (-1: it has not played yet).
    """

    seat: Int[Array, "*players"]
    choices: Int[Array, "*players"]
    range: Float[Array, "*players"]
    regret: Float[Array, "*players actions actions"]
    played: Int[Array, "*players"]
    heard: Int[Array, "*players"]

    def respond(self, view: View, key):
        """Its action, and the most that its largest average regret can be once this round is counted."""
        regret = self.updated(view.local)
        action = jnp.arange(regret.shape[-1], dtype=jnp.int32)
        chance = jnp.where(self.heard < 0, (action < self.choices) / self.choices, at_rest(regret, self.played))
        upto = jnp.cumsum(chance)
        drawn = jax.random.uniform(key, dtype=upto.dtype) * upto[-1]
        chosen = jnp.argmax(drawn < upto).astype(jnp.int32)
        count = self.heard + 1
        most = (count * jnp.max(regret) / self.range + 1) / (count + 1)
        after = dataclasses.replace(self, regret=regret, played=chosen, heard=count)
        return after, {"seat": self.seat, "played": chosen, "regret": jnp.where(count > 0, most, jnp.inf)}

    def updated(self, told):
        """D with the last round, of which it was told what each own action would have earned."""
        missed = jnp.where(jnp.arange(told.size) < self.choices, told - told[self.played], 0)
        regret = self.regret * self.heard / (self.heard + 1)
        fresh = regret.at[self.played].add(missed / (self.heard + 1))
        return jnp.where(self.heard < 0, self.regret, fresh)


def at_rest(regret: Float[Array, "actions actions"], start: Int[Array, ""]) -> Float[Array, " actions"]:
    """The distribution to which the chain of regrets leads from `start`; `start` alone where nothing is regretted.

    That of the chain stopped after rounds of geometric length, eps^-1/2 on average: it always exists, and is unique.
    """
    rate = jnp.maximum(regret, 0)
    rate = rate / jnp.maximum(jnp.max(rate.sum(1)), jnp.finfo(rate.dtype).tiny)
    ends = jnp.finfo(rate.dtype).eps ** 0.5
    origin = jnp.zeros(rate.shape[0], rate.dtype).at[start].set(ends)
    return jnp.maximum(jnp.linalg.solve(jnp.diag(ends + rate.sum(1)) - rate.T, origin), 0)


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
        """The most that anyone's average regret can be, as a share of its range of payoffs."""
        return summary["regret"]

    def span(self):
        raise Refused("what a player of a game is told reaches it alone, and travels exactly: it has no bits to cut")
