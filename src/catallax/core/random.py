"""Counter-based randomness: a key is a hash of (seed, round, agent), so order of work never changes a draw.

One function makes everything. Two 32-bit words (a, b) and a counter x go in, two words come out:

    A = mix(x ^ a)      B = mix'(x + b + 0x9E3779B9)      first = A + B      second = B ^ rotate(first, 13)

`mix`, `mix'` are xorshift-multiply permutations of 32 bits with the lowest known bias of two rounds (C. Wellons,
"Prospecting for Hash Functions", 2018). A key is (k0, k1); fold_in(key, id) is (first, second) of (k0, k1; id);
word i of a key is (first, second) of (k1, k0; i), swapped so that a key's words are not its children. Then:

- for one key, id -> child is injective, and for one id, key -> child is a bijection: no stream dies out;
- A and B do not wait for each other, and all is 32-bit: eight multiplications an id, in vector registers;
- `first` alone, the 32-bit draw, is a sum of two permutations, not one: the stream of a key repeats values as
  chance would (a permutation of the counter would not, which a birthday test sees);
- a 64-bit draw is `first` above `second`, so a float64 uniform or normal refines the float32 one.

It is for simulation and no secret: both words of a key can be worked back. A key has 2^32 words. The same hash is
written for NumPy here (`host_*`, one code for both) and for numba in `kernel.py`. `benchmarks/random_battery.py`
puts it through dieharder. `order` and `poisson` are here because JAX sorts for the one and has the other for
threefry alone.
"""

import math
import operator
from collections.abc import Sequence
from functools import partial
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import define_prng_impl
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, Int, Key, UInt32

from catallax.core.errors import BadInput

Word = np.uint32
OFFSET = Word(0x9E3779B9)  # 2^32 / golden ratio: an all-zero key is a key like any other
ROOT = (Word(0x243F6A88), Word(0x85A308D3))  # digits of pi: the key that seeds are folded into
SPLIT = Word(0xA4093822)  # more of them: split's children are not fold_in's
ROUNDS = 8  # of the Feistel network of `order`: with 6, pairs and quadruples of 100 places are seen to be uneven
SHORT = 128  # places that `order` sorts: below about 50, 8 rounds are too few as well


def mix(x: Any, shifts: tuple[int, int, int], factors: tuple[int, int]) -> Any:
    """A permutation of 32-bit words (uint32 arrays of JAX or NumPy) in which every bit depends on every bit."""
    x = (x ^ (x >> Word(shifts[0]))) * Word(factors[0])
    x = (x ^ (x >> Word(shifts[1]))) * Word(factors[1])
    return x ^ (x >> Word(shifts[2]))


def scramble(a: Any, b: Any, x: Any) -> tuple[Any, Any]:
    """The hash of the header: uint32 arrays that broadcast, of JAX or NumPy, to (first, second) of their shape."""
    a = mix(x ^ a, (16, 15, 16), (0x7FEB352D, 0x846CA68B))
    b = mix(x + b + OFFSET, (15, 15, 15), (0xD168AAAD, 0xAF723597))
    first = a + b
    return first, b ^ ((first << Word(13)) | (first >> Word(19)))


# --- the implementation that jax.random sees: plain arrays, keys uint32[2] -----------------------------------


def _pair(words: tuple[Array, Array]) -> UInt32[Array, "*batch 2"]:
    # Not `stack`: XLA undoes this concatenation where the words are used, and fuses through it; a stack under
    # vmap becomes a transposed copy, twice the time of the hash.
    return jnp.concatenate([word[..., None] for word in words], axis=-1)


def _positions(shape: Sequence[int]) -> UInt32[Array, "*shape"]:
    """0, 1, 2, ... in row-major order, an iota an axis: nothing to reshape, so it shards like what it numbers."""
    if math.prod(shape) > 2**32:
        raise BadInput(f"shape {tuple(shape)} asks one key for more than its 2**32 words: split the key first")
    position = jnp.zeros(shape, jnp.uint32)
    for axis, size in enumerate(shape):
        stride = Word(math.prod(shape[axis + 1 :]) % 2**32)
        position += lax.broadcasted_iota(jnp.uint32, tuple(shape), axis) * stride if size > 1 else Word(0)
    return position


@partial(jax.jit, inline=True)
def _seed(seed: Int[Array, ""]) -> UInt32[Array, "2"]:
    high = lax.shift_right_logical(seed, 32) if seed.dtype.itemsize == 8 else jnp.zeros_like(seed)
    return _fold_in(_fold_in(jnp.asarray(ROOT), seed.astype(jnp.uint32)), high.astype(jnp.uint32))


@partial(jax.jit, inline=True)
def _fold_in(key: UInt32[Array, "2"], number: UInt32[Array, ""]) -> UInt32[Array, "2"]:
    return _pair(scramble(key[0], key[1], number))


@partial(jax.jit, inline=True, static_argnums=1)
def _split(key: UInt32[Array, "2"], shape: tuple[int, ...]) -> UInt32[Array, "*shape 2"]:
    return _pair(scramble(key[0] ^ SPLIT, key[1] ^ SPLIT, _positions(shape)))


@partial(jax.jit, inline=True, static_argnums=(1, 2))
def _random_bits(key: UInt32[Array, "2"], width: int, shape: tuple[int, ...]) -> Array:
    if width not in (8, 16, 32, 64):
        raise TypeError(f"random bits come 8, 16, 32 or 64 to a draw, not {width}")
    first, second = scramble(key[1], key[0], _positions(shape))
    if width == 64:
        return (first.astype(jnp.uint64) << 32) | second.astype(jnp.uint64)
    return (first >> Word(32 - width)).astype(f"uint{width}")


counter = define_prng_impl(
    key_shape=(2,),
    seed=_seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=_fold_in,
    name="catallax_counter",
    tag="ctlx",
)


# --- keys ----------------------------------------------------------------------------------------------------


def key(seed: Any) -> Key[Array, ""]:
    """The typed key of a seed, a whole number of up to 64 bits, for every function of `jax.random` but `poisson`.

    Seeds that differ in one 32-bit half never share a key. A traced seed (under vmap) is `jax.random.key(seed,
    impl=counter)`, which agrees up to 2^31 (2^63 with x64). Raises BadInput where `seed` is no such number.
    """
    return jax.random.wrap_key_data(jnp.asarray(_seed_words(seed)), impl=counter)


def _seed_words(seed: Any) -> UInt32[np.ndarray, "2"]:
    try:
        whole = operator.index(seed)
    except TypeError as error:
        raise BadInput(f"seed is {seed!r}: give a whole number from 0 to 2**64 - 1") from error
    if not 0 <= whole < 2**64:
        raise BadInput(f"seed is {whole}: give a whole number from 0 to 2**64 - 1")
    return host_fold_in(host_fold_in(np.array(ROOT), whole % 2**32), whole >> 32)


def host_key(seed: Any, round: SupportsIndex, population: SupportsIndex = 0) -> UInt32[np.ndarray, "2"]:
    """The words of fold_in(fold_in(key(seed), round), population), in NumPy.

    Raises BadInput where `seed` is not of 64 bits, `round` or `population` not of 32.
    """
    words = _seed_words(seed)
    for name, number in (("round", operator.index(round)), ("population", operator.index(population))):
        if not 0 <= number < 2**32:
            raise BadInput(f"{name} is {number}: give a whole number from 0 to 2**32 - 1")
        words = host_fold_in(words, number)
    return words


def host_fold_in(key: np.ndarray, ids: Any) -> UInt32[np.ndarray, "*ids 2"]:
    """`jax.random.fold_in` in NumPy: of keys uint32[*batch, 2] and ids that broadcast to *batch, the children's words.

    Raises BadInput where `key` holds no such words.
    """
    words = _words(key)
    with np.errstate(over="ignore"):  # words wrap
        pair = scramble(words[..., 0], words[..., 1], np.asarray(ids).astype(Word))
    return np.stack(pair, axis=-1)


def host_bits(keys: np.ndarray, count: int | None = None) -> UInt32[np.ndarray, "*out"]:
    """`jax.random.bits(key, dtype=uint32)` in NumPy: of keys uint32[*batch, 2], the first word of each [*batch], or
    the first `count` of each [*batch, count]. Raises BadInput where `keys` holds no such words."""
    words = _words(keys)
    a, b = words[..., 1], words[..., 0]
    if count is not None:
        a, b = a[..., None], b[..., None]
    with np.errstate(over="ignore"):
        return np.asarray(scramble(a, b, np.arange(count, dtype=Word) if count is not None else Word(0))[0])


def _words(key: np.ndarray) -> UInt32[np.ndarray, "*batch 2"]:
    words = np.asarray(key)
    if words.dtype != Word or not words.ndim or words.shape[-1] != 2:
        raise BadInput(f"key is {words.dtype}{list(words.shape)}: give the words that host_key returns, uint32[..., 2]")
    return words


# --- a random order ------------------------------------------------------------------------------------------


def order(key: Key[Array, ""], n: int) -> Int[Array, "n"]:
    """A random permutation of 0 .. n-1 as int32[n]; `n` is a Python int. Raises BadInput for n < 1.

    Up to 128 places, random words are sorted. Beyond, nothing is: an unbalanced Feistel network on the grid rows x
    columns, the smallest near-square one that holds n, in which each round shifts one coordinate, cyclically, by a
    hash of the other (M. Luby, C. Rackoff, "How to construct pseudorandom permutations from pseudorandom functions",
    1988). Places sent to cells beyond n are walked on until they are back below n (J. Black, P. Rogaway, "Ciphers
    with arbitrary finite domains", 2002).
    """
    if not 1 <= operator.index(n) < 2**31:
        raise BadInput(f"order asks for {n} places: give a whole number from 1 to 2**31 - 1")
    if n <= SHORT:
        return jnp.argsort(jax.random.bits(key, (n,), jnp.uint32)).astype(jnp.int32)
    rows = math.isqrt(n - 1) + 1
    columns = -(-n // rows)
    row, column = jnp.arange(rows, dtype=jnp.uint32)[:, None], jnp.arange(columns, dtype=jnp.uint32)[None, :]
    words = jax.random.bits(key, (ROUNDS, 2), jnp.uint32)
    for turn in range(0, ROUNDS, 2):
        row = _shift(row, column, rows, words[turn])
        column = _shift(column, row, columns, words[turn + 1])
    return _walk((row * Word(columns) + column).astype(jnp.int32).reshape(-1), n)


def _shift(
    moved: UInt32[Array, "..."], by: UInt32[Array, "..."], size: int, words: UInt32[Array, "2"]
) -> UInt32[Array, "..."]:
    """`moved` + F(by) modulo `size`, F(by) uniform over 0 .. size-1 (a chance is off by less than 2^-32)."""
    word, _ = scramble(words[0], words[1], by)
    # (word * size) >> 32 in 32 bits: size is at most 2^16. It costs less than to look F up in a table.
    carried = ((word & Word(0xFFFF)) * Word(size)) >> Word(16)
    total = moved + (((word >> Word(16)) * Word(size) + carried) >> Word(16))
    return jnp.where(total >= Word(size), total - Word(size), total)


def _walk(image: Int[Array, "cells"], n: int) -> Int[Array, "n"]:
    """The permutation of 0 .. n-1 in that of the cells: a place sent to n or beyond goes on to where that is sent."""
    outside = image[n:]  # fewer than sqrt(n) cells, so the walks are found there, by doubling
    if not outside.size:
        return image

    def double(_: Any, there: Int[Array, "outside"]) -> Int[Array, "outside"]:
        return jnp.where(there >= n, there[jnp.maximum(there - n, 0)], there)

    there = lax.fori_loop(0, outside.size.bit_length(), double, outside)
    inside = image[:n]
    return jnp.where(inside >= n, there[jnp.maximum(inside - n, 0)], inside)


# --- Poisson -------------------------------------------------------------------------------------------------


def poisson(key: Key[Array, ""], lam: Any, shape: tuple[int, ...] | None = None, dtype: Any = jnp.int32) -> Array:
    """Poisson counts of rate `lam` (broadcast to `shape`; default its own), for a key of any implementation.

    Below rate 10, by inversion; above, by transformed rejection (W. Hörmann, "The transformed rejection method for
    generating Poisson random variables", 1993, algorithm PTRS). Computed in the float type of `lam`: with float32
    chances are right to about 1e-6, and counts are whole up to 2^24. Rate 0 gives 0; a rate that is negative,
    infinite or not a number gives -1, as in `jax.random.poisson`. Counts beyond `dtype` stop at its maximum.
    Raises BadInput where `dtype` is not one of signed integers.
    """
    if not jnp.issubdtype(dtype, jnp.signedinteger):
        raise BadInput(f"dtype is {dtype!r}: counts need signed integers, for an impossible rate gives -1")
    rate = jnp.asarray(lam)
    rate = rate.astype(jnp.promote_types(jnp.result_type(rate, float), jnp.float32))
    return _poisson(key, jnp.broadcast_to(rate, rate.shape if shape is None else shape), dtype)


@partial(jax.jit, static_argnums=2)
def _poisson(key: Key[Array, ""], rate: Float[Array, "*shape"], dtype: Any) -> Int[Array, "*shape"]:
    valid = (rate >= 0) & jnp.isfinite(rate)
    small, large = valid & (rate < 10), valid & (rate >= 10)
    bits = jax.random.bits(jax.random.fold_in(key, 0), rate.shape, jnp.uint32)
    few = _invert(bits, jnp.where(small, rate, 0))
    many = _reject(jax.random.fold_in(key, 1), jnp.where(large, rate, 10), large)
    count, top = jnp.where(small, few, many), jnp.iinfo(dtype).max
    whole = jnp.where(count < float(top), count.astype(dtype), jnp.asarray(top, dtype))
    return jnp.where(valid, whole, jnp.asarray(-1, dtype))


def _invert(bits: UInt32[Array, "*shape"], rate: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The least count whose chance of being exceeded is not above a uniform level, for rates below 10."""
    level = (bits.astype(rate.dtype) + 0.5) * 2.0**-32

    def unfinished(count: Array, mass: Array, beyond: Array) -> Array:
        # Past twice the rate, the true tail is below the last mass: what stands in `beyond` may be rounding.
        return (beyond > level) & ((mass > level) | (count < 2 * rate))

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        count, mass, beyond = state
        on = unfinished(*state)
        more = mass * rate / (count + 1)
        return tuple(jnp.where(on, a, b) for a, b in zip((count + 1, more, beyond - more), state))

    start = (jnp.zeros_like(rate), jnp.exp(-rate), -jnp.expm1(-rate))
    return lax.while_loop(lambda state: unfinished(*state).any(), step, start)[0]


def _reject(key: Key[Array, ""], rate: Float[Array, "*shape"], wanted: Array) -> Float[Array, "*shape"]:
    """PTRS for rates from 10 up; where not `wanted`, the count is 0. A draw in about 0.8 to 0.9 is accepted."""
    b = 0.931 + 2.53 * jnp.sqrt(rate)
    a = -0.059 + 0.02483 * b
    scale, quick = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)

    def attempt(state: tuple[Array, ...]) -> tuple[Array, ...]:
        turn, count, open_ = state
        u, v = jax.random.uniform(jax.random.fold_in(key, turn), (2, *rate.shape), rate.dtype)
        u, v = u - 0.5, 1 - v  # v in (0, 1]: its logarithm is finite
        edge = 0.5 - jnp.abs(u)
        k = jnp.floor((2 * a / edge + b) * u + rate + 0.43)
        sure = (edge >= 0.07) & (v <= quick)
        never = (k < 0) | ((edge < 0.013) & (v > edge))
        height = jnp.log(v * scale / (a / (edge * edge) + b))
        taken = sure | (~never & (height <= _log_mass(jnp.maximum(k, 0), rate)))
        return turn + 1, jnp.where(open_ & taken, k, count), open_ & ~taken

    start = (jnp.uint32(0), jnp.zeros_like(rate), wanted)
    return lax.while_loop(lambda state: state[2].any(), attempt, start)[1]


def _log_mass(k: Float[Array, "*shape"], rate: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """log of the chance of k, without the cancellation of k log(rate) - rate - log k!: hopeless in float32 at 1e6.

    Saddle point of C. Loader, "Fast and accurate computation of binomial probabilities" (2000): Stirling's error of
    k! and the deviance k log(k / rate) + rate - k, near the rate as a series in (k - rate) / (k + rate).
    """
    n = jnp.maximum(k, 10)
    stirling = (1 / 12 - (1 / 360 - 1 / 1260 / (n * n)) / (n * n)) / n
    v = (n - rate) / (n + rate)
    v2 = v * v
    series = (n - rate) * v + 2 * n * v * v2 * (1 / 3 + v2 * (1 / 5 + v2 * (1 / 7 + v2 / 9)))
    deviance = jnp.where(jnp.abs(v) < 0.1, series, n * jnp.log(n / rate) + rate - n)
    tail = -stirling - deviance - 0.5 * jnp.log(2 * math.pi * n)
    return jnp.where(k < 10, k * jnp.log(rate) - rate - gammaln(k + 1), tail)
