"""What a buyer gains by saying that it wants other things than it does: a lower bound, found by trying.

Truthful wants v_i make prices and bundles x, and utility u_i = v_i.x_i (+ money kept). Had buyer i said w instead, all
others as before, the market would have found x(w), worth v_i.x_i(w) (+ k_i(w)) to it. The gain is

    max_w  u_i(w) / u_i - 1,        w among lies of a few families, and random ones drawn from a seed

at least as much as is found, and at most 1 for linear wants: no lie more than doubles utility. Linear demand is a set,
so what a lie brings is a matter of which equilibrium comes about; measured is the one that `allocate` finds, where ties are
broken as on the central path, near the middle of the set.

A gap g of a market leaves the utility of a buyer with the share b of all money uncertain by sqrt(2 g / b), for
sum_k b_k (r_k - 1 - log r_k) <= g, r = u / u*. The sum of this for the truth and for the lie is the `rounding` of a gain:
what is not above it is none. In a large market lies that pay are small, as small as the own influence e, the largest share
of a good's money that is the buyer's own: families are scaled by it, so that gains do not vanish for want of lies.

N. Chen, X. Deng, H. Zhang and J. Zhang, Incentive ratios of Fisher markets, ICALP 2012 (linear: at most twice the utility).
B. Adsul, C. Babu, J. Garg, R. Mehta and M. Sohoni, Nash equilibria in Fisher market, SAGT 2010.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from catallax.core.errors import BadInput, Refused
from catallax.economy.many import KINDS, allocate_many

if TYPE_CHECKING:
    from catallax.economy.allocate import Allocation

Floats = NDArray[np.float64]
Lies = Iterator[tuple[str, Floats]]  # in words, and as wants [goods]
NEAR = 1e-10  # the gap that markets are asked for; what they reach is in the rounding
NUMBERS = 2**22  # valuations of the markets that are held at once: 32 MiB


@dataclasses.dataclass(frozen=True)
class Misreporting:
    """What lies bring, over the sampled buyers.

    `gain`: the largest, a share of what truth brings, 0 where no lie pays; `buyer` who has it (-1: nobody), by the lie
    `lie`, in words. `buyers` [sampled]: who was sampled; `gains` [sampled]: the best of each, at least 0, by `lies`, in
    words. `every` [sampled, 1 + lies]: what the truth and each lie bring, NaN where prices broke; of these, those up to
    `rounding` are none.
    """

    gain: float
    buyer: int
    lie: str
    buyers: NDArray[np.int_]
    gains: Floats
    lies: tuple[str, ...]
    every: Floats
    rounding: Floats


def misreporting(allocation: Allocation, buyers: int = 8, seed: int = 0, lies: int = 64) -> Misreporting:
    """The gain of each of `buyers` sampled buyers who want something, from the best of `lies` misreports.

    Raises `Refused` for wants that are not linear or quasi-linear, or with caps; `BadInput` for counts below 1.
    """
    facts = allocation.facts
    if facts["utility"] not in KINDS or any(facts.get(k) is not None for k in ("cap", "limit")):
        raise Refused("lies are searched for linear and quasi-linear wants without caps: use one of these utilities")
    for name, count in (("buyers", buyers), ("lies", lies)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise BadInput(f"{name} is {count!r}: give a whole number of at least 1")
    value, random = facts["valuations"], np.random.default_rng(seed)
    wanting = np.flatnonzero((value > 0).any(1))
    chosen = np.sort(random.choice(wanting, min(buyers, wanting.size), replace=False))
    truth = ([("the truth", value[i])] for i in chosen.tolist())
    told = [
        [*first, *itertools.islice(itertools.chain(reports(allocation, i, random), itertools.cycle(first)), lies)]
        for i, first in zip(chosen.tolist(), truth)
    ]
    worth, gap = (
        x.reshape(chosen.size, -1)
        for x in heard(facts, np.repeat(chosen, 1 + lies), [said for each in told for _, said in each])
    )
    share = facts["budgets"][chosen, None] / facts["budgets"][wanting].sum()
    rounding = np.sqrt(2 * gap[:, :1] / share) + np.sqrt(2 * gap / share)
    every = worth / worth[:, :1] - 1
    paid = np.where(every > rounding, every, 0.0)
    best = paid.argmax(1)
    gains, words = paid.max(1), tuple(each[k][0] for each, k in zip(told, best))
    top = int(gains.argmax())
    who = int(chosen[top]) if gains[top] > 0 else -1
    return Misreporting(float(gains[top]), who, words[top], chosen, gains, words, every, rounding)


def heard(facts: dict[str, Any], who: Any, said: list[Floats]) -> tuple[Floats, Floats]:
    """For each report, of wants `said` by buyer `who`: what the speaker gets, in true utility, and the market's gap."""
    value = facts["valuations"]
    worth, gap = np.empty(len(said)), np.empty(len(said))
    size = max(1, NUMBERS // value.size)
    for first in range(0, len(said), size):
        part = slice(first, first + size)
        speaker = who[part]
        at, tables = np.arange(len(speaker)), np.repeat(value[None], len(speaker), 0)
        tables[at, speaker] = said[part]
        found = allocate_many(tables, facts["budgets"], facts["supply"], facts["utility"], NEAR)
        gap[part] = found.gap
        worth[part] = (value[speaker] * found.allocation[at, speaker]).sum(1) + found.kept[at, speaker]
    return worth, gap


# --- what might be said ---


def reports(allocation: Allocation, i: int, random: np.random.Generator) -> Lies:
    """What buyer i might say instead: the families in turn, then at random and without end (unless, money not being wanted
    for itself, it wants a single good: it has nothing to say).

    Never the truth (nor, where money is not wanted for itself, a multiple of it, which says the same) and never nothing.
    """
    facts, price = allocation.facts, allocation.prices
    value, money = facts["valuations"][i], facts["utility"] == KINDS[1]
    names = facts["goods"] or [f"good {j}" for j in range(value.size)]
    bought = allocation.allocation[i] * price
    influence = float(np.max(allocation.allocation[i] / facts["supply"]))
    bargain = np.where(value > 0, value / np.where(price > 0, price, 1), -1.0)
    wanted = np.count_nonzero(value)
    dearest, cheapest = np.lexsort((-bargain, -bought))[:wanted], np.argsort(-bargain, kind="stable")[:wanted]
    others = np.flatnonzero((facts["valuations"] > 0).any(1) & (np.arange(len(facts["valuations"])) != i))
    families = [
        one_good(value, dearest[:3], influence, names),
        few_goods(value, cheapest[:5]),
        powers(value, influence),
        ((f"the wants of buyer {k}", facts["valuations"][k]) for k in random.permutation(others)[:4]),
        mixtures(value, price, influence),
        ((f"{a:.4g} of its wants", a * value) for a in (0.9, 0.7, 0.5, 0.8, 1 - influence / 4) if money),
    ]
    endless = at_random(value, influence, random) if money or wanted > 1 else iter(())
    seen = set()
    for words, said in itertools.chain(in_turn(families), endless):
        if words in seen:
            continue  # at an influence of 1 the families meet
        seen.add(words)
        if said.any() and not np.allclose(said * (1 if money else value.sum() / said.sum()), value, rtol=1e-9, atol=0):
            yield words, said


def one_good(value: Floats, goods: Any, influence: float, names: Any) -> Lies:
    """The worth of one good made more or less."""
    for factor in (0.0, 1 - influence / 4, 1 + influence / 4, 0.8, 1.25, 1 + influence, 4.0):
        for j in goods:
            said = value.copy()
            said[j] *= factor
            yield f"{names[j]} times {factor:.4g}" if factor else f"hides {names[j]}", said


def few_goods(value: Floats, goods: Any) -> Lies:
    """All hidden but the best bargains."""
    for count in range(1, len(goods)):
        said = np.zeros_like(value)
        said[goods[:count]] = value[goods[:count]]
        yield f"hides all but its best {count}", said


def powers(value: Floats, influence: float) -> Lies:
    """Wants flattened and sharpened."""
    for power in (0.5, 2.0, 0.75, 1 + influence, 0.25, 3.0, 1 - influence):
        yield f"wants to the power {power:.4g}", np.where(value > 0, value**power, 0)


def mixtures(value: Floats, price: Floats, influence: float) -> Lies:
    """Towards wanting everything for its price."""
    for share in (0.9, influence, 0.5, 1.0):
        said = np.where(value > 0, value, 1) ** (1 - share) * price**share
        yield f"wants, {100 * share:.3g} % of the way to prices", np.where(value > 0, said, 0)


def at_random(value: Floats, influence: float, random: np.random.Generator) -> Lies:
    """Every want times the exponential of a normal number, without end."""
    for draw, size in zip(itertools.count(1), itertools.cycle((influence / 2, 0.1, 0.3, influence, 1.0))):
        yield f"wants times exp({size:.3g} z), draw {draw}", value * np.exp(size * random.standard_normal(value.size))


def in_turn(families: list[Lies]) -> Lies:
    """One of each family after the other, until all are through."""
    for row in itertools.zip_longest(*families):
        yield from (lie for lie in row if lie is not None)
