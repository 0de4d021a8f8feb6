"""Ways to a fixed point x = g(x) of one round: step by step, by Newton, by Anderson (`anderson.py`).

Each is given a vector function and works inside `jit`; none is differentiated (the gradient of `settle` comes
from the implicit function theorem, whatever the way). What is watched is the residual f(x) = g(x) - x.

M. Powell, A hybrid method for nonlinear equations, in: Numerical Methods for Nonlinear Algebraic Equations, 1970.
"""

import abc
import functools as ft
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from catallax.core.errors import BadInput

NEAR = 4  # a return comes to within a quarter of how far it was away
STEADY = (0.98, 2.0)  # strides that neither die down nor blow up, from one stretch of rounds to the next, twice as long
PLAIN = 4  # plain rounds before a second attempt, twice as many before the third, ...
DAMPINGS = 3  # ... at shares 1, 1/2, 1/4, 1, ... of a round
REFUSALS = 50  # Newton steps refused one after the other: each a quarter of the last, so nothing is left of them


class Found(NamedTuple):
    """Where a method ended: the point, rounds used, the measure of rest there, and whether it keeps coming back."""

    point: Any
    rounds: Any
    measure: Any
    cycling: Any


class Method(eqx.Module):
    """A way to a fixed point."""

    @abc.abstractmethod
    def solve(self, step: Callable, start, tolerance, max_rounds) -> Found:
        """`step(x) -> (g(x), measure)`, x a flat vector; the measure is 0 at rest. Stops where it is <= tolerance."""


class Orbit(NamedTuple):
    """Does the point come back to where it was, with strides as long as ever?

    An anchor is dropped at rounds 1, 2, 4, 8, ... (after Brent); in the stretch since then `away` is the furthest
    from it and `back` the nearest after half of that; `stride` is the longest residual, `before` that of the stretch
    before. Slow convergence comes back as well where it is a spiral, but its strides get shorter.
    """

    anchor: Any
    due: Any
    away: Any
    back: Any
    stride: Any
    before: Any
    earlier: Any  # whether the stretch before came back

    @staticmethod
    def at(x) -> "Orbit":
        """The orbit that starts at `x`."""
        zero = jnp.zeros((), x.dtype)
        return Orbit(x, jnp.int32(1), zero, zero + jnp.inf, zero, zero, jnp.asarray(False))

    def seen(self, x, residual, n) -> "Orbit":
        """With the point of round `n` and its residual."""
        distance = jnp.linalg.norm(x - self.anchor)
        away = jnp.maximum(self.away, distance)
        back = jnp.where(distance < away / 2, jnp.minimum(self.back, distance), self.back)
        kept = self._replace(away=away, back=back, stride=jnp.maximum(self.stride, jnp.linalg.norm(residual)))
        fresh = Orbit.at(x)._replace(due=self.due * 2, before=kept.stride, earlier=kept.now)
        return jax.tree.map(lambda a, b: jnp.where(n >= self.due, a, b), fresh, kept)

    @property
    def now(self):
        """Whether this stretch has come back."""
        least, most = (bound * self.before for bound in STEADY)
        return (self.back < self.away / NEAR) & (self.stride >= least) & (self.stride <= most)

    @property
    def returned(self):
        """Whether this stretch or the last came back."""
        return self.now | self.earlier


class Picard(Method):
    """Round after round, `x <- (1 - damping) x + damping g(x)`; it also notices when the signal goes in circles."""

    damping: float = eqx.field(static=True, default=1.0)

    def __check_init__(self) -> None:
        if not isinstance(self.damping, (int, float)) or not 0 < self.damping <= 1:
            raise BadInput(f"Picard.damping is {self.damping!r}: give the share of a step to take, in (0, 1]")

    def solve(self, step: Callable, start, tolerance, max_rounds) -> Found:
        def going(carry):
            _, n, measure, moving, _ = carry
            return (n < max_rounds) & moving & ~(measure <= tolerance) & ~jnp.isnan(measure)

        def body(carry):
            x, n, _, _, orbit = carry
            new, measure = step(x)
            after = new if self.damping == 1 else x + self.damping * (new - x)  # exactly: it may be far from x
            after = jnp.where(measure <= tolerance, x, after)  # the point that was measured is the point that is kept
            return after, n + 1, measure, jnp.any(after != x), orbit.seen(x, new - x, n)

        first = (start, jnp.int32(0), jnp.asarray(jnp.inf, start.dtype), jnp.asarray(True), Orbit.at(start))
        x, n, measure, _, orbit = jax.lax.while_loop(going, body, first)
        return Found(x, n, measure, ~(measure <= tolerance) & orbit.returned)


class Newton(Method):
    """Newton's method with Powell's dogleg as its safeguard (Optimistix), on g(x) - x. For states of up to a few thousand numbers.

    Where the dogleg is stuck (a least residual that is not 0), it begins again after a few plain rounds from the
    start, each time more. Rounds are Newton steps, each with a matrix of derivatives, and these plain rounds.
    """

    def solve(self, step: Callable, start, tolerance, max_rounds) -> Found:
        import optimistix as optx  # imported here: it takes a second, and most runs do without

        exact = float(jnp.finfo(start.dtype).eps)
        solver = resting_dogleg()(rtol=exact, atol=exact, norm=optx.max_norm)

        def residual(x, _):
            new, measure = step(x)
            return new - x, measure <= tolerance

        def going(carry):
            attempt, found = carry
            lost = (attempt > 0) & ~jnp.isfinite(found.measure)
            return (found.rounds < max_rounds) & ~(found.measure <= tolerance) & ~lost

        def body(carry):
            attempt, best = carry
            count = jnp.minimum(PLAIN * attempt, max_rounds - best.rounds - 1)
            x = plain(step, start, count, share(attempt))
            left = max_rounds - best.rounds - count
            answer = optx.least_squares(residual, solver, x, args=left, has_aux=True, max_steps=None, throw=False)
            rounds = best.rounds + count + answer.stats["num_steps"].astype(jnp.int32)
            measure = step(answer.value)[1]
            better = measure < best.measure
            kept = (jnp.where(better, answer.value, best.point), rounds, jnp.where(better, measure, best.measure))
            return attempt + 1, Found(*kept, best.cycling)

        none = Found(start, jnp.int32(0), jnp.asarray(jnp.inf, start.dtype), jnp.asarray(False))
        return jax.lax.while_loop(going, body, (jnp.int32(0), none))[1]


def share(attempt):
    """The share of a plain round that is taken before an attempt: 1, 1/2, 1/4, 1, ..."""
    return 0.5 ** (attempt % DAMPINGS)


def plain(step: Callable, x, count, share):
    """`count` plain rounds from `x`, each by `share`; halted before a value that is not a number."""

    def body(_, x):
        moved = x + (share * (step(x)[0] - x)).astype(x.dtype)
        return jnp.where(jnp.isfinite(moved).all(), moved, x)

    return jax.lax.fori_loop(0, count, body, x)


@ft.cache
def resting_dogleg() -> Any:
    """Optimistix' Dogleg, which also ends at rest, when stuck, and when the steps (its `args`) are used up."""
    import optimistix as optx

    class Dogleg(optx.Dogleg):
        def terminate(self, fn, y, args, options, state, tags):
            ended, result = super().terminate(fn, y, args, options, state, tags)
            stuck = state.num_steps_since_acceptance >= REFUSALS
            return ended | state.aux | stuck | (state.num_steps >= args), result

    return Dogleg
