"""The merged model as a signal: what everyone hears is what all updates come to.

    Merged      theta' = theta + outer(sum_i w_i Delta_i / sum_i w_i)      additive: it may be summed in any parts
    Gathered    the same of a robust aggregate of the rows (Delta_i), which must be gathered whole
    Neighbours  each hears its own mean of its neighbours' models, sum_j W_ij theta_j; nothing is public

`outer` is an optimiser that takes -update for a gradient: SGD(1) is federated averaging, Nesterov's momentum DiLoCo, Adam
FedAdam. An update that holds a NaN or an infinity is refused, and counted; who is absent has weight 0. In few bits what is
announced is Q(step + owed), so that everyone's model is the sum of what was announced (double squeeze).

A. Douillard and others, DiLoCo: distributed low-communication training of language models, arXiv:2311.08105, 2023.
S. Reddi and others, Adaptive federated optimization, ICLR 2021. H. Tang and others, DoubleSqueeze, ICML 2019.
X. Lian and others, Can decentralized algorithms outperform centralized algorithms?, NeurIPS 2017 (gossip).
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from catallax.core.channel import Span
from catallax.core.signal import Signal
from catallax.merging.together.form import Form
from catallax.merging.together.member import Heard, Said
from catallax.merging.together.messages import told

LEAST = 1e-3  # the least span of a tensor that is cut to bits on the air


class Sum(NamedTuple):
    """What is heard of all: see `Said`; `refused`: messages that held no numbers."""

    vector: Any
    weight: Any
    loss: Any
    sent: Any
    heard: Any
    here: Any
    refused: Any


COUNTS = {"sent": "count", "heard": "count", "refused": "count"}
SUMS = {"vector": "sum", "weight": "sum", "loss": "sum", "here": "count", **COUNTS}
ROWS = {"vector": "rows", "weight": "rows", "loss": "rows", "here": "rows", **COUNTS}


class Judge(eqx.Module):
    """Rows held out, which nobody learns from, and what is made of them."""

    x: Any
    y: Any
    score: Callable = eqx.field(static=True)
    form: Form = eqx.field(static=True)

    def of(self, vector: Any) -> Any:
        """The score of a model."""
        model = self.form.model(self.form.params(vector))
        return self.score(model, self.x, self.y)


class Tally(eqx.Module):
    """The mean loss of the last round; messages sent and heard so far, and refused."""

    loss: Float[Array, ""]
    sent: Int[Array, ""]
    heard: Int[Array, ""]
    refused: Int[Array, ""]

    @classmethod
    def new(cls, dtype: Any) -> "Tally":
        """Nothing yet."""
        none = jnp.zeros((), jnp.int32)
        return cls(jnp.full((), jnp.nan, dtype), none, none, none)

    def after(self, told: Sum) -> "Tally":
        """With one round more."""
        weight = jnp.sum(told.weight)
        loss = jnp.where(weight > 0, jnp.sum(told.loss) / jnp.where(weight > 0, weight, 1), self.loss)
        counts = [(self.sent, told.sent), (self.heard, told.heard), (self.refused, told.refused)]
        return Tally(loss, *(a + b for a, b in counts))


def sound(said: Said) -> Sum:
    """Stacked actions, those refused that hold no numbers: they are as if they were not there."""
    fine = jnp.isfinite(said.vector).all(1)
    vector = jnp.where(fine[:, None], said.vector, 0)
    weight, loss = (jnp.where(fine, x, 0) for x in (said.weight, said.loss))
    return Sum(vector, weight, loss, said.sent, said.heard, said.here * fine, ~fine * said.here)


def summed(stacked: Sum, rows: bool) -> Sum:
    """Summed over members, or rows as they are and counts summed."""
    kept = ("vector", "weight", "loss", "here") if rows else ()
    return Sum(*(x if name in kept else x.sum(0, dtype=x.dtype) for name, x in zip(Sum._fields, stacked, strict=True)))


class Central(Signal):
    """What `Merged` and `Gathered` share: the model that everyone hears, and how it moves."""

    model: Float[Array, " numbers"]
    memory: Any
    owed: Any
    tally: Tally
    judge: Judge
    outer: Any = eqx.field(static=True)
    bits: int | None = eqx.field(static=True)

    @property
    def packed(self) -> int | None:
        """Bits of each number that travels."""
        return self.bits

    def public(self) -> Any:
        """The merged model [numbers]."""
        return self.model

    def span(self) -> Span:
        """Of each tensor, as large as its largest number."""
        sizes = self.judge.form.sizes
        cuts = jnp.split(self.model, [sum(sizes[: k + 1]) for k in range(len(sizes) - 1)])
        reach = [jnp.full(x.shape, jnp.maximum(1.01 * jnp.max(jnp.abs(x), initial=0), LEAST)) for x in cuts]
        high = jnp.concatenate(reach)
        return Span(-high, high)

    @abc.abstractmethod
    def update(self, summary: Sum) -> Any:
        """What all updates come to [numbers], and how much each counted [members] (None: it is not known here)."""

    def stepped(self, summary: Sum) -> tuple[Any, Any, Any]:
        """The next model, the outer optimiser's state, and what is owed."""
        form, update = self.judge.form, self.update(summary)[0]
        step, memory = self.outer.update(form.params(-update), self.memory, form.params(self.model))
        step, owed = form.vector(step, self.model.dtype), self.owed
        if self.bits is not None:
            said = told(step + self.owed, form.sizes, self.bits)
            step, owed = said, step + self.owed - said
        anyone = jnp.sum(summary.weight) > 0
        kept = (self.model + step, memory, owed), (self.model, self.memory, self.owed)
        return jax.tree.map(lambda new, old: jnp.where(anyone, new, old), *kept)

    def unrest(self, summary: Sum) -> Any:
        """How far the model moves, as a share of its length; infinite where nobody came, NaN where all were refused."""
        moved = jnp.linalg.norm(self.stepped(summary)[0] - self.model)
        length = jnp.linalg.norm(self.model)
        share = moved / jnp.where(length > 0, length, 1)
        return heeded(share, summary)

    def propagate(self, summary: Sum) -> "Central":
        """The next merged model."""
        model, memory, owed = self.stepped(summary)
        return dataclasses.replace(self, model=model, memory=memory, owed=owed, tally=self.tally.after(summary))


class Merged(Central):
    """The weighted mean of updates."""

    merge: ClassVar[Any] = SUMS

    def listen(self, actions: Said) -> Sum:
        """The sum of weighted updates, and of weights."""
        return summed(sound(actions), rows=False)

    def update(self, summary: Sum) -> Any:
        """sum w Delta / sum w."""
        return summary.vector / jnp.where(summary.weight > 0, summary.weight, 1), None


class Gathered(Central):
    """A robust aggregate of updates: of rows, so that it is not additive. `counted` [members]: how much each one did."""

    counted: Float[Array, " members"]
    aggregate: Callable = eqx.field(static=True)
    beta: float = eqx.field(static=True)

    merge: ClassVar[Any] = ROWS

    def local(self, agents: Any) -> Heard:
        """How much each counted in the last round."""
        return Heard(None, self.counted)

    def listen(self, actions: Said) -> Sum:
        """All updates."""
        return summed(sound(actions), rows=True)

    def update(self, summary: Sum) -> Any:
        """The aggregate of all rows."""
        return self.aggregate(summary.vector, summary.weight, self.beta)

    def of(self, keep: Any) -> "Gathered":
        """The same for members `keep`."""
        return dataclasses.replace(self, counted=self.counted[keep])

    def propagate(self, summary: Sum) -> "Gathered":
        """The next merged model."""
        moved: Any = super().propagate(summary)
        return dataclasses.replace(moved, counted=self.update(summary)[1])


class Neighbours(Signal):
    """Models that only neighbours hear. `copies` [members, numbers]: each one's as its neighbours know it; `mixing` W.

    `aggregate`: None for the mean by W, else a robust aggregate of the rows of one's neighbours.
    """

    copies: Float[Array, "members numbers"]
    mixing: Float[Array, "members members"]
    tally: Tally
    judge: Judge
    aggregate: Callable | None = eqx.field(static=True)
    beta: float = eqx.field(static=True)
    bits: int | None = eqx.field(static=True)

    merge: ClassVar[Any] = ROWS

    @property
    def packed(self) -> int | None:
        """Bits of each number that travels."""
        return self.bits

    def public(self) -> None:
        """Nothing."""
        return None

    def local(self, agents: Any) -> Heard:
        """What each makes of its neighbours; of a robust aggregate also how much each counted, on average over listeners."""
        robust = self.aggregate
        if robust is None:
            return Heard(jnp.matmul(self.mixing, self.copies, precision="highest"), None)
        heard, shares = jax.vmap(lambda weights: robust(self.copies, weights, self.beta))(self.mixing)
        return Heard(heard, shares.mean(0))

    def listen(self, actions: Said) -> Sum:
        """All messages."""
        return summed(sound(actions), rows=True)

    def of(self, keep: Any) -> "Neighbours":
        """The same for members `keep`."""
        return dataclasses.replace(self, copies=self.copies[keep], mixing=self.mixing[keep][:, keep])

    def after(self, summary: Sum) -> Any:
        """The next copies."""
        new = summary.vector if self.bits is None else self.copies + summary.vector
        return jnp.where(summary.here[:, None] > 0, new, self.copies)

    def unrest(self, summary: Sum) -> Any:
        """How far models move, as a share of their length."""
        length = jnp.linalg.norm(self.copies)
        share = jnp.linalg.norm(self.after(summary) - self.copies) / jnp.where(length > 0, length, 1)
        return heeded(share, summary)

    def propagate(self, summary: Sum) -> "Neighbours":
        """The next copies."""
        return dataclasses.replace(self, copies=self.after(summary), tally=self.tally.after(summary))


def heeded(share: Any, summary: Sum) -> Any:
    """The unrest, where anybody was heard."""
    deaf = jnp.where(summary.refused > 0, jnp.nan, jnp.inf)
    return jnp.where(jnp.sum(summary.here) > 0, share, deaf)
