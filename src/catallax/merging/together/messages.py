"""A vector told in few bits a number: whole codes and one scale a tensor, and what was not told is owed.

In b bits a number x of a tensor of root mean square s is told as a code q, an odd whole number,

    q = 2 floor(x / (d_b s)) + 1  in  -(2^b - 1) .. 2^b - 1,      told: a q,     a = <x, q> / <q, q>,

d_b the step that is best for normal numbers (Max 1960), a the scale that is best for these codes. So whatever x is,
|told - x|^2 = |x|^2 - <x, q>^2 / |q|^2 < |x|^2: what is owed shrinks, as error feedback asks for. One bit is sign(x) mean |x|.

    told = Q(x + owed),   owed' = x + owed - told

J. Max, Quantizing for minimum distortion, IRE Trans. Information Theory 6, 1960 (table II).
S. Karimireddy, Q. Rebjock, S. Stich and M. Jaggi, Error feedback fixes SignSGD, ICML 2019.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

STEPS = (1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.05687, 0.03076)  # in root mean squares, for 1 to 8 bits
SCALE = 32  # bits of a tensor's scale
EXACT = 25  # bits from which on a number of 32 is told exactly


def told(vector: Float[Array, " numbers"], sizes: tuple[int, ...], bits: int) -> Float[Array, " numbers"]:
    """What is heard of `vector`, whose tensors have `sizes`, in `bits` a number (1 to 24)."""
    parts = jnp.split(vector, np.cumsum(sizes)[:-1])
    return jnp.concatenate([told_tensor(part, bits) for part in parts])


def told_tensor(x: Any, bits: int) -> Any:
    """One tensor, flat."""
    if not x.size:
        return x
    most = float(2**bits - 1)
    step = jnp.sqrt(jnp.mean(x * x)) * STEPS[bits - 1] if bits <= len(STEPS) else 2 * jnp.max(jnp.abs(x)) / 2.0**bits
    safe = jnp.where(step > 0, step, 1)
    code = jnp.clip(2 * jnp.floor(x / safe) + 1, -most, most)
    scale = jnp.sum(x * code) / jnp.sum(code * code)
    return jnp.where(step > 0, scale * code, 0)


def message_bits(sizes: tuple[int, ...], bits: int | None, width: int = 32) -> int:
    """Bits of one message: `bits` a number and a scale a tensor; `width` a number where `bits` is None."""
    numbers = sum(sizes)
    return numbers * width if bits is None else numbers * bits + SCALE * len(sizes)
