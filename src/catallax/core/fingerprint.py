"""A fingerprint of a problem: its structure and its facts, the same in every process.

The structure is written out in plain values (names of types and fields, shapes, dtypes, what is static), with no
address and no hash seed in it; facts are hashed by value. State that moves counts by its shape alone. Of functions
the name, the defaults and what they close over count, not their code.
"""

import dataclasses
import enum
import functools
import hashlib
import json
import types
from typing import Any

import equinox as eqx
import jax
import numpy as np

from catallax.core.errors import Refused
from catallax.core.outcome import digest


def mark_of(form, moving: list, facts: list) -> str:
    """The fingerprint of a compiled society's state."""
    return fingerprint(form.join(moving, facts), f"{digest(facts)}{form.moves}")


def mark_of_host(society) -> str:
    """The fingerprint of a host society before its first round: nobody knows which of its leaves are facts."""
    leaves, rest = host_split(society)
    return fingerprint(rest, digest(leaves))


def fingerprint(tree, facts: str) -> str:
    """A hash of the structure (types, names, shapes, dtypes, settings), the same in every process, and the facts."""
    text = json.dumps(describe(tree))
    return f"{hashlib.sha256(text.encode()).hexdigest()} {facts}"


def describe(node: Any) -> Any:
    """The structure of a tree in plain values: no address, no hash seed."""
    if isinstance(node, enum.Enum):
        return f"{type(node).__qualname__}.{node.name}"
    if eqx.is_array(node):
        return [list(node.shape), str(node.dtype)]
    if node is None or isinstance(node, (bool, int, float, complex, str, bytes)):
        return repr(node)
    node = getattr(node, "__wrapped__", node)  # what is jitted
    name = getattr(node, "__qualname__", type(node).__qualname__)
    return [name, parts(node)]


def parts(node: Any) -> Any:
    """What a node is made of."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):  # eqx.Modules are
        fields = [f for f in dataclasses.fields(node) if hasattr(node, f.name)]
        return {f.name: describe_field(is_static(node, f), getattr(node, f.name)) for f in fields}
    if isinstance(node, dict):
        return [[repr(k), describe(v)] for k, v in node.items()]
    if isinstance(node, (list, tuple)):
        return [describe(x) for x in node]
    if isinstance(node, (set, frozenset)):
        return sorted(json.dumps(describe(x)) for x in node)
    if isinstance(node, (functools.partial, jax.tree_util.Partial)):
        return [describe(node.func), describe(node.args), describe(node.keywords)]
    if isinstance(node, types.MethodType):
        return [describe(node.__func__), describe(node.__self__)]
    if isinstance(node, types.FunctionType):
        bound = [cell.cell_contents for cell in node.__closure__ or ()] + [node.__defaults__]
        return [describe_bound(x) for x in bound]
    if isinstance(node, np.dtype):
        return str(node)
    leaves = jax.tree.leaves(node)
    return [] if len(leaves) == 1 and leaves[0] is node else [describe(x) for x in leaves]


def describe_bound(value: Any) -> Any:
    """What a function closes over: arrays by value, functions (which may close over themselves) by name."""
    if isinstance(value, types.FunctionType):
        return value.__qualname__
    return digest(value) if eqx.is_array(value) else describe(value)


def is_static(node: Any, field: dataclasses.Field) -> bool:
    """Whether no leaf shows what a field holds."""
    return not isinstance(node, eqx.Module) or field.metadata.get("static", False)


def describe_field(static: bool, value: Any) -> Any:
    """A field; arrays in a static one are facts, so that their values count."""
    hidden = static and any(map(eqx.is_array, jax.tree.leaves(value)))
    return [describe(value), digest(value)] if hidden else describe(value)


def host_split(society) -> tuple[list, Any]:
    """The arrays and numbers of a host society, and all else. Refused where that could not be compared."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(society):
        if not eqx.is_array_like(leaf) and not isinstance(leaf, (str, bytes, enum.Enum, types.FunctionType, type)):
            raise Refused(
                f"{type(society).__name__}{jax.tree_util.keystr(path)} is a {type(leaf).__name__}, and a checkpoint "
                "holds arrays and numbers alone: run it without one"
            )
    state, rest = eqx.partition(society, eqx.is_array_like)
    return jax.tree.leaves(state), rest
