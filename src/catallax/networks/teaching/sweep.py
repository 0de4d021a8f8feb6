"""The sweep forward that most lessons begin with, and what each layer needs to learn from what it is told."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax

from catallax.networks.layers import Dense
from catallax.signals.teaching import Batch, Part


def keys(batch: Batch, count: int) -> list:
    """Random bits of each layer: the same for a layer whatever the others are."""
    return [jax.random.fold_in(batch.key, number) for number in range(count)]


def sweep(parts: tuple[Part, ...], batch: Batch) -> tuple[Any, list[Callable]]:
    """The output, and for each layer (signal at its output) -> (gradient of its parameters, signal at its input)."""
    x, pulls = batch.x, []
    for part, key in zip(parts, keys(batch, len(parts)), strict=True):
        x, pull = eqx.filter_vjp(lambda layer, x, key=key: layer(x, key), part.layer, x)
        pulls.append(pull)
    return x, pulls


def activities(parts: tuple[Part, ...], batch: Batch) -> list[Any]:
    """The input of the first layer and the output of each: [layers + 1] arrays."""
    x = [batch.x]
    for part, key in zip(parts, keys(batch, len(parts)), strict=True):
        x.append(part.layer(x[-1], key))
    return x


def whole(layer: Any, x: Any, key: Any) -> Any:
    """A layer's output before some of it is dropped: what an objective of its own is about."""
    return layer(x, None if isinstance(layer, Dense) else key)


def handed_on(layer: Any, output: Any, key: Any) -> Any:
    """What the layer above gets of a whole output."""
    return layer.dropped(output, key) if isinstance(layer, Dense) else output
