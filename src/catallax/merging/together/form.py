"""A model as one vector of its numbers, and back: what members send, merge and cut to bits is a vector.

Numbers are the floating arrays of an Equinox module (or any pytree), in the order of its leaves; all else is of the form.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.errors import BadInput


class Tensor(NamedTuple):
    """The place of an array of numbers."""

    shape: tuple[int, ...]
    dtype: Any

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


class Constant:
    """An array that is not learnt (whole numbers, keys): equal and hashed by value, so that it can be part of a form."""

    def __init__(self, value: Any):
        self.value = np.asarray(value)
        self.mark = (self.value.shape, str(self.value.dtype), self.value.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self.mark == other.mark

    def __hash__(self) -> int:
        return hash(self.mark)


class Form(NamedTuple):
    """A model less its numbers. `leaves`: a `Tensor` for each array of numbers, else what the leaf is. Hashable."""

    tree: Any
    leaves: tuple

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of each tensor."""
        return tuple(leaf.size for leaf in self.leaves if isinstance(leaf, Tensor))

    @property
    def numbers(self) -> int:
        """Numbers of the model."""
        return sum(self.sizes)

    def params(self, vector: Any) -> Any:
        """The tensors of a vector [numbers] in the model's structure, None for all else: what an optimiser takes."""
        cuts = iter(jnp.split(vector, np.cumsum(self.sizes)[:-1]))
        return self.tree.unflatten(
            [next(cuts).reshape(x.shape).astype(x.dtype) if isinstance(x, Tensor) else None for x in self.leaves]
        )

    def model(self, params: Any) -> Any:
        """The model of these tensors."""
        found = iter(jax.tree.leaves(params))
        leaves = [next(found) if isinstance(x, Tensor) else x for x in self.leaves]
        return self.tree.unflatten([x.value if isinstance(x, Constant) else x for x in leaves])

    def vector(self, params: Any, dtype: Any = None) -> Float[Array, " numbers"]:
        """The numbers of tensors, one after the other."""
        found = [jnp.ravel(x) for x in jax.tree.leaves(params)]
        return jnp.concatenate(found) if dtype is None else jnp.concatenate([x.astype(dtype) for x in found])


def form_of(model: Any) -> tuple[Form, Float[Array, " numbers"]]:
    """The form of a model and its numbers. Raises `BadInput` where it has none."""
    leaves, tree = jax.tree.flatten(model)
    learnt = [leaf for leaf in leaves if eqx.is_inexact_array(leaf)]
    if not learnt or sum(x.size for x in learnt) == 0:
        raise BadInput(
            f"the model, a {type(model).__name__}, has no array of floating numbers: there is nothing to learn"
        )
    if any(jnp.issubdtype(x.dtype, jnp.complexfloating) for x in learnt):
        raise BadInput("the model holds complex numbers: give one of real numbers")
    form = Form(tree, tuple(slot(leaf) for leaf in leaves))
    return form, form.vector(learnt, jnp.result_type(*learnt))


def slot(leaf: Any) -> Any:
    """A leaf's part of the form."""
    if eqx.is_inexact_array(leaf):
        return Tensor(tuple(leaf.shape), jnp.dtype(leaf.dtype))
    return Constant(leaf) if eqx.is_array(leaf) else leaf
