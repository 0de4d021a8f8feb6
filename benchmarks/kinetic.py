"""What the kinetic wealth model must do, whatever runs it: the law of one agent's wealth among many.

Everyone starts with one unit of money; who has any gives one unit to a random other, once a round. With p(w)
the share of agents that hold w, and many agents, what reaches one of them in any stretch of time is Poisson
(the givers are many and independent), so p obeys an exact recursion that depends on who acts when:

    synchronous   all give at once:  w' = w - 1[w > 0] + Poisson(1 - p(0))
    sequential    one by one, in a fresh random order each round: the one whose turn comes at s in [0, 1] has
                  by then got Poisson(A(s)), gives if it now has any, and gets Poisson(A(1) - A(s)) more. It
                  can give with chance A'(s) = 1 - p(0) exp(-A(s)), so A(s) = log(p(0) + (1 - p(0)) exp(s)).

Both tend to laws with mean 1: variance 4/3 where all give at once, 1.6876 in random order. (One random giver
after another, drawn with replacement, is the classical Boltzmann-Gibbs law p(w) = 2^-(w+1) of variance 2:
Dragulescu & Yakovenko, "Statistical mechanics of money", Eur. Phys. J. B 17, 2000.) So a run is checked,
whoever computed it, by its variance after the same number of rounds, which must lie within a few standard
errors of the recursion.
"""

from __future__ import annotations

import functools
import math

import numpy as np

LARGEST = 64  # wealth is followed up to here; the share that holds more is below 1e-13
ORDERS = ("synchronous", "sequential")


@functools.cache
def law(rounds: int, order: str) -> np.ndarray:
    """p(0), ..., p(63) after `rounds` rounds from one unit each; `order` is "synchronous" or "sequential"."""
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}: give one of {', '.join(ORDERS)}")
    p = np.zeros(LARGEST)
    p[1] = 1.0
    after = _synchronous if order == "synchronous" else _sequential
    for _ in range(rounds):
        p, before = after(p), p
        if np.abs(p - before).max() < 1e-15:  # at rest: further rounds change nothing
            break
    return p


def variance(rounds: int, order: str, agents: int) -> tuple[float, float]:
    """The expected variance of wealth after `rounds` rounds, and its standard error in a run of `agents`
    agents.

    The error is that of independent draws, sqrt((m4 - v^2) / agents) with m4 the fourth central moment:
    agents of a large population are independent but for their common total.
    """
    p, away = law(rounds, order), np.arange(LARGEST) - 1.0
    v = float(p @ away**2)
    return v, math.sqrt((float(p @ away**4) - v * v) / agents)


def _synchronous(p: np.ndarray) -> np.ndarray:
    return _receive(_give(p), 1 - p[0])


def _sequential(p: np.ndarray) -> np.ndarray:
    places, weights = np.polynomial.legendre.leggauss(12)
    total = math.log(p[0] + (1 - p[0]) * math.e)
    after = np.zeros_like(p)
    for turn, weight in zip((places + 1) / 2, weights / 2, strict=True):
        early = math.log(p[0] + (1 - p[0]) * math.exp(turn))
        after += weight * _receive(_give(_receive(p, early)), total - early)
    return after


def _give(p: np.ndarray) -> np.ndarray:
    given = np.append(p[1:], 0.0)
    given[0] += p[0]
    return given


def _receive(p: np.ndarray, mean: float) -> np.ndarray:
    counts = np.arange(p.size)
    gifts = np.exp(counts * math.log(max(mean, 1e-300)) - mean - _LOG_FACTORIAL)
    return np.convolve(p, gifts)[: p.size]


_LOG_FACTORIAL = np.array([math.lgamma(k + 1) for k in range(LARGEST)])
