"""Energies and overlaps of whole batches of states, on the host: what recall is judged by.

m = X s                              whole numbers, int64 (through float64 products, exact below 2^53)
h_i = (E(s flipped at i) - E(s)) s_i / 2
lse(beta, z) = log(sum_mu exp(beta z_mu)) / beta
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
CLOSE = 1e-12  # of the largest entry: a modern memory that moves by less stands still


def overlaps(patterns: np.ndarray, states: np.ndarray) -> Counts:
    """m_mu = sum_i x_mu,i s_i of spins [states, patterns]."""
    return np.rint(states.astype(np.float64) @ patterns.T.astype(np.float64)).astype(np.int64)


def cosines(patterns: np.ndarray, states: np.ndarray) -> Numbers:
    """The cosine of each state with each pattern [states, patterns]; 0 where one of them is 0."""
    if patterns.dtype == np.int8:
        return overlaps(patterns, states) / patterns.shape[1]
    held, shown = patterns.astype(np.float64), states.astype(np.float64)
    size = np.linalg.norm(shown, axis=1)[:, None] * np.linalg.norm(held, axis=1)
    return np.divide(shown @ held.T, size, out=np.zeros_like(size), where=size > 0)


def cosine(patterns: np.ndarray, states: np.ndarray) -> Numbers:
    """The cosine of each state with the pattern of its own row [states]."""
    if patterns.dtype == np.int8:
        return (patterns * states).mean(1)
    held, shown = patterns.astype(np.float64), states.astype(np.float64)
    size = np.linalg.norm(shown, axis=1) * np.linalg.norm(held, axis=1)
    return np.divide((shown * held).sum(1), size, out=np.zeros_like(size), where=size > 0)


def steps(neurons: int, degree: int) -> Counts:
    """F(m + 1) - F(m - 1) of F(m) = max(m, 0)^degree, for m = -neurons .. neurons."""
    power = np.maximum(np.arange(-neurons - 1, neurons + 2, dtype=np.int64), 0) ** degree
    return power[2:] - power[:-2]


def dense_fields(patterns: np.ndarray, states: np.ndarray, degree: int) -> Counts:
    """Half of what each flip would cost [states, neurons], from the energies of all flipped states themselves."""
    held = patterns.astype(np.int64)
    out = np.empty(states.shape, np.int64)
    for k, state in enumerate(states.astype(np.int64)):
        others = (held @ state)[:, None] - held * state
        gain = np.maximum(others + 1, 0) ** degree - np.maximum(others - 1, 0) ** degree
        out[k] = (held * gain).sum(0)
    return out // 2


def slopes(patterns: np.ndarray, states: np.ndarray, degree: int) -> Counts:
    """What each spin of a dense memory hears if it takes overlaps as given [states, neurons]: sum_mu x_mu,i F'(m_mu)."""
    slope = degree * np.maximum(overlaps(patterns, states), 0) ** (degree - 1)
    return slope @ patterns.astype(np.int64)


def modern(patterns: Numbers, states: Numbers, beta: float) -> Numbers:
    """Ramsauer et al. (2021), equation 2, at least 0."""
    said = np.asarray(logsumexp(beta * (states @ patterns.T), axis=1, b=1 / len(patterns))) / beta
    return -said + (states**2).sum(1) / 2 + (patterns**2).sum(1).max() / 2


def step(patterns: Numbers, states: Numbers, beta: float) -> Numbers:
    """X^T softmax(beta X xi), equation 3."""
    return softmax(beta * (states @ patterns.T), axis=1) @ patterns


def attended(patterns: Numbers, cues: Numbers, beta: float, rounds: int) -> tuple[Numbers, Counts, NDArray[np.bool_]]:
    """Steps until none moves a state by more than rounding: states, the steps each took, which stand still."""
    states, taken = cues.copy(), np.zeros(len(cues), np.int64)
    live = np.ones(len(cues), bool)
    size = max(float(np.abs(patterns).max()), np.finfo(float).tiny)
    for _ in range(rounds):
        before = states[live]
        states[live] = step(patterns, before, beta)
        taken += live
        live[live] = np.abs(states[live] - before).max(1) > CLOSE * size
        if not live.any():
            break
    return states, taken, ~live
