"""NaN and infinities in tensors, found by their bits: the exponent is all ones."""

from typing import NamedTuple

import numpy as np

PIECE = 1 << 17  # elements
# bytes of an element: bits but the sign, and those of an infinity; by NumPy's kind and size
_BITS = {
    "bfloat16": (np.uint16, 0x7FFF, 0x7F80),
    "float16": (np.uint16, 0x7FFF, 0x7C00),
    "float32": (np.uint32, 0x7FFFFFFF, 0x7F800000),
    "float64": (np.uint64, 0x7FFFFFFFFFFFFFFF, 0x7FF0000000000000),
}


class Broken(NamedTuple):
    """How many elements of a tensor are no numbers."""

    nan: int
    infinite: int

    def __str__(self) -> str:
        return " and ".join(f"{count:,} {word}" for count, word in ((self.nan, "NaN"), (self.infinite, "Inf")) if count)


def broken(array: np.ndarray) -> Broken | None:
    """What is no number in a tensor of floats; None where all are."""
    if array.dtype.name not in _BITS:
        wide = array.astype(np.float32)
        return counted(wide) if not np.isfinite(wide).all() else None
    kind, mask, infinity = _BITS[array.dtype.name]
    bits = array.reshape(-1).view(kind)
    room = np.empty(min(PIECE, bits.size), kind)
    for start in range(0, bits.size, PIECE):
        piece = bits[start : start + PIECE]
        if np.bitwise_and(piece, kind(mask), out=room[: piece.size]).max() >= infinity:
            return counted(array)
    return None


def counted(array: np.ndarray) -> Broken:
    """How many, exactly."""
    return Broken(int(np.isnan(array).sum()), int(np.isinf(array).sum()))
