"""Money that changes hands at random: how equals become unequal without anyone's doing better.

Everyone starts with one unit; in every round, whoever has any gives one unit to a random other. Nobody is favoured,
nothing is lost - and the Gini index rises from 0 towards 1/2, that of an exponential law of wealth, as in a gas whose
molecules share their energy in collisions (Dragulescu & Yakovenko, Eur. Phys. J. B 17, 2000).

    python examples/wealth.py
"""

import jax
import jax.numpy as jnp
import numpy as np

import catallax as cx
from catallax.measures.welfare import gini

PEOPLE, MONEY = 10_000, 20  # units a head: with many, whole units look like a continuum


class Person(cx.Agent):
    """One trader: the money in its purse. All that it ever sees is what came by post."""

    purse: jax.Array
    people: jax.Array  # how many there are: rank 0, so shared by all

    def respond(self, view, key):
        purse = self.purse + view.local
        gift = (purse > 0).astype(jnp.int32)
        return Person(purse - gift, self.people), (jax.random.randint(key, (), 0, self.people), gift)


class Post(cx.Signal):
    """What came for everyone in the last round. Reading it empties it, so nobody may sleep (`transit`)."""

    merge = "count"
    transit = True
    inbox: jax.Array

    def public(self):
        return None  # nobody reads another's letters

    def local(self, agents):
        return self.inbox

    def listen(self, actions):
        receiver, gift = actions
        return jnp.zeros_like(self.inbox).at[receiver].add(gift)

    def propagate(self, summary):
        return Post(summary)


def wealth(society):
    """What everyone has, in the purse and in the post."""
    return society.agents.purse + society.signal.inbox


def main():
    """Print the Gini index as it grows, and the law of wealth at the end beside the exponential."""
    purses = jnp.full(PEOPLE, MONEY, jnp.int32)
    start = cx.Society(Person(purses, jnp.int32(PEOPLE)), Post(jnp.zeros_like(purses)))
    record = cx.run(start, rounds=4000, record=cx.Record(every=500, wealth=wealth)).record or {}
    for round_, held in zip(record["round"], record["wealth"], strict=True):
        print(f"round {round_:5d}   money {held.sum():,}   Gini {gini(held):.3f}")
    print("\n  more than   of the people   exponential")
    for units in range(0, 101, 20):
        share = np.mean(record["wealth"][-1] > units)
        print(f"{units:8d}       {share:10.1%}   {np.exp(-(units + 1) / (MONEY + 0.5)):10.1%}")


if __name__ == "__main__":
    main()
