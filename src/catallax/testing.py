"""The laws, as checks that any problem can be put through: `check_problem(problem)`.

1. Locality        permuting agents, ids along, permutes what they do, bit for bit
2. Conservation    what `conserved` returns stays so, to rounding, in every round
3. Certificate     `settle` reports no better than one float64 round and the problem's own gap
4. Reproducibility the same seed gives the same bits, whatever the chunks, and after a checkpoint
5. Honest bits     a leaf heard through b bits takes at most 2^b values, each inside its span
7. Gradients       the implicit gradient of `settle` agrees with finite differences
Law 6 (bad input is refused when a problem is built) is each system's own: pass `bad`, functions that must raise.
"""

import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from catallax.core.channel import Channel, send, spans
from catallax.core.errors import BadInput, Refused
from catallax.core.problem import Problem
from catallax.core.random import key as make_key
from catallax.core.round import answers, whole
from catallax.core.run import run
from catallax.core.settle import settle
from catallax.core.society import HostSociety, Society, as_arrays, ids_of, is_row, populations, size

ROUNDS = 8
HOST_ROUNDS = 500  # to come to rest, of a society whose rounds are Python: what is claimed is checked at rest or not


def check_problem(problem: Problem, *, seed: int = 0, bad: Iterable[Callable[[], Any]] = ()) -> list[str]:
    """Puts a problem through the laws; returns the names of those that applied. Raises `AssertionError` with a sentence."""
    society = problem.society()
    held = []
    if not isinstance(society, HostSociety):
        check_locality(society, seed)
        held.append("locality")
        if check_bits(society, seed):
            held.append("honest bits")
    check_conservation(problem, seed)
    check_reproducibility(problem, seed)
    held += ["conservation", "reproducibility"]
    if check_certificate(problem, seed):
        held.append("certificate")
    for make in bad:
        check_refused(make)
    return held


def check_locality(society: Society, seed: int = 0) -> None:
    """Law 1: an agent's answer depends on its fields, its view and its id, not on its place in the stack."""
    society = as_arrays(society)
    key = make_key(seed)
    order = [np.random.default_rng([seed, p]).permutation(size(c)) for p, c in enumerate(populations(society.agents))]
    before, after = whole(society, None, None), whole(permuted(society, order), None, None)
    if not reads_agents(society):  # the signal keeps rows in the order of the stack: they move with the agents
        after = after._replace(local=shuffled(before.local, order))

    @jax.jit
    def act(society, part):
        return answers(society, part, society.signal.public(), key)

    expected = [shuffled(x, order) for x in act(society, before)]
    for p, pairs in enumerate(zip(*expected, *act(permuted(society, order), after), strict=True)):
        if not same(pairs[:2], pairs[2:]):
            raise AssertionError(f"locality: agents of population {p} act otherwise when the stack is in another order")


def reads_agents(society: Society) -> bool:
    """Whether what reaches each agent alone is read off the agents' own fields."""
    arrays, rest = eqx.partition(society.agents, eqx.is_array)
    jaxpr = jax.make_jaxpr(lambda a: society.signal.local(eqx.combine(a, rest)))(arrays).jaxpr
    used = {id(v) for equation in jaxpr.eqns for v in equation.invars} | {id(v) for v in jaxpr.outvars}
    return any(id(v) in used for v in jaxpr.invars)


def shuffled(trees: tuple, order: list[np.ndarray]) -> tuple:
    """Each population's rows in another order."""
    return tuple(jax.tree.map(lambda x, o=o: x[o], tree) for tree, o in zip(trees, order, strict=True))


def permuted(society: Society, order: list[np.ndarray]) -> Society:
    """The same agents in another order, their ids along."""
    crowds = tuple(
        jax.tree.map(lambda x, o=o: x[o] if is_row(x) else x, c)
        for c, o in zip(populations(society.agents), order, strict=True)
    )
    ids = tuple(i[o] for i, o in zip(ids_of(society), order, strict=True))
    many = isinstance(society.agents, tuple)
    return Society(crowds if many else crowds[0], society.signal, ids if many else ids[0])


def check_conservation(problem: Problem, seed: int = 0) -> None:
    """Law 2, after each of a few rounds."""
    society = problem.society()
    start = problem.conserved(society)
    for rounds in range(1, ROUNDS + 1):
        now = problem.conserved(run(society, rounds, seed).society)
        for name, value in start.items():
            old, new = np.asarray(value, float), np.asarray(now[name], float)
            exact = 1e3 * float(jnp.finfo(jnp.result_type(float)).eps)
            if not np.allclose(new, old, rtol=exact, atol=exact * max(1.0, float(np.max(np.abs(old))))):
                raise AssertionError(f"conservation: {name} goes from {old} to {new} in {rounds} rounds")


def check_reproducibility(problem: Problem, seed: int = 0) -> None:
    """Law 4: one run of several rounds, the same again, in two pieces, and from a checkpoint: equal bit for bit."""
    society = problem.society()
    once = run(society, ROUNDS, seed).digest()
    if run(society, ROUNDS, seed).digest() != once:
        raise AssertionError("reproducibility: the same run twice ends with other bits")
    from catallax.core.checkpoint import resume

    with tempfile.TemporaryDirectory() as folder:
        if isinstance(society, HostSociety):  # it may act by how many rounds it has: cut short, not given fewer
            run(society, ROUNDS, seed, checkpoint=folder, look=lambda frame: True)
        else:
            run(society, ROUNDS // 2, seed, checkpoint=folder)
        if resume(society, folder, rounds=ROUNDS).digest() != once:
            raise AssertionError("reproducibility: going on from a checkpoint ends with other bits")


def check_certificate(problem: Problem, seed: int = 0) -> bool:
    """Law 3: what `settle` reports is no better than what one more look finds. False where settling has no meaning."""
    most = HOST_ROUNDS if isinstance(problem.society(), HostSociety) else 10_000
    try:
        outcome = settle(problem, seed=seed, max_rounds=most)
    except Refused:
        return False
    claims = [outcome.values.get("change", 0.0), outcome.values.get("gap", 0.0), problem.gap(outcome)]
    if np.isfinite(outcome.unrest):
        claims.append(outcome.unrest)
    if not outcome.certificate >= max(claims):
        raise AssertionError(f"certificate: {outcome.certificate} is reported where {max(claims)} was found")
    if outcome.status == "settled" and not outcome.certificate <= 1e-6:
        raise AssertionError(f"certificate: settled is said at {outcome.certificate}")
    return True


def check_bits(society: Society, seed: int = 0, most: int = 4) -> bool:
    """Law 5 for 1 to `most` bits. False where the signal gives no span."""
    society = as_arrays(society)
    signal = society.signal
    try:
        ranges = spans(signal, signal.public())
    except Refused:
        return False
    for bits in range(1, most + 1):
        channel = Channel(bits=bits)
        heard: list[set] = [set() for _ in ranges]
        for k in range(3 * 2**bits):
            noise = Channel(bits=bits, noise=1.0)  # throws the signal all over its span
            public, _ = send(signal, None, noise.wiring, channel.knobs()[:1] + noise.knobs()[1:], make_key(seed + k), 0)
            floats = [x for x in jax.tree.leaves(public) if jnp.issubdtype(x.dtype, jnp.floating)]
            for seen, leaf, span in zip(heard, floats, ranges, strict=True):
                low, high = np.broadcast_to(span.low, leaf.shape), np.broadcast_to(span.high, leaf.shape)
                if not ((np.asarray(leaf) > low) & (np.asarray(leaf) < high)).all():
                    raise AssertionError(f"honest bits: a leaf heard through {bits} bits is not inside its span")
                seen.update(zip(np.arange(leaf.size).tolist(), np.asarray(leaf).ravel().tolist(), strict=True))
        for seen, leaf in zip(heard, floats, strict=True):
            if len(seen) > 2**bits * leaf.size:
                raise AssertionError(f"honest bits: a leaf heard through {bits} bits takes more than {2**bits} values")
    return True


def check_gradient(value: Callable[[Any], Any], at: Any, *, step: float = 1e-5, tolerance: float = 1e-4) -> None:
    """Law 7: `jax.grad` of a scalar function (that settles inside) against central differences along random directions."""
    gradient = jax.grad(value)(at)
    random = np.random.default_rng(0)
    for _ in range(3):
        way = jax.tree.map(lambda x: jnp.asarray(random.normal(size=x.shape), x.dtype), at)
        ahead, behind = (jax.tree.map(lambda x, d, s=s: x + s * step * d, at, way) for s in (1, -1))
        slope = float(value(ahead) - value(behind)) / (2 * step)
        implied = float(
            sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(way), strict=True))
        )
        if not abs(slope - implied) <= tolerance * max(1.0, abs(slope)):
            raise AssertionError(f"gradients: the implicit one says {implied}, differences say {slope}")


def check_refused(make: Callable[[], Any]) -> None:
    """Law 6: `make` builds a problem of bad facts and must raise `BadInput` with one sentence."""
    try:
        make()
    except BadInput as error:
        if not str(error) or "\n" in str(error):
            raise AssertionError(f"bad input: {error!r} is not one sentence") from None
        return
    raise AssertionError("bad input: impossible facts were accepted")


def same(one: Any, other: Any) -> bool:
    """Equal structure and bits."""
    left, right = (jax.tree.flatten(x) for x in (one, other))
    return left[1] == right[1] and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(left[0], right[0], strict=True)
    )


__all__ = ["check_gradient", "check_problem"]
