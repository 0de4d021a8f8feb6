"""Agents respond: locality, what may change, the fused path, and parts that make up the whole."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.parts import alone, answers, respond, whole
from catallax.core.random import key as make_key
from catallax.core.run import run
from catallax.core.signal import Signal
from catallax.core.society import Society, as_arrays
from tests.core import societies as so


@jax.jit
def acted(society: Society):
    """Next rows (None where handed through) and actions of everyone, at the society's own signal."""
    return answers(society, whole(society, None, None), society.signal.public(), make_key(3))


def rows_equal(one, other) -> bool:
    return jax.tree.all(jax.tree.map(lambda a, b: bool((np.asarray(a) == np.asarray(b)).all()), one, other))


# --- locality ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [so.flock, so.census, so.vote])
def test_permuting_agents_permutes_actions_and_states_bit_for_bit(made):
    society, turned = made(48), np.random.default_rng(0).permutation(48)
    there = as_arrays(
        Society(jax.tree.map(lambda x: x[turned] if x.ndim else x, society.agents), society.signal, turned)
    )
    here = as_arrays(Society(society.agents, society.signal, np.arange(48)))
    assert rows_equal(jax.tree.map(lambda x: np.asarray(x)[turned], acted(here)), acted(there))


@pytest.mark.parametrize(("activation", "loss"), [("synchronous", 0.0), (0.4, 0.3), ("random order", 0.3)])
def test_whole_trajectories_follow_a_permutation(activation, loss):
    """Counts add up the same in any order, so that not a bit differs after many rounds."""
    society, turned = so.vote(48), np.random.default_rng(0).permutation(48)
    there = Society(jax.tree.map(lambda x: x[turned], society.agents), society.signal, turned)
    here = Society(society.agents, society.signal, np.arange(48))
    ends = [run(x, 12, seed=1, activation=activation, channel=Channel(loss=loss)).society for x in (here, there)]
    np.testing.assert_array_equal(np.asarray(ends[0].agents.heard)[turned], ends[1].agents.heard)
    assert int(ends[0].signal.yes) == int(ends[1].signal.yes)


def test_ids_not_places_decide_the_draws():
    society = so.vote(48)
    plain, same, other = (
        run(Society(society.agents, society.signal, ids), 6).society.signal.yes
        for ids in (None, np.arange(48), np.arange(48) + 1)
    )
    assert plain == same != other


def test_what_is_outside_an_agents_view_leaves_its_action_bit_identical():
    society, others = so.census(48), np.arange(48) != 7
    number = jnp.where(others, society.agents.number * 1.7 - 4, society.agents.number)
    signal = eqx.tree_at(lambda s: s.heads, society.signal, jnp.int32(99))  # not public
    changed = Society(so.Citizen(number), signal)
    mine, theirs = (jax.tree.map(lambda x: np.asarray(x)[7], acted(x)) for x in (society, changed))
    assert rows_equal(mine, theirs)
    assert not rows_equal(acted(society), acted(changed))


def test_several_populations_draw_apart():
    """The same agents in two populations do not draw the same numbers."""
    crowd = so.market(64, 64).agents[0]
    _, (one, other) = acted(Society((crowd, crowd), so.Bell(jnp.int32(100))))
    assert not (one == other).all()


# --- what may change -----------------------------------------------------------------------------------------


class Odd(Agent):
    """Does what it should not."""

    level: Float[Array, "*odd"]
    taste: Float[Array, ""]
    fault: str = eqx.field(static=True)

    def respond(self, view: View, key):
        after = {
            "shared": lambda: Odd(self.level, self.taste + 1, self.fault),
            "shape": lambda: eqx.tree_at(lambda a: a.level, self, jnp.stack([self.level, self.level])),
            "dtype": lambda: eqx.tree_at(lambda a: a.level, self, self.level.astype(jnp.int32)),
            "structure": lambda: Odd(self.level, self.taste, "another"),
            "number": lambda: eqx.tree_at(lambda a: a.level, self, 2.0),
        }
        return after[self.fault](), self.level


class Level(Signal):
    level: Float[Array, ""]

    def propagate(self, summary):
        return Level(summary)


def odd(fault: str) -> Society:
    return Society(Odd(jnp.ones(4), jnp.float32(2), fault), Level(jnp.float32(0)))


@pytest.mark.parametrize("activation", ["synchronous", "random order"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("shared", "Odd.respond changes taste, a rank-0 field, which all agents share"),
        ("shape", r"Odd.respond changes level from float32\[\] to float32\[2\]: a state keeps its shape and type"),
        ("dtype", r"Odd.respond changes level from float32\[\] to int32\[\]"),
        ("structure", "Odd.respond returns an agent of another structure"),
    ],
)
def test_what_an_agent_may_not_change_is_named(fault, said, activation):
    with pytest.raises(Refused, match=said):
        run(odd(fault), 1, activation=activation)


def test_a_plain_number_is_a_value_like_any_other():
    assert run(odd("number"), 1).society.agents.level.tolist() == [2.0] * 4


class Told(Level):
    """Gives too few agents something of their own."""

    def local(self, agents):
        return jnp.zeros(3)


def test_a_local_view_for_too_few_is_refused():
    with pytest.raises(Refused, match=r"local has the shape \[3\] for 4 agents"):
        run(Society(odd("number").agents, Told(jnp.float32(0))), 1)


class Single(so.Bell):
    """Forgets that there are two populations."""

    def local(self, agents):
        return jnp.zeros(3)


def test_a_local_view_for_one_of_two_populations_is_refused():
    with pytest.raises(Refused, match="Single.local must return a tuple, one part for each of 2 populations"):
        run(Society(so.market(3, 3).agents, Single(jnp.int32(1))), 1)


# --- the fused path ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("switches", [{}, {"blocks": 8, "devices": 2}, {"devices": 4}])
def test_the_fused_path_does_what_one_by_one_does(switches):
    one, fused = (run(so.neurons(kind), 5, **switches).society for kind in (so.Neuron, so.Fused))
    np.testing.assert_allclose(fused.agents.trace, one.agents.trace, rtol=3e-5, atol=1e-5)
    np.testing.assert_allclose(fused.signal.level, one.signal.level, rtol=3e-5)
    assert int(fused.signal.active) == int(one.signal.active) > 0


def test_the_fused_path_is_taken_where_all_act_and_left_where_some_sleep():
    class Loud(so.Fused):
        def tally(self, view, keys):
            raise RuntimeError("fused")

    with pytest.raises(RuntimeError, match="fused"):
        run(so.neurons(Loud), 1)
    assert run(so.neurons(Loud), 2, activation=0.5).society.agents.trace.any()


# --- parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [None, 4])
def test_blocks_make_up_the_whole(blocks):
    """Sums to n eps, all else to the bit; rows in their order."""
    society = so.census(64, gossips=True)
    part, key = whole(society, None, None), make_key(3)

    @jax.jit
    def both(part, public):
        changed, actions = answers(society, part, public, key)
        summary = society.signal.listen(alone(society, actions))
        return changed, summary, respond(society, part, public, key, blocks, None)

    changed, summary, (agents, orders, heard) = both(part, society.signal.public())
    assert orders is None
    np.testing.assert_allclose(heard.total, summary.total, rtol=1e-5)
    np.testing.assert_allclose(agents.number, changed[0][0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(heard.board, summary.board, rtol=1e-6, atol=1e-6)
    assert int(heard.heads) == int(summary.heads)
    np.testing.assert_allclose([heard.highest, heard.lowest], [agents.number.max(), agents.number.min()], rtol=0)


@pytest.mark.parametrize("blocks", [None, 8])
def test_life_goes_on_as_in_numpy(blocks):
    society = so.life(16)
    after = run(society, 9, blocks=blocks).society.agents.alive
    due = so.life_in_numpy(np.asarray(society.agents.alive).reshape(16, 16).astype(int), 9)
    np.testing.assert_array_equal(np.asarray(after).reshape(16, 16), due)
    assert 0 < due.sum() < due.size


class Mind(Agent):
    """Has a function and a random stream of its own."""

    weight: Float[Array, "*minds"]
    key: Array
    think: Callable = jnp.tanh

    def respond(self, view: View, key):
        own = jax.random.fold_in(self.key, 1)
        return Mind(self.weight, own, self.think), self.think(self.weight * view.public) / 8


class Mean(Level):
    """What minds think is public."""

    def public(self):
        return self.level

    def propagate(self, summary):
        return Mean(summary)


@pytest.mark.parametrize("switches", [{}, {"blocks": 4, "devices": 2}])
def test_agents_may_hold_functions_and_keys(switches):
    keys = jax.vmap(lambda i: jax.random.fold_in(make_key(0), i))(jnp.arange(8))
    after = run(Society(Mind(jnp.ones(8), keys), Mean(jnp.float32(1))), 2, **switches).society
    due = [jax.random.fold_in(jax.random.fold_in(key, 1), 1) for key in keys]
    assert (jax.random.key_data(after.agents.key) == jax.random.key_data(jnp.stack(due))).all()
    assert float(after.signal.level) == pytest.approx(np.tanh(np.tanh(1.0)), rel=1e-5)
    assert after.agents.think is jnp.tanh
