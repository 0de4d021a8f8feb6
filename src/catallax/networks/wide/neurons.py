"""Neurons of a two-layer network, told what is still missing.

    f(x) = 1/n sum_i o_i(x),   o_i(x) = a_i act(w_i . x + b_i)             the mean of what the neurons say
    r    = dL/df at each row, times the rows                               the residual: f - y, or sigmoid(f) - y

A price-taker holds r to be given, so that what it says is worth -<r, o_i> / rows to it, and climbs that:

    theta_i <- theta_i - rate grad <r, o_i(theta_i)> / rows                 = theta_i - rate n dL/dtheta_i

which is gradient descent of L, each neuron's own share worked out by the neuron. One that reckons with a share `leak` of
its own effect on r knows that what it changes comes back, divided by n: with J = do_i/dtheta_i [rows, parameters] and c the
largest curvature d^2 L/df^2 of a row, times the rows (1 squared, 1/4 logistic),

    theta_i <- theta_i - rate (1 + leak rate c J'J / (n rows))^-1 grad <r, o_i> / rows       (a linearised implicit step)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from catallax.core.agent import Agent, View
from catallax.core.channel import Span
from catallax.core.signal import Signal

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "gelu": jax.nn.gelu,
}


CURVATURE = {"squared": 1.0, "logistic": 0.25}


class Parameters(NamedTuple):
    """Of one neuron, or stacked: output weight, input weights, bias."""

    out: Float[Array, "*agents"]
    weights: Float[Array, "*agents features"]
    bias: Float[Array, "*agents"]

    def said(self, rows: Float[Array, "rows features"], act: Callable) -> Any:
        """What one neuron says of each row [rows]; stacked neurons: [rows, neurons]."""
        return self.out * act(rows @ self.weights.T + self.bias)


class Said(NamedTuple):
    """What a neuron does: its output of each row, and the square of its slope, by which rest is known."""

    output: Float[Array, "*agents rows"]
    steepness: Float[Array, "*agents"]


class Neuron(Agent):
    """A price-taker: it takes the residual as given. Its rows reach it alone, as facts."""

    own: Parameters
    rate: Float[Array, ""]
    act: str = eqx.field(static=True)

    def respond(self, view: View, key) -> tuple["Neuron", Said]:
        slope = self.climb(view.public, view.local)
        new = self.moved(slope)
        return new, Said(new.own.said(view.local, ACTIVATIONS[self.act]), steepness(slope))

    def tally(self, view: View, keys) -> tuple["Neuron", Said]:
        """All at once: matrix products of rows and neurons."""
        rows = view.local[0]  # the same for all
        slope = self.climb(view.public, rows)
        new = self.moved(slope)
        return new, Said(jnp.sum(new.own.said(rows, ACTIVATIONS[self.act]), 1), steepness(slope))

    def climb(self, residual: Float[Array, " rows"], rows: Float[Array, "rows features"]) -> Parameters:
        """grad <r, o_i> / rows, of one neuron or of each of a stack."""
        _, back = jax.vjp(lambda own: own.said(rows, ACTIVATIONS[self.act]), self.own)
        share = residual / residual.size
        return back(
            share if self.own.out.ndim == 0 else jnp.broadcast_to(share[:, None], (share.size, self.own.out.size))
        )[0]

    def moved(self, slope: Parameters) -> "Neuron":
        """A step of length `rate` downhill."""
        own = jax.tree.map(lambda x, g: x - self.rate * g, self.own, slope)
        return eqx.tree_at(lambda n: n.own, self, own)


class Reckoner(Agent):
    """A neuron that knows a share `leak` of its own effect on the residual, 1/n of what it changes."""

    own: Parameters
    rate: Float[Array, ""]
    leak: Float[Array, ""]
    neurons: Float[Array, ""]
    act: str = eqx.field(static=True)
    loss: str = eqx.field(static=True)

    def respond(self, view: View, key) -> tuple["Reckoner", Said]:
        residual, rows = view.public, view.local
        flat, parameters = ravel_pytree(self.own)

        def said(theta):
            return parameters(theta).said(rows, ACTIVATIONS[self.act])

        slopes = jax.jacfwd(said)(flat)
        own = self.leak * self.rate * CURVATURE[self.loss] / (self.neurons * residual.size)
        reply = jnp.eye(flat.size, dtype=flat.dtype) + own * slopes.T @ slopes
        slope = slopes.T @ residual / residual.size
        step = jnp.linalg.solve(reply, slope)
        new = eqx.tree_at(lambda n: n.own, self, parameters(flat - self.rate * step))
        return new, Said(new.own.said(rows, ACTIVATIONS[self.act]), jnp.sum(slope**2))


class Residual(Signal):
    """What is still missing in each row: the derivative of the loss by the output. Unrest: the root mean square slope.

    The output is the mean of what all neurons say; an idle neuron goes on saying what it said. `inputs` and `targets` are
    facts, and reach each neuron as such; `gauge`: the largest residual that a channel can tell.
    """

    standing = True
    residual: Float[Array, " rows"]
    inputs: Float[Array, "rows features"]
    targets: Float[Array, " rows"]
    neurons: Float[Array, ""]
    gauge: Float[Array, ""]
    loss: str = eqx.field(static=True)

    def public(self) -> Float[Array, " rows"]:
        return jnp.asarray(self.residual)

    def local(self, agents) -> Float[Array, "agents rows features"]:
        return jnp.broadcast_to(self.inputs, (agents.own.out.shape[0], *self.inputs.shape))

    def propagate(self, summary: Said) -> "Residual":
        missing = residual(self.loss, summary.output / self.neurons, self.targets)
        return eqx.tree_at(lambda s: s.residual, self, missing)

    def unrest(self, summary: Said):
        return jnp.sqrt(summary.steepness / self.neurons)

    def span(self) -> Span:
        return Span(-self.gauge, self.gauge)


def steepness(slope: Parameters) -> Any:
    """The squares of slopes, all added up."""
    return sum(jnp.sum(x**2) for x in slope)


def residual(loss: str, output: Any, targets: Any) -> Any:
    """dL/df at each row, times the rows."""
    return output - targets if loss == "squared" else jax.nn.sigmoid(output) - targets


def mean_loss(loss: str, output: Any, targets: Any) -> Any:
    """Half the mean square, or the mean negative log-likelihood (nats) of targets in {0, 1}."""
    if loss == "squared":
        return jnp.mean((output - targets) ** 2) / 2
    return jnp.mean(jax.nn.softplus(output) - targets * output)
