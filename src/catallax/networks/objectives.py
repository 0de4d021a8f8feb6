"""What a layer wants for itself: an objective of its own, with its own loss, target, data and head.

    Dense(256, 128, objective=Objective("cross-entropy", target=lambda y: y % 2, head=2))      parity, of the same rows
    Dense(128, 64, objective=Objective("predsim", data=(X2, y2)))                              other rows, other labels
    Dense(64, 32, objective=Objective("reconstruct"))                                          its own input; told nothing

For a layer with input x, output h and the target t that it is told, the ready ones are

    predict       L = loss(h C^T + c, t)                          C, c: a linear head of the layer's own
    similarity    L = mean_ij (S(h A^T) - S(t))_ij^2              A: a map of its own, S of [batch, batch]
    predsim       L = (1 - beta) predict + beta similarity
    reconstruct   L = mean_b 1/2 |h D^T + d - x|^2                D, d: a decoder of the layer's own

    S(u)_ij = <u_i - mean(u_i), u_j - mean(u_j)> / (|u_i - mean(u_i)| |u_j - mean(u_j)|)       (centred cosine)

Outputs with several axes (channels first) enter S as the standard deviation of each channel over its positions.

A. Nokland and L. H. Eidnes, Training neural networks with local error signals, ICML 2019, sections 2.1 to 2.3.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.errors import BadInput
from catallax.core.rows import Rows
from catallax.networks.layers import Dense
from catallax.networks.losses import Loss

KINDS = ("predict", "similarity", "predsim", "reconstruct")
LOSSES = ("cross-entropy", "squared")
TINY = 1e-12  # added to squared lengths


class Objective(eqx.Module):
    """What a layer wants. It holds no parameters: heads are drawn by the teaching, and belong to the layer's aid.

    **Arguments:**

    - `loss`: "predict", "similarity", "predsim", "reconstruct" (above); "cross-entropy", "squared" or a `Loss`, of what
      the head makes of the output; or any function of (head's output, target) to the mean loss of a batch.
    - `target`: a function of targets [batch, ...]; None: as they are.
    - `data`: rows (X, y) of the layer's own, in place of those of the network: X passes through the layers below. A batch
      of them is drawn, with return, by each lesson's key. (Another column for the same rows: `data=(X, column)`.)
    - `head`: None: a linear map, unless the loss is a function or the layer is the network's last; a number: a linear map
      to so many (classes); "none"; a `Dense` without weights; or a function of a key to an Equinox module on one row.
    - `beta`: the weight of similarity in predsim. `features`: the width of A: "same" (as in the paper), a number, or
      None: no A.
    """

    loss: Any = eqx.field(static=True)
    target: Callable | None = eqx.field(static=True)
    data: Any = eqx.field(static=True)
    head: Any = eqx.field(static=True)
    beta: float = eqx.field(static=True)
    features: Any = eqx.field(static=True)

    def __init__(
        self,
        loss: Any = "predsim",
        target: Any = None,
        data: Any = None,
        head: Any = None,
        *,
        beta: float = 0.99,
        features: Any = "same",
    ) -> None:
        named = isinstance(loss, str) and loss in KINDS + LOSSES
        if not (named or isinstance(loss, Loss) or (callable(loss) and not isinstance(loss, str))):
            names = ", ".join(KINDS + LOSSES)
            raise BadInput(
                f"Objective.loss is {loss!r}: give one of {names}, a Loss, or a function of (output, target)"
            )
        if target is not None and not callable(target):
            raise BadInput("Objective.target must be a function of targets: for another column give data=(X, column)")
        if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not 0 <= beta <= 1:
            raise BadInput(f"Objective.beta is {beta!r}: give a number from 0 to 1")
        if not (features is None or features == "same" or is_count(features)):
            raise BadInput(f"Objective.features is {features!r}: give 'same', None or a whole number of at least 1")
        check_head(head)
        self.loss, self.target, self.head, self.beta, self.features = loss, target, head, float(beta), features
        self.data = None if data is None else own_rows(data)

    @property
    def share(self) -> float:
        """The weight of similarity in the loss."""
        return {"similarity": 1.0, "predsim": self.beta}.get(self.loss, 0.0) if isinstance(self.loss, str) else 0.0


def make_objective(given: Any) -> Objective:
    """An objective by the name of its loss, or as given."""
    return given if isinstance(given, Objective) else Objective(given)


def is_count(value: Any) -> bool:
    """Whether it is a whole number of at least 1."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def check_head(head: Any) -> None:
    """What `Objective.head` may be. A module with parameters would be learnt twice, or not at all."""
    if isinstance(head, Dense) and head.weight is None:
        return
    if isinstance(head, eqx.Module):
        kind = type(head).__name__
        raise BadInput(f"Objective.head is a {kind} with parameters: give Dense without a key, or a function of a key")
    if not (head is None or head == "none" or is_count(head) or (callable(head) and not isinstance(head, str))):
        raise BadInput(
            f"Objective.head is {head!r}: give None, 'none', a number of outputs, a Dense or a function of a key"
        )


def own_rows(data: Any) -> Rows:
    """The rows (X, y) of an objective: facts, which are not learnt."""
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise BadInput("Objective.data must be two arrays, (X, y)")
    x, y = np.asarray(data[0]), np.asarray(data[1])
    if x.ndim < 2 or not len(x) or len(x) != len(np.atleast_1d(y)):
        shapes = f"{list(x.shape)} and {list(y.shape)}"
        raise BadInput(
            f"Objective.data has the shapes {shapes}: give X [rows, ...] and y [rows, ...], one row at least"
        )
    for name, values in (("X", x), ("y", y)):
        if values.dtype.kind not in "biuf":
            raise BadInput(f"Objective.data: {name} is of {values.dtype}: give numbers")
        wrong = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if wrong.size:
            raise BadInput(f"Objective.data: row {wrong[0]} of {name} holds NaN or an infinite number: leave it out")
    y = y.astype(np.int32 if y.dtype.kind in "biu" else jnp.zeros(()).dtype)
    return Rows.of(x.astype(jnp.zeros(()).dtype), y)


def similarity(u: Float[Array, "batch features"]) -> Float[Array, "batch batch"]:
    """S(u), the centred cosine of each two rows; 0 for a row whose numbers are all the same."""
    centred = u - u.mean(axis=1, keepdims=True)
    length = jnp.sqrt(jnp.maximum((centred**2).sum(axis=1, keepdims=True), TINY))
    unit = centred / length
    return unit @ unit.T


def features_of(output: Float[Array, "batch ..."]) -> Float[Array, "batch features"]:
    """What similarity is taken of: the output, or the standard deviation of each of its channels."""
    if output.ndim <= 2:
        return output
    return jnp.sqrt(output.reshape(*output.shape[:2], -1).var(axis=2) + TINY)
