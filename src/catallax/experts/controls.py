"""One network of experts under many routers: who decides which rows an expert works on, and what it learns for.

    h = x W + b          a row's place, [rows, width]
    y = sum over its experts of g expert(h)         scores = (h + y) V + c [rows, classes]

Experts, gates and places are the same for all; gates of a row sum to 1 in value, so that no router gains by their scale.

    dense            one expert of k times the hidden units: as many multiplications a row
    greedy           rows go where they bid most: no word of loads
    random, hash     by lot, anew each time; by a fixed random projection of the inputs, nobody's choice
    switch           greedy, and E sum_j f_j P_j added to the loss (f: share of rows, a fact; P: mean softmax of bids; Fedus 2022)
    sign, dual       by price (`signals.routers`), each batch at prices that older ones have made
    own              dual, each expert learning for what it is paid, and bidding what it was paid (`payments`)
    planner          at prices that clear this very batch, found before anyone buys (BASE layers, Lewis 2021)
    expert-choice    experts take the rows of the batch that like them best, as many each (Zhou 2022): a row may get none

The last two know the whole batch: what a row is told depends on the rows beside it.

W. Fedus, B. Zoph and N. Shazeer, Switch transformers, JMLR 23, 2022; Y. Zhou and others, Expert choice routing, NeurIPS 2022;
S. Roller and others, Hash layers, NeurIPS 2021.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from catallax.core.errors import BadInput
from catallax.experts.dispatch import dispatch
from catallax.experts.layer import PricedExperts
from catallax.experts.payments import bid_loss, gains_of, own_loss
from catallax.signals.routers.terms import in_range
from catallax.signals.routing import step_of

CLEARING = 16  # rounds of quantile balancing by which the planner clears a batch


class Router(NamedTuple):
    """`sentence`: what decides; `by`: price, bids, lot, hash, batch (experts choose) or plan; `rule` of prices; `auxiliary`: weight
    of the balancing loss; `explore`: share of rows that go by lot while learning; `own`: experts learn for their profit.
    """

    sentence: str
    by: str = "bids"
    rule: str = "dual"
    auxiliary: float = 0.0
    explore: float = 0.0
    own: bool = False


ROUTERS: dict[str, Router] = {
    "dense": Router("nothing is to be decided: all rows go through one layer"),
    "random": Router("a lot, drawn anew each time", "lot", explore=1.0),
    "hash": Router("a fixed random projection of the row", "hash"),
    "greedy": Router("the row's own bids, and no word of loads"),
    "switch": Router("the row's own bids, which a loss of unequal loads has shaped", auxiliary=0.01),
    "sign": Router("bids less prices that move one step at a time", "price", "sign"),
    "dual": Router("bids less prices at which each expert is just full", "price"),
    "own": Router("bids less prices, each expert learning for its profit", "price", explore=0.1, own=True),
    "planner": Router("prices that clear this very batch, found before anyone buys", "plan"),
    "expert-choice": Router("the expert: it takes the rows of the batch that like it best", "batch"),
}


class Affine(eqx.Module):
    """x W + b."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"]

    @classmethod
    def drawn(cls, key: Any, inputs: int, outputs: int) -> "Affine":
        """Weights of variance 1 / inputs."""
        return cls(jax.random.normal(key, (inputs, outputs)) / math.sqrt(inputs), jnp.zeros(outputs))

    def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        return x @ self.weight + self.bias


class Network(eqx.Module):
    """Places, experts, scores; and a `projection` that nobody learns."""

    enter: Affine
    experts: PricedExperts
    leave: Affine
    projection: Float[Array, "features experts"]

    @property
    def count(self) -> int:
        """How many experts there are."""
        return len(self.experts.costs)


class Routed(NamedTuple):
    """`h`, `y` [rows, width]; `served` [rows, experts]: who worked on what; `prices` for the next batch; the layer's own
    account of it (None where it was not the layer that routed).
    """

    h: Float[Array, "rows width"]
    y: Float[Array, "rows width"]
    served: Bool[Array, "rows experts"]
    prices: Float[Array, " experts"]
    info: Any = None


def router_of(name: Any) -> Router:
    """The router of that name. Raises `BadInput` where there is none."""
    if name not in ROUTERS:
        raise BadInput(f"there is no router {name!r}: give one of {', '.join(ROUTERS)}")
    return ROUTERS[name]


def route(router: Router, network: Network, x: Any, prices: Any, key: Any, learning: bool, bits: Any = None) -> Routed:
    """Rows through the network under a router, up to the scores. `prices` are heard in so many `bits` (None: exactly)."""
    h, layer = network.enter(x), network.experts
    if router.by == "hash":
        return by_hash(network, x, h, prices)
    if router.by == "batch":
        return by_experts(layer, h, prices)
    if router.by == "plan":
        prices = clearing(layer, h, prices)
    heard = cut(prices, bits) if router.by == "price" else prices
    still = not learning or router.by != "price"
    lots = key if learning or router.by == "lot" else None
    y, following, info = layer(h, heard, key=lots, inference=still)
    if not still:
        prices = in_range(prices + following - heard, layer.terms)
    return Routed(h, y, took(info.choice, network.count), prices, info)


def took(choice: Int[Array, "rows k"], experts: int) -> Bool[Array, "rows experts"]:
    """Who worked on what."""
    return jnp.any(choice[..., None] == jnp.arange(experts), 1)


def by_hash(network: Network, x: Any, h: Any, prices: Any) -> Routed:
    """The experts whose directions a row lies nearest to, at equal gates."""
    layer = network.experts
    choice = jax.lax.top_k(jax.lax.stop_gradient(x @ network.projection), layer.terms.k)[1].astype(jnp.int32)
    outputs, _ = dispatch(layer.experts, h, choice, network.count, layer.block(len(x)))
    return Routed(h, jnp.mean(outputs, 1), took(choice, network.count), prices)


def by_experts(layer: PricedExperts, h: Any, prices: Any) -> Routed:
    """Each expert takes the rows that like it best, k rows / experts of them (rounded up)."""
    liking = jax.nn.softmax(h @ layer.bidder + layer.level)
    experts = liking.shape[1]
    rows = jax.lax.top_k(liking.T, min(len(h), math.ceil(layer.terms.k * len(h) / experts)))[1]
    place = rows, jnp.arange(experts)[:, None]
    served = jnp.zeros(liking.shape, bool).at[place].set(True)
    total = jax.lax.stop_gradient(jnp.sum(jnp.where(served, liking, 0), 1))
    gates = liking[place] / jnp.maximum(total, 1e-30)[rows]
    y = jnp.zeros_like(h).at[rows].add(gates[..., None] * layer.experts(h[rows]))
    return Routed(h, y, served, prices)


def clearing(layer: PricedExperts, h: Any, prices: Any) -> Float[Array, " experts"]:
    """Prices that clear this batch."""
    net = jax.lax.stop_gradient(h @ layer.bidder + layer.level) - jnp.asarray(layer.costs, h.dtype)
    room = layer.terms.k * len(h) / net.shape[1] * jnp.asarray(layer.capacity, h.dtype)
    step = step_of("dual")
    found = jax.lax.fori_loop(0, CLEARING, lambda _, p: step(net, p, room, layer.terms), prices)
    return jax.lax.stop_gradient(found)


def cut(prices: Float[Array, " experts"], bits: Any) -> Float[Array, " experts"]:
    """Prices as the nearest of 2^bits values from 0 to the highest, which is told beside them."""
    if bits is None:
        return prices
    most, steps = jnp.max(prices), float(2**bits - 1)
    return jnp.round(prices / jnp.where(most > 0, most, 1) * steps) / steps * most


# --- what is learnt ---


class Lesson(NamedTuple):
    """What a batch came to: `loss` of the network [nats], `prices` for the next, `load` [experts] in rows."""

    loss: Float[Array, ""]
    prices: Float[Array, " experts"]
    load: Float[Array, " experts"]


def aim(network: Network, router: Router, x: Any, label: Any, prices: Any, key: Any, bits: Any) -> tuple[Any, Lesson]:
    """(what all parts together descend, what the batch came to). Under `own` no gradient crosses experts."""
    found = route(router, network, x, prices, key, True, bits)
    loss = jnp.mean(losses(network.leave(found.h + found.y), label))
    load = jnp.sum(found.served, 0).astype(loss.dtype)
    total = loss
    if router.auxiliary:
        likely = jnp.mean(jax.nn.softmax(found.info.bids), 0)
        total = total + router.auxiliary * network.count * jnp.sum(load / jnp.sum(load) * likely)
    if router.own:
        total = total + profits(network, found, label, prices)
    return total, Lesson(loss, found.prices, load)


def profits(network: Network, found: Routed, label: Any, prices: Any) -> Any:
    """Minus what experts earn, and the error of their bids. Without an expert a row has its place alone."""
    leave, h, info = *jax.lax.stop_gradient((network.leave, found.h)), found.info
    baseline = losses(leave(h), label)
    each = losses(leave(h[:, None] + info.outputs), label[:, None])
    minus, _ = own_loss(each, baseline, info.choice, prices, jnp.asarray(network.experts.costs))
    return minus + bid_loss(info.bids, info.choice, gains_of(each, baseline))


def losses(scores: Float[Array, "*rows classes"], label: Any) -> Float[Array, "*rows"]:
    """Cross-entropy of each row, or of each expert's own output for it."""
    where = jnp.broadcast_to(label, scores.shape[:-1])[..., None]
    return -jnp.take_along_axis(jax.nn.log_softmax(scores), where, -1)[..., 0]
