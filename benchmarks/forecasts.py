"""Human forecasts of PredictionBook pooled online, question after question: a market against means, latest and track records.

    python -m benchmarks.forecasts [--quick] [--json]

The filter: forecasts with a probability in [0, 1], made before their question was resolved as 0 or 1; questions on which
at least three people forecast. Of one person's forecasts of a question the last stands. Questions are scored in the order
in which they were resolved, each at its last price, before anything is learnt from it or from one resolved at the same
time; the first quarter is not scored. On that first quarter alone the market's starting values were chosen (by log-loss,
rounded); everything else it learns as it goes. Beliefs are clipped to [.02, .98] for every control; nothing is fitted to
the scored part.

    mean, median            of the forecasts that stand
    logit mean x 1, x 1.5   mean log-odds, made more extreme
    latest                  the newest forecast of all
    track record            mean log-odds x 1.3, weights exp(-8 s), s a person's mean Brier score so far, shrunk to .2 as if
                            five forecasts more had been scored
    Kelly                   beliefs weighted by wealth, which is multiplied by belief / price
    market                  `collective.Forecasts`
    one tolerance for all   the same, but that people are not told apart: recency, extremising and the maker's prior alone

Differences are paired by question; +- is one standard error. `path`: the mean over all forecasts of a question, each with
the price right after it, then over questions.
"""

from __future__ import annotations

import csv
import io
import sys
import time
import zipfile
from collections import defaultdict
from typing import Any

import numpy as np

from benchmarks import data, harness

NAME = "forecasts/predictionbook_public.csv.zip"
QUICK = 6000  # rows
QUESTION = (
    "Does a market of people who learn whom to trust beat simple pools of their forecasts? {questions:,} questions, {standing:,} "
    "standing forecasts ({forecasts:,} with those replaced) by {people:,} people; {scored:,} scored."
)


def rows(limit: int | None = None) -> list[tuple[str, str, float, float, int, float]]:
    """(question, user, day, probability, outcome, day of resolution) of the filter, in the order of time."""
    from catallax.io.forecasts import days

    with zipfile.ZipFile(data.path(NAME)) as archive, archive.open("public.csv") as file:
        read = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))[:limit]
    read = [r for r in read if r["outcome"] in ("0.0", "1.0") and 0 <= float(r["probability"]) <= 1]
    said, ended = (days([r[column] for r in read], column).tolist() for column in ("timestamp", "resolve_time"))
    found = [
        (r["question_id"], r["user_id"], when, float(r["probability"]), int(r["outcome"][0]), end)
        for r, when, end in zip(read, said, ended, strict=True)
        if when < end
    ]
    people = defaultdict(set)
    for question, user, *_ in found:
        people[question].add(user)
    return sorted((r for r in found if len(people[r[0]]) >= 3), key=lambda r: r[2])


def sigmoid(z: Any) -> Any:
    """A probability from log-odds."""
    return 1 / (1 + np.exp(-z))


def simple(p: np.ndarray) -> dict[str, float]:
    """The pools that know nothing of people; `p` in the order of time."""
    x = np.log(p / (1 - p))
    return {
        "mean": float(p.mean()),
        "median": float(np.median(p)),
        "logit mean x 1": float(sigmoid(x.mean())),
        "logit mean x 1.5": float(sigmoid(1.5 * x.mean())),
        "latest": float(p[-1]),
    }


class Records:
    """Track records and wealth, each from questions resolved before."""

    def __init__(self) -> None:
        self.record: dict[str, list[float]] = defaultdict(lambda: [1.0, 5.0])  # sum of Brier scores, how many
        self.wealth: dict[str, float] = defaultdict(lambda: 1.0)

    def predict(self, users: list[str], p: np.ndarray) -> dict[str, float]:
        score = np.array([self.record[u][0] / self.record[u][1] for u in users])
        weight = np.exp(-8 * score)
        wealth = np.array([self.wealth[u] for u in users])
        pooled = float(sigmoid(1.3 * (weight @ np.log(p / (1 - p))) / weight.sum()))
        return {"track record": pooled, "Kelly": float(wealth @ p / wealth.sum())}

    def learn(self, users: list[str], p: np.ndarray, outcome: int, price: float) -> None:
        right, cost = (p, price) if outcome else (1 - p, 1 - price)
        for user, one, square in zip(users, right / cost, (p - outcome) ** 2, strict=True):
            self.wealth[user] *= one
            self.record[user][0] += square
            self.record[user][1] += 1


def controls(questions: list[list[tuple]]) -> dict[str, np.ndarray]:
    """The last price of each pool on each question; questions resolved at one instant do not know of each other."""
    records, found, waiting = Records(), defaultdict(list), []
    for k, question in enumerate(questions):
        if k and question[0][5] > questions[k - 1][0][5]:
            for one in waiting:
                records.learn(*one)
            waiting = []
        last = {r[1]: r for r in question}
        stand = sorted(last.values(), key=lambda r: r[2])
        users, p = [r[1] for r in stand], np.clip([r[3] for r in stand], 0.02, 0.98)
        prices = simple(p) | records.predict(users, p)
        for name, price in prices.items():
            found[name].append(price)
        waiting.append((users, p, question[0][4], prices["Kelly"]))
    return {name: np.array(prices) for name, prices in found.items()}


def paths(questions: list[list[tuple]], after: dict[tuple, float]) -> dict[str, np.ndarray]:
    """Brier scores of prices right after each forecast, a mean a question."""
    found = defaultdict(list)
    for question in questions:
        scores, last = defaultdict(list), {}
        for r in question:
            last.pop(r[1], None)
            last[r[1]] = float(np.clip(r[3], 0.02, 0.98))
            prices = simple(np.array(list(last.values()))) | {"market": after[r[0], r[1], r[2]]}
            for name, price in prices.items():
                scores[name].append((price - r[4]) ** 2)
        for name, values in scores.items():
            found[name].append(float(np.mean(values)))
    return {name: np.array(values) for name, values in found.items()}


def losses(price: np.ndarray, outcome: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brier scores and log-losses (nats; prices clipped to [.01, .99])."""
    p = np.clip(price, 0.01, 0.99)
    return (price - outcome) ** 2, -np.log(np.where(outcome == 1, p, 1 - p))


def beside(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Ours less theirs, and its standard error."""
    gap = ours - theirs
    return f"{gap.mean():+.4f} +- {gap.std(ddof=1) / np.sqrt(len(gap)):.4f}"


def closings(prices: dict[str, np.ndarray], outcome: np.ndarray) -> list[dict[str, Any]]:
    """One row a pool."""
    scored = {name: losses(price, outcome) for name, price in prices.items()}
    brier, log_loss = scored["market"]
    return [
        {
            "pool": name,
            "Brier": f"{b.mean():.4f}",
            "log-loss": f"{nats.mean():.4f}",
            "market's Brier less this": "" if name == "market" else beside(brier, b),
            "market's log-loss less this": "" if name == "market" else beside(log_loss, nats),
        }
        for name, (b, nats) in scored.items()
    ]


def benchmark(options: harness.Options) -> harness.Report:
    """PredictionBook, once in a fixed order: nothing here is drawn."""
    from catallax.collective import Forecasts

    table = rows(QUICK if options.quick else None)
    by_question = defaultdict(list)
    for r in table:
        by_question[r[0]].append(r)
    questions = sorted(by_question.values(), key=lambda rs: (rs[0][5], rs[0][0]))
    columns = [list(column) for column in zip(*table, strict=True)]
    start = time.process_time()
    market = Forecasts().fit(*columns)
    seconds = time.process_time() - start
    closing, history = market.closing_, market.history_
    last = dict(zip(closing.question, closing.price.tolist(), strict=True))
    after = dict(zip(zip(history.question, history.user, history.time.tolist()), history.price.tolist()))
    alike = Forecasts(spread=1e-6).fit(*columns).closing_
    all_alike = dict(zip(alike.question, alike.price.tolist(), strict=True))
    prices = controls(questions)
    prices["one tolerance for all"] = np.array([all_alike[rs[0][0]] for rs in questions])
    prices["market"] = np.array([last[rs[0][0]] for rs in questions])
    first, outcome = len(questions) // 4, np.array([rs[0][4] for rs in questions])
    scored = closings({name: price[first:] for name, price in prices.items()}, outcome[first:])
    walked = paths(questions[first:], after)
    on_the_way = [
        {"pool": name, "Brier": f"{b.mean():.4f}", "market less this": beside(walked["market"], b)}
        for name, b in walked.items()
    ]
    on_the_way[-1]["market less this"] = ""
    chosen, _ = losses(prices["market"][:first], outcome[:first])
    notes = [
        f"Learnt by the end: extremising {market.extremising_:.2f}, fading {market.fading_:.2f}, the maker's own probability "
        f"{market.prior_:.2f}, tolerance of strangers {market.tolerance_of_strangers_:.2f} of the maker's liquidity, of people "
        f"{min(market.tolerance_.values()):.2f} to {max(market.tolerance_.values()):.2f}.",
        f"{len(market.history_.question):,} forecasts in {seconds:.2f} s of processor time, compiling or loading included.",
        f"The first quarter, on which starting values were chosen: Brier {chosen.mean():.4f}.",
        "That at least three people will have forecast is known only in hindsight; it chooses questions, for all pools alike.",
        "Some last forecasts were made when the outcome was all but known, which is why the latest beats the mean.",
    ]
    standing = sum(len({r[1] for r in rs}) for rs in questions)
    question = QUESTION.format(
        questions=len(questions),
        standing=standing,
        forecasts=len(table),
        people=len(market.tolerance_),
        scored=len(questions) - first,
    )
    found = [
        harness.Table("At the last price", scored, notes),
        harness.Table("On the path", on_the_way),
    ]
    return harness.Report("forecasts", question, found, harness.versions("numpy", "numba"), options)


if __name__ == "__main__":
    sys.exit(harness.main(benchmark))
