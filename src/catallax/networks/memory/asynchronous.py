"""Asynchronous recall: neurons take turns, each flips where that lowers the energy, until a round passes without a flip.

    classical    h_i = sum_j J_ij s_j is kept for all i; a flip of j adds 2 s_j J_j to it (one row of J is read)
    dense        h_i = 1/2 sum_mu x_mu,i (F(m_mu,-i + 1) - F(m_mu,-i - 1)) is read off a table; a flip moves the P overlaps

    s_i flips where s_i h_i + own < 0,        m_mu,-i = m_mu - x_mu,i s_i

Whole numbers throughout, so that a flip lowers the energy by exactly 2 |h_i|. `own` >= 0 is what a neuron that does not
know its own effect takes for the others' wish: P for all of it, 0 for one that knows. Order and flips are those of
`run(..., activation="random order")`, bit for bit.
"""

from typing import NamedTuple

import jax
import numba
import numpy as np
from numpy.typing import NDArray

from catallax.core.random import key as make_key
from catallax.core.random import order
from catallax.core.round import COMMON

Spins = NDArray[np.int8]
AHEAD = 8  # rounds whose orders are drawn in one call


class Found(NamedTuple):
    """States [cues, neurons] int8, the rounds each took [cues], the flips of each [cues]."""

    state: Spins
    rounds: NDArray[np.int64]
    flips: NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def sweep_fields(synapses, fields, states, turns, own, live, flips):
    """A round of all live cues; `fields` [cues, neurons] int32 are kept beside `states`, `flips` [cues] are counted."""
    for b in range(states.shape[0]):
        flips[b] = 0
        if not live[b]:
            continue
        field, state = fields[b], states[b]
        for i in turns:
            if field[i] * state[i] + own < 0:
                state[i] = -state[i]
                flips[b] += 1
                twice = np.int32(2 * state[i])
                row = synapses[i]
                for j in range(row.size):
                    field[j] += twice * np.int32(row[j])


@numba.njit(cache=True, nogil=True)
def sweep_overlaps(stored, steps, overlaps, states, turns, live, flips):
    """The same of a dense memory: `stored` [neurons, patterns], `steps` [2 neurons + 1] F(m + 1) - F(m - 1) from m = -N."""
    neurons, many = stored.shape
    for b in range(states.shape[0]):
        flips[b] = 0
        if not live[b]:
            continue
        overlap, state = overlaps[b], states[b]
        for i in turns:
            row, spin, twice = stored[i], np.int64(state[i]), np.int64(0)
            for k in range(many):
                twice += row[k] * steps[overlap[k] - row[k] * spin + neurons]
            if twice * spin < 0:
                state[i] = -spin
                flips[b] += 1
                for k in range(many):
                    overlap[k] -= 2 * spin * row[k]


@jax.jit(static_argnums=2)
def turns_of(seed, start, neurons: int):
    """Whose turn it is when, in `AHEAD` rounds from `start` [rounds, neurons]: as `core.turns` has it without ids."""

    def one(t):
        ours = jax.random.fold_in(jax.random.fold_in(seed, t), COMMON)
        return order(jax.random.fold_in(ours, 1), neurons)

    return jax.vmap(one)(start + jax.numpy.arange(AHEAD, dtype=jax.numpy.uint32))


def classical(synapses: np.ndarray, fields: np.ndarray, cues: Spins, own: float, rounds: int, seed: int) -> Found:
    """Recall by synapses [neurons, neurons] int16, symmetric and 0 on the diagonal; `fields` are those of the cues."""
    kept = fields.astype(np.int32)
    return sweeps(sweep_fields, cues.copy(), rounds, seed, (synapses, kept), (float(own),))


def dense(patterns: np.ndarray, steps: np.ndarray, cues: Spins, rounds: int, seed: int) -> Found:
    """Recall by patterns [patterns, neurons] and the table of differences of their energy."""
    states = cues.copy()
    overlaps = np.rint(states.astype(np.float64) @ patterns.T.astype(np.float64)).astype(np.int64)
    stored = np.ascontiguousarray(patterns.T)
    return sweeps(sweep_overlaps, states, rounds, seed, (stored, steps, overlaps), ())


def sweeps(sweep, states: Spins, rounds: int, seed: int, kept: tuple, more: tuple) -> Found:
    """Rounds until every cue has had one without a flip, or `rounds` of them."""
    cues, neurons = states.shape
    live, flips = np.ones(cues, bool), np.zeros(cues, np.int64)
    taken, total, key = np.zeros(cues, np.int64), np.zeros(cues, np.int64), make_key(seed)
    turns = np.empty((0, neurons), np.int32)
    for t in range(rounds):
        if not t % AHEAD:
            turns = np.asarray(turns_of(key, np.uint32(t), neurons))
        sweep(*kept, states, turns[t % AHEAD], *more, live, flips)
        taken += live
        total += flips
        live &= flips > 0
        if not live.any():
            break
    return Found(states, taken, total)


def fields_of(synapses: np.ndarray, states: Spins) -> NDArray[np.float64]:
    """sum_j J_ij s_j [cues, neurons], computed afresh; whole numbers in float64, which are exact below 2^53."""
    out = np.empty(states.shape)
    held = states.astype(np.float64)
    for start in range(0, len(synapses), 1024):  # rows at a time: all of them would be four times the size in float64
        rows = slice(start, start + 1024)
        out[:, rows] = held @ synapses[rows].T.astype(np.float64)
    return out


def hebbian(patterns: Spins, bits: int | None, cut: float, seed: int) -> NDArray[np.int16]:
    """Synapses J_ij = sum_mu x_mu,i x_mu,j, i != j [neurons, neurons]; cut to `bits`, a share `cut` of pairs removed.

    Through few bits a synapse takes the odd numbers up to 2^bits - 1, cells of equal width on -3 sqrt(P) to 3 sqrt(P).
    """
    held = patterns.astype(np.float32)  # sums of at most 2^15 - 1 signs: exact
    synapses = (held.T @ held).astype(np.int16)
    if bits is not None:
        width = 6 * np.sqrt(len(patterns)) / 2**bits
        cells = 2 * np.floor(synapses / width) + 1
        synapses = np.clip(cells, 1 - 2**bits, 2**bits - 1).astype(np.int16)
    if cut:
        gone = np.triu(np.random.default_rng(seed).random(synapses.shape) < cut, 1)
        synapses[gone | gone.T] = 0
    np.fill_diagonal(synapses, 0)
    return synapses
