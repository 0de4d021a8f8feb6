"""Exact k-th largest magnitudes of deltas that are read in pieces, by radix selection.

The magnitude of a float orders as its bits do, the sign cleared, read as a whole number. Its 16 highest bits are counted
(65,536 buckets), which tells the bucket of the k-th largest; the next 16 are counted among that bucket's elements, and so
on: two passes over float32, four over float64, whatever the values; no copy, no sort.

**Ties.** Of elements whose magnitude is the k-th largest, as many are kept as make k in all: those first in flat order.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numba
import numpy as np

BUCKETS = 1 << 16


class Cut(NamedTuple):
    """The k-th largest magnitudes [members], and how many elements of just that magnitude are kept [members]."""

    edges: np.ndarray
    ties: np.ndarray


def cut(read: Callable[[], Iterable[np.ndarray]], ranks: np.ndarray, dtype: np.dtype) -> Cut:
    """Where the largest of each member end: `ranks` [members] says how many there are, 0 for none; `read()` gives pieces
    [members, elements] of deltas, all of a float type of 32 or 64 bits, twice or four times."""
    left, prefix = np.array(ranks, np.int64), np.zeros(len(ranks), np.uint64)
    for shift in range(8 * dtype.itemsize - 16, -1, -16):
        counts = np.zeros((len(left), BUCKETS), np.int64)
        for piece in read():
            count(bits_of(piece), prefix, shift, counts)
        for member, found in enumerate(counts):
            above = np.cumsum(found[::-1])
            step = int(np.searchsorted(above, left[member]))
            left[member] -= above[step - 1] if step else 0
            prefix[member] = prefix[member] << np.uint64(16) | np.uint64(BUCKETS - 1 - step)
    none = np.asarray(ranks) == 0
    edges = prefix.astype(np.uint32).view(np.float32) if dtype == np.float32 else prefix.view(np.float64)
    return Cut(np.where(none, dtype.type(np.inf), edges), np.where(none, 0, left))


def bits_of(piece: np.ndarray) -> np.ndarray:
    """Floats as whole numbers of their bits."""
    return piece.view(np.uint32 if piece.dtype == np.float32 else np.uint64)


@numba.njit(cache=True)
def count(bits, prefix, shift, counts):
    """Adds to `counts` [members, buckets] the elements whose bits above `shift` + 16 are the member's prefix."""
    one, low = np.uint64(1), np.uint64(shift)
    sign = (one << np.uint64(8 * bits.itemsize - 1)) - one
    for m in range(bits.shape[0]):
        head, row, found = prefix[m], bits[m], counts[m]
        for i in range(row.size):
            x = (np.uint64(row[i]) & sign) >> low
            if x >> np.uint64(16) == head:  # in two steps: a word shifted by its whole width is not 0
                found[x & np.uint64(BUCKETS - 1)] += 1


@numba.njit(cache=True)
def trim(row, edge, left):
    """Clears, in place, the elements of `row` [elements] below the magnitude `edge`, and those just on it but for the first
    `left`; returns how many are left to keep in the rows to come."""
    zero, equal = row.dtype.type(0), 0
    for i in range(row.size):
        equal += np.abs(row[i]) == edge
    if equal <= left:
        for i in range(row.size):
            row[i] = row[i] if np.abs(row[i]) >= edge else zero
        return left - equal
    if left == 0:
        for i in range(row.size):
            row[i] = row[i] if np.abs(row[i]) > edge else zero
        return left
    for i in range(row.size):
        if np.abs(row[i]) == edge and left > 0:
            left -= 1
        elif not np.abs(row[i]) > edge:
            row[i] = zero
    return left
