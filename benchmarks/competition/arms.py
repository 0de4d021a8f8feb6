"""Who serves which character: the arms of the comparison, one class each, all with the same call.

    layer(x, last, prices, asked) -> Served        x [rows, width], last [rows]: the last character of each context

Experts are those of `catallax.experts.PricedExperts`, and so are the price rules; dense layers, lots, the hash, Switch's
auxiliary loss and expert choice are controls and are written out here. A token's gates sum to 1 in value in every arm; where a
router learns, the gate passes its gradient on: sigmoid(s) / |sigmoid(s)| in priced arms, softmax(s - p) / |..| in those with a
net gate, softmax(s) / |softmax(s)| in Switch's and expert choice's (their papers' scores). Arms without a router have its E / 2
hidden units more an expert, so that active parameters and multiplications are equal: 2 W (H + E / 2) = 2 W H + W E.

W. Fedus and others, Switch Transformers, JMLR 2022 (auxiliary loss alpha E sum_j f_j P_j); S. Roller and others, Hash layers,
NeurIPS 2021; Y. Zhou and others, Mixture-of-experts with expert choice routing, NeurIPS 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from benchmarks.competition.corpus import SYMBOLS
from catallax.experts import PricedExperts
from catallax.experts.dispatch import dispatch
from catallax.experts.layer import Market, Perceptrons

EXPERTS = 8
WIDER = 2  # an expert's hidden units, in widths
ROOM = 2.0  # a block of the controls, in fair loads: they are not charged for overflow up to there


class Asked(NamedTuple):
    """`key` for lots; `learning`: or is it a test; `value` of the arm's own parameter, traced: one program for all."""

    key: Any
    learning: bool
    value: Any


class Served(NamedTuple):
    """`y` [rows, width]; `prices` [experts] for the next batch; `sent` [rows, experts]: who served whom, 0 or 1;
    `penalty`: what is added to the loss; `market`: what a layer of priced experts says, or None."""

    y: Any
    prices: Any
    sent: Any
    penalty: Any = 0.0
    market: Market | None = None


def perceptrons(key: Any, experts: int, width: int, hidden: int) -> Perceptrons:
    """Experts drawn as `PricedExperts` draws its own."""
    return PricedExperts(width, hidden, experts, key=key).experts


def one_hot(choice: Any) -> Any:
    """[rows, experts]: 1 where a row went."""
    return (choice[:, None] == jnp.arange(EXPERTS)).astype(jnp.float32)


def served(experts: Perceptrons, x: Any, choice: Any) -> Any:
    """What the chosen expert makes of each row, [rows, width]."""
    block = 8 * math.ceil(ROOM * len(x) / EXPERTS / 8)
    return dispatch(experts, x, choice[:, None], EXPERTS, min(block, len(x)))[0][:, 0]


class Dense(eqx.Module):
    """One perceptron for all: `times` the active hidden units of an expert."""

    experts: Perceptrons

    def __init__(self, key: Any, width: int, times: int = 1) -> None:
        hidden = WIDER * width + EXPERTS // 2 if times == 1 else times * WIDER * width
        self.experts = perceptrons(key, 1, width, hidden)

    def __call__(self, x: Any, last: Any, prices: Any, asked: Asked) -> Served:
        return Served(self.experts(x[None])[0], prices, jnp.zeros((len(x), EXPERTS)))


class Lots(eqx.Module):
    """Every row to an expert drawn anew."""

    experts: Perceptrons

    def __init__(self, key: Any, width: int) -> None:
        self.experts = perceptrons(key, EXPERTS, width, WIDER * width + EXPERTS // 2)

    def __call__(self, x: Any, last: Any, prices: Any, asked: Asked) -> Served:
        choice = jax.random.randint(asked.key, (len(x),), 0, EXPERTS)
        return Served(served(self.experts, x, choice), prices, one_hot(choice))


class Hash(eqx.Module):
    """A fixed table, drawn once a run, that says who serves which last character; as many characters each."""

    experts: Perceptrons
    table: tuple[int, ...] = eqx.field(static=True)
    shuffle: Any

    def __init__(self, key: Any, width: int) -> None:
        draw, shuffle = jax.random.split(key)
        self.experts = perceptrons(draw, EXPERTS, width, WIDER * width + EXPERTS // 2)
        self.table = tuple(i % EXPERTS for i in range(SYMBOLS))
        self.shuffle = jax.random.permutation(shuffle, SYMBOLS)  # whole numbers: nothing to learn

    def __call__(self, x: Any, last: Any, prices: Any, asked: Asked) -> Served:
        choice = jnp.asarray(self.table)[self.shuffle[last]]
        return Served(served(self.experts, x, choice), prices, one_hot(choice))


class Bidder(eqx.Module):
    """Scores [rows, experts] linear in x, and with `table` in the last character too."""

    weight: Any
    level: Any
    table: Any

    def __init__(self, key: Any, width: int, scale: float = 0.0) -> None:
        weight, table = jax.random.split(key)
        self.weight = jax.random.normal(weight, (width, EXPERTS)) / math.sqrt(width)
        self.level = jnp.zeros(EXPERTS)
        self.table = scale * jax.random.normal(table, (SYMBOLS, EXPERTS)) if scale else None

    def __call__(self, x: Any, last: Any) -> Any:
        score = x @ self.weight + self.level
        return score if self.table is None else score + self.table[last]


class Switch(eqx.Module):
    """Top-1 of a softmax router, and alpha E sum_j (share sent to j) (mean probability of j) on top of the loss."""

    experts: Perceptrons
    bidder: Bidder

    def __init__(self, key: Any, width: int, scale: float = 0.0) -> None:
        draw, bid = jax.random.split(key)
        self.experts = perceptrons(draw, EXPERTS, width, WIDER * width)
        self.bidder = Bidder(bid, width, scale)

    def __call__(self, x: Any, last: Any, prices: Any, asked: Asked) -> Served:
        chance = jax.nn.softmax(self.bidder(x, last))
        choice = jnp.argmax(chance, 1)
        sent = one_hot(choice)
        mine = jnp.sum(chance * sent, 1, keepdims=True)
        penalty = asked.value * EXPERTS * jnp.sum(jnp.mean(sent, 0) * jnp.mean(chance, 0))
        return Served(mine / jax.lax.stop_gradient(mine) * served(self.experts, x, choice), prices, sent, penalty)


class ExpertChoice(eqx.Module):
    """Each expert takes the rows / experts that score highest at it; a row may get none, or all."""

    experts: Perceptrons
    bidder: Bidder

    def __init__(self, key: Any, width: int) -> None:
        draw, bid = jax.random.split(key)
        self.experts, self.bidder = perceptrons(draw, EXPERTS, width, WIDER * width), Bidder(bid, width)

    def __call__(self, x: Any, last: Any, prices: Any, asked: Asked) -> Served:
        chance = jax.nn.softmax(self.bidder(x, last))
        mine, rows = jax.lax.top_k(chance.T, len(x) // EXPERTS)
        made = self.experts(x[rows]) * mine[..., None]
        sent = jnp.zeros((len(x), EXPERTS)).at[rows, jnp.arange(EXPERTS)[:, None]].set(1.0)
        total = jax.lax.stop_gradient(jnp.sum(chance * sent, 1, keepdims=True))
        y = jnp.zeros_like(x).at[rows].add(made) / jnp.where(total > 0, total, 1)
        return Served(y, prices, sent)


class Priced(eqx.Module):
    """`PricedExperts`, which names prices or one step of 1, of which the share `asked.value` is followed.

    That is the layer's own law: (1 - rate) p + rate step(p), and for `sign` p + size sign(load - fair), but for what is
    added to all prices alike. `table`: bids that read the last character too; "own": see `model.lesson`.
    """

    layer: PricedExperts
    table: Any

    def __init__(self, key: Any, width: int, scale: float = 0.0, gate: str = "sigmoid", **how: Any) -> None:
        draw, table = jax.random.split(key)
        self.layer = PricedExperts(width, WIDER * width, EXPERTS, key=draw, rate=1.0, gate=gate, **how)
        self.table = scale * jax.random.normal(table, (SYMBOLS, EXPERTS)) if scale else None

    def __call__(self, x: Any, last: Any, prices: Any, asked: Asked) -> Served:
        layer, learning = self.layer, asked.learning
        if self.table is not None:  # a level for each row in place of one for all
            layer = eqx.tree_at(lambda m: m.level, layer, layer.level + self.table[last])
        y, named, info = layer(x, prices, key=asked.key if learning else None, inference=not learning)
        own = layer.objective == "own"
        y = info.outputs[:, 0] if own else y
        following = prices + asked.value * (named - prices)
        return Served(y, following, one_hot(info.choice[:, 0]), 0.0, info if own else None)


class Arm(NamedTuple):
    """`make(key, width)` draws its layer; `values` of its own parameter `what`, in the order in which they are tried;
    one where there is nothing to choose, and then as many more learning rates are tried."""

    make: Callable[[Any, int], Any]
    what: str = ""
    values: tuple[float, ...] = (0.0,)
    diagnostic: bool = False


ALPHA, RATE, STEP = (0.01, 0.001, 0.1), (0.25, 0.05, 1.0), (0.01, 0.001, 0.05)
ARMS: dict[str, Arm] = {
    "dense, equal active": Arm(Dense),
    "dense, equal total": Arm(lambda key, width: Dense(key, width, EXPERTS)),
    "random": Arm(Lots),
    "hash": Arm(Hash),
    "switch": Arm(Switch, "alpha", ALPHA),
    "sign": Arm(lambda key, width: Priced(key, width, rule="sign", size=1.0), "step", STEP),
    "dual price": Arm(Priced, "rate", RATE),
    "expert choice": Arm(ExpertChoice),
    "own objective": Arm(lambda key, width: Priced(key, width, objective="own", explore=0.05), "rate", RATE),
    "no balance": Arm(Priced, diagnostic=True),
    "dual price + table": Arm(lambda key, width: Priced(key, width, 1.0), "rate", RATE, True),
    "switch + table": Arm(lambda key, width: Switch(key, width, 1.0), "alpha", ALPHA, True),
    "no balance, softmax gate (post hoc)": Arm(lambda key, width: Priced(key, width, gate="softmax"), diagnostic=True),
    "dual price, softmax gate (post hoc)": Arm(
        lambda key, width: Priced(key, width, gate="softmax"), "rate", RATE, True
    ),
    "dual price, net gate (post hoc)": Arm(lambda key, width: Priced(key, width, gate="net"), "rate", RATE),
    "sign, net gate (post hoc)": Arm(
        lambda key, width: Priced(key, width, rule="sign", size=1.0, gate="net"), "step", STEP
    ),
}
