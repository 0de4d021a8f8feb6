"""Bits a round: what could be read is what is counted, from shapes alone.

    public    read by everyone, counted once: float leaves at min(channel bits, width), others at their width
    local     what reaches each agent alone, over all agents, at its width
    summary   what the signal hears of all actions, at its width
    total     their sum

A signal whose floats travel in fewer bits than their type has says so by `packed`: then all of them count by that.

A leaf counts if it follows from anything that a round moves (seen in the jaxpr, see `core.facts`): what never
changes is known, not sent. A bool is one bit.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.agent import HostAgent, View
from catallax.core.channel import Channel
from catallax.core.errors import Refused
from catallax.core.facts import followed
from catallax.core.problem import Problem
from catallax.core.random import host_key
from catallax.core.random import key as make_key
from catallax.core.round import summary_and_actions
from catallax.core.society import HostSociety, Society, as_arrays

EXACT = Channel()


def bits(society: Society, channel: Channel = EXACT) -> dict[str, int]:
    """Bits that travel in one round: `public`, `local`, `summary`, and their `total`.

    Of a host society all arrays count; what is heard is what its `summary_like` says, or else one round is run to see
    it. Raises `Refused` for one that only its own code runs and that does not say: nobody else knows what is said in it.
    """
    if isinstance(society, HostSociety):
        public, local, summary = on_the_host(society)
    else:
        society = as_arrays(society)
        public = [x for x, moves in followed(society, lambda s: s.signal.public()) if moves]
        local = [x for x, moves in followed(society, lambda s: s.signal.local(s.agents)) if moves]
        summary = jax.tree.leaves(jax.eval_shape(lambda: summary_and_actions(society, make_key(0))[0]))
    packed = getattr(society.signal, "packed", None) or 64
    counted = {
        "public": told(public, min(channel.bits or 64, packed)),
        "local": told(local, packed),
        "summary": told(summary, packed),
    }
    return {**counted, "total": sum(counted.values())}


def full_information(problem: Problem) -> bool:
    """Whether what everyone can read grows with the number of agents: then it is no compression of what they do.

    False where there is no telling: a problem that cannot be replicated, or whose bits cannot be counted.
    """
    try:
        one, two = (bits(each.society())["public"] for each in (problem, problem.replicate(2)))
    except Refused:
        return False
    return two > one


def on_the_host(society: HostSociety) -> tuple[list, list, list]:
    """The arrays of the public signal, of local views, and of the summary of one round."""
    agents, signal, summary = society.agents, society.signal, society.summary_like()
    view = View(signal.public(), signal.local(agents))
    if summary is None and not isinstance(agents, HostAgent):
        raise Refused(
            f"{type(society).__name__} runs rounds of its own, without respond_all: what is said in it cannot be "
            "counted, unless it defines summary_like()"
        )
    if summary is None:
        summary = signal.listen(agents.respond_all(view, host_key(0, 0))[1])
    public, local, summary = ([as_leaf(x) for x in jax.tree.leaves(x)] for x in (*view, summary))
    return public, local, summary


def told(leaves: list, most: int) -> int:
    """Bits of arrays whose floats are told in at most so many."""
    return sum(x.size * (min(most, width(x)) if is_float(x) else width(x)) for x in leaves)


def as_leaf(x: Any) -> Any:
    """An array, or the shape of one."""
    return x if hasattr(x, "dtype") else np.asarray(x)


def is_float(x) -> bool:
    """True for leaves that a channel cuts to bits."""
    return bool(jnp.issubdtype(x.dtype, jnp.floating))


def width(x) -> int:
    """Bits of one number of a leaf."""
    return 1 if x.dtype == np.bool_ else 8 * x.dtype.itemsize
