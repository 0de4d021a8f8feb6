"""Switches that mean something, and those that do not: refused in a sentence before anything runs."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.channel import Channel, Wiring, check_spans
from catallax.core.errors import BadInput, Refused
from catallax.core.parts import AXIS, alone
from catallax.core.random import key as make_key
from catallax.core.round import Setting, summary_and_actions
from catallax.core.signal import KINDS, kinds, neutral
from catallax.core.society import UNSWITCHED, HostSociety, Society, is_row, populations, size


def make_setting(society: Society, activation, channel: Channel, blocks, devices) -> tuple[Setting, float]:
    """The setting of a run and the share of agents awake. BadInput for values that are none."""
    share = 1.0
    if isinstance(activation, (int, float)) and not isinstance(activation, bool):
        if not 0 < activation <= 1:
            raise BadInput(f"activation is {activation!r}: the share of agents that act must be in (0, 1]")
        share, activation = float(activation), "fraction" if activation < 1 else "synchronous"
    elif activation not in ("synchronous", "random order"):
        raise BadInput(f"activation is {activation!r}: give 'synchronous', 'random order' or a share in (0, 1)")
    if isinstance(society, HostSociety):
        if activation != "synchronous" or blocks is not None or devices is not None:
            raise Refused(UNSWITCHED)
        return Setting(), share
    mesh = None if devices is None else mesh_of(devices)
    check_split(society, blocks, mesh)
    return Setting(activation, channel.wiring, blocks, mesh), share


def wired(society: HostSociety, channel: Channel) -> HostSociety:
    """A host society that hears through the channel. Refused where it does not say how."""
    return society if channel.wiring == Wiring() else society.through(channel)


def mesh_of(devices: int | list) -> Any:
    """One axis over the devices."""
    if isinstance(devices, int):
        found = jax.devices()
        if not 1 <= devices <= len(found):
            raise BadInput(f"devices is {devices}: JAX sees {len(found)} here")
        devices = found[:devices]
    return jax.sharding.Mesh(np.asarray(devices), (AXIS,))


def check_split(society: Society, blocks: int | None, mesh) -> None:
    """Agents split evenly into blocks, and blocks evenly over devices."""
    if blocks is not None and (not isinstance(blocks, int) or isinstance(blocks, bool) or blocks < 1):
        raise BadInput(f"blocks is {blocks!r}: give a whole number of at least 1")
    parts = mesh.size if mesh is not None else 1
    if blocks is not None and blocks % parts:
        raise BadInput(f"{blocks} blocks do not divide over {parts} devices: give a multiple of {parts}")
    for crowd in populations(society.agents):
        if size(crowd) % (blocks or parts):
            raise BadInput(
                f"{size(crowd)} agents do not divide into {blocks or parts} equal parts: choose another number of "
                f"{'blocks' if blocks else 'devices'}"
            )


def on_devices(society: Society, setting: Setting) -> Society:
    """Agents spread over the mesh, the signal on every device."""
    if setting.mesh is None:
        return society

    def place(leaf, spec):
        return jax.device_put(leaf, jax.NamedSharding(setting.mesh, spec)) if eqx.is_array(leaf) else leaf

    agents, ids = jax.tree.map(lambda x: place(x, jax.P(AXIS) if is_row(x) else jax.P()), (society.agents, society.ids))
    return Society(agents, jax.tree.map(lambda x: place(x, jax.P()), society.signal), ids)


def check_switches(society: Society, setting: Setting) -> None:
    """Refuses what a switch cannot mean for this signal, each with its reason."""
    signal, name, wiring = society.signal, type(society.signal).__name__, setting.wiring
    check_merge(signal, name)
    if signal.transit:
        check_transit(setting, name)
    if signal.clocked and (setting.activation != "synchronous" or wiring.lossy or wiring.delay):
        raise Refused(
            f"{name} says when something opens and closes, and who is idle, late or out of turn would miss it: run it "
            "synchronously, without delay or loss"
        )
    if wiring.quantised or wiring.noisy:
        check_spans(signal)
    if setting.activation == "random order":
        check_order(society, setting, name)
    if setting.sleepy and not signal.standing:
        check_nothing(society, name)


def check_merge(signal, name: str) -> None:
    """BadInput for a kind of merge that is none."""
    given = [signal.merge] if isinstance(signal.merge, str) else list(signal.merge.values())
    for kind in given:
        if kind not in KINDS:
            raise BadInput(f"{name}.merge has {kind!r}: give one of {', '.join(KINDS)}")


def check_transit(setting: Setting, name: str) -> None:
    """What is used up by being read must be read by everyone, once a round, as it is."""
    on = {
        "an order of turns": setting.activation == "random order",
        "idleness": setting.sleepy,
        "delay": setting.wiring.delay > 0,
        "few bits": setting.wiring.quantised,
        "noise": setting.wiring.noisy,
    }
    for what in (x for x, is_on in on.items() if is_on):
        raise Refused(
            f"{name} carries something conserved that is used up by being read, so {what} would create or destroy it: "
            "send deltas, or run it synchronously through an exact channel"
        )


def check_order(society: Society, setting: Setting, name: str) -> None:
    """Turns need a `listen` to which one more action can be added, and from which one can be taken."""
    if setting.wiring.delay:
        raise Refused(
            "in random order everyone hears what was done a moment ago: a delay in rounds has no meaning for it"
        )
    if setting.mesh is not None or setting.blocks is not None:
        raise Refused("in random order agents act one after the other: blocks and devices have nothing to share out")
    how = set(summary_kinds(society)[0])
    if "rows" in how:
        raise Refused(f"{name} gathers whole rows, so its listen is not additive: random order has no meaning for it")
    if society.signal.standing and how & {"max", "min"}:
        raise Refused(
            f"{name} keeps a largest or smallest of standing actions, from which one agent's last action cannot be "
            "taken back: random order has no meaning for it"
        )


def summary_kinds(society: Society) -> tuple[list[str], Any, tuple]:
    """The merge kinds of the summary, its shapes, and those of the actions."""
    summary, actions = eqx.filter_eval_shape(summary_and_actions, society, make_key(0))
    return kinds(society.signal, summary), summary, actions


def check_nothing(society: Society, name: str) -> None:
    """Where idle agents do nothing, an action of zeros must be heard as nothing."""
    how, shape, actions = summary_kinds(society)
    if "rows" in how:
        raise Refused(f"{name} gathers whole rows, so an idle agent needs a standing action: set standing = True")
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), actions)
    heard = society.signal.listen(alone(society, zeros))
    same = jax.tree.map(lambda a, b: bool((a == b).all()), heard, neutral(society.signal, shape))
    if not all(jax.tree.leaves(same)):
        raise Refused(
            f"{name} hears an action of zeros as something, so an idle agent cannot do nothing: set standing = True, "
            "or let zeros mean nothing"
        )
