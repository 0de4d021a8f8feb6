"""Who grows rich in a market, and what that is: Bayes' rule, Hedge, and the EM algorithm.

`chance` [questions, members] is p_m(y), the probability that each member gave to what happened; w_m wealth, sum 1; the price
of what happened is c = sum_m w_m p_m(y).

    Kelly               w_m <- w_m p_m(y) / c(y)                     Bayes' mixture; Hedge of rate 1 on -log p_m(y)
    fractional, s       w_m <- w_m (1 - s + s p_m(y) / c(y))         Kelly with the belief s p + (1 - s) c
    all questions over
    and over            w_m <- w_m mean_i p_m(y_i) / c(y_i)          EM for the mixture of most likelihood; Cover's portfolio

Total wealth stays 1, and sum_i log c(y_i) >= sum_i log p_m(y_i) - log(1 / w_m) for every member of the Kelly market. At the
fixpoint of the last rule nobody profits: mean_i p_m(y_i) / c(y_i) <= 1, and = 1 for all who are left; by how much the
largest is above 1 bounds how much log-likelihood a question is missing, at any w.

A. Beygelzimer, J. Langford and D. Pennock, Learning performance of prediction markets with Kelly bettors, 2012 (1201.6655).
A. Barbu and N. Lay, An introduction to artificial prediction markets for classification, JMLR 13, 2012. T. Cover, An algorithm
for maximizing expected log investment return, IEEE Trans. Information Theory 30, 1984. Y. Freund and R. Schapire, 1997.
"""

from typing import Any, NamedTuple

import numpy as np

from catallax.core.errors import BadInput


class Course(NamedTuple):
    """`wealth` [questions + 1, members], before each question and after the last, sum 1; `price` [questions]: the
    probability that the market gave to what happened."""

    wealth: np.ndarray
    price: np.ndarray


class Mixture(NamedTuple):
    """`weight` [members], sum 1; `gap`: how much log-likelihood a question is missing, at most (nats); `rounds` of betting."""

    weight: np.ndarray
    gap: float
    rounds: int


def chances(values: Any) -> np.ndarray:
    """p_m(y) as float64. Raises `BadInput` for what is no probability, and where all rule out what happened."""
    p = np.asarray(values, np.float64)
    if p.ndim != 2 or not p.size:
        raise BadInput(f"chance is {list(p.shape)}: give [questions, members], the probability given to what happened")
    if not ((p >= 0) & (p <= 1)).all():
        row, member = np.argwhere(~((p >= 0) & (p <= 1)))[0]
        raise BadInput(f"chance[{row}, {member}] is {p[row, member]}: give a probability from 0 to 1")
    if not (p > 0).any(1).all():
        raise BadInput(
            f"chance[{np.flatnonzero(~(p > 0).any(1))[0]}] is 0 for all: what happened had no price, clip first"
        )
    return p


def shares(wealth: Any, members: int) -> np.ndarray:
    """Wealth as shares of the whole; None: equal. Raises `BadInput` for negative wealth, and where there is none."""
    if wealth is None:
        return np.full(members, 1 / members)
    w = np.asarray(wealth, np.float64)
    if w.shape != (members,) or not (np.isfinite(w) & (w >= 0)).all() or not w.sum() > 0:
        raise BadInput(f"wealth must be at least 0, above 0 for someone, one for each of {members} members")
    return w / w.sum()


def kelly(chance: Any, wealth: Any = None) -> Course:
    """The Kelly market, one question after the other, in logarithms: no fortune is too small for the sum.

    Raises `BadInput` where all who have wealth rule out what happened.
    """
    p = chances(chance)
    with np.errstate(divide="ignore"):
        logs = np.log(p)
        start = np.log(shares(wealth, p.shape[1]))
    total = np.concatenate([start[None], start + np.cumsum(logs, 0)])
    most = total.max(1, keepdims=True)
    if not (most > -np.inf).all():
        raise BadInput("wealth is all with members who rule out what happened: clip their probabilities first")
    evidence = np.log(np.exp(total - most).sum(1)) + most[:, 0]
    return Course(np.exp(total - evidence[:, None]), np.exp(np.diff(evidence)))


def fractional(chance: Any, share: int | float, wealth: Any = None) -> Course:
    """Everyone bets the same `share` in (0, 1] of its wealth and keeps the rest: what was long ago is forgotten."""
    if not 0 < share <= 1:
        raise BadInput(f"share is {share!r}: give the share of wealth that is bet, above 0 and at most 1")
    p = chances(chance)
    wealth_now = shares(wealth, p.shape[1])
    course, price = [wealth_now], []
    for row in p:
        price.append(wealth_now @ row)
        if not price[-1] > 0:
            raise BadInput("wealth is all with members who rule out what happened: clip their probabilities first")
        wealth_now = wealth_now * (1 - share + share * row / price[-1])
        wealth_now = wealth_now / wealth_now.sum()  # sums to 1 but for rounding
        course.append(wealth_now)
    return Course(np.stack(course), np.array(price))


def log_optimal(
    chance: Any, weight: Any = None, *, cap: float | None = None, tolerance: float = 1e-6, rounds: int = 100_000
) -> Mixture:
    """The mixture of most likelihood: all questions bet on over and over until nobody profits (`gap` <= `tolerance`).

    `weight` [questions]: how often each counts; None: once. `cap`: nobody owns more of the wealth; each round of betting is
    then the M-step of EM over {w <= cap, sum w = 1}, which is `capped`. Every second round leaps along the last two
    (SQUAREM: R. Varadhan and C. Roland, Scandinavian J. Statistics 35, 2008), unless likelihood would fall: EM alone needs
    some 1 / tolerance rounds where members nearly tie.
    """
    p = chances(chance)
    p = p / p.max(1, keepdims=True)  # a question's scale changes no weight
    count = np.full(len(p), 1 / len(p)) if weight is None else shares(weight, len(p))
    w, gap, done = capped(shares(None, p.shape[1]), cap), np.inf, 0

    def bet(w: np.ndarray) -> tuple[np.ndarray, float, float]:
        price = p @ w
        profit = (count / price) @ p
        return capped(w * profit, cap), possible(profit, cap) - 1, float(count @ np.log(price))

    while done < rounds:
        one, gap, before = bet(w)
        if gap <= tolerance:
            break
        two = bet(one)[0]
        done += 2
        leapt = leap(w, one, two)
        leapt = None if leapt is None else capped(leapt, cap)
        w = leapt if leapt is not None and (p @ leapt > 0).all() and bet(leapt)[2] >= before else two
    return Mixture(w, bet(w)[1], done)


def possible(profit: np.ndarray, cap: float | None) -> float:
    """The most that a unit of wealth could earn, spread as the cap allows; 1 is earned as it is spread."""
    if cap is None:
        return float(profit.max())
    best = np.sort(profit)[::-1]
    return float(best @ np.clip(1 - cap * np.arange(len(best)), 0, cap))


def capped(wealth: np.ndarray, cap: float | None) -> np.ndarray:
    """min(cap, s wealth), summing to one: what is above the cap goes to the others as they stand, [members]."""
    wealth = wealth / wealth.sum()
    if cap is None or wealth.max() <= cap:
        return wealth
    if cap * len(wealth) <= 1 + 1e-12:
        return np.full(len(wealth), 1 / len(wealth))
    full = np.zeros(len(wealth), bool)
    while True:
        rest, left = wealth[~full].sum(), 1 - cap * full.sum()
        scaled = wealth * (left / rest) if rest > 0 else np.full(len(wealth), left / (~full).sum())
        over = ~full & (scaled > cap)
        if not over.any():
            return np.where(full, cap, scaled)
        full |= over


def leap(w: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray | None:
    """Where the last two steps lead to if they go on as they shrink; None where they do not shrink."""
    step, bend = one - w, two - 2 * one + w
    if not np.abs(bend).max() > 0:
        return None
    far = -np.linalg.norm(step) / np.linalg.norm(bend)
    if far > -1:
        return None
    reached = np.maximum(w - 2 * far * step + far**2 * bend, 1e-3 * two)  # nobody is ruined by a guess
    return reached / reached.sum()
