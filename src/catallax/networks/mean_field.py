"""A two-layer network as a crowd of neurons, coordinated by what is still missing.

    f(x) = 1/n sum_i a_i act(w_i . x + b_i),     L = mean of (f - y)^2 / 2, or of log(1 + e^f) - y f for y in {0, 1}

Each neuron takes the residual dL/df as given and takes its own gradient step, in units in which n dL/dtheta_i is a slope:
together that is gradient descent of L to rounding (tested), and what the crowd does depends on its size no more as it
grows. With wide layers the loss follows a curve that is the same for all widths and draws; runs differ by O(1 / sqrt(n)).

    silence           each neuron fits y by itself, as if it were alone; what they say is averaged
    signal            the residual, one number a row of data, whatever the width
    planner           the best output weights for the hidden ones as drawn (convex), with its gradient as certificate
    full information  each neuron reckons with its own effect on the residual, 1/n of what it changes

The planner moves output weights alone: where there are fewer neurons than rows, those who are told the residual may end
below its loss. Nothing here is about rows that were not learnt from.

S. Mei, A. Montanari and P.-M. Nguyen, A mean field view of the landscape of two-layer neural networks, PNAS 115, 2018.
G. Rotskoff and E. Vanden-Eijnden, Parameters as interacting particles, NeurIPS 2018. L. Chizat and F. Bach, On the global
convergence of gradient descent for over-parameterized models using optimal transport, NeurIPS 2018.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.problem import Problem
from catallax.core.random import key as make_key
from catallax.core.run import run
from catallax.core.scene import Points, Scene, Series
from catallax.core.society import Society
from catallax.networks.wide import planner
from catallax.networks.wide.neurons import (
    ACTIVATIONS,
    Neuron,
    Parameters,
    Reckoner,
    Residual,
    mean_loss,
    residual,
    steepness,
)

LOSSES = ("squared", "logistic")


class TwoLayer(Problem):
    """A two-layer network of `neurons` that learns `y` [rows] from `X` [rows, features].

    **Fields:** `act`: tanh, relu, sigmoid, softplus or gelu; `loss`: squared, or logistic for y of 0 and 1; `rate`: the
    step, of slopes n dL/dtheta (below 2 / the largest eigenvalue of mean_i J_i J_i' / rows it is stable); `seed` of the
    weights drawn, a, b ~ N(0, 1) and w ~ N(0, 1 / features): a neuron's own are the same at every width; `start`: weights
    in their place, stacked `Parameters`.

    **Raises** `BadInput` for data that do not fit, are no numbers, or labels that are not 0 and 1.
    """

    X: Float[Array, "rows features"]
    y: Float[Array, " rows"]
    neurons: int = eqx.field(static=True)
    act: str = eqx.field(static=True)
    loss: str = eqx.field(static=True)
    rate: float = eqx.field(static=True)
    seed: int = eqx.field(static=True)
    start: Parameters

    headline: ClassVar[str] = "efficiency"
    tolerance: ClassVar[float] = 1e-3  # of slope, n dL/dtheta
    patience: ClassVar[int] = 300  # rounds of every regime alike: learning is rarely at rest by then, and says so

    def __init__(
        self,
        X: Any,
        y: Any,
        neurons: int = 256,
        *,
        act: str = "tanh",
        loss: str = "squared",
        rate: float = 0.5,
        seed: int = 0,
        start: Parameters | None = None,
    ):
        self.X, self.y = table(X, y, loss)
        if act not in ACTIVATIONS:
            raise BadInput(f"TwoLayer.act is {act!r}: give one of {', '.join(ACTIVATIONS)}")
        if isinstance(neurons, bool) or not isinstance(neurons, int) or neurons < 1:
            raise BadInput(f"TwoLayer.neurons is {neurons!r}: give a whole number of at least 1")
        if not 0 < rate < np.inf:
            raise BadInput(f"TwoLayer.rate is {rate!r}: give a positive number")
        self.neurons, self.act, self.loss, self.rate, self.seed = neurons, act, loss, float(rate), seed
        self.start = drawn(neurons, self.X.shape[1], seed) if start is None else start

    # --- the regimes ---

    def society(self, leak: float = 0.0) -> Society:
        """Neurons as drawn, told the residual; `leak`: the share of their own effect on it that they reckon with."""
        like, size = self.X.dtype, jnp.asarray(float(self.neurons), self.X.dtype)
        rate = jnp.asarray(self.rate, like)
        if leak:
            agents = Reckoner(self.start, rate, jnp.asarray(float(leak), like), size, self.act, self.loss)
        else:
            agents = Neuron(self.start, rate, self.act)
        missing = residual(self.loss, output(self.start, self.X, self.act), self.y)
        gauge = jnp.maximum(jnp.max(jnp.abs(self.y)), 1)
        return Society(agents, Residual(missing, self.X, self.y, size, gauge, self.loss))

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """`output` [rows] of the network and its `loss`, of the neurons as they are; `parameters` of each."""
        own = society.agents.own
        return Outcome(society, values=self.valued(output(own, self.X, self.act)) | dict(parameters=own))

    def valued(self, said: Any) -> dict[str, Any]:
        """What an output [rows] is worth."""
        return dict(output=np.asarray(said), loss=float(mean_loss(self.loss, jnp.asarray(said, self.X.dtype), self.y)))

    def silence(self) -> Outcome:
        """Each neuron fits y as if it were alone, by as many steps as the questions allow; they are averaged."""
        own = alone(self.start, self.X, self.y, self.rate, self.patience, self.act, self.loss)
        return Outcome(values=self.valued(output(own, self.X, self.act)) | dict(parameters=own))

    def plan(self) -> Outcome:
        """The best output weights for the hidden ones as drawn; certificate: the largest slope n dL/da_i left.

        Squared: least squares, of least norm. Logistic: Newton, with a ridge of 1e-6 (else data that can be told apart
        would want infinite weights).
        """
        hidden = np.asarray(self.start._replace(out=jnp.ones_like(self.start.out)).said(self.X, ACTIVATIONS[self.act]))
        said, slope = planner.best_output(hidden, np.asarray(self.y, np.float64), self.loss)
        code = CODES.index(Status.SETTLED if slope <= self.tolerance else Status.UNSETTLED)
        return Outcome(code=code, unrest=slope, certificate=slope, values=self.valued(said))

    def contest(self, leak: float = 1.0) -> Outcome:
        """Each reckons with (a share `leak` of) its own effect; certificate: the slope left."""
        ran = run(self.society(leak), self.patience, tolerance=self.tolerance)
        found = dataclasses.replace(ran, values=self.outcome(ran.society).values)
        slope = self.gap(found)
        code = CODES.index(Status.SETTLED if slope <= self.tolerance else Status.UNSETTLED)
        return dataclasses.replace(found, code=code, certificate=slope)

    def gap(self, outcome: Outcome) -> float:
        """The slope n dL/dtheta left, root mean square over neurons."""
        missing = residual(self.loss, jnp.asarray(outcome.output), self.y)
        slopes = Neuron(outcome.parameters, jnp.asarray(self.rate), self.act).climb(missing, self.X)
        return float(jnp.sqrt(steepness(slopes) / slopes.out.size))

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: 1 - L / L of the best constant, the share explained of the rows learnt from; `loss`."""
        level = float(jnp.mean(self.y))
        level = float(np.log(level / (1 - level))) if self.loss == "logistic" else level
        least = float(mean_loss(self.loss, jnp.full_like(self.y, level), self.y))
        return dict(efficiency=1 - outcome.loss / least, loss=outcome.loss)

    def effect(self, outcome: Outcome) -> float:
        """A neuron's share of what is said of a row, where it is largest, on average over neurons."""
        said = jnp.abs(outcome.parameters.said(self.X, ACTIVATIONS[self.act]))
        return float(jnp.mean(jnp.max(said / jnp.sum(said, 1, keepdims=True), 0)))

    # --- the facts disturbed ---

    def restrict(self, keep: Any) -> "TwoLayer":
        """The network of the neurons `keep` alone; its output is the mean of what they say."""
        left = jax.tree.map(lambda x: x[keep], self.start)
        if not left.out.size:
            raise Refused("no neurons would be left: there is nobody to say anything")
        return self.like(left)

    def replicate(self, copies: int) -> "TwoLayer":
        """Each neuron `copies` times: the output stays, each one's share of it is divided."""
        return self.like(jax.tree.map(lambda x: jnp.concatenate([x] * copies), self.start))

    def shocked(self, key: Any, size: float) -> "TwoLayer":
        """Targets disturbed by normal noise of `size` of their standard deviation; of labels, each flipped with chance `size`."""
        if self.loss == "logistic":
            y = jnp.where(jax.random.uniform(key, self.y.shape) < size, 1 - self.y, self.y)
        else:
            y = self.y + size * jnp.std(self.y) * jax.random.normal(key, self.y.shape, self.y.dtype)
        return dataclasses_like(self, y=y)

    def like(self, start: Parameters) -> "TwoLayer":
        """The same data and neurons that start elsewhere."""
        return dataclasses_like(self, start=start, neurons=int(start.out.size))

    def watch(self) -> dict[str, Callable[[Any], Any]]:
        """The loss, as the residual has it."""
        return {"loss": lambda society: loss_of(society.signal)}

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        held = f"{self.neurons:,} neurons, {self.X.shape[0]:,} rows"
        return dict(signal="residual", measure="share of the data explained", population=held)

    def scene(self, society: Society) -> Scene:
        """Neurons by their first two input weights (or weight and bias), coloured by output weight; of one feature, the fit."""
        own = jax.tree.map(np.asarray, society.agents.own)
        up = own.weights[:, 1] if own.weights.shape[1] > 1 else own.bias
        items: list[Any] = [Points(own.weights[:, 0], up, size=np.abs(own.out), colour=own.out)]
        if own.weights.shape[1] == 1:
            place = np.asarray(self.X[:, 0])
            order = np.argsort(place, kind="stable")
            for name, line in (("data", np.asarray(self.y)), ("network", self.outcome(society).output)):
                items.append(Series(place[order], line[order], name))
        return Scene("Two-layer network", items)


def dataclasses_like(problem: TwoLayer, **changed: Any) -> TwoLayer:
    """The problem with other facts."""
    names = ("X", "y", "neurons", "act", "loss", "rate", "seed", "start")
    return TwoLayer(**{name: getattr(problem, name) for name in names} | changed)


def table(X: Any, y: Any, loss: str) -> tuple[Any, Any]:
    """Rows and targets as arrays of JAX's float type, checked."""
    if loss not in LOSSES:
        raise BadInput(f"TwoLayer.loss is {loss!r}: give one of {', '.join(LOSSES)}")
    try:
        rows, targets = np.asarray(X, np.float64), np.asarray(y, np.float64)
    except (TypeError, ValueError):
        raise BadInput("TwoLayer.X and y must be numbers: encode words and labels first") from None
    if rows.ndim != 2 or 0 in rows.shape:
        raise BadInput(f"TwoLayer.X has shape {rows.shape}: give [rows, features], at least one of each")
    if targets.shape != rows.shape[:1]:
        raise BadInput(f"TwoLayer.y has shape {targets.shape}: give one number for each of {len(rows)} rows")
    for name, array in (("X", rows), ("y", targets)):
        wrong = np.argwhere(~np.isfinite(array))
        if len(wrong):
            raise BadInput(f"TwoLayer.{name}{wrong[0].tolist()} is {array[tuple(wrong[0])]}: give finite numbers only")
    labels = np.flatnonzero((targets != 0) & (targets != 1))
    if loss == "logistic" and labels.size:
        raise BadInput(f"TwoLayer.y[{labels[0]}] is {targets[labels[0]]:g}: a logistic loss takes labels 0 and 1")
    if np.ptp(targets) == 0:
        raise BadInput(f"TwoLayer.y is {targets[0]:g} in every row: there is nothing to learn")
    return jnp.asarray(rows), jnp.asarray(targets)


def drawn(neurons: int, features: int, seed: int) -> Parameters:
    """Weights, neuron by neuron from keys of their own."""

    def one(key: Any) -> Parameters:
        a, w, b = jax.random.split(key, 3)
        weights = jax.random.normal(w, (features,)) / np.sqrt(features)
        return Parameters(jax.random.normal(a), weights, jax.random.normal(b))

    return jax.vmap(lambda i: one(jax.random.fold_in(make_key(seed), i)))(jnp.arange(neurons, dtype=jnp.uint32))


def output(own: Parameters, rows: Any, act: str) -> Any:
    """The network's output [rows]: the mean of what the neurons say."""
    return jnp.mean(own.said(rows, ACTIVATIONS[act]), 1)


def loss_of(signal: Residual) -> Any:
    """The loss that a residual tells of: a label is given the chance 1 - |r|."""
    if signal.loss == "squared":
        return jnp.mean(signal.residual**2) / 2
    tiny = jnp.finfo(signal.residual.dtype).tiny
    return -jnp.mean(jnp.log(jnp.maximum(1 - jnp.abs(signal.residual), tiny)))


@eqx.filter_jit
def alone(own: Parameters, rows: Any, targets: Any, rate: float, rounds: int, act: str, loss: str) -> Parameters:
    """Each neuron's own `rounds` steps towards the targets, hearing nobody."""

    def step(_: Any, now: Parameters) -> Parameters:
        said, back = jax.vjp(lambda p: p.said(rows, ACTIVATIONS[act]), now)
        (slope,) = back(residual(loss, said, targets[:, None]) / targets.size)
        return jax.tree.map(lambda x, g: x - rate * g, now, slope)

    return jax.lax.fori_loop(0, rounds, step, own)
