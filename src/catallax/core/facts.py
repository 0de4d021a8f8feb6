"""Facts apart from state: which leaves a round changes, seen in its jaxpr without running it.

A leaf that a round hands through untouched is a fact: it stays out of the loop's carry, it is not counted as
sent, and `settle` differentiates with respect to it.
"""

import functools as ft
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from catallax.core.errors import Refused
from catallax.core.random import key as make_key
from catallax.core.round import Setting, State, exact_knobs, one_round
from catallax.core.society import Society


class Anatomy(NamedTuple):
    """A state's structure, which of its leaves move, and whether a round draws random bits. Hashable.

    `constants`: for each leaf None, or what it is where it is no array (a function, a name).
    """

    tree: Any
    moves: tuple[bool, ...]
    draws: bool
    constants: tuple

    def split(self, state: Any) -> tuple[list, list]:
        """The leaves that move, and the facts."""
        leaves = jax.tree.leaves(state)
        return (
            [x for x, m in zip(leaves, self.moves, strict=True) if m],
            [x for x, m in zip(leaves, self.moves, strict=True) if not m and eqx.is_array(x)],
        )

    def join(self, moving, facts) -> Any:
        """The state of moving leaves and facts."""
        move, fact = iter(moving), iter(facts)
        marks = zip(self.moves, self.constants, strict=True)
        return self.tree.unflatten([next(move) if m else next(fact) if c is None else c for m, c in marks])


def anatomy(state: State, setting: Setting) -> Anatomy:
    """Traces one round of `state`. Refused where a round changes the structure, shape or dtype of a leaf."""
    leaves, tree = jax.tree.flatten(state)
    shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) if eqx.is_array(x) else None for x in leaves)
    return trace(tree, shapes, tuple(None if eqx.is_array(x) else x for x in leaves), setting)


@ft.lru_cache(maxsize=256)
def trace(tree: Any, shapes: tuple, constants: tuple, setting: Setting) -> Anatomy:
    """The same from structure and shapes alone, which is all that it depends on."""
    form = Anatomy(tree, tuple(x is not None for x in shapes), False, constants)  # all arrays may move

    def rounded(*leaves):
        state = form.join(leaves, [])
        after, _ = one_round(state, jnp.uint32(0), make_key(0), setting, exact_knobs())
        if jax.tree.structure(after) != tree:
            raise Refused("a round changes the structure of the society: propagate must return a signal like its own")
        return form.split(after)[0]

    arrays = [x for x in shapes if x is not None]
    closed, after = jax.make_jaxpr(rounded, return_shape=True)(*arrays)
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(form.join(arrays, []))]
    for path, before, now in zip((p for p, x in zip(paths, shapes) if x is not None), arrays, after, strict=True):
        check_kept(jax.tree_util.keystr(path), before, now)
    handed = iter(out is into for into, out in zip(closed.jaxpr.invars, closed.jaxpr.outvars, strict=True))
    moves = tuple(x is not None and not next(handed) for x in shapes)
    return Anatomy(tree, moves, draws(closed.jaxpr), constants)


def check_kept(path: str, before, after) -> None:
    """A state keeps its shapes and dtypes."""
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        field = path.removeprefix(".society").removeprefix(".")
        raise Refused(
            f"a round changes {field} from {before.dtype}{list(before.shape)} to {after.dtype}{list(after.shape)}: "
            "a state keeps its shape and type"
        )


def inner(equation) -> list:
    """The jaxprs inside an equation (a loop's body, a called function)."""
    found = []
    for value in equation.params.values():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            item = getattr(item, "jaxpr", item)
            if hasattr(item, "eqns"):
                found.append(item)
    return found


def draws(jaxpr) -> bool:
    """Whether any random bits are drawn (keys that are only hashed on do not count)."""
    return any(
        equation.primitive.name == "random_bits" or any(draws(x) for x in inner(equation)) for equation in jaxpr.eqns
    )


def followed(society: Society, read: Callable) -> list[tuple[Any, bool]]:
    """For each array leaf of `read(society)` its shape, and whether it follows from anything that a round moves.

    What follows from facts alone is known to all who know the facts.
    """
    state = State(society)
    form = anatomy(state, Setting())
    moving, facts = form.split(state)

    def out(moving, facts):
        return [x for x in jax.tree.leaves(read(form.join(moving, facts).society)) if eqx.is_array(x)]

    jaxpr = jax.make_jaxpr(out)(moving, facts).jaxpr
    live = set(jaxpr.invars[: len(moving)])
    for equation in jaxpr.eqns:
        if any(x in live for x in equation.invars if not isinstance(x, Literal)):
            live.update(equation.outvars)
    return [(x.aval, not isinstance(x, Literal) and x in live) for x in jaxpr.outvars]
