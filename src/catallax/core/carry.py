"""State that outlives a change of facts: what a society has learnt, in the society of another problem.

What a round moves is carried, what it hands through is of the new problem (see `core.facts`). Where agents are gone, those
who stay bring their rows along, and of the signal what has kept its place, shape and type.
"""

from typing import Any

import jax

from catallax.core.facts import anatomy
from catallax.core.round import Setting, State
from catallax.core.society import Society, as_arrays, is_row


def carried(fresh: Society, old: Society, keep: Any = None) -> Society:
    """`fresh` in the state of `old`, whose agents `keep` (bool[agents] or indices; None: all) are those of `fresh`."""
    if keep is not None:
        agents = carry_over(survivors(old.agents, keep), fresh.agents)
        old = type(fresh)(agents, carry_over(old.signal, fresh.signal), fresh.ids)
    return restate(fresh, old)


def restate(fresh: Society, old: Society) -> Society:
    """The old state with the fresh society's facts."""
    new, before = State(as_arrays(fresh)), State(as_arrays(old))
    form = anatomy(new, Setting())
    return form.join(form.split(before)[0], form.split(new)[1]).society


def survivors(agents: Any, keep: Any) -> Any:
    """The rows `keep` of a stacked population; what all share stays."""
    return jax.tree.map(lambda x: x[keep] if is_row(x) else x, agents)


def carry_over(old: Any, new: Any) -> Any:
    """`new` with the leaves of `old` wherever they have the same place, shape and type."""
    before = {jax.tree_util.keystr(p): x for p, x in jax.tree_util.tree_leaves_with_path(old)}

    def pick(path, leaf):
        kept = before.get(jax.tree_util.keystr(path))
        same = kept is not None and kept.shape == leaf.shape and kept.dtype == leaf.dtype
        return kept if same else leaf

    return jax.tree_util.tree_map_with_path(pick, new)
