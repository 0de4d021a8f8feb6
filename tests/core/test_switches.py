"""Switches that mean nothing for a society are refused, each in its own sentence, before anything runs."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from catallax.core.channel import Channel, Span
from catallax.core.errors import BadInput, Refused
from catallax.core.run import run
from catallax.core.society import Society
from tests.core import societies as so


class Loud(so.Tally):
    """Hears an action of zeros as something."""

    def listen(self, actions):
        return (actions + 1).sum(0)


class Highest(so.Drift):
    """The highest of deposits."""

    standing: ClassVar[bool] = False


class Rows(so.Field):
    standing: ClassVar[bool] = False


class Misspelt(so.Tally):
    merge: ClassVar[str] = "total"


class Empty(so.Drift):
    def span(self):
        return Span(1.0, 1.0)


def of(kind, made):
    """The society `made` with a signal of another kind."""
    old = made.signal
    fields = [
        getattr(old, name) for name in ("inbox", "alive", "width", "spoken", "level", "clock") if hasattr(old, name)
    ]
    return Society(made.agents, kind(*fields))


REFUSED = {
    "turns of what is used up": (
        lambda: so.wealth(4, so.Post),
        {"activation": "random order"},
        "Post carries something conserved that is used up by being read, so an order of turns would create or destroy",
    ),
    "idleness where it is used up": (
        lambda: so.wealth(4, so.Post),
        {"activation": 0.5},
        "Post carries .* so idleness would create or destroy it: send deltas",
    ),
    "loss where it is used up": (
        lambda: so.wealth(4, so.Post),
        {"channel": Channel(loss=0.1)},
        "Post carries .* so idleness would",
    ),
    "delay where it is used up": (
        lambda: so.wealth(4, so.Post),
        {"channel": Channel(delay=1)},
        "Post carries .* so delay would",
    ),
    "bits where it is used up": (
        lambda: so.wealth(4, so.Post),
        {"channel": Channel(bits=3)},
        "Post carries .* so few bits would",
    ),
    "noise where it is used up": (
        lambda: so.wealth(4, so.Post),
        {"channel": Channel(noise=0.1)},
        "Post carries .* so noise would",
    ),
    "turns of rows": (
        lambda: so.life(4),
        {"activation": "random order"},
        "Field gathers whole rows, so its listen is not additive: random order has no meaning for it",
    ),
    "turns of a standing maximum": (
        lambda: so.drift(4),
        {"activation": "random order"},
        "Drift keeps a largest or smallest of standing actions, from which one agent's last action cannot be taken",
    ),
    "turns in a mapping with a standing maximum": (
        lambda: so.census(4),
        {"activation": "random order"},
        "Census keeps a largest or smallest of standing actions",
    ),
    "delay in turns": (
        lambda: so.vote(4),
        {"activation": "random order", "channel": Channel(delay=1)},
        "everyone hears what was done a moment ago: a delay in rounds has no meaning",
    ),
    "blocks in turns": (
        lambda: so.vote(4),
        {"activation": "random order", "blocks": 2},
        "one after the other: blocks and devices have nothing to share out",
    ),
    "devices in turns": (
        lambda: so.vote(4),
        {"activation": "random order", "devices": 2},
        "one after the other: blocks and devices have nothing to share out",
    ),
    "sleep where zeros are heard": (
        lambda: of(Loud, so.queue(4)),
        {"activation": 0.5},
        "Loud hears an action of zeros as something, so an idle agent cannot do nothing: set standing = True",
    ),
    "sleep where the highest counts": (
        lambda: of(Highest, so.drift(4)),
        {"channel": Channel(loss=0.5)},
        "Highest hears an action of zeros as something",
    ),
    "sleep of rows": (
        lambda: of(Rows, so.life(4)),
        {"activation": 0.5},
        "Rows gathers whole rows, so an idle agent needs a standing action: set standing = True",
    ),
    "a switch on the host": (
        lambda: so.walkers(4),
        {"activation": 0.5},
        "a host society acts as its own code says: activation, channel, blocks and devices are not for it",
    ),
    "a channel on the host": (lambda: so.walkers(4), {"channel": Channel(bits=3)}, "a host society acts as"),
    "blocks on the host": (lambda: so.walkers(4), {"blocks": 2}, "a host society acts as"),
    "devices on the host": (lambda: so.walkers(4), {"devices": 2}, "a host society acts as"),
}
IMPOSSIBLE = {
    "no share": (
        lambda: so.vote(4),
        {"activation": 0.0},
        r"activation is 0\.0: the share of agents that act must be in",
    ),
    "too large a share": (lambda: so.vote(4), {"activation": 1.5}, r"activation is 1\.5"),
    "another word": (lambda: so.vote(4), {"activation": "sometimes"}, "activation is 'sometimes': give 'synchronous'"),
    "blocks that do not divide": (
        lambda: so.vote(6),
        {"blocks": 4},
        "6 agents do not divide into 4 equal parts.*blocks",
    ),
    "devices that do not divide": (lambda: so.vote(6), {"devices": 4}, "6 agents do not divide into 4.*devices"),
    "one population that does not": (lambda: so.market(4, 6), {"blocks": 4}, "6 agents do not divide into 4"),
    "blocks over devices": (lambda: so.vote(12), {"blocks": 6, "devices": 4}, "6 blocks do not divide over 4 devices"),
    "no blocks": (lambda: so.vote(4), {"blocks": 0}, "blocks is 0: give a whole number of at least 1"),
    "more devices than there are": (lambda: so.vote(4), {"devices": 99}, "devices is 99: JAX sees 4 here"),
    "no devices": (lambda: so.vote(4), {"devices": 0}, "devices is 0: JAX sees 4 here"),
    "a merge that is none": (lambda: of(Misspelt, so.queue(4)), {}, "Misspelt.merge has 'total': give one of sum"),
    "an empty span": (lambda: of(Empty, so.drift(4)), {"channel": Channel(bits=2)}, "low must be below high"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_switch_cannot_mean_is_refused(case):
    made, switches, said = REFUSED[case]
    with pytest.raises(Refused, match=said):
        run(made(), 1, **switches)


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_switches_are_bad_input(case):
    made, switches, said = IMPOSSIBLE[case]
    with pytest.raises(BadInput, match=said):
        run(made(), 1, **switches)


def test_a_share_of_one_is_everyone():
    assert run(so.vote(8), 3, activation=1.0).digest() == run(so.vote(8), 3).digest()


def test_devices_may_be_named():
    chosen = run(so.vote(8), 3, devices=jax.devices()[2:4])
    assert chosen.society.agents.heard.sharding.device_set == set(jax.devices()[2:4])
    assert chosen.digest() == run(so.vote(8), 3).digest()


def test_numpy_agents_are_split_too():
    society = so.vote(8)
    plain = Society(so.Voter(np.asarray(society.agents.need), np.asarray(society.agents.heard)), society.signal)
    assert run(plain, 2, blocks=4).digest() == run(society, 2, blocks=4).digest()
    with pytest.raises(BadInput, match="8 agents do not divide into 3"):
        run(plain, 2, blocks=3)


def test_a_deposit_of_nothing_is_nothing():
    assert run(so.trail(8, 3), 2, channel=Channel(loss=0.5)).status == "done"
    assert jnp.isfinite(run(so.trail(8, 3), 2, activation=0.5).society.signal.level).all()
