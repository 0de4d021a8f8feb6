"""Facts apart from state: seen in the jaxpr, kept out of the loop, not counted as sent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.facts import anatomy, followed, trace
from catallax.core.random import key as make_key
from catallax.core.round import Setting, State, begin, exact_knobs
from catallax.core.run import run
from catallax.core.society import Society, as_arrays
from catallax.core.switches import make_setting
from tests.core import societies as so


def moving(society, **switches) -> set[str]:
    """The names of the leaves that a round moves."""
    society = as_arrays(society)
    activation, channel = switches.pop("activation", "synchronous"), switches.pop("channel", Channel())
    setting, _ = make_setting(society, activation, channel, switches.pop("blocks", None), switches.pop("devices", None))
    state = begin(society, setting, exact_knobs(), make_key(0))
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    return {path for path, moves in zip(paths, anatomy(state, setting).moves, strict=True) if moves}


SWITCHES = [{}, {"activation": 0.5}, {"activation": "random order"}, {"blocks": 4}, {"blocks": 4, "devices": 2}]


@pytest.mark.parametrize("switches", SWITCHES)
def test_what_is_handed_through_is_a_fact_under_every_switch(switches):
    votes = {".orders[0]"} if "activation" in switches else set()
    assert moving(so.vote(8), **dict(switches)) == {".society.agents.heard", ".society.signal.yes"} | votes
    assert moving(so.flock(8), **dict(switches)) == {".society.agents.angle", ".society.signal.x", ".society.signal.y"}


def test_a_wire_moves_and_ids_do_not():
    society = so.vote(8)
    society = Society(society.agents, society.signal, np.arange(8))
    found = moving(society, channel=Channel(delay=2))
    assert found == {".society.agents.heard", ".society.signal.yes", ".wire"}


def test_two_populations_are_told_apart():
    assert moving(so.market(3, 5)) == {
        ".society.agents[0].heard",
        ".society.agents[1].heard",
        ".society.signal.price",
    }


def test_facts_are_not_carried():
    """Taken apart and put together again; only what moves is handed to the loop to keep."""
    society = as_arrays(so.vote(8))
    form = anatomy(State(society), Setting())
    state, facts = form.split(State(society))
    assert [x.shape for x in state] == [(8,), ()] and [x.shape for x in facts] == [(8,)]
    again = form.join(state, facts)
    assert again.society.agents.need is society.agents.need and again.society.signal.yes is society.signal.yes
    assert run(so.vote(8), 3).society.agents.need.tolist() == society.agents.need.tolist()


def test_draws_are_noticed():
    assert anatomy(State(as_arrays(so.flock(4))), Setting()).draws
    assert not anatomy(State(as_arrays(so.trail(4, 3))), Setting()).draws


def test_the_same_structure_is_traced_once():
    anatomy(State(as_arrays(so.vote(10))), Setting())
    before = trace.cache_info()
    anatomy(State(as_arrays(so.vote(10))), Setting())
    assert trace.cache_info().hits == before.hits + 1 and trace.cache_info().misses == before.misses


class Growing(so.Poll):
    def propagate(self, summary):
        return Growing(jnp.stack([summary, summary]))


class Turning(so.Poll):
    def propagate(self, summary):
        return so.Poll(summary)


class Widening(so.Poll):
    def propagate(self, summary):
        return Widening(summary / 2)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Growing, r"a round changes signal.yes from int32\[\] to int32\[2\]: a state keeps its shape and type"),
        (Widening, r"a round changes signal.yes from int32\[\] to float32\[\]"),
        (Turning, "propagate must return a signal like its own"),
    ],
)
def test_a_signal_that_changes_its_kind_is_named(kind, said):
    with pytest.raises(Refused, match=said):
        run(Society(so.vote(4).agents, kind(jnp.int32(1))), 1)


def test_what_follows_from_facts_alone_is_known():
    def read(society):
        return {
            "moves": jnp.exp(society.signal.total),
            "known": jnp.log(society.signal.people) * jnp.ones(3),
            "both": society.signal.total[0] / society.signal.people,
            "constant": jnp.float32(1),
        }

    found = followed(as_arrays(so.census(8)), read)
    assert [(x.shape, moves) for x, moves in found] == [((), True), ((), False), ((3,), False), ((3,), True)]
