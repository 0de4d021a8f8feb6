"""A vote: additive counts, what stands and what does not, and what is heard of it in one bit."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Array, Float, Int

import catallax as cx
from catallax.core.agent import Agent, View
from catallax.core.channel import Channel, send
from catallax.core.random import key
from catallax.core.signal import join
from catallax.core.society import Society
from catallax.measures.bits import bits
from catallax.signals.vote import RollCall, Vote, share


def vote(cases: int = 3, options: int = 2, total: float = 8.0, kind: type[Vote] = Vote) -> Vote:
    return kind(jnp.zeros((cases, options)), jnp.float32(total))


class Follower(Agent):
    """Votes for its own option on an empty count, and else for the option that leads; remembers how many votes it heard."""

    own: Int[Array, "*voters"]
    heard: Float[Array, "*voters"]

    def respond(self, view: View, key):
        counts = view.public[0]
        choice = jnp.where(counts.sum() > 0, jnp.argmax(counts), self.own)
        new = eqx.tree_at(lambda f: f.heard, self, counts.sum())
        return new, jnp.zeros((1, counts.size), counts.dtype).at[0, choice].set(1.0)


def followers(own: list[int], kind: type[Vote]) -> Society:
    agents = Follower(jnp.asarray(own), jnp.zeros(len(own)))
    return Society(agents, vote(1, 3, float(len(own)), kind))


@given(st.integers(0, 2**32 - 1))
def test_counts_of_parts_add_up(seed):
    random = np.random.default_rng(seed)
    weights = random.integers(0, 5, 8)
    actions = jnp.asarray(np.eye(2)[random.integers(0, 2, (8, 3))] * weights[:, None, None], jnp.float32)
    signal, cut = vote(), int(random.integers(0, 9))
    whole = signal.listen(actions)
    assert np.array_equal(whole, join(signal, signal.listen(actions[:cut]), signal.listen(actions[cut:])))
    assert np.array_equal(signal.hear(signal.listen(actions[:-1]), actions[-1]), whole)
    assert whole.sum() == 3 * weights.sum()


def test_it_is_at_rest_where_the_count_is_as_it_was():
    signal = vote()
    counts = jnp.asarray([[3.0, 5.0], [8.0, 0.0], [4.0, 4.0]])
    assert signal.unrest(counts) == 1.0
    assert signal.propagate(counts).unrest(counts) == 0.0
    assert signal.propagate(counts).unrest(counts.at[0].set(jnp.asarray([4.0, 4.0]))) == 1 / 8


def test_one_bit_says_who_has_more_than_half():
    signal = vote().propagate(jnp.asarray([[3.0, 5.0], [8.0, 0.0], [0.0, 8.0]]))
    channel = Channel(bits=1)
    heard, _ = send(signal, None, channel.wiring, channel.knobs(), key(0), 0)
    assert np.array_equal(heard, [[2, 6], [6, 2], [2, 6]])


def test_what_is_public_does_not_grow_with_the_voters():
    one, many = (bits(followers([0] * n, Vote))["public"] for n in (3, 30))
    assert one == many == 3 * 32


def test_in_a_roll_call_each_hears_those_before_in_this_round():
    ended = cx.run(followers([2, 1, 1, 0, 2], RollCall), 1, activation="random order").society
    assert sorted(ended.agents.heard.tolist()) == [0, 1, 2, 3, 4]
    first = int(ended.agents.own[int(np.argmin(ended.agents.heard))])
    assert ended.signal.counts[0, first] == 5  # all follow the first


def test_a_vote_stands_for_those_who_sleep():
    ended = cx.run(followers([0, 1, 1, 2, 1], Vote), 3, activation=0.3)
    assert ended.society.signal.counts.sum() == 5
    gone = cx.run(followers([0, 1, 1, 2, 1], RollCall), 1, seed=1, activation=0.3)
    assert gone.society.signal.counts.sum() < 5


def test_shares():
    found = share(jnp.asarray([[3.0, 1.0], [0.0, 0.0]]))
    assert np.allclose(found, [[0.75, 0.25], [0.5, 0.5]])
