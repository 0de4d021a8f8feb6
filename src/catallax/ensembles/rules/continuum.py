"""A market of markets on a continuum of outcomes, as `funds` is on classes.

`auto`, in one paragraph. Thirteen funds trade: the linear pool at which nobody profits (`em`); log pools of CARA traders at
four ridges, Gaussian and with the members' own tails; and quantile pools at four ridges. Each fund learns, what its members'
spreads are included, on four fifths of the out-of-fold rows and is scored by log density on the last, five times over; its
wealth is proportional to exp(score / 5), the score in nats over all rows. The price is the mixture of the funds' prices,
each by its wealth. Nothing in it depends on how large the table is.

A market of one kind is the fund of that kind that scored best.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from catallax.ensembles.rules.believe import Belief, Calibration, Said, calibrate
from catallax.ensembles.rules.bounded import Told
from catallax.ensembles.rules.density import Array, Density
from catallax.ensembles.rules.funds import RIDGES, STAKE
from catallax.ensembles.rules.gaussian import gaussian
from catallax.ensembles.rules.mixing import em, kelly
from catallax.ensembles.rules.pool import Pool
from catallax.ensembles.rules.quantile import quantile

MARKETS = ("auto", "gaussian", "quantile", "em", "kelly")
Learn = Callable[[Told, float, Array | None], Pool]  # (told, degrees of freedom, theta of a fit of nearly the same)


def funds(market: str, cap: float | None) -> dict[str, Learn]:
    """The funds of a market, by name."""
    log: dict[str, Learn] = {
        f"gaussian {ridge:g}": lambda t, v, start, r=ridge: gaussian(t, r, cap=cap, start=start) for ridge in RIDGES
    }
    log |= {
        f"heavy {ridge:g}": lambda t, v, start, r=ridge: gaussian(t, r, dof=v, cap=cap, start=start) for ridge in RIDGES
    }
    along: dict[str, Learn] = {
        f"quantile {ridge:g}": lambda t, v, start, r=ridge: quantile(t, v, r, cap=cap, start=start) for ridge in RIDGES
    }
    rest: dict[str, Learn] = {"em": lambda t, v, start: em(t, v, cap=cap)}
    last: dict[str, Learn] = {"kelly": lambda t, v, start: kelly(t, v, cap=cap)}
    return {"auto": {**rest, **log, **along}, "gaussian": log, "quantile": along, "em": rest, "kelly": last}[market]


@dataclass(frozen=True)
class Funds(Pool):
    """Funds and what they own. `wealth` [funds], summing to one; `score` [funds]: mean log density on rows not learnt from."""

    names: tuple[str, ...]
    pools: tuple[Pool, ...]
    wealth: Array
    score: Array

    def _held(self) -> Iterator[tuple[float, Pool]]:
        return ((float(w), p) for w, p in zip(self.wealth, self.pools) if w > 0)

    def price(self, belief: Belief) -> Density:
        """The parts of all."""
        each = [(wealth, pool.price(belief)) for wealth, pool in self._held()]
        return Density(
            np.concatenate([wealth * price.weight for wealth, price in each]),
            np.concatenate([price.place for _, price in each], 1),
            np.concatenate([price.scale for _, price in each], 1),
            np.concatenate([price.dof for _, price in each]),
        )

    def pulls(self, belief: Belief) -> tuple[Array, Array]:
        """The funds', by their wealth."""
        each = [(wealth, *pool.pulls(belief)) for wealth, pool in self._held()]
        return sum(w * pull for w, pull, _ in each), sum(w * maker for w, _, maker in each)  # pyright: ignore[reportReturnType]

    def shares(self) -> Array:
        """Each member's part in each fund, by the fund's wealth: [members], summing to one."""
        return sum(w * p.shares() for w, p in self._held())  # pyright: ignore[reportReturnType]

    def without(self, member: int) -> "Funds":
        """The same market, one member silent in every fund."""
        return Funds(self.names, tuple(p.without(member) for p in self.pools), self.wealth, self.score)

    def profit(self, belief: Belief, y: Array) -> Array:
        """The funds' by their wealth; what a fund wins from other funds goes to its members by share."""
        price, total = self.price(belief).log(y), 0.0
        for wealth, fund in self._held():
            won = np.expm1(fund.price(belief).log(y) - price)
            total = total + wealth * (fund.profit(belief, y) + fund.shares() * won[:, None])
        return np.asarray(total)


def learn(market: str, said: Said, fold: Array, floor: float, *, cap: float | None = None) -> tuple[Calibration, Pool]:
    """What spreads are, and the price of a market. `fold` int [rows]: who is scored on together, not having been learnt from."""
    rules = funds(market, cap)
    whole, told = _told(said, floor)
    pools = tuple(rule(told, whole.dof, None) for rule in rules.values())
    if len(pools) == 1:
        return whole, pools[0]
    score, rows = np.zeros(len(pools)), 0.0
    for part in np.unique(fold) if len(np.unique(fold)) > 1 else ():
        own, learnt = _told(said.take(fold != part), floor)
        kept = said.take(fold == part)
        belief = own.belief(kept.mean, kept.spread)
        rows += kept.weight.sum()
        for number, (rule, pool) in enumerate(zip(rules.values(), pools)):
            start = getattr(pool, "theta", None)
            score[number] += kept.weight @ rule(learnt, own.dof, start).price(belief).log(kept.y)
    score = score / max(rows, 1.0)
    if market == "auto":
        wealth = np.exp(STAKE * (score - score.max()) * said.weight.sum())
    else:
        wealth = (np.arange(len(score)) == score.argmax()).astype(float)
    return whole, Funds(tuple(rules), pools, wealth / wealth.sum(), score)


def _told(said: Said, floor: float) -> tuple[Calibration, Told]:
    own = calibrate(said, floor)
    belief = own.belief(said.mean, said.spread)
    return own, Told(belief.mean, belief.scale, said.y, said.weight)
