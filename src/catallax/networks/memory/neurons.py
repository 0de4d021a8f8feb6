"""Neurons told overlaps: a memory as a society. What is public is how like each stored pattern the whole state is.

    spins    m_mu = sum_i x_mu,i s_i           x_i . F'(m) - leak P s_i      a spin flips where this is against it
    units    p = softmax(beta m)               xi_i = sum_mu p_mu x_mu,i     a unit says the mean of what is sought

A neuron knows its own entry in each pattern, x_i [patterns], and hears P numbers, whatever the number of neurons. Spins
act by what they change, so that the sum of a round may be heard turn by turn; units by all that they add.

J. Hopfield, Neural networks and physical systems with emergent collective computational abilities, PNAS 79, 1982.
D. Krotov and J. Hopfield, Dense associative memory for pattern recognition, NeurIPS 2016.
H. Ramsauer et al., Hopfield networks is all you need, ICLR 2021.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int8

from catallax.core.agent import Agent, View
from catallax.core.channel import Span
from catallax.core.signal import Signal


class Moved(NamedTuple):
    """What a spin's flip changes: each overlap by -2, 0 or 2, and the count of flips."""

    overlaps: Int[Array, "*agents patterns"]
    flips: Int[Array, "*agents"]


class Spin(Agent):
    """One neuron that is +1 or -1. `stored`: its entry in each pattern; `leak`: how much of the own effect it knows.

    `degree`: of the energy's power: 2 is classical, F(m) = m^2 / 2; above, F(m) = max(m, 0)^degree.
    """

    spin: Int8[Array, "*agents"]
    stored: Int8[Array, "*agents patterns"]
    leak: Float[Array, ""]
    neurons: Float[Array, ""]
    classical: bool = eqx.field(static=True)
    degree: int = eqx.field(static=True)

    def pull(self, overlaps: Float[Array, " patterns"]) -> Any:
        """Which way what is heard would have the spin point, for one neuron or a stack of them."""
        held = self.stored.astype(overlaps.dtype)
        if self.classical:
            return held @ overlaps - self.leak * held.shape[-1] * self.spin
        return held @ jnp.maximum(overlaps / self.neurons, 0) ** (self.degree - 1)

    def turned(self, overlaps: Float[Array, " patterns"]) -> tuple["Spin", Any]:
        """The neuron after what it heard, and the change of its spin."""
        spin = jnp.where(self.pull(overlaps) * self.spin < 0, -self.spin, self.spin)
        return eqx.tree_at(lambda n: n.spin, self, spin), spin - self.spin

    def respond(self, view: View, key) -> tuple["Spin", Moved]:
        new, change = self.turned(view.public)
        return new, Moved(change.astype(jnp.int32) * self.stored, (change != 0).astype(jnp.int32))

    def tally(self, view: View, keys) -> tuple["Spin", Moved]:
        """All at once: two matrix products. (Sums of signs: exact in floats.)"""
        new, change = self.turned(view.public)
        moved = change.astype(view.public.dtype) @ self.stored.astype(view.public.dtype)
        return new, Moved(moved.astype(jnp.int32), jnp.sum(change != 0, dtype=jnp.int32))


class Overlaps(Signal):
    """How much the spins agree with each pattern. Unrest: how many flipped; at 0, with all awake, it is a fixed point."""

    merge = "count"
    overlaps: Int[Array, " patterns"]
    neurons: Float[Array, ""]

    def public(self) -> Float[Array, " patterns"]:
        return jnp.asarray(self.overlaps).astype(self.neurons.dtype)

    def propagate(self, summary: Moved) -> "Overlaps":
        return Overlaps(self.overlaps + summary.overlaps, self.neurons)

    def unrest(self, summary: Moved):
        return summary.flips

    def span(self) -> Span:
        return Span(-self.neurons, self.neurons)


class Unit(Agent):
    """One neuron of a modern memory: it says the mean of its own entries, weighted by what is heard."""

    value: Float[Array, "*agents"]
    stored: Float[Array, "*agents patterns"]

    def respond(self, view: View, key) -> tuple["Unit", Float[Array, " patterns"]]:
        value = self.stored @ view.public
        return Unit(value, self.stored), value * self.stored

    def tally(self, view: View, keys) -> tuple["Unit", Float[Array, " patterns"]]:
        value = self.stored @ view.public
        return Unit(value, self.stored), value @ self.stored


class Attention(Signal):
    """Weights of patterns, softmax(beta m): whoever is most alike is heard most. Unrest: how far the weights move."""

    standing = True
    overlaps: Float[Array, " patterns"]
    beta: Float[Array, ""]

    def public(self) -> Float[Array, " patterns"]:
        return jax.nn.softmax(self.beta * self.overlaps)

    def propagate(self, summary) -> "Attention":
        return Attention(summary, self.beta)

    def unrest(self, summary):
        return jnp.max(jnp.abs(jax.nn.softmax(self.beta * summary) - self.public()))

    def span(self) -> Span:
        return Span(jnp.zeros_like(self.beta), jnp.ones_like(self.beta))
