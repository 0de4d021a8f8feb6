"""Roads that tell how long they take, and travellers who move to what is cheaper.

A trip of demand d splits it over its paths by shares x; a round moves the shares down the price that is heard and back onto
the simplex,

    x <- projection of (x - h/d sum_{e on path} [t_e(X_e) + toll_e + leak d x_e t_e'(X_e)])   (mirror descent, Euclidean)

which converges where h is below the inverse of the largest slope of path costs. At leak 0 it rests in Wardrop's
equilibrium; at leak 1 every trip is a dispatcher's who knows what its own flow does to the times.

A. Nagurney and D. Zhang, Projected dynamical systems and variational inequalities, 1996.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from catallax.core.agent import Agent, View
from catallax.core.channel import Span
from catallax.core.signal import Signal


class Traveller(Agent):
    """All who make one trip: shares of its demand on its paths, moved towards what is cheaper.

    `on`: which edges a path uses; `open`: whether the trip has that path; `step`: h/d; `leak`: the believed share of
    the own effect on the times.
    """

    on: Float[Array, "*trips paths edges"]
    open: Bool[Array, "*trips paths"]
    demand: Float[Array, "*trips"]
    share: Float[Array, "*trips paths"]
    step: Float[Array, "*trips"]
    leak: Float[Array, ""] | None = None

    def respond(self, view: View, key):
        """Its flow on every edge."""
        cost = view.public
        if self.leak is not None:
            cost, slope = view.public
            cost = cost + self.leak * self.demand * (self.share @ self.on) * slope
        share = onto_simplex(self.share - self.step * (self.on @ cost), self.open)
        return dataclasses.replace(self, share=share), self.demand * (share @ self.on)


class Times(Signal):
    """How long every road takes at the flow last seen, its toll on top; `slopes`: also how much longer for one more.

    `flow`; `latency`: coefficients of the powers of flow; `toll`; `all`: the demand of all trips together.
    """

    standing = True
    flow: Float[Array, " edges"]
    latency: Float[Array, "edges powers"]
    toll: Float[Array, " edges"]
    all: Float[Array, ""]
    slopes: bool = eqx.field(static=True, default=False)

    def public(self):
        """What a road costs [edges]; with `slopes` also its derivative by flow [edges]."""
        cost = times(self.latency, self.flow) + self.toll
        return (cost, times(derivative(self.latency), self.flow)) if self.slopes else cost

    def propagate(self, summary) -> "Times":
        return dataclasses.replace(self, flow=summary)

    def unrest(self, summary):
        """The largest change of a flow, as a share of all travellers."""
        return jnp.max(jnp.abs(summary - self.flow)) / self.all

    def span(self):
        """One price list for all roads: from the cheapest when empty to the dearest when all are on it."""
        cost = self.listed(self.latency, self.toll)
        return (cost, self.listed(derivative(self.latency), 0 * self.toll)) if self.slopes else cost

    def listed(self, latency, toll) -> Span:
        low = jnp.min(latency[:, 0] + toll)
        high = jnp.max(times(latency, jnp.full_like(self.flow, self.all)) + toll)
        return Span(low, jnp.where(high > low, high, low + 1))


def times(latency: Any, flow: Any) -> Any:
    """The polynomial of each edge at its flow, coefficients [edges, powers] of 1, X, X^2, ... (Horner)."""
    value = 0 * flow
    for power in reversed(range(latency.shape[1])):
        value = value * flow + latency[:, power]
    return value


def derivative(latency: Any) -> Any:
    """The coefficients of the derivative, [edges, powers - 1] (at least one column)."""
    if latency.shape[1] == 1:
        return 0 * latency
    return latency[:, 1:] * np.arange(1, latency.shape[1], dtype=latency.dtype)


def stride(latency: Any, demand: Any, on: Any, leak: Any) -> Any:
    """h: the inverse of a bound on the slopes of path costs (Gershgorin's), all travellers on every road.

    `on` [trips, paths, edges]: which edges a path uses. No derivative goes through it.
    """
    full = jnp.full(latency.shape[0], demand.sum())
    on = jnp.asarray(on, full.dtype)
    first = times(derivative(latency), full)
    slope = first + leak * (first + full * times(derivative(derivative(latency)), full))
    bound = jnp.max(on @ (on.sum((0, 1)) * slope))  # of all paths that meet on a road
    flat = jnp.max(on @ times(latency, full)) / demand.max()  # times that never change
    return jax.lax.stop_gradient(1 / jnp.where(bound > 0, bound, jnp.where(flat > 0, flat, 1)))


def independent(on: np.ndarray, is_open: np.ndarray, rising: np.ndarray) -> bool:
    """Whether the flows of roads with `rising` [edges] times determine those of all open paths."""
    trip = np.repeat(np.eye(len(on)), is_open.sum(1), axis=0)
    ways = np.concatenate([on[is_open][:, rising], trip], axis=1)
    return bool(np.linalg.matrix_rank(ways) == len(ways))


def onto_simplex(point: Float[Array, " paths"], is_open: Bool[Array, " paths"]) -> Float[Array, " paths"]:
    """The nearest shares >= 0 of open paths that add up to 1: what is above a level that makes them do so."""
    least = (
        jnp.max(jnp.where(is_open, point, -jnp.inf)) - 2
    )  # the level is within 1 of the largest: 0 for what is closed
    point = jnp.where(is_open, point, least)
    falling = -jnp.sort(-point)
    level = (jnp.cumsum(falling) - 1) / jnp.arange(1, point.size + 1)
    above = jnp.sum(falling > level)
    return jnp.maximum(point - level[above - 1], 0)
