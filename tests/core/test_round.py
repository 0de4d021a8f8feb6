"""One round: who is awake, what stands, what is under way; against slow references in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.random import key as make_key
from catallax.core.record import Record
from catallax.core.round import BEFORE, COMMON, Knobs, Setting, State, begin, exact_knobs, one_round, wakers
from catallax.core.run import run
from catallax.core.society import Society
from tests.core import societies as so

SEED, AGENTS, ROUNDS = 11, 24, 10


def drawn(draw, rounds, ids) -> np.ndarray:
    """What agents draw in each round, [rounds, two populations, ids]: a hash of (seed, round, population, id)."""

    def one(t, p, i):
        return draw(jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(make_key(SEED), t), p), i))

    table = jax.vmap(jax.vmap(jax.vmap(one, (None, None, 0)), (None, 0, None)), (0, None, None))
    ids = np.arange(ids) if isinstance(ids, int) else np.asarray(ids)
    return np.asarray(jax.jit(table)(np.asarray(rounds, np.uint32), np.arange(2), ids.astype(np.uint32)))


def awake(ids, share: float, rounds: int, population: int = 0) -> np.ndarray:
    """Who acts in which round, bool[rounds, agents]: a hash of (seed, round, population, id) below the share."""

    def one(t, i):
        ours = jax.random.fold_in(jax.random.fold_in(make_key(SEED), t), COMMON)
        return jax.random.uniform(jax.random.fold_in(jax.random.fold_in(ours, population), i)) < share

    table = jax.jit(jax.vmap(jax.vmap(one, in_axes=(None, 0)), in_axes=(0, None)))
    return np.asarray(table(np.arange(rounds), np.asarray(ids, np.uint32)))


def flips(rounds) -> np.ndarray:
    """Which voters vote the other way, bool[rounds, voters]."""
    return drawn(lambda key: jax.random.bits(key, (), jnp.uint32) % 4 == 0, rounds, AGENTS)[:, 0]


def test_a_fraction_with_standing_orders():
    """Who sleeps votes as before; everyone opened with an answer to the opening signal."""
    society, who, flip = so.vote(AGENTS), awake(range(AGENTS), 0.4, ROUNDS), flips(range(ROUNDS))
    need, yes = np.asarray(society.agents.need), int(society.signal.yes)
    heard, orders = np.full(AGENTS, yes), (yes > need) ^ flips([BEFORE])[0]
    for t in range(ROUNDS):
        heard = np.where(who[t], yes, heard)
        orders = np.where(who[t], (yes > need) ^ flip[t], orders)
        yes = int(orders.sum())
    after = run(society, ROUNDS, SEED, activation=0.4).society
    assert int(after.signal.yes) == yes
    np.testing.assert_array_equal(after.agents.heard, heard)
    assert 0.2 < who.mean() < 0.6


def test_a_fraction_with_deposits():
    """Who sleeps leaves nothing; what is there evaporates all the same."""
    cells, society, who = 7, so.trail(AGENTS, 7), awake(range(AGENTS), 0.4, ROUNDS)
    place, level = np.asarray(society.agents.place).copy(), np.zeros(cells, np.float32)
    for t in range(ROUNDS):
        steps = level[(place + 1) % cells] <= level[place]
        place = np.where(who[t] & steps, (place + 1) % cells, place)
        level = 0.5 * level + 0.25 * np.bincount(place[who[t]], minlength=cells).astype(np.float32)
    after = run(society, ROUNDS, SEED, activation=0.4).society
    np.testing.assert_array_equal(after.agents.place, place)
    np.testing.assert_array_equal(after.signal.level, level)


def test_everyone_at_once():
    society, flip = so.vote(AGENTS), flips(range(ROUNDS))
    yes = int(society.signal.yes)
    for t in range(ROUNDS):
        yes = int(((yes > np.asarray(society.agents.need)) ^ flip[t]).sum())
    assert int(run(society, ROUNDS, SEED).society.signal.yes) == yes


def test_populations_are_woken_apart():
    setting, knobs = Setting("fraction"), exact_knobs()._replace(share=np.float32(0.5))
    ours = jax.random.fold_in(jax.random.fold_in(make_key(SEED), 0), COMMON)
    awoken = wakers(so.market(AGENTS, AGENTS), ours, setting, knobs)
    assert awoken is not None
    one, other = awoken
    np.testing.assert_array_equal(one, awake(range(AGENTS), 0.5, 1)[0])
    np.testing.assert_array_equal(other, awake(range(AGENTS), 0.5, 1, population=1)[0])
    assert not (one == other).all()


def test_who_is_awake_follows_ids():
    ids = np.arange(AGENTS)[::-1].copy()
    society = so.queue(AGENTS)
    turn = run(Society(society.agents, society.signal, ids), 1, SEED, activation=0.4).society.agents.turn
    np.testing.assert_array_equal(np.asarray(turn) >= 0, awake(ids, 0.4, 1)[0])


@pytest.mark.parametrize("activation", ["synchronous", 0.3, "random order"])
def test_money_is_kept_where_posts_are_deltas(activation):
    society = so.wealth(AGENTS)
    record = Record(money=lambda s: s.agents.wealth.sum() + s.signal.inbox.sum(), most=lambda s: s.agents.wealth.max())
    table = run(society, 40, SEED, activation=activation, record=record).record
    assert (table["money"] == 2 * AGENTS).all()
    assert table["most"].max() > 4  # it does move


def test_money_is_kept_where_reading_uses_it_up_and_all_act():
    assert so.money(run(so.wealth(AGENTS, so.Post), 40, SEED).society) == 2 * AGENTS


def test_both_posts_do_the_same_where_all_act():
    one, other = (run(so.wealth(AGENTS, post), 40, SEED).society for post in (so.Post, so.Mailbox))
    np.testing.assert_array_equal(one.agents.wealth, other.agents.wealth)
    np.testing.assert_array_equal(one.signal.inbox, other.signal.inbox)


def test_two_populations_against_numpy():
    society = so.market(5, 8)
    price, limits = 4, [np.asarray(crowd.limit) for crowd in society.agents]
    coins = drawn(lambda key: jax.random.randint(key, (), 0, 2), range(6), 8)
    for t in range(6):
        units = [
            int((np.maximum(side * (limit - price), 0) + coins[t, p, : limit.size]).sum())
            for p, (limit, side) in enumerate(zip(limits, (1, -1), strict=True))
        ]
        last, price = price, price + units[0] - units[1]
    after = run(society, 6, SEED).society
    assert int(after.signal.price) == price
    assert all((np.asarray(crowd.heard) == last).all() for crowd in after.agents)


def test_nothing_is_carried_that_is_not_needed():
    vote, seed = so.vote(4), make_key(0)
    assert begin(vote, Setting(), exact_knobs(), seed) == State(vote)
    assert begin(vote, Setting("fraction"), exact_knobs(), seed).orders[0].shape == (4,)
    assert begin(so.trail(4, 3), Setting("fraction"), exact_knobs(), seed).orders is None


def test_unrest_is_of_32_bits_at_least():
    class Half(so.Poll):
        def unrest(self, summary):
            return jnp.bfloat16(0.5)

    society = Society(so.vote(4).agents, Half(jnp.int32(2)))
    state, unrest = one_round(State(society), jnp.uint32(0), make_key(0), Setting(), Knobs((1.0, 0.0, 0.0), 1.0))
    assert unrest.dtype == jnp.float32 and isinstance(state, State)
