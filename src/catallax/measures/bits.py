"""Bits a round: what could be read is what is counted, from shapes alone."""

import jax

from catallax.core.channel import Channel
from catallax.core.facts import anatomy
from catallax.core.round import Setting, State, alone, answers, whole
from catallax.core.random import key as make_key
from catallax.core.society import as_arrays


def bits(society, channel=Channel()):
    society = as_arrays(society)
    width = lambda x: x.size * x.dtype.itemsize * 8
    public = jax.eval_shape(lambda s: s.signal.public(), society)
    down = sum(x.size * min(channel.bits or 64, x.dtype.itemsize * 8) for x in jax.tree.leaves(public))
    up = jax.eval_shape(
        lambda s: s.signal.listen(
            alone(s, answers(s, whole(s, None, None), s.signal.public(), make_key(0))[1])
        ),
        society,
    )
    up = sum(width(x) for x in jax.tree.leaves(up))
    return dict(public=down, local=0, summary=up, total=down + up)


def full_information(problem):
    return False
