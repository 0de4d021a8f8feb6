"""A character model of one block, and one run of it.

    h = relu(concatenation of CONTEXT embeddings . T + t)      x = LN(h)      z = LN(h + experts(x))      log softmax(z . O + o)

Losses in nats a character. Adam, gradients clipped to norm 1, a learning rate that falls to 0 along a cosine.
"""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from benchmarks.competition.arms import ARMS, EXPERTS, Asked
from benchmarks.competition.corpus import CONTEXT, SYMBOLS, Rows, drawn
from catallax.experts import bid_loss, own_loss
from catallax.experts.payments import gains_of

EMBEDDING = 8  # numbers a character
BATCH = 512


class Reader(eqx.Module):
    """Linear, from z to scores of symbols."""

    weight: Any
    bias: Any

    def __init__(self, key: Any, width: int) -> None:
        self.weight = jax.random.normal(key, (width, SYMBOLS)) / math.sqrt(width)
        self.bias = jnp.zeros(SYMBOLS)

    def loss(self, z: Any, target: Any) -> Any:
        """Nats of each row."""
        return optax.softmax_cross_entropy_with_integer_labels(z @ self.weight + self.bias, target)


class Model(eqx.Module):
    """The block; `public`: the baseline that own objectives are measured against, without experts, or None."""

    embedding: Any
    weight: Any
    bias: Any
    layer: Any
    reader: Reader
    public: Reader | None

    def __init__(self, arm: str, width: int, key: Any) -> None:
        keys = jax.random.split(key, 5)
        self.embedding = 0.5 * jax.random.normal(keys[0], (SYMBOLS, EMBEDDING))
        inputs = CONTEXT * EMBEDDING
        self.weight = jax.random.normal(keys[1], (inputs, width)) * math.sqrt(2 / inputs) * 2
        self.bias = jnp.zeros(width)
        self.reader = Reader(keys[2], width)
        self.layer = ARMS[arm].make(keys[3], width)
        self.public = Reader(keys[4], width) if arm == "own objective" else None

    def hidden(self, context: Any) -> Any:
        """h [rows, width]."""
        return jax.nn.relu(self.embedding[context].reshape(len(context), -1) @ self.weight + self.bias)


def normed(h: Any) -> Any:
    """Each row to mean 0 and variance 1."""
    h = h - h.mean(-1, keepdims=True)
    return h * jax.lax.rsqrt(jnp.mean(h * h, -1, keepdims=True) + 1e-5)


def lesson(model: Model, rows: Rows, prices: Any, asked: Asked) -> tuple[Any, Any]:
    """(what is minimised, (losses [rows], prices, sent [rows, experts]))."""
    h = model.hidden(rows.context)
    x = normed(h)
    served = model.layer(x, rows.context[:, -1], prices, asked)
    losses = model.reader.loss(normed(h + served.y), rows.target)
    total = losses.mean() + served.penalty
    if asked.learning and served.market is not None and model.public is not None:
        market = served.market
        public = model.public.loss(jax.lax.stop_gradient(x), rows.target)
        own, _ = own_loss(losses[:, None], public, market.choice, prices)
        total = own + bid_loss(market.bids, market.choice, gains_of(losses[:, None], public)) + public.mean()
    return total, (losses, served.prices, served.sent)


def keys_of(seed: int) -> Any:
    """Keys of a seed: of the model, and of batches and lots. All arms see the same batches."""
    return jax.random.split(jax.random.key(seed))


@eqx.filter_jit
def learnt(model: Model, symbols: Any, steps: int, rate: Any, value: Any, key: Any) -> tuple[Any, Any, Any, Any]:
    """(the model after its steps, prices, losses [steps], load [steps, experts]); one program for an arm and width.

    `symbols` [sources, characters]; `rate`: the first learning rate; `value` of the arm's own parameter.
    """
    parameters, fixed = eqx.partition(model, eqx.is_inexact_array)
    adam = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())

    def step(carry: Any, i: Any) -> Any:
        parameters, memory, prices = carry
        batch, lots = jax.random.split(jax.random.fold_in(key, i))
        rows, asked = drawn(symbols, batch, BATCH), Asked(lots, True, value)

        def loss(parameters: Any) -> Any:
            return lesson(eqx.combine(parameters, fixed), rows, prices, asked)

        (_, (losses, following, sent)), slope = jax.value_and_grad(loss, has_aux=True)(parameters)
        update, memory = adam.update(slope, memory)
        pace = rate * 0.5 * (1 + jnp.cos(jnp.pi * i / steps))
        parameters = jax.tree.map(lambda p, u: p - pace * u, parameters, update)
        return (parameters, memory, following), (losses.mean(), sent.sum(0))

    start = parameters, adam.init(parameters), jnp.zeros(EXPERTS)
    (parameters, _, prices), (losses, load) = jax.lax.scan(step, start, jnp.arange(steps))
    return eqx.combine(parameters, fixed), prices, losses, load


@eqx.filter_jit
def tested(model: Model, prices: Any, rows: Rows, key: Any) -> tuple[Any, Any]:
    """(losses [rows], sent [rows, experts]) by batches of BATCH, prices as they are."""

    def one(given: Any) -> Any:
        batch, key = given
        _, (losses, _, sent) = lesson(model, batch, prices, Asked(key, False, 0.0))
        return losses, sent

    batches = jax.tree.map(lambda a: jnp.asarray(a).reshape(-1, BATCH, *a.shape[1:]), rows)
    losses, sent = jax.lax.map(one, (batches, jax.random.split(key, len(batches.target))))
    return losses.reshape(-1), sent.reshape(-1, EXPERTS)
