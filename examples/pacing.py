"""Ad budgets that last the day: one number an advertiser, found by prices.

Impressions of a few keywords are sold one by one, each to the highest bid, which is what is paid. Who bids the true value
has spent the budget by noon, at the morning's prices. A paced advertiser bids beta_i v_ij, one multiplier for everything.
A first-price pacing equilibrium has multipliers such that

    sold to the highest        x_ij > 0 only where beta_i v_ij = p_j = max_k beta_k v_kj; all of a keyword with a price is sold
    within budgets             sum_j p_j x_ij <= B_i
    no unnecessary pacing      beta_i = 1 for who has money left

and it is the market of quasi-linear buyers: beta_i = min(1, min_j p_j / v_ij) (V. Conitzer et al., Pacing equilibrium in
first price auction markets, Management Science 68, 2022). Its winners are tied: the shares of a tied keyword are part of it.

    python examples/pacing.py [campaigns.csv supply.csv] [pacing.png]

The files are those of `catallax allocate campaigns.csv --supply supply.csv --utility quasi-linear`:
`buyer,budget,<keyword>...` and `good,supply`; without any, a day is drawn.
"""

import csv
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from catallax.economy import allocate
from catallax.economy.bids import Bids, read_bids
from catallax.view import style
from catallax.view.plots import label_ends

ADVERTISERS, KEYWORDS, IMPRESSIONS = 30, 8, 20_000
MONEY = 0.6  # all budgets, as a share of what the highest values come to
TICK = 1e-4  # bids so near each other are tied: an auction's prices have so many digits
EVENING = 0.95  # of the day: who has no money before that has run out
TRUE, HALF, PACED, ALIKE = "true values", "half the values", "paced", "paced, ties alike"
COLOURS = {TRUE: style.VERMILION, HALF: style.GREEN, PACED: style.BLUE}


class Day(NamedTuple):
    """A day of single auctions: by impression, `keyword`, `winner` (-1: nobody), what was `paid`, and the highest bid of
    the `others`."""

    keyword: np.ndarray
    winner: np.ndarray
    paid: np.ndarray
    others: np.ndarray


# --- campaigns ---


def drawn(seed: int, advertisers: int = ADVERTISERS, keywords: int = KEYWORDS, impressions: int = IMPRESSIONS) -> Bids:
    """Advertisers who care for three keywords in five, few rich ones; keywords as frequent as words are (Zipf's law)."""
    random = np.random.default_rng(seed)
    value = random.lognormal(0, 0.5, (advertisers, keywords)) * (random.random((advertisers, keywords)) < 0.6)
    value[np.arange(advertisers), random.integers(keywords, size=advertisers)] += 0.1  # everyone wants something
    counts = np.maximum(1, np.round(impressions / np.arange(1, keywords + 1) / (1 / np.arange(1, keywords + 1)).sum()))
    budgets = random.lognormal(0, 1, advertisers)
    budgets *= MONEY * (value.max(0) @ counts) / budgets.sum()
    names = tuple(f"advertiser {i + 1}" for i in range(advertisers))
    return Bids(names, tuple(f"keyword {j + 1}" for j in range(keywords)), value, budgets, counts)


def write_campaigns(campaigns: Bids, folder: str | Path) -> tuple[Path, Path]:
    """The two files of `catallax allocate`: campaigns.csv and supply.csv."""
    rows = zip(campaigns.names, campaigns.budgets.tolist(), campaigns.valuations.tolist())
    bids, supply = Path(folder, "campaigns.csv"), Path(folder, "supply.csv")
    for path, lines in (
        (bids, [["buyer", "budget", *campaigns.goods], *([name, budget, *value] for name, budget, value in rows)]),
        (supply, [["good", "supply"], *zip(campaigns.goods, campaigns.supply.tolist())]),
    ):
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(lines)
    return bids, supply


# --- the equilibrium ---


def multipliers(campaigns: Bids, prices: np.ndarray) -> np.ndarray:
    """beta [advertisers] of the prices."""
    value = campaigns.valuations
    return np.minimum(1, np.where(value > 0, prices / np.where(value > 0, value, 1), np.inf).min(1))


def broken(campaigns: Bids, prices: np.ndarray, allocation: np.ndarray) -> dict[str, float]:
    """By how much each condition of the definition is missed at most: shares of a price, of all money, of a budget."""
    beta, spent = multipliers(campaigns, prices), allocation @ prices
    bids = beta[:, None] * campaigns.valuations
    priced = prices > 1e-12 * prices.max()
    below = (allocation * np.maximum(prices - bids, 0)).sum() / spent.sum()
    return {
        "price is the highest bid": float(np.abs(bids.max(0) / np.where(priced, prices, 1) - 1)[priced].max()),
        "highest bid wins": float(below),
        "all is sold": float(np.abs(allocation.sum(0) / campaigns.supply - 1)[priced].max()),
        "within budgets": float(max(0.0, (spent / campaigns.budgets - 1).max())),
        "no unnecessary pacing": float(((1 - beta) * np.maximum(1 - spent / campaigns.budgets, 0)).max()),
    }


# --- a day of auctions ---


def stream(counts: np.ndarray, seed: int) -> np.ndarray:
    """Which keyword each impression of the day is for: so many of each, in an order by lot."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(counts.size), counts.astype(int)))


def replay(keywords: np.ndarray, bids: np.ndarray, budgets: np.ndarray, shares: np.ndarray | None = None) -> Day:
    """First-price auctions, one after another, `bids` [advertisers, keywords] all day, by whoever can still pay them.

    Tied impressions go round in the proportions of `shares` [advertisers, keywords] (None: alike).
    """
    left, credit = budgets.copy(), np.zeros_like(bids)
    day = Day(keywords, np.full(keywords.size, -1), np.zeros(keywords.size), np.zeros(keywords.size))
    for k, j in enumerate(keywords):
        bid = np.where(left >= bids[:, j], bids[:, j], 0.0)
        highest = bid.max()
        if highest <= 0:
            continue
        tied = np.flatnonzero(bid >= highest * (1 - TICK))
        weight = np.ones(tied.size) if shares is None else shares[tied, j]
        total = weight.sum()
        credit[tied, j] += weight / total if total > 0 else 1 / tied.size
        winner = tied[credit[tied, j].argmax()]
        credit[winner, j] -= 1
        day.winner[k], day.paid[k] = winner, bid[winner]
        left[winner] -= bid[winner]
        bid[winner] = 0
        day.others[k] = bid.max()
    return day


def figures(campaigns: Bids, day: Day) -> dict[str, Any]:
    """What a day came to. `revenue`, a share of all budgets, and `value`, of the most there is without budgets; each
    [advertisers]: `spent`, a share of the budget; `out`, of the day when the money was gone (NaN: never); `regret` and
    `gain`, what was missed, shares of the budget."""
    won, budgets = day.winner >= 0, campaigns.budgets
    who, count = day.winner[won], budgets.size
    value = campaigns.valuations[who, day.keyword[won]]
    spent, worth = (np.bincount(who, weights=x, minlength=count) for x in (day.paid[won], value))
    missed = {
        name: np.maximum([best(campaigns, day, i) for i in range(count)] - (worth - spent), 0) / budgets
        for name, best in (("regret", best_purchase), ("gain", best_multiplier))
    }
    most = campaigns.valuations.max(0)[day.keyword].sum()
    return missed | dict(
        revenue=spent.sum() / budgets.sum(), spent=spent / budgets, value=value.sum() / most, out=ran_out(day, budgets)
    )


def spending(day: Day, i: int) -> np.ndarray:
    """What advertiser `i` has spent after each impression."""
    return np.cumsum(np.where(day.winner == i, day.paid, 0))


def ran_out(day: Day, budgets: np.ndarray) -> np.ndarray:
    """The share of the day after which 99 % of the budget were spent, [advertisers]; NaN: never."""
    curves = [spending(day, i) >= 0.99 * budget for i, budget in enumerate(budgets)]
    return np.array([curve.argmax() / curve.size if curve.any() else np.nan for curve in curves])


def best_purchase(campaigns: Bids, day: Day, i: int) -> float:
    """The most, value less price, that the budget could have bought of the day's impressions at the prices that were paid:
    the best value for money first, the last one in part."""
    value = campaigns.valuations[i, day.keyword]
    worth = np.flatnonzero((value > day.paid) & (day.paid > 0))
    order = worth[np.argsort(-value[worth] / day.paid[worth], kind="stable")]
    before = np.cumsum(day.paid[order]) - day.paid[order]
    part = np.clip((campaigns.budgets[i] - before) / day.paid[order], 0, 1)
    return float(part @ (value[order] - day.paid[order]))


def best_multiplier(campaigns: Bids, day: Day, i: int) -> float:
    """The most, value less price, that one multiplier of fifty would have brought, all others' bids as they were."""
    value = campaigns.valuations[i, day.keyword]
    against = np.where(day.winner == i, day.others, day.paid)
    reached = []
    for beta in np.linspace(0.02, 1, 50):
        bid = np.where(beta * value > against, beta * value, 0)
        held = (np.cumsum(bid) <= campaigns.budgets[i]) & (bid > 0)
        reached.append((1 - beta) * value[held].sum())
    return float(max(reached))


# --- what is shown ---


def policies(campaigns: Bids, allocation: Any) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Bids all day, and shares of what is tied, by name."""
    value = campaigns.valuations
    paced = multipliers(campaigns, allocation.prices)[:, None] * value
    return {TRUE: (value, None), HALF: (0.5 * value, None), PACED: (paced, allocation.allocation), ALIKE: (paced, None)}


def draw(campaigns: Bids, days: dict[str, Day]) -> Any:
    """Everyone's spending through the day, one panel a policy; the price of an impression by the hour beneath."""
    early = {name: int((ran_out(day, campaigns.budgets) < EVENING).sum()) for name, day in days.items()}
    title = (
        f"Bidding true values, {early[TRUE]} of {campaigns.budgets.size} advertisers are out of money before the evening. "
        f"Paced by prices, {early[PACED] or 'none'}."
    )
    caption = (
        f"{days[PACED].winner.size:,} first-price auctions of {len(campaigns.goods)} keywords. One line an advertiser; grey: "
        "has money left at the end. Paced bids are value x one multiplier, and tied impressions go round in the shares of the "
        f"equilibrium: shared alike, {early[ALIKE]} are out early."
    )
    sheet = style.sheet(4.8, title, caption)
    wide, hours = 2.1, np.linspace(0, 24, days[PACED].winner.size)
    lower = sheet.axes(style.LEFT, 0.55, style.WIDTH - style.LEFT - 2.0, 1.3)
    ends = []
    for k, (name, colour) in enumerate(COLOURS.items()):
        day = days[name]
        axes = sheet.axes(style.LEFT + k * (wide + 0.35), 2.6, wide, 1.75)
        for i, budget in enumerate(campaigns.budgets):
            share = 100 * spending(day, i) / budget
            axes.plot(hours[::40], share[::40], color=colour if share[-1] >= 99 else style.GREY, linewidth=1, alpha=0.7)
        axes.set_xlim(0, 24)
        axes.set_ylim(0, 103)
        style.ticks(axes.xaxis, (0, 12, 24), ("0", "12", "24 h"))
        style.ticks(axes.yaxis, (0, 50, 100), ("0", "50", "100 %") if k == 0 else ("", "", ""))
        style.write(
            axes,
            0,
            103,
            f"{name}: budget spent" if k == 0 else name,
            colour,
            by=(0, 13),
            ha="left",
            weight="bold",
            size=9.5,
        )
        price = [part.mean() for part in np.array_split(day.paid, 24)]
        lower.plot(np.arange(24) + 0.5, price, color=colour, linewidth=2)
        ends.append((24, float(price[-1]), name, colour))
    lower.set_xlim(0, 24)
    lower.set_ylim(0)
    style.ticks(lower.xaxis, range(0, 25, 6), [str(hour) for hour in range(0, 25, 6)])
    label_ends(lower, ends, 13)
    style.name_axes(lower, "hour", "what an impression costs")
    return sheet.figure


def main() -> None:
    """Print how well the conditions hold and what each way of bidding came to; save the picture."""
    files = [word for word in sys.argv[1:] if word.endswith(".csv")]
    picture = next((word for word in sys.argv[1:] if not word.endswith(".csv")), "pacing.png")
    with tempfile.TemporaryDirectory() as folder:
        bids, supply = files or write_campaigns(drawn(0), folder)
        campaigns = read_bids(bids, supply=supply)
    found = allocate(campaigns.valuations, campaigns.budgets, campaigns.supply, "quasi-linear", tolerance=1e-8)
    print(f"{found.status}: gap {found.gap:.1e}, {found.rounds} rounds")
    for condition, missed in broken(campaigns, found.prices, found.allocation).items():
        print(f"{condition:28s} missed by {missed:.1e}")
    keywords, days = stream(campaigns.supply, seed=0), {}
    print("bids                    revenue   value   out early   regret")
    for name, (bid, shares) in policies(campaigns, found).items():
        days[name] = replay(keywords, bid, campaigns.budgets, shares)
        came = figures(campaigns, days[name])
        early, regret = np.mean(came["out"] < EVENING), came["regret"] @ campaigns.budgets / campaigns.budgets.sum()
        print(f"{name:24s} {came['revenue']:6.1%} {came['value']:7.1%} {early:11.0%} {regret:8.1%}")
    print(style.save(draw(campaigns, days), picture))


if __name__ == "__main__":
    main()
