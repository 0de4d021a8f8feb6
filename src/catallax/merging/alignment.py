"""Permutation alignment before a merge: hidden units of one network are put into the order of another's.

A network computes the same function in any order of its hidden units. Units that were learnt apart stand in unlike orders,
and an average of unlike units is neither. Weight matching finds, for each group of units, the permutation P that maximises

    sum over tensors of <A, P B>       (each axis of B permuted by the P of its group)

by coordinate descent: with the other groups fixed, the best P of one is a linear assignment, solved exactly. It ends in an
order that no single group can improve; of several starts (the order given, then random ones) the best is kept.

`units` says which group of units each axis of a tensor belongs to, None for inputs and outputs:

    {"0.weight": ("h1", None), "0.bias": ("h1",), "1.weight": (None, "h1"), "1.bias": (None,)}

`chain` writes it for layers one after the other. Groups are permuted, never rotated or scaled.

Ainsworth, Hayase and Srinivasa, Git Re-Basin: Merging Models modulo Permutation Symmetries, ICLR 2023, arXiv:2209.04836,
algorithms 1 and 3.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from catallax.core.errors import BadInput
from catallax.io.checkpoints import Model, open_model

Units = Mapping[str, tuple[str | None, ...]]
Arrays = Mapping[str, np.ndarray]
BETTER = 1e-9  # of the largest possible product: less is rounding


class Matched(NamedTuple):
    """Permutations by group (unit k of the aligned network is unit P[k] of the old one); the objective as a share of its
    bound |A| |B|, `before` and after; and sweeps over all groups, of the start that was kept."""

    permutations: dict[str, np.ndarray]
    before: float
    after: float
    sweeps: int


@dataclasses.dataclass(frozen=True)
class WeightMatching:
    """The `align` of a merge: called with a model and the one that it has to fit, it returns the model in that one's order.

    `units`: see the header; `starts`: how many orders to start from; `seed`: of random ones; `sweeps`: at most.
    """

    units: Units
    starts: int = 3
    seed: int = 0
    sweeps: int = 100

    def __post_init__(self) -> None:
        if self.starts < 1 or self.sweeps < 1:
            raise BadInput(f"starts is {self.starts}, sweeps {self.sweeps}: give at least 1 of each")
        if not any(group is not None for axes in self.units.values() for group in axes):
            raise BadInput("units names no group of hidden units: there is nothing to align")

    def __call__(self, model: Any, to: Any) -> Model:
        """The model with its units in the order of `to`; the same function."""
        found = self.match(model, to).permutations
        return open_model(model).changed(lambda name, array: permuted(array, self.units.get(name, ()), found))

    def match(self, model: Any, to: Any) -> Matched:
        """The best permutations of several starts."""
        a, b = self.read(to), self.read(model)
        sizes = self.sizes(b)
        draws = np.random.default_rng(self.seed)
        bound = float(np.sqrt(product(a, a) * product(b, b))) or 1.0
        found = None
        for start in range(self.starts):
            order = {group: draws.permutation(size) if start else np.arange(size) for group, size in sizes.items()}
            tried, sweeps = self.climb(a, b, order, draws, bound)
            score = product(a, self.applied(b, tried)) / bound
            if found is None or score > found.after + BETTER:
                found = Matched(tried, product(a, b) / bound, score, sweeps)
        assert found is not None
        return found

    def climb(
        self, a: Arrays, b: Arrays, order: dict[str, np.ndarray], draws: np.random.Generator, bound: float
    ) -> Any:
        """Assignments, one group after the other in random order, until none of them gains."""
        from scipy.optimize import linear_sum_assignment  # late: it takes a fifth of a second to load

        groups, order = sorted(order), dict(order)
        for sweep in range(1, self.sweeps + 1):
            gained = False
            for group in map(str, draws.permutation(groups)):
                alike = self.alike(a, b, order, group)
                best = linear_sum_assignment(alike, maximize=True)[1]
                places = np.arange(len(best))
                if alike[places, best].sum() > alike[places, order[group]].sum() + BETTER * bound:
                    order[group], gained = best, True
            if not gained:
                return order, sweep
        return order, self.sweeps

    def alike(self, a: Arrays, b: Arrays, order: Mapping[str, np.ndarray], group: str) -> np.ndarray:
        """Inner products [units of A, units of B] of all that belongs to each unit, the other groups in their order."""
        total: Any = 0.0
        for name, axes in self.units.items():
            if group not in axes:
                continue
            others = permuted(b[name], tuple(None if one == group else one for one in axes), order)
            axis = axes.index(group)
            total = total + unfolded(a[name], axis) @ unfolded(others, axis).T
        return total

    def applied(self, b: Arrays, order: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All tensors that have units, permuted."""
        return {name: permuted(array, self.units[name], order) for name, array in b.items()}

    def read(self, source: Any) -> dict[str, np.ndarray]:
        """The tensors that have units, in float64."""
        model = open_model(source)
        missing = [name for name in self.units if name not in model.entries]
        if missing:
            raise BadInput(
                f"{model.label} has no tensor {missing[0]}, of which units speaks: give units of this network"
            )
        found = {name: np.asarray(model.read(name)).astype(np.float64) for name in self.units}
        for name, array in found.items():
            if array.ndim != len(self.units[name]):
                raise BadInput(
                    f"units has {len(self.units[name])} axes for {name}, which has {array.ndim}: name each, or None"
                )
            named = [group for group in self.units[name] if group is not None]
            if len(named) != len(set(named)):
                raise BadInput(f"units has one group on two axes of {name}: that is no linear assignment")
        return found

    def sizes(self, arrays: Arrays) -> dict[str, int]:
        """How many units each group has."""
        found: dict[str, int] = {}
        for name, array in arrays.items():
            for group, size in zip(self.units[name], array.shape, strict=True):
                if group is not None and found.setdefault(group, size) != size:
                    raise BadInput(
                        f"{name} has {size} units of {group}, another tensor {found[group]}: units do not connect so"
                    )
        return found


def chain(
    layers: Sequence[str], *, inputs: str = "last", weight: str = "weight", biases: Iterable[str] = ("bias",)
) -> Units:
    """Units of layers one after the other, from the names before ".weight": chain(["layers.0", "layers.1"]).

    `inputs`: which axis of a weight they are, "last" (PyTorch, Equinox) or "first" (Flax, with weight="kernel"); `biases`: all
    else that a layer has one of for each unit. Of a last layer without bias, give `biases` that all layers have, and add the rest.
    """
    if inputs not in ("last", "first"):
        raise BadInput(f"inputs is {inputs!r}: give last or first")
    if len(layers) < 2:
        raise BadInput(f"{len(layers)} layers have no hidden units between them: give at least two")
    groups = [None, *(f"{layer} units" for layer in layers[:-1]), None]
    found: dict[str, tuple[str | None, ...]] = {}
    for layer, (before, after) in zip(layers, itertools.pairwise(groups), strict=True):
        found[f"{layer}.{weight}"] = (after, before) if inputs == "last" else (before, after)
        found |= {f"{layer}.{bias}": (after,) for bias in biases}
    return found


def chain_in(model: Any) -> Units:
    """Units of a model whose layers stand one after the other, by the numbers in their names: 0.weight, 0.bias, 1.weight, ..

    Raises `BadInput` where that cannot be seen from names and shapes: outputs of a layer must be as many as inputs of the next.
    """
    entries = open_model(model).entries
    weights = sorted((name for name in entries if name.endswith(".weight")), key=in_order)
    layers = [name.removesuffix(".weight") for name in weights]
    units = dict(chain(layers, biases=()))
    shapes = [entries[name].shape for name in weights]
    if any(len(shape) != 2 for shape in shapes) or any(b[1] != a[0] for a, b in itertools.pairwise(shapes)):
        told = ", ".join(f"{name} {list(shape)}" for name, shape in zip(weights, shapes, strict=True))
        raise BadInput(f"these are no layers one after the other: {told}; say which units each axis belongs to")
    return units | {f"{layer}.bias": units[f"{layer}.weight"][:1] for layer in layers if f"{layer}.bias" in entries}


def in_order(name: str) -> list[tuple[int, int | str]]:
    """By which "layer10" comes after "layer9"."""
    return [(1, int(part)) if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def together(models: Sequence[Any], units: Units, rounds: int = 20, **settings: Any) -> list[Model]:
    """Many models in one order that is nobody's own: each is aligned to the mean of the others, in turn, until none moves.

    `settings`: of `WeightMatching`, which here starts from the order at hand alone. Only tensors with units take part.
    """
    matching = WeightMatching(units, **{"starts": 1, **settings})
    held = [matching.read(model) for model in models]
    orders = [{group: np.arange(size) for group, size in matching.sizes(one).items()} for one in held]
    for _ in range(rounds):
        moved = False
        for k in range(len(models)):
            others = [one for j, one in enumerate(held) if j != k]
            mean = {name: sum(one[name] for one in others) / len(others) for name in units}
            found = matching.match(held[k], mean)
            if found.after > found.before + BETTER:
                held[k], moved = matching.applied(held[k], found.permutations), True
                orders[k] = {group: orders[k][group][order] for group, order in found.permutations.items()}
        if not moved:
            break
    return [
        open_model(model).changed(lambda name, array, order=order: permuted(array, units.get(name, ()), order))
        for model, order in zip(models, orders, strict=True)
    ]


def permuted(array: np.ndarray, axes: tuple[str | None, ...], order: Mapping[str, np.ndarray]) -> np.ndarray:
    """A tensor with each axis in the order of its group."""
    for axis, group in enumerate(axes):
        if group is not None:
            array = np.take(array, order[group], axis=axis)
    return array


def unfolded(array: np.ndarray, axis: int) -> np.ndarray:
    """[units, all else]."""
    return np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)


def product(a: Arrays, b: Arrays) -> float:
    """sum <A, B> over tensors."""
    return float(sum(np.vdot(a[name], b[name]) for name in a))
