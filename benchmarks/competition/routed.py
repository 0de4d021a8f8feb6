"""The small model of "where a market should win": a public linear model, and experts that tokens buy on top of it.

    logits_i = x_i A + a + f_j(x_i)                j: the expert that token i bought, nothing where it bought none
    f_j(x) = relu(x W_j + b_j) V_j + c_j           gate 1 in every arm; its gradient is that of its numerator

The public model learns from its own loss alone, in all arms alike, so what an expert adds is a gain over one and the same
baseline. Experts read the input as a fact. All arms share first parameters and batches; they differ in who decides which
expert a token goes to, and from what that is learnt. Losses in nats a token.

What tells one arm from another are numbers (`Terms`), so that one compiled loop serves them all; experts are all computed and one
is taken. What the arms would cost is counted (`multiplications`), never timed.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from catallax.experts.dispatch import ranks
from catallax.experts.payments import bid_loss, gains_of, own_loss
from catallax.signals.pheromone import FLOOR
from catallax.signals.routers import dual, terms

Array = Any
BATCH, ROUTER = 128, 16
ADAM = optax.scale_by_adam()
FREE, OPEN = terms.Terms(1, True, False), terms.Terms(1, False, True)
EVERYONE = 10**6  # seats where there is no limit


class Shape(NamedTuple):
    """What is compiled: experts, hidden units of the largest, classes, types of token; `embed`: numbers for a character."""

    experts: int = 8
    hidden: int = 16
    classes: int = 10
    types: int = 4
    embed: int = 0
    batch: int = BATCH


class Terms(NamedTuple):
    """What tells arms apart; 0 is off.

    `given`: fixed bids (hash, kinds told); `reads`, `table`: learnt bids that hang on the input, on the token's type; `own`:
    the own objective; `softmax`: chances of that kind, of bids (1) or of bids less prices (2), else sigmoids of bids;
    `auxiliary`, `charge`: weights in the loss of Switch's term and of the expected cost; `dual`, `sign`: how prices move;
    `lots`: the share of tokens that go by lot in learning; `trails`: evaporation; `winner`: a temperature; `doubt`: entropy of
    the public answer up to which nothing is bought; `steady`: the rate does not fall.
    """

    given: float = 0.0
    reads: float = 0.0
    table: float = 0.0
    own: float = 0.0
    softmax: float = 0.0
    auxiliary: float = 0.0
    charge: float = 0.0
    dual: float = 0.0
    sign: float = 0.0
    lots: float = 0.0
    trails: float = 0.0
    winner: float = 0.0
    doubt: float = -1.0
    opt_out: float = 0.0
    seats: int = EVERYONE
    rate: float = 1e-2
    steady: float = 0.0
    cost: tuple[float, ...] = (0.0,) * 8


class Rows(NamedTuple):
    """`x` [rows, width] (or characters), `y` [rows], `given` [rows, experts]: bids that are fixed, `kind` [rows]: the type."""

    x: Array
    y: Array
    given: Array
    kind: Array


class State(NamedTuple):
    """Parameters, Adam's moments, prices [experts], trails [types, experts], who is there [alive], batches so far."""

    parameters: dict[str, Array]
    moments: Any
    prices: Array
    trails: Array
    there: Array
    step: Array


class Judged(NamedTuple):
    """Loss and success of each expert [rows, experts], and without one [rows]; bids less prices [rows, experts]; entropy of the
    public answer [rows]."""

    loss: Array
    right: Array
    public: Array
    public_right: Array
    bids: Array
    entropy: Array


def begin(shape: Shape, width: int, seed: int, hidden: tuple[int, ...] | None = None) -> State:
    """The same first parameters for all arms of a seed; `hidden`: units of each expert."""
    rng = np.random.default_rng(seed)  # no JAX: it would compile
    units = np.array([shape.hidden] * shape.experts if hidden is None else hidden)
    there = (np.arange(shape.hidden) < units[:, None]).astype(np.float32)

    def normal(*size: int) -> np.ndarray:
        return rng.normal(size=size).astype(np.float32)

    def zeros(*size: int) -> np.ndarray:
        return np.zeros(size, np.float32)

    scale = (0.1 / np.sqrt(units)).astype(np.float32)[:, None, None]
    enter = normal(shape.experts, width, shape.hidden) * np.float32(np.sqrt(2 / width)) * there[:, None]
    parameters = {
        "public": zeros(width, shape.classes),
        "level": zeros(shape.classes),
        "enter": enter,
        "bias": zeros(shape.experts, shape.hidden),
        "leave": normal(shape.experts, shape.hidden, shape.classes) * scale * there[..., None],
        "shift": zeros(shape.experts, shape.classes),
        "listen": normal(width, ROUTER) / np.float32(np.sqrt(width)),
        "bid": np.float32(0.1) * normal(ROUTER, shape.experts),
        "bid level": zeros(shape.experts),
        "table": np.float32(0.1) * normal(shape.types, shape.experts),
    }
    if shape.embed:
        parameters["embed"] = normal(shape.classes, shape.embed)
    nothing = jax.tree.map(np.zeros_like, parameters)
    moments = optax.ScaleByAdamState(np.zeros((), np.int32), nothing, nothing)  # pyright: ignore[reportArgumentType]
    trails = np.ones((shape.types, shape.experts), np.float32)
    return State(parameters, moments, zeros(shape.experts), trails, np.arange(shape.experts), np.int32(0))


def read(parameters: dict[str, Array], x: Array) -> Array:
    """The input as numbers [rows, width]."""
    return parameters["embed"][x].reshape(len(x), -1) if "embed" in parameters else x


def offers(parameters: dict[str, Array], h: Array) -> Array:
    """What every expert would add, [experts, rows, classes]."""
    inner = jnp.einsum("rw,ewh->erh", h, parameters["enter"]) + parameters["bias"][:, None]
    return jnp.einsum("erh,ehc->erc", jax.nn.relu(inner), parameters["leave"]) + parameters["shift"][:, None]


def bids_of(state: State, h: Array, rows: Rows, t: Terms) -> Array:
    """Bids [rows, experts] of whoever bids."""
    p = state.parameters
    heard = jnp.tanh(h @ p["listen"]) @ p["bid"] + p["bid level"]
    learnt = t.reads * heard + t.table * p["table"][rows.kind]
    return learnt + t.given * rows.given + jnp.where(t.trails > 0, jnp.log(state.trails[rows.kind]), 0)


def ranked(bids: Array, t: Terms) -> Array:
    """What a router ranks, before prices: sigmoid scores under the sign rule, as in its paper."""
    return jnp.where(t.sign > 0, jax.nn.sigmoid(bids), bids)


def nats(logits: Array, y: Array) -> Array:
    """Cross-entropy of each row."""
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], -1)[..., 0]


def entropy(logits: Array) -> Array:
    """Of each answer, nats."""
    log = jax.nn.log_softmax(logits)
    return -jnp.sum(jnp.exp(log) * log, -1)


# --- learning ------------------------------------------------------------------------------------------------------------


def choose(net: Array, t: Terms, key: Array, doubt: Array) -> Array:
    """The expert of each token [rows], -1: none."""
    who, lot = jax.random.split(key)
    lots = jax.random.uniform(lot, net.shape, minval=1e-12)
    smelt = net - jnp.log(-jnp.log(lots))  # drawn in proportion to trails
    by_lot = jax.random.uniform(who, (len(net), 1)) < t.lots
    net = jnp.where(by_lot, lots, jnp.where(t.trails > 0, smelt, net))
    buys = ((t.opt_out == 0) | (jnp.max(net, 1) > 0)) & (doubt > t.doubt)
    choice = jnp.where(buys, jnp.argmax(net, 1), -1).astype(jnp.int32)
    return jnp.where(ranks(choice, net.shape[1])[0] < t.seats, choice, -1)


def objective(parameters: Any, state: State, rows: Rows, t: Terms, key: Array) -> tuple[Array, Any]:
    """(what is descended, (loss of the batch, choice among those there, gains, bids of those there))"""
    state, alive = state._replace(parameters=parameters), state.there
    h = read(parameters, rows.x)
    base = h @ parameters["public"] + parameters["level"]
    baseline, doubt = nats(base, rows.y), entropy(base)
    base, h, fact = jax.lax.stop_gradient((base, h, baseline))
    bids, added = bids_of(state, h, rows, t)[:, alive], offers(parameters, h)[alive]
    prices, costs = state.prices[alive], jnp.array(t.cost)[alive]
    each = nats(base + added, jnp.broadcast_to(rows.y, added.shape[:2])).T
    best = jnp.argmin(each, 1).astype(jnp.int32)
    net = jax.lax.stop_gradient(ranked(bids, t)) - t.own * costs - prices
    choice = jnp.where(t.winner > 0, best, choose(net, t, key, doubt))
    gate, chance = gated(bids, prices, choice, t)
    mine = jnp.take_along_axis(added, jnp.maximum(choice, 0)[None, :, None], 0)[0]
    losses = nats(base + (gate * (choice >= 0))[:, None] * mine, rows.y)
    gains = gains_of(losses[:, None], fact)
    paid, _ = own_loss(losses[:, None], fact, choice[:, None], prices, costs)
    share = jnp.mean(choice[:, None] == jnp.arange(len(alive)), 0)
    balance = t.auxiliary * len(alive) * jnp.sum(share * chance.mean(0))
    common = losses.mean() + balance + t.charge * jnp.mean(chance @ costs)
    weight = jax.nn.softmax(-jax.lax.stop_gradient(each) / jnp.maximum(t.winner, 1e-3))
    named = jnp.sum(weight * each, 1).mean() + nats(bids, best).mean()
    own = paid + bid_loss(bids, choice[:, None], gains)
    total = jnp.where(t.winner > 0, named, jnp.where(t.own > 0, own, common))
    return total + baseline.mean(), (losses.mean(), choice, gains[:, 0], bids)


def gated(bids: Array, prices: Array, choice: Array, t: Terms) -> tuple[Array, Array]:
    """(gates of value 1 [rows], chances [rows, experts])"""
    chance = jnp.where(t.softmax > 0, jax.nn.softmax(bids), jax.nn.sigmoid(bids))
    chance = jnp.where(t.softmax > 1, jax.nn.softmax(bids - jax.lax.stop_gradient(prices)), chance)
    mine = jnp.take_along_axis(chance, jnp.maximum(choice, 0)[:, None], 1)[:, 0]
    gate = mine / jax.lax.stop_gradient(mine)
    return jnp.where(t.own > 0, 1.0, gate), chance


def moved(state: State, bids: Array, choice: Array, gains: Array, rows: Rows, t: Terms) -> State:
    """Prices and trails after a batch, for the next."""
    here, net = state.prices[state.there], ranked(bids, t)
    full = jnp.full(len(here), len(bids) / len(here))
    level = here + t.dual * (dual.step(net, here, full, FREE) - here)
    leant = terms.in_range(here + t.sign * jnp.sign(terms.load_at(net, here, FREE) - full), FREE)
    prices = state.prices.at[state.there].set(jnp.where(t.sign > 0, leant, level))
    laid = jnp.zeros_like(state.trails).at[rows.kind, jnp.maximum(choice, 0)].add(jnp.maximum(gains, 0) * (choice >= 0))
    total = laid.sum(1, keepdims=True)
    fresh = (1 - t.trails) * state.trails + t.trails * laid / jnp.maximum(total, 1e-12)
    trails = jnp.where(total > 0, jnp.clip(fresh, FLOOR, 1), state.trails)
    return state._replace(prices=prices, trails=trails)


@functools.partial(jax.jit, static_argnames=("shape",))
def learn(shape: Shape, state: State, rows: Rows, t: Terms, seed: Array, until: Array, whole: Array) -> State:
    """The state after batch number `until`, of `whole` in all."""

    def one(state: State) -> State:
        drawn, key = jax.random.split(jax.random.fold_in(jax.random.key(seed), state.step))
        some = jax.random.randint(drawn, (shape.batch,), 0, len(rows.y))
        batch = jax.tree.map(lambda a: a[some], rows)
        slopes, (_, choice, gains, bids) = jax.grad(objective, has_aux=True)(state.parameters, state, batch, t, key)
        update, moments = ADAM.update(slopes, state.moments)
        fall = jnp.where(t.steady > 0, 1.0, 0.55 + 0.45 * jnp.cos(jnp.pi * state.step / whole))
        parameters = jax.tree.map(lambda p, u: p - t.rate * fall * u, state.parameters, update)
        state = moved(state, bids, choice, gains, batch, t)
        return state._replace(parameters=parameters, moments=moments, step=state.step + 1)

    return jax.lax.while_loop(lambda state: state.step < until, one, state)


# --- judging -------------------------------------------------------------------------------------------------------------


@jax.jit
def judge(state: State, rows: Rows, t: Terms) -> Judged:
    """What every expert would make of every row."""
    h = read(state.parameters, rows.x)
    base = h @ state.parameters["public"] + state.parameters["level"]
    logits = base + offers(state.parameters, h)
    target = jnp.broadcast_to(rows.y, logits.shape[:2])
    right, public_right = (jnp.argmax(z, -1) == y for z, y in ((logits, target), (base, rows.y)))
    bids = ranked(bids_of(state, h, rows, t), t) - state.prices - t.own * jnp.array(t.cost)
    return Judged(nats(logits, target).T, right.T, nats(base, rows.y), public_right, bids, entropy(base))


def multiplications(t: Terms, units: float, width: int, shape: Shape) -> int:
    """Of the routed part, a token, forward: the mean expert's, and the router's."""
    return int(units * (width + shape.classes) + (t.reads > 0) * ROUTER * (width + shape.experts))
