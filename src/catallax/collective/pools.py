"""Opinion pools: many forecasts of one event made one, as the markets that they are the prices of.

`probability` [..., members, outcomes], p_mk; `weight` [members] or [..., members], w_m >= 0. Prices c_k:

    linear        c_k = sum_m w_m p_mk / sum_m w_m                           log utility (Kelly), w_m its wealth
    logarithmic   c_k ~ q_k^(1 - sum w) prod_m p_mk^w_m                      CARA and LMSR, w_m = t_m / (b + sum t), q the prior
    extremised    the same, sum_m w_m = factor                               what all know is counted once, the rest in full
    isoelastic    c_k ~ (sum_m w_m p_mk^r)^(1/r)                             r = 1 linear, r -> 0 logarithmic
    clearing      c_k ~ (sum_m v_m p_mk^(1/a))^a, v_m = W_m / Z_m(c)         isoelastic utility of aversion a, wealth W_m

t_m is a trader's risk tolerance, b the liquidity of the market maker, Z_m(c) = sum_j c_j^(1-1/a) p_mj^(1/a). A total weight
above 1 extremises: with w_m = 1 and the prior that all began from, the logarithmic pool is the posterior of everyone's
evidence together, where evidence is independent given the outcome. All is computed from logarithms in float64; an outcome
that a member with weight holds impossible is so for the logarithmic pool too (clip first where that is not meant).

A. Storkey, Machine learning markets, AISTATS 2011. A. Storkey, J. Millin and K. Geras, Isoelastic agents and wealth updates
in machine learning markets, ICML 2012 (1206.6443). A. Beygelzimer, J. Langford and D. Pennock, Learning performance of
prediction markets with Kelly bettors, 2012 (1201.6655). V. Satopaa et al., Combining multiple probability predictions using
a simple logit model, Int. J. Forecasting 30, 2014 (extremising).
"""

from typing import Any

import numpy as np

from catallax.core.errors import BadInput

ROUNDS = 10_000  # that `clearing` may take
CLOSE = 1e-12  # largest log of a demand for a unit of supply at which it has cleared
SUM = 1e-5  # by how much a row may miss 1: float32 rows of many outcomes do


def linear(probability: Any, weight: Any = None) -> np.ndarray:
    """The weighted mean, [..., outcomes]; `weight` None: equal ones. Raises `BadInput` for what is no forecast or weight."""
    p = forecasts(probability)
    w = weights(weight, p)
    return mixed(w / w.sum(-1, keepdims=True), p)


def logarithmic(probability: Any, weight: Any = None, prior: Any = None) -> np.ndarray:
    """The weighted geometric mean, [..., outcomes]. `weight` None: 1 / members; what they sum to is free.

    `prior` [outcomes] or [..., outcomes], above 0, with the exponent 1 - sum of weights; None: no prior is reckoned with.
    Raises `BadInput` where no outcome is held possible by all who have weight.
    """
    p = forecasts(probability)
    w = np.full(p.shape[-2], 1 / p.shape[-2]) if weight is None else weights(weight, p)
    return normalised(pooled_logs(p, w, prior))


def extremised(probability: Any, factor: int | float = 1.5, weight: Any = None, prior: Any = None) -> np.ndarray:
    """The logarithmic pool whose weights are made to sum to `factor` > 0: above 1 it is surer than any mean."""
    if not 0 < factor < np.inf:
        raise BadInput(f"factor is {factor!r}: give a number above 0; 1 is the plain logarithmic pool")
    p = forecasts(probability)
    w = weights(weight, p)
    return normalised(pooled_logs(p, factor * w / w.sum(-1, keepdims=True), prior))


def isoelastic(probability: Any, order: int | float, weight: Any = None) -> np.ndarray:
    """The weighted power mean of that order, made to sum to 1: 1 linear, 0 logarithmic, +-infinity the largest, the least.

    At `order` 0 weights are taken as shares, as at every other one.
    """
    if np.isnan(order):
        raise BadInput("order is NaN: give a number, 1 for the linear pool and 0 for the logarithmic one")
    p = forecasts(probability)
    w = weights(weight, p)
    w = w / w.sum(-1, keepdims=True)
    if order == 0:
        return normalised(pooled_logs(p, w, None))
    logs, counts = logarithm(p), np.broadcast_to((w > 0)[..., None], p.shape)
    if np.isinf(order):
        least = np.min(logs, -2, initial=np.inf, where=counts)
        return normalised(np.max(logs, -2, initial=-np.inf, where=counts) if order > 0 else least)
    return normalised(log_sum(order * logs + logarithm(w)[..., None], counts) / order)


def clearing(probability: Any, wealth: Any, aversion: int | float) -> np.ndarray:
    """The price at which traders of isoelastic utility, u(W) = W^(1-a) / (1-a), hold together what they own together.

    `wealth` [members] or [..., members]; `aversion` a > 0: 1 is log utility (the linear pool), towards infinity the
    logarithmic pool. It is a Fisher market's equilibrium, which there is one of: each spends the share
    s_mk = c_k^(1-1/a) p_mk^(1/a) / Z_m of its wealth on outcome k. The slope of log(price / spending), I / a + (1 - 1/a) A
    with A_kj = sum_m W_m s_mk s_mj / sum_m W_m s_mk, has eigenvalues between 1 and 1/a: Newton's steps from a = 1 on, none
    longer than 1, and below, where these may cycle, the best constant step, 2 / (1 + 1/a). Raises `BadInput` where it has
    not cleared in 10,000 rounds (an aversion next to 0).
    """
    if not 0 < aversion < np.inf:
        raise BadInput(f"aversion is {aversion!r}: give a number above 0; 1 is log utility")
    p = forecasts(probability)
    w = np.broadcast_to(weights(wealth, p), p.shape[:-1])
    w, r = w / w.sum(-1, keepdims=True), 1 / aversion
    taste, price = r * logarithm(p), logarithm(mixed(w, p))
    wanted, there = np.isfinite(taste), np.isfinite(price)
    for _ in range(ROUNDS):
        known = np.where(there, price, 0)
        own = np.where(wanted, (1 - r) * known[..., None, :] + taste, -np.inf)
        share = np.exp(own - log_sum(own, wanted, -1)[..., None])
        spent = mixed(w, share)
        excess = np.where(there, np.log(np.where(there, spent, 1)) - known, 0)
        if np.abs(excess).max() <= CLOSE:
            return np.where(there, np.exp(known), 0)
        step = newton(w, share, excess, r) if r < 1 else 2 / (1 + r) * excess
        price = known + step / np.maximum(np.abs(step).max(-1, keepdims=True), 1)
        price = np.where(there, price - log_sum(price, there, -1)[..., None], -np.inf)
    raise BadInput(
        f"aversion {aversion:g} with these forecasts finds no clearing price in {ROUNDS} rounds: clip the forecasts"
    )


def newton(w: np.ndarray, share: np.ndarray, excess: np.ndarray, r: float) -> np.ndarray:
    """The step of log prices that does away with the `excess` of log spending, as far as its slope says."""
    spent = mixed(w, share)
    together = np.swapaxes(w[..., None] * share, -1, -2) @ share / np.where(spent > 0, spent, 1)[..., None]
    slope = r * np.eye(share.shape[-1]) + (1 - r) * together
    return np.linalg.solve(slope, excess[..., None])[..., 0]


# --- parts ------------------------------------------------------------------------------------------------------


def forecasts(probability: Any, name: str = "probability") -> np.ndarray:
    """Rows of probabilities as float64, [..., members, outcomes]. Raises `BadInput` for the first that is none."""
    p = np.asarray(probability)
    if p.ndim < 2 or not p.size or p.dtype.kind not in "fiub":
        raise BadInput(f"{name} is {p.dtype}{list(p.shape)}: give numbers [..., members, outcomes]")
    if p.shape[-1] < 2:
        raise BadInput(f"{name} has one outcome only: what is certain needs no forecast, give at least two")
    p = p.astype(np.float64, copy=False)
    wrong = ~((p >= 0) & (p <= 1))
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise BadInput(f"{name}{list(place)} is {p[place]}: give a probability from 0 to 1")
    total = p.sum(-1)
    wrong = np.abs(total - 1) > SUM
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise BadInput(f"{name}{list(place)} sums to {total[place]:.6g}: the probabilities of all outcomes sum to 1")
    return p


def weights(weight: Any, p: np.ndarray) -> np.ndarray:
    """Weights of the members of `p` as float64; None: equal ones. Raises `BadInput` where one is below 0, or all are 0."""
    members = p.shape[-2]
    if weight is None:
        return np.ones(members)
    w = np.asarray(weight, np.float64)
    if w.ndim < 1 or w.shape[-1] != members or w.shape[:-1] not in ((), p.shape[:-2]):
        raise BadInput(f"weight is {list(w.shape)}: give one for each of {members} members")
    if not ((w >= 0) & np.isfinite(w)).all() or not (w.sum(-1) > 0).all():
        raise BadInput("weight must be finite and at least 0, and above 0 for at least one member")
    return w


def uniform(outcomes: int) -> np.ndarray:
    """All outcomes alike."""
    return np.full(outcomes, 1 / outcomes)


def mixed(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum_m w_m x_mk, [..., outcomes]."""
    return w @ x if w.ndim == 1 else np.squeeze(w[..., None, :] @ x, -2)


def logarithm(x: Any) -> np.ndarray:
    """log x, minus infinity at 0."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def log_sum(x: np.ndarray, where: np.ndarray, axis: int = -2) -> np.ndarray:
    """log of the sum of exp x over an axis, of the entries `where` alone; minus infinity where there are none."""
    most = np.max(x, axis, initial=-np.inf, where=where, keepdims=True)
    most = np.where(np.isfinite(most), most, 0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.sum(np.exp(x - most), axis, where=where)) + np.squeeze(most, axis))


def pooled_logs(p: np.ndarray, w: np.ndarray, prior: Any) -> np.ndarray:
    """sum_m w_m log p_mk + (1 - sum w) log prior_k."""
    logs = logarithm(p)
    if not np.isfinite(logs).all():
        logs = np.where((w > 0)[..., None], logs, 0)  # who has no weight vetoes nothing
    pooled = mixed(w, logs)
    if prior is None:
        return pooled
    q = np.asarray(prior, np.float64)
    if not q.ndim or q.shape[-1] != p.shape[-1] or not ((q > 0) & (q <= 1)).all() or (abs(q.sum(-1) - 1) > SUM).any():
        raise BadInput(f"prior must be a probability above 0 for each of {p.shape[-1]} outcomes, which sum to 1")
    return pooled + (1 - w.sum(-1, keepdims=True)) * np.log(q)


def normalised(logs: np.ndarray) -> np.ndarray:
    """exp of logs, made to sum to 1 over the last axis."""
    most = logs.max(-1, keepdims=True)
    if not (most > -np.inf).all():
        raise BadInput("probability leaves no outcome that all members with weight hold possible: clip them first")
    raw = np.exp(logs - most)
    return raw / raw.sum(-1, keepdims=True)
