"""The hash of `random.py` for numba kernels on the host: the same draws, bit for bit, one scalar at a time.

    k0, k1 = host_key(seed, round)                  once a round, in Python
    a, b = fold_in(k0, k1, agent)                   in the kernel, once an agent
    price = 10 * uniform(a, b, 0)                   position 0, 1, 2, ...: each draw of an agent has its own
    rival = below(a, b, 1, agents)

Words are uint32. numba widens arithmetic on uint32 to uint64, so every sum and product is narrowed at once: the
one step of this file that is easy to forget. A kernel that is cached and calls these is not compiled anew when
this file changes: delete its `__pycache__`. Only host kernels import this file, for it loads numba.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

u32, u64 = np.uint32, np.uint64


@numba.njit(cache=True)
def mix(x, shift, factor, second_shift, second_factor, last_shift):
    """A permutation of 32-bit words: xorshift, multiply, xorshift, multiply, xorshift."""
    x = u32(u32(x ^ (x >> shift)) * factor)
    x = u32(u32(x ^ (x >> second_shift)) * second_factor)
    return u32(x ^ (x >> last_shift))


@numba.njit(cache=True)
def scramble(a, b, x):
    """(first, second) of the words a, b and the counter x, as in `random.scramble`."""
    a = mix(u32(u32(x) ^ u32(a)), u32(16), u32(0x7FEB352D), u32(15), u32(0x846CA68B), u32(16))
    b = u32(u32(u32(x) + u32(b)) + u32(0x9E3779B9))
    b = mix(b, u32(15), u32(0xD168AAAD), u32(15), u32(0xAF723597), u32(15))
    first = u32(a + b)
    return first, u32(b ^ u32(u32(first << u32(13)) | u32(first >> u32(19))))


@numba.njit(cache=True)
def fold_in(k0, k1, number):
    """The key of child `number` (0 .. 2^32 - 1): `jax.random.fold_in`, as two words."""
    return scramble(k0, k1, number)


@numba.njit(cache=True)
def word(k0, k1, position):
    """32 random bits: element `position` of `jax.random.bits`, uint32."""
    return scramble(k1, k0, position)[0]


@numba.njit(cache=True)
def uniform(k0, k1, position):
    """A float64 in [0, 1), a multiple of 2^-52: element `position` of `jax.random.uniform` in float64."""
    first, second = scramble(k1, k0, position)
    return np.float64((u64(first) << u64(20)) | (u64(second) >> u64(12))) * 2.0**-52


@numba.njit(cache=True)
def below(k0, k1, position, n):
    """A whole number in 0 .. n-1, for n up to 2^32, as int64: word * n / 2^32, rounded down (D. Lemire, "Fast
    random integer generation in an interval", 2019, without its rejection: a chance is off by less than 2^-32,
    n / 2^32 of itself)."""
    return np.int64((u64(word(k0, k1, position)) * u64(n)) >> u64(32))


def bare(function: Callable) -> Any:
    """`numba.njit(cache=True)` that neither allocates nor counts references, for innermost loops.

    numba counts references to every array that is taken out of a tuple of facts; a search that asks for a distance every
    ten nanoseconds spends a third of its time on that. The switch is numba's own (its tests use it) but not documented,
    so where a version does not know it the kernel is an ordinary one. Python's lock is let go.
    """
    return compiled(function, inline="never")


def inlined(function: Callable) -> Any:
    """A bare kernel that is compiled into the one that calls it: for a long function with one caller."""
    return compiled(function, inline="always")


def compiled(function: Callable, **how: Any) -> Any:
    """The kernel, without reference counts where numba knows how."""
    try:
        return numba.njit(cache=True, nogil=True, _nrt=False, **how)(function)  # pyright: ignore[reportCallIssue]
    except (KeyError, TypeError):
        return numba.njit(cache=True, nogil=True, **how)(function)
