"""An exchange economy: traders with endowments and tastes, coordinated by silence, prices, a planner, or nothing but cunning.

    silence           everyone keeps the endowment
    signal            all is sold at prices that everyone takes as given (Walras)
    planner           max sum_i w_i log u_i, w_i = p*.e_i, the programme that Walras' prices p* solve
    full information  everyone knows how the own bid moves the prices of trading posts (Nash)

How prices move is the economy's `law`:

    posts             all bids buy all there is (`signals.price`); `leak` says how much of the own effect a trader knows
    multiplicative    an auctioneer raises what is wanted too much, by a share, or by an amount
    additive          (tatonnement, `signals.price`)
    second-order      traders say how demand moves with prices, incomes included: Newton's steps (`signals.newton`)
    interior          linear wants alone (elasticity infinite): no price tells which of equally good bundles to buy, so
                      traders hold bundles and follow a path (`economy.trade.barterers`, `signals.barter`)

With elasticities below 1 equilibria may be several: what certifies one is excess demand, not another's prices. The headline,
efficiency, is Debreu's coefficient of resource utilisation: the share of all goods that, better shared, would make everyone
as well off. Prices promise that, not equality: Gini's index stands beside it.

K. Arrow and G. Debreu, Existence of an equilibrium for a competitive economy, Econometrica 22, 1954.
H. Scarf, Some examples of global instability of the competitive equilibrium, Int. Economic Review 1, 1960.
D. Gale, The linear exchange model, J. Math. Economics 3, 1976.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from catallax.core.errors import BadInput, Refused
from catallax.core.outcome import Outcome, digest
from catallax.core.problem import Problem
from catallax.core.scene import Bars, Grid, Scene
from catallax.core.society import Society
from catallax.economy.facts import floats
from catallax.economy.trade import contest, judgement, prices
from catallax.economy.trade.own import Own
from catallax.economy.trade.table import check_facts, read_exchange, valley
from catallax.economy.trade.traders import Influencer
from catallax.economy.trade.walras import Traders
from catallax.economy.utility import CES, CobbDouglas, Utility


class Exchange(Problem):
    """Traders exchange what they own.

    **Fields:** `endowment` [traders, goods], units of each good; `taste` [traders, goods], weights of CES utility;
    `elasticity` [traders] of substitution (1: Cobb-Douglas, whose tastes are made to sum to 1; 0: Leontief; infinite, for
    all or none: linear, sum_j a_j x_j); `names` and `goods` for messages and pictures; `law`: how prices move (see the head
    of this file; default: "posts", "interior" for linear wants); `step`: how far in a round; `opening` [goods]: the prices
    at the start (default: equal values); `utility`: a stacked `Utility` in place of `taste` and `elasticity`.

    In float32 prices of linear wants stand still at a gap of 5e-5: settle to `tolerance=1e-4` there, or use float64.

    **Raises** `BadInput` where a fact is missing or impossible (see `economy.trade.table`).
    """

    endowment: Float[Array, "traders goods"] = eqx.field(converter=floats)
    taste: Float[Array, "traders goods"] | None = eqx.field(converter=floats, default=None)
    elasticity: Float[Array, " traders"] | None = eqx.field(converter=floats, default=None)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)
    goods: tuple[str, ...] | None = eqx.field(static=True, default=None)
    law: prices.Law | None = eqx.field(static=True, default=None)
    step: float = 0.5
    opening: Float[Array, " goods"] | None = eqx.field(converter=floats, default=None)
    utility: Any = None

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        prices.check(self)
        if not self.traced:
            endowment = np.asarray(self.endowment)
            check_facts(self.names, self.goods, endowment, *prices.tastes(self))
            if not 0 < self.step < np.inf:
                raise BadInput(f"Exchange.step is {self.step!r}: give how far prices move in a round, above 0")
            if self.opening is not None and not isinstance(self.opening, Tracer):
                prices.check_opening(np.asarray(self.opening), endowment.shape[1])

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
        return self.seen(self.endowment).sum(0)

    @property
    def stock(self) -> Float[np.ndarray, " goods"]:
        """The same in float64: what judges outcomes."""
        return np.asarray(self.endowment, np.float64).sum(0)

    @property
    def traced(self) -> bool:
        """True inside `jit` or `grad`: nothing can then be looked at."""
        return any(isinstance(x, Tracer) for x in jax.tree.leaves((self.endowment, self.taste, self.elasticity)))

    @property
    def linear(self) -> bool:
        """Whether wants are linear (False where elasticities are traced: those of linear wants have no derivative)."""
        known = self.elasticity is not None and not isinstance(self.elasticity, Tracer)
        return known and bool(np.isposinf(np.asarray(self.elasticity)).all())

    @property
    def rule(self) -> prices.Law:
        """The law, the default put in."""
        return self.law or ("interior" if self.linear else "posts")

    @property
    def labels(self) -> tuple[str, ...]:
        """What goods are called."""
        return self.goods or tuple(f"good {j}" for j in range(self.endowment.shape[1]))

    def seen(self, fact: Any) -> Any:
        """A fact as a NumPy array where it can be: small sums are then not compiled one by one."""
        return fact if self.traced else np.asarray(fact)

    @property
    def traders(self) -> Traders | Own:
        """The float64 judge of bundles."""
        if self.utility is not None:
            return Own(self.utility)
        return Traders(np.asarray(self.taste, np.float64), np.asarray(self.elasticity, np.float64))

    @property
    def wants(self) -> Utility:
        """What traders carry; tastes of Cobb-Douglas made to sum to 1."""
        if self.utility is not None:
            return self.utility
        taste, elasticity = self.seen(self.taste), self.seen(self.elasticity)
        total = taste.sum(1, keepdims=True)
        if not self.traced and (elasticity == 1).all():
            return CobbDouglas(jnp.asarray(taste / total))
        return CES(jnp.asarray(taste / total ** (elasticity == 1)[:, None]), jnp.asarray(elasticity))

    # --- the regimes ---

    def society(self, leak: float | Float[Array, ""] = 0.0) -> Society:
        """Traders and their prices. `leak` in [0, 1] is the believed share of the own effect on the price.

        Raises `Refused` with a leak where a good has a single owner or a post a single bidder: no equilibrium; and for
        linear wants that do not link all goods.
        """
        if isinstance(leak, (int, float)) and not 0 <= leak <= 1:
            raise BadInput(f"leak is {leak!r}: the believed share of the own effect must be in [0, 1]")
        if isinstance(leak, (int, float)) and leak == 0:
            return prices.society(self)
        contest.check_wants(self)
        if self.rule != "posts":
            raise Refused(f"the own effect on the price is known on posts alone, and this economy's law is {self.rule}")
        contest.check_rivals(self)
        return prices.influencers(self, leak)

    def silence(self) -> Outcome:
        """Nobody is told anything, so everyone keeps the endowment."""
        return Outcome(values=judgement.valued(self, np.asarray(self.endowment, np.float64), None), certificate=0.0)

    def plan(self) -> Outcome:
        """Maximises sum_i w_i log u_i with w_i = p*.e_i at the settled equilibrium p*, by one optimiser that starts afresh.

        Raises `Refused` where no equilibrium was settled: then there are no weights.
        """
        return judgement.plan(self)

    def equilibrium(self) -> Float[np.ndarray, " goods"]:
        """Prices p* at which all markets clear, p*.supply = 1, float64."""
        return judgement.equilibrium(self)

    def contest(self, leak: float = 1.0, rounds: int = 300, tolerance: float = 1e-6, seed: int = 0) -> Outcome:
        """Everyone best-responds to the others in turn, until nobody's bids change any more.

        The certificate is, at leak 1, the largest gain that is left to anyone; at less, when nobody knows the whole
        of it, how much the bids still change in some rounds. Convergence is not promised: the status says.
        """
        return contest.contest(self, leak, rounds, tolerance, seed)

    # --- what an outcome means ---

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """Prices and allocation when the society's traders bid at the price they hear (`heard`; default: the exact one)."""
        return Outcome(society, values=prices.values(self, society, heard))

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """Debreu's coefficient `efficiency` (and `efficiency_gap`, how far above it the truth may lie), `share_of_optimum`, `gini`.

        NaN throughout where prices are no longer numbers; `share_of_optimum` NaN where the planner is refused.
        """
        return judgement.welfare(self, outcome)

    def efficiency(self, outcome: Outcome) -> tuple[float, float]:
        """Debreu's coefficient and how far above it the truth may lie."""
        return judgement.efficiency(self, outcome)

    def gap(self, outcome: Outcome) -> float:
        """How far from equilibrium (`economy.trade.judgement`); of influencers, the largest gain left to one."""
        influencers = outcome.society is not None and isinstance(outcome.society.agents, Influencer)
        return self.gain(outcome) if influencers else judgement.gap(self, outcome)

    def gain(self, outcome: Outcome) -> float:
        """The largest relative gain in utility that one trader could make by bidding otherwise, all others' bids standing."""
        return contest.gain(self, outcome)

    def effect(self, outcome: Outcome) -> float:
        """The own effect on the price: the largest share of a good that one trader buys, on average over traders."""
        bought = outcome.allocation
        return float((bought / bought.sum(0)).max(1).mean())

    def conserved(self, society: Society) -> dict[str, Any]:
        """Goods handed out, and the value of all there is in the unit of account."""
        goods = {"goods": self.outcome(society).allocation.sum(0)} if self.rule in ("posts", "interior") else {}
        if self.rule == "interior":
            return goods
        return goods | {"value": float(np.asarray(society.signal.public(), np.float64) @ self.stock)}

    def scene(self, society: Society) -> Scene:
        """Prices as bars, and who holds which share of what as a grid."""
        outcome = self.outcome(society)
        share = outcome.allocation / outcome.allocation.sum(0)
        return Scene("exchange", (Bars(self.labels, outcome.price, "price"), Grid(share, "share of each good")))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        n, m = self.endowment.shape
        return dict(signal="price", measure="efficiency (Debreu)", population=f"{n:,} traders, {m:,} goods")

    # --- other problems made of this one ---

    def restrict(self, keep: Any) -> "Exchange":
        """The economy of the traders `keep`; goods that nobody owns or wants any more leave it with them."""
        if self.utility is not None:
            raise Refused("traders with a utility object of their own cannot be taken apart")
        chosen = np.arange(len(self.endowment))[np.asarray(keep)]
        endowment, taste = (np.asarray(x)[chosen] for x in (self.endowment, self.taste))
        goods = (endowment > 0).any(0) & (taste > 0).any(0)
        stays = np.asarray((endowment[:, goods] > 0).any(1) & (taste[:, goods] > 0).any(1))
        if stays.sum() < 2 or goods.sum() < 2:
            raise Refused("fewer than two traders or two goods would be left: there is nothing to exchange")
        chosen = chosen[stays]
        return dataclasses.replace(
            self,
            endowment=endowment[stays][:, goods],
            taste=taste[stays][:, goods],
            elasticity=np.asarray(self.elasticity)[chosen],
            names=None if self.names is None else tuple(self.names[i] for i in chosen),
            goods=None if self.goods is None else tuple(self.goods[j] for j in np.flatnonzero(goods)),
            opening=None,
        )

    def replicate(self, copies: int) -> "Exchange":
        """Each trader `copies` times."""
        if self.utility is not None:
            raise Refused("traders with a utility object of their own cannot be copied")
        names = None if self.names is None else tuple(f"{n} {c + 1}" for c in range(copies) for n in self.names)
        facts = {
            f: np.concatenate([np.asarray(getattr(self, f))] * copies) for f in ("endowment", "taste", "elasticity")
        }
        return dataclasses.replace(self, **facts, names=names, opening=None)

    def shocked(self, key: Any, size: float) -> "Exchange":
        """Every endowment multiplied by exp(size x normal), independently."""
        factor = jnp.exp(size * jax.random.normal(key, self.endowment.shape))
        return dataclasses.replace(self, endowment=self.endowment * factor, opening=None)

    def widened(self) -> "Exchange":
        """The same facts in float64 (where JAX allows it)."""
        facts = ("endowment", "taste", "elasticity", "opening")
        wide = {f: None if (x := getattr(self, f)) is None else np.asarray(x, np.float64) for f in facts}
        return dataclasses.replace(self, **wide)

    def facts_digest(self) -> str:
        """Of what equilibria and plans depend on."""
        return digest((self.endowment, self.taste, self.elasticity, self.utility)) + type(self.utility).__name__
