"""Jurors: each has seen something of every case, and votes; who hears how the vote stands may be swayed.

A juror's belief is the log-odds of guilt of what it has seen, above the threshold of conviction. Who listens adds what the
standing vote says, each vote being taken as worth so many log-odds, whoever cast it (the own one is left out):

    votes for conviction where  belief + worth (for - against) > 0,  by a coin of its own where that is 0
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from catallax.core.agent import Agent, View


class Juror(Agent):
    """Votes on all cases at once: an array [cases, 2] of its weight at "acquit" and "convict", zeros where it abstains.

    `belief` [cases]; `stake` [cases]: the weight of its vote, 0 where it abstains; `coin` [cases]: how it votes where it is of
    two minds; `worth`: log-odds that a vote heard is taken to be worth, None for one who does not listen; `cast` [cases]:
    the own vote as it stands, None where nothing stands.
    """

    belief: Float[Array, "*voters cases"]
    stake: Float[Array, "*voters cases"]
    coin: Bool[Array, "*voters cases"]
    worth: Float[Array, ""] | None = None
    cast: Float[Array, "*voters cases"] | None = None

    def respond(self, view: View, key):
        """The votes."""
        leaning = self.belief
        if self.worth is not None:
            lead = view.public[..., 1] - view.public[..., 0]
            leaning = leaning + self.worth * (lead if self.cast is None else lead - self.cast)
        convict = jnp.where(leaning == 0, self.coin, leaning > 0)
        votes = jnp.stack([jnp.where(convict, 0, self.stake), jnp.where(convict, self.stake, 0)], -1)
        if self.cast is None:
            return self, votes
        return dataclasses.replace(self, cast=votes[..., 1] - votes[..., 0]), votes

    def influence(self) -> np.ndarray:
        """Each one's share of all votes, [voters], of jurors stacked."""
        own = np.asarray(self.stake, np.float64).sum(1)
        return own / own.sum()
