"""A compression of what everyone did, and how compressions of parts add up.

Law: `listen(A + B) = merge(listen(A), listen(B))`. It is what lets one loop serve one core, many devices,
agents that act in turn, and agents that sleep.

    kind     merge of two summaries        the summary of nobody
    sum      a + b  (floats, in order)     0
    count    a + b  (whole numbers)        0
    max/min  the larger / smaller          -inf / +inf (the least / greatest whole number)
    rows     one after the other           no rows: a field, gathered whole
"""

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from catallax.core.errors import BadInput

KINDS = ("sum", "count", "max", "min", "rows")


class Signal(eqx.Module):
    """A compression of what everyone did.

    `merge` names how summaries of parts add up: one of sum, count, max, min, rows, or a mapping from a
    field of the summary to one of these. `standing` says what an idle agent's action is: nothing (a
    deposit) or its last one (an order, a vote: then, where some may be idle, all have answered the opening signal
    before the first round). `transit` is True where what an agent reads is thereby
    used up (money in a mailbox that the next round replaces): then everyone must act in every round. `clocked` is True
    where it says whose or what turn it is (a question opens, another is closed): then all must act at once, in every round.
    """

    merge: ClassVar[str | Mapping[str, str]] = "sum"
    standing: ClassVar[bool] = False
    transit: ClassVar[bool] = False
    clocked: ClassVar[bool] = False

    def public(self) -> Any:
        """What everyone can read. Default: the signal's array leaves as they are."""
        return self

    def local(self, agents) -> Any:
        """What reaches each agent alone, leading axis "agents" in the order of `agents`; None for nothing.

        Row i is a function of the signal and of agent i's own fields (where it stands, whom it hears), or the
        i-th row of something that the signal keeps. A tuple of these, or of None, for several populations.
        """
        return None

    def listen(self, actions) -> Any:
        """The summary of stacked actions (a tuple of them for several populations). Default: each leaf by its kind."""
        leaves, tree = jax.tree.flatten(actions)
        return tree.unflatten([gathered(k, x) for k, x in zip(kinds(self, actions), leaves, strict=True)])

    @abc.abstractmethod
    def propagate(self, summary) -> "Signal":
        """The next signal. Normalise here: a free numeraire gives silently wrong levels and gradients."""

    def unrest(self, summary) -> Any:
        """How far the system is from rest, 0 at rest. Default: infinite, i.e. it never says so."""
        return jnp.inf

    def span(self) -> Any:
        """A `Span(low, high, "linear" | "log")` for each public float leaf, for a Channel; None: not quantisable."""
        return None

    def hear(self, summary, action) -> Any:
        """One more action; equal to merging `listen([action])`, in O(1) where a signal overrides it."""
        return join(self, summary, self.listen(jax.tree.map(lambda x: x[None], action)))


def kinds(signal: Signal, summary) -> list[str]:
    """The merge kind of each leaf of `summary`, in the order of `jax.tree.leaves`. BadInput where it has none."""
    merge, name = signal.merge, type(signal).__name__

    def kind(path, leaf):
        names = [str(getattr(part, "key", getattr(part, "name", part))) for part in path]
        found = merge if isinstance(merge, str) else next((merge[n] for n in names if n in merge), None)
        field = ".".join(names) or "the summary"
        if found not in KINDS:
            raise BadInput(f"{name}.merge has {found!r} for {field}: give one of {', '.join(KINDS)}")
        if found == "count" and jnp.issubdtype(leaf.dtype, jnp.inexact):
            raise BadInput(f"{name}.merge counts {field}, which is of {leaf.dtype}: count whole numbers, sum others")
        return found

    return [kind(path, leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(summary)]


def nothing(kind: str, dtype) -> Any:
    """What nobody's action adds to a leaf of `dtype`: a scalar (not for rows)."""
    if kind in ("sum", "count"):
        return jnp.zeros((), dtype)
    if jnp.issubdtype(dtype, jnp.bool_):
        return jnp.asarray(kind == "min")
    if jnp.issubdtype(dtype, jnp.inexact):
        return jnp.asarray(-jnp.inf if kind == "max" else jnp.inf, dtype)
    info = jnp.iinfo(dtype)
    return jnp.asarray(info.min if kind == "max" else info.max, dtype)


def gathered(kind: str, x):
    """One leaf of stacked actions made one; bools and short whole numbers are counted in 32 bits."""
    if kind == "rows":
        return x
    if kind in ("sum", "count"):
        return jnp.sum(x, 0)
    return getattr(jnp, kind)(x, 0, initial=nothing(kind, x.dtype))


def merge_parts(kind: str, parts):
    """One leaf's summaries of parts, stacked along axis 0, made one. Sums go in the order of the parts."""
    if kind in ("max", "min"):
        return getattr(parts, kind)(0)
    if kind == "rows":
        return parts.reshape(-1, *parts.shape[2:])
    return parts.sum(0, dtype=parts.dtype)


def join(signal: Signal, one, other) -> Any:
    """The merge of two summaries."""
    two: dict[str, Callable] = {"sum": jnp.add, "count": jnp.add, "max": jnp.maximum, "min": jnp.minimum}
    two["rows"] = lambda a, b: jnp.concatenate([a, b])
    leaves, tree = jax.tree.flatten(one)
    pairs = zip(kinds(signal, one), leaves, jax.tree.leaves(other), strict=True)
    return tree.unflatten([two[kind](a, b) for kind, a, b in pairs])


def neutral(signal: Signal, like) -> Any:
    """The summary of nobody, of the shapes of `like` (not for rows)."""
    leaves, tree = jax.tree.flatten(like)
    pairs = zip(kinds(signal, like), leaves, strict=True)
    return tree.unflatten([jnp.full(x.shape, nothing(kind, x.dtype)) for kind, x in pairs])
