"""A market of markets: funds that pool the members by rules of their own, and trade on the same outcomes.

`auto`, in one paragraph. Sixteen funds trade: the linear pool at which nobody profits (`em`); log pools of CARA traders
at four ridges, with and without an opening price of their own; isoelastic pools at alpha = .1, .5 and 1; and linear pools
amended by CARA traders, at four ridges. Each fund learns on four fifths of the out-of-fold rows and is scored on the
last, five times over; its wealth is proportional to exp(score / 5), the score in nats over all rows: a Kelly market whose
traders stake a fifth of a bet at each row (Hedge with rate 1/5). The price is the mean of the funds' prices, each by its
wealth. Nothing in it depends on how large the table is.

A market of one kind is the fund of that kind that scored best.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from catallax.ensembles.offers import Array, Offers, Receipt, log_score
from catallax.ensembles.rules import linear
from catallax.ensembles.rules.exponential import amended, exponential
from catallax.ensembles.rules.isoelastic import isoelastic
from catallax.ensembles.rules.price import Price

RIDGES = (1.0, 10.0, 100.0, 1000.0)
ALPHAS = (0.1, 0.5, 1.0)
STAKE = 0.2


Learn = Callable[..., Price]  # (offers, start=theta of a fit of nearly the same) -> the price


def _ignoring_start(rule: Callable[[Offers], Price]) -> Learn:
    return lambda offers, start=None: rule(offers)


def funds(market: str, cap: float | None, fraction: float) -> dict[str, Learn]:
    """The funds of a market, by name."""
    plain: dict[str, Learn] = {
        "kelly": _ignoring_start(lambda o: linear.kelly(o, cap)),
        "fractional": _ignoring_start(lambda o: linear.fractional(o, cap, fraction)),
        "em": _ignoring_start(lambda o: linear.em(o, cap)),
    }
    cara: dict[str, Learn] = {
        f"cara{' with opening' if bias else ''} {ridge:g}": partial(exponential, ridge=ridge, bias=bias, cap=cap)
        for bias in (False, True)
        for ridge in RIDGES
    }
    iso: dict[str, Learn] = {f"isoelastic {alpha:g}": partial(isoelastic, alpha=alpha, cap=cap) for alpha in ALPHAS}
    index: dict[str, Learn] = {f"amended {ridge:g}": partial(amended, ridge=ridge, cap=cap) for ridge in RIDGES}
    every = {"cara": cara, "isoelastic": iso, **{k: {k: v} for k, v in plain.items()}}
    every["auto"] = {"em": plain["em"], **cara, **iso, **index}
    return every[market]


MARKETS = ("auto", "cara", "kelly", "fractional", "em", "isoelastic")


@dataclass(frozen=True)
class Funds(Price):
    """Funds and what they own. `wealth` [funds], summing to one; `score` [funds], mean log price on rows not learnt from."""

    names: tuple[str, ...]
    prices: tuple[Price, ...]
    wealth: Array
    score: Array

    def _held(self) -> Iterator[tuple[float, Price]]:
        return ((w, p) for w, p in zip(self.wealth, self.prices) if w > 0)

    def price(self, belief: Array) -> Array:
        """[rows, members, outcomes] -> [rows, outcomes]."""
        return sum(w * p.price(belief) for w, p in self._held())  # pyright: ignore[reportReturnType]

    def shares(self) -> Array:
        """Each member's part in each fund, by the fund's wealth: [members], summing to one."""
        return sum(w * p.shares() for w, p in self._held())  # pyright: ignore[reportReturnType]

    def without(self, member: int) -> "Funds":
        """The same market, one member silent in every fund."""
        return Funds(self.names, tuple(p.without(member) for p in self.prices), self.wealth, self.score)

    def receipt(self, belief: Array) -> Receipt:
        """The floors' receipts by the funds' wealth; what a fund wins from other funds goes to its members by share."""
        price = self.price(belief)
        opening, moved, profit, maker = 0.0, 0.0, 0.0, 0.0
        for wealth, fund in self._held():
            own = fund.receipt(belief)
            won = own.price / price - 1
            opening = opening + wealth * own.opening
            moved = moved + wealth * own.moved
            profit = profit + wealth * (own.profit + fund.shares()[:, None] * won[:, None])
            maker = maker + wealth * own.maker
        return Receipt(np.asarray(opening), price, np.asarray(moved), np.asarray(profit), np.asarray(maker))


def learn(
    market: str,
    offers: Offers,
    fold: Array,
    *,
    cap: float | None = None,
    fraction: float = 0.1,
    incumbent: Price | None = None,
) -> Price:
    """The price of a market. `fold` int [rows]: which rows a fund is scored on together, not having learnt from them.

    `incumbent`: a price that trades as one more fund, and has half of all wealth at the start: it learns nothing, and others
    have to show that they are better.
    """
    rules = funds(market, cap, fraction)
    if len(rules) == 1 and incumbent is None:
        return next(iter(rules.values()))(offers)
    start = np.full(len(rules), 1.0)
    if incumbent is not None:
        rules["incumbent"] = _ignoring_start(lambda _: incumbent)
        start = np.r_[start, float(len(start))]
    trained = [(fold != held, fold == held) for held in np.unique(fold)]
    parts = [(offers.take(learnt), offers.take(kept)) for learnt, kept in trained if learnt.any()]
    prices, scores = zip(*(_scored(rule, offers, parts) for rule in rules.values()))
    score = np.array(scores)
    if market == "auto":
        wealth = start * np.exp(STAKE * (score - score.max()) * offers.weight.sum())
    else:
        wealth = (np.arange(len(score)) == score.argmax()).astype(float)
    return Funds(tuple(rules), prices, wealth / wealth.sum(), score)


def _scored(rule: Learn, offers: Offers, parts: list[tuple[Offers, Offers]]) -> tuple[Price, float]:
    """The fund that has learnt from all rows, and its mean log price on rows it had not learnt from."""
    whole = rule(offers)
    start = getattr(whole, "theta", None)
    total = sum(
        log_score(rule(learnt, start=start).price(kept.belief), kept) * kept.weight.sum() for learnt, kept in parts
    )
    rows = sum(kept.weight.sum() for _, kept in parts)
    return whole, float(total / rows) if parts else 0.0
