"""An exchange economy: traders with endowments and tastes, coordinated by silence, prices, a planner, or nothing but cunning.

    silence           everyone keeps the endowment
    signal            all is sold on trading posts at prices that everyone takes as given (Walras)
    planner           max sum_i w_i log u_i, w_i = p*.e_i, the programme that Walras' prices p* solve
    full information  everyone knows how the own bid moves the prices (Nash on the same posts)

The mechanism is the same under all signals: posts, `signals.price.Posts`; `leak` alone says how much of the own effect a
trader knows. The headline, efficiency, is Debreu's coefficient of resource utilisation: the share of all goods
that, better shared, would make everyone as well off. Prices promise that, not equality: Gini's index stands beside it.

K. Arrow and G. Debreu, Existence of an equilibrium for a competitive economy, Econometrica 22, 1954.
H. Scarf, Some examples of global instability of the competitive equilibrium, Int. Economic Review 1, 1960.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from catallax.core.anderson import Anderson
from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import CODES, Outcome, Status, digest
from catallax.core.precision import double
from catallax.core.problem import Problem
from catallax.core.run import run
from catallax.core.scene import Bars, Grid, Scene
from catallax.core.settle import settle
from catallax.core.society import Society
from catallax.economy import walras
from catallax.economy.table import check_facts, read_exchange, valley
from catallax.economy.traders import Influencer, PriceTaker, best_bid
from catallax.economy.utility import CES, CobbDouglas
from catallax.measures.welfare import gini, rationed, share_of_optimum
from catallax.signals.price import Posts, Tatonnement

TURNS = 10  # rounds of a contest between two looks at the bids
_KNOWN: dict[str, Any] = {}  # equilibria and plans of the last economies, by digest: welfare asks for them each time


def floats(values: Any) -> Any:
    """An array of JAX's float type (a JAX array keeps its own)."""
    return values if isinstance(values, jax.Array) else jnp.asarray(np.asarray(values, float))


class Exchange(Problem):
    """Traders exchange what they own.

    **Fields:** `endowment` [traders, goods], units of each good; `taste` [traders, goods], weights of CES utility;
    `elasticity` [traders] of substitution (1: Cobb-Douglas, whose tastes are made to sum to 1; 0: Leontief); `names`
    and `goods` for messages and pictures; `law`: how prices move: "posts", or "multiplicative" or "additive"
    tatonnement; `step`: how far in a round; `opening` [goods]: the prices at the start (default: equal values).

    **Raises** `BadInput` where a fact is missing or impossible (see `economy.table`).
    """

    endowment: Float[Array, "traders goods"] = eqx.field(converter=floats)
    taste: Float[Array, "traders goods"] = eqx.field(converter=floats)
    elasticity: Float[Array, " traders"] = eqx.field(converter=floats)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)
    goods: tuple[str, ...] | None = eqx.field(static=True, default=None)
    law: Literal["posts", "multiplicative", "additive"] = eqx.field(static=True, default="posts")
    step: float = 0.5
    opening: Float[Array, " goods"] | None = eqx.field(converter=lambda x: x if x is None else floats(x), default=None)

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        if self.law not in ("posts", "multiplicative", "additive"):
            raise BadInput(f"Exchange.law is {self.law!r}: give 'posts', 'multiplicative' or 'additive'")
        if not self.traced:
            facts = (self.endowment, self.taste, self.elasticity)
            endowment, taste, elasticity = (np.asarray(x) for x in facts)
            check_facts(self.names, self.goods, endowment, taste, elasticity)
            if not 0 < self.step < np.inf:
                raise BadInput(f"Exchange.step is {self.step!r}: give how far prices move in a round, above 0")
            if self.opening is not None and not isinstance(self.opening, Tracer):
                check_opening(np.asarray(self.opening), endowment.shape[1])

    @classmethod
    def read(cls, path: str | Path, **settings: Any) -> "Exchange":
        """From a CSV file, one row a trader: `agent,endowment:<good>...,taste:<good>...[,elasticity]`."""
        return cls(**read_exchange(path), **settings)

    @classmethod
    def example(cls) -> "Exchange":
        """The economy that the package ships: a valley's market day, ten traders, five goods."""
        return cls.read(valley())

    @classmethod
    def drawn(
        cls, seed: int, traders: int = 8, goods: int = 4, elasticities: Sequence[float] = (0.5, 1.0, 2.0)
    ) -> "Exchange":
        """A random economy: exponential endowments of seven goods in ten, Dirichlet tastes, elasticities drawn from a few."""
        random = np.random.default_rng(seed)
        endowment = random.gamma(1.0, 1.0, (traders, goods)) * (random.random((traders, goods)) < 0.7) + 0.02
        taste = random.dirichlet(np.ones(goods), traders)
        return cls(endowment, taste, random.choice(np.asarray(elasticities, float), traders))

    @property
    def supply(self) -> Float[Array | np.ndarray, " goods"]:
        """All there is of each good."""
        return self.own(self.endowment).sum(0)

    @property
    def stock(self) -> Float[np.ndarray, " goods"]:
        """The same in float64: what judges outcomes."""
        return np.asarray(self.endowment, np.float64).sum(0)

    @property
    def traced(self) -> bool:
        """True inside `jit` or `grad`: nothing can then be looked at."""
        return any(isinstance(x, Tracer) for x in (self.endowment, self.taste, self.elasticity))

    def own(self, fact: Any) -> Any:
        """A fact as a NumPy array where it can be: small sums are then not compiled one by one."""
        return fact if self.traced else np.asarray(fact)

    @property
    def traders(self) -> walras.Traders:
        """The float64 judge of bundles."""
        return walras.Traders(np.asarray(self.taste, np.float64), np.asarray(self.elasticity, np.float64))

    # --- the regimes ---

    def society(self, leak: float | Float[Array, ""] = 0.0) -> Society:
        """Traders and their prices. `leak` in [0, 1] is the believed share of the own effect on the price.

        Raises `Refused` with a leak where a good has a single owner or a post a single bidder: no equilibrium.
        """
        if isinstance(leak, (int, float)) and not 0 <= leak <= 1:
            raise BadInput(f"leak is {leak!r}: the believed share of the own effect must be in [0, 1]")
        if isinstance(leak, (int, float)) and leak == 0:
            agents = PriceTaker(self.endowment, self.utility(), self.law != "posts")
            return Society(agents, self.signal())
        if self.law != "posts":
            raise Refused(f"the own effect on the price is known on posts alone, and this economy's law is {self.law}")
        self.check_rivals()
        supply, endowment = self.supply, self.own(self.endowment)
        leak, step, one = (jnp.asarray(x, self.endowment.dtype) for x in (leak, self.step, 1.0))
        signal = dataclasses.replace(self.signal(), step=one, turnover=one)  # prices as they are; bids move by `step`
        bid = jnp.asarray(endowment) * signal.public()  # a first bid: the own goods bought back
        agents = Influencer(self.endowment, self.utility(), bid, jnp.asarray(supply + 0 * endowment), leak, step)
        return Society(agents, signal)

    def utility(self) -> CES | CobbDouglas:
        """What traders carry; tastes of Cobb-Douglas made to sum to 1."""
        taste, elasticity = self.own(self.taste), self.own(self.elasticity)
        total = taste.sum(1, keepdims=True)
        if not self.traced and (elasticity == 1).all():
            return CobbDouglas(jnp.asarray(taste / total))
        return CES(jnp.asarray(taste / total ** (elasticity == 1)[:, None]), jnp.asarray(elasticity))

    def signal(self) -> Posts | Tatonnement:
        """Prices at the start."""
        supply = self.supply
        xp = jnp if self.traced else np
        opening = 1 / supply if self.opening is None else self.opening
        log_price = jnp.asarray(xp.log(opening / (opening @ supply)))
        supply = jnp.asarray(supply)
        step = jnp.asarray(self.step, supply.dtype)
        if self.law == "posts":
            return Posts(log_price, supply, step)
        return Tatonnement(log_price, supply, step, self.law)

    def silence(self) -> Outcome:
        """Nobody is told anything, so everyone keeps the endowment."""
        return Outcome(values=self.valued(np.asarray(self.endowment, np.float64), None), certificate=0.0)

    def plan(self) -> Outcome:
        """Maximises sum_i w_i log u_i with w_i = p*.e_i at the settled equilibrium p*, by one optimiser that starts afresh.

        Raises `Refused` where no equilibrium was settled: then there are no weights.
        """
        return remember("plan", self.facts_digest(), self._plan)

    def _plan(self) -> Outcome:
        price = self.equilibrium()
        income = np.asarray(self.endowment, np.float64) @ price
        best = walras.plan(self.traders, income, self.stock)
        values = self.valued(best.allocation, best.price) | {"weights": income / income.sum(), "gap": best.gap}
        status = Status.SETTLED if best.gap <= 1e-6 else Status.UNSETTLED
        return Outcome(
            code=CODES.index(status), rounds=best.iterations, unrest=best.gap, certificate=best.gap, values=values
        )

    def equilibrium(self) -> Float[np.ndarray, " goods"]:
        """Prices p* at which all markets clear, p*.supply = 1, float64."""
        return remember("price", self.facts_digest(), self._equilibrium)

    def _equilibrium(self) -> np.ndarray:
        found = settle(self, max_rounds=5000)  # as many as the questions allow: then it is compiled once for both
        if found.status is not Status.SETTLED:
            found = settle(self, method=Anderson())
        if found.status is not Status.SETTLED:
            raise Refused(
                f"no equilibrium of this economy was settled ({found.status.sentence}; certificate {found.certificate:.1e}), "
                "so the planner has no weights"
            )
        return np.exp(np.asarray(found.society.signal.log_price, np.float64))

    def contest(self, leak: float = 1.0, rounds: int = 300, tolerance: float = 1e-6, seed: int = 0) -> Outcome:
        """Everyone best-responds to the others in turn, until nobody's bids change any more.

        The certificate is, at leak 1, the largest gain that is left to anyone; at less, when nobody knows the whole
        of it, how much the bids still change in some rounds. Convergence is not promised: the status says.
        """
        society, gone, changed = self.society(leak), 0, np.inf
        while gone < rounds and changed > tolerance:  # prices may rest where bids do not: look at the bids
            before = np.asarray(society.agents.bid)
            ran = run(society, min(TURNS, rounds - gone), seed + gone, activation="random order")
            society, gone = ran.society, gone + ran.rounds
            changed = float(np.max(np.abs(np.asarray(society.agents.bid) - before)) / np.max(before))
            if ran.status is not Status.DONE:
                break
        outcome = dataclasses.replace(ran, rounds=gone, values=self.outcome(society).values)
        certificate = self.gain(outcome) if leak == 1 else changed
        if ran.status is Status.DONE:
            status = Status.SETTLED if certificate <= tolerance else Status.UNSETTLED
            outcome = dataclasses.replace(outcome, code=CODES.index(status))
        return dataclasses.replace(outcome, certificate=certificate)

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """Prices and allocation when the society's traders bid at the price they hear (`heard`; default: the exact one)."""
        price = np.asarray(society.signal.public(), np.float64)
        supply = self.stock
        if isinstance(society.agents, Influencer):
            bids = np.asarray(society.agents.bid, np.float64)
        else:
            told = price if heard is None else np.asarray(heard, np.float64)
            bids = np.full(self.endowment.shape, np.nan)  # of prices that are no longer numbers nothing can be said
            if np.isfinite(told).all():
                bids = self.traders.demand(told, np.asarray(self.endowment, np.float64) @ told) * told
        if self.law != "posts":
            return Outcome(society, values=self.valued(bids / price, price))
        cleared = bids.sum(0) / supply
        bundles = np.divide(bids, cleared, out=np.zeros_like(bids), where=cleared != 0)  # no money, nothing handed out
        return Outcome(society, values=self.valued(bundles, price) | {"bids": bids})

    def valued(self, allocation: np.ndarray, price: np.ndarray | None) -> dict[str, Any]:
        """Price, allocation, and the utilities of what can be delivered of it."""
        if np.isfinite(allocation).all():
            utilities = self.traders.utility(rationed(allocation, self.stock))
        else:  # prices were no longer numbers: nothing can be said of what is handed out
            utilities = np.full(len(allocation), np.nan)
        values = {"allocation": allocation, "utilities": utilities}
        return values if price is None else values | {"price": price}

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """Debreu's coefficient `efficiency` (and `efficiency_gap`, how far above it the truth may lie), `share_of_optimum`, `gini`.

        NaN throughout where prices are no longer numbers; `share_of_optimum` NaN where the planner is refused.
        """
        if not np.isfinite(outcome.utilities).all():
            return dict.fromkeys(("efficiency", "efficiency_gap", "share_of_optimum", "gini"), float("nan"))
        efficiency, slack = self.efficiency(outcome)
        try:
            plan = self.plan()
            share = share_of_optimum(outcome.utilities, plan.utilities, plan.weights)
        except Refused:
            share = float("nan")
        return dict(efficiency=efficiency, efficiency_gap=slack, share_of_optimum=share, gini=gini(outcome.utilities))

    def efficiency(self, outcome: Outcome) -> tuple[float, float]:
        """Debreu's coefficient and how far above it the truth may lie."""
        found = walras.utilisation(self.traders, outcome.utilities, self.stock)
        return found.value, found.gap

    def gap(self, outcome: Outcome) -> float:
        """The largest excess demand at the announced price, relative to supply: float64, other code than the traders'."""
        if "bids" in outcome.values and isinstance(outcome.society.agents, Influencer):
            return self.gain(outcome)
        if not np.isfinite(outcome.price).all():
            return float("nan")
        z = walras.excess(self.traders, outcome.price, np.asarray(self.endowment, np.float64))
        return float(np.max(np.abs(z) / self.stock))

    def gain(self, outcome: Outcome) -> float:
        """The largest relative gain in utility that one trader could make by bidding otherwise, all others' bids standing."""
        bids = np.asarray(outcome.bids, np.float64)
        supply = self.stock
        others = bids.sum(0) - bids
        best = best_bids(self, others)
        reached = self.traders.utility(supply * bids / bids.sum(0))
        possible = self.traders.utility(supply * best / (others + best))
        return float(np.max(possible / reached) - 1)

    def effect(self, outcome: Outcome) -> float:
        """The own effect on the price: the largest share of a post's money that is one trader's, on average over traders."""
        bids = np.asarray(outcome.bids, np.float64)
        return float((bids / bids.sum(0)).max(1).mean())

    def conserved(self, society: Society) -> dict[str, Any]:
        """Goods handed out, and the value of all there is in the unit of account."""
        outcome = self.outcome(society)
        value = float(np.asarray(society.signal.public(), np.float64) @ self.stock)
        if self.law != "posts":
            return {"value": value}
        return {"goods": outcome.allocation.sum(0), "value": value}

    def scene(self, society: Society) -> Scene:
        """Prices as bars, and who holds which share of what as a grid."""
        outcome = self.outcome(society)
        goods = self.goods or tuple(f"good {j}" for j in range(self.endowment.shape[1]))
        share = outcome.allocation / outcome.allocation.sum(0)
        return Scene("exchange", (Bars(goods, outcome.price, "price"), Grid(share, "share of each good")))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        n, m = self.endowment.shape
        return dict(signal="price", measure="efficiency (Debreu)", population=f"{n:,} traders, {m:,} goods")

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Exchange":
        """The economy of the traders `keep`; goods that nobody owns or wants any more leave it with them."""
        chosen = np.arange(len(self.endowment))[np.asarray(keep)]
        endowment, taste = (np.asarray(x)[chosen] for x in (self.endowment, self.taste))
        goods = (endowment > 0).any(0) & (taste > 0).any(0)
        stays = np.asarray((endowment[:, goods] > 0).any(1) & (taste[:, goods] > 0).any(1))
        if stays.sum() < 2 or goods.sum() < 2:
            raise Refused("fewer than two traders or two goods would be left: there is nothing to exchange")
        chosen = chosen[stays]
        return self.of(
            np.asarray(self.endowment)[chosen][:, goods],
            np.asarray(self.taste)[chosen][:, goods],
            np.asarray(self.elasticity)[chosen],
            None if self.names is None else tuple(self.names[i] for i in chosen),
            None if self.goods is None else tuple(self.goods[j] for j in np.flatnonzero(goods)),
        )

    def replicate(self, copies: int) -> "Exchange":
        """Each trader `copies` times."""
        names = None if self.names is None else tuple(f"{n} {c + 1}" for c in range(copies) for n in self.names)
        repeated = [np.concatenate([np.asarray(x)] * copies) for x in (self.endowment, self.taste, self.elasticity)]
        return self.of(repeated[0], repeated[1], repeated[2], names, self.goods)

    def shocked(self, key: Any, size: float) -> "Exchange":
        """Every endowment multiplied by exp(size x normal), independently."""
        factor = jnp.exp(size * jax.random.normal(key, self.endowment.shape))
        return self.of(self.endowment * factor, self.taste, self.elasticity, self.names, self.goods)

    def of(self, endowment: Any, taste: Any, elasticity: Any, names: Any, goods: Any) -> "Exchange":
        """Other facts, the same law."""
        return Exchange(endowment, taste, elasticity, names, goods, self.law, self.step)

    def facts_digest(self) -> str:
        return digest((self.endowment, self.taste, self.elasticity))

    def check_rivals(self) -> None:
        """Someone who alone owns or wants a good faces no price there: then there is no equilibrium in bids."""
        goods = self.goods or tuple(f"good {j}" for j in range(self.endowment.shape[1]))
        if self.traced:
            return
        sole = ((self.endowment, "owner", "pays itself at that post"), (self.taste, "bidder", "gets all for nothing"))
        for values, who, what in sole:
            alone = np.flatnonzero((np.asarray(values) > 0).sum(0) < 2)
            if alone.size:
                raise Refused(
                    f"{goods[alone[0]]} has a single {who}, who {what}: with knowledge of the own effect no equilibrium exists"
                )


def check_opening(price: np.ndarray, goods: int) -> None:
    """Prices at the start: one for each good, all positive."""
    if price.shape != (goods,) or not (np.isfinite(price) & (price > 0)).all():
        raise BadInput(f"Exchange.opening is {price.tolist()}: give a positive price for each of {goods} goods")


def best_bids(problem: Exchange, others: np.ndarray) -> np.ndarray:
    """Every trader's best bid at full knowledge of the own effect, given the `others`' money [traders, goods], float64."""
    taste, elasticity = np.asarray(problem.taste, np.float64), np.asarray(problem.elasticity, np.float64)
    taste = taste / taste.sum(1, keepdims=True) ** (elasticity == 1)[:, None]
    facts = (taste, elasticity, np.asarray(problem.endowment, np.float64), others)
    with double():
        return np.asarray(_best_bids(*(jnp.asarray(x, dtype=np.float64) for x in facts)))


@jax.jit
def _best_bids(taste, elasticity, endowment, others):
    supply = endowment.sum(0)

    def best(utility, share, others):
        return best_bid(utility, share, supply, others, jnp.ones((), supply.dtype))

    return jax.vmap(best)(CES(taste, elasticity), endowment / supply, others)


def remember(what: str, key: str, make: Any) -> Any:
    """`make()`, kept for the last few economies."""
    name = f"{what} {key}"
    if name not in _KNOWN:
        while len(_KNOWN) > 64:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[name] = make()
    return _KNOWN[name]
