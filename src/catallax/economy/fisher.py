"""A Fisher market: buyers with budgets of money, goods in fixed supply, and prices at which everything is sold.

    u_i(x_i)                                       by `utility`:
    linear         sum_j v_ij x_ij
    quasi-linear   sum_j v_ij x_ij + k_i           k: money kept; a pacing equilibrium of first-price auctions
    ces, cobb-douglas, leontief                    `economy.utility`; or a stacked `Utility` of one's own

Equilibrium prices minimise the dual of Eisenberg and Gale's programme, and any prices p and feasible bundles x prove how
far from it they are at most,

    gap = [sum_i B_i log(V_i(p) / u_i(x_i)) + p.s + sum_i k_i (+ sum_i r_i c_i + sum_ij r_ij c_ij) - sum_i B_i] / sum_i B_i >= 0

V_i what the budget buys at p (in units of utility). With caps on what one buyer may hold, in all (sum_j x_ij <= c_i) or of
one good (x_ij <= c_ij), the optimum is Nash welfare under shadow prices: buyers need not spend all, r_i and r_ij are the
rents of the caps, and V_i is what the budget buys at p_j + r_i + r_ij. The gap is recomputed in
float64, by other code than the buyers'.

    silence           everyone gets the budget's share of everything
    signal            prices, by one of the laws of `economy.buyers.laws`
    planner           maximises sum_i B_i log u_i: proportional response, a mirror descent of its own, or `walras.plan`
    full information  everyone knows how the own bid moves the prices (`economy.buyers.rivals`)

E. Eisenberg and D. Gale, Ann. Math. Stat. 30, 1959. V. Shmyrev, An algorithm for finding equilibrium in the linear exchange
model with fixed budgets, J. Applied and Industrial Mathematics 3, 2009. B. Birnbaum, N. Devanur and L. Xiao, Distributed
algorithms via gradient descent for Fisher markets, EC 2011 (proportional response is mirror descent).
"""

import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from catallax.core.errors import Refused
from catallax.core.outcome import CODES, Outcome, Status, digest
from catallax.core.problem import Problem
from catallax.core.scene import Bars, Scene
from catallax.core.society import Society
from catallax.economy.buyers import eisenberg, laws, rivals
from catallax.economy.facts import floats
from catallax.economy.utility import CES, CobbDouglas, Utility
from catallax.measures.welfare import gini, share_of_optimum

KINDS = ("linear", "quasi-linear", "ces", "cobb-douglas", "leontief")


class Fisher(Problem):
    """Buyers with budgets share goods in fixed supply.

    **Fields:** `valuations` [buyers, goods], utility of a unit (CES: tastes); `budgets` [buyers], money; `supply` [goods],
    units; `utility`: one of linear, quasi-linear, ces, cobb-douglas, leontief, or a stacked `Utility`; `elasticity`
    [buyers] (ces alone); `cap` [buyers]: the most units that one buyer may hold in all, `limit` [buyers, goods]: of each
    good (linear and quasi-linear wants alone); `goal`: the gap at which prices stand still; `start` [goods]: prices at
    the start; `seats`: buyers that the society has room for (those beyond have next to no budget: with it, markets of
    many sizes are compiled once); `names`, `goods`: for messages and pictures; `law`: how prices move: None (the interior
    path for linear wants, Newton for the others), "tatonnement" or "proportional-response", which hear prices through
    any `Channel`; `step`: how far in a round (see `economy.buyers.laws`).

    In float32 prices of linear wants stand still at a gap of 5e-5: settle to `tolerance=1e-4` there, or use float64
    (`jax_enable_x64`), as `allocate` does.

    **Raises** `BadInput` where a fact is missing or impossible.
    """

    valuations: Float[Array, "buyers goods"] = eqx.field(converter=floats)
    budgets: Float[Array, " buyers"] = eqx.field(converter=floats)
    supply: Float[Array, " goods"] = eqx.field(converter=floats)
    utility: Any = "linear"
    elasticity: Float[Array, " buyers"] | None = eqx.field(default=None, converter=floats)
    cap: Float[Array, " buyers"] | None = eqx.field(default=None, converter=floats)
    goal: float | None = eqx.field(static=True, default=None)
    start: Any = None
    seats: int = eqx.field(static=True, default=0)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)
    goods: tuple[str, ...] | None = eqx.field(static=True, default=None)
    law: str | None = eqx.field(static=True, default=None)
    step: float | None = eqx.field(static=True, default=None)
    limit: Float[Array, "buyers goods"] | None = eqx.field(default=None, converter=floats)

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        eisenberg.check(self)
        laws.check(self)

    @property
    def interior(self) -> bool:
        """Whether wants are linear: then what is bought is no function of prices."""
        return self.utility in ("linear", "quasi-linear") if isinstance(self.utility, str) else False

    @property
    def capped(self) -> bool:
        """Whether there are caps of either kind."""
        return self.cap is not None or self.limit is not None

    @property
    def money(self) -> bool:
        """Whether money is wanted for itself."""
        return isinstance(self.utility, str) and self.utility == "quasi-linear"

    @property
    def wants(self) -> Utility:
        """The stacked utilities of those whose wants are not linear."""
        if not isinstance(self.utility, str):
            return self.utility
        taste = self.valuations / self.valuations.sum(1, keepdims=True)
        if self.utility == "cobb-douglas":
            return CobbDouglas(taste)
        if self.utility == "leontief":
            return CES(self.valuations, jnp.zeros_like(self.budgets))
        assert self.elasticity is not None  # checked
        return CES(jnp.where((self.elasticity == 1)[:, None], taste, self.valuations), self.elasticity)

    def society(self, leak: float = 0.0) -> Society:
        """Buyers and their prices; all budgets together are the unit of money."""
        if leak:
            raise Refused("buyers who know the own effect on prices are contest()'s: no price law drives them")
        return laws.society(self)

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """Prices (money a unit), the allocation that can be delivered, money kept, utilities; float64."""
        return Outcome(society, values=laws.values(self, society, heard))

    def gap(self, outcome: Outcome) -> float:
        """Eisenberg and Gale's gap, a share of all budgets."""
        return eisenberg.gap(self, outcome.values)[0]

    def silence(self) -> Outcome:
        """Nobody is told anything, so everyone gets the budget's share of everything (within the caps)."""
        budget = np.asarray(self.budgets, np.float64)
        given = budget[:, None] / budget.sum() * np.asarray(self.supply, np.float64)
        if self.limit is not None:
            given = np.minimum(given, np.asarray(self.limit, np.float64))
        if self.cap is not None:
            given *= np.minimum(1, np.asarray(self.cap, np.float64) / given.sum(1))[:, None]
        kept = np.zeros_like(budget) if self.money else None
        return Outcome(values=eisenberg.valued(self, given, kept, None, None), certificate=0.0)

    def plan(self) -> Outcome:
        """Maximises sum_i B_i log u_i (less money spent, where money is wanted for itself)."""
        found = eisenberg.plan(self)
        gap = found["gap"]
        status = Status.SETTLED if gap <= 1e-6 else Status.UNSETTLED
        return Outcome(code=CODES.index(status), rounds=found["rounds"], unrest=gap, certificate=gap, values=found)

    def contest(self, leak: float = 1.0, rounds: int = 300, tolerance: float = 1e-6) -> Outcome:
        """Buyers bid at posts in turn, each knowing the share `leak` of how its bid moves the prices.

        Certificate: at leak 1 what anyone could gain, at most; else how much bids still change in a round. Refused for
        utilities of one's own, caps, and where a good has a single bidder.
        """
        found = rivals.contest(self, leak, rounds, tolerance)
        gap = found["gap"]
        status = Status.SETTLED if gap <= tolerance else Status.UNSETTLED
        return Outcome(code=CODES.index(status), rounds=found["rounds"], unrest=gap, certificate=gap, values=found)

    def effect(self, outcome: Outcome) -> float:
        """The own effect on the price: the largest share of a good's money that is one buyer's, on average over buyers."""
        spent = outcome.allocation * outcome.price
        return float((spent / np.maximum(spent.sum(0), np.finfo(float).tiny)).max(1).mean())

    def gain(self, outcome: Outcome) -> float:
        """The largest relative gain in utility that one buyer could make by bidding otherwise, the others' bids standing."""
        return rivals.gain(self, outcome.allocation * outcome.price)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: exp((W - W*) / sum B), W = sum_i B_i log u_i, Nash welfare (less the money kept, where money is
        wanted for itself: sellers want it too), W* the planner's; Gini of utilities."""
        reached = outcome.utilities
        if not np.isfinite(reached).all():
            return dict(efficiency=float("nan"), gini=float("nan"))
        best, weights = eisenberg.remembered_plan(self), np.asarray(self.budgets, np.float64)
        share = share_of_optimum(reached, best["utilities"], weights)
        if self.money:
            share *= float(np.exp((best["kept"].sum() - outcome.kept.sum()) / weights.sum()))
        return dict(efficiency=share, gini=gini(reached))

    def conserved(self, society: Society) -> dict[str, Any]:
        """Goods handed out never exceed the supply: what is left over, at least 0."""
        left = np.asarray(self.supply, np.float64) - self.outcome(society).allocation.sum(0)
        return {"overdrawn": np.maximum(-left - 1e-9 * np.asarray(self.supply, np.float64), 0)}

    def scene(self, society: Society) -> Scene:
        """Prices as bars."""
        return Scene("Fisher market", (Bars(self.labels, self.outcome(society).price, "price"),))

    @property
    def labels(self) -> tuple[str, ...]:
        """What goods are called."""
        return self.goods or tuple(f"good {j}" for j in range(self.supply.shape[0]))

    def words(self) -> dict[str, str]:
        """How pictures call things."""
        n, m = self.valuations.shape
        return dict(
            signal="price", measure="Nash welfare, share of the optimum", population=f"{n:,} buyers, {m:,} goods"
        )

    def restrict(self, keep: Any) -> "Fisher":
        """The market of the buyers `keep`; the supply stays."""
        chosen = np.arange(len(self.budgets))[np.asarray(keep)]
        if not chosen.size:
            raise Refused("no buyers would be left: there is nobody to share among")

        def some(x: Any) -> Any:
            return None if x is None else np.asarray(x)[chosen]

        if not isinstance(self.utility, str):
            raise Refused("buyers with a utility object of their own cannot be taken apart")
        value = np.asarray(self.valuations)[chosen]
        wanted = np.asarray((value > 0).any(0))  # goods that nobody wants any more leave with them
        return dataclasses.replace(
            self,
            valuations=value[:, wanted],
            budgets=some(self.budgets),
            supply=np.asarray(self.supply)[wanted],
            elasticity=some(self.elasticity),
            cap=some(self.cap),
            limit=None if self.limit is None else np.asarray(self.limit)[chosen][:, wanted],
            start=None,
            seats=0,
            names=None if self.names is None else tuple(self.names[i] for i in chosen),
            goods=None if self.goods is None else tuple(g for g, w in zip(self.goods, wanted) if w),
        )

    def replicate(self, copies: int) -> "Fisher":
        """Each buyer, and the supply, `copies` times."""
        if not isinstance(self.utility, str):
            raise Refused("buyers with a utility object of their own cannot be copied")

        def many(x: Any) -> Any:
            return None if x is None else np.concatenate([np.asarray(x)] * copies)

        return dataclasses.replace(
            self,
            valuations=many(self.valuations),
            budgets=many(self.budgets),
            supply=copies * np.asarray(self.supply),
            elasticity=many(self.elasticity),
            cap=many(self.cap),
            limit=many(self.limit),
            start=None,
            seats=0,
            names=None,
        )

    def shocked(self, key: Any, size: float) -> "Fisher":
        """Every valuation multiplied by exp(size x normal), independently."""
        factor = jnp.exp(size * jax.random.normal(key, self.valuations.shape))
        return dataclasses.replace(self, valuations=self.valuations * factor)

    def facts_digest(self) -> str:
        """Of what the plan depends on."""
        return digest((self.valuations, self.budgets, self.supply, self.elasticity, self.cap, self.limit)) + str(
            self.utility
        )
