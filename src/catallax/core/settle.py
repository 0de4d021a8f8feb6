"""`settle`: a fixed point of one round, its certificate, and an implicit gradient.

x = g(x; facts), x all leaves that a round moves, which must be floats. The derivative with respect to the facts is
that of the implicit function theorem, dx = (I - dg/dx)^-1 dg/dfacts: dense up to 256 unknowns, GMRES above.

The certificate re-runs one round at the answer in float64 (random draws keep the run's dtype) and takes the
largest of: the scaled change of every float leaf of agents and signal, the signal's unrest, the problem's gap.
Nothing is reported better than its certificate.
"""

import dataclasses
import functools as ft
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.flatten_util import ravel_pytree

from catallax.core.errors import BadInput, Refused
from catallax.core.facts import Anatomy, anatomy
from catallax.core.methods import Found, Method, Picard
from catallax.core.outcome import CODES, Outcome, Status
from catallax.core.precision import double, doubled
from catallax.core.problem import Problem
from catallax.core.random import key as make_key
from catallax.core.round import Setting, State, exact_knobs, one_round
from catallax.core.run import check_count, run
from catallax.core.society import HostSociety, Society, as_arrays

CLOSER = 4  # how much closer it aims where float64 finds what the rounds' own dtype did not see
DENSE = 256  # unknowns up to which the adjoint system is solved as a matrix
FROZEN = "the society draws random numbers: one key was frozen, and this is a fixed point of that draw"


def settle(
    problem: Problem | Society,
    tolerance: float = 1e-6,
    *,
    method: Method = Picard(),
    seed: int = 0,
    max_rounds: int = 10_000,
) -> Outcome:
    """The society at rest: no float leaf changes by more than `tolerance` (scaled), and the signal's unrest is below it.

    Traceable: inside `jit`, `vmap` or `grad` the outcome has no certificate and its `code` is traced.

    **Arguments:** `problem`: a `Problem` (its price-taking society) or a `Society`; `method`: `Picard(damping)`,
    `Newton()` or `Anderson(depth)`; `max_rounds`: rounds (Newton: steps) allowed; `seed`: of the frozen key.

    **Returns** an `Outcome` whose status is settled, unsettled, cycling or broken, decided by `certificate`.
    **Raises** `Refused` where whole numbers move: such a society has no neighbourhood to settle in.
    """
    check_count("max_rounds", max_rounds)
    if isinstance(tolerance, (int, float)) and not 0 < tolerance < np.inf:
        raise BadInput(f"tolerance is {tolerance!r}: give a positive number")
    society = problem.society() if isinstance(problem, Problem) else problem
    if isinstance(society, HostSociety):
        return settle_host(problem, society, tolerance, method, seed, max_rounds)
    society = as_arrays(society)
    key, form = make_key(seed), anatomy(State(society), Setting())
    state, facts = form.split(State(society))
    check_floats(form, society)
    if not state:
        raise Refused(f"nothing moves in a round of {type(society.signal).__name__}: there is nothing to settle")
    rounds, aim = 0, tolerance
    while True:
        point, found = root(form, state, facts, key, method, aim, max_rounds)
        rounds = rounds + found.rounds
        society = form.join(point, facts).society
        outcome = Outcome(society, rounds=rounds, unrest=found.measure, notes=(FROZEN,) * form.draws)
        if any(isinstance(x, Tracer) for x in (*point, *facts, found.measure)):
            return dataclasses.replace(outcome, code=verdict(found, tolerance))
        if isinstance(problem, Problem):
            outcome = dataclasses.replace(outcome, values=problem.outcome(society).values)
        outcome = certified(problem, outcome, form, key, tolerance, bool(found.cycling))
        if outcome.status is not Status.UNSETTLED or not found.measure <= aim or aim < tolerance / CLOSER**2:
            return outcome
        state, aim = point, aim / CLOSER  # the rounds' own dtype said that it was there, float64 that it was not


def check_floats(form: Anatomy, society: Society) -> None:
    """Settling needs a state of floats."""
    for (path, leaf), moves in zip(jax.tree_util.tree_leaves_with_path(State(society)), form.moves, strict=True):
        if moves and not jnp.issubdtype(leaf.dtype, jnp.floating):
            name = jax.tree_util.keystr(path).removeprefix(".society.")
            raise Refused(
                f"{name} is of {leaf.dtype} and moves: settle needs a state of floats; use run(..., tolerance=)"
            )


@ft.partial(jax.jit, static_argnames=("form", "method"))
def root(form: Anatomy, state: list, facts: list, key, method: Method, tolerance, max_rounds) -> tuple[list, Found]:
    """The fixed point over the moving leaves, with its implicit derivative with respect to the facts."""
    fixed = jax.lax.stop_gradient(facts)
    _, unravel = ravel_pytree(state)

    def residual(point):
        return [after - before for after, before in zip(after_one(form, point, facts, key)[0], point, strict=True)]

    def step(flat):
        point = unravel(flat)
        after, unrest = after_one(form, point, fixed, key)
        measure = jnp.maximum(change(point, after), jnp.where(jnp.isinf(unrest), 0, unrest))
        return ravel_pytree(after)[0], measure.astype(flat.dtype)

    def solve(_, start):
        found = method.solve(step, ravel_pytree(start)[0], tolerance, max_rounds)
        # as floats: custom_root gives a tangent to what comes beside the root, and whole numbers have none
        return unravel(found.point), jax.tree.map(lambda x: jnp.asarray(x, float), found._replace(point=None))

    point, found = jax.lax.custom_root(residual, jax.lax.stop_gradient(state), solve, tangent, has_aux=True)
    return point, found._replace(rounds=found.rounds.astype(jnp.int32), cycling=found.cycling > 0)


def after_one(form: Anatomy, moving: list, facts: list, key) -> tuple[list, Any]:
    """What moves after one round, in the dtypes it is given, and the unrest (infinite: the signal does not say)."""
    after, unrest = one_round(form.join(moving, facts), jnp.uint32(0), key, Setting(), exact_knobs())
    return form.split(after)[0], unrest


def tangent(linear, right):
    """Solves linear(x) = right: as a matrix up to `DENSE` unknowns, by GMRES above."""
    flat, unravel = ravel_pytree(right)

    def apply(v):
        return ravel_pytree(linear(unravel(v)))[0]

    if flat.size <= DENSE:
        matrix = jax.jacfwd(apply)(jnp.zeros_like(flat))
        return unravel(jnp.linalg.solve(matrix, flat))
    exact = 1e3 * float(jnp.finfo(flat.dtype).eps)

    def krylov(matvec, b):
        return jax.scipy.sparse.linalg.gmres(matvec, b, tol=exact, atol=0.0, restart=50, maxiter=200)[0]

    # wrapped once more: gmres takes the norm of `b` where linear functions alone can be transposed
    return unravel(jax.lax.custom_linear_solve(apply, flat, krylov, krylov))


def change(before: list, after: list):
    """The largest change of any leaf, scaled by that leaf's largest entry (unscaled where all are 0)."""

    def scaled(a, b):
        scale = jnp.max(jnp.abs(a))
        moved = jnp.max(jnp.abs(b - a)) / jnp.where(scale > 0, scale, 1)
        return moved.astype(jnp.promote_types(moved.dtype, jnp.float32))

    return ft.reduce(jnp.maximum, [scaled(a, b) for a, b in zip(before, after, strict=True)])


def verdict(found: Found, tolerance) -> Any:
    """The code of what the method found, by its own measure: traced as it is."""
    code = jnp.where(found.cycling, CODES.index(Status.CYCLING), CODES.index(Status.UNSETTLED))
    code = jnp.where(jnp.isnan(found.measure), CODES.index(Status.BROKEN), code)
    return jnp.where(found.measure <= tolerance, CODES.index(Status.SETTLED), code)


def certified(problem, outcome: Outcome, form: Anatomy, key, tolerance: float, cycling: bool) -> Outcome:
    """The outcome with its certificate and the status that follows from it."""
    moved, unrest = one_round_in_double(outcome.society, form, key)
    gap = float(problem.gap(outcome)) if isinstance(problem, Problem) and np.isfinite(moved) else 0.0
    parts = [moved, 0.0 if np.isinf(unrest) else unrest, gap]
    certificate = float("nan") if np.isnan(parts).any() else max(parts)
    if not np.isfinite(certificate):
        status = Status.BROKEN
    elif certificate <= tolerance:
        status = Status.SETTLED
    else:
        status = Status.CYCLING if cycling else Status.UNSETTLED
    return dataclasses.replace(
        outcome,
        code=CODES.index(status),
        rounds=int(outcome.rounds),
        unrest=float(unrest),
        certificate=certificate,
        values=outcome.values | {"change": moved, "gap": gap},
        notes=outcome.notes + too_fine(outcome.society, form, tolerance) * (status is Status.UNSETTLED),
    )


def too_fine(society: Society, form: Anatomy, tolerance: float) -> tuple[str, ...]:
    """A note where the tolerance asks for more digits than the state holds."""
    coarsest = max(float(jnp.finfo(x.dtype).eps) for x in form.split(State(society))[0])
    if tolerance >= 2 * coarsest:
        return ()
    return (
        f"a tolerance of {tolerance:.0e} is finer than what moves can hold (rounding {coarsest:.0e}): set "
        'jax.config.update("jax_enable_x64", True) and build the problem again',
    )


def one_round_in_double(society: Society, form: Anatomy, key) -> tuple[float, float]:
    """The largest scaled change of a float leaf, and the unrest, of one round in float64."""
    with double():
        before, facts = form.split(doubled(State(society)))
        after, unrest = compiled(form, before, facts, key)
        pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(before, after, strict=True)]
    moved = [float(np.max(np.abs(b - a)) / (np.max(np.abs(a)) or 1.0)) for a, b in pairs]
    return float(np.max(moved)), float(unrest)  # np.max: it says NaN where there is one


compiled = jax.jit(after_one, static_argnames="form")


def settle_host(problem, society: HostSociety, tolerance, method: Method, seed: int, max_rounds: int) -> Outcome:
    """Host societies: plain iteration until the signal's unrest is within the tolerance; it is certificate with the gap."""
    if not isinstance(method, Picard) or method.damping != 1.0:
        raise Refused("a host society is settled by plain iteration: Picard() alone")
    outcome = run(society, max_rounds, seed, tolerance=tolerance)
    gap = 0.0
    if isinstance(problem, Problem):
        outcome = dataclasses.replace(outcome, values=problem.outcome(outcome.society).values)
        gap = float(problem.gap(outcome)) if outcome.status != Status.BROKEN else 0.0
    certificate, status = max(outcome.unrest, gap), outcome.status
    if status == Status.DONE or (status == Status.SETTLED and not certificate <= tolerance):
        status = Status.UNSETTLED
    return dataclasses.replace(
        outcome, code=CODES.index(status), certificate=certificate, values=outcome.values | {"gap": gap}
    )
