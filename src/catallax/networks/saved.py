"""Trained chains as files: named tensors (safetensors), and what they are put into in the file's header.

    layer.0.weight, layer.0.bias, ...     layers, in their order
    aid.0. ..., teaching. ...             what a kind of teaching owns besides: heads, fixed matrices

The header holds, as JSON, the layers' widths and activations, the loss, the kind of teaching with its settings, and a digest
of all tensors. A file is written whole or not at all. Nothing in it is run: activations and kinds are known by name.
"""

import inspect
import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.disk import whole
from catallax.core.errors import BadInput, Damaged
from catallax.core.outcome import digest
from catallax.networks.chain import Chain
from catallax.networks.kinds import KINDS
from catallax.networks.layers import ACTIVATIONS, Dense
from catallax.networks.losses import CrossEntropy, SquaredError
from catallax.networks.objectives import Objective
from catallax.signals.teaching import Teaching

FORMAT = "catallax chain 1"
LOSSES = {"cross-entropy": CrossEntropy, "squared": SquaredError}
PLAIN = (str, int, float, bool, type(None))


def save(chain: Chain, path: str | os.PathLike) -> Path:
    """Writes a chain of `Dense` layers. Returns the path.

    **Raises** `BadInput` for layers, activations, losses or objectives that have no name in the library: such a chain is
    saved by `eqx.tree_serialise_leaves`.
    """
    from safetensors.numpy import save as packed

    path, named = Path(path), tensors(chain)
    header = dict(
        format=FORMAT,
        layers=[layer_words(number, layer) for number, layer in enumerate(chain.layers)],
        loss=loss_name(chain.loss),
        teaching=type(chain.teaching).__name__,
        settings=settings_of(chain.teaching),
        digest=digest([named[name] for name in sorted(named)]),
    )
    data = packed(named, {"catallax": json.dumps(header)})
    if not path.parent.is_dir():
        raise BadInput(f"{path.parent} is not a folder: make it, or give another path")
    with whole(path) as file:
        file.write(data)
    return path


def load(path: str | os.PathLike, teaching: Teaching | None = None) -> Chain:
    """The chain of a file. `teaching`: needed where its own has settings that a file cannot hold.

    **Raises** `Damaged` for a file that is cut, changed or of another kind.
    """
    header, named = opened(Path(path))
    try:
        layers = [layer_of(words) for words in header["layers"]]
        kind = made(header["teaching"], header["settings"], path) if teaching is None else teaching
        chain = Chain(layers, kind, loss=header["loss"])
    except (KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{path} does not say what its tensors belong to ({error}): save the chain again") from None
    if digest([named[name] for name in sorted(named)]) != header.get("digest"):
        raise Damaged(f"{path}: a tensor was changed since it was written: save the chain again")
    return filled(chain, named, Path(path))


def tensors(chain: Chain) -> dict[str, np.ndarray]:
    """All arrays by name."""
    return {name: np.ascontiguousarray(np.asarray(x)) for name, x in places(chain)}


def places(chain: Chain) -> list[tuple[str, Any]]:
    """Names and arrays, in the order of the chain's leaves."""
    parts = dict(layer=chain.layers, aid=chain.aids, teaching=chain.teaching)
    found = []
    for first, tree in parts.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(eqx.filter(tree, eqx.is_array)):
            found.append((".".join([first, *map(word, path)]), leaf))
    return found


def word(key: Any) -> str:
    """One step of a path: an index, a field or a key."""
    return str(next(getattr(key, name) for name in ("idx", "name", "key") if hasattr(key, name)))


def layer_words(number: int, layer: Any) -> dict[str, Any]:
    """A layer in plain values."""
    if not isinstance(layer, Dense):
        kind = type(layer).__name__
        raise BadInput(f"layer {number} is a {kind}, which has no name here: save it by eqx.tree_serialise_leaves")
    if not isinstance(layer.activation, str) or layer.activation not in ACTIVATIONS:
        raise BadInput(f"the activation of layer {number} is a function of your own: save by eqx.tree_serialise_leaves")
    if layer.objective is not None:
        raise BadInput(f"layer {number} has an objective of its own, which a file cannot hold: leave it out to save")
    names = ("inputs", "outputs", "activation", "dropout", "activity")
    return {name: getattr(layer, name) for name in names} | dict(bias=layer.use_bias)


def layer_of(words: dict[str, Any]) -> Dense:
    """And back."""
    sizes = words["inputs"], words["outputs"]
    given = dict(bias=words["bias"], dropout=words["dropout"], activity=words.get("activity", 0.0))
    return Dense(*sizes, words["activation"], **given)


def loss_name(loss: Any) -> str:
    """A loss by name."""
    for name, kind in LOSSES.items():
        if type(loss) is kind:
            return name
    raise BadInput(f"the loss is a {type(loss).__name__} of your own: save the chain by eqx.tree_serialise_leaves")


def settings_of(teaching: Teaching) -> dict[str, Any] | None:
    """The arguments that make a kind of teaching, where all are plain values; else None."""
    found: dict[str, Any] = {}
    for name in inspect.signature(type(teaching)).parameters:
        value = getattr(teaching, name, None)
        if isinstance(value, Objective):
            plain = isinstance(value.loss, str) and bool(eqx.tree_equal(value, Objective(value.loss)))
            value = value.loss if plain else ...
        if holds_arrays(teaching, name):
            continue  # drawn by `begin`, and among the tensors
        if not all(isinstance(one, PLAIN) for one in (value if isinstance(value, tuple) else (value,))):
            return None
        found[name] = value
    return found


def holds_arrays(teaching: Teaching, name: str) -> bool:
    """Whether a field is no setting but what was drawn."""
    return any(map(eqx.is_array, jax.tree.leaves(getattr(teaching, name, None))))


def made(name: str, settings: dict[str, Any] | None, path: Any) -> Teaching:
    """A kind of teaching by the name of its class, one of those of `kinds`."""
    known = {kind.path.split(":")[1]: kind.path.split(":")[0] for kind in KINDS.values()}
    if name not in known or settings is None:
        raise BadInput(
            f"{path} was taught by {name}, with settings that the file cannot hold: give load(path, teaching=...)"
        )
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    return getattr(import_module(f"catallax.networks.teaching.{known[name]}"), name)(**given)


def opened(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and the tensors of a file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["catallax"])
            named = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        right = header["format"] == FORMAT
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}): give a file that save wrote") from None
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise Damaged(f"{path} is not a chain as catallax saves it: it was cut, or is a file of another kind") from None
    if not right:
        raise Damaged(f"{path} is of another version ({header['format']!r}, and this one reads {FORMAT!r})")
    return header, named


def filled(chain: Chain, named: dict[str, np.ndarray], path: Path) -> Chain:
    """The chain with the file's tensors. Damaged where one is missing or of another shape."""
    wanted = places(chain)
    if {name for name, _ in wanted} != set(named):
        odd = sorted({name for name, _ in wanted} ^ set(named))[0]
        raise Damaged(f"{path}: the tensor {odd} does not fit the layers and the teaching that it speaks of")
    for name, like in wanted:
        if named[name].shape != like.shape:
            said = f"{path}: {name} has the shape {list(named[name].shape)}"
            raise Damaged(f"{said} where its layers make it {list(like.shape)}")
    new = iter(jnp.asarray(named[name]) for name, _ in wanted)
    parts = []
    for tree in (chain.layers, chain.aids, chain.teaching):
        arrays, rest = eqx.partition(tree, eqx.is_array)
        parts.append(eqx.combine(jax.tree.map(lambda _: next(new), arrays), rest))
    where = lambda c: (c.layers, c.aids, c.teaching)  # noqa: E731
    return eqx.tree_at(where, chain, tuple(parts), is_leaf=lambda node: node is None)


__all__ = ["load", "save"]
