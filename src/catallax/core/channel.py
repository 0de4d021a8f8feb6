"""What happens to the public part of a signal on its way: few bits, noise, delay, loss.

A leaf with the span (low, high) is cut into 2^bits cells of equal width, on its linear or log scale, and heard
as the centre of its cell, so that one bit never says "price 0" and a heard leaf takes at most 2^bits values.
Noise is Gaussian, its standard deviation a share of the span, one draw for everyone (it is the broadcast that
is noisy); what lies beyond the span is heard at its end. Delay is in rounds. Loss is the chance that an agent
hears nothing in a round and is idle. What reaches an agent alone (`View.local`) travels exactly: what is public
is what is scarce.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.errors import BadInput, Refused


class Span(NamedTuple):
    """The range of one public leaf, `low` and `high` broadcastable to it, and its scale: linear or log."""

    low: Any
    high: Any
    scale: str = "linear"


class Wiring(NamedTuple):
    """Which parts of a channel are switched on: what the compiled round depends on."""

    quantised: bool = False
    noisy: bool = False
    lossy: bool = False
    delay: int = 0


class Channel(eqx.Module):
    """`bits` a public float (1 to 32; None: exact), `noise` (share of its span), `delay` (rounds), `loss` (chance).

    Raises BadInput for a value outside these ranges.
    """

    bits: int | None = None
    noise: float = 0.0
    delay: int = 0
    loss: float = 0.0

    def __check_init__(self) -> None:
        whole = self.bits is None or (isinstance(self.bits, int) and not isinstance(self.bits, bool))
        if not whole or (self.bits is not None and not 1 <= self.bits <= 32):
            raise BadInput(f"Channel.bits is {self.bits!r}: give a whole number from 1 to 32, or None for exact")
        if not 0 <= self.noise < float("inf"):
            raise BadInput(f"Channel.noise is {self.noise!r}: give a standard deviation >= 0, as a share of the span")
        if not isinstance(self.delay, int) or isinstance(self.delay, bool) or not 0 <= self.delay <= 10_000:
            raise BadInput(f"Channel.delay is {self.delay!r}: give a whole number of rounds from 0 to 10,000")
        if not 0 <= self.loss < 1:
            raise BadInput(f"Channel.loss is {self.loss!r}: give a chance of at least 0 and below 1")

    @property
    def wiring(self) -> Wiring:
        return Wiring(self.bits is not None, self.noise > 0, self.loss > 0, self.delay)

    def knobs(self) -> tuple:
        """The channel's numbers as traced values, so that one executable serves every number of bits."""
        levels = 2.0 ** (self.bits or 0)
        return tuple(np.float32(x) for x in (levels, self.noise, self.loss))


def spans(signal, public) -> list[Span]:
    """The span of each float leaf of `public`; Refused where the signal does not say it."""
    given = jax.tree.leaves(signal.span(), is_leaf=is_span)
    floats = [x for x in jax.tree.leaves(public) if is_float(x)]
    if not floats:
        raise Refused(
            f"{type(signal).__name__} has no public number with a fraction: nothing there can be cut or made noisy"
        )
    if len(given) != len(floats) or not all(is_span(x) for x in given):
        raise Refused(
            f"{type(signal).__name__} gives no span for each of its {len(floats)} public float leaves, so its signal "
            "cannot be cut to bits or made noisy: define span()"
        )
    return [Span(*x) for x in given]


def is_float(x) -> bool:
    """True for what a channel cuts to bits."""
    return eqx.is_array(x) and jnp.issubdtype(x.dtype, jnp.floating)


def is_span(x) -> bool:
    """A Span, or a plain tuple like one."""
    return isinstance(x, tuple) and len(x) == 3 and isinstance(x[2], str)


def check_spans(signal) -> None:
    """BadInput for a span that is empty, or has no logarithm where it is on a log scale."""
    for low, high, scale in spans(signal, signal.public()):
        low, high = np.asarray(low), np.asarray(high)
        where = f"{type(signal).__name__}.span() gives {low.min():.6g} to {high.max():.6g}"
        if scale not in ("linear", "log"):
            raise BadInput(f"{where} on the scale {scale!r}: give 'linear' or 'log'")
        if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
            raise BadInput(f"{where}: low must be below high, and both finite")
        if scale == "log" and not (low > 0).all():
            raise BadInput(f"{where} on a log scale: low must be above 0")


def unit(x, span: Span):
    """`x` as a share of its span, on the span's scale."""
    if span.scale == "log":
        return (jnp.log(x) - jnp.log(span.low)) / (jnp.log(span.high) - jnp.log(span.low))
    return (x - span.low) / (span.high - span.low)


def from_unit(share, span: Span):
    """The inverse of `unit`."""
    if span.scale == "log":
        return jnp.exp(jnp.log(span.low) + share * (jnp.log(span.high) - jnp.log(span.low)))
    return span.low + share * (span.high - span.low)


def spoil(x, span: Span, wiring: Wiring, knobs: tuple, key):
    """One leaf through noise and quantisation, of the same dtype (computed in float32 at least)."""
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    levels, noise, _ = (k.astype(dtype) for k in knobs)
    span = Span(jnp.asarray(span.low, dtype), jnp.asarray(span.high, dtype), span.scale)
    share = unit(jnp.clip(x.astype(dtype), span.low, span.high), span)
    if wiring.noisy:
        share = jnp.clip(share + noise * jax.random.normal(key, x.shape, dtype), 0, 1)
    if wiring.quantised:
        share = (jnp.minimum(jnp.floor(share * levels), levels - 1) + 0.5) / levels
    return from_unit(share, span).astype(x.dtype)


def send(signal, wire, wiring: Wiring, knobs: tuple, key, t) -> tuple[Any, Any]:
    """What everyone hears in round `t`, and the wire after it (what is still under way)."""
    public = signal.public()
    if wiring.delay:
        slot = t % wiring.delay  # holds what was sent `delay` rounds ago
        sent, public = public, jax.tree.map(lambda w: w[slot], wire)
        wire = jax.tree.map(lambda w, x: w.at[slot].set(x), wire, sent)
    if not (wiring.quantised or wiring.noisy):
        return public, wire
    leaves, tree = jax.tree.flatten(public)
    ranges = iter(spans(signal, public))
    heard = [
        spoil(x, next(ranges), wiring, knobs, jax.random.fold_in(key, i)) if is_float(x) else x
        for i, x in enumerate(leaves)
    ]
    return tree.unflatten(heard), wire


def empty_wire(signal, delay: int) -> Any:
    """A wire on which the opening signal has been under way for `delay` rounds, [delay, ...]; None without delay."""
    if not delay:
        return None
    return jax.tree.map(lambda x: jnp.stack([x] * delay), signal.public())
