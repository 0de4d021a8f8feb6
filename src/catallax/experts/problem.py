"""A mixture of experts as a problem: labelled rows, experts that share the work, and the router that coordinates them.

    silence             rows go where they bid most: nobody hears of a load (router "greedy")
    signal              a price for each expert, made by older batches, in so many bits (router "dual"; or another)
    planner             prices that clear each batch, found before anyone buys (router "planner"). It knows all bids and no labels:
                        the best balance there is for these bids, and no optimum of the loss
    full information    none: a row that knew all bids and loads would be the planner

Headline: accuracy on the rows held out, after the last epoch (they choose nothing). A round is one batch. Learning does not come
to rest: its unrest is the loss of the last batch, so that it is "unsettled" where rounds end it, which is no fault.
"""

import dataclasses
import functools as ft
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import Outcome
from catallax.core.rows import Rows
from catallax.core.scene import Bars, Grid, Scene
from catallax.core.schooled import Schooled
from catallax.core.society import Society
from catallax.experts.controls import Affine, Network, router_of
from catallax.experts.layer import PricedExperts
from catallax.experts.learning import SINGLE, Learning
from catallax.io.labelled import Table, scaled_table, table_of
from catallax.measures.specialisation import dead, load_entropy, max_violation, mutual_information

MOST = 100_000  # of whatever is counted in a setting


class Settings(NamedTuple):
    """How the network is made and taught; see `Mixture`."""

    router: str
    experts: int
    k: int
    width: int
    hidden: int
    capacity: Any
    costs: Any
    opt_out: bool
    epochs: int
    batch: int
    bits: int | None
    rate: float
    seed: int


class Facts:
    """Labelled rows and settings, and the rows as the device takes them."""

    def __init__(self, table: Table, settings: Settings):
        self.table, self.settings = table, settings

    @ft.cached_property
    def rows(self) -> tuple[Rows, Rows]:
        """To learn from, and held out, in numbers of the device's precision."""
        t, kind = self.table, np.dtype(jnp.zeros(()).dtype)
        both = ((t.x, t.y), (t.held_x, t.held_y))
        learnt, held = (Rows.of(x.astype(kind), y.astype(np.int32)) for x, y in both)
        return learnt, held


class Mixture(Schooled):
    """Labelled rows, experts, and the router that says which expert works on which row.

    **Arguments:** `X` [rows, features] numbers; `y` [rows] labels (whole numbers or words); `held`: rows (X, y) to be judged on
    (None: a `share` of each class, drawn by `seed`); `scaled`: inputs in standard deviations of the rows learnt from; `router`:
    a name of `experts.controls.ROUTERS`; `experts` of `hidden` units each, `k` a row; `width` of a row's place; `capacity` of an
    expert, in shares of a fair load, one or [experts]; `costs` [experts] in the unit of bids; `opt_out`: a row may buy nothing;
    `epochs`, `batch`; `bits` of each price that is heard (None: exactly); `rate` of Adam; `seed`: draws weights and rows.

    Capacities and opting out are terms of prices: routers without any ignore them. **Raises** `BadInput`, one sentence.
    """

    facts: Facts = eqx.field(static=True)

    headline: ClassVar[str] = "accuracy"

    def __init__(
        self,
        X: Any,
        y: Any = None,
        *,
        held: tuple[Any, Any] | None = None,
        share: float = 0.2,
        scaled: bool = False,
        router: str = "dual",
        experts: int = 8,
        k: int = 1,
        width: int = 32,
        hidden: int = 8,
        capacity: Any = 1.0,
        costs: Any = 0.0,
        opt_out: bool = False,
        epochs: int = 30,
        batch: int = 128,
        bits: int | None = None,
        rate: float = 1e-2,
        seed: int = 0,
    ):
        if isinstance(X, Facts):
            self.facts = X
            return
        named = Settings(router, experts, k, width, hidden, capacity, costs, opt_out, epochs, batch, bits, rate, seed)
        check_settings(named)
        table = table_of(X, y, held, share, seed)
        table = scaled_table(table) if scaled else table
        self.facts = Facts(table, named)

    def by(self, router: str | None = None, **changed: Any) -> "Mixture":
        """The same rows under other settings: another router, `experts`, `bits`, `seed`, ..."""
        return self.under(**changed, **({} if router is None else dict(router=router)))

    def having(self, table: Any, settings: Any) -> "Mixture":
        check_settings(settings)
        return Mixture(Facts(table, settings))

    # --- the network ---

    def network(self) -> Network:
        """The network before its first lesson."""
        table, set_ = self.facts.table, self.facts.settings
        keys = jax.random.split(jax.random.key(set_.seed), 4)
        return Network(
            Affine.drawn(keys[0], table.x.shape[1], set_.width), layer_of(set_, keys[1]),
            Affine.drawn(keys[2], set_.width, len(table.classes)),
            jax.random.normal(keys[3], (table.x.shape[1], count_of(set_))),
        )  # fmt: skip

    def society(self, leak: float = 0.0) -> Any:
        """A network that has had no lesson. Raises `Refused` with a leak."""
        if leak != 0:
            raise Refused("a row reads prices that older batches made: it has no effect of its own on them")
        set_, network = self.facts.settings, self.network()
        return begun(self, network, network.experts.opening(), adam(set_.rate))

    # --- the regimes ---

    def silence(self) -> Outcome:
        """Rows go where they bid most."""
        return self.by("greedy", bits=None).taught()

    def plan(self) -> Outcome:
        """Each batch at prices that clear it, which nobody could know before. No optimum, and it has no certificate."""
        outcome = self.by("planner", bits=None).taught()
        note = "prices that clear each batch itself: the best balance for these bids, and no optimum of the loss"
        return dataclasses.replace(outcome, notes=(*outcome.notes, note))

    def contest(self, leak: float = 1.0) -> Outcome:
        """Refused: see the head of this file."""
        raise Refused("a row that knew all bids and loads would be the planner: there is no full information beside it")

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """On rows held out: `accuracy`, `loss` [nats], `counts` [classes, experts]: how often each class went to each expert."""
        state: Any = society
        known = np.isfinite(state.accuracy) and state.seen % state.steps == 0  # within an epoch the test is an old one
        state = state if known else state.tested()
        values = dict(accuracy=float(state.accuracy), loss=float(state.loss), counts=np.asarray(state.counts))
        return Outcome(society, values=values)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`accuracy`, `loss`; `max_violation`, `load_entropy` and `dead` of loads; `mutual_information` [nats] of expert and class.
        All on rows held out.
        """
        counts = np.asarray(outcome.counts)
        load = counts.sum(0)
        known = mutual_information(counts) if load.any() else 0.0
        return dict(
            accuracy=float(outcome.accuracy), loss=float(outcome.loss), max_violation=max_violation(load),
            load_entropy=load_entropy(load), dead=float(dead(load)), mutual_information=known,
        )  # fmt: skip

    def effect(self, outcome: Outcome) -> float:
        """The largest share that one expert has of the work: its effect on prices."""
        load = np.asarray(outcome.counts).sum(0)
        return float(load.max() / max(load.sum(), 1.0))

    def gain(self, outcome: Outcome) -> float:
        """Refused: see `trade_inputs`."""
        raise Refused(
            "what an expert would gain by other inputs is asked of its realised losses: see experts.trade_inputs"
        )

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Mixture":
        """These experts alone. Raises `Refused` where fewer than k are left."""
        set_ = self.facts.settings
        kept = np.arange(set_.experts)[np.asarray(keep)]
        if len(kept) < set_.k:
            raise Refused(f"{len(kept)} experts would be left, and a row goes to {set_.k}")
        room, costs = (
            value if np.ndim(value) == 0 else np.asarray(value)[kept] for value in (set_.capacity, set_.costs)
        )
        return self.by(experts=len(kept), capacity=room, costs=costs)

    def replicate(self, copies: int) -> "Mixture":
        """So many times as many experts."""
        set_ = self.facts.settings
        room, costs = (
            value if np.ndim(value) == 0 else np.tile(value, copies) for value in (set_.capacity, set_.costs)
        )
        return self.by(experts=copies * set_.experts, capacity=room, costs=costs)

    def carried(self, old: Society, keep: Any = None) -> Any:
        """What `old` has learnt, on these rows; of its experts those that are kept, at their old prices."""
        state: Any = old
        count = state.network.count
        kept = np.arange(count) if keep is None else np.arange(count)[np.asarray(keep)]
        network, memory = (fewer(tree, kept, count, layer_of(self.facts.settings, jax.random.key(0)))
                           for tree in (state.network, state.memory))  # fmt: skip
        return begun(self, network, state.signal.level[kept], state.optimiser, memory).tested()

    # --- what there is to look at ---

    def watch(self) -> dict[str, Callable[[Any], Any]]:
        """The mean loss of the epoch so far; accuracy on rows held out after the last; prices, and each expert's share of the
        work of this epoch.
        """
        return dict(
            loss=lambda s: np.float64(s.total) / s.seen if s.seen else np.float64(np.nan),
            accuracy=lambda s: np.float64(s.accuracy),
            price=lambda s: np.asarray(s.signal.level, np.float64),
            share=lambda s: shares(s.load),
        )

    def words(self) -> dict[str, str]:
        set_ = self.facts.settings
        return dict(
            signal="price", measure="accuracy on rows held out",
            population=f"{count_of(set_)} experts of {set_.hidden} hidden units, {set_.k} a row",
        )  # fmt: skip

    def scene(self, society: Society) -> Scene:
        """Who specialises in what: of each class, the share that goes to each expert; and prices."""
        state: Any = society
        names = [f"expert {j}" for j in range(state.network.count)]
        router = self.facts.settings.router
        items = [specialities(np.asarray(state.counts), self.facts.table.classes)] if state.counts.any() else []
        return Scene(f"Experts under {router}", [*items, Bars(names, np.asarray(state.signal.level), "price")])


def specialities(counts: Any, classes: Any) -> Grid:
    """Of each class, the share of its work that each expert does: a row an expert, a column a class."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = [f"expert {j}" for j in range(counts.shape[1])]
    return Grid(share.T, "of each class, the share that goes to each expert", names, classes)


def shares(load: Any) -> np.ndarray:
    """Loads as shares of all; NaN before the first batch."""
    load = np.asarray(load, np.float64)
    return load / load.sum() if load.sum() else np.full(load.shape, np.nan)


# --- how it is made ---


@ft.lru_cache(maxsize=64)
def adam(rate: float) -> optax.GradientTransformation:
    """The same object for the same rate: networks that learn alike share what is compiled for them."""
    return optax.adam(rate)


def count_of(set_: Settings) -> int:
    """How many experts the network has: one under "dense"."""
    return 1 if set_.router == "dense" else set_.experts


def layer_of(set_: Settings, key: Any) -> PricedExperts:
    """The experts as they are drawn."""
    if set_.router == "dense":
        return PricedExperts(set_.width, set_.k * set_.hidden, 1, key=key)
    kind = router_of(set_.router)
    return PricedExperts(
        set_.width, set_.hidden, set_.experts, set_.k, key=key, capacity=set_.capacity, costs=set_.costs,
        opt_out=set_.opt_out, objective="own" if kind.own else "global", rule=kind.rule, explore=kind.explore,
    )  # fmt: skip


def begun(problem: Mixture, network: Network, prices: Any, optimiser: Any, memory: Any = None) -> Learning:
    """The society of a network and what it has learnt."""
    facts = problem.facts
    rows, held = facts.rows
    memory = optimiser.init(eqx.filter(network, eqx.is_inexact_array)) if memory is None else memory
    how = dict(router=facts.settings.router, rows=rows, held=held, batch=min(facts.settings.batch, rows.count))
    how |= dict(optimiser=optimiser, bits=facts.settings.bits, classes=len(facts.table.classes))
    return Learning.of(network, prices, memory, **how)


def fewer(tree: Any, kept: np.ndarray, count: int, layer: PricedExperts) -> Any:
    """A network, or its optimiser's memory, with these experts alone; `layer`: one of so many, for what is static."""

    def network(old: Any) -> Any:
        if not isinstance(old, Network):
            return old
        e = old.experts
        arrays = jax.tree.map(lambda a: a[kept], e.experts), e.bidder[:, kept], e.level[kept]
        new = eqx.tree_at(lambda m: (m.experts, m.bidder, m.level), layer, arrays)
        return Network(old.enter, new, old.leave, old.projection[:, kept])

    return jax.tree.map(network, tree, is_leaf=lambda node: isinstance(node, Network))


# --- checks ---


def check_settings(given: Settings) -> None:
    """A known router, whole numbers that make sense, and experts that can serve all rows."""
    router_of(given.router)
    for name in ("experts", "k", "width", "hidden", "epochs", "batch"):
        value = getattr(given, name)
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 1 <= value < MOST:
            raise BadInput(f"{name} is {value!r}: give a whole number of at least 1 and below {MOST:,}")
    if given.k > given.experts:
        raise BadInput(f"k is {given.k} and there are {given.experts} experts: give 1 <= k <= experts")
    if given.bits is not None and (isinstance(given.bits, bool) or given.bits not in range(1, SINGLE + 1)):
        raise BadInput(f"bits is {given.bits!r}: give a whole number from 1 to {SINGLE}, or None for exact prices")
    if isinstance(given.rate, bool) or not isinstance(given.rate, (int, float)) or not 0 < given.rate < np.inf:
        raise BadInput(f"rate is {given.rate!r}: give a positive number")
    jax.eval_shape(lambda key: layer_of(given, key).level, jax.random.key(0))  # capacities, costs
