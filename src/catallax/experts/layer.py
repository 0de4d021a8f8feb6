"""A layer of experts between which a price decides: `y, prices, info = layer(x, prices)`.

    s_ij = bidder_j(x_i)                                   what expert j bids for token i
    token i goes to the k experts of greatest s_ij - cost_j - p_j      (with `opt_out`: only where that is positive)
    y_i = sum over them of g_ij expert_j(x_i)              g_ij = r_ij / |sum of r_ij|, r_i = softmax(s_i - cost - p)
    p <- (1 - rate) p + rate step(s, p)                    `signals.routers`: dual, sinkhorn, sign or tatonnement

Gates of a token sum to 1 in value: their scale cannot be taken for a merit of a router, and their gradient is that of the
numerator (|...| is held constant). They are of what was ranked, the bid less cost and price, so that where a price sends a token
to its second choice, its gate does not say that it went wrong: gates of bids alone, "softmax" and "sigmoid", learn worse
(benchmarks/competition). An expert's bids and its price may rise together, which changes nothing: what counts is the difference.
Tokens respond to the old prices: the new ones, which know this batch, are for the next, and with `inference=True` prices stay as
they are. No token is dropped.

`objective="global"`: gradients of a shared loss of y flow everywhere. `"own"`: y, the input and the gates are given to the rest
of the network as facts, without a gradient; each expert learns from the loss of its own outputs (`info.outputs`), by
`payments.own_loss`, and bids by `payments.bid_loss`: no gradient crosses experts.

M. Lewis and others, BASE layers, ICML 2021; L. Wang and others, arXiv 2408.15664, 2024; J. Su, Quantile balancing, 2026.
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from catallax.core.errors import BadInput
from catallax.experts.dispatch import dispatch
from catallax.experts.payments import Calibration, expected
from catallax.signals.routers.terms import Terms
from catallax.signals.routing import clear, row, step_of

SPARE = 1.125  # blocks are so much larger than an expert's capacity: loads up to there cost one pass
RATE = {
    "dual": 0.25,
    "sinkhorn": 0.25,
}  # rules that name a new price outright are followed in part; steps are taken in full
GATES = {
    "net": lambda bids, asked: jax.nn.softmax(bids - asked),  # asked: cost and price
    "softmax": lambda bids, asked: jax.nn.softmax(bids),
    "sigmoid": lambda bids, asked: jax.nn.sigmoid(bids),
}
RULES = ("dual", "sinkhorn", "sign", "tatonnement")
EIGHT = 8  # rows of a block come in eights


class Market(NamedTuple):
    """What happened at the experts. `bids` [tokens, experts]; `choice` [tokens, k], -1 nothing; `outputs` [tokens, k, width] and
    `gates` [tokens, k]; `explored` [tokens]: sent by lot; `load` [experts] in tokens, and of it `max_violation`
    (max - mean) / mean, `entropy` (1: all alike, 0: one has all) and `dead`, the number of experts without tokens.
    """

    bids: Float[Array, "tokens experts"]
    choice: Int[Array, "tokens k"]
    outputs: Float[Array, "tokens k width"]
    gates: Float[Array, "tokens k"]
    explored: Bool[Array, " tokens"]
    load: Int[Array, " experts"]
    max_violation: Float[Array, ""]
    entropy: Float[Array, ""]
    dead: Int[Array, ""]


class Perceptrons(eqx.Module):
    """Experts of one hidden layer, stacked: relu(x W + b) V + c."""

    enter: Float[Array, "experts width hidden"]
    bias: Float[Array, "experts hidden"]
    leave: Float[Array, "experts hidden width"]
    shift: Float[Array, "experts width"]

    def __call__(self, blocks: Float[Array, "experts block width"]) -> Float[Array, "experts block width"]:
        inner = jnp.einsum("ebw,ewh->ebh", blocks, self.enter) + self.bias[:, None]
        return jnp.einsum("ebh,ehw->ebw", jax.nn.relu(inner), self.leave) + self.shift[:, None]


class PricedExperts(eqx.Module):
    """Experts that tokens buy; see the head of this file.

    `PricedExperts(width, hidden, experts, k=1, key=key)`; `capacity`: what each expert should serve, in shares of a fair load
    k tokens / experts, one number or [experts]; `costs` [experts] in the unit of bids; `rule` and `size`: how prices move
    (`signals.routers`), and `rate`: the share of that move that is made (default: a quarter where the rule names a price,
    all of a step); `explore`: the share of tokens that are sent by lot where a key is given; `gate`: r, "net", the
    default, or "softmax" or "sigmoid" of bids alone; with the own objective gates have no gradient, and are "sigmoid".
    Raises `BadInput` for k > experts and for capacities that are less than fair loads in all without `opt_out`.
    """

    experts: Perceptrons
    bidder: Float[Array, "width experts"]
    level: Float[Array, " experts"]
    costs: tuple[float, ...] = eqx.field(static=True)
    capacity: tuple[float, ...] = eqx.field(static=True)
    terms: Terms = eqx.field(static=True)
    objective: str = eqx.field(static=True)
    rule: str = eqx.field(static=True)
    rate: float = eqx.field(static=True)
    size: float | None = eqx.field(static=True)
    explore: float = eqx.field(static=True)
    gate: str = eqx.field(static=True)

    def __init__(
        self,
        width: int,
        hidden: int,
        experts: int,
        k: int = 1,
        *,
        key: Any,
        capacity: Any = 1.0,
        costs: Any = 0.0,
        opt_out: bool = False,
        objective: str = "global",
        rule: str = "dual",
        rate: float | None = None,
        size: float | None = None,
        explore: float = 0.0,
        gate: str | None = None,
    ):
        self.costs, self.capacity = (
            tuple(map(float, row(v, n, experts))) for v, n in ((costs, "costs"), (capacity, "capacity"))
        )
        rate = RATE.get(rule, 1.0) if rate is None else rate
        gate = ("net" if objective == "global" else "sigmoid") if gate is None else gate
        refuse(experts, k, self.capacity, opt_out, rate, explore)
        known(objective=(objective, ("own", "global")), rule=(rule, RULES), gate=(gate, tuple(GATES)))
        self.terms = Terms(int(k), not opt_out and math.isclose(sum(self.capacity), experts), bool(opt_out))
        self.objective, self.rule, self.size, self.explore = objective, rule, size, float(explore)
        self.rate, self.gate = float(rate), gate
        enter, leave, bid = jax.random.split(key, 3)
        self.experts = Perceptrons(
            jax.random.normal(enter, (experts, width, hidden)) * math.sqrt(2 / width),
            jnp.zeros((experts, hidden)),
            jax.random.normal(leave, (experts, hidden, width)) / math.sqrt(hidden),
            jnp.zeros((experts, width)),
        )
        self.bidder = jax.random.normal(bid, (width, experts)) / math.sqrt(width)
        self.level = jnp.zeros(experts)

    def __call__(
        self,
        x: Float[Array, "tokens width"],
        prices: Float[Array, " experts"],
        *,
        key: Any = None,
        inference: bool = False,
        calibration: Calibration | None = None,
    ) -> tuple[Float[Array, "tokens width"], Float[Array, " experts"], Market]:
        """(what the experts make of x, prices for the next batch, what happened).

        `key`: for exploring; none, no lots. `inference`: prices are handed back as they came. `calibration`
        (`payments.calibrate`): bids are ranked by what they have turned out to be worth where lots were drawn.
        """
        bids = (
            jax.lax.stop_gradient(x) @ self.bidder + self.level
            if self.objective == "own"
            else x @ self.bidder + self.level
        )
        heard = jax.lax.stop_gradient(bids)
        net = (heard if calibration is None else expected(heard, calibration)) - jnp.asarray(self.costs, bids.dtype)
        choice, explored = self.bought(net, prices, key)
        gates = self.gates(bids, prices, choice)
        given = jax.lax.stop_gradient(x) if self.objective == "own" else x
        outputs, load = dispatch(self.experts, given, choice, len(self.costs), self.block(len(x)))
        y = jnp.einsum("tk,tkw->tw", gates, outputs)
        y = jax.lax.stop_gradient(y) if self.objective == "own" else y
        following = prices if inference else self.moved(net, prices)
        return y, following, Market(bids, choice, outputs, gates, explored, load, *spread(load))

    def bought(self, net: Any, prices: Any, key: Any) -> tuple[Any, Any]:
        """(the k experts of each token, -1 nothing; which tokens were sent by lot)"""
        ranked, explored = net - jax.lax.stop_gradient(prices), jnp.zeros(len(net), bool)
        if key is not None and self.explore > 0:
            who, where = jax.random.split(key)
            explored = jax.random.bernoulli(who, self.explore, (len(net),))
            lots = jax.random.uniform(where, net.shape, net.dtype, jnp.finfo(net.dtype).tiny, 1)
            ranked = jnp.where(explored[:, None], lots, ranked)
        if self.terms.k == 1:
            choice = jnp.argmax(ranked, 1)[:, None]
        else:
            choice = jax.lax.top_k(ranked, self.terms.k)[1]
        choice = choice.astype(jnp.int32)
        if self.terms.opt_out:
            choice = jnp.where(jnp.take_along_axis(ranked, choice, 1) > 0, choice, -1)
        return choice, explored

    def gates(self, bids: Any, prices: Any, choice: Any) -> Any:
        """Weights [tokens, k] that sum to 1 over what was bought; 0 where nothing was."""
        told = GATES[self.gate](bids, jnp.asarray(self.costs, bids.dtype) + jax.lax.stop_gradient(prices))
        raw = jnp.take_along_axis(told, jnp.maximum(choice, 0), 1) * (choice >= 0)
        total = jax.lax.stop_gradient(jnp.sum(raw, 1, keepdims=True))
        gates = raw / jnp.where(total > 0, total, 1)
        return jax.lax.stop_gradient(gates) if self.objective == "own" else gates

    def moved(self, net: Any, prices: Any) -> Any:
        """Prices for the next batch, from the bids of this one."""
        fair = self.terms.k * len(net) / len(self.costs)
        wanted = step_of(self.rule)(net, prices, fair * jnp.asarray(self.capacity, net.dtype), self.terms, self.size)
        return jax.lax.stop_gradient((1 - self.rate) * prices + self.rate * wanted)

    def block(self, tokens: int) -> int:
        """Rows of an expert's block, a multiple of `EIGHT`."""
        fair = self.terms.k * tokens / len(self.costs)
        return min(EIGHT * math.ceil(SPARE * max(self.capacity) * fair / EIGHT), EIGHT * math.ceil(tokens / EIGHT))

    def opening(self, x: Any = None) -> Float[Array, " experts"]:
        """Prices to begin with: zeros, or those that clear the market for the tokens `x` [tokens, width] (on the host)."""
        if x is None:
            return jnp.zeros_like(self.level)
        fair = self.terms.k * len(x) / len(self.costs)
        room = np.ceil(fair * np.asarray(self.capacity))
        found = clear(x @ self.bidder + self.level, room, self.terms.k, costs=self.costs, opt_out=self.terms.opt_out)
        return jnp.asarray(found.prices, self.level.dtype)


def spread(load: Int[Array, " experts"]) -> tuple[Any, Any, Any]:
    """(MaxVio, entropy as a share of the greatest, experts without a token) of a load."""
    share = load / jnp.maximum(jnp.sum(load), 1)
    entropy = -jnp.sum(jax.scipy.special.xlogy(share, share)) / max(math.log(load.size), 1e-30)
    return jnp.max(share) * load.size - 1, entropy, jnp.sum(load == 0)


def known(**words: tuple[str, tuple[str, ...]]) -> None:
    """Refuses a word that is none of those there are."""
    for name, (value, some) in words.items():
        if value not in some:
            raise BadInput(f"{name} is {value!r}: give one of {', '.join(some)}")


def refuse(experts: int, k: int, capacity: Any, opt_out: bool, rate: float, explore: float) -> None:
    """Refuses what cannot be, in a sentence."""
    if not 1 <= k <= experts:
        raise BadInput(f"k is {k} and there are {experts} experts: give 1 <= k <= experts")
    if min(capacity) < 0:
        raise BadInput(
            f"capacity[{int(np.argmin(capacity))}] is {min(capacity)!r}: give shares of a fair load of at least 0"
        )
    served = sum(min(c, experts / k) for c in capacity)
    if not opt_out and served < experts * (1 - 1e-9):
        raise BadInput(
            f"capacity: experts can serve {served:g} fair loads in all, and tokens are {experts}: raise capacities, or let tokens "
            "buy nothing (opt_out=True)"
        )
    for name, value in (("rate", rate), ("explore", explore)):
        if not 0 <= value <= 1:
            raise BadInput(f"{name} is {value!r}: give a share between 0 and 1")
