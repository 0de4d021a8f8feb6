"""Anderson's mixing of the last rounds, safeguarded: for systems whose plain rounds do not converge, or slowly.

With f(x) = g(x) - x, secants (s_i, y_i) = (x - b, f(x) - f(b)) of trials x from the points b they started from, and
Y an orthonormal basis of the y_i (S the same combinations of the s_i), the next trial is

    x = b + f(b) - (S + Y) Y'f(b)          (type II mixing: least residual in the span, plus a plain round)

Safeguards, each against a known failure:

- a trial is accepted where |f| is below twice the larger of the last two accepted, so that it may pass a ridge but
  not run away (a nonmonotone line search, after Grippo and others); if not, the next is at most a quarter as far from
  the same point, and the refused one still teaches a secant: steps grow shorter and the model better until it is
  right (as Li and Fukushima prove of Broyden's);
- a trial is no further than the radius: |f| at first, doubled by what is accepted;
- secants are orthogonalised newest first, and one within an angle of 1e-3 of the newer is forgotten (the filter of
  Pollock and Rebholz), so memory is spent on directions and no system of equations can be singular;
- when |f| has not fallen by a tenth in 30 trials, everything is forgotten and it begins again, in turn from the best
  point, after plain rounds that grow in number, and from the start, with a radius that shrinks. So what plain (or
  damped) rounds settle from anywhere is settled sooner or later, as Zhang and others ensure for nonexpansive g.

D. Anderson, Iterative procedures for nonlinear integral equations, J. ACM 12, 1965.
H. Walker and P. Ni, Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49, 2011.
S. Pollock and L. Rebholz, Filtering for Anderson acceleration, SIAM J. Sci. Comput. 45, 2023.
D.-H. Li and M. Fukushima, A derivative-free line search and global convergence of Broyden-like method for nonlinear
equations, Optim. Methods Softw. 13, 2000.
L. Grippo, F. Lampariello and S. Lucidi, A nonmonotone line search technique for Newton's method, SIAM J. Numer.
Anal. 23, 1986.
J. Zhang, B. O'Donoghue and S. Boyd, Globally convergent type-I Anderson acceleration for nonsmooth fixed-point
iterations, SIAM J. Optim. 30, 2020.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from catallax.core.errors import BadInput
from catallax.core.methods import PLAIN, Found, Method, share

ANGLE = 1e-3  # radians between a secant and the newer ones, below which it says nothing new
GROWTH = 2.0  # of the residual that is allowed, and of the radius
SHRINK = 0.25  # of a step that was refused
FALL = 0.9  # what counts as progress
PATIENCE = 30  # trials without it
CARES = 8  # times that the radius shrinks from one attempt at the start to the next, before it is whole again


class Secants(NamedTuple):
    """Steps [depth, n] and the changes of the residual [depth, n] that they made, newest first; which rows are in use."""

    moves: Any
    changes: Any
    held: Any


class Point(NamedTuple):
    """A point, its residual, the residual's norm (inf: not known), and the measure of rest there."""

    place: Any
    residual: Any
    size: Any
    measure: Any


class Search(NamedTuple):
    """What rounds carry. `base`: the accepted point; `allowed`: the residual up to which a trial is accepted (inf in
    plain rounds and at a fresh start); `mark`: the residual at the last progress, `idle` trials ago; `plain`: plain
    rounds still to do; `attempt`: how often it has begun again."""

    trial: Any
    base: Point
    best: Point
    allowed: Any
    radius: Any
    secants: Secants
    mark: Any
    idle: Any
    plain: Any
    attempt: Any
    rounds: Any


class Anderson(Method):
    """Anderson's mixing of the last `depth` rounds, safeguarded (see the head of this file).

    Depth 1 has too little memory for a spiral (a pair of complex eigenvalues needs two directions): at least 2. A
    state of n numbers takes 2 depth n more of memory.
    """

    depth: int = eqx.field(static=True, default=8)

    def __check_init__(self) -> None:
        if isinstance(self.depth, bool) or not isinstance(self.depth, int) or self.depth < 2:
            raise BadInput(f"Anderson.depth is {self.depth!r}: give a whole number of at least 2")

    def solve(self, step: Callable, start, tolerance, max_rounds) -> Found:
        def going(search):
            lost = (search.rounds > 0) & jnp.isinf(search.best.size)
            return (search.rounds < max_rounds) & ~(search.best.measure <= tolerance) & ~lost

        def body(search):
            after, measure = step(search.trial)
            residual = after - search.trial
            size = jnp.linalg.norm(residual)
            tried = Point(search.trial, residual, jnp.where(jnp.isnan(size), jnp.inf, size), measure)
            return following(search, tried, measure <= tolerance, start)

        end = jax.lax.while_loop(going, body, opening(start, self.depth))
        return Found(end.best.place, end.rounds, end.best.measure, jnp.asarray(False))


def opening(start, depth: int) -> Search:
    """Nothing known yet."""
    infinite, none = jnp.asarray(jnp.inf, start.dtype), jnp.int32(0)
    zeros = jnp.zeros((depth, start.size), start.dtype)
    unknown = Point(start, jnp.zeros_like(start), infinite, infinite)
    secants = Secants(zeros, zeros, jnp.zeros(depth, bool))
    return Search(start, unknown, unknown, infinite, infinite, secants, infinite, none, none, none, none)


def following(search: Search, tried: Point, settled, start) -> Search:
    """The search after a trial: what was learnt, and what to try next."""
    free, finite = jnp.isinf(search.allowed), jnp.isfinite(tried.size)
    accepted = finite & (tried.size <= search.allowed)
    move, change = tried.place - search.base.place, tried.residual - search.base.residual
    length = jnp.linalg.norm(move)
    base = choose(accepted, tried, search.base)
    step, secants = mixed(base.residual, remembered(search.secants, move, change, finite & (length > 0)))
    radius = jnp.where(accepted, jnp.maximum(search.radius, GROWTH * length), SHRINK * length)
    radius = jnp.where(free, caution(search.attempt) * tried.size, radius).astype(radius.dtype)
    larger = jnp.where(free, tried.size, jnp.maximum(tried.size, search.base.size))
    walking = free & (search.plain > 0)
    progress = free | (tried.size < FALL * search.mark)
    going_on = Search(
        trial=base.place + jnp.where(walking, damped(search, base.residual), within(step, radius, base.residual)),
        base=base,
        best=choose(settled | (tried.size < search.best.size), tried, search.best),
        allowed=jnp.where(accepted, jnp.where(walking, jnp.inf, GROWTH * larger), search.allowed),
        radius=radius,
        secants=secants,
        mark=jnp.where(progress, tried.size, search.mark),
        idle=jnp.where(progress, 0, search.idle + 1),
        plain=jnp.maximum(search.plain - 1, 0),
        attempt=search.attempt,
        rounds=search.rounds + 1,
    )
    nowhere = ~free & (radius <= jnp.finfo(radius.dtype).eps * jnp.linalg.norm(base.place))
    stalled = (going_on.idle >= PATIENCE) | nowhere | (free & ~finite)
    return choose(stalled, again(going_on, start), going_on)


def again(search: Search, start) -> Search:
    """All forgotten but the best point: from there, after plain rounds, or from the start, in turn."""
    fresh = opening(start, search.secants.held.size)
    best = search.attempt % 2 == 0
    place = jnp.where(best, search.best.place, start)
    return fresh._replace(
        trial=place,
        base=fresh.base._replace(place=place),
        best=search.best,
        plain=jnp.where(best, PLAIN * (search.attempt + 1), 0),
        attempt=search.attempt + 1,
        rounds=search.rounds,
    )


def remembered(secants: Secants, move, change, worth) -> Secants:
    """With one more secant in front, where it is worth it; the last gives way."""

    def front(rows, row):
        return jnp.roll(rows, 1, 0).at[0].set(row)

    longer = Secants(front(secants.moves, move), front(secants.changes, change), front(secants.held, True))
    return choose(worth, longer, secants)


def mixed(residual, secants: Secants) -> tuple[Any, Secants]:
    """The step that mixing proposes, and the secants without those that say nothing new (their rows last, unused).

    Gram and Schmidt, newest first: `along` [depth, n] are orthonormal changes of the residual, `moves` the same
    combinations of steps, so that no system of equations is solved.
    """

    def orthogonal(i, carry):
        moves, along, held, step = carry
        parts = along @ secants.changes[i]
        change, move = secants.changes[i] - parts @ along, secants.moves[i] - parts @ moves
        length = jnp.linalg.norm(change)
        new = secants.held[i] & (length > ANGLE * jnp.linalg.norm(secants.changes[i]))
        scale = jnp.where(new, 1 / jnp.where(new, length, 1), 0)
        change, move = scale * change, scale * move
        step = step - (change @ residual) * (move + change)
        return moves.at[i].set(move), along.at[i].set(change), held.at[i].set(new), step

    nothing = (jnp.zeros_like(secants.moves), jnp.zeros_like(secants.changes), jnp.zeros_like(secants.held))
    held, step = jax.lax.fori_loop(0, secants.held.size, orthogonal, (*nothing, residual))[2:]
    order = jnp.argsort(~held, stable=True)
    return step, Secants(secants.moves[order], secants.changes[order], held[order])


def caution(attempt):
    """The first radius of an attempt, as a share of the residual: smaller each time that it begins from the start."""
    return jnp.where(attempt % 2 == 0, SHRINK ** (attempt // 2 % CARES), 1.0)


def damped(search: Search, residual):
    """A plain round, by this attempt's share."""
    return (share(search.attempt // 2) * residual).astype(residual.dtype)


def within(step, radius, residual):
    """`step` no longer than `radius`; the residual in its place where it is not finite."""
    step = jnp.where(jnp.isfinite(step).all(), step, residual)
    return step * jnp.minimum(1, radius / jnp.maximum(jnp.linalg.norm(step), jnp.finfo(step.dtype).tiny))


def choose(condition, yes, no):
    """`yes` or `no`, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
