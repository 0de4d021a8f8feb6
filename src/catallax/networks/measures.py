"""What a kind of teaching tells, costs in waiting, and how near it comes to the gradient: three measures of a lesson.

told      bits that reach each layer from elsewhere than its own input, a row and update: counted by the wire while one
          lesson is traced (nothing is computed)
cosines   <u_l, g_l> / |u_l| |g_l| of each layer's update u_l and the gradient g_l of the network's loss, at the same
          parameters and batch
waits     matrix products (or convolutions) one after another between a layer's own output and its update, its own
          outer product left out: how long it is locked. L layers under backpropagation: 2 (L - 1 - l) of layer l

M. Jaderberg et al., Decoupled Neural Interfaces using Synthetic Gradients, ICML 2017 (update locking).
"""

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from catallax.networks.teaching.sweep import activities
from catallax.signals.teaching import Batch, Teaching, Wire

ROWS = 8  # of the batch that is traced: bits a row do not depend on it
PRODUCTS = ("dot_general", "conv_general_dilated")
NEVER = -1  # the depth of what does not depend on the input


def told(teaching: Teaching, parts: tuple, loss: Any, rows: Any, bits: int | None = None) -> np.ndarray:
    """Bits that reach each layer, a row and update, float64[layers]."""
    wire = Wire(bits)
    eqx.filter_eval_shape(lambda p, b: teaching.teach(p, b, wire).loss, parts, some(loss, rows))
    return np.array([wire.told.get(number, 0.0) for number in range(len(parts))])


def some(loss: Any, rows: Any, count: int = ROWS) -> Batch:
    """The first rows as a batch."""
    places = np.arange(count) % rows.count
    return Batch(rows.x[places], rows.target[places], loss, jax.random.key(0))


@eqx.filter_jit
def cosines(teaching: Teaching, parts: tuple, batch: Batch, bits: int | None = None) -> Any:
    """The cosine of each layer's update with the gradient, [layers]; NaN where a layer stays as it is.

    The gradient is that of the loss of one sweep forward, with the lesson's own dropout; of a kind whose output is something
    else (`sweeps` False), of the loss of that. NaN throughout where no gradient can be taken through it (a loop that ends
    when it has come to rest).
    """
    taught = teaching.teach(parts, batch, Wire(bits))

    def value(layers: tuple) -> Any:
        own = tuple(part._replace(layer=layer) for part, layer in zip(parts, layers, strict=True))
        output = activities(own, batch)[-1] if teaching.sweeps else teaching.predict(own, batch.x)
        return batch.loss.value(output, batch.target)

    try:
        exact = eqx.filter_grad(value)(tuple(part.layer for part in parts))
    except ValueError:  # while traced: a loop of unknown length has no way back
        return jnp.full(len(parts), jnp.nan)
    pairs = zip((gradient.layer for gradient in taught.gradients), exact, strict=True)
    return jnp.stack([cosine(update, gradient) for update, gradient in pairs])


def cosine(update: Any, gradient: Any) -> Any:
    """Of two trees of one structure; NaN where one of them is nothing."""
    if update is None:
        return jnp.asarray(jnp.nan)
    u, g = (jnp.concatenate([x.ravel() for x in jax.tree.leaves(tree)]) for tree in (update, gradient))
    size = jnp.linalg.norm(u) * jnp.linalg.norm(g)
    return jnp.where(size > 0, u @ g / jnp.where(size > 0, size, 1), jnp.nan)


def waits(teaching: Teaching, parts: tuple, loss: Any, rows: Any) -> np.ndarray:
    """Products between each layer's output and its update, int[layers]; 0 also where a layer does not learn.

    Where a relaxation may end early, all of its steps are counted.
    """
    batch = some(loss, rows)
    arrays, rest = eqx.partition((parts, batch), eqx.is_array)

    def lesson(x: Any, arrays: Any) -> list:
        own, given = eqx.combine(arrays, rest)
        taught = teaching.teach(own, given._replace(x=x), Wire())
        return [jax.tree.leaves(gradient.layer) for gradient in taught.gradients]

    closed, shape = jax.make_jaxpr(lesson, return_shape=True)(batch.x, arrays)
    entries = [0] + [NEVER] * (len(closed.jaxpr.invars) - 1)
    found = iter(depths(closed.jaxpr, entries))
    deepest = [max(itertools.islice(found, len(leaves)), default=NEVER) for leaves in shape]
    return np.array([max(0, depth - (number + 1) - 1) for number, depth in enumerate(deepest)])


# --- the longest chain of products from the input to each result of a program ---


def depths(jaxpr: Jaxpr, entries: list[int]) -> list[int]:
    """The most products on a way from the input to each output; `entries`: to each input (`NEVER`: there is no way)."""
    known: dict[Any, int] = dict(zip(jaxpr.invars, entries, strict=True))

    def depth(atom: Any) -> int:
        return NEVER if isinstance(atom, Literal) else known.get(atom, NEVER)

    for equation in jaxpr.eqns:
        found = through(equation, [depth(atom) for atom in equation.invars])
        known |= dict(zip(equation.outvars, found, strict=True))
    return [depth(atom) for atom in jaxpr.outvars]


def through(equation: Any, entries: list[int]) -> list[int]:
    """The same for one equation."""
    name, given = equation.primitive.name, equation.params
    if name == "scan":
        return looped(given["jaxpr"].jaxpr, entries, given["num_consts"], given["num_carry"], given["length"])
    if name == "while":
        tests, facts = given["cond_nconsts"], given["body_nconsts"]
        body = given["body_jaxpr"].jaxpr
        return looped(body, entries[tests:], facts, len(entries) - tests - facts, most_steps(given["cond_jaxpr"].jaxpr))
    if name == "cond":
        ways = zip(*(depths(branch.jaxpr, entries[1:]) for branch in given["branches"]), strict=True)
        return [max(entries[0], *way) if len(way) > 1 else max(way) for way in ways]
    inner = next((x for x in given.values() if isinstance(x, (ClosedJaxpr, Jaxpr))), None)
    if inner is not None:
        body = inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner
        if len(body.invars) == len(entries) and len(body.outvars) == len(equation.outvars):
            return depths(body, entries)
    far = max(entries, default=NEVER)
    return [far + (name in PRODUCTS and far > NEVER)] * len(equation.outvars)


def looped(body: Jaxpr, entries: list[int], facts: int, carried: int, steps: int) -> list[int]:
    """A loop: twice through the body, and from what the second time adds, all times."""
    if not steps:
        return [*entries[facts : facts + carried], *(NEVER for _ in body.outvars[carried:])]
    before = entries
    results = depths(body, before)
    settled = carried + 2  # by then whatever of the carry depends on the input has come to do so
    for _ in range(min(settled, steps - 1)):
        before = [*entries[:facts], *map(max, zip(entries[facts:], results, strict=False))][: facts + carried]
        before += entries[facts + carried :]
        last, results = results, depths(body, before)
    more = max(0, steps - 1 - settled)
    if not more:
        return results
    return [new + more * max(0, new - old) for new, old in zip(results, last, strict=True)]


def most_steps(test: Jaxpr) -> int:
    """The largest whole number that a loop's counter is held against; 1 where there is none."""
    bounds = [
        int(atom.val)
        for equation in test.eqns
        if equation.primitive.name in ("lt", "le", "gt", "ge")
        for atom in equation.invars
        if isinstance(atom, Literal) and np.issubdtype(np.asarray(atom.val).dtype, np.integer)
    ]
    return max(bounds, default=1)
