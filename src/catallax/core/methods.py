"""Ways to a fixed point x = g(x) of one round: step by step, by Newton, by Anderson.

Each is given a vector function and works inside `jit`; none is differentiated (the gradient of `settle` comes
from the implicit function theorem, whatever the way).
"""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from catallax.core.errors import BadInput


class Found(NamedTuple):
    """Where a method ended: the point, rounds used, the measure of rest there, and whether it keeps coming back."""

    point: Any
    rounds: Any
    measure: Any
    cycling: Any


class Method(eqx.Module):
    """A way to a fixed point."""

    @abc.abstractmethod
    def solve(self, step: Callable, start, tolerance: float, max_rounds: int) -> Found:
        """`step(x) -> (g(x), measure)`, x a flat vector; the measure is 0 at rest. Stops where it is <= tolerance."""


class Orbit(NamedTuple):
    """Has the point left a place and come back to it? An anchor dropped at rounds 1, 2, 4, 8, ... (after Brent)."""

    anchor: Any
    due: Any
    away: Any
    back: Any

    @staticmethod
    def at(x) -> "Orbit":
        zero = jnp.zeros((), x.dtype)
        return Orbit(x, jnp.int32(1), zero, zero + jnp.inf)

    def seen(self, x, n) -> "Orbit":
        distance = jnp.linalg.norm(x - self.anchor)
        away = jnp.maximum(self.away, distance)
        back = jnp.where(distance < away / 2, jnp.minimum(self.back, distance), self.back)
        fresh = n >= self.due
        start = Orbit.at(x)
        kept = Orbit(self.anchor, self.due, away, back)
        return jax.tree.map(lambda a, b: jnp.where(fresh, a, b), start._replace(due=self.due * 2), kept)

    @property
    def returned(self):
        """Back within a quarter of the way that it went, though it does not rest."""
        return self.back < self.away / 4


class Picard(Method):
    """Round after round, `x <- (1 - damping) x + damping g(x)`; it also notices when the signal goes in circles."""

    damping: float = eqx.field(static=True, default=1.0)

    def __check_init__(self) -> None:
        if isinstance(self.damping, (int, float)) and not 0 < self.damping <= 1:
            raise BadInput(f"Picard.damping is {self.damping!r}: give the share of a step to take, in (0, 1]")

    def solve(self, step: Callable, start, tolerance: float, max_rounds: int) -> Found:
        def going(carry):
            _, n, measure, _ = carry
            return (n < max_rounds) & ~(measure <= tolerance) & ~jnp.isnan(measure)

        def body(carry):
            x, n, _, orbit = carry
            new, measure = step(x)
            moved = x + jnp.asarray(self.damping, x.dtype) * (new - x)
            x = jnp.where(measure <= tolerance, x, moved)  # the point that was measured is the point that is kept
            return x, n + 1, measure, orbit.seen(x, n)

        first = (start, jnp.int32(0), jnp.asarray(jnp.inf, start.dtype), Orbit.at(start))
        x, n, measure, orbit = jax.lax.while_loop(going, body, first)
        return Found(x, n, measure, ~(measure <= tolerance) & orbit.returned)


class Newton(Method):
    """Newton's method with Powell's dogleg as its safeguard (Optimistix), on g(x) - x. For states of up to a few thousand numbers."""

    def solve(self, step: Callable, start, tolerance: float, max_rounds: int) -> Found:
        import optimistix as optx  # imported here: it takes a second, and most runs do without

        exact = tolerance * 1e-3
        solver = optx.Dogleg(rtol=exact, atol=exact, norm=optx.max_norm)
        answer = optx.root_find(
            lambda x, _: step(x)[0] - x, solver, start, max_steps=max_rounds, throw=False
        )
        return Found(answer.value, answer.stats["num_steps"], step(answer.value)[1], jnp.asarray(False))


class Anderson(Method):
    """Anderson's mixing of the last `depth` rounds (Anderson 1965; Walker and Ni 2011, eq. 2.1-2.2), safeguarded.

    The next point is the combination of past rounds whose residuals g(x) - x, so combined, are least in the
    sense of least squares. Safeguards: the normal equations are regularised by `ridge` (a share of their
    largest entry), a step is no longer than `reach` times the largest residual since the last restart, and
    when the residual grows to more than `growth` times the best, memory is dropped and it goes on from the best
    point with a plain round of random share, so that it does not repeat itself. Depth 1 has too little memory
    for a spiral (a pair of complex eigenvalues needs two directions): at least 2.
    """

    depth: int = eqx.field(static=True, default=5)
    ridge: float = eqx.field(static=True, default=1e-12)
    reach: float = eqx.field(static=True, default=10.0)
    growth: float = eqx.field(static=True, default=1e3)

    def __check_init__(self) -> None:
        if not isinstance(self.depth, int) or self.depth < 2:
            raise BadInput(f"Anderson.depth is {self.depth!r}: give a whole number of at least 2")

    def solve(self, step: Callable, start, tolerance: float, max_rounds: int) -> Found:
        depth, dtype = self.depth, start.dtype
        ridge = max(self.ridge, 10 * float(jnp.finfo(dtype).eps) ** 2)

        def going(carry):
            return (carry["n"] < max_rounds) & ~(carry["measure"] <= tolerance)

        def body(c):
            new, measure = step(c["x"])
            residual = new - c["x"]
            size = jnp.where(jnp.isnan(residual).any(), jnp.inf, jnp.linalg.norm(residual))
            better = size < c["best_size"]
            best = jnp.where(better, c["x"], c["best"])
            best_residual = jnp.where(better, residual, c["best_residual"])
            best_size = jnp.minimum(size, c["best_size"])
            lost = ~(size <= self.growth * best_size)
            # memory of differences, the newest last
            point_steps = jnp.roll(c["point_steps"], -1, 0).at[-1].set(c["x"] - c["last"])
            residual_steps = jnp.roll(c["residual_steps"], -1, 0).at[-1].set(residual - c["last_residual"])
            first = c["memory"] < 0
            memory = jnp.where(first, 0, jnp.minimum(c["memory"] + 1, depth))
            held = jnp.arange(depth) >= depth - memory
            dx = jnp.where(held[:, None], point_steps, 0)
            dr = jnp.where(held[:, None], residual_steps, 0)
            gram = dr @ dr.T
            gram = gram + jnp.diag(jnp.where(held, ridge * jnp.max(jnp.diag(gram)) + 1e-300**0.5, 1).astype(dtype))
            weight = jnp.linalg.solve(gram, dr @ residual)
            move = residual - weight @ (dx + dr)
            longest = self.reach * jnp.maximum(jnp.linalg.norm(residual), jnp.max(jnp.linalg.norm(dr, axis=1)))
            move = move * jnp.minimum(1, longest / jnp.maximum(jnp.linalg.norm(move), jnp.finfo(dtype).tiny))
            share = jax.random.uniform(jax.random.fold_in(c["key"], c["n"]), (), dtype, 0.05, 1.0)
            fresh = lost | jnp.isnan(move).any()
            x = jnp.where(fresh, best + share * best_residual, c["x"] + move)
            settled = measure <= tolerance
            return dict(
                x=jnp.where(settled, c["x"], x),
                last=c["x"],
                last_residual=residual,
                point_steps=point_steps,
                residual_steps=residual_steps,
                memory=jnp.where(fresh, -1, memory),
                best=best,
                best_residual=best_residual,
                best_size=jnp.where(fresh, best_size * 2, best_size),
                n=c["n"] + 1,
                measure=measure,
                key=c["key"],
            )

        zeros = jnp.zeros((depth, start.size), dtype)
        infinite = jnp.asarray(jnp.inf, dtype)
        out = jax.lax.while_loop(
            going,
            body,
            dict(
                x=start,
                last=start,
                last_residual=jnp.zeros_like(start),
                point_steps=zeros,
                residual_steps=zeros,
                memory=jnp.int32(-1),
                best=start,
                best_residual=jnp.zeros_like(start),
                best_size=infinite,
                n=jnp.int32(0),
                measure=infinite,
                key=jax.random.key(0),
            ),
        )
        return Found(out["x"], out["n"], out["measure"], jnp.asarray(False))
