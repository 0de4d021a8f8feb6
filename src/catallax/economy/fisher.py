"""A Fisher market: buyers with budgets of money, goods in fixed supply, and prices at which everything is sold.

    u_i(x_i)                                       by `utility`:
    linear         sum_j v_ij x_ij
    quasi-linear   sum_j v_ij x_ij + k_i           k: money kept; a pacing equilibrium of first-price auctions
    ces, cobb-douglas, leontief                    `economy.utility`; or a stacked `Utility` of one's own

Equilibrium prices minimise the dual of Eisenberg and Gale's programme, and any prices p and feasible bundles x prove how
far from it they are at most,

    gap = [sum_i B_i log(V_i(p) / u_i(x_i)) + p.s + sum_i k_i (+ sum_i r_i c_i) - sum_i B_i] / sum_i B_i >= 0

V_i what the budget buys at p (in units of utility). With caps on what one buyer may hold, sum_j x_ij <= c_i, the optimum
is Nash welfare under shadow prices: buyers need not spend all, and r_i is the rent of the cap. The gap is recomputed in
float64, by other code than the buyers'.

    silence           everyone gets the budget's share of everything
    signal            prices: `signals.interior` for linear wants, `signals.second_order` for the others
    planner           maximises sum_i B_i log u_i: proportional response, a mirror descent of its own, or `walras.plan`
    full information  everyone knows how the own bid moves the prices (linear wants)

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

from catallax.core.agent import Agent, View
from catallax.core.errors import Refused
from catallax.core.outcome import CODES, Outcome, Status, digest
from catallax.core.problem import Problem
from catallax.core.scene import Bars, Scene
from catallax.core.society import Society
from catallax.economy import eisenberg
from catallax.economy.bidders import Bidder
from catallax.economy.utility import CES, CobbDouglas, Utility
from catallax.measures.welfare import gini, share_of_optimum
from catallax.signals.interior import Interior
from catallax.signals.second_order import SecondOrder

KINDS = ("linear", "quasi-linear", "ces", "cobb-douglas", "leontief")
NOTHING = 1e-30  # the budget, a share of all, of an empty seat
AIM = {4: 5e-5, 8: 2e-7}  # the gap at which prices stand still, by the bytes of a number


opened = jax.jit(Bidder.opening, static_argnums=4)


class Buyer(Agent):
    """Spends its whole budget at the prices that it hears, and says how that would change with them."""

    budget: Float[Array, "*buyers"]
    utility: Any

    def respond(self, view: View, key):
        """Spending and its slope."""
        return self, self.utility.answer(view.public, self.budget)

    def tally(self, view: View, keys):
        """The same for stacked buyers, summed by matrix products."""
        return self, self.utility.answers(view.public, self.budget)


def floats(values: Any) -> Any:
    """An array of JAX's float type (a JAX array keeps its own)."""
    return values if isinstance(values, jax.Array) else jnp.asarray(np.asarray(values, float))


class Fisher(Problem):
    """Buyers with budgets share goods in fixed supply.

    **Fields:** `valuations` [buyers, goods], utility of a unit (CES: tastes); `budgets` [buyers], money; `supply` [goods],
    units; `utility`: one of linear, quasi-linear, ces, cobb-douglas, leontief, or a stacked `Utility`; `elasticity`
    [buyers] (ces alone); `cap` [buyers]: the most units that one buyer may hold in all (linear alone); `goal`: the gap at
    which prices stand still; `start` [goods]: prices at the start; `seats`: buyers that the society has room for (those
    beyond have next to no budget: with it, markets of many sizes are compiled once); `names`, `goods`: for messages and pictures.

    In float32 prices of linear wants stand still at a gap of 5e-5: settle to `tolerance=1e-4` there, or use float64
    (`jax_enable_x64`), as `allocate` does.

    **Raises** `BadInput` where a fact is missing or impossible.
    """

    valuations: Float[Array, "buyers goods"] = eqx.field(converter=floats)
    budgets: Float[Array, " buyers"] = eqx.field(converter=floats)
    supply: Float[Array, " goods"] = eqx.field(converter=floats)
    utility: Any = "linear"
    elasticity: Float[Array, " buyers"] | None = eqx.field(
        default=None, converter=lambda x: None if x is None else floats(x)
    )
    cap: Float[Array, " buyers"] | None = eqx.field(default=None, converter=lambda x: None if x is None else floats(x))
    goal: float | None = eqx.field(static=True, default=None)
    start: Any = None
    seats: int = eqx.field(static=True, default=0)
    names: tuple[str, ...] | None = eqx.field(static=True, default=None)
    goods: tuple[str, ...] | None = eqx.field(static=True, default=None)

    headline: ClassVar[str] = "efficiency"

    def __check_init__(self) -> None:
        eisenberg.check(self)

    @property
    def interior(self) -> bool:
        """Whether wants are linear: then buyers hold bundles and follow the path (`economy.bidders`)."""
        return self.utility in ("linear", "quasi-linear") if isinstance(self.utility, str) else False

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
        total, dtype = self.budgets.sum(), self.valuations.dtype
        goal = jnp.asarray(self.goal or AIM[dtype.itemsize], dtype)
        share, supply, value, cap = self.budgets / total, self.supply, self.valuations, self.cap
        worth = self.valuations * supply
        price = share @ (worth / worth.sum(1, keepdims=True)) / supply if self.start is None else self.start / total
        price = jnp.maximum(jnp.asarray(price, dtype), 1e-12 / supply)
        if not self.interior:
            return Society(Buyer(share, self.wants), SecondOrder.opening(jnp.log(price), supply, goal))
        value = value / total if self.money else value
        if empty := max(0, self.seats - len(share)):
            share = jnp.concatenate([share, jnp.full(empty, NOTHING, dtype)])
            value = jnp.concatenate([value, jnp.ones((empty, supply.size), dtype)])
            cap = None if cap is None else jnp.concatenate([cap, jnp.ones(empty, dtype)])
        agents = opened(value, share, price, supply, self.money, cap)
        return Society(agents, Interior.opening(price, supply, goal))

    def outcome(self, society: Society, heard: Any = None) -> Outcome:
        """Prices (money a unit), the allocation that can be delivered, money kept, utilities; float64."""
        total = float(np.asarray(self.budgets, np.float64).sum())
        told: Any = society.signal.public()
        price = np.asarray(told.price if self.interior else told, np.float64)
        if not self.interior:
            spent = eisenberg.spent(self, price if heard is None else np.asarray(heard, np.float64))
            # where posts clear: all that is bid, for all there is
            cleared = spent.sum(0) / np.asarray(self.supply, np.float64)
            given = np.divide(spent, cleared, out=np.zeros_like(spent), where=cleared > 0)
            return Outcome(society, values=eisenberg.valued(self, given, None, None, cleared))
        agents, count = society.agents, len(self.budgets)
        if heard is not None:
            raise Refused(
                "the interior path is followed by exact prices: cut to bits it leads nowhere (use another utility)"
            )
        rent = None if agents.rent is None else np.asarray(agents.rent, np.float64)[:count] * total
        kept = None if agents.kept is None else np.asarray(agents.kept, np.float64)[:count] * total
        given = eisenberg.delivered(self, np.asarray(agents.bundle, np.float64)[:count])
        return Outcome(society, values=eisenberg.valued(self, given, kept, rent, price * total))

    def gap(self, outcome: Outcome) -> float:
        """Eisenberg and Gale's gap, a share of all budgets."""
        return eisenberg.gap(self, outcome.values)[0]

    def silence(self) -> Outcome:
        """Nobody is told anything, so everyone gets the budget's share of everything (within the cap)."""
        budget = np.asarray(self.budgets, np.float64)
        given = budget[:, None] / budget.sum() * np.asarray(self.supply, np.float64)
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
        """Buyers of linear wants bid at posts in turn, each knowing the share `leak` of how its bid moves the prices.

        Certificate: at leak 1 the largest gain left to anyone, else how much bids still change in a round.
        """
        found = eisenberg.contest(self, leak, rounds, tolerance)
        gap = found["gap"]
        status = Status.SETTLED if gap <= tolerance else Status.UNSETTLED
        return Outcome(code=CODES.index(status), rounds=found["rounds"], unrest=gap, certificate=gap, values=found)

    def effect(self, outcome: Outcome) -> float:
        """The own effect on the price: the largest share of a good's money that is one buyer's, on average over buyers."""
        spent = outcome.allocation * outcome.price
        return float((spent / np.maximum(spent.sum(0), np.finfo(float).tiny)).max(1).mean())

    def gain(self, outcome: Outcome) -> float:
        """The largest relative gain in utility that one buyer of linear wants could make by bidding otherwise."""
        if self.utility != "linear" or self.cap is not None:
            raise Refused("the gain from bidding otherwise is known for linear wants without caps")
        return eisenberg.gain(self, outcome.allocation * outcome.price)

    def welfare(self, outcome: Outcome) -> dict[str, float]:
        """`efficiency`: exp(sum_i B_i log(u_i / u_i^plan) / sum B), Nash welfare as a share of the planner's; Gini of utilities."""
        reached = outcome.utilities
        if not np.isfinite(reached).all():
            return dict(efficiency=float("nan"), gini=float("nan"))
        best = eisenberg.remembered_plan(self)["utilities"]
        weights = np.asarray(self.budgets, np.float64)
        return dict(efficiency=share_of_optimum(reached, best, weights), gini=gini(reached))

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
        names = None if self.names is None else tuple(self.names[i] for i in chosen)
        facts = (
            some(self.valuations),
            some(self.budgets),
            self.supply,
            self.utility,
            some(self.elasticity),
            some(self.cap),
        )
        wanted = np.asarray((facts[0] > 0).any(0))  # goods that nobody wants any more leave with them
        goods = None if self.goods is None else tuple(g for g, w in zip(self.goods, wanted) if w)
        return Fisher(
            facts[0][:, wanted], facts[1], np.asarray(self.supply)[wanted], *facts[3:], self.goal, None, 0, names, goods
        )

    def replicate(self, copies: int) -> "Fisher":
        """Each buyer, and the supply, `copies` times."""
        if not isinstance(self.utility, str):
            raise Refused("buyers with a utility object of their own cannot be copied")

        def many(x: Any) -> Any:
            return None if x is None else np.concatenate([np.asarray(x)] * copies)

        facts = many(self.valuations), many(self.budgets), copies * np.asarray(self.supply), self.utility
        return Fisher(*facts, many(self.elasticity), many(self.cap), self.goal, None, 0, None, self.goods)

    def shocked(self, key: Any, size: float) -> "Fisher":
        """Every valuation multiplied by exp(size x normal), independently."""
        factor = jnp.exp(size * jax.random.normal(key, self.valuations.shape))
        return dataclasses.replace(self, valuations=self.valuations * factor)

    def facts_digest(self) -> str:
        """Of what the plan depends on."""
        return digest((self.valuations, self.budgets, self.supply, self.elasticity, self.cap)) + str(self.utility)
